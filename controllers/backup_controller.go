package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/tenant"
)

// BackupReconciler makes archives, proves that they can be read, and lets them go.
// It never waits for a platform or a storage: jobs do, and their ends bring it back.
type BackupReconciler struct {
	client.Client
	// Live reads Namespaces: there is no right to watch them.
	Live     client.Reader
	Recorder events.EventRecorder
	Tenants  *tenant.Registry
	Hub      *Hub
	Storages *Storages
	// Runs are by the Backup's UID.
	Runs *jobs.Runner[backupProgress, backupOutcome]
	Now  func() time.Time
	// Tool is what writes the archives, with its version.
	Tool string

	writes kube.Writes
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=backups,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups=rollcall.dev,resources=backups/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get

// SetupWithManager registers the controller.
func (r *BackupReconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Backup{}, changed).
		Watches(&v1alpha1.EnterpriseAccount{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.BackupList](r, indexAccount)), changed).
		Watches(&v1alpha1.BackupStorage{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.BackupList](r, indexStorage)), builder.WithPredicates(readied)).
		Watches(&v1alpha1.Employee{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.BackupList](r, indexPeople)), builder.WithPredicates(placed)).
		WatchesRawSource(r.Hub.backups.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// Reconcile brings one Backup a step further.
func (r *BackupReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	b := &v1alpha1.Backup{}
	if err := r.Get(ctx, req.NamespacedName, b); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.writes.Ahead(b) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	if b.DeletionTimestamp.IsZero() {
		if err := kube.AddFinalizer(ctx, r.Client, b, v1alpha1.Finalizer); err != nil {
			return done(0, err)
		}
	}
	before, s := b.DeepCopy(), r.look(b)
	for _, step := range []func(context.Context, *backupScope) error{r.fold, r.decide, r.prepare} {
		if err := step(ctx, s); err != nil {
			return done(0, err)
		}
	}
	s.report()
	if _, err := kube.PatchStatus(ctx, r.Client, before, b); err != nil {
		return done(0, client.IgnoreNotFound(err))
	}
	r.writes.Note(b)
	announce(r.Recorder, b, before.Status.Conditions, b.Status.Conditions)
	return done(r.act(ctx, s))
}

// backupScope is what one reconcile knows.
type backupScope struct {
	backup *v1alpha1.Backup
	now    time.Time
	// run is the job of this Backup, if there is one.
	run    jobs.State[backupProgress, backupOutcome]
	exists bool
	// step is what is to be done next, wait when that may begin.
	step backupStep
	wait time.Duration
	// work is what the step needs, nil while something is missing.
	work *backupWork
	// problem is why it is not as declared.
	problem *Problem
	// copies: the storage has an off-site place.
	copies bool
	// removed: the archive was deleted.
	removed bool
}

func (r *BackupReconciler) look(b *v1alpha1.Backup) *backupScope {
	s := &backupScope{backup: b, now: r.Now()}
	s.run, s.exists = r.Runs.State(s.key())
	return s
}

// key of the jobs: to delete the archive of a Backup that goes is another job than those before.
func (s *backupScope) key() string {
	if s.backup.DeletionTimestamp.IsZero() {
		return string(s.backup.UID)
	}
	return string(s.backup.UID) + "/deletion"
}

func (s *backupScope) running() bool { return s.exists && !s.run.Ended() }

// progressEvery is how often progress is looked at, and written if something moved.
const progressEvery = 5 * time.Second

// act starts the work, after its record is durable, and says when to look again.
func (r *BackupReconciler) act(ctx context.Context, s *backupScope) (time.Duration, error) {
	key := s.key()
	switch {
	case s.exists && !s.running():
		r.Runs.Acknowledge(key)
		s.exists = false
	case s.exists && s.step == backupStop:
		r.Runs.Cancel(key)
		return 0, nil // its end brings us back
	case s.exists:
		return progressEvery, nil
	}
	switch s.step {
	case backupRest, backupStop:
		return s.wait, nil
	case backupLetGo:
		return 0, r.letGo(ctx, s.backup)
	case backupForget:
		r.Recorder.Eventf(s.backup, nil, corev1.EventTypeNormal, v1alpha1.EventExpired, "Expire", "deleted the archive %s", s.backup.Status.Archive.Key)
		uid := s.backup.UID
		err := r.Delete(ctx, s.backup, client.Preconditions{UID: &uid})
		return 0, client.IgnoreNotFound(err)
	}
	if s.work == nil || s.wait > 0 {
		return s.wait, nil
	}
	name := client.ObjectKeyFromObject(s.backup)
	r.Runs.Start(jobs.Job[backupProgress, backupOutcome]{
		Key: key, Lane: s.lane(),
		Run:   s.work.run,
		Ended: func() { r.Hub.backups.add(name, 0, 0) },
	})
	return progressEvery, nil
}

// lane keeps accounts apart (P11), and what is verified or deleted from what is exported.
func (s *backupScope) lane() string {
	account := s.backup.Namespace + "/" + s.backup.Spec.AccountRef.Name
	if s.step == backupBegin || s.step == backupResume {
		return account
	}
	return account + "/kept"
}

// letGo ends the object. The archive stays, or is deleted by now.
func (r *BackupReconciler) letGo(ctx context.Context, b *v1alpha1.Backup) error {
	if b.Status.Archive.Key != "" && b.Spec.DeletionPolicy != v1alpha1.ArchiveDelete {
		r.Recorder.Eventf(b, nil, corev1.EventTypeNormal, v1alpha1.ReasonRetained, "Delete", "left the archive %s where it is", b.Status.Archive.Key)
	}
	if err := kube.RemoveFinalizer(ctx, r.Client, b, v1alpha1.Finalizer); err != nil {
		return fmt.Errorf("letting the Backup go: %w", err)
	}
	return nil
}
