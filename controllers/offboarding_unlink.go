package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/tenant"
)

// parting is the unlinking of one linked account. Nothing of it waits for another system (P11).
type parting struct {
	scope  *offboardingScope
	spec   *v1alpha1.OffboardingLinkedAccount
	status *v1alpha1.UnlinkStatus
	key    client.ObjectKey
	system *v1alpha1.LinkedSystem
	// foreign: the system is another one than the account is in.
	foreign bool
	// runner is nil while the system is not called.
	runner *tenant.Linked
	known  *partingFound
	// again: the person is declared in this system again: whoever declares them has the account from then on.
	again    bool
	claimant string

	outcome  *execute.Outcome
	problem  *Problem
	over     bool
	offered  *execute.Task
	underway bool
	// busy: what is under way has to end first. idle: it waits for the other steps alone. ended: it was over just now.
	busy, idle, ended bool
	wait              time.Duration
}

// partingFound is what is known of a linked account in memory only.
type partingFound struct {
	// last is the act that ended last, and trouble how if not well.
	last    leaving.Act
	trouble *Problem
	// looked is when residuals were looked for, and stood how the account was seen to be then.
	looked    time.Time
	stood     stood
	residuals []string
}

// stood is how an account was seen to be.
type stood struct{ there, enabled, parked bool }

func (r *OffboardingReconciler) recallParting(ob *v1alpha1.Offboarding, system string) *partingFound {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.partings == nil {
		r.partings = map[string]*partingFound{}
	}
	key := client.ObjectKeyFromObject(ob).String() + "/" + system
	if r.partings[key] == nil {
		r.partings[key] = &partingFound{}
	}
	return r.partings[key]
}

// observeLinks reads what the unlinking of each linked account depends on. It makes no call.
func (r *OffboardingReconciler) observeLinks(ctx context.Context, s *offboardingScope) error {
	ob := s.ob
	statuses := make([]v1alpha1.UnlinkStatus, len(ob.Spec.LinkedAccounts))
	for i := range ob.Spec.LinkedAccounts {
		spec := &ob.Spec.LinkedAccounts[i]
		statuses[i] = v1alpha1.UnlinkStatus{Name: spec.Name, State: v1alpha1.StepState(leaving.Pending)}
		if st := unlinkStatus(ob, spec.Name); st != nil {
			statuses[i] = *st.DeepCopy()
		}
		p := &parting{scope: s, spec: spec, status: &statuses[i], known: r.recallParting(ob, spec.Name), key: client.ObjectKey{Namespace: ob.Namespace, Name: spec.Name}}
		if err := r.findLinked(ctx, p); err != nil {
			return err
		}
		s.partings = append(s.partings, p)
	}
	ob.Status.LinkedAccounts = statuses
	return nil
}

// unlinkStatus is the record of unlinking in a system, nil if there is none.
func unlinkStatus(ob *v1alpha1.Offboarding, system string) *v1alpha1.UnlinkStatus {
	for i := range ob.Status.LinkedAccounts {
		if ob.Status.LinkedAccounts[i].Name == system {
			return &ob.Status.LinkedAccounts[i]
		}
	}
	return nil
}

func (r *OffboardingReconciler) findLinked(ctx context.Context, p *parting) error {
	system := &v1alpha1.LinkedSystem{}
	switch err := r.Get(ctx, p.key, system); {
	case err == nil:
		p.system = system
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("reading the LinkedSystem: %w", err)
	}
	p.foreign = foreign(p.spec.SystemUID, p.system)
	if p.system != nil && !p.foreign && p.system.Spec.Mode != v1alpha1.ModeSuspended {
		p.runner = r.Systems.Get(p.key.String())
	}
	return nil
}

// foldLinks takes over what acts of unlinking have found or done.
func (s *offboardingScope) foldLinks() {
	for _, p := range s.partings {
		if p.runner == nil {
			continue
		}
		o, ok := p.runner.Lane.Outcome(s.lane)
		if !ok || o.Left == nil {
			continue
		}
		p.outcome = o
		p.fold(o)
	}
}

