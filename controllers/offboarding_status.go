package controllers

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/leaving"
)

// report writes what was decided into the status.
func (s *offboardingScope) report() {
	ob := s.ob
	st := &ob.Status
	st.ObservedGeneration = &ob.Generation
	for _, a := range s.accounts {
		a.report()
		s.mark(a)
	}
	for _, p := range s.partings {
		p.report()
	}
	worst, waiting := s.worst()
	st.Step, st.DeletionTime = s.step(), s.deletion()
	st.State = s.state(worst)
	st.Access = s.access()
	st.WaitingFor = kube.Truncate(waiting, 128)
	if isOver(ob) {
		worst, st.WaitingFor = nil, ""
		if st.CompletionTime == nil {
			st.CompletionTime = stamp(s.now)
		}
	} else if worst == nil {
		worst = problem(v1alpha1.ReasonLeaving, "it goes on")
	}
	if !ob.DeletionTimestamp.IsZero() && worst != nil && !worst.Stalled {
		worst = problem(v1alpha1.ReasonOffboardingEnding, "it was deleted, and goes on to its end: "+worst.Message)
	}
	s.problem = worst
	s.conditions()
	kube.Summarize(&st.Conditions, ob.Generation, summaryOf(worst, s.ending()))
}

// ending says in words how it ended.
func (s *offboardingScope) ending() string {
	if s.ob.Status.State == v1alpha1.OffboardingComplete {
		return "the person has left"
	}
	for _, a := range s.accounts {
		if a.isCancelled() {
			return a.step(leaving.DeleteAccount).Message
		}
	}
	for _, p := range s.partings {
		if p.cancelled() {
			return p.status.Message
		}
	}
	return cancelledWords
}

// report says how one account stands.
func (a *departure) report() {
	st := a.status
	if a.over {
		a.problem = nil
	}
	st.Reason, st.Message = inWords(a.problem)
	if a.tenant == nil {
		return
	}
	m := a.tenant.Mirror
	switch account := m.Account(a.spec.UserID); {
	case a.removed():
		st.State = v1alpha1.AccountDeparted
	case account == nil && m.Absent(a.spec.UserID) && !a.progress().RemovalAsked:
		st.State = v1alpha1.AccountVanished
	case account == nil:
	case account.State == directory.Frozen:
		st.State = v1alpha1.AccountFrozen
	default:
		st.State = v1alpha1.AccountActive
	}
}

// unreachable says why the platform is not called.
func (a *departure) unreachable() *Problem {
	if a.account == nil {
		return problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("there is no EnterpriseAccount %q in this namespace", a.spec.Name))
	}
	if !a.account.DeletionTimestamp.IsZero() || a.account.Spec.Mode == v1alpha1.ModeSuspended {
		return notListed(a.account, nil, false)
	}
	known := observed(a.scope.ob.Status.ObservedGeneration, a.scope.ob.Generation) && len(a.status.Steps) > 0
	return notListed(a.account, problemAgain(a.status.Reason, a.status.Message), known)
}

// waitingFor says in a few words what the account waits for.
func (a *departure) waitingFor() string {
	ob := a.scope.ob
	p := a.problem
	switch p.Reason {
	case v1alpha1.ReasonApprovalPending, v1alpha1.ReasonApprovalExpired:
		return "approval " + cmp.Or(a.asked, ob.Status.ApprovalName)
	case v1alpha1.ReasonRemovalLimit:
		return "removal limits of " + a.spec.Name
	case v1alpha1.ReasonManualTask:
		for i := range a.status.Tasks {
			if a.status.Tasks[i].ConfirmedTime == nil {
				return a.status.Tasks[i].Name + " to be confirmed"
			}
		}
	case v1alpha1.ReasonGrace:
		return "grace until " + a.progress().GraceEnds.UTC().Format(time.RFC3339)
	case v1alpha1.ReasonWaitingForBackup, v1alpha1.ReasonBackupFailed:
		saved := 0
		for _, other := range a.scope.accounts {
			if other.step(leaving.Backup).State == v1alpha1.StepState(leaving.Done) {
				saved++
			}
		}
		return fmt.Sprintf("backup %d/%d", saved, len(a.scope.accounts))
	case v1alpha1.ReasonLeaving:
		return a.spec.Name + ": " + p.Message
	}
	return a.spec.Name + ": " + p.Reason
}

