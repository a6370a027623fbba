package world

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/harness"
	"rollcall.dev/rollcall/test/simulator/control"
	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/dingtalk"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

// inProcess is a simulator in this process, and the address of WeCom.
func inProcess(t *testing.T) (sim *Simulator, weCom string) {
	t.Helper()
	c := core.New(core.Options{})
	dingtalk.New(c)
	platform := httptest.NewServer(wecom.New(c))
	t.Cleanup(platform.Close)
	s := httptest.NewServer(control.New(c, ""))
	t.Cleanup(s.Close)
	return &Simulator{&harness.Simulator{ControlURL: s.URL}}, platform.URL
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLeaving: a test sees who left, what they were told, and who has their customers.
func TestLeaving(t *testing.T) {
	sim, url := inProcess(t)
	ctx := t.Context()
	tenant, err := sim.NewTenant(ctx, WeCom, "leaving", nil)
	must(t, err)
	for _, id := range []string{"E1", "E2"} {
		must(t, sim.Control(ctx, http.MethodPut, tenant.path("users", id), map[string]any{"activated": true}, nil))
	}
	must(t, tenant.GiveCustomer(ctx, Customer{ID: "wm1", UserID: "E1"}, false))
	must(t, tenant.GiveCustomer(ctx, Customer{ID: "wm2", UserID: "E1"}, true))
	must(t, tenant.GiveChat(ctx, "wr1", "E1"))

	var token struct {
		Token string `json:"access_token"`
	}
	app := &Simulator{&harness.Simulator{ControlURL: url + "/cgi-bin"}} // the same client, for the platform
	must(t, app.Control(ctx, http.MethodGet, "/gettoken?corpid="+tenant.CorpID+"&corpsecret="+tenant.Credentials["appSecret"], nil, &token))
	call := func(path string, body map[string]any) {
		t.Helper()
		var answer struct {
			Code int `json:"errcode"`
		}
		must(t, app.Control(ctx, http.MethodPost, path+"?access_token="+token.Token, body, &answer))
		if answer.Code != 0 {
			t.Fatalf("%s: errcode %d", path, answer.Code)
		}
	}
	for range 2 {
		call("/message/send", map[string]any{"touser": "E1", "msgtype": "text", "agentid": 1000002, "text": map[string]any{"content": "再见"}})
	}
	got, err := tenant.Messages(ctx)
	must(t, err)
	if len(got) != 1 || got[0].To != "E1" || got[0].Text != "再见" || got[0].Count != 2 || len(got[0].Times) != 2 {
		t.Errorf("messages: %+v", got)
	}

	must(t, sim.Control(ctx, http.MethodDelete, tenant.path("users", "E1"), nil, nil))
	call("/externalcontact/resigned/transfer_customer", map[string]any{
		"handover_userid": "E1", "takeover_userid": "E2", "external_userid": []string{"wm1", "wm2"},
	})
	must(t, sim.Pass(ctx, 24*time.Hour))
	customers, err := tenant.Customers(ctx)
	must(t, err)
	if len(customers) != 2 || customers[0] != (Customer{"wm1", "E2"}) || customers[1] != (Customer{"wm2", "E1"}) {
		t.Errorf("customers: %+v", customers)
	}
	left, err := tenant.Left(ctx)
	must(t, err)
	if len(left) != 1 || left[0].ID != "E1" || left[0].By != core.ByHand || len(left[0].HandedOver) != 2 ||
		left[0].HandedOver[0].State != core.HandedOver || left[0].HandedOver[1].State != core.Refused {
		t.Errorf("left: %+v", left)
	}
	if err := tenant.GiveCustomer(ctx, Customer{ID: "wm3", UserID: "nobody"}, false); err == nil || !strings.Contains(err.Error(), "must be a member") {
		t.Errorf("a customer of nobody: %v", err)
	}
	ding, err := sim.NewTenant(ctx, DingTalk, "leaving", nil)
	must(t, err)
	if left, err := ding.Left(ctx); err != nil || len(left) != 0 {
		t.Errorf("left DingTalk: %+v %v", left, err)
	}
	if got, err := ding.Messages(ctx); err != nil || len(got) != 0 {
		t.Errorf("messages of DingTalk: %+v %v", got, err)
	}
}
