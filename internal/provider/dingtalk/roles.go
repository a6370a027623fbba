package dingtalk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

var _ directory.RoleKeeper = (*Directory)(nil)

const (
	groupPage  = 200 // role groups in a page [obtains-a-list-of-enterprise-roles]
	holderPage = 100 // holders in a page [obtain-the-list-of-employees-of-a-role]
	roleBatch  = 20  // people in one call [add-role-information-to-employees-in-batches]
	roleReach  = 50  // departments in a scope [update-role-member-management-department-scope]

	// builtInGroup holds the roles that nobody but DingTalk's console changes
	// [add-role-information-to-employees-in-batches].
	builtInGroup = "默认"
	// otherGroup is for roles that name no group; on DingTalk every role has one.
	otherGroup = "Rollcall"
)

// Each operation is described on the page whose slug stands behind it.
var (
	opRoleGroups = operation{ // obtains-a-list-of-enterprise-roles
		name: "role/list", path: "/topapi/role/list", grant: grantDepartments}
	opHolders = operation{ // obtain-the-list-of-employees-of-a-role
		name: "role/simplelist", path: "/topapi/role/simplelist", finds: noRole, grant: grantMembers}
	opCreateGroup = operation{ // add-a-role-group
		name: "role/add_role_group", path: "/role/add_role_group", write: true, grant: grantManage}
	opCreateRole = operation{ // address-book-add-role
		name: "role/add_role", path: "/role/add_role", write: true, grant: grantManage}
	opAddToRole = operation{ // add-role-information-to-employees-in-batches
		name: "role/addrolesforemps", path: "/topapi/role/addrolesforemps", write: true, finds: noRole, grant: grantManage}
	opRoleScope = operation{ // update-role-member-management-department-scope
		name: "role/scope/update", path: "/topapi/role/scope/update", write: true, finds: noUser, grant: grantManage}
)

// roleGroup is an entry of role/list.
type roleGroup struct {
	ID    integer                    `json:"groupId"`
	Name  text                       `json:"name"`
	Roles many[written[roleOfGroup]] `json:"roles"`
}

type roleOfGroup struct {
	ID   integer `json:"id"`
	Name text    `json:"name"`
}

// role is what we understand of a role in its group.
func (g *roleGroup) role(r *roleOfGroup) directory.Role {
	return directory.Role{
		ID: departmentID(int64(r.ID)), Name: string(r.Name), Group: string(g.Name), BuiltIn: g.Name == builtInGroup,
	}
}

