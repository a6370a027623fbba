package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/schedule"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/kube"
)

// BackupScheduleReconciler makes Backups when they are due, removes those that nobody
// wants any more, and has the newest restored from time to time.
type BackupScheduleReconciler struct {
	client.Client
	Recorder events.EventRecorder
	Storages *Storages
	// Test restores an archive into a scratch simulator; nil if that is not possible here.
	Test    RestoreTest
	Tests   *jobs.Runner[*RestoreTested, *RestoreTested]
	Metrics ScheduleMetrics
	Now     func() time.Time

	again  trigger
	writes kube.Writes
}

// ScheduleMetrics is what is told of schedules.
type ScheduleMetrics interface {
	// Scheduled says when the newest good Backup was verified (never: zero), and what is wrong.
	Scheduled(schedule types.NamespacedName, success time.Time, overdue, testFailed bool)
	// ForgetSchedule: nothing more is known of it.
	ForgetSchedule(schedule types.NamespacedName)
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=backupschedules,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollcall.dev,resources=backupschedules/status,verbs=patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=backups,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=rollcall.dev,resources=restores,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollcall.dev,resources=enterpriseaccounts;backupstorages,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager registers the controller.
func (r *BackupScheduleReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.BackupSchedule{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Backup{}, handler.EnqueueRequestsFromMapFunc(scheduleOf)).
		Watches(&v1alpha1.EnterpriseAccount{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.BackupScheduleList](r, indexAccount)), builder.WithPredicates(comesOrGoes)).
		Watches(&v1alpha1.BackupStorage{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.BackupScheduleList](r, indexStorage)), builder.WithPredicates(comesOrGoes)).
		WatchesRawSource(r.again.source()).
		Complete(r)
}

// comesOrGoes passes what is created, begins to be deleted, or is gone: status is none of our business.
var comesOrGoes = predicate.GenerationChangedPredicate{}

// scheduleOf maps a Backup to the schedule that made it.
func scheduleOf(_ context.Context, o client.Object) []reconcile.Request {
	name := o.GetLabels()[v1alpha1.ScheduleLabel]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: o.GetNamespace(), Name: name}}}
}

// round is one look at a schedule: what is declared, what there is, and what time it is.
type round struct {
	object  *v1alpha1.BackupSchedule
	spec    schedule.Spec
	zone    *time.Location
	now     time.Time
	backups []v1alpha1.Backup // the newest first
	// good is the newest good Backup, nil if there is none.
	good *v1alpha1.Backup
	// tested: a restore test has ended.
	tested bool
	// wake is when to look again.
	wake time.Time
}

// longestSleep bounds how late a change of the clock is noticed.
const longestSleep = time.Hour

