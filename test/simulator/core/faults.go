package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kind is what a fault does.
type Kind string

// The kinds of fault.
const (
	KindError        Kind = "error"        // a platform-shaped error with code and message
	KindHTTPStatus   Kind = "httpStatus"   // a raw HTTP status with an HTML page, as a gateway answers
	KindLatency      Kind = "latency"      // delayMillis before the call
	KindThrottle     Kind = "throttle"     // the platform's documented answer to too many calls
	KindIPBan        Kind = "ipban"        // the platform's answer to a banned address
	KindDropAfter    Kind = "dropAfter"    // the call takes effect; the connection is closed without an answer
	KindDropBefore   Kind = "dropBefore"   // the connection is closed; nothing happens
	KindHang         Kind = "hang"         // no answer until the client gives up or the fault is removed
	KindPartialPage  Kind = "partialPage"  // a listing answers with fewer rows and says it is the end
	KindEmptyListing Kind = "emptyListing" // a listing succeeds with no rows
	KindStale        Kind = "stale"        // reads answer as of the fault's making, or lagging
	KindIgnoreField  Kind = "ignoreField"  // one field of a write is silently ignored
)

// Fault is one injected misbehaviour. It matches a call if every selector that
// is set does.
type Fault struct {
	ID string `json:"id,omitempty"` // given by the simulator

	// Selectors. Operation is an exact path, the end of one after a slash
	// ("user/create"), or "*" or "" for all.
	Platform   string `json:"platform,omitempty"`
	Tenant     string `json:"tenant,omitempty"`
	Operation  string `json:"operation,omitempty"`
	Subject    string `json:"subject,omitempty"`
	Credential string `json:"credential,omitempty"`

	Kind        Kind    `json:"kind"`
	Code        Code    `json:"code,omitempty"`        // error: the platform's code
	Message     string  `json:"message,omitempty"`     // error: its text
	HTTPStatus  int     `json:"httpStatus,omitempty"`  // httpStatus, and error where the platform uses one
	DelayMillis int     `json:"delayMillis,omitempty"` // latency
	Rows        int     `json:"rows,omitempty"`        // partialPage: rows left; 0: half of them
	Field       string  `json:"field,omitempty"`       // ignoreField: name, or path with dots
	LagWrites   int     `json:"lagWrites,omitempty"`   // stale: so many writes behind
	LagSeconds  float64 `json:"lagSeconds,omitempty"`  // stale: so many seconds behind

	// Skip lets the first so many matching calls pass. Then Probability (0 and
	// 1: always) draws, and after Times hits (0: no end) the fault removes itself.
	Skip        int     `json:"skip,omitempty"`
	Times       int     `json:"times,omitempty"`
	Probability float64 `json:"probability,omitempty"`

	Hits int `json:"hits"` // how often it struck

	gone chan struct{}     // closed on removal
	pins map[*Journal]View // stale: the moment of making
}

// Code is a platform's error code: a JSON number or string.
type Code string

// UnmarshalJSON reads 60111 and "60111" alike.
func (c *Code) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*c = Code(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("code must be a number or a string")
	}
	*c = Code(n)
	return nil
}

// Faults is the list of faults in force.
type Faults struct {
	mu       sync.Mutex
	list     []*Fault
	last     int
	rng      *rand.Rand
	journals []*Journal
}

func newFaults(seed uint64) *Faults {
	return &Faults{rng: rand.New(rand.NewPCG(seed, seed))}
}

func (fs *Faults) watch(j *Journal) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.journals = append(fs.journals, j)
}

// Add puts a fault in force and returns it with its id.
func (fs *Faults) Add(f Fault) (Fault, error) {
	if err := f.validate(); err != nil {
		return Fault{}, err
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.last++
	f.ID, f.Hits, f.gone = fmt.Sprintf("f%d", fs.last), 0, make(chan struct{})
	if f.Kind == KindStale && f.LagWrites == 0 && f.LagSeconds == 0 {
		f.pins = map[*Journal]View{}
		for _, j := range fs.journals {
			f.pins[j] = j.pin()
		}
	}
	fs.list = append(fs.list, &f)
	return f, nil
}

func (f *Fault) validate() error {
	need := func(ok bool, what string) error {
		if ok {
			return nil
		}
		return fmt.Errorf("a fault of kind %q needs %s", f.Kind, what)
	}
	if min(f.Skip, f.Times, f.DelayMillis, f.Rows, f.LagWrites) < 0 || f.LagSeconds < 0 {
		return errors.New("numbers of a fault must not be negative")
	}
	if f.Probability < 0 || f.Probability > 1 {
		return errors.New("probability must be between 0 and 1")
	}
	switch f.Kind {
	case KindError:
		return need(f.Code != "", "code")
	case KindHTTPStatus:
		return need(f.HTTPStatus >= 200 && f.HTTPStatus <= 599, "httpStatus between 200 and 599")
	case KindLatency:
		return need(f.DelayMillis > 0, "delayMillis")
	case KindIgnoreField:
		return need(f.Field != "", "field")
	case KindThrottle, KindIPBan, KindDropAfter, KindDropBefore, KindHang,
		KindPartialPage, KindEmptyListing, KindStale:
		return nil
	default:
		return fmt.Errorf("unknown kind of fault %q; known: error httpStatus latency throttle ipban dropAfter"+
			" dropBefore hang partialPage emptyListing stale ignoreField", f.Kind)
	}
}

// List gives the faults in force, oldest first.
func (fs *Faults) List() []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := make([]Fault, 0, len(fs.list))
	for _, f := range fs.list {
		list = append(list, *f)
	}
	return list
}

