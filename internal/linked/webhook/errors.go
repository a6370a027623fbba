package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// meaning is what a refusal means to us. Without a class it is that of whatever has no believable
// answer: OutcomeUnknown of a write, Unavailable of a read.
type meaning struct {
	class directory.Class
	words string
}

// codes is the one table of the error codes of receipts, which say more than a status does. docs/webhook.md has it, too.
var codes = map[string]meaning{
	"notFound":        {directory.NotFound, "there is no such account"},
	"loginTaken":      {directory.AlreadyExists, "the login is taken"},
	"conflict":        {directory.Conflict, "something else that must be unique is taken, or the account's state forbids it"},
	"invalid":         {directory.Invalid, "the receiver does not take a value"},
	"keyReused":       {directory.Invalid, "the receiver knows the key from another request"},
	"badSignature":    {directory.Unauthenticated, "the signature is wrong: is signingKey what the receiver has?"},
	"staleTimestamp":  {directory.Unavailable, "the receiver finds the request too old or too new: are both clocks right?"},
	"forbidden":       {directory.PermissionDenied, "the receiver does not let us do this"},
	"tooManyRequests": {directory.RateLimited, "too many requests"},
	"quotaExceeded":   {directory.QuotaExceeded, "a limit of the system is reached"},
	"notSupported":    {directory.NotSupported, "the receiver does not do this: do it there by hand"},
	"unavailable":     {directory.Unavailable, "the system behind the receiver cannot be reached; nothing was changed"},
}

// statuses is the one table of HTTP statuses (RFC 9110 §15), for answers whose receipt says no code. Those that are not in
// it go by their hundred. A 404 is no account's absence: any server says it. docs/webhook.md has it, too.
var statuses = map[int]meaning{
	http.StatusBadRequest:            {directory.Invalid, "the receiver does not take the request"},
	http.StatusUnauthorized:          {directory.Unauthenticated, "the signature is not taken: is signingKey what the receiver has, and are both clocks right?"},
	http.StatusForbidden:             {directory.PermissionDenied, "the receiver does not let us do this"},
	http.StatusNotFound:              {directory.Unavailable, "there is no such path: is the endpoint right?"},
	http.StatusMethodNotAllowed:      {directory.Unavailable, "there is nothing that takes a POST: is the endpoint right?"},
	http.StatusRequestTimeout:        {"", "the receiver waited in vain for the rest of the request"},
	http.StatusConflict:              {directory.Conflict, "something that must be unique is taken, or the account's state forbids it"},
	http.StatusGone:                  {directory.Unavailable, "the receiver wants no more requests here: is the endpoint right?"},
	http.StatusRequestEntityTooLarge: {directory.QuotaExceeded, "the request is larger than the receiver takes"},
	http.StatusUnprocessableEntity:   {directory.Invalid, "the receiver does not take a value"},
	http.StatusTooManyRequests:       {directory.RateLimited, "too many requests"},
	http.StatusNotImplemented:        {directory.NotSupported, "the receiver does not do this: do it there by hand"},
}

// hundreds are the statuses that are in no row above.
var hundreds = map[int]meaning{
	3: {directory.Unavailable, "the receiver points elsewhere, and is not followed: the signature is for the endpoint alone"},
	4: {directory.Unavailable, "the receiver refuses the request"},
	5: {"", "the receiver failed"},
}

// longestPause is the most that a Retry-After is believed.
const longestPause = 24 * time.Hour

var errStale = errors.New("it did not leave and come back within 4 minutes of being signed")

// again is for every write whose outcome nobody knows.
const again = "; sent again with the same key it is done once"

func invalid(operation, message string) *directory.Error {
	return &directory.Error{Class: directory.Invalid, Operation: operation, Message: message}
}

// refusedByCode is a refusal in a receipt. Codes that are not in the table are not shown: they may be anything.
func refusedByCode(q *request, r *receipt) *directory.Error {
	m, known := codes[r.Error.Code]
	if !known {
		return unsure(q, "the receiver refuses with a code that is not one of docs/webhook.md")
	}
	e := &directory.Error{Class: m.class, Operation: q.Type, Code: r.Error.Code, Message: m.words}
	if r.Error.Code == "keyReused" && q.Type == eventProvision {
		e.Class = directory.Conflict // what was first asked for may have been made
		e.Message += ", and does not say which account it made then: pin it in spec.linkedAccounts[].accountID"
	}
	if m.class == directory.AlreadyExists {
		if isID(r.Error.AccountID) {
			e.Holder = r.Error.AccountID
		}
		if q.Type != eventProvision {
			e.Class = directory.Conflict // the account is there; only this login is not to be had
		}
	}
	return e
}

func refusedByStatus(q *request, status int) *directory.Error {
	m, ok := statuses[status]
	if !ok {
		m = hundreds[status/100]
	}
	e := unsure(q, m.words)
	if m.class != "" {
		e = &directory.Error{Class: m.class, Operation: q.Type, Message: m.words}
	}
	e.Code = "HTTP " + strconv.Itoa(status)
	return e
}

// unsure is an answer that does not say what became of the request.
func unsure(q *request, words string) *directory.Error {
	if q.reads() {
		return &directory.Error{Class: directory.Unavailable, Operation: q.Type, Message: words}
	}
	return &directory.Error{Class: directory.OutcomeUnknown, Operation: q.Type, Message: words + again}
}

// contradicted is a receipt that says that the act is not done. It is an answer: whoever asks again does so with another key, as
// a receiver answers the same one alike.
func contradicted(q *request, format string, args ...any) error {
	return &directory.Error{Class: directory.Conflict, Operation: q.Type, Message: fmt.Sprintf(format, args...)}
}

// unanswered is a call that got no whole answer.
func unanswered(q *request, err error) *directory.Error {
	cause := err
	if h, ok := errors.AsType[*httpx.Error](err); ok {
		cause = h.Err
	}
	e := &directory.Error{Class: directory.Unavailable, Operation: q.Type, Message: "not answered: " + httpx.Redact(cause.Error())}
	switch {
	case errors.Is(err, httpx.ErrThrottled):
		e.Class, e.Message = directory.RateLimited, "not tried, because the receiver asked for a pause"
	case !q.reads() && httpx.Sent(err):
		e = unsure(q, "sent, and not answered: "+httpx.Redact(cause.Error()))
	}
	e.RetryAfter, e.Err = httpx.RetryAfter(err), err
	return e
}

// pause reads a Retry-After: seconds, or a date (RFC 9110 §10.2.3); 0 if there is none that makes sense.
func pause(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(header, 10, 32); err == nil {
		return min(max(time.Duration(seconds)*time.Second, 0), longestPause)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), longestPause)
	}
	return 0
}
