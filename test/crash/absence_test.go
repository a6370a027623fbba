package crash

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// condition waits until a condition of the account has this reason.
func (s *scene) condition(account, conditionType, reason string) {
	s.Helper()
	s.eventually(fmt.Sprintf("%s of %s is %s", conditionType, account, reason), func() error {
		c := meta.FindStatusCondition(s.account(account).Status.Conditions, conditionType)
		if c == nil || c.Reason != reason {
			return fmt.Errorf("it is %+v", c)
		}
		return nil
	})
}

// nobodyIsGone fails if somebody is taken to be gone, or is not Ready any more.
func (s *scene) nobodyIsGone(people int) {
	s.Helper()
	for n := 1; n <= people; n++ {
		e := s.employee(n)
		for _, account := range s.accounts() {
			if st := on(e, account); st.State != v1alpha1.AccountActive || st.Reason != "" {
				s.Errorf("person %d on %s is %s, %q", n, account, st.State, st.Message)
			}
		}
	}
}

// TestP5EmptyListing: a listing that succeeds and is empty is an error. Nobody is taken to be gone, nothing is written.
func TestP5EmptyListing(t *testing.T) {
	s := setUp(t, "p5-empty", both)
	const people = 6
	s.people(people)
	s.start()
	s.allReady()
	var faults []string
	for _, tenant := range s.tenants {
		faults = append(faults, s.fault(tenant, core.Fault{Kind: core.KindEmptyListing}))
	}
	since := s.last()
	for platform := range s.tenants {
		s.condition(platform, v1alpha1.ConditionDirectoryRead, v1alpha1.ReasonUnavailable)
	}
	s.readings(2)
	s.nobodyIsGone(people)
	s.noWrites(since)
	for _, id := range faults {
		s.heal(id)
	}
	s.allReady()
	s.exact()
	s.noWrites(since)
}

// TestP5EmptyFirstListing: nor is somebody who was there before made again because the first listing is empty.
func TestP5EmptyFirstListing(t *testing.T) {
	s := setUp(t, "p5-empty-first", both)
	s.people(3)
	since := s.last()
	var faults []string
	for _, tenant := range s.tenants {
		faults = append(faults, s.fault(tenant, core.Fault{Kind: core.KindEmptyListing}))
	}
	s.start()
	for platform := range s.tenants {
		s.condition(platform, v1alpha1.ConditionReady, v1alpha1.ReasonUnavailable)
	}
	s.readings(1)
	s.noWrites(since)
	for _, id := range faults {
		s.heal(id)
	}
	s.allReady()
	s.exact()
}

// TestP5PartialListing: pages that say that they are the last, and are not, show nobody to be gone.
func TestP5PartialListing(t *testing.T) {
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			s := setUp(t, "p5-partial-"+platform, []string{platform})
			const people = 8
			s.people(people)
			s.start()
			s.allReady()
			fault := s.fault(s.tenants[platform], core.Fault{Kind: core.KindPartialPage, Operation: "user/list", Rows: 2})
			since := s.last()
			s.condition(platform, v1alpha1.ConditionDirectoryRead, v1alpha1.ReasonDirectoryIncomplete)
			s.readings(2)
			if gaps := s.account(platform).Status.Gaps; len(gaps) == 0 {
				t.Error("the account does not say what is missing")
			}
			s.nobodyIsGone(people)
			// Who is declared now, and is hidden by the listing, is read directly before anything is made.
			s.apply(world.Person(s.namespace, people+1, "rd", platform))
			s.says(people+1, platform, "")
			s.once(s.tenants[platform], people+1, nil)
			for _, c := range s.writesSince(since) {
				if c.Subject != world.Number(people+1) {
					t.Errorf("written to somebody who is only hidden: %s of %q", c.Operation, c.Subject)
				}
			}
			s.heal(fault)
			s.condition(platform, v1alpha1.ConditionDirectoryRead, v1alpha1.ReasonInSync)
			s.exact()
		})
	}
}

// TestP5PartialListingOfEverything: when all listings are cut alike, so that none gives the others away, a direct read does.
func TestP5PartialListingOfEverything(t *testing.T) {
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			s := setUp(t, "p5-cut-"+platform, []string{platform})
			const people = 4
			s.people(people)
			s.start()
			s.allReady()
			since := s.last()
			fault := s.fault(s.tenants[platform], core.Fault{Kind: core.KindPartialPage, Rows: 1})
			s.readings(2)
			for n := 1; n <= people; n++ {
				if st := on(s.employee(n), platform); st.State != v1alpha1.AccountActive {
					t.Errorf("person %d is %s: %s", n, st.State, st.Message)
				}
			}
			s.noWrites(since)
			s.heal(fault)
			s.allReady()
			s.exact()
		})
	}
}

// TestP5VanishedIsHeldAndReported: whom somebody deleted by hand is not made again unasked, and is taken back when they appear.
func TestP5VanishedIsHeldAndReported(t *testing.T) {
	s := setUp(t, "p5-vanished", both)
	const people = 3
	s.people(people)
	s.start()
	s.allReady()
	since := s.last()
	for platform, tenant := range s.tenants {
		s.must(tenant.Remove(s.ctx, world.Number(2)))
		s.says(2, platform, v1alpha1.ReasonVanished)
	}
	s.readings(2)
	for platform := range s.tenants {
		s.eventually("the account counts the vanished", func() error {
			if n := s.account(platform).Status.People.Vanished; n == nil || *n != 1 {
				return fmt.Errorf("%s has %v vanished", platform, n)
			}
			return nil
		})
	}
	e := s.employee(2)
	if !meta.IsStatusConditionTrue(e.Status.Conditions, v1alpha1.ConditionStalled) || e.Status.State != string(v1alpha1.AccountVanished) {
		t.Errorf("the vanished is %s: %+v", e.Status.State, e.Status.Conditions)
	}
	for _, n := range []int{1, 3} {
		if ready, why := world.Stand(s.employee(n)); !ready {
			t.Errorf("person %d is held up: %s", n, why)
		}
	}
	s.noWrites(since)

	// Asked for: taken off the spec and put back.
	s.edit(2, func(e *v1alpha1.Employee) { e.Spec.Accounts = e.Spec.Accounts[:1] })
	s.eventually("the second account is forgotten", func() error {
		if e := s.employee(2); len(e.Status.Accounts) != 1 {
			return fmt.Errorf("it has %d", len(e.Status.Accounts))
		}
		return nil
	})
	s.edit(2, func(e *v1alpha1.Employee) {
		e.Spec.Accounts = append(e.Spec.Accounts, v1alpha1.EmployeeAccount{Name: world.WeCom})
	})
	s.says(2, world.WeCom, "")
	// Or made again by hand under the same id.
	s.must(s.tenants[world.DingTalk].Add(s.ctx, world.Number(2), map[string]any{"name": world.PersonName(2), "mobile": world.Mobile(2)[4:]}))
	s.allReady()
	s.exact()
}
