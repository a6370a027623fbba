// Package tenant keeps what lives as long as a tenant is managed: its budgeted
// client, its directory, its mirror and its lane of work. Nothing is shared
// between tenants, so that a sick one harms only itself (P11).
package tenant

import (
	"context"
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

	pace
	events Events
}

// New returns a tenant that does nothing until Run.
func New(name string, d directory.Directory, b *httpx.Budget, interval time.Duration, now func() time.Time, events Events) *Tenant {
	t := &Tenant{
		Name: name, Directory: d, Budget: b,
		Mirror: mirror.New(d.Capabilities(), now),
		events: events, pace: newPace(interval),
	}
	t.Lane = execute.NewLane(name, now, func(key string) { events.Ended(name, key) })
	return t
}

// workers carry out plans of one tenant side by side; the budget decides how fast.
const workers = 16

// Run keeps the mirror fresh and works the lane until ctx ends.
func (t *Tenant) Run(ctx context.Context) {
	defer record(ctx, t.Trail)()
	var wg sync.WaitGroup
	wg.Go(func() { t.Lane.Run(ctx, workers) })
	t.again(ctx, func(ctx context.Context) (tell func(), err error) {
		changes, err := t.refresh(ctx)
		return func() { t.events.Refreshed(t.Name, changes, err) }, err
	})
	wg.Wait()
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
