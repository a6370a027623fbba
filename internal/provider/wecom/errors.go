package wecom

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// Codes that the code itself asks for.
const (
	codeBusy         = -1
	codeBadSecret    = 40001
	codeInvalidToken = 40014
	codeExpiredToken = 42001
	codeNoSuchUser   = 60111
	codeInvalidUser  = 40003
	codeTooLarge     = 45029
	codeNotTrusted   = 60020
	codeNoneValid    = 40070
	codeTooWide      = 301112
	codeNotGranted   = 301055
	codeForbidden    = 48002
	codeNoAPI        = 48001
	codeTooMany      = 81017
	codeNoneDeleted  = 40031
	codeNoSuchTag    = 40068
	codeWrongAgent   = 40056
	codeNotThisAgent = 301002
	codeNobody       = 81013
	codeCreator      = 301005
	codeOtherMaker   = 81011
	codeOutside      = 60011
	codeUnknownUser  = 46004
	codeTooFast      = 45009
	codeUnderWay     = 40100
	codeBeingPassed  = 40129
	codeGroupWaits   = 90507
	codeGroupPassed  = 90508
	codeSameOwner    = 90504
)

// meaning is what a platform code means to us.
type meaning struct {
	class directory.Class
	words string
	// after is how long to wait, where the documents say.
	after time.Duration
}

