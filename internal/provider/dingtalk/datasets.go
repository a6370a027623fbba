package dingtalk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

const (
	day = 24 * time.Hour

	// Approvals: ids of instances come in pages of 20, for 10 people at most, in
	// windows of 120 days that begin 365 days ago at most, 10 000 in all
	// [obtain-an-approval-list-of-instance-ids]; forms in pages of 100
	// [obtains-a-list-of-approval-forms-visible-to-the-specified].
	approvalReach  = 365 * day
	approvalWindow = 120 * day
	approvalPage   = 20
	approvalPeople = 10
	approvalMost   = 10_000
	formPage       = 100

	// Attendance: 50 people and 7 days, both days counted, in pages of 50, for half
	// a year [open-attendance-clock-in-data]; 180 days
	// [attendance-clock-in-record-is-open].
	attendanceReach  = 180 * day
	attendanceWindow = 7 * day
	attendancePeople = 50
	attendancePage   = 50

	// Reports: 180 days, 20 in a page; texts are cut at 1000 characters
	// [query-logs-sent-by-an-employee].
	reportWindow = 180 * day
	reportPage   = 20
	reportText   = 1000

	// Personnel: 50 in a page or call
	// [intelligent-personnel-query-the-list-of-on-the-job-employees-of-the,
	// obtain-the-list-of-employees-who-have-left,
	// obtain-resignation-information-of-employees-new-version]; leavers in windows of
	// 365 days [query-the-details-of-employees-who-have-left-office].
	rosterPage  = 50
	fieldPeople = 100 // [api-getemployeerosterbyfield]
	leaveWindow = 365 * day

	// No page says how many groups [obtain-group-info] or spaces [queries-a-space-list]
	// one page may have (?).
	groupInfoPage = 20
	spacePage     = 20
	workspacePage = 30 // [get-knowledge-base-list]
	nodePage      = 50 // [get-node-list]
	entryPage     = 50 // [get-a-list-of-all-files-or-folders-under-a]

	logPage = 500 // [obtain-file-operation-records]

	calendarWindow = 365 * day // [query-an-event-list]
	calendarPage   = 100       // and people shown of each event, same page
)

// founded is before anything on DingTalk, whose first version is of December 2014 (?).
var founded = time.Date(2014, 12, 1, 0, 0, 0, 0, chinaStandardTime)

const (
	grantForms      = "Workflow.Form.Read (工作流模板读权限)"
	grantInstances  = "Workflow.Instance.Read (工作流实例读权限)"
	grantAttendance = "qyapi_get_attendance_data (考勤数据读权限)"
	grantReports    = "qyapi_report_query (企业员工日志读权限)"
	grantRoster     = "qyapi_hrm_read_user (智能人事个人信息读权限)"
	grantLeavers    = "Contact.Common.Read (通讯录基本数据读权限)"
	grantGroups     = "Custom.Group.Read (专属钉钉群读权限), which exists in the exclusive edition (专属钉钉) only,"
	grantWorkspaces = "Wiki.Workspace.Read (知识库读权限)"
	grantNodes      = "Wiki.Node.Read (知识库节点读权限)"
	grantSpaces     = "Drive.Space.Read (钉盘应用盘空间读权限)"
	grantEntries    = "Storage.File.Read (企业存储文件读权限)"
	grantLogs       = "Custom.OpFileAudit.Read (专属钉钉文件审计日志读权限), which exists in the exclusive edition (专属钉钉) only,"
	grantEvents     = "Calendar.Event.Read (日历应用中日程读权限)"
)

