package scim

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

const (
	works  = `{"patch":{"supported":true},"filter":{"supported":true},"etag":{"supported":true}}`
	cannot = `{"patch":{"supported":false},"filter":{"supported":false},"etag":{"supported":false}}`
)

// Discovery falls back to what was declared, and that to defaults, however it fails.
func TestDiscoveryFallsBack(t *testing.T) {
	for name, c := range map[string]struct {
		config  http.HandlerFunc
		options Options
		words   []string
	}{
		"it has none":            {says(404, ""), Options{}, []string{"PATCH", "filter"}},
		"it wants rights":        {says(401, ""), Options{}, []string{"PATCH", "filter"}},
		"it forbids":             {says(403, ""), Options{}, []string{"PATCH", "filter"}},
		"out of order":           {says(500, ""), Options{}, []string{"PATCH", "filter"}},
		"something else":         {says(200, "<html>"), Options{}, []string{"PATCH", "filter"}},
		"a book":                 {says(200, cannot[:1]+`"x":"`+strings.Repeat("x", maxClaims)+`",`+cannot[1:]), Options{}, []string{"PATCH", "filter"}},
		"something of JSON":      {says(200, `[]`), Options{}, []string{"PATCH", "filter"}},
		"it says what it can":    {says(200, works), Options{}, []string{"PATCH", "filter", "ETag"}},
		"it says what it cannot": {says(200, cannot), Options{}, []string{"PUT"}},
		"declared against that":  {says(200, cannot), Options{Writes: PatchWithoutPath, Filters: Yes, ETags: Yes}, []string{"PATCH without path", "filter", "ETag"}},
		"declared where silent":  {says(404, ""), Options{Writes: Put, Filters: No, Groups: No}, []string{"PUT"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := stub(t, map[string]http.HandlerFunc{"GET /ServiceProviderConfig": c.config, "GET /Users": says(200, list(0))})
			caps, err := p.open(c.options).Discover(t.Context())
			if err != nil || !slices.Equal(caps.Words, c.words) {
				t.Errorf("says %q, %v; want %q", caps.Words, err, c.words)
			}
			if silent := len(caps.Limits) > 0 && strings.Contains(caps.Limits[0], "ResourceTypes"); !silent {
				t.Errorf("limits %q do not say what is assumed", caps.Limits)
			}
		})
	}
}

// A system that asks to come again later has not said what it can: nothing is assumed of it then.
func TestDiscoveryThatIsPutOff(t *testing.T) {
	for status, class := range map[int]directory.Class{429: directory.RateLimited, 503: directory.Unavailable} {
		p := stub(t, map[string]http.HandlerFunc{"GET /ServiceProviderConfig": says(status, ""), "GET /Users": says(200, list(0))})
		_, err := p.open(Options{}).Discover(t.Context())
		refusedAs(t, err, class)
	}
}

// Slack and others of SCIM 1.1 have the configuration at another path.
func TestDiscoveryAtTheOldPath(t *testing.T) {
	p := stub(t, map[string]http.HandlerFunc{"GET /ServiceProviderConfigs": says(200, cannot), "GET /Users": says(200, list(0))})
	caps, err := p.open(Options{}).Discover(t.Context())
	if err != nil || !slices.Equal(caps.Words, []string{"PUT"}) {
		t.Errorf("says %q, %v", caps.Words, err)
	}
}

// Discovery is open to everybody by the RFC: only reading accounts proves the credentials.
func TestDiscoveryProvesCredentials(t *testing.T) {
	groupsToo := says(200, list(1, `{"name":"Group","endpoint":"/Groups"}`))
	for name, c := range map[string]struct {
		users, groups http.HandlerFunc
		class         directory.Class
		words         string
	}{
		"not known":               {says(401, ""), says(200, list(0)), directory.Unauthenticated, ""},
		"may not read accounts":   {says(403, ""), says(200, list(0)), directory.PermissionDenied, "may not read accounts"},
		"may not read groups":     {says(200, list(0)), says(403, ""), directory.PermissionDenied, "may not read groups"},
		"another endpoint":        {says(404, "<html>"), says(200, list(0)), directory.Unavailable, "is the endpoint"},
		"groups that are not":     {says(200, list(0)), says(404, ""), directory.Unavailable, ""},
		"no list of SCIM":         {says(200, `{"hello":1}`), says(200, list(0)), directory.Unavailable, ""},
		"all well":                {says(200, list(0)), says(200, `{"totalResults":0}`), "", ""},
		"the way to it is closed": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, says(200, ""), directory.Unavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := stub(t, map[string]http.HandlerFunc{
				"GET /ServiceProviderConfig": says(200, works), "GET /ResourceTypes": groupsToo, "GET /Users": c.users, "GET /Groups": c.groups,
			})
			_, err := p.open(Options{}).Discover(t.Context())
			refusedAs(t, err, c.class, c.words)
		})
	}
}

// P2: discovery never stands in the way of taking access away.
func TestP2_DisablesWithoutDiscovery(t *testing.T) {
	gone := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	p := stub(t, map[string]http.HandlerFunc{
		"GET /ServiceProviderConfig": gone, "PATCH /Users/1": says(204, ""), "GET /Users/1": says(200, departed),
	})
	if err := p.open(Options{}).Disable(t.Context(), "1", order); err != nil {
		t.Error(err)
	}
}

// What the schemas say of an attribute is how it is written, and what they lack is said.
func TestSchemas(t *testing.T) {
	const urn = "urn:example:2.0:User"
	schemas := list(2,
		`{"id":"`+schemaUser+`","attributes":[{"name":"userName","type":"string"},{"name":"title","type":"string"}]}`,
		`{"id":"`+urn+`","attributes":[{"name":"badge","type":"integer"},{"name":"onSite","type":"boolean"},{"name":"sites","type":"string","multiValued":true},
			{"name":"desk","type":"complex","subAttributes":[{"name":"floor","type":"integer"}]}]}`)
	p := stub(t, map[string]http.HandlerFunc{
		"GET /Schemas": says(200, schemas), "GET /Users": says(200, list(0)), "GET /Groups": says(200, list(0)),
		"POST /Users": says(201, account("1")), "GET /Users/1": says(200, account("1")), "PATCH /Users/1": says(204, ""),
	})
	names := []string{urn + ":badge", urn + ":onSite", urn + ":sites", urn + ":desk.floor", "title", "nickName"}
	s := p.open(Options{}, names...)
	caps, err := s.Discover(t.Context())
	if err != nil || !slices.Contains(caps.Limits, "its schemas do not have the attribute nickName") || len(caps.Limits) != 2 {
		t.Errorf("limits %q, %v", caps.Limits, err)
	}
	w := linked.Wish{Login: "user-1", Attributes: map[string][]string{names[0]: {"0042"}, names[1]: {"TRUE"}, names[2]: {"a"}, names[3]: {"3"}, "title": {"7"}}}
	if _, err := s.Create(t.Context(), w, order); err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	for _, c := range writes(p.recorded()) {
		body, _ = value(t, c.body).(map[string]any)
	}
	want := value(t, `{"badge":"0042","onSite":true,"sites":["a"],"desk":{"floor":3}}`)
	if got := body[urn]; !equal(got, want) || body["title"] != "7" {
		t.Errorf("wrote %v and title %v, want %v", got, body["title"], want)
	}
	if got := body["schemas"]; !equal(got, []any{schemaUser, urn}) {
		t.Errorf("schemas %v", got)
	}
}
