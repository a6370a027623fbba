package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// removals is what is told of limits, and of decisions that humans owe.
type removals struct {
	waiting                 *prometheus.GaugeVec // by purpose
	unchecked               *prometheus.GaugeVec
	limit, admittance, held *prometheus.GaugeVec // by account
}

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
	}
	registry.MustRegister(r.waiting, r.unchecked, r.limit, r.admittance, r.held)
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
