package controllers_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/controllers"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/metrics"
	"rollcall.dev/rollcall/test/harness"
)

// The limits are proven on an API server of their own, with the real Limiter, Approvals and
// keeper of the quarantine. Leavings are played by leaver, so that what they ask and when is
// in the test's hand; that the real ones ask is proven with them.

// quarantine is the world of one test: a company, and a manager that can be restarted.
type quarantine struct {
	*testing.T
	*WithT
	client.Client
	// rollcall writes what nobody else may: leavings, and status.
	rollcall  client.Client
	namespace string
	config    *rest.Config
	clock     *clock
	limiter   *controllers.Limiter
	asked     *controllers.Approvals
	stop      func()
	// plane is the API server; checked says that config/policy is in force there.
	plane   *harness.ControlPlane
	checked bool
}

// clock is what the manager takes for the time.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// quarantined makes a company with these limits on each of the accounts, and starts a manager.
func quarantined(t *testing.T, in v1alpha1.RemovalLimits, accounts ...string) *quarantine {
	t.Helper()
	starting, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	plane, err := harness.StartControlPlane(starting, harness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plane.Stop)
	if err := plane.InstallCRDs(starting); err != nil {
		t.Fatal(err)
	}
	kinds := runtime.NewScheme()
	q := &quarantine{T: t, WithT: NewWithT(t), config: plane.Config(), clock: &clock{}, namespace: "acme", plane: plane, checked: true}
	q.SetDefaultEventuallyTimeout(30 * time.Second)
	q.Expect(scheme.AddToScheme(kinds)).To(Succeed())
	q.Expect(v1alpha1.AddToScheme(kinds)).To(Succeed())
	q.Client, err = client.New(q.config, client.Options{Scheme: kinds})
	q.Expect(err).NotTo(HaveOccurred())
	q.rollcall, err = client.New(q.asRollcall(), client.Options{Scheme: kinds})
	q.Expect(err).NotTo(HaveOccurred())
	q.Expect(q.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: q.namespace}})).To(Succeed())
	for i, name := range accounts {
		q.Expect(q.Create(t.Context(), &v1alpha1.EnterpriseAccount{
			ObjectMeta: q.meta(name),
			Spec: v1alpha1.EnterpriseAccountSpec{
				WeCom: v1alpha1.WeComTenant{CorpID: fmt.Sprintf("wwlimits%04d", i)}, RemovalLimits: in,
				CredentialsSecretRef: v1alpha1.SecretReference{Name: "credentials"},
			},
		})).To(Succeed())
	}
	q.guard()
	q.start()
	t.Cleanup(func() { q.stop() })
	return q
}

// unguard takes the check of decisions out of force.
func (q *quarantine) unguard() {
	q.Helper()
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "rollcall-approvals"}}
	q.Expect(q.Delete(q.Context(), binding)).To(Succeed())
	q.Eventually(func() error { return q.Create(q.Context(), q.forged("by-hand"), client.DryRunAll) }).Should(Succeed())
}

func (q *quarantine) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: q.namespace, Name: name}
}

// guard puts config/policy in force, and waits until it is.
func (q *quarantine) guard() {
	q.Helper()
	kubectl, err := harness.ControlPlaneBinary("kubectl")
	q.Expect(err).NotTo(HaveOccurred())
	out, err := exec.CommandContext(q.Context(), kubectl, "--kubeconfig", q.plane.KubeconfigPath(), "apply", "-k", "../config/policy").CombinedOutput()
	q.Expect(err).NotTo(HaveOccurred(), string(out))
	q.Eventually(func() error {
		return q.Create(q.Context(), q.forged("by-hand"), client.DryRunAll)
	}).Should(MatchError(ContainSubstring("only Rollcall makes Approvals")))
}

// forged is an Approval that nobody may make.
func (q *quarantine) forged(name string) *v1alpha1.Approval {
	expires := metav1.NewTime(q.clock.now().Add(time.Hour))
	return &v1alpha1.Approval{ObjectMeta: q.meta(name), Spec: v1alpha1.ApprovalSpec{
		Purpose: v1alpha1.ApprovalExit, Summary: "by hand", Count: 1, Digest: strings.Repeat("0", 64), ExpireTime: &expires,
		Subjects: []v1alpha1.ApprovalSubject{{UID: "u", Kind: "EnterpriseAccount", Name: "wecom", Action: "Leave"}},
	}}
}

