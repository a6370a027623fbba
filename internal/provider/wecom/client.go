package wecom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// client speaks the wire: one method for each endpoint, no domain types but errors.
type client struct {
	base      string // ends in "/cgi-bin/"
	http      *http.Client
	throttled func(operation string, retryAfter time.Duration)
	answered  func(operation string, class directory.Class)
	// wait is a pause that ends early with ctx; a test replaces it.
	wait func(ctx context.Context, d time.Duration) error
}

// request is one call. It is a POST if it has a body, else a GET.
type request struct {
	operation string // the path below cgi-bin
	write     bool   // it changes something, whatever its method
	query     url.Values
	body      map[string]any
}

// subject is the user id that the request is about, if any.
func (q *request) subject() string {
	if id, ok := q.body["userid"].(string); ok {
		return id
	}
	return q.query.Get("userid")
}

// envelope is in every answer. An absent errcode is said to mean success
// (https://developer.work.weixin.qq.com/document/path/90313).
type envelope struct {
	ErrCode *int   `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

type user struct {
	UserID         string   `json:"userid"`
	Name           *string  `json:"name"`
	Department     []int64  `json:"department"`
	Order          []int64  `json:"order"`
	Leads          []int64  `json:"is_leader_in_dept"`
	DirectLeader   []string `json:"direct_leader"`
	MainDepartment *int64   `json:"main_department"`
	Position       *string  `json:"position"`
	Mobile         *string  `json:"mobile"`
	Email          *string  `json:"email"`
	Telephone      *string  `json:"telephone"`
	Address        *string  `json:"address"`
	Status         int      `json:"status"`
	ExtAttr        *extAttr `json:"extattr"`
}

type extAttr struct {
	Attrs []attribute `json:"attrs"`
}

// attribute is one extension attribute. All of it is kept as it came, so that
// kinds that we do not write (links) survive a write of their neighbours.
type attribute struct {
	Type int
	Name string
	Text string
	raw  json.RawMessage
}

func (a *attribute) UnmarshalJSON(b []byte) error {
	var wire struct {
		Type int    `json:"type"`
		Name string `json:"name"`
		Text struct {
			Value string `json:"value"`
		} `json:"text"`
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	*a = attribute{Type: wire.Type, Name: wire.Name, Text: wire.Text.Value, raw: bytes.Clone(b)}
	return nil
}

func (a attribute) MarshalJSON() ([]byte, error) {
	if a.raw != nil {
		return a.raw, nil
	}
	return plain(map[string]any{"type": a.Type, "name": a.Name, "text": map[string]string{"value": a.Text}})
}

type department struct {
	ID       int64    `json:"id"`
	Name     *string  `json:"name"`
	ParentID int64    `json:"parentid"`
	Order    *int64   `json:"order"`
	Leaders  []string `json:"department_leader"`
}

// userDepartment is a row of user/list_id: one for each department of a person.
type userDepartment struct {
	UserID     string `json:"userid"`
	Department int64  `json:"department"`
}

// created is what a write of a user says of departments that it made up.
type created struct {
	List struct {
		Info []struct {
			ID int64 `json:"id"`
		} `json:"department_info"`
	} `json:"created_department_list"`
}

// getToken: https://developer.work.weixin.qq.com/document/path/91039
func (c *client) getToken(ctx context.Context, corp, secret string) (token string, life time.Duration, err error) {
	var out struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"`
	}
	q := &request{operation: "gettoken", query: url.Values{"corpid": {corp}, "corpsecret": {secret}}}
	if err := c.exchange(ctx, q, "", &out); err != nil {
		return "", 0, err
	}
	if out.Token == "" || out.Expires <= 0 {
		return "", 0, incomprehensible(q)
	}
	return out.Token, time.Duration(min(out.Expires, 24*3600)) * time.Second, nil
}

