package httpx

import (
	"testing"
	"time"
)

// A timer that comes late does not cost the tenant its rate, and a rest is no reason to hurry.
func TestOnlyLatenessIsMadeUpFor(t *testing.T) {
	start := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, c := range []struct {
		name string
		// rest is the pause between the end of the wait of one call and the arrival of the next.
		rest, late, want time.Duration
	}{
		{"in time", 0, 0, 5 * time.Second},
		{"a little late each time", 0, 2 * time.Millisecond, 5 * time.Second},
		{"late by more than counts", 0, 45 * time.Millisecond, 25 * time.Second},
		{"rested before each call", 10 * time.Millisecond, 0, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := bucket{limit: Rate{PerSecond: 200}}
			now := start
			b.take(now, now)
			for range 1000 {
				since := now.Add(c.rest)
				turn := since
				if at := b.next(since); at.After(turn) {
					turn = at.Add(c.late)
				}
				now = turn
				b.take(now, since)
			}
			if got := now.Sub(start); got < c.want || got > c.want+50*time.Millisecond {
				t.Errorf("1000 calls at 200/s took %s, want %s", got, c.want)
			}
		})
	}
}
