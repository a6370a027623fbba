package dingtalk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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

// The same company comes in the same order however its calls overtake each other, and
// who is in several departments with the same row.
func TestExportsOfTheSameCompanyAreAlike(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, appSecret).(directory.Exporter)
	c.seed(t, 130, 8)
	departments, err := c.platform.Objects(acme, "departments")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, o := range departments {
		ids = append(ids, fmt.Sprint(decode(t, []byte(encode(t, o)))["dept_id"]))
	}
	for n := range 30 {
		in := ids[n%len(ids)] + "," + ids[(n+3)%len(ids)]
		if err := c.platform.Merge(acme, "users", fmt.Sprintf("S%05d", n+1), []byte(`{"dept_id_list":[`+in+`]}`)); err != nil {
			t.Fatal(err)
		}
	}
	export := func() (items []string) {
		sum, err := d.Export(t.Context(), directory.DatasetDirectory, directory.Scope{}, func(i directory.Item) error {
			items = append(items, i.Part+"/"+i.ID+" "+string(i.Raw))
			return nil
		})
		if err != nil || len(sum.Gaps) != 0 {
			t.Fatal(sum, err)
		}
		return items
	}
	first := export()
	for range 3 {
		if again := export(); !slices.Equal(first, again) {
			t.Fatalf("%d items, then %d, or in another order", len(first), len(again))
		}
	}
}

// simulation is what a part of a dataset is read from: a collection of the simulator,
// and how one of its objects comes out. Without that only their number is compared.
type simulation struct {
	collection string
	exported   func(object map[string]any) any
}

