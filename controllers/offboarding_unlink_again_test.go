package controllers_test

import (
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
)

var _ = Describe("Somebody who has left linked systems", func() {
	var c *company
	var mail, door *other
	var e *v1alpha1.Employee

	// departing lets a person of both systems leave by the policy.
	departing := func(change ...func(*v1alpha1.OffboardingPolicy)) (id string) {
		GinkgoHelper()
		create(c.policy("standard", append([]func(*v1alpha1.OffboardingPolicy){brief(week), unlinking}, change...)...))
		mail, door = c.linked("mail", linkedtest.Able(), provisioning), c.linked("door", linkedtest.Able(), provisioning)
		e = create(c.person("li-na", wecomOnly, linkedTo("mail", "door")))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.LinkedReady", "2/2")))
		return e.Status.LinkedAccounts[0].AccountID
	}

	decide := func(v v1alpha1.ApprovalVerdict) {
		GinkgoHelper()
		var open []v1alpha1.Approval
		Eventually(func() ([]v1alpha1.Approval, error) {
			all, err := c.asked()
			open = slices.DeleteFunc(all, func(a v1alpha1.Approval) bool { return a.Spec.Decision.Verdict != "" })
			return open, err
		}).Should(HaveLen(1))
		change(&open[0], func(a *v1alpha1.Approval) {
			a.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: v, By: "chen.jing", Digest: a.Spec.Digest}
		})
	}

	BeforeEach(func() {
		c = staffed()
		c.leavers = append(c.leavers, "E0001")
	})

	It("P2: leaves again what they came back to, while the leaving before goes on in a dead system", func() {
		departing()
		heal := door.down()
		change(e, departed)
		first := c.theLeaving()
		Eventually(of(first)).Should(And(record("mail", unlinkState("Done")), record("door", HaveField("WaitingSince", Not(BeNil())))))
		change(e, active, func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = e.Spec.LinkedAccounts[:1] })
		Eventually(mail.account("E0001")).Should(usable())
		Eventually(of(e)).Should(linkedAs("mail", HaveField("OffboardingName", BeEmpty())))
		change(e, departed)
		Eventually(mail.account("E0001")).Should(disabled())
		Eventually(of(e)).Should(linkedAs("mail", HaveField("State", v1alpha1.LinkedUnlinked)))
		Expect(of(first)()).To(record("door", Not(unlinkState("Done"))))
		heal()
		Eventually(of(first)).Should(record("door", unlinkState("Done")))
		Eventually(of(e)).Should(linkedAs("door", HaveField("State", v1alpha1.LinkedUnlinked)))
		Expect(door.account("E0001")()).To(disabled())
	})

	It("P2: is taken off a system that they came back to, while the leaving goes on in a dead one", func() {
		departing()
		door.down()
		change(e, departed)
		Eventually(of(c.theLeaving())).Should(record("mail", unlinkState("Done")))
		change(e, active, func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = e.Spec.LinkedAccounts[:1] })
		Eventually(mail.account("E0001")).Should(usable())
		change(e, func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = nil })
		Eventually(mail.account("E0001")).Should(disabled())
	})

	It("P2, P7: is asked about again, in every system, when they are declared anew to leave after a no", func() {
		departing(func(p *v1alpha1.OffboardingPolicy) {
			p.Spec.Approval.RequiredFor = []v1alpha1.ApprovalCase{v1alpha1.CaseDeparture}
		})
		change(e, departed)
		decide(v1alpha1.VerdictRejected)
		Eventually(of(e)).Should(And(stalled("ApprovalRejected"), linkedAs("mail", linkReason("ApprovalRejected"))))
		change(e, func(e *v1alpha1.Employee) { e.Spec.StateReason = "主动离职" })
		decide(v1alpha1.VerdictApproved)
		Eventually(mail.account("E0001")).Should(disabled())
		Eventually(door.account("E0001")).Should(disabled())
	})

	It("P2: leaves an account also when they are declared again with another one", func() {
		stored := departing()
		heal := mail.down()
		change(e, departed)
		ob := c.theLeaving()
		Eventually(of(ob)).Should(record("mail", HaveField("WaitingSince", Not(BeNil()))))
		other := mail.Place(linked.Account{Login: "li.na", Enabled: true})
		change(e, active, pinnedTo("mail", other))
		Eventually(of(e)).Should(linkedAs("door", And(HaveField("State", v1alpha1.LinkedActive), linkReason(""))))
		heal()
		Eventually(mail.account("E0001")).Should(disabled())
		Eventually(of(ob)).Should(record("mail", unlinkState("Done")))
		Eventually(of(e)).Should(And(beReady(), linkedAs("mail", And(accountID(other), HaveField("Origin", v1alpha1.OriginAdopted)))))
		Expect(mail.account("E0001")()).To(And(HaveField("ID", stored), disabled()))
	})

	It("P4: does not come back to an account that somebody else was given", func() {
		stored := departing(func(p *v1alpha1.OffboardingPolicy) { p.Spec.GraceSeconds = new(int64) })
		change(e, departed)
		Eventually(of(c.theLeaving())).Should(inState("Complete"))
		later(e)
		heir := create(c.person("wang-fang", wecomOnly, linkedTo("mail"), pinnedTo("mail", stored)))
		mail.Change(stored, func(a *linked.Account) { a.Login, a.Number, a.Enabled = "E0002", "E0002", true })
		mail.reread()
		Eventually(of(heir)).Should(And(beReady(), linkedAs("mail", accountID(stored))))
		change(e, active)
		Eventually(of(e)).Should(linkedAs("mail", And(HaveField("Origin", v1alpha1.OriginCreated), accountID(And(Not(BeEmpty()), Not(Equal(stored)))))))
		Eventually(of(heir)).Should(And(beReady(), says("Unique", "True", "InSync")))
		Expect(mail.Calls("Enable")).To(BeEmpty())
	})
})

