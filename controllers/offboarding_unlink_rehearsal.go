package controllers

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/plan"
)

// rehearseUnlinking says what an account waits for at UnlinkSystems.
func rehearseUnlinking(ob *v1alpha1.Offboarding) string {
	var names []string
	for _, a := range ob.Spec.LinkedAccounts {
		names = append(names, a.Name)
	}
	if len(names) == 0 {
		return "nothing: no linked systems are declared"
	}
	return "wait until the person is unlinked from " + strings.Join(names, ", ")
}

// links says what would be done in each linked system. No system is called.
func (p *rehearsal) links(ctx context.Context, ob *v1alpha1.Offboarding) error {
	for i := range ob.Spec.LinkedAccounts {
		spec := &ob.Spec.LinkedAccounts[i]
		l := &parting{
			scope: &offboardingScope{ob: ob, now: p.now}, spec: spec, status: &v1alpha1.UnlinkStatus{Name: spec.Name}, known: &partingFound{},
			key: client.ObjectKey{Namespace: ob.Namespace, Name: spec.Name},
		}
		if err := p.reconciler.findLinked(ctx, l); err != nil {
			return err
		}
		what, calls := p.linked(l)
		p.calls += int32(len(calls))
		if l.runner != nil && l.runner.Budget != nil {
			p.takes += l.runner.Budget.Takes(calls)
		}
		if len(p.found.Steps) < mostSteps {
			p.found.Steps = append(p.found.Steps, v1alpha1.RehearsedStep{
				Account: spec.Name, Step: v1alpha1.OffboardingStepName(leaving.UnlinkSystems), What: kube.Truncate(what, 512), Calls: calls,
			})
		}
	}
	return nil
}

// linked says what would be done in one system, and by which calls.
func (p *rehearsal) linked(l *parting) (what string, calls []string) {
	terms, f := l.terms(), l.facts()
	switch {
	case terms.Skip:
		return "left out: the policy skips it", nil
	case terms.OnLeave == leaving.LeaveRetained:
		return "nothing: onLeave is Retain; the account can be used", nil
	}
	p.obstaclesIn(l, &f)
	var words []string
	does := func(word string, kinds ...plan.Kind) {
		words = append(words, word)
		for _, k := range kinds {
			calls = append(calls, string(k), string(plan.Confirm))
		}
	}
	if f.Down != nil || f.CanDisable && !f.DisableRemoves {
		does("disable the account at once", plan.Disable)
		does("take it out of its groups", plan.Unlink)
	}
	if terms.OnLeave == leaving.LeaveDeleted {
		does("delete it", plan.Delete)
	}
	if len(words) == 0 {
		return "a task for a person: the system cannot do it", nil
	}
	if f.Down != nil || f.Reads {
		calls = append(calls, string(plan.Check))
		words = append(words, "look for what is left")
	}
	return strings.Join(words, ", "), calls
}

// obstaclesIn says what would hold up the unlinking in one system.
func (p *rehearsal) obstaclesIn(l *parting, f *leaving.UnlinkFacts) {
	name := l.spec.Name
	if l.system != nil {
		if l.system.Spec.Mode == v1alpha1.ModeObserve {
			p.obstacle("%s: mode is Observe: nothing would be changed", name)
		}
		if at := &l.system.Status.Removals; at.Limit != nil && (orZero(at.Held) > 0 || orZero(at.Admitted) >= *at.Limit) {
			p.obstacle("%s: removalLimits are reached: it would wait for an Approval", name)
		}
	}
	switch {
	case f.Down != nil:
		p.obstacle("%s: %s", name, f.Down.Message)
	case f.DisableRemoves && l.spec.OnLeave != v1alpha1.UnlinkDelete:
		p.obstacle("%s: the system removes an account for good when it is disabled, and its onLeave is Disable: a person would have to do it", name)
	case !f.CanDisable && !f.DisableRemoves:
		p.obstacle("%s: %s", name, "the system does not disable accounts"+because(f.Limit))
	case f.Reads && !f.There:
		p.obstacle("%s: the account %s was not seen in the system", name, l.spec.AccountID)
	}
}

func because(limit string) string {
	if limit == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", limit)
}

func orZero(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}
