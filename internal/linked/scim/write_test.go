package scim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// Ids that a server or a record gives never lead to another path.
func TestIDsAreNeverPaths(t *testing.T) {
	p := stub(t, map[string]http.HandlerFunc{"*": says(200, `{}`)})
	s := p.open(Options{})
	for id, want := range map[string]string{
		"a/../b": "/Users/a%2F..%2Fb", "a?active=true": "/Users/a%3Factive=true", "a#b": "/Users/a%23b", "a b": "/Users/a%20b", "%2e%2e": "/Users/%252e%252e",
		"..": "", ".": "", "": "", "a\nb": "", "a\x00": "", "\xff": "", strings.Repeat("a", maxID+1): "",
	} {
		p.recorded()
		err := s.Delete(t.Context(), id, order)
		calls := p.recorded()
		switch {
		case want == "" && (len(calls) > 0 || directory.ClassOf(err) != directory.Invalid):
			t.Errorf("%q: %d calls, %v", id, len(calls), err)
		case want != "" && (len(calls) != 1 || calls[0].path != want || calls[0].query != ""):
			t.Errorf("%q: called %+v, want %s", id, calls, want)
		}
	}
}

// An answer about somebody else is none, whatever was asked.
func TestWrongIDs(t *testing.T) {
	p := stub(t, map[string]http.HandlerFunc{"*": says(200, account("2"))})
	for _, o := range []Options{{}, {Writes: Put}} {
		s := p.open(o, "title")
		_, err := s.Account(t.Context(), "1")
		refusedAs(t, err, directory.Unavailable, "another one")
		err = s.Disable(t.Context(), "1", order)
		if directory.ClassOf(err) != directory.OutcomeUnknown && o.Writes == "" {
			t.Errorf("disabled somebody else: %v", err)
		}
		if err == nil || s.Unlink(t.Context(), "1", order) == nil || s.Update(t.Context(), "1", linked.Wish{Login: "x"}, order) == nil {
			t.Error("an answer about somebody else was taken")
		}
		if left, err := s.Residuals(t.Context(), "1", true); err == nil {
			t.Errorf("residuals %q of somebody else", left)
		}
		// Whose account it is that was made, nobody said: P3.
		_, err = s.Create(t.Context(), linked.Wish{Login: "zhang.san", Number: "E-1001"}, order)
		refusedAs(t, err, directory.OutcomeUnknown, "another account")
	}
}

// P9: a system that takes the change and does not make it.
func TestP9_ReadsBackThatNobodyCanSignIn(t *testing.T) {
	for name, c := range map[string]struct {
		after string
		class directory.Class
	}{
		"still active":        {account("1"), directory.Unavailable},
		"active as text":      {strings.Replace(account("1"), `"active":true`, `"active":"False"`, 1), ""},
		"still active, text":  {strings.Replace(account("1"), `"active":true`, `"active":"True"`, 1), directory.Unavailable},
		"says nothing of it":  {strings.Replace(account("1"), `"active":true`, `"x":1`, 1), directory.NotSupported},
		"active is something": {strings.Replace(account("1"), `"active":true`, `"active":{}`, 1), directory.NotSupported},
	} {
		t.Run(name, func(t *testing.T) {
			p := stub(t, map[string]http.HandlerFunc{"PATCH /Users/1": says(204, ""), "GET /Users/1": says(200, c.after)})
			refusedAs(t, p.open(Options{}).Disable(t.Context(), "1", order), c.class)
		})
	}
}

// The shapes of the change, as RFC 7644 has them and as they were declared.
func TestShapesOfDisabling(t *testing.T) {
	for way, want := range map[Writes]string{
		Patch:            `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`,
		PatchWithoutPath: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`,
		Put:              `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","userName":"user-1","active":false,"big":12345678901234567890.125}`,
	} {
		p := stub(t, map[string]http.HandlerFunc{
			"GET /Users/1":   says(200, account("1", `,"big":12345678901234567890.125,"meta":{"version":"x"},"groups":[{"value":"g"}]`)),
			"PATCH /Users/1": says(204, ""), "PUT /Users/1": says(200, account("1")),
		})
		_ = p.open(Options{Writes: way}).Disable(t.Context(), "1", order)
		sent := writes(p.recorded())
		if len(sent) != 1 || fmt.Sprint(value(t, sent[0].body)) != fmt.Sprint(value(t, want)) {
			t.Errorf("%s sends %+v", way, sent)
		}
		if way == Put && !strings.Contains(sent[0].body, "12345678901234567890.125") {
			t.Error("a number was changed by writing it back")
		}
	}
}

