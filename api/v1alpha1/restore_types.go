package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Restore brings what an archive holds back: onto its own account, onto another
// one, also of another platform, or as manifests for Git. It begins with a dry run.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rst,categories=rollcall
// +kubebuilder:printcolumn:name="Backup",type=string,JSONPath=`.spec.backupRef.name`
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.status.target`
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.status.action`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Create",type=integer,JSONPath=`.status.plan.create`
// +kubebuilder:printcolumn:name="Change",type=integer,JSONPath=`.status.plan.change`
// +kubebuilder:printcolumn:name="Keep",type=integer,JSONPath=`.status.plan.keep`
// +kubebuilder:printcolumn:name="Impossible",type=integer,JSONPath=`.status.plan.impossible`
// +kubebuilder:printcolumn:name="Conflicts",type=integer,JSONPath=`.status.plan.conflicts`
// +kubebuilder:printcolumn:name="Progress",type=string,JSONPath=`.status.progress.text`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Report",type=string,JSONPath=`.status.reportKey`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.backupRef.name`
type Restore struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec says what to restore where.
	// +required
	Spec RestoreSpec `json:"spec,omitzero"`
	// status is what would be done, or was.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status RestoreStatus `json:"status,omitempty,omitzero"`
}

// RestoreSpec declares one restore. Only action (from DryRun to Execute) and
// planDigest can be changed later.
//
// +kubebuilder:validation:XValidation:rule="has(self.target) == has(oldSelf.target) && (!has(self.target) || self.target == oldSelf.target)",message="target cannot be changed: create another Restore"
// +kubebuilder:validation:XValidation:rule="has(self.select) == has(oldSelf.select) && (!has(self.select) || self.select == oldSelf.select)",message="select cannot be changed: create another Restore"
// +kubebuilder:validation:XValidation:rule="has(self.existing) == has(oldSelf.existing) && (!has(self.existing) || self.existing == oldSelf.existing)",message="existing cannot be changed: create another Restore"
// +kubebuilder:validation:XValidation:rule="has(self.conflicts) == has(oldSelf.conflicts) && (!has(self.conflicts) || self.conflicts == oldSelf.conflicts)",message="conflicts cannot be changed: create another Restore"
// +kubebuilder:validation:XValidation:rule="!has(self.target) || !has(self.target.manifests) || !has(self.select) || !has(self.select.kinds)",message="select.kinds: manifests are Departments and Employees that refer to each other; leave kinds out, or choose with userIDs and departmentIDs"
// +kubebuilder:validation:XValidation:rule="!has(self.target) || !has(self.target.manifests) || !has(self.existing) && !has(self.conflicts)",message="existing and conflicts are about an account, and manifests change none: leave them out"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.action) || oldSelf.action != 'Execute' || (has(self.action) && self.action == 'Execute')",message="action: what is being executed cannot become a dry run again; delete this Restore to stop it"
type RestoreSpec struct {
	// backupRef names the Backup whose archive is restored.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="backupRef cannot be changed: create another Restore"
	BackupRef BackupReference `json:"backupRef,omitzero"`
	// action is DryRun (say what would be done) or Execute (do it). When omitted, DryRun.
	// +optional
	Action RestoreAction `json:"action,omitempty"`
	// planDigest allows the plan with this digest only, as status.plan.digest of the dry run
	// shows it. If the account changed since, nothing is done. When omitted, the plan of the moment is executed.
	// +optional
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=64
	PlanDigest string `json:"planDigest,omitempty"`
	// target is where to restore. When omitted, the account that was backed up.
	// +optional
	Target RestoreTarget `json:"target,omitempty,omitzero"`
	// select chooses what of the archive is restored. When omitted, all of the directory.
	// +optional
	Select RestoreSelection `json:"select,omitempty,omitzero"`
	// existing says what happens to people, departments and roles who exist and differ:
	// Keep (they are newer than the archive) or Overwrite. When omitted, Keep.
	// +optional
	Existing ExistingPolicy `json:"existing,omitempty"`
	// conflicts says what happens when something cannot be restored because somebody else
	// has what must be unique: Stop (nothing at all is done) or Skip. When omitted, Stop.
	// +optional
	Conflicts ConflictPolicy `json:"conflicts,omitempty"`
}

// RestoreAction says whether a restore is carried out.
// +kubebuilder:validation:Enum=DryRun;Execute
type RestoreAction string

const (
	// RestoreDryRun says what would be done.
	RestoreDryRun RestoreAction = "DryRun"
	// RestoreExecute does it.
	RestoreExecute RestoreAction = "Execute"
)

// ExistingPolicy says what happens to what exists and differs.
// +kubebuilder:validation:Enum=Keep;Overwrite
type ExistingPolicy string

const (
	// ExistingKeep leaves it.
	ExistingKeep ExistingPolicy = "Keep"
	// ExistingOverwrite makes it as it was.
	ExistingOverwrite ExistingPolicy = "Overwrite"
)

// ConflictPolicy says what happens to what cannot be restored.
// +kubebuilder:validation:Enum=Stop;Skip
type ConflictPolicy string

const (
	// ConflictStop does nothing at all.
	ConflictStop ConflictPolicy = "Stop"
	// ConflictSkip does the rest.
	ConflictSkip ConflictPolicy = "Skip"
)

