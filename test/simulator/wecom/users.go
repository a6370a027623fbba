package wecom

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	creationWindow = 30 * 24 * time.Hour // members created in it are limited to three times the cap (90312)
	missWindow     = 24 * time.Hour      // misses of getuserid in it are limited to a fifth of the cap (95402)
	maxDeletes     = 200                 // of one batchdelete (90199)
	maxPage        = 10_000              // rows of list_id (96067)
)

func userEndpoints() map[string]endpoint {
	person := []string{"department", "order", "is_leader_in_dept", "direct_leader"}
	return map[string]endpoint{
		"user/create":      {do: createUser, access: syncOnly, body: true, write: true, subject: "userid"},
		"user/update":      {do: updateUser, access: syncOnly, body: true, write: true, subject: "userid"},
		"user/delete":      {do: deleteUser, access: syncOnly, write: true, subject: "userid"},
		"user/batchdelete": {do: batchDelete, access: syncOnly, body: true, write: true, subject: "useridlist"},
		"user/get":         {do: getUser, access: detail, subject: "userid", defaults: person},
		"user/simplelist": {do: simpleList, access: detail, listing: true, subject: "department_id",
			defaults: []string{"userlist"}},
		"user/list": {do: listUsers, access: detail, listing: true, subject: "department_id",
			defaults: []string{"userlist"}},
		"user/list_id": {do: listIDs, access: syncOnly, body: true, listing: true,
			defaults: []string{"dept_user"}},
		"user/getuserid":           {do: byMobile, access: anyone, body: true, counts: true},
		"user/get_userid_by_email": {do: byMail, access: anyone, body: true},
		"user/get_active_stat":     {do: activeCount, access: anyone, body: true},
		"user/authsucc":            {do: authSucceeded, access: anyone, write: true, subject: "userid"},
		"batch/invite":             {do: invite, access: anyone, body: true, write: true},
		"corp/get_join_qrcode":     {do: joinCode, access: syncOnly},
	}
}

func createUser(x *exchange) (fields, *failure) {
	t := x.tenant
	id, f := newID(x.form, "userid")
	if f != nil {
		return nil, f
	}
	u := &User{UserID: id, Enable: 1, CreateTime: x.now}
	if name, s := read[string](x.form, "name"); s != given || name == "" {
		return nil, fail(60112)
	}
	places, f := x.fill(u)
	if f != nil {
		return nil, f
	}
	if f := t.unique(u, ""); f != nil {
		return nil, f
	}
	if _, exists := t.user(id, core.Live); exists {
		return nil, fail(60102)
	}
	limit := or(t.spec.Options.MaxMembers, 100_000)
	if t.users.Len() >= limit {
		return nil, fail(45024)
	}
	t.created = slices.DeleteFunc(t.created, func(at time.Time) bool { return x.now.Sub(at) >= creationWindow })
	if len(t.created) >= 3*limit {
		return nil, fail(45009)
	}
	t.created = append(t.created, x.now)
	if toInvite, s := read[bool](x.form, "to_invite"); s != given || toInvite {
		u.Invitations++
	}
	made := t.settle(u, places)
	t.putUser(u)
	body := fields{"errmsg": "created"}
	if len(made) > 0 {
		body["created_department_list"] = fields{"department_info": made}
	}
	return body, nil
}

// newID reads a userid that is to be given to somebody (90195).
func newID(f *form, name string) (string, *failure) {
	id, s := read[string](f, name)
	switch {
	case s != given:
		return "", fail(41009)
	case id == "" || len(id) > 64:
		return "", fail(40058)
	}
	for i := range len(id) {
		c := id[i]
		alphanumeric := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alphanumeric && (i == 0 || !strings.ContainsRune("_-@.", rune(c))) {
			return "", fail(40003)
		}
	}
	return id, nil
}

func updateUser(x *exchange) (fields, *failure) {
	t := x.tenant
	old, f := x.member(x.form.text("userid"))
	if f != nil {
		return nil, f
	}
	u := *old
	places, f := x.fill(&u)
	if f != nil {
		return nil, f
	}
	if f := t.unique(&u, userKey(old.UserID)); f != nil {
		return nil, f
	}
	if x.form.has("new_userid") {
		if f := x.rename(&u); f != nil {
			return nil, f
		}
	}
	made := t.settle(&u, places)
	if u.UserID != old.UserID {
		t.unindex(userKey(old.UserID))
		t.users.Delete(userKey(old.UserID))
		t.replaceUser(userKey(old.UserID), []string{u.UserID})
	}
	t.putUser(&u)
	body := fields{"errmsg": "updated"}
	if len(made) > 0 {
		body["created_department_list"] = fields{"department_info": made}
	}
	return body, nil
}

