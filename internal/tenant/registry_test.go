package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/tenant"
)

var errBuild = errors.New("the settings are incomplete")

// street is a registry in a bubble, and how many tenants work at once.
type street struct {
	*testing.T
	*tenant.Registry
	// slow is how long a tenant takes to notice its end.
	slow    time.Duration
	working atomic.Int32
	most    atomic.Int32
	built   atomic.Int32
}

func inStreet(t *testing.T, f func(*street)) {
	synctest.Test(t, func(t *testing.T) { f(&street{T: t, Registry: tenant.NewRegistry()}) })
}

// build makes a tenant that works from its first reading to its end.
func (s *street) build(name string) func() (*tenant.Tenant, error) {
	return func() (*tenant.Tenant, error) {
		s.built.Add(1)
		f := directorytest.NewFake(capabilities())
		f.Every("List", directorytest.Fault{Before: func(ctx context.Context) {
			s.most.Store(max(s.most.Load(), s.working.Add(1)))
			<-ctx.Done()
			<-time.After(s.slow)
			s.working.Add(-1)
		}})
		return tenant.New(name, f, nil, interval, time.Now, &diary{}), nil
	}
}

func (s *street) ensure(name, fingerprint string) *tenant.Tenant {
	s.Helper()
	t, err := s.Ensure(s.Context(), name, fingerprint, s.build(name))
	if err != nil {
		s.Fatal(err)
	}
	return t
}

func TestEnsure(t *testing.T) {
	inStreet(t, func(s *street) {
		defer s.Stop("a")
		if s.Get("a") != nil {
			s.Error("nobody is there")
		}
		first := s.ensure("a", "1")
		if s.ensure("a", "1") != first || s.Get("a") != first || s.built.Load() != 1 {
			s.Error("the same fingerprint, and another tenant")
		}
		synctest.Wait()
		if s.working.Load() != 1 {
			s.Error("it does not run")
		}
	})
}

func TestP11ReplacementWaitsForTheEnd(t *testing.T) {
	inStreet(t, func(s *street) {
		defer s.Stop("a")
		s.slow = time.Minute
		first := s.ensure("a", "1")
		synctest.Wait()
		began := time.Now()
		second := s.ensure("a", "2")
		if second == first || s.Get("a") != second {
			s.Error("another fingerprint, and the same tenant")
		}
		if time.Since(began) != time.Minute {
			s.Errorf("replaced after %s", time.Since(began))
		}
		synctest.Wait()
		if s.most.Load() != 1 || s.working.Load() != 1 {
			s.Errorf("%d worked at once, %d work", s.most.Load(), s.working.Load())
		}
	})
}

func TestStopWaitsForTheEnd(t *testing.T) {
	inStreet(t, func(s *street) {
		s.slow = time.Minute
		s.ensure("a", "1")
		synctest.Wait()
		s.Stop("a")
		if s.working.Load() != 0 || s.Get("a") != nil {
			s.Error("it works after its end")
		}
		s.Stop("a")
		s.Stop("nobody")
		s.ensure("a", "1")
		if s.built.Load() != 2 {
			s.Error("a stopped tenant is not made anew")
		}
		s.Stop("a")
	})
}

func TestATenantThatCannotBeMade(t *testing.T) {
	inStreet(t, func(s *street) {
		s.ensure("a", "1")
		synctest.Wait()
		_, err := s.Ensure(s.Context(), "a", "2", func() (*tenant.Tenant, error) { return nil, errBuild })
		if !errors.Is(err, errBuild) || s.Get("a") != nil || s.working.Load() != 0 {
			s.Errorf("%v: credentials that were taken away are still used", err)
		}
		if again := s.ensure("a", "2"); s.Get("a") != again {
			s.Error("not made when it can be")
		}
		s.Stop("a")
	})
}

func TestTenantsEndWithTheirContext(t *testing.T) {
	inStreet(t, func(s *street) {
		ctx, cancel := context.WithCancel(s.Context())
		if _, err := s.Ensure(ctx, "a", "1", s.build("a")); err != nil {
			s.Fatal(err)
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if s.working.Load() != 0 {
			s.Error("it outlives its context")
		}
		s.Stop("a")
	})
}

// However many ask, two never work on one tenant.
func TestEnsureByMany(t *testing.T) {
	inStreet(t, func(s *street) {
		s.slow = time.Second
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { s.ensure("a", fmt.Sprint(i%3)) })
		}
		wg.Wait()
		synctest.Wait()
		if s.most.Load() != 1 || s.working.Load() != 1 || s.Get("a") == nil {
			s.Errorf("%d worked at once, %d work", s.most.Load(), s.working.Load())
		}
		s.Stop("a")
		if s.working.Load() != 0 {
			s.Error("one was left behind")
		}
	})
}

// A tenant that takes long to end keeps nobody else waiting.
func TestP11OneEndsSlowly(t *testing.T) {
	inStreet(t, func(s *street) {
		s.slow = time.Hour
		s.ensure("slow", "1")
		synctest.Wait()
		done := make(chan struct{})
		go func() { defer close(done); s.Stop("slow") }()
		synctest.Wait()
		began := time.Now()
		s.ensure("other", "1")
		if s.Get("other") == nil || s.Get("slow") != nil || time.Since(began) != 0 {
			s.Errorf("waited %s for somebody else's end", time.Since(began))
		}
		<-done
		s.Stop("other")
	})
}
