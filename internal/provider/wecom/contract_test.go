package wecom_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/provider/wecom"
	"rollcall.dev/rollcall/test/simulator/core"
	simulated "rollcall.dev/rollcall/test/simulator/wecom"
)

// company is a simulated tenant with its creator in it.
type company struct {
	core      *core.Core
	platform  core.Platform
	server    *httptest.Server
	spec      simulated.Tenant
	now       func() time.Time // of the directories
	throttled atomic.Int64
}

func newCompany(t *testing.T) *company {
	t.Helper()
	c := &company{core: core.New(core.Options{}), spec: simulated.BuiltIn()[0]}
	c.now = c.core.Clock.Now
	c.server = httptest.NewServer(simulated.New(c.core))
	t.Cleanup(c.server.Close)
	c.platform, _ = c.core.Platform("wecom")
	if err := c.platform.Create(c.spec.Name, "users", "creator", []byte(`{"name":"创建者","mobile":"13900000000"}`)); err != nil {
		t.Fatal(err)
	}
	return c
}

// open returns a directory with these secrets; an empty one is left out.
func (c *company) open(t *testing.T, sync, app string) directory.Directory {
	t.Helper()
	client, err := httpx.Client(httpx.Options{Budget: httpx.NewBudget(httpx.Limits{}, nil, nil)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	settings := directory.Settings{
		Tenant: c.spec.CorpID, Endpoint: c.server.URL, NumberAttribute: "工号", HTTP: client, Now: c.now,
		Secrets:   map[string][]byte{"syncSecret": []byte(sync)},
		Throttled: func(string, time.Duration) { c.throttled.Add(1) },
	}
	if app != "" {
		settings.Secrets["appSecret"] = []byte(app)
		settings.Secrets["agentId"] = []byte(strconv.Itoa(c.spec.Apps[0].AgentID))
	}
	d, err := wecom.Descriptor().New(settings)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (c *company) fault(t *testing.T, f core.Fault, operations ...string) {
	t.Helper()
	for _, operation := range operations {
		f.Operation = operation
		if _, err := c.core.Faults.Add(f); err != nil {
			t.Fatal(err)
		}
	}
}

// everything but gettoken.
var everything = []string{
	"user/create", "user/update", "user/get", "user/list", "user/list_id", "user/getuserid",
	"department/create", "department/update", "department/get", "department/list", "department/simplelist",
	"user/delete", "message/send", "tag/list", "tag/get", "tag/addtagusers", "tag/deltagusers",
}

func (c *company) inflict(t *testing.T, m directorytest.Malady) {
	t.Helper()
	switch m {
	case directorytest.ExpiredTokens:
		for _, credential := range []string{"sync", "app-rollcall"} {
			// One of the two may have no token yet.
			_ = c.platform.Remove(c.spec.Name, "tokens", credential)
		}
	case directorytest.Throttling:
		c.fault(t, core.Fault{Kind: core.KindThrottle}, everything...)
	case directorytest.LostCreate:
		c.fault(t, core.Fault{Kind: core.KindDropAfter}, "user/create")
	case directorytest.LostUpdate:
		c.fault(t, core.Fault{Kind: core.KindDropAfter}, "user/update")
	case directorytest.LostRemove:
		c.fault(t, core.Fault{Kind: core.KindDropAfter}, "user/delete")
	case directorytest.BadGateway:
		c.fault(t, core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: http.StatusBadGateway}, everything...)
	case directorytest.Garbage:
		c.fault(t, core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: http.StatusOK}, everything...)
	case directorytest.PartialListing:
		c.fault(t, core.Fault{Kind: core.KindPartialPage}, "user/list")
	case directorytest.EmptyListing:
		c.fault(t, core.Fault{Kind: core.KindEmptyListing}, everything...)
	case directorytest.IgnoredTitle:
		c.fault(t, core.Fault{Kind: core.KindIgnoreField, Field: "position"}, "user/create", "user/update")
	case directorytest.Denied:
		c.fault(t, core.Fault{Kind: core.KindError, Code: "60011"}, everything...)
	case directorytest.Down:
		c.server.Close()
	default:
		t.Fatalf("no such malady: %s", m)
	}
}

func (c *company) twin(t *testing.T, sync, app string) directorytest.Twin {
	return directorytest.Twin{
		Directory:  c.open(t, sync, app),
		Misled:     c.open(t, "wrong-"+sync, app),
		AccountID:  wecom.Descriptor().AccountID,
		Attributes: [2]string{"职级", "工位"},
		Secrets:    []string{c.spec.SyncSecret, c.spec.Apps[0].Secret},
		Calls:      func() int { return len(c.core.Log.Entries(core.Query{})) },
		Throttled:  func() int { return int(c.throttled.Load()) },
		Inflict:    c.inflict,
		Heal:       func(*testing.T) { c.core.Faults.Clear() },
		Remove: func(t *testing.T, id string) {
			t.Helper()
			if err := c.platform.Remove(c.spec.Name, "users", id); err != nil {
				t.Fatal(err)
			}
		},
		Messages: func(t *testing.T, id string) int {
			t.Helper()
			return c.received(t, id)
		},
		Seed: func(t *testing.T, people, departments int) {
			t.Helper()
			if _, err := c.platform.Seed(c.spec.Name, core.Seed{Users: people, Departments: departments}); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// received counts the messages that reached somebody.
func (c *company) received(t *testing.T, id string) (n int) {
	t.Helper()
	all, err := c.platform.Objects(c.spec.Name, "messages")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			To        []string
			Dropped   []string
			Duplicate bool
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		if !m.Duplicate && slices.Contains(m.To, id) && !slices.Contains(m.Dropped, id) {
			n++
		}
	}
	return n
}

func TestContract(t *testing.T) {
	directorytest.Run(t, func(t *testing.T) directorytest.Twin {
		c := newCompany(t)
		return c.twin(t, c.spec.SyncSecret, c.spec.Apps[0].Secret)
	})
}

// A company whose sync secret was in use before August 2022 needs no app.
func TestContractWithOneSecret(t *testing.T) {
	directorytest.Run(t, func(t *testing.T) directorytest.Twin {
		c := newCompany(t)
		if err := c.platform.Configure(c.spec.Name, []byte(`{"syncReadRefused":false}`)); err != nil {
			t.Fatal(err)
		}
		return c.twin(t, c.spec.SyncSecret, "")
	})
}

func want(t *testing.T, err error, class directory.Class, words ...string) {
	t.Helper()
	if directory.ClassOf(err) != class {
		t.Errorf("got %v (class %q), want class %s", err, directory.ClassOf(err), class)
	}
	for _, word := range words {
		if err != nil && !strings.Contains(err.Error(), word) {
			t.Errorf("%v: want the words %q", err, word)
		}
	}
}

func TestSyncSecretFromANewAddressAsksForAnApp(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, c.spec.SyncSecret, "")
	want(t, d.Check(t.Context()), directory.PermissionDenied, "appSecret", "whole company")
	_, err := d.List(t.Context())
	want(t, err, directory.PermissionDenied, "appSecret")
	_, err = d.Account(t.Context(), "creator")
	want(t, err, directory.PermissionDenied, "appSecret")
	p := directory.Profile{Set: directory.FieldName | directory.FieldMobile, Name: "张三", Mobile: "+86-13800001234"}
	if _, err := d.CreateAccount(t.Context(), "E1", directory.Ordinary, p); err != nil {
		t.Errorf("writing needs no app: %v", err)
	}
}

func TestSecretsInEachOthersPlace(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, c.spec.Apps[0].Secret, c.spec.SyncSecret)
	want(t, d.Check(t.Context()), directory.PermissionDenied)
}

func TestAppThatSeesAPartProvesNoAbsence(t *testing.T) {
	c := newCompany(t)
	raw := `{"name":"partial","corpId":"wwpartial","syncSecret":"partial-sync",` +
		`"apps":[{"name":"rollcall","agentId":7,"secret":"partial-app","departments":[5]}]}`
	if err := c.platform.AddTenant([]byte(raw)); err != nil {
		t.Fatal(err)
	}
	c.spec.Name, c.spec.CorpID = "partial", "wwpartial"
	for id, name := range map[string]string{"5": "可见部", "6": "不可见部"} {
		if err := c.platform.Create("partial", "departments", id, []byte(`{"name":"`+name+`"}`)); err != nil {
			t.Fatal(err)
		}
	}
	for id, department := range map[string]string{"seen": "5", "hidden": "6"} {
		if err := c.platform.Create("partial", "users", id,
			[]byte(`{"name":"x","mobile":"1390000000`+department+`","department":[`+department+`]}`)); err != nil {
			t.Fatal(err)
		}
	}
	d := c.open(t, "partial-sync", "partial-app")
	want(t, d.Check(t.Context()), directory.PermissionDenied, "appSecret: ", "whole company")
	l, err := d.List(t.Context())
	if err != nil || len(l.Accounts) != 1 || len(l.Gaps) != 2 || !strings.Contains(l.Gaps[0], "hidden") {
		t.Errorf("listed %+v, %v, want one person and two gaps", l, err)
	}
	_, err = d.Account(t.Context(), "Hidden")
	want(t, err, directory.PermissionDenied, "exists")
	_, err = d.Account(t.Context(), "nobody")
	want(t, err, directory.NotFound)
	if id, err := d.(directory.MobileFinder).FindByMobile(t.Context(), "+86-13900000006"); id != "hidden" {
		t.Errorf("found %q, %v, want hidden", id, err)
	}
	_, err = d.Department(t.Context(), "6")
	want(t, err, directory.PermissionDenied)
	_, err = d.Department(t.Context(), "7")
	want(t, err, directory.NotFound)
}

func TestDepartmentsMadeUpByThePlatformAreReported(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret)
	p := directory.Profile{
		Set:  directory.FieldName | directory.FieldMobile | directory.FieldDepartments,
		Name: "张三", Mobile: "+86-13800001234", Memberships: []directory.Membership{{Department: "4242"}},
	}
	_, err := d.CreateAccount(t.Context(), "E1", directory.Ordinary, p)
	want(t, err, directory.Invalid, "4242", "delete it")
	if _, err := d.Account(t.Context(), "E1"); err != nil {
		t.Errorf("the message says that the user was written, but %v", err)
	}
}

