package world

import (
	"context"
	"sync"
	"sync/atomic"
)

// writers is how many objects are written at a time; more does not make the API server faster.
const writers = 16

// each calls do for every item, writers at a time, and returns the first error, which ends the others.
func each[T any](ctx context.Context, items []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		next  atomic.Int64
		group sync.WaitGroup
		once  sync.Once
		first error
	)
	for range min(writers, len(items)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(items) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(ctx, items[i]); err != nil {
					once.Do(func() { first = err })
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	if first == nil {
		return context.Cause(ctx)
	}
	return first
}
