package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/schedule"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/kube"
)

// BackupStorageReconciler says whether archives can be written and read, and makes the
// Backups of archives that have none. It never deletes an archive.
type BackupStorageReconciler struct {
	client.Client
	Recorder events.EventRecorder
	Storages *Storages
	// Surveys look at places: a volume or a bucket may take its time.
	Surveys *jobs.Runner[struct{}, *survey]
	Metrics StorageMetrics
	Now     func() time.Time

	again  trigger
	writes kube.Writes

	mu   sync.Mutex
	seen map[types.UID]*sight
}

// StorageMetrics is what is counted of places and what lies there.
type StorageMetrics interface {
	// Probed: a canary took so long, or did not come back.
	Probed(storage types.NamespacedName, place string, seconds float64, ok bool)
	// Stored says what Backups there are in a storage.
	Stored(storage types.NamespacedName, backups []v1alpha1.Backup)
	// ForgetStorage: nothing more is known of it.
	ForgetStorage(storage types.NamespacedName)
}

// sight is what is known of a place, in memory: how it was when it was last looked at.
type sight struct {
	last *survey
	// begun is when the survey began that goes on.
	begun time.Time
	// leaving is when the claim began to be taken back, name whose it was. Until the cache
	// knows that the storage is gone, this is not done again: it would hold the Secrets again.
	leaving time.Time
	name    types.NamespacedName
	// refused are keys of archives that no Backup can be made of.
	refused map[string]bool
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=backupstorages,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=backupstorages/status,verbs=patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=backups,verbs=get;list;watch;create
// +kubebuilder:rbac:groups=rollcall.dev,resources=backupschedules;offboardings,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager registers the controller.
func (r *BackupStorageReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.seen = map[types.UID]*sight{}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.BackupStorage{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.BackupStorageList](r, indexSecret))).
		Watches(&v1alpha1.Backup{}, handler.EnqueueRequestsFromMapFunc(r.stores)).
		Watches(&v1alpha1.BackupSchedule{}, handler.EnqueueRequestsFromMapFunc(r.stores)).
		Watches(&v1alpha1.Offboarding{}, handler.EnqueueRequestsFromMapFunc(r.stores), builder.WithPredicates(ending)).
		WatchesRawSource(r.again.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 2}).
		Complete(r)
}

// stores maps what refers to a storage to it, a moment later: its counts may lag behind.
func (r *BackupStorageReconciler) stores(_ context.Context, o client.Object) []reconcile.Request {
	name := ""
	switch o := o.(type) {
	case *v1alpha1.Backup:
		name = o.Spec.StorageRef.Name
	case *v1alpha1.BackupSchedule:
		name = o.Spec.StorageRef.Name
	case *v1alpha1.Offboarding:
		name = o.Spec.Terms.Backup.StorageRef.Name
	}
	if name != "" {
		r.again.add(client.ObjectKey{Namespace: o.GetNamespace(), Name: name}, sweepPriority, settle)
	}
	return nil
}

// Reconcile looks at the place when it is time, and reports how it stands.
func (r *BackupStorageReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	bs := &v1alpha1.BackupStorage{}
	if err := r.Get(ctx, req.NamespacedName, bs); err != nil {
		if !apierrors.IsNotFound(err) {
			return ctrl.Result{}, err
		}
		r.Metrics.ForgetStorage(req.NamespacedName)
		r.gone(req.NamespacedName)
		// Of two that go at once each has seen the other still use their Secret.
		return done(0, releaseSecrets(ctx, r.Client, req.Namespace, ""))
	}
	if r.writes.Ahead(bs) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	if !bs.DeletionTimestamp.IsZero() {
		return r.delete(ctx, bs)
	}
	if err := kube.AddFinalizer(ctx, r.Client, bs, v1alpha1.Finalizer); err != nil {
		return done(0, err)
	}
	before := bs.DeepCopy()
	access, stop, err := r.Storages.Resolve(ctx, bs)
	if err != nil {
		return done(0, err)
	}
	if !observed(bs.Status.ObservedGeneration, bs.Generation) { // it may name another Secret now
		if err := releaseSecrets(ctx, r.Client, bs.Namespace, ""); err != nil {
			return done(0, err)
		}
	}
	backups, err := r.backups(ctx, bs)
	if err != nil {
		return done(0, err)
	}
	var found *survey
	after := time.Duration(0)
	if stop == nil {
		found, after = r.look(bs, access, backups)
	} else {
		r.forget(bs)
	}
	if found != nil {
		if err := r.adopt(ctx, bs, found, backups); err != nil {
			return done(0, err)
		}
	}
	r.report(ctx, bs, access, stop, found, backups)
	r.Metrics.Stored(req.NamespacedName, backups)
	wrote, err := kube.PatchStatus(ctx, r.Client, before, bs)
	if err == nil && wrote {
		r.writes.Note(bs)
		announce(r.Recorder, bs, before.Status.Conditions, bs.Status.Conditions)
	}
	return done(after, err)
}

