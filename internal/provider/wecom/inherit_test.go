package wecom

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// desk answers the calls that pass customers and groups on.
type desk struct {
	now func() time.Time
	// customers are those of leavers, and what became of them: 0 is nothing yet.
	customers map[string]*customer
	groups    map[string]*group
	// listed: customers stay in the list of the unassigned while they are on their way.
	listed bool
	// byOwner answers for groups of a leaver; without it, 40003.
	byOwner bool
	// large: groups are not listed without their owners (81017).
	large bool

	batches      []int // of customers
	groupBatches []int
	asked        map[string]int // how often for each customer
	codes        map[string]int // what is answered of a customer or group
}

type customer struct {
	leaver string
	status int
	until  time.Time
}

type group struct {
	owner  string
	status int
}

func newDesk(leaver string, customers, groups int) *desk {
	k := &desk{customers: map[string]*customer{}, groups: map[string]*group{}, asked: map[string]int{}, codes: map[string]int{}, byOwner: true}
	k.add(leaver, customers, groups)
	return k
}

func (k *desk) add(leaver string, customers, groups int) {
	for i := range customers {
		k.customers[fmt.Sprintf("%s-c%04d", leaver, i)] = &customer{leaver: leaver}
	}
	for i := range groups {
		k.groups[fmt.Sprintf("%s-g%04d", leaver, i)] = &group{owner: leaver, status: groupOrphaned}
	}
}

func (k *desk) answers() map[string]func(*http.Request, map[string]any) string {
	return map[string]func(*http.Request, map[string]any) string{
		"user/get":     answer(`{"errcode":60111,"errmsg":"userid not found"}`),
		"user/list_id": answer(`{"errcode":0,"errmsg":"ok","dept_user":[{"userid":"heir","department":1}]}`),
		"externalcontact/get_unassigned_list": func(_ *http.Request, body map[string]any) string {
			var rows []string
			for _, id := range sorted(k.customers) {
				if c := k.customers[id]; c.status == 0 || k.listed && c.status == transferWaits {
					rows = append(rows, fmt.Sprintf(`{"handover_userid":%q,"external_userid":%q,"dimission_time":1}`, c.leaver, id))
				}
			}
			rows, next := onePage(rows, body["cursor"], 100)
			return `{"errcode":0,"errmsg":"ok","info":[` + strings.Join(rows, ",") + `],"is_last":false,"next_cursor":"` + next + `"}`
		},
		"externalcontact/resigned/transfer_result": func(_ *http.Request, body map[string]any) string {
			var rows []string
			for _, id := range sorted(k.customers) {
				if c := k.customers[id]; c.status != 0 && strings.EqualFold(c.leaver, body["handover_userid"].(string)) {
					if c.status == transferWaits && !k.now().Before(c.until) {
						c.status = transferDone
					}
					rows = append(rows, fmt.Sprintf(`{"external_userid":%q,"status":%d,"takeover_time":%d}`, id, c.status, c.until.Unix()))
				}
			}
			rows, next := onePage(rows, body["cursor"], 100)
			return `{"errcode":0,"errmsg":"ok","customer":[` + strings.Join(rows, ",") + `],"next_cursor":"` + next + `"}`
		},
		opTransfer:                       k.transfer,
		"externalcontact/groupchat/list": k.listGroups,
		"externalcontact/groupchat/get": func(_ *http.Request, body map[string]any) string {
			return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","group_chat":{"chat_id":%q,"owner":%q}}`, body["chat_id"], k.groups[body["chat_id"].(string)].owner)
		},
		opTransferGroup: k.transferGroups,
	}
}

