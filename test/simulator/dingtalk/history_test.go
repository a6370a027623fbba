package dingtalk

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// TestHistories makes random companies out of few names, so that everything
// collides with everything, and wants them sound all the way.
func TestHistories(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { history(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func history(t *testing.T, rng *rand.Rand) {
	c := core.New(core.Options{Clock: core.NewClock(func() time.Time { return start })})
	h := New(c)
	if err := c.Limits.Set(platformName, core.Limits{Unlimited: true}, true); err != nil {
		t.Fatal(err)
	}
	made, _ := c.Platform(platformName)
	p := made.(*platform)
	if err := p.Configure("acme", json.RawMessage(`{"protectedMobiles":["13800000003"]}`)); err != nil {
		t.Fatal(err)
	}
	acme := p.tenants["acme"]
	token := p.tokens.issue(p.apps["dingacme0001"], false, c.Clock.Now(), time.Hour)
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	user := func() string { return pick("u1", "u2", "u3", "u4", creator, "nobody") }
	dept := func() string {
		ids := []string{"1", "99"}
		for id := range acme.depts.All(core.Live) {
			ids = append(ids, id)
		}
		return pick(ids...)
	}
	person := func() body {
		in := body{"userid": user(), "dept_id_list": dept() + "," + dept()}
		for name, value := range map[string]any{
			"name": pick("甲", "乙", ""), "mobile": fmt.Sprintf("1380000000%d", rng.IntN(5)), "telephone": pick("1", "2", ""),
			"email": pick("a@b.cn", "A@B.CN", "c@d.cn", ""), "manager_userid": user(), "login_id": pick("l1", "l2"),
			"exclusive_account": rng.IntN(4) == 0, "exclusive_mobile": fmt.Sprintf("1380000000%d", rng.IntN(5)),
			"dept_order_list": []body{{"dept_id": dept(), "order": rng.IntN(3)}},
		} {
			if rng.IntN(4) > 0 {
				in[name] = value
			}
		}
		return in
	}
	unit := func() body {
		return body{"dept_id": dept(), "name": pick("部", "组", "队"), "parent_id": dept(), "dept_manager_userid_list": user()}
	}
	calls := []struct {
		path string
		in   func() body
	}{
		{"/topapi/v2/user/create", person}, {"/topapi/v2/user/update", person},
		{"/topapi/v2/user/delete", func() body { return body{"userid": user()} }},
		{"/topapi/v2/department/create", unit}, {"/topapi/v2/department/update", unit},
		{"/topapi/v2/department/delete", func() body { return body{"dept_id": dept()} }},
		{"accept", nil}, {"by hand", nil},
	}
	codes := map[string]int{}
	for range 600 {
		call := calls[rng.IntN(len(calls))]
		switch call.path {
		case "accept":
			_ = p.Accept("acme", user()) // mostly there is nobody to accept
		case "by hand":
			_ = p.Remove("acme", "users", user())
			_ = p.Merge("acme", "users", user(), json.RawMessage(fmt.Sprintf(`{"mobile":"1380000000%d","dept_id_list":[%s]}`, rng.IntN(5), dept())))
		default:
			in, err := json.Marshal(call.in())
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, call.path+"?access_token="+token, strings.NewReader(string(in))))
			var b body
			if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil {
				t.Fatal(err)
			}
			codes[code(b)]++
		}
		if err := acme.sane(); err != nil {
			t.Fatalf("after %s: %v", call.path, err)
		}
	}
	if codes["0"] < 50 || len(codes) < 8 {
		t.Errorf("the history is dull: %v", codes)
	}
}
