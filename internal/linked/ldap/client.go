package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

const (
	// connections at once, and of these kept while there is nothing to do.
	connections, idleConnections = 8, 4

	// bindPause is how long a refused bind is not tried again: each try counts against the bind account
	// where failures lock it (pwdMaxFailure). Another Secret makes another client.
	bindPause = 15 * time.Minute
)

var errTimeout = fmt.Errorf("no whole answer in time: %w", context.DeadlineExceeded)

// client speaks the wire: one operation at a time on each connection, no domain types but errors.
type client struct {
	address     string
	tls         *tls.Config // nil: none
	startTLS    bool
	bindDN      string
	password    string
	dialTimeout time.Duration
	timeout     time.Duration
	spend       func(ctx context.Context, operation string, call func(context.Context) error) error
	throttled   func(operation string, retryAfter time.Duration)
	answered    func(operation string, class directory.Class)
	now         func() time.Time

	places chan struct{}

	mu      sync.Mutex
	idle    []*conn
	closed  bool
	refused *directory.Error // of the last bind
	until   time.Time        // it is not tried again
}

// conn is a connection on which the bind account is signed in.
type conn struct {
	*goldap.Conn
	wire *wire
	used bool
}

func (k *conn) end() { _ = k.wire.Close() } // go-ldap's goroutines end with it

// request is one operation.
type request struct {
	operation string
	write     bool
	do        func(*goldap.Conn) error
	// pin keeps one connection for several requests: a page's cookie is known on its own connection only
	// (RFC 2696, section 3). Whoever pins has to unpin.
	pin *pin
}

type pin struct{ conn *conn }

// do carries out a request. A read that failed on a connection that was kept from before is made once more, on a new
// one; so is a write of which nothing was sent.
func (c *client) do(ctx context.Context, q *request) error {
	reused, err := c.turn(ctx, q)
	if reused && repeatable(ctx, q, err) {
		c.drop()
		_, err = c.turn(ctx, q)
	}
	err = classed(q, err)
	c.answered(q.operation, directory.ClassOf(err))
	if is(err, codeBusy) {
		c.throttled(q.operation, 0)
	}
	return err
}

// turn tries a request when it is its turn. What the try itself ended with counts, whatever the budget makes of it.
func (c *client) turn(ctx context.Context, q *request) (reused bool, err error) {
	tried := false
	var own error
	err = c.spend(ctx, q.operation, func(ctx context.Context) error {
		tried = true
		reused, own = c.once(ctx, q)
		return own
	})
	if tried {
		err = own
	}
	return reused, err
}

func repeatable(ctx context.Context, q *request, err error) bool {
	e, ok := errors.AsType[*httpx.Error](err)
	return ok && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) && q.pin == nil && (!q.write || !e.Sent)
}

// classed makes any error one with a class.
func classed(q *request, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*directory.Error](err); ok {
		return e
	}
	return unanswered(q, err)
}

// once tries a request, and says whether it was on a connection from before.
func (c *client) once(ctx context.Context, q *request) (reused bool, err error) {
	if ctx.Err() != nil {
		return false, &httpx.Error{Operation: q.operation, Err: context.Cause(ctx)}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer cancel()
	k, err := c.acquire(ctx, q.pin)
	if err != nil {
		return false, err
	}
	reused, k.used = k.used, true
	k.wire.begin()
	stop := context.AfterFunc(ctx, k.end)
	err = q.do(k.Conn)
	healthy := stop() && !k.IsClosing()
	sent, fault := k.wire.state()
	if e, answered := errors.AsType[*goldap.Error](err); answered && e.ResultCode < goldap.ErrorNetwork && fault == nil {
		err = refusal(q, e)
	} else if err != nil {
		healthy = false
		err = &httpx.Error{Operation: q.operation, Sent: sent, Err: why(ctx, fault, err)}
	}
	c.release(k, q.pin, healthy)
	return reused, err
}

// why is the first cause of a failure.
func why(ctx context.Context, fault, err error) error {
	switch {
	case fault != nil:
		return fault
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return err
	}
}

// acquire returns a connection that is signed in: the pinned one, one from before, or a new one.
func (c *client) acquire(ctx context.Context, p *pin) (*conn, error) {
	if p != nil && p.conn != nil {
		return p.conn, nil
	}
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		return nil, &httpx.Error{Err: fmt.Errorf("waiting for a connection: %w", context.Cause(ctx))}
	}
	k, err := c.pop()
	if k == nil && err == nil {
		k, err = c.dial(ctx)
	}
	if err != nil {
		<-c.places
		return nil, err
	}
	if p != nil {
		p.conn = k
	}
	return k, nil
}

