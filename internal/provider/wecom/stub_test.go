package wecom

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

const (
	corp      = "ww-example"
	syncValue = "sync-secret-value"
	appValue  = "app-secret-value"
)

// stub is a platform of canned answers. Tokens are "<secret>-token-<n>".
type stub struct {
	t       *testing.T
	server  *httptest.Server
	answers map[string]func(*http.Request, map[string]any) string

	mu        sync.Mutex
	calls     []string // operations in order
	tokens    int
	throttled []string
	waited    []time.Duration
	now       time.Time
}

// answer is an answer that does not look at its request.
func answer(body string) func(*http.Request, map[string]any) string {
	return func(*http.Request, map[string]any) string { return body }
}

func recorded(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// newStub starts a stub; answers are by operation. gettoken has one already.
func newStub(t *testing.T, answers map[string]func(*http.Request, map[string]any) string) *stub {
	s := &stub{t: t, answers: answers, now: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := strings.TrimPrefix(r.URL.Path, "/cgi-bin/")
	body := map[string]any{}
	if raw, err := io.ReadAll(r.Body); err == nil && len(raw) > 0 {
		if err := json.Unmarshal(raw, &body); err != nil {
			s.t.Errorf("%s: the body is not JSON: %v", operation, err)
		}
	}
	s.mu.Lock()
	s.calls = append(s.calls, operation)
	if operation == "gettoken" {
		s.tokens++
	}
	n, f := s.tokens, s.answers[operation]
	s.mu.Unlock()
	switch {
	case f != nil:
		_, _ = io.WriteString(w, f(r, body))
	case operation == "gettoken":
		_ = json.NewEncoder(w).Encode(map[string]any{
			"errcode": 0, "errmsg": "ok", "expires_in": 7200,
			"access_token": r.URL.Query().Get("corpsecret") + "-token-" + string(rune('0'+n)),
		})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *stub) count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if c == operation {
			n++
		}
	}
	return n
}

func (s *stub) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stub) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// open returns a directory on the stub, with both secrets unless app is false.
func (s *stub) open(app bool) *Directory {
	s.t.Helper()
	client, err := httpx.Client(httpx.Options{Budget: httpx.NewBudget(httpx.Limits{}, nil, nil)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.CloseIdleConnections)
	settings := directory.Settings{
		Tenant: corp, Endpoint: s.server.URL, NumberAttribute: "工号", HTTP: client, Now: s.clock,
		Secrets: map[string][]byte{syncSecret: []byte(syncValue + "\n")},
		Throttled: func(operation string, _ time.Duration) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.throttled = append(s.throttled, operation)
		},
	}
	if app {
		settings.Secrets[appSecret], settings.Secrets[agentID] = []byte(appValue), []byte("1000002\n")
	}
	dir, err := Descriptor().New(settings)
	if err != nil {
		s.t.Fatal(err)
	}
	d := dir.(*Directory)
	d.client.wait = func(_ context.Context, pause time.Duration) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waited = append(s.waited, pause)
		return nil
	}
	return d
}

// refused fails unless err has the class and none of the secrets in its text.
func refused(t *testing.T, err error, class directory.Class, words ...string) {
	t.Helper()
	if directory.ClassOf(err) != class {
		t.Errorf("got %v (class %q), want class %s", err, directory.ClassOf(err), class)
	}
	if err == nil {
		return
	}
	for _, secret := range []string{syncValue, appValue, "-token-", "corpsecret=" + syncValue} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v: want the words %q", err, word)
		}
	}
}