// backups are those in the storage.
func (r *BackupStorageReconciler) backups(ctx context.Context, bs *v1alpha1.BackupStorage) ([]v1alpha1.Backup, error) {
	var list v1alpha1.BackupList
	if err := r.List(ctx, &list, client.InNamespace(bs.Namespace), client.MatchingFields{indexStorage: bs.Name}); err != nil {
		return nil, fmt.Errorf("listing Backups: %w", err)
	}
	return list.Items, nil
}

// sight of a storage, made when there is none.
func (r *BackupStorageReconciler) sight(uid types.UID) *sight {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.seen[uid]
	if s == nil {
		s = &sight{refused: map[string]bool{}}
		r.seen[uid] = s
	}
	return s
}

// forget ends what goes on at the place, and what is known of it.
func (r *BackupStorageReconciler) forget(bs *v1alpha1.BackupStorage) {
	r.Surveys.Cancel(string(bs.UID))
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, bs.UID)
}

// gone drops what is remembered of a storage that was let go.
func (r *BackupStorageReconciler) gone(name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for uid, s := range r.seen {
		if s.name == name && !s.leaving.IsZero() {
			delete(r.seen, uid)
		}
	}
}

// look returns how the place was when it was last looked at, nil before the first time,
// and when to ask again. It begins a survey when it is time.
func (r *BackupStorageReconciler) look(bs *v1alpha1.BackupStorage, access *Access, backups []v1alpha1.Backup) (*survey, time.Duration) {
	s, key, now := r.sight(bs.UID), string(bs.UID), r.Now()
	work, there := r.Surveys.State(key)
	switch {
	case there && work.Ended():
		r.Surveys.Acknowledge(key)
		s.last, s.begun = work.Result, time.Time{}
		r.measure(bs, s.last)
	case there && now.Sub(s.begun) > surveyLimit: // a volume that hangs cannot be interrupted
		return unanswered(access.Fingerprint), surveyLimit
	}
	if s.last != nil && s.last.fingerprint != access.Fingerprint {
		r.Surveys.Cancel(key) // what it finds is of another place, or with other credentials
		s.last = nil
	}
	interval := probeInterval(bs)
	if s.last != nil && !s.last.more {
		if next := s.last.at.Add(interval + schedule.Jitter(key, interval/10)); now.Before(next) {
			return s.last, next.Sub(now)
		}
	}
	name := client.ObjectKeyFromObject(bs)
	begun := r.Surveys.Start(jobs.Job[struct{}, *survey]{
		Key: key, Lane: key,
		Run:   r.task(bs, access, backups, s.refused).run,
		Ended: func() { r.again.add(name, 0, 0) },
	})
	if begun {
		s.begun = now
	}
	return s.last, surveyLimit + time.Second
}

func probeInterval(bs *v1alpha1.BackupStorage) time.Duration {
	if s := bs.Spec.ProbeIntervalSeconds; s > 0 {
		return time.Duration(s) * time.Second
	}
	return 5 * time.Minute
}

// disclaimLimit is how long a storage that goes may take to take its claim back: it lapses by itself.
const disclaimLimit = 10 * time.Second

