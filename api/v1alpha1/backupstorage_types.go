package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BackupStorage is where archives go: a local volume or an S3-compatible bucket,
// who can open them, and an optional second place that every archive is copied to.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=bst,categories=rollcall
// +kubebuilder:printcolumn:name="Location",type=string,JSONPath=`.status.location`
// +kubebuilder:printcolumn:name="Offsite",type=string,JSONPath=`.status.offsite`,priority=1
// +kubebuilder:printcolumn:name="Archives",type=integer,JSONPath=`.status.archives`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name: use at most 63 characters"
type BackupStorage struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec says where archives go and who can open them.
	// +required
	Spec BackupStorageSpec `json:"spec,omitzero"`
	// status is what Rollcall last saw.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status BackupStorageStatus `json:"status,omitempty,omitzero"`
}

// BackupStorageSpec declares a place for archives.
//
// +kubebuilder:validation:XValidation:rule="!has(self.offsite) || !has(self.offsite.local) || !has(self.location.local) || self.offsite.local.folder != self.location.local.folder",message="offsite must be another place than location: a copy in the same place is lost with it"
// +kubebuilder:validation:XValidation:rule="!has(self.offsite) || !has(self.offsite.s3) || !has(self.location.s3) || self.offsite.s3.bucket != self.location.s3.bucket || has(self.offsite.s3.endpoint) != has(self.location.s3.endpoint) || (has(self.offsite.s3.endpoint) && self.offsite.s3.endpoint != self.location.s3.endpoint)",message="offsite must be another place than location: a copy in the same place is lost with it"
type BackupStorageSpec struct {
	// location is where archives are written and read. It cannot be changed: archives do
	// not move by themselves; create another BackupStorage and copy them over.
	// +required
	Location StorageLocation `json:"location,omitzero"`
	// offsite is a second place that every archive is copied to before its Backup is Ready.
	// +optional
	Offsite StorageLocation `json:"offsite,omitempty,omitzero"`
	// encryption says who can open the archives. They are never written in the clear.
	// +required
	Encryption Encryption `json:"encryption,omitzero"`
	// probeIntervalSeconds is how often a canary is written, read back and deleted, and
	// archives that are new in the location are looked for. When omitted, 300.
	// +optional
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	ProbeIntervalSeconds int32 `json:"probeIntervalSeconds,omitempty"`
}

// StorageLocation is one place for archives.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="[has(self.local), has(self.s3)].filter(x, x).size() == 1",message="set exactly one of local (a volume of the manager) and s3 (a bucket)"
// +kubebuilder:validation:XValidation:rule="has(self.local) == has(oldSelf.local)",message="the place of archives cannot be changed: create another BackupStorage and copy the archives over"
type StorageLocation struct {
	// local is a folder on the volume that the manager was given for backups (its flag --backup-directory).
	// +optional
	Local LocalVolume `json:"local,omitempty,omitzero"`
	// s3 is a bucket of an S3-compatible service: Aliyun OSS, Tencent COS, MinIO, AWS.
	// +optional
	S3 S3Bucket `json:"s3,omitempty,omitzero"`
}

// LocalVolume is a folder on the manager's backup volume.
type LocalVolume struct {
	// folder under the manager's backup directory, e.g. acme or offsite/acme.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9_]*[a-z0-9])?(/[a-z0-9]([-a-z0-9_]*[a-z0-9])?)*$')",message="folder: write names of lower-case letters, digits, - and _ with / between them, e.g. acme or offsite/acme; it lies under the manager's backup directory"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="folder cannot be changed: create another BackupStorage and copy the archives over"
	Folder string `json:"folder,omitempty"`
}

