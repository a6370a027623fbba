package dingtalk

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// The collections that the control endpoint knows.
const (
	collUsers       = "users"
	collDepts       = "departments"
	collRoles       = "roles"
	collInvitations = "invitations"
	collLeavers     = "leavers"
	collMessages    = "messages"
	collReceived    = "received"
	collLeft        = "left"
	collTokens      = "tokens"
)

// Tenants implements [core.Admin].
func (p *platform) Tenants() []any {
	var list []any
	for _, t := range p.all() {
		t.mu.RLock()
		list = append(list, t.spec)
		t.mu.RUnlock()
	}
	return list
}

// TenantNames implements [core.Admin].
func (p *platform) TenantNames() []string {
	var names []string
	for _, t := range p.all() {
		names = append(names, t.spec.Name)
	}
	return names
}

// AddTenant implements [core.Admin].
func (p *platform) AddTenant(raw json.RawMessage) error {
	spec, err := core.Merge(tenantSpec{}, raw)
	if err != nil {
		return err
	}
	if err := spec.validate(); err != nil {
		return err
	}
	if spec.Title == "" {
		spec.Title = spec.Name
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, taken := p.tenants[spec.Name]; taken {
		return fmt.Errorf("tenant %q: %w", spec.Name, core.ErrExists)
	}
	for _, t := range p.tenants {
		if t.spec.CorpID == spec.CorpID {
			return fmt.Errorf("corpId %q: %w", spec.CorpID, core.ErrExists)
		}
	}
	for _, a := range spec.Apps {
		if p.apps[a.AppKey] != nil {
			return fmt.Errorf("appKey %q: %w", a.AppKey, core.ErrExists)
		}
	}
	p.add(spec)
	return nil
}

func (s tenantSpec) validate() error {
	if s.Name == "" || strings.ContainsAny(s.Name, "/ ") || s.CorpID == "" || len(s.Apps) == 0 {
		return errors.New("a DingTalk tenant needs corpId, apps, and a name without slash or space")
	}
	keys := map[string]bool{}
	for _, a := range s.Apps {
		if a == nil || a.Name == "" || a.AppKey == "" || a.AppSecret == "" || a.AgentID == 0 {
			return errors.New("an app needs name, appKey, appSecret and agentId")
		}
		if keys[a.AppKey] {
			return fmt.Errorf("two apps have the appKey %q", a.AppKey)
		}
		keys[a.AppKey] = true
	}
	return nil
}

// Configure implements [core.Admin].
func (p *platform) Configure(name string, raw json.RawMessage) error {
	t, ok := p.tenantByName(name)
	if !ok {
		return fmt.Errorf("tenant %q: %w", name, core.ErrNotFound)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	next, err := core.Merge(t.spec.Options, raw)
	if err != nil {
		return err
	}
	t.spec.Options = next
	return nil
}

// Reset implements [core.Admin].
func (p *platform) Reset() {
	p.tokens.clear()
	for _, t := range p.all() {
		t.mu.Lock()
		t.clear()
		t.mu.Unlock()
	}
}

// roleObject is a role as the control endpoint shows and edits it.
type roleObject struct {
	ID        int64        `json:"id"`
	Name      string       `json:"name"`
	GroupID   int64        `json:"groupId"`
	GroupName string       `json:"groupName"`
	Users     []holderItem `json:"users"`
}

type invitationObject struct {
	userDetail
	Sent string `json:"sent"`
}

// Objects implements [core.Admin].
func (p *platform) Objects(tenantName, collection string) ([]any, error) {
	t, ok := p.tenantByName(tenantName)
	if !ok {
		return nil, fmt.Errorf("tenant %q: %w", tenantName, core.ErrNotFound)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch collection {
	case collUsers:
		return listed(t.users.All(core.Live), func(u *user) any { return t.detail(u, t.fullBase(u), core.Live) }), nil
	case collDepts:
		return listed(t.depts.All(core.Live), func(d *department) any { return t.deptDetail(d, core.Live) }), nil
	case collRoles:
		return listed(t.roles.All(core.Live), func(r *role) any { return t.roleObject(r) }), nil
	case collInvitations:
		list := []any{}
		for _, id := range slices.Sorted(maps.Keys(t.invited)) {
			list = append(list, t.invitationObject(t.invited[id]))
		}
		return list, nil
	case collLeavers:
		return listed(slices.All(t.leavers), func(l leaver) any { return l.item() }), nil
	case collMessages:
		return listed(slices.All(t.messages.tasks), func(m *task) any { return m }), nil
	case collReceived:
		return t.messages.inbox.List(), nil
	case collLeft:
		return listed(slices.All(t.leavers), func(l leaver) any { return l.left() }), nil
	case collTokens:
		return p.tokens.states(t), nil
	}
	if past, ok := t.pastObjects(collection); ok {
		return past, nil
	}
	return nil, fmt.Errorf("collection %q: %w", collection, core.ErrUnsupported)
}

// listed shows all of a collection.
func listed[K, V any](all iter.Seq2[K, V], show func(V) any) []any {
	list := []any{}
	for _, v := range all {
		list = append(list, show(v))
	}
	return list
}

func (t *tenant) roleObject(r *role) roleObject {
	g, _ := t.groups.Get(key(r.group), core.Live)
	o := roleObject{ID: r.id, Name: r.name, GroupID: r.group, Users: t.holdersAt(r, core.Live)}
	if g != nil {
		o.GroupName = g.name
	}
	return o
}

func (t *tenant) invitationObject(inv *invitation) invitationObject {
	return invitationObject{t.detail(inv.user, t.fullBase(inv.user), core.Live), inv.sent.UTC().Format(time.RFC3339)}
}

// Object implements [core.Admin].
func (p *platform) Object(tenantName, collection, id string) (any, error) {
	t, ok := p.tenantByName(tenantName)
	if !ok {
		return nil, fmt.Errorf("tenant %q: %w", tenantName, core.ErrNotFound)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch collection {
	case collUsers:
		if u, ok := t.users.Get(id, core.Live); ok {
			return t.detail(u, t.fullBase(u), core.Live), nil
		}
	case collDepts:
		if d, ok := t.depts.Get(id, core.Live); ok {
			return t.deptDetail(d, core.Live), nil
		}
	case collRoles:
		if r, ok := t.roles.Get(id, core.Live); ok {
			return t.roleObject(r), nil
		}
	case collInvitations:
		if inv, ok := t.invited[id]; ok {
			return t.invitationObject(inv), nil
		}
	default:
		return t.record(collection, id)
	}
	return nil, notFound(collection, id)
}

// record gives an object of the collections that nobody edits.
func (t *tenant) record(collection, id string) (any, error) {
	switch collection {
	case collMessages:
		for _, m := range t.messages.tasks {
			if key(m.ID) == id {
				return m, nil
			}
		}
	case collLeavers, collLeft:
		for _, l := range slices.Backward(t.leavers) {
			switch {
			case l.id != id:
			case collection == collLeft:
				return l.left(), nil
			default:
				return l.item(), nil
			}
		}
	default:
		if o, ok := t.pastObject(collection, id); ok {
			return o, nil
		}
		if !isPast(collection) {
			return nil, fmt.Errorf("collection %q: %w", collection, core.ErrUnsupported)
		}
	}
	return nil, notFound(collection, id)
}

func notFound(collection, id string) error {
	return fmt.Errorf("%s %q: %w", collection, id, core.ErrNotFound)
}

// change locks a tenant and does one edit by hand.
func (p *platform) change(name string, do func(*tenant) error) error {
	t, ok := p.tenantByName(name)
	if !ok {
		return fmt.Errorf("tenant %q: %w", name, core.ErrNotFound)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return do(t)
}

// Create implements [core.Admin]. An administrator in the console needs nobody's
// consent and is not bound to a scope; what must be unique must be so here too.
func (p *platform) Create(tenantName, collection, id string, fields json.RawMessage) error {
	return p.change(tenantName, func(t *tenant) error {
		switch collection {
		case collUsers:
			return t.createByHand(id, fields)
		case collDepts:
			return t.createDeptByHand(id, fields)
		case collRoles:
			return t.createRoleByHand(id, fields)
		default:
			if isPast(collection) {
				return t.createPast(collection, id, fields)
			}
			return fmt.Errorf("creating %s: %w", collection, core.ErrUnsupported)
		}
	})
}

// Merge implements [core.Admin].
func (p *platform) Merge(tenantName, collection, id string, fields json.RawMessage) error {
	return p.change(tenantName, func(t *tenant) error {
		switch collection {
		case collUsers:
			old, ok := t.users.Get(id, core.Live)
			if !ok {
				return notFound(collection, id)
			}
			return t.editUser(old, fields)
		case collDepts:
			old, ok := t.depts.Get(id, core.Live)
			if !ok {
				return notFound(collection, id)
			}
			return t.editDept(old, fields)
		case collRoles:
			old, ok := t.roles.Get(id, core.Live)
			if !ok {
				return notFound(collection, id)
			}
			return t.editRole(old, fields)
		default:
			if isPast(collection) {
				return t.editPast(collection, id, fields)
			}
			return fmt.Errorf("editing %s: %w", collection, core.ErrUnsupported)
		}
	})
}

// Remove implements [core.Admin].
func (p *platform) Remove(tenantName, collection, id string) error {
	return p.change(tenantName, func(t *tenant) error {
		switch collection {
		case collUsers:
			u, ok := t.users.Get(id, core.Live)
			if !ok {
				return notFound(collection, id)
			}
			t.leave(u, leaver{reason: "delete", by: core.ByHand, at: t.clock.Now()})
		case collDepts:
			return t.removeDept(id)
		case collRoles:
			return t.removeRole(id)
		case collInvitations:
			if t.invited[id] == nil {
				return notFound(collection, id)
			}
			t.uninvite(id)
		case collTokens:
			if !p.tokens.revoke(t, id) {
				return notFound(collection, id)
			}
		default:
			if isPast(collection) {
				return t.editPast(collection, id, nil)
			}
			return fmt.Errorf("removing %s: %w", collection, core.ErrUnsupported)
		}
		return nil
	})
}

// Accept implements [core.Admin].
func (p *platform) Accept(tenantName, id string) error {
	return p.change(tenantName, func(t *tenant) error {
		if err := t.accept(id); err != nil {
			return fmt.Errorf("accepting %q: %w", id, err)
		}
		return nil
	})
}

// createByHand adds a member; without a department it goes to the root, without a
// mobile number it gets an invented one.
func (t *tenant) createByHand(id string, fields json.RawMessage) error {
	if _, taken := t.users.Get(id, core.Live); taken {
		return fmt.Errorf("users %q: %w", id, core.ErrExists)
	}
	now := t.clock.Now()
	u := &user{
		id: id, name: id, active: true, modified: now,
		depts: []membership{{dept: rootDept, order: t.defaultOrder(rootDept), joined: now}},
	}
	for n := t.users.Len(); u.mobile.number == "" || t.byMobile[u.mobile] != ""; n++ {
		u.mobile = phone{"86", fmt.Sprintf("188%08d", n)}
	}
	next, err := t.edited(u, fields)
	if err != nil {
		return err
	}
	t.join(next)
	return nil
}

func (t *tenant) editUser(old *user, fields json.RawMessage) error {
	u, err := t.edited(old, fields)
	if err != nil {
		return err
	}
	t.replace(old, u)
	return nil
}

// edited gives the user with fields of user/get changed. What follows from other
// objects (roles, managers of departments) is edited there.
func (t *tenant) edited(old *user, fields json.RawMessage) (*user, error) {
	before := t.detail(old, t.fullBase(old), core.Live)
	d, err := core.Merge(before, fields)
	if err != nil {
		return nil, err
	}
	if d.UserID != before.UserID || d.UnionID != before.UnionID ||
		!reflect.DeepEqual(d.RoleList, before.RoleList) || !reflect.DeepEqual(d.LeaderInDept, before.LeaderInDept) {
		return nil, errors.New("userid, unionid, role_list and leader_in_dept cannot be edited here")
	}
	u := old.clone()
	u.name, u.avatar, u.hideMobile, u.telephone, u.jobNumber = d.Name, d.Avatar, d.HideMobile, d.Telephone, d.JobNumber
	u.title, u.email, u.orgEmail, u.orgEmailType = d.Title, d.Email, d.OrgEmail, d.OrgEmailType
	u.workPlace, u.remark, u.manager, u.loginEmail = d.WorkPlace, d.Remark, d.ManagerUserID, d.LoginEmail
	u.hiredDate, u.active, u.boss, u.senior, u.extensionI18n = d.HiredDate, d.Active, d.Boss, d.Senior, d.ExtensionI18n
	u.exclusive, u.exclusiveType = d.ExclusiveAccount, d.ExclusiveAccountType
	u.login, u.nickname, u.modified = d.LoginID, d.Nickname, t.clock.Now()
	u.disabled = d.DisableStatus != nil && *d.DisableStatus
	if err := editAdmin(u, d.Admin); err != nil {
		return nil, err
	}
	if err := t.editPhone(u, d); err != nil {
		return nil, err
	}
	if err := t.editMemberships(u, d); err != nil {
		return nil, err
	}
	u.extension = map[string]string{}
	if d.Extension != "" {
		if err := json.Unmarshal([]byte(d.Extension), &u.extension); err != nil {
			return nil, errors.New("extension must be the JSON text of an object of texts")
		}
	}
	return u, t.unique(u)
}

// editAdmin makes somebody a sub-administrator, or takes that away.
func editAdmin(u *user, admin bool) error {
	switch {
	case admin && u.sysLevel == 0:
		u.sysLevel, u.adminDepts = 2, []int64{rootDept}
	case !admin && u.sysLevel == 1:
		return errors.New("the main administrator cannot be unmade")
	case !admin:
		u.sysLevel, u.adminDepts = 0, nil
	}
	return nil
}

func (t *tenant) editPhone(u *user, d userDetail) error {
	if d.Mobile == "" {
		u.mobile = phone{}
		return nil
	}
	text := d.Mobile
	if text[0] != '+' && d.StateCode != "" && d.StateCode != "86" {
		text = "+" + d.StateCode + "-" + text
	}
	var ok bool
	if u.mobile, ok = parsePhone(text); !ok {
		return errors.New("mobile must be 11 digits, or +xx-xxxx")
	}
	return nil
}

func (t *tenant) editMemberships(u *user, d userDetail) error {
	c := &userChange{depts: d.DeptIDList, orders: map[int64]int64{}, positions: map[int64]membership{}}
	if len(c.depts) == 0 {
		return errors.New("dept_id_list must not be empty")
	}
	for _, o := range d.DeptOrderList {
		c.orders[o.DeptID] = o.Order
	}
	for _, p := range d.DeptPositionList {
		c.positions[p.DeptID] = membership{title: p.Title, workPlace: p.WorkPlace, main: p.IsMain}
	}
	return t.applyDepts(u, c, t.clock.Now())
}

// createDeptByHand adds a department under a given id, by default below the root.
func (t *tenant) createDeptByHand(id string, fields json.RawMessage) error {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 2 {
		return errors.New("the id of a department must be a number from 2")
	}
	if _, taken := t.depts.Get(id, core.Live); taken {
		return fmt.Errorf("departments %q: %w", id, core.ErrExists)
	}
	d, err := t.editedDept(&department{id: n, parent: rootDept, name: "部门" + id, order: n}, fields)
	if err != nil {
		return err
	}
	t.putDept(d)
	return nil
}

func (t *tenant) editDept(old *department, fields json.RawMessage) error {
	d, err := t.editedDept(old, fields)
	if err != nil {
		return err
	}
	t.putDept(d)
	return nil
}

// editedDept gives the department with fields of department/get changed.
func (t *tenant) editedDept(old *department, fields json.RawMessage) (*department, error) {
	before := t.deptDetail(old, core.Live)
	w, err := core.Merge(before, fields)
	if err != nil {
		return nil, err
	}
	if w.DeptID != old.id {
		return nil, errors.New("dept_id cannot be edited")
	}
	d := *old
	d.name, d.source, d.code, d.order = w.Name, w.SourceIdentifier, w.Code, w.Order
	d.managers, d.chat, d.owner = w.DeptManagerUserIDList, w.DeptGroupChatID, w.OrgDeptOwner
	d.group, d.autoAdd, d.autoApprove, d.groupContainSub = w.CreateDeptGroup, w.AutoAddUser, w.AutoApproveApply, w.GroupContainSubDept
	d.hide, d.permitDepts, d.permitUsers = w.HideDept, w.DeptPermits, w.UserPermits
	d.outer, d.outerDepts, d.outerUsers = w.OuterDept, w.OuterPermitDepts, w.OuterPermitUsers
	if d.id != rootDept {
		if err := t.checkPlace(&d, w.ParentID); err != nil {
			return nil, err
		}
	}
	for _, id := range d.managers {
		if t.members[d.id][id] == nil {
			return nil, fmt.Errorf("manager %q is not a member", id)
		}
	}
	return &d, nil
}

// checkPlace puts a department below a parent, if it fits there.
func (t *tenant) checkPlace(d *department, parent int64) error {
	if _, ok := t.depts.Get(key(parent), core.Live); !ok {
		return refuse(codeNoParent)
	}
	if slices.Contains(t.pathAt(parent, core.Live), d.id) {
		return refuse(codeDeptLoop)
	}
	d.parent = parent
	if err := checkDeptName(d.name); err != nil {
		return err
	}
	if id, taken := t.siblings[sibling{d.parent, d.name}]; taken && id != d.id {
		return refuse(codeDeptNameExists)
	}
	return nil
}

func (t *tenant) removeDept(id string) error {
	d, ok := t.depts.Get(id, core.Live)
	if !ok {
		return notFound(collDepts, id)
	}
	if d.id == rootDept || len(t.members[d.id]) > 0 || len(t.children[d.id]) > 0 {
		return errors.New("a department must be empty, and not the root")
	}
	t.dropDept(d)
	return nil
}

// createRoleByHand adds a role under a given id, by default to the group 自定义.
func (t *tenant) createRoleByHand(id string, fields json.RawMessage) error {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return errors.New("the id of a role must be a number from 1")
	}
	if _, taken := t.roles.Get(id, core.Live); taken {
		return fmt.Errorf("roles %q: %w", id, core.ErrExists)
	}
	return t.editRole(&role{id: n, name: "角色" + id, group: t.customGroup()}, fields)
}

// customGroup is the group of roles made by hand.
func (t *tenant) customGroup() int64 {
	const name = "自定义"
	for _, g := range t.groups.All(core.Live) {
		if g.name == name {
			return g.id
		}
	}
	g := &roleGroup{id: t.nextRole(), name: name}
	t.groups.Put(key(g.id), g)
	return g.id
}

// editRole sets name, group and holders of a role.
func (t *tenant) editRole(old *role, fields json.RawMessage) error {
	before := t.roleObject(old)
	o, err := core.Merge(before, fields)
	if err != nil {
		return err
	}
	if old.system != "" || o.ID != old.id {
		return errors.New("default roles and ids cannot be edited")
	}
	if _, ok := t.groups.Get(key(o.GroupID), core.Live); !ok {
		return refuse(codeBadGroup)
	}
	want := map[string][]int64{}
	for _, h := range o.Users {
		if _, ok := t.users.Get(h.UserID, core.Live); !ok {
			return notFound(collUsers, h.UserID)
		}
		want[h.UserID] = nil
		for _, s := range h.ManageScopes {
			want[h.UserID] = append(want[h.UserID], s.DeptID)
		}
	}
	r := *old
	r.name, r.group = o.Name, o.GroupID
	t.roles.Put(key(r.id), &r)
	t.setHolders(r.id, want)
	return nil
}

// setHolders makes exactly the users of want hold a role.
func (t *tenant) setHolders(id int64, want map[string][]int64) {
	touch := map[string]bool{}
	for user := range t.holders[id] {
		touch[user] = true
	}
	for user := range want {
		touch[user] = true
	}
	for user := range touch {
		old, ok := t.users.Get(user, core.Live)
		if !ok {
			continue
		}
		u := old.clone()
		u.roles = slices.DeleteFunc(u.roles, func(g grant) bool { return g.role == id })
		if scope, ok := want[user]; ok {
			u.roles = append(u.roles, grant{role: id, scope: scope})
		}
		t.putUser(u)
	}
}

func (t *tenant) removeRole(id string) error {
	r, ok := t.roles.Get(id, core.Live)
	if !ok {
		return notFound(collRoles, id)
	}
	if r.system != "" {
		return errors.New("default roles cannot be removed")
	}
	t.setHolders(r.id, nil)
	t.roles.Delete(id)
	return nil
}

// Seed implements [core.Admin]. People who are pending are invited ones.
func (p *platform) Seed(tenantName string, seed core.Seed) (core.Seeded, error) {
	var done core.Seeded
	err := p.change(tenantName, func(t *tenant) error {
		ids := map[int]int64{0: rootDept}
		for d := range seed.Tree() {
			parent := ids[d.Parent]
			if id, there := t.siblings[sibling{parent, d.Name}]; there {
				ids[d.Number] = id
				continue
			}
			row := &department{id: t.nextDept(), parent: parent, name: d.Name, order: int64(d.Number)}
			t.putDept(row)
			ids[d.Number] = row.id
			done.Departments++
		}
		for person := range seed.People() {
			if _, taken := t.users.Get(person.ID, core.Live); taken {
				return fmt.Errorf("users %q: %w", person.ID, core.ErrExists)
			}
			now, dept := t.clock.Now(), ids[person.Department]
			u := &user{
				id: person.ID, name: person.Name, mobile: phone{"86", person.Mobile}, email: person.Email, title: person.Title,
				jobNumber: person.ID, active: true, modified: now,
				depts: []membership{{dept: dept, order: t.defaultOrder(dept), joined: now}},
			}
			if err := t.unique(u); err != nil {
				return err
			}
			if seed.Pending {
				t.invite(u)
			} else {
				t.join(u)
			}
			done.Users++
		}
		return nil
	})
	return done, err
}
