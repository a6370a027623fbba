package httpx

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptrace"
	"sync"
)

// conn is a connection that knows whether the request it carries has begun to
// leave. On HTTPS it lies above TLS: closing an idle TLS connection writes an
// alert, which must not count.
type conn struct {
	net.Conn

	mu      sync.Mutex
	carries *exchange
	dead    bool
}

// exchange is one request on one connection.
type exchange struct {
	conn    *conn
	touched bool // the connection's lock guards it
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.dead {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	x := c.carries
	first := x != nil && !x.touched
	if first {
		x.touched = true // before the fact: end may ask while the write is under way
	}
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
	if first && n == 0 && err != nil {
		c.mu.Lock()
		x.touched = false // the connection was dead already
		c.mu.Unlock()
	}
	return n, err
}

func (c *conn) carry() *exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.carries = &exchange{conn: c}
	return c.carries
}

// end closes the connection of a failed exchange and reports whether any of the
// request was written. After it nothing more of it can be: net/http writes in
// another goroutine, which may be about to.
func (x *exchange) end() (touched bool) {
	c := x.conn
	c.mu.Lock()
	current := c.carries == x
	if current {
		c.dead = true
	}
	touched = x.touched
	c.mu.Unlock()
	if current {
		_ = c.Close()
	}
	return touched
}

// tracker follows one round trip over the connections that net/http tries.
type tracker struct {
	mu        sync.Mutex
	exchanges []*exchange
	foreign   bool // a connection that cannot tell: net/http adds TLS itself through a proxy
	reused    bool // the last connection had carried a request before
}

func (t *tracker) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: t.gotConn})
}

func (t *tracker) gotConn(info httptrace.GotConnInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reused = info.Reused
	if c, ok := info.Conn.(*conn); ok {
		t.exchanges = append(t.exchanges, c.carry())
	} else {
		t.foreign = true
	}
}

// failed ends the round trip. It reports whether any of the request may have
// left, and whether the connection had been used before.
func (t *tracker) failed() (sent, reused bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sent = t.foreign
	for _, x := range t.exchanges {
		sent = x.end() || sent
	}
	return sent, t.reused
}

// dialer makes the connections of one client.
type dialer struct {
	net net.Dialer
	tls *tls.Config
	// handshake is the deadline of TLS.
	handshake func(context.Context) (context.Context, context.CancelFunc)
}

func (d *dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: raw}, nil
}

func (d *dialer) secure(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	raw, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	config.ServerName = host
	ctx, cancel := d.handshake(ctx)
	defer cancel()
	s := tls.Client(raw, config)
	if err := s.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("greeting %s by TLS: %w", host, err)
	}
	return &conn{Conn: s}, nil
}
