package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/controllers"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/metrics"
)

// vault is a cluster where the controllers of storages and schedules run alone: what exports would do, the test does. It has
// a volume, and a clock that is moved by hand.
type vault struct {
	*testing.T
	*WithT
	*cluster
	namespace string
}

type cluster struct {
	api      client.Client
	volume   string
	identity *age.X25519Identity
	measured *prometheus.Registry
	ahead    atomic.Int64 // of the real clock
	broken   atomic.Bool  // restores read back different
	written  atomic.Int64 // archives
	// minute of the hour at which things are due: half an hour from the start of the tests, whenever that is.
	minute int
}

func (c *cluster) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// pass lets time pass.
func (c *cluster) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// What keeps archives and has them made, on one API server.
func TestArchives(t *testing.T) {
	v := opened(t)
	t.Run("BackupStorage", func(t *testing.T) { testStorage(v.as(t)) })
	t.Run("BackupStorage adopts", func(t *testing.T) { testAdoption(v.in(t)) })
	t.Run("BackupSchedule", func(t *testing.T) { testSchedule(v.as(t)) })
}

// opened starts the cluster.
func opened(t *testing.T) *vault {
	t.Helper()
	v := (&vault{cluster: &cluster{volume: t.TempDir(), measured: prometheus.NewRegistry(), minute: (time.Now().Minute() + 30) % 60}}).as(t)
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join("..", "bin", "controlplane")
	}
	env := &envtest.Environment{
		BinaryAssetsDirectory: assets, CRDDirectoryPaths: []string{filepath.Join("..", "config", "crd", "bases")}, ErrorIfCRDPathMissing: true,
	}
	server, err := env.Start()
	v.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = env.Stop() })
	kinds := runtime.NewScheme()
	v.Expect(errors.Join(scheme.AddToScheme(kinds), v1alpha1.AddToScheme(kinds))).To(Succeed())
	v.api, err = client.New(server, client.Options{Scheme: kinds})
	v.Expect(err).NotTo(HaveOccurred())
	server.QPS = -1
	unnamed := true
	mgr, err := ctrl.NewManager(server, ctrl.Options{
		Scheme: kinds, Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: &unnamed},
	})
	v.Expect(err).NotTo(HaveOccurred())
	ctx, stop := context.WithCancel(t.Context())
	v.Expect(controllers.SetupIndexes(ctx, mgr.GetFieldIndexer())).To(Succeed())
	v.Expect(controllers.SetupArchives(ctx, mgr, controllers.Dependencies{
		Now: v.now, Metrics: metrics.New(v.measured, v.now), BackupDirectory: v.volume, RestoreTest: v.restore,
	}, mgr.GetEventRecorder("rollcall"))).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		v.Eventually(ended).Should(Receive(Succeed()))
	})
	v.identity, err = age.GenerateX25519Identity()
	v.Expect(err).NotTo(HaveOccurred())
	return v
}

// restore reads a whole archive, as a restore would.
func (c *cluster) restore(ctx context.Context, p *storage.Place, key, _ string, ids []age.Identity) (compared, different int64, err error) {
	file, err := p.Read(ctx, key)
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	r, err := archive.NewReader(file, ids...)
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	for {
		_, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return compared, 0, err
		}
		compared++
	}
	if c.broken.Load() {
		different = 1
	}
	return compared, different, nil
}

// as is the same vault for a subtest.
func (v *vault) as(t *testing.T) *vault {
	sub := &vault{T: t, WithT: NewWithT(t), cluster: v.cluster, namespace: v.namespace}
	sub.SetDefaultEventuallyTimeout(30 * time.Second)
	sub.SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	sub.SetDefaultConsistentlyDuration(time.Second)
	return sub
}

// in is the same cluster for a subtest, with a namespace of its own.
func (v *vault) in(t *testing.T) *vault {
	t.Helper()
	sub := v.as(t)
	v.ahead.Store(0) // objects are as old as the API server says
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "company-"}}
	sub.Expect(v.api.Create(t.Context(), ns)).To(Succeed())
	sub.namespace = ns.Name
	return sub
}

// other is the public key of somebody else.
func (v *vault) other() string {
	id, err := age.GenerateX25519Identity()
	v.Expect(err).NotTo(HaveOccurred())
	return id.Recipient().String()
}

// minutes is a time as names of scheduled Backups have it.
func minutes(t time.Time) string { return fmt.Sprint(t.Unix() / 60) }

func (v *vault) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: v.namespace, Name: name}
}

// make creates objects.
func (v *vault) make(objects ...client.Object) {
	v.Helper()
	for _, o := range objects {
		v.Expect(v.api.Create(v.Context(), o)).To(Succeed())
	}
}

// of reads an object again and again.
func (v *vault) of(o client.Object) func() (client.Object, error) {
	return func() (client.Object, error) { return o, v.api.Get(v.Context(), client.ObjectKeyFromObject(o), o) }
}

