package execute_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
)

// lab is a lane in a bubble of fake time, with a diary of what ran and ended.
type lab struct {
	*testing.T
	*execute.Lane
	stop func() // ends the lane and waits for it

	// keeps: outcomes wait to be acknowledged. Else they are at once.
	keeps atomic.Bool

	mu    sync.Mutex
	ran   []string
	ended []string
}

func inLane(t *testing.T, workers int, f func(*lab)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lab{T: t}
		ctx, cancel := context.WithCancel(t.Context())
		l.Lane = execute.NewLane("test", time.Now, func(key string) {
			l.write(&l.ended, key)
			if l.keeps.Load() {
				return
			}
			if o, ok := l.Outcome(key); ok {
				l.Acknowledge(key, o)
			}
		})
		var wg sync.WaitGroup
		wg.Go(func() { l.Lane.Run(ctx, workers) })
		l.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
		defer l.stop()
		f(l)
	})
}

func (l *lab) write(diary *[]string, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*diary = append(*diary, line)
}

// wants waits until nothing moves, and compares what ran since the last time.
func (l *lab) wants(lines ...string) {
	l.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.ran, lines) {
		l.Errorf("ran %v, want %v", l.ran, lines)
	}
	l.ran = nil
}

// pass lets time go by.
func (l *lab) pass(d time.Duration) { <-time.After(d) }

// task writes its digest into the diary and ends with err.
func (l *lab) task(digest string, err error) execute.Task {
	return execute.Task{Digest: digest, Run: func(context.Context) execute.Outcome {
		l.write(&l.ran, digest)
		return execute.Outcome{Err: err, Version: digest}
	}}
}

// hold offers a task that runs until it is released, or cancelled.
func (l *lab) hold(key string) (release func()) {
	gate := make(chan struct{})
	l.Offer(key, execute.Task{Digest: "held", Run: func(ctx context.Context) execute.Outcome {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return execute.Outcome{Created: true, Err: ctx.Err()}
	}})
	synctest.Wait()
	return sync.OnceFunc(func() { close(gate) })
}

func at(priority int, t execute.Task) execute.Task {
	t.Priority = priority
	return t
}

func TestP2FreezeOvertakes(t *testing.T) {
	inLane(t, 1, func(l *lab) {
		release := l.hold("busy")
		l.Offer("ann", l.task("edit ann", nil))
		l.Offer("bob", l.task("edit bob", nil))
		l.Offer("boss", at(10, l.task("edit boss", nil)))
		l.Offer("unit", at(50, l.task("edit unit", nil)))
		l.Offer("eve", at(100, l.task("freeze eve", nil)))
		// Somebody who waits already overtakes when their freeze is declared.
		l.Offer("bob", at(100, l.task("freeze bob", nil)))
		release()
		l.wants("freeze eve", "freeze bob", "edit unit", "edit boss", "edit ann")
	})
}

func TestTheLatestTaskReplacesTheOneThatWaits(t *testing.T) {
	inLane(t, 1, func(l *lab) {
		release := l.hold("busy")
		for _, digest := range []string{"one", "two", "three"} {
			if s := l.Offer("ann", l.task(digest, nil)); !s.Underway {
				l.Errorf("%s does not wait: %+v", digest, s)
			}
		}
		release()
		l.wants("three")
	})
}

// What just ran is not repeated at once; but what waits in its place was planned
// from what no longer holds, and must not run either.
func TestP2ARetractedTaskDoesNotRun(t *testing.T) {
	inLane(t, 1, func(l *lab) {
		l.Offer("ann", l.task("edit", nil))
		l.wants("edit")
		release := l.hold("busy")
		l.Offer("ann", l.task("freeze", nil))
		if s := l.Offer("ann", l.task("edit", nil)); s.Underway || s.RetryIn != time.Second {
			l.Errorf("the edit again: %+v", s)
		}
		release()
		l.wants()
	})
}

func TestOneKeyRunsOnceAtATime(t *testing.T) {
	inLane(t, 4, func(l *lab) {
		release := l.hold("ann")
		s := l.Offer("ann", l.task("next", nil))
		if !s.Underway {
			l.Errorf("while it runs: %+v", s)
		}
		l.wants()
		release()
		l.wants() // the end brings the caller back, who plans anew
		if !slices.Equal(l.ended, []string{"ann"}) {
			l.Errorf("ended %v", l.ended)
		}
		l.Offer("ann", l.task("next", nil))
		l.wants("next")
	})
}

