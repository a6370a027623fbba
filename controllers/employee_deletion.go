package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/tenant"
)

// recordWithin bounds how long a deletion waits for its record: it is never held
// hostage (P10).
const recordWithin = time.Minute

// delete has the accounts left, as the policy says, or leaves them as they are and has the EnterpriseAccounts record
// that they do; then it lets go. It makes no call to a platform.
func (r *EmployeeReconciler) delete(ctx context.Context, e *v1alpha1.Employee) (ctrl.Result, error) {
	before := e.DeepCopy()
	s := &employeeScope{employee: e, lane: employeeLaneOf(e)}
	if err := r.leavings(ctx, s); err != nil {
		return done(0, err)
	}
	switch ends, err := r.ends(ctx, s); {
	case err != nil:
		return done(0, err)
	case ends:
		return r.goWithNamespace(ctx, s)
	}
	g := &goodbye{}
	for _, name := range s.everywhere() {
		if err := r.part(ctx, s, g, name); err != nil {
			return done(0, err)
		}
	}
	g.waiting = g.waiting || r.linksUnderway(s)
	s.partFromLinks(r, g)
	if err := r.begin(ctx, s); err != nil {
		return done(0, err)
	}
	if g.leaving != nil {
		kube.Summarize(&e.Status.Conditions, e.Generation, summaryOf(g.leaving, ""))
		e.Status.ObservedGeneration = &e.Generation
	}
	wrote, err := kube.PatchStatus(ctx, r.Client, before, e)
	switch {
	case err != nil:
		return done(0, err)
	case wrote || len(s.begun) > 0:
		r.writes.Note(e)
		return done(staleRetry, r.create(ctx, s))
	case g.waiting && time.Since(e.DeletionTimestamp.Time) < recordWithin:
		return done(time.Second, nil)
	case g.hold > 0:
		return done(g.hold, nil)
	}
	return done(0, r.letGo(ctx, s))
}

// letGo ends the object. What is left goes on, what is not stays as it is.
func (r *EmployeeReconciler) letGo(ctx context.Context, s *employeeScope) error {
	e := s.employee
	for _, st := range e.Status.Accounts {
		if t := r.Tenants.Get(e.Namespace + "/" + st.Name); t != nil {
			t.Lane.Forget(s.lane)
		}
		if st.State == v1alpha1.AccountInvited {
			r.tellInvited(e, st.Name, "Delete")
		}
		if isOwned(st.Origin) && st.OffboardingName == "" {
			r.Recorder.Eventf(e, nil, corev1.EventTypeNormal, v1alpha1.ReasonRetained, "Delete", "left the account %s on %s as it is", st.UserID, st.Name)
		}
	}
	for i := range e.Status.LinkedAccounts {
		if st := &e.Status.LinkedAccounts[i]; isLinked(st) && !s.unlinkedBy(st) {
			on := &v1alpha1.LinkedSystem{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: st.Name}} // one event for each system
			r.Recorder.Eventf(e, on, corev1.EventTypeNormal, v1alpha1.ReasonRetained, "Delete", "left the account in %s as it is", st.Name)
		}
	}
	r.letGoOfLinks(e)
	return kube.RemoveFinalizer(ctx, r.Client, e, v1alpha1.Finalizer)
}

// letGoOfLinks ends what is kept of the person in linked systems, and says where an account may be of which nobody knows.
func (r *EmployeeReconciler) letGoOfLinks(e *v1alpha1.Employee) {
	for _, name := range employeeSystems(e) {
		if running := r.Systems.Get(e.Namespace + "/" + name); running != nil {
			running.Lane.Forget(linkLaneOf(e.Name, string(e.UID)))
		}
		if st := linkStatus(e, name); st != nil && st.Origin == v1alpha1.OriginCreating {
			on := &v1alpha1.LinkedSystem{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: name}} // one event for each system
			r.Recorder.Eventf(e, on, corev1.EventTypeWarning, v1alpha1.ReasonManualTask, "Delete", "%s", kube.Coded(v1alpha1.ReasonManualTask,
				fmt.Sprintf("an account was asked for in %s, and its answer is not known: look in the system's own console whether the person has one, and disable it there", name)))
		}
	}
}

// tellInvited says that an invitation is open on an account that the person is not declared on any more. Rollcall has no
// call that withdraws it.
func (r *EmployeeReconciler) tellInvited(e *v1alpha1.Employee, account, action string) {
	r.Recorder.Eventf(e, nil, corev1.EventTypeWarning, v1alpha1.ReasonInvitationPending, action, "%s", kube.Coded(v1alpha1.ReasonInvitationPending,
		fmt.Sprintf("an invitation to %s is open: withdraw it in the platform's console; an account that comes of it is nobody's", account)))
}

// goodbye is what the deletion of somebody waits for.
type goodbye struct {
	// waiting: something is under way, or to be recorded.
	waiting bool
	// hold is how long leavings are waited for, leaving what is said of them.
	hold    time.Duration
	leaving *Problem
}

