package dingtalk

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// tenant answers calls by a function of what was asked, on the second of March 2026.
type tenant struct {
	answer func(path string, body map[string]any, query url.Values) string
	person string // what user/get answers, if not the same of everybody

	mu   sync.Mutex
	seen []asked
}

var today = time.Date(2026, 3, 2, 9, 0, 0, 0, chinaStandardTime)

func (c *tenant) RoundTrip(r *http.Request) (*http.Response, error) {
	a := asked{path: r.URL.Path, request: r}
	if r.Body != nil {
		if err := json.NewDecoder(r.Body).Decode(&a.body); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	c.seen = append(c.seen, a)
	c.mu.Unlock()
	var text string
	switch r.URL.Path {
	case opOldToken.path:
		text = `{"errcode":0,"access_token":"t","expires_in":7200}`
	case opNewToken.path:
		text = `{"accessToken":"t","expireIn":7200}`
	case opAdmins.path:
		text = `{"errcode":0,"result":[{"userid":"sub","sys_level":2},{"userid":"boss","sys_level":1}]}`
	case opUser.path:
		if text = c.person; text != "" {
			break
		}
		text = fmt.Sprintf(`{"errcode":0,"result":{"userid":%q,"unionid":"u-%[1]s","name":"甲","mobile":"13800550001","email":"a@example.com"}}`, a.body["userid"])
	default:
		text = c.answer(r.URL.Path, a.body, r.URL.Query())
	}
	status := http.StatusOK
	if strings.Contains(text, `"code"`) {
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Request: r, Body: io.NopCloser(strings.NewReader(text))}, nil
}

func (c *tenant) calls(path string) []asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.seen), func(a asked) bool { return a.path != path })
}

