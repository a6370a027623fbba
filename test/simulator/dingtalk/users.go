package dingtalk

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall.dev/rollcall/test/simulator/core"
)

const maxPage = 100

// deptOrder, deptLeader, position and userRole are parts of a user on the wire.
type deptOrder struct {
	DeptID int64 `json:"dept_id"`
	Order  int64 `json:"order"`
}

type deptLeader struct {
	DeptID int64 `json:"dept_id"`
	Leader bool  `json:"leader"`
}

type position struct {
	DeptID    int64  `json:"dept_id"`
	Title     string `json:"title,omitempty"`
	WorkPlace string `json:"work_place,omitempty"`
	IsMain    bool   `json:"is_main"`
}

type userRole struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	GroupName string `json:"group_name"`
}

// userBase are the fields that user/get and user/list share. What is empty, or
// what the app may not see, is missing. The avatar is there even when empty, as
// real replies show.
type userBase struct {
	UserID           string  `json:"userid"`
	UnionID          string  `json:"unionid"`
	Name             string  `json:"name"`
	Avatar           string  `json:"avatar"`
	StateCode        string  `json:"state_code,omitempty"`
	Mobile           string  `json:"mobile,omitempty"`
	HideMobile       bool    `json:"hide_mobile"`
	Telephone        string  `json:"telephone,omitempty"`
	JobNumber        string  `json:"job_number,omitempty"`
	Title            string  `json:"title,omitempty"`
	Email            string  `json:"email,omitempty"`
	OrgEmail         string  `json:"org_email,omitempty"`
	WorkPlace        string  `json:"work_place,omitempty"`
	Remark           string  `json:"remark,omitempty"`
	DeptIDList       []int64 `json:"dept_id_list"`
	Extension        string  `json:"extension,omitempty"`
	HiredDate        int64   `json:"hired_date,omitempty"`
	Active           bool    `json:"active"`
	Admin            bool    `json:"admin"`
	Boss             bool    `json:"boss"`
	ExclusiveAccount bool    `json:"exclusive_account"`

	// Only of enterprise accounts:
	// https://open.dingtalk.com/document/development/queries-the-details-of-a-dedicated-account
	ExclusiveAccountType     string `json:"exclusive_account_type,omitempty"`
	ExclusiveAccountCorpID   string `json:"exclusive_account_corp_id,omitempty"`
	ExclusiveAccountCorpName string `json:"exclusive_account_corp_name,omitempty"`
	LoginID                  string `json:"login_id,omitempty"`
	Nickname                 string `json:"nickname,omitempty"`
	DisableStatus            *bool  `json:"disable_status,omitempty"`
}

// userDetail is the result of user/get.
// https://open.dingtalk.com/document/development/query-user-details
type userDetail struct {
	userBase
	ManagerUserID    string         `json:"manager_userid,omitempty"`
	OrgEmailType     string         `json:"org_email_type,omitempty"`
	LoginEmail       string         `json:"login_email,omitempty"`
	RealAuthed       bool           `json:"real_authed"`
	Senior           bool           `json:"senior"`
	DeptOrderList    []deptOrder    `json:"dept_order_list"`
	DeptPositionList []position     `json:"dept_position_list,omitempty"`
	LeaderInDept     []deptLeader   `json:"leader_in_dept"`
	RoleList         []userRole     `json:"role_list,omitempty"`
	ExtensionI18n    map[string]any `json:"extension_i18n,omitempty"`
	UnionEmpExt      struct{}       `json:"union_emp_ext"`
}

// userItem is an entry of user/list: leader and dept_order are those of the
// department that was asked for.
// https://open.dingtalk.com/document/development/queries-the-complete-information-of-a-department-user
type userItem struct {
	userBase
	DeptOrder int64 `json:"dept_order"`
	Leader    bool  `json:"leader"`
}

func (s *session) base(u *user) userBase {
	b := s.fullBase(u)
	if !s.grants(permFieldMobile) {
		b.Mobile, b.StateCode = "", ""
	}
	if !s.grants(permFieldEmail) {
		b.Email, b.OrgEmail, b.WorkPlace, b.Remark, b.Extension = "", "", "", "", ""
	}
	return b
}