// rename gives a member another id, once, if the first was made by the system (90197).
func (x *exchange) rename(u *User) *failure {
	id, f := newID(x.form, "new_userid")
	if f != nil {
		return f
	}
	if !u.GeneratedID {
		return fail(301036)
	}
	if _, taken := x.tenant.user(id, core.Live); taken && userKey(id) != userKey(u.UserID) {
		return fail(60102)
	}
	u.UserID, u.GeneratedID = id, false
	return nil
}

// member finds the member that a parameter names.
func (x *exchange) member(id string, ok bool) (*User, *failure) {
	if !ok || id == "" {
		return nil, fail(41009)
	}
	u, found := x.tenant.user(id, x.view)
	if !found || !x.credential.sees(x.view).user(u) {
		return nil, failText(60111, "invalid string value `%s`. userid not found", id)
	}
	return u, nil
}

// deletable refuses to delete the creator of the corp (90198).
func (x *exchange) deletable(u *User) *failure {
	if creator := x.tenant.spec.Options.Creator; creator != "" && userKey(creator) == userKey(u.UserID) {
		return fail(301005)
	}
	return nil
}

// drop deletes a member by this call.
func (x *exchange) drop(u *User) {
	x.tenant.dropUser(u, leaver{at: x.now, by: x.call.Operation, credential: x.credential.name})
}

func deleteUser(x *exchange) (fields, *failure) {
	u, f := x.member(x.query.Get("userid"), true)
	if f != nil {
		return nil, f
	}
	if f := x.deletable(u); f != nil {
		return nil, f
	}
	x.drop(u)
	return fields{"errmsg": "deleted"}, nil
}

// batchDelete refuses the whole list if one id in it is not known (90199).
func batchDelete(x *exchange) (fields, *failure) {
	ids, s := read[[]string](x.form, "useridlist")
	switch {
	case s != given || len(ids) == 0:
		return nil, fail(40063)
	case len(ids) > maxDeletes:
		return nil, fail(40032)
	}
	for _, id := range ids {
		u, ok := x.tenant.user(id, core.Live)
		if !ok {
			return nil, fail(40031)
		}
		if f := x.deletable(u); f != nil {
			return nil, f
		}
	}
	for _, id := range ids {
		if u, ok := x.tenant.user(id, core.Live); ok { // not named twice
			x.drop(u)
		}
	}
	return fields{"errmsg": "deleted"}, nil
}

func getUser(x *exchange) (fields, *failure) {
	u, f := x.member(x.query.Get("userid"), true)
	if f != nil {
		return nil, f
	}
	return personFields(x.show(u)), nil
}

// direct gives the visible members directly in the department of the query.
func (x *exchange) direct() ([]*User, *failure) {
	id, f := queryID(x.query.Get("department_id"))
	if f != nil {
		return nil, f
	}
	if _, ok := x.tenant.department(id, x.view); !ok {
		return nil, fail(60003)
	}
	sees := x.credential.sees(x.view)
	if !sees.department(id) {
		return nil, fail(60011)
	}
	found := x.tenant.direct(id, x.view)
	keep, _ := x.call.Rows(len(found))
	return found[:keep], nil
}

func simpleList(x *exchange) (fields, *failure) {
	users, f := x.direct()
	if f != nil {
		return nil, f
	}
	type row struct {
		UserID     string `json:"userid"`
		Name       string `json:"name"`
		Department []int  `json:"department"`
		OpenUserID string `json:"open_userid"`
	}
	list := make([]row, 0, len(users))
	for _, u := range users {
		list = append(list, row{u.UserID, u.Name, u.Department, ""})
	}
	return fields{"userlist": list}, nil
}

func listUsers(x *exchange) (fields, *failure) {
	users, f := x.direct()
	if f != nil {
		return nil, f
	}
	list := make([]person, 0, len(users))
	for _, u := range users {
		list = append(list, x.show(u))
	}
	return fields{"userlist": list}, nil
}

// listIDs pages through one row per member and department (96067). The cursor
// carries the moment of the first page, so that pages fit together.
func listIDs(x *exchange) (fields, *failure) {
	limit, s := read[int](x.form, "limit")
	if s != given || limit == 0 {
		limit = maxPage
	}
	if limit < 0 || limit > maxPage {
		return nil, fail(40058)
	}
	at, from, f := x.cursor()
	if f != nil {
		return nil, f
	}
	rows, more := x.tenant.memberships(at, from, limit)
	keep, cut := x.call.Rows(len(rows))
	next := ""
	if more && !cut {
		next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d:%d", at, from+limit))
	}
	return fields{"next_cursor": next, "dept_user": rows[:keep]}, nil
}

// cursor reads the moment and the number of rows that are done.
func (x *exchange) cursor() (at core.View, from int, f *failure) {
	cursor, _ := x.form.text("cursor")
	if cursor == "" {
		if at = x.view; at == core.Live {
			at = x.tenant.journal.Now()
		}
		return at, 0, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, 0, fail(50100)
	}
	if _, err := fmt.Sscanf(string(plain), "%d:%d", &at, &from); err != nil || from < 0 || at == core.Live {
		return 0, 0, fail(50100)
	}
	return at, from, nil
}

