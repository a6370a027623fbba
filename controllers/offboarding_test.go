package controllers_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/provider"
	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

// leave is a leaving of the person from the accounts that it has, not created yet: backup in the room "archives", a
// second of grace, and no notices.
func (c *company) leave(e *v1alpha1.Employee, change ...func(*v1alpha1.OffboardingSpec)) *v1alpha1.Offboarding {
	GinkgoHelper()
	Expect(of(e)()).To(beReady())
	grace := int64(1)
	ob := &v1alpha1.Offboarding{ObjectMeta: c.meta(e.Name + "-leaves"), Spec: v1alpha1.OffboardingSpec{
		Mode: v1alpha1.OffboardingExecute, EmployeeRef: v1alpha1.EmployeeReference{Name: e.Name}, EmployeeUID: string(e.UID),
		Number: e.Status.Number, PersonName: e.Spec.Name, Trigger: v1alpha1.TriggerDeleted, Reason: "resigned",
		Terms: v1alpha1.OffboardingTerms{
			Backup:       v1alpha1.OffboardingBackup{Mode: v1alpha1.BackupRequired, StorageRef: v1alpha1.StorageReference{Name: "archives"}, Datasets: []v1alpha1.Dataset{"Directory"}},
			GraceSeconds: &grace,
		},
	}}
	for _, a := range e.Status.Accounts {
		ob.Spec.Accounts = append(ob.Spec.Accounts, v1alpha1.OffboardingAccount{Name: a.Name, UserID: a.UserID, Type: a.Type, Origin: a.Origin, FrozenBy: a.FrozenBy})
	}
	for _, f := range change {
		f(&ob.Spec)
	}
	c.leavers = append(c.leavers, e.Status.Number)
	return ob
}

// unhanded leaves hand-over out: nobody has anything to confirm.
func unhanded(o *v1alpha1.OffboardingSpec) {
	o.Terms.SkipSteps = append(o.Terms.SkipSteps, v1alpha1.SkippableStep("HandOver"))
}

// inGrace keeps grace for long.
func inGrace(o *v1alpha1.OffboardingSpec) {
	week := int64(604800)
	o.Terms.GraceSeconds = &week
}

// released lets the Employee go and leaves the accounts.
func released(e *v1alpha1.Employee) {
	GinkgoHelper()
	remove(e)
	Eventually(exists(e)).Should(BeFalse())
}

// inState matches a leaving in this state.
func inState(state v1alpha1.OffboardingState) types.GomegaMatcher {
	return HaveField("Status.State", state)
}

// leaves matches a leaving whose standing on one account matches.
func leaves(account string, m types.GomegaMatcher) types.GomegaMatcher {
	return WithTransform(func(ob *v1alpha1.Offboarding) v1alpha1.OffboardingAccountStatus {
		for _, a := range ob.Status.Accounts {
			if a.Name == account {
				return a
			}
		}
		return v1alpha1.OffboardingAccountStatus{}
	}, m)
}

// taken matches the state of a step on an account.
func taken(step v1alpha1.OffboardingStepName, state v1alpha1.StepState) types.GomegaMatcher {
	return WithTransform(func(a v1alpha1.OffboardingAccountStatus) v1alpha1.StepState {
		for _, s := range a.Steps {
			if s.Name == step {
				return s.State
			}
		}
		return ""
	}, Equal(state))
}

// connected reaches the tenant past the manager, as another app's administrator would.
func (c *company) connected(t *twin) directory.Directory {
	GinkgoHelper()
	settings := directory.Settings{
		Tenant: t.corpID, Endpoint: t.server.URL, LegacyEndpoint: t.server.URL, Secrets: map[string][]byte{},
		HTTP: t.server.Client(), Throttled: func(string, time.Duration) {}, Now: time.Now,
	}
	for k, v := range t.keys {
		settings.Secrets[k] = []byte(v)
	}
	for _, d := range provider.All() {
		if strings.EqualFold(d.Platform, t.Name()) {
			made, err := d.New(settings)
			Expect(err).NotTo(HaveOccurred())
			return made
		}
	}
	return nil
}

// confirm says that the manual tasks are done.
func confirm(ob *v1alpha1.Offboarding, tasks ...string) {
	GinkgoHelper()
	change(ob, func(ob *v1alpha1.Offboarding) {
		for _, t := range tasks {
			ob.Spec.Confirmations = append(ob.Spec.Confirmations, v1alpha1.Confirmation{Task: t})
		}
	})
}

