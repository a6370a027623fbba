package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// QuarantineReconciler asks about those who wait because of an account's removalLimits (P6):
// one Approval that lists exactly everybody, and another when they are not the same any more.
// Admitting is the Limiter's.
type QuarantineReconciler struct {
	client.Client
	Limiter   *Limiter
	Approvals *Approvals
	Recorder  events.EventRecorder
	Metrics   QuarantineMetrics
	Now       func() time.Time
	// Settle is how long nobody may have come or gone before it is asked about those who
	// wait: a mistake that concerns hundreds comes within seconds, and is one question.
	Settle time.Duration

	mu       sync.Mutex
	unsteady map[types.NamespacedName]unsteady
	reported map[types.NamespacedName]time.Time
}

// unsteady is who waited when it was last looked, since when, and since when it changes.
type unsteady struct {
	digest       string
	since, first time.Time
}

// QuarantineMetrics is what is told of the limits.
type QuarantineMetrics interface {
	// Removals says how many people may lose access within the window, how many have, and how many wait.
	Removals(account types.NamespacedName, limit, admitted, held int)
	// ForgetRemovals: nothing more is known of the account.
	ForgetRemovals(account types.NamespacedName)
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=enterpriseaccounts;linkedsystems;employees;offboardings,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollcall.dev,resources=enterpriseaccounts/status;linkedsystems/status,verbs=patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=approvals,verbs=get;list;watch;create

// SetupWithManager registers the controller.
func (r *QuarantineReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("quarantine").
		For(&v1alpha1.EnterpriseAccount{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.LinkedSystem{}, handler.EnqueueRequestsFromMapFunc(labelled), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Employee{}, handler.EnqueueRequestsFromMapFunc(removedFrom), builder.WithPredicates(removalsChanged)).
		Watches(&v1alpha1.Offboarding{}, handler.EnqueueRequestsFromMapFunc(removedFrom), builder.WithPredicates(removalsChanged)).
		Watches(&v1alpha1.Approval{}, handler.EnqueueRequestsFromMapFunc(quarantineOf), builder.WithPredicates(standsDifferently)).
		Complete(r)
}

// recordedRemovals are what an Employee or an Offboarding records, on all accounts where it matters.
func recordedRemovals(o client.Object) (all []removal, accounts []string) {
	switch o := o.(type) {
	case *v1alpha1.Employee:
		for _, name := range employeeRemovals(o) {
			all, accounts = append(all, employeeRemoval(o, name)), append(accounts, name)
		}
	case *v1alpha1.Offboarding:
		for _, name := range offboardingRemovals(o) {
			all, accounts = append(all, offboardingRemoval(o, name)), append(accounts, name)
		}
	}
	return all, accounts
}

// removalsChanged passes who comes to wait, waits no longer, or was admitted.
var removalsChanged = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool { all, _ := recordedRemovals(e.Object); return len(all) > 0 },
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, was := recordedRemovals(e.ObjectOld)
		now, is := recordedRemovals(e.ObjectNew)
		return !slices.Equal(before, now) || !slices.Equal(was, is)
	},
}

// removedFrom maps somebody to the accounts whose limits it concerns.
func removedFrom(_ context.Context, o client.Object) (found []reconcile.Request) {
	_, accounts := recordedRemovals(o)
	for _, name := range accounts {
		found = append(found, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: o.GetNamespace(), Name: name}})
	}
	return found
}

// labelled maps a LinkedSystem to its name among accounts.
func labelled(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: systemLabel(client.ObjectKeyFromObject(o))}}
}

// quarantineOf maps an Approval to the account whose limits it is about.
func quarantineOf(_ context.Context, o client.Object) []reconcile.Request {
	apv, ok := o.(*v1alpha1.Approval)
	if !ok || apv.Spec.Purpose != v1alpha1.ApprovalRemovalLimit {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: apv.Namespace, Name: apv.Spec.AccountName}}}
}

// refresh is how often the limit is computed anew: it follows how many people there are.
const refresh = 10 * time.Minute

// limited is an EnterpriseAccount or a LinkedSystem, as far as its limits go.
type limited struct {
	client.Object
	// label is how it is named among both.
	label      types.NamespacedName
	removals   *v1alpha1.Removals
	conditions *[]metav1.Condition
}