// meanings is the one table of platform codes. Codes and their circumstances:
// https://developer.work.weixin.qq.com/document/path/90313; limits:
// https://developer.work.weixin.qq.com/document/path/90312.
var meanings = map[int]meaning{
	60111:           {class: directory.NotFound, words: "there is no such user"},
	codeInvalidUser: {class: directory.NotFound, words: "there is no such user"},
	codeUnknownUser: {class: directory.NotFound, words: "there is no such user, or the app may not see it"},
	60003:           {class: directory.NotFound, words: "there is no such department"},
	60123:           {class: directory.NotFound, words: "there is no such department"},
	60004:           {class: directory.NotFound, words: "there is no such parent department"},
	60124:           {class: directory.NotFound, words: "there is no such parent department"},
	codeNoSuchTag:   {class: directory.NotFound, words: "there is no such tag"},
	codeNoneDeleted: {class: directory.NotFound, words: "none of them exists, or the app may see none of them"},
	codeNobody:      {class: directory.NotFound, words: "none of those who shall be told exists, or the app may write to none of them"},
	codeNoneValid:   {class: directory.NotFound, words: "none of them exists, or the app may see none of them"},
	86003:           {class: directory.NotFound, words: "there is no such chat"},
	49008:           {class: directory.NotFound, words: "the group was dissolved"},
	40096:           {class: directory.NotFound, words: "there is no such customer"},
	40131:           {class: directory.NotFound, words: "the customer is not one of that user's"},
	84061:           {class: directory.NotFound, words: "the customer is not one of that user's"},
	84084:           {class: directory.NotFound, words: "the customer is not one of that user's"},

	60102: {class: directory.AlreadyExists, words: "the user id is taken (upper and lower case are the same)"},
	60008: {class: directory.AlreadyExists, words: "the parent already has a department of this name, or the id is taken"},
	40071: {class: directory.AlreadyExists, words: "there is a tag of this name"},

	codeGroupPassed: {class: directory.AlreadyExists, words: "the group was passed on already"},
	codeSameOwner:   {class: directory.AlreadyExists, words: "the group has this owner already"},
	codeUnderWay:    {class: directory.Conflict, words: "the customer is being passed on already"},
	codeBeingPassed: {class: directory.Conflict, words: "the customer is being passed on already"},
	codeGroupWaits:  {class: directory.Conflict, words: "the group is being passed on already"},
	40097:           {class: directory.Conflict, words: "the user does not count as gone yet"},
	90500:           {class: directory.Conflict, words: "the owner of the group does not count as gone yet"},

	60104: {class: directory.Conflict, words: "another user has this mobile number"},
	60106: {class: directory.Conflict, words: "another user has this mail address"},
	60005: {class: directory.Conflict, words: "the department still has members"},
	60006: {class: directory.Conflict, words: "the department still has departments below it"},
	60007: {class: directory.NotSupported, words: "the company itself cannot be deleted"},
	// Documented for deletion; that it also answers a freeze is unconfirmed.
	codeCreator: {class: directory.NotSupported, words: "this is the company's creator, whom no API can remove or disable"},

	40033:          {class: directory.Invalid, words: "the request has characters that the platform does not take"},
	40098:          {class: directory.Invalid, words: "the successor has not proven who they are (实名认证)"},
	40130:          {class: directory.Invalid, words: "the leaver cannot be the successor"},
	41054:          {class: directory.Invalid, words: "the user has never logged in"},
	45002:          {class: directory.Invalid, words: "the text is too long"},
	84083:          {class: directory.Invalid, words: "the successor may not be in touch with customers: they have no 客户联系"},
	90501:          {class: directory.Invalid, words: "the group has no customers in it"},
	codeWrongAgent: {class: directory.Invalid, words: "there is no app of this agentId"},
	40032:          {class: directory.Invalid, words: "too many ids in one request"},
	40035:          {class: directory.Invalid, words: "a parameter is invalid"},
	40058:          {class: directory.Invalid, words: "a parameter is missing or out of range"},
	40063:          {class: directory.Invalid, words: "a parameter is empty"},
	40066:          {class: directory.Invalid, words: "the list of departments is malformed"},
	41019:          {class: directory.Invalid, words: "the list of departments is malformed"},
	60001:          {class: directory.Invalid, words: "a department's name must have 1 to 64 characters"},
	60009:          {class: directory.Invalid, words: `a department's name must not have any of \ : * ? " < > |, and its order must be 0 to 4294967295`},
	60010:          {class: directory.Invalid, words: "the department would be its own ancestor"},
	60103:          {class: directory.Invalid, words: "the mobile number is not one"},
	60105:          {class: directory.Invalid, words: "the mail address is not one"},
	60112:          {class: directory.Invalid, words: "the name must have 1 to 64 characters"},
	60125:          {class: directory.Invalid, words: "the department's name is invalid"},
	60127:          {class: directory.Invalid, words: "the list of departments is malformed"},
	60129:          {class: directory.Invalid, words: "a mobile number or a mail address is needed, at least one"},
	60132:          {class: directory.Invalid, words: "as many leader marks as departments are needed"},
	301012:         {class: directory.Invalid, words: "the position is invalid"},
	301013:         {class: directory.Invalid, words: "the telephone number is invalid"},
	codeTooWide:    {class: directory.Invalid, words: "there is too much in this span of time"},
	301036:         {class: directory.Invalid, words: "a user id chosen by us cannot be changed"},

	codeBadSecret: {class: directory.Unauthenticated, words: "the secret is wrong, was reset, or its app is disabled"},
	40013:         {class: directory.Unauthenticated, words: "the corp id is wrong"},
	40091:         {class: directory.Unauthenticated, words: "the secret is invalid"},
	41001:         {class: directory.Unauthenticated, words: "the token did not arrive"},
	41002:         {class: directory.Unauthenticated, words: "the corp id is missing"},
	41004:         {class: directory.Unauthenticated, words: "the secret is missing"},
	// The secret is right, as the platform gives tokens for it: it is for the platform to mend.
	codeInvalidToken: {class: directory.Unavailable, words: "the platform refuses a token that it has just given"},
	codeExpiredToken: {class: directory.Unavailable, words: "the platform calls a token expired that it has just given"},

	codeNoAPI:        {class: directory.PermissionDenied, words: "the app may not call this API"},
	codeForbidden:    {class: directory.PermissionDenied, words: "this secret may not call this API; writes need the secret of 通讯录同步 with API editing turned on"},
	48009:            {class: directory.PermissionDenied, words: "since August 2022 the secret of 通讯录同步 may not read details from a new address; add appSecret to the credentials: the secret of a self-built app whose visible range is the whole company"},
	50002:            {class: directory.PermissionDenied, words: "the user is outside the app's visible range; make that the whole company"},
	50003:            {class: directory.PermissionDenied, words: "the app is disabled"},
	codeOutside:      {class: directory.PermissionDenied, words: "outside what the secret may see or change; the app's visible range must be the whole company"},
	codeNotTrusted:   {class: directory.PermissionDenied, words: "this address is not among the trusted ones (企业可信IP) of the app; a change takes about a minute"},
	codeNotThisAgent: {class: directory.PermissionDenied, words: "the app may not do this"},
	codeNotGranted:   {class: directory.PermissionDenied, words: "the app may not read approvals"},
	codeOtherMaker:   {class: directory.PermissionDenied, words: "a tag can be changed only by the app that made it"},

	// Blocked for a minute, an hour or until the day ends, by the window that was
	// exceeded; the answer does not say which, so we ask again after the shortest.
	codeTooFast: {class: directory.RateLimited, words: "too many calls", after: time.Minute},
	45033:       {class: directory.RateLimited, words: "too many calls at the same time"},
	45035:       {class: directory.RateLimited, words: "another change of the same thing is under way"},

	40099:        {class: directory.QuotaExceeded, words: "the successor has as many customers as they may have"},
	90503:        {class: directory.QuotaExceeded, words: "the group is full: somebody has to make room in it first"},
	45024:        {class: directory.QuotaExceeded, words: "the company has as many users as it may have"},
	codeTooLarge: {class: directory.QuotaExceeded, words: "the answer would be too large"},
	60110:        {class: directory.QuotaExceeded, words: "a user may not be in so many departments"},
	60257:        {class: directory.QuotaExceeded, words: "a user may not have so many managers"},
	81001:        {class: directory.QuotaExceeded, words: "a department may have 30000 members and departments"},
	81003:        {class: directory.QuotaExceeded, words: "a tag may have 30000 members and departments"},
	codeTooMany:  {class: directory.QuotaExceeded, words: "the app sees more people than this call takes at once"},
	81002:        {class: directory.QuotaExceeded, words: "departments may be nested 15 levels deep"},

	codeBusy: {class: directory.Unavailable, words: "the platform is busy"},
	6000:     {class: directory.Unavailable, words: "somebody else changed the same thing at this moment"},
	301026:   {class: directory.Unavailable, words: "the platform could not finish"},
	301057:   {class: directory.Unavailable, words: "the platform could not finish"},
}