func sorted[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func onePage(rows []string, cursor any, size int) (page []string, next string) {
	var at int
	if c, ok := cursor.(string); ok {
		_, _ = fmt.Sscan(c, &at)
	}
	if page = rows[min(at, len(rows)):]; len(page) > size {
		return page[:size], fmt.Sprint(at + size)
	}
	return page, ""
}

func (k *desk) transfer(_ *http.Request, body map[string]any) string {
	list, _ := body["external_userid"].([]any)
	if len(list) == 0 || len(list) > 100 {
		return `{"errcode":40058,"errmsg":"x"}`
	}
	if code := k.codes["transfer"]; code != 0 {
		return fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, code)
	}
	k.batches = append(k.batches, len(list))
	var rows []string
	for _, v := range list {
		id := v.(string)
		k.asked[id]++
		code := k.codes[id]
		if code == 0 {
			k.customers[id].status, k.customers[id].until = transferWaits, k.now().Add(24*time.Hour)
		}
		rows = append(rows, fmt.Sprintf(`{"external_userid":%q,"errcode":%d}`, id, code))
	}
	return `{"errcode":0,"errmsg":"ok","customer":[` + strings.Join(rows, ",") + `]}`
}

func (k *desk) listGroups(_ *http.Request, body map[string]any) string {
	filter, named := body["owner_filter"].(map[string]any)
	if named && !k.byOwner {
		return `{"errcode":40003,"errmsg":"invalid userid"}`
	}
	if !named && k.large {
		return `{"errcode":81017,"errmsg":"x"}`
	}
	var rows []string
	for _, id := range sorted(k.groups) {
		g := k.groups[id]
		if named && !strings.EqualFold(g.owner, filter["userid_list"].([]any)[0].(string)) || body["status_filter"] != 0.0 && body["status_filter"] != float64(g.status) {
			continue
		}
		rows = append(rows, fmt.Sprintf(`{"chat_id":%q,"status":%d}`, id, g.status))
	}
	rows, next := onePage(rows, body["cursor"], 100)
	return `{"errcode":0,"errmsg":"ok","group_chat_list":[` + strings.Join(rows, ",") + `],"next_cursor":"` + next + `"}`
}

func (k *desk) transferGroups(_ *http.Request, body map[string]any) string {
	list, _ := body["chat_id_list"].([]any)
	if len(list) == 0 || len(list) > 100 {
		return `{"errcode":40058,"errmsg":"x"}`
	}
	k.groupBatches = append(k.groupBatches, len(list))
	var failed []string
	for _, v := range list {
		id := v.(string)
		if code := k.codes[id]; code != 0 {
			failed = append(failed, fmt.Sprintf(`{"chat_id":%q,"errcode":%d,"errmsg":"x"}`, id, code))
			continue
		}
		k.groups[id].owner, k.groups[id].status = body["new_owner"].(string), groupPassedOn
	}
	return `{"errcode":0,"errmsg":"ok","failed_chat_list":[` + strings.Join(failed, ",") + `]}`
}

// inherits opens a directory on the desk.
func (k *desk) inherits(t *testing.T) (*stub, *Directory) {
	t.Helper()
	s := newStub(t, k.answers())
	k.now = s.clock
	return s, s.open(true)
}

// passes fails unless the inheritance is so far; again is how long from now.
func passes(t *testing.T, d *Directory, leaver string, done, waiting, refused int, again time.Duration) {
	t.Helper()
	got, err := d.Inherit(t.Context(), leaver, "heir")
	want := directory.Inheritance{Done: done, Waiting: waiting, Refused: refused}
	if again > 0 {
		want.Again = d.details.now().Add(again).Truncate(time.Second)
	}
	if got.Again = got.Again.Truncate(time.Second); err != nil || got.Done != want.Done || got.Waiting != want.Waiting || got.Refused != want.Refused || !got.Again.Equal(want.Again) {
		t.Errorf("inherited %+v, %v, want %+v", got, err, want)
	}
}

