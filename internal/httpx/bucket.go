package httpx

import "time"

const (
	// defaultPause is how long an operation is blocked when the platform says
	// "too fast" without saying for how long. DingTalk asks for at least one
	// second: https://open.dingtalk.com/document/development/how-to-process-api-throttling-on-the-dingtalk-server
	defaultPause = time.Second
	// recovery is how long a rate takes to climb from nothing to its limit.
	recovery = time.Minute
	// catchUp is how late a turn may come and yet count as if it had come in
	// time. Timers come late, by milliseconds on a busy machine: at 200 calls a
	// second that would cost a tenth of the rate.
	catchUp = 20 * time.Millisecond
	// floorShare: throttling never cuts below this part of the limit.
	floorShare = 1.0 / 32
)

// bucket paces one operation, or the whole tenant. It is a token bucket kept as
// one instant (the "generic cell rate algorithm"): exact in integers of time
// where counting fractions of tokens drifts. Not safe for concurrent use.
type bucket struct {
	limit Rate
	// due is when the next call is due at even spacing. A burst may run ahead.
	due time.Time
	// blocked is until when the platform asked for silence.
	blocked time.Time
	// cut is the rate per second from which recovery started at cutAt.
	cut   float64
	cutAt time.Time
	// peak stands in for the limit where none is configured: what the tenant
	// did per second when the platform found it too much.
	peak float64

	second       int64 // of the Unix epoch, in which count calls went
	count, prior int
}

// ceiling is what the rate recovers to, per second.
func (b *bucket) ceiling() float64 {
	if b.limit.PerSecond > 0 {
		return b.limit.PerSecond
	}
	return b.peak
}

// learned returns the rate learned from throttling, and whether one is in force.
func (b *bucket) learned(now time.Time) (float64, bool) {
	if b.cut == 0 {
		return 0, false
	}
	top := b.ceiling()
	r := b.cut + top*max(0, now.Sub(b.cutAt).Seconds())/recovery.Seconds()
	return r, r < top
}

// rate is the rate in force, per second; 0 = unlimited.
func (b *bucket) rate(now time.Time) float64 {
	if r, ok := b.learned(now); ok {
		return r
	}
	return b.limit.PerSecond
}

func spacing(perSecond float64) time.Duration {
	return time.Duration(float64(time.Second) / perSecond)
}

// next is the earliest instant at which a call may go.
func (b *bucket) next(now time.Time) time.Time {
	r := b.rate(now)
	if r == 0 {
		return b.blocked
	}
	at := b.due
	// A platform that has just complained is not tried with a burst.
	if _, careful := b.learned(now); !careful && b.limit.Burst > 1 {
		at = at.Add(-time.Duration(b.limit.Burst-1) * spacing(r))
	}
	if at.Before(b.blocked) {
		return b.blocked
	}
	return at
}

// take accounts for one call that goes now and has waited since then.
func (b *bucket) take(now, since time.Time) {
	if s := now.Unix(); s != b.second {
		if b.prior = b.count; s != b.second+1 {
			b.prior = 0
		}
		b.second, b.count = s, 0
	}
	b.count++
	r := b.rate(now)
	if r == 0 {
		return
	}
	// The call was due at the latest of these; before it waited nobody was late.
	for _, earliest := range []time.Time{since, now.Add(-catchUp), b.blocked} {
		if b.due.Before(earliest) {
			b.due = earliest
		}
	}
	b.due = b.due.Add(spacing(r))
}

// throttled blocks the bucket and halves its rate. The many answers to one burst
// count once: while it is blocked, an answer only makes the block longer.
func (b *bucket) throttled(now time.Time, pause time.Duration) {
	if pause <= 0 {
		pause = defaultPause
	}
	already := now.Before(b.blocked)
	if until := now.Add(pause); until.After(b.blocked) {
		b.blocked = until
	}
	if !already {
		b.halve(now)
	}
	b.cutAt = b.blocked
}

func (b *bucket) halve(now time.Time) {
	r, careful := b.learned(now)
	if !careful {
		b.peak = float64(max(b.count, b.prior, 1))
		r = b.ceiling()
	}
	b.cut = max(r/2, b.ceiling()*floorShare)
}
