package httpx

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func newClient(t *testing.T, change func(*Options)) (*http.Client, *Budget, *recorder) {
	t.Helper()
	obs := &recorder{}
	b := NewBudget(Limits{}, nil, obs)
	o := Options{Budget: b}
	if change != nil {
		change(&o)
	}
	c, err := Client(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c, b, obs
}

func request(ctx context.Context, t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// fetch sends a request and reads its whole answer.
func fetch(c *http.Client, req *http.Request) (*http.Response, string, error) {
	resp, err := Do(c, req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

// fickle is a server that answers the first request of each connection and then,
// having read the next one, closes the connection without a word: what a
// kept-alive connection does when the server's patience ends at that moment.
type fickle struct {
	net.Listener
	mu       sync.Mutex
	requests []string // as they came over the wire
}

func newFickle(t *testing.T) *fickle {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fickle{Listener: l}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return f
}

func (f *fickle) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for i := range 2 {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		raw, _ := httputil.DumpRequest(req, true)
		f.mu.Lock()
		f.requests = append(f.requests, string(raw))
		f.mu.Unlock()
		if i == 0 {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		}
	}
}

func (f *fickle) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

func TestAWriteIsNeverRepeatedByTheTransport(t *testing.T) {
	for _, c := range []struct {
		name, method, body string
		write              bool
		arrive             int // how often the second call reaches the server
	}{
		{"a read is repeated by net/http", http.MethodGet, "", false, 2},
		{"a GET that writes", http.MethodGet, "", true, 1},
		{"a GET with a body that writes", http.MethodGet, "{}", true, 1},
		{"a POST", http.MethodPost, "{}", false, 1},
		{"a marked POST", http.MethodPost, "{}", true, 1},
		{"a POST without a body", http.MethodPost, "", true, 1},
		{"a DELETE", http.MethodDelete, "", false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newFickle(t)
			client, _, _ := newClient(t, nil)
			ctx := t.Context()
			if _, _, err := fetch(client, request(ctx, t, http.MethodGet, "http://"+server.Addr().String()+"/warm", nil)); err != nil {
				t.Fatal(err)
			}
			if c.write {
				ctx = WithWrite(ctx)
			}
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			_, _, err := fetch(client, request(ctx, t, c.method, "http://"+server.Addr().String()+"/user/delete?userid=1", body))
			if c.arrive == 1 && (err == nil || !Sent(err)) {
				t.Errorf("got %v, want an error that says sent", err)
			}
			if c.arrive == 2 && err != nil {
				t.Errorf("got %v", err)
			}
			if got := len(server.seen()) - 1; got != c.arrive {
				t.Errorf("the server got it %d times, want %d", got, c.arrive)
			}
		})
	}
}

func TestAGuardedWriteLooksOrdinaryOnTheWire(t *testing.T) {
	server := newFickle(t)
	client, _, _ := newClient(t, nil)
	_, _, err := fetch(client, request(WithWrite(t.Context()), t, http.MethodGet, "http://"+server.Addr().String()+"/user/delete?userid=1", nil))
	if err != nil {
		t.Fatal(err)
	}
	want := "GET /user/delete?userid=1 HTTP/1.1\r\nHost: " + server.Addr().String() +
		"\r\nAccept-Encoding: gzip\r\nUser-Agent: rollcall\r\n\r\n"
	if got := server.seen()[0]; got != want {
		t.Errorf("the server got\n%q, want\n%q", got, want)
	}
}

// stale is a connection on which nothing can be written after the first request.
type stale struct {
	net.Conn
	writes int
}

func (s *stale) Write(p []byte) (int, error) {
	if s.writes++; s.writes > 1 {
		return 0, syscall.EPIPE
	}
	return s.Conn.Write(p)
}

func TestAWriteThatNeverLeftIsSentOnANewConnection(t *testing.T) {
	for _, body := range []string{"", "{}"} {
		var mu sync.Mutex
		var got []string
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			got = append(got, r.URL.Path+string(text))
		}))
		defer server.Close()
		client, _, _ := newClient(t, nil)
		transport := client.Transport.(*limited).next.(*wire).next
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err == nil {
				c.(*conn).Conn = &stale{Conn: c.(*conn).Conn}
			}
			return c, err
		}
		for _, path := range []string{"/first", "/second"} {
			req := request(WithWrite(t.Context()), t, http.MethodGet, server.URL+path, strings.NewReader(body))
			if body == "" {
				req.Body, req.GetBody = nil, nil
			}
			if _, _, err := fetch(client, req); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
		if want := []string{"/first" + body, "/second" + body}; !slices.Equal(got, want) {
			t.Errorf("the server got %q, want %q", got, want)
		}
	}
}

