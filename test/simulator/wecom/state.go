package wecom

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// rootID is the id of the root department (90205).
const rootID = 1

// User is a member as the simulator keeps it. The names are those of the wire
// where the wire has one.
type User struct {
	UserID           string          `json:"userid"`
	Name             string          `json:"name"`
	Mobile           string          `json:"mobile"`
	Email            string          `json:"email"`
	BizMail          string          `json:"biz_mail"`
	BizMailAlias     []string        `json:"biz_mail_alias,omitempty"`
	Department       []int           `json:"department"`
	Order            []uint32        `json:"order"`
	IsLeaderInDept   []int           `json:"is_leader_in_dept"`
	DirectLeader     []string        `json:"direct_leader"`
	MainDepartment   int             `json:"main_department"`
	Position         string          `json:"position"`
	Gender           string          `json:"gender"`
	Alias            string          `json:"alias"`
	Telephone        string          `json:"telephone"`
	Address          string          `json:"address"`
	ExternalPosition string          `json:"external_position"`
	ExternalProfile  json.RawMessage `json:"external_profile,omitempty"`
	Nickname         string          `json:"nickname,omitempty"`
	AvatarMediaID    string          `json:"avatar_mediaid,omitempty"`
	ExtAttr          []Attribute     `json:"extattr,omitempty"`

	// Not on the wire as such: what status is made of, and what happened.
	Enable      int       `json:"enable"`      // 0: disabled
	Activated   bool      `json:"activated"`   // has logged in
	Left        bool      `json:"left"`        // quit the corp
	Invitations int       `json:"invitations"` // sent so far
	GeneratedID bool      `json:"generatedId"` // by the system, so it may be changed once
	CreateTime  time.Time `json:"createTime"`
}

// Attribute is one extension attribute.
type Attribute struct {
	Type int            `json:"type"`
	Name string         `json:"name"`
	Text *attributeText `json:"text,omitempty"`
	Web  *attributeWeb  `json:"web,omitempty"`
}

type attributeText struct {
	Value string `json:"value"`
}

type attributeWeb struct {
	URL   string `json:"url"`
	Title string `json:"title"`
}

// Department is a department as the simulator keeps it.
type Department struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	NameEn   string `json:"name_en"`
	ParentID int    `json:"parentid"`
	Order    uint32 `json:"order"`
}

// Tag is a tag with its nodes; Owner is the credential that made it.
type Tag struct {
	ID      int      `json:"tagid"`
	Name    string   `json:"tagname"`
	Owner   string   `json:"owner"`
	Users   []string `json:"userlist"`
	Parties []int    `json:"partylist"`
}

// Status as user/get shows it (90196).
const (
	statusActive   = 1
	statusDisabled = 2
	statusInactive = 4
	statusLeft     = 5
)

// Status is what user/get shows as status.
func (u *User) Status() int {
	switch {
	case u.Left:
		return statusLeft
	case u.Enable == 0:
		return statusDisabled
	case u.Activated:
		return statusActive
	default:
		return statusInactive
	}
}

// tenant is one corp. mu guards everything below it. What the tables point to is
// never changed, so it may be used after the lock is released.
type tenant struct {
	name    string
	clock   *core.Clock
	journal *core.Journal

	mu          sync.RWMutex
	spec        Tenant
	users       *core.Table[*User] // by userid in lower case
	departments *core.Table[*Department]
	tags        *core.Table[*Tag]
	messages    *core.Table[*Message]
	mobiles     map[string]string // plain mobile -> key of the user
	mails       map[string]string // mail in lower case -> key
	bizMails    map[string]string
	staff       map[int]int // members directly in a department
	ids         int         // the last id that was generated for a department
	tagIDs      int
	messageIDs  int
	wrongPhones []time.Time // misses of user/getuserid
	created     []time.Time // of members
	inbox       *core.Inbox
	leavers     []leaver
	customers   *core.Table[*Customer]
	transfers   *core.Table[*transfer] // by number
	waits       int                    // how many of them wait
	sent        map[string][]time.Time
	duplicates  map[string]time.Time
	began       time.Time
	past        *core.Past
	members     map[int]map[string]*User // directly in a department, by key
	reports     map[string]int           // how many have this one as direct leader, by key
}

// reset empties the corp but for its root department. The caller locks.
func (t *tenant) reset() {
	t.users = core.NewTable[*User](t.journal)
	t.departments = core.NewTable[*Department](t.journal)
	t.tags = core.NewTable[*Tag](t.journal)
	t.messages = core.NewTable[*Message](t.journal)
	t.customers, t.transfers, t.waits = core.NewTable[*Customer](t.journal), core.NewTable[*transfer](t.journal), 0
	t.mobiles, t.mails, t.bizMails = map[string]string{}, map[string]string{}, map[string]string{}
	t.staff, t.members, t.reports = map[int]int{}, map[int]map[string]*User{}, map[string]int{}
	t.began, t.past = t.clock.Now(), core.NewPast()
	t.ids, t.tagIDs, t.messageIDs = rootID, 0, 0
	t.wrongPhones, t.created = nil, nil
	t.inbox, t.leavers = core.NewInbox(), nil
	t.sent, t.duplicates = map[string][]time.Time{}, map[string]time.Time{}
	title := t.spec.Title
	if title == "" {
		title = t.spec.Name
	}
	t.departments.Put(strconv.Itoa(rootID), &Department{ID: rootID, Name: title, Order: firstOrder})
	if creator := t.spec.Options.Creator; creator != "" {
		t.putUser(&User{
			UserID: creator, Name: "创建者", Department: []int{rootID}, Order: []uint32{0}, IsLeaderInDept: []int{0},
			MainDepartment: rootID, Enable: 1, Activated: true,
		})
	}
}

