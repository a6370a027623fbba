// Package kube holds what every controller does with Kubernetes objects:
// conditions that kstatus can read, one patch at the end, finalizers.
package kube

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// Stand is where an object stands, as kstatus sees it.
type Stand int

const (
	// Ready: the declared state is reached.
	Ready Stand = iota
	// Reconciling: it is being reached, or waited for, and needs nobody.
	Reconciling
	// Stalled: somebody has to act.
	Stalled
	// Held: it is not reached and nothing is being done about it, as was asked for.
	Held
)

// Summary is where an object stands, and why.
type Summary struct {
	Stand   Stand
	Reason  string
	Message string
}

// Coded puts the reason's stable code before the message.
func Coded(reason, message string) string {
	if code := v1alpha1.ReasonCodes[reason]; code != "" {
		return code + ": " + message
	}
	return message
}

// Summarize sets Ready, and Reconciling and Stalled only while they are true.
func Summarize(conditions *[]metav1.Condition, generation int64, s Summary) {
	message := Coded(s.Reason, s.Message)
	set := func(conditionType string, status metav1.ConditionStatus) {
		Set(conditions, generation, conditionType, status, s.Reason, message)
	}
	if s.Stand == Ready {
		set(v1alpha1.ConditionReady, metav1.ConditionTrue)
	} else {
		set(v1alpha1.ConditionReady, metav1.ConditionFalse)
	}
	for conditionType, stand := range map[string]Stand{v1alpha1.ConditionReconciling: Reconciling, v1alpha1.ConditionStalled: Stalled} {
		if s.Stand == stand {
			set(conditionType, metav1.ConditionTrue)
		} else {
			meta.RemoveStatusCondition(conditions, conditionType)
		}
	}
}

// Set sets one condition.
func Set(conditions *[]metav1.Condition, generation int64, conditionType string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type: conditionType, Status: status, ObservedGeneration: generation,
		Reason: reason, Message: Truncate(message, 1024),
	})
}

// Truncate shortens s to at most n bytes, at a character's border.
func Truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	end := "…"
	if n < len(end) {
		end = ""
	}
	cut := n - len(end)
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + end
}
