package webhook

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
	receiver "rollcall.dev/rollcall/test/simulator/webhook"
)

// Any in-house system that does as docs/webhook.md says keeps the contract of linked systems, with lookups and without.
func TestContract(t *testing.T) {
	for name, blind := range map[string]bool{"with lookups": false, "by receipts alone": true} {
		t.Run(name, func(t *testing.T) {
			linkedtest.Contract(t, func(t *testing.T, strangers int) linkedtest.Peer {
				r := newRig(t, setup{blind: blind, receiver: receiver.Options{Blind: blind}})
				for n := range strangers {
					r.Change(fmt.Sprintf("s-%d", n), func(a *receiver.Account) { a.Login, a.Enabled = fmt.Sprintf("stranger%d", n), true })
				}
				return linkedtest.Peer{
					System: r.system, Attributes: []string{"displayName", "title"}, Secrets: []string{string(newKey)},
					Join: func(_ *testing.T, id string) {
						r.Change(id, func(a *receiver.Account) { a.Groups = append(a.Groups, "staff") })
					},
					SignsIn: func(_ *testing.T, id, _ string) bool { return r.Accounts()[id].Enabled },
				}
			})
		})
	}
}

// The signature is that of Standard Webhooks: of its published test
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/go/webhook_test.go), and of docs/webhook.md.
func TestTheSignatureIsAsPublished(t *testing.T) {
	published, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := signatures([][]byte{published}, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	body := []byte(`{"version":"v1","type":"account.disable","key":"disable-a1b2c3","data":{"accountID":"acc-0042"}}`)
	got = signatures([][]byte{[]byte("0123456789abcdef0123456789abcdef")}, "disable-a1b2c3", "1764122400", body)
	if text := page(t); !strings.Contains(text, "`"+got+"`") || !strings.Contains(text, "`"+string(body)+"`") {
		t.Errorf("docs/webhook.md does not have %s", got)
	}
	key, err := keyOf([]byte("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"))
	if err != nil || string(key) != "0123456789abcdef0123456789abcdef" {
		t.Errorf("the key of docs/webhook.md is %q, %v", key, err)
	}
}

// Every event is signed at its moment, and the published library takes the signature; with another key it does not.
func TestEveryEventIsSigned(t *testing.T) {
	r := newRig(t, setup{})
	if _, err := r.system.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}
	made := r.create()
	for _, event := range []string{eventUpdate, eventDisable, eventUnlink, eventEnable, eventDelete} {
		r.advance(time.Minute)
		if err := r.acts(made.ID)[event](ord("signed-" + strings.TrimPrefix(event, "account."))); err != nil {
			t.Errorf("%s: %v", event, err)
		}
	}
	if _, err := r.system.Find(t.Context(), "E1", "x"); err != nil {
		t.Fatal(err)
	}
	moments := map[string]bool{}
	for _, s := range r.seen() {
		moments[s.header.Get("webhook-timestamp")] = true
		if !genuine(t, s, newKey) || genuine(t, s, oldKey) {
			t.Errorf("%s is not signed by the key", s.body)
		}
		if !bytes.Contains(s.body, []byte(`"key":"`+s.header.Get("webhook-id")+`"`)) {
			t.Errorf("the key in the body is not that of the header: %s", s.body)
		}
	}
	if len(r.seen()) != 9 || len(moments) != 6 {
		t.Errorf("%d requests of %d moments", len(r.seen()), len(moments))
	}
}

// Whoever has heard a request cannot have it done again later, and not another one at all.
func TestAnOldRequestIsRefusedByTheReceiver(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create()
	if err := r.system.Disable(t.Context(), made.ID, ord("disable-1")); err != nil {
		t.Fatal(err)
	}
	heard := r.seen()[1]
	r.Change(made.ID, func(a *receiver.Account) { a.Enabled = true })
	replay := func(s seen) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL, bytes.NewReader(s.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = s.header.Clone()
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if status := replay(heard); status != http.StatusOK || !r.Accounts()[made.ID].Enabled {
		t.Errorf("at once: %d; the act was done again: %t", status, !r.Accounts()[made.ID].Enabled)
	}
	r.advance(tolerated)
	if status := replay(heard); status != http.StatusOK {
		t.Errorf("after 5 minutes: %d", status)
	}
	r.advance(time.Second)
	if status := replay(heard); status != http.StatusUnauthorized {
		t.Errorf("after more than 5 minutes: %d", status)
	}
	r.advance(-2*tolerated - 2*time.Second)
	if status := replay(heard); status != http.StatusUnauthorized {
		t.Errorf("from the future: %d", status)
	}
	r.advance(tolerated + time.Second)
	for name, change := range map[string]func(*seen){
		"another body":      func(s *seen) { s.body = bytes.Replace(s.body, []byte("acc-0001"), []byte("acc-0002"), 1) },
		"another key":       func(s *seen) { s.header.Set("webhook-id", "disable-2") },
		"another timestamp": func(s *seen) { s.header.Set("webhook-timestamp", fmt.Sprint(r.clock().Unix()+1)) },
		"no signature":      func(s *seen) { s.header.Del("webhook-signature") },
		"another scheme": func(s *seen) {
			s.header.Set("webhook-signature", strings.Replace(s.header.Get("webhook-signature"), "v1,", "v1a,", 1))
		},
	} {
		forged := seen{heard.header.Clone(), bytes.Clone(heard.body)}
		change(&forged)
		if status := replay(forged); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, status)
		}
	}
	if n := len(r.Acts()); n != 2 {
		t.Errorf("%d acts were done: %v", n, r.Acts())
	}
}

