package controllers_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
)

var _ = Describe("Department", func() {
	var c *company
	wecomUnits := on[*v1alpha1.Department]("wecom")

	BeforeEach(func() { c = founded() })

	// After what a spec finds on the platforms: a first reading shows it.
	JustBeforeEach(func() { c.open(c.wecom, c.dingtalk) })

	wecomUnitOf := func(d *v1alpha1.Department) func() (*wecomUnit, error) {
		return seen[wecomUnit](c.wecom, "departments", fmt.Sprint(c.unit(c.wecom, d.Name)))
	}
	dingUnitOf := func(d *v1alpha1.Department) func() (*dingUnit, error) {
		return seen[dingUnit](c.dingtalk, "departments", fmt.Sprint(c.unit(c.dingtalk, d.Name)))
	}

	It("makes a tree, the parent first, whatever order it is applied in", func() {
		leaf := create(c.department("rd-platform-storage", "存储组", below("rd-platform")))
		Eventually(of(leaf)).Should(waiting("WaitingForDepartment", `"rd-platform"`, "create it"))
		middle := create(c.department("rd-platform", "平台研发部", below("rd")))
		top := create(c.department("rd", "研发中心", func(d *v1alpha1.Department) { d.Spec.Order = 3 }))
		for _, d := range []*v1alpha1.Department{top, middle, leaf} {
			Eventually(of(d)).Should(And(beReady(), HaveField("Status.AccountsReady", "2/2")))
			Expect(d).To(unitOn("wecom", HaveField("Origin", v1alpha1.OriginCreated)))
			Expect(d).To(unitOn("dingtalk", HaveField("Origin", v1alpha1.OriginCreated)))
		}
		Expect(wecomUnitOf(top)()).To(And(HaveField("Name", "研发中心"), HaveField("ParentID", 1)))
		Expect(dingUnitOf(top)()).To(And(HaveField("Name", "研发中心"), HaveField("ParentID", BeEquivalentTo(1)), HaveField("Order", BeEquivalentTo(3))))
		for _, pair := range [][2]*v1alpha1.Department{{top, middle}, {middle, leaf}} {
			Expect(wecomUnitOf(pair[1])()).To(HaveField("ParentID", BeEquivalentTo(c.unit(c.wecom, pair[0].Name))))
			Expect(dingUnitOf(pair[1])()).To(HaveField("ParentID", BeEquivalentTo(c.unit(c.dingtalk, pair[0].Name))))
		}
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Expect(t.calls(core.Query{Operation: "department/create"})).To(And(HaveLen(3), HaveEach(HaveField("Code", "0"))))
		}
	})

	It("keeps its identity when it is renamed, moved and sorted anew", func() {
		rd, ops := create(c.department("rd", "研发中心")), create(c.department("ops", "运营中心"))
		d := create(c.department("platform", "平台研发部", below("rd")))
		Eventually(of(d)).Should(beReady())
		w, dt := fmt.Sprint(c.unit(c.wecom, d.Name)), fmt.Sprint(c.unit(c.dingtalk, d.Name))
		change(d, below("ops"), func(d *v1alpha1.Department) { d.Spec.DisplayName, d.Spec.Order = "平台运营部", 7 })
		Eventually(of(d)).Should(beReady())
		Expect([]string{fmt.Sprint(c.unit(c.wecom, d.Name)), fmt.Sprint(c.unit(c.dingtalk, d.Name))}).To(Equal([]string{w, dt}))
		Expect(wecomUnitOf(d)()).To(And(HaveField("Name", "平台运营部"), HaveField("ParentID", c.unit(c.wecom, ops.Name))))
		Expect(dingUnitOf(d)()).To(And(HaveField("Name", "平台运营部"), HaveField("Order", BeEquivalentTo(7)),
			HaveField("ParentID", BeEquivalentTo(c.unit(c.dingtalk, ops.Name)))))
		change(d, func(d *v1alpha1.Department) { d.Spec.ParentRef = v1alpha1.DepartmentReference{} })
		Eventually(of(d)).Should(beReady())
		Expect(wecomUnitOf(d)()).To(HaveField("ParentID", 1))
		Expect(wecomUnitOf(rd)()).NotTo(BeNil())
	})

	It("heals what somebody changed on the platform", func() {
		d := create(c.department("rd", "研发中心"))
		Eventually(of(d)).Should(beReady())
		c.wecom.byHand("departments", fmt.Sprint(c.unit(c.wecom, d.Name)), `{"name":"研究中心"}`)
		c.dingtalk.byHand("departments", fmt.Sprint(c.unit(c.dingtalk, d.Name)), `{"name":"研究院"}`)
		c.resync(c.wecom)
		c.resync(c.dingtalk)
		Eventually(wecomUnitOf(d)).Should(HaveField("Name", "研发中心"))
		Eventually(dingUnitOf(d)).Should(HaveField("Name", "研发中心"))
		Eventually(of(d)).Should(beReady())
	})

	DescribeTable("refuses a circle, names its members, and recovers", func(n int) {
		var circle []*v1alpha1.Department
		name := func(i int) string { return fmt.Sprintf("unit-%d", i%n) }
		for i := range n {
			circle = append(circle, create(c.department(name(i), "部门"+inChinese(int64(i)), wecomUnits, below(name(i+1)))))
		}
		for i, d := range circle {
			Eventually(of(d)).Should(stalled("DepartmentCycle", name(i)+" → "+name(i+1)), "and so it goes round")
			for j := range n {
				Expect(d).To(stalled("DepartmentCycle", name(j)))
			}
		}
		Expect(c.wecom.writes()).To(BeEmpty())
		change(circle[0], func(d *v1alpha1.Department) { d.Spec.ParentRef = v1alpha1.DepartmentReference{} })
		for _, d := range circle {
			Eventually(of(d)).Should(beReady())
		}
	}, Entry("of two", 2), Entry("of three", 3))

	It("P10: in a circle can be deleted, when all of the circle are", func() {
		a := create(c.department("a", "部门甲", wecomUnits, below("b")))
		b := create(c.department("b", "部门乙", wecomUnits, below("a")))
		Eventually(of(a)).Should(stalled("DepartmentCycle"))
		remove(a)
		Eventually(of(a)).Should(says("Ready", "False", "InUse", "1 departments below"))
		Expect(exists(b)()).To(BeTrue())
		remove(b)
		Eventually(exists(a)).Should(BeFalse())
		Eventually(exists(b)).Should(BeFalse())
	})

	It("tells everybody in a long circle, and everybody when it is broken", func() {
		const n = 6
		var chain []*v1alpha1.Department
		for i := range n {
			d := c.department(fmt.Sprintf("unit-%d", i), "部门"+inChinese(int64(i)), wecomUnits)
			if i > 0 {
				below(fmt.Sprintf("unit-%d", i-1))(d)
			}
			chain = append(chain, create(d))
		}
		for _, d := range chain {
			Eventually(of(d)).Should(beReady())
		}
		change(chain[0], below(fmt.Sprintf("unit-%d", n-1)))
		for _, d := range chain {
			Eventually(of(d)).Should(stalled("DepartmentCycle"))
		}
		change(chain[0], func(d *v1alpha1.Department) { d.Spec.ParentRef = v1alpha1.DepartmentReference{} })
		for _, d := range chain {
			Eventually(of(d)).Should(beReady())
		}
	})

	It("cannot be on an account that the department above is not on", func() {
		rd := create(c.department("rd", "研发中心", wecomUnits))
		d := create(c.department("platform", "平台研发部", below("rd")))
		Eventually(of(d)).Should(And(stalled("ParentNotOnAccount", `"rd"`, `"dingtalk"`, "add the account"), HaveField("Status.AccountsReady", "1/2")))
		Expect(d).To(unitOn("wecom", HaveField("Reason", BeEmpty())))
		change(rd, on[*v1alpha1.Department]("wecom", "dingtalk"))
		Eventually(of(d)).Should(And(beReady(), HaveField("Status.AccountsReady", "2/2")))
	})

	It("waits for an account that does not exist yet", func() {
		d := create(c.department("rd", "研发中心", on[*v1alpha1.Department]("feishu")))
		Eventually(of(d)).Should(waiting("WaitingForAccount", `"feishu"`, "create it"))
		c.secret("feishu-credentials", c.wecom.keys)
		Expect(c.wecom.AddTenant(fmt.Appendf(nil, `{"name":"second","corpId":"%[1]s-2","syncSecret":"%[1]s-2",
			"apps":[{"name":"rollcall","agentId":1000002,"secret":"%[1]s-3"}],"options":{"creator":"founder"}}`, c.wecom.corpID))).To(Succeed())
		change(c.secret("second", map[string]string{"syncSecret": c.wecom.corpID + "-2", "appSecret": c.wecom.corpID + "-3"}))
		create(c.account(c.wecom, func(a *v1alpha1.EnterpriseAccount) {
			a.Name, a.Spec.WeCom.CorpID, a.Spec.CredentialsSecretRef.Name = "feishu", c.wecom.corpID+"-2", "second"
		}))
		Eventually(of(d)).Should(beReady())
	})

	Describe("that exists already", func() {
		pinned := func(id string) func(*v1alpha1.Department) {
			return func(d *v1alpha1.Department) { d.Spec.Accounts[0].DepartmentID = id }
		}
		adopting := func(p v1alpha1.AdoptionPolicy) func(*v1alpha1.Department) {
			return func(d *v1alpha1.Department) { d.Spec.Accounts[0].AdoptionPolicy = p }
		}
		ordered := func(d *v1alpha1.Department) { d.Spec.Order = 9 }

		BeforeEach(func() { c.wecom.byHand("departments", "42", `{"name":"研发中心"}`) })

		It("P4: is adopted by its name under its parent when nothing differs", func() {
			d := create(c.department("rd", "研发中心", wecomUnits))
			Eventually(of(d)).Should(And(beReady(), unitOn("wecom", And(HaveField("DepartmentID", "42"), HaveField("Origin", v1alpha1.OriginAdopted)))))
			Expect(c.wecom.writes()).To(BeEmpty())
		})

		It("P4: is shown and left alone when something differs, until that is wanted", func() {
			d := create(c.department("rd", "研发中心", wecomUnits, ordered))
			Eventually(of(d)).Should(And(stalled("AdoptionReview", "department 42", "differs in: order", "Overwrite"),
				unitOn("wecom", And(HaveField("Differences", ConsistOf("order")), HaveField("Origin", BeEmpty())))))
			Expect(c.wecom.writes()).To(BeEmpty())
			change(d, adopting(v1alpha1.AdoptionOverwrite))
			Eventually(of(d)).Should(And(beReady(), unitOn("wecom", And(HaveField("DepartmentID", "42"), HaveField("Origin", v1alpha1.OriginAdopted)))))
			Expect(c.wecom.calls(core.Query{Operation: "department/create"})).To(BeEmpty())
		})

		It("P4: is not adopted where nothing may be", func() {
			d := create(c.department("rd", "研发中心", wecomUnits, adopting(v1alpha1.AdoptionNever)))
			Eventually(of(d)).Should(stalled("DataConflict", "department 42", "adoptionPolicy is Never"))
			change(d, func(d *v1alpha1.Department) { d.Spec.DisplayName = "研究院" })
			Eventually(of(d)).Should(And(beReady(), unitOn("wecom", HaveField("DepartmentID", Not(Equal("42"))))))
		})

		It("is found by its pinned id, whatever it is called", func() {
			d := create(c.department("rd", "研究院", wecomUnits, pinned("42"), adopting(v1alpha1.AdoptionOverwrite)))
			Eventually(of(d)).Should(And(beReady(), unitOn("wecom", HaveField("DepartmentID", "42"))))
			Expect(wecomUnitOf(d)()).To(HaveField("Name", "研究院"))
		})

		It("is missed when the pinned id is nobody's", func() {
			d := create(c.department("rd", "研发中心", wecomUnits, pinned("43")))
			Eventually(of(d)).Should(stalled("InvalidValue", "pinned id 43", "departmentID"))
			c.wecom.byHand("departments", "43", `{"name":"研发二部"}`)
			change(d, func(d *v1alpha1.Department) { d.Spec.DisplayName = "研发二部" })
			c.resync(c.wecom)
			Eventually(of(d)).Should(beReady())
		})

		It("P4: belongs to whoever had it first; the second is told, and has it when the first goes", func() {
			first := create(c.department("rd", "研发中心", wecomUnits))
			Eventually(of(first)).Should(beReady())
			second := create(c.department("rd-too", "研发中心", wecomUnits))
			Eventually(of(second)).Should(stalled("DataConflict", "the Department rd "))
			Expect(of(first)()).To(beReady())
			remove(first)
			Eventually(of(second)).Should(And(beReady(), unitOn("wecom", HaveField("DepartmentID", "42"))))
		})
	})

	Describe("managers", func() {
		It("lead it on both platforms, and no longer when they are taken off", func() {
			d := create(c.department("rd", "研发中心", ledBy("li-na")))
			Eventually(of(d)).Should(waiting("WaitingForPeople", `"li-na"`))
			lina, wang := create(c.person("li-na")), create(c.person("wang-fang"))
			Eventually(of(d)).Should(beReady())
			for _, e := range []*v1alpha1.Employee{lina, wang} {
				Eventually(of(e)).Should(beReady())
			}
			leads := func(yes int) types.GomegaMatcher { return HaveField("IsLeaderInDept", ConsistOf(yes)) }
			Eventually(onWeCom(c, "E0001")).Should(leads(1))
			Eventually(onWeCom(c, "E0002")).Should(leads(0))
			Eventually(dingUnitOf(d)).Should(HaveField("Managers", ConsistOf("E0001")))
			change(d, ledBy("wang-fang"))
			Eventually(onWeCom(c, "E0001")).Should(leads(0))
			Eventually(onWeCom(c, "E0002")).Should(leads(1))
			Eventually(dingUnitOf(d)).Should(HaveField("Managers", ConsistOf("E0002")))
			Eventually(of(d)).Should(beReady())
		})

		It("have to be in it", func() {
			create(c.department("ops", "运营中心"))
			e := create(c.person("li-na", in("ops")))
			d := create(c.department("rd", "研发中心", ledBy("li-na")))
			Eventually(of(d)).Should(stalled("InvalidValue", `"li-na"`, "not in this department"))
			change(e, in("ops", "rd"))
			Eventually(of(d)).Should(beReady())
			Eventually(dingUnitOf(d)).Should(HaveField("Managers", ConsistOf("E0001")))
		})
	})

	It("P10: stays while somebody is in it or below it, and is never deleted on the platforms", func() {
		rd, ops := create(c.department("rd", "研发中心")), create(c.department("ops", "运营中心"))
		sub := create(c.department("platform", "平台研发部", below("rd")))
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		Eventually(of(sub)).Should(beReady())
		w, dt := wecomUnitOf(rd), dingUnitOf(rd)
		remove(rd)
		Eventually(of(rd)).Should(says("Ready", "False", "InUse", "E-409", "1 people", "1 departments below"))
		remove(sub)
		Eventually(exists(sub)).Should(BeFalse())
		Eventually(of(rd)).Should(says("Ready", "False", "InUse", "1 people", "0 departments below"))
		change(e, in("ops"))
		Eventually(exists(rd)).Should(BeFalse())
		Expect(w()).To(HaveField("Name", "研发中心"))
		Expect(dt()).To(HaveField("Name", "研发中心"))
		Expect(exists(ops)()).To(BeTrue())
	})

	It("P5: that vanished is told and not made again, and is found when it is back", func() {
		d := create(c.department("rd", "研发中心", wecomUnits))
		Eventually(of(d)).Should(beReady())
		id := fmt.Sprint(c.unit(c.wecom, d.Name))
		Expect(c.wecom.Remove(c.wecom.tenant, "departments", id)).To(Succeed())
		c.resync(c.wecom)
		Eventually(of(d)).Should(stalled("Vanished", id))
		c.resync(c.wecom)
		Expect(of(d)()).To(stalled("Vanished"))
		Expect(c.wecom.calls(core.Query{Operation: "department/create"})).To(HaveLen(1))
		c.wecom.byHand("departments", id, `{"name":"研发中心"}`)
		c.resync(c.wecom)
		Eventually(of(d)).Should(beReady())
	})

	It("P3: is made once, though the answer was lost", func() {
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			t.fault(core.Fault{Kind: core.KindDropAfter, Operation: "department/create", Times: 1})
		}
		d := create(c.department("rd", "研发中心"))
		Eventually(of(d)).Should(beReady())
		Expect(all[wecomUnit](c.wecom, "departments")()).To(HaveLen(2), "the company itself, and rd")
		Expect(all[dingUnit](c.dingtalk, "departments")()).To(HaveLen(2))
		Expect(d).To(unitOn("wecom", HaveField("Origin", v1alpha1.OriginCreated)))
		Expect(d).To(unitOn("dingtalk", HaveField("Origin", v1alpha1.OriginCreated)))
	})

	It("P3: is made once, though it is renamed and moved while its creation is unanswered", func() {
		ops := create(c.department("ops", "运营中心"))
		Eventually(of(ops)).Should(beReady())
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			for _, f := range []core.Fault{
				{Kind: core.KindDropAfter, Operation: "department/create", Times: 1},
				{Kind: core.KindHTTPStatus, HTTPStatus: 502, Operation: "department/create", Skip: 1},
				{Kind: core.KindHTTPStatus, HTTPStatus: 502, Operation: "department/get"},
			} {
				t.fault(f)
			}
		}
		d := create(c.department("rd", "研发中心"))
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Eventually(func() int { n, _ := t.Objects(t.tenant, "departments"); return len(n) }).Should(Equal(3), "the company itself, ops and rd")
			Eventually(of(d)).Should(unitOn(t.Name(), HaveField("Reason", Not(BeElementOf("", "Progressing")))), "the answer is lost")
		}
		change(d, below("ops"), func(d *v1alpha1.Department) { d.Spec.DisplayName = "研究院" })
		Eventually(of(d)).Should(HaveField("Status.ObservedGeneration", HaveValue(Equal(d.Generation))))
		c.sim.Faults.Clear()
		Eventually(of(d)).Should(And(beReady(), unitOn("wecom", HaveField("Origin", v1alpha1.OriginCreated)), unitOn("dingtalk", HaveField("Origin", v1alpha1.OriginCreated))))
		Expect(all[wecomUnit](c.wecom, "departments")()).To(HaveLen(3))
		Expect(all[dingUnit](c.dingtalk, "departments")()).To(HaveLen(3))
		Expect(wecomUnitOf(d)()).To(And(HaveField("Name", "研究院"), HaveField("ParentID", c.unit(c.wecom, "ops"))))
		Expect(dingUnitOf(d)()).To(And(HaveField("Name", "研究院"), HaveField("ParentID", BeEquivalentTo(c.unit(c.dingtalk, "ops")))))
	})

	It("says what the platform refuses of it", func() {
		d := create(c.department("rd", "研发-一部"))
		Eventually(of(d)).Should(And(stalled("InvalidValue", "dingtalk"), HaveField("Status.AccountsReady", "1/2")))
		Expect(d).To(unitOn("wecom", HaveField("Reason", BeEmpty())))
		change(d, func(d *v1alpha1.Department) { d.Spec.DisplayName = "研发一部" })
		Eventually(of(d)).Should(beReady())
	})
})
