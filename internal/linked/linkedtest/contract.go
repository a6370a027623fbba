package linkedtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// Peer is a system under test, with what the contract has to know of the peer behind it.
type Peer struct {
	System linked.System
	// Base are attributes that every new account has to have there, by the names of the mapping.
	Base map[string][]string
	// Attributes are two or more names that are written and read, each with a single value,
	// that no account has to have.
	Attributes []string
	// Join makes the account a member of a group; nil where the peer has none.
	Join func(t *testing.T, id string)
	// SignsIn tries to sign in with the account, or asks the peer itself whether it can be used; nil where
	// neither can be done.
	SignsIn func(t *testing.T, id, login string) bool
	// Renew gives the account a new password, as a person has to where disabling takes the old one; nil where it does not.
	Renew func(t *testing.T, id string)
	// Secrets may not show in an error.
	Secrets []string
}

// Contract runs what every system keeps. open makes a fresh peer with nobody in it but the given number of strangers (they make a
// listing more than one page long), and cleans up with t.Cleanup.
func Contract(t *testing.T, open func(t *testing.T, strangers int) Peer) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			s := &suite{Peer: open(t, c.strangers)}
			caps, err := s.System.Discover(t.Context())
			if err != nil {
				t.Fatalf("Discover: %v", err)
			}
			s.caps = caps
			c.test(t, s)
		})
	}
}

var contract = []struct {
	name      string
	strangers int
	test      func(*testing.T, *suite)
}{
	{"it says what it is", 0, describes},
	{"what is created is read back", 0, creates},
	{"P3: a login is given once, and nothing is made twice", 0, once},
	{"nobody is found who was not asked for", 3, finds},
	{"a listing has everybody, each once", 7, lists},
	{"an update writes what is declared and nothing else", 0, updates},
	{"an empty list takes an attribute away", 0, clears},
	{"an account keeps its id when its login changes", 0, renames},
	{"P9: who is disabled cannot sign in, and can again when enabled", 0, disables},
	{"unlinking takes an account out of its groups, and it comes back when enabled", 0, unlinks},
	{"what is deleted is gone", 0, deletes},
	{"P5: what is not there is NotFound, and nothing else is", 2, absent},
	{"P9: residuals are found, and none where there are none", 0, residuals},
	{"a call ends with its context", 0, cancelled},
}

// suite is one subtest's peer, and the words that the contract is written in.
type suite struct {
	Peer
	caps linked.Capabilities
}

// Invented personal data; none of it may show in an error.
func login(n int) string  { return fmt.Sprintf("liu.ruyan%d", n) }
func number(n int) string { return fmt.Sprintf("N%05d", n) }

func order(act string, n int) linked.Order {
	return linked.Order{Key: fmt.Sprintf("contract-%s-%d", act, n), Reason: "the contract"}
}

func (s *suite) wish(n int) linked.Wish {
	w := linked.Wish{Login: login(n), Number: number(n), Attributes: maps.Clone(s.Base)}
	if w.Attributes == nil {
		w.Attributes = map[string][]string{}
	}
	for i, name := range s.Attributes {
		w.Attributes[name] = []string{fmt.Sprintf("甲%d-%d", n, i)}
	}
	return w
}

func (s *suite) create(t *testing.T, n int) linked.Account {
	t.Helper()
	a, err := s.System.Create(t.Context(), s.wish(n), order("create", n))
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	if a.ID == "" {
		t.Fatal("Create returned an account without an id")
	}
	return a
}

// read reads an account; ok is false where the system reads nothing.
func (s *suite) read(t *testing.T, id string) (a linked.Account, ok bool) {
	t.Helper()
	a, err := s.System.Account(t.Context(), id)
	if !s.caps.Reads {
		s.fails(t, "Account", err, directory.NotSupported)
		return a, false
	}
	if err != nil {
		t.Fatalf("Account: %v", err)
	}
	if a.ID != id {
		t.Errorf("asked for the account %q and got %q", id, a.ID)
	}
	if a.Enabled && a.Parked {
		t.Errorf("the account %q is enabled and parked", id)
	}
	return a, true
}

func (s *suite) do(t *testing.T, doing string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", doing, err)
	}
}

// fails fails unless err has one of the classes and is fit to be shown (P12).
func (s *suite) fails(t *testing.T, doing string, err error, classes ...directory.Class) {
	t.Helper()
	if !slices.Contains(classes, directory.ClassOf(err)) {
		t.Errorf("%s: got %v (class %q), want class %v", doing, err, directory.ClassOf(err), classes)
	}
	if err == nil {
		return
	}
	if _, ok := errors.AsType[*directory.Error](err); !ok {
		t.Errorf("%s: %v is no *directory.Error", doing, err)
	}
	for _, private := range append([]string{"ruyan", "甲"}, s.Secrets...) {
		if strings.Contains(err.Error(), private) {
			t.Errorf("%s: the error tells %q: %v", doing, private, err)
		}
	}
}

