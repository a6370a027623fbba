package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/tenant"
)

// subjects are the Employees that a binding names or finds, by UID, and the names of those that
// it names and that are not there.
func (r *PermissionBindingReconciler) subjects(ctx context.Context, b *v1alpha1.PermissionBinding) (found map[types.UID]*v1alpha1.Employee, missing []string, err error) {
	found = map[types.UID]*v1alpha1.Employee{}
	for _, ref := range b.Spec.Subjects.EmployeeRefs {
		e := &v1alpha1.Employee{}
		switch err := r.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: ref.Name}, e); {
		case err == nil:
			found[e.UID] = e
		case apierrors.IsNotFound(err):
			missing = append(missing, ref.Name)
		default:
			return nil, nil, fmt.Errorf("reading an Employee: %w", err)
		}
	}
	departments, err := r.departments(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range departments {
		if err := r.add(ctx, b, found, client.MatchingFields{indexDepartment: name}); err != nil {
			return nil, nil, err
		}
	}
	if labels := b.Spec.Subjects.MatchLabels; len(labels) > 0 {
		match := client.MatchingLabels{}
		for k, v := range labels {
			match[k] = string(v)
		}
		return found, missing, r.add(ctx, b, found, match)
	}
	return found, missing, nil
}

func (r *PermissionBindingReconciler) add(ctx context.Context, b *v1alpha1.PermissionBinding, to map[types.UID]*v1alpha1.Employee, which client.ListOption) error {
	var employees v1alpha1.EmployeeList
	if err := r.List(ctx, &employees, client.InNamespace(b.Namespace), which, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing whom the binding concerns: %w", err)
	}
	for i := range employees.Items {
		to[employees.Items[i].UID] = &employees.Items[i]
	}
	return nil
}

// departments are the names of those whose people are meant, each once.
func (r *PermissionBindingReconciler) departments(ctx context.Context, b *v1alpha1.PermissionBinding) ([]string, error) {
	seen := map[string]bool{}
	var names, open []string
	for _, d := range b.Spec.Subjects.Departments {
		if d.Extent == v1alpha1.ExtentSubtree {
			open = append(open, d.Name)
		} else if !seen[d.Name] {
			seen[d.Name] = true
			names = append(names, d.Name)
		}
	}
	below := map[string]bool{}
	for len(open) > 0 {
		name := open[0]
		open = open[1:]
		if below[name] { // a circle, or named twice
			continue
		}
		below[name] = true
		if !seen[name] {
			names = append(names, name)
		}
		var children v1alpha1.DepartmentList
		if err := r.List(ctx, &children, client.InNamespace(b.Namespace), client.MatchingFields{indexDepartment: name}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("listing departments: %w", err)
		}
		for i := range children.Items {
			open = append(open, children.Items[i].Name)
		}
	}
	return names, nil
}

// effective are the Employees whom a binding declares now: nobody when it is not in force, and
// nobody whom a review took out.
func (r *PermissionBindingReconciler) effective(ctx context.Context, b *v1alpha1.PermissionBinding, now time.Time) (map[types.UID]*v1alpha1.Employee, error) {
	if state, _ := stateOf(b, now); state != v1alpha1.BindingActive || !b.DeletionTimestamp.IsZero() {
		return nil, nil
	}
	found, _, err := r.subjects(ctx, b)
	for uid, e := range found {
		if st := accountStatus(e, b.Spec.AccountRef.Name); st != nil && slices.Contains(b.Status.ReviewedOut, st.UserID) {
			delete(found, uid)
		}
	}
	return found, err
}

