package crash

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

func number(id string) int {
	n, err := strconv.Atoi(id)
	if err != nil {
		panic(err)
	}
	return n
}

func containsID(ids []string, id string) bool { return slices.Contains(ids, id) }

// TestP4UnmanagedIsLeftAlone: who is declared by nobody is counted, named, and never touched, whatever happens to the others.
func TestP4UnmanagedIsLeftAlone(t *testing.T) {
	s := setUp(t, "p4-unmanaged", both)
	var strangers []string
	for i := range 4 {
		id := fmt.Sprintf("stranger%d", i)
		strangers = append(strangers, id)
		for _, tenant := range s.tenants {
			s.must(tenant.Add(s.ctx, id, map[string]any{"name": fmt.Sprintf("路人%d", i), "mobile": world.Mobile(9000 + i)[4:]}))
		}
	}
	before := s.users()
	const people = 5
	s.people(people)
	s.start()
	s.eventually("everybody is Ready", func() error {
		company, err := shared.Company(s.ctx, s.namespace)
		if err != nil {
			return err
		}
		return company.Unready()
	})
	s.edit(1, func(e *v1alpha1.Employee) { e.Spec.Title = "已改" })
	s.delete(s.employee(5))
	s.gone(world.Person(s.namespace, 5, "rd"))
	s.readings(1)
	for platform, tenant := range s.tenants {
		s.eventually("they are counted and named", func() error {
			status := s.account(platform).Status
			if status.People.Unmanaged == nil || int(*status.People.Unmanaged) != len(strangers)+len(tenant.Creators)+1 {
				return fmt.Errorf("%s counts %v", platform, status.People.Unmanaged)
			}
			for _, id := range strangers {
				if !containsID(status.UnmanagedUserIDs, id) {
					return fmt.Errorf("%s names %v", platform, status.UnmanagedUserIDs)
				}
			}
			return nil
		})
		for _, was := range before[platform] {
			now, err := tenant.User(s.ctx, was.ID)
			if err != nil || fmt.Sprintf("%+v", now) != fmt.Sprintf("%+v", was) {
				t.Errorf("%s on %s was %+v and is %+v: %v", was.ID, platform, was, now, err)
			}
		}
	}
	for _, c := range s.writesSince(0) {
		if strings.HasPrefix(c.Subject, "stranger") {
			t.Errorf("%s %s of %s", c.Platform, c.Operation, c.Subject)
		}
	}
}

// TestP4SecondClaimant: of two who claim one number, or one user id, the older keeps it, the younger is refused, and both
// say so.
func TestP4SecondClaimant(t *testing.T) {
	s := setUp(t, "p4-claimant", both)
	s.people(1)
	s.start()
	s.allReady()
	number := world.Person(s.namespace, 2, "rd", s.accounts()...)
	number.Spec.Number = strings.ToLower(world.Number(1)) // numbers do not tell case
	pinned := world.Person(s.namespace, 3, "rd", s.accounts()...)
	for i := range pinned.Spec.Accounts {
		pinned.Spec.Accounts[i].UserID = world.Number(1)
	}
	since := s.last()
	s.apply(number, pinned)
	for n := 2; n <= 3; n++ {
		s.eventually(fmt.Sprintf("person %d is refused", n), func() error {
			e := s.employee(n)
			c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionUnique)
			if ready, why := world.Stand(e); ready || !contains(why, "E-205") || c == nil || c.Status != "False" || !contains(c.Message, world.PersonObject(1)) {
				return fmt.Errorf("it says %s, and of uniqueness %+v", why, c)
			}
			if !meta.IsStatusConditionTrue(e.Status.Conditions, v1alpha1.ConditionStalled) {
				return fmt.Errorf("not Stalled: %+v", e.Status.Conditions)
			}
			return nil
		})
	}
	s.eventually("the older says so too", func() error {
		c := meta.FindStatusCondition(s.employee(1).Status.Conditions, v1alpha1.ConditionUnique)
		if c == nil || c.Status != "False" || !contains(c.Message, world.PersonObject(2)) {
			return fmt.Errorf("it says %+v", c)
		}
		return nil
	})
	if ready, why := world.Stand(s.employee(1)); !ready {
		t.Errorf("the older is not Ready: %s", why)
	}
	s.noWrites(since)
	s.delete(number, pinned)
	s.gone(number, pinned)
	s.eventually("nobody else claims it", func() error {
		if c := meta.FindStatusCondition(s.employee(1).Status.Conditions, v1alpha1.ConditionUnique); c == nil || c.Status != "True" {
			return fmt.Errorf("it says %+v", c)
		}
		return nil
	})
	s.exact()
}

