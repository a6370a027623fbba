package linked_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
)

func mirrored(t *testing.T, change func(*linked.Capabilities)) (*linkedtest.Fake, *linked.Mirror) {
	t.Helper()
	caps := linkedtest.Able()
	if change != nil {
		change(&caps)
	}
	f := linkedtest.NewFake(caps)
	f.Place(linked.Account{ID: "a", Login: "Ann", Number: "N1", Enabled: true})
	f.Place(linked.Account{ID: "b", Login: "bob", Enabled: true})
	return f, linked.NewMirror(time.Now)
}

func refresh(t *testing.T, f *linkedtest.Fake, m *linked.Mirror, ids ...string) linked.Changes {
	t.Helper()
	c, err := m.Refresh(t.Context(), f, ids)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(c.Accounts)
	return c
}

func TestAMirrorShowsWhatChanged(t *testing.T) {
	f, m := mirrored(t, nil)
	if c := refresh(t, f, m); !c.First || !slices.Equal(c.Accounts, []string{"a", "b"}) {
		t.Errorf("first %+v", c)
	}
	if c := refresh(t, f, m); c.First || c.New || len(c.Accounts) > 0 {
		t.Errorf("nothing changed: %+v", c)
	}
	f.Change("a", func(a *linked.Account) { a.Enabled = false })
	if c := refresh(t, f, m); c.New || !slices.Equal(c.Accounts, []string{"a"}) {
		t.Errorf("one was disabled: %+v", c)
	}
	f.Place(linked.Account{ID: "c", Login: "cai"})
	f.Take("b")
	if c := refresh(t, f, m); !c.New || !slices.Equal(c.Accounts, []string{"b", "c"}) {
		t.Errorf("one came and one went: %+v", c)
	}
	if m.Account("b") != nil || m.Absent("b") {
		t.Error("P5: what a listing lacks is not known, and not proven absent")
	}
	for _, by := range [][2]string{{"n1", "x"}, {"", "ANN"}, {"N9", "ann"}} {
		if found := m.Candidates(by[0], by[1]); len(found) != 1 || found[0].ID != "a" {
			t.Errorf("candidates %v: %+v", by, found)
		}
	}
	if len(f.Calls("Discover")) != 1 || len(f.Calls("Account")) > 0 {
		t.Errorf("P13: pages, not people: %v", f.Calls())
	}
}

// What is read directly is newer than a listing that began before; what is written to is in doubt until it is read.
func TestAMirrorBelievesTheLaterWord(t *testing.T) {
	f, m := mirrored(t, nil)
	refresh(t, f, m)
	f.Next("List", linkedtest.Fault{Accounts: func(all []linked.Account) []linked.Account {
		m.Put(linked.Account{ID: "a", Login: "Ann", Number: "N1"}) // read while the listing goes on, and disabled
		m.Put(linked.Account{ID: "d", Login: "dan"})
		m.Forget("b")
		return all
	}})
	refresh(t, f, m)
	if a := m.Account("a"); a == nil || a.Enabled {
		t.Errorf("a is %+v", a)
	}
	if m.Account("b") != nil || !m.Absent("b") {
		t.Error("b is there again")
	}
	if m.Account("d") == nil {
		t.Error("d, who was read since, is forgotten")
	}
	m.Doubt("a")
	if refresh(t, f, m); !m.Doubtful("a") {
		t.Error("a listing ends no doubt")
	}
	if m.Put(linked.Account{ID: "a"}); m.Doubtful("a") {
		t.Error("a reading ends it")
	}
}