func TestWhatThePlatformIgnoresShowsWhenReadBack(t *testing.T) {
	c := newCompany(t)
	if err := c.platform.AddTenant([]byte(`{"name":"old","corpId":"wwold","syncSecret":"old-sync",` +
		`"apps":[{"name":"rollcall","agentId":7,"secret":"old-app","sensitiveFieldsHidden":false}],"options":{"attributes":["工号"]}}`)); err != nil {
		t.Fatal(err)
	}
	c.spec.Name, c.spec.CorpID = "old", "wwold"
	d := c.open(t, "old-sync", "old-app")
	p := directory.Profile{
		Set:  directory.FieldName | directory.FieldNumber | directory.FieldMobile | directory.FieldAttributes,
		Name: "张三", Number: "N1", Mobile: "+86-13800001234", Attributes: map[string]string{"未定义": "x"},
	}
	if _, err := d.CreateAccount(t.Context(), "E1", directory.Ordinary, p); err != nil {
		t.Fatal(err)
	}
	differs := func(fields directory.Fields) {
		t.Helper()
		a, err := d.Account(t.Context(), "E1")
		if err != nil {
			t.Fatal(err)
		}
		if differ, unseen := directory.Differ(&p, &a.Profile); differ != fields || unseen != 0 {
			t.Errorf("differs in %q, unseen %q, want %q", differ, unseen, fields)
		}
	}
	differs(directory.FieldAttributes)
	if err := c.platform.Accept("old", "E1"); err != nil {
		t.Fatal(err)
	}
	p.Mobile = "+86-13800004321"
	if err := d.UpdateAccount(t.Context(), "E1", directory.Profile{Set: directory.FieldMobile, Mobile: p.Mobile}); err != nil {
		t.Fatal(err)
	}
	differs(directory.FieldAttributes | directory.FieldMobile)
}

