package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/directory"
)

// declared is what their Employees say of people of whom an archive lacks something. It is
// read when it is needed and kept nowhere (P12); what is wrong with it the Employee says itself.
func (r *RestoreReconciler) declared(ctx context.Context, w *restoreWork, lacking []restore.Lack) (map[string]restore.Declared, error) {
	found := map[string]restore.Declared{}
	for _, l := range lacking {
		e, err := r.employee(ctx, w, l)
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue
		}
		d := restore.Declared{Number: declaredNumber(e)}
		if l.Fields&restore.ContactFields != 0 {
			c, p, err := declaredContact(ctx, r.Live, e)
			if err != nil {
				return nil, problem(v1alpha1.ReasonWaitingForContact, fmt.Sprintf("the contact data of the Employee %q could not be read, and the archive has none", e.Name))
			}
			if p == nil {
				d.Mobile, d.Email = c.mobile, c.email
			}
		}
		if l.Fields.Has(directory.FieldPrimaryDepartment) {
			if d.Primary, err = r.primary(ctx, w, e); err != nil {
				return nil, err
			}
		}
		found[l.ID] = d
	}
	return found, nil
}

// employee is whose account it was, or is to be; nil if nobody can say. Who moves to another
// account is found by the one that the archive is of, if they bear the same number: an archive
// may be of another tenant under the same name, and somebody else's data is not theirs (P4).
func (r *RestoreReconciler) employee(ctx context.Context, w *restoreWork, l restore.Lack) (*v1alpha1.Employee, error) {
	e, err := r.claims(ctx, w.restore.Namespace, claimKey(w.restore.Status.Target, l.TargetID))
	if e == nil && err == nil {
		e, err = r.claims(ctx, w.restore.Namespace, claimKey(w.backup.Spec.AccountRef.Name, l.ID))
		if e != nil && (l.Number == "" || fold(l.Number) != fold(declaredNumber(e))) {
			e = nil
		}
	}
	return e, err
}

// claims is the Employee who has a user id on an account, or alone would take it; nil if
// there is none, or nobody can say which.
func (r *RestoreReconciler) claims(ctx context.Context, namespace, claim string) (*v1alpha1.Employee, error) {
	var all v1alpha1.EmployeeList
	if err := r.List(ctx, &all, client.InNamespace(namespace), client.MatchingFields{indexClaim: claim}); err != nil {
		return nil, fmt.Errorf("listing who claims a user id: %w", err)
	}
	var claimants []*v1alpha1.Employee
	for i := range all.Items {
		e := &all.Items[i]
		if !e.DeletionTimestamp.IsZero() {
			continue
		}
		for j := range e.Status.Accounts {
			if st := &e.Status.Accounts[j]; isOwned(st.Origin) && claimKey(st.Name, st.UserID) == claim {
				return e, nil
			}
		}
		claimants = append(claimants, e)
	}
	if len(claimants) != 1 {
		return nil, nil
	}
	return claimants[0], nil
}

// primary is the id of somebody's main department on the account that the archive is of.
func (r *RestoreReconciler) primary(ctx context.Context, w *restoreWork, e *v1alpha1.Employee) (string, error) {
	name := primary(e)
	if name == "" {
		return "", nil
	}
	var d v1alpha1.Department
	err := r.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: name}, &d)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the main department of an Employee: %w", err)
	}
	if st := departmentStatus(&d, w.backup.Spec.AccountRef.Name); st != nil {
		return st.DepartmentID, nil
	}
	return "", nil
}
