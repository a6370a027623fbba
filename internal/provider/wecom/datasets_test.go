package wecom

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// asked collects the spans of time that were asked for.
type asked struct {
	mu    sync.Mutex
	spans []span
}

func (a *asked) note(body map[string]any, from, to string) span {
	s := span{int64(toFloat(body[from])), int64(toFloat(body[to]))}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spans = append(a.spans, s)
	return s
}

// toFloat reads a number of JSON, or text that is one.
func toFloat(v any) float64 {
	if text, ok := v.(string); ok {
		f, _ := strconv.ParseFloat(text, 64)
		return f
	}
	f, _ := v.(float64)
	return f
}

// covers fails unless the spans have no hole from from to to, and none is longer than longest.
func (a *asked) covers(t *testing.T, from, to time.Time, longest time.Duration) {
	t.Helper()
	if len(a.spans) == 0 {
		t.Fatal("nothing was asked for")
	}
	at := from.Unix()
	for _, s := range a.spans {
		if s.from != at || s.to <= s.from || time.Duration(s.to-s.from)*time.Second > longest {
			t.Errorf("asked from %d to %d, want from %d and at most %s", s.from, s.to, at, longest)
		}
		at = s.to
	}
	if at != to.Unix() {
		t.Errorf("asked until %d, want %d", at, to.Unix())
	}
}

// date is a day of 2024 at noon, UTC.
func date(month time.Month, day int) time.Time {
	return time.Date(2024, month, day, 12, 0, 0, 0, time.UTC)
}

func TestApprovalsAreCutIntoWindowsAndPages(t *testing.T) {
	from, to := date(1, 1), date(4, 1)
	var windows asked
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"oa/getapprovalinfo": func(_ *http.Request, body map[string]any) string {
			if body["new_cursor"] == "2" { // a short page is not the end, and a border is in both windows
				return `{"errcode":0,"errmsg":"ok","sp_no_list":["border"],"new_next_cursor":""}`
			}
			w := windows.note(body, "starttime", "endtime")
			return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","sp_no_list":["%d","gone"],"new_next_cursor":"2"}`, w.from)
		},
		"oa/getapprovaldetail": func(_ *http.Request, body map[string]any) string {
			if body["sp_no"] == "gone" {
				return `{"errcode":301025,"errmsg":"no"}`
			}
			return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","info":{"sp_no":%q, "new":[1]}}`, body["sp_no"])
		},
	})
	items, sum, err := exported(t, s.open(true), directory.DatasetApprovals, directory.Scope{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	windows.covers(t, from, to, 31*24*time.Hour)
	if len(items) != len(windows.spans)+1 || string(items["approvals/border"].Raw) != `{"sp_no":"border", "new":[1]}` {
		t.Errorf("exported %q", keys(items))
	}
	gapped(t, sum, "could not be read (gone)")
}

func TestAWindowWithTooMuchInItIsHalved(t *testing.T) {
	from, to := date(1, 1), date(1, 5)
	var windows asked
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"oa/getapprovalinfo": func(_ *http.Request, body map[string]any) string {
			if toFloat(body["endtime"])-toFloat(body["starttime"]) > 24*3600 {
				return `{"errcode":301112,"errmsg":"no","sp_no_list":[]}`
			}
			windows.note(body, "starttime", "endtime")
			return `{"errcode":0,"errmsg":"ok","sp_no_list":[]}`
		},
	})
	if _, _, err := exported(t, s.open(true), directory.DatasetApprovals, directory.Scope{From: from, To: to}); err != nil {
		t.Fatal(err)
	}
	windows.covers(t, from, to, 24*time.Hour)
}

func TestDatasetsOfTheChosenAreTheirs(t *testing.T) {
	var sent []string
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"oa/getapprovalinfo": func(_ *http.Request, body map[string]any) string {
			b, _ := json.Marshal(body["filters"])
			sent = append(sent, string(b))
			return `{"errcode":0,"errmsg":"ok","sp_no_list":[]}`
		},
	})
	scope := directory.Scope{Accounts: []string{"a", "b", "A"}, From: date(1, 1), To: date(1, 2)}
	if _, _, err := exported(t, s.open(true), directory.DatasetApprovals, scope); err != nil {
		t.Fatal(err)
	}
	if want := []string{`[{"key":"creator","value":"a"}]`, `[{"key":"creator","value":"b"}]`}; !slices.Equal(sent, want) {
		t.Errorf("asked for %q, want %q", sent, want)
	}
}

