package core

import (
	"sync"
	"time"
)

// Clock is the simulator's idea of now. It follows a source, by default the
// machine's clock, and can be moved forward, so that a test does not have to
// wait for a token to expire.
type Clock struct {
	source func() time.Time

	mu     sync.Mutex
	offset time.Duration
}

// NewClock returns a clock that follows source; nil means the machine's clock.
func NewClock(source func() time.Time) *Clock {
	if source == nil {
		source = time.Now
	}
	return &Clock{source: source}
}

// Now is the source's time plus everything the clock was advanced by.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.source().Add(c.offset)
}

// Advance moves the clock forward and returns the new time. It never goes back:
// a negative duration is ignored.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d > 0 {
		c.offset += d
	}
	return c.source().Add(c.offset)
}