func (c *tenant) open(t *testing.T) *Directory {
	t.Helper()
	d, err := open(directory.Settings{
		Secrets:   map[string][]byte{"appKey": []byte("k"), "appSecret": []byte("s")},
		HTTP:      &http.Client{Transport: c},
		Throttled: func(string, time.Duration) {}, Now: func() time.Time { return today },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Directory)
}

// export reads a dataset and returns the ids by part, and the raw things by part and id.
func (c *tenant) export(t *testing.T, set directory.Dataset, s directory.Scope) (map[string][]string, map[string]string, directory.Summary, error) {
	t.Helper()
	ids, raws := map[string][]string{}, map[string]string{}
	sum, err := c.open(t).Export(t.Context(), set, s, func(i directory.Item) error {
		if !json.Valid(i.Raw) || raws[i.Part+"/"+i.ID] != "" {
			t.Errorf("%s %s comes twice, or is not JSON: %s", i.Part, i.ID, i.Raw)
		}
		ids[i.Part] = append(ids[i.Part], i.ID)
		raws[i.Part+"/"+i.ID] = string(i.Raw)
		return nil
	})
	for _, list := range ids {
		slices.Sort(list)
	}
	return ids, raws, sum, err
}

func same(t *testing.T, got, want map[string][]string) {
	t.Helper()
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// gaps are the gaps as text.
func gaps(s directory.Summary) string {
	var b strings.Builder
	for _, g := range s.Gaps {
		fmt.Fprintf(&b, "%s %s: %s\n", g.Part, g.Class, g.Reason)
	}
	return b.String()
}

// pieces fails unless the windows of the calls follow on each other from first to
// last, in steps of no more than most.
func pieces(t *testing.T, from, to []time.Time, first, last time.Time, step, most time.Duration) {
	t.Helper()
	if len(from) == 0 || !from[0].Equal(first) || !to[len(to)-1].Add(step).Equal(last) {
		t.Fatalf("windows from %v to %v, want %s to %s", from, to, first, last)
	}
	for i := range from {
		if d := to[i].Sub(from[i]); d > most || d < 0 {
			t.Errorf("window %d has %s, want at most %s", i, d, most)
		}
		if i > 0 && !to[i-1].Add(step).Equal(from[i]) {
			t.Errorf("window %d begins at %s, and the one before ends at %s", i, from[i], to[i-1])
		}
	}
}

func milli(v any) time.Time { return time.UnixMilli(int64(v.(float64))) }

func TestApprovals(t *testing.T) {
	c := &tenant{answer: func(path string, body map[string]any, query url.Values) string {
		switch {
		case path == opForms.path && query.Get("nextToken") == "0":
			return `{"result":{"processList":[{"processCode":"F1","name":"请假"}],"nextToken":1}}`
		case path == opForms.path:
			return `{"result":{"processList":[{"processCode":"F2","name":"报销","dirName":"财务"}]}}`
		case path == opInstanceIDs.path && body["processCode"] == "F1" && body["nextToken"] == 0.0 && milli(body["endTime"]).After(today.Add(-time.Hour)):
			return `{"result":{"list":["i1","gone"],"nextToken":"20"},"success":true}`
		case path == opInstanceIDs.path && body["nextToken"] == 20.0:
			return `{"result":{"list":["i2"]},"success":true}`
		case path == opInstance.path && query.Get("processInstanceId") == "gone":
			return `{"code":"processInstanceNotExist","message":"…"}`
		case path == opInstance.path:
			return `{"result":{"title":"甲的请假","new_field":{"x":1}},"success":"true"}`
		}
		return `{"result":{"list":[]}}`
	}}
	ids, raws, sum, err := c.export(t, directory.DatasetApprovals, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, ids, map[string][]string{"forms": {"F1", "F2"}, "instances": {"i1", "i2"}})
	if raw := raws["instances/i1"]; raw != `{"processCode":"F1","processInstance":{"title":"甲的请假","new_field":{"x":1}},"processInstanceId":"i1"}` {
		t.Errorf("an approval is %s", raw)
	}
	if g := gaps(sum); g != "instances NotSupported: DingTalk looks back 365 days: nothing before 2025-03-03 is in it\n" {
		t.Errorf("gaps: %s", g)
	}
	var from, to []time.Time
	for _, a := range c.calls(opInstanceIDs.path) {
		if a.body["processCode"] == "F2" {
			from, to = append(from, milli(a.body["startTime"])), append(to, milli(a.body["endTime"]))
		}
	}
	pieces(t, from, to, today.Add(-364*day), today, time.Millisecond, 120*day)
}

func TestApprovalsOfTheChosen(t *testing.T) {
	c := &tenant{answer: func(path string, _ map[string]any, _ url.Values) string {
		if path == opForms.path {
			return `{"result":{"processList":[{"processCode":"F1"}]}}`
		}
		return `{"result":{"list":[]}}`
	}}
	var chosen []string
	for i := range 23 {
		chosen = append(chosen, fmt.Sprint("p", i))
	}
	scope := directory.Scope{Accounts: chosen, From: today.Add(-30 * day), To: today.Add(-10 * day)}
	if _, _, sum, err := c.export(t, directory.DatasetApprovals, scope); err != nil || len(sum.Gaps) != 0 {
		t.Fatal(sum, err)
	}
	people := 0
	for _, a := range c.calls(opInstanceIDs.path) {
		some := a.body["userIds"].([]any)
		people += len(some)
		if len(some) > 10 || !milli(a.body["startTime"]).Equal(scope.From) || !milli(a.body["endTime"]).Equal(scope.To.Add(-time.Millisecond)) {
			t.Errorf("asked for %v", a.body)
		}
	}
	if people != 23 {
		t.Errorf("asked for %d people, want 23", people)
	}
}

// A form with more approvals than DingTalk lists is read in smaller windows, each once.
func TestApprovalsBeyondTheMostThatIsListed(t *testing.T) {
	const all = 15_000
	var begun []time.Time
	var quoted []string
	for n := range all {
		begun, quoted = append(begun, today.Add(-time.Duration(all-n)*time.Minute)), append(quoted, fmt.Sprintf(`"i%05d"`, n))
	}
	c := &tenant{answer: func(path string, body map[string]any, query url.Values) string {
		switch path {
		case opForms.path:
			return `{"result":{"processList":[{"processCode":"F1"}]}}`
		case opInstance.path:
			return `{"result":{"title":"甲"}}`
		}
		low, _ := slices.BinarySearchFunc(begun, milli(body["startTime"]), time.Time.Compare)
		high, _ := slices.BinarySearchFunc(begun, milli(body["endTime"]).Add(1), time.Time.Compare)
		ids := quoted[low:high]
		first := int(body["nextToken"].(float64))
		last := min(first+20, len(ids))
		next := ""
		if last < len(ids) {
			next = fmt.Sprintf(`,"nextToken":"%d"`, last)
		}
		return `{"result":{"list":[` + strings.Join(ids[first:last], ",") + `]` + next + `}}`
	}}
	ids, _, sum, err := c.export(t, directory.DatasetApprovals, directory.Scope{From: today.Add(-100 * day)})
	if err != nil || len(sum.Gaps) != 0 || len(ids["instances"]) != all {
		t.Errorf("%d instances, gaps %s, %v", len(ids["instances"]), gaps(sum), err)
	}
}

// staff is a company of so many people in one department.
func staff(n int) string {
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf(`"p%03d"`, i))
	}
	return `{"errcode":0,"result":{"userid_list":[` + strings.Join(ids, ",") + `]}}`
}

