package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// bindings is what is told of PermissionBindings.
type bindings struct {
	overdue *prometheus.GaugeVec
}

func newBindings(registry prometheus.Registerer) *bindings {
	b := &bindings{overdue: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "rollcall_review_overdue", Help: "1 while nobody has answered a review of the PermissionBinding in time.",
	}, []string{"namespace", "binding"})}
	registry.MustRegister(b.overdue)
	return b
}

// Reviewed records whether nobody answers the review of a binding.
func (b *bindings) Reviewed(binding types.NamespacedName, overdue bool) {
	b.overdue.WithLabelValues(binding.Namespace, binding.Name).Set(number(overdue))
}

// ForgetBinding drops what would go stale.
func (b *bindings) ForgetBinding(binding types.NamespacedName) {
	b.overdue.DeleteLabelValues(binding.Namespace, binding.Name)
}
