package controllers

import (
	"context"
	"fmt"
	"time"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/leaving"
)

// confirmed takes over that a person has unlinked the account. It is looked at again.
func (p *parting) confirmed() {
	ob := p.scope.ob
	p.status.Task.ConfirmedTime, p.status.Task.ConfirmedBy = stamp(p.scope.now), kube.Truncate(kube.Author(ob), 128)
	p.known.looked = time.Time{}
}

// take records what was decided.
func (p *parting) take(d *leaving.UnlinkDecision) {
	st, now := p.status, p.scope.now
	st.State, st.Phase = v1alpha1.StepState(d.State), v1alpha1.UnlinkPhase(d.Phase)
	switch {
	case !d.Disabled:
		st.DisabledTime = nil
	case st.DisabledTime == nil:
		st.DisabledTime = stamp(now)
	}
	if st.WaitingSince = nil; !d.Since.IsZero() {
		st.WaitingSince = stamp(d.Since)
	}
	switch {
	case d.Task && st.Task.Name == "":
		st.Task = v1alpha1.ManualTask{
			Name: p.taskName(), Step: v1alpha1.OffboardingStepName(leaving.UnlinkSystems), Todo: kube.Truncate(p.todo(d.Todo), mostTodo),
		}
	case !d.Task && st.Task.ConfirmedTime == nil:
		st.Task = v1alpha1.ManualTask{} // it goes on by itself
	}
}

func (p *parting) taskName() string { return p.spec.Name + "/Unlink" }

// todo says what a person has to do.
func (p *parting) todo(why string) string {
	what := "disable the account " + p.spec.AccountID + ", and take it out of its groups"
	if p.spec.OnLeave == v1alpha1.UnlinkDelete {
		what = "delete the account " + p.spec.AccountID
	}
	return fmt.Sprintf("Rollcall does not get the person unlinked from %s: %s. In the system's own console, %s.", p.spec.Name, why, what)
}

// end settles the record.
func (p *parting) end(state leaving.State, words string) {
	st := p.status
	st.State, st.EndTime, st.WaitingSince = v1alpha1.StepState(state), stamp(p.scope.now), nil
	st.Message = kube.Truncate(words, 512)
	if st.Task.ConfirmedTime == nil {
		st.Task = v1alpha1.ManualTask{}
	}
	if state == leaving.Done {
		st.Evidence = p.evidence()
	}
	p.over, p.problem, p.ended = true, nil, true
}

// evidence is what proves that it was done.
func (p *parting) evidence() string {
	switch {
	case p.status.Task.ConfirmedTime != nil:
		return kube.Truncate("confirmed by "+p.status.Task.ConfirmedBy, 256)
	case p.runner == nil || !p.runner.Mirror.State().Capabilities.Reads:
		return "the system's receipt"
	case p.spec.OnLeave == v1alpha1.UnlinkDelete:
		return "read back: not found"
	}
	return "read back: disabled, in no group"
}

// attest has a confirmation recorded in the system's trail before it counts; access is taken away before, unless that does not
// succeed. Where the system is not there any more, neither is its trail.
func (p *parting) attest(d *leaving.UnlinkDecision) bool {
	t := &p.status.Task
	note, written := p.confirmation()
	if t.Name == "" || t.ConfirmedTime != nil || !written || d.Act == leaving.ActDisable && p.known.trouble == nil {
		return false
	}
	if p.runner == nil {
		p.confirmed()
		p.wait = cacheLag // what it changes is decided when this is recorded
		p.problem = problem(v1alpha1.ReasonLeaving, "recording confirmations")
		return true
	}
	l := execute.Departure{Act: execute.ActAttest, Account: p.spec.AccountID, Tasks: map[string]string{t.Name: note}}
	digest := actDigest(&l)
	at := p.runner.Lane.Peek(p.scope.lane, digest)
	p.problem = underwayOn(leaving.Decision{Act: execute.ActAttest}, at.Err)
	if p.underway = at.Underway || at.RetryIn > 0; p.underway {
		p.wait = at.RetryIn
		return true
	}
	p.offer(l, digest)
	return true
}

// confirmation is what a person has noted about the task, if they have confirmed it.
func (p *parting) confirmation() (note string, written bool) {
	for _, c := range p.scope.ob.Spec.Confirmations {
		if c.Task == p.taskName() {
			return c.Note, true
		}
	}
	return "", false
}

// holdBy records what is waited for.
func (p *parting) holdBy(d *leaving.UnlinkDecision) {
	h := d.Hold
	p.problem, p.idle = p.owed(problem(h.Reason, h.Message)), h.Reason == leaving.InheritanceWaiting
	if !h.Until.IsZero() {
		p.wait = max(time.Second, h.Until.Sub(p.scope.now))
	}
	if h.Reason == v1alpha1.ReasonResidualFound {
		p.wait = max(time.Second, p.known.looked.Add(residualAgain).Sub(p.scope.now))
	}
	p.awaitTask(d)
}

