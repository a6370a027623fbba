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

// approve asks for those who would gain a role of high risk, or hold it already, but not by this
// binding, so that they would gain where it reaches or how long: they keep it as it is meanwhile. Who has
// been allowed to, and lost it by somebody's hand, is not asked about again.
func (r *PermissionBindingReconciler) approve(ctx context.Context, s *bindingScope) error {
	b := s.binding
	if b.Spec.Risk != v1alpha1.RiskHigh || s.tenant == nil || s.role == nil || s.account.Spec.Mode == v1alpha1.ModeObserve {
		return nil
	}
	s.allowed = allowed(b, s.tenant.Mirror.Key)
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
		s.allow(gain)
		kube.Set(&b.Status.Conditions, b.Generation, v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.EventApproved, "approved by "+answer.Approver)
		return nil
	}
	p := problem(v1alpha1.ReasonApprovalPending, fmt.Sprintf("%d people get the role when somebody approves the Approval %s%s", len(gain), answer.Name, s.meanwhileKept(gain)))
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

// gain are the keys of those who would get the role from this binding, and have not been allowed to.
// Of the platform's own roles no binding gives anything, so that who holds one gains nothing.
func (s *bindingScope) gain() []string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(s.people)) {
		if nothing := s.role.role.BuiltIn && s.holds(k); !nothing && !s.allowed[k] && !s.blocked[k] {
			keys = append(keys, k)
		}
	}
	return keys
}

// meanwhileKept says how many of them hold the role already.
func (s *bindingScope) meanwhileKept(gain []string) string {
	n := 0
	for _, k := range gain {
		if s.holds(k) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of them hold it already, not by this binding, and keep it as it is", n)
}

// allowed are the keys of those who got the role from a binding, and, where its risk is high, were
// allowed it by somebody.
func allowed(b *v1alpha1.PermissionBinding, key func(string) string) map[string]bool {
	keys := map[string]bool{}
	for _, id := range b.Status.GrantedUserIDs {
		keys[key(id)] = true
	}
	for _, id := range b.Status.UnapprovedUserIDs {
		delete(keys, key(id))
	}
	return keys
}

func (s *bindingScope) allow(gain []string) {
	for _, k := range gain {
		s.allowed[k] = true
	}
}

// unapproved are those on record whom nobody has allowed the role by this binding.
func (s *bindingScope) unapproved() []string {
	if s.binding.Spec.Risk != v1alpha1.RiskHigh {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.binding.Status.GrantedUserIDs), func(id string) bool { return s.allowed[s.tenant.Mirror.Key(id)] })
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
