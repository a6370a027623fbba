package tenant

import (
	"context"
	"sync"
)

// Registry holds the tenants that are managed now. Safe for concurrent use.
type Registry struct {
	mu      sync.RWMutex
	running map[string]*running
	turns   map[string]chan struct{}
}

type running struct {
	*Tenant
	fingerprint string
	cancel      context.CancelFunc
	done        chan struct{}
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{running: map[string]*running{}, turns: map[string]chan struct{}{}}
}

// Get returns the tenant, or nil if it is not managed now.
func (r *Registry) Get(name string) *Tenant {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if t := r.running[name]; t != nil {
		return t.Tenant
	}
	return nil
}

// Ensure returns the running tenant if it was made for this fingerprint; else it
// stops the old one, waits for its end so that two never work on one tenant,
// makes a new one and runs it until ctx ends or it is replaced.
func (r *Registry) Ensure(ctx context.Context, name, fingerprint string, build func() (*Tenant, error)) (*Tenant, error) {
	defer r.turn(name)()
	r.mu.RLock()
	old := r.running[name]
	r.mu.RUnlock()
	if old != nil && old.fingerprint == fingerprint {
		return old.Tenant, nil
	}
	r.stop(name)
	t, err := build()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	run := &running{Tenant: t, fingerprint: fingerprint, cancel: cancel, done: make(chan struct{})}
	r.mu.Lock()
	r.running[name] = run
	r.mu.Unlock()
	go func() {
		defer close(run.done)
		t.Run(ctx)
	}()
	return t, nil
}

// Stop ends the tenant and waits until nothing of it runs.
func (r *Registry) Stop(name string) {
	defer r.turn(name)()
	r.stop(name)
}

// turn waits until nobody else starts or stops the tenant of that name. The
// function ends the turn.
func (r *Registry) turn(name string) func() {
	r.mu.Lock()
	turn := r.turns[name]
	if turn == nil {
		turn = make(chan struct{}, 1)
		r.turns[name] = turn
	}
	r.mu.Unlock()
	turn <- struct{}{}
	return func() { <-turn }
}

func (r *Registry) stop(name string) {
	r.mu.Lock()
	old := r.running[name]
	delete(r.running, name)
	r.mu.Unlock()
	if old != nil {
		old.cancel()
		<-old.done
	}
}
