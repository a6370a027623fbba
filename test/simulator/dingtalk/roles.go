package dingtalk

import (
	"slices"
	"strings"

	"rollcall.dev/rollcall/test/simulator/core"
)

// Limits of the pages of the calls.
const (
	maxRoleBatch   = 20  // roles in one call, and users of addrolesforemps
	maxRemoveUsers = 100 // users of removerolesforemps
	maxScopeDepts  = 50
	maxRolePage    = 200 // role/list
	defaultPage    = 20
)

// rolesOf lists the roles of a user: those given, and the default ones that
// follow from being an administrator, the boss or a manager of a department (?).
func (t *tenant) rolesOf(u *user, at core.View) []*role {
	var list []*role
	for _, name := range t.systemRolesOf(u, at) {
		if r := t.systemRole(name, at); r != nil {
			list = append(list, r)
		}
	}
	for _, g := range u.roles {
		if r, ok := t.roles.Get(key(g.role), at); ok {
			list = append(list, r)
		}
	}
	return list
}

func (t *tenant) systemRolesOf(u *user, at core.View) []string {
	var names []string
	switch u.sysLevel {
	case 1:
		names = append(names, systemMain)
	case 2:
		names = append(names, systemSub)
	}
	if u.boss {
		names = append(names, systemOwner)
	}
	if slices.ContainsFunc(u.depts, func(m membership) bool { return t.leads(u, m.dept, at) }) {
		names = append(names, systemLead)
	}
	return names
}

// holds is the grant of a role to a user, nil if there is none.
func (u *user) holds(role int64) *grant {
	for i := range u.roles {
		if u.roles[i].role == role {
			return &u.roles[i]
		}
	}
	return nil
}

// roleAt reads and finds the role that a call is about.
func (s *session) roleAt(param string, missing, unknown int) (*role, error) {
	id, given, err := s.args.integer(param)
	if err != nil || !given {
		return nil, refuse(missing)
	}
	r, ok := s.roles.Get(key(id), s.at)
	if !ok {
		return nil, refuse(unknown)
	}
	return r, nil
}

// roleNamed finds the role of a name in a group.
func (t *tenant) roleNamed(group int64, name string) *role {
	for _, r := range t.roles.All(core.Live) {
		if r.group == group && r.name == name {
			return r
		}
	}
	return nil
}

// addRoleGroup serves /role/add_role_group. What a name that is taken leads to
// is not documented; it is refused like that of a role (?).
// https://open.dingtalk.com/document/development/add-a-role-group
func (s *session) addRoleGroup() (map[string]any, error) {
	name, err := s.args.text("name")
	if err != nil || strings.TrimSpace(name) == "" {
		return nil, refuse(codeRoleEmpty)
	}
	for _, g := range s.groups.All(core.Live) {
		if g.name == name {
			return nil, refuse(codeRoleExists)
		}
	}
	g := &roleGroup{id: s.nextRole(), name: name}
	s.groups.Put(key(g.id), g)
	return map[string]any{"groupId": g.id}, nil
}

// addRole serves /role/add_role.
// https://open.dingtalk.com/document/development/address-book-add-role
func (s *session) addRole() (map[string]any, error) {
	name, err1 := s.args.text("roleName")
	group, given, err2 := s.args.integer("groupId")
	if err1 != nil || err2 != nil || strings.TrimSpace(name) == "" || !given {
		return nil, refuse(codeRoleEmpty)
	}
	g, ok := s.groups.Get(key(group), core.Live)
	switch {
	case !ok:
		return nil, refuse(codeBadGroup)
	case g.system:
		return nil, refuse(codeSystemTag)
	case s.roleNamed(group, name) != nil:
		return nil, refuse(codeRoleExists)
	}
	r := &role{id: s.nextRole(), group: group, name: name}
	s.roles.Put(key(r.id), r)
	return map[string]any{"roleId": r.id}, nil
}

// updateRole serves /role/update_role.
// https://open.dingtalk.com/document/development/update-the-character-name
func (s *session) updateRole() (map[string]any, error) {
	old, err := s.roleAt("roleId", codeRoleArgs, codeBadRole)
	if err != nil {
		return nil, err
	}
	name, err := s.args.text("roleName")
	if err != nil || strings.TrimSpace(name) == "" {
		return nil, refuse(codeRoleArgs)
	}
	if old.system != "" {
		return nil, refuse(codeSystemTag)
	}
	if other := s.roleNamed(old.group, name); other != nil && other.id != old.id {
		return nil, refuse(codeRoleExists)
	}
	r := *old
	r.name = name
	s.roles.Put(key(r.id), &r)
	return nil, nil
}

