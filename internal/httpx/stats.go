package httpx

import "time"

// Stats is a picture of a Budget, for status and metrics.
type Stats struct {
	// Waiting calls, by Priority.
	Waiting [priorities]int
	// UnderWay is the number of calls that have their turn and are not over.
	UnderWay int
	// TotalPerSecond is the rate in force for the whole tenant; 0 = unlimited.
	TotalPerSecond float64
	// Pause is how long the platform's request for silence to the whole tenant
	// still lasts.
	Pause time.Duration
	// Open: the tenant does not answer, calls fail fast.
	Open bool
	// ProbeIn is when an open breaker lets the next call try; 0 = now.
	ProbeIn time.Duration
	// LastFailure is why the tenant last failed, free of secrets; empty once a
	// call has succeeded.
	LastFailure string
	// Operations, by name.
	Operations map[string]OperationStats
}

// OperationStats is one operation's part of Stats.
type OperationStats struct {
	Waiting   int
	PerSecond float64       // the rate in force; 0 = unlimited
	Pause     time.Duration // what remains of the pause the platform asked for
	Learned   bool          // throttling has lowered the rate, it is recovering
}

// Stats returns the budget's present state.
func (b *Budget) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	s := Stats{
		UnderWay:       b.underWay,
		TotalPerSecond: b.total.rate(now),
		Pause:          max(0, b.total.blocked.Sub(now)),
		Open:           b.breaker.open,
		LastFailure:    b.breaker.why,
		Operations:     make(map[string]OperationStats, len(b.operations)),
	}
	if s.Open {
		s.ProbeIn = max(0, b.breaker.probeAt.Sub(now))
	}
	for name, q := range b.operations {
		_, learned := q.bucket.learned(now)
		op := OperationStats{PerSecond: q.bucket.rate(now), Pause: max(0, q.bucket.blocked.Sub(now)), Learned: learned}
		for p := range q.waiting {
			op.Waiting += q.waiting[p].Len()
			s.Waiting[p] += q.waiting[p].Len()
		}
		s.Operations[name] = op
	}
	return s
}
