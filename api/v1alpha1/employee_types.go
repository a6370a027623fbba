package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Employee is one person and the accounts that the person has. Whoever leaves is
// declared so (state: Departed), or the Employee is deleted: what happens then is
// what an OffboardingPolicy says. Without a policy the accounts stay as they are, or are
// only frozen.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=emp,categories=rollcall
// +kubebuilder:printcolumn:name="Number",type=string,JSONPath=`.status.number`
// +kubebuilder:printcolumn:name="Department",type=string,JSONPath=`.status.primaryDepartment`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Accounts",type=string,JSONPath=`.status.accountsReady`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Person",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Linked",type=string,JSONPath=`.status.linkedReady`,priority=1
// +kubebuilder:printcolumn:name="Title",type=string,JSONPath=`.spec.title`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.number`
// +kubebuilder:selectablefield:JSONPath=`.spec.state`
// +kubebuilder:selectablefield:JSONPath=`.status.number`
// +kubebuilder:selectablefield:JSONPath=`.status.state`
// +kubebuilder:selectablefield:JSONPath=`.status.primaryDepartment`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name: use at most 63 characters"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.managerRef) || self.spec.managerRef.name != self.metadata.name",message="managerRef: nobody manages themselves; leave managerRef out for whoever leads the company"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.offboarding) || !has(self.spec.offboarding.successorRef) || self.spec.offboarding.successorRef.name != self.metadata.name",message="offboarding.successorRef: nobody takes over from themselves; name somebody who stays"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.number) || !has(self.status) || !has(self.status.number) || self.spec.number == self.status.number",message="number cannot be changed once assigned: it is the person's identity (status.number shows it); declare another Employee for another person"
type Employee struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata. Its name is seen by everybody who may list; use no personal data but what you would print on a door.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec declares the person.
	// +required
	Spec EmployeeSpec `json:"spec,omitzero"`
	// status is what Rollcall last saw.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status EmployeeStatus `json:"status,omitempty,omitzero"`
}

