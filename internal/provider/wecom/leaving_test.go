package wecom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

func TestRemovalsEndAsThePlatformSays(t *testing.T) {
	for body, want := range map[string]struct {
		class directory.Class
		words string
	}{
		`{"errcode":0,"errmsg":"deleted"}`:                                                {},
		`{"errcode":60111,"errmsg":"invalid string value ` + "`Leaver`" + `. not found"}`: {directory.NotFound, "no such user"},
		`{"errcode":301005,"errmsg":"x"}`:                                                 {directory.Conflict, "make somebody else the creator"},
		`{"errcode":48002,"errmsg":"x"}`:                                                  {directory.PermissionDenied, "通讯录同步"},
		`{"errcode":-1,"errmsg":"busy"}`:                                                  {directory.OutcomeUnknown, ""},
		`{"errmsg":"nothing said"}`:                                                       {directory.OutcomeUnknown, ""},
		`{"errcode":45009,"errmsg":"x"}`:                                                  {directory.RateLimited, ""},
	} {
		s := newStub(t, map[string]func(*http.Request, map[string]any) string{"user/delete": func(r *http.Request, _ map[string]any) string {
			if q := r.URL.Query(); r.Method != http.MethodGet || q.Get("userid") != "leaver" || !strings.HasPrefix(q.Get("access_token"), syncValue) {
				t.Errorf("asked with %s %v", r.Method, q)
			}
			return body
		}})
		err := s.open(true).Remove(t.Context(), "leaver", directory.Removal{Successor: "heir", Reason: "x"})
		refused(t, err, want.class, want.words)
		if n := s.count("user/delete"); n != 1 {
			t.Errorf("%s: asked %d times", body, n)
		}
	}
}

// tagbook answers the calls of tags. Everybody in there exists and is visible, but the hidden.
type tagbook struct {
	mu      sync.Mutex
	tags    map[string][]string // users by tag
	parties map[string][]int
	exist   []string
	hidden  []string
	calls   []int // sizes of calls that change a tag
	// stuck are those whom the platform refuses to take the tag from, for no reason.
	stuck []string
}

func (b *tagbook) answers() map[string]func(*http.Request, map[string]any) string {
	return map[string]func(*http.Request, map[string]any) string{
		"tag/list": func(*http.Request, map[string]any) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			var rows []string
			for id := range b.tags {
				rows = append(rows, fmt.Sprintf(`{"tagid":%s,"tagname":"标签%s"}`, id, id))
			}
			slices.Sort(rows)
			return `{"errcode":0,"errmsg":"ok","taglist":[` + strings.Join(rows, ",") + `]}`
		},
		"tag/get": func(r *http.Request, _ map[string]any) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			id := r.URL.Query().Get("tagid")
			if _, known := b.tags[id]; !known {
				return `{"errcode":40068,"errmsg":"invalid tagid"}`
			}
			var rows, parties []string
			for _, u := range b.tags[id] {
				if !slices.Contains(b.hidden, u) {
					rows = append(rows, fmt.Sprintf(`{"userid":%q,"name":"x"}`, u))
				}
			}
			for _, p := range b.parties[id] {
				parties = append(parties, strconv.Itoa(p))
			}
			return `{"errcode":0,"errmsg":"ok","tagname":"x","userlist":[` + strings.Join(rows, ",") + `],"partylist":[` + strings.Join(parties, ",") + `]}`
		},
		"user/get": func(r *http.Request, _ map[string]any) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			id := r.URL.Query().Get("userid")
			if !slices.Contains(b.exist, id) || slices.Contains(b.hidden, id) {
				return `{"errcode":60111,"errmsg":"userid not found"}`
			}
			return person(id, statusActive, 1)
		},
		"user/list_id": func(*http.Request, map[string]any) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			var rows []string
			for _, id := range b.exist {
				rows = append(rows, fmt.Sprintf(`{"userid":%q,"department":1}`, id))
			}
			return `{"errcode":0,"errmsg":"ok","dept_user":[` + strings.Join(rows, ",") + `]}`
		},
		"department/get":        answer(`{"errcode":60123,"errmsg":"x"}`),
		"department/simplelist": answer(`{"errcode":60123,"errmsg":"x"}`),
		"tag/deltagusers":       b.remove,
	}
}

