package dingtalk

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"rollcall.dev/rollcall/internal/directory"
)

// rootDepartment is the company itself, on every tenant.
const rootDepartment = 1

// Directory is one company on DingTalk.
type Directory struct {
	wire *client
	// agent is the number of the app, "" if nobody told it.
	agent string
	// personal: the app may read mail addresses, workplaces and extension
	// attributes, as far as the last listing or check showed.
	personal atomic.Bool
	notices  pace
}

// Check asks what the app may see, and reads the root department.
func (d *Directory) Check(ctx context.Context) error {
	s, err := d.wire.scopes(ctx)
	if err != nil {
		return err
	}
	d.personal.Store(readsPersonal(s))
	if !slices.Contains(s.Org.Departments, rootDepartment) {
		return &directory.Error{
			Class: directory.PermissionDenied, Operation: opScopes.name,
			Message: narrowScope + "; choose all employees (全部员工) in the developer console",
		}
	}
	_, err = d.wire.department(ctx, rootDepartment)
	return err
}

const narrowScope = "the address-book scope (通讯录权限范围) of the app is not the whole company"

// Account reads one person, the manager included, whom no listing shows.
func (d *Directory) Account(ctx context.Context, id string) (directory.Account, error) {
	u, err := d.wire.user(ctx, id)
	if err != nil {
		return directory.Account{}, err
	}
	return d.whole(&u), nil
}

// whole is all that user/get says of a person.
func (d *Directory) whole(u *user) directory.Account {
	a := account(u, d.personal.Load() || showsPersonal(u))
	a.Profile.Set |= directory.FieldManager | directory.FieldDepartments | directory.FieldDepartmentOrder
	a.Profile.Manager = string(u.Manager)
	places := map[int64]directory.Membership{}
	for _, id := range u.Departments {
		places[int64(id)] = directory.Membership{Department: departmentID(int64(id))}
	}
	for _, o := range u.Orders {
		if m, in := places[int64(o.Department)]; in {
			m.Order = int64(o.Order)
			places[int64(o.Department)] = m
		}
	}
	for _, l := range u.Leads {
		if m, in := places[int64(l.Department)]; in {
			m.Leader = bool(l.Leader)
			places[int64(l.Department)] = m
		}
	}
	if len(u.Leads) > 0 || len(places) == 0 {
		a.Profile.Set |= directory.FieldLeads
	}
	for _, id := range sortedKeys(places) {
		a.Profile.Memberships = append(a.Profile.Memberships, places[id])
	}
	return a
}

// CreateAccount adds a person: an ordinary account for whoever has the mobile
// number, or an enterprise account of type sso.
func (d *Directory) CreateAccount(ctx context.Context, id string, t directory.AccountType, p directory.Profile) (directory.State, error) {
	w, err := creation(id, t, &p)
	if err != nil {
		return "", err
	}
	given, err := d.wire.createUser(ctx, w)
	e, coded := errors.AsType[*directory.Error](err)
	switch {
	case coded && e.Code == codeInvited:
		return directory.Invited, nil
	case coded && e.Class == directory.AlreadyExists:
		e.Holder = id
	case hasTrait(err, mobileTaken):
		// The refusal does not say whose it is; asking is a courtesy, and may fail.
		if ids, lookup := d.wire.userByMobile(ctx, wireMobile(p.Mobile)); lookup == nil {
			e.Holder = string(ids[0])
		}
	case err == nil && given != "" && !strings.EqualFold(given, id):
		return "", &directory.Error{
			Class: directory.Conflict, Operation: opCreateUser.name, Holder: given,
			Message: "DingTalk created the account under an id of its own",
		}
	}
	if err != nil {
		return "", err
	}
	return directory.Active, nil
}

// UpdateAccount writes the declared fields.
func (d *Directory) UpdateAccount(ctx context.Context, id string, p directory.Profile) error {
	w, err := change(id, &p)
	if err != nil || reflect.DeepEqual(w, userWish{UserID: id}) {
		return err
	}
	err = d.wire.updateUser(ctx, w)
	if !hasTrait(err, badParameter) || w.Departments != "" {
		return err
	}
	// Enterprise accounts want their departments with every update
	// [update-dedicated-accounts-information]; the refused one changed nothing.
	u, reading := d.wire.user(ctx, id)
	if reading != nil || !bool(u.ExclusiveAccount) || len(u.Departments) == 0 {
		return err
	}
	w.Departments = joined(u.Departments)
	return d.wire.updateUser(ctx, w)
}

// Department reads one department with its order and key, which no listing shows.
func (d *Directory) Department(ctx context.Context, id string) (directory.Department, error) {
	n, err := departmentNumber(&opDepartment, id)
	if err != nil {
		return directory.Department{}, err
	}
	got, err := d.wire.department(ctx, n)
	if err != nil {
		return directory.Department{}, err
	}
	return wholeDepartment(&got), nil
}

// CreateDepartment makes a department under an id of DingTalk's choosing.
func (d *Directory) CreateDepartment(ctx context.Context, want directory.Department) (string, error) {
	if len(want.Managers) > 0 && want.Set.Has(directory.DepartmentManagers) {
		return "", unsupported(&opCreateDepartment, "nobody is in a new department yet, so nobody can manage it: add its managers later")
	}
	want.Set &^= directory.DepartmentManagers
	w, err := departmentChange(&opCreateDepartment, &want)
	if err != nil {
		return "", err
	}
	if w.Name == nil || w.Parent == nil {
		return "", invalid(&opCreateDepartment, "a new department needs a name and a parent")
	}
	id, err := d.wire.createDepartment(ctx, w)
	if err != nil {
		return "", d.nameHolder(ctx, err, w)
	}
	return departmentID(id), nil
}

// UpdateDepartment writes the declared fields.
func (d *Directory) UpdateDepartment(ctx context.Context, want directory.Department) error {
	w, err := departmentChange(&opUpdateDepartment, &want)
	if err != nil || want.Set == 0 {
		return err
	}
	if w.ID, err = departmentNumber(&opUpdateDepartment, want.ID); err != nil {
		return err
	}
	return d.nameHolder(ctx, d.wire.updateDepartment(ctx, w), w)
}

// nameHolder adds to "the name is taken" by which sibling, if that can be read.
func (d *Directory) nameHolder(ctx context.Context, err error, w departmentWish) error {
	e, coded := errors.AsType[*directory.Error](err)
	if !coded || e.Class != directory.AlreadyExists || w.Name == nil || w.Parent == nil {
		return err
	}
	siblings, reading := d.wire.children(ctx, *w.Parent)
	if reading != nil {
		return err
	}
	for _, s := range siblings {
		if strings.TrimSpace(string(s.Name)) == strings.TrimSpace(*w.Name) {
			e.Holder = departmentID(int64(s.ID))
		}
	}
	return err
}