// EmployeeSpec declares a person.
//
// +kubebuilder:validation:XValidation:rule="has(self.number) != has(self.numberRuleRef)",message="set exactly one of number (you know it) and numberRuleRef (an EmployeeNumberRule makes it)"
// +kubebuilder:validation:XValidation:rule="self.departments.size() == 1 || has(self.primaryDepartment)",message="primaryDepartment: say which of the departments is the main one"
// +kubebuilder:validation:XValidation:rule="!has(self.primaryDepartment) || self.departments.exists(d, d.name == self.primaryDepartment)",message="primaryDepartment must be one of departments[].name"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.accounts) || oldSelf.accounts.all(o, self.accounts.all(n, n.name != o.name || !has(o.userID) || (has(n.userID) && n.userID == o.userID)))",message="accounts[].userID cannot be changed or removed once set: it is the person's identity on the platform"
// +kubebuilder:validation:XValidation:rule="has(self.state) && self.state in ['Frozen', 'Departed'] ? has(self.stateReason) : true",message="stateReason: say why the person is frozen or has departed; auditors will ask"
type EmployeeSpec struct {
	// number is the employee number: letters, digits and . _ - @, beginning with a letter or digit. Unique in the
	// namespace, upper and lower case being the same. It cannot be changed once assigned.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z][0-9A-Za-z._@-]*$')",message="number: use letters, digits and . _ - @ only, beginning with a letter or a digit; it becomes the user id on the platforms"
	Number string `json:"number,omitempty"`
	// numberRuleRef names the EmployeeNumberRule that assigns the number, once, into status.number.
	// +optional
	NumberRuleRef NumberRuleReference `json:"numberRuleRef,omitempty,omitzero"`
	// name is the person's name as colleagues see it, e.g. 张伟.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.trim() == self && !self.matches('[[:cntrl:]]')",message="name must not begin or end with a space, nor contain tabs or line breaks"
	Name string `json:"name,omitempty"`
	// contact is how the platforms reach the person: inline, or in a Secret, which keeps it out of Git.
	// +required
	Contact Contact `json:"contact,omitzero"`
	// title is the position, e.g. 高级工程师. When omitted, left as it is on the platforms.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.trim() == self && !self.matches('[[:cntrl:]]')",message="title must not begin or end with a space, nor contain tabs or line breaks"
	Title string `json:"title,omitempty"`
	// workplace is the office. When omitted, left as it is on the platforms.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule="self.trim() == self && !self.matches('[[:cntrl:]]')",message="workplace must not begin or end with a space, nor contain tabs or line breaks"
	Workplace string `json:"workplace,omitempty"`
	// hireDate is the first day, as YYYY-MM-DD.
	// +optional
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:XValidation:rule="!format.date().validate(self).hasValue()",message="hireDate: write a day of the calendar as YYYY-MM-DD, e.g. 2024-03-01"
	HireDate string `json:"hireDate,omitempty"`
	// departments that the person is in, on every account.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	Departments []EmployeeDepartment `json:"departments,omitempty"`
	// primaryDepartment is the name of the main one; needed when there are several.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PrimaryDepartment string `json:"primaryDepartment,omitempty"`
	// managerRef names the Employee that the person reports to. When omitted, left as it is on the platforms.
	// +optional
	ManagerRef EmployeeReference `json:"managerRef,omitempty,omitzero"`
	// attributes are extension attributes by the name that the platform's admin console gave them. Others are left alone.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Attributes []Attribute `json:"attributes,omitempty"`
	// state is Active, Frozen (the accounts stay, nobody can use them) or Departed (the person leaves, as
	// the OffboardingPolicy says). When omitted, Active. Back from Departed cancels a leaving, or begins anew.
	// +optional
	State EmployeeState `json:"state,omitempty"`
	// stateReason says why, for the people who ask later. Needed for Frozen and Departed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	StateReason string `json:"stateReason,omitempty"`
	// offboarding says how the person leaves, where that differs from the rule.
	// +optional
	Offboarding EmployeeOffboarding `json:"offboarding,omitempty,omitzero"`
	// accounts lists the EnterpriseAccounts that the person is on. Taking one off is leaving it.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Accounts []EmployeeAccount `json:"accounts,omitempty"`
	// linkedAccounts say who the person is in LinkedSystems. Taking one off unlinks it, as the system's onLeave says;
	// where that is Delete the account stays, disabled, as long as the taking off counts in the system's removalLimits.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	LinkedAccounts []LinkedAccount `json:"linkedAccounts,omitempty"`
}

// LinkedAccount is a person's account in one LinkedSystem.
type LinkedAccount struct {
	// name of the LinkedSystem.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the LinkedSystem object, e.g. mail, not its address"
	Name string `json:"name,omitempty"`
	// accountID pins the system's own id of the account (SCIM id, LDAP entryUUID). When omitted, the account with the
	// person's number, else that with the login, is linked, or one is created where the system's onJoin says so.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.trim() == self && !self.matches('[[:cntrl:]]')",message="accountID must not begin or end with a space, nor contain tabs or line breaks"
	AccountID string `json:"accountID,omitempty"`
	// login of the person there. When omitted, what the LinkedSystem's login makes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.trim() == self && !self.matches('[[:cntrl:]]') && !self.contains('\"') && !self.contains('\\\\')",message="login must not begin or end with a space, nor contain quotes, backslashes, tabs or line breaks"
	Login string `json:"login,omitempty"`
}

// EmployeeState is what a person may do.
// +kubebuilder:validation:Enum=Active;Frozen;Departed
type EmployeeState string

const (
	// EmployeeActive people can use their accounts.
	EmployeeActive EmployeeState = "Active"
	// EmployeeFrozen people keep their accounts and cannot use them.
	EmployeeFrozen EmployeeState = "Frozen"
	// EmployeeDeparted people leave, or have left.
	EmployeeDeparted EmployeeState = "Departed"
)

