package dingtalk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// withPast starts a simulator whose 40 people have worked for 90 days.
func withPast(t *testing.T) *sim {
	t.Helper()
	s := newSim(t)
	if _, err := s.admin.Seed("acme", core.Seed{Users: 40, Departments: 3}); err != nil {
		t.Fatal(err)
	}
	s.configure(`{"history":{"days":90,"seed":7}}`)
	return s
}

func (s *sim) denied(want, method, path string, in any) {
	s.t.Helper()
	if status, b := s.fresh(method, path, in); status == http.StatusOK || b["code"] != want {
		s.t.Errorf("%s %v: %d %v, want %s", path, in, status, b, want)
	}
}

func (s *sim) new(method, path string, in any) body {
	s.t.Helper()
	status, b := s.fresh(method, path, in)
	if status != http.StatusOK || b["code"] != nil {
		s.t.Fatalf("%s %v: %d %v", path, in, status, b)
	}
	return b
}

func local(days int) string { return start.AddDate(0, 0, days).In(core.Local).Format(wireTime) }

func ms(days int) int64 { return start.AddDate(0, 0, days).UnixMilli() }

func TestAttendanceResults(t *testing.T) {
	s := withPast(t)
	ask := func(from, to, offset, limit int, users ...string) body {
		return body{"workDateFrom": local(from), "workDateTo": local(to), "userIdList": users, "offset": offset, "limit": limit}
	}
	week := s.ok("/attendance/list", ask(-10, -3, 0, 50, "S00001", "S00002", "nobody"))
	if rows := week["recordresult"].([]any); len(rows) != 24 || week["hasMore"] != false {
		t.Errorf("two people, six working days, two rows a day: %d rows, more %v", len(rows), week["hasMore"])
	}
	seen := map[any]bool{}
	for offset := 0; ; offset += 5 {
		page := s.ok("/attendance/list", ask(-10, -3, offset, 5, "S00001", "S00002"))
		for _, row := range page["recordresult"].([]any) {
			seen[row.(body)["id"]] = true
		}
		if page["hasMore"] == false {
			break
		}
	}
	if len(seen) != 24 {
		t.Errorf("pages have %d of 24 rows", len(seen))
	}
	if old := s.ok("/attendance/list", ask(-200, -194, 0, 50, "S00001")); len(old["recordresult"].([]any)) != 0 {
		t.Error("rows from before the last six months")
	}
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf("S%05d", i+1)
	}
	s.refused("40035", "/attendance/list", ask(-8, 0, 0, 50, "S00001"))
	s.refused("40035", "/attendance/list", ask(-3, -4, 0, 50, "S00001"))
	s.refused("40035", "/attendance/list", ask(-7, 0, 0, 51, "S00001"))
	s.refused("40035", "/attendance/list", ask(-7, 0, 0, 50, many...))
	s.refused("40035", "/attendance/list", ask(-7, 0, 0, 50))
}

func TestPunchRecords(t *testing.T) {
	s := withPast(t)
	ask := func(from, to int) body {
		return body{"checkDateFrom": local(from), "checkDateTo": local(to), "userIds": []string{"S00003"}}
	}
	first := s.ok("/attendance/listRecord", ask(-7, 0))
	again := s.ok("/attendance/listRecord", ask(-7, 0))
	if !reflect.DeepEqual(first["recordresult"], again["recordresult"]) || len(first["recordresult"].([]any)) == 0 {
		t.Error("the past is not the same when read again")
	}
	for _, row := range first["recordresult"].([]any) {
		at, _ := row.(body)["userCheckTime"].(json.Number).Int64()
		if at < ms(-7) || at > ms(0) {
			t.Errorf("a punch at %d is not between the moments asked for", at)
		}
	}
	s.refused("40035", "/attendance/listRecord", ask(-8, 0))

	// Somebody corrects one by hand, and removes another.
	list, err := s.admin.Objects("acme", collPunches)
	if err != nil || len(list) < 1000 {
		t.Fatalf("%d punches: %v", len(list), err)
	}
	if err := s.admin.Create("acme", collPunches, "x1", json.RawMessage(fmt.Sprintf(`{"id":1,"userId":"S00003","userCheckTime":%d}`, ms(-1)))); err != nil {
		t.Fatal(err)
	}
	if more := s.ok("/attendance/listRecord", ask(-7, 0)); len(more["recordresult"].([]any)) != len(first["recordresult"].([]any))+1 {
		t.Error("a punch made by hand is not there")
	}
	if err := s.admin.Remove("acme", collPunches, "x1"); err != nil {
		t.Fatal(err)
	}
	if less := s.ok("/attendance/listRecord", ask(-7, 0)); !reflect.DeepEqual(less["recordresult"], first["recordresult"]) {
		t.Error("a punch removed by hand is still there")
	}
}

