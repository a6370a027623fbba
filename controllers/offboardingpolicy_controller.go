package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// OffboardingPolicyReconciler says to whom each policy applies, and whether what it refers
// to is there. It makes nobody leave.
type OffboardingPolicyReconciler struct {
	client.Client
	// Live reads Namespaces: there is no right to watch them.
	Live     client.Reader
	Recorder events.EventRecorder
	Hub      *Hub
	Now      func() time.Time
	// Linger is how long a policy that was deleted stays for those who are deleted with it.
	Linger time.Duration

	writes kube.Writes
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=offboardingpolicies,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=offboardingpolicies/status,verbs=patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=offboardings;employees;backupstorages,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager registers the controller.
func (r *OffboardingPolicyReconciler) SetupWithManager(mgr ctrl.Manager) error {
	// Whose policy is whose depends on all of them, and on everybody's labels.
	lagging := handler.EnqueueRequestsFromMapFunc(r.concerned)
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.OffboardingPolicy{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.OffboardingPolicy{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Employee{}, lagging, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}))).
		Watches(&v1alpha1.Offboarding{}, lagging, builder.WithPredicates(ending)).
		Watches(&v1alpha1.BackupStorage{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(appearing)).
		WatchesRawSource(r.Hub.policies.source()).
		Complete(r)
}

// appearing passes that something comes to be, or goes.
var appearing = predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}

// ending passes that a leaving begins, is over, or goes.
var ending = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.Offboarding)
		after, ok2 := e.ObjectNew.(*v1alpha1.Offboarding)
		return ok1 && ok2 && isOver(before) != isOver(after)
	},
}

// all maps anything to the policies of its namespace.
func (r *OffboardingPolicyReconciler) all(ctx context.Context, o client.Object) []reconcile.Request {
	var policies v1alpha1.OffboardingPolicyList
	// The cache fails only while the manager stops.
	if r.List(ctx, &policies, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy) != nil {
		return nil
	}
	var found []reconcile.Request
	for i := range policies.Items {
		found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&policies.Items[i])})
	}
	return found
}

// concerned has the policies counted anew, a moment later: a thousand changes are one count.
func (r *OffboardingPolicyReconciler) concerned(ctx context.Context, o client.Object) []reconcile.Request {
	for _, req := range r.all(ctx, o) {
		r.Hub.policies.add(req.NamespacedName, sweepPriority, settle)
	}
	return nil
}

// Reconcile says how one policy stands.
func (r *OffboardingPolicyReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	p := &v1alpha1.OffboardingPolicy{}
	if err := r.Get(ctx, req.NamespacedName, p); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.writes.Ahead(p) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	if p.DeletionTimestamp.IsZero() {
		if err := kube.AddFinalizer(ctx, r.Client, p, v1alpha1.Finalizer); err != nil {
			return done(0, err)
		}
	}
	before := p.DeepCopy()
	s := &policyScope{policy: p}
	for _, step := range []func(context.Context, *policyScope) error{r.count, r.refer, r.hold} {
		if err := step(ctx, s); err != nil {
			return done(0, err)
		}
	}
	if !p.DeletionTimestamp.IsZero() && s.needed == 0 && s.linger == 0 {
		return done(0, kube.RemoveFinalizer(ctx, r.Client, p, v1alpha1.Finalizer))
	}
	s.report()
	if _, err := kube.PatchStatus(ctx, r.Client, before, p); err != nil {
		return done(0, client.IgnoreNotFound(err))
	}
	r.writes.Note(p)
	announce(r.Recorder, p, before.Status.Conditions, p.Status.Conditions)
	if s.needed > 0 {
		return done(goneSoon, nil)
	}
	return done(s.linger, nil)
}

// policyScope is what one reconcile knows.
type policyScope struct {
	policy *v1alpha1.OffboardingPolicy
	// people are those to whom the policy applies, leaving those who leave by it.
	people  []*v1alpha1.Employee
	leaving int
	// covered are "<account>/<number>" of leavings that are not over, by any policy; refused are the declarations by which
	// nobody leaves, because somebody said no.
	covered, refused map[string]bool
	// rivals apply to the same people by the same right, the policy itself among them.
	rivals map[string]bool
	// problem is what it refers to and is not there.
	problem *Problem
	// needed counts who keeps a policy that is being deleted, linger is how long it stays in any case.
	needed int
	linger time.Duration
}

