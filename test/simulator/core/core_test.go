package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// toy is a platform with one table: PUT /put?id= stores the body's name,
// GET /list lists the names, GET /get?id= shows one.
type toy struct {
	Admin
	mu      sync.Mutex
	journal *Journal
	names   *Table[string]
	arrived chan string // operations, as Do begins
	proceed chan struct{}
}

func (p *toy) Name() string { return "toy" }

func (p *toy) Describe(r *http.Request, _ []byte) Call {
	return Call{
		Tenant: "t", Operation: r.URL.Path, Subject: r.URL.Query().Get("id"), Credential: r.URL.Query().Get("as"),
		Listing: r.URL.Path == "/v1/list", Write: r.Method == http.MethodPut,
	}
}

func (p *toy) Do(c *Call) Answer {
	if p.arrived != nil {
		p.arrived <- c.Operation
		<-p.proceed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.Write {
		var body struct{ Name string }
		if err := json.Unmarshal(c.Body, &body); err != nil {
			return JSON(http.StatusOK, "1", nil)
		}
		p.names.Put(c.Subject, body.Name)
		return JSON(http.StatusOK, "0", "ok")
	}
	if !c.Listing {
		name, _ := p.names.Get(c.Subject, c.At(p.journal))
		return JSON(http.StatusOK, "0", name)
	}
	list := []string{}
	for _, name := range p.names.All(c.At(p.journal)) {
		list = append(list, name)
	}
	keep, cut := c.Rows(len(list))
	return JSON(http.StatusOK, "0", map[string]any{"list": list[:keep], "cut": cut})
}

func (p *toy) name(id string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.names.Get(id, Live)
}

func (p *toy) Error(_ *Call, f Fault) Answer {
	return JSON(max(f.HTTPStatus, 200), string(f.Code), f.Message)
}

func (p *toy) Throttled(_ *Call, s Scope) Answer {
	return JSON(http.StatusTooManyRequests, "slow", string(s))
}

func (p *toy) DocumentedLimits() []Rule { return nil }

func (p *toy) Reset() {}

type world struct {
	*Core
	toy *toy
	url string
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}
	w.Core = New(Options{Clock: NewClock(func() time.Time { return w.now }), LogSize: 8})
	w.toy = &toy{journal: w.NewJournal()}
	w.toy.names = NewTable[string](w.toy.journal)
	server := httptest.NewServer(w.Register(w.toy))
	t.Cleanup(server.Close)
	t.Cleanup(w.Faults.Clear)
	w.url = server.URL
	return w
}

// call gives the answer's status and body; status 0 means that none came.
func (w *world) call(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	// A fresh connection each time: Go repeats a GET on one that was reused.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		return 0, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func (w *world) put(t *testing.T, id, name string) {
	t.Helper()
	if status, body := w.call(t, http.MethodPut, "/v1/put?id="+id, `{"name":"`+name+`"}`); status != 200 || body != `"ok"` {
		t.Fatalf("put %s: %d %s", id, status, body)
	}
}

