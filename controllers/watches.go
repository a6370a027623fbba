package controllers

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// listOf is a pointer to a list type, so that watches can make one.
type listOf[T any] interface {
	*T
	client.ObjectList
}

// listedBy maps an object to everything in its namespace whose index names it.
func listedBy[T any, L listOf[T]](c client.Reader, index string) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		return requests[T, L](ctx, c, o.GetNamespace(), index, o.GetName())
	}
}

func requests[T any, L listOf[T]](ctx context.Context, c client.Reader, namespace, index, value string) []reconcile.Request {
	list := L(new(T))
	// The cache fails only while the manager stops.
	if err := c.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{index: value}, client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	var found []reconcile.Request
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		if o, ok := item.(client.Object); ok {
			found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)})
		}
		return nil
	})
	return found
}

// freezingPriority is above what users change: access is taken away first (P2).
const freezingPriority = 100

// ranked queues what h finds with this priority. Without it, everybody of a new
// department would stand in the queue before the next thing that a user changes.
func ranked(priority int, h handler.EventHandler) handler.EventHandler {
	type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	rank := func(q requestQueue) requestQueue {
		if pq, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
			return rankedQueue{pq, priority}
		}
		return q
	}
	return handler.Funcs{
		CreateFunc:  func(ctx context.Context, e event.CreateEvent, q requestQueue) { h.Create(ctx, e, rank(q)) },
		UpdateFunc:  func(ctx context.Context, e event.UpdateEvent, q requestQueue) { h.Update(ctx, e, rank(q)) },
		DeleteFunc:  func(ctx context.Context, e event.DeleteEvent, q requestQueue) { h.Delete(ctx, e, rank(q)) },
		GenericFunc: func(ctx context.Context, e event.GenericEvent, q requestQueue) { h.Generic(ctx, e, rank(q)) },
	}
}

// rankedQueue gives everything that is added its own priority.
type rankedQueue struct {
	priorityqueue.PriorityQueue[reconcile.Request]
	priority int
}

func (q rankedQueue) Add(r reconcile.Request) { q.AddWithOpts(priorityqueue.AddOpts{}, r) }

func (q rankedQueue) AddWithOpts(o priorityqueue.AddOpts, r ...reconcile.Request) {
	o.Priority = &q.priority
	q.PriorityQueue.AddWithOpts(o, r...)
}

// loses reports whether somebody is to lose access: by being frozen, by leaving, or by being deleted.
func loses(e *v1alpha1.Employee) bool {
	return e.Spec.State == v1alpha1.EmployeeFrozen || e.Spec.State == v1alpha1.EmployeeDeparted || !e.DeletionTimestamp.IsZero()
}

// freezing passes people who are newly to lose access, also while nobody looked.
var freezing = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool {
		now, ok := e.Object.(*v1alpha1.Employee)
		return ok && loses(now) && !observed(now.Status.ObservedGeneration, now.Generation)
	},
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.Employee)
		now, ok2 := e.ObjectNew.(*v1alpha1.Employee)
		return ok1 && ok2 && loses(now) && (before.Spec.State != now.Spec.State || before.DeletionTimestamp.IsZero() != now.DeletionTimestamp.IsZero())
	},
	DeleteFunc: func(event.DeleteEvent) bool { return false },
}

// done ends a reconcile. A conflict means that it decided on a stale cache: the
// newer object is on its way, and not worth an error in the log.
func done(after time.Duration, err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: staleRetry}, nil
	}
	return ctrl.Result{RequeueAfter: after}, err
}

// staleRetry is how long a cache may take to catch up with what others write,
// cacheLag with what we write.
const (
	staleRetry = 200 * time.Millisecond
	cacheLag   = 20 * time.Millisecond
)

// leaving maps an object that is being deleted, or is gone, to its accounts:
// they record what is retained, and may be waiting to go themselves.
func (r *EnterpriseAccountReconciler) leaving(_ context.Context, o client.Object) []reconcile.Request {
	var names []string
	switch o := o.(type) {
	case *v1alpha1.Employee:
		names = employeeAccounts(o)
	case *v1alpha1.Department:
		names = departmentAccounts(o)
	case *v1alpha1.Offboarding:
		names = offboardingAccounts(o)
	case *v1alpha1.PermissionBinding:
		names = []string{o.Spec.AccountRef.Name}
	}
	for _, name := range names {
		r.Hub.accounts.add(client.ObjectKey{Namespace: o.GetNamespace(), Name: name}, sweepPriority, settle)
	}
	return nil
}

// sameTenant maps an account to the others of its tenant, which may have waited for it to go.
func (r *EnterpriseAccountReconciler) sameTenant(ctx context.Context, o client.Object) []reconcile.Request {
	account, ok := o.(*v1alpha1.EnterpriseAccount)
	var all v1alpha1.EnterpriseAccountList
	if !ok || r.List(ctx, &all) != nil {
		return nil
	}
	var found []reconcile.Request
	for i := range all.Items {
		if other := &all.Items[i]; other.UID != account.UID && corpID(other) == corpID(account) {
			found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(other)})
		}
	}
	return found
}