// step is the first, in the order of most platforms, that is not over on some account.
func (s *offboardingScope) step() v1alpha1.OffboardingStepName {
	first := -1
	order := leaving.Order(nil)
	for _, a := range s.accounts {
		if a.over {
			continue
		}
		at := 0
		for i := range a.status.Steps {
			if leaving.State(a.status.Steps[i].State).Over() {
				continue
			}
			for j, name := range order {
				if string(name) == string(a.status.Steps[i].Name) {
					at = j
				}
			}
			break
		}
		if first < 0 || at < first {
			first = at
		}
	}
	switch {
	case first < 0 && !s.unlinked():
		return v1alpha1.OffboardingStepName(leaving.UnlinkSystems)
	case first < 0:
		return ""
	}
	return v1alpha1.OffboardingStepName(order[first])
}

// deletion is when the next grace ends of what is still there, or, when nothing is, the last one ended.
func (s *offboardingScope) deletion() *metav1.Time {
	var next, last *metav1.Time
	if s.ob.Spec.Terms.FinalAction == v1alpha1.FinalKeep {
		return nil
	}
	for _, a := range s.accounts {
		ends := a.progress().GraceEnds
		if ends.IsZero() || a.isCancelled() {
			continue
		}
		at := stamp(ends)
		if last == nil || last.Before(at) {
			last = at
		}
		if !a.removed() && (next == nil || at.Before(next)) {
			next = at
		}
	}
	return cmp.Or(next, last)
}

// tally counts accounts by how far their leaving is.
type tally struct{ over, cancelled, removed, undone, reversible int }

func (s *offboardingScope) tally() (n tally) {
	count := func(into *int, is bool) {
		if is {
			*into++
		}
	}
	for _, a := range s.accounts {
		p := a.progress()
		count(&n.over, a.over)
		count(&n.cancelled, a.over && a.isCancelled())
		count(&n.removed, a.removed() || !a.over && p.RemovalAsked)
		count(&n.undone, a.again && !a.over && !a.removed())
		count(&n.reversible, a.over || a.released())
	}
	return n
}

// released reports that every step before grace is over, as they were laid.
func (a *departure) released() bool {
	for i := range a.status.Steps {
		switch st := &a.status.Steps[i]; {
		case st.Name == v1alpha1.OffboardingStepName(leaving.Grace):
			return true
		case !leaving.State(st.State).Over():
			return false
		}
	}
	return false
}

// state is where the whole leaving stands.
func (s *offboardingScope) state(worst *Problem) v1alpha1.OffboardingState {
	if len(s.accounts) == 0 {
		return s.stateOfLinks(worst)
	}
	n, all, begun := s.tally(), len(s.accounts), s.ob.Status.StartTime != nil
	over := n.over == all && s.unlinked()
	switch {
	case over && n.cancelled > 0 && n.removed == 0:
		return v1alpha1.OffboardingCancelled
	case over:
		return v1alpha1.OffboardingComplete
	case n.undone > 0:
		return v1alpha1.OffboardingCancelling
	case n.removed > 0:
		return v1alpha1.OffboardingRemoving
	case !begun && worst != nil && awaitsDecision(worst.Reason):
		return v1alpha1.OffboardingHeld
	case !begun:
		return v1alpha1.OffboardingPending
	case n.reversible == all && s.unlinked():
		return v1alpha1.OffboardingGrace
	}
	return v1alpha1.OffboardingRunning
}

// awaitsDecision reports whether a reason waits for somebody's decision.
func awaitsDecision(reason string) bool {
	switch reason {
	case v1alpha1.ReasonRemovalLimit, v1alpha1.ReasonApprovalPending, v1alpha1.ReasonApprovalExpired, v1alpha1.ReasonApprovalRejected:
		return true
	}
	return false
}

