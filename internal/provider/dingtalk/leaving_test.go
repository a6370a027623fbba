package dingtalk

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// no400 is a refusal of the newer API.
func no400(code string) answer {
	return answer{status: http.StatusBadRequest, body: `{"code":"` + code + `","message":"…","requestid":"r"}`}
}

var (
	yes       = answer{body: `{"result":true}`}
	allWell   = answer{body: `{"errcode":0,"errmsg":"ok"}`}
	reasons   = answer{body: `{"success":true,"result":{"voluntaryList":[{"id":"11","name":"家庭原因"},{"id":"12","name":"其他"}],"passiveList":[{"id":"21","name":"其他"}]}}`}
	aUser     = fine(map[string]any{"userid": "E1"})
	lostReply = answer{err: &httpx.Error{Sent: true, Err: errors.New("connection reset")}}
)

func admins(main string) answer {
	return fine([]any{map[string]any{"userid": "S1", "sys_level": 2}, map[string]any{"userid": main, "sys_level": "1"}})
}

func scope403() answer {
	a := no400("Forbidden.AccessDenied.AccessTokenPermissionDenied")
	a.status = http.StatusForbidden
	return a
}

// What Smart HR says of a hand-over, and what is read of the people afterwards.
func TestHandOverOutcomes(t *testing.T) {
	// user/get is asked for the leaver, then for the successor.
	both, leaverGone, heirGone := []answer{aUser, fine(map[string]any{"userid": "E2"})}, []answer{no(60121)}, []answer{aUser, no(60121)}
	for _, c := range []struct {
		name            string
		reasons, handed answer
		people          []answer
		main            string
		class           directory.Class
		code            string
		words           string
		asked           int
	}{
		{"done", reasons, yes, both, "M1", "", "", "", 1},
		{"Smart HR is off", no400("suiteCallInvalid"), yes, both, "M1", directory.PermissionDenied, "suiteCallInvalid", grantLeaving, 0},
		{"Smart HR is off, it says later", reasons, no400("corpNotOpenHrm"), both, "M1", directory.PermissionDenied, "corpNotOpenHrm", grantLeaving, 1},
		{"the scope is missing", scope403(), yes, both, "M1", directory.PermissionDenied, "Forbidden.AccessDenied.AccessTokenPermissionDenied", grantLeaving, 0},
		{"the scope is missing, it says later", reasons, scope403(), both, "M1", directory.PermissionDenied, "Forbidden.AccessDenied.AccessTokenPermissionDenied", "nobody was removed", 1},
		{"no permission", reasons, no400("noPermission"), both, "M1", directory.PermissionDenied, "noPermission", grantLeaving, 1},
		{"no reason at all", answer{body: `{"success":true,"result":{"voluntaryList":[],"passiveList":[{"name":"x"}]}}`}, yes, both, "M1", directory.Conflict, "", "reason for leaving", 0},
		{"gone already", reasons, no400("empNotExists"), leaverGone, "M1", directory.NotFound, "60121", "no such user", 1},
		{"gone already, in other words", reasons, no400("invalidParameter"), leaverGone, "M1", directory.NotFound, "60121", "no such user", 1},
		{"no such successor", reasons, no400("empNotExists"), heirGone, "M1", directory.Invalid, "empNotExists", "successor", 1},
		{"somebody is missing, and both are there", reasons, no400("empNotExists"), both, "M1", directory.Invalid, "empNotExists", "", 1},
		{"the leaver cannot be read", reasons, no400("empNotExists"), []answer{no(60011)}, "M1", directory.PermissionDenied, "60011", "", 1},
		{"the main administrator", reasons, no400("businessError"), both, "E1", directory.Conflict, "businessError", "make somebody else the main administrator", 1},
		{"the main administrator, in other words", reasons, no400("invalidParameter"), both, "e1", directory.Conflict, "invalidParameter", "main administrator", 1},
		{"somebody else whom it keeps", reasons, no400("businessError"), both, "M1", directory.Conflict, "businessError", "admin console", 1},
		{"refused without words", reasons, no400("some.new.code"), both, "M1", directory.Invalid, "some.new.code", "", 1},
		{"not done", reasons, answer{body: `{"result":false}`}, both, "M1", directory.OutcomeUnknown, "", "", 1},
		{"half an answer", reasons, answer{body: `{"res`}, both, "M1", directory.OutcomeUnknown, "", "", 1},
		{"lost", reasons, lostReply, both, "M1", directory.OutcomeUnknown, "", "", 1},
		{"failed", reasons, answer{status: 500, body: `{"code":"systemError"}`}, both, "M1", directory.OutcomeUnknown, "systemError", "", 1},
		{"too fast", reasons, no400("invokeFrequentyly"), both, "M1", directory.RateLimited, "invokeFrequentyly", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opReasons, c.reasons)
			s.on(&opHandOver, c.handed)
			s.on(&opUser, c.people...)
			s.on(&opAdmins, admins(c.main))
			err := d.Remove(t.Context(), "E1", directory.Removal{Successor: "E2", Reason: "contract ended", LastDay: s.now})
			if c.class == "" && err != nil {
				t.Fatal(err)
			}
			if c.class != "" {
				if e := asError(t, err, c.class, c.code); !strings.Contains(e.Message, c.words) {
					t.Errorf("%q does not say %q", e.Message, c.words)
				}
			}
			if n := len(s.calls(&opHandOver)); n != c.asked {
				t.Errorf("%d hand-overs, want %d", n, c.asked)
			}
			if n := len(s.calls(&opRemove)); n != 0 {
				t.Errorf("removed %d times without a hand-over", n)
			}
		})
	}
}

