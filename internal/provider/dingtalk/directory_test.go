package dingtalk

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

func TestCreationOutcomes(t *testing.T) {
	holder := fine(map[string]any{"userid": "E9"})
	for _, c := range []struct {
		name   string
		answer answer
		mobile answer // of the look-up
		state  directory.State
		class  directory.Class
		holder string
	}{
		{"done", fine(map[string]any{"userid": "E1", "unionId": "u"}), holder, directory.Active, "", ""},
		{"done, without a word", jsonAnswer(map[string]any{"errcode": 0}), holder, directory.Active, "", ""},
		{"invited", recorded(t, "invited"), holder, directory.Invited, "", ""},
		{"the id is taken", no(60102), holder, "", directory.AlreadyExists, "E1"},
		{"the mobile is taken", no(60104), holder, "", directory.Conflict, "E9"},
		{"the mobile is taken by an enterprise account", no(60107),
			fine(map[string]any{"exclusive_account_userid_list": []string{"E8"}}), "", directory.Conflict, "E8"},
		{"the mobile is taken outside the company", no(40021), no(60121), "", directory.Conflict, ""},
		{"the mobile is taken, and nobody says by whom", no(41054), no(60011), "", directory.Conflict, ""},
		{"the mail address is taken", no(40101), holder, "", directory.Conflict, ""},
		{"another id", fine(map[string]any{"userid": "manager1234"}), holder, "", directory.Conflict, "manager1234"},
		{"half an answer", answer{body: `{"errcode":0,"result":7}`}, holder, "", directory.OutcomeUnknown, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opCreateUser, c.answer)
			s.on(&opUserByMobile, c.mobile)
			state, err := d.CreateAccount(t.Context(), "E1", directory.Ordinary, newcomer())
			if state != c.state || directory.ClassOf(err) != c.class {
				t.Errorf("got %q, %v, want %q and class %q", state, err, c.state, c.class)
			}
			if e, ok := errors.AsType[*directory.Error](err); ok && e.Holder != c.holder {
				t.Errorf("the holder is %q, want %q", e.Holder, c.holder)
			}
			if n := len(s.calls(&opCreateUser)); n != 1 {
				t.Errorf("%d creations", n)
			}
		})
	}
}

// Enterprise accounts want their departments with every update.
func TestUpdateOfEnterpriseAccount(t *testing.T) {
	title := directory.Profile{Set: directory.FieldTitle, Title: "总监"}
	enterprise := func(is bool) answer {
		return fine(map[string]any{"userid": "E1", "exclusive_account": is, "dept_id_list": []int{100, 1}})
	}
	s, d := newStub(t)
	s.on(&opUpdateUser, no(40035), jsonAnswer(map[string]any{"errcode": 0}))
	s.on(&opUser, enterprise(true))
	if err := d.UpdateAccount(t.Context(), "E1", title); err != nil {
		t.Fatal(err)
	}
	calls := s.calls(&opUpdateUser)
	if len(calls) != 2 {
		t.Fatalf("%d updates", len(calls))
	}
	sameJSON(t, calls[1].body, `{"userid":"E1","title":"总监","dept_id_list":"100,1"}`)

	s.on(&opUpdateUser, no(40035))
	s.on(&opUser, enterprise(false))
	isError(t, d.UpdateAccount(t.Context(), "E1", title), directory.Invalid, "40035")
	if n := len(s.calls(&opUpdateUser)); n != 3 {
		t.Errorf("%d updates, want 3", n)
	}
}

func TestNameHolder(t *testing.T) {
	s, d := newStub(t)
	siblings := fine([]any{map[string]any{"dept_id": 100, "name": "研发部"}, map[string]any{"dept_id": 101, "name": "市场部"}})
	w := directory.Department{Set: directory.DepartmentName | directory.DepartmentParent, Name: "市场部", Parent: "1"}
	s.on(&opCreateDepartment, no(60021))
	s.on(&opUpdateDepartment, no(60021))
	for _, c := range []struct {
		siblings answer
		holder   string
	}{{siblings, "101"}, {no(60011), ""}, {fine([]any{}), ""}} {
		s.on(&opDepartments, c.siblings)
		_, err := d.CreateDepartment(t.Context(), w)
		if e := asError(t, err, directory.AlreadyExists, "60021"); e.Holder != c.holder {
			t.Errorf("the holder is %q, want %q", e.Holder, c.holder)
		}
		moved := w
		moved.ID = "200"
		if e := asError(t, d.UpdateDepartment(t.Context(), moved), directory.AlreadyExists, "60021"); e.Holder != c.holder {
			t.Errorf("the holder is %q, want %q", e.Holder, c.holder)
		}
	}
}

