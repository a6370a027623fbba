package tenant

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/linked"
)

// LinkedEvents tells the controllers what happened. Its methods must not block.
type LinkedEvents interface {
	// Surveyed: the linked system was read, or the attempt failed.
	Surveyed(system string, c linked.Changes, err error)
	// Finished: a task of the lane ended.
	Finished(system, key string)
	// Links are the ids of the accounts of people that are ours in the system.
	Links(ctx context.Context, system string) []string
}

// Linked is one managed linked system. Create with NewLinked, start with Run.
type Linked struct {
	// Name is "<namespace>/<name>" of the LinkedSystem.
	Name   string
	System linked.System
	Mirror *linked.Mirror
	Lane   *execute.Lane
	Budget *httpx.Budget
	// Orders makes the keys of what is asked of the system.
	Orders *execute.Orders
	// Trail takes a record of every change; nil keeps none. Set it before Run.
	Trail *audit.Log

	pace
	events LinkedEvents
}

// NewLinked returns a linked system that does nothing until Run. uid is the LinkedSystem's.
func NewLinked(name, uid string, s linked.System, b *httpx.Budget, interval time.Duration, now func() time.Time, events LinkedEvents) *Linked {
	l := &Linked{
		Name: name, System: s, Budget: b, Mirror: linked.NewMirror(now), Orders: execute.NewOrders(uid),
		events: events, pace: newPace(interval),
	}
	l.Lane = execute.NewLane("linked/"+name, now, func(key string) { events.Finished(name, key) })
	return l
}

// linkedWorkers carry out plans in one linked system side by side; the budget decides how fast.
const linkedWorkers = 8

// Run keeps the mirror fresh and works the lane until ctx ends, and closes the system.
func (l *Linked) Run(ctx context.Context) {
	defer l.System.Close()
	defer record(ctx, l.Trail)()
	var wg sync.WaitGroup
	wg.Go(func() { l.Lane.Run(ctx, linkedWorkers) })
	l.again(ctx, func(ctx context.Context) (tell func(), err error) {
		changes, err := l.Mirror.Refresh(httpx.WithPriority(ctx, httpx.Sweep), l.System, l.events.Links(ctx, l.Name))
		return func() { l.events.Surveyed(l.Name, changes, err) }, err
	})
	wg.Wait()
}

// LinkedSpec says how a linked system is reached, and how hard.
type LinkedSpec struct {
	// UID of the LinkedSystem.
	UID string
	// Declared is what is declared of the protocol, as it is compared: anything that marshals.
	Declared any
	// Open makes the system.
	Open func(linked.Settings) (linked.System, error)
	// Secrets holds the keys of the credentials Secret.
	Secrets map[string][]byte
	// Attributes are the names that are read and written.
	Attributes []string
	// CABundle is PEM; empty trusts the system's authorities.
	CABundle string
	// PerSecond is the most calls a second; 0 is 10.
	PerSecond float64
	// Interval between two readings.
	Interval time.Duration
	// Epoch changes when nothing may be carried out that was planned before.
	Epoch string
}

// linkedPerSecond is how many calls a second go where nothing else is declared.
const linkedPerSecond = 10

func (s *LinkedSpec) limits() httpx.Limits {
	return httpx.Limits{Total: httpx.Rate{PerSecond: cmp.Or(s.PerSecond, linkedPerSecond)}}
}

// Fingerprint changes when the system has to be opened anew. It covers secrets and stays in memory.
func (s *LinkedSpec) Fingerprint() string {
	b, err := json.Marshal([]any{s.UID, s.Declared, s.Secrets, s.Attributes, s.CABundle, s.Epoch})
	if err != nil { // what the API declares always marshals
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// OpenLinked returns the linked system that s describes; Run starts it. The error says which setting is wrong.
func OpenLinked(name string, s *LinkedSpec, observer Observer, now func() time.Time, events LinkedEvents) (*Linked, error) {
	budget := httpx.NewBudget(s.limits(), nil, observer)
	http, err := httpx.Client(httpx.Options{Budget: budget, CABundle: []byte(s.CABundle)})
	if err != nil {
		return nil, fmt.Errorf("caBundle: %w", err)
	}
	system, err := s.Open(linked.Settings{
		Secrets: s.Secrets, Attributes: s.Attributes, HTTP: http, Throttled: budget.Throttled, Now: now,
		Answered: func(operation string, class directory.Class) { budget.Answered(operation, string(class)) },
		Spend: func(ctx context.Context, operation string, call func(context.Context) error) error {
			made := false
			err := budget.Spend(httpx.WithOperation(ctx, operation), func(ctx context.Context) error { made = true; return call(ctx) })
			if made { // what came of it only the caller can tell: a write may be lost (P3)
				return err
			}
			return spent(operation, err)
		},
	})
	if err != nil {
		return nil, err
	}
	return NewLinked(name, s.UID, system, budget, s.Interval, now, events), nil
}

// spent says in the domain's words why a call was not made.
func spent(operation string, err error) error {
	var refused *httpx.Error
	if !errors.As(err, &refused) {
		return err
	}
	e := &directory.Error{Class: directory.Unavailable, Operation: operation, Message: "the linked system does not answer", RetryAfter: refused.RetryAfter, Err: err}
	if errors.Is(err, httpx.ErrThrottled) {
		e.Class, e.Message = directory.RateLimited, "the linked system asked for a pause"
	}
	return e
}

// Pace applies what can change without opening the system anew.
func (l *Linked) Pace(s *LinkedSpec) {
	l.Budget.SetLimits(s.limits())
	l.SetInterval(s.Interval)
}