// EmployeeOffboarding says how a person leaves.
// +kubebuilder:validation:MinProperties=1
type EmployeeOffboarding struct {
	// policyRef names the OffboardingPolicy, whatever it applies to otherwise.
	// +optional
	PolicyRef PolicyReference `json:"policyRef,omitempty,omitzero"`
	// successorRef names the Employee who takes over.
	// +optional
	SuccessorRef EmployeeReference `json:"successorRef,omitempty,omitzero"`
	// lastDay of work, as YYYY-MM-DD, for the platforms' records. It delays nothing: declare the
	// departure on the day.
	// +optional
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:XValidation:rule="!format.date().validate(self).hasValue()",message="lastDay: write a day of the calendar as YYYY-MM-DD, e.g. 2026-11-30"
	LastDay string `json:"lastDay,omitempty"`
	// requestedBy is the cluster's user who asks for the departure, where one is asked for through Git: that
	// user does not approve it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	RequestedBy string `json:"requestedBy,omitempty"`
}

// Contact is how the platforms reach a person.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretRef) != (has(self.mobile) || has(self.email))",message="set mobile and/or email inline, or secretRef to a Secret with the keys mobile and/or email; not both, not neither"
// +kubebuilder:validation:MinProperties=1
type Contact struct {
	// mobile as +<country>-<digits>, e.g. +86-13800001234.
	// +optional
	// +kubebuilder:validation:MinLength=7
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+][1-9][0-9]{0,3}-[0-9]{4,14}$') && (!self.startsWith('+86-') || self.matches('^[+]86-1[3-9][0-9]{9}$'))",message="mobile: write +<country>-<digits> without spaces, e.g. +86-13800001234 or +852-51234567"
	Mobile string `json:"mobile,omitempty"`
	// email in lower case.
	// +optional
	// +kubebuilder:validation:MinLength=6
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-z._%+-]+@[0-9a-z-]+([.][0-9a-z-]+)+$')",message="email: write it in lower case, e.g. zhang.wei@example.com"
	Email string `json:"email,omitempty"`
	// secretRef names a Secret with the keys mobile and/or email, in the same forms.
	// +optional
	SecretRef SecretReference `json:"secretRef,omitempty,omitzero"`
}

// EmployeeDepartment is a place in a department.
type EmployeeDepartment struct {
	// name of the Department object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the Department object, e.g. rd-platform, not its display name"
	Name string `json:"name,omitempty"`
	// order sorts people in the department, the biggest first. When omitted, the platform decides.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	Order int32 `json:"order,omitempty"`
}

// Attribute is one extension attribute.
type Attribute struct {
	// name as the platform's admin console has it, e.g. 工位.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.trim() == self && !self.matches('[[:cntrl:]]')",message="name must not begin or end with a space, nor contain tabs or line breaks"
	Name string `json:"name,omitempty"`
	// value to write.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.trim() == self && !self.matches('[[:cntrl:]]')",message="value must not begin or end with a space, nor contain tabs or line breaks"
	Value string `json:"value,omitempty"`
}

// EmployeeAccount puts a person on one EnterpriseAccount.
type EmployeeAccount struct {
	// name of the EnterpriseAccount.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: write the metadata.name of the EnterpriseAccount object, e.g. wecom, not its corpID"
	Name string `json:"name,omitempty"`
	// userID pins the platform's user id. When omitted, an account with the person's number is
	// adopted, or one is created with the number as its id.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z][0-9A-Za-z._@-]*$')",message="userID: use letters, digits and . _ - @ only, beginning with a letter or a digit"
	UserID string `json:"userID,omitempty"`
	// type of an account that is yet to be created: Ordinary (the person's own), or Enterprise (the
	// company's; DingTalk only, and only such an account can be frozen there). When omitted, Ordinary.
	// +optional
	Type AccountType `json:"type,omitempty"`
	// adoptionPolicy for an account that exists already. When omitted, the EnterpriseAccount's.
	// +optional
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty"`
}

// AccountType says whose an account is.
// +kubebuilder:validation:Enum=Ordinary;Enterprise
type AccountType string

// The account types; they equal those of the platforms' language.
const (
	AccountOrdinary   AccountType = "Ordinary"
	AccountEnterprise AccountType = "Enterprise"
)

