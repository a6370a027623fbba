package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Approval is a decision that a human owes. Rollcall makes it, bound to the digest of
// exactly what it lists; somebody with the verb approve decides, once, in spec.decision.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=apv,categories=rollcall
// +kubebuilder:printcolumn:name="Purpose",type=string,JSONPath=`.spec.purpose`
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.spec.accountName`
// +kubebuilder:printcolumn:name="People",type=integer,JSONPath=`.spec.count`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Decided-By",type=string,JSONPath=`.spec.decision.by`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expireTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Summary",type=string,JSONPath=`.spec.summary`,priority=1
// +kubebuilder:printcolumn:name="Digest",type=string,JSONPath=`.spec.digest`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.purpose`
// +kubebuilder:selectablefield:JSONPath=`.status.state`
type Approval struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec is what is to be decided, and the decision.
	// +required
	Spec ApprovalSpec `json:"spec,omitzero"`
	// status is how it stands.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status ApprovalStatus `json:"status,omitempty,omitzero"`
}

// ApprovalSpec is what is to be decided. Only the decision can be written later, once.
//
// +kubebuilder:validation:XValidation:rule="self.purpose == oldSelf.purpose && has(self.accountName) == has(oldSelf.accountName) && (!has(self.accountName) || self.accountName == oldSelf.accountName) && self.summary == oldSelf.summary && self.count == oldSelf.count && self.subjects == oldSelf.subjects && self.digest == oldSelf.digest && has(self.requesters) == has(oldSelf.requesters) && (!has(self.requesters) || self.requesters == oldSelf.requesters) && has(self.approverGroups) == has(oldSelf.approverGroups) && (!has(self.approverGroups) || self.approverGroups == oldSelf.approverGroups) && self.expireTime == oldSelf.expireTime",message="only decision can be written: an Approval is about exactly what it lists"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.decision) || (has(self.decision) && self.decision == oldSelf.decision)",message="decision: it was decided; a decision is not changed. What is asked again makes another Approval"
// +kubebuilder:validation:XValidation:rule="!has(self.decision) || self.decision.digest == self.digest",message="decision.digest must be spec.digest: decide about what this Approval lists now"
// +kubebuilder:validation:XValidation:rule="!has(self.decision) || !has(self.decision.except) || (self.purpose == 'Review' && self.decision.verdict == 'Approved')",message="decision.except narrows an approved review: leave it out, or reject the review as a whole"
type ApprovalSpec struct {
	// purpose says what kind of decision it is.
	// +required
	Purpose ApprovalPurpose `json:"purpose,omitempty"`
	// accountName of the EnterpriseAccount that it is about, if it is about one; linkedsystem/<name> for a LinkedSystem.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	AccountName string `json:"accountName,omitempty"`
	// summary says in words what happens if it is approved.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Summary string `json:"summary,omitempty"`
	// count of subjects, without a PermissionBinding whose people they are.
	// +required
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count,omitempty"`
	// subjects are exactly whom it is about, by number.
	// +required
	// +listType=map
	// +listMapKey=uid
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5000
	Subjects []ApprovalSubject `json:"subjects,omitempty"`
	// digest of the purpose, the account and the subjects; where a company leaves a platform, of the summary, too.
	// +required
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest,omitempty"`
	// requesters are users of the cluster who asked for it, or may have: none of them decides.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Requesters []string `json:"requesters,omitempty"`
	// approverGroups are groups of the cluster's users; who decides has to be in one of them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	ApproverGroups []string `json:"approverGroups,omitempty"`
	// expireTime after which nothing can be decided, and an approval allows nothing that has not begun.
	// +required
	ExpireTime *metav1.Time `json:"expireTime,omitempty"`
	// decision of a human.
	// +optional
	Decision ApprovalDecision `json:"decision,omitempty,omitzero"`
}

// ApprovalPurpose says what kind of decision it is.
// +kubebuilder:validation:Enum=RemovalLimit;Departure;Deletion;AccountRemoval;DeleteAccount;Exit;Grant;Review
type ApprovalPurpose string

