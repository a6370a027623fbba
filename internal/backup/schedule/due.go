package schedule

import (
	"hash/fnv"
	"time"
)

// Spec is when a schedule runs.
type Spec struct {
	Cron *Cron
	// Jitter delays every run.
	Jitter time.Duration
	// Deadline is how late a run may still start; none when zero.
	Deadline time.Duration
}

// Jitter is a delay below within in whole seconds, always the same for a key.
func Jitter(key string, within time.Duration) time.Duration {
	seconds := uint64(max(0, within/time.Second))
	if seconds == 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return time.Duration(h.Sum64()%seconds) * time.Second
}

// Many is the number of missed runs at which counting ends, as with CronJob.
const Many = 100

// Run is what a schedule asks for at one moment.
type Run struct {
	// Due is the time on the clock that a backup has to be started for, now; zero if none has to.
	Due time.Time
	// Missed counts the runs before it, or before now, that nothing was started for: at most Many+1.
	Missed int
	// Next is when to look again, the jitter included.
	Next time.Time
}

// Due says what has to be started now. The last time that something was started
// for is zero in the beginning; nothing before the creation of the schedule is due.
func Due(s Spec, last, created, now time.Time) Run {
	earliest := created
	if !last.IsZero() {
		earliest = last
	}
	clock := now.Add(-s.Jitter) // what the clock shows by which this schedule runs
	run := Run{Next: s.after(later(clock, earliest))}
	newest, ok := s.Cron.Newest(earliest, clock)
	if !ok {
		return run
	}
	run.Missed = s.count(earliest, newest)
	if s.Deadline > 0 && clock.Sub(newest) > s.Deadline {
		run.Missed++ // too late for this one, too
		return run
	}
	run.Due = newest
	return run
}

// after is the first start after the clock shows t.
func (s Spec) after(t time.Time) time.Time {
	next, _ := s.Cron.Next(t)
	return next.Add(s.Jitter)
}

// count counts the times after earliest and before newest, up to Many+1.
func (s Spec) count(earliest, newest time.Time) (n int) {
	for t, ok := s.Cron.Next(earliest); ok && t.Before(newest) && n <= Many; t, ok = s.Cron.Next(t) {
		n++
	}
	return n
}

// Newest is the last time in (after, until].
func (c *Cron) Newest(after, until time.Time) (time.Time, bool) {
	first, ok := c.Next(after)
	if !ok || first.After(until) {
		return time.Time{}, false
	}
	// Whether there is a time between t and until is true up to the newest and false from there on: halve.
	low, high := first.Add(-time.Minute), until
	for high.Sub(low) > time.Minute {
		middle := low.Add(high.Sub(low) / 2)
		if t, ok := c.Next(middle); ok && !t.After(until) {
			low = middle
		} else {
			high = middle
		}
	}
	for t, ok := c.Next(low); ok && !t.After(until); t, ok = c.Next(t) {
		first = t
	}
	return first, true
}

// Grace is how long after a run was due its backup has to be good: half the time to the
// next run, at least an hour and at most half a day.
func (s Spec) Grace(due time.Time) time.Duration {
	next, _ := s.Cron.Next(due)
	return min(max(next.Sub(due)/2, time.Hour), 12*time.Hour)
}

// Overdue reports whether a backup is missing: there was a run whose grace is over,
// and the newest good backup was for an earlier one. Since is the time of that run.
// Else recheck is when the next grace ends.
func Overdue(s Spec, good, created, now time.Time) (since time.Time, overdue bool, recheck time.Time) {
	clock := now.Add(-s.Jitter)
	known := later(good, created)
	due, ok := s.Cron.Next(known)
	if !ok {
		return time.Time{}, false, time.Time{}
	}
	over := due.Add(s.Grace(due))
	if clock.Before(over) {
		return time.Time{}, false, over.Add(s.Jitter)
	}
	return due, true, time.Time{}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Policy says what becomes of a run while others go on.
type Policy int

const (
	// Forbid lets it wait until they have ended, or its deadline is over.
	Forbid Policy = iota
	// Allow starts it beside them.
	Allow
	// Replace ends them.
	Replace
)

// Step is what to do about a run that is due.
type Step int

const (
	// Wait for what goes on.
	Wait Step = iota
	// Start it.
	Start
	// StartAfterEnding what goes on.
	StartAfterEnding
)

// Decide says what to do about a run that is due while so many others go on.
func Decide(p Policy, running int) Step {
	switch {
	case running == 0 || p == Allow:
		return Start
	case p == Replace:
		return StartAfterEnding
	}
	return Wait
}
