package httpx

import "time"

// Observer is told what a Budget sees, for metrics. Its methods are called
// from many goroutines, without the Budget's lock, and must not block.
type Observer interface {
	// Called: a call is over, or was refused before it began.
	Called(Call)
	// Answered: the provider has classified an answer (Budget.Answered).
	Answered(operation, class string)
	// Throttled: the platform refused a call for its rate. The operation is
	// empty when it refused the whole tenant.
	Throttled(operation string, retryAfter time.Duration)
	// Opened: the breaker opened (true: calls fail fast) or closed (false).
	Opened(open bool)
}

// Outcomes of a Call besides an HTTP status.
const (
	// OutcomeAnswered: headers and body arrived; Call.Status says more.
	OutcomeAnswered = "answered"
	// OutcomeNotSent: the request certainly never left.
	OutcomeNotSent = "not_sent"
	// OutcomeUnknown: it was sent, at least in part, and no whole answer came.
	OutcomeUnknown = "unknown"
	// OutcomeCancelled: the caller gave up, waiting or under way.
	OutcomeCancelled = "cancelled"
	// OutcomeThrottled: refused here, the platform had asked for a pause.
	OutcomeThrottled = "throttled"
	// OutcomeUnavailable: refused here, the breaker is open.
	OutcomeUnavailable = "unavailable"
)

// Call is one finished HTTP exchange. A redirect that is followed makes two.
type Call struct {
	Operation string
	Priority  Priority
	Outcome   string        // one of the Outcome constants
	Status    int           // HTTP status, 0 when no header arrived
	Wait      time.Duration // waiting for a turn
	Duration  time.Duration // from the turn to the end of the body
}

type noObserver struct{}

func (noObserver) Called(Call)                     {}
func (noObserver) Answered(string, string)         {}
func (noObserver) Throttled(string, time.Duration) {}
func (noObserver) Opened(bool)                     {}
