// Package jobs runs what takes long beside the controllers, which never wait: a
// reconcile starts the work, its end brings the object back.
package jobs

import (
	"context"
	"sync"
)

// Job is one piece of long work.
type Job[P, R any] struct {
	// Key is whose work it is: the UID of an object.
	Key string
	// Lane is whom it burdens: an account, a storage. Lanes do not hold up one another (P11).
	Lane string
	// Run does the work until ctx ends. It tells how far it is as often as it likes.
	Run func(ctx context.Context, tell func(P)) (R, error)
	// Ended is called when the work has ended, however it did, unless the runner ends itself.
	Ended func()
}

// State is where the work of a key stands.
type State[P, R any] struct {
	// Running or else ended; work that waits for its turn in the lane is Waiting.
	Waiting, Running bool
	// Progress is what was told last; zero before.
	Progress P
	// Result and Err are what it ended with.
	Result R
	Err    error
}

// Ended reports whether the work is over, and its result is there.
func (s State[P, R]) Ended() bool { return !s.Waiting && !s.Running }

// Runner runs jobs, each key once at a time, each in a goroutine of its own.
// Make one with New. Safe for concurrent use.
type Runner[P, R any] struct {
	ctx   context.Context //nolint:containedctx // jobs outlive the reconcile that starts them
	limit int
	group sync.WaitGroup

	mu    sync.Mutex
	jobs  map[string]*job[P, R]
	lanes map[string]*lane[P, R]
}

type job[P, R any] struct {
	Job[P, R]
	state    State[P, R]
	ctx      context.Context //nolint:containedctx // made before the goroutine that it is for
	cancel   context.CancelFunc
	disowned bool // nobody waits for the result
}

type lane[P, R any] struct {
	running int
	waiting []*job[P, R]
}

// New returns a runner whose jobs end with ctx, and of each lane at most limit at once.
func New[P, R any](ctx context.Context, limit int) *Runner[P, R] {
	return &Runner[P, R]{ctx: ctx, limit: limit, jobs: map[string]*job[P, R]{}, lanes: map[string]*lane[P, R]{}}
}

// Start runs j, or lets it wait for its turn in the lane. It does nothing, and
// says so, while the key has work, or a result that nobody acknowledged.
func (r *Runner[P, R]) Start(j Job[P, R]) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.jobs[j.Key] != nil || r.ctx.Err() != nil {
		return false
	}
	w := &job[P, R]{Job: j, state: State[P, R]{Waiting: true}}
	w.ctx, w.cancel = context.WithCancel(r.ctx)
	l := r.lanes[j.Lane]
	if l == nil {
		l = &lane[P, R]{}
		r.lanes[j.Lane] = l
	}
	r.jobs[j.Key] = w
	l.waiting = append(l.waiting, w)
	r.next(j.Lane)
	return true
}

// next starts what waits in the lane, as far as the limit allows. It is called with the lock.
func (r *Runner[P, R]) next(name string) {
	l := r.lanes[name]
	for l.running < r.limit && len(l.waiting) > 0 && r.ctx.Err() == nil {
		w := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.running++
		w.state.Waiting, w.state.Running = false, true
		r.group.Go(func() { r.run(w) })
	}
	if l.running == 0 && len(l.waiting) == 0 {
		delete(r.lanes, name)
	}
}

func (r *Runner[P, R]) run(w *job[P, R]) {
	defer w.cancel()
	result, err := w.Run(w.ctx, func(p P) {
		r.mu.Lock()
		defer r.mu.Unlock()
		w.state.Progress = p
	})
	r.mu.Lock()
	w.state.Running, w.state.Result, w.state.Err = false, result, err
	if w.disowned {
		delete(r.jobs, w.Key)
	}
	r.lanes[w.Lane].running--
	r.next(w.Lane)
	r.mu.Unlock()
	if r.ctx.Err() == nil {
		w.Ended()
	}
}

// State says where the work of the key stands; false if there is none.
func (r *Runner[P, R]) State(key string) (State[P, R], bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.jobs[key]; w != nil && !w.disowned {
		return w.state, true
	}
	return State[P, R]{}, false
}

// Acknowledge forgets a result: what it said is durable now.
func (r *Runner[P, R]) Acknowledge(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.jobs[key]; w != nil && w.state.Ended() {
		delete(r.jobs, key)
	}
}

// Cancel ends the work of the key and forgets its result. It reports whether
// nothing of it runs any more; else Ended tells when that is so.
func (r *Runner[P, R]) Cancel(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.jobs[key]
	if w == nil {
		return true
	}
	w.cancel()
	if w.state.Running {
		w.disowned = true
		return false
	}
	delete(r.jobs, key)
	if w.state.Waiting {
		r.withdraw(w)
	}
	return true
}

// withdraw takes a job out of its lane. It is called with the lock.
func (r *Runner[P, R]) withdraw(w *job[P, R]) {
	l := r.lanes[w.Lane]
	for i := range l.waiting {
		if l.waiting[i] == w {
			l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
			break
		}
	}
	r.next(w.Lane)
}

// Wait returns when ctx of New has ended, and with it every job.
func (r *Runner[P, R]) Wait() {
	<-r.ctx.Done()
	// Nothing begins once ctx has ended; whoever looked before that has begun when the lock is free.
	r.mu.Lock()
	r.mu.Unlock() //nolint:staticcheck // it is waited for, not held
	r.group.Wait()
}
