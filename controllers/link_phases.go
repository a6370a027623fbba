package controllers

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/plan"
)

// everywhere decides about the person in each linked system.
func (r *LinkReconciler) everywhere(ctx context.Context, s *linkScope) error {
	e := s.employee
	for _, name := range employeeSystems(e) {
		l := r.standing(s, name)
		var err error
		if l.system, err = linkedSystem(ctx, r, l.key); err != nil {
			return err
		}
		decide := r.converge
		switch {
		case s.leaves():
			decide = r.depart
		case l.off:
			decide = r.takeOff
		}
		if err := decide(ctx, s, l); err != nil {
			return err
		}
		if l.status.Name != "" { // else it is forgotten
			s.links = append(s.links, l)
		}
	}
	return nil
}

// standing is how the person stands in the system, as recorded.
func (r *LinkReconciler) standing(s *linkScope, name string) *personLink {
	e := s.employee
	l := &personLink{key: client.ObjectKey{Namespace: e.Namespace, Name: name}, declared: linkSpec(e, name), leaving: s.leavingOf(name)}
	l.status = v1alpha1.LinkedAccountStatus{Name: name, State: v1alpha1.LinkedWaiting}
	if old := linkStatus(e, name); old != nil {
		l.status = *old.DeepCopy()
	}
	l.off = l.declared == nil
	l.running = r.Systems.Get(l.key.String())
	return l
}

// folded is what is durably known, with what the last task came to.
func (l *personLink) folded(lane string) plan.LinkRecord {
	if st := &l.status; st.Origin == "" && foreign(st.SystemUID, l.system) { // what was taken off was in another system
		st.AccountID, st.SystemUID, st.DisabledBy = "", "", ""
	}
	record := linkRecordOf(&l.status)
	o, ok := l.running.Lane.Outcome(lane)
	if !ok {
		return record
	}
	l.outcome = o
	return execute.FoldLink(record, o, !l.running.Mirror.State().Capabilities.Reads)
}

// converge plans how the account becomes as wished.
func (r *LinkReconciler) converge(ctx context.Context, s *linkScope, l *personLink) error {
	if s.employee.Status.Number == "" {
		l.problem = problem(v1alpha1.ReasonWaitingForNumber, "waiting until the person has an employee number")
		return nil
	}
	if l.declared != nil && !s.leaves() {
		if waits, err := r.comeBack(ctx, s, l); err != nil || waits {
			return err
		}
	}
	l.status.Phase = ""
	r.unlinkings.forget(s.employee.UID, l.key.Name)
	ls, err := linkedSystem(ctx, r, l.key)
	if err != nil {
		return err
	}
	if l.system = ls; ls == nil {
		l.problem = noLinkedSystem(l.key.Name)
		return nil
	}
	if l.elsewhere() {
		if l.running = nil; l.declared != nil {
			l.problem = problem(v1alpha1.ReasonDataConflict, fmt.Sprintf("the account was linked in another LinkedSystem named %q, which is gone: its id says nothing here. To link the person in this one, take the system off spec.linkedAccounts and add it back", l.key.Name))
		}
		return nil
	}
	if !r.reads(s, l) {
		return r.unreadAsDeclared(ctx, s, l)
	}
	record := l.folded(s.lane)
	late, err := r.wish(ctx, s, l)
	if err != nil {
		return err
	}
	if late != nil && (l.wish.State != directory.Frozen || !record.Origin.Owned()) {
		l.problem = late // who is to lose access loses it all the same (P2)
		l.recordIn(record)
		return nil
	}
	return r.decide(ctx, s, l, record, late)
}

