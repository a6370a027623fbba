package controllers

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/plan"
)

// summarize writes what was decided into the status.
func (s *employeeScope) summarize() {
	e := s.employee
	e.Status.Accounts = nil
	worst, ready := s.problem, 0
	if worst == nil && s.unruled() {
		worst = s.noPolicy
	}
	settled := worst != nil // it goes before what is said of single accounts
	var states []v1alpha1.AccountState
	for _, a := range s.accounts {
		a.summarize()
		if a.problem == nil {
			ready++
		} else if !settled {
			worst = worse(worst, a.problem, a.status.Name)
		}
		states = append(states, a.status.State)
		e.Status.Accounts = append(e.Status.Accounts, a.status)
	}
	for _, a := range s.off {
		a.summarize()
		if a.problem != nil && a.problem.Reason == v1alpha1.ReasonLeaving && !settled {
			worst = worse(worst, a.problem, a.status.Name)
		}
		e.Status.Accounts = append(e.Status.Accounts, a.status)
	}
	for _, p := range s.linkProblems() {
		if !settled {
			worst = worse(worst, p.Problem, p.system)
		}
	}
	e.Status.State = overall(states)
	e.Status.AccountsReady = fmt.Sprintf("%d/%d", ready, len(s.accounts))
	e.Status.ObservedGeneration = &e.Generation
	words := "every account is as declared"
	if s.departed() {
		words = "the person has left"
	}
	kube.Summarize(&e.Status.Conditions, e.Generation, summaryOf(worst, words))
	s.sayUnique()
}

// unruled reports whether somebody has departed and no policy says how: what can be frozen is, and more is waited for. A
// leaving that has begun, or was rejected, needs no policy any more.
func (s *employeeScope) unruled() bool {
	return s.departed() && s.policy == nil && slices.ContainsFunc(s.accounts, func(a *employeeAccount) bool {
		if p := a.problem; p != nil && (p.Reason == v1alpha1.ReasonLeaving || p.Reason == v1alpha1.ReasonApprovalRejected) {
			return false
		}
		return isOwned(a.status.Origin) || a.planned && a.plan.Record.Origin.Owned()
	})
}

func (a *employeeAccount) summarize() {
	st := &a.status
	if a.planned {
		st.Differences = differences(&a.plan)
	}
	// What Observe merely would do leaves no record.
	if a.planned && (!a.observe || len(a.plan.Actions) == 0) {
		r := a.plan.Record
		st.UserID, st.Origin, st.AppliedVersion = r.ID, v1alpha1.Origin(r.Origin), r.Applied
		st.IgnoredFields = r.Ignored.Names()
		switch {
		case r.FrozenByUs:
			st.FrozenBy = v1alpha1.FrozenByRollcall
		case st.State == v1alpha1.AccountFrozen:
			st.FrozenBy = v1alpha1.FrozenByOther
		default:
			st.FrozenBy = ""
		}
	}
	st.Reason, st.Message = inWords(a.problem)
}

// overall is the state that all accounts share.
func overall(states []v1alpha1.AccountState) string {
	if len(states) == 0 {
		return ""
	}
	for _, st := range states {
		if st != states[0] {
			return "Mixed"
		}
	}
	return string(states[0])
}

func (s *employeeScope) sayUnique() {
	e := s.employee
	if s.unique == nil {
		kube.Set(&e.Status.Conditions, e.Generation, v1alpha1.ConditionUnique, metav1.ConditionTrue, v1alpha1.ReasonInSync, "nobody else claims the number or a user id")
		return
	}
	kube.Set(&e.Status.Conditions, e.Generation, v1alpha1.ConditionUnique, metav1.ConditionFalse, s.unique.Reason, kube.Coded(s.unique.Reason, s.unique.Message))
}

// announce sends events on transitions: when the person comes to need somebody,
// or no longer does; when access is taken or given back; when an account is
// adopted, or forgotten while an invitation is open; when something that was in
// order was put right.
func (r *EmployeeReconciler) announce(before *v1alpha1.Employee, s *employeeScope) {
	e := s.employee
	announce(r.Recorder, e, before.Status.Conditions, e.Status.Conditions)
	r.announceForgotten(before, e)
	for _, a := range s.accounts {
		// The account keeps events about several from being counted as one.
		on := &v1alpha1.EnterpriseAccount{ObjectMeta: metav1.ObjectMeta{Namespace: a.key.Namespace, Name: a.key.Name}}
		tell := func(reason, action, format string, args ...any) {
			r.Recorder.Eventf(e, on, corev1.EventTypeNormal, reason, action, format, args...)
		}
		old := accountStatus(before, a.status.Name)
		if a.status.Origin == v1alpha1.OriginAdopted && (old == nil || old.Origin != v1alpha1.OriginAdopted) {
			tell(v1alpha1.EventAdopted, "Adopt", "adopted the account %s on %s", a.status.UserID, a.status.Name)
		}
		if a.outcome == nil {
			continue
		}
		for _, kind := range a.outcome.Done {
			switch {
			case kind == plan.Freeze:
				tell(v1alpha1.EventFrozen, "Freeze", "froze the account %s on %s", a.status.UserID, a.status.Name)
			case kind == plan.Unfreeze:
				tell(v1alpha1.EventUnfrozen, "Unfreeze", "unfroze the account %s on %s", a.status.UserID, a.status.Name)
			case kind == plan.Update && old != nil && len(old.Differences) > 0 && old.AppliedVersion == a.version:
				tell(v1alpha1.EventUpdated, "Update", "put right on %s: %s", a.status.Name, strings.Join(old.Differences, ", "))
			}
		}
	}
}

// announceForgotten tells of invitations that are open to accounts that the person was taken off.
func (r *EmployeeReconciler) announceForgotten(before, e *v1alpha1.Employee) {
	for _, old := range before.Status.Accounts {
		if old.State == v1alpha1.AccountInvited && accountStatus(e, old.Name) == nil {
			r.tellInvited(e, old.Name, "TakeOff")
		}
	}
}
