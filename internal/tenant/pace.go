package tenant

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
)

// retryRefresh is how soon a failed reading is tried again at first; it doubles up to the interval.
const retryRefresh = 2 * time.Second

// pace is when something is read again.
type pace struct {
	poke chan struct{}

	mu       sync.Mutex
	interval time.Duration
}

func newPace(interval time.Duration) pace {
	return pace{interval: interval, poke: make(chan struct{}, 1)}
}

// again reads, tells what came of it, and waits, until ctx ends.
func (t *pace) again(ctx context.Context, read func(context.Context) (tell func(), err error)) {
	failures := 0
	for ctx.Err() == nil {
		tell, err := read(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures = 0
		} else {
			failures++
		}
		tell()
		t.wait(ctx, t.delay(failures, directory.RetryAfter(err)))
	}
}

// record writes the trail until the function that it returns is called: what the
// lane did last is recorded, too.
func record(ctx context.Context, trail *audit.Log) (end func()) {
	if trail == nil {
		return func() {}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { trail.Run(ctx) })
	return func() { stop(); wg.Wait() }
}

// delay is the interval with a tenth of jitter, or the backoff of failures.
func (t *pace) delay(failures int, asked time.Duration) time.Duration {
	t.mu.Lock()
	interval := t.interval
	t.mu.Unlock()
	if failures > 0 {
		return max(asked, min(interval, retryRefresh<<min(failures-1, 16)))
	}
	return interval - interval/10 + rand.N(interval/5+1) //nolint:gosec // jitter is no secret
}

func (t *pace) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-t.poke:
	}
}

// Poke asks for the directory to be read now.
func (t *pace) Poke() {
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

// SetInterval changes how often the directory is read.
func (t *pace) SetInterval(d time.Duration) {
	t.mu.Lock()
	changed := t.interval != d
	t.interval = d
	t.mu.Unlock()
	if changed {
		t.Poke()
	}
}