func (p *parting) fold(o *execute.Outcome) {
	known := p.known
	if o.Left.Act == execute.ActAttest {
		if o.Err == nil {
			p.confirmed()
		}
		return
	}
	known.last, known.trouble = o.Left.Act, nil
	if o.Err != nil {
		known.trouble = problemOf(o.Err)
	}
	switch {
	case o.Left.Read:
		known.looked, known.stood, known.residuals = p.scope.now, p.stands(), o.Left.Residuals
	case len(o.Done) > 0:
		known.looked = time.Time{}
	}
}

// stands is how the account was last seen to be.
func (p *parting) stands() stood {
	account := p.runner.Mirror.Account(p.spec.AccountID)
	return stood{account != nil, account != nil && account.Enabled, account != nil && account.Parked}
}

// cancelledLinks finds out in which systems the person is declared again, and who else holds an account by now.
func (r *OffboardingReconciler) cancelledLinks(ctx context.Context, s *offboardingScope, same []v1alpha1.Employee) error {
	for _, p := range s.partings {
		p.again = slices.ContainsFunc(same, func(e v1alpha1.Employee) bool { return declaresLink(&e, p.spec) })
		var holders v1alpha1.EmployeeList
		if err := r.List(ctx, &holders, client.InNamespace(s.ob.Namespace), client.MatchingFields{indexLink: linkKey(p.spec.Name, p.spec.AccountID)}); err != nil {
			return fmt.Errorf("listing who holds the linked account: %w", err)
		}
		for i := range holders.Items {
			e := &holders.Items[i]
			if owns(e, systemRef{p.spec.Name, p.spec.SystemUID}, p.spec.AccountID) && fold(declaredNumber(e)) != fold(s.ob.Spec.Number) {
				p.claimant = e.Name
			}
		}
	}
	return nil
}

// declaresLink reports whether somebody is to be in the linked system, disabled or not, and not by another account: one that nobody
// declares is left all the same (P2).
func declaresLink(e *v1alpha1.Employee, left *v1alpha1.OffboardingLinkedAccount) bool {
	return e.DeletionTimestamp.IsZero() && e.Spec.State != v1alpha1.EmployeeDeparted &&
		slices.ContainsFunc(e.Spec.LinkedAccounts, func(l v1alpha1.LinkedAccount) bool {
			return l.Name == left.Name && pins(&l, left)
		})
}

