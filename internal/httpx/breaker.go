package httpx

import (
	"fmt"
	"time"
)

const (
	// tolerance: so many failures in a row, none longer than streakGap after the
	// one before, open the breaker. A single request that always fails and is
	// retried ever more slowly does not.
	tolerance = 5
	streakGap = time.Minute

	// While open, one probe goes per interval, which doubles with each failure.
	firstProbe = 5 * time.Second
	lastProbe  = time.Minute
)

// verdict is what the end of a call says about the tenant.
type verdict int

const (
	neutral verdict = iota // nothing: the caller gave up
	healthy                // it answered, if only to refuse
	sick                   // transport failure or HTTP 5xx
)

// breaker remembers whether the tenant answers. The Budget's lock guards it.
type breaker struct {
	open     bool
	failures int
	last     time.Time // of the last failure
	why      string    // the last failure, redacted
	interval time.Duration
	probeAt  time.Time
	probing  bool
}

// admit lets a call in, as a probe if the breaker is open, or says why not.
func (k *breaker) admit(operation string, now time.Time) (probe bool, err error) {
	if !k.open {
		return false, nil
	}
	if k.probing || now.Before(k.probeAt) {
		return false, k.refusal(operation, now)
	}
	k.probing = true
	return true, nil
}

func (k *breaker) refusal(operation string, now time.Time) error {
	wait := k.probeAt.Sub(now)
	if k.probing || wait <= 0 {
		wait = k.interval
	}
	return &Error{Operation: operation, RetryAfter: wait, Err: fmt.Errorf("%w: last failure: %s", ErrUnavailable, k.why)}
}

// record takes a call's verdict and reports whether the breaker opened or closed.
func (k *breaker) record(v verdict, probe bool, failure string, now time.Time) (changed bool) {
	if probe {
		k.probing = false
	}
	switch v {
	case healthy:
		changed = k.open
		*k = breaker{probing: k.probing}
	case sick:
		if now.Sub(k.last) > streakGap {
			k.failures = 0
		}
		k.failures++
		k.last, k.why = now, failure
		switch {
		case !k.open && k.failures >= tolerance:
			k.open, changed = true, true
			k.interval = firstProbe
			k.probeAt = now.Add(k.interval)
		case k.open && probe:
			k.interval = min(2*k.interval, lastProbe)
			k.probeAt = now.Add(k.interval)
		}
	}
	return changed
}
