package httpx

import "context"

// Priority of a call, carried by its context. Higher goes first.
type Priority int

const (
	// Sweep is periodic reading that nobody waits for.
	Sweep Priority = iota
	// Edit is a change that a user declared. It is the default.
	Edit
	// Freeze takes access away from someone who leaves.
	Freeze

	priorities = int(Freeze) + 1
)

// String is the priority's name in metrics.
func (p Priority) String() string {
	switch p {
	case Sweep:
		return "sweep"
	case Freeze:
		return "freeze"
	default:
		return "edit"
	}
}

type (
	priorityKey  struct{}
	operationKey struct{}
	writeKey     struct{}
)

// WithPriority gives the calls made with ctx a priority.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, min(max(p, Sweep), Freeze))
}

// PriorityFrom returns the priority of ctx: Edit when none was set.
func PriorityFrom(ctx context.Context) Priority {
	if p, ok := ctx.Value(priorityKey{}).(Priority); ok {
		return p
	}
	return Edit
}

// unnamed stands for calls that do not say what they are.
const unnamed = "unnamed"

// WithOperation names the platform operation of the calls made with ctx, such
// as "user/create": the key of the limiter and a label of the metrics. It must
// come from a small fixed set, never contain an id: its state is kept for good.
func WithOperation(ctx context.Context, operation string) context.Context {
	return context.WithValue(ctx, operationKey{}, operation)
}

// OperationFrom returns the operation of ctx: "unnamed" when none was set.
func OperationFrom(ctx context.Context) string {
	if op, ok := ctx.Value(operationKey{}).(string); ok && op != "" {
		return op
	}
	return unnamed
}

// WithWrite says that the calls made with ctx change something on the platform,
// whatever their method. Without it net/http takes a GET for repeatable and
// silently sends it again when a kept-alive connection dies under it; WeCom
// deletes people by GET. A redirect is not followed for a write either.
//
// POST, PUT, PATCH and DELETE need no mark: net/http does not repeat them,
// unless the request has an Idempotency-Key header.
func WithWrite(ctx context.Context) context.Context {
	return context.WithValue(ctx, writeKey{}, true)
}

func isWrite(ctx context.Context) bool { return ctx.Value(writeKey{}) != nil }
