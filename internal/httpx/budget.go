package httpx

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	defaultConcurrency = 16

	// share: of this many turns in a row, a lower priority that could have gone
	// gets one. So a flood of higher calls slows a sweep to a tenth, never to nothing.
	share = 10

	// longestPause is how long a call waits out a pause that the platform asked
	// for. A longer one fails at once with ErrThrottled: a worker that sleeps for
	// minutes serves nobody.
	longestPause = 10 * time.Second
)

// Rate is a pace. The zero value is no limit.
type Rate struct {
	// PerSecond is the sustained number of calls per second; may be a fraction.
	PerSecond float64
	// Burst is how many calls may go at once after a rest; 0 means 1. Within the
	// first T seconds up to Burst + PerSecond*T go: for a platform that counts
	// calls per window of T seconds, that sum must stay within its limit.
	Burst int
}

// Limits of one tenant.
type Limits struct {
	// PerOperation is the platform's documented limit of each operation, but for
	// Operations, which have their own.
	PerOperation Rate
	Operations   map[string]Rate
	// Total is what the administrator set for the whole account.
	Total Rate
	// Concurrency is the number of calls under way at once; 0 = 16.
	Concurrency int
}

// of is the limit of one operation.
func (l *Limits) of(operation string) Rate {
	if r, own := l.Operations[operation]; own {
		return r
	}
	return l.PerOperation
}

// Budget decides when the calls of one tenant may go. It is safe for concurrent
// use, starts no goroutine and needs no closing.
type Budget struct {
	clock Clock
	obs   Observer

	mu         sync.Mutex
	limits     Limits
	total      bucket
	operations map[string]*queue
	underWay   int
	arrivals   uint64
	passedOver [priorities]int
	breaker    breaker
	timer      Timer
}

// queue is everyone who waits for one operation.
type queue struct {
	bucket  bucket
	waiting [priorities]list.List // of *waiter, in order of arrival
}

// waiter is one call, from its arrival to its end.
type waiter struct {
	operation string
	priority  Priority
	arrival   uint64
	since     time.Time     // of the arrival
	deadline  time.Time     // the context's, on the budget's clock; zero = none
	probe     bool          // it tries whether an open breaker may close
	turn      chan struct{} // closed when it may go, or has been refused
	refused   error
	place     *list.Element // nil once it no longer waits
}

// NewBudget makes the budget of one tenant. A nil clock is the system's, a nil
// observer is none.
func NewBudget(l Limits, clock Clock, obs Observer) *Budget {
	if clock == nil {
		clock = systemClock{}
	}
	if obs == nil {
		obs = noObserver{}
	}
	b := &Budget{clock: clock, obs: obs, operations: map[string]*queue{}}
	b.SetLimits(l)
	return b
}

