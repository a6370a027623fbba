package scim

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

func TestNamesOfAttributes(t *testing.T) {
	for name, want := range map[string]string{
		"displayName": "displayName", "name.familyName": "name.familyName", "emails": "emails", "emails.value": "emails", "phoneNumbers.mobile": "phoneNumbers",
		schemaUser + ":title": "title", department: department, schemaEnterprise + ":manager": schemaEnterprise + ":manager",
		"urn:example:2.0:User:desk.floor": "urn:example:2.0:User:desk.floor", "roles": "roles",
	} {
		a, err := attributeOf(name)
		if err != nil || a.path() != want {
			t.Errorf("%s leads to %s, %v; want %s", name, a.path(), err, want)
		}
	}
	for _, name := range []string{"active", "Active", "id", "userName", "externalId", "password", "groups", "meta", "schemas", "addresses.locality", "urn:x:", "name.", "a.b.c",
		schemaUser + ":active"} {
		if _, err := New(Options{Endpoint: "https://idp.example.com/scim"}, linked.Settings{Secrets: map[string][]byte{"token": []byte("t")}, Attributes: []string{name}}); directory.ClassOf(err) != directory.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Lists keep what the mapping is not about; one entry is the primary one.
func TestListsKeepOthers(t *testing.T) {
	const home, work, bare = `{"type":"home","value":"h","primary":true}`, `{"type":"Work","value":"w","display":"W"}`, `{"value":"b"}`
	for _, c := range []struct {
		name, before string
		values       []string
		want         string
	}{
		{"emails", `[` + home + `,` + work + `]`, []string{"w"}, ``}, // as it is
		{"emails", `[` + home + `,` + work + `]`, []string{"n"}, `[{"type":"work","value":"n","primary":true},{"type":"home","value":"h"}]`},
		{"emails", `[` + home + `,` + work + `]`, []string{"n", "w"}, `[{"type":"work","value":"n","primary":true},{"type":"Work","value":"w","display":"W"},{"type":"home","value":"h"}]`},
		{"emails", `[` + home + `,` + work + `]`, nil, `[` + home + `]`},
		{"emails", `[` + bare + `]`, []string{"n"}, `[{"type":"work","value":"n","primary":true}]`},
		{"emails", `["b"]`, nil, `null`},
		{"emails.home", `[` + home + `,` + work + `]`, []string{"n"}, `[{"type":"home","value":"n","primary":true},` + work + `]`},
		{"emails.other", `[` + home + `]`, []string{"n"}, `[{"type":"other","value":"n"},` + home + `]`},
		{"phoneNumbers.mobile", `null`, []string{"1"}, `[{"type":"mobile","value":"1","primary":true}]`},
		{"roles", `[{"value":"a","type":"x"},{"value":"b"}]`, []string{"b", "c"}, `[{"value":"b"},{"value":"c"}]`},
	} {
		a, err := attributeOf(c.name)
		if err != nil {
			t.Fatal(err)
		}
		before := resource{a.attr: value(t, c.before)}
		if differs := a.differs(before, c.values); differs == (c.want == "") {
			t.Errorf("%s of %s, %q: differs %t", c.name, c.before, c.values, differs)
		}
		if c.want == "" {
			continue
		}
		after := before.clone()
		a.write(after, c.values, typed{})
		if got := after[a.attr]; !equal(got, value(t, c.want)) {
			t.Errorf("%s of %s, %q: got %v, want %s", c.name, c.before, c.values, got, c.want)
		}
		if got := a.read(after); !slices.Equal(got, c.values) {
			t.Errorf("%s of %s: wrote %q, reads %q", c.name, c.before, c.values, got)
		}
		if !equal(before[a.attr], value(t, c.before)) {
			t.Errorf("%s: the account that was read has changed", c.name)
		}
	}
}

// A manager is complex by the RFC and written so; with some it is read as a bare id.
func TestManager(t *testing.T) {
	a, err := attributeOf(schemaEnterprise + ":manager")
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range []string{`"7"`, `{"value":"7","displayName":"x"}`} {
		r := resource{schemaEnterprise: map[string]any{"manager": value(t, now)}}
		if got := a.read(r); !slices.Equal(got, []string{"7"}) {
			t.Errorf("%s reads %q", now, got)
		}
	}
	r := resource{}
	a.write(r, []string{"8"}, typed{})
	if got := operations([]attribute{a}, r); len(got) != 1 || got[0].Path != schemaEnterprise+":manager" || !equal(got[0].Value, map[string]any{"value": "8"}) {
		t.Errorf("writes %+v", got)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	good := map[string][]byte{"token": []byte("t")}
	for _, endpoint := range []string{"", "idp.example.com", "ftp://idp.example.com", "https://", "https://u:p@idp.example.com", "https://idp.example.com?x=1", "https://idp.example.com#x",
		"http://idp.example.com", "http://127.0.0.1.example.com"} {
		if _, err := New(Options{Endpoint: endpoint}, linked.Settings{Secrets: good}); directory.ClassOf(err) != directory.Invalid {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
	for _, c := range []struct {
		secrets map[string]string
		want    string
	}{
		{map[string]string{"token": "t\n"}, "Bearer t"},
		{map[string]string{"username": "u", "password": "p:q"}, "Basic dTpwOnE="},
		{map[string]string{"token": "t", "username": "u", "password": "p"}, "Bearer t"},
		{map[string]string{"token": "a\nb"}, ""}, {map[string]string{"token": "a b"}, ""}, {map[string]string{"username": "u"}, ""},
		{map[string]string{"username": "u:v", "password": "p"}, ""}, {nil, ""},
	} {
		secrets := map[string][]byte{}
		for k, v := range c.secrets {
			secrets[k] = []byte(v)
		}
		s, err := New(Options{Endpoint: "https://idp.example.com/scim/v2/"}, linked.Settings{Secrets: secrets})
		if c.want == "" {
			if directory.ClassOf(err) != directory.Unauthenticated {
				t.Errorf("%v: %v", c.secrets, err)
			}
			continue
		}
		if err != nil || s.(*System).client.authorization != c.want || s.(*System).client.base != "https://idp.example.com/scim/v2" {
			t.Errorf("%v: %v, %+v", c.secrets, err, s)
		}
	}
}

// Filters that are ignored, or refused, find nobody who was not asked for, and everybody who was.
func TestFiltersThatAreNot(t *testing.T) {
	all := list(3, account("1"), account("2", `,"externalId":"E-1001"`), account("3", `,"`+schemaEnterprise+`":{"employeeNumber":"E-3"}`))
	for name, filter := range map[string]http.HandlerFunc{
		"ignored": says(200, all), "refused": says(400, scimError(`"400"`, "invalidFilter")), "not there": says(404, ""), "not done": says(501, ""),
		"too many": says(400, scimError(`"400"`, "tooMany")), "one page of two": says(200, list(2, account("1"))),
	} {
		t.Run(name, func(t *testing.T) {
			p := stub(t, map[string]http.HandlerFunc{"GET /Users": func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("filter") {
					filter(w, r)
					return
				}
				says(200, all)(w, r)
			}})
			for _, c := range []struct{ number, login, id string }{{"E-1001", "user-1", "2"}, {"E-3", "user-9", "3"}, {"", "USER-3", "3"}, {"E-2", "user-9", ""}} {
				found, err := p.open(Options{}).Find(t.Context(), c.number, c.login)
				if err != nil || len(found) != min(1, len(c.id)) || len(found) == 1 && found[0].ID != c.id {
					t.Errorf("number %q, login %q: found %+v, %v", c.number, c.login, found, err)
				}
			}
		})
	}
	p := stub(t, map[string]http.HandlerFunc{"GET /Users": says(403, "")})
	_, err := p.open(Options{}).Find(t.Context(), "E-1001", "zhang.san")
	refusedAs(t, err, directory.PermissionDenied)
}

// P11: whoever lets everybody have one login, or one number, is not believed, and fills no memory.
func TestP11SoManyDoNotHaveOneLogin(t *testing.T) {
	for _, most := range []int{mostFound, mostFound + 1} {
		var all []string
		for i := range most {
			all = append(all, strings.Replace(account(fmt.Sprint(i)), fmt.Sprint("user-", i), "zhang.san", 1))
		}
		for _, o := range []Options{{}, {Filters: No}} {
			p := stub(t, map[string]http.HandlerFunc{"GET /Users": says(200, list(len(all), all...))})
			found, err := p.open(o).Find(t.Context(), "", "zhang.san")
			if most > mostFound {
				refusedAs(t, err, directory.QuotaExceeded, "20")
			} else if err != nil || len(found) != most {
				t.Errorf("found %d, %v", len(found), err)
			}
		}
	}
}
