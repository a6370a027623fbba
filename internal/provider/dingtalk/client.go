package dingtalk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// The public cloud in China.
const (
	olderBase = "https://oapi.dingtalk.com"
	newerBase = "https://api.dingtalk.com"
)

// pageSize is the most people that one page of user/list holds (the vendor's
// Java SDK, opendingtalk/alibaba-dingtalk-service-sdk; the page is silent (?)).
const pageSize = 100

// operation is one endpoint: what to call, and what its answers mean.
type operation struct {
	// name is the key of the budget and part of every error.
	name string
	path string
	// write: it changes something.
	write bool
	// finds is noUser or noDepartment where NotFound speaks about the very thing
	// that was asked for.
	finds trait
	// grant is the permission that it needs, as the developer console calls it.
	grant string
}

const (
	grantManage      = "qyapi_manage_addresslist (通讯录数据管理权限)"
	grantMember      = "qyapi_get_member (成员信息读权限)"
	grantMembers     = "qyapi_get_department_member (通讯录部门成员读权限)"
	grantDepartments = "qyapi_get_department_list (通讯录部门信息读权限)"
	grantMobile      = "qyapi_get_member_by_mobile (根据手机号获取成员基本信息权限)"
	grantSecurity    = "Contact.OrgAccountSecurity.ReadWrite (通讯录企业账号安全数据读写权限)"
)

// Each operation is described on the page whose slug stands behind it.
var (
	opOldToken = operation{name: "gettoken", path: "/gettoken"}                                // obtain-orgapp-token
	opNewToken = operation{name: "oauth2/accessToken", path: "/v1.0/oauth2/accessToken"}       // obtain-the-access-token-of-an-internal-app
	opScopes   = operation{name: "auth/scopes", path: "/auth/scopes"}                          // obtain-corpsecret-authorization-scope
	opCount    = operation{name: "user/count", path: "/topapi/user/count", grant: grantMember} // user-management-acquires-number-employees

	opUser = operation{ // query-user-details
		name: "user/get", path: "/topapi/v2/user/get", finds: noUser, grant: grantMember}
	opUsers = operation{ // queries-the-complete-information-of-a-department-user
		name: "user/list", path: "/topapi/v2/user/list", finds: noDepartment, grant: grantMembers}
	opUserByMobile = operation{ // query-users-by-phone-number
		name: "user/getbymobile", path: "/topapi/v2/user/getbymobile", finds: noUser, grant: grantMobile}
	opCreateUser = operation{ // user-information-creation, create-an-sso-account
		name: "user/create", path: "/topapi/v2/user/create", write: true, grant: grantManage}
	opUpdateUser = operation{ // user-information-update, update-dedicated-accounts-information
		name: "user/update", path: "/topapi/v2/user/update", write: true, finds: noUser, grant: grantManage}

	opDepartment = operation{ // query-department-details0-v2
		name: "department/get", path: "/topapi/v2/department/get", finds: noDepartment, grant: grantDepartments}
	opDepartments = operation{ // user-management-acquires-the-list-departments
		name: "department/listsub", path: "/topapi/v2/department/listsub", finds: noDepartment, grant: grantDepartments}
	opCreateDepartment = operation{ // address-book-creation-department-established-department
		name: "department/create", path: "/topapi/v2/department/create", write: true, grant: grantManage}
	opUpdateDepartment = operation{ // address-book-update-department
		name: "department/update", path: "/topapi/v2/department/update", write: true, finds: noDepartment, grant: grantManage}

	opDisable = operation{ // disable-an-exclusive-account
		name: "orgAccounts/disable", path: "/v1.0/contact/orgAccounts/disable", write: true, finds: noUser, grant: grantSecurity}
	opEnable = operation{ // enable-a-dedicated-account
		name: "orgAccounts/enable", path: "/v1.0/contact/orgAccounts/enable", write: true, finds: noUser, grant: grantSecurity}
	opSignOut = operation{ // force-logout-from-dedicated-account
		name: "orgAccounts/signOut", path: "/v1.0/contact/orgAccounts/signOut", write: true, finds: noUser, grant: grantSecurity}
	opStatus = operation{ // query-dedicated-account-status-1
		name: "orgAccounts/status", path: "/v1.0/contact/orgAccounts/status", finds: noUser, grant: grantSecurity}
)

// client speaks the wire protocol of one tenant. The only domain type it knows is
// the error.
type client struct {
	http              *http.Client
	throttled         func(operation string, retryAfter time.Duration)
	answered          func(operation string, class directory.Class)
	now               func() time.Time
	older, newer      *api
	appKey, appSecret string
}

