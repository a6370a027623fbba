package wecom

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

func TestBusyReadsAreRepeatedAndWritesAreNot(t *testing.T) {
	busy := 2
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"user/get": func(*http.Request, map[string]any) string {
			if busy > 0 {
				busy--
				return `{"errcode":-1,"errmsg":"system busy"}`
			}
			return recorded(t, "user_get.json")
		},
		"user/update": answer(`{"errcode":-1,"errmsg":"system busy"}`),
	})
	d := s.open(true)
	if _, err := d.Account(t.Context(), "zhangsan"); err != nil {
		t.Error(err)
	}
	if len(s.waited) != 2 || s.waited[0] >= s.waited[1] {
		t.Errorf("waited %v, want two growing pauses", s.waited)
	}
	busy = 99
	_, err := d.Account(t.Context(), "zhangsan")
	refused(t, err, directory.Unavailable)
	err = d.UpdateAccount(t.Context(), "zhangsan", directory.Profile{Set: directory.FieldTitle})
	refused(t, err, directory.OutcomeUnknown)
	if n := s.count("user/update"); n != 1 {
		t.Errorf("the write was sent %d times", n)
	}
}

func TestAnswersFromSomethingElse(t *testing.T) {
	for _, c := range []struct {
		status      int
		read, write directory.Class
	}{
		{http.StatusMovedPermanently, directory.Unavailable, directory.Unavailable},
		{http.StatusForbidden, directory.Unavailable, directory.OutcomeUnknown},
		{http.StatusNotFound, directory.Unavailable, directory.Unavailable},
		{http.StatusTooManyRequests, directory.RateLimited, directory.RateLimited},
		{http.StatusBadGateway, directory.Unavailable, directory.OutcomeUnknown},
		{http.StatusOK, directory.Unavailable, directory.OutcomeUnknown},
	} {
		s := newStub(t, map[string]func(*http.Request, map[string]any) string{})
		s.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/gettoken") {
				s.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Location", "https://example.com/?access_token=x")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte("<html>no</html>"))
		})
		d := s.open(true)
		_, err := d.Account(t.Context(), "zhangsan")
		refused(t, err, c.read)
		err = d.UpdateAccount(t.Context(), "zhangsan", directory.Profile{Set: directory.FieldTitle})
		refused(t, err, c.write)
		if c.status == http.StatusTooManyRequests && (directory.RetryAfter(err) != 7*time.Second || len(s.throttled) != 2) {
			t.Errorf("retry after %s, throttled %q", directory.RetryAfter(err), s.throttled)
		}
	}
}

func TestAnswersThatProveNothing(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `"ok"`, `{}`, `{"errcode":0,"errmsg":"ok"}`, `{"errcode":"0"}`, `{"errcode":0} x`, `{"errcode":0,"userid":7}`,
		`{"errcode":0,"userid":"somebody else","status":1}`, `{"errcode":0,"department":7,"userlist":7,"dept_user":7,"id":"x"}`,
		`{"errcode":0,"department":{"id":99}}`,
	} {
		answers := map[string]func(*http.Request, map[string]any) string{}
		for _, operation := range []string{
			"user/get", "user/list", "user/list_id", "user/getuserid", "department/get", "department/list", "department/simplelist", "department/create",
		} {
			answers[operation] = answer(body)
		}
		s := newStub(t, answers)
		d := s.open(true)
		_, account := d.Account(t.Context(), "zhangsan")
		_, dept := d.Department(t.Context(), "2")
		_, list := d.List(t.Context())
		_, members := d.client.listUsers(t.Context(), d.details, 2)
		_, tree := d.client.listDepartments(t.Context(), d.details)
		for what, err := range map[string]error{
			"account": account, "department": dept, "list": list, "members": members, "tree": tree, "check": d.Check(t.Context()),
		} {
			if directory.ClassOf(err) != directory.Unavailable {
				t.Errorf("%s from %q: %v, want Unavailable", what, body, err)
			}
		}
		if id, err := d.FindByMobile(t.Context(), "13800001234"); directory.ClassOf(err) != directory.Unavailable && id != "somebody else" {
			t.Errorf("found %q from %q: %v", id, body, err)
		}
		_, err := d.CreateDepartment(t.Context(), directory.Department{Set: directory.DepartmentName, Name: "x"})
		refused(t, err, directory.OutcomeUnknown)
	}
}

func TestWriteIsBelievedOnlyWithACode(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{"user/update": answer(`{"errmsg":"updated"}`)})
	refused(t, s.open(true).Freeze(t.Context(), "x", ""), directory.OutcomeUnknown)
}

func TestPauseThatThePlatformAskedForIsRateLimited(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{"user/get": answer(recorded(t, "user_get.json"))})
	budget := httpx.NewBudget(httpx.Limits{}, nil, nil)
	d := s.open(true)
	client, err := httpx.Client(httpx.Options{Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	d.client.http = client
	budget.Throttled("user/get", time.Minute)
	_, err = d.Account(t.Context(), "zhangsan")
	refused(t, err, directory.RateLimited)
	if after := directory.RetryAfter(err); after <= 0 || after > time.Minute {
		t.Errorf("retry after %s", after)
	}
}

func TestFreezeOnTheWire(t *testing.T) {
	var sent map[string]any
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{"user/update": capture(&sent, `{"errcode":0,"errmsg":"updated"}`)})
	d := s.open(true)
	if err := d.Freeze(t.Context(), "x", "离职"); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, sent, `{"userid":"x","enable":0}`)
	if err := d.Unfreeze(t.Context(), "x", "返岗"); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, sent, `{"userid":"x","enable":1}`)
}

