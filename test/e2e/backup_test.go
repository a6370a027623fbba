package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/harness"
)

// A company on both platforms is backed up with all that they hand out; the archives are found again when every object is
// lost; DingTalk is restored as manifests, which the API server takes; and what would move to WeCom is told.
func TestBackupsSurviveTheClusterAndMovePlatforms(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	g.SetDefaultEventuallyTimeout(3 * time.Minute)
	g.SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	w, err := world.Start(ctx, world.Options{SimulatorArgs: []string{"--unlimited"}})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(w.Stop)
	const acme = "moving"
	g.Expect(w.Namespace(ctx, acme)).To(Succeed())
	for _, platform := range []string{world.DingTalk, world.WeCom} {
		tenant, err := w.Simulator.NewTenant(ctx, platform, acme, nil)
		g.Expect(err).NotTo(HaveOccurred())
		account, secret := tenant.Account(acme, platform)
		g.Expect(w.Apply(ctx, secret, account)).To(Succeed())
	}
	units, staff := world.Staff(acme, 20, 4, world.DingTalk, world.WeCom)
	g.Expect(w.Apply(ctx, world.Objects(units)...)).To(Succeed())
	g.Expect(w.Apply(ctx, world.Objects(staff)...)).To(Succeed())
	key, err := age.GenerateX25519Identity()
	g.Expect(err).NotTo(HaveOccurred())
	storage, secret := world.Storage(acme, acme, key)
	g.Expect(w.Apply(ctx, secret, storage)).To(Succeed())
	manager, err := w.StartManager(ctx, world.ManagerOptions{Namespaces: []string{acme}})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(manager.Stop)
	ready := func(o client.Object) {
		t.Helper()
		g.Eventually(func() error {
			if err := w.Client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
				return err
			}
			if ok, why := world.Stand(o); !ok {
				return errors.New(why)
			}
			return nil
		}).Should(Succeed(), "%T %s is Ready", o, o.GetName())
	}
	for _, e := range staff {
		ready(e)
	}

	made := map[string]v1alpha1.Archive{}
	for _, platform := range []string{world.DingTalk, world.WeCom} {
		b := world.Backup(acme, "of-"+platform, platform)
		g.Expect(w.Apply(ctx, b)).To(Succeed())
		ready(b)
		g.Expect(b.Status.Verification.Offsite).To(Equal(v1alpha1.CopyVerified))
		g.Expect(b.Status.Datasets).To(HaveLen(10), "every dataset is there, or says why not")
		made[platform] = b.Status.Archive
	}

	t.Log("the cluster forgets its Backups")
	for _, platform := range []string{world.DingTalk, world.WeCom} {
		b := world.Backup(acme, "of-"+platform, platform)
		g.Expect(w.Client.Delete(ctx, b)).To(Succeed())
		g.Eventually(func() v1alpha1.Origin {
			if w.Client.Get(ctx, client.ObjectKeyFromObject(b), b) != nil {
				return ""
			}
			return b.Status.Origin
		}).Should(Equal(v1alpha1.OriginAdopted))
		ready(b)
		g.Expect(b.Status.Archive).To(Equal(made[platform]))
	}

	move := world.Restore(acme, "move", "of-"+world.DingTalk)
	move.Spec.Target.AccountRef.Name = world.WeCom
	into := world.Restore(acme, "into-git", "of-"+world.DingTalk)
	into.Spec.Action, into.Spec.Target.Manifests.Accounts = v1alpha1.RestoreExecute, []string{world.DingTalk}
	for _, rs := range []*v1alpha1.Restore{move, into} {
		g.Expect(w.Apply(ctx, rs)).To(Succeed())
		ready(rs)
	}
	g.Expect(move.Status.Target).To(Equal(world.WeCom))
	for file, text := range unpacked(t, g, key, filepath.Join(w.Archives(), acme, into.Status.ReportKey)) {
		for _, document := range text {
			document.SetNamespace(acme)
			if document.GetKind() == "Kustomization" {
				continue
			}
			err := w.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(document), client.FieldOwner("git"), client.ForceOwnership, client.DryRunAll)
			g.Expect(err).NotTo(HaveOccurred(), file)
		}
	}
}

// unpacked opens manifests with stock tools and returns their documents by file.
func unpacked(t *testing.T, g *WithT, key *age.X25519Identity, file string) map[string][]*unstructured.Unstructured {
	t.Helper()
	root, err := harness.Root()
	g.Expect(err).NotTo(HaveOccurred())
	dir := t.TempDir()
	identity := filepath.Join(dir, "key.txt")
	g.Expect(os.WriteFile(identity, []byte(key.String()+"\n"), 0o600)).To(Succeed())
	sh := exec.CommandContext(t.Context(), "sh", "-ec", `"$1" -d -i "$2" "$3" | zstd -d | tar x -C "$4"`, "sh",
		filepath.Join(root, "bin", "tools", "age"), identity, file, dir)
	out, err := sh.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))
	all := map[string][]*unstructured.Unstructured{}
	g.Expect(filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		for d := yaml.NewYAMLOrJSONDecoder(f, 4096); ; {
			o := &unstructured.Unstructured{}
			if err := d.Decode(&o.Object); err != nil {
				return nil // the end
			}
			if len(o.Object) > 0 {
				all[path] = append(all[path], o)
			}
		}
	})).To(Succeed())
	g.Expect(all).NotTo(BeEmpty())
	return all
}
