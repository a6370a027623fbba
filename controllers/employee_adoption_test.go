package controllers_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"rollcall.dev/rollcall/api/v1alpha1"
)

var _ = Describe("An account that exists already", func() {
	var c *company

	BeforeEach(func() { c = staffed() })

	// there puts the person's account on the platforms by hand, under these ids, with this title.
	there := func(e *v1alpha1.Employee, wecomID, dingtalkID, title string) {
		GinkgoHelper()
		mobile := bare(e.Spec.Contact.Mobile)
		c.wecom.byHand("users", wecomID, fmt.Sprintf(`{"name":%q,"mobile":%q,"email":%q,"position":%q,"department":[%d],
			"extattr":[{"name":"工号","text":{"value":%q}}]}`, e.Spec.Name, mobile, e.Spec.Contact.Email, title, c.unit(c.wecom, "rd"), e.Spec.Number))
		c.dingtalk.byHand("users", dingtalkID, fmt.Sprintf(`{"name":%q,"mobile":%q,"email":%q,"title":%q,"dept_id_list":[%d],"job_number":%q}`,
			e.Spec.Name, mobile, e.Spec.Contact.Email, title, c.unit(c.dingtalk, "rd"), e.Spec.Number))
		c.resync(c.wecom)
		c.resync(c.dingtalk)
	}
	adopted := func(id string) types.GomegaMatcher {
		return And(HaveField("Origin", v1alpha1.OriginAdopted), HaveField("UserID", id), HaveField("State", v1alpha1.AccountActive))
	}
	untouched := func() {
		GinkgoHelper()
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Expect(append(t.made("user/create", "")(), t.made("user/update", "")()...)).To(BeEmpty())
		}
	}

	It("P4: under the declared id is adopted when nothing differs, and not written", func() {
		e := c.person("li-na")
		there(e, "E0001", "E0001", "工程师")
		create(e)
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", adopted("E0001")), standsOn("dingtalk", adopted("E0001"))))
		untouched()
		Eventually(c.told(e)).Should(ContainElement("Adopted"))
		change(e, titled("高级工程师"))
		Eventually(of(e)).Should(beReady())
		Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "高级工程师"))
		Expect(onDingTalk(c, "E0001")()).To(HaveField("Title", "高级工程师"))
	})

	It("P4: under the employee number of another id is adopted, and keeps its id", func() {
		e := c.person("li-na")
		there(e, "lina", "old-007", "工程师")
		create(e)
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", adopted("lina")), standsOn("dingtalk", adopted("old-007"))))
		untouched()
		change(e, titled("高级工程师"))
		Eventually(of(e)).Should(beReady())
		Expect(onWeCom(c, "lina")()).To(HaveField("Position", "高级工程师"))
		Expect(onDingTalk(c, "old-007")()).To(HaveField("Title", "高级工程师"))
	})

	It("P4: is shown and left alone while it differs, until somebody decides", func() {
		e := c.person("li-na", titled("高级工程师"))
		e.Spec.Number = "E0001"
		there(e, "lina", "E0001", "工程师")
		create(e)
		Eventually(of(e)).Should(And(stalled("AdoptionReview", "E-206", "differs in: title", "Overwrite"), HaveField("Status.AccountsReady", "0/2")))
		for _, account := range []string{"wecom", "dingtalk"} {
			Expect(e).To(standsOn(account, And(HaveField("Differences", ConsistOf("title")), HaveField("Origin", BeEmpty()))))
		}
		untouched()
		By("agreeing with one platform by hand, and having the other replaced")
		c.dingtalk.byHand("users", "E0001", `{"title":"高级工程师"}`)
		c.resync(c.dingtalk)
		Eventually(of(e)).Should(standsOn("dingtalk", adopted("E0001")))
		change(e, adopting("wecom", v1alpha1.AdoptionOverwrite))
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", adopted("lina"))))
		Expect(onWeCom(c, "lina")()).To(HaveField("Position", "高级工程师"))
		Expect(c.dingtalk.made("user/update", "")()).To(BeEmpty())
	})

	It("P12: is shown to differ without a word of what anybody's data is", func() {
		e := c.person("li-na", dingtalkOnly)
		c.dingtalk.byHand("users", "E0001", fmt.Sprintf(`{"name":"赵大海","mobile":"13612345678","email":"zhao@example.org","title":"工程师",
			"dept_id_list":[%d],"job_number":"E0001"}`, c.unit(c.dingtalk, "rd")))
		c.private = append(c.private, "赵大海", "13612345678", "zhao@example.org")
		c.resync(c.dingtalk)
		create(e)
		Eventually(of(e)).Should(And(stalled("AdoptionReview", "differs in: name, mobile, email"),
			standsOn("dingtalk", HaveField("Differences", ConsistOf("name", "mobile", "email")))))
		Expect(onDingTalk(c, "E0001")()).To(HaveField("Name", "赵大海"))
		Eventually(c.told(e)).Should(ContainElement("AdoptionReview"))
	})

	It("P4: that is frozen is not thawed by adoption", func() {
		e := c.person("li-na", wecomOnly)
		there(e, "E0001", "E0001", "工程师")
		c.wecom.byHand("users", "E0001", `{"enable":0}`)
		c.resync(c.wecom)
		create(e)
		Eventually(of(e)).Should(And(stalled("AdoptionReview", "differs in: state"), standsOn("wecom", HaveField("Differences", ConsistOf("state")))))
		change(e, adopting("wecom", v1alpha1.AdoptionOverwrite))
		Eventually(of(e)).Should(stalled("FrozenElsewhere"))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0))
	})

	It("P4: is replaced by what is declared when the account says so for everybody", func() {
		change(c.account(c.wecom), func(a *v1alpha1.EnterpriseAccount) { a.Spec.AdoptionPolicy = v1alpha1.AdoptionOverwrite })
		e := c.person("li-na", wecomOnly, titled("高级工程师"))
		there(e, "E0001", "E0001", "工程师")
		c.wecom.byHand("users", "E0001", `{"mobile":"13700009999"}`)
		create(e)
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", adopted("E0001"))))
		Expect(onWeCom(c, "E0001")()).To(And(HaveField("Position", "高级工程师"), HaveField("Mobile", bare(e.Spec.Contact.Mobile))), "what cannot be read is replaced too")
	})

	It("P4: is a conflict where nothing may be adopted", func() {
		e := c.person("li-na", adopting("wecom", v1alpha1.AdoptionNever), adopting("dingtalk", v1alpha1.AdoptionNever))
		there(e, "E0001", "old-007", "工程师")
		create(e)
		Eventually(of(e)).Should(And(stalled("DataConflict", "E-205", "adoptionPolicy is Never"), HaveField("Status.AccountsReady", "0/2")))
		untouched()
	})

	It("P4: under the number twice is nobody's until one is named", func() {
		e := c.person("li-na", dingtalkOnly)
		for i, id := range []string{"old-1", "old-2"} {
			c.dingtalk.byHand("users", id, fmt.Sprintf(`{"name":%q,"job_number":"E0001","title":"工程师","mobile":"1360000000%d","dept_id_list":[%d]}`,
				e.Spec.Name, i, c.unit(c.dingtalk, "rd")))
		}
		c.resync(c.dingtalk)
		create(e)
		Eventually(of(e)).Should(stalled("DataConflict", "2 accounts carry this employee number (old-1, old-2)", "userID"))
		untouched()
		change(e, pinned("dingtalk", "old-2"), func(e *v1alpha1.Employee) { e.Spec.Contact = v1alpha1.Contact{Email: e.Spec.Contact.Email} }, adopting("dingtalk", v1alpha1.AdoptionOverwrite))
		Eventually(of(e)).Should(And(beReady(), standsOn("dingtalk", adopted("old-2"))))
	})
})