var _ = Describe("Offboarding", func() {
	var c *company
	var v *room

	BeforeEach(func() {
		c = founded()
		v = c.room()
		c.open(c.wecom, c.dingtalk)
		create(c.department("rd", "研发中心"))
	})

	It("P1, P2: freezes, backs up, lets people hand over, waits for grace, removes, and looks what is left: WeCom", func() {
		e := create(c.person("li-na", wecomOnly))
		Eventually(of(e)).Should(beReady())
		ob := c.leave(e)
		released(e)
		since := c.sim.Log.Last()
		create(ob)
		Eventually(of(ob)).Should(leaves("wecom", taken("Grace", "Done")))
		Expect(ob).To(stalled("ManualTask", "wecom/HandOver"))
		Expect(ob.Status.WaitingFor).To(Equal("wecom/HandOver to be confirmed"))
		Expect(ob.Status.Access).To(Equal(v1alpha1.AccessRevoked))
		Expect(v.keys(v.folder)).To(HaveLen(1))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0))
		confirm(ob, "wecom/HandOver")
		Eventually(of(ob)).Should(And(inState("Complete"), beReady(), leaves("wecom", And(
			HaveField("State", v1alpha1.AccountDeparted), taken("DeleteAccount", "Done"), taken("ResidualCheck", "Done")))))
		Expect(onWeCom(c, "E0001")()).To(BeNil())
		Expect(c.wecom.changesSince(since)).To(Equal([]string{"user/update", "user/delete"}))
		Eventually(of(ob)).Should(HaveField("Finalizers", BeEmpty()))
	})

	It("P1, P2: hands over with the removal, from an account that cannot be frozen: DingTalk", func() {
		c.dingtalk.configure(`{"smartHR":true}`)
		boss := create(c.person("wang-fang", dingtalkOnly))
		Eventually(of(boss)).Should(beReady())
		e := create(c.person("li-na", dingtalkOnly))
		Eventually(of(e)).Should(beReady())
		ob := c.leave(e, func(o *v1alpha1.OffboardingSpec) {
			o.SuccessorName, o.SuccessorPersonName, o.Accounts[0].SuccessorUserID = "wang-fang", boss.Spec.Name, "E0001"
		})
		released(e)
		create(ob)
		Eventually(of(ob)).Should(stalled("ManualTask", "dingtalk/HandOver"))
		Expect(ob).To(leaves("dingtalk", And(taken("Freeze", "Skipped"), taken("Backup", "Done"), taken("HandOver", "Waiting"))))
		Expect(ob.Status.Access).To(Equal(v1alpha1.AccessOpen))
		Expect(ob).To(says(v1alpha1.ConditionAccessRevoked, metav1.ConditionFalse, "FreezeUnsupported", "E-210: dingtalk: ", "can be used until grace ends"))
		confirm(ob, "dingtalk/HandOver")
		Eventually(of(ob)).Should(And(inState("Complete"), beReady()))
		Expect(onDingTalk(c, "E0002")()).To(BeNil())
		Expect(c.dingtalk.made("terminateAndHandOver", "E0002")()).To(HaveLen(1))
	})

	Describe("whose hand-over DingTalk refuses", func() {
		const allButHR = `{"smartHR":true,"permissions":["qyapi_base","qyapi_manage_addresslist","qyapi_get_member","qyapi_get_department_member",
			"qyapi_get_department_list","qyapi_get_member_by_mobile","fieldMobile","fieldEmail"]}`
		for _, refusal := range []struct{ because, options, successor, words string }{
			{"Smart HR is off", `{"smartHR":false}`, "E0001", "智能人事"},
			{"the app lacks the right", allButHR, "E0001", "Hrm.Process.ReadWrite"},
			{"the successor is not there", `{"smartHR":true}`, "E0009", "successor"},
		} {
			It("P9: waits for people to hand over, and then removes without a successor, once: "+refusal.because, func() {
				boss := create(c.person("wang-fang", dingtalkOnly))
				e := create(c.person("li-na", dingtalkOnly))
				Eventually(of(boss)).Should(beReady())
				Eventually(of(e)).Should(beReady())
				c.dingtalk.configure(refusal.options)
				ob := c.leave(e, func(o *v1alpha1.OffboardingSpec) {
					o.SuccessorName, o.SuccessorPersonName, o.Accounts[0].SuccessorUserID = "wang-fang", boss.Spec.Name, refusal.successor
				})
				released(e)
				create(ob)
				Eventually(of(ob)).Should(stalled("ManualTask", "dingtalk/HandOver"))
				confirm(ob, "dingtalk/HandOver")
				Eventually(of(ob)).Should(stalled("ManualTask", "dingtalk/HandOverByHand"))
				Expect(ob).To(leaves("dingtalk", And(taken("DeleteAccount", "Running"), HaveField("Tasks", ContainElement(And(
					HaveField("Name", "dingtalk/HandOverByHand"), HaveField("Todo", ContainSubstring(refusal.words))))))))
				Consistently(onDingTalk(c, "E0002"), "300ms").ShouldNot(BeNil())
				Expect(c.dingtalk.made("user/delete", "")()).To(BeEmpty())
				confirm(ob, "dingtalk/HandOverByHand")
				Eventually(of(ob)).Should(And(inState("Complete"), beReady(), leaves("dingtalk", taken("DeleteAccount", "Done"))))
				Expect(onDingTalk(c, "E0002")()).To(BeNil())
				Expect(c.dingtalk.made("user/delete", "E0002")()).To(HaveLen(1))
			})
		}
	})

	// departs lets a person leave WeCom: the Employee is let go, the leaving begins.
	departs := func(change ...func(*v1alpha1.OffboardingSpec)) *v1alpha1.Offboarding {
		GinkgoHelper()
		e := create(c.person("li-na", wecomOnly))
		Eventually(of(e)).Should(beReady())
		ob := c.leave(e, change...)
		released(e)
		return create(ob)
	}

	It("P1: removes nobody without a backup that was verified, whatever else is called one", func() {
		other := create(c.backup("li-na-leaves-wecom", "wecom", func(b *v1alpha1.Backup) { b.Spec.People.UserIDs = []string{"founder"} }))
		ob := departs(unhanded)
		Eventually(of(ob)).Should(stalled("BackupFailed", "not of this leaving"))
		Expect(ob).To(leaves("wecom", And(HaveField("State", v1alpha1.AccountFrozen), taken("Freeze", "Done"))))
		Consistently(onWeCom(c, "E0001"), "300ms").ShouldNot(BeNil())
		By("deleting what was in the way")
		remove(other)
		Eventually(of(ob)).Should(inState("Complete"))
		Expect(onWeCom(c, "E0001")()).To(BeNil())
		Expect(ob).To(leaves("wecom", HaveField("Steps", ContainElement(And(HaveField("Name", v1alpha1.OffboardingStepName("Backup")), HaveField("Evidence", HavePrefix("manifest sha256:")))))))
	})

	It("P1: waits for a storage, and makes the backup anew when the one that it has goes", func() {
		ob := departs(func(o *v1alpha1.OffboardingSpec) {
			o.Terms.Backup.StorageRef.Name = "later"
			o.Terms.Backup.LegalHold = v1alpha1.LegalHoldHeld
		})
		Eventually(of(ob)).Should(waiting("WaitingForBackup", "later"))
		Expect(ob.Status.WaitingFor).To(Equal("backup 0/1"))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0), "access is taken away first")
		create(&v1alpha1.BackupStorage{ObjectMeta: c.meta("later"), Spec: v1alpha1.BackupStorageSpec{
			Location:   v1alpha1.StorageLocation{Local: v1alpha1.LocalVolume{Folder: v.folder + "-later"}},
			Encryption: v1alpha1.Encryption{IdentitySecretRef: v1alpha1.SecretReference{Name: "archives-key"}},
		}})
		Eventually(of(ob)).Should(stalled("ManualTask", "wecom/HandOver"))
		first := &v1alpha1.Backup{ObjectMeta: c.meta("li-na-leaves-wecom")}
		Eventually(of(first)).Should(And(beReady(), HaveField("Status.LegalHold", v1alpha1.LegalHoldHeld), HaveField("Labels", HaveKeyWithValue(v1alpha1.OffboardingLabel, ob.Name))))
		remove(first)
		Eventually(v.keys).WithArguments(v.folder + "-later").Should(HaveLen(2))
		Eventually(of(ob)).Should(leaves("wecom", taken("Backup", "Done")))
		confirm(ob, "wecom/HandOver")
		Eventually(of(ob)).Should(inState("Complete"))
		Expect(v.keys(v.folder + "-later")).To(HaveLen(2))
	})

	It("P1: needs no backup where the policy says in so many words that none is wanted", func() {
		ob := departs(unhanded, func(o *v1alpha1.OffboardingSpec) {
			o.Terms.Backup = v1alpha1.OffboardingBackup{Mode: v1alpha1.BackupNone}
		})
		Eventually(of(ob)).Should(And(inState("Complete"), says("BackedUp", "True", "InSync", "wants no backup")))
		Expect(v.keys(v.folder)).To(BeEmpty())
	})

	It("P2: does not keep an account in use through grace where the policy says so: DingTalk", func() {
		e := create(c.person("li-na", dingtalkOnly))
		Eventually(of(e)).Should(beReady())
		ob := c.leave(e, unhanded, func(o *v1alpha1.OffboardingSpec) {
			week := int64(604800)
			o.Terms.GraceSeconds, o.Terms.Unfreezable = &week, v1alpha1.UnfreezableRemoveEarly
		})
		released(e)
		create(ob)
		Eventually(of(ob)).Should(And(inState("Complete"), leaves("dingtalk", And(taken("Freeze", "Skipped"), taken("Backup", "Done"), taken("Grace", "Skipped"), taken("DeleteAccount", "Done")))))
	})

	It("P2: takes access away again when somebody gives it back during grace", func() {
		ob := departs(unhanded, inGrace)
		Eventually(of(ob)).Should(And(inState("Grace"), waiting("Grace"), says("AccessRevoked", "True", "InSync")))
		c.wecom.byHand("users", "E0001", `{"enable":1}`)
		c.resync(c.wecom)
		Eventually(onWeCom(c, "E0001")).Should(HaveField("Enable", 0))
		Eventually(of(ob)).Should(And(inState("Grace"), HaveField("Status.Access", v1alpha1.AccessRevoked)))
	})

	It("P3: looks up what became of a removal whose answer was lost, and asks once", func() {
		c.wecom.fault(core.Fault{Kind: core.KindDropAfter, Operation: "user/delete", Times: 1})
		ob := departs(unhanded)
		Eventually(of(ob)).Should(And(inState("Complete"), leaves("wecom", taken("DeleteAccount", "Done"))))
		Expect(c.wecom.made("user/delete", "E0001")()).To(HaveLen(1))
	})

	It("P4: leaves alone what is not ours, and what somebody else holds by now", func() {
		e := create(c.person("li-na", wecomOnly))
		Eventually(of(e)).Should(beReady())
		ob := c.leave(e, unhanded, func(o *v1alpha1.OffboardingSpec) { o.Accounts[0].Origin = v1alpha1.OriginCreating })
		released(e)
		since := c.sim.Log.Last()
		create(ob)
		Eventually(of(ob)).Should(And(inState("Complete"), leaves("wecom", And(taken("Freeze", "Skipped"), taken("DeleteAccount", "Skipped")))))
		Expect(c.wecom.changesSince(since)).To(BeEmpty())
		By("letting another Employee have it")
		holder := create(c.person("wang-fang", wecomOnly, numbered("X1"), pinned("wecom", "E0001"), adopting("wecom", v1alpha1.AdoptionOverwrite)))
		Eventually(of(holder)).Should(And(beReady(), standsOn("wecom", HaveField("Origin", BeElementOf(v1alpha1.OriginCreated, v1alpha1.OriginAdopted)))))
		since = c.sim.Log.Last()
		again := ob.DeepCopy()
		again.ObjectMeta = c.meta("again")
		again.Spec.Accounts[0].Origin, again.Status = v1alpha1.OriginCreated, v1alpha1.OffboardingStatus{}
		create(again)
		Eventually(of(again)).Should(stalled("DataConflict", "wang-fang"))
		Expect(c.wecom.changesSince(since)).To(BeEmpty())
		remove(again)
		Eventually(exists(again)).Should(BeFalse(), "nothing has begun")
	})

	It("P2, P4: stops as soon as somebody else holds the account, and goes on as soon as they let it go", func() {
		ob := departs(unhanded, inGrace)
		Eventually(of(ob)).Should(inState("Grace"))
		holder := create(c.person("wang-fang", wecomOnly, numbered("X1"), pinned("wecom", "E0001"), adopting("wecom", v1alpha1.AdoptionOverwrite)))
		Eventually(of(ob)).Should(stalled("DataConflict", "wang-fang"))
		released(holder)
		Eventually(of(ob)).Should(And(inState("Grace"), waiting("Grace")))
		Eventually(onWeCom(c, "E0001")).Should(HaveField("Enable", 0))
	})

	It("P5: says so when the account is gone by no act of ours, and goes on", func() {
		ob := departs(unhanded, inGrace)
		Eventually(of(ob)).Should(inState("Grace"))
		Expect(c.wecom.Remove(c.wecom.tenant, "users", "E0001")).To(Succeed())
		c.resync(c.wecom)
		Eventually(of(ob)).Should(And(inState("Complete"), leaves("wecom", And(HaveField("State", v1alpha1.AccountVanished), taken("DeleteAccount", "Skipped")))))
		Expect(c.wecom.made("user/delete", "")()).To(BeEmpty())
	})

	It("keeps the account where the policy says so", func() {
		ob := departs(unhanded, func(o *v1alpha1.OffboardingSpec) { o.Terms.FinalAction = v1alpha1.FinalKeep })
		Eventually(of(ob)).Should(And(inState("Complete"), leaves("wecom", And(taken("DeleteAccount", "Skipped"), HaveField("State", v1alpha1.AccountFrozen)))))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0))
	})

	Describe("with roles", func() {
		var finance string

		BeforeEach(func() {
			tag, err := c.connected(c.wecom).(directory.RoleKeeper).CreateRole(ctx, directory.Role{Name: "财务"})
			Expect(err).NotTo(HaveOccurred())
			finance = tag
		})
		holders := func(tag string) func() ([]string, error) {
			return func() ([]string, error) {
				t, err := seen[wecom.Tag](c.wecom, "tags", tag)()
				return t.Users, err
			}
		}

		It("takes them away, and gives back what it took when the person is declared again", func() {
			e := create(c.person("li-na", wecomOnly))
			Eventually(of(e)).Should(beReady())
			Expect(c.connected(c.wecom).(directory.RoleKeeper).AddToRole(ctx, finance, []directory.RoleMember{{Account: "E0001"}})).To(Succeed())
			ob := c.leave(e, inGrace, unhanded)
			released(e)
			create(ob)
			Eventually(of(ob)).Should(And(inState("Grace"), leaves("wecom", HaveField("Roles", ConsistOf(And(HaveField("ID", finance), HaveField("State", v1alpha1.RoleRevoked)))))))
			Expect(holders(finance)()).To(BeEmpty())
			again := c.person("li-na", wecomOnly, numbered("E0001"))
			create(again)
			Eventually(of(ob)).Should(And(inState("Cancelled"), beReady(), leaves("wecom", taken("DeleteAccount", "Skipped"))))
			Expect(holders(finance)()).To(ConsistOf("E0001"))
			Expect(onWeCom(c, "E0001")()).NotTo(BeNil())
			Eventually(c.told(ob)).Should(ContainElement("OffboardingCancelled"))
		})

		It("P9: leaves to people what it has no room to keep: the 201st role, and one that reaches 51 departments", func() {
			change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("dingtalk")}, func(a *v1alpha1.EnterpriseAccount) { a.Spec.RateLimit.RequestsPerSecond = 10000 })
			e := create(c.person("li-na", dingtalkOnly))
			Eventually(of(e)).Should(beReady())
			var scope []string
			for n := range 51 {
				id := fmt.Sprint(700001 + n)
				c.dingtalk.byHand("departments", id, fmt.Sprintf(`{"name":"分部%s","parent_id":1}`, id))
				scope = append(scope, `{"dept_id":`+id+`}`)
			}
			c.dingtalk.byHand("roles", "800000", `{"users":[{"userid":"E0001","manageScopes":[`+strings.Join(scope, ",")+`]}]}`)
			for n := range 201 {
				c.dingtalk.byHand("roles", fmt.Sprint(800001+n), `{"users":[{"userid":"E0001"}]}`)
			}
			ob := c.leave(e, unhanded)
			released(e)
			create(ob)
			Eventually(of(ob)).Should(stalled("ManualTask", "dingtalk/RolesByHand"))
			Expect(ob).To(leaves("dingtalk", And(
				HaveField("Roles", And(HaveLen(200), HaveEach(HaveField("State", v1alpha1.RoleRevoked)))),
				HaveField("Tasks", ConsistOf(HaveField("Todo", ContainSubstring("800000, 800201.")))))))
			Expect(c.connected(c.dingtalk).(directory.RoleRevoker).RolesOf(ctx, "E0001")).To(ConsistOf(HaveField("Role", "800000"), HaveField("Role", "800201")))
			Expect(onDingTalk(c, "E0001")()).NotTo(BeNil())
			confirm(ob, "dingtalk/RolesByHand")
			Eventually(of(ob)).Should(inState("Complete"))
			Expect(onDingTalk(c, "E0001")()).To(BeNil())
		})
	})

	It("is cancelled wherever it stands, while the account is there", func() {
		By("waiting for somebody's decision")
		e := create(c.person("li-na", wecomOnly))
		Eventually(of(e)).Should(beReady())
		ob := c.leave(e, func(o *v1alpha1.OffboardingSpec) {
			o.Terms.Approval.RequiredFor = []v1alpha1.ApprovalCase{v1alpha1.CaseDeletion}
		})
		released(e)
		since := c.sim.Log.Last()
		create(ob)
		Eventually(of(ob)).Should(And(inState("Held"), stalled("ApprovalPending")))
		Expect(c.wecom.changesSince(since)).To(BeEmpty(), "nothing happens before")
		e = create(c.person("li-na", wecomOnly, numbered("E0001"), func(n *v1alpha1.Employee) { n.Spec.Contact, n.Spec.Name = e.Spec.Contact, e.Spec.Name }))
		Eventually(of(ob)).Should(And(inState("Cancelled"), beReady()))
		Eventually(of(e)).Should(beReady())
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
		By("waiting for people to hand over")
		ob = c.leave(e)
		ob.Name = "second"
		released(e)
		create(ob)
		Eventually(of(ob)).Should(stalled("ManualTask"))
		create(c.person("li-na", wecomOnly, numbered("E0001")))
		Eventually(of(ob)).Should(inState("Cancelled"))
		Expect(onWeCom(c, "E0001")()).NotTo(BeNil())
	})

	It("is not cancelled once the account is gone: who comes back is new", func() {
		ob := departs(unhanded)
		Eventually(of(ob)).Should(inState("Complete"))
		e := create(c.person("li-na", wecomOnly, numbered("E0001")))
		Eventually(of(e)).Should(beReady())
		Expect(of(ob)()).To(And(inState("Complete"), beReady()))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
	})

	Describe("notices", func() {
		tell := func(o *v1alpha1.OffboardingSpec) {
			o.Terms.SkipSteps = []v1alpha1.SkippableStep{"HandOver"}
			o.Terms.Notices = []v1alpha1.Notice{{To: v1alpha1.NoticeManager}, {To: v1alpha1.NoticeSuccessor, Language: v1alpha1.NoticeEnglish, Text: "{number} leaves {account}"}}
			o.Accounts[0].ManagerUserID = "E0001"
		}
		received := func() []core.Received {
			GinkgoHelper()
			got, err := all[core.Received](c.wecom, "received")()
			Expect(err).NotTo(HaveOccurred())
			return got
		}

		BeforeEach(func() {
			s := &corev1.Secret{ObjectMeta: c.meta("wecom-credentials")}
			change(s, func(s *corev1.Secret) { s.StringData = map[string]string{"agentId": "1000002"} })
		})

		for _, kind := range []core.Kind{"", core.KindDropAfter, core.KindDropBefore} {
			It("are got once, whatever becomes of the answer: "+string(kind), func() {
				boss := create(c.person("wang-fang", wecomOnly))
				Eventually(of(boss)).Should(beReady())
				e := create(c.person("li-na", wecomOnly))
				Eventually(of(e)).Should(beReady())
				if kind != "" {
					c.wecom.fault(core.Fault{Kind: kind, Operation: "message/send", Times: 1})
				}
				ob := c.leave(e, tell)
				released(e)
				create(ob)
				Eventually(of(ob)).Should(And(inState("Complete"), leaves("wecom", HaveField("Notices", ConsistOf(
					And(HaveField("To", v1alpha1.NoticeManager), HaveField("State", v1alpha1.NoticeSent), HaveField("Receipt", Not(BeEmpty()))),
					And(HaveField("To", v1alpha1.NoticeSuccessor), HaveField("State", v1alpha1.NoticeUnsent)),
				)))))
				Expect(received()).To(ConsistOf(And(HaveField("To", "E0001"), HaveField("Count", 1), HaveField("Text", ContainSubstring("E0002")))))
			})
		}
	})

	for _, fails := range []bool{false, true} {
		It(fmt.Sprintf("tells whom a notice missed as soon as DingTalk does, and waits for nothing; asking fails: %t", fails), func() {
			change(&corev1.Secret{ObjectMeta: c.meta("dingtalk-credentials")}, func(s *corev1.Secret) { s.StringData = map[string]string{"agentId": "3000000001"} })
			boss := create(c.person("wang-fang", dingtalkOnly))
			Eventually(of(boss)).Should(beReady())
			e := create(c.person("li-na", dingtalkOnly))
			Eventually(of(e)).Should(beReady())
			if fails {
				c.dingtalk.fault(core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: http.StatusBadGateway, Operation: "getsendprogress"})
			}
			ob := c.leave(e, unhanded, inGrace, func(o *v1alpha1.OffboardingSpec) {
				o.Terms.Notices, o.Terms.Administrators = []v1alpha1.Notice{{To: v1alpha1.NoticeAdministrators}}, []v1alpha1.EmployeeReference{{Name: "wang-fang"}}
				o.Accounts[0].AdministratorUserIDs = []string{"E0001", "gone"}
			})
			released(e)
			create(ob)
			told := func(missed, asked types.GomegaMatcher) types.GomegaMatcher {
				return And(inState("Grace"), leaves("dingtalk", HaveField("Notices", ConsistOf(And(HaveField("State", v1alpha1.NoticeSent), HaveField("Missed", missed), HaveField("Asked", asked))))))
			}
			Eventually(of(ob)).Should(told(BeNil(), BeZero()))
			if fails {
				Eventually(of(ob)).Should(told(BeNil(), BeEquivalentTo(1)))
			} else {
				Eventually(of(ob)).Should(told(HaveValue(BeEquivalentTo(1)), BeEquivalentTo(1)))
				Expect(ob).To(leaves("dingtalk", HaveField("Steps", ContainElement(HaveField("Evidence", ContainSubstring("(missed 1)"))))))
			}
			Expect(c.dingtalk.received()).To(ConsistOf(And(HaveField("To", "E0001"), HaveField("Count", 1))))
		})
	}

	It("passes customers on after the removal, a day later as the platform does: WeCom", func() {
		boss := create(c.person("wang-fang", wecomOnly))
		Eventually(of(boss)).Should(beReady())
		e := create(c.person("li-na", wecomOnly))
		Eventually(of(e)).Should(beReady())
		Expect(c.wecom.Create(c.wecom.tenant, "customers", "wm1", []byte(`{"external_userid":"wm1","name":"customer","userid":"E0002"}`))).To(Succeed())
		c.wecom.byHand("users", "E0001", `{"activated":true}`) // who never logged in takes over from nobody
		ob := c.leave(e, func(o *v1alpha1.OffboardingSpec) { o.Accounts[0].SuccessorUserID = "E0001" })
		released(e)
		create(ob)
		Eventually(of(ob)).Should(stalled("ManualTask"))
		confirm(ob, "wecom/HandOver")
		Eventually(of(ob)).Should(And(inState("Removing"), waiting("Leaving"), leaves("wecom", And(taken("DeleteAccount", "Done"), taken("HandOver", "Waiting")))))
		Expect(c.wecom.made("customer/list", "")()).NotTo(BeNil())
		order := []string{}
		for _, s := range ob.Status.Accounts[0].Steps {
			order = append(order, string(s.Name))
		}
		Expect(order).To(HaveExactElements("Freeze", "Backup", "RevokePermissions", "UnlinkSystems", "Notify", "Grace", "DeleteAccount", "HandOver", "ResidualCheck"))
	})

	It("changes nothing where the account is observed or suspended, and goes on after", func() {
		e := create(c.person("li-na", wecomOnly))
		Eventually(of(e)).Should(beReady())
		ob := c.leave(e, unhanded)
		released(e)
		account := &v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("wecom")}
		change(account, mode(v1alpha1.ModeObserve))
		Eventually(of(account)).Should(And(beReady(), HaveField("Status.Mode", v1alpha1.ModeObserve)))
		since := c.sim.Log.Last()
		create(ob)
		Eventually(of(ob)).Should(says("Ready", "False", "WouldChange", "Observe"))
		change(account, mode(v1alpha1.ModeSuspended))
		Eventually(of(ob)).Should(says("Ready", "False", "Suspended"))
		Expect(c.wecom.changesSince(since)).To(BeEmpty())
		change(account, mode(v1alpha1.ModeEnforce))
		Eventually(of(ob)).Should(inState("Complete"))
	})

	Describe("that somebody has to approve", func() {
		approving := func(cases ...v1alpha1.ApprovalCase) func(*v1alpha1.OffboardingSpec) {
			return func(o *v1alpha1.OffboardingSpec) { o.Terms.Approval.RequiredFor = cases }
		}
		decide := func(ob *v1alpha1.Offboarding, verdict v1alpha1.ApprovalVerdict) {
			GinkgoHelper()
			apv := &v1alpha1.Approval{ObjectMeta: c.meta(ob.Status.ApprovalName)}
			change(apv, func(a *v1alpha1.Approval) {
				a.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: verdict, By: "hr@example.com", Digest: a.Spec.Digest}
			})
		}

		It("P7: does not begin before, and is cancelled by a no", func() {
			for _, verdict := range []v1alpha1.ApprovalVerdict{v1alpha1.VerdictApproved, v1alpha1.VerdictRejected} {
				e := create(c.person("person-"+strings.ToLower(string(verdict)), wecomOnly))
				Eventually(of(e)).Should(beReady())
				ob := c.leave(e, unhanded, approving(v1alpha1.CaseDeletion))
				released(e)
				since := c.sim.Log.Last()
				create(ob)
				Eventually(of(ob)).Should(And(inState("Held"), stalled("ApprovalPending"), HaveField("Status.ApprovalName", Not(BeEmpty()))))
				Expect(ob.Status.WaitingFor).To(Equal("approval " + ob.Status.ApprovalName))
				Consistently(of(ob), "300ms").Should(HaveField("Status.StartTime", BeNil()))
				Expect(c.wecom.changesSince(since)).To(BeEmpty())
				decide(ob, verdict)
				if verdict == v1alpha1.VerdictApproved {
					Eventually(of(ob)).Should(And(inState("Complete"), HaveField("Status.ApprovedBy", "hr@example.com")))
					Expect(onWeCom(c, e.Status.Number)()).To(BeNil())
					continue
				}
				Eventually(of(ob)).Should(And(inState("Cancelled"), says("Ready", "True", "InSync", "rejected by hr@example.com")))
				Expect(onWeCom(c, e.Status.Number)()).To(HaveField("Enable", 1))
			}
		})

		It("P7: is deleted only when somebody agrees, and kept as it is when not", func() {
			for _, verdict := range []v1alpha1.ApprovalVerdict{v1alpha1.VerdictApproved, v1alpha1.VerdictRejected} {
				e := create(c.person("person-"+strings.ToLower(string(verdict)), wecomOnly))
				Eventually(of(e)).Should(beReady())
				ob := c.leave(e, unhanded, approving(v1alpha1.CaseDeleteAccount))
				released(e)
				create(ob)
				Eventually(of(ob)).Should(And(stalled("ApprovalPending"), leaves("wecom", And(taken("Grace", "Done"), taken("DeleteAccount", "Waiting")))))
				Expect(onWeCom(c, e.Status.Number)()).To(HaveField("Enable", 0))
				decide(ob, verdict)
				if verdict == v1alpha1.VerdictApproved {
					Eventually(of(ob)).Should(inState("Complete"))
					Expect(onWeCom(c, e.Status.Number)()).To(BeNil())
					continue
				}
				Eventually(of(ob)).Should(inState("Cancelled"))
				Expect(onWeCom(c, e.Status.Number)()).To(HaveField("Enable", 0))
			}
		})

		It("P6: is held beyond the limits of the account, and cancelled without a trace when the person is declared again", func() {
			none := int32(0)
			change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("wecom")}, func(a *v1alpha1.EnterpriseAccount) {
				a.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: &none, Floor: &none}
			})
			since := c.sim.Log.Last()
			ob := departs(unhanded)
			Eventually(of(ob)).Should(And(inState("Held"), stalled("RemovalLimitReached"), leaves("wecom", And(
				HaveField("AdmittedTime", BeNil()), HaveField("Reason", "RemovalLimitReached")))))
			Expect(c.wecom.changesSince(since)).NotTo(ContainElement("user/delete"))
			Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1), "nobody beyond the limits is frozen")
			create(c.person("li-na", wecomOnly, numbered("E0001")))
			Eventually(of(ob)).Should(inState("Cancelled"))
			Eventually(func() []v1alpha1.ApprovalState {
				var asked v1alpha1.ApprovalList
				Expect(api.List(ctx, &asked, client.InNamespace(c.namespace))).To(Succeed())
				var states []v1alpha1.ApprovalState
				for _, a := range asked.Items {
					states = append(states, a.Status.State)
				}
				return states
			}).Should(Or(BeEmpty(), HaveEach(v1alpha1.ApprovalWithdrawn)))
		})
	})

	It("P10: goes on when it is deleted, and lets go when nobody can be called", func() {
		ob := departs(unhanded, inGrace)
		Eventually(of(ob)).Should(inState("Grace"))
		remove(ob)
		Eventually(of(ob)).Should(says("Ready", "False", "OffboardingEnding", "E-614"))
		account := &v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("wecom")}
		change(account, mode(v1alpha1.ModeSuspended))
		Eventually(exists(ob)).Should(BeFalse())
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0), "it is left as it is")
		change(account, mode(v1alpha1.ModeEnforce))
	})

	It("P10: keeps the account, its credentials and the storage until it is over", func() {
		ob := departs()
		Eventually(of(ob)).Should(stalled("ManualTask"))
		account := &v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("wecom")}
		secret := &corev1.Secret{ObjectMeta: c.meta("wecom-credentials")}
		change(&v1alpha1.Department{ObjectMeta: c.meta("rd")}, on[*v1alpha1.Department]("dingtalk"))
		remove(account)
		remove(secret)
		Eventually(of(account)).Should(says("Ready", "False", "InUse", "1 Offboardings"))
		confirm(ob, "wecom/HandOver")
		Eventually(of(ob)).Should(inState("Complete"))
		Expect(onWeCom(c, "E0001")()).To(BeNil())
		Eventually(exists(account)).Should(BeFalse())
		Eventually(exists(secret)).Should(BeFalse())
	})

	It("says which step takes too long, and skips nothing", func() {
		ob := departs(func(o *v1alpha1.OffboardingSpec) {
			o.Terms.TimeLimits = []v1alpha1.StepTimeLimit{{Step: "DeleteAccount", Seconds: 1}}
		})
		Eventually(of(ob)).Should(leaves("wecom", HaveField("Steps", ContainElement(And(HaveField("Name", v1alpha1.OffboardingStepName("DeleteAccount")), HaveField("OverdueSince", Not(BeNil())))))))
		Expect(ob).To(stalled("ManualTask"))
		Eventually(c.told(ob)).Should(ContainElement("Leaving"))
		late := func() float64 {
			n, _ := c.gauge("rollcall_offboardings_overdue", map[string]string{"account": "wecom", "step": "DeleteAccount"})
			return n
		}
		Eventually(late).Should(BeEquivalentTo(1))
		confirm(ob, "wecom/HandOver")
		Eventually(of(ob)).Should(inState("Complete"))
		Eventually(late).Should(BeZero())
	})

	It("says what refuses to go, and why", func() {
		c.wecom.configure(`{"creator":"E0001"}`)
		ob := departs(unhanded)
		Eventually(of(ob)).Should(stalled("RemovalRefused", "creator"))
		Expect(ob).To(leaves("wecom", HaveField("State", v1alpha1.AccountFrozen)))
		c.wecom.configure(`{"creator":"founder"}`)
		change(ob, func(o *v1alpha1.Offboarding) { o.Labels = map[string]string{"try": "again"} })
		Eventually(of(ob)).Should(inState("Complete"))
	})

	It("P13: rests while it waits", func() {
		ob := departs(unhanded, inGrace)
		Eventually(of(ob)).Should(inState("Grace"))
		c.settled()
		since := c.sim.Log.Last()
		Expect(of(ob)()).NotTo(BeNil())
		version := ob.ResourceVersion
		before := looks("offboarding")
		change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("wecom")}, func(a *v1alpha1.EnterpriseAccount) { a.Spec.RateLimit.RequestsPerSecond = 1000 })
		Eventually(looks).WithArguments("offboarding").Should(BeNumerically(">", before))
		Consistently(of(ob), "300ms").Should(HaveField("ResourceVersion", version))
		Expect(c.wecom.changesSince(since)).To(BeEmpty())
	})

	It("is rehearsed, which changes nothing", func() {
		create(&v1alpha1.OffboardingPolicy{ObjectMeta: c.meta("standard"), Spec: v1alpha1.OffboardingPolicySpec{
			AppliesTo: v1alpha1.PolicyDefault, OffboardingTerms: v1alpha1.OffboardingTerms{
				Backup: v1alpha1.OffboardingBackup{Mode: v1alpha1.BackupRequired, StorageRef: v1alpha1.StorageReference{Name: "archives"}},
			},
		}})
		boss := create(c.person("wang-fang"))
		e := create(c.person("li-na", reportingTo("wang-fang")))
		Eventually(of(boss)).Should(beReady())
		Eventually(of(e)).Should(beReady())
		since := c.sim.Log.Last()
		ob := create(&v1alpha1.Offboarding{ObjectMeta: c.meta("rehearsal"), Spec: v1alpha1.OffboardingSpec{
			Mode: v1alpha1.OffboardingRehearse, EmployeeRef: v1alpha1.EmployeeReference{Name: "li-na"},
		}})
		Eventually(of(ob)).Should(And(inState("Rehearsed"), beReady()))
		r := ob.Status.Rehearsal
		Expect(r.PolicyName).To(Equal("standard"))
		Expect(r.SuccessorName).To(Equal("wang-fang"))
		Expect(r.Steps).To(HaveLen(18))
		Expect(r.Steps).To(ContainElements(
			And(HaveField("Account", "wecom"), HaveField("Step", v1alpha1.OffboardingStepName("Freeze")), HaveField("Calls", ConsistOf("user/update"))),
			And(HaveField("Account", "dingtalk"), HaveField("Step", v1alpha1.OffboardingStepName("Freeze")), HaveField("Calls", BeEmpty())),
			And(HaveField("Account", "wecom"), HaveField("Step", v1alpha1.OffboardingStepName("DeleteAccount")), HaveField("Calls", ConsistOf("user/delete"))),
		))
		Expect(*r.Calls).To(BeNumerically(">", 5))
		Expect(r.Obstacles).To(ContainElement(ContainSubstring("freezes only enterprise accounts")))
		Expect(c.wecom.changesSince(since)).To(BeEmpty())
		Expect(c.dingtalk.changesSince(since)).To(BeEmpty())
		var backups v1alpha1.BackupList
		Expect(api.List(ctx, &backups, client.InNamespace(c.namespace))).To(Succeed())
		Expect(backups.Items).To(BeEmpty())
		Expect(of(e)()).To(beReady())
		By("having nobody to rehearse with")
		nobody := create(&v1alpha1.Offboarding{ObjectMeta: c.meta("nobody"), Spec: v1alpha1.OffboardingSpec{
			Mode: v1alpha1.OffboardingRehearse, EmployeeRef: v1alpha1.EmployeeReference{Name: "nobody"},
		}})
		Eventually(of(nobody)).Should(And(inState("Rehearsed"), HaveField("Status.Rehearsal.Obstacles", ConsistOf(ContainSubstring("no Employee")))))
	})
})

