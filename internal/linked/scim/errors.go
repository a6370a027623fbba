package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// meaning is what a refusal means to us.
type meaning struct {
	class directory.Class
	words string
}

// statuses is the one table of HTTP statuses (RFC 7644 §3.12). Those that are not in it
// go by their hundred: 5xx means that the system is ill, 4xx that it refuses.
var statuses = map[int]meaning{
	http.StatusBadRequest:            {directory.Invalid, "the system does not take the request"},
	http.StatusUnauthorized:          {directory.Unauthenticated, "the system does not take the credentials"},
	http.StatusForbidden:             {directory.PermissionDenied, "the credentials may not do this"},
	http.StatusNotFound:              {directory.NotFound, "there is no such account or group"},
	http.StatusMethodNotAllowed:      {directory.NotSupported, "the system does not do this"},
	http.StatusNotAcceptable:         {directory.Invalid, "the system does not speak this content type: try the other one (contentType)"},
	http.StatusConflict:              {directory.Conflict, "a value that must be unique is taken"},
	http.StatusPreconditionFailed:    {directory.Conflict, "the system refuses this in the state that the account is in"},
	http.StatusRequestEntityTooLarge: {directory.QuotaExceeded, "the request is larger than the system takes"},
	http.StatusUnsupportedMediaType:  {directory.Invalid, "the system does not take this content type: try the other one (contentType)"},
	http.StatusPreconditionRequired:  {directory.Invalid, "the system wants a version with each write: set etags to Yes"},
	http.StatusTooManyRequests:       {directory.RateLimited, "too many calls"},
	http.StatusNotImplemented:        {directory.NotSupported, "the system does not do this"},
}

// kinds are the scimTypes of RFC 7644 §3.12. They say more than a status of 400 does.
var kinds = map[string]meaning{
	"invalidFilter": {directory.Invalid, "the system does not take this filter"},
	"tooMany":       {directory.QuotaExceeded, "the answer would be larger than the system gives"},
	"uniqueness":    {directory.Conflict, "a value that must be unique is taken"},
	"mutability":    {directory.Invalid, "the system lets nobody change this attribute"},
	"invalidSyntax": {directory.Invalid, "the system does not understand the request"},
	"invalidPath":   {directory.Invalid, "the system does not have this attribute"},
	"noTarget":      {directory.Invalid, "the system finds nothing there that could be changed"},
	"invalidValue":  {directory.Invalid, "the system does not take a value"},
	"invalidVers":   {directory.NotSupported, "the system speaks another version of SCIM"},
	"sensitive":     {directory.Invalid, "the system does not take such a value in an address"},
}

// longestPause is the most that a Retry-After is believed.
const longestPause = 24 * time.Hour

// refused is what the system said, as far as it is one of the words that we know:
// it is the cause of a [directory.Error].
type refused struct {
	status int
	kind   string // a scimType of the table, or empty
}

func (r *refused) Error() string { return strings.TrimSpace(fmt.Sprintf("%d %s", r.status, r.kind)) }

// said returns what the system refused with, or the zero value.
func said(err error) refused {
	if r, ok := errors.AsType[*refused](err); ok {
		return *r
	}
	return refused{}
}

// failure reads the body of an error (RFC 7644 §3.12). Its status is a string by the
// RFC, a number with some, and missing with others; its detail is never shown, as it may
// hold personal data.
func failure(body []byte) (status int, kind string, is bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return 0, "", false
	}
	var schemas []string
	for name, raw := range fields {
		switch strings.ToLower(name) {
		case "schemas":
			_ = json.Unmarshal(raw, &schemas) // not a list of strings: not an error of SCIM
		case "status":
			status, _ = strconv.Atoi(strings.Trim(string(raw), `"`))
		case "scimtype":
			_ = json.Unmarshal(raw, &kind) // not a string: it says nothing
		}
	}
	is = slices.ContainsFunc(schemas, func(s string) bool { return strings.EqualFold(s, schemaError) })
	if _, known := kinds[kind]; !known {
		kind = ""
	}
	return status, kind, is
}

// refusal is an answer other than success.
func refusal(q *request, status int, header http.Header, body []byte, now time.Time) *directory.Error {
	_, kind, is := failure(body)
	e := &directory.Error{Operation: q.operation, Code: strconv.Itoa(status), Err: &refused{status: status, kind: kind}}
	e.RetryAfter = pause(header.Get("Retry-After"), now)
	m, known := statuses[status]
	if more, ok := kinds[kind]; ok && status < 500 && (status == http.StatusBadRequest || !known) {
		m, known = more, true
	}
	if kind != "" {
		e.Code += " " + kind
	}
	e.Class, e.Message = m.class, m.words
	switch {
	case status >= 300 && status < 400:
		e.Class, e.Message = directory.Unavailable, fmt.Sprintf("answered with HTTP status %d, not followed: is the endpoint right?", status)
	case status == http.StatusNotFound && (q.collection || !is && !plausible(body)):
		// Without the system's own word nobody is taken for gone: a proxy says 404, too.
		e.Class, e.Message = directory.Unavailable, "there is no such path here: is the endpoint the address below which /Users is?"
	case known:
	case status >= 500:
		e.Class, e.Message = directory.Unavailable, fmt.Sprintf("answered with HTTP status %d", status)
		if q.write() {
			e.Class = directory.OutcomeUnknown
		}
	default:
		e.Class, e.Message = directory.Invalid, fmt.Sprintf("refused with HTTP status %d", status)
	}
	return e
}

// plausible: a body that a SCIM system may send with 404. Some send none, and some their own JSON.
func plausible(body []byte) bool {
	text := strings.TrimSpace(string(body))
	return text == "" || strings.HasPrefix(text, "{") && json.Valid(body)
}

// pause reads a Retry-After: seconds or a date (RFC 9110 §10.2.3). 0 = it says nothing.
func pause(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if s, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(s)*time.Second, longestPause)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), longestPause)
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
		e.Class, e.Message = directory.RateLimited, "not tried, because the system asked for a pause"
	case q.write() && httpx.Sent(err):
		e.Class, e.Message = directory.OutcomeUnknown, "sent, and not answered: "+httpx.Redact(cause.Error())
	default:
		e.Class, e.Message = directory.Unavailable, "not answered: "+httpx.Redact(cause.Error())
	}
	return e
}

// incomprehensible is an answer that is none of SCIM, or one about somebody else.
func incomprehensible(q *request, words string) *directory.Error {
	e := &directory.Error{Class: directory.Unavailable, Operation: q.operation, Message: words}
	if q.write() {
		e.Class = directory.OutcomeUnknown
	}
	return e
}

// invalid is something that is not sent at all.
func invalid(operation, words string) *directory.Error {
	return &directory.Error{Class: directory.Invalid, Operation: operation, Message: words}
}