// Reconcile makes and removes Backups, and reports how the schedule stands.
func (r *BackupScheduleReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	object := &v1alpha1.BackupSchedule{}
	if err := r.Get(ctx, req.NamespacedName, object); err != nil {
		if apierrors.IsNotFound(err) {
			r.Metrics.ForgetSchedule(req.NamespacedName)
			r.Tests.Cancel(req.String())
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.writes.Ahead(object) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	if !object.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // somebody else's finalizer: its Backups stay, and nothing new is made
	}
	before := object.DeepCopy()
	turn, stop, err := r.round(ctx, object)
	if err != nil {
		return done(0, err)
	}
	if stop == nil {
		if err := r.run(ctx, turn); err != nil {
			return done(0, err)
		}
		if err := r.retain(ctx, turn); err != nil {
			return done(0, err)
		}
		if err := r.restoreTest(ctx, turn); err != nil {
			return done(0, err)
		}
	}
	r.report(turn, stop)
	wrote, err := kube.PatchStatus(ctx, r.Client, before, object)
	if err == nil && wrote {
		r.writes.Note(object)
		announce(r.Recorder, object, before.Status.Conditions, object.Status.Conditions)
	}
	if err == nil && turn.tested {
		r.Tests.Acknowledge(req.String()) // its result is durable now
	}
	if stop != nil {
		return done(0, err)
	}
	return done(max(time.Second, min(longestSleep, turn.wake.Sub(turn.now))), err)
}

// round gathers what the decisions need, or says what keeps the schedule from working.
func (r *BackupScheduleReconciler) round(ctx context.Context, object *v1alpha1.BackupSchedule) (*round, *Problem, error) {
	t := &round{object: object, now: r.Now()}
	t.wake = t.now.Add(longestSleep)
	var list v1alpha1.BackupList
	if err := r.List(ctx, &list, client.InNamespace(object.Namespace), client.MatchingFields{indexSchedule: object.Name}); err != nil {
		return nil, nil, fmt.Errorf("listing Backups: %w", err)
	}
	t.backups = slices.DeleteFunc(list.Items, func(b v1alpha1.Backup) bool {
		return b.Spec.AccountRef != object.Spec.AccountRef || b.Spec.StorageRef != object.Spec.StorageRef
	})
	slices.SortFunc(t.backups, func(a, b v1alpha1.Backup) int {
		if d := timeOf(&b).Compare(timeOf(&a)); d != 0 {
			return d
		}
		return strings.Compare(b.Name, a.Name)
	})
	if i := slices.IndexFunc(t.backups, func(b v1alpha1.Backup) bool { return isGood(&b) }); i >= 0 {
		t.good = &t.backups[i]
	}
	stop, err := r.stopped(ctx, t)
	return t, stop, err
}

// stopped says what keeps the schedule from working.
func (r *BackupScheduleReconciler) stopped(ctx context.Context, t *round) (*Problem, error) {
	s, namespace := &t.object.Spec, t.object.Namespace
	cron, err := schedule.Parse(s.Schedule, s.TimeZone)
	if err != nil {
		return problem(v1alpha1.ReasonInvalidValue, err.Error()), nil
	}
	t.zone, _ = schedule.Zone(s.TimeZone) // Parse has read it
	t.spec = schedule.Spec{
		Cron: cron, Deadline: time.Duration(s.StartingDeadlineSeconds) * time.Second,
		Jitter: schedule.Jitter(namespace+"/"+t.object.Name, time.Duration(s.JitterSeconds)*time.Second),
	}
	if s.State == v1alpha1.ScheduleSuspended {
		return problem(v1alpha1.ReasonSuspended, "state is Suspended: nothing is started, and nothing removed"), nil
	}
	for _, needed := range []struct {
		object       client.Object
		name, reason string
	}{
		{&v1alpha1.EnterpriseAccount{}, s.AccountRef.Name, v1alpha1.ReasonWaitingForAccount},
		{&v1alpha1.BackupStorage{}, s.StorageRef.Name, v1alpha1.ReasonWaitingForStorage},
	} {
		err := r.Get(ctx, client.ObjectKey{Namespace: namespace, Name: needed.name}, needed.object)
		if apierrors.IsNotFound(err) || err == nil && !needed.object.GetDeletionTimestamp().IsZero() {
			kind := map[string]string{v1alpha1.ReasonWaitingForAccount: "EnterpriseAccount", v1alpha1.ReasonWaitingForStorage: "BackupStorage"}[needed.reason]
			return problem(needed.reason, fmt.Sprintf("there is no %s %q", kind, needed.name)), nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading what the schedule names: %w", err)
		}
	}
	return nil, nil
}

// timeOf is the time that a Backup is of: what it was due for, or when it was made.
func timeOf(b *v1alpha1.Backup) time.Time {
	if _, due, ok := scheduled(b.Name); ok {
		return due
	}
	if at := b.Status.Archive.Time; at != nil {
		return at.Time
	}
	return b.CreationTimestamp.Time
}

// isGood reports whether the archive was read back, also from where it was copied to.
func isGood(b *v1alpha1.Backup) bool {
	c := b.Status.Conditions
	return meta.IsStatusConditionTrue(c, v1alpha1.ConditionVerified) && !meta.IsStatusConditionFalse(c, v1alpha1.ConditionCopied)
}

// isRunning reports whether a Backup is on its way.
func isRunning(b *v1alpha1.Backup) bool {
	return b.DeletionTimestamp.IsZero() && !finished(b)
}

// run makes the Backup that is due, if one is (P3: whoever makes it twice makes the same one).
func (r *BackupScheduleReconciler) run(ctx context.Context, t *round) error {
	last := time.Time{}
	if s := t.object.Status.LastScheduleTime; s != nil {
		last = s.Time
	}
	for i := range t.backups { // one may have been made by who died before noting it
		if _, due, ok := scheduled(t.backups[i].Name); ok && due.After(last) {
			last = due
		}
	}
	due := schedule.Due(t.spec, last, t.object.CreationTimestamp.Time, t.now)
	if !last.IsZero() {
		t.object.Status.LastScheduleTime = stamp(last)
	}
	t.object.Status.NextScheduleTime = stamp(due.Next)
	t.wakeAt(due.Next)
	if due.Due.IsZero() {
		return nil
	}
	running := slices.DeleteFunc(slices.Clone(t.backups), func(b v1alpha1.Backup) bool { return !isRunning(&b) })
	switch schedule.Decide(policyOf(t.object), len(running)) {
	case schedule.Wait:
		return nil // the end of what goes on brings us back
	case schedule.StartAfterEnding:
		for i := range running {
			if err := r.remove(ctx, &running[i]); err != nil {
				return err
			}
		}
	case schedule.Start:
	}
	b := newBackup(t.object, due.Due)
	if err := r.Create(ctx, b); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making the Backup: %w", err)
	}
	if due.Missed > 0 {
		r.Recorder.Eventf(t.object, b, "Normal", v1alpha1.EventMadeUp, "Schedule", "%s runs were missed; the newest is made up for", count(due.Missed))
	}
	t.object.Status.LastScheduleTime = stamp(due.Due)
	t.backups = slices.Insert(t.backups, 0, *b)
	return nil
}