// asRollcall is how the manager is known to config/policy.
func (q *quarantine) asRollcall() *rest.Config {
	config := rest.CopyConfig(q.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:rollcall-system:rollcall", Groups: []string{"system:masters"}}
	return config
}

// start runs a manager with the limits, the Approvals and the leaver.
func (q *quarantine) start() {
	q.Helper()
	skip := true
	mgr, err := ctrl.NewManager(q.asRollcall(), ctrl.Options{
		Scheme: q.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, Controller: crconfig.Controller{SkipNameValidation: &skip},
	})
	q.Expect(err).NotTo(HaveOccurred())
	running, cancel := context.WithCancel(context.Background())
	q.Expect(controllers.SetupIndexes(running, mgr.GetFieldIndexer())).To(Succeed())
	told, recorder := metrics.New(prometheus.NewRegistry(), q.clock.now), mgr.GetEventRecorder("rollcall")
	q.asked = &controllers.Approvals{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Now: q.clock.now, Unchecked: !q.checked}
	q.limiter = &controllers.Limiter{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Approvals: q.asked, Now: q.clock.now}
	for _, c := range []interface{ SetupWithManager(ctrl.Manager) error }{
		&controllers.ApprovalReconciler{Client: mgr.GetClient(), Approvals: q.asked, Recorder: recorder, Hub: &controllers.Hub{Reader: mgr.GetClient()}, Metrics: told, Now: q.clock.now},
		&controllers.QuarantineReconciler{Client: mgr.GetClient(), Limiter: q.limiter, Approvals: q.asked, Recorder: recorder, Metrics: told, Now: q.clock.now, Settle: time.Second},
		&leaver{Client: mgr.GetClient(), limiter: q.limiter, approvals: q.asked, now: q.clock.now},
	} {
		q.Expect(c.SetupWithManager(mgr)).To(Succeed())
	}
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	q.Expect(mgr.GetCache().WaitForCacheSync(running)).To(BeTrue())
	q.stop = func() {
		cancel()
		NewWithT(q.T).Eventually(ended, "20s").Should(Receive(Succeed()))
		q.stop = func() {}
	}
}

func (q *quarantine) restart() {
	q.Helper()
	q.stop()
	q.start()
}

// leaver plays leavings: it asks to be admitted, records the answer, and does nothing. Those
// with a cancelling annotation end.
type leaver struct {
	client.Client
	limiter   *controllers.Limiter
	approvals *controllers.Approvals
	now       func() time.Time
}

const declaredAgain = "test/declared-again"

func (l *leaver) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("leaver").For(&v1alpha1.Offboarding{}).
		Watches(&v1alpha1.Approval{}, handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) (all []reconcile.Request) {
			for _, s := range o.(*v1alpha1.Approval).Spec.Subjects {
				all = append(all, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: o.GetNamespace(), Name: s.Name}})
			}
			return all
		})).WithOptions(controller.Options{MaxConcurrentReconciles: 8}).Complete(l)
}

