package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/review"
)

const (
	aDay = 24 * time.Hour
	// answerWithin is how long a review waits before it escalates, as the CRD says.
	answerWithin = 7 * aDay
	// mostReviewedOut is how many a binding can remember; the CRD says so too.
	mostReviewedOut = 500
)

func reviewTerms(b *v1alpha1.PermissionBinding) review.Terms {
	t := review.Terms{
		Interval: time.Duration(b.Spec.Review.IntervalDays) * aDay, Answer: time.Duration(b.Spec.Review.AnswerWithinDays) * aDay,
		OnSilence: review.Silence(b.Spec.Review.OnSilence),
	}
	if t.Answer == 0 {
		t.Answer = answerWithin
	}
	return t
}

// bindingReview is a review that is open, as its Approval has it.
type bindingReview struct {
	// open: somebody can still decide.
	open bool
	// unchecked: somebody has decided, and it is being looked at whether they may.
	unchecked bool
	// reviewer is who decided.
	reviewer string
	// listed are the user ids whom it lists and who are still declared.
	listed []string
}

// review asks from time to time whether the role is still needed, and records what was
// answered. What that changes on the platform is planned from the record.
func (r *PermissionBindingReconciler) review(ctx context.Context, s *bindingScope) error {
	b, st := s.binding, &s.binding.Status
	terms := reviewTerms(b)
	s.tellOut()
	if terms.Interval == 0 || !s.inForce() {
		meta.RemoveStatusCondition(&st.Conditions, v1alpha1.ConditionReviewed)
		st.NextReviewTime, st.ReviewStartTime, st.ReviewEscalatedTime = nil, nil, nil
		return r.withdraw(ctx, b, st.ReviewName)
	}
	if s.tenant == nil || s.role == nil || s.account.Spec.Mode == v1alpha1.ModeObserve {
		return nil // who holds it is not known, or nothing would come of an answer
	}
	f := review.Facts{
		Now: s.now, Since: instant(st.LastReviewTime), Asked: instant(st.ReviewStartTime), Escalated: instant(st.ReviewEscalatedTime),
		FoldsIDs: s.tenant.Directory.Capabilities().FoldsIDs,
	}
	if f.Since.IsZero() {
		f.Since = instant(st.GrantedSince)
	}
	var asked bindingReview
	var err error
	if !f.Asked.IsZero() {
		if asked, err = r.asked(ctx, s, &f); err != nil {
			return err
		}
	}
	if asked.unchecked { // an answer in time is no silence
		s.wait(problem(v1alpha1.ReasonProgressing, "somebody answered the review "+s.binding.Status.ReviewName+", and whether they may is being looked at"))
		s.again = sooner(s.again, time.Second)
		return nil
	}
	d := review.For(terms, f)
	if !d.Wake.IsZero() {
		s.again = sooner(s.again, max(time.Second, d.Wake.Sub(s.now)))
	}
	if err := r.follow(ctx, s, terms, d, asked); err != nil {
		return err
	}
	s.sayReviewed(d)
	return nil
}

