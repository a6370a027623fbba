package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
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
	// Lifetime ends the tenants when the manager stops.
	Lifetime context.Context //nolint:containedctx // tenants outlive the Reconcile that starts them
}

// +kubebuilder:rbac:groups=rollcall.dev,namespace=company,resources=enterpriseaccounts,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,namespace=company,resources=enterpriseaccounts/status,verbs=patch
// +kubebuilder:rbac:groups="",namespace=company,resources=secrets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=events.k8s.io,namespace=company,resources=events,verbs=create;patch

// SetupWithManager registers the controller.
func (r *EnterpriseAccountReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.EnterpriseAccount{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(listedBy[v1alpha1.EnterpriseAccountList](r, indexSecret))).
		Watches(&v1alpha1.Employee{}, handler.EnqueueRequestsFromMapFunc(r.leaving)).
		Watches(&v1alpha1.Department{}, handler.EnqueueRequestsFromMapFunc(r.leaving)).
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
			r.Tenants.Stop(req.String())
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := account.DeepCopy()
	if !account.DeletionTimestamp.IsZero() {
		return r.delete(ctx, before, account)
	}
	if err := kube.AddFinalizer(ctx, r.Client, account, v1alpha1.Finalizer); err != nil {
		return done(0, err)
	}
	before = account.DeepCopy()
	t, stop, err := r.start(ctx, account)
	if err != nil {
		return done(0, err)
	}
	if stop != nil {
		r.Tenants.Stop(req.String())
	}
	if err := r.report(ctx, account, t, stop); err != nil {
		return ctrl.Result{}, err
	}
	r.announce(before, account)
	_, err = kube.PatchStatus(ctx, r.Client, before, account)
	return done(0, err)
}

// start returns the running tenant, or the problem that keeps it from running.
func (r *EnterpriseAccountReconciler) start(ctx context.Context, account *v1alpha1.EnterpriseAccount) (*tenant.Tenant, *Problem, error) {
	descriptor, settings := r.translate(account)
	account.Status.Platform = descriptor.Platform
	rival, err := r.rival(ctx, account)
	switch {
	case err != nil:
		return nil, nil, err
	case rival != "":
		return nil, problem(v1alpha1.ReasonDataConflict, "the older EnterpriseAccount "+rival+" manages the same tenant (corpID); two would undo each other's work: delete one of them"), nil
	case account.Spec.Mode == v1alpha1.ModeSuspended:
		return nil, problem(v1alpha1.ReasonSuspended, "mode is Suspended: the platform is not called"), nil
	}
	secret := &corev1.Secret{}
	name := client.ObjectKey{Namespace: account.Namespace, Name: account.Spec.CredentialsSecretRef.Name}
	if err := r.Live.Get(ctx, name, secret); apierrors.IsNotFound(err) {
		return nil, problem(v1alpha1.ReasonCredentialsMissing, fmt.Sprintf("the Secret %q does not exist; create it with the keys %s", name.Name, keys(descriptor))), nil
	} else if err != nil {
		return nil, nil, fmt.Errorf("reading the credentials: %w", err)
	}
	if missing := missingKeys(descriptor, secret); len(missing) > 0 {
		return nil, problem(v1alpha1.ReasonCredentialsMissing, fmt.Sprintf("the Secret %q lacks %s", name.Name, strings.Join(missing, ", "))), nil
	}
	if secret.DeletionTimestamp.IsZero() {
		if err := kube.AddFinalizer(ctx, r.Client, secret, v1alpha1.CredentialsFinalizer); err != nil {
			return nil, nil, err
		}
	}
	settings.Secrets = secret.Data
	t, err := r.Tenants.Ensure(r.Lifetime, tenantName(account), fingerprint(account, settings), func() (*tenant.Tenant, error) {
		return r.build(account, descriptor, settings)
	})
	if err != nil {
		return nil, problem(v1alpha1.ReasonInvalidValue, err.Error()), nil
	}
	t.Budget.SetLimits(limits(account, descriptor))
	t.SetInterval(resyncInterval(account))
	return t, nil, nil
}

func tenantName(account *v1alpha1.EnterpriseAccount) string {
	return client.ObjectKeyFromObject(account).String()
}

func (r *EnterpriseAccountReconciler) build(account *v1alpha1.EnterpriseAccount, descriptor directory.Descriptor, settings directory.Settings) (*tenant.Tenant, error) {
	budget := httpx.NewBudget(limits(account, descriptor), nil, r.Metrics.Observer(client.ObjectKeyFromObject(account)))
	http, err := httpx.Client(httpx.Options{Budget: budget, CABundle: []byte(account.Spec.CABundle)})
	if err != nil {
		return nil, fmt.Errorf("caBundle: %w", err)
	}
	settings.HTTP, settings.Throttled, settings.Now = http, budget.Throttled, r.Now
	settings.Answered = func(operation string, class directory.Class) { budget.Answered(operation, string(class)) }
	d, err := descriptor.New(settings)
	if err != nil {
		return nil, err
	}
	return tenant.New(tenantName(account), d, budget, resyncInterval(account), r.Now, r.Hub), nil
}

