package controllers

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/plan"
)

// wouldDo is what Observe reports in place of doing it.
func wouldDo(fields []string, kinds []plan.Kind) *Problem {
	var words []string
	for _, k := range kinds {
		if k.Writes() {
			words = append(words, strings.ToLower(string(k)))
		}
	}
	what := strings.Join(words, ", ")
	if len(fields) > 0 {
		what += " (" + strings.Join(fields, ", ") + ")"
	}
	return problem(v1alpha1.ReasonObserved, "mode is Observe; Enforce would: "+what)
}

// underway is how a plan stands that is being carried out: err is of the last attempt.
func underway(err error) *Problem {
	if err != nil {
		return problemOf(err)
	}
	return problem(v1alpha1.ReasonProgressing, "being made as declared")
}

// summarize writes what was decided into the status.
func (s *departmentScope) summarize() {
	d := s.department
	var worst *Problem
	ready := 0
	d.Status.Accounts = nil
	for _, a := range s.accounts {
		st := &a.status
		// What Observe merely would do leaves no record.
		if a.tenant != nil && (!a.observe || len(a.plan.Actions) == 0) && a.plan.Record != (plan.DepartmentRecord{}) {
			r := a.plan.Record
			st.DepartmentID, st.Origin, st.AppliedVersion = r.ID, v1alpha1.Origin(r.Origin), r.Applied
			st.Creating = v1alpha1.DepartmentCreation{DisplayName: r.AskedName, ParentID: r.AskedParent}
			st.IgnoredFields = r.Ignored.Names()
		}
		if a.tenant != nil {
			st.Differences = a.plan.Differ.Names()
		}
		st.Reason, st.Message = inWords(a.problem)
		worst = worse(worst, a.problem, st.Name)
		if a.problem == nil {
			ready++
		}
		d.Status.Accounts = append(d.Status.Accounts, *st)
	}
	d.Status.AccountsReady = fmt.Sprintf("%d/%d", ready, len(s.accounts))
	d.Status.ObservedGeneration = &d.Generation
	kube.Summarize(&d.Status.Conditions, d.Generation, summaryOf(worst, "the department is as declared on every account"))
}

// inWords is what an account's status says of a problem.
func inWords(p *Problem) (reason, message string) {
	if p == nil {
		return "", ""
	}
	return p.Reason, kube.Truncate(kube.Coded(p.Reason, p.Message), 1024)
}

// worse returns the problem that a person should read first: what stalls goes
// before what is waited for; of equals the first.
func worse(have, other *Problem, account string) *Problem {
	if other == nil || (have != nil && (have.Stalled || !other.Stalled)) {
		return have
	}
	return &Problem{Reason: other.Reason, Stalled: other.Stalled, Message: fmt.Sprintf("%s: %s", account, other.Message)}
}

func summaryOf(worst *Problem, ready string) kube.Summary {
	if worst == nil {
		return kube.Summary{Stand: kube.Ready, Reason: v1alpha1.ReasonInSync, Message: ready}
	}
	return kube.Summary{Stand: stand(worst.Reason), Reason: worst.Reason, Message: worst.Message}
}

// announce sends an event when Ready changes its reason, and only then.
func (r *DepartmentReconciler) announce(before, after *v1alpha1.Department) {
	announce(r.Recorder, after, before.Status.Conditions, after.Status.Conditions)
}

// announce sends a warning when an object comes to need somebody, and a word
// when it no longer does. Nothing is said of what goes as it should.
func announce(recorder events.EventRecorder, o runtime.Object, before, after []metav1.Condition) {
	old := meta.FindStatusCondition(before, v1alpha1.ConditionReady)
	now := meta.FindStatusCondition(after, v1alpha1.ConditionReady)
	troubled := func(c *metav1.Condition) bool {
		return c != nil && c.Status != metav1.ConditionTrue && stand(c.Reason) == kube.Stalled
	}
	switch {
	case now == nil || (old != nil && old.Reason == now.Reason):
	case troubled(now):
		recorder.Eventf(o, nil, corev1.EventTypeWarning, now.Reason, "Reconcile", "%s", now.Message)
	case troubled(old) && now.Status == metav1.ConditionTrue:
		recorder.Eventf(o, nil, corev1.EventTypeNormal, now.Reason, "Reconcile", "%s", now.Message)
	}
}
