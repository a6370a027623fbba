package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EnterpriseAccount is one company's tenant on one IM platform: how to reach it,
// how hard to call it, and whether Rollcall may change it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ea,categories=rollcall
// +kubebuilder:printcolumn:name="Platform",type=string,JSONPath=`.status.platform`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.status.mode`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Managed",type=integer,JSONPath=`.status.people.managed`
// +kubebuilder:printcolumn:name="Unmanaged",type=integer,JSONPath=`.status.people.unmanaged`
// +kubebuilder:printcolumn:name="Differing",type=integer,JSONPath=`.status.people.differing`
// +kubebuilder:printcolumn:name="Frozen",type=integer,JSONPath=`.status.people.frozen`,priority=1
// +kubebuilder:printcolumn:name="Invited",type=integer,JSONPath=`.status.people.invited`,priority=1
// +kubebuilder:printcolumn:name="Vanished",type=integer,JSONPath=`.status.people.vanished`,priority=1
// +kubebuilder:printcolumn:name="Departments",type=integer,JSONPath=`.status.departments`,priority=1
// +kubebuilder:printcolumn:name="Held",type=integer,JSONPath=`.status.removals.held`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.mode`
// +kubebuilder:selectablefield:JSONPath=`.status.platform`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name: use at most 63 characters"
type EnterpriseAccount struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec says how to reach the tenant and what Rollcall may do there.
	// +required
	Spec EnterpriseAccountSpec `json:"spec,omitzero"`
	// status is what Rollcall last saw.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status EnterpriseAccountStatus `json:"status,omitempty,omitzero"`
}

// EnterpriseAccountSpec declares a tenant.
//
// +kubebuilder:validation:XValidation:rule="[has(self.dingTalk), has(self.weCom)].filter(x, x).size() == 1",message="set exactly one of dingTalk and weCom: one EnterpriseAccount is one tenant on one platform"
// +kubebuilder:validation:XValidation:rule="has(self.dingTalk) == has(oldSelf.dingTalk)",message="the platform cannot be changed: create another EnterpriseAccount and list it in spec.accounts of the people and departments"
type EnterpriseAccountSpec struct {
	// dingTalk makes this a DingTalk (钉钉) tenant.
	// +optional
	DingTalk DingTalkTenant `json:"dingTalk,omitempty,omitzero"`
	// weCom makes this a WeCom (企业微信) tenant.
	// +optional
	WeCom WeComTenant `json:"weCom,omitempty,omitzero"`
	// credentialsSecretRef names the Secret with the tenant's credentials. Its keys are,
	// for DingTalk, appKey and appSecret of an internal app; for WeCom, syncSecret
	// (通讯录同步) and appSecret (a self-built app that everybody is visible to). For either,
	// agentId (that of the app) is wanted for sending notices.
	// +required
	CredentialsSecretRef SecretReference `json:"credentialsSecretRef,omitzero"`
	// mode is Enforce (platform is made equal to what is declared), Observe (nothing is
	// changed, what would change is reported) or Suspended (the platform is not called
	// at all: the emergency brake). When omitted, Enforce.
	// +optional
	Mode Mode `json:"mode,omitempty"`
	// adoptionPolicy is for people and departments that do not set their own. When omitted, Review.
	// +optional
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty"`
	// caBundle holds PEM certificates of the authorities to trust instead of the
	// system's, for an endpoint behind a company's own gateway.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +kubebuilder:validation:XValidation:rule="self.startsWith('-----BEGIN CERTIFICATE-----')",message="caBundle must be PEM text that begins with -----BEGIN CERTIFICATE-----"
	CABundle string `json:"caBundle,omitempty"`
	// rateLimit bounds the calls to the tenant. When omitted, the platform's documented
	// limits for each operation apply.
	// +optional
	RateLimit RateLimit `json:"rateLimit,omitempty,omitzero"`
	// resyncIntervalSeconds is how often the whole directory is read again to find what
	// changed behind our back. A tenth is added or taken at random. When omitted, 600.
	// +optional
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	ResyncIntervalSeconds int32 `json:"resyncIntervalSeconds,omitempty"`
	// removalLimits bound how many people lose access to the tenant in a while, by leaving or by being
	// frozen. Beyond them nobody else does until an Approval, which lists exactly whom, is decided. When
	// omitted, its fields' defaults apply.
	// +optional
	RemovalLimits RemovalLimits `json:"removalLimits,omitempty,omitzero"`
	// exit says how the company leaves the platform when this object is deleted. When omitted, everything
	// there stays as it is.
	// +optional
	Exit Exit `json:"exit,omitempty,omitzero"`
}

