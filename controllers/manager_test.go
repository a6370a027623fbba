package controllers_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/controllers"
	"rollcall.dev/rollcall/internal/metrics"
	"rollcall.dev/rollcall/internal/provider"
)

// managed is the manager of all specs. A spec may end it, and have another take its place that knows nothing of it.
type managed struct {
	config *rest.Config
	kinds  *runtime.Scheme
	cancel context.CancelFunc
	// stop ends it and waits until nothing of it runs.
	stop func()

	mu    sync.Mutex
	wire  func(*http.Request, http.RoundTripper) (*http.Response, error)
	ended bool // by endsAfter, and none started since
}

// use has everything that the manager asks of the API server pass through f; nil ends that.
func (m *managed) use(f func(*http.Request, http.RoundTripper) (*http.Response, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wire = f
}

// roundTripper is a function that carries requests.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (m *managed) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		m.mu.Lock()
		wire := m.wire
		m.mu.Unlock()
		if wire == nil {
			return next.RoundTrip(r)
		}
		return wire(r, next)
	})
}

// start starts a manager.
func (m *managed) start() {
	GinkgoHelper()
	wired := rest.CopyConfig(m.config)
	wired.Wrap(m.wrap)
	again := true // there may have been one before
	mgr, err := ctrl.NewManager(wired, ctrl.Options{
		Scheme:     m.kinds,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Cache:      cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		Controller: config.Controller{SkipNameValidation: &again},
	})
	Expect(err).NotTo(HaveOccurred())
	running, cancel := context.WithCancel(ctx)
	measured = prometheus.NewRegistry()
	Expect(controllers.Setup(running, mgr, controllers.Dependencies{
		Platforms: provider.All(), Linkers: linkers(), Now: today.now, Metrics: metrics.New(measured, func() time.Time { return epoch }),
		BackupDirectory: volume, Settle: time.Second, Linger: 5 * time.Second, Trail: trailOf,
		UncheckedApprovals: true, // config/policy is tried in test/crd
	})).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	m.cancel, m.ended = cancel, false
	m.stop = func() {
		GinkgoHelper()
		cancel()
		Eventually(ended).Should(Receive(Succeed()), "the manager stops when it is told to")
		m.stop = func() {}
	}
}

var errEnded = errors.New("the manager has ended")

// endsAfter has the manager end as soon as it has recorded something in the status of an Employee: the API server has it,
// and nothing is done that would come next. It returns how to wait for that.
func (m *managed) endsAfter(e *v1alpha1.Employee, field string) (wait func()) {
	GinkgoHelper()
	over, status := make(chan struct{}), "/namespaces/"+e.Namespace+"/employees/"+e.Name+"/status" // e may be read anew meanwhile
	end := func() bool {                                                                           // whether it is this that ends it
		m.mu.Lock()
		defer m.mu.Unlock()
		first := !m.ended
		if m.ended = true; first {
			m.cancel()
			close(over)
		}
		return first
	}
	m.use(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		select {
		case <-over:
			return nil, errEnded
		default:
		}
		if r.Method != http.MethodPatch || !strings.HasSuffix(r.URL.Path, status) {
			return next.RoundTrip(r)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer, err := next.RoundTrip(r)
		if err != nil || answer.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(field)) || !end() {
			return answer, err
		}
		return nil, errors.Join(errEnded, answer.Body.Close())
	})
	DeferCleanup(func() {
		if m.use(nil); m.ended {
			m.stop()
			m.start()
		}
	})
	return func() {
		GinkgoHelper()
		Eventually(over).Should(BeClosed(), "%q is recorded", field)
		m.stop()
		m.use(nil)
	}
}
