package dingtalk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

var (
	_ directory.RoleKeeper          = (*Directory)(nil)
	_ directory.RoleScoper          = (*Directory)(nil)
	_ directory.AdministratorLister = (*Directory)(nil)
	_ directory.ActivityReader      = (*Directory)(nil)
)

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

// AddToRole gives the role to twenty people at a time, and then lets it reach less than
// the whole company for those who have a scope: the call that gives it takes none
// [add-role-information-to-employees-in-batches]. So that it does not stay too wide, the
// departments of all scopes are looked for first. DingTalk refuses a batch as a whole for
// one unknown person (?), so a refused one is halved until the unknown stand alone.
func (d *Directory) AddToRole(ctx context.Context, role string, members []directory.RoleMember) error {
	id, err := roleNumber(&opAddToRole, role)
	if err != nil {
		return err
	}
	members, err = givable(&opAddToRole, members)
	if err != nil {
		return err
	}
	if err := d.reachable(ctx, members); err != nil {
		return err
	}
	g := roleGift{missing: map[string]bool{}}
	for batch := range slices.Chunk(members, roleBatch) {
		if err := d.give(ctx, id, batch, &g); err != nil {
			return err
		}
		scoped := slices.DeleteFunc(slices.Clone(batch), func(m directory.RoleMember) bool { return len(m.Scope) == 0 })
		if err := d.scope(ctx, id, scoped, &g); err != nil {
			return err
		}
	}
	return g.err(&opAddToRole, len(members), "do not exist, or the app may not see them; the others have the role")
}

// SetRoleScope lets a role reach other departments, one person at a time: there is no
// call for several [update-role-member-management-department-scope].
func (d *Directory) SetRoleScope(ctx context.Context, role string, members []directory.RoleMember) error {
	id, err := roleNumber(&opRoleScope, role)
	if err != nil {
		return err
	}
	members, err = givable(&opRoleScope, members)
	if err != nil {
		return err
	}
	g := roleGift{missing: map[string]bool{}}
	if err := d.scope(ctx, id, members, &g); err != nil {
		return err
	}
	return g.err(&opRoleScope, len(members), "do not exist, or the app may not see them; for the others the role reaches what it is to")
}

// givable are the holders, each once, unless DingTalk cannot have one of them.
func givable(op *operation, members []directory.RoleMember) ([]directory.RoleMember, error) {
	var people []directory.RoleMember
	known := map[string]bool{}
	for _, m := range members {
		switch {
		case m.Account == "":
			return nil, unsupported(op, "DingTalk gives roles to people, not to departments")
		case strings.Contains(m.Account, ","):
			return nil, invalid(op, "a user id has no comma")
		case len(m.Scope) > roleReach:
			return nil, unsupported(&opRoleScope, fmt.Sprintf("on DingTalk a role reaches %d departments at most", roleReach))
		}
		if !known[m.Account] {
			known[m.Account] = true
			people = append(people, m)
		}
	}
	return people, nil
}