func TestBackoff(t *testing.T) {
	trouble := errors.New("trouble")
	inLane(t, 1, func(l *lab) {
		for _, wait := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600} {
			want := time.Duration(wait) * time.Second
			if s := l.Offer("ann", l.task("edit", trouble)); !s.Underway {
				l.Fatalf("does not run: %+v", s)
			}
			l.wants("edit")
			l.pass(want - time.Millisecond)
			if s := l.Offer("ann", l.task("edit", trouble)); s.Underway || s.RetryIn != time.Millisecond || !errors.Is(s.Err, trouble) {
				l.Fatalf("just before %s: %+v", want, s)
			}
			l.wants()
			l.pass(time.Millisecond)
		}
		if s := l.Offer("ann", l.task("edit", nil)); !s.Underway || !errors.Is(s.Err, trouble) {
			l.Errorf("the last error is not told while it is tried again: %+v", s)
		}
		l.wants("edit")
		if err := l.Last("ann", "edit"); err != nil {
			l.Errorf("after success: %v", err)
		}
	})
}

func TestBackoffBelongsToTheTask(t *testing.T) {
	trouble := errors.New("trouble")
	inLane(t, 1, func(l *lab) {
		l.Offer("ann", l.task("edit", trouble))
		l.wants("edit")
		if err := l.Last("ann", "edit"); !errors.Is(err, trouble) {
			l.Errorf("last: %v", err)
		}
		if l.Last("ann", "other") != nil || l.Last("bob", "edit") != nil {
			l.Error("an error is told of what did not fail")
		}
		if s := l.Offer("ann", l.task("corrected", nil)); !s.Underway || s.Err != nil {
			l.Errorf("a corrected declaration waits: %+v", s)
		}
		l.wants("corrected")
		// An error long ago is no reason to be slow.
		for range 5 {
			l.pass(10 * time.Minute)
			l.Offer("ann", l.task("edit", trouble))
			l.wants("edit")
		}
		l.pass(21 * time.Minute)
		l.Offer("ann", l.task("edit", trouble))
		l.wants("edit")
		if s := l.Offer("ann", l.task("edit", trouble)); s.RetryIn != time.Second {
			l.Errorf("long after: %+v", s)
		}
	})
}

func TestThePlatformsOwnPauseIsKept(t *testing.T) {
	limited := fmt.Errorf("editing: %w", &directory.Error{Class: directory.RateLimited, RetryAfter: 3 * time.Minute})
	inLane(t, 1, func(l *lab) {
		l.Offer("ann", l.task("edit", limited))
		l.wants("edit")
		if s := l.Offer("ann", l.task("edit", nil)); s.RetryIn != 3*time.Minute {
			l.Errorf("retry %+v", s)
		}
	})
}

// A success that has to be repeated at once did not help: it is spaced out too.
func TestP13RepeatedSuccessIsSpacedOut(t *testing.T) {
	inLane(t, 1, func(l *lab) {
		for _, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
			l.Offer("ann", l.task("edit", nil))
			l.wants("edit")
			if s := l.Offer("ann", l.task("edit", nil)); s.Underway || s.RetryIn != wait || s.Err != nil {
				l.Errorf("repeated at once: %+v, want %s", s, wait)
			}
			l.wants()
			l.pass(wait)
		}
	})
}

func TestP3OutcomesAreAcknowledgedOnce(t *testing.T) {
	inLane(t, 1, func(l *lab) {
		l.keeps.Store(true)
		if _, ok := l.Outcome("ann"); ok {
			l.Error("an outcome of nothing")
		}
		l.Offer("ann", l.task("one", nil))
		l.wants("one")
		first, ok := l.Outcome("ann")
		if !ok || first.Version != "one" {
			l.Fatalf("outcome %+v, %t", first, ok)
		}
		if again, ok := l.Outcome("ann"); !ok || again != first {
			l.Error("an outcome is lost before it is durable")
		}
		if s := l.Offer("ann", l.task("two", nil)); !s.Underway {
			l.Errorf("planned without the outcome: %+v", s)
		}
		l.wants()
		l.Acknowledge("ann", first)
		if _, ok := l.Outcome("ann"); ok {
			l.Error("an outcome is told twice")
		}
		l.Offer("ann", l.task("two", nil))
		l.wants("two")
		l.Acknowledge("ann", first)
		if second, ok := l.Outcome("ann"); !ok || second.Version != "two" {
			l.Fatal("acknowledging one outcome forgot the next")
		}
		l.Acknowledge("bob", first) // nobody
	})
}