// access is Revoked when no account can be used. What was not seen yet can be.
func (s *offboardingScope) access() v1alpha1.AccessState {
	for _, a := range s.accounts {
		switch a.status.State {
		case v1alpha1.AccountFrozen, v1alpha1.AccountDeparted, v1alpha1.AccountVanished:
		default:
			return v1alpha1.AccessOpen
		}
	}
	if slices.ContainsFunc(s.partings, (*parting).open) {
		return v1alpha1.AccessOpen
	}
	return v1alpha1.AccessRevoked
}

// conditions says what was reached. What was not has the reason why.
func (s *offboardingScope) conditions() {
	ob := s.ob
	set := func(conditionType string, reached bool, p *Problem, words, not string) {
		if reached {
			kube.Set(&ob.Status.Conditions, ob.Generation, conditionType, metav1.ConditionTrue, v1alpha1.ReasonInSync, words)
			return
		}
		if p == nil {
			p = problem(v1alpha1.ReasonRetained, not)
		}
		kube.Set(&ob.Status.Conditions, ob.Generation, conditionType, metav1.ConditionFalse, p.Reason, kube.Coded(p.Reason, p.Message))
	}
	revoked := "no account can be used"
	if kept := s.retainedIn(); kept != "" {
		revoked += ", but linked ones that are retained: " + kept
	}
	set(v1alpha1.ConditionAccessRevoked, ob.Status.Access == v1alpha1.AccessRevoked, cmp.Or(s.unfreezable(), s.problem), revoked, "an account can be used: the leaving has ended")
	saved, wanted := true, ob.Spec.Terms.Backup.Mode != v1alpha1.BackupNone
	for _, a := range s.accounts {
		saved = saved && a.step(leaving.Backup).State == v1alpha1.StepState(leaving.Done)
	}
	words := "every account has a verified backup"
	if !wanted {
		words = "the policy wants no backup"
	}
	set(v1alpha1.ConditionBackedUp, saved || !wanted, s.problem, words, "not every account has a backup: the leaving has ended")
}

// unfreezable says why somebody who leaves can still get in, though everything is done that takes access away; nil if it is not, or
// nobody can.
func (s *offboardingScope) unfreezable() *Problem {
	for _, a := range s.accounts {
		if st := a.step(leaving.Freeze); !a.over && a.status.State == v1alpha1.AccountActive && st.State == v1alpha1.StepState(leaving.Skipped) {
			return problem(v1alpha1.ReasonFreezeUnsupported, a.spec.Name+": "+st.Message)
		}
	}
	return nil
}

// defaultTimeLimit is how long a step may take, as the CRD says.
const defaultTimeLimit = 24 * time.Hour

// current is the step that the account is at, nil if it has not begun one.
func (a *departure) current() *v1alpha1.OffboardingStepStatus {
	for i := range a.status.Steps {
		if st := &a.status.Steps[i]; !leaving.State(st.State).Over() {
			if st.StartTime == nil || st.Name == v1alpha1.OffboardingStepName(leaving.Grace) {
				return nil
			}
			return st
		}
	}
	return nil
}

func (s *offboardingScope) limit(step v1alpha1.OffboardingStepName) time.Duration {
	for _, l := range s.ob.Spec.Terms.TimeLimits {
		if l.Step == step {
			return time.Duration(l.Seconds) * time.Second
		}
	}
	return defaultTimeLimit
}

// mark says which step takes longer than it may. Nothing is skipped for that.
func (s *offboardingScope) mark(a *departure) {
	st := a.current()
	if st == nil || st.OverdueSince != nil {
		return
	}
	if at := st.StartTime.Add(s.limit(st.Name)); !s.now.Before(at) {
		st.OverdueSince = stamp(at)
	}
}

// overdue is the step of each account, linked ones included, that takes longer than it may, if it does.
func (s *offboardingScope) overdue() map[string]v1alpha1.OffboardingStepName {
	late := map[string]v1alpha1.OffboardingStepName{}
	for _, a := range s.accounts {
		if st := a.current(); st != nil && st.OverdueSince != nil && !a.over {
			late[a.spec.Name] = st.Name
		}
	}
	for _, p := range s.partings {
		if p.late() {
			late[systemLabel(p.key).Name] = p.step()
		}
	}
	return late
}

