package controllers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/plan"
)

// leavings reads what is known of the person's leavings, and which policy applies where that matters. Those of a number
// that is claimed and was refused are somebody else's.
func (r *EmployeeReconciler) leavings(ctx context.Context, s *employeeScope) error {
	number := s.employee.Status.Number
	if number == "" {
		return nil
	}
	all, err := r.Leavings.Numbered(ctx, s.employee.Namespace, number)
	if err != nil {
		return err
	}
	openFirst(all)
	s.leavings = all
	return r.choose(ctx, s)
}

// openFirst sorts leavings: those that are not over before the others, the newest first.
func openFirst(all []v1alpha1.Offboarding) {
	slices.SortFunc(all, func(a, b v1alpha1.Offboarding) int {
		if isOver(&a) != isOver(&b) {
			if isOver(&a) {
				return 1
			}
			return -1
		}
		// Ages are in whole seconds. Of the same age, what is Complete goes before what was Cancelled.
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), endOf(&b).Compare(endOf(&a)),
			strings.Compare(string(b.Status.State), string(a.Status.State)), strings.Compare(string(a.UID), string(b.UID)))
	})
}

// endOf is when a leaving was over; zero before.
func endOf(ob *v1alpha1.Offboarding) time.Time {
	if ob.Status.CompletionTime == nil {
		return time.Time{}
	}
	return ob.Status.CompletionTime.Time
}

// choose finds the policy, if somebody leaves something.
func (r *EmployeeReconciler) choose(ctx context.Context, s *employeeScope) (err error) {
	e := s.employee
	takenOff := slices.ContainsFunc(e.Status.Accounts, func(st v1alpha1.EmployeeAccountStatus) bool {
		return isOwned(st.Origin) && !slices.Contains(employeeAccounts(e), st.Name)
	})
	if s.departed() || !e.DeletionTimestamp.IsZero() || takenOff {
		s.policy, s.noPolicy, err = offboardingPolicy(ctx, r.Client, e)
	}
	return err
}

func (s *employeeScope) departed() bool { return s.employee.Spec.State == v1alpha1.EmployeeDeparted }

// leavingOf is the leaving of an account: the one that is not over, else the one that the status names, else the
// newest; nil if there was none.
func (s *employeeScope) leavingOf(account string) (ob *v1alpha1.Offboarding) {
	st := accountStatus(s.employee, account)
	for i := range s.leavings {
		other := &s.leavings[i]
		if !slices.ContainsFunc(other.Spec.Accounts, func(a v1alpha1.OffboardingAccount) bool { return a.Name == account }) {
			continue
		}
		if ob == nil {
			ob = other
		}
		if isOver(ob) && st != nil && other.Name == st.OffboardingName {
			ob = other
		}
	}
	return ob
}

// follow takes over how an account stands that somebody leaves. Nothing is written to it from here until that
// is over.
func (a *employeeAccount) follow(declared bool) bool {
	ob := a.leaving
	if ob == nil || isOver(ob) || cancelledOn(ob, a.status.Name) {
		return false
	}
	words := "it begins"
	if ob.Status.Step != "" {
		words = "at the step " + string(ob.Status.Step)
	}
	if ob.Status.WaitingFor != "" {
		words += ", waiting for " + ob.Status.WaitingFor
	}
	if left := leftOn(ob, a.status.Name); left != nil {
		if left.State != "" {
			a.status.State = left.State
		}
		if frozeIt(left) {
			a.status.FrozenBy = v1alpha1.FrozenByRollcall
		}
		if left.Message != "" {
			words += " (" + left.Message + ")"
		}
	}
	if declared {
		a.problem = problem(v1alpha1.ReasonOffboardingEnding, fmt.Sprintf("the person is declared again: waiting until the Offboarding %q has ended; %s", ob.Name, words))
	} else {
		a.problem = problem(v1alpha1.ReasonLeaving, fmt.Sprintf("left by the Offboarding %q: %s", ob.Name, words))
	}
	a.status.Differences, a.status.OffboardingName = nil, ob.Name
	return true
}

