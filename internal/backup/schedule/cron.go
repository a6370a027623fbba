package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Cron is an expression in a time zone.
type Cron struct {
	minute, hour, dom, month, dow uint64
	zone                          *time.Location
}

// everyValue is the bit that the parser sets for fields that say "every".
const everyValue = 1 << 63

// horizon is how far ahead a next time is looked for: the 29th of February may be eight years away.
const horizon = 9

// fields are the parts of an expression, with the words for who wrote them wrong.
var fields = []struct{ name, values string }{
	{"minute", "0 to 59"},
	{"hour", "0 to 23"},
	{"day of the month", "1 to 31"},
	{"month", "1 to 12 or jan to dec"},
	{"day of the week", "0 (Sunday) to 6 or sun to sat"},
}

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// Parse reads an expression of five fields, or @hourly, @daily, @weekly, @monthly
// or @yearly, and the name of a time zone; an empty one is UTC. Errors say what to write.
func Parse(expression, zone string) (*Cron, error) {
	location, err := Zone(zone)
	if err != nil {
		return nil, err
	}
	if err := wrongField(expression); err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(expression)
	spec, ok := parsed.(*cron.SpecSchedule)
	if err != nil || !ok {
		return nil, fmt.Errorf("schedule: %q is not understood; write five fields, e.g. 0 2 * * * for two in the morning, or @hourly, @daily, @weekly, @monthly", expression)
	}
	c := &Cron{minute: spec.Minute, hour: spec.Hour, dom: spec.Dom, month: spec.Month, dow: spec.Dow, zone: location}
	if _, ok := c.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); !ok {
		return nil, fmt.Errorf("schedule: no month has the days that %q asks for", expression)
	}
	return c, nil
}

// Zone finds a time zone by its name in the IANA database; an empty name is UTC.
func Zone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, errors.New("timeZone: Local is another one on every machine; write a name such as Asia/Shanghai or UTC")
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("timeZone: the IANA database has no %q; write a name such as Asia/Shanghai or UTC", name)
	}
	return location, nil
}

// wrongField names the first field of five that cannot be read.
func wrongField(expression string) error {
	if strings.Contains(expression, "TZ=") {
		return errors.New("schedule: the time zone goes into timeZone, e.g. timeZone: Asia/Shanghai")
	}
	if strings.HasPrefix(expression, "@") {
		return nil
	}
	parts := strings.Fields(expression)
	if len(parts) != len(fields) {
		return fmt.Errorf("schedule: %q has %d fields; write five (minute, hour, day of the month, month, day of the week), e.g. 0 2 * * * for two in the morning", expression, len(parts))
	}
	for i, part := range parts {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = part
		if _, err := parser.Parse(strings.Join(alone, " ")); err != nil {
			return fmt.Errorf("schedule: %q is no %s; write %s, lists (1,15), ranges (1-5) and steps (*/10) of them, or *", part, fields[i].name, fields[i].values)
		}
	}
	return nil
}

// Next is the first time after t. There is always one, for what Parse has read.
func (c *Cron) Next(t time.Time) (time.Time, bool) {
	t = t.In(c.zone).Truncate(time.Minute).Add(time.Minute)
	for end := t.AddDate(horizon, 0, 0); t.Before(end); {
		sinceHour := time.Duration(t.Minute()) * time.Minute
		switch {
		case c.month&(1<<uint(t.Month())) == 0 || !c.onDay(t):
			t = ahead(t, 24*time.Hour-time.Duration(t.Hour())*time.Hour-sinceHour)
		case c.hour&(1<<uint(t.Hour())) == 0:
			t = ahead(t, time.Hour-sinceHour)
		case c.minute&(1<<uint(t.Minute())) == 0:
			t = ahead(t, time.Minute)
		default:
			return t, true
		}
	}
	return time.Time{}, false
}

// ahead goes on by d, but not beyond a change of the clocks.
func ahead(t time.Time, d time.Duration) time.Time {
	next := t.Add(d)
	if _, change := t.ZoneBounds(); !change.IsZero() && next.After(change) {
		return change
	}
	return next
}

// onDay reports whether the day is meant: by both fields for days if one of them
// says "every", else by either, as cron has always had it.
func (c *Cron) onDay(t time.Time) bool {
	dom, dow := c.dom&(1<<uint(t.Day())) != 0, c.dow&(1<<uint(t.Weekday())) != 0
	if c.dom&everyValue != 0 || c.dow&everyValue != 0 {
		return dom && dow
	}
	return dom || dow
}