func (w *world) fault(t *testing.T, f Fault) Fault {
	t.Helper()
	made, err := w.Faults.Add(f)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestFaultKinds(t *testing.T) {
	const list, get, put = "/v1/list", "/v1/get?id=a", "/v1/put?id=a"
	tests := map[string]struct {
		fault        Fault
		method, path string
		status       int
		body         string
		stored       string // the name of a afterwards
	}{
		"error":        {Fault{Kind: KindError, Code: "60111", Message: "gone"}, "GET", get, 200, `"gone"`, "old"},
		"error status": {Fault{Kind: KindError, Code: "x", HTTPStatus: 403}, "GET", get, 403, `""`, "old"},
		"httpStatus":   {Fault{Kind: KindHTTPStatus, HTTPStatus: 502}, "PUT", put, 502, "502 Bad Gateway", "old"},
		"throttle":     {Fault{Kind: KindThrottle}, "PUT", put, 429, `"operation"`, "old"},
		"ipban":        {Fault{Kind: KindIPBan}, "PUT", put, 429, `"ip"`, "old"},
		"latency":      {Fault{Kind: KindLatency, DelayMillis: 1}, "PUT", put, 200, `"ok"`, "new"},
		"dropBefore":   {Fault{Kind: KindDropBefore}, "PUT", put, 0, "", "old"},
		"dropAfter":    {Fault{Kind: KindDropAfter}, "PUT", put, 0, "", "new"},
		"partialPage":  {Fault{Kind: KindPartialPage}, "GET", list, 200, `{"cut":true,"list":["old"]}`, "old"},
		"rows":         {Fault{Kind: KindPartialPage, Rows: 2}, "GET", list, 200, `{"cut":true,"list":["old","b"]}`, "old"},
		"emptyListing": {Fault{Kind: KindEmptyListing}, "GET", list, 200, `{"cut":true,"list":[]}`, "old"},
		"not a list":   {Fault{Kind: KindEmptyListing}, "GET", get, 200, `"old"`, "old"},
		"ignoreField":  {Fault{Kind: KindIgnoreField, Field: "name"}, "PUT", put, 200, `"ok"`, ""},
		"other field":  {Fault{Kind: KindIgnoreField, Field: "title"}, "PUT", put, 200, `"ok"`, "new"},
		"other path":   {Fault{Kind: KindError, Code: "1", Operation: "/v1/other"}, "PUT", put, 200, `"ok"`, "new"},
		"other who":    {Fault{Kind: KindError, Code: "1", Subject: "b"}, "PUT", put, 200, `"ok"`, "new"},
		"other tenant": {Fault{Kind: KindError, Code: "1", Tenant: "u"}, "PUT", put, 200, `"ok"`, "new"},
		"by suffix":    {Fault{Kind: KindError, Code: "1", Operation: "put", Subject: "a"}, "PUT", put, 200, `""`, "old"},
		"by path":      {Fault{Kind: KindError, Code: "1", Operation: "/v1/put"}, "PUT", put, 200, `""`, "old"},
		"all":          {Fault{Kind: KindError, Code: "1", Operation: "*", Platform: "*"}, "PUT", put, 200, `""`, "old"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.put(t, "a", "old")
			w.put(t, "b", "b")
			w.fault(t, tt.fault)
			status, body := w.call(t, tt.method, tt.path, `{"name":"new"}`)
			if status != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("answer is %d %s, want %d %s", status, body, tt.status, tt.body)
			}
			if got, _ := w.toy.name("a"); got != tt.stored {
				t.Errorf("a is %q, want %q", got, tt.stored)
			}
		})
	}
}

func TestFaultCountsDown(t *testing.T) {
	w := newWorld(t)
	w.fault(t, Fault{Kind: KindError, Code: "1", Message: "no", Skip: 1, Times: 2})
	var got []string
	for range 5 {
		_, body := w.call(t, "GET", "/v1/get?id=a", "")
		got = append(got, body)
	}
	if want := `"" "no" "no" "" ""`; strings.Join(got, " ") != want {
		t.Errorf("answers are %v, want %s", got, want)
	}
	if left := w.Faults.List(); len(left) != 0 {
		t.Errorf("faults left: %v", left)
	}
}

func TestFaultProbability(t *testing.T) {
	w := newWorld(t)
	w.fault(t, Fault{Kind: KindError, Code: "1", Probability: 0.5})
	c := Call{Operation: "/v1/get"}
	hits := 0
	for range 1000 {
		if w.Faults.draw(&c).final != nil {
			hits++
		}
	}
	if hits < 400 || hits > 600 {
		t.Errorf("%d of 1000 hits with probability 0.5", hits)
	}
}

