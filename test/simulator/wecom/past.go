package wecom

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// The products whose data an app may read if it is among their 可调用接口的应用.
// Options.Closed names those that do not list the apps of the corp.
const (
	productApproval = "approval"
	productCheckin  = "checkin"
	productJournal  = "journal"
	productHR       = "hr"
	productLog      = "log"
	productDrive    = "wedrive"
	productArchive  = "archive"
	productCustomer = "customer"
)

// The collections of what a history makes.
const (
	collApprovals = "approvals"
	collCheckins  = "checkins"
	collJournals  = "journals"
	collAdminLog  = "adminlog"
	collMemberLog = "memberlog"
	collSpaces    = "spaces"
	collFiles     = "files"
	collGroups    = "groups"
)

// shelves are the collections without days, with the field that is the id.
var shelves = map[string]string{collSpaces: "spaceid", collFiles: "fileid", collGroups: "chat_id"}

func isPast(collection string) bool {
	return shelves[collection] != "" ||
		slices.Contains([]string{collApprovals, collCheckins, collJournals, collAdminLog, collMemberLog}, collection)
}

// span is the range of a call over the past. No people: everybody's.
func (t *tenant) span(from, to, now time.Time, people []string) core.Range {
	return core.Range{
		History: t.spec.Options.History, Began: t.began, Now: now, From: from, To: to,
		View: t.journal.Now(), People: people,
		All: func(yield func(string) bool) {
			for _, u := range t.users.All(core.Live) {
				if !yield(u.UserID) {
					return
				}
			}
		},
	}
}

// seconds reads a time in seconds from an object made by hand.
func seconds(object map[string]any, name string) time.Time {
	switch v := object[name].(type) {
	case json.Number:
		n, _ := v.Int64() // what is no number is long ago
		return time.Unix(n, 0)
	case int64:
		return time.Unix(v, 0)
	}
	return time.Time{}
}

func word(object map[string]any, name string) string {
	s, _ := object[name].(string)
	return s
}

// integer reads a whole number; what is none is 0.
func integer(object map[string]any, name string) int {
	n, _ := strconv.Atoi(fmt.Sprint(object[name]))
	return n
}

// objects reads a list of objects, as it was made here or came over the wire.
func objects(value any) []map[string]any {
	if list, ok := value.([]map[string]any); ok {
		return list
	}
	var found []map[string]any
	list, _ := value.([]any)
	for _, v := range list {
		if o, ok := v.(map[string]any); ok {
			found = append(found, o)
		}
	}
	return found
}

// stamp reads time and person of an object made by hand.
func stamp(at, person string) func(map[string]any) (time.Time, string) {
	return func(o map[string]any) (time.Time, string) { return seconds(o, at), word(o, person) }
}

// of reads the person out of an object in an object: {"applyer":{"userid":...}}.
func of(at, outer string) func(map[string]any) (time.Time, string) {
	return func(o map[string]any) (time.Time, string) {
		inner, _ := o[outer].(map[string]any)
		return seconds(o, at), word(inner, "userid")
	}
}

// dataset describes what a history makes: two checkins a working day, one approval
// of each form a quarter, one report and one entry of each log a month.
func (t *tenant) datasets(collection string, now time.Time) []core.Dataset {
	switch collection {
	case collApprovals:
		var list []core.Dataset
		for _, form := range forms {
			list = append(list, core.Dataset{
				Name: collApprovals, Salt: form.id, Every: 90, Hours: []int{10}, Stamp: of("apply_time", "applyer"),
				Show: func(r core.Record) map[string]any { return t.approval(form, r, now) },
			})
		}
		return list
	case collCheckins:
		return []core.Dataset{{
			Name: collCheckins, Salt: "checkin", Every: 1, Hours: []int{8, 18}, Show: checkin,
			Stamp: stamp("checkin_time", "userid"),
		}}
	case collJournals:
		return []core.Dataset{{
			Name: collJournals, Salt: "journal", Every: 30, Hours: []int{17}, Show: report,
			Stamp: of("report_time", "submitter"),
		}}
	case collAdminLog:
		return []core.Dataset{{
			Name: collAdminLog, Salt: "admin", Every: 30, Hours: []int{14}, Show: t.adminEntry,
			Stamp: stamp("time", "userid"),
		}}
	case collMemberLog:
		return []core.Dataset{{
			Name: collMemberLog, Salt: "member", Every: 30, Hours: []int{15}, Show: memberEntry,
			Stamp: stamp("time", "userid"),
		}}
	}
	return nil
}

// shelf lists a collection without days.
func (t *tenant) shelf(collection string) []map[string]any {
	var list []map[string]any
	if t.spec.Options.History.Days > 0 {
		for n := 1; n <= 3; n++ {
			list = append(list, t.invent(collection, n)...)
		}
	}
	return t.past.Shelf(collection, shelves[collection], list)
}