func instant(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// tellOut says whom reviews took out although they are still declared.
func (s *bindingScope) tellOut() {
	if s.state == v1alpha1.BindingRevoked {
		s.wait(problem(v1alpha1.ReasonReviewedOut, "a review took the role from everybody, and the binding is still there: delete it; who needs the role again is declared in another"))
	} else if n := len(s.reviewedOut); n > 0 {
		s.wait(problem(v1alpha1.ReasonReviewedOut, fmt.Sprintf("a review took the role from %d who are still declared: take them out of the binding", n)))
	}
}

// follow does what is to be done about the review.
func (r *PermissionBindingReconciler) follow(ctx context.Context, s *bindingScope, terms review.Terms, d review.Decision, asked bindingReview) error {
	st := &s.binding.Status
	switch d.Stage {
	case review.Idle:
		return nil
	case review.Over:
		s.conclude(d, asked)
		return nil
	case review.Escalated:
		if st.ReviewEscalatedTime == nil {
			st.ReviewEscalatedTime = s.stamp()
			s.say(corev1.EventTypeWarning, v1alpha1.ReasonReviewOverdue, "Review", "nobody answered the review %s in time", st.ReviewName)
		}
	case review.Due, review.Waiting:
	}
	if !asked.open {
		return r.ask(ctx, s, terms, d)
	}
	return nil
}

// asked reads how the Approval of the open review stands, and what was answered.
func (r *PermissionBindingReconciler) asked(ctx context.Context, s *bindingScope, f *review.Facts) (bindingReview, error) {
	apv := &v1alpha1.Approval{}
	err := r.Get(ctx, client.ObjectKey{Namespace: s.binding.Namespace, Name: s.binding.Status.ReviewName}, apv)
	if apierrors.IsNotFound(err) {
		return bindingReview{}, nil // it is asked again
	}
	if err != nil {
		return bindingReview{}, fmt.Errorf("reading the Approval of a review: %w", err)
	}
	asked := bindingReview{open: !r.Approvals.over(apv)}
	ids, err := r.declaredIDs(ctx, s.binding)
	if err != nil {
		return bindingReview{}, err
	}
	for _, subject := range apv.Spec.Subjects {
		if id := ids[subject.UID]; id != "" {
			asked.listed = append(asked.listed, id)
		}
	}
	f.Holders = asked.listed
	// The API server lets nobody decide too late: what was decided counts whenever it is seen.
	decided := apv.Spec.Decision
	if decided.Verdict == "" || decided.Digest != apv.Spec.Digest || apv.Status.State == v1alpha1.ApprovalWithdrawn {
		return asked, nil
	}
	if !r.Approvals.Unchecked && !meta.IsStatusConditionTrue(apv.Status.Conditions, v1alpha1.ConditionDecisionChecked) {
		asked.unchecked = meta.FindStatusCondition(apv.Status.Conditions, v1alpha1.ConditionDecisionChecked) == nil
		return asked, nil
	}
	asked.reviewer = decided.By
	f.Answer = &review.Answer{Confirmed: decided.Verdict == v1alpha1.VerdictApproved}
	for _, uid := range decided.Except {
		if id := ids[uid]; id != "" {
			f.Answer.Except = append(f.Answer.Except, id)
		}
	}
	return asked, nil
}

// declaredIDs are the user ids of those whom the binding declares, by UID; also of those who cannot hold the role now: who is
// frozen while a review takes it from them does not get it back with the account.
func (r *PermissionBindingReconciler) declaredIDs(ctx context.Context, b *v1alpha1.PermissionBinding) (map[string]string, error) {
	found, _, err := r.subjects(ctx, b)
	ids := map[string]string{}
	for uid, e := range found {
		if st := accountStatus(e, b.Spec.AccountRef.Name); st != nil {
			ids[string(uid)] = st.UserID
		}
	}
	return ids, err
}

// ask opens the review: it lists who holds the role by the binding, and whom an earlier review
// took out and the binding still declares.
func (r *PermissionBindingReconciler) ask(ctx context.Context, s *bindingScope, terms review.Terms, d review.Decision) error {
	b, st := s.binding, &s.binding.Status
	// The time makes it another question than that of the last review.
	subjects := []v1alpha1.ApprovalSubject{{UID: string(b.UID) + "/" + d.DueTime.UTC().Format("20060102T150405Z"), Kind: kindBinding, Name: b.Name, Action: actionKeep}}
	holders := s.holders()
	n := len(holders) + len(s.reviewedOut)
	if n == 0 {
		return nil
	}
	if n >= maxSubjects {
		s.wait(problem(v1alpha1.ReasonInvalidValue, fmt.Sprintf("review: %d people hold the role, and a review lists at most %d: make several bindings, of fewer departments each", n, maxSubjects-1)))
		return nil
	}
	active, ready := r.active(s, d.DueTime, slices.Concat(holders, s.reviewedOut))
	if !ready {
		return nil
	}
	list := func(people []holder, action string) {
		for _, h := range people {
			subject := subjectOf(h, action)
			subject.LastActiveDay = active.day(h.id)
			subjects = append(subjects, subject)
		}
	}
	list(holders, actionKeep)
	list(s.reviewedOut, actionGrant)
	answer, err := r.Approvals.Ask(ctx, Question{
		Namespace: b.Namespace, Account: b.Spec.AccountRef.Name, Purpose: v1alpha1.ApprovalReview, Requesters: b.Spec.Requesters, Groups: b.Spec.ApproverGroups, Expire: 2 * terms.Answer,
		Summary: fmt.Sprintf("%d people keep the role %s, but for those in decision.except: %s%s", n, b.Spec.Role.Name, b.Spec.Reason, active.inWords()), Subjects: subjects,
	})
	if err != nil {
		return err
	}
	if st.ReviewName != answer.Name && active != nil && active.err != nil {
		p := problemOf(active.err)
		s.say(corev1.EventTypeWarning, p.Reason, "Review", "the review %s does not tell when people were last active: %s", answer.Name, p.Message)
	}
	st.ReviewName = answer.Name
	if st.ReviewStartTime == nil {
		st.ReviewStartTime = s.stamp()
		s.again = sooner(s.again, terms.Answer)
	}
	return nil
}

// holders are those who are declared and were seen to hold the role.
func (s *bindingScope) holders() (found []holder) {
	for k, h := range s.people {
		if s.holds(k) {
			found = append(found, h)
		}
	}
	return found
}

// conclude records what came of a review, before anything is done about it.
func (s *bindingScope) conclude(d review.Decision, asked bindingReview) {
	b, st, key := s.binding, &s.binding.Status, s.tenant.Mirror.Key
	by := "nobody answered"
	if asked.reviewer != "" {
		by = asked.reviewer + " decided"
	}
	is := func(ids []string, id string) bool {
		return slices.ContainsFunc(ids, func(other string) bool { return key(other) == key(id) })
	}
	out := slices.DeleteFunc(slices.Clone(st.ReviewedOut), func(id string) bool { return is(asked.listed, id) })
	if !d.Verdict.Ends() {
		out = append(out, d.Out...)
	}
	if len(out) > mostReviewedOut {
		s.wait(problem(v1alpha1.ReasonInvalidValue, fmt.Sprintf("review: %d people would be taken out and are still declared, and a binding remembers at most %d: take people out of the binding first", len(out), mostReviewedOut)))
		return
	}
	if d.Verdict == review.SilenceKept { // it stays overdue, and is asked again
		st.ReviewStartTime = s.stamp()
		s.say(corev1.EventTypeWarning, v1alpha1.ReasonReviewOverdue, "Review", "nobody answered the review %s; they keep the role, and it is asked again", st.ReviewName)
		s.again = staleRetry
		return
	}
	st.ReviewedOut, st.LastReviewTime, st.ReviewStartTime, st.ReviewEscalatedTime = out, s.stamp(), nil, nil
	if d.Verdict.Ends() {
		s.state = v1alpha1.BindingRevoked
	}
	s.say(corev1.EventTypeNormal, v1alpha1.EventReviewed, "Review", "%s, %s: %d keep the role %s and %d lose it", d.Verdict, by, len(asked.listed)-len(d.Out), b.Spec.Role.Name, len(d.Out))
	if len(d.Out) > 0 {
		s.wait(problem(v1alpha1.ReasonProgressing, fmt.Sprintf("a review ended, and the role is being taken from %d", len(d.Out))))
	}
	s.task, s.again = nil, staleRetry // what was planned before this is planned anew
}

// sayReviewed says in the status how the review stands.
func (s *bindingScope) sayReviewed(d review.Decision) {
	b, st := s.binding, &s.binding.Status
	st.NextReviewTime = nil
	if !d.DueTime.IsZero() {
		at := metav1.NewTime(d.DueTime.UTC().Truncate(time.Second))
		st.NextReviewTime = &at
	}
	if st.ReviewEscalatedTime == nil {
		message := "no review is overdue"
		if st.ReviewStartTime != nil {
			message = "somebody is asked: " + st.ReviewName
		}
		kube.Set(&st.Conditions, b.Generation, v1alpha1.ConditionReviewed, metav1.ConditionTrue, v1alpha1.ReasonInSync, message)
		return
	}
	what := "then the role is taken from everybody"
	if b.Spec.Review.OnSilence == v1alpha1.SilenceKeep {
		what = "they keep the role meanwhile"
	}
	p := problem(v1alpha1.ReasonReviewOverdue, fmt.Sprintf("nobody answered the review %s in time; %s (review.onSilence)", st.ReviewName, what))
	kube.Set(&st.Conditions, b.Generation, v1alpha1.ConditionReviewed, metav1.ConditionFalse, p.Reason, kube.Coded(p.Reason, p.Message))
	s.wait(p)
}