const tolerated = 5 * time.Minute

// A clock that is wrong is said so, and nothing was changed.
func TestAWrongClockIsSaid(t *testing.T) {
	r := newRig(t, setup{})
	late, err := New(Options{Endpoint: r.server.URL}, linked.Settings{
		Secrets: map[string][]byte{signingKey: newKey}, HTTP: http.DefaultClient, Now: func() time.Time { return r.clock().Add(-time.Hour) },
		Throttled: func(string, time.Duration) {}, Answered: func(string, directory.Class) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = late.Create(t.Context(), wish, ord("create-1"))
	if directory.ClassOf(err) != directory.Unavailable || !strings.Contains(err.Error(), "are both clocks right?") || len(r.Accounts()) != 0 {
		t.Errorf("got %v, with %d accounts", err, len(r.Accounts()))
	}
}

// Keys are changed one side after the other, and every request is taken on the way.
func TestKeysAreChangedWithoutAGap(t *testing.T) {
	for _, step := range []struct {
		name     string
		secrets  map[string][]byte
		receiver [][]byte
		ok       bool
	}{
		{"before", map[string][]byte{signingKey: oldKey}, [][]byte{oldKey}, true},
		{"both are sent", map[string][]byte{signingKey: newKey, previousKey: oldKey}, [][]byte{oldKey}, true},
		{"the receiver has both", map[string][]byte{signingKey: newKey, previousKey: oldKey}, [][]byte{oldKey, newKey}, true},
		{"the receiver has the new one", map[string][]byte{signingKey: newKey, previousKey: oldKey}, [][]byte{newKey}, true},
		{"after", map[string][]byte{signingKey: newKey}, [][]byte{newKey}, true},
		{"the old one is nothing any more", map[string][]byte{signingKey: oldKey}, [][]byte{newKey}, false},
	} {
		t.Run(step.name, func(t *testing.T) {
			r := newRig(t, setup{secrets: step.secrets, receiver: receiver.Options{Keys: step.receiver}})
			_, err := r.system.Create(t.Context(), wish, ord("create-1"))
			if step.ok && err != nil {
				t.Error(err)
			}
			if !step.ok && directory.ClassOf(err) != directory.Unauthenticated {
				t.Errorf("got %v", err)
			}
			for _, key := range step.secrets {
				if s := r.seen()[0]; !genuine(t, s, key) {
					t.Errorf("not signed by each key: %s", s.header.Get("webhook-signature"))
				}
			}
			caps, err := r.system.Discover(t.Context())
			if said := strings.Contains(strings.Join(caps.Words, ", "), previousKey); err == nil && said != (len(step.secrets) == 2) {
				t.Errorf("that there are two keys is said: %t", said)
			}
		})
	}
}

// P3: an act whose answer was lost is sent again with its key, and was done once. This package never sends it again by itself.
func TestP3ALostAnswerIsRepeatedAndActsOnce(t *testing.T) {
	for name, fault := range map[string]receiver.Fault{
		"no answer": receiver.Lost, "500 after acting": receiver.Failed, "no key in the receipt": receiver.Altered("key", nil),
		"another key in the receipt": receiver.Altered("key", "create-2"), "not a receipt": receiver.Body([]byte("<html>welcome</html>")),
		"a receipt cut off": receiver.Body([]byte(`{"key":"create-1","acc`)), "another account": receiver.Altered("accountID", ""),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, setup{})
			r.Next(fault)
			_, err := r.system.Create(t.Context(), wish, ord("create-1"))
			lost(t, r, eventProvision, err)
			made, err := r.system.Create(t.Context(), wish, ord("create-1"))
			if err != nil || made.ID == "" || len(r.Accounts()) != 1 || len(r.Acts()) != 1 {
				t.Fatalf("again: %+v, %v; %d accounts, %d acts", made, err, len(r.Accounts()), len(r.Acts()))
			}
			for _, event := range []string{eventUpdate, eventDisable, eventUnlink, eventEnable, eventDelete} {
				before := len(r.Acts())
				o := ord("act-" + strings.TrimPrefix(event, "account."))
				r.Next(fault)
				lost(t, r, event, r.acts(made.ID)[event](o))
				r.advance(time.Hour)
				if err := r.acts(made.ID)[event](o); err != nil {
					t.Errorf("%s again: %v", event, err)
				}
				if n := len(r.Acts()) - before; n != 1 {
					t.Errorf("%s was done %d times", event, n)
				}
				all := r.seen()
				first, second := all[len(all)-2], all[len(all)-1]
				if !bytes.Equal(first.body, second.body) || first.header.Get("webhook-id") != second.header.Get("webhook-id") {
					t.Errorf("%s: the repetition is another act:\n%s\n%s", event, first.body, second.body)
				}
				if first.header.Get("webhook-timestamp") == second.header.Get("webhook-timestamp") {
					t.Errorf("%s: the repetition was not signed anew", event)
				}
			}
		})
	}
}