// api is one of the two: where it is, how it wants its token and how it says no.
type api struct {
	base   string
	tokens *tokens
	show   func(r *http.Request, token string)
	code   func(status int, body []byte) (code string, ok bool)
}

func newClient(s directory.Settings, older, newer, appKey, appSecret string) *client {
	c := &client{http: s.HTTP, throttled: s.Throttled, answered: s.Answered, now: s.Now, appKey: appKey, appSecret: appSecret}
	c.older = &api{base: older, tokens: &tokens{fetch: c.fetchOldToken, now: s.Now}, show: showInQuery, code: oldCode}
	c.newer = &api{base: newer, tokens: &tokens{fetch: c.fetchNewToken, now: s.Now}, show: showInHeader, code: newCode}
	return c
}

func showInQuery(r *http.Request, token string) {
	q := r.URL.Query()
	q.Set("access_token", token)
	r.URL.RawQuery = q.Encode()
}

func showInHeader(r *http.Request, token string) { r.Header.Set("x-acs-dingtalk-access-token", token) }

// request is a call before it is bound to a token.
type request struct {
	api    *api
	method string
	query  url.Values
	body   any // nil is none
}

// renewals is how often one call asks for a new token. The token is chosen before the call waits
// for its turn, so that a company that takes tokens back can refuse it more than once.
const renewals = 3

// call makes a call with a token. It goes out again in two cases only: when the
// token was refused, which the platform looks at before anything else, and, once,
// when a read found the platform busy, which it asks to retry
// [server-api-error-codes-1], or was not answered at all.
func (c *client) call(ctx context.Context, op *operation, r request, out any) error {
	for renewed, retried := 0, false; ; {
		token, err := r.api.tokens.get(ctx)
		if err != nil {
			return noToken(op, err)
		}
		err = c.exchange(ctx, op, r, token, out)
		switch {
		case hasTrait(err, staleToken):
			r.api.tokens.discard(token)
			if renewed == renewals {
				return refusesItsOwn(err)
			}
			renewed++
		case !retried && !op.write && (hasTrait(err, busy) || httpx.HungUp(err)):
			retried = true
		default:
			return err
		}
	}
}

// exchange sends one request and reads its answer into out, which may be nil. An
// empty token is not shown.
func (c *client) exchange(ctx context.Context, op *operation, r request, token string, out any) error {
	err := c.attempt(ctx, op, r, token, out)
	if c.answered != nil {
		c.answered(op.name, directory.ClassOf(err))
	}
	return err
}

func (c *client) attempt(ctx context.Context, op *operation, r request, token string, out any) error {
	var body []byte
	if op.write {
		defer func() { directory.NoteRequest(ctx, requestID(body)) }()
	}
	resp, err := c.send(ctx, op, r, token)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body) // httpx bounds it
	if err != nil {
		return unanswered(op, err)
	}
	if err := judge(op, r.api, resp, body); err != nil {
		if err.Class == directory.RateLimited {
			c.tellThrottled(op, err)
		}
		return err
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return incomplete(op, "a field has an unknown form")
	}
	return nil
}

func (c *client) send(ctx context.Context, op *operation, r request, token string) (*http.Response, error) {
	ctx = httpx.WithOperation(ctx, op.name)
	if op.write {
		ctx = httpx.WithWrite(ctx)
	}
	var content io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, invalid(op, "a value cannot be written as JSON")
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.api.base+op.path, content)
	if err != nil {
		return nil, invalid(op, "the endpoint is not an address")
	}
	req.URL.RawQuery = r.query.Encode()
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.api.show(req, token)
	}
	resp, err := httpx.Do(c.http, req)
	if err != nil {
		return nil, unanswered(op, err)
	}
	return resp, nil
}

// codeForm is what every code of DingTalk looks like. Codes are shown and recorded; what
// is none of these words must not get there (P12).
var codeForm = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,128}$`)

// judge says whether an answer is a refusal, or no answer of the platform at all.
func judge(op *operation, a *api, resp *http.Response, body []byte) *directory.Error {
	code, ok := a.code(resp.StatusCode, body)
	switch {
	case ok && code == "":
		return nil
	case ok && codeForm.MatchString(code):
		return refusal(op, code)
	case bytes.Contains(body, []byte("punish")):
		// The ban's page of HTML has the same fields as its JSON [call-frequency-limit].
		return refusal(op, codeBanned)
	default:
		return garbled(op, resp)
	}
}

// requestID is the platform's id of a request, which the older API calls
// request_id, and the newer one requestId in answers and requestid in refusals.
// Encoding/json matches names in any case.
func requestID(body []byte) string {
	var answer struct {
		Older string `json:"request_id"`
		Newer string `json:"requestId"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	return cmp.Or(answer.Older, answer.Newer)
}

