package dingtalk

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// platformName is the name in control paths, faults and the log.
const platformName = "dingtalk"

// endpoint is one documented call.
type endpoint struct {
	method     string
	permission string // "": the call needs no token
	listing    bool
	write      bool
	subject    string // the parameter with the id that the call is about
	do         func(*session) (map[string]any, error)
}

// session is one call at work.
type session struct {
	*tenant
	platform *platform
	call     *core.Call
	app      *app
	args     args
	at       core.View
	now      time.Time
}

// The permissions of an app, by the names that the pages of the calls give.
const (
	permBase       = "qyapi_base"
	permManage     = "qyapi_manage_addresslist"
	permMember     = "qyapi_get_member"
	permDeptMember = "qyapi_get_department_member"
	permDeptList   = "qyapi_get_department_list"
	permMobile     = "qyapi_get_member_by_mobile"
	permSearch     = "qyapi_addresslist_search"
	permAccounts   = "Contact.OrgAccountSecurity.ReadWrite"
	permContact    = "Contact.Common.Read"
	permAttendance = "qyapi_get_attendance_data"
	permReports    = "qyapi_report_query"
	permForms      = "Workflow.Form.Read"
	permInstances  = "Workflow.Instance.Read"
	permTasks      = "Workflow.Instance.Write"
	permGroups     = "Custom.Group.Read"
	permWorkspaces = "Wiki.Workspace.Read"
	permNodes      = "Wiki.Node.Read"
	permSpaces     = "Drive.Space.Read"
	permFiles      = "Storage.File.Read"
	permRoster     = "qyapi_hrm_read_user"
	permFileLogs   = "Custom.OpFileAudit.Read"
	permEvents     = "Calendar.Event.Read"
	permProcess    = "Hrm.Process.ReadWrite"
	permLiveness   = "qyapi_liveness_base"
	// The two that decide about fields; the pages name them in words only (?).
	permFieldMobile = "fieldMobile"
	permFieldEmail  = "fieldEmail"
)

const (
	get  = http.MethodGet
	post = http.MethodPost
)

// oldAPI are the calls of oapi.dingtalk.com.
var oldAPI = map[string]endpoint{
	"/gettoken":    {get, "", false, false, "", (*session).getToken},
	"/auth/scopes": {get, permBase, false, false, "", (*session).authScopes},

	"/topapi/v2/user/create":       {post, permManage, false, true, "userid", (*session).createUser},
	"/topapi/v2/user/update":       {post, permManage, false, true, "userid", (*session).updateUser},
	"/topapi/v2/user/delete":       {post, permManage, false, true, "userid", (*session).deleteUser},
	"/topapi/v2/user/get":          {post, permMember, false, false, "userid", (*session).getUser},
	"/topapi/v2/user/list":         {post, permDeptMember, true, false, "dept_id", (*session).listUsers},
	"/topapi/v2/user/getbymobile":  {post, permMobile, false, false, "", (*session).userByMobile},
	"/topapi/user/getbyunionid":    {post, permMember, false, false, "unionid", (*session).userByUnionID},
	"/topapi/user/listsimple":      {post, permDeptMember, true, false, "dept_id", (*session).listSimple},
	"/topapi/user/listid":          {post, permMember, true, false, "dept_id", (*session).listUserIDs},
	"/topapi/user/count":           {post, permMember, false, false, "", (*session).countUsers},
	"/topapi/user/listadmin":       {post, permMember, true, false, "", (*session).listAdmins},
	"/topapi/user/get_admin_scope": {post, permMember, false, false, "userid", (*session).adminScope},
	"/topapi/inactive/user/v2/get": {post, permLiveness, true, false, "query_date", (*session).activeUsers},

	"/topapi/v2/department/create":           {post, permManage, false, true, "source_identifier", (*session).createDept},
	"/topapi/v2/department/update":           {post, permManage, false, true, "dept_id", (*session).updateDept},
	"/topapi/v2/department/delete":           {post, permManage, false, true, "dept_id", (*session).deleteDept},
	"/topapi/v2/department/get":              {post, permDeptList, false, false, "dept_id", (*session).getDept},
	"/topapi/v2/department/listsub":          {post, permDeptList, true, false, "dept_id", (*session).listSub},
	"/topapi/v2/department/listsubid":        {post, permDeptList, true, false, "dept_id", (*session).listSubIDs},
	"/topapi/v2/department/listparentbydept": {post, permDeptList, false, false, "dept_id", (*session).parentsOfDept},
	"/topapi/v2/department/listparentbyuser": {post, permDeptList, false, false, "userid", (*session).parentsOfUser},

	"/role/add_role_group":            {post, permManage, false, true, "", (*session).addRoleGroup},
	"/role/add_role":                  {post, permManage, false, true, "", (*session).addRole},
	"/role/update_role":               {post, permManage, false, true, "roleId", (*session).updateRole},
	"/topapi/role/deleterole":         {post, permManage, false, true, "role_id", (*session).deleteRole},
	"/topapi/role/list":               {post, permDeptList, true, false, "", (*session).listRoles},
	"/topapi/role/getrole":            {post, permDeptMember, false, false, "roleId", (*session).getRole},
	"/topapi/role/getrolegroup":       {post, permDeptList, false, false, "group_id", (*session).getRoleGroup},
	"/topapi/role/simplelist":         {post, permDeptMember, true, false, "role_id", (*session).listHolders},
	"/topapi/role/addrolesforemps":    {post, permManage, false, true, "userIds", (*session).addRoles},
	"/topapi/role/removerolesforemps": {post, permManage, false, true, "userIds", (*session).removeRoles},
	"/topapi/role/scope/update":       {post, permManage, false, true, "userid", (*session).updateRoleScope},

	"/attendance/list":                          {post, permAttendance, true, false, "", (*session).attendanceResults},
	"/attendance/listRecord":                    {post, permAttendance, true, false, "", (*session).punchRecords},
	"/topapi/process/listbyuserid":              {post, permForms, true, false, "", (*session).oldTemplates},
	"/topapi/report/list":                       {post, permReports, true, false, "userid", (*session).listReports},
	"/topapi/smartwork/hrm/employee/queryonjob": {post, permRoster, true, false, "", (*session).onJob},

	"/topapi/message/corpconversation/asyncsend_v2":    {post, permBase, false, true, "userid_list", (*session).sendMessage},
	"/topapi/message/corpconversation/getsendprogress": {post, permBase, false, false, "task_id", (*session).sendProgress},
	"/topapi/message/corpconversation/getsendresult":   {post, permBase, false, false, "task_id", (*session).sendResult},
	"/topapi/message/corpconversation/recall":          {post, permBase, false, true, "msg_task_id", (*session).recallMessage},
}

