package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/harness"
)

func TestCensusCountsOnlyWhoIsReadyInThisGeneration(t *testing.T) {
	ready := []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue}}
	waiting := []metav1.Condition{{Type: "Ready", Status: metav1.ConditionFalse, Reason: "Throttled", Message: "the platform is slow"}}
	for name, row := range map[string]struct {
		observed   *int64
		conditions []metav1.Condition
		want       string // of those who wait; empty: ready
	}{
		"ready":                    {new(int64(2)), ready, ""},
		"ready once, edited since": {new(int64(1)), ready, "zhang-wei: not looked at yet"},
		"untouched":                {new(int64(-1)), nil, "zhang-wei: not looked at yet"},
		"no status":                {nil, nil, "zhang-wei: not looked at yet"},
		"not ready":                {new(int64(2)), waiting, "zhang-wei: Throttled: the platform is slow"},
	} {
		t.Run(name, func(t *testing.T) {
			var c census
			person := &v1alpha1.Employee{ObjectMeta: metav1.ObjectMeta{Name: "zhang-wei", Generation: 2}}
			c.add(person, row.observed, row.conditions)
			if got := strings.Join(c.waiting, "; "); got != row.want {
				t.Errorf("waiting: got %q, want %q", got, row.want)
			}
			if want := row.want == ""; allReady([]census{c}) != want {
				t.Errorf("all ready: got %v, want %v", !want, want)
			}
		})
	}
	if allReady([]census{{kind: "people"}}) {
		t.Error("nobody at all is not everybody")
	}
}

func TestDescribeNamesTheFirstFew(t *testing.T) {
	names := strings.Fields("a b c d e f g")
	text := describe([]census{{kind: "accounts", ready: 2, total: 2}, {kind: "people", ready: 1, total: 8, waiting: names}})
	want := "\n  people 1/8:\n    a\n    b\n    c\n    d\n    e\n    and 2 more"
	if text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func TestProgressIsQuietWhereThereIsNoTerminal(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out}
	for range 100 {
		s.progress("converging", "people 1/2")
	}
	s.step("converged", "people 2/2")
	if got, want := out.String(), "  converging     people 1/2\n  converged      people 2/2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgressIsOneLiveLineOnATerminal(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out, terminal: true}
	s.progress("a", "1")
	s.progress("a", "2")
	s.step("b", "done")
	if got := strings.Count(out.String(), "\n"); got != 1 {
		t.Errorf("got %d lines, want 1: %q", got, out.String())
	}
}

func TestStepsAreBrokenBetweenWords(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out}
	s.step("by hand", "%s\n%s", strings.TrimSpace(strings.Repeat("中文 ", 25)), "short")
	want := "  by hand        " + strings.Repeat("中文 ", 19) + "中文\n" +
		strings.Repeat(" ", 17) + "中文 中文 中文 中文 中文\n" + strings.Repeat(" ", 17) + "short\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTenantIsFoundByItsCorpID(t *testing.T) {
	d := &demo{simulator: &harness.Simulator{ControlURL: control(t, http.StatusOK,
		`{"wecom":[{"name":"acme","corpId":"ww1"},{"name":"globex","corpId":"ww2"}],"dingtalk":[{"name":"other","corpId":"ww3"}]}`)}}
	if got, err := d.tenant(t.Context(), "wecom", "ww2"); got != "globex" || err != nil {
		t.Errorf("got %q and %v, want globex", got, err)
	}
	if got, err := d.tenant(t.Context(), "wecom", "ww3"); err == nil {
		t.Errorf("got %q, want an error: it is a tenant of another platform", got)
	}
}

func TestARefusalOfTheSimulatorIsTold(t *testing.T) {
	a := account{url: control(t, http.StatusNotFound, `{"error":"user E001: not found"}`), titleField: "title"}
	if _, err := a.currentTitle(t.Context()); err == nil || !strings.Contains(err.Error(), "user E001: not found") {
		t.Errorf("got %v, want what the simulator said", err)
	}
}

func TestBecausePrefersTheCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := errors.New("listing failed")
	if got := because(ctx, failed); !errors.Is(got, failed) {
		t.Errorf("before the end: got %v", got)
	}
	cancel(errInterrupted)
	if got := because(ctx, failed); !errors.Is(got, errInterrupted) {
		t.Errorf("after Ctrl-C: got %v", got)
	}
}

func TestFirstLines(t *testing.T) {
	if got, want := firstLines("a\nb\nc\nd\n", 2), "a\nb\nand 2 more lines"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := firstLines("a\nb\n", 2), "a\nb"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// control serves one answer to everything, as the control endpoint would.
func control(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}
