package scim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// groupJSON is the JSON of one; members are as they are written.
func groupJSON(id, members string) string {
	if members != "" {
		members = `,"members":` + members
	}
	return fmt.Sprintf(`{"schemas":["%s"],"id":"%s","displayName":"group %s"%s}`, schemaGroup, id, id, members)
}

var departed = strings.Replace(account("1"), `"active":true`, `"active":false`, 1)

// What an account says of its groups is checked where the group can be asked, and
// indirect ones are not its own.
func TestGroupsThatTheAccountNames(t *testing.T) {
	p := stub(t, map[string]http.HandlerFunc{
		"GET /Users/1":       says(200, strings.TrimSuffix(departed, "}")+`,"groups":[{"value":"denies"},{"value":"silent"},{"value":"gone"},{"value":"indirect","type":"Indirect"},{"value":".."},{"value":"has"}]}`),
		"GET /Groups":        says(200, list(0)),
		"GET /Groups/denies": says(200, groupJSON("denies", `[{"value":"2"}]`)), "GET /Groups/silent": says(200, groupJSON("silent", "")),
		"GET /Groups/indirect": says(200, groupJSON("indirect", "")),
		"GET /Groups/has":      says(200, groupJSON("has", `["1"]`)),
	})
	left, err := p.open(Options{}).Residuals(t.Context(), "1", false)
	if want := []string{"a membership in the group has", "a membership in the group silent"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("residuals %q, %v; want %q", left, err, want)
	}
}

// Lists leave members out with some: then each group is read.
func TestListedWithoutMembers(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"GET /Users/1": says(200, departed), "GET /Groups": says(200, list(2, groupJSON("a", ""), groupJSON("b", ""))),
		"GET /Groups/a": says(200, groupJSON("a", `[{"value":"2"}]`)), "GET /Groups/b": says(200, groupJSON("b", `[{"value":1}]`)),
	}
	left, err := stub(t, answers).open(Options{}).Residuals(t.Context(), "1", false)
	if err != nil || !slices.Equal(left, []string{"a membership in the group b"}) {
		t.Errorf("residuals %q, %v", left, err)
	}
	var many []string
	for i := range mostSilent + 1 {
		many = append(many, groupJSON(fmt.Sprint(i), ""))
	}
	answers["GET /Groups"] = says(200, list(len(many), many...))
	_, err = stub(t, answers).open(Options{}).Residuals(t.Context(), "1", false)
	refusedAs(t, err, directory.NotSupported, "without members")
}

// AWS: groups never say who is in them, at most 50 are listed, and only `members eq` is
// taken. Memberships are found and taken away all the same.
func TestGroupsThatNeverTell(t *testing.T) {
	for groupsThere, limit := range map[int]int{2: 50, 50: 50} {
		in := map[string]bool{"g0": true, "g1": true}
		p := stub(t, map[string]http.HandlerFunc{
			"GET /ServiceProviderConfig": says(200, fmt.Sprintf(`{"patch":{"supported":true},"filter":{"supported":true,"maxResults":%d}}`, limit)),
			"GET /Users/1":               says(200, departed),
			"GET /Groups": func(w http.ResponseWriter, r *http.Request) {
				var all []string
				filter := r.URL.Query().Get("filter")
				for i := range groupsThere {
					id := fmt.Sprint("g", i)
					if filter == "" || filter == `members eq "1"` && in[id] {
						all = append(all, groupJSON(id, ""))
					}
				}
				if filter != "" && !strings.HasPrefix(filter, "members eq") {
					says(400, "")(w, r)
					return
				}
				says(200, list(len(all), all...))(w, r)
			},
			"PATCH *": func(w http.ResponseWriter, r *http.Request) {
				delete(in, strings.TrimPrefix(r.URL.Path, "/Groups/"))
				w.WriteHeader(http.StatusNoContent)
			},
		})
		s := p.open(Options{})
		left, err := s.Residuals(t.Context(), "1", false)
		if err != nil || len(left) != 2 {
			t.Errorf("%d groups: residuals %q, %v", groupsThere, left, err)
		}
		if err := s.Unlink(t.Context(), "1", order); err != nil || len(in) > 0 {
			t.Errorf("%d groups: %v, still in %v", groupsThere, err, in)
		}
		if left, err := s.Residuals(t.Context(), "1", false); err != nil || left != nil {
			t.Errorf("%d groups: residuals %q, %v", groupsThere, left, err)
		}
		if n := len(writes(p.recorded())); n != 2 {
			t.Errorf("%d groups: %d writes", groupsThere, n)
		}
	}
}

