package crash

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

func (s *scene) users() (all map[string][]world.User) {
	s.Helper()
	all = map[string][]world.User{}
	for platform, tenant := range s.tenants {
		users, err := tenant.Users(s.ctx)
		s.must(err)
		all[platform] = users
	}
	return all
}

// untouched fails if the platforms have other users than before.
func (s *scene) untouched(before map[string][]world.User) {
	s.Helper()
	for platform, now := range s.users() {
		if fmt.Sprintf("%+v", now) != fmt.Sprintf("%+v", before[platform]) {
			s.Errorf("%s has changed from %+v to %+v", platform, before[platform], now)
		}
	}
}

func (s *scene) everything() []client.Object {
	s.Helper()
	company, err := shared.Company(s.ctx, s.namespace)
	s.must(err)
	return company.Objects()
}

func (s *scene) secret(account string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.tenants[account].SecretName(account)}}
}

// TestP10CredentialsDeletedFirst: credentials cannot vanish before those who need them, and everything can go in any order.
// The platforms keep everybody.
func TestP10CredentialsDeletedFirst(t *testing.T) {
	s := setUp(t, "p10-credentials", both)
	s.people(3)
	s.start()
	s.allReady()
	s.exact()
	since := s.last()
	for platform := range s.tenants {
		s.delete(s.secret(platform))
	}
	// They are held, and work goes on.
	s.edit(1, func(e *v1alpha1.Employee) { e.Spec.Title = "已改" })
	s.eventually("the title is changed", func() error { return shared.Audit(s.ctx, s.namespace, s.tenants) })
	for platform := range s.tenants {
		secret := s.secret(platform)
		s.must(shared.Client.Get(s.ctx, client.ObjectKeyFromObject(secret), secret))
		if secret.DeletionTimestamp.IsZero() {
			t.Errorf("the Secret of %s is not being deleted", platform)
		}
	}
	if n := len(s.writesSince(since)); n != 2 {
		t.Errorf("%d writes, want one on each platform", n)
	}
	before := s.users()
	since = s.last()
	all := s.everything()
	s.delete(all...)
	s.gone(all...)
	s.gone(s.secret(world.DingTalk), s.secret(world.WeCom))
	s.untouched(before)
	s.noWrites(since)
}

// TestP10CredentialsTakenByForce: nor does anything hang when the credentials are gone, finalizer and all, and the manager was
// not there to see it.
func TestP10CredentialsTakenByForce(t *testing.T) {
	s := setUp(t, "p10-force", both)
	s.people(3)
	s.start()
	s.allReady()
	s.manager.Kill()
	before, since := s.users(), s.last()
	for platform := range s.tenants {
		secret := s.secret(platform)
		s.delete(secret)
		s.must(world.Update(s.ctx, shared, secret, func(o *corev1.Secret) { o.Finalizers = nil }))
	}
	s.start()
	for platform := range s.tenants {
		s.condition(platform, v1alpha1.ConditionReady, v1alpha1.ReasonCredentialsMissing)
	}
	all := s.everything()
	s.delete(all...)
	s.gone(all...)
	s.untouched(before)
	s.noWrites(since)
}

// TestP10DeadTenant: people can be deleted while their tenant does not answer.
func TestP10DeadTenant(t *testing.T) {
	s := setUp(t, "p10-dead", both)
	s.people(3)
	s.start()
	s.allReady()
	before := s.users()
	for _, tenant := range s.tenants {
		s.fault(tenant, core.Fault{Kind: core.KindHang})
	}
	all := s.everything()
	s.delete(all...)
	s.gone(all...)
	s.untouched(before)
}

// TestP10TerminatingNamespace: a namespace ends, with everything in it, and the platforms keep everybody.
func TestP10TerminatingNamespace(t *testing.T) {
	s := setUp(t, "p10-namespace", both)
	s.people(5)
	s.start()
	s.allReady()
	before, since := s.users(), s.last()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	s.delete(namespace)
	s.eventually("the namespace is gone", func() error {
		err := shared.Client.Get(s.ctx, client.ObjectKeyFromObject(namespace), namespace)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there: %+v: %w", namespace.Status, err)
	})
	s.untouched(before)
	s.noWrites(since)
}

// TestP10DeclaredAgain: who is deleted and declared again is recognised, and nothing changes. WeCom, whose app cannot read
// mobile numbers, is told what is declared once more.
func TestP10DeclaredAgain(t *testing.T) {
	s := setUp(t, "p10-again", both)
	people := s.people(3)
	s.start()
	s.allReady()
	before, since := s.users(), s.last()
	again := people[1].DeepCopy()
	s.delete(people[1])
	s.gone(people[1])
	for platform := range s.tenants {
		if r := s.account(platform).Status.Retained; len(r) != 1 || r[0].UserID != world.Number(2) || r[0].Origin != v1alpha1.OriginCreated {
			t.Errorf("%s retains %+v", platform, r)
		}
	}
	again.ObjectMeta = metav1.ObjectMeta{Namespace: s.namespace, Name: again.Name}
	s.apply(again)
	s.allReady()
	for platform := range s.tenants {
		if st := on(s.employee(2), platform); st.Origin != v1alpha1.OriginCreated {
			t.Errorf("the account on %s is %q now, and was created", platform, st.Origin)
		}
	}
	s.exact()
	s.untouched(before)
	for _, c := range s.writesSince(since) {
		if c.Platform != world.WeCom || !is(c, "user/update") || c.Subject != world.Number(2) {
			t.Errorf("the platform was written to: %s %s of %q", c.Platform, c.Operation, c.Subject)
		}
	}
}
