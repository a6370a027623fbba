package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/leaving"
)

// defaultExpire is how long a decision may take, as the CRD says.
const defaultExpire = 7 * 24 * time.Hour

// ask has a human decide about a leaving that may not begin without, until it has begun (P7).
func (r *OffboardingReconciler) ask(ctx context.Context, s *offboardingScope) error {
	ob := s.ob
	purpose, required := purposeOf(ob)
	if !required || ob.Status.StartTime != nil || !s.wanted() {
		return nil
	}
	q := question(ob, purpose, "Leave")
	q.Summary = summaryOfLeaving(ob)
	answer, err := r.Approvals.Ask(ctx, q)
	if err != nil {
		return err
	}
	s.held = take(ob, answer)
	if answer.State == v1alpha1.ApprovalRejected {
		s.rejected = cmp.Or(answer.Approver, "an approver")
	}
	return nil
}

// wanted reports whether there is something of the leaving to be done, or to be declined.
func (s *offboardingScope) wanted() bool {
	return slices.ContainsFunc(s.accounts, func(a *departure) bool { return !a.again && !a.finished() }) ||
		slices.ContainsFunc(s.partings, func(p *parting) bool { return !p.again && !leaving.State(p.status.State).Over() })
}

// purposeOf is what a human has to decide before anything is done, if anything.
func purposeOf(ob *v1alpha1.Offboarding) (v1alpha1.ApprovalPurpose, bool) {
	terms := &ob.Spec.Terms
	needs := func(c v1alpha1.ApprovalCase) bool { return slices.Contains(terms.Approval.RequiredFor, c) }
	switch ob.Spec.Trigger {
	case v1alpha1.TriggerDeparted:
		return v1alpha1.ApprovalDeparture, needs(v1alpha1.CaseDeparture)
	case v1alpha1.TriggerDeleted:
		return v1alpha1.ApprovalDeletion, needs(v1alpha1.CaseDeletion) || terms.UnannouncedDeletion == v1alpha1.UnannouncedHold
	}
	return v1alpha1.ApprovalAccountRemoval, needs(v1alpha1.CaseAccountRemoval)
}

// summaryOfLeaving says what happens if it is approved.
func summaryOfLeaving(ob *v1alpha1.Offboarding) string {
	terms, accounts := &ob.Spec.Terms, make([]string, 0, len(ob.Spec.Accounts))
	for _, a := range ob.Spec.Accounts {
		accounts = append(accounts, a.Name)
	}
	backup, handOver := "a verified backup is made", "what the person looked after is handed over"
	last := "the accounts are deleted after a grace of " + duration.HumanDuration(graceOf(terms))
	if terms.Backup.Mode == v1alpha1.BackupNone {
		backup = "no backup is made"
	}
	if slices.Contains(terms.SkipSteps, v1alpha1.SkippableStep(leaving.HandOver)) {
		handOver = "nothing is handed over"
	}
	if terms.FinalAction == v1alpha1.FinalKeep {
		last = "the accounts are kept"
	}
	linked := make([]string, 0, len(ob.Spec.LinkedAccounts))
	for _, a := range ob.Spec.LinkedAccounts {
		linked = append(linked, fmt.Sprintf("%s (%s)", a.Name, a.OnLeave))
	}
	switch unlinked := strings.Join(linked, ", "); {
	case len(accounts) == 0:
		return fmt.Sprintf("%s leaves the linked systems %s", ob.Spec.Number, unlinked)
	case len(linked) > 0:
		last += "; the linked systems are " + unlinked
	}
	return fmt.Sprintf("%s leaves %s: access ends where the platform can end it, %s, %s, and %s",
		ob.Spec.Number, strings.Join(accounts, ", "), backup, handOver, last)
}

func question(ob *v1alpha1.Offboarding, purpose v1alpha1.ApprovalPurpose, action string) Question {
	terms := &ob.Spec.Terms.Approval
	expire := defaultExpire
	if s := terms.ExpireAfterSeconds; s > 0 {
		expire = time.Duration(s) * time.Second
	}
	requesters := slices.Concat(ob.Spec.RequestedBy.Users, terms.Requesters)
	slices.Sort(requesters)
	return Question{
		Namespace: ob.Namespace, Purpose: purpose, Requesters: slices.Compact(requesters), Groups: terms.ApproverGroups, Expire: expire,
		Subjects: []v1alpha1.ApprovalSubject{{UID: string(ob.UID), Kind: "Offboarding", Name: ob.Name, Number: ob.Spec.Number, Action: action}},
	}
}

