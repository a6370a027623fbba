package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LinkedSystem is a system that people have accounts in beside the IM platforms: mail,
// finance, attendance, an identity provider. An Employee's linkedAccounts say who is who in
// it; who is frozen there is disabled, and who leaves is unlinked.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ls,categories=rollcall
// +kubebuilder:printcolumn:name="Protocol",type=string,JSONPath=`.status.protocol`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.status.mode`
// +kubebuilder:printcolumn:name="Healthy",type=string,JSONPath=`.status.conditions[?(@.type=="Healthy")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Linked",type=integer,JSONPath=`.status.accounts.linked`
// +kubebuilder:printcolumn:name="Disabled",type=integer,JSONPath=`.status.accounts.disabled`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.accounts.waiting`
// +kubebuilder:printcolumn:name="Held",type=integer,JSONPath=`.status.removals.held`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.mode`
// +kubebuilder:selectablefield:JSONPath=`.status.protocol`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name: use at most 63 characters"
type LinkedSystem struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec says how to reach the system and what Rollcall does there.
	// +required
	Spec LinkedSystemSpec `json:"spec,omitzero"`
	// status is what Rollcall last saw.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status LinkedSystemStatus `json:"status,omitempty,omitzero"`
}

// LinkedSystemSpec declares a linked system.
//
// +kubebuilder:validation:XValidation:rule="[has(self.scim), has(self.ldap), has(self.webhook)].filter(x, x).size() == 1",message="set exactly one of scim, ldap and webhook: one LinkedSystem is one system"
// +kubebuilder:validation:XValidation:rule="has(self.scim) == has(oldSelf.scim) && has(self.ldap) == has(oldSelf.ldap)",message="the protocol cannot be changed: the ids of linked accounts are of one system; create another LinkedSystem"
type LinkedSystemSpec struct {
	// scim makes this a system that speaks SCIM 2.0 (RFC 7643, RFC 7644).
	// +optional
	SCIM SCIMSystem `json:"scim,omitempty,omitzero"`
	// ldap makes this an LDAP directory.
	// +optional
	LDAP LDAPSystem `json:"ldap,omitempty,omitzero"`
	// webhook makes this a system that is told by signed HTTP requests (docs/webhook.md).
	// +optional
	Webhook WebhookSystem `json:"webhook,omitempty,omitzero"`
	// credentialsSecretRef names the Secret with the credentials. Its keys are, for scim, token, or
	// username and password; for ldap, bindDN and password; for webhook, signingKey (at least 32 bytes) and, while it is changed, previousSigningKey.
	// +required
	CredentialsSecretRef SecretReference `json:"credentialsSecretRef,omitzero"`
	// mode is Enforce, Observe (nothing is changed, what would change is reported) or Suspended (the system is not
	// called at all). When omitted, Enforce.
	// +optional
	Mode Mode `json:"mode,omitempty"`
	// caBundle holds PEM certificates of the authorities to trust instead of this machine's own.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +kubebuilder:validation:XValidation:rule="self.startsWith('-----BEGIN CERTIFICATE-----')",message="caBundle must be PEM text that begins with -----BEGIN CERTIFICATE-----"
	CABundle string `json:"caBundle,omitempty"`
	// rateLimit bounds the calls to the system. When omitted, 10 a second.
	// +optional
	RateLimit RateLimit `json:"rateLimit,omitempty,omitzero"`
	// attributes that are written, by the system's names. Others are left alone.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Attributes []MappedAttribute `json:"attributes,omitempty"`
	// login is a CEL expression over employee that makes the login of a new account, e.g.
	// employee.email. When omitted, employee.number.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Login string `json:"login,omitempty"`
	// onJoin is Provision (an account that does not exist is created) or LinkOnly (an existing one is linked, and
	// waited for). When omitted, LinkOnly.
	// +optional
	OnJoin OnJoin `json:"onJoin,omitempty"`
	// onFreeze is what a freeze does to an account: Disable, Delete or Retain (nothing). When omitted, Disable.
	// +optional
	OnFreeze UnlinkAction `json:"onFreeze,omitempty"`
	// onLeave is what leaving does to an account, after it was disabled: Disable (it is taken out of its groups and
	// stays, disabled), Delete or Retain (nothing at all). When omitted, Disable. Of somebody who stays, and is only taken off
	// spec.linkedAccounts, an account is disabled at once and deleted when that counts no more in removalLimits (after a day, when
	// their window is omitted): listing the system again before undoes it. A system that can only delete does that at once.
	// +optional
	OnLeave UnlinkAction `json:"onLeave,omitempty"`
	// adoptionPolicy for an account that exists already, has the person's number or login and differs from what
	// is declared. When omitted, Review. It is not asked where the Employee pins the accountID.
	// +optional
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty"`
	// resyncIntervalSeconds is how often all linked accounts are read again. A tenth is added or taken at
	// random. When omitted, 3600.
	// +optional
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	ResyncIntervalSeconds int32 `json:"resyncIntervalSeconds,omitempty"`
	// removalLimits bound how many people lose access to the system in a while, by leaving, by being frozen or by
	// being taken off it. When omitted, its fields' defaults apply.
	// +optional
	RemovalLimits RemovalLimits `json:"removalLimits,omitempty,omitzero"`
}

