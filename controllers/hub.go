package controllers

import (
	"context"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/mirror"
)

// trigger lets the other side put requests into a controller's queue.
type trigger struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// source is what the controller watches.
func (t *trigger) source() source.Source {
	return source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.queue = q
		return nil
	})
}

// sweepPriority is below what users change.
const sweepPriority = -50

func (t *trigger) add(name types.NamespacedName, priority int, after time.Duration) {
	t.mu.Lock()
	q := t.queue
	t.mu.Unlock()
	if q == nil {
		return // the controller starts with everything queued
	}
	req := reconcile.Request{NamespacedName: name}
	if pq, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		pq.AddWithOpts(priorityqueue.AddOpts{Priority: &priority, After: after}, req)
		return
	}
	q.AddAfter(req, after)
}

// Hub carries what tenants report to the controllers that it concerns.
type Hub struct {
	// Reader is the cache.
	Reader client.Reader

	accounts, departments, employees trigger
	backups, restores, policies      trigger
	offboardings, bindings           trigger
	systems, links                   trigger
}

// employeeLaneOf is the key of a person in a tenant's lane. What came of somebody else of the same name is not theirs (P4).
func employeeLaneOf(e *v1alpha1.Employee) string { return employeeKey + e.Name + "/" + string(e.UID) }

// Lane keys name what a task is about.
const (
	// employeeKey is for a person: see [employeeLaneOf].
	employeeKey   = "employee/"
	departmentKey = "department/"
	// offboardingKey is for what leaving does.
	offboardingKey = "offboarding/"
	// bindingKey is for a PermissionBinding.
	bindingKey = "binding/"
	// bindingNoticeKey is for telling people that one ends.
	bindingNoticeKey = "bindingnotice/"
	// bindingActivityKey is for asking when the holders were last active.
	bindingActivityKey = "bindingactivity/"
	// linkLane is for a person in a linked system: see [linkLaneOf].
	linkLane = "link/"
)

// settle is how long counts on an EnterpriseAccount may lag behind, so that a
// thousand changes are one write.
const settle = 2 * time.Second

// Ended wakes the controller whose task ended.
func (h *Hub) Ended(tenant, key string) {
	account := splitName(tenant)
	switch {
	case strings.HasPrefix(key, employeeKey):
		name, _, _ := strings.Cut(strings.TrimPrefix(key, employeeKey), "/")
		h.employees.add(types.NamespacedName{Namespace: account.Namespace, Name: name}, 0, 0)
	case strings.HasPrefix(key, departmentKey):
		h.departments.add(types.NamespacedName{Namespace: account.Namespace, Name: strings.TrimPrefix(key, departmentKey)}, 0, 0)
	case strings.HasPrefix(key, offboardingKey):
		h.offboardings.add(types.NamespacedName{Namespace: account.Namespace, Name: strings.TrimPrefix(key, offboardingKey)}, 0, 0)
	case strings.HasPrefix(key, bindingNoticeKey):
		h.bindings.add(types.NamespacedName{Namespace: account.Namespace, Name: strings.TrimPrefix(key, bindingNoticeKey)}, 0, 0)
	case strings.HasPrefix(key, bindingActivityKey):
		h.bindings.add(types.NamespacedName{Namespace: account.Namespace, Name: strings.TrimPrefix(key, bindingActivityKey)}, 0, 0)
	case strings.HasPrefix(key, bindingKey):
		h.bindings.add(types.NamespacedName{Namespace: account.Namespace, Name: strings.TrimPrefix(key, bindingKey)}, 0, 0)
	}
	h.accounts.add(account, sweepPriority, settle)
}