// change edits an object, as often as it takes.
func (v *vault) change(o client.Object, edit func()) {
	v.Helper()
	v.Eventually(func() error {
		if _, err := v.of(o)(); err != nil {
			return err
		}
		edit()
		return v.api.Update(v.Context(), o)
	}).Should(Succeed())
}

// gone waits until an object is.
func (v *vault) gone(o client.Object) {
	v.Helper()
	v.Eventually(func() bool {
		_, err := v.of(o)()
		return apierrors.IsNotFound(err)
	}).Should(BeTrue())
}

// key is the Secret with the identity.
func (v *vault) key() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: v.meta("backup-key"), StringData: map[string]string{"identity": v.identity.String() + "\n"}}
}

// storage is a BackupStorage on the volume, not created yet.
func (v *vault) storage(name, folder string) *v1alpha1.BackupStorage {
	return &v1alpha1.BackupStorage{ObjectMeta: v.meta(name), Spec: v1alpha1.BackupStorageSpec{
		Location:   v1alpha1.StorageLocation{Local: v1alpha1.LocalVolume{Folder: folder}},
		Encryption: v1alpha1.Encryption{IdentitySecretRef: v1alpha1.SecretReference{Name: "backup-key"}},
	}}
}

// probed has a storage looked at again.
func (v *vault) probed(bs *v1alpha1.BackupStorage) {
	v.Helper()
	v.change(bs, func() { bs.Spec.ProbeIntervalSeconds = 600 + bs.Spec.ProbeIntervalSeconds%600 + 1 })
	generation := bs.Generation
	v.Eventually(v.of(bs)).Should(HaveField("Status.ObservedGeneration", HaveValue(Equal(generation))))
}

// place opens a folder of the volume past the controllers.
func (v *vault) place(folder string) *storage.Place {
	v.Helper()
	p, err := storage.Open(v.Context(), storage.Config{Local: &storage.Local{Root: v.volume, Folder: folder}})
	v.Expect(err).NotTo(HaveOccurred())
	v.Cleanup(func() { _ = p.Close() })
	return p
}

// stored writes an archive of the account wecom, as the Backup of that name would have, and returns its key.
func (v *vault) stored(folder, backup string, at time.Time) string {
	v.Helper()
	key, err := store(v.Context(), v.place(folder), archive.Header{Platform: "WeCom", Tenant: "ww1", Namespace: v.namespace, Account: "wecom", Backup: backup, Time: at},
		fmt.Sprintf("%08x", v.written.Add(1)), v.identity)
	v.Expect(err).NotTo(HaveOccurred())
	return key
}

// store puts a sealed archive with one person into a place, and returns its key.
func store(ctx context.Context, p *storage.Place, h archive.Header, id string, identity *age.X25519Identity) (string, error) {
	key := storage.NewKey(h.Namespace, h.Account, h.Tenant, h.Time, id)
	u, err := p.Create(ctx, key)
	if err != nil {
		return "", err
	}
	defer u.Abort()
	h.Tool = "test"
	w, err := archive.NewWriter(u, h, identity.Recipient())
	if err != nil {
		return "", err
	}
	err = errors.Join(
		w.Add(directory.DatasetDirectory, directory.Item{Part: directory.PartAccounts, ID: "A0001", Raw: []byte(`{"userid":"A0001"}`)}),
		w.End(directory.DatasetDirectory, directory.Summary{}),
	)
	if _, end := w.Close(); err == nil {
		err = end
	}
	if err = errors.Join(err, u.Close()); err != nil {
		return "", err
	}
	seal, err := w.Seal()
	if err != nil {
		return "", err
	}
	return key, p.Seal(ctx, key, seal.Encode())
}

// backups are those of the company, by name.
func (v *vault) backups() (map[string]*v1alpha1.Backup, error) {
	var list v1alpha1.BackupList
	err := v.api.List(v.Context(), &list, client.InNamespace(v.namespace))
	found := map[string]*v1alpha1.Backup{}
	for i := range list.Items {
		found[list.Items[i].Name] = &list.Items[i]
	}
	return found, err
}

// told is what the metric says of something, -1 if nothing.
func (v *vault) told(metric string, labels map[string]string) float64 {
	families, err := v.measured.Gather()
	v.Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		for _, m := range f.GetMetric() {
			match := f.GetName() == metric
			for _, l := range m.GetLabel() {
				want, asked := labels[l.GetName()]
				match = match && (!asked || want == l.GetValue())
			}
			if match {
				return m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// looked is how often the controller has reconciled.
func (v *vault) looked(controller string) (n float64) {
	families, err := crmetrics.Registry.Gather()
	v.Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "controller_runtime_reconcile_total" && l.GetName() == "controller" && l.GetValue() == controller {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}
