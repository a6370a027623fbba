package controllers

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// What a binding depends on, for indexConcern.
func concernEmployee(name string) string    { return "employee/" + name }
func concernMembers(name string) string     { return "members/" + name }
func concernSubtree(name string) string     { return "subtree/" + name }
func concernLabel(key, value string) string { return "label/" + key + "=" + value }
func concernScope(name string) string       { return "scope/" + name }
func concernConflict(name string) string    { return "conflict/" + name }
func concernRole(b *v1alpha1.PermissionBinding) string {
	return "role/" + b.Spec.AccountRef.Name + "/" + string(b.Spec.Role.Kind) + "/" + b.Spec.Role.Name
}
func concernRoleID(b *v1alpha1.PermissionBinding, id string) string {
	return "roleID/" + b.Spec.AccountRef.Name + "/" + string(b.Spec.Role.Kind) + "/" + id
}

// concerns are what a binding depends on. Of several labels one is enough to find it.
func concerns(b *v1alpha1.PermissionBinding) []string {
	keys := []string{concernRole(b)}
	if id := b.Status.RoleID; id != "" {
		keys = append(keys, concernRoleID(b, id))
	}
	for _, ref := range b.Spec.Subjects.EmployeeRefs {
		keys = append(keys, concernEmployee(ref.Name))
	}
	for _, d := range b.Spec.Subjects.Departments {
		if d.Extent == v1alpha1.ExtentSubtree {
			keys = append(keys, concernSubtree(d.Name))
		} else {
			keys = append(keys, concernMembers(d.Name))
		}
	}
	if labels := slices.Sorted(maps.Keys(b.Spec.Subjects.MatchLabels)); len(labels) > 0 {
		keys = append(keys, concernLabel(labels[0], string(b.Spec.Subjects.MatchLabels[labels[0]])))
	}
	for _, ref := range b.Spec.ScopeRefs {
		keys = append(keys, concernScope(ref.Name))
	}
	for _, name := range b.Spec.ConflictsWith {
		keys = append(keys, concernConflict(name))
	}
	return keys
}

func bindingIndex(keys func(*v1alpha1.PermissionBinding) []string) client.IndexerFunc {
	return func(o client.Object) []string {
		if b, ok := o.(*v1alpha1.PermissionBinding); ok {
			return keys(b)
		}
		return nil
	}
}

// inForceChanged passes that a binding comes to be, changes, begins, ends, or goes, or that its role was found.
var inForceChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.PermissionBinding)
		now, ok2 := e.ObjectNew.(*v1alpha1.PermissionBinding)
		return ok1 && ok2 && (before.Generation != now.Generation || before.Status.State != now.Status.State || before.Status.RoleID != now.Status.RoleID)
	},
}

// concerned are the bindings that depend on one of the keys, and those that conflict with them.
func (r *PermissionBindingReconciler) concerned(ctx context.Context, namespace string, keys ...string) []reconcile.Request {
	found := map[types.NamespacedName]bool{}
	for _, k := range keys {
		for _, b := range r.bindings(ctx, namespace, k) {
			found[client.ObjectKeyFromObject(b)] = true
			for _, name := range b.Spec.ConflictsWith {
				found[types.NamespacedName{Namespace: namespace, Name: name}] = true
			}
			for _, other := range r.bindings(ctx, namespace, concernConflict(b.Name)) {
				found[client.ObjectKeyFromObject(other)] = true
			}
		}
	}
	all := make([]reconcile.Request, 0, len(found))
	for name := range found {
		all = append(all, reconcile.Request{NamespacedName: name})
	}
	return all
}

// ofRole are the other bindings of the role: those of its name, and, where somebody renamed it on the
// platform, those that found it under another.
func (r *PermissionBindingReconciler) ofRole(ctx context.Context, b *v1alpha1.PermissionBinding, id string) (others []*v1alpha1.PermissionBinding) {
	for _, other := range slices.Concat(r.bindings(ctx, b.Namespace, concernRole(b)), r.bindings(ctx, b.Namespace, concernRoleID(b, id))) {
		known := slices.ContainsFunc(others, func(o *v1alpha1.PermissionBinding) bool { return o.UID == other.UID })
		if other.UID != b.UID && !known && (sameRole(other, b) || other.Status.RoleID == id) {
			others = append(others, other)
		}
	}
	return others
}

func (r *PermissionBindingReconciler) bindings(ctx context.Context, namespace, concern string) []*v1alpha1.PermissionBinding {
	var list v1alpha1.PermissionBindingList
	// The cache fails only while the manager stops.
	if r.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{indexConcern: concern}, client.UnsafeDisableDeepCopy) != nil {
		return nil
	}
	var found []*v1alpha1.PermissionBinding
	for i := range list.Items {
		found = append(found, &list.Items[i])
	}
	return found
}

