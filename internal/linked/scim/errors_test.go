package scim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// scimError is the body of an error with a status as JSON, and whatever else.
func scimError(status, kind string) string {
	return fmt.Sprintf(`{"schemas":["%s"],"status":%s,"scimType":"%s","detail":"zhang.san is taken"}`, schemaError, status, kind)
}

// The table of statuses and scimTypes, for reads and for writes.
func TestErrorTable(t *testing.T) {
	const unknown = directory.OutcomeUnknown
	for _, c := range []struct {
		status      int
		body        string
		read, write directory.Class
		words       string
	}{
		{400, scimError(`"400"`, "invalidValue"), directory.Invalid, directory.Invalid, "does not take a value"},
		{400, scimError(`400`, "mutability"), directory.Invalid, directory.Invalid, "change this attribute"},
		{400, scimError(`"400"`, "tooMany"), directory.QuotaExceeded, directory.QuotaExceeded, ""},
		{400, scimError(`"400"`, "invalidVers"), directory.NotSupported, directory.NotSupported, "version"},
		{400, `{"schemas":["` + schemaError + `"],"scimType":"noTarget"}`, directory.Invalid, directory.Invalid, "nothing there"},
		{400, scimError(`"400"`, "zhang.san"), directory.Invalid, directory.Invalid, "does not take the request"},
		{400, scimError(`{"a":1}`, "invalidPath"), directory.Invalid, directory.Invalid, "does not have this attribute"},
		{400, `zhang.san`, directory.Invalid, directory.Invalid, "does not take the request"},
		{401, scimError(`"401"`, ""), directory.Unauthenticated, directory.Unauthenticated, ""},
		{403, "", directory.PermissionDenied, directory.PermissionDenied, ""},
		{403, scimError(`"403"`, "sensitive"), directory.PermissionDenied, directory.PermissionDenied, ""},
		{404, scimError(`"404"`, ""), directory.NotFound, directory.NotFound, ""},
		{404, "", directory.NotFound, directory.NotFound, ""},
		{404, `{"message":"no"}`, directory.NotFound, directory.NotFound, ""},
		// P5: a proxy's word that there is no such path is nobody's absence.
		{404, "<html>not found</html>", directory.Unavailable, directory.Unavailable, "no such path"},
		{404, "404 page not found", directory.Unavailable, directory.Unavailable, "no such path"},
		{405, "", directory.NotSupported, directory.NotSupported, ""},
		{409, "", directory.Conflict, directory.Conflict, ""},
		{409, scimError(`409`, "uniqueness"), directory.Conflict, directory.Conflict, "unique"},
		{412, "", directory.Conflict, directory.Conflict, ""},
		{413, "", directory.QuotaExceeded, directory.QuotaExceeded, ""},
		{418, "", directory.Invalid, directory.Invalid, "418"},
		{428, "", directory.Invalid, directory.Invalid, "etags"},
		{429, "", directory.RateLimited, directory.RateLimited, ""},
		{500, scimError(`"500"`, ""), directory.Unavailable, unknown, "500"},
		{501, scimError(`"501"`, ""), directory.NotSupported, directory.NotSupported, ""},
		{503, "", directory.Unavailable, unknown, "503"},
		{302, "", directory.Unavailable, directory.Unavailable, "not followed"},
		// An error in a success.
		{200, scimError(`"403"`, ""), directory.PermissionDenied, directory.PermissionDenied, ""},
		{200, scimError(`429`, ""), directory.RateLimited, directory.RateLimited, ""},
		{200, scimError(`"x"`, ""), directory.Unavailable, unknown, ""},
		{200, "<html>log in</html>", directory.Unavailable, unknown, ""},
	} {
		t.Run(fmt.Sprintf("%d %.40s", c.status, c.body), func(t *testing.T) {
			s := stub(t, map[string]http.HandlerFunc{"*": says(c.status, c.body)}).open(Options{})
			_, err := s.read(t.Context(), "1")
			refusedAs(t, err, c.read, c.words)
			refusedAs(t, s.patch(t.Context(), "1", "", operation{Op: opReplace, Path: "active", Value: false}), c.write)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "0": 0, "-3": 0, "soon": 0, "9999999999": 0, "100000": longestPause,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
		now.AddDate(9, 0, 0).Format(http.TimeFormat): longestPause,
	} {
		if got := pause(text, now); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// Credentials follow no redirect to another host, nor does a write any.
func TestP12_CredentialsStayHome(t *testing.T) {
	foreign := 0
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		foreign++
		says(200, account("1"))(w, r)
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		p := stub(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, status)
		}})
		s := p.open(Options{})
		_, err := s.Account(t.Context(), "1")
		refusedAs(t, err, directory.Unavailable, "not followed")
		refusedAs(t, s.Disable(t.Context(), "1", order), directory.Unavailable, "not followed")
		_, err = s.Discover(t.Context())
		refusedAs(t, err, directory.Unavailable)
	}
	if foreign > 0 {
		t.Errorf("the other host was asked %d times", foreign)
	}
	// On the same host a read may be sent elsewhere, a write may not: it could mean somebody else there.
	for _, status := range []int{301, 302, 303, 307, 308} {
		p := stub(t, map[string]http.HandlerFunc{
			"PATCH /Users/1": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/Users/2", status) },
			"*":              says(200, strings.Replace(account("1"), "true", "false", 1)),
		})
		refusedAs(t, p.open(Options{}).Disable(t.Context(), "1", order), directory.Unavailable, "not followed")
		if sent := p.recorded(); sent[len(sent)-1].path != "/Users/1" {
			t.Errorf("%d: followed to %s", status, sent[len(sent)-1].path)
		}
	}
}

