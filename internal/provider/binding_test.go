package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/provider/dingtalk"
	"rollcall.dev/rollcall/internal/provider/wecom"
	"rollcall.dev/rollcall/test/simulator/core"
	simulatedDingTalk "rollcall.dev/rollcall/test/simulator/dingtalk"
	simulatedWeCom "rollcall.dev/rollcall/test/simulator/wecom"
)

// counted is a platform that counts its calls by the last part of the path.
type counted struct {
	http.Handler
	mu    sync.Mutex
	calls map[string]int
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.calls[path.Base(r.URL.Path)]++
	c.mu.Unlock()
	c.Handler.ServeHTTP(w, r)
}

// since returns what was called since it was last asked.
func (c *counted) since() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = map[string]int{}
	return calls
}

// crowded are both platforms with so many people, whose ids are returned.
func crowded(t *testing.T, people int) map[string]func(t *testing.T) (directory.Directory, *counted, []string) {
	fill := func(t *testing.T, c *core.Core, platform, tenant string) {
		t.Helper()
		if err := c.Limits.Set(platform, core.Limits{Unlimited: true}, true); err != nil {
			t.Fatal(err)
		}
		p, _ := c.Platform(platform)
		if _, err := p.Seed(tenant, core.Seed{Users: people, Departments: people / 500}); err != nil {
			t.Fatal(err)
		}
	}
	everybody := func(t *testing.T, d directory.Directory) (ids []string) {
		t.Helper()
		l, err := d.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range l.Accounts {
			ids = append(ids, a.ID)
		}
		return ids[:people]
	}
	serve := func(t *testing.T, h http.Handler) (*counted, string) {
		t.Helper()
		c := &counted{Handler: h, calls: map[string]int{}}
		server := httptest.NewServer(c)
		t.Cleanup(server.Close)
		return c, server.URL
	}
	return map[string]func(t *testing.T) (directory.Directory, *counted, []string){
		"DingTalk": func(t *testing.T) (directory.Directory, *counted, []string) {
			c := core.New(core.Options{})
			calls, url := serve(t, simulatedDingTalk.New(c))
			fill(t, c, "dingtalk", "acme")
			d, err := dingtalk.Descriptor().New(settings(t, url, map[string]string{"appKey": "dingacme0001", "appSecret": "acme-app-secret"}))
			if err != nil {
				t.Fatal(err)
			}
			return d, calls, everybody(t, d)
		},
		"WeCom": func(t *testing.T) (directory.Directory, *counted, []string) {
			c, spec := core.New(core.Options{}), simulatedWeCom.BuiltIn()[0]
			calls, url := serve(t, simulatedWeCom.New(c))
			fill(t, c, "wecom", spec.Name)
			s := settings(t, url, map[string]string{"syncSecret": spec.SyncSecret, "appSecret": spec.Apps[0].Secret})
			s.Tenant = spec.CorpID
			d, err := wecom.Descriptor().New(s)
			if err != nil {
				t.Fatal(err)
			}
			return d, calls, everybody(t, d)
		},
	}
}

// TestARoleOfThousandsTakesTheFewestCalls: what a platform takes in one call is documented,
// so the fewest are known; and what is read back is read by pages.
func TestARoleOfThousandsTakesTheFewestCalls(t *testing.T) {
	const people = 5000
	fewest := map[string]struct{ give, take, read map[string]int }{
		"DingTalk": {
			give: map[string]int{"addrolesforemps": people / 20, "simplelist": people / 100},
			take: map[string]int{"removerolesforemps": people / 100, "simplelist": 1},
		},
		"WeCom": {
			give: map[string]int{"addtagusers": people / 1000, "get": 1},
			take: map[string]int{"deltagusers": people / 1000, "get": 1},
		},
	}
	for name, open := range crowded(t, people) {
		t.Run(name, func(t *testing.T) {
			d, calls, ids := open(t)
			role, err := execute.EnsureRole(t.Context(), d, directory.Role{Name: "审计员", Group: "内控"}, true, execute.By{})
			if err != nil {
				t.Fatal(err)
			}
			w := plan.RoleWish{Role: role.ID, Exclusive: true, Holders: map[string][]string{}}
			for _, id := range ids {
				w.Holders[id] = nil
			}
			calls.since()
			given := converge(t, d, w)
			exactly(t, calls.since(), fewest[name].give)
			if len(given) != people {
				t.Errorf("%d hold it", len(given))
			}
			w.Holders = nil
			left := converge(t, d, w, given...)
			exactly(t, calls.since(), fewest[name].take)
			if len(left) != 0 {
				t.Errorf("%d hold it still", len(left))
			}
		})
	}
}

