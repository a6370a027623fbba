package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
)

// onLeaving is what leaving does in a linked system.
func onLeaving(a v1alpha1.UnlinkAction) func(*v1alpha1.LinkedSystem) {
	return func(ls *v1alpha1.LinkedSystem) { ls.Spec.OnLeave = a }
}

// other is a linked system of the company with people in it.
type other struct {
	*linkedtest.Fake
	c  *company
	ls *v1alpha1.LinkedSystem
}

// linked is a running system in which nobody is made.
func (c *company) linked(name string, can linked.Capabilities, change ...func(*v1alpha1.LinkedSystem)) *other {
	GinkgoHelper()
	o := &other{Fake: linkedtest.NewFake(can), c: c}
	c.secret(name+"-credentials", map[string]string{"token": c.namespace + "-token-of-" + name})
	o.ls = create(c.system(name, o.Fake, append([]func(*v1alpha1.LinkedSystem){func(ls *v1alpha1.LinkedSystem) { ls.Spec.OnJoin = v1alpha1.OnJoinLinkOnly }}, change...)...))
	Eventually(of(o.ls)).Should(HaveField("Status.Conditions", ContainElement(And(HaveField("Type", "Healthy"), HaveField("Status", metav1.ConditionTrue)))))
	return o
}

func (o *other) reread() { o.c.reread(o.ls, o.Fake) }

// member is an account of the person in the system, in use and in two groups.
func (o *other) member(login string) v1alpha1.OffboardingLinkedAccount {
	GinkgoHelper()
	id := o.Place(linked.Account{Login: login, Number: "E0001", Enabled: true, Groups: []string{"staff", "vpn"}})
	o.reread()
	return v1alpha1.OffboardingLinkedAccount{Name: o.ls.Name, AccountID: id, Origin: v1alpha1.OriginCreated, OnLeave: v1alpha1.UnlinkDisable}
}

// account is how the account stands there; nil if there is none.
func (o *other) account(login string) func() *linked.Account { return at(o.Fake, login) }

func usable() types.GomegaMatcher { return HaveField("Enabled", true) }

func disabled() types.GomegaMatcher { return HaveField("Enabled", false) }

// down is a system of which nobody answers, until heal is called.
func (o *other) down() (heal func()) {
	o.Every("", linkedtest.Refused(directory.Unavailable))
	return func() { o.Every("", linkedtest.Fault{}) }
}

// unlinks has the leaving be of these linked accounts, too.
func unlinks(accounts ...v1alpha1.OffboardingLinkedAccount) func(*v1alpha1.OffboardingSpec) {
	return func(o *v1alpha1.OffboardingSpec) { o.LinkedAccounts = append(o.LinkedAccounts, accounts...) }
}

func becoming(a v1alpha1.OffboardingLinkedAccount, action v1alpha1.UnlinkAction) v1alpha1.OffboardingLinkedAccount {
	a.OnLeave = action
	return a
}

// tryingFor is how long a system may be down.
func tryingFor(seconds int64) func(*v1alpha1.OffboardingSpec) {
	return func(o *v1alpha1.OffboardingSpec) { o.Terms.UnlinkRetrySeconds = &seconds }
}

// record matches a leaving whose record of a linked system matches.
func record(system string, m ...types.GomegaMatcher) types.GomegaMatcher {
	return WithTransform(func(ob *v1alpha1.Offboarding) v1alpha1.UnlinkStatus {
		for _, a := range ob.Status.LinkedAccounts {
			if a.Name == system {
				return a
			}
		}
		return v1alpha1.UnlinkStatus{}
	}, And(m...))
}

func unlinkState(s v1alpha1.StepState) types.GomegaMatcher { return HaveField("State", s) }

func owed(name string) types.GomegaMatcher { return HaveField("Task.Name", name) }

