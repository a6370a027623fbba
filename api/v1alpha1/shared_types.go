package v1alpha1

// Finalizer is held by Rollcall on every object whose deletion it must see.
const Finalizer = "rollcall.dev/finalizer"

// CredentialsFinalizer keeps a Secret while an EnterpriseAccount or a BackupStorage uses it.
const CredentialsFinalizer = "rollcall.dev/credentials-in-use"

// ScheduleLabel names, on a Backup, the BackupSchedule that made it.
const ScheduleLabel = "rollcall.dev/schedule"

// OffboardingLabel names, on a Backup, the Offboarding that it was made for.
const OffboardingLabel = "rollcall.dev/offboarding"

// SecretReference names a Secret in the same namespace.
type SecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the Secret object, e.g. wecom-credentials"
	Name string `json:"name,omitempty"`
}

// DepartmentReference names a Department in the same namespace.
type DepartmentReference struct {
	// name of the Department object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the Department object, e.g. rd-platform, not its display name"
	Name string `json:"name,omitempty"`
}

// EmployeeReference names an Employee in the same namespace.
type EmployeeReference struct {
	// name of the Employee object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the Employee object, e.g. zhang-wei, not the person's name or number"
	Name string `json:"name,omitempty"`
}

// NumberRuleReference names an EmployeeNumberRule in the same namespace.
type NumberRuleReference struct {
	// name of the EmployeeNumberRule object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the EmployeeNumberRule object, e.g. by-department"
	Name string `json:"name,omitempty"`
}

// AdoptionPolicy says what happens when the platform already has what is declared.
// +kubebuilder:validation:Enum=Review;Overwrite;Never
type AdoptionPolicy string

const (
	// AdoptionReview adopts what is equal; what differs is shown and left alone
	// until the declaration agrees or the policy becomes Overwrite.
	AdoptionReview AdoptionPolicy = "Review"
	// AdoptionOverwrite adopts and makes the platform equal to the declaration.
	AdoptionOverwrite AdoptionPolicy = "Overwrite"
	// AdoptionNever refuses: an existing account is a conflict.
	AdoptionNever AdoptionPolicy = "Never"
)

// Origin says how something on a platform became ours.
// +kubebuilder:validation:Enum=Creating;Created;Adopted
type Origin string

const (
	// OriginCreating is recorded before the platform is asked to create.
	OriginCreating Origin = "Creating"
	// OriginCreated is what Rollcall created.
	OriginCreated Origin = "Created"
	// OriginAdopted is what was there before.
	OriginAdopted Origin = "Adopted"
)

// AccountReference names an EnterpriseAccount in the same namespace.
type AccountReference struct {
	// name of the EnterpriseAccount object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the EnterpriseAccount object, e.g. wecom"
	Name string `json:"name,omitempty"`
}

// StorageReference names a BackupStorage in the same namespace.
type StorageReference struct {
	// name of the BackupStorage object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the BackupStorage object, e.g. archives"
	Name string `json:"name,omitempty"`
}

// PolicyReference names an OffboardingPolicy in the same namespace.
type PolicyReference struct {
	// name of the OffboardingPolicy object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the OffboardingPolicy object, e.g. standard"
	Name string `json:"name,omitempty"`
}

// BackupReference names a Backup in the same namespace.
type BackupReference struct {
	// name of the Backup object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the Backup object, as kubectl get bk shows it"
	Name string `json:"name,omitempty"`
}

// Dataset is a kind of data that a platform keeps. docs/providers says which platform hands out which.
// +kubebuilder:validation:Enum=Directory;Approvals;Attendance;Reports;Roster;Groups;Calendars;Files;OperationLogs;Messages
type Dataset string
