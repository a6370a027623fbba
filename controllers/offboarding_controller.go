package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/tenant"
)

// OffboardingReconciler lets people leave: it asks internal/leaving what comes next on
// each account, records that, and has the tenant's lane do it. What was recorded is
// begun again after a crash.
type OffboardingReconciler struct {
	client.Client
	// Live reads Namespaces: there is no right to watch them.
	Live      client.Reader
	Recorder  events.EventRecorder
	Tenants   *tenant.Registry
	Systems   *Systems
	Hub       *Hub
	Limiter   *Limiter
	Approvals *Approvals
	Metrics   Metrics
	Now       func() time.Time

	writes kube.Writes
	mu     sync.Mutex
	// known is by "<namespace>/<name>/<account>", partings by "<namespace>/<name>/<system>".
	known    map[string]*found
	partings map[string]*partingFound
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=offboardings,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=offboardings/status,verbs=patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=approvals;linkedsystems,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollcall.dev,resources=backups,verbs=get;list;watch;create
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get

// SetupWithManager registers the controller.
func (r *OffboardingReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.known = map[string]*found{}
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Offboarding{}, changed).
		Watches(&v1alpha1.Employee{}, handler.EnqueueRequestsFromMapFunc(r.ofPerson), builder.WithPredicates(predicate.Or(placed, linkMoved))).
		Watches(&v1alpha1.Backup{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.OffboardingList](r, indexBackup))).
		Watches(&v1alpha1.Approval{}, handler.EnqueueRequestsFromMapFunc(asked)).
		Watches(&v1alpha1.EnterpriseAccount{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.OffboardingList](r, indexAccount)), changed).
		Watches(&v1alpha1.LinkedSystem{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.OffboardingList](r, indexSystem)), changed).
		WatchesRawSource(r.Hub.offboardings.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(r)
}

// ofPerson are the leavings of who has this number, which declaring them again cancels, and those of the accounts that they
// hold or claim: while somebody else holds one, nothing is done to it.
func (r *OffboardingReconciler) ofPerson(ctx context.Context, o client.Object) (found []reconcile.Request) {
	e, ok := o.(*v1alpha1.Employee)
	if !ok {
		return nil
	}
	for _, number := range numberKeys(e) {
		found = append(found, requests[v1alpha1.OffboardingList](ctx, r, e.Namespace, indexNumber, number)...)
	}
	for _, claim := range claimKeys(e) {
		found = append(found, requests[v1alpha1.OffboardingList](ctx, r, e.Namespace, indexClaim, claim)...)
	}
	for _, link := range linkKeys(e) {
		found = append(found, requests[v1alpha1.OffboardingList](ctx, r, e.Namespace, indexLink, link)...)
	}
	return found
}

// asked are the leavings that an Approval is about.
func asked(_ context.Context, o client.Object) []reconcile.Request {
	a, ok := o.(*v1alpha1.Approval)
	if !ok {
		return nil
	}
	var all []reconcile.Request
	for _, s := range a.Spec.Subjects {
		if s.Kind == "Offboarding" {
			all = append(all, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: a.Namespace, Name: s.Name}})
		}
	}
	return all
}

// Reconcile brings one leaving a step further.
func (r *OffboardingReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	ob := &v1alpha1.Offboarding{}
	if err := r.Get(ctx, req.NamespacedName, ob); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.String())
			r.Metrics.Overdue(req.NamespacedName, nil)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	switch {
	case r.writes.Ahead(ob):
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	case ob.Spec.Mode == v1alpha1.OffboardingRehearse:
		return done(0, r.rehearse(ctx, ob))
	case isOver(ob):
		return done(0, r.rest(ctx, ob))
	case ob.DeletionTimestamp.IsZero():
		if err := kube.AddFinalizer(ctx, r.Client, ob, v1alpha1.Finalizer); err != nil {
			return done(0, err)
		}
	}
	before := ob.DeepCopy()
	s := &offboardingScope{ob: ob, now: r.Now(), lane: offboardingKey + ob.Name}
	for _, step := range []func(context.Context, *offboardingScope) error{r.observe, r.cancelled, r.fold, r.ask, r.proceed, r.unlink, r.end} {
		if err := step(ctx, s); err != nil {
			return done(0, err)
		}
	}
	if s.gone {
		return done(0, r.letGo(ctx, ob))
	}
	s.report()
	if _, err := kube.PatchStatus(ctx, r.Client, before, ob); err != nil {
		return done(0, client.IgnoreNotFound(err))
	}
	r.writes.Note(ob)
	r.announce(before, s)
	r.Metrics.Overdue(req.NamespacedName, s.overdue())
	return done(r.act(ctx, s))
}