func TestCustomersArePassedOnOnce(t *testing.T) {
	for _, listed := range []bool{true, false} {
		k := newDesk("leaver", 250, 0)
		k.add("other", 30, 0)
		k.listed = listed
		s, d := k.inherits(t)
		passes(t, d, "leaver", 0, 250, 0, 24*time.Hour)
		if !slices.Equal(k.batches, []int{100, 100, 50}) {
			t.Errorf("asked in batches of %v", k.batches)
		}
		s.advance(time.Hour)
		passes(t, d, "Leaver", 0, 250, 0, 23*time.Hour) // an id is one whatever its case
		k.customers["leaver-c0000"].status = transferRefused
		k.customers["leaver-c0001"].status = transferFull
		s.advance(23 * time.Hour)
		passes(t, d, "leaver", 248, 0, 2, 0)
		for id, n := range k.asked {
			if n != 1 || !strings.HasPrefix(id, "leaver") {
				t.Errorf("asked for %s %d times", id, n)
			}
		}
	}
}

func TestWhoHasNothingToPassOn(t *testing.T) {
	k := newDesk("other", 3, 3)
	for _, byOwner := range []bool{true, false} {
		k.byOwner = byOwner
		_, d := k.inherits(t)
		passes(t, d, "leaver", 0, 0, 0, 0)
	}
	if len(k.batches)+len(k.groupBatches) != 0 {
		t.Error("something was passed on")
	}
	// One whom the calls do not know at all.
	answers := k.answers()
	answers["externalcontact/resigned/transfer_result"] = answer(`{"errcode":40003,"errmsg":"invalid userid"}`)
	answers["user/get"] = func(r *http.Request, _ map[string]any) string {
		if r.URL.Query().Get("userid") == "heir" {
			return person("heir", statusActive, 1)
		}
		return `{"errcode":60111,"errmsg":"userid not found"}`
	}
	passes(t, newStub(t, answers).open(true), "leaver", 0, 0, 0, 0)
	// The same answer, and it is the successor who is gone: that nothing is listed proves nothing.
	answers["user/get"] = answer(`{"errcode":60111,"errmsg":"userid not found"}`)
	answers["user/list_id"] = answer(`{"errcode":0,"errmsg":"ok","dept_user":[{"userid":"x","department":1}]}`)
	_, err := newStub(t, answers).open(true).Inherit(t.Context(), "leaver", "heir")
	refused(t, err, directory.Invalid, noSuccessor)
}

func TestAnInheritanceThatWaitsLongerThanItShould(t *testing.T) {
	k := newDesk("leaver", 2, 0)
	s, d := k.inherits(t)
	passes(t, d, "leaver", 0, 2, 0, 24*time.Hour)
	k.now = func() time.Time { return s.clock().Add(-48 * time.Hour) } // the platform is late
	s.advance(25 * time.Hour)
	passes(t, d, "leaver", 0, 2, 0, 0) // soon
	for _, c := range k.customers {
		c.until = time.Unix(s.clock().UnixMilli(), 0) // milliseconds for seconds
	}
	passes(t, d, "leaver", 0, 2, 0, 24*time.Hour)
}

func TestWhatThePlatformSaysOfOneCustomer(t *testing.T) {
	for code, want := range map[int]struct {
		waiting, refused int
		class            directory.Class
		words            string
	}{
		40100: {waiting: 3}, 40129: {waiting: 3},
		40099: {waiting: 2, refused: 1}, 40096: {waiting: 2, refused: 1}, 84061: {waiting: 2, refused: 1}, 40131: {waiting: 2, refused: 1},
		40128: {waiting: 2, refused: 1}, 987654: {waiting: 2, refused: 1}, // not known here
		40097: {class: directory.Conflict, words: "gone"}, 40098: {class: directory.Invalid, words: "实名认证"},
		84083: {class: directory.Invalid, words: "客户联系"}, 40003: {waiting: 2, refused: 1},
		45033: {class: directory.RateLimited}, 6000: {class: directory.Unavailable}, -1: {class: directory.OutcomeUnknown},
		48002: {class: directory.PermissionDenied, words: "可调用接口的应用"},
	} {
		k := newDesk("leaver", 3, 0)
		k.codes["leaver-c0001"] = code
		_, d := k.inherits(t)
		got, err := d.Inherit(t.Context(), "leaver", "heir")
		refused(t, err, want.class, want.words)
		if got.Waiting != want.waiting || got.Refused != want.refused || got.Done != 0 {
			t.Errorf("code %d: %+v", code, got)
		}
	}
}

