package wecom_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
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

// TestErrors goes through every refusal that a single call can meet.
func TestErrors(t *testing.T) {
	tests := []struct {
		name, token, path, body string
		code                    int
		text                    string
	}{
		// Members, creating.
		{"create: app token", "app", "user/create", `{"userid":"a"}`, 48002, ""},
		{"create: no body", "sync", "user/create", "", 40058, "invalid Request Parameter"},
		{"create: no userid", "sync", "user/create", `{"name":"甲"}`, 41009, ""},
		{"create: empty userid", "sync", "user/create", `{"userid":"","name":"甲"}`, 40058, ""},
		{"create: long userid", "sync", "user/create", `{"userid":"` + strings.Repeat("a", 65) + `"}`, 40058, ""},
		{"create: bad first", "sync", "user/create", `{"userid":"_a","name":"甲"}`, 40003, ""},
		{"create: bad character", "sync", "user/create", `{"userid":"a/b","name":"甲"}`, 40003, ""},
		{"create: not ASCII", "sync", "user/create", `{"userid":"a甲","name":"甲"}`, 40003, ""},
		{"create: no name", "sync", "user/create", `{"userid":"a","mobile":"13900000000"}`, 60112, ""},
		{"create: empty name", "sync", "user/create", `{"userid":"a","name":""}`, 60112, ""},
		{"create: long name", "sync", "user/create", `{"userid":"a","name":"` + long(65) + `"}`, 60112, ""},
		{"create: no contact", "sync", "user/create", `{"userid":"a","name":"甲"}`, 60129, ""},
		{"create: bad mobile", "sync", "user/create", `{"userid":"a","name":"甲","mobile":"1390x"}`, 60103, ""},
		{"create: long mobile", "sync", "user/create", `{"userid":"a","name":"甲","mobile":"` + strings.Repeat("1", 33) + `"}`, 60103, ""},
		{"create: bad email", "sync", "user/create", `{"userid":"a","name":"甲","email":"no mail"}`, 60105, ""},
		{"create: short email", "sync", "user/create", `{"userid":"a","name":"甲","email":"a@b.c"}`, 60105, ""},
		{"create: bad biz_mail", "sync", "user/create", member(`"biz_mail":"nope"`), 60143, ""},
		{"create: aliases", "sync", "user/create", member(`"biz_mail_alias":{"item":["a","b","c","d","e","f"]}`), 40058, ""},
		{"create: userid taken", "sync", "user/create", `{"userid":"ZhangSan","name":"甲","mobile":"13900000000"}`, 60102, "userid existed"},
		{"create: mobile taken", "sync", "user/create", `{"userid":"a","name":"甲","mobile":"+86 138-0000-0001"}`, 60104, "mobile existed:zhangsan"},
		{"create: again", "sync", "user/create", `{"userid":"zhangsan","name":"张三","mobile":"13800000001"}`, 60104, "mobile existed:zhangsan"},
		{"create: email taken", "sync", "user/create", `{"userid":"a","name":"甲","email":"ZS@example.com"}`, 60106, "zhangsan"},
		{"create: biz_mail taken", "sync", "user/create", member(`"biz_mail":"zs@corp.example.com"`), 60145, ""},
		{"create: department string", "sync", "user/create", member(`"department":"2"`), 41019, "Warning: wrong json format. "},
		{"create: department of strings", "sync", "user/create", member(`"department":["2"]`), 60127, "Warning: wrong json format. "},
		{"create: department negative", "sync", "user/create", member(`"department":[-2]`), 60123, ""},
		{"create: department twice", "sync", "user/create", member(`"department":[2,2]`), 40058, ""},
		{"create: departments", "sync", "user/create", member(`"department":` + numbers(101)), 60110, ""},
		{"create: order count", "sync", "user/create", member(`"department":[2],"order":[1,2]`), 40058, ""},
		{"create: leader count", "sync", "user/create", member(`"department":[2],"is_leader_in_dept":[1,0]`), 60132, ""},
		{"create: leader value", "sync", "user/create", member(`"department":[2],"is_leader_in_dept":[2]`), 40058, ""},
		{"create: main elsewhere", "sync", "user/create", member(`"department":[2],"main_department":3`), 40058, ""},
		{"create: direct leaders", "sync", "user/create", member(`"direct_leader":["lisi","zhangsan"]`), 60257, ""},
		{"create: unknown leader", "sync", "user/create", member(`"direct_leader":["nobody"]`), 60111, "`nobody`"},
		{"create: enable", "sync", "user/create", member(`"enable":2`), 40058, ""},
		{"create: gender", "sync", "user/create", member(`"gender":"x"`), 40058, ""},
		{"create: long position", "sync", "user/create", member(`"position":"` + long(129) + `"`), 40058, ""},
		{"create: long alias", "sync", "user/create", member(`"alias":"` + long(65) + `"`), 40058, ""},
		{"create: long telephone", "sync", "user/create", member(`"telephone":"` + strings.Repeat("1", 33) + `"`), 40058, ""},
		{"create: long address", "sync", "user/create", member(`"address":"` + long(129) + `"`), 40058, ""},
		{"create: long external_position", "sync", "user/create", member(`"external_position":"` + long(13) + `"`), 40058, ""},
		{"create: long attribute", "sync", "user/create", member(`"extattr":{"attrs":[{"type":0,"name":"工号","text":{"value":"` + long(65) + `"}}]}`), 40058, ""},
		{"create: long title", "sync", "user/create", member(`"extattr":{"attrs":[{"type":1,"name":"工号","web":{"title":"` + long(13) + `"}}]}`), 40058, ""},
		// Members, changing and deleting.
		{"update: app token", "app", "user/update", `{"userid":"lisi"}`, 48002, ""},
		{"update: no userid", "sync", "user/update", `{"name":"甲"}`, 41009, ""},
		{"update: unknown", "sync", "user/update", `{"userid":"nobody"}`, 60111, "invalid string value `nobody`. userid not found"},
		{"update: mobile taken", "sync", "user/update", `{"userid":"lisi","mobile":"13800000001"}`, 60104, "mobile existed:zhangsan"},
		{"update: no contact left", "sync", "user/update", `{"userid":"lisi","mobile":""}`, 60129, ""},
		{"update: empty name", "sync", "user/update", `{"userid":"lisi","name":""}`, 60112, ""},
		{"update: department string", "sync", "user/update", `{"userid":"lisi","department":"2"}`, 41019, ""},
		{"update: leader count", "sync", "user/update", `{"userid":"lisi","is_leader_in_dept":[1,0]}`, 60132, ""},
		{"update: chosen userid", "sync", "user/update", `{"userid":"lisi","new_userid":"lisi2"}`, 301036, ""},
		{"delete: app token", "app", "user/delete?userid=lisi", "", 48002, ""},
		{"delete: no userid", "sync", "user/delete", "", 41009, ""},
		{"delete: unknown", "sync", "user/delete?userid=nobody", "", 60111, "`nobody`"},
		{"delete: creator", "sync", "user/delete?userid=WANGWU", "", 301005, ""},
		{"batchdelete: none", "sync", "user/batchdelete", `{"useridlist":[]}`, 40063, ""},
		{"batchdelete: too many", "sync", "user/batchdelete", `{"useridlist":[` + strings.Repeat(`"a",`, 200) + `"a"]}`, 40032, ""},
		{"batchdelete: unknown", "sync", "user/batchdelete", `{"useridlist":["lisi","nobody"]}`, 40031, ""},
		{"batchdelete: creator", "sync", "user/batchdelete", `{"useridlist":["wangwu"]}`, 301005, ""},
		// Members, reading.
		{"get: sync token from a new address", "sync", "user/get?userid=lisi", "", 48009, ""},
		{"get: no userid", "app", "user/get", "", 41009, ""},
		{"get: unknown", "app", "user/get?userid=nobody", "", 60111, "invalid string value `nobody`. userid not found"},
		{"simplelist: sync token", "sync", "user/simplelist?department_id=1", "", 48009, ""},
		{"simplelist: no id", "app", "user/simplelist", "", 40058, ""},
		{"list: sync token", "sync", "user/list?department_id=1", "", 48009, ""},
		{"list: unknown", "app", "user/list?department_id=99", "", 60003, ""},
		{"list_id: app token", "app", "user/list_id", `{}`, 48002, ""},
		{"list_id: limit", "sync", "user/list_id", `{"limit":10001}`, 40058, ""},
		{"list_id: negative limit", "sync", "user/list_id", `{"limit":-1}`, 40058, ""},
		{"list_id: cursor", "sync", "user/list_id", `{"cursor":"%%"}`, 50100, ""},
		{"list_id: made-up cursor", "sync", "user/list_id", `{"cursor":"MDox"}`, 50100, ""},
		{"getuserid: none", "app", "user/getuserid", `{"mobile":"13900000000"}`, 46004, ""},
		{"getuserid: short", "app", "user/getuserid", `{"mobile":"1"}`, 40058, ""},
		{"by email: none", "app", "user/get_userid_by_email", `{"email":"zs@example.com"}`, 46004, ""},
		{"by email: empty", "app", "user/get_userid_by_email", `{"email":""}`, 40058, ""},
		{"by email: type", "app", "user/get_userid_by_email", `{"email":"zs@example.com","email_type":3}`, 40058, ""},
		{"active: date", "app", "user/get_active_stat", `{"date":"today"}`, 40058, ""},
		{"authsucc: unknown", "app", "user/authsucc?userid=nobody", "", 60111, ""},
		{"invite: nobody", "app", "batch/invite", `{}`, 40063, ""},
		{"invite: too many", "app", "batch/invite", `{"party":` + numbers(101) + `}`, 40058, ""},
		{"join code: size", "sync", "corp/get_join_qrcode?size_type=5", "", 40058, ""},
		// Departments, with the codes seen on the real service.
		{"dept create: app token", "app", "department/create", `{"name":"x","parentid":1}`, 48002, ""},
		{"dept create: no name", "sync", "department/create", `{"parentid":1}`, 60001, "department invalid length"},
		{"dept create: empty name", "sync", "department/create", `{"name":"","parentid":1}`, 40058, ""},
		{"dept create: long name", "sync", "department/create", `{"name":"` + long(65) + `","parentid":1}`, 60001, ""},
		{"dept create: bad name", "sync", "department/create", `{"name":"a:b","parentid":1}`, 60009, "department name include invalid char"},
		{"dept create: bar", "sync", "department/create", `{"name":"a｜b","parentid":1}`, 60009, ""},
		{"dept create: sibling", "sync", "department/create", `{"name":"研发","parentid":1}`, 60008, "department existed: 2 is existed"},
		{"dept create: English sibling", "sync", "department/create", `{"name":"x","name_en":"rd","parentid":1}`, 60008, "department existed: 2 is existed"},
		{"dept create: empty name_en", "sync", "department/create", `{"name":"x","name_en":"","parentid":1}`, 60001, ""},
		{"dept create: long name_en", "sync", "department/create", `{"name":"x","name_en":"` + long(65) + `","parentid":1}`, 40058, ""},
		{"dept create: bad name_en", "sync", "department/create", `{"name":"x","name_en":"?","parentid":1}`, 60009, ""},
		{"dept create: no parent", "sync", "department/create", `{"name":"x"}`, 60004, "parent department not found"},
		{"dept create: unknown parent", "sync", "department/create", `{"name":"x","parentid":99}`, 60004, ""},
		{"dept create: text parent", "sync", "department/create", `{"name":"x","parentid":""}`, 60009, "wrong json format"},
		{"dept create: order", "sync", "department/create", `{"name":"x","parentid":1,"order":4294967296}`, 60009, ""},
		{"dept create: negative order", "sync", "department/create", `{"name":"x","parentid":1,"order":-1}`, 60009, ""},
		{"dept create: text order", "sync", "department/create", `{"name":"x","parentid":1,"order":"a"}`, 60009, ""},
		{"dept create: id 0", "sync", "department/create", `{"name":"x","parentid":1,"id":0}`, 60123, "invalid party id"},
		{"dept create: text id", "sync", "department/create", `{"name":"x","parentid":1,"id":""}`, 60009, ""},
		{"dept create: huge id", "sync", "department/create", `{"name":"x","parentid":1,"id":111122223333444455556666777788889}`, 60009, ""},
		{"dept create: id taken", "sync", "department/create", `{"name":"x","parentid":1,"id":3}`, 60008, "department existed: 3 is existed"},
		{"dept create: root id", "sync", "department/create", `{"name":"x","parentid":1,"id":1}`, 60008, ""},
		{"dept update: no id", "sync", "department/update", `{"name":"x"}`, 60003, "department not found"},
		{"dept update: unknown", "sync", "department/update", `{"id":99,"name":"x"}`, 60003, ""},
		{"dept update: empty name", "sync", "department/update", `{"id":2,"name":""}`, 40058, ""},
		{"dept update: sibling", "sync", "department/update", `{"id":4,"name":"研发"}`, 60008, ""},
		{"dept update: text parent", "sync", "department/update", `{"id":3,"parentid":""}`, 60124, "invalid parent party id"},
		{"dept update: unknown parent", "sync", "department/update", `{"id":3,"parentid":99}`, 60124, ""},
		{"dept update: below itself", "sync", "department/update", `{"id":2,"parentid":3}`, 60010, ""},
		{"dept update: into itself", "sync", "department/update", `{"id":2,"parentid":2}`, 60010, ""},
		{"dept update: root", "sync", "department/update", `{"id":1,"parentid":2}`, 60124, ""},
		{"dept update: order", "sync", "department/update", `{"id":2,"order":-1}`, 60009, ""},
		{"dept delete: no id", "sync", "department/delete", "", 40058, "invalid Request Parameter"},
		{"dept delete: empty id", "sync", "department/delete?id=", "", 40058, ""},
		{"dept delete: unknown", "sync", "department/delete?id=99", "", 60123, "invalid party id"},
		{"dept delete: members first", "sync", "department/delete?id=2", "", 60005, "department contains user"},
		{"dept list: sync token", "sync", "department/list", "", 48009, ""},
		{"dept list: unknown", "app", "department/list?id=99", "", 60123, ""},
		{"dept simplelist: unknown", "sync", "department/simplelist?id=99", "", 60123, ""},
		{"dept get: sync token", "sync", "department/get?id=2", "", 48009, ""},
		{"dept get: no id", "app", "department/get", "", 40058, ""},
		{"dept get: unknown", "app", "department/get?id=99", "", 60123, ""},
		// Tags; tag 1 belongs to the app, tag 2 to the sync secret.
		{"tag create: no name", "app", "tag/create", `{"tagid":9}`, 41018, ""},
		{"tag create: empty name", "app", "tag/create", `{"tagname":""}`, 40072, ""},
		{"tag create: long name", "app", "tag/create", `{"tagname":"` + long(33) + `"}`, 40072, ""},
		{"tag create: name taken", "app", "tag/create", `{"tagname":"骨干"}`, 40071, ""},
		{"tag create: id taken", "app", "tag/create", `{"tagname":"x","tagid":1}`, 40068, "invalid tagid"},
		{"tag update: no id", "app", "tag/update", `{"tagname":"x"}`, 41017, ""},
		{"tag update: unknown", "app", "tag/update", `{"tagid":9,"tagname":"x"}`, 40068, ""},
		{"tag update: not ours", "app", "tag/update", `{"tagid":2,"tagname":"x"}`, 60011, ""},
		{"tag update: name taken", "app", "tag/update", `{"tagid":1,"tagname":"值班"}`, 40071, ""},
		{"tag delete: no id", "app", "tag/delete", "", 41017, ""},
		{"tag delete: unknown", "app", "tag/delete?tagid=9", "", 40068, ""},
		{"tag delete: not ours", "sync", "tag/delete?tagid=1", "", 60011, ""},
		{"tag get: unknown", "app", "tag/get?tagid=9", "", 40068, ""},
		{"tag add: nothing", "app", "tag/addtagusers", `{"tagid":1}`, 40035, ""},
		{"tag add: piped", "app", "tag/addtagusers", `{"tagid":1,"userlist":"lisi|zhangsan"}`, 40035, ""},
		{"tag add: all invalid", "app", "tag/addtagusers", `{"tagid":1,"userlist":["a"],"partylist":[99]}`, 40070, "all list invalid"},
		{"tag add: not ours", "app", "tag/addtagusers", `{"tagid":2,"userlist":["lisi"]}`, 81011, ""},
		{"tag take: all invalid", "app", "tag/deltagusers", `{"tagid":1,"userlist":["a"]}`, 40031, "all list invalid"},
		{"tag take: not ours", "sync", "tag/deltagusers", `{"tagid":1,"userlist":["lisi"]}`, 81011, ""},
		{"tag take: nothing", "app", "tag/deltagusers", `{"tagid":1}`, 40035, ""},
		// Messages and apps.
		{"send: sync token", "sync", "message/send", message(`"touser":"lisi"`), 48002, ""},
		{"send: no agent", "app", "message/send", `{"touser":"lisi","msgtype":"text","text":{"content":"x"}}`, 41011, ""},
		{"send: other agent", "app", "message/send", `{"agentid":1,"touser":"lisi","msgtype":"text","text":{"content":"x"}}`, 301002, ""},
		{"send: type", "app", "message/send", `{"agentid":1000002,"touser":"lisi","msgtype":"smoke"}`, 40008, ""},
		{"send: empty", "app", "message/send", `{"agentid":1000002,"touser":"lisi","msgtype":"text","text":{"content":""}}`, 44004, ""},
		{"send: no card", "app", "message/send", `{"agentid":1000002,"touser":"lisi","msgtype":"textcard"}`, 40063, ""},
		{"send: nobody", "app", "message/send", message(`"touser":""`), 81013, ""},
		{"send: all invalid", "app", "message/send", message(`"touser":"a|b","toparty":"99","totag":"9"`), 81013, ""},
		{"send: too many", "app", "message/send", message(`"touser":"` + strings.Repeat("a|", 1001) + `"`), 40032, ""},
		{"recall: unknown", "app", "message/recall", `{"msgid":"x"}`, 40058, ""},
		{"agent get: sync token", "sync", "agent/get?agentid=1000002", "", 48002, ""},
		{"agent get: no id", "app", "agent/get", "", 41011, ""},
		{"agent get: text", "app", "agent/get?agentid=x", "", 40056, ""},
		{"agent get: other", "app", "agent/get?agentid=1", "", 301002, ""},
		{"agent list: sync token", "sync", "agent/list", "", 48002, ""},
	}
	x := newCorp(t)
	x.populate()
	x.configure(`{"creator":"wangwu"}`)
	x.must(x.app, "tag/create", `{"tagname":"骨干","tagid":1}`)
	x.must(x.sync, "tag/create", `{"tagname":"值班","tagid":2}`)
	users, departments := x.count("users"), x.count("departments")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x.t = t
			token := x.sync
			if tt.token == "app" {
				token = x.app
			}
			a := x.as(token, tt.path, tt.body)
			if a.status != 200 || a.code != tt.code || !strings.Contains(a.text, tt.text) {
				t.Errorf("answer is %d %s, want code %d with %q", a.status, a.raw, tt.code, tt.text)
			}
			if a.header.Get("Error-Code") != fmt.Sprint(a.code) || a.header.Get("Error-Msg") == "" {
				t.Errorf("headers are %v", a.header)
			}
			if x.count("users") != users || x.count("departments") != departments {
				t.Error("a refused call has changed something")
			}
		})
	}
}