// fullBase is what an administrator sees.
func (t *tenant) fullBase(u *user) userBase {
	b := userBase{
		UserID: u.id, UnionID: u.union, Name: u.name, Avatar: u.avatar, StateCode: u.mobile.country,
		Mobile: u.mobile.number, HideMobile: u.hideMobile, Telephone: u.telephone, JobNumber: u.jobNumber,
		Title: u.title, Email: u.email, OrgEmail: u.orgEmail, WorkPlace: u.workPlace, Remark: u.remark,
		HiredDate: u.hiredDate, Active: u.active, Admin: u.sysLevel > 0, Boss: u.boss, ExclusiveAccount: u.exclusive,
		DeptIDList: make([]int64, 0, len(u.depts)),
	}
	for _, m := range u.depts {
		b.DeptIDList = append(b.DeptIDList, m.dept)
	}
	if len(u.extension) > 0 {
		text, _ := json.Marshal(u.extension) // texts by text can always be encoded
		b.Extension = string(text)
	}
	if u.exclusive {
		b.ExclusiveAccountType, b.LoginID, b.Nickname = u.exclusiveType, u.login, u.nickname
		b.ExclusiveAccountCorpID, b.ExclusiveAccountCorpName = t.spec.CorpID, t.spec.Title
		disabled := u.disabled
		b.DisableStatus = &disabled
	}
	return b
}

// detail completes the result of user/get.
func (t *tenant) detail(u *user, b userBase, at core.View) userDetail {
	d := userDetail{
		userBase: b, OrgEmailType: u.orgEmailType, LoginEmail: u.loginEmail, RealAuthed: u.active, Senior: u.senior,
		ExtensionI18n: u.extensionI18n, DeptOrderList: []deptOrder{}, LeaderInDept: []deptLeader{},
	}
	// A manager who left is a manager no more.
	if _, ok := t.users.Get(u.manager, at); ok {
		d.ManagerUserID = u.manager
	}
	for _, m := range u.depts {
		d.DeptOrderList = append(d.DeptOrderList, deptOrder{m.dept, m.order})
		d.LeaderInDept = append(d.LeaderInDept, deptLeader{m.dept, t.leads(u, m.dept, at)})
		if m.position {
			d.DeptPositionList = append(d.DeptPositionList, position{m.dept, m.title, m.workPlace, m.main})
		}
	}
	for _, r := range t.rolesOf(u, at) {
		g, _ := t.groups.Get(key(r.group), at)
		if g != nil {
			d.RoleList = append(d.RoleList, userRole{r.id, r.name, g.name})
		}
	}
	return d
}

// createUser serves /topapi/v2/user/create.
// https://open.dingtalk.com/document/development/user-information-creation
func (s *session) createUser() (map[string]any, error) {
	u, c, err := s.readNewUser()
	if err != nil {
		return nil, err
	}
	for _, dept := range c.depts {
		if _, ok := s.depts.Get(key(dept), core.Live); ok && !s.seesDept(dept) {
			return nil, refuse(codeDeptOutOfScope)
		}
	}
	if _, taken := s.users.Get(u.id, core.Live); taken {
		return nil, refuse(codeUserIDExists)
	}
	if limit := s.spec.Options.MemberLimit; limit > 0 && s.users.Len() >= limit {
		return nil, refuse(codeMembersLimit)
	}
	if err := s.apply(u, c, s.now); err != nil {
		return nil, err
	}
	if s.protects(u) {
		s.invite(u)
		return nil, refuse(codeInvited)
	}
	s.join(u)
	return map[string]any{"result": map[string]any{"userid": u.id, "unionId": u.union}}, nil
}

// readNewUser reads what a create must have; the user comes back without what
// the change says.
func (s *session) readNewUser() (*user, *userChange, error) {
	c, err := readUserChange(s.args)
	if err != nil {
		return nil, nil, err
	}
	id, err := s.args.text("userid")
	if err != nil || utf8.RuneCountInString(id) > maxUserID || id != strings.TrimSpace(id) {
		return nil, nil, refuse(codeUserIDInvalid)
	}
	if c.name == nil || *c.name == "" || len(c.depts) == 0 {
		return nil, nil, refuse(codeParam)
	}
	u := &user{id: id, active: true}
	exclusive, err := s.args.flag("exclusive_account")
	if err != nil {
		return nil, nil, refuse(codeParam)
	}
	if exclusive {
		return u, c, s.readNewAccount(u, c)
	}
	text, err := s.args.text("mobile")
	if err != nil || strings.TrimSpace(text) == "" {
		return nil, nil, refuse(codeParam)
	}
	var ok bool
	if u.mobile, ok = parsePhone(text); !ok {
		return nil, nil, refuse(codeMobileInvalid)
	}
	return u, c, nil
}

// protects reports whether a person must agree to be added.
func (t *tenant) protects(u *user) bool {
	o := t.spec.Options
	return u.id != "" && slices.Contains(o.ProtectedUserIDs, u.id) ||
		slices.ContainsFunc(o.ProtectedMobiles, func(m string) bool {
			p, ok := parsePhone(m)
			return ok && p == u.mobile
		})
}

