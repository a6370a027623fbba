package v1alpha1

// Condition types. Ready, Reconciling and Stalled are kstatus's; the others are positive.
const (
	ConditionReady       = "Ready"
	ConditionReconciling = "Reconciling"
	ConditionStalled     = "Stalled"
	// ConditionCredentialsValid: the platform accepted the credentials.
	ConditionCredentialsValid = "CredentialsValid"
	// ConditionDirectoryRead: the whole directory was read, and its absences can be believed.
	ConditionDirectoryRead = "DirectoryRead"
	// ConditionUnique: nobody else claims the number or a user id.
	ConditionUnique = "Unique"
	// ConditionAvailable: a canary was written to the storage, read back and deleted.
	ConditionAvailable = "Available"
	// ConditionOffsiteAvailable: the same, in the off-site location.
	ConditionOffsiteAvailable = "OffsiteAvailable"
	// ConditionExclusive: nobody else writes to the storage's place.
	ConditionExclusive = "Exclusive"
	// ConditionExported: the archive is complete in the storage.
	ConditionExported = "Exported"
	// ConditionCopied: the archive is in the off-site location, too.
	ConditionCopied = "Copied"
	// ConditionVerified: the archive was read back, decrypted and compared.
	ConditionVerified = "Verified"
	// ConditionUpToDate: the last Backup that was due is good.
	ConditionUpToDate = "UpToDate"
	// ConditionRestoreTested: the last restore test succeeded and is not overdue.
	ConditionRestoreTested = "RestoreTested"
	// ConditionPlanned: the dry run of a restore is done.
	ConditionPlanned = "Planned"
	// ConditionAccessRevoked: no account of somebody who leaves can be used.
	ConditionAccessRevoked = "AccessRevoked"
	// ConditionBackedUp: everything of somebody who leaves has a verified backup, or none is wanted.
	ConditionBackedUp = "BackedUp"
	// ConditionDecisionChecked: a policy of the cluster checked who decided an Approval.
	ConditionDecisionChecked = "DecisionChecked"
	// ConditionWithinLimits: nobody waits because more people would lose access than removalLimits allow.
	ConditionWithinLimits = "WithinRemovalLimits"
	// ConditionApproved: somebody allowed what a binding of high risk grants.
	ConditionApproved = "Approved"
	// ConditionReviewed: no review of a binding is overdue.
	ConditionReviewed = "Reviewed"
	// ConditionHealthy: a linked system answers, takes the credentials, and was read.
	ConditionHealthy = "Healthy"
	// ConditionMappingValid: the expressions of a linked system's mapping are right.
	ConditionMappingValid = "MappingValid"
	// ConditionRestored: the plan of a restore was executed and read back.
	ConditionRestored = "Restored"
)