func TestP5AListingIsNotBelieved(t *testing.T) {
	var endless []linked.Account // whose values are one here, and would be many from a system
	value := strings.Repeat("x", 120<<10)
	for i := range 1100 {
		endless = append(endless, linked.Account{ID: fmt.Sprint(i), Attributes: map[string][]string{"title": {value}}})
	}
	for name, fault := range map[string]linkedtest.Fault{
		"that is empty":            {Accounts: func([]linked.Account) []linked.Account { return nil }},
		"that has no ids":          {Accounts: func(all []linked.Account) []linked.Account { all[0].ID = ""; return all }},
		"that contradicts itself":  {Accounts: func(all []linked.Account) []linked.Account { b := all[0]; b.Login = "eve"; return append(all, b) }},
		"that fills the memory":    {Accounts: func([]linked.Account) []linked.Account { return endless }},
		"that ends in the middle":  {Happens: true, Err: linkedtest.Refused(directory.Unavailable).Err},
		"that is refused at first": linkedtest.Refused(directory.PermissionDenied),
	} {
		t.Run(name, func(t *testing.T) {
			f, m := mirrored(t, nil)
			refresh(t, f, m)
			f.Next("List", fault)
			if _, err := m.Refresh(t.Context(), f, []string{"a"}); err == nil {
				t.Error("it was believed")
			}
			if m.Account("a") == nil || m.Account("b") == nil || m.State().Err == nil || !m.State().Read {
				t.Errorf("what was known is lost: %+v", m.State())
			}
		})
	}
	f := linkedtest.NewFake(linkedtest.Able())
	if _, err := linked.NewMirror(time.Now).Refresh(t.Context(), f, nil); err != nil {
		t.Errorf("a system that is new is empty: %v", err)
	}
}

func TestWhereNobodyIsListedThoseWhoAreLinkedAreRead(t *testing.T) {
	f, m := mirrored(t, func(c *linked.Capabilities) { c.Lists = false })
	if c := refresh(t, f, m, "a"); !c.First || !slices.Equal(c.Accounts, []string{"a"}) || m.Account("b") != nil {
		t.Errorf("first %+v", c)
	}
	f.Take("a")
	if c := refresh(t, f, m, "a"); !slices.Equal(c.Accounts, []string{"a"}) || !m.Absent("a") {
		t.Errorf("gone: %+v", c)
	}
	f.Place(linked.Account{ID: "a", Login: "Ann"})
	f.Next("Account", linkedtest.Refused(directory.Invalid))
	if _, err := m.Refresh(t.Context(), f, []string{"a", "b"}); err == nil || m.Account("b") == nil {
		t.Errorf("P11: one bad person stops the others: %v", err)
	}
	f.Next("Account", linkedtest.Refused(directory.Unavailable))
	before := len(f.Calls("Account"))
	if _, err := m.Refresh(t.Context(), f, []string{"a", "b"}); err == nil || len(f.Calls("Account")) != before+1 {
		t.Errorf("a system that is down is asked for everybody: %v", err)
	}
	blind, m := mirrored(t, func(c *linked.Capabilities) { c.Lists, c.Reads = false, false })
	if refresh(t, blind, m, "a"); len(blind.Calls("Account", "List")) > 0 || !m.State().Read {
		t.Error("what cannot be read is read")
	}
}

// An account that the system fails on keeps nobody else unread, whichever is asked for first; and it is not taken to be absent.
func TestP11OneAccountThatCannotBeReadKeepsNobodyElseUnread(t *testing.T) {
	f, m := mirrored(t, func(c *linked.Capabilities) { c.Lists = false })
	bad := linkedtest.Refused(directory.Unavailable)
	f.Next("Account", bad) // a, who is asked for first
	if _, err := m.Refresh(t.Context(), f, []string{"a", "b"}); err == nil || m.State().Read {
		t.Fatalf("a system that answered for nobody is read: %v", err)
	}
	f.Next("Account", linkedtest.Fault{}, bad) // now b is asked for first
	if c, err := m.Refresh(t.Context(), f, []string{"a", "b"}); err == nil || !m.State().Read || !c.First || m.Account("b") == nil {
		t.Errorf("nobody was read, because of one: %v, %+v", err, m.State())
	}
	if m.Account("a") != nil || m.Absent("a") || m.State().Err == nil {
		t.Error("P5: who was not answered for is taken to be known")
	}
	if refresh(t, f, m, "a", "b"); m.Account("a") == nil || m.State().Err != nil {
		t.Error("who is well again is not read")
	}
	calls := len(f.Calls("Account"))
	f.Next("Account", linkedtest.Fault{}, bad, bad, bad)
	if _, err := m.Refresh(t.Context(), f, []string{"a", "b", "c", "d", "e", "f"}); err == nil || len(f.Calls("Account")) != calls+4 {
		t.Error("a system that has stopped to answer is asked for everybody")
	}
}