func (s *suite) signsIn(t *testing.T, a linked.Account, want bool) {
	t.Helper()
	if s.SignsIn == nil {
		return
	}
	if got := s.SignsIn(t, a.ID, a.Login); got != want {
		t.Errorf("signing in works: %t, want %t", got, want)
	}
}

// enable enables, and lets a person do first what they have to: until then it is refused, and nobody can sign in.
func (s *suite) enable(t *testing.T, a linked.Account, n int) {
	t.Helper()
	if s.Renew != nil {
		s.fails(t, "Enable without a new password", s.System.Enable(t.Context(), a.ID, order("enable-early", n)), directory.NotSupported)
		s.enabled(t, a.ID, false)
		s.signsIn(t, a, false)
		s.Renew(t, a.ID)
	}
	s.do(t, "Enable", s.System.Enable(t.Context(), a.ID, order("enable", n)))
}

func (s *suite) enabled(t *testing.T, id string, want bool) {
	t.Helper()
	if a, ok := s.read(t, id); ok && a.Enabled != want {
		t.Errorf("the account is enabled: %t, want %t", a.Enabled, want)
	}
}

func (s *suite) has(t *testing.T, id string, want map[string][]string) {
	t.Helper()
	a, ok := s.read(t, id)
	if !ok {
		return
	}
	for name, values := range want {
		if have := a.Attributes[name]; !slices.Equal(have, values) {
			t.Errorf("the attribute %s is %q, want %q", name, have, values)
		}
	}
}

func describes(t *testing.T, s *suite) {
	if !slices.Contains([]string{"SCIM", "LDAP", "Webhook"}, s.caps.Protocol) {
		t.Errorf("the protocol is %q", s.caps.Protocol)
	}
	if !s.caps.Creates || !s.caps.Updates || !s.caps.Disables || !s.caps.Enables || !s.caps.Deletes {
		t.Errorf("a peer of the contract does everything: %+v", s.caps)
	}
	if s.caps.Lists && !s.caps.Reads {
		t.Error("it lists, and cannot be read")
	}
}

func creates(t *testing.T, s *suite) {
	made := s.create(t, 1)
	w := s.wish(1)
	s.has(t, made.ID, w.Attributes)
	a, ok := s.read(t, made.ID)
	if !ok {
		return
	}
	if !a.Enabled || a.Parked {
		t.Errorf("a new account is enabled: %+v", a)
	}
	if !strings.EqualFold(a.Login, w.Login) {
		t.Errorf("the login is %q", a.Login)
	}
	if a.Number != "" && a.Number != w.Number {
		t.Errorf("the number is %q", a.Number)
	}
	for _, by := range []linked.Wish{{Number: w.Number}, {Login: w.Login}, w} {
		found, err := s.System.Find(t.Context(), by.Number, by.Login)
		if err != nil {
			t.Fatalf("Find: %v", err)
		}
		if by.Login == "" && a.Number == "" {
			continue // it tells no numbers
		}
		if len(found) != 1 || found[0].ID != made.ID {
			t.Errorf("by number %q and login %q it finds %+v", by.Number, by.Login, found)
		}
	}
}

func once(t *testing.T, s *suite) {
	made := s.create(t, 1)
	again := s.wish(2)
	again.Login = login(1)
	_, err := s.System.Create(t.Context(), again, order("create", 2))
	s.fails(t, "creating with a login that is taken", err, directory.AlreadyExists)
	s.has(t, made.ID, s.wish(1).Attributes)
	if !s.caps.Lists {
		return
	}
	if n := len(s.all(t)); n != 1 {
		t.Errorf("there are %d accounts", n)
	}
}

func (s *suite) all(t *testing.T) map[string]linked.Account {
	t.Helper()
	all := map[string]linked.Account{}
	err := s.System.List(t.Context(), func(a linked.Account) error {
		if _, twice := all[a.ID]; twice {
			t.Errorf("the account %q is listed twice", a.ID)
		}
		all[a.ID] = a
		return nil
	})
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	return all
}

