package controllers_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
)

func departed(e *v1alpha1.Employee) {
	e.Spec.State, e.Spec.StateReason = v1alpha1.EmployeeDeparted, "合同到期"
}

// brief has people leave by themselves: nobody hands over or is told.
func brief(grace int64) func(*v1alpha1.OffboardingPolicy) {
	return func(p *v1alpha1.OffboardingPolicy) {
		p.Spec.GraceSeconds = &grace
		p.Spec.SkipSteps = []v1alpha1.SkippableStep{"HandOver", "RevokePermissions", "UnlinkSystems", "Notify", "ResidualCheck"}
	}
}

func unannounced(u v1alpha1.UnannouncedDeletion) func(*v1alpha1.OffboardingPolicy) {
	return func(p *v1alpha1.OffboardingPolicy) { p.Spec.UnannouncedDeletion = u }
}

const week = 7 * 24 * 3600

// leavings are the Offboardings of the company.
func (c *company) leavings() ([]v1alpha1.Offboarding, error) {
	var all v1alpha1.OffboardingList
	return all.Items, api.List(ctx, &all, client.InNamespace(c.namespace))
}

// theLeaving is the only Offboarding, once it is there.
func (c *company) theLeaving() *v1alpha1.Offboarding {
	GinkgoHelper()
	Eventually(c.leavings).Should(HaveLen(1))
	all, err := c.leavings()
	Expect(err).NotTo(HaveOccurred())
	return &all[0]
}