// invite records an invitation, in the place of an earlier one to the same person.
func (t *tenant) invite(u *user) {
	if earlier, ok := t.invitees[u.mobile]; ok {
		t.uninvite(earlier)
	}
	if u.id == "" {
		u.id = t.nextUser()
	}
	t.uninvite(u.id)
	t.invited[u.id] = &invitation{user: u, sent: u.modified}
	if u.mobile.number != "" {
		t.invitees[u.mobile] = u.id
	}
}

// uninvite forgets an invitation.
func (t *tenant) uninvite(id string) {
	if inv, ok := t.invited[id]; ok {
		delete(t.invited, id)
		delete(t.invitees, inv.user.mobile)
	}
}

// join makes a user a member.
func (t *tenant) join(u *user) {
	if u.id == "" {
		u.id = t.nextUser()
	}
	person := u.mobile.country + u.mobile.number
	if person == "" {
		person = u.id
	}
	u.union = unionID(t.spec.CorpID, person)
	if id, taken := t.byUnion[u.union]; taken && id != u.id {
		u.union = unionID(t.spec.CorpID, u.id)
	}
	t.putUser(u)
}

// updateUser serves /topapi/v2/user/update. A mobile number in it is ignored:
// the documents have no such parameter and say that it cannot be changed (?).
// https://open.dingtalk.com/document/development/user-information-update
func (s *session) updateUser() (map[string]any, error) {
	id, err := s.args.text("userid")
	if err != nil || id == "" {
		return nil, refuse(codeArgument)
	}
	old, ok := s.users.Get(id, core.Live)
	if !ok {
		return nil, refuse(codeNoUser)
	}
	if !s.seesUser(old) {
		return nil, refuse(codeUserOutOfScope)
	}
	c, err := readUserChange(s.args)
	if err != nil {
		return nil, err
	}
	for _, dept := range c.depts {
		if _, ok := s.depts.Get(key(dept), core.Live); ok && old.in(dept) == nil && !s.seesDept(dept) {
			return nil, refuse(codeDeptOutOfScope)
		}
	}
	u := old.clone()
	if err := s.apply(u, c, s.now); err != nil {
		return nil, err
	}
	s.replace(old, u)
	return nil, nil
}

// replace puts a changed user and takes what it was in departments that it left.
func (t *tenant) replace(old, u *user) {
	t.putUser(u)
	var left []int64
	for _, m := range old.depts {
		if u.in(m.dept) == nil {
			left = append(left, m.dept)
		}
	}
	t.release(u.id, left)
}

// deleteUser serves /topapi/v2/user/delete.
// https://open.dingtalk.com/document/development/delete-a-user
func (s *session) deleteUser() (map[string]any, error) {
	id, err := s.args.text("userid")
	if err != nil || id == "" {
		return nil, refuse(codeArgument)
	}
	u, ok := s.users.Get(id, core.Live)
	if !ok {
		return nil, refuse(codeBadUser)
	}
	if !s.seesUser(u) {
		return nil, refuse(codeUserOutOfScope)
	}
	s.leave(u, leaver{reason: "oapi", by: s.call.Operation, credential: s.app.Name, at: s.now})
	return nil, nil
}

// leave takes a user out of everything and keeps the record, which says how and when.
func (t *tenant) leave(u *user, l leaver) {
	t.dropUser(u)
	depts := make([]int64, 0, len(u.depts))
	for _, m := range u.depts {
		depts = append(depts, m.dept)
	}
	t.release(u.id, depts)
	l.id, l.name, l.mobile, l.depts = u.id, u.name, u.mobile, t.leftDepts(u)
	t.leavers = append(t.leavers, l)
}

// getUser serves /topapi/v2/user/get. The page of ordinary accounts lists 33012
// for an unknown user; real replies say 60121.
// https://open.dingtalk.com/document/development/query-user-details
func (s *session) getUser() (map[string]any, error) {
	id, err := s.args.text("userid")
	if err != nil {
		return nil, refuse(codeArgument)
	}
	login, err := s.args.text("login_id")
	if err != nil || id == "" && login == "" {
		return nil, refuse(codeArgument)
	}
	if login != "" {
		id = s.byLogin[login]
	}
	u, ok := s.users.Get(id, s.at)
	if !ok {
		return nil, refuse(codeNoUser)
	}
	if !s.seesUser(u) {
		return nil, refuse(codeUserOutOfScope)
	}
	return map[string]any{"result": s.detail(u, s.base(u), s.at)}, nil
}

