package controllers

import (
	"context"
	"slices"
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
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/tenant"
)

// Systems are the linked systems that are managed now.
type Systems = tenant.Group[*tenant.Linked]

// LinkReconciler makes people's accounts in linked systems equal to what is declared. It writes linkedAccounts and
// linkedReady of an Employee's status, and nothing else. It never waits for a system: plans are carried out by the systems'
// lanes, whose ends bring it back.
type LinkReconciler struct {
	client.Client
	// Live reads Secrets past the cache: their contents are never kept.
	Live     client.Reader
	Recorder events.EventRecorder
	Systems  *Systems
	Hub      *Hub
	Leavings *Leavings
	Limiter  *Limiter
	Metrics  Metrics
	Now      func() time.Time

	writes     kube.Writes
	mappings   *mappings
	claims     linkClaims
	unlinkings unlinkings
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=employees,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollcall.dev,resources=employees/status,verbs=patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=linkedsystems;offboardings;offboardingpolicies;approvals;departments,verbs=get;list;watch

// SetupWithManager registers the controller.
func (r *LinkReconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	follow := func(m handler.MapFunc) handler.EventHandler {
		return ranked(sweepPriority, handler.EnqueueRequestsFromMapFunc(m))
	}
	return ctrl.NewControllerManagedBy(mgr).Named("link").
		For(&v1alpha1.Employee{}, builder.WithPredicates(ofLinks, predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}, getsNumber))).
		Watches(&v1alpha1.Employee{}, ranked(freezingPriority, &handler.EnqueueRequestForObject{}), builder.WithPredicates(ofLinks, freezing)).
		Watches(&v1alpha1.Employee{}, follow(r.concerned), builder.WithPredicates(linkMoved)).
		Watches(&v1alpha1.Department{}, follow(listedBy[v1alpha1.EmployeeList](r, indexDepartment)), changed).
		Watches(&v1alpha1.LinkedSystem{}, follow(listedBy[v1alpha1.EmployeeList](r, indexSystem)), changed).
		Watches(&v1alpha1.Offboarding{}, handler.EnqueueRequestsFromMapFunc(r.leavers)).
		Watches(&v1alpha1.OffboardingPolicy{}, follow(r.departed), builder.WithPredicates(predicate.Or(appearing, predicate.GenerationChangedPredicate{}))).
		Watches(&v1alpha1.Approval{}, handler.EnqueueRequestsFromMapFunc(heldPeople)).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.reached)).
		WatchesRawSource(r.Hub.links.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(r)
}

// ofLinks passes people who have to do with linked systems, or had.
var ofLinks = predicate.NewPredicateFuncs(func(o client.Object) bool {
	e, ok := o.(*v1alpha1.Employee)
	return ok && len(e.Spec.LinkedAccounts)+len(e.Status.LinkedAccounts) > 0
})

// getsNumber passes people who have just got their number.
var getsNumber = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, ok1 := e.ObjectOld.(*v1alpha1.Employee)
	now, ok2 := e.ObjectNew.(*v1alpha1.Employee)
	return ok1 && ok2 && before.Status.Number != now.Status.Number
}}

// linkMoved passes what others wait for: that somebody comes or goes, is declared anew, or has another account, or has one no more that is
// still declared.
var linkMoved = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, ok1 := e.ObjectOld.(*v1alpha1.Employee)
	now, ok2 := e.ObjectNew.(*v1alpha1.Employee)
	return ok1 && ok2 && (before.Generation != now.Generation || before.Status.Number != now.Status.Number || !slices.Equal(ownedLinks(before), ownedLinks(now)))
}}

// concerned are the people to whom a change of this one matters: who reports to them, and who claims the same account.
func (r *LinkReconciler) concerned(ctx context.Context, o client.Object) []reconcile.Request {
	e, ok := o.(*v1alpha1.Employee)
	if !ok {
		return nil
	}
	found := r.linkedOnly(ctx, indexManager, e.Namespace, e.Name)
	for _, key := range linkKeys(e) {
		for _, req := range requests[v1alpha1.EmployeeList](ctx, r, e.Namespace, indexLink, key) {
			if req.Name != e.Name {
				found = append(found, req)
			}
		}
		found = append(found, r.claims.wanting(e.Namespace, key)...)
	}
	for _, name := range r.claims.rivalsOf(e) {
		found = append(found, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: e.Namespace, Name: name}})
	}
	return found
}

// linkedOnly are the people of an index who have to do with linked systems.
func (r *LinkReconciler) linkedOnly(ctx context.Context, index, namespace, value string) (found []reconcile.Request) {
	var list v1alpha1.EmployeeList
	if r.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{index: value}, client.UnsafeDisableDeepCopy) != nil {
		return nil
	}
	for i := range list.Items {
		if e := &list.Items[i]; len(e.Spec.LinkedAccounts)+len(e.Status.LinkedAccounts) > 0 {
			found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e)})
		}
	}
	return found
}

// leavers are who an Offboarding is about, who has the number since, and who wants an account that it holds.
func (r *LinkReconciler) leavers(ctx context.Context, o client.Object) []reconcile.Request {
	ob, ok := o.(*v1alpha1.Offboarding)
	if !ok || len(ob.Spec.LinkedAccounts) == 0 || ob.Spec.Mode == v1alpha1.OffboardingRehearse {
		return nil
	}
	found := requests[v1alpha1.EmployeeList](ctx, r, ob.Namespace, indexNumber, fold(ob.Spec.Number))
	for _, key := range offboardingLinks(ob) {
		found = append(found, r.claims.wanting(ob.Namespace, key)...)
	}
	who := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: ob.Namespace, Name: ob.Spec.EmployeeRef.Name}}
	if slices.Contains(found, who) {
		return found
	}
	return append(found, who)
}

