package controllers_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// limited bounds how many people lose access to an account.
func limited(n int32) func(*v1alpha1.EnterpriseAccount) {
	percent := int32(100)
	return func(a *v1alpha1.EnterpriseAccount) {
		a.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: &n, Percent: &percent, Floor: &n}
	}
}

// usable counts who can use the account on WeCom, of so many.
func (c *company) usable(people int) (n int) {
	for i := range people {
		if u, err := onWeCom(c, fmt.Sprintf("E%04d", i+1))(); err == nil && u != nil && u.Enable == 1 {
			n++
		}
	}
	return n
}

// asked are the Approvals that wait for somebody.
func (c *company) asked() ([]v1alpha1.Approval, error) {
	var all v1alpha1.ApprovalList
	err := api.List(ctx, &all, client.InNamespace(c.namespace))
	var open []v1alpha1.Approval
	for _, a := range all.Items {
		if a.Status.State == v1alpha1.ApprovalPending {
			open = append(open, a)
		}
	}
	return open, err
}

var _ = Describe("More people who lose access than the limits allow", func() {
	const people, limit = 30, 3
	var c *company
	var staff []*v1alpha1.Employee

	BeforeEach(func() {
		c = founded()
		c.secret("wecom-credentials", c.wecom.keys)
		create(c.account(c.wecom, limited(limit)))
		create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
		create(c.policy("standard", brief(week)))
		staff = nil
		for i := range people {
			staff = append(staff, create(c.person(fmt.Sprintf("person-%02d", i), wecomOnly)))
		}
		for _, e := range staff {
			Eventually(of(e)).Should(beReady())
		}
	})

	decided := func(apv *v1alpha1.Approval, verdict v1alpha1.ApprovalVerdict) {
		GinkgoHelper()
		change(apv, func(a *v1alpha1.Approval) {
			a.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: verdict, By: "chen.jing", Digest: a.Spec.Digest}
		})
	}
	asking := func(n int) *v1alpha1.Approval {
		GinkgoHelper()
		Eventually(c.asked).Should(ConsistOf(HaveField("Spec.Subjects", HaveLen(n))))
		all, err := c.asked()
		Expect(err).NotTo(HaveOccurred())
		return &all[0]
	}

	It("P6: by a prune are held but three, and brought back by a git revert as if nothing had been", func() {
		for _, e := range staff {
			Expect(api.Delete(ctx, e)).To(Succeed())
		}
		apv := asking(people - limit)
		Expect(apv.Spec.Purpose).To(Equal(v1alpha1.ApprovalRemovalLimit))
		Eventually(func() int { return c.usable(people) }).Should(Equal(people - limit))
		for _, e := range staff { // nobody's object is held hostage (P10)
			Eventually(exists(e)).Should(BeFalse())
		}
		listed := map[string]bool{}
		for _, s := range apv.Spec.Subjects {
			listed[s.UID] = true
		}
		all, err := c.leavings()
		Expect(err).NotTo(HaveOccurred())
		Expect(all).To(HaveLen(people))
		for _, ob := range all {
			Expect(listed[string(ob.UID)]).To(Equal(ob.Status.Accounts[0].AdmittedTime == nil), "the Approval lists exactly who waits")
		}
		By("git revert")
		for _, e := range staff {
			create(&v1alpha1.Employee{ObjectMeta: c.meta(e.Name), Spec: e.Spec})
		}
		for _, e := range staff {
			Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active")))
		}
		Eventually(c.asked).Should(BeEmpty())
		Expect(c.usable(people)).To(Equal(people))
		Expect(c.wecom.made("user/create", "")()).To(HaveLen(people))
		Eventually(of(c.account(c.wecom))).Should(And(says("WithinRemovalLimits", "True", "InSync"), HaveField("Status.Removals.ApprovalName", BeEmpty())))
	})

	It("P2, P6: by a prune that takes the policy along, too, lose it no less and no more", func() {
		p := &v1alpha1.OffboardingPolicy{ObjectMeta: c.meta("standard")}
		remove(p)
		Eventually(of(p)).Should(stands(ending, "InUse", "who is deleted with it leaves by it"), "it was looked at before anybody else was deleted")
		for _, e := range staff {
			Expect(api.Delete(ctx, e)).To(Succeed())
		}
		apv := asking(people - limit)
		Eventually(func() int { return c.usable(people) }).Should(Equal(people - limit))
		for _, e := range staff {
			Eventually(exists(e)).Should(BeFalse())
		}
		Eventually(exists(p)).Should(BeFalse(), "it does not wait until they have left (P10)")
		Expect(c.leavings()).To(And(HaveLen(people), HaveEach(HaveField("Spec.PolicyName", "standard"))))
		By("git revert")
		create(c.policy("standard", brief(week)))
		for _, e := range staff {
			create(&v1alpha1.Employee{ObjectMeta: c.meta(e.Name), Spec: e.Spec})
		}
		for _, e := range staff {
			Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active")))
		}
		Eventually(of(apv)).Should(HaveField("Status.State", v1alpha1.ApprovalWithdrawn))
		Expect(c.usable(people)).To(Equal(people))
		Expect(c.wecom.made("user/create", "")()).To(HaveLen(people))
	})

	It("P6: leave when somebody approves, exactly those, though somebody else waits by then", func() {
		for _, e := range staff[:10] {
			Expect(api.Delete(ctx, e)).To(Succeed())
		}
		first := asking(7)
		Eventually(of(c.account(c.wecom))).Should(And(says("WithinRemovalLimits", "False", "RemovalLimitReached"), HaveField("Status.Removals.ApprovalName", first.Name)))
		change(staff[10], frozen)
		apv := asking(8)
		Eventually(of(first)).Should(HaveField("Status.State", v1alpha1.ApprovalWithdrawn))
		Expect(of(staff[10])()).To(standsOn("wecom", And(HaveField("Reason", "RemovalLimitReached"), HaveField("State", v1alpha1.AccountActive))))
		decided(apv, v1alpha1.VerdictApproved)
		change(staff[11], frozen)
		Eventually(func() int { return c.usable(people) }).Should(Equal(people - 11))
		Eventually(of(staff[10])).Should(And(beReady(), standsOn("wecom", HaveField("AdmittedBy", apv.Name))))
		asking(1)
		Eventually(of(staff[11])).Should(stalled("RemovalLimitReached"))
		Expect(onWeCom(c, "E0012")()).To(HaveField("Enable", 1))
	})

	It("P6: keep their accounts when somebody rejects, and whoever is still declared frozen says so", func() {
		for _, e := range staff[:6] {
			change(e, frozen)
		}
		decided(asking(3), v1alpha1.VerdictRejected)
		Eventually(func() (refused int) {
			for _, e := range staff[:6] {
				if now, err := of(e)(); err == nil && accountReason(now) == "ApprovalRejected" {
					refused++
				}
			}
			return refused
		}).Should(Equal(3))
		Consistently(func() int { return c.usable(people) }).Should(Equal(people - 3))
		Expect(c.asked()).To(BeEmpty())
	})
})

func accountReason(e *v1alpha1.Employee) string { return e.Status.Accounts[0].Reason }