// reads reports whether the system was read; else it says why not.
func (r *LinkReconciler) reads(s *linkScope, l *personLink) bool {
	if l.running != nil {
		l.state = l.running.Mirror.State()
	}
	// A system that is suspended may still run for a moment: it is not called from the declaration on.
	suspended := l.system.Spec.Mode == v1alpha1.ModeSuspended
	if l.running != nil && l.state.Read && !suspended && (l.system.DeletionTimestamp.IsZero() || s.ending) {
		return true
	}
	known := linkStatus(s.employee, l.key.Name) != nil && observed(l.status.ObservedGeneration, s.employee.Generation)
	l.problem = notRead(l.system, problemAgain(l.status.Reason, l.status.Message), known)
	if l.running != nil {
		l.running.Lane.Withdraw(s.lane)
		l.running = nil
	}
	return false
}

// unreadAsDeclared takes back that an account of ours is as declared, where the system was declared anew since that was seen, and cannot
// be read (P9).
func (r *LinkReconciler) unreadAsDeclared(ctx context.Context, s *linkScope, l *personLink) error {
	if inOrder := l.problem == nil && isOwned(l.status.Origin); !inOrder {
		return nil
	}
	if _, err := r.wish(ctx, s, l); err != nil {
		return err
	}
	if l.wish.Version != l.status.AppliedVersion {
		l.problem = notRead(l.system, nil, false)
	}
	return nil
}

func noLinkedSystem(name string) *Problem {
	return problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("there is no LinkedSystem %q in this namespace: create it, or correct spec.linkedAccounts", name))
}

// notRead says why nothing is known of a linked system. What was seen there of this very declaration before still holds.
func notRead(ls *v1alpha1.LinkedSystem, before *Problem, observed bool) *Problem {
	observed = observed && !cleared(before, ls)
	switch {
	case observed && (before == nil || before.Stalled):
		return before
	case !ls.DeletionTimestamp.IsZero():
		return problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("the LinkedSystem %q is being deleted: it is not called any more", ls.Name))
	case ls.Spec.Mode == v1alpha1.ModeSuspended:
		return problem(v1alpha1.ReasonSuspended, fmt.Sprintf("the LinkedSystem %q is Suspended: it is not called", ls.Name))
	case observed && before.Reason != v1alpha1.ReasonSuspended:
		return before
	}
	return problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("the LinkedSystem %q was not read yet; its conditions say how it stands", ls.Name))
}

// cleared reports that before is what has to be out of the way until a system is looked at at all: whoever asks is past that.
func cleared(before *Problem, ls *v1alpha1.LinkedSystem) bool {
	if before == nil {
		return false
	}
	switch before.Reason {
	case v1alpha1.ReasonWaitingForNumber, v1alpha1.ReasonLeaving, v1alpha1.ReasonOffboardingEnding:
		return true
	}
	return *before == *noLinkedSystem(ls.Name)
}

// linkedSystem reads a LinkedSystem; nil if there is none.
func linkedSystem(ctx context.Context, c client.Reader, key client.ObjectKey) (*v1alpha1.LinkedSystem, error) {
	ls := &v1alpha1.LinkedSystem{}
	err := c.Get(ctx, key, ls)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("reading the LinkedSystem: %w", err)
	}
	return ls, nil
}

// decide asks the plan, and says in the API's words what it answered.
func (r *LinkReconciler) decide(ctx context.Context, s *linkScope, l *personLink, record plan.LinkRecord, late *Problem) error {
	facts, err := r.facts(ctx, s, l, record)
	if err != nil {
		return err
	}
	l.before, l.observe = record, l.system.Spec.Mode == v1alpha1.ModeObserve
	l.plan, l.planned = plan.ForLink(l.wish, record, facts), true
	asked := s.leaves() && isUnanswered(record, facts)
	l.restrain(s, asked)
	if err := r.admit(ctx, s, l); err != nil {
		return err
	}
	p := &l.plan
	switch {
	case l.held:
	case p.Hold != nil:
		l.problem = problem(string(p.Hold.Reason), p.Hold.Message)
	case l.observe && writes(linkActions(p.Actions)):
		l.problem = wouldDo(l.differing(), linkActions(p.Actions))
	case len(p.Actions) > 0:
		l.problem = underway(l.running.Lane.Last(s.lane, p.Digest()))
		if record.Origin.Owned() && record.Applied == l.wish.Version && l.outcome == nil && l.status.Reason == "" {
			r.Metrics.Drifted(systemLabel(l.key))
		}
	default:
		l.problem = late
	}
	if asked {
		l.problem = unansweredIn(l.key.Name)
	}
	l.seen(facts)
	return nil
}

