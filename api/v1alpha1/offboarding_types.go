package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Offboarding is one person's leaving: the durable record of every step, which goes
// on though the Employee is gone. Rollcall makes it; a person creates one only to
// rehearse (mode: Rehearse), and confirms manual tasks in spec.confirmations.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ob,categories=rollcall
// +kubebuilder:printcolumn:name="Number",type=string,JSONPath=`.spec.number`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Step",type=string,JSONPath=`.status.step`
// +kubebuilder:printcolumn:name="Waiting-For",type=string,JSONPath=`.status.waitingFor`
// +kubebuilder:printcolumn:name="Access",type=string,JSONPath=`.status.access`
// +kubebuilder:printcolumn:name="Deletion",type=string,JSONPath=`.status.deletionTime`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Trigger",type=string,JSONPath=`.spec.trigger`,priority=1
// +kubebuilder:printcolumn:name="Person",type=string,JSONPath=`.spec.personName`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.number`
// +kubebuilder:selectablefield:JSONPath=`.spec.employeeRef.name`
// +kubebuilder:selectablefield:JSONPath=`.status.state`
type Offboarding struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec is who leaves, from where, and on which terms, as it was when it began.
	// +required
	Spec OffboardingSpec `json:"spec,omitzero"`
	// status is how far it is.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status OffboardingStatus `json:"status,omitempty,omitzero"`
}

// OffboardingSpec is a snapshot of all that a leaving needs. Only confirmations can be changed.
//
// +kubebuilder:validation:XValidation:rule="self.mode == 'Rehearse' || (has(self.number) && has(self.trigger) && has(self.terms) && (has(self.accounts) || has(self.linkedAccounts)))",message="mode: Execute is made by Rollcall alone: declare the person with spec.state: Departed, or delete the Employee; to see what would happen, use mode: Rehearse"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Execute' || !has(self.terms)",message="terms: a rehearsal takes those of the policy that applies to the Employee; leave them out"
// +kubebuilder:validation:XValidation:rule="has(self.terms) == has(oldSelf.terms) && (!has(self.terms) || self.terms == oldSelf.terms)",message="terms cannot be changed: a leaving keeps the terms that it began with; cancel it by declaring the person again"
// +kubebuilder:validation:XValidation:rule="has(self.accounts) == has(oldSelf.accounts) && (!has(self.accounts) || self.accounts == oldSelf.accounts)",message="accounts cannot be changed: they are what the person had when the leaving began"
// +kubebuilder:validation:XValidation:rule="has(self.linkedAccounts) == has(oldSelf.linkedAccounts) && (!has(self.linkedAccounts) || self.linkedAccounts == oldSelf.linkedAccounts)",message="linkedAccounts cannot be changed: they are what the person had when the leaving began"
// +kubebuilder:validation:XValidation:rule="self.mode == oldSelf.mode && self.employeeRef == oldSelf.employeeRef",message="mode and employeeRef cannot be changed: make another Offboarding"
// +kubebuilder:validation:XValidation:rule="has(self.employeeUID) == has(oldSelf.employeeUID) && (!has(self.employeeUID) || self.employeeUID == oldSelf.employeeUID) && has(self.number) == has(oldSelf.number) && (!has(self.number) || self.number == oldSelf.number) && has(self.personName) == has(oldSelf.personName) && (!has(self.personName) || self.personName == oldSelf.personName) && has(self.trigger) == has(oldSelf.trigger) && (!has(self.trigger) || self.trigger == oldSelf.trigger) && has(self.reason) == has(oldSelf.reason) && (!has(self.reason) || self.reason == oldSelf.reason) && has(self.lastDay) == has(oldSelf.lastDay) && (!has(self.lastDay) || self.lastDay == oldSelf.lastDay) && has(self.requestedBy) == has(oldSelf.requestedBy) && (!has(self.requestedBy) || self.requestedBy == oldSelf.requestedBy) && has(self.policyName) == has(oldSelf.policyName) && (!has(self.policyName) || self.policyName == oldSelf.policyName) && has(self.successorName) == has(oldSelf.successorName) && (!has(self.successorName) || self.successorName == oldSelf.successorName) && has(self.successorPersonName) == has(oldSelf.successorPersonName) && (!has(self.successorPersonName) || self.successorPersonName == oldSelf.successorPersonName)",message="only confirmations can be changed: the rest is how it was when the leaving began"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.confirmations) || (has(self.confirmations) && oldSelf.confirmations.all(o, self.confirmations.exists(n, n == o)))",message="confirmations can be added, not changed or taken back: what was confirmed was acted upon"
type OffboardingSpec struct {
	// mode is Execute, or Rehearse: the plan, the calls and the time are reported and nothing is changed.
	// +required
	Mode OffboardingMode `json:"mode,omitempty"`
	// employeeRef names the Employee who leaves. In Execute it may be gone.
	// +required
	EmployeeRef EmployeeReference `json:"employeeRef,omitzero"`
	// employeeUID tells this Employee from one of the same name that is declared later.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	EmployeeUID string `json:"employeeUID,omitempty"`
	// number is the employee number.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	Number string `json:"number,omitempty"`
	// personName is the person's name, for notices.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	PersonName string `json:"personName,omitempty"`
	// trigger says what began it.
	// +optional
	Trigger OffboardingTrigger `json:"trigger,omitempty"`
	// reason in the words of whoever declared it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`
	// lastDay of work, as YYYY-MM-DD. When omitted, the day on which the Offboarding was made.
	// +optional
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=10
	LastDay string `json:"lastDay,omitempty"`
	// requestedBy says who asked for it, as far as the cluster knows.
	// +optional
	RequestedBy Requester `json:"requestedBy,omitempty,omitzero"`
	// policyName of the OffboardingPolicy that the terms are from.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	PolicyName string `json:"policyName,omitempty"`
	// terms that it began with.
	// +optional
	Terms OffboardingTerms `json:"terms,omitempty,omitzero"`
	// accounts that the person leaves. Empty for somebody who has accounts in LinkedSystems only.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Accounts []OffboardingAccount `json:"accounts,omitempty"`
	// linkedAccounts that are unlinked. Empty when only an account is left.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	LinkedAccounts []OffboardingLinkedAccount `json:"linkedAccounts,omitempty"`
	// successorName of the Employee who takes over.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SuccessorName string `json:"successorName,omitempty"`
	// successorPersonName is that person's name, for notices.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	SuccessorPersonName string `json:"successorPersonName,omitempty"`
	// confirmations of manual tasks that a person has done.
	// +optional
	// +listType=map
	// +listMapKey=task
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Confirmations []Confirmation `json:"confirmations,omitempty"`
}