// userKey is the form under which a userid is unique: case does not count.
func userKey(id string) string { return strings.ToLower(id) }

func (t *tenant) user(id string, at core.View) (*User, bool) { return t.users.Get(userKey(id), at) }

// putUser stores a member, whom nothing else refers to yet, and keeps the indexes of unique fields.
func (t *tenant) putUser(u *User) {
	key := userKey(u.UserID)
	u.DirectLeader = orEmpty(u.DirectLeader)
	t.unindex(key)
	t.users.Put(key, u)
	index := func(m map[string]string, value string) {
		if value != "" {
			m[value] = key
		}
	}
	index(t.mobiles, plainMobile(u.Mobile))
	index(t.mails, strings.ToLower(u.Email))
	index(t.bizMails, strings.ToLower(u.BizMail))
	for _, d := range u.Department {
		t.staff[d]++
		if t.members[d] == nil {
			t.members[d] = map[string]*User{}
		}
		t.members[d][key] = u
	}
	for _, leader := range u.DirectLeader {
		t.reports[userKey(leader)]++
	}
}

func (t *tenant) unindex(key string) {
	old, ok := t.users.Get(key, core.Live)
	if !ok {
		return
	}
	delete(t.mobiles, plainMobile(old.Mobile))
	delete(t.mails, strings.ToLower(old.Email))
	delete(t.bizMails, strings.ToLower(old.BizMail))
	for _, d := range old.Department {
		t.staff[d]--
		delete(t.members[d], key)
	}
	for _, leader := range old.DirectLeader {
		t.reports[userKey(leader)]--
	}
}

// leaver is one record of a member who left.
type leaver struct {
	id             string
	at             time.Time
	by, credential string // as in [core.Left]
}

// dropUser deletes a member, takes them out of tags and from under reports, and keeps
// the record, which says how and when.
func (t *tenant) dropUser(u *User, l leaver) {
	t.keep(u)
	key := userKey(u.UserID)
	t.unindex(key)
	t.users.Delete(key)
	t.replaceUser(key, nil)
	l.id = u.UserID
	t.leavers = append(t.leavers, l)
}

// replaceUser puts another member, or nobody, wherever one is referred to.
func (t *tenant) replaceUser(key string, by []string) {
	refers := func(id string) bool { return userKey(id) == key }
	for id, tag := range t.tags.All(core.Live) {
		if i := slices.IndexFunc(tag.Users, refers); i >= 0 {
			changed := *tag
			changed.Users = slices.Replace(slices.Clone(tag.Users), i, i+1, by...)
			t.tags.Put(id, &changed)
		}
	}
	if t.reports[key] <= 0 {
		return
	}
	for _, u := range t.users.All(core.Live) {
		if i := slices.IndexFunc(u.DirectLeader, refers); i >= 0 {
			changed := *u
			changed.DirectLeader = slices.Replace(slices.Clone(u.DirectLeader), i, i+1, by...)
			t.putUser(&changed)
		}
	}
}

func (t *tenant) department(id int, at core.View) (*Department, bool) {
	return t.departments.Get(strconv.Itoa(id), at)
}

func (t *tenant) putDepartment(d *Department) { t.departments.Put(strconv.Itoa(d.ID), d) }

// nextID is an id that no department has and nobody asks for.
func (t *tenant) nextID(asked []int) int {
	for {
		t.ids++
		if _, taken := t.department(t.ids, core.Live); !taken && !slices.Contains(asked, t.ids) {
			return t.ids
		}
	}
}

// subtree is the ids of a department and everything below it.
func (t *tenant) subtree(id int, at core.View) map[int]bool {
	children := map[int][]int{}
	for _, d := range t.departments.All(at) {
		children[d.ParentID] = append(children[d.ParentID], d.ID)
	}
	found := map[int]bool{id: true}
	queue := []int{id}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		for _, child := range children[next] {
			if !found[child] {
				found[child] = true
				queue = append(queue, child)
			}
		}
	}
	return found
}

// depth counts the levels from the root, which is level 1.
func (t *tenant) depth(id int) int {
	levels := 0
	for id != 0 {
		d, ok := t.department(id, core.Live)
		if !ok {
			break
		}
		levels++
		id = d.ParentID
	}
	return levels
}

// nodes counts the members and departments directly in a department.
func (t *tenant) nodes(id int) int {
	n := 0
	for _, d := range t.departments.All(core.Live) {
		if d.ParentID == id {
			n++
		}
	}
	return n + t.staff[id]
}

// plainMobile is the form under which a mobile number is unique.
func plainMobile(mobile string) string {
	mobile = strings.NewReplacer(" ", "", "-", "").Replace(mobile)
	return strings.TrimPrefix(mobile, "+86")
}

// direct lists the members directly in a department, oldest first, as a listing of
// everybody would.
func (t *tenant) direct(id int, at core.View) []*User {
	found := []*User{}
	if at == core.Live {
		for _, u := range t.members[id] {
			found = append(found, u)
		}
		slices.SortFunc(found, func(a, b *User) int {
			return cmp.Or(a.CreateTime.Compare(b.CreateTime), strings.Compare(userKey(a.UserID), userKey(b.UserID)))
		})
		return found
	}
	for _, u := range t.users.All(at) {
		if slices.Contains(u.Department, id) {
			found = append(found, u)
		}
	}
	return found
}
