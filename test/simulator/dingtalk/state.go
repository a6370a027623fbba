package dingtalk

import (
	"cmp"
	"encoding/base64"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// rootDept is the id of the root department.
// https://open.dingtalk.com/document/development/address-book-creation-department-established-department
const rootDept = 1

// tenant is one organisation. Its lock guards everything below it; rows are
// never changed, only replaced.
type tenant struct {
	clock *core.Clock

	mu      sync.RWMutex
	spec    tenantSpec
	journal *core.Journal

	users  *core.Table[*user]
	depts  *core.Table[*department]
	roles  *core.Table[*role]
	groups *core.Table[*roleGroup]

	// Indexes of the rows as they are now.
	byMobile    map[phone]string
	byTelephone map[string]string
	byEmail     map[string]string
	byLogin     map[string]string
	byUnion     map[string]string
	members     map[int64]map[string]*user
	children    map[int64]map[int64]*department
	siblings    map[sibling]int64
	holders     map[int64]map[string]*user // of a role

	sorted   sync.Map // department id -> []*user in custom order; dropped on change
	invited  map[string]*invitation
	invitees map[phone]string // mobile number -> id of the invitation
	leavers  []leaver
	messages messages
	began    time.Time
	past     *core.Past

	lastUser, lastDept, lastRole, lastTask int64
}

// phone is a mobile number with its country calling code.
type phone struct{ country, number string }

type sibling struct {
	parent int64
	name   string
}

// membership is what a user is in one department.
type membership struct {
	dept      int64
	order     int64 // bigger comes first
	joined    time.Time
	title     string
	workPlace string
	main      bool
	position  bool // an entry of dept_position_list
}

// grant is one role of a user. No scope means everyone.
type grant struct {
	role  int64
	scope []int64
}

// user is one row; see the package comment for what the fields mean.
type user struct {
	id, union, name, avatar                            string
	mobile                                             phone
	hideMobile, senior, active, boss                   bool
	telephone, jobNumber, title, email, orgEmail       string
	orgEmailType, workPlace, remark, manager, nickname string
	loginEmail                                         string
	sysLevel                                           int // 1 main administrator, 2 sub-administrator
	adminDepts                                         []int64
	hiredDate                                          int64 // ms, 0: not set
	extension                                          map[string]string
	extensionI18n                                      map[string]any
	depts                                              []membership
	roles                                              []grant

	exclusive     bool   // an enterprise account
	exclusiveType string // sso or dingtalk
	login         string
	disabled      bool
	signOuts      int

	modified time.Time
}

// department is one row.
type department struct {
	id, parent                                              int64
	name                                                    string
	order                                                   int64 // smaller comes first
	source, code, chat, owner                               string
	managers                                                []string
	hide, outer, outerOnlySelf, group, autoAdd, autoApprove bool
	groupContainSub, groupContainOuter, groupContainHidden  bool
	permitDepts, outerDepts                                 []int64
	permitUsers, outerUsers                                 []string
}

type role struct {
	id, group int64
	name      string
	system    string // which of the default roles it is; "" for others
}

type roleGroup struct {
	id     int64
	name   string
	system bool
}

// invitation is a person who must agree before joining.
type invitation struct {
	user *user
	sent time.Time
}

// leaver is one record of a person who left.
type leaver struct {
	id, name       string
	mobile         phone
	at             time.Time
	reason         string // in the words of empLeaveRecords
	by, credential string // as in [core.Left]
	depts          []leftDept
	terms          terms
	handed         []core.HandOver
}

// terms are what Smart-HR was told of a leaving.
type terms struct {
	lastDay            int64 // ms; 0: the day of leaving
	memo, successor    string
	voluntary, passive []string // names of reasons
}

func key(id int64) string { return strconv.FormatInt(id, 10) }

// The ids of the default roles, as far as the simulator goes.
const (
	systemOwner = "负责人"
	systemLead  = "主管"
	systemMain  = "主管理员"
	systemSub   = "子管理员"
)

// creator is the main administrator that every organisation has, unless its
// options say otherwise: whoever founded it. So no true listing of all users is
// ever empty.
const creator = "manager7001"

// clear brings the tenant to the state of an organisation just founded.
func (t *tenant) clear() {
	t.users = core.NewTable[*user](t.journal)
	t.depts = core.NewTable[*department](t.journal)
	t.roles = core.NewTable[*role](t.journal)
	t.groups = core.NewTable[*roleGroup](t.journal)
	t.byMobile, t.byTelephone, t.byEmail = map[phone]string{}, map[string]string{}, map[string]string{}
	t.byLogin, t.byUnion = map[string]string{}, map[string]string{}
	t.members, t.children = map[int64]map[string]*user{}, map[int64]map[int64]*department{}
	t.siblings, t.holders = map[sibling]int64{}, map[int64]map[string]*user{}
	t.sorted.Clear()
	t.invited, t.invitees = map[string]*invitation{}, map[phone]string{}
	t.leavers, t.messages = nil, newMessages()
	t.began, t.past = t.clock.Now(), core.NewPast()
	t.lastUser, t.lastDept, t.lastRole, t.lastTask = 0, 560_100_000, 1_507_113_576, 70_000_000_000

	t.putDept(&department{id: rootDept, name: t.spec.Title})
	group := t.nextRole()
	t.groups.Put(key(group), &roleGroup{id: group, name: "默认", system: true})
	for _, name := range []string{systemOwner, systemLead, systemMain, systemSub} {
		id := t.nextRole()
		t.roles.Put(key(id), &role{id: id, group: group, name: name, system: name})
	}
	if t.spec.Options.NoCreator {
		return
	}
	now := t.clock.Now()
	t.putUser(&user{
		id: creator, union: unionID(t.spec.CorpID, "creator"), name: "管理员", mobile: phone{"86", "13900007001"},
		active: true, sysLevel: 1, adminDepts: []int64{rootDept}, modified: now,
		depts: []membership{{dept: rootDept, order: t.defaultOrder(rootDept), joined: now}},
	})
}

// unionID is the same for the same person, whatever the user id.
func unionID(corp, person string) string {
	h := fnv.New128a()
	_, _ = h.Write([]byte(corp + "\x00" + person)) // a hash takes everything
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)) + "iE"
}

