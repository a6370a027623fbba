package controllers_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// conditionsOf are an object's conditions, and the generation that its status is about.
func conditionsOf(o client.Object) ([]metav1.Condition, int64) {
	observed := func(g *int64) int64 {
		if g == nil {
			return -1
		}
		return *g
	}
	switch o := o.(type) {
	case *v1alpha1.EnterpriseAccount:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.Department:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.Employee:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.EmployeeNumberRule:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.BackupStorage:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.BackupSchedule:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.Backup:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.Restore:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.PermissionBinding:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.Offboarding:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.OffboardingPolicy:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	case *v1alpha1.LinkedSystem:
		return o.Status.Conditions, observed(o.Status.ObservedGeneration)
	}
	return nil, -1
}

// How kstatus reads an object
// (https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md).
const (
	current    = "Current"
	inProgress = "InProgress"
	failed     = "Failed"
	ending     = "Terminating"
)

func kstatus(o client.Object) string {
	conditions, observed := conditionsOf(o)
	switch {
	case o.GetDeletionTimestamp() != nil:
		return ending
	case observed != o.GetGeneration():
		return inProgress
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling):
		return inProgress
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled):
		return failed
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady):
		return current
	}
	return inProgress
}

// standing is a matcher that shows an object's status when it fails.
type standing struct {
	match func(client.Object) bool
	want  string
}

func (m standing) Match(actual any) (bool, error) {
	o, ok := actual.(client.Object)
	if !ok {
		return false, fmt.Errorf("%T is no object", actual)
	}
	return m.match(o), nil
}

func (m standing) FailureMessage(actual any) string { return m.tell(actual, "be") }

func (m standing) NegatedFailureMessage(actual any) string { return m.tell(actual, "not be") }

func (m standing) tell(actual any, to string) string {
	o := actual.(client.Object)
	return fmt.Sprintf("Expected %T %s, generation %d, with the status\n\n%s\nto %s %s", o, o.GetName(), o.GetGeneration(), statusOf(o), to, m.want)
}

// stands matches an object whose status speaks of its generation, that kstatus reads so, and whose Ready condition has
// the reason and, in its message, the words.
func stands(status, reason string, words ...string) types.GomegaMatcher {
	return standing{func(o client.Object) bool {
		conditions, observed := conditionsOf(o)
		ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
		return ready != nil && observed == o.GetGeneration() && kstatus(o) == status && ready.Reason == reason && has(ready.Message, words)
	}, fmt.Sprintf("%s for reason %s with the words %q", status, reason, words)}
}

func has(message string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(message, w) {
			return false
		}
	}
	return true
}

func beReady() types.GomegaMatcher { return stands(current, v1alpha1.ReasonInSync) }

// stalled matches an object that needs somebody to act.
func stalled(reason string, words ...string) types.GomegaMatcher {
	return stands(failed, reason, append(words, v1alpha1.ReasonCodes[reason])...)
}

// waiting matches an object that waits for something that may come by itself.
func waiting(reason string, words ...string) types.GomegaMatcher {
	return stands(inProgress, reason, append(words, v1alpha1.ReasonCodes[reason])...)
}

// says matches an object that has the condition.
func says(condition string, status metav1.ConditionStatus, reason string, words ...string) types.GomegaMatcher {
	return standing{func(o client.Object) bool {
		conditions, _ := conditionsOf(o)
		c := meta.FindStatusCondition(conditions, condition)
		return c != nil && c.Status == status && c.Reason == reason && c.ObservedGeneration == o.GetGeneration() && has(c.Message, words)
	}, fmt.Sprintf("%s=%s for reason %s with the words %q", condition, status, reason, words)}
}

// standsOn matches a person with this standing on one account; empty words match everything.
func standsOn(account string, m types.GomegaMatcher) types.GomegaMatcher {
	return WithTransform(func(e *v1alpha1.Employee) v1alpha1.EmployeeAccountStatus {
		for _, a := range e.Status.Accounts {
			if a.Name == account {
				return a
			}
		}
		return v1alpha1.EmployeeAccountStatus{}
	}, m)
}

// unitOn matches a department with this standing on one account.
func unitOn(account string, m types.GomegaMatcher) types.GomegaMatcher {
	return WithTransform(func(d *v1alpha1.Department) v1alpha1.DepartmentAccountStatus {
		for _, a := range d.Status.Accounts {
			if a.Name == account {
				return a
			}
		}
		return v1alpha1.DepartmentAccountStatus{}
	}, m)
}

// honest looks at every object as kstatus and an administrator would.
func (c *company) honest() {
	GinkgoHelper()
	Eventually(func() []string {
		var lies []string
		for _, o := range c.objects() {
			for _, lie := range liesOf(o) {
				lies = append(lies, fmt.Sprintf("%T %s: %s", o, o.GetName(), lie))
			}
		}
		return lies
	}).Should(BeEmpty())
}

