package directory

import (
	"context"
	"time"
)

// Duty is something that a leaver is responsible for on a platform and that
// somebody else takes over.
type Duty string

// The duties. Which of them a platform passes on, and when, is what [DutyOffer] says.
const (
	// DutyApprovals are the approvals that wait for the leaver.
	DutyApprovals Duty = "Approvals"
	// DutyDocuments are documents, notes and knowledge bases.
	DutyDocuments Duty = "Documents"
	// DutyFiles are files on the platform's drive.
	DutyFiles Duty = "Files"
	// DutyPermissions are rights of administration.
	DutyPermissions Duty = "Permissions"
	// DutySubordinates are the people who report to the leaver.
	DutySubordinates Duty = "Subordinates"
	// DutyCustomers are customers whom the leaver is in touch with.
	DutyCustomers Duty = "Customers"
	// DutyCustomerGroups are chat groups with customers.
	DutyCustomerGroups Duty = "CustomerGroups"
	// DutyGroups are chat groups that the leaver owns.
	DutyGroups Duty = "Groups"
	// DutyCalendars are calendars and meetings.
	DutyCalendars Duty = "Calendars"
)

// Moment is when a duty is passed on, seen from the removal of the account.
type Moment string

// The moments.
const (
	// WithRemoval duties are passed on by the call that removes the account.
	WithRemoval Moment = "WithRemoval"
	// AfterRemoval duties are passed on once the platform counts the person as gone.
	AfterRemoval Moment = "AfterRemoval"
	// ByHand duties have no API: a person passes them on, before the removal.
	ByHand Moment = "ByHand"
)

// DutyOffer says how a platform passes a duty on.
type DutyOffer struct {
	Duty   Duty
	Moment Moment
	// Manual says, for a ByHand duty, what a person has to do and where, in words.
	Manual string
}

// Removal says how an account is removed.
type Removal struct {
	// Successor is the account that takes over; empty if nobody does.
	Successor string
	// Reason is for the platform's own records. It holds no personal data.
	Reason string
	// LastDay is the last day of work.
	LastDay time.Time
}

// Remover is implemented by directories that can remove accounts.
type Remover interface {
	// Duties says how this platform passes on what a leaver was responsible for.
	// It makes no call.
	Duties() []DutyOffer

	// Remove removes the account for good, and with it passes on the WithRemoval
	// duties to the successor if there is one. NotFound: it is gone already.
	// Conflict: the platform keeps this account (e.g. it is the main
	// administrator's); the message says what to do. OutcomeUnknown: read the
	// account before anything else. PermissionDenied with [Error.Code] of the
	// hand-over means that nothing was removed: the message names the right that is
	// missing, and Remove without a successor may still do.
	Remove(ctx context.Context, id string, r Removal) error
}

// Inheritance is how far the AfterRemoval duties of a leaver are.
type Inheritance struct {
	// Done were taken over, Waiting are under way on the platform, Refused will not
	// be: by the customer, or because the successor is full.
	Done, Waiting, Refused int
	// Again is when it is worth asking again, while something waits; zero is soon.
	Again time.Time
}

// Heir is implemented by directories with AfterRemoval duties.
type Heir interface {
	// Inherit passes on what the platform lets be passed on only after the
	// removal, and says how far that is. It may be called again at any time: what
	// was passed on, or is under way, is not asked for twice. Conflict: the person
	// does not count as gone yet. NotSupported or PermissionDenied: this app cannot;
	// the message says what a person has to do instead.
	Inherit(ctx context.Context, leaver, successor string) (Inheritance, error)
}

// RoleRevoker is implemented by directories that can take roles away.
type RoleRevoker interface {
	// RolesOf reads which roles the account has, with their scopes: never those that
	// it has through a department. NotFound: there is no such account.
	RolesOf(ctx context.Context, id string) ([]RoleMember, error)

	// RemoveFromRole takes the role from all of them with as few calls as the
	// platform allows. Who lacks it is left alone, and so is a role that is gone.
	// PermissionDenied: the role is the platform's own or another app's.
	RemoveFromRole(ctx context.Context, role string, members []RoleMember) error
}

// Receipt is what a platform says of a message.
type Receipt struct {
	// ID is the platform's id of the message or of the task that sends it.
	ID string
	// Missed are the accounts that it did not go to, as far as the platform tells.
	Missed []string
	// Later: the platform tells whom it missed only later, by Delivered.
	Later bool
}

// Notifier is implemented by directories that can send messages to people.
type Notifier interface {
	// Notify sends the same text (at most 2,000 bytes of UTF-8; longer is Invalid) to
	// each of the accounts, at most 100. Sent again with the same text and accounts
	// within [Capabilities.NoticeWindow], the platform delivers it once; after that
	// it would be a second message. OutcomeUnknown: it may have been sent. NotSupported:
	// these credentials send no messages; the message says what they lack.
	Notify(ctx context.Context, to []string, text string) (Receipt, error)

	// Delivered asks what became of a message within a day of sending it: Missed
	// are those whom it did not reach. Unavailable: it is being sent still. NotSupported:
	// the platform does not tell more than its receipt did.
	Delivered(ctx context.Context, r Receipt) (Receipt, error)
}

// ResidualFinder is implemented by directories that can find more of somebody who
// left than the account, the departments and the roles that everybody can read.
type ResidualFinder interface {
	// Residuals names what is left of the account, one thing each, in words for
	// people and without personal data; nothing is nil.
	Residuals(ctx context.Context, id string) ([]string, error)
}

// Work is a kind of work of leaving, for [Capabilities.Calls].
type Work string

// The kinds of work.
const (
	WorkFreeze   Work = "Freeze"
	WorkRevoke   Work = "Revoke"
	WorkNotify   Work = "Notify"
	WorkRemove   Work = "Remove"
	WorkInherit  Work = "Inherit"
	WorkResidual Work = "Residual"
)