// remove takes the tag from those it knows and may see; the others are invalid.
func (b *tagbook) remove(_ *http.Request, body map[string]any) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := fmt.Sprint(body["tagid"])
	if _, known := b.tags[id]; !known {
		return `{"errcode":40068,"errmsg":"invalid tagid"}`
	}
	users, _ := body["userlist"].([]any)
	parties, _ := body["partylist"].([]any)
	if len(users)+len(parties) == 0 || len(users) > 1000 || len(parties) > 100 {
		return `{"errcode":40035,"errmsg":"invalid args size"}`
	}
	b.calls = append(b.calls, len(users)+len(parties))
	var bad []string
	for _, u := range users {
		user := u.(string)
		if !slices.Contains(b.exist, user) || slices.Contains(b.hidden, user) || slices.Contains(b.stuck, user) {
			bad = append(bad, user)
			continue
		}
		b.tags[id] = slices.DeleteFunc(b.tags[id], func(other string) bool { return other == user })
	}
	var badParties []string
	for _, p := range parties {
		if n := int(p.(float64)); slices.Contains(b.parties[id], n) {
			b.parties[id] = slices.DeleteFunc(b.parties[id], func(other int) bool { return other == n })
		} else {
			badParties = append(badParties, strconv.Itoa(n))
		}
	}
	if len(bad) == len(users) && len(badParties) == len(parties) {
		return `{"errcode":40031,"errmsg":"all list invalid"}`
	}
	return fmt.Sprintf(`{"errcode":0,"errmsg":"deleted","invalidlist":%q,"invalidparty":[%s]}`, strings.Join(bad, "|"), strings.Join(badParties, ","))
}

func ids(members []directory.RoleMember) (roles []string) {
	for _, m := range members {
		roles = append(roles, m.Role)
	}
	return roles
}

func TestRolesOfAreOnesOwn(t *testing.T) {
	b := &tagbook{
		tags:    map[string][]string{"3": {"a", "b"}, "4": {"b"}, "5": {}, "6": {"A"}},
		parties: map[string][]int{"5": {1}}, exist: []string{"a", "b", "h"}, hidden: []string{"h"},
	}
	d := newStub(t, b.answers()).open(true)
	for id, want := range map[string][]string{"a": {"3", "6"}, "b": {"3", "4"}} {
		roles, err := d.RolesOf(t.Context(), id)
		if err != nil || !slices.Equal(ids(roles), want) || roles[0].Account != id {
			t.Errorf("%s has %+v, %v, want %q", id, roles, err, want)
		}
	}
	_, err := d.RolesOf(t.Context(), "nobody")
	refused(t, err, directory.NotFound)
	_, err = d.RolesOf(t.Context(), "h") // the app is not told of their tags
	refused(t, err, directory.PermissionDenied, "visible range")
}

// A tag that cannot be read may be theirs; one that vanished is nobody's.
func TestNoRoleIsHiddenByATagThatCannotBeRead(t *testing.T) {
	b := &tagbook{tags: map[string][]string{"3": {"a"}, "4": {"a"}}, exist: []string{"a"}}
	answers := b.answers()
	whole, code := answers["tag/get"], 60011
	answers["tag/get"] = func(r *http.Request, body map[string]any) string {
		if r.URL.Query().Get("tagid") == "4" {
			return fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, code)
		}
		return whole(r, body)
	}
	d := newStub(t, answers).open(true)
	_, err := d.RolesOf(t.Context(), "a")
	refused(t, err, directory.PermissionDenied)
	code = 40068
	if roles, err := d.RolesOf(t.Context(), "a"); err != nil || !slices.Equal(ids(roles), []string{"3"}) {
		t.Errorf("has %+v, %v", roles, err)
	}
}

// world is what a shared reading reads, slowly.
type world struct {
	now  atomic.Int64
	read atomic.Int64
}

func (w *world) shared(took time.Duration) *shared[int64] {
	return &shared[int64]{operation: "tag/get", read: func(ctx context.Context) (int64, error) {
		w.read.Add(1)
		seen := w.now.Load() // what is read first is soon old
		select {
		case <-time.After(took):
			return seen, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}}
}

func TestNobodyIsAnsweredFromBeforeTheyAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		s := w.shared(time.Second)
		go func() { _, _ = s.get(t.Context()) }()
		synctest.Wait() // the first reading is under way
		for range 3 {
			want := w.now.Add(1) // a tag is given, and then its holder is asked about
			got, err := s.get(t.Context())
			if err != nil || got < want {
				t.Errorf("read %d, %v, want what was so when it was asked: %d", got, err, want)
			}
		}
	})
}

