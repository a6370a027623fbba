package wecom

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

// Directory is one company on WeCom. It implements [directory.Directory].
type Directory struct {
	client *client
	// sync is the secret of 通讯录同步: writes and ids. details is the secret for
	// reading people and departments: that of the self-built app, or sync again.
	sync, details *secret
	// number is the extension attribute with the employee number, or empty.
	number       string
	capabilities directory.Capabilities
	// agent is the AgentId of the app; 0 sends no messages.
	agent int64
	// Readings that several may want at once: tags by who has them, customers and
	// groups by whose they were, all in lower case.
	tags       shared[map[string][]directory.Role]
	unassigned shared[map[string][]string]
	orphans    shared[map[string]ownGroups]
	// given are the groups that successors got today.
	given allowance
}

// Check implements [directory.Directory]: two tokens, and one cheap read with each.
func (d *Directory) Check(ctx context.Context) error {
	if _, err := d.client.listDepartmentIDs(ctx, d.sync, rootID); err != nil {
		return d.blame(syncSecret, err)
	}
	// Reading the root also proves that the visible range is the whole company.
	if _, err := d.client.getDepartment(ctx, d.details, rootID); err != nil {
		return d.blame(d.details.name, err)
	}
	return nil
}

// blame names the credential, which errors of gettoken do already.
func (d *Directory) blame(name string, err error) error {
	if e, ok := errors.AsType[*directory.Error](err); ok && !strings.HasPrefix(e.Message, name+": ") {
		return blame(e, name)
	}
	return err
}

// Account implements [directory.Directory].
func (d *Directory) Account(ctx context.Context, id string) (directory.Account, error) {
	u, err := d.user(ctx, id)
	if err != nil {
		return directory.Account{}, err
	}
	a, err := d.account("user/get", u)
	if err != nil {
		return directory.Account{}, err
	}
	return a, nil
}

// user reads a user. That an app does not find someone may also mean that it may
// not see them; the sync secret's list of ids decides.
func (d *Directory) user(ctx context.Context, id string) (*user, error) {
	u, notFound := d.client.getUser(ctx, d.details, id)
	if notFound == nil {
		return &u.is, nil
	}
	if directory.ClassOf(notFound) != directory.NotFound || d.details == d.sync {
		return nil, notFound
	}
	exists, err := d.listed(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case exists:
		return nil, invisible("user/get", "the user")
	}
	return nil, notFound
}

func invisible(operation, what string) *directory.Error {
	return &directory.Error{Class: directory.PermissionDenied, Operation: operation,
		Message: what + " exists and the app may not see it; the app's visible range must be the whole company"}
}

// CreateAccount implements [directory.Directory]. The platform invites the person
// by short message or mail; the account exists at once.
func (d *Directory) CreateAccount(ctx context.Context, id string, t directory.AccountType, p directory.Profile) (directory.State, error) {
	return d.create(ctx, id, t, p, directory.Active)
}

// CreateFrozen implements [directory.FrozenCreator]: the member begins disabled, and is not invited
// (https://developer.work.weixin.qq.com/document/path/90195, enable and to_invite).
func (d *Directory) CreateFrozen(ctx context.Context, id string, t directory.AccountType, p directory.Profile) (directory.State, error) {
	return d.create(ctx, id, t, p, directory.Frozen)
}

func (d *Directory) create(ctx context.Context, id string, t directory.AccountType, p directory.Profile, state directory.State) (directory.State, error) {
	const operation = "user/create"
	if t == directory.Enterprise {
		return "", &directory.Error{Class: directory.NotSupported, Operation: operation,
			Message: "WeCom has one kind of account only, the ordinary one"}
	}
	if err := d.writable(operation, p.Set); err != nil {
		return "", err
	}
	fields, err := d.userFields(operation, id, &p, &directory.Profile{}, nil)
	if err != nil {
		return "", err
	}
	maps.DeleteFunc(fields, func(_ string, value any) bool { return value == "" }) // there is nothing to clear yet
	// Inviting is the platform's default; it is how a person learns of the account.
	fields["to_invite"] = state == directory.Active
	if state == directory.Frozen {
		fields["enable"] = 0
	}
	made, err := d.client.createUser(ctx, d.sync, fields)
	if err != nil {
		return "", err
	}
	return state, madeUp(operation, made)
}

