package crash

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// frozen are those whom a tenant has frozen, sorted.
func (s *scene) frozen(tenant *world.Tenant) (ids []string) {
	s.Helper()
	for _, u := range must(tenant.Users(s.ctx))(s) {
		if u.Frozen {
			ids = append(ids, u.ID)
		}
	}
	return ids
}

// approvals are those in a state.
func (s *scene) approvals(state v1alpha1.ApprovalState) (found []v1alpha1.Approval) {
	s.Helper()
	for _, a := range must(shared.Company(s.ctx, s.namespace))(s).Approvals {
		if a.Status.State == state {
			found = append(found, a)
		}
	}
	return found
}

// asked is an error unless one Approval waits, and lists exactly those of the people who are not frozen.
func (s *scene) asked(tenant *world.Tenant, people []*v1alpha1.Employee) error {
	pending := s.approvals(v1alpha1.ApprovalPending)
	if len(pending) != 1 {
		return fmt.Errorf("%d Approvals wait", len(pending))
	}
	frozen := s.frozen(tenant)
	var want, listed []string
	for _, e := range people {
		if !slices.Contains(frozen, e.Spec.Number) {
			want = append(want, e.Spec.Number)
		}
	}
	for _, subject := range pending[0].Spec.Subjects {
		listed = append(listed, subject.Number)
	}
	slices.Sort(want)
	slices.Sort(listed)
	if !slices.Equal(want, listed) || int(pending[0].Spec.Count) != len(want) {
		return fmt.Errorf("%d people are listed, and %d wait (%d are frozen)", len(listed), len(want), len(frozen))
	}
	return nil
}

// TestP6Prune250: a folder of 250 people vanishes from Git, and Argo CD deletes them all. Nobody is removed, at most the limit is
// frozen, one Approval lists exactly the others, and the objects go. Then the commit is reverted: everybody is as before, nothing
// is written but the freezes taken back, and nobody is asked to decide anything.
func TestP6Prune250(t *testing.T) {
	const people, limit = 250, 20
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			s := setUp(t, "p6-prune-"+platform, []string{platform})
			staff := s.prunable(people)
			tenant := s.tenants[platform]
			before := s.users()
			since := s.last()
			began := time.Now()
			s.must(shared.Prune(s.ctx, world.Objects(staff)...))
			s.gone(world.Objects(staff)...)
			s.Logf("the objects went within %s", time.Since(began).Round(time.Second))
			if took := time.Since(began); took > time.Minute {
				t.Errorf("the objects took %s to go: a deployment would hang that long", took)
			}
			s.eventually("one Approval lists exactly the others", func() error { return s.asked(tenant, staff) })
			s.readings(2)
			s.must(s.asked(tenant, staff))
			frozen := s.frozen(tenant)
			if len(frozen) == 0 || len(frozen) > limit {
				t.Errorf("%d people were frozen, want 1 to %d", len(frozen), limit)
			}
			s.nobodyRemoved(since)
			for _, c := range s.writesSince(since) {
				if !slices.Contains(frozen, c.Subject) {
					t.Errorf("somebody who waits was changed: %s of %s", c.Operation, c.Subject)
				}
			}
			s.revert(staff, frozen, before)
		})
	}
}

// TestP6PruneADepartmentWithItsSubtree: a folder of departments, one below the other, vanishes from Git with everybody in them. No
// department goes on the platform, whoever is in one of them counts, and after the revert all is as before.
func TestP6PruneADepartmentWithItsSubtree(t *testing.T) {
	const people, limit = 24, 3 // the floor
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			s := setUp(t, "p6-subtree-"+platform, []string{platform})
			names := []string{"rd", "platform", "storage"}
			units := []*v1alpha1.Department{
				world.Department(s.namespace, names[0], "研发部", "", platform), world.Department(s.namespace, names[1], "平台组", names[0], platform),
				world.Department(s.namespace, names[2], "存储组", names[1], platform),
			}
			s.apply(world.Objects(units[1:])...) // prunable applies the first
			staff := s.prunable(people, func(e *v1alpha1.Employee) {
				last := e.Spec.Number[len(e.Spec.Number)-1]
				e.Spec.Departments[0].Name = names[int(last)%len(names)]
			})
			tenant, before := s.tenants[platform], s.users()
			tree := must(tenant.Departments(s.ctx))(s)
			since := s.last()
			all := append(world.Objects(staff), world.Objects(units)...)
			s.must(shared.Prune(s.ctx, all...))
			s.gone(all...)
			s.eventually("one Approval lists exactly the others", func() error { return s.asked(tenant, staff) })
			s.readings(2)
			frozen := s.frozen(tenant)
			if len(frozen) == 0 || len(frozen) > limit {
				t.Errorf("%d people were frozen, want 1 to %d", len(frozen), limit)
			}
			s.nobodyRemoved(since)
			s.must(shared.Reapply(s.ctx, world.Objects(units)...))
			s.revert(staff, frozen, before)
			if now := must(tenant.Departments(s.ctx))(s); !reflect.DeepEqual(now, tree) {
				t.Errorf("the departments were\n%+v\nand are\n%+v", tree, now)
			}
		})
	}
}