func TestTokenThatExpiredIsRenewed(t *testing.T) {
	for name, c := range map[string]struct {
		ours    bool // our clock moves too
		refused int
	}{
		"before it is refused":             {ours: true, refused: 0},
		"when it is refused (clock wrong)": {ours: false, refused: 1},
	} {
		t.Run(name, func(t *testing.T) {
			co := newCompany(t)
			if !c.ours {
				start := co.core.Clock.Now()
				co.now = func() time.Time { return start }
			}
			d := co.open(t, co.spec.SyncSecret, co.spec.Apps[0].Secret)
			for range 2 {
				if _, err := d.Account(t.Context(), "creator"); err != nil {
					t.Fatal(err)
				}
				co.core.Clock.Advance(3 * time.Hour)
			}
			if n := len(co.core.Log.Entries(core.Query{Code: "42001"})); n != c.refused {
				t.Errorf("%d calls were refused, want %d", n, c.refused)
			}
		})
	}
}

func TestUnknownManager(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret)
	err := d.UpdateAccount(t.Context(), "creator", directory.Profile{Set: directory.FieldManager, Manager: "nobody"})
	if class := directory.ClassOf(err); class == directory.NotFound {
		t.Errorf("a manager who is unknown is no reason to think the person is: %v", err)
	}
}

