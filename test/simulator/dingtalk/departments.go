package dingtalk

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"rollcall.dev/rollcall/test/simulator/core"
)

// Limits of the pages of department/create and department/update.
const (
	maxDeptName = 64
	maxCode     = 30
	maxPermits  = 50
)

// deptDetail is the result of department/get. Arrays are there even when empty,
// and brief is there though no document has it, as real replies show.
// https://open.dingtalk.com/document/development/query-department-details0-v2
type deptDetail struct {
	DeptID                int64    `json:"dept_id"`
	Name                  string   `json:"name"`
	ParentID              int64    `json:"parent_id,omitempty"`
	SourceIdentifier      string   `json:"source_identifier,omitempty"`
	Brief                 string   `json:"brief"`
	Code                  string   `json:"code,omitempty"`
	Order                 int64    `json:"order"`
	MemberCount           int      `json:"member_count"`
	OwningMemberCount     int      `json:"owning_member_count"`
	DeptManagerUserIDList []string `json:"dept_manager_userid_list"`
	DeptGroupChatID       string   `json:"dept_group_chat_id,omitempty"`
	OrgDeptOwner          string   `json:"org_dept_owner,omitempty"`
	CreateDeptGroup       bool     `json:"create_dept_group"`
	AutoAddUser           bool     `json:"auto_add_user"`
	AutoApproveApply      bool     `json:"auto_approve_apply"`
	GroupContainSubDept   bool     `json:"group_contain_sub_dept"`
	FromUnionOrg          bool     `json:"from_union_org"`
	HideDept              bool     `json:"hide_dept"`
	DeptPermits           []int64  `json:"dept_permits"`
	UserPermits           []string `json:"user_permits"`
	OuterDept             bool     `json:"outer_dept"`
	OuterPermitDepts      []int64  `json:"outer_permit_depts"`
	OuterPermitUsers      []string `json:"outer_permit_users"`
}

func (t *tenant) deptDetail(d *department, at core.View) deptDetail {
	all, direct := t.countAt(d.id, at)
	texts := func(list []string) []string { return append([]string{}, list...) }
	ids := func(list []int64) []int64 { return append([]int64{}, list...) }
	return deptDetail{
		DeptID: d.id, Name: d.name, ParentID: d.parent, SourceIdentifier: d.source, Code: d.code, Order: d.order,
		MemberCount: all, OwningMemberCount: direct, DeptManagerUserIDList: texts(d.managers),
		DeptGroupChatID: d.chat, OrgDeptOwner: d.owner, CreateDeptGroup: d.group, AutoAddUser: d.autoAdd,
		AutoApproveApply: d.autoApprove, GroupContainSubDept: d.groupContainSub,
		HideDept: d.hide, DeptPermits: ids(d.permitDepts), UserPermits: texts(d.permitUsers),
		OuterDept: d.outer, OuterPermitDepts: ids(d.outerDepts), OuterPermitUsers: texts(d.outerUsers),
	}
}

// deptID reads the department that a call is about.
func (s *session) deptID(bad int) (int64, error) {
	id, given, err := s.args.integer("dept_id")
	if err != nil || !given || id < 1 {
		return 0, refuse(bad)
	}
	return id, nil
}

// visibleDept reads the department that a call is about and finds it within
// the scope of the app.
func (s *session) visibleDept(bad int) (*department, error) {
	id, err := s.deptID(bad)
	if err != nil {
		return nil, err
	}
	d, ok := s.depts.Get(key(id), s.at)
	if !ok {
		return nil, refuse(codeNoDept)
	}
	if !s.seesDept(id) {
		return nil, refuse(codeDeptOutOfScope)
	}
	return d, nil
}

// checkDeptName refuses names that are too long, and the three characters that
// the documents forbid.
func checkDeptName(name string) error {
	switch {
	case name == "" || utf8.RuneCountInString(name) > maxDeptName:
		return refuse(codeDeptNameInvalid)
	case strings.ContainsAny(name, "-,，"):
		return refuse(codeDeptNameChars)
	default:
		return nil
	}
}

