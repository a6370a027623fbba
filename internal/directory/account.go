package directory

// State is what a platform says of an account.
type State string

const (
	// Active accounts can be used.
	Active State = "Active"
	// Frozen accounts exist and cannot be used.
	Frozen State = "Frozen"
	// Invited accounts do not exist yet: the person has an invitation to accept.
	Invited State = "Invited"
)

// AccountType distinguishes what a platform treats differently.
type AccountType string

const (
	// Ordinary accounts belong to the person; the company only admits them.
	Ordinary AccountType = "Ordinary"
	// Enterprise accounts belong to the company (DingTalk 企业账号).
	Enterprise AccountType = "Enterprise"
)

// Account is one person's account on one platform.
type Account struct {
	// ID is the platform's user id, as the platform writes it.
	ID      string
	Type    AccountType
	State   State
	Profile Profile
}

// DepartmentFields is a set of department fields, as [Fields] is of profile fields.
type DepartmentFields uint8

// The fields of a [Department].
const (
	DepartmentName DepartmentFields = 1 << iota
	DepartmentParent
	DepartmentOrder
	DepartmentManagers
	DepartmentKey
)

// Has reports whether every field of f is in s.
func (s DepartmentFields) Has(f DepartmentFields) bool { return s&f == f }

// Names lists the fields as Department.spec calls them.
func (s DepartmentFields) Names() []string {
	var names []string
	for _, f := range []struct {
		field DepartmentFields
		name  string
	}{
		{DepartmentName, "displayName"}, {DepartmentParent, "parent"}, {DepartmentOrder, "order"},
		{DepartmentManagers, "managers"}, {DepartmentKey, "key"},
	} {
		if s.Has(f.field) {
			names = append(names, f.name)
		}
	}
	return names
}

// Department is one org unit on one platform. Only the fields in Set mean
// anything. Wire-level oddities (who sorts which way, where leaders are kept)
// end in the provider.
type Department struct {
	Set DepartmentFields
	// ID is the platform's id; empty in a wish whose id the platform chooses.
	ID     string
	Name   string
	Parent string
	// Order sorts siblings, the smallest first, whatever the platform does.
	Order int64
	// Managers are platform ids of the people who lead the department.
	Managers []string
	// Key is our own name for the department, kept by platforms that have a
	// place for it; it finds a department whose creation was never answered.
	Key string
}

// Listing is one full reading of a directory.
type Listing struct {
	Accounts    []Account
	Departments []Department
	// Gaps says, one sentence each, why a person's absence from Accounts proves
	// nothing. Empty means the listing is complete: every page was read and the
	// platform's own count agrees.
	Gaps []string
}
