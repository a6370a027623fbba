package wecom

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// prefix of all calls.
const prefix = "/cgi-bin/"

// access says whose token a call takes.
type access int

const (
	open     access = iota // none
	anyone                 // the sync secret or an app
	syncOnly               // the sync secret; an app gets 48002
	appOnly                // an app; the sync secret gets 48002
	detail                 // an app; the sync secret only from an old address, else 48009
)

// endpoint is one call of the platform.
type endpoint struct {
	do       func(*exchange) (fields, *failure)
	access   access
	body     bool     // parameters come in the body, so an empty one is 40058
	write    bool     // changes something
	counts   bool     // changes only what the platform counts of its callers, or what time has brought about
	listing  bool     // answers with rows
	defaults []string // empty lists that an error body carries
	subject  string   // parameter that names what the call is about
}

// exchange is one call with everything that it needs.
type exchange struct {
	server     *Server
	call       *core.Call
	query      url.Values
	form       *form
	tenant     *tenant
	credential *credential
	view       core.View
	now        time.Time
	addr       string
}

// Server is the platform with all its corps.
type Server struct {
	core      *core.Core
	auth      *auth
	endpoints map[string]endpoint

	mu      sync.RWMutex
	tenants map[string]*tenant // by name
	names   []string
}

// New makes the platform and returns its handler. Without corps it has those of BuiltIn.
func New(c *core.Core, corps ...Tenant) http.Handler {
	s := &Server{core: c, auth: newAuth(), endpoints: map[string]endpoint{}, tenants: map[string]*tenant{}}
	for _, area := range []map[string]endpoint{
		authEndpoints(), userEndpoints(), departmentEndpoints(), tagEndpoints(), messageEndpoints(),
		oaEndpoints(), productEndpoints(), archiveEndpoints(), inheritanceEndpoints(),
	} {
		maps.Copy(s.endpoints, area)
	}
	if len(corps) == 0 {
		corps = BuiltIn()
	}
	for _, t := range corps {
		if err := s.add(t); err != nil {
			panic(err) // a mistake in this package, which every test would meet
		}
	}
	return c.Register(s)
}

// Name implements core.Platform.
func (s *Server) Name() string { return "wecom" }

// DocumentedLimits implements core.Platform with the limits of 90312. A limit
// that was exceeded blocks for as long as its window.
func (s *Server) DocumentedLimits() []core.Rule {
	return []core.Rule{
		{Scope: core.ScopeTenant, Calls: 10_000, Per: time.Minute, Block: time.Minute},
		{Scope: core.ScopeTenant, Calls: 150_000, Per: time.Hour, Block: time.Hour},
		{Scope: core.ScopePath, Calls: 20_000, Per: time.Minute, Block: time.Minute},
		{Scope: core.ScopePath, Calls: 600_000, Per: time.Hour, Block: time.Hour},
	}
}

// Describe implements core.Platform.
func (s *Server) Describe(r *http.Request, body []byte) core.Call {
	call := core.Call{Operation: r.URL.Path}
	e, ok := s.endpoints[strings.TrimPrefix(r.URL.Path, prefix)]
	if !ok {
		return call
	}
	call.Write, call.Listing = e.write, e.listing
	query := r.URL.Query()
	if k := s.auth.lookup(query.Get("access_token")); k != nil {
		call.Tenant, call.Credential = k.credential.tenant.name, k.credential.name
	} else if e.access == open {
		s.auth.mu.RLock()
		if c := s.auth.secrets[query.Get("corpsecret")]; c != nil {
			call.Tenant, call.Credential = c.tenant.name, c.name
		} else if t := s.auth.corps[query.Get("corpid")]; t != nil {
			call.Tenant = t.name
		}
		s.auth.mu.RUnlock()
	}
	switch {
	case e.subject == "":
	case e.body:
		call.Subject = subject(readForm(body).values[e.subject])
	default:
		call.Subject = query.Get(e.subject)
	}
	return call
}

// subject reads a string, a number, or a list of strings; anything else names nothing.
func subject(raw json.RawMessage) string {
	var text string
	var list []string
	switch {
	case json.Unmarshal(raw, &text) == nil:
		return text
	case json.Unmarshal(raw, &list) == nil:
		return strings.Join(list, ",")
	}
	if n, err := strconv.Atoi(string(raw)); err == nil {
		return strconv.Itoa(n)
	}
	return ""
}

