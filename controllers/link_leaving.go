package controllers

import (
	"context"
	"fmt"
	"slices"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/plan"
)

// past reads what is known of the person's leavings, and whether a policy says how they leave now. Whose number is merely claimed,
// and may be refused, has none: what somebody else has left is never theirs (P4).
func (r *LinkReconciler) past(ctx context.Context, s *linkScope) error {
	e := s.employee
	if number := e.Status.Number; number != "" {
		all, err := r.Leavings.Numbered(ctx, e.Namespace, number)
		if err != nil {
			return err
		}
		openFirst(all)
		s.leavings = all
	}
	departed, deleted := e.Spec.State == v1alpha1.EmployeeDeparted, !e.DeletionTimestamp.IsZero()
	if !departed && !deleted {
		return nil
	}
	policy, _, err := offboardingPolicy(ctx, r.Client, e)
	if s.unruled = policy == nil; err != nil || !deleted || !leavesBy(policy, departed) || !freezesBy(policy, departed) {
		return err
	}
	s.ending, err = namespaceEnds(ctx, r.Live, e.Namespace)
	s.unruled = s.ending
	return err
}

// leaves reports whether nothing is wished of the person but that access ends.
func (s *linkScope) leaves() bool {
	return s.employee.Spec.State == v1alpha1.EmployeeDeparted || !s.employee.DeletionTimestamp.IsZero()
}

// leavingOf is the leaving that unlinks the person from the system: the one that is not over there, else the one that the status names,
// else the newest; nil if there was none.
func (s *linkScope) leavingOf(system string) (ob *v1alpha1.Offboarding) {
	st := linkStatus(s.employee, system)
	named := func(ob *v1alpha1.Offboarding) bool { return st != nil && ob.Name == st.OffboardingName }
	for i := range s.leavings {
		switch other := &s.leavings[i]; {
		case !slices.Contains(offboardingSystems(other), system):
		case !unlinkOver(other, system):
			return other
		case ob == nil || named(other) || !named(ob) && other.CreationTimestamp.After(ob.CreationTimestamp.Time):
			ob = other
		}
	}
	return ob
}

// unlinkingIn is what an Offboarding is to unlink in the system, and how far that is; nil if nothing is known.
func unlinkingIn(ob *v1alpha1.Offboarding, system string) (spec *v1alpha1.OffboardingLinkedAccount, at *v1alpha1.UnlinkStatus) {
	for i := range ob.Spec.LinkedAccounts {
		if ob.Spec.LinkedAccounts[i].Name == system {
			spec = &ob.Spec.LinkedAccounts[i]
		}
	}
	for i := range ob.Status.LinkedAccounts {
		if ob.Status.LinkedAccounts[i].Name == system {
			at = &ob.Status.LinkedAccounts[i]
		}
	}
	return spec, at
}

// follow takes over how an account stands that a leaving unlinks. Nothing is written to it from here until that is over; what goes on
// elsewhere keeps nobody from it (P11), nor is it taken for a leaving of whoever came back meanwhile and leaves again (P2).
func (l *personLink) follow(declared bool) bool {
	ob := l.leaving
	if ob == nil || unlinkOver(ob, l.status.Name) {
		return false
	}
	_, at := unlinkingIn(ob, l.status.Name)
	if at != nil {
		if at.DisabledBy != "" {
			l.status.DisabledBy = at.DisabledBy
		}
		if at.DisabledTime != nil {
			l.status.State = v1alpha1.LinkedDisabled
		}
	}
	if declared {
		l.problem = problem(v1alpha1.ReasonOffboardingEnding, fmt.Sprintf("the person is declared again: waiting until the Offboarding %q has ended; %s", ob.Name, unlinkingWords(at)))
	} else {
		l.problem = problem(v1alpha1.ReasonLeaving, fmt.Sprintf("by the Offboarding %q: %s", ob.Name, unlinkingWords(at)))
	}
	l.status.Differences, l.status.OffboardingName, l.status.Rivals = nil, ob.Name, nil
	return true
}