// Refreshed wakes those whom a new listing shows to be different, and nobody else (P13).
func (h *Hub) Refreshed(tenant string, c mirror.Changes, _ error) {
	account := splitName(tenant)
	h.accounts.add(account, 0, 0)
	ctx := context.Background() //nolint:forbidigo // reads the cache only: nothing to cancel
	h.waiting(ctx, account)
	h.bound(ctx, account)
	if c.First {
		h.everybody(ctx, account)
		return
	}
	for _, id := range c.Departments {
		var found v1alpha1.DepartmentList
		if h.list(ctx, &found, account.Namespace, indexClaim, claimKey(account.Name, id)) {
			for i := range found.Items {
				h.departments.add(client.ObjectKeyFromObject(&found.Items[i]), sweepPriority, 0)
			}
		}
	}
	for _, id := range c.Accounts {
		h.leavers(ctx, account.Namespace, indexClaim, claimKey(account.Name, id))
		var found v1alpha1.EmployeeList
		if h.list(ctx, &found, account.Namespace, indexClaim, claimKey(account.Name, id)) {
			for i := range found.Items {
				h.person(&found.Items[i])
			}
		}
	}
}

// waiting wakes Backups and Restores that may wait for the account to be connected. One that has just seen that it is not
// does not say so in the cache yet, and nobody would wake it later: so it is all that are not Ready.
func (h *Hub) waiting(ctx context.Context, account types.NamespacedName) {
	waits := func(conditions []metav1.Condition) bool {
		return !meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady)
	}
	var backups v1alpha1.BackupList
	if h.list(ctx, &backups, account.Namespace, indexAccount, account.Name) {
		for i := range backups.Items {
			if waits(backups.Items[i].Status.Conditions) {
				h.backups.add(client.ObjectKeyFromObject(&backups.Items[i]), 0, 0)
			}
		}
	}
	var restores v1alpha1.RestoreList
	if h.list(ctx, &restores, account.Namespace, indexTarget, account.Name) {
		for i := range restores.Items {
			if waits(restores.Items[i].Status.Conditions) {
				h.restores.add(client.ObjectKeyFromObject(&restores.Items[i]), 0, 0)
			}
		}
	}
}

// bound wakes the bindings on the account: no listing shows who holds roles, so that each reads its own.
func (h *Hub) bound(ctx context.Context, account types.NamespacedName) {
	var found v1alpha1.PermissionBindingList
	if h.list(ctx, &found, account.Namespace, indexAccount, account.Name) {
		for i := range found.Items {
			h.bindings.add(client.ObjectKeyFromObject(&found.Items[i]), sweepPriority, 0)
		}
	}
}

// leavers wakes the leavings that are not over.
func (h *Hub) leavers(ctx context.Context, namespace, index, value string) {
	var found v1alpha1.OffboardingList
	if !h.list(ctx, &found, namespace, index, value) {
		return
	}
	for i := range found.Items {
		if !isOver(&found.Items[i]) {
			h.offboardings.add(client.ObjectKeyFromObject(&found.Items[i]), 0, 0)
		}
	}
}

func (h *Hub) everybody(ctx context.Context, account types.NamespacedName) {
	h.leavers(ctx, account.Namespace, indexAccount, account.Name)
	var departments v1alpha1.DepartmentList
	if h.list(ctx, &departments, account.Namespace, indexAccount, account.Name) {
		for i := range departments.Items {
			h.departments.add(client.ObjectKeyFromObject(&departments.Items[i]), sweepPriority, 0)
		}
	}
	h.people(ctx, account)
}

// people wakes who is on an account.
func (h *Hub) people(ctx context.Context, account types.NamespacedName) {
	var employees v1alpha1.EmployeeList
	if h.list(ctx, &employees, account.Namespace, indexAccount, account.Name) {
		for i := range employees.Items {
			h.person(&employees.Items[i])
		}
	}
}

// person wakes somebody whom a listing concerns: who is to lose access goes first (P2).
func (h *Hub) person(e *v1alpha1.Employee) {
	priority := sweepPriority
	if loses(e) {
		priority = freezingPriority
	}
	h.employees.add(client.ObjectKeyFromObject(e), priority, 0)
}

// list reads the cache; it fails only while the manager stops.
func (h *Hub) list(ctx context.Context, into client.ObjectList, namespace, index, value string) bool {
	return h.Reader.List(ctx, into, client.InNamespace(namespace), client.MatchingFields{index: value}, client.UnsafeDisableDeepCopy) == nil
}

func splitName(tenant string) types.NamespacedName {
	namespace, name, _ := strings.Cut(tenant, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}
