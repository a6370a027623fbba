package limits_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/limits"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestMost(t *testing.T) {
	for _, c := range []struct {
		l             limits.Limits
		managed, most int
		why           string
	}{
		{limits.Default, 0, 3, "the floor, in an empty company"},
		{limits.Default, 79, 3, "5 % of 79 is 3.95, and percent is rounded down"},
		{limits.Default, 80, 4, "5 % of 80"},
		{limits.Default, 399, 19, "5 % of 399 is 19.95"},
		{limits.Default, 400, 20, "5 % of 400 is the count"},
		{limits.Default, 50_000, 20, "the count, in a big company"},
		{limits.Limits{Count: 20, Percent: 100, Floor: 0}, 7, 7, "everybody"},
		{limits.Limits{Count: 20, Percent: 0, Floor: 0}, 50_000, 0, "nobody without an Approval"},
		{limits.Limits{Count: 0, Percent: 100, Floor: 2}, 50_000, 2, "the floor is above a count of 0"},
		{limits.Limits{Count: 1_000_000, Percent: 100, Floor: 0}, 2_000_000_000, 1_000_000, "no overflow"},
	} {
		if got := c.l.Most(c.managed); got != c.most {
			t.Errorf("%s: %d of %d, want %d", c.why, got, c.managed, c.most)
		}
	}
}

func TestDecide(t *testing.T) {
	l := limits.Limits{Window: time.Hour, Count: 2, Percent: 100, Floor: 0}
	ago := func(all ...time.Duration) (times []time.Time) {
		for _, d := range all {
			times = append(times, noon.Add(-d))
		}
		return times
	}
	for name, c := range map[string]struct {
		facts limits.Facts
		admit bool
		used  int
	}{
		"nobody yet":                        {limits.Facts{Managed: 10}, true, 0},
		"one before":                        {limits.Facts{Managed: 10, Admitted: ago(time.Minute)}, true, 1},
		"the limit is reached":              {limits.Facts{Managed: 10, Admitted: ago(time.Minute, 0)}, false, 2},
		"one is out of the window":          {limits.Facts{Managed: 10, Admitted: ago(time.Hour+2*time.Second, 0)}, true, 1},
		"one may be, by the part of second": {limits.Facts{Managed: 10, Admitted: ago(time.Hour, 0)}, false, 2},
		"one is in the future":              {limits.Facts{Managed: 10, Admitted: ago(-2*time.Hour, 0)}, false, 2},
		"somebody waits (latched)":          {limits.Facts{Managed: 10, Waiting: 1}, false, 0},
		"a company of one":                  {limits.Facts{Managed: 1, Admitted: ago(0)}, false, 1},
	} {
		if d := limits.Decide(l, c.facts, noon); d.Admit != c.admit || d.Used != c.used {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// dice turns a fuzzer's bytes into choices. When they are used up every choice is the first.
type dice struct{ bytes []byte }

func (d *dice) n(limit int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return int(b) % limit
}

// admission is one that has happened, as it was and as it is noted.
type admission struct {
	at       time.Time
	approved bool
}

// account plays what surrounds the decision: people come, time passes, a manager restarts
// and knows only what was noted, in whole seconds; an Approval admits everybody who waits, or
// they are declared again.
type account struct {
	limits   limits.Limits
	now      time.Time
	managed  int
	admitted []admission
	waiting  int
}

func (a *account) noted() (times []time.Time) {
	for _, one := range a.admitted {
		if !one.approved {
			times = append(times, one.at.Truncate(time.Second))
		}
	}
	return times
}

func (a *account) comes(t *testing.T) {
	d := limits.Decide(a.limits, limits.Facts{Admitted: a.noted(), Waiting: a.waiting, Managed: a.managed}, a.now)
	switch {
	case d.Admit && a.waiting > 0:
		t.Fatalf("%d wait, and somebody else is admitted", a.waiting)
	case d.Admit:
		a.admitted = append(a.admitted, admission{at: a.now})
	default:
		a.waiting++
	}
}

// FuzzP6BoundedBlastRadius: in no window of the length were more admitted than allowed
// except by an Approval, and nobody while somebody waits, whatever the order and the restarts.
func FuzzP6BoundedBlastRadius(f *testing.F) {
	chance := rand.New(rand.NewPCG(1, 2))
	f.Add([]byte{})
	for range 600 {
		b := make([]byte, 160)
		for i := range b {
			b[i] = byte(chance.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		a := &account{
			limits:  limits.Limits{Window: time.Duration(60+d.n(60)) * time.Second, Count: d.n(8), Percent: d.n(101), Floor: d.n(4)},
			managed: d.n(200), now: noon,
		}
		for len(d.bytes) > 0 {
			switch d.n(8) {
			case 0, 1, 2, 3:
				a.comes(t)
			case 4:
				a.now = a.now.Add(time.Duration(d.n(100)) * 317 * time.Millisecond)
			case 5:
				a.now = a.now.Add(a.limits.Window - time.Duration(d.n(20))*100*time.Millisecond)
			case 6: // an Approval admits everybody who waits
				for range a.waiting {
					a.admitted = append(a.admitted, admission{at: a.now, approved: true})
				}
				a.waiting = 0
			case 7: // they are declared again, or rejected
				a.waiting = 0
			}
		}
		within := slices.DeleteFunc(slices.Clone(a.admitted), func(one admission) bool { return one.approved })
		for i := range within {
			n := 0
			for _, other := range within[i:] {
				if other.at.Sub(within[i].at) < a.limits.Window {
					n++
				}
			}
			if most := a.limits.Most(a.managed); n > most {
				t.Fatalf("%d were admitted within %s, and %d may be", n, a.limits.Window, most)
			}
		}
	})
}