// S3Bucket is a prefix in a bucket.
//
// +kubebuilder:validation:XValidation:rule="has(self.prefix) == has(oldSelf.prefix)",message="prefix cannot be changed: create another BackupStorage and copy the archives over"
type S3Bucket struct {
	// bucket name. It must exist: Rollcall makes no buckets.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9][-a-z0-9.]*[a-z0-9]$')",message="bucket: write the bucket's name only, e.g. acme-archives, without s3:// and without a path"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="bucket cannot be changed: create another BackupStorage and copy the archives over"
	Bucket string `json:"bucket,omitempty"`
	// prefix in the bucket, e.g. rollcall/acme. When omitted, the whole bucket.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z][-0-9A-Za-z_]*(/[0-9A-Za-z][-0-9A-Za-z_]*)*$')",message="prefix: write names of letters, digits, - and _ with / between them, without a slash at the ends, e.g. rollcall/acme"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="prefix cannot be changed: create another BackupStorage and copy the archives over"
	Prefix string `json:"prefix,omitempty"`
	// region of the bucket, e.g. cn-shanghai. When omitted, us-east-1, which most
	// self-hosted services take for granted.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9][-a-z0-9]*$')",message="region: write the region's id, e.g. cn-shanghai or ap-guangzhou"
	Region string `json:"region,omitempty"`
	// endpoint of the service, e.g. https://oss-cn-shanghai.aliyuncs.com or
	// https://cos.ap-guangzhou.myqcloud.com. When omitted, that of AWS.
	// +optional
	Endpoint Endpoint `json:"endpoint,omitempty"`
	// addressing says where the bucket's name stands in a request: VirtualHost
	// (bucket.endpoint, which Aliyun OSS and Tencent COS demand) or Path
	// (endpoint/bucket, as MinIO and most self-hosted services have it). When omitted,
	// VirtualHost.
	// +optional
	Addressing Addressing `json:"addressing,omitempty"`
	// caBundle holds PEM certificates of the authorities to trust instead of the system's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +kubebuilder:validation:XValidation:rule="self.startsWith('-----BEGIN CERTIFICATE-----')",message="caBundle must be PEM text that begins with -----BEGIN CERTIFICATE-----"
	CABundle string `json:"caBundle,omitempty"`
	// credentialsSecretRef names the Secret with the keys accessKeyID and secretAccessKey.
	// +required
	CredentialsSecretRef SecretReference `json:"credentialsSecretRef,omitzero"`
}

// Addressing says where a bucket's name stands in a request.
// +kubebuilder:validation:Enum=VirtualHost;Path
type Addressing string

const (
	// AddressingVirtualHost puts the bucket into the host name.
	AddressingVirtualHost Addressing = "VirtualHost"
	// AddressingPath puts the bucket into the path.
	AddressingPath Addressing = "Path"
)

// Encryption says who can open archives, in the terms of age (age-encryption.org).
type Encryption struct {
	// identitySecretRef names the Secret whose key "identity" holds one or more age
	// identities (AGE-SECRET-KEY-1…), a line each, the newest first, as age-keygen prints
	// them. New archives are encrypted to the first; all of them are tried when an archive
	// is read, so that a key is rotated by putting a new one on top. Keep a copy elsewhere:
	// without an identity nobody can open an archive.
	// +required
	IdentitySecretRef SecretReference `json:"identitySecretRef,omitzero"`
	// recipients are further age recipients (age1…) who can open new archives with
	// identities that Rollcall never sees, e.g. one kept in a safe.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=62
	// +kubebuilder:validation:items:MaxLength=62
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.matches('^age1[0-9a-z]{58}$'))",message="recipients: write public keys as age-keygen prints them, age1 and 58 letters and digits; a secret key (AGE-SECRET-KEY-1…) belongs into the Secret"
	Recipients []string `json:"recipients,omitempty"`
}

// BackupStorageStatus is what Rollcall last saw of the place.
// +kubebuilder:validation:MinProperties=1
type BackupStorageStatus struct {
	// conditions are Ready, Reconciling and Stalled as kstatus reads them; Available and
	// OffsiteAvailable (a canary was written, read back and deleted, and how fast);
	// Exclusive (nobody else writes there).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// location in words, e.g. s3://acme-archives/rollcall.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Location string `json:"location,omitempty"`
	// offsite location in words.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Offsite string `json:"offsite,omitempty"`
	// archives counts the complete archives of this namespace in the location.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Archives *int32 `json:"archives,omitempty"`
	// recipients are all who can open new archives: that of the first identity, and the declared ones.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=17
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Recipients []string `json:"recipients,omitempty"`
}

// BackupStorageList is a list of BackupStorages.
//
// +kubebuilder:object:root=true
type BackupStorageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BackupStorage `json:"items"`
}