func TestReportsGoOnUntilTheFlag(t *testing.T) {
	from, to := date(1, 1), date(1, 20)
	var windows asked
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"oa/journal/get_record_list": func(_ *http.Request, body map[string]any) string {
			at := int(toFloat(body["cursor"]))
			if at == 0 {
				windows.note(body, "starttime", "endtime")
			}
			return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","journaluuid_list":["%v-%d"],"next_cursor":%d,"endflag":%d}`,
				body["starttime"], at, at+1, at/2)
		},
		"oa/journal/get_record_detail": func(_ *http.Request, body map[string]any) string {
			return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","info":{"journal_uuid":%q}}`, body["journaluuid"])
		},
	})
	items, sum, err := exported(t, s.open(true), directory.DatasetReports, directory.Scope{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	windows.covers(t, from, to, 31*24*time.Hour)
	if len(items) != 3*len(windows.spans) {
		t.Errorf("exported %q", keys(items))
	}
	gapped(t, sum)
}

func TestAttendanceTakesAHundredPeopleAndAMonth(t *testing.T) {
	from, to := date(1, 1), date(3, 1)
	ids := make([]string, 150)
	for i := range ids {
		ids[i] = fmt.Sprintf("u%03d", i)
	}
	var mu sync.Mutex
	people := map[string]int{}
	answers := company(t, nil, ids...)
	answers["checkin/getcheckindata"] = func(_ *http.Request, body map[string]any) string {
		list, _ := body["useridlist"].([]any)
		mu.Lock()
		defer mu.Unlock()
		people[fmt.Sprint(list[0], "+", len(list))]++
		if body["opencheckindatatype"] != 3.0 || toFloat(body["endtime"])-toFloat(body["starttime"]) > 30*24*3600 {
			t.Errorf("asked for %v", body)
		}
		// Rows on both borders: the one between two windows comes twice.
		row := func(at any) string {
			return fmt.Sprintf(`{"userid":%q,"checkin_time":%.0f,"checkin_type":"上班打卡"}`, list[0], at)
		}
		return `{"errcode":0,"errmsg":"ok","checkindata":[` + row(body["starttime"]) + "," + row(body["endtime"]) + `]}`
	}
	items, sum, err := exported(t, newStub(t, answers).open(true), directory.DatasetAttendance, directory.Scope{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(people) != "map[u000+100:2 u100+50:2]" || len(items) != 6 {
		t.Errorf("asked for %v, exported %q", people, keys(items))
	}
	gapped(t, sum)
}

func TestOneRefusedBatchIsAGap(t *testing.T) {
	ids := make([]string, 150)
	for i := range ids {
		ids[i] = fmt.Sprintf("u%03d", i)
	}
	refuse := func(first string, good string) func(*http.Request, map[string]any) string {
		return func(_ *http.Request, body map[string]any) string {
			if b, _ := json.Marshal(body); strings.Contains(string(b), first) {
				return `{"errcode":40003,"errmsg":"no"}`
			}
			return good
		}
	}
	answers := company(t, nil, ids...)
	answers["checkin/getcheckindata"] = refuse("u100", `{"errcode":0,"errmsg":"ok","checkindata":[{"checkin_time":1}]}`)
	answers["externalcontact/groupchat/list"] = refuse("u000", `{"errcode":0,"errmsg":"ok","group_chat_list":[]}`)
	s := newStub(t, answers)
	scope := directory.Scope{From: s.clock().Add(-time.Hour)}
	items, sum, err := exported(t, s.open(true), directory.DatasetAttendance, scope)
	if err != nil || len(items) != 1 {
		t.Errorf("%q, %v", keys(items), err)
	}
	gapped(t, sum, "50 of 150 users could not be read (u100, ")
	_, sum, err = exported(t, s.open(true), directory.DatasetGroups, scope)
	if err != nil {
		t.Error(err)
	}
	gapped(t, sum, "colleagues alone", "100 of 150 owners could not be read (u000, ")
}

func TestLogsReachBackHalfAYear(t *testing.T) {
	var windows asked
	s := newStub(t, nil)
	logs := func(_ *http.Request, body map[string]any) string {
		if body["cursor"] == "next" {
			return `{"errcode":0,"errmsg":"ok","has_more":false,"next_cursor":"","record_list":[{"time":2,"oper_type":3}]}`
		}
		windows.note(body, "start_time", "end_time")
		return `{"errcode":0,"errmsg":"ok","has_more":true,"next_cursor":"next","record_list":[{"time":1,"userid":"a"}]}`
	}
	s.answers = map[string]func(*http.Request, map[string]any) string{
		"security/admin_oper_log/list": logs, "security/member_oper_log/list": answer(`{"errcode":48002,"errmsg":"no"}`),
	}
	items, sum, err := exported(t, s.open(true), directory.DatasetOperationLogs, directory.Scope{From: date(1, 1)})
	if err != nil {
		t.Fatal(err)
	}
	first := s.clock().Add(-180 * 24 * time.Hour)
	if got := time.Unix(windows.spans[0].from, 0); got.Before(first) || got.After(first.Add(time.Hour)) {
		t.Errorf("asked from %s, want %s or little later", got, first)
	}
	if last := windows.spans[len(windows.spans)-1].to; last >= s.clock().Unix() {
		t.Errorf("asked until %d, and now is %d", last, s.clock().Unix())
	}
	windows.covers(t, time.Unix(windows.spans[0].from, 0), time.Unix(windows.spans[len(windows.spans)-1].to, 0), 7*24*time.Hour)
	if len(items) == 0 || items[keys(items)[0]].Part != "administrators" {
		t.Errorf("exported %q", keys(items))
	}
	gapped(t, sum, "180 days", "使用分析")

	s.answers["security/admin_oper_log/list"] = s.answers["security/member_oper_log/list"]
	_, _, err = exported(t, s.open(true), directory.DatasetOperationLogs, directory.Scope{From: s.clock().Add(-time.Hour)})
	refused(t, err, directory.PermissionDenied, "使用分析", "appSecret")
}

func TestRosterIsReadPersonByPerson(t *testing.T) {
	answers := company(t, nil, "a", "b")
	answers["hr/get_fields"] = answer(`{"errcode":0,"errmsg":"ok","group_list":[{"group_id":1001,"group_name":"个人信息","field_list":[]}]}`)
	answers["hr/get_staff_info"] = func(_ *http.Request, body map[string]any) string {
		if body["userid"] == "b" || body["get_all"] != true {
			return `{"errcode":60011,"errmsg":"no"}`
		}
		return `{"errcode":0,"errmsg":"ok","field_info":[{"fieldid":12024,"value_string":"N1"}]}`
	}
	items, sum, err := exported(t, newStub(t, answers).open(true), directory.DatasetRoster, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"fields/1001", "people/a"}; !slices.Equal(keys(items), want) || !strings.Contains(string(items["people/a"].Raw), `"value_string":"N1"`) {
		t.Errorf("exported %q, want %q", keys(items), want)
	}
	gapped(t, sum, "1 of 2 users could not be read (b)")
}

func TestGroupsAreAskedForByTheirOwners(t *testing.T) {
	answers := company(t, nil, "a", "b")
	var mu sync.Mutex
	var filters []string
	answers["externalcontact/groupchat/list"] = func(_ *http.Request, body map[string]any) string {
		mu.Lock()
		defer mu.Unlock()
		filters = append(filters, fmt.Sprint(body["status_filter"], body["owner_filter"]))
		switch {
		case body["status_filter"] == 1.0:
			return `{"errcode":0,"errmsg":"ok","group_chat_list":[{"chat_id":"g1","status":0},{"chat_id":"g3","status":1}]}`
		case body["cursor"] == "c":
			return `{"errcode":0,"errmsg":"ok","group_chat_list":[{"chat_id":"g2","status":0}]}`
		}
		return `{"errcode":0,"errmsg":"ok","group_chat_list":[{"chat_id":"g1","status":0}],"next_cursor":"c"}`
	}
	answers["externalcontact/groupchat/get"] = func(_ *http.Request, body map[string]any) string {
		return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","group_chat":{"chat_id":%q,"owner":"a"}}`, body["chat_id"])
	}
	s := newStub(t, answers)
	items, sum, err := exported(t, s.open(true), directory.DatasetGroups, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"groups/g1", "groups/g2", "groups/g3"}; !slices.Equal(keys(items), want) {
		t.Errorf("exported %q, want %q", keys(items), want)
	}
	if got := string(items["groups/g3"].Raw); got != `{"group_chat":{"chat_id":"g3","owner":"a"},"list":{"chat_id":"g3","status":1}}` {
		t.Errorf("both answers side by side: %s", got)
	}
	if !strings.Contains(filters[0], "userid_list:[a b]") {
		t.Errorf("asked for %q", filters)
	}
	gapped(t, sum, "colleagues alone")
	whole := answers["externalcontact/groupchat/list"]
	answers["externalcontact/groupchat/list"] = func(r *http.Request, body map[string]any) string {
		if body["status_filter"] == 1.0 {
			return `{"errcode":81017,"errmsg":"no"}`
		}
		return whole(r, body)
	}
	_, sum, err = exported(t, s.open(true), directory.DatasetGroups, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	gapped(t, sum, "colleagues alone", "owner has left")
}

func TestFilesAreThoseOfArchivedSpaces(t *testing.T) {
	answers := company(t, nil, "a", "b", "c")
	answers["security/wedrive/get_auth_space_list"] = func(_ *http.Request, body map[string]any) string {
		if body["userid"] == "c" {
			return `{"errcode":999001,"errmsg":"no seat"}`
		}
		return `{"errcode":0,"errmsg":"ok","auth_space_list":[{"spaceid":"s1","space_name":"空间"}]}`
	}
	answers["security/wedrive/get_auth_file_list"] = func(_ *http.Request, body map[string]any) string {
		if body["cursor"] == "n" {
			return `{"errcode":0,"errmsg":"ok","file_list":[{"fileid":"common","path":"x/y"}],"has_more":0}`
		}
		return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","file_list":[{"fileid":"of %s"}],"has_more":true,"next_cursor":"n"}`, body["userid"])
	}
	items, sum, err := exported(t, newStub(t, answers).open(true), directory.DatasetFiles, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"files/common", "files/of a", "files/of b", "spaces/s1"}; !slices.Equal(keys(items), want) {
		t.Errorf("exported %q, want %q", keys(items), want)
	}
	gapped(t, sum, "文件内容存档", "could not be read (c)")
}

// A product that the app may not call is denied as a whole, with the place in the
// console where that is changed; so is one of which every single thing is refused.
func TestWhatIsNotGrantedSaysWhere(t *testing.T) {
	for name, words := range map[directory.Dataset]string{
		directory.DatasetApprovals: "审批", directory.DatasetAttendance: "打卡", directory.DatasetReports: "汇报", directory.DatasetRoster: "人事助手",
		directory.DatasetGroups: "客户联系", directory.DatasetFiles: "文件内容存档", directory.DatasetOperationLogs: "使用分析",
	} {
		for _, code := range []int{48001, 48002, 301055} {
			answers := company(t, nil, "a")
			for _, operation := range []string{
				"oa/getapprovalinfo", "checkin/getcheckindata", "oa/journal/get_record_list", "hr/get_fields", "externalcontact/groupchat/list",
				"security/wedrive/get_auth_space_list", "security/admin_oper_log/list", "security/member_oper_log/list",
			} {
				answers[operation] = answer(fmt.Sprintf(`{"errcode":%d,"errmsg":"no"}`, code))
			}
			s := newStub(t, answers)
			_, _, err := exported(t, s.open(true), name, directory.Scope{From: s.clock().Add(-time.Hour)})
			refused(t, err, directory.PermissionDenied, words, "appSecret", strconv.Itoa(code))
		}
	}
	answers := company(t, nil, "a", "b")
	answers["hr/get_fields"] = answer(`{"errcode":0,"errmsg":"ok","group_list":[]}`)
	answers["hr/get_staff_info"] = answer(`{"errcode":60011,"errmsg":"no"}`)
	_, _, err := exported(t, newStub(t, answers).open(true), directory.DatasetRoster, directory.Scope{})
	refused(t, err, directory.PermissionDenied, "visible range")
}

func TestNothingIsOlderThanThePlatformNorYetToCome(t *testing.T) {
	s := newStub(t, nil)
	x := &export{Directory: s.open(true), scope: directory.Scope{To: s.clock().Add(time.Hour)}}
	w := x.windows(31 * 24 * time.Hour)
	if first, last := w[0].from, w[len(w)-1].to; first != founded.Unix() || last != s.clock().Unix() || len(w) > 200 {
		t.Errorf("%d windows from %d to %d", len(w), first, last)
	}
	x.scope = directory.Scope{From: s.clock().Add(time.Hour)}
	if w := x.windows(time.Hour); len(w) != 0 {
		t.Errorf("windows %v in the future", w)
	}
}

func TestACursorThatStandsStillIsNoAnswer(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"oa/getapprovalinfo": answer(`{"errcode":0,"errmsg":"ok","sp_no_list":[],"new_next_cursor":"x"}`),
	})
	_, _, err := exported(t, s.open(true), directory.DatasetApprovals, directory.Scope{From: s.clock().Add(-time.Hour)})
	refused(t, err, directory.Unavailable)
	if n := s.count("oa/getapprovalinfo"); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestOnceRemembersTwoWindows(t *testing.T) {
	var o once
	if !o.first("a") || o.first("a") || o.first("") {
		t.Error("in one window it is new once, and what has no id never")
	}
	if o.turn(); o.first("a") {
		t.Error("the border is in both windows, and new in one")
	}
	o.turn()
	o.turn()
	if len(o.now)+len(o.before) != 0 || !o.first("a") {
		t.Errorf("remembers what was long ago: %v, %v", o.now, o.before)
	}
}
