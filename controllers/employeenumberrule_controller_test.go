package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// look reconciles the rule once, and returns how it stands and the events.
func (o *office) look(rule *v1alpha1.EmployeeNumberRule) (metav1.Condition, []string) {
	o.t.Helper()
	recorder := events.NewFakeRecorder(10)
	r := &EmployeeNumberRuleReconciler{Client: o, Recorder: recorder}
	if _, err := r.Reconcile(o.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(rule)}); err != nil {
		o.t.Fatal(err)
	}
	close(recorder.Events)
	var told []string
	for e := range recorder.Events {
		told = append(told, e)
	}
	if err := o.Get(o.t.Context(), client.ObjectKeyFromObject(rule), rule); apierrors.IsNotFound(err) {
		return metav1.Condition{Reason: "gone"}, told
	}
	ready := meta.FindStatusCondition(o.fresh(rule).Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || rule.Status.ObservedGeneration == nil || *rule.Status.ObservedGeneration != rule.Generation || ready.ObservedGeneration != rule.Generation {
		o.t.Fatalf("status %+v does not speak of generation %d", rule.Status, rule.Generation)
	}
	stalled := meta.IsStatusConditionTrue(rule.Status.Conditions, v1alpha1.ConditionStalled)
	if want := ready.Reason == v1alpha1.ReasonInvalidValue || ready.Reason == v1alpha1.ReasonNumbersExhausted; stalled != want {
		o.t.Errorf("stalled is %v with reason %s", stalled, ready.Reason)
	}
	return *ready, told
}

// refuse does what the Employee controller does when it has no number to give.
func (o *office) refuse(e *v1alpha1.Employee, err error) {
	o.t.Helper()
	before := e.DeepCopy()
	kube.Summarize(&e.Status.Conditions, e.Generation, kube.Summary{Stand: kube.Stalled, Reason: v1alpha1.ReasonNumbersExhausted, Message: err.Error()})
	_, err = kube.PatchStatus(o.t.Context(), client.Client(o), before, e)
	o.must(err)
}

func TestEmployeeNumberRuleConditions(t *testing.T) {
	o := openOffice(t)
	for i, tc := range []struct {
		pattern string
		change  []func(*v1alpha1.EmployeeNumberRuleSpec)
		reason  string
		message string
	}{
		{"{dept}{yyyy}{seq:4}", nil, v1alpha1.ReasonInSync, "numbers can be assigned"},
		{"{seq:4}", []func(*v1alpha1.EmployeeNumberRuleSpec){ranges(100, 199, 1, 50), reserved("0044", "8888")}, v1alpha1.ReasonInSync, ""},
		{"{dept}{seq:4}", []func(*v1alpha1.EmployeeNumberRuleSpec){reserved("8888")}, v1alpha1.ReasonInvalidValue, "E-201: reserved: {dept}{seq:4} never makes 8888"},
		{strings.Repeat("A", 50) + "{seq:4}", nil, v1alpha1.ReasonInvalidValue, "up to 54 characters"},
	} {
		rule := o.rule(fmt.Sprintf("rule-%d", i), tc.pattern, tc.change...)
		ready, told := o.look(rule)
		if ready.Reason != tc.reason || !strings.Contains(ready.Message, tc.message) {
			t.Errorf("%s: %s: %s; want %s with %q", tc.pattern, ready.Reason, ready.Message, tc.reason, tc.message)
		}
		if len(told) != 1 || !strings.Contains(told[0], tc.reason) {
			t.Errorf("%s: events %q; want one of %s", tc.pattern, told, tc.reason)
		}
	}
	rule := o.rule("mended", "{dept}{seq:4}", reserved("8888"))
	o.look(rule)
	o.change(rule, reserved("RD8888"))
	if ready, told := o.look(rule); ready.Status != metav1.ConditionTrue || len(told) != 1 {
		t.Errorf("a mended rule is %s with the events %q", ready.Reason, told)
	}
}

// TestP13RuleAtRestIsNotWritten: looking again, also after numbers were assigned, changes nothing.
func TestP13RuleAtRestIsNotWritten(t *testing.T) {
	o := openOffice(t)
	rule := o.rule("by-department", "{dept}{yyyy}{seq:4}")
	o.look(rule)
	o.expect(o.process(), rule.Name, "RD20260001", "RD20260002")
	before := o.fresh(rule).ResourceVersion
	if _, told := o.look(rule); rule.ResourceVersion != before || len(told) > 0 {
		t.Errorf("looking again wrote version %s over %s and told %q", rule.ResourceVersion, before, told)
	}
	if rule.Status.LastNumber != "RD20260002" || *rule.Status.Assigned != 2 {
		t.Errorf("the counts are %q and %d", rule.Status.LastNumber, *rule.Status.Assigned)
	}
}

