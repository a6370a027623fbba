package controllers

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/restore"
)

// contacts are declared of the Employees who have, or would take, the user ids on the
// account. They are read when they are needed and kept nowhere (P12); what is wrong
// with them the Employee says itself.
func (r *RestoreReconciler) contacts(ctx context.Context, account *v1alpha1.EnterpriseAccount, ids []string) (map[string]restore.Contact, error) {
	found := map[string]restore.Contact{}
	for _, id := range ids {
		e, err := r.declared(ctx, account, id)
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue
		}
		c, p, err := declaredContact(ctx, r.Live, e)
		if err != nil {
			return nil, problem(v1alpha1.ReasonWaitingForContact, fmt.Sprintf("the contact data of the Employee %q could not be read, and the archive has none", e.Name))
		}
		if p == nil {
			found[id] = restore.Contact{Number: declaredNumber(e), Mobile: c.mobile, Email: c.email}
		}
	}
	return found, nil
}

// declared is the Employee who has the user id on an account, or alone would take it;
// nil if there is none, or nobody can say which.
func (r *RestoreReconciler) declared(ctx context.Context, account *v1alpha1.EnterpriseAccount, id string) (*v1alpha1.Employee, error) {
	var all v1alpha1.EmployeeList
	err := r.List(ctx, &all, client.InNamespace(account.Namespace), client.MatchingFields{indexClaim: claimKey(account.Name, id)})
	if err != nil {
		return nil, fmt.Errorf("listing who claims a user id: %w", err)
	}
	var claimants []*v1alpha1.Employee
	for i := range all.Items {
		e := &all.Items[i]
		if !e.DeletionTimestamp.IsZero() {
			continue
		}
		if st := accountStatus(e, account.Name); st != nil && isOwned(st.Origin) {
			return e, nil
		}
		claimants = append(claimants, e)
	}
	if len(claimants) != 1 {
		return nil, nil
	}
	return claimants[0], nil
}
