package storage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// stalling ends a connection on which nothing moves: neither way, for a while. A
// slow one lives as long as bytes flow.
type stalling struct {
	net.Conn
	limit time.Duration
}

func (c *stalling) Read(b []byte) (int, error) {
	c.extend()
	return c.Conn.Read(b)
}

func (c *stalling) Write(b []byte) (int, error) {
	var n int
	for n < len(b) {
		// Also for whoever reads meanwhile: the answer comes after the question.
		c.extend()
		m, err := c.Conn.Write(b[n:min(n+64<<10, len(b))])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (c *stalling) extend() { _ = c.SetDeadline(time.Now().Add(c.limit)) }

// newTransport is HTTP/1.1 with few connections, each of which makes progress or ends.
func newTransport(ca []byte, stall time.Duration) (*http.Transport, error) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			d := net.Dialer{Timeout: min(stall, 30*time.Second)}
			c, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &stalling{Conn: c, limit: stall}, nil
		},
		TLSHandshakeTimeout: min(stall, 30*time.Second),
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     30 * time.Second,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if len(ca) > 0 {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(ca) {
			return nil, &fault{class: Invalid, message: "the CA bundle holds no certificate in PEM"}
		}
	}
	return t, nil
}
