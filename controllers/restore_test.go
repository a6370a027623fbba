package controllers_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
)

// restore is a dry run, not created yet.
func (c *company) restore(name, backup string, change ...func(*v1alpha1.Restore)) *v1alpha1.Restore {
	rs := &v1alpha1.Restore{ObjectMeta: c.meta(name), Spec: v1alpha1.RestoreSpec{BackupRef: v1alpha1.BackupReference{Name: backup}}}
	for _, f := range change {
		f(rs)
	}
	return rs
}

func executing(rs *v1alpha1.Restore) { rs.Spec.Action = v1alpha1.RestoreExecute }

func onto(account string) func(*v1alpha1.Restore) {
	return func(rs *v1alpha1.Restore) { rs.Spec.Target.AccountRef.Name = account }
}

// lines are those of a report, decrypted.
func (v *room) lines(key string) (lines []map[string]any) {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(volume, v.folder, key))
	Expect(err).NotTo(HaveOccurred())
	plain, err := age.Decrypt(bytes.NewReader(text), v.key)
	Expect(err).NotTo(HaveOccurred())
	small, err := zstd.NewReader(plain)
	Expect(err).NotTo(HaveOccurred())
	defer small.Close()
	for d := json.NewDecoder(small); d.More(); {
		line := map[string]any{}
		Expect(d.Decode(&line)).To(Succeed())
		lines = append(lines, line)
	}
	return lines
}