// OffboardingMode says whether anything is done.
// +kubebuilder:validation:Enum=Execute;Rehearse
type OffboardingMode string

// The modes of an Offboarding.
const (
	OffboardingExecute  OffboardingMode = "Execute"
	OffboardingRehearse OffboardingMode = "Rehearse"
)

// OffboardingTrigger says what began a leaving.
// +kubebuilder:validation:Enum=Departed;Deleted;AccountRemoved
type OffboardingTrigger string

// The triggers.
const (
	// TriggerDeparted: the Employee was declared Departed.
	TriggerDeparted OffboardingTrigger = "Departed"
	// TriggerDeleted: the Employee was deleted without that.
	TriggerDeleted OffboardingTrigger = "Deleted"
	// TriggerAccountRemoved: an account was taken off the Employee's spec.accounts.
	TriggerAccountRemoved OffboardingTrigger = "AccountRemoved"
)

// Requester is who asked for something.
// +kubebuilder:validation:MinProperties=1
type Requester struct {
	// users of the cluster who may have asked, and so do not approve.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users,omitempty"`
	// fieldManager that last wrote the declaration, e.g. argocd-controller.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	FieldManager string `json:"fieldManager,omitempty"`
	// generation of the declaration.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Generation int64 `json:"generation,omitempty"`
}

// OffboardingAccount is an account that somebody leaves.
type OffboardingAccount struct {
	// name of the EnterpriseAccount.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// userID on the platform.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UserID string `json:"userID,omitempty"`
	// type of the account.
	// +optional
	Type AccountType `json:"type,omitempty"`
	// origin of the account: only what Rollcall created or adopted is changed.
	// +required
	Origin Origin `json:"origin,omitempty"`
	// frozenBy says who froze it, if it was frozen when the leaving began.
	// +optional
	FrozenBy FrozenBy `json:"frozenBy,omitempty"`
	// successorUserID is the account of the successor there.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	SuccessorUserID string `json:"successorUserID,omitempty"`
	// managerUserID is the account of the leaver's manager there.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ManagerUserID string `json:"managerUserID,omitempty"`
	// administratorUserIDs are the accounts of the policy's administrators there.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	AdministratorUserIDs []string `json:"administratorUserIDs,omitempty"`
}

