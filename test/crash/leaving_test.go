package crash

import (
	"fmt"
	"testing"

	"filippo.io/age"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/harness"
)

// The first people of a company that others leave: who takes over, and who manages everybody else.
const (
	successor = 1
	boss      = 2
	// firstLeaver is the first of those who may leave.
	firstLeaver = 3
	// role is the number of a role that every leaver has.
	role = 77
)

// wide lets everybody leave at once.
func wide(a *v1alpha1.EnterpriseAccount) {
	a.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: new(int32(1_000_000)), Percent: new(int32(100)), Floor: new(int32(1000))}
}

// quietly leaves out readings that have nothing to do with a leaving: there is one when the manager starts.
func quietly(a *v1alpha1.EnterpriseAccount) { a.Spec.ResyncIntervalSeconds = 3600 }

// tapped puts the manager of a scene behind a tap.
func tapped(t *testing.T, name string) (*harness.Tap, func(*v1alpha1.EnterpriseAccount)) {
	t.Helper()
	admin, err := shared.Plane.AddUser(name, "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	tap, err := shared.Plane.StartTap(t.Context(), admin, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tap.Stop)
	return tap, func(a *v1alpha1.EnterpriseAccount) {
		at := &a.Spec.DingTalk.Endpoint
		if a.Spec.WeCom.CorpID != "" {
			at = &a.Spec.WeCom.Endpoint
		}
		url, err := tap.Platform(t.Context(), string(*at))
		if err != nil {
			t.Fatal(err)
		}
		*at = v1alpha1.Endpoint(url)
	}
}

// leavable applies a company whose people can leave with everything that a leaving may have: a storage, a policy, a successor,
// a manager, and so many others, who have a role. Accounts on DingTalk are of the kind that it can freeze. It starts the manager
// and waits until everybody is Ready.
func (s *scene) leavable(leavers int, adjust ...func(*v1alpha1.OffboardingPolicy)) {
	s.Helper()
	for platform, tenant := range s.tenants {
		secret := s.secret(platform)
		s.must(world.Update(s.ctx, shared, secret, func(o *corev1.Secret) { o.Data["agentId"] = []byte(tenant.AgentID) }))
		if platform == world.DingTalk {
			s.must(tenant.Configure(s.ctx, map[string]any{"smartHR": true}))
		}
	}
	s.people(leavers+boss, func(e *v1alpha1.Employee) {
		for i := range e.Spec.Accounts {
			if e.Spec.Accounts[i].Name == world.DingTalk {
				e.Spec.Accounts[i].Type = v1alpha1.AccountEnterprise
			}
		}
		if e.Name != world.PersonObject(boss) {
			e.Spec.ManagerRef.Name = world.PersonObject(boss)
		}
		if e.Name != world.PersonObject(boss) && e.Name != world.PersonObject(successor) {
			e.Spec.Offboarding.SuccessorRef.Name = world.PersonObject(successor)
		}
	})
	s.key = s.archives()
	policy := world.Policy(s.namespace)
	for _, change := range adjust {
		change(policy)
	}
	s.apply(policy)
	s.start()
	s.allReady()
	s.exact() // also who manages whom
	var ids, all []string
	for n := 1; n <= leavers+boss; n++ {
		all = append(all, world.Number(n))
		if n >= firstLeaver {
			ids = append(ids, world.Number(n))
		}
	}
	for _, tenant := range s.tenants {
		s.must(tenant.Join(s.ctx, all...))
		s.must(tenant.GiveRole(s.ctx, role, "班组长", ids...))
	}
}

// archives applies a storage: a bucket behind the tap if there is one, so that what is stored is among its events.
func (s *scene) archives() *age.X25519Identity {
	s.Helper()
	if s.tap == nil {
		return s.vault()
	}
	key := must(age.GenerateX25519Identity())(s)
	storage, secrets, err := shared.Bucket(s.namespace, must(s.tap.Storage(s.ctx, must(shared.Gateway(s.ctx))(s)))(s), key)
	s.must(err)
	s.apply(world.Objects(secrets)...)
	s.apply(storage)
	return key
}

// leavings are the Offboardings of somebody, oldest first.
func (s *scene) leavings(n int) []v1alpha1.Offboarding {
	s.Helper()
	return must(shared.Leavings(s.ctx, s.namespace, n))(s)
}

// complete is an error until the last leaving of somebody is complete and their Employee says that they have departed. It does
// the manual tasks meanwhile.
func (s *scene) complete(n int) error {
	all, err := shared.Leavings(s.ctx, s.namespace, n)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("person %d has no Offboarding", n)
	}
	o := &all[len(all)-1]
	if err := shared.Confirm(s.ctx, o); err != nil {
		return err
	}
	if o.Status.State != v1alpha1.OffboardingComplete {
		return fmt.Errorf("the leaving of person %d is %s, at %s, waiting for %q: %s", n, o.Status.State, o.Status.Step, o.Status.WaitingFor, said(o))
	}
	if ready, why := world.Stand(o); !ready {
		return fmt.Errorf("the leaving of person %d is complete and not Ready: %s", n, why)
	}
	if len(o.Finalizers) > 0 {
		return fmt.Errorf("the leaving of person %d is complete and not let go", n)
	}
	return nil
}

// said is what the accounts of a leaving say.
func said(o *v1alpha1.Offboarding) (all string) {
	for i := range o.Status.Accounts {
		a := &o.Status.Accounts[i]
		all += fmt.Sprintf("%s: %s %s; ", a.Name, a.Reason, a.Message)
	}
	return all
}

// witnesses begin to look at every tenant.
func (s *scene) witnesses() (all []*world.Witness) {
	s.Helper()
	for _, account := range s.accounts() {
		all = append(all, must(shared.Witness(s.ctx, s.namespace, account, s.tenants[account], s.key))(s))
	}
	return all
}

// kept fails unless exactly these people have left since, with every promise kept.
func (s *scene) kept(all []*world.Witness, people ...int) {
	s.Helper()
	var ids []string
	for _, n := range people {
		ids = append(ids, world.Number(n))
	}
	for _, x := range all {
		if err := x.Kept(s.ctx, ids...); err != nil {
			s.Error(err)
		}
	}
}