// page reads the parameters of a listing of a department's members and gives
// the rows of the page. Codes for what is wrong with cursor and size differ
// between the two listings.
func (s *session) page(badDept, badCursor, badSize int) (dept int64, rows []*user, reply map[string]any, err error) {
	dept, given, err := s.args.integer("dept_id")
	if err != nil || !given {
		return 0, nil, nil, refuse(badDept)
	}
	cursor, given, err := s.args.integer("cursor")
	if err != nil || !given || cursor < 0 {
		return 0, nil, nil, refuse(badCursor)
	}
	size, given, err := s.args.integer("size")
	if err != nil || !given || size < 1 || size > maxPage {
		return 0, nil, nil, refuse(badSize)
	}
	if _, ok := s.depts.Get(key(dept), s.at); !ok {
		return 0, nil, nil, refuse(codeNoDept)
	}
	if !s.seesDept(dept) {
		return 0, nil, nil, refuse(codeDeptOutOfScope)
	}
	all, err := s.ordered(dept)
	if err != nil {
		return 0, nil, nil, err
	}
	from := min(cursor, int64(len(all)))
	to := min(from+size, int64(len(all)))
	rows = all[from:to]
	keep, cut := s.call.Rows(len(rows))
	reply = map[string]any{"has_more": to < int64(len(all)) && !cut}
	if reply["has_more"] == true {
		reply["next_cursor"] = to
	}
	return dept, rows[:keep], reply, nil
}

// ordered lists the members of a department as order_field says.
func (s *session) ordered(dept int64) ([]*user, error) {
	field, err := s.args.text("order_field")
	if err != nil {
		return nil, refuse(codeParam)
	}
	list := s.membersAt(dept, s.at)
	if field == "" || field == "custom" {
		return list, nil
	}
	when := func(u *user) time.Time { return u.in(dept).joined }
	kind, direction, _ := strings.Cut(field, "_")
	if kind == "modify" {
		when = func(u *user) time.Time { return u.modified }
	}
	if kind != "modify" && kind != "entry" || direction != "asc" && direction != "desc" {
		return nil, refuse(codeParam)
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *user) int {
		c := when(a).Compare(when(b))
		if direction == "desc" {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.id, b.id))
	})
	return list, nil
}

// listUsers serves /topapi/v2/user/list.
// https://open.dingtalk.com/document/development/queries-the-complete-information-of-a-department-user
func (s *session) listUsers() (map[string]any, error) {
	dept, rows, reply, err := s.page(codeParam, codeParam, codeParam)
	if err != nil {
		return nil, err
	}
	list := make([]userItem, 0, len(rows))
	for _, u := range rows {
		list = append(list, userItem{s.base(u), u.in(dept).order, s.leads(u, dept, s.at)})
	}
	reply["list"] = list
	return map[string]any{"result": reply}, nil
}

// listSimple serves /topapi/user/listsimple.
// https://open.dingtalk.com/document/development/queries-the-simple-information-of-a-department-user
func (s *session) listSimple() (map[string]any, error) {
	_, rows, reply, err := s.page(codeArgument, codeOffset, codeSize)
	if err != nil {
		return nil, err
	}
	list := make([]map[string]string, 0, len(rows))
	for _, u := range rows {
		list = append(list, map[string]string{"userid": u.id, "name": u.name})
	}
	reply["list"] = list
	return map[string]any{"result": reply}, nil
}

// listUserIDs serves /topapi/user/listid: no pages, and no limit by scope.
// https://open.dingtalk.com/document/development/query-the-list-of-department-userids
func (s *session) listUserIDs() (map[string]any, error) {
	dept, given, err := s.args.integer("dept_id")
	if err != nil || !given {
		return nil, refuse(codeArgument)
	}
	if _, ok := s.depts.Get(key(dept), s.at); !ok {
		return nil, refuse(codeNoDept)
	}
	rows := s.membersAt(dept, s.at)
	keep, _ := s.call.Rows(len(rows))
	list := make([]string, 0, keep)
	for _, u := range rows[:keep] {
		list = append(list, u.id)
	}
	return map[string]any{"result": map[string]any{"userid_list": list}}, nil
}