// Do implements core.Platform.
func (s *Server) Do(call *core.Call) core.Answer {
	name, ok := strings.CutPrefix(call.Operation, prefix)
	e, known := s.endpoints[name]
	if !ok || !known {
		return core.Answer{Status: http.StatusNotFound, Code: "404"}
	}
	x := &exchange{
		server: s, call: call, query: call.Request.URL.Query(), form: readForm(nil),
		now: s.core.Clock.Now(), addr: address(call.Request),
	}
	if e.body {
		x.form = readForm(call.Body)
	}
	body, f := x.run(e)
	if f != nil {
		if x.form.warned {
			f.text = warning + f.text
		}
		return f.answer(x.now, x.addr, e.defaults)
	}
	body["errcode"] = 0
	if body["errmsg"] == nil {
		body["errmsg"] = "ok"
	}
	if x.form.warned {
		body["errmsg"] = body["errmsg"].(string) + ". " + warning
	}
	answer := core.JSON(http.StatusOK, "0", body)
	if e.listing && x.tenant != nil && x.tooBig(len(answer.Body)) {
		return fail(45029).answer(x.now, x.addr, e.defaults)
	}
	return answer
}

// warning is what bad JSON adds to errmsg (90313): behind the text of a
// success, before that of an error.
const warning = "Warning: wrong json format. "

// run checks in the order that probes have shown: token, then parameters.
func (x *exchange) run(e endpoint) (fields, *failure) {
	if e.access == open {
		return e.do(x)
	}
	if f := x.authenticate(); f != nil {
		return nil, f
	}
	t := x.tenant
	lock, unlock := t.mu.Lock, t.mu.Unlock
	if !e.write {
		x.view = x.call.At(t.journal)
		if !e.counts {
			lock, unlock = t.mu.RLock, t.mu.RUnlock
		}
	}
	lock()
	defer unlock()
	if e.write || e.counts {
		t.endTransfers()
	}
	if f := x.authorize(e.access); f != nil {
		return nil, f
	}
	if e.body && len(x.call.Body) == 0 {
		return nil, fail(40058)
	}
	return e.do(x)
}

func (x *exchange) authenticate() *failure {
	value := x.query.Get("access_token")
	if value == "" {
		return fail(41001)
	}
	k := x.server.auth.lookup(value)
	if k == nil {
		f := fail(40014)
		f.bare = true // as probes have seen it
		return f
	}
	if !x.now.Before(k.expires) {
		return fail(42001)
	}
	x.credential, x.tenant = k.credential, k.credential.tenant
	return nil
}

func (x *exchange) authorize(a access) *failure {
	options := x.tenant.spec.Options
	if len(options.TrustedIPs) > 0 && !slices.Contains(options.TrustedIPs, x.addr) {
		return fail(60020)
	}
	isSync := x.credential.app == nil
	switch {
	case a == syncOnly && !isSync, a == appOnly && isSync:
		return fail(48002)
	case a == detail && isSync && options.SyncReadRefused:
		return fail(48009)
	}
	return nil
}

func (x *exchange) tooBig(size int) bool {
	x.tenant.mu.RLock()
	defer x.tenant.mu.RUnlock()
	limit := x.tenant.spec.Options.MaxListBytes
	return limit > 0 && size > limit
}

// Error implements core.Platform.
func (s *Server) Error(call *core.Call, f core.Fault) core.Answer {
	code, err := strconv.Atoi(string(f.Code))
	if err != nil {
		code = -1
	}
	e := fail(code)
	if f.Message != "" {
		e = failText(code, "%s", f.Message)
	}
	return e.answer(s.core.Clock.Now(), address(call.Request), s.defaults(call))
}

// Throttled implements core.Platform: 45009 for too many, 45033 for too many at
// a time. A banned address is 45009 as well (90313).
func (s *Server) Throttled(call *core.Call, scope core.Scope) core.Answer {
	code := 45009
	if scope == core.ScopeConcurrent {
		code = 45033
	}
	return fail(code).answer(s.core.Clock.Now(), address(call.Request), s.defaults(call))
}

func (s *Server) defaults(call *core.Call) []string {
	return s.endpoints[strings.TrimPrefix(call.Operation, prefix)].defaults
}
