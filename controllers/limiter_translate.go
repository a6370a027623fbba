package controllers

import (
	"context"
	"fmt"
	"strings"
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

// systemPrefix tells a LinkedSystem among EnterpriseAccounts, wherever one of the two is named: no account has such a name.
const systemPrefix = "linkedsystem/"

// systemLabel is a LinkedSystem among EnterpriseAccounts.
func systemLabel(key types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: key.Namespace, Name: systemPrefix + key.Name}
}

// systemNamed is the LinkedSystem that a label is about, if it is about one.
func systemNamed(label types.NamespacedName) (key types.NamespacedName, is bool) {
	name, is := strings.CutPrefix(label.Name, systemPrefix)
	return types.NamespacedName{Namespace: label.Namespace, Name: name}, is
}

// originOn says how the person's account came to be ours.
func originOn(e *v1alpha1.Employee, account types.NamespacedName) v1alpha1.Origin {
	if system, is := systemNamed(account); is {
		if st := linkStatus(e, system.Name); st != nil {
			return st.Origin
		}
		return ""
	}
	if st := accountStatus(e, account.Name); st != nil {
		return st.Origin
	}
	return ""
}

// originLeft says how an account that somebody leaves came to be ours.
func originLeft(ob *v1alpha1.Offboarding, account types.NamespacedName) v1alpha1.Origin {
	if system, is := systemNamed(account); is {
		if spec, _ := unlinkingIn(ob, system.Name); spec != nil {
			return spec.Origin
		}
		return ""
	}
	for i := range ob.Spec.Accounts {
		if ob.Spec.Accounts[i].Name == account.Name {
			return ob.Spec.Accounts[i].Origin
		}
	}
	return ""
}

// linkRemoval is what an Employee's status says of access to a linked system that is to end: by a freeze, or because the
// system was taken off the person.
func linkRemoval(e *v1alpha1.Employee, system string) removal {
	r := removal{Candidate: Candidate{UID: e.UID, Kind: "Employee", Name: e.Name, Number: declaredNumber(e), Action: actionFreeze}}
	off := linkSpec(e, system) == nil
	if off {
		r.Action = actionLeave
	}
	s := linkStatus(e, system)
	if s == nil {
		return r
	}
	if s.AdmittedTime != nil {
		r.admitted, r.by = s.AdmittedTime.Time, s.AdmittedBy
		return r
	}
	wanted := e.DeletionTimestamp.IsZero() && (off || e.Spec.State == v1alpha1.EmployeeFrozen || e.Spec.State == v1alpha1.EmployeeDeparted)
	r.held = wanted && s.Reason == v1alpha1.ReasonRemovalLimit
	r.rejected = wanted && s.Reason == v1alpha1.ReasonApprovalRejected
	return r
}

// unlinkRemoval is what an Offboarding's status says of the linked system.
func unlinkRemoval(ob *v1alpha1.Offboarding, system string) removal {
	r := removal{Candidate: Candidate{UID: ob.UID, Kind: "Offboarding", Name: ob.Name, Number: ob.Spec.Number, Action: actionLeave}}
	_, s := unlinkingIn(ob, system)
	if s == nil {
		return r
	}
	if s.AdmittedTime != nil {
		r.admitted, r.by = s.AdmittedTime.Time, s.AdmittedBy
		return r
	}
	wanted := !isOver(ob) && ob.Status.State != v1alpha1.OffboardingCancelling && ob.DeletionTimestamp.IsZero()
	r.held = wanted && s.Reason == v1alpha1.ReasonRemovalLimit
	return r
}

// employeeRemoval is what an Employee's status says of the freeze on the account.
func employeeRemoval(e *v1alpha1.Employee, account string) removal {
	if system, is := strings.CutPrefix(account, systemPrefix); is {
		return linkRemoval(e, system)
	}
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
	if system, is := strings.CutPrefix(account, systemPrefix); is {
		return unlinkRemoval(ob, system)
	}
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
	for i := range e.Status.LinkedAccounts {
		name := e.Status.LinkedAccounts[i].Name
		if r := linkRemoval(e, name); r.matters() {
			accounts = append(accounts, systemPrefix+name)
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
	for i := range ob.Status.LinkedAccounts {
		name := ob.Status.LinkedAccounts[i].Name
		if r := unlinkRemoval(ob, name); r.matters() {
			accounts = append(accounts, systemPrefix+name)
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
	people := []client.ListOption{in, inactive}
	if _, is := systemNamed(account); is {
		people = people[:1] // who is taken off a system stays active
	}
	var employees v1alpha1.EmployeeList
	err = eachPage(ctx, l.Live, &employees, func() {
		for i := range employees.Items {
			found = append(found, employeeRemoval(&employees.Items[i], account.Name))
		}
	}, people...)
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
