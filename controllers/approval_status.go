package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// decide fills in the status, and says when to look again. What was decided stays so: that
// an approval has expired matters only to what has not begun.
func (r *ApprovalReconciler) decide(ctx context.Context, apv *v1alpha1.Approval) (time.Duration, error) {
	s := &apv.Status
	if s.State == v1alpha1.ApprovalApproved || s.State == v1alpha1.ApprovalRejected {
		summarizeApproval(apv)
		return 0, nil
	}
	if apv.Spec.Decision.Verdict != "" && meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionDecisionChecked) == nil && s.State != v1alpha1.ApprovalWithdrawn {
		ok, err := r.checked(ctx, apv)
		if err != nil {
			return 0, err
		}
		r.sayChecked(apv, ok)
		now := metav1.NewTime(r.Now().Truncate(time.Second).UTC())
		s.DecisionTime = &now
	}
	s.State = r.Approvals.stands(apv)
	summarizeApproval(apv)
	if s.State == v1alpha1.ApprovalPending {
		return max(time.Second, apv.Spec.ExpireTime.Sub(r.Now())), nil
	}
	return 0, nil
}

// sayChecked keeps whether a decision was checked when it was first seen. A policy that is
// installed later has not checked it.
func (r *ApprovalReconciler) sayChecked(apv *v1alpha1.Approval, ok bool) {
	set := func(status metav1.ConditionStatus, reason, message string) {
		kube.Set(&apv.Status.Conditions, apv.Generation, v1alpha1.ConditionDecisionChecked, status, reason, kube.Coded(reason, message))
	}
	switch {
	case ok:
		set(metav1.ConditionTrue, v1alpha1.ReasonInSync, "the API server checked who decided")
	case r.Approvals.Unchecked:
		set(metav1.ConditionFalse, v1alpha1.ReasonApprovalUnchecked, "nobody checked who decided; it counts because the manager runs with --unchecked-approvals")
	default:
		set(metav1.ConditionFalse, v1alpha1.ReasonApprovalUnchecked, uncheckedMessage)
	}
}

const uncheckedMessage = "nobody checked who decided, and nothing is done: the ValidatingAdmissionPolicy " + policyName +
	" was not in force. Apply config/policy, then delete this Approval: it is asked again"

// summarizeApproval says how it stands as kstatus reads it.
func summarizeApproval(apv *v1alpha1.Approval) {
	s, by := &apv.Status, apv.Spec.Decision.By
	s.ObservedGeneration = &apv.Generation
	summary := kube.Summary{Stand: kube.Ready, Reason: v1alpha1.ReasonInSync}
	switch s.State {
	case v1alpha1.ApprovalPending:
		summary.Stand = kube.Stalled
		if summary.Reason = v1alpha1.ReasonApprovalPending; apv.Spec.Decision.Verdict != "" {
			summary.Reason, summary.Message = v1alpha1.ReasonApprovalUnchecked, uncheckedMessage
			break
		}
		summary.Message = fmt.Sprintf("somebody has to decide about %s before %s: kubectl rollcall approve (or reject) %s -n %s",
			about(apv), apv.Spec.ExpireTime.UTC().Format(time.RFC3339), apv.Name, apv.Namespace)
	case v1alpha1.ApprovalApproved:
		summary.Message = "approved by " + by
	case v1alpha1.ApprovalRejected:
		summary.Message = "rejected by " + by
	case v1alpha1.ApprovalExpired:
		summary.Reason, summary.Message = v1alpha1.ReasonApprovalExpired, "nobody decided in time; what still waits is asked about in another Approval"
	case v1alpha1.ApprovalWithdrawn:
		summary.Message = "nobody has to decide any more: what it lists has changed, or is no longer wanted"
	}
	kube.Summarize(&s.Conditions, apv.Generation, summary)
}

// about says in a few words what an Approval is about.
func about(apv *v1alpha1.Approval) string {
	switch {
	case apv.Spec.Purpose == v1alpha1.ApprovalExit:
		return "leaving " + apv.Spec.AccountName
	case apv.Spec.Count == 1:
		return "1 person"
	}
	return fmt.Sprintf("%d people", apv.Spec.Count)
}

// goneIn is how soon a withdrawn Approval goes; nil when it is kept. What was decided is
// never deleted by Rollcall.
func (r *ApprovalReconciler) goneIn(apv *v1alpha1.Approval) *time.Duration {
	ready := meta.FindStatusCondition(apv.Status.Conditions, v1alpha1.ConditionReady)
	if apv.Status.State != v1alpha1.ApprovalWithdrawn || apv.Spec.Decision.Verdict != "" || ready == nil || ready.Status != metav1.ConditionTrue {
		return nil
	}
	left := ready.LastTransitionTime.Add(withdrawnFor).Sub(r.Now())
	return &left
}

// announce sends an event when the Approval stands differently.
func (r *ApprovalReconciler) announce(before, after *v1alpha1.Approval) {
	if before.Status.State == after.Status.State {
		return
	}
	tell := func(kind, reason, format string, args ...any) {
		r.Recorder.Eventf(after, nil, kind, reason, "Decide", format, args...)
	}
	switch after.Status.State {
	case v1alpha1.ApprovalPending:
		tell(corev1.EventTypeWarning, v1alpha1.ReasonApprovalPending, "%s", after.Spec.Summary)
	case v1alpha1.ApprovalApproved:
		tell(corev1.EventTypeNormal, v1alpha1.EventApproved, "approved by %s: %s", after.Spec.Decision.By, about(after))
	case v1alpha1.ApprovalRejected:
		tell(corev1.EventTypeNormal, v1alpha1.ReasonApprovalRejected, "rejected by %s: %s", after.Spec.Decision.By, about(after))
	case v1alpha1.ApprovalExpired:
		tell(corev1.EventTypeWarning, v1alpha1.ReasonApprovalExpired, "nobody decided in time about %s", about(after))
	case v1alpha1.ApprovalWithdrawn: // told by who withdrew it
	}
}