// deleteRole serves /topapi/role/deleterole. A role must have no holders; the
// code of the refusal is not documented (?).
// https://open.dingtalk.com/document/development/delete-role-information
func (s *session) deleteRole() (map[string]any, error) {
	r, err := s.roleAt("role_id", codeBadRole, codeBadRole)
	if err != nil {
		return nil, err
	}
	if r.system != "" {
		return nil, refuse(codeSystemTag)
	}
	if len(s.holders[r.id]) > 0 {
		return nil, refuseAs(codeArgument, "角色下存在员工，不允许删除")
	}
	s.roles.Delete(key(r.id))
	return nil, nil
}

// roleItem and groupItem are entries of role/list.
type roleItem struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type groupItem struct {
	GroupID int64      `json:"groupId"`
	Name    string     `json:"name"`
	Roles   []roleItem `json:"roles"`
}

func (t *tenant) groupItems(at core.View) []groupItem {
	list := []groupItem{}
	index := map[int64]int{}
	for _, g := range t.groups.All(at) {
		index[g.id] = len(list)
		list = append(list, groupItem{g.id, g.name, []roleItem{}})
	}
	for _, r := range t.roles.All(at) {
		if i, ok := index[r.group]; ok {
			list[i].Roles = append(list[i].Roles, roleItem{r.id, r.name})
		}
	}
	return list
}

// window reads offset and size, which count only when both are given.
func (s *session) window(most int64) (from, size int64, err error) {
	offset, given1, err := s.args.integer("offset")
	if err != nil || offset < 0 {
		return 0, 0, refuse(codeOffset)
	}
	size, given2, err := s.args.integer("size")
	if err != nil || given2 && (size < 1 || size > most) {
		return 0, 0, refuse(codeSize)
	}
	if !given1 || !given2 {
		return 0, defaultPage, nil
	}
	return offset, size, nil
}

// listRoles serves /topapi/role/list; a page counts groups (?).
// https://open.dingtalk.com/document/development/obtains-a-list-of-enterprise-roles
func (s *session) listRoles() (map[string]any, error) {
	from, size, err := s.window(maxRolePage)
	if err != nil {
		return nil, err
	}
	list := s.groupItems(s.at)
	total := int64(len(list))
	from = min(from, total)
	to := min(from+size, total)
	rows := list[from:to]
	keep, cut := s.call.Rows(len(rows))
	return map[string]any{"result": map[string]any{"hasMore": to < total && !cut, "list": rows[:keep]}}, nil
}

// getRole serves /topapi/role/getrole.
// https://open.dingtalk.com/document/development/queries-role-details
func (s *session) getRole() (map[string]any, error) {
	r, err := s.roleAt("roleId", codeBadRole, codeBadRole)
	if err != nil {
		return nil, err
	}
	return map[string]any{"role": map[string]any{"name": r.name, "groupId": r.group}}, nil
}

// getRoleGroup serves /topapi/role/getrolegroup.
// https://open.dingtalk.com/document/development/obtains-the-role-group-information
func (s *session) getRoleGroup() (map[string]any, error) {
	id, given, err := s.args.integer("group_id")
	if err != nil || !given {
		return nil, refuse(codeArgument)
	}
	for _, g := range s.groupItems(s.at) {
		if g.GroupID != id {
			continue
		}
		roles := make([]map[string]any, 0, len(g.Roles))
		for _, r := range g.Roles {
			roles = append(roles, map[string]any{"role_id": r.ID, "role_name": r.Name})
		}
		return map[string]any{"role_group": map[string]any{"group_name": g.Name, "roles": roles}}, nil
	}
	return nil, refuse(codeArgument)
}

type scopeItem struct {
	DeptID int64  `json:"dept_id"`
	Name   string `json:"name"`
}

type holderItem struct {
	UserID       string      `json:"userid"`
	Name         string      `json:"name"`
	ManageScopes []scopeItem `json:"manageScopes,omitempty"`
}

// holdersAt lists who has a role, by user id.
func (t *tenant) holdersAt(r *role, at core.View) []holderItem {
	list := []holderItem{}
	take := func(u *user) {
		item := holderItem{UserID: u.id, Name: u.name}
		if g := u.holds(r.id); g != nil {
			for _, dept := range g.scope {
				if d, ok := t.depts.Get(key(dept), at); ok {
					item.ManageScopes = append(item.ManageScopes, scopeItem{d.id, d.name})
				}
			}
		} else if !slices.Contains(t.systemRolesOf(u, at), r.system) || r.system == "" {
			return
		}
		list = append(list, item)
	}
	if at == core.Live && r.system == "" {
		for _, u := range t.holders[r.id] {
			take(u)
		}
	} else {
		for _, u := range t.users.All(at) {
			take(u)
		}
	}
	slices.SortFunc(list, func(a, b holderItem) int { return strings.Compare(a.UserID, b.UserID) })
	return list
}

