package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/httpx"
)

// A handler in memory is asked as a server would be, and what it answers arrives whole.
func TestInMemory(t *testing.T) {
	client := &http.Client{Transport: httpx.InMemory(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Asked", r.Host+r.RequestURI)
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
		fmt.Fprintf(w, "%s %s", r.Method, body)
	}))}
	ask := func(ctx context.Context) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1/a?b=c", strings.NewReader("question"))
		if err != nil {
			t.Fatal(err)
		}
		return client.Do(r)
	}
	answer, err := ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != "POST question" || answer.StatusCode != http.StatusTeapot || answer.Header.Get("X-Asked") != "127.0.0.1/a?b=c" {
		t.Errorf("%d %q %v %v", answer.StatusCode, body, answer.Header, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ask(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("asked although it was over: %v", err)
	}
}
