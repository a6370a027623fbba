package controllers_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/rollcall/api/v1alpha1"
)

var _ = Describe("Linked accounts", func() {
	var c *company

	BeforeEach(func() {
		c = founded()
		c.open(c.wecom)
		create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
	})

	It("P6: of more people than the limits allow are not disabled before somebody has decided", func() {
		limit := int32(2)
		f, ls := c.mail(func(ls *v1alpha1.LinkedSystem) {
			ls.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: &limit, Floor: &limit}
		})
		var staff []*v1alpha1.Employee
		for i := range 6 {
			staff = append(staff, create(c.person(fmt.Sprintf("person-%d", i), quietly, linkedTo("mail"))))
		}
		for _, e := range staff {
			Eventually(of(e)).Should(beReady())
		}
		disabled := func() (n int) {
			for _, a := range f.Accounts() {
				if !a.Enabled {
					n++
				}
			}
			return n
		}
		for i, e := range staff {
			if i%2 == 0 {
				change(e, func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = nil })
			} else {
				change(e, frozen)
			}
		}
		Eventually(c.asked).Should(ContainElement(And(HaveField("Spec.AccountName", "linkedsystem/mail"), HaveField("Spec.Subjects", HaveLen(4)))))
		Consistently(disabled, "300ms").Should(Equal(2))
		Eventually(of(ls)).Should(And(says("WithinRemovalLimits", "False", "RemovalLimitReached", "approve"), HaveField("Status.Removals.Held", HaveValue(BeEquivalentTo(4)))))
		all, err := c.asked()
		Expect(err).NotTo(HaveOccurred())
		for i := range all {
			change(&all[i], func(a *v1alpha1.Approval) {
				a.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: v1alpha1.VerdictApproved, By: "chen.jing", Digest: a.Spec.Digest}
			})
		}
		Eventually(disabled).Should(Equal(6))
		Eventually(of(ls)).Should(says("WithinRemovalLimits", "True", "InSync"))
	})

	It("P6: that are taken off somebody count in the limits for the next manager, too", func() {
		limit := int32(1)
		f, _ := c.mail(func(ls *v1alpha1.LinkedSystem) {
			ls.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: &limit, Floor: &limit}
		})
		first, second := create(c.person("li-na", quietly, linkedTo("mail"))), create(c.person("wang-fang", quietly, linkedTo("mail")))
		Eventually(of(first)).Should(beReady())
		Eventually(of(second)).Should(beReady())
		off := func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = nil }
		wait := manager.endsAfter(first, `"Unlinked"`)
		change(first, off)
		wait()
		manager.start()
		change(second, off)
		Eventually(of(second)).Should(linkedAs("mail", linkReason("RemovalLimitReached")))
		Expect(at(f, second.Status.Number)()).To(enabled(true))
		By("whoever is linked again does not count")
		change(first, linkedTo("mail"), func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts[0].AccountID = at(f, first.Status.Number)().ID })
		Eventually(of(first)).Should(linkedAs("mail", And(HaveField("Origin", v1alpha1.OriginAdopted), HaveField("AdmittedTime", BeNil()))))
	})

	It("P6: that were taken off somebody are kept as long as that counts in the limits, and then forgotten", func() {
		limit := int32(1)
		f, _ := c.mail(func(ls *v1alpha1.LinkedSystem) {
			ls.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: &limit, Floor: &limit}
		})
		first, second := create(c.person("li-na", quietly, linkedTo("mail"))), create(c.person("wang-fang", quietly, linkedTo("mail")))
		Eventually(of(first)).Should(beReady())
		Eventually(of(second)).Should(beReady())
		now := time.Now().Truncate(time.Second)
		today.set(now)
		off := func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = nil }
		change(first, off)
		Eventually(of(first)).Should(And(beReady(), linkedAs("mail", HaveField("State", v1alpha1.LinkedUnlinked))))
		By("the end of the window, of which the record keeps whole seconds")
		today.set(now.Add(24 * time.Hour))
		change(first, titled("经理"))
		Eventually(of(first)).Should(And(beReady(), linkedAs("mail", And(HaveField("State", v1alpha1.LinkedUnlinked), HaveField("ObservedGeneration", HaveValue(Equal(first.Generation)))))))
		Consistently(of(first)).Should(linkedAs("mail", HaveField("AdmittedTime", Not(BeNil()))))
		By("it is over, and nothing else happens")
		today.set(now.Add(24*time.Hour + time.Second))
		Eventually(of(first)).Should(And(beReady(), HaveField("Status.LinkedAccounts", BeEmpty())))
		By("and another may go")
		change(second, off)
		Eventually(of(second)).Should(And(beReady(), linkedAs("mail", HaveField("State", v1alpha1.LinkedUnlinked))))
		Expect(at(f, second.Status.Number)()).To(enabled(false))
	})
})
