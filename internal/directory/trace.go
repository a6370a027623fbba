package directory

import (
	"context"
	"sync"
)

// Trace learns the platform's own id of the last request that was made with its
// context: what the platform's support asks for. The zero value is ready.
type Trace struct {
	mu      sync.Mutex
	request string
}

// Request is that id; empty if the platform told none.
func (t *Trace) Request() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.request
}

type traceKey struct{}

// WithTrace has t learn of the requests that are made with the context.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// longestRequestID bounds what a platform may put into the trail, in bytes.
const longestRequestID = 128

// NoteRequest is called by providers with the platform's id of a request.
func NoteRequest(ctx context.Context, id string) {
	t, ok := ctx.Value(traceKey{}).(*Trace)
	if !ok || id == "" || len(id) > longestRequestID {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.request = id
}