func TestHandOverPassesEverythingOn(t *testing.T) {
	last := time.Date(2026, 3, 31, 0, 0, 0, 0, chinaStandardTime)
	for name, c := range map[string]struct {
		reasons, want string
		removal       directory.Removal
	}{
		"other": {reasons.body, `"terminationReasonVoluntary":["12"],"dismissionMemo":"contract ended","lastWorkDate":1774886400000`,
			directory.Removal{Successor: "E2", Reason: "contract ended", LastDay: last}},
		"passive other": {`{"result":{"voluntaryList":[{"id":11,"name":"家庭原因"}],"passiveList":[{"id":"20","name":"裁员"},{"id":"21","name":"其它原因"}]}}`,
			`"terminationReasonPassive":["21"],"dismissionMemo":"x","lastWorkDate":1774886400000`, directory.Removal{Successor: "E2", Reason: "x", LastDay: last}},
		"the first": {`{"result":{"voluntaryList":[{"id":11,"name":"家庭原因"}],"passiveList":[{"id":"20","name":"裁员"}]}}`,
			`"terminationReasonVoluntary":["11"],"dismissionMemo":"x","lastWorkDate":1774886400000`, directory.Removal{Successor: "E2", Reason: "x", LastDay: last}},
		"the only list, and nothing said": {`{"result":{"passiveList":{"id":"20","name":"裁员"}}}`,
			`"terminationReasonPassive":["20"],"dismissionMemo":"离职","lastWorkDate":1772442000000`, directory.Removal{Successor: "E2"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opReasons, answer{body: c.reasons})
			s.on(&opHandOver, yes)
			if err := d.Remove(t.Context(), "E1", c.removal); err != nil {
				t.Fatal(err)
			}
			sameJSON(t, s.calls(&opHandOver)[0].body, `{"userId":"E1","optUserId":"E2","aflowHandOverUserId":"E2","docNoteHandoverUserId":"E2",`+
				`"dingPanHandoverUserId":"E2","permissionHandoverUserId":"E2","directSubordinatesHandoverUserId":"E2",`+c.want+`}`)
		})
	}
	s, d := newStub(t)
	isError(t, d.Remove(t.Context(), "E1", directory.Removal{Successor: "e1"}), directory.Invalid, "")
	if len(s.seen) != 0 {
		t.Error("a hand-over to oneself was asked for")
	}
}