// tellThrottled passes the platform's complaint on to the budget; "" is the
// whole tenant.
func (c *client) tellThrottled(op *operation, err *directory.Error) {
	name := op.name
	if m, known := meaningOf(err.Code); known && m.wide {
		name = ""
	}
	c.throttled(name, err.RetryAfter)
}

// refused is all that either API may say no with.
type refused struct {
	ErrCode *text `json:"errcode"`
	SubCode text  `json:"sub_code"`
	Code    text  `json:"code"`
	Status  text  `json:"status"`
	Punish  text  `json:"punish"`
}

// oldCode reads the envelope of the older API: HTTP 200 and an errcode, which is
// there even when all is well. Errcode 88 stands for what sub_code says.
func oldCode(status int, body []byte) (code string, ok bool) {
	var r refused
	if json.Unmarshal(body, &r) != nil {
		return "", false
	}
	switch {
	case r.ErrCode == nil:
		return codeBanned, r.Status == codeBanned
	case *r.ErrCode == "0":
		return "", status == http.StatusOK
	case *r.ErrCode == "88" && r.SubCode != "":
		return string(r.SubCode), true
	default:
		return string(*r.ErrCode), *r.ErrCode != ""
	}
}

// newCode reads an answer of the newer API: a refusal is an HTTP status and a
// code, except for unknown paths, which it answers with HTTP 200 and an errcode
// (published probe of the live API).
func newCode(status int, body []byte) (code string, ok bool) {
	var r refused
	if json.Unmarshal(body, &r) != nil {
		return "", false
	}
	switch {
	case r.ErrCode != nil && *r.ErrCode != "0":
		return string(*r.ErrCode), *r.ErrCode != ""
	case r.Status == codeBanned && r.Punish != "":
		return codeBanned, true
	case status != http.StatusOK:
		return string(r.Code), r.Code != ""
	default:
		return "", true
	}
}

// ask calls an operation of the older API that answers with a result.
func ask[T any](ctx context.Context, c *client, op *operation, body any) (T, error) {
	var a struct {
		Result *T `json:"result"`
	}
	err := c.call(ctx, op, request{api: c.older, method: http.MethodPost, body: body}, &a)
	if err == nil && a.Result == nil {
		err = incomplete(op, "it has no result")
	}
	if err != nil {
		var none T
		return none, err
	}
	return *a.Result, nil
}

// tell calls an operation of the older API whose answer says only that all is well.
func (c *client) tell(ctx context.Context, op *operation, body any) error {
	return c.call(ctx, op, request{api: c.older, method: http.MethodPost, body: body}, nil)
}

// scopes is the answer of auth/scopes.
type scopes struct {
	Org *struct {
		Departments many[integer] `json:"authed_dept"`
	} `json:"auth_org_scopes"`
	Fields many[text] `json:"auth_user_field"`
}

func (c *client) scopes(ctx context.Context) (scopes, error) {
	var s scopes
	err := c.call(ctx, &opScopes, request{api: c.older, method: http.MethodGet}, &s)
	if err == nil && s.Org == nil {
		err = incomplete(&opScopes, "it has no scopes")
	}
	return s, err
}

// user is a person as user/get and user/list show them. Each leaves out what the
// other has: see the comments.
type user struct {
	UserID           text          `json:"userid"`
	Name             text          `json:"name"`
	StateCode        text          `json:"state_code"`
	Mobile           text          `json:"mobile"`
	Telephone        text          `json:"telephone"`
	JobNumber        text          `json:"job_number"`
	Title            text          `json:"title"`
	Email            *text         `json:"email"`
	OrgEmail         *text         `json:"org_email"`
	WorkPlace        *text         `json:"work_place"`
	Remark           *text         `json:"remark"`
	Extension        *attributes   `json:"extension"`
	HiredDate        integer       `json:"hired_date"`
	Departments      many[integer] `json:"dept_id_list"`
	ExclusiveAccount boolean       `json:"exclusive_account"`
	Disabled         boolean       `json:"disable_status"`
	Admin            *boolean      `json:"admin"` // of any level

	// user/get only.
	UnionID text                  `json:"unionid"`
	Manager text                  `json:"manager_userid"`
	Orders  many[departmentOrder] `json:"dept_order_list"`
	Leads   many[departmentLead]  `json:"leader_in_dept"`
	Roles   many[roleOfUser]      `json:"role_list"`

	// user/list only: both speak about the department that was asked for.
	Order  integer `json:"dept_order"`
	Leader boolean `json:"leader"`
}