func finds(t *testing.T, s *suite) {
	s.create(t, 1)
	for _, by := range []linked.Wish{
		{Number: number(9), Login: login(9)}, {Login: "liu"}, {Login: "*"}, {Number: "N0000"}, {Login: login(1) + ")(uid=*"}, {Login: `x" or userName pr or userName eq "`},
	} {
		found, err := s.System.Find(t.Context(), by.Number, by.Login)
		if !s.caps.Reads && err != nil {
			s.fails(t, "Find", err, directory.NotSupported)
			return
		}
		if err != nil || len(found) != 0 {
			t.Errorf("by number %q and login %q it finds %+v, %v", by.Number, by.Login, found, err)
		}
	}
}

func lists(t *testing.T, s *suite) {
	if !s.caps.Lists {
		s.fails(t, "List", s.System.List(t.Context(), func(linked.Account) error { return nil }), directory.NotSupported)
		return
	}
	first, second := s.create(t, 1), s.create(t, 2)
	s.do(t, "Disable", s.System.Disable(t.Context(), second.ID, order("disable", 2)))
	all := s.all(t)
	if len(all) < 2 {
		t.Fatalf("%d accounts are listed", len(all))
	}
	for _, id := range []string{first.ID, second.ID} {
		read, _ := s.read(t, id)
		listed := all[id]
		if listed.Login != read.Login || listed.Enabled != read.Enabled || !maps.EqualFunc(listed.Attributes, read.Attributes, slices.Equal[[]string]) {
			t.Errorf("listed as %+v, read as %+v", listed, read)
		}
	}
	stop, seen := errors.New("enough"), 0
	err := s.System.List(t.Context(), func(linked.Account) error { seen++; return stop })
	if !errors.Is(err, stop) || seen != 1 {
		t.Errorf("an error ends a listing: %v after %d", err, seen)
	}
}

func updates(t *testing.T, s *suite) {
	made, want := s.create(t, 1), s.wish(1).Attributes
	name := s.Attributes[0]
	want[name] = []string{"乙"}
	s.do(t, "Update", s.System.Update(t.Context(), made.ID, linked.Wish{Attributes: map[string][]string{name: {"乙"}}}, order("update", 1)))
	s.has(t, made.ID, want)
	if a, ok := s.read(t, made.ID); ok && (!strings.EqualFold(a.Login, login(1)) || !a.Enabled) {
		t.Errorf("an update of an attribute made of it %+v", a)
	}
}

func clears(t *testing.T, s *suite) {
	made, want := s.create(t, 1), s.wish(1).Attributes
	name := s.Attributes[1]
	s.do(t, "Update", s.System.Update(t.Context(), made.ID, linked.Wish{Attributes: map[string][]string{name: {}}}, order("clear", 1)))
	want[name] = nil
	s.has(t, made.ID, want)
	if a, ok := s.read(t, made.ID); ok {
		if _, there := a.Attributes[name]; there {
			t.Errorf("an attribute that is not there is among %v", a.Attributes)
		}
	}
	// Taking away what is not there is no error.
	s.do(t, "Update again", s.System.Update(t.Context(), made.ID, linked.Wish{Attributes: map[string][]string{name: {}}}, order("clear", 2)))
}

func renames(t *testing.T, s *suite) {
	made, want := s.create(t, 1), s.wish(1).Attributes
	s.do(t, "Update", s.System.Update(t.Context(), made.ID, linked.Wish{Login: login(8)}, order("rename", 1)))
	s.has(t, made.ID, want)
	if a, ok := s.read(t, made.ID); ok && !strings.EqualFold(a.Login, login(8)) {
		t.Errorf("the login is %q", a.Login)
	}
}

func disables(t *testing.T, s *suite) {
	made := s.create(t, 1)
	s.signsIn(t, made, true)
	for n := range 2 { // both are idempotent
		s.do(t, "Disable", s.System.Disable(t.Context(), made.ID, order("disable", n)))
		if s.caps.DisableRemoves {
			_, err := s.System.Account(t.Context(), made.ID)
			s.fails(t, "Account after a disabling that removes", err, directory.NotFound)
			return
		}
		s.enabled(t, made.ID, false)
		s.signsIn(t, made, false)
	}
	s.has(t, made.ID, s.wish(1).Attributes)
	s.enable(t, made, 0)
	s.enabled(t, made.ID, true)
	s.do(t, "Enable again", s.System.Enable(t.Context(), made.ID, order("enable", 1)))
	s.enabled(t, made.ID, true)
	s.signsIn(t, made, true)
}

