package crash

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/harness"
)

// TestP3EveryKindOfMomentOfARight: a binding gives a role to two people, then to one of them and to a third, and then is deleted.
// In each such course the manager dies once: before or after the first of a kind of calls to the platform or of writes to the API
// server. Started again, it has exactly those hold the role who are declared, in the end nobody, and whoever had it by hand; and
// all that was asked for is recorded (P8).
func TestP3EveryKindOfMomentOfARight(t *testing.T) {
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			name := "p3-right-" + platform
			tap, through := tapped(t, name)
			s := setUp(t, name, []string{platform}, quietly, through)
			s.tap = tap
			s.people(4)
			s.start()
			s.allReady()
			s.must(s.tenants[platform].GiveRole(s.ctx, role, "审核员", world.Number(4)))
			s.tap.Reset()
			s.right("recorded")
			all := momentsOf(s.tap.Events())
			missed := 0
			for i, m := range all {
				died := s.tap.Kill(m, s.manager)
				s.right(fmt.Sprintf("moment-%d", i))
				select {
				case <-died:
				default:
					missed++
				}
				s.tap.Reset()
				if t.Failed() {
					t.Fatalf("the manager died %s", m)
				}
			}
			t.Logf("the manager died at %d moments: %v", len(all)-missed, all)
			if missed > len(all)/4 {
				t.Errorf("%d of %d moments did not come again", missed, len(all))
			}
			s.recorded()
		})
	}
}

// momentsOf are before and after the first of each kind of event; with ROLLCALL_MATRIX=all, of every one.
func momentsOf(events []harness.Event) (all []harness.Moment) {
	times := map[string]int{}
	for _, e := range events {
		if times[e.What]++; times[e.What] == 1 || everything() {
			all = append(all, harness.Moment{What: e.What, Nth: times[e.What]}, harness.Moment{What: e.What, Nth: times[e.What], After: true})
		}
	}
	return all
}

// right is one course of a binding, whose manager may die.
func (s *scene) right(name string) {
	s.Helper()
	b := &v1alpha1.PermissionBinding{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, Spec: v1alpha1.PermissionBindingSpec{
		AccountRef: v1alpha1.AccountReference{Name: s.accounts()[0]}, Role: v1alpha1.BoundRole{Kind: v1alpha1.BoundRoleRole, Name: "审核员"}, Reason: "审核报销单",
	}}
	declare := func(people ...int) func(*v1alpha1.PermissionBinding) {
		return func(b *v1alpha1.PermissionBinding) {
			b.Spec.Subjects.EmployeeRefs = nil
			for _, n := range people {
				b.Spec.Subjects.EmployeeRefs = append(b.Spec.Subjects.EmployeeRefs, v1alpha1.EmployeeReference{Name: world.PersonObject(n)})
			}
		}
	}
	declare(1, 2)(b)
	s.apply(b)
	s.hold(b, 1, 2)
	s.must(world.Update(s.ctx, shared, b, declare(2, 3)))
	s.hold(b, 2, 3)
	s.delete(b)
	s.revive("the binding is gone", func() error {
		if err := shared.Client.Get(s.ctx, client.ObjectKeyFromObject(b), b); err == nil {
			return fmt.Errorf("it is there: %+v", b.Status.Conditions)
		}
		return nil
	})
	s.holders(4)
}

// hold waits until the binding is Ready, and fails unless these hold the role, and whoever had it by hand.
func (s *scene) hold(b *v1alpha1.PermissionBinding, people ...int) {
	s.Helper()
	s.revive(fmt.Sprintf("%v hold the role", people), func() error {
		if err := shared.Client.Get(s.ctx, client.ObjectKeyFromObject(b), b); err != nil {
			return err
		}
		if ready, why := world.Stand(b); !ready {
			return errors.New(why)
		}
		return nil
	})
	s.holders(append(people, 4)...)
}

// revive waits, and starts the manager again if it dies meanwhile.
func (s *scene) revive(what string, check func() error) {
	s.Helper()
	s.eventually(what, func() error {
		select {
		case <-s.manager.Done():
			if err := s.manager.Wait(s.ctx); err == nil || !strings.Contains(err.Error(), "killed") {
				s.Fatalf("the manager ended by itself: %v", err)
			}
			s.start()
		default:
		}
		return check()
	})
}

func (s *scene) holders(people ...int) {
	s.Helper()
	var want []string
	for _, n := range people {
		want = append(want, world.Number(n))
	}
	if have := must(s.tenants[s.accounts()[0]].Holders(s.ctx, role))(s); !slices.Equal(have, slices.Sorted(slices.Values(want))) {
		s.Errorf("%q hold the role, want %q", have, want)
	}
}