// newAPI are the calls of api.dingtalk.com.
var newAPI = map[string]endpoint{
	"/v1.0/oauth2/accessToken":          {post, "", false, false, "", (*session).accessToken},
	"/v1.0/contact/users/search":        {post, permSearch, true, false, "", (*session).searchUsers},
	"/v1.0/contact/empLeaveRecords":     {get, permContact, true, false, "", (*session).leaveRecords},
	"/v1.0/contact/orgAccounts/disable": {post, permAccounts, false, true, "userId", (*session).disableAccount},
	"/v1.0/contact/orgAccounts/enable":  {post, permAccounts, false, true, "userId", (*session).enableAccount},
	"/v1.0/contact/orgAccounts/signOut": {post, permAccounts, false, true, "userId", (*session).signOutAccount},
	"/v1.0/contact/orgAccounts/status":  {get, permAccounts, false, false, "userId", (*session).accountStatus},

	"/v1.0/workflow/processes/userVisibilities/templates": {get, permForms, true, false, "userId", (*session).visibleTemplates},
	"/v1.0/workflow/processes/instanceIds/query":          {post, permInstances, true, false, "processCode", (*session).approvalIDs},
	"/v1.0/workflow/processInstances":                     {get, permInstances, false, false, "processInstanceId", (*session).getApproval},
	"/v1.0/exclusive/securities/orgGroupInfos":            {get, permGroups, true, false, "", (*session).listGroups},
	"/v2.0/wiki/workspaces":                               {get, permWorkspaces, true, false, "", (*session).listWorkspaces},
	"/v2.0/wiki/nodes":                                    {get, permNodes, true, false, "parentNodeId", (*session).listNodes},
	"/v1.0/drive/spaces":                                  {get, permSpaces, true, false, "", (*session).listSpaces},
	"/v1.0/hrm/rosters/meta/authorities/fields":           {get, permRoster, true, false, "", (*session).rosterMeta},
	"/v1.0/hrm/rosters/lists/query":                       {post, permRoster, true, false, "", (*session).rosters},
	"/v1.0/hrm/employees/dismissions":                     {get, permRoster, true, false, "", (*session).dismissedUsers},
	"/v1.0/hrm/employees/dimissionInfos":                  {get, permRoster, true, false, "", (*session).dismissionInfos},
	"/v1.0/hrm/dismission/reasons":                        {get, permProcess, true, false, "", (*session).dismissionReasons},
	"/v1.0/hrm/processes/terminateAndHandOver":            {post, permProcess, false, true, "userId", (*session).terminate},
	"/v1.0/workflow/processes/todoTasks/numbers":          {get, permInstances, false, false, "userId", (*session).countTasks},
	"/v1.0/workflow/tasks/redirect":                       {post, permTasks, false, true, "taskId", (*session).redirectTask},
	"/v1.0/exclusive/fileAuditLogs":                       {get, permFileLogs, true, false, "", (*session).fileAuditLogs},
}