func unlinks(t *testing.T, s *suite) {
	made, other := s.create(t, 1), s.create(t, 2)
	if s.Join != nil {
		s.Join(t, made.ID)
		s.Join(t, other.ID)
	}
	s.do(t, "Disable", s.System.Disable(t.Context(), made.ID, order("disable", 1)))
	for n := range 2 {
		s.do(t, "Unlink", s.System.Unlink(t.Context(), made.ID, order("unlink", n)))
		a, ok := s.read(t, made.ID)
		if ok && (a.Enabled || !a.Parked || len(a.Groups) > 0) {
			t.Errorf("after it was unlinked it is %+v", a)
		}
	}
	if a, ok := s.read(t, other.ID); ok {
		if !a.Enabled {
			t.Error("somebody else was disabled")
		}
		if s.Join != nil && s.caps.Groups && len(a.Groups) == 0 {
			t.Error("somebody else was taken out of the group")
		}
	}
	s.enable(t, made, 1)
	if a, ok := s.read(t, made.ID); ok && (!a.Enabled || a.Parked) {
		t.Errorf("after it was enabled again it is %+v", a)
	}
}

func deletes(t *testing.T, s *suite) {
	made, other := s.create(t, 1), s.create(t, 2)
	s.do(t, "Delete", s.System.Delete(t.Context(), made.ID, order("delete", 1)))
	s.has(t, other.ID, s.wish(2).Attributes)
	if !s.caps.Reads {
		return
	}
	s.fails(t, "Delete again", s.System.Delete(t.Context(), made.ID, order("delete", 2)), directory.NotFound)
	_, err := s.System.Account(t.Context(), made.ID)
	s.fails(t, "Account", err, directory.NotFound)
	if found, err := s.System.Find(t.Context(), number(1), login(1)); err != nil || len(found) > 0 {
		t.Errorf("it finds %+v, %v", found, err)
	}
}

func absent(t *testing.T, s *suite) {
	if !s.caps.Reads {
		return
	}
	gone := s.create(t, 1)
	s.do(t, "Delete", s.System.Delete(t.Context(), gone.ID, order("delete", 1)))
	_, err := s.System.Account(t.Context(), gone.ID)
	s.fails(t, "Account", err, directory.NotFound)
	name := s.Attributes[0]
	s.fails(t, "Update", s.System.Update(t.Context(), gone.ID, linked.Wish{Attributes: map[string][]string{name: {"乙"}}}, order("update", 1)), directory.NotFound)
	s.fails(t, "Disable", s.System.Disable(t.Context(), gone.ID, order("disable", 1)), directory.NotFound)
	s.fails(t, "Enable", s.System.Enable(t.Context(), gone.ID, order("enable", 1)), directory.NotFound)
	s.fails(t, "Unlink", s.System.Unlink(t.Context(), gone.ID, order("unlink", 1)), directory.NotFound)
}

func residuals(t *testing.T, s *suite) {
	if !s.caps.Reads {
		return
	}
	left := func(id string, deleted bool) []string {
		t.Helper()
		words, err := s.System.Residuals(t.Context(), id, deleted)
		if err != nil {
			t.Fatalf("Residuals: %v", err)
		}
		for _, w := range words {
			if strings.Contains(w, "ruyan") || strings.Contains(w, number(1)) {
				t.Errorf("a residual tells who it is: %q", w)
			}
		}
		return words
	}
	made := s.create(t, 1)
	if s.Join != nil {
		s.Join(t, made.ID)
	}
	if len(left(made.ID, false)) == 0 {
		t.Error("an account that is enabled is no residual")
	}
	s.do(t, "Disable", s.System.Disable(t.Context(), made.ID, order("disable", 1)))
	if s.Join != nil && s.caps.Groups && len(left(made.ID, false)) == 0 {
		t.Error("a membership is no residual")
	}
	s.do(t, "Unlink", s.System.Unlink(t.Context(), made.ID, order("unlink", 1)))
	if words := left(made.ID, false); len(words) > 0 {
		t.Errorf("what was unlinked has residuals: %q", words)
	}
	if len(left(made.ID, true)) == 0 {
		t.Error("an account that is to be gone, and is there, is no residual")
	}
	s.do(t, "Delete", s.System.Delete(t.Context(), made.ID, order("delete", 1)))
	if words := left(made.ID, true); len(words) > 0 {
		t.Errorf("what was deleted has residuals: %q", words)
	}
}

func cancelled(t *testing.T, s *suite) {
	made := s.create(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.System.Disable(ctx, made.ID, order("disable", 1)); err == nil {
		t.Error("Disable did not end with its context")
	}
	s.enabled(t, made.ID, true)
	if _, err := s.System.Account(ctx, made.ID); err == nil {
		t.Error("Account did not end with its context")
	}
}