func TestStaleReads(t *testing.T) {
	tests := map[string]struct {
		fault Fault
		want  string
	}{
		"as of its making":  {Fault{Kind: KindStale}, `{"cut":false,"list":["v2"]}`},
		"one write behind":  {Fault{Kind: KindStale, LagWrites: 1}, `{"cut":false,"list":["v3"]}`},
		"before everything": {Fault{Kind: KindStale, LagWrites: 99}, `{"cut":false,"list":[]}`},
		"seconds behind":    {Fault{Kind: KindStale, LagSeconds: 15}, `{"cut":false,"list":["v3"]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.put(t, "a", "v1")
			w.Clock.Advance(10 * time.Second)
			w.put(t, "a", "v2")
			w.Clock.Advance(10 * time.Second)
			f := w.fault(t, tt.fault)
			w.put(t, "a", "v3")
			w.Clock.Advance(10 * time.Second)
			w.put(t, "a", "v4")
			w.Clock.Advance(10 * time.Second)
			if _, body := w.call(t, "GET", "/v1/list", ""); body != tt.want {
				t.Errorf("stale listing is %s, want %s", body, tt.want)
			}
			if err := w.Faults.Remove(f.ID); err != nil {
				t.Fatal(err)
			}
			if _, body := w.call(t, "GET", "/v1/list", ""); body != `{"cut":false,"list":["v4"]}` {
				t.Errorf("listing without the fault is %s", body)
			}
		})
	}
}

func TestHangUntilRemoved(t *testing.T) {
	w := newWorld(t)
	f := w.fault(t, Fault{Kind: KindHang, Times: 1})
	answered := make(chan int)
	go func() {
		status, _ := w.call(t, "PUT", "/v1/put?id=a", `{"name":"late"}`)
		answered <- status
	}()
	// The second call passes, for the fault strikes once; so the first hangs by then.
	for {
		if hits := w.Faults.List(); len(hits) == 1 && hits[0].Hits == 1 {
			break
		}
	}
	select {
	case <-answered:
		t.Fatal("the call was answered while it should hang")
	default:
	}
	if err := w.Faults.Remove(f.ID); err != nil {
		t.Fatal(err)
	}
	if status := <-answered; status != 200 {
		t.Errorf("status after the fault was removed is %d", status)
	}
}

func TestHangUntilClientLeaves(t *testing.T) {
	w := newWorld(t)
	w.fault(t, Fault{Kind: KindHang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, w.url+"/v1/put?id=a", strings.NewReader(`{"name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error is %v", err)
	}
	if _, there := w.toy.name("a"); there {
		t.Error("the write happened")
	}
}

// TestWriteOutlivesClient: who gives up while the platform is slow has written.
func TestWriteOutlivesClient(t *testing.T) {
	w := newWorld(t)
	w.toy.arrived, w.toy.proceed = make(chan string), make(chan struct{})
	w.fault(t, Fault{Kind: KindLatency, DelayMillis: 60_000})
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, w.url+"/v1/put?id=a", strings.NewReader(`{"name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := http.DefaultClient.Do(request)
		done <- err
	}()
	for len(w.Faults.List()) == 1 && w.Faults.List()[0].Hits == 0 {
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if op := <-w.toy.arrived; op != "/v1/put" {
		t.Errorf("the platform performed %q", op)
	}
	close(w.toy.proceed)
}

func TestFaultsAreChecked(t *testing.T) {
	for name, f := range map[string]Fault{
		"no kind":      {},
		"unknown kind": {Kind: "explode"},
		"no code":      {Kind: KindError},
		"no status":    {Kind: KindHTTPStatus},
		"no delay":     {Kind: KindLatency},
		"no field":     {Kind: KindIgnoreField},
		"negative":     {Kind: KindHang, Times: -1},
		"probability":  {Kind: KindHang, Probability: 2},
	} {
		if _, err := newFaults(0).Add(f); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := newFaults(0).Remove("f1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("removing an unknown fault: %v", err)
	}
}

func TestCodeIsNumberOrString(t *testing.T) {
	var f Fault
	for text, want := range map[string]Code{`{"code":60111}`: "60111", `{"code":"a.b"}`: "a.b", `{"code":-1}`: "-1"} {
		if err := json.Unmarshal([]byte(text), &f); err != nil || f.Code != want {
			t.Errorf("%s is %q, %v", text, f.Code, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"code":{}}`), &f); err == nil {
		t.Error("an object was accepted as code")
	}
}

func TestWithout(t *testing.T) {
	for _, tt := range []struct{ body, field, want string }{
		{`{"a":1,"b":2}`, "a", `{"b":2}`},
		{`{"a":{"b":1,"c":2}}`, "a.b", `{"a":{"c":2}}`},
		{`{"a":{"b":1}}`, "a.x", `{"a":{"b":1}}`},
		{`{"a":1}`, "x", `{"a":1}`},
		{`[1]`, "a", `[1]`},
		{`a=1&b=2`, "a", `b=2`},
		{``, "a", ``},
	} {
		if got := string(without([]byte(tt.body), tt.field)); got != tt.want {
			t.Errorf("%s without %s is %s, want %s", tt.body, tt.field, got, tt.want)
		}
	}
}