// getUser: https://developer.work.weixin.qq.com/document/path/90196
func (c *client) getUser(ctx context.Context, s *secret, id string) (*written[user], error) {
	var out written[user]
	q := &request{operation: "user/get", query: url.Values{"userid": {id}}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if !strings.EqualFold(out.is.UserID, id) {
		return nil, incomprehensible(q)
	}
	return &out, nil
}

// listUsers reads the direct members of a department; it has no pages.
// https://developer.work.weixin.qq.com/document/path/90201
func (c *client) listUsers(ctx context.Context, s *secret, department int64) ([]written[user], error) {
	var out struct {
		Users *[]written[user] `json:"userlist"`
	}
	q := &request{operation: "user/list", query: url.Values{"department_id": {formatID(department)}}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.Users == nil {
		return nil, incomprehensible(q)
	}
	return *out.Users, nil
}

// idPage is the most rows that user/list_id gives at once.
const idPage = 10000

// listIDs reads one page of all user ids; next is empty at the end.
// https://developer.work.weixin.qq.com/document/path/96067
func (c *client) listIDs(ctx context.Context, s *secret, cursor string) (rows []userDepartment, next string, err error) {
	var out struct {
		Rows *[]userDepartment `json:"dept_user"`
		Next string            `json:"next_cursor"`
	}
	q := &request{operation: "user/list_id", body: map[string]any{"limit": idPage}}
	if cursor != "" {
		q.body["cursor"] = cursor
	}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, "", err
	}
	if out.Rows == nil || out.Next == cursor && cursor != "" {
		return nil, "", incomprehensible(q)
	}
	return *out.Rows, out.Next, nil
}

// userByMobile: https://developer.work.weixin.qq.com/document/path/95402
func (c *client) userByMobile(ctx context.Context, s *secret, mobile string) (string, error) {
	var out struct {
		UserID string `json:"userid"`
	}
	q := &request{operation: "user/getuserid", body: map[string]any{"mobile": mobile}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return "", err
	}
	if out.UserID == "" {
		return "", incomprehensible(q)
	}
	return out.UserID, nil
}

// createUser: https://developer.work.weixin.qq.com/document/path/90195
func (c *client) createUser(ctx context.Context, s *secret, fields map[string]any) (created, error) {
	var out created
	return out, c.do(ctx, s, &request{operation: "user/create", write: true, body: fields}, &out)
}

// updateUser: https://developer.work.weixin.qq.com/document/path/90197
func (c *client) updateUser(ctx context.Context, s *secret, fields map[string]any) (created, error) {
	var out created
	return out, c.do(ctx, s, &request{operation: "user/update", write: true, body: fields}, &out)
}

// deleteUser is a GET that changes something.
// https://developer.work.weixin.qq.com/document/path/90198
func (c *client) deleteUser(ctx context.Context, s *secret, id string) error {
	return c.do(ctx, s, &request{operation: "user/delete", write: true, query: url.Values{"userid": {id}}}, nil)
}

// getDepartment: https://developer.work.weixin.qq.com/document/path/95351
func (c *client) getDepartment(ctx context.Context, s *secret, id int64) (*department, error) {
	var out struct {
		Department department `json:"department"`
	}
	q := &request{operation: "department/get", query: url.Values{"id": {formatID(id)}}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.Department.ID != id {
		return nil, incomprehensible(q)
	}
	return &out.Department, nil
}

// listDepartments reads all departments that the secret may see.
// https://developer.work.weixin.qq.com/document/path/90208
func (c *client) listDepartments(ctx context.Context, s *secret) ([]written[department], error) {
	var out struct {
		Departments *[]written[department] `json:"department"`
	}
	q := &request{operation: "department/list"}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.Departments == nil {
		return nil, incomprehensible(q)
	}
	return *out.Departments, nil
}

// listDepartmentIDs reads the ids of all departments at and below root.
// https://developer.work.weixin.qq.com/document/path/95350
func (c *client) listDepartmentIDs(ctx context.Context, s *secret, root int64) ([]int64, error) {
	var out struct {
		Departments *[]department `json:"department_id"`
	}
	q := &request{operation: "department/simplelist", query: url.Values{"id": {formatID(root)}}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.Departments == nil {
		return nil, incomprehensible(q)
	}
	ids := make([]int64, 0, len(*out.Departments))
	for _, d := range *out.Departments {
		ids = append(ids, d.ID)
	}
	return ids, nil
}

// createDepartment: https://developer.work.weixin.qq.com/document/path/90205
func (c *client) createDepartment(ctx context.Context, s *secret, fields map[string]any) (int64, error) {
	var out struct {
		ID int64 `json:"id"`
	}
	q := &request{operation: "department/create", write: true, body: fields}
	if err := c.do(ctx, s, q, &out); err != nil {
		return 0, err
	}
	if out.ID <= 0 {
		return 0, incomprehensible(q)
	}
	return out.ID, nil
}

// updateDepartment: https://developer.work.weixin.qq.com/document/path/90206
func (c *client) updateDepartment(ctx context.Context, s *secret, fields map[string]any) error {
	return c.do(ctx, s, &request{operation: "department/update", write: true, body: fields}, nil)
}

// tag is a row of tag/list.
type tag struct {
	ID   number  `json:"tagid"`
	Name *string `json:"tagname"`
}

// holders is what tag/get says of who has a tag.
type holders struct {
	Name        *string               `json:"tagname"`
	Users       []written[identified] `json:"userlist"`
	Departments []number              `json:"partylist"`
}

// identified is a row with a user id.
type identified struct {
	UserID string `json:"userid"`
}

// listTags: https://developer.work.weixin.qq.com/document/path/90216
func (c *client) listTags(ctx context.Context, s *secret) ([]written[tag], error) {
	var out struct {
		Tags *[]written[tag] `json:"taglist"`
	}
	q := &request{operation: "tag/list"}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.Tags == nil {
		return nil, incomprehensible(q)
	}
	return *out.Tags, nil
}

// getTag: https://developer.work.weixin.qq.com/document/path/90213
func (c *client) getTag(ctx context.Context, s *secret, id int64) (*holders, error) {
	var out holders
	q := &request{operation: "tag/get", query: url.Values{"tagid": {formatID(id)}}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.Name == nil {
		return nil, incomprehensible(q)
	}
	return &out, nil
}

// createTag: https://developer.work.weixin.qq.com/document/path/90210
func (c *client) createTag(ctx context.Context, s *secret, name string) (int64, error) {
	var out struct {
		ID *number `json:"tagid"`
	}
	q := &request{operation: "tag/create", write: true, body: map[string]any{"tagname": name}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return 0, err
	}
	if out.ID == nil || *out.ID < 0 {
		return 0, incomprehensible(q)
	}
	return int64(*out.ID), nil
}

// Most members of one call: https://developer.work.weixin.qq.com/document/path/90214
const (
	tagUsers       = 1000
	tagDepartments = 100
)

// changeTag gives a tag to at most tagUsers and tagDepartments, or takes it away
// from them, and returns those that the platform does not take. If it takes none
// it says so by an error: 40070 or 40031.
// https://developer.work.weixin.qq.com/document/path/90214 (tag/addtagusers),
// https://developer.work.weixin.qq.com/document/path/90215 (tag/deltagusers)
func (c *client) changeTag(ctx context.Context, s *secret, operation string, id int64, users []string, departments []int64) (
	badUsers []string, badDepartments []int64, err error) {
	var out struct {
		Users       string   `json:"invalidlist"`
		Departments []number `json:"invalidparty"`
	}
	q := &request{operation: operation, write: true, body: map[string]any{"tagid": id}}
	if len(users) > 0 {
		q.body["userlist"] = users
	}
	if len(departments) > 0 {
		q.body["partylist"] = departments
	}
	err = c.do(ctx, s, q, &out)
	switch code := codeOf(err); {
	case code == codeNoneValid || code == codeNoneDeleted:
		return users, departments, nil
	case err != nil:
		return nil, nil, err
	}
	for _, n := range out.Departments {
		badDepartments = append(badDepartments, int64(n))
	}
	return barred(out.Users), badDepartments, nil
}

// barred are the ids of "a|b", as answers list them.
func barred(ids string) []string {
	return strings.FieldsFunc(ids, func(r rune) bool { return r == '|' })
}

// busyPauses are what a read waits before it asks a platform again that was busy (-1). One that was cut
// off is asked for again once: a backup of somebody, and the look for what they left, are a dozen reads.
var busyPauses = []time.Duration{200 * time.Millisecond, time.Second}

// renewals is how often one call asks for a new token. The token is chosen before the call waits
// for its turn, so that a company that takes tokens back can refuse it more than once.
const renewals = 3

// do makes a call with a token of the secret. A token that the platform no longer
// takes is renewed; that is safe for writes too, as the token is checked
// before all else (https://developer.work.weixin.qq.com/document/path/90313).
func (c *client) do(ctx context.Context, s *secret, q *request, out any) error {
	renewed, busy := 0, 0
	for {
		token, err := s.token(ctx)
		if err != nil {
			return err
		}
		err = c.exchange(ctx, q, token, out)
		switch code := codeOf(err); {
		case code == codeInvalidToken || code == codeExpiredToken:
			s.discard(token)
			if renewed == renewals {
				return err
			}
			renewed++
		case !q.write && (code == codeBusy && busy < len(busyPauses) || busy == 0 && httpx.HungUp(err)):
			if c.wait(ctx, busyPauses[busy]) != nil {
				return err
			}
			busy++
		case code == codeBadSecret:
			return s.refuse(err)
		default:
			return err
		}
	}
}

// exchange sends one request once, and has its end counted.
func (c *client) exchange(ctx context.Context, q *request, token string, out any) error {
	err := c.send(ctx, q, token, out)
	if c.answered != nil {
		c.answered(q.operation, directory.ClassOf(err))
	}
	return err
}

// send puts the token into the query, and nowhere else.
func (c *client) send(ctx context.Context, q *request, token string, out any) error {
	ctx = httpx.WithOperation(ctx, q.operation)
	if q.write {
		ctx = httpx.WithWrite(ctx)
	}
	var body []byte
	if q.write {
		defer func() { directory.NoteRequest(ctx, hint(body)) }()
	}
	req, err := c.compose(ctx, q, token)
	if err != nil {
		return &directory.Error{Class: directory.Invalid, Operation: q.operation, Message: "the request cannot be put together", Err: err}
	}
	resp, err := httpx.Do(c.http, req)
	if err != nil {
		return unanswered(q, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body) // httpx bounds it
	if err != nil {
		return unanswered(q, err)
	}
	if resp.StatusCode != http.StatusOK {
		return c.report(q, badStatus(q, resp))
	}
	return c.report(q, decode(q, body, out))
}

// hinted finds the id that most refusals carry, which the platform's own diagnosis
// takes (https://open.work.weixin.qq.com/devtool/query); a success carries none.
var hinted = regexp.MustCompile(`hint: \[([0-9A-Za-z_-]+)\]`)

func hint(body []byte) string {
	if m := hinted.FindSubmatch(body); m != nil {
		return string(m[1])
	}
	return ""
}

func (c *client) compose(ctx context.Context, q *request, token string) (*http.Request, error) {
	query := url.Values{}
	for k, v := range q.query {
		query[k] = v
	}
	if token != "" {
		query.Set("access_token", token)
	}
	target := c.base + q.operation + "?" + query.Encode()
	if q.body == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	}
	body, err := plain(q.body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	return req, nil
}

// plain is JSON in which nothing is written as \uxxxx for the sake of HTML: of
// such requests the platform says 40033
// (https://developer.work.weixin.qq.com/document/path/90313).
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// report tells the tenant's budget of a throttling answer.
func (c *client) report(q *request, err error) error {
	if e, ok := errors.AsType[*directory.Error](err); ok && e.Class == directory.RateLimited {
		c.throttled(q.operation, e.RetryAfter)
	}
	return err
}

// decode takes an answer apart. The error code comes first: a refusal carries the
// call's fields too, all empty. A write must say so when it succeeded, although
// an absent errcode is success by the documents: a page of something else must
// not pass for one.
func decode(q *request, body []byte, out any) error {
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return incomprehensible(q)
	}
	var e envelope
	if json.Unmarshal(body, &e) != nil || q.write && e.ErrCode == nil {
		return incomprehensible(q)
	}
	if e.ErrCode != nil && *e.ErrCode != 0 {
		return refusal(q, *e.ErrCode, e.ErrMsg)
	}
	if strings.Contains(e.ErrMsg, warning) {
		return &directory.Error{Class: directory.Invalid, Operation: q.operation, Code: "0",
			Message: "the platform took the request but warned of its format, so a part was ignored"}
	}
	if out != nil && json.Unmarshal(body, out) != nil {
		return incomprehensible(q)
	}
	return nil
}

// warning is in the errmsg of a success that is none
// (https://developer.work.weixin.qq.com/document/path/90313).
const warning = "Warning: wrong json format"

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
