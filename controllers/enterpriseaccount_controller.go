package controllers

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/tenant"
)

// EnterpriseAccountReconciler starts and stops tenants and says how they stand.
type EnterpriseAccountReconciler struct {
	client.Client
	// Live reads Secrets past the cache: their contents are never kept.
	Live     client.Reader
	Recorder events.EventRecorder
	Tenants  *tenant.Registry
	Hub      *Hub
	// Platforms by Descriptor.Platform.
	Platforms map[string]directory.Descriptor
	Metrics   Metrics
	Now       func() time.Time
	// Trail opens the audit trail of an account; nil keeps no records.
	Trail func(account types.NamespacedName) (*audit.Log, error)
	// Approvals asks whether a company may leave the platform, and Exits does the work of it.
	Approvals *Approvals
	Exits     *jobs.Runner[struct{}, exitOutcome]
	// Lifetime ends the tenants when the manager stops.
	Lifetime context.Context //nolint:containedctx // tenants outlive the Reconcile that starts them

	writes kube.Writes
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=enterpriseaccounts,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=enterpriseaccounts/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;create
// +kubebuilder:rbac:groups=rollcall.dev,resources=backups,verbs=get;list;watch;create
// +kubebuilder:rbac:groups=rollcall.dev,resources=approvals,verbs=get;list;watch;create
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager registers the controller.
func (r *EnterpriseAccountReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.EnterpriseAccount{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.EnterpriseAccountList](r, indexSecret))).
		Watches(&v1alpha1.Employee{}, handler.EnqueueRequestsFromMapFunc(r.leaving)).
		Watches(&v1alpha1.Department{}, handler.EnqueueRequestsFromMapFunc(r.leaving)).
		Watches(&v1alpha1.Offboarding{}, handler.EnqueueRequestsFromMapFunc(r.leaving), builder.WithPredicates(ending)).
		Watches(&v1alpha1.PermissionBinding{}, handler.EnqueueRequestsFromMapFunc(r.leaving), builder.WithPredicates(comesOrGoes)).
		Watches(&v1alpha1.EnterpriseAccount{}, handler.EnqueueRequestsFromMapFunc(r.sameTenant), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.Hub.accounts.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// Reconcile makes the tenant run as declared and reports how it stands.
func (r *EnterpriseAccountReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	account := &v1alpha1.EnterpriseAccount{}
	if err := r.Get(ctx, req.NamespacedName, account); err != nil {
		if apierrors.IsNotFound(err) {
			r.stop(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.writes.Ahead(account) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	before := account.DeepCopy()
	if !account.DeletionTimestamp.IsZero() {
		return r.end(ctx, before, account)
	}
	if err := kube.AddFinalizer(ctx, r.Client, account, v1alpha1.Finalizer); err != nil {
		return done(0, err)
	}
	before = account.DeepCopy()
	at, err := r.start(ctx, account)
	if err != nil {
		return done(0, err)
	}
	if at.stop != nil {
		r.stop(req.NamespacedName)
	}
	if !observed(account.Status.ObservedGeneration, account.Generation) { // it may name another Secret now
		if err := releaseSecrets(ctx, r.Client, account.Namespace, ""); err != nil {
			return done(0, err)
		}
	}
	if err := r.report(ctx, account, at); err != nil {
		return ctrl.Result{}, err
	}
	then, err := r.rehearse(ctx, account, at)
	if err != nil {
		return ctrl.Result{}, err
	}
	if _, err = kube.PatchStatus(ctx, r.Client, before, account); err == nil {
		then()
		r.writes.Note(account)
		r.announce(before, account)
	}
	return done(0, err)
}

// end leaves the platform first, if the company does, and lets the account go. A
// namespace that is deleted takes no Approval and no Backup: there is no exit from it.
func (r *EnterpriseAccountReconciler) end(ctx context.Context, before, account *v1alpha1.EnterpriseAccount) (ctrl.Result, error) {
	if exits(account) {
		ends, err := namespaceEnds(ctx, r.Live, account.Namespace)
		if err != nil {
			return ctrl.Result{}, err
		}
		if !ends {
			return r.exit(ctx, before, account)
		}
	}
	return r.delete(ctx, before, account)
}

// stop ends the tenant, and what is told of it.
func (r *EnterpriseAccountReconciler) stop(account client.ObjectKey) {
	r.Tenants.Stop(account.String())
	r.Metrics.Forget(account)
}

// standing is how an account stands: its tenant runs, or something keeps it from running.
type standing struct {
	tenant *tenant.Tenant
	stop   *Problem
	// leaving: the credentials go as soon as nobody needs them.
	leaving *Problem
}

// start makes the tenant run, or says what keeps it from running.
func (r *EnterpriseAccountReconciler) start(ctx context.Context, account *v1alpha1.EnterpriseAccount) (at standing, err error) {
	spec := r.translate(account)
	account.Status.Platform = spec.Descriptor.Platform
	rival, err := r.rival(ctx, account)
	switch {
	case err != nil:
		return at, err
	case rival != "":
		at.stop = problem(v1alpha1.ReasonDataConflict, "the older EnterpriseAccount "+rival+" manages the same tenant (corpID); two would undo each other's work: delete one of them")
		return at, nil
	case account.Spec.Mode == v1alpha1.ModeSuspended:
		at.stop = problem(v1alpha1.ReasonSuspended, "mode is Suspended: the platform is not called")
		return at, nil
	}
	if spec.Settings.Secrets, err = r.credentials(ctx, account, spec.Descriptor, &at); err != nil || at.stop != nil {
		return at, err
	}
	key := client.ObjectKeyFromObject(account)
	at.tenant, err = r.Tenants.Ensure(r.Lifetime, key.String(), spec.Fingerprint(), func() (*tenant.Tenant, error) {
		return r.open(key, spec)
	})
	if err != nil {
		at.stop = problem(v1alpha1.ReasonInvalidValue, err.Error())
		return at, nil
	}
	at.tenant.Pace(spec)
	return at, nil
}

func (r *EnterpriseAccountReconciler) open(key client.ObjectKey, spec tenant.Spec) (*tenant.Tenant, error) {
	t, err := tenant.Open(key.String(), spec, r.Metrics.Observer(key), r.Now, r.Hub)
	if err == nil && r.Trail != nil {
		t.Trail, err = r.Trail(key)
	}
	return t, err
}

// credentials reads the Secret, and keeps it from vanishing while it is needed (P10).
func (r *EnterpriseAccountReconciler) credentials(ctx context.Context, account *v1alpha1.EnterpriseAccount, d directory.Descriptor, at *standing) (map[string][]byte, error) {
	name := account.Spec.CredentialsSecretRef.Name
	secret, leaving, err := heldSecret(ctx, r.Client, r.Live, account, name)
	if err != nil {
		return nil, err
	}
	if secret == nil {
		at.stop = problem(v1alpha1.ReasonCredentialsMissing, fmt.Sprintf("the Secret %q does not exist; create it with the keys %s", name, keys(d)))
		return nil, nil
	}
	if missing := missingKeys(d, secret); len(missing) > 0 {
		at.stop = problem(v1alpha1.ReasonCredentialsMissing, fmt.Sprintf("the Secret %q lacks %s", name, strings.Join(missing, ", ")))
		return nil, nil
	}
	if !leaving {
		return secret.Data, nil
	}
	at.leaving = problem(v1alpha1.ReasonCredentialsLeaving, fmt.Sprintf("the Secret %q is being deleted, and is kept only because this account needs it: name another in credentialsSecretRef", name))
	return secret.Data, nil
}

// translate turns the spec into a tenant's words; the credentials are not in it yet.
func (r *EnterpriseAccountReconciler) translate(account *v1alpha1.EnterpriseAccount) tenant.Spec {
	spec := tenant.Spec{
		CABundle: account.Spec.CABundle, PerSecond: float64(account.Spec.RateLimit.RequestsPerSecond),
		Interval: resyncInterval(account), Epoch: string(account.UID) + string(account.Spec.Mode),
	}
	if s := account.Spec.WeCom; s.CorpID != "" {
		spec.Descriptor = r.Platforms["WeCom"]
		spec.Settings = directory.Settings{Tenant: s.CorpID, Endpoint: string(s.Endpoint), NumberAttribute: s.NumberAttribute}
		return spec
	}
	s := account.Spec.DingTalk
	spec.Descriptor = r.Platforms["DingTalk"]
	spec.Settings = directory.Settings{Tenant: s.CorpID, Endpoint: string(s.Endpoint), LegacyEndpoint: string(s.LegacyEndpoint)}
	return spec
}

func resyncInterval(account *v1alpha1.EnterpriseAccount) time.Duration {
	if s := account.Spec.ResyncIntervalSeconds; s > 0 {
		return time.Duration(s) * time.Second
	}
	return 10 * time.Minute
}

func keys(d directory.Descriptor) string {
	var names []string
	for _, k := range d.SecretKeys {
		names = append(names, k.Name)
	}
	return strings.Join(names, " and ")
}

func missingKeys(d directory.Descriptor, s *corev1.Secret) (missing []string) {
	for _, k := range d.SecretKeys {
		if k.Required && len(s.Data[k.Name]) == 0 {
			missing = append(missing, fmt.Sprintf("the key %s (%s)", k.Name, k.About))
		}
	}
	return missing
}

// rival finds an older EnterpriseAccount of the same tenant, in any namespace (P4).
func (r *EnterpriseAccountReconciler) rival(ctx context.Context, account *v1alpha1.EnterpriseAccount) (string, error) {
	var all v1alpha1.EnterpriseAccountList
	if err := r.List(ctx, &all); err != nil {
		return "", fmt.Errorf("listing EnterpriseAccounts: %w", err)
	}
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID != account.UID && corpID(other) == corpID(account) && older(other, account) {
			return other.Namespace + "/" + other.Name, nil
		}
	}
	return "", nil
}

func corpID(a *v1alpha1.EnterpriseAccount) string {
	return a.Spec.DingTalk.CorpID + "/" + a.Spec.WeCom.CorpID
}

// older orders objects by age, and those of one second by their UIDs.
func older(a, b metav1.Object) bool {
	ta, tb := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	if !ta.Equal(&tb) {
		return ta.Before(&tb)
	}
	return a.GetUID() < b.GetUID()
}

// delete holds the account while somebody is on it: credentials do not vanish
// before those who need them (P10). Nothing is deleted on the platform.
func (r *EnterpriseAccountReconciler) delete(ctx context.Context, before, account *v1alpha1.EnterpriseAccount) (ctrl.Result, error) {
	leavings, err := openLeavings(ctx, r, account.Namespace, indexAccount, account.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	people, departments, bindings, err := r.dependants(ctx, account)
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := r.keepCalling(ctx, account, leavings, people); err != nil {
		return done(0, err)
	}
	if !r.Exits.Cancel(exitKey(account)) {
		return done(staleRetry, nil) // spec.exit was taken away in the middle of it
	}
	if people+departments+bindings+leavings > 0 {
		kube.Summarize(&account.Status.Conditions, account.Generation, kube.Summary{
			Stand: kube.Reconciling, Reason: v1alpha1.ReasonInUse,
			Message: fmt.Sprintf("%d people and %d departments still list this account, %d PermissionBindings are about it, and %d Offboardings are not over; it goes when there are none. The platform is called for those who leave only",
				people, departments, bindings, leavings),
		})
		account.Status.ObservedGeneration = &account.Generation
		_, err := kube.PatchStatus(ctx, r.Client, before, account)
		return done(0, err)
	}
	if err := releaseSecrets(ctx, r.Client, account.Namespace, ""); err != nil {
		return done(0, err)
	}
	r.Recorder.Eventf(account, nil, corev1.EventTypeNormal, v1alpha1.ReasonRetained, "Delete", "left everything on the platform as it is")
	return done(0, kube.RemoveFinalizer(ctx, r.Client, account, v1alpha1.Finalizer))
}

// keepCalling lets the tenant run as long as somebody leaves it, or goes with the
// namespace, who needs the platform to the end; else it ends.
func (r *EnterpriseAccountReconciler) keepCalling(ctx context.Context, account *v1alpha1.EnterpriseAccount, leavings, people int) error {
	needed := leavings > 0
	if !needed && people > 0 {
		ends, err := namespaceEnds(ctx, r.Live, account.Namespace)
		if err != nil {
			return err
		}
		needed = ends
	}
	if needed {
		at, err := r.start(ctx, account)
		if err != nil {
			return err
		}
		return r.report(ctx, account, at)
	}
	r.stop(client.ObjectKeyFromObject(account))
	for _, condition := range []string{v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionDirectoryRead} {
		meta.RemoveStatusCondition(&account.Status.Conditions, condition) // nobody looks any more
	}
	return nil
}

// openLeavings counts the Offboardings that are not over and need what the index names.
func openLeavings(ctx context.Context, c client.Reader, namespace, index, name string) (n int, err error) {
	var list v1alpha1.OffboardingList
	if err := c.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{index: name}, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("listing Offboardings: %w", err)
	}
	for i := range list.Items {
		if !isOver(&list.Items[i]) {
			n++
		}
	}
	return n, nil
}

// dependants counts what lists the account.
func (r *EnterpriseAccountReconciler) dependants(ctx context.Context, account *v1alpha1.EnterpriseAccount) (people, departments, bindings int, err error) {
	counts := make([]int, 0, 3)
	for _, list := range []client.ObjectList{&v1alpha1.EmployeeList{}, &v1alpha1.DepartmentList{}, &v1alpha1.PermissionBindingList{}} {
		if err := r.List(ctx, list, client.InNamespace(account.Namespace), client.MatchingFields{indexAccount: account.Name}, client.UnsafeDisableDeepCopy); err != nil {
			return 0, 0, 0, fmt.Errorf("listing who depends on the account: %w", err)
		}
		counts = append(counts, meta.LenList(list))
	}
	return counts[0], counts[1], counts[2], nil
}
