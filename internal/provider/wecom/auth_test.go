package wecom

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

func TestTokenIsCachedAndRenewedBeforeItsEnd(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{"user/get": answer(recorded(t, "user_get.json"))})
	d := s.open(true)
	read := func() {
		t.Helper()
		if _, err := d.Account(t.Context(), "zhangsan"); err != nil {
			t.Fatal(err)
		}
	}
	read()
	s.advance(7200*time.Second - spare - time.Second)
	read()
	if n := s.count("gettoken"); n != 1 {
		t.Errorf("%d tokens fetched within the life of one", n)
	}
	s.advance(time.Second)
	read()
	if n := s.count("gettoken"); n != 2 {
		t.Errorf("%d tokens fetched after the first one's end, want 2", n)
	}
}

func TestEachSecretHasItsToken(t *testing.T) {
	var mu sync.Mutex
	used := map[string]string{}
	note := func(operation, body string) func(*http.Request, map[string]any) string {
		return func(r *http.Request, _ map[string]any) string {
			mu.Lock()
			defer mu.Unlock()
			used[operation] = r.URL.Query().Get("access_token")
			return body
		}
	}
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"user/get":    note("user/get", recorded(t, "user_get.json")),
		"user/update": note("user/update", `{"errcode":0,"errmsg":"updated"}`),
	})
	d := s.open(true)
	if err := d.UpdateAccount(t.Context(), "zhangsan", directory.Profile{Set: directory.FieldNumber, Number: "E2"}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(used["user/get"], appValue) || !strings.HasPrefix(used["user/update"], syncValue) {
		t.Errorf("tokens used: %v", used)
	}
}

// A call that waited for its turn may be refused more than one token; who takes them back for
// ever is not to be reached, whatever the secret.
func TestRefusedTokenIsRenewed(t *testing.T) {
	for _, code := range []string{"40014", "42001"} {
		refuse := 3
		s := newStub(t, map[string]func(*http.Request, map[string]any) string{
			"user/get": func(*http.Request, map[string]any) string {
				if refuse > 0 {
					refuse--
					return strings.ReplaceAll(recorded(t, "user_get_40014.json"), "40014", code)
				}
				return recorded(t, "user_get.json")
			},
		})
		d := s.open(true)
		if _, err := d.Account(t.Context(), "zhangsan"); err != nil {
			t.Errorf("%s: %v", code, err)
		}
		refuse = 99
		_, err := d.Account(t.Context(), "zhangsan")
		refused(t, err, directory.Unavailable)
		if calls, tokens := s.count("user/get"), s.count("gettoken"); calls != 8 || tokens != 7 {
			t.Errorf("%s: %d calls with %d tokens, want 8 with 7", code, calls, tokens)
		}
	}
}

func TestWrongSecretIsNotRepeated(t *testing.T) {
	for _, body := range []string{
		`{"errcode":40001,"errmsg":"invalid credential, hint: [1]"}`, `{"errcode":40013,"errmsg":"invalid corpid"}`,
		`{"errcode":40091,"errmsg":"secret is invalid"}`,
	} {
		s := newStub(t, map[string]func(*http.Request, map[string]any) string{"gettoken": answer(body)})
		d := s.open(true)
		for range 3 {
			_, err := d.Account(t.Context(), "zhangsan")
			refused(t, err, directory.Unauthenticated, "appSecret: ", "15 minutes")
		}
		if n := s.count("gettoken"); n != 1 {
			t.Errorf("%s: asked %d times", body, n)
		}
		s.advance(refusedFor - time.Minute)
		_, err := d.Account(t.Context(), "zhangsan")
		if got := directory.RetryAfter(err); got != time.Minute {
			t.Errorf("retry after %s, want 1m0s", got)
		}
		s.advance(time.Minute)
		_, err = d.Account(t.Context(), "zhangsan")
		refused(t, err, directory.Unauthenticated)
		if n := s.count("gettoken"); n != 2 {
			t.Errorf("%s: asked %d times after a quarter of an hour, want 2", body, n)
		}
	}
}

func TestSecretFoundWrongByACallIsNotRepeated(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"user/get": answer(`{"errcode":40001,"errmsg":"invalid credential"}`),
	})
	d := s.open(true)
	for range 3 {
		_, err := d.Account(t.Context(), "zhangsan")
		refused(t, err, directory.Unauthenticated, "appSecret: ")
	}
	if calls, tokens := s.count("user/get"), s.count("gettoken"); calls != 1 || tokens != 1 {
		t.Errorf("%d calls and %d tokens, want one of each", calls, tokens)
	}
}

func TestBannedAddressWaits(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"gettoken": answer(`{"errcode":45009,"errmsg":"api freq out of limit"}`),
	})
	d := s.open(false)
	for range 3 {
		refused(t, d.Check(t.Context()), directory.RateLimited)
	}
	if n := s.count("gettoken"); n != 1 {
		t.Errorf("asked %d times within the pause", n)
	}
	if len(s.throttled) != 1 || s.throttled[0] != "gettoken" {
		t.Errorf("throttled %q, want gettoken once", s.throttled)
	}
}

func TestManyWaitForOneToken(t *testing.T) {
	arrived, release := make(chan struct{}, 99), make(chan struct{})
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"user/get": answer(recorded(t, "user_get.json")),
		"gettoken": func(*http.Request, map[string]any) string {
			arrived <- struct{}{}
			<-release
			return `{"errcode":0,"access_token":"x-token-1","expires_in":7200}`
		},
	})
	d := s.open(true)
	first, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := d.Account(first, "zhangsan")
		gone <- err
	}()
	<-arrived
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = d.Account(t.Context(), "zhangsan") })
	}
	cancel()
	if err := <-gone; !directory.IsCancelled(err) {
		t.Errorf("the one who began and left got %v", err)
	}
	close(release)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Errorf("those who stayed got %v", err)
	}
	if n := s.count("gettoken"); n != 1 {
		t.Errorf("%d tokens fetched, want 1", n)
	}
}

func TestUselessTokensAreRefused(t *testing.T) {
	for _, body := range []string{`{}`, `{"errcode":0,"access_token":"","expires_in":7200}`, `{"errcode":0,"access_token":"x"}`, `<html>`} {
		s := newStub(t, map[string]func(*http.Request, map[string]any) string{"gettoken": answer(body)})
		_, err := s.open(true).Account(t.Context(), "zhangsan")
		refused(t, err, directory.Unavailable)
	}
}
