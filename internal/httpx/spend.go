package httpx

import (
	"context"
	"errors"
)

// Spend makes one call of a protocol that is not HTTP, when it is its turn. Of an error of the call, silent says
// whether the tenant did not answer it. An error that comes before the call is an *Error.
func (b *Budget) Spend(ctx context.Context, operation string, call func(context.Context) error, silent func(error) bool) error {
	ctx = WithOperation(ctx, operation)
	c := Call{Operation: operation, Priority: PriorityFrom(ctx)}
	arrived := b.clock.Now()
	w, err := b.acquire(ctx)
	began := b.clock.Now()
	c.Wait = began.Sub(arrived)
	if err != nil {
		c.Outcome = refusal(err)
		b.obs.Called(c)
		return err
	}
	err = call(ctx)
	c.Duration = b.clock.Now().Sub(began)
	v, why := healthy, ""
	switch {
	case err == nil || !silent(err):
		c.Outcome = OutcomeAnswered
	case errors.Is(ctx.Err(), context.Canceled) || ctx.Err() != nil && c.Duration < slow:
		c.Outcome, v = OutcomeCancelled, neutral
	default:
		c.Outcome, v, why = OutcomeUnknown, sick, Redact(err.Error())
	}
	b.release(w, v, why)
	b.obs.Called(c)
	return err
}