// take records an answer, and says why nothing happens before another one.
func take(ob *v1alpha1.Offboarding, answer Answer) *Problem {
	ob.Status.ApprovalName = answer.Name
	switch answer.State {
	case v1alpha1.ApprovalApproved:
		ob.Status.ApprovedBy = answer.Approver
		return nil
	case v1alpha1.ApprovalExpired:
		return problem(v1alpha1.ReasonApprovalExpired, fmt.Sprintf("nobody decided about the Approval %q in time: it is asked again in another", answer.Name))
	case v1alpha1.ApprovalRejected:
		return problem(v1alpha1.ReasonApprovalRejected, fmt.Sprintf("the Approval %q was rejected", answer.Name))
	}
	return problem(v1alpha1.ReasonApprovalPending, fmt.Sprintf("somebody has to decide first: kubectl rollcall approve (or reject) %s -n %s", answer.Name, ob.Namespace))
}

// admit says what holds the leaving on one account, and asks the account's limits before its first act (P6).
func (r *OffboardingReconciler) admit(ctx context.Context, a *departure, f *leaving.Facts) error {
	s := a.scope
	a.holdDeletion(f)
	switch {
	case s.held != nil:
		f.Held = holdOf(s.held)
		return nil //nolint:nilerr // a problem is a finding, not an error
	case a.status.AdmittedTime != nil || !a.losesAccess(f):
		return nil
	case a.account.Spec.Mode == v1alpha1.ModeObserve:
		f.Held = &leaving.Hold{Reason: v1alpha1.ReasonObserved, Message: "mode is Observe; Enforce would let the person leave"}
		return nil
	}
	answer, err := r.Limiter.Admit(ctx, a.key, Candidate{UID: s.ob.UID, Kind: "Offboarding", Name: s.ob.Name, Number: s.ob.Spec.Number, Action: "Leave"})
	switch {
	case err != nil:
		return err
	case answer.Rejected:
		a.reject(cmp.Or(answer.Approver, "whoever decided about the removal limits"))
	case answer.Admitted:
		r.admitted(a, answer)
	default:
		p := answer.Problem
		if p == nil {
			p = problem(v1alpha1.ReasonRemovalLimit, "too many people would lose access to the account in a while")
		}
		f.Held = holdOf(p)
		f.Held.Until = s.now.Add(limitAgain)
	}
	return nil
}

// holdDeletion says what holds the removal alone.
func (a *departure) holdDeletion(f *leaving.Facts) {
	switch s := a.scope; {
	case s.leavingNamespace:
		f.DeletionHeld = &leaving.Hold{Reason: v1alpha1.ReasonNamespaceLeaving, Message: "the namespace is being deleted: accounts are frozen and backed up, and none is deleted"}
	case !a.progress().RemovalAsked && slices.Contains(s.ob.Spec.Terms.Approval.RequiredFor, v1alpha1.CaseDeleteAccount):
		f.DeletionHeld = deletionAsked
	}
}

// losesAccess reports whether there is something to be taken away, as far as is known.
func (a *departure) losesAccess(f *leaving.Facts) bool {
	return a.tenant != nil && f.Owned && !f.Cancelled && f.Account != nil && !f.Doubtful && f.Claimant == ""
}

// limitAgain is how often the limits are asked again while nobody decides: the window moves on.
const limitAgain = time.Minute

func holdOf(p *Problem) *leaving.Hold { return &leaving.Hold{Reason: p.Reason, Message: p.Message} }

// admitted records that the leaving begins on the account. It is the ledger of the limits.
func (r *OffboardingReconciler) admitted(a *departure, by Admission) {
	ob := a.scope.ob
	a.status.AdmittedTime, a.status.AdmittedBy = stamp(a.scope.now), by.By
	if by.By != "" {
		ob.Status.ApprovalName = by.By
	}
	if by.Approver != "" {
		ob.Status.ApprovedBy = by.Approver
	}
	if ob.Status.StartTime == nil {
		ob.Status.StartTime = stamp(a.scope.now)
	}
	a.layTasks()
}

// deletionAsked stands before a removal that needs somebody's decision until it is asked for.
var deletionAsked = &leaving.Hold{Reason: v1alpha1.ReasonApprovalPending}

// askDeletion has a human decide about the removal of one account, when everything else is
// done; nil lets it.
func (r *OffboardingReconciler) askDeletion(ctx context.Context, a *departure) (*leaving.Hold, error) {
	ob := a.scope.ob
	q := question(ob, v1alpha1.ApprovalDeleteAccount, "Delete")
	q.Account = a.spec.Name
	q.Summary = fmt.Sprintf("the account of %s on %s is deleted for good; all else is done", ob.Spec.Number, a.spec.Name)
	answer, err := r.Approvals.Ask(ctx, q)
	if err != nil {
		return nil, err
	}
	p := take(ob, answer)
	a.asked = answer.Name
	switch {
	case answer.State == v1alpha1.ApprovalRejected:
		a.reject(cmp.Or(answer.Approver, "an approver"))
		return nil, nil
	case p != nil:
		return holdOf(p), nil
	}
	return nil, nil
}