func TestFindByMobileAsksForRealNumbersOnly(t *testing.T) {
	var sent map[string]any
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"user/getuserid": capture(&sent, `{"errcode":0,"errmsg":"ok","userid":"zhangsan"}`),
	})
	d := s.open(true)
	for _, bad := range []string{"", "1", "not a number", strings.Repeat("1", 33)} {
		_, err := d.FindByMobile(t.Context(), bad)
		refused(t, err, directory.Invalid)
	}
	if sent != nil {
		t.Errorf("asked for %v", sent)
	}
	if id, err := d.FindByMobile(t.Context(), "+86-13800001234"); id != "zhangsan" || err != nil {
		t.Errorf("got %q, %v", id, err)
	}
	sameJSON(t, sent, `{"mobile":"13800001234"}`)
}

func TestCheckSaysWhichSecretFails(t *testing.T) {
	ids, root := answer(`{"errcode":0,"department_id":[{"id":1}]}`), answer(`{"errcode":0,"department":{"id":1,"name":"x"}}`)
	wrong := func(secret string) func(*http.Request, map[string]any) string {
		return func(r *http.Request, _ map[string]any) string {
			if r.URL.Query().Get("corpsecret") == secret {
				return `{"errcode":40001,"errmsg":"invalid credential"}`
			}
			return `{"errcode":0,"access_token":"x-token-1","expires_in":7200}`
		}
	}
	good := wrong("")
	code := func(n int) func(*http.Request, map[string]any) string {
		return answer(fmt.Sprintf(`{"errcode":%d,"errmsg":"no"}`, n))
	}
	for name, c := range map[string]struct {
		app              bool
		token, ids, root func(*http.Request, map[string]any) string
		class            directory.Class
		words            []string
	}{
		"all well":                 {app: true, token: good, ids: ids, root: root},
		"sync wrong":               {app: true, token: wrong(syncValue), ids: ids, root: root, class: directory.Unauthenticated, words: []string{"syncSecret: "}},
		"app wrong":                {app: true, token: wrong(appValue), ids: ids, root: root, class: directory.Unauthenticated, words: []string{"appSecret: "}},
		"sync is not the sync one": {app: true, token: good, ids: code(48002), root: root, class: directory.PermissionDenied, words: []string{"syncSecret: ", "通讯录同步"}},
		"app sees a part":          {app: true, token: good, ids: ids, root: code(60011), class: directory.PermissionDenied, words: []string{"appSecret: ", "whole company"}},
		"no app where one is needed": {token: good, ids: ids, root: code(48009), class: directory.PermissionDenied,
			words: []string{"syncSecret: ", "add appSecret", "whole company"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStub(t, map[string]func(*http.Request, map[string]any) string{
				"gettoken": c.token, "department/simplelist": c.ids, "department/get": c.root,
			})
			err := s.open(c.app).Check(t.Context())
			refused(t, err, c.class, c.words...)
			if err != nil && strings.Count(err.Error(), "Secret: ") != 1 {
				t.Errorf("names the credential more than once: %v", err)
			}
		})
	}
}

func TestNothingListensThere(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{"user/get": answer(recorded(t, "user_get.json"))})
	d := s.open(true)
	if _, err := d.Account(t.Context(), "zhangsan"); err != nil {
		t.Fatal(err)
	}
	s.server.Close()
	_, err := d.Account(t.Context(), "zhangsan")
	refused(t, err, directory.Unavailable)
	refused(t, d.Freeze(t.Context(), "x", ""), directory.Unavailable)
}

// watched notes the priority of every call on its way.
type watched struct {
	next http.RoundTripper
	seen map[string]httpx.Priority
}

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	w.seen[httpx.OperationFrom(r.Context())] = httpx.PriorityFrom(r.Context())
	return w.next.RoundTrip(r)
}

func TestAccessFirst(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{"user/update": answer(`{"errcode":0,"errmsg":"updated"}`)})
	d := s.open(true)
	w := watched{next: d.client.http.Transport, seen: map[string]httpx.Priority{}}
	d.client.http = &http.Client{Transport: w}
	if err := d.Freeze(t.Context(), "x", ""); err != nil {
		t.Fatal(err)
	}
	if w.seen["user/update"] != httpx.Freeze || w.seen["gettoken"] != httpx.Freeze {
		t.Errorf("priorities %v, want the highest for both", w.seen)
	}
	if err := d.Unfreeze(t.Context(), "x", ""); err != nil || w.seen["user/update"] != httpx.Edit {
		t.Errorf("unfreezing: %v, priority %v", err, w.seen["user/update"])
	}
}
