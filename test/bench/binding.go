package main

import (
	"context"
	"fmt"
	"math"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
)

// binding measures how many calls a PermissionBinding over a whole company takes.
type binding struct{ *bench }

// bulk are the calls that give a role and take it, and how many people each takes at most.
var bulk = map[string]struct {
	give, take             string
	giveAtOnce, takeAtOnce float64
}{
	// https://open.dingtalk.com/document/development/add-role-information-to-employees-in-batches and
	// https://open.dingtalk.com/document/development/delete-the-color-information-of-employee-corners-in-batches
	world.DingTalk: {"role/addrolesforemps", "role/removerolesforemps", 20, 100},
	// https://developer.work.weixin.qq.com/document/path/90214 and 90215
	world.WeCom: {"tag/addtagusers", "tag/deltagusers", 1000, 1000},
}

func (m *binding) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	defer func() {
		if m.manager != nil {
			m.manager.Stop()
		}
	}()
	m.company = "bench-binding-" + m.platform
	if err := m.declare(ctx); err != nil {
		return err
	}
	if err := m.start(ctx); err != nil {
		return err
	}
	if err := m.created(ctx, m.size.People); err != nil {
		return err
	}
	if _, _, err := m.quiet(ctx); err != nil {
		return err
	}
	pb := m.object()
	most := bulk[m.platform]
	if err := m.measure(ctx, "give", most.give, most.giveAtOnce, func() error {
		if err := m.world.Apply(ctx, pb); err != nil {
			return err
		}
		return m.poll(ctx, func(ctx context.Context) error { return m.held(ctx, pb) })
	}); err != nil {
		return err
	}
	return m.measure(ctx, "take", most.take, most.takeAtOnce, func() error {
		if err := m.world.Client.Delete(ctx, pb); err != nil {
			return fmt.Errorf("deleting the binding: %w", err)
		}
		return m.poll(ctx, func(ctx context.Context) error {
			err := m.world.Client.Get(ctx, client.ObjectKeyFromObject(pb), pb)
			if err == nil {
				return fmt.Errorf("the binding is there: %s hold the role", pb.Status.HoldersText)
			}
			return client.IgnoreNotFound(err)
		})
	})
}

// object is the binding: everybody in and below the three departments that are below the company.
func (m *binding) object() *v1alpha1.PermissionBinding {
	units, _ := world.Staff(m.namespace(), 0, min(3, m.size.Departments), account)
	pb := &v1alpha1.PermissionBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace(), Name: "everybody"},
		Spec: v1alpha1.PermissionBindingSpec{
			AccountRef: v1alpha1.AccountReference{Name: account}, Reason: "benchmark",
			Role: v1alpha1.BoundRole{Kind: v1alpha1.BoundRoleRole, Name: "全员", Creation: v1alpha1.RoleCreationIfMissing},
		},
	}
	for _, unit := range units {
		pb.Spec.Subjects.Departments = append(pb.Spec.Subjects.Departments, v1alpha1.SubjectDepartment{Name: unit.Name, Extent: v1alpha1.ExtentSubtree})
	}
	return pb
}

// held fails until everybody was seen to hold the role.
func (m *binding) held(ctx context.Context, pb *v1alpha1.PermissionBinding) error {
	if err := m.world.Client.Get(ctx, client.ObjectKeyFromObject(pb), pb); err != nil {
		return err
	}
	if want := fmt.Sprintf("%d/%d", m.size.People, m.size.People); !meta.IsStatusConditionTrue(pb.Status.Conditions, v1alpha1.ConditionReady) || pb.Status.HoldersText != want {
		return fmt.Errorf("%s hold the role, want %s: %+v", pb.Status.HoldersText, want, pb.Status.Conditions)
	}
	return nil
}

// measure counts what the change takes: the calls that give or take, over the fewest that can; and all about roles.
func (m *binding) measure(ctx context.Context, what, operation string, atOnce float64, change func() error) error {
	before, beforeAll, err := m.roleCalls(ctx, operation)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, afterAll, err := m.roleCalls(ctx, operation)
	if err != nil {
		return err
	}
	fewest := math.Ceil(float64(m.size.People) / atOnce)
	m.figure("binding."+what+"_calls_ratio", (after-before)/fewest, under, 1.05)
	m.figure("binding."+what+"_calls_person", (afterAll-beforeAll)/float64(m.size.People), told, 0)
	return nil
}

// roleCalls are the calls of the operation so far, whatever was answered, and those of all about roles.
func (m *binding) roleCalls(ctx context.Context, operation string) (of, all float64, err error) {
	counts, err := m.tenant.Counts(ctx)
	for _, c := range counts {
		if strings.HasSuffix(c.Operation, "/"+operation) {
			of += float64(c.Count)
		}
		if strings.Contains(c.Operation, "/role/") || strings.Contains(c.Operation, "/tag/") {
			all += float64(c.Count)
		}
	}
	return of, all, err
}