func TestTwoHundredWhoLeaveAtOnceTakeTwoReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		s := w.shared(time.Minute)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				<-time.After(time.Duration(i) * 100 * time.Millisecond)
				if _, err := s.get(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := w.read.Load(); n != 2 {
			t.Errorf("%d readings", n)
		}
		synctest.Wait()
		if s.busy || s.next != nil {
			t.Error("something is remembered")
		}
	})
}

func TestWhoGivesUpWaitingTakesNoReadingFromOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		s := w.shared(time.Minute)
		ctx, cancel := context.WithCancelCause(t.Context())
		gaveUp, other := make(chan error, 1), make(chan error, 1)
		go func() { _, err := s.get(ctx); gaveUp <- err }()
		synctest.Wait()
		go func() { _, err := s.get(t.Context()); other <- err }()
		synctest.Wait()
		cancel(errors.New("the manager ends"))
		refused(t, <-gaveUp, directory.Unavailable)
		if err := <-other; err != nil || w.read.Load() != 2 {
			t.Errorf("%v after %d readings", err, w.read.Load())
		}
	})
}

func TestTagsAreTakenFromThoseWhoHaveThem(t *testing.T) {
	members := func(users ...string) (all []directory.RoleMember) {
		for _, u := range users {
			all = append(all, directory.RoleMember{Account: u})
		}
		return all
	}
	for name, c := range map[string]struct {
		members []directory.RoleMember
		left    []string
		class   directory.Class
		words   string
	}{
		"everybody":                  {members: members("a", "b"), left: []string{"h", "s"}},
		"one, who is named twice":    {members: members("a", "A"), left: []string{"b", "h", "s"}},
		"somebody who does not have": {members: members("without", "a"), left: []string{"b", "h", "s"}},
		"nobody who exists":          {members: members("gone", "gone2"), left: []string{"a", "b", "h", "s"}},
		"some who do not exist":      {members: members("gone", "a"), left: []string{"b", "h", "s"}},
		"a department":               {members: []directory.RoleMember{{Department: "2"}, {Department: "9"}}, left: []string{"a", "b", "h", "s"}},
		"somebody the app cannot see": {members: members("a", "h"), left: []string{"b", "h", "s"},
			class: directory.PermissionDenied, words: "visible range"},
		"somebody who keeps it": {members: members("a", "s"), left: []string{"b", "h", "s"}, class: directory.Unavailable, words: "does not say why"},
		"nobody":                {left: []string{"a", "b", "h", "s"}},
		"a part of the company": {members: []directory.RoleMember{{Account: "a", Scope: []string{"2"}}}, left: []string{"a", "b", "h", "s"},
			class: directory.NotSupported, words: "no scope"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &tagbook{tags: map[string][]string{"3": {"a", "b", "h", "s"}}, parties: map[string][]int{"3": {2}},
				exist: []string{"a", "b", "h", "s", "without"}, hidden: []string{"h"}, stuck: []string{"s"}}
			err := newStub(t, b.answers()).open(true).RemoveFromRole(t.Context(), "3", c.members)
			refused(t, err, c.class, c.words)
			if !slices.Equal(b.tags["3"], c.left) {
				t.Errorf("left with %q, want %q", b.tags["3"], c.left)
			}
		})
	}
}

func TestTagsAreTakenInFewCalls(t *testing.T) {
	b := &tagbook{tags: map[string][]string{"3": nil}, parties: map[string][]int{"3": nil}}
	var all []directory.RoleMember
	for i := range 1200 {
		b.exist = append(b.exist, fmt.Sprintf("u%d", i))
		all = append(all, directory.RoleMember{Account: b.exist[i]})
	}
	for i := range 150 {
		b.parties["3"] = append(b.parties["3"], 100+i)
		all = append(all, directory.RoleMember{Department: strconv.Itoa(100 + i)})
	}
	b.tags["3"] = slices.Clone(b.exist)
	if err := newStub(t, b.answers()).open(true).RemoveFromRole(t.Context(), "3", all); err != nil {
		t.Fatal(err)
	}
	if len(b.tags["3"])+len(b.parties["3"]) != 0 || !slices.Equal(b.calls, []int{1100, 250}) {
		t.Errorf("%d users and %d departments are left after calls of %v", len(b.tags["3"]), len(b.parties["3"]), b.calls)
	}
}