// needsReading are the fields that can only be written together with what is
// there already.
const needsReading = memberFields | directory.FieldNumber | directory.FieldAttributes

// UpdateAccount implements [directory.Directory].
func (d *Directory) UpdateAccount(ctx context.Context, id string, p directory.Profile) error {
	const operation = "user/update"
	if err := d.writable(operation, p.Set); err != nil {
		return err
	}
	if p.Set == 0 {
		return nil
	}
	var have directory.Profile
	var attrs []attribute
	if p.Set&needsReading != 0 {
		u, err := d.user(ctx, id)
		if err != nil {
			return err
		}
		if u.Status == statusLeft {
			_, err := d.account(operation, u)
			return err
		}
		have = d.profile(u)
		if u.ExtAttr != nil {
			attrs = u.ExtAttr.Attrs
		}
	}
	fields, err := d.userFields(operation, id, &p, &have, attrs)
	if err != nil {
		return err
	}
	made, err := d.client.updateUser(ctx, d.sync, fields)
	if err != nil {
		return err
	}
	return madeUp(operation, made)
}

func (d *Directory) writable(operation string, fields directory.Fields) error {
	if rest := fields &^ d.capabilities.Writes; rest != 0 {
		return &directory.Error{Class: directory.NotSupported, Operation: operation,
			Message: fmt.Sprintf("WeCom has no place for %s", rest)}
	}
	return nil
}

// madeUp makes an error of departments that the platform made up because it did
// not know the id. The account itself has been written.
func madeUp(operation string, made created) error {
	if len(made.List.Info) == 0 {
		return nil
	}
	ids := make([]string, 0, len(made.List.Info))
	for _, d := range made.List.Info {
		ids = append(ids, formatID(d.ID))
	}
	return invalid(operation, fmt.Sprintf("the user was written, but into a department that does not exist:"+
		" WeCom made up department %s instead; delete it in the console, and correct the departments", strings.Join(ids, ", ")))
}

// Department implements [directory.Directory].
func (d *Directory) Department(ctx context.Context, id string) (directory.Department, error) {
	n, err := parseDepartment("department/get", id)
	if err != nil {
		return directory.Department{}, err
	}
	dept, err := d.client.getDepartment(ctx, d.details, n)
	switch {
	case err == nil:
		return fromWire(dept), nil
	case directory.ClassOf(err) != directory.NotFound || d.details == d.sync:
		return directory.Department{}, err
	}
	// As with users: the app may only be unable to see it.
	if _, err := d.client.listDepartmentIDs(ctx, d.sync, n); err != nil {
		return directory.Department{}, err
	}
	return directory.Department{}, invisible("department/get", "the department")
}

// CreateDepartment implements [directory.Directory]. Without a parent the
// department is the company's own.
func (d *Directory) CreateDepartment(ctx context.Context, dept directory.Department) (string, error) {
	const operation = "department/create"
	if err := d.writableDepartment(operation, dept.Set); err != nil {
		return "", err
	}
	fields, err := departmentFields(operation, &dept)
	if err != nil {
		return "", err
	}
	if !dept.Set.Has(directory.DepartmentParent) {
		fields["parentid"] = rootID
	}
	if dept.ID != "" {
		if fields["id"], err = parseDepartment(operation, dept.ID); err != nil {
			return "", err
		}
	}
	id, err := d.client.createDepartment(ctx, d.sync, fields)
	if err != nil {
		return "", err
	}
	return formatID(id), nil
}

// UpdateDepartment implements [directory.Directory].
func (d *Directory) UpdateDepartment(ctx context.Context, dept directory.Department) error {
	const operation = "department/update"
	if err := d.writableDepartment(operation, dept.Set); err != nil {
		return err
	}
	id, err := parseDepartment(operation, dept.ID)
	if err != nil {
		return err
	}
	fields, err := departmentFields(operation, &dept)
	if err != nil || len(fields) == 0 {
		return err
	}
	fields["id"] = id
	return d.client.updateDepartment(ctx, d.sync, fields)
}

func (d *Directory) writableDepartment(operation string, fields directory.DepartmentFields) error {
	if rest := fields &^ d.capabilities.DepartmentWrites; rest != 0 {
		return &directory.Error{Class: directory.NotSupported, Operation: operation,
			Message: fmt.Sprintf("WeCom has no place for a department's %s (leaders are marked on people)", strings.Join(rest.Names(), ", "))}
	}
	return nil
}