// reachable fails unless all departments are there that the role is to reach.
func (d *Directory) reachable(ctx context.Context, members []directory.RoleMember) error {
	known := map[string]bool{}
	for _, m := range members {
		for _, id := range m.Scope {
			if known[id] {
				continue
			}
			known[id] = true
			if _, err := d.Department(ctx, id); directory.ClassOf(err) == directory.NotFound {
				return invalid(&opRoleScope, "one of the departments that the role is to reach does not exist; nobody was given the role")
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// roleGift is what came of giving a role to many.
type roleGift struct {
	missing map[string]bool
	// refused is the first refusal that concerns one person.
	refused error
}

func (g *roleGift) err(op *operation, of int, words string) error {
	if g.refused != nil || len(g.missing) == 0 {
		return g.refused
	}
	return &directory.Error{Class: directory.NotFound, Operation: op.name, Message: fmt.Sprintf("%d of %d people %s", len(g.missing), of, words)}
}

// ofOne reports whether a refusal is about one person: others would not meet it.
func ofOne(err error) bool {
	e, coded := errors.AsType[*directory.Error](err)
	return coded && e.Code != "" && (hasTrait(err, noUser) || e.Code == codeUserHidden)
}

// scope lets the role reach the departments of each person's scope, or the whole company.
func (d *Directory) scope(ctx context.Context, role int64, people []directory.RoleMember, g *roleGift) error {
	for _, m := range people {
		if g.missing[m.Account] {
			continue
		}
		body := map[string]any{"userid": m.Account, "role_id": role}
		if len(m.Scope) > 0 {
			body["dept_ids"] = strings.Join(m.Scope, ",") // left out, it is the whole company
		}
		err := d.wire.tell(ctx, &opRoleScope, body)
		switch {
		case err == nil:
		case ofOne(err):
			g.missing[m.Account] = true
		case hasTrait(err, noRole):
			return err
		case directory.ClassOf(err) == directory.Invalid: // a department that is not there, or a role that they do not have
			g.refused = cmp.Or(g.refused, err)
		default:
			return err
		}
	}
	return nil
}

// give gives the role to these people but those who do not exist, or are hidden from the app.
func (d *Directory) give(ctx context.Context, role int64, people []directory.RoleMember, g *roleGift) error {
	ids := make([]string, 0, len(people))
	for _, m := range people {
		ids = append(ids, m.Account)
	}
	err := d.wire.tell(ctx, &opAddToRole, map[string]any{"roleIds": departmentID(role), "userIds": strings.Join(ids, ",")})
	if !ofOne(err) {
		return err
	}
	if len(people) == 1 {
		g.missing[people[0].Account] = true
		return nil
	}
	half := len(people) / 2
	if err := d.give(ctx, role, people[:half], g); err != nil {
		return err
	}
	return d.give(ctx, role, people[half:], g)
}

// roleNumber reads an id of ours as DingTalk's number.
func roleNumber(op *operation, id string) (int64, error) {
	n, err := departmentNumber(op, id)
	if err != nil {
		return 0, invalid(op, "a role id on DingTalk is a number, and this one is not")
	}
	return n, nil
}

const (
	activePage = 100 // people in a page [queries-the-inactive-users-or-active-users-under-an-enterprise]
	activeDays = 30  // it tells of a month (same page)
	// activePages is what one question may cost: four days of a company of 5 000. These calls
	// count for the company's quota of a month.
	activePages = 200
	// activeFrom is the hour from which yesterday is complete (same page). Where its day begins
	// is not stated (?): in China, as all of DingTalk's days.
	activeFrom = 9

	grantActivity = "qyapi_liveness_base (activity of the organisation)"
)

// What DingTalk's console calls administrators, by their sys_level [query-the-administrator-list].
const (
	nameMainAdministrator = "主管理员"
	nameSubAdministrator  = "子管理员"
)

var opActive = operation{ // queries-the-inactive-users-or-active-users-under-an-enterprise
	name: "inactive/user/get", path: "/topapi/inactive/user/v2/get", grant: grantActivity}

// Administrators reads the main administrator and the others. What each of the others may
// do is not told here.
func (d *Directory) Administrators(ctx context.Context) ([]directory.RoleMember, error) {
	all, err := d.wire.administrators(ctx)
	if err != nil {
		return nil, err
	}
	var members []directory.RoleMember
	for _, a := range all {
		m := directory.RoleMember{Role: nameSubAdministrator, Account: string(a.UserID)}
		if m.Account == "" {
			return nil, incomplete(&opAdmins, "an administrator has no id")
		}
		if a.Level == mainAdministrator {
			m.Role = nameMainAdministrator
		}
		members = append(members, m)
	}
	if len(members) == 0 {
		return nil, incomplete(&opAdmins, "it names no administrator")
	}
	return members, nil
}

// LastActive reads who was active on each day, the latest first.
func (d *Directory) LastActive(ctx context.Context, ids []string) (directory.Activity, error) {
	a := directory.Activity{Last: map[string]time.Time{}}
	asked := map[string]bool{}
	for _, id := range ids {
		asked[id] = true
	}
	now := d.wire.now().In(chinaStandardTime)
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, chinaStandardTime)
	a.Since = day
	first := day.AddDate(0, 0, -activeDays)
	if now.Hour() < activeFrom {
		day = day.AddDate(0, 0, -1)
	}
	for pages := 0; day.After(first) && len(a.Last) < len(asked); {
		day = day.AddDate(0, 0, -1)
		whole, err := d.wire.activeOn(ctx, day, &pages, func(id string) {
			if _, found := a.Last[id]; asked[id] && !found {
				a.Last[id] = day
			}
		})
		if err != nil {
			return directory.Activity{}, err
		}
		if !whole {
			break
		}
		a.Since = day
	}
	return a, nil
}

// activeOn reads who was active on a day, as long as there are pages left, and reports
// whether it read all of them.
func (c *client) activeOn(ctx context.Context, day time.Time, pages *int, use func(id string)) (whole bool, err error) {
	seen := &idSet{}
	for offset := 0; *pages < activePages; *pages++ {
		page, err := ask[struct {
			More boolean    `json:"has_more"`
			Next integer    `json:"next_cursor"`
			List many[text] `json:"list"`
		}](ctx, c, &opActive, map[string]any{
			"is_active": true, "query_date": day.Format("20060102"), "offset": offset, "size": activePage,
		})
		if err != nil {
			return false, err
		}
		before := seen.len()
		for _, id := range page.List {
			if seen.add(string(id)) {
				use(string(id))
			}
		}
		if !page.More {
			*pages++
			return true, nil
		}
		if seen.len() == before {
			return false, incomplete(&opActive, "there are more pages, and this one has nothing new")
		}
		// Whether the cursor or our own count is the offset of the next page does not matter
		// where both are the same; where there is no cursor, ours is.
		offset += activePage
		if int(page.Next) > 0 {
			offset = int(page.Next)
		}
	}
	return false, nil
}