func (l *leaver) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	ob := &v1alpha1.Offboarding{}
	if err := l.Get(ctx, req.NamespacedName, ob); err != nil || ob.Status.State == v1alpha1.OffboardingCancelled {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := ob.DeepCopy()
	if ob.Annotations[declaredAgain] != "" {
		ob.Status.State = v1alpha1.OffboardingCancelled
		if _, err := kube.PatchStatus(ctx, l.Client, before, ob); err != nil {
			return ctrl.Result{}, err
		}
		return ctrl.Result{}, l.approvals.Withdraw(ctx, ob.Namespace, ob.UID)
	}
	if len(ob.Status.Accounts) == 0 {
		for _, a := range ob.Spec.Accounts {
			ob.Status.Accounts = append(ob.Status.Accounts, v1alpha1.OffboardingAccountStatus{Name: a.Name})
		}
	}
	for i := range ob.Status.Accounts {
		s := &ob.Status.Accounts[i]
		if s.AdmittedTime != nil {
			continue
		}
		got, err := l.limiter.Admit(ctx, client.ObjectKey{Namespace: ob.Namespace, Name: s.Name},
			controllers.Candidate{UID: ob.UID, Kind: "Offboarding", Name: ob.Name, Number: ob.Spec.Number, Action: "Leave"})
		if err != nil {
			return ctrl.Result{}, err
		}
		s.Reason = ""
		switch {
		case got.Admitted:
			now := metav1.NewTime(l.now())
			s.AdmittedTime, s.AdmittedBy = &now, got.By
			ob.Status.ApprovedBy = got.Approver
		case got.Rejected:
			ob.Status.State = v1alpha1.OffboardingCancelled
		default:
			s.Reason = got.Problem.Reason
		}
	}
	_, err := kube.PatchStatus(ctx, l.Client, before, ob)
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: 20 * time.Millisecond}, nil
	}
	return ctrl.Result{}, err
}

// leave makes an Offboarding for each number.
func (q *quarantine) leave(accounts []string, numbers ...int) {
	q.Helper()
	for _, n := range numbers {
		q.Expect(q.rollcall.Create(q.Context(), q.offboarding(n, accounts...))).To(Succeed())
	}
}

// offboarding is the leaving of somebody who was deleted.
func (q *quarantine) offboarding(n int, accounts ...string) *v1alpha1.Offboarding {
	ob := &v1alpha1.Offboarding{ObjectMeta: q.meta(leavingName(n)), Spec: v1alpha1.OffboardingSpec{
		Mode: v1alpha1.OffboardingExecute, EmployeeRef: v1alpha1.EmployeeReference{Name: personName(n)},
		Number: fmt.Sprintf("E%04d", n), Trigger: v1alpha1.TriggerDeleted,
		Terms: v1alpha1.OffboardingTerms{Backup: v1alpha1.OffboardingBackup{Mode: v1alpha1.BackupNone}},
	}}
	ob.Spec.RequestedBy.Users = []string{"system:serviceaccount:argocd:argocd-application-controller"}
	for _, a := range accounts {
		ob.Spec.Accounts = append(ob.Spec.Accounts, v1alpha1.OffboardingAccount{Name: a, UserID: ob.Spec.Number, Origin: v1alpha1.OriginCreated})
	}
	return ob
}

// employ makes people who have an account there. A negative number is somebody without one.
func (q *quarantine) employ(account string, numbers ...int) {
	q.Helper()
	for _, n := range numbers {
		e := &v1alpha1.Employee{ObjectMeta: q.meta(personName(max(n, -n))), Spec: v1alpha1.EmployeeSpec{
			Name: "张伟", Contact: v1alpha1.Contact{Mobile: fmt.Sprintf("+86-1380055%04d", max(n, -n))},
			Departments: []v1alpha1.EmployeeDepartment{{Name: "rd"}}, Accounts: []v1alpha1.EmployeeAccount{{Name: account}},
		}}
		if n > 0 {
			e.Spec.Number = fmt.Sprintf("E%04d", n)
		} else {
			e.Spec.NumberRuleRef.Name = "staff"
		}
		q.Expect(q.rollcall.Create(q.Context(), e)).To(Succeed())
		e.Status.Accounts = []v1alpha1.EmployeeAccountStatus{{Name: account, UserID: e.Name, Origin: v1alpha1.OriginCreated}}
		q.Expect(q.rollcall.Status().Update(q.Context(), e)).To(Succeed())
	}
}

