package wecom_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// TestDocumentedLimit: beyond 10,000 calls a minute an operation is blocked
// for a minute, for this corp and this operation only.
func TestDocumentedLimit(t *testing.T) {
	x := newCorp(t)
	x.populate()
	for range 10_000 {
		x.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/cgi-bin/tag/list?access_token="+x.app, http.NoBody))
	}
	blocked := x.as(x.app, "tag/list", "")
	if blocked.code != 45009 || blocked.status != 200 || string(blocked.body["taglist"]) != "[]" || blocked.header.Get("Error-Code") != "45009" {
		t.Errorf("call 10,001: %s", blocked.raw)
	}
	x.must(x.app, "user/get?userid=lisi", "")
	x.core.Clock.Advance(59 * time.Second)
	if a := x.as(x.sync, "tag/list", ""); a.code != 45009 {
		t.Errorf("59 s later, with another credential: %s", a.raw)
	}
	x.core.Clock.Advance(time.Second)
	x.must(x.app, "tag/list", "")
}

func (x *corp) fault(f core.Fault) core.Fault {
	x.t.Helper()
	f.Platform = "wecom"
	made, err := x.core.Faults.Add(f)
	if err != nil {
		x.t.Fatal(err)
	}
	return made
}

func TestFaultsOnTheWire(t *testing.T) {
	x := newCorp(t)
	x.populate()
	x.fault(core.Fault{Kind: core.KindError, Operation: "user/get", Subject: "lisi", Code: "-1", Times: 1})
	if a := x.as(x.app, "user/get?userid=lisi", ""); a.code != -1 || string(a.body["department"]) != "[]" || !strings.HasPrefix(a.text, "system busy, hint") {
		t.Errorf("error: %s", a.raw)
	}
	x.fault(core.Fault{Kind: core.KindError, Operation: "user/create", Subject: "E009", Code: "60104", Message: "mobile existed:x", Times: 1})
	if a := x.as(x.sync, "user/create", `{"userid":"E009"}`); a.code != 60104 || a.text != "mobile existed:x" {
		t.Errorf("error by the subject in the body: %s", a.raw)
	}
	x.fault(core.Fault{Kind: core.KindError, Operation: "department/create", Subject: "7", Code: "6000", Times: 1})
	if a := x.as(x.sync, "department/create", `{"id":7}`); a.code != 6000 {
		t.Errorf("error by a number in the body: %s", a.raw)
	}
	x.fault(core.Fault{Kind: core.KindThrottle, Tenant: "acme", Operation: "user/list_id", Times: 1})
	if a := x.as(x.sync, "user/list_id", `{}`); a.code != 45009 || string(a.body["dept_user"]) != "[]" {
		t.Errorf("throttle: %s", a.raw)
	}
	x.fault(core.Fault{Kind: core.KindEmptyListing, Operation: "user/list_id", Times: 1})
	if a := x.must(x.sync, "user/list_id", `{}`); string(a.body["dept_user"]) != "[]" || a.str("next_cursor") != "" {
		t.Errorf("empty listing: %s", a.raw)
	}
	x.fault(core.Fault{Kind: core.KindPartialPage, Operation: "user/list_id", Times: 1})
	if a := x.must(x.sync, "user/list_id", `{"limit":2}`); string(a.body["dept_user"]) != `[{"userid":"zhangsan","department":2}]` || a.str("next_cursor") != "" {
		t.Errorf("partial page: %s", a.raw)
	}
	x.fault(core.Fault{Kind: core.KindIgnoreField, Operation: "user/update", Field: "position", Times: 1})
	x.must(x.sync, "user/update", `{"userid":"lisi","position":"岗","alias":"小李"}`)
	if u := x.user("lisi"); u["position"] != "" || u["alias"] != "小李" {
		t.Errorf("ignored field: %v", u)
	}
	stale := x.fault(core.Fault{Kind: core.KindStale})
	x.must(x.sync, "user/delete?userid=lisi", "")
	x.must(x.app, "user/get?userid=lisi", "")
	if got := x.must(x.app, "user/getuserid", `{"mobile":"13800000002"}`).str("userid"); got != "lisi" {
		t.Errorf("stale lookup: %s", got)
	}
	if err := x.core.Faults.Remove(stale.ID); err != nil {
		t.Fatal(err)
	}
	if a := x.as(x.app, "user/get?userid=lisi", ""); a.code != 60111 {
		t.Errorf("fresh: %s", a.raw)
	}
}

