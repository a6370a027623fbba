package harness

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Tap stands between a manager and what it talks to, counts what the manager changes in one order, and ends or interrupts it
// at a chosen moment: before something reaches the other side, or after the other side has done it and before the answer
// comes back. Give the manager its KubeconfigPath and the URLs of Platform.
//
// Events are every write to the API server, leases and events excepted, every call to a platform, and every write to a storage.
type Tap struct {
	kubeconfig string
	servers    []*http.Server

	mu     sync.Mutex
	events []Event
	counts map[string]int // since Arm, by what
	trap   *trap
	cut    bool
}

// Event is one thing that the manager asked for.
type Event struct {
	// What it was, without names and ids: "PATCH offboardings/status", "POST /topapi/v2/user/delete".
	What string
	// Path is the whole path, for people who look for a mistake.
	Path string
}

// Moment is before or after the Nth time, from 1, that What is asked for. An empty What is anything.
type Moment struct {
	What  string
	Nth   int
	After bool
}

func (m Moment) String() string {
	side := "before"
	if m.After {
		side = "after"
	}
	what := m.What
	if what == "" {
		what = "event"
	}
	return fmt.Sprintf("%s %s #%d", side, what, m.Nth)
}

type trap struct {
	Moment
	act    func()
	kills  bool
	struck chan struct{}
}

// StartTap listens on loopback before the API server, as this user. Stop it.
func (cp *ControlPlane) StartTap(ctx context.Context, user *User, name string) (*Tap, error) {
	t := &Tap{counts: map[string]int{}}
	transport, err := rest.TransportFor(user.Config())
	if err != nil {
		return nil, fmt.Errorf("tapping the API server: %w", err)
	}
	cert, key, err := cp.ca.server()
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tapping the API server: %w", err)
	}
	address, err := t.serve(ctx, cp.url, transport, writeOf, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.LoadFromFile(user.path)
	if err != nil {
		t.Stop()
		return nil, fmt.Errorf("tapping the API server: %w", err)
	}
	config.Clusters[clusterName].Server = "https://" + address
	t.kubeconfig = filepath.Join(cp.dir, name+"-tapped.kubeconfig")
	if err := clientcmd.WriteToFile(*config, t.kubeconfig); err != nil {
		t.Stop()
		return nil, fmt.Errorf("tapping the API server: %w", err)
	}
	return t, nil
}

// KubeconfigPath is the kubeconfig file of the user, with the tap in place of the API server.
func (t *Tap) KubeconfigPath() string { return t.kubeconfig }

// Platform listens on loopback before a platform, and returns the URL to use in its place.
func (t *Tap) Platform(ctx context.Context, upstream string) (string, error) {
	// Retries of a transport would be calls that nobody made: one connection for each call.
	address, err := t.serve(ctx, upstream, &http.Transport{DisableKeepAlives: true}, callOf, nil)
	return "http://" + address, err
}

// Storage listens on loopback before an S3 server, and returns the URL to use in its place.
func (t *Tap) Storage(ctx context.Context, upstream string) (string, error) {
	address, err := t.serve(ctx, upstream, &http.Transport{}, storedOf, nil)
	return "http://" + address, err
}

// Stop ends the tap.
func (t *Tap) Stop() {
	for _, s := range t.servers {
		_ = s.Close()
	}
}

func (t *Tap) serve(ctx context.Context, upstream string, transport http.RoundTripper, kind func(*http.Request) string, secure *tls.Config) (address string, err error) {
	target, err := url.Parse(upstream)
	if err != nil {
		return "", fmt.Errorf("tapping %s: %w", upstream, err)
	}
	if err := fillAddresses(ctx, &address); err != nil {
		return "", err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("tapping %s: %w", upstream, err)
	}
	silent := log.New(io.Discard, "", 0)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // which S3 signs
		},
		Transport:     transport,
		FlushInterval: -1, // watches
		ErrorLog:      silent,
		// What the other side did not answer is not answered.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := &http.Server{Handler: t.handler(proxy, kind), TLSConfig: secure, ErrorLog: silent} //nolint:gosec // on loopback, for one client
	t.servers = append(t.servers, server)
	go func() {
		if secure == nil {
			_ = server.Serve(listener)
			return
		}
		_ = server.ServeTLS(listener, "", "")
	}()
	return address, nil
}

