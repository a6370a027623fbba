package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// policy is an OffboardingPolicy for everybody, without backups, not created yet.
func (c *company) policy(name string, change ...func(*v1alpha1.OffboardingPolicy)) *v1alpha1.OffboardingPolicy {
	p := &v1alpha1.OffboardingPolicy{ObjectMeta: c.meta(name), Spec: v1alpha1.OffboardingPolicySpec{AppliesTo: v1alpha1.PolicyDefault}}
	p.Spec.Backup.Mode = v1alpha1.BackupNone
	for _, f := range change {
		f(p)
	}
	return p
}

// for whom a policy is.
func selecting(key, value string) func(*v1alpha1.OffboardingPolicy) {
	return func(p *v1alpha1.OffboardingPolicy) {
		p.Spec.AppliesTo, p.Spec.MatchLabels = v1alpha1.PolicySelected, map[string]v1alpha1.LabelValue{key: v1alpha1.LabelValue(value)}
	}
}

func labelled(key, value string) func(*v1alpha1.Employee) {
	return func(e *v1alpha1.Employee) { e.Labels = map[string]string{key: value} }
}

func applyingTo(n int) func(*v1alpha1.OffboardingPolicy) int {
	return func(p *v1alpha1.OffboardingPolicy) int {
		if p.Status.People == nil {
			return -1
		}
		return int(*p.Status.People) - n
	}
}

var _ = Describe("OffboardingPolicies", func() {
	var c *company

	BeforeEach(func() { c = founded() })

	It("say to whom they apply, and follow people's labels", func() {
		standard, sales := create(c.policy("standard")), create(c.policy("sales", selecting("team", "sales")))
		a := create(c.person("a"))
		create(c.person("b", labelled("team", "sales")))
		create(c.person("c", func(e *v1alpha1.Employee) { e.Spec.Offboarding.PolicyRef.Name = "sales" }))
		Eventually(of(standard)).Should(And(beReady(), WithTransform(applyingTo(1), BeZero())))
		Eventually(of(sales)).Should(And(beReady(), WithTransform(applyingTo(2), BeZero())))
		change(a, labelled("team", "sales"))
		Eventually(of(sales)).Should(WithTransform(applyingTo(3), BeZero()))
		Eventually(of(standard)).Should(WithTransform(applyingTo(0), BeZero()))
	})

	It("that contest each other say so, all of them, until one is left", func() {
		standard, other := create(c.policy("standard")), create(c.policy("another"))
		for _, p := range []*v1alpha1.OffboardingPolicy{standard, other} {
			Eventually(of(p)).Should(stalled("PolicyConflict", "another, standard", "The first by name is in force"))
		}
		create(c.person("a", labelled("team", "sales")))
		create(c.person("b", func(e *v1alpha1.Employee) { e.Labels = map[string]string{"team": "sales", "site": "abroad"} }))
		sales, abroad := create(c.policy("sales", selecting("team", "sales"))), create(c.policy("abroad", selecting("site", "abroad")))
		for _, p := range []*v1alpha1.OffboardingPolicy{sales, abroad} {
			Eventually(of(p)).Should(And(stalled("PolicyConflict", "abroad, sales", "select the same people"), WithTransform(applyingTo(1), BeZero())))
		}
		remove(other)
		remove(abroad)
		Eventually(of(standard)).Should(beReady())
		Eventually(of(sales)).Should(And(beReady(), WithTransform(applyingTo(2), BeZero())))
	})

	It("wait for what they refer to", func() {
		p := create(c.policy("standard", func(p *v1alpha1.OffboardingPolicy) {
			p.Spec.Backup = v1alpha1.OffboardingBackup{Mode: v1alpha1.BackupRequired, StorageRef: v1alpha1.StorageReference{Name: "archives"}}
			p.Spec.SuccessorRef.Name = "a"
			p.Spec.Administrators = []v1alpha1.EmployeeReference{{Name: "b"}}
			p.Spec.Notices = []v1alpha1.Notice{{To: v1alpha1.NoticeAdministrators}}
		}))
		Eventually(of(p)).Should(waiting("WaitingForStorage", `"archives"`))
		c.room()
		Eventually(of(p)).Should(waiting("WaitingForPeople", "the Employees a, b"))
		create(c.person("a"))
		Eventually(of(p)).Should(waiting("WaitingForPeople", "the Employee b"))
		create(c.person("b"))
		Eventually(of(p)).Should(beReady())
	})

	It("P10: go soon while nobody leaves by them", func() {
		p := create(c.policy("standard"))
		create(c.person("a"))
		Eventually(of(p)).Should(And(beReady(), WithTransform(applyingTo(1), BeZero())))
		remove(p)
		Eventually(of(p)).Should(stands(ending, "InUse", "goes in a moment"))
		Eventually(exists(p)).Should(BeFalse())
	})

	It("P10: go at once where nobody could leave by them who is deleted meanwhile", func() {
		p, kept := create(c.policy("nobody", selecting("team", "sales"))), create(c.policy("standard", unannounced(v1alpha1.UnannouncedRetain)))
		create(c.person("a"))
		Eventually(of(kept)).Should(And(beReady(), WithTransform(applyingTo(1), BeZero())))
		Eventually(of(p)).Should(beReady())
		for _, p := range []*v1alpha1.OffboardingPolicy{p, kept} {
			remove(p)
			Eventually(exists(p), "2s").Should(BeFalse())
		}
	})

	It("P9, P10: wait for nobody who has begun to leave, and who goes on with their terms says nothing else", func() {
		c.open(c.wecom)
		create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
		p := create(c.policy("standard", brief(week)))
		e := create(c.person("a", wecomOnly))
		Eventually(of(e)).Should(beReady())
		change(e, departed)
		Eventually(of(e)).Should(waiting("Leaving", "Grace"))
		remove(p)
		Eventually(exists(p)).Should(BeFalse())
		change(e, titled("顾问")) // it is looked at again
		Eventually(of(e)).Should(waiting("Leaving", "Grace"))
		Consistently(of(e), "300ms").Should(waiting("Leaving", "Grace"))
	})

	It("P10: wait for nobody whose departure was rejected", func() {
		c.open(c.wecom)
		create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
		p := create(c.policy("standard", brief(week), func(p *v1alpha1.OffboardingPolicy) {
			p.Spec.Approval.RequiredFor = []v1alpha1.ApprovalCase{v1alpha1.CaseDeparture}
		}))
		e := create(c.person("a", wecomOnly))
		Eventually(of(e)).Should(beReady())
		change(e, departed)
		Eventually(c.asked).Should(HaveLen(1))
		remove(p)
		asked, err := c.asked()
		Expect(err).NotTo(HaveOccurred())
		change(&asked[0], func(a *v1alpha1.Approval) {
			a.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: v1alpha1.VerdictRejected, By: "chen.jing", Digest: a.Spec.Digest}
		})
		Eventually(of(e)).Should(stalled("ApprovalRejected"))
		Eventually(exists(p)).Should(BeFalse())
		Expect(of(e)()).To(stalled("ApprovalRejected"), "nothing is asked again")
	})
})
