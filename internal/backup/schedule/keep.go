package schedule

import (
	"slices"
	"strings"
	"time"
)

// Archive is what retention has to know of one.
type Archive struct {
	Name string
	// Time from which it is.
	Time time.Time
	// Good: it was read back and compared.
	Good bool
	// Held: it must be kept, whatever the rules say.
	Held bool
	// Empty: the backup failed and left nothing that could be read.
	Empty bool
}

// Rules say which archives are kept: the newest of each of so many days, weeks and
// months that have one. Without any rule all are kept.
type Rules struct {
	Last, Daily, Weekly, Monthly int
	// MaxAge after which none is kept but the last good one. Alone, it keeps all that are younger.
	MaxAge time.Duration
}

// failures are how many backups that left nothing are kept to be looked at.
const failures = 3

// Keep divides archives into those to keep and those to remove, the newest first.
// The last good one is always kept, and those held. One that is not good never takes
// the place of a good one, and is removed only when a good one is newer.
func Keep(archives []Archive, rules Rules, zone *time.Location, now time.Time) (keep, remove []Archive) {
	all := slices.Clone(archives)
	slices.SortFunc(all, func(a, b Archive) int {
		if d := b.Time.Compare(a.Time); d != 0 {
			return d
		}
		return strings.Compare(b.Name, a.Name)
	})
	wanted, seenGood, failed := rules.counters(zone), false, 0
	for _, a := range all {
		stays := a.Held
		if a.Empty && !a.Good {
			failed++
			stays = stays || rules == Rules{} || failed <= failures
		} else {
			stays = wanted.keeps(a) && (rules.MaxAge <= 0 || now.Sub(a.Time) <= rules.MaxAge) || !seenGood || stays
		}
		seenGood = seenGood || a.Good
		if stays {
			keep = append(keep, a)
		} else {
			remove = append(remove, a)
		}
	}
	return keep, remove
}

// counter wants the newest good archive of each of so many periods.
type counter struct {
	left   int
	period func(time.Time) time.Time
	last   time.Time
	any    bool
}

type counters []*counter

// counters has one for each rule; none wants everything.
func (r Rules) counters(zone *time.Location) counters {
	day := func(t time.Time) time.Time {
		year, month, day := t.In(zone).Date()
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	}
	var all counters
	for _, c := range []counter{
		{left: r.Last, period: nil},
		{left: r.Daily, period: day},
		{left: r.Weekly, period: func(t time.Time) time.Time {
			d := day(t)
			return d.AddDate(0, 0, -(int(d.Weekday())+6)%7) // its Monday
		}},
		{left: r.Monthly, period: func(t time.Time) time.Time {
			d := day(t)
			return d.AddDate(0, 0, 1-d.Day())
		}},
	} {
		if c.left > 0 {
			all = append(all, &c)
		}
	}
	return all
}

// keeps asks every counter, so that each counts what it has.
func (all counters) keeps(a Archive) bool {
	wanted := len(all) == 0
	for _, c := range all {
		wanted = c.keeps(a) || wanted
	}
	return wanted
}

func (c *counter) keeps(a Archive) bool {
	if c.period == nil {
		if c.left == 0 {
			return false
		}
		if a.Good {
			c.left--
		}
		return true
	}
	period := c.period(a.Time)
	if c.any && period.Equal(c.last) || c.left == 0 {
		return false
	}
	if a.Good {
		c.left--
		c.last, c.any = period, true
	}
	return true
}