func TestTagsThatAreGoneOrSomebodyElses(t *testing.T) {
	for code, want := range map[int]directory.Class{40068: "", 81011: directory.PermissionDenied, 60011: directory.PermissionDenied, 48002: directory.PermissionDenied, 45009: directory.RateLimited} {
		says := answer(fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, code))
		d := newStub(t, map[string]func(*http.Request, map[string]any) string{"tag/deltagusers": says, "tag/addtagusers": says, "tag/create": says}).open(true)
		member := []directory.RoleMember{{Account: "a"}}
		taken, given := d.RemoveFromRole(t.Context(), "3", member), d.AddToRole(t.Context(), "3", member)
		refused(t, taken, want)
		_, made := d.CreateRole(t.Context(), directory.Role{Name: "审计员"})
		switch code {
		case 81011, 60011:
			refused(t, taken, want, "made in the console or by another app", "can take it from somebody", "通讯录 → 标签", strconv.Itoa(code))
			refused(t, given, want, "made in the console or by another app", "can give it to somebody", "通讯录 → 标签", strconv.Itoa(code))
		case 48002: // E-102: what is missing, and where it is granted
			for _, err := range []error{taken, given, made} {
				refused(t, err, want, "may not change tags", "应用管理 → 自建", "管理工具 → 通讯录同步", "48002")
			}
		}
	}
	refused(t, newStub(t, nil).open(true).RemoveFromRole(t.Context(), "x", nil), directory.Invalid)
}

// outbox answers message/send.
func outbox(t *testing.T, reply string) (*stub, *[]map[string]any) {
	var sent []map[string]any
	return newStub(t, map[string]func(*http.Request, map[string]any) string{"message/send": func(r *http.Request, body map[string]any) string {
		if !strings.HasPrefix(r.URL.Query().Get("access_token"), appValue) {
			t.Errorf("sent with %s", r.URL)
		}
		sent = append(sent, body)
		return reply
	}}), &sent
}

func TestANoticeIsTheSameRequestWheneverItIsSent(t *testing.T) {
	s, sent := outbox(t, `{"errcode":0,"errmsg":"ok","msgid":"m1"}`)
	d := s.open(true)
	for _, to := range [][]string{{"b", "A", "c"}, {"c", "b", "A", "a"}} {
		r, err := d.Notify(t.Context(), to, "请在周五前交接 <R&D>")
		if err != nil || r.ID != "m1" || len(r.Missed) != 0 {
			t.Errorf("receipt %+v, %v", r, err)
		}
	}
	first := fmt.Sprint((*sent)[0])
	for _, part := range []string{"touser:A|b|c", "msgtype:text", "agentid:1.000002e+06", "content:请在周五前交接 <R&D>",
		"enable_duplicate_check:1", "duplicate_check_interval:14400"} {
		if !strings.Contains(first, part) {
			t.Errorf("sent %s, which lacks %s", first, part)
		}
	}
	if second := fmt.Sprint((*sent)[1]); second != first {
		t.Errorf("sent\n%s and\n%s", first, second)
	}
	if c := d.Capabilities(); c.NoticeWindow != 4*time.Hour {
		t.Errorf("the window is %s", c.NoticeWindow)
	}
	_, err := d.Delivered(t.Context(), directory.Receipt{ID: "m1"})
	refused(t, err, directory.NotSupported)
}

func TestReceiptsNameThoseWhoWereMissed(t *testing.T) {
	to := []string{"Zhang", "li", "Wang"}
	for body, want := range map[string][]string{
		`{"errcode":0,"errmsg":"ok","invaliduser":"","unlicenseduser":"","msgid":"m"}`:              nil,
		`{"errcode":0,"errmsg":"ok","invaliduser":"zhang","unlicenseduser":"wang|x","msgid":"m"}`:   {"Wang", "Zhang"},
		`{"errcode":0,"errmsg":"ok","invaliduser":"ZHANG","msgid":"m"}`:                             {"Zhang"}, // should it ever not
		`{"errcode":81013,"errmsg":"user & party & tag all invalid","invaliduser":"","msgid":"no"}`: {"li", "Wang", "Zhang"},
	} {
		s, _ := outbox(t, body)
		r, err := s.open(true).Notify(t.Context(), to, "x")
		if err != nil || len(r.Missed) != len(want) || !slices.Equal(r.Missed, want) && len(want) > 0 {
			t.Errorf("%s: %+v, %v, want %q", body, r, err, want)
		}
	}
}