// due is how long until the step is overdue; zero if it is, or never will be.
func (s *offboardingScope) due(a *departure) time.Duration {
	st := a.current()
	if st == nil || st.OverdueSince != nil {
		return 0
	}
	return max(time.Second, st.StartTime.Add(s.limit(st.Name)).Sub(s.now))
}

// announce sends events on transitions.
func (r *OffboardingReconciler) announce(before *v1alpha1.Offboarding, s *offboardingScope) {
	ob := s.ob
	announce(r.Recorder, ob, before.Status.Conditions, ob.Status.Conditions)
	if ob.Status.State != before.Status.State && ob.Status.State == v1alpha1.OffboardingCancelled {
		r.Recorder.Eventf(ob, nil, corev1.EventTypeNormal, v1alpha1.EventCancelled, "Cancel", "%s", s.ending())
	}
	if by := ob.Status.ApprovedBy; by != "" && by != before.Status.ApprovedBy {
		r.Recorder.Eventf(ob, nil, corev1.EventTypeNormal, v1alpha1.EventApproved, "Approve", "%s approved %s", by, ob.Status.ApprovalName)
	}
	for _, a := range s.accounts {
		r.announceOn(before, a)
	}
	r.announceLinks(before, s)
}

// announceOn sends those about one account, which keeps events about several from being counted as one.
func (r *OffboardingReconciler) announceOn(before *v1alpha1.Offboarding, a *departure) {
	on := &v1alpha1.EnterpriseAccount{ObjectMeta: metav1.ObjectMeta{Namespace: a.key.Namespace, Name: a.key.Name}}
	tell := func(kind, reason, action, format string, args ...any) {
		r.Recorder.Eventf(a.scope.ob, on, kind, reason, action, format, args...)
	}
	var old v1alpha1.OffboardingAccountStatus
	for i := range before.Status.Accounts {
		if before.Status.Accounts[i].Name == a.spec.Name {
			old = before.Status.Accounts[i]
		}
	}
	if frozen(a.status) && !frozen(&old) {
		tell(corev1.EventTypeNormal, v1alpha1.EventFrozen, "Freeze", "froze the account %s on %s", a.spec.UserID, a.spec.Name)
	}
	if a.status.State == v1alpha1.AccountDeparted && old.State != v1alpha1.AccountDeparted {
		tell(corev1.EventTypeNormal, v1alpha1.EventDeparted, "Remove", "removed the account %s on %s", a.spec.UserID, a.spec.Name)
	}
	for i := range a.status.Steps {
		st := &a.status.Steps[i]
		if was := stepIn(old.Steps, st.Name); st.OverdueSince != nil && (was == nil || was.OverdueSince == nil) {
			tell(corev1.EventTypeWarning, v1alpha1.ReasonLeaving, "Wait", "%s on %s takes longer than it may: %s", st.Name, a.spec.Name, st.Message)
		}
	}
	if i := a.known.inheritance; i != nil && i.Refused > 0 && i.Waiting == 0 && a.ended(leaving.ActInherit) {
		tell(corev1.EventTypeWarning, v1alpha1.ReasonInheritanceRefused, "Inherit", "%d of what the person leaves behind on %s is not taken over: an administrator has to assign it", i.Refused, a.spec.Name)
	}
}

// ended reports that the act is what the lane has just done.
func (a *departure) ended(act leaving.Act) bool {
	return a.outcome != nil && a.outcome.Left != nil && a.outcome.Left.Act == act
}

// frozen reports that the leaving froze the account, and has seen that it is.
func frozen(on *v1alpha1.OffboardingAccountStatus) bool {
	st := stepIn(on.Steps, v1alpha1.OffboardingStepName(leaving.Freeze))
	return on.FrozenBy == v1alpha1.FrozenByRollcall && st != nil && st.State == v1alpha1.StepState(leaving.Done)
}

func stepIn(all []v1alpha1.OffboardingStepStatus, name v1alpha1.OffboardingStepName) *v1alpha1.OffboardingStepStatus {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}
