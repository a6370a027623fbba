package controllers

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/plan"
)

// unlinking is what is known, and not durable, of an account that is unlinked because it was taken off the spec.
type unlinking struct {
	last          leaving.Act
	trouble       *leaving.Hold
	residuals     []string
	residualsRead bool
	looked        time.Time
}

// unlinkings are by the Employee's UID and the system. Safe for concurrent use.
type unlinkings struct {
	mu  sync.Mutex
	all map[string]unlinking
}

func (u *unlinkings) get(person types.UID, system string) unlinking {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.all[string(person)+"/"+system]
}

func (u *unlinkings) set(person types.UID, system string, at unlinking) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.all == nil {
		u.all = map[string]unlinking{}
	}
	u.all[string(person)+"/"+system] = at
}

func (u *unlinkings) forget(person types.UID, system string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.all, string(person)+"/"+system)
}

// takeOff unlinks an account that the spec no longer lists, as the system's onLeave says, or leaves it as it is where that is
// Retain, or the system is gone. What was never ours is forgotten.
func (r *LinkReconciler) takeOff(ctx context.Context, s *linkScope, l *personLink) error {
	if l.follow(false) {
		return nil
	}
	ls, err := linkedSystem(ctx, r, l.key)
	if err != nil {
		return err
	}
	l.system = ls
	switch origin := l.status.Origin; {
	case l.wasLeftBy(l.leaving):
		return r.forget(s, l, "", "")
	case l.status.State == v1alpha1.LinkedUnlinked:
		return r.count(ctx, s, l)
	case origin == "":
		return r.forget(s, l, "", "")
	case l.stays():
		return r.retain(s, l)
	case !r.reads(s, l):
		l.note = l.status.Message
		return nil
	}
	record := l.folded(s.lane)
	if record.Origin == "" && isOwned(l.status.Origin) {
		record.Origin = plan.Origin(l.status.Origin) // it was deleted; whether that is so is looked at below
	}
	if !record.Origin.Owned() {
		return r.lookFor(ctx, s, l, record)
	}
	if l.recordIn(record); l.retains() {
		return r.retain(s, l)
	}
	return r.unlink(ctx, s, l)
}

// stays reports that the account is left as it is: nobody can be called, or it is declared so.
func (l *personLink) stays() bool {
	return l.system == nil || l.elsewhere() || !l.system.DeletionTimestamp.IsZero() || l.retains() && isOwned(l.status.Origin)
}

// retains reports that whoever is taken off the system keeps the account.
func (l *personLink) retains() bool { return l.system.Spec.OnLeave == v1alpha1.UnlinkRetain }

func (r *LinkReconciler) retain(s *linkScope, l *personLink) error {
	return r.forget(s, l, v1alpha1.ReasonRetained, fmt.Sprintf("left the account in %s as it is: it is no longer declared", l.key.Name))
}

// lookFor finds out whether an account came to be that was asked for; if not, it is forgotten.
func (r *LinkReconciler) lookFor(ctx context.Context, s *linkScope, l *personLink, record plan.LinkRecord) error {
	if l.retains() && !l.state.Capabilities.Reads {
		return r.forget(s, l, "", "") // to ask again could make an account that nobody wants, and that stays usable
	}
	if _, err := r.wish(ctx, s, l); err != nil {
		return err
	}
	if err := r.decide(ctx, s, l, record, nil); err != nil {
		return err
	}
	switch found := l.plan.Record; {
	case !l.planned || len(l.plan.Actions) > 0:
	case found.Origin == "":
		return r.forget(s, l, "", "")
	case found.Origin.Owned() && l.retains():
		l.recordIn(found)
		return r.retain(s, l)
	}
	return nil
}

// keep leaves the record of somebody who was unlinked before they departed: of who was taken off, as long as it counts.
func (r *LinkReconciler) keep(ctx context.Context, s *linkScope, l *personLink) error {
	if l.off && l.status.OffboardingName == "" {
		return r.count(ctx, s, l)
	}
	return nil
}

// count keeps the record of somebody who was unlinked as long as that counts in the system's limits, also for the next manager
// (P6), and then forgets it.
func (r *LinkReconciler) count(ctx context.Context, s *linkScope, l *personLink) error {
	if l.status.AdmittedTime == nil {
		return r.forget(s, l, "", "")
	}
	left, err := r.Limiter.Counts(ctx, l.key, l.status.AdmittedTime.Time)
	if err != nil {
		return err
	}
	if left == 0 {
		return r.forget(s, l, "", "")
	}
	r.Hub.links.add(client.ObjectKeyFromObject(s.employee), sweepPriority, left)
	return nil
}

// forget ends the record of an account. It is told if it was ours.
func (r *LinkReconciler) forget(s *linkScope, l *personLink, reason, words string) error {
	if l.running != nil {
		l.running.Lane.Forget(s.lane)
	}
	r.unlinkings.forget(s.employee.UID, l.key.Name)
	r.claims.want(s.employee, l.key.Name)
	if isOwned(l.status.Origin) && words != "" {
		s.gone = append(s.gone, parted{l.key.Name, reason, words})
	}
	l.status.Name = ""
	return nil
}