// everywhere are the accounts that the person is on, or was and still has.
func (s *employeeScope) everywhere() []string {
	names := employeeAccounts(s.employee)
	for _, st := range s.employee.Status.Accounts {
		if isOwned(st.Origin) && !slices.Contains(names, st.Name) {
			names = append(names, st.Name)
		}
	}
	return names
}

// part decides what becomes of one account of somebody who is deleted.
func (r *EmployeeReconciler) part(ctx context.Context, s *employeeScope, g *goodbye, name string) error {
	e := s.employee
	a := r.standing(s, name)
	if a.follow(false) {
		g.hold = max(g.hold, r.releasedIn(e, a.leaving))
		s.tell(g, a)
		return nil
	}
	if a.tenant != nil && !r.quiet(a.tenant, e, name) {
		g.waiting = true // what is under way may still create the account
		return nil
	}
	st := accountStatus(e, name)
	if st == nil || !isOwned(st.Origin) || a.leaving != nil && s.answers(a.leaving, st) {
		return nil
	}
	if s.policy != nil && (s.departed() || s.policy.Spec.UnannouncedDeletion != v1alpha1.UnannouncedRetain) {
		a.status, a.leaves = *st.DeepCopy(), true
		a.problem = problem(v1alpha1.ReasonLeaving, "the leaving begins")
		s.accounts = append(s.accounts, a)
		s.tell(g, a)
		return nil
	}
	if st.OffboardingName = ""; !slices.Contains(employeeAccounts(e), name) {
		return nil // it was left as it is before
	}
	recorded, err := r.recorded(ctx, e, a.key)
	if err == nil && !recorded {
		g.waiting = true
		r.Hub.accounts.add(a.key, 0, 0)
	}
	return err
}

// partFromLinks waits for the leavings that are of linked accounts alone, too.
func (s *employeeScope) partFromLinks(r *EmployeeReconciler, g *goodbye) {
	for i := range s.leavings {
		if ob := &s.leavings[i]; len(ob.Spec.Accounts) == 0 && !isOver(ob) {
			g.hold = max(g.hold, r.releasedIn(s.employee, ob))
			g.leaving = worse(g.leaving, problem(v1alpha1.ReasonLeaving, fmt.Sprintf("left by the Offboarding %q", ob.Name)), "linked systems")
		}
	}
}

// tell writes into the status how far the leaving of an account is.
func (s *employeeScope) tell(g *goodbye, a *employeeAccount) {
	a.summarize()
	if st := accountStatus(s.employee, a.status.Name); st != nil {
		*st = a.status
	}
	g.leaving = worse(g.leaving, a.problem, a.status.Name)
}

// quiet drops what waits for the person, and reports whether nothing is under
// way. What came of it is taken over, so that no account is left unrecorded (P3).
func (r *EmployeeReconciler) quiet(t *tenant.Tenant, e *v1alpha1.Employee, account string) bool {
	lane := employeeLaneOf(e)
	if !t.Lane.Settle(lane) {
		return false
	}
	st := accountStatus(e, account)
	o, ok := t.Lane.Outcome(lane)
	created := ok && o.Created
	if st != nil && st.Origin == v1alpha1.OriginCreating && (created || t.Mirror.Account(st.UserID) != nil) {
		st.Origin = v1alpha1.OriginCreated
	}
	return true
}

// recorded reports whether the EnterpriseAccount lists what is retained, or never will.
func (r *EmployeeReconciler) recorded(ctx context.Context, e *v1alpha1.Employee, key client.ObjectKey) (bool, error) {
	st := accountStatus(e, key.Name)
	if st == nil || !isOwned(st.Origin) {
		return true, nil
	}
	account := &v1alpha1.EnterpriseAccount{}
	if err := r.Get(ctx, key, account); apierrors.IsNotFound(err) {
		return true, nil
	} else if err != nil {
		return false, fmt.Errorf("reading the EnterpriseAccount: %w", err)
	}
	return !account.DeletionTimestamp.IsZero() || isRetained(account, st.UserID), nil
}

func isRetained(account *v1alpha1.EnterpriseAccount, id string) bool {
	return slices.ContainsFunc(account.Status.Retained, func(k v1alpha1.RetainedAccount) bool { return fold(k.UserID) == fold(id) })
}

// retentions passes changes of what an account retains.
var retentions = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false },
	DeleteFunc: func(event.DeleteEvent) bool { return true },
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.EnterpriseAccount)
		after, ok2 := e.ObjectNew.(*v1alpha1.EnterpriseAccount)
		return ok1 && ok2 && len(after.Status.Retained) > len(before.Status.Retained)
	},
}

// retainedOn are the people of the account who are being deleted: they waited for the record.
func (r *EmployeeReconciler) retainedOn(ctx context.Context, o client.Object) []reconcile.Request {
	var on v1alpha1.EmployeeList
	if r.List(ctx, &on, client.InNamespace(o.GetNamespace()), client.MatchingFields{indexAccount: o.GetName()}, client.UnsafeDisableDeepCopy) != nil {
		return nil
	}
	var found []reconcile.Request
	for i := range on.Items {
		if !on.Items[i].DeletionTimestamp.IsZero() {
			found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&on.Items[i])})
		}
	}
	return found
}