// createDept serves /topapi/v2/department/create. The id is always made here.
// https://open.dingtalk.com/document/development/address-book-creation-department-established-department
func (s *session) createDept() (map[string]any, error) {
	a := s.args
	name, err := a.text("name")
	if err != nil || strings.TrimSpace(name) == "" {
		return nil, refuse(codeParam)
	}
	parent, given, err := a.integer("parent_id")
	if err != nil || !given {
		return nil, refuse(codeParam)
	}
	d := &department{name: strings.TrimSpace(name), parent: parent}
	if err := checkDeptName(d.name); err != nil {
		return nil, err
	}
	if _, ok := s.depts.Get(key(parent), core.Live); !ok {
		return nil, refuse(codeNoParent)
	}
	if !s.seesDept(parent) {
		return nil, refuse(codeDeptOutOfScope)
	}
	if err := s.readDept(d, a, codePermitsCreate, false); err != nil {
		return nil, err
	}
	if _, taken := s.siblings[sibling{d.parent, d.name}]; taken {
		return nil, refuse(codeDeptNameExists)
	}
	d.id = s.nextDept()
	s.settleDept(d)
	s.putDept(d)
	return map[string]any{"result": map[string]any{"dept_id": d.id}}, nil
}

// settleDept gives a new department what the platform chooses. That an order
// nobody gave is the id is a guess (?): real replies show numbers of that size.
func (t *tenant) settleDept(d *department) {
	if d.order == 0 {
		d.order = d.id
	}
	t.settleGroup(d)
}

// settleGroup makes the chat of a department that asks for one.
func (t *tenant) settleGroup(d *department) {
	if d.group && d.chat == "" {
		d.chat = "chat" + strconv.FormatInt(d.id*48_271, 16)
		d.autoAdd = true
	}
}

// readDept reads what create and update share into d.
func (t *tenant) readDept(d *department, a args, badPermits int, update bool) error {
	order, given, err := a.integer("order")
	if err != nil || given && order <= 0 {
		return refuse(codeOrderInvalid)
	}
	if given {
		d.order = order
	}
	flags := map[string]*bool{
		"hide_dept": &d.hide, "outer_dept": &d.outer, "outer_dept_only_self": &d.outerOnlySelf,
		"create_dept_group": &d.group, "auto_approve_apply": &d.autoApprove,
	}
	if update {
		flags["auto_add_user"] = &d.autoAdd
		flags["group_contain_sub_dept"] = &d.groupContainSub
		flags["group_contain_outer_dept"] = &d.groupContainOuter
		flags["group_contain_hidden_dept"] = &d.groupContainHidden
	}
	for name, into := range flags {
		if !a.has(name) {
			continue
		}
		if *into, err = a.flag(name); err != nil {
			return refuse(codeParam)
		}
	}
	if a.has("source_identifier") {
		if d.source, err = a.text("source_identifier"); err != nil {
			return refuse(codeParam)
		}
	}
	return t.readPermits(d, a, badPermits)
}

// readPermits reads who may see a hidden department, and whom its members may
// see. They count only together with hide_dept and outer_dept.
func (t *tenant) readPermits(d *department, a args, bad int) error {
	for _, pair := range []struct {
		on           bool
		depts, users string
		intoDepts    *[]int64
		intoUsers    *[]string
	}{
		{d.hide, "dept_permits", "user_permits", &d.permitDepts, &d.permitUsers},
		{d.outer, "outer_permit_depts", "outer_permit_users", &d.outerDepts, &d.outerUsers},
	} {
		depts, err1 := a.ids(pair.depts)
		users, err2 := a.list(pair.users)
		if err1 != nil || err2 != nil || len(depts)+len(users) > maxPermits {
			return refuse(bad)
		}
		for _, id := range depts {
			if _, ok := t.depts.Get(key(id), core.Live); !ok {
				return refuse(bad)
			}
		}
		for _, id := range users {
			if _, ok := t.users.Get(id, core.Live); !ok {
				return refuse(bad)
			}
		}
		if !pair.on {
			*pair.intoDepts, *pair.intoUsers = nil, nil
			continue
		}
		if a.has(pair.depts) {
			*pair.intoDepts = depts
		}
		if a.has(pair.users) {
			*pair.intoUsers = users
		}
	}
	return nil
}

