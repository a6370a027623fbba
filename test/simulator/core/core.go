package core

import (
	"context"
	"io"
	"net/http"
	"sort"
	"sync"
	"time"
)

// maxBody is more than any documented request of a platform.
const maxBody = 16 << 20

// Options are what a Core is made from; the zero value is usable.
type Options struct {
	Clock   *Clock        // nil: the machine's clock
	LogSize int           // calls that the log keeps; 0: 200,000
	Latency time.Duration // added to every call
	Seed    uint64        // of the random numbers behind Fault.Probability

	Unlimited bool // platforms are registered without their documented limits
}

// Core is shared by all platforms of one simulator.
type Core struct {
	Clock  *Clock
	Log    *Log
	Faults *Faults
	Limits *Limiter

	latency   time.Duration
	unlimited bool

	mu        sync.Mutex
	platforms map[string]Platform
}

// New makes a Core without platforms.
func New(o Options) *Core {
	if o.Clock == nil {
		o.Clock = NewClock(nil)
	}
	if o.LogSize <= 0 {
		o.LogSize = 200_000
	}
	return &Core{
		Clock:     o.Clock,
		Log:       newLog(o.LogSize),
		Faults:    newFaults(o.Seed),
		Limits:    newLimiter(o.Clock),
		latency:   o.Latency,
		unlimited: o.Unlimited,
		platforms: map[string]Platform{},
	}
}

// NewJournal makes the journal of one tenant, known to the faults of this core.
func (c *Core) NewJournal() *Journal {
	j := newJournal(c.Clock)
	c.Faults.watch(j)
	return j
}

// Register adds a platform under its documented limits and returns the handler
// of its address.
func (c *Core) Register(p Platform) http.Handler {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.platforms[p.Name()] = p
	rules := p.DocumentedLimits()
	if c.unlimited {
		rules = nil
	}
	c.Limits.document(p.Name(), rules)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.serve(p, w, r) })
}

// Platform gives a registered platform by its name.
func (c *Core) Platform(name string) (Platform, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.platforms[name]
	return p, ok
}

// Platforms lists the registered platforms, sorted by name.
func (c *Core) Platforms() []Platform {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Platform, 0, len(c.platforms))
	for _, p := range c.platforms {
		list = append(list, p)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name() < list[j].Name() })
	return list
}

// Reset forgets the state of all platforms, the faults and the log, and brings
// the limits back to those in force at the start. The clock keeps its time.
func (c *Core) Reset() {
	c.Faults.Clear()
	for _, p := range c.Platforms() {
		p.Reset()
	}
	c.Limits.Reset()
	c.Log.Reset()
}

// serve takes one request through the stations that the package comment lists.
func (c *Core) serve(p Platform, w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler) // the client left, or sends without end
	}
	call := p.Describe(r, body)
	call.Platform, call.Request, call.Body = p.Name(), r, body

	drawn := c.Faults.draw(&call)
	answer, drop := c.exchange(p, &call, drawn)

	entry := Entry{
		Time: c.Clock.Now(), Platform: call.Platform, Tenant: call.Tenant,
		Operation: call.Operation, Method: r.Method, Subject: call.Subject,
		Credential: call.Credential, Fault: drawn.id(),
		Millis: float64(time.Since(start).Microseconds()) / 1000,
	}
	if drop {
		c.Log.add(entry)
		// The one way to close a connection without an answer that works for
		// HTTP/1.1 and HTTP/2 alike.
		panic(http.ErrAbortHandler)
	}
	entry.HTTPStatus, entry.Code = max(answer.Status, 0), answer.Code
	if entry.HTTPStatus == 0 {
		entry.HTTPStatus = http.StatusOK
	}
	c.Log.add(entry)
	for k, v := range answer.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(entry.HTTPStatus)
	// The client may be gone; the platform has done its work all the same.
	_, _ = w.Write(answer.Body)
}

// exchange decides who answers: a fault, a limit or the platform. drop means
// that nobody does.
func (c *Core) exchange(p Platform, call *Call, drawn drawn) (answer Answer, drop bool) {
	// A client that gives up during latency does not stop the platform, so the
	// write that it no longer waits for still happens.
	wait(call.Request.Context(), c.latency+drawn.latency)
	for _, f := range drawn.hangs {
		select {
		case <-f.gone:
		case <-call.Request.Context().Done():
			return Answer{}, true
		}
	}
	if f := drawn.final; f != nil {
		switch f.Kind {
		case KindDropBefore:
			return Answer{}, true
		case KindHTTPStatus:
			return f.page(), false
		case KindThrottle:
			return p.Throttled(call, ScopeOperation), false
		case KindIPBan:
			return p.Throttled(call, ScopeIP), false
		default:
			return p.Error(call, *f), false
		}
	}
	release, scope := c.Limits.take(call)
	if release == nil {
		return p.Throttled(call, scope), false
	}
	defer release()
	return p.Do(call), drawn.dropAfter
}

// wait returns when d is over or ctx is done.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Seconds turns a number of seconds into a duration.
func Seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