func TestNothingIsWrittenOnceTheRoundTripHasFailed(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := &conn{Conn: near}
	if c.carry().end() {
		t.Error("touched before anything was written")
	}
	if n, err := c.Write([]byte("late")); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("wrote %d bytes after the end, error %v", n, err)
	}
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is still open: %v", err)
	}
}

func TestAnOldExchangeDoesNotEndANewerOne(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := &conn{Conn: near}
	old := c.carry()
	newer := c.carry()
	old.end()
	go func() { _, _ = far.Read(make([]byte, 1)) }()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Errorf("writing the newer one: %v", err)
	}
	if !newer.end() {
		t.Error("the newer one was written, and does not say so")
	}
}

// speak accepts connections, reads one request and then does as told.
func speak(t *testing.T, then func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					then(c)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

func refusing(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return "http://" + l.Addr().String()
}

func TestWhatIsKnownAboutAFailedCall(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for _, c := range []struct {
		name    string
		url     string
		change  func(*Options)
		outcome string
		status  int
	}{
		{"refused", refusing(t), nil, OutcomeNotSent, 0},
		{"the proxy is dead", "http://platform.invalid/", nil, OutcomeNotSent, 0},
		{"no TLS there", strings.Replace(plain.URL, "http:", "https:", 1), nil, OutcomeNotSent, 0},
		{"unknown scheme", "gopher://127.0.0.1/", nil, OutcomeNotSent, 0},
		{"closed without an answer", speak(t, func(net.Conn) {}), nil, OutcomeUnknown, 0},
		{"not HTTP", speak(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0\r\n\r\n") }), nil, OutcomeUnknown, 0},
		{"half an answer", speak(t, half), nil, OutcomeUnknown, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, b, obs := newClient(t, c.change)
			ctx := WithPriority(WithOperation(t.Context(), "user/create"), Freeze)
			_, _, err := fetch(client, request(ctx, t, http.MethodPost, c.url+"/?access_token=s3cret", strings.NewReader("{}")))
			var e *Error
			if !errors.As(err, &e) || e.Operation != "user/create" {
				t.Fatalf("got %#v, want an *Error of user/create", err)
			}
			if want := c.outcome == OutcomeUnknown; Sent(err) != want {
				t.Errorf("sent: %t, want %t (%v)", Sent(err), want, err)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %q", err, err, err), "s3cret") {
				t.Errorf("the secret is in %v", err)
			}
			if u := (*url.Error)(nil); errors.As(err, &u) {
				t.Errorf("a url.Error is in the chain of %v", err)
			}
			calls := obs.seen()
			if len(calls) != 1 || calls[0].Outcome != c.outcome || calls[0].Status != c.status ||
				calls[0].Operation != "user/create" || calls[0].Priority != Freeze {
				t.Errorf("observed %+v, want one call, %s with status %d", calls, c.outcome, c.status)
			}
			if n := b.Stats().UnderWay; n != 0 {
				t.Errorf("%d calls still under way", n)
			}
		})
	}
}

// pipes makes the client's connections pipes within a synctest bubble: serve
// gets each once a request has been read from it.
func pipes(t *testing.T, c *http.Client, serve func(net.Conn)) {
	transport := c.Transport.(*limited).next.(*wire).next
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			if _, err := http.ReadRequest(bufio.NewReader(far)); err == nil {
				serve(far)
			}
		}()
		return &conn{Conn: near}, nil
	}
}

// hang waits until the other side has given up.
func hang(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func half(c net.Conn) {
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{")
}

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name   string
		serve  func(net.Conn)
		status int
		takes  time.Duration
	}{
		{"no header", hang, 0, 3 * time.Second},
		{"half an answer", func(c net.Conn) {
			half(c)
			hang(c)
		}, 200, 7 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, b, obs := newClient(t, func(o *Options) { o.HeaderTimeout, o.CallTimeout = 3*time.Second, 7*time.Second })
				pipes(t, client, c.serve)
				start := time.Now()
				_, _, err := fetch(client, request(t.Context(), t, http.MethodGet, "http://platform.example/", nil))
				if err == nil || !Sent(err) || time.Since(start) != c.takes {
					t.Errorf("after %s: %v (sent: %t), want after %s, sent", time.Since(start), err, Sent(err), c.takes)
				}
				calls := obs.seen()
				if len(calls) != 1 || calls[0].Outcome != OutcomeUnknown || calls[0].Status != c.status || calls[0].Duration != c.takes {
					t.Errorf("observed %+v, want one unknown with status %d", calls, c.status)
				}
				if s := b.Stats(); s.UnderWay != 0 || s.LastFailure == "" {
					t.Errorf("afterwards %+v, want nothing under way and a failure", s)
				}
			})
		})
	}
}

func TestTheCallTimeoutDoesNotCountWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, b, _ := newClient(t, func(o *Options) { o.CallTimeout = 2 * time.Second })
		pipes(t, client, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") })
		b.Throttled("", 5*time.Second)
		start := time.Now()
		if _, _, err := fetch(client, request(t.Context(), t, http.MethodGet, "http://platform.example/", nil)); err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("after %s: %v, want success after 5s", time.Since(start), err)
		}
	})
}

func TestALeakedBodyGivesItsPlaceBackInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, b, _ := newClient(t, func(o *Options) { o.CallTimeout = 7 * time.Second })
		pipes(t, client, func(c net.Conn) {
			half(c)
			hang(c)
		})
		resp, err := Do(client, request(t.Context(), t, http.MethodGet, "http://platform.example/", nil))
		if err != nil {
			t.Fatal(err)
		}
		if n := b.Stats().UnderWay; n != 1 {
			t.Errorf("%d under way, want 1", n)
		}
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if n := b.Stats().UnderWay; n != 0 {
			t.Errorf("%d under way after the call's time, want 0", n)
		}
		_ = resp.Body.Close()
	})
}

func TestTheCallersContextEndsACall(t *testing.T) {
	arrived, done := make(chan struct{}), make(chan struct{})
	address := speak(t, func(net.Conn) {
		close(arrived)
		<-done
	})
	client, b, obs := newClient(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, _, err := fetch(client, request(ctx, t, http.MethodPost, address, strings.NewReader("{}")))
	close(done)
	if !errors.Is(err, context.Canceled) || !Sent(err) {
		t.Errorf("got %v (sent: %t), want context.Canceled, sent", err, Sent(err))
	}
	if calls := obs.seen(); len(calls) != 1 || calls[0].Outcome != OutcomeCancelled || b.Stats().LastFailure != "" {
		t.Errorf("observed %+v, want one cancelled call that is nobody's failure", calls)
	}
}

func TestMaxBody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", len(r.URL.Query().Get("n"))))
	}))
	defer server.Close()
	client, b, _ := newClient(t, func(o *Options) { o.MaxBody = 10 })
	for n, want := range map[int]error{0: nil, 9: nil, 10: nil, 11: ErrBodyTooLarge, 5000: ErrBodyTooLarge} {
		_, text, err := fetch(client, request(t.Context(), t, http.MethodGet, server.URL+"?n="+strings.Repeat("n", n), nil))
		if !errors.Is(err, want) || len(text) != min(n, 10) {
			t.Errorf("%d bytes: read %d, error %v, want %v", n, len(text), err, want)
		}
	}
	if s := b.Stats(); s.UnderWay != 0 || s.LastFailure != "" {
		t.Errorf("afterwards %+v, want nothing under way and no failure", s)
	}
}

func TestRedirects(t *testing.T) {
	var mu sync.Mutex
	var got []string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Referer())
		mu.Unlock()
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	})
	server, other := httptest.NewServer(handler), httptest.NewServer(handler)
	defer server.Close()
	defer other.Close()
	client, b, _ := newClient(t, nil)
	for _, c := range []struct {
		name, method, to string
		write            bool
		status           int
		want             []string
	}{
		{"a read, same host", http.MethodGet, "/b", false, 200, []string{"GET /a ", "GET /b "}},
		{"a read, other host", http.MethodGet, other.URL + "/b", false, 307, []string{"GET /a "}},
		{"a read, other scheme", http.MethodGet, strings.Replace(server.URL, "http:", "https:", 1), false, 307, []string{"GET /a "}},
		{"a GET that writes", http.MethodGet, "/b", true, 307, []string{"GET /a "}},
		{"a POST", http.MethodPost, "/b", false, 307, []string{"POST /a "}},
	} {
		got = nil
		ctx := t.Context()
		if c.write {
			ctx = WithWrite(ctx)
		}
		resp, _, err := fetch(client, request(ctx, t, c.method, server.URL+"/a?access_token=s3cret&to="+url.QueryEscape(c.to), nil))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if resp.StatusCode != c.status || !slices.Equal(got, c.want) {
			t.Errorf("%s: status %d after %q, want %d after %q", c.name, resp.StatusCode, got, c.status, c.want)
		}
	}
	if n := b.Stats().UnderWay; n != 0 {
		t.Errorf("%d calls still under way", n)
	}
	_, _, err := fetch(client, request(t.Context(), t, http.MethodGet, server.URL+"/a?to="+url.QueryEscape("http://x/%zz?access_token=s3cret"), nil))
	if err == nil || !Sent(err) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a broken Location: %v (sent: %t)", err, Sent(err))
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		t.Errorf("a url.Error is in the chain of %v", err)
	}
}

