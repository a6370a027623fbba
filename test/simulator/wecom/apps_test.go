package wecom_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/wecom"
)

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
