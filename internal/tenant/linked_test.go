package tenant_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
	"rollcall.dev/rollcall/internal/tenant"
)

// notes is what linked systems told the controllers.
type notes struct {
	mu       sync.Mutex
	surveyed []survey
	finished []string
	ids      []string
}

type survey struct {
	changes linked.Changes
	err     error
}

func (n *notes) Surveyed(_ string, c linked.Changes, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.surveyed = append(n.surveyed, survey{c, err})
}

func (n *notes) Finished(system, key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.finished = append(n.finished, system+" "+key)
}

func (n *notes) Links(context.Context, string) []string { return n.ids }

// surveys returns what was told since the last time.
func (n *notes) surveys() []survey {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.surveyed
	n.surveyed = nil
	return all
}

func linkedSpec(f *linkedtest.Fake) *tenant.LinkedSpec {
	return &tenant.LinkedSpec{
		UID: "uid", Declared: "mail", Secrets: map[string][]byte{"token": []byte("one")}, Attributes: []string{"title"}, Interval: interval,
		Open: func(linked.Settings) (linked.System, error) { return f, nil },
	}
}

// runs has a linked system run in a bubble of fake time.
func runs(t *testing.T, f *linkedtest.Fake, n *notes, do func(*tenant.Linked)) {
	l, err := tenant.OpenLinked("acme/mail", linkedSpec(f), nil, time.Now, n)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	synctest.Wait()
	do(l)
	cancel()
	<-done
	if !f.Closed() {
		t.Error("its connections are not let go")
	}
}

func TestALinkedSystemIsReadAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := linkedtest.NewFake(linkedtest.Able()), &notes{}
		f.Place(linked.Account{ID: "a", Login: "ann"})
		f.Next("List", linkedtest.Refused(directory.Unavailable))
		runs(t, f, n, func(l *tenant.Linked) {
			if all := n.surveys(); len(all) != 1 || all[0].err == nil || l.Mirror.State().Err == nil {
				t.Fatalf("told %+v", all)
			}
			<-time.After(2 * time.Second)
			synctest.Wait()
			if all := n.surveys(); len(all) != 1 || all[0].err != nil || !all[0].changes.First {
				t.Fatalf("told %+v", all)
			}
			calls := len(f.Calls())
			<-time.After(20 * interval)
			synctest.Wait()
			if all := n.surveys(); len(all) < 17 || len(all) > 23 || len(f.Calls())-calls != len(all) {
				t.Errorf("P13: %d readings with %d calls in 20 intervals", len(all), len(f.Calls())-calls)
			}
			l.Lane.Offer("link/ann", execute.Task{Digest: "1", Run: func(context.Context) execute.Outcome { return execute.Outcome{} }})
			synctest.Wait()
			if len(n.finished) != 1 || n.finished[0] != "acme/mail link/ann" {
				t.Errorf("finished %v", n.finished)
			}
		})
	})
}

func TestWhoIsLinkedIsReadWhereNobodyIsListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caps := linkedtest.Able()
		caps.Lists = false
		f, n := linkedtest.NewFake(caps), &notes{ids: []string{"a"}}
		f.Place(linked.Account{ID: "a", Login: "ann"})
		f.Place(linked.Account{ID: "b", Login: "bob"})
		runs(t, f, n, func(l *tenant.Linked) {
			if l.Mirror.Account("a") == nil || l.Mirror.Account("b") != nil {
				t.Errorf("calls %v", f.Calls())
			}
		})
	})
}

func TestFingerprintOfALinkedSystem(t *testing.T) {
	one := linkedSpec(nil).Fingerprint()
	same := linkedSpec(nil)
	same.Interval, same.PerSecond = time.Hour, 7
	if same.Fingerprint() != one {
		t.Error("a pace is no reason to open a system anew")
	}
	for name, change := range map[string]func(*tenant.LinkedSpec){
		"object":     func(s *tenant.LinkedSpec) { s.UID = "other" },
		"protocol":   func(s *tenant.LinkedSpec) { s.Declared = "other" },
		"secret":     func(s *tenant.LinkedSpec) { s.Secrets = map[string][]byte{"token": []byte("two")} },
		"attributes": func(s *tenant.LinkedSpec) { s.Attributes = []string{"title", "nick"} },
		"CA":         func(s *tenant.LinkedSpec) { s.CABundle = "pem" },
		"epoch":      func(s *tenant.LinkedSpec) { s.Epoch = "Observe" },
	} {
		s := linkedSpec(nil)
		if change(s); s.Fingerprint() == one {
			t.Errorf("another %s, and the fingerprint is the same", name)
		}
	}
}

// What a call of another protocol says is passed on; one that is not made says why, in the domain's words.
func TestALinkedSystemSpendsItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var settings linked.Settings
		s := linkedSpec(linkedtest.NewFake(linkedtest.Able()))
		open := s.Open
		s.Open = func(in linked.Settings) (linked.System, error) { settings = in; return open(in) }
		s.PerSecond = 2
		l, err := tenant.OpenLinked("acme/mail", s, nil, time.Now, &notes{})
		if err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		l.Run(ended)
		refused := &directory.Error{Class: directory.NotFound}
		began := time.Now()
		for range 5 {
			if err := settings.Spend(t.Context(), "search", func(context.Context) error { return refused }); directory.ClassOf(err) != directory.NotFound {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("5 calls at 2 a second took %s", took)
		}
		settings.Throttled("search", time.Hour)
		err = settings.Spend(t.Context(), "search", func(context.Context) error { t.Error("called"); return nil })
		if directory.ClassOf(err) != directory.RateLimited || directory.RetryAfter(err) < 59*time.Minute {
			t.Errorf("in a pause: %v", err)
		}
		lost := &httpx.Error{Sent: true, Err: context.DeadlineExceeded}
		err = settings.Spend(t.Context(), "bind", func(context.Context) error { return lost })
		if _, refused := errors.AsType[*directory.Error](err); refused || !errors.Is(err, lost) {
			t.Errorf("P3: a call that may have been done is said not to be made: %v", err)
		}
		for range 8 {
			_ = settings.Spend(t.Context(), "bind", func(context.Context) error { return lost })
		}
		if err := settings.Spend(t.Context(), "bind", func(context.Context) error { t.Error("called"); return nil }); directory.ClassOf(err) != directory.Unavailable {
			t.Errorf("with an open breaker: %v", err)
		}
		s.CABundle = "no PEM"
		if _, err := tenant.OpenLinked("acme/mail", s, nil, time.Now, &notes{}); err == nil {
			t.Error("a CA bundle that is none was taken")
		}
	})
}
