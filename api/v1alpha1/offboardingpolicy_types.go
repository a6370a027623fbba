package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OffboardingPolicy says how people leave: which steps, in what time, who is told,
// who has to agree. A leaving that has begun keeps the terms that it began with.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=op,categories=rollcall
// +kubebuilder:printcolumn:name="Applies",type=string,JSONPath=`.spec.appliesTo`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Unannounced",type=string,JSONPath=`.spec.unannouncedDeletion`
// +kubebuilder:printcolumn:name="Grace",type=integer,JSONPath=`.spec.graceSeconds`
// +kubebuilder:printcolumn:name="People",type=integer,JSONPath=`.status.people`
// +kubebuilder:printcolumn:name="Leaving",type=integer,JSONPath=`.status.leaving`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name: use at most 63 characters"
type OffboardingPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec says how people leave.
	// +required
	Spec OffboardingPolicySpec `json:"spec,omitzero"`
	// status is what Rollcall last saw.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status OffboardingPolicyStatus `json:"status,omitempty,omitzero"`
}

// OffboardingPolicySpec declares how people leave, and who they are.
//
// +kubebuilder:validation:XValidation:rule="has(self.matchLabels) == (self.appliesTo == 'Selected')",message="matchLabels goes with appliesTo: Selected, and only with it"
// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || self.matchLabels.all(key, !format.qualifiedName().validate(key).hasValue() && !format.labelValue().validate(self.matchLabels[key]).hasValue())",message="matchLabels: no label looks like this; write keys and values as kubectl get emp --show-labels shows them, e.g. team: sales"
type OffboardingPolicySpec struct {
	// appliesTo is Default (everybody whom no other policy takes; one in a namespace), Selected
	// (Employees with matching labels) or Named (Employees that name it in spec.offboarding.policyRef).
	// A named policy goes before a selected one, that before the default. Of several selected ones the
	// first by name applies, and all of them say so.
	// +required
	AppliesTo PolicyScope `json:"appliesTo,omitempty"`
	// matchLabels are the labels that Employees have whom the policy takes, all of them.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=8
	MatchLabels map[string]LabelValue `json:"matchLabels,omitempty"`

	OffboardingTerms `json:",inline"`
}

// LabelValue is the value of a label.
// +kubebuilder:validation:MaxLength=63
type LabelValue string

// PolicyScope says to whom a policy applies.
// +kubebuilder:validation:Enum=Default;Selected;Named
type PolicyScope string

// The scopes of a policy.
const (
	PolicyDefault  PolicyScope = "Default"
	PolicySelected PolicyScope = "Selected"
	PolicyNamed    PolicyScope = "Named"
)