// leftOn is how far a leaving is on an account, nil if nothing is known.
func leftOn(ob *v1alpha1.Offboarding, account string) *v1alpha1.OffboardingAccountStatus {
	for i := range ob.Status.Accounts {
		if ob.Status.Accounts[i].Name == account {
			return &ob.Status.Accounts[i]
		}
	}
	return nil
}

// cancelledOn reports that the leaving ended on the account because the person is declared again. What goes on elsewhere keeps
// nobody from it (P11).
func cancelledOn(ob *v1alpha1.Offboarding, account string) bool {
	left := leftOn(ob, account)
	return left != nil && !slices.ContainsFunc(left.Steps, func(st v1alpha1.OffboardingStepStatus) bool { return !leaving.State(st.State).Over() }) &&
		slices.ContainsFunc(left.Steps, func(st v1alpha1.OffboardingStepStatus) bool { return st.Message == cancelledWords })
}

// frozeIt reports whether the leaving froze the account, or may have: that is recorded before it asks.
func frozeIt(left *v1alpha1.OffboardingAccountStatus) bool {
	return left.FrozenBy == v1alpha1.FrozenByRollcall
}

// removedBy reports whether the leaving has removed the account.
func removedBy(ob *v1alpha1.Offboarding, account string) bool {
	left := leftOn(ob, account)
	return left != nil && (left.State == v1alpha1.AccountDeparted || slices.ContainsFunc(left.Steps, func(st v1alpha1.OffboardingStepStatus) bool {
		return st.Name == v1alpha1.OffboardingStepName(leaving.DeleteAccount) && st.State == v1alpha1.StepState(leaving.Done)
	}))
}

// inherit takes over, once, what a leaving that is over has left to somebody who is declared again: the record of
// an account that is still there, or nothing where it was removed.
func (a *employeeAccount) inherit(spec *v1alpha1.EmployeeAccount, generation int64) {
	st, ob := &a.status, a.leaving
	left := ob != nil && st.OffboardingName == ob.Name || st.State == v1alpha1.AccountDeparted
	st.OffboardingName = ""
	if ob == nil || (!left && st.Origin != "") {
		return
	}
	if removedBy(ob, st.Name) {
		if left {
			a.forget(v1alpha1.AccountWaiting)
		}
		return
	}
	at := slices.IndexFunc(ob.Spec.Accounts, func(o v1alpha1.OffboardingAccount) bool { return o.Name == st.Name })
	if o := &ob.Spec.Accounts[at]; spec.UserID == "" || fold(spec.UserID) == fold(o.UserID) { // else another account is declared
		a.takeBack(o, leftOn(ob, st.Name), generation)
	}
}

// takeBack takes over the record of an account that a leaving has let be.
func (a *employeeAccount) takeBack(o *v1alpha1.OffboardingAccount, left *v1alpha1.OffboardingAccountStatus, generation int64) {
	st := &a.status
	frozen := left != nil && frozeIt(left)
	if st.Origin == "" {
		st.UserID, st.Type, st.Origin, st.AppliedVersion = o.UserID, o.Type, o.Origin, ""
		if begun := left != nil && left.AdmittedTime != nil; !begun && !frozen {
			st.AppliedVersion = untouched(generation)
		}
	}
	if frozen || o.FrozenBy == v1alpha1.FrozenByRollcall {
		st.FrozenBy = v1alpha1.FrozenByRollcall
	}
}

// untouched stands for the version of the first declaration of somebody whose leaving never began: what of it
// cannot be read is taken to be as it was declared before.
func untouched(generation int64) string { return fmt.Sprintf("untouched/%d", generation) }

// forget ends the record of an account that is not ours any more.
func (a *employeeAccount) forget(state v1alpha1.AccountState) {
	st := &a.status
	*st = v1alpha1.EmployeeAccountStatus{Name: st.Name, State: state}
}

