package tenant

import (
	"context"
	"sync"
)

// Runner is what a [Group] runs.
type Runner interface {
	comparable
	// Run works until ctx ends.
	Run(ctx context.Context)
}

// Registry holds the tenants that are managed now.
type Registry = Group[*Tenant]

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return NewGroup[*Tenant]() }

// Group holds what is managed now, by name. Safe for concurrent use.
type Group[T Runner] struct {
	mu      sync.RWMutex
	running map[string]*running[T]
	turns   map[string]chan struct{}
}

type running[T Runner] struct {
	it          T
	fingerprint string
	cancel      context.CancelFunc
	done        chan struct{}
}

// NewGroup returns an empty group.
func NewGroup[T Runner]() *Group[T] {
	return &Group[T]{running: map[string]*running[T]{}, turns: map[string]chan struct{}{}}
}

// Get returns what has the name, or the zero value if it is not managed now.
func (r *Group[T]) Get(name string) (none T) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if t := r.running[name]; t != nil {
		return t.it
	}
	return none
}

// Ensure returns what runs under the name if it was made for this fingerprint; else it
// stops the old one, waits for its end so that two never work on one tenant,
// makes a new one and runs it until ctx ends or it is replaced.
func (r *Group[T]) Ensure(ctx context.Context, name, fingerprint string, build func() (T, error)) (none T, err error) {
	defer r.turn(name)()
	r.mu.RLock()
	old := r.running[name]
	r.mu.RUnlock()
	if old != nil && old.fingerprint == fingerprint {
		return old.it, nil
	}
	r.stop(name)
	t, err := build()
	if err != nil {
		return none, err
	}
	ctx, cancel := context.WithCancel(ctx)
	run := &running[T]{it: t, fingerprint: fingerprint, cancel: cancel, done: make(chan struct{})}
	r.mu.Lock()
	r.running[name] = run
	r.mu.Unlock()
	go func() {
		defer close(run.done)
		t.Run(ctx)
	}()
	return t, nil
}

// Stop ends what has the name and waits until nothing of it runs.
func (r *Group[T]) Stop(name string) {
	defer r.turn(name)()
	r.stop(name)
}

// turn waits until nobody else starts or stops what has the name. The
// function ends the turn.
func (r *Group[T]) turn(name string) func() {
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

func (r *Group[T]) stop(name string) {
	r.mu.Lock()
	old := r.running[name]
	delete(r.running, name)
	r.mu.Unlock()
	if old != nil {
		old.cancel()
		<-old.done
	}
}