func (c *client) pop() (*conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, &httpx.Error{Err: net.ErrClosed}
	}
	for len(c.idle) > 0 {
		k := c.idle[len(c.idle)-1]
		c.idle = c.idle[:len(c.idle)-1]
		if !k.IsClosing() {
			return k, nil
		}
		k.end()
	}
	if c.refused != nil && c.now().Before(c.until) {
		return nil, c.refused
	}
	return nil, nil
}

// release gives a connection back, or ends it.
func (c *client) release(k *conn, p *pin, healthy bool) {
	if p != nil && healthy {
		return
	}
	if p != nil {
		p.conn = nil
	}
	c.mu.Lock()
	keep := healthy && !c.closed && len(c.idle) < idleConnections
	if keep {
		c.idle = append(c.idle, k)
	}
	c.mu.Unlock()
	if !keep {
		k.end()
	}
	<-c.places
}

func (c *client) unpin(p *pin) {
	if k := p.conn; k != nil {
		p.conn = nil
		c.release(k, nil, !k.IsClosing())
	}
}

// drop ends the connections that nobody uses.
func (c *client) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.idle {
		k.end()
	}
	c.idle = nil
}

func (c *client) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.drop()
}

// dial connects and signs in. Whatever fails here, the request was not sent.
func (c *client) dial(ctx context.Context) (*conn, error) {
	raw, err := (&net.Dialer{Timeout: c.dialTimeout}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, &httpx.Error{Operation: "bind", Err: err}
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	k, err := c.signIn(ctx, raw)
	if !stop() && err == nil {
		err = &httpx.Error{Operation: "bind", Err: context.Cause(ctx)}
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return k, nil
}

func (c *client) signIn(ctx context.Context, raw net.Conn) (*conn, error) {
	secured, err := c.secure(ctx, raw)
	if err != nil {
		return nil, &httpx.Error{Operation: "bind", Err: why(ctx, nil, err)}
	}
	w := &wire{Conn: secured}
	k := &conn{Conn: goldap.NewConn(w, c.tls != nil), wire: w}
	k.Start()
	err = k.Bind(c.bindDN, c.password) // refuses an empty password by itself, too
	_, fault := w.state()
	if e, answered := errors.AsType[*goldap.Error](err); answered && e.ResultCode < goldap.ErrorNetwork && fault == nil {
		refused := refusal(&request{operation: "bind"}, e)
		if refused.Class == directory.Unauthenticated {
			c.mu.Lock()
			c.refused, c.until = refused, c.now().Add(bindPause)
			c.mu.Unlock()
		}
		return nil, refused
	} else if err != nil {
		return nil, &httpx.Error{Operation: "bind", Err: why(ctx, fault, err)}
	}
	return k, nil
}

// secure puts TLS around a connection as declared.
func (c *client) secure(ctx context.Context, raw net.Conn) (net.Conn, error) {
	if c.tls == nil {
		return raw, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.dialTimeout, errTimeout)
	defer cancel()
	if c.startTLS {
		stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
		err := startTLS(raw)
		if !stop() {
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	secured := tls.Client(raw, c.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("greeting the server by TLS: %w", err)
	}
	return secured, nil
}

// startTLS asks for TLS (RFC 4511, section 4.14) and reads no byte beyond the answer: what follows has to be TLS.
// go-ldap's own StartTLS puts TLS above the wire, which then could not watch what comes in.
func startTLS(raw net.Conn) error {
	const oid = "1.3.6.1.4.1.1466.20037"
	ask := append([]byte{0x30, byte(len(oid) + 7), 0x02, 0x01, 0x01, 0x77, byte(len(oid) + 2), 0x80, byte(len(oid))}, oid...)
	if _, err := raw.Write(ask); err != nil {
		return err
	}
	var f frames
	answer := make([]byte, 0, 64)
	for len(answer) == 0 || len(f.open)+f.skip+len(f.header) > 0 {
		if len(answer) == 4096 {
			return errTooLarge
		}
		answer = append(answer, 0)
		last := answer[len(answer)-1:]
		if _, err := io.ReadFull(raw, last); err != nil {
			return err
		}
		if err := f.feed(last); err != nil {
			return err
		}
	}
	packet, err := ber.DecodePacketErr(answer)
	if err != nil || len(packet.Children) < 2 || packet.Children[1].Tag != goldap.ApplicationExtendedResponse {
		return errNotLDAP
	}
	if e, refused := errors.AsType[*goldap.Error](goldap.GetLDAPError(packet)); refused {
		return fmt.Errorf("the server refuses StartTLS with result code %d", e.ResultCode)
	}
	return nil
}