// departure decides about an account of somebody who has departed.
func (r *EmployeeReconciler) departure(ctx context.Context, s *employeeScope, spec *v1alpha1.EmployeeAccount) (*employeeAccount, error) {
	a := r.standing(s, spec.Name)
	switch ob := a.leaving; {
	case a.follow(false):
		return a, nil
	case a.status.Origin == "" && spec.UserID == "" && declaredNumber(s.employee) == "":
		a.status.State = v1alpha1.AccountDeparted // who never had a number was never there
		return a, nil
	case ob == nil:
	case ob.Status.State == v1alpha1.OffboardingCancelled && s.sameAct(ob):
		if isOwned(a.status.Origin) {
			a.problem = rejected(ob)
		}
		return a, nil
	case ob.Status.State == v1alpha1.OffboardingComplete && (s.answers(ob, &a.status) || a.status.Origin == ""):
		a.conclude(ob)
		return a, nil
	}
	if isOwned(a.status.Origin) && s.policy != nil && s.problem == nil {
		a.leave(s)
		return a, nil
	}
	return a, r.converge(ctx, s, a, spec)
}

// answers reports whether a leaving that is over is the one that the account was left by.
func (s *employeeScope) answers(ob *v1alpha1.Offboarding, st *v1alpha1.EmployeeAccountStatus) bool {
	return st.OffboardingName == ob.Name || s.sameAct(ob)
}

// sameAct reports whether a leaving is of this very declaration.
func (s *employeeScope) sameAct(ob *v1alpha1.Offboarding) bool {
	e := s.employee
	return ob.Spec.EmployeeUID == string(e.UID) && (ob.Spec.RequestedBy.Generation == e.Generation || ob.Spec.Trigger == v1alpha1.TriggerDeleted)
}

func rejected(ob *v1alpha1.Offboarding) *Problem {
	return problem(v1alpha1.ReasonApprovalRejected, fmt.Sprintf("the Offboarding %q was cancelled, and the account stays as it is: declare the person Active, or change the declaration to ask again", ob.Name))
}

// conclude says how an account stands that was left. It is not ours any more.
func (a *employeeAccount) conclude(ob *v1alpha1.Offboarding) {
	state := v1alpha1.AccountDeparted
	if left := leftOn(ob, a.status.Name); left != nil && left.State != "" && !removedBy(ob, a.status.Name) {
		state = left.State
	}
	a.forget(state)
}

// leave has the account left as soon as nothing of ours is under way there.
func (a *employeeAccount) leave(s *employeeScope) {
	a.problem = problem(v1alpha1.ReasonLeaving, "the leaving begins")
	if a.leaves = a.tenant == nil || a.tenant.Lane.Settle(s.lane); !a.leaves {
		a.problem.Message = "the leaving begins when what is under way has ended"
		return
	}
	if a.tenant != nil {
		a.outcome, _ = a.tenant.Lane.Outcome(s.lane)
	}
}

// restrain keeps a plan for somebody who has departed to what takes nothing but access; where a policy applies, the
// leaving does that, too. Nobody is created, and an account that turns out to be ours is left.
func (a *employeeAccount) restrain(s *employeeScope, before plan.Record) {
	p, by := &a.plan, s.policy != nil && !s.ending
	var creates, freezes bool
	p.Actions = slices.DeleteFunc(p.Actions, func(action plan.Action) bool {
		creates, freezes = creates || action.Kind == plan.Create, freezes || action.Kind == plan.Freeze
		return action.Kind != plan.Confirm && (action.Kind != plan.Freeze || by)
	})
	p.Differ = 0
	if p.Hold != nil && p.Hold.Reason == plan.InvitationPending {
		p.Hold.Message = "the person was invited and has not accepted yet: withdraw the invitation in the platform's console, and take the account off spec.accounts or delete the Employee. Whoever accepts it after all leaves then"
	}
	switch {
	case creates:
		p.Record = before
	case p.Record.Origin.Owned() && by && len(p.Actions) == 0:
		p.Hold, p.StateDiffers, p.Record.FrozenByUs = nil, false, p.Record.FrozenByUs && !freezes
		a.leave(s)
	}
}