// gone ends leavings: the accounts are deleted, and nobody is declared any more.
func (q *quarantine) gone(numbers ...int) {
	q.Helper()
	for _, n := range numbers {
		q.Expect(q.rollcall.Delete(q.Context(), &v1alpha1.Employee{ObjectMeta: q.meta(personName(n))})).To(Succeed())
		ob := &v1alpha1.Offboarding{}
		q.Expect(q.Get(q.Context(), client.ObjectKeyFromObject(&v1alpha1.Offboarding{ObjectMeta: q.meta(leavingName(n))}), ob)).To(Succeed())
		before, ended := ob.DeepCopy(), metav1.NewTime(q.clock.now())
		ob.Status.State, ob.Status.CompletionTime = v1alpha1.OffboardingComplete, &ended
		q.Expect(q.rollcall.Status().Patch(q.Context(), ob, client.MergeFrom(before))).To(Succeed())
	}
}

func personName(n int) string { return fmt.Sprintf("person-%d", n) }

func leavingName(n int) string { return fmt.Sprintf("person-%d-1", n) }

func upTo(from, to int) (all []int) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

// stand is who is admitted on an account, who is held, and who is neither.
type stand struct{ admitted, held, cancelled, open []string }

func (q *quarantine) stand(account string) (s stand) {
	q.Helper()
	var all v1alpha1.OffboardingList
	q.Expect(q.List(q.Context(), &all, client.InNamespace(q.namespace))).To(Succeed())
	for _, ob := range all.Items {
		at := slices.IndexFunc(ob.Status.Accounts, func(a v1alpha1.OffboardingAccountStatus) bool { return a.Name == account })
		switch {
		case at >= 0 && ob.Status.Accounts[at].AdmittedTime != nil:
			s.admitted = append(s.admitted, string(ob.UID))
		case ob.Status.State == v1alpha1.OffboardingCancelled:
			s.cancelled = append(s.cancelled, string(ob.UID))
		case at >= 0 && ob.Status.Accounts[at].Reason == v1alpha1.ReasonRemovalLimit:
			s.held = append(s.held, string(ob.UID))
		default:
			s.open = append(s.open, string(ob.UID))
		}
	}
	return s
}

// settles waits until so many are admitted and held on the account, and nobody is neither.
func (q *quarantine) settles(account string, admitted, held int) stand {
	q.Helper()
	q.Eventually(func(g Gomega) {
		s := q.stand(account)
		g.Expect(s.open).To(BeEmpty())
		g.Expect(s.admitted).To(HaveLen(admitted))
		g.Expect(s.held).To(HaveLen(held))
	}).Should(Succeed())
	return q.stand(account)
}

// asks waits for the one Approval of the account that is open, and that it lists exactly these.
func (q *quarantine) asks(account string, about []string) *v1alpha1.Approval {
	q.Helper()
	var found v1alpha1.Approval
	q.Eventually(func(g Gomega) {
		open := q.approvals(account, v1alpha1.ApprovalPending)
		g.Expect(open).To(HaveLen(1))
		var listed []string
		for _, s := range open[0].Spec.Subjects {
			listed = append(listed, s.UID)
		}
		g.Expect(listed).To(ConsistOf(about))
		found = open[0]
	}).Should(Succeed())
	return &found
}

func (q *quarantine) approvals(account string, states ...v1alpha1.ApprovalState) []v1alpha1.Approval {
	q.Helper()
	var all v1alpha1.ApprovalList
	q.Expect(q.List(q.Context(), &all, client.InNamespace(q.namespace))).To(Succeed())
	return slices.DeleteFunc(all.Items, func(a v1alpha1.Approval) bool {
		return a.Spec.AccountName != account || len(states) > 0 && !slices.Contains(states, a.Status.State)
	})
}

// decide writes a decision as Chen Jing, who may.
func (q *quarantine) decide(apv *v1alpha1.Approval, verdict v1alpha1.ApprovalVerdict) {
	q.Helper()
	config := rest.CopyConfig(q.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "chen.jing", Groups: []string{"system:masters"}}
	chen, err := client.New(config, client.Options{Scheme: q.Scheme()})
	q.Expect(err).NotTo(HaveOccurred())
	before := apv.DeepCopy()
	apv.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: verdict, By: "chen.jing", Digest: apv.Spec.Digest}
	q.Expect(chen.Patch(q.Context(), apv, client.MergeFrom(before))).To(Succeed())
}

