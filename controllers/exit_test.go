package controllers_test

import (
	"slices"
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
)

// directory is the twin's tenant as a provider sees it, for what a spec prepares there.
func (t *twin) directory() directory.Directory {
	GinkgoHelper()
	settings := directory.Settings{
		Tenant: t.corpID, Endpoint: t.server.URL, LegacyEndpoint: t.server.URL, Secrets: map[string][]byte{}, HTTP: t.server.Client(),
		Throttled: func(string, time.Duration) {}, Now: time.Now,
	}
	for k, v := range t.keys {
		settings.Secrets[k] = []byte(v)
	}
	for _, d := range provider.All() {
		if d.Platform == map[string]string{"wecom": "WeCom", "dingtalk": "DingTalk"}[t.Name()] {
			made, err := d.New(settings)
			Expect(err).NotTo(HaveOccurred())
			return made
		}
	}
	Fail("no such platform")
	return nil
}

// role is a new role on the twin's tenant that these people have.
func (t *twin) role(name string, people ...string) string {
	GinkgoHelper()
	keeper := t.directory().(directory.RoleKeeper)
	id, err := keeper.CreateRole(ctx, directory.Role{Name: name})
	Expect(err).NotTo(HaveOccurred())
	var members []directory.RoleMember
	for _, p := range people {
		members = append(members, directory.RoleMember{Role: id, Account: p})
	}
	Expect(keeper.AddToRole(ctx, id, members)).To(Succeed())
	return id
}

// holders of a role on the twin's tenant.
func (t *twin) holders(role string) func() ([]string, error) {
	return func() (ids []string, err error) {
		members, err := t.directory().(directory.RoleKeeper).RoleMembers(ctx, role)
		for _, m := range members {
			ids = append(ids, m.Account)
		}
		slices.Sort(ids)
		return ids, err
	}
}

// received are the messages that people on the twin's tenant really got.
func (t *twin) received() []core.Received {
	GinkgoHelper()
	got, err := all[core.Received](t, "received")()
	Expect(err).NotTo(HaveOccurred())
	return got
}

// decide writes a decision, as the command does.
func (c *company) decide(purpose v1alpha1.ApprovalPurpose, verdict v1alpha1.ApprovalVerdict) *v1alpha1.Approval {
	GinkgoHelper()
	var apv v1alpha1.Approval
	Eventually(func(g Gomega) {
		var found v1alpha1.ApprovalList
		g.Expect(api.List(ctx, &found, client.InNamespace(c.namespace))).To(Succeed())
		found.Items = slices.DeleteFunc(found.Items, func(a v1alpha1.Approval) bool {
			return a.Spec.Purpose != purpose || a.Spec.Decision.Verdict != "" || a.Status.State == v1alpha1.ApprovalWithdrawn
		})
		g.Expect(found.Items).To(HaveLen(1))
		apv = found.Items[0]
	}).Should(Succeed())
	change(&apv, func(a *v1alpha1.Approval) {
		a.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: verdict, By: "wang.min@example.com", Digest: a.Spec.Digest}
	})
	return &apv
}