// P3 and the main administrator: user/delete is asked once at most.
func TestRemovalWithoutASuccessor(t *testing.T) {
	for _, c := range []struct {
		name            string
		admins, removed answer
		class           directory.Class
		code            string
		asked           int
	}{
		{"done", admins("M1"), allWell, "", "", 1},
		{"gone already", admins("M1"), no(33012), directory.NotFound, "33012", 1},
		{"the main administrator", admins("E1"), allWell, directory.Conflict, "", 0},
		{"nobody knows who that is", no(60011), allWell, directory.PermissionDenied, "60011", 0},
		{"not permitted", admins("M1"), no(60011), directory.PermissionDenied, "60011", 1},
		{"P3: lost", admins("M1"), lostReply, directory.OutcomeUnknown, "", 1},
		{"P3: busy", admins("M1"), no(-1), directory.OutcomeUnknown, "-1", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opAdmins, c.admins)
			s.on(&opRemove, c.removed)
			err := d.Remove(t.Context(), "E1", directory.Removal{Reason: "x"})
			if c.class == "" && err != nil || c.class != "" && directory.ClassOf(err) == "" {
				t.Fatalf("got %v", err)
			}
			if c.class != "" {
				isError(t, err, c.class, c.code)
			}
			if n := len(s.calls(&opRemove)); n != c.asked {
				t.Errorf("%d removals, want %d", n, c.asked)
			}
		})
	}
}

// P5: a list of administrators that lacks the main one proves of no administrator that it is not them, and an
// empty one proves nothing. Who is no administrator at all may go.
func TestP5AListWithoutTheMainAdministrator(t *testing.T) {
	deputies := fine([]any{map[string]any{"userid": "S1", "sys_level": 2}, map[string]any{"userid": "", "sys_level": 1}})
	is := func(admin any) answer { return fine(map[string]any{"userid": "E1", "admin": admin}) }
	for name, c := range map[string]struct {
		admins, user answer
		class        directory.Class
		asked        int
	}{
		"nobody is listed":         {fine([]any{}), is(false), directory.Unavailable, 0},
		"this is an administrator": {deputies, is(true), directory.Unavailable, 0},
		"nothing tells":            {deputies, is(nil), directory.Unavailable, 0},
		"this one is unknown":      {deputies, no(60121), directory.NotFound, 0},
		"this is none":             {deputies, is("false"), "", 1},
	} {
		s, d := newStub(t)
		s.on(&opAdmins, c.admins)
		s.on(&opUser, c.user)
		s.on(&opRemove, allWell)
		err := d.Remove(t.Context(), "E1", directory.Removal{Reason: "x"})
		if n := len(s.calls(&opRemove)); directory.ClassOf(err) != c.class || n != c.asked {
			t.Errorf("%s: %v after %d removals, want class %q and %d", name, err, n, c.class, c.asked)
		}
	}
}

// holderPages are pages of a role, each of these people; the last has the scope.
func holderPages(people ...string) []answer {
	var pages []answer
	for i, id := range people {
		h := map[string]any{"userid": id}
		if i == len(people)-1 {
			h["manageScopes"] = []any{map[string]any{"dept_id": 11}, map[string]any{"dept_id": "12"}}
		}
		pages = append(pages, fine(map[string]any{"hasMore": true, "list": []any{h}}))
	}
	return pages
}

func TestRolesOf(t *testing.T) {
	roles := fine(map[string]any{"userid": "E1", "role_list": []any{
		map[string]any{"id": 7, "name": "主管", "group_name": "默认"}, map[string]any{"id": "8", "name": "审计员", "group_name": "内控"},
	}})
	s, d := newStub(t)
	s.on(&opUser, roles)
	s.on(&opHolders, holderPages("E8", "e1")...)
	got, err := d.RolesOf(t.Context(), "E1")
	want := []directory.RoleMember{{Role: "7", Account: "E1"}, {Role: "8", Account: "E1", Scope: []string{"11", "12"}}}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if n := len(s.calls(&opHolders)); n != 2 {
		t.Errorf("read %d pages of holders, want 2: no more than it takes, and none of DingTalk's own role", n)
	}
	// No scope is the whole company: one that was not found is not none.
	for _, holders := range []answer{fine(map[string]any{"hasMore": false, "list": []any{map[string]any{"userid": "E9"}}}), no(33011)} {
		s.on(&opHolders, holders)
		_, err = d.RolesOf(t.Context(), "E1")
		isError(t, err, directory.Unavailable, "")
	}
	s.on(&opUser, fine(map[string]any{"userid": "E1", "role_list": []any{map[string]any{"name": "审计员"}}}))
	_, err = d.RolesOf(t.Context(), "E1")
	isError(t, err, directory.Unavailable, "")
	s.on(&opUser, no(60121))
	_, err = d.RolesOf(t.Context(), "E1")
	isError(t, err, directory.NotFound, "60121")
}