// Remove takes one fault out of force.
func (fs *Faults) Remove(id string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i, f := range fs.list {
		if f.ID == id {
			f.end()
			fs.list = slices.Delete(fs.list, i, i+1)
			return nil
		}
	}
	return fmt.Errorf("fault %q: %w", id, ErrNotFound)
}

// Clear takes all faults out of force.
func (fs *Faults) Clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.list {
		f.end()
	}
	fs.list = nil
}

func (f *Fault) end() {
	close(f.gone)
	for j, v := range f.pins {
		j.unpin(v)
	}
}

// drawn are the faults that strike one call.
type drawn struct {
	ids       []string
	latency   time.Duration
	hangs     []*Fault
	final     *Fault // ends the call instead of the platform
	dropAfter bool
}

func (d drawn) id() string { return strings.Join(d.ids, ",") }

// draw finds the faults that strike this call, oldest first. The first one that
// answers instead of the platform is the last that counts.
func (fs *Faults) draw(c *Call) drawn {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var d drawn
	ended := false
	for _, f := range fs.list {
		if d.final != nil {
			break
		}
		if !f.matches(c) || !fs.strikes(f) {
			continue
		}
		d.ids = append(d.ids, f.ID)
		d.apply(f, c)
		if f.Times > 0 && f.Hits >= f.Times && f.Kind != KindHang {
			ended = true
		}
	}
	if ended {
		fs.list = slices.DeleteFunc(fs.list, func(f *Fault) bool {
			spent := f.Times > 0 && f.Hits >= f.Times && f.Kind != KindHang
			if spent {
				f.end()
			}
			return spent
		})
	}
	return d
}

func (d *drawn) apply(f *Fault, c *Call) {
	switch f.Kind {
	case KindLatency:
		d.latency += time.Duration(f.DelayMillis) * time.Millisecond
	case KindHang:
		d.hangs = append(d.hangs, f)
	case KindDropAfter:
		d.dropAfter = true
	case KindPartialPage, KindEmptyListing:
		c.rows = f
	case KindStale:
		c.stale = f
	case KindIgnoreField:
		c.Body = without(c.Body, f.Field)
	default:
		final := *f
		d.final = &final
	}
}

// strikes counts a match down through skip, probability and times.
func (fs *Faults) strikes(f *Fault) bool {
	if f.Skip > 0 {
		f.Skip--
		return false
	}
	if f.Times > 0 && f.Hits >= f.Times {
		return false
	}
	if f.Probability > 0 && f.Probability < 1 && fs.rng.Float64() >= f.Probability {
		return false
	}
	f.Hits++
	return true
}

func (f *Fault) matches(c *Call) bool {
	same := func(want, got string) bool { return want == "" || want == "*" || want == got }
	if !same(f.Platform, c.Platform) || !same(f.Tenant, c.Tenant) || !same(f.Subject, c.Subject) ||
		!same(f.Credential, c.Credential) || !matchOperation(f.Operation, c.Operation) {
		return false
	}
	switch f.Kind {
	case KindPartialPage, KindEmptyListing:
		return c.Listing
	case KindStale:
		return !c.Write
	case KindIgnoreField:
		return c.Write && has(c.Body, f.Field)
	default:
		return true
	}
}

// matchOperation reports whether a selector names a path: exactly, by its end
// after a slash, or all of them.
func matchOperation(want, path string) bool {
	return want == "" || want == "*" || want == path ||
		strings.HasSuffix(path, "/"+strings.TrimPrefix(want, "/"))
}

// page is what a gateway in front of the platform answers when it is not well.
func (f *Fault) page() Answer {
	text := f.Message
	if text == "" {
		text = fmt.Sprintf("%d %s", f.HTTPStatus, http.StatusText(f.HTTPStatus))
	}
	return Answer{
		Status: f.HTTPStatus,
		Header: http.Header{"Content-Type": {"text/html"}},
		Body: []byte("<html>\r\n<head><title>" + text + "</title></head>\r\n<body>\r\n<center><h1>" + text +
			"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"),
	}
}

// has reports whether a JSON or form body has the field.
func has(body []byte, field string) bool { return !bytes.Equal(without(body, field), body) }

// without gives the body without the field, which may be a path with dots
// through JSON objects. A body that does not have it comes back as it was.
func without(body []byte, field string) []byte {
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		form, err := url.ParseQuery(string(body))
		if err != nil || !form.Has(field) {
			return body
		}
		form.Del(field)
		return []byte(form.Encode())
	}
	head, rest, nested := strings.Cut(field, ".")
	value, ok := object[head]
	switch {
	case !ok:
		return body
	case nested:
		inner := without(value, rest)
		if bytes.Equal(inner, value) {
			return body
		}
		object[head] = inner
	default:
		delete(object, head)
	}
	out, err := json.Marshal(object)
	if err != nil {
		return body // came from a decoder, so it can be encoded
	}
	return out
}
