package tenant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// Observer is told of the calls to a tenant, for metrics.
type Observer = httpx.Observer

// Spec says how a tenant is reached, and how hard.
type Spec struct {
	Descriptor directory.Descriptor
	// Settings without HTTP, Throttled, Answered and Now, which Open fills in.
	Settings directory.Settings
	// CABundle is PEM; empty trusts the system's authorities.
	CABundle string
	// PerSecond is the most calls a second of all kinds together; 0 keeps to the
	// platform's documented limit of each operation instead.
	PerSecond float64
	// Interval between two readings of the directory.
	Interval time.Duration
	// Epoch changes when nothing may be carried out that was planned before.
	Epoch string
}

// Fingerprint changes when the tenant has to be opened anew. It covers secrets
// and stays in memory.
func (s Spec) Fingerprint() string {
	b, err := json.Marshal([]any{
		s.Descriptor.Platform, s.Settings.Tenant, s.Settings.Endpoint, s.Settings.LegacyEndpoint,
		s.Settings.NumberAttribute, s.Settings.Secrets, s.CABundle, s.Epoch,
	})
	if err != nil { // strings and bytes always marshal
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (s Spec) limits() httpx.Limits {
	if s.PerSecond > 0 {
		// Whoever sets the total knows better than the public documents.
		return httpx.Limits{Total: httpx.Rate{PerSecond: s.PerSecond}}
	}
	l := httpx.Limits{PerOperation: httpx.Rate{PerSecond: s.Descriptor.OperationsPerSecond}, Operations: map[string]httpx.Rate{}}
	for operation, perSecond := range s.Descriptor.SlowOperations {
		l.Operations[operation] = httpx.Rate{PerSecond: perSecond}
	}
	return l
}

// Open returns the tenant that s describes; Run starts it. The error says which
// setting is wrong.
func Open(name string, s Spec, observer Observer, now func() time.Time, events Events) (*Tenant, error) {
	budget := httpx.NewBudget(s.limits(), nil, observer)
	http, err := httpx.Client(httpx.Options{Budget: budget, CABundle: []byte(s.CABundle)})
	if err != nil {
		return nil, fmt.Errorf("caBundle: %w", err)
	}
	s.Settings.HTTP, s.Settings.Throttled, s.Settings.Now = http, budget.Throttled, now
	s.Settings.Answered = func(operation string, class directory.Class) { budget.Answered(operation, string(class)) }
	d, err := s.Descriptor.New(s.Settings)
	if err != nil {
		return nil, err
	}
	return New(name, d, budget, s.Interval, now, events), nil
}

// Pace applies what can change without opening the tenant anew.
func (t *Tenant) Pace(s Spec) {
	t.Budget.SetLimits(s.limits())
	t.SetInterval(s.Interval)
}
