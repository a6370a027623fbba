package crash

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

func freeze(e *v1alpha1.Employee) {
	e.Spec.State, e.Spec.StateReason = v1alpha1.EmployeeFrozen, "停职"
}

// unhurried lets so few calls go that what counts is their order, and not how fast this machine hands out work.
func unhurried(a *v1alpha1.EnterpriseAccount) { a.Spec.RateLimit.RequestsPerSecond = 5 }

// TestP2FreezeFirst: amid an import that keeps the tenant busy for long, whoever is declared frozen is frozen before
// everybody who waits.
func TestP2FreezeFirst(t *testing.T) {
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			s := setUp(t, "p2-freeze-"+platform, []string{platform}, unhurried)
			tenant := s.tenants[platform]
			kind := func(e *v1alpha1.Employee) {
				if platform == world.DingTalk {
					e.Spec.Accounts[0].Type = v1alpha1.AccountEnterprise // the only kind that it can freeze
				}
			}
			s.people(2, kind)
			s.start()
			s.allReady()
			const more = 200
			for n := 3; n < 3+more; n++ {
				s.apply(world.Person(s.namespace, n, "rd", platform))
			}
			s.eventually("the import is under way", func() error {
				return s.has(10, 0, func(c core.Entry) bool { return is(c, "user/create") })
			})
			since := s.last()
			s.edit(2, freeze)
			s.eventually("the person is frozen", func() error {
				return s.has(1, since, func(c core.Entry) bool { return s.freezes(c, 2) })
			})
			ahead := 0
			for _, c := range s.calls(tenant, core.Query{Since: since}) {
				if s.freezes(c, 2) {
					break
				}
				ahead++
			}
			// A few seconds' worth, of two minutes and more that wait.
			if ahead > 20 {
				t.Errorf("%d calls went before the freeze", ahead)
			}
			created, err := tenant.Created(s.ctx)
			s.must(err)
			if len(created) > more*3/4 {
				t.Fatalf("the import was over: %d were created, so this proves nothing", len(created))
			}
			s.says(2, platform, "")
			if st := on(s.employee(2), platform); st.State != v1alpha1.AccountFrozen || st.FrozenBy != v1alpha1.FrozenByRollcall {
				t.Errorf("%+v", st)
			}
			if u, err := tenant.User(s.ctx, world.Number(2)); err != nil || !u.Frozen {
				t.Errorf("the user is %+v: %v", u, err)
			}
		})
	}
}

// freezes reports whether the call takes the n-th person's access away.
func (s *scene) freezes(c core.Entry, n int) bool {
	return c.Subject == world.Number(n) && (strings.HasSuffix(c.Operation, "/orgAccounts/disable") || is(c, "user/update"))
}

// TestP2WhatCannotBeFrozenSaysSo: an ordinary account on DingTalk cannot be frozen. That is said in words, on the same
// person's other account the freeze happens, and nothing is Ready that is not as declared.
func TestP2WhatCannotBeFrozenSaysSo(t *testing.T) {
	s := setUp(t, "p2-ordinary", both)
	s.people(2)
	s.start()
	s.allReady()
	s.edit(1, freeze)
	s.says(1, world.WeCom, "")
	s.says(1, world.DingTalk, v1alpha1.ReasonFreezeUnsupported)
	e := s.employee(1)
	if ready, why := world.Stand(e); ready || !contains(why, "E-210") || !contains(why, "DingTalk") {
		t.Errorf("ready %t: %s", ready, why)
	}
	if !meta.IsStatusConditionTrue(e.Status.Conditions, v1alpha1.ConditionStalled) {
		t.Errorf("not Stalled: %+v", e.Status.Conditions)
	}
	if u, err := s.tenants[world.WeCom].User(s.ctx, world.Number(1)); err != nil || !u.Frozen {
		t.Errorf("on WeCom the user is %+v: %v", u, err)
	}

	s.edit(1, func(e *v1alpha1.Employee) { e.Spec.State, e.Spec.StateReason = "", "" })
	s.allReady()
	s.exact()
}

// TestP2FrozenByAKilledManager: a freeze that is declared while the manager is dead is the first thing that it does.
func TestP2FrozenByAKilledManager(t *testing.T) {
	s := setUp(t, "p2-killed", []string{world.WeCom}, unhurried)
	s.people(2)
	s.start()
	s.allReady()
	s.manager.Kill()
	for n := 3; n < 100; n++ {
		s.apply(world.Person(s.namespace, n, "rd", world.WeCom))
	}
	s.edit(2, freeze)
	since := s.last()
	s.start()
	s.says(2, world.WeCom, "")
	writes := s.writesSince(since)
	at := -1
	for i, c := range writes {
		if s.freezes(c, 2) {
			at = i
			break
		}
	}
	// The first few may have got their turns before the person's plan was made.
	if at < 0 || at > 16 {
		t.Errorf("the freeze was writing call %d", at+1)
	}
}