var _ = Describe("Somebody who leaves", func() {
	var c *company
	var e *v1alpha1.Employee

	BeforeEach(func() {
		c = staffed()
		e = create(c.person("li-na"))
		c.leavers = append(c.leavers, "E0001")
		Eventually(of(e)).Should(beReady())
	})

	again := func() *v1alpha1.Employee {
		GinkgoHelper()
		return create(&v1alpha1.Employee{ObjectMeta: c.meta("li-na"), Spec: e.Spec})
	}

	It("P2, P9: is declared so, loses access, and is Ready when the accounts are gone", func() {
		create(c.policy("standard", brief(2)))
		change(e, departed)
		Eventually(of(e)).Should(waiting("Leaving", "Grace"))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0))
		ob := c.theLeaving()
		Expect(ob.Spec).To(And(HaveField("Trigger", v1alpha1.TriggerDeparted), HaveField("Reason", "合同到期"), HaveField("EmployeeUID", string(e.UID)), HaveField("Accounts", HaveLen(2))))
		Expect(e.Status.OffboardingName).To(Equal(ob.Name))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Departed"), HaveField("Status.AccountsReady", "2/2"),
			standsOn("wecom", And(HaveField("State", v1alpha1.AccountDeparted), HaveField("Origin", BeEmpty())))))
		Expect(onWeCom(c, "E0001")()).To(BeNil())
		Expect(onDingTalk(c, "E0001")()).To(BeNil())
		By("P3: it has left once, whatever is declared while it is away")
		change(e, titled("顾问"))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Departed")))
		Consistently(c.leavings, "300ms").Should(HaveLen(1))
		By("coming back to a new account")
		change(e, active)
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active"), HaveField("Status.OffboardingName", ob.Name)))
		Expect(onWeCom(c, "E0001")()).To(And(HaveField("Enable", 1), HaveField("Position", "顾问")))
		By("leaving again, which is another leaving")
		change(e, departed)
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Departed")))
		Expect(c.leavings()).To(HaveLen(2))
	})

	It("P2, P4: is not brought back by somebody who is given the number by mistake, nor loses the account to them", func() {
		create(c.policy("standard", brief(week)))
		change(e, departed)
		Eventually(of(e)).Should(waiting("Leaving", "Grace"))
		mistaken := create(c.person("wang-fang", numbered("E0001")))
		Eventually(of(mistaken)).Should(stalled("DataConflict", "E-205", "li-na"))
		Consistently(c.theLeaving, "300ms").Should(inState("Grace"))
		Expect(mistaken.Status.Accounts).NotTo(ContainElement(HaveField("Origin", Not(BeEmpty()))))
		By("correcting the number")
		change(mistaken, numbered("E0002"))
		Eventually(of(mistaken)).Should(And(beReady(), standsOn("wecom", HaveField("UserID", "E0002"))))
		Expect(c.theLeaving()).To(inState("Grace"))
		Expect(onWeCom(c, "E0001")()).To(And(HaveField("Enable", 0), HaveField("Name", e.Spec.Name)))
	})

	It("P6: stays from the moment in which the declaration is back, before anything is written to it", func() {
		create(c.policy("standard", brief(week)))
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
		Expect(c.theLeaving()).To(inState("Grace"))
		gate := &turnstile{namespace: c.namespace, kind: "employees", moved: make(chan struct{})}
		DeferCleanup(func() { gate.let(); manager.use(nil) })
		manager.use(gate.pass)
		back := again()
		Eventually(c.theLeaving).Should(inState("Cancelled"))
		Expect(of(back)()).To(HaveField("Status.Number", BeEmpty()))
		gate.let()
		Eventually(of(back)).Should(And(beReady(), HaveField("Status.State", "Active")))
	})

	It("P4: leaves an account that is kept to nobody who is given the number by mistake", func() {
		create(c.policy("standard", brief(1), func(p *v1alpha1.OffboardingPolicy) { p.Spec.FinalAction = v1alpha1.FinalKeep }))
		change(e, departed)
		Eventually(c.theLeaving).Should(inState("Complete"))
		mistaken := create(c.person("wang-fang", numbered("E0001")))
		Eventually(of(mistaken)).Should(stalled("DataConflict", "E-205", "li-na"))
		Expect(mistaken.Status.Accounts).NotTo(ContainElement(HaveField("Origin", Not(BeEmpty()))))
		change(mistaken, numbered("E0002"))
		Eventually(of(mistaken)).Should(And(beReady(), standsOn("wecom", HaveField("UserID", "E0002"))))
		Expect(onWeCom(c, "E0001")()).To(And(HaveField("Enable", 0), HaveField("Name", e.Spec.Name)))
	})

	It("P2: is frozen where no policy says more, and left as soon as one does", func() {
		writes := len(c.wecom.writes())
		change(e, departed, titled("顾问"))
		Eventually(of(e)).Should(And(stalled("NoOffboardingPolicy", "E-601", "appliesTo: Default"), standsOn("wecom", And(
			HaveField("State", v1alpha1.AccountFrozen), HaveField("FrozenBy", v1alpha1.FrozenByRollcall), HaveField("AdmittedTime", Not(BeNil()))))))
		Expect(e).To(standsOn("dingtalk", HaveField("Reason", "FreezeUnsupported")))
		Expect(onWeCom(c, "E0001")()).To(And(HaveField("Enable", 0), HaveField("Position", "工程师")))
		Expect(c.wecom.writes()).To(HaveLen(writes + 1))
		create(c.policy("standard", brief(0)))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Departed")))
		Expect(onWeCom(c, "E0001")()).To(BeNil())
	})

	It("P3, P4: comes back during grace as if nothing had been", func() {
		create(c.policy("standard", brief(week)))
		change(e, departed)
		ob := c.theLeaving()
		Eventually(of(ob)).Should(inState("Grace"))
		change(e, active)
		Eventually(of(ob)).Should(inState("Cancelled"))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active"), HaveField("Status.AccountsReady", "2/2"),
			standsOn("wecom", And(HaveField("Origin", v1alpha1.OriginCreated), HaveField("FrozenBy", BeEmpty())))))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Expect(t.made("user/create", "")()).To(HaveLen(1))
		}
		Expect(c.leavings()).To(HaveLen(1))
	})

	It("P3, P4: is declared again while something is under way, which ends first", func() {
		create(c.policy("standard", brief(week)))
		heal := c.wecom.fault(core.Fault{Kind: core.KindLatency, Operation: "user/update", DelayMillis: 1500})
		change(e, departed)
		Eventually(func() []core.Fault { return c.sim.Faults.List() }).Should(ContainElement(HaveField("Hits", 1)))
		change(e, active)
		Eventually(of(e)).Should(waiting("OffboardingEnding", "E-614", "wecom"))
		Expect(c.wecom.made("user/update", "E0001")()).To(BeEmpty(), "the freeze is not answered yet, and nothing is written beside it")
		heal()
		Eventually(of(e)).Should(beReady())
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
	})

	It("P2: is declared again before it is known that the freeze was made, and can use the account again", func() {
		create(c.policy("standard", brief(week)))
		c.wecom.fault(core.Fault{Kind: core.KindDropAfter, Operation: "user/update", Times: 1})
		heal := c.wecom.fault(core.Fault{Kind: core.KindDropBefore, Operation: "user/get"})
		change(e, departed)
		Eventually(onWeCom(c, "E0001")).Should(HaveField("Enable", 0))
		change(e, active)
		Eventually(of(c.theLeaving())).Should(And(inState("Cancelled"), leaves("wecom", taken("Freeze", "Skipped"))))
		heal()
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", HaveField("FrozenBy", BeEmpty()))))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
	})

	It("P3: is declared again too late, and gets a new account", func() {
		create(c.policy("standard", brief(0)))
		heal := c.wecom.fault(core.Fault{Kind: core.KindLatency, Operation: "user/delete", DelayMillis: 1500})
		change(e, departed, wecomOnly)
		Eventually(of(e)).Should(waiting("Leaving"))
		ob := &v1alpha1.Offboarding{ObjectMeta: c.meta(e.Status.OffboardingName)}
		Eventually(of(ob)).Should(leaves("wecom", taken("DeleteAccount", "Running")))
		change(e, active)
		Eventually(of(e)).Should(waiting("OffboardingEnding"))
		heal()
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active")))
		Expect(of(ob)()).To(inState("Complete"))
		Expect(c.wecom.made("user/create", "E0001")()).To(HaveLen(2))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
	})

	It("P2: was never there, and is not made to be", func() {
		never := create(c.person("wang-fang", departed))
		Eventually(of(never)).Should(And(beReady(), HaveField("Status.State", "Departed"), HaveField("Status.AccountsReady", "2/2")))
		By("having no number either")
		nobody := create(c.person("liu-yang", departed, func(e *v1alpha1.Employee) { e.Spec.Number, e.Spec.NumberRuleRef.Name = "", "rule" }))
		Eventually(of(nobody)).Should(And(beReady(), HaveField("Status.State", "Departed"), HaveField("Status.Number", BeEmpty())))
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Expect(t.made("user/create", "")()).To(HaveLen(1), "nobody but the first")
		}
		Expect(c.leavings()).To(BeEmpty())
		By("being declared to be there after all")
		change(never, active)
		Eventually(of(never)).Should(And(beReady(), HaveField("Status.State", "Active"), HaveField("Status.AccountsReady", "2/2")))
	})

	Context("before the invitation was accepted", func() {
		var invited *v1alpha1.Employee

		BeforeEach(func() {
			c.dingtalk.configure(`{"protectedMobiles":["13900001111"]}`)
			create(c.policy("standard", brief(0)))
			invited = create(c.person("wang-fang", func(e *v1alpha1.Employee) { e.Spec.Contact.Mobile = "+86-13900001111" }))
			c.private = append(c.private, "13900001111")
			c.leavers = append(c.leavers, "E0002")
			Eventually(of(invited)).Should(And(waiting("InvitationPending"), standsOn("wecom", HaveField("State", v1alpha1.AccountActive))))
		})
		warned := func(action string) {
			GinkgoHelper()
			Eventually(c.events(invited)).Should(ContainElement(And(HaveField("Action", action), HaveField("Reason", "InvitationPending"), HaveField("Type", "Warning"),
				HaveField("Note", ContainSubstring("an invitation to dingtalk is open")))))
		}

		It("P2, P9: is declared departed, which says that the invitation is open, and leaves when it is accepted after all", func() {
			change(invited, departed)
			Eventually(of(invited)).Should(And(waiting("InvitationPending", "E-406", "withdraw the invitation"), standsOn("dingtalk", HaveField("State", v1alpha1.AccountInvited)),
				standsOn("wecom", HaveField("State", v1alpha1.AccountDeparted))))
			Expect(c.dingtalk.Accept(c.dingtalk.tenant, "E0002")).To(Succeed())
			c.resync(c.dingtalk)
			Eventually(of(invited)).Should(And(beReady(), HaveField("Status.State", "Departed")))
			Expect(onDingTalk(c, "E0002")()).To(BeNil())
		})

		It("P9, P10: is deleted, which an event tells", func() {
			remove(invited)
			Eventually(exists(invited)).Should(BeFalse())
			warned("Delete")
		})

		It("P9: is taken off the account, which an event tells, and invited anew when it is added back", func() {
			change(invited, wecomOnly)
			Eventually(of(invited)).Should(And(beReady(), HaveField("Status.Accounts", ConsistOf(HaveField("Name", "wecom")))))
			warned("TakeOff")
			change(invited, on[*v1alpha1.Employee]("wecom", "dingtalk"))
			Eventually(of(invited)).Should(waiting("InvitationPending"))
			Expect(c.dingtalk.made("user/create", "E0002")()).To(HaveLen(2))
		})
	})

	It("P10: may be deleted meanwhile, and the leaving goes on", func() {
		create(c.policy("standard", brief(week)))
		change(e, departed)
		ob := c.theLeaving()
		Eventually(of(ob)).Should(inState("Grace"))
		released(e)
		Consistently(c.leavings, "300ms").Should(HaveLen(1))
		Expect(of(ob)()).To(inState("Grace"))
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Eventually(of(c.account(t))).Should(HaveField("Status.Retained", BeEmpty()), "it is left, not retained")
		}
	})

	It("P3, P4: is deleted and, when git revert brings the object back under a new UID, ends as if nothing had been", func() {
		create(c.policy("standard", brief(week)))
		heal := c.wecom.fault(core.Fault{Kind: core.KindLatency, Operation: "user/update", DelayMillis: 1500})
		released(e)
		heal()
		ob := c.theLeaving()
		Expect(ob.Spec).To(And(HaveField("Trigger", v1alpha1.TriggerDeleted), HaveField("Reason", "deleted without a declared departure")))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0), "the finalizer waited for the steps up to Notify")
		back := again()
		Eventually(of(ob)).Should(inState("Cancelled"))
		Eventually(of(back)).Should(And(beReady(), HaveField("Status.AccountsReady", "2/2"), HaveField("Status.OffboardingName", ob.Name),
			standsOn("wecom", And(HaveField("Origin", v1alpha1.OriginCreated), HaveField("FrozenBy", BeEmpty())))))
		Expect(onWeCom(c, "E0001")()).To(And(HaveField("Enable", 1), HaveField("Position", "工程师")))
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Expect(t.made("user/create", "")()).To(HaveLen(1))
		}
	})

	It("P6, P10: is deleted where that is held: the object goes, nothing is written, and a revert leaves no trace", func() {
		create(c.policy("standard", brief(0), unannounced(v1alpha1.UnannouncedHold)))
		writes := len(c.wecom.writes()) + len(c.dingtalk.writes())
		released(e)
		ob := c.theLeaving()
		Eventually(of(ob)).Should(inState("Held"))
		back := again()
		Eventually(of(ob)).Should(inState("Cancelled"))
		Eventually(of(back)).Should(And(beReady(), HaveField("Status.AccountsReady", "2/2")))
		Expect(len(c.wecom.writes()) + len(c.dingtalk.writes())).To(Equal(writes))
		change(back, titled("顾问"))
		Eventually(of(back)).Should(beReady())
		Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "顾问"))
	})

	It("P10: is deleted and let go when the policy's time is over, whatever the platform does", func() {
		soon := int64(1)
		create(c.policy("standard", brief(week), func(p *v1alpha1.OffboardingPolicy) { p.Spec.ReleaseAfterSeconds = &soon }))
		c.wecom.server.CloseClientConnections()
		c.wecom.server.Close()
		released(e)
		Eventually(of(c.theLeaving())).Should(leaves("dingtalk", taken("Grace", "Waiting")), "a dead tenant holds up only itself (P11)")
	})

	It("P10: is deleted and retained where the policy says so", func() {
		create(c.policy("standard", unannounced(v1alpha1.UnannouncedRetain)))
		released(e)
		Expect(c.leavings()).To(BeEmpty())
		Expect(of(c.account(c.wecom))()).To(HaveField("Status.Retained", ConsistOf(HaveField("UserID", "E0001"))))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
	})

	It("P4: leaves one account alone when it is taken off", func() {
		create(c.policy("standard", brief(1)))
		change(e, dingtalkOnly)
		Eventually(of(e)).Should(And(waiting("Leaving", "wecom"), HaveField("Status.AccountsReady", "1/1")))
		ob := c.theLeaving()
		Expect(ob.Spec).To(And(HaveField("Trigger", v1alpha1.TriggerAccountRemoved), HaveField("Accounts", ConsistOf(HaveField("Name", "wecom")))))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.Accounts", ConsistOf(HaveField("Name", "dingtalk")))))
		Expect(onWeCom(c, "E0001")()).To(BeNil())
		Expect(onDingTalk(c, "E0001")()).NotTo(BeNil())
		By("adding it back, which makes a new one")
		change(e, on[*v1alpha1.Employee]("dingtalk", "wecom"))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.AccountsReady", "2/2")))
		Expect(c.wecom.made("user/create", "")()).To(HaveLen(2))
	})

	It("P4: takes an account back that was taken off, while it is there", func() {
		create(c.policy("standard", brief(week)))
		change(e, dingtalkOnly)
		ob := c.theLeaving()
		Eventually(of(ob)).Should(inState("Grace"))
		change(e, on[*v1alpha1.Employee]("dingtalk", "wecom"))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.AccountsReady", "2/2"), standsOn("wecom", HaveField("FrozenBy", BeEmpty()))))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
		Expect(c.wecom.made("user/create", "")()).To(HaveLen(1))
	})

	It("P4: keeps what was left as it is once, when a policy comes later", func() {
		change(e, dingtalkOnly)
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", HaveField("Reason", "Retained"))))
		p := create(c.policy("standard", brief(0)))
		Eventually(of(p)).Should(beReady())
		change(e, titled("顾问"))
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", HaveField("Reason", "Retained"))))
		Expect(c.leavings()).To(BeEmpty())
	})

	It("P6: is frozen with the time at which that was admitted, until thawed", func() {
		change(e, frozen, wecomOnly)
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", HaveField("AdmittedTime", Not(BeNil())))))
		first := e.Status.Accounts[0].AdmittedTime
		later(&v1alpha1.Employee{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(time.Now())}})
		c.wecom.byHand("users", "E0001", `{"enable":1}`)
		c.resync(c.wecom)
		Eventually(onWeCom(c, "E0001")).Should(HaveField("Enable", 0))
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", HaveField("AdmittedTime", Equal(first)))), "a repair is not another")
		change(e, active)
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", HaveField("AdmittedTime", BeNil()))))
	})

	It("P6: keeps access beyond the limits, as it is, until somebody decides or the declaration is taken back", func() {
		change(c.account(c.wecom), func(a *v1alpha1.EnterpriseAccount) {
			one, all, none := int32(1), int32(100), int32(0)
			a.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: &one, Percent: &all, Floor: &none}
		})
		second := create(c.person("wang-fang", wecomOnly))
		Eventually(of(second)).Should(beReady())
		change(e, frozen)
		Eventually(of(e)).Should(standsOn("wecom", HaveField("State", v1alpha1.AccountFrozen)))
		writes := len(c.wecom.writes())
		change(second, frozen, titled("顾问"))
		Eventually(of(second)).Should(And(stalled("RemovalLimitReached", "E-603"), standsOn("wecom", And(
			HaveField("State", v1alpha1.AccountActive), HaveField("AdmittedTime", BeNil()), HaveField("FrozenBy", BeEmpty())))))
		Expect(onWeCom(c, "E0002")()).To(And(HaveField("Enable", 1), HaveField("Position", "工程师")))
		Expect(c.wecom.writes()).To(HaveLen(writes))
		change(second, active, titled("工程师"))
		Eventually(of(second)).Should(beReady())
		Expect(onWeCom(c, "E0002")()).To(HaveField("Enable", 1))
	})

	It("P3: keeps the number of a rule, while the leaving goes on and after it", func() {
		create(&v1alpha1.EmployeeNumberRule{ObjectMeta: c.meta("rule"), Spec: v1alpha1.EmployeeNumberRuleSpec{Pattern: "R{seq:4}"}})
		p := create(c.policy("standard", brief(week)))
		ruled := create(c.person("wang-fang", wecomOnly, func(e *v1alpha1.Employee) { e.Spec.Number, e.Spec.NumberRuleRef.Name = "", "rule" }))
		Eventually(of(ruled)).Should(And(beReady(), HaveField("Status.Number", "R0001")))
		c.leavers = append(c.leavers, "R0001")
		released(ruled)
		back := create(&v1alpha1.Employee{ObjectMeta: c.meta("wang-fang"), Spec: ruled.Spec})
		Eventually(of(back)).Should(And(beReady(), HaveField("Status.Number", "R0001")))
		Expect(c.wecom.made("user/create", "R0001")()).To(HaveLen(1))
		change(p, brief(0))
		released(back)
		Eventually(onWeCom(c, "R0001")).Should(BeNil())
		back = create(&v1alpha1.Employee{ObjectMeta: c.meta("wang-fang"), Spec: ruled.Spec})
		Eventually(of(back)).Should(And(beReady(), HaveField("Status.Number", "R0001"), HaveField("Status.OffboardingName", Not(BeEmpty()))))
		Expect(c.wecom.made("user/create", "R0001")()).To(HaveLen(2))
		By("which is nobody else's")
		other := create(c.person("zhao-min", wecomOnly, func(e *v1alpha1.Employee) { e.Spec.Number, e.Spec.NumberRuleRef.Name = "", "rule" }))
		Eventually(of(other)).Should(And(beReady(), HaveField("Status.Number", "R0002")))
	})

	It("whose people report to nobody there afterwards, and wait for nothing", func() {
		create(c.policy("standard", brief(0)))
		report := create(c.person("wang-fang", reportingTo("li-na")))
		Eventually(of(report)).Should(beReady())
		change(&v1alpha1.Department{ObjectMeta: c.meta("rd")}, ledBy("li-na"))
		change(e, departed)
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Departed")))
		Eventually(of(report)).Should(beReady())
		Eventually(of(&v1alpha1.Department{ObjectMeta: c.meta("rd")})).Should(beReady())
	})
})
