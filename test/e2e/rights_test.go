// Package e2e runs the manager as it is deployed, with the rights of config/rbac and no others.
package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/harness"
)

const (
	company = "leaving"
	system  = "rollcall-system"
)

// manifest reads the first object of a file under config/rbac.
func manifest(t *testing.T, name string, into any) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "config", "rbac", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(bytes.TrimPrefix(text, []byte("---\n")), into); err != nil {
		t.Fatal(err)
	}
}

// deployed starts a manager that has the rights of config/rbac in the company.
func deployed(ctx context.Context, t *testing.T, w *world.World) {
	t.Helper()
	role, binding := &rbacv1.ClusterRole{}, &rbacv1.RoleBinding{}
	manifest(t, "system/role.yaml", role)
	manifest(t, "role_binding.yaml", binding)
	binding.Namespace = company
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: binding.Subjects[0].Name}}
	for _, namespace := range []string{company, system} {
		if err := w.Namespace(ctx, namespace); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Apply(ctx, role, binding, account); err != nil {
		t.Fatal(err)
	}
	user, err := w.Plane.ServiceAccountUser(ctx, system, account.Name)
	if err != nil {
		t.Fatal(err)
	}
	manager, err := harness.StartManager(ctx, harness.ManagerOptions{Kubeconfig: user.KubeconfigPath(), Namespaces: []string{company}, LogDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Stop)
}

// A namespace that is deleted takes along what gives the manager its rights, the
// credentials, and the people, in any order. It ends all the same, and the
// platform keeps everybody.
func TestP10NamespaceThatTakesTheRightsAlong(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	w, err := world.Start(ctx, world.Options{ControllerManager: true, SimulatorArgs: []string{"--unlimited"}})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(w.Stop)
	deployed(ctx, t, w)

	tenant, err := w.Simulator.NewTenant(ctx, world.WeCom, company, nil)
	g.Expect(err).NotTo(HaveOccurred())
	account, secret := tenant.Account(company, "wecom")
	units, staff := world.Staff(company, 40, 4, "wecom")
	g.Expect(w.Apply(ctx, append([]client.Object{secret, account}, world.Objects(units)...)...)).To(Succeed())
	g.Expect(w.Apply(ctx, world.Objects(staff)...)).To(Succeed())
	g.Eventually(func() error {
		c, err := w.Company(ctx, company)
		if err != nil {
			return err
		}
		return c.Unready()
	}).WithTimeout(time.Minute).WithPolling(200 * time.Millisecond).Should(Succeed())
	before, err := tenant.Users(ctx)
	g.Expect(err).NotTo(HaveOccurred())

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: company}}
	g.Expect(w.Client.Delete(ctx, namespace)).To(Succeed())
	g.Eventually(func() string {
		err := w.Client.Get(ctx, client.ObjectKey{Name: company}, namespace)
		if apierrors.IsNotFound(err) {
			return "gone"
		}
		var left []string
		for _, c := range namespace.Status.Conditions {
			left = append(left, c.Message)
		}
		return strings.Join(left, "; ")
	}).WithTimeout(time.Minute).WithPolling(200*time.Millisecond).Should(Equal("gone"), "the namespace hangs")

	after, err := tenant.Users(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(after).To(Equal(before), "the platform was touched")
}