var _ = Describe("Offboarding, with a trail", func() {
	It("P2, P8: freezes, and freezes again, while the trail cannot be written that confirmations wait for, and removes nobody", func() {
		c := founded()
		c.room()
		trail := c.trail()
		c.open(c.wecom, c.dingtalk)
		create(c.department("rd", "研发中心"))
		e := create(c.person("li-na", wecomOnly))
		Eventually(of(e)).Should(beReady())
		ob := c.leave(e, func(o *v1alpha1.OffboardingSpec) { o.Confirmations = []v1alpha1.Confirmation{{Task: "wecom/HandOver"}} })
		released(e)
		trail.full.Store(true)
		c.wecom.fault(core.Fault{Kind: core.KindDropBefore, Operation: "user/update", Times: 1})
		create(ob)
		Eventually(onWeCom(c, "E0001")).Should(HaveField("Enable", 0))
		Eventually(of(ob)).Should(And(says("Ready", "False", "AuditUnavailable"), leaves("wecom", And(taken("Freeze", "Done"), taken("Backup", "Done")))))
		By("giving access back on the platform meanwhile")
		c.wecom.byHand("users", "E0001", `{"enable":1}`)
		c.resync(c.wecom)
		Eventually(onWeCom(c, "E0001")).Should(HaveField("Enable", 0))
		Expect(of(ob)()).To(leaves("wecom", HaveField("Tasks", ConsistOf(HaveField("ConfirmedTime", BeNil())))))
		Expect(c.wecom.made("user/delete", "")()).To(BeEmpty())
		trail.full.Store(false)
		Eventually(of(ob)).Should(inState("Complete"))
		Expect(trail.of("Attest")).To(HaveLen(2), "an intent before it, and an outcome")
		Expect(trail.of("Remove")).To(HaveLen(2))
	})
})
