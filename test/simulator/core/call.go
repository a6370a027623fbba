package core

import (
	"encoding/json"
	"net/http"
)

// Call is one request to a platform, as the log and the faults see it.
type Call struct {
	Platform   string
	Tenant     string // "" while unknown
	Operation  string // the URL path
	Subject    string // id of the user, department, role or tag that it is about
	Credential string // name of the credential; never a secret or a token

	// Listing says that the call answers with rows; Write, that it changes
	// something. Faults of some kinds touch only such calls.
	Listing bool
	Write   bool

	// Request and Body are set by core. Body is read whole; the request's own
	// body must not be used. Faults may have removed a field from it.
	Request *http.Request
	Body    []byte

	rows  *Fault // partialPage or emptyListing
	stale *Fault
}

// Rows says how many of the n rows of this page to answer with. If cut, the
// page must also claim to be the last one.
func (c *Call) Rows(n int) (keep int, cut bool) {
	switch {
	case c.rows == nil:
		return n, false
	case c.rows.Kind == KindEmptyListing:
		return 0, true
	case c.rows.Rows > 0:
		return min(n, c.rows.Rows), true
	default:
		return n / 2, true
	}
}

// At is the moment as of which this call reads from tables of the journal.
func (c *Call) At(j *Journal) View {
	switch {
	case c.stale == nil:
		return Live
	case c.stale.LagWrites > 0:
		return j.before(c.stale.LagWrites)
	case c.stale.LagSeconds > 0:
		return j.asOf(j.clock.Now().Add(-Seconds(c.stale.LagSeconds)))
	default:
		return c.stale.pins[j]
	}
}

// Answer is what goes over the wire.
type Answer struct {
	Status int // 0 means 200
	Header http.Header
	Body   []byte
	Code   string // the platform's own code, for the log; "0" or "" is success
}

// JSON makes an answer with v as its body.
func JSON(status int, code string, v any) Answer {
	body, err := json.Marshal(v)
	if err != nil {
		// Only values made by a platform come here; one that cannot be
		// marshalled is a bug, and the test that meets it should say so.
		panic(err)
	}
	return Answer{
		Status: status,
		Header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}},
		Body:   body,
		Code:   code,
	}
}