// handler lets what is no event through, and stops at the armed moment.
func (t *Tap) handler(proxy http.Handler, kind func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := kind(r)
		if what == "" {
			proxy.ServeHTTP(w, r)
			return
		}
		hit, open := t.note(Event{What: what, Path: r.URL.Path})
		if !open || (hit != nil && !hit.After && !t.spring(hit)) {
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		proxy.ServeHTTP(answer, r)
		if hit != nil && hit.After && !t.spring(hit) {
			panic(http.ErrAbortHandler)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = answer.Body.WriteTo(w) // who is gone misses it
	})
}

// note counts an event. It returns the trap if this is its moment, and whether anything may pass.
func (t *Tap) note(e Event) (hit *trap, open bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut {
		return nil, false
	}
	t.events = append(t.events, e)
	t.counts[e.What]++
	t.counts[""]++
	if t.trap != nil && (t.trap.What == "" || t.trap.What == e.What) && t.counts[t.trap.What] == t.trap.Nth {
		hit, t.trap = t.trap, nil
		t.cut = hit.kills && !hit.After
	}
	return hit, true
}

// spring acts, and reports whether the manager lives on.
func (t *Tap) spring(hit *trap) bool {
	if hit.kills {
		t.mu.Lock()
		t.cut = true // what it had sent already, and we have not read, does not arrive
		t.mu.Unlock()
	}
	hit.act()
	close(hit.struck)
	return !hit.kills
}

func (t *Tap) arm(m Moment, kills bool, act func()) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut, t.counts = false, map[string]int{}
	t.trap = &trap{Moment: m, act: act, kills: kills, struck: make(chan struct{})}
	return t.trap.struck
}

// Kill kills the victim at the moment, counted from now. The channel is closed when it is dead. Nothing passes from then on
// until Reset.
func (t *Tap) Kill(m Moment, victim interface{ Kill() }) <-chan struct{} {
	return t.arm(m, true, victim.Kill)
}

// Pause acts at the moment, counted from now, while the manager waits for its answer, and lets it go on. The channel is
// closed when that is done.
func (t *Tap) Pause(m Moment, act func()) <-chan struct{} { return t.arm(m, false, act) }

// Reset forgets an armed moment and the events so far, and lets everything pass.
func (t *Tap) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut, t.counts, t.trap, t.events = false, map[string]int{}, nil, nil
}

// Events are those since Reset, in the order in which they were asked for.
func (t *Tap) Events() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Event(nil), t.events...)
}

// writeOf names a write to the API server; reads, leases, events and reviews, which write nothing, are none.
func writeOf(r *http.Request) string {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return ""
	}
	resource, err := resourceOf(r.URL.Path)
	if err != nil || resource == "leases" || resource == "events" || strings.HasSuffix(resource, "reviews") {
		return ""
	}
	return r.Method + " " + resource
}

// resourceOf is "offboardings/status" of /apis/rollcall.dev/v1alpha1/namespaces/acme/offboardings/name/status.
func resourceOf(of string) (string, error) {
	parts := strings.Split(strings.Trim(of, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		parts = parts[3:]
	default:
		return "", errors.New("no resource")
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	if len(parts) > 2 {
		return parts[0] + "/" + parts[2], nil
	}
	return parts[0], nil
}

// storedOf names a write to a storage; reads are none, and neither are the files by which storages are probed and claimed.
func storedOf(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.Contains(r.URL.Path, "/.") {
		return ""
	}
	return r.Method + " " + path.Base(r.URL.Path)
}

// callOf names a call to a platform: its path, with a star for each part that is an id.
func callOf(r *http.Request) string {
	parts := strings.Split(r.URL.Path, "/")
	for i, part := range parts {
		isVersion := len(part) > 1 && part[0] == 'v' && part[1] >= '0' && part[1] <= '9' && len(part) <= 4
		if strings.ContainsAny(part, "0123456789") && !isVersion {
			parts[i] = "*"
		}
	}
	return r.Method + " " + strings.Join(parts, "/")
}