func TestLog(t *testing.T) {
	w := newWorld(t)
	w.fault(t, Fault{Kind: KindDropAfter, Subject: "c", Times: 1})
	w.put(t, "a", "secret-body")
	w.call(t, "PUT", "/v1/put?id=b&as=sync&access_token=secret-token", "not json")
	w.call(t, "PUT", "/v1/put?id=c", `{"name":"x"}`)
	all := w.Log.Entries(Query{})
	if len(all) != 3 {
		t.Fatalf("%d entries", len(all))
	}
	if e := all[1]; e.Seq != 2 || e.Platform != "toy" || e.Tenant != "t" || e.Operation != "/v1/put" || e.Method != http.MethodPut ||
		e.Subject != "b" || e.Credential != "sync" || e.HTTPStatus != 200 || e.Code != "1" || !e.Time.Equal(w.now) {
		t.Errorf("entry is %+v", e)
	}
	if e := all[2]; e.HTTPStatus != 0 || e.Fault != "f1" {
		t.Errorf("entry of a dropped call is %+v", e)
	}
	text, err := json.Marshal(all)
	if err != nil || bytes.Contains(text, []byte("secret")) {
		t.Errorf("the log tells a secret: %s", text)
	}
	for name, tt := range map[string]struct {
		q    Query
		want int
	}{
		"subject":   {Query{Subject: "a"}, 1},
		"since":     {Query{Since: 1}, 2},
		"limit":     {Query{Limit: 2}, 2},
		"code":      {Query{Code: "1"}, 1},
		"operation": {Query{Operation: "put"}, 3},
		"platform":  {Query{Platform: "other"}, 0},
	} {
		if got := w.Log.Entries(tt.q); len(got) != tt.want {
			t.Errorf("%s: %d entries, want %d", name, len(got), tt.want)
		}
	}
}

func TestLogRing(t *testing.T) {
	l := newLog(3)
	for i := range 5 {
		l.add(Entry{Operation: "/v1/op", Code: string(rune('a' + i%2))})
	}
	entries := l.Entries(Query{})
	if len(entries) != 3 || entries[0].Seq != 3 || entries[2].Seq != 5 || l.Last() != 5 {
		t.Errorf("entries are %+v", entries)
	}
	counts := l.Counts(Query{Operation: "op"})
	if len(counts) != 2 || counts[0].Count != 3 || counts[1].Count != 2 {
		t.Errorf("counts are %+v", counts)
	}
	l.Reset()
	l.add(Entry{})
	if entries := l.Entries(Query{}); len(entries) != 1 || entries[0].Seq != 6 {
		t.Errorf("after a reset: %+v", entries)
	}
}

func TestLimits(t *testing.T) {
	type step struct {
		after time.Duration
		call  Call
		want  Scope // "" passes
	}
	as := func(credential, operation string) Call {
		return Call{Platform: "toy", Tenant: "t", Credential: credential, Operation: operation}
	}
	a, b := as("a", "/x"), as("b", "/x")
	tests := map[string]struct {
		rules []Rule
		steps []step
	}{
		"bucket refills": {[]Rule{{Scope: ScopeOperation, Calls: 2, Per: time.Second}}, []step{
			{0, a, ""}, {0, a, ""}, {0, a, ScopeOperation}, {0, b, ""}, {0, as("a", "/y"), ""},
			{500 * time.Millisecond, a, ""}, {0, a, ScopeOperation}, {10 * time.Second, a, ""}, {0, a, ""}, {0, a, ScopeOperation},
		}},
		"burst": {[]Rule{{Scope: ScopeOverall, Calls: 1, Per: time.Second, Burst: 3}}, []step{
			{0, a, ""}, {0, b, ""}, {0, as("c", "/z"), ""}, {0, a, ScopeOverall}, {time.Second, a, ""},
		}},
		"window blocks": {[]Rule{{Scope: ScopeTenant, Calls: 2, Per: time.Minute, Block: time.Minute}}, []step{
			{0, a, ""}, {30 * time.Second, b, ""}, {0, a, ScopeTenant}, {59 * time.Second, b, ScopeTenant}, {time.Second, a, ""},
		}},
		"path": {[]Rule{{Scope: ScopePath, Calls: 1, Per: time.Hour, Block: time.Hour}}, []step{
			{0, a, ""}, {0, Call{Platform: "toy", Tenant: "u", Operation: "/x"}, ScopePath},
		}},
		"refused calls do not count": {[]Rule{
			{Scope: ScopeOverall, Calls: 2, Per: time.Hour}, {Scope: ScopeOperation, Calls: 1, Per: time.Hour},
		}, []step{{0, a, ""}, {0, a, ScopeOperation}, {0, a, ScopeOperation}, {0, b, ""}, {0, as("c", "/x"), ScopeOverall}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1_800_000_000, 0)
			l := newLimiter(NewClock(func() time.Time { return now }))
			l.document("toy", tt.rules)
			for i, s := range tt.steps {
				now = now.Add(s.after)
				release, got := l.take(&s.call)
				if got != s.want {
					t.Fatalf("step %d: refused by %q, want %q", i, got, s.want)
				}
				if release != nil {
					release()
				}
			}
		})
	}
}

