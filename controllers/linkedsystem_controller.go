package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
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
	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/tenant"
)

// Linker opens a linked system as it is declared. The error says which setting is wrong.
type Linker = func(spec *v1alpha1.LinkedSystemSpec, settings linked.Settings) (linked.System, error)

// LinkedSystemReconciler starts and stops linked systems and says how they stand.
type LinkedSystemReconciler struct {
	client.Client
	// Live reads Secrets past the cache: their contents are never kept.
	Live     client.Reader
	Recorder events.EventRecorder
	Systems  *Systems
	Hub      *Hub
	// Linkers by protocol.
	Linkers map[string]Linker
	Metrics Metrics
	Now     func() time.Time
	// Trail opens the audit trail of a system; nil keeps no records.
	Trail func(types.NamespacedName) (*audit.Log, error)
	// Lifetime ends the systems when the manager stops.
	Lifetime context.Context //nolint:containedctx // systems outlive the Reconcile that starts them

	mappings *mappings
	writes   kube.Writes
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=linkedsystems,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=linkedsystems/status,verbs=patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=employees;offboardings,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;patch

// SetupWithManager registers the controller.
func (r *LinkedSystemReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.LinkedSystem{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.LinkedSystemList](r, indexSecret))).
		Watches(&v1alpha1.Employee{}, handler.EnqueueRequestsFromMapFunc(r.linked)).
		Watches(&v1alpha1.Offboarding{}, handler.EnqueueRequestsFromMapFunc(r.linked), builder.WithPredicates(ending)).
		Watches(&v1alpha1.LinkedSystem{}, handler.EnqueueRequestsFromMapFunc(r.sameAddress), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.Hub.systems.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// linked maps somebody to the systems that count them, or wait for them to go. Counts may lag behind.
func (r *LinkedSystemReconciler) linked(_ context.Context, o client.Object) []reconcile.Request {
	var names []string
	switch o := o.(type) {
	case *v1alpha1.Employee:
		names = employeeSystems(o)
	case *v1alpha1.Offboarding:
		names = offboardingSystems(o)
	}
	for _, name := range names {
		r.Hub.systems.add(client.ObjectKey{Namespace: o.GetNamespace(), Name: name}, sweepPriority, settle)
	}
	return nil
}

// Reconcile makes the system run as declared and reports how it stands.
func (r *LinkedSystemReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	ls := &v1alpha1.LinkedSystem{}
	if err := r.Get(ctx, req.NamespacedName, ls); err != nil {
		if apierrors.IsNotFound(err) {
			r.stop(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.writes.Ahead(ls) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	before := ls.DeepCopy()
	if !ls.DeletionTimestamp.IsZero() {
		return r.delete(ctx, before, ls)
	}
	if err := kube.AddFinalizer(ctx, r.Client, ls, v1alpha1.Finalizer); err != nil {
		return done(0, err)
	}
	before = ls.DeepCopy()
	at, err := r.start(ctx, ls)
	if err != nil {
		return done(0, err)
	}
	if at.stop != nil {
		r.stop(req.NamespacedName)
	}
	if !observed(ls.Status.ObservedGeneration, ls.Generation) { // it may name another Secret now
		if err := releaseSecrets(ctx, r.Client, ls.Namespace, ""); err != nil {
			return done(0, err)
		}
	}
	if err := r.report(ctx, ls, at); err != nil {
		return ctrl.Result{}, err
	}
	if _, err = kube.PatchStatus(ctx, r.Client, before, ls); err == nil {
		r.writes.Note(ls)
		announce(r.Recorder, ls, before.Status.Conditions, ls.Status.Conditions)
	}
	return done(0, err)
}

// stop ends the system, and what is told of it.
func (r *LinkedSystemReconciler) stop(key client.ObjectKey) {
	r.Systems.Stop(key.String())
	r.Metrics.Forget(systemLabel(key))
}

// systemStanding is how a linked system stands: it runs, or something keeps it from running.
type systemStanding struct {
	running *tenant.Linked
	stop    *Problem
	// leaving: the credentials go as soon as nobody needs them.
	leaving *Problem
	// mapping is what is wrong with the expressions.
	mapping *Problem
}

// protocolOf is what a spec speaks.
func protocolOf(spec *v1alpha1.LinkedSystemSpec) string {
	switch {
	case spec.SCIM.Endpoint != "":
		return "SCIM"
	case spec.LDAP.Endpoint != "":
		return "LDAP"
	}
	return "Webhook"
}

// secretKeys are the sets of keys by protocol, of which one has to be whole.
var secretKeys = map[string][][]string{
	"SCIM": {{"token"}, {"username", "password"}}, "LDAP": {{"bindDN", "password"}}, "Webhook": {{"signingKey"}},
}

// start makes the system run, or says what keeps it from running.
func (r *LinkedSystemReconciler) start(ctx context.Context, ls *v1alpha1.LinkedSystem) (at systemStanding, err error) {
	ls.Status.Protocol = protocolOf(&ls.Spec)
	if _, err := r.mappings.of(ls); err != nil {
		at.mapping = problem(v1alpha1.ReasonInvalidValue, err.Error())
	}
	rival, err := r.rival(ctx, ls)
	switch {
	case err != nil:
		return at, err
	case rival != "":
		at.stop = problem(v1alpha1.ReasonDataConflict, "the older LinkedSystem "+rival+" manages the same system (endpoint); two would undo each other's work: delete one of them")
		return at, nil
	case ls.Spec.Mode == v1alpha1.ModeSuspended:
		at.stop = problem(v1alpha1.ReasonSuspended, "mode is Suspended: the system is not called")
		return at, nil
	}
	secrets, err := r.credentials(ctx, ls, &at)
	if err != nil || at.stop != nil {
		return at, err
	}
	key, linker := client.ObjectKeyFromObject(ls), r.Linkers[ls.Status.Protocol]
	if linker == nil {
		at.stop = problem(v1alpha1.ReasonNotSupported, "this manager does not speak "+ls.Status.Protocol)
		return at, nil
	}
	declared := ls.Spec.DeepCopy()
	spec := &tenant.LinkedSpec{
		UID: string(ls.UID), Declared: []any{ls.Spec.SCIM, ls.Spec.LDAP, ls.Spec.Webhook}, Secrets: secrets, Attributes: attributeNames(&ls.Spec),
		CABundle: ls.Spec.CABundle, PerSecond: float64(ls.Spec.RateLimit.RequestsPerSecond), Interval: resyncOf(ls), Epoch: string(ls.Spec.Mode),
		Open: func(s linked.Settings) (linked.System, error) { return linker(declared, s) },
	}
	at.running, err = r.Systems.Ensure(r.Lifetime, key.String(), spec.Fingerprint(), func() (*tenant.Linked, error) { return r.open(key, spec) })
	if err != nil {
		at.stop = problem(v1alpha1.ReasonInvalidValue, err.Error())
		return at, nil
	}
	at.running.Pace(spec)
	return at, nil
}

func (r *LinkedSystemReconciler) open(key client.ObjectKey, spec *tenant.LinkedSpec) (*tenant.Linked, error) {
	l, err := tenant.OpenLinked(key.String(), spec, r.Metrics.Observer(systemLabel(key)), r.Now, r.Hub)
	if err == nil && r.Trail != nil {
		l.Trail, err = r.Trail(systemLabel(key))
	}
	return l, err
}

func resyncOf(ls *v1alpha1.LinkedSystem) time.Duration {
	if s := ls.Spec.ResyncIntervalSeconds; s > 0 {
		return time.Duration(s) * time.Second
	}
	return time.Hour
}

// credentials reads the Secret, and keeps it from vanishing while it is needed (P10).
func (r *LinkedSystemReconciler) credentials(ctx context.Context, ls *v1alpha1.LinkedSystem, at *systemStanding) (map[string][]byte, error) {
	name, sets := ls.Spec.CredentialsSecretRef.Name, secretKeys[ls.Status.Protocol]
	secret, leaving, err := heldSecret(ctx, r.Client, r.Live, ls, name)
	if err != nil {
		return nil, err
	}
	var words []string
	for _, keys := range sets {
		words = append(words, strings.Join(keys, " and "))
	}
	wants := strings.Join(words, ", or ")
	switch {
	case secret == nil:
		at.stop = problem(v1alpha1.ReasonCredentialsMissing, fmt.Sprintf("the Secret %q does not exist; create it with the keys %s", name, wants))
		return nil, nil
	case !slices.ContainsFunc(sets, func(keys []string) bool {
		return !slices.ContainsFunc(keys, func(k string) bool { return len(secret.Data[k]) == 0 })
	}):
		at.stop = problem(v1alpha1.ReasonCredentialsMissing, fmt.Sprintf("the Secret %q lacks keys; it needs %s", name, wants))
		return nil, nil
	case leaving:
		at.leaving = problem(v1alpha1.ReasonCredentialsLeaving, fmt.Sprintf("the Secret %q is being deleted, and is kept only because this system needs it: name another in credentialsSecretRef", name))
	}
	return secret.Data, nil
}

// delete holds the system while somebody is declared in it, or leaves it: credentials do not vanish before those
// who need them (P10). Nothing is changed in the system itself.
func (r *LinkedSystemReconciler) delete(ctx context.Context, before, ls *v1alpha1.LinkedSystem) (ctrl.Result, error) {
	leavings, err := openLeavings(ctx, r, ls.Namespace, indexSystem, ls.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	var people v1alpha1.EmployeeList
	if err := r.List(ctx, &people, client.InNamespace(ls.Namespace), client.MatchingFields{indexSystem: ls.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("listing who is in the system: %w", err)
	}
	declared := 0
	for i := range people.Items {
		if linkSpec(&people.Items[i], ls.Name) != nil {
			declared++
		}
	}
	needed := leavings
	if ends, err := namespaceEnds(ctx, r.Live, ls.Namespace); err != nil {
		return done(0, err)
	} else if ends { // those who go with it are disabled before (P2)
		needed += declared
	}
	if err := r.keepCalling(ctx, ls, needed); err != nil {
		return done(0, err)
	}
	if declared+leavings > 0 {
		kube.Summarize(&ls.Status.Conditions, ls.Generation, kube.Summary{
			Stand: kube.Reconciling, Reason: v1alpha1.ReasonInUse,
			Message: fmt.Sprintf("%d people are still declared in this system, and %d Offboardings are not over; it goes when there are none. It is called for those who leave only", declared, leavings),
		})
		ls.Status.ObservedGeneration = &ls.Generation
		_, err := kube.PatchStatus(ctx, r.Client, before, ls)
		return done(0, err)
	}
	r.mappings.forget(ls.UID)
	if err := releaseSecrets(ctx, r.Client, ls.Namespace, ""); err != nil {
		return done(0, err)
	}
	r.Recorder.Eventf(ls, nil, corev1.EventTypeNormal, v1alpha1.ReasonRetained, "Delete", "left everything in the system as it is")
	return done(0, kube.RemoveFinalizer(ctx, r.Client, ls, v1alpha1.Finalizer))
}

// keepCalling lets the system run as long as somebody leaves it; else it ends.
func (r *LinkedSystemReconciler) keepCalling(ctx context.Context, ls *v1alpha1.LinkedSystem, needed int) error {
	if needed > 0 {
		at, err := r.start(ctx, ls)
		if err != nil {
			return err
		}
		if at.stop != nil {
			r.stop(client.ObjectKeyFromObject(ls))
		}
		return r.report(ctx, ls, at)
	}
	r.stop(client.ObjectKeyFromObject(ls))
	meta.RemoveStatusCondition(&ls.Status.Conditions, v1alpha1.ConditionHealthy) // nobody looks any more
	return nil
}