// membership is a row of list_id.
type membership struct {
	UserID     string `json:"userid"`
	Department int    `json:"department"`
}

// memberships gives up to limit rows behind the first so many, and whether
// there are more.
func (t *tenant) memberships(at core.View, from, limit int) (rows []membership, more bool) {
	rows = []membership{}
	for _, u := range t.users.All(at) {
		for _, d := range u.Department {
			switch {
			case from > 0:
				from--
			case len(rows) == limit:
				return rows, true
			default:
				rows = append(rows, membership{u.UserID, d})
			}
		}
	}
	return rows, false
}

// find gives the member with a unique value, as of the moment of the call.
func (x *exchange) find(index map[string]string, value string, of func(*User) string) (*User, bool) {
	if value == "" {
		return nil, false
	}
	if x.view == core.Live {
		return x.tenant.users.Get(index[value], core.Live)
	}
	for _, u := range x.tenant.users.All(x.view) {
		if of(u) == value {
			return u, true
		}
	}
	return nil, false
}

func byMobile(x *exchange) (fields, *failure) {
	mobile, s := read[string](x.form, "mobile")
	if s != given || len(mobile) < 5 || len(mobile) > 32 {
		return nil, fail(40058)
	}
	t := x.tenant
	t.wrongPhones = slices.DeleteFunc(t.wrongPhones, func(at time.Time) bool { return x.now.Sub(at) >= missWindow })
	if len(t.wrongPhones)*5 > or(t.spec.Options.MaxMembers, 100_000) {
		return nil, fail(45009)
	}
	u, ok := x.find(t.mobiles, plainMobile(mobile), func(u *User) string { return plainMobile(u.Mobile) })
	if !ok || !x.credential.sees(x.view).user(u) {
		t.wrongPhones = append(t.wrongPhones, x.now)
		return nil, fail(46004)
	}
	return fields{"userid": u.UserID}, nil
}

// byMail looks for the corp's own mail by default, for the personal one with
// email_type 2 (95895).
func byMail(x *exchange) (fields, *failure) {
	mail, s := read[string](x.form, "email")
	if s != given || mail == "" {
		return nil, fail(40058)
	}
	which, s := read[int](x.form, "email_type")
	if s != given {
		which = 1
	}
	index, of := x.tenant.bizMails, func(u *User) string { return strings.ToLower(u.BizMail) }
	switch which {
	case 1:
	case 2:
		index, of = x.tenant.mails, func(u *User) string { return strings.ToLower(u.Email) }
	default:
		return nil, fail(40058)
	}
	u, ok := x.find(index, strings.ToLower(mail), of)
	if !ok || !x.credential.sees(x.view).user(u) {
		return nil, fail(46004)
	}
	return fields{"userid": u.UserID}, nil
}

func activeCount(x *exchange) (fields, *failure) {
	date, s := read[string](x.form, "date")
	if _, err := time.Parse(time.DateOnly, date); s != given || err != nil {
		return nil, fail(40058)
	}
	n := 0
	for _, u := range x.tenant.users.All(x.view) {
		if u.Status() == statusActive {
			n++
		}
	}
	return fields{"active_cnt": n}, nil
}

// authSucceeded ends a second verification: the member has joined.
func authSucceeded(x *exchange) (fields, *failure) {
	u, f := x.member(x.query.Get("userid"), true)
	if f != nil {
		return nil, f
	}
	joined := *u
	joined.Activated = true
	x.tenant.putUser(&joined)
	return fields{}, nil
}

// invite counts an invitation for each member named; who is not known is
// reported and does no harm (90975).
func invite(x *exchange) (fields, *failure) {
	users, _ := read[[]string](x.form, "user")
	parties, _ := read[[]int](x.form, "party")
	tags, _ := read[[]int](x.form, "tag")
	if len(users)+len(parties)+len(tags) == 0 {
		return nil, fail(40063)
	}
	if len(users) > 1000 || len(parties) > 100 || len(tags) > 100 {
		return nil, fail(40058)
	}
	to := x.recipients(users, parties, tags)
	x.spread(&to, tags)
	for _, u := range to.users {
		if !u.Activated && u.Enable == 1 {
			invited := *u
			invited.Invitations++
			x.tenant.putUser(&invited)
		}
	}
	return fields{"invaliduser": to.badUsers, "invalidparty": to.badParties, "invalidtag": to.badTags}, nil
}

func joinCode(x *exchange) (fields, *failure) {
	if size := x.query.Get("size_type"); size != "" && (len(size) != 1 || size < "1" || size > "4") {
		return nil, fail(40058)
	}
	return fields{"join_qrcode": "https://work.weixin.qq.com/wework_admin/genqrcode?action=join&corp=" + x.tenant.spec.CorpID}, nil
}
