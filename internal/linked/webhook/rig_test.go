package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/linked"
	receiver "rollcall.dev/rollcall/test/simulator/webhook"
)

var (
	newKey = []byte("new-key-of-the-tests-0123456789abcdef")
	oldKey = []byte("old-key-of-the-tests-0123456789abcdef")
)

// rig is a receiver and a system that talks to it. Whatever travels is held against the schema, and
// every request against the published library of Standard Webhooks.
type rig struct {
	*receiver.Receiver
	t      *testing.T
	server *httptest.Server
	system linked.System

	mu        sync.Mutex
	now       time.Time
	requests  []seen
	throttled []string
	answered  []string
}

// seen is a request as it came.
type seen struct {
	header http.Header
	body   []byte
}

// setup of a rig; zero values are a receiver with newKey that answers lookups.
type setup struct {
	receiver receiver.Options
	secrets  map[string][]byte
	blind    bool // the LinkedSystem says lookup: No
	http     httpx.Options
}

func newRig(t *testing.T, s setup) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)}
	if s.receiver.Keys == nil {
		s.receiver.Keys = [][]byte{newKey}
	}
	if s.secrets == nil {
		s.secrets = map[string][]byte{signingKey: newKey}
	}
	s.receiver.Now, s.receiver.Seen = r.clock, r.see
	r.Receiver = receiver.New(s.receiver)
	r.server = httptest.NewServer(r.Receiver)
	t.Cleanup(r.server.Close)
	s.http.Budget = httpx.NewBudget(httpx.Limits{}, nil, nil)
	client, err := httpx.Client(s.http)
	if err != nil {
		t.Fatal(err)
	}
	r.system = r.open(Options{Endpoint: r.server.URL + "/rollcall", Lookup: !s.blind}, s.secrets, client)
	return r
}

func (r *rig) open(o Options, secrets map[string][]byte, client *http.Client) linked.System {
	r.t.Helper()
	system, err := New(o, linked.Settings{
		Secrets: secrets, Attributes: []string{"title", "displayName"}, HTTP: client, Now: r.clock,
		Throttled: func(operation string, after time.Duration) {
			r.note(&r.throttled, fmt.Sprintf("%s %s", operation, after))
		},
		Answered: func(operation string, class directory.Class) {
			r.note(&r.answered, fmt.Sprintf("%s %s", operation, class))
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(system.Close)
	return system
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) note(list *[]string, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*list = append(*list, what)
}

func (r *rig) seen() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

func (r *rig) see(req *http.Request, body, receipt []byte) {
	r.mu.Lock()
	r.requests = append(r.requests, seen{req.Header.Clone(), body})
	r.mu.Unlock()
	if err := valid("request", body); err != nil {
		r.t.Errorf("a request is not as documented: %v\n%s", err, body)
	}
	if err := valid("receipt", receipt); err != nil {
		r.t.Errorf("a receipt is not as documented: %v\n%s", err, receipt)
	}
	if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("%s of %q", req.Method, req.Header.Get("Content-Type"))
	}
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if req.Header.Get(name) != "" {
			r.t.Errorf("%s makes net/http repeat a request by itself", name)
		}
	}
}

// genuine holds a request against the published library.
func genuine(t *testing.T, s seen, key []byte) bool {
	t.Helper()
	library, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		t.Fatal(err)
	}
	return library.VerifyIgnoringTimestamp(s.body, s.header) == nil
}

// valid holds a body against one definition of the schema, in which here nothing is allowed that is not in it.
func valid(definition string, body []byte) error {
	schema, err := schemas(definition)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

var wish = linked.Wish{Login: "lin.xiao", Number: "E1001", Attributes: map[string][]string{"displayName": {"林晓"}, "title": {"工程师"}}}

func ord(key string) linked.Order { return linked.Order{Key: key, Reason: "the tests"} }

// create makes the account of wish.
func (r *rig) create() linked.Account {
	r.t.Helper()
	a, err := r.system.Create(r.t.Context(), wish, ord("create-1"))
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// acts are the writes on an account, by event.
func (r *rig) acts(id string) map[string]func(linked.Order) error {
	ctx := r.t.Context()
	return map[string]func(linked.Order) error{
		eventUpdate: func(o linked.Order) error {
			return r.system.Update(ctx, id, linked.Wish{Attributes: map[string][]string{"title": {}}}, o)
		},
		eventDisable: func(o linked.Order) error { return r.system.Disable(ctx, id, o) },
		eventEnable:  func(o linked.Order) error { return r.system.Enable(ctx, id, o) },
		eventUnlink:  func(o linked.Order) error { return r.system.Unlink(ctx, id, o) },
		eventDelete:  func(o linked.Order) error { return r.system.Delete(ctx, id, o) },
	}
}