// lost fails unless the outcome of an act is not known, and it was sent once.
func lost(t *testing.T, r *rig, event string, err error) {
	t.Helper()
	if directory.ClassOf(err) != directory.OutcomeUnknown || !strings.Contains(err.Error(), "sent again with the same key it is done once") {
		t.Errorf("%s: got %v", event, err)
	}
	n, last := 0, r.seen()[len(r.seen())-1]
	for _, s := range r.seen() {
		if s.header.Get("webhook-id") == last.header.Get("webhook-id") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%s was sent %d times", event, n)
	}
}

// A connection that was kept alive and dies under a request: net/http must not take the request for repeatable.
func TestP3TheTransportRepeatsNothing(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create() // the connection is kept
	r.Next(receiver.Lost)
	lost(t, r, eventDisable, r.system.Disable(t.Context(), made.ID, ord("disable-1")))
	r.Next(receiver.Unsent)
	if err := r.system.Enable(t.Context(), made.ID, ord("enable-1")); directory.ClassOf(err) != directory.OutcomeUnknown || len(r.seen()) != 2 {
		t.Errorf("got %v after %d requests", err, len(r.seen()))
	}
}

// What never left was not done, and is called so.
func TestWhatWasNotSentIsUnavailable(t *testing.T) {
	r := newRig(t, setup{})
	r.server.Close()
	_, err := r.system.Create(t.Context(), wish, ord("create-1"))
	if directory.ClassOf(err) != directory.Unavailable || !strings.Contains(err.Error(), "not answered: ") {
		t.Errorf("got %v", err)
	}
	_, err = r.system.Account(t.Context(), "acc-1")
	if directory.ClassOf(err) != directory.Unavailable {
		t.Errorf("got %v", err)
	}
}

// Who has to be asked first says so, and is asked again with the same key until it is done.
func TestPendingIsNotDone(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create()
	for name, fault := range map[string]receiver.Fault{"202": receiver.Pending, "200": receiver.Body([]byte(`{"key":"x","state":"Pending"}`))} {
		r.Next(fault)
		err := r.system.Unlink(t.Context(), made.ID, ord("x"))
		e, _ := errors.AsType[*directory.Error](err)
		if e == nil || e.Class != directory.OutcomeUnknown || e.Code != "Pending" || !strings.Contains(e.Message, "accepted, and not done yet") {
			t.Errorf("%s: got %v", name, err)
		}
		if name == "202" && directory.RetryAfter(err) != 30*time.Second {
			t.Errorf("it is asked again after %s", directory.RetryAfter(err))
		}
	}
}

// A receipt is believed only if it is about this request and this account, and says that it is so.
func TestReceiptsAreNotBelievedBlindly(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault receiver.Fault
		event string
		class directory.Class
		words string
	}{
		{"no key", receiver.Altered("key", nil), eventDisable, directory.OutcomeUnknown, "does not echo the key of the request"},
		{"another key", receiver.Altered("key", "other"), eventDisable, directory.OutcomeUnknown, "echoes another key than that of the request"},
		{"a key that is a number", receiver.Altered("key", 7), eventDisable, directory.OutcomeUnknown, "not a receipt"},
		{"another account", receiver.Altered("accountID", "acc-7"), eventDisable, directory.OutcomeUnknown, "about another account"},
		{"no account", receiver.Altered("accountID", nil), eventDelete, directory.OutcomeUnknown, "about another account, or about none"},
		{"still enabled", receiver.Altered("state", "Enabled"), eventDisable, directory.Conflict, "does not say that the account is Disabled or Unlinked"},
		{"no state", receiver.Altered("state", nil), eventUnlink, directory.Conflict, "does not say that the account is Unlinked"},
		{"an unknown state", receiver.Altered("state", "Lin Xiao is out"), eventEnable, directory.Conflict, "does not say that the account is Enabled"},
		{"not deleted", receiver.Altered("state", "Disabled"), eventDelete, directory.Conflict, "does not say that the account is Deleted"},
		{"gone instead", receiver.Altered("state", "Deleted"), eventUnlink, directory.NotFound, "is deleted"},
		{"empty", receiver.Body(nil), eventDisable, directory.OutcomeUnknown, "not a receipt"},
		{"a list", receiver.Body([]byte(`[{"key":"x"}]`)), eventDisable, directory.OutcomeUnknown, "not a receipt"},
		{"null", receiver.Body([]byte(`null`)), eventDisable, directory.OutcomeUnknown, "not a receipt"},
		{"two", receiver.Body([]byte(`{"key":"x"}{"key":"x"}`)), eventDisable, directory.OutcomeUnknown, "not a receipt"},
		{"no content", receiver.Status(http.StatusNoContent, ""), eventDisable, directory.OutcomeUnknown, "not a receipt"},
		{"a refusal of another key", receiver.Body([]byte(`{"key":"other","error":{"code":"notFound"}}`)), eventDelete, directory.OutcomeUnknown, "echoes another key"},
		{"an unknown code", receiver.Refuse(http.StatusOK, "lin.xiao is on leave"), eventDisable, directory.OutcomeUnknown, "a code that is not one of docs/webhook.md"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, setup{})
			made := r.create()
			if c.event == eventUnlink {
				r.Change(made.ID, func(a *receiver.Account) { a.Enabled = false })
			}
			r.Next(c.fault)
			err := r.acts(made.ID)[c.event](ord("x"))
			if directory.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v, want %s …%s…", err, c.class, c.words)
			}
		})
	}
	for name, fault := range map[string]receiver.Fault{
		"an id with a line break": receiver.Altered("accountID", "acc-1\n"), "an id too long": receiver.Altered("accountID", strings.Repeat("x", 257)),
		"not enabled": receiver.Altered("state", "Disabled"), "no id": receiver.Altered("accountID", nil),
	} {
		r := newRig(t, setup{})
		r.Next(fault)
		if _, err := r.system.Create(t.Context(), wish, ord("create-1")); directory.ClassOf(err) != directory.OutcomeUnknown {
			t.Errorf("provision, %s: got %v", name, err)
		}
	}
}

