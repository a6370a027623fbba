// Package metrics is what Prometheus is told. Labels are names of
// EnterpriseAccounts, operations and classes: never people (P12).
package metrics

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/tenant"
)

var account = []string{"namespace", "account"}

func labels(more ...string) []string { return append(append([]string{}, account...), more...) }

// Metrics of the manager. Reconcile outcomes are controller-runtime's
// (controller_runtime_reconcile_total).
type Metrics struct {
	*backups
	*removals
	*bindings

	calls    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	waits    *prometheus.HistogramVec
	answers  *prometheus.CounterVec
	throttle *prometheus.CounterVec
	open     *prometheus.GaugeVec
	people   *prometheus.GaugeVec
	writes   *prometheus.CounterVec
	drift    *prometheus.CounterVec
	links    *prometheus.GaugeVec
	age      *prometheus.Desc

	mu      sync.Mutex
	tenants map[types.NamespacedName]*tenant.Tenant
	now     func() time.Time
}

// New registers the metrics.
func New(registry prometheus.Registerer, now func() time.Time) *Metrics {
	buckets := []float64{.005, .025, .1, .5, 1, 5, 30}
	m := &Metrics{
		backups:  newBackups(registry),
		removals: newRemovals(registry),
		bindings: newBindings(registry),
		calls:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_platform_calls_total", Help: "Calls to platforms by outcome: answered, not_sent, unknown, cancelled, throttled or unavailable, and HTTP status."}, labels("operation", "outcome", "status")),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rollcall_platform_call_seconds", Help: "Duration of calls from their turn to the end of the answer.", Buckets: buckets}, labels("operation")),
		waits:    prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rollcall_platform_wait_seconds", Help: "Time that calls waited for their turn in the budget.", Buckets: buckets}, labels("priority")),
		answers:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_platform_answers_total", Help: "Answers of platforms by class of error; OK is success."}, labels("operation", "class")),
		throttle: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_platform_throttled_total", Help: "Throttling answers of platforms; an empty operation is the whole tenant."}, labels("operation")),
		open:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rollcall_platform_unavailable", Help: "1 while the tenant does not answer and calls fail fast."}, account),
		people:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rollcall_people", Help: "People on the account: declared, managed, unmanaged, differing, frozen, invited, vanished."}, labels("kind")),
		writes:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_account_changes_total", Help: "Changes that Rollcall made to people's accounts, by action."}, labels("action")),
		drift:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_drift_found_total", Help: "Accounts found to differ although nothing new was declared."}, account),
		links:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rollcall_linked_accounts", Help: "Accounts of people in a linked system: linked, disabled, waiting."}, labels("kind")),
		age:      prometheus.NewDesc("rollcall_mirror_age_seconds", "Time since the directory was last read successfully.", account, nil),
		tenants:  map[types.NamespacedName]*tenant.Tenant{}, now: now,
	}
	registry.MustRegister(m.calls, m.seconds, m.waits, m.answers, m.throttle, m.open, m.people, m.writes, m.drift, m.links, m)
	return m
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) { ch <- m.age }

// Collect implements [prometheus.Collector]: ages are computed when asked for.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, t := range m.tenants {
		if s := t.Mirror.State(); s.Listed {
			ch <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, m.now().Sub(s.ListedAt).Seconds(), name.Namespace, name.Name)
		}
	}
}

// People records how many people of each kind an account has.
func (m *Metrics) People(name types.NamespacedName, t *tenant.Tenant, p *v1alpha1.PeopleCount) {
	m.mu.Lock()
	m.tenants[name] = t
	m.mu.Unlock()
	for kind, n := range map[string]*int32{
		"declared": p.Declared, "managed": p.Managed, "unmanaged": p.Unmanaged, "differing": p.Differing,
		"frozen": p.Frozen, "invited": p.Invited, "vanished": p.Vanished,
	} {
		if n != nil {
			m.people.WithLabelValues(name.Namespace, name.Name, kind).Set(float64(*n))
		}
	}
}

// Links records how many accounts of people a linked system has.
func (m *Metrics) Links(name types.NamespacedName, c *v1alpha1.LinkedCount) {
	for kind, n := range map[string]*int32{"linked": c.Linked, "disabled": c.Disabled, "waiting": c.Waiting} {
		if n != nil {
			m.links.WithLabelValues(name.Namespace, name.Name, kind).Set(float64(*n))
		}
	}
}

// Forget drops what would go stale: the age of a mirror that nobody refreshes,
// and how many people an account has that is not looked at.
func (m *Metrics) Forget(name types.NamespacedName) {
	m.mu.Lock()
	delete(m.tenants, name)
	m.mu.Unlock()
	of := prometheus.Labels{"namespace": name.Namespace, "account": name.Name}
	m.people.DeletePartialMatch(of)
	m.links.DeletePartialMatch(of)
	m.open.DeletePartialMatch(of)
}

// Changed counts a change that was made to an account.
func (m *Metrics) Changed(name types.NamespacedName, action plan.Kind) {
	m.writes.WithLabelValues(name.Namespace, name.Name, string(action)).Inc()
}

// Drifted counts an account that was found to differ.
func (m *Metrics) Drifted(name types.NamespacedName) {
	m.drift.WithLabelValues(name.Namespace, name.Name).Inc()
}

// Observer is what one tenant's budget tells.
func (m *Metrics) Observer(name types.NamespacedName) httpx.Observer {
	return &observer{m, name.Namespace, name.Name}
}

type observer struct {
	*Metrics
	namespace, name string
}

func (o *observer) Called(c httpx.Call) {
	status := ""
	if c.Status != 0 {
		status = strconv.Itoa(c.Status)
	}
	o.calls.WithLabelValues(o.namespace, o.name, c.Operation, c.Outcome, status).Inc()
	o.seconds.WithLabelValues(o.namespace, o.name, c.Operation).Observe(c.Duration.Seconds())
	o.waits.WithLabelValues(o.namespace, o.name, c.Priority.String()).Observe(c.Wait.Seconds())
}

func (o *observer) Answered(operation, class string) {
	if class == "" {
		class = "OK"
	}
	o.answers.WithLabelValues(o.namespace, o.name, operation, class).Inc()
}

func (o *observer) Throttled(operation string, _ time.Duration) {
	o.throttle.WithLabelValues(o.namespace, o.name, operation).Inc()
}

func (o *observer) Opened(open bool) {
	o.open.WithLabelValues(o.namespace, o.name).Set(number(open))
}