// departed are the people who are linked and have departed: no policy may have applied to them.
func (r *LinkReconciler) departed(ctx context.Context, o client.Object) (found []reconcile.Request) {
	var all v1alpha1.EmployeeList
	if r.List(ctx, &all, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy) != nil {
		return nil
	}
	for i := range all.Items {
		if e := &all.Items[i]; e.Spec.State == v1alpha1.EmployeeDeparted && len(e.Status.LinkedAccounts) > 0 {
			found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e)})
		}
	}
	return found
}

// reached are the people whose contact data a Secret holds, and who reports to them.
func (r *LinkReconciler) reached(ctx context.Context, o client.Object) []reconcile.Request {
	found := r.linkedOnly(ctx, indexSecret, o.GetNamespace(), o.GetName())
	for _, req := range requests[v1alpha1.EmployeeList](ctx, r, o.GetNamespace(), indexSecret, o.GetName()) {
		found = append(found, r.linkedOnly(ctx, indexManager, o.GetNamespace(), req.Name)...)
	}
	return found
}

// linkScope is what one reconcile knows.
type linkScope struct {
	employee *v1alpha1.Employee
	lane     string
	// person is who it is, for mappings; contact and missing what is wrong with that, asked whether the manager was looked up.
	person  linked.Person
	contact *Problem
	missing string
	asked   bool
	// inputs are the versions of what person was made of, managed those of the manager.
	inputs, managed []any
	// leavings are the person's, what is not over first, then the newest.
	leavings []v1alpha1.Offboarding
	// unruled: the person has departed and no policy says how, or no Offboarding can be made.
	unruled bool
	// ending: the person goes with the namespace, which lets no Offboarding be made: access ends, and nothing else does.
	ending bool
	links  []*personLink
	// gone are linked accounts that are forgotten, with what is told of it.
	gone []parted
}

// parted is an account that is not ours any more.
type parted struct{ system, reason, words string }

// personLink is the person in one linked system.
type personLink struct {
	status v1alpha1.LinkedAccountStatus
	key    client.ObjectKey
	// declared is what the spec says; nil for one that was taken off it.
	declared *v1alpha1.LinkedAccount
	off      bool
	system   *v1alpha1.LinkedSystem
	running  *tenant.Linked
	state    linked.State
	wish     plan.LinkWish
	plan     plan.LinkPlan
	planned  bool
	observe  bool
	held     bool
	outcome  *execute.Outcome
	problem  *Problem
	// note is what is to be known of an account that is as declared.
	note string
	// leaving is that of the account: the one that is not over, else the newest.
	leaving *v1alpha1.Offboarding
	// before is the record as it was.
	before plan.LinkRecord
}

// Reconcile makes one person's accounts in linked systems equal to the declaration.
func (r *LinkReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	e := &v1alpha1.Employee{}
	if err := r.Get(ctx, req.NamespacedName, e); err != nil {
		r.claims.forget(req.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if len(e.Spec.LinkedAccounts)+len(e.Status.LinkedAccounts) == 0 {
		return ctrl.Result{}, nil
	}
	if r.writes.Ahead(e) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	before := e.DeepCopy()
	s := &linkScope{employee: e, lane: linkLaneOf(e.Name, string(e.UID))}
	for _, step := range []func(context.Context, *linkScope) error{r.past, r.profile, r.everywhere} {
		if err := step(ctx, s); err != nil {
			return done(0, err)
		}
	}
	s.summarize()
	if _, err := kube.PatchStatus(ctx, r.Client, before, e); err != nil {
		return done(0, err)
	}
	r.writes.Note(e)
	r.announce(before, s)
	return done(r.act(s), nil)
}

// act hands plans to the lanes, after the record is durable, and says when to look again.
func (r *LinkReconciler) act(s *linkScope) (again time.Duration) {
	for _, l := range s.links {
		if l.running == nil {
			continue
		}
		if l.outcome != nil {
			for _, kind := range l.outcome.Done {
				r.Metrics.Changed(systemLabel(l.key), kind)
			}
			l.running.Lane.Acknowledge(s.lane, l.outcome)
		}
		if !l.planned || len(l.plan.Actions) == 0 || (l.observe && writes(linkActions(l.plan.Actions))) {
			l.running.Lane.Withdraw(s.lane)
			if l.held {
				again = sooner(again, reviewAgain)
			}
			continue
		}
		again = sooner(again, r.offer(s, l))
	}
	return again
}

func linkActions(actions []plan.LinkAction) (kinds []plan.Kind) {
	for _, a := range actions {
		kinds = append(kinds, a.Kind)
	}
	return kinds
}

func (r *LinkReconciler) offer(s *linkScope, l *personLink) time.Duration {
	e, actions, version := s.employee, l.plan.Actions, l.wish.Version
	work := execute.LinkWork{
		System: l.running.System, Capabilities: l.state.Capabilities, Seen: l.running.Mirror, Orders: l.running.Orders,
		By: onBehalfIn(l.running, e, "Employee", e.Spec.StateReason), Person: string(e.UID), Declaration: version, Updates: l.plan.Record.Updates,
	}
	priority := employeePriority
	if slices.ContainsFunc(linkActions(actions), func(k plan.Kind) bool { return k == plan.Disable || k == plan.Delete || k == plan.Unlink }) {
		priority = freezePriority
	}
	return l.running.Lane.Offer(s.lane, execute.Task{
		Digest: l.plan.Digest(), Priority: priority,
		Run: func(ctx context.Context) execute.Outcome {
			o := execute.Link(ctx, work, actions)
			o.Version = version
			return o
		},
	}).RetryIn
}