// EmployeeStatus is what Rollcall last saw of the person.
// +kubebuilder:validation:MinProperties=1
type EmployeeStatus struct {
	// conditions are Ready (every account is as declared, and was seen to be), Reconciling and Stalled
	// as kstatus reads them; Unique (nobody else claims the number or a user id).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// number is the employee number that was assigned. It never changes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	Number string `json:"number,omitempty"`
	// primaryDepartment in force.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PrimaryDepartment string `json:"primaryDepartment,omitempty"`
	// state of the person over all accounts: Active, Frozen, Invited, Waiting, Vanished or Departed; Mixed when they differ.
	// +optional
	// +kubebuilder:validation:Enum=Active;Frozen;Invited;Waiting;Vanished;Departed;Mixed
	State string `json:"state,omitempty"`
	// accountsReady is how many of the accounts are as declared, e.g. 1/2.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=8
	AccountsReady string `json:"accountsReady,omitempty"`
	// offboardingName of the Offboarding under way, or of the last one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	OffboardingName string `json:"offboardingName,omitempty"`
	// accounts says how the person stands on each EnterpriseAccount. An account that was
	// taken off the spec stays listed while the person leaves it, and with reason Retained
	// where no policy says how: it is left as it is on the platform then.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Accounts []EmployeeAccountStatus `json:"accounts,omitempty"`
	// linkedReady is how many of the linked accounts are as declared, e.g. 3/4.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=8
	LinkedReady string `json:"linkedReady,omitempty"`
	// linkedAccounts says how the person stands in each LinkedSystem. One that was taken off the spec stays listed
	// until it is unlinked.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	LinkedAccounts []LinkedAccountStatus `json:"linkedAccounts,omitempty"`
}

// LinkedState is how a linked account stands.
// +kubebuilder:validation:Enum=Active;Disabled;Waiting;Vanished;Unlinked
type LinkedState string

const (
	// LinkedActive accounts can be used.
	LinkedActive LinkedState = "Active"
	// LinkedDisabled accounts exist and cannot be used.
	LinkedDisabled LinkedState = "Disabled"
	// LinkedWaiting accounts were not found yet.
	LinkedWaiting LinkedState = "Waiting"
	// LinkedVanished accounts were linked and are gone, by no act of ours.
	LinkedVanished LinkedState = "Vanished"
	// LinkedUnlinked accounts were unlinked: disabled for good, or deleted, as the system's onLeave says.
	LinkedUnlinked LinkedState = "Unlinked"
)

// LinkedAccountStatus is a person in one LinkedSystem.
type LinkedAccountStatus struct {
	// name of the LinkedSystem.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// systemUID is the UID of the LinkedSystem that accountID is of. One of the same name that was created later is another
	// system, in which nothing is done with it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=36
	SystemUID string `json:"systemUID,omitempty"`
	// accountID is the system's own id of the account. Rollcall finds it by nothing else once it is known.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	AccountID string `json:"accountID,omitempty"`
	// observedGeneration is the Employee's generation that this is about.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// state of the account.
	// +optional
	State LinkedState `json:"state,omitempty"`
	// origin says whether Rollcall created or adopted (linked) it. Empty: not ours.
	// +optional
	Origin Origin `json:"origin,omitempty"`
	// disabledBy is Rollcall when the account was disabled by us, or was about to be. What somebody else disabled we do
	// not enable.
	// +optional
	DisabledBy FrozenBy `json:"disabledBy,omitempty"`
	// admittedTime is when the system's removalLimits, or an Approval, let a disabling begin.
	// +optional
	AdmittedTime *metav1.Time `json:"admittedTime,omitempty"`
	// admittedBy names the Approval that let it begin beyond the limits.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	AdmittedBy string `json:"admittedBy,omitempty"`
	// reason is empty when the account is as declared; else why it is not (docs/reasons.md).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// message says in words what is the matter and what to do.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// differences names the declared attributes that are not as declared; never their values.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Differences []string `json:"differences,omitempty"`
	// ignoredAttributes were written and silently ignored by the system. They are not written again until the
	// declaration changes.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	IgnoredAttributes []string `json:"ignoredAttributes,omitempty"`
	// appliedVersion identifies the declaration that was last written in full, or, while origin is Creating, the one that the
	// account was first asked for with.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	AppliedVersion string `json:"appliedVersion,omitempty"`
	// updates counts those that the system answered: each has a key of its own, also when a declaration comes back.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Updates int64 `json:"updates,omitempty"`
	// rivals are other Employees that claim the account, or its login, and are refused.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Rivals []string `json:"rivals,omitempty"`
	// phase that unlinking is in, for an account that was taken off the spec.
	// +optional
	Phase UnlinkPhase `json:"phase,omitempty"` //nolint:kubeapilinter // how far one record is, not how the object stands
	// offboardingName of the Offboarding that unlinks, or has unlinked, the account.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	OffboardingName string `json:"offboardingName,omitempty"`
}

