package controllers

import (
	"slices"
	"strings"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/leaving"
)

// unleft are the linked systems of somebody who leaves as a whole, by a policy, that no leaving is about yet. Taking one system
// off an Employee is no leaving: see link_takeoff.go.
func (s *employeeScope) unleft() (systems []string) {
	e := s.employee
	leaves := s.departed() || !e.DeletionTimestamp.IsZero() && s.policy != nil && s.policy.Spec.UnannouncedDeletion != v1alpha1.UnannouncedRetain
	if !leaves || s.policy == nil || s.problem != nil || s.ending {
		return nil
	}
	for i := range e.Status.LinkedAccounts {
		if st := &e.Status.LinkedAccounts[i]; isLinked(st) && !s.unlinkedBy(st) {
			systems = append(systems, st.Name)
		}
	}
	return systems
}

// unlinkedBy reports whether a leaving is, or was, about this linked account and this very declaration.
func (s *employeeScope) unlinkedBy(st *v1alpha1.LinkedAccountStatus) bool {
	return slices.ContainsFunc(s.leavings, func(ob v1alpha1.Offboarding) bool {
		return hasLink(&ob, systemRef{st.Name, st.SystemUID}, st.AccountID) && (!unlinkOver(&ob, st.Name) || s.sameAct(&ob) || ob.Name == st.OffboardingName && !undoneIn(&ob, st.Name))
	})
}

// hasLink reports whether a leaving is about this account of the linked system.
func hasLink(ob *v1alpha1.Offboarding, system systemRef, id string) bool {
	return slices.ContainsFunc(ob.Spec.LinkedAccounts, func(a v1alpha1.OffboardingLinkedAccount) bool {
		return a.Name == system.name && a.AccountID == id && system.is(a.SystemUID)
	})
}

// unlinkOver reports that nothing more is done by the leaving in the system.
func unlinkOver(ob *v1alpha1.Offboarding, system string) bool {
	st := unlinkStatus(ob, system)
	return isOver(ob) || st != nil && leaving.State(st.State).Over()
}

// undoneIn reports that a leaving ended in the system without the person having left there: they were declared again, or somebody
// said no. Whoever is declared anew to leave leaves it anew (P2).
func undoneIn(ob *v1alpha1.Offboarding, system string) bool {
	st := unlinkStatus(ob, system)
	if st == nil {
		return ob.Status.State == v1alpha1.OffboardingCancelled
	}
	return st.State == v1alpha1.StepState(leaving.Skipped) && (strings.HasPrefix(st.Message, cancelledWords) || strings.HasPrefix(st.Message, rejectedWords))
}