// invent makes what belongs to the n-th space or chat, which is the n-th member's.
func (t *tenant) invent(collection string, n int) []map[string]any {
	space, made := fmt.Sprintf("s.ww%04d", n), t.began.AddDate(0, 0, -t.spec.Options.History.Days).Unix()
	owner, k := "", 0
	for _, u := range t.users.All(core.Live) {
		if owner = u.UserID; k == n-1 {
			break
		}
		k++
	}
	switch collection {
	case collSpaces:
		return []map[string]any{{
			"spaceid": space, "space_name": fmt.Sprintf("企业空间%d", n), "auth_list": map[string]any{
				"auth_info":   []map[string]any{{"type": 1, "userid": owner, "auth": spaceAdmin}},
				"quit_userid": []string{},
			},
		}}
	case collFiles:
		top := space + "_d.1"
		list := []map[string]any{file(space, space, top, "会议纪要", owner, folder, made)}
		for i := range 30 {
			name := fmt.Sprintf("纪要%d.pdf", i+1)
			list = append(list, file(space, top, fmt.Sprintf("%s_f.%02d", space, i+1), name, owner, 2, made))
		}
		return list
	default:
		return []map[string]any{{
			"chat_id": fmt.Sprintf("wrOgQhDgAA%08d", n), "status": 0, "name": fmt.Sprintf("客户群%d", n), "owner": owner,
			"create_time": made,
		}}
	}
}

// pastObjects lists a collection of the past, pastObject gives one of it.
func (t *tenant) pastObjects(collection string, now time.Time) []any {
	list := []any{}
	if shelves[collection] != "" {
		for _, o := range t.shelf(collection) {
			list = append(list, o)
		}
		return list
	}
	for i, d := range t.datasets(collection, now) {
		for r := range t.past.Records(d, t.span(time.Time{}, now, now, nil)) {
			if i == 0 || !r.ByHand() { // what was made by hand is in every dataset of the collection
				list = append(list, r.Object())
			}
		}
	}
	return list
}

func (t *tenant) pastObject(collection, id string, now time.Time) (map[string]any, bool) {
	if field := shelves[collection]; field != "" {
		for _, o := range t.shelf(collection) {
			if o[field] == id {
				return o, true
			}
		}
	}
	for _, d := range t.datasets(collection, now) {
		if r, ok := t.past.Record(d, t.span(time.Time{}, now, now, nil), id); ok {
			return r.Object(), true
		}
	}
	return nil, false
}

// ids are the fields that hold the id of what is made by hand.
var ids = map[string]string{collApprovals: "sp_no", collJournals: "journal_uuid"}

// editPast makes, changes or removes an object of the past by hand, in the form that
// it has on the wire: no fields remove it.
func (t *tenant) editPast(collection, id string, fields json.RawMessage, create bool, now time.Time) error {
	object, there := t.pastObject(collection, id, now)
	switch {
	case create && there:
		return fmt.Errorf("%q in %s: %w", id, collection, core.ErrExists)
	case !create && !there:
		return missing(collection, id)
	case fields == nil:
		t.past.Put(collection, id, nil)
		return nil
	}
	if object == nil {
		object = map[string]any{}
	}
	object, err := core.MergeObject(object, fields)
	if err != nil {
		return err
	}
	field := ids[collection]
	if field == "" {
		field = shelves[collection]
	}
	if field != "" {
		object[field] = id
	}
	t.past.Put(collection, id, object)
	return nil
}

// allowed refuses an app that is not among those that a product lists.
func (x *exchange) allowed(product string, code int) *failure {
	if slices.Contains(x.tenant.spec.Options.Closed, product) {
		return fail(code)
	}
	return nil
}

// unix reads a time in seconds: a number, or text, as the samples of some pages have it.
func (x *exchange) unix(name string) (time.Time, bool) {
	if x.form.kind(name) == '"' {
		text, _ := x.form.text(name)
		n, err := strconv.ParseInt(text, 10, 64)
		return time.Unix(n, 0), err == nil
	}
	n, s := read[int64](x.form, name)
	return time.Unix(n, 0), s == given
}

// window reads two times that are in order and not further apart than longest.
func (x *exchange) window(from, to string, longest time.Duration) (start, end time.Time, ok bool) {
	start, ok1 := x.unix(from)
	end, ok2 := x.unix(to)
	return start, end, ok1 && ok2 && !end.Before(start) && end.Sub(start) <= longest
}

// number reads one from low to high; other stands for one that is not given, and
// is outside where one must be.
func (x *exchange) number(name string, other, low, high int) (int, bool) {
	n, s := read[int](x.form, name)
	if s == absent {
		n = other
	}
	return n, s != wrong && n >= low && n <= high
}

// seesPerson tells whether the person of a record is visible to the app.
func (x *exchange) seesPerson() func(string) bool {
	v := x.credential.sees(x.view)
	if v.all {
		return func(string) bool { return true }
	}
	return func(id string) bool {
		u, ok := x.tenant.user(id, x.view)
		return ok && v.user(u)
	}
}
