package leaving

import (
	"slices"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// Step is a step of leaving; the words equal the API's.
type Step string

// The steps, in the order that platforms bend: see [Order].
const (
	Freeze            Step = "Freeze"
	Backup            Step = "Backup"
	HandOver          Step = "HandOver"
	RevokePermissions Step = "RevokePermissions"
	UnlinkSystems     Step = "UnlinkSystems"
	Notify            Step = "Notify"
	Grace             Step = "Grace"
	DeleteAccount     Step = "DeleteAccount"
	ResidualCheck     Step = "ResidualCheck"
)

// State is how a step stands; the words equal the API's.
type State string

// The states.
const (
	Pending State = "Pending"
	Running State = "Running"
	Waiting State = "Waiting"
	Done    State = "Done"
	Skipped State = "Skipped"
)

// Over reports whether nothing more is done for the step.
func (s State) Over() bool { return s == Done || s == Skipped }

// Terms are what the policy says, as far as one account is concerned.
type Terms struct {
	// Skip are the steps that the policy leaves out: never Freeze, Backup, Grace or DeleteAccount.
	Skip []Step
	// Backup: no removal without a verified one (P1).
	Backup bool
	Grace  time.Duration
	// Delete the account after grace; else it is kept as it is.
	Delete bool
	// RemoveEarly: an account that cannot be frozen does not wait for grace (P2).
	RemoveEarly bool
}

// Progress is what is durably recorded of one account.
type Progress struct {
	// Steps that are not listed are Pending.
	Steps map[Step]State
	// GraceEnds is set when grace begins, and not changed after.
	GraceEnds time.Time
	// RemovalAsked: the platform was, or is about to be, asked to remove the account.
	RemovalAsked bool
}

// Over reports whether nothing more is done for the step.
func (p *Progress) Over(s Step) bool { return p.Steps[s].Over() }

// BackupState is how the backup of the account stands.
type BackupState string

// The states of a backup.
const (
	BackupAbsent   BackupState = ""
	BackupRunning  BackupState = "Running"
	BackupVerified BackupState = "Verified"
	BackupFailed   BackupState = "Failed"
)

// Hold is why nothing is done, and what a person can do about it. Reasons equal the API's.
type Hold struct {
	Reason  string
	Message string
	// Until is when it passes by itself; zero if that is not known.
	Until time.Time
}

// The reasons for a [Hold].
const (
	WaitingForAccount  = "WaitingForAccount"
	WaitingForBackup   = "WaitingForBackup"
	BackupNotVerified  = "BackupFailed"
	ManualTask         = "ManualTask"
	InGrace            = "Grace"
	DataConflict       = "DataConflict"
	ResidualFound      = "ResidualFound"
	InheritanceWaiting = "Leaving"
)

// Facts is what is known now.
type Facts struct {
	Now time.Time
	// Listed: the tenant's directory was read at least once.
	Listed bool
	// Account is the account as last seen; nil if the listing does not have it.
	Account *directory.Account
	// Absent: a direct read said not-found. Doubtful: it is being written to, or was and
	// could not be read since.
	Absent, Doubtful bool
	// Owned: Rollcall created or adopted the account (P4).
	Owned bool
	// CanFreeze: the platform freezes accounts of this type; FreezeLimit says why not.
	CanFreeze   bool
	FreezeLimit string

	// Held is why the leaving may not begin, or go on with what takes away: limits (P6),
	// an approval that is owed (P7). Nil lets it.
	Held *Hold
	// DeletionHeld is the same for the removal alone.
	DeletionHeld *Hold
	// Cancelled: the person is declared with this account again.
	Cancelled bool
	// Claimant is the Employee that holds the account now, if another does.
	Claimant string

	Backup        BackupState
	BackupMessage string

	// CanRevoke: the platform takes roles away. RolesRead: those of the person are known;
	// RolesLeft of them are still held. RolesTaken were taken by us.
	CanRevoke, RolesRead  bool
	RolesLeft, RolesTaken int

	// Offers are how the platform passes duties on. Successor is the account of who takes
	// over; empty if nobody was found.
	Offers    []directory.DutyOffer
	Successor string
	// TasksOpen are manual tasks that nobody has confirmed.
	TasksOpen []string
	// Inheritance is what the platform last said; nil if it was not asked.
	Inheritance *directory.Inheritance

	// Systems is how many linked accounts are unlinked by the leaving, SystemsOpen names the systems in which that
	// is not over, and SystemsKept counts those in which the account stays as it is.
	Systems, SystemsKept int
	SystemsOpen          []string

	// NoticesOpen: somebody is still to be told.
	NoticesOpen bool

	// Residuals is what was found last; ResidualsRead says that somebody looked.
	Residuals     []string
	ResidualsRead bool
}

// Act is one thing to do.
type Act string

// The acts. Confirm reads; Restore gives roles back; all others are named after what they do.
const (
	Nothing       Act = ""
	ActConfirm    Act = "Confirm"
	ActFreeze     Act = "Freeze"
	ActBackup     Act = "Backup"
	ActRevoke     Act = "Revoke"
	ActNotify     Act = "Notify"
	ActBeginGrace Act = "BeginGrace"
	ActRemove     Act = "Remove"
	ActInherit    Act = "Inherit"
	ActResidual   Act = "Residual"
	ActRestore    Act = "Restore"
)

// Settled is a step that is over.
type Settled struct {
	Step    Step
	State   State
	Message string
}

// Decision is what comes next. Settled are steps that are over now; then there is one
// act, or a hold, or nothing because all is over.
type Decision struct {
	Settled []Settled
	// Step that the act or the hold belongs to; empty when all is over.
	Step Step
	Act  Act
	Hold *Hold
	// Over: every step is over. Cancelled: the leaving is undone, and over.
	Over, Cancelled bool
}

// Order is the steps in the order in which they are taken on a platform: what it
// passes on only after the removal comes after it.
func Order(offers []directory.DutyOffer) []Step {
	if hasMoment(offers, directory.AfterRemoval) {
		return []Step{Freeze, Backup, RevokePermissions, UnlinkSystems, Notify, Grace, DeleteAccount, HandOver, ResidualCheck}
	}
	return []Step{Freeze, Backup, HandOver, RevokePermissions, UnlinkSystems, Notify, Grace, DeleteAccount, ResidualCheck}
}

func hasMoment(offers []directory.DutyOffer, m directory.Moment) bool {
	return slices.ContainsFunc(offers, func(o directory.DutyOffer) bool { return o.Moment == m })
}

// Released reports whether the steps are over that the deletion of an Employee waits for.
func Released(p Progress, offers []directory.DutyOffer) bool {
	for _, s := range Order(offers) {
		if s == Grace {
			return true
		}
		if !p.Over(s) {
			return false
		}
	}
	return true
}