// What the simulated tenant has of a past is exported whole and unchanged, within the
// platform's windows and pages.
func TestDatasets(t *testing.T) {
	today := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	c := foundCompany(t, core.Options{Clock: core.NewClock(func() time.Time { return today })})
	c.now = func() time.Time { return today.Add(time.Minute) } // whoever leaves has left before
	d := c.open(t, appSecret).(directory.Exporter)
	c.seed(t, 120, 4)
	c.configure(t, `{"exclusive":true,"history":{"days":150,"seed":7}}`)
	for n := range 55 {
		if err := c.platform.Remove(acme, "users", fmt.Sprintf("S%05d", n+1)); err != nil {
			t.Fatal(err)
		}
	}
	asItIs := func(object map[string]any) any { return object }
	without := func(field string) func(map[string]any) any {
		return func(object map[string]any) any {
			delete(object, field)
			return object
		}
	}
	for set, parts := range map[directory.Dataset]map[string]simulation{
		directory.DatasetDirectory: {
			directory.PartAccounts: {"users", nil}, directory.PartRoles: {"roles", nil}, directory.PartDepartments: {"departments", asItIs},
		},
		directory.DatasetApprovals: {"instances": {"approvals", func(object map[string]any) any {
			return map[string]any{
				"processCode": object["processCode"], "processInstanceId": object["businessId"],
				"processInstance": without("processCode")(object),
			}
		}}},
		directory.DatasetAttendance: {"results": {"punches", nil}, "punches": {"punches", asItIs}},
		directory.DatasetReports:    {"reports": {"reports", asItIs}},
		directory.DatasetRoster: {
			"on-job":     {"users", func(object map[string]any) any { return map[string]any{"status": "3", "userid": object["userid"]} }},
			"fields":     {"users", nil},
			"dismissals": {"dismissions", asItIs},
			"leavers":    {"leavers", asItIs},
		},
		directory.DatasetGroups: {"groups": {"groups", asItIs}},
		directory.DatasetFiles: {
			"workspaces": {"workspaces", asItIs}, "nodes": {"nodes", without("parentNodeId")},
			"spaces": {"spaces", asItIs}, "entries": {"dentries", asItIs},
		},
		directory.DatasetOperationLogs: {"files": {"fileLogs", asItIs}},
		directory.DatasetCalendars:     {"events": {"events", asItIs}},
	} {
		exported := map[string][]string{}
		seen := map[string]bool{}
		sum, err := d.Export(t.Context(), set, directory.Scope{}, func(i directory.Item) error {
			if key := i.Part + "/" + i.ID; seen[key] {
				t.Errorf("%s: %s comes twice", set, key)
			} else {
				seen[key] = true
			}
			exported[i.Part] = append(exported[i.Part], encode(t, decode(t, i.Raw)))
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", set, err)
		}
		for _, g := range sum.Gaps {
			if g.Class != directory.NotSupported { // all permissions are there
				t.Errorf("%s: gap %+v", set, g)
			}
		}
		for part, from := range parts {
			c.compare(t, string(set)+"/"+part, exported[part], from)
		}
	}
}

// compare wants everything that a collection has, and nothing else.
func (c *company) compare(t *testing.T, what string, got []string, from simulation) {
	t.Helper()
	objects, err := c.platform.Objects(acme, from.collection)
	if err != nil || len(objects) == 0 || len(got) != len(objects) {
		t.Errorf("%s: %d exported of %d, %v", what, len(got), len(objects), err)
		return
	}
	if from.exported == nil {
		return
	}
	var want []string
	for _, o := range objects {
		want = append(want, encode(t, from.exported(decode(t, []byte(encode(t, o))))))
	}
	slices.Sort(got)
	slices.Sort(want)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: exported\n%s, there is\n%s", what, got[i], want[i])
			return
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// decode keeps numbers as they are written: some ids are too long for a float.
func decode(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return object
}

// leaver is a company with a leaver E0001 and a successor E0002.
func (c *company) leaver(t *testing.T) directory.Directory {
	t.Helper()
	d := c.open(t, appSecret)
	for i, id := range []string{"E0001", "E0002"} {
		if _, err := d.CreateAccount(t.Context(), id, directory.Ordinary, person("+86-1380055000"+string(rune('1'+i)))); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// object is one of a collection of the simulator, nil if there is none.
func (c *company) object(t *testing.T, collection, key, id string) map[string]any {
	t.Helper()
	objects, err := c.platform.Objects(acme, collection)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if got := decode(t, []byte(encode(t, o))); got[key] == id {
			return got
		}
	}
	return nil
}

func TestHandOver(t *testing.T) {
	c := newCompany(t)
	d := c.leaver(t)
	last := time.Date(2026, 3, 31, 0, 0, 0, 0, time.FixedZone("", 8*60*60))
	err := d.(directory.Remover).Remove(t.Context(), "E0001", directory.Removal{Successor: "E0002", Reason: "contract ended", LastDay: last})
	if err != nil {
		t.Fatal(err)
	}
	passed := map[string]bool{}
	left := c.object(t, "left", "id", "E0001")
	list, _ := left["handedOver"].([]any)
	for _, h := range list {
		if what := h.(map[string]any); what["to"] == "E0002" && what["state"] == "done" {
			passed[fmt.Sprint(what["what"])] = true
		}
	}
	if len(passed) != 5 {
		t.Errorf("handed over %v, want approvals, documents, drive, permissions and subordinates", passed)
	}
	record := c.object(t, "dismissions", "userId", "E0001")
	if record["reasonMemo"] != "contract ended" || fmt.Sprint(record["lastWorkDay"]) != fmt.Sprint(last.UnixMilli()) || record["handoverUserId"] != "E0002" {
		t.Errorf("Smart HR has %v", record)
	}
}

func TestRemovalsThatAreRefused(t *testing.T) {
	const readAndManage = `"qyapi_base","qyapi_get_member","qyapi_manage_addresslist"`
	c := newCompany(t)
	d := c.leaver(t)
	r := d.(directory.Remover)
	with, without := directory.Removal{Successor: "E0002", Reason: "x"}, directory.Removal{Reason: "x"}
	there := func(id string) {
		t.Helper()
		if _, err := d.Account(t.Context(), id); err != nil {
			t.Errorf("%s is not there any more: %v", id, err)
		}
	}
	for _, how := range []directory.Removal{with, without} {
		err := r.Remove(t.Context(), "manager7001", how)
		if directory.ClassOf(err) != directory.Conflict || !strings.Contains(err.Error(), "主管理员") {
			t.Errorf("the main administrator: %v", err)
		}
		there("manager7001")
	}
	for _, options := range []string{`{"smartHR":false}`, `{"smartHR":true,"permissions":[` + readAndManage + `]}`} {
		c.configure(t, options)
		err := r.Remove(t.Context(), "E0001", with)
		e, _ := errors.AsType[*directory.Error](err)
		if e == nil || e.Class != directory.PermissionDenied || e.Code == "" || !strings.Contains(e.Message, "Hrm.Process.ReadWrite") {
			t.Errorf("with %s: %v, want one that names the right", options, err)
		}
		there("E0001")
	}
	if err := r.Remove(t.Context(), "E0001", without); err != nil {
		t.Errorf("without a successor: %v", err)
	}
	if _, err := d.Account(t.Context(), "E0001"); directory.ClassOf(err) != directory.NotFound {
		t.Errorf("removed without a successor: %v", err)
	}
}

func TestBuiltInRolesStay(t *testing.T) {
	d := newCompany(t).leaver(t)
	k := d.(directory.RoleRevoker)
	roles, err := k.RolesOf(t.Context(), "manager7001")
	if err != nil || len(roles) != 1 {
		t.Fatal(roles, err)
	}
	err = k.RemoveFromRole(t.Context(), roles[0].Role, roles)
	if directory.ClassOf(err) != directory.PermissionDenied || !strings.Contains(err.Error(), "admin console") {
		t.Errorf("got %v", err)
	}
	if again, err := k.RolesOf(t.Context(), "manager7001"); err != nil || len(again) != 1 {
		t.Errorf("afterwards: %v, %v", again, err)
	}
}

func TestResidualsOfSmartHR(t *testing.T) {
	c := newCompany(t)
	d := c.leaver(t)
	if err := d.(directory.Remover).Remove(t.Context(), "E0001", directory.Removal{Successor: "E0002"}); err != nil {
		t.Fatal(err)
	}
	if err := c.platform.Merge(acme, "dismissions", "E0001", []byte(`{"status":1}`)); err != nil {
		t.Fatal(err)
	}
	left, err := d.(directory.ResidualFinder).Residuals(t.Context(), "E0001")
	if err != nil || len(left) != 1 || !strings.Contains(left[0], "Smart HR") {
		t.Errorf("found %q, %v", left, err)
	}
}

// P3: within the window, a notice that is sent again reaches nobody twice, at whatever time of day.
func TestP3NoticeWindowIsSafe(t *testing.T) {
	start := time.Date(2026, 3, 1, 16, 0, 0, 0, time.UTC) // midnight in China
	c := foundCompany(t, core.Options{Clock: core.NewClock(func() time.Time { return start })})
	c.now = c.core.Clock.Now
	d := c.leaver(t)
	n := d.(directory.Notifier)
	const step, days = 3 * time.Hour, 3
	sent := map[string]time.Time{}
	repeated := 0
	for range days * int(24*time.Hour/step) {
		for text, at := range sent {
			if c.now().Sub(at) < d.Capabilities().NoticeWindow {
				repeated++
				if _, err := n.Notify(t.Context(), []string{"E0001"}, text); err != nil {
					t.Fatal(err)
				}
			}
		}
		text := "交接 " + c.now().Format(time.RFC3339)
		sent[text] = c.now()
		if _, err := n.Notify(t.Context(), []string{"E0001"}, text); err != nil {
			t.Fatal(err)
		}
		if got := c.received(t, "E0001"); got != len(sent) {
			t.Fatalf("received %d messages, want %d", got, len(sent))
		}
		c.core.Clock.Advance(step)
	}
	if repeated == 0 {
		t.Error("no notice was ever repeated")
	}
}

// Sixty notices to a hundred people are more than DingTalk delivers in a minute: all arrive.
func TestManyNoticesArrive(t *testing.T) {
	c := newCompany(t)
	c.now = c.core.Clock.Now
	d := c.open(t, appSecret)
	c.seed(t, 99, 2)
	l, err := d.List(t.Context())
	if err != nil || len(l.Accounts) != 100 {
		t.Fatal(len(l.Accounts), err)
	}
	var everybody []string
	for _, a := range l.Accounts {
		everybody = append(everybody, a.ID)
	}
	for n := range 60 {
		text := fmt.Sprintf("交接 %d", n)
		_, err := d.(directory.Notifier).Notify(t.Context(), everybody, text)
		if wait := directory.RetryAfter(err); directory.ClassOf(err) == directory.RateLimited && wait > 0 {
			c.core.Clock.Advance(wait)
			_, err = d.(directory.Notifier).Notify(t.Context(), everybody, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range everybody {
		if got := c.received(t, id); got != 60 {
			t.Fatalf("%s received %d notices, want 60", id, got)
		}
	}
}
