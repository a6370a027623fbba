package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Backup is one archive of one account: how it is made, where it lies, and the
// proof that it can be read.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=bk,categories=rollcall
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.spec.accountRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Progress",type=string,JSONPath=`.status.progress.text`
// +kubebuilder:printcolumn:name="Verified",type=string,JSONPath=`.status.conditions[?(@.type=="Verified")].status`
// +kubebuilder:printcolumn:name="Size",type=string,JSONPath=`.status.archive.sizeText`
// +kubebuilder:printcolumn:name="Hold",type=string,JSONPath=`.status.legalHold`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.expireTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Storage",type=string,JSONPath=`.spec.storageRef.name`,priority=1
// +kubebuilder:printcolumn:name="Schedule",type=string,JSONPath=`.metadata.labels.rollcall\.dev/schedule`,priority=1
// +kubebuilder:printcolumn:name="Archive",type=string,JSONPath=`.status.archive.key`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.accountRef.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.storageRef.name`
type Backup struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec says what to back up, and how long to keep it.
	// +required
	Spec BackupSpec `json:"spec,omitzero"`
	// status is how far it is, and the proof.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status BackupStatus `json:"status,omitempty,omitzero"`
}

// BackupSpec declares one backup. Only legalHold, expireAfterDays and
// deletionPolicy can be changed later.
//
// +kubebuilder:validation:XValidation:rule="has(self.people) == has(oldSelf.people) && (!has(self.people) || self.people == oldSelf.people)",message="people cannot be changed: one Backup is one archive; create another Backup"
// +kubebuilder:validation:XValidation:rule="has(self.datasets) == has(oldSelf.datasets) && (!has(self.datasets) || self.datasets == oldSelf.datasets)",message="datasets cannot be changed: one Backup is one archive; create another Backup"
// +kubebuilder:validation:XValidation:rule="has(self.lookbackDays) == has(oldSelf.lookbackDays) && (!has(self.lookbackDays) || self.lookbackDays == oldSelf.lookbackDays)",message="lookbackDays cannot be changed: one Backup is one archive; create another Backup"
// +kubebuilder:validation:XValidation:rule="has(self.archiveKey) == has(oldSelf.archiveKey) && (!has(self.archiveKey) || self.archiveKey == oldSelf.archiveKey)",message="archiveKey cannot be changed: one Backup is one archive; create another Backup"
type BackupSpec struct {
	// accountRef names the EnterpriseAccount to back up.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="accountRef cannot be changed: one Backup is one archive; create another Backup"
	AccountRef AccountReference `json:"accountRef,omitzero"`
	// storageRef names the BackupStorage that the archive goes to.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="storageRef cannot be changed: one Backup is one archive; create another Backup"
	StorageRef StorageReference `json:"storageRef,omitzero"`
	// datasets to export. The directory is always among them. When omitted, all that the
	// platform hands out; what it does not hand out is named in the archive's manifest.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Datasets []Dataset `json:"datasets,omitempty"`
	// people limits the backup to chosen people. When omitted, the whole account.
	// +optional
	People BackupPeople `json:"people,omitempty,omitzero"`
	// lookbackDays is how far back things with a time are exported: approvals, attendance,
	// reports, logs. The platforms' own limits apply. When omitted, 90.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	LookbackDays int32 `json:"lookbackDays,omitempty"`
	// expireAfterDays after which the archive and this object are deleted. When omitted, never.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=36500
	ExpireAfterDays int32 `json:"expireAfterDays,omitempty"`
	// legalHold keeps the archive whatever retention, expiry or a deletion says: Held or
	// Released. The hold is recorded beside the archive and outlives this object. When
	// omitted, a hold that lies there already stays, and none is laid: only Released ends one.
	// +optional
	LegalHold LegalHold `json:"legalHold,omitempty"`
	// deletionPolicy says what deleting this object does to the archive: Retain (it stays,
	// and this object is made again when the storage is next looked through) or Delete.
	// When omitted, Retain.
	// +optional
	DeletionPolicy ArchiveDeletionPolicy `json:"deletionPolicy,omitempty"`
	// archiveKey names an archive that exists already, as its folder in the storage:
	// nothing is exported, the archive is verified. Rollcall sets it on the Backups that it
	// makes for archives found in a storage.
	// +optional
	// +kubebuilder:validation:MinLength=7
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-0-9A-Za-z_=][-0-9A-Za-z_=.]*(/[-0-9A-Za-z_=][-0-9A-Za-z_=.]*){3}$')",message="archiveKey: write the archive's folder as status.archive.key shows it, e.g. acme/wecom/ww0123/20261125T020000Z-1a2b3c4d"
	ArchiveKey string `json:"archiveKey,omitempty"`
}

// BackupPeople chooses people.
// +kubebuilder:validation:MinProperties=1
type BackupPeople struct {
	// employeeRefs name Employees; each must be on the account.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	EmployeeRefs []EmployeeReference `json:"employeeRefs,omitempty"`
	// userIDs are user ids on the platform.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	UserIDs []string `json:"userIDs,omitempty"`
}

// LegalHold says whether an archive must be kept.
// +kubebuilder:validation:Enum=Held;Released
type LegalHold string