// RemovalLimits bound how many people lose access in a while. As many may as the smaller of count and
// percent allows, and at least floor.
// +kubebuilder:validation:MinProperties=1
type RemovalLimits struct {
	// windowSeconds is how far back is counted, ending now. When omitted, 86400 (a day).
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=2592000
	WindowSeconds int64 `json:"windowSeconds,omitempty"`
	// count of people. When omitted, 20.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Count *int32 `json:"count,omitempty"`
	// percent of the people whom Rollcall manages on the account, those who left within the window
	// included. When omitted, 5.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Percent *int32 `json:"percent,omitempty"`
	// floor below which nobody is held up, so that small companies can work. When omitted, 3.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Floor *int32 `json:"floor,omitempty"`
}

// Exit says how a company leaves a platform.
//
// +kubebuilder:validation:XValidation:rule="self.mode == 'Rehearse' || has(self.storageRef)",message="storageRef: name the BackupStorage; nobody leaves a platform without a full backup"
type Exit struct {
	// mode is Rehearse (what an exit would do is reported in status.exit, and nothing is changed) or
	// Execute (deleting this object runs the exit before the object goes).
	// +required
	Mode ExitMode `json:"mode,omitempty"`
	// storageRef names the BackupStorage that the last, full backup goes to.
	// +optional
	StorageRef StorageReference `json:"storageRef,omitempty,omitzero"`
	// destination says where to go from here, e.g. the name of the new platform; notices tell it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	Destination string `json:"destination,omitempty"`
	// language of the notice to everybody: zh or en. When omitted, zh.
	// +optional
	Language NoticeLanguage `json:"language,omitempty"`
	// approverGroups are groups of the cluster's users; who approves the exit has to be in one of them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	ApproverGroups []string `json:"approverGroups,omitempty"`
}

// ExitMode says whether an exit is real.
// +kubebuilder:validation:Enum=Rehearse;Execute
type ExitMode string

// The modes of an exit.
const (
	ExitRehearse ExitMode = "Rehearse"
	ExitExecute  ExitMode = "Execute"
)

// Mode says what Rollcall may do on a tenant.
// +kubebuilder:validation:Enum=Enforce;Observe;Suspended
type Mode string

const (
	// ModeEnforce makes the platform equal to what is declared.
	ModeEnforce Mode = "Enforce"
	// ModeObserve reports what would change and changes nothing.
	ModeObserve Mode = "Observe"
	// ModeSuspended makes no call at all.
	ModeSuspended Mode = "Suspended"
)

// DingTalkTenant identifies a DingTalk organisation.
type DingTalkTenant struct {
	// corpID is the organisation's CorpId from the developer console. It cannot be changed.
	// +required
	// +kubebuilder:validation:MinLength=4
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z_-]+$')",message="corpID: use letters, digits, _ and - only, as the platform's console shows it"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="corpID cannot be changed: another organisation is another EnterpriseAccount"
	CorpID string `json:"corpID,omitempty"`
	// endpoint replaces https://api.dingtalk.com, e.g. https://api.dingtalk.io for
	// international organisations. http is allowed to loopback only.
	// +optional
	Endpoint Endpoint `json:"endpoint,omitempty"`
	// legacyEndpoint replaces https://oapi.dingtalk.com. When omitted, endpoint serves both if it is set.
	// +optional
	LegacyEndpoint Endpoint `json:"legacyEndpoint,omitempty"`
}

// WeComTenant identifies a WeCom corporation.
type WeComTenant struct {
	// corpID is the corporation's id (企业ID) from the admin console. It cannot be changed.
	// +required
	// +kubebuilder:validation:MinLength=4
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z_-]+$')",message="corpID: use letters, digits, _ and - only, as the platform's console shows it"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="corpID cannot be changed: another corporation is another EnterpriseAccount"
	CorpID string `json:"corpID,omitempty"`
	// endpoint replaces https://qyapi.weixin.qq.com. http is allowed to loopback only.
	// +optional
	Endpoint Endpoint `json:"endpoint,omitempty"`
	// numberAttribute names the extension attribute (created in the admin console, e.g. 工号)
	// that carries the employee number. When omitted, the number is only the user id.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.trim() == self && !self.matches('[[:cntrl:]]')",message="numberAttribute must not begin or end with a space, nor contain tabs or line breaks"
	NumberAttribute string `json:"numberAttribute,omitempty"`
}