// OffboardingLinkedAccount is an account in a LinkedSystem that somebody leaves.
type OffboardingLinkedAccount struct {
	// name of the LinkedSystem.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// systemUID is the UID of the LinkedSystem that accountID is of. When omitted, the one of this name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=36
	SystemUID string `json:"systemUID,omitempty"`
	// accountID is the system's own id of it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	AccountID string `json:"accountID,omitempty"`
	// origin of the account: only what Rollcall created or linked is changed.
	// +required
	Origin Origin `json:"origin,omitempty"`
	// disabledBy says who disabled it, if it was disabled when the leaving began.
	// +optional
	DisabledBy FrozenBy `json:"disabledBy,omitempty"`
	// onLeave is what the system's onLeave said when the leaving began.
	// +required
	OnLeave UnlinkAction `json:"onLeave,omitempty"`
}

// Confirmation says that a manual task is done.
type Confirmation struct {
	// task as status shows it, e.g. wecom/HandOver.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Task string `json:"task,omitempty"`
	// note about it, for the record.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Note string `json:"note,omitempty"`
}

// OffboardingStatus is how far a leaving is.
// +kubebuilder:validation:MinProperties=1
type OffboardingStatus struct {
	// conditions are Ready (the leaving is over: complete or cancelled; or it was rehearsed), Reconciling
	// and Stalled as kstatus reads them; AccessRevoked (no account of it can be used, but linked ones that are
	// retained); BackedUp (every account has a verified backup, or the terms want none).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// state is Pending, Held, Running, Grace, Removing, Cancelling, Complete, Cancelled or Rehearsed.
	// +optional
	State OffboardingState `json:"state,omitempty"`
	// step is the first that is not done on some account.
	// +optional
	Step OffboardingStepName `json:"step,omitempty"`
	// waitingFor says in a few words what it waits for.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	WaitingFor string `json:"waitingFor,omitempty"`
	// access is Open while an account can be used, else Revoked. Linked accounts count, too, but those that are retained.
	// +optional
	Access AccessState `json:"access,omitempty"`
	// startTime of the first step.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// deletionTime is when grace ends.
	// +optional
	DeletionTime *metav1.Time `json:"deletionTime,omitempty"`
	// completionTime is when it was over.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// approvalName of the Approval that it waits for, or that allowed it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ApprovalName string `json:"approvalName,omitempty"`
	// approvedBy says who allowed it, as the API server knows them.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ApprovedBy string `json:"approvedBy,omitempty"`
	// accounts says how far it is on each.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Accounts []OffboardingAccountStatus `json:"accounts,omitempty"`
	// linkedAccounts is the record of unlinking, one for each system.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	LinkedAccounts []UnlinkStatus `json:"linkedAccounts,omitempty"`
	// rehearsal is what mode: Rehearse found.
	// +optional
	Rehearsal Rehearsal `json:"rehearsal,omitempty,omitzero"`
}

// OffboardingState is where a leaving stands.
// +kubebuilder:validation:Enum=Pending;Held;Running;Grace;Removing;Cancelling;Complete;Cancelled;Rehearsed
type OffboardingState string

// The states of a leaving.
const (
	// OffboardingPending: nothing was done yet.
	OffboardingPending OffboardingState = "Pending"
	// OffboardingHeld: nothing is done before an Approval.
	OffboardingHeld OffboardingState = "Held"
	// OffboardingRunning: the steps up to Notify.
	OffboardingRunning OffboardingState = "Running"
	// OffboardingGrace: all that can be undone is done.
	OffboardingGrace OffboardingState = "Grace"
	// OffboardingRemoving: an account may be gone, the rest follows.
	OffboardingRemoving OffboardingState = "Removing"
	// OffboardingCancelling: the person was declared again; what was taken is given back.
	OffboardingCancelling OffboardingState = "Cancelling"
	// OffboardingComplete: over.
	OffboardingComplete OffboardingState = "Complete"
	// OffboardingCancelled: over, and undone. What was retained is cancelled, too.
	OffboardingCancelled OffboardingState = "Cancelled"
	// OffboardingRehearsed: nothing was changed, and status.rehearsal says what would be.
	OffboardingRehearsed OffboardingState = "Rehearsed"
)

// AccessState says whether somebody can still get in.
// +kubebuilder:validation:Enum=Open;Revoked
type AccessState string

// The states of access.
const (
	AccessOpen    AccessState = "Open"
	AccessRevoked AccessState = "Revoked"
)

// OffboardingStepName is a step of leaving.
// +kubebuilder:validation:Enum=Freeze;Backup;HandOver;RevokePermissions;UnlinkSystems;Notify;Grace;DeleteAccount;ResidualCheck
type OffboardingStepName string