func TestStaleReadIsDriftNotAnError(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret)
	c.fault(t, core.Fault{Kind: core.KindStale}, "user/get")
	p := directory.Profile{Set: directory.FieldTitle, Title: "总监"}
	if err := d.UpdateAccount(t.Context(), "creator", p); err != nil {
		t.Fatal(err)
	}
	a, err := d.Account(t.Context(), "creator")
	if err != nil {
		t.Fatal(err)
	}
	if differ, _ := directory.Differ(&p, &a.Profile); differ != directory.FieldTitle {
		t.Errorf("differs in %q, want title", differ)
	}
}

// onPlatform is the member as the platform keeps it.
func (c *company) onPlatform(t *testing.T, id string) string {
	t.Helper()
	members, err := c.platform.Objects(c.spec.Name, "users")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"userid":"`+id+`"`) {
			return string(text)
		}
	}
	t.Fatalf("nobody has the id %s", id)
	return ""
}

func TestP2FrozenFromTheFirstMoment(t *testing.T) {
	c := newCompany(t)
	d, ok := c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret).(directory.FrozenCreator)
	if !ok {
		t.Fatal("accounts cannot begin frozen")
	}
	p := directory.Profile{Set: directory.FieldName | directory.FieldMobile, Name: "张三", Mobile: "+86-13800001234"}
	if state, err := d.CreateFrozen(t.Context(), "E1", directory.Ordinary, p); err != nil || state != directory.Frozen {
		t.Fatalf("%q, %v", state, err)
	}
	if text := c.onPlatform(t, "E1"); !strings.Contains(text, `"enable":0`) || !strings.Contains(text, `"invitations":0`) {
		t.Errorf("usable, or invited: %s", text)
	}
	// Whoever is thawed is not invited either: a restore can make people again without a message to each.
	if err := d.(directory.Freezer).Unfreeze(t.Context(), "E1", ""); err != nil {
		t.Fatal(err)
	}
	if text := c.onPlatform(t, "E1"); !strings.Contains(text, `"enable":1`) || !strings.Contains(text, `"invitations":0`) {
		t.Errorf("not usable, or invited: %s", text)
	}
	if _, err := c.open(t, c.spec.SyncSecret, "").CreateAccount(t.Context(), "E2", directory.Ordinary,
		directory.Profile{Set: p.Set, Name: "李四", Mobile: "+86-13800004321"}); err != nil {
		t.Fatal(err)
	}
	if text := c.onPlatform(t, "E2"); !strings.Contains(text, `"invitations":1`) {
		t.Errorf("who is created to be used is invited: %s", text)
	}
}