func TestRemoveFromRole(t *testing.T) {
	s, d := newStub(t)
	s.on(&opRemoveFromRole, allWell)
	members := []directory.RoleMember{{Department: "1"}}
	for i := range 205 {
		members = append(members, directory.RoleMember{Account: fmt.Sprint("E", i)})
	}
	if err := d.RemoveFromRole(t.Context(), "8", members); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, c := range s.calls(&opRemoveFromRole) {
		sizes = append(sizes, len(strings.Split(c.body["userIds"].(string), ",")))
		if c.body["roleIds"] != "8" {
			t.Errorf("of role %v", c.body["roleIds"])
		}
	}
	if !slices.Equal(sizes, []int{100, 100, 5}) {
		t.Errorf("batches of %v", sizes)
	}

	people := []directory.RoleMember{{Account: "E1"}, {Account: "E2"}, {Account: "E3"}}
	builtIn := fine(map[string]any{"hasMore": false, "list": []any{map[string]any{
		"groupId": 1, "name": "默认", "roles": []any{map[string]any{"id": 8, "name": "主管"}}}}})
	others := fine(map[string]any{"hasMore": false, "list": []any{map[string]any{
		"groupId": 1, "name": "内控", "roles": []any{map[string]any{"id": 8, "name": "审计员"}}}}})
	for _, c := range []struct {
		name    string
		answers []answer
		groups  answer
		class   directory.Class
		calls   int
		words   string
	}{
		{"the role is gone", []answer{no(33011)}, others, "", 1, ""},
		{"one of them is unknown", []answer{no(33012), allWell, no(33012), no(33012), allWell}, others, "", 5, ""},
		{"DingTalk's own", []answer{no(23004)}, builtIn, directory.PermissionDenied, 1, "admin console"},
		{"DingTalk's own, in other words", []answer{no(40035)}, builtIn, directory.PermissionDenied, 1, "admin console"},
		{"refused", []answer{no(40035)}, others, directory.Invalid, 1, ""},
		{"not permitted", []answer{no(60011)}, answer{err: errors.New("nobody asks")}, directory.PermissionDenied, 1, grantManage},
		{"P3: lost", []answer{lostReply}, others, directory.OutcomeUnknown, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opRemoveFromRole, c.answers...)
			s.on(&opRoleGroups, c.groups)
			err := d.RemoveFromRole(t.Context(), "8", people)
			if directory.ClassOf(err) != c.class || err != nil && !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v, want class %q and %q", err, c.class, c.words)
			}
			if n := len(s.calls(&opRemoveFromRole)); n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
		})
	}
	s, d = newStub(t)
	isError(t, d.RemoveFromRole(t.Context(), "8", []directory.RoleMember{{Account: "E1,E2"}}), directory.Invalid, "")
	isError(t, d.RemoveFromRole(t.Context(), "x", people), directory.Invalid, "")
	if len(s.seen) != 0 {
		t.Error("called all the same")
	}
}

func TestNotices(t *testing.T) {
	s, d := newStub(t)
	_, err := d.Notify(t.Context(), []string{"E1"}, "交接")
	if e := asError(t, err, directory.NotSupported, ""); !strings.Contains(e.Message, "agentId") {
		t.Errorf("%q does not name the key", e.Message)
	}
	_, err = d.Delivered(t.Context(), directory.Receipt{ID: "1"})
	isError(t, err, directory.NotSupported, "")
	if c := d.Capabilities(); c.Calls[directory.WorkNotify] != nil {
		t.Errorf("without a number of the app notices take the calls %q", c.Calls[directory.WorkNotify])
	}

	d.agent = "3000000001"
	for name, c := range map[string]struct {
		to   []string
		text string
	}{
		"an id that is two":              {[]string{"E1,E2"}, "交接"},
		"too many bytes as JSON":         {[]string{"E1"}, strings.Repeat("\n", 1100)},
		"too many bytes":                 {[]string{"E1"}, strings.Repeat("a", 2001)},
		"a few quotes over, and longest": {[]string{"E1"}, strings.Repeat(`"`, 30) + strings.Repeat("a", 1970)},
	} {
		if _, err := d.Notify(t.Context(), c.to, c.text); directory.ClassOf(err) != directory.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.seen) != 0 {
		t.Fatal("a notice that is none was sent")
	}

	s.on(&opNotify, answer{body: `{"errcode":0,"task_id":256271667526,"request_id":"r"}`})
	r, err := d.Notify(t.Context(), []string{"E1", "E2"}, "<交接> & \"好\"\n")
	if err != nil || r.ID != "256271667526" || r.Missed != nil {
		t.Errorf("got %+v, %v", r, err)
	}
	sameJSON(t, s.calls(&opNotify)[0].body, `{"agent_id":3000000001,"userid_list":"E1,E2","msg":{"msgtype":"text","text":{"content":"<交接> & \"好\"\n"}}}`)

	for name, c := range map[string]struct {
		answer answer
		class  directory.Class
		code   string
	}{
		"P3: lost":              {lostReply, directory.OutcomeUnknown, ""},
		"P3: busy":              {no(-1), directory.OutcomeUnknown, "-1"},
		"without a task":        {answer{body: `{"errcode":0,"task_id":0}`}, directory.OutcomeUnknown, ""},
		"refused by the filter": {no(1430002), directory.Invalid, "1430002"},
		"too many in a minute":  {no(143104), directory.RateLimited, "143104"},
		"an executive":          {no(1430004), directory.PermissionDenied, "1430004"},
	} {
		before := len(s.calls(&opNotify))
		s.on(&opNotify, c.answer)
		_, err := d.Notify(t.Context(), []string{"E1"}, "交接")
		isError(t, err, c.class, c.code)
		if n := len(s.calls(&opNotify)) - before; n != 1 {
			t.Errorf("%s: sent %d times", name, n)
		}
	}
}

