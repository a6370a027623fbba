package wecom_test

import "testing"

// TestWhatClientsMix: types and parts that clients in use send and that the
// platform takes without a warning; see "What SDKs say" in the package comment.
func TestWhatClientsMix(t *testing.T) {
	x := newCorp(t)
	x.configure(`{"syncReadRefused":false}`)
	a := x.must(x.sync, "user/create", member(`"gender":2,"extattr":{"attrs":[
		{"type":0,"name":"工号","text":{"value":"E001"},"web":{"url":"","title":""}},
		{"type":1,"name":"工位","text":{"value":""},"web":{"url":"https://example.com","title":"3-7"}}]}`))
	if a.text != "created" {
		t.Errorf("created: %s", a.raw)
	}
	got := x.must(x.sync, "user/get?userid=a", "")
	if got.str("gender") != "2" {
		t.Errorf("gender is %s", got.body["gender"])
	}
	if attributes := string(got.body["extattr"]); attributes != `{"attrs":[{"type":0,"name":"工号","text":{"value":"E001"}},`+
		`{"type":1,"name":"工位","web":{"url":"https://example.com","title":"3-7"}}]}` {
		t.Errorf("extattr is %s", attributes)
	}
	if a := x.as(x.sync, "user/update", `{"userid":"a","gender":3}`); a.code != 40058 {
		t.Errorf("gender 3: %s", a.raw)
	}
	if a := x.must(x.sync, "user/update", `{"userid":"a","gender":[1]}`); a.text != "updated. Warning: wrong json format. " {
		t.Errorf("gender as a list: %s", a.raw)
	}

	if a := x.must(x.app, "message/send", `{"agentid":"1000002","touser":"a","msgtype":"text","text":{"content":"通知"}}`); a.text != "ok" {
		t.Errorf("sent: %s", a.raw)
	}
	for agent, code := range map[string]int{`"1"`: 301002, `"x"`: 41011, `""`: 41011, `[1000002]`: 41011} {
		if a := x.as(x.app, "message/send", `{"agentid":`+agent+`,"touser":"a","msgtype":"text","text":{"content":"通知"}}`); a.code != code {
			t.Errorf("agentid %s: %s", agent, a.raw)
		}
	}
}
