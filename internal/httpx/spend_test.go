package httpx

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A protocol that is not HTTP spends the same budget, and its silence opens the same breaker.
func TestSpend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{Total: Rate{PerSecond: 1}}, nil, nil)
		down, refused := errors.New("connection refused"), errors.New("no such entry")
		silent := func(err error) bool { return errors.Is(err, down) }
		spend := func(err error) error {
			return b.Spend(t.Context(), "search", func(ctx context.Context) error {
				if OperationFrom(ctx) != "search" {
					t.Error("the operation is not said")
				}
				return err
			}, silent)
		}
		began := time.Now()
		for range 4 {
			if err := spend(refused); !errors.Is(err, refused) {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("4 calls at one a second took %s", took)
		}
		for range tolerance {
			if err := spend(down); !errors.Is(err, down) {
				t.Fatal(err)
			}
		}
		called := false
		err := b.Spend(t.Context(), "search", func(context.Context) error { called = true; return nil }, silent)
		if !errors.Is(err, ErrUnavailable) || Sent(err) || called {
			t.Errorf("with an open breaker: %v, called %t", err, called)
		}
		<-time.After(firstProbe)
		if err := spend(nil); err != nil {
			t.Errorf("the probe: %v", err)
		}
		if err := spend(nil); err != nil {
			t.Errorf("after the probe: %v", err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Spend(ended, "search", func(context.Context) error { t.Error("called"); return nil }, silent); err == nil {
			t.Error("an ended call was made")
		}
	})
}
