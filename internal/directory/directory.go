package directory

import (
	"context"
	"net/http"
	"time"
)

// Directory is one tenant of one platform. All methods are safe for concurrent
// use, obey ctx, and return errors that carry a [Class]. They make no policy:
// they never retry a write whose outcome is unknown, and never skip silently.
type Directory interface {
	// Capabilities says what this tenant can do with these credentials. It makes no call.
	Capabilities() Capabilities

	// Check proves that the credentials work and reach what is needed, in one or
	// two cheap calls. Its error says which credential fails, and why.
	Check(ctx context.Context) error

	// List reads everybody and every department, page by page. An empty but
	// successful listing is an error of class Unavailable, not an empty company.
	List(ctx context.Context) (*Listing, error)

	// Account reads one account. NotFound means the platform said so in words.
	Account(ctx context.Context, id string) (Account, error)

	// CreateAccount creates the account under an id of our choosing. The platform
	// may answer with an invitation instead: the returned state is then Invited.
	// AlreadyExists: the id is taken. Conflict: something else that must be unique
	// is, and Error.Holder names by whom if the platform tells. OutcomeUnknown:
	// look the id up before anything else.
	CreateAccount(ctx context.Context, id string, t AccountType, p Profile) (State, error)

	// UpdateAccount writes the fields in p.Set and no others. Platforms ignore
	// some writes silently: read back to know.
	UpdateAccount(ctx context.Context, id string, p Profile) error

	// Department reads one department with every field that can be read.
	Department(ctx context.Context, id string) (Department, error)

	// CreateDepartment returns the new id. With d.ID set it asks for that id where
	// Capabilities.ChoosesDepartmentID. AlreadyExists: a sibling has this name (or
	// the id is taken); Error.Holder is its id if the platform tells.
	CreateDepartment(ctx context.Context, d Department) (id string, err error)

	// UpdateDepartment writes the fields in d.Set of department d.ID.
	UpdateDepartment(ctx context.Context, d Department) error
}

// Freezer is implemented by directories that can take access away without
// removing the account. Both calls are idempotent. NotSupported: this account
// cannot be frozen; the message says why in words for people.
type Freezer interface {
	Freeze(ctx context.Context, id, reason string) error
	Unfreeze(ctx context.Context, id, reason string) error
}

// FrozenCreator is implemented by directories that can create an account that
// was never usable. The rules of CreateAccount hold.
type FrozenCreator interface {
	CreateFrozen(ctx context.Context, id string, t AccountType, p Profile) (State, error)
}

// MobileFinder is implemented by directories that can look a person up by mobile number.
type MobileFinder interface {
	// FindByMobile returns the id of the account with this number, or NotFound.
	FindByMobile(ctx context.Context, mobile string) (id string, err error)
}

// Capabilities is what the plan knows of a platform.
type Capabilities struct {
	// Platform is the proper name, e.g. "WeCom".
	Platform string
	// Reads and Writes are the profile fields that can be read back and written.
	Reads, Writes Fields
	// Creates are the fields that can be written only at creation, beside Writes.
	Creates Fields
	// DepartmentWrites are the department fields that can be written.
	DepartmentWrites DepartmentFields
	// Freezes are the account types that can be frozen.
	Freezes []AccountType
	// FreezeLimit says in words what cannot be frozen, and what that means; empty if all can.
	FreezeLimit string
	// CreatesFrozen: an account can be created without a moment in which it is usable.
	CreatesFrozen bool
	// ChoosesDepartmentID: department ids are ours to choose.
	ChoosesDepartmentID bool
	// FoldsIDs: user ids that differ only in case are the same.
	FoldsIDs bool
	// RootDepartment is the id of the company itself.
	RootDepartment string
	// NoticeWindow is how long the platform recognises a message that is sent again.
	NoticeWindow time.Duration
	// Calls are the operations that each kind of work on one account takes, in their
	// order, where nothing fails: what a rehearsal shows. Work that is not among them
	// is not done by API here.
	Calls map[Work][]string
}

// CanFreeze reports whether an account of this type can be frozen.
func (c *Capabilities) CanFreeze(t AccountType) bool {
	for _, f := range c.Freezes {
		if f == t {
			return true
		}
	}
	return false
}

// Settings is what a provider needs to reach one tenant.
type Settings struct {
	// Tenant is the platform's id of the company (corp id).
	Tenant string
	// Secrets holds the keys that the Descriptor asks for. Never log it.
	Secrets map[string][]byte
	// Endpoint overrides the platform's base address; LegacyEndpoint that of its
	// older API, where there are two. Empty means the public cloud.
	Endpoint, LegacyEndpoint string
	// NumberAttribute names the extension attribute that carries the employee
	// number on platforms without a field for it; empty means nowhere.
	NumberAttribute string
	// HTTP is the tenant's budgeted client (internal/httpx).
	HTTP *http.Client
	// Throttled is told of the platform's own throttling answers; an empty operation
	// is the whole tenant. Never nil.
	Throttled func(operation string, retryAfter time.Duration)
	// Answered is told how each call ended, "" for success; nil if nobody counts.
	Answered func(operation string, class Class)
	// Now is the clock. Never nil.
	Now func() time.Time
}

// SecretKey is one key of a credentials Secret.
type SecretKey struct {
	Name     string
	Required bool
	// About says where an administrator finds the value.
	About string
}

// Descriptor is how a platform registers itself.
type Descriptor struct {
	// Platform is the proper name, equal to Capabilities.Platform.
	Platform string
	// SecretKeys are the keys of the credentials Secret.
	SecretKeys []SecretKey
	// OperationsPerSecond is the platform's documented limit for each operation.
	OperationsPerSecond float64
	// SlowOperations are those with a lower limit of their own, per second.
	SlowOperations map[string]float64
	// AccountID maps an employee number to the user id that we choose on this
	// platform, or says (class Invalid) why it cannot be one.
	AccountID func(number string) (string, error)
	// New returns the directory of one tenant. It makes no call. Invalid: the
	// settings are incomplete; the message says what is missing.
	New func(Settings) (Directory, error)
}
