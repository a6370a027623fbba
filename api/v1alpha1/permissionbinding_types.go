package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PermissionBinding says who holds a role on an account, why, and until when. Rollcall
// keeps the platform equal to it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=pb,categories=rollcall
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.spec.accountRef.name`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role.name`
// +kubebuilder:printcolumn:name="Who",type=string,JSONPath=`.status.subjectsText`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Holders",type=string,JSONPath=`.status.holdersText`
// +kubebuilder:printcolumn:name="Until",type=string,JSONPath=`.spec.expiresAt`
// +kubebuilder:printcolumn:name="Next-Review",type=string,JSONPath=`.status.nextReviewTime`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Risk",type=string,JSONPath=`.spec.risk`,priority=1
// +kubebuilder:printcolumn:name="Membership",type=string,JSONPath=`.spec.membership`,priority=1
// +kubebuilder:printcolumn:name="Approved-By",type=string,JSONPath=`.status.approvedBy`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.accountRef.name`
// +kubebuilder:selectablefield:JSONPath=`.status.state`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name: use at most 63 characters"
type PermissionBinding struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec says who holds what, why, and until when.
	// +required
	Spec PermissionBindingSpec `json:"spec,omitzero"`
	// status is what Rollcall last saw.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status PermissionBindingStatus `json:"status,omitempty,omitzero"`
}

// PermissionBindingSpec declares who holds a role.
//
// +kubebuilder:validation:XValidation:rule="!has(self.notBefore) || !has(self.expiresAt) || self.notBefore < self.expiresAt",message="expiresAt must be after notBefore"
// +kubebuilder:validation:XValidation:rule="!has(self.noticeBeforeHours) || has(self.expiresAt)",message="noticeBeforeHours goes with expiresAt: leave it out for a binding without an end"
// +kubebuilder:validation:XValidation:rule="self.role.kind == 'Role' || !has(self.scopeRefs)",message="scopeRefs: an administrator's scope is set in the platform's console; leave it out"
// +kubebuilder:validation:XValidation:rule="!has(self.risk) || self.risk != 'High' || has(self.expiresAt) || has(self.review)",message="a High risk needs an end (expiresAt) or a review: rights outlive their reason"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.risk) || oldSelf.risk != 'High' || (has(self.risk) && self.risk == 'High' && has(self.scopeRefs) == has(oldSelf.scopeRefs) && (!has(self.scopeRefs) || self.scopeRefs == oldSelf.scopeRefs) && (!has(oldSelf.expiresAt) || (has(self.expiresAt) && self.expiresAt <= oldSelf.expiresAt)))",message="of a High risk, somebody approved where the role reaches and how long: risk and scopeRefs stay, and expiresAt may only come earlier. Make another PermissionBinding"
type PermissionBindingSpec struct {
	// accountRef names the EnterpriseAccount. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="accountRef cannot be changed: make another PermissionBinding"
	AccountRef AccountReference `json:"accountRef,omitzero"`
	// role that is held. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.kind == oldSelf.kind && self.name == oldSelf.name && has(self.group) == has(oldSelf.group) && (!has(self.group) || self.group == oldSelf.group)",message="role cannot be changed, but for its creation: make another PermissionBinding"
	Role BoundRole `json:"role,omitzero"`
	// subjects who hold it, together.
	// +required
	Subjects BindingSubjects `json:"subjects,omitzero"`
	// scopeRefs name the Departments that the role reaches for its holders, where the platform knows
	// scopes (DingTalk). When omitted, the whole company.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	ScopeRefs []DepartmentReference `json:"scopeRefs,omitempty"`
	// membership is Exclusive (whoever else holds the role on the platform loses it, but who is
	// protected) or Additive (they are reported). When omitted, Additive.
	// +optional
	Membership RoleMembership `json:"membership,omitempty"`
	// notBefore is when it begins. When omitted, at once.
	// +optional
	NotBefore *metav1.Time `json:"notBefore,omitempty"`
	// expiresAt is when it ends: the role is taken away then.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
	// noticeBeforeHours are how long before expiresAt the holders and the owner are told. When omitted, 168
	// and 24 (a week and a day).
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=8760
	NoticeBeforeHours []int32 `json:"noticeBeforeHours,omitempty"`
	// noticeLanguage in which they are told. When omitted, zh.
	// +optional
	NoticeLanguage NoticeLanguage `json:"noticeLanguage,omitempty"`
	// reason for the people who ask later.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`
	// ownerRef names the Employee who answers for it, and is told before it expires.
	// +optional
	OwnerRef EmployeeReference `json:"ownerRef,omitempty,omitzero"`
	// risk is Low, or High: nobody is granted the role before an Approval. When omitted, Low.
	// +optional
	Risk Risk `json:"risk,omitempty"`
	// approverGroups are groups of the cluster's users; who approves or reviews has to be in one of them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	ApproverGroups []string `json:"approverGroups,omitempty"`
	// requesters are user names of the cluster that change bindings, such as the one that applies Git: none of
	// them approves or reviews.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Requesters []string `json:"requesters,omitempty"`
	// review from time to time whether it is still needed.
	// +optional
	Review BindingReview `json:"review,omitempty,omitzero"`
	// protection of holders who must not lose the role, whatever is declared or expires.
	// +optional
	Protection BindingProtection `json:"protection,omitempty,omitzero"`
	// conflictsWith names PermissionBindings whose role nobody may hold beside this one.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	ConflictsWith []string `json:"conflictsWith,omitempty"`
	// deletionPolicy is Revoke (when the binding is deleted, whom it granted the role loses it) or Retain
	// (the platform is left as it is, and not called). When omitted, Revoke.
	// +optional
	DeletionPolicy BindingDeletion `json:"deletionPolicy,omitempty"`
}

