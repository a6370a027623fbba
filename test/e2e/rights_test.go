// Package e2e runs the manager as it is deployed, with the rights of config/rbac and no others.
package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/harness"
	"rollcall.dev/rollcall/test/simulator/core"
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

// guarded applies the policies of config/policy: neither the manager is in their way, nor whatever deletes a namespace.
func guarded(ctx context.Context, t *testing.T, w *world.World) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	kubectl, err := harness.ControlPlaneBinary("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(ctx, kubectl, "--kubeconfig", w.Plane.KubeconfigPath(), "apply", "-k", filepath.Join(root, "config", "policy")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// deployed starts a manager that has the rights of config/rbac in the company, and is watched by the policies of config/policy.
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
	guarded(ctx, t, w)
	user, err := w.Plane.ServiceAccountUser(ctx, system, account.Name)
	if err != nil {
		t.Fatal(err)
	}
	manager, err := harness.StartManager(ctx, harness.ManagerOptions{
		Kubeconfig: user.KubeconfigPath(), Namespaces: []string{company}, LogDir: t.TempDir(),
		Args: []string{"--backup-directory=" + w.Archives()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Stop)
}

// archives fills the company with Backups that are kept, deleted and held, with more that never end, and with what is around
// them, and returns the keys of those that are complete.
func archives(t *testing.T, g *WithT, w *world.World, tenant *world.Tenant, key *age.X25519Identity) (keys []string) {
	t.Helper()
	ctx := t.Context()
	storage, secret := world.Storage(company, company, key)
	nightly := &v1alpha1.BackupSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: company, Name: "nightly"}, Spec: v1alpha1.BackupScheduleSpec{
		AccountRef: v1alpha1.AccountReference{Name: world.WeCom}, StorageRef: v1alpha1.StorageReference{Name: storage.Name}, Schedule: "0 2 29 2 *",
	}}
	kept, removed, held := world.Backup(company, "kept", world.WeCom), world.Backup(company, "removed", world.WeCom), world.Backup(company, "held", world.WeCom)
	removed.Spec.DeletionPolicy = v1alpha1.ArchiveDelete
	held.Spec.DeletionPolicy, held.Spec.LegalHold = v1alpha1.ArchiveDelete, v1alpha1.LegalHoldHeld
	seen := world.Restore(company, "seen", kept.Name)
	g.Expect(w.Apply(ctx, storage, secret, nightly, kept, removed, held, seen, world.Restore(company, "early", "nowhere"))).To(Succeed())
	for _, o := range []client.Object{storage, kept, removed, held, seen} {
		g.Eventually(func() (string, error) {
			err := w.Client.Get(ctx, client.ObjectKeyFromObject(o), o)
			_, why := world.Stand(o)
			return why, err
		}).WithTimeout(3*time.Minute).WithPolling(200*time.Millisecond).Should(BeEmpty(), "%T %s is Ready", o, o.GetName())
	}
	for _, b := range []*v1alpha1.Backup{kept, removed, held} {
		keys = append(keys, b.Status.Archive.Key)
	}
	slices.Sort(keys)

	// What is under way waits for an answer that never comes.
	hangs, err := tenant.Fault(ctx, core.Fault{Kind: core.KindHang, Operation: "tag/list"})
	g.Expect(err).NotTo(HaveOccurred())
	endless, wiped, restoring := world.Backup(company, "endless", world.WeCom), world.Backup(company, "endless-too", world.WeCom), world.Restore(company, "restoring", kept.Name)
	wiped.Spec.DeletionPolicy, restoring.Spec.Action = v1alpha1.ArchiveDelete, v1alpha1.RestoreExecute
	g.Expect(w.Apply(ctx, endless, wiped, restoring)).To(Succeed())
	g.Eventually(func() (int, error) {
		hits, _, err := w.Simulator.Hits(ctx, hangs)
		return hits, err
	}).WithTimeout(3*time.Minute).WithPolling(200*time.Millisecond).Should(BeNumerically(">=", 3), "two exports and a restore are under way")
	return keys
}

// A namespace that is deleted takes along what gives the manager its rights, the
// credentials, the key of the archives, and the people, in any order. It ends all the
// same, also while exports and restores are under way; the platform keeps everybody,
// and the storage every archive that was complete, whatever its deletionPolicy.
func TestP10NamespaceThatTakesTheRightsAlong(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	w, err := world.Start(ctx, world.Options{ControllerManager: true, SimulatorArgs: []string{"--unlimited"}})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(w.Stop)
	deployed(ctx, t, w)

	tenant, err := w.Simulator.NewTenant(ctx, world.WeCom, company, nil)
	g.Expect(err).NotTo(HaveOccurred())
	account, secret := tenant.Account(company, world.WeCom)
	units, staff := world.Staff(company, 40, 4, world.WeCom)
	g.Expect(w.Apply(ctx, append([]client.Object{secret, account}, world.Objects(units)...)...)).To(Succeed())
	g.Expect(w.Apply(ctx, world.Objects(staff)...)).To(Succeed())
	g.Eventually(func() error {
		c, err := w.Company(ctx, company)
		if err != nil {
			return err
		}
		return c.Unready()
	}).WithTimeout(3 * time.Minute).WithPolling(200 * time.Millisecond).Should(Succeed())
	before, err := tenant.Users(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	key, err := age.GenerateX25519Identity()
	g.Expect(err).NotTo(HaveOccurred())
	keys := archives(t, g, w, tenant, key)

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
	}).WithTimeout(3*time.Minute).WithPolling(200*time.Millisecond).Should(Equal("gone"), "the namespace hangs")

	after, err := tenant.Users(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(after).To(Equal(before), "the platform was touched")
	g.Expect(w.Sound(ctx, company, company, key)).To(Equal(keys), "archives outlive their company")
}
