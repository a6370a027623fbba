package scim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// stub makes a peer of canned answers: by "METHOD /path", else 404 as SCIM says it.
func stub(t *testing.T, answers map[string]http.HandlerFunc) *peer {
	return tap(t, "stub", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, key := range []string{r.Method + " " + r.URL.EscapedPath(), r.Method + " *", "*"} {
			if f := answers[key]; f != nil {
				f(w, r)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"schemas":["`+schemaError+`"],"status":"404"}`)
	}))
}

// says answers with a status and a body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/scim+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// account is the JSON of one.
func account(id string, more ...string) string {
	return fmt.Sprintf(`{"schemas":["%s"],"id":"%s","userName":"user-%s","active":true%s}`, schemaUser, id, id, strings.Join(more, ""))
}

// list is the JSON of a page.
func list(total any, resources ...string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":%v,"Resources":[%s]}`,
		total, strings.Join(resources, ","))
}

// value is what JSON text means.
func value(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}
