package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// platform is a RoundTripper that answers after a while and remembers when it was called.
type platform struct {
	answer func(*http.Request) (*http.Response, error)
	takes  time.Duration

	mu    sync.Mutex
	calls []arrival
}

type arrival struct {
	operation string
	priority  Priority
	at        time.Time
}

func (p *platform) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	p.mu.Lock()
	p.calls = append(p.calls, arrival{OperationFrom(ctx), PriorityFrom(ctx), time.Now()})
	p.mu.Unlock()
	if p.takes > 0 {
		timer := time.NewTimer(p.takes)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if p.answer != nil {
		return p.answer(req)
	}
	return status(http.StatusOK), nil
}

func (p *platform) seen() []arrival {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

func status(code int) *http.Response {
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader("{}"))}
}

// call makes one call and reads its answer.
func call(ctx context.Context, rt http.RoundTripper) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://platform.example/", nil)
	if err != nil {
		return err
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func named(ctx context.Context, operation string, p Priority) context.Context {
	return WithPriority(WithOperation(ctx, operation), p)
}

// line starts the calls one after the other, so that they queue in this order.
func line(t *testing.T, rt http.RoundTripper, ctxs ...context.Context) (wait func()) {
	var wg sync.WaitGroup
	for _, ctx := range ctxs {
		wg.Go(func() {
			if err := call(ctx, rt); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
	}
	return wg.Wait
}

func TestHigherPriorityGoesFirstAndEqualsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{takes: time.Second}
		rt := NewBudget(Limits{Concurrency: 1}, nil, nil).Transport(p)
		ctx := t.Context()
		line(t, rt,
			named(ctx, "first", Sweep),
			named(ctx, "sweep1", Sweep), named(ctx, "edit1", Edit), named(ctx, "sweep2", Sweep),
			named(ctx, "freeze1", Freeze), named(ctx, "edit2", Edit), named(ctx, "freeze2", Freeze),
			named(ctx, "edit3", Edit), named(ctx, "edit4", Edit), named(ctx, "edit5", Edit), named(ctx, "edit6", Edit),
		)()
		var got []string
		for _, c := range p.seen() {
			got = append(got, c.operation)
		}
		want := []string{"first", "freeze1", "freeze2", "edit1", "edit2", "edit3", "edit4", "edit5", "edit6", "sweep1", "sweep2"}
		if !slices.Equal(got, want) {
			t.Errorf("went in order %v, want %v", got, want)
		}
	})
}

func TestAFloodOfHigherCallsLeavesTheLowerATenth(t *testing.T) {
	for _, limits := range []Limits{
		{Concurrency: 1},
		{Concurrency: 4, Total: Rate{PerSecond: 10}},
		{Concurrency: 4, PerOperation: Rate{PerSecond: 10}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &platform{takes: 100 * time.Millisecond}
			rt := NewBudget(limits, nil, nil).Transport(p)
			ctxs := []context.Context{}
			for _, c := range []struct {
				priority Priority
				n        int
			}{{Sweep, 20}, {Edit, 20}, {Freeze, 200}} {
				for range c.n {
					ctxs = append(ctxs, named(t.Context(), "user/get", c.priority))
				}
			}
			wait := line(t, rt, ctxs...)
			wait()
			count := map[Priority]int{}
			for _, c := range p.seen()[20:120] { // once it has settled
				count[c.priority]++
			}
			if count[Sweep] != 10 || count[Edit] != 10 || count[Freeze] != 80 {
				t.Errorf("%+v: of 100 turns %v, want 10 sweep, 10 edit, 80 freeze", limits, count)
			}
		})
	}
}

func TestABlockedHigherCallDoesNotHoldUpAnotherOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{}
		b := NewBudget(Limits{}, nil, nil)
		b.Throttled("user/delete", 5*time.Second)
		start := time.Now()
		line(t, b.Transport(p), named(t.Context(), "user/delete", Freeze), named(t.Context(), "user/get", Sweep))()
		seen := p.seen()
		if seen[0].operation != "user/get" || seen[0].at != start {
			t.Errorf("first went %+v, want user/get at once", seen[0])
		}
		if got := seen[1].at.Sub(start); got != 5*time.Second {
			t.Errorf("user/delete went after %s, want 5s", got)
		}
	})
}

