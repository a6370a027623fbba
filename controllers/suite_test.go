package controllers_test

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/harness"
)

// One real API server and one manager serve all specs. Each spec has a namespace, and tenants on simulators of its own.
var (
	ctx      context.Context
	api      client.Client
	logged   = &logbook{}
	manager  = &managed{}
	measured *prometheus.Registry // of the manager that runs
	// volume is where local storages lie.
	volume string
	epoch  = time.Now() // ages are measured at this moment, which tells when something was
)

// today is what the manager reads: the time, or a time that a spec sets.
var today settable

type settable struct{ at atomic.Pointer[time.Time] }

func (c *settable) now() time.Time {
	if at := c.at.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// set stops the clock at a time until the spec is over.
func (c *settable) set(at time.Time) {
	c.at.Store(&at)
	DeferCleanup(func() { c.at.Store(nil) })
}

// TestMain sets the loggers, which are the whole program's, before anything of another test can use them.
func TestMain(m *testing.M) {
	logger := logr.FromSlogHandler(slog.NewJSONHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	os.Exit(m.Run())
}

func TestControllers(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Controllers")
}

var _ = BeforeSuite(func() {
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	SetDefaultConsistentlyDuration(time.Second)
	SetDefaultConsistentlyPollingInterval(20 * time.Millisecond)
	var cancel context.CancelFunc
	ctx, cancel = context.WithCancel(context.Background())
	DeferCleanup(cancel)

	config := startServer()
	kinds := runtime.NewScheme()
	Expect(scheme.AddToScheme(kinds)).To(Succeed())
	Expect(v1alpha1.AddToScheme(kinds)).To(Succeed())
	var err error
	api, err = client.New(config, client.Options{Scheme: kinds})
	Expect(err).NotTo(HaveOccurred())
	volume = GinkgoT().TempDir()
	manager.config, manager.kinds = config, kinds
	manager.start()
	DeferCleanup(func() { manager.stop() })
})

func startServer() *rest.Config {
	starting, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	plane, err := harness.StartControlPlane(starting, harness.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	Expect(plane.InstallCRDs(starting)).To(Succeed())
	return plane.Config()
}