// A filter that finds nothing, finds everything or kills the server is not believed.
func TestMemberFiltersThatLie(t *testing.T) {
	all := []string{groupJSON("a", `[{"value":"2"}]`), groupJSON("b", `[{"value":"1"}]`)}
	for name, answer := range map[string]http.HandlerFunc{
		"nothing":    says(200, list(0)),
		"everything": says(200, list(2, all...)),
		"refusal":    says(400, ""),
		"error":      says(500, ""),
		"others":     says(200, list(1, groupJSON("b", `[{"value":"1"}]`))),
		"dies":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			p := stub(t, map[string]http.HandlerFunc{"GET /Users/1": says(200, departed), "GET /Groups": func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("filter") {
					answer(w, r)
					return
				}
				says(200, list(2, all...))(w, r)
			}})
			s := p.open(Options{})
			for i := range 3 {
				left, err := s.Residuals(t.Context(), "1", false)
				if err != nil || !slices.Equal(left, []string{"a membership in the group b"}) {
					t.Fatalf("residuals %q, %v", left, err)
				}
				asked := slices.ContainsFunc(p.recorded(), func(c call) bool { return strings.Contains(c.query, "filter=") })
				if asked != (i == 0) {
					t.Errorf("round %d: asked by a filter: %t", i, asked)
				}
			}
		})
	}
}

// A filter that worked once and does no more is given up, not believed.
func TestMemberFilterThatStops(t *testing.T) {
	b, c := groupJSON("b", `[{"value":"1"}]`), groupJSON("c", `[{"value":"1"}]`)
	for name, later := range map[string]http.HandlerFunc{
		"refuses": says(400, ""), "does not give all": says(200, list(2, b)), "gives others": says(200, list(2, b, groupJSON("d", `[{"value":"2"}]`))),
	} {
		t.Run(name, func(t *testing.T) {
			works := true
			p := stub(t, map[string]http.HandlerFunc{"GET /Users/1": says(200, departed), "GET /Groups": func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("filter") && !works {
					later(w, r)
					return
				}
				says(200, list(2, b, c))(w, r)
			}})
			s := p.open(Options{})
			for i := range 4 {
				works = i < 2
				left, err := s.Residuals(t.Context(), "1", false)
				if err != nil || len(left) != 2 {
					t.Errorf("residuals %q, %v", left, err)
				}
			}
		})
	}
}

// A system that takes removals and makes none.
func TestP9_RemovalThatIsNotMade(t *testing.T) {
	p := stub(t, map[string]http.HandlerFunc{
		"GET /Users/1": says(200, departed), "GET /Groups": says(200, list(1, groupJSON("b", `[{"value":"1"}]`))), "PATCH /Groups/b": says(204, ""),
	})
	refusedAs(t, p.open(Options{}).Unlink(t.Context(), "1", order), directory.Unavailable, "did not make it")
}

// One group that refuses does not keep the others; a system that is ill is left alone.
func TestOneGroupRefuses(t *testing.T) {
	for status, want := range map[int]struct {
		class directory.Class
		tried int
	}{403: {directory.PermissionDenied, 3}, 400: {directory.Invalid, 3}, 500: {directory.OutcomeUnknown, 1}, 404: {directory.Unavailable, 3}} {
		in := `[{"value":"1"}]`
		p := stub(t, map[string]http.HandlerFunc{
			"GET /Users/1": says(200, departed), "GET /Groups": says(200, list(3, groupJSON("a", in), groupJSON("b", in), groupJSON("c", in))),
			"PATCH /Groups/a": says(status, ""), "PATCH *": says(204, ""),
		})
		refusedAs(t, p.open(Options{}).Unlink(t.Context(), "1", order), want.class)
		if n := len(writes(p.recorded())); n != want.tried {
			t.Errorf("%d: %d groups were tried, want %d", status, n, want.tried)
		}
	}
}

