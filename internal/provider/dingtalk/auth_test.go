package dingtalk

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

func TestTokenIsKeptAndRenewedInTime(t *testing.T) {
	s, d := newStub(t)
	s.on(&opUser, recorded(t, "user-get"))
	read := func(want string) {
		t.Helper()
		if _, err := d.Account(t.Context(), "RD20240007"); err != nil {
			t.Fatal(err)
		}
		calls := s.calls(&opUser)
		if got := calls[len(calls)-1].token; got != want {
			t.Errorf("called with token %s, want %s", got, want)
		}
	}
	read("old-1")
	s.advance(7200*time.Second - renewBefore - time.Second)
	read("old-1")
	s.advance(2 * time.Second)
	read("old-2")
	q := s.calls(&opOldToken)[0].request.URL.Query()
	if q.Get("appkey") != testKey || q.Get("appsecret") != testSecret {
		t.Errorf("the token was asked for with %v", q)
	}
}

func TestEachAPIHasItsToken(t *testing.T) {
	s, d := newStub(t)
	s.on(&opUser, recorded(t, "user-get"))
	s.on(&opStatus, answer{body: `{"disable":true}`})
	if _, err := d.Account(t.Context(), "RD20240007"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.wire.disabled(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := s.calls(&opUser)[0].token; got != "old-1" {
		t.Errorf("the older API was shown %q", got)
	}
	r := s.calls(&opStatus)[0]
	if r.token != "new-1" || r.request.URL.RawQuery != "userId=a" || r.request.Host != "" && r.request.Host != "api.dingtalk.com" {
		t.Errorf("the newer API was called with token %q, query %q at %q", r.token, r.request.URL.RawQuery, r.request.Host)
	}
}

// The platform looks at the token first, so a write that it refused for that
// has done nothing and goes out again. One that waited for its turn may be refused
// more than one token; who takes them back for ever is not to be reached, whatever the secret.
func TestRefusedTokenIsRenewed(t *testing.T) {
	stale := recorded(t, "probe-bad-token")
	s, d := newStub(t)
	s.on(&opCreateUser, stale, stale, stale, fine(map[string]any{"userid": "a"}))
	if _, err := d.CreateAccount(t.Context(), "a", directory.Ordinary, newcomer()); err != nil {
		t.Fatal(err)
	}
	if calls := s.calls(&opCreateUser); len(calls) != 4 || calls[0].token != "old-1" || calls[3].token != "old-4" {
		t.Errorf("calls: %+v", calls)
	}
	s.on(&opCreateUser, stale)
	_, err := d.CreateAccount(t.Context(), "a", directory.Ordinary, newcomer())
	isError(t, err, directory.Unavailable, "40014")
	if n := len(s.calls(&opCreateUser)); n != 8 {
		t.Errorf("%d calls, want 8", n)
	}

	s.on(&opEnable, answer{status: 400, body: recorded(t, "probe-new-bad-token").body}, answer{body: `{"result":true}`})
	if err := d.Unfreeze(t.Context(), "a", ""); err != nil {
		t.Fatal(err)
	}
}

func TestBusyReadsAreRetriedOnceAndWritesNever(t *testing.T) {
	s, d := newStub(t)
	s.on(&opUser, no(-1), recorded(t, "user-get"))
	if _, err := d.Account(t.Context(), "RD20240007"); err != nil {
		t.Error(err)
	}
	s.on(&opUser, no(-1))
	_, err := d.Account(t.Context(), "RD20240007")
	isError(t, err, directory.Unavailable, "-1")
	if n := len(s.calls(&opUser)); n != 4 {
		t.Errorf("%d reads, want 4", n)
	}
	s.on(&opUpdateUser, no(-1))
	err = d.UpdateAccount(t.Context(), "a", directory.Profile{Set: directory.FieldTitle})
	isError(t, err, directory.OutcomeUnknown, "-1")
	if n := len(s.calls(&opUpdateUser)); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

// Nothing was sent when there was no token to send it with.
func TestWithoutTokenNothingIsWritten(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer answer
		class  directory.Class
		code   string
	}{
		{"wrong secret", recorded(t, "probe-wrong-key"), directory.Unauthenticated, "40096"},
		{"busy", no(-1), directory.Unavailable, "-1"},
		{"gone", answer{err: errors.New("reset")}, directory.Unavailable, ""},
		{"empty", answer{body: `{"errcode":0,"access_token":"","expires_in":7200}`}, directory.Unavailable, ""},
		{"no lifetime", answer{body: `{"errcode":0,"access_token":"t"}`}, directory.Unavailable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opOldToken, c.answer)
			_, err := d.CreateAccount(t.Context(), "a", directory.Ordinary, newcomer())
			e := asError(t, err, c.class, c.code)
			if e.Operation != "gettoken" || len(s.calls(&opCreateUser)) != 0 {
				t.Errorf("failed in %s after %d writes", e.Operation, len(s.calls(&opCreateUser)))
			}
		})
	}
}

// Whoever gives up waiting for a token takes it from nobody else.
func TestManyWaitForOneToken(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	fetches := 0
	ts := &tokens{now: time.Now, fetch: func(ctx context.Context) (grant, error) {
		fetches++
		close(entered)
		<-leave
		return grant{token: "t", lifetime: time.Hour}, ctx.Err()
	}}
	impatient, giveUp := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := ts.get(impatient); !errors.Is(err, context.Canceled) {
			t.Errorf("the impatient got %v", err)
		}
	})
	<-entered
	for range 8 {
		wg.Go(func() {
			if token, err := ts.get(t.Context()); token != "t" || err != nil {
				t.Errorf("got %q, %v", token, err)
			}
		})
	}
	giveUp()
	close(leave)
	wg.Wait()
	if fetches != 1 {
		t.Errorf("fetched %d times", fetches)
	}
}

func TestDiscardSparesTheNewToken(t *testing.T) {
	ts := &tokens{now: time.Now}
	ts.keep(grant{token: "second", lifetime: time.Hour})
	ts.discard("first")
	if ts.cached() != "second" {
		t.Error("a token was thrown away that nobody had refused")
	}
	ts.discard("second")
	if ts.cached() != "" {
		t.Error("a refused token is still handed out")
	}
}
