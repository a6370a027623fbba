package dingtalk

import (
	"context"
	"sync"

	"rollcall.dev/rollcall/internal/directory"
)

// emitter takes an item of an export.
type emitter func(directory.Item) error

// inOrder does n things, a few at a time, and emits what each of them has after what
// those before it have: archives of the same company are alike.
func inOrder(ctx context.Context, n int, emit emitter, do func(ctx context.Context, i int, emit emitter) error) error {
	q := &queue{emit: emit, kept: map[int][]directory.Item{}, done: map[int]bool{}}
	return inParallel(ctx, n, func(ctx context.Context, i int) error {
		if err := do(ctx, i, func(item directory.Item) error { return q.add(i, item) }); err != nil {
			return err
		}
		return q.end(i)
	})
}

// queue has the items of things whose turn has not come. The one whose turn it is
// emits at once, so that no more is kept than others are ahead of it.
type queue struct {
	emit emitter

	mu   sync.Mutex
	turn int
	kept map[int][]directory.Item
	done map[int]bool
}

func (q *queue) add(i int, item directory.Item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i != q.turn {
		q.kept[i] = append(q.kept[i], item)
		return nil
	}
	return q.emit(item)
}

// end notes that a thing has no more items.
func (q *queue) end(i int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done[i] = true
	for q.done[q.turn] {
		delete(q.done, q.turn)
		q.turn++
		for _, item := range q.kept[q.turn] {
			if err := q.emit(item); err != nil {
				return err
			}
		}
		delete(q.kept, q.turn)
	}
	return nil
}