// What is more than DingTalk delivers in a minute waits, and is not dropped.
func TestNoticesKeepTheirPace(t *testing.T) {
	s, d := newStub(t)
	d.agent = "7"
	s.on(&opNotify, answer{body: `{"errcode":0,"task_id":1}`})
	var crowd []string
	for i := range noticePeople {
		crowd = append(crowd, fmt.Sprint("E", i))
	}
	send := func(to []string) error {
		_, err := d.Notify(t.Context(), to, "交接")
		return err
	}
	for range 25 {
		if err := send(crowd); err != nil {
			t.Fatal(err)
		}
	}
	s.advance(40 * time.Second)
	for range 25 {
		if err := send(crowd); err != nil {
			t.Fatal(err)
		}
	}
	if e := asError(t, send(crowd[:1]), directory.RateLimited, ""); e.RetryAfter != 21*time.Second {
		t.Errorf("retry after %s, want 21s", e.RetryAfter)
	}
	if n := len(s.calls(&opNotify)); n != 50 {
		t.Errorf("sent %d times, want 50", n)
	}
	s.advance(21 * time.Second)
	for range 25 {
		if err := send(crowd); err != nil {
			t.Fatal(err)
		}
	}
	if e := asError(t, send(crowd), directory.RateLimited, ""); e.RetryAfter != 40*time.Second {
		t.Errorf("retry after %s, want 40s", e.RetryAfter)
	}
}

func TestDelivered(t *testing.T) {
	done := answer{body: `{"errcode":0,"progress":{"progress_in_percent":100,"status":2}}`}
	result := answer{body: `{"errcode":0,"send_result":{"invalid_user_id_list":["X1"],"forbidden_user_id_list":["E1","E2"],"failed_user_id_list":["E4","X1"],` +
		`"forbidden_list":[{"code":"143106","count":1,"userid":"E1"},{"code":"143105","count":500,"userid":"E3"}],"read_user_id_list":["E5"],"unread_user_id_list":["E6"]}}`}
	s, d := newStub(t)
	d.agent = "7"
	s.on(&opNotifying, done)
	s.on(&opNotified, result)
	// E1 has the same text already; that E2 was dropped has no reason given.
	r, err := d.Delivered(t.Context(), directory.Receipt{ID: "42"})
	if err != nil || r.ID != "42" || !slices.Equal(r.Missed, []string{"E2", "E3", "E4", "X1"}) {
		t.Errorf("got %+v, %v", r, err)
	}
	sameJSON(t, s.calls(&opNotified)[0].body, `{"agent_id":7,"task_id":42}`)
	s.on(&opNotified, answer{body: `{"errcode":0,"send_result":{"read_user_id_list":"E1"}}`})
	if r, err := d.Delivered(t.Context(), directory.Receipt{ID: "42"}); err != nil || r.Missed != nil {
		t.Errorf("got %+v, %v", r, err)
	}
	s.on(&opNotified, answer{body: `{"errcode":0}`})
	_, err = d.Delivered(t.Context(), directory.Receipt{ID: "42"})
	isError(t, err, directory.Unavailable, "")

	before := len(s.calls(&opNotified))
	s.on(&opNotifying, answer{body: `{"errcode":0,"progress":{"progress_in_percent":40,"status":1}}`})
	_, err = d.Delivered(t.Context(), directory.Receipt{ID: "42"})
	isError(t, err, directory.Unavailable, "")
	_, err = d.Delivered(t.Context(), directory.Receipt{ID: "4x"})
	isError(t, err, directory.Invalid, "")
	if len(s.calls(&opNotified)) != before {
		t.Error("the result of a send that is not done was asked for")
	}
}

