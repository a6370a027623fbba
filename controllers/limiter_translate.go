package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// removal is what is recorded of somebody who loses access to an account, or waits to.
type removal struct {
	Candidate
	// admitted is when it was let begin, by this Approval beyond the limits; zero if it was not.
	admitted time.Time
	by       string
	// held: it waits, because of the limits.
	held bool
	// rejected: somebody said no, and it is still declared.
	rejected bool
}

// What an Approval says that waits.
const (
	actionFreeze = "Freeze"
	actionLeave  = "Leave"
)

// employeeRemoval is what an Employee's status says of the freeze on the account.
func employeeRemoval(e *v1alpha1.Employee, account string) removal {
	r := removal{Candidate: Candidate{UID: e.UID, Kind: "Employee", Name: e.Name, Number: declaredNumber(e), Action: actionFreeze}}
	s := accountStatus(e, account)
	if s == nil {
		return r
	}
	if s.AdmittedTime != nil {
		r.admitted, r.by = s.AdmittedTime.Time, s.AdmittedBy
		return r
	}
	// Who is declared active again, or is being deleted, waits no longer: the status will say so.
	wanted := e.Spec.State == v1alpha1.EmployeeFrozen && e.DeletionTimestamp.IsZero()
	r.held = wanted && s.Reason == v1alpha1.ReasonRemovalLimit
	r.rejected = wanted && s.Reason == v1alpha1.ReasonApprovalRejected
	return r
}

// offboardingRemoval is what an Offboarding's status says of the account.
func offboardingRemoval(ob *v1alpha1.Offboarding, account string) removal {
	r := removal{Candidate: Candidate{UID: ob.UID, Kind: "Offboarding", Name: ob.Name, Number: ob.Spec.Number, Action: actionLeave}}
	for i := range ob.Status.Accounts {
		s := &ob.Status.Accounts[i]
		if s.Name != account {
			continue
		}
		if s.AdmittedTime != nil {
			r.admitted, r.by = s.AdmittedTime.Time, s.AdmittedBy
			return r
		}
		wanted := !isOver(ob) && ob.Status.State != v1alpha1.OffboardingCancelling && ob.DeletionTimestamp.IsZero()
		r.held = wanted && s.Reason == v1alpha1.ReasonRemovalLimit
	}
	return r
}

func (r *removal) matters() bool { return !r.admitted.IsZero() || r.held || r.rejected }

func employeeRemovals(e *v1alpha1.Employee) (accounts []string) {
	for _, s := range e.Status.Accounts {
		if r := employeeRemoval(e, s.Name); r.matters() {
			accounts = append(accounts, s.Name)
		}
	}
	return accounts
}

func offboardingRemovals(ob *v1alpha1.Offboarding) (accounts []string) {
	for _, s := range ob.Status.Accounts {
		if r := offboardingRemoval(ob, s.Name); r.matters() {
			accounts = append(accounts, s.Name)
		}
	}
	return accounts
}

// inactive are the Employees whom the API server is asked for when only those count who are
// declared to have no access.
var inactive = client.MatchingFieldsSelector{Selector: fields.AndSelectors(
	fields.OneTermNotEqualSelector("spec.state", ""), fields.OneTermNotEqualSelector("spec.state", string(v1alpha1.EmployeeActive)),
)}

// shown is what the cache shows to be recorded of the account.
func (l *Limiter) shown(ctx context.Context, account types.NamespacedName) (found []removal, err error) {
	on := []client.ListOption{client.InNamespace(account.Namespace), client.MatchingFields{indexRemoval: account.Name}, client.UnsafeDisableDeepCopy}
	var employees v1alpha1.EmployeeList
	if err := l.List(ctx, &employees, on...); err != nil {
		return nil, fmt.Errorf("listing Employees: %w", err)
	}
	for i := range employees.Items {
		found = append(found, employeeRemoval(&employees.Items[i], account.Name))
	}
	var leaving v1alpha1.OffboardingList
	if err := l.List(ctx, &leaving, on...); err != nil {
		return nil, fmt.Errorf("listing Offboardings: %w", err)
	}
	for i := range leaving.Items {
		found = append(found, offboardingRemoval(&leaving.Items[i], account.Name))
	}
	return found, nil
}

// recorded reads what is recorded of the account past the cache, of people in these states.
func (l *Limiter) recorded(ctx context.Context, account types.NamespacedName) (found []removal, err error) {
	in := client.InNamespace(account.Namespace)
	var employees v1alpha1.EmployeeList
	err = eachPage(ctx, l.Live, &employees, func() {
		for i := range employees.Items {
			found = append(found, employeeRemoval(&employees.Items[i], account.Name))
		}
	}, in, inactive)
	if err != nil {
		return nil, fmt.Errorf("reading Employees: %w", err)
	}
	var leaving v1alpha1.OffboardingList
	err = eachPage(ctx, l.Live, &leaving, func() {
		for i := range leaving.Items {
			found = append(found, offboardingRemoval(&leaving.Items[i], account.Name))
		}
	}, in)
	if err != nil {
		return nil, fmt.Errorf("reading Offboardings: %w", err)
	}
	return found, nil
}

// pageSize is how many objects are read past the cache at once.
const pageSize = 500

// eachPage reads a long list page by page into the same object.
func eachPage(ctx context.Context, from client.Reader, into client.ObjectList, visit func(), options ...client.ListOption) error {
	for {
		if err := from.List(ctx, into, append(options, client.Limit(pageSize), client.Continue(into.GetContinue()))...); err != nil {
			return err
		}
		if visit(); into.GetContinue() == "" {
			return nil
		}
	}
}

// recordedOf reads what is recorded of a candidate, past the cache.
func (l *Limiter) recordedOf(ctx context.Context, account types.NamespacedName, c Candidate) (removal, error) {
	name := types.NamespacedName{Namespace: account.Namespace, Name: c.Name}
	var found removal
	var err error
	if c.Kind == "Employee" {
		e := &v1alpha1.Employee{}
		if err = l.Live.Get(ctx, name, e); err == nil && e.UID == c.UID {
			found = employeeRemoval(e, account.Name)
		}
	} else {
		ob := &v1alpha1.Offboarding{}
		if err = l.Live.Get(ctx, name, ob); err == nil && ob.UID == c.UID {
			found = offboardingRemoval(ob, account.Name)
		}
	}
	if client.IgnoreNotFound(err) != nil {
		return removal{}, fmt.Errorf("reading what is recorded: %w", err)
	}
	return found, nil
}
