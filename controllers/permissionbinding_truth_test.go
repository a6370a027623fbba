package controllers_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
)

var _ = Describe("What a permission says and does while something is in its way", func() {
	var c *company
	var people []*v1alpha1.Employee

	BeforeEach(func() { c, people = trio() })

	It("P9: does not call what has ended done while the account is Suspended", func() {
		role := c.dingtalk.newRole("审核员")
		to := time.Now().Add(100 * time.Hour).Truncate(time.Second)
		b := create(c.binding("guests", "dingtalk", declaring(people[0]), until(to), func(b *v1alpha1.PermissionBinding) { b.Spec.NoticeBeforeHours = []int32{1} }))
		Eventually(of(b)).Should(beReady())
		a := c.account(c.dingtalk)
		change(a, mode(v1alpha1.ModeSuspended))
		Eventually(of(a)).Should(stands(current, "Suspended"))
		today.set(to)
		change(a, func(a *v1alpha1.EnterpriseAccount) { a.Spec.ResyncIntervalSeconds-- }) // so that it looks
		Eventually(of(b)).Should(HaveField("Status.State", v1alpha1.BindingExpired))
		Expect(b).To(says("Ready", "False", "Suspended"), "somebody holds it still")
		Expect(c.dingtalk.holdersOf(role)()).To(numbers(people[0]))
		change(a, mode(v1alpha1.ModeEnforce))
		Eventually(c.dingtalk.holdersOf(role)).Should(BeEmpty())
		Eventually(of(b)).Should(beReady())
	})

	It("P9: does not call Ready what was just declared, while who holds the role is being read", func() {
		role := c.dingtalk.newRole("审核员")
		b := create(c.binding("reviewers", "dingtalk", declaring(people[0])))
		Eventually(of(b)).Should(beReady())
		heal := c.dingtalk.fault(core.Fault{Kind: core.KindHang, Operation: "role/simplelist"})
		c.resync(c.dingtalk)
		Eventually(c.sim.Faults.List).Should(ContainElement(HaveField("Hits", BeNumerically(">", 0))))
		change(b, declaring(people[0], people[1]))
		Eventually(of(b)).Should(HaveField("Status.ObservedGeneration", HaveValue(Equal(b.Generation))))
		Expect(b).NotTo(beReady())
		heal()
		Eventually(c.dingtalk.holdersOf(role)).Should(numbers(people[0], people[1]))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))
	})

	It("P13: rests while there is no such role, and does not call that Ready at each listing", func() {
		b := create(c.binding("reviewers", "wecom", declaring(people[0])))
		Eventually(of(b)).Should(stalled("RoleMissing"))
		c.settled()
		Expect(of(b)()).To(stalled("RoleMissing"))
		version := b.ResourceVersion
		c.resync(c.wecom)
		Consistently(of(b)).Should(HaveField("ResourceVersion", version))
	})

	It("P11: tells those who hold a role that it ends, although somebody else cannot be given it", func() {
		role := c.dingtalk.newRole("审核员")
		b := create(c.binding("guests", "dingtalk", declaring(people[0])))
		Eventually(of(b)).Should(beReady())
		c.dingtalk.fault(core.Fault{Kind: core.KindError, Operation: "role/addrolesforemps", Code: "33012", Message: "invalid user"})
		change(b, declaring(people[0], people[1]), until(time.Now().Add(time.Hour)))
		Eventually(all[core.Received](c.dingtalk, "received")).Should(ConsistOf(HaveField("To", people[0].Status.Number)))
		Expect(c.dingtalk.holdersOf(role)()).To(numbers(people[0]))
	})

	It("P5: takes no role from somebody whom a listing lacks, before a direct look has shown that they are gone", func() {
		for _, listing := range []string{"user/list", "user/list_id"} {
			DeferCleanup(c.wecom.fault(core.Fault{Kind: core.KindStale, Operation: listing}))
		}
		newcomer := create(c.person("d"))
		Eventually(of(newcomer)).Should(beReady())
		role := c.wecom.newRole("审核员")
		b := create(c.binding("reviewers", "wecom", declaring(people[0], newcomer), exclusive))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))
		heal := c.wecom.fault(core.Fault{Kind: core.KindHang, Operation: "user/get", Subject: newcomer.Status.Number})
		since := c.sim.Log.Last()
		c.resync(c.wecom)
		Eventually(c.sim.Faults.List).Should(ContainElement(And(HaveField("Kind", core.KindHang), HaveField("Hits", BeNumerically(">", 0)))), "it is being looked for")
		Eventually(func() []core.Entry { return c.wecom.calls(core.Query{Operation: "tag/get", Since: since}) }).ShouldNot(BeEmpty())
		Consistently(c.wecom.made("tag/deltagusers", "")).Should(BeEmpty())
		Expect(c.wecom.holdersOf(role)()).To(numbers(people[0], newcomer))
		heal()
		Eventually(of(newcomer)).Should(beReady())
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))
	})

	It("does not give back to somebody who was frozen meanwhile what a review took from them", func() {
		role := c.wecom.newRole("审核员")
		b := create(c.binding("reviewers", "wecom", declaring(people...), func(b *v1alpha1.PermissionBinding) {
			b.Spec.Review = v1alpha1.BindingReview{IntervalDays: 30, AnswerWithinDays: 5}
		}))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.NextReviewTime", Not(BeNil()))))
		today.set(time.Now().Add(31 * 24 * time.Hour))
		change(b, func(b *v1alpha1.PermissionBinding) { b.Spec.Reason += "。" })
		Eventually(of(b)).Should(HaveField("Status.ReviewName", Not(BeEmpty())))
		change(people[1], frozen)
		Eventually(c.wecom.holdersOf(role)).Should(numbers(people[0], people[2]))
		c.answer(b.Status.ReviewName, v1alpha1.VerdictApproved, people[1])
		Eventually(of(b)).Should(HaveField("Status.LastReviewTime", Not(BeNil())))
		change(people[1], active)
		Eventually(of(people[1])).Should(beReady())
		Eventually(of(b)).Should(And(stalled("ReviewedOut"), HaveField("Status.ReviewedOut", numbers(people[1]))))
		Expect(c.wecom.holdersOf(role)()).To(numbers(people[0], people[2]))
	})
})

var _ = Describe("A permission whose changes cannot be recorded", func() {
	It("P8, P13: is not given, says so, and does not try again and again without a pause", func() {
		c := founded()
		records := c.trail()
		c.open(c.wecom)
		c.wecom.newRole("审核员")
		create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
		e := create(c.person("a", on[*v1alpha1.Employee]("wecom")))
		Eventually(of(e)).Should(beReady())
		records.full.Store(true)
		b := create(c.binding("reviewers", "wecom", declaring(e)))
		Eventually(of(b)).WithTimeout(10 * time.Second).Should(says("Ready", "False", "AuditUnavailable"))
		since := c.sim.Log.Last()
		Consistently(func() []core.Entry { return c.wecom.calls(core.Query{Operation: "tag/get", Since: since}) }, "3s").Should(BeEmpty(), "what was read is still so")
		records.full.Store(false)
		Eventually(of(b)).Should(beReady())
	})
})
