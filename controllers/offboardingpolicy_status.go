package controllers

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// listing names objects, at most five of them.
func listing(names []string) string {
	words := strings.Join(names[:min(len(names), 5)], ", ")
	if more := len(names) - 5; more > 0 {
		words += fmt.Sprintf(" and %d more", more)
	}
	return words
}

// refer looks whether what the policy refers to is there. What is not is waited for.
func (r *OffboardingPolicyReconciler) refer(ctx context.Context, s *policyScope) error {
	p := s.policy
	if name := p.Spec.Backup.StorageRef.Name; name != "" {
		_, missing, err := backupStorage(ctx, r, p.Namespace, name)
		if err != nil {
			return err
		}
		s.problem = missing
	}
	names := named(p.Spec.SuccessorRef.Name)
	for _, ref := range p.Spec.Administrators {
		names = append(names, ref.Name)
	}
	var missing []string
	for _, name := range names {
		err := r.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: name}, &v1alpha1.Employee{})
		switch {
		case apierrors.IsNotFound(err):
			missing = append(missing, name)
		case err != nil:
			return fmt.Errorf("reading an Employee: %w", err)
		}
	}
	if len(missing) > 0 && s.problem == nil {
		s.problem = problem(v1alpha1.ReasonWaitingForPeople, fmt.Sprintf("successorRef and administrators: waiting for %s to be there", people(missing)))
	}
	return nil
}

// report says how the policy stands.
func (s *policyScope) report() {
	st := &s.policy.Status
	count, leaving := int32(len(s.people)), int32(s.leaving)
	st.ObservedGeneration, st.People, st.Leaving = &s.policy.Generation, &count, &leaving
	p := s.conflict()
	if p == nil {
		p = s.problem
	}
	switch {
	case s.needed > 0:
		p = problem(v1alpha1.ReasonInUse, fmt.Sprintf("it is being deleted, and %d people are about to leave by it", s.needed))
	case s.linger > 0:
		p = problem(v1alpha1.ReasonInUse, "it is being deleted, and goes in a moment: who is deleted with it leaves by it")
	}
	kube.Summarize(&st.Conditions, s.policy.Generation, summaryOf(p, "what the policy refers to is there"))
}
