package dingtalk_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/provider/dingtalk"
	"rollcall.dev/rollcall/test/simulator/core"
	simulated "rollcall.dev/rollcall/test/simulator/dingtalk"
)

// The simulator's built-in company and its app.
const (
	acme      = "acme"
	appKey    = "dingacme0001"
	appSecret = "acme-app-secret"
	agentID   = "3000000001"
)

// company is a simulated tenant.
type company struct {
	core      *core.Core
	platform  core.Platform
	server    *httptest.Server
	throttled atomic.Int64
	now       func() time.Time // the clock of its directories
}

func newCompany(t *testing.T) *company {
	t.Helper()
	return foundCompany(t, core.Options{})
}

func foundCompany(t *testing.T, o core.Options) *company {
	t.Helper()
	c := &company{core: core.New(o), now: time.Now}
	c.server = httptest.NewServer(simulated.New(c.core))
	t.Cleanup(c.server.Close)
	c.platform, _ = c.core.Platform("dingtalk")
	if err := c.core.Limits.Set("dingtalk", core.Limits{Unlimited: true}, true); err != nil {
		t.Fatal(err)
	}
	return c
}

// open returns a directory with this secret. Its clock is not the simulator's: a
// token that expires there is news here.
func (c *company) open(t *testing.T, secret string) directory.Directory {
	t.Helper()
	client, err := httpx.Client(httpx.Options{Budget: httpx.NewBudget(httpx.Limits{}, nil, nil)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	d, err := dingtalk.Descriptor().New(directory.Settings{
		Endpoint: c.server.URL, HTTP: client, Now: c.now,
		Secrets:   map[string][]byte{"appKey": []byte(appKey), "appSecret": []byte(secret), "agentId": []byte(agentID)},
		Throttled: func(string, time.Duration) { c.throttled.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// inflict leaves token calls alone: the directory has its token by then.
func (c *company) inflict(t *testing.T, m directorytest.Malady) {
	t.Helper()
	fault := func(f core.Fault) {
		if _, err := c.core.Faults.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	switch m {
	case directorytest.ExpiredTokens:
		c.core.Clock.Advance(2*time.Hour + time.Second)
	case directorytest.Throttling:
		fault(core.Fault{Kind: core.KindThrottle})
	case directorytest.LostCreate:
		fault(core.Fault{Kind: core.KindDropAfter, Operation: "user/create"})
	case directorytest.LostUpdate:
		fault(core.Fault{Kind: core.KindDropAfter, Operation: "user/update"})
	case directorytest.LostRemove:
		for _, operation := range []string{"user/delete", "hrm/processes/terminateAndHandOver"} {
			fault(core.Fault{Kind: core.KindDropAfter, Operation: operation})
		}
	case directorytest.BadGateway:
		fault(core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: http.StatusBadGateway})
	case directorytest.Garbage:
		fault(core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: http.StatusOK})
	case directorytest.PartialListing:
		fault(core.Fault{Kind: core.KindPartialPage, Operation: "user/list"})
	case directorytest.EmptyListing:
		fault(core.Fault{Kind: core.KindEmptyListing})
	case directorytest.IgnoredTitle:
		fault(core.Fault{Kind: core.KindIgnoreField, Field: "title"})
	case directorytest.Denied:
		// The newer API has a word of its own for it.
		for _, operation := range []string{"hrm/dismission/reasons", "hrm/processes/terminateAndHandOver"} {
			fault(core.Fault{Kind: core.KindError, Operation: operation, HTTPStatus: http.StatusForbidden, Code: "Forbidden.AccessDenied.AccessTokenPermissionDenied"})
		}
		fault(core.Fault{Kind: core.KindError, Code: "88/60011"})
	case directorytest.Down:
		c.server.Close()
	default:
		t.Fatalf("no such malady: %s", m)
	}
}

func (c *company) calls(operation string) int {
	return len(c.core.Log.Entries(core.Query{Operation: operation}))
}

func (c *company) seed(t *testing.T, people, departments int) {
	t.Helper()
	if _, err := c.platform.Seed(acme, core.Seed{Users: people, Departments: departments}); err != nil {
		t.Fatal(err)
	}
}

func (c *company) configure(t *testing.T, options string) {
	t.Helper()
	if err := c.platform.Configure(acme, []byte(options)); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	directorytest.Run(t, func(t *testing.T) directorytest.Twin {
		c := newCompany(t)
		return directorytest.Twin{
			Directory:  c.open(t, appSecret),
			Misled:     c.open(t, "wrong-secret"),
			AccountID:  dingtalk.Descriptor().AccountID,
			Attributes: [2]string{"职级", "工位"},
			Secrets:    []string{appKey, appSecret, "wrong-secret"},
			Calls:      func() int { return c.calls("") },
			Throttled:  func() int { return int(c.throttled.Load()) },
			Seed:       c.seed,
			Remove: func(t *testing.T, id string) {
				t.Helper()
				if err := c.platform.Remove(acme, "users", id); err != nil {
					t.Fatal(err)
				}
			},
			Messages: c.received,
			Inflict:  c.inflict,
			Heal:     func(*testing.T) { c.core.Faults.Clear() },
		}
	})
}

// received counts the messages that really reached somebody.
func (c *company) received(t *testing.T, id string) (n int) {
	t.Helper()
	objects, err := c.platform.Objects(acme, "received")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		var got struct {
			To    string
			Count int
		}
		if err := json.Unmarshal([]byte(encode(t, o)), &got); err != nil {
			t.Fatal(err)
		}
		if got.To == id {
			n += got.Count
		}
	}
	return n
}

// person is an invented person in the root department.
func person(mobile string) directory.Profile {
	return directory.Profile{
		Set:  directory.FieldName | directory.FieldMobile | directory.FieldDepartments | directory.FieldTitle,
		Name: "柳如烟", Mobile: mobile, Title: "工程师", Memberships: []directory.Membership{{Department: "1"}},
	}
}

// 40103: the person has to agree, and is nobody before.
func TestInvitation(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, appSecret)
	c.configure(t, `{"protectedMobiles":["13800550001"]}`)
	state, err := d.CreateAccount(t.Context(), "E0001", directory.Ordinary, person("+86-13800550001"))
	if err != nil || state != directory.Invited {
		t.Fatalf("got %q, %v, want Invited", state, err)
	}
	if _, err := d.Account(t.Context(), "E0001"); directory.ClassOf(err) != directory.NotFound {
		t.Errorf("before the person agreed: %v", err)
	}
	if err := c.platform.Accept(acme, "E0001"); err != nil {
		t.Fatal(err)
	}
	if a, err := d.Account(t.Context(), "E0001"); err != nil || a.State != directory.Active {
		t.Errorf("after the person agreed: %+v, %v", a, err)
	}
}

func TestMobileBelongsToSomebody(t *testing.T) {
	d := newCompany(t).open(t, appSecret)
	for _, mobile := range []string{"+86-13800550001", "+852-61230001"} {
		first, second := "A"+mobile[len(mobile)-4:]+mobile[1:3], "B"+mobile[len(mobile)-4:]+mobile[1:3]
		if _, err := d.CreateAccount(t.Context(), first, directory.Ordinary, person(mobile)); err != nil {
			t.Fatal(err)
		}
		_, err := d.CreateAccount(t.Context(), second, directory.Ordinary, person(mobile))
		e, _ := errors.AsType[*directory.Error](err)
		if e == nil || e.Class != directory.Conflict || e.Holder != first {
			t.Errorf("got %v, want a conflict with %s", err, first)
		}
		if a, err := d.Account(t.Context(), first); err != nil || a.Profile.Mobile != mobile {
			t.Errorf("read %q, %v, want %s", a.Profile.Mobile, err, mobile)
		}
	}
}

func TestEnterpriseAccountIsFrozen(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, appSecret)
	if _, err := d.CreateAccount(t.Context(), "E0001", directory.Enterprise, person("+86-13800550001")); err != nil {
		t.Fatal(err)
	}
	state := func(want directory.State) {
		t.Helper()
		a, err := d.Account(t.Context(), "E0001")
		if err != nil || a.Type != directory.Enterprise || a.State != want {
			t.Errorf("read %q %q, %v, want Enterprise %s", a.Type, a.State, err, want)
		}
		l, err := d.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(l.Accounts, func(a directory.Account) bool { return a.ID == "E0001" })
		if i < 0 || l.Accounts[i].Type != directory.Enterprise || l.Accounts[i].State != want {
			t.Errorf("the listing does not say Enterprise %s", want)
		}
	}
	f := d.(directory.Freezer)
	state(directory.Active)
	for range 2 {
		if err := f.Freeze(t.Context(), "E0001", "离职"); err != nil {
			t.Fatal(err)
		}
		state(directory.Frozen)
	}
	for range 2 {
		if err := f.Unfreeze(t.Context(), "E0001", "返岗"); err != nil {
			t.Fatal(err)
		}
		state(directory.Active)
	}
	if err := f.Freeze(t.Context(), "nobody", "离职"); directory.ClassOf(err) != directory.NotFound {
		t.Errorf("freezing nobody: %v", err)
	}
	if n := c.calls("orgAccounts/signOut"); n != 2 {
		t.Errorf("signed out %d times, want 2", n)
	}
}

// What the app may not see is unseen, not empty, and whom it may not see makes
// the listing incomplete.
func TestPermissions(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, appSecret)
	c.seed(t, 20, 4)
	const guarded = directory.FieldMobile | directory.FieldEmail | directory.FieldWorkplace | directory.FieldAttributes
	l, err := d.List(t.Context())
	if err != nil || len(l.Gaps) != 0 {
		t.Fatal(err, l)
	}
	for _, a := range l.Accounts {
		if !a.Profile.Set.Has(guarded) {
			t.Errorf("%s: only %s can be read", a.ID, a.Profile.Set)
		}
	}

	c.configure(t, `{"permissions":["qyapi_base","qyapi_get_member","qyapi_get_department_member","qyapi_get_department_list"]}`)
	if l, err = d.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, a := range l.Accounts {
		if a.Profile.Set&guarded != 0 {
			t.Errorf("%s: %s can be read without permission", a.ID, a.Profile.Set&guarded)
		}
	}
	_, err = d.CreateAccount(t.Context(), "E0001", directory.Ordinary, person("+86-13800550001"))
	if directory.ClassOf(err) != directory.PermissionDenied || !strings.Contains(err.Error(), "qyapi_manage_addresslist") {
		t.Errorf("got %v, want one that names the permission", err)
	}
}

func TestNarrowScope(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, appSecret)
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	id, err := d.CreateDepartment(t.Context(), directory.Department{
		Set: directory.DepartmentName | directory.DepartmentParent, Name: "研发部", Parent: "1"})
	if err != nil {
		t.Fatal(err)
	}
	c.configure(t, `{"authedDepts":[`+id+`]}`)
	if err := d.Check(t.Context()); directory.ClassOf(err) != directory.PermissionDenied {
		t.Errorf("Check: got %v", err)
	}
	if l, err := d.List(t.Context()); directory.ClassOf(err) != directory.PermissionDenied {
		t.Errorf("List: got %v, %v", l, err)
	}
}

