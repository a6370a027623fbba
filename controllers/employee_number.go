package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// number gives the person a number, once, and settles who holds it.
func (r *EmployeeReconciler) number(ctx context.Context, s *employeeScope) error {
	e := s.employee
	e.Status.PrimaryDepartment = primary(e)
	number := declaredNumber(e)
	if number == "" && s.departed() {
		return nil // there is nobody to leave
	}
	if number == "" {
		if p := r.unread(e); p != nil {
			s.wait(p)
			return nil
		}
		assigned, err := r.Numbers.Assign(ctx, e, func(n string) bool { return r.taken(ctx, e, n) })
		if p, ok := errors.AsType[*Problem](err); ok {
			s.wait(p)
			return nil
		}
		if err != nil {
			return err
		}
		number = assigned
	}
	var rivals v1alpha1.EmployeeList
	if err := r.List(ctx, &rivals, client.InNamespace(e.Namespace), client.MatchingFields{indexNumber: fold(number)}); err != nil {
		return fmt.Errorf("listing who claims the number: %w", err)
	}
	holder, claimants := e, []string{}
	for i := range rivals.Items {
		other := &rivals.Items[i]
		if other.UID == e.UID {
			continue
		}
		claimants = append(claimants, other.Name)
		if holds(other, holder) {
			holder = other
		}
	}
	switch {
	case holder.UID != e.UID:
		s.wait(problem(v1alpha1.ReasonDataConflict, fmt.Sprintf("the employee number %s is held by the older Employee %q: give this one another number", number, holder.Name)))
		s.contest(s.problem)
		return nil
	case len(claimants) > 0:
		s.contest(problem(v1alpha1.ReasonDataConflict, fmt.Sprintf("the employee number %s is claimed by %s, too, and refused to them; this one keeps it", number, people(claimants))))
	}
	e.Status.Number = number
	return nil
}

// people names Employees, always in the same words, so that nothing is written anew when nothing changed.
func people(names []string) string {
	slices.Sort(names)
	words := "the Employee"
	if len(names) > 1 {
		words = "the Employees"
	}
	return words + " " + listing(names)
}

// holds reports whether a keeps the number that b claims too: whoever was given
// it, then the older.
func holds(a, b *v1alpha1.Employee) bool {
	if (a.Status.Number != "") != (b.Status.Number != "") {
		return a.Status.Number != ""
	}
	return older(a, b)
}

// unread says which directory must be read before a number is chosen: it may
// have somebody who bears it, and whom a new person would take for an own account.
func (r *EmployeeReconciler) unread(e *v1alpha1.Employee) *Problem {
	for _, name := range employeeAccounts(e) {
		if t := r.Tenants.Get(e.Namespace + "/" + name); t == nil || !t.Mirror.State().Listed {
			return problem(v1alpha1.ReasonWaitingForNumber, fmt.Sprintf("a number is chosen as soon as the directory of EnterpriseAccount %q was read: somebody there may bear it", name))
		}
	}
	return nil
}

// taken reports whether a number that a rule would make is in use, in the
// namespace or on a platform.
func (r *EmployeeReconciler) taken(ctx context.Context, e *v1alpha1.Employee, number string) bool {
	if len(requests[v1alpha1.EmployeeList](ctx, r, e.Namespace, indexNumber, fold(number))) > 0 {
		return true
	}
	for _, name := range employeeAccounts(e) {
		t := r.Tenants.Get(e.Namespace + "/" + name)
		if t != nil && (t.Mirror.Account(number) != nil || len(t.Mirror.Numbered(number)) > 0) {
			return true
		}
	}
	return false
}