// revert declares people again.
func (q *quarantine) revert(uids []string) {
	q.Helper()
	var all v1alpha1.OffboardingList
	q.Expect(q.List(q.Context(), &all, client.InNamespace(q.namespace))).To(Succeed())
	for i := range all.Items {
		if ob := &all.Items[i]; slices.Contains(uids, string(ob.UID)) {
			before := ob.DeepCopy()
			ob.Annotations = map[string]string{declaredAgain: "yes"}
			q.Expect(q.Patch(q.Context(), ob, client.MergeFrom(before))).To(Succeed())
		}
	}
}

func (q *quarantine) removals(account string) v1alpha1.EnterpriseAccount {
	q.Helper()
	var a v1alpha1.EnterpriseAccount
	q.Expect(q.Get(q.Context(), client.ObjectKey{Namespace: q.namespace, Name: account}, &a)).To(Succeed())
	return a
}

func three() v1alpha1.RemovalLimits {
	count, percent, floor := int32(3), int32(100), int32(3)
	return v1alpha1.RemovalLimits{Count: &count, Percent: &percent, Floor: &floor}
}

// TestP6OneApprovalListsEverybodyWhoWaits: of 30 who leave at once three are admitted, one Approval
// lists exactly the others, and approving releases exactly those; nobody else gets through meanwhile.
func TestP6OneApprovalListsEverybodyWhoWaits(t *testing.T) {
	q := quarantined(t, three(), "wecom")
	q.leave([]string{"wecom"}, upTo(1, 30)...)
	s := q.settles("wecom", 3, 27)
	apv := q.asks("wecom", s.held)
	q.Expect(apv.Spec.Count).To(BeEquivalentTo(27))
	q.Expect(apv.Spec.Requesters).To(ConsistOf("system:serviceaccount:argocd:argocd-application-controller"))
	q.Expect(apv.Name).To(HavePrefix("limit-wecom-"))
	q.Eventually(func() v1alpha1.Removals { return q.removals("wecom").Status.Removals }).Should(And(
		HaveField("Limit", HaveValue(BeEquivalentTo(3))), HaveField("Admitted", HaveValue(BeEquivalentTo(3))),
		HaveField("Held", HaveValue(BeEquivalentTo(27))), HaveField("ApprovalName", apv.Name)))
	q.Expect(q.approvals("wecom")).To(HaveLen(1))

	// The latch: time passes, and still nobody is admitted, neither those who wait nor anybody else.
	q.clock.pass(25 * time.Hour)
	q.leave([]string{"wecom"}, 31)
	s = q.settles("wecom", 3, 28)
	next := q.asks("wecom", s.held)
	q.Expect(next.Name).NotTo(Equal(apv.Name))
	q.Eventually(func() []v1alpha1.Approval { return q.approvals("wecom") }).Should(HaveLen(1), "a day later, what was withdrawn is gone")

	// Whoever comes while it is decided about the others is not among them.
	q.decide(next, v1alpha1.VerdictApproved)
	q.settles("wecom", 31, 0)
	for _, ob := range q.offboardings() {
		if slices.Contains(s.held, string(ob.UID)) {
			q.Expect(ob.Status.Accounts[0].AdmittedBy).To(Equal(next.Name))
			q.Expect(ob.Status.ApprovedBy).To(Equal("chen.jing"))
		} else {
			q.Expect(ob.Status.Accounts[0].AdmittedBy).To(BeEmpty())
		}
	}
	q.Eventually(func() v1alpha1.Removals { return q.removals("wecom").Status.Removals }).Should(And(
		HaveField("Held", HaveValue(BeZero())), HaveField("ApprovalName", BeEmpty())))

	// The window has passed: the latch is off, and three more may leave.
	q.leave([]string{"wecom"}, upTo(41, 45)...)
	s = q.settles("wecom", 34, 2)
	// A git revert: nobody waits, nobody is asked, and the latch is off again.
	q.asks("wecom", s.held)
	q.revert(s.held)
	q.settles("wecom", 34, 0)
	q.Eventually(func() []v1alpha1.Approval { return q.approvals("wecom", v1alpha1.ApprovalPending) }).Should(BeEmpty())
	q.Eventually(func() bool {
		return meta.IsStatusConditionTrue(q.removals("wecom").Status.Conditions, v1alpha1.ConditionWithinLimits)
	}).Should(BeTrue())
}