// Some tell active as text; nobody takes it so [T]. A PUT says it as it was, as a truth value.
func TestPutKeepsActive(t *testing.T) {
	for told, want := range map[string]string{`"True"`: "true", `"false"`: "false", `true`: "true"} {
		p := stub(t, map[string]http.HandlerFunc{
			"GET /Users/1": says(200, strings.Replace(account("1"), `"active":true`, `"active":`+told, 1)), "PUT /Users/1": says(200, account("1")),
		})
		if err := p.open(Options{Writes: Put}, "title").Update(t.Context(), "1", linked.Wish{Attributes: map[string][]string{"title": {"x"}}}, order); err != nil {
			t.Error(err)
		}
		if sent := writes(p.recorded()); len(sent) != 1 || !strings.Contains(sent[0].body, `"active":`+want) {
			t.Errorf("%s: sent %+v", told, sent)
		}
	}
}

// GitHub Enterprise: the login of a disabled account is a hash, and comes back; only the id counts.
func TestDisablingThatHidesTheLogin(t *testing.T) {
	active := "true"
	p := stub(t, map[string]http.HandlerFunc{
		"GET /Users/1": func(w http.ResponseWriter, r *http.Request) {
			body := strings.Replace(account("1"), `"active":true`, `"active":`+active, 1)
			if active == "false" {
				body = strings.Replace(body, "user-1", "6dcd4ce23d88e2ee9568ba546c007c63", 1)
			}
			says(200, body)(w, r)
		},
		"PATCH /Users/1": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			active = fmt.Sprint(!strings.Contains(string(body), "false"))
			w.WriteHeader(http.StatusNoContent)
		},
		"GET /Groups": says(200, list(0)),
	})
	s := p.open(Options{})
	refusedAs(t, s.Disable(t.Context(), "1", order), "")
	if a, err := s.Account(t.Context(), "1"); err != nil || a.Enabled || !a.Parked || a.ID != "1" {
		t.Errorf("read %+v, %v", a, err)
	}
	refusedAs(t, s.Enable(t.Context(), "1", order), "")
	if a, err := s.Account(t.Context(), "1"); err != nil || !a.Enabled || a.Login != "user-1" {
		t.Errorf("read %+v, %v", a, err)
	}
}

// GitHub organisations: a disabled account is gone.
func TestDisablingThatRemoves(t *testing.T) {
	for o, class := range map[Disabling]directory.Class{Keeps: directory.NotFound, Removes: ""} {
		p := stub(t, map[string]http.HandlerFunc{"PATCH /Users/1": says(204, "")})
		refusedAs(t, p.open(Options{Disabling: o}).Disable(t.Context(), "1", order), class)
	}
}