var (
	// The texts as seen on the wire: "mobile existed:zhangsan", "department
	// existed: 13 is existed".
	existed = regexp.MustCompile(`existed:\s*([0-9A-Za-z][0-9A-Za-z_@.\-]{0,63})`)
	digits  = regexp.MustCompile(`^[0-9]+$`)
	// "invalid string value `x`. userid not found"
	backquoted = regexp.MustCompile("`([^`]*)`")
	fromIP     = regexp.MustCompile(`from ip: ([0-9A-Fa-f.:]+)`)
)

// refusal is the platform's no. Its text is read only for ids, never shown.
func refusal(q *request, code int, text string) *directory.Error {
	e := &directory.Error{Operation: q.operation, Code: strconv.Itoa(code)}
	m, ok := meanings[code]
	if !ok {
		m = meaning{class: directory.Unavailable,
			words: "the platform refuses with a code that is not known here; https://developer.work.weixin.qq.com/document/path/90313 lists them"}
	}
	e.Class, e.Message, e.RetryAfter = m.class, m.words, m.after
	said, _, _ := strings.Cut(text, ", hint:")
	switch code {
	case codeBusy:
		// Busy before or after the change? The documents do not say.
		if q.write {
			e.Class = directory.OutcomeUnknown
		}
	case codeNoSuchUser, codeInvalidUser:
		// Not the one written to but one that is referred to: the manager.
		if m := backquoted.FindStringSubmatch(said); q.write && m != nil && !strings.EqualFold(m[1], q.subject()) {
			e.Class, e.Message = directory.Invalid, "the manager is not a user"
		}
	case codeNotTrusted:
		notTrusted(e, text)
	default:
		e.Holder = holder(q, code, said)
	}
	return e
}

// notTrusted adds the address that the platform saw, so that it can be entered.
func notTrusted(e *directory.Error, text string) {
	m := fromIP.FindStringSubmatch(text)
	if m == nil {
		return
	}
	if ip, err := netip.ParseAddr(strings.TrimRight(m[1], ".:")); err == nil {
		e.Message += fmt.Sprintf("; the platform sees us as %s", ip)
	}
}

// holder is the id in the text of a conflict, or nothing. What might be the value
// itself instead is no holder: it must not be shown.
func holder(q *request, code int, text string) string {
	m := existed.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	id := strings.TrimRight(m[1], ".")
	switch code {
	case 60008:
		if digits.MatchString(id) {
			return id
		}
	case 60104:
		if sent, _ := q.body["mobile"].(string); !directory.SameMobile(id, sent) {
			return id
		}
	case 60106:
		if sent, _ := q.body["email"].(string); !strings.EqualFold(id, sent) {
			return id
		}
	}
	return ""
}

// unanswered is a call that got no whole answer.
func unanswered(q *request, err error) *directory.Error {
	e := &directory.Error{Operation: q.operation, RetryAfter: httpx.RetryAfter(err), Err: err}
	cause := err
	if h, ok := errors.AsType[*httpx.Error](err); ok {
		cause = h.Err
	}
	switch {
	case errors.Is(err, httpx.ErrThrottled):
		e.Class, e.Message = directory.RateLimited, "not tried, because the platform asked for a pause"
	case q.write && httpx.Sent(err):
		e.Class, e.Message = directory.OutcomeUnknown, "sent, and not answered: "+httpx.Redact(cause.Error())
	default:
		e.Class, e.Message = directory.Unavailable, "not answered: "+httpx.Redact(cause.Error())
	}
	return e
}

// incomprehensible is an answer that is none of this platform's.
func incomprehensible(q *request) *directory.Error {
	e := &directory.Error{Class: directory.Unavailable, Operation: q.operation, Message: "the answer is not one of WeCom's"}
	if q.write {
		e.Class = directory.OutcomeUnknown
	}
	return e
}

// badStatus is an answer from something before the platform, which itself
// answers 200 to everything but a path it does not know, and to plain HTTP
// (https://developer.work.weixin.qq.com/document/path/90313).
func badStatus(q *request, resp *http.Response) *directory.Error {
	e := &directory.Error{Class: directory.Unavailable, Operation: q.operation,
		Message: fmt.Sprintf("answered with HTTP status %d", resp.StatusCode)}
	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests:
		e.Class = directory.RateLimited
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 && s <= 24*3600 {
			e.RetryAfter = time.Duration(s) * time.Second
		}
	case status == http.StatusNotFound:
		e.Message += ": no such path here; is the endpoint WeCom's?"
	case status >= 300 && status < 400:
		e.Message += ": not followed; is the endpoint https?"
	case q.write:
		e.Class = directory.OutcomeUnknown
	}
	return e
}

// codeOf is the platform's code in err, or 0.
func codeOf(err error) int {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok {
		return 0
	}
	code, err := strconv.Atoi(e.Code)
	if err != nil {
		return 0
	}
	return code
}
