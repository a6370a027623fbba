package wecom_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

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
