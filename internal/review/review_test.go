package review_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/review"
)

const day = 24 * time.Hour

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// at is so many days after the start.
func at(days float64) time.Time { return start.Add(time.Duration(days * float64(day))) }

var quarterly = review.Terms{Interval: 90 * day, Answer: 7 * day, OnSilence: review.Revoke}

func TestReviews(t *testing.T) {
	no := &review.Answer{}
	yes := func(except ...string) *review.Answer { return &review.Answer{Confirmed: true, Except: except} }
	keeps := quarterly
	keeps.OnSilence = review.Keep
	people := []string{"zhao", "ann", "Bob"}
	for name, c := range map[string]struct {
		terms review.Terms
		facts review.Facts
		want  review.Decision
	}{
		"nothing is reviewed":                    {review.Terms{}, review.Facts{Now: at(900), Since: at(0)}, review.Decision{Stage: review.Idle}},
		"nothing was granted":                    {quarterly, review.Facts{Now: at(900)}, review.Decision{Stage: review.Idle}},
		"not due yet":                            {quarterly, review.Facts{Now: at(90).Add(-time.Second), Since: at(0)}, review.Decision{Stage: review.Idle, DueTime: at(90), Wake: at(90)}},
		"due at the second":                      {quarterly, review.Facts{Now: at(90), Since: at(0)}, review.Decision{Stage: review.Due, DueTime: at(90)}},
		"due after a long stop":                  {quarterly, review.Facts{Now: at(400), Since: at(0)}, review.Decision{Stage: review.Due, DueTime: at(90)}},
		"asked":                                  {quarterly, review.Facts{Now: at(96.9), Since: at(0), Asked: at(90)}, review.Decision{Stage: review.Waiting, DueTime: at(90), Wake: at(97)}},
		"asked before the first grant was noted": {quarterly, review.Facts{Now: at(91), Asked: at(90)}, review.Decision{Stage: review.Waiting, DueTime: at(90), Wake: at(97)}},
		"nobody answers":                         {quarterly, review.Facts{Now: at(97), Since: at(0), Asked: at(90)}, review.Decision{Stage: review.Escalated, DueTime: at(90), Wake: at(104)}},
		"and was told":                           {quarterly, review.Facts{Now: at(103.9), Since: at(0), Asked: at(90), Escalated: at(97)}, review.Decision{Stage: review.Escalated, DueTime: at(90), Wake: at(104)}},
		"silence revokes":                        {quarterly, review.Facts{Now: at(104), Since: at(0), Asked: at(90), Escalated: at(97), Holders: people}, review.Decision{Stage: review.Over, Verdict: review.SilenceRevoked, Out: []string{"Bob", "ann", "zhao"}}},
		"silence keeps":                          {keeps, review.Facts{Now: at(104), Since: at(0), Asked: at(90), Escalated: at(97), Holders: people}, review.Decision{Stage: review.Over, Verdict: review.SilenceKept, DueTime: at(194), Wake: at(194)}},
		"whom nobody told is told first, after a long stop": {quarterly, review.Facts{Now: at(300), Since: at(0), Asked: at(90)}, review.Decision{Stage: review.Escalated, DueTime: at(90), Wake: at(307)}},
		"told late, silence is late":                        {quarterly, review.Facts{Now: at(306), Since: at(0), Asked: at(90), Escalated: at(300)}, review.Decision{Stage: review.Escalated, DueTime: at(90), Wake: at(307)}},
		"told too early, silence is not":                    {quarterly, review.Facts{Now: at(103), Since: at(0), Asked: at(90), Escalated: at(91)}, review.Decision{Stage: review.Escalated, DueTime: at(90), Wake: at(104)}},
		"an unknown silence revokes":                        {review.Terms{Interval: day, Answer: day}, review.Facts{Now: at(9), Since: at(0), Asked: at(1), Escalated: at(2)}, review.Decision{Stage: review.Over, Verdict: review.SilenceRevoked}},
		"confirmed":                                         {quarterly, review.Facts{Now: at(92), Since: at(0), Asked: at(90), Answer: yes(), Holders: people}, review.Decision{Stage: review.Over, Verdict: review.Confirmed, DueTime: at(182), Wake: at(182)}},
		"confirmed but for one":                             {quarterly, review.Facts{Now: at(92), Since: at(0), Asked: at(90), Answer: yes("zhao"), Holders: people}, review.Decision{Stage: review.Over, Verdict: review.Narrowed, Out: []string{"zhao"}, DueTime: at(182), Wake: at(182)}},
		"an exception in other letters":                     {quarterly, review.Facts{Now: at(92), Since: at(0), Asked: at(90), Answer: yes("bob"), Holders: people}, review.Decision{Stage: review.Over, Verdict: review.Confirmed, Strangers: []string{"bob"}, DueTime: at(182), Wake: at(182)}},
		"which are the same where ids fold":                 {quarterly, review.Facts{Now: at(92), Since: at(0), Asked: at(90), Answer: yes("bob", "eve"), Holders: people, FoldsIDs: true}, review.Decision{Stage: review.Over, Verdict: review.Narrowed, Out: []string{"Bob"}, Strangers: []string{"eve"}, DueTime: at(182), Wake: at(182)}},
		"revoked":                                           {quarterly, review.Facts{Now: at(92), Since: at(0), Asked: at(90), Answer: no, Holders: people}, review.Decision{Stage: review.Over, Verdict: review.Revoked, Out: []string{"Bob", "ann", "zhao"}}},
		"a late answer counts":                              {quarterly, review.Facts{Now: at(200), Since: at(0), Asked: at(90), Escalated: at(97), Answer: yes(), Holders: people}, review.Decision{Stage: review.Over, Verdict: review.Confirmed, DueTime: at(290), Wake: at(290)}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := review.For(c.terms, c.facts); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// FuzzReviewsEndInOneWay: looked at whenever, a review that nobody answers is told to be
// unanswered before silence counts, for as long as it may stay so; what is decided does not
// change while nothing happens; and there is always a time to look again, which is not over.
func FuzzReviewsEndInOneWay(f *testing.F) {
	chance := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		f.Add(chance.Uint32()%2000, chance.Uint32()%400, chance.Uint64())
	}
	f.Fuzz(func(t *testing.T, interval, answer uint32, steps uint64) {
		terms := review.Terms{Interval: time.Duration(interval%44000+1) * time.Hour, Answer: time.Duration(answer%9000+1) * time.Hour, OnSilence: []review.Silence{review.Revoke, review.Keep}[steps%2]}
		pace := rand.New(rand.NewPCG(steps, 1))
		facts := review.Facts{Now: start, Since: start, Holders: []string{"a", "b"}}
		var stages []review.Stage
		for range 400 {
			d := review.For(terms, facts)
			if again := review.For(terms, facts); !reflect.DeepEqual(d, again) {
				t.Fatalf("%+v, then %+v", d, again)
			}
			if len(stages) == 0 || stages[len(stages)-1] != d.Stage {
				stages = append(stages, d.Stage)
			}
			switch d.Stage {
			case review.Due:
				facts.Asked = facts.Now
			case review.Escalated:
				if facts.Escalated.IsZero() {
					facts.Escalated = facts.Now
				}
			case review.Over:
				if facts.Now.Sub(facts.Asked) < 2*terms.Answer || facts.Now.Sub(facts.Escalated) < terms.Answer {
					t.Errorf("silence counts after %v, and %v since it was told", facts.Now.Sub(facts.Asked), facts.Now.Sub(facts.Escalated))
				}
				if ended := d.Verdict.Ends(); ended != (terms.OnSilence == review.Revoke) || ended != (len(d.Out) == 2) {
					t.Errorf("ends with %+v", d)
				}
				if !slices.Equal(stages[len(stages)-2:], []review.Stage{review.Escalated, review.Over}) {
					t.Errorf("went through %q", stages)
				}
				return
			}
			if d.Stage != review.Due && !d.Wake.After(facts.Now) {
				t.Fatalf("%+v at %v", d, facts.Now)
			}
			wake := d.Wake
			if d.Stage == review.Due {
				wake = facts.Now
			}
			if pace.IntN(3) == 0 { // a long stop
				facts.Now = facts.Now.Add(time.Duration(pace.IntN(5000)) * time.Hour)
			}
			if wake.After(facts.Now) {
				facts.Now = wake
			}
		}
		t.Errorf("never ends: %q", stages)
	})
}