// unlink asks what comes next for each linked account, and records it.
func (r *OffboardingReconciler) unlink(ctx context.Context, s *offboardingScope) error {
	for _, p := range s.partings {
		if err := r.unlinkFrom(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (r *OffboardingReconciler) unlinkFrom(ctx context.Context, p *parting) error {
	s := p.scope
	switch {
	case leaving.State(p.status.State).Over():
		p.over = true
		return nil
	case p.settles():
		p.busy = true
		p.problem = problem(v1alpha1.ReasonLeaving, "waiting for what is under way in the system")
		p.wait = time.Second
		return nil
	case s.rejected != "":
		p.reject(s.rejected)
		return nil
	case !p.again && s.abandoned():
		p.end(leaving.Skipped, s.ending())
		return nil
	}
	f := p.facts()
	if err := r.admitLink(ctx, p, &f); err != nil || p.over {
		return err
	}
	d := leaving.NextUnlink(p.terms(), p.progress(), f)
	p.take(&d)
	switch {
	case d.Over:
		p.end(d.State, d.Message)
	case p.attest(&d):
	case d.Hold != nil:
		p.holdBy(&d)
	default:
		p.begin(&d)
	}
	return nil
}

// settles reports whether something runs in the system that has to end first: of the leaving, where the person is declared
// again; else of whoever declared the account before. What only waits is dropped.
func (p *parting) settles() bool {
	if p.runner == nil {
		return false
	}
	if p.again {
		return !p.runner.Lane.Settle(p.scope.lane)
	}
	return !p.runner.Lane.Settle(linkLaneOf(p.scope.ob.Spec.EmployeeRef.Name, p.scope.ob.Spec.EmployeeUID))
}

// abandoned reports that somebody said no on every account.
func (s *offboardingScope) abandoned() bool {
	return len(s.accounts) > 0 && !slices.ContainsFunc(s.accounts, func(a *departure) bool {
		return !a.over || !strings.HasPrefix(a.step(leaving.DeleteAccount).Message, rejectedWords)
	})
}

func (p *parting) terms() leaving.UnlinkTerms {
	terms := &p.scope.ob.Spec.Terms
	retry := defaultUnlinkRetry
	if s := terms.UnlinkRetrySeconds; s != nil {
		retry = time.Duration(*s) * time.Second
	}
	return leaving.UnlinkTerms{
		OnLeave: leaving.OnLeave(p.spec.OnLeave), Retry: retry,
		Skip: slices.Contains(terms.SkipSteps, v1alpha1.SkippableStep(leaving.UnlinkSystems)),
	}
}

// defaultUnlinkRetry is a day, as the CRD says.
const defaultUnlinkRetry = 24 * time.Hour

func (p *parting) progress() leaving.UnlinkProgress {
	progress := leaving.UnlinkProgress{
		State: leaving.State(p.status.State), Phase: leaving.UnlinkPhase(p.status.Phase), Disabled: p.status.DisabledTime != nil,
	}
	if at := p.status.WaitingSince; at != nil {
		progress.Since = at.Time
	}
	return progress
}

// facts are what is known now, limits apart.
func (p *parting) facts() leaving.UnlinkFacts {
	s := p.scope
	f := leaving.UnlinkFacts{
		Now: s.now, Owned: isOwned(p.spec.Origin), Claimant: p.claimant, Cancelled: p.again, Turn: s.turn(), Down: p.down(),
		Last: p.known.last, Confirmed: p.status.Task.ConfirmedTime != nil,
	}
	if t := p.known.trouble; t != nil {
		f.Trouble = holdOf(t)
	}
	if f.Down != nil {
		return f
	}
	if looked := p.known.looked; !looked.IsZero() && s.now.Before(looked.Add(residualAgain)) && p.known.stood == p.stands() {
		f.ResidualsRead, f.Residuals = true, p.known.residuals
	}
	m := p.runner.Mirror
	can := m.State().Capabilities
	f.Reads, f.CanDisable, f.DisableRemoves, f.CanDelete = can.Reads, can.Disables, can.DisableRemoves, can.Deletes || can.DisableRemoves
	if len(can.Limits) > 0 {
		f.Limit = can.Limits[0]
	}
	at := p.stands()
	f.Read = !m.Doubtful(p.spec.AccountID) && (at.there || m.Absent(p.spec.AccountID))
	f.There, f.Enabled, f.Parked = at.there, at.enabled, at.parked
	return f
}

// turn reports whether the steps of an account have come to UnlinkSystems, or nobody waits for any. In a namespace that is
// being deleted access is all that is taken away.
func (s *offboardingScope) turn() bool {
	return !s.leavingNamespace && (len(s.accounts) == 0 || slices.ContainsFunc(s.accounts, (*departure).unlinks))
}

// unlinks reports that the steps before UnlinkSystems are over on the account.
func (a *departure) unlinks() bool {
	for i := range a.status.Steps {
		switch st := &a.status.Steps[i]; {
		case st.Name == v1alpha1.OffboardingStepName(leaving.UnlinkSystems):
			return true
		case !leaving.State(st.State).Over():
			return false
		}
	}
	return false
}

// down says why the system is not called; nil if it is.
func (p *parting) down() *leaving.Hold {
	switch {
	case p.system == nil:
		return &leaving.Hold{Reason: v1alpha1.ReasonWaitingForAccount, Message: fmt.Sprintf("there is no LinkedSystem %q in this namespace", p.spec.Name)}
	case p.foreign:
		return &leaving.Hold{Reason: v1alpha1.ReasonDataConflict, Message: fmt.Sprintf("the LinkedSystem %q is another one than the account is in: its ids are not those of the account", p.spec.Name)}
	case p.system.Spec.Mode == v1alpha1.ModeSuspended:
		return &leaving.Hold{Reason: v1alpha1.ReasonSuspended, Message: fmt.Sprintf("the LinkedSystem %q is Suspended: it is not called", p.spec.Name)}
	case p.runner == nil:
		return &leaving.Hold{Reason: v1alpha1.ReasonWaitingForAccount, Message: fmt.Sprintf("the LinkedSystem %q is not connected; its conditions say why", p.spec.Name)}
	}
	state := p.runner.Mirror.State()
	switch {
	case state.Read:
		return nil
	case state.Err != nil:
		return holdOf(problemOf(state.Err))
	}
	return &leaving.Hold{Reason: v1alpha1.ReasonWaitingForAccount, Message: fmt.Sprintf("the LinkedSystem %q was not read yet", p.spec.Name)}
}

// admitLink says what holds the unlinking, and asks the system's limits before anything is taken away (P6).
func (r *OffboardingReconciler) admitLink(ctx context.Context, p *parting, f *leaving.UnlinkFacts) error {
	s := p.scope
	switch {
	case p.system != nil && p.system.Spec.Mode == v1alpha1.ModeObserve:
		f.Held = &leaving.Hold{Reason: v1alpha1.ReasonObserved, Message: "mode is Observe; Enforce would unlink the account"}
	case p.status.AdmittedTime != nil:
	case s.held != nil:
		f.Held = holdOf(s.held)
	case s.awaited() != nil: // the reason is the account's: it does not wait for the limits of this system
		f.Held = &leaving.Hold{Reason: v1alpha1.ReasonLeaving, Message: "the leaving has not begun: " + s.awaited().Message}
	case p.losesAccess(f):
		return r.askLimits(ctx, p, f)
	}
	return nil
}

// awaited is what somebody has to decide before the leaving begins anywhere.
func (s *offboardingScope) awaited() *Problem {
	if s.ob.Status.StartTime != nil {
		return nil
	}
	for _, a := range s.accounts {
		if a.problem != nil && awaitsDecision(a.problem.Reason) {
			return a.problem
		}
	}
	return nil
}

// losesAccess reports whether there is something to be taken away, as far as is known.
func (p *parting) losesAccess(f *leaving.UnlinkFacts) bool {
	terms := p.terms()
	return f.Down == nil && f.Owned && !f.Cancelled && f.Claimant == "" && (!f.Reads || f.Read && f.There) &&
		!terms.Skip && terms.OnLeave != leaving.LeaveRetained
}

func (r *OffboardingReconciler) askLimits(ctx context.Context, p *parting, f *leaving.UnlinkFacts) error {
	s := p.scope
	answer, err := r.Limiter.AdmitLinked(ctx, p.key, Candidate{UID: s.ob.UID, Kind: "Offboarding", Name: s.ob.Name, Number: s.ob.Spec.Number, Action: actionLeave})
	switch {
	case err != nil:
		return err
	case answer.Rejected:
		p.reject(cmp.Or(answer.Approver, "whoever decided about the removal limits"))
	case answer.Admitted:
		p.admitted(answer)
	default:
		problem := cmp.Or(answer.Problem, problem(v1alpha1.ReasonRemovalLimit, "too many people would lose access to the system in a while"))
		f.Held = holdOf(problem)
		f.Held.Until = s.now.Add(limitAgain)
	}
	return nil
}

// admitted records that the unlinking begins. It is the ledger of the limits.
func (p *parting) admitted(by Admission) {
	ob := p.scope.ob
	p.status.AdmittedTime, p.status.AdmittedBy = stamp(p.scope.now), by.By
	ob.Status.ApprovalName, ob.Status.ApprovedBy = cmp.Or(by.By, ob.Status.ApprovalName), cmp.Or(by.Approver, ob.Status.ApprovedBy)
	if ob.Status.StartTime == nil {
		ob.Status.StartTime = stamp(p.scope.now)
	}
}

func (p *parting) reject(by string) {
	p.end(leaving.Skipped, rejectedWords+by+": the account stays as it is")
}

// linksStopped reports whether nothing more comes of a linked account: it is over, or its system cannot be called, or, in a
// namespace that is being deleted, nobody can sign in any more.
func (s *offboardingScope) linksStopped() bool {
	return !slices.ContainsFunc(s.partings, func(p *parting) bool {
		stopped := p.over || p.system == nil || p.system.Spec.Mode == v1alpha1.ModeSuspended
		if s.leavingNamespace {
			return !stopped && p.status.DisabledTime == nil
		}
		return !stopped && p.system.DeletionTimestamp.IsZero()
	})
}