// userByMobile serves /topapi/v2/user/getbymobile.
// https://open.dingtalk.com/document/development/query-users-by-phone-number
func (s *session) userByMobile() (map[string]any, error) {
	text, err := s.args.text("mobile")
	if err != nil || text == "" {
		return nil, refuse(codeArgument)
	}
	mobile, ok := parsePhone(text)
	if !ok {
		return nil, refuse(codeMobileInvalid)
	}
	u := s.findUser(func(u *user) bool { return u.mobile == mobile }, s.byMobile[mobile])
	if u == nil {
		return nil, refuse(codeNoUser)
	}
	if !s.seesUser(u) {
		return nil, refuse(codeUserOutOfScope)
	}
	withAccounts, err := s.args.flag("support_exclusive_account_search")
	if err != nil {
		return nil, refuse(codeArgument)
	}
	result := map[string]any{"userid": u.id}
	if u.exclusive {
		// Found by this number only if it is asked for.
		if !withAccounts {
			return nil, refuse(codeNoUser)
		}
		result = map[string]any{"exclusive_account_userid_list": []string{u.id}}
	}
	return map[string]any{"result": result}, nil
}

// findUser gives the user that an index names now, or, for a call that reads
// the past, the one that matched then.
func (s *session) findUser(match func(*user) bool, live string) *user {
	if s.at == core.Live {
		u, _ := s.users.Get(live, s.at)
		return u
	}
	for _, u := range s.users.All(s.at) {
		if match(u) {
			return u
		}
	}
	return nil
}

// userByUnionID serves /topapi/user/getbyunionid.
// https://open.dingtalk.com/document/development/query-a-user-by-the-union-id
func (s *session) userByUnionID() (map[string]any, error) {
	union, err := s.args.text("unionid")
	if err != nil || union == "" {
		return nil, refuse(codeArgument)
	}
	u := s.findUser(func(u *user) bool { return u.union == union }, s.byUnion[union])
	if u == nil {
		return nil, refuse(codeNoUser)
	}
	return map[string]any{"result": map[string]any{"userid": u.id, "contact_type": 0}}, nil
}

// countUsers serves /topapi/user/count.
// https://open.dingtalk.com/document/development/user-management-acquires-number-employees
func (s *session) countUsers() (map[string]any, error) {
	if !s.args.has("only_active") {
		return nil, refuse(codeArgument)
	}
	only, err := s.args.flag("only_active")
	if err != nil {
		return nil, refuse(codeParam)
	}
	n := 0
	for _, u := range s.users.All(s.at) {
		if u.active || !only {
			n++
		}
	}
	return map[string]any{"result": map[string]any{"count": n}}, nil
}

// listAdmins serves /topapi/user/listadmin.
// https://open.dingtalk.com/document/development/query-the-administrator-list
func (s *session) listAdmins() (map[string]any, error) {
	list := []map[string]any{}
	for _, u := range s.users.All(s.at) {
		if u.sysLevel > 0 {
			list = append(list, map[string]any{"userid": u.id, "sys_level": u.sysLevel})
		}
	}
	keep, _ := s.call.Rows(len(list))
	return map[string]any{"result": list[:keep]}, nil
}

// adminScope serves /topapi/user/get_admin_scope; its data is at top level.
// https://open.dingtalk.com/document/development/query-permissions-of-the-administrator-address-book
func (s *session) adminScope() (map[string]any, error) {
	id, err := s.args.text("userid")
	if err != nil || id == "" {
		return nil, refuse(codeParamEmpty)
	}
	u, ok := s.users.Get(id, s.at)
	if !ok {
		return nil, refuse(codeNoUser)
	}
	depts := u.adminDepts
	if depts == nil {
		depts = []int64{}
	}
	return map[string]any{"dept_ids": depts}, nil
}

// searchUsers serves /v1.0/contact/users/search: by name only. That offset
// counts people and not pages is a guess (?): the page calls it a page number,
// its sample starts at 0.
// https://open.dingtalk.com/document/development/address-book-search-user-id
func (s *session) searchUsers() (map[string]any, error) {
	word, err1 := s.args.text("queryWord")
	offset, ok2, err2 := s.args.integer("offset")
	size, ok3, err3 := s.args.integer("size")
	full, _, err4 := s.args.integer("fullMatchField")
	for _, bad := range []bool{
		err1 != nil, err2 != nil, err3 != nil, err4 != nil, word == "", !ok2, !ok3, offset < 0, size < 1, size > maxPage,
	} {
		if bad {
			return nil, errSearchParam
		}
	}
	found := []string{}
	for _, u := range s.users.All(s.at) {
		if (full == 1 && u.name == word || full != 1 && strings.Contains(u.name, word)) && s.seesUser(u) {
			found = append(found, u.id)
		}
	}
	total := int64(len(found))
	from := min(offset, total)
	to := min(from+size, total)
	rows := found[from:to]
	keep, cut := s.call.Rows(len(rows))
	return map[string]any{"hasMore": to < total && !cut, "totalCount": total, "list": rows[:keep]}, nil
}
