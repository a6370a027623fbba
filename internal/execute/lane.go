package execute

import (
	"context"
	"errors"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"

	"rollcall.dev/rollcall/internal/directory"
)

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func holder(err error) string {
	if e, ok := errors.AsType[*directory.Error](err); ok {
		return e.Holder
	}
	return ""
}

// Backoff between runs of one task, when the platform names no time. It holds for
// tasks that succeed too: a success that has to be repeated at once did not help.
const (
	minBackoff = time.Second
	maxBackoff = 10 * time.Minute
)

// Task is something to do for one key.
type Task struct {
	// Digest is equal for tasks that do the same; a finished or failed one is not repeated at once.
	Digest string
	// Priority: higher runs first.
	Priority int
	Run      func(context.Context) Outcome
}

// Status is where a key stands.
type Status struct {
	// Underway: the task waits for its turn or runs.
	Underway bool
	// RetryIn is how long until a failed task may run again; offer it again then.
	RetryIn time.Duration
	// Err is the error of the last run of a task with this digest.
	Err error
}

// Lane is one tenant's queue of work: its own workers, its own backoff, so that
// a sick tenant holds up only itself (P11). One key runs once at a time.
type Lane struct {
	now    func() time.Time
	notify func(key string)
	queue  priorityqueue.PriorityQueue[string]

	mu   sync.Mutex
	keys map[string]*slot
}

type slot struct {
	next    *Task
	running bool
	digest  string // of the last finished task
	outcome *Outcome
	told    bool // somebody has read the outcome
	err     error
	ended   time.Time
	runs    int // of this digest in a row, each soon after the other
	retryAt time.Time
	asked   bool // Outcome.Asked of any run
}

// NewLane returns a lane; notify is called with the key whenever a task ends.
func NewLane(name string, now func() time.Time, notify func(key string)) *Lane {
	return &Lane{
		now: now, notify: notify,
		queue: priorityqueue.New[string](name),
		keys:  map[string]*slot{},
	}
}

// Run works with n workers until ctx ends.
func (l *Lane) Run(ctx context.Context, n int) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for l.work(ctx) {
			}
		})
	}
	<-ctx.Done()
	l.queue.ShutDown()
	wg.Wait()
}

func (l *Lane) work(ctx context.Context) bool {
	key, _, shutdown := l.queue.GetWithPriority()
	if shutdown {
		return false
	}
	defer l.queue.Done(key)
	l.mu.Lock()
	s := l.keys[key]
	if s == nil || s.next == nil {
		l.mu.Unlock()
		return true
	}
	task := s.next
	s.next, s.running = nil, true
	l.mu.Unlock()

	outcome := task.Run(ctx)
	if ctx.Err() != nil {
		return false // the outcome is of our own stopping, and means nothing
	}
	l.finish(s, task, outcome)
	l.notify(key)
	return true
}

func (l *Lane) finish(s *slot, task *Task, o Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if s.digest != task.Digest || now.Sub(s.ended) > 2*maxBackoff {
		s.runs = 0
	}
	s.asked = s.asked || o.Asked
	o.Asked = s.asked
	s.running, s.digest, s.err, s.outcome, s.told, s.ended = false, task.Digest, o.Err, &o, false, now
	wait := directory.RetryAfter(o.Err)
	if wait == 0 {
		wait = min(maxBackoff, minBackoff<<min(s.runs, 10))
	}
	s.runs++
	s.retryAt = now.Add(wait)
}

// Offer asks for the task to be run, in place of an earlier one that still
// waits, and says where the key stands. A task that just ran is run again only
// after its backoff.
func (l *Lane) Offer(key string, t Task) Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.slot(key)
	status := Status{Underway: true}
	if s.digest == t.Digest {
		status.Err = s.err
	}
	if s.running || s.outcome != nil {
		return status // its end brings the caller back, to plan from what it did
	}
	if wait := s.retryAt.Sub(l.now()); s.digest == t.Digest && wait > 0 {
		s.next = nil // what waits was planned before this
		return Status{Err: s.err, RetryIn: wait}
	}
	s.next = &t
	l.queue.AddWithOpts(priorityqueue.AddOpts{Priority: &t.Priority}, key)
	return status
}

// Peek says where the key stands with the task of this digest, and asks for nothing.
func (l *Lane) Peek(key, digest string) Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.keys[key]
	if s == nil {
		return Status{}
	}
	status := Status{Underway: s.running || (s.next != nil && s.next.Digest == digest)}
	if s.digest == digest {
		status.Err = s.err
		status.RetryIn = max(0, s.retryAt.Sub(l.now()))
	}
	return status
}

// Last says how the last finished task with this digest ended, nil if well or never.
func (l *Lane) Last(key, digest string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.keys[key]; s != nil && s.digest == digest {
		return s.err
	}
	return nil
}

// Refused reports that the last finished task with this digest was refused in words, and that no run for the key may
// have taken effect without being seen: it left nothing behind.
func (l *Lane) Refused(key, digest string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.keys[key]
	if s == nil || s.digest != digest || s.asked {
		return false
	}
	switch directory.ClassOf(s.err) {
	case "", directory.OutcomeUnknown, directory.Unavailable, directory.RateLimited, directory.Unauthenticated, directory.AlreadyExists:
		return false
	}
	return true
}

// Outcome returns the outcome that was not yet acknowledged, if there is one.
func (l *Lane) Outcome(key string) (*Outcome, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.keys[key]
	if s == nil || s.outcome == nil {
		return nil, false
	}
	s.told = true
	return s.outcome, true
}

// Acknowledge forgets the outcome: what it said is durable now.
func (l *Lane) Acknowledge(key string, o *Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.keys[key]; s != nil && s.outcome == o {
		s.outcome = nil
	}
}

// Settle drops the task that waits for key, if any, and reports whether none runs.
func (l *Lane) Settle(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.keys[key]
	if s == nil {
		return true
	}
	s.next = nil
	return !s.running
}

// Withdraw drops the task that waits for key, if any, and what is remembered of
// it, but for an outcome that nobody has read yet.
func (l *Lane) Withdraw(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.keys[key]; s != nil {
		s.next = nil
		if !s.running && (s.outcome == nil || s.told) {
			delete(l.keys, key)
		}
	}
}

// Forget drops the task that waits for key and everything remembered of it, an
// unread outcome and that of a running task included: who has the key next is
// somebody else.
func (l *Lane) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.keys, key)
}

func (l *Lane) slot(key string) *slot {
	if l.keys[key] == nil {
		l.keys[key] = &slot{}
	}
	return l.keys[key]
}