// SetLimits replaces the limits, also for calls that wait already. What was
// learned from throttling stays.
func (b *Budget) SetLimits(l Limits) {
	if l.Concurrency <= 0 {
		l.Concurrency = defaultConcurrency
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = l
	b.total.limit = l.Total
	for operation, q := range b.operations {
		q.bucket.limit = l.of(operation)
	}
	b.dispatch()
}

// Throttled tells the budget that the platform answered "too fast", which is
// often inside an HTTP 200. The operation is blocked for retryAfter (0 = one
// second), its rate is halved, and climbs back evenly: from nothing to the limit
// in a minute. The empty operation means the whole tenant.
func (b *Budget) Throttled(operation string, retryAfter time.Duration) {
	b.mu.Lock()
	now := b.clock.Now()
	if operation == "" {
		b.total.throttled(now, retryAfter)
	} else {
		b.queue(operation).bucket.throttled(now, retryAfter)
	}
	for op, q := range b.operations {
		b.refuse(q, func(w *waiter) error { return b.pauseError(op, w.deadline, now) })
	}
	b.dispatch()
	b.mu.Unlock()
	b.obs.Throttled(operation, retryAfter)
}

// Answered passes the provider's class of an answer on to the observer: the
// transport sees HTTP 200 where the platform means "no".
func (b *Budget) Answered(operation, class string) { b.obs.Answered(operation, class) }

// Takes is how long these calls take at the rates in force now, one after the other
// and with nobody else waiting. The platform's own time for each is not in it.
func (b *Budget) Takes(operations []string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, all := b.clock.Now(), time.Duration(0)
	for _, operation := range operations {
		one := time.Duration(0)
		for _, rate := range []float64{b.total.rate(now), b.queue(operation).bucket.rate(now)} {
			if rate > 0 {
				one = max(one, spacing(rate))
			}
		}
		all += one
	}
	return all
}

// queue returns the operation's queue. The lock is held.
func (b *Budget) queue(operation string) *queue {
	q := b.operations[operation]
	if q == nil {
		q = &queue{bucket: bucket{limit: b.limits.of(operation)}}
		b.operations[operation] = q
	}
	return q
}

// pauseError is why a call cannot wait for the end of the platform's pause, or
// nil if it can. The lock is held.
func (b *Budget) pauseError(operation string, deadline, now time.Time) error {
	until := b.total.blocked
	if at := b.queue(operation).bucket.blocked; at.After(until) {
		until = at
	}
	pause := until.Sub(now)
	if pause <= longestPause && (deadline.IsZero() || pause <= 0 || until.Before(deadline)) {
		return nil
	}
	return &Error{Operation: operation, RetryAfter: pause, Err: ErrThrottled}
}

// refuse sends away those who wait in q and for whom reason gives one. The lock is held.
func (b *Budget) refuse(q *queue, reason func(*waiter) error) {
	for p := range q.waiting {
		for e := q.waiting[p].Front(); e != nil; {
			w, next := e.Value.(*waiter), e.Next()
			if err := reason(w); err != nil {
				b.leave(w)
				w.refused = err
				close(w.turn)
			}
			e = next
		}
	}
}

// leave takes a waiter out of its queue. The lock is held.
func (b *Budget) leave(w *waiter) {
	b.operations[w.operation].waiting[w.priority].Remove(w.place)
	w.place = nil
	if w.probe {
		b.breaker.probing = false
	}
}

// acquire waits for a turn. Whoever gets one must release it.
func (b *Budget) acquire(ctx context.Context) (*waiter, error) {
	w, err := b.arrive(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case <-w.turn:
		return w, w.refused
	case <-ctx.Done():
	}
	b.mu.Lock()
	waits := w.place != nil
	if waits {
		b.leave(w)
	}
	b.mu.Unlock()
	if !waits && w.refused == nil { // the turn came at the same moment
		b.release(w, neutral, "")
	}
	return nil, &Error{Operation: w.operation, Err: fmt.Errorf("waiting for a turn: %w", context.Cause(ctx))}
}

// arrive puts the call in its queue, or says why it need not wait.
func (b *Budget) arrive(ctx context.Context) (*waiter, error) {
	w := &waiter{operation: OperationFrom(ctx), priority: PriorityFrom(ctx), turn: make(chan struct{})}
	if ctx.Err() != nil {
		return nil, &Error{Operation: w.operation, Err: context.Cause(ctx)}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	if d, ok := ctx.Deadline(); ok {
		w.deadline = now.Add(time.Until(d)) // contexts keep the system's time
	}
	if err := b.pauseError(w.operation, w.deadline, now); err != nil {
		return nil, err
	}
	var err error
	if w.probe, err = b.breaker.admit(w.operation, now); err != nil {
		return nil, err
	}
	b.arrivals++
	w.arrival, w.since = b.arrivals, now
	w.place = b.queue(w.operation).waiting[w.priority].PushBack(w)
	b.dispatch()
	return w, nil
}

// release ends a call that had its turn.
func (b *Budget) release(w *waiter, v verdict, failure string) {
	b.mu.Lock()
	b.underWay--
	now := b.clock.Now()
	changed := b.breaker.record(v, w.probe, failure, now)
	open := b.breaker.open
	if changed && open {
		for _, q := range b.operations {
			b.refuse(q, func(w *waiter) error { return b.breaker.refusal(w.operation, now) })
		}
	}
	b.dispatch()
	b.mu.Unlock()
	if changed {
		b.obs.Opened(open)
	}
}

// dispatch gives turns to those who may go now, and sets the timer for the next.
// The lock is held.
func (b *Budget) dispatch() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	for b.underWay < b.limits.Concurrency {
		now := b.clock.Now()
		w, wake := b.pick(now)
		if w == nil {
			if !wake.IsZero() {
				b.timer = b.clock.AfterFunc(wake.Sub(now), b.wake)
			}
			return
		}
		q := b.operations[w.operation]
		q.waiting[w.priority].Remove(w.place)
		w.place = nil
		q.bucket.take(now, w.since)
		b.total.take(now, w.since)
		b.underWay++
		close(w.turn)
	}
}

func (b *Budget) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dispatch()
}

// pick returns who goes next, or else when to look again (zero = nobody waits).
// The lock is held.
func (b *Budget) pick(now time.Time) (*waiter, time.Time) {
	var first [priorities]*waiter
	var wake time.Time
	for _, q := range b.operations {
		at := q.bucket.next(now)
		if t := b.total.next(now); t.After(at) {
			at = t
		}
		for p := range q.waiting {
			e := q.waiting[p].Front()
			if e == nil {
				continue
			}
			if at.After(now) {
				if wake.IsZero() || at.Before(wake) {
					wake = at
				}
				continue
			}
			if w := e.Value.(*waiter); first[p] == nil || w.arrival < first[p].arrival {
				first[p] = w
			}
		}
	}
	return b.choose(first), wake
}

// choose picks among the first of each priority: the highest, unless a lower
// one has been passed over too often. The lock is held.
func (b *Budget) choose(first [priorities]*waiter) *waiter {
	chosen := -1
	for p := priorities - 1; p >= 0; p-- {
		if first[p] != nil && (chosen < 0 || b.passedOver[p] >= share-1 && b.passedOver[chosen] < share-1) {
			chosen = p
		}
	}
	if chosen < 0 {
		return nil
	}
	for p := range first {
		if first[p] != nil {
			b.passedOver[p]++
		}
	}
	b.passedOver[chosen] = 0
	return first[chosen]
}