// takenOff decides about the accounts that the spec no longer lists and that are, or may just come to be, on the
// platform: they are left, each by itself, or stay as they are where no policy says how, or where the EnterpriseAccount is
// deleted: nobody is deleted on a platform because the company leaves it. What was never asked for, is gone, or is no more
// than an invitation, is forgotten.
func (r *EmployeeReconciler) takenOff(ctx context.Context, s *employeeScope) error {
	e := s.employee
	for i := range e.Status.Accounts {
		st := &e.Status.Accounts[i]
		if slices.Contains(employeeAccounts(e), st.Name) || st.Origin == "" || st.State == v1alpha1.AccountVanished || st.State == v1alpha1.AccountInvited {
			continue
		}
		account, _, err := enterpriseAccount(ctx, r, e.Namespace, st.Name)
		if err != nil {
			return err
		}
		a := r.standing(s, st.Name)
		ob, ending := a.leaving, account != nil && !account.DeletionTimestamp.IsZero()
		switch {
		case a.follow(false):
		case ob != nil && s.answers(ob, st) && removedBy(ob, st.Name):
			continue
		case st.Reason == v1alpha1.ReasonRetained && !s.departed(), !isOwned(st.Origin), s.policy == nil, ending, ob != nil && s.answers(ob, st):
			// What was left as it is once is not left for a policy that came later.
			a.problem = problem(v1alpha1.ReasonRetained, "no longer declared: the account is left on the platform as it is, and can be used")
		default:
			a.leave(s)
		}
		a.status.Differences = nil
		s.off = append(s.off, a)
	}
	return nil
}

// begin prepares the Offboardings of what is left from now on. What is recorded with it has them made, whatever
// happens in between.
func (r *EmployeeReconciler) begin(ctx context.Context, s *employeeScope) error {
	e := s.employee
	var together []string
	for _, a := range s.accounts {
		if a.leaves {
			together = append(together, a.status.Name)
		}
	}
	trigger := v1alpha1.TriggerDeparted
	for _, a := range s.off {
		switch {
		case !a.leaves:
		case s.departed():
			together = append(together, a.status.Name)
		default:
			if err := r.prepare(ctx, s, v1alpha1.TriggerAccountRemoved, a.status.Name); err != nil {
				return err
			}
		}
	}
	if !e.DeletionTimestamp.IsZero() && !s.departed() {
		trigger = v1alpha1.TriggerDeleted
	}
	if len(together) == 0 && len(s.unleft()) == 0 {
		return nil
	}
	return r.prepare(ctx, s, trigger, together...)
}

// prepare takes the snapshot. Its name tells one beginning from another, so that none is made twice.
func (r *EmployeeReconciler) prepare(ctx context.Context, s *employeeScope, trigger v1alpha1.OffboardingTrigger, accounts ...string) error {
	e := s.employee
	spec, p, err := snapshot(ctx, r.Client, e, trigger, accounts...)
	if err != nil || p != nil {
		return err
	}
	links := s.unleft()
	spec.LinkedAccounts = slices.DeleteFunc(spec.LinkedAccounts, func(a v1alpha1.OffboardingLinkedAccount) bool { return !slices.Contains(links, a.Name) })
	name := accounts
	if len(accounts) == 0 { // snapshot takes that for all
		spec.Accounts = nil
		for _, link := range links {
			name = append(name, "linked", link)
		}
	}
	if len(spec.Accounts) == 0 && len(spec.LinkedAccounts) == 0 {
		return nil
	}
	ob := &v1alpha1.Offboarding{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: offboardingName(e, trigger, name), Finalizers: []string{v1alpha1.Finalizer}}, Spec: spec,
	}
	e.Status.OffboardingName = ob.Name
	for _, name := range accounts {
		if st := accountStatus(e, name); st != nil {
			st.OffboardingName = ob.Name
		}
	}
	s.begun = append(s.begun, ob)
	return nil
}

