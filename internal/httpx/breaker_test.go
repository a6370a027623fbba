package httpx

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// patient is a platform that a test makes sick and healthy.
type patient struct {
	platform
	sick atomic.Bool
}

func newPatient() *patient {
	p := &patient{}
	p.answer = func(*http.Request) (*http.Response, error) {
		if p.sick.Load() {
			return status(http.StatusBadGateway), nil
		}
		return status(http.StatusOK), nil
	}
	p.sick.Store(true)
	return p
}

func (p *patient) count() int { return len(p.seen()) }

func failTimes(t *testing.T, rt http.RoundTripper, n int) {
	t.Helper()
	for range n {
		if err := call(t.Context(), rt); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASickTenantIsLeftAloneAndProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, obs := newPatient(), &recorder{}
		b := NewBudget(Limits{}, nil, obs)
		rt := b.Transport(p)
		failTimes(t, rt, tolerance)

		err := call(t.Context(), rt)
		if !errors.Is(err, ErrUnavailable) || Sent(err) || RetryAfter(err) != firstProbe {
			t.Fatalf("got %v, want ErrUnavailable, not sent, in %s", err, firstProbe)
		}
		if s := b.Stats(); !s.Open || s.ProbeIn != firstProbe || s.LastFailure != "HTTP 502" {
			t.Errorf("stats %+v, want open for %s after HTTP 502", s, firstProbe)
		}

		for _, interval := range []time.Duration{firstProbe, 10 * time.Second, 20 * time.Second, 40 * time.Second, lastProbe, lastProbe} {
			before := p.count()
			time.Sleep(interval - 1)
			if err := call(t.Context(), rt); !errors.Is(err, ErrUnavailable) {
				t.Errorf("just before %s: %v, want ErrUnavailable", interval, err)
			}
			time.Sleep(1)
			if err := call(t.Context(), rt); err != nil {
				t.Errorf("after %s: %v, want a probe", interval, err)
			}
			if got := p.count() - before; got != 1 {
				t.Errorf("%d calls reached the platform within %s, want 1", got, interval)
			}
		}

		p.sick.Store(false)
		time.Sleep(lastProbe)
		failTimes(t, rt, 3)
		if s := b.Stats(); s.Open || s.LastFailure != "" {
			t.Errorf("after a success: %+v, want closed", s)
		}
		if want := []string{"open true", "open false"}; !slices.Equal(obs.events, want) {
			t.Errorf("observed %q, want %q", obs.events, want)
		}
	})
}

func TestOneProbeAtATimeAndAnAbandonedOneCountsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient()
		b := NewBudget(Limits{}, nil, nil)
		rt := b.Transport(p)
		failTimes(t, rt, tolerance)
		time.Sleep(firstProbe)
		p.takes = time.Hour

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- call(ctx, rt) }()
		synctest.Wait()
		if err := call(t.Context(), rt); !errors.Is(err, ErrUnavailable) || RetryAfter(err) <= 0 {
			t.Errorf("beside a probe: %v, want ErrUnavailable with a time", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the probe ended with %v", err)
		}
		p.takes = 0
		p.sick.Store(false)
		failTimes(t, rt, 1)
		if b.Stats().Open {
			t.Error("still open after a success")
		}
	})
}

func TestAProbeThatGivesUpWaitingMakesRoomForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient()
		b := NewBudget(Limits{PerOperation: Rate{PerSecond: 0.001, Burst: tolerance}}, nil, nil)
		rt := b.Transport(p)
		failTimes(t, rt, tolerance) // and the operation's turns are used up
		time.Sleep(firstProbe)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := call(ctx, rt); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the waiting probe ended with %v", err)
		}
		if err := call(WithOperation(t.Context(), "another"), rt); err != nil {
			t.Errorf("the next call: %v, want it to be the probe", err)
		}
	})
}

func TestLateFailuresDoNotPostponeTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient()
		p.takes = time.Second
		b := NewBudget(Limits{}, nil, nil)
		rt := b.Transport(p)
		ctxs := slices.Repeat([]context.Context{t.Context()}, 3*tolerance)
		line(t, rt, ctxs...)()
		if s := b.Stats(); !s.Open || s.ProbeIn != firstProbe {
			t.Errorf("%+v, want a probe in %s", s, firstProbe)
		}
	})
}

func TestOpeningSendsAwayThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient()
		p.takes = time.Second
		b := NewBudget(Limits{Concurrency: 1}, nil, nil)
		rt := b.Transport(p)
		errs := make(chan error, 20)
		for range cap(errs) {
			go func() { errs <- call(t.Context(), rt) }()
		}
		refused := 0
		for range cap(errs) {
			if err := <-errs; errors.Is(err, ErrUnavailable) {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if p.count() != tolerance || refused != cap(errs)-tolerance {
			t.Errorf("%d reached the platform, %d refused, want %d and %d", p.count(), refused, tolerance, cap(errs)-tolerance)
		}
	})
}

func TestWhatDoesNotOpenTheBreaker(t *testing.T) {
	reset := func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset") }
	cases := map[string]func(t *testing.T, p *platform, rt http.RoundTripper){
		"refusals below 500": func(t *testing.T, p *platform, rt http.RoundTripper) {
			p.answer = func(*http.Request) (*http.Response, error) { return status(http.StatusTooManyRequests), nil }
			failTimes(t, rt, 3*tolerance)
		},
		"failures with a success between": func(t *testing.T, p *platform, rt http.RoundTripper) {
			for range 3 {
				p.answer = reset
				for range tolerance - 1 {
					_ = call(t.Context(), rt)
				}
				p.answer = nil
				failTimes(t, rt, 1)
			}
		},
		"one request retried ever more slowly": func(t *testing.T, p *platform, rt http.RoundTripper) {
			p.answer = reset
			for range 3 * tolerance {
				_ = call(t.Context(), rt)
				time.Sleep(streakGap + 1)
			}
		},
		"callers who give up": func(t *testing.T, p *platform, rt http.RoundTripper) {
			p.takes = time.Hour
			for range 3 * tolerance {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Minute/2, cancel)
				_ = call(ctx, rt)
			}
		},
		"callers who came with too little time": func(t *testing.T, p *platform, rt http.RoundTripper) {
			p.takes = time.Hour
			for range 3 * tolerance {
				ctx, cancel := context.WithTimeout(t.Context(), slow-1)
				_ = call(ctx, rt)
				cancel()
			}
		},
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &platform{}
				b := NewBudget(Limits{}, nil, nil)
				run(t, p, b.Transport(p))
				if b.Stats().Open {
					t.Error("the breaker is open")
				}
			})
		})
	}
}

func TestAHangingTenantOpensTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{}, nil, nil)
		rt := b.Transport(&platform{takes: time.Hour})
		for range tolerance {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if err := call(ctx, rt); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the deadline", err)
			}
			cancel()
		}
		if err := call(t.Context(), rt); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	})
}

// P11: one sick tenant harms only itself.
func TestP11ASickTenantHarmsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ill, well := newPatient(), newPatient()
		well.sick.Store(false)
		limits := Limits{PerOperation: Rate{20, 20}}
		illBudget, wellBudget := NewBudget(limits, nil, nil), NewBudget(limits, nil, nil)
		failTimes(t, illBudget.Transport(ill), tolerance)
		illBudget.Throttled("", time.Hour)
		start := time.Now()
		failTimes(t, wellBudget.Transport(well), 20)
		if s := wellBudget.Stats(); s.Open || s.Pause != 0 || time.Since(start) != 0 {
			t.Errorf("the healthy tenant was slowed: %+v after %s", s, time.Since(start))
		}
	})
}