// declare finds who is to hold the role, and which departments it reaches.
func (r *PermissionBindingReconciler) declare(ctx context.Context, s *bindingScope) error {
	s.people, s.blocked = map[string]holder{}, map[string]bool{}
	if s.tenant == nil || !s.inForce() {
		return nil
	}
	b := s.binding
	found, missing, err := r.subjects(ctx, b)
	if err != nil {
		return err
	}
	leaving, err := r.leaving(ctx, b)
	if err != nil {
		return err
	}
	s.forgive(found, missing)
	out := map[string]bool{}
	for _, id := range b.Status.ReviewedOut {
		out[s.tenant.Mirror.Key(id)] = true
	}
	for _, e := range found {
		s.place(e, leaving, out)
	}
	s.keep = append(s.keep, leaving.ids...) // also where the Employee is gone by now
	if len(s.people) > mostHolders {
		s.wait(problem(v1alpha1.ReasonInvalidValue, fmt.Sprintf("subjects: %d people are declared, and a binding takes at most %d: make several, of fewer departments each", len(s.people), mostHolders)))
		s.block(func(holder) bool { return true })
	}
	if len(missing) > 0 {
		s.wait(problem(v1alpha1.ReasonWaitingForPeople, "subjects.employeeRefs: there is no such object: "+people(missing)))
	}
	return r.reach(ctx, s)
}

// place says where somebody who is declared stands: among the people, those of them who keep the role
// and do not get it anew, or those whom a review took out.
func (s *bindingScope) place(e *v1alpha1.Employee, l leavers, out map[string]bool) {
	id, anew := mayHold(s.tenant, s.account.Name, e, l)
	k, st := s.tenant.Mirror.Key(id), accountStatus(e, s.account.Name)
	switch {
	case id == "" && !loses(e) && (st == nil || st.Origin == ""): // declared again, perhaps, and not recognised yet
		if was := l.back[fold(declaredNumber(e))]; was != "" {
			s.keep = append(s.keep, was)
		}
	case id == "":
	case !anew && !s.holds(k):
	case out[k]:
		s.reviewedOut = append(s.reviewedOut, holder{id: id, employee: e})
	default:
		s.people[k], s.blocked[k] = holder{id: id, employee: e}, !anew
	}
}

// forgive forgets whom a review took out, once the declaration no longer lists them.
func (s *bindingScope) forgive(found map[types.UID]*v1alpha1.Employee, missing []string) {
	st := &s.binding.Status
	if len(st.ReviewedOut) == 0 || len(missing) > 0 {
		return
	}
	listed := map[string]bool{}
	for _, e := range found {
		if on := accountStatus(e, s.account.Name); on != nil {
			listed[s.tenant.Mirror.Key(on.UserID)] = true
		}
	}
	st.ReviewedOut = slices.DeleteFunc(st.ReviewedOut, func(id string) bool { return !listed[s.tenant.Mirror.Key(id)] })
}

// mostHolders is how many a binding can record; the CRD says so too.
const mostHolders = 10_000

// leavers are those who leave an account.
type leavers struct {
	// begun and waiting are numbers, folded: of those who may lose access, and of those about whom
	// the account's limits, or somebody, have yet to decide.
	begun, waiting map[string]bool
	// ids are the user ids of those who wait.
	ids []string
	// back are the user ids, by number, of those whose leaving is over, which may have been cancelled.
	back map[string]string
}

func (r *PermissionBindingReconciler) leaving(ctx context.Context, b *v1alpha1.PermissionBinding) (leavers, error) {
	l, account := leavers{begun: map[string]bool{}, waiting: map[string]bool{}, back: map[string]string{}}, b.Spec.AccountRef.Name
	var all v1alpha1.OffboardingList
	if err := r.List(ctx, &all, client.InNamespace(b.Namespace), client.MatchingFields{indexAccount: account}, client.UnsafeDisableDeepCopy); err != nil {
		return l, fmt.Errorf("listing who leaves: %w", err)
	}
	for i := range all.Items {
		ob := &all.Items[i]
		number, at := fold(ob.Spec.Number), slices.IndexFunc(ob.Spec.Accounts, func(a v1alpha1.OffboardingAccount) bool { return a.Name == account })
		switch {
		case ob.Spec.Mode != v1alpha1.OffboardingExecute || at < 0:
		case isOver(ob):
			l.back[number] = ob.Spec.Accounts[at].UserID
		case begunOn(ob, account):
			l.begun[number] = true
		default:
			l.waiting[number] = true
			l.ids = append(l.ids, ob.Spec.Accounts[at].UserID)
		}
	}
	return l, nil
}

// begunOn reports whether a leaving may take access on the account: nothing holds it any more.
func begunOn(ob *v1alpha1.Offboarding, account string) bool {
	switch ob.Status.State {
	case "", v1alpha1.OffboardingPending, v1alpha1.OffboardingHeld:
		left := leftOn(ob, account)
		return left != nil && left.AdmittedTime != nil
	}
	return true
}