func TestAnAnswerThatLeavesCustomersOutIsAskedForSoon(t *testing.T) {
	k := newDesk("leaver", 3, 0)
	answers := k.answers()
	answers[opTransfer] = answer(`{"errcode":0,"errmsg":"ok","customer":[{"external_userid":"leaver-c0000","errcode":0}]}`)
	s := newStub(t, answers)
	k.now = s.clock
	passes(t, s.open(true), "leaver", 0, 3, 0, 0)
}

func TestInheritancesThatCannotBegin(t *testing.T) {
	k := newDesk("leaver", 3, 3)
	inherit := func(answers map[string]func(*http.Request, map[string]any) string, app bool, successor string) error {
		t.Helper()
		s := newStub(t, answers)
		k.now = s.clock
		_, err := s.open(app).Inherit(t.Context(), "leaver", successor)
		return err
	}
	refused(t, inherit(k.answers(), false, "heir"), directory.PermissionDenied, "appSecret", "可调用接口的应用", "离职继承")
	for _, successor := range []string{"", "Leaver"} {
		refused(t, inherit(k.answers(), true, successor), directory.Invalid, "somebody else")
	}
	for _, status := range []int{statusActive, statusDisabled} {
		answers := k.answers()
		answers["user/get"] = answer(person("leaver", status, 1))
		refused(t, inherit(answers, true, "heir"), directory.Conflict, "still there")
	}
	hidden := k.answers()
	hidden["user/list_id"] = answer(`{"errcode":0,"errmsg":"ok","dept_user":[{"userid":"leaver","department":1}]}`)
	refused(t, inherit(hidden, true, "heir"), directory.PermissionDenied, "visible range")
	for _, operation := range []string{"externalcontact/resigned/transfer_result", "externalcontact/get_unassigned_list", "externalcontact/groupchat/list"} {
		for _, code := range []int{48001, 48002} {
			answers := newDesk("other", 0, 0).answers()
			answers[operation] = answer(fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, code))
			refused(t, inherit(answers, true, "heir"), directory.PermissionDenied, "appSecret", "可调用接口的应用", "离职继承")
		}
	}
	if len(k.batches)+len(k.groupBatches) != 0 {
		t.Error("something was passed on")
	}
	k.codes["transfer"] = 40097
	refused(t, inherit(k.answers(), true, "heir"), directory.Conflict, "gone")
	for _, code := range []int{40003, 60111, 46004} {
		k.codes["transfer"] = code
		refused(t, inherit(k.answers(), true, "heir"), directory.Invalid, "successor")
	}
	left := k.answers()
	left["user/get"] = answer(person("leaver", statusLeft, 1))
	delete(k.codes, "transfer")
	if err := inherit(left, true, "heir"); err != nil {
		t.Errorf("somebody of status 5 has left: %v", err)
	}
}

func TestGroupsArePassedOnWhicheverWayTheyAreFound(t *testing.T) {
	for _, byOwner := range []bool{true, false} {
		k := newDesk("leaver", 0, 230)
		k.add("other", 0, 5)
		k.byOwner = byOwner
		k.groups["leaver-g0000"].status = groupOnItsWay
		_, d := k.inherits(t)
		passes(t, d, "leaver", 229, 1, 0, time.Hour)
		if !slices.Equal(k.groupBatches, []int{100, 100, 29}) {
			t.Errorf("by owner %t: batches of %v", byOwner, k.groupBatches)
		}
		for id, g := range k.groups {
			if (g.owner == "heir") != (strings.HasPrefix(id, "leaver") && id != "leaver-g0000") {
				t.Errorf("by owner %t: %s is %s's", byOwner, id, g.owner)
			}
		}
		passes(t, d, "LEAVER", 0, 1, 0, time.Hour) // an id is one whatever its case
		k.groups["leaver-g0000"].owner = "heir"
		passes(t, d, "leaver", 0, 0, 0, 0)
	}
}