// P4: who carries another number is somebody else, whatever the receipt says that it made.
func TestP4AProvisionOfSomebodyElseIsNone(t *testing.T) {
	for number, class := range map[any]directory.Class{"E9": directory.Conflict, "e1001": "", nil: ""} {
		r := newRig(t, setup{})
		r.Next(receiver.Altered("number", number))
		_, err := r.system.Create(t.Context(), wish, ord("create-1"))
		if directory.ClassOf(err) != class || err != nil && (!strings.Contains(err.Error(), "another employee number") || strings.Contains(err.Error(), "E9")) {
			t.Errorf("%v: got %v", number, err)
		}
	}
}

// What is looked up is compared here, too; who is not there is so only if a receipt says it.
func TestLookupsAreNotBelievedBlindly(t *testing.T) {
	const other = `{"accountID":"acc-9","state":"Enabled","login":"somebody","number":"E9"}`
	for _, c := range []struct {
		name  string
		fault receiver.Fault
		class directory.Class
	}{
		{"another account", receiver.Altered("accounts", []any{map[string]any{"accountID": "acc-9", "state": "Enabled"}}), directory.Unavailable},
		{"twice", receiver.Altered("accounts", []any{
			map[string]any{"accountID": "acc-0001", "state": "Enabled"}, map[string]any{"accountID": "acc-0001", "state": "Disabled"}}), directory.Unavailable},
		{"no state", receiver.Altered("accounts", []any{map[string]any{"accountID": "acc-0001"}}), directory.Unavailable},
		{"no accounts", receiver.Altered("accounts", nil), directory.Unavailable},
		{"another key", receiver.Altered("key", "lookup-1"), directory.Unavailable},
		{"404 of some server", receiver.Status(http.StatusNotFound, ""), directory.Unavailable},
		{"410 of some server", receiver.Status(http.StatusGone, ""), directory.Unavailable},
		{"202", receiver.Pending, directory.Unavailable},
		{"500", receiver.Status(http.StatusInternalServerError, ""), directory.Unavailable},
		{"broken", receiver.Unsent, directory.Unavailable},
		{"none", receiver.Altered("accounts", []any{}), directory.NotFound},
		{"deleted", receiver.Altered("accounts", []any{map[string]any{"accountID": "acc-0001", "state": "Deleted"}}), directory.NotFound},
		{"refused as not found", receiver.Refuse(http.StatusNotFound, "notFound"), directory.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, setup{})
			made := r.create()
			r.Next(c.fault)
			if a, err := r.system.Account(t.Context(), made.ID); directory.ClassOf(err) != c.class {
				t.Errorf("P5: got %+v, %v; want %s", a, err, c.class)
			}
		})
	}
	r := newRig(t, setup{})
	made := r.create()
	r.Next(receiver.Refuse(http.StatusNotFound, "notFound"), receiver.Refuse(http.StatusNotFound, "notFound"))
	if found, err := r.system.Find(t.Context(), "E1001", "lin.xiao"); err != nil || found != nil {
		t.Errorf("nobody is found: %+v, %v", found, err)
	}
	r.Next(receiver.Refuse(http.StatusNotFound, "notFound"))
	if left, err := r.system.Residuals(t.Context(), made.ID, true); err != nil || left != nil {
		t.Errorf("nothing is left: %q, %v", left, err)
	}
	r.Next(receiver.Body([]byte(`{"key":"other","error":{"code":"notFound"}}`)))
	if _, err := r.system.Account(t.Context(), made.ID); directory.ClassOf(err) != directory.Unavailable {
		t.Errorf("P5: the absence of another question: %v", err)
	}
	liar := receiver.Altered("accounts", []any{map[string]any{"accountID": "acc-9", "state": "Enabled", "login": "somebody", "number": "E9"}})
	r.Next(liar, liar)
	if found, err := r.system.Find(t.Context(), "E1001", "lin.xiao"); err != nil || len(found) != 0 {
		t.Errorf("it finds %s: %+v, %v", other, found, err)
	}
}

// Only what was asked for is kept of an account.
func TestALookupAsksForWhatIsMapped(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create()
	r.Change(made.ID, func(a *receiver.Account) { a.Attributes["badge"] = []string{"77"} })
	r.Next(receiver.Altered("accounts", []any{map[string]any{
		"accountID": made.ID, "state": "Enabled", "attributes": map[string]any{"badge": []string{"77"}, "title": []string{"工程师"}, "displayName": []string{}}}}))
	a, err := r.system.Account(t.Context(), made.ID)
	if err != nil || !maps.EqualFunc(a.Attributes, map[string][]string{"title": {"工程师"}}, slices.Equal[[]string]) {
		t.Errorf("got %+v, %v", a, err)
	}
	if last := r.seen()[len(r.seen())-1]; !bytes.Contains(last.body, []byte(`"wanted":["displayName","title"]`)) {
		t.Errorf("it asks for %s", last.body)
	}
}

