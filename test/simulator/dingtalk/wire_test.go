package dingtalk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// TestWireVectors replays published replies to calls without credentials.
func TestWireVectors(t *testing.T) {
	s := newSim(t)
	jsonBody := http.Header{"Content-Type": {"application/json"}}
	formBody := http.Header{"Content-Type": {"application/x-www-form-urlencoded;charset=utf-8"}}
	with := func(h http.Header, name, value string) http.Header {
		h = h.Clone()
		h.Set(name, value)
		return h
	}
	const bad = `"errcode":88,"sub_code":"40014","sub_msg":"不合法的access_token","errmsg":"ding talk error[subcode=40014,submsg=不合法的access_token]"`
	tests := []struct {
		name, method, path string
		header             http.Header
		body               string
		status             int
		want               string // JSON without the request id
	}{
		{"gettoken with a wrong key", "GET", "/gettoken?appkey=test&appsecret=test", nil, "", 200,
			`{"errcode":40096,"errmsg":"不合法的appKey或appSecret"}`},
		{"gettoken reads no body", "GET", "/gettoken", formBody, "appkey=test&appsecret=test", 200,
			`{"errcode":40035,"errmsg":"缺少参数 corpid or appkey"}`},
		{"accessToken with a wrong key", "POST", "/v1.0/oauth2/accessToken", jsonBody, `{"appKey":"test","appSecret":"test"}`, 400,
			`{"code":"invalidClientIdOrSecret","message":"无效的clientId或者clientSecret"}`},
		{"corp token of an unknown corp", "POST", "/v1.0/oauth2/dingtest/token", jsonBody,
			`{"client_id":"test","client_secret":"test","grant_type":"client_credentials"}`, 500,
			`{"code":"unknownError","message":"未知错误"}`},
		{"new API with a wrong token", "POST", "/v1.0/contact/users/search", with(jsonBody, "x-acs-dingtalk-access-token", "test"), "{}", 400,
			`{"code":"InvalidAuthentication","message":"不合法的access_token"}`},
		{"new API reads no query", "POST", "/v1.0/contact/users/search?access_token=test", jsonBody, "{}", 400,
			`{"code":"AuthenticationFailed.MissingParameter","message":"缺少参数：x-acs-dingtalk-access-token"}`},
		{"new API takes no Bearer", "POST", "/v1.0/contact/users/search", with(jsonBody, "Authorization", "Bearer test"), "{}", 400,
			`{"code":"AuthenticationFailed.MissingParameter","message":"缺少参数：x-acs-dingtalk-access-token"}`},
		{"old API with a wrong token", "POST", "/topapi/v2/user/get?access_token=test", jsonBody, `{"userid":"test"}`, 200, "{" + bad + "}"},
		{"old API reads no header", "POST", "/topapi/v2/user/get", with(jsonBody, "x-acs-dingtalk-access-token", "test"), `{"userid":"test"}`, 200,
			`{"errcode":88,"sub_code":"40000","sub_msg":"access_token is blank","errmsg":"ding talk error[subcode=40000,submsg=access_token is blank]"}`},
		{"old API reads a form", "POST", "/topapi/v2/user/get", formBody, "access_token=test&userid=test", 200, "{" + bad + "}"},
		{"new host, unknown path", "POST", "/oauth2/corpAccessToken", jsonBody, "{}", 200, `{"errcode":404,"errmsg":"请求的URI地址不存在"}`},
		{"new API, unknown path", "POST", "/v1.0/contact/nothing", jsonBody, "{}", 200, `{"errcode":404,"errmsg":"请求的URI地址不存在"}`},
		{"old API, unknown path", "POST", "/topapi/v2/user/notexist?access_token=test", jsonBody, "{}", 200,
			`{"errcode":22,"sub_msg":"不合法ApiName，ApiName = dingtalk.oapi.v2.user.notexist","errmsg":"Invalid method[submsg=不合法ApiName，ApiName = dingtalk.oapi.v2.user.notexist]"}`},
		{"old API, trailing slash", "POST", "/topapi/v2/user/get/?access_token=test", jsonBody, "{}", 200,
			`{"errcode":22,"sub_msg":"不合法ApiName，ApiName = dingtalk.oapi.v2.user.get","errmsg":"Invalid method[submsg=不合法ApiName，ApiName = dingtalk.oapi.v2.user.get]"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, got := s.do(tt.method, tt.path, tt.header, tt.body)
			var want body
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			ids := 0
			for _, id := range []string{"request_id", "requestid"} {
				if got[id] != nil {
					ids++
					delete(got, id)
				}
			}
			bare := strings.HasPrefix(tt.path, "/gettoken") || strings.Contains(tt.want, `"errcode":404`)
			if bare != (ids == 0) {
				t.Errorf("%d request ids", ids)
			}
			if status != tt.status || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %d %v\nwant %d %v", status, got, tt.status, want)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	s := newSim(t)
	get := func() (string, string) {
		_, b := s.do("GET", "/gettoken?appkey=dingacme0001&appsecret=acme-app-secret", nil, "")
		return b["access_token"].(string), fmt.Sprint(b["expires_in"])
	}
	works := func(token string) bool {
		_, b := s.do("POST", "/topapi/v2/user/get?access_token="+token, nil, `{"userid":"manager7001"}`)
		return code(b) == "0"
	}
	first, life := get()
	if life != "7200" || !works(first) {
		t.Fatalf("token of %s s that works: %v", life, works(first))
	}
	s.core.Clock.Advance(7199 * time.Second)
	if again, _ := get(); again != first {
		t.Fatal("a valid token must be given again")
	}
	s.core.Clock.Advance(7199 * time.Second)
	if !works(first) {
		t.Fatal("getting a token again must renew it")
	}
	s.core.Clock.Advance(2 * time.Second)
	if works(first) {
		t.Fatal("a token must end after 7200 s")
	}
	second, _ := get()
	if second == first || !works(second) {
		t.Fatal("after its end a token must be replaced")
	}

	_, b := s.do("POST", "/v1.0/oauth2/accessToken", nil, `{"appKey":"dingacme0001","appSecret":"acme-app-secret"}`)
	modern, _ := b["accessToken"].(string)
	if modern == "" || modern == second || fmt.Sprint(b["expireIn"]) != "7200" || !works(modern) {
		t.Fatalf("token of the new API: %v", b)
	}
	status, b := s.do("POST", "/v1.0/oauth2/dingcorpacme0001/token", nil,
		`{"client_id":"dingacme0001","client_secret":"acme-app-secret","grant_type":"client_credentials"}`)
	if status != 200 || b["access_token"] != modern || fmt.Sprint(b["expires_in"]) != "7200" {
		t.Fatalf("token of the corp: %d %v", status, b)
	}
}

// TestRevokedToken: the platform may end a token before its time.
func TestRevokedToken(t *testing.T) {
	s := newSim(t)
	s.user(creator)
	if err := s.admin.Remove("acme", "tokens", "rollcall"); err != nil {
		t.Fatal(err)
	}
	s.refused("88/40014", "/topapi/v2/user/get", body{"userid": creator})
	s.token = ""
	s.user(creator)
	if err := s.admin.Remove("globex", "tokens", "rollcall"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("no token to take back: %v", err)
	}
	list, err := s.admin.Objects("acme", "tokens")
	if shown := fmt.Sprintf("%+v", list); err != nil || len(list) != 1 || strings.Contains(shown, s.acmeToken()) {
		t.Errorf("tokens: %s %v", shown, err)
	}
}

func TestTenantsAreApart(t *testing.T) {
	s := newSim(t)
	s.person("E1", "13800000001", 1)
	other := s.tokenOf("dingglobex0001", "globex-app-secret")
	_, b := s.do("POST", "/topapi/v2/user/get?access_token="+other, nil, `{"userid":"E1"}`)
	if code(b) != "60121" {
		t.Fatalf("globex sees a user of acme: %v", b)
	}
	_, b = s.do("POST", "/topapi/v2/user/create?access_token="+other, nil, `{"userid":"E1","name":"李","mobile":"13800000001","dept_id_list":"1"}`)
	if code(b) != "0" {
		t.Fatalf("ids and mobile numbers are unique per organisation: %v", b)
	}
}

// TestForm sends what nests as JSON text, as the documents' samples do.
func TestForm(t *testing.T) {
	s := newSim(t)
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded;charset=utf-8"}}
	in := body{
		"access_token": s.acmeToken(), "userid": "F1", "name": "张三", "mobile": "13800000002", "dept_id_list": `\"1\"`,
		"hide_mobile": "true", "hired_date": "1597573616828", "extension": `{"职级":"P7"}`,
		"dept_order_list": `[{"dept_id":"1","order":"9"}]`,
	}
	if _, b := s.do("POST", "/topapi/v2/user/create", header, form(in)); code(b) != "0" {
		t.Fatalf("create: %v", b)
	}
	u := s.user("F1")
	if u["hide_mobile"] != true || u["hired_date"] != json.Number("1597573616828") || u["extension"] != `{"职级":"P7"}` {
		t.Errorf("user: %v", u)
	}
	if got := fmt.Sprint(u["dept_order_list"]); got != "[map[dept_id:1 order:9]]" {
		t.Errorf("dept_order_list %s", got)
	}
}

func TestPermissions(t *testing.T) {
	s := newSim(t)
	s.person("E1", "13800000001", 1)
	s.configure(`{"permissions":["qyapi_get_member","Contact.Common.Read"]}`)

	b := s.old("/topapi/v2/user/delete", body{"userid": "E1"})
	wantMsg := "应用尚未开通所需的权限：[qyapi_manage_addresslist]，点击链接申请并开通即可：" +
		"https://open-dev.dingtalk.com/appscope/apply?content=dingacme0001%23qyapi_manage_addresslist"
	if code(b) != "88/60011" || b["sub_msg"] != wantMsg ||
		b["errmsg"] != "ding talk error[subcode=60011,submsg="+wantMsg+", {requiredScopes=[qyapi_manage_addresslist]}]" {
		t.Errorf("old API: %v", b)
	}
	status, b := s.fresh("POST", "/v1.0/contact/orgAccounts/disable", body{"userId": "E1"})
	if status != 403 || b["code"] != "Forbidden.AccessDenied.AccessTokenPermissionDenied" ||
		fmt.Sprint(b["accessdenieddetail"]) != "map[requiredScopes:[Contact.OrgAccountSecurity.ReadWrite]]" || b["requestid"] == nil {
		t.Errorf("new API: %d %v", status, b)
	}
	u := s.user("E1")
	if u["mobile"] != nil || u["state_code"] != nil {
		t.Errorf("the mobile number is shown without permission: %v", u)
	}
	s.configure(`{"permissions":null}`)
	if u := s.user("E1"); u["mobile"] != "13800000001" || u["state_code"] != "86" {
		t.Errorf("with all permissions: %v", u)
	}
}

func TestMethods(t *testing.T) {
	s := newSim(t)
	if _, b := s.do("GET", "/topapi/v2/user/get?access_token="+s.acmeToken()+"&userid=manager7001", nil, ""); code(b) != "43002" {
		t.Errorf("GET: %v", b)
	}
	if _, b := s.do("POST", "/auth/scopes?access_token="+s.acmeToken(), nil, ""); code(b) != "43001" {
		t.Errorf("POST: %v", b)
	}
	if _, b := s.do("POST", "/topapi/v2/user/get?access_token="+s.acmeToken(), nil, `{"userid":`); code(b) != "47001" {
		t.Errorf("broken JSON: %v", b)
	}
}

func TestLimits(t *testing.T) {
	s := limited(t)
	s.acmeToken()
	for i := range 20 {
		if b := s.old("/topapi/v2/user/get", body{"userid": "manager7001"}); code(b) != "0" {
			t.Fatalf("call %d: %v", i+1, b)
		}
	}
	s.refused("90018", "/topapi/v2/user/get", body{"userid": "manager7001"})
	s.ok("/topapi/user/listadmin", body{}) // each API has its own count
	s.core.Clock.Advance(time.Second)
	s.ok("/topapi/v2/user/get", body{"userid": "manager7001"})

	search := body{"queryWord": "管理员", "offset": 0, "size": 10}
	for range 20 {
		if status, b := s.fresh("POST", "/v1.0/contact/users/search", search); status != 200 {
			t.Fatalf("search: %d %v", status, b)
		}
	}
	status, b := s.fresh("POST", "/v1.0/contact/users/search", search)
	if status != 403 || b["code"] != "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi" {
		t.Errorf("search: %d %v", status, b)
	}
}

func TestFaults(t *testing.T) {
	s := newSim(t)
	d := s.dept("研发部", 1)
	for i := range 6 {
		s.person(fmt.Sprintf("E%d", i), fmt.Sprintf("1380000000%d", i), d)
	}
	list := func() (int, bool) {
		r := s.result("/topapi/v2/user/list", body{"dept_id": d, "cursor": 0, "size": 4})
		return len(r["list"].([]any)), r["has_more"] == true
	}
	t.Run("error", func(t *testing.T) {
		for _, tt := range []struct{ code, want string }{{"60020", "60020"}, {"-1", "-1"}, {"88/42001", "88/42001"}} {
			s.fault(core.Fault{Kind: core.KindError, Operation: "user/get", Code: core.Code(tt.code), Times: 1})
			s.refused(tt.want, "/topapi/v2/user/get", body{"userid": "E1"})
		}
		s.fault(core.Fault{Kind: core.KindError, Operation: "users/search", Code: "system.busy", HTTPStatus: 500, Times: 1})
		if status, b := s.fresh("POST", "/v1.0/contact/users/search", body{}); status != 500 || b["code"] != "system.busy" {
			t.Errorf("new API: %d %v", status, b)
		}
	})
	t.Run("httpStatus", func(t *testing.T) {
		s.fault(core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: 502, Times: 1})
		if status, raw, err := s.raw("POST", "/topapi/v2/user/get", nil, ""); status != 502 || err != nil || !strings.Contains(string(raw), "<html>") {
			t.Errorf("%d %q %v", status, raw, err)
		}
	})
	t.Run("throttle", func(t *testing.T) {
		s.fault(core.Fault{Kind: core.KindThrottle, Times: 1})
		s.refused("90018", "/topapi/v2/user/get", body{"userid": "E1"})
		s.fault(core.Fault{Kind: core.KindThrottle, Times: 1})
		if status, b := s.fresh("GET", "/v1.0/contact/orgAccounts/status?userId=E1", nil); status != 403 ||
			b["code"] != "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi" {
			t.Errorf("new API: %d %v", status, b)
		}
	})
	t.Run("ipban", func(t *testing.T) {
		s.fault(core.Fault{Kind: core.KindIPBan, Times: 1})
		b := s.old("/topapi/v2/user/get", body{"userid": "E1"})
		if got := fmt.Sprintf("%v %v %v %v", b["status"], b["wait"], b["source"], b["punish"]); got != "1111 5 x5 deny" {
			t.Errorf("got %s", got)
		}
		if len(b) != 5 || b["uuid"] == nil {
			t.Errorf("the ban has no envelope: %v", b)
		}
	})
	t.Run("dropBefore and dropAfter", func(t *testing.T) {
		path := "/topapi/v2/user/create?access_token=" + s.acmeToken()
		in := `{"userid":"D1","name":"王","mobile":"13811110001","dept_id_list":"1"}`
		s.fault(core.Fault{Kind: core.KindDropBefore, Operation: "user/create", Times: 1})
		if _, _, err := s.raw("POST", path, nil, in); err == nil {
			t.Error("an answer came")
		}
		s.refused("60121", "/topapi/v2/user/get", body{"userid": "D1"})
		s.fault(core.Fault{Kind: core.KindDropAfter, Operation: "user/create", Times: 1})
		if _, _, err := s.raw("POST", path, nil, in); err == nil {
			t.Error("an answer came")
		}
		s.user("D1")
	})
	t.Run("partialPage and emptyListing", func(t *testing.T) {
		if n, more := list(); n != 4 || !more {
			t.Fatalf("without fault: %d, %v", n, more)
		}
		s.fault(core.Fault{Kind: core.KindPartialPage, Operation: "user/list", Rows: 1, Times: 1})
		if n, more := list(); n != 1 || more {
			t.Errorf("partial: %d, %v", n, more)
		}
		s.fault(core.Fault{Kind: core.KindEmptyListing, Times: 1})
		if n, more := list(); n != 0 || more {
			t.Errorf("empty: %d, %v", n, more)
		}
		s.fault(core.Fault{Kind: core.KindEmptyListing, Operation: "listsub", Times: 1})
		if got := s.ok("/topapi/v2/department/listsub", body{"dept_id": 1})["result"]; fmt.Sprint(got) != "[]" {
			t.Errorf("listsub: %v", got)
		}
	})
	t.Run("stale", func(t *testing.T) {
		id := s.fault(core.Fault{Kind: core.KindStale})
		s.ok("/topapi/v2/user/update", body{"userid": "E1", "title": "新职位"})
		s.person("L1", "13811110009", d)
		if title := s.user("E1")["title"]; title != nil {
			t.Errorf("title %v is seen at once", title)
		}
		s.refused("60121", "/topapi/v2/user/get", body{"userid": "L1"})
		s.refused("60121", "/topapi/v2/user/getbymobile", body{"mobile": "13811110009"})
		if r := s.result("/topapi/v2/user/list", body{"dept_id": d, "cursor": 0, "size": 100}); len(r["list"].([]any)) != 6 {
			t.Errorf("list: %v", r)
		}
		if err := s.core.Faults.Remove(id); err != nil {
			t.Fatal(err)
		}
		if title := s.user("E1")["title"]; title != "新职位" {
			t.Errorf("title %v after the fault", title)
		}
	})
	t.Run("hang", func(t *testing.T) {
		id := s.fault(core.Fault{Kind: core.KindHang, Operation: "user/get", Times: 1})
		answered := make(chan string)
		go func() {
			_, raw, err := s.raw("POST", "/topapi/v2/user/get?access_token="+s.acmeToken(), nil, `{"userid":"E1"}`)
			answered <- fmt.Sprint(string(raw), err)
		}()
		for !slices.ContainsFunc(s.core.Faults.List(), func(f core.Fault) bool { return f.ID == id && f.Hits == 1 }) {
			select {
			case got := <-answered:
				t.Fatalf("answered: %s", got)
			default:
			}
		}
		if err := s.core.Faults.Remove(id); err != nil && !errors.Is(err, core.ErrNotFound) {
			t.Fatal(err)
		}
		if got := <-answered; !strings.Contains(got, `"errcode":0`) {
			t.Errorf("after the fault: %s", got)
		}
	})
	t.Run("ignoreField", func(t *testing.T) {
		s.fault(core.Fault{Kind: core.KindIgnoreField, Operation: "user/update", Field: "title", Times: 1})
		s.ok("/topapi/v2/user/update", body{"userid": "E2", "title": "经理", "remark": "x"})
		if u := s.user("E2"); u["title"] != nil || u["remark"] != "x" {
			t.Errorf("user: %v", u)
		}
	})
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

func TestCallLog(t *testing.T) {
	s := newSim(t)
	s.person("E1", "13800000001", 1)
	s.refused("60121", "/topapi/v2/user/get", body{"userid": "nobody"})
	calls := s.core.Log.Entries(core.Query{Subject: "nobody"})
	if len(calls) != 1 || calls[0].Tenant != "acme" || calls[0].Credential != "rollcall" ||
		calls[0].Operation != "/topapi/v2/user/get" || calls[0].Code != "60121" {
		t.Errorf("calls: %+v", calls)
	}
	all, err := json.Marshal(s.core.Log.Entries(core.Query{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{s.acmeToken(), "acme-app-secret", "13800000001", "张E1"} {
		if strings.Contains(string(all), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}