// Endpoint is the base address of a platform's API.
// +kubebuilder:validation:MinLength=9
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:XValidation:rule="isURL(self) && (url(self).getScheme() == 'https' || (url(self).getScheme() == 'http' && url(self).getHostname() in ['127.0.0.1', 'localhost', '::1', '[::1]']))",message="write an https:// address; plain http:// is allowed to loopback only, because the credentials travel on it"
// +kubebuilder:validation:XValidation:rule="!self.endsWith('/')",message="leave out the slash at the end"
// +kubebuilder:validation:XValidation:rule="!self.matches('[@?#]')",message="leave out user names, questions (?) and fragments (#): an endpoint is only a scheme, a host and perhaps a path"
type Endpoint string

// RateLimit bounds calls to one tenant.
type RateLimit struct {
	// requestsPerSecond is the most calls a second to the whole tenant, of all kinds together.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`
}

// EnterpriseAccountStatus is what Rollcall last saw of the tenant.
// +kubebuilder:validation:MinProperties=1
type EnterpriseAccountStatus struct {
	// conditions are Ready, Reconciling and Stalled as kstatus reads them; CredentialsValid;
	// DirectoryRead (the whole directory was read and can be trusted); WithinRemovalLimits (nobody waits
	// because more people would lose access than removalLimits allow).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// platform is the platform's proper name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Platform string `json:"platform,omitempty"`
	// mode in force.
	// +optional
	Mode Mode `json:"mode,omitempty"`
	// people counts the accounts on the tenant.
	// +optional
	People PeopleCount `json:"people,omitempty,omitzero"`
	// departments counts the departments on the tenant, the company itself left out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Departments *int32 `json:"departments,omitempty"`
	// unmanagedUserIDs names accounts that no Employee declares, the first 50 by id.
	// Rollcall never touches them, but for those of people who leave and whose Employee is gone.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	UnmanagedUserIDs []string `json:"unmanagedUserIDs,omitempty"`
	// retained lists accounts whose Employee was deleted and which were left as they
	// were, the newest 200. Declaring the same account again takes it back.
	// +optional
	// +listType=map
	// +listMapKey=userID
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	Retained []RetainedAccount `json:"retained,omitempty"`
	// removals counts who lost access lately, against removalLimits.
	// +optional
	Removals Removals `json:"removals,omitempty,omitzero"`
	// exit is how far leaving the platform is, or what a rehearsal of it found.
	// +optional
	Exit ExitStatus `json:"exit,omitempty,omitzero"`
	// trail is the end of the account's audit trail. Kept elsewhere, it shows if the end is cut off.
	// +optional
	Trail AuditTrail `json:"trail,omitempty,omitzero"`
	// gaps says why somebody's absence from the last listing proves nothing. Empty when it was complete.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Gaps []string `json:"gaps,omitempty"`
	// limits says in words what this tenant cannot do, e.g. freezing ordinary accounts.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Limits []string `json:"limits,omitempty"`
}

// Removals counts who lost access lately.
// +kubebuilder:validation:MinProperties=1
type Removals struct {
	// limit in force: so many people may lose access within the window.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Limit *int32 `json:"limit,omitempty"`
	// admitted within the window.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Admitted *int32 `json:"admitted,omitempty"`
	// held wait in quarantine. While somebody does, nobody else is admitted.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Held *int32 `json:"held,omitempty"`
	// approvalName of the Approval that lists them.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ApprovalName string `json:"approvalName,omitempty"`
}

// ExitStatus is how far leaving a platform is.
// +kubebuilder:validation:MinProperties=1
type ExitStatus struct {
	// mode that this is about.
	// +optional
	Mode ExitMode `json:"mode,omitempty"`
	// generation of the spec that a rehearsal was about.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Generation int64 `json:"generation,omitempty"`
	// step that it is at; empty when it is over.
	// +optional
	Step ExitStepName `json:"step,omitempty"`
	// startTime of the first step.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// completionTime is when it was over.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// approvalName of the Approval that it waits for, or that allowed it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ApprovalName string `json:"approvalName,omitempty"`
	// terms that were approved. They are carried out, whatever spec.exit says by now.
	// +optional
	Terms ExitTerms `json:"terms,omitempty,omitzero"`
	// backupName of the last, full Backup.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	BackupName string `json:"backupName,omitempty"`
	// steps in their order, with what was, or would be, done.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=6
	Steps []ExitStepStatus `json:"steps,omitempty"`
}