// Every status and every code is what the table says, for acts and for questions.
func TestTheTablesOfErrors(t *testing.T) {
	for status := 300; status < 600; status++ {
		m, listed := statuses[status]
		if !listed {
			m = hundreds[status/100]
		}
		for _, event := range []string{eventDisable, eventLookup} {
			want := m.class
			if want == "" {
				want = directory.Unavailable
				if event == eventDisable {
					want = directory.OutcomeUnknown
				}
			}
			e := refusedByStatus(&request{Type: event}, status)
			if e.Class != want || !strings.Contains(e.Error(), m.words) || e.Code != fmt.Sprintf("HTTP %d", status) || m.words == "" {
				t.Errorf("%s %d: %v, want %s", event, status, e, want)
			}
		}
	}
	r := newRig(t, setup{})
	made := r.create()
	for code, m := range codes {
		r.Next(receiver.Refuse(http.StatusTeapot, code)) // the code says more
		err := r.system.Disable(t.Context(), made.ID, ord("x"))
		want := m.class
		if want == directory.AlreadyExists {
			want = directory.Conflict // the account that is changed is there
		}
		if directory.ClassOf(err) != want || !strings.Contains(err.Error(), m.words) {
			t.Errorf("%s: %v, want %s", code, err, want)
		}
	}
}

func TestATakenLoginSaysWhoHasIt(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create()
	r.Next(receiver.Body([]byte(`{"key":"create-2","error":{"code":"loginTaken","accountID":"` + made.ID + `"}}`)))
	_, err := r.system.Create(t.Context(), wish, ord("create-2"))
	if e, _ := errors.AsType[*directory.Error](err); e == nil || e.Class != directory.AlreadyExists || e.Holder != made.ID {
		t.Errorf("got %v", err)
	}
	r.Next(receiver.Body([]byte(`{"key":"create-2","error":{"code":"loginTaken","accountID":"two\nlines"}}`)))
	_, err = r.system.Create(t.Context(), wish, ord("create-2"))
	if e, _ := errors.AsType[*directory.Error](err); e == nil || e.Holder != "" {
		t.Errorf("what is no id is shown: %+v", e)
	}
}

// A list that takes an attribute away is one on the wire, too, however it is empty.
func TestAnEmptyListIsAList(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create()
	if err := r.system.Update(t.Context(), made.ID, linked.Wish{Attributes: map[string][]string{"title": nil}}, ord("update-1")); err != nil {
		t.Fatal(err)
	}
	if _, has := r.Accounts()[made.ID].Attributes["title"]; has {
		t.Error("it is still there")
	}
}