// unlinkingWords says how far a leaving is in the system.
func unlinkingWords(at *v1alpha1.UnlinkStatus) string {
	phases := map[v1alpha1.UnlinkPhase]string{
		v1alpha1.UnlinkPhaseDisable: "the account is being disabled", v1alpha1.UnlinkPhaseUnlink: "the account is disabled, and waits to be unlinked",
		v1alpha1.UnlinkPhaseDelete: "the account is disabled, and is being deleted", v1alpha1.UnlinkPhaseCheck: "looking for what is left of the account",
	}
	switch {
	case at == nil || at.Phase == "" && at.Message == "":
		return "unlinking begins"
	case at.Message == "":
		return phases[at.Phase]
	case at.Phase == "":
		return at.Message
	}
	return phases[at.Phase] + " (" + at.Message + ")"
}

// wasDeleted reports whether a leaving has deleted the account.
func wasDeleted(spec *v1alpha1.OffboardingLinkedAccount, at *v1alpha1.UnlinkStatus) bool {
	return at != nil && spec.OnLeave == v1alpha1.UnlinkDelete && at.Phase == v1alpha1.UnlinkPhaseCheck
}

// wasLeft reports whether the record is that of somebody whom a leaving has unlinked, or was to.
func (l *personLink) wasLeft() bool {
	st, ob := &l.status, l.leaving
	return ob != nil && st.OffboardingName == ob.Name || st.State == v1alpha1.LinkedUnlinked && st.OffboardingName != ""
}

// isGone reports whether an account is proved not to be there.
func (l *personLink) isGone(id string) bool { return l.running != nil && l.running.Mirror.Absent(id) }

// inherit takes over, once, what a leaving that is over has left to somebody who is declared again: the account by its stored
// id, never by its name (P3), or nothing where it was deleted, or is lost to somebody else (P4).
func (l *personLink) inherit(lost bool) {
	st, ob := &l.status, l.leaving
	left := l.wasLeft()
	st.OffboardingName = ""
	if ob == nil || (!left && st.Origin != "") {
		return
	}
	spec, at := unlinkingIn(ob, st.Name)
	other := !pins(l.declared, spec)
	if lost || other || wasDeleted(spec, at) || foreign(spec.SystemUID, l.system) { // ids of another system say nothing here
		if left && (!other || !undoneIn(ob, st.Name)) { // what was not left has to be taken off first
			*st = v1alpha1.LinkedAccountStatus{Name: st.Name, State: v1alpha1.LinkedWaiting}
		}
		return
	}
	if !left && l.isGone(spec.AccountID) {
		return // it is gone, and whoever was told so has let it go: it does not come back for ever
	}
	if st.Origin == "" {
		*st = v1alpha1.LinkedAccountStatus{Name: st.Name, State: v1alpha1.LinkedWaiting, AccountID: spec.AccountID, SystemUID: spec.SystemUID, Origin: spec.Origin}
	}
	if wasDisabled(spec, at) {
		st.DisabledBy = v1alpha1.FrozenByRollcall
	}
}

// pins reports whether somebody is declared to have this account, as far as it is declared.
func pins(l *v1alpha1.LinkedAccount, left *v1alpha1.OffboardingLinkedAccount) bool {
	return l.AccountID == "" || l.AccountID == left.AccountID
}

// wasDisabled reports whether the account was disabled by us, by a leaving or before it.
func wasDisabled(spec *v1alpha1.OffboardingLinkedAccount, at *v1alpha1.UnlinkStatus) bool {
	return spec.DisabledBy == v1alpha1.FrozenByRollcall || at != nil && at.DisabledBy == v1alpha1.FrozenByRollcall
}

// depart decides about an account of somebody who has departed, or is being deleted: a leaving unlinks it. Where no policy says how
// somebody leaves who was declared to, only access ends.
func (r *LinkReconciler) depart(ctx context.Context, s *linkScope, l *personLink) error {
	ob := l.leaving
	switch {
	case l.follow(false):
		return nil
	case l.wasLeftBy(ob) || ob != nil && s.isOf(ob):
		l.conclude(ob)
		r.claims.want(s.employee, l.key.Name) // nothing any more
		return nil
	case s.unlinksLater() && l.status.Origin != v1alpha1.OriginCreating:
		return r.lookUp(s, l)
	case l.status.Origin == "" && l.status.State != v1alpha1.LinkedUnlinked && l.running == nil:
		l.status.Name = "" // nobody is there who would have to leave
		return nil
	case l.status.State == v1alpha1.LinkedUnlinked:
		return r.keep(ctx, s, l)
	case isOwned(l.status.Origin) && !s.unruled:
		l.status.OffboardingName, l.problem = "", problem(v1alpha1.ReasonLeaving, "the leaving begins")
		return r.lookUp(s, l)
	}
	return r.converge(ctx, s, l)
}