// translate turns the spec into a provider's words.
func (r *EnterpriseAccountReconciler) translate(account *v1alpha1.EnterpriseAccount) (directory.Descriptor, directory.Settings) {
	if s := account.Spec.WeCom; s.CorpID != "" {
		return r.Platforms["WeCom"], directory.Settings{Tenant: s.CorpID, Endpoint: string(s.Endpoint), NumberAttribute: s.NumberAttribute}
	}
	s := account.Spec.DingTalk
	return r.Platforms["DingTalk"], directory.Settings{Tenant: s.CorpID, Endpoint: string(s.Endpoint), LegacyEndpoint: string(s.LegacyEndpoint)}
}

func limits(account *v1alpha1.EnterpriseAccount, d directory.Descriptor) httpx.Limits {
	l := httpx.Limits{PerOperation: httpx.Rate{PerSecond: d.OperationsPerSecond}}
	if n := account.Spec.RateLimit.RequestsPerSecond; n > 0 {
		// Whoever sets the total knows better than the public documents, too.
		l = httpx.Limits{Total: httpx.Rate{PerSecond: float64(n)}}
	}
	return l
}

func resyncInterval(account *v1alpha1.EnterpriseAccount) time.Duration {
	if s := account.Spec.ResyncIntervalSeconds; s > 0 {
		return time.Duration(s) * time.Second
	}
	return 10 * time.Minute
}

// fingerprint changes when the tenant has to be reached in another way, or may be
// changed no more: what was planned before then must not be carried out. It
// covers secrets and stays in memory.
func fingerprint(account *v1alpha1.EnterpriseAccount, s directory.Settings) string {
	b, err := json.Marshal([]any{account.UID, s.Tenant, s.Endpoint, s.LegacyEndpoint, s.NumberAttribute, s.Secrets, account.Spec.CABundle, account.Spec.Mode})
	if err != nil { // strings and bytes always marshal
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
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
	r.Tenants.Stop(tenantName(account))
	people, departments, err := r.dependants(ctx, account)
	if err != nil {
		return ctrl.Result{}, err
	}
	if people+departments > 0 {
		kube.Summarize(&account.Status.Conditions, account.Generation, kube.Summary{
			Stand: kube.Reconciling, Reason: v1alpha1.ReasonInUse,
			Message: fmt.Sprintf("%d people and %d departments still list this account; it goes when they are deleted or no longer list it. The platform is not called any more", people, departments),
		})
		account.Status.ObservedGeneration = &account.Generation
		_, err := kube.PatchStatus(ctx, r.Client, before, account)
		return done(0, err)
	}
	if err := r.releaseSecret(ctx, account); err != nil {
		return done(0, err)
	}
	r.Recorder.Eventf(account, nil, corev1.EventTypeNormal, v1alpha1.ReasonRetained, "Delete", "left everything on the platform as it is")
	return done(0, kube.RemoveFinalizer(ctx, r.Client, account, v1alpha1.Finalizer))
}

func (r *EnterpriseAccountReconciler) dependants(ctx context.Context, account *v1alpha1.EnterpriseAccount) (people, departments int, err error) {
	var employees v1alpha1.EmployeeList
	onAccount := []client.ListOption{client.InNamespace(account.Namespace), client.MatchingFields{indexAccount: account.Name}}
	if err := r.List(ctx, &employees, onAccount...); err != nil {
		return 0, 0, fmt.Errorf("listing employees: %w", err)
	}
	var units v1alpha1.DepartmentList
	if err := r.List(ctx, &units, onAccount...); err != nil {
		return 0, 0, fmt.Errorf("listing departments: %w", err)
	}
	return len(employees.Items), len(units.Items), nil
}

// releaseSecret lets the credentials go unless another account uses them.
func (r *EnterpriseAccountReconciler) releaseSecret(ctx context.Context, account *v1alpha1.EnterpriseAccount) error {
	name := account.Spec.CredentialsSecretRef.Name
	var users v1alpha1.EnterpriseAccountList
	if err := r.List(ctx, &users, client.InNamespace(account.Namespace), client.MatchingFields{indexSecret: name}); err != nil {
		return fmt.Errorf("listing EnterpriseAccounts: %w", err)
	}
	if slices.ContainsFunc(users.Items, func(a v1alpha1.EnterpriseAccount) bool { return a.UID != account.UID }) {
		return nil
	}
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	if err := r.Get(ctx, client.ObjectKey{Namespace: account.Namespace, Name: name}, secret); err != nil {
		return client.IgnoreNotFound(err)
	}
	return kube.RemoveFinalizer(ctx, r.Client, secret, v1alpha1.CredentialsFinalizer)
}