// nextUser makes a user id: digits, as the platform makes them.
func (t *tenant) nextUser() string {
	for {
		t.lastUser++
		id := "01" + strconv.FormatInt(100_000_000_000+t.lastUser*7_919, 10)
		if _, taken := t.users.Get(id, core.Live); !taken && t.invited[id] == nil {
			return id
		}
	}
}

// nextDept makes a department id. Ids are not consecutive, so that nobody gets
// by with guessing them.
func (t *tenant) nextDept() int64 {
	for {
		t.lastDept += 1 + t.lastDept%97
		if _, taken := t.depts.Get(key(t.lastDept), core.Live); !taken {
			return t.lastDept
		}
	}
}

// nextTask makes the id of a task that was redirected.
func (t *tenant) nextTask() int64 {
	t.lastTask++
	return t.lastTask
}

func (t *tenant) nextRole() int64 {
	t.lastRole += 1 + t.lastRole%13
	return t.lastRole
}

// defaultOrder is the order that the platform gives a user nobody gave one:
// a big number, as real replies show. Who came first stands first (?).
func (t *tenant) defaultOrder(dept int64) int64 {
	return 176_292_000_000_000 - dept%1000*1_000_000 - int64(t.users.Len())
}

// putUser adds or replaces a user and keeps the indexes.
func (t *tenant) putUser(u *user) {
	if old, ok := t.users.Get(u.id, core.Live); ok {
		t.unindexUser(old)
	}
	t.users.Put(u.id, u)
	t.indexUser(u)
}

func (t *tenant) dropUser(u *user) {
	t.unindexUser(u)
	t.users.Delete(u.id)
}

func (t *tenant) indexUser(u *user) {
	if u.mobile.number != "" {
		t.byMobile[u.mobile] = u.id
	}
	set(t.byTelephone, u.telephone, u.id)
	set(t.byEmail, strings.ToLower(u.email), u.id)
	set(t.byLogin, u.login, u.id)
	t.byUnion[u.union] = u.id
	for _, m := range u.depts {
		add(t.members, m.dept, u.id, u)
		t.sorted.Delete(m.dept)
	}
	for _, g := range u.roles {
		add(t.holders, g.role, u.id, u)
	}
}

func (t *tenant) unindexUser(u *user) {
	delete(t.byMobile, u.mobile)
	delete(t.byTelephone, u.telephone)
	delete(t.byEmail, strings.ToLower(u.email))
	delete(t.byLogin, u.login)
	delete(t.byUnion, u.union)
	for _, m := range u.depts {
		delete(t.members[m.dept], u.id)
		t.sorted.Delete(m.dept)
	}
	for _, g := range u.roles {
		delete(t.holders[g.role], u.id)
	}
}

func set(index map[string]string, value, id string) {
	if value != "" {
		index[value] = id
	}
}