func TestFreezing(t *testing.T) {
	done, undone := answer{body: `{"result":true}`}, answer{body: `{"result":false}`}
	refused := answer{status: 400, body: `{"code":"invalid.param","message":"…"}`}
	busy := answer{status: 500, body: `{"code":"system.busy","message":"…"}`}
	disabled, enabled := answer{body: `{"disable":true}`}, answer{body: `{"disable":"false"}`}
	ordinary := answer{status: 400, body: `{"code":"exclusive.account.only","message":"…"}`}
	for _, c := range []struct {
		name                    string
		disable, signOut, state answer
		class                   directory.Class
		signedOut               bool
	}{
		{"done", done, done, enabled, "", true},
		{"disabled already", refused, done, disabled, "", true},
		{"refused", refused, done, enabled, directory.Invalid, false},
		{"not done", undone, done, enabled, directory.OutcomeUnknown, false},
		{"unanswered, and done", busy, done, disabled, "", true},
		{"unanswered, and not done", busy, done, enabled, directory.OutcomeUnknown, false},
		{"ordinary", ordinary, ordinary, ordinary, directory.NotSupported, false},
		{"sessions stay", done, busy, disabled, directory.OutcomeUnknown, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opDisable, c.disable)
			s.on(&opSignOut, c.signOut)
			s.on(&opStatus, c.state)
			err := d.Freeze(t.Context(), "E1", "离职")
			if directory.ClassOf(err) != c.class {
				t.Errorf("got %v, want class %q", err, c.class)
			}
			if signedOut := len(s.calls(&opSignOut)) > 0; signedOut != c.signedOut {
				t.Errorf("signed out: %t", signedOut)
			}
			sameJSON(t, s.calls(&opDisable)[0].body, `{"userId":"E1","reason":"离职"}`)
			if c.class == directory.NotSupported && !strings.Contains(err.Error(), "ordinary account keeps its access") {
				t.Errorf("the words do not say what that means: %v", err)
			}
		})
	}

	s, d := newStub(t)
	s.on(&opEnable, refused)
	s.on(&opStatus, enabled)
	if err := d.Unfreeze(t.Context(), "E1", "返岗"); err != nil {
		t.Error(err)
	}
}

func TestP2FreezingGoesFirst(t *testing.T) {
	s, d := newStub(t)
	for _, op := range []*operation{&opDisable, &opSignOut, &opEnable} {
		s.on(op, answer{body: `{"result":true}`})
	}
	if err := d.Freeze(httpx.WithPriority(t.Context(), httpx.Sweep), "E1", ""); err != nil {
		t.Fatal(err)
	}
	if err := d.Unfreeze(t.Context(), "E1", ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		op       *operation
		priority httpx.Priority
	}{{&opNewToken, httpx.Freeze}, {&opDisable, httpx.Freeze}, {&opSignOut, httpx.Freeze}, {&opEnable, httpx.Edit}} {
		ctx := s.calls(want.op)[0].request.Context()
		if httpx.PriorityFrom(ctx) != want.priority || httpx.OperationFrom(ctx) != want.op.name {
			t.Errorf("%s went as %s with priority %s", want.op.name, httpx.OperationFrom(ctx), httpx.PriorityFrom(ctx))
		}
	}
}

func TestSettings(t *testing.T) {
	good := func() directory.Settings {
		return directory.Settings{
			Secrets: map[string][]byte{"appKey": []byte("k"), "appSecret": []byte("s")}, HTTP: http.DefaultClient,
			Throttled: func(string, time.Duration) {}, Now: time.Now,
		}
	}
	for _, c := range []struct {
		name         string
		edit         func(*directory.Settings)
		older, newer string
		complaint    string
	}{
		{"public cloud", func(*directory.Settings) {}, olderBase, newerBase, ""},
		{"both", func(s *directory.Settings) {
			s.Endpoint, s.LegacyEndpoint = "https://api.dingtalk.io/", "https://oapi.dingtalk.io/"
		}, "https://oapi.dingtalk.io", "https://api.dingtalk.io", ""},
		{"one", func(s *directory.Settings) { s.Endpoint = "http://127.0.0.1:8001" }, "http://127.0.0.1:8001", "http://127.0.0.1:8001", ""},
		{"the other", func(s *directory.Settings) { s.LegacyEndpoint = "http://127.0.0.1:8001" }, "http://127.0.0.1:8001", "http://127.0.0.1:8001", ""},
		{"no key", func(s *directory.Settings) { delete(s.Secrets, "appKey") }, "", "", "lacks appKey"},
		{"blank secrets", func(s *directory.Settings) {
			s.Secrets = map[string][]byte{"appKey": []byte(" "), "appSecret": []byte("\n")}
		}, "", "", "lacks appKey and appSecret"},
		{"no address", func(s *directory.Settings) { s.Endpoint = "api.dingtalk.com" }, "", "", "not an address"},
		{"address with a query", func(s *directory.Settings) { s.Endpoint = "https://x?y=1" }, "", "", "not an address"},
		{"no client", func(s *directory.Settings) { s.HTTP = nil }, "", "", "must be set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good()
			c.edit(&s)
			got, err := Descriptor().New(s)
			if c.complaint != "" {
				if directory.ClassOf(err) != directory.Invalid || !strings.Contains(err.Error(), c.complaint) {
					t.Errorf("got %v, want one that says %q", err, c.complaint)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if w := got.(*Directory).wire; w.older.base != c.older || w.newer.base != c.newer {
				t.Errorf("reaches %s and %s, want %s and %s", w.older.base, w.newer.base, c.older, c.newer)
			}
		})
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	s, d := newStub(t)
	s.on(&opUser, recorded(t, "user-get"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Account(ctx, "RD20240007"); !directory.IsCancelled(err) {
		t.Errorf("got %v", err)
	}
}