func (r *QuarantineReconciler) limited(ctx context.Context, label types.NamespacedName) (limited, error) {
	if key, is := systemNamed(label); is {
		ls := &v1alpha1.LinkedSystem{}
		return limited{ls, label, &ls.Status.Removals, &ls.Status.Conditions}, r.Get(ctx, key, ls)
	}
	account := &v1alpha1.EnterpriseAccount{}
	return limited{account, label, &account.Status.Removals, &account.Status.Conditions}, r.Get(ctx, label, account)
}

// Reconcile asks about who waits on one account, or linked system, and reports how it stands.
func (r *QuarantineReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if early := r.early(req.NamespacedName); early > 0 {
		return ctrl.Result{RequeueAfter: early}, nil
	}
	account, err := r.limited(ctx, req.NamespacedName)
	if err != nil {
		if apierrors.IsNotFound(err) {
			r.Metrics.ForgetRemovals(req.NamespacedName)
			r.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	q, err := r.Limiter.Quarantine(ctx, req.NamespacedName)
	if err != nil {
		return done(0, err)
	}
	again := refresh
	if !q.Next.IsZero() {
		again = min(again, max(time.Second, q.Next.Sub(r.Now())))
	}
	name, wait, err := r.ask(ctx, req.NamespacedName, q.Held)
	if err != nil {
		return done(0, err)
	}
	again = sooner(again, wait)
	r.Metrics.Removals(req.NamespacedName, q.Limit, q.Admitted, len(q.Held))
	before, ok := account.DeepCopyObject().(client.Object)
	if !ok {
		return ctrl.Result{}, fmt.Errorf("copying %T: no object", account.Object)
	}
	was := meta.IsStatusConditionFalse(*account.conditions, v1alpha1.ConditionWithinLimits)
	account.report(q, name)
	wrote, err := kube.PatchStatus(ctx, r.Client, before, account.Object)
	if err == nil {
		r.told(req.NamespacedName)
	}
	if err == nil && wrote {
		r.announce(account, was)
	}
	return done(again, err)
}

// ask makes the one Approval, withdraws those that list anybody else, and says which one
// there is, or how long it is waited for more people to come.
func (r *QuarantineReconciler) ask(ctx context.Context, account types.NamespacedName, held []v1alpha1.ApprovalSubject) (string, time.Duration, error) {
	slices.SortFunc(held, func(a, b v1alpha1.ApprovalSubject) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.UID, b.UID))
	})
	held = held[:min(len(held), maxSubjects)] // the others are asked about when these are decided
	digest := pureQuestion(account.Namespace, account.Name, v1alpha1.ApprovalRemovalLimit, held).Digest()
	var asked v1alpha1.ApprovalList
	if err := r.List(ctx, &asked, client.InNamespace(account.Namespace), client.MatchingFields{indexAccount: account.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return "", 0, fmt.Errorf("listing Approvals: %w", err)
	}
	wait := r.settle(account, digest)
	for i := range asked.Items {
		apv := &asked.Items[i]
		if apv.Spec.Purpose != v1alpha1.ApprovalRemovalLimit || !isUndecided(apv) {
			continue
		}
		if apv.Spec.Digest == digest {
			wait = 0 // it is asked already
			continue
		}
		if err := r.Approvals.withdraw(ctx, client.ObjectKeyFromObject(apv)); err != nil {
			return "", 0, err
		}
	}
	if len(held) == 0 || wait > 0 {
		return "", max(0, wait), nil
	}
	requesters, err := r.requesters(ctx, account.Namespace, held)
	if err != nil {
		return "", 0, err
	}
	answer, err := r.Approvals.Ask(ctx, Question{
		Namespace: account.Namespace, Account: account.Name, Purpose: v1alpha1.ApprovalRemovalLimit,
		Summary: summaryOfHeld(account.Name, held), Subjects: held, Requesters: requesters,
	})
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return "", 0, nil // nobody can be asked any more, and nothing more is admitted
	}
	return answer.Name, 0, err
}

// reportEvery is how often it is told at most how an account stands: where a thousand are frozen at once, each of them
// changes it.
const reportEvery = time.Second

// early is how long to wait before it is told how the account stands.
func (r *QuarantineReconciler) early(account types.NamespacedName) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since := r.Now().Sub(r.reported[account]); since >= 0 && since < reportEvery {
		return reportEvery - since
	}
	return 0
}

