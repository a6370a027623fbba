package dingtalk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	terminatePath = "/v1.0/hrm/processes/terminateAndHandOver"
	infosPath     = "/v1.0/hrm/employees/dimissionInfos?userIdList="
)

var lastDay = start.Add(36 * time.Hour).UnixMilli()

// termination is a body that everybody is happy with, with changes.
func terminationOf(changes body) body {
	in := body{
		"userId": "A1", "optUserId": creator, "lastWorkDate": lastDay, "dismissionMemo": "合同到期",
		"terminationReasonVoluntary": []string{"2"},
	}
	for name, value := range changes {
		in[name] = value
	}
	return in
}

// leftOf is the last leaving of somebody.
func (s *sim) leftOf(id string) core.Left {
	s.t.Helper()
	o, err := s.admin.Object("acme", collLeft, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return o.(core.Left)
}

func TestTerminate(t *testing.T) {
	s, _, _ := filled(t)
	for i, id := range []string{"H1", "H2", "H3", "H4", "H5", "B1", "B2"} {
		s.person(id, fmt.Sprintf("1381000000%d", i), 1)
	}
	for _, id := range []string{"B1", "B2", "H5"} {
		s.ok("/topapi/v2/user/update", body{"userid": id, "manager_userid": "A1"})
	}
	if err := s.admin.Merge("acme", collUsers, "A1", json.RawMessage(`{"admin":true}`)); err != nil {
		t.Fatal(err)
	}
	for id, task := range map[string]string{
		"P1": `{"taskId":1,"userId":"A1","status":"RUNNING"}`, "P2": `{"taskId":2,"userId":"A1","status":"COMPLETED"}`,
		"P3": `{"taskId":3,"userId":"A2","status":"RUNNING"}`,
	} {
		fields := `{"processCode":"` + templates[1].code + `","status":"RUNNING","createTime":"2026-03-01T01:00Z","tasks":[` + task + `]}`
		if err := s.admin.Create("acme", collApprovals, id, json.RawMessage(fields)); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.new("GET", "/v1.0/workflow/processes/todoTasks/numbers?userId=A1", nil)["result"]; n != json.Number("1") {
		t.Errorf("waiting before: %v", n)
	}
	b := s.new("POST", terminatePath, terminationOf(body{
		"aflowHandOverUserId": "H1", "docNoteHandoverUserId": "H2", "dingPanHandoverUserId": "H3",
		"permissionHandoverUserId": "H4", "directSubordinatesHandoverUserId": "H5", "terminationReasonPassive": []string{"6"},
	}))
	if !reflect.DeepEqual(b, body{"result": true}) {
		t.Errorf("answer: %v", b)
	}
	s.refused("60121", "/topapi/v2/user/get", body{"userid": "A1"})
	for id, manager := range map[string]any{"B1": "H5", "B2": "H5", "H5": nil} {
		if got := s.user(id)["manager_userid"]; got != manager {
			t.Errorf("the manager of %s: %v, want %v", id, got, manager)
		}
	}
	if u := s.user("H4"); u["admin"] != true {
		t.Errorf("who takes over permissions: %v", u)
	}
	if n := s.new("GET", "/v1.0/workflow/processes/todoTasks/numbers?userId=H1", nil)["result"]; n != json.Number("1") {
		t.Errorf("waiting after: %v", n)
	}
	s.denied("userNotExist", "GET", "/v1.0/workflow/processes/todoTasks/numbers?userId=A1", nil)

	info := s.new("GET", infosPath+"A1", nil)["result"].([]any)[0].(body)
	for name, want := range (body{
		"status": json.Number("2"), "lastWorkDay": json.Number(fmt.Sprint(lastDay)), "reasonMemo": "合同到期", "handoverUserId": "H1",
		"voluntaryReason": []any{"个人原因"}, "passiveReason": []any{"无法胜任工作"},
	}) {
		if !reflect.DeepEqual(info[name], want) {
			t.Errorf("dimissionInfos: %s is %v, want %v", name, info[name], want)
		}
	}
	records := s.new("GET", "/v1.0/contact/empLeaveRecords?startTime=2026-03-01T00:00:00Z&maxResults=50", nil)["records"].([]any)
	if len(records) != 1 || records[0].(body)["userId"] != "A1" || records[0].(body)["leaveReason"] != "oapi" {
		t.Errorf("empLeaveRecords: %v", records)
	}
	left := s.leftOf("A1")
	want := core.Left{ID: "A1", Time: start, By: terminatePath, Credential: "rollcall", HandedOver: []core.HandOver{
		{What: "approvals", To: "H1", Items: []string{"P1"}, State: "done", Time: start},
		{What: "documents", To: "H2", State: "done", Time: start},
		{What: "drive", To: "H3", State: "done", Time: start},
		{What: "permissions", To: "H4", Items: []string{"子管理员"}, State: "done", Time: start},
		{What: "subordinates", To: "H5", Items: []string{"H5", "B1", "B2"}, State: "done", Time: start},
	}}
	if !reflect.DeepEqual(left, want) {
		t.Errorf("left: %+v, want %+v", left, want)
	}
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
	s.denied("empNotExists", "POST", terminatePath, terminationOf(nil))
}

// TestTerminateNothing hands nothing over: what waits for the leaver goes on waiting.
func TestTerminateNothing(t *testing.T) {
	s, _, _ := filled(t)
	s.ok("/topapi/v2/user/update", body{"userid": "A2", "manager_userid": "A1"})
	s.new("POST", terminatePath, terminationOf(body{"terminationReasonVoluntary": nil, "terminationReasonPassive": []string{"5"}}))
	if got := s.user("A2")["manager_userid"]; got != nil {
		t.Errorf("the manager who left: %v", got)
	}
	info := s.new("GET", infosPath+"A1", nil)["result"].([]any)[0].(body)
	if _, there := info["handoverUserId"]; there {
		t.Errorf("dimissionInfos: %v", info)
	}
	if left := s.leftOf("A1"); len(left.HandedOver) != 0 {
		t.Errorf("left: %+v", left)
	}
	s.ok("/topapi/v2/user/delete", body{"userid": "A2"})
	if left := s.leftOf("A2"); left.By != "/topapi/v2/user/delete" || left.Credential != "rollcall" {
		t.Errorf("left by deletion: %+v", left)
	}
	if err := s.admin.Create("acme", collUsers, "A1", json.RawMessage(`{}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.admin.Remove("acme", collUsers, "A1"); err != nil {
		t.Fatal(err)
	}
	all, err := s.admin.Objects("acme", collLeft)
	if err != nil || len(all) != 3 || all[2].(core.Left).By != core.ByHand {
		t.Errorf("everybody who left: %+v %v", all, err)
	}
}

func TestTerminateRefusals(t *testing.T) {
	s, _, _ := filled(t)
	for _, tt := range []struct {
		name    string
		changes body
		want    string
	}{
		{"nobody", body{"userId": ""}, "invalidParameter"},
		{"somebody unknown", body{"userId": "gone"}, "empNotExists"},
		{"no operator", body{"optUserId": nil}, "invalidParameter"},
		{"an unknown operator", body{"optUserId": "gone"}, "empNotExists"},
		{"by one's own hand", body{"optUserId": "A1"}, "businessError"},
		{"no day", body{"lastWorkDate": nil}, "invalidParameter"},
		{"a day in words", body{"lastWorkDate": "2026-03-31"}, "invalidParameter"},
		{"no memo", body{"dismissionMemo": ""}, "invalidParameter"},
		{"no reason", body{"terminationReasonVoluntary": nil}, "invalidParameter"},
		{"only the old reason", body{"terminationReasonVoluntary": nil, "dismissionReason": 1}, "invalidParameter"},
		{"an unknown reason", body{"terminationReasonVoluntary": []string{"77"}}, "businessError"},
		{"a reason of the other kind", body{"terminationReasonVoluntary": []string{"6"}}, "businessError"},
		{"the main administrator", body{"userId": creator, "optUserId": "A2"}, "businessError"},
		{"to oneself", body{"dingPanHandoverUserId": "A1"}, "businessError"},
		{"to somebody unknown", body{"directSubordinatesHandoverUserId": "gone"}, "empNotExists"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.denied(tt.want, "POST", terminatePath, terminationOf(tt.changes))
			if left, err := s.admin.Objects("acme", collLeft); err != nil || len(left) > 0 {
				t.Errorf("somebody left: %v %v", left, err)
			}
		})
	}
	s.configure(`{"smartHR":false}`)
	s.denied("suiteCallInvalid", "POST", terminatePath, terminationOf(nil))
	s.denied("suiteCallInvalid", "GET", "/v1.0/hrm/dismission/reasons", nil)
	s.configure(`{"smartHR":true,"permissions":["qyapi_base"]}`)
	status, b := s.fresh("POST", terminatePath, terminationOf(nil))
	detail, _ := b["accessdenieddetail"].(body)
	if status != http.StatusForbidden || b["code"] != "Forbidden.AccessDenied.AccessTokenPermissionDenied" ||
		!reflect.DeepEqual(detail["requiredScopes"], []any{"Hrm.Process.ReadWrite"}) {
		t.Errorf("without the permission: %d %v", status, b)
	}
}

func TestDismissionReasons(t *testing.T) {
	s, _, _ := filled(t)
	result := s.new("GET", "/v1.0/hrm/dismission/reasons", nil)["result"].(body)
	for _, list := range []string{"voluntaryList", "passiveList"} {
		ids := []string{}
		for _, r := range result[list].([]any) {
			ids = append(ids, r.(body)["id"].(string))
		}
		if len(ids) == 0 || slices.Contains(ids, "") {
			t.Errorf("%s: %v", list, ids)
		}
	}
}

// TestTerminateFaults: an answer that is lost leaves the leaving done, and the log says whose.
func TestTerminateFaults(t *testing.T) {
	s, _, _ := filled(t)
	s.fault(core.Fault{Operation: "hrm/processes/terminateAndHandOver", Subject: "A1", Kind: core.KindError, Code: "systemError", HTTPStatus: 500, Times: 1})
	if status, b := s.fresh("POST", terminatePath, terminationOf(nil)); status != 500 || b["code"] != "systemError" {
		t.Errorf("the injected error: %d %v", status, b)
	}
	s.user("A1")
	s.fault(core.Fault{Operation: terminatePath, Subject: "A1", Kind: core.KindDropAfter, Times: 2})
	payload, err := json.Marshal(terminationOf(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.raw("POST", terminatePath, http.Header{"X-Acs-Dingtalk-Access-Token": {s.acmeToken()}}, string(payload)); err == nil {
		t.Error("the dropped answer came")
	}
	s.refused("60121", "/topapi/v2/user/get", body{"userid": "A1"})
	calls := s.core.Log.Entries(core.Query{Operation: terminatePath, Subject: "A1"})
	if len(calls) != 2 || calls[0].Code != "systemError" || calls[1].HTTPStatus != 0 {
		t.Errorf("the log: %+v", calls)
	}
}

// TestWaitingApprovals: the approvals of a history wait for the managers of their authors.
func TestWaitingApprovals(t *testing.T) {
	s := newSim(t)
	s.core.Clock.Advance(6 * time.Hour) // nobody files anything before Monday
	if _, err := s.admin.Seed("acme", core.Seed{Users: 400, Departments: 1}); err != nil {
		t.Fatal(err)
	}
	s.configure(`{"history":{"days":30,"seed":1}}`)
	s.person("M1", "13810000001", 1)
	s.person("M2", "13810000002", 1)
	for i := range 400 {
		fields := json.RawMessage(`{"manager_userid":"M1"}`)
		if err := s.admin.Merge("acme", collUsers, fmt.Sprintf("S%05d", i+1), fields); err != nil {
			t.Fatal(err)
		}
	}
	count := func(id string) string {
		return fmt.Sprint(s.new("GET", "/v1.0/workflow/processes/todoTasks/numbers?userId="+id, nil)["result"])
	}
	before := count("M1")
	if before == "0" || count("M2") != "0" {
		t.Fatalf("waiting for the managers: %s, %s", before, count("M2"))
	}
	s.new("POST", terminatePath, terminationOf(body{"userId": "M1", "aflowHandOverUserId": "M2"}))
	if after := count("M2"); after != before {
		t.Errorf("of %s that waited, %s moved", before, after)
	}
	moved := s.leftOf("M1").HandedOver[0].Items
	one := s.new("GET", "/v1.0/workflow/processInstances?processInstanceId="+moved[0], nil)["result"].(body)
	tasks := tasksOf(one)
	if len(tasks) != 2 || tasks[0]["result"] != "REDIRECTED" || !waitsFor(tasks[1], "M2") {
		t.Errorf("a moved approval: %v", one)
	}
}

// TestRedirectTask gives one task to somebody else, before anybody leaves.
func TestRedirectTask(t *testing.T) {
	s, _, _ := filled(t)
	for id, fields := range map[string]string{
		"P1": `{"status":"RUNNING","tasks":[{"taskId":11,"userId":"A1","status":"RUNNING"},{"taskId":12,"userId":"A1","status":"COMPLETED"}]}`,
		"P2": `{"status":"TERMINATED","tasks":[{"taskId":21,"userId":"A1","status":"RUNNING"}]}`,
	} {
		if err := s.admin.Create("acme", collApprovals, id, json.RawMessage(fields)); err != nil {
			t.Fatal(err)
		}
	}
	const path = "/v1.0/workflow/tasks/redirect"
	with := func(task any, to, operator string) body {
		return body{"taskId": task, "toUserId": to, "operateUserId": operator}
	}
	for _, tt := range []struct {
		in   body
		want string
	}{
		{with(nil, "A2", "A1"), "param.illegal"},
		{with(11, "", "A1"), "param.blank"},
		{with(11, "gone", "A1"), "param.illegal"},
		{with(99, "A2", "A1"), "param.illegal"},
		{with(12, "A2", "A1"), "task.status.error"},
		{with(21, "A2", "A1"), "instance.status.error"},
		{with(11, "A2", creator), "param.illegal.operator"},
	} {
		s.denied(tt.want, "POST", path, tt.in)
	}
	if b := s.new("POST", path, with(11, "A2", "A1")); b["result"] != true {
		t.Errorf("answer: %v", b)
	}
	if n := s.new("GET", "/v1.0/workflow/processes/todoTasks/numbers?userId=A2", nil)["result"]; n != json.Number("1") {
		t.Errorf("waiting for who took it: %v", n)
	}
	s.denied("task.status.error", "POST", path, with(11, "A2", "A1"))
	s.denied("invalidGetTodoTaskSumUserId", "GET", "/v1.0/workflow/processes/todoTasks/numbers", nil)
}
