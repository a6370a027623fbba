package main

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/review"
)

// A review is reported as it was decided, with who lost the right by it.
func TestReviewRecords(t *testing.T) {
	at := metav1.NewTime(time.Date(2036, 1, 2, 3, 4, 5, 0, time.UTC))
	apv := func(state v1alpha1.ApprovalState, except ...string) *v1alpha1.Approval {
		return &v1alpha1.Approval{
			ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "review-1"},
			Spec: v1alpha1.ApprovalSpec{Purpose: v1alpha1.ApprovalReview, AccountName: "wecom", Summary: "2 people keep the role 审核员", ExpireTime: &at, Subjects: []v1alpha1.ApprovalSubject{
				{UID: "b/1", Kind: "PermissionBinding", Name: "reviewers"}, {UID: "1", Kind: "Employee", Number: "E1", LastActiveDay: "2036-01-01"}, {UID: "2", Kind: "Employee", Number: "E2"},
			}, Decision: v1alpha1.ApprovalDecision{By: "bob", Except: except}},
			Status: v1alpha1.ApprovalStatus{State: state, DecisionTime: &at},
		}
	}
	b := &v1alpha1.PermissionBinding{ObjectMeta: metav1.ObjectMeta{Name: "reviewers", UID: "b"}, Spec: v1alpha1.PermissionBindingSpec{Reason: "审核报销单", Role: v1alpha1.BoundRole{Name: "审核员"}}}
	e := &v1alpha1.Employee{Status: v1alpha1.EmployeeStatus{Accounts: []v1alpha1.EmployeeAccountStatus{{Name: "dingtalk", UserID: "no"}, {Name: "wecom", UserID: "u1"}}}}
	for _, c := range []struct {
		name    string
		apv     *v1alpha1.Approval
		state   v1alpha1.BindingState
		verdict review.Verdict
		lost    [2]bool
		open    bool
	}{
		{"confirmed", apv(v1alpha1.ApprovalApproved), "", review.Confirmed, [2]bool{}, false},
		{"narrowed", apv(v1alpha1.ApprovalApproved, "2"), "", review.Narrowed, [2]bool{false, true}, false},
		{"revoked", apv(v1alpha1.ApprovalRejected), "", review.Revoked, [2]bool{true, true}, false},
		{"silence", apv(v1alpha1.ApprovalExpired), v1alpha1.BindingRevoked, review.SilenceRevoked, [2]bool{true, true}, false},
		{"open", apv(v1alpha1.ApprovalPending), "", "", [2]bool{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.Status.State = c.state
			r := recordOf(c.apv, map[string]*v1alpha1.PermissionBinding{"reviewers": b}, map[string]*v1alpha1.Employee{"1": e})
			if r.Verdict != c.verdict || r.Binding != "reviewers" || r.Role != "审核员" || r.By != "bob" || r.Ended.IsZero() != c.open {
				t.Errorf("got %+v", r)
			}
			if len(r.Holders) != 2 || r.Holders[0].UserID != "u1" || r.Holders[0].LastActive != "2036-01-01" || lost(&r.Holders[0]) != c.lost[0] || r.Holders[1].Number != "E2" || lost(&r.Holders[1]) != c.lost[1] || (r.Holders[0].Lost == nil) != c.open {
				t.Errorf("holders: %+v", r.Holders)
			}
		})
	}
	a := apv(v1alpha1.ApprovalApproved)
	a.Spec.Summary = "2 people keep the role 审核员: 审核报销单"
	if r := recordOf(a, nil, nil); r.Binding != "reviewers" || r.Why != a.Spec.Summary || r.Verdict != review.Confirmed {
		t.Errorf("of a binding that is gone: %+v", r)
	}
}

func lost(h *review.Holder) bool { return h.Lost != nil && *h.Lost }

// Of a binding that is gone, be it that another has its name by now, the report does not tell what it does
// not know: neither the role of the other, nor what silence meant.
func TestReviewsOfBindingsThatAreGone(t *testing.T) {
	at := metav1.NewTime(time.Date(2036, 1, 2, 3, 4, 5, 0, time.UTC))
	apv := &v1alpha1.Approval{
		Spec: v1alpha1.ApprovalSpec{Summary: "1 people keep the role 审核员", ExpireTime: &at, Subjects: []v1alpha1.ApprovalSubject{
			{UID: "b/1", Kind: "PermissionBinding", Name: "reviewers"}, {UID: "1", Kind: "Employee", Number: "E1"},
		}},
		Status: v1alpha1.ApprovalStatus{State: v1alpha1.ApprovalExpired},
	}
	other := &v1alpha1.PermissionBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reviewers", UID: "c"},
		Spec:       v1alpha1.PermissionBindingSpec{Reason: "门禁", Role: v1alpha1.BoundRole{Name: "仓管员"}, Review: v1alpha1.BindingReview{OnSilence: v1alpha1.SilenceKeep}},
	}
	for _, declared := range []map[string]*v1alpha1.PermissionBinding{nil, {"reviewers": other}} {
		r := recordOf(apv, declared, nil)
		if r.Binding != "reviewers" || r.Role != "" || r.Why != apv.Spec.Summary || r.Verdict != "" || !r.Ended.Equal(at.Time) || r.Holders[0].Lost != nil {
			t.Errorf("got %+v", r)
		}
	}
}

func TestPeriod(t *testing.T) {
	now := time.Date(2036, 5, 1, 0, 0, 0, 0, time.UTC)
	if p, err := periodOf("2036-01-01T00:00:00Z", "", now); err != nil || !p.To.Equal(now) {
		t.Errorf("got %v, %v", p, err)
	}
	for _, wrong := range [][2]string{{"", ""}, {"January", ""}, {"2036-01-01", "soon"}, {"2036-06-01", ""}, {"2036-01-02", "2036-01-01"}} {
		if _, err := periodOf(wrong[0], wrong[1], now); err == nil {
			t.Errorf("%v is taken", wrong)
		}
	}
}
