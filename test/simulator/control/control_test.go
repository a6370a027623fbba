package control_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/control"
	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

func start(t *testing.T) (url, platform string) {
	t.Helper()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	c := core.New(core.Options{Clock: core.NewClock(func() time.Time { return now })})
	corps := wecom.BuiltIn()
	for i := range corps {
		corps[i].Options.Creator = "" // count only whom the tests made
	}
	p := httptest.NewServer(wecom.New(c, corps...))
	t.Cleanup(p.Close)
	s := httptest.NewServer(control.New(c, "how to use it\n"))
	t.Cleanup(s.Close)
	return s.URL, p.URL
}

func call(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

// TestRoutes is one session: each step sees what those before it have done.
func TestRoutes(t *testing.T) {
	url, _ := start(t)
	for _, s := range []struct {
		method, path, body string
		status             int
		text               string // is contained in the answer
	}{
		{"GET", "/", "", 200, "how to use it"},
		{"GET", "/healthz", "", 200, "ok"},
		{"GET", "/nowhere", "", 404, ""},
		{"GET", "/clock", "", 200, "2026-03-02T09:00:00Z"},
		{"POST", "/clock/advance", `{"seconds":7200}`, 200, "2026-03-02T11:00:00Z"},
		{"POST", "/clock/advance", `{"seconds":-1}`, 400, "never goes back"},
		{"POST", "/clock/advance", `{"minutes":1}`, 400, "unknown field"},
		{"GET", "/tenants", "", 200, "acme-sync-secret-not-a-real-one"},
		{"POST", "/tenants", `{"platform":"wecom","name":"initech","corpId":"ww1","syncSecret":"x"}`, 204, ""},
		{"POST", "/tenants", `{"platform":"wecom","name":"initech","corpId":"ww1","syncSecret":"x"}`, 409, "already exists"},
		{"POST", "/tenants", `{"platform":"feishu","name":"x"}`, 404, "feishu"},
		{"POST", "/tenants", `{"name":"x"}`, 400, "needs a platform"},
		{"POST", "/tenants", `nonsense`, 400, "not JSON"},
		{"PATCH", "/tenants/wecom/initech", `{"syncReadRefused":false}`, 204, ""},
		{"PATCH", "/tenants/wecom/nobody", `{}`, 404, "nobody"},
		{"PATCH", "/tenants/feishu/x", `{}`, 404, "feishu"},
		{"GET", "/state/wecom/acme/users", "", 200, `{"count":0,"users":[]}`},
		{"GET", "/state/wecom/acme/roles", "", 501, "not supported"},
		{"GET", "/state/feishu/acme/users", "", 404, ""},
		{"PUT", "/state/wecom/acme/departments/5", `{"name":"研发"}`, 200, `"id":5`},
		{"PUT", "/state/wecom/acme/users/E1", `{"name":"林晓 <1>","mobile":"13900000001","department":[5]}`, 200, `"name":"林晓 <1>"`},
		{"PUT", "/state/wecom/acme/users/E1", ``, 409, "already exists"},
		{"POST", "/state/wecom/acme/users/e1", `{"position":"顾问"}`, 200, `"position":"顾问"`},
		{"POST", "/state/wecom/acme/users/E1", `{"titel":"x"}`, 400, "titel"},
		{"POST", "/state/wecom/acme/users/E2", `{}`, 404, "E2"},
		{"GET", "/state/wecom/acme/users/E1", "", 200, `"status":4`},
		{"POST", "/state/wecom/acme/accept/E1", "", 200, `"status":1`},
		{"POST", "/state/wecom/acme/accept/E2", "", 404, ""},
		{"DELETE", "/state/wecom/acme/departments/5", "", 400, "60005"},
		{"DELETE", "/state/wecom/acme/users/E1", "", 204, ""},
		{"GET", "/state/wecom/acme/users/E1", "", 404, ""},
		{"POST", "/seed", `{"platform":"wecom","tenant":"acme","users":30,"departments":4}`, 200, `{"users":30,"departments":4}`},
		{"POST", "/seed", `{"platform":"wecom","tenant":"acme","users":-1}`, 400, ""},
		{"POST", "/seed", `{"platform":"wecom","tenant":"nobody","users":1}`, 404, ""},
		{"GET", "/limits", "", 200, `"per":"1m0s"`},
		{"PUT", "/limits", `{"platform":"wecom","overallPerSecond":200}`, 200, `"calls":200`},
		{"PUT", "/limits", `{"platform":"wecom"}`, 400, "unlimited"},
		{"PUT", "/limits", `{"platform":"feishu","unlimited":true}`, 404, ""},
		{"POST", "/faults", `{"kind":"hang"}`, 200, `"id":"f1"`},
		{"POST", "/faults", `{"kind":"explode"}`, 400, "known: error"},
		{"POST", "/faults", `{"kind":"hang","platform":"feishu"}`, 404, ""},
		{"POST", "/faults", `{"kind":"hang","opration":"x"}`, 400, "opration"},
		{"GET", "/faults", "", 200, `"kind":"hang"`},
		{"DELETE", "/faults/f1", "", 204, ""},
		{"DELETE", "/faults/f1", "", 404, ""},
		{"POST", "/faults", `{"kind":"throttle","times":2}`, 200, `"id":"f2"`},
		{"DELETE", "/faults", "", 204, ""},
		{"GET", "/faults", "", 200, `{"faults":[]}`},
		{"GET", "/calls", "", 200, `{"calls":[],"last":0}`},
		{"GET", "/calls?operaton=x", "", 400, "operaton"},
		{"GET", "/calls?since=x", "", 400, "since"},
		{"GET", "/calls?limit=0", "", 400, "limit"},
		{"GET", "/calls/counts", "", 200, `{"counts":[],"total":0}`},
		{"POST", "/reset", "", 204, ""},
		{"GET", "/state/wecom/acme/users", "", 200, `"count":0`},
		{"GET", "/limits", "", 200, `"per":"1m0s"`},
		{"GET", "/tenants", "", 200, "initech"},
	} {
		status, text := call(t, s.method, url+s.path, s.body)
		if status != s.status || !strings.Contains(text, s.text) {
			t.Errorf("%s %s %s: %d %s, want %d %s", s.method, s.path, s.body, status, text, s.status, s.text)
		}
	}
}

func TestCalls(t *testing.T) {
	url, platform := start(t)
	call(t, "GET", platform+"/cgi-bin/gettoken?corpid=wwacme000000000000&corpsecret=acme-sync-secret-not-a-real-one", "")
	call(t, "GET", platform+"/cgi-bin/user/get?userid=E1", "")
	call(t, "GET", platform+"/cgi-bin/user/get?userid=E2", "")
	var log struct {
		Last  uint64
		Calls []core.Entry
	}
	_, text := call(t, "GET", url+"/calls?since=1&operation=user/get&platform=wecom", "")
	if err := json.Unmarshal([]byte(text), &log); err != nil {
		t.Fatal(err)
	}
	if log.Last != 3 || len(log.Calls) != 2 || log.Calls[1].Subject != "E2" || log.Calls[1].Code != "41001" {
		t.Errorf("log: %+v", log)
	}
	if _, text := call(t, "GET", url+"/calls/counts?operation=user/get", ""); !strings.Contains(text, `"count":2`) || !strings.Contains(text, `"total":2`) {
		t.Errorf("counts: %s", text)
	}
	if status, _ := call(t, "DELETE", url+"/calls", ""); status != 204 {
		t.Errorf("status %d", status)
	}
	if _, text := call(t, "GET", url+"/calls", ""); text != `{"calls":[],"last":3}` {
		t.Errorf("log after it was cleared: %s", text)
	}
}