func TestAttendance(t *testing.T) {
	from := today.Add(-20*day - 3*time.Hour)
	c := &tenant{answer: func(path string, body map[string]any, _ url.Values) string {
		switch {
		case path == opDepartments.path:
			return `{"errcode":0,"result":[]}`
		case path == opUserIDs.path:
			return staff(51)
		case path == opResults.path && body["offset"] == 0.0 && len(body["userIdList"].([]any)) == 1 && body["workDateFrom"] == "2026-02-10 00:00:00":
			return `{"errcode":0,"recordresult":[{"id":1,"checkType":"OnDuty"}],"hasMore":true}`
		case path == opResults.path && body["offset"] == 50.0:
			return `{"errcode":0,"recordresult":[{"id":1,"checkType":"OnDuty"},{"id":2,"new_field":true}],"hasMore":false}`
		case path == opPunches.path && len(body["userIds"].([]any)) == 1 && body["checkDateFrom"] == "2026-02-10 06:00:00":
			return `{"errcode":0,"recordresult":[{"id":1}]}`
		}
		return `{"errcode":0,"recordresult":[]}`
	}}
	ids, _, sum, err := c.export(t, directory.DatasetAttendance, directory.Scope{From: from})
	if err != nil || len(sum.Gaps) != 0 {
		t.Fatal(gaps(sum), err)
	}
	same(t, ids, map[string][]string{"results": {"1", "2"}, "punches": {"1"}})
	for _, w := range []struct {
		path, people, from, to string
		first                  time.Time
	}{
		{opResults.path, "userIdList", "workDateFrom", "workDateTo", from.Add(-6 * time.Hour)},
		{opPunches.path, "userIds", "checkDateFrom", "checkDateTo", from},
	} {
		var start, end []time.Time
		for _, a := range c.calls(w.path) {
			if len(a.body[w.people].([]any)) != 50 {
				continue
			}
			for _, at := range []struct {
				field string
				to    *[]time.Time
			}{{w.from, &start}, {w.to, &end}} {
				day, err := time.ParseInLocation(time.DateTime, a.body[at.field].(string), chinaStandardTime)
				if err != nil {
					t.Fatal(err)
				}
				*at.to = append(*at.to, day)
			}
		}
		pieces(t, start, end, w.first, today, time.Second, 7*day)
	}
}