// BindingDeletion says what becomes of the role when a binding is deleted.
// +kubebuilder:validation:Enum=Revoke;Retain
type BindingDeletion string

// What becomes of the role.
const (
	BindingDeletionRevoke BindingDeletion = "Revoke"
	BindingDeletionRetain BindingDeletion = "Retain"
)

// BoundRole is a role on a platform.
//
// +kubebuilder:validation:XValidation:rule="self.kind == 'Role' || !(has(self.creation) || has(self.group))",message="group and creation go with kind: Role"
type BoundRole struct {
	// kind is Role (a DingTalk role, a WeCom tag), or Administrator (who administers the platform: no
	// platform's API grants that, so it is verified, and what differs is a task for a person).
	// +required
	Kind BoundRoleKind `json:"kind,omitempty"`
	// name as the platform shows it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.trim() == self && !self.matches('[[:cntrl:]]')",message="name must not begin or end with a space, nor contain tabs or line breaks"
	Name string `json:"name,omitempty"`
	// group of roles that it is in, on platforms that have groups. When omitted, the one role of that name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.trim() == self && !self.matches('[[:cntrl:]]')",message="group must not begin or end with a space, nor contain tabs or line breaks"
	Group string `json:"group,omitempty"`
	// creation is IfMissing (the role is made when there is none) or Never. When omitted, Never.
	// +optional
	Creation RoleCreation `json:"creation,omitempty"`
}

// BoundRoleKind says what kind of right it is.
// +kubebuilder:validation:Enum=Role;Administrator
type BoundRoleKind string

// The kinds of rights.
const (
	BoundRoleRole          BoundRoleKind = "Role"
	BoundRoleAdministrator BoundRoleKind = "Administrator"
)

// RoleCreation says whether a role is made.
// +kubebuilder:validation:Enum=IfMissing;Never
type RoleCreation string

// Whether a role is made.
const (
	RoleCreationIfMissing RoleCreation = "IfMissing"
	RoleCreationNever     RoleCreation = "Never"
)

// RoleMembership says what happens to other holders.
// +kubebuilder:validation:Enum=Exclusive;Additive
type RoleMembership string

// What happens to other holders.
const (
	MembershipExclusive RoleMembership = "Exclusive"
	MembershipAdditive  RoleMembership = "Additive"
)

// Risk is the class of a right.
// +kubebuilder:validation:Enum=Low;High
type Risk string

// The classes of rights.
const (
	RiskLow  Risk = "Low"
	RiskHigh Risk = "High"
)

// BindingSubjects are people, named one by one or by where they are.
// +kubebuilder:validation:MinProperties=1
type BindingSubjects struct {
	// employeeRefs name Employees.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	EmployeeRefs []EmployeeReference `json:"employeeRefs,omitempty"`
	// departments whose people hold it.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Departments []SubjectDepartment `json:"departments,omitempty"`
	// matchLabels are the labels of Employees who hold it, all of them.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=8
	MatchLabels map[string]LabelValue `json:"matchLabels,omitempty"`
}

// SubjectDepartment is the people of a department.
type SubjectDepartment struct {
	// name of the Department object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the Department object, e.g. rd-platform, not its display name"
	Name string `json:"name,omitempty"`
	// extent is Members (who is in the department itself) or Subtree (in those below it, too). When
	// omitted, Members.
	// +optional
	Extent SubjectExtent `json:"extent,omitempty"`
}

// SubjectExtent says how far down a department reaches.
// +kubebuilder:validation:Enum=Members;Subtree
type SubjectExtent string

// How far down a department reaches.
const (
	ExtentMembers SubjectExtent = "Members"
	ExtentSubtree SubjectExtent = "Subtree"
)

// BindingReview says how a binding is reviewed.
type BindingReview struct {
	// intervalDays between two reviews, the first counted from when the role was first granted.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1830
	IntervalDays int32 `json:"intervalDays,omitempty"`
	// answerWithinDays is how long a review may stay unanswered before it escalates, and as long again
	// before silence counts. When omitted, 7.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=365
	AnswerWithinDays int32 `json:"answerWithinDays,omitempty"`
	// onSilence is Revoke (the role is taken away) or Keep (it stays, and the binding is not Ready). When
	// omitted, Revoke.
	// +optional
	OnSilence ReviewSilence `json:"onSilence,omitempty"`
}

