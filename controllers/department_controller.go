package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/tenant"
)

// DepartmentReconciler makes departments on the platforms equal to what is declared.
type DepartmentReconciler struct {
	client.Client
	Recorder events.EventRecorder
	Tenants  *tenant.Registry
	Hub      *Hub

	writes kube.Writes
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=departments,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=departments/status,verbs=patch

// SetupWithManager registers the controller.
func (r *DepartmentReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Department{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Department{}, handler.EnqueueRequestsFromMapFunc(r.descendants), builder.WithPredicates(moved)).
		Watches(&v1alpha1.Department{}, handler.EnqueueRequestsFromMapFunc(r.relatives), builder.WithPredicates(placed)).
		Watches(&v1alpha1.Employee{}, handler.EnqueueRequestsFromMapFunc(r.ofEmployee), builder.WithPredicates(settled)).
		Watches(&v1alpha1.EnterpriseAccount{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.DepartmentList](r, indexAccount)), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.Hub.departments.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// placed passes what others wait for: that an object appears, changes its spec,
// gets its ids on the platforms, or goes.
var placed = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || places(e.ObjectOld) != places(e.ObjectNew)
	},
}

// places is equal while an object's standing on the platforms is.
func places(o client.Object) string {
	var s string
	switch o := o.(type) {
	case *v1alpha1.Department:
		for _, a := range o.Status.Accounts {
			// The reason, because who is to be put into a department waits until it was seen there, too.
			s += a.Name + "=" + a.DepartmentID + string(a.Origin) + a.Reason + ";"
		}
	case *v1alpha1.Employee:
		s = o.Status.Number + ";"
		for _, a := range o.Status.Accounts {
			s += a.Name + "=" + a.UserID + string(a.Origin) + string(a.State) + ";"
		}
	}
	return s
}

// moved passes what opens or closes a circle.
var moved = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.Department)
		after, ok2 := e.ObjectNew.(*v1alpha1.Department)
		return ok1 && ok2 && before.Spec.ParentRef != after.Spec.ParentRef
	},
}

// descendants are the departments below, and below those: a circle concerns everybody in it.
func (r *DepartmentReconciler) descendants(ctx context.Context, o client.Object) []reconcile.Request {
	seen := map[string]bool{}
	var found []reconcile.Request
	for level := []string{o.GetName()}; len(level) > 0; {
		var next []string
		for _, name := range level {
			for _, req := range requests[v1alpha1.DepartmentList](ctx, r, o.GetNamespace(), indexDepartment, name) {
				if !seen[req.Name] {
					seen[req.Name] = true
					found, next = append(found, req), append(next, req.Name)
				}
			}
		}
		level = next
	}
	return found
}

// settled passes what managers are waited for: they have to be in the department on the platform, which shows only
// in that everything was written.
var settled = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.Employee)
		after, ok2 := e.ObjectNew.(*v1alpha1.Employee)
		return placed.Update(e) || ok1 && ok2 && settlement(before) != settlement(after)
	},
}

func settlement(e *v1alpha1.Employee) string {
	var s string
	for _, a := range e.Status.Accounts {
		s += a.Name + "=" + a.AppliedVersion + a.Reason + ";"
	}
	return s
}

// relatives are the departments below; above, because a parent that is being deleted waits for its
// children; and of the same name, because only one of them can have it under one parent.
func (r *DepartmentReconciler) relatives(ctx context.Context, o client.Object) []reconcile.Request {
	found := requests[v1alpha1.DepartmentList](ctx, r, o.GetNamespace(), indexDepartment, o.GetName())
	d, ok := o.(*v1alpha1.Department)
	if !ok {
		return found
	}
	if d.Spec.ParentRef.Name != "" {
		found = append(found, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: d.Namespace, Name: d.Spec.ParentRef.Name}})
	}
	return append(found, requests[v1alpha1.DepartmentList](ctx, r, d.Namespace, indexName, d.Spec.DisplayName)...)
}

// ofEmployee are the departments that the person manages, and those that are
// being deleted and wait for the person to leave them.
func (r *DepartmentReconciler) ofEmployee(ctx context.Context, o client.Object) []reconcile.Request {
	found := requests[v1alpha1.DepartmentList](ctx, r, o.GetNamespace(), indexManager, o.GetName())
	e, ok := o.(*v1alpha1.Employee)
	if !ok {
		return found
	}
	for _, name := range employeeDepartments(e) {
		d, key := &v1alpha1.Department{}, client.ObjectKey{Namespace: e.Namespace, Name: name}
		if r.Get(ctx, key, d) == nil && !d.DeletionTimestamp.IsZero() {
			found = append(found, reconcile.Request{NamespacedName: key})
		}
	}
	return found
}

