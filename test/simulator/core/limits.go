package core

import (
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"
)

// Scope is what the calls of a rule are counted by.
type Scope string

// The scopes of rules.
const (
	ScopeOperation Scope = "operation" // per credential and operation
	ScopeTenant    Scope = "tenant"    // per tenant and operation, whatever the credential
	ScopePath      Scope = "path"      // per operation, whoever calls it
	ScopeOverall   Scope = "overall"   // all calls to the platform
	ScopeIP        Scope = "ip"        // all calls to the platform; beyond it the address is banned

	// ScopeConcurrent is no scope of a rule; it is what Platform.Throttled is
	// told when too many calls run at the same time.
	ScopeConcurrent Scope = "concurrent"
)

// Rule allows Calls per Per and Concurrent at a time. With Block it counts in
// windows of length Per and refuses everything for Block once a window is
// exceeded; without, it is a bucket of Burst tokens that refills at that rate.
type Rule struct {
	Scope      Scope
	Calls      float64 // 0: not limited by number
	Per        time.Duration
	Burst      float64       // 0: Calls, at least 1
	Block      time.Duration // no call passes for so long once it was exceeded
	Concurrent int           // 0: not limited
}

// MarshalJSON writes durations in words.
func (r Rule) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"scope": r.Scope, "calls": r.Calls, "per": r.Per.String(), "burst": r.burst(),
		"block": r.Block.String(), "concurrent": r.Concurrent,
	})
}

// Limits is the short form of rules that flags and PUT /limits take.
type Limits struct {
	PerSecond        float64 `json:"perSecond,omitempty"` // per credential and operation
	Burst            float64 `json:"burst,omitempty"`
	OverallPerSecond float64 `json:"overallPerSecond,omitempty"`
	OverallBurst     float64 `json:"overallBurst,omitempty"`
	BlockSeconds     float64 `json:"blockSeconds,omitempty"` // after a limit was exceeded
	Concurrent       int     `json:"concurrent,omitempty"`   // per credential and operation
	Unlimited        bool    `json:"unlimited,omitempty"`
	Documented       bool    `json:"documented,omitempty"` // the platform's published limits as well
}

// Rules spells the short form out. Nothing set is an error, so that a typing
// mistake does not lift the limits.
func (l Limits) Rules(documented []Rule) ([]Rule, error) {
	if l.PerSecond < 0 || l.Burst < 0 || l.OverallPerSecond < 0 || l.OverallBurst < 0 || l.BlockSeconds < 0 || l.Concurrent < 0 {
		return nil, fmt.Errorf("limits must not be negative")
	}
	var rules []Rule
	if l.Documented {
		rules = append(rules, documented...)
	}
	if l.PerSecond > 0 || l.Concurrent > 0 {
		rules = append(rules, Rule{ScopeOperation, l.PerSecond, time.Second, l.Burst, Seconds(l.BlockSeconds), l.Concurrent})
	}
	if l.OverallPerSecond > 0 {
		rules = append(rules, Rule{ScopeOverall, l.OverallPerSecond, time.Second, l.OverallBurst, Seconds(l.BlockSeconds), 0})
	}
	if len(rules) == 0 && !l.Unlimited {
		return nil, fmt.Errorf("say perSecond, overallPerSecond, concurrent, documented or unlimited")
	}
	return rules, nil
}

type bucketKey struct {
	rule int
	key  string
}

type bucket struct {
	tokens  float64
	filled  time.Time // or the start of the window
	blocked time.Time // no call passes before
	running int
}

type regime struct {
	documented []Rule
	initial    []Rule // in force at the start, and again after a reset
	rules      []Rule
	buckets    map[bucketKey]*bucket
}

// Limiter counts the calls of every platform against its rules.
type Limiter struct {
	clock *Clock

	mu      sync.Mutex
	regimes map[string]*regime
}

func newLimiter(clock *Clock) *Limiter {
	return &Limiter{clock: clock, regimes: map[string]*regime{}}
}

func (l *Limiter) document(platform string, rules []Rule) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.regimes[platform] = &regime{documented: rules, initial: rules, rules: rules, buckets: map[bucketKey]*bucket{}}
}

// Set replaces the rules of a platform. With initial they are also what a
// reset comes back to.
func (l *Limiter) Set(platform string, limits Limits, initial bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.regimes[platform]
	if g == nil {
		return fmt.Errorf("platform %q: %w", platform, ErrNotFound)
	}
	rules, err := limits.Rules(g.documented)
	if err != nil {
		return err
	}
	g.rules, g.buckets = rules, map[bucketKey]*bucket{}
	if initial {
		g.initial = rules
	}
	return nil
}

// Rules gives the rules in force by platform.
func (l *Limiter) Rules() map[string][]Rule {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string][]Rule{}
	for name, g := range l.regimes {
		all[name] = append([]Rule{}, g.rules...)
	}
	return all
}

// Reset brings back the rules of the start and empties all counts.
func (l *Limiter) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.regimes {
		g.rules, g.buckets = g.initial, map[bucketKey]*bucket{}
	}
}

// take counts a call. It returns the function to call at its end, or nil and
// the scope of the rule that refused it.
func (l *Limiter) take(c *Call) (release func(), refused Scope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.regimes[c.Platform]
	now := l.clock.Now()
	var taken, running []*bucket
	for i, r := range g.rules {
		b := g.bucket(i, r, c, now)
		if scope := b.take(r, now); scope != "" {
			for _, other := range taken {
				other.tokens++ // the call does not happen, so nobody counts it
			}
			for _, other := range running {
				other.running--
			}
			return nil, scope
		}
		if r.Calls > 0 {
			taken = append(taken, b)
		}
		if r.Concurrent > 0 {
			b.running++
			running = append(running, b)
		}
	}
	return func() { l.release(running) }, ""
}

func (l *Limiter) release(running []*bucket) {
	if len(running) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range running {
		b.running--
	}
}

func (g *regime) bucket(i int, r Rule, c *Call, now time.Time) *bucket {
	k := bucketKey{rule: i}
	switch r.Scope {
	case ScopeOperation:
		k.key = c.Tenant + "\x00" + c.Credential + "\x00" + c.Operation
	case ScopeTenant:
		k.key = c.Tenant + "\x00" + c.Operation
	case ScopePath:
		k.key = c.Operation
	}
	b := g.buckets[k]
	if b == nil {
		b = &bucket{tokens: r.burst(), filled: now}
		if r.Block > 0 {
			b.tokens = r.Calls
		}
		g.buckets[k] = b
	}
	return b
}

func (r Rule) burst() float64 {
	if r.Burst > 0 {
		return r.Burst
	}
	return max(r.Calls, 1)
}

// take takes one call from the bucket, or gives the scope that refuses it.
func (b *bucket) take(r Rule, now time.Time) (refused Scope) {
	if now.Before(b.blocked) {
		return r.Scope
	}
	if r.Concurrent > 0 && b.running >= r.Concurrent {
		return ScopeConcurrent
	}
	if r.Calls <= 0 {
		return ""
	}
	b.refill(r, now)
	if b.tokens < 1-1e-9 { // the sum of many small refills
		b.blocked = now.Add(r.Block)
		return r.Scope
	}
	b.tokens--
	return ""
}

func (b *bucket) refill(r Rule, now time.Time) {
	passed := now.Sub(b.filled)
	switch {
	case r.Block == 0:
		b.tokens = math.Min(r.burst(), b.tokens+passed.Seconds()*r.Calls/r.Per.Seconds())
		b.filled = now
	case passed >= r.Per:
		b.tokens, b.filled = r.Calls, now
	}
}
