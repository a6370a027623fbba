package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
	"rollcall.dev/rollcall/test/simulator/core"
)

var _ = Describe("Deleting an Employee", func() {
	var c *company
	var e *v1alpha1.Employee

	BeforeEach(func() {
		c = staffed()
		e = create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
	})

	declaredAgain := func() *v1alpha1.Employee {
		GinkgoHelper()
		return create(&v1alpha1.Employee{ObjectMeta: c.meta("li-na"), Spec: e.Spec})
	}

	It("P10: leaves the platforms as they are, and the accounts remember", func() {
		before := [2]int{len(c.wecom.writes()), len(c.dingtalk.writes())}
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
		Expect([2]int{len(c.wecom.writes()), len(c.dingtalk.writes())}).To(Equal(before))
		Expect(onWeCom(c, "E0001")()).To(And(HaveField("Position", "工程师"), HaveField("Enable", 1)))
		Expect(onDingTalk(c, "E0001")()).To(HaveField("Title", "工程师"))
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			a, err := of(c.account(t))()
			Expect(err).NotTo(HaveOccurred())
			Expect(a.Status.Retained).To(ConsistOf(And(HaveField("UserID", "E0001"), HaveField("Employee", "li-na"),
				HaveField("Origin", v1alpha1.OriginCreated), HaveField("RetainedTime", Not(BeNil())))), "the record is there before the object is gone")
			Eventually(of(a)).Should(And(HaveField("Status.People.Managed", HaveValue(BeEquivalentTo(0))), HaveField("Status.UnmanagedUserIDs", ContainElement("E0001"))))
		}
		Eventually(c.told(e)).Should(ContainElement("Retained"))
	})

	It("P3: is undone by declaring the person again, who is recognised under a new UID", func() {
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
		c.wecom.byHand("users", "E0001", `{"position":"顾问"}`)
		c.resync(c.wecom)
		again := declaredAgain()
		Eventually(of(again)).Should(And(beReady(), HaveField("Status.AccountsReady", "2/2"), standsOn("wecom", HaveField("Origin", v1alpha1.OriginCreated))))
		Expect(again.UID).NotTo(Equal(e.UID))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Position", "工程师"), "it is ours: nothing has to be reviewed")
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			Expect(t.made("user/create", "")()).To(HaveLen(1))
			Eventually(of(c.account(t))).Should(HaveField("Status.Retained", BeEmpty()))
		}
	})

	It("P10: works when the EnterpriseAccount is gone", func() {
		a := c.account(c.wecom)
		remove(a)
		Eventually(of(a)).Should(HaveField("Status.Conditions", ContainElement(HaveField("Reason", "InUse"))))
		change(a, func(a *v1alpha1.EnterpriseAccount) { a.Finalizers = nil })
		Eventually(exists(a)).Should(BeFalse())
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
		Expect(onWeCom(c, "E0001")()).NotTo(BeNil())
	})

	It("P10: works when the credentials are dead, and is remembered", func() {
		s := &corev1.Secret{ObjectMeta: c.meta("wecom-credentials")}
		change(s, func(s *corev1.Secret) { s.Data["syncSecret"] = []byte("mistyped-sync-secret") })
		Eventually(of(c.account(c.wecom))).Should(stalled("CredentialsRejected"))
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
		Expect(of(c.account(c.wecom))()).To(HaveField("Status.Retained", ConsistOf(HaveField("UserID", "E0001"))))
	})

	It("P10: works when the Secret is gone altogether", func() {
		s := &corev1.Secret{ObjectMeta: c.meta("wecom-credentials")}
		change(s, func(s *corev1.Secret) { s.Finalizers = nil; s.Data = nil })
		Eventually(of(c.account(c.wecom))).Should(waiting("CredentialsMissing"))
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
	})

	It("P10: works when the tenant is dead", func() {
		c.wecom.server.CloseClientConnections()
		c.wecom.server.Close()
		change(e, titled("顾问"))
		Eventually(of(e)).Should(And(waiting("PlatformUnavailable"), HaveField("Status.AccountsReady", "1/2")))
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
		Expect(of(c.account(c.wecom))()).To(HaveField("Status.Retained", ConsistOf(HaveField("UserID", "E0001"))))
	})

	It("P10: works while mode is Suspended, without a call", func() {
		a := c.account(c.wecom)
		change(a, mode(v1alpha1.ModeSuspended))
		Eventually(of(a)).Should(stands(current, "Suspended"))
		calls := len(c.wecom.calls(core.Query{}))
		remove(e)
		Eventually(exists(e)).Should(BeFalse())
		Expect(of(a)()).To(HaveField("Status.Retained", ConsistOf(HaveField("UserID", "E0001"))))
		Expect(c.wecom.calls(core.Query{})).To(HaveLen(calls))
	})

	It("P10: works in a namespace that is ending, with everything else in it", func() {
		ns := &corev1.Namespace{}
		ns.Name = c.namespace
		remove(ns)
		Eventually(func() error {
			s := &corev1.Secret{ObjectMeta: c.meta("too-late")}
			return api.Create(ctx, s)
		}).Should(MatchError(ContainSubstring("being terminated")))
		// What the namespace controller does, in no order.
		for _, kind := range []client.Object{&v1alpha1.Employee{}, &corev1.Secret{}, &v1alpha1.Department{}, &v1alpha1.EnterpriseAccount{}} {
			Expect(api.DeleteAllOf(ctx, kind, inNamespace(c))).To(Succeed())
		}
		Eventually(c.objects).Should(BeEmpty())
		Eventually(func() ([]corev1.Secret, error) {
			var left corev1.SecretList
			return left.Items, api.List(ctx, &left, client.InNamespace(c.namespace))
		}).Should(BeEmpty())
		Expect(onWeCom(c, "E0001")()).NotTo(BeNil())
	})

	It("P3: in the middle of its creation leaves no account that nobody knows of", func() {
		heal := c.wecom.fault(core.Fault{Kind: core.KindLatency, Operation: "user/create", DelayMillis: 500})
		late := create(c.person("wang-fang", wecomOnly))
		Eventually(func() []core.Fault { return c.sim.Faults.List() }).Should(ContainElement(HaveField("Hits", 1)))
		remove(late)
		Eventually(exists(late)).Should(BeFalse())
		heal()
		Expect(onWeCom(c, "E0002")()).NotTo(BeNil())
		Expect(of(c.account(c.wecom))()).To(HaveField("Status.Retained", ContainElement(And(HaveField("UserID", "E0002"), HaveField("Employee", "wang-fang")))))
	})

	It("P4: by force amid its creation leaves nothing of that to a namesake", func() {
		heal := c.wecom.fault(core.Fault{Kind: core.KindLatency, Operation: "user/create", DelayMillis: 3000})
		gone := create(c.person("wang-fang", wecomOnly))
		Eventually(func() []core.Fault { return c.sim.Faults.List() }).Should(ContainElement(HaveField("Hits", 1)))
		remove(gone)
		change(gone, func(e *v1alpha1.Employee) { e.Finalizers = nil })
		Eventually(exists(gone)).Should(BeFalse())
		heal()
		Eventually(onWeCom(c, "E0002")).ShouldNot(BeNil())
		e := create(c.person("wang-fang", wecomOnly))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.Accounts", ConsistOf(HaveField("UserID", "E0003")))))
		Expect(onWeCom(c, "E0003")()).NotTo(BeNil())
	})
})