// TestP4AdoptionShowsDifferenceFirst: who is on the platform already, and is as declared, is adopted without a write; who
// differs is shown and left alone until the declaration says otherwise. They came after the last reading, so that the manager
// learns of them as late as can be.
func TestP4AdoptionShowsDifferenceFirst(t *testing.T) {
	s := setUp(t, "p4-adoption", both)
	s.apply(world.Department(s.namespace, "rd", "研发部", "", s.accounts()...))
	s.start()
	s.allReady()
	for platform, tenant := range s.tenants {
		unit := get(s, &v1alpha1.Department{}, "rd")
		id := ""
		for _, a := range unit.Status.Accounts {
			if a.Name == platform {
				id = a.DepartmentID
			}
		}
		for n := 1; n <= 2; n++ {
			fields := map[string]any{"name": world.PersonName(n), "mobile": world.Mobile(n)[4:], "email": world.Email(n)}
			if platform == world.WeCom {
				fields["department"], fields["position"] = []any{number(id)}, world.Title(n)
				fields["extattr"] = []any{map[string]any{"type": 0, "name": "工号", "text": map[string]any{"value": world.Number(n)}}}
			} else {
				fields["dept_id_list"], fields["title"], fields["job_number"] = []any{number(id)}, world.Title(n), world.Number(n)
			}
			s.must(tenant.Add(s.ctx, world.Number(n), fields))
		}
		s.must(tenant.EditTitle(s.ctx, world.Number(2), "从前的头衔"))
	}
	before, since := s.users(), s.last()
	s.apply(world.Person(s.namespace, 1, "rd", s.accounts()...), world.Person(s.namespace, 2, "rd", s.accounts()...))
	for platform := range s.tenants {
		s.says(1, platform, "")
		s.says(2, platform, v1alpha1.ReasonAdoptionReview)
	}
	s.readings(1)
	for platform := range s.tenants {
		if st := on(s.employee(1), platform); st.Origin != v1alpha1.OriginAdopted {
			t.Errorf("the first on %s is %q", platform, st.Origin)
		}
		if st := on(s.employee(2), platform); st.Origin != "" || !slices.Equal(st.Differences, []string{"title"}) {
			t.Errorf("the second on %s is %q and differs in %v: %s", platform, st.Origin, st.Differences, st.Message)
		}
	}
	s.untouched(before)
	for _, c := range s.writesSince(since) {
		// The last reading was before they came, so a creation was tried, and refused.
		if !is(c, "user/create") || c.Code == "0" {
			t.Errorf("the platform was written to: %s %s of %q", c.Platform, c.Operation, c.Subject)
		}
	}

	s.edit(2, func(e *v1alpha1.Employee) {
		for i := range e.Spec.Accounts {
			e.Spec.Accounts[i].AdoptionPolicy = v1alpha1.AdoptionOverwrite
		}
	})
	s.allReady()
	s.exact()
	for _, tenant := range s.tenants {
		s.once(tenant, 0, nil)
	}
}

