package controllers

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/leaving"
)

// report says how one linked account stands. What ended keeps its message.
func (p *parting) report() {
	st := p.status
	if p.over {
		p.problem = nil
		st.Reason = ""
		return
	}
	st.Reason, st.Message = inWords(p.problem)
	st.Message = kube.Truncate(st.Message, 512)
}

// retained reports that the account is left as it is, because somebody said so.
func (p *parting) retained() bool {
	terms := p.terms()
	return terms.Skip || terms.OnLeave == leaving.LeaveRetained || !isOwned(p.spec.Origin)
}

// open reports whether somebody can sign in, as far as is known, where they are not to.
func (p *parting) open() bool {
	done := p.status.State == v1alpha1.StepState(leaving.Done)
	return !p.retained() && !done && p.status.DisabledTime == nil
}

// cancelled reports that the unlinking ended because the person is declared again, or somebody said no.
func (p *parting) cancelled() bool {
	return p.over && !p.retained() && undoneIn(p.scope.ob, p.spec.Name)
}

// waitingFor says in a few words what the linked account waits for.
func (p *parting) waitingFor() string {
	switch p.problem.Reason {
	case v1alpha1.ReasonApprovalPending, v1alpha1.ReasonApprovalExpired:
		return "approval " + p.scope.ob.Status.ApprovalName
	case v1alpha1.ReasonRemovalLimit:
		return "removal limits of " + p.spec.Name
	case v1alpha1.ReasonManualTask:
		return p.taskName() + " to be confirmed"
	case v1alpha1.ReasonLeaving:
		return p.spec.Name + ": " + p.problem.Message
	}
	return p.spec.Name + ": " + p.problem.Reason
}

// systems fills in how the unlinking stands, as it was recorded.
func (s *offboardingScope) systems(f *leaving.Facts) {
	f.Systems = len(s.partings)
	for _, p := range s.partings {
		switch st := leaving.State(p.status.State); {
		case !st.Over():
			f.SystemsOpen = append(f.SystemsOpen, p.spec.Name)
		case st == leaving.Skipped:
			f.SystemsKept++
		}
	}
}

// unlinked reports that the unlinking of every linked account is over.
func (s *offboardingScope) unlinked() bool {
	for _, p := range s.partings {
		if !p.over {
			return false
		}
	}
	return true
}

// worst is what is to be read first, and what is waited for, in a few words. What an account waits for at UnlinkSystems is said by the
// system, and what a system waits for by the account.
func (s *offboardingScope) worst() (worst *Problem, waiting string) {
	note := func(p *Problem, name string, words func() string) {
		if w := worse(worst, p, name); p != nil && (worst == nil || w != worst) {
			worst, waiting = w, words()
		}
	}
	for _, last := range []bool{false, true} {
		for _, a := range s.accounts {
			if idle := a.problem != nil && a.problem.Reason == v1alpha1.ReasonWaitingForSystems; idle == last {
				note(a.problem, a.spec.Name, a.waitingFor)
			}
		}
		for _, p := range s.partings {
			if idle := p.idle; idle == last {
				note(p.problem, p.spec.Name, p.waitingFor)
			}
		}
	}
	return worst, waiting
}

// stateOfLinks is where a leaving stands that is of linked accounts alone.
func (s *offboardingScope) stateOfLinks(worst *Problem) v1alpha1.OffboardingState {
	cancelled, undone, begun := false, false, s.ob.Status.StartTime != nil
	for _, p := range s.partings {
		cancelled, undone = cancelled || p.cancelled(), undone || p.again && !p.over
	}
	switch {
	case s.unlinked() && cancelled:
		return v1alpha1.OffboardingCancelled
	case s.unlinked():
		return v1alpha1.OffboardingComplete
	case undone:
		return v1alpha1.OffboardingCancelling
	case !begun && worst != nil && awaitsDecision(worst.Reason):
		return v1alpha1.OffboardingHeld
	case !begun:
		return v1alpha1.OffboardingPending
	}
	return v1alpha1.OffboardingRunning
}

// retainedIn names the systems in which the account stays as it is.
func (s *offboardingScope) retainedIn() string {
	var names []string
	for _, p := range s.partings {
		if p.retained() {
			names = append(names, p.spec.Name)
		}
	}
	return strings.Join(names, ", ")
}

// step is the one whose time limit counts: as long as somebody can sign in it is Freeze.
func (p *parting) step() v1alpha1.OffboardingStepName {
	if p.open() {
		return v1alpha1.OffboardingStepName(leaving.Freeze)
	}
	return v1alpha1.OffboardingStepName(leaving.UnlinkSystems)
}

// late reports that a linked account waits for longer than its step may take.
func (p *parting) late() bool {
	at := p.status.WaitingSince
	return !p.over && at != nil && !p.scope.now.Before(at.Add(p.scope.limit(p.step())))
}

// announceLinks sends events about each linked account.
func (r *OffboardingReconciler) announceLinks(before *v1alpha1.Offboarding, s *offboardingScope) {
	for _, p := range s.partings {
		on := &v1alpha1.LinkedSystem{ObjectMeta: metav1.ObjectMeta{Namespace: p.key.Namespace, Name: p.key.Name}}
		tell := func(kind, reason, action, format string, args ...any) {
			r.Recorder.Eventf(s.ob, on, kind, reason, action, format, args...)
		}
		old := unlinkStatus(before, p.spec.Name)
		if old == nil {
			old = &v1alpha1.UnlinkStatus{}
		}
		if p.status.DisabledTime != nil && old.DisabledTime == nil && p.status.DisabledBy == v1alpha1.FrozenByRollcall && p.status.Attempts > 0 {
			tell(corev1.EventTypeNormal, v1alpha1.EventDisabled, "Disable", "disabled the account in %s", p.spec.Name)
		}
		if p.status.State == v1alpha1.StepState(leaving.Done) && old.State != p.status.State {
			tell(corev1.EventTypeNormal, v1alpha1.EventUnlinked, "Unlink", "unlinked the account in %s: %s", p.spec.Name, p.status.Message)
		}
		if p.status.Task.Name != "" && old.Task.Name == "" {
			tell(corev1.EventTypeWarning, v1alpha1.ReasonManualTask, "Wait", "%s", kube.Coded(v1alpha1.ReasonManualTask, fmt.Sprintf("%s: %s", p.status.Task.Name, p.status.Task.Todo)))
		}
	}
}

// dueIn is how long until the linked account is late; zero if it is, or nothing goes wrong.
func (p *parting) dueIn() time.Duration {
	at := p.status.WaitingSince
	if p.over || at == nil || p.late() {
		return 0
	}
	return max(time.Second, at.Add(p.scope.limit(p.step())).Sub(p.scope.now))
}