// unlinksLater reports that whoever is deleted is unlinked by a leaving, or stays.
func (s *linkScope) unlinksLater() bool { return !s.employee.DeletionTimestamp.IsZero() && !s.ending }

// isOf reports whether a leaving is of this very declaration.
func (s *linkScope) isOf(ob *v1alpha1.Offboarding) bool {
	e := s.employee
	return ob.Spec.EmployeeUID == string(e.UID) && (ob.Spec.RequestedBy.Generation == e.Generation || ob.Spec.Trigger == v1alpha1.TriggerDeleted)
}

// wasLeftBy reports whether the record is that of an account which a leaving was about, to its end.
func (l *personLink) wasLeftBy(ob *v1alpha1.Offboarding) bool {
	return ob != nil && l.status.OffboardingName == ob.Name && unlinkOver(ob, l.status.Name) && !undoneIn(ob, l.status.Name)
}

// conclude says how an account stands that a leaving was about. It is not ours any more, unless the leaving was undone.
func (l *personLink) conclude(ob *v1alpha1.Offboarding) {
	if undoneIn(ob, l.status.Name) {
		if isOwned(l.status.Origin) {
			l.problem = rejected(ob)
		}
		return
	}
	id, state := l.status.AccountID, v1alpha1.LinkedUnlinked
	if _, at := unlinkingIn(ob, l.status.Name); at != nil && at.DisabledTime == nil && at.State == v1alpha1.StepState(leaving.Skipped) {
		state = l.status.State // retained: it can be used
	}
	l.status = v1alpha1.LinkedAccountStatus{Name: l.status.Name, AccountID: id, State: state, OffboardingName: ob.Name}
}

// lookUp takes over what the last task came to, and has none begin: no account is left unrecorded (P3).
func (r *LinkReconciler) lookUp(s *linkScope, l *personLink) error {
	if l.running == nil {
		return nil
	}
	l.running.Lane.Settle(s.lane)
	if record := l.folded(s.lane); l.outcome != nil {
		l.recordIn(record)
	}
	return nil
}

// comeBack takes over what a leaving has left to somebody who is declared, or waits until that is over.
func (r *LinkReconciler) comeBack(ctx context.Context, s *linkScope, l *personLink) (waits bool, err error) {
	if l.follow(true) {
		return true, nil
	}
	lost, err := r.lost(ctx, s.employee, l)
	if err != nil {
		return false, err
	}
	if l.inherit(lost); l.status.State == v1alpha1.LinkedUnlinked {
		l.status.State = v1alpha1.LinkedWaiting // it is wanted again, whatever is known of the system
	}
	return false, nil
}

// restrain keeps a plan for somebody who has departed without a policy, or goes with the namespace, to what takes nothing but
// access, and for anybody else to looking what is there: an account that turns out to be ours is left by the policy, with the
// approvals that it wants (P7). Where nothing can be read, asking again with the key of a creation that was not answered is how that is
// looked: without the id nobody can disable it.
func (l *personLink) restrain(s *linkScope, asked bool) {
	if !s.leaves() {
		return
	}
	p, later, disables := &l.plan, s.unlinksLater() || !s.unruled, false
	may := map[plan.Kind]bool{plan.Confirm: true, plan.Find: true, plan.Create: asked, plan.Disable: !later}
	p.Actions = slices.DeleteFunc(p.Actions, func(a plan.LinkAction) bool {
		disables = disables || a.Kind == plan.Disable
		return !may[a.Kind]
	})
	p.Differ = nil
	switch {
	case p.Hold != nil && p.Hold.Reason == plan.WaitingForAccount:
		p.Hold = nil // nobody is there who would have to leave
	case later && disables:
		p.Record.DisabledByUs, p.StateDiffers = l.before.DisabledByUs, false
	}
	if later && p.Record.Origin.Owned() && len(p.Actions) == 0 {
		p.Hold = &plan.Hold{Reason: v1alpha1.ReasonLeaving, Message: "the leaving begins"}
	}
}