var _ = Describe("Unlinking", func() {
	var c *company
	var e *v1alpha1.Employee

	BeforeEach(func() {
		c = founded()
		c.room()
		c.open(c.wecom, c.dingtalk)
		create(c.department("rd", "研发中心"))
		e = create(c.person("li-na", wecomOnly))
		Eventually(of(e)).Should(beReady())
	})

	// departs lets the person leave, whose object is gone.
	departs := func(change ...func(*v1alpha1.OffboardingSpec)) *v1alpha1.Offboarding {
		GinkgoHelper()
		ob := c.leave(e, change...)
		released(e)
		return create(ob)
	}

	It("P2: disables at once in every system, and does the rest when the account's steps have come to it", func() {
		mail, finance := c.linked("mail", linkedtest.Able()), c.linked("finance", linkedtest.Able())
		e = create(c.person("wang-fang", dingtalkOnly))
		Eventually(of(e)).Should(beReady())
		ob := departs(inGrace, unlinks(mail.member("li.na"), becoming(finance.member("li.na"), v1alpha1.UnlinkDelete)))
		Eventually(mail.account("li.na")).Should(disabled())
		Eventually(finance.account("li.na")).Should(disabled())
		Eventually(of(ob)).Should(And(stalled("ManualTask", "dingtalk/HandOver"), leaves("dingtalk", taken("HandOver", "Waiting")),
			record("mail", unlinkState("Waiting"), HaveField("DisabledTime", Not(BeNil())), HaveField("DisabledBy", v1alpha1.FrozenByRollcall))))
		Expect(mail.account("li.na")().Groups).To(HaveLen(2), "the groups are not due")
		confirm(ob, "dingtalk/HandOver")
		Eventually(of(ob)).Should(And(inState("Grace"), leaves("dingtalk", taken("UnlinkSystems", "Done")), record("mail", unlinkState("Done"), HaveField("Evidence", "read back: disabled, in no group")),
			record("finance", unlinkState("Done"), HaveField("Evidence", "read back: not found"))))
		Expect(mail.account("li.na")()).To(And(disabled(), HaveField("Groups", BeEmpty())))
		Expect(finance.account("li.na")()).To(BeNil())
		Eventually(c.told(ob)).Should(ContainElements("Disabled", "Unlinked"))
	})

	It("P2: takes access away again when somebody gives it back", func() {
		mail := c.linked("mail", linkedtest.Able())
		a := mail.member("li.na")
		ob := departs(unlinks(a))
		Eventually(of(ob)).Should(record("mail", HaveField("DisabledTime", Not(BeNil()))))
		mail.Change(a.AccountID, func(a *linked.Account) { a.Enabled = true })
		mail.reread()
		Eventually(mail.account("li.na")).Should(disabled())
	})

	It("P4: leaves alone what is retained, what the policy skips and what is not ours, and says so", func() {
		mail, finance := c.linked("mail", linkedtest.Able()), c.linked("finance", linkedtest.Able())
		kept, foreign := becoming(mail.member("li.na"), v1alpha1.UnlinkRetain), finance.member("li.na")
		foreign.Origin = v1alpha1.OriginCreating
		ob := departs(unhanded, inGrace, unlinks(kept, foreign))
		Eventually(of(ob)).Should(And(inState("Grace"), leaves("wecom", taken("UnlinkSystems", "Done")), says("AccessRevoked", "True", "InSync", "retained: mail, finance"),
			record("mail", unlinkState("Skipped"), HaveField("Message", ContainSubstring("Retain"))), record("finance", unlinkState("Skipped"))))
		Expect(append(mail.Writes(), finance.Writes()...)).To(BeEmpty())
	})

	It("P11: does not let a dead system stop a healthy one; the dead one becomes a task, which a person can do", func() {
		mail, finance := c.linked("mail", linkedtest.Able()), c.linked("finance", linkedtest.Able())
		dead, healthy := mail.member("li.na"), finance.member("li.na")
		mail.down()
		ob := departs(unhanded, inGrace, tryingFor(3), unlinks(dead, healthy))
		Eventually(of(ob)).Should(And(record("finance", unlinkState("Done")), record("mail", HaveField("Reason", "PlatformUnavailable"), HaveField("WaitingSince", Not(BeNil())), owed(""))))
		Expect(finance.account("li.na")()).To(disabled())
		Expect(ob.Status.Access).To(Equal(v1alpha1.AccessOpen), "somebody can sign in to the mail")
		Eventually(of(ob)).Should(And(stalled("ManualTask", "mail/Unlink"), record("mail", owed("mail/Unlink"), HaveField("Task.Todo", ContainSubstring(dead.AccountID)))))
		Expect(ob.Status.WaitingFor).To(Equal("mail/Unlink to be confirmed"))
		Expect(ob).To(leaves("wecom", And(taken("UnlinkSystems", "Waiting"), HaveField("State", v1alpha1.AccountFrozen))))
		confirm(ob, "mail/Unlink")
		Eventually(of(ob)).Should(And(inState("Grace"), record("mail", unlinkState("Done"), HaveField("Task.ConfirmedTime", Not(BeNil())), HaveField("Evidence", HavePrefix("confirmed by ")))))
	})

	It("P11: goes on by itself when a system is back, and the task goes", func() {
		mail := c.linked("mail", linkedtest.Able())
		a := mail.member("li.na")
		heal := mail.down()
		ob := departs(unhanded, inGrace, tryingFor(0), unlinks(a), func(o *v1alpha1.OffboardingSpec) {
			o.Terms.TimeLimits = []v1alpha1.StepTimeLimit{{Step: "Freeze", Seconds: 1}}
		})
		Eventually(of(ob)).Should(record("mail", owed("mail/Unlink")))
		usableTooLong := func() float64 {
			n, _ := c.gauge("rollcall_offboardings_overdue", map[string]string{"account": "linkedsystem/mail", "step": "Freeze"})
			return n
		}
		Eventually(usableTooLong).Should(BeEquivalentTo(1))
		heal()
		Eventually(of(ob)).Should(And(inState("Grace"), record("mail", unlinkState("Done"), owed(""), HaveField("WaitingSince", BeNil()))))
		Expect(mail.account("li.na")()).To(And(disabled(), HaveField("Groups", BeEmpty())))
		Eventually(usableTooLong).Should(BeZero())
	})

	It("P9: looks again at what somebody confirmed that is not so", func() {
		mail := c.linked("mail", linkedtest.Able())
		a := mail.member("li.na")
		mail.Every("Disable", linkedtest.Refused(directory.PermissionDenied))
		ob := departs(unhanded, inGrace, tryingFor(0), unlinks(a))
		Eventually(of(ob)).Should(record("mail", owed("mail/Unlink")))
		confirm(ob, "mail/Unlink")
		Eventually(of(ob)).Should(record("mail", HaveField("Task.ConfirmedTime", Not(BeNil()))))
		Consistently(of(ob), "500ms").Should(And(Not(inState("Grace")), record("mail", Not(unlinkState("Done")))))
		mail.Change(a.AccountID, func(a *linked.Account) { a.Enabled, a.Groups, a.Parked = false, nil, true })
		mail.reread()
		Eventually(of(ob)).Should(And(inState("Grace"), record("mail", unlinkState("Done"))))
	})

	It("P3: deletes once, whatever becomes of the answer", func() {
		mail := c.linked("mail", linkedtest.Able())
		a := becoming(mail.member("li.na"), v1alpha1.UnlinkDelete)
		mail.Next("Disable", linkedtest.Lost())
		mail.Next("Delete", linkedtest.Lost())
		ob := departs(unhanded, inGrace, unlinks(a))
		Eventually(of(ob)).Should(And(inState("Grace"), record("mail", unlinkState("Done"))))
		Expect(mail.Calls("Delete")).To(HaveLen(1))
		Expect(mail.account("li.na")()).To(BeNil())
	})

	It("P5: says so when the account is gone by no act of ours", func() {
		mail := c.linked("mail", linkedtest.Able())
		a := mail.member("li.na")
		mail.Take(a.AccountID)
		mail.reread()
		ob := departs(unhanded, inGrace, unlinks(a))
		Eventually(of(ob)).Should(And(inState("Grace"), record("mail", unlinkState("Skipped"), HaveField("Message", ContainSubstring("by no act of Rollcall")))))
	})

	It("leaves to a person what a system cannot do", func() {
		can := linkedtest.Able()
		can.DisableRemoves = true
		code := c.linked("code", can)
		ob := departs(unhanded, inGrace, unlinks(code.member("li.na")))
		Eventually(of(ob)).Should(And(stalled("ManualTask", "code/Unlink"), record("code", owed("code/Unlink"))))
		Expect(code.Writes()).To(BeEmpty())
	})

	It("is all that there is to a leaving where only linked accounts are ours", func() {
		mail := c.linked("mail", linkedtest.Able())
		ob := departs(unlinks(mail.member("li.na")), func(o *v1alpha1.OffboardingSpec) { o.Accounts = nil })
		Eventually(of(ob)).Should(And(inState("Complete"), beReady(), record("mail", unlinkState("Done")), HaveField("Status.Access", v1alpha1.AccessRevoked)))
		Expect(mail.account("li.na")()).To(disabled())
		Eventually(of(ob)).Should(HaveField("Finalizers", BeEmpty()))
	})

	It("P10: goes on when it is deleted, and lets go when nobody can be called", func() {
		mail := c.linked("mail", linkedtest.Able())
		a := mail.member("li.na")
		mail.Every("Disable", linkedtest.Refused(directory.Unavailable))
		ob := departs(unlinks(a), func(o *v1alpha1.OffboardingSpec) { o.Accounts = nil })
		Eventually(of(ob)).Should(record("mail", HaveField("WaitingSince", Not(BeNil()))))
		remove(ob)
		Eventually(of(ob)).Should(says("Ready", "False", "OffboardingEnding", "E-614"))
		change(&v1alpha1.LinkedSystem{ObjectMeta: c.meta("mail")}, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode = v1alpha1.ModeSuspended })
		Eventually(exists(ob)).Should(BeFalse())
		Expect(mail.account("li.na")()).To(usable(), "it is left as it is")
	})

	It("P4: leaves alone who has the id in another system of the same name, and the rest to a person", func() {
		mail := c.linked("mail", linkedtest.Able())
		a := mail.member("li.na")
		a.SystemUID = "another"
		ob := departs(unhanded, inGrace, tryingFor(0), unlinks(a))
		Eventually(of(ob)).Should(record("mail", HaveField("Reason", "ManualTask"), HaveField("Message", ContainSubstring("another one"))))
		Expect(mail.Writes()).To(BeEmpty())
	})

	It("P10: calls a system that is going for those who leave, until it is not to be called at all", func() {
		mail := c.linked("mail", linkedtest.Able())
		a := mail.member("li.na")
		mail.Every("Disable", linkedtest.Refused(directory.Unavailable))
		ob := departs(unlinks(a), func(o *v1alpha1.OffboardingSpec) { o.Accounts = nil })
		Eventually(of(ob)).Should(record("mail", HaveField("WaitingSince", Not(BeNil()))))
		remove(mail.ls)
		Eventually(of(mail.ls)).Should(HaveField("DeletionTimestamp", Not(BeNil())))
		change(mail.ls, func(ls *v1alpha1.LinkedSystem) { ls.Spec.CredentialsSecretRef.Name = "nothing" })
		Eventually(mail.Closed).Should(BeTrue(), "it has no credentials")
		Eventually(of(ob)).Should(record("mail", HaveField("Message", ContainSubstring("not connected"))))
		Eventually(of(mail.ls)).Should(says("Healthy", "False", "CredentialsMissing"))
	})

	It("P6, P7: disables nobody whose leaving somebody has to decide about, and lets them be when the answer is no", func() {
		none := int32(0)
		change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("wecom")}, func(a *v1alpha1.EnterpriseAccount) {
			a.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: &none, Floor: &none}
		})
		mail := c.linked("mail", linkedtest.Able())
		ob := departs(unhanded, unlinks(mail.member("li.na")))
		Eventually(of(ob)).Should(And(inState("Held"), record("mail", unlinkState("Pending"), HaveField("Reason", "Leaving"), HaveField("AdmittedTime", BeNil()))))
		Eventually(c.asked).Should(ContainElement(HaveField("Spec.AccountName", "wecom")))
		all, err := c.asked()
		Expect(err).NotTo(HaveOccurred())
		Expect(all).To(HaveLen(1), "the system's own limits are not reached")
		change(&all[0], func(a *v1alpha1.Approval) {
			a.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: v1alpha1.VerdictRejected, By: "chen.jing", Digest: a.Spec.Digest}
		})
		Eventually(of(ob)).Should(And(inState("Cancelled"), record("mail", unlinkState("Skipped"), HaveField("Message", HavePrefix("rejected by ")))))
		Expect(mail.Writes()).To(BeEmpty())
	})

	It("P10: leaves to a person what a system that is suspended for good keeps from being done", func() {
		mail := c.linked("mail", linkedtest.Able())
		a := mail.member("li.na")
		change(mail.ls, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode = v1alpha1.ModeSuspended })
		ob := departs(unhanded, inGrace, tryingFor(0), unlinks(a))
		Eventually(of(ob)).Should(record("mail", HaveField("Reason", "ManualTask"), HaveField("Message", ContainSubstring("Suspended"))))
		confirm(ob, "mail/Unlink")
		Eventually(of(ob)).Should(And(inState("Grace"), record("mail", unlinkState("Done"))))
		Expect(mail.Writes()).To(BeEmpty())
	})

	It("changes nothing where the system is observed", func() {
		mail := c.linked("mail", linkedtest.Able(), func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode = v1alpha1.ModeObserve })
		ob := departs(unhanded, unlinks(mail.member("li.na")))
		Eventually(of(ob)).Should(record("mail", HaveField("Reason", "WouldChange")))
		Expect(mail.Writes()).To(BeEmpty())
		change(&v1alpha1.LinkedSystem{ObjectMeta: c.meta("mail")}, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode = v1alpha1.ModeEnforce })
		Eventually(of(ob)).Should(record("mail", unlinkState("Done")))
	})
})