// dentriesPrefix and dentriesSuffix are around the id of a space.
const (
	dentriesPrefix = "/v1.0/storage/spaces/"
	dentriesSuffix = "/dentries/listAll"
)

// around are the calls with an id in the path.
var around = []struct {
	prefix, suffix string
	call           endpoint
}{
	{"/v1.0/oauth2/", "/token", endpoint{post, "", false, false, "", (*session).corpToken}},
	{dentriesPrefix, dentriesSuffix, endpoint{post, permFiles, true, false, "", (*session).listDentries}},
	{calendarPrefix, calendarSuffix, endpoint{get, permEvents, true, false, "", (*session).listEvents}},
}

// isNew tells the two hosts apart, which share one address here, by the path.
// /oauth2/ without a version is a path that only the new host was seen to refuse.
func isNew(path string) bool {
	return strings.HasPrefix(path, "/v1.0/") || strings.HasPrefix(path, "/v2.0/") || strings.HasPrefix(path, "/oauth2/")
}

func find(path string) (endpoint, bool) {
	if e, ok := oldAPI[path]; ok {
		return e, true
	}
	if e, ok := newAPI[path]; ok {
		return e, true
	}
	for _, e := range around {
		id, ok1 := strings.CutPrefix(path, e.prefix)
		id, ok2 := strings.CutSuffix(id, e.suffix)
		if ok1 && ok2 && id != "" && !strings.Contains(id, "/") {
			return e.call, true
		}
	}
	return endpoint{}, false
}

// tokenOf finds the token where the API of the path looks for it: the old one
// in the query or a form body, never in a header; the new one in its header only.
func tokenOf(r *http.Request, a args) string {
	if isNew(r.URL.Path) {
		return r.Header.Get("x-acs-dingtalk-access-token")
	}
	if token := r.URL.Query().Get("access_token"); token != "" {
		return token
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		token, _ := a["access_token"].(string)
		return token
	}
	return ""
}

// Describe implements [core.Platform].
func (p *platform) Describe(r *http.Request, body []byte) core.Call {
	c := core.Call{Operation: r.URL.Path}
	e, ok := find(r.URL.Path)
	if !ok {
		return c
	}
	a, _ := parseArgs(r.URL.Query(), body) // what can be read of a bad body names the call well enough
	c.Listing, c.Write = e.listing, e.write
	if e.subject != "" {
		c.Subject, _ = a.text(e.subject)
		if c.Subject == "" && e.subject == "source_identifier" {
			c.Subject, _ = a.text("name")
		}
	}
	var owner *app
	if e.permission != "" {
		owner = p.tokens.owner(tokenOf(r, a))
	} else {
		owner = p.appByKey(clientOf(a))
	}
	if owner != nil {
		c.Tenant, c.Credential = owner.tenant.spec.Name, owner.Name
	}
	return c
}

// Do implements [core.Platform].
func (p *platform) Do(c *core.Call) core.Answer {
	path := c.Request.URL.Path
	e, ok := find(path)
	if !ok {
		if isNew(path) {
			return unknownURI()
		}
		return unknownPath(path)
	}
	body, err := p.perform(c, e)
	if err != nil {
		return answer(err)
	}
	if isNew(path) {
		return newAnswer(http.StatusOK, "0", body)
	}
	if body == nil {
		body = map[string]any{}
	}
	body["errcode"], body["errmsg"] = 0, "ok"
	if e.permission != "" {
		body["request_id"] = requestID()
	}
	return oldAnswer("0", body)
}

