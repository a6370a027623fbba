package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
)

// pinnedTo is the account that the person is declared to have in the system.
func pinnedTo(system, id string) func(*v1alpha1.Employee) {
	return link(system, func(l *v1alpha1.LinkedAccount) { l.AccountID = id })
}

func accountID(m any) types.GomegaMatcher { return HaveField("AccountID", m) }

var _ = Describe("Whose a linked account is", func() {
	var c *company

	BeforeEach(func() {
		c = founded()
		c.room()
		c.open(c.wecom, c.dingtalk)
		create(c.department("rd", "研发中心"))
	})

	It("P3, P4: is not taken from somebody who has left by whoever claims their number by mistake, nor is the leaving cancelled by that", func() {
		c.leavers = append(c.leavers, "E0001")
		create(c.policy("standard", brief(week), unlinking))
		mail := c.linked("mail", linkedtest.Able(), provisioning)
		left := create(c.person("li-na", wecomOnly, linkedTo("mail")))
		Eventually(of(left)).Should(And(beReady(), HaveField("Status.LinkedReady", "1/1")))
		stored := left.Status.LinkedAccounts[0].AccountID
		change(left, departed)
		ob := c.theLeaving()
		Eventually(of(ob)).Should(And(inState("Grace"), record("mail", unlinkState("Done"))))

		e := create(c.person("wang-fang", wecomOnly, linkedTo("mail"), numbered("E0001")))
		Eventually(of(e)).Should(And(stalled("DataConflict", "li-na"), linkedAs("mail", And(linkReason("WaitingForNumber"), HaveField("Origin", BeEmpty()), accountID(BeEmpty())))))
		Consistently(of(ob), "500ms").Should(inState("Grace"))
		change(e, numbered("E0002"))
		Eventually(of(e)).Should(And(beReady(), linkedAs("mail", accountID(And(Not(BeEmpty()), Not(Equal(stored)))))))
		Expect(mail.account("E0001")()).To(disabled())
		Expect(mail.Calls("Enable")).To(BeEmpty())
	})

	It("P2, P4: is the leaving's until it is over, whoever declares the account meanwhile", func() {
		gone := create(c.person("li-na", wecomOnly))
		Eventually(of(gone)).Should(beReady())
		mail := c.linked("mail", linkedtest.Able())
		a := mail.member("li.na")
		heal := mail.down()
		ob := c.leave(gone, unhanded, unlinks(a))
		released(gone)
		create(ob)
		Eventually(of(ob)).Should(record("mail", HaveField("WaitingSince", Not(BeNil()))))
		e := create(c.person("wang-fang", wecomOnly, linkedTo("mail"), pinnedTo("mail", a.AccountID)))
		Eventually(of(e)).Should(And(stalled("DataConflict", ob.Name), linkedAs("mail", HaveField("Origin", BeEmpty()))))
		heal()
		Eventually(mail.account("li.na")).Should(disabled())
		Eventually(of(ob)).Should(And(inState("Complete"), record("mail", unlinkState("Done"))))
		By("it is over, and the account can be had as it is")
		Eventually(of(e)).Should(linkedAs("mail", And(HaveField("Origin", v1alpha1.OriginAdopted), linkReason("FrozenElsewhere"))))
		Expect(mail.Calls("Enable")).To(BeEmpty())
	})

	It("P5: is nobody's once it vanished and was let go, also of somebody who had come back to it", func() {
		c.leavers = append(c.leavers, "E0001")
		create(c.policy("standard", brief(week), unlinking))
		mail := c.linked("mail", linkedtest.Able(), provisioning)
		mail.Place(linked.Account{Login: "root", Enabled: true}) // a listing of nobody is not believed
		e := create(c.person("li-na", wecomOnly, linkedTo("mail")))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.LinkedReady", "1/1")))
		stored := e.Status.LinkedAccounts[0].AccountID
		spec := e.Spec
		released(e)
		again := create(&v1alpha1.Employee{ObjectMeta: c.meta("li-na"), Spec: spec})
		Eventually(of(again)).Should(And(beReady(), linkedAs("mail", accountID(stored))))
		mail.Take(stored)
		mail.reread()
		Eventually(of(again)).Should(stalled("Vanished"))
		change(again, func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = nil })
		Eventually(of(again)).Should(HaveField("Status.LinkedAccounts", BeEmpty()))
		change(again, linkedTo("mail"))
		Eventually(of(again)).Should(And(beReady(), linkedAs("mail", And(accountID(Not(Equal(stored))), HaveField("Origin", v1alpha1.OriginCreated)))))
	})

	It("P4: is not that of a namesake whose object went by force amid the creation", func() {
		f, _ := c.mail()
		arrived, release := make(chan struct{}), make(chan struct{})
		f.Next("Create", linkedtest.Fault{Before: func(context.Context) { close(arrived); <-release }})
		gone := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(arrived).Should(BeClosed())
		remove(gone)
		change(gone, func(e *v1alpha1.Employee) { e.Finalizers = nil })
		Eventually(exists(gone)).Should(BeFalse())
		close(release)
		Eventually(at(f, "E0001")).ShouldNot(BeNil())
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(And(beReady(), linkedAs("mail", HaveField("State", v1alpha1.LinkedActive))))
		Expect(f.Accounts()).To(HaveKey("E0002"))
		Expect(e).To(linkedAs("mail", accountID(at(f, "E0002")().ID)))
	})

	It("P4: is not kept from others by somebody who has left and has it no more", func() {
		c.leavers = append(c.leavers, "E0001")
		create(c.policy("standard", brief(0), unlinking))
		mail := c.linked("mail", linkedtest.Able(), onLeaving(v1alpha1.UnlinkRetain))
		mail.Place(linked.Account{ID: "shared", Login: "team", Enabled: true})
		left := create(c.person("li-na", wecomOnly, linkedTo("mail"), pinnedTo("mail", "shared")))
		Eventually(of(left)).Should(beReady())
		later(left)
		e := create(c.person("wang-fang", wecomOnly, linkedTo("mail"), pinnedTo("mail", "shared")))
		Eventually(of(e)).Should(stalled("DataConflict", "li-na"))
		change(left, departed)
		Eventually(of(c.theLeaving())).Should(inState("Complete"))
		Eventually(of(e)).Should(And(beReady(), says("Unique", "True", "InSync"), linkedAs("mail", accountID("shared"))))
	})

	It("P9: is not said to be as declared while another mapping was never written", func() {
		f, ls := c.mail()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		change(ls, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode = v1alpha1.ModeSuspended })
		Eventually(f.Closed).Should(BeTrue())
		Consistently(of(e), "300ms").Should(beReady(), "what was seen of this very declaration holds")
		f.Every("", linkedtest.Refused(directory.Unavailable))
		change(ls, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode, ls.Spec.Attributes[1].Value = "", `"经理"` })
		Eventually(of(e)).Should(And(waiting("WaitingForAccount", "mail"), HaveField("Status.LinkedReady", "0/1")))
		f.Every("", linkedtest.Fault{})
		Eventually(at(f, "E0001")).Should(attribute("title", "经理"))
		Eventually(of(e)).Should(beReady())
	})

	// blind is a system that is never read, and does nothing twice.
	blind := func() *linkedtest.Fake {
		GinkgoHelper()
		can := linkedtest.Able()
		can.Lists, can.Reads = false, false
		f := linkedtest.NewFake(can)
		f.Once = true
		c.secret("mail-credentials", map[string]string{"token": c.namespace + "-token-of-mail"})
		create(c.system("mail", f))
		f.Every("Create", linkedtest.Lost())
		return f
	}

	It("P2, P3: is asked for again of a system that cannot be read, to take access away from who left before the answer", func() {
		f := blind()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(linkedAs("mail", HaveField("Origin", v1alpha1.OriginCreating)))
		Eventually(at(f, "E0001")).ShouldNot(BeNil())
		change(e, departed)
		Eventually(of(e)).Should(linkedAs("mail", And(linkReason("ManualTask"), HaveField("Origin", v1alpha1.OriginCreating))))
		f.Every("Create", linkedtest.Fault{})
		Eventually(at(f, "E0001")).Should(enabled(false))
		Expect(f.Accounts()).To(HaveLen(1))
	})

	It("P9: is written once more where an earlier mapping comes back, also by another manager, although nobody can read that it was not", func() {
		f := blind()
		f.Every("Create", linkedtest.Fault{})
		ls := &v1alpha1.LinkedSystem{ObjectMeta: c.meta("mail")}
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		for i, title := range []string{"经理", "实习生", "经理"} {
			change(ls, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Attributes[1].Value = `"` + title + `"` })
			Eventually(at(f, "E0001")).Should(attribute("title", title))
			Eventually(of(e)).Should(linkedAs("mail", And(linkReason(""), HaveField("Updates", BeEquivalentTo(i+1)))))
			manager.stop()
			manager.start()
		}
	})

	It("P9: is told of where it stays as it is when the object goes", func() {
		f, _ := c.mail()
		create(c.policy("standard", unannounced(v1alpha1.UnannouncedRetain)))
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		released(e)
		Eventually(c.events(e)).Should(ContainElement(And(HaveField("Reason", "Retained"), HaveField("Note", ContainSubstring("mail")))))
		Expect(at(f, "E0001")()).To(enabled(true))
	})

	It("P9: is told of when nobody knows whether it is there and the object goes", func() {
		f := blind()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(linkedAs("mail", HaveField("Origin", v1alpha1.OriginCreating)))
		change(&v1alpha1.LinkedSystem{ObjectMeta: c.meta("mail")}, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode = v1alpha1.ModeSuspended })
		Eventually(f.Closed).Should(BeTrue())
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
		Eventually(c.events(e)).Should(ContainElement(And(HaveField("Reason", "ManualTask"), HaveField("Note", ContainSubstring("mail")))))
	})
})
