package world

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// conflicts is how often a change is tried again: somebody whom the manager writes to at every moment of a leaving is
// changed in the end.
var conflicts = wait.Backoff{Steps: 12, Duration: 10 * time.Millisecond, Factor: 1.7, Jitter: 0.5}

func retryOnConflict(ctx context.Context, do func() error) error {
	return retry.RetryOnConflict(conflicts, func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return do()
	})
}

// Stand says how an object of Rollcall stands: Ready as of its generation or not, and why not.
func Stand(o client.Object) (ready bool, why string) {
	observed, conditions := standing(o)
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case c == nil || observed == nil || *observed != o.GetGeneration():
		return false, "not looked at yet"
	case c.Status != metav1.ConditionTrue:
		return false, c.Reason + ": " + c.Message
	}
	return true, ""
}

// standing is what every kind of Rollcall has in its status.
func standing(o client.Object) (observed *int64, conditions []metav1.Condition) {
	switch o := o.(type) {
	case *v1alpha1.EnterpriseAccount:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.Department:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.Employee:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.EmployeeNumberRule:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.BackupStorage:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.BackupSchedule:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.Backup:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.PermissionBinding:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.Restore:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.OffboardingPolicy:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.Offboarding:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.Approval:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.LinkedSystem:
		observed, conditions = o.Status.ObservedGeneration, o.Status.Conditions
	}
	return observed, conditions
}

// Company is everything of Rollcall in a namespace.
type Company struct {
	Accounts    []v1alpha1.EnterpriseAccount
	Departments []v1alpha1.Department
	Employees   []v1alpha1.Employee
	Rules       []v1alpha1.EmployeeNumberRule
	Storages    []v1alpha1.BackupStorage
	Schedules   []v1alpha1.BackupSchedule
	Backups     []v1alpha1.Backup
	Restores    []v1alpha1.Restore
	Policies    []v1alpha1.OffboardingPolicy
	Leavings    []v1alpha1.Offboarding
	Approvals   []v1alpha1.Approval
	Systems     []v1alpha1.LinkedSystem
}

// Company reads everything of Rollcall in a namespace.
func (w *World) Company(ctx context.Context, namespace string) (*Company, error) {
	var (
		accounts    v1alpha1.EnterpriseAccountList
		departments v1alpha1.DepartmentList
		employees   v1alpha1.EmployeeList
		rules       v1alpha1.EmployeeNumberRuleList
		storages    v1alpha1.BackupStorageList
		schedules   v1alpha1.BackupScheduleList
		backups     v1alpha1.BackupList
		restores    v1alpha1.RestoreList
		policies    v1alpha1.OffboardingPolicyList
		leavings    v1alpha1.OffboardingList
		approvals   v1alpha1.ApprovalList
		systems     v1alpha1.LinkedSystemList
	)
	for _, list := range []client.ObjectList{
		&accounts, &departments, &employees, &rules, &storages, &schedules, &backups, &restores, &policies, &leavings, &approvals, &systems,
	} {
		if err := w.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("reading the company: %w", err)
		}
	}
	return &Company{
		accounts.Items, departments.Items, employees.Items, rules.Items, storages.Items, schedules.Items, backups.Items, restores.Items,
		policies.Items, leavings.Items, approvals.Items, systems.Items,
	}, nil
}

// Objects are all of them.
func (c *Company) Objects() []client.Object {
	var all []client.Object
	for i := range c.Accounts {
		all = append(all, &c.Accounts[i])
	}
	for i := range c.Departments {
		all = append(all, &c.Departments[i])
	}
	for i := range c.Employees {
		all = append(all, &c.Employees[i])
	}
	for i := range c.Rules {
		all = append(all, &c.Rules[i])
	}
	for i := range c.Storages {
		all = append(all, &c.Storages[i])
	}
	for i := range c.Schedules {
		all = append(all, &c.Schedules[i])
	}
	for i := range c.Backups {
		all = append(all, &c.Backups[i])
	}
	for i := range c.Restores {
		all = append(all, &c.Restores[i])
	}
	for i := range c.Policies {
		all = append(all, &c.Policies[i])
	}
	for i := range c.Leavings {
		all = append(all, &c.Leavings[i])
	}
	for i := range c.Approvals {
		all = append(all, &c.Approvals[i])
	}
	for i := range c.Systems {
		all = append(all, &c.Systems[i])
	}
	return all
}

// Unready is an error that names the first few who are not Ready; nil if all are, and somebody is there.
func (c *Company) Unready() error {
	const few = 5
	var waiting []string
	all := c.Objects()
	for _, o := range all {
		if ready, why := Stand(o); !ready {
			waiting = append(waiting, fmt.Sprintf("%T %s: %s", o, o.GetName(), why))
		}
	}
	switch {
	case len(all) == 0:
		return fmt.Errorf("there is nobody")
	case len(waiting) > 0:
		return fmt.Errorf("%d of %d are not Ready:\n\t%s", len(waiting), len(all), strings.Join(waiting[:min(few, len(waiting))], "\n\t"))
	}
	return nil
}
