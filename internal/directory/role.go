package directory

import (
	"context"
	"time"
)

// Role is a named set of people on a platform: a DingTalk role, a WeCom tag.
type Role struct {
	// ID is the platform's id.
	ID   string
	Name string
	// Group is the name of the role group, on platforms that have groups.
	Group string
	// BuiltIn roles belong to the platform; nobody but its console changes them.
	BuiltIn bool
}

// RoleMember is one holder of a role: an account, or a department with everybody in it.
type RoleMember struct {
	Role string
	// Account or Department is the holder's id; the other is empty.
	Account, Department string
	// Scope are the ids of the departments that the role reaches for this holder;
	// empty is the whole company, and the only thing where roles have no scope.
	Scope []string
}

// RoleKeeper is implemented by directories that have roles.
type RoleKeeper interface {
	// Roles reads all roles.
	Roles(ctx context.Context) ([]Role, error)

	// RoleMembers reads the holders of one role. NotFound: there is no such role.
	RoleMembers(ctx context.Context, role string) ([]RoleMember, error)

	// CreateRole makes a role by its name and group (the group too, if there is
	// none of that name) and returns its id. A group is ignored where there are
	// none; where there are and r names none, the provider has one for such roles.
	// AlreadyExists: there is one of that name; Error.Holder is its id if the
	// platform tells.
	CreateRole(ctx context.Context, r Role) (id string, err error)

	// AddToRole gives the role to all of them with as few calls as the platform
	// allows; role, not their field Role, says which. Who has it already keeps it.
	// NotFound: some of them do not exist (the others have the role), or the role
	// does not. NotSupported: the platform gives no role to departments, or none
	// with a scope; nothing was done.
	AddToRole(ctx context.Context, role string, members []RoleMember) error
}

// RoleScoper is implemented by directories whose roles have a scope.
type RoleScoper interface {
	// SetRoleScope lets the role reach other departments for people who hold it, and who
	// keep it all the time; an empty Scope is the whole company. NotFound: some do not
	// exist or do not hold the role (it is done for the others), or the role does not
	// exist.
	SetRoleScope(ctx context.Context, role string, members []RoleMember) error
}

// AdministratorLister is implemented by directories that tell who administers the company.
type AdministratorLister interface {
	// Administrators reads them; Role is what the platform calls that kind of
	// administrator. No platform's API makes one, or unmakes one.
	Administrators(ctx context.Context) ([]RoleMember, error)
}

// Activity is when people were last seen active.
type Activity struct {
	// Last is the day on which an account was last seen active, by its id, at midnight where
	// the platform counts its days. Who is not in it was not active since Since, or is not known.
	Last map[string]time.Time
	// Since is the first day that was looked at.
	Since time.Time
}

// ActivityReader is implemented by directories that tell who was active when.
type ActivityReader interface {
	// LastActive looks for the accounts day by day, from yesterday back, until it has found all of
	// them, has looked as far as the platform tells, or has used up the calls that such a question is
	// worth. PermissionDenied: the message names the right that is missing.
	LastActive(ctx context.Context, ids []string) (Activity, error)
}