// Reasons, of conditions, accounts and events alike. docs/reasons.md says of
// each what it means, who acts, and what to do.
const (
	ReasonInSync = "InSync"

	ReasonCredentialsMissing  = "CredentialsMissing"
	ReasonPermissionDenied    = "PermissionDenied"
	ReasonCredentialsRejected = "CredentialsRejected"
	ReasonCredentialsLeaving  = "CredentialsLeaving"

	ReasonInvalidValue      = "InvalidValue"
	ReasonNumbersExhausted  = "NumbersExhausted"
	ReasonDepartmentCycle   = "DepartmentCycle"
	ReasonParentNotOn       = "ParentNotOnAccount"
	ReasonDataConflict      = "DataConflict"
	ReasonAdoptionReview    = "AdoptionReview"
	ReasonWriteIgnored      = "WriteIgnored"
	ReasonVanished          = "Vanished"
	ReasonFrozenElsewhere   = "FrozenElsewhere"
	ReasonFreezeUnsupported = "FreezeUnsupported"
	ReasonNotSupported      = "NotSupported"

	ReasonUnavailable         = "PlatformUnavailable"
	ReasonRateLimited         = "RateLimited"
	ReasonQuotaExceeded       = "QuotaExceeded"
	ReasonOutcomeUnknown      = "OutcomeUnknown"
	ReasonDirectoryIncomplete = "DirectoryIncomplete"
	ReasonAuditUnavailable    = "AuditUnavailable"

	ReasonStorageUnavailable = "StorageUnavailable"
	ReasonStorageDenied      = "StorageDenied"
	ReasonStorageFull        = "StorageFull"
	ReasonStorageShared      = "StorageShared"
	ReasonKeyMissing         = "KeyMissing"
	ReasonKeyWrong           = "KeyWrong"
	ReasonArchiveDamaged     = "ArchiveDamaged"
	ReasonArchiveMissing     = "ArchiveMissing"
	ReasonBackupOverdue      = "BackupOverdue"
	ReasonRestoreTestFailed  = "RestoreTestFailed"
	ReasonRestoreConflicts   = "RestoreConflicts"
	ReasonPlanChanged        = "PlanChanged"
	ReasonRestoreIncomplete  = "RestoreIncomplete"

	ReasonNoPolicy           = "NoOffboardingPolicy"
	ReasonPolicyConflict     = "PolicyConflict"
	ReasonRemovalLimit       = "RemovalLimitReached"
	ReasonApprovalPending    = "ApprovalPending"
	ReasonApprovalRejected   = "ApprovalRejected"
	ReasonApprovalExpired    = "ApprovalExpired"
	ReasonManualTask         = "ManualTask"
	ReasonBackupFailed       = "BackupFailed"
	ReasonLeaving            = "Leaving"
	ReasonGrace              = "Grace"
	ReasonRemovalRefused     = "RemovalRefused"
	ReasonResidualFound      = "ResidualFound"
	ReasonNamespaceLeaving   = "NamespaceLeaving"
	ReasonOffboardingEnding  = "OffboardingEnding"
	ReasonInheritanceRefused = "InheritanceRefused"
	ReasonApprovalUnchecked  = "ApprovalUnchecked"
	ReasonWaitingForSystems  = "WaitingForSystems"

	ReasonProtectedHolders   = "ProtectedHolders"
	ReasonRoleMissing        = "RoleMissing"
	ReasonSeparationOfDuties = "SeparationOfDuties"
	ReasonReviewOverdue      = "ReviewOverdue"
	ReasonReviewedOut        = "ReviewedOut"

	ReasonProgressing          = "Progressing"
	ReasonWaitingForAccount    = "WaitingForAccount"
	ReasonWaitingForDepartment = "WaitingForDepartment"
	ReasonWaitingForPeople     = "WaitingForPeople"
	ReasonWaitingForContact    = "WaitingForContact"
	ReasonWaitingForNumber     = "WaitingForNumber"
	ReasonInvitationPending    = "InvitationPending"
	ReasonObserved             = "WouldChange"
	ReasonSuspended            = "Suspended"
	ReasonInUse                = "InUse"
	ReasonRetained             = "Retained"
	ReasonWaitingForStorage    = "WaitingForStorage"
	ReasonWaitingForBackup     = "WaitingForBackup"
	ReasonLegalHold            = "LegalHold"
)

// Reasons of events that are no conditions.
const (
	EventAdopted  = "Adopted"
	EventUpdated  = "Updated"
	EventFrozen   = "Frozen"
	EventUnfrozen = "Unfrozen"
	EventExpired  = "Expired"
	EventRestored = "Restored"
	EventMadeUp   = "MadeUpFor"
	// EventDeparted: an account was removed because the person left.
	EventDeparted  = "Departed"
	EventCancelled = "OffboardingCancelled"
	EventApproved  = "Approved"
	// EventWithdrawn: what an Approval asked is no longer asked.
	EventWithdrawn = "Withdrawn"
	// EventGranted and EventRevoked: people got a role, or lost it.
	EventGranted = "Granted"
	EventRevoked = "Revoked"
	// EventReviewed: a review of a binding ended, and EventNoticed: people were told that it ends.
	EventReviewed = "Reviewed"
	EventNoticed  = "Noticed"
	// EventLinked: an account in a linked system was created or linked; EventUnlinked: it was unlinked.
	EventLinked   = "Linked"
	EventUnlinked = "Unlinked"
	// EventDisabled and EventEnabled are about accounts in linked systems.
	EventDisabled = "Disabled"
	EventEnabled  = "Enabled"
)