// A message is recognised within the same day in China, whatever "once a day" means.
func TestNoticeWindow(t *testing.T) {
	for now, want := range map[string]time.Duration{
		"2026-03-02T16:00:00Z": 0, "2026-03-02T16:05:00Z": 5 * time.Minute, "2026-03-02T15:59:59Z": day - time.Second, "2026-03-02T00:00:00+08:00": 0,
	} {
		s, d := newStub(t)
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		s.now = at
		if got := d.Capabilities().NoticeWindow; got != want {
			t.Errorf("at %s: %s, want %s", now, got, want)
		}
	}
}

func TestResiduals(t *testing.T) {
	clean := answer{body: `{"result":[{"userId":"E1","status":2,"deptList":[{"dept_id":5}]},{"userId":"E2","status":1}]}`}
	none := answer{body: `{"result":{"hasMore":false,"list":[]}}`}
	led := fine(map[string]any{"dept_id": 5, "dept_manager_userid_list": []string{"E1"}, "org_dept_owner": "E1"})
	empty := fine(map[string]any{"dept_id": 5, "dept_manager_userid_list": []string{"E2"}, "org_dept_owner": "E2"})
	for _, c := range []struct {
		name                             string
		admins, hr, department, approval answer
		want                             []string
		class                            directory.Class
	}{
		{"nothing", admins("M1"), clean, empty, none, nil, ""},
		{"an administrator", admins("E1"), clean, empty, none, []string{"administrator"}, ""},
		{"about to leave", admins("M1"), answer{body: `{"result":[{"userId":"E1","status":"1"}]}`}, empty, none, []string{"待离职"}, ""},
		{"an approval of leaving", admins("M1"), answer{body: `{"result":{"userId":"E1","status":4}}`}, empty, none, []string{"Smart HR"}, ""},
		{"a department", admins("M1"), clean, led, none, []string{"leads department 5", "chat group of department 5"}, ""},
		{"a department that is gone", admins("M1"), clean, no(60003), none, nil, ""},
		{"P9: a department that the app may not see hides nothing else", admins("M1"), answer{body: `{"result":[{"userId":"E1","status":1,"deptList":[{"dept_id":5}]}]}`},
			no(50004), none, []string{"待离职"}, ""},
		{"approvals", admins("M1"), clean, empty, answer{body: `{"result":{"hasMore":false,"list":[{"taskId":1},{"taskId":2}]}}`}, []string{"2 approvals"}, ""},
		{"many approvals", admins("M1"), clean, empty, answer{body: `{"result":{"hasMore":"true","list":[{"taskId":1}]}}`}, []string{"more than 1 approvals"}, ""},
		{"approvals know nobody", admins("M1"), clean, empty, no400("param.user.notexist"), nil, ""},
		{"what the company has not", admins("M1"), no400("corpNotOpenHrm"), empty, no400("benefit.status.invalid"), nil, ""},
		{"what the app may not", admins("M1"), scope403(), empty, scope403(), nil, ""},
		{"P5: an empty list of administrators", fine([]any{}), clean, empty, none, nil, directory.Unavailable},
		{"no administrators", no(60011), clean, empty, none, nil, directory.PermissionDenied},
		{"Smart HR fails", admins("M1"), answer{status: 500, body: `{"code":"systemError"}`}, empty, none, nil, directory.Unavailable},
		{"the department fails", admins("M1"), clean, no(90018), none, nil, directory.RateLimited},
		{"approvals fail", admins("M1"), clean, empty, answer{status: 502, body: "<html>"}, nil, directory.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opAdmins, c.admins)
			s.on(&opDismissals, c.hr)
			s.on(&opDepartment, c.department)
			s.on(&opTasks, c.approval)
			left, err := d.Residuals(t.Context(), "E1")
			if directory.ClassOf(err) != c.class || len(left) != len(c.want) {
				t.Fatalf("got %q, %v, want %q, class %q", left, err, c.want, c.class)
			}
			for i := range left {
				if !strings.Contains(left[i], c.want[i]) || strings.Contains(left[i], "E1") {
					t.Errorf("%q, want %q", left[i], c.want[i])
				}
			}
			for _, a := range s.calls(&opTasks) {
				if q := a.request.URL.Query(); q.Get("actionerUserId") != "E1" || q.Get("managerUserId") == "E1" {
					t.Errorf("asked for %v", q)
				}
			}
		})
	}
}