// delete holds the storage while somebody refers to it, then takes its claim back and
// lets go. Archives stay (P10).
func (r *BackupStorageReconciler) delete(ctx context.Context, bs *v1alpha1.BackupStorage) (ctrl.Result, error) {
	before := bs.DeepCopy()
	backups, err := r.backups(ctx, bs)
	if err != nil {
		return done(0, err)
	}
	var schedules v1alpha1.BackupScheduleList
	if err := r.List(ctx, &schedules, client.InNamespace(bs.Namespace), client.MatchingFields{indexStorage: bs.Name}); err != nil {
		return done(0, fmt.Errorf("listing BackupSchedules: %w", err))
	}
	leavings, err := openLeavings(ctx, r, bs.Namespace, indexStorage, bs.Name)
	if err != nil {
		return done(0, err)
	}
	going, err := r.going(ctx, bs)
	if err != nil {
		return done(0, err)
	}
	if n := len(backups) + len(schedules.Items) + leavings + going; n > 0 {
		kube.Summarize(&bs.Status.Conditions, bs.Generation, kube.Summary{
			Stand: kube.Reconciling, Reason: v1alpha1.ReasonInUse,
			Message: fmt.Sprintf("%d Backups, %d BackupSchedules and %d Offboardings that are not over still name this storage; it goes when there are none. Archives stay where they are", len(backups), len(schedules.Items), leavings),
		})
		bs.Status.ObservedGeneration = &bs.Generation
		_, err := kube.PatchStatus(ctx, r.Client, before, bs)
		return done(goneAfter(going), err)
	}
	if wait := r.disclaim(ctx, bs); wait > 0 {
		return done(wait, nil)
	}
	if err := releaseSecrets(ctx, r.Client, bs.Namespace, bs.UID); err != nil {
		return done(0, err)
	}
	return done(0, kube.RemoveFinalizer(ctx, r.Client, bs, v1alpha1.Finalizer))
}

// going counts the people who go with the namespace and are backed up here before.
func (r *BackupStorageReconciler) going(ctx context.Context, bs *v1alpha1.BackupStorage) (int, error) {
	var policies v1alpha1.OffboardingPolicyList
	var people v1alpha1.EmployeeList
	for _, list := range []client.ObjectList{&policies, &people} {
		if err := r.List(ctx, list, client.InNamespace(bs.Namespace), client.UnsafeDisableDeepCopy); err != nil {
			return 0, fmt.Errorf("listing who is backed up in the storage: %w", err)
		}
	}
	if len(people.Items) == 0 || !slices.ContainsFunc(policies.Items, func(p v1alpha1.OffboardingPolicy) bool { return p.Spec.Backup.StorageRef.Name == bs.Name }) {
		return 0, nil
	}
	ends, err := namespaceEnds(ctx, r.Storages.Live, bs.Namespace)
	if err != nil || !ends {
		return 0, err
	}
	return len(people.Items), nil
}

// goneAfter is when to look again whether people have gone, if some are waited for.
func goneAfter(people int) time.Duration {
	if people == 0 {
		return 0
	}
	return goneSoon
}

// disclaim takes the claim back, so that who comes next need not wait until it lapses.
// It says how long to wait for that; what cannot be reached is left to lapse.
func (r *BackupStorageReconciler) disclaim(ctx context.Context, bs *v1alpha1.BackupStorage) time.Duration {
	s, now, key := r.sight(bs.UID), r.Now(), "disclaim/"+string(bs.UID)
	if s.leaving.IsZero() {
		access, stop, err := r.Storages.Resolve(ctx, bs)
		if err != nil || stop != nil {
			return 0
		}
		r.Surveys.Cancel(string(bs.UID))
		name, namespace, uid := client.ObjectKeyFromObject(bs), bs.Namespace, string(bs.UID)
		r.mu.Lock() // another storage that has gone looks through all of them
		s.leaving, s.name = now, name
		r.mu.Unlock()
		r.Surveys.Start(jobs.Job[struct{}, *survey]{
			Key: key, Lane: key, Ended: func() { r.again.add(name, 0, 0) },
			Run: func(ctx context.Context, _ func(struct{})) (*survey, error) {
				return nil, access.each(ctx, disclaimLimit, func(ctx context.Context, p *storage.Place) error { return p.Disclaim(ctx, namespace, uid) })
			},
		})
	}
	if work, there := r.Surveys.State(key); !there || work.Ended() || now.Sub(s.leaving) >= disclaimLimit {
		r.Surveys.Cancel(key)
		return 0
	}
	return disclaimLimit
}