// perform checks token and permission, takes the lock and runs the call.
func (p *platform) perform(c *core.Call, e endpoint) (map[string]any, error) {
	r := c.Request
	modern := isNew(r.URL.Path)
	if r.Method != e.method {
		switch {
		case modern:
			return nil, newFault(http.StatusMethodNotAllowed, "methodNotAllowed", "Method Not Allowed") // (?)
		case e.method == get:
			return nil, refuse(codeNeedGET)
		default:
			return nil, refuse(codeNeedPOST)
		}
	}
	a, malformed := parseArgs(r.URL.Query(), c.Body)
	s := &session{platform: p, call: c, args: a, now: p.core.Clock.Now()}
	if e.permission == "" {
		return e.do(s)
	}
	if err := p.authorize(s, e, tokenOf(r, a)); err != nil {
		return nil, err
	}
	if malformed != nil {
		if modern {
			return nil, newFault(http.StatusBadRequest, "InvalidParameter", "请求参数不合法") // (?)
		}
		return nil, refuse(codeJSON)
	}
	s.at = c.At(s.journal)
	if e.write {
		s.mu.Lock()
		defer s.mu.Unlock()
	} else {
		s.mu.RLock()
		defer s.mu.RUnlock()
	}
	return e.do(s)
}

// authorize finds the app behind a token and checks its permission.
func (p *platform) authorize(s *session, e endpoint, token string) error {
	modern := isNew(s.call.Request.URL.Path)
	if token == "" {
		if modern {
			return errNoHeader
		}
		return deny(codeTokenBlank)
	}
	s.app = p.tokens.valid(token, s.now)
	if s.app == nil {
		if modern {
			return errBadToken
		}
		return deny(codeTokenInvalid)
	}
	s.tenant = s.app.tenant
	if s.permitted(e.permission) {
		return nil
	}
	if modern {
		return denyNew(s.app.AppKey, e.permission)
	}
	return denyOld(s.app.AppKey, e.permission)
}

// Error implements [core.Platform]. The code of a fault on the old API is a
// number, or "88/40014" for errcode 88 with a sub_code; on the new API it is a
// word, and the HTTP status is 400 unless the fault has one.
func (p *platform) Error(c *core.Call, f core.Fault) core.Answer {
	code, sub, nested := strings.Cut(string(f.Code), "/")
	number, err := strconv.Atoi(code)
	text := f.Message
	if isNew(c.Operation) {
		if text == "" {
			text = code
		}
		status := f.HTTPStatus
		if status == 0 {
			status = http.StatusBadRequest
		}
		return answer(newFault(status, string(f.Code), text))
	}
	if err != nil {
		number = codePlatform // the old API has numbers only
	}
	var refused error
	if subNumber, err := strconv.Atoi(sub); nested && number == codeAuth && err == nil {
		if text == "" {
			text = texts[subNumber]
		}
		refused = &denial{sub: subNumber, message: text}
	} else {
		if text == "" {
			text = texts[number]
		}
		refused = refuseAs(number, text)
	}
	a := answer(refused)
	if f.HTTPStatus != 0 {
		a.Status = f.HTTPStatus
	}
	return a
}

// Throttled implements [core.Platform].
// https://open.dingtalk.com/document/development/how-to-process-api-throttling-on-the-dingtalk-server
func (p *platform) Throttled(c *core.Call, scope core.Scope) core.Answer {
	code, word := codeAppAPILimit, "QpsLimitForAppkeyAndApi"
	switch scope {
	case core.ScopeIP:
		return banned()
	case core.ScopeOverall:
		code, word = codeAPILimit, "QpsLimitForApi"
	case core.ScopeTenant:
		code, word = codeCorpAPILimit, "QpsLimitForAppkeyAndApi"
	}
	if isNew(c.Operation) {
		return answer(newFault(http.StatusForbidden, "Forbidden.AccessDenied."+word, texts[code]))
	}
	return answer(refuse(code))
}

// DocumentedLimits implements [core.Platform]: 20 calls a second per app and
// API in the standard edition; 10,000 in 20 s per address, or a ban of 5 min.
// https://open.dingtalk.com/document/development/how-to-process-api-throttling-on-the-dingtalk-server
func (p *platform) DocumentedLimits() []core.Rule {
	return []core.Rule{
		{Scope: core.ScopeOperation, Calls: 20, Per: time.Second},
		{Scope: core.ScopeIP, Calls: 10_000, Per: 20 * time.Second, Block: 5 * time.Minute},
	}
}

// Name implements [core.Platform].
func (p *platform) Name() string { return platformName }