// Each operation is described on the page whose slug stands behind it.
var (
	opUserIDs = operation{ // query-the-list-of-department-userids
		name: "user/listid", path: "/topapi/user/listid", finds: noDepartment, grant: grantMember}
	opAdmins = operation{ // query-the-administrator-list
		name: "user/listadmin", path: "/topapi/user/listadmin", grant: grantMember}

	opForms = operation{ // obtains-a-list-of-approval-forms-visible-to-the-specified
		name: "workflow/templates", path: "/v1.0/workflow/processes/userVisibilities/templates", grant: grantForms}
	opInstanceIDs = operation{ // obtain-an-approval-list-of-instance-ids
		name: "workflow/instanceIds", path: "/v1.0/workflow/processes/instanceIds/query", grant: grantInstances}
	opInstance = operation{ // obtains-the-details-of-a-single-approval-instance-pop
		name: "workflow/processInstances", path: "/v1.0/workflow/processInstances", finds: noThing, grant: grantInstances}

	opResults = operation{ // open-attendance-clock-in-data
		name: "attendance/list", path: "/attendance/list", grant: grantAttendance}
	opPunches = operation{ // attendance-clock-in-record-is-open
		name: "attendance/listRecord", path: "/attendance/listRecord", grant: grantAttendance}
	opReports = operation{ // query-logs-sent-by-an-employee
		name: "report/list", path: "/topapi/report/list", grant: grantReports}

	opOnJob = operation{ // intelligent-personnel-query-the-list-of-on-the-job-employees-of-the
		name: "hrm/queryonjob", path: "/topapi/smartwork/hrm/employee/queryonjob", grant: grantRoster}
	opDismissed = operation{ // obtain-the-list-of-employees-who-have-left
		name: "hrm/dismissions", path: "/v1.0/hrm/employees/dismissions", grant: grantRoster}
	opDismissals = operation{ // obtain-resignation-information-of-employees-new-version
		name: "hrm/dimissionInfos", path: "/v1.0/hrm/employees/dimissionInfos", grant: grantRoster}
	opRosterFields = operation{ // api-getemployeerosterbyfield
		name: "hrm/rosters", path: "/v1.0/hrm/rosters/lists/query", grant: grantRoster}
	opLeavers = operation{ // query-the-details-of-employees-who-have-left-office
		name: "contact/empLeaveRecords", path: "/v1.0/contact/empLeaveRecords", grant: grantLeavers}

	opGroupInfos = operation{ // obtain-group-info
		name: "exclusive/orgGroupInfos", path: "/v1.0/exclusive/securities/orgGroupInfos", grant: grantGroups}
	opWorkspaces = operation{ // get-knowledge-base-list
		name: "wiki/workspaces", path: "/v2.0/wiki/workspaces", grant: grantWorkspaces}
	opNodes = operation{ // get-node-list
		name: "wiki/nodes", path: "/v2.0/wiki/nodes", finds: noThing, grant: grantNodes}
	opSpaces = operation{ // queries-a-space-list
		name: "drive/spaces", path: "/v1.0/drive/spaces", grant: grantSpaces}
	opEntries = operation{ // get-a-list-of-all-files-or-folders-under-a
		name: "storage/dentries", path: "/v1.0/storage/spaces/{}/dentries/listAll", finds: noThing, grant: grantEntries}
	opFileLogs = operation{ // obtain-file-operation-records
		name: "exclusive/fileAuditLogs", path: "/v1.0/exclusive/fileAuditLogs", grant: grantLogs}
	opEvents = operation{ // query-an-event-list
		name: "calendar/events", path: "/v1.0/calendar/users/{}/calendars/primary/events", grant: grantEvents}
)

// at is the operation with an id in its path.
func (o operation) at(id string) *operation {
	o.path = strings.Replace(o.path, "{}", url.PathEscape(id), 1)
	return &o
}

// get asks the newer API.
func get[T any](ctx context.Context, c *client, op *operation, query url.Values) (T, error) {
	var out T
	err := c.call(ctx, op, request{api: c.newer, method: http.MethodGet, query: query}, &out)
	return out, err
}

// post asks one of the APIs where the answer has its fields beside the code.
func post[T any](ctx context.Context, c *client, a *api, op *operation, query url.Values, body any) (T, error) {
	var out T
	err := c.call(ctx, op, request{api: a, method: http.MethodPost, query: query, body: body}, &out)
	return out, err
}

// pages reads page after page; read returns the token of the next one. The end
// is no token, or 0, which is where the first page begins.
func pages(op *operation, read func(token string) (text, error)) error {
	for token := ""; ; {
		next, err := read(token)
		switch {
		case err != nil:
			return err
		case next == "" || next == "0":
			return nil
		case string(next) == token:
			return incomplete(op, "the next page is the same page")
		}
		token = string(next)
	}
}

// after is the next page of a call that says beside its token whether there is one.
func after(op *operation, more boolean, next text, err error) (text, error) {
	switch {
	case err != nil || !bool(more):
		return "", err
	case next == "" || next == "0":
		return "", incomplete(op, "there are more pages, and it does not say where")
	}
	return next, nil
}

// cursor is a token as the number that some calls want.
func cursor(token string) any {
	if n, err := strconv.ParseInt(token, 10, 64); err == nil || token == "" {
		return n
	}
	return token
}

// window is a span of time; to is not in it.
type window struct{ from, to time.Time }

// windows cuts a span into pieces of a length, the oldest first.
func (w window) windows(length time.Duration) []window {
	var pieces []window
	for from := w.from; from.Before(w.to); from = from.Add(length) {
		piece := window{from, from.Add(length)}
		if piece.to.After(w.to) {
			piece.to = w.to
		}
		pieces = append(pieces, piece)
	}
	return pieces
}