func count(missed int) string {
	if missed > schedule.Many {
		return fmt.Sprintf("more than %d", schedule.Many)
	}
	return fmt.Sprint(missed)
}

func policyOf(s *v1alpha1.BackupSchedule) schedule.Policy {
	switch s.Spec.ConcurrencyPolicy {
	case v1alpha1.ConcurrencyAllow:
		return schedule.Allow
	case v1alpha1.ConcurrencyReplace:
		return schedule.Replace
	case v1alpha1.ConcurrencyForbid:
	}
	return schedule.Forbid
}

// newBackup is the Backup of a time. It has no owner: a schedule that goes leaves its archives.
func newBackup(s *v1alpha1.BackupSchedule, due time.Time) *v1alpha1.Backup {
	return &v1alpha1.Backup{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, Name: backupName(s.Name, due),
			Labels: map[string]string{v1alpha1.ScheduleLabel: s.Name},
		},
		Spec: v1alpha1.BackupSpec{
			AccountRef: s.Spec.AccountRef, StorageRef: s.Spec.StorageRef,
			Datasets: s.Spec.Datasets, LookbackDays: s.Spec.LookbackDays,
			DeletionPolicy: v1alpha1.ArchiveDelete, // or retention could not remove it
		},
	}
}

// wakeAt has the schedule looked at again at a time, or before.
func (t *round) wakeAt(at time.Time) {
	if at.After(t.now) && at.Before(t.wake) {
		t.wake = at
	}
}

// stamp is a time as the API keeps it, in whole seconds.
func stamp(t time.Time) *metav1.Time {
	at := metav1.NewTime(t.Truncate(time.Second).UTC())
	return &at
}