// What a rehearsal shows is what happens, and with the priority of whoever asks; only freezing has its own.
func TestCallsOfLeavingTellTheTruth(t *testing.T) {
	s, d := newStub(t)
	d.agent = "7"
	for op, a := range map[*operation]answer{
		&opDisable: yes, &opSignOut: yes, &opReasons: reasons, &opHandOver: yes, &opRemoveFromRole: allWell, &opAdmins: admins("M1"),
		&opNotify:    {body: `{"errcode":0,"task_id":1}`},
		&opNotifying: {body: `{"errcode":0,"progress":{"status":2}}`},
		&opNotified:  {body: `{"errcode":0,"send_result":{}}`},
		&opUser:      fine(map[string]any{"userid": "E1", "role_list": []any{map[string]any{"id": 8, "group_name": "内控"}}}),
		&opHolders:   holderPages("E1")[0], &opDepartment: fine(map[string]any{"dept_id": 5}),
		&opDismissals: {body: `{"result":[{"userId":"E1","status":2,"deptList":[{"dept_id":5}]}]}`},
		&opTasks:      {body: `{"result":{"list":[]}}`},
	} {
		s.on(op, a)
	}
	names := map[string]string{}
	for _, op := range []*operation{
		&opDisable, &opSignOut, &opReasons, &opHandOver, &opRemoveFromRole, &opAdmins, &opNotify, &opNotifying, &opNotified, &opUser, &opHolders,
		&opDepartment, &opDismissals, &opTasks, &opRemove,
	} {
		names[op.path] = op.name
	}
	s.on(&opRemove, allWell)
	ctx := httpx.WithPriority(t.Context(), httpx.Sweep)
	for work, do := range map[directory.Work]func() error{
		directory.WorkFreeze: func() error { return d.Freeze(ctx, "E1", "x") },
		directory.WorkRevoke: func() error {
			roles, err := d.RolesOf(ctx, "E1")
			return errors.Join(err, d.RemoveFromRole(ctx, roles[0].Role, roles))
		},
		directory.WorkNotify: func() error {
			r, err := d.Notify(ctx, []string{"E1"}, "交接")
			_, told := d.Delivered(ctx, r)
			return errors.Join(err, told)
		},
		directory.WorkRemove: func() error { return d.Remove(ctx, "E1", directory.Removal{Successor: "E2"}) },
		directory.WorkResidual: func() error {
			_, err := d.Residuals(ctx, "E1")
			return err
		},
		"alone": func() error { return d.Remove(ctx, "E1", directory.Removal{}) },
	} {
		before := len(s.seen)
		if err := do(); err != nil {
			t.Fatal(work, err)
		}
		var made []string
		for _, a := range s.seen[before:] {
			if names[a.path] == "" {
				continue // a token
			}
			made = append(made, names[a.path])
			want := httpx.Sweep
			if work == directory.WorkFreeze {
				want = httpx.Freeze
			}
			if p := httpx.PriorityFrom(a.request.Context()); p != want {
				t.Errorf("%s: %s has priority %s, want %s", work, a.path, p, want)
			}
		}
		want := d.Capabilities().Calls[work]
		if work == "alone" {
			if want = []string{"user/listadmin", "user/delete"}; len(want) != len(d.Capabilities().Calls[directory.WorkRemove]) {
				t.Error("a removal without a successor takes more calls than one with")
			}
		}
		if !slices.Equal(made, want) {
			t.Errorf("%s: made %q, and Capabilities names %q", work, made, want)
		}
	}
}
