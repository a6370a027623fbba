package controllers

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// ApprovalReconciler says how Approvals stand, finds out whether their decisions were
// checked, and wakes who waited for them. It decides nothing.
type ApprovalReconciler struct {
	client.Client
	Approvals *Approvals
	Recorder  events.EventRecorder
	Hub       *Hub
	Metrics   ApprovalMetrics
	Now       func() time.Time

	writes kube.Writes
}

// ApprovalMetrics is what is told of Approvals.
type ApprovalMetrics interface {
	// Waiting says how many Approvals of a namespace wait for somebody, by purpose, and how many
	// decisions are not acted upon because nobody checked who decided.
	Waiting(namespace string, purposes map[v1alpha1.ApprovalPurpose]int, unchecked int)
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=approvals,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=rollcall.dev,resources=approvals/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager registers the controller.
func (r *ApprovalReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Approval{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Approval{}, handler.EnqueueRequestsFromMapFunc(r.wake), builder.WithPredicates(standsDifferently)).
		Complete(r)
}

// standsDifferently passes Approvals that stand differently now, to those who act on them.
var standsDifferently = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false },
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.Approval)
		now, ok2 := e.ObjectNew.(*v1alpha1.Approval)
		return ok1 && ok2 && before.Status.State != now.Status.State
	},
	DeleteFunc: func(event.DeleteEvent) bool { return true }, // it is asked again, if somebody still waits
}

// wake tells those whom an Approval lists. The cache shows already what they will read.
func (r *ApprovalReconciler) wake(_ context.Context, o client.Object) []reconcile.Request {
	apv, ok := o.(*v1alpha1.Approval)
	if !ok {
		return nil
	}
	for _, s := range apv.Spec.Subjects {
		name := types.NamespacedName{Namespace: apv.Namespace, Name: s.Name}
		switch s.Kind {
		case "Offboarding":
			r.Hub.offboardings.add(name, freezingPriority, 0)
		case "Employee":
			r.Hub.employees.add(name, freezingPriority, 0)
		case "EnterpriseAccount":
			r.Hub.accounts.add(name, 0, 0)
		}
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(apv)}}
}

// Reconcile says how one Approval stands.
func (r *ApprovalReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	apv := &v1alpha1.Approval{}
	err := r.Get(ctx, req.NamespacedName, apv)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	if err == nil && r.writes.Ahead(apv) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	again := time.Duration(0)
	if err == nil && apv.DeletionTimestamp.IsZero() {
		if again, err = r.look(ctx, apv); err != nil {
			return done(0, err)
		}
	}
	return done(again, r.count(ctx, req.Namespace))
}

// look writes how the Approval stands, and says when that changes by itself.
func (r *ApprovalReconciler) look(ctx context.Context, apv *v1alpha1.Approval) (time.Duration, error) {
	before := apv.DeepCopy()
	again, err := r.decide(ctx, apv)
	if err != nil {
		return 0, err
	}
	wrote, err := kube.PatchStatus(ctx, r.Client, before, apv)
	if err != nil {
		return 0, err
	}
	if wrote {
		r.writes.Note(apv)
		r.announce(before, apv)
	}
	if gone := r.goneIn(apv); gone != nil {
		if *gone <= 0 {
			return 0, client.IgnoreNotFound(r.Delete(ctx, apv))
		}
		again = *gone
	}
	return again, nil
}

// withdrawnFor is how long an Approval is kept that nobody asks about any more.
const withdrawnFor = 24 * time.Hour

// count tells how many wait.
func (r *ApprovalReconciler) count(ctx context.Context, namespace string) error {
	var all v1alpha1.ApprovalList
	if err := r.List(ctx, &all, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing Approvals: %w", err)
	}
	purposes, unchecked := map[v1alpha1.ApprovalPurpose]int{}, 0
	for i := range all.Items {
		switch apv := &all.Items[i]; {
		case r.Approvals.stands(apv) != v1alpha1.ApprovalPending:
		case apv.Spec.Decision.Verdict != "":
			unchecked++
		default:
			purposes[apv.Spec.Purpose]++
		}
	}
	r.Metrics.Waiting(namespace, purposes, unchecked)
	return nil
}

// policyName is that of the ValidatingAdmissionPolicy in config/policy that checks who decides.
const policyName = "rollcall-approvals"

// checked asks the API server whether it refuses what the policy forbids: an Approval that is
// made with a decision. That the policy exists would not tell that it is in force here.
func (r *ApprovalReconciler) checked(ctx context.Context, apv *v1alpha1.Approval) (bool, error) {
	forged := &v1alpha1.Approval{Spec: *apv.Spec.DeepCopy()}
	forged.Namespace, forged.GenerateName = apv.Namespace, "checked-"
	err := r.Create(ctx, forged, client.DryRunAll)
	switch {
	case err == nil:
		return false, nil
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "'"+policyName+"'"):
		return true, nil
	}
	return false, fmt.Errorf("trying whether decisions are checked: %w", err)
}