func (q *quarantine) offboardings() []v1alpha1.Offboarding {
	q.Helper()
	var all v1alpha1.OffboardingList
	q.Expect(q.List(q.Context(), &all, client.InNamespace(q.namespace))).To(Succeed())
	return all.Items
}

// TestP6PercentOfThoseWhoWereThere: the percentage is of the people who are managed, and of those who left within
// the window, each once: a limit of those who are left would shrink with everybody whom it lets go.
func TestP6PercentOfThoseWhoWereThere(t *testing.T) {
	count, percent, floor := int32(100), int32(50), int32(0)
	q := quarantined(t, v1alpha1.RemovalLimits{Count: &count, Percent: &percent, Floor: &floor}, "wecom")
	limit := func() v1alpha1.Removals { return q.removals("wecom").Status.Removals }
	is := func(limit, admitted, held int) OmegaMatcher {
		return And(HaveField("Limit", HaveValue(BeEquivalentTo(limit))), HaveField("Admitted", HaveValue(BeEquivalentTo(admitted))), HaveField("Held", HaveValue(BeEquivalentTo(held))))
	}
	q.employ("wecom", append(upTo(1, 8), -9, -10)...) // two of them have no number yet, and are two all the same
	q.Eventually(func() (int, error) {
		now, err := q.limiter.Quarantine(t.Context(), client.ObjectKey{Namespace: q.namespace, Name: "wecom"})
		return now.Limit, err
	}).Should(Equal(5))
	q.leave([]string{"wecom"}, 1, 2, 3)
	q.settles("wecom", 3, 0)
	q.gone(1, 2, 3)
	// Whose record somebody deletes was there, too.
	q.Expect(q.Delete(t.Context(), &v1alpha1.Offboarding{ObjectMeta: q.meta(leavingName(1))})).To(Succeed())
	q.leave([]string{"wecom"}, 4, 5)
	q.settles("wecom", 4, 0)
	q.leave([]string{"wecom"}, 6)
	s := q.settles("wecom", 4, 1)
	q.Eventually(limit).Should(is(5, 5, 1))

	// The window moves on. Who lost access before it began, and is deleted within it, was there when it began.
	q.clock.pass(25 * time.Hour)
	q.gone(4, 5)
	q.revert(s.held)
	q.Eventually(limit).Should(is(3, 0, 0), "half of 6 to 10, and of 4 and 5")
}

// TestP6WhoCameAMomentAgoCounts: people are not counted for everybody who leaves, and nobody is held up by that.
func TestP6WhoCameAMomentAgoCounts(t *testing.T) {
	count, percent, floor := int32(100), int32(50), int32(0)
	q := quarantined(t, v1alpha1.RemovalLimits{Count: &count, Percent: &percent, Floor: &floor}, "wecom")
	limit := func() (int, error) {
		now, err := q.limiter.Quarantine(t.Context(), client.ObjectKey{Namespace: q.namespace, Name: "wecom"})
		return now.Limit, err
	}
	q.employ("wecom", upTo(1, 2)...)
	q.Eventually(limit).Should(Equal(1))
	q.leave([]string{"wecom"}, 1)
	q.settles("wecom", 1, 0)
	q.employ("wecom", upTo(3, 12)...)
	q.Eventually(func(g Gomega) {
		var known v1alpha1.EmployeeList
		g.Expect(q.limiter.List(t.Context(), &known, client.InNamespace(q.namespace))).To(Succeed())
		g.Expect(known.Items).To(HaveLen(12))
		g.Expect(known.Items).To(HaveEach(HaveField("Status.Accounts", HaveLen(1))))
	}).Should(Succeed())
	q.leave([]string{"wecom"}, 2, 3)
	q.settles("wecom", 3, 0)
}

