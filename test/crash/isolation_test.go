package crash

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// TestP11DeadTenantBesideHealthy: while one tenant hangs, refuses or drops every call, people get their accounts on the
// other, and on the dead one when it is back.
func TestP11DeadTenantBesideHealthy(t *testing.T) {
	for name, fault := range map[string]core.Fault{
		"hangs":   {Kind: core.KindHang},
		"dropped": {Kind: core.KindDropBefore},
		"502":     {Kind: core.KindHTTPStatus, HTTPStatus: 502},
	} {
		t.Run(name, func(t *testing.T) {
			s := setUp(t, "p11-dead-"+name, both)
			const people = 8
			id := s.fault(s.tenants[world.DingTalk], fault)
			s.people(people)
			s.start()
			for n := 1; n <= people; n++ {
				s.says(n, world.WeCom, "")
				if st := s.employee(n).Status; st.AccountsReady != "1/2" {
					t.Errorf("person %d has %s accounts ready", n, st.AccountsReady)
				}
			}
			if users, err := s.tenants[world.WeCom].Users(s.ctx); err != nil || len(users) != people+len(s.tenants[world.WeCom].Creators) {
				t.Errorf("%d users on WeCom: %v", len(users), err)
			}
			if ready, why := world.Stand(s.account(world.WeCom)); !ready {
				t.Errorf("the healthy account says %s", why)
			}
			if ready, _ := world.Stand(s.account(world.DingTalk)); ready {
				t.Error("the dead account is Ready")
			}
			s.heal(id)
			s.allReady()
			s.exact()
		})
	}
}

// TestP11TenantDiesInMidRun: a tenant that was healthy dies in the middle of the work. The other goes on; nobody is thought gone.
func TestP11TenantDiesInMidRun(t *testing.T) {
	s := setUp(t, "p11-dies", both)
	const people = 30
	id := s.fault(s.tenants[world.DingTalk], core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: 503, Operation: "user/create", Skip: people / 2})
	s.people(people)
	s.start()
	for n := 1; n <= people; n++ {
		s.says(n, world.WeCom, "")
	}
	for n := 1; n <= people; n++ {
		if st := on(s.employee(n), world.DingTalk); st.State == v1alpha1.AccountVanished {
			t.Errorf("person %d is %s", n, st.State)
		}
	}
	s.heal(id)
	s.allReady()
	s.exact()
	s.once(s.tenants[world.DingTalk], people, nil)
}

// TestP11WrongCredentials: the account says which credential is wrong; nobody hammers, because platforms ban addresses, and
// with them healthy tenants; a corrected Secret is taken at once.
func TestP11WrongCredentials(t *testing.T) {
	s := setUp(t, "p11-secret", both)
	right := map[string]string{}
	for platform := range s.tenants {
		secret := s.secret(platform)
		s.must(world.Update(s.ctx, shared, secret, func(o *corev1.Secret) {
			right[platform] = string(o.Data["appSecret"])
			o.Data["appSecret"] = []byte("wrong-" + right[platform])
		}))
	}
	s.people(3)
	s.start()
	for platform := range s.tenants {
		s.condition(platform, v1alpha1.ConditionCredentialsValid, v1alpha1.ReasonCredentialsRejected)
	}
	if ready, _ := world.Stand(s.account(world.WeCom)); ready {
		t.Error("Ready with wrong credentials")
	}
	// The manager keeps on trying, but for the platform that bans: five pauses of a refresh go by.
	s.eventually("DingTalk is asked again", func() error {
		return s.has(4, 0, func(c core.Entry) bool { return c.Platform == world.DingTalk })
	})
	tokens := 0
	for _, c := range s.calls(s.tenants[world.WeCom], core.Query{Operation: "gettoken"}) {
		if c.Code != "0" {
			tokens++
		}
	}
	if tokens != 1 {
		t.Errorf("WeCom was asked for a token with a wrong secret %d times", tokens)
	}
	for platform := range s.tenants {
		s.must(world.Update(s.ctx, shared, s.secret(platform), func(o *corev1.Secret) { o.Data["appSecret"] = []byte(right[platform]) }))
	}
	s.allReady()
	s.exact()
}

// TestP11OneBadPersonStopsNobody: somebody whom the platform refuses says why; everybody else is made.
func TestP11OneBadPersonStopsNobody(t *testing.T) {
	s := setUp(t, "p11-bad", both)
	const people = 10
	for _, tenant := range s.tenants {
		// A stranger has the mobile number of one of them.
		s.must(tenant.Add(s.ctx, "stranger", map[string]any{"name": "路人", "mobile": world.Mobile(4)[4:]}))
	}
	s.people(people)
	s.start()
	for n := 1; n <= people; n++ {
		for platform := range s.tenants {
			reason := ""
			if n == 4 {
				reason = v1alpha1.ReasonDataConflict
			}
			s.says(n, platform, reason)
		}
	}
	for platform := range s.tenants {
		s.eventually("it is said who has the number", func() error { // between two tries it is being made
			if st := on(s.employee(4), platform); !contains(st.Message, "stranger") || !contains(st.Message, "E-205") {
				return fmt.Errorf("%s says: %s", platform, st.Message)
			}
			return nil
		})
		s.eventually("the stranger is named as unmanaged", func() error {
			if ids := s.account(platform).Status.UnmanagedUserIDs; !containsID(ids, "stranger") {
				return fmt.Errorf("%s names %v", platform, ids)
			}
			return nil
		})
	}
}