// ReasonCodes gives each reason that means trouble or waiting its stable code.
// Codes are never given to another meaning.
var ReasonCodes = map[string]string{
	ReasonCredentialsMissing:  "E-101",
	ReasonPermissionDenied:    "E-102",
	ReasonCredentialsRejected: "E-103",
	ReasonCredentialsLeaving:  "E-104",

	ReasonInvalidValue:      "E-201",
	ReasonNumbersExhausted:  "E-202",
	ReasonDepartmentCycle:   "E-203",
	ReasonParentNotOn:       "E-204",
	ReasonDataConflict:      "E-205",
	ReasonAdoptionReview:    "E-206",
	ReasonWriteIgnored:      "E-207",
	ReasonVanished:          "E-208",
	ReasonFrozenElsewhere:   "E-209",
	ReasonFreezeUnsupported: "E-210",
	ReasonNotSupported:      "E-211",

	ReasonUnavailable:         "E-301",
	ReasonRateLimited:         "E-302",
	ReasonQuotaExceeded:       "E-303",
	ReasonOutcomeUnknown:      "E-304",
	ReasonDirectoryIncomplete: "E-305",
	ReasonAuditUnavailable:    "E-306",

	ReasonWaitingForAccount:    "E-401",
	ReasonWaitingForDepartment: "E-402",
	ReasonWaitingForPeople:     "E-403",
	ReasonWaitingForContact:    "E-404",
	ReasonWaitingForNumber:     "E-405",
	ReasonInvitationPending:    "E-406",
	ReasonObserved:             "E-407",
	ReasonSuspended:            "E-408",
	ReasonInUse:                "E-409",
	ReasonRetained:             "E-410",
	ReasonWaitingForStorage:    "E-411",
	ReasonWaitingForBackup:     "E-412",
	ReasonLegalHold:            "E-413",

	ReasonStorageUnavailable: "E-501",
	ReasonStorageDenied:      "E-502",
	ReasonStorageFull:        "E-503",
	ReasonStorageShared:      "E-504",
	ReasonKeyMissing:         "E-505",
	ReasonKeyWrong:           "E-506",
	ReasonArchiveDamaged:     "E-507",
	ReasonArchiveMissing:     "E-508",
	ReasonBackupOverdue:      "E-509",
	ReasonRestoreTestFailed:  "E-510",
	ReasonRestoreConflicts:   "E-511",
	ReasonPlanChanged:        "E-512",
	ReasonRestoreIncomplete:  "E-513",

	ReasonNoPolicy:           "E-601",
	ReasonPolicyConflict:     "E-602",
	ReasonRemovalLimit:       "E-603",
	ReasonApprovalPending:    "E-604",
	ReasonApprovalRejected:   "E-605",
	ReasonApprovalExpired:    "E-606",
	ReasonManualTask:         "E-607",
	ReasonBackupFailed:       "E-608",
	ReasonLeaving:            "E-609",
	ReasonGrace:              "E-610",
	ReasonRemovalRefused:     "E-611",
	ReasonResidualFound:      "E-612",
	ReasonNamespaceLeaving:   "E-613",
	ReasonOffboardingEnding:  "E-614",
	ReasonInheritanceRefused: "E-615",
	ReasonApprovalUnchecked:  "E-616",
	ReasonWaitingForSystems:  "E-617",

	ReasonProtectedHolders:   "E-621",
	ReasonRoleMissing:        "E-622",
	ReasonSeparationOfDuties: "E-623",
	ReasonReviewOverdue:      "E-624",
	ReasonReviewedOut:        "E-625",
}
