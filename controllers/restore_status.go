package controllers

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// fold takes over what a job has found or done.
func (s *restoreScope) fold() {
	if !s.exists || s.running() {
		return
	}
	rs, o := s.restore, s.run.Result
	st := &rs.Status
	if o.plan != nil {
		st.Plan, st.Items = o.plan.counts, o.plan.items
		st.Action = v1alpha1.RestoreDryRun
	}
	if o.reportKey != "" {
		st.ReportKey = o.reportKey
	}
	now := metav1.NewTime(s.now)
	st.RetryTime = nil
	switch {
	case s.run.Err != nil:
		s.problem = problemOfBackup(s.run.Err)
		failures := int32(1)
		if st.Failures != nil {
			failures = *st.Failures + 1
		}
		at := metav1.NewTime(s.now.Add(backupRetry(s.problem, &failures)))
		st.Failures, st.RetryTime = &failures, &at
	case o.refused: // nothing was changed: it is decided anew
		st.StartTime, st.CompletionTime, st.Failures = nil, &now, nil
	default:
		st.CompletionTime, st.Failures = &now, nil
	}
	if begun(rs) {
		st.Action = v1alpha1.RestoreExecute
	}
}

// report says how the Restore stands.
func (s *restoreScope) report() {
	rs := s.restore
	st := &rs.Status
	st.ObservedGeneration = &rs.Generation
	if s.running() && s.run.Progress.Total > 0 {
		st.Progress = progressOf(s.run.Progress.Done, s.run.Progress.Total)
	}
	p := s.problem
	if p == nil {
		p = s.underway()
	}
	ready := "the dry run is done: " + inCounts(&st.Plan)
	switch {
	case restored(rs) && toManifests(rs):
		ready = "written beside the archive: " + inCounts(&st.Plan)
	case restored(rs):
		ready = "restored and read back: " + inCounts(&st.Plan)
	}
	set := func(conditionType string, reached bool, words string) {
		switch {
		case reached:
			kube.Set(&st.Conditions, rs.Generation, conditionType, metav1.ConditionTrue, v1alpha1.ReasonInSync, words)
		case p != nil:
			kube.Set(&st.Conditions, rs.Generation, conditionType, metav1.ConditionFalse, p.Reason, kube.Coded(p.Reason, p.Message))
		}
	}
	set(v1alpha1.ConditionPlanned, st.Plan.Digest != "", "the plan is "+st.Plan.Digest)
	if rs.Spec.Action == v1alpha1.RestoreExecute {
		set(v1alpha1.ConditionRestored, restored(rs) && s.incomplete() == nil, "the plan was executed and read back")
	} else {
		meta.RemoveStatusCondition(&st.Conditions, v1alpha1.ConditionRestored)
	}
	kube.Summarize(&st.Conditions, rs.Generation, summaryOf(p, ready))
}

// underway is how a step stands that is waited for.
func (s *restoreScope) underway() *Problem {
	switch {
	case s.step == restorePlan:
		return problem(v1alpha1.ReasonProgressing, "reading the archive and the target")
	case s.step == restoreExecute && begun(s.restore):
		return problem(v1alpha1.ReasonProgressing, "restoring")
	case s.step == restoreStop:
		return problem(v1alpha1.ReasonProgressing, "stopping what is under way")
	}
	return nil
}

// inCounts says what a plan comes to.
func inCounts(p *v1alpha1.RestorePlan) string {
	var words []string
	for _, c := range []struct {
		n    *int32
		what string
	}{
		{p.Create, "create"}, {p.Change, "change"}, {p.Keep, "keep"},
		{p.Impossible, "impossible"}, {p.Conflicts, "in conflict"}, {p.Failed, "failed"},
	} {
		if c.n != nil && *c.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", *c.n, c.what))
		}
	}
	if words == nil {
		return "nothing to do"
	}
	return strings.Join(words, ", ")
}