// OffboardingAccountStatus is how far a leaving is on one account.
type OffboardingAccountStatus struct {
	// name of the EnterpriseAccount.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// admittedTime is when the account's removalLimits let the leaving begin, or an Approval did.
	// +optional
	AdmittedTime *metav1.Time `json:"admittedTime,omitempty"`
	// admittedBy names the Approval that let it begin beyond the limits.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	AdmittedBy string `json:"admittedBy,omitempty"`
	// state of the account: Active, Frozen or Vanished (gone by no act of ours); Departed when we removed it.
	// +optional
	State AccountState `json:"state,omitempty"`
	// reason is empty when all goes well; else why it does not go on (docs/reasons.md).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// message says in words what is the matter and what to do.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// backupName of the Backup that was made of it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	BackupName string `json:"backupName,omitempty"`
	// frozenBy is Rollcall when the leaving froze the account, or has asked for that and does not know yet what came of it.
	// +optional
	FrozenBy FrozenBy `json:"frozenBy,omitempty"`
	// roles that were read before they were taken away: a cancelled leaving gives them back.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	Roles []RevokedRole `json:"roles,omitempty"`
	// tasks that a person has to do and confirm.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Tasks []ManualTask `json:"tasks,omitempty"`
	// notices that were begun.
	// +optional
	// +listType=map
	// +listMapKey=to
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Notices []SentNotice `json:"notices,omitempty"`
	// steps in their order here.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=9
	Steps []OffboardingStepStatus `json:"steps,omitempty"`
}

// UnlinkStatus is how far unlinking is in one LinkedSystem.
type UnlinkStatus struct {
	// name of the LinkedSystem.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// state of the unlinking. It is Waiting while the system is down, or while a person owes a task.
	// +required
	State StepState `json:"state,omitempty"`
	// phase that it is in: Disable, Unlink (out of its groups), Delete or Check (nothing is left).
	// +optional
	Phase UnlinkPhase `json:"phase,omitempty"` //nolint:kubeapilinter // how far one record is, not how the object stands
	// admittedTime is when the system's removalLimits let it begin, or an Approval did.
	// +optional
	AdmittedTime *metav1.Time `json:"admittedTime,omitempty"`
	// admittedBy names the Approval that let it begin beyond the limits.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	AdmittedBy string `json:"admittedBy,omitempty"`
	// disabledBy is Rollcall when the leaving disabled the account, or has asked for that.
	// +optional
	DisabledBy FrozenBy `json:"disabledBy,omitempty"`
	// disabledTime is when it was seen that nobody can sign in.
	// +optional
	DisabledTime *metav1.Time `json:"disabledTime,omitempty"`
	// startTime of the first attempt.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// endTime is when it was over.
	// +optional
	EndTime *metav1.Time `json:"endTime,omitempty"`
	// waitingSince is since when the system is down, refuses or cannot be called. When the terms' unlinkRetrySeconds are
	// over, it becomes somebody's task.
	// +optional
	WaitingSince *metav1.Time `json:"waitingSince,omitempty"`
	// attempts that were begun.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Attempts int32 `json:"attempts,omitempty"`
	// reason is empty when all goes well; else why it does not go on (docs/reasons.md).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// message says what was done, or what is the matter and what to do.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// evidence that it was done; never personal data.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Evidence string `json:"evidence,omitempty"`
	// task that a person has to do and confirm, once the system was down for longer than the policy lets it, or
	// where it cannot do it.
	// +optional
	Task ManualTask `json:"task,omitempty,omitzero"`
}

// UnlinkPhase is what unlinking does now.
// +kubebuilder:validation:Enum=Disable;Unlink;Delete;Check
type UnlinkPhase string

// The phases of unlinking, in their order.
const (
	UnlinkPhaseDisable UnlinkPhase = "Disable"
	UnlinkPhaseUnlink  UnlinkPhase = "Unlink"
	UnlinkPhaseDelete  UnlinkPhase = "Delete"
	UnlinkPhaseCheck   UnlinkPhase = "Check"
)

// OffboardingStepStatus is how far a step is.
type OffboardingStepStatus struct {
	// name of the step.
	// +required
	Name OffboardingStepName `json:"name,omitempty"`
	// state of the step.
	// +required
	State StepState `json:"state,omitempty"`
	// startTime of the first attempt.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// endTime is when it was done.
	// +optional
	EndTime *metav1.Time `json:"endTime,omitempty"`
	// attempts that were begun.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Attempts int32 `json:"attempts,omitempty"`
	// overdueSince is when its time limit passed.
	// +optional
	OverdueSince *metav1.Time `json:"overdueSince,omitempty"`
	// message says what was done, or what is the matter.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// evidence that it was done: counts, hashes, ids of the platform; never personal data.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Evidence string `json:"evidence,omitempty"`
}

