package schedule

import (
	"testing"
	"time"
)

const day = "2026-11-25T"

func TestDue(t *testing.T) {
	never := time.Time{}
	nightly, minutely := parsed(t, "0 2 * * *", "Asia/Shanghai"), parsed(t, "* * * * *", "")
	created := at(t, "2026-11-20T12:00:00+08:00")
	for _, c := range []struct {
		name      string
		spec      Spec
		last, now time.Time
		due       string
		missed    int
		next      string
	}{
		{"nothing is due before the first time", Spec{Cron: nightly}, never, at(t, "2026-11-20T23:00:00+08:00"), "", 0, "2026-11-21T02:00:00+08:00"},
		{"the first time", Spec{Cron: nightly}, never, at(t, "2026-11-21T02:00:00+08:00"), "2026-11-21T02:00:00+08:00", 0, "2026-11-22T02:00:00+08:00"},
		{"once for each time", Spec{Cron: nightly}, at(t, "2026-11-21T02:00:00+08:00"), at(t, "2026-11-21T02:00:01+08:00"), "", 0, "2026-11-22T02:00:00+08:00"},
		{"the newest of three missed, once", Spec{Cron: nightly}, at(t, "2026-11-21T02:00:00+08:00"), at(t, "2026-11-24T09:00:00+08:00"), "2026-11-24T02:00:00+08:00", 2, "2026-11-25T02:00:00+08:00"},
		{"in time for the deadline", Spec{Cron: nightly, Deadline: time.Hour}, at(t, "2026-11-21T02:00:00+08:00"), at(t, "2026-11-22T03:00:00+08:00"), "2026-11-22T02:00:00+08:00", 0, "2026-11-23T02:00:00+08:00"},
		{"too late for the deadline", Spec{Cron: nightly, Deadline: time.Hour}, at(t, "2026-11-21T02:00:00+08:00"), at(t, "2026-11-22T03:00:01+08:00"), "", 1, "2026-11-23T02:00:00+08:00"},
		{"not before its jitter is over", Spec{Cron: nightly, Jitter: 10 * time.Minute}, never, at(t, "2026-11-21T02:09:59+08:00"), "", 0, "2026-11-21T02:10:00+08:00"},
		{"when its jitter is over, for the time on the clock", Spec{Cron: nightly, Jitter: 10 * time.Minute}, never, at(t, "2026-11-21T02:10:00+08:00"), "2026-11-21T02:00:00+08:00", 0, "2026-11-22T02:10:00+08:00"},
		{"a jitter that became longer starts nothing again", Spec{Cron: nightly, Jitter: time.Hour}, at(t, "2026-11-21T02:00:00+08:00"), at(t, "2026-11-21T03:30:00+08:00"), "", 0, "2026-11-22T03:00:00+08:00"},
		{"more than a hundred missed", Spec{Cron: minutely}, at(t, "2026-11-21T02:00:00Z"), at(t, "2026-11-25T02:00:30Z"), day + "02:00:00Z", Many + 1, day + "02:01:00Z"},
		{"ten years of minutes", Spec{Cron: minutely}, at(t, "2016-11-21T02:00:00Z"), at(t, "2026-11-25T02:00:30Z"), day + "02:00:00Z", Many + 1, day + "02:01:00Z"},
		{"a clock that was put back", Spec{Cron: nightly}, at(t, "2026-11-24T02:00:00+08:00"), at(t, "2026-11-21T09:00:00+08:00"), "", 0, "2026-11-25T02:00:00+08:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := Due(c.spec, c.last, created, c.now)
			var due time.Time
			if c.due != "" {
				due = at(t, c.due)
			}
			if !run.Due.Equal(due) || run.Missed != c.missed || !run.Next.Equal(at(t, c.next)) {
				t.Errorf("due %s, missed %d, next %s; want %s, %d, %s", run.Due, run.Missed, run.Next, c.due, c.missed, c.next)
			}
		})
	}
}