// TestEmployeeNumberRuleExhausted: a full sequence is told while somebody needs it, and forgotten once there is room.
func TestEmployeeNumberRuleExhausted(t *testing.T) {
	o := openOffice(t)
	rule := o.rule("small", "{dept}{seq:3}", ranges(7, 8))
	n := o.process()
	o.expect(n, rule.Name, "RD007", "RD008")
	if ready, _ := o.look(rule); ready.Status != metav1.ConditionTrue {
		t.Errorf("a full sequence that nobody needs makes the rule %s", ready.Reason)
	}
	e := o.hire("late", rule.Name)
	_, err := n.Assign(t.Context(), e, nobody)
	o.refuse(e, err)
	ready, told := o.look(rule)
	if ready.Reason != v1alpha1.ReasonNumbersExhausted || !strings.Contains(ready.Message, "E-202: Employees wait for numbers of RD{seq:3}") || len(told) != 1 {
		t.Errorf("with somebody waiting: %s: %s, events %q", ready.Reason, ready.Message, told)
	}
	// The Employee still stands refused when the rule is widened: the rule must not say so of its new generation.
	o.change(rule, ranges(7, 8, 1, 3))
	if ready, _ := o.look(rule); ready.Status != metav1.ConditionTrue {
		t.Errorf("a widened rule is %s: %s", ready.Reason, ready.Message)
	}
	if number, err := o.assign(n, e); number != "RD001" || err != nil {
		t.Errorf("assigned %q, %v from the new range", number, err)
	}
}

// TestP10RuleIsKeptOnlyWhileNamed: a rule's counters stay while somebody needs them; each way out leaves the platforms alone.
func TestP10RuleIsKeptOnlyWhileNamed(t *testing.T) {
	startNumberServer(t)
	t.Parallel()
	for name, leave := range map[string]func(o *office, e *v1alpha1.Employee){
		"deleted": func(o *office, e *v1alpha1.Employee) { o.must(o.Delete(o.t.Context(), e)) },
		"being deleted": func(o *office, e *v1alpha1.Employee) {
			e.Finalizers = []string{v1alpha1.Finalizer}
			o.must(o.Update(o.t.Context(), e))
			o.must(o.Delete(o.t.Context(), e))
		},
		"named elsewhere": func(o *office, e *v1alpha1.Employee) {
			e.Spec.NumberRuleRef.Name = "another"
			o.must(o.Update(o.t.Context(), e))
		},
		"written down": func(o *office, e *v1alpha1.Employee) {
			e.Spec.NumberRuleRef.Name, e.Spec.Number = "", e.Status.Number
			o.must(o.Update(o.t.Context(), e))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := openOffice(t)
			rule := o.rule("by-department", "{dept}{yyyy}{seq:4}")
			o.look(rule)
			e := o.hire("zhang-wei", rule.Name)
			n := o.process()
			_, err := o.assign(n, e)
			o.must(err)
			o.must(o.Delete(t.Context(), rule))
			ready, _ := o.look(rule)
			if ready.Reason != v1alpha1.ReasonInUse || !strings.Contains(ready.Message, "Employees name this rule (1)") {
				t.Fatalf("the rule in use is %s: %s", ready.Reason, ready.Message)
			}
			o.expect(n, rule.Name, "RD20260002") // held, it still counts
			o.everybodyLeaves(e.Name)
			leave(o, e)
			if ready, _ := o.look(rule); ready.Reason != "gone" {
				t.Errorf("the rule that nobody names is %s", ready.Reason)
			}
		})
	}
}

// TestEmployeeNumberRuleIsWokenByEmployees: what a rule says follows from Employees, seen through the manager's cache.
func TestEmployeeNumberRuleIsWokenByEmployees(t *testing.T) {
	o := openOffice(t)
	mgr, err := ctrl.NewManager(o.config, ctrl.Options{
		Scheme: o.scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: new(true)},
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{o.namespace: {}}},
	})
	o.must(err)
	o.must((&EmployeeNumberRuleReconciler{Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder("rollcall")}).SetupWithManager(mgr))
	n := &Numbers{Client: mgr.GetClient(), Reader: mgr.GetAPIReader()}
	ended := make(chan error)
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- mgr.Start(ctx) }()
	defer func() {
		stop()
		o.must(<-ended)
	}()

	rule := o.rule("small", "{dept}{seq:1}", ranges(1, 1))
	o.await(rule, v1alpha1.ReasonInSync)
	first, second := o.hire("first", rule.Name), o.hire("second", rule.Name)
	number, err := o.assign(n, first)
	if number != "RD1" || err != nil {
		t.Fatalf("assigned %q, %v", number, err)
	}
	_, err = n.Assign(t.Context(), second, nobody)
	o.refuse(second, err)
	o.await(rule, v1alpha1.ReasonNumbersExhausted)
	o.must(o.Delete(t.Context(), second))
	o.await(rule, v1alpha1.ReasonInSync)
	o.must(o.Delete(t.Context(), rule))
	o.await(rule, v1alpha1.ReasonInUse)
	o.must(o.Delete(t.Context(), first))
	o.await(rule, "gone")
}

// await polls until the rule stands as wanted.
func (o *office) await(rule *v1alpha1.EmployeeNumberRule, want string) {
	o.t.Helper()
	got := ""
	err := wait.PollUntilContextTimeout(o.t.Context(), 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		err := o.Get(ctx, client.ObjectKeyFromObject(rule), rule)
		if apierrors.IsNotFound(err) {
			got = "gone"
		} else {
			got = readyReason(rule.Status.Conditions)
		}
		return got == want, client.IgnoreNotFound(err)
	})
	if err != nil {
		o.t.Fatalf("the rule is %q, %v; want %q", got, err, want)
	}
}