// A version guards a write where versions are real: 412 is read anew, three times at most.
func TestVersions(t *testing.T) {
	for name, c := range map[string]struct {
		options  Options
		config   bool
		meta     string
		loses    int
		versions []string
		class    directory.Class
	}{
		"the system has them":     {Options{}, true, `"W/\"%d\""`, 1, []string{`W/"1"`, `W/"2"`}, ""},
		"by PUT":                  {Options{Writes: Put}, true, `"W/\"%d\""`, 1, []string{`W/"1"`, `W/"2"`}, ""},
		"always beaten":           {Options{}, true, `"W/\"%d\""`, 9, []string{`W/"1"`, `W/"2"`, `W/"3"`}, directory.Conflict},
		"it says that it has not": {Options{}, false, `"W/\"%d\""`, 0, []string{""}, ""},
		"declared":                {Options{ETags: Yes}, false, `"W/\"%d\""`, 0, []string{`W/"1"`}, ""},
		"declared otherwise":      {Options{ETags: No}, true, `"W/\"%d\""`, 0, []string{""}, ""},
		"no version":              {Options{}, true, `null,"n":%d`, 0, []string{""}, ""},
		"a version with newlines": {Options{}, true, `"a\r\nX-Evil: %d"`, 0, []string{""}, ""},
		"412 without a version":   {Options{ETags: No}, false, `"%d"`, 9, []string{""}, directory.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			reads, writesSeen := 0, 0
			write := func(w http.ResponseWriter, r *http.Request) {
				if writesSeen++; writesSeen <= c.loses {
					w.WriteHeader(http.StatusPreconditionFailed)
					return
				}
				says(200, account("1"))(w, r)
			}
			p := stub(t, map[string]http.HandlerFunc{
				"GET /ServiceProviderConfig": says(200, fmt.Sprintf(`{"patch":{"supported":true},"etag":{"supported":%t}}`, c.config)),
				"GET /Users/1": func(w http.ResponseWriter, r *http.Request) {
					reads++
					w.Header().Set("ETag", `W/"of-the-body"`) // express sends such; it is not meta.version
					says(200, account("1", `,"meta":{"version":`+fmt.Sprintf(c.meta, reads)+`}`))(w, r)
				},
				"PATCH /Users/1": write, "PUT /Users/1": write,
			})
			err := p.open(c.options, "title").Update(t.Context(), "1", linked.Wish{Attributes: map[string][]string{"title": {"x"}}}, order)
			refusedAs(t, err, c.class)
			var versions []string
			for _, w := range writes(p.recorded()) {
				versions = append(versions, w.header.Get("If-Match"))
			}
			if !slices.Equal(versions, c.versions) {
				t.Errorf("wrote with %q, want %q", versions, c.versions)
			}
		})
	}
}

// An attribute that the system refuses is named, and the others are written. Tealium: the
// login cannot change. AWS: nothing beside a change of the login.
func TestRefusedAttributes(t *testing.T) {
	var sent []string
	p := stub(t, map[string]http.HandlerFunc{
		"GET /Users/1": says(200, account("1")),
		"PATCH /Users/1": func(w http.ResponseWriter, r *http.Request) {
			var b struct{ Operations []struct{ Path string } }
			_ = json.NewDecoder(r.Body).Decode(&b)
			var paths []string
			for _, o := range b.Operations {
				if o.Path == "nickName" || o.Path == "userName" {
					says(400, scimError(`"400"`, "mutability"))(w, r)
					return
				}
				paths = append(paths, o.Path)
			}
			sent = append(sent, paths...)
			if len(b.Operations) > 1 && b.Operations[0].Path == "userName" {
				t.Error("something beside a change of the login")
			}
			w.WriteHeader(http.StatusNoContent)
		},
	})
	s := p.open(Options{}, "nickName", "title", "displayName")
	err := s.Update(t.Context(), "1", linked.Wish{Attributes: map[string][]string{"nickName": {"zhang"}, "title": {"b"}, "displayName": {"c"}}}, order)
	refusedAs(t, err, directory.Invalid, "nickName")
	if strings.Contains(err.Error(), "title") || !slices.Equal(sent, []string{"displayName", "title"}) {
		t.Errorf("wrote %q, %v", sent, err)
	}
	refusedAs(t, s.Update(t.Context(), "1", linked.Wish{Login: "zhang"}, order), directory.Invalid, "change this attribute")
	refusedAs(t, s.Update(t.Context(), "1", linked.Wish{Attributes: map[string][]string{"zhang": {"x"}}}, order), directory.Invalid)
}

