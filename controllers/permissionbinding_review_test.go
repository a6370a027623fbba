package controllers

import (
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/review"
	"rollcall.dev/rollcall/internal/tenant"
)

// TestP7AnAnswerThatIsNotLookedAtYetIsNoSilence: somebody answered in time, while no manager ran; one that starts long after that
// may see the answer before it has looked whether they may give it. Where nobody checked that, it is silence.
func TestP7AnAnswerThatIsNotLookedAtYetIsNoSilence(t *testing.T) {
	now := time.Date(2036, 3, 1, 0, 0, 0, 0, time.UTC)
	ago := func(days int) *metav1.Time { at := metav1.NewTime(now.AddDate(0, 0, -days)); return &at }
	for _, c := range []struct {
		name    string
		checked metav1.ConditionStatus
		state   v1alpha1.BindingState
		reviews bool
	}{
		{"not looked at yet", "", v1alpha1.BindingActive, false},
		{"checked", metav1.ConditionTrue, v1alpha1.BindingActive, true},
		{"checked by nobody", metav1.ConditionFalse, v1alpha1.BindingRevoked, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := member("li-na", "wecom=w1")
			b := &v1alpha1.PermissionBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "reviewers", UID: "b"}}
			b.Spec.AccountRef.Name, b.Spec.Review = "wecom", v1alpha1.BindingReview{IntervalDays: 30}
			b.Spec.Subjects.EmployeeRefs = []v1alpha1.EmployeeReference{{Name: e.Name}}
			b.Status.ReviewName, b.Status.GrantedSince, b.Status.ReviewStartTime, b.Status.ReviewEscalatedTime = "review-1", ago(90), ago(60), ago(50)
			apv := &v1alpha1.Approval{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "review-1"}, Spec: v1alpha1.ApprovalSpec{
				Purpose: v1alpha1.ApprovalReview, ExpireTime: ago(46), Digest: "d", Subjects: []v1alpha1.ApprovalSubject{{UID: string(e.UID), Kind: "Employee", Name: e.Name}},
				Decision: v1alpha1.ApprovalDecision{Verdict: v1alpha1.VerdictApproved, By: "wang.min@example.com", Digest: "d"},
			}}
			if c.checked != "" {
				apv.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionDecisionChecked, Status: c.checked}}
			}
			r := &PermissionBindingReconciler{Client: employing(t, e, apv), Approvals: &Approvals{Now: func() time.Time { return now }}}
			s := &bindingScope{
				binding: b, now: now, state: v1alpha1.BindingActive, role: &roleSeen{}, people: map[string]holder{"w1": {id: "w1", employee: e}},
				account: &v1alpha1.EnterpriseAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "wecom"}},
				tenant:  tenant.New("acme/wecom", directorytest.NewFake(directory.Capabilities{}), nil, time.Hour, time.Now, nil),
			}
			if err := r.review(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if over := b.Status.LastReviewTime != nil; s.state != c.state || over != c.reviews {
				t.Errorf("it is %s, and the review is over: %t", s.state, over)
			}
			if s.state == v1alpha1.BindingRevoked && s.problem() == nil {
				t.Error("P9: it is Ready, and nobody has lost the role yet")
			}
			if !c.reviews && s.again == 0 {
				t.Error("nobody looks again")
			}
		})
	}
}

// TestAReviewOfMoreThanAnApprovalListsIsNotOpened: it says so, and nobody is asked about some only.
func TestAReviewOfMoreThanAnApprovalListsIsNotOpened(t *testing.T) {
	s := &bindingScope{
		binding: &v1alpha1.PermissionBinding{}, people: map[string]holder{}, role: &roleSeen{holds: map[string]directory.RoleMember{}},
		reviewedOut: []holder{{id: "out"}},
	}
	for i := range maxSubjects - 1 { // the binding itself is listed, too
		id := strconv.Itoa(i)
		s.people[id], s.role.holds[id] = holder{id: id}, directory.RoleMember{Account: id}
	}
	r := &PermissionBindingReconciler{} // it could not ask
	if err := r.ask(t.Context(), s, review.Terms{}, review.Decision{}); err != nil {
		t.Fatal(err)
	}
	if p := s.problem(); p == nil || p.Reason != v1alpha1.ReasonInvalidValue || s.binding.Status.ReviewName != "" || s.binding.Status.ReviewStartTime != nil {
		t.Errorf("%+v, asked %q", p, s.binding.Status.ReviewName)
	}
}

// TestAReviewTakesOutNoMoreThanABindingRemembers: who is forgotten would get the role back. Taking it from everybody needs no memory.
func TestAReviewTakesOutNoMoreThanABindingRemembers(t *testing.T) {
	out := func(n int) (ids []string) {
		for i := range n {
			ids = append(ids, strconv.Itoa(i))
		}
		return ids
	}
	for _, c := range []struct {
		before  []string
		verdict review.Verdict
		out     []string
		over    bool
	}{
		{nil, review.Narrowed, out(mostReviewedOut), true},
		{nil, review.Narrowed, out(mostReviewedOut + 1), false},
		{[]string{"earlier"}, review.Narrowed, out(mostReviewedOut), false},
		{nil, review.Revoked, out(mostReviewedOut + 1), true},
	} {
		b := &v1alpha1.PermissionBinding{}
		b.Status.ReviewedOut = c.before
		s := &bindingScope{binding: b, tenant: tenant.New("acme/wecom", directorytest.NewFake(directory.Capabilities{}), nil, time.Hour, time.Now, nil)}
		s.conclude(review.Decision{Verdict: c.verdict, Out: c.out}, bindingReview{listed: c.out})
		kept := len(b.Status.ReviewedOut) == len(c.before)+len(c.out) || c.verdict.Ends()
		if over := b.Status.LastReviewTime != nil; over != c.over || over && !kept || !over && (s.problem() == nil || s.problem().Reason != v1alpha1.ReasonInvalidValue) {
			t.Errorf("%s of %d: over %t, %d are remembered, %+v", c.verdict, len(c.out), over, len(b.Status.ReviewedOut), s.problem())
		}
	}
}
