package controllers_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
)

var _ = Describe("An Employee on a platform that misbehaves", func() {
	var c *company

	BeforeEach(func() { c = staffed() })

	It("P3: is created once, though the answer was lost", func() {
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			t.fault(core.Fault{Kind: core.KindDropAfter, Operation: "user/create", Times: 1})
		}
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Expect(e).To(standsOn(t.Name(), HaveField("Origin", v1alpha1.OriginCreated)))
			Expect(t.made("user/create", "")()).To(HaveLen(1))
		}
	})

	It("P3: is looked up, and created then, when the call did not arrive", func() {
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			t.fault(core.Fault{Kind: core.KindDropBefore, Operation: "user/create", Times: 1})
		}
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			calls := t.calls(core.Query{Subject: "E0001"})
			Expect(calls[0].Operation).To(HaveSuffix("user/create"))
			Expect(calls[1].Operation).To(HaveSuffix("user/get"), "it is looked up before anything else")
			Expect(t.made("user/create", "")()).To(HaveLen(2))
		}
	})

	It("P3: is written to the end, though the answer to a change was lost", func() {
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			t.fault(core.Fault{Kind: core.KindDropAfter, Operation: "user/update", Times: 1})
		}
		change(e, titled("高级工程师"))
		Eventually(of(e)).Should(beReady())
		Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "高级工程师"))
		Expect(onDingTalk(c, "E0001")()).To(HaveField("Title", "高级工程师"))
		Expect(c.dingtalk.made("user/update", "E0001")()).To(HaveLen(1), "it was read, and seen to be done")
		Expect(c.wecom.made("user/update", "E0001")()).To(HaveLen(2), "what WeCom does not show is written again, to be sure")
	})

	It("P3: each change is written once, however many there are", func() {
		var people []*v1alpha1.Employee
		for i := range 12 {
			people = append(people, create(c.person(fmt.Sprintf("person-%d", i), wecomOnly)))
		}
		for _, e := range people {
			Eventually(of(e)).Should(beReady())
		}
		const rounds = 4
		for round := range rounds {
			for _, e := range people {
				change(e, titled(fmt.Sprintf("工程师%d级", round)))
			}
			for _, e := range people {
				Eventually(of(e)).Should(beReady())
			}
		}
		for _, e := range people {
			Expect(c.wecom.made("user/create", e.Spec.Number)()).To(HaveLen(1))
			Expect(c.wecom.made("user/update", e.Spec.Number)()).To(HaveLen(rounds))
		}
	})

	It("P5: who vanished is held, not made again, and recognised when it is back", func() {
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		since := c.sim.Log.Last()
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Expect(t.Remove(t.tenant, "users", "E0001")).To(Succeed())
			c.resync(t)
		}
		Eventually(of(e)).Should(And(stalled("Vanished", "E-208", `"E0001"`), HaveField("Status.State", "Vanished"), HaveField("Status.AccountsReady", "0/2")))
		change(e, titled("高级工程师"))
		Eventually(of(e)).Should(stalled("Vanished"))
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			c.resync(t)
			Expect(t.calls(core.Query{Operation: "user/get", Subject: "E0001", Since: since})).NotTo(BeEmpty(), "a listing alone is not believed")
			Expect(t.made("user/create", "")()).To(HaveLen(1))
		}
		c.wecom.byHand("users", "E0001", `{"name":"李娜"}`)
		c.dingtalk.byHand("users", "E0001", `{"name":"李娜","mobile":"`+bare(e.Spec.Contact.Mobile)+`"}`)
		c.resync(c.wecom)
		c.resync(c.dingtalk)
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active")))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "高级工程师"))
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Expect(t.made("user/create", "")()).To(HaveLen(1))
		}
	})

	It("P5: who vanished is made again when that is asked for", func() {
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		Expect(c.wecom.Remove(c.wecom.tenant, "users", "E0001")).To(Succeed())
		c.resync(c.wecom)
		Eventually(of(e)).Should(stalled("Vanished", "remove the account from spec.accounts and add it back"))
		change(e, dingtalkOnly)
		Eventually(of(e)).Should(beReady())
		change(e, on[*v1alpha1.Employee]("wecom", "dingtalk"))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.AccountsReady", "2/2")))
		Expect(onWeCom(c, "E0001")()).NotTo(BeNil())
	})

	It("P5: is not gone because a listing lacks it, or is empty", func() {
		var people []*v1alpha1.Employee
		for _, name := range []string{"li-na", "wang-fang", "liu-yang", "chen-jie"} {
			people = append(people, create(c.person(name)))
		}
		for _, e := range people {
			Eventually(of(e)).Should(beReady())
		}
		writes := [2]int{len(c.wecom.writes()), len(c.dingtalk.writes())}
		for _, kind := range []core.Kind{core.KindPartialPage, core.KindEmptyListing} {
			heal := []func(){
				c.wecom.fault(core.Fault{Kind: kind, Operation: "user/list"}),
				c.dingtalk.fault(core.Fault{Kind: kind, Operation: "user/list"}),
			}
			for i, t := range []*twin{c.wecom, c.dingtalk} {
				change(c.account(t), func(a *v1alpha1.EnterpriseAccount) { a.Spec.ResyncIntervalSeconds-- })
				Eventually(of(c.account(t))).Should(says("DirectoryRead", "False", map[core.Kind]string{
					core.KindPartialPage: "DirectoryIncomplete", core.KindEmptyListing: "PlatformUnavailable"}[kind]))
				for _, e := range people {
					Expect(of(e)()).To(And(beReady(), HaveField("Status.State", "Active")))
				}
				heal[i]()
			}
		}
		change(people[0], titled("高级工程师"))
		Eventually(of(people[0])).Should(beReady())
		Expect([2]int{len(c.wecom.writes()), len(c.dingtalk.writes())}).To(Equal([2]int{writes[0] + 1, writes[1] + 1}), "nothing but the new title")
	})

	It("P9: is told what the platform silently ignored, which is not written again until something else is declared", func() {
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		heal := c.wecom.fault(core.Fault{Kind: core.KindIgnoreField, Operation: "user/update", Field: "position"})
		change(e, titled("高级工程师"))
		Eventually(of(e)).Should(And(stalled("WriteIgnored", "E-207", "wecom", "title"), HaveField("Status.AccountsReady", "1/2"),
			standsOn("wecom", And(HaveField("IgnoredFields", ConsistOf("title")), HaveField("Differences", ConsistOf("title"))))))
		for range 2 {
			c.resync(c.wecom)
		}
		Expect(of(e)()).To(stalled("WriteIgnored"))
		Expect(c.wecom.made("user/update", "")()).To(HaveLen(1))
		heal()
		change(e, titled("资深工程师"))
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", HaveField("IgnoredFields", BeEmpty()))))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "资深工程师"))
	})

	It("P9: is told of an ignored write that cannot even be read", func() {
		e := create(c.person("li-na", wecomOnly))
		Eventually(of(e)).Should(beReady())
		Expect(c.wecom.Accept(c.wecom.tenant, "E0001")).To(Succeed(), "from now on the number is the person's to change")
		change(e, func(e *v1alpha1.Employee) { e.Spec.Contact.Mobile = "+86-13900002222" })
		Eventually(of(e)).Should(And(stalled("WriteIgnored", "mobile"), standsOn("wecom", HaveField("IgnoredFields", ConsistOf("mobile")))))
		c.private = append(c.private, "13900002222")
	})

	It("P9: is told of a write that was ignored at its creation", func() {
		e := create(c.person("li-na", wecomOnly, func(e *v1alpha1.Employee) { e.Spec.Attributes = []v1alpha1.Attribute{{Name: "车位", Value: "P7"}} }))
		Eventually(of(e)).Should(stalled("WriteIgnored", "attributes"))
		Expect(c.wecom.made("user/update", "")()).To(BeEmpty(), "it is known by then")
		change(e, func(e *v1alpha1.Employee) { e.Spec.Attributes = nil })
		Eventually(of(e)).Should(beReady())
	})

	It("P11: is held up by a dead tenant there alone, and nobody else is", func() {
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		heal := c.wecom.fault(core.Fault{Kind: core.KindHang})
		change(e, titled("高级工程师"))
		other := create(c.person("wang-fang", dingtalkOnly))
		stuck := create(c.person("liu-yang"))
		Eventually(of(other)).Should(beReady())
		for _, e := range []*v1alpha1.Employee{e, stuck} {
			Eventually(of(e)).Should(And(HaveField("Status.AccountsReady", "1/2"), standsOn("dingtalk", HaveField("Reason", BeEmpty())),
				standsOn("wecom", HaveField("Reason", Not(BeEmpty())))))
		}
		Expect(onDingTalk(c, "E0001")()).To(HaveField("Title", "高级工程师"))
		Expect(of(c.account(c.dingtalk))()).To(beReady())
		heal()
		for _, e := range []*v1alpha1.Employee{e, stuck} {
			Eventually(of(e), "60s").Should(beReady())
		}
		Expect(c.wecom.made("user/create", "E0003")()).NotTo(BeEmpty())
		Expect(all[wecomUser](c.wecom, "users")()).To(HaveLen(3), "the founder and two people")
	})

	It("P11: who is refused stops nobody", func() {
		c.wecom.fault(core.Fault{Kind: core.KindError, Operation: "user/create", Subject: "E0002", Code: "60112"})
		var people []*v1alpha1.Employee
		for _, name := range []string{"li-na", "wang-fang", "liu-yang"} {
			people = append(people, create(c.person(name)))
		}
		Eventually(of(people[1])).Should(And(stalled("InvalidValue", "platform code 60112"), HaveField("Status.AccountsReady", "1/2")))
		Eventually(of(people[0])).Should(beReady())
		Eventually(of(people[2])).Should(beReady())
	})

	It("is not held up for good by throttling", func() {
		c.dingtalk.fault(core.Fault{Kind: core.KindThrottle, Operation: "user/create", Times: 1})
		e := create(c.person("li-na", dingtalkOnly))
		Eventually(of(e)).Should(waiting("RateLimited", "E-302"))
		Eventually(of(e)).Should(beReady())
	})

	It("is not held up by a token that ended early", func() {
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		for _, credential := range []string{"sync", "app-rollcall"} {
			Expect(c.wecom.Remove(c.wecom.tenant, "tokens", credential)).To(Succeed())
		}
		Expect(c.dingtalk.Remove(c.dingtalk.tenant, "tokens", "rollcall")).To(Succeed())
		change(e, titled("高级工程师"))
		Eventually(of(e)).Should(beReady())
		Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "高级工程师"))
		Expect(onDingTalk(c, "E0001")()).To(HaveField("Title", "高级工程师"))
	})
})
