package controllers

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/tenant"
)

// EmployeeReconciler makes people's accounts equal to what is declared. It never
// waits for a platform: plans are carried out by the tenants' lanes, whose ends
// bring it back.
type EmployeeReconciler struct {
	client.Client
	// Live reads Secrets past the cache: their contents are never kept.
	Live     client.Reader
	Recorder events.EventRecorder
	Tenants  *tenant.Registry
	Systems  *Systems
	Hub      *Hub
	Numbers  *Numbers
	Leavings *Leavings
	// Platforms by Descriptor.Platform.
	Platforms map[string]directory.Descriptor
	Metrics   Metrics
	Limiter   *Limiter
	// Storages and Archives are for who goes with the namespace.
	Storages *Storages
	Archives *jobs.Runner[backupProgress, backupOutcome]
	Now      func() time.Time
	// Tool is what writes the archives, with its version.
	Tool string

	writes kube.Writes
	turns  *semaphore.Weighted
}

// writers is how many people's objects are written at once. More together keep the API server no busier, but make whoever loses
// access amid an import wait behind each of them (P2).
const writers = 2

// inTurn writes somebody's object when not too many others are written. Nobody waits who loses access.
func (r *EmployeeReconciler) inTurn(ctx context.Context, e *v1alpha1.Employee, write func() error) error {
	if !loses(e) {
		if err := r.turns.Acquire(ctx, 1); err != nil {
			return err
		}
		defer r.turns.Release(1)
	}
	return write()
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=employees,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=offboardings,verbs=get;list;watch;create
// +kubebuilder:rbac:groups=rollcall.dev,resources=offboardingpolicies;approvals,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get
// +kubebuilder:rbac:groups=rollcall.dev,resources=employees/status,verbs=patch

// SetupWithManager registers the controller.
func (r *EmployeeReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.turns = semaphore.NewWeighted(writers)
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	follow := func(m handler.MapFunc) handler.EventHandler {
		return ranked(sweepPriority, handler.EnqueueRequestsFromMapFunc(m))
	}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Employee{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}))).
		Watches(&v1alpha1.Employee{}, ranked(freezingPriority, &handler.EnqueueRequestForObject{}), builder.WithPredicates(freezing)).
		Watches(&v1alpha1.Employee{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(linksStand)).
		Watches(&v1alpha1.Employee{}, follow(r.concerned), builder.WithPredicates(placed)).
		Watches(&v1alpha1.Department{}, follow(listedBy[v1alpha1.EmployeeList](r, indexDepartment)), builder.WithPredicates(placed)).
		Watches(&v1alpha1.EnterpriseAccount{}, follow(listedBy[v1alpha1.EmployeeList](r, indexAccount)), changed).
		Watches(&v1alpha1.EnterpriseAccount{}, handler.EnqueueRequestsFromMapFunc(r.retainedOn), builder.WithPredicates(retentions)).
		Watches(&v1alpha1.Offboarding{}, handler.EnqueueRequestsFromMapFunc(r.leavers)).
		Watches(&v1alpha1.OffboardingPolicy{}, follow(r.lackingPolicy), builder.WithPredicates(predicate.Or(appearing, predicate.GenerationChangedPredicate{}))).
		Watches(&v1alpha1.Approval{}, handler.EnqueueRequestsFromMapFunc(heldPeople)).
		Watches(&v1alpha1.EmployeeNumberRule{}, follow(listedBy[v1alpha1.EmployeeList](r, indexRule)), changed).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.EmployeeList](r, indexSecret))).
		WatchesRawSource(r.Hub.employees.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 16}).
		Complete(r)
}

// concerned are the people to whom a change of this one matters: who reports to
// them, and who claims the same number or user id.
func (r *EmployeeReconciler) concerned(ctx context.Context, o client.Object) []reconcile.Request {
	e, ok := o.(*v1alpha1.Employee)
	if !ok {
		return nil
	}
	seen := map[reconcile.Request]bool{{NamespacedName: client.ObjectKeyFromObject(e)}: true}
	var found []reconcile.Request
	add := func(index, value string) {
		for _, req := range requests[v1alpha1.EmployeeList](ctx, r, e.Namespace, index, value) {
			if !seen[req] {
				seen[req] = true
				found = append(found, req)
			}
		}
	}
	add(indexManager, e.Name)
	for _, n := range numberKeys(e) {
		add(indexNumber, n)
	}
	for _, c := range claimKeys(e) {
		add(indexClaim, c)
	}
	return found
}

// leavers are who an Offboarding is about, and who has the number since.
func (r *EmployeeReconciler) leavers(ctx context.Context, o client.Object) []reconcile.Request {
	ob, ok := o.(*v1alpha1.Offboarding)
	if !ok || ob.Spec.Mode == v1alpha1.OffboardingRehearse {
		return nil
	}
	who := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: ob.Namespace, Name: ob.Spec.EmployeeRef.Name}}
	found := requests[v1alpha1.EmployeeList](ctx, r, ob.Namespace, indexNumber, fold(ob.Spec.Number))
	if slices.Contains(found, who) {
		return found
	}
	return append(found, who)
}

// lackingPolicy are the people whom no policy applied to when they left.
func (r *EmployeeReconciler) lackingPolicy(ctx context.Context, o client.Object) []reconcile.Request {
	var all v1alpha1.EmployeeList
	if r.List(ctx, &all, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy) != nil {
		return nil
	}
	var found []reconcile.Request
	for i := range all.Items {
		if all.Items[i].Spec.State == v1alpha1.EmployeeDeparted {
			found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return found
}

// heldPeople are the Employees whose freeze an Approval is about.
func heldPeople(_ context.Context, o client.Object) []reconcile.Request {
	a, ok := o.(*v1alpha1.Approval)
	if !ok {
		return nil
	}
	var found []reconcile.Request
	for _, subject := range a.Spec.Subjects {
		if subject.Kind == "Employee" {
			found = append(found, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: a.Namespace, Name: subject.Name}})
		}
	}
	return found
}