// A platform that could do twice what it allows must see exactly what it allows.
func TestAFasterPlatformSeesNoMoreThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, burst, seconds = 20, 5, 30
		p := &platform{takes: time.Second / (2 * perSecond)}
		obs := &recorder{}
		rt := NewBudget(Limits{PerOperation: Rate{perSecond, burst}, Concurrency: 1}, nil, obs).Transport(p)
		start := time.Now()
		ctx, cancel := context.WithDeadline(t.Context(), start.Add(seconds*time.Second))
		defer cancel()
		for ctx.Err() == nil {
			_ = call(WithOperation(ctx, "user/get"), rt)
		}
		seen := p.seen()
		if n := len(seen); n < perSecond*seconds || n > perSecond*seconds+burst {
			t.Errorf("%d calls in %d s, want %d and at most a burst of %d", n, seconds, perSecond*seconds, burst)
		}
		for i := range seen { // in every window, not only in the first
			for j := i; j < len(seen); j++ {
				window := seen[j].at.Sub(seen[i].at)
				if most := burst + int(window*perSecond/time.Second); j-i+1 > most {
					t.Fatalf("%d calls within %s, want at most %d", j-i+1, window, most)
				}
			}
		}
		var spent time.Duration
		for _, c := range obs.seen() {
			spent += c.Wait + c.Duration
		}
		if spent != time.Since(start) {
			t.Errorf("waits and durations add up to %s, want %s", spent, time.Since(start))
		}
	})
}

func TestTotalLimitsAllOperationsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{}
		rt := NewBudget(Limits{Total: Rate{PerSecond: 2}, PerOperation: Rate{PerSecond: 100}}, nil, nil).Transport(p)
		start := time.Now()
		ctxs := []context.Context{}
		for i := range 9 {
			ctxs = append(ctxs, named(t.Context(), fmt.Sprintf("operation%d", i), Edit))
		}
		line(t, rt, ctxs...)()
		if got, want := time.Since(start), 4*time.Second; got != want {
			t.Errorf("9 calls took %s, want %s", got, want)
		}
	})
}

func TestAnOperationMayHaveALimitOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := Limits{PerOperation: Rate{PerSecond: 100}, Operations: map[string]Rate{"oa/getapprovalinfo": {PerSecond: 1}}}
		b := NewBudget(limits, nil, nil)
		took := func(operation string) time.Duration {
			start := time.Now()
			ctx := WithOperation(t.Context(), operation)
			line(t, b.Transport(&platform{}), ctx, ctx, ctx)()
			return time.Since(start)
		}
		if got := took("oa/getapprovalinfo"); got != 2*time.Second {
			t.Errorf("3 slow calls took %s, want 2s", got)
		}
		if got := took("user/get"); got != 20*time.Millisecond {
			t.Errorf("3 others took %s, want 20ms", got)
		}
		time.Sleep(time.Second)
		limits.Operations = nil
		b.SetLimits(limits)
		if got := took("oa/getapprovalinfo"); got != 20*time.Millisecond {
			t.Errorf("without its own limit they took %s, want 20ms", got)
		}
	})
}

func TestConcurrencyCountsUntilTheBodyIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{Concurrency: 1}, nil, nil)
		rt := b.Transport(&platform{})
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://platform.example/", nil)
		first, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		wait := line(t, rt, t.Context())
		if s := b.Stats(); s.UnderWay != 1 || s.Waiting[Edit] != 1 {
			t.Errorf("%d under way, %v waiting, want 1 and one edit", s.UnderWay, s.Waiting)
		}
		_ = first.Body.Close()
		_ = first.Body.Close()
		wait()
		if s := b.Stats(); s.UnderWay != 0 {
			t.Errorf("%d under way, want 0", s.UnderWay)
		}
		second, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer second.Body.Close()
		_, _ = io.Copy(io.Discard, second.Body)
		if s := b.Stats(); s.UnderWay != 0 {
			t.Errorf("%d under way after the end of the body, want 0", s.UnderWay)
		}
	})
}

func TestWhoGivesUpWaitingLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{Concurrency: 1}, nil, nil)
		p := &platform{takes: time.Minute}
		rt := b.Transport(p)
		wait := line(t, rt, t.Context())

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := call(ctx, rt)
		if !errors.Is(err, context.DeadlineExceeded) || Sent(err) {
			t.Errorf("waiting ended with %v (sent: %t), want the deadline, not sent", err, Sent(err))
		}
		if s := b.Stats(); s.Waiting != [priorities]int{} {
			t.Errorf("waiting: %v, want nobody", s.Waiting)
		}
		wait()
		if n := len(p.seen()); n != 1 {
			t.Errorf("%d calls arrived, want 1", n)
		}
		cancelled, stop := context.WithCancel(t.Context())
		stop()
		if err := call(cancelled, rt); !errors.Is(err, context.Canceled) || Sent(err) {
			t.Errorf("a cancelled call ended with %v (sent: %t)", err, Sent(err))
		}
	})
}

func TestATurnThatComesWithTheCallersEndIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{Concurrency: 1}, nil, nil)
		rt := b.Transport(&platform{})
		for range 500 {
			holder, err := b.acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _ = call(ctx, rt) })
			synctest.Wait()
			cancel()
			b.release(holder, neutral, "")
			wg.Wait()
			if n := b.Stats().UnderWay; n != 0 {
				t.Fatalf("%d under way, want 0", n)
			}
		}
	})
}

func TestRequestBodyIsClosedWhenTheCallIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{}, nil, nil)
		b.Throttled("user/create", time.Hour)
		body := &closeRecorder{Reader: strings.NewReader("{}")}
		req, _ := http.NewRequestWithContext(WithOperation(t.Context(), "user/create"), http.MethodPost, "http://platform.example/", body)
		if _, err := b.Transport(&platform{}).RoundTrip(req); !errors.Is(err, ErrThrottled) {
			t.Errorf("got %v, want ErrThrottled", err)
		}
		if !body.closed {
			t.Error("the request's body is still open")
		}
	})
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error {
	c.closed = true
	return nil
}

func TestThrottlingHalvesTheRateOnceAndItRecoversEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{PerOperation: Rate{20, 20}}, nil, nil)
		rate := func() float64 { return b.Stats().Operations["user/get"].PerSecond }
		for range 16 { // the answers to one burst
			b.Throttled("user/get", 2*time.Second)
		}
		if s := b.Stats().Operations["user/get"]; s.PerSecond != 10 || s.Pause != 2*time.Second || !s.Learned {
			t.Errorf("after one burst of refusals: %+v, want 10/s after a pause of 2s", s)
		}
		time.Sleep(2*time.Second + 15*time.Second)
		if got := rate(); got != 15 {
			t.Errorf("15 s after the pause: %g/s, want 15", got)
		}
		b.Throttled("user/get", 0)
		if s := b.Stats().Operations["user/get"]; s.PerSecond != 7.5 || s.Pause != defaultPause {
			t.Errorf("after a second refusal: %+v, want 7.5/s after %s", s, defaultPause)
		}
		time.Sleep(time.Minute)
		if s := b.Stats().Operations["user/get"]; s.PerSecond != 20 || s.Learned || s.Pause != 0 {
			t.Errorf("a minute later: %+v, want the configured 20/s", s)
		}
		if got := b.Stats().TotalPerSecond; got != 0 {
			t.Errorf("the total is limited to %g/s, want unlimited", got)
		}
	})
}

func TestAPauseIsNotFollowedByABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{}
		b := NewBudget(Limits{PerOperation: Rate{20, 20}}, nil, nil)
		b.Throttled("user/get", time.Second)
		ctx := WithOperation(t.Context(), "user/get")
		line(t, b.Transport(p), slices.Repeat([]context.Context{ctx}, 10)...)()
		seen := p.seen()
		for i := range seen[1:] {
			if gap := seen[i+1].at.Sub(seen[i].at); gap < 90*time.Millisecond || gap > 100*time.Millisecond {
				t.Errorf("call %d came %s after the one before, want about 100ms", i+1, gap)
			}
		}
	})
}

func TestThrottlingNeverCutsToNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{PerOperation: Rate{PerSecond: 32}}, nil, nil)
		for range 20 {
			b.Throttled("user/get", time.Millisecond)
			time.Sleep(2 * time.Millisecond)
		}
		if got := b.Stats().Operations["user/get"].PerSecond; got < 1 || got > 1.1 {
			t.Errorf("%g/s, want 1", got)
		}
	})
}

func TestThrottlingTeachesALimitThatNobodyConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{}, nil, nil)
		p := &platform{}
		rt := b.Transport(p)
		for range 40 {
			if err := call(WithOperation(t.Context(), "user/get"), rt); err != nil {
				t.Fatal(err)
			}
		}
		b.Throttled("user/get", time.Second)
		start := time.Now()
		for range 21 {
			if err := call(WithOperation(t.Context(), "user/get"), rt); err != nil {
				t.Fatal(err)
			}
		}
		// One second of pause, then 40/s halved, and a little recovery.
		if got := time.Since(start); got < 1900*time.Millisecond || got > 2*time.Second {
			t.Errorf("21 calls took %s, want about 2s", got)
		}
		time.Sleep(time.Minute)
		if s := b.Stats().Operations["user/get"]; s.PerSecond != 0 || s.Learned {
			t.Errorf("a minute later: %+v, want unlimited again", s)
		}
	})
}

func TestAPauseIsWaitedOutOnlyIfShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{}, nil, nil)
		p := &platform{}
		rt := b.Transport(p)

		b.Throttled("user/get", time.Minute)
		err := call(WithOperation(t.Context(), "user/get"), rt)
		if !errors.Is(err, ErrThrottled) || Sent(err) || RetryAfter(err) != time.Minute {
			t.Errorf("got %v, want ErrThrottled, not sent, in 1m", err)
		}

		b.Throttled("user/list", 5*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err = call(WithOperation(ctx, "user/list"), rt)
		if !errors.Is(err, ErrThrottled) || RetryAfter(err) != 5*time.Second || time.Since(start) != 0 {
			t.Errorf("after %s: %v, want ErrThrottled at once: the deadline is before the pause's end", time.Since(start), err)
		}

		if err = call(WithOperation(t.Context(), "user/list"), rt); err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("after %s: %v, want success after 5s", time.Since(start), err)
		}
	})
}

func TestALongPauseSendsAwayThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, operation := range []string{"user/get", ""} {
			b := NewBudget(Limits{PerOperation: Rate{PerSecond: 0.01}}, nil, nil)
			rt := b.Transport(&platform{})
			ctx := WithOperation(t.Context(), "user/get")
			if err := call(ctx, rt); err != nil {
				t.Fatal(err)
			}
			failed := make(chan error, 1)
			go func() { failed <- call(ctx, rt) }()
			synctest.Wait()
			b.Throttled(operation, time.Hour)
			if err := <-failed; !errors.Is(err, ErrThrottled) || RetryAfter(err) != time.Hour {
				t.Errorf("%q throttled: the waiting call got %v, want ErrThrottled in 1h", operation, err)
			}
		}
	})
}

func TestThrottlingTheTenantPausesEveryOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{}, nil, nil)
		b.Throttled("", 5*time.Second)
		start := time.Now()
		if err := call(WithOperation(t.Context(), "user/get"), b.Transport(&platform{})); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("went after %s, want 5s", got)
		}
	})
}

func TestNewLimitsReachThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Limits{Total: Rate{PerSecond: 0.001}}, nil, nil)
		rt := b.Transport(&platform{})
		start := time.Now()
		wait := line(t, rt, t.Context(), t.Context())
		if s := b.Stats(); s.Waiting[Edit] != 1 {
			t.Fatalf("waiting: %v, want one", s.Waiting)
		}
		b.SetLimits(Limits{})
		wait()
		if got := time.Since(start); got != 0 {
			t.Errorf("went after %s, want at once", got)
		}
	})
}

