package review

import (
	"slices"
	"strings"
	"time"
)

// Silence says what an unanswered review means in the end; the words equal the API's.
type Silence string

// What silence means.
const (
	Revoke Silence = "Revoke"
	Keep   Silence = "Keep"
)

// Terms are how a right is reviewed.
type Terms struct {
	// Interval between two reviews; zero: it is not reviewed.
	Interval time.Duration
	// Answer is how long a review may stay unanswered before it escalates, and as long
	// again before silence counts.
	Answer    time.Duration
	OnSilence Silence
}

// Facts are what is known of the reviews of a right.
type Facts struct {
	Now time.Time
	// Since is when the last review ended, or, before the first, when the right was first
	// granted; zero: it was not.
	Since time.Time
	// Asked is when the review was opened that is not over; zero if there is none.
	Asked time.Time
	// Escalated is when it was told that nobody answers; zero: not yet. Silence counts from
	// then: who was never told, because Rollcall did not run, is told first.
	Escalated time.Time
	// Answer is nil as long as nobody answered.
	Answer *Answer
	// Holders are the user ids that the review lists.
	Holders []string
	// FoldsIDs: ids that differ only in case are the same.
	FoldsIDs bool
}

// Answer is what a reviewer says.
type Answer struct {
	// Confirmed: the right is needed still, but for those in Except.
	Confirmed bool
	Except    []string
}

// Stage is where a review stands.
type Stage string

// The stages.
const (
	// Idle: none is due.
	Idle Stage = "Idle"
	// Due: one is to be opened.
	Due Stage = "Due"
	// Waiting for an answer.
	Waiting Stage = "Waiting"
	// Escalated: nobody answered, and the time for it goes on.
	Escalated Stage = "Escalated"
	// Over: it has a verdict.
	Over Stage = "Over"
)

// Verdict is what came of a review.
type Verdict string

// The verdicts.
const (
	Confirmed Verdict = "Confirmed"
	Narrowed  Verdict = "Narrowed"
	Revoked   Verdict = "Revoked"
	// SilenceRevoked and SilenceKept: nobody answered.
	SilenceRevoked Verdict = "SilenceRevoked"
	SilenceKept    Verdict = "SilenceKept"
)

// Ends reports whether the right ends by the verdict, for everybody.
func (v Verdict) Ends() bool { return v == Revoked || v == SilenceRevoked }

// Decision is what to do about the review of a right.
type Decision struct {
	Stage   Stage
	Verdict Verdict // empty unless Over
	// Out are the holders who lose the right, sorted: some by Narrowed, all by a verdict that Ends.
	Out []string
	// Strangers are ids that the answer excepts and the review does not list: nothing is
	// done to them.
	Strangers []string
	// DueTime is when the review was due, or the next is; after a review that is over, the
	// one after it. Zero if there is none.
	DueTime time.Time
	// Wake is when to look again though nothing happens; zero: never.
	Wake time.Time
}

// For decides what to do.
func For(t Terms, f Facts) Decision {
	if t.Interval <= 0 || f.Since.IsZero() && f.Asked.IsZero() {
		return Decision{Stage: Idle}
	}
	due := f.Since.Add(t.Interval)
	switch {
	case !f.Asked.IsZero() && f.Answer != nil: // an answer counts whenever it is seen
		return t.answered(f)
	case !f.Asked.IsZero():
		return t.unanswered(f)
	case f.Now.Before(due):
		return Decision{Stage: Idle, DueTime: due, Wake: due}
	}
	return Decision{Stage: Due, DueTime: due}
}

func (t Terms) over(f Facts, v Verdict) Decision {
	next := f.Now.Add(t.Interval)
	d := Decision{Stage: Over, Verdict: v, DueTime: next, Wake: next}
	if v.Ends() {
		d.Out = slices.Compact(slices.Sorted(slices.Values(f.Holders)))
		d.DueTime, d.Wake = time.Time{}, time.Time{}
	}
	return d
}

func (t Terms) answered(f Facts) Decision {
	if !f.Answer.Confirmed {
		return t.over(f, Revoked)
	}
	key := func(id string) string {
		if f.FoldsIDs {
			return strings.ToLower(id)
		}
		return id
	}
	except, listed := map[string]bool{}, map[string]bool{}
	for _, id := range f.Answer.Except {
		except[key(id)] = true
	}
	var out []string
	for _, id := range f.Holders {
		listed[key(id)] = true
		if except[key(id)] {
			out = append(out, id)
		}
	}
	d := t.over(f, Confirmed)
	if len(out) > 0 {
		d.Verdict, d.Out = Narrowed, slices.Compact(slices.Sorted(slices.Values(out)))
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(f.Answer.Except))) {
		if !listed[key(id)] {
			d.Strangers = append(d.Strangers, id)
		}
	}
	return d
}

func (t Terms) unanswered(f Facts) Decision {
	due := f.Asked
	if !f.Since.IsZero() {
		due = f.Since.Add(t.Interval)
	}
	escalates := f.Asked.Add(t.Answer)
	if f.Now.Before(escalates) {
		return Decision{Stage: Waiting, DueTime: due, Wake: escalates}
	}
	if f.Escalated.IsZero() {
		return Decision{Stage: Escalated, DueTime: due, Wake: f.Now.Add(t.Answer)}
	}
	told := f.Escalated
	if told.Before(escalates) { // the terms have changed since
		told = escalates
	}
	if silent := told.Add(t.Answer); f.Now.Before(silent) {
		return Decision{Stage: Escalated, DueTime: due, Wake: silent}
	}
	if t.OnSilence == Keep {
		return t.over(f, SilenceKept)
	}
	return t.over(f, SilenceRevoked) // the default, and whatever this version does not know
}