func TestReports(t *testing.T) {
	long := strings.Repeat("长", 1000)
	c := &tenant{answer: func(_ string, body map[string]any, _ url.Values) string {
		switch body["cursor"] {
		case 7.0:
			return `{"errcode":0,"result":{"data_list":[{"report_id":"r2","contents":"{}"}],"has_more":false,"next_cursor":9}}`
		case 0.0:
			if body["userid"] == "a" {
				return `{"errcode":0,"result":{"data_list":[{"report_id":"r1","contents":[{"key":"今日","value":"` + long + `"}]}],"has_more":true,"next_cursor":7}}`
			}
		}
		return `{"errcode":0,"result":{"data_list":[],"has_more":false}}`
	}}
	ids, _, sum, err := c.export(t, directory.DatasetReports, directory.Scope{Accounts: []string{"a", "b"}, From: today.Add(-100 * day)})
	if err != nil || gaps(sum) != "reports NotSupported: DingTalk cuts texts at 1000 characters, which 1 reports reach\n" {
		t.Fatal(gaps(sum), err)
	}
	same(t, ids, map[string][]string{"reports": {"r1", "r2"}})

	c = &tenant{answer: c.answer}
	if _, _, _, err := c.export(t, directory.DatasetReports, directory.Scope{}); err != nil {
		t.Fatal(err)
	}
	var from, to []time.Time
	for _, a := range c.calls(opReports.path) {
		from, to = append(from, milli(a.body["start_time"])), append(to, milli(a.body["end_time"]))
	}
	pieces(t, from, to, founded, today, time.Millisecond, 180*day)
}

func TestRoster(t *testing.T) {
	c := &tenant{answer: func(path string, body map[string]any, query url.Values) string {
		switch {
		case path == opOnJob.path && body["status_list"] == "3" && body["offset"] == 0.0:
			return `{"errcode":0,"result":{"data_list":["a"],"next_cursor":50}}`
		case path == opOnJob.path && body["status_list"] == "3":
			return `{"errcode":0,"result":{"data_list":["b"]}}`
		case path == opOnJob.path:
			return `{"errcode":0,"result":{"data_list":[]}}`
		case path == opDismissed.path:
			return `{"hasMore":false,"nextToken":0,"userIdList":["c"]}`
		case path == opDismissals.path && query.Get("userIdList") == `["c"]`:
			return `{"result":[{"userId":"c","voluntaryReason":["个人原因"]}]}`
		case path == opLeavers.path && query.Get("endTime") > "2026-03-02":
			return `{"records":[{"userId":"c","leaveTime":"2026-01-06T11:47:37Z","leaveReason":"oapi"}]}`
		}
		return `{}`
	}}
	ids, raws, _, err := c.export(t, directory.DatasetRoster, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, ids, map[string][]string{"on-job": {"a", "b"}, "dismissals": {"c"}, "leavers": {"c/2026-01-06T11:47:37Z"}})
	if raw := raws["on-job/a"]; raw != `{"status":"3","userid":"a"}` {
		t.Errorf("somebody on the job is %s", raw)
	}
}

// A part that cannot be had is a gap; all of them together are an error.
func TestPartsThatAreMissing(t *testing.T) {
	all := false
	c := &tenant{answer: func(path string, _ map[string]any, _ url.Values) string {
		switch {
		case path == opOnJob.path:
			return `{"errcode":88,"sub_code":"60011"}`
		case path == opDismissed.path:
			return `{"code":"corpNotOpenHrm","message":"…"}`
		case all:
			return `{"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied","message":"…"}`
		}
		return `{"records":[]}`
	}}
	_, _, sum, err := c.export(t, directory.DatasetRoster, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"fields NotSupported: ", "on-job PermissionDenied: ", "qyapi_hrm_read_user", "dismissals NotSupported: the company has not turned on Smart HR"} {
		if !strings.Contains(gaps(sum), words) {
			t.Errorf("no gap says %q:\n%s", words, gaps(sum))
		}
	}
	all = true
	_, _, _, err = c.export(t, directory.DatasetRoster, directory.Scope{})
	isError(t, err, directory.PermissionDenied, "60011")
}

