package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/linked"
)

// report fills in the status: from the system, or from what keeps it from running.
func (r *LinkedSystemReconciler) report(ctx context.Context, ls *v1alpha1.LinkedSystem, at systemStanding) error {
	s := &ls.Status
	s.ObservedGeneration, s.Mode = &ls.Generation, ls.Spec.Mode
	if s.Mode == "" {
		s.Mode = v1alpha1.ModeEnforce
	}
	if err := r.count(ctx, ls); err != nil {
		return err
	}
	set := func(conditionType string, status metav1.ConditionStatus, reason, message string) {
		kube.Set(&s.Conditions, ls.Generation, conditionType, status, reason, kube.Coded(reason, message))
	}
	if at.mapping != nil {
		set(v1alpha1.ConditionMappingValid, metav1.ConditionFalse, at.mapping.Reason, at.mapping.Message)
	} else {
		set(v1alpha1.ConditionMappingValid, metav1.ConditionTrue, v1alpha1.ReasonInSync, "the expressions are right")
	}
	if at.running == nil {
		summary := kube.Summary{Stand: stand(at.stop.Reason), Reason: at.stop.Reason, Message: at.stop.Message}
		if at.stop.Reason == v1alpha1.ReasonSuspended {
			summary.Stand = kube.Ready // the declared state is reached: nothing happens
			meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionHealthy)
		} else {
			set(v1alpha1.ConditionHealthy, metav1.ConditionFalse, at.stop.Reason, at.stop.Message)
		}
		kube.Summarize(&s.Conditions, ls.Generation, summary)
		return nil
	}
	if at.running.Trail != nil {
		if head := at.running.Trail.Head(); head.Seq > 0 {
			s.Trail = v1alpha1.AuditTrail{Records: int64(head.Seq), SHA256: head.SHA256}
		}
	}
	state := at.running.Mirror.State()
	if !state.Read && state.Err == nil && systemWasReady(ls) {
		return nil // what was seen before a restart still holds, until something else is
	}
	if state.Discovered {
		s.Capabilities, s.Limits = bounded(state.Capabilities.Words, 32, 128), bounded(state.Capabilities.Limits, 16, 512)
	}
	summary := health(&state, at)
	if summary.Stand == kube.Reconciling && summary.Reason == v1alpha1.ReasonProgressing {
		set(v1alpha1.ConditionHealthy, metav1.ConditionUnknown, summary.Reason, summary.Message)
	} else if p := unhealthy(&state, at); p != nil {
		set(v1alpha1.ConditionHealthy, metav1.ConditionFalse, p.Reason, p.Message)
	} else {
		set(v1alpha1.ConditionHealthy, metav1.ConditionTrue, v1alpha1.ReasonInSync, "the system answers, and was read")
	}
	kube.Summarize(&s.Conditions, ls.Generation, summary)
	return nil
}

// unhealthy is what is wrong with the system itself.
func unhealthy(state *linked.State, at systemStanding) *Problem {
	if state.Err != nil {
		return problemOf(state.Err)
	}
	return at.leaving
}

// health is how the system stands as a whole: what is wrong with it goes before what is wrong with the declaration.
func health(state *linked.State, at systemStanding) kube.Summary {
	switch p := unhealthy(state, at); {
	case state.Err != nil:
		return kube.Summary{Stand: stand(p.Reason), Reason: p.Reason, Message: p.Message}
	case at.mapping != nil:
		return kube.Summary{Stand: stand(at.mapping.Reason), Reason: at.mapping.Reason, Message: at.mapping.Message}
	case !state.Read:
		return kube.Summary{Stand: kube.Reconciling, Reason: v1alpha1.ReasonProgressing, Message: "reading the system for the first time"}
	}
	return kube.Summary{Reason: v1alpha1.ReasonInSync, Message: "the system answers, and was read"}
}

// systemWasReady reports whether this very declaration was reached before.
func systemWasReady(ls *v1alpha1.LinkedSystem) bool {
	c := meta.FindStatusCondition(ls.Status.Conditions, v1alpha1.ConditionReady)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == ls.Generation
}

func bounded(words []string, most, length int) []string {
	var kept []string
	for _, w := range words[:min(len(words), most)] {
		if w != "" {
			kept = append(kept, kube.Truncate(w, length))
		}
	}
	return kept
}

// count says how many accounts there are of each kind.
func (r *LinkedSystemReconciler) count(ctx context.Context, ls *v1alpha1.LinkedSystem) error {
	var people v1alpha1.EmployeeList
	if err := r.List(ctx, &people, client.InNamespace(ls.Namespace), client.MatchingFields{indexSystem: ls.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing who is in the system: %w", err)
	}
	var linkedCount, disabled, waiting int32
	for i := range people.Items {
		e := &people.Items[i]
		st := linkStatus(e, ls.Name)
		unlinked := st != nil && st.State == v1alpha1.LinkedUnlinked
		if st != nil && isOwned(st.Origin) && !unlinked {
			linkedCount++
			if st.State == v1alpha1.LinkedDisabled {
				disabled++
			}
		}
		if linkSpec(e, ls.Name) != nil && !unlinked && (st == nil || st.Reason != "" || !observed(st.ObservedGeneration, e.Generation)) {
			waiting++
		}
	}
	ls.Status.Accounts = v1alpha1.LinkedCount{Linked: &linkedCount, Disabled: &disabled, Waiting: &waiting}
	r.Metrics.Links(systemLabel(client.ObjectKeyFromObject(ls)), &ls.Status.Accounts)
	return nil
}