// OnJoin says what is done for somebody who has no account yet.
// +kubebuilder:validation:Enum=Provision;LinkOnly
type OnJoin string

// What is done for somebody who has no account yet.
const (
	OnJoinProvision OnJoin = "Provision"
	OnJoinLinkOnly  OnJoin = "LinkOnly"
)

// UnlinkAction says what is done to an account of somebody who is frozen, or leaves.
// +kubebuilder:validation:Enum=Disable;Delete;Retain
type UnlinkAction string

// What is done to an account.
const (
	UnlinkDisable UnlinkAction = "Disable"
	UnlinkDelete  UnlinkAction = "Delete"
	UnlinkRetain  UnlinkAction = "Retain"
)

// MappedAttribute is one attribute of accounts in a linked system.
type MappedAttribute struct {
	// name of the attribute there: for scim a path such as displayName, name.familyName, emails (the
	// work one), title, active excepted, or urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department;
	// for ldap an attribute type such as cn; for webhook any name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9:._-]*$')",message="name: write the attribute's name as the system has it, e.g. displayName or cn"
	Name string `json:"name,omitempty"`
	// value is a CEL expression over employee (docs/linkedsystem.md lists its fields) that makes a string or a
	// list of strings, e.g. employee.name. An empty string or list takes the attribute away.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Value string `json:"value,omitempty"`
}

// SCIMSystem is a SCIM 2.0 service provider.
//
// +kubebuilder:validation:XValidation:rule="self.endpoint == oldSelf.endpoint",message="endpoint: it cannot be changed, because the ids of linked accounts are of the system there; create another LinkedSystem, and move people to it"
type SCIMSystem struct {
	// endpoint is the base address, below which /Users is, e.g. https://idp.example.com/scim/v2.
	// +required
	Endpoint Endpoint `json:"endpoint,omitempty"`
	// contentType is SCIM (application/scim+json) or JSON (application/json). When omitted, SCIM.
	// +optional
	ContentType SCIMContentType `json:"contentType,omitempty"`
	// writes is Patch, PatchWithoutPath or Put (the whole object is read, changed and written). When omitted, what the
	// system says of itself, Patch if it says nothing.
	// +optional
	Writes SCIMWrites `json:"writes,omitempty"`
	// filters is Yes or No: whether the system is asked for one account by a filter, or all are read in
	// pages. When omitted, what the system says of itself.
	// +optional
	Filters SCIMChoice `json:"filters,omitempty"`
	// etags is Yes or No: whether versions guard writes. When omitted, what the system says of itself.
	// +optional
	ETags SCIMChoice `json:"etags,omitempty"`
	// groups is Yes or No: whether memberships in /Groups are taken away. When omitted, Yes where the system has groups.
	// +optional
	Groups SCIMChoice `json:"groups,omitempty"`
	// disabling is Keeps (a disabled account can be enabled again) or Removes (the system removes it for
	// good, as GitHub organisations do). When omitted, Keeps.
	// +optional
	Disabling SCIMDisabling `json:"disabling,omitempty"`
	// pageSize that is asked for. When omitted, 100.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	PageSize int32 `json:"pageSize,omitempty"`
}

