package controllers

import (
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// systemProblem is why somebody is not as declared in a linked system.
type systemProblem struct {
	*Problem
	system string
}

// linkProblems are what link_controller.go says of the linked accounts, of this very declaration, and whom it says it about.
func (s *employeeScope) linkProblems() (all []systemProblem) {
	e := s.employee
	for _, name := range employeeSystems(e) {
		st := linkStatus(e, name)
		switch {
		case st == nil && s.departed():
			continue // who never had an account there has none to leave
		case st == nil, !observed(st.ObservedGeneration, e.Generation):
			all = append(all, systemProblem{problem(v1alpha1.ReasonProgressing, "the linked account is being looked at"), name})
			continue
		case st.State == v1alpha1.LinkedUnlinked:
			continue
		}
		if len(st.Rivals) > 0 {
			s.contest(problem(v1alpha1.ReasonDataConflict, fmt.Sprintf("the account in %s, or its login, is claimed by %s, too, and refused to them; this one keeps it", name, people(st.Rivals))))
		}
		p := problemAgain(st.Reason, st.Message)
		if p == nil {
			continue
		}
		if p.Reason == v1alpha1.ReasonDataConflict {
			s.contest(&Problem{Reason: p.Reason, Message: name + ": " + p.Message, Stalled: true})
		}
		all = append(all, systemProblem{p, name})
	}
	return all
}

// linksUnderway reports whether something is under way in a linked system, or was asked for there and is not seen yet: an account may
// come of it, which must not be left unrecorded (P3).
func (r *EmployeeReconciler) linksUnderway(s *employeeScope) bool {
	e := s.employee
	for _, name := range employeeSystems(e) {
		running := r.Systems.Get(e.Namespace + "/" + name)
		if running == nil {
			continue
		}
		if st := linkStatus(e, name); st != nil && st.Origin == v1alpha1.OriginCreating {
			return true
		}
		lane := linkLaneOf(e.Name, string(e.UID))
		if _, unread := running.Lane.Outcome(lane); unread || !running.Lane.Settle(lane) {
			return true
		}
	}
	return false
}

// linksStand passes people who stand differently in a linked system.
var linksStand = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, ok1 := e.ObjectOld.(*v1alpha1.Employee)
	now, ok2 := e.ObjectNew.(*v1alpha1.Employee)
	return ok1 && ok2 && linkStand(before) != linkStand(now)
}}

// linkStand is equal while somebody stands the same in all linked systems.
func linkStand(e *v1alpha1.Employee) string {
	var b strings.Builder
	for i := range e.Status.LinkedAccounts {
		st := &e.Status.LinkedAccounts[i]
		seen := int64(-1)
		if st.ObservedGeneration != nil {
			seen = *st.ObservedGeneration
		}
		fmt.Fprintf(&b, "%s=%d,%s,%s,%s,%s,%v;", st.Name, seen, st.State, st.Origin, st.Reason, st.Message, st.Rivals)
	}
	return b.String()
}
