package controllers_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
)

var (
	wecomOnly    = on[*v1alpha1.Employee]("wecom")
	dingtalkOnly = on[*v1alpha1.Employee]("dingtalk")
)

// staffed is a company on both platforms with the department rd.
func staffed() *company {
	GinkgoHelper()
	c := founded()
	c.open(c.wecom, c.dingtalk)
	create(c.department("rd", "研发中心"))
	return c
}

var _ = Describe("Employee", func() {
	var c *company

	BeforeEach(func() { c = staffed() })

	It("has the declared account on both platforms, made once", func() {
		e := create(c.person("li-na", func(e *v1alpha1.Employee) { e.Spec.HireDate, e.Spec.Workplace = "2024-03-01", "上海三号楼" }))
		Eventually(of(e)).Should(And(beReady(), says("Unique", "True", "InSync")))
		Expect(e.Status).To(MatchFields(IgnoreExtras, Fields{
			"Number": Equal("E0001"), "PrimaryDepartment": Equal("rd"), "State": Equal("Active"), "AccountsReady": Equal("2/2"),
		}))
		for _, account := range []string{"wecom", "dingtalk"} {
			Expect(e).To(standsOn(account, MatchFields(IgnoreExtras, Fields{
				"UserID": Equal("E0001"), "State": Equal(v1alpha1.AccountActive), "Origin": Equal(v1alpha1.OriginCreated), "Type": Equal(v1alpha1.AccountOrdinary),
			})))
		}
		Expect(onWeCom(c, "E0001")()).To(PointTo(MatchFields(IgnoreExtras, Fields{
			"Name": Equal(e.Spec.Name), "Position": Equal("工程师"), "Mobile": Equal(bare(e.Spec.Contact.Mobile)), "Email": Equal(e.Spec.Contact.Email),
			"Address": Equal("上海三号楼"), "Department": ConsistOf(c.unit(c.wecom, "rd")),
			"ExtAttr": ConsistOf(And(HaveField("Name", "工号"), HaveField("Text.Value", "E0001"))),
		})))
		Expect(onDingTalk(c, "E0001")()).To(PointTo(MatchFields(IgnoreExtras, Fields{
			"Name": Equal(e.Spec.Name), "Title": Equal("工程师"), "Mobile": Equal(bare(e.Spec.Contact.Mobile)), "Email": Equal(e.Spec.Contact.Email),
			"WorkPlace": Equal("上海三号楼"), "DeptIDList": ConsistOf(BeEquivalentTo(c.unit(c.dingtalk, "rd"))), "JobNumber": Equal("E0001"),
			"HiredDate": Equal(time.Date(2024, 3, 1, 0, 0, 0, 0, time.FixedZone("CST", 8*3600)).UnixMilli()),
		})))
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Expect(t.made("user/create", "")()).To(HaveLen(1))
			Expect(t.made("user/update", "")()).To(BeEmpty())
		}
	})

	It("gets its number from a rule, and its account under that number", func() {
		create(&v1alpha1.EmployeeNumberRule{ObjectMeta: c.meta("by-department"), Spec: v1alpha1.EmployeeNumberRuleSpec{Pattern: "{dept}{yyyy}{seq:4}"}})
		change(&v1alpha1.Department{ObjectMeta: c.meta("rd")}, func(d *v1alpha1.Department) { d.Spec.Code = "RD" })
		e := create(c.person("li-na", func(e *v1alpha1.Employee) {
			e.Spec.Number, e.Spec.NumberRuleRef.Name, e.Spec.HireDate = "", "by-department", "2026-04-01"
		}))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.Number", "RD20260001")))
		Expect(onWeCom(c, "RD20260001")()).NotTo(BeNil())
		Expect(onDingTalk(c, "RD20260001")()).NotTo(BeNil())
	})

	It("follows changes of title, department and manager", func() {
		create(c.department("ops", "运营中心"))
		boss, e := create(c.person("li-na")), create(c.person("wang-fang"))
		Eventually(of(e)).Should(beReady())
		Eventually(of(boss)).Should(beReady())
		change(e, titled("高级工程师"), in("ops"), reportingTo("li-na"))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.PrimaryDepartment", "ops")))
		Expect(onWeCom(c, "E0002")()).To(PointTo(MatchFields(IgnoreExtras, Fields{
			"Position": Equal("高级工程师"), "Department": ConsistOf(c.unit(c.wecom, "ops")), "DirectLeader": ConsistOf("E0001"),
			"MainDepartment": Equal(c.unit(c.wecom, "ops")),
		})))
		Expect(onDingTalk(c, "E0002")()).To(PointTo(MatchFields(IgnoreExtras, Fields{
			"Title": Equal("高级工程师"), "DeptIDList": ConsistOf(BeEquivalentTo(c.unit(c.dingtalk, "ops"))), "ManagerUserID": Equal("E0001"),
		})))
	})

	It("is in several departments, one of them the main one, each with its order", func() {
		create(c.department("ops", "运营中心"))
		e := create(c.person("li-na", in("ops", "rd"), func(e *v1alpha1.Employee) {
			e.Spec.Departments[0].Order, e.Spec.Departments[1].Order = 70, 30
		}))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.PrimaryDepartment", "ops")))
		ops, rd := c.unit(c.wecom, "ops"), c.unit(c.wecom, "rd")
		u, err := onWeCom(c, "E0001")()
		Expect(err).NotTo(HaveOccurred())
		Expect(u.MainDepartment).To(Equal(ops))
		Expect(map[int]uint32{u.Department[0]: u.Order[0], u.Department[1]: u.Order[1]}).To(Equal(map[int]uint32{ops: 70, rd: 30}))
		d, err := onDingTalk(c, "E0001")()
		Expect(err).NotTo(HaveOccurred())
		orders := map[int64]int64{}
		for _, o := range d.DeptOrderList {
			orders[o.DeptID] = o.Order
		}
		Expect(orders).To(Equal(map[int64]int64{int64(c.unit(c.dingtalk, "ops")): 70, int64(c.unit(c.dingtalk, "rd")): 30}))
		change(e, in("rd"))
		Eventually(of(e)).Should(beReady())
		Expect(onWeCom(c, "E0001")()).To(And(HaveField("Department", ConsistOf(rd)), HaveField("MainDepartment", rd)))
	})

	It("has the declared extension attributes, and keeps the others", func() {
		seat := func(v string) func(*v1alpha1.Employee) {
			return func(e *v1alpha1.Employee) { e.Spec.Attributes = []v1alpha1.Attribute{{Name: "工位", Value: v}} }
		}
		c.wecom.configure(`{"attributes":["工号","工位","车位"]}`)
		e := create(c.person("li-na", seat("B2-001")))
		Eventually(of(e)).Should(beReady())
		attribute := func(name, value string) types.GomegaMatcher {
			return And(HaveField("Name", name), HaveField("Text.Value", value))
		}
		Expect(onWeCom(c, "E0001")()).To(HaveField("ExtAttr", ConsistOf(attribute("工号", "E0001"), attribute("工位", "B2-001"))))
		Expect(onDingTalk(c, "E0001")()).To(HaveField("Extension", MatchJSON(`{"工位":"B2-001"}`)))
		c.wecom.byHand("users", "E0001", `{"extattr":[{"name":"工号","text":{"value":"E0001"}},{"name":"工位","text":{"value":"B2-001"}},{"name":"车位","text":{"value":"P7"}}]}`)
		change(e, seat("B3-002"))
		Eventually(onWeCom(c, "E0001")).Should(HaveField("ExtAttr", ConsistOf(attribute("工号", "E0001"), attribute("工位", "B3-002"), attribute("车位", "P7"))))
		Eventually(onDingTalk(c, "E0001")).Should(HaveField("Extension", MatchJSON(`{"工位":"B3-002"}`)))
		Eventually(of(e)).Should(beReady())
	})

	Describe("contact from a Secret", func() {
		from := func(secret string) func(*v1alpha1.Employee) {
			return func(e *v1alpha1.Employee) {
				e.Spec.Contact = v1alpha1.Contact{SecretRef: v1alpha1.SecretReference{Name: secret}}
			}
		}

		It("is waited for, used, and followed when it is rotated, though WeCom does not show it", func() {
			e := create(c.person("li-na", wecomOnly, from("li-na-contact")))
			Eventually(of(e)).Should(waiting("WaitingForContact", `"li-na-contact"`, "mobile and/or email"))
			Expect(c.wecom.writes()).NotTo(ContainElement(HaveField("Operation", HaveSuffix("user/create"))))
			s := c.secret("li-na-contact", map[string]string{"mobile": "+86-13800001111", "email": "li.na@example.com"})
			Eventually(of(e)).Should(beReady())
			Expect(onWeCom(c, "E0001")()).To(And(HaveField("Mobile", "13800001111"), HaveField("Email", "li.na@example.com")))
			c.private = append(c.private, "13800001111", "13800002222")
			change(s, func(s *corev1.Secret) { s.StringData = map[string]string{"mobile": "+86-13800002222"} })
			Eventually(onWeCom(c, "E0001")).Should(HaveField("Mobile", "13800002222"))
			Eventually(of(e)).Should(beReady())
			Expect(c.wecom.made("user/update", "")()).To(HaveLen(1))
		})

		It("says which key is not in the right form, and not what is in it", func() {
			s := c.secret("li-na-contact", map[string]string{"mobile": "13800001111"})
			e := create(c.person("li-na", wecomOnly, from("li-na-contact")))
			Eventually(of(e)).Should(stalled("InvalidValue", "the key mobile", `"li-na-contact"`))
			change(s, func(s *corev1.Secret) { s.StringData = map[string]string{"mobile": "+86-13800001111"} })
			Eventually(of(e)).Should(beReady())
		})

		It("cannot change a mobile number on DingTalk, and says so in words", func() {
			s := c.secret("li-na-contact", map[string]string{"mobile": "+86-13800001111"})
			e := create(c.person("li-na", dingtalkOnly, from("li-na-contact")))
			Eventually(of(e)).Should(beReady())
			change(s, func(s *corev1.Secret) { s.StringData = map[string]string{"mobile": "+86-13800002222"} })
			Eventually(of(e)).Should(stalled("NotSupported", "mobile", "by hand"))
			Expect(e).To(standsOn("dingtalk", HaveField("Differences", ConsistOf("mobile"))))
			c.dingtalk.byHand("users", "E0001", `{"mobile":"13800002222"}`)
			c.resync(c.dingtalk)
			Eventually(of(e)).Should(beReady())
		})
	})

	Describe("that is frozen", func() {
		It("P2: cannot use the account on WeCom, and can again when it is declared active", func() {
			e := create(c.person("li-na", wecomOnly))
			Eventually(of(e)).Should(beReady())
			change(e, frozen, titled("顾问"))
			Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Frozen"), standsOn("wecom", HaveField("FrozenBy", v1alpha1.FrozenByRollcall))))
			Expect(onWeCom(c, "E0001")()).To(And(HaveField("Enable", 0), HaveField("Position", "顾问")))
			change(e, active)
			Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active"), standsOn("wecom", HaveField("FrozenBy", BeEmpty()))))
			Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
			Eventually(c.told(e)).Should(ContainElements("Frozen", "Unfrozen"))
		})

		It("P2: keeps an ordinary account on DingTalk usable, which is said and never skipped silently", func() {
			e := create(c.person("li-na"))
			Eventually(of(e)).Should(beReady())
			change(e, frozen)
			Eventually(of(e)).Should(And(
				stalled("FreezeUnsupported", "E-210", "dingtalk", "DingTalk freezes only enterprise accounts", `the account "E0001" stays usable`),
				HaveField("Status.State", "Mixed"), HaveField("Status.AccountsReady", "1/2")))
			Expect(e).To(And(standsOn("wecom", HaveField("State", v1alpha1.AccountFrozen)), standsOn("dingtalk", HaveField("State", v1alpha1.AccountActive))))
			Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0))
			Eventually(c.told(e)).Should(ContainElement("FreezeUnsupported"))
			change(e, active)
			Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active")))
		})

		It("P2: cannot use the company's own account on DingTalk", func() {
			e := create(c.person("li-na", dingtalkOnly, entry("dingtalk", func(a *v1alpha1.EmployeeAccount) { a.Type = v1alpha1.AccountEnterprise })))
			Eventually(of(e)).Should(And(beReady(), standsOn("dingtalk", HaveField("Type", v1alpha1.AccountEnterprise))))
			change(e, frozen)
			Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Frozen")))
			Expect(onDingTalk(c, "E0001")()).To(HaveField("DisableStatus", true))
			change(e, active)
			Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active")))
			Expect(onDingTalk(c, "E0001")()).To(HaveField("DisableStatus", false))
		})

		It("P2: gets no account that can be used, even for a moment", func() {
			e := create(c.person("li-na", frozen))
			Eventually(of(e)).Should(And(beReady(), standsOn("wecom", HaveField("State", v1alpha1.AccountFrozen)), standsOn("dingtalk", HaveField("State", v1alpha1.AccountWaiting))))
			Expect(onWeCom(c, "E0001")()).To(And(HaveField("Enable", 0), HaveField("Invitations", 0)))
			Expect(c.wecom.made("user/update", "")()).To(BeEmpty(), "it was made frozen")
			Expect(c.dingtalk.made("user/create", "")()).To(BeEmpty(), "DingTalk could not freeze it")
			change(e, active)
			Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active")))
			Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
			Expect(onDingTalk(c, "E0001")()).NotTo(BeNil())
		})

		It("P2: is not thawed when somebody else froze it", func() {
			e := create(c.person("li-na", wecomOnly))
			Eventually(of(e)).Should(beReady())
			c.wecom.byHand("users", "E0001", `{"enable":0,"position":"顾问"}`)
			c.resync(c.wecom)
			Eventually(of(e)).Should(And(stalled("FrozenElsewhere", "E-209"), HaveField("Status.State", "Frozen"), standsOn("wecom", HaveField("FrozenBy", v1alpha1.FrozenByOther))))
			writes := len(c.wecom.writes())
			c.resync(c.wecom)
			Consistently(onWeCom(c, "E0001"), "300ms").Should(HaveField("Enable", 0))
			Expect(c.wecom.writes()).To(HaveLen(writes))
			change(e, frozen)
			Eventually(of(e)).Should(And(beReady(), standsOn("wecom", HaveField("FrozenBy", v1alpha1.FrozenByRollcall))))
			change(e, active)
			Eventually(of(e)).Should(beReady())
			Expect(onWeCom(c, "E0001")()).To(And(HaveField("Enable", 1), HaveField("Position", "工程师")))
		})
	})

	It("waits for an invitation to be accepted, and sends one only", func() {
		c.dingtalk.configure(`{"protectedMobiles":["13900001111"]}`)
		e := create(c.person("li-na", func(e *v1alpha1.Employee) { e.Spec.Contact.Mobile = "+86-13900001111" }))
		Eventually(of(e)).Should(And(waiting("InvitationPending", "E-406", "dingtalk"), HaveField("Status.AccountsReady", "1/2"),
			standsOn("dingtalk", HaveField("State", v1alpha1.AccountInvited))))
		c.resync(c.dingtalk)
		Consistently(of(e), "300ms").Should(waiting("InvitationPending"))
		Expect(c.dingtalk.made("user/create", "")()).To(HaveLen(1))
		Expect(c.dingtalk.Accept(c.dingtalk.tenant, "E0001")).To(Succeed())
		c.resync(c.dingtalk)
		Eventually(of(e)).Should(And(beReady(), standsOn("dingtalk", And(HaveField("State", v1alpha1.AccountActive), HaveField("Origin", v1alpha1.OriginCreated)))))
		Expect(c.dingtalk.made("user/create", "")()).To(HaveLen(1))
	})

	It("waits for a department that does not exist yet, or is not on the account", func() {
		e := create(c.person("li-na", in("ops")))
		Eventually(of(e)).Should(waiting("WaitingForDepartment", `"ops"`, "create it"))
		d := create(c.department("ops", "运营中心", on[*v1alpha1.Department]("wecom")))
		Eventually(of(e)).Should(And(waiting("WaitingForDepartment", `"ops"`, `"dingtalk"`, "add the account"), HaveField("Status.AccountsReady", "1/2")))
		Eventually(onWeCom(c, "E0001")).ShouldNot(BeNil())
		change(d, on[*v1alpha1.Department]("wecom", "dingtalk"))
		Eventually(of(e)).Should(beReady())
	})

	It("is there before its manager is, and reports to it afterwards", func() {
		e := create(c.person("wang-fang", reportingTo("li-na")))
		Eventually(of(e)).Should(And(waiting("WaitingForPeople", `"li-na"`, "managerRef"), HaveField("Status.State", "Active")))
		Expect(onWeCom(c, "E0001")()).NotTo(BeNil())
		create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		Expect(onWeCom(c, "E0001")()).To(HaveField("DirectLeader", ConsistOf("E0002")))
		Expect(onDingTalk(c, "E0001")()).To(HaveField("ManagerUserID", "E0002"))
	})

	It("waits for an account that does not exist, on that account alone", func() {
		e := create(c.person("li-na", on[*v1alpha1.Employee]("wecom", "feishu")))
		Eventually(of(e)).Should(And(waiting("WaitingForAccount", `"feishu"`, "create it"), HaveField("Status.AccountsReady", "1/2")))
		Expect(onWeCom(c, "E0001")()).NotTo(BeNil())
	})

	It("P12: whose mobile number is somebody else's is told whose, and not the number", func() {
		first := create(c.person("li-na"))
		Eventually(of(first)).Should(beReady())
		e := create(c.person("wang-fang", func(e *v1alpha1.Employee) { e.Spec.Contact.Mobile = first.Spec.Contact.Mobile }))
		Eventually(of(e)).Should(And(stalled("DataConflict", "mobile number", "held by the account E0001"), HaveField("Status.AccountsReady", "0/2")))
		change(e, func(e *v1alpha1.Employee) { e.Spec.Contact.Mobile = "+86-13900002222" })
		Eventually(of(e)).Should(beReady())
		c.private = append(c.private, "13900002222")
	})

	It("whose account is taken off keeps it, as it is, and has it back when it is declared again", func() {
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		change(e, dingtalkOnly, titled("顾问"))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.AccountsReady", "1/1"),
			standsOn("wecom", And(HaveField("Reason", "Retained"), HaveField("Message", ContainSubstring("left on the platform"))))))
		Expect(onDingTalk(c, "E0001")()).To(HaveField("Title", "顾问"))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "工程师"))
		change(e, on[*v1alpha1.Employee]("dingtalk", "wecom"))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.AccountsReady", "2/2"), standsOn("wecom", HaveField("Origin", v1alpha1.OriginCreated))))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "顾问"))
		Expect(c.wecom.made("user/create", "")()).To(HaveLen(1))
	})

	It("is put right when somebody changed it on the platform, which is told once", func() {
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		c.wecom.byHand("users", "E0001", `{"position":"顾问"}`)
		c.dingtalk.byHand("users", "E0001", `{"title":"顾问"}`)
		c.resync(c.wecom)
		c.resync(c.dingtalk)
		Eventually(onWeCom(c, "E0001")).Should(HaveField("Position", "工程师"))
		Eventually(onDingTalk(c, "E0001")).Should(HaveField("Title", "工程师"))
		Eventually(of(e)).Should(beReady())
		Eventually(c.told(e)).Should(ContainElement("Updated"))
		Expect(c.wecom.made("user/update", "E0001")()).To(HaveLen(1))
	})

	It("P13: at rest costs nothing: nobody is read singly, nothing is written", func() {
		create(c.person("li-na"))
		create(c.person("wang-fang", reportingTo("li-na")))
		change(&v1alpha1.Department{ObjectMeta: c.meta("rd")}, ledBy("li-na"))
		Eventually(c.objects).Should(HaveEach(beReady()))
		var accounts []*v1alpha1.EnterpriseAccount
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			accounts = append(accounts, c.account(t))
			c.resync(t) // and so everybody is looked at anew
		}
		c.settled()
		for _, a := range accounts {
			Expect(of(a)()).To(And(beReady(), HaveField("Status.People.Managed", HaveValue(BeEquivalentTo(2)))))
		}
		before, since := c.versions(), c.sim.Log.Last()
		for _, a := range accounts { // the platforms are read again, by themselves
			change(a, func(a *v1alpha1.EnterpriseAccount) { a.Spec.ResyncIntervalSeconds = 5 })
			Eventually(of(a)).Should(beReady())
			before[fmt.Sprintf("%T %s", a, a.Name)] = a.ResourceVersion
		}
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			last := map[string]string{"wecom": "user/list_id", "dingtalk": "user/count"}[t.Name()]
			Eventually(func() int { return len(t.calls(core.Query{Operation: last, Since: since})) }).Should(BeNumerically(">=", 2))
		}
		Consistently(c.versions, "200ms").Should(Equal(before))
		read := map[string]bool{}
		for _, e := range c.sim.Log.Entries(core.Query{Since: since}) {
			read[e.Operation] = true
		}
		Expect(read).To(HaveLen(4 + 5))
		for _, operation := range []string{
			"/cgi-bin/user/list_id", "/cgi-bin/user/list", "/cgi-bin/department/list", "/cgi-bin/department/simplelist",
			"/auth/scopes", "/topapi/v2/department/get", "/topapi/v2/department/listsub", "/topapi/v2/user/list", "/topapi/user/count",
		} {
			Expect(read).To(HaveKey(operation))
		}
	})
})
