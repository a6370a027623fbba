package crash

import (
	"fmt"
	"net/http"
	"testing"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
)

func thaw(e *v1alpha1.Employee) { e.Spec.State, e.Spec.StateReason = v1alpha1.EmployeeActive, "" }

// TestP9LinkedAccountsAreAsReported: whoever joins has an account in the directory, at the identity provider and at the
// doors; a move changes it, a freeze takes access away, and its end gives it back, in all three. What is reported is so in
// the systems themselves, at once; nobody else is touched.
func TestP9LinkedAccountsAreAsReported(t *testing.T) {
	s := setUpLinked(t, "p9-linked", 2)
	const lab = "实验室"
	s.apply(world.Department(s.namespace, "lab", lab, "", s.accounts()...))
	s.edit(1, func(e *v1alpha1.Employee) {
		e.Spec.Title, e.Spec.Departments[0].Name = "经理", "lab"
	})
	s.reports(1, v1alpha1.LinkedActive, everywhere...)
	s.has(1, seen{"经理", lab, true}, everywhere...)

	s.edit(1, freeze)
	s.reports(1, v1alpha1.LinkedDisabled, everywhere...)
	s.has(1, seen{"经理", lab, false}, everywhere...)
	s.allReady()
	if u, err := s.tenants[world.WeCom].User(s.ctx, world.Number(1)); err != nil || !u.Frozen {
		t.Errorf("on WeCom the user is %+v: %v", u, err)
	}

	s.edit(1, thaw)
	s.reports(1, v1alpha1.LinkedActive, everywhere...)
	s.has(1, seen{"经理", lab, true}, everywhere...)
	s.has(2, seen{world.Title(2), rd, true}, everywhere...)
	s.allReady()
	s.exact()
	s.silent()
}

// TestP11ADeadSCIMServerBesideAHealthyLDAP: while the identity provider is down, who is frozen cannot sign in to the
// directory nor pass the doors, and who joins can; what waits says why, and is done when the provider is back.
func TestP11ADeadSCIMServerBesideAHealthyLDAP(t *testing.T) {
	s := setUpLinked(t, "p11-dead-scim", 2)
	s.idp.down()
	s.edit(1, freeze)
	s.join(3)
	s.othersGoOn()
	s.unharmed()

	s.idp.up()
	s.settled()
}

// TestP11AHostileSCIMServerBesideAHealthyLDAP: an identity provider whose listing never ends, and whose other answers drip,
// is not believed and holds up nothing but itself; the manager stays small and answers.
func TestP11AHostileSCIMServerBesideAHealthyLDAP(t *testing.T) {
	s := setUpLinked(t, "p11-hostile-scim", 2)
	s.idp.turn(true)
	s.eventually("the listing is under way", func() error {
		if n := s.idp.pages.Load(); n < 20 {
			return fmt.Errorf("%d pages", n)
		}
		return nil
	})
	s.edit(1, freeze)
	s.join(3)
	s.othersGoOn()
	s.eventually("answers drip", func() error {
		if s.idp.drips.Load() == 0 {
			return fmt.Errorf("nothing was asked but pages")
		}
		return nil
	})
	if n := s.idp.given.Load(); n > 0 {
		t.Errorf("%d dripping answers had been given up by then: the others may have waited for that", n)
	}
	s.unharmed()
	if bytes, err := world.PeakMemory(s.manager.PID()); err != nil || bytes > 300<<20 {
		t.Errorf("the manager needed %d MiB: %v", bytes>>20, err)
	}
	r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.manager.HealthURL+"/healthz", nil)
	s.must(err)
	answer, err := http.DefaultClient.Do(r)
	s.must(err)
	if answer.Body.Close(); answer.StatusCode != http.StatusOK {
		t.Errorf("the manager answers %s", answer.Status)
	}

	s.idp.turn(false)
	s.settled()
}

// join has one more person come.
func (s *linkedScene) join(n int) {
	s.Helper()
	e := world.Person(s.namespace, n, "rd", world.WeCom)
	linkedEverywhere(e)
	s.apply(e)
}

// othersGoOn waits until everything is done, but at the identity provider, for person 1, who is frozen, and person 3, who joins.
func (s *linkedScene) othersGoOn() {
	s.Helper()
	s.reports(1, v1alpha1.LinkedDisabled, inDirectory, inDoors)
	s.has(1, seen{world.Title(1), rd, false}, inDirectory, inDoors)
	s.reports(3, v1alpha1.LinkedActive, inDirectory, inDoors)
	s.has(3, seen{world.Title(3), rd, true}, inDirectory, inDoors)
	s.says(1, world.WeCom, "")
	s.says(3, world.WeCom, "")
	if u, err := s.tenants[world.WeCom].User(s.ctx, world.Number(1)); err != nil || !u.Frozen {
		s.Errorf("on WeCom the user is %+v: %v", u, err)
	}
}

// unharmed waits until the identity provider alone is told to be ill, and what waits for it says why, and fails if anybody
// else is touched, or thought gone.
func (s *linkedScene) unharmed() {
	s.Helper()
	s.eventually("what waits says why", func() error {
		for n, state := range map[int]v1alpha1.LinkedState{1: v1alpha1.LinkedActive, 3: v1alpha1.LinkedWaiting} {
			if l := in(s.employee(n), inIDP); l.State == state && l.Reason != "" && l.Message != "" {
				continue
			}
			return fmt.Errorf("person %d is %+v", n, in(s.employee(n), inIDP))
		}
		return nil
	})
	s.eventually("the identity provider is told to be ill", func() error {
		if ready, why := world.Stand(get(s.scene, &v1alpha1.LinkedSystem{}, inIDP)); ready || why == "" {
			return fmt.Errorf("ready %t: %s", ready, why)
		}
		return nil
	})
	for _, name := range []string{inDirectory, inDoors} {
		if ready, why := world.Stand(get(s.scene, &v1alpha1.LinkedSystem{}, name)); !ready {
			s.Errorf("%s says %s", name, why)
		}
	}
	for n := 1; n <= 3; n++ {
		if e := s.employee(n); in(e, inIDP).State == v1alpha1.LinkedVanished {
			s.Errorf("person %d is thought gone", n)
		}
	}
	s.has(1, seen{world.Title(1), rd, true}, inIDP)
	s.has(2, seen{world.Title(2), rd, true}, everywhere...)
}

// settled waits until the provider that is back has everything as declared, and nobody twice.
func (s *linkedScene) settled() {
	s.Helper()
	s.allReady()
	s.reports(1, v1alpha1.LinkedDisabled, everywhere...)
	s.has(1, seen{world.Title(1), rd, false}, everywhere...)
	for _, n := range []int{2, 3} {
		s.has(n, seen{world.Title(n), rd, true}, everywhere...)
	}
	s.exact()
	s.silent()
}