// ReviewSilence says what silence means.
// +kubebuilder:validation:Enum=Revoke;Keep
type ReviewSilence string

// What silence means.
const (
	SilenceRevoke ReviewSilence = "Revoke"
	SilenceKeep   ReviewSilence = "Keep"
)

// BindingProtection says who must not lose a role.
// +kubebuilder:validation:MinProperties=1
type BindingProtection struct {
	// minimumHolders that are always left. When omitted, one administrator.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MinimumHolders int32 `json:"minimumHolders,omitempty"`
	// keepUserIDs are user ids on the platform that keep the role though nobody declares it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	KeepUserIDs []string `json:"keepUserIDs,omitempty"`
}

// PermissionBindingStatus is what Rollcall last saw of a binding.
// +kubebuilder:validation:MinProperties=1
type PermissionBindingStatus struct {
	// conditions are Ready (exactly who is declared was seen to hold the role), Reconciling and Stalled
	// as kstatus reads them; Approved, Reviewed.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// state is Waiting (before notBefore, or for an Approval), Active, Expired or Revoked (by a review).
	// +optional
	State BindingState `json:"state,omitempty"`
	// roleID of the role on the platform.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	RoleID string `json:"roleID,omitempty"`
	// roleOrigin says whether Rollcall made the role.
	// +optional
	RoleOrigin Origin `json:"roleOrigin,omitempty"`
	// subjectsText is spec.subjects for tables, e.g. li-na,rd/**,duty=audit.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	SubjectsText string `json:"subjectsText,omitempty"`
	// subjects who are declared and can hold it now.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Subjects *int32 `json:"subjects,omitempty"`
	// holders of them that were seen to hold it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Holders *int32 `json:"holders,omitempty"`
	// holdersText is holders of subjects for tables, e.g. 12/12.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=16
	HoldersText string `json:"holdersText,omitempty"`
	// grantedUserIDs were granted the role by this binding: they lose it with it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	GrantedUserIDs []string `json:"grantedUserIDs,omitempty"`
	// unapprovedUserIDs are those of them who held a role of High risk before, by another binding or by
	// hand, and whom nobody has allowed it by this one: they keep it as it is.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	UnapprovedUserIDs []string `json:"unapprovedUserIDs,omitempty"`
	// grantedSince is when the first of them was.
	// +optional
	GrantedSince *metav1.Time `json:"grantedSince,omitempty"`
	// othersUserIDs hold the role on the platform and are not declared, the first 50 by id.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	OthersUserIDs []string `json:"othersUserIDs,omitempty"`
	// approvalName of the Approval that is asked for, or was.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ApprovalName string `json:"approvalName,omitempty"`
	// approvedBy says who allowed it, as the API server knows them.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ApprovedBy string `json:"approvedBy,omitempty"`
	// reviewName of the Approval that reviews it, or did last.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ReviewName string `json:"reviewName,omitempty"`
	// reviewStartTime is when the review was opened that is not over.
	// +optional
	ReviewStartTime *metav1.Time `json:"reviewStartTime,omitempty"`
	// reviewEscalatedTime is when it was told that nobody answers the review.
	// +optional
	ReviewEscalatedTime *metav1.Time `json:"reviewEscalatedTime,omitempty"`
	// lastReviewTime is when the last review ended.
	// +optional
	LastReviewTime *metav1.Time `json:"lastReviewTime,omitempty"`
	// nextReviewTime is when it is reviewed next.
	// +optional
	NextReviewTime *metav1.Time `json:"nextReviewTime,omitempty"`
	// reviewedOut are user ids that a review took out: they are not granted again until the declaration
	// no longer lists them, or a later review confirms them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	ReviewedOut []string `json:"reviewedOut,omitempty"`
	// noticedHours are the lead times of noticeBeforeHours that were told.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:Minimum=1
	NoticedHours []int32 `json:"noticedHours,omitempty"`
	// noticingHours is the one of them of which it is not known yet that it was told: it is again, while the
	// platform takes it for the same.
	// +optional
	// +kubebuilder:validation:Minimum=1
	NoticingHours int32 `json:"noticingHours,omitempty"`
	// noticeStartTime is when that was begun.
	// +optional
	NoticeStartTime *metav1.Time `json:"noticeStartTime,omitempty"`
	// tasks that a person has to do on the platform.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Tasks []string `json:"tasks,omitempty"`
}

// BindingState is how a binding stands.
// +kubebuilder:validation:Enum=Waiting;Active;Expired;Revoked
type BindingState string

// The states of a binding.
const (
	BindingWaiting BindingState = "Waiting"
	BindingActive  BindingState = "Active"
	BindingExpired BindingState = "Expired"
	BindingRevoked BindingState = "Revoked"
)

// PermissionBindingList is a list of PermissionBindings.
//
// +kubebuilder:object:root=true
type PermissionBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PermissionBinding `json:"items"`
}