var _ = Describe("A company that is deleted with its namespace", func() {
	// dissolved deletes the namespace, and then what the namespace controller would, in no good order.
	dissolved := func(c *company) {
		GinkgoHelper()
		ns := &corev1.Namespace{}
		ns.Name = c.namespace
		remove(ns)
		Eventually(func() error { return api.Create(ctx, &corev1.Secret{ObjectMeta: c.meta("too-late")}) }).Should(MatchError(ContainSubstring("being terminated")))
		for _, kind := range []client.Object{&v1alpha1.OffboardingPolicy{}, &v1alpha1.BackupStorage{}, &corev1.Secret{}, &v1alpha1.LinkedSystem{}, &v1alpha1.EnterpriseAccount{},
			&v1alpha1.Employee{}, &v1alpha1.Department{}, &v1alpha1.Offboarding{}} {
			Expect(api.DeleteAllOf(ctx, kind, inNamespace(c))).To(Succeed())
		}
	}
	archiving := func(p *v1alpha1.OffboardingPolicy) {
		p.Spec.Backup = v1alpha1.OffboardingBackup{Mode: v1alpha1.BackupRequired, StorageRef: v1alpha1.StorageReference{Name: "archives"}, Datasets: []v1alpha1.Dataset{"Directory"}}
	}

	It("P1, P2, P10: has its people frozen and backed up, once for each account, and nobody deleted", func() {
		c := staffed()
		v := c.room()
		create(c.policy("standard", archiving))
		for _, name := range []string{"li-na", "wang-fang"} {
			Eventually(of(create(c.person(name)))).Should(beReady())
		}
		dissolved(c)
		Eventually(c.objects).Should(BeEmpty())
		for _, id := range []string{"E0001", "E0002"} {
			Expect(onWeCom(c, id)()).To(HaveField("Enable", 0))
			Expect(onDingTalk(c, id)()).NotTo(BeNil())
		}
		Expect(v.keys(v.folder)).To(HaveLen(2), "one archive for each account")
		Eventually(func() ([]corev1.Secret, error) {
			var left corev1.SecretList
			return left.Items, api.List(ctx, &left, client.InNamespace(c.namespace))
		}).Should(BeEmpty())
	})

	It("P2, P10: has its people disabled in linked systems, deleted in none, retained where onLeave says so, and waits for none that is gone", func() {
		c := staffed()
		create(c.policy("standard"))
		mail := c.linked("mail", linkedtest.Able(), provisioning, onLeaving(v1alpha1.UnlinkDelete))
		gone := c.linked("finance", linkedtest.Able(), provisioning)
		kept := c.linked("door", linkedtest.Able(), provisioning, onLeaving(v1alpha1.UnlinkRetain))
		e := create(c.person("li-na", wecomOnly, linkedTo("mail", "finance", "door")))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.LinkedReady", "3/3")))
		change(gone.ls, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode = v1alpha1.ModeSuspended })
		dissolved(c)
		Eventually(c.objects).Should(BeEmpty())
		Expect(mail.account("E0001")()).To(And(disabled(), HaveField("Parked", false)))
		Expect(gone.account("E0001")()).To(usable(), "it is left as it is")
		Expect(kept.account("E0001")()).To(usable())
	})

	It("P7, P10: has nobody frozen where the policy holds deletions, but backed up", func() {
		c := staffed()
		v := c.room()
		create(c.policy("standard", archiving, unannounced(v1alpha1.UnannouncedHold)))
		Eventually(of(create(c.person("li-na")))).Should(beReady())
		dissolved(c)
		Eventually(c.objects).Should(BeEmpty())
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
		Expect(v.keys(v.folder)).To(HaveLen(2))
	})

	It("P2, P10: waits for nobody to accept an invitation", func() {
		c := staffed()
		c.dingtalk.configure(`{"protectedMobiles":["13900001111"]}`)
		c.private = append(c.private, "13900001111")
		create(c.policy("standard"))
		e := create(c.person("li-na", func(e *v1alpha1.Employee) { e.Spec.Contact.Mobile = "+86-13900001111" }))
		Eventually(of(e)).Should(And(waiting("InvitationPending"), standsOn("wecom", HaveField("State", v1alpha1.AccountActive))))
		dissolved(c)
		Eventually(c.objects).Should(BeEmpty())
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0))
	})

	It("P9: tells what it waits for, and where the archives are", func() {
		c := staffed()
		c.room()
		create(c.policy("standard", archiving))
		e := create(c.person("li-na"))
		Eventually(of(e)).Should(beReady())
		heal := c.dingtalk.fault(core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: 503})
		dissolved(c)
		Eventually(of(e)).Should(And(stands(ending, "NamespaceLeaving", "E-613", "dingtalk"),
			standsOn("wecom", And(HaveField("ArchiveKey", HavePrefix(c.namespace+"/wecom/")), HaveField("ArchiveSHA256", HaveLen(64)), HaveField("State", v1alpha1.AccountFrozen)))))
		heal()
		Eventually(c.objects).Should(BeEmpty())
	})
})
