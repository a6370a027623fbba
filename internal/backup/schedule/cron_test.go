package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

func parsed(t testing.TB, expression, zone string) *Cron {
	t.Helper()
	c, err := Parse(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

// Errors name the field and say what to write.
func TestParseSaysWhatToWrite(t *testing.T) {
	for _, c := range []struct {
		expression, zone string
		says             []string
	}{
		{"60 2 * * *", "", []string{`"60" is no minute`, "0 to 59"}},
		{"0 24 * * *", "", []string{`"24" is no hour`, "0 to 23"}},
		{"0 2 0 * *", "", []string{`"0" is no day of the month`, "1 to 31"}},
		{"0 2 * 13 *", "", []string{`"13" is no month`, "jan to dec"}},
		{"0 2 * * 7", "", []string{`"7" is no day of the week`, "0 (Sunday) to 6"}},
		{"0 2 * * mon-fry", "", []string{"mon-fry", "sun to sat"}},
		{"0 2 * *", "", []string{"has 4 fields", "0 2 * * *"}},
		{"0 0 2 * * *", "", []string{"has 6 fields"}},
		{"", "", []string{"has 0 fields"}},
		{"@every 1h", "", []string{"@every 1h", "@hourly"}},
		{"@nightly", "", []string{"@nightly", "@daily"}},
		{"CRON_TZ=Asia/Shanghai 0 2 * * *", "", []string{"timeZone: Asia/Shanghai"}},
		{"0 2 30 2 *", "", []string{"no month has the days"}},
		{"0 2 * * *", "Beijing", []string{`no "Beijing"`, "Asia/Shanghai"}},
		{"0 2 * * *", "Local", []string{"Asia/Shanghai"}},
	} {
		_, err := Parse(c.expression, c.zone)
		if err == nil {
			t.Errorf("%q in %q is taken", c.expression, c.zone)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%q in %q: %q does not say %q", c.expression, c.zone, err, says)
			}
		}
	}
}

// What follows what, where clocks change: in the middle of the night, at midnight, by half an hour, and no longer.
func TestNextWhereClocksChange(t *testing.T) {
	for _, c := range []struct {
		name, expression, zone, after string
		next                          []string
	}{
		{"an ordinary night", "0 2 * * *", "Asia/Shanghai", "2026-11-25T12:00:00+08:00", []string{"2026-11-26T02:00:00+08:00", "2026-11-27T02:00:00+08:00"}},
		{"forward: what is left out does not run", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00+01:00", []string{"2026-03-30T02:30:00+02:00"}},
		{"forward: what stands beside it runs", "0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00+01:00", []string{"2026-03-29T03:00:00+02:00"}},
		{"forward: hours go on", "0 * * * *", "Europe/Berlin", "2026-03-29T00:30:00+01:00", []string{"2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"}},
		{"back: what is shown twice runs twice", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"}},
		{"back: hours go on", "0 * * * *", "Europe/Berlin", "2026-10-25T01:30:00+02:00", []string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"}},
		{"forward at midnight", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00", []string{"2018-11-05T00:00:00-02:00"}},
		{"forward at midnight, one in the morning", "0 1 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00", []string{"2018-11-04T01:00:00-02:00"}},
		{"forward at midnight on the day", "30 12 4 11 *", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00", []string{"2018-11-04T12:30:00-02:00"}},
		{"back at midnight", "30 23 * * *", "America/Sao_Paulo", "2018-02-17T12:00:00-02:00", []string{"2018-02-17T23:30:00-02:00", "2018-02-17T23:30:00-03:00", "2018-02-18T23:30:00-03:00"}},
		{"no change since 2019", "30 23 * * *", "America/Sao_Paulo", "2026-02-14T12:00:00-03:00", []string{"2026-02-14T23:30:00-03:00", "2026-02-15T23:30:00-03:00"}},
		{"half an hour forward", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00+10:30", []string{"2026-10-05T02:15:00+11:00"}},
		{"half an hour forward, beside it", "45 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00+10:30", []string{"2026-10-04T02:45:00+11:00"}},
		{"half an hour back", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00+11:00", []string{"2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-06T01:45:00+10:30"}},
		{"half an hour back, the full hour after it", "0 2 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00+11:00", []string{"2026-04-05T02:00:00+10:30", "2026-04-06T02:00:00+10:30"}},
		{"Newfoundland, one minute after midnight", "5 23 * * *", "America/St_Johns", "2010-11-06T12:00:00-02:30", []string{"2010-11-06T23:05:00-02:30", "2010-11-06T23:05:00-03:30"}},
		{"a leap day", "0 2 29 2 *", "UTC", "2096-03-01T00:00:00Z", []string{"2104-02-29T02:00:00Z"}},
		{"either day", "0 2 1 * mon", "UTC", "2026-11-25T00:00:00Z", []string{"2026-11-30T02:00:00Z", "2026-12-01T02:00:00Z", "2026-12-07T02:00:00Z"}},
		{"one day of the week", "0 2 * * mon", "UTC", "2026-11-25T00:00:00Z", []string{"2026-11-30T02:00:00Z", "2026-12-07T02:00:00Z"}},
		{"a word", "@weekly", "UTC", "2026-11-25T00:00:00Z", []string{"2026-11-29T00:00:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cron, now := parsed(t, c.expression, c.zone), at(t, c.after)
			for _, want := range c.next {
				next, ok := cron.Next(now)
				if !ok || !next.Equal(at(t, want)) {
					t.Fatalf("after %s comes %s, want %s", now, next, want)
				}
				now = next
			}
		})
	}
}

// Where clocks do not change by parts of an hour, the times are those of the library that CronJob uses.
func FuzzNextIsCronJobs(f *testing.F) {
	f.Add(int64(1774740000), uint8(0), uint8(2), uint8(0), uint8(0), uint8(1))
	f.Add(int64(1792800000), uint8(30), uint8(2), uint8(0), uint8(0), uint8(1))
	f.Add(int64(1541214000), uint8(0), uint8(1), uint8(4), uint8(0), uint8(2))
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai"}
	f.Fuzz(func(t *testing.T, unix int64, minute, hour, dom, dow, zone uint8) {
		const century = 36525 * 86400
		after := time.Unix((unix%century+century)%century, 0)
		expression := fmt.Sprintf("%d %d %s * %s", minute%60, hour%24, orEvery(dom%32), orEvery(dow%7))
		name := zones[int(zone)%len(zones)]
		theirs, err := cron.ParseStandard("CRON_TZ=" + name + " " + expression)
		if err != nil {
			t.Fatal(err)
		}
		want := theirs.Next(after.In(parsed(t, expression, name).zone))
		if got, ok := parsed(t, expression, name).Next(after); !ok || !got.Equal(want) {
			t.Errorf("%q in %s: after %s comes %s, CronJob says %s", expression, name, after.UTC(), got, want)
		}
	})
}

func orEvery(n uint8) string {
	if n == 0 {
		return "*"
	}
	return fmt.Sprint(n)
}