// rest keeps the status of an object that is over about its newest generation, and lets it go.
func (r *OffboardingReconciler) rest(ctx context.Context, ob *v1alpha1.Offboarding) error {
	if before := ob.DeepCopy(); !observed(ob.Status.ObservedGeneration, ob.Generation) {
		ob.Status.ObservedGeneration = &ob.Generation
		for i := range ob.Status.Conditions {
			ob.Status.Conditions[i].ObservedGeneration = ob.Generation
		}
		if _, err := kube.PatchStatus(ctx, r.Client, before, ob); err != nil {
			return client.IgnoreNotFound(err)
		}
		r.writes.Note(ob)
	}
	return r.letGo(ctx, ob)
}

// offboardingScope is what one reconcile knows.
type offboardingScope struct {
	ob       *v1alpha1.Offboarding
	now      time.Time
	lane     string
	accounts []*departure
	partings []*parting
	// held is why nothing may begin. rejected is who said no.
	held     *Problem
	rejected string
	// leavingNamespace: nothing is made in the namespace any more, and nobody is deleted.
	leavingNamespace bool
	// gone: the object is let go as it is.
	gone bool
	// problem is the one to read first.
	problem *Problem
}

// departure is the leaving on one account.
type departure struct {
	scope   *offboardingScope
	spec    *v1alpha1.OffboardingAccount
	status  *v1alpha1.OffboardingAccountStatus
	key     client.ObjectKey
	account *v1alpha1.EnterpriseAccount
	// tenant is nil while the platform is not called, or was not read yet.
	tenant *tenant.Tenant
	known  *found
	backup *v1alpha1.Backup
	// bound are names of PermissionBindings, by the role that they are about.
	bound map[string]string
	// again: the person is declared with this account again. busy: what is under way has to end first.
	again, busy bool
	claimant    string
	// rehired: an Employee holds the account now.
	rehired bool

	// asked is the Approval that the deletion of this account waits for.
	asked    string
	outcome  *execute.Outcome
	problem  *Problem
	over     bool
	notice   *v1alpha1.Notice
	offered  *execute.Task
	make     *v1alpha1.Backup
	underway bool
	wait     time.Duration
}

// found is what is known of an account in memory only: after a restart it is asked for again.
type found struct {
	inheritance *directory.Inheritance
	// looked is when residuals were looked for.
	looked    time.Time
	residuals []string
	// freezeLimit is why the platform did not freeze this account.
	freezeLimit string
	// began is the notice whose first attempt was made since the manager started.
	began v1alpha1.NoticeTo
}

func (r *OffboardingReconciler) recall(ob *v1alpha1.Offboarding, account string) *found {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]*found{}
	}
	key := client.ObjectKeyFromObject(ob).String() + "/" + account
	if r.known[key] == nil {
		r.known[key] = &found{}
	}
	return r.known[key]
}

func (r *OffboardingReconciler) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.known {
		if len(key) > len(name) && key[:len(name)+1] == name+"/" {
			delete(r.known, key)
		}
	}
	for key := range r.partings {
		if strings.HasPrefix(key, name+"/") {
			delete(r.partings, key)
		}
	}
}