// listHolders serves /topapi/role/simplelist. nextCursor is in no document, but
// public SDKs read it from replies.
// https://open.dingtalk.com/document/development/obtain-the-list-of-employees-of-a-role
func (s *session) listHolders() (map[string]any, error) {
	r, err := s.roleAt("role_id", codeBadRole, codeBadRole)
	if err != nil {
		return nil, err
	}
	from, size, err := s.window(maxPage)
	if err != nil {
		return nil, err
	}
	list := s.holdersAt(r, s.at)
	total := int64(len(list))
	from = min(from, total)
	to := min(from+size, total)
	rows := list[from:to]
	keep, cut := s.call.Rows(len(rows))
	result := map[string]any{"hasMore": to < total && !cut, "list": rows[:keep]}
	if result["hasMore"] == true {
		result["nextCursor"] = to
	}
	return map[string]any{"result": result}, nil
}

// batch reads the roles and users of a batch. One that is too long is refused
// with 40035, one of which any part is unknown as a whole; neither is
// documented (?).
func (s *session) batch(mostUsers int) (roles []int64, users []*user, err error) {
	roles, err = s.args.ids("roleIds")
	if err != nil || len(roles) == 0 {
		return nil, nil, refuse(codeBadRole)
	}
	ids, err := s.args.list("userIds")
	if err != nil || len(ids) == 0 {
		return nil, nil, refuse(codeBadUser)
	}
	if len(roles) > maxRoleBatch || len(ids) > mostUsers {
		return nil, nil, refuse(codeParam)
	}
	for _, id := range roles {
		r, ok := s.roles.Get(key(id), core.Live)
		if !ok {
			return nil, nil, refuse(codeBadRole)
		}
		if r.system != "" {
			return nil, nil, refuse(codeSystemTag)
		}
	}
	for _, id := range ids {
		u, ok := s.users.Get(id, core.Live)
		if !ok {
			return nil, nil, refuse(codeBadUser)
		}
		users = append(users, u)
	}
	return roles, users, nil
}

// addRoles serves /topapi/role/addrolesforemps.
// https://open.dingtalk.com/document/development/add-role-information-to-employees-in-batches
func (s *session) addRoles() (map[string]any, error) {
	roles, users, err := s.batch(maxRoleBatch)
	if err != nil {
		return nil, err
	}
	for _, old := range users {
		u := old.clone()
		for _, r := range roles {
			if u.holds(r) == nil {
				u.roles = append(u.roles, grant{role: r})
			}
		}
		s.putUser(u)
	}
	return nil, nil
}

// removeRoles serves /topapi/role/removerolesforemps.
// https://open.dingtalk.com/document/development/delete-the-color-information-of-employee-corners-in-batches
func (s *session) removeRoles() (map[string]any, error) {
	roles, users, err := s.batch(maxRemoveUsers)
	if err != nil {
		return nil, err
	}
	for _, old := range users {
		u := old.clone()
		u.roles = slices.DeleteFunc(u.roles, func(g grant) bool { return slices.Contains(roles, g.role) })
		s.putUser(u)
	}
	return nil, nil
}

// updateRoleScope serves /topapi/role/scope/update. Without departments the
// scope is everyone.
// https://open.dingtalk.com/document/development/update-role-member-management-department-scope
func (s *session) updateRoleScope() (map[string]any, error) {
	id, err := s.args.text("userid")
	if err != nil || id == "" {
		return nil, refuse(codeUserIDInvalid)
	}
	r, err := s.roleAt("role_id", codeRoleEmpty, codeScopeRole)
	if err != nil {
		return nil, err
	}
	old, ok := s.users.Get(id, core.Live)
	if !ok {
		return nil, refuse(codeNoEmployee)
	}
	depts, err := s.args.ids("dept_ids")
	if err != nil || len(depts) > maxScopeDepts {
		return nil, refuse(codeArgument)
	}
	for _, dept := range depts {
		if _, ok := s.depts.Get(key(dept), core.Live); !ok {
			return nil, refuse(codeNoDept)
		}
	}
	u := old.clone()
	g := u.holds(r.id)
	if g == nil {
		return nil, refuse(codeArgument) // a role that the user does not have: code not documented (?)
	}
	g.scope = depts
	s.putUser(u)
	return nil, nil
}
