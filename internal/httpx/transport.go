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
	b, ctx := l.budget, req.Context()
	call := Call{Operation: OperationFrom(ctx), Priority: PriorityFrom(ctx)}
	arrived := b.clock.Now()
	w, err := b.acquire(ctx)
	began := b.clock.Now()
	call.Wait = began.Sub(arrived)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // the contract of RoundTripper
		}
		call.Outcome = refusal(err)
		b.obs.Called(call)
		return nil, err
	}
	end := func(err error) {
		call.Duration = b.clock.Now().Sub(began)
		call.Outcome = outcome(ctx, err)
		v, why := judge(ctx, call, err)
		b.release(w, v, why)
		b.obs.Called(call)
	}
	resp, err := l.next.RoundTrip(req)
	if err != nil {
		end(err)
		return nil, err
	}
	call.Status = resp.StatusCode
	whenRead(resp, end)
	return resp, nil
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