// prunable applies people whom an unannounced deletion sends on their way, and waits until they are Ready. A week of grace
// leaves time to revert.
func (s *scene) prunable(people int, adjust ...func(*v1alpha1.Employee)) []*v1alpha1.Employee {
	s.Helper()
	staff := s.people(people, append(adjust, func(e *v1alpha1.Employee) {
		for i := range e.Spec.Accounts {
			if e.Spec.Accounts[i].Name == world.DingTalk {
				e.Spec.Accounts[i].Type = v1alpha1.AccountEnterprise
			}
		}
	})...)
	s.key = s.vault()
	policy := world.Policy(s.namespace)
	policy.Spec.GraceSeconds, policy.Spec.Notices = nil, nil
	policy.Spec.SkipSteps = []v1alpha1.SkippableStep{"HandOver"} // nobody confirms anything here
	s.apply(policy)
	s.start()
	s.allReady()
	return staff
}

// revert applies the people again, and fails unless all is as before.
func (s *scene) revert(staff []*v1alpha1.Employee, frozen []string, before map[string][]world.User) {
	s.Helper()
	since := s.last()
	s.must(shared.Reapply(s.ctx, world.Objects(staff)...))
	s.allReady()
	s.exact()
	s.readings(1)
	s.allReady()
	s.untouched(before)
	if pending := s.approvals(v1alpha1.ApprovalPending); len(pending) > 0 {
		s.Errorf("%d Approvals still wait for somebody", len(pending))
	}
	thawed := map[string]bool{}
	for _, c := range s.writesSince(since) {
		thaws := is(c, "user/update") || strings.HasSuffix(c.Operation, "orgAccounts/enable")
		if !thaws || !slices.Contains(frozen, c.Subject) {
			s.Errorf("written to the platform: %s of %q", c.Operation, c.Subject)
		}
		thawed[c.Subject] = true
	}
	if len(thawed) != len(frozen) {
		s.Errorf("%d freezes were taken back of %d", len(thawed), len(frozen))
	}
	s.nobodyRemoved(since)
	for i, e := range staff {
		o := get(s, &v1alpha1.Employee{}, e.Name)
		for _, account := range s.accounts() {
			if st := on(o, account); st.State != v1alpha1.AccountActive || st.Reason != "" || st.UserID != world.Number(i+1) {
				s.Errorf("%s on %s is %s %q as %q", e.Name, account, st.State, st.Reason, st.UserID)
			}
		}
	}
}

// nobodyRemoved fails if a platform was asked to remove somebody since then, or anybody has left.
func (s *scene) nobodyRemoved(since uint64) {
	s.Helper()
	for _, tenant := range s.tenants {
		if left := must(tenant.Left(s.ctx))(s); len(left) > 0 {
			s.Errorf("%d people left %s", len(left), tenant.Platform)
		}
		for _, c := range s.calls(tenant, core.Query{Since: since}) {
			if is(c, "user/delete") || is(c, "processes/terminateAndHandOver") {
				s.Errorf("%s was asked to remove %s", tenant.Platform, c.Subject)
			}
		}
	}
}

// TestP10NamespaceWithPeople: a namespace that is deleted with people in it ends within minutes. Those whom the limits let lose
// access are frozen, each account is backed up whole, and nobody is removed.
func TestP10NamespaceWithPeople(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits func(*v1alpha1.EnterpriseAccount)
		frozen int // 0: all
	}{
		{"wide", wide, 0},
		{"narrow", func(*v1alpha1.EnterpriseAccount) {}, 3}, // the floor
	} {
		t.Run(c.name, func(t *testing.T) {
			s := setUp(t, "p10-people-"+c.name, both, c.limits)
			const people = 8
			s.prunable(people)
			before := s.users()
			since := s.last()
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
			s.must(shared.Client.Delete(s.ctx, namespace))
			s.patience *= 2
			s.eventually("the namespace is gone", func() error {
				err := shared.Client.Get(s.ctx, client.ObjectKeyFromObject(namespace), namespace)
				if apierrors.IsNotFound(err) {
					return nil
				}
				return errors.Join(err, fmt.Errorf("%+v", namespace.Status.Conditions))
			})
			s.nobodyRemoved(since)
			for platform, tenant := range s.tenants {
				frozen := s.frozen(tenant)
				if want := c.frozen; want > 0 && (len(frozen) == 0 || len(frozen) > want) || want == 0 && len(frozen) != people {
					t.Errorf("on %s %d people are frozen", platform, len(frozen))
				}
				if now := must(tenant.Users(s.ctx))(s); len(now) != len(before[platform]) {
					t.Errorf("on %s there are %d people, were %d", platform, len(now), len(before[platform]))
				}
				if whole := must(shared.Whole(s.ctx, s.namespace, platform, s.key))(s); whole < people {
					t.Errorf("no archive of %s holds everybody: the biggest has %d", platform, whole)
				}
			}
			s.recorded()
		})
	}
}
