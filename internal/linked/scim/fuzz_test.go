package scim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// oracle answers every call with the same bytes, up to a number of calls.
type oracle struct {
	status int
	body   []byte
	calls  int
}

func (o *oracle) RoundTrip(r *http.Request) (*http.Response, error) {
	o.calls++
	return &http.Response{StatusCode: o.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(o.body)), Request: r}, nil
}

// Whatever comes back, nothing panics or goes on for ever, nobody else's account passes
// for the one that was asked for, nobody counts as disabled without being said to, and no
// error shows what came.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `[]`, `null`, `<html>`, account("1"), departed, account("2"), list(0), list(1, account("1")), list(2, account("1"), departed), list(`"1"`, departed),
		works, cannot, scimError(`"409"`, "uniqueness"), scimError(`404`, ""), scimError(`[]`, ""), groupJSON("1", `[{"value":"1"},"2",{"value":3}]`),
		list(1, groupJSON("1", `[{"value":"1"}]`)), `{"id":1,"active":"False","emails":["a",{"value":1},null],"name":"x","groups":[{"value":"1"}],"meta":{"version":"\n"}}`,
		`{"Resources":[{"id":"User","name":"Group","attributes":[{"name":"title","type":"integer","subAttributes":[null]}]}],"totalResults":-1,"id":"1","schemas":[1]}`,
		list(2, `{"id":"1","ID":"2"}`, `{"id":"1","ID":"3"}`), `{"totalResults":1e999,"Resources":[`, `{"Resources":null,"totalResults":0}{}`, `{"id":"1","ID":"2","userName":"user-1","username":"x","ACTIVE":false}`,
	} {
		f.Add(200, []byte(body))
		f.Add(404, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			status = 200
		}
		o := &oracle{status: status, body: body}
		sys, err := New(Options{Endpoint: "https://idp.example.com", Groups: Yes}, linked.Settings{
			Secrets: map[string][]byte{"token": []byte(token)}, Attributes: []string{"title", "emails", "name.familyName", department, schemaEnterprise + ":manager"},
			HTTP: &http.Client{Transport: o}, Throttled: func(string, time.Duration) {}, Answered: func(string, directory.Class) {}, Now: func() time.Time { return now },
		})
		if err != nil {
			t.Fatal(err)
		}
		s, ctx := sys.(*System), t.Context()
		fit := func(err error) bool {
			if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "user-")) {
				t.Errorf("the error shows too much: %v", err)
			}
			return err == nil
		}
		_, err = s.Discover(ctx)
		fit(err)
		if a, err := s.Account(ctx, "1"); fit(err) && (a.ID != "1" || a.Enabled && a.Parked || a.Parked && len(a.Groups) > 0) {
			t.Errorf("account %+v", a)
		}
		seen := map[string]bool{}
		fit(s.List(ctx, func(a linked.Account) error {
			if seen[a.ID] || !validID(a.ID) {
				t.Errorf("listed %q twice, or it is no id", a.ID)
			}
			seen[a.ID] = true
			return nil
		}))
		found, err := s.Find(ctx, "n", "user-1")
		if fit(err) && slices.ContainsFunc(found, func(a linked.Account) bool {
			return a.Number != "n" && !strings.EqualFold(a.Login, "user-1") && !bytes.Contains(body, []byte(`"n"`))
		}) {
			t.Errorf("found %+v", found)
		}
		writesUnder(t, s, fit, body)
		if o.calls > 2000 {
			t.Errorf("%d calls", o.calls)
		}
	})
}

func writesUnder(t *testing.T, s *System, fit func(error) bool, body []byte) {
	ctx := t.Context()
	w := linked.Wish{Login: "user-1", Attributes: map[string][]string{"title": {"7"}, "emails": {"a"}, department: {}, schemaEnterprise + ":manager": {"2"}, "name.familyName": {"x"}}}
	if a, err := s.Create(ctx, w, order); fit(err) && (!validID(a.ID) || !strings.EqualFold(a.Login, "user-1")) {
		t.Errorf("created %+v", a)
	}
	fit(s.Update(ctx, "1", w, order))
	if fit(s.Disable(ctx, "1", order)) {
		if r, _, _ := parse(body); r.text("active") == "" || r.text("active") == "true" {
			t.Errorf("disabled by %q", body)
		}
	}
	fit(s.Enable(ctx, "1", order))
	if fit(s.Unlink(ctx, "1", order)) && !json.Valid(body) {
		t.Errorf("unlinked by %q", body)
	}
	fit(s.Delete(ctx, "1", order))
	if left, err := s.Residuals(ctx, "1", true); fit(err) && slices.Contains(left, "") {
		t.Errorf("residuals %q", left)
	}
}