func liesOf(o client.Object) (lies []string) {
	conditions, observed := conditionsOf(o)
	if observed != o.GetGeneration() {
		lies = append(lies, fmt.Sprintf("the status is about generation %d of %d", observed, o.GetGeneration()))
	}
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return append(lies, "there is no condition Ready")
	}
	rest := 0
	for _, c := range conditions {
		abnormal := c.Type == v1alpha1.ConditionReconciling || c.Type == v1alpha1.ConditionStalled
		if abnormal {
			rest++
		}
		switch {
		case abnormal && c.Status != metav1.ConditionTrue:
			lies = append(lies, c.Type+" is there and not True")
		case abnormal && ready.Status == metav1.ConditionTrue:
			lies = append(lies, c.Type+" is True beside Ready")
		case c.ObservedGeneration != o.GetGeneration():
			lies = append(lies, fmt.Sprintf("the condition %s is about generation %d of %d", c.Type, c.ObservedGeneration, o.GetGeneration()))
		case c.Message == "":
			lies = append(lies, c.Type+" says nothing")
		case c.Status == metav1.ConditionFalse && c.Reason != v1alpha1.ReasonProgressing && !strings.HasPrefix(c.Message, v1alpha1.ReasonCodes[c.Reason]+": "):
			lies = append(lies, fmt.Sprintf("%s says %q without the code of %s", c.Type, c.Message, c.Reason))
		}
	}
	if ready.Status == metav1.ConditionTrue {
		lies = append(lies, differing(o)...)
	}
	if rest > 1 {
		lies = append(lies, "it is Reconciling and Stalled at once")
	}
	return lies
}

// differing is what a Ready object says of its accounts that it must not.
func differing(o client.Object) (lies []string) {
	tell := func(account, reason string, differences []string) {
		if reason != "" && reason != v1alpha1.ReasonRetained || len(differences) > 0 {
			lies = append(lies, fmt.Sprintf("it is Ready, and %s differs in %v for reason %q", account, differences, reason))
		}
	}
	switch o := o.(type) {
	case *v1alpha1.Employee:
		for _, a := range o.Status.Accounts {
			tell(a.Name, a.Reason, a.Differences)
		}
	case *v1alpha1.Department:
		for _, a := range o.Status.Accounts {
			tell(a.Name, a.Reason, a.Differences)
		}
	case *v1alpha1.Offboarding:
		for _, a := range o.Status.Accounts {
			tell(a.Name, a.Reason, nil)
		}
	}
	return lies
}

// discreet looks for personal data and secrets wherever many people can read.
func (c *company) discreet() {
	GinkgoHelper()
	var told []string
	for _, o := range c.objects() {
		told = append(told, statusOf(o))
	}
	var events eventsv1.EventList
	Expect(api.List(ctx, &events, client.InNamespace(c.namespace))).To(Succeed())
	for _, e := range events.Items {
		told = append(told, e.Note)
	}
	told = append(told, exposition(), logged.text())
	for _, secret := range c.private {
		for _, text := range told {
			if at := strings.Index(text, secret); at >= 0 {
				Fail(fmt.Sprintf("%q is told: …%s…", secret, text[max(0, at-200):min(len(text), at+200)]))
			}
		}
	}
}

// statusOf is an object's status as text.
func statusOf(o client.Object) string {
	var fields map[string]json.RawMessage
	b, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(b, &fields)
	}
	if err != nil {
		return err.Error()
	}
	text, err := yaml.JSONToYAML(fields["status"])
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// exposition is what Prometheus would be told.
func exposition() string {
	families, err := measured.Gather()
	Expect(err).NotTo(HaveOccurred())
	var b strings.Builder
	for _, f := range families {
		b.WriteString(f.String())
	}
	return b.String()
}

// events are those about an object.
func (c *company) events(o client.Object) func() ([]eventsv1.Event, error) {
	return func() ([]eventsv1.Event, error) {
		var all eventsv1.EventList
		if err := api.List(ctx, &all, client.InNamespace(c.namespace)); err != nil {
			return nil, err
		}
		return slices.DeleteFunc(all.Items, func(e eventsv1.Event) bool { return e.Regarding.UID != o.GetUID() }), nil
	}
}

// told are the reasons of the events about an object.
func (c *company) told(o client.Object) func() ([]string, error) {
	return func() (reasons []string, err error) {
		events, err := c.events(o)()
		for _, e := range events {
			reasons = append(reasons, e.Reason)
		}
		return reasons, err
	}
}

// logbook keeps what the manager logs.
type logbook struct {
	mu   sync.Mutex
	book strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.Write(p)
}

func (l *logbook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.String()
}