type departmentOrder struct {
	Department integer `json:"dept_id"`
	Order      integer `json:"order"`
}

type departmentLead struct {
	Department integer `json:"dept_id"`
	Leader     boolean `json:"leader"`
}

type roleOfUser struct {
	ID    integer `json:"id"`
	Group text    `json:"group_name"`
}

func (c *client) user(ctx context.Context, id string) (user, error) {
	u, err := c.rawUser(ctx, id)
	return u.is, err
}

// rawUser is user/get, as it was written too.
func (c *client) rawUser(ctx context.Context, id string) (written[user], error) {
	u, err := ask[written[user]](ctx, c, &opUser, map[string]any{"userid": id, "language": "zh_CN"})
	if err == nil && !strings.EqualFold(string(u.is.UserID), id) {
		err = incomplete(&opUser, "it is about somebody else")
	}
	return u, err
}

// userPage is one page of user/list.
type userPage struct {
	More   boolean             `json:"has_more"`
	Cursor *integer            `json:"next_cursor"`
	Users  many[written[user]] `json:"list"`
}

// usersOf reads all direct members of a department.
func (c *client) usersOf(ctx context.Context, department int64) ([]user, error) {
	var users []user
	err := c.userPages(ctx, department, func(page []written[user]) error {
		for i := range page {
			users = append(users, page[i].is)
		}
		return nil
	})
	return users, err
}

// userPages reads all direct members of a department, page by page.
func (c *client) userPages(ctx context.Context, department int64, use func([]written[user]) error) error {
	for cursor := integer(0); ; {
		page, err := ask[userPage](ctx, c, &opUsers, map[string]any{
			"dept_id": department, "cursor": cursor, "size": pageSize,
			"contain_access_limit": true, "language": "zh_CN",
		})
		if err != nil {
			return err
		}
		for i := range page.Users {
			if page.Users[i].is.UserID == "" {
				return incomplete(&opUsers, "a person has no id")
			}
		}
		if err := use(page.Users); err != nil {
			return err
		}
		if !page.More {
			return nil
		}
		if page.Cursor == nil || *page.Cursor <= cursor {
			return incomplete(&opUsers, "there are more pages, and it does not say where")
		}
		cursor = *page.Cursor
	}
}

// userCount counts everybody in the company, signed in or not, whatever the
// app's scope.
func (c *client) userCount(ctx context.Context) (int, error) {
	a, err := ask[struct {
		Count *integer `json:"count"`
	}](ctx, c, &opCount, map[string]any{"only_active": false})
	if err == nil && a.Count == nil {
		err = incomplete(&opCount, "it has no count")
	}
	if err != nil {
		return 0, err
	}
	return int(*a.Count), nil
}

// userByMobile returns the ids of the accounts with a number: the person's, and
// the enterprise accounts' of this company.
func (c *client) userByMobile(ctx context.Context, mobile string) ([]text, error) {
	a, err := ask[struct {
		UserID     text       `json:"userid"`
		Enterprise many[text] `json:"exclusive_account_userid_list"`
	}](ctx, c, &opUserByMobile, map[string]any{"mobile": mobile, "support_exclusive_account_search": true})
	if err != nil {
		return nil, err
	}
	ids := a.Enterprise
	if a.UserID != "" {
		ids = append(many[text]{a.UserID}, ids...)
	}
	if len(ids) == 0 {
		return nil, incomplete(&opUserByMobile, "it names nobody")
	}
	return ids, nil
}

// userWish is the body of user/create and user/update. What is nil or empty is
// left out, and so left alone; a pointer to "" clears.
type userWish struct {
	UserID      string            `json:"userid"`
	Name        *string           `json:"name,omitempty"`
	Telephone   *string           `json:"telephone,omitempty"`
	JobNumber   *string           `json:"job_number,omitempty"`
	Title       *string           `json:"title,omitempty"`
	Email       *string           `json:"email,omitempty"`
	WorkPlace   *string           `json:"work_place,omitempty"`
	HiredDate   int64             `json:"hired_date,omitempty"` // milliseconds
	Departments string            `json:"dept_id_list,omitempty"`
	Orders      []departmentOrder `json:"dept_order_list,omitempty"`
	Manager     *string           `json:"manager_userid,omitempty"`
	Extension   string            `json:"extension,omitempty"` // a JSON object as text

	// Creation only.
	Mobile               string `json:"mobile,omitempty"`
	ExclusiveMobile      string `json:"exclusive_mobile,omitempty"`
	ExclusiveAccount     bool   `json:"exclusive_account,omitempty"`
	ExclusiveAccountType string `json:"exclusive_account_type,omitempty"`

	// Update only.
	ExtensionMode int    `json:"ext_attrs_update_mode,omitempty"` // 1 merges
	Force         string `json:"force_update_fields,omitempty"`   // fields that may be cleared
}