// RestoreTarget is where to restore.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="[has(self.accountRef), has(self.manifests)].filter(x, x).size() == 1",message="set exactly one of accountRef (restore onto an account) and manifests (write YAML for Git)"
type RestoreTarget struct {
	// accountRef names an EnterpriseAccount, also one of another platform.
	// +optional
	AccountRef AccountReference `json:"accountRef,omitempty,omitzero"`
	// manifests writes Departments and Employees as YAML into an encrypted archive beside the
	// backup (status.reportKey), to be opened with age, zstd and tar and put into Git.
	// +optional
	Manifests ManifestTarget `json:"manifests,omitempty,omitzero"`
}

// ManifestTarget says how manifests are written.
type ManifestTarget struct {
	// accounts are the names of the EnterpriseAccounts that the manifests list.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Accounts []string `json:"accounts,omitempty"`
}

// RestoreSelection chooses what is restored.
// +kubebuilder:validation:MinProperties=1
type RestoreSelection struct {
	// kinds to restore, not with target.manifests. When omitted, all: Departments, People, Memberships (who is in which
	// department and reports to whom) and Roles (with their holders).
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Kinds []RestoreKind `json:"kinds,omitempty"`
	// userIDs of people, as in the archive. When omitted, everybody.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	UserIDs []string `json:"userIDs,omitempty"`
	// departmentIDs of departments, as in the archive, each with all that is under it and everybody in it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	DepartmentIDs []string `json:"departmentIDs,omitempty"`
}

// RestoreKind is a kind of thing in a directory.
// +kubebuilder:validation:Enum=Departments;People;Memberships;Roles
type RestoreKind string

const (
	// RestoreDepartments are the org units.
	RestoreDepartments RestoreKind = "Departments"
	// RestorePeople are the accounts.
	RestorePeople RestoreKind = "People"
	// RestoreMemberships say who is in which department and reports to whom.
	RestoreMemberships RestoreKind = "Memberships"
	// RestoreRoles are roles and their holders.
	RestoreRoles RestoreKind = "Roles"
)

// RestoreStatus is what would be done, or was.
// +kubebuilder:validation:MinProperties=1
type RestoreStatus struct {
	// conditions are Ready, Reconciling and Stalled as kstatus reads them; Planned (the dry
	// run is done), Restored (the plan was executed and read back).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// target in words: an account's name, or manifests.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Target string `json:"target,omitempty"`
	// action in force.
	// +optional
	Action RestoreAction `json:"action,omitempty"`
	// startTime of the execution, recorded before anything is changed.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// retryTime is when it is tried again, after a failure.
	// +optional
	RetryTime *metav1.Time `json:"retryTime,omitempty"`
	// failures in a row.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Failures *int32 `json:"failures,omitempty"`
	// completionTime of the dry run or the execution.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// plan counts what would be done, or was.
	// +optional
	Plan RestorePlan `json:"plan,omitempty,omitzero"`
	// progress of the execution.
	// +optional
	Progress Progress `json:"progress,omitempty,omitzero"`
	// items of the plan, the first 100, what needs somebody first: conflicts, impossible, change, create.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Items []RestoreItem `json:"items,omitempty"`
	// reportKey is where the whole report lies in the storage, encrypted as archives are.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	ReportKey string `json:"reportKey,omitempty"`
}

// RestorePlan counts the items of a plan.
type RestorePlan struct {
	// digest of the plan.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest,omitempty"`
	// create so many.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Create *int32 `json:"create,omitempty"`
	// change so many.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Change *int32 `json:"change,omitempty"`
	// keep so many as they are.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Keep *int32 `json:"keep,omitempty"`
	// impossible so many: the target has no place for them, or no API.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Impossible *int32 `json:"impossible,omitempty"`
	// conflicts so many: somebody else has what must be unique.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Conflicts *int32 `json:"conflicts,omitempty"`
	// failed so many when it was executed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Failed *int32 `json:"failed,omitempty"`
}

// RestoreItem is one thing of a plan.
type RestoreItem struct {
	// verdict on it.
	// +required
	Verdict RestoreVerdict `json:"verdict,omitempty"`
	// kind of the thing.
	// +required
	Kind RestoreKind `json:"kind,omitempty"`
	// id in the archive.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	ID string `json:"id,omitempty"`
	// targetID is the id on the target, where it is another.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	TargetID string `json:"targetID,omitempty"`
	// fields concerned.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=24
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Fields []string `json:"fields,omitempty"`
	// message says why.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// RestoreVerdict says what becomes of a thing.
// +kubebuilder:validation:Enum=Conflict;Impossible;Change;Create;Keep;Failed
type RestoreVerdict string

const (
	// VerdictConflict: somebody else has what must be unique.
	VerdictConflict RestoreVerdict = "Conflict"
	// VerdictImpossible: the target has no place for it, or no API.
	VerdictImpossible RestoreVerdict = "Impossible"
	// VerdictChange: it exists and is made as it was.
	VerdictChange RestoreVerdict = "Change"
	// VerdictCreate: it is made.
	VerdictCreate RestoreVerdict = "Create"
	// VerdictKeep: it exists and is left alone.
	VerdictKeep RestoreVerdict = "Keep"
	// VerdictFailed: it was tried, and the platform refused.
	VerdictFailed RestoreVerdict = "Failed"
)

// RestoreList is a list of Restores.
//
// +kubebuilder:object:root=true
type RestoreList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Restore `json:"items"`
}
