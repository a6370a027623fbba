package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// kills is how often the manager dies before the company has converged.
const kills = 20

// TestP3KillNineAtRandomMomentsOfTheFirstConvergence: whatever the manager was doing when it died, nobody is created twice,
// nobody is left without an owner, and in the end everybody is Ready. ROLLCALL_SEED repeats a run as far as chance goes.
func TestP3KillNineAtRandomMomentsOfTheFirstConvergence(t *testing.T) {
	seed := seeded(t)
	chance := rand.New(rand.NewPCG(seed, seed))

	s := setUp(t, "p3-kill", both)
	people := s.numbered(90)
	for _, tenant := range s.tenants {
		s.fault(tenant, core.Fault{Kind: core.KindLatency, DelayMillis: 10}) // so that many calls are under way at any moment
	}
	for killed := range kills {
		s.start()
		s.dieAfter(chance, killed, people)
	}
	s.start()
	s.allReady()
	s.exact()
	for _, tenant := range s.tenants {
		s.once(tenant, people, nil)
	}
}

// seeded is the seed of a test: that of ROLLCALL_SEED, or another each time.
func seeded(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ROLLCALL_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ROLLCALL_SEED=%d", seed)
	return seed
}

// dieAfter kills the manager after a random number of its writes, chosen so that the last deaths still find something to
// do, and a random moment more.
func (s *scene) dieAfter(chance *rand.Rand, killed, people int) {
	s.Helper()
	since := s.last()
	missing := 0
	for _, tenant := range s.tenants {
		users, err := tenant.Users(s.ctx)
		s.must(err)
		missing += people + len(tenant.Creators) - len(users)
	}
	if missing == 0 {
		s.Fatalf("all were created before the %d. death: have more people, or more patience with the manager", killed+1)
	}
	after := chance.IntN(2*missing/(kills-killed)/3 + 1)
	if after == 0 {
		s.eventually("the manager reads", func() error { return s.has(1, since, func(core.Entry) bool { return true }) })
	}
	s.eventually(fmt.Sprintf("it has written %d times", after), func() error { return s.has(after, since, isWrite) })
	moment := time.NewTimer(time.Duration(chance.IntN(30)) * time.Millisecond)
	select {
	case <-moment.C:
	case <-s.manager.Done():
		s.Fatalf("the manager ended by itself: %v", s.manager.Wait(s.ctx))
	}
	s.manager.Kill()
}

// has returns an error unless there were so many such calls since then.
func (s *scene) has(n int, since uint64, such func(core.Entry) bool) error {
	found := 0
	for _, tenant := range s.tenants {
		calls, err := tenant.Calls(s.ctx, core.Query{Since: since})
		if err != nil {
			return err
		}
		for _, c := range calls {
			if such(c) {
				found++
			}
		}
	}
	if found < n {
		return fmt.Errorf("%d such calls", found)
	}
	return nil
}

// numbered applies people who get their numbers from a rule, in a tree of departments that have managers; each but the
// first reports to somebody.
func (s *scene) numbered(people int) int {
	s.Helper()
	const departments = 9
	units, staff := world.Staff(s.namespace, people, departments, s.accounts()...)
	for i, u := range units {
		u.Spec.Code = fmt.Sprintf("D%d", i+1)
	}
	for i, e := range staff {
		e.Spec.Number, e.Spec.NumberRuleRef.Name = "", "numbers"
		if i > 0 {
			e.Spec.ManagerRef.Name = staff[i/8].Name
		}
		if i < departments { // the first ones lead the department that they are in
			unit := units[(i+1)%departments]
			unit.Spec.Managers = []v1alpha1.EmployeeReference{{Name: e.Name}}
		}
	}
	s.apply(&v1alpha1.EmployeeNumberRule{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "numbers"},
		Spec:       v1alpha1.EmployeeNumberRuleSpec{Pattern: "{dept}-{seq:4}"},
	})
	s.apply(world.Objects(units)...)
	s.apply(world.Objects(staff)...)
	return people
}

// TestP3ASecondReplicaTakesOver: the leader freezes in the middle of the work, as on a machine that hangs, another replica takes
// over, and then the first comes back and believes that it still leads. Nobody is created twice, nothing is undone.
func TestP3ASecondReplicaTakesOver(t *testing.T) {
	s := setUp(t, "p3-replica", both)
	const people = 60
	for _, tenant := range s.tenants {
		s.fault(tenant, core.Fault{Kind: core.KindLatency, DelayMillis: 30})
	}
	s.people(people)
	elected := world.ManagerOptions{
		Namespaces: []string{s.namespace}, Args: []string{"--leader-elect=true", "--leader-election-namespace=" + s.namespace},
	}
	first, err := shared.StartManager(s.ctx, elected)
	s.must(err)
	t.Cleanup(first.Kill)
	s.eventually("the leader is at work", func() error {
		return s.has(people/2, 0, func(c core.Entry) bool { return is(c, "user/create") })
	})
	if s.manager, err = shared.StartManager(s.ctx, elected); err != nil {
		t.Fatal(err)
	}
	first.Pause()
	s.allReady()
	s.exact()
	since := s.last()
	first.Resume()
	s.eventually("the first leader steps down", func() error {
		select {
		case <-first.Done():
			return nil
		default:
			return errors.New("it runs")
		}
	})
	s.readings(1)
	s.allReady()
	s.exact()
	for _, tenant := range s.tenants {
		s.once(tenant, people, nil)
	}
	for _, c := range s.writesSince(since) {
		if c.Code == "0" {
			t.Errorf("the first leader wrote once more: %s %s of %q", c.Platform, c.Operation, c.Subject)
		}
	}
}
