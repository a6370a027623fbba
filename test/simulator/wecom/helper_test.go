package wecom_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

const (
	corpID     = "wwacme000000000000"
	syncSecret = "acme-sync-secret-not-a-real-one"
	appSecret  = "acme-app-secret-not-a-real-one"
)

// corp is the acme corp on a fresh platform whose clock stands still.
type corp struct {
	t       *testing.T
	core    *core.Core
	handler http.Handler
	admin   core.Platform
	url     string
	sync    string // tokens
	app     string
}

func newCorp(t *testing.T) *corp {
	t.Helper()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	c := core.New(core.Options{Clock: core.NewClock(func() time.Time { return now })})
	handler := wecom.New(c, memberless()...)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	admin, ok := c.Platform("wecom")
	if !ok {
		t.Fatal("the platform has not registered itself")
	}
	x := &corp{t: t, core: c, handler: handler, admin: admin, url: server.URL}
	x.sync, x.app = x.token(syncSecret), x.token(appSecret)
	return x
}

func (x *corp) token(secret string) string {
	x.t.Helper()
	a := x.do("GET", "gettoken?corpid="+corpID+"&corpsecret="+secret, "")
	if a.code != 0 {
		x.t.Fatalf("gettoken: %s", a.text)
	}
	return a.str("access_token")
}

type answer struct {
	t      *testing.T
	status int
	header http.Header
	raw    string
	body   map[string]json.RawMessage
	code   int
	text   string // errmsg
}

// do makes a call; path is relative to /cgi-bin/ and has its query.
func (x *corp) do(method, path, body string) answer {
	x.t.Helper()
	request, err := http.NewRequestWithContext(x.t.Context(), method, x.url+"/cgi-bin/"+path, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		x.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	a := answer{t: x.t, status: response.StatusCode, header: response.Header, raw: string(raw), code: -999}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			x.t.Fatalf("%s %s answers %q: %v", method, path, raw, err)
		}
		a.code, a.text = a.integer("errcode"), a.str("errmsg")
	}
	return a
}

func (a answer) str(name string) string {
	a.t.Helper()
	var v string
	a.into(name, &v)
	return v
}

func (a answer) integer(name string) int {
	a.t.Helper()
	var v int
	a.into(name, &v)
	return v
}

func (a answer) into(name string, v any) {
	a.t.Helper()
	if a.body[name] == nil {
		a.t.Fatalf("the answer has no %s: %s", name, a.raw)
	}
	if err := json.Unmarshal(a.body[name], v); err != nil {
		a.t.Fatalf("%s of %s: %v", name, a.raw, err)
	}
}

// as makes a call with a token. With a body it is a POST.
func (x *corp) as(token, path, body string) answer {
	x.t.Helper()
	method, join := "GET", "?"
	if body != "" {
		method = "POST"
	}
	if strings.Contains(path, "?") {
		join = "&"
	}
	return x.do(method, path+join+"access_token="+url.QueryEscape(token), body)
}

// must is a call that has to succeed.
func (x *corp) must(token, path, body string) answer {
	x.t.Helper()
	a := x.as(token, path, body)
	if a.code != 0 || a.status != 200 {
		x.t.Fatalf("%s %s: %d %s", path, body, a.status, a.raw)
	}
	return a
}

func (x *corp) configure(options string) {
	x.t.Helper()
	if err := x.admin.Configure("acme", json.RawMessage(options)); err != nil {
		x.t.Fatal(err)
	}
}

func (x *corp) accept(id string) {
	x.t.Helper()
	if err := x.admin.Accept("acme", id); err != nil {
		x.t.Fatal(err)
	}
}

// user is the platform's own view of a member.
func (x *corp) user(id string) map[string]any {
	x.t.Helper()
	object, err := x.admin.Object("acme", "users", id)
	if err != nil {
		x.t.Fatal(err)
	}
	raw, err := json.Marshal(object)
	if err != nil {
		x.t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		x.t.Fatal(err)
	}
	return fields
}

func (x *corp) count(collection string) int {
	x.t.Helper()
	list, err := x.admin.Objects("acme", collection)
	if err != nil {
		x.t.Fatal(err)
	}
	return len(list)
}

// populate makes departments 2 研发 (below it 3 后端) and 4 市场, and members:
// zhangsan, active, leads 2; lisi, not active, in 3; wangwu in 4.
func (x *corp) populate() {
	x.t.Helper()
	for _, d := range []string{
		`{"name":"研发","name_en":"rd","parentid":1,"id":2}`, `{"name":"后端","parentid":2,"id":3}`, `{"name":"市场","parentid":1,"id":4}`,
	} {
		x.must(x.sync, "department/create", d)
	}
	for _, u := range []string{
		`{"userid":"zhangsan","name":"张三","mobile":"13800000001","email":"zs@example.com","biz_mail":"zs@corp.example.com",
			"department":[2],"is_leader_in_dept":[1]}`,
		`{"userid":"lisi","name":"李四","mobile":"13800000002","department":[3],"direct_leader":["zhangsan"]}`,
		`{"userid":"wangwu","name":"王五","email":"ww@example.com","department":[4]}`,
	} {
		x.must(x.sync, "user/create", u)
	}
	x.accept("zhangsan")
}

func long(n int) string { return strings.Repeat("长", n) }

// memberless are the built-in corps without their creators, so that tests count only whom they made.
func memberless() []wecom.Tenant {
	corps := wecom.BuiltIn()
	for i := range corps {
		corps[i].Options.Creator = ""
	}
	return corps
}
