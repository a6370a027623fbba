package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// choosePolicy says which of a namespace's policies applies to somebody, nil if none does.
// Rivals are the others that would apply by the same right, the chosen one being the first by
// name. One that is being deleted applies only where nothing else does.
func choosePolicy(e *v1alpha1.Employee, all []v1alpha1.OffboardingPolicy) (chosen *v1alpha1.OffboardingPolicy, rivals []string) {
	applying := func(applies func(*v1alpha1.OffboardingPolicy) bool) (found []*v1alpha1.OffboardingPolicy) {
		for i := range all {
			if applies(&all[i]) {
				found = append(found, &all[i])
			}
		}
		slices.SortFunc(found, func(a, b *v1alpha1.OffboardingPolicy) int { return strings.Compare(a.Name, b.Name) })
		return found
	}
	if name := e.Spec.Offboarding.PolicyRef.Name; name != "" {
		if found := applying(func(p *v1alpha1.OffboardingPolicy) bool { return p.Name == name }); len(found) > 0 {
			return found[0], nil
		}
		return nil, nil
	}
	for _, leaving := range []bool{false, true} {
		for _, scope := range []v1alpha1.PolicyScope{v1alpha1.PolicySelected, v1alpha1.PolicyDefault} {
			found := applying(func(p *v1alpha1.OffboardingPolicy) bool {
				return p.Spec.AppliesTo == scope && !p.DeletionTimestamp.IsZero() == leaving && selects(p, e)
			})
			if len(found) == 0 {
				continue
			}
			for _, p := range found[1:] {
				rivals = append(rivals, p.Name)
			}
			return found[0], rivals
		}
	}
	return nil, nil
}

// selects reports whether somebody has all the labels that the policy asks for.
func selects(p *v1alpha1.OffboardingPolicy, e *v1alpha1.Employee) bool {
	for k, v := range p.Spec.MatchLabels {
		if have, ok := e.Labels[k]; !ok || have != string(v) {
			return false
		}
	}
	return true
}

// offboardingPolicy finds the policy that applies to somebody; else p says that there is none.
func offboardingPolicy(ctx context.Context, c client.Reader, e *v1alpha1.Employee) (policy *v1alpha1.OffboardingPolicy, p *Problem, err error) {
	var all v1alpha1.OffboardingPolicyList
	if err := c.List(ctx, &all, client.InNamespace(e.Namespace)); err != nil {
		return nil, nil, fmt.Errorf("listing OffboardingPolicies: %w", err)
	}
	policy, _ = choosePolicy(e, all.Items)
	switch name := e.Spec.Offboarding.PolicyRef.Name; {
	case policy != nil:
		return policy, nil, nil
	case name != "":
		return nil, problem(v1alpha1.ReasonNoPolicy, fmt.Sprintf("offboarding.policyRef: there is no OffboardingPolicy %q in this namespace: create it, or correct policyRef", name)), nil
	}
	return nil, problem(v1alpha1.ReasonNoPolicy, "no OffboardingPolicy applies: create one with appliesTo: Default, or name one in offboarding.policyRef"), nil
}
