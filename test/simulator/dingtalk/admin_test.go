package dingtalk

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"rollcall.dev/rollcall/test/simulator/core"
)

func (s *sim) edit(collection, id, fields string) {
	s.t.Helper()
	if err := s.admin.Merge("acme", collection, id, json.RawMessage(fields)); err != nil {
		s.t.Fatalf("editing %s %s: %v", collection, id, err)
	}
}

// TestByHand edits as an administrator does in the console.
func TestByHand(t *testing.T) {
	s, research, sales := filled(t)
	s.edit("users", "A1", fmt.Sprintf(`{"title":"漂移","mobile":"13700000007","telephone":null,"dept_id_list":[%s],"extension":"{\"职级\":\"P1\"}"}`, sales))
	u := s.user("A1")
	if u["title"] != "漂移" || u["mobile"] != "13700000007" || u["telephone"] != nil || u["extension"] != `{"职级":"P1"}` ||
		fmt.Sprint(u["dept_id_list"]) != "["+string(sales)+"]" || u["email"] != "a1@example.com" {
		t.Errorf("user: %v", u)
	}
	s.edit("departments", string(research), `{"name":"研究院","dept_manager_userid_list":["A2"]}`)
	if d := s.result("/topapi/v2/department/get", body{"dept_id": research}); d["name"] != "研究院" || fmt.Sprint(d["dept_manager_userid_list"]) != "[A2]" {
		t.Errorf("department: %v", d)
	}
	if err := s.admin.Create("acme", "users", "H1", json.RawMessage(`{"name":"手工"}`)); err != nil {
		t.Fatal(err)
	}
	if u := s.user("H1"); u["name"] != "手工" || u["mobile"] == nil || fmt.Sprint(u["dept_id_list"]) != "[1]" {
		t.Errorf("made by hand: %v", u)
	}
	if err := s.admin.Remove("acme", "users", "A2"); err != nil {
		t.Fatal(err)
	}
	s.refused("60121", "/topapi/v2/user/get", body{"userid": "A2"})
	if l, err := s.admin.Object("acme", "leavers", "A2"); err != nil || l.(leaverItem).LeaveReason != "delete" {
		t.Errorf("leaver: %+v %v", l, err)
	}
	if err := s.admin.Create("acme", "departments", "77", json.RawMessage(`{"name":"手工部"}`)); err != nil {
		t.Fatal(err)
	}
	s.ok("/topapi/v2/department/get", body{"dept_id": 77})
	if err := s.admin.Remove("acme", "departments", "77"); err != nil {
		t.Fatal(err)
	}
	if err := s.admin.Create("acme", "roles", "88", json.RawMessage(`{"name":"手工角色","users":[{"userid":"A1"}]}`)); err != nil {
		t.Fatal(err)
	}
	if got := s.result("/topapi/role/simplelist", body{"role_id": 88}); fmt.Sprint(got["list"]) != "[map[name:张一 userid:A1]]" {
		t.Errorf("holders: %v", got)
	}
	s.edit("roles", "88", `{"users":[{"userid":"H1","name":"手工"}]}`)
	if got := s.result("/topapi/role/simplelist", body{"role_id": 88}); fmt.Sprint(got["list"]) != "[map[name:手工 userid:H1]]" {
		t.Errorf("holders after edit: %v", got)
	}
	if err := s.admin.Remove("acme", "roles", "88"); err != nil {
		t.Fatal(err)
	}
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

func TestByHandErrors(t *testing.T) {
	s, research, _ := filled(t)
	a := s.admin
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for _, tt := range []struct {
		name string
		err  error
		want error // nil: any
	}{
		{"unknown tenant", a.Merge("nobody", "users", "A1", raw(`{}`)), core.ErrNotFound},
		{"unknown collection", a.Create("acme", "planets", "x", raw(`{}`)), core.ErrUnsupported},
		{"unknown user", a.Merge("acme", "users", "nobody", raw(`{}`)), core.ErrNotFound},
		{"user id taken", a.Create("acme", "users", "A1", raw(`{}`)), core.ErrExists},
		{"unknown field", a.Merge("acme", "users", "A1", raw(`{"titel":"x"}`)), nil},
		{"mobile taken", a.Merge("acme", "users", "A1", raw(`{"mobile":"13800000002"}`)), nil},
		{"no department", a.Merge("acme", "users", "A1", raw(`{"dept_id_list":[]}`)), nil},
		{"userid", a.Merge("acme", "users", "A1", raw(`{"userid":"x"}`)), nil},
		{"main administrator", a.Merge("acme", "users", creator, raw(`{"admin":false}`)), nil},
		{"department name taken", a.Create("acme", "departments", "9", raw(`{"name":"研发部"}`)), nil},
		{"department id that is a word", a.Create("acme", "departments", "x", raw(`{}`)), nil},
		{"department loop", a.Merge("acme", "departments", string(research), raw(`{"parent_id":`+string(research)+`}`)), nil},
		{"department with people", a.Remove("acme", "departments", string(research)), nil},
		{"leaver", a.Remove("acme", "leavers", "A1"), core.ErrUnsupported},
		{"tenant name taken", a.AddTenant(raw(`{"name":"acme","corpId":"x","apps":[{"name":"a","appKey":"k","appSecret":"s","agentId":1}]}`)), core.ErrExists},
		{"tenant without apps", a.AddTenant(raw(`{"name":"x","corpId":"x"}`)), nil},
		{"app key taken", a.AddTenant(raw(`{"name":"x","corpId":"x","apps":[{"name":"a","appKey":"dingacme0001","appSecret":"s","agentId":1}]}`)), core.ErrExists},
		{"unknown option", a.Configure("acme", raw(`{"extensionfields":[],"x":1}`)), nil},
	} {
		if tt.err == nil || tt.want != nil && !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.err, tt.want)
		}
	}
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