// A creation that may have taken effect is remembered until its account is settled: the next may find it there.
func TestP3WhatMayHaveBeenCreatedIsRemembered(t *testing.T) {
	inLane(t, 1, func(l *lab) {
		l.keeps.Store(true)
		run := func(digest string, o execute.Outcome) execute.Outcome {
			l.Offer("ann", execute.Task{Digest: digest, Run: func(context.Context) execute.Outcome { return o }})
			synctest.Wait()
			got, ok := l.Outcome("ann")
			if !ok {
				t.Fatalf("%s: no outcome", digest)
			}
			l.Acknowledge("ann", got)
			return *got
		}
		if o := run("first", execute.Outcome{Existed: true}); o.Asked {
			t.Error("nothing was asked for, and it is said to have been")
		}
		run("lost", execute.Outcome{Asked: true})
		if o := run("again", execute.Outcome{Existed: true}); !o.Asked {
			t.Error("what may have been created is forgotten")
		}
		l.Withdraw("ann")
		if o := run("later", execute.Outcome{Existed: true}); o.Asked {
			t.Error("what was settled is remembered")
		}
	})
}

func TestP3OnlyARefusalInWordsLeavesNothingBehind(t *testing.T) {
	for class, refused := range map[directory.Class]bool{
		directory.Invalid: true, directory.NotFound: true, directory.Conflict: true, directory.PermissionDenied: true,
		directory.QuotaExceeded: true, directory.NotSupported: true,
		"": false, directory.OutcomeUnknown: false, directory.Unavailable: false, directory.RateLimited: false,
		directory.Unauthenticated: false, directory.AlreadyExists: false,
	} {
		inLane(t, 1, func(l *lab) {
			var err error
			if class != "" {
				err = &directory.Error{Class: class}
			}
			l.Offer("unit", l.task("create", err))
			l.wants("create")
			if got := l.Refused("unit", "create"); got != refused {
				t.Errorf("after %q, refused is %t", class, got)
			}
			if l.Refused("unit", "another") || l.Refused("other", "create") {
				t.Error("what did not run was refused")
			}
		})
	}
	inLane(t, 1, func(l *lab) {
		l.Offer("unit", execute.Task{Digest: "create", Run: func(context.Context) execute.Outcome { return execute.Outcome{Asked: true} }})
		synctest.Wait()
		l.pass(time.Second)
		l.Offer("unit", l.task("create", &directory.Error{Class: directory.Invalid}))
		l.wants("create")
		if l.Refused("unit", "create") {
			t.Error("an earlier run may have taken effect")
		}
	})
}

func TestWithdraw(t *testing.T) {
	inLane(t, 1, func(l *lab) {
		release := l.hold("busy")
		l.Offer("ann", l.task("edit", nil))
		l.Withdraw("ann")
		l.Withdraw("nobody")
		release()
		l.wants()
		if slices.Contains(l.ended, "ann") {
			l.Error("what was withdrawn has ended")
		}
		l.Offer("ann", l.task("edit", nil))
		l.wants("edit")
	})
}

func TestSettle(t *testing.T) {
	inLane(t, 1, func(l *lab) {
		if !l.Settle("ann") {
			l.Error("something runs of what was never offered")
		}
		release := l.hold("busy")
		l.Offer("ann", l.task("edit", nil))
		if l.Settle("busy") || !l.Settle("ann") {
			l.Error("one runs, the other waits no longer")
		}
		release()
		l.wants()
		if !l.Settle("busy") {
			l.Error("it still runs")
		}
	})
}

// What a task did is told although nothing more is wanted meanwhile: an
// invitation that is forgotten would be sent again.
func TestP3WithdrawingKeepsUnreadOutcomes(t *testing.T) {
	inLane(t, 1, func(l *lab) {
		l.keeps.Store(true)
		release := l.hold("ann")
		l.Withdraw("ann")
		release()
		synctest.Wait()
		l.Withdraw("ann")
		if o, ok := l.Outcome("ann"); !ok || !o.Created {
			l.Fatal("the outcome that nobody has read yet is lost")
		}
		l.Withdraw("ann")
		if _, ok := l.Outcome("ann"); ok {
			l.Error("an outcome that was read outlives its withdrawal")
		}
		l.Offer("ann", l.task("one", nil))
		l.wants("one")
		if o, ok := l.Outcome("ann"); ok {
			l.Acknowledge("ann", o)
		}
		l.Offer("ann", l.task("two", nil))
		l.wants("two")
		l.Withdraw("ann")
		if _, ok := l.Outcome("ann"); !ok {
			l.Error("having read one outcome counts for the next")
		}
	})
}

