package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/tenant"
)

// PermissionBindingReconciler keeps who holds a role equal to what is declared. It never
// calls a platform: roles are read and changed by the tenants' lanes, whose ends bring it back.
type PermissionBindingReconciler struct {
	client.Client
	// Live reads Namespaces: there is no right to watch them.
	Live      client.Reader
	Recorder  events.EventRecorder
	Tenants   *tenant.Registry
	Hub       *Hub
	Approvals *Approvals
	Metrics   BindingMetrics
	Now       func() time.Time

	roles roleMemory
	// turns are mutexes by the account's UID and the role.
	turns    sync.Map
	activity activityMemory
	writes   kube.Writes
}

// BindingMetrics is what is told of PermissionBindings.
type BindingMetrics interface {
	// Reviewed says whether a review escalated that nobody has answered.
	Reviewed(binding types.NamespacedName, overdue bool)
	// ForgetBinding: it is gone, or not reviewed.
	ForgetBinding(binding types.NamespacedName)
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=permissionbindings,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=permissionbindings/status,verbs=patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=employees;departments;offboardings;enterpriseaccounts,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollcall.dev,resources=approvals,verbs=get;list;watch;create
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager registers the controller.
func (r *PermissionBindingReconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.PermissionBinding{}, changed).
		Watches(&v1alpha1.PermissionBinding{}, handler.EnqueueRequestsFromMapFunc(r.related), builder.WithPredicates(inForceChanged)).
		Watches(&v1alpha1.Employee{}, handler.EnqueueRequestsFromMapFunc(r.ofEmployee), builder.WithPredicates(predicate.Or(placed, decided, predicate.LabelChangedPredicate{}))).
		Watches(&v1alpha1.Department{}, handler.EnqueueRequestsFromMapFunc(r.ofDepartment), builder.WithPredicates(placed)).
		Watches(&v1alpha1.Offboarding{}, handler.EnqueueRequestsFromMapFunc(r.ofOffboarding), builder.WithPredicates(beginning)).
		Watches(&v1alpha1.EnterpriseAccount{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.PermissionBindingList](r, indexAccount)), changed).
		WatchesRawSource(r.Hub.bindings.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// Reconcile makes who holds the role equal to the declaration.
func (r *PermissionBindingReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	b := &v1alpha1.PermissionBinding{}
	if err := r.Get(ctx, req.NamespacedName, b); err != nil {
		if apierrors.IsNotFound(err) {
			r.Metrics.ForgetBinding(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.writes.Ahead(b) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	if b.DeletionTimestamp.IsZero() {
		if err := kube.AddFinalizer(ctx, r.Client, b, v1alpha1.Finalizer); err != nil {
			return done(0, err)
		}
	}
	before := b.DeepCopy()
	s := &bindingScope{binding: b, now: r.Now(), lane: bindingKey + b.Name}
	for _, step := range []func(context.Context, *bindingScope) error{r.find, r.declare, r.separate, r.approve, r.decide, r.remember, r.review, r.notices} {
		if err := step(ctx, s); err != nil {
			return done(0, err)
		}
	}
	if !b.DeletionTimestamp.IsZero() && s.over() {
		return done(0, r.letGo(ctx, s))
	}
	s.report()
	if _, err := kube.PatchStatus(ctx, r.Client, before, b); err != nil {
		return done(0, client.IgnoreNotFound(err))
	}
	r.writes.Note(b)
	r.announce(before, s)
	r.measure(b)
	return done(r.act(s), nil)
}

// bindingScope is what one reconcile knows.
type bindingScope struct {
	binding *v1alpha1.PermissionBinding
	now     time.Time
	lane    string
	// state is how the binding stands by the clock and by its reviews; it changes at until,
	// if that is not zero.
	state v1alpha1.BindingState
	until time.Time
	// account and tenant are nil while there is none that can be asked.
	account *v1alpha1.EnterpriseAccount
	tenant  *tenant.Tenant
	outcome *execute.Outcome
	// retained: the platform is left as it is, for this reason.
	retained string
	// people are those who are declared and can hold the role, by the mirror's key of their
	// user ids; nobody when the binding is not in force.
	people map[string]holder
	// scope are the ids of the departments that the role reaches.
	scope []string
	// floor of holders, and keep, whom other bindings of the role protect.
	floor int
	keep  []string
	// blocked are keys of those who keep the role if they hold it, and do not get it anew.
	blocked map[string]bool
	// allowed are keys of those who got the role from this binding, and were allowed it by somebody; only
	// where its risk is high.
	allowed map[string]bool
	// reviewedOut are those who are declared and can hold it, and whom a review took out.
	reviewedOut []holder
	// role is what was last read, nil if nothing was; fresh, since the last listing.
	role  *roleSeen
	fresh bool
	// sure: nothing was changed, or may have been, since role was read.
	sure bool
	plan plan.RolePlan
	// task is what is to be done next.
	task *execute.Task
	// waits are why it is not as declared, or waits, in the order in which they were found.
	waits []*Problem
	// again is when to look again.
	again time.Duration
	// notice is told, after it is recorded.
	notice *bindingNotice
	// sent is what became of the last notice.
	sent *execute.Outcome
	// tell are events of this reconcile.
	tell []bindingEvent
}

// holder is somebody who is declared and can hold the role.
type holder struct {
	id       string
	employee *v1alpha1.Employee
}

func (s *bindingScope) wait(p *Problem) {
	if p != nil {
		s.waits = append(s.waits, p)
	}
}

// problem is what a person should read first.
func (s *bindingScope) problem() *Problem {
	for _, p := range s.waits {
		if p.Stalled {
			return p
		}
	}
	if len(s.waits) > 0 {
		return s.waits[0]
	}
	return nil
}

// inForce reports whether the binding grants anything now.
func (s *bindingScope) inForce() bool {
	return s.state == v1alpha1.BindingActive && s.binding.DeletionTimestamp.IsZero()
}

// stateOf is how a binding stands by the clock and by its reviews, and when that changes.
func stateOf(b *v1alpha1.PermissionBinding, now time.Time) (state v1alpha1.BindingState, until time.Time) {
	switch from, to := b.Spec.NotBefore, b.Spec.ExpiresAt; {
	case b.Status.State == v1alpha1.BindingRevoked:
		return v1alpha1.BindingRevoked, time.Time{}
	case to != nil && !now.Before(to.Time):
		return v1alpha1.BindingExpired, time.Time{}
	case from != nil && now.Before(from.Time):
		return v1alpha1.BindingWaiting, from.Time
	case to != nil:
		return v1alpha1.BindingActive, to.Time
	}
	return v1alpha1.BindingActive, time.Time{}
}

// find reads the account and its tenant, and what its lane has done.
func (r *PermissionBindingReconciler) find(ctx context.Context, s *bindingScope) error {
	b := s.binding
	s.state, s.until = stateOf(b, s.now)
	account, missing, err := enterpriseAccount(ctx, r, b.Namespace, b.Spec.AccountRef.Name)
	if err != nil {
		return err
	}
	if !b.DeletionTimestamp.IsZero() {
		s.retained = retention(b, account)
	}
	if missing != nil {
		s.wait(problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("there is no EnterpriseAccount %q in this namespace: create it, or make another binding", b.Spec.AccountRef.Name)))
		return nil //nolint:nilerr // a problem is a finding, not an error
	}
	s.account = account
	t := r.Tenants.Get(client.ObjectKeyFromObject(account).String())
	if t == nil || !t.Mirror.State().Listed || !account.DeletionTimestamp.IsZero() {
		before := problemOfReady(b.Status.Conditions)
		// What was seen when it stood differently says nothing of whether it is as declared now (P9).
		known := b.Status.State != "" && (b.Status.State == s.state || before != nil) && observed(b.Status.ObservedGeneration, b.Generation)
		s.wait(notListed(account, before, known))
		return nil
	}
	s.tenant = t
	// In this order: what runs no more has told what it read, and what waited does not begin.
	idle := t.Lane.Settle(s.lane)
	s.outcome, _ = t.Lane.Outcome(s.lane)
	s.role, s.fresh = r.roles.get(b, t)
	s.sure = idle && s.role != nil && !s.role.doubtful
	return nil
}

// retention says why a binding that is being deleted leaves the platform as it is; empty if it does
// not. The account is nil if it is gone.
func retention(b *v1alpha1.PermissionBinding, account *v1alpha1.EnterpriseAccount) string {
	switch {
	case b.Spec.DeletionPolicy == v1alpha1.BindingDeletionRetain:
		return "deletionPolicy is Retain"
	case account == nil:
		return "its EnterpriseAccount is gone"
	case !account.DeletionTimestamp.IsZero():
		return "its EnterpriseAccount is being deleted"
	case account.Spec.Mode == v1alpha1.ModeObserve:
		return "its EnterpriseAccount is in mode Observe"
	}
	return ""
}

// act hands the task to the lane, after the record is durable, and says when to look again.
func (r *PermissionBindingReconciler) act(s *bindingScope) time.Duration {
	again := s.again
	if !s.until.IsZero() {
		again = sooner(again, s.until.Sub(s.now))
	}
	if s.tenant == nil {
		return again
	}
	if s.outcome != nil {
		s.tenant.Lane.Acknowledge(s.lane, s.outcome)
	}
	if s.sent != nil {
		s.tenant.Lane.Acknowledge(s.noticeLane(), s.sent)
	}
	if s.notice != nil {
		r.send(s)
	}
	if s.task == nil {
		s.tenant.Lane.Settle(s.lane)
		return again
	}
	return sooner(again, s.tenant.Lane.Offer(s.lane, *s.task).RetryIn)
}

// over reports whether a binding that is being deleted has nothing left to do on the platform,
// or is to leave it as it is (P10).
func (s *bindingScope) over() bool {
	if s.retained != "" || len(s.binding.Status.GrantedUserIDs) == 0 {
		return s.tenant == nil || s.tenant.Lane.Settle(s.lane)
	}
	return s.tenant != nil && s.fresh && s.sure && s.task == nil
}

// letGo ends the object.
func (r *PermissionBindingReconciler) letGo(ctx context.Context, s *bindingScope) error {
	b := s.binding
	if left := len(b.Status.GrantedUserIDs); s.retained != "" && left > 0 {
		r.Recorder.Eventf(b, nil, corev1.EventTypeWarning, v1alpha1.ReasonRetained, "Delete", "left the role with %d accounts on the platform: %s", left, s.retained)
	} else if s.plan.Hold != nil {
		r.Recorder.Eventf(b, nil, corev1.EventTypeWarning, v1alpha1.ReasonProtectedHolders, "Delete", "%s", s.plan.Hold.Message)
	}
	if s.tenant != nil {
		s.tenant.Lane.Forget(s.lane)
		s.tenant.Lane.Forget(s.noticeLane())
		s.tenant.Lane.Forget(s.activityLane())
	}
	r.roles.forget(b)
	r.activity.forget(b.UID)
	for _, name := range []string{b.Status.ApprovalName, b.Status.ReviewName} {
		if err := r.withdraw(ctx, b, name); err != nil {
			return err
		}
	}
	return kube.RemoveFinalizer(ctx, r.Client, b, v1alpha1.Finalizer)
}