// 409 with and without a scimType, and who has what: P3.
func TestP3_WhoHasIt(t *testing.T) {
	named := strings.Replace(account("7", `,"externalId":"E-1001"`), "user-7", "somebody", 1)
	login := strings.Replace(account("8"), "user-8", "Zhang.San", 1)
	for name, c := range map[string]struct {
		body, found string
		class       directory.Class
		holder      string
	}{
		"the login":                 {scimError(`"409"`, "uniqueness"), login, directory.AlreadyExists, "8"},
		"the login, and no word":    {``, login, directory.AlreadyExists, "8"},
		"the number":                {`{}`, named, directory.Conflict, "7"},
		"something else":            {``, "", directory.Conflict, ""},
		"nobody who is to be found": {``, account("9"), directory.Conflict, ""},
	} {
		t.Run(name, func(t *testing.T) {
			total := min(1, len(c.found))
			p := stub(t, map[string]http.HandlerFunc{"POST /Users": says(409, c.body), "GET /Users": says(200, list(total, c.found))})
			_, err := p.open(Options{}).Create(t.Context(), linked.Wish{Login: "zhang.san", Number: "E-1001"}, order)
			refusedAs(t, err, c.class)
			if e, _ := directoryError(err); e.Holder != c.holder {
				t.Errorf("held by %q, want %q", e.Holder, c.holder)
			}
		})
	}
}

// P4: some answer a creation with who has the login already. Whoever carries another number is somebody else.
func TestP4_ACreationThatIsAnsweredWithSomebodyElse(t *testing.T) {
	somebody := strings.Replace(account("8"), "user-8", "zhang.san", 1)
	for name, c := range map[string]struct {
		more  string
		class directory.Class
	}{
		"the number":                     {`,"externalId":"E-1001"`, ""},
		"the number in the extension":    {`,"` + schemaEnterprise + `":{"employeeNumber":"e-1001"}`, ""},
		"no number":                      {``, ""},
		"another number":                 {`,"externalId":"E-7"`, directory.AlreadyExists},
		"another one in the extension":   {`,"` + schemaEnterprise + `":{"employeeNumber":"7"}`, directory.AlreadyExists},
		"the number, and one of its own": {`,"externalId":"E-1001","` + schemaEnterprise + `":{"employeeNumber":"7"}`, ""},
	} {
		p := stub(t, map[string]http.HandlerFunc{"POST /Users": says(201, strings.TrimSuffix(somebody, "}")+c.more+"}")})
		_, err := p.open(Options{}).Create(t.Context(), linked.Wish{Login: "zhang.san", Number: "E-1001"}, order)
		refusedAs(t, err, c.class)
		if e, _ := directoryError(err); c.class != "" && e.Holder != "8" {
			t.Errorf("%s: held by %q", name, e.Holder)
		}
	}
}

// A 5xx to a creation says nothing of it.
func TestP3_CreationWithoutAnAnswer(t *testing.T) {
	for _, answer := range []http.HandlerFunc{says(500, ""), says(503, ""), says(201, ""), says(200, "<html>"), says(201, `{"userName":"zhang.san"}`)} {
		p := stub(t, map[string]http.HandlerFunc{"POST /Users": answer})
		_, err := p.open(Options{}).Create(t.Context(), linked.Wish{Login: "zhang.san"}, order)
		refusedAs(t, err, directory.OutcomeUnknown)
		if n := len(writes(p.recorded())); n != 1 {
			t.Errorf("%d creations", n)
		}
	}
}

// Slack: deletion only disables. Residuals say so.
func TestDeletionThatKeeps(t *testing.T) {
	p := stub(t, map[string]http.HandlerFunc{
		"DELETE /Users/1": says(204, ""), "GET /Users/1": says(200, strings.Replace(account("1"), "true", "false", 1)), "GET /Groups": says(200, list(0)),
	})
	s := p.open(Options{})
	if err := s.Delete(t.Context(), "1", order); err != nil {
		t.Fatal(err)
	}
	left, err := s.Residuals(t.Context(), "1", true)
	if err != nil || !slices.Equal(left, []string{"the account is still there, disabled"}) {
		t.Errorf("residuals %q, %v", left, err)
	}
}

// GitLab: a deletion may be answered 412.
func TestDeletionThatIsRefused(t *testing.T) {
	p := stub(t, map[string]http.HandlerFunc{"DELETE /Users/1": says(412, "")})
	refusedAs(t, p.open(Options{}).Delete(t.Context(), "1", order), directory.Conflict)
}