// awaitTask looks again when it becomes somebody's task.
func (p *parting) awaitTask(d *leaving.UnlinkDecision) {
	if !d.Task && !d.Since.IsZero() {
		p.wait = sooner(p.wait, max(time.Second, d.Since.Add(p.terms().Retry).Sub(p.scope.now)))
	}
}

// owed is what is the matter, or the task that it has become.
func (p *parting) owed(why *Problem) *Problem {
	t, ob := &p.status.Task, p.scope.ob
	if t.Name == "" || t.ConfirmedTime != nil {
		return why
	}
	return problem(v1alpha1.ReasonManualTask, fmt.Sprintf("%s; somebody has to unlink the account and confirm it: kubectl rollcall confirm %s %s -n %s", why.Message, ob.Name, t.Name, ob.Namespace))
}

// begin records an act before it is done.
func (p *parting) begin(d *leaving.UnlinkDecision) {
	reads := d.Act == leaving.ActConfirm || d.Act == leaving.ActResidual
	switch {
	case !reads && p.system.Spec.Mode == v1alpha1.ModeObserve:
		p.problem = problem(v1alpha1.ReasonObserved, "mode is Observe; Enforce would unlink the account")
		return
	case !reads && p.status.AdmittedTime == nil:
		p.problem = problem(v1alpha1.ReasonLeaving, "it was not let begin yet") // no act goes around the limits (P6)
		return
	}
	l := execute.Departure{Act: d.Act, Account: p.spec.AccountID, Gone: p.spec.OnLeave == v1alpha1.UnlinkDelete && !p.vanished(d)}
	digest := actDigest(&l)
	at := p.runner.Lane.Peek(p.scope.lane, digest)
	p.problem = p.owed(unlinkingBy(d.Act, at.Err))
	p.awaitTask(d)
	if p.underway = at.Underway || at.RetryIn > 0; p.underway {
		p.wait = sooner(p.wait, at.RetryIn)
		return
	}
	if d.Act != leaving.ActConfirm {
		if p.status.StartTime == nil {
			p.status.StartTime = stamp(p.scope.now)
		}
		p.status.Attempts++
	}
	if d.Act == leaving.ActDisable {
		p.status.DisabledBy = v1alpha1.FrozenByRollcall // ours, whatever comes of it
	}
	p.offer(l, digest)
}

// vanished reports that the account was gone before anybody asked for that.
func (p *parting) vanished(d *leaving.UnlinkDecision) bool {
	return d.Phase != leaving.PhaseDelete && d.Phase != leaving.PhaseCheck && p.status.Task.ConfirmedTime == nil
}

// unlinkingBy is how an act stands that is being done: err is of the last attempt.
func unlinkingBy(act leaving.Act, err error) *Problem {
	if err != nil {
		return problemOf(err)
	}
	return problem(v1alpha1.ReasonLeaving, map[leaving.Act]string{
		leaving.ActConfirm: "reading the account", leaving.ActDisable: "disabling the account", leaving.ActUnlink: "taking the account out of its groups",
		leaving.ActDelete: "deleting the account", leaving.ActResidual: "looking for what is left",
	}[act])
}

// offer makes the lane's task of an act.
func (p *parting) offer(l execute.Departure, digest string) {
	run, ob := p.runner, p.scope.ob
	w := execute.LinkWork{
		System: run.System, Capabilities: run.Mirror.State().Capabilities, Seen: run.Mirror, Orders: run.Orders, By: p.by(l.Act),
		Person: string(ob.UID), Declaration: p.spec.Name,
	}
	priority := leavePriority
	if l.Act == leaving.ActDisable {
		priority = freezePriority
	}
	p.offered = &execute.Task{Digest: digest, Priority: priority, Run: func(ctx context.Context) execute.Outcome {
		return execute.Unlink(ctx, w, l)
	}}
}

// by says for the record who stands behind the leaving.
func (p *parting) by(act leaving.Act) execute.By {
	ob := p.scope.ob
	by := onBehalfIn(p.runner, ob, "Offboarding", ob.Spec.Reason)
	if m := ob.Spec.RequestedBy.FieldManager; m != "" && act != execute.ActAttest {
		by.Actor.Manager = m
	}
	by.Actor.Approver = ob.Status.ApprovedBy
	return by
}

// actOn has done what was recorded, and says when to look again.
func (r *OffboardingReconciler) actOn(p *parting) (again time.Duration) {
	lane := p.scope.lane
	if p.runner != nil {
		if p.outcome != nil {
			for _, kind := range p.outcome.Done {
				r.Metrics.Changed(systemLabel(p.key), kind)
			}
			p.runner.Lane.Acknowledge(lane, p.outcome)
		}
		switch {
		case p.offered != nil:
			again = p.runner.Lane.Offer(lane, *p.offered).RetryIn
		case !p.underway && !p.busy:
			p.runner.Lane.Withdraw(lane)
		}
	}
	if p.ended && len(p.scope.accounts) > 0 && !isOver(p.scope.ob) {
		again = sooner(again, staleRetry) // the steps of the accounts may go on
	}
	return sooner(sooner(again, p.wait), p.dueIn())
}