// manual is a clock that a test moves.
type manual struct {
	mu     sync.Mutex
	now    time.Time
	alarms map[*alarm]bool
}

type alarm struct {
	clock *manual
	at    time.Time
	f     func()
}

func (a *alarm) Stop() bool {
	a.clock.mu.Lock()
	defer a.clock.mu.Unlock()
	was := a.clock.alarms[a]
	delete(a.clock.alarms, a)
	return was
}

func (m *manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *manual) AfterFunc(d time.Duration, f func()) Timer {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &alarm{m, m.now.Add(d), f}
	m.alarms[a] = true
	return a
}

func (m *manual) advance(d time.Duration) {
	m.mu.Lock()
	m.now = m.now.Add(d)
	var due []*alarm
	for a := range m.alarms {
		if !a.at.After(m.now) {
			due = append(due, a)
			delete(m.alarms, a)
		}
	}
	m.mu.Unlock()
	for _, a := range due {
		a.f()
	}
}

func TestTheBudgetLivesByTheInjectedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &manual{now: time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC), alarms: map[*alarm]bool{}}
		b := NewBudget(Limits{Total: Rate{PerSecond: 0.1}}, clock, nil)
		p := &platform{}
		wait := line(t, b.Transport(p), t.Context(), t.Context())
		clock.advance(10*time.Second - 1)
		synctest.Wait()
		if n := len(p.seen()); n != 1 {
			t.Errorf("%d calls before the time, want 1", n)
		}
		clock.advance(1)
		wait()
		if len(clock.alarms) != 0 {
			t.Errorf("%d timers left", len(clock.alarms))
		}
	})
}

// Everything at once: nobody is lost, nothing is left, nothing races.
func TestBudgetUnderChaos(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		obs := &recorder{}
		b := NewBudget(Limits{Concurrency: 3, PerOperation: Rate{50, 5}, Total: Rate{80, 2}}, nil, obs)
		p := &platform{takes: 7 * time.Millisecond, answer: func(*http.Request) (*http.Response, error) {
			switch rand.IntN(8) {
			case 0:
				return nil, errors.New("connection reset")
			case 1:
				return status(http.StatusBadGateway), nil
			}
			return status(http.StatusOK), nil
		}}
		rt := b.Transport(p)
		const callers = 500
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				time.Sleep(time.Duration(rand.IntN(5000)) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(1000))*time.Millisecond)
				defer cancel()
				_ = call(named(ctx, fmt.Sprintf("operation%d", i%4), Priority(i%priorities)), rt)
				switch i % 50 {
				case 0:
					b.Throttled(fmt.Sprintf("operation%d", i%4), time.Duration(rand.IntN(20000))*time.Millisecond)
				case 1:
					b.SetLimits(Limits{Concurrency: 1 + rand.IntN(5), PerOperation: Rate{float64(rand.IntN(100)), rand.IntN(9)}})
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Hour) // nobody waits: what is set now is left behind
		s := b.Stats()
		if s.UnderWay != 0 || s.Waiting != [priorities]int{} {
			t.Errorf("in the end %d under way, %v waiting", s.UnderWay, s.Waiting)
		}
		if n := len(obs.seen()); n != callers {
			t.Errorf("%d calls observed, want %d", n, callers)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.timer != nil || b.breaker.probing {
			t.Errorf("timer %v, probing %t left behind", b.timer, b.breaker.probing)
		}
	})
}

// recorder is an Observer that remembers.
type recorder struct {
	mu     sync.Mutex
	calls  []Call
	events []string
}

func (r *recorder) Called(c Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

func (r *recorder) Answered(operation, class string) { r.note("%s answered %s", operation, class) }

func (r *recorder) Throttled(operation string, d time.Duration) {
	r.note("%s throttled %s", operation, d)
}

func (r *recorder) Opened(open bool) { r.note("open %t", open) }

func (r *recorder) seen() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}
