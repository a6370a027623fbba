package controllers_test

import (
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
)

var _ = Describe("EnterpriseAccount", func() {
	var c *company

	BeforeEach(func() { c = founded() })

	It("reads the directory and becomes Ready", func() {
		c.open(c.wecom, c.dingtalk)
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			a := c.account(t)
			Eventually(of(a)).Should(And(beReady(), says("CredentialsValid", "True", "InSync"), says("DirectoryRead", "True", "InSync")))
			Expect(a.Status.Platform).To(Equal(map[string]string{"wecom": "WeCom", "dingtalk": "DingTalk"}[t.Name()]))
			Expect(a.Status.Mode).To(Equal(v1alpha1.ModeEnforce))
			Expect(a.Status.Departments).To(HaveValue(BeEquivalentTo(0)), "the company itself is left out")
			Expect(a.Status.Limits).To(ContainElement(ContainSubstring(map[string]string{
				"wecom": "cannot read: mobile, email", "dingtalk": "freezes only enterprise accounts"}[t.Name()])))
		}
	})

	Describe("credentials", func() {
		var a *v1alpha1.EnterpriseAccount

		BeforeEach(func() { a = c.account(c.wecom) })

		It("waits for the Secret, and names its keys", func() {
			create(a)
			Eventually(of(a)).Should(And(
				waiting("CredentialsMissing", `"wecom-credentials"`, "syncSecret and appSecret"),
				says("CredentialsValid", "False", "CredentialsMissing")))
			c.secret("wecom-credentials", c.wecom.keys)
			Eventually(of(a)).Should(And(beReady(), says("CredentialsValid", "True", "InSync")))
		})

		It("says which key is missing, and where to find it", func() {
			s := c.secret("wecom-credentials", map[string]string{"appSecret": c.wecom.keys["appSecret"]})
			create(a)
			Eventually(of(a)).Should(waiting("CredentialsMissing", "the key syncSecret", "通讯录同步"))
			c.atRest(a, s)
			change(s, func(s *corev1.Secret) { s.StringData = c.wecom.keys })
			Eventually(of(a)).Should(beReady())
		})

		It("follows the Secret: what is refused is E-103, what works is used at once, and people keep what was seen of them", func() {
			c.open(c.wecom)
			create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
			e := create(c.person("li-na", on[*v1alpha1.Employee]("wecom")))
			Eventually(of(e)).Should(beReady())
			s := &corev1.Secret{ObjectMeta: c.meta("wecom-credentials")}
			wrong := map[string]string{"syncSecret": "mistyped-sync-secret", "appSecret": c.wecom.keys["appSecret"]}
			c.private = append(c.private, "mistyped-sync-secret")
			change(s, func(s *corev1.Secret) { s.StringData = wrong })
			Eventually(of(a)).Should(And(stalled("CredentialsRejected", "E-103", "syncSecret"), says("CredentialsValid", "False", "CredentialsRejected")))
			Expect(of(e)()).To(beReady(), "the account is still as it was seen last")
			change(e, titled("高级工程师"))
			Eventually(of(e)).Should(waiting("WaitingForAccount", `"wecom"`))
			change(s, func(s *corev1.Secret) { s.StringData = c.wecom.keys })
			Eventually(of(a)).Should(And(beReady(), says("CredentialsValid", "True", "InSync")))
			Eventually(of(e)).Should(beReady())
			Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "高级工程师"))
		})

		It("says E-102 and what to grant when the scope is too narrow", func() {
			c.dingtalk.configure(`{"authedDepts":[]}`)
			c.open(c.dingtalk)
			a := c.account(c.dingtalk)
			Eventually(of(a)).Should(And(
				stalled("PermissionDenied", "E-102", "通讯录权限范围"), says("CredentialsValid", "False", "PermissionDenied")))
			c.dingtalk.configure(`{"authedDepts":null}`)
			c.resync(c.dingtalk)
			Eventually(of(a)).Should(And(beReady(), says("CredentialsValid", "True", "InSync")))
		})

		It("P10: keeps a Secret that is deleted first until nobody needs it", func() {
			c.open(c.wecom)
			Eventually(of(a)).Should(beReady())
			s := &corev1.Secret{ObjectMeta: c.meta("wecom-credentials")}
			remove(s)
			create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
			e := create(c.person("li-na", on[*v1alpha1.Employee]("wecom")))
			Eventually(of(e)).Should(beReady(), "the credentials are still there")
			Eventually(of(a)).Should(And(beReady(), says("CredentialsValid", "False", "CredentialsLeaving", "E-104", `"wecom-credentials"`),
				HaveField("Status.People.Managed", HaveValue(BeEquivalentTo(1)))))
			c.atRest(a, s)
			Expect(exists(s)()).To(BeTrue())
			remove(a)
			remove(e)
			remove(c.department("rd", ""))
			Eventually(exists(a)).Should(BeFalse())
			Eventually(exists(s)).Should(BeFalse())
		})

		It("P10: lets go of a Secret that it no longer names", func() {
			c.open(c.wecom)
			Eventually(of(a)).Should(beReady())
			old := &corev1.Secret{ObjectMeta: c.meta("wecom-credentials")}
			Expect(of(old)()).To(HaveField("Finalizers", ConsistOf(v1alpha1.CredentialsFinalizer)))
			c.secret("newer-credentials", c.wecom.keys)
			change(a, func(a *v1alpha1.EnterpriseAccount) { a.Spec.CredentialsSecretRef.Name = "newer-credentials" })
			Eventually(of(a)).Should(beReady())
			Eventually(of(old)).Should(HaveField("Finalizers", BeEmpty()))
			Expect(of(&corev1.Secret{ObjectMeta: c.meta("newer-credentials")})()).To(HaveField("Finalizers", ConsistOf(v1alpha1.CredentialsFinalizer)))
		})

		It("P10: lets go of a Secret whose accounts are all deleted at once", func() {
			s := c.secret("wecom-credentials", c.wecom.keys)
			for range 5 {
				var all []*v1alpha1.EnterpriseAccount
				for i := range 4 {
					all = append(all, create(c.account(c.wecom, func(a *v1alpha1.EnterpriseAccount) {
						a.Name, a.Spec.WeCom.CorpID = fmt.Sprintf("wecom-%d", i), fmt.Sprintf("%s-%d", c.wecom.corpID, i)
					})))
				}
				for _, a := range all {
					Eventually(of(a)).Should(stalled("CredentialsRejected"))
				}
				Expect(api.DeleteAllOf(ctx, a, inNamespace(c))).To(Succeed())
				for _, a := range all {
					Eventually(exists(a)).Should(BeFalse())
				}
				Eventually(of(s)).Should(HaveField("Finalizers", BeEmpty()))
			}
		})
	})

	It("P4: refuses to be the second on a tenant, and takes over when the first goes", func() {
		c.open(c.wecom)
		first := c.account(c.wecom)
		Eventually(of(first)).Should(beReady())
		d := create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
		later(first)
		other := founded()
		other.secret("wecom-credentials", c.wecom.keys)
		second := create(other.account(c.wecom))
		Eventually(of(second)).Should(stalled("DataConflict", "E-205", c.namespace+"/wecom"))
		Expect(of(first)()).To(beReady())

		remove(first)
		Eventually(of(first)).Should(HaveField("Status.Conditions", ContainElement(HaveField("Reason", "InUse"))))
		Consistently(of(second)).Should(stalled("DataConflict"), "the first is still there")
		remove(d)
		Eventually(exists(first)).Should(BeFalse())
		Eventually(of(second)).Should(beReady())
	})

	Describe("modes", func() {
		BeforeEach(func() {
			c.open(c.wecom)
			create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
		})

		It("Observe reports what Enforce would do, and does nothing", func() {
			a := c.account(c.wecom)
			drifted := create(c.person("li-na", on[*v1alpha1.Employee]("wecom")))
			Eventually(of(drifted)).Should(beReady())
			change(a, mode(v1alpha1.ModeObserve))
			writes := len(c.wecom.writes())
			c.wecom.byHand("users", "E0001", `{"position":"顾问"}`)
			c.resync(c.wecom)
			newcomer := create(c.person("wang-fang", on[*v1alpha1.Employee]("wecom")))
			Eventually(of(drifted)).Should(stands(inProgress, "WouldChange", "E-407", "update (title)"))
			Expect(drifted).To(standsOn("wecom", HaveField("Differences", ConsistOf("title"))))
			Eventually(of(newcomer)).Should(stands(inProgress, "WouldChange", "create"))
			Expect(newcomer.Status.Conditions).NotTo(ContainElement(HaveField("Type", BeElementOf("Reconciling", "Stalled"))), "nobody does anything, nobody has to")
			Eventually(of(a)).Should(And(beReady(), HaveField("Status.Mode", v1alpha1.ModeObserve),
				HaveField("Status.People.Differing", HaveValue(BeEquivalentTo(2)))))
			Expect(c.wecom.writes()).To(HaveLen(writes))

			change(a, mode(v1alpha1.ModeEnforce))
			Eventually(of(drifted)).Should(beReady())
			Eventually(of(newcomer)).Should(beReady())
			Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "工程师"))
			Expect(onWeCom(c, "E0002")()).NotTo(BeNil())
			Eventually(of(a)).Should(HaveField("Status.People.Differing", HaveValue(BeEquivalentTo(0))))
		})

		It("Suspended makes no call, and says so to whom it matters", func() {
			a := c.account(c.wecom)
			settled := create(c.person("li-na", on[*v1alpha1.Employee]("wecom")))
			Eventually(of(settled)).Should(beReady())
			heal := c.wecom.fault(core.Fault{Kind: core.KindError, Operation: "user/create", Code: "-1"})
			underway := create(c.person("wang-fang", on[*v1alpha1.Employee]("wecom")))
			Eventually(c.wecom.made("user/create", "E0002")).ShouldNot(BeEmpty())
			change(a, mode(v1alpha1.ModeSuspended))
			Eventually(of(a)).Should(And(stands(current, "Suspended"),
				Not(HaveField("Status.Conditions", ContainElement(HaveField("Type", BeElementOf("CredentialsValid", "DirectoryRead")))))))
			calls := len(c.wecom.calls(core.Query{}))
			newcomer := create(c.person("liu-yang", on[*v1alpha1.Employee]("wecom")))
			Eventually(of(newcomer)).Should(stands(inProgress, "Suspended", "E-408"))
			Expect(newcomer.Status.Conditions).NotTo(ContainElement(HaveField("Type", BeElementOf("Reconciling", "Stalled"))))
			Eventually(of(underway)).Should(stands(inProgress, "Suspended", "E-408"))
			Expect(of(settled)()).To(beReady())
			change(settled, titled("高级工程师"))
			Eventually(of(settled)).Should(stands(inProgress, "Suspended"))
			heal()
			Consistently(func() []core.Entry { return c.wecom.calls(core.Query{}) }).Should(HaveLen(calls))

			change(a, mode(v1alpha1.ModeEnforce))
			for _, e := range []*v1alpha1.Employee{settled, underway, newcomer} {
				Eventually(of(e)).Should(beReady())
			}
			Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "高级工程师"))
		})
	})

	It("keeps to the rate limit, and to a new one at once", func() {
		_, err := c.dingtalk.Seed(c.dingtalk.tenant, core.Seed{Departments: 60})
		Expect(err).NotTo(HaveOccurred())
		c.secret("dingtalk-credentials", c.dingtalk.keys)
		limit := func(n int32) func(*v1alpha1.EnterpriseAccount) {
			return func(a *v1alpha1.EnterpriseAccount) { a.Spec.RateLimit.RequestsPerSecond = n }
		}
		calls := func() []core.Entry { return c.dingtalk.calls(core.Query{}) }
		began := time.Now()
		a := create(c.account(c.dingtalk, limit(1)))
		Eventually(func() int { return len(calls()) }).Should(BeNumerically(">=", 3))
		for i, call := range calls() {
			Expect(call.Time.Sub(began)).To(BeNumerically(">=", time.Duration(i)*time.Second), "call %d to %s", i+1, call.Operation)
		}
		change(a, limit(1000))
		Eventually(of(a)).Should(beReady(), "a reading calls for each department: one a second would take minutes")
	})

	It("P10: stays while somebody is on it, and leaves the platform as it is", func() {
		c.open(c.wecom)
		a := c.account(c.wecom)
		d := create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
		e := create(c.person("li-na", on[*v1alpha1.Employee]("wecom")))
		Eventually(of(e)).Should(beReady())
		remove(a)
		Eventually(of(a)).Should(says("Ready", "False", "InUse", "E-409", "1 people and 1 departments"))
		calls := len(c.wecom.calls(core.Query{}))
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
		Eventually(of(a)).Should(says("Ready", "False", "InUse", "0 people and 1 departments"))
		remove(d)
		Eventually(exists(a)).Should(BeFalse())
		Expect(c.wecom.calls(core.Query{})).To(HaveLen(calls), "the platform is not called any more")
		Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "工程师"))
	})

	It("P4: names those whom nobody declares, the first 50 by id, and never touches them", func() {
		_, err := c.wecom.Seed(c.wecom.tenant, core.Seed{Users: 60, Departments: 3})
		Expect(err).NotTo(HaveOccurred())
		c.open(c.wecom)
		a := c.account(c.wecom)
		Eventually(of(a)).Should(beReady())
		Expect(a.Status.People.Unmanaged).To(HaveValue(BeEquivalentTo(61)))
		Expect(a.Status.UnmanagedUserIDs).To(HaveLen(50))
		Expect(slices.IsSorted(a.Status.UnmanagedUserIDs)).To(BeTrue())
		Expect(a.Status.UnmanagedUserIDs[0]).To(Equal("S00001"))
		Expect(c.wecom.writes()).To(BeEmpty())
	})

	It("P5: tells the gaps of a listing, and believes no empty one", func() {
		_, err := c.wecom.Seed(c.wecom.tenant, core.Seed{Users: 10})
		Expect(err).NotTo(HaveOccurred())
		c.open(c.wecom)
		a := c.account(c.wecom)
		Eventually(of(a)).Should(And(beReady(), HaveField("Status.Gaps", BeEmpty())))
		heal := c.wecom.fault(core.Fault{Kind: core.KindPartialPage, Operation: "user/list"})
		c.resync(c.wecom)
		Eventually(of(a)).Should(says("DirectoryRead", "False", "DirectoryIncomplete", "E-305", "details cannot be seen"))
		Expect(a.Status.Gaps).To(ConsistOf(ContainSubstring("6 users exist whose details cannot be seen")))
		Expect(a.Status.People.Unmanaged).To(HaveValue(BeEquivalentTo(11)), "nobody is taken to be gone")
		heal()
		heal = c.wecom.fault(core.Fault{Kind: core.KindEmptyListing, Operation: "user/list"})
		c.resync(c.wecom)
		Eventually(of(a)).Should(And(waiting("PlatformUnavailable"), says("DirectoryRead", "False", "PlatformUnavailable")))
		heal()
		c.resync(c.wecom)
		Eventually(of(a)).Should(And(beReady(), says("DirectoryRead", "True", "InSync"), HaveField("Status.Gaps", BeEmpty())))
	})

	It("counts people by what there is to do with them", func() {
		c.open(c.dingtalk)
		c.dingtalk.configure(`{"protectedMobiles":["13900001111"]}`)
		create(c.department("rd", "研发中心", on[*v1alpha1.Department]("dingtalk")))
		only := on[*v1alpha1.Employee]("dingtalk")
		ready := create(c.person("li-na", only))
		gone := create(c.person("wang-fang", only))
		invited := create(c.person("liu-yang", only, func(e *v1alpha1.Employee) { e.Spec.Contact.Mobile = "+86-13900001111" }))
		cold := create(c.person("chen-jie", only, entry("dingtalk", func(a *v1alpha1.EmployeeAccount) { a.Type = v1alpha1.AccountEnterprise })))
		for _, e := range []*v1alpha1.Employee{ready, gone, cold} {
			Eventually(of(e)).Should(beReady())
		}
		Eventually(of(invited)).Should(waiting("InvitationPending"))
		change(cold, frozen)
		Eventually(of(cold)).Should(And(beReady(), HaveField("Status.State", "Frozen")))
		Expect(c.dingtalk.Remove(c.dingtalk.tenant, "users", "E0002")).To(Succeed())
		c.resync(c.dingtalk)
		Eventually(of(gone)).Should(stalled("Vanished"))
		n := func(n int32) types.GomegaMatcher { return PointTo(BeEquivalentTo(n)) }
		Eventually(of(c.account(c.dingtalk))).Should(HaveField("Status.People", MatchAllFields(Fields{
			"Declared": n(4), "Managed": n(3), "Unmanaged": n(1), "Differing": n(0), "Frozen": n(1), "Invited": n(1), "Vanished": n(1),
		})))
	})

	Describe("caBundle", func() {
		It("is told to be no certificate", func() {
			c.secret("wecom-credentials", c.wecom.keys)
			a := create(c.account(c.wecom, func(a *v1alpha1.EnterpriseAccount) {
				a.Spec.CABundle = "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n"
			}))
			Eventually(of(a)).Should(stalled("InvalidValue", "caBundle"))
			Expect(c.wecom.calls(core.Query{})).To(BeEmpty())
			change(a, func(a *v1alpha1.EnterpriseAccount) { a.Spec.CABundle = "" })
			Eventually(of(a)).Should(beReady())
		})

		It("is what is trusted, and all that is", func() {
			gateway := httptest.NewTLSServer(c.wecom.handler)
			DeferCleanup(gateway.Close)
			c.secret("wecom-credentials", c.wecom.keys)
			a := create(c.account(c.wecom, func(a *v1alpha1.EnterpriseAccount) { a.Spec.WeCom.Endpoint = v1alpha1.Endpoint(gateway.URL) }))
			Eventually(of(a)).Should(waiting("PlatformUnavailable", "certificate"))
			Expect(c.wecom.calls(core.Query{})).To(BeEmpty())
			trusted := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gateway.Certificate().Raw})
			change(a, func(a *v1alpha1.EnterpriseAccount) { a.Spec.CABundle = string(trusted) })
			Eventually(of(a)).Should(beReady())
		})
	})
})