// OffboardingTerms are the terms of a leaving.
//
// +kubebuilder:validation:XValidation:rule="has(self.administrators) == (has(self.notices) && self.notices.exists(n, n.to == 'Administrators'))",message="administrators are told by a notice to Administrators: write both, or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.notices) || !has(self.skipSteps) || !self.skipSteps.exists(s, s == 'Notify')",message="notices: nobody is told while Notify is in skipSteps; leave one of the two out"
// +kubebuilder:validation:XValidation:rule="!has(self.successors) || has(self.successorRef) == self.successors.exists(s, s == 'Fallback')",message="successorRef is who takes over by the rule Fallback: write both, or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.finalAction) || self.finalAction != 'Keep' || !has(self.unfreezable) || self.unfreezable != 'RemoveEarly'",message="unfreezable: with finalAction: Keep no account is removed, early or late; write unfreezable: Keep"
// +kubebuilder:validation:XValidation:rule="!has(self.backup.expireAfterDays) || self.backup.expireAfterDays * 86400 > (has(self.graceSeconds) ? self.graceSeconds : 604800)",message="backup.expireAfterDays: the archive would go before grace is over, and no account is deleted without one; keep it longer than graceSeconds"
// +kubebuilder:validation:XValidation:rule="!has(self.timeLimits) || !self.timeLimits.exists(l, l.step == 'Grace')",message="timeLimits: Grace takes graceSeconds; leave its limit out"
type OffboardingTerms struct {
	// backup that is made of each account before it may be deleted.
	// +required
	Backup OffboardingBackup `json:"backup,omitzero"`
	// skipSteps that are not taken. Freeze, Backup (see backup.mode), Grace (see graceSeconds) and
	// DeleteAccount (see finalAction) cannot be skipped here.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	SkipSteps []SkippableStep `json:"skipSteps,omitempty"`
	// graceSeconds between the last step that can be undone without a trace and the deletion. During
	// grace declaring the person again cancels. When omitted, 604800 (a week).
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	GraceSeconds *int64 `json:"graceSeconds,omitempty"`
	// finalAction after grace: Delete the account, or Keep it as it is then (frozen where the platform
	// can). When omitted, Delete.
	// +optional
	FinalAction FinalAction `json:"finalAction,omitempty"`
	// unfreezable says what happens to an account that the platform cannot freeze, such as DingTalk's
	// ordinary ones: Keep it, usable, until grace ends, or RemoveEarly, as soon as it is backed up and
	// handed over. When omitted, Keep. Either way the Offboarding says it.
	// +optional
	Unfreezable Unfreezable `json:"unfreezable,omitempty"`
	// unannouncedDeletion says what deleting an Employee means who was not declared Departed before:
	// Offboard (it is a leaving like any other, within the account's removalLimits), Hold (nothing
	// happens until somebody approves it) or Retain (the accounts stay as they are). When omitted, Offboard.
	// +optional
	UnannouncedDeletion UnannouncedDeletion `json:"unannouncedDeletion,omitempty"`
	// approval says which cases wait for somebody's decision.
	// +optional
	Approval OffboardingApproval `json:"approval,omitempty,omitzero"`
	// successors says who takes over, the first rule that finds somebody: Named (the Employee's
	// spec.offboarding.successorRef), Manager, DepartmentHead (of the primary department, or of those
	// above it), Fallback (successorRef here). When omitted, all of them in this order. Who leaves
	// themselves or has no account there is passed over. Where nobody is found, hand-over is a manual task.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Successors []SuccessorRule `json:"successors,omitempty"`
	// successorRef names who takes over by the rule Fallback.
	// +optional
	SuccessorRef EmployeeReference `json:"successorRef,omitempty,omitzero"`
	// notices that are sent through the platforms' own messages, each once.
	// +optional
	// +listType=map
	// +listMapKey=to
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Notices []Notice `json:"notices,omitempty"`
	// administrators are told by notices to Administrators.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	Administrators []EmployeeReference `json:"administrators,omitempty"`
	// timeLimits after which a step that is not done is called overdue. Nothing is skipped then. When
	// omitted, a day for each step; Grace has its own.
	// +optional
	// +listType=map
	// +listMapKey=step
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	TimeLimits []StepTimeLimit `json:"timeLimits,omitempty"`
	// unlinkRetrySeconds is how long unlinking is tried in a LinkedSystem that is down, or refuses, before it
	// becomes a task for a person. When omitted, 86400 (a day).
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	UnlinkRetrySeconds *int64 `json:"unlinkRetrySeconds,omitempty"`
	// releaseAfterSeconds is how long the deletion of an Employee waits for the steps up to Notify,
	// before the Offboarding goes on alone. When omitted, 120.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	ReleaseAfterSeconds *int64 `json:"releaseAfterSeconds,omitempty"`
}

// OffboardingBackup says what is backed up of somebody who leaves.
//
// +kubebuilder:validation:XValidation:rule="has(self.storageRef) == (self.mode == 'Required')",message="storageRef: name the BackupStorage with mode: Required; leave it out with mode: None"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Required' || !(has(self.datasets) || has(self.lookbackDays) || has(self.expireAfterDays) || has(self.legalHold))",message="with mode: None nothing is backed up: leave datasets, lookbackDays, expireAfterDays and legalHold out"
type OffboardingBackup struct {
	// mode is Required (no account is deleted before a backup of it was written, read back, decrypted
	// and compared) or None (accounts are deleted without one: what was only there is lost).
	// +required
	Mode BackupMode `json:"mode,omitempty"`
	// storageRef names the BackupStorage that the archives go to.
	// +optional
	StorageRef StorageReference `json:"storageRef,omitempty,omitzero"`
	// datasets to back up. When omitted, all that the platform hands out of one person.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Datasets []Dataset `json:"datasets,omitempty"`
	// lookbackDays is how far back things with a time are exported. When omitted, 90.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	LookbackDays int32 `json:"lookbackDays,omitempty"`
	// expireAfterDays after which the archives are deleted. When omitted, never.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=36500
	ExpireAfterDays int32 `json:"expireAfterDays,omitempty"`
	// legalHold Held keeps the archives whatever retention, expiry or a deletion says.
	// +optional
	LegalHold LegalHold `json:"legalHold,omitempty"`
}

// BackupMode says whether a backup goes before a deletion.
// +kubebuilder:validation:Enum=Required;None
type BackupMode string

// The modes of a backup before leaving.
const (
	BackupRequired BackupMode = "Required"
	BackupNone     BackupMode = "None"
)

// SkippableStep is a step that a policy may leave out.
// +kubebuilder:validation:Enum=HandOver;RevokePermissions;UnlinkSystems;Notify;ResidualCheck
type SkippableStep string

// FinalAction says what happens to an account after grace.
// +kubebuilder:validation:Enum=Delete;Keep
type FinalAction string

// The final actions.
const (
	FinalDelete FinalAction = "Delete"
	FinalKeep   FinalAction = "Keep"
)

// Unfreezable says what happens to an account that cannot be frozen.
// +kubebuilder:validation:Enum=Keep;RemoveEarly
type Unfreezable string

// What happens to an account that cannot be frozen.
const (
	UnfreezableKeep        Unfreezable = "Keep"
	UnfreezableRemoveEarly Unfreezable = "RemoveEarly"
)