func TestGroups(t *testing.T) {
	c := &tenant{answer: func(_ string, _ map[string]any, query url.Values) string {
		var items []string
		for i := range 20 {
			items = append(items, fmt.Sprintf(`{"openConversationId":"g%02d","groupName":"群"}`, i))
		}
		if query.Get("pageStart") == "2" {
			items = []string{`{"openConversationId":"last"}`}
		}
		return `{"totalCount":21,"itemCount":20,"items":[` + strings.Join(items, ",") + `]}`
	}}
	ids, _, sum, err := c.export(t, directory.DatasetGroups, directory.Scope{})
	if err != nil || len(ids["groups"]) != 21 || sum.Totals["groups"] != 21 {
		t.Errorf("%d groups, %+v, %v", len(ids["groups"]), sum, err)
	}
	calls := c.calls(opGroupInfos.path)
	first, second := calls[0].request.URL.Query(), calls[1].request.URL.Query()
	if first.Get("uuid") == "" || first.Get("uuid") != second.Get("uuid") || first.Get("operatorUserId") != "boss" {
		t.Errorf("asked %v, then %v", first, second)
	}
}

func TestFiles(t *testing.T) {
	c := &tenant{answer: func(path string, body map[string]any, query url.Values) string {
		switch {
		case path == opWorkspaces.path:
			return `{"workspaces":[{"workspaceId":"w1","rootNodeId":"root"}]}`
		case path == opNodes.path && query.Get("parentNodeId") == "root" && query.Get("nextToken") == "":
			return `{"nodes":[{"nodeId":"n1","hasChildren":true},{"nodeId":"secret","hasChildren":true}],"nextToken":"2"}`
		case path == opNodes.path && query.Get("parentNodeId") == "root":
			return `{"nodes":[{"nodeId":"n2","new_field":1}]}`
		case path == opNodes.path && query.Get("parentNodeId") == "n1":
			return `{"nodes":[{"nodeId":"n3"},{"nodeId":"root","hasChildren":true}]}`
		case path == opNodes.path:
			return `{"code":"permissionDenied","message":"…"}`
		case path == opSpaces.path:
			return `{"spaces":[{"spaceId":"s1"},{"spaceId":"s2"}],"nextToken":""}`
		case path == opEntries.at("s1").path && fmt.Sprint(body["option"].(map[string]any)["nextToken"]) == "9":
			return `{"dentries":[{"id":"1"},{"id":"2"}]}`
		case path == opEntries.at("s1").path:
			return `{"dentries":[{"id":"1"}],"nextToken":"9"}`
		case path == opEntries.at("s2").path:
			return `{"code":"spaceNotExist","message":"…"}`
		}
		return `{}`
	}}
	ids, _, sum, err := c.export(t, directory.DatasetFiles, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, ids, map[string][]string{
		"workspaces": {"w1"}, "nodes": {"n1", "n2", "n3", "root", "secret"}, "spaces": {"s1", "s2"}, "entries": {"s1/1", "s1/2"},
	})
	if g := gaps(sum); !strings.Contains(g, "only what the main administrator may see") || !strings.Contains(g, "PermissionDenied: 1 folders") {
		t.Errorf("gaps: %s", g)
	}
	if q := c.calls(opWorkspaces.path)[0].request.URL.Query(); q.Get("operatorId") != "u-boss" {
		t.Errorf("asked in the name of %v", q)
	}
}

