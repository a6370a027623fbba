package dingtalk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"testing"
)

func TestDismissions(t *testing.T) {
	s := newSim(t)
	unit := s.dept("研发部", 1)
	team := s.dept("平台组", unit)
	for i := range 4 {
		s.person(fmt.Sprintf("L%d", i), fmt.Sprintf("1380000000%d", i), team, 1)
	}
	for _, id := range []string{"L2", "L0", "L1"} {
		s.ok("/topapi/v2/user/delete", body{"userid": id})
	}
	s.person("L1", "13800000001", 1) // is back

	const list = "/v1.0/hrm/employees/dismissions"
	first := s.new("GET", list+"?nextToken=0&maxResults=1", nil)
	rest := s.new("GET", list+fmt.Sprintf("?nextToken=%v&maxResults=1", first["nextToken"]), nil)
	if !reflect.DeepEqual(first["userIdList"], []any{"L2"}) || first["hasMore"] != true ||
		!reflect.DeepEqual(rest["userIdList"], []any{"L0"}) || rest["hasMore"] != false {
		t.Errorf("who left: %v, then %v", first, rest)
	}
	s.denied("invalidParameter", "GET", list+"?maxResults=51", nil)

	const infos = "/v1.0/hrm/employees/dimissionInfos?userIdList="
	rows := s.new("GET", infos+`["L0","L3","nobody"]`, nil)["result"].([]any)
	if len(rows) != 2 {
		t.Fatalf("infos: %v", rows)
	}
	left, here := rows[0].(body), rows[1].(body)
	paths := []any{
		body{"dept_path": "研发部-平台组", "dept_id": team}, body{"dept_path": "极点科技", "dept_id": json.Number("1")},
	}
	if left["status"] != json.Number("2") || !reflect.DeepEqual(left["deptList"], paths) || left["mainDeptName"] != "平台组" {
		t.Errorf("who left: %v", left)
	}
	if here["userId"] != "L3" || here["status"] != json.Number("3") {
		t.Errorf("who is here: %v", here)
	}
	s.denied("invalidParameter", "GET", infos+"[]", nil)

	// Somebody of the personnel department writes down why, takes one out, and lets
	// another go next week.
	for _, err := range []error{
		s.admin.Merge("acme", collDismissions, "L0", json.RawMessage(`{"reasonMemo":"世界太大"}`)),
		s.admin.Remove("acme", collDismissions, "L2"),
		s.admin.Create("acme", collDismissions, "L3", json.RawMessage(`{"status":1}`)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if all := s.new("GET", list, nil); !reflect.DeepEqual(all["userIdList"], []any{"L0"}) {
		t.Errorf("after edits by hand: %v", all)
	}
	rows = s.new("GET", infos+"L0,L3", nil)["result"].([]any)
	if rows[0].(body)["reasonMemo"] != "世界太大" || rows[1].(body)["status"] != json.Number("1") {
		t.Errorf("after edits by hand: %v", rows)
	}

	s.configure(`{"smartHR":false}`)
	s.denied("corpNotOpenHrm", "GET", list, nil)
	s.denied("corpNotOpenHrm", "GET", infos+"L0", nil)
	s.configure(`{"permissions":["qyapi_base"]}`)
	if status, b := s.fresh("GET", list, nil); status != http.StatusForbidden {
		t.Errorf("without the permission: %d %v", status, b)
	}
}