func TestConcurrentCalls(t *testing.T) {
	l := newLimiter(NewClock(nil))
	l.document("toy", nil)
	if err := l.Set("toy", Limits{Concurrent: 1}, false); err != nil {
		t.Fatal(err)
	}
	c := Call{Platform: "toy", Operation: "/x"}
	first, _ := l.take(&c)
	if _, got := l.take(&c); got != ScopeConcurrent {
		t.Errorf("the second call was refused by %q", got)
	}
	first()
	if _, got := l.take(&c); got != "" {
		t.Errorf("a call after the first was refused by %q", got)
	}
}

func TestLimitsForm(t *testing.T) {
	documented := []Rule{{Scope: ScopeIP, Calls: 1, Per: time.Second}}
	for name, tt := range map[string]struct {
		in   Limits
		want int
		ok   bool
	}{
		"nothing":    {Limits{}, 0, false},
		"negative":   {Limits{PerSecond: -1}, 0, false},
		"unlimited":  {Limits{Unlimited: true}, 0, true},
		"documented": {Limits{Documented: true}, 1, true},
		"all":        {Limits{Documented: true, PerSecond: 1, OverallPerSecond: 2}, 3, true},
	} {
		rules, err := tt.in.Rules(documented)
		if (err == nil) != tt.ok || len(rules) != tt.want {
			t.Errorf("%s: %v, %v", name, rules, err)
		}
	}
	w := newWorld(t)
	if err := w.Limits.Set("other", Limits{Unlimited: true}, false); !errors.Is(err, ErrNotFound) {
		t.Errorf("limits of an unknown platform: %v", err)
	}
	if err := w.Limits.Set("toy", Limits{OverallPerSecond: 1}, false); err != nil {
		t.Fatal(err)
	}
	w.put(t, "a", "x")
	if status, _ := w.call(t, "GET", "/v1/list", ""); status != http.StatusTooManyRequests {
		t.Errorf("status beyond the limit is %d", status)
	}
	w.Clock.Advance(time.Second)
	if status, _ := w.call(t, "GET", "/v1/list", ""); status != 200 {
		t.Errorf("status a second later is %d", status)
	}
	w.Reset()
	if rules := w.Limits.Rules()["toy"]; len(rules) != 0 {
		t.Errorf("rules after a reset: %v", rules)
	}
}

// TestInbox counts what somebody got twice, and never changes a list that was given out.
func TestInbox(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	b := NewInbox()
	b.Put("E1", "再见", "m1", now)
	b.Put("E2", "再见", "m1", now)
	first := b.List()
	b.Put("E1", "再见", "m2", now.Add(time.Hour))
	b.Put("E1", "欢迎", "m3", now)
	want := []any{
		Received{To: "E1", Text: "再见", Count: 2, Times: []time.Time{now, now.Add(time.Hour)}, Messages: []string{"m1", "m2"}},
		Received{To: "E2", Text: "再见", Count: 1, Times: []time.Time{now}, Messages: []string{"m1"}},
		Received{To: "E1", Text: "欢迎", Count: 1, Times: []time.Time{now}, Messages: []string{"m3"}},
	}
	if got := b.List(); !reflect.DeepEqual(got, want) {
		t.Errorf("received: %+v", got)
	}
	if r := first[0].(Received); r.Count != 1 || len(r.Times) != 1 {
		t.Errorf("the list of before: %+v", r)
	}
}