// A request that gets no turn is given up before its signature is too old, and was not sent.
func TestASignatureDoesNotGrowOldWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Endpoint: "https://door.example.com"}, linked.Settings{
			Secrets: map[string][]byte{signingKey: newKey}, HTTP: &http.Client{Transport: waiting{}}, Now: time.Now,
			Throttled: func(string, time.Duration) {}, Answered: func(string, directory.Class) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = s.Disable(t.Context(), "acc-1", ord("x"))
		if directory.ClassOf(err) != directory.Unavailable || !strings.Contains(err.Error(), "4 minutes of being signed") || time.Since(began) >= tolerated {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// waiting is a transport in which nothing ever gets its turn.
type waiting struct{}

func (waiting) RoundTrip(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, &httpx.Error{Err: context.Cause(req.Context())}
}

// A receiver that is asked too much is left alone for as long as it says, and the budget hears of it.
func TestTooManyRequests(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create()
	for _, c := range []struct {
		fault receiver.Fault
		after time.Duration
	}{
		{receiver.Status(http.StatusTooManyRequests, "7"), 7 * time.Second},
		{receiver.Status(http.StatusTooManyRequests, r.clock().Add(time.Minute).Format(http.TimeFormat)), time.Minute},
		{receiver.Status(http.StatusTooManyRequests, "999999"), longestPause},
		{receiver.Status(http.StatusTooManyRequests, "-3"), 0},
		{receiver.Status(http.StatusTooManyRequests, "soon"), 0},
		{receiver.Refuse(http.StatusTooManyRequests, "tooManyRequests"), 0},
	} {
		r.throttled = nil
		r.Next(c.fault)
		err := r.system.Disable(t.Context(), made.ID, ord("x"))
		if directory.ClassOf(err) != directory.RateLimited || directory.RetryAfter(err) != c.after {
			t.Errorf("got %v, again after %s; want %s", err, directory.RetryAfter(err), c.after)
		}
		if want := []string{fmt.Sprintf(" %s", c.after)}; !slices.Equal(r.throttled, want) {
			t.Errorf("the budget heard %q, want %q", r.throttled, want)
		}
	}
	r.throttled = nil
	r.Next(receiver.Status(http.StatusServiceUnavailable, "9"))
	if err := r.system.Disable(t.Context(), made.ID, ord("x")); directory.RetryAfter(err) != 9*time.Second || r.throttled != nil {
		t.Errorf("503: got %v, again after %s; throttled %q", err, directory.RetryAfter(err), r.throttled)
	}
}

// How each call ended is told, under the event's name.
func TestEveryEndIsCounted(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create()
	r.Next(receiver.Lost)
	_ = r.system.Disable(t.Context(), made.ID, ord("disable-1"))
	_, _ = r.system.Account(t.Context(), "acc-77")
	_, _ = r.system.Discover(t.Context())
	want := []string{"account.provision ", "account.disable OutcomeUnknown", "account.lookup ", "system.check "}
	if !slices.Equal(r.answered, want) {
		t.Errorf("got %q, want %q", r.answered, want)
	}
}

// The signature and what was signed go to the endpoint and nowhere else.
func TestARedirectIsNotFollowed(t *testing.T) {
	var arrived atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	defer elsewhere.Close()
	r := newRig(t, setup{})
	made := r.create()
	// A client that would follow, as the contract of Settings.HTTP does not forbid.
	follows := r.open(Options{Endpoint: r.server.URL, Lookup: true}, map[string][]byte{signingKey: newKey}, &http.Client{})
	for _, s := range []linked.System{r.system, follows} {
		for _, to := range []string{elsewhere.URL, r.server.URL + "/moved"} {
			r.Next(receiver.Redirect(to), receiver.Redirect(to))
			if err := s.Disable(t.Context(), made.ID, ord("disable-1")); directory.ClassOf(err) != directory.Unavailable || !strings.Contains(err.Error(), "is not followed") {
				t.Errorf("got %v", err)
			}
			if _, err := s.Account(t.Context(), made.ID); directory.ClassOf(err) != directory.Unavailable {
				t.Errorf("got %v", err)
			}
		}
	}
	if arrived.Load() != 0 || len(r.seen()) != 1 {
		t.Errorf("%d requests went elsewhere, %d to the receiver", arrived.Load(), len(r.seen()))
	}
}

// A receiver that never ends its answer neither hangs nor fills the memory: the wire ends it, and the next call goes on.
func TestEndlessAnswers(t *testing.T) {
	r := newRig(t, setup{http: httpx.Options{CallTimeout: 300 * time.Millisecond}})
	made := r.create()
	r.Next(receiver.Huge)
	err := r.system.Disable(t.Context(), made.ID, ord("disable-1"))
	if directory.ClassOf(err) != directory.OutcomeUnknown || !strings.Contains(err.Error(), "longer than 256 KiB") {
		t.Errorf("huge: %v", err)
	}
	r.Next(receiver.Drip)
	err = r.system.Disable(t.Context(), made.ID, ord("disable-2"))
	if directory.ClassOf(err) != directory.OutcomeUnknown || !strings.Contains(err.Error(), "no whole answer in time") {
		t.Errorf("drip: %v", err)
	}
	r.Next(receiver.Drip)
	if _, err = r.system.Account(t.Context(), made.ID); directory.ClassOf(err) != directory.Unavailable {
		t.Errorf("drip: %v", err)
	}
	if err := r.system.Enable(t.Context(), made.ID, ord("enable-1")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// P12: whatever a receiver answers, and whatever fails, no error has personal data, a key, or the receiver's own words.
func TestP12ErrorsTellNothing(t *testing.T) {
	const told = `lin.xiao 林晓 E1001 +86-13800001234`
	private := []string{"lin.xiao", "林晓", "E1001", "13800001234", string(newKey), "v1,", "工程师"}
	for name, fault := range map[string]receiver.Fault{
		"words":            receiver.Body([]byte(told)),
		"a code":           receiver.Body([]byte(`{"key":"x","error":{"code":"` + told + `","message":"` + told + `"}}`)),
		"a known code":     receiver.Body([]byte(`{"key":"x","error":{"code":"invalid","message":"` + told + `"}}`)),
		"another key":      receiver.Altered("key", told),
		"another account":  receiver.Altered("accountID", told),
		"another state":    receiver.Altered("state", told),
		"residuals":        receiver.Altered("residuals", []any{map[string]any{"kind": told, "count": 1}}),
		"a redirect":       receiver.Redirect("https://elsewhere.example.com/" + "?who=lin.xiao"),
		"a status":         receiver.Status(http.StatusTeapot, ""),
		"lost":             receiver.Lost,
		"a refusal by key": receiver.Refuse(http.StatusUnauthorized, "badSignature"),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, setup{blind: true})
			made := r.create()
			r.Change(made.ID, func(a *receiver.Account) { a.Enabled = false })
			trace := &directory.Trace{}
			r.Next(fault)
			err := r.system.Unlink(directory.WithTrace(t.Context(), trace), made.ID, ord("x"))
			_, createErr := func() (linked.Account, error) {
				r.Next(fault)
				return r.system.Create(t.Context(), linked.Wish{Login: "lin.xiao2", Number: "E1001", Attributes: wish.Attributes}, ord("x"))
			}()
			for _, e := range []error{err, createErr} {
				if e == nil {
					t.Fatal("no error")
				}
				for _, p := range private {
					if strings.Contains(e.Error(), p) {
						t.Errorf("the error tells %q: %v", p, e)
					}
				}
			}
		})
	}
}

// The receiver's own name of an act goes into the trail, if it can be one.
func TestTheReferenceGoesIntoTheTrail(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create()
	trace := &directory.Trace{}
	ctx := directory.WithTrace(t.Context(), trace)
	if err := r.system.Disable(ctx, made.ID, ord("disable-1")); err != nil || trace.Request() != "act-2" {
		t.Errorf("%q, %v", trace.Request(), err)
	}
	r.Next(receiver.Altered("key", "other"))
	if err := r.system.Disable(ctx, made.ID, ord("disable-1")); err == nil || trace.Request() != "" {
		t.Errorf("what is not believed is noted: %q", trace.Request())
	}
	r.Next(receiver.Altered("reference", "Lin Xiao\n"))
	if err := r.system.Disable(ctx, made.ID, ord("disable-1")); err != nil || trace.Request() != "" {
		t.Errorf("what is no name is noted: %q, %v", trace.Request(), err)
	}
}

// What is left is told by kind and number. Where it cannot be looked up, an act that leaves something is not done.
func TestResiduals(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create()
	r.Change(made.ID, func(a *receiver.Account) { a.Groups, a.Sessions, a.Enabled = []string{"g1", "g2"}, 3, true })
	left, err := r.system.Residuals(t.Context(), made.ID, true)
	want := []string{"the account is there", "the account is enabled", "2 memberships in groups", "3 sessions"}
	if err != nil || !slices.Equal(left, want) {
		t.Errorf("got %q, %v; want %q", left, err, want)
	}
	blind := newRig(t, setup{blind: true})
	made = blind.create()
	blind.Change(made.ID, func(a *receiver.Account) { a.Sessions, a.Enabled = 3, false })
	err = blind.system.Unlink(t.Context(), made.ID, ord("unlink-1"))
	if directory.ClassOf(err) != directory.Conflict || !strings.Contains(err.Error(), "what the receiver says is left: 3 sessions") {
		t.Errorf("got %v", err)
	}
	blind.Change(made.ID, func(a *receiver.Account) { a.Sessions = 0 })
	if err := blind.system.Unlink(t.Context(), made.ID, ord("unlink-2")); err != nil {
		t.Errorf("after they ended: %v", err)
	}
	_, err = blind.system.Residuals(t.Context(), made.ID, false)
	if directory.ClassOf(err) != directory.NotSupported {
		t.Errorf("got %v", err)
	}
}

// Discovery proves way and key, and says what the receiver does.
func TestDiscover(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []string
		blind  bool
		want   linked.Capabilities
		limits []string
	}{
		{"says nothing", nil, false, linked.Capabilities{Reads: true, Creates: true, Updates: true, Disables: true, Enables: true, Deletes: true, Groups: true}, nil},
		{"no lookups declared", nil, true, linked.Capabilities{Creates: true, Updates: true, Disables: true, Enables: true, Deletes: true, Groups: true}, []string{"cannot be read back"}},
		{"does little", []string{eventDisable, eventLookup}, false, linked.Capabilities{Reads: true, Disables: true},
			[]string{"does not do account.provision", "does not do account.update", "does not do account.enable", "does not do account.unlink", "does not do account.delete"}},
		{"declared more than it says", []string{eventProvision, eventUpdate, eventDisable, eventEnable, eventUnlink, eventDelete}, false,
			linked.Capabilities{Reads: true, Creates: true, Updates: true, Disables: true, Enables: true, Deletes: true, Groups: true}, []string{"lookup is declared Yes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, setup{blind: c.blind, receiver: receiver.Options{Events: c.events}})
			got, err := r.system.Discover(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Limits) != len(c.limits) {
				t.Errorf("limits %q, want %q", got.Limits, c.limits)
			}
			for i := range min(len(got.Limits), len(c.limits)) {
				if !strings.Contains(got.Limits[i], c.limits[i]) {
					t.Errorf("limit %q, want …%s…", got.Limits[i], c.limits[i])
				}
			}
			for _, w := range got.Words {
				if len(w) > 128 {
					t.Errorf("too long for a status: %q", w)
				}
			}
			got.Words, got.Limits, c.want.Protocol = nil, nil, "Webhook"
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	r := newRig(t, setup{secrets: map[string][]byte{signingKey: oldKey}})
	if _, err := r.system.Discover(t.Context()); directory.ClassOf(err) != directory.Unauthenticated {
		t.Errorf("with the wrong key: %v", err)
	}
	r.Next(receiver.Body([]byte(`{"key":"check-1"}`)))
	if _, err := r.system.Discover(t.Context()); directory.ClassOf(err) != directory.Unavailable {
		t.Errorf("an answer to another check: %v", err)
	}
}

func TestSettings(t *testing.T) {
	good := func() (Options, linked.Settings) {
		return Options{Endpoint: "https://door.example.com/rollcall"}, linked.Settings{HTTP: &http.Client{}, Secrets: map[string][]byte{signingKey: newKey}}
	}
	for name, c := range map[string]struct {
		change func(*Options, *linked.Settings)
		class  directory.Class
		words  string
	}{
		"good":           {func(*Options, *linked.Settings) {}, "", ""},
		"32 bytes":       {func(_ *Options, s *linked.Settings) { s.Secrets[signingKey] = bytes.Repeat([]byte("k"), 32) }, "", ""},
		"to loopback":    {func(o *Options, _ *linked.Settings) { o.Endpoint = "http://[::1]:8080" }, "", ""},
		"no key":         {func(_ *Options, s *linked.Settings) { s.Secrets = nil }, directory.Unauthenticated, "signingKey has to have at least 32 bytes, and has 0"},
		"31 bytes":       {func(_ *Options, s *linked.Settings) { s.Secrets[signingKey] = bytes.Repeat([]byte("k"), 31) }, directory.Unauthenticated, "and has 31"},
		"31 and a break": {func(_ *Options, s *linked.Settings) { s.Secrets[signingKey] = []byte(strings.Repeat("k", 31) + "\r\n") }, directory.Unauthenticated, "and has 31"},
		"24 bytes in base64": {func(_ *Options, s *linked.Settings) {
			s.Secrets[signingKey] = []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
		}, directory.Unauthenticated, "and has 24"},
		"not base64": {func(_ *Options, s *linked.Settings) {
			s.Secrets[signingKey] = []byte("whsec_" + strings.Repeat("!", 64))
		}, directory.Unauthenticated, "not base64"},
		"short previous": {func(_ *Options, s *linked.Settings) { s.Secrets[previousKey] = []byte("short") }, directory.Unauthenticated, "previousSigningKey"},
		"plain http":     {func(o *Options, _ *linked.Settings) { o.Endpoint = "http://door.example.com" }, directory.Invalid, "must be https://"},
		"a user":         {func(o *Options, _ *linked.Settings) { o.Endpoint = "https://u:p@door.example.com" }, directory.Invalid, "without a user"},
		"a question":     {func(o *Options, _ *linked.Settings) { o.Endpoint = "https://door.example.com?token=x" }, directory.Invalid, "without a user, a query"},
		"no address":     {func(o *Options, _ *linked.Settings) { o.Endpoint = "door" }, directory.Invalid, "must be an address"},
		"another scheme": {func(o *Options, _ *linked.Settings) { o.Endpoint = "ftp://door.example.com" }, directory.Invalid, "must be https://"},
		"no client":      {func(_ *Options, s *linked.Settings) { s.HTTP = nil }, directory.Invalid, "no HTTP client"},
	} {
		o, s := good()
		c.change(&o, &s)
		_, err := New(o, s)
		if directory.ClassOf(err) != c.class || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: got %v, want %s …%s…", name, err, c.class, c.words)
		}
		if err != nil && (strings.Contains(err.Error(), "kkkk") || strings.Contains(err.Error(), "u:p@") || strings.Contains(err.Error(), "MfKQ")) {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
	r := newRig(t, setup{})
	for _, key := range []string{"", "a.b", "a b", strings.Repeat("k", 65), "k\n"} {
		if err := r.system.Disable(t.Context(), "acc-1", ord(key)); directory.ClassOf(err) != directory.Invalid || len(r.seen()) > 0 {
			t.Errorf("an order with the key %q: %v", key, err)
		}
	}
	large := linked.Wish{Login: "x", Attributes: map[string][]string{"title": {strings.Repeat("x", maxBody)}}}
	if _, err := r.system.Create(t.Context(), large, ord("create-1")); directory.ClassOf(err) != directory.Invalid || len(r.seen()) > 0 {
		t.Errorf("a request that is too large: %v", err)
	}
	if err := r.system.Update(t.Context(), "acc-1", linked.Wish{}, ord("update-1")); err != nil || len(r.seen()) > 0 {
		t.Errorf("an update of nothing: %v", err)
	}
}

// FuzzAnswers: whatever is answered, an act is taken for done only by a receipt of its key, about its account, in its state.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`{"key":"x","accountID":"acc-1","state":"Disabled"}`, `{"key":"x","accountID":"acc-1","state":"Pending"}`, `{"key":"x","error":{"code":"notFound"}}`,
		`{"key":"x","accountID":"acc-1","state":"Disabled","error":null,"residuals":[{"kind":"Sessions","count":-1}]}`, `{"KEY":"x"}`, `[]`, `{`, ``, `{"key":null}`,
	} {
		f.Add(200, body)
		f.Add(500, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		s, err := New(Options{Endpoint: "https://door.example.com", Lookup: true}, linked.Settings{
			Secrets: map[string][]byte{signingKey: newKey}, HTTP: &http.Client{Transport: canned{status, body}}, Now: time.Now,
			Throttled: func(string, time.Duration) {}, Answered: func(string, directory.Class) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Disable(t.Context(), "acc-1", ord("x"))
		done := err == nil
		if done && (status > 299 || !strings.Contains(body, "acc-1") || !strings.Contains(body, "x")) {
			t.Errorf("taken for done: %d %q", status, body)
		}
		if _, ok := errors.AsType[*directory.Error](err); !done && !ok {
			t.Errorf("no class: %v", err)
		}
		if _, err := s.Account(t.Context(), "acc-1"); err == nil {
			t.Errorf("an answer to a nonce that it cannot know: %q", body)
		}
	})
}

// canned is a transport with one answer.
type canned struct {
	status int
	body   string
}

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.body)), Request: req, ProtoMajor: 1, ProtoMinor: 1}, nil
}

// A provision has one key, whatever is declared by then: who answers with what was made is believed, who refuses leaves it to a person.
func TestP3AProvisionIsKnownByItsKey(t *testing.T) {
	r := newRig(t, setup{})
	made := r.create()
	other := wish
	other.Login = "another"
	if a, err := r.system.Create(t.Context(), other, ord("create-1")); err != nil || a.ID != made.ID || len(r.Accounts()) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	r.Next(receiver.Refuse(http.StatusConflict, "keyReused"))
	_, err := r.system.Create(t.Context(), other, ord("create-1"))
	if directory.ClassOf(err) != directory.Conflict || !strings.Contains(err.Error(), "spec.linkedAccounts[].accountID") {
		t.Errorf("refused: %v", err)
	}
}