// Reconcile makes one person's accounts equal to the declaration.
func (r *EmployeeReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	e := &v1alpha1.Employee{}
	if err := r.Get(ctx, req.NamespacedName, e); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.writes.Ahead(e) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	if !e.DeletionTimestamp.IsZero() {
		return r.delete(ctx, e)
	}
	if err := r.inTurn(ctx, e, func() error { return kube.AddFinalizer(ctx, r.Client, e, v1alpha1.Finalizer) }); err != nil {
		return done(0, err)
	}
	before := e.DeepCopy()
	s := &employeeScope{employee: e, lane: employeeLaneOf(e)}
	for _, step := range []func(context.Context, *employeeScope) error{r.number, r.leavings, r.contact, r.places, r.accounts} {
		if err := step(ctx, s); err != nil {
			return done(0, err)
		}
	}
	s.summarize()
	if err := r.begin(ctx, s); err != nil {
		return done(0, err)
	}
	err := r.inTurn(ctx, e, func() error {
		_, err := kube.PatchStatus(ctx, r.Client, before, e)
		return err
	})
	if err != nil {
		return done(0, err)
	}
	r.writes.Note(e)
	r.announce(before, s)
	again := r.act(ctx, s)
	return done(again, r.create(ctx, s))
}

// employeeScope is what one reconcile knows.
type employeeScope struct {
	employee *v1alpha1.Employee
	lane     string
	// problem concerns the person on every account.
	problem *Problem
	// unique says who else claims the number or a user id.
	unique *Problem
	// version identifies the declaration, the contact Secret included.
	version     string
	mobile      string
	email       string
	departments map[string]*v1alpha1.Department
	manager     *v1alpha1.Employee
	accounts    []*employeeAccount
	// off are the accounts that the spec no longer lists.
	off []*employeeAccount
	// leavings are the person's, what is not over first, then the newest.
	leavings []v1alpha1.Offboarding
	// policy applies if somebody leaves something; noPolicy says that none does.
	policy   *v1alpha1.OffboardingPolicy
	noPolicy *Problem
	// ending: the person goes with the namespace.
	ending bool
	// begun are the Offboardings to be made.
	begun []*v1alpha1.Offboarding
}

// employeeAccount is the person on one account.
type employeeAccount struct {
	status  v1alpha1.EmployeeAccountStatus
	key     client.ObjectKey
	tenant  *tenant.Tenant
	wish    plan.Wish
	plan    plan.Plan
	outcome *execute.Outcome
	problem *Problem
	observe bool
	planned bool
	// version is the scope's, and whether the manager is known.
	version string
	// late is what is still waited for when everything else is done.
	late *Problem
	// leaving is that of the account: the one that is not over, else the newest.
	leaving *v1alpha1.Offboarding
	// leaves: the account is left from now on. held: the person may not lose access yet.
	leaves, held bool
}

// act hands plans to the lanes, after the record is durable, and says when to look again.
func (r *EmployeeReconciler) act(ctx context.Context, s *employeeScope) time.Duration {
	var again time.Duration
	for _, a := range s.accounts {
		if a.tenant == nil {
			continue
		}
		if a.outcome != nil {
			for _, kind := range a.outcome.Done {
				r.Metrics.Changed(a.key, kind)
			}
			a.tenant.Lane.Acknowledge(s.lane, a.outcome)
		}
		switch {
		case !a.planned || len(a.plan.Actions) == 0 || (a.observe && writes(accountKinds(a.plan.Actions))):
			a.tenant.Lane.Withdraw(s.lane)
			if a.held || a.problem != nil && a.problem.Reason == v1alpha1.ReasonAdoptionReview {
				again = sooner(again, reviewAgain) // a namesake has no claim that a listing could wake, nor has the window of a limit
			}
		default:
			again = sooner(again, r.offer(ctx, s, a))
		}
	}
	for _, a := range s.off {
		if a.tenant == nil {
			continue
		}
		if a.outcome != nil {
			a.tenant.Lane.Acknowledge(s.lane, a.outcome)
		}
		a.tenant.Lane.Withdraw(s.lane)
	}
	return again
}

// reviewAgain is how often an account under adoption review is compared anew. It costs no call.
const reviewAgain = time.Minute

func (r *EmployeeReconciler) offer(ctx context.Context, s *employeeScope, a *employeeAccount) time.Duration {
	t, p, version := a.tenant, a.plan, a.version
	by := onBehalf(t, s.employee, "Employee", s.employee.Spec.StateReason)
	priority := employeePriority
	switch {
	case p.Actions[0].Kind == plan.Freeze:
		priority = freezePriority
	case r.awaited(ctx, s):
		priority = managerPriority
	}
	status := t.Lane.Offer(s.lane, execute.Task{
		Digest: p.Digest(), Priority: priority,
		Run: func(ctx context.Context) execute.Outcome {
			o := execute.Account(ctx, t.Directory, t.Mirror, p, by)
			o.Version = version
			return o
		},
	})
	return status.RetryIn
}

// awaited reports whether somebody waits for this person to be there.
func (r *EmployeeReconciler) awaited(ctx context.Context, s *employeeScope) bool {
	if len(requests[v1alpha1.EmployeeList](ctx, r, s.employee.Namespace, indexManager, s.employee.Name)) > 0 {
		return true
	}
	for _, d := range s.departments {
		for _, m := range d.Spec.Managers {
			if m.Name == s.employee.Name {
				return true
			}
		}
	}
	return false
}