func TestConcurrencyLimit(t *testing.T) {
	x := newCorp(t)
	if err := x.core.Limits.Set("wecom", core.Limits{Concurrent: 1}, false); err != nil {
		t.Fatal(err)
	}
	p, ok := x.core.Platform("wecom")
	if !ok {
		t.Fatal("no platform")
	}
	call := core.Call{Operation: "/cgi-bin/tag/list", Request: &http.Request{RemoteAddr: "127.0.0.1:1"}}
	if a := p.Throttled(&call, core.ScopeConcurrent); a.Code != "45033" {
		t.Errorf("too many at a time: %s", a.Body)
	}
	x.must(x.app, "tag/list", "")
}

// TestLogTellsNoSecret: names of credentials and ids only.
func TestLogTellsNoSecret(t *testing.T) {
	x := newCorp(t)
	x.populate()
	x.must(x.app, "user/getuserid", `{"mobile":"13800000001"}`)
	x.as("FAKE_TOKEN", "user/get?userid=lisi", "")
	x.do("GET", "gettoken?corpid="+corpID+"&corpsecret=WRONG_SECRET", "")
	entries := x.core.Log.Entries(core.Query{})
	raw, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{x.sync, x.app, syncSecret, appSecret, "FAKE_TOKEN", "WRONG_SECRET", "13800000001", "张三", "example.com"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("the log tells %q", secret)
		}
	}
	created := x.core.Log.Entries(core.Query{Operation: "/cgi-bin/user/create", Subject: "lisi"})
	if len(created) != 1 || created[0].Tenant != "acme" || created[0].Credential != "sync" || created[0].Code != "0" || created[0].HTTPStatus != 200 {
		t.Errorf("log of a create: %+v", created)
	}
	if bad := x.core.Log.Entries(core.Query{Code: "40001"}); len(bad) != 1 || bad[0].Tenant != "acme" || bad[0].Credential != "" {
		t.Errorf("log of a bad secret: %+v", bad)
	}
	counts := x.core.Log.Counts(core.Query{Operation: "user/create"})
	if len(counts) != 1 || counts[0].Count != 3 {
		t.Errorf("counts: %+v", counts)
	}
}

func TestCorpsAreApart(t *testing.T) {
	x := newCorp(t)
	x.populate()
	other := x.do("GET", "gettoken?corpid=wwglobex0000000000&corpsecret=globex-sync-secret-not-a-real-one", "").str("access_token")
	x.must(other, "user/create", `{"userid":"zhangsan","name":"赵六","mobile":"13800000001"}`)
	if x.user("zhangsan")["name"] != "张三" || x.count("users") != 3 {
		t.Error("a member of another corp is here")
	}
	x.fault(core.Fault{Kind: core.KindError, Tenant: "globex", Code: "-1"})
	if a := x.as(other, "user/list_id", `{}`); a.code != -1 {
		t.Errorf("the sick corp: %s", a.raw)
	}
	x.must(x.sync, "user/list_id", `{}`)
}