// TestObserveChangesNothing: with mode Observe, each object says what would change, the account counts them, and no writing
// call is made. Enforce then does it.
func TestObserveChangesNothing(t *testing.T) {
	s := setUp(t, "observe", both, func(a *v1alpha1.EnterpriseAccount) { a.Spec.Mode = v1alpha1.ModeObserve })
	const people = 4
	// One department is there already, so that people get as far as their own plans.
	for platform, tenant := range s.tenants {
		path := "/state/" + platform + "/" + tenant.Name + "/departments/"
		s.must(shared.Simulator.Control(s.ctx, "PUT", path+"77", map[string]any{"name": "研发部"}, nil))
	}
	s.people(people)
	s.start()
	for platform := range s.tenants {
		for n := 1; n <= people; n++ {
			s.says(n, platform, v1alpha1.ReasonObserved)
		}
		if st := on(s.employee(1), platform); !contains(st.Message, "create") || st.Origin != "" || st.UserID != "" {
			t.Errorf("on %s: %+v", platform, st)
		}
	}
	s.readings(1)
	s.noWrites(0)
	for platform := range s.tenants {
		s.must(world.Update(s.ctx, shared, s.account(platform), func(a *v1alpha1.EnterpriseAccount) { a.Spec.Mode = v1alpha1.ModeEnforce }))
	}
	s.allReady()
	s.exact()

	// Drift is counted, and left.
	for platform, tenant := range s.tenants {
		s.must(world.Update(s.ctx, shared, s.account(platform), func(a *v1alpha1.EnterpriseAccount) { a.Spec.Mode = v1alpha1.ModeObserve }))
		s.eventually("it observes", func() error {
			if mode := s.account(platform).Status.Mode; mode != v1alpha1.ModeObserve {
				return fmt.Errorf("its mode is %q", mode)
			}
			return nil
		})
		s.must(tenant.EditTitle(s.ctx, world.Number(1), "首席摸鱼官"))
	}
	since := s.last()
	for platform := range s.tenants {
		s.eventually("the difference is counted", func() error {
			st, n := on(s.employee(1), platform), s.account(platform).Status.People.Differing
			if !slices.Equal(st.Differences, []string{"title"}) || n == nil || *n != 1 {
				return fmt.Errorf("%s differs in %v, the account counts %v", world.PersonObject(1), st.Differences, n)
			}
			return nil
		})
	}
	s.readings(1)
	s.noWrites(since)
}

// TestSuspendedMakesNoCall: with mode Suspended not a single call is made, not even by work that is under way.
func TestSuspendedMakesNoCall(t *testing.T) {
	s := setUp(t, "suspended", both, func(a *v1alpha1.EnterpriseAccount) {
		if a.Name == world.WeCom {
			a.Spec.Mode = v1alpha1.ModeSuspended
		}
	})
	const people = 40
	s.fault(s.tenants[world.DingTalk], core.Fault{Kind: core.KindLatency, DelayMillis: 50})
	s.people(people)
	s.start()
	s.eventually("work is under way", func() error {
		return s.has(5, 0, func(c core.Entry) bool { return is(c, "user/create") })
	})
	s.must(world.Update(s.ctx, shared, s.account(world.DingTalk), func(a *v1alpha1.EnterpriseAccount) { a.Spec.Mode = v1alpha1.ModeSuspended }))
	s.condition(world.DingTalk, v1alpha1.ConditionReady, v1alpha1.ReasonSuspended)
	s.eventually("calls that were under way are over", func() error {
		calls := s.calls(s.tenants[world.DingTalk], core.Query{})
		if age := s.age(calls[len(calls)-1]); age < 1 {
			return fmt.Errorf("the last call was %f seconds ago", age)
		}
		return nil
	})
	since := s.last()
	// Others change meanwhile, and the manager restarts.
	s.edit(1, func(e *v1alpha1.Employee) { e.Spec.Title = "已改" })
	s.manager.Stop()
	s.start()
	s.eventually("it has looked at them", func() error {
		e := s.employee(1)
		if e.Status.ObservedGeneration == nil || *e.Status.ObservedGeneration != e.Generation {
			return fmt.Errorf("generation %d: %v", e.Generation, e.Status.ObservedGeneration)
		}
		return nil
	})
	s.condition(world.DingTalk, v1alpha1.ConditionReady, v1alpha1.ReasonSuspended)
	if n := len(s.calls(s.tenants[world.WeCom], core.Query{})); n != 0 {
		t.Errorf("%d calls to WeCom, which was suspended from the start", n)
	}
	if calls := s.calls(s.tenants[world.DingTalk], core.Query{Since: since}); len(calls) != 0 {
		t.Errorf("%d calls to DingTalk after it was suspended, the first to %s", len(calls), calls[0].Operation)
	}
	for platform := range s.tenants {
		s.must(world.Update(s.ctx, shared, s.account(platform), func(a *v1alpha1.EnterpriseAccount) { a.Spec.Mode = v1alpha1.ModeEnforce }))
	}
	s.allReady()
	s.exact()
	for _, tenant := range s.tenants {
		s.once(tenant, people, nil)
	}
}