func TestGroupsOfALargeCompany(t *testing.T) {
	k := newDesk("leaver", 2, 2)
	k.large = true
	_, d := k.inherits(t)
	passes(t, d, "leaver", 2, 2, 0, 24*time.Hour)
	passes(t, d, "leaver", 0, 2, 0, 24*time.Hour) // none is left, says the list by owners
	k = newDesk("leaver", 2, 2)
	k.large, k.byOwner = true, false
	_, d = k.inherits(t)
	_, err := d.Inherit(t.Context(), "leaver", "heir")
	refused(t, err, directory.NotSupported, "离职继承", "customers were passed on")
	if len(k.batches) != 1 {
		t.Error("customers were not passed on")
	}
}

func TestWhatThePlatformSaysOfOneGroup(t *testing.T) {
	for code, want := range map[int]struct {
		done, waiting, refused int
		again                  time.Duration
		class                  directory.Class
	}{
		90508: {done: 3}, 90504: {done: 3}, 90507: {done: 2, waiting: 1, again: time.Hour}, 45009: {done: 2, waiting: 1, again: 24 * time.Hour},
		90503: {done: 2, refused: 1}, 40003: {done: 2, refused: 1}, 49008: {done: 2, refused: 1}, 987654: {done: 2, refused: 1},
		90500: {class: directory.Conflict}, 40098: {class: directory.Invalid},
	} {
		k := newDesk("leaver", 0, 3)
		k.codes["leaver-g0001"] = code
		_, d := k.inherits(t)
		if want.class == "" {
			passes(t, d, "leaver", want.done, want.waiting, want.refused, want.again)
			continue
		}
		_, err := d.Inherit(t.Context(), "leaver", "heir")
		refused(t, err, want.class)
	}
}

// One new owner gets 300 groups a day, whoever had them; the rest waits.
func TestGroupsOfMoreThanADay(t *testing.T) {
	k := newDesk("first", 0, 250)
	k.add("second", 0, 420)
	s, d := k.inherits(t)
	passes(t, d, "first", 250, 0, 0, 0)
	passes(t, d, "second", 50, 370, 0, 24*time.Hour)
	passes(t, d, "second", 0, 370, 0, 24*time.Hour)
	if got, err := d.Inherit(t.Context(), "second", "another"); err != nil || got.Done != 300 || got.Waiting != 70 {
		t.Errorf("somebody else has a day of their own: %+v, %v", got, err)
	}
	s.advance(24 * time.Hour)
	passes(t, d, "second", 70, 0, 0, 0)
	if !slices.Equal(k.groupBatches, []int{100, 100, 50, 50, 100, 100, 100, 70}) {
		t.Errorf("batches of %v", k.groupBatches)
	}
}

// A transfer without an answer is looked up, not asked for again.
func TestP3ATransferWithoutAnAnswerIsNotAskedForTwice(t *testing.T) {
	k := newDesk("Leaver", 2, 0) // as the platform writes it
	k.listed = true
	answers := k.answers()
	lost := true
	answers[opTransfer] = func(r *http.Request, body map[string]any) string {
		done := k.transfer(r, body)
		if lost {
			return "<html>gateway</html>"
		}
		return done
	}
	s := newStub(t, answers)
	k.now = s.clock
	d := s.open(true)
	_, err := d.Inherit(t.Context(), "leaver", "heir")
	refused(t, err, directory.OutcomeUnknown)
	lost = false
	passes(t, d, "leaver", 0, 2, 0, 24*time.Hour)
	if len(k.batches) != 1 {
		t.Errorf("asked %d times", len(k.batches))
	}
}