// StepState is how a step stands.
// +kubebuilder:validation:Enum=Pending;Running;Waiting;Done;Skipped
type StepState string

// RevokedRole is a role that somebody had.
type RevokedRole struct {
	// id of the role on the platform.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id,omitempty"`
	// scope are the ids of the departments that it reached; empty is the whole company.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Scope []string `json:"scope,omitempty"`
	// state is Held (by the person), or Revoked.
	// +required
	State RevokedState `json:"state,omitempty"`
	// bindingName of the PermissionBinding that the role is about: to who comes back the binding gives it, if it
	// still declares them, and nobody else does.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	BindingName string `json:"bindingName,omitempty"`
}

// RevokedState says whether a role was taken away.
// +kubebuilder:validation:Enum=Held;Revoked
type RevokedState string

// The states of a role.
const (
	RoleHeld    RevokedState = "Held"
	RoleRevoked RevokedState = "Revoked"
)

// ManualTask is something that no API does.
type ManualTask struct {
	// name to confirm it by, e.g. wecom/HandOver.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name,omitempty"`
	// step that waits for it.
	// +required
	Step OffboardingStepName `json:"step,omitempty"`
	// todo says what to do, and where.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Todo string `json:"todo,omitempty"`
	// confirmedTime is when Rollcall saw the confirmation.
	// +optional
	ConfirmedTime *metav1.Time `json:"confirmedTime,omitempty"`
	// confirmedBy is the field manager that wrote the confirmation.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	ConfirmedBy string `json:"confirmedBy,omitempty"`
}

// SentNotice is a notice that was begun.
type SentNotice struct {
	// to whom it went.
	// +required
	To NoticeTo `json:"to,omitempty"`
	// state is Sending, Sent, Unsent (nobody to send it to, or the platform refused) or Unknown (no answer,
	// and too late to send it again without it being a second message).
	// +required
	State NoticeState `json:"state,omitempty"`
	// startTime of the first attempt.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// sentTime is when the platform took it.
	// +optional
	SentTime *metav1.Time `json:"sentTime,omitempty"`
	// receipt is the platform's id of it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Receipt string `json:"receipt,omitempty"`
	// missed counts people whom it did not reach, as far as the platform tells. When omitted, it has not told yet, or
	// did not within the time in which it can be asked.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Missed *int32 `json:"missed,omitempty"`
	// asked is how often the platform was asked, after it took the notice, whom it missed.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3
	Asked int32 `json:"asked,omitempty"`
}

// NoticeState is how a notice stands.
// +kubebuilder:validation:Enum=Sending;Sent;Unsent;Unknown
type NoticeState string

// The states of a notice.
const (
	NoticeSending NoticeState = "Sending"
	NoticeSent    NoticeState = "Sent"
	NoticeUnsent  NoticeState = "Unsent"
	NoticeUnknown NoticeState = "Unknown"
)

// Rehearsal is what a leaving would do.
// +kubebuilder:validation:MinProperties=1
type Rehearsal struct {
	// time of the rehearsal.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
	// policyName that would apply.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	PolicyName string `json:"policyName,omitempty"`
	// successorName of the Employee who would take over.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SuccessorName string `json:"successorName,omitempty"`
	// calls to the platforms.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Calls *int32 `json:"calls,omitempty"`
	// seconds that they take at the current rate limits, grace and people's tasks not counted.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Seconds *int64 `json:"seconds,omitempty"`
	// steps on each account, in their order, and what would be done in each LinkedSystem.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=176
	Steps []RehearsedStep `json:"steps,omitempty"`
	// obstacles that would hold it up, in words.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Obstacles []string `json:"obstacles,omitempty"`
}

// RehearsedStep is a step that would be taken.
type RehearsedStep struct {
	// account or LinkedSystem that it would be taken on.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Account string `json:"account,omitempty"`
	// step that would be taken.
	// +required
	Step OffboardingStepName `json:"step,omitempty"`
	// what would be done, in words.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	What string `json:"what,omitempty"`
	// calls to the platform, by the platform's names.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Calls []string `json:"calls,omitempty"`
}

// OffboardingList is a list of Offboardings.
//
// +kubebuilder:object:root=true
type OffboardingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Offboarding `json:"items"`
}
