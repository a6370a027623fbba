package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	"rollcall.dev/rollcall/internal/numbering"
)

// EmployeeNumberRuleReconciler says whether a rule can make numbers, and keeps it while Employees name it. Counting is the
// business of Numbers.
type EmployeeNumberRuleReconciler struct {
	client.Client
	Recorder events.EventRecorder
}

// +kubebuilder:rbac:groups=rollcall.dev,resources=employeenumberrules,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=employeenumberrules/status,verbs=patch
// +kubebuilder:rbac:groups=rollcall.dev,resources=employees,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollcall.dev,resources=departments,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager registers the controller.
func (r *EmployeeNumberRuleReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.EmployeeNumberRule{}).
		Watches(&v1alpha1.Employee{}, handler.EnqueueRequestsFromMapFunc(namedRule), builder.WithPredicates(mattersToRule)).
		Complete(r)
}

// namedRule maps an Employee to its rule.
func namedRule(_ context.Context, o client.Object) []reconcile.Request {
	e, ok := o.(*v1alpha1.Employee)
	if !ok || e.Spec.NumberRuleRef.Name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: e.Namespace, Name: e.Spec.NumberRuleRef.Name}}}
}

// mattersToRule passes updates of Employees that begin or end to name a rule, or to be refused a number.
var mattersToRule = predicate.Funcs{
	UpdateFunc: func(u event.UpdateEvent) bool {
		before, ok := u.ObjectOld.(*v1alpha1.Employee)
		after, alsoOK := u.ObjectNew.(*v1alpha1.Employee)
		return ok && alsoOK && (before.Spec.NumberRuleRef != after.Spec.NumberRuleRef || wasRefused(before) != wasRefused(after) ||
			before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero())
	},
}

// Reconcile reports how the rule stands.
func (r *EmployeeNumberRuleReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	rule := &v1alpha1.EmployeeNumberRule{}
	if err := r.Get(ctx, req.NamespacedName, rule); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	var employees v1alpha1.EmployeeList
	if err := r.List(ctx, &employees, client.InNamespace(rule.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("listing employees: %w", err)
	}
	err := r.report(ctx, rule, employees.Items)
	if apierrors.IsConflict(err) {
		return ctrl.Result{}, nil // somebody wrote the rule, Numbers most likely: that event brings us back
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

// report says how the rule stands, or lets go of it.
func (r *EmployeeNumberRuleReconciler) report(ctx context.Context, rule *v1alpha1.EmployeeNumberRule, employees []v1alpha1.Employee) error {
	deleting := !rule.DeletionTimestamp.IsZero()
	users := users(rule, employees)
	switch {
	case deleting && users == 0:
		return kube.RemoveFinalizer(ctx, r.Client, rule, v1alpha1.Finalizer)
	case !deleting:
		if err := kube.AddFinalizer(ctx, r.Client, rule, v1alpha1.Finalizer); err != nil {
			return err
		}
	}
	before := rule.DeepCopy()
	summary, err := r.summary(ctx, rule, employees)
	if err != nil {
		return err
	}
	if deleting {
		summary = kube.Summary{Stand: kube.Reconciling, Reason: v1alpha1.ReasonInUse, Message: fmt.Sprintf(
			"Employees name this rule (%d), and its counters keep their numbers from being assigned again; it goes when they are deleted, name another rule, or have their status.number as spec.number", users)}
	}
	kube.Summarize(&rule.Status.Conditions, rule.Generation, summary)
	rule.Status.ObservedGeneration = &rule.Generation
	wrote, err := kube.PatchStatus(ctx, r.Client, before, rule)
	if err == nil && wrote {
		r.announce(before, rule)
	}
	return err
}

// users counts the Employees that name the rule and are to stay.
func users(rule *v1alpha1.EmployeeNumberRule, employees []v1alpha1.Employee) (n int) {
	for i := range employees {
		if names(&employees[i], rule) {
			n++
		}
	}
	return n
}

func names(e *v1alpha1.Employee, rule *v1alpha1.EmployeeNumberRule) bool {
	return e.Spec.NumberRuleRef.Name == rule.Name && e.DeletionTimestamp.IsZero()
}

// summary is how the rule stands while it is wanted.
func (r *EmployeeNumberRuleReconciler) summary(ctx context.Context, rule *v1alpha1.EmployeeNumberRule, employees []v1alpha1.Employee) (kube.Summary, error) {
	var rules v1alpha1.EmployeeNumberRuleList
	if err := r.List(ctx, &rules, client.InNamespace(rule.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return kube.Summary{}, fmt.Errorf("listing EmployeeNumberRules: %w", err)
	}
	book, err := openBook(rule, rules.Items)
	if err != nil {
		return kube.Summary{Stand: kube.Stalled, Reason: v1alpha1.ReasonInvalidValue, Message: err.Error()}, nil //nolint:nilerr // the error is the summary
	}
	full, err := r.usedUp(ctx, book, employees)
	if err != nil {
		return kube.Summary{}, err
	}
	if len(full) > 0 {
		return kube.Summary{Stand: kube.Stalled, Reason: v1alpha1.ReasonNumbersExhausted, Message: fmt.Sprintf(
			"Employees wait for numbers of %s, of which none is left; %s", strings.Join(full, ", "), widen)}, nil
	}
	return kube.Summary{Stand: kube.Ready, Reason: v1alpha1.ReasonInSync, Message: "numbers can be assigned"}, nil
}

// usedUp names the sequences of which Employees were refused a number, and would be again. A full sequence that nobody
// needs, such as last year's, is none of them.
func (r *EmployeeNumberRuleReconciler) usedUp(ctx context.Context, b *book, employees []v1alpha1.Employee) ([]string, error) {
	numbers := numbersOf(employees)
	b.inUse = func() ([]string, error) { return numbers, nil }
	taken := make(map[string]bool, len(numbers))
	for _, number := range numbers {
		taken[numbering.Fold(number)] = true
	}
	full := map[string]bool{} // of each sequence that was looked at
	for i := range employees {
		e := &employees[i]
		if !names(e, b.object) || !wasRefused(e) {
			continue
		}
		department, err := departmentOf(ctx, r.Client, e)
		if err != nil {
			return nil, err
		}
		shape, err := b.shape(e, department)
		if err != nil {
			continue // something else is missing now; the Employee says what
		}
		if _, known := full[shape.String()]; known {
			continue
		}
		_, _, err = b.next(ctx, shape, func(number string) bool { return taken[numbering.Fold(number)] })
		if err != nil && !errors.Is(err, numbering.ErrExhausted) {
			return nil, err
		}
		full[shape.String()] = err != nil
	}
	maps.DeleteFunc(full, func(_ string, isFull bool) bool { return !isFull })
	return slices.Sorted(maps.Keys(full)), nil
}

// wasRefused says whether an Employee was told that no number is left.
func wasRefused(e *v1alpha1.Employee) bool {
	return declaredNumber(e) == "" && readyReason(e.Status.Conditions) == v1alpha1.ReasonNumbersExhausted
}

func readyReason(conditions []metav1.Condition) string {
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return ""
}

// announce sends an event when Ready changes its reason, and only then.
func (r *EmployeeNumberRuleReconciler) announce(before, after *v1alpha1.EmployeeNumberRule) {
	ready := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Reason == readyReason(before.Status.Conditions) {
		return
	}
	kind := corev1.EventTypeNormal
	if ready.Status != metav1.ConditionTrue {
		kind = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(after, nil, kind, ready.Reason, "Reconcile", "%s", ready.Message)
}