func TestNoticesThatAreNotSentSayWhy(t *testing.T) {
	for code, want := range map[int]struct {
		class directory.Class
		words string
	}{
		301002: {directory.PermissionDenied, "agentId"}, 40056: {directory.PermissionDenied, "agentId"}, 48002: {directory.PermissionDenied, "self-built app"},
		-1: {directory.OutcomeUnknown, ""}, 45009: {directory.RateLimited, ""},
	} {
		s, _ := outbox(t, fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, code))
		_, err := s.open(true).Notify(t.Context(), []string{"a"}, "x")
		refused(t, err, want.class, want.words)
	}
	s, sent := outbox(t, `{"errcode":0,"errmsg":"ok","msgid":"m"}`)
	for _, to := range []string{"@all", "a|b", "a b", ""} {
		_, err := s.open(true).Notify(t.Context(), []string{"a", to}, "x")
		refused(t, err, directory.Invalid)
	}
	_, err := s.open(false).Notify(t.Context(), []string{"a"}, "x")
	refused(t, err, directory.NotSupported, "agentId", "appSecret")
	if len(*sent) != 0 {
		t.Errorf("sent %v", *sent)
	}
}

// Requests with characters written as \uxxxx are refused (40033).
func TestRequestsAreWrittenPlainly(t *testing.T) {
	d := newStub(t, nil).open(true)
	req, err := d.client.compose(t.Context(), &request{operation: "x", body: map[string]any{
		"text": "R&D <总部>", "extattr": attribute{Name: "职级", Text: "A&B"}}}, "t")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(body); strings.Contains(text, `\u`) || !strings.Contains(text, "R&D <总部>") || !strings.Contains(text, "A&B") || strings.HasSuffix(text, "\n") {
		t.Errorf("written as %s", text)
	}
}

// The calls that a rehearsal shows are those that are made.
func TestLeavingTakesTheCallsThatItNames(t *testing.T) {
	k := newDesk("leaver", 1, 1)
	answers := k.answers()
	b := &tagbook{tags: map[string][]string{"3": {"there"}}, exist: []string{"there"}}
	for operation, f := range b.answers() {
		answers[operation] = f
	}
	answers["user/update"] = answer(`{"errcode":0,"errmsg":"updated"}`)
	answers["user/delete"] = answer(`{"errcode":0,"errmsg":"deleted"}`)
	answers["message/send"] = answer(`{"errcode":0,"errmsg":"ok","msgid":"m"}`)
	answers["department/list"] = answer(recorded(t, "department_list.json"))
	s := newStub(t, answers)
	k.now = s.clock
	for _, app := range []bool{true, false} {
		d := s.open(app)
		if _, err := d.Roles(t.Context()); err != nil { // takes the tokens
			t.Fatal(err)
		}
		if err := d.Freeze(t.Context(), "there", ""); err != nil {
			t.Fatal(err)
		}
		works := map[directory.Work]func() error{
			directory.WorkFreeze: func() error { return d.Freeze(t.Context(), "there", "") },
			directory.WorkRevoke: func() error {
				roles, err := d.RolesOf(t.Context(), "there")
				if err != nil {
					return err
				}
				return d.RemoveFromRole(t.Context(), roles[0].Role, roles)
			},
			directory.WorkNotify:   func() error { _, err := d.Notify(t.Context(), []string{"there"}, "x"); return err },
			directory.WorkRemove:   func() error { return d.Remove(t.Context(), "leaver", directory.Removal{}) },
			directory.WorkResidual: func() error { _, err := d.Residuals(t.Context(), "leaver"); return err },
			directory.WorkInherit:  func() error { _, err := d.Inherit(t.Context(), "leaver", "heir"); return err },
		}
		order := []directory.Work{directory.WorkFreeze, directory.WorkRevoke, directory.WorkNotify, directory.WorkRemove, directory.WorkResidual, directory.WorkInherit}
		for _, w := range order {
			want := d.Capabilities().Calls[w]
			if want == nil && !app {
				continue
			}
			b.tags["3"] = []string{"there"}
			before := len(s.calls)
			if err := works[w](); err != nil {
				t.Fatalf("%s: %v", w, err)
			}
			if got := s.calls[before:]; !slices.Equal(got, want) {
				t.Errorf("app %t: %s took %q, and names %q", app, w, got, want)
			}
		}
	}
}
