package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// census says how far one kind is.
type census struct {
	kind         string // plural, for people
	ready, total int
	waiting      []string // those who are not ready, with the reason
}

func (c census) String() string { return fmt.Sprintf("%s %d/%d", c.kind, c.ready, c.total) }

func (c *census) add(obj client.Object, observed *int64, conditions []metav1.Condition) {
	c.total++
	ready := meta.FindStatusCondition(conditions, "Ready")
	switch {
	case ready == nil || observed == nil || *observed != obj.GetGeneration():
		c.waiting = append(c.waiting, obj.GetName()+": not looked at yet")
	case ready.Status != metav1.ConditionTrue:
		c.waiting = append(c.waiting, fmt.Sprintf("%s: %s: %s", obj.GetName(), ready.Reason, ready.Message))
	default:
		c.ready++
	}
}

// settle takes an account back whose counts are not up to date: they follow the people by seconds.
func (c *census) settle(o *v1alpha1.EnterpriseAccount) {
	count := func(n *int32) int32 {
		if n == nil {
			return -1
		}
		return *n
	}
	p := o.Status.People
	settled := count(p.Differing) == 0 && count(p.Managed)+max(count(p.Invited), 0) == count(p.Declared)
	if c.ready > 0 && !settled {
		c.ready--
		c.waiting = append(c.waiting, o.GetName()+": still counting")
	}
}

// settleSystem does the same of a linked system.
func (c *census) settleSystem(o *v1alpha1.LinkedSystem) {
	if n := o.Status.Accounts.Waiting; c.ready > 0 && (n == nil || *n > 0) {
		c.ready--
		c.waiting = append(c.waiting, o.GetName()+": still counting")
	}
}

// count takes the census of the company.
func (d *demo) count(ctx context.Context) ([]census, error) {
	var accounts v1alpha1.EnterpriseAccountList
	var departments v1alpha1.DepartmentList
	var people v1alpha1.EmployeeList
	var systems v1alpha1.LinkedSystemList
	for _, list := range []client.ObjectList{&accounts, &departments, &people, &systems} {
		if err := d.kube.List(ctx, list, client.InNamespace(company)); err != nil {
			return nil, fmt.Errorf("counting who is ready: %w", err)
		}
	}
	result := []census{{kind: "accounts"}, {kind: "departments"}, {kind: "people"}, {kind: "linked systems"}}
	for i := range accounts.Items {
		o := &accounts.Items[i]
		result[0].add(o, o.Status.ObservedGeneration, o.Status.Conditions)
		result[0].settle(o)
	}
	for i := range departments.Items {
		o := &departments.Items[i]
		result[1].add(o, o.Status.ObservedGeneration, o.Status.Conditions)
	}
	for i := range people.Items {
		o := &people.Items[i]
		result[2].add(o, o.Status.ObservedGeneration, o.Status.Conditions)
	}
	for i := range systems.Items {
		o := &systems.Items[i]
		result[3].add(o, o.Status.ObservedGeneration, o.Status.Conditions)
		result[3].settleSystem(o)
	}
	return result, nil
}

// converge waits until every account, department, person and linked system is ready.
func (d *demo) converge(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, errTookTooLong)
	defer cancel()
	began := time.Now()
	var last []census
	err := wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		now, err := d.count(ctx)
		if err != nil {
			return false, err
		}
		last = now
		d.out.progress("converging", "%s · %s · %s · %s · %d s", now[2], now[1], now[0], now[3], int(time.Since(began).Seconds()))
		return allReady(now), nil
	})
	if err != nil {
		return fmt.Errorf("waiting until everybody is ready: %w%s", because(ctx, err), describe(last))
	}
	d.out.step("converged", "%s, %s, %s, %s ready in %s", last[2], last[1], last[0], last[3], seconds(began))
	return nil
}

func allReady(all []census) bool {
	for _, c := range all {
		if c.total == 0 || c.ready != c.total {
			return false
		}
	}
	return true
}

// describe lists who is not ready, the first few of each kind.
func describe(all []census) string {
	const few = 5
	var text strings.Builder
	for _, c := range all {
		if c.ready == c.total && c.total > 0 {
			continue
		}
		fmt.Fprintf(&text, "\n  %s:", c)
		for _, line := range c.waiting[:min(few, len(c.waiting))] {
			text.WriteString("\n    " + line)
		}
		if more := len(c.waiting) - few; more > 0 {
			fmt.Fprintf(&text, "\n    and %d more", more)
		}
	}
	return text.String()
}
