package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// nights are archives of so many nights up to now, named by how old they are.
func nights(now time.Time, n int, change func(i int, a *Archive)) []Archive {
	var all []Archive
	for i := range n {
		a := Archive{Name: fmt.Sprint(i), Time: now.AddDate(0, 0, -i), Good: true}
		if change != nil {
			change(i, &a)
		}
		all = append(all, a)
	}
	return all
}

func named(archives []Archive) string {
	var all []string
	for _, a := range archives {
		all = append(all, a.Name)
	}
	return strings.Join(all, " ")
}

func TestKeep(t *testing.T) {
	now := at(t, "2026-11-25T02:10:00+08:00") // a Wednesday
	broken := func(bad ...int) func(int, *Archive) {
		return func(i int, a *Archive) { a.Good = !slices.Contains(bad, i) }
	}
	for _, c := range []struct {
		name     string
		archives []Archive
		rules    Rules
		keep     string
	}{
		{"without rules all", nights(now, 5, nil), Rules{}, "0 1 2 3 4"},
		{"the last three", nights(now, 5, nil), Rules{Last: 3}, "0 1 2"},
		{"the newest of each day", []Archive{{Name: "evening", Time: at(t, "2026-11-24T20:00:00+08:00"), Good: true}, {Name: "night", Time: at(t, "2026-11-24T02:00:00+08:00"), Good: true}, {Name: "before", Time: at(t, "2026-11-23T23:59:00+08:00"), Good: true}}, Rules{Daily: 2}, "evening before"},
		{"weeks begin on Monday", nights(now, 20, nil), Rules{Weekly: 3}, "0 3 10"},
		{"months", nights(now, 100, nil), Rules{Monthly: 3}, "0 25 56"},
		{"days and weeks together", nights(now, 30, nil), Rules{Daily: 3, Weekly: 3}, "0 1 2 3 10"},
		{"days that have none are not counted", []Archive{nights(now, 1, nil)[0], nights(now, 40, nil)[39]}, Rules{Daily: 2}, "0 39"},
		{"age alone keeps what is younger", nights(now, 10, nil), Rules{MaxAge: 72 * time.Hour}, "0 1 2 3"},
		{"age limits the other rules", nights(now, 10, nil), Rules{Last: 5, MaxAge: 48 * time.Hour}, "0 1 2"},
		{"the last good one outlives its age", nights(now.AddDate(0, 0, -400), 3, nil), Rules{MaxAge: 24 * time.Hour}, "0"},
		{"what is held stays", nights(now, 6, func(i int, a *Archive) { a.Held = i == 4 }), Rules{Last: 1}, "0 4"},
		{"a bad one takes nobody's place, and stays while nothing good is newer", nights(now, 5, broken(0, 1)), Rules{Last: 1}, "0 1 2"},
		{"a bad one goes when enough good ones are newer", nights(now, 5, broken(3)), Rules{Last: 2}, "0 1"},
		{"nothing is good: nothing goes", nights(now, 4, broken(0, 1, 2, 3)), Rules{Last: 1, MaxAge: time.Hour}, "0 1 2 3"},
		{"of those that left nothing three are kept", nights(now, 6, func(i int, a *Archive) { a.Good, a.Empty = i == 5, i != 5 }), Rules{Last: 1}, "0 1 2 5"},
		{"those of one moment are ordered by name", []Archive{{Name: "a", Time: now, Good: true}, {Name: "b", Time: now, Good: true}}, Rules{Last: 1}, "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			keep, remove := Keep(c.archives, c.rules, parsed(t, "@daily", "Asia/Shanghai").zone, now)
			if named(keep) != c.keep || len(keep)+len(remove) != len(c.archives) {
				t.Errorf("kept %q, removed %q, want %q kept", named(keep), named(remove), c.keep)
			}
		})
	}
}

// A day is one of the schedule's zone, also when it has 23 or 25 hours.
func TestKeepCountsDaysOfTheZone(t *testing.T) {
	zone := parsed(t, "@daily", "Europe/Berlin").zone
	archives := []Archive{
		{Name: "monday", Time: at(t, "2026-10-26T00:10:00+01:00"), Good: true},
		{Name: "sunday-late", Time: at(t, "2026-10-25T23:50:00+01:00"), Good: true},
		{Name: "sunday-early", Time: at(t, "2026-10-25T00:10:00+02:00"), Good: true},
		{Name: "saturday", Time: at(t, "2026-10-24T23:50:00+02:00"), Good: true},
	}
	keep, _ := Keep(archives, Rules{Daily: 3}, zone, at(t, "2026-10-26T01:00:00+01:00"))
	if named(keep) != "monday sunday-late saturday" {
		t.Errorf("kept %q", named(keep))
	}
}

// Whatever there is and whatever the rules: nothing is lost or twice, the last good one and those held stay, the order of
// what is given does not matter, and what was kept is kept when asked again.
func FuzzKeep(f *testing.F) {
	f.Add([]byte("0123456789"), uint8(1), uint8(2), uint8(0), uint8(0), uint8(0))
	f.Add([]byte{7, 255, 3, 129, 66, 66, 18}, uint8(0), uint8(0), uint8(1), uint8(1), uint8(9))
	zone := time.FixedZone("", 8*3600)
	f.Fuzz(func(t *testing.T, bytes []byte, last, daily, weekly, monthly, days uint8) {
		now := at(t, "2026-11-25T02:10:00+08:00")
		rules := Rules{Last: int(last % 5), Daily: int(daily % 5), Weekly: int(weekly % 5), Monthly: int(monthly % 5), MaxAge: time.Duration(days) * 24 * time.Hour}
		var archives []Archive
		for i, b := range bytes[:min(len(bytes), 64)] {
			a := Archive{Name: fmt.Sprint(i), Time: now.Add(-time.Duration(b) * 17 * time.Hour), Good: b%3 != 0, Held: b%11 == 0}
			a.Empty = !a.Good && b%2 == 0
			archives = append(archives, a)
		}
		given := slices.Clone(archives)
		keep, remove := Keep(archives, rules, zone, now)
		if !slices.Equal(given, archives) {
			t.Error("what was given is changed")
		}
		if len(keep)+len(remove) != len(archives) {
			t.Errorf("%d are kept and %d removed of %d", len(keep), len(remove), len(archives))
		}
		newest := func(in []Archive) (n time.Time) {
			for _, a := range in {
				if a.Good {
					n = later(n, a.Time)
				}
			}
			return n
		}
		for _, a := range remove {
			if a.Held || !a.Empty && newest(keep).Before(a.Time) {
				t.Errorf("%+v is removed, and %s is the newest good one kept", a, newest(keep))
			}
		}
		if !newest(keep).Equal(newest(archives)) {
			t.Errorf("the last good one is of %s, kept is %s", newest(archives), newest(keep))
		}
		slices.Reverse(archives)
		if again, _ := Keep(archives, rules, zone, now); named(again) != named(keep) {
			t.Errorf("the order matters: %q and %q", named(keep), named(again))
		}
		if again, gone := Keep(keep, rules, zone, now); len(gone) != 0 {
			t.Errorf("of %q only %q are kept when asked again", named(keep), named(again))
		}
	})
}