var _ = Describe("Leaving a platform", func() {
	var c *company
	var v *room
	var people []*v1alpha1.Employee

	BeforeEach(func() {
		c = founded()
		c.wecom.keys["agentId"], c.dingtalk.keys["agentId"] = "1000002", "3000000001"
		v = c.room()
		c.open(c.wecom, c.dingtalk)
		c.private = slices.DeleteFunc(c.private, func(s string) bool { return s == c.wecom.keys["agentId"] || s == c.dingtalk.keys["agentId"] }) // no secrets
		create(c.department("rd", "研发中心"))
		people = nil
		for _, name := range []string{"a", "b", "c"} {
			people = append(people, create(c.person(name)))
			Eventually(of(people[len(people)-1])).Should(beReady())
		}
	})

	exit := func(t *twin, m v1alpha1.ExitMode) *v1alpha1.EnterpriseAccount {
		GinkgoHelper()
		a := c.account(t)
		change(a, func(a *v1alpha1.EnterpriseAccount) {
			a.Spec.Exit = v1alpha1.Exit{Mode: m, StorageRef: v1alpha1.StorageReference{Name: v.Name}, Destination: "飞书"}
		})
		return a
	}
	step := func(name v1alpha1.ExitStepName, state v1alpha1.StepState, message string) types.GomegaMatcher {
		return HaveField("Status.Exit.Steps", ContainElement(And(HaveField("Name", name), HaveField("State", state), HaveField("Message", ContainSubstring(message)))))
	}

	for _, platform := range []string{"wecom", "dingtalk"} {
		twinOf := func() *twin { return map[string]*twin{"wecom": c.wecom, "dingtalk": c.dingtalk}[platform] }

		It("P1, P7: is approved, backed up whole, told once and reported, and deletes nobody: "+platform, func() {
			t := twinOf()
			create(c.policy("standard", brief(0))) // by which nobody leaves who is on the platform until its end
			role := t.role("审核员", people[0].Status.Number, people[1].Status.Number)
			a := exit(t, v1alpha1.ExitExecute)
			remove(a)
			Eventually(of(a)).Should(And(says(v1alpha1.ConditionStalled, metav1.ConditionTrue, "ApprovalPending", "E-604"), step("Approve", "Waiting", "somebody has to decide")))
			writes := len(t.writes())
			change(people[0], titled("总监"))
			Consistently(func() int { return len(t.writes()) }, "300ms").Should(Equal(writes), "nothing is changed from the first step on")
			Expect(t.received()).To(BeEmpty())

			apv := c.decide(v1alpha1.ApprovalExit, v1alpha1.VerdictApproved)
			Eventually(of(a)).Should(HaveField("Status.Exit.CompletionTime", Not(BeNil())))
			Expect(a).To(And(step("Approve", "Done", "wang.min@example.com"), step("Backup", "Done", "archive "+c.namespace+"/"+platform+"/"),
				step("Notify", "Done", ""), step("Revoke", "Done", ""), step("ResidualCheck", "Done", "roles that people of ours still hold: 0")))
			Expect(a.Status.Exit.ApprovalName).To(Equal(apv.Name))
			b := &v1alpha1.Backup{ObjectMeta: c.meta(a.Status.Exit.BackupName)}
			Expect(of(b)()).To(And(beReady(), HaveField("Spec.People.UserIDs", BeEmpty())))
			Expect(t.holders(role)()).To(BeEmpty())
			for _, e := range people {
				Expect(t.received()).To(ContainElement(And(HaveField("To", e.Status.Number), HaveField("Text", ContainSubstring("飞书")), HaveField("Count", 1))))
				Expect(seen[any](t, "users", e.Status.Number)()).NotTo(BeNil(), "an exit deletes nobody")
			}

			Expect(a).To(HaveField("DeletionTimestamp", Not(BeNil())), "people still list it")
			for _, e := range people {
				change(e, func(e *v1alpha1.Employee) {
					e.Spec.Accounts = slices.DeleteFunc(e.Spec.Accounts, func(x v1alpha1.EmployeeAccount) bool { return x.Name == platform })
				})
			}
			d := &v1alpha1.Department{ObjectMeta: c.meta("rd")}
			change(d, func(d *v1alpha1.Department) {
				d.Spec.Accounts = slices.DeleteFunc(d.Spec.Accounts, func(x v1alpha1.DepartmentAccount) bool { return x.Name == platform })
			})
			Eventually(exists(a)).Should(BeFalse())
			Expect(c.leavings()).To(BeEmpty())
			for _, e := range people {
				Eventually(of(e)).Should(standsOn(platform, HaveField("Reason", "Retained")))
				Expect(seen[any](t, "users", e.Status.Number)()).NotTo(BeNil(), "nor does its end")
			}
			var reports corev1.ConfigMapList
			Expect(api.List(ctx, &reports, client.InNamespace(c.namespace))).To(Succeed())
			Expect(reports.Items).To(ContainElement(HaveField("Data", HaveKeyWithValue("report.md", ContainSubstring(b.Status.Verification.ManifestSHA256)))))
		})

		It("is rehearsed without a change: "+platform, func() {
			t := twinOf()
			role := t.role("审核员", people[0].Status.Number)
			writes := len(t.writes())
			a := exit(t, v1alpha1.ExitRehearse)
			Eventually(of(a)).Should(HaveField("Status.Exit.CompletionTime", Not(BeNil())))
			Expect(a).To(And(beReady(), step("Notify", "Pending", "in 1 messages"), step("Revoke", "Pending", "1 roles would be taken from 1 holders"),
				step("ResidualCheck", "Pending", "would stay"), step("Backup", "Pending", v.Name)))
			Expect(t.writes()).To(HaveLen(writes))
			Expect(t.received()).To(BeEmpty())
			Expect(t.holders(role)()).To(ConsistOf(people[0].Status.Number))
		})
	}

	It("P7: is exactly what was approved: what is declared before is asked anew, and after it changes nothing", func() {
		a := exit(c.wecom, v1alpha1.ExitExecute)
		remove(a)
		Eventually(of(a)).Should(says(v1alpha1.ConditionStalled, metav1.ConditionTrue, "ApprovalPending"))
		first := &v1alpha1.Approval{ObjectMeta: c.meta(a.Status.Exit.ApprovalName)}
		change(a, func(a *v1alpha1.EnterpriseAccount) {
			a.Spec.Exit.Destination, a.Spec.Exit.StorageRef.Name = "钉钉", "later"
		})
		Eventually(of(a)).Should(HaveField("Status.Exit.ApprovalName", Not(Equal(first.Name))))
		Eventually(of(first)).Should(HaveField("Status.State", v1alpha1.ApprovalWithdrawn))
		apv := c.decide(v1alpha1.ApprovalExit, v1alpha1.VerdictApproved)
		Expect(apv.Spec.Summary).To(And(ContainSubstring("钉钉"), ContainSubstring("later")))
		Eventually(of(a)).Should(step("Backup", "Waiting", "not verified yet"))
		change(a, func(a *v1alpha1.EnterpriseAccount) {
			a.Spec.Exit.Destination, a.Spec.Exit.StorageRef.Name = "别处", v.Name
		})
		Eventually(of(a)).Should(says(v1alpha1.ConditionReady, metav1.ConditionFalse, "WaitingForBackup", "spec.exit was changed since it was approved"))
		create(&v1alpha1.BackupStorage{ObjectMeta: c.meta("later"), Spec: v1alpha1.BackupStorageSpec{
			Location:   v1alpha1.StorageLocation{Local: v1alpha1.LocalVolume{Folder: v.folder + "-later"}},
			Encryption: v1alpha1.Encryption{IdentitySecretRef: v1alpha1.SecretReference{Name: "archives-key"}},
		}})
		Eventually(of(a)).WithTimeout(time.Minute).Should(HaveField("Status.Exit.CompletionTime", Not(BeNil())))
		Expect(v.keys(v.folder + "-later")).To(HaveLen(1))
		Expect(c.wecom.received()).To(And(Not(BeEmpty()), HaveEach(HaveField("Text", And(ContainSubstring("钉钉"), Not(ContainSubstring("别处")))))))
		Expect(of(apv)()).To(HaveField("Status.State", v1alpha1.ApprovalApproved))
	})

	It("P1: takes no other Backup for its own, and no other ConfigMap for its report", func() {
		a := exit(c.wecom, v1alpha1.ExitExecute)
		Expect(of(a)()).NotTo(BeNil())
		name := "exit-wecom-" + string(a.UID)[:8]
		b := create(c.backup(name, "wecom", func(b *v1alpha1.Backup) { b.Spec.People.UserIDs = []string{"founder"} }))
		report := create(&corev1.ConfigMap{ObjectMeta: c.meta(name), Data: map[string]string{"report.md": "# nothing was done"}})
		Eventually(of(b)).Should(beReady())
		remove(a)
		c.decide(v1alpha1.ApprovalExit, v1alpha1.VerdictApproved)
		Eventually(of(a)).Should(And(step("Backup", "Waiting", "not of this exit"), says(v1alpha1.ConditionStalled, metav1.ConditionTrue, "BackupFailed")))
		remove(b)
		Eventually(of(a)).WithTimeout(time.Minute).Should(And(step("Report", "Waiting", "is not the closing report"), says(v1alpha1.ConditionStalled, metav1.ConditionTrue, "DataConflict")))
		remove(report)
		Eventually(of(a)).WithTimeout(time.Minute).Should(HaveField("Status.Exit.CompletionTime", Not(BeNil())))
		Expect(of(report)()).To(HaveField("Data", HaveKeyWithValue("report.md", ContainSubstring("| Backup | Done |"))))
	})

	It("P10: lets the account go as it is when it is rejected, or when the exit is taken out", func() {
		a := exit(c.wecom, v1alpha1.ExitExecute)
		remove(a)
		c.decide(v1alpha1.ApprovalExit, v1alpha1.VerdictRejected)
		Eventually(of(a)).Should(And(step("Notify", "Skipped", "rejected by wang.min@example.com"), HaveField("Status.Conditions", ContainElement(HaveField("Reason", "InUse")))))

		b := exit(c.dingtalk, v1alpha1.ExitExecute)
		remove(b)
		Eventually(of(b)).Should(says(v1alpha1.ConditionStalled, metav1.ConditionTrue, "ApprovalPending"))
		change(b, func(b *v1alpha1.EnterpriseAccount) { b.Spec.Exit = v1alpha1.Exit{} })
		Eventually(of(b)).Should(HaveField("Status.Conditions", ContainElement(HaveField("Reason", "InUse"))))
		Expect(append(c.wecom.received(), c.dingtalk.received()...)).To(BeEmpty())
	})
})
