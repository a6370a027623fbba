package dingtalk

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// FuzzWrites sends whatever JSON comes to the calls that build a company, on top
// of one that has something to collide with. Whatever the answer, it must be an
// answer, and the company must stay sound.
func FuzzWrites(f *testing.F) {
	paths := []string{
		"/topapi/v2/user/create", "/topapi/v2/department/create", "/topapi/v2/user/update", "/topapi/v2/department/update",
		"/topapi/v2/user/delete", "/topapi/v2/department/delete", "/topapi/role/addrolesforemps", "/topapi/role/scope/update",
	}
	for i, in := range []string{
		`{"userid":"Z1","name":"张","mobile":"13800000009","dept_id_list":"1","telephone":"9","email":"z@example.com"}`,
		`{"name":"部","parent_id":1,"order":2,"hide_dept":true,"user_permits":"manager7001"}`,
		`{"userid":"S00001","telephone":"1","dept_id_list":[1,"2"],"extension":{"职级":1},"dept_position_list":[{"dept_id":1,"is_main":true}]}`,
		`{"dept_id":560100001,"parent_id":1,"dept_manager_userid_list":"S00001","force_update_fields":"dept_manager_userid_list"}`,
		`{"userid":"S00002"}`, `{"dept_id":560100001}`, `{"roleIds":"1","userIds":["S00001"]}`, `{"userid":"S00001","role_id":1}`,
	} {
		f.Add(uint8(i), in, in)
	}
	f.Fuzz(func(t *testing.T, at uint8, first, second string) {
		c := core.New(core.Options{Clock: core.NewClock(func() time.Time { return start })})
		h := New(c)
		if err := c.Limits.Set(platformName, core.Limits{Unlimited: true}, true); err != nil {
			t.Fatal(err)
		}
		made, _ := c.Platform(platformName)
		p := made.(*platform)
		if _, err := p.Seed("acme", core.Seed{Users: 4, Departments: 3}); err != nil {
			t.Fatal(err)
		}
		acme := p.tenants["acme"]
		token := p.tokens.issue(p.apps["dingacme0001"], false, c.Clock.Now(), time.Hour)
		for i, in := range []string{first, second, first} {
			path := paths[(int(at)+i)%len(paths)]
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path+"?access_token="+token, strings.NewReader(in)))
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"errcode":`) {
				t.Fatalf("%s %q: %d %s", path, in, w.Code, w.Body)
			}
			if err := acme.sane(); err != nil {
				t.Fatalf("after %s %q: %v", path, in, err)
			}
		}
	})
}