// TestP6EachLeavingCounts: whoever leaves, is declared again and leaves once more lost access twice, and it counts twice,
// also after a restart. Who is frozen anew counts once.
func TestP6EachLeavingCounts(t *testing.T) {
	q := quarantined(t, three(), "wecom")
	q.leave([]string{"wecom"}, 1)
	q.revert(q.settles("wecom", 1, 0).admitted)
	q.Eventually(q.offboardings).Should(ConsistOf(HaveField("Status.State", v1alpha1.OffboardingCancelled)))
	again := q.offboarding(1, "wecom")
	again.Name = "person-1-2"
	q.Expect(q.rollcall.Create(t.Context(), again)).To(Succeed())
	q.settles("wecom", 2, 0)
	q.restart()
	frozen := controllers.Candidate{UID: "frozen", Kind: "Employee", Name: "person-2", Number: "E0002", Action: "Freeze"}
	for range 2 {
		got, err := q.limiter.Admit(t.Context(), client.ObjectKey{Namespace: q.namespace, Name: "wecom"}, frozen)
		q.Expect(err).NotTo(HaveOccurred())
		q.Expect(got.Admitted).To(BeTrue())
	}
	q.leave([]string{"wecom"}, 3)
	q.settles("wecom", 2, 1)
}

// TestP6LimitsSurviveARestart: who was admitted and who waits is what is recorded, though the manager
// ends at any moment; and a rejection cancels exactly those that it is about.
func TestP6LimitsSurviveARestart(t *testing.T) {
	q := quarantined(t, three(), "wecom")
	q.leave([]string{"wecom"}, upTo(1, 10)...)
	q.restart()
	q.leave([]string{"wecom"}, upTo(11, 20)...)
	s := q.settles("wecom", 3, 17)
	q.restart()
	apv := q.asks("wecom", s.held)
	q.leave([]string{"wecom"}, upTo(21, 22)...)
	s = q.settles("wecom", 3, 19)
	q.restart()
	next := q.asks("wecom", s.held)
	q.Expect(next.Name).NotTo(Equal(apv.Name))
	q.decide(next, v1alpha1.VerdictRejected)
	q.leave([]string{"wecom"}, 30)
	q.Eventually(func(g Gomega) {
		now := q.stand("wecom")
		g.Expect(now.cancelled).To(ConsistOf(s.held))
		g.Expect(now.held).To(HaveLen(1))
		g.Expect(now.admitted).To(HaveLen(3))
	}).Should(Succeed())
}

// TestP11LimitsOfOneAccountHoldUpNobodyOnAnother: a quarantine is one account's.
func TestP11LimitsOfOneAccountHoldUpNobodyOnAnother(t *testing.T) {
	q := quarantined(t, three(), "wecom", "dingtalk")
	q.leave([]string{"wecom"}, upTo(1, 8)...)
	s := q.settles("wecom", 3, 5)
	q.asks("wecom", s.held)
	q.leave([]string{"wecom", "dingtalk"}, 9, 10, 11)
	q.Eventually(func(g Gomega) {
		g.Expect(q.stand("wecom").held).To(HaveLen(8))
		there := q.stand("dingtalk")
		g.Expect(there.admitted).To(HaveLen(3))
		g.Expect(there.held).To(BeEmpty())
	}).Should(Succeed())
	q.Expect(q.approvals("dingtalk")).To(BeEmpty())
}

// TestP7UncheckedDecisionsCountForNothing: where nobody checks who decides, nothing is done on anybody's
// word, also when somebody checks later; asked again under the policy, it is.
func TestP7UncheckedDecisionsCountForNothing(t *testing.T) {
	q := quarantined(t, three(), "wecom")
	q.leave([]string{"wecom"}, upTo(1, 5)...)
	s := q.settles("wecom", 3, 2)
	apv := q.asks("wecom", s.held)
	q.unguard()
	q.decide(apv, v1alpha1.VerdictApproved)
	q.Eventually(func(g Gomega) {
		g.Expect(q.Get(t.Context(), client.ObjectKeyFromObject(apv), apv)).To(Succeed())
		g.Expect(apv.Status.State).To(Equal(v1alpha1.ApprovalPending))
		stalled := meta.FindStatusCondition(apv.Status.Conditions, v1alpha1.ConditionStalled)
		g.Expect(stalled).To(HaveValue(And(HaveField("Reason", v1alpha1.ReasonApprovalUnchecked), HaveField("Message", ContainSubstring("config/policy")))))
	}).Should(Succeed())
	q.Consistently(func() []string { return q.stand("wecom").held }, "2s").Should(HaveLen(2))
	q.guard()
	q.restart()
	q.Consistently(func() []string { return q.stand("wecom").held }, "2s").Should(HaveLen(2))
	q.Expect(q.Delete(t.Context(), apv)).To(Succeed())
	q.decide(q.asks("wecom", s.held), v1alpha1.VerdictApproved)
	q.settles("wecom", 5, 0)
}

