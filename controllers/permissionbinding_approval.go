package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// The actions of subjects of Approvals about bindings.
const (
	actionGrant = "Grant"
	actionKeep  = "Keep"
)

// kindBinding is the kind of the subject that is the binding itself.
const kindBinding = "PermissionBinding"

// approve asks for those who would gain a role of high risk. Who holds it, or has been allowed
// to and lost it by somebody's hand, is not asked about again.
func (r *PermissionBindingReconciler) approve(ctx context.Context, s *bindingScope) error {
	b := s.binding
	if b.Spec.Risk != v1alpha1.RiskHigh || s.tenant == nil || s.role == nil || s.account.Spec.Mode == v1alpha1.ModeObserve {
		return nil
	}
	gain := s.gain()
	if len(gain) == 0 {
		if s.inForce() {
			kube.Set(&b.Status.Conditions, b.Generation, v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonInSync, "nobody waits to be allowed the role")
		}
		return r.withdraw(ctx, b, b.Status.ApprovalName)
	}
	gain, later := askable(gain)
	for _, k := range later { // they are asked about when these are decided
		s.blocked[k] = true
	}
	subjects := []v1alpha1.ApprovalSubject{{UID: string(b.UID), Kind: kindBinding, Name: b.Name, Action: actionGrant}}
	for _, k := range gain {
		subjects = append(subjects, subjectOf(s.people[k], actionGrant))
	}
	answer, err := r.Approvals.Ask(ctx, Question{
		Namespace: b.Namespace, Account: b.Spec.AccountRef.Name, Purpose: v1alpha1.ApprovalGrant, Requesters: b.Spec.Requesters, Groups: b.Spec.ApproverGroups,
		Summary:  fmt.Sprintf("give the role %s to %d people, %s: %s", b.Spec.Role.Name, len(gain), termsInWords(b), b.Spec.Reason),
		Subjects: subjects,
	})
	if err != nil {
		return err
	}
	if old := b.Status.ApprovalName; old != answer.Name {
		if err := r.withdraw(ctx, b, old); err != nil {
			return err
		}
	}
	b.Status.ApprovalName = answer.Name
	if answer.State == v1alpha1.ApprovalApproved {
		b.Status.ApprovedBy = answer.Approver
		kube.Set(&b.Status.Conditions, b.Generation, v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.EventApproved, "approved by "+answer.Approver)
		return nil
	}
	p := problem(v1alpha1.ReasonApprovalPending, fmt.Sprintf("%d people get the role when somebody approves the Approval %s", len(gain), answer.Name))
	if answer.State == v1alpha1.ApprovalRejected {
		p = problem(v1alpha1.ReasonApprovalRejected, fmt.Sprintf("%s rejected that %d people get the role: take them out of the binding", answer.Approver, len(gain)))
	}
	kube.Set(&b.Status.Conditions, b.Generation, v1alpha1.ConditionApproved, metav1.ConditionFalse, p.Reason, kube.Coded(p.Reason, p.Message))
	s.wait(p)
	for _, k := range gain {
		s.blocked[k] = true
	}
	return nil
}

// askable are as many as one Approval lists beside the binding, and the others.
func askable(gain []string) (now, later []string) {
	n := min(len(gain), maxSubjects-1)
	return gain[:n], gain[n:]
}

// termsInWords say where the role reaches and how long, neither of which gets wider once somebody
// has approved it: the CRD holds that.
func termsInWords(b *v1alpha1.PermissionBinding) string {
	reach := "in the whole company"
	if n := len(b.Spec.ScopeRefs); n > 0 {
		names := make([]string, 0, n)
		for _, ref := range b.Spec.ScopeRefs[:min(n, 10)] {
			names = append(names, ref.Name)
		}
		reach = fmt.Sprintf("in %d departments (%s)", n, strings.Join(names, ", "))
	}
	if to := b.Spec.ExpiresAt; to != nil {
		return reach + ", until " + to.UTC().Format(time.RFC3339)
	}
	return reach + ", without an end"
}

// gain are the keys of those who would get the role anew, and have not been allowed to.
func (s *bindingScope) gain() []string {
	allowed := map[string]bool{}
	for _, id := range s.binding.Status.GrantedUserIDs {
		allowed[s.tenant.Mirror.Key(id)] = true
	}
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(s.people)) {
		if !s.holds(k) && !allowed[k] && !s.blocked[k] {
			keys = append(keys, k)
		}
	}
	return keys
}

func subjectOf(h holder, action string) v1alpha1.ApprovalSubject {
	return v1alpha1.ApprovalSubject{UID: string(h.employee.UID), Kind: "Employee", Name: h.employee.Name, Number: declaredNumber(h.employee), Action: action}
}

// withdraw ends what is asked in an Approval of the binding and not decided.
func (r *PermissionBindingReconciler) withdraw(ctx context.Context, b *v1alpha1.PermissionBinding, name string) error {
	if name == "" {
		return nil
	}
	apv := &v1alpha1.Approval{}
	key := client.ObjectKey{Namespace: b.Namespace, Name: name}
	if err := r.Get(ctx, key, apv); err != nil || !isUndecided(apv) {
		return client.IgnoreNotFound(err)
	}
	return r.Approvals.withdraw(ctx, key)
}