// strangersCA is the certificate of an authority that vouches for nobody here.
func strangersCA(t *testing.T) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestTrust(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+" "+r.UserAgent())
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // one client here is meant to refuse it
	server.StartTLS()
	defer server.Close()
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})

	client, _, _ := newClient(t, func(o *Options) { o.CABundle = bundle })
	req := request(WithWrite(t.Context()), t, http.MethodGet, server.URL, nil)
	if _, text, err := fetch(client, req); err != nil || text != "HTTP/1.1 rollcall" {
		t.Errorf("with the bundle: %q, %v", text, err)
	}
	if req.Header.Get("User-Agent") != "" || req.Body != nil {
		t.Error("the caller's request was changed")
	}

	client, _, _ = newClient(t, func(o *Options) { o.CABundle = strangersCA(t) })
	var unknown *tls.CertificateVerificationError
	if _, _, err := fetch(client, request(t.Context(), t, http.MethodGet, server.URL, nil)); !errors.As(err, &unknown) || Sent(err) {
		t.Errorf("with another's bundle: %v (sent: %t), want a verification error, not sent", err, Sent(err))
	}

	client, _, _ = newClient(t, nil)
	if _, _, err := fetch(client, request(t.Context(), t, http.MethodGet, server.URL, nil)); !errors.As(err, &unknown) || Sent(err) {
		t.Errorf("without it: %v (sent: %t), want a verification error, not sent", err, Sent(err))
	}

	for name, o := range map[string]Options{
		"a bundle that is none": {Budget: NewBudget(Limits{}, nil, nil), CABundle: []byte("hello")},
		"no budget":             {},
	} {
		if _, err := Client(o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestThroughAProxyItIsStillKnownWhatWasSent(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/drop" {
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "platform.test:443" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		to, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		from, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			defer from.Close()
			_, _ = io.Copy(from, to)
		}()
		defer to.Close()
		_, _ = io.Copy(to, from)
	}))
	defer proxy.Close()
	at, _ := url.Parse(proxy.URL)

	client, _, _ := newClient(t, nil)
	transport := client.Transport.(*limited).next.(*wire).next
	transport.Proxy = http.ProxyURL(at)
	transport.TLSClientConfig.InsecureSkipVerify = true // the certificate is for another name
	for address, want := range map[string]struct{ fails, sent bool }{
		"https://platform.test/":     {false, true},
		"https://platform.test/drop": {true, true},
		"https://elsewhere.test/":    {true, false},
	} {
		_, _, err := fetch(client, request(WithWrite(t.Context()), t, http.MethodGet, address, nil))
		if (err != nil) != want.fails || Sent(err) != want.sent {
			t.Errorf("%s: %v (sent: %t), want %+v", address, err, Sent(err), want)
		}
	}
}

func TestObserverHearsOfAnswersAndThrottling(t *testing.T) {
	obs := &recorder{}
	b := NewBudget(Limits{}, nil, obs)
	b.Answered("user/get", "RateLimited")
	b.Throttled("user/get", time.Second)
	if want := []string{"user/get answered RateLimited", "user/get throttled 1s"}; !slices.Equal(obs.events, want) {
		t.Errorf("observed %q, want %q", obs.events, want)
	}
}

func TestContextDefaults(t *testing.T) {
	ctx := t.Context()
	if p, op := PriorityFrom(ctx), OperationFrom(ctx); p != Edit || op != "unnamed" {
		t.Errorf("unset: %v, %q", p, op)
	}
	if p := PriorityFrom(WithPriority(ctx, Freeze+7)); p != Freeze {
		t.Errorf("beyond the highest: %v", p)
	}
	if p := PriorityFrom(WithPriority(ctx, -1)); p != Sweep {
		t.Errorf("beyond the lowest: %v", p)
	}
}

func TestSentOfForeignErrors(t *testing.T) {
	if !Sent(nil) || !Sent(errors.New("something")) || RetryAfter(io.EOF) != 0 {
		t.Error("what is not known must count as sent")
	}
	wrapped := fmt.Errorf("deleting account %q: %w", "1", &Error{Err: io.EOF, RetryAfter: time.Second})
	if Sent(wrapped) || RetryAfter(wrapped) != time.Second {
		t.Errorf("wrapped: sent %t, after %s", Sent(wrapped), RetryAfter(wrapped))
	}
}