// told notes that it was told how the account stands.
func (r *QuarantineReconciler) told(account types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reported == nil {
		r.reported = map[types.NamespacedName]time.Time{}
	}
	r.reported[account] = r.Now()
}

func (r *QuarantineReconciler) forget(account types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reported, account)
	delete(r.unsteady, account)
}

// settle says how long to wait until those who wait are the same for a while. It does not wait
// for ever: where somebody comes every other second the question is put now and then.
func (r *QuarantineReconciler) settle(account types.NamespacedName, digest string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unsteady == nil {
		r.unsteady = map[types.NamespacedName]unsteady{}
	}
	now := r.Now()
	was := r.unsteady[account]
	if was.digest != digest {
		if now.Sub(was.since) >= r.Settle {
			was.first = now
		}
		was.digest, was.since = digest, now
		r.unsteady[account] = was
	}
	return min(was.since.Add(r.Settle).Sub(now), was.first.Add(10*r.Settle).Sub(now))
}

// requesters are who asked for what waits: none of them decides.
func (r *QuarantineReconciler) requesters(ctx context.Context, namespace string, held []v1alpha1.ApprovalSubject) ([]string, error) {
	var users []string
	for _, s := range held {
		if s.Kind != "Offboarding" {
			continue
		}
		ob := &v1alpha1.Offboarding{}
		if err := r.Get(ctx, client.ObjectKey{Namespace: namespace, Name: s.Name}, ob); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading the Offboarding: %w", err)
		}
		users = append(users, ob.Spec.RequestedBy.Users...)
	}
	return users, nil
}

// summaryOfHeld says what happens if it is approved.
func summaryOfHeld(account string, held []v1alpha1.ApprovalSubject) string {
	frozen := 0
	for _, s := range held {
		if s.Action == actionFreeze {
			frozen++
		}
	}
	return fmt.Sprintf("more people would lose access to %s than its removalLimits allow. If this is approved, %d leave and %d are frozen; if it is rejected, their accounts stay as they are",
		account, len(held)-frozen, frozen)
}

// report fills in what the status says of the limits.
func (account *limited) report(q Quarantine, approval string) {
	if *account.removals == (v1alpha1.Removals{}) && q.Admitted == 0 && len(q.Held) == 0 {
		return // nobody has ever lost access: there is nothing to say (P13)
	}
	limit, admitted, held := int32(q.Limit), int32(q.Admitted), int32(len(q.Held))
	*account.removals = v1alpha1.Removals{Limit: &limit, Admitted: &admitted, Held: &held, ApprovalName: approval}
	set := func(status metav1.ConditionStatus, reason, message string) {
		kube.Set(account.conditions, account.GetGeneration(), v1alpha1.ConditionWithinLimits, status, reason, kube.Coded(reason, message))
	}
	switch {
	case held == 0:
		set(metav1.ConditionTrue, v1alpha1.ReasonInSync, "nobody waits for access to be taken away")
	case approval == "":
		set(metav1.ConditionFalse, v1alpha1.ReasonRemovalLimit, "more people would lose access than removalLimits allow: nobody else does until somebody has decided about those who wait")
	default:
		set(metav1.ConditionFalse, v1alpha1.ReasonRemovalLimit, fmt.Sprintf("more people would lose access than removalLimits allow: nobody else does until somebody has decided about those who wait: "+
			"kubectl rollcall approve (or reject) %s -n %s", approval, account.GetNamespace()))
	}
}

// announce sends an event when the limits begin to hold people up, and when they no longer do.
func (r *QuarantineReconciler) announce(account limited, was bool) {
	switch is := meta.IsStatusConditionFalse(*account.conditions, v1alpha1.ConditionWithinLimits); {
	case is && !was:
		r.Recorder.Eventf(account.Object, nil, corev1.EventTypeWarning, v1alpha1.ReasonRemovalLimit, "Hold",
			"more people would lose access than removalLimits allow (%d): nobody else does until somebody has decided about those who wait", *account.removals.Limit)
	case was && !is:
		r.Recorder.Eventf(account.Object, nil, corev1.EventTypeNormal, v1alpha1.ReasonInSync, "Release", "nobody waits for access to be taken away any more")
	}
}