func TestApprovals(t *testing.T) {
	s := withPast(t)
	forms := s.new("GET", "/v1.0/workflow/processes/userVisibilities/templates?nextToken=0&maxResults=2", nil)["result"].(body)
	if len(forms["processList"].([]any)) != 2 || forms["nextToken"] != json.Number("2") {
		t.Fatalf("forms: %v", forms)
	}
	code := forms["processList"].([]any)[0].(body)["processCode"].(string)
	if old := s.result("/topapi/process/listbyuserid", body{"offset": 0, "size": 100}); len(old["process_list"].([]any)) != 3 || old["next_cursor"] != nil {
		t.Errorf("forms of the old API: %v", old)
	}
	const path = "/v1.0/workflow/processes/instanceIds/query"
	ask := func(change body) body {
		in := body{"processCode": code, "startTime": ms(-100), "nextToken": 0, "maxResults": 20}
		for name, v := range change {
			in[name] = v
		}
		return in
	}
	var found []string
	for token := any(0); token != nil; {
		page := s.new("POST", path, ask(body{"nextToken": token}))["result"].(body)
		for _, id := range page["list"].([]any) {
			found = append(found, id.(string))
		}
		token = page["nextToken"]
	}
	if len(found) < 21 || len(found) > 40 {
		t.Errorf("%d approvals of 40 people in a quarter", len(found))
	}
	one := s.new("GET", "/v1.0/workflow/processInstances?processInstanceId="+found[0], nil)["result"].(body)
	if one["status"] == "RUNNING" || one["originatorUserId"] == nil || one["processCode"] != nil {
		t.Errorf("the first approval: %v", one)
	}
	mine := s.new("POST", path, ask(body{"userIds": []any{one["originatorUserId"]}}))["result"].(body)["list"].([]any)
	if len(mine) != 1 || mine[0] != found[0] {
		t.Errorf("of its author: %v", mine)
	}
	s.denied("processInstanceNotExist", "GET", "/v1.0/workflow/processInstances?processInstanceId=202601010123", nil)

	s.denied("invalidProcessCode", "POST", path, ask(body{"processCode": ""}))
	s.denied("invalidMaxResults", "POST", path, ask(body{"maxResults": 21}))
	s.denied("invalidNextToken", "POST", path, ask(body{"nextToken": nil}))
	s.denied("invalidEndTime", "POST", path, ask(body{"startTime": ms(-121)}))
	s.denied("invalidEndTime", "POST", path, ask(body{"endTime": ms(-101)}))
	s.denied("internalError", "POST", path, ask(body{"startTime": ms(-366), "endTime": ms(-300)}))
	s.denied("invalidUserIds", "POST", path, ask(body{"userIds": strings.Split("a,b,c,d,e,f,g,h,i,j,k", ",")}))

	// Somebody takes one back by hand.
	if err := s.admin.Merge("acme", collApprovals, found[0], json.RawMessage(`{"status":"TERMINATED"}`)); err != nil {
		t.Fatal(err)
	}
	back := s.new("POST", path, ask(body{"statuses": []string{"TERMINATED"}, "userIds": []any{one["originatorUserId"]}}))["result"].(body)
	if len(back["list"].([]any)) != 1 {
		t.Error("an edit by hand is not seen")
	}
}

func TestReports(t *testing.T) {
	s := withPast(t)
	ask := func(from, cursor, size int) body {
		return body{"start_time": ms(from), "end_time": ms(0), "cursor": cursor, "size": size}
	}
	seen := map[any]bool{}
	for cursor := 0; ; {
		page := s.result("/topapi/report/list", ask(-90, cursor, 20))
		for _, row := range page["data_list"].([]any) {
			seen[row.(body)["report_id"]] = true
		}
		if page["has_more"] == false {
			break
		}
		n, _ := page["next_cursor"].(json.Number).Int64()
		cursor = int(n)
	}
	if len(seen) < 60 || len(seen) > 123 {
		t.Errorf("%d reports of 41 people in three months", len(seen))
	}
	s.refused("40035", "/topapi/report/list", ask(-181, 0, 20))
	s.refused("40035", "/topapi/report/list", ask(-90, 0, 21))
}

