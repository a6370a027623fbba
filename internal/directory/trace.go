package directory

import (
	"context"
	"strings"
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

// NoteRequest is called by providers with the platform's id of each request that
// changes something, "" where it told none. What cannot be an id is none either: it
// comes from whoever answered, and goes into the trail.
func NoteRequest(ctx context.Context, id string) {
	t, ok := ctx.Value(traceKey{}).(*Trace)
	if !ok {
		return
	}
	if len(id) > longestRequestID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		id = ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.request = id
}