// SCIMContentType is how bodies are called.
// +kubebuilder:validation:Enum=SCIM;JSON
type SCIMContentType string

// The content types.
const (
	SCIMContentSCIM SCIMContentType = "SCIM"
	SCIMContentJSON SCIMContentType = "JSON"
)

// SCIMWrites is how accounts are changed.
// +kubebuilder:validation:Enum=Patch;PatchWithoutPath;Put
type SCIMWrites string

// The ways of changing accounts.
const (
	SCIMPatch            SCIMWrites = "Patch"
	SCIMPatchWithoutPath SCIMWrites = "PatchWithoutPath"
	SCIMPut              SCIMWrites = "Put"
)

// SCIMChoice overrides what a system says of itself.
// +kubebuilder:validation:Enum=Yes;No
type SCIMChoice string

// The choices.
const (
	SCIMYes SCIMChoice = "Yes"
	SCIMNo  SCIMChoice = "No"
)

// SCIMDisabling is what becomes of a disabled account.
// +kubebuilder:validation:Enum=Keeps;Removes
type SCIMDisabling string

// What becomes of a disabled account.
const (
	SCIMKeeps   SCIMDisabling = "Keeps"
	SCIMRemoves SCIMDisabling = "Removes"
)

// LDAPSystem is an LDAP directory.
//
// +kubebuilder:validation:XValidation:rule="!has(self.security) || self.security != 'None' || self.endpoint.matches('^ldap://(127[.]0[.]0[.]1|localhost|[[]::1[]])(:[0-9]+)?$')",message="security: None is allowed to loopback only, because the password travels on it; use StartTLS, or an ldaps:// endpoint"
// +kubebuilder:validation:XValidation:rule="!has(self.security) || self.endpoint.startsWith('ldap://')",message="security: leave it out with an ldaps:// endpoint, which is TLS from the first byte"
// +kubebuilder:validation:XValidation:rule="self.endpoint == oldSelf.endpoint",message="endpoint: it cannot be changed, because the ids of linked accounts are of the system there; create another LinkedSystem, and move people to it"
// +kubebuilder:validation:XValidation:rule="self.peopleDN == oldSelf.peopleDN",message="peopleDN: it cannot be changed, because linked accounts are below it; create another LinkedSystem, and move people to it"
type LDAPSystem struct {
	// endpoint is ldaps://host[:port], or ldap://host[:port], which StartTLS secures.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^ldaps?://([0-9A-Za-z.-]+|[[][0-9A-Fa-f:]+[]])(:[0-9]{1,5})?$')",message="endpoint: write ldaps://host or ldap://host, with :port if it is not the standard one, and nothing after it"
	Endpoint string `json:"endpoint,omitempty"`
	// security of an ldap:// endpoint is StartTLS or None (to loopback only). When omitted, StartTLS.
	// +optional
	Security LDAPSecurity `json:"security,omitempty"`
	// peopleDN is the entry below which accounts are, e.g. ou=people,dc=corp,dc=example.
	// +required
	PeopleDN DistinguishedName `json:"peopleDN,omitempty"`
	// disabledDN is the entry below which unlinked accounts are kept. When omitted, they stay where they are.
	// +optional
	DisabledDN DistinguishedName `json:"disabledDN,omitempty"`
	// groupsDN is the entry below which the groups are that memberships are taken away in. When omitted, none are.
	// +optional
	GroupsDN DistinguishedName `json:"groupsDN,omitempty"`
	// loginAttribute names the attribute that is the login and the name of the entry. When omitted, uid.
	// +optional
	LoginAttribute LDAPAttributeName `json:"loginAttribute,omitempty"`
	// numberAttribute names the attribute that carries the employee number. When omitted, employeeNumber.
	// +optional
	NumberAttribute LDAPAttributeName `json:"numberAttribute,omitempty"`
	// objectClasses of a new account. When omitted, inetOrgPerson.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	ObjectClasses []LDAPAttributeName `json:"objectClasses,omitempty"`
	// disabling is how an account is locked: PasswordPolicy (pwdAccountLockedTime; it works only where the password
	// policy has pwdLockout, which is checked), NSAccountLock (389 Directory Server), UserAccountControl (Active Directory)
	// or ScramblePassword (the password is replaced by a random one: enabling it again needs a new one). When
	// omitted, PasswordPolicy.
	// +optional
	Disabling LDAPDisabling `json:"disabling,omitempty"`
}