// acts of unlinking as actions on an account.
var unlinkActs = map[leaving.Act]plan.Kind{
	leaving.ActConfirm: plan.Confirm, leaving.ActDisable: plan.Disable, leaving.ActUnlink: plan.Unlink, leaving.ActDelete: plan.Delete,
	leaving.ActResidual: plan.Check,
}

// unlink does what comes next, as when somebody leaves; but nobody is asked for, and no system is given up on.
func (r *LinkReconciler) unlink(ctx context.Context, s *linkScope, l *personLink) error {
	e, onLeave := s.employee, cmp.Or(l.system.Spec.OnLeave, v1alpha1.UnlinkDisable)
	l.observe = l.system.Spec.Mode == v1alpha1.ModeObserve
	until, waits, err := r.reprieve(ctx, s, l)
	if err != nil || waits {
		return err
	}
	at := r.known(e.UID, l)
	facts, err := r.unlinkFacts(ctx, s, l, at)
	if err != nil {
		return err
	}
	facts.Turn = until.IsZero()
	terms := leaving.UnlinkTerms{OnLeave: leaving.OnLeave(onLeave), Retry: math.MaxInt64}
	progress := leaving.UnlinkProgress{State: leaving.Running, Phase: leaving.UnlinkPhase(l.status.Phase), Disabled: l.status.State == v1alpha1.LinkedDisabled}
	d := leaving.NextUnlink(terms, progress, facts)
	kind := unlinkActs[d.Act]
	if may, err := r.mayUnlink(ctx, s, l, kind); err != nil || !may {
		return err
	}
	l.took(d, facts, kind)
	switch {
	case d.Hold != nil && d.Hold.Reason == leaving.InheritanceWaiting:
		l.note = fmt.Sprintf("nobody can sign in; the account is deleted at %s, unless the system is listed in spec.linkedAccounts again before", until.UTC().Format(time.RFC3339))
		r.Hub.links.add(client.ObjectKeyFromObject(e), sweepPriority, max(time.Second, until.Sub(r.Now())))
		return nil
	case d.Over:
		return r.unlinked(ctx, s, l, d.Message)
	case kind != "":
		l.wish.Version = fmt.Sprintf("off/%d", e.Generation)
		l.plan = plan.LinkPlan{Record: linkRecordOf(&l.status), Actions: []plan.LinkAction{{
			Kind: kind, ID: l.status.AccountID, Removes: onLeave == v1alpha1.UnlinkDelete && (kind == plan.Delete || kind == plan.Check),
		}}}
		l.planned = !l.observe || !kind.Writes()
	}
	l.problem = r.saysOf(s, l, d, kind)
	l.held = d.Hold != nil && !d.Hold.Until.IsZero()
	return nil
}

// unlinked ends the record of an account, but for what counts in the limits.
func (r *LinkReconciler) unlinked(ctx context.Context, s *linkScope, l *personLink, how string) error {
	taken := l.left()
	if err := r.forget(s, l, v1alpha1.EventUnlinked, fmt.Sprintf("unlinked from %s: %s", l.key.Name, how)); err != nil {
		return err
	}
	l.status, l.plan, l.planned, l.running, l.outcome = taken, plan.LinkPlan{}, false, nil, nil
	return r.count(ctx, s, l)
}

// reprieve is until when an account that can be disabled stays, disabled, before it is deleted: as long as the taking off counts in the
// system's limits. A list that lost an entry, in Git or by hand, says nothing of why: what cannot be undone waits until somebody could
// have seen that. It begins when the limits admit the taking off, also of somebody who was frozen before; until then it waits.
func (r *LinkReconciler) reprieve(ctx context.Context, s *linkScope, l *personLink) (until time.Time, waits bool, err error) {
	can, st := l.state.Capabilities, &l.status
	if l.observe || l.system.Spec.OnLeave != v1alpha1.UnlinkDelete || !can.Disables || can.DisableRemoves || st.Phase == v1alpha1.UnlinkPhaseDelete || st.Phase == v1alpha1.UnlinkPhaseCheck {
		return until, false, nil
	}
	if st.Phase == "" || st.AdmittedTime == nil {
		st.AdmittedTime, st.AdmittedBy = nil, ""
		if admitted, err := r.admitUnlink(ctx, s, l); err != nil || !admitted {
			return until, true, err
		}
	}
	left, err := r.Limiter.Counts(ctx, l.key, st.AdmittedTime.Time)
	if err == nil && left > 0 {
		until = r.Now().Add(left).Truncate(time.Second)
	}
	return until, false, err
}

// left is the record of somebody who was taken off the system. While it stays, adding the system back gives them the account that
// they had, if it is there and it was Rollcall that disabled it.
func (l *personLink) left() v1alpha1.LinkedAccountStatus {
	st := v1alpha1.LinkedAccountStatus{Name: l.status.Name, State: v1alpha1.LinkedUnlinked, AdmittedTime: l.status.AdmittedTime, AdmittedBy: l.status.AdmittedBy}
	if l.system.Spec.OnLeave != v1alpha1.UnlinkDelete && l.status.DisabledBy == v1alpha1.FrozenByRollcall {
		st.AccountID, st.SystemUID, st.DisabledBy = l.status.AccountID, l.status.SystemUID, l.status.DisabledBy
	}
	return st
}