// updateDept serves /topapi/v2/department/update.
// https://open.dingtalk.com/document/development/address-book-update-department
func (s *session) updateDept() (map[string]any, error) {
	old, err := s.visibleDept(codeDeptIDInvalid)
	if err != nil {
		return nil, err
	}
	if old.id == rootDept {
		return nil, refuse(codeUpdateRoot)
	}
	d := *old
	for _, step := range []func(*department) error{s.renameDept, s.moveDept, s.setManagers, s.setCode} {
		if err := step(&d); err != nil {
			return nil, err
		}
	}
	if err := s.readDept(&d, s.args, codePermitsUpdate, true); err != nil {
		return nil, err
	}
	if id, taken := s.siblings[sibling{d.parent, d.name}]; taken && id != d.id {
		return nil, refuse(codeDeptNameExists)
	}
	s.settleGroup(&d)
	s.putDept(&d)
	return nil, nil
}

func (s *session) renameDept(d *department) error {
	if !s.args.has("name") {
		return nil
	}
	name, err := s.args.text("name")
	if err != nil {
		return refuse(codeDeptNameInvalid)
	}
	d.name = strings.TrimSpace(name)
	return checkDeptName(d.name)
}

func (s *session) moveDept(d *department) error {
	parent, given, err := s.args.integer("parent_id")
	if err != nil {
		return refuse(codeParam)
	}
	if !given || parent == d.parent {
		return nil
	}
	if _, ok := s.depts.Get(key(parent), core.Live); !ok {
		return refuse(codeNoParent)
	}
	if slices.Contains(s.pathAt(parent, core.Live), d.id) {
		return refuse(codeDeptLoop)
	}
	if !s.seesDept(parent) {
		return refuse(codeDeptOutOfScope)
	}
	d.parent = parent
	return nil
}

// setManagers sets managers and the owner of the chat, who must be direct
// members of the department.
func (s *session) setManagers(d *department) error {
	managers, err := s.args.list("dept_manager_userid_list")
	if err != nil {
		return refuse(codeUserListInvalid)
	}
	forced, err := s.args.list("force_update_fields")
	if err != nil {
		return refuse(codeParam)
	}
	for _, id := range managers {
		if s.members[d.id][id] == nil {
			// The page says that the text is this one; the code is the one of its
			// table that speaks of user lists (?).
			return refuseAs(codeUserListInvalid, "不存在的userId")
		}
	}
	if len(managers) > 0 || slices.Contains(forced, "dept_manager_userid_list") {
		d.managers = managers
	}
	owner, err := s.args.text("org_dept_owner")
	if err != nil || owner != "" && s.members[d.id][owner] == nil {
		return refuse(codeGroupOwner)
	}
	if owner != "" {
		d.owner = owner
	}
	return nil
}

func (s *session) setCode(d *department) error {
	if !s.args.has("code") {
		return nil
	}
	code, err := s.args.text("code")
	if err != nil || utf8.RuneCountInString(code) > maxCode {
		return refuse(codeParam)
	}
	d.code = code
	return nil
}

// deleteDept serves /topapi/v2/department/delete.
// https://open.dingtalk.com/document/development/address-book-deletion-department
func (s *session) deleteDept() (map[string]any, error) {
	d, err := s.visibleDept(codeArgument)
	if err != nil {
		return nil, err
	}
	switch {
	case d.id == rootDept:
		return nil, refuse(codeDeleteRoot)
	case len(s.members[d.id]) > 0:
		return nil, refuse(codeDeptHasUsers)
	case len(s.children[d.id]) > 0:
		return nil, refuse(codeDeptHasChildren)
	}
	s.dropDept(d)
	return nil, nil
}

