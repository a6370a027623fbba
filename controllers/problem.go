package controllers

import (
	"errors"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/plan"
)

// Problem is why something is not as declared: one of the reasons of the API
// and words for people.
type Problem struct {
	Reason  string
	Message string
	// Stalled: somebody has to act. Else it is waited for.
	Stalled bool
}

func (p *Problem) Error() string { return p.Reason + ": " + p.Message }

// stalled are the reasons that end only when somebody acts. The others pass.
var stalled = map[string]bool{
	v1alpha1.ReasonPermissionDenied: true, v1alpha1.ReasonCredentialsRejected: true,
	v1alpha1.ReasonInvalidValue: true, v1alpha1.ReasonNumbersExhausted: true, v1alpha1.ReasonDepartmentCycle: true,
	v1alpha1.ReasonParentNotOn: true, v1alpha1.ReasonDataConflict: true, v1alpha1.ReasonAdoptionReview: true,
	v1alpha1.ReasonWriteIgnored: true, v1alpha1.ReasonVanished: true, v1alpha1.ReasonFrozenElsewhere: true,
	v1alpha1.ReasonFreezeUnsupported: true, v1alpha1.ReasonNotSupported: true, v1alpha1.ReasonQuotaExceeded: true,
	v1alpha1.ReasonStorageDenied: true, v1alpha1.ReasonStorageFull: true, v1alpha1.ReasonStorageShared: true,
	v1alpha1.ReasonKeyMissing: true, v1alpha1.ReasonKeyWrong: true, v1alpha1.ReasonArchiveDamaged: true,
	v1alpha1.ReasonArchiveMissing: true, v1alpha1.ReasonBackupOverdue: true, v1alpha1.ReasonRestoreTestFailed: true,
	v1alpha1.ReasonRestoreConflicts: true, v1alpha1.ReasonPlanChanged: true, v1alpha1.ReasonRestoreIncomplete: true,
	v1alpha1.ReasonNoPolicy: true, v1alpha1.ReasonPolicyConflict: true, v1alpha1.ReasonRemovalLimit: true,
	v1alpha1.ReasonApprovalPending: true, v1alpha1.ReasonApprovalRejected: true, v1alpha1.ReasonApprovalExpired: true,
	v1alpha1.ReasonManualTask: true, v1alpha1.ReasonBackupFailed: true, v1alpha1.ReasonRemovalRefused: true,
	v1alpha1.ReasonResidualFound: true, v1alpha1.ReasonInheritanceRefused: true,
	v1alpha1.ReasonProtectedHolders: true, v1alpha1.ReasonRoleMissing: true, v1alpha1.ReasonSeparationOfDuties: true,
	v1alpha1.ReasonReviewOverdue: true, v1alpha1.ReasonReviewedOut: true,
}

// problem makes a Problem whose Stalled follows from its reason.
func problem(reason, message string) *Problem {
	return &Problem{Reason: reason, Message: message, Stalled: stalled[reason]}
}

// stand is how kstatus sees a reason.
func stand(reason string) kube.Stand {
	switch {
	case reason == "" || reason == v1alpha1.ReasonInSync:
		return kube.Ready
	case stalled[reason]:
		return kube.Stalled
	case reason == v1alpha1.ReasonObserved || reason == v1alpha1.ReasonSuspended || reason == v1alpha1.ReasonLegalHold:
		return kube.Held
	}
	return kube.Reconciling
}

// reasons is the one table from an error's class to the API's reason.
var reasons = map[directory.Class]string{
	directory.NotFound:         v1alpha1.ReasonUnavailable,
	directory.AlreadyExists:    v1alpha1.ReasonDataConflict,
	directory.Conflict:         v1alpha1.ReasonDataConflict,
	directory.Invalid:          v1alpha1.ReasonInvalidValue,
	directory.Unauthenticated:  v1alpha1.ReasonCredentialsRejected,
	directory.PermissionDenied: v1alpha1.ReasonPermissionDenied,
	directory.RateLimited:      v1alpha1.ReasonRateLimited,
	directory.QuotaExceeded:    v1alpha1.ReasonQuotaExceeded,
	directory.Unavailable:      v1alpha1.ReasonUnavailable,
	directory.NotSupported:     v1alpha1.ReasonNotSupported,
	directory.OutcomeUnknown:   v1alpha1.ReasonOutcomeUnknown,
}

// problemOf translates an error of a directory. Only a directory's own words are
// known to be safe to show (P12).
func problemOf(err error) *Problem {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok {
		return problem(v1alpha1.ReasonUnavailable, "the platform could not be reached")
	}
	p := problem(reasons[e.Class], e.Error())
	if errors.Is(err, execute.ErrUnrecorded) {
		p = problem(v1alpha1.ReasonAuditUnavailable, e.Message)
	}
	if e.Holder != "" {
		p.Message += "; held by the account " + e.Holder + " of the platform"
	}
	return p
}

// problemOfHold translates a plan's hold; the reasons are the same words.
func problemOfHold(h *plan.Hold) *Problem { return problem(string(h.Reason), h.Message) }