const (
	// LegalHoldHeld keeps the archive whatever else is said.
	LegalHoldHeld LegalHold = "Held"
	// LegalHoldReleased leaves it to retention, expiry and deletion.
	LegalHoldReleased LegalHold = "Released"
)

// ArchiveDeletionPolicy says what becomes of an archive when its Backup is deleted.
// +kubebuilder:validation:Enum=Retain;Delete
type ArchiveDeletionPolicy string

const (
	// ArchiveRetain leaves the archive.
	ArchiveRetain ArchiveDeletionPolicy = "Retain"
	// ArchiveDelete deletes it, and its copy.
	ArchiveDelete ArchiveDeletionPolicy = "Delete"
)

// BackupStatus is how far a backup is, and the proof.
// +kubebuilder:validation:MinProperties=1
type BackupStatus struct {
	// conditions are Ready, Reconciling and Stalled as kstatus reads them; Exported (the
	// archive is complete in the location), Copied (it is off-site too), Verified (it was
	// read back, decrypted and compared).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// origin is Created (by this Backup) or Adopted (the archive was there).
	// +optional
	Origin Origin `json:"origin,omitempty"`
	// attempts that were begun.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Attempts *int32 `json:"attempts,omitempty"`
	// startTime of the last attempt.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// completionTime is when the archive was verified.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// expireTime is when the archive and this object are deleted.
	// +optional
	ExpireTime *metav1.Time `json:"expireTime,omitempty"`
	// retryTime is when the next attempt begins, after one that failed.
	// +optional
	RetryTime *metav1.Time `json:"retryTime,omitempty"`
	// legalHold is what lies beside the archive, as last seen: Held or Released.
	// +optional
	LegalHold LegalHold `json:"legalHold,omitempty"`
	// progress of the attempt.
	// +optional
	Progress Progress `json:"progress,omitempty,omitzero"`
	// archive is where the archive lies and what it is.
	// +optional
	Archive Archive `json:"archive,omitempty,omitzero"`
	// datasets in the archive.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Datasets []BackupDataset `json:"datasets,omitempty"`
	// verification is the evidence of the last time that the archive was read back.
	// +optional
	Verification Verification `json:"verification,omitempty,omitzero"`
}

// Progress is how far something is.
// +kubebuilder:validation:MinProperties=1
type Progress struct {
	// done so far.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Done *int64 `json:"done,omitempty"`
	// total as far as it is known.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Total *int64 `json:"total,omitempty"`
	// text is "done/total" for tables.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	Text string `json:"text,omitempty"`
}

// Archive is an archive in a storage.
type Archive struct {
	// key is its folder in the location, and in the off-site one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Key string `json:"key,omitempty"`
	// time from which the archive is.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
	// sizeBytes of the encrypted file.
	// +optional
	// +kubebuilder:validation:Minimum=0
	SizeBytes *int64 `json:"sizeBytes,omitempty"`
	// sizeText is sizeBytes for tables, e.g. 1.4MiB.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	SizeText string `json:"sizeText,omitempty"`
	// sha256 of the encrypted file, as sha256sum prints it.
	// +optional
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	SHA256 string `json:"sha256,omitempty"`
	// format version of the archive.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Format int32 `json:"format,omitempty"`
	// platform that it was exported from.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Platform string `json:"platform,omitempty"`
	// tenant is the platform's id of the company (corpID).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Tenant string `json:"tenant,omitempty"`
}

// BackupDataset is what an archive has of one dataset.
type BackupDataset struct {
	// name of the dataset.
	// +required
	Name Dataset `json:"name,omitempty"`
	// items exported.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Items *int64 `json:"items,omitempty"`
	// gaps say what could not be exported, and why.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Gaps []string `json:"gaps,omitempty"`
}

// Verification is the evidence that an archive can be read.
type Verification struct {
	// time of the verification.
	// +required
	Time *metav1.Time `json:"time,omitempty"`
	// manifestSHA256 is the hash of the archive's manifest, which names the hash of every part.
	// +optional
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	ManifestSHA256 string `json:"manifestSHA256,omitempty"`
	// parts whose hash and count were compared.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Parts *int32 `json:"parts,omitempty"`
	// items that were read.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Items *int64 `json:"items,omitempty"`
	// sampled people who were compared with the platform.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Sampled *int32 `json:"sampled,omitempty"`
	// sampleEqual are those of them who were equal; others changed since, or the export is wrong.
	// +optional
	// +kubebuilder:validation:Minimum=0
	SampleEqual *int32 `json:"sampleEqual,omitempty"`
	// offsite says that the copy was read back as well: Verified or Absent.
	// +optional
	Offsite CopyState `json:"offsite,omitempty"`
}

// CopyState is how an off-site copy stands.
// +kubebuilder:validation:Enum=Verified;Absent
type CopyState string

const (
	// CopyVerified: the copy was read back and is equal.
	CopyVerified CopyState = "Verified"
	// CopyAbsent: there is none, or none was asked for.
	CopyAbsent CopyState = "Absent"
)

// BackupList is a list of Backups.
//
// +kubebuilder:object:root=true
type BackupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Backup `json:"items"`
}