// count finds to whom the policy applies, and who applies to them, too.
func (r *OffboardingPolicyReconciler) count(ctx context.Context, s *policyScope) error {
	namespace := client.InNamespace(s.policy.Namespace)
	var policies v1alpha1.OffboardingPolicyList
	var employees v1alpha1.EmployeeList
	var leavings v1alpha1.OffboardingList
	for _, list := range []client.ObjectList{&policies, &employees, &leavings} {
		if err := r.List(ctx, list, namespace, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("listing whom the policy concerns: %w", err)
		}
	}
	s.rivals, s.covered, s.refused = map[string]bool{}, map[string]bool{}, map[string]bool{}
	s.contest(policies.Items)
	for i := range employees.Items {
		chosen, rivals := choosePolicy(&employees.Items[i], policies.Items)
		if chosen == nil {
			continue
		}
		if chosen.UID == s.policy.UID {
			s.people = append(s.people, &employees.Items[i])
		}
		if all := append([]string{chosen.Name}, rivals...); len(rivals) > 0 && slices.Contains(all, s.policy.Name) {
			for _, name := range all {
				s.rivals[name] = true
			}
		}
	}
	s.open(leavings.Items)
	return nil
}

// contest finds the defaults, where the policy is one: there may be one in a namespace, though nobody is in it.
func (s *policyScope) contest(all []v1alpha1.OffboardingPolicy) {
	if s.policy.Spec.AppliesTo != v1alpha1.PolicyDefault || !s.policy.DeletionTimestamp.IsZero() {
		return
	}
	for i := range all {
		if p := &all[i]; p.Spec.AppliesTo == v1alpha1.PolicyDefault && p.DeletionTimestamp.IsZero() {
			s.rivals[p.Name] = true
		}
	}
}

// refusal is what is left of a leaving that was cancelled: an account, and the declaration that asked for it.
func refusal(account, uid string, generation int64) string {
	return fmt.Sprintf("%s/%s/%d", account, uid, generation)
}

// open finds the leavings that are not over, and those that were cancelled.
func (s *policyScope) open(all []v1alpha1.Offboarding) {
	for i := range all {
		ob := &all[i]
		if ob.Status.State == v1alpha1.OffboardingCancelled {
			for _, a := range ob.Spec.Accounts {
				s.refused[refusal(a.Name, ob.Spec.EmployeeUID, ob.Spec.RequestedBy.Generation)] = true
			}
		}
		if isOver(ob) || ob.Spec.Mode == v1alpha1.OffboardingRehearse {
			continue
		}
		if ob.Spec.PolicyName == s.policy.Name {
			s.leaving++
		}
		for _, a := range ob.Spec.Accounts {
			s.covered[claimKey(a.Name, ob.Spec.Number)] = true
		}
	}
}

// hold counts who keeps a policy that is being deleted: whoever is about to leave and has not begun.
// A leaving that has begun keeps its terms itself. A namespace that ends takes everybody along. And a prune that takes
// people along deletes them in any order, some a moment later: whether they leave must not depend on it.
func (r *OffboardingPolicyReconciler) hold(ctx context.Context, s *policyScope) error {
	if s.policy.DeletionTimestamp.IsZero() || len(s.people) == 0 {
		return nil
	}
	ends, err := namespaceEnds(ctx, r.Live, s.policy.Namespace)
	if err != nil {
		return err
	}
	for _, e := range s.people {
		declared := e.Spec.State == v1alpha1.EmployeeDeparted && slices.ContainsFunc(e.Status.Accounts, func(st v1alpha1.EmployeeAccountStatus) bool {
			return isOwned(st.Origin) && !s.covered[claimKey(st.Name, e.Status.Number)] && !s.refused[refusal(st.Name, string(e.UID), e.Generation)]
		})
		goes := !e.DeletionTimestamp.IsZero()
		if declared || ends && !goes || goes && controllerutil.ContainsFinalizer(e, v1alpha1.Finalizer) {
			s.needed++
		}
	}
	if s.policy.Spec.UnannouncedDeletion != v1alpha1.UnannouncedRetain {
		s.linger = max(0, r.Linger-r.Now().Sub(s.policy.DeletionTimestamp.Time))
	}
	return nil
}

// namespaceEnds reports whether the namespace is being deleted: nothing can be created there any more.
func namespaceEnds(ctx context.Context, live client.Reader, name string) (bool, error) {
	ns := &corev1.Namespace{}
	if err := live.Get(ctx, client.ObjectKey{Name: name}, ns); err != nil {
		return false, fmt.Errorf("reading the namespace: %w", err)
	}
	return !ns.DeletionTimestamp.IsZero(), nil
}

// isOver reports whether nothing more is done for a leaving.
func isOver(ob *v1alpha1.Offboarding) bool {
	switch ob.Status.State {
	case v1alpha1.OffboardingComplete, v1alpha1.OffboardingCancelled, v1alpha1.OffboardingRehearsed:
		return true
	}
	return false
}

// conflict says who else applies by the same right.
func (s *policyScope) conflict() *Problem {
	names := slices.Sorted(maps.Keys(s.rivals))
	if len(names) < 2 {
		return nil
	}
	words := "select the same people"
	if s.policy.Spec.AppliesTo == v1alpha1.PolicyDefault {
		words = "have appliesTo: Default"
	}
	return problem(v1alpha1.ReasonPolicyConflict, fmt.Sprintf("%d policies %s: %s. The first by name is in force; let one of them apply", len(names), words, listing(names)))
}
