package dingtalk

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestDepartmentErrors(t *testing.T) {
	s, research, sales := filled(t)
	team := s.dept("一组", research)
	create, update, remove := "/topapi/v2/department/create", "/topapi/v2/department/update", "/topapi/v2/department/delete"
	users := make([]string, 51)
	for i := range users {
		users[i] = fmt.Sprintf("U%d", i)
	}
	for _, tt := range []struct {
		name, path string
		in         body
		want       string
	}{
		{"no name", create, body{"parent_id": 1}, "40035"},
		{"no parent", create, body{"name": "x"}, "40035"},
		{"unknown parent", create, body{"name": "x", "parent_id": 99}, "60004"},
		{"name in use", create, body{"name": "研发部", "parent_id": 1}, "60021"},
		{"long name", create, body{"name": strings.Repeat("部", 65), "parent_id": 1}, "60001"},
		{"dash", create, body{"name": "a-b", "parent_id": 1}, "60009"},
		{"comma", create, body{"name": "a,b", "parent_id": 1}, "60009"},
		{"wide comma", create, body{"name": "a，b", "parent_id": 1}, "60009"},
		{"order 0", create, body{"name": "x", "parent_id": 1, "order": 0}, "40011"},
		{"order that is a word", create, body{"name": "x", "parent_id": 1, "order": "first"}, "40011"},
		{"too many who may see", create, body{"name": "x", "parent_id": 1, "hide_dept": true, "user_permits": strings.Join(users, ",")}, "600109"},
		{"unknown who may see", create, body{"name": "x", "parent_id": 1, "hide_dept": true, "user_permits": "nobody"}, "600109"},

		{"update without id", update, body{"name": "x"}, "40009"},
		{"update of the root", update, body{"dept_id": 1, "name": "x"}, "60018"},
		{"update of none", update, body{"dept_id": 99, "name": "x"}, "60003"},
		{"update to a bad name", update, body{"dept_id": team, "name": ""}, "60001"},
		{"update to a name in use", update, body{"dept_id": sales, "name": "研发部"}, "60021"},
		{"move to a name in use", update, body{"dept_id": team, "parent_id": 1, "name": "销售部"}, "60021"},
		{"move below nothing", update, body{"dept_id": team, "parent_id": 99}, "60004"},
		{"move below itself", update, body{"dept_id": research, "parent_id": research}, "60010"},
		{"move below its child", update, body{"dept_id": research, "parent_id": team}, "60010"},
		{"manager from outside", update, body{"dept_id": team, "dept_manager_userid_list": "A1"}, "40031"},
		{"manager who is nobody", update, body{"dept_id": research, "dept_manager_userid_list": "A1,nobody"}, "40031"},
		{"group owner from outside", update, body{"dept_id": team, "org_dept_owner": "A1"}, "40093"},
		{"unknown who may see, on update", update, body{"dept_id": team, "hide_dept": true, "dept_permits": "99"}, "60109"},
		{"long code", update, body{"dept_id": team, "code": strings.Repeat("9", 31)}, "40035"},

		{"delete the root", remove, body{"dept_id": 1}, "60007"},
		{"delete with people", remove, body{"dept_id": sales}, "60005"},
		{"delete none", remove, body{"dept_id": 99}, "60003"},
		{"delete without id", remove, body{}, "400002"},

		{"get none", "/topapi/v2/department/get", body{"dept_id": 99}, "60003"},
		{"get without id", "/topapi/v2/department/get", body{}, "400002"},
		{"listsub of none", "/topapi/v2/department/listsub", body{"dept_id": 99}, "60003"},
		{"listsubid without id", "/topapi/v2/department/listsubid", body{}, "400002"},
		{"parents of none", "/topapi/v2/department/listparentbydept", body{"dept_id": 99}, "60003"},
		{"parents of nobody", "/topapi/v2/department/listparentbyuser", body{"userid": "nobody"}, "33012"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := s.acme().depts.Len()
			s.refused(tt.want, tt.path, tt.in)
			if s.acme().depts.Len() != before {
				t.Error("a refused call changed something")
			}
		})
	}
	s.ok("/topapi/v2/user/delete", body{"userid": "A1"})
	s.ok("/topapi/v2/user/delete", body{"userid": "A2"})
	s.refused("60006", remove, body{"dept_id": research})
	s.ok(remove, body{"dept_id": team})
	s.ok(remove, body{"dept_id": research})
	s.refused("60003", remove, body{"dept_id": research})
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