// offboardingName is the Employee's name and a short hash of what begins it, at most 63 characters.
func offboardingName(e *v1alpha1.Employee, trigger v1alpha1.OffboardingTrigger, accounts []string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%s/%s", e.UID, e.Generation, trigger, strings.Join(accounts, "/")))
	return strings.TrimRight(e.Name[:min(len(e.Name), 54)], "-.") + "-" + hex.EncodeToString(sum[:4])
}

// create makes the Offboardings that were prepared and recorded, but where one is under way already.
func (r *EmployeeReconciler) create(ctx context.Context, s *employeeScope) error {
	for _, ob := range s.begun {
		known, err := r.Leavings.Numbered(ctx, ob.Namespace, ob.Spec.Number)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(known, func(other v1alpha1.Offboarding) bool { return !isOver(&other) && shareAccount(&other, ob) }) {
			continue // its event brings us back
		}
		switch made, err := r.Leavings.Make(ctx, ob); {
		case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		case err != nil:
			return fmt.Errorf("making the Offboarding: %w", err)
		case made:
			r.Recorder.Eventf(s.employee, ob, corev1.EventTypeNormal, v1alpha1.ReasonLeaving, "Leave", "the Offboarding %s begins: %s", ob.Name, ob.Spec.Trigger)
		}
	}
	return nil
}

// shareAccount reports whether a leaving that is not over is of something that another is of.
func shareAccount(a, b *v1alpha1.Offboarding) bool {
	return slices.ContainsFunc(a.Spec.Accounts, func(one v1alpha1.OffboardingAccount) bool {
		return !cancelledOn(a, one.Name) && slices.ContainsFunc(b.Spec.Accounts, func(other v1alpha1.OffboardingAccount) bool { return one.Name == other.Name })
	}) || slices.ContainsFunc(a.Spec.LinkedAccounts, func(one v1alpha1.OffboardingLinkedAccount) bool {
		return !unlinkOver(a, one.Name) && slices.ContainsFunc(b.Spec.LinkedAccounts, func(other v1alpha1.OffboardingLinkedAccount) bool { return one.Name == other.Name })
	})
}

// defaultRelease is how long a deletion waits for a leaving, as the CRD says.
const defaultRelease = 2 * time.Minute

// releasedIn is how long the deletion of an Employee has yet to wait for the leaving: not at all once the steps up
// to Notify are over, or it is held for a decision, or the policy's time is over. It goes on alone.
func (r *EmployeeReconciler) releasedIn(e *v1alpha1.Employee, ob *v1alpha1.Offboarding) time.Duration {
	if isOver(ob) || ob.Status.State == v1alpha1.OffboardingHeld {
		return 0
	}
	released := len(ob.Status.Accounts) == len(ob.Spec.Accounts) && len(ob.Status.LinkedAccounts) == len(ob.Spec.LinkedAccounts)
	for i := range ob.Status.Accounts {
		released = released && r.released(ob, &ob.Status.Accounts[i])
	}
	for i := range ob.Status.LinkedAccounts {
		released = released && leaving.State(ob.Status.LinkedAccounts[i].State).Over()
	}
	if released {
		return 0
	}
	wait := defaultRelease
	if s := ob.Spec.Terms.ReleaseAfterSeconds; s != nil {
		wait = time.Duration(*s) * time.Second
	}
	since := e.DeletionTimestamp.Time
	if ob.CreationTimestamp.After(since) {
		since = ob.CreationTimestamp.Time
	}
	return max(0, wait-time.Since(since))
}

// released reports whether the steps up to Notify are over on the account.
func (r *EmployeeReconciler) released(ob *v1alpha1.Offboarding, left *v1alpha1.OffboardingAccountStatus) bool {
	progress := leaving.Progress{Steps: map[leaving.Step]leaving.State{}}
	for _, st := range left.Steps {
		progress.Steps[leaving.Step(st.Name)] = leaving.State(st.State)
	}
	var offers []directory.DutyOffer
	if t := r.Tenants.Get(ob.Namespace + "/" + left.Name); t != nil {
		if remover, can := t.Directory.(directory.Remover); can {
			offers = remover.Duties()
		}
	}
	return leaving.Released(progress, offers)
}