// roleGroups reads all groups with their roles, page by page.
func (c *client) roleGroups(ctx context.Context, use func(*written[roleGroup]) error) error {
	seen := &idSet{}
	for offset := 0; ; offset += groupPage {
		page, err := ask[struct {
			More   boolean                  `json:"hasMore"`
			Groups many[written[roleGroup]] `json:"list"`
		}](ctx, c, &opRoleGroups, map[string]any{"offset": offset, "size": groupPage})
		if err != nil {
			return err
		}
		before := seen.len()
		for i := range page.Groups {
			g := &page.Groups[i].is
			if g.ID <= 0 || slices.ContainsFunc(g.Roles, func(r written[roleOfGroup]) bool { return r.is.ID <= 0 }) {
				return incomplete(&opRoleGroups, "a role or group has no id")
			}
			if !seen.add(departmentID(int64(g.ID))) {
				continue
			}
			if err := use(&page.Groups[i]); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		if seen.len() == before {
			return incomplete(&opRoleGroups, "there are more pages, and this one has nothing new")
		}
	}
}

// holder is somebody who has a role, as role/simplelist shows them.
type holder struct {
	UserID text `json:"userid"`
	Scope  many[struct {
		ID integer `json:"dept_id"`
	}] `json:"manageScopes"`
}

func (h *holder) member(role string) directory.RoleMember {
	m := directory.RoleMember{Role: role, Account: string(h.UserID)}
	for _, d := range h.Scope {
		m.Scope = append(m.Scope, departmentID(int64(d.ID)))
	}
	return m
}

// holders reads everybody who has a role, page by page.
func (c *client) holders(ctx context.Context, role int64, use func(*written[holder]) error) error {
	seen := &idSet{}
	for offset := 0; ; offset += holderPage {
		page, err := ask[struct {
			More boolean               `json:"hasMore"`
			List many[written[holder]] `json:"list"`
		}](ctx, c, &opHolders, map[string]any{"role_id": role, "offset": offset, "size": holderPage})
		if err != nil {
			return err
		}
		before := seen.len()
		for i := range page.List {
			id := string(page.List[i].is.UserID)
			if id == "" {
				return incomplete(&opHolders, "a person has no id")
			}
			if !seen.add(id) {
				continue
			}
			if err := use(&page.List[i]); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		if seen.len() == before {
			return incomplete(&opHolders, "there are more pages, and this one has nothing new")
		}
	}
}

// made calls an operation whose answer has a new id beside the errcode.
func (c *client) made(ctx context.Context, op *operation, body any) (int64, error) {
	var a struct {
		Role  integer `json:"roleId"`
		Group integer `json:"groupId"`
	}
	err := c.call(ctx, op, request{api: c.older, method: http.MethodPost, body: body}, &a)
	id := max(a.Role, a.Group)
	if err == nil && id <= 0 {
		err = incomplete(op, "it has no id")
	}
	return int64(id), err
}

// Roles reads all roles of all groups.
func (d *Directory) Roles(ctx context.Context) ([]directory.Role, error) {
	var roles []directory.Role
	err := d.wire.roleGroups(ctx, func(g *written[roleGroup]) error {
		for i := range g.is.Roles {
			roles = append(roles, g.is.role(&g.is.Roles[i].is))
		}
		return nil
	})
	return roles, err
}

// RoleMembers reads the people who have a role; departments have none here.
func (d *Directory) RoleMembers(ctx context.Context, role string) ([]directory.RoleMember, error) {
	id, err := roleNumber(&opHolders, role)
	if err != nil {
		return nil, err
	}
	var members []directory.RoleMember
	err = d.wire.holders(ctx, id, func(h *written[holder]) error {
		members = append(members, h.is.member(role))
		return nil
	})
	return members, err
}

// CreateRole makes a role, and its group if there is none of that name.
func (d *Directory) CreateRole(ctx context.Context, r directory.Role) (string, error) {
	r.Group = cmp.Or(r.Group, otherGroup)
	switch {
	case strings.TrimSpace(r.Name) == "":
		return "", invalid(&opCreateRole, "a role needs a name")
	case r.Group == builtInGroup:
		return "", unsupported(&opCreateRole, "the roles of the group "+builtInGroup+" are DingTalk's own")
	}
	var group int64
	holder := ""
	err := d.wire.roleGroups(ctx, func(g *written[roleGroup]) error {
		if string(g.is.Name) == r.Group {
			group = int64(g.is.ID)
		}
		for i := range g.is.Roles {
			// Whether a name is unique in its group or in the company is not
			// documented (?): the group's own comes first.
			if have := &g.is.Roles[i].is; string(have.Name) == r.Name && (holder == "" || string(g.is.Name) == r.Group) {
				holder = departmentID(int64(have.ID))
			}
		}
		return nil
	})
	if err == nil && group == 0 {
		group, err = d.wire.made(ctx, &opCreateGroup, map[string]any{"name": r.Group})
	}
	if err != nil {
		return "", err
	}
	id, err := d.wire.made(ctx, &opCreateRole, map[string]any{"roleName": r.Name, "groupId": group})
	if err != nil {
		if e, coded := errors.AsType[*directory.Error](err); coded && e.Class == directory.AlreadyExists {
			e.Holder = holder
		}
		return "", err
	}
	return departmentID(id), nil
}

// AddToRole gives the role to twenty people at a time. DingTalk refuses a batch
// as a whole for one unknown person (?), so a refused one is halved until the
// unknown stand alone.
func (d *Directory) AddToRole(ctx context.Context, role string, members []directory.RoleMember) error {
	id, err := roleNumber(&opAddToRole, role)
	if err != nil {
		return err
	}
	var people []string
	known := map[string]bool{}
	for _, m := range members {
		switch {
		case m.Account == "":
			return unsupported(&opAddToRole, "DingTalk gives roles to people, not to departments")
		case strings.Contains(m.Account, ","):
			return invalid(&opAddToRole, "a user id has no comma")
		case len(m.Scope) > roleReach:
			return unsupported(&opRoleScope, fmt.Sprintf("on DingTalk a role reaches %d departments at most", roleReach))
		}
		if !known[m.Account] {
			known[m.Account] = true
			people = append(people, m.Account)
		}
	}
	missing := map[string]bool{}
	for batch := range slices.Chunk(people, roleBatch) {
		if err := d.give(ctx, id, batch, missing); err != nil {
			return err
		}
	}
	for _, m := range members {
		if len(m.Scope) == 0 || missing[m.Account] {
			continue
		}
		body := map[string]any{"userid": m.Account, "role_id": id, "dept_ids": strings.Join(m.Scope, ",")}
		if err := d.wire.tell(ctx, &opRoleScope, body); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return &directory.Error{
			Class: directory.NotFound, Operation: opAddToRole.name,
			Message: fmt.Sprintf("%d of %d people do not exist; the others have the role", len(missing), len(people)),
		}
	}
	return nil
}

// give gives the role to these people but those who do not exist.
func (d *Directory) give(ctx context.Context, role int64, people []string, missing map[string]bool) error {
	err := d.wire.tell(ctx, &opAddToRole, map[string]any{
		"roleIds": departmentID(role), "userIds": strings.Join(people, ","),
	})
	if !hasTrait(err, noUser) {
		return err
	}
	if len(people) == 1 {
		missing[people[0]] = true
		return nil
	}
	half := len(people) / 2
	if err := d.give(ctx, role, people[:half], missing); err != nil {
		return err
	}
	return d.give(ctx, role, people[half:], missing)
}

// roleNumber reads an id of ours as DingTalk's number.
func roleNumber(op *operation, id string) (int64, error) {
	n, err := departmentNumber(op, id)
	if err != nil {
		return 0, invalid(op, "a role id on DingTalk is a number, and this one is not")
	}
	return n, nil
}