// span is the time that is asked for, as far as DingTalk looks back (0 is without
// end); what lies before is a gap. A reading may take hours, in which the horizon
// moves on: it keeps a day's distance from it.
func (x *export) span(part string, reach time.Duration) window {
	now := x.wire.now()
	w := window{x.scope.From, x.scope.To}
	if w.to.IsZero() || w.to.After(now) {
		w.to = now
	}
	if reach == 0 {
		if w.from.Before(founded) {
			w.from = founded
		}
		return w
	}
	if horizon := now.Add(day - reach); w.from.Before(horizon) {
		w.from = horizon
		x.gap(part, directory.NotSupported, "DingTalk looks back %d days: nothing before %s is in it",
			reach/day, horizon.In(chinaStandardTime).Format(time.DateOnly))
	}
	return w
}

// part is a part of a dataset that may fail alone.
type part struct {
	name string
	read func(context.Context) error
}

// parts reads parts one by one. One that the app may not read, or that the tenant
// does not have, is a gap, unless all are.
func (x *export) parts(ctx context.Context, parts ...part) error {
	var refusals []*directory.Error
	for _, p := range parts {
		err := p.read(ctx)
		if err == nil {
			continue
		}
		e, missing := missing(err)
		if !missing || x.broken() {
			return err
		}
		refusals = append(refusals, e)
		x.gap(p.name, e.Class, "%s", e.Message)
	}
	if len(refusals) == len(parts) {
		return refusals[0]
	}
	return nil
}

// missing reports whether an error says that something cannot be had at all.
func missing(err error) (*directory.Error, bool) {
	e, coded := errors.AsType[*directory.Error](err)
	return e, coded && (e.Class == directory.PermissionDenied || e.Class == directory.NotSupported)
}

// thing emits an item of a dataset other than the directory.
func (x *export) thing(op *operation, part, id string, raw json.RawMessage) error {
	if id == "" {
		return incomplete(op, "an item has no id")
	}
	return x.put(directory.Item{Part: part, ID: id, Raw: raw})
}

// wants reports whether a person is among the chosen, or all are.
func (x *export) wants(id text) bool {
	return x.scope.Accounts == nil || slices.Contains(x.scope.Accounts, string(id))
}

// each runs once for all people, or once for each of the chosen.
func (x *export) each(ctx context.Context, read func(ctx context.Context, person string) error) error {
	if x.scope.Accounts == nil {
		return read(ctx, "")
	}
	return inParallel(ctx, len(x.scope.Accounts), func(ctx context.Context, i int) error {
		return read(ctx, x.scope.Accounts[i])
	})
}

// people are the ids of the chosen, or of everybody.
func (x *export) people(ctx context.Context) ([]string, error) {
	if x.scope.Accounts != nil {
		return slices.Compact(slices.Sorted(slices.Values(x.scope.Accounts))), nil
	}
	known, ids := &idSet{}, &idSet{}
	known.add(departmentID(rootDepartment))
	for level := []int64{rootDepartment}; len(level) > 0; {
		var next []int64
		err := inParallel(ctx, len(level), func(ctx context.Context, i int) error {
			children, err := x.wire.children(ctx, level[i])
			if err == nil {
				err = x.wire.idsOf(ctx, level[i], ids)
			}
			x.mu.Lock()
			for _, c := range children {
				if known.add(departmentID(int64(c.ID))) {
					next = append(next, int64(c.ID))
				}
			}
			x.mu.Unlock()
			return x.pardon(err, level[i])
		})
		if err != nil {
			return nil, err
		}
		level = next
	}
	if ids.len() == 0 {
		return nil, incomplete(&opUserIDs, "it lists nobody, and a company has at least its founder")
	}
	return sortedKeys(ids.ids), nil
}

// idsOf adds the ids of the direct members of a department, which come in one page.
func (c *client) idsOf(ctx context.Context, department int64, ids *idSet) error {
	a, err := ask[struct {
		IDs many[text] `json:"userid_list"`
	}](ctx, c, &opUserIDs, map[string]any{"dept_id": department})
	for _, id := range a.IDs {
		ids.add(string(id))
	}
	return err
}

// administrator is somebody of user/listadmin.
type administrator struct {
	UserID text    `json:"userid"`
	Level  integer `json:"sys_level"`
}

// mainAdministrator is the level of the one who has all rights
// [query-the-administrator-list].
const mainAdministrator = 1

// administrators are never none: every company has a main one (P5).
func (c *client) administrators(ctx context.Context) ([]administrator, error) {
	admins, err := ask[many[administrator]](ctx, c, &opAdmins, map[string]any{})
	admins = slices.DeleteFunc(admins, func(a administrator) bool { return a.UserID == "" })
	if err == nil && len(admins) == 0 {
		err = incomplete(&opAdmins, "it names no administrator")
	}
	return admins, err
}

// administrator is the main administrator, or another where there is none: some
// calls are made in somebody's name, and they see the most.
func (x *export) administrator(ctx context.Context) (string, error) {
	admins, err := x.wire.administrators(ctx)
	if err != nil {
		return "", err
	}
	id := ""
	for _, a := range admins {
		if id == "" || a.Level == mainAdministrator {
			id = string(a.UserID)
		}
	}
	return id, nil
}