var _ = Describe("Restores", func() {
	var c *company
	var v *room

	BeforeEach(func() {
		c = founded()
		v = c.room()
		c.open(c.wecom, c.dingtalk)
		create(c.department("rd", "研发中心"))
		for _, name := range []string{"a", "b", "c"} {
			Eventually(of(create(c.person(name)))).Should(beReady())
		}
		for _, account := range []string{"wecom", "dingtalk"} {
			Eventually(of(create(c.backup("of-"+account, account)))).Should(beReady())
		}
	})

	// dismissed deletes somebody by hand.
	dismissed := func(t *twin, id string) {
		GinkgoHelper()
		Expect(t.Remove(t.tenant, "users", id)).To(Succeed())
	}

	It("P3: bring back who was deleted by mistake, once", func() {
		dismissed(c.dingtalk, "E0002")
		rs := create(c.restore("back", "of-dingtalk"))
		Eventually(of(rs)).Should(beReady())
		Expect(rs).To(says(v1alpha1.ConditionPlanned, metav1.ConditionTrue, v1alpha1.ReasonInSync))
		Expect(rs.Status.Target).To(Equal("dingtalk"))
		Expect(*rs.Status.Plan.Conflicts).To(BeZero())
		Expect(rs.Status.Items).To(ContainElement(And(HaveField("Verdict", v1alpha1.VerdictCreate), HaveField("ID", "E0002"))))
		Expect(v.lines(rs.Status.ReportKey)).NotTo(BeEmpty())
		created := c.dingtalk.made("user/create", "E0002")
		Expect(created()).To(HaveLen(1), "a dry run changes nothing")

		change(rs, executing, func(rs *v1alpha1.Restore) { rs.Spec.PlanDigest = rs.Status.Plan.Digest })
		Eventually(of(rs)).Should(And(beReady(), says(v1alpha1.ConditionRestored, metav1.ConditionTrue, v1alpha1.ReasonInSync)))
		Expect(created()).To(HaveLen(2))
		By("P9: the Employee sees it at once")
		Eventually(of(&v1alpha1.Employee{ObjectMeta: c.meta("b")})).Should(beReady())
		Expect(created()).To(HaveLen(2))
	})

	It("P9: say what the platform did not take back", func() {
		c.wecom.byHand("users", "guest", `{"name":"路人","mobile":"13812345678","department":[1]}`)
		c.private = append(c.private, "路人", "13812345678")
		Eventually(of(create(c.backup("with-guest", "wecom")))).Should(beReady())
		dismissed(c.wecom, "guest") // WeCom shows newer apps no mobile number, takes nobody without, and nobody declares one
		rs := create(c.restore("back", "with-guest", executing))
		Eventually(of(rs)).Should(says(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRestoreIncomplete, "E-513"))
		Expect(rs).To(says(v1alpha1.ConditionRestored, metav1.ConditionFalse, v1alpha1.ReasonRestoreIncomplete))
		Expect(rs.Status.Items).To(ContainElement(And(HaveField("Verdict", v1alpha1.VerdictFailed), HaveField("ID", "guest"))))
	})

	It("P12: bring people back with the contact data that they declare and the archive lacks", func() {
		const mobile = "+86-13812345678"
		c.secret("of-d", map[string]string{"mobile": mobile})
		c.private = append(c.private, bare(mobile))
		Eventually(of(create(c.person("d", func(e *v1alpha1.Employee) {
			e.Spec.Contact = v1alpha1.Contact{SecretRef: v1alpha1.SecretReference{Name: "of-d"}}
		})))).Should(beReady())
		Eventually(of(create(c.backup("of-four", "wecom")))).Should(beReady())
		for _, id := range []string{"E0002", "E0004"} {
			dismissed(c.wecom, id)
			Expect(onWeCom(c, id)()).To(BeNil())
		}
		rs := create(c.restore("back", "of-four", executing))
		Eventually(of(rs)).Should(And(beReady(), says(v1alpha1.ConditionRestored, metav1.ConditionTrue, v1alpha1.ReasonInSync)))
		Expect(rs.Status.Items).To(ContainElement(And(HaveField("Verdict", v1alpha1.VerdictCreate), HaveField("ID", "E0004"),
			HaveField("Message", "not in the archive, but declared: mobile"))))
		b := &v1alpha1.Employee{ObjectMeta: c.meta("b")}
		Eventually(of(b)).Should(beReady())
		Expect(onWeCom(c, "E0002")()).To(And(HaveField("Mobile", bare(b.Spec.Contact.Mobile)), HaveField("Email", b.Spec.Contact.Email)))
		Expect(onWeCom(c, "E0004")()).To(HaveField("Mobile", bare(mobile)))
	})

	It("do what was allowed, and nothing else", func() {
		dismissed(c.dingtalk, "E0002")
		rs := create(c.restore("back", "of-dingtalk"))
		Eventually(of(rs)).Should(beReady())
		allowed := rs.Status.Plan.Digest
		dismissed(c.dingtalk, "E0003")
		change(rs, executing, func(rs *v1alpha1.Restore) { rs.Spec.PlanDigest = allowed })
		Eventually(of(rs)).Should(says(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonPlanChanged, "E-512"))
		Expect(rs.Status.StartTime).To(BeNil())
		Expect(c.dingtalk.made("user/create", "E0002")()).To(HaveLen(1))
		change(rs, func(rs *v1alpha1.Restore) { rs.Spec.PlanDigest = rs.Status.Plan.Digest })
		Eventually(of(rs)).Should(beReady())
		Expect(c.dingtalk.made("user/create", "E0003")()).To(HaveLen(2))
	})

	It("stop at conflicts, or leave them out", func() {
		dismissed(c.dingtalk, "E0002")
		b := &v1alpha1.Employee{ObjectMeta: c.meta("b")}
		Expect(of(b)()).NotTo(BeNil())
		mobile := bare(b.Spec.Contact.Mobile)
		c.dingtalk.byHand("users", "thief", `{"name":"路人","mobile":"`+mobile+`","dept_id_list":[1]}`)
		c.private = append(c.private, "路人")
		stopped := create(c.restore("stopped", "of-dingtalk", executing))
		Eventually(of(stopped)).Should(says(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRestoreConflicts, "E-511"))
		Expect(stopped.Status.Items[0].Verdict).To(Equal(v1alpha1.VerdictConflict))
		Expect(c.dingtalk.made("user/create", "E0002")()).To(HaveLen(1))
		skipped := create(c.restore("skipped", "of-dingtalk", executing, func(rs *v1alpha1.Restore) { rs.Spec.Conflicts = v1alpha1.ConflictSkip }))
		Eventually(of(skipped)).Should(beReady())
	})

	It("look at who is observed and change nothing, and do not even look at who is suspended", func() {
		dismissed(c.dingtalk, "E0002")
		change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("dingtalk")}, mode(v1alpha1.ModeObserve))
		rs := create(c.restore("watched", "of-dingtalk", executing))
		Eventually(of(rs)).Should(says(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonObserved, "E-407", "Enforce would", "create"))
		Expect(c.dingtalk.made("user/create", "E0002")()).To(HaveLen(1))
		change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("dingtalk")}, mode(v1alpha1.ModeSuspended))
		quiet := create(c.restore("quiet", "of-dingtalk"))
		Eventually(of(quiet)).Should(says(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended, "E-408"))
		change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("dingtalk")}, mode(v1alpha1.ModeEnforce))
		Eventually(of(rs)).Should(beReady())
		Eventually(of(quiet)).Should(beReady())
	})

	It("move to another platform, and say what does not map", func() {
		rs := create(c.restore("move", "of-dingtalk", onto("wecom")))
		Eventually(of(rs)).Should(beReady())
		Expect(rs.Status.Target).To(Equal("wecom"))
		Expect(rs.Status.Plan.Keep).To(HaveValue(BeNumerically(">", 0)), "who is there already is kept")
	})

	It("P4: give nobody who moves what the Employee of another number declares", func() {
		c.wecom.byHand("users", "guest", `{"name":"路人","mobile":"13812345678","department":[1]}`)
		c.private = append(c.private, "路人", "13812345678")
		Eventually(of(create(c.backup("with-guest", "wecom")))).Should(beReady())
		create(c.person("d", func(e *v1alpha1.Employee) {
			e.Spec.Accounts = []v1alpha1.EmployeeAccount{{Name: "wecom", UserID: "guest"}}
		}))
		rs := create(c.restore("move", "with-guest", onto("dingtalk")))
		Eventually(of(rs)).Should(beReady())
		Expect(rs.Status.Items).To(ContainElement(And(HaveField("Verdict", v1alpha1.VerdictCreate), HaveField("ID", "guest"), HaveField("Message", ""))))
	})

	It("wait for their Backup, and can be stopped", func() {
		rs := create(c.restore("early", "nobody"))
		Eventually(of(rs)).Should(says(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForBackup, "nobody"))
		Expect(api.Delete(ctx, rs)).To(Succeed())
		Eventually(goes(rs)).Should(BeTrue())
	})

	It("P13: rest when they are done", func() {
		rs := create(c.restore("done", "of-wecom"))
		Eventually(of(rs)).Should(beReady())
		c.settled()
		version, since := rs.ResourceVersion, c.sim.Log.Last()
		before := looks("restore")
		change(c.backup("of-wecom", "wecom"), func(b *v1alpha1.Backup) { b.Spec.ExpireAfterDays = 30 })
		Consistently(of(rs), "300ms").Should(HaveField("ResourceVersion", version))
		Expect(looks("restore")).To(BeNumerically(">=", before))
		Expect(c.wecom.calls(core.Query{Since: since})).To(BeEmpty())
	})
})
