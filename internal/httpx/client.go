package httpx

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// UserAgent is what the clients call themselves, unless a request says otherwise.
const UserAgent = "rollcall"

// Options of a Client. Zero values mean the defaults given with each field.
type Options struct {
	// Budget of the tenant. Required.
	Budget *Budget
	// CABundle is PEM: the only authorities trusted. Empty = the system's.
	CABundle []byte
	// DialTimeout is for name look-up and connecting; 10 s.
	DialTimeout time.Duration
	// TLSTimeout is for the TLS handshake; 10 s.
	TLSTimeout time.Duration
	// HeaderTimeout is from the request's last byte to the answer's header; 30 s.
	HeaderTimeout time.Duration
	// CallTimeout is from the call's turn to the end of the answer's body; 60 s.
	// Waiting for a turn does not count: there the request's context decides.
	CallTimeout time.Duration
	// MaxBody is the longest body that is read, in bytes after decompression;
	// 16 MiB. Make another client on the same Budget for large downloads.
	MaxBody int64
}

// Client makes an HTTP client for one tenant with connections of its own. Send
// requests with Do. Call CloseIdleConnections when it is done with.
//
// It follows a redirect only of a read to the same scheme and host, and returns
// any other as the answer. It uses the proxy that the environment names
// (HTTPS_PROXY, NO_PROXY), never for loopback addresses.
func Client(o Options) (*http.Client, error) {
	if o.Budget == nil {
		return nil, errors.New("making an HTTP client: no budget")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if len(o.CABundle) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(o.CABundle) {
			return nil, errors.New("making an HTTP client: the CA bundle has no PEM certificate")
		}
	}
	tlsTimeout := cmp.Or(o.TLSTimeout, 10*time.Second)
	d := &dialer{
		net: net.Dialer{Timeout: cmp.Or(o.DialTimeout, 10*time.Second)},
		tls: config,
		handshake: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, tlsTimeout)
		},
	}
	base := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           d.plain,
		DialTLSContext:        d.secure,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: cmp.Or(o.HeaderTimeout, 30*time.Second),
		MaxIdleConnsPerHost:   defaultConcurrency,
		IdleConnTimeout:       90 * time.Second,
		Protocols:             new(http.Protocols),
	}
	base.Protocols.SetHTTP1(true)
	w := &wire{next: base, timeout: cmp.Or(o.CallTimeout, time.Minute), maxBody: cmp.Or(o.MaxBody, 16<<20)}
	return &http.Client{Transport: o.Budget.Transport(w), CheckRedirect: checkRedirect}, nil
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	read := (first.Method == "" || first.Method == http.MethodGet || first.Method == http.MethodHead) && !isWrite(first.Context())
	if !read || len(via) >= 10 || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	req.Header.Del("Referer") // net/http puts the whole URL there, with its secrets
	return nil
}

// wire sends one request: once, within its time, and knows what became of it.
type wire struct {
	next    *http.Transport
	timeout time.Duration
	maxBody int64
}

func (t *wire) CloseIdleConnections() { t.next.CloseIdleConnections() }

func (t *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), t.timeout, errCallTimeout)
	operation := OperationFrom(ctx)
	for out := t.prepare(req); ; {
		var track tracker
		resp, err := t.next.RoundTrip(out.WithContext(track.trace(ctx)))
		if err == nil {
			resp.Request = req
			t.watch(ctx, cancel, resp, operation)
			return resp, nil
		}
		sent, reused := track.failed()
		// A kept-alive connection that turns out dead before the first byte is
		// nobody's failure. net/http tries again by itself, except for guarded writes.
		if guarded(req) && reused && !sent && ctx.Err() == nil {
			if again, ok := rewind(req, out); ok {
				out = again
				continue
			}
		}
		cancel()
		return nil, &Error{Operation: operation, Sent: sent, Err: err}
	}
}

// guarded says that net/http would take this write for repeatable.
func guarded(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return isWrite(req.Context())
	}
	return false
}

// prepare makes the request that goes out.
func (t *wire) prepare(req *http.Request) *http.Request {
	out := req.Clone(req.Context())
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", UserAgent)
	}
	if guarded(req) {
		// net/http (Request.isReplayable) repeats a GET unless it has a body that
		// it cannot get again. An empty one of unknown length does not show on the wire.
		out.GetBody = nil
		if out.Body == nil || out.Body == http.NoBody {
			out.Body = unrepeatable{}
		}
	}
	return out
}

// unrepeatable is an empty body that is not known to be empty.
type unrepeatable struct{}

func (unrepeatable) Read([]byte) (int, error) { return 0, io.EOF }

func (unrepeatable) Close() error { return nil }

// rewind makes out ready for another attempt at a request that was not sent.
func rewind(req, out *http.Request) (*http.Request, bool) {
	again := out.Clone(out.Context())
	if out.Body == (unrepeatable{}) {
		return again, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	fresh, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	again.Body = fresh
	return again, true
}

// watch limits the answer's body in length and time.
func (t *wire) watch(ctx context.Context, cancel context.CancelFunc, resp *http.Response, operation string) {
	b := &body{ReadCloser: resp.Body, left: t.maxBody}
	b.wrap = func(err error) error {
		return &Error{Operation: operation, Sent: true, Err: err}
	}
	resp.Body = b
	stop := context.AfterFunc(ctx, func() {
		b.end(b.wrap(context.Cause(ctx)))
	})
	whenRead(resp, func(error) {
		stop()
		cancel()
	})
}
