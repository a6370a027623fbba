package wecom_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

// FuzzWrites throws bodies, one a line, at the calls that make members and
// departments, and checks what must hold whatever comes.
func FuzzWrites(f *testing.F) {
	f.Add(`{"userid":"a","name":"甲","mobile":"13900000000","department":[2,3],"order":[1,2],"is_leader_in_dept":[1,0]}
{"userid":"A","name":"甲","mobile":"13900000001"}
{"name":"2","parentid":2,"id":9,"order":4294967295}
{"userid":"b","new_userid":"c","name":"乙","email":"b@example.com","department":[0,9],"main_department":0,"direct_leader":["a"]}
{"userid":"a","enable":0,"mobile":"+86 13900000001","extattr":{"attrs":[{"type":0,"name":"工号","text":{"value":"1"}},{"type":1}]}}
{"name":"其他（待设置部门）","parentid":1,"name_en":"x"}
{"id":9,"parentid":9}`)
	f.Add(`{"userid":"a"` + "\n[]\nnull\n{\"userid\":1}\n{\"userid\":\"a\",\"department\":\"x\"}\n{\"id\":2,\"parentid\":1e3}")
	f.Fuzz(func(t *testing.T, script string) {
		c := core.New(core.Options{})
		h := wecom.New(c, memberless()...)
		call := func(path, body string) map[string]json.RawMessage {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/cgi-bin/"+path, strings.NewReader(body)))
			var answer map[string]json.RawMessage
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 || answer["errcode"] == nil || answer["errmsg"] == nil {
				t.Fatalf("%s %q: %d %s", path, body, w.Code, w.Body)
			}
			return answer
		}
		var token string
		if err := json.Unmarshal(call("gettoken?corpid="+corpID+"&corpsecret="+syncSecret, "")["access_token"], &token); err != nil {
			t.Fatal(err)
		}
		for _, body := range strings.Split(script, "\n") {
			for _, path := range []string{"user/create", "department/create", "user/update", "department/update"} {
				call(path+"?access_token="+token, body)
			}
		}
		checkInvariants(t, c)
	})
}

func checkInvariants(t *testing.T, c *core.Core) {
	t.Helper()
	p, _ := c.Platform("wecom")
	departments := map[int]wecom.Department{}
	siblings := map[string]bool{}
	load(t, p, "departments", func(d wecom.Department) {
		key := strings.Join([]string{jsonOf(t, d.ParentID), d.Name}, "/")
		if siblings[key] || d.Name == "" || d.ID < 1 {
			t.Errorf("department %+v", d)
		}
		siblings[key], departments[d.ID] = true, d
	})
	for id := range departments {
		steps := 0
		for at := id; at != 1; at = departments[at].ParentID {
			if _, ok := departments[at]; !ok || steps > 15 {
				t.Fatalf("department %d does not hang on the root", id)
			}
			steps++
		}
	}
	seen := map[string]bool{}
	unique := func(kind, value string) {
		key := kind + strings.ToLower(value)
		if value != "" && seen[key] {
			t.Errorf("%s %q twice", kind, value)
		}
		seen[key] = true
	}
	load(t, p, "users", func(u wecom.User) {
		unique("userid", u.UserID)
		unique("mobile", u.Mobile)
		unique("email", u.Email)
		unique("biz_mail", u.BizMail)
		n := len(u.Department)
		if u.UserID == "" || u.Name == "" || u.Mobile+u.Email == "" || n == 0 || len(u.Order) != n || len(u.IsLeaderInDept) != n {
			t.Errorf("user %+v", u)
		}
		main := false
		places := map[int]bool{}
		for _, d := range u.Department {
			if _, ok := departments[d]; !ok || places[d] {
				t.Errorf("user %s is in %v", u.UserID, u.Department)
			}
			places[d] = true
			main = main || d == u.MainDepartment
		}
		if !main {
			t.Errorf("main_department of %s is %d, not one of %v", u.UserID, u.MainDepartment, u.Department)
		}
	})
}

// load decodes each object of a collection.
func load[T any](t *testing.T, p core.Platform, collection string, each func(T)) {
	t.Helper()
	list, err := p.Objects("acme", collection)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range list {
		var v T
		if err := json.Unmarshal([]byte(jsonOf(t, object)), &v); err != nil {
			t.Fatal(err)
		}
		each(v)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