// UnannouncedDeletion says what deleting somebody who was not declared Departed means.
// +kubebuilder:validation:Enum=Offboard;Hold;Retain
type UnannouncedDeletion string

// The meanings of an unannounced deletion.
const (
	UnannouncedOffboard UnannouncedDeletion = "Offboard"
	UnannouncedHold     UnannouncedDeletion = "Hold"
	UnannouncedRetain   UnannouncedDeletion = "Retain"
)

// OffboardingApproval says what waits for a decision, and whose.
type OffboardingApproval struct {
	// requiredFor are the cases that wait: Departure (somebody is declared Departed), Deletion (an
	// Employee is deleted without that), AccountRemoval (an account is taken off spec.accounts): there
	// nothing at all happens before; DeleteAccount: the account is frozen and all else done, but not deleted.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	RequiredFor []ApprovalCase `json:"requiredFor,omitempty"`
	// approverGroups are groups of the cluster's users; who approves has to be in one of them, beside
	// having the verb approve. When omitted, the verb is enough.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	ApproverGroups []string `json:"approverGroups,omitempty"`
	// requesters are user names of the cluster that change the organisation, such as the one that applies
	// Git: none of them approves.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Requesters []string `json:"requesters,omitempty"`
	// expireAfterSeconds is how long a decision may take, and how long an approval is good for. When
	// omitted, 604800 (a week).
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	ExpireAfterSeconds int64 `json:"expireAfterSeconds,omitempty"`
}

// ApprovalCase is a case that waits for a decision.
// +kubebuilder:validation:Enum=Departure;Deletion;AccountRemoval;DeleteAccount
type ApprovalCase string

// The cases that can wait for a decision.
const (
	CaseDeparture      ApprovalCase = "Departure"
	CaseDeletion       ApprovalCase = "Deletion"
	CaseAccountRemoval ApprovalCase = "AccountRemoval"
	CaseDeleteAccount  ApprovalCase = "DeleteAccount"
)

// SuccessorRule says where a successor is found.
// +kubebuilder:validation:Enum=Named;Manager;DepartmentHead;Fallback
type SuccessorRule string

// The rules for successors.
const (
	SuccessorNamed          SuccessorRule = "Named"
	SuccessorManager        SuccessorRule = "Manager"
	SuccessorDepartmentHead SuccessorRule = "DepartmentHead"
	SuccessorFallback       SuccessorRule = "Fallback"
)

// Notice is a message about a leaving.
type Notice struct {
	// to is Leaver, Manager, Successor or Administrators.
	// +required
	To NoticeTo `json:"to,omitempty"`
	// language of the text that Rollcall has for this: zh or en. When omitted, zh.
	// +optional
	Language NoticeLanguage `json:"language,omitempty"`
	// text to send instead of Rollcall's own. {name}, {number}, {account}, {successor} and {date} (the day
	// on which the account is deleted) stand for what they say; write {{ for an opening brace.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="self.matches('^([^{]|[{][{]|[{](name|number|account|successor|date)[}])*$')",message="text: only {name}, {number}, {account}, {successor} and {date} are known; write {{ for an opening brace"
	// +kubebuilder:validation:XValidation:rule="self.trim() != ''",message="text: write something, or leave text out for Rollcall's own"
	Text string `json:"text,omitempty"`
}

// NoticeTo says who is told.
// +kubebuilder:validation:Enum=Leaver;Manager;Successor;Administrators
type NoticeTo string

// Who is told.
const (
	NoticeLeaver         NoticeTo = "Leaver"
	NoticeManager        NoticeTo = "Manager"
	NoticeSuccessor      NoticeTo = "Successor"
	NoticeAdministrators NoticeTo = "Administrators"
)

// NoticeLanguage is a language that Rollcall has texts in.
// +kubebuilder:validation:Enum=zh;en
type NoticeLanguage string

// The languages of notices.
const (
	NoticeChinese NoticeLanguage = "zh"
	NoticeEnglish NoticeLanguage = "en"
)

// StepTimeLimit is how long a step may take.
type StepTimeLimit struct {
	// step that is limited.
	// +required
	Step OffboardingStepName `json:"step,omitempty"`
	// seconds that it may take.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	Seconds int64 `json:"seconds,omitempty"`
}

// OffboardingPolicyStatus is what Rollcall last saw of a policy.
// +kubebuilder:validation:MinProperties=1
type OffboardingPolicyStatus struct {
	// conditions are Ready (what the policy refers to is there, and nothing contests it), Reconciling
	// and Stalled as kstatus reads them.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// people to whom the policy applies.
	// +optional
	// +kubebuilder:validation:Minimum=0
	People *int32 `json:"people,omitempty"`
	// leaving counts Offboardings by this policy that are not over.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Leaving *int32 `json:"leaving,omitempty"`
}

// OffboardingPolicyList is a list of OffboardingPolicies.
//
// +kubebuilder:object:root=true
type OffboardingPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []OffboardingPolicy `json:"items"`
}
