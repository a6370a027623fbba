package crash

import (
	"fmt"
	"net/http"
	"testing"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// TestP3LostAnswer: whether a creation whose answer was lost took effect or not, it is looked up, and happens once.
func TestP3LostAnswer(t *testing.T) {
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			s := setUp(t, "p3-lost-"+platform, []string{platform})
			tenant := s.tenants[platform]
			// The first persons meet one fault each, the second one as it tries again too.
			lost := map[string]int{}
			faults := map[string]core.Fault{
				world.Number(1): {Kind: core.KindDropAfter, Times: 1},
				world.Number(2): {Kind: core.KindDropAfter, Times: 1},
				world.Number(3): {Kind: core.KindDropBefore, Times: 2},
				world.Number(4): {Kind: core.KindHTTPStatus, HTTPStatus: http.StatusBadGateway, Times: 2},
				world.Number(5): {Kind: core.KindError, Code: "-1", Times: 2},
			}
			var struck []string
			for id, f := range faults {
				f.Operation, f.Subject = "user/create", id
				struck = append(struck, s.fault(tenant, f))
				if f.Kind == core.KindDropAfter {
					lost[id] = 1
				}
			}
			// And the look-up of the second is lost as well.
			struck = append(struck, s.fault(tenant, core.Fault{Operation: "user/get", Subject: world.Number(2), Kind: core.KindHTTPStatus, HTTPStatus: http.StatusBadGateway, Times: 1}))
			for _, kind := range []core.Kind{core.KindDropAfter, core.KindDropBefore} {
				struck = append(struck, s.fault(tenant, core.Fault{Operation: "department/create", Kind: kind, Times: 1}))
			}
			s.people(8)
			s.start()
			s.allReady()
			s.exact()
			for _, id := range struck {
				if hits, left, err := shared.Simulator.Hits(s.ctx, id); err != nil || left {
					t.Errorf("the fault %s struck %d times only: %v", id, hits, err)
				}
			}
			s.once(tenant, 8, lost)
			s.lookedUp(tenant)
		})
	}
}

// lookedUp fails if a creation follows one without a platform's answer without the user being read in between.
func (s *scene) lookedUp(tenant *world.Tenant) {
	s.Helper()
	unknown := map[string]bool{}
	for _, c := range s.calls(tenant, core.Query{}) {
		switch {
		case is(c, "user/create"):
			if unknown[c.Subject] {
				s.Errorf("the creation of %q was repeated blindly", c.Subject)
			}
			unknown[c.Subject] = c.HTTPStatus != http.StatusOK || c.Code == "-1"
		case is(c, "user/get") && c.HTTPStatus == http.StatusOK:
			delete(unknown, c.Subject)
		}
	}
}

// TestP3LostAnswersAtRandom: every fifth answer is lost, before or after the act, during the whole first convergence.
func TestP3LostAnswersAtRandom(t *testing.T) {
	s := setUp(t, "p3-random", both)
	const people = 25
	for _, tenant := range s.tenants {
		s.fault(tenant, core.Fault{Kind: core.KindDropAfter, Probability: 0.1, Times: 12})
		s.fault(tenant, core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: http.StatusBadGateway, Probability: 0.1, Times: 12})
	}
	s.people(people)
	s.start()
	s.allReady()
	s.exact()
	for _, tenant := range s.tenants {
		created, err := tenant.Created(s.ctx)
		s.must(err)
		for id, n := range created {
			if n > 1 {
				t.Errorf("%d calls created %q on %s", n, id, tenant.Platform)
			}
		}
		s.lookedUp(tenant)
	}
}

// TestP3ThrottledInMidRun: the platforms say "too fast" now and then, and WeCom closes an operation for a minute. Nobody is
// lost, and nobody is made twice.
func TestP3ThrottledInMidRun(t *testing.T) {
	s := setUp(t, "p3-throttled", both)
	const people = 20
	s.fault(s.tenants[world.DingTalk], core.Fault{Kind: core.KindThrottle, Probability: 0.2, Times: 8})
	s.fault(s.tenants[world.WeCom], core.Fault{Kind: core.KindError, Code: "45033", Probability: 0.2, Times: 8})
	s.fault(s.tenants[world.WeCom], core.Fault{Kind: core.KindThrottle, Operation: "user/create", Skip: people / 2, Times: 1})
	s.people(people)
	s.start()
	s.allReady()
	s.exact()
	for _, tenant := range s.tenants {
		s.once(tenant, people, nil)
	}
}

// TestP3StaleReads: for a while the platform shows nothing of what was just created. Nobody is created twice, and everybody
// is Ready once it has caught up.
func TestP3StaleReads(t *testing.T) {
	s := setUp(t, "p3-stale", both)
	const people = 10
	s.people(0)
	s.start()
	s.allReady()
	faults := map[string]string{}
	for platform, tenant := range s.tenants {
		faults[platform] = s.fault(tenant, core.Fault{Kind: core.KindStale})
	}
	for n := 1; n <= people; n++ {
		s.apply(world.Person(s.namespace, n, "rd", s.accounts()...))
	}
	for platform, tenant := range s.tenants {
		s.eventually("all were created on "+platform, func() error {
			users, err := tenant.Users(s.ctx)
			if err == nil && len(users) < people {
				err = fmt.Errorf("%d users", len(users))
			}
			return err
		})
	}
	s.readings(1) // one full reading that lacks them all
	for n := 1; n <= people; n++ {
		for _, account := range s.accounts() {
			if st := on(s.employee(n), account); st.Reason == "" || st.State == v1alpha1.AccountVanished {
				t.Errorf("person %d on %s is %s, %q, although the platform does not show the account", n, account, st.State, st.Reason)
			}
		}
	}
	for _, id := range faults {
		s.heal(id)
	}
	s.allReady()
	s.exact()
	for _, tenant := range s.tenants {
		s.once(tenant, people, nil)
	}
}

// TestP3TokensExpireInMidRun: the platforms take tokens back again and again. Everybody is Ready in the end, made once.
func TestP3TokensExpireInMidRun(t *testing.T) {
	s := setUp(t, "p3-tokens", both)
	const people = 30
	credentials := map[string][]string{world.WeCom: {"sync", "app-rollcall"}, world.DingTalk: {"rollcall"}}
	s.people(people)
	s.start()
	revoked := 0
	for done := 1; done < people; done += 5 {
		for platform, tenant := range s.tenants {
			s.eventually(fmt.Sprintf("%d were created on %s", done, platform), func() error {
				created, err := tenant.Created(s.ctx)
				if err == nil && len(created) < done {
					err = fmt.Errorf("%d were", len(created))
				}
				return err
			})
			for _, credential := range credentials[platform] {
				// One that was not used since the last time has no token to take back.
				if err := tenant.Revoke(s.ctx, credential); err == nil {
					revoked++
				}
			}
		}
	}
	if revoked < 6 {
		t.Errorf("only %d tokens were taken back", revoked)
	}
	s.allReady()
	s.exact()
	for _, tenant := range s.tenants {
		s.once(tenant, people, nil)
	}
}