// A redirect on the same host that leads to somebody else.
func TestRedirectToAnotherAccount(t *testing.T) {
	p := stub(t, map[string]http.HandlerFunc{
		"GET /Users/1": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/Users/2", http.StatusFound) },
		"GET /Users/2": says(200, account("2")),
	})
	_, err := p.open(Options{}).Account(t.Context(), "1")
	refusedAs(t, err, directory.Unavailable, "another one")
}

// A server that never ends its answer is left: by the caller, and by the client, whose
// bound of one call is short here.
func TestSlowDripEnds(t *testing.T) {
	dripping := make(chan struct{}, 1)
	p := stub(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"schemas":["`)
		_ = http.NewResponseController(w).Flush()
		select {
		case dripping <- struct{}{}:
		default:
		}
		<-r.Context().Done()
	}})
	s := p.open(Options{})
	calls := map[directory.Class]func(ctx context.Context) error{
		directory.Unavailable:    func(ctx context.Context) error { return s.each(ctx, users, false, nil) },
		directory.OutcomeUnknown: func(ctx context.Context) error { return s.Delete(ctx, "1", order) },
	}
	for class, call := range calls {
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- call(ctx) }()
		<-dripping
		leave()
		refusedAs(t, <-ended, class)
	}
	client, err := httpx.Client(httpx.Options{Budget: httpx.NewBudget(httpx.Limits{}, nil, nil), CallTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	s.client.http = client
	for class, call := range calls {
		refusedAs(t, call(t.Context()), class, "in time")
	}
}

// Whatever the answer says, it is not shown: P12.
func TestP12_NothingOfAnAnswerIsShown(t *testing.T) {
	for _, body := range []string{`{"detail":"zhang.san"}`, `zhang`, `{"id":"zhang.san"}`, list(1, `"zhang"`)} {
		s := stub(t, map[string]http.HandlerFunc{"*": says(200, body)}).open(Options{}, "displayName")
		_, err := s.Account(t.Context(), "1")
		refusedAs(t, err, directory.Unavailable)
		_, err = s.Find(t.Context(), "E-1001", "zhang.san")
		if err != nil && strings.Contains(err.Error(), "zhang") {
			t.Error(err)
		}
	}
}

// A pause that the system asked for before is waited for elsewhere, and not told twice.
func TestPauseUnderWay(t *testing.T) {
	p := stub(t, map[string]http.HandlerFunc{"*": says(200, account("1"))})
	s := p.open(Options{})
	budget := httpx.NewBudget(httpx.Limits{}, nil, nil)
	client, err := httpx.Client(httpx.Options{Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	s.client.http = client
	budget.Throttled("users/get", time.Hour)
	_, err = s.read(t.Context(), "1")
	refusedAs(t, err, directory.RateLimited, "asked for a pause")
	if directory.RetryAfter(err) < time.Minute || len(p.told) > 0 || len(p.recorded()) > 0 {
		t.Errorf("try again in %s, told %v", directory.RetryAfter(err), p.told)
	}
}