// P5: a stale listing is either complete as of its moment or says that it is not.
func TestP5StaleListing(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, appSecret)
	c.seed(t, 10, 2)
	if _, err := c.core.Faults.Add(core.Fault{Kind: core.KindStale, Operation: "user/list"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.CreateAccount(t.Context(), "E0001", directory.Ordinary, person("+86-13800550001")); err != nil {
		t.Fatal(err)
	}
	l, err := d.List(t.Context())
	if err != nil || len(l.Gaps) == 0 {
		t.Errorf("a listing that lags behind the count has gaps %q, %v", l.Gaps, err)
	}
	c.core.Faults.Clear()
	if l, err = d.List(t.Context()); err != nil || len(l.Gaps) != 0 {
		t.Errorf("afterwards: %q, %v", l.Gaps, err)
	}
}

func TestBannedAddress(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, appSecret)
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.core.Faults.Add(core.Fault{Kind: core.KindIPBan}); err != nil {
		t.Fatal(err)
	}
	_, err := d.List(t.Context())
	if directory.ClassOf(err) != directory.RateLimited || directory.RetryAfter(err) != 5*time.Minute || c.throttled.Load() == 0 {
		t.Errorf("got %v, told %d times", err, c.throttled.Load())
	}
}

// The documented limit of twenty calls a second: the budget keeps to it, and a
// listing costs pages and departments, not people.
func TestListingWithinTheDocumentedLimit(t *testing.T) {
	c := newCompany(t)
	c.seed(t, 500, 6)
	if err := c.core.Limits.Set("dingtalk", core.Limits{Documented: true}, true); err != nil {
		t.Fatal(err)
	}
	l, err := c.open(t, appSecret).List(t.Context())
	if err != nil || len(l.Gaps) != 0 || len(l.Accounts) < 500 {
		t.Fatal(err, l)
	}
	// gettoken, scopes, count, root; listsub for each of 7; a page for each, and
	// none more: no department has a hundred people.
	if n := c.calls(""); n != 4+7+7 {
		t.Errorf("%d calls, want 18", n)
	}
}

