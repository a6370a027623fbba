package dingtalk

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

const (
	testKey    = "dingtestkey0001"
	testSecret = "test-secret-0001"
)

// answer is what the stub gives to one call.
type answer struct {
	status int // 0 is 200
	body   string
	header http.Header
	err    error // instead of an answer
}

// asked is one call that the stub has seen.
type asked struct {
	path, token string
	body        map[string]any
	request     *http.Request
}

// stub answers by path what a test put there: the last answer of a list stays.
// It gives out the tokens old-1, old-2, … and new-1, new-2, ….
type stub struct {
	t *testing.T

	mu        sync.Mutex
	answers   map[string][]answer
	seen      []asked
	now       time.Time
	old, new  int
	throttles map[string]time.Duration
}

func newStub(t *testing.T) (*stub, *Directory) {
	t.Helper()
	s := &stub{
		t: t, answers: map[string][]answer{}, throttles: map[string]time.Duration{},
		now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
	}
	d, err := open(directory.Settings{
		Secrets: map[string][]byte{"appKey": []byte(testKey), "appSecret": []byte(testSecret + "\n")},
		HTTP:    &http.Client{Transport: s},
		Throttled: func(operation string, retryAfter time.Duration) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.throttles[operation] = retryAfter
		},
		Now: func() time.Time {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.now
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, d.(*Directory)
}

// on sets the answers of an operation.
func (s *stub) on(op *operation, answers ...answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[op.path] = answers
}

func (s *stub) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// calls returns the calls of an operation so far.
func (s *stub) calls(op *operation) []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []asked
	for _, a := range s.seen {
		if a.path == op.path {
			found = append(found, a)
		}
	}
	return found
}

func (s *stub) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	a := asked{path: r.URL.Path, request: r, token: r.URL.Query().Get("access_token") + r.Header.Get("X-Acs-Dingtalk-Access-Token")}
	if r.Body != nil {
		if err := json.NewDecoder(r.Body).Decode(&a.body); err != nil {
			s.t.Errorf("%s: the body is not a JSON object: %v", a.path, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, a)
	reply := s.reply(a.path)
	if reply.err != nil {
		return nil, reply.err
	}
	if reply.status == 0 {
		reply.status = http.StatusOK
	}
	return &http.Response{
		StatusCode: reply.status, Header: reply.header, Request: r, Body: io.NopCloser(strings.NewReader(reply.body)),
	}, nil
}

func (s *stub) reply(path string) answer {
	list := s.answers[path]
	switch {
	case len(list) > 1:
		s.answers[path] = list[1:]
		return list[0]
	case len(list) == 1:
		return list[0]
	case path == opOldToken.path:
		s.old++
		return jsonAnswer(map[string]any{"errcode": 0, "access_token": token("old", s.old), "expires_in": 7200})
	case path == opNewToken.path:
		s.new++
		return jsonAnswer(map[string]any{"accessToken": token("new", s.new), "expireIn": 7200})
	}
	return answer{err: errors.New("nothing is known of " + path)}
}

func token(kind string, n int) string { return kind + "-" + string(rune('0'+n)) }

func jsonAnswer(v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return answer{body: string(body)}
}

// fine is the answer that all is well, with a result.
func fine(result any) answer {
	return jsonAnswer(map[string]any{"errcode": 0, "errmsg": "ok", "result": result, "request_id": "r"})
}

// no is a refusal of the older API.
func no(code int) answer { return jsonAnswer(map[string]any{"errcode": code, "errmsg": "…"}) }

// recorded is an answer from testdata.
func recorded(t *testing.T, name string) answer {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return answer{body: string(b)}
}

// isError fails unless err has the class and code.
func isError(t *testing.T, err error, class directory.Class, code string) {
	t.Helper()
	_ = asError(t, err, class, code)
}

// asError is isError for those who look further.
func asError(t *testing.T, err error, class directory.Class, code string) *directory.Error {
	t.Helper()
	e, ok := errors.AsType[*directory.Error](err)
	if !ok || e.Class != class || e.Code != code {
		t.Fatalf("got %v, want class %s and code %q", err, class, code)
	}
	return e
}