func TestAdmin(t *testing.T) {
	x := newCorp(t)
	x.populate()
	p := x.admin
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for name, tt := range map[string]struct {
		err  error
		want error // nil: any error
	}{
		"unknown tenant":      {p.Accept("nobody", "lisi"), core.ErrNotFound},
		"unknown collection":  {p.Create("acme", "roles", "x", raw(`{}`)), core.ErrUnsupported},
		"merge collection":    {p.Merge("acme", "roles", "x", raw(`{}`)), core.ErrUnsupported},
		"remove collection":   {p.Remove("acme", "roles", "x"), core.ErrUnsupported},
		"accept nobody":       {p.Accept("acme", "nobody"), core.ErrNotFound},
		"merge nobody":        {p.Merge("acme", "users", "nobody", raw(`{}`)), core.ErrNotFound},
		"remove nobody":       {p.Remove("acme", "users", "nobody"), core.ErrNotFound},
		"remove no dept":      {p.Remove("acme", "departments", "99"), core.ErrNotFound},
		"remove no token":     {p.Remove("acme", "tokens", "x"), core.ErrNotFound},
		"remove no tag":       {p.Remove("acme", "tags", "9"), core.ErrNotFound},
		"user exists":         {p.Create("acme", "users", "LISI", raw(`{}`)), core.ErrExists},
		"mobile exists":       {p.Create("acme", "users", "x", raw(`{"mobile":"13800000001"}`)), core.ErrExists},
		"unknown field":       {p.Merge("acme", "users", "lisi", raw(`{"titel":"x"}`)), nil},
		"unknown department":  {p.Merge("acme", "users", "lisi", raw(`{"department":[99]}`)), nil},
		"no department":       {p.Merge("acme", "users", "lisi", raw(`{"department":[]}`)), nil},
		"another userid":      {p.Merge("acme", "users", "lisi", raw(`{"userid":"x"}`)), nil},
		"department exists":   {p.Create("acme", "departments", "2", raw(`{"name":"x"}`)), core.ErrExists},
		"department name":     {p.Create("acme", "departments", "9", raw(`{"name":"研发"}`)), core.ErrExists},
		"department no id":    {p.Create("acme", "departments", "x", raw(`{}`)), nil},
		"department id":       {p.Merge("acme", "departments", "2", raw(`{"id":9}`)), nil},
		"department loop":     {p.Merge("acme", "departments", "2", raw(`{"parentid":3}`)), nil},
		"department bad name": {p.Merge("acme", "departments", "2", raw(`{"name":"?"}`)), nil},
		"department not here": {p.Merge("acme", "departments", "99", raw(`{}`)), core.ErrNotFound},
		"department in use":   {p.Remove("acme", "departments", "2"), nil},
		"options":             {p.Configure("acme", raw(`{"nope":1}`)), nil},
		"options of nobody":   {p.Configure("nobody", raw(`{}`)), core.ErrNotFound},
		"tenant exists":       {p.AddTenant(raw(`{"name":"acme","corpId":"a","syncSecret":"b"}`)), core.ErrExists},
		"corp exists":         {p.AddTenant(raw(`{"name":"x","corpId":"wwacme000000000000","syncSecret":"b"}`)), core.ErrExists},
		"secret exists":       {p.AddTenant(raw(`{"name":"x","corpId":"a","syncSecret":"` + syncSecret + `"}`)), core.ErrExists},
		"tenant without corp": {p.AddTenant(raw(`{"name":"x"}`)), nil},
		"tenant with a slash": {p.AddTenant(raw(`{"name":"x/y","corpId":"a","syncSecret":"b"}`)), nil},
		"app without secret":  {p.AddTenant(raw(`{"name":"x","corpId":"a","syncSecret":"b","apps":[{"name":"c","agentId":1}]}`)), nil},
		"app with a typo":     {p.AddTenant(raw(`{"name":"x","corpId":"a","syncSecret":"b","apps":[{"title":"c"}]}`)), nil},
		"same secret twice":   {p.AddTenant(raw(`{"name":"x","corpId":"a","syncSecret":"b","apps":[{"name":"c","agentId":1,"secret":"b"}]}`)), nil},
		"same agent twice":    {p.AddTenant(raw(`{"name":"x","corpId":"a","syncSecret":"b","apps":[{"name":"c","agentId":1,"secret":"d"},{"name":"e","agentId":1,"secret":"f"}]}`)), nil},
	} {
		if tt.err == nil || tt.want != nil && !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
}

func TestEditByHand(t *testing.T) {
	x := newCorp(t)
	x.populate()
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for _, step := range []func() error{
		func() error {
			return x.admin.Create("acme", "departments", "60", raw(`{"name":"财务","parentid":1,"order":5}`))
		},
		func() error {
			return x.admin.Create("acme", "users", "E900", raw(`{"name":"林晓","mobile":"13900000900","department":[60,2]}`))
		},
		func() error { return x.admin.Merge("acme", "departments", "60", raw(`{"name":"财务部"}`)) },
		func() error {
			return x.admin.Merge("acme", "users", "e900", raw(`{"position":"顾问","department":[60],"activated":true}`))
		},
		func() error { return x.admin.Remove("acme", "users", "wangwu") },
		func() error { return x.admin.Remove("acme", "departments", "4") },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	got := x.must(x.app, "user/get?userid=E900", "")
	if got.str("position") != "顾问" || string(got.body["department"]) != "[60]" || string(got.body["order"]) != "[0]" || got.integer("status") != 1 {
		t.Errorf("edited: %s", got.raw)
	}
	if a := x.must(x.app, "department/get?id=60", ""); !strings.Contains(a.raw, "财务部") {
		t.Errorf("renamed: %s", a.raw)
	}
	if a := x.as(x.app, "user/get?userid=wangwu", ""); a.code != 60111 {
		t.Errorf("removed: %s", a.raw)
	}
	x.admin.Reset()
	if x.count("users") != 0 || x.count("departments") != 1 || x.count("tokens") != 0 {
		t.Error("a reset leaves something")
	}
	if a := x.as(x.app, "tag/list", ""); a.code != 40014 {
		t.Errorf("a token from before the reset: %s", a.raw)
	}
}

func TestTenantsHideSecrets(t *testing.T) {
	x := newCorp(t)
	if err := x.admin.AddTenant(json.RawMessage(`{"name":"own","corpId":"ww1","syncSecret":"mine","apps":[{"name":"a","agentId":1,"secret":"mine2"}]}`)); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(x.admin.Tenants())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "mine") || !strings.Contains(string(raw), syncSecret) || !strings.Contains(string(raw), `"sensitiveFieldsHidden":true`) {
		t.Errorf("tenants: %s", raw)
	}
}

func TestSeed(t *testing.T) {
	x := newCorp(t)
	done, err := x.admin.Seed("acme", core.Seed{Users: 300, Departments: 20})
	if err != nil || done != (core.Seeded{Users: 300, Departments: 20}) {
		t.Fatalf("seeded %+v, %v", done, err)
	}
	done, err = x.admin.Seed("acme", core.Seed{Users: 10, Departments: 20, First: 301, Pending: true})
	if err != nil || done != (core.Seeded{Users: 10}) {
		t.Fatalf("seeded again %+v, %v", done, err)
	}
	if _, err := x.admin.Seed("acme", core.Seed{Users: 1}); !errors.Is(err, core.ErrExists) {
		t.Errorf("the same people: %v", err)
	}
	var rows []struct{ UserID string }
	x.must(x.sync, "user/list_id", `{}`).into("dept_user", &rows)
	if len(rows) != 310 {
		t.Errorf("%d rows", len(rows))
	}
	if u := x.user("S00310"); u["status"] != 4.0 || u["extattr"] == nil {
		t.Errorf("a pending member: %v", u)
	}
}

// TestManyAtOnce: callers of all kinds at the same time, for the race detector,
// and each person is there once.
func TestManyAtOnce(t *testing.T) {
	x := newCorp(t)
	x.populate()
	var wg sync.WaitGroup
	const callers, people = 8, 25
	created := make([]int, callers)
	for c := range callers {
		wg.Go(func() {
			for i := range people {
				body := fmt.Sprintf(`{"userid":"P%d","name":"人","mobile":"1390000%04d","department":[2,%d]}`, i, i, 100+i)
				if a := x.as(x.sync, "user/create", body); a.code == 0 {
					created[c]++
				} else if a.code != 60104 {
					t.Errorf("create: %s", a.raw)
				}
				x.must(x.app, "user/list?department_id=2", "")
				x.must(x.sync, "user/list_id", `{"limit":7}`)
				x.as(x.sync, "user/update", fmt.Sprintf(`{"userid":"P%d","alias":"%d"}`, i, c))
				x.as(x.app, "message/send", message(`"touser":"@all"`))
				x.token(appSecret)
			}
		})
	}
	wg.Go(func() {
		for i := range people {
			x.configure(fmt.Sprintf(`{"maxNodes":%d}`, 1000+i))
			x.count("users")
			if _, err := x.core.Faults.Add(core.Fault{Kind: core.KindStale, Times: 3}); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	total := 0
	for _, n := range created {
		total += n
	}
	if total != people || x.count("users") != people+3 {
		t.Errorf("%d creates succeeded, %d members", total, x.count("users"))
	}
}