// unlinking is brief, and leaves no linked system out.
func unlinking(p *v1alpha1.OffboardingPolicy) {
	p.Spec.SkipSteps = []v1alpha1.SkippableStep{"HandOver", "RevokePermissions", "Notify", "ResidualCheck"}
}

var _ = Describe("Somebody with linked accounts", func() {
	var c *company
	var mail, finance *other
	var e *v1alpha1.Employee
	var trail *trail

	BeforeEach(func() {
		c = staffed()
		c.leavers = append(c.leavers, "E0001")
		trail = c.trailOf("linkedsystem/finance")
		mail, finance = c.linked("mail", linkedtest.Able(), provisioning), c.linked("finance", linkedtest.Able(), provisioning, onLeaving(v1alpha1.UnlinkDelete))
		e = create(c.person("li-na", wecomOnly, linkedTo("mail", "finance")))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.LinkedReady", "2/2")))
	})

	id := func(system string) string {
		for _, l := range e.Status.LinkedAccounts {
			if l.Name == system {
				return l.AccountID
			}
		}
		return ""
	}

	It("P2, P3: departs from all of them, is enabled again when declared again in grace, and made anew where the account was deleted", func() {
		create(c.policy("standard", brief(week), unlinking))
		stored := id("mail")
		change(e, departed)
		ob := c.theLeaving()
		Expect(ob.Spec.LinkedAccounts).To(ConsistOf(
			And(HaveField("Name", "mail"), HaveField("AccountID", stored), HaveField("Origin", v1alpha1.OriginCreated), HaveField("OnLeave", v1alpha1.UnlinkDisable)),
			And(HaveField("Name", "finance"), HaveField("OnLeave", v1alpha1.UnlinkDelete))))
		Eventually(of(ob)).Should(And(inState("Grace"), record("mail", unlinkState("Done")), record("finance", unlinkState("Done"))))
		Expect(mail.account("E0001")()).To(disabled())
		Expect(finance.account("E0001")()).To(BeNil())
		for _, system := range []string{"mail", "finance"} {
			Eventually(of(e)).Should(linkedAs(system, And(HaveField("State", v1alpha1.LinkedUnlinked), linkReason(""))))
			Eventually(of(&v1alpha1.LinkedSystem{ObjectMeta: c.meta(system)})).Should(HaveField("Status.Accounts", And(
				HaveField("Linked", HaveValue(BeZero())), HaveField("Disabled", HaveValue(BeZero())), HaveField("Waiting", HaveValue(BeZero())))), "nobody waits for it in grace")
		}
		change(e, active)
		Eventually(of(ob)).Should(inState("Cancelled"))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.LinkedReady", "2/2"), linkedAs("mail", And(HaveField("AccountID", stored), HaveField("State", v1alpha1.LinkedActive)))))
		Expect(mail.account("E0001")()).To(usable())
		Expect(finance.account("E0001")()).To(usable())
		Expect(mail.Calls("Create")).To(HaveLen(1), "it is the account that was there")
	})

	It("P3: comes back under another UID in grace, and after it, to the account by its id and no other", func() {
		create(c.policy("standard", brief(week), unlinking))
		stored := id("mail")
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
		ob := c.theLeaving()
		Eventually(of(ob)).Should(inState("Grace"))
		Expect(mail.account("E0001")()).To(disabled())
		By("renaming the account there, and giving its login and number to somebody else")
		mail.Change(stored, func(a *linked.Account) { a.Login, a.Number = "renamed", "" })
		mail.Place(linked.Account{Login: "E0001", Number: "E0001", Enabled: true})
		mail.reread()
		again := create(&v1alpha1.Employee{ObjectMeta: c.meta("li-na"), Spec: e.Spec})
		Eventually(of(ob)).Should(inState("Cancelled"))
		Eventually(of(again)).Should(linkedAs("mail", And(HaveField("AccountID", stored), HaveField("State", v1alpha1.LinkedActive))))
		Expect(mail.account("renamed")()).To(usable())
	})

	It("P11: comes back to the account on the platform, whatever a dead system does", func() {
		create(c.policy("standard", brief(week), unlinking))
		heal := mail.down()
		change(e, departed)
		ob := c.theLeaving()
		Eventually(of(ob)).Should(And(leaves("wecom", taken("UnlinkSystems", "Waiting")), record("finance", unlinkState("Done")), record("mail", HaveField("WaitingSince", Not(BeNil())))))
		change(e, active, func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = e.Spec.LinkedAccounts[1:] }) // but the mail
		Eventually(onWeCom(c, "E0001")).Should(HaveField("Enable", 1))
		Eventually(finance.account("E0001")).Should(usable())
		Expect(of(ob)()).To(record("mail", Not(unlinkState("Done"))), "what is not declared again is still left")
		heal()
		Eventually(of(ob)).Should(And(inState("Cancelled"), record("mail", unlinkState("Done"))))
		Expect(mail.account("E0001")()).To(disabled())
	})

	It("leaves linked accounts only, where no other is ours", func() {
		create(c.policy("standard", brief(0), unlinking))
		change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("dingtalk")}, mode(v1alpha1.ModeSuspended))
		other := create(c.person("zhao-lei", dingtalkOnly, linkedTo("mail")))
		Eventually(of(other)).Should(linkedAs("mail", HaveField("State", v1alpha1.LinkedActive)))
		change(other, departed)
		Eventually(c.leavings).Should(ConsistOf(And(HaveField("Spec.Accounts", BeEmpty()), HaveField("Spec.LinkedAccounts", HaveLen(1)), inState("Complete"))))
		Expect(mail.account(other.Status.Number)()).To(disabled())
		Eventually(of(other)).Should(linkedAs("mail", HaveField("State", v1alpha1.LinkedUnlinked)))
		remove(other)
		Eventually(exists(other)).Should(BeFalse())
		Expect(c.leavings()).To(HaveLen(1))
	})

	It("P6: waits where more would lose access to a system than its limits allow", func() {
		create(c.policy("standard", brief(week), unlinking))
		none := int32(0)
		change(mail.ls, func(ls *v1alpha1.LinkedSystem) {
			ls.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: &none, Floor: &none}
		})
		change(e, departed)
		ob := c.theLeaving()
		Eventually(of(ob)).Should(And(record("mail", HaveField("Reason", "RemovalLimitReached"), HaveField("AdmittedTime", BeNil())), record("finance", unlinkState("Done"))))
		Expect(mail.account("E0001")()).To(usable())
		Eventually(c.asked).Should(ContainElement(And(HaveField("Spec.AccountName", "linkedsystem/mail"), HaveField("Spec.Subjects", ConsistOf(HaveField("Name", ob.Name))))))
		all, err := c.asked()
		Expect(err).NotTo(HaveOccurred())
		change(&all[0], func(a *v1alpha1.Approval) {
			a.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: v1alpha1.VerdictApproved, By: "chen.jing", Digest: a.Spec.Digest}
		})
		Eventually(of(ob)).Should(record("mail", unlinkState("Done")))
	})

	It("P8: leaves a record of each act", func() {
		create(c.policy("standard", brief(0), unlinking))
		change(e, departed)
		Eventually(of(c.theLeaving())).Should(inState("Complete"))
		for _, action := range []string{"Disable", "Unlink", "Delete"} {
			Expect(trail.of(action)).To(ConsistOf(HaveField("Phase", audit.Intent), HaveField("Phase", audit.Outcome)), action)
		}
		Expect(trail.of("Delete")[0]).To(And(HaveField("Reason", "合同到期"), HaveField("Actor.Kind", "Offboarding"), HaveField("Target.ID", id("finance"))))
	})

	It("is rehearsed, which calls nobody", func() {
		Eventually(of(create(c.policy("standard", brief(week), unlinking)))).Should(beReady())
		calls := len(mail.Calls()) + len(finance.Calls())
		ob := create(&v1alpha1.Offboarding{ObjectMeta: c.meta("what-if"), Spec: v1alpha1.OffboardingSpec{
			Mode: v1alpha1.OffboardingRehearse, EmployeeRef: v1alpha1.EmployeeReference{Name: "li-na"},
		}})
		Eventually(of(ob)).Should(inState("Rehearsed"))
		Expect(ob.Status.Rehearsal.Steps).To(ContainElements(
			And(HaveField("Account", "mail"), HaveField("What", "disable the account at once, take it out of its groups, look for what is left")),
			And(HaveField("Account", "finance"), HaveField("What", ContainSubstring("delete it")), HaveField("Calls", ContainElement("Delete"))),
			And(HaveField("Account", "wecom"), HaveField("Step", v1alpha1.OffboardingStepName("UnlinkSystems")), HaveField("What", ContainSubstring("mail")))))
		Expect(len(mail.Calls()) + len(finance.Calls())).To(Equal(calls))
		Expect(of(e)()).To(beReady())
	})
})

func provisioning(ls *v1alpha1.LinkedSystem) { ls.Spec.OnJoin = v1alpha1.OnJoinProvision }