// letGo ends the duty of an object: nothing is done for it any more.
func (r *OffboardingReconciler) letGo(ctx context.Context, ob *v1alpha1.Offboarding) error {
	r.forget(client.ObjectKeyFromObject(ob).String())
	if !controllerutil.ContainsFinalizer(ob, v1alpha1.Finalizer) {
		return nil
	}
	if err := r.Approvals.Withdraw(ctx, ob.Namespace, ob.UID); err != nil {
		return err
	}
	for _, a := range ob.Spec.Accounts {
		if t := r.Tenants.Get(ob.Namespace + "/" + a.Name); t != nil {
			t.Lane.Forget(offboardingKey + ob.Name)
		}
	}
	for _, a := range ob.Spec.LinkedAccounts {
		if run := r.Systems.Get(ob.Namespace + "/" + a.Name); run != nil {
			run.Lane.Forget(offboardingKey + ob.Name)
		}
	}
	if err := kube.RemoveFinalizer(ctx, r.Client, ob, v1alpha1.Finalizer); err != nil {
		return fmt.Errorf("letting the Offboarding go: %w", err)
	}
	return nil
}

// leavePriority is above ordinary work: leaving outranks all other (P2).
const leavePriority = 90

// act has done what was recorded, and says when to look again.
func (r *OffboardingReconciler) act(ctx context.Context, s *offboardingScope) (again time.Duration, err error) {
	for _, a := range s.accounts {
		if a.tenant != nil {
			if a.outcome != nil {
				for _, kind := range a.outcome.Done {
					r.Metrics.Changed(a.key, kind)
				}
				a.tenant.Lane.Acknowledge(s.lane, a.outcome)
			}
			switch {
			case a.offered != nil:
				again = sooner(again, a.tenant.Lane.Offer(s.lane, *a.offered).RetryIn)
			case !a.underway && !a.busy:
				a.tenant.Lane.Withdraw(s.lane)
			}
		}
		if a.make != nil {
			if err := r.Create(ctx, a.make); err != nil && !apierrors.IsAlreadyExists(err) {
				return 0, fmt.Errorf("making the Backup: %w", err)
			}
			again = sooner(again, staleRetry) // it may have been there before its name was known here
		}
		again = sooner(again, a.wait)
		if due := s.due(a); due > 0 {
			again = sooner(again, due)
		}
	}
	for _, p := range s.partings {
		again = sooner(again, r.actOn(p))
	}
	switch {
	case isOver(s.ob):
		return 0, r.letGo(ctx, s.ob)
	case s.leavingNamespace:
		again = sooner(again, goneSoon)
	}
	return again, nil
}

// endWithin bounds how long a namespace that is being deleted waits for access to be taken away.
const endWithin = 2 * time.Minute

// end says what becomes of an object that is deleted by hand. One that has done nothing,
// or whose accounts nobody can call, is let go; any other goes on to its end.
func (r *OffboardingReconciler) end(_ context.Context, s *offboardingScope) error {
	if s.ob.DeletionTimestamp.IsZero() || s.underway() {
		return nil
	}
	late := s.leavingNamespace && s.now.Sub(s.ob.DeletionTimestamp.Time) > endWithin
	s.gone = late || s.ob.Status.StartTime == nil || s.linksStopped() && s.accountsStopped()
	return nil
}

// underway reports whether something runs that has to end first.
func (s *offboardingScope) underway() bool {
	return slices.ContainsFunc(s.accounts, func(a *departure) bool {
		return a.busy || a.underway && a.tenant != nil && !a.tenant.Lane.Settle(s.lane)
	}) || slices.ContainsFunc(s.partings, func(p *parting) bool {
		return p.busy || p.underway && p.runner != nil && !p.runner.Lane.Settle(s.lane)
	})
}

// accountsStopped reports whether nothing more comes of any account.
func (s *offboardingScope) accountsStopped() bool {
	return !slices.ContainsFunc(s.accounts, func(a *departure) bool {
		stopped := a.account == nil || a.account.Spec.Mode == v1alpha1.ModeSuspended
		if s.leavingNamespace {
			stopped = stopped || a.progress().Over(leaving.Freeze)
		} else {
			stopped = stopped || !a.account.DeletionTimestamp.IsZero()
		}
		return !a.over && !stopped
	})
}