// cutOffOnce closes the connection instead of the first answer to each operation.
func cutOffOnce(answers map[string]func(*http.Request, map[string]any) string) {
	for operation, whole := range answers {
		var cut sync.Once
		answers[operation] = func(r *http.Request, body map[string]any) string {
			cut.Do(func() { panic(http.ErrAbortHandler) })
			return whole(r, body)
		}
	}
}

func TestResiduals(t *testing.T) {
	find := func(k *desk, b *tagbook, change func(map[string]func(*http.Request, map[string]any) string), app bool) ([]string, error) {
		answers := k.answers()
		for operation, f := range b.answers() {
			answers[operation] = f
		}
		answers["department/list"] = answer(`{"errcode":0,"errmsg":"ok","department":[{"id":1,"parentid":0,"department_leader":["Leaver","x"]},` +
			`{"id":2,"parentid":1,"department_leader":[]}]}`)
		if change != nil {
			change(answers)
		}
		s := newStub(t, answers)
		k.now = s.clock
		return s.open(app).Residuals(t.Context(), "leaver")
	}
	full := func() (*desk, *tagbook) {
		k := newDesk("leaver", 2, 3)
		k.groups["leaver-g0000"].status = groupOnItsWay
		return k, &tagbook{tags: map[string][]string{"3": {"leaver"}, "4": {"x"}}}
	}
	contacts := []string{"leads department 1", `has the tag "标签3", id 3`}
	customers := []string{"2 customers wait", "3 groups with customers wait"}
	for name, c := range map[string]struct {
		change func(map[string]func(*http.Request, map[string]any) string)
		app    bool
		want   []string
	}{
		"all there is":      {app: true, want: slices.Concat(contacts, customers)},
		"each cut off once": {app: true, want: slices.Concat(contacts, customers), change: cutOffOnce},
		"without an app":    {want: contacts},
		"without 客户联系": {app: true, want: contacts, change: func(a map[string]func(*http.Request, map[string]any) string) {
			a["externalcontact/get_unassigned_list"] = answer(`{"errcode":48002,"errmsg":"x"}`)
		}},
		"too large to list groups": {app: true, want: slices.Concat(contacts, customers[:1]), change: func(a map[string]func(*http.Request, map[string]any) string) {
			a["externalcontact/groupchat/list"] = answer(`{"errcode":81017,"errmsg":"x"}`)
		}},
	} {
		k, b := full()
		left, err := find(k, b, c.change, c.app)
		if err != nil || len(left) != len(c.want) {
			t.Errorf("%s: %q, %v", name, left, err)
			continue
		}
		for i, words := range c.want {
			if !strings.HasPrefix(left[i], words) {
				t.Errorf("%s: %q, want %q", name, left[i], words)
			}
		}
	}
	nothing := func(a map[string]func(*http.Request, map[string]any) string) {
		a["department/list"] = answer(`{"errcode":0,"errmsg":"ok","department":[{"id":1,"department_leader":["x"]}]}`)
	}
	if left, err := find(newDesk("x", 1, 1), &tagbook{tags: map[string][]string{"3": {"x"}}}, nothing, true); left != nil || err != nil {
		t.Errorf("nothing is left, and found %q, %v", left, err)
	}
	for _, operation := range []string{"department/list", "tag/list", "externalcontact/get_unassigned_list", "externalcontact/groupchat/list"} {
		k, b := full()
		_, err := find(k, b, func(a map[string]func(*http.Request, map[string]any) string) {
			a[operation] = answer(`{"errcode":45009,"errmsg":"x"}`)
		}, true)
		refused(t, err, directory.RateLimited)
	}
}
