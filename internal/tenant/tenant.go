// Package tenant keeps what lives as long as a tenant is managed: its budgeted
// client, its directory, its mirror and its lane of work. Nothing is shared
// between tenants, so that a sick one harms only itself (P11).
package tenant

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/mirror"
)

// Events tells the controllers what happened. Its methods must not block.
type Events interface {
	// Refreshed: the directory was read, or the attempt failed.
	Refreshed(tenant string, c mirror.Changes, err error)
	// Ended: a task of the lane ended.
	Ended(tenant, key string)
}

// Tenant is one managed tenant. Create with New, start with Run.
type Tenant struct {
	// Name is "<namespace>/<name>" of the EnterpriseAccount.
	Name      string
	Directory directory.Directory
	Mirror    *mirror.Mirror
	Lane      *execute.Lane
	Budget    *httpx.Budget
	// Trail takes a record of every change; nil keeps none. Set it before Run.
	Trail *audit.Log

	events Events
	now    func() time.Time
	poke   chan struct{}

	mu       sync.Mutex
	interval time.Duration
}

// New returns a tenant that does nothing until Run.
func New(name string, d directory.Directory, b *httpx.Budget, interval time.Duration, now func() time.Time, events Events) *Tenant {
	t := &Tenant{
		Name: name, Directory: d, Budget: b,
		Mirror: mirror.New(d.Capabilities(), now),
		events: events, now: now, interval: interval,
		poke: make(chan struct{}, 1),
	}
	t.Lane = execute.NewLane(name, now, func(key string) { events.Ended(name, key) })
	return t
}

// workers carry out plans of one tenant side by side; the budget decides how fast.
const workers = 16

// retryRefresh is how soon a failed reading is tried again at first; it doubles up to the interval.
const retryRefresh = 2 * time.Second

// Run keeps the mirror fresh and works the lane until ctx ends.
func (t *Tenant) Run(ctx context.Context) {
	defer t.record(ctx)()
	var wg sync.WaitGroup
	wg.Go(func() { t.Lane.Run(ctx, workers) })
	failures := 0
	for ctx.Err() == nil {
		changes, err := t.refresh(ctx)
		if ctx.Err() != nil {
			break
		}
		if err == nil {
			failures = 0
		} else {
			failures++
		}
		t.events.Refreshed(t.Name, changes, err)
		t.wait(ctx, t.delay(failures, directory.RetryAfter(err)))
	}
	wg.Wait()
}

// record writes the trail until the function that it returns is called: what the
// lane did last is recorded, too.
func (t *Tenant) record(ctx context.Context) (end func()) {
	if t.Trail == nil {
		return func() {}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { t.Trail.Run(ctx) })
	return func() { stop(); wg.Wait() }
}

func (t *Tenant) refresh(ctx context.Context) (mirror.Changes, error) {
	if !t.Mirror.State().Listed {
		if err := t.Directory.Check(ctx); err != nil {
			t.Mirror.Failed(err)
			return mirror.Changes{}, err
		}
	}
	return t.Mirror.Refresh(httpx.WithPriority(ctx, httpx.Sweep), t.Directory)
}

// delay is the interval with a tenth of jitter, or the backoff of failures.
func (t *Tenant) delay(failures int, asked time.Duration) time.Duration {
	t.mu.Lock()
	interval := t.interval
	t.mu.Unlock()
	if failures > 0 {
		return max(asked, min(interval, retryRefresh<<min(failures-1, 16)))
	}
	return interval - interval/10 + rand.N(interval/5+1) //nolint:gosec // jitter is no secret
}

func (t *Tenant) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-t.poke:
	}
}

// Poke asks for the directory to be read now.
func (t *Tenant) Poke() {
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

// SetInterval changes how often the directory is read.
func (t *Tenant) SetInterval(d time.Duration) {
	t.mu.Lock()
	changed := t.interval != d
	t.interval = d
	t.mu.Unlock()
	if changed {
		t.Poke()
	}
}