// An id with quotes stays one value of the path.
func TestMemberPathIsQuoted(t *testing.T) {
	const id = `x" or value pr`
	escaped := `x%22%20or%20value%20pr`
	person := `{"id":"x\" or value pr","userName":"u","active":false}`
	p := stub(t, map[string]http.HandlerFunc{
		"GET /Users/" + escaped: says(200, person), "GET /Groups": says(200, list(1, groupJSON("b", `[{"value":"x\" or value pr"}]`))), "PATCH /Groups/b": says(204, ""),
	})
	_ = p.open(Options{}).Unlink(t.Context(), id, order)
	sent := writes(p.recorded())
	if len(sent) != 1 || !strings.Contains(sent[0].body, `"path":"members[value eq \"x\\\" or value pr\"]"`) {
		t.Errorf("sent %+v", sent)
	}
}

// A group by PUT keeps all that is in it, guarded by its version; one that cannot be
// understood is not written.
func TestPutsGroupsWhole(t *testing.T) {
	body := `{"schemas":["x"],"id":"b","displayName":"b","meta":{"version":"v1"},"custom":{"n":1.50},"members":[{"value":"1"},{"value":"2","display":"two"},"3"]}`
	answers := map[string]http.HandlerFunc{
		"GET /ServiceProviderConfig": says(200, `{"patch":{"supported":false},"etag":{"supported":true}}`),
		"GET /Users/1":               says(200, departed), "GET /Groups": says(200, list(1, body)), "GET /Groups/b": says(200, body), "PUT /Groups/b": says(412, ""),
	}
	p := stub(t, answers)
	refusedAs(t, p.open(Options{Groups: Yes}).Unlink(t.Context(), "1", order), directory.Conflict)
	sent := writes(p.recorded())
	if len(sent) != attempts || sent[0].header.Get("If-Match") != "v1" ||
		fmt.Sprint(value(t, sent[0].body)) != fmt.Sprint(value(t, `{"schemas":["x"],"id":"b","displayName":"b","custom":{"n":1.50},"members":[{"value":"2","display":"two"},"3"]}`)) {
		t.Errorf("sent %+v", sent)
	}
}

// A group that has let the account go meanwhile is not written.
func TestPutsNoGroupWithoutNeed(t *testing.T) {
	p := stub(t, map[string]http.HandlerFunc{
		"GET /Users/1": says(200, departed), "GET /Groups": says(200, list(1, groupJSON("b", `["1"]`))), "GET /Groups/b": says(200, groupJSON("b", `["2"]`)),
	})
	_ = p.open(Options{Writes: Put, Groups: Yes}).Unlink(t.Context(), "1", order)
	if sent := writes(p.recorded()); len(sent) > 0 {
		t.Errorf("sent %+v", sent)
	}
}

