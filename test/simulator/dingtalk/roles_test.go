package dingtalk

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rollcall.dev/rollcall/test/simulator/core"
)

func (s *sim) role(name string, group any) json.Number {
	s.t.Helper()
	return s.ok("/role/add_role", body{"roleName": name, "groupId": group})["roleId"].(json.Number)
}

func (s *sim) group(name string) json.Number {
	s.t.Helper()
	return s.ok("/role/add_role_group", body{"name": name})["groupId"].(json.Number)
}

// systemRoleID finds a default role the way a client has to.
func (s *sim) systemRoleID(name string) json.Number {
	s.t.Helper()
	for _, g := range s.result("/topapi/role/list", body{"offset": 0, "size": 200})["list"].([]any) {
		for _, r := range g.(body)["roles"].([]any) {
			if r.(body)["name"] == name {
				return r.(body)["id"].(json.Number)
			}
		}
	}
	s.t.Fatalf("no role %q", name)
	return ""
}

func TestRoleErrors(t *testing.T) {
	s, _, _ := filled(t)
	group := s.group("职务")
	boss := s.role("总监", group)
	s.role("专员", group)
	s.ok("/topapi/role/addrolesforemps", body{"roleIds": boss, "userIds": "A1"})
	system := s.systemRoleID("子管理员")
	var defaults json.Number
	for _, g := range s.result("/topapi/role/list", body{})["list"].([]any) {
		if g.(body)["name"] == "默认" {
			defaults = g.(body)["groupId"].(json.Number)
		}
	}
	ids := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprint(i + 1)
		}
		return strings.Join(list, ",")
	}
	for _, tt := range []struct {
		name, path string
		in         body
		want       string
	}{
		{"group without name", "/role/add_role_group", body{}, "34018"},
		{"role without name", "/role/add_role", body{"groupId": group}, "34018"},
		{"role without group", "/role/add_role", body{"roleName": "x"}, "34018"},
		{"role in no group", "/role/add_role", body{"roleName": "x", "groupId": 9}, "34020"},
		{"role name in use", "/role/add_role", body{"roleName": "总监", "groupId": group}, "34021"},
		{"role in the default group", "/role/add_role", body{"roleName": "x", "groupId": defaults}, "23004"},
		{"rename nothing", "/role/update_role", body{"roleName": "x"}, "660000"},
		{"rename to nothing", "/role/update_role", body{"roleId": boss}, "660000"},
		{"rename none", "/role/update_role", body{"roleId": 9, "roleName": "x"}, "33011"},
		{"rename to a name in use", "/role/update_role", body{"roleId": boss, "roleName": "专员"}, "34021"},
		{"rename a default role", "/role/update_role", body{"roleId": system, "roleName": "x"}, "23004"},
		{"delete none", "/topapi/role/deleterole", body{"role_id": 9}, "33011"},
		{"delete a default role", "/topapi/role/deleterole", body{"role_id": system}, "23004"},
		{"delete a role with holders", "/topapi/role/deleterole", body{"role_id": boss}, "400002"},
		{"get none", "/topapi/role/getrole", body{"roleId": 9}, "33011"},
		{"get no group", "/topapi/role/getrolegroup", body{"group_id": 9}, "400002"},
		{"list beyond 200", "/topapi/role/list", body{"offset": 0, "size": 201}, "40069"},
		{"list from below 0", "/topapi/role/list", body{"offset": -1, "size": 1}, "40068"},
		{"holders of none", "/topapi/role/simplelist", body{"role_id": 9}, "33011"},
		{"holders beyond 100", "/topapi/role/simplelist", body{"role_id": boss, "offset": 0, "size": 101}, "40069"},
		{"give none", "/topapi/role/addrolesforemps", body{"roleIds": "9", "userIds": "A1"}, "33011"},
		{"give to nobody", "/topapi/role/addrolesforemps", body{"roleIds": boss, "userIds": "A2,nobody"}, "33012"},
		{"give a default role", "/topapi/role/addrolesforemps", body{"roleIds": system, "userIds": "A1"}, "23004"},
		{"give too many roles", "/topapi/role/addrolesforemps", body{"roleIds": ids(21), "userIds": "A1"}, "40035"},
		{"give to too many", "/topapi/role/addrolesforemps", body{"roleIds": boss, "userIds": ids(21)}, "40035"},
		{"take from too many", "/topapi/role/removerolesforemps", body{"roleIds": boss, "userIds": ids(101)}, "40035"},
		{"take from nobody", "/topapi/role/removerolesforemps", body{"roleIds": boss, "userIds": "nobody"}, "33012"},
		{"scope without user", "/topapi/role/scope/update", body{"role_id": boss}, "40003"},
		{"scope without role", "/topapi/role/scope/update", body{"userid": "A1"}, "34018"},
		{"scope of no role", "/topapi/role/scope/update", body{"userid": "A1", "role_id": 9}, "60301"},
		{"scope of nobody", "/topapi/role/scope/update", body{"userid": "nobody", "role_id": boss}, "46004"},
		{"scope of no department", "/topapi/role/scope/update", body{"userid": "A1", "role_id": boss, "dept_ids": "99"}, "60003"},
		{"scope of too many departments", "/topapi/role/scope/update", body{"userid": "A1", "role_id": boss, "dept_ids": ids(51)}, "400002"},
		{"scope of a role not held", "/topapi/role/scope/update", body{"userid": "A2", "role_id": boss}, "400002"},
	} {
		t.Run(tt.name, func(t *testing.T) { s.refused(tt.want, tt.path, tt.in) })
	}
	if got := s.user("A2")["role_list"]; got != nil {
		t.Errorf("a batch with a bad part gave a role: %v", got)
	}
}