// isUnanswered reports that an account was asked for, and that nobody can look whether it is there.
func isUnanswered(record plan.LinkRecord, f plan.LinkFacts) bool {
	return record.Origin == plan.Creating && !f.Capabilities.Reads
}

// unansweredIn is said of somebody who leaves while nobody knows whether an account came to be, in a system that is never read.
func unansweredIn(system string) *Problem {
	return problem(v1alpha1.ReasonManualTask, fmt.Sprintf("an account was asked for in %s, and its answer is not known. It is asked for again with the same key, and can be disabled only then: "+
		"if that does not end, look in the system's own console whether the person has one", system))
}

// facts gathers what is known of the account. It makes no call.
func (r *LinkReconciler) facts(ctx context.Context, s *linkScope, l *personLink, record plan.LinkRecord) (plan.LinkFacts, error) {
	m, w := l.running.Mirror, &l.wish
	f := plan.LinkFacts{Capabilities: l.state.Capabilities, Read: l.state.Read, Sought: m.Sought(w.Number, w.Login)}
	id := w.ID
	if record.Origin.Owned() {
		id = record.ID
	}
	switch {
	case id == "":
	case f.Capabilities.Reads:
		f.Account, f.Absent, f.Doubtful = m.Account(id), m.Absent(id), m.Doubtful(id)
	case record.Origin.Owned(): // receipts are all that is known
		disabled := l.status.State == v1alpha1.LinkedDisabled
		if l.outcome != nil {
			for _, kind := range l.outcome.Done {
				disabled = kind == plan.Disable || disabled && kind != plan.Enable
			}
		}
		f.Account = &linked.Account{ID: id, Enabled: !disabled}
	}
	var err error
	wants := []string{}
	if id != "" {
		wants = append(wants, "id:"+id)
	} else {
		if f.Candidates, err = r.candidates(ctx, s.employee, l); err != nil {
			return f, err
		}
		if len(f.Candidates) == 1 {
			id = f.Candidates[0].ID
			wants = append(wants, "id:"+id)
		}
		if w.Login != "" {
			wants = append(wants, "login:"+fold(w.Login))
		}
	}
	f.Claimant, err = r.claimant(ctx, s, l, id, wants)
	return f, err
}

// admit asks whether somebody may lose access to the system now (P6). Who was admitted is not asked for again, until the
// account is enabled again.
func (r *LinkReconciler) admit(ctx context.Context, s *linkScope, l *personLink) error {
	p, e := &l.plan, s.employee
	if l.wish.State != directory.Frozen && !p.Record.DisabledByUs {
		l.status.AdmittedTime, l.status.AdmittedBy = nil, ""
	}
	takes := slices.ContainsFunc(linkActions(p.Actions), func(k plan.Kind) bool { return k == plan.Disable || k == plan.Delete })
	if !takes || l.observe || l.status.AdmittedTime != nil {
		return nil
	}
	admission, err := r.Limiter.AdmitLinked(ctx, l.key, Candidate{UID: e.UID, Kind: "Employee", Name: e.Name, Number: e.Status.Number, Action: actionFreeze})
	if err != nil {
		return err
	}
	if admission.Admitted {
		now := metav1.NewTime(r.Now())
		l.status.AdmittedTime, l.status.AdmittedBy = &now, admission.By
		return nil
	}
	l.held, p.Actions, p.Record = true, nil, l.before
	if l.problem = admission.Problem; l.problem == nil {
		l.problem = problem(v1alpha1.ReasonRemovalLimit, "more people would lose access than the system's removalLimits allow: this one keeps it until an Approval is decided")
	}
	return nil
}