func TestAddTenantAndReset(t *testing.T) {
	s := newSim(t)
	spec := `{"name":"initech","corpId":"dingi","title":"初创","apps":[{"name":"sync","appKey":"dingi1","appSecret":"s1","agentId":5}],"options":{"tokenSeconds":60}}`
	if err := s.admin.AddTenant(json.RawMessage(spec)); err != nil {
		t.Fatal(err)
	}
	token := s.tokenOf("dingi1", "s1")
	_, b := s.do("POST", "/topapi/v2/department/get?access_token="+token, nil, `{"dept_id":1}`)
	if b["result"].(body)["name"] != "初创" {
		t.Errorf("root: %v", b)
	}
	s.person("E1", "13800000001", 1)
	s.configure(`{"memberLimit":5}`)
	if n := len(s.admin.Tenants()); n != 3 {
		t.Errorf("%d tenants", n)
	}
	s.core.Reset()
	_, b = s.do("POST", "/topapi/v2/department/get?access_token="+token, nil, `{"dept_id":1}`)
	if code(b) != "88/40014" {
		t.Errorf("a token outlived the reset: %v", b)
	}
	s.token = ""
	s.refused("60121", "/topapi/v2/user/get", body{"userid": "E1"})
	s.user(creator)
	if s.acme().spec.Options.MemberLimit != 5 || s.tokenOf("dingi1", "s1") == "" {
		t.Error("options and tenants must outlive the reset")
	}
}

func TestSeedPending(t *testing.T) {
	s := newSim(t)
	if _, err := s.admin.Seed("acme", core.Seed{Users: 3, Departments: 2, Pending: true}); err != nil {
		t.Fatal(err)
	}
	s.refused("60121", "/topapi/v2/user/get", body{"userid": "S00001"})
	if err := s.admin.Accept("acme", "S00001"); err != nil {
		t.Fatal(err)
	}
	s.user("S00001")
	for _, collection := range []string{"users", "departments", "roles", "invitations", "leavers", "messages"} {
		list, err := s.admin.Objects("acme", collection)
		if err != nil {
			t.Errorf("%s: %v", collection, err)
		}
		if _, err := json.Marshal(list); err != nil {
			t.Errorf("%s: %v", collection, err)
		}
	}
	if _, err := s.admin.Seed("acme", core.Seed{Users: 1}); err == nil {
		t.Error("the same people twice")
	}
}
