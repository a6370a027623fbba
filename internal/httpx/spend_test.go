package httpx

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// seen keeps what a budget tells.
type seen struct {
	noObserver
	mu     sync.Mutex
	calls  []Call
	opened []bool
}

func (s *seen) Called(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
}

func (s *seen) Opened(open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, open)
}

func answers(context.Context) error { return nil }

func TestSpendTakesTurnsAsHTTPCallsDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		obs := &seen{}
		b := NewBudget(Limits{Concurrency: 1, Total: Rate{PerSecond: 1}}, nil, obs)
		http := b.Transport(&platform{})
		began := time.Now()
		var order []string
		var wg sync.WaitGroup
		spend := func(operation string, p Priority) {
			wg.Go(func() {
				err := b.Spend(named(t.Context(), operation, p), func(context.Context) error {
					order = append(order, operation)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		if err := call(named(t.Context(), "http", Edit), http); err != nil {
			t.Fatal(err)
		}
		spend("sweep", Sweep)
		spend("edit", Edit)
		spend("freeze", Freeze)
		wg.Wait()
		if want := []string{"freeze", "edit", "sweep"}; !slices.Equal(order, want) {
			t.Errorf("went in order %v, want %v", order, want)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("three more calls at one a second took %s", took)
		}
		want := Call{Operation: "sweep", Priority: Sweep, Outcome: OutcomeAnswered, Wait: 3 * time.Second}
		if got := obs.calls[3]; got != want {
			t.Errorf("told of %+v, want %+v", got, want)
		}
	})
}

func TestSpendTellsAnswersFromFailures(t *testing.T) {
	refused := errors.New("refused by the tenant")
	for name, c := range map[string]struct {
		err     error
		outcome string
		opens   bool
	}{
		"success":       {nil, OutcomeAnswered, false},
		"refusal":       {refused, OutcomeAnswered, false},
		"unwell":        {errors.Join(refused, ErrUnwell), OutcomeAnswered, true},
		"not sent":      {&Error{Err: refused}, OutcomeNotSent, true},
		"lost":          {&Error{Sent: true, Err: refused}, OutcomeUnknown, true},
		"lost, wrapped": {errors.Join(&Error{Sent: true, Err: refused}), OutcomeUnknown, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			obs := &seen{}
			b := NewBudget(Limits{}, nil, obs)
			for range tolerance {
				if err := b.Spend(t.Context(), func(context.Context) error { return c.err }); !errors.Is(err, c.err) {
					t.Errorf("%s: returned %v", name, err)
				}
			}
			if got := obs.calls[0].Outcome; got != c.outcome {
				t.Errorf("%s: told of %q, want %q", name, got, c.outcome)
			}
			if opened := len(obs.opened) > 0; opened != c.opens {
				t.Errorf("%s: the breaker opened: %t", name, opened)
			}
			called := false
			err := b.Spend(t.Context(), func(context.Context) error { called = true; return nil })
			if called == c.opens || errors.Is(err, ErrUnavailable) != c.opens {
				t.Errorf("%s: the next call was made: %t, and ended with %v", name, called, err)
			}
		})
	}
}

func TestSpendWaitsOutThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{}, nil, nil)
		ctx := WithOperation(t.Context(), "modify")
		b.Throttled("modify", time.Minute)
		err := b.Spend(ctx, func(context.Context) error {
			t.Error("called in a pause that is longer than a call may wait")
			return nil
		})
		if !errors.Is(err, ErrThrottled) || Sent(err) || RetryAfter(err) != time.Minute {
			t.Errorf("refused with %v", err)
		}
		if err := b.Spend(WithOperation(t.Context(), "search"), answers); err != nil {
			t.Errorf("another operation: %v", err)
		}
	})
}

func TestSpendGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{Concurrency: 1}, nil, nil)
		func() {
			defer func() { _ = recover() }()
			_ = b.Spend(t.Context(), func(context.Context) error { panic("a defect") })
		}()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Spend(ctx, answers); !errors.Is(err, context.Canceled) {
			t.Errorf("for a caller that is gone: %v", err)
		}
		if err := b.Spend(t.Context(), answers); err != nil {
			t.Errorf("after a panic: %v", err)
		}
	})
}