// No groups at all: nothing is asked of them.
func TestSystemWithoutGroups(t *testing.T) {
	types := says(200, list(1, `{"name":"User","endpoint":"/Users"}`))
	for name, c := range map[string]struct {
		types   http.HandlerFunc
		options Options
	}{"by its own word": {types, Options{}}, "declared": {says(200, list(1, `{"name":"Group","endpoint":"/Groups"}`)), Options{Groups: No}}} {
		t.Run(name, func(t *testing.T) {
			p := stub(t, map[string]http.HandlerFunc{"GET /ResourceTypes": c.types, "GET /Users/1": says(200, strings.TrimSuffix(departed, "}")+`,"groups":[{"value":"g"}]}`), "GET /Users": says(200, list(1, departed))})
			s := p.open(c.options)
			caps, err := s.Discover(t.Context())
			if err != nil || caps.Groups || slices.Contains(caps.Words, "groups") {
				t.Errorf("capabilities %+v, %v", caps, err)
			}
			if a, err := s.Account(t.Context(), "1"); err != nil || !a.Parked {
				t.Errorf("read %+v, %v", a, err)
			}
			if left, err := s.Residuals(t.Context(), "1", false); err != nil || left != nil {
				t.Errorf("residuals %q, %v", left, err)
			}
			if err := s.Unlink(t.Context(), "1", order); err != nil {
				t.Error(err)
			}
			for _, c := range p.recorded() {
				if strings.HasPrefix(c.path, "/Groups") {
					t.Errorf("asked %s", c.path)
				}
			}
		})
	}
}

// P11: a system that makes up groups costs so many calls and so much time, and no more: who works for it is needed for others.
func TestP11MadeUpGroupsEnd(t *testing.T) {
	var named, listed []string
	for i := range mostIn + 1 {
		named = append(named, fmt.Sprintf(`{"value":"g%d"}`, i))
		listed = append(listed, groupJSON(fmt.Sprint("g", i), `[{"value":"1"}]`))
	}
	naming := func(n int) string {
		return strings.TrimSuffix(departed, "}") + `,"groups":[` + strings.Join(named[:n], ",") + `]}`
	}
	for name, c := range map[string]struct {
		answers map[string]http.HandlerFunc
		class   directory.Class
		words   string
	}{
		"named by the account": {map[string]http.HandlerFunc{"GET /Users/1": says(200, naming(mostSilent+1)), "GET /Groups": says(200, list(0))}, directory.NotSupported, "501 groups"},
		"that have everybody":  {map[string]http.HandlerFunc{"GET /Users/1": says(200, departed), "GET /Groups": says(200, list(len(listed), listed...))}, directory.NotSupported, "1001 groups"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stub(t, c.answers).open(Options{})
			_, err := s.Account(t.Context(), "1")
			refusedAs(t, err, c.class, c.words)
			refusedAs(t, s.Unlink(t.Context(), "1", order), c.class, c.words)
		})
	}
	// One answer a minute.
	p := stub(t, map[string]http.HandlerFunc{
		"GET /Users/1": says(200, naming(mostSilent)), "GET /Groups": says(200, list(0)),
	})
	s := p.open(Options{})
	at := now
	s.settings.Now = func() time.Time { at = at.Add(time.Minute); return at }
	_, err := s.Account(t.Context(), "1")
	refusedAs(t, err, directory.Unavailable, "given up")
	if n := len(p.recorded()); n > 45 {
		t.Errorf("%d calls in half an hour at one a minute", n)
	}
	// Leaving them takes its time, too, and goes on with the next try.
	left := map[string]bool{}
	p = stub(t, map[string]http.HandlerFunc{
		"GET /Users/1": says(200, departed), "GET /Groups": func(w http.ResponseWriter, r *http.Request) {
			var there []string
			for i := range 50 {
				if id := fmt.Sprint("g", i); !left[id] {
					there = append(there, groupJSON(id, `[{"value":"1"}]`))
				}
			}
			says(200, list(len(there), there...))(w, r)
		},
		"PATCH *": func(w http.ResponseWriter, r *http.Request) {
			left[strings.TrimPrefix(r.URL.Path, "/Groups/")] = true
			w.WriteHeader(http.StatusNoContent)
		},
	})
	s = p.open(Options{Filters: No})
	s.settings.Now = func() time.Time { at = at.Add(time.Minute); return at }
	refusedAs(t, s.Unlink(t.Context(), "1", order), directory.Unavailable, "given up")
	if n := len(left); n < 20 || n > 40 {
		t.Errorf("%d groups were left in half an hour at one a minute", n)
	}
	refusedAs(t, s.Unlink(t.Context(), "1", order), "")
}