// getDept serves /topapi/v2/department/get.
// https://open.dingtalk.com/document/development/query-department-details0-v2
func (s *session) getDept() (map[string]any, error) {
	d, err := s.visibleDept(codeArgument)
	if err != nil {
		return nil, err
	}
	return map[string]any{"result": s.deptDetail(d, s.at)}, nil
}

// deptItem is an entry of listsub: no order, no managers, no source_identifier.
type deptItem struct {
	AutoAddUser     bool   `json:"auto_add_user"`
	CreateDeptGroup bool   `json:"create_dept_group"`
	DeptID          int64  `json:"dept_id"`
	Name            string `json:"name"`
	ParentID        int64  `json:"parent_id"`
}

// listSub serves /topapi/v2/department/listsub: one level, the root's by default.
// https://open.dingtalk.com/document/development/user-management-acquires-the-list-departments
func (s *session) listSub() (map[string]any, error) {
	if id, err := s.args.text("dept_id"); err == nil && id == "" {
		s.args["dept_id"] = strconv.Itoa(rootDept)
	}
	d, err := s.visibleDept(codeArgument)
	if err != nil {
		return nil, err
	}
	rows := s.childrenAt(d.id, s.at)
	keep, _ := s.call.Rows(len(rows))
	list := make([]deptItem, 0, keep)
	for _, c := range rows[:keep] {
		list = append(list, deptItem{c.autoAdd, c.group, c.id, c.name, c.parent})
	}
	return map[string]any{"result": list}, nil
}

// listSubIDs serves /topapi/v2/department/listsubid, which no scope limits.
// https://open.dingtalk.com/document/development/obtain-the-list-of-sub-department-ids
func (s *session) listSubIDs() (map[string]any, error) {
	id, err := s.deptID(codeArgument)
	if err != nil {
		return nil, err
	}
	if _, ok := s.depts.Get(key(id), s.at); !ok {
		return nil, refuse(codeNoDept)
	}
	rows := s.childrenAt(id, s.at)
	keep, _ := s.call.Rows(len(rows))
	list := make([]int64, 0, keep)
	for _, c := range rows[:keep] {
		list = append(list, c.id)
	}
	return map[string]any{"result": map[string]any{"dept_id_list": list}}, nil
}

// parentsOfDept serves /topapi/v2/department/listparentbydept: the department
// first, the root last.
// https://open.dingtalk.com/document/development/query-the-list-of-all-parent-departments-of-a-department
func (s *session) parentsOfDept() (map[string]any, error) {
	id, err := s.deptID(codeArgument)
	if err != nil {
		return nil, err
	}
	if _, ok := s.depts.Get(key(id), s.at); !ok {
		return nil, refuse(codeNoDept)
	}
	return map[string]any{"result": map[string]any{"parent_id_list": s.pathAt(id, s.at)}}, nil
}

// parentsOfUser serves /topapi/v2/department/listparentbyuser.
// https://open.dingtalk.com/document/development/queries-the-list-of-all-parent-departments-of-a-user
func (s *session) parentsOfUser() (map[string]any, error) {
	id, err := s.args.text("userid")
	if err != nil || id == "" {
		return nil, refuse(codeArgument)
	}
	u, ok := s.users.Get(id, s.at)
	if !ok {
		return nil, refuse(codeBadUser)
	}
	list := make([]map[string]any, 0, len(u.depts))
	for _, m := range u.depts {
		list = append(list, map[string]any{"parent_dept_id_list": s.pathAt(m.dept, s.at)})
	}
	return map[string]any{"result": map[string]any{"parent_list": list}}, nil
}
