package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"rollcall.dev/rollcall/api/v1alpha1"
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
		confirm(ob, "dingtalk/HandOver")
		Eventually(of(ob)).Should(And(inState("Complete"), beReady()))
		Expect(onDingTalk(c, "E0002")()).To(BeNil())
		Expect(c.dingtalk.made("terminateAndHandOver", "E0002")()).To(HaveLen(1))
	})
})
