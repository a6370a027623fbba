package controllers

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/tenant"
)

// RestoreReconciler plans what an archive brings back, shows it, and does it when it
// is told to. It never waits for a platform or a storage: jobs do, and their ends
// bring it back.
type RestoreReconciler struct {
	client.Client
	// Live reads past the cache, which has no Secrets' contents.
	Live     client.Reader
	Recorder events.EventRecorder
	Tenants  *tenant.Registry
	Hub      *Hub
	Storages *Storages
	// Runs are by the Restore's UID; of each target one at a time.
	Runs *jobs.Runner[restoreProgress, restoreOutcome]
	// Platforms by Descriptor.Platform.
	Platforms map[string]directory.Descriptor
	Now       func() time.Time

	writes kube.Writes
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=restores,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=restores/status,verbs=patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=employees,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

// SetupWithManager registers the controller.
func (r *RestoreReconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Restore{}, changed).
		Watches(&v1alpha1.Backup{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.RestoreList](r, indexBackup)), builder.WithPredicates(proven)).
		Watches(&v1alpha1.EnterpriseAccount{}, handler.EnqueueRequestsFromMapFunc(r.waitingFor), changed).
		Watches(&v1alpha1.BackupStorage{}, handler.EnqueueRequestsFromMapFunc(r.waitingFor), builder.WithPredicates(readied)).
		WatchesRawSource(r.Hub.restores.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 2}).
		Complete(r)
}

// proven passes what Restores wait for in a Backup.
var proven = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.Backup)
		after, ok2 := e.ObjectNew.(*v1alpha1.Backup)
		return ok1 && ok2 && verified(before) != verified(after)
	},
}

// waitingFor are the Restores of the namespace that are not done: there are few.
func (r *RestoreReconciler) waitingFor(ctx context.Context, o client.Object) []ctrl.Request {
	var all v1alpha1.RestoreList
	if r.List(ctx, &all, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy) != nil {
		return nil // the cache fails only while the manager stops
	}
	var found []ctrl.Request
	for i := range all.Items {
		if problemOfReady(all.Items[i].Status.Conditions) != nil {
			found = append(found, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return found
}

// Reconcile brings one Restore a step further.
func (r *RestoreReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	rs := &v1alpha1.Restore{}
	if err := r.Get(ctx, req.NamespacedName, rs); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.writes.Ahead(rs) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	if !rs.DeletionTimestamp.IsZero() {
		if !r.Runs.Cancel(string(rs.UID)) {
			return ctrl.Result{}, nil // its end brings us back
		}
		return done(0, kube.RemoveFinalizer(ctx, r.Client, rs, v1alpha1.Finalizer))
	}
	if err := kube.AddFinalizer(ctx, r.Client, rs, v1alpha1.Finalizer); err != nil {
		return done(0, err)
	}
	before, s := rs.DeepCopy(), &restoreScope{restore: rs, now: r.Now()}
	s.run, s.exists = r.Runs.State(string(rs.UID))
	s.fold()
	if err := r.prepare(ctx, s); err != nil {
		return done(0, err)
	}
	s.report()
	if _, err := kube.PatchStatus(ctx, r.Client, before, rs); err != nil {
		return done(0, client.IgnoreNotFound(err))
	}
	r.writes.Note(rs)
	r.announce(before, s)
	return done(r.act(s), nil)
}

// restoreScope is what one reconcile knows.
type restoreScope struct {
	restore *v1alpha1.Restore
	now     time.Time
	// run is the job of this Restore, if there is one.
	run    jobs.State[restoreProgress, restoreOutcome]
	exists bool
	// step is what is to be done next, wait when that may begin.
	step restoreStep
	wait time.Duration
	// work is what the step needs, nil while something is missing.
	work *restoreWork
	// problem is why it is not as declared.
	problem *Problem
	// tenant is the target, when it is an account.
	tenant *tenant.Tenant
}

func (s *restoreScope) running() bool { return s.exists && !s.run.Ended() }

// act starts the work, after its record is durable, and says when to look again.
func (r *RestoreReconciler) act(s *restoreScope) time.Duration {
	key, name := string(s.restore.UID), client.ObjectKeyFromObject(s.restore)
	switch {
	case s.running() && s.step == restoreStop:
		r.Runs.Cancel(key)
		return 0 // its end brings us back
	case s.running():
		return progressEvery
	case s.exists:
		r.Runs.Acknowledge(key)
		if s.run.Result.changed && s.tenant != nil {
			s.tenant.Poke() // what is declared sees at once what came back
		}
	}
	if s.work == nil || s.wait > 0 {
		return s.wait
	}
	r.Runs.Start(jobs.Job[restoreProgress, restoreOutcome]{
		Key: key, Lane: name.Namespace + "/" + s.restore.Status.Target,
		Run:   s.work.run,
		Ended: func() { r.Hub.restores.add(name, 0, 0) },
	})
	return progressEvery
}

// announce sends events on transitions: when somebody is needed, when somebody no
// longer is, and when an account was changed.
func (r *RestoreReconciler) announce(before *v1alpha1.Restore, s *restoreScope) {
	rs := s.restore
	announce(r.Recorder, rs, before.Status.Conditions, rs.Status.Conditions)
	if restored(rs) && !restored(before) {
		r.Recorder.Eventf(rs, nil, corev1.EventTypeNormal, v1alpha1.EventRestored, "Restore", "restored onto %s: %s", rs.Status.Target, inCounts(&rs.Status.Plan))
	}
}