var _ = Describe("Somebody who has departed before they were linked", func() {
	var c *company

	BeforeEach(func() {
		c = staffed()
		c.leavers = append(c.leavers, "E0001")
	})

	// comes creates somebody who has departed and has that account.
	comes := func(mail *other) *v1alpha1.Employee {
		GinkgoHelper()
		mail.Place(linked.Account{ID: "theirs", Login: "li.na", Enabled: true})
		mail.reread()
		return create(c.person("li-na", wecomOnly, departed, linkedTo("mail"), pinnedTo("mail", "theirs")))
	}

	It("P7: is left by the policy, with the approvals that it wants", func() {
		create(c.policy("standard", brief(0), unlinking, func(p *v1alpha1.OffboardingPolicy) {
			p.Spec.Approval.RequiredFor = []v1alpha1.ApprovalCase{v1alpha1.CaseDeparture}
		}))
		mail := c.linked("mail", linkedtest.Able())
		e := comes(mail)
		Eventually(c.asked).Should(HaveLen(1))
		Eventually(of(e)).Should(linkedAs("mail", And(HaveField("Origin", v1alpha1.OriginAdopted), HaveField("DisabledBy", BeEmpty()))))
		Expect(mail.Writes()).To(BeEmpty())
		all, err := c.asked()
		Expect(err).NotTo(HaveOccurred())
		change(&all[0], func(a *v1alpha1.Approval) {
			a.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: v1alpha1.VerdictApproved, By: "chen.jing", Digest: a.Spec.Digest}
		})
		Eventually(mail.account("li.na")).Should(disabled())
		Eventually(of(e)).Should(linkedAs("mail", HaveField("State", v1alpha1.LinkedUnlinked)))
	})

	It("P4: keeps what onLeave retains, also where no policy says how to leave", func() {
		mail := c.linked("mail", linkedtest.Able(), onLeaving(v1alpha1.UnlinkRetain))
		e := comes(mail)
		Eventually(of(e)).Should(linkedAs("mail", And(HaveField("Origin", v1alpha1.OriginAdopted), linkReason(""))))
		create(c.policy("standard", brief(0), unlinking))
		Eventually(of(c.theLeaving())).Should(And(inState("Complete"), record("mail", unlinkState("Skipped"))))
		Expect(mail.Writes()).To(BeEmpty())
	})

	It("P4: has of two accounts with the number the one that is nobody else's", func() {
		mail := c.linked("mail", linkedtest.Able(), func(ls *v1alpha1.LinkedSystem) { ls.Spec.Attributes = nil })
		mail.Place(linked.Account{ID: "one", Login: "li.na", Number: "E0001", Enabled: true})
		mail.Place(linked.Account{ID: "two", Login: "na.li", Number: "E0001", Enabled: true})
		mail.reread()
		e := create(c.person("li-na", wecomOnly, linkedTo("mail")))
		Eventually(of(e)).Should(stalled("DataConflict", "2 accounts"))
		other := create(c.person("wang-fang", wecomOnly, linkedTo("mail"), pinnedTo("mail", "one")))
		Eventually(of(other)).Should(And(beReady(), linkedAs("mail", accountID("one"))))
		change(e, titled("经理"))
		Eventually(of(e)).Should(And(beReady(), linkedAs("mail", accountID("two"))))
		Expect(slices.Sorted(maps.Keys(mail.Accounts()))).To(Equal([]string{"li.na", "na.li"}))
		Expect(mail.Writes()).To(BeEmpty())
	})
})