func TestDocumentsAndGroups(t *testing.T) {
	s := withPast(t)
	union := s.user("S00001")["unionid"].(string)
	spaces := s.new("GET", "/v2.0/wiki/workspaces?operatorId="+union, nil)["workspaces"].([]any)
	root := spaces[0].(body)["rootNodeId"].(string)
	if nodes := s.new("GET", "/v2.0/wiki/nodes?operatorId="+union+"&parentNodeId="+root, nil)["nodes"].([]any); len(nodes) != 2 {
		t.Errorf("below the root: %v", nodes)
	}
	s.denied("parentNodeNotExist", "GET", "/v2.0/wiki/nodes?operatorId="+union+"&parentNodeId=x", nil)
	s.denied("permissionDenied", "GET", "/v2.0/wiki/workspaces?operatorId=S00001", nil)
	s.denied("paramError", "GET", "/v2.0/wiki/workspaces?maxResults=31&operatorId="+union, nil)

	drive := s.new("GET", "/v1.0/drive/spaces?spaceType=org&maxResults=50&unionId="+union, nil)["spaces"].([]any)
	list := "/v1.0/storage/spaces/" + drive[0].(body)["spaceId"].(string) + "/dentries/listAll?unionId=" + union
	first := s.new("POST", list, body{"option": body{}})
	rest := s.new("POST", list, body{"option": body{"nextToken": first["nextToken"]}})
	if len(first["dentries"].([]any)) != 50 || len(rest["dentries"].([]any)) != 10 || rest["nextToken"] != nil {
		t.Errorf("files: %v, then %v", first, rest)
	}

	groups := "/v1.0/exclusive/securities/orgGroupInfos?operatorUserId=manager7001&uuid=1&pageSize=2&pageStart=2"
	status, b := s.fresh("GET", groups, nil)
	if status != http.StatusForbidden || b["accessdenieddetail"] == nil {
		t.Errorf("groups where the edition is not exclusive: %d %v", status, b)
	}
	s.configure(`{"exclusive":true}`)
	if g := s.new("GET", groups, nil); g["totalCount"] != json.Number("3") || g["itemCount"] != json.Number("1") {
		t.Errorf("groups: %v", g)
	}
}

func TestRoster(t *testing.T) {
	s := withPast(t)
	ask := body{"status_list": "2,3,5,-1", "offset": 0, "size": 50}
	if all := s.result("/topapi/smartwork/hrm/employee/queryonjob", ask); len(all["data_list"].([]any)) != 41 || all["next_cursor"] != nil {
		t.Errorf("on the job: %v", all)
	}
	s.refused("40035", "/topapi/smartwork/hrm/employee/queryonjob", body{"status_list": "3", "offset": 0, "size": 51})
	in := body{"userIdList": []string{"S00001"}, "appAgentId": 3_000_000_001, "fieldFilterList": []string{"sys00-jobNumber"}}
	row := s.new("POST", "/v1.0/hrm/rosters/lists/query", in)["result"].([]any)[0].(body)
	if data := row["fieldDataList"].([]any); len(data) != 1 {
		t.Errorf("roster: %v", row)
	}
	s.configure(`{"smartHR":false}`)
	s.denied("noPermission", "POST", "/v1.0/hrm/rosters/lists/query", in)
}

// TestDatasetPermissions: an app without a permission is told which one it needs.
func TestDatasetPermissions(t *testing.T) {
	s := withPast(t)
	s.configure(`{"permissions":["qyapi_base"]}`)
	s.refused("88/60011", "/attendance/list", body{})
	s.refused("88/60011", "/topapi/report/list", body{})
	_, b := s.fresh("POST", "/v1.0/workflow/processes/instanceIds/query", body{})
	if b["code"] != "Forbidden.AccessDenied.AccessTokenPermissionDenied" ||
		!reflect.DeepEqual(b["accessdenieddetail"], body{"requiredScopes": []any{"Workflow.Instance.Read"}}) {
		t.Errorf("%v", b)
	}
}

// TestPastGoesOn: what a person does tomorrow is there tomorrow, and what was read
// today does not change.
func TestPastGoesOn(t *testing.T) {
	s := withPast(t)
	count := func() int {
		list, err := s.admin.Objects("acme", collReports)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := count()
	s.core.Clock.Advance(30 * 24 * time.Hour)
	if after := count(); after <= before {
		t.Errorf("%d reports, a month later %d", before, after)
	}
}

func TestScratch(t *testing.T) {
	server := httptest.NewServer(Scratch("dingscratch", "k", "s", 1))
	t.Cleanup(server.Close)
	s := &sim{t: t, url: server.URL, client: server.Client()}
	s.token = s.tokenOf("k", "s")
	if n := s.result("/topapi/user/count", body{"only_active": false})["count"]; n != json.Number("0") {
		t.Errorf("an empty organisation has %v people", n)
	}
	s.ok("/topapi/v2/user/create", body{
		"userid": creator, "name": "管理员", "mobile": "13900007001", "dept_id_list": "1", "extension": `{"什么":"都行"}`,
	})
	if u := s.user(creator); u["extension"] != `{"什么":"都行"}` {
		t.Errorf("restored as %v", u)
	}
	for range 50 {
		s.user(creator) // far over the documented 20 a second
	}
}