func TestRoles(t *testing.T) {
	s, research, _ := filled(t)
	group := s.group("职务")
	boss, clerk := s.role("总监", group), s.role("专员", group)
	s.ok("/topapi/role/addrolesforemps", body{"roleIds": string(boss) + "," + string(clerk), "userIds": "A1,A2"})
	s.ok("/topapi/role/addrolesforemps", body{"roleIds": boss, "userIds": "A1"}) // again
	s.ok("/topapi/role/scope/update", body{"userid": "A1", "role_id": boss, "dept_ids": research})
	s.ok("/role/update_role", body{"roleId": boss, "roleName": "大总监"})

	want := fmt.Sprintf("[map[group_name:职务 id:%s name:大总监] map[group_name:职务 id:%s name:专员]]", boss, clerk)
	if got := fmt.Sprint(s.user("A1")["role_list"]); got != want {
		t.Errorf("role_list %s, want %s", got, want)
	}
	if got := s.ok("/topapi/role/getrole", body{"roleId": boss})["role"]; fmt.Sprint(got) != fmt.Sprintf("map[groupId:%s name:大总监]", group) {
		t.Errorf("getrole: %v", got)
	}
	got := s.ok("/topapi/role/getrolegroup", body{"group_id": group})["role_group"]
	if fmt.Sprint(got) != fmt.Sprintf("map[group_name:职务 roles:[map[role_id:%s role_name:大总监] map[role_id:%s role_name:专员]]]", boss, clerk) {
		t.Errorf("getrolegroup: %v", got)
	}
	page := s.result("/topapi/role/simplelist", body{"role_id": boss, "offset": 0, "size": 1})
	if fmt.Sprint(page) != fmt.Sprintf("map[hasMore:true list:[map[manageScopes:[map[dept_id:%s name:研发部]] name:张一 userid:A1]] nextCursor:1]", research) {
		t.Errorf("holders: %v", page)
	}
	s.ok("/topapi/role/removerolesforemps", body{"roleIds": boss, "userIds": "A1,A2"})
	s.ok("/topapi/role/removerolesforemps", body{"roleIds": boss, "userIds": "A1"}) // again
	s.ok("/topapi/role/deleterole", body{"role_id": boss})
	s.ok("/topapi/v2/user/delete", body{"userid": "A1"})
	if page := s.result("/topapi/role/simplelist", body{"role_id": clerk}); fmt.Sprint(page["list"]) != "[map[name:张A2 userid:A2]]" {
		t.Errorf("holders after one left: %v", page)
	}
	list := s.result("/topapi/role/list", body{"offset": 0, "size": 1})
	if list["hasMore"] != true || fmt.Sprint(list["list"].([]any)[0].(body)["name"]) != "默认" {
		t.Errorf("role/list: %v", list)
	}
}

