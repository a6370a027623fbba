package httpx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// slow is how long a call must have been under way for the caller's deadline to
// speak against the tenant: one that was spent waiting for a turn does not.
const slow = time.Second

// Transport lets each request wait for its turn before it goes to next. A call
// holds its place until its answer's body has been read to the end or closed.
func (b *Budget) Transport(next http.RoundTripper) http.RoundTripper {
	return &limited{budget: b, next: next}
}

type limited struct {
	budget *Budget
	next   http.RoundTripper
}

func (l *limited) CloseIdleConnections() {
	if c, ok := l.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (l *limited) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	t, err := l.budget.take(ctx)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // the contract of RoundTripper
		}
		return nil, err
	}
	resp, err := l.next.RoundTrip(req)
	if err != nil {
		t.over(ctx, err)
		return nil, err
	}
	t.call.Status = resp.StatusCode
	whenRead(resp, func(err error) { t.over(ctx, err) })
	return resp, nil
}

// Spend makes one call that is not HTTP when its turn has come, and returns its
// error. Operation and priority are those of ctx. An *[Error] of call means that no
// whole answer came; anything else is an answer, and speaks for the tenant unless it
// is [ErrUnwell]. Call has to bound its own time.
func (b *Budget) Spend(ctx context.Context, call func(context.Context) error) error {
	t, err := b.take(ctx)
	if err != nil {
		return err
	}
	err = errPanic // until call has returned
	defer func() {
		switch _, failed := errors.AsType[*Error](err); {
		case failed || err == errPanic: //nolint:errorlint // the very one
			t.over(ctx, err)
		case errors.Is(err, ErrUnwell):
			t.end(OutcomeAnswered, sick, Redact(err.Error()))
		default:
			t.end(OutcomeAnswered, healthy, "")
		}
	}()
	err = call(ctx)
	return err
}

// turn is a call whose turn has come. It has to be ended.
type turn struct {
	budget *Budget
	call   Call
	waiter *waiter
	began  time.Time
}

// take waits for a turn.
func (b *Budget) take(ctx context.Context) (*turn, error) {
	call := Call{Operation: OperationFrom(ctx), Priority: PriorityFrom(ctx)}
	arrived := b.clock.Now()
	w, err := b.acquire(ctx)
	began := b.clock.Now()
	call.Wait = began.Sub(arrived)
	if err != nil {
		call.Outcome = refusal(err)
		b.obs.Called(call)
		return nil, err
	}
	return &turn{budget: b, call: call, waiter: w, began: began}, nil
}

// over ends a turn with what became of an exchange.
func (t *turn) over(ctx context.Context, err error) {
	t.call.Duration = t.budget.clock.Now().Sub(t.began)
	t.call.Outcome = outcome(ctx, err)
	v, why := judge(ctx, t.call, err)
	t.end(t.call.Outcome, v, why)
}

func (t *turn) end(outcome string, v verdict, why string) {
	t.call.Duration = t.budget.clock.Now().Sub(t.began)
	t.call.Outcome = outcome
	t.budget.release(t.waiter, v, why)
	t.budget.obs.Called(t.call)
}

func refusal(err error) string {
	switch {
	case errors.Is(err, ErrThrottled):
		return OutcomeThrottled
	case errors.Is(err, ErrUnavailable):
		return OutcomeUnavailable
	default:
		return OutcomeCancelled
	}
}

func outcome(ctx context.Context, err error) string {
	switch {
	case err == nil || errors.Is(err, ErrBodyTooLarge):
		return OutcomeAnswered
	case ctx.Err() != nil:
		return OutcomeCancelled
	case Sent(err):
		return OutcomeUnknown
	default:
		return OutcomeNotSent
	}
}

// judge says what a finished call tells about the tenant.
func judge(ctx context.Context, call Call, err error) (verdict, string) {
	switch {
	case call.Outcome == OutcomeAnswered && call.Status < http.StatusInternalServerError:
		return healthy, ""
	case call.Outcome == OutcomeAnswered:
		return sick, fmt.Sprintf("HTTP %d", call.Status)
	case call.Outcome == OutcomeCancelled && (errors.Is(ctx.Err(), context.Canceled) || call.Duration < slow):
		return neutral, ""
	default:
		return sick, Redact(err.Error())
	}
}
