package controllers

import (
	"context"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// GrantReconciler keeps the RoleBinding that gives the manager its rights in a
// company until nothing there waits for the manager. A namespace that is deleted
// takes its RoleBindings along first, and whoever had to let the rest go could
// not: it would hang for ever (P10).
type GrantReconciler struct {
	client.Client
	// Live reads Namespaces: there is no right to watch them.
	Live client.Reader
}

// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings,resourceNames=rollcall-manager,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=offboardings;approvals,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get

// SetupWithManager registers the controller. The cache holds the manager's own RoleBindings only.
func (r *GrantReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("grant").For(&rbacv1.RoleBinding{}).Complete(r)
}

// goneSoon is how long to wait for what is being deleted.
const goneSoon = time.Second

// Reconcile holds the RoleBinding, or lets it go.
func (r *GrantReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	binding := &rbacv1.RoleBinding{}
	if err := r.Get(ctx, req.NamespacedName, binding); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if binding.DeletionTimestamp.IsZero() {
		return done(0, kube.AddFinalizer(ctx, r.Client, binding, v1alpha1.Finalizer))
	}
	needed, err := r.needed(ctx, req.Namespace)
	if err != nil || needed {
		return done(goneSoon, err)
	}
	return done(0, kube.RemoveFinalizer(ctx, r.Client, binding, v1alpha1.Finalizer))
}

// needed reports whether the namespace is going and holds something of ours yet.
// Whoever takes the rights away otherwise means it.
func (r *GrantReconciler) needed(ctx context.Context, namespace string) (bool, error) {
	ends, err := namespaceEnds(ctx, r.Live, namespace)
	if err != nil || !ends {
		return false, err
	}
	left := 0
	for _, list := range []client.ObjectList{
		&v1alpha1.EmployeeList{}, &v1alpha1.DepartmentList{}, &v1alpha1.EnterpriseAccountList{}, &v1alpha1.EmployeeNumberRuleList{},
		&v1alpha1.BackupStorageList{}, &v1alpha1.BackupScheduleList{}, &v1alpha1.BackupList{}, &v1alpha1.RestoreList{},
		&v1alpha1.OffboardingPolicyList{}, &v1alpha1.OffboardingList{}, &v1alpha1.ApprovalList{},
		&v1alpha1.PermissionBindingList{},
	} {
		if err := r.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			return false, fmt.Errorf("listing what is left: %w", err)
		}
		left += meta.LenList(list)
	}
	return left > 0, nil
}