func TestOperationLogs(t *testing.T) {
	c := &tenant{answer: func(_ string, _ map[string]any, query url.Values) string {
		var list []string
		first, n := 0, 500
		if query.Get("nextBizId") == "f499" && query.Get("nextGmtCreate") == "1499" {
			first, n = 499, 3 // the last one comes again
		}
		for i := range n {
			list = append(list, fmt.Sprintf(`{"bizId":"f%d","gmtCreate":%d,"userId":"p%d","action":0}`, first+i, 1000+first+i, (first+i)%2))
		}
		return `{"list":[` + strings.Join(list, ",") + `]}`
	}}
	ids, _, _, err := c.export(t, directory.DatasetOperationLogs, directory.Scope{})
	if err != nil || len(ids["files"]) != 502 {
		t.Errorf("%d records, %v", len(ids["files"]), err)
	}
	ids, _, _, err = c.export(t, directory.DatasetOperationLogs, directory.Scope{Accounts: []string{"p1"}})
	if err != nil || len(ids["files"]) != 251 {
		t.Errorf("%d records of one person, %v", len(ids["files"]), err)
	}
}

func TestCalendars(t *testing.T) {
	c := &tenant{answer: func(path string, _ map[string]any, query url.Values) string {
		if path == opEvents.at("u-a").path && query.Get("nextToken") == "" {
			return `{"events":[{"id":"e1","summary":"例会"}],"nextToken":"n"}`
		}
		return `{"events":[{"id":"e2"}]}`
	}}
	ids, _, _, err := c.export(t, directory.DatasetCalendars, directory.Scope{Accounts: []string{"a", "b"}, From: today.Add(-day)})
	if err != nil {
		t.Fatal(err)
	}
	same(t, ids, map[string][]string{"events": {"a/e1", "a/e2", "b/e2"}})
}

// E-102: whatever the app may not do, the error says what to grant.
func TestMissingPermissionsAreNamed(t *testing.T) {
	for set, grants := range map[directory.Dataset][]string{
		directory.DatasetApprovals:     {"Workflow.Form.Read"},
		directory.DatasetAttendance:    {"qyapi_get_attendance_data"},
		directory.DatasetReports:       {"qyapi_report_query"},
		directory.DatasetRoster:        {"qyapi_hrm_read_user"},
		directory.DatasetGroups:        {"Custom.Group.Read", "专属钉钉"},
		directory.DatasetFiles:         {"Wiki.Workspace.Read"},
		directory.DatasetOperationLogs: {"Custom.OpFileAudit.Read", "专属钉钉"},
		directory.DatasetCalendars:     {"Calendar.Event.Read"},
	} {
		c := &tenant{answer: func(path string, _ map[string]any, _ url.Values) string {
			if strings.HasPrefix(path, "/v") {
				return `{"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied","message":"…"}`
			}
			return `{"errcode":88,"sub_code":"60011"}`
		}}
		_, _, _, err := c.export(t, set, directory.Scope{Accounts: []string{"a"}})
		if directory.ClassOf(err) != directory.PermissionDenied {
			t.Errorf("%s: got %v, want PermissionDenied", set, err)
			continue
		}
		for _, grant := range append(grants, "developer console") {
			if !strings.Contains(err.Error(), grant) {
				t.Errorf("%s: %v does not name %s", set, err, grant)
			}
		}
	}
}

func TestWhatLiesBehindTheHorizonIsAGap(t *testing.T) {
	c := &tenant{answer: func(string, map[string]any, url.Values) string { return `{"errcode":0,"recordresult":[]}` }}
	scope := directory.Scope{Accounts: []string{"a"}, From: today.Add(-400 * day), To: today.Add(-300 * day)}
	ids, _, sum, err := c.export(t, directory.DatasetAttendance, scope)
	if err != nil || len(ids) != 0 || len(c.calls(opPunches.path)) != 0 ||
		gaps(sum) != " NotSupported: DingTalk looks back 180 days: nothing before 2025-09-04 is in it\n" {
		t.Errorf("%v, %s, %v", ids, gaps(sum), err)
	}
}