// Reconcile makes one department equal to its declaration on all its accounts.
func (r *DepartmentReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	d := &v1alpha1.Department{}
	if err := r.Get(ctx, req.NamespacedName, d); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.writes.Ahead(d) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	if !d.DeletionTimestamp.IsZero() {
		return r.delete(ctx, d)
	}
	if err := kube.AddFinalizer(ctx, r.Client, d, v1alpha1.Finalizer); err != nil {
		return done(0, err)
	}
	before := d.DeepCopy()
	s := &departmentScope{department: d, lane: departmentKey + d.Name}
	if err := r.ancestry(ctx, s); err != nil {
		return done(0, err)
	}
	for i := range d.Spec.Accounts {
		a, err := r.place(ctx, s, &d.Spec.Accounts[i])
		if err != nil {
			return done(0, err)
		}
		s.accounts = append(s.accounts, a)
	}
	s.summarize()
	if _, err := kube.PatchStatus(ctx, r.Client, before, d); err != nil {
		return done(0, err)
	}
	r.writes.Note(d)
	r.announce(before, d)
	return done(s.act(), nil)
}

// departmentScope is what one reconcile knows.
type departmentScope struct {
	department *v1alpha1.Department
	lane       string
	// cycle names the departments that are each other's ancestors, if any.
	cycle    string
	parent   *v1alpha1.Department
	accounts []*departmentAccount
}

// departmentAccount is the department on one account.
type departmentAccount struct {
	status  v1alpha1.DepartmentAccountStatus
	tenant  *tenant.Tenant
	plan    plan.DepartmentPlan
	wish    plan.DepartmentWish
	outcome *execute.Outcome
	problem *Problem
	observe bool
}

// act hands plans to the lanes, after the record is durable, and says when to look again.
func (s *departmentScope) act() time.Duration {
	var again time.Duration
	for _, a := range s.accounts {
		if a.tenant == nil {
			continue
		}
		if a.outcome != nil {
			a.tenant.Lane.Acknowledge(s.lane, a.outcome)
		}
		if len(a.plan.Actions) == 0 || (a.observe && writes(departmentKinds(a.plan.Actions))) {
			a.tenant.Lane.Withdraw(s.lane)
			if a.problem != nil && (a.problem.Reason == v1alpha1.ReasonAdoptionReview || a.problem.Reason == v1alpha1.ReasonDataConflict) {
				again = sooner(again, reviewAgain) // a department found by its name has no claim that a listing could wake
			}
			continue
		}
		t, p, version := a.tenant, a.plan, a.wish.Version
		by := onBehalf(t, s.department, "Department", "")
		status := t.Lane.Offer(s.lane, execute.Task{
			Digest: p.Digest(), Priority: departmentPriority,
			Run: func(ctx context.Context) execute.Outcome {
				o := execute.Department(ctx, t.Directory, t.Mirror, p, by)
				o.Version = version
				return o
			},
		})
		again = sooner(again, status.RetryIn)
	}
	return again
}

// Priorities in a lane. Departments go before the people who wait for them,
// freezing before everything (P2).
const (
	employeePriority   = 0
	managerPriority    = 10
	departmentPriority = 50
	freezePriority     = 100
)

func sooner(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// delete holds the department while somebody is in it or below it (P10), and
// leaves it on the platforms as it is.
func (r *DepartmentReconciler) delete(ctx context.Context, d *v1alpha1.Department) (ctrl.Result, error) {
	people := requests[v1alpha1.EmployeeList](ctx, r, d.Namespace, indexDepartment, d.Name)
	below, err := r.below(ctx, d)
	if err != nil {
		return done(0, err)
	}
	if len(people)+below > 0 {
		before := d.DeepCopy()
		kube.Summarize(&d.Status.Conditions, d.Generation, kube.Summary{
			Stand: kube.Reconciling, Reason: v1alpha1.ReasonInUse,
			Message: fmt.Sprintf("%d people are in this department and %d departments below it; it goes when they are deleted or moved", len(people), below),
		})
		d.Status.ObservedGeneration = &d.Generation
		_, err := kube.PatchStatus(ctx, r.Client, before, d)
		return done(0, err)
	}
	for i := range d.Status.Accounts {
		if t := r.Tenants.Get(d.Namespace + "/" + d.Status.Accounts[i].Name); t != nil {
			t.Lane.Forget(departmentKey + d.Name)
		}
	}
	r.Recorder.Eventf(d, nil, corev1.EventTypeNormal, v1alpha1.ReasonRetained, "Delete", "left the department on the platforms as it is")
	return done(0, kube.RemoveFinalizer(ctx, r.Client, d, v1alpha1.Finalizer))
}

// below counts the departments that d has to wait for. Those of a circle that are
// all being deleted would wait for each other for ever.
func (r *DepartmentReconciler) below(ctx context.Context, d *v1alpha1.Department) (int, error) {
	var children v1alpha1.DepartmentList
	if err := r.List(ctx, &children, client.InNamespace(d.Namespace), client.MatchingFields{indexDepartment: d.Name}); err != nil {
		return 0, fmt.Errorf("listing the departments below: %w", err)
	}
	s := &departmentScope{department: d}
	if err := r.ancestry(ctx, s); err != nil {
		return 0, err
	}
	n := 0
	for i := range children.Items {
		if s.cycle == "" || children.Items[i].DeletionTimestamp.IsZero() {
			n++
		}
	}
	return n, nil
}