func TestManagersFollowFromTheListing(t *testing.T) {
	d := newCompany(t).open(t, appSecret)
	id, err := d.CreateDepartment(t.Context(), directory.Department{
		Set: directory.DepartmentName | directory.DepartmentParent, Name: "研发部", Parent: "1"})
	if err != nil {
		t.Fatal(err)
	}
	for i, who := range []string{"E0002", "E0001"} {
		p := person("+86-1380055000" + string(rune('1'+i)))
		p.Memberships = []directory.Membership{{Department: id}}
		if _, err := d.CreateAccount(t.Context(), who, directory.Ordinary, p); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"E0001", "E0002"}
	lead := directory.Department{ID: id, Set: directory.DepartmentManagers, Managers: want}
	if err := d.UpdateDepartment(t.Context(), lead); err != nil {
		t.Fatal(err)
	}
	single, err := d.Department(t.Context(), id)
	if err != nil || !reflect.DeepEqual(single.Managers, want) {
		t.Errorf("read %v, %v", single.Managers, err)
	}
	l, err := d.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, listed := range l.Departments {
		if listed.ID == id && !reflect.DeepEqual(listed.Managers, want) {
			t.Errorf("listed with managers %v", listed.Managers)
		}
	}
	stranger := directory.Department{ID: id, Set: directory.DepartmentManagers, Managers: []string{"manager7001"}}
	if err := d.UpdateDepartment(t.Context(), stranger); directory.ClassOf(err) != directory.Invalid {
		t.Errorf("a manager who is no member: %v", err)
	}
}