func member(extra string) string {
	return `{"userid":"a","name":"甲","mobile":"13900000000",` + extra + `}`
}

func message(extra string) string {
	return `{"agentid":1000002,"msgtype":"text","text":{"content":"通知"},` + extra + `}`
}

func numbers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i + 2)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func TestDefaultFieldsOfErrors(t *testing.T) {
	x := newCorp(t)
	for path, want := range map[string][]string{
		"user/get?userid=a":             {"department", "order", "is_leader_in_dept", "direct_leader"},
		"user/list_id":                  {"dept_user"},
		"user/list?department_id=1":     {"userlist"},
		"department/simplelist":         {"department_id"},
		"department/list":               {"department"},
		"tag/list":                      {"taglist"},
		"tag/get?tagid=1":               {"userlist", "partylist"},
		"getcallbackip":                 {"ip_list"},
		"user/delete?userid=a":          {},
		"user/simplelist?department_id": {"userlist"},
	} {
		a := x.as("FAKE_TOKEN", path, "")
		if a.code != 40014 || a.text != "invalid access_token" {
			t.Errorf("%s: %s", path, a.raw)
		}
		for _, name := range want {
			if string(a.body[name]) != "[]" {
				t.Errorf("%s: %s is %s", path, name, a.body[name])
			}
		}
		if len(a.body) != len(want)+2 {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
}

func TestTokens(t *testing.T) {
	x := newCorp(t)
	x.populate()
	missing := x.do("GET", "user/get?userid=lisi", "")
	if missing.code != 41001 || !strings.HasPrefix(missing.text, "access_token missing, hint: [") ||
		!strings.Contains(missing.text, "from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=41001") {
		t.Errorf("without token: %s", missing.raw)
	}
	if a := x.do("POST", "user/list_id", `{"access_token":"`+x.sync+`"}`); a.code != 41001 {
		t.Errorf("token in the body: %s", a.raw)
	}
	if a := x.as("FAKE_TOKEN", "user/create", `{}`); a.code != 40014 {
		t.Errorf("the token is not checked first: %s", a.raw)
	}
	if again := x.token(appSecret); again != x.app {
		t.Error("gettoken gives another token while the first is good")
	}
	if x.sync == x.app || len(x.app) > 512 {
		t.Errorf("token %q", x.app)
	}
	x.core.Clock.Advance(7199 * time.Second)
	x.must(x.app, "user/get?userid=lisi", "")
	x.core.Clock.Advance(time.Second)
	if a := x.as(x.app, "user/get?userid=lisi", ""); a.code != 42001 {
		t.Errorf("expired: %s", a.raw)
	}
	fresh := x.token(appSecret)
	if fresh == x.app {
		t.Error("gettoken gives the expired token")
	}
	x.must(fresh, "user/get?userid=lisi", "")
	if err := x.admin.Remove("acme", "tokens", "app-rollcall"); err != nil {
		t.Fatal(err)
	}
	if a := x.as(fresh, "user/get?userid=lisi", ""); a.code != 40014 {
		t.Errorf("taken back: %s", a.raw)
	}
	x.configure(`{"tokenRotation":true}`)
	first, second := x.token(appSecret), x.token(appSecret)
	if first == second {
		t.Error("no rotation")
	}
	x.must(first, "user/get?userid=lisi", "")
}

func TestGetTokenRefusals(t *testing.T) {
	x := newCorp(t)
	for _, tt := range []struct {
		query string
		code  int
	}{
		{"", 41004},
		{"?corpid=ww0", 41004},
		{"?corpsecret=x", 41002},
		{"?corpid=ww0&corpsecret=x", 40013},
		{"?corpid=" + corpID + "&corpsecret=x", 40001},
		{"?corpid=" + corpID + "&corpsecret=globex-sync-secret-not-a-real-one", 40091},
	} {
		if a := x.do("GET", "gettoken"+tt.query, ""); a.code != tt.code {
			t.Errorf("gettoken%s: %s", tt.query, a.raw)
		}
	}
	for range 8 {
		x.do("GET", "gettoken?corpid="+corpID+"&corpsecret=x", "")
	}
	good := "gettoken?corpid=" + corpID + "&corpsecret=" + syncSecret
	if a := x.do("GET", good, ""); a.code != 45009 {
		t.Errorf("after ten bad secrets: %s", a.raw)
	}
	x.must(x.sync, "user/list_id", `{}`)
	x.core.Clock.Advance(time.Hour)
	if a := x.do("GET", good, ""); a.code != 0 || a.integer("expires_in") != 3600 {
		t.Errorf("an hour later: %s", a.raw)
	}
}

func TestUnknownPath(t *testing.T) {
	x := newCorp(t)
	for _, path := range []string{"this_api_does_not_exist", "user/create/", "", "user"} {
		if a := x.as(x.sync, path, ""); a.status != 404 || a.raw != "" {
			t.Errorf("%q: %d %q", path, a.status, a.raw)
		}
	}
}

func TestMemberLifecycle(t *testing.T) {
	x := newCorp(t)
	x.must(x.sync, "department/create", `{"name":"研发","parentid":1,"id":2}`)
	x.must(x.sync, "department/create", `{"name":"市场","parentid":1,"id":3}`)
	x.must(x.sync, "user/create", `{"userid":"LiSi","name":"李四","mobile":"13800000002"}`)
	created := x.must(x.sync, "user/create", `{"userid":"E001","name":"张三","alias":"小张","mobile":"+86 138 0000 0001","email":"e001@example.com",
		"department":[2,3],"order":[5,4294967295],"is_leader_in_dept":[1,0],"main_department":3,"direct_leader":["lisi"],"position":"工程师",
		"gender":"1","telephone":"020-1","address":"广州","external_position":"高级工程师","enable":1,"to_invite":false,
		"extattr":{"attrs":[{"type":0,"name":"工号","text":{"value":"E001"}},{"type":0,"name":"爱好","text":{"value":"棋"}},
			{"type":1,"name":"工位","web":{"url":"https://example.com","title":"3-7"}}]}}`)
	if created.text != "created" || created.body["created_department_list"] != nil {
		t.Errorf("created: %s", created.raw)
	}
	got := x.must(x.app, "user/get?userid=e001", "")
	want := map[string]string{
		"userid": `"E001"`, "name": `"张三"`, "department": `[2,3]`, "order": `[5,4294967295]`, "is_leader_in_dept": `[1,0]`,
		"main_department": `3`, "direct_leader": `["LiSi"]`, "position": `"工程师"`, "alias": `"小张"`, "telephone": `"020-1"`,
		"external_position": `"高级工程师"`, "status": `4`, "gender": `"0"`, "open_userid": `""`,
		"extattr": `{"attrs":[{"type":0,"name":"工号","text":{"value":"E001"}},{"type":1,"name":"工位","web":{"url":"https://example.com","title":"3-7"}}]}`,
	}
	for name, value := range want {
		if string(got.body[name]) != value {
			t.Errorf("%s is %s, want %s", name, got.body[name], value)
		}
	}
	for _, name := range []string{"mobile", "email", "biz_mail", "avatar", "qr_code", "address"} {
		if got.body[name] != nil {
			t.Errorf("an app sees %s", name)
		}
	}
	x.configure(`{"syncReadRefused":false}`)
	full := x.must(x.sync, "user/get?userid=E001", "")
	if full.str("mobile") != "13800000001" || full.str("email") != "e001@example.com" || full.str("gender") != "1" || full.str("address") != "广州" {
		t.Errorf("the sync secret sees %s", full.raw)
	}
	if x.user("e001")["invitations"] != 0.0 || x.user("lisi")["invitations"] != 1.0 {
		t.Error("to_invite is true unless it is said to be false")
	}

	if a := x.must(x.sync, "user/update", `{"userid":"e001","position":"组长","extattr":{"attrs":[{"type":0,"name":"职级","text":{"value":"P7"}}]}}`); a.text != "updated" {
		t.Errorf("updated: %s", a.raw)
	}
	u := x.user("E001")
	if u["position"] != "组长" || u["name"] != "张三" || len(u["extattr"].([]any)) != 3 {
		t.Errorf("after the update: %v", u)
	}
	x.must(x.sync, "user/update", `{"userid":"E001","department":[3]}`)
	u = x.user("E001")
	if fmt.Sprint(u["department"], u["order"], u["is_leader_in_dept"], u["main_department"]) != "[3] [4.294967295e+09] [0] 3" {
		t.Errorf("after the move: %v", u)
	}

	if a := x.must(x.sync, "user/delete?userid=LISI", ""); a.text != "deleted" {
		t.Errorf("deleted: %s", a.raw)
	}
	if leaders := x.user("E001")["direct_leader"]; fmt.Sprint(leaders) != "[]" {
		t.Errorf("direct_leader is %v", leaders)
	}
	x.must(x.sync, "user/create", `{"userid":"lisi","name":"李四","mobile":"13800000002"}`)
	x.must(x.sync, "user/batchdelete", `{"useridlist":["lisi","E001"]}`)
	if n := x.count("users"); n != 0 {
		t.Errorf("%d members left", n)
	}
}

func TestStatus(t *testing.T) {
	x := newCorp(t)
	status := func() int { return x.must(x.app, "user/get?userid=a", "").integer("status") }
	x.must(x.sync, "user/create", member(`"enable":1`))
	for _, step := range []struct {
		what string
		do   func()
		want int
	}{
		{"created", func() {}, 4},
		{"disabled before joining", func() { x.must(x.sync, "user/update", `{"userid":"a","enable":0}`) }, 2},
		{"enabled before joining", func() { x.must(x.sync, "user/update", `{"userid":"a","enable":1}`) }, 4},
		{"joined", func() { x.accept("a") }, 1},
		{"disabled", func() { x.must(x.sync, "user/update", `{"userid":"a","enable":0}`) }, 2},
		{"enabled", func() { x.must(x.sync, "user/update", `{"userid":"a","enable":1}`) }, 1},
		{"quit", func() {
			if err := x.admin.Merge("acme", "users", "a", json.RawMessage(`{"left":true}`)); err != nil {
				t.Fatal(err)
			}
		}, 5},
	} {
		step.do()
		if got := status(); got != step.want {
			t.Errorf("%s: status is %d, want %d", step.what, got, step.want)
		}
	}
	x.must(x.sync, "user/create", `{"userid":"b","name":"乙","mobile":"13900000001","enable":0}`)
	if x.user("b")["status"] != 2.0 {
		t.Error("a member created disabled is not")
	}
	x.must(x.app, "user/authsucc?userid=b", "")
	if a := x.must(x.app, "user/get_active_stat", `{"date":"2026-03-02"}`); a.integer("active_cnt") != 0 {
		t.Errorf("active: %s", a.raw)
	}
}

// TestSilentlyIgnored: writes that the platform accepts and does not do.
func TestSilentlyIgnored(t *testing.T) {
	x := newCorp(t)
	x.populate()
	x.must(x.sync, "user/update", `{"userid":"zhangsan","mobile":"13800000009","email":"new@example.com"}`)
	if u := x.user("zhangsan"); u["mobile"] != "13800000001" || u["email"] != "new@example.com" {
		t.Errorf("an active member's mobile and mail: %v %v", u["mobile"], u["email"])
	}
	x.must(x.sync, "user/update", `{"userid":"zhangsan","mobile":"13800000002"}`) // lisi's: not even looked at
	x.must(x.sync, "user/update", `{"userid":"lisi","mobile":"13800000009"}`)
	if u := x.user("lisi"); u["mobile"] != "13800000009" {
		t.Errorf("an inactive member's mobile: %v", u["mobile"])
	}
	x.configure(`{"exmailBound":true}`)
	x.must(x.sync, "user/update", `{"userid":"zhangsan","email":"newer@example.com"}`)
	if u := x.user("zhangsan"); u["email"] != "new@example.com" {
		t.Errorf("mail where Tencent mail is bound: %v", u["email"])
	}
}

func TestWrongJSON(t *testing.T) {
	const warning = ". Warning: wrong json format. "
	for name, tt := range map[string]struct{ body, text, position string }{
		"trailing comma":     {`{"userid":"a","name":"甲","mobile":"13900000000","position":"岗",}`, "created" + warning, "岗"},
		"cut off":            {`{"userid":"a","name":"甲","mobile":"13900000000","position":"岗"`, "created" + warning, "岗"},
		"broken in between":  {`{"userid":"a","name":"甲","mobile":"13900000000",x,"position":"岗"}`, "created" + warning, ""},
		"number for text":    {`{"userid":"a","name":"甲","mobile":"13900000000","position":7}`, "created" + warning, ""},
		"number for list":    {`{"userid":"a","name":"甲","mobile":"13900000000","department":1}`, "created" + warning, ""},
		"null":               {`{"userid":"a","name":"甲","mobile":"13900000000","position":null}`, "created", ""},
		"department 0":       {`{"userid":"a","name":"甲","mobile":"13900000000","department":0}`, "created", ""},
		"unknown field":      {`{"userid":"a","name":"甲","mobile":"13900000000","hobby":1}`, "created", ""},
		"text for attribute": {`{"userid":"a","name":"甲","mobile":"13900000000","extattr":"x"}`, "created" + warning, ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := newCorp(t)
			if a := x.as(x.sync, "user/create", tt.body); a.code != 0 || a.text != tt.text {
				t.Fatalf("answer is %s", a.raw)
			}
			if got := x.user("a")["position"]; got != tt.position {
				t.Errorf("position is %v", got)
			}
		})
	}
	x := newCorp(t)
	if a := x.as(x.sync, "user/create", `userid=a`); a.code != 41009 || !strings.HasPrefix(a.text, "Warning: wrong json format. userid missing") {
		t.Errorf("no JSON at all: %s", a.raw)
	}
}

func TestDepartmentsAreMade(t *testing.T) {
	x := newCorp(t)
	a := x.must(x.sync, "user/create", member(`"department":[2,77],"order":[1,2]`))
	var made struct {
		Info []struct {
			Name string
			ID   int
		} `json:"department_info"`
	}
	a.into("created_department_list", &made)
	if fmt.Sprint(made.Info) != "[{2 2} {77 77}]" {
		t.Errorf("made: %v", made.Info)
	}
	x.must(x.sync, "user/create", `{"userid":"b","name":"乙","mobile":"13900000001"}`)
	x.must(x.sync, "user/create", `{"userid":"c","name":"丙","mobile":"13900000002","department":[]}`)
	var list struct {
		Department []struct {
			ID, ParentID int
			Name         string
		}
	}
	if err := json.Unmarshal([]byte(x.must(x.app, "department/list", "").raw), &list); err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, d := range list.Department {
		names[d.Name] = d.ID
	}
	waiting := names["其他（待设置部门）"]
	if waiting == 0 || len(list.Department) != 4 {
		t.Fatalf("departments: %v", list.Department)
	}
	if fmt.Sprint(x.user("b")["department"], x.user("c")["department"]) != fmt.Sprintf("[%d] [%d]", waiting, waiting) {
		t.Error("members without department are elsewhere")
	}
	if a := x.as(x.sync, "department/create", `{"name":"研发","parentid":1,"id":77}`); a.code != 60008 {
		t.Errorf("the id that was taken by mistake: %s", a.raw)
	}
}

func TestDepartments(t *testing.T) {
	x := newCorp(t)
	x.populate()
	// A child may have its parent's name.
	a := x.must(x.sync, "department/create", `{"name":"研发","parentid":2,"order":7}`)
	id := a.integer("id")
	if id != 5 || a.text != "created" {
		t.Errorf("created: %s", a.raw)
	}
	if got := x.must(x.app, "department/get?id=2", ""); got.raw != `{"department":{"id":2,"name":"研发","name_en":"rd","department_leader":["zhangsan"],"parentid":1,"order":100000000},"errcode":0,"errmsg":"ok"}` {
		t.Errorf("get: %s", got.raw)
	}
	ids := func(token, path string) string {
		var rows []struct{ ID int }
		x.must(token, path, "").into("department_id", &rows)
		return fmt.Sprint(rows)
	}
	if got := ids(x.sync, "department/simplelist"); got != "[{1} {2} {3} {4} {5}]" {
		t.Errorf("simplelist: %s", got)
	}
	if got := ids(x.sync, "department/simplelist?id=2"); got != "[{2} {3} {5}]" {
		t.Errorf("simplelist below 2: %s", got)
	}
	x.must(x.sync, "department/update", `{"id":3,"parentid":4,"name":"后端组"}`)
	if got := ids(x.sync, "department/simplelist?id=4"); got != "[{3} {4}]" {
		t.Errorf("simplelist below 4 after the move: %s", got)
	}
	for _, step := range []struct {
		path string
		code int
	}{
		{"department/delete?id=4", 60005}, {"user/delete?userid=wangwu", 0}, {"department/delete?id=4", 60006},
		{"user/delete?userid=lisi", 0}, {"department/delete?id=3", 0}, {"department/delete?id=4", 0}, {"department/delete?id=4", 60123},
		{"department/delete?id=1", 60006}, {"department/delete?id=5", 0}, {"user/delete?userid=zhangsan", 0},
		{"department/delete?id=2", 0}, {"department/delete?id=1", 60007},
	} {
		if a := x.as(x.sync, step.path, ""); a.code != step.code {
			t.Errorf("%s: %s, want %d", step.path, a.raw, step.code)
		}
	}
	x.must(x.sync, "user/create", member(`"department":[1]`))
	if a := x.as(x.sync, "department/delete?id=1", ""); a.code != 60005 {
		t.Errorf("deleting the root with members: %s", a.raw)
	}
}

func TestLimitsOfSize(t *testing.T) {
	x := newCorp(t)
	parent := 1
	for level := 2; level <= 15; level++ {
		parent = x.must(x.sync, "department/create", fmt.Sprintf(`{"name":"第%d层","parentid":%d}`, level, parent)).integer("id")
	}
	if a := x.as(x.sync, "department/create", fmt.Sprintf(`{"name":"太深","parentid":%d}`, parent)); a.code != 81002 {
		t.Errorf("level 16: %s", a.raw)
	}
	x.must(x.sync, "department/create", `{"name":"旁支","parentid":1,"id":50}`)
	x.must(x.sync, "department/create", `{"name":"旁支二","parentid":50,"id":51}`)
	if a := x.as(x.sync, "department/update", fmt.Sprintf(`{"id":50,"parentid":%d}`, parent-1)); a.code != 81002 {
		t.Errorf("moving two levels to level 15: %s", a.raw)
	}
	x.configure(`{"maxNodes":2}`)
	if a := x.as(x.sync, "department/create", `{"name":"第三","parentid":1}`); a.code != 81001 {
		t.Errorf("a third node: %s", a.raw)
	}
	if a := x.as(x.sync, "user/create", member(`"department":[1]`)); a.code != 81001 {
		t.Errorf("a member as third node: %s", a.raw)
	}
	x.configure(`{"maxMembers":1}`)
	x.must(x.sync, "user/create", member(`"department":[51]`))
	if a := x.as(x.sync, "user/create", `{"userid":"b","name":"乙","mobile":"13900000001"}`); a.code != 45024 {
		t.Errorf("a member too many: %s", a.raw)
	}
	for range 2 {
		x.must(x.sync, "user/delete?userid=a", "")
		x.must(x.sync, "user/create", member(`"department":[51]`))
	}
	x.must(x.sync, "user/delete?userid=a", "")
	if a := x.as(x.sync, "user/create", member(`"department":[51]`)); a.code != 45009 {
		t.Errorf("a fourth creation this month: %s", a.raw)
	}
	x.core.Clock.Advance(30 * 24 * time.Hour)
	x.sync = x.token(syncSecret)
	x.must(x.sync, "user/create", member(`"department":[51]`))
}

func TestListings(t *testing.T) {
	x := newCorp(t)
	x.populate()
	x.must(x.sync, "user/update", `{"userid":"zhangsan","department":[2,3]}`)
	type row struct {
		UserID     string
		Department int
	}
	var all []row
	cursor := ""
	for page := 0; ; page++ {
		a := x.must(x.sync, "user/list_id", fmt.Sprintf(`{"limit":3,"cursor":%q}`, cursor))
		var rows []row
		a.into("dept_user", &rows)
		all = append(all, rows...)
		if page == 0 {
			x.must(x.sync, "user/delete?userid=zhangsan", "") // pages stay as they were
		}
		if cursor = a.str("next_cursor"); cursor == "" {
			break
		}
	}
	if want := []row{{"zhangsan", 2}, {"zhangsan", 3}, {"lisi", 3}, {"wangwu", 4}}; !slices.Equal(all, want) {
		t.Errorf("list_id: %v", all)
	}
	if a := x.must(x.app, "user/simplelist?department_id=3&fetch_child=1", ""); a.raw != `{"errcode":0,"errmsg":"ok","userlist":[{"userid":"lisi","name":"李四","department":[3],"open_userid":""}]}` {
		t.Errorf("simplelist: %s", a.raw)
	}
	var members []struct {
		UserID string
		Status int
	}
	x.must(x.app, "user/list?department_id=4", "").into("userlist", &members)
	if fmt.Sprint(members) != "[{wangwu 4}]" {
		t.Errorf("list: %v", members)
	}
	x.configure(`{"maxListBytes":50}`)
	if a := x.as(x.app, "user/list?department_id=4", ""); a.code != 45029 || string(a.body["userlist"]) != "[]" {
		t.Errorf("too big: %s", a.raw)
	}
}

func TestLookups(t *testing.T) {
	x := newCorp(t)
	x.populate()
	for _, tt := range []struct{ path, body, want string }{
		{"user/getuserid", `{"mobile":"13800000001"}`, "zhangsan"},
		{"user/getuserid", `{"mobile":"+8613800000002"}`, "lisi"},
		{"user/get_userid_by_email", `{"email":"zs@corp.example.com"}`, "zhangsan"},
		{"user/get_userid_by_email", `{"email":"WW@example.com","email_type":2}`, "wangwu"},
	} {
		if got := x.must(x.app, tt.path, tt.body).str("userid"); got != tt.want {
			t.Errorf("%s %s: %s", tt.path, tt.body, got)
		}
	}
	x.configure(`{"maxMembers":10}`)
	for range 3 {
		if a := x.as(x.app, "user/getuserid", `{"mobile":"13911111111"}`); a.code != 46004 {
			t.Fatalf("a wrong number: %s", a.raw)
		}
	}
	if a := x.as(x.app, "user/getuserid", `{"mobile":"13800000001"}`); a.code != 45009 {
		t.Errorf("after too many wrong numbers: %s", a.raw)
	}
	x.core.Clock.Advance(24 * time.Hour)
	x.app = x.token(appSecret)
	x.must(x.app, "user/getuserid", `{"mobile":"13800000001"}`)
}

func TestVisibleRange(t *testing.T) {
	x := newCorp(t)
	spec := `{"name":"initech","corpId":"wwinitech","syncSecret":"s-sync","apps":[
		{"name":"all","agentId":1,"secret":"s-all","sensitiveFieldsHidden":false},{"name":"rd","agentId":2,"secret":"s-rd","departments":[2]}]}`
	if err := x.admin.AddTenant(json.RawMessage(spec)); err != nil {
		t.Fatal(err)
	}
	token := func(secret string) string {
		return x.do("GET", "gettoken?corpid=wwinitech&corpsecret="+secret, "").str("access_token")
	}
	all, rd := token("s-all"), token("s-rd")
	x.sync = token("s-sync")
	x.populateOther()
	if got := x.must(all, "user/get?userid=wangwu", ""); got.str("email") != "ww@example.com" {
		t.Errorf("an old app sees %s", got.raw)
	}
	for _, tt := range []struct {
		path, body string
		code       int
	}{
		{"user/get?userid=lisi", "", 0}, {"user/get?userid=wangwu", "", 60111},
		{"user/list?department_id=3", "", 0}, {"user/list?department_id=4", "", 60011},
		{"department/get?id=3", "", 0}, {"department/get?id=1", "", 60011},
		{"user/getuserid", `{"mobile":"13800000002"}`, 0}, {"user/get_userid_by_email", `{"email":"ww@example.com","email_type":2}`, 46004},
	} {
		if a := x.as(rd, tt.path, tt.body); a.code != tt.code {
			t.Errorf("%s: %s, want %d", tt.path, a.raw, tt.code)
		}
	}
	var rows []struct{ ID int }
	x.must(rd, "department/simplelist", "").into("department_id", &rows)
	if fmt.Sprint(rows) != "[{2} {3}]" {
		t.Errorf("departments in sight: %v", rows)
	}
	a := x.must(rd, "message/send", `{"agentid":2,"touser":"@all","msgtype":"text","text":{"content":"x"}}`)
	if a.str("invaliduser") != "" {
		t.Errorf("to all: %s", a.raw)
	}
}

// populateOther is populate for a corp without an admin of its own.
func (x *corp) populateOther() {
	x.t.Helper()
	for _, d := range []string{`{"name":"研发","parentid":1,"id":2}`, `{"name":"后端","parentid":2,"id":3}`, `{"name":"市场","parentid":1,"id":4}`} {
		x.must(x.sync, "department/create", d)
	}
	x.must(x.sync, "user/create", `{"userid":"lisi","name":"李四","mobile":"13800000002","department":[3]}`)
	x.must(x.sync, "user/create", `{"userid":"wangwu","name":"王五","email":"ww@example.com","department":[4]}`)
}

func TestTags(t *testing.T) {
	x := newCorp(t)
	x.populate()
	if a := x.must(x.app, "tag/create", `{"tagname":"骨干"}`); a.integer("tagid") != 1 || a.text != "created" {
		t.Errorf("created: %s", a.raw)
	}
	a := x.must(x.app, "tag/addtagusers", `{"tagid":1,"userlist":["ZhangSan","a","lisi","b"],"partylist":[4,99]}`)
	if a.raw != `{"errcode":0,"errmsg":"ok","invalidlist":"a|b","invalidparty":[99]}` {
		t.Errorf("partly added: %s", a.raw)
	}
	x.must(x.app, "tag/addtagusers", `{"tagid":1,"userlist":["zhangsan"]}`)
	const want = `{"errcode":0,"errmsg":"ok","partylist":[4],"tagname":"骨干","userlist":[{"userid":"zhangsan","name":"张三"},{"userid":"lisi","name":"李四"}]}`
	if a := x.must(x.sync, "tag/get?tagid=1", ""); a.raw != want {
		t.Errorf("get: %s", a.raw)
	}
	x.must(x.app, "tag/deltagusers", `{"tagid":1,"userlist":["zhangsan"],"partylist":[4]}`)
	x.must(x.sync, "user/delete?userid=lisi", "")
	if a := x.must(x.app, "tag/get?tagid=1", ""); string(a.body["userlist"]) != "[]" || string(a.body["partylist"]) != "[]" {
		t.Errorf("emptied: %s", a.raw)
	}
	x.must(x.app, "tag/update", `{"tagid":1,"tagname":"骨干二"}`)
	if a := x.must(x.app, "tag/list", ""); string(a.body["taglist"]) != `[{"tagid":1,"tagname":"骨干二"}]` {
		t.Errorf("list: %s", a.raw)
	}
	x.must(x.app, "tag/delete?tagid=1", "")
	if x.count("tags") != 0 {
		t.Error("the tag is still there")
	}
}

func TestMessages(t *testing.T) {
	x := newCorp(t)
	x.populate()
	x.must(x.app, "tag/create", `{"tagname":"骨干","tagid":3}`)
	x.must(x.app, "tag/addtagusers", `{"tagid":3,"userlist":["wangwu"]}`)
	sent := func(id string) wecom.Message {
		object, err := x.admin.Object("acme", "messages", id)
		if err != nil {
			t.Fatal(err)
		}
		return *object.(*wecom.Message)
	}
	a := x.must(x.app, "message/send", message(`"touser":"ZhangSan|Nobody","toparty":"3|99|x","totag":"3|9"`))
	if a.str("invaliduser") != "nobody" || a.str("invalidparty") != "x|99" || a.str("invalidtag") != "9" {
		t.Errorf("partly sent: %s", a.raw)
	}
	if m := sent(a.str("msgid")); !slices.Equal(m.To, []string{"zhangsan", "lisi", "wangwu"}) || m.Content != "通知" {
		t.Errorf("sent: %+v", m)
	}
	a = x.must(x.app, "message/send", `{"agentid":1000002,"touser":"@all","msgtype":"markdown","markdown":{"content":"`+long(700)+`"}}`)
	if m := sent(a.str("msgid")); len(m.To) != 3 || len(m.Content) != 2046 {
		t.Errorf("to all: %d people, %d bytes", len(m.To), len(m.Content))
	}
	check := message(`"touser":"lisi","enable_duplicate_check":1,"duplicate_check_interval":60`)
	x.must(x.app, "message/send", check)
	if m := sent(x.must(x.app, "message/send", check).str("msgid")); !m.Duplicate || len(m.To) != 0 {
		t.Errorf("a duplicate: %+v", m)
	}
	x.core.Clock.Advance(time.Minute)
	if m := sent(x.must(x.app, "message/send", check).str("msgid")); m.Duplicate {
		t.Errorf("after the interval: %+v", m)
	}
	var last wecom.Message
	for range 31 {
		last = sent(x.must(x.app, "message/send", message(`"touser":"wangwu"`)).str("msgid"))
	}
	if len(last.To) != 0 || !slices.Equal(last.Dropped, []string{"wangwu"}) {
		t.Errorf("the 31st in a minute: %+v", last)
	}
	x.must(x.app, "message/recall", fmt.Sprintf(`{"msgid":%q}`, last.ID))
	if !sent(last.ID).Recalled {
		t.Error("not recalled")
	}
	x.core.Clock.Advance(24*time.Hour + time.Second)
	x.app = x.token(appSecret)
	if a := x.as(x.app, "message/recall", fmt.Sprintf(`{"msgid":%q}`, last.ID)); a.code != 42052 {
		t.Errorf("recalled too late: %s", a.raw)
	}
}

func TestAgentsAndInvitations(t *testing.T) {
	x := newCorp(t)
	x.populate()
	if a := x.must(x.app, "agent/get?agentid=1000002", ""); a.str("name") != "rollcall" || string(a.body["allow_partys"]) != `{"partyid":[1]}` {
		t.Errorf("agent: %s", a.raw)
	}
	if a := x.must(x.app, "agent/list", ""); string(a.body["agentlist"]) != `[{"agentid":1000002,"name":"rollcall","square_logo_url":""}]` {
		t.Errorf("agents: %s", a.raw)
	}
	a := x.must(x.app, "batch/invite", `{"user":["lisi","zhangsan","nobody"],"party":[4,99],"tag":[9]}`)
	if string(a.body["invaliduser"]) != `["nobody"]` || string(a.body["invalidparty"]) != `[99]` || string(a.body["invalidtag"]) != `[9]` {
		t.Errorf("invited: %s", a.raw)
	}
	for id, want := range map[string]float64{"lisi": 2, "zhangsan": 1, "wangwu": 2} {
		if got := x.user(id)["invitations"]; got != want {
			t.Errorf("%s has %v invitations, want %v", id, got, want)
		}
	}
	if !strings.HasPrefix(x.must(x.sync, "corp/get_join_qrcode?size_type=2", "").str("join_qrcode"), "https://") {
		t.Error("no code to join by")
	}
	if string(x.must(x.sync, "get_api_domain_ip", "").body["ip_list"]) != `["127.0.0.1"]` {
		t.Error("no addresses")
	}
}

func TestGeneratedIDChangesOnce(t *testing.T) {
	x := newCorp(t)
	x.populate()
	if err := x.admin.Create("acme", "users", "WoAbc", json.RawMessage(`{"name":"甲","mobile":"13900000000","generatedId":true}`)); err != nil {
		t.Fatal(err)
	}
	x.must(x.sync, "user/update", `{"userid":"lisi","direct_leader":["WoAbc"]}`)
	if a := x.as(x.sync, "user/update", `{"userid":"WoAbc","new_userid":"lisi"}`); a.code != 60102 {
		t.Errorf("a taken id: %s", a.raw)
	}
	x.must(x.sync, "user/update", `{"userid":"WoAbc","new_userid":"E900"}`)
	if a := x.as(x.app, "user/get?userid=WoAbc", ""); a.code != 60111 {
		t.Errorf("the old id: %s", a.raw)
	}
	if fmt.Sprint(x.user("lisi")["direct_leader"]) != "[E900]" {
		t.Error("the leader has the old id")
	}
	if a := x.as(x.sync, "user/update", `{"userid":"E900","new_userid":"E901"}`); a.code != 301036 {
		t.Errorf("a second change: %s", a.raw)
	}
}

func TestTrustedIPs(t *testing.T) {
	x := newCorp(t)
	x.configure(`{"trustedIPs":["192.0.2.1"]}`)
	if a := x.as(x.sync, "user/list_id", `{}`); a.code != 60020 {
		t.Errorf("from elsewhere: %s", a.raw)
	}
	if a := x.as("FAKE", "user/list_id", `{}`); a.code != 40014 {
		t.Errorf("the token comes first: %s", a.raw)
	}
	x.configure(`{"trustedIPs":["127.0.0.1"]}`)
	x.must(x.sync, "user/list_id", `{}`)
}

// memberless are the built-in corps without their creators, so that tests count only whom they made.
func memberless() []wecom.Tenant {
	corps := wecom.BuiltIn()
	for i := range corps {
		corps[i].Options.Creator = ""
	}
	return corps
}
