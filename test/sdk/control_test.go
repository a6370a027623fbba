package sdk

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// controlClient goes its own way, past the transport that the SDKs use.
var controlClient = &http.Client{Transport: &http.Transport{}}

// control calls the simulator's control endpoint and gives status and body.
func control(t *testing.T, method, path, body string) (int, []byte) {
	t.Helper()
	return controlWith(t.Context(), t, method, path, body)
}

func controlWith(ctx context.Context, t *testing.T, method, path, body string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, simulator.urls["control"]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := controlClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, text
}

// ask is a call of the control endpoint that must succeed. into may be nil.
func ask(t *testing.T, method, path, body string, into any) {
	t.Helper()
	status, text := control(t, method, path, body)
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}

// reset empties the simulator. Options of tenants stay: see set.
func reset(t *testing.T) {
	t.Helper()
	ask(t, "POST", "/reset", "", nil)
}

// set changes options of a tenant ("dingtalk/acme"), and sets them back at the end of the test.
func set(t *testing.T, tenant, options, back string) {
	t.Helper()
	ask(t, "PATCH", "/tenants/"+tenant, options, nil)
	ctx := context.WithoutCancel(t.Context()) // a test's own is over when it cleans up
	t.Cleanup(func() {
		if status, text := controlWith(ctx, t, "PATCH", "/tenants/"+tenant, back); status/100 != 2 {
			t.Errorf("setting %s back: %d %s", tenant, status, text)
		}
	})
}

// has compares an object of the simulator's state ("wecom/acme/users/E001") with
// the fields of want, a JSON object.
func has(t *testing.T, object, want string) {
	t.Helper()
	status, text := control(t, "GET", "/state/"+object, "")
	if status != http.StatusOK {
		t.Errorf("%s: %d %s", object, status, text)
		return
	}
	var got, fields map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &fields); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	for name, value := range fields {
		if !reflect.DeepEqual(got[name], value) {
			t.Errorf("%s: %s is %v, want %v", object, name, got[name], value)
		}
	}
}

// gone checks that the simulator's state lacks an object.
func gone(t *testing.T, object string) {
	t.Helper()
	if status, text := control(t, "GET", "/state/"+object, ""); status != http.StatusNotFound {
		t.Errorf("%s: %d %s, want none", object, status, text)
	}
}

// count is how many objects a collection ("wecom/acme/users") has.
func count(t *testing.T, collection string) int {
	t.Helper()
	var answer struct {
		Count int `json:"count"`
	}
	ask(t, "GET", "/state/"+collection, "", &answer)
	return answer.Count
}

// calls is how many calls the log has of an operation of a platform.
func calls(t *testing.T, platform, operation string) int {
	t.Helper()
	var answer struct {
		Total int `json:"total"`
	}
	ask(t, "GET", "/calls/counts?platform="+platform+"&operation="+operation, "", &answer)
	return answer.Total
}

// same compares what an SDK gave with what is wanted.
func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

// ok is for the calls of an SDK that must succeed.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
