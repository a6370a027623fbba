package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"rollcall.dev/rollcall/internal/jobs"
)

// yard is a runner with a diary of what began and what ended.
type yard struct {
	*testing.T
	*jobs.Runner[int, string]
	stop func() // ends the runner and waits for it

	mu    sync.Mutex
	began []string
	ended []string
	gates map[string]chan error
	tell  map[string]func(int)
}

func inYard(t *testing.T, limit int, f func(*yard)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		y := &yard{T: t, Runner: jobs.New[int, string](ctx, limit), gates: map[string]chan error{}, tell: map[string]func(int){}}
		y.stop = sync.OnceFunc(func() { cancel(); y.Wait() })
		defer y.stop()
		f(y)
	})
}

// start starts work that goes on until it is released or cancelled.
func (y *yard) start(lane, key string) bool {
	started := y.Start(jobs.Job[int, string]{
		Key: key, Lane: lane,
		Run: func(ctx context.Context, tell func(int)) (string, error) {
			gate := make(chan error)
			y.mu.Lock()
			y.began, y.tell[key], y.gates[key] = append(y.began, key), tell, gate
			y.mu.Unlock()
			select {
			case err := <-gate:
				return "done " + key, err
			case <-ctx.Done():
				return "", ctx.Err()
			}
		},
		Ended: func() {
			y.mu.Lock()
			defer y.mu.Unlock()
			y.ended = append(y.ended, key)
		},
	})
	synctest.Wait()
	return started
}

func (y *yard) release(key string, err error) {
	y.gates[key] <- err
	synctest.Wait()
}

// wants compares what began and what ended since the last time.
func (y *yard) wants(began, ended []string) {
	y.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	if !slices.Equal(y.began, began) || !slices.Equal(y.ended, ended) {
		y.Errorf("began %v, ended %v; want %v and %v", y.began, y.ended, began, ended)
	}
	y.began, y.ended = nil, nil
}

func TestAResultIsKeptUntilItIsAcknowledged(t *testing.T) {
	inYard(t, 1, func(y *yard) {
		if _, ok := y.State("a"); ok {
			y.Error("there is a state before there is work")
		}
		y.start("acme", "a")
		if s, ok := y.State("a"); !ok || !s.Running || s.Ended() || s.Progress != 0 {
			y.Errorf("state %+v, %t", s, ok)
		}
		y.tell["a"](7)
		if s, _ := y.State("a"); s.Progress != 7 {
			y.Errorf("state %+v", s)
		}
		if y.start("acme", "a") {
			y.Error("a key that runs was started again")
		}
		y.Acknowledge("a") // there is no result yet
		failed := errors.New("full")
		y.release("a", failed)
		y.wants([]string{"a"}, []string{"a"})
		for range 2 {
			if s, ok := y.State("a"); !ok || !s.Ended() || s.Result != "done a" || !errors.Is(s.Err, failed) {
				y.Errorf("state %+v, %t", s, ok)
			}
			if y.start("acme", "a") {
				y.Error("started again before anybody took the result")
			}
		}
		y.Acknowledge("a")
		if _, ok := y.State("a"); ok || !y.start("acme", "a") {
			y.Error("an acknowledged result stands in the way")
		}
	})
}

func TestP11OneLaneDoesNotHoldUpAnother(t *testing.T) {
	inYard(t, 2, func(y *yard) {
		for _, key := range []string{"a", "b", "c", "d"} {
			y.start("sick", key)
		}
		y.wants([]string{"a", "b"}, nil)
		if s, ok := y.State("c"); !ok || !s.Waiting || s.Running || s.Ended() {
			y.Errorf("state %+v", s)
		}
		y.start("well", "e")
		y.wants([]string{"e"}, nil)
		y.release("b", nil)
		y.wants([]string{"c"}, []string{"b"})
		y.release("a", errors.New("down"))
		y.wants([]string{"d"}, []string{"a"})
	})
}

func TestCancelled(t *testing.T) {
	inYard(t, 1, func(y *yard) {
		y.start("acme", "running")
		y.start("acme", "waiting")
		y.start("acme", "last")
		if !y.Cancel("nobody") {
			y.Error("nothing runs for who was never started")
		}
		if !y.Cancel("waiting") {
			y.Error("nothing of it ever ran")
		}
		if y.Cancel("running") {
			y.Error("it cannot have ended yet")
		}
		if _, ok := y.State("running"); ok {
			y.Error("what was cancelled has no result for anybody")
		}
		synctest.Wait()
		y.wants([]string{"running", "last"}, []string{"running"})
		if !y.Cancel("running") {
			y.Error("it has ended")
		}
		y.release("last", nil)
		if !y.Cancel("last") {
			y.Error("it has ended")
		}
		if _, ok := y.State("last"); ok {
			y.Error("the result was forgotten")
		}
	})
}

func TestEndsWithTheManager(t *testing.T) {
	inYard(t, 1, func(y *yard) {
		y.start("acme", "a")
		y.start("acme", "b")
		y.stop()
		y.wants([]string{"a"}, nil)
		if y.start("acme", "c") {
			y.Error("started after the end")
		}
	})
}

// Many keys at once: each runs once, none is lost.
func TestCrowd(t *testing.T) {
	inYard(t, 3, func(y *yard) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		ran := map[string]int{}
		for i := range 200 {
			wg.Go(func() {
				key := fmt.Sprint(i % 50)
				y.Start(jobs.Job[int, string]{
					Key: key, Lane: fmt.Sprint(i % 7),
					Run: func(_ context.Context, tell func(int)) (string, error) {
						tell(i)
						mu.Lock()
						defer mu.Unlock()
						ran[key]++
						return "", nil
					},
					Ended: func() {},
				})
			})
		}
		wg.Wait()
		synctest.Wait()
		for i := range 50 {
			if n := ran[fmt.Sprint(i)]; n != 1 {
				y.Errorf("%d ran %d times", i, n)
			}
		}
	})
}