// Whatever the expression, the zone and the downtime: what is due is the newest time that nothing was started for, it is
// due once, and what comes next is later than now.
func FuzzDue(f *testing.F) {
	f.Add(uint8(0), uint8(1), int64(1774700000), uint32(86400), uint32(0), uint16(0))
	f.Add(uint8(3), uint8(3), int64(1775300000), uint32(604800), uint32(3600), uint16(900))
	expressions := []string{"0 2 * * *", "30 2 * * *", "*/7 * * * *", "0 2 * * mon", "15,45 1-3 */5 * *", "0 0 1 * *", "* * * 1-6 *"}
	zones := []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Shanghai"}
	f.Fuzz(func(t *testing.T, expression, zone uint8, unix int64, down, deadline uint32, jitter uint16) {
		const years = 40 * 365 * 86400
		last := time.Unix((unix%years+years)%years, 0)
		now := last.Add(time.Duration(down%(3*365*86400)) * time.Second)
		s := Spec{
			Cron:   parsed(t, expressions[int(expression)%len(expressions)], zones[int(zone)%len(zones)]),
			Jitter: time.Duration(jitter) * time.Second, Deadline: time.Duration(deadline) * time.Second,
		}
		run := Due(s, last, last, now)
		if !run.Next.After(now) {
			t.Errorf("next is %s, not after %s", run.Next, now)
		}
		if run.Due.IsZero() {
			if run.Missed == 0 {
				if first, _ := s.Cron.Next(last); !first.Add(s.Jitter).After(now) {
					t.Errorf("%s was due at %s and nobody says so", first, now)
				}
			}
			return
		}
		if !run.Due.After(last) || run.Due.Add(s.Jitter).After(now) || (s.Deadline > 0 && now.Sub(run.Due.Add(s.Jitter)) > s.Deadline) {
			t.Errorf("%s is due at %s, last %s, deadline %s", run.Due, now, last, s.Deadline)
		}
		if following, _ := s.Cron.Next(run.Due); !following.Add(s.Jitter).After(now) {
			t.Errorf("%s is due at %s although %s is newer", run.Due, now, following)
		}
		if again := Due(s, run.Due, last, now); !again.Due.IsZero() || again.Missed != 0 || !again.Next.Equal(run.Next) {
			t.Errorf("it is due again: %+v after %+v", again, run)
		}
	})
}

// Schedules of one time are spread, and each stays where it is.
func TestJitter(t *testing.T) {
	seen := map[time.Duration]int{}
	for _, key := range []string{"acme/wecom", "acme/dingtalk", "globex/wecom", "globex/dingtalk", "initech/wecom"} {
		j := Jitter(key, time.Hour)
		if j < 0 || j >= time.Hour || j != Jitter(key, time.Hour) || j%time.Second != 0 {
			t.Errorf("%s waits %s", key, j)
		}
		seen[j]++
	}
	if len(seen) < 5 || Jitter("acme/wecom", 0) != 0 || Jitter("acme/wecom", time.Millisecond) != 0 {
		t.Errorf("delays are %v", seen)
	}
}

func TestOverdue(t *testing.T) {
	nightly, hourly := Spec{Cron: parsed(t, "0 2 * * *", "")}, Spec{Cron: parsed(t, "@hourly", ""), Jitter: 10 * time.Minute}
	created := at(t, day+"00:30:00Z")
	for _, c := range []struct {
		name      string
		spec      Spec
		good, now string
		since     string
		recheck   string
	}{
		{"nothing was due yet", nightly, "", day + "01:00:00Z", "", day + "14:00:00Z"},
		{"it may still become good", nightly, "", day + "13:59:59Z", "", day + "14:00:00Z"},
		{"its time is over", nightly, "", day + "14:00:00Z", day + "02:00:00Z", ""},
		{"it is good", nightly, day + "02:00:00Z", day + "20:00:00Z", "", "2026-11-26T14:00:00Z"},
		{"an hour is the least, after the jitter", hourly, day + "01:00:00Z", day + "03:09:59Z", "", day + "03:10:00Z"},
		{"an hour is over", hourly, day + "01:00:00Z", day + "03:10:00Z", day + "02:00:00Z", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			moment := func(text string) time.Time {
				if text == "" {
					return time.Time{}
				}
				return at(t, text)
			}
			since, overdue, recheck := Overdue(c.spec, moment(c.good), created, at(t, c.now))
			if overdue != (c.since != "") || !since.Equal(moment(c.since)) || !recheck.Equal(moment(c.recheck)) {
				t.Errorf("overdue %v since %s, look again %s", overdue, since, recheck)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		policy  Policy
		running int
		want    Step
	}{
		{Forbid, 0, Start}, {Forbid, 1, Wait}, {Allow, 0, Start}, {Allow, 3, Start}, {Replace, 0, Start}, {Replace, 2, StartAfterEnding},
	} {
		if got := Decide(c.policy, c.running); got != c.want {
			t.Errorf("policy %d with %d running: %d, want %d", c.policy, c.running, got, c.want)
		}
	}
}
