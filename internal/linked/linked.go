package linked

import (
	"context"
	"net/http"
	"slices"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// Account is somebody's account in a linked system, as last read.
type Account struct {
	// ID is the system's own id: it stays the same when the login changes or the account
	// is moved (SCIM id, LDAP entryUUID, what a webhook's receipt said). Never a login.
	ID string
	// Login is what the person signs in with (SCIM userName, LDAP uid).
	Login string
	// Number is the employee number that the system has; empty if it has none or does not tell.
	Number string
	// Enabled: somebody can sign in with it, as far as the system tells.
	Enabled bool
	// Parked: it was unlinked: in no group, and where departed accounts are kept if there is such a place.
	// An account that is enabled is not.
	Parked bool
	// Attributes are those that were asked for, by the names of the mapping; one that the
	// account lacks is not among them.
	Attributes map[string][]string
	// Groups are the ids of the groups that it is in, as far as the system tells.
	Groups []string
}

// SameValues compares the values of an attribute without regard to their order: those of a directory have none
// (RFC 4512, section 2.5).
func SameValues(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Wish is an account as it is to be.
type Wish struct {
	// Login that it has when it is created.
	Login string
	// Number is the employee number, which it is found again by.
	Number string
	// Attributes by the names of the mapping. An empty list takes the attribute away;
	// attributes that are not among them are left alone.
	Attributes map[string][]string
}

// Order is what every write says beside what it does.
type Order struct {
	// Key is equal for repetitions of one act, and for nothing else: a system that knows it does
	// the act once. Letters, digits and '-', at most 64 bytes.
	Key string
	// Reason is for the system's own records. It holds no personal data.
	Reason string
	// Saw, if not nil, is told of the account by a Disable or Enable that succeeds and has read it after it was
	// written: nobody has to read it once more. It is what Account would have returned.
	Saw func(Account)
}

// Capabilities is what a system can do, as it says itself or as it was declared.
type Capabilities struct {
	// Protocol is "SCIM", "LDAP" or "Webhook".
	Protocol string
	// Lists: everybody can be read in pages; else accounts are read one at a time.
	Lists bool
	// Reads: an account can be read at all. Where it cannot, a receipt is all that proves anything.
	Reads bool
	// Creates, Updates, Disables, Enables, Deletes: the system does this.
	Creates, Updates, Disables, Enables, Deletes bool
	// Groups: memberships are taken away when somebody is unlinked.
	Groups bool
	// DisableRemoves: the system removes an account for good when it is disabled.
	DisableRemoves bool
	// Words are what an administrator should know of it, e.g. "PATCH", "filter", "lock by pwdAccountLockedTime".
	Words []string
	// Limits say in words what this system cannot do, or does otherwise than was declared.
	Limits []string
}

// System is one linked system. All methods are safe for concurrent use, obey ctx, bound
// what they read in size and time, and return errors with a [directory.Class]. They make
// no policy: a write whose outcome is unknown is never repeated by them.
type System interface {
	// Discover asks what the system can do, and proves that the credentials work. What was
	// declared wins over what the system says. PermissionDenied names the right that is missing.
	Discover(ctx context.Context) (Capabilities, error)

	// List calls each with every account, in pages. It returns nil only when it has seen all
	// of them: a listing that contradicts itself is an error of class Unavailable.
	// NotSupported where the system does not list. An error of each ends it.
	List(ctx context.Context, each func(Account) error) error

	// Account reads the account with this id. NotFound: the system said so.
	Account(ctx context.Context, id string) (Account, error)

	// Find looks for accounts with this employee number, then for those with this login.
	// Each one that it returns was compared here, too: a system that ignores its filter
	// finds nobody. None is no error. NotSupported where the system cannot be asked.
	Find(ctx context.Context, number, login string) ([]Account, error)

	// Create makes an account, enabled. AlreadyExists: the login is taken. Conflict:
	// something else that is unique is. OutcomeUnknown: Find before anything else.
	Create(ctx context.Context, w Wish, o Order) (Account, error)

	// Update writes the attributes of w and no others; the login only if w has one.
	Update(ctx context.Context, id string, w Wish, o Order) error

	// Disable lets nobody sign in with the account any more; Enable lets them again, and takes an
	// account back from where departed ones are kept; its groups do not come back. Both are
	// idempotent. NotSupported: the message says what a person has to do.
	Disable(ctx context.Context, id string, o Order) error
	Enable(ctx context.Context, id string, o Order) error

	// Unlink takes a disabled account out of all groups, and to where departed accounts are
	// kept if there is such a place. Idempotent. NotFound: it is gone.
	Unlink(ctx context.Context, id string, o Order) error

	// Delete removes the account. NotFound: it is gone already.
	Delete(ctx context.Context, id string, o Order) error

	// Residuals name what is left of somebody who was unlinked, one thing each, in words and
	// without personal data: an account that is enabled, memberships. Nothing is nil.
	// deleted: the account is to be gone.
	Residuals(ctx context.Context, id string, deleted bool) ([]string, error)

	// Close lets connections go.
	Close()
}

// Settings is what a system needs beside its own options.
type Settings struct {
	// Secrets holds the keys of the credentials Secret. Never log it.
	Secrets map[string][]byte
	// Attributes are the names that are read and written.
	Attributes []string
	// HTTP is the system's budgeted client (internal/httpx), for protocols on HTTP.
	HTTP *http.Client
	// Spend makes one call of another protocol when it is its turn in the budget.
	Spend func(ctx context.Context, operation string, call func(context.Context) error) error
	// Throttled is told of the system's own throttling answers. Never nil.
	Throttled func(operation string, retryAfter time.Duration)
	// Answered is told how each call ended, "" for success. Never nil.
	Answered func(operation string, class directory.Class)
	// Now is the clock. Never nil.
	Now func() time.Time
}
