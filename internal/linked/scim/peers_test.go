package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/test/peers"
)

// token is what the peers take. It must not be in any error.
const token = "sesame-token-value"

// now is the clock of all tests.
var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// peer is a server of other people behind a tap, which records what goes through it
// and can answer in its place.
type peer struct {
	t      *testing.T
	name   string
	server http.Handler
	url    string // of the tap

	mu    sync.Mutex
	calls []call
	fault func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool
	told  []throttle
}

type call struct {
	method, path, query, body string
	header                    http.Header
}

type throttle struct {
	operation string
	pause     time.Duration
}

// limits of what a peer says that it can do.
type limits struct{ noFilter, noPatch, tellGroups bool }

var makers = map[string]func(t *testing.T, l limits) http.Handler{
	"elimity": func(t *testing.T, l limits) http.Handler {
		h, err := peers.Elimity(peers.ElimityOptions{Token: token, NoFilter: l.noFilter, NoPatch: l.noPatch, TellGroups: l.tellGroups})
		if err != nil {
			t.Fatal(err)
		}
		return h
	},
	"scimmy": func(t *testing.T, l limits) http.Handler {
		s, err := scimmy(t, l)
		if err != nil {
			t.Fatal(err)
		}
		target, err := url.Parse(strings.TrimSuffix(s.URL, "/scim/v2"))
		if err != nil {
			t.Fatal(err)
		}
		return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.URL.Path, r.Out.URL.RawPath = "/scim/v2"+r.In.URL.Path, ""
			if r.In.URL.RawPath != "" {
				r.Out.URL.RawPath = "/scim/v2" + r.In.URL.RawPath
			}
		}}
	},
}

// running are the servers on node, one for each of the limits, which tests share one after another.
var running = map[limits]*peers.Scimmy{}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, s := range running {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping scimmy:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func scimmy(t *testing.T, l limits) (*peers.Scimmy, error) {
	if s := running[l]; s != nil {
		return s, s.Reset(t.Context())
	}
	var env []string
	for name, value := range map[string]string{"FILTER": yes(!l.noFilter), "PATCH": yes(!l.noPatch), "GROUPS": yes(l.tellGroups)} {
		env = append(env, name+"="+value)
	}
	s, err := peers.StartScimmy(token, env...)
	if err == nil {
		running[l] = s
	}
	return s, err
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// onBoth runs a test over each peer, each time a new one.
func onBoth(t *testing.T, test func(t *testing.T, p *peer)) {
	onBothLimited(t, limits{}, test)
}

func onBothLimited(t *testing.T, l limits, test func(t *testing.T, p *peer)) {
	t.Helper()
	for name, start := range makers {
		t.Run(name, func(t *testing.T) { test(t, tap(t, name, start(t, l))) })
	}
}

// tap puts the recorder before a server.
func tap(t *testing.T, name string, server http.Handler) *peer {
	p := &peer{t: t, name: name, server: server}
	front := httptest.NewUnstartedServer(p)
	front.Config.ErrorLog = log.New(io.Discard, "", 0) // connections are cut on purpose
	front.Start()
	t.Cleanup(front.Close)
	p.url = front.URL
	return p
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.mu.Lock()
	p.calls = append(p.calls, call{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body), r.Header.Clone()})
	fault := p.fault
	p.mu.Unlock()
	if fault != nil && fault(w, r, p.server) {
		return
	}
	p.server.ServeHTTP(w, r)
}

// failing sets what answers in the place of the peer while it returns true.
func (p *peer) failing(f func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// recorded are the calls since the last time that it was asked.
func (p *peer) recorded() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.calls
	p.calls = nil
	return all
}

// writes are those of them that change something.
func writes(calls []call) []call {
	var out []call
	for _, c := range calls {
		if c.method != http.MethodGet {
			out = append(out, c)
		}
	}
	return out
}

// open makes a system on the peer.
func (p *peer) open(o Options, attributes ...string) *System {
	p.t.Helper()
	o.Endpoint = p.url + "/"
	client, err := httpx.Client(httpx.Options{Budget: httpx.NewBudget(httpx.Limits{}, nil, nil)})
	if err != nil {
		p.t.Fatal(err)
	}
	s, err := New(o, linked.Settings{
		Secrets:    map[string][]byte{"token": []byte(token + "\n")},
		Attributes: attributes,
		HTTP:       client,
		Throttled: func(operation string, pause time.Duration) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.told = append(p.told, throttle{operation, pause})
		},
		Answered: func(string, directory.Class) {},
		Now:      func() time.Time { return now },
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(s.Close)
	return s.(*System)
}

// ask speaks to the peer itself, past the code under test and the tap.
func (p *peer) ask(method, path string, body any) (int, resource) {
	p.t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	r := httptest.NewRequestWithContext(p.t.Context(), method, path, content)
	r.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	w := httptest.NewRecorder()
	p.server.ServeHTTP(w, r)
	out, _ := decode(w.Body.Bytes())
	return w.Code, out
}

// make creates a resource on the peer itself and returns its id.
func (p *peer) make(path string, r resource) string {
	p.t.Helper()
	status, made := p.ask(http.MethodPost, path, r)
	if status != http.StatusCreated || made.text("id") == "" {
		p.t.Fatalf("seeding %s: %d %v", path, status, made)
	}
	return made.text("id")
}

func (p *peer) user(id string) resource {
	p.t.Helper()
	status, r := p.ask(http.MethodGet, "/Users/"+id, nil)
	if status != http.StatusOK {
		p.t.Fatalf("reading an account: %d", status)
	}
	return r
}

// members of a group, as the peer lists them.
func (p *peer) members(id string) []string {
	p.t.Helper()
	_, r := p.ask(http.MethodGet, "/Groups/"+id, nil)
	var out []string
	for _, e := range entries(r.get("members")) {
		out = append(out, e.text("value"))
	}
	return out
}

func zhang() resource {
	return resource{
		"schemas": []any{schemaUser, schemaEnterprise}, "userName": "zhang.san", "externalId": "E-1001", "active": true,
		"displayName": "Zhang San", "nickName": "Sanny", "title": "Clerk", "name": resource{"familyName": "Zhang", "givenName": "San"},
		"emails": []any{
			resource{"value": "zs@home.example", "type": "home"},
			resource{"value": "zhang.san@corp.example", "type": "work", "primary": true},
		},
		schemaEnterprise: resource{"department": "Sales", "costCenter": "4711"},
	}
}

// refusedAs fails unless err has the class and shows neither the token nor anybody's data.
func refusedAs(t *testing.T, err error, class directory.Class, words ...string) {
	t.Helper()
	if directory.ClassOf(err) != class {
		t.Fatalf("got %v (class %q), want class %q", err, directory.ClassOf(err), class)
	}
	if err == nil {
		return
	}
	for _, secret := range []string{token, "zhang", "Zhang", "E-1001"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v: want the words %q", err, word)
		}
	}
}