// converge carries the wish out once, and returns who holds the role then.
func converge(t *testing.T, d directory.Directory, w plan.RoleWish, members ...directory.RoleMember) []directory.RoleMember {
	t.Helper()
	f := plan.RoleFacts{Capabilities: d.Capabilities(), Members: members}
	o := execute.Role(t.Context(), d, plan.ForRole(w, plan.RoleRecord{}, f), execute.By{})
	if o.Err != nil || !o.Read {
		t.Fatalf("%v, read back: %t", o.Err, o.Read)
	}
	f.Members = o.Members
	if p := plan.ForRole(w, plan.RoleRecord{}, f); !p.InSync() {
		t.Errorf("not done after one round: %d to revoke, %d to grant", len(p.Revoke), len(p.Grant))
	}
	return o.Members
}

func exactly(t *testing.T, got, want map[string]int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("called %v, want %v", got, want)
	}
}

// TestP9RolesAreHealedInBothDirections: what somebody did in the console is undone, and only that.
func TestP9RolesAreHealedInBothDirections(t *testing.T) {
	for name, open := range crowded(t, 60) {
		t.Run(name, func(t *testing.T) {
			d, _, ids := open(t)
			keeper, revoker := d.(directory.RoleKeeper), d.(directory.RoleRevoker)
			role, err := execute.EnsureRole(t.Context(), d, directory.Role{Name: "审计员", Group: "内控"}, true, execute.By{})
			if err != nil {
				t.Fatal(err)
			}
			w := plan.RoleWish{Role: role.ID, Exclusive: true, Holders: map[string][]string{}}
			for _, id := range ids[:30] {
				w.Holders[id] = nil
			}
			converge(t, d, w)
			if err := keeper.AddToRole(t.Context(), role.ID, []directory.RoleMember{{Account: ids[40]}}); err != nil {
				t.Fatal(err)
			}
			if err := revoker.RemoveFromRole(t.Context(), role.ID, []directory.RoleMember{{Account: ids[7]}}); err != nil {
				t.Fatal(err)
			}
			members, err := keeper.RoleMembers(t.Context(), role.ID)
			if err != nil {
				t.Fatal(err)
			}
			healed := converge(t, d, w, members...)
			var have []string
			for _, m := range healed {
				have = append(have, strings.ToLower(m.Account))
			}
			want := slices.Clone(ids[:30])
			for i := range want {
				want[i] = strings.ToLower(want[i])
			}
			slices.Sort(have)
			slices.Sort(want)
			if !slices.Equal(have, want) {
				t.Errorf("held by %q, want %q", have, want)
			}
			w.Holders["nobody"] = nil
			o := execute.Role(t.Context(), d, plan.ForRole(w, plan.RoleRecord{}, plan.RoleFacts{Capabilities: d.Capabilities(), Members: healed}), execute.By{})
			if directory.ClassOf(o.Err) != directory.NotFound || !slices.Equal(o.Missing, []string{"nobody"}) || len(o.Members) != 30 {
				t.Errorf("with somebody who does not exist: %+v", o)
			}
			again, err := execute.EnsureRole(t.Context(), d, directory.Role{Name: "审计员", Group: "内控"}, true, execute.By{})
			if err != nil || again.ID != role.ID || again.Origin != plan.Adopted {
				t.Errorf("P3: looked for again: %+v, %v", again, err)
			}
		})
	}
}