// TestScopeOfEverybody: without departments a holder manages all, as before a scope was set.
func TestScopeOfEverybody(t *testing.T) {
	s, research, _ := filled(t)
	boss := s.role("总监", s.group("职务"))
	s.ok("/topapi/role/addrolesforemps", body{"roleIds": boss, "userIds": "A1"})
	scopes := func() any {
		return s.result("/topapi/role/simplelist", body{"role_id": boss})["list"].([]any)[0].(body)["manageScopes"]
	}
	s.ok("/topapi/role/scope/update", body{"userid": "A1", "role_id": boss, "dept_ids": research})
	if got := scopes(); got == nil {
		t.Error("the scope is not there")
	}
	s.ok("/topapi/role/scope/update", body{"userid": "A1", "role_id": boss})
	if got := scopes(); got != nil {
		t.Errorf("a scope is left: %v", got)
	}
}

// TestPagesOfRoles: lists have 20 entries unless asked otherwise, and 100 holders at most.
func TestPagesOfRoles(t *testing.T) {
	s, _, _ := filled(t)
	if _, err := s.admin.Seed("acme", core.Seed{Users: 120, Departments: 1}); err != nil {
		t.Fatal(err)
	}
	boss := s.role("总监", s.group("职务"))
	for n := 1; n <= 120; n += 20 {
		var ids []string
		for i := range 20 {
			ids = append(ids, fmt.Sprintf("S%05d", n+i))
		}
		s.ok("/topapi/role/addrolesforemps", body{"roleIds": boss, "userIds": strings.Join(ids, ",")})
	}
	for _, tt := range []struct {
		in   body
		rows int
		more bool
	}{
		{body{"role_id": boss}, 20, true},
		{body{"role_id": boss, "offset": 0, "size": 100}, 100, true},
		{body{"role_id": boss, "offset": 100, "size": 100}, 20, false},
		{body{"role_id": boss, "offset": 120, "size": 100}, 0, false},
	} {
		page := s.result("/topapi/role/simplelist", tt.in)
		if rows := page["list"].([]any); len(rows) != tt.rows || page["hasMore"] != tt.more {
			t.Errorf("%v: %d rows, more %v", tt.in, len(rows), page["hasMore"])
		}
	}
}

// TestDefaultRoles follow from what somebody is.
func TestDefaultRoles(t *testing.T) {
	s, research, _ := filled(t)
	s.ok("/topapi/v2/department/update", body{"dept_id": research, "dept_manager_userid_list": "A1"})
	if err := s.admin.Merge("acme", "users", "A2", json.RawMessage(`{"admin":true}`)); err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]string{"主管": "A1", "主管理员": creator, "子管理员": "A2"} {
		page := s.result("/topapi/role/simplelist", body{"role_id": s.systemRoleID(role)})
		if list := page["list"].([]any); len(list) != 1 || list[0].(body)["userid"] != want {
			t.Errorf("%s: %v, want %s", role, list, want)
		}
	}
	if got := fmt.Sprint(s.ok("/topapi/user/listadmin", body{})["result"]); got != "[map[sys_level:1 userid:manager7001] map[sys_level:2 userid:A2]]" {
		t.Errorf("listadmin: %s", got)
	}
	if got := s.ok("/topapi/user/get_admin_scope", body{"userid": "A2"})["dept_ids"]; fmt.Sprint(got) != "[1]" {
		t.Errorf("get_admin_scope: %v", got)
	}
	if got := s.user("A1"); !strings.Contains(fmt.Sprint(got["role_list"]), "主管") || !strings.Contains(fmt.Sprint(got["leader_in_dept"]), "leader:true") {
		t.Errorf("leader: %v", got)
	}
}
