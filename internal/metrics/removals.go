package metrics

import (
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// removals is what is told of limits, of decisions that humans owe, and of leavings that take too long.
type removals struct {
	waiting                 *prometheus.GaugeVec // by purpose
	unchecked               *prometheus.GaugeVec
	limit, admittance, held *prometheus.GaugeVec // by account
	overdue                 *prometheus.GaugeVec // by account and step

	mu   sync.Mutex
	late map[types.NamespacedName]map[string]v1alpha1.OffboardingStepName // of each Offboarding, by account
	at   map[step]int                                                     // how many
}

// step of leaving an account.
type step struct{ namespace, account, name string }

func newRemovals(registry prometheus.Registerer) *removals {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"namespace"}, labels...))
	}
	r := &removals{
		waiting:    gauge("rollcall_approvals_waiting", "Approvals that wait for somebody to decide, by purpose.", "purpose"),
		unchecked:  gauge("rollcall_approvals_unchecked", "Decisions that are not acted upon, because no policy of the cluster checked who decided."),
		limit:      gauge("rollcall_removals_limit", "How many people may lose access to the account within the window of its removalLimits.", "account"),
		admittance: gauge("rollcall_removals_admitted", "How many lost access within the window, those left out whom an Approval admitted.", "account"),
		held:       gauge("rollcall_removals_held", "How many wait in quarantine; while somebody does, nobody else loses access.", "account"),
		overdue:    gauge("rollcall_offboardings_overdue", "How many Offboardings are at a step that takes longer than it may.", "account", "step"),
		late:       map[types.NamespacedName]map[string]v1alpha1.OffboardingStepName{},
		at:         map[step]int{},
	}
	registry.MustRegister(r.waiting, r.unchecked, r.limit, r.admittance, r.held, r.overdue)
	return r
}

// Waiting records the Approvals of a namespace that wait.
func (r *removals) Waiting(namespace string, purposes map[v1alpha1.ApprovalPurpose]int, unchecked int) {
	r.waiting.DeletePartialMatch(prometheus.Labels{"namespace": namespace})
	for purpose, n := range purposes {
		r.waiting.WithLabelValues(namespace, string(purpose)).Set(float64(n))
	}
	r.unchecked.WithLabelValues(namespace).Set(float64(unchecked))
}

// Removals records how an account stands against its limits.
func (r *removals) Removals(account types.NamespacedName, limit, admitted, held int) {
	r.limit.WithLabelValues(account.Namespace, account.Name).Set(float64(limit))
	r.admittance.WithLabelValues(account.Namespace, account.Name).Set(float64(admitted))
	r.held.WithLabelValues(account.Namespace, account.Name).Set(float64(held))
}

// ForgetRemovals drops what would go stale.
func (r *removals) ForgetRemovals(account types.NamespacedName) {
	for _, v := range []*prometheus.GaugeVec{r.limit, r.admittance, r.held} {
		v.DeleteLabelValues(account.Namespace, account.Name)
	}
}

// Overdue records at which steps an Offboarding takes too long, by account; none when it does nowhere, or is gone.
func (r *removals) Overdue(offboarding types.NamespacedName, steps map[string]v1alpha1.OffboardingStepName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if maps.Equal(r.late[offboarding], steps) {
		return
	}
	for account, name := range r.late[offboarding] {
		r.count(step{offboarding.Namespace, account, string(name)}, -1)
	}
	for account, name := range steps {
		r.count(step{offboarding.Namespace, account, string(name)}, 1)
	}
	if r.late[offboarding] = steps; len(steps) == 0 {
		delete(r.late, offboarding)
	}
}

// count adds to how many are late at a step; where nobody is, nothing is told. It is called with the lock.
func (r *removals) count(s step, more int) {
	if r.at[s] += more; r.at[s] == 0 {
		delete(r.at, s)
		r.overdue.DeleteLabelValues(s.namespace, s.account, s.name)
		return
	}
	r.overdue.WithLabelValues(s.namespace, s.account, s.name).Set(float64(r.at[s]))
}