func TestDepartmentRoundTrip(t *testing.T) {
	s, research, sales := filled(t)
	team := s.result("/topapi/v2/department/create", body{
		"name": "一组", "parent_id": research, "order": 3, "source_identifier": "D-001", "create_dept_group": true,
		"hide_dept": "true", "user_permits": "A1,A2", "dept_permits": fmt.Sprint(sales),
	})["dept_id"].(json.Number)
	s.person("A3", "13800000003", team)
	s.ok("/topapi/v2/department/update", body{"dept_id": team, "dept_manager_userid_list": "A3", "code": "C1", "org_dept_owner": "A3"})
	d := s.result("/topapi/v2/department/get", body{"dept_id": team})
	for field, want := range map[string]string{
		"dept_id": string(team), "name": "一组", "parent_id": string(research), "order": "3", "source_identifier": "D-001",
		"code": "C1", "member_count": "1", "owning_member_count": "1", "dept_manager_userid_list": "[A3]", "org_dept_owner": "A3",
		"create_dept_group": "true", "auto_add_user": "true", "hide_dept": "true", "user_permits": "[A1 A2]",
		"dept_permits": "[" + string(sales) + "]", "outer_dept": "false", "outer_permit_depts": "[]", "brief": "",
	} {
		if got := fmt.Sprint(d[field]); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	if d["dept_group_chat_id"] == nil {
		t.Error("the group has no id")
	}
	s.ok("/topapi/v2/department/update", body{"dept_id": team, "force_update_fields": "dept_manager_userid_list", "hide_dept": false})
	d = s.result("/topapi/v2/department/get", body{"dept_id": team})
	if fmt.Sprintf("%v %v %v %v", d["dept_manager_userid_list"], d["user_permits"], d["name"], d["order"]) != "[] [] 一组 3" {
		t.Errorf("after clearing: %v", d)
	}
	if r := s.result("/topapi/v2/department/get", body{"dept_id": research}); fmt.Sprintf("%v %v", r["member_count"], r["owning_member_count"]) != "3 2" {
		t.Errorf("counts: %v", r)
	}
	parents := s.result("/topapi/v2/department/listparentbydept", body{"dept_id": team})["parent_id_list"]
	if fmt.Sprint(parents) != fmt.Sprintf("[%s %s 1]", team, research) {
		t.Errorf("parents: %v", parents)
	}
	byUser := s.result("/topapi/v2/department/listparentbyuser", body{"userid": "A2"})["parent_list"]
	if fmt.Sprint(byUser) != fmt.Sprintf("[map[parent_dept_id_list:[%s 1]] map[parent_dept_id_list:[%s 1]]]", research, sales) {
		t.Errorf("parents of a user: %v", byUser)
	}
}

func TestDepartmentMove(t *testing.T) {
	s, research, sales := filled(t)
	team := s.dept("一组", research)
	s.dept("一组", sales) // names are unique among siblings only
	s.refused("60021", "/topapi/v2/department/update", body{"dept_id": team, "parent_id": sales})
	s.ok("/topapi/v2/department/update", body{"dept_id": team, "parent_id": sales, "name": "二组"})
	s.dept("一组", research) // the old place is free
	if got := s.result("/topapi/v2/department/listsubid", body{"dept_id": sales})["dept_id_list"].([]any); len(got) != 2 {
		t.Errorf("below sales: %v", got)
	}
	s.ok("/topapi/v2/department/update", body{"dept_id": sales, "parent_id": research})
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

// TestDepartmentOrder: departments are sorted with smaller orders first, users
// with bigger ones.
func TestDepartmentOrder(t *testing.T) {
	s := newSim(t)
	for i, order := range []int{30, 10, 20} {
		s.ok("/topapi/v2/department/create", body{"name": fmt.Sprintf("部%d", i), "parent_id": 1, "order": order})
	}
	s.dept("末", 1) // no order given: behind the others
	var names []string
	list := s.ok("/topapi/v2/department/listsub", body{})["result"].([]any)
	for _, e := range list {
		d := e.(body)
		names = append(names, d["name"].(string))
		if len(d) != 5 {
			t.Errorf("fields of an item: %v", d)
		}
	}
	if fmt.Sprint(names) != "[部1 部2 部0 末]" {
		t.Errorf("order: %v", names)
	}
}
