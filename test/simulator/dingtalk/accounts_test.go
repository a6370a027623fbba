package dingtalk

import (
	"fmt"
	"testing"
)

func TestEnterpriseAccounts(t *testing.T) {
	s, research, _ := filled(t)
	create := "/topapi/v2/user/create"
	with := func(changes body) body {
		in := body{"userid": "X1", "name": "外包", "dept_id_list": research, "exclusive_account": true, "exclusive_account_type": "dingtalk",
			"login_id": "x1", "init_password": "abc12345"}
		for k, v := range changes {
			in[k] = v
		}
		return in
	}
	for _, tt := range []struct {
		name string
		in   body
		want string
	}{
		{"no login name", with(body{"login_id": ""}), "40035"},
		{"short password", with(body{"init_password": "ab1"}), "40035"},
		{"password of letters", with(body{"init_password": "abcdefgh"}), "40035"},
		{"password of digits", with(body{"init_password": "12345678"}), "40035"},
		{"unknown type", with(body{"exclusive_account_type": "x"}), "40035"},
		{"bad mobile", with(body{"exclusive_mobile": "x"}), "40104"},
	} {
		t.Run(tt.name, func(t *testing.T) { s.refused(tt.want, create, tt.in) })
	}
	s.ok(create, with(nil))
	s.refused("40035", create, with(body{"userid": "X2"})) // the login name is taken
	s.ok(create, body{"userid": "X3", "name": "单点", "dept_id_list": research, "exclusive_account": "true", "exclusive_account_type": "sso"})

	u := s.user("X1")
	if u["exclusive_account"] != true || u["exclusive_account_type"] != "dingtalk" || u["login_id"] != "x1" ||
		u["disable_status"] != false || u["exclusive_account_corp_id"] != "dingcorpacme0001" || u["mobile"] != nil {
		t.Errorf("account: %v", u)
	}
	if got := s.result("/topapi/v2/user/get", body{"login_id": "x1"}); got["userid"] != "X1" {
		t.Errorf("by login name: %v", got)
	}
	s.ok("/topapi/v2/user/update", body{"userid": "X1", "loginId": "x1b", "init_password": "xyz98765", "nickname": "小外", "exclusive_mobile": "13700000009"})
	if u := s.user("X1"); u["login_id"] != "x1b" || u["nickname"] != "小外" || u["mobile"] != "13700000009" {
		t.Errorf("after update: %v", u)
	}
	s.refused("60121", "/topapi/v2/user/getbymobile", body{"mobile": "13700000009"})
	got := s.result("/topapi/v2/user/getbymobile", body{"mobile": "13700000009", "support_exclusive_account_search": true})
	if fmt.Sprint(got) != "map[exclusive_account_userid_list:[X1]]" {
		t.Errorf("by mobile: %v", got)
	}
	s.configure(`{"enterpriseAccounts":false}`)
	s.refused("60011", create, with(body{"userid": "X4", "login_id": "x4"}))
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

func TestDisable(t *testing.T) {
	s, research, _ := filled(t)
	s.ok("/topapi/v2/user/create", body{"userid": "X1", "name": "单点", "dept_id_list": research, "exclusive_account": true})
	const base = "/v1.0/contact/orgAccounts/"
	status := func() any {
		t.Helper()
		code, b := s.fresh("GET", base+"status?userId=X1", nil)
		if code != 200 || len(b) != 1 {
			t.Fatalf("status: %d %v", code, b)
		}
		return b["disable"]
	}
	if status() != false {
		t.Error("disabled at birth")
	}
	for _, step := range []struct {
		call string
		want any
	}{{"disable", true}, {"disable", true}, {"enable", false}, {"signOut", false}, {"disable", true}} {
		code, b := s.fresh("POST", base+step.call, body{"userId": "X1", "reason": "离职"})
		if code != 200 || fmt.Sprint(b) != "map[result:true]" || status() != step.want {
			t.Errorf("%s: %d %v", step.call, code, b)
		}
	}
	page := s.result("/topapi/v2/user/list", body{"dept_id": research, "cursor": 0, "size": 10})
	for _, e := range page["list"].([]any) {
		u := e.(body)
		if u["userid"] == "X1" && u["disable_status"] != true || u["userid"] != "X1" && u["disable_status"] != nil {
			t.Errorf("item: %v", u)
		}
	}
	for _, call := range []string{"disable", "enable", "signOut", "status"} {
		for _, tt := range []struct{ id, want string }{{"A1", "exclusive.account.only"}, {"nobody", "user.not.exist"}, {"", "invalid.param"}} {
			method, path, in := "POST", base+call, any(body{"userId": tt.id})
			if call == "status" {
				method, path, in = "GET", base+call+"?userId="+tt.id, nil
			}
			if code, b := s.fresh(method, path, in); code != 400 || b["code"] != tt.want || b["requestid"] == nil {
				t.Errorf("%s %q: %d %v, want %s", call, tt.id, code, b, tt.want)
			}
		}
	}
}