// TestP7UncheckedDecisionsCountIfTheyShall: a flag of the manager takes them, and the Approval says so.
func TestP7UncheckedDecisionsCountIfTheyShall(t *testing.T) {
	q := quarantined(t, three(), "wecom")
	q.stop()
	q.checked = false
	q.start()
	q.leave([]string{"wecom"}, upTo(1, 4)...)
	s := q.settles("wecom", 3, 1)
	apv := q.asks("wecom", s.held)
	q.unguard()
	q.decide(apv, v1alpha1.VerdictApproved)
	q.settles("wecom", 4, 0)
	q.Eventually(func(g Gomega) { // the leaving did not wait for it
		g.Expect(q.Get(t.Context(), client.ObjectKeyFromObject(apv), apv)).To(Succeed())
		g.Expect(meta.IsStatusConditionFalse(apv.Status.Conditions, v1alpha1.ConditionDecisionChecked)).To(BeTrue())
	}).Should(Succeed())
}

// TestP6StaleCaches: answers count that the cache does not show yet, and after a restart what is
// recorded counts though the cache lags behind.
func TestP6StaleCaches(t *testing.T) {
	q := quarantined(t, three(), "wecom")
	q.stop()
	q.start()
	q.stop() // the cache of that manager shows nothing any more
	behind, key := q.limiter, client.ObjectKey{Namespace: q.namespace, Name: "wecom"}
	fresh := func() *controllers.Limiter {
		return &controllers.Limiter{Client: behind.Client, Live: q.Client, Approvals: behind.Approvals, Now: q.clock.now}
	}
	limiter, admitted := fresh(), 0
	q.leave([]string{"wecom"}, upTo(1, 8)...)
	obs := q.offboardings()
	for i := range obs {
		ob := &obs[i]
		got, err := limiter.Admit(t.Context(), key, controllers.Candidate{UID: ob.UID, Kind: "Offboarding", Name: ob.Name, Number: ob.Spec.Number, Action: "Leave"})
		q.Expect(err).NotTo(HaveOccurred())
		st := v1alpha1.OffboardingAccountStatus{Name: "wecom"}
		if got.Admitted {
			admitted++
			now := metav1.NewTime(q.clock.now())
			st.AdmittedTime = &now
		} else {
			st.Reason = got.Problem.Reason
		}
		ob.Status.Accounts = []v1alpha1.OffboardingAccountStatus{st}
		q.Expect(q.rollcall.Status().Update(t.Context(), ob)).To(Succeed())
	}
	q.Expect(admitted).To(Equal(3))
	again := controllers.Candidate{UID: "new", Kind: "Offboarding", Name: "new", Number: "E0099", Action: "Leave"}
	for _, l := range []*controllers.Limiter{limiter, fresh()} {
		got, err := l.Admit(t.Context(), key, again)
		q.Expect(err).NotTo(HaveOccurred())
		q.Expect(got.Admitted).To(BeFalse())
	}
	// An answer that nobody recorded, because whoever asked has ended, counts for a while only.
	q.clock.pass(25 * time.Hour)
	for i := range obs {
		q.Expect(q.Delete(t.Context(), &obs[i])).To(Succeed())
	}
	got, err := limiter.Admit(t.Context(), key, again)
	q.Expect(err).NotTo(HaveOccurred())
	q.Expect(got.Admitted).To(BeTrue(), "nobody waits any more")
}
