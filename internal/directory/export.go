package directory

import (
	"context"
	"encoding/json"
	"time"
)

// Dataset names a kind of data that a platform keeps.
type Dataset string

// The datasets. Every platform has the Directory; which of the others it hands
// out is what [Exporter] says.
const (
	// DatasetDirectory is people, departments, roles and who has them.
	DatasetDirectory Dataset = "Directory"
	// DatasetApprovals are approval forms with all that was decided on them.
	DatasetApprovals Dataset = "Approvals"
	// DatasetAttendance are clock-ins and their results.
	DatasetAttendance Dataset = "Attendance"
	// DatasetReports are daily, weekly and other reports (日志, 汇报).
	DatasetReports Dataset = "Reports"
	// DatasetRoster is what the personnel module keeps of people.
	DatasetRoster Dataset = "Roster"
	// DatasetGroups are chat groups, without what was said in them.
	DatasetGroups Dataset = "Groups"
	// DatasetFiles are the names, places and owners of files, not their contents.
	DatasetFiles Dataset = "Files"
	// DatasetOperationLogs are the platform's own records of what administrators and people did.
	DatasetOperationLogs Dataset = "OperationLogs"
	// DatasetMessages are chats.
	DatasetMessages Dataset = "Messages"
	// DatasetCalendars are calendars and what is in them.
	DatasetCalendars Dataset = "Calendars"
)

// Datasets lists all of them, the directory first.
func Datasets() []Dataset {
	return []Dataset{
		DatasetDirectory, DatasetApprovals, DatasetAttendance, DatasetReports, DatasetRoster, DatasetGroups,
		DatasetCalendars, DatasetFiles, DatasetOperationLogs, DatasetMessages,
	}
}

// Parts of the directory dataset. The other datasets name their own parts, in
// the platform's words, e.g. "punches".
const (
	PartDepartments = "departments"
	PartAccounts    = "accounts"
	PartRoles       = "roles"
	PartMembers     = "members"
)

// Item is one thing that a platform keeps, as the platform wrote it.
type Item struct {
	// Part groups like items of a dataset: lower-case letters, digits and dashes.
	Part string
	// ID is the platform's id of it, unique in its part.
	ID string
	// Raw is the platform's JSON, fields unknown to us included. Where one thing
	// takes several calls to read, it is an object with the answers side by side.
	Raw json.RawMessage
	// Account, Department, Role or Member is what we understand of an item of the
	// directory; one of them at most is set.
	Account    *Account
	Department *Department
	Role       *Role
	Member     *RoleMember
}

// Gap is something that could not be exported, and why, in words for people.
type Gap struct {
	// Part is empty where the whole dataset is missing.
	Part   string
	Class  Class
	Reason string
}

// Scope says what to export.
type Scope struct {
	// Accounts are the ids of chosen people; nil is everybody. Departments and
	// roles are exported whole either way: they say where the chosen stood. Of the
	// holders of roles, the departments are exported and the chosen people.
	Accounts []string
	// From and To bound what has a time; From is inclusive. A platform that looks
	// back less far exports what it can, and says so in a Gap.
	From, To time.Time
}

// Summary is what an export says of itself.
type Summary struct {
	// Totals are the platform's own counts by part, where it has any.
	Totals map[string]int64
	Gaps   []Gap
}

// Offer says whether a platform hands a dataset out.
type Offer struct {
	Dataset Dataset
	// Missing says in words why not; empty means that it does.
	Missing string
}

// Exporter is implemented by directories that can hand out all they keep, as the
// platform wrote it. It reads with the budget of the tenant, and holds no more in
// memory than ids and one page.
type Exporter interface {
	// Offers says of every dataset whether this platform hands it out. It makes no call.
	Offers() []Offer

	// Export reads a dataset and gives emit each item once, one at a time:
	// departments before the people in them, roles after the people, and holders of
	// roles last. An error of emit ends the export and is returned as it is.
	// PermissionDenied and NotSupported mean that nothing of the dataset can be
	// had; what is missing of an otherwise good export is a Gap, and so are chosen
	// people who do not exist (class NotFound). An empty directory is an error of
	// class Unavailable. What was emitted before an error is not an export.
	Export(ctx context.Context, d Dataset, s Scope, emit func(Item) error) (Summary, error)
}