// createUser returns the id that the platform gave, "" if it does not say.
func (c *client) createUser(ctx context.Context, w userWish) (string, error) {
	var a struct {
		Result struct {
			UserID text `json:"userid"`
		} `json:"result"`
	}
	err := c.call(ctx, &opCreateUser, request{api: c.older, method: http.MethodPost, body: w}, &a)
	return string(a.Result.UserID), err
}

func (c *client) updateUser(ctx context.Context, w userWish) error {
	return c.tell(ctx, &opUpdateUser, w)
}

// department is what department/get shows; department/listsub has the first three.
type department struct {
	ID       integer    `json:"dept_id"`
	Name     text       `json:"name"`
	Parent   integer    `json:"parent_id"`
	Order    integer    `json:"order"`
	Managers many[text] `json:"dept_manager_userid_list"`
	Key      text       `json:"source_identifier"`
	// GroupOwner owns the chat group of the department.
	GroupOwner text `json:"org_dept_owner"`
}

func (c *client) department(ctx context.Context, id int64) (department, error) {
	d, err := c.rawDepartment(ctx, id)
	return d.is, err
}

// rawDepartment is department/get, as it was written too.
func (c *client) rawDepartment(ctx context.Context, id int64) (written[department], error) {
	d, err := ask[written[department]](ctx, c, &opDepartment, map[string]any{"dept_id": id, "language": "zh_CN"})
	if err == nil && int64(d.is.ID) != id {
		err = incomplete(&opDepartment, "it is about another department")
	}
	return d, err
}

// children lists the departments directly below one.
func (c *client) children(ctx context.Context, id int64) ([]department, error) {
	ds, err := ask[many[department]](ctx, c, &opDepartments, map[string]any{"dept_id": id, "language": "zh_CN"})
	if err != nil {
		return nil, err
	}
	for _, d := range ds {
		if d.ID <= 0 {
			return nil, incomplete(&opDepartments, "a department has no id")
		}
	}
	return ds, nil
}

// departmentWish is the body of department/create and department/update; nil is
// left alone.
type departmentWish struct {
	ID       int64   `json:"dept_id,omitempty"`
	Name     *string `json:"name,omitempty"`
	Parent   *int64  `json:"parent_id,omitempty"`
	Order    *int64  `json:"order,omitempty"`
	Key      *string `json:"source_identifier,omitempty"`
	Managers *string `json:"dept_manager_userid_list,omitempty"` // "a,b"; update only
	Force    string  `json:"force_update_fields,omitempty"`      // update only
}

func (c *client) createDepartment(ctx context.Context, w departmentWish) (int64, error) {
	a, err := ask[struct {
		ID integer `json:"dept_id"`
	}](ctx, c, &opCreateDepartment, w)
	if err == nil && a.ID <= 0 {
		err = incomplete(&opCreateDepartment, "it has no id")
	}
	return int64(a.ID), err
}

func (c *client) updateDepartment(ctx context.Context, w departmentWish) error {
	return c.tell(ctx, &opUpdateDepartment, w)
}

// govern calls one of orgAccounts/disable, enable and signOut. The reason shows in
// the admin console's audit log.
func (c *client) govern(ctx context.Context, op *operation, id, reason string) error {
	var a struct {
		Result *boolean `json:"result"`
	}
	body := map[string]string{"userId": id, "reason": reason}
	err := c.call(ctx, op, request{api: c.newer, method: http.MethodPost, body: body}, &a)
	if err == nil && (a.Result == nil || !bool(*a.Result)) {
		err = incomplete(op, "it does not say that it was done")
	}
	return err
}

// disabled reads the state of an enterprise account.
func (c *client) disabled(ctx context.Context, id string) (bool, error) {
	var a struct {
		Disable *boolean `json:"disable"`
	}
	r := request{api: c.newer, method: http.MethodGet, query: url.Values{"userId": {id}}}
	err := c.call(ctx, &opStatus, r, &a)
	if err == nil && a.Disable == nil {
		err = incomplete(&opStatus, "it has no status")
	}
	if err != nil {
		return false, err
	}
	return bool(*a.Disable), nil
}