// The purposes.
const (
	// ApprovalRemovalLimit: more people than the account's removalLimits would lose access.
	ApprovalRemovalLimit ApprovalPurpose = "RemovalLimit"
	// ApprovalDeparture: a policy wants to be asked about declared departures.
	ApprovalDeparture ApprovalPurpose = "Departure"
	// ApprovalDeletion: an Employee was deleted without having been declared Departed.
	ApprovalDeletion ApprovalPurpose = "Deletion"
	// ApprovalAccountRemoval: an account was taken off spec.accounts.
	ApprovalAccountRemoval ApprovalPurpose = "AccountRemoval"
	// ApprovalDeleteAccount: all is done but the deletion.
	ApprovalDeleteAccount ApprovalPurpose = "DeleteAccount"
	// ApprovalExit: a company leaves a platform.
	ApprovalExit ApprovalPurpose = "Exit"
	// ApprovalGrant: people would get a role of high risk.
	ApprovalGrant ApprovalPurpose = "Grant"
	// ApprovalReview: it is time to look whether those who hold a role still need it.
	ApprovalReview ApprovalPurpose = "Review"
)

// ApprovalSubject is one person or object that a decision is about.
type ApprovalSubject struct {
	// uid of the object that waits: an Offboarding, an Employee that is to be frozen or to have a role; of a
	// PermissionBinding under review, with the time for which the review was due.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`
	// kind of that object.
	// +required
	// +kubebuilder:validation:Enum=Offboarding;Employee;EnterpriseAccount;PermissionBinding
	Kind string `json:"kind,omitempty"`
	// name of that object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// number of the employee.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	Number string `json:"number,omitempty"`
	// action that waits: Freeze, Leave, Delete; Grant or Keep a role.
	// +required
	// +kubebuilder:validation:Enum=Freeze;Leave;Delete;Grant;Keep
	Action string `json:"action,omitempty"`
	// lastActiveDay on which the person was last seen active, where the platform tells, as YYYY-MM-DD. It
	// is told, and not decided about: the digest leaves it out.
	// +optional
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=10
	LastActiveDay string `json:"lastActiveDay,omitempty"`
}

// ApprovalDecision is what a human decided.
type ApprovalDecision struct {
	// verdict is Approved or Rejected.
	// +required
	Verdict ApprovalVerdict `json:"verdict,omitempty"`
	// by is the user name under which the decision is written.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by,omitempty"`
	// digest repeats spec.digest.
	// +required
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest,omitempty"`
	// reason for the people who ask later.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`
	// except are the uids of subjects that an approved review takes the role from; the others keep it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Except []string `json:"except,omitempty"`
}

// ApprovalVerdict is what a human says.
// +kubebuilder:validation:Enum=Approved;Rejected
type ApprovalVerdict string

// The verdicts.
const (
	VerdictApproved ApprovalVerdict = "Approved"
	VerdictRejected ApprovalVerdict = "Rejected"
)

// ApprovalStatus is how an Approval stands.
// +kubebuilder:validation:MinProperties=1
type ApprovalStatus struct {
	// conditions are Ready (it was decided, or is no longer asked), Reconciling and Stalled as kstatus
	// reads them: it is Stalled while it waits for somebody; DecisionChecked (a policy of the cluster
	// checked who decided: nothing is done on the word of somebody who may not have been allowed to).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// state is Pending, Approved, Rejected, Expired or Withdrawn (what it lists is no longer asked).
	// +optional
	State ApprovalState `json:"state,omitempty"`
	// decisionTime is when Rollcall saw the decision.
	// +optional
	DecisionTime *metav1.Time `json:"decisionTime,omitempty"`
}

// ApprovalState is how an Approval stands.
// +kubebuilder:validation:Enum=Pending;Approved;Rejected;Expired;Withdrawn
type ApprovalState string

// The states of an Approval.
const (
	ApprovalPending   ApprovalState = "Pending"
	ApprovalApproved  ApprovalState = "Approved"
	ApprovalRejected  ApprovalState = "Rejected"
	ApprovalExpired   ApprovalState = "Expired"
	ApprovalWithdrawn ApprovalState = "Withdrawn"
)

// ApprovalList is a list of Approvals.
//
// +kubebuilder:object:root=true
type ApprovalList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Approval `json:"items"`
}