// An answer about somebody else is not taken for the one who was asked for.
func TestAnAnswerForAnotherIsRefused(t *testing.T) {
	f, m := mirrored(t, nil)
	f.Next("Account", linkedtest.Fault{Accounts: func(all []linked.Account) []linked.Account { all[0].ID = "b"; return all }})
	if _, err := linked.ReadAccount(t.Context(), f, m, "a"); directory.ClassOf(err) != directory.Unavailable || m.Account("b") != nil || m.Absent("a") {
		t.Errorf("believed: %v", err)
	}
}

func TestWhoWasSoughtIsSoughtAgain(t *testing.T) {
	f, m := mirrored(t, nil)
	refresh(t, f, m)
	if m.Sought("N1", "ann") {
		t.Error("nobody was asked for")
	}
	m.Seek("N1", "ann", []linked.Account{{ID: "z", Login: "Ann", Number: "N1"}})
	if !m.Sought("n1", "Ann") || m.Account("z") == nil {
		t.Error("what was asked is forgotten")
	}
	if m.Unseek("N1", "ann"); m.Sought("N1", "ann") {
		t.Error("after a creation it has to be asked again")
	}
	m.Seek("N1", "ann", nil)
	if refresh(t, f, m); m.Sought("N1", "ann") {
		t.Error("after a reading it has to be asked again")
	}
}

// P11: what is too large to be kept differs from whatever is declared, and whether somebody can sign in stays known.
func TestP11OfALargeAccountNotAllIsKept(t *testing.T) {
	f, m := mirrored(t, nil)
	large := linked.Account{ID: "a", Login: "Ann", Number: "N1", Enabled: true, Attributes: map[string][]string{
		"title": {"Engineer"}, "bio": {strings.Repeat("x", 1<<20)}, "tags": slices.Repeat([]string{"y"}, 1<<20),
	}}
	for i := range 10_000 {
		large.Groups = append(large.Groups, fmt.Sprintf("%0100d", i))
	}
	f.Place(large)
	for name, see := range map[string]func(){"listed": func() { refresh(t, f, m) }, "read": func() { m.Put(large) }} {
		see()
		a := m.Account("a")
		size := len(strings.Join(a.Groups, "")) + len(strings.Join(a.Attributes["bio"], "")) + len(strings.Join(a.Attributes["tags"], ""))
		if !a.Enabled || a.Login != "Ann" || len(a.Groups) == 0 || size > 128<<10 {
			t.Errorf("%s: kept %d bytes, enabled %t, in %d groups", name, size, a.Enabled, len(a.Groups))
		}
		if linked.SameValues(a.Attributes["bio"], large.Attributes["bio"]) || len(a.Attributes["bio"]) == 0 {
			t.Errorf("%s: what is not kept is taken for nothing, or for what is declared", name)
		}
	}
	for i := range 200 { // more than is kept of a system, if all of it were
		f.Place(linked.Account{ID: fmt.Sprint("n", i), Attributes: map[string][]string{"bio": large.Attributes["bio"]}})
	}
	if refresh(t, f, m); m.State().Accounts != 202 {
		t.Errorf("%d accounts are kept", m.State().Accounts)
	}
	if len(large.Groups) != 10_000 || len(large.Attributes["bio"][0]) != 1<<20 {
		t.Error("the account of the caller was changed")
	}
	large.Groups, large.Attributes["bio"], large.Attributes["tags"] = nil, []string{"x"}, nil
	if m.Put(large); !slices.Equal(m.Account("a").Attributes["title"], []string{"Engineer"}) {
		t.Error("what is small enough is not kept")
	}
}
