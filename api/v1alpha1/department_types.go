package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Department is one org unit, on one or several platforms. Renaming or moving it
// keeps its identity and its people.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dept,categories=rollcall
// +kubebuilder:printcolumn:name="Parent",type=string,JSONPath=`.spec.parentRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Code",type=string,JSONPath=`.spec.code`,priority=1
// +kubebuilder:printcolumn:name="Accounts",type=string,JSONPath=`.status.accountsReady`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Display Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.parentRef.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.code`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name: use at most 63 characters"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.parentRef) || self.spec.parentRef.name != self.metadata.name",message="parentRef: a department cannot be its own parent; leave parentRef out for a department directly under the company"
type Department struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec declares the org unit.
	// +required
	Spec DepartmentSpec `json:"spec,omitzero"`
	// status is what Rollcall last saw.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status DepartmentStatus `json:"status,omitempty,omitzero"`
}

// DepartmentSpec declares an org unit.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.accounts) || oldSelf.accounts.all(o, self.accounts.all(n, n.name != o.name || !has(o.departmentID) || (has(n.departmentID) && n.departmentID == o.departmentID)))",message="accounts[].departmentID cannot be changed or removed once set: it is the department's identity on the platform"
type DepartmentSpec struct {
	// displayName is the department's name on the platforms, e.g. 研发中心.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.trim() == self",message="displayName must not begin or end with a space"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\\\\\:*?\"<>|[:cntrl:]]')",message="displayName must not contain \\ : * ? \" < > | or line breaks: the platforms refuse them"
	DisplayName string `json:"displayName,omitempty"`
	// code stands for the department in employee numbers ({dept}).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Z]+$')",message="code: use upper-case letters and digits only, e.g. RD; it becomes part of employee numbers"
	Code string `json:"code,omitempty"`
	// parentRef names the department above. When omitted, the department is directly under the company.
	// +optional
	ParentRef DepartmentReference `json:"parentRef,omitempty,omitzero"`
	// order sorts siblings, the smallest first. When omitted, the platform decides.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	Order int32 `json:"order,omitempty"`
	// managers lead the department. They must be people in it.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Managers []EmployeeReference `json:"managers,omitempty"`
	// accounts lists the EnterpriseAccounts that the department is on. The department above must be on them too.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Accounts []DepartmentAccount `json:"accounts,omitempty"`
}

// DepartmentAccount puts a department on one EnterpriseAccount.
type DepartmentAccount struct {
	// name of the EnterpriseAccount.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the EnterpriseAccount object, e.g. wecom, not its corpID"
	Name string `json:"name,omitempty"`
	// departmentID pins an existing department of the platform. When omitted, a department with this
	// name under the same parent is adopted, or one is created.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[1-9][0-9]*$')",message="departmentID: write the platform's number of the department in quotes, e.g. '42'; '1' is the company itself"
	DepartmentID string `json:"departmentID,omitempty"`
	// adoptionPolicy for a department that exists already. When omitted, the EnterpriseAccount's.
	// +optional
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty"`
}

// DepartmentStatus is what Rollcall last saw of the department.
// +kubebuilder:validation:MinProperties=1
type DepartmentStatus struct {
	// conditions are Ready, Reconciling and Stalled as kstatus reads them.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// accountsReady is on how many of the accounts the department is as declared, e.g. 1/2.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=8
	AccountsReady string `json:"accountsReady,omitempty"`
	// accounts says how the department stands on each EnterpriseAccount.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Accounts []DepartmentAccountStatus `json:"accounts,omitempty"`
}

// DepartmentAccountStatus is a department on one EnterpriseAccount.
type DepartmentAccountStatus struct {
	// name of the EnterpriseAccount.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// departmentID is the platform's id.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	DepartmentID string `json:"departmentID,omitempty"`
	// origin says whether Rollcall created or adopted it.
	// +optional
	Origin Origin `json:"origin,omitempty"`
	// creating is what the platform was asked to create and has not confirmed. It is finished under this name and
	// below this department; what was declared since follows.
	// +optional
	Creating DepartmentCreation `json:"creating,omitempty,omitzero"`
	// reason is empty when the department is as declared; else why it is not (docs/reasons.md).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// message says in words what is the matter and what to do.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// differences names the declared fields that are not as declared.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Differences []string `json:"differences,omitempty"`
	// ignoredFields were written and silently ignored by the platform.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	IgnoredFields []string `json:"ignoredFields,omitempty"`
	// appliedVersion identifies the declaration that was last written in full.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	AppliedVersion string `json:"appliedVersion,omitempty"`
}

// DepartmentCreation is where a department was begun.
// +kubebuilder:validation:MinProperties=1
type DepartmentCreation struct {
	// displayName that was asked for.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	DisplayName string `json:"displayName,omitempty"`
	// parentID is the platform's id of the department above that was asked for.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	ParentID string `json:"parentID,omitempty"`
}

// DepartmentList is a list of Departments.
//
// +kubebuilder:object:root=true
type DepartmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Department `json:"items"`
}