// related are the bindings of the same role, and those that must not be held beside this one.
func (r *PermissionBindingReconciler) related(ctx context.Context, o client.Object) []reconcile.Request {
	b, ok := o.(*v1alpha1.PermissionBinding)
	if !ok {
		return nil
	}
	found := r.concerned(ctx, b.Namespace, concernRole(b), concernRoleID(b, b.Status.RoleID), concernConflict(b.Name))
	for _, name := range b.Spec.ConflictsWith {
		found = append(found, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: b.Namespace, Name: name}})
	}
	return slices.DeleteFunc(found, func(req reconcile.Request) bool { return req.Name == b.Name })
}

// ofEmployee are the bindings that may declare the person. A change is looked at as it was before
// and as it is now, so that bindings of a department that was left are among them.
func (r *PermissionBindingReconciler) ofEmployee(ctx context.Context, o client.Object) []reconcile.Request {
	e, ok := o.(*v1alpha1.Employee)
	if !ok {
		return nil
	}
	keys := []string{concernEmployee(e.Name)}
	for _, d := range employeeDepartments(e) {
		keys = append(keys, concernMembers(d))
		keys = append(keys, r.above(ctx, e.Namespace, d)...)
	}
	for k, v := range e.Labels {
		keys = append(keys, concernLabel(k, v))
	}
	return r.concerned(ctx, e.Namespace, keys...)
}

// above are the concerns of a department's subtree, and of those that it is in.
func (r *PermissionBindingReconciler) above(ctx context.Context, namespace, name string) (keys []string) {
	seen := map[string]bool{}
	for name != "" && !seen[name] {
		seen[name] = true
		keys = append(keys, concernSubtree(name))
		d := &v1alpha1.Department{}
		if r.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, d, client.UnsafeDisableDeepCopy) != nil {
			return keys
		}
		name = d.Spec.ParentRef.Name
	}
	return keys
}

// ofDepartment are the bindings that reach the department, and those of what it is in, or was.
func (r *PermissionBindingReconciler) ofDepartment(ctx context.Context, o client.Object) []reconcile.Request {
	d, ok := o.(*v1alpha1.Department)
	if !ok {
		return nil
	}
	keys := append(r.above(ctx, d.Namespace, d.Spec.ParentRef.Name), concernScope(d.Name))
	return r.concerned(ctx, d.Namespace, keys...)
}

// decided passes that it is known whether somebody who is declared to lose access does.
var decided = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false },
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.Employee)
		now, ok2 := e.ObjectNew.(*v1alpha1.Employee)
		return ok1 && ok2 && !maps.Equal(undecidedOn(before), undecidedOn(now))
	},
	DeleteFunc: func(event.DeleteEvent) bool { return false },
}

// undecidedOn are the accounts of somebody of whom that is not known.
func undecidedOn(e *v1alpha1.Employee) map[string]bool {
	accounts := map[string]bool{}
	for i := range e.Status.Accounts {
		if st := &e.Status.Accounts[i]; undecided(e, st) && (loses(e) || !slices.Contains(employeeAccounts(e), st.Name)) {
			accounts[st.Name] = true
		}
	}
	return accounts
}

// beginning passes that a leaving comes to be, may take access on an account, is over, or goes.
var beginning = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.Offboarding)
		now, ok2 := e.ObjectNew.(*v1alpha1.Offboarding)
		return ok1 && ok2 && (isOver(before) != isOver(now) ||
			slices.ContainsFunc(offboardingAccounts(now), func(account string) bool { return begunOn(before, account) != begunOn(now, account) }))
	},
}

// ofOffboarding are the bindings that may declare who leaves, or whose leaving is over.
func (r *PermissionBindingReconciler) ofOffboarding(ctx context.Context, o client.Object) []reconcile.Request {
	ob, ok := o.(*v1alpha1.Offboarding)
	if !ok || ob.Spec.Mode != v1alpha1.OffboardingExecute {
		return nil
	}
	var people v1alpha1.EmployeeList
	if r.List(ctx, &people, client.InNamespace(ob.Namespace), client.MatchingFields{indexNumber: fold(ob.Spec.Number)}, client.UnsafeDisableDeepCopy) != nil {
		return nil
	}
	var found []reconcile.Request
	for i := range people.Items {
		found = append(found, r.ofEmployee(ctx, &people.Items[i])...)
	}
	if len(people.Items) > 0 {
		return found
	}
	for _, account := range offboardingAccounts(ob) { // nobody declares the person any more: any of them may have given a role
		found = append(found, requests[v1alpha1.PermissionBindingList](ctx, r, ob.Namespace, indexAccount, account)...)
	}
	return found
}