// Whoever is declared under the name of somebody deleted has nothing to do with
// what was done for them.
func TestP4ForgettingDropsOutcomes(t *testing.T) {
	inLane(t, 2, func(l *lab) {
		l.keeps.Store(true)
		l.Offer("ann", l.task("edit", nil))
		l.wants("edit")
		l.Forget("ann")
		release := l.hold("ann")
		l.Forget("ann")
		if s := l.Offer("ann", l.task("new", nil)); !s.Underway {
			l.Errorf("the new one: %+v", s)
		}
		l.wants() // not beside the old one
		release()
		l.wants("new")
		o, ok := l.Outcome("ann")
		if !ok || o.Created || o.Version != "new" {
			l.Errorf("the new one inherits %+v", o)
		}
		l.Forget("nobody")
	})
}

func TestCancellationLeavesNoOutcome(t *testing.T) {
	inLane(t, 2, func(l *lab) {
		l.keeps.Store(true)
		over := false
		l.Offer("ann", execute.Task{Digest: "slow", Run: func(ctx context.Context) execute.Outcome {
			<-ctx.Done()
			<-time.After(time.Minute)
			over = true
			return execute.Outcome{Created: true}
		}})
		l.Offer("done", l.task("edit", nil))
		l.wants("edit")
		l.stop()
		if !over {
			l.Error("the lane ended before its tasks")
		}
		if o, ok := l.Outcome("ann"); ok {
			l.Errorf("cancelled, and the outcome is %+v", o)
		}
		if _, ok := l.Outcome("done"); !ok {
			l.Error("what ended before is lost")
		}
		if !slices.Equal(l.ended, []string{"done"}) {
			l.Errorf("ended %v", l.ended)
		}
		l.Offer("late", l.task("late", nil))
		l.wants()
	})
}

// Hundreds of keys, offered again and again from several sides: each runs, never
// beside itself, and its last task has the last word.
func TestP11ManyKeys(t *testing.T) {
	const keys, workers, rounds = 300, 8, 3
	var running [keys]atomic.Int32
	var under, most atomic.Int32
	var last [keys]atomic.Int64
	inLane(t, workers, func(l *lab) {
		offer := func(key, round int) {
			l.Offer(fmt.Sprint(key), execute.Task{Digest: fmt.Sprint(round), Priority: key % 3, Run: func(context.Context) execute.Outcome {
				if running[key].Add(1) != 1 {
					l.Errorf("key %d runs beside itself", key)
				}
				most.Store(max(most.Load(), under.Add(1)))
				<-time.After(time.Millisecond)
				last[key].Store(int64(round))
				under.Add(-1)
				running[key].Add(-1)
				return execute.Outcome{Done: []plan.Kind{plan.Update}}
			}})
		}
		for round := 1; round <= rounds; round++ {
			var sides sync.WaitGroup
			for side := range 4 {
				sides.Go(func() {
					for key := range keys {
						if key%4 == side || round%2 == 0 {
							offer(key, round)
						}
					}
				})
			}
			sides.Wait()
			l.pass(time.Minute)
		}
		for key := range keys {
			if got := last[key].Load(); got != rounds {
				l.Errorf("key %d ended with round %d", key, got)
			}
		}
		if n := most.Load(); n > workers {
			l.Errorf("%d ran at once, there are %d workers", n, workers)
		}
	})
}

// A lane whose workers are all stuck holds up only itself.
func TestP11AStuckLaneHarmsNobodyElse(t *testing.T) {
	inLane(t, 1, func(sick *lab) {
		sick.hold("stuck")
		sick.Offer("ann", sick.task("never", nil))
		ctx, cancel := context.WithCancel(sick.Context())
		healthy := execute.NewLane("healthy", time.Now, func(string) {})
		var wg sync.WaitGroup
		wg.Go(func() { healthy.Run(ctx, 1) })
		healthy.Offer("ann", sick.task("healthy", nil))
		sick.wants("healthy")
		cancel()
		wg.Wait()
	})
}