// mayHold is the user id of somebody who can hold a role on the account now, or empty; and whether
// they can get it anew. Who is declared to lose access keeps the role until nothing holds that: what a
// decision gives back as it was has its roles, too (P6).
func mayHold(t *tenant.Tenant, account string, e *v1alpha1.Employee, l leavers) (id string, anew bool) {
	number, st := fold(declaredNumber(e)), accountStatus(e, account)
	if st == nil || !isOwned(st.Origin) || st.State != v1alpha1.AccountActive || l.begun[number] {
		return "", false
	}
	there := t.Mirror.Account(st.UserID) != nil
	switch {
	case !there && t.Mirror.Absent(st.UserID):
		return "", false
	case l.waiting[number]:
		return st.UserID, false
	case !loses(e) && slices.Contains(employeeAccounts(e), account):
		return st.UserID, there // that a listing lacks somebody takes nothing from them (P5)
	case undecided(e, st):
		return st.UserID, false
	}
	return "", false
}

// undecided reports whether it is yet to be decided whether somebody who is declared to lose access does.
func undecided(e *v1alpha1.Employee, st *v1alpha1.EmployeeAccountStatus) bool {
	return !observed(e.Status.ObservedGeneration, e.Generation) || st.OffboardingName != "" || st.Reason == v1alpha1.ReasonLeaving || awaitsDecision(st.Reason)
}

// reach resolves scopeRefs. Until all of them are there, nobody gets the role anew.
func (r *PermissionBindingReconciler) reach(ctx context.Context, s *bindingScope) error {
	b := s.binding
	for _, ref := range b.Spec.ScopeRefs {
		d := &v1alpha1.Department{}
		err := r.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: ref.Name}, d)
		switch {
		case apierrors.IsNotFound(err):
			d = nil
		case err != nil:
			return fmt.Errorf("reading a department: %w", err)
		}
		id, p := departmentID(s.tenant.Mirror, d, ref.Name, b.Spec.AccountRef.Name)
		if p != nil {
			s.wait(problem(p.Reason, "scopeRefs: "+p.Message))
			s.scope = nil
			s.block(func(holder) bool { return true })
			return nil //nolint:nilerr // a problem is a finding, not an error
		}
		s.scope = append(s.scope, id)
	}
	return nil
}

// holds reports whether the account of this key was last seen to hold the role.
func (s *bindingScope) holds(key string) bool {
	if s.role == nil {
		return false
	}
	_, holds := s.role.holds[key]
	return holds
}

// block keeps people from getting the role anew.
func (s *bindingScope) block(who func(holder) bool) {
	for k, h := range s.people {
		if who(h) {
			s.blocked[k] = true
		}
	}
}

// sameRole reports whether two bindings are about one role, as far as their declarations tell.
func sameRole(a, b *v1alpha1.PermissionBinding) bool {
	x, y := &a.Spec.Role, &b.Spec.Role
	return a.Spec.AccountRef == b.Spec.AccountRef && x.Kind == y.Kind && x.Name == y.Name && (x.Group == y.Group || x.Group == "" || y.Group == "")
}

// wish is what the plan is asked for.
func (s *bindingScope) wish() plan.RoleWish {
	b := s.binding
	w := plan.RoleWish{
		Role: s.role.role.ID, Holders: map[string][]string{}, Minimum: max(s.floor, int(b.Spec.Protection.MinimumHolders)), Keep: slices.Concat(s.keep, b.Spec.Protection.KeepUserIDs),
		Exclusive: s.inForce() && b.Spec.Membership == v1alpha1.MembershipExclusive,
	}
	if b.Spec.Role.Kind == v1alpha1.BoundRoleAdministrator { // nobody is asked to take it from the last one
		w.Minimum = max(1, w.Minimum)
	}
	for k, h := range s.people {
		have, holds := s.role.holds[k]
		switch {
		case !s.blocked[k]:
			w.Holders[h.id] = s.scope
		case holds: // as it is: nothing is given anew
			w.Holders[h.id] = have.Scope
		}
	}
	return w
}
