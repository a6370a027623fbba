package controllers

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/schedule"
	"rollcall.dev/rollcall/internal/kube"
)

// maxActive is how many running Backups are named; the CRD says so too.
const maxActive = 16

// report fills in the status. What stands in it does not change while nothing does (P13).
func (r *BackupScheduleReconciler) report(t *round, stop *Problem) {
	s, name := &t.object.Status, client.ObjectKeyFromObject(t.object)
	s.ObservedGeneration = &t.object.Generation
	s.Active, s.LastGood, s.LastSuccessfulTime = nil, "", nil
	for i := range t.backups {
		if b := &t.backups[i]; isRunning(b) && len(s.Active) < maxActive {
			s.Active = append(s.Active, b.Name)
		}
	}
	success := time.Time{}
	if t.good != nil {
		s.LastGood = t.good.Name
		if at := t.good.Status.CompletionTime; at != nil {
			s.LastSuccessfulTime, success = at, at.Time
		}
	}
	n := kept(t.backups)
	s.Kept = &n
	if stop != nil {
		s.NextScheduleTime = nil
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionUpToDate)
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionRestoreTested)
		summary := kube.Summary{Stand: stand(stop.Reason), Reason: stop.Reason, Message: stop.Message}
		if stop.Reason == v1alpha1.ReasonSuspended {
			summary.Stand = kube.Ready // the declared state is reached: nothing happens
		}
		kube.Summarize(&s.Conditions, t.object.Generation, summary)
		r.Metrics.ForgetSchedule(name)
		return
	}
	late, untested := t.reportUpToDate(), r.reportTest(t)
	r.Metrics.Scheduled(name, success, late != nil, untested != nil)
	worst := late
	if worst == nil {
		worst = untested
	}
	kube.Summarize(&s.Conditions, t.object.Generation, summaryOf(worst, "the last backup that was due is good"))
}

// reportUpToDate says whether the last Backup that was due is good.
func (t *round) reportUpToDate() *Problem {
	s, good := &t.object.Status, time.Time{}
	if t.good != nil {
		good = timeOf(t.good)
	}
	since, overdue, recheck := schedule.Overdue(t.spec, good, t.object.CreationTimestamp.Time, t.now)
	if overdue {
		p := problem(v1alpha1.ReasonBackupOverdue, fmt.Sprintf("no Backup is good since the one that was due at %s", since.UTC().Format(time.RFC3339)))
		kube.Set(&s.Conditions, t.object.Generation, v1alpha1.ConditionUpToDate, metav1.ConditionFalse, p.Reason, kube.Coded(p.Reason, p.Message))
		return p
	}
	t.wakeAt(recheck)
	kube.Set(&s.Conditions, t.object.Generation, v1alpha1.ConditionUpToDate, metav1.ConditionTrue, v1alpha1.ReasonInSync, "the last Backup that was due is good, or on its way")
	return nil
}