// DistinguishedName is a DN of RFC 4514.
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9-]* *=.+$')",message="write a distinguished name, e.g. ou=people,dc=corp,dc=example"
type DistinguishedName string

// LDAPAttributeName is the name of an attribute type or an object class.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9-]*$')",message="write the name of an attribute or object class, e.g. uid or inetOrgPerson"
type LDAPAttributeName string

// LDAPSecurity is how an ldap:// connection is secured.
// +kubebuilder:validation:Enum=StartTLS;None
type LDAPSecurity string

// The ways to secure a connection.
const (
	LDAPStartTLS LDAPSecurity = "StartTLS"
	LDAPNone     LDAPSecurity = "None"
)

// LDAPDisabling is how an account is locked.
// +kubebuilder:validation:Enum=PasswordPolicy;NSAccountLock;UserAccountControl;ScramblePassword
type LDAPDisabling string

// The ways to lock an account.
const (
	LDAPPasswordPolicy     LDAPDisabling = "PasswordPolicy"
	LDAPNSAccountLock      LDAPDisabling = "NSAccountLock"
	LDAPUserAccountControl LDAPDisabling = "UserAccountControl"
	LDAPScramblePassword   LDAPDisabling = "ScramblePassword"
)

// WebhookSystem is a system that is told by signed HTTP requests.
//
// +kubebuilder:validation:XValidation:rule="self.endpoint == oldSelf.endpoint",message="endpoint: it cannot be changed, because the ids of linked accounts are of the system there; create another LinkedSystem, and move people to it"
type WebhookSystem struct {
	// endpoint that requests are posted to.
	// +required
	Endpoint Endpoint `json:"endpoint,omitempty"`
	// lookup is Yes if the receiver answers account.lookup requests, so that what it did can be read back.
	// When omitted, No: its receipts are all that is known.
	// +optional
	Lookup WebhookLookup `json:"lookup,omitempty"`
}

// WebhookLookup says whether a receiver can be asked.
// +kubebuilder:validation:Enum=Yes;No
type WebhookLookup string

// Whether a receiver can be asked.
const (
	WebhookLookupYes WebhookLookup = "Yes"
	WebhookLookupNo  WebhookLookup = "No"
)

// LinkedSystemStatus is what Rollcall last saw of a linked system.
// +kubebuilder:validation:MinProperties=1
type LinkedSystemStatus struct {
	// conditions are Ready, Reconciling and Stalled as kstatus reads them; Healthy (the system answers, takes the
	// credentials and can do what is declared); MappingValid (the CEL expressions are right); WithinRemovalLimits.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// protocol is SCIM, LDAP or Webhook.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Protocol string `json:"protocol,omitempty"`
	// mode in force.
	// +optional
	Mode Mode `json:"mode,omitempty"`
	// capabilities that were discovered, in words, e.g. PATCH or filter.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Capabilities []string `json:"capabilities,omitempty"`
	// limits says in words what the system cannot do.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Limits []string `json:"limits,omitempty"`
	// accounts counts the linked accounts.
	// +optional
	Accounts LinkedCount `json:"accounts,omitempty,omitzero"`
	// removals counts who lost access lately, against removalLimits.
	// +optional
	Removals Removals `json:"removals,omitempty,omitzero"`
	// trail is the end of the system's audit trail. Kept elsewhere, it shows if the end is cut off.
	// +optional
	Trail AuditTrail `json:"trail,omitempty,omitzero"`
}

// LinkedCount counts linked accounts.
// +kubebuilder:validation:MinProperties=1
type LinkedCount struct {
	// linked accounts of Employees.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Linked *int32 `json:"linked,omitempty"`
	// disabled among them.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Disabled *int32 `json:"disabled,omitempty"`
	// waiting are declared, and not yet as declared.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Waiting *int32 `json:"waiting,omitempty"`
}

// LinkedSystemList is a list of LinkedSystems.
//
// +kubebuilder:object:root=true
type LinkedSystemList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []LinkedSystem `json:"items"`
}