func add[K, I comparable, V any](index map[K]map[I]V, at K, id I, v V) {
	if index[at] == nil {
		index[at] = map[I]V{}
	}
	index[at][id] = v
}

// putDept adds or replaces a department and keeps the indexes.
func (t *tenant) putDept(d *department) {
	if old, ok := t.depts.Get(key(d.id), core.Live); ok {
		t.unindexDept(old)
	}
	t.depts.Put(key(d.id), d)
	if d.id != rootDept {
		add(t.children, d.parent, d.id, d)
		t.siblings[sibling{d.parent, d.name}] = d.id
	}
}

func (t *tenant) dropDept(d *department) {
	t.unindexDept(d)
	t.depts.Delete(key(d.id))
	delete(t.members, d.id)
	delete(t.children, d.id)
	t.sorted.Delete(d.id)
}

func (t *tenant) unindexDept(d *department) {
	if d.id == rootDept {
		return
	}
	delete(t.children[d.parent], d.id)
	delete(t.siblings, sibling{d.parent, d.name})
}

// membersAt lists the direct members of a department in custom order: bigger
// order first, then by name (the platform sorts by pinyin), then by id.
func (t *tenant) membersAt(dept int64, at core.View) []*user {
	if at == core.Live {
		if list, ok := t.sorted.Load(dept); ok {
			return list.([]*user)
		}
	}
	var list []*user
	if at == core.Live {
		list = make([]*user, 0, len(t.members[dept]))
		for _, u := range t.members[dept] {
			list = append(list, u)
		}
	} else {
		for _, u := range t.users.All(at) {
			if u.in(dept) != nil {
				list = append(list, u)
			}
		}
	}
	slices.SortFunc(list, func(a, b *user) int {
		return cmp.Or(cmp.Compare(b.in(dept).order, a.in(dept).order), cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
	})
	if at == core.Live {
		t.sorted.Store(dept, list)
	}
	return list
}

// in is the membership of a user in a department, nil if there is none.
func (u *user) in(dept int64) *membership {
	for i := range u.depts {
		if u.depts[i].dept == dept {
			return &u.depts[i]
		}
	}
	return nil
}

// childrenAt lists the direct children of a department: smaller order first,
// then by id.
func (t *tenant) childrenAt(dept int64, at core.View) []*department {
	var list []*department
	if at == core.Live {
		list = make([]*department, 0, len(t.children[dept]))
		for _, d := range t.children[dept] {
			list = append(list, d)
		}
	} else {
		for _, d := range t.depts.All(at) {
			if d.id != rootDept && d.parent == dept {
				list = append(list, d)
			}
		}
	}
	slices.SortFunc(list, func(a, b *department) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.id, b.id))
	})
	return list
}

// pathAt lists a department and all above it, up to the root.
func (t *tenant) pathAt(dept int64, at core.View) []int64 {
	var path []int64
	for {
		d, ok := t.depts.Get(key(dept), at)
		if !ok {
			return path
		}
		path = append(path, dept)
		if dept == rootDept {
			return path
		}
		dept = d.parent
	}
}

// countAt is how many people are in a department, with all below it and
// directly.
func (t *tenant) countAt(dept int64, at core.View) (all, direct int) {
	direct = len(t.membersAt(dept, at))
	if dept == rootDept {
		for range t.users.All(at) {
			all++
		}
		return all, direct
	}
	seen := map[string]bool{}
	var walk func(int64)
	walk = func(id int64) {
		for _, u := range t.membersAt(id, at) {
			seen[u.id] = true
		}
		for _, child := range t.childrenAt(id, at) {
			walk(child.id)
		}
	}
	walk(dept)
	return len(seen), direct
}

// leads reports whether a user is among the managers of a department.
func (t *tenant) leads(u *user, dept int64, at core.View) bool {
	d, ok := t.depts.Get(key(dept), at)
	return ok && slices.Contains(d.managers, u.id)
}

// release takes a user out of the managers and the group ownership of
// departments that the user is no longer in.
func (t *tenant) release(id string, depts []int64) {
	for _, dept := range depts {
		d, ok := t.depts.Get(key(dept), core.Live)
		if !ok || !slices.Contains(d.managers, id) && d.owner != id {
			continue
		}
		changed := *d
		changed.managers = slices.DeleteFunc(slices.Clone(d.managers), func(m string) bool { return m == id })
		if d.owner == id {
			changed.owner = ""
		}
		t.putDept(&changed)
	}
}

// systemRole is the default role of a name.
func (t *tenant) systemRole(name string, at core.View) *role {
	for _, r := range t.roles.All(at) {
		if r.system == name {
			return r
		}
	}
	return nil
}