// AccountState is how an account stands.
// +kubebuilder:validation:Enum=Active;Frozen;Invited;Waiting;Vanished;Departed
type AccountState string

const (
	// AccountActive accounts can be used.
	AccountActive AccountState = "Active"
	// AccountFrozen accounts exist and cannot be used.
	AccountFrozen AccountState = "Frozen"
	// AccountInvited accounts wait for the person to accept.
	AccountInvited AccountState = "Invited"
	// AccountWaiting accounts do not exist yet.
	AccountWaiting AccountState = "Waiting"
	// AccountVanished accounts were ours and are gone, by no act of ours.
	AccountVanished AccountState = "Vanished"
	// AccountDeparted accounts were removed when the person left, or were not there by then.
	AccountDeparted AccountState = "Departed"
)

// EmployeeAccountStatus is a person on one EnterpriseAccount.
type EmployeeAccountStatus struct {
	// name of the EnterpriseAccount.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// userID is the platform's user id.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UserID string `json:"userID,omitempty"`
	// type of the account.
	// +optional
	Type AccountType `json:"type,omitempty"`
	// state of the account.
	// +optional
	State AccountState `json:"state,omitempty"`
	// origin says whether Rollcall created or adopted it. Empty: not ours.
	// +optional
	Origin Origin `json:"origin,omitempty"`
	// frozenBy is Rollcall when the freeze was ours. What somebody else froze we do not thaw.
	// +optional
	FrozenBy FrozenBy `json:"frozenBy,omitempty"`
	// admittedTime is when the account's removalLimits, or an Approval, let a declared freeze begin.
	// +optional
	AdmittedTime *metav1.Time `json:"admittedTime,omitempty"`
	// admittedBy names the Approval that let it begin beyond the limits.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	AdmittedBy string `json:"admittedBy,omitempty"`
	// offboardingName of the Offboarding by which the person leaves the account. It is recorded before that is made.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	OffboardingName string `json:"offboardingName,omitempty"`
	// archiveKey is where the account was backed up when its namespace was deleted, which lets no
	// Offboarding be made any more.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	ArchiveKey string `json:"archiveKey,omitempty"`
	// archiveSHA256 of that archive, as sha256sum prints it.
	// +optional
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	ArchiveSHA256 string `json:"archiveSHA256,omitempty"`
	// reason is empty when the account is as declared; else why it is not (docs/reasons.md).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// message says in words what is the matter and what to do.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// differences names the declared fields that are not as declared; never their values.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Differences []string `json:"differences,omitempty"`
	// ignoredFields were written and silently ignored by the platform. They are not written again until the declaration changes.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	IgnoredFields []string `json:"ignoredFields,omitempty"`
	// appliedVersion identifies the declaration that was last written in full.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	AppliedVersion string `json:"appliedVersion,omitempty"`
}

// FrozenBy says who froze an account.
// +kubebuilder:validation:Enum=Rollcall;Other
type FrozenBy string

const (
	// FrozenByRollcall means that a declaration froze it.
	FrozenByRollcall FrozenBy = "Rollcall"
	// FrozenByOther means that somebody froze it in the platform's console.
	FrozenByOther FrozenBy = "Other"
)

// EmployeeList is a list of Employees.
//
// +kubebuilder:object:root=true
type EmployeeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Employee `json:"items"`
}