var _ = Describe("Two people", func() {
	var c *company

	BeforeEach(func() { c = staffed() })

	It("P4: claiming one user id are both told; who has it keeps it, and the other has it afterwards", func() {
		first := create(c.person("li-na", wecomOnly, pinned("wecom", "lina")))
		Eventually(of(first)).Should(beReady())
		second := create(c.person("wang-fang", wecomOnly, pinned("wecom", "LiNa")))
		Eventually(of(second)).Should(And(stalled("DataConflict", "the Employee li-na holds", "userID"), says("Unique", "False", "DataConflict", "li-na")))
		Eventually(of(first)).Should(And(beReady(), says("Unique", "False", "DataConflict", "E-205", "wang-fang", "keeps")))
		Expect(c.wecom.made("user/create", "")()).To(HaveLen(1))
		remove(second)
		Eventually(of(first)).Should(says("Unique", "True", "InSync"))
	})

	It("P4: claiming one number: the older keeps it, both say so, and the other recovers with another number", func() {
		first := create(c.person("li-na", wecomOnly))
		later(first)
		second := create(c.person("wang-fang", dingtalkOnly, numbered("e0001")))
		Eventually(of(second)).Should(And(stalled("DataConflict", "E-205", "the older Employee", `"li-na"`), says("Unique", "False", "DataConflict", "li-na"),
			HaveField("Status.Number", BeEmpty())))
		Eventually(of(first)).Should(And(beReady(), says("Unique", "False", "DataConflict", "E-205", "wang-fang", "this one keeps it")))
		Expect(c.dingtalk.made("user/create", "")()).To(BeEmpty())
		change(second, numbered("E0002"))
		Eventually(of(second)).Should(And(beReady(), says("Unique", "True", "InSync")))
		Eventually(of(first)).Should(says("Unique", "True", "InSync"))
	})

	It("P4: claiming one number: the other recovers when the older goes", func() {
		first := create(c.person("li-na", wecomOnly))
		later(first)
		second := create(c.person("wang-fang", dingtalkOnly, numbered("E0001")))
		Eventually(of(second)).Should(stalled("DataConflict"))
		Eventually(of(first)).Should(beReady())
		remove(first)
		Eventually(of(second)).Should(And(beReady(), says("Unique", "True", "InSync"), HaveField("Status.Number", "E0001")))
	})
})