// known is what is known of the unlinking, with what a task has just come to.
func (r *LinkReconciler) known(person types.UID, l *personLink) unlinking {
	at := r.unlinkings.get(person, l.key.Name)
	if l.outcome != nil {
		at.fold(l.outcome, r.Now())
		r.unlinkings.set(person, l.key.Name, at)
	}
	at.residualsRead = at.residualsRead && r.Now().Sub(at.looked) < lookAgain
	return at
}

// saysOf is how unlinking stands in the API's words.
func (r *LinkReconciler) saysOf(s *linkScope, l *personLink, d leaving.UnlinkDecision, kind plan.Kind) *Problem {
	switch {
	case d.Task && d.Todo != "":
		return problem(v1alpha1.ReasonManualTask, d.Todo)
	case kind != "" && !l.planned:
		return wouldDo(nil, []plan.Kind{kind})
	case kind != "":
		return underway(l.running.Lane.Last(s.lane, l.plan.Digest()))
	case d.Hold != nil:
		return problem(d.Hold.Reason, d.Hold.Message)
	}
	return nil
}

// lookAgain is how soon it is looked again whether something is left that was found.
const lookAgain = 10 * time.Minute

// fold takes in what a task came to.
func (u *unlinking) fold(o *execute.Outcome, now time.Time) {
	u.trouble = nil
	for act, kind := range unlinkActs {
		for _, did := range o.Done {
			if did == kind {
				u.last = act
			}
		}
	}
	if o.Err != nil {
		p := problemOf(o.Err)
		u.trouble = &leaving.Hold{Reason: p.Reason, Message: p.Message}
		return
	}
	u.residuals, u.residualsRead, u.looked = o.Residuals, o.Checked, now
}

// unlinkFacts is what is known now of an account that is unlinked.
func (r *LinkReconciler) unlinkFacts(ctx context.Context, s *linkScope, l *personLink, at unlinking) (leaving.UnlinkFacts, error) {
	m, c, id := l.running.Mirror, l.state.Capabilities, l.status.AccountID
	f := leaving.UnlinkFacts{
		Now: r.Now(), Owned: true, Turn: true, Reads: c.Reads, CanDisable: c.Disables, DisableRemoves: c.DisableRemoves, CanDelete: c.Deletes,
		Last: at.last, Trouble: at.trouble, Residuals: at.residuals, ResidualsRead: at.residualsRead,
	}
	account := m.Account(id)
	f.Read = !m.Doubtful(id) && (account != nil || m.Absent(id))
	if account != nil {
		f.There, f.Enabled, f.Parked = true, account.Enabled, account.Parked
	}
	var err error
	f.Claimant, err = r.claimant(ctx, s, l, id, nil)
	return f, err
}

// took records what was decided, before it is done.
func (l *personLink) took(d leaving.UnlinkDecision, f leaving.UnlinkFacts, kind plan.Kind) {
	st := &l.status
	st.Phase, st.Differences, st.Rivals = v1alpha1.UnlinkPhase(d.Phase), nil, nil
	if kind == plan.Disable && !l.observe {
		st.DisabledBy = v1alpha1.FrozenByRollcall
	}
	switch {
	case d.Disabled || f.Reads && f.There && !f.Enabled:
		st.State = v1alpha1.LinkedDisabled
	case f.Reads && f.There:
		st.State = v1alpha1.LinkedActive
	}
}

// mayUnlink reports whether an act may be done: it takes nothing, or the unlinking was let begin.
func (r *LinkReconciler) mayUnlink(ctx context.Context, s *linkScope, l *personLink, kind plan.Kind) (bool, error) {
	if kind == "" || !kind.Writes() || l.status.AdmittedTime != nil || l.observe {
		return true, nil
	}
	return r.admitUnlink(ctx, s, l)
}

// admitUnlink asks whether the account may be unlinked now (P6).
func (r *LinkReconciler) admitUnlink(ctx context.Context, s *linkScope, l *personLink) (bool, error) {
	e := s.employee
	admission, err := r.Limiter.AdmitLinked(ctx, l.key, Candidate{UID: e.UID, Kind: "Employee", Name: e.Name, Number: e.Status.Number, Action: actionLeave})
	if err != nil {
		return false, err
	}
	if !admission.Admitted {
		l.held = true
		if l.problem = admission.Problem; l.problem == nil {
			l.problem = problem(v1alpha1.ReasonRemovalLimit, "more people would lose access than the system's removalLimits allow: this one keeps it until an Approval is decided")
		}
		return false, nil
	}
	now := metav1.NewTime(r.Now())
	l.status.AdmittedTime, l.status.AdmittedBy = &now, admission.By
	return true, nil
}