// ExitStepName is a step of leaving a platform.
// +kubebuilder:validation:Enum=Approve;Backup;Notify;Revoke;ResidualCheck;Report
type ExitStepName string

// The steps of leaving a platform, in their order. From the first on nothing else is changed on the tenant.
const (
	ExitApprove       ExitStepName = "Approve"
	ExitBackup        ExitStepName = "Backup"
	ExitNotify        ExitStepName = "Notify"
	ExitRevoke        ExitStepName = "Revoke"
	ExitResidualCheck ExitStepName = "ResidualCheck"
	ExitReport        ExitStepName = "Report"
)

// ExitTerms are what of spec.exit is carried out.
type ExitTerms struct {
	// storageName of the BackupStorage that the last, full backup goes to.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	StorageName string `json:"storageName,omitempty"`
	// destination that notices tell.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	Destination string `json:"destination,omitempty"`
	// language of the notice to everybody.
	// +optional
	Language NoticeLanguage `json:"language,omitempty"`
}

// ExitSending is a message to some of the people of a tenant that was begun.
type ExitSending struct {
	// startTime of the first attempt.
	// +required
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// attempts that were begun.
	// +required
	// +kubebuilder:validation:Minimum=1
	Attempts int32 `json:"attempts,omitempty"`
	// count of people.
	// +required
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count,omitempty"`
	// cursor is the platform's id of the last of them.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Cursor string `json:"cursor,omitempty"`
	// digest of the text and of the people: only exactly the same is known again by the platform.
	// +required
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest,omitempty"`
}

// ExitStepStatus is how far a step of leaving a platform is.
type ExitStepStatus struct {
	// name of the step.
	// +required
	Name ExitStepName `json:"name,omitempty"`
	// state of the step.
	// +required
	State StepState `json:"state,omitempty"`
	// done of total people.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Done *int32 `json:"done,omitempty"`
	// total people.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Total *int32 `json:"total,omitempty"`
	// cursor is the platform's id of whom, or which role, was done last: a restart goes on behind it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Cursor string `json:"cursor,omitempty"`
	// sending are the people who are being told, as long as it is not known what became of it.
	// +optional
	Sending ExitSending `json:"sending,omitempty,omitzero"`
	// unknown counts people who may not have been told, or were: no answer came, and it was too late to tell them again
	// without some of them being told twice.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Unknown int32 `json:"unknown,omitempty"`
	// startTime of the first attempt.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// endTime is when it was done.
	// +optional
	EndTime *metav1.Time `json:"endTime,omitempty"`
	// message says what was done, what would be, or what is the matter.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// AuditTrail is the end of an audit trail.
type AuditTrail struct {
	// records in the trail.
	// +required
	// +kubebuilder:validation:Minimum=1
	Records int64 `json:"records,omitempty"`
	// sha256 of the newest record.
	// +required
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	SHA256 string `json:"sha256,omitempty"`
}

// PeopleCount counts accounts by what Rollcall has to do with them.
// +kubebuilder:validation:MinProperties=1
type PeopleCount struct {
	// declared people who list this account.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Declared *int32 `json:"declared,omitempty"`
	// managed accounts were created or adopted by Rollcall.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Managed *int32 `json:"managed,omitempty"`
	// unmanaged accounts are on the platform and declared by nobody.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Unmanaged *int32 `json:"unmanaged,omitempty"`
	// differing accounts are not as declared: in Observe what would change, in Enforce what is being changed or held.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Differing *int32 `json:"differing,omitempty"`
	// frozen accounts among the managed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Frozen *int32 `json:"frozen,omitempty"`
	// invited people have not accepted yet.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Invited *int32 `json:"invited,omitempty"`
	// vanished accounts were ours and are gone from the platform.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Vanished *int32 `json:"vanished,omitempty"`
}

// RetainedAccount is an account left on the platform after its Employee object was deleted.
type RetainedAccount struct {
	// userID is the platform's user id.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UserID string `json:"userID,omitempty"`
	// employee is the name of the deleted object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Employee string `json:"employee,omitempty"`
	// origin of the account.
	// +optional
	Origin Origin `json:"origin,omitempty"`
	// retainedTime is when the object went.
	// +optional
	RetainedTime *metav1.Time `json:"retainedTime,omitempty"`
}

// EnterpriseAccountList is a list of EnterpriseAccounts.
//
// +kubebuilder:object:root=true
type EnterpriseAccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EnterpriseAccount `json:"items"`
}
