package wecom_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

// BenchmarkBigCorp has the calls that a convergence and a sweep of a corp with
// 10,000 members are made of, without the network.
func BenchmarkBigCorp(b *testing.B) {
	c := core.New(core.Options{})
	h := wecom.New(c, memberless()...)
	if err := c.Limits.Set("wecom", core.Limits{Unlimited: true}, false); err != nil {
		b.Fatal(err)
	}
	p, _ := c.Platform("wecom")
	if _, err := p.Seed("acme", core.Seed{Users: 10_000, Departments: 300}); err != nil {
		b.Fatal(err)
	}
	call := func(path, body string) []byte {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/cgi-bin/"+path, strings.NewReader(body)))
		return w.Body.Bytes()
	}
	token := func(secret string) string {
		var a struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal(call("gettoken?corpid="+corpID+"&corpsecret="+secret, ""), &a); err != nil {
			b.Fatal(err)
		}
		return "?access_token=" + a.Token
	}
	sync, app := token(syncSecret), token(appSecret)
	n := 0
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			n++
			call("user/create"+sync, fmt.Sprintf(`{"userid":"B%d","name":"人","mobile":"188%08d","department":[%d]}`, n, n, n%300+2))
		}
	})
	b.Run("update", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			call("user/update"+sync, fmt.Sprintf(`{"userid":"S%05d","position":"%d"}`, i%10_000+1, i))
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			call("user/get"+app+"&userid=S00042", "")
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			call("user/list"+app+"&department_id=7", "")
		}
	})
	b.Run("list_id", func(b *testing.B) {
		for b.Loop() {
			call("user/list_id"+sync, `{"limit":10000}`)
		}
	})
}
