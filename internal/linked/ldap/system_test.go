package ldap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/linked"
)

func TestP3WhatIsCreatedIsReadBackByItsID(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	w := wish("zhang.san")
	w.Attributes["title"] = []string{"Chief", "Founder"}
	w.Attributes["description"] = []string{""} // empty values are none
	made, err := sys.Create(t.Context(), w, order)
	if err != nil {
		t.Fatal(err)
	}
	if ids := s.get(person("zhang.san"), "entryUUID"); !slices.Equal(ids, []string{made.ID}) {
		t.Errorf("id %q, want %v", made.ID, ids)
	}
	read, err := sys.Account(t.Context(), strings.ToUpper(made.ID))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(read.Attributes["title"])
	for _, a := range []linked.Account{made, read} {
		if a.ID != made.ID || a.Login != "zhang.san" || a.Number != "N-zhang.san" || !a.Enabled || a.Parked || len(a.Groups) != 0 || len(a.Attributes["title"]) != 2 {
			t.Errorf("read %+v", a)
		}
		if _, there := a.Attributes["description"]; there {
			t.Error("an attribute that the account lacks is among those read")
		}
	}
	if has := s.get(person("zhang.san"), "userPassword"); len(has) != 0 {
		t.Error("a password was set")
	}
}

func TestP4ATakenNameSaysWhoseItIsAndIsNotAdopted(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a := create(t, s, sys, "li.si")
	before := s.get(person("li.si"), "entryCSN")
	holder := func(err error) string {
		if e, ok := errors.AsType[*directory.Error](err); ok {
			return e.Holder
		}
		return ""
	}
	_, err := sys.Create(t.Context(), wish("li.si"), order)
	wants(t, err, directory.AlreadyExists, "the same employee number")
	if holder(err) != a.ID {
		t.Errorf("held by %q, want %q", holder(err), a.ID)
	}
	other := wish("li.si")
	other.Number = "N-2"
	_, err = sys.Create(t.Context(), other, order)
	wants(t, err, directory.AlreadyExists, "another employee number")
	s.set(person("li.si"), "employeeNumber")
	_, err = sys.Create(t.Context(), other, order)
	wants(t, err, directory.AlreadyExists, "without an employee number")
	s.set(person("li.si"), "employeeNumber", "N-li.si")

	taken := wish("li.si.2")
	taken.Attributes["mail"] = []string{"li.si@corp.example"}
	_, err = sys.Create(t.Context(), taken, order)
	wants(t, err, directory.Conflict, "unique")
	if strings.Contains(err.Error(), "corp.example") {
		t.Errorf("P12: the address is in %q", err)
	}
	if after := s.get(person("li.si"), "entryCSN"); slices.Equal(before, after) {
		t.Error("the administrator's change did not show: the test tests nothing")
	}
	if s.exists(person("li.si.2")) {
		t.Error("created all the same")
	}
}

func TestP12RefusedValuesAreToldByNameOfTheirAttributeOnly(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options(), func(l *linked.Settings) { l.Attributes = append(l.Attributes, "noSuchThing", "manager", "seeAlso") })
	for name, c := range map[string]struct {
		change func(map[string][]string)
		words  string
	}{
		"missing":   {func(a map[string][]string) { delete(a, "sn") }, "sn"},
		"undefined": {func(a map[string][]string) { a["noSuchThing"] = []string{"secret value"} }, "noSuchThing"},
		"syntax":    {func(a map[string][]string) { a["manager"] = []string{"secret value"} }, "manager"},
		"unmapped":  {func(a map[string][]string) { a["userPassword"] = []string{"secret value"} }, "not in the mapping"},
	} {
		w := wish("wang.wu")
		c.change(w.Attributes)
		_, err := sys.Create(t.Context(), w, order)
		wants(t, err, directory.Invalid, c.words)
		if strings.Contains(err.Error(), "secret value") || strings.Contains(err.Error(), "wang.wu") {
			t.Errorf("%s: P12: values are in %q", name, err)
		}
	}
	for _, login := range []string{"", " ", "a\x00b", "a\nb", "\xff", " a", strings.Repeat("x", 257)} {
		w := wish("x")
		w.Login = login
		_, err := sys.Create(t.Context(), w, order)
		wants(t, err, directory.Invalid)
	}
}

// hard are logins with everything that DNs and filters make something else of.
var hard = []string{`o'neil, x`, `a+b`, `a"b`, `back\slash`, `#hash`, `semi;colon`, `less<more>`, `paren)(uid=*`, `star*`, `张三`, `équal=sign`, `a  b`}

func TestHardNames(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	ids := map[string]string{}
	for i, login := range hard {
		w := wish(fmt.Sprint("hard", i))
		w.Login, w.Number = login, "N("+login+")"
		a, err := sys.Create(t.Context(), w, order)
		if err != nil {
			t.Fatalf("%q: %v", login, err)
		}
		if a.Login != login {
			t.Errorf("%q became %q", login, a.Login)
		}
		ids[login] = a.ID
	}
	for _, login := range hard {
		for _, found := range [][2]string{{"", login}, {"N(" + login + ")", ""}} {
			all, err := sys.Find(t.Context(), found[0], found[1])
			if err != nil || len(all) != 1 || all[0].ID != ids[login] {
				t.Errorf("%q: found %v, %v", login, all, err)
			}
		}
		wants(t, sys.Disable(t.Context(), ids[login], order), "")
		wants(t, sys.Unlink(t.Context(), ids[login], order), "")
		if a, err := sys.Account(t.Context(), ids[login]); err != nil || !a.Parked || a.Login != login {
			t.Errorf("%q: unlinked %+v, %v", login, a, err)
		}
		wants(t, sys.Enable(t.Context(), ids[login], order), "")
		wants(t, sys.Delete(t.Context(), ids[login], order), "")
	}
	for _, everybody := range []string{"*", "paren)(uid=*", "*)(objectClass=*"} {
		if all, err := sys.Find(t.Context(), everybody, everybody); err != nil || len(all) != 0 {
			t.Errorf("%q finds %v, %v", everybody, all, err)
		}
	}
}

func TestFindComparesAndPrefersTheNumber(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a, b := create(t, s, sys, "a"), create(t, s, sys, "b")
	all, err := sys.Find(t.Context(), "N-b", "a")
	if err != nil || len(all) != 2 || all[0].ID != b.ID || all[1].ID != a.ID {
		t.Errorf("found %v, %v", all, err)
	}
	wants(t, sys.Unlink(t.Context(), b.ID, order), "")
	if _, parked := account(t, sys, b.ID); parked {
		t.Error("parked while somebody can sign in")
	}
	wants(t, sys.Disable(t.Context(), b.ID, order), "")
	if all, err := sys.Find(t.Context(), "n-B", ""); err != nil || len(all) != 1 || all[0].ID != b.ID || !all[0].Parked {
		t.Errorf("parked: found %v, %v", all, err)
	}
	if all, err := sys.Find(t.Context(), "N-c", "c"); err != nil || len(all) != 0 {
		t.Errorf("found %v, %v", all, err)
	}
	_, err = sys.Find(t.Context(), "", "")
	wants(t, err, directory.Invalid)
}

func TestP4UpdateReplacesWhatIsDeclaredAndNothingElse(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a := create(t, s, sys, "a")
	s.set(person("a"), "telephoneNumber", "1")
	s.set(person("a"), "title", "one", "two")
	for range 2 {
		w := linked.Wish{Number: "N-new", Attributes: map[string][]string{"title": {"three"}, "mail": nil, "description": {}}}
		wants(t, sys.Update(t.Context(), a.ID, w, order), "")
	}
	for attribute, want := range map[string][]string{
		"title": {"three"}, "mail": {}, "telephoneNumber": {"1"}, "cn": {"Name of a"}, "employeeNumber": {"N-new"}, "uid": {"a"},
	} {
		if got := s.get(person("a"), attribute); !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v", attribute, got, want)
		}
	}
	wants(t, sys.Update(t.Context(), a.ID, linked.Wish{Attributes: map[string][]string{"sn": nil}}, order), directory.Invalid, "sn")
	wants(t, sys.Update(t.Context(), "not an id", linked.Wish{}, order), directory.Invalid)
	wants(t, sys.Update(t.Context(), "00000000-0000-0000-0000-000000000000", linked.Wish{}, order), directory.NotFound)
}

// group makes groups of all three kinds with these members.
func (s *slapd) group(name string, uids ...string) {
	a := s.admin()
	member, unique, posix := []string{}, []string{}, []string{}
	for _, uid := range uids {
		member = append(member, "member", person(uid))
		unique = append(unique, "uniqueMember", person(uid))
		posix = append(posix, "memberUid", uid)
	}
	s.add(a, "cn="+name+"-names,"+groupsDN, append([]string{"objectClass", "groupOfNames", "cn", name + "-names"}, member...)...)
	s.add(a, "cn="+name+"-unique,"+groupsDN, append([]string{"objectClass", "groupOfUniqueNames", "cn", name + "-unique"}, unique...)...)
	s.add(a, "cn="+name+"-posix,"+groupsDN, append([]string{"objectClass", "posixGroup", "cn", name + "-posix", "gidNumber", "1000"}, posix...)...)
}

// members are the members of the three.
func (s *slapd) members(name string) []string {
	all := slices.Concat(s.get("cn="+name+"-names,"+groupsDN, "member"), s.get("cn="+name+"-unique,"+groupsDN, "uniqueMember"),
		s.get("cn="+name+"-posix,"+groupsDN, "memberUid"))
	slices.Sort(all)
	return all
}

// eachServer runs a test where slapo-refint mends references, and where nothing does.
func eachServer(t *testing.T, test func(t *testing.T, s *slapd)) {
	t.Run("refint", func(t *testing.T) { test(t, startSlapd(t, variant{})) })
	t.Run("no refint", func(t *testing.T) { test(t, startSlapd(t, variant{Overlays: "# none"})) })
}

func TestANewLoginKeepsTheIDAndTheGroups(t *testing.T) {
	eachServer(t, func(t *testing.T, s *slapd) {
		sys := open(t, s.options())
		a, b := create(t, s, sys, "miss"), create(t, s, sys, "b")
		s.group("team", "miss", "b")
		wants(t, sys.Update(t.Context(), a.ID, linked.Wish{Login: "b"}, order), directory.AlreadyExists)
		for range 2 {
			wants(t, sys.Update(t.Context(), a.ID, linked.Wish{Login: "mrs"}, order), "")
		}
		read, err := sys.Account(t.Context(), a.ID)
		if err != nil || read.Login != "mrs" || len(read.Groups) != 3 {
			t.Errorf("read %+v, %v", read, err)
		}
		if !s.exists(person("mrs")) || s.exists(person("miss")) {
			t.Error("the entry was not renamed")
		}
		want := []string{"b", "mrs", person("b"), person("b"), person("mrs"), person("mrs")}
		if got := s.members("team"); !slices.Equal(got, want) {
			t.Errorf("members %v, want %v", got, want)
		}
		if read, err := sys.Account(t.Context(), b.ID); err != nil || len(read.Groups) != 3 {
			t.Errorf("the other: %+v, %v", read, err)
		}
	})
}

func TestUnlinkTakesOutOfGroupsAndParks(t *testing.T) {
	eachServer(t, func(t *testing.T, s *slapd) {
		sys := open(t, s.options())
		a, stays := create(t, s, sys, "goes"), create(t, s, sys, "stays")
		s.group("team", "goes", "stays")
		if read, err := sys.Account(t.Context(), a.ID); err != nil || len(read.Groups) != 3 {
			t.Fatalf("read %+v, %v", read, err)
		}
		wants(t, sys.Disable(t.Context(), a.ID, order), "")
		left, err := sys.Residuals(t.Context(), a.ID, false)
		if err != nil || len(left) != 4 || !strings.Contains(strings.Join(left, " "), "still below "+peopleDN) ||
			!strings.Contains(strings.Join(left, " "), "a member of cn=team-posix,"+groupsDN) {
			t.Errorf("left is %v, %v", left, err)
		}
		for range 2 {
			wants(t, sys.Unlink(t.Context(), a.ID, order), "")
			read, err := sys.Account(t.Context(), a.ID)
			if err != nil || !read.Parked || read.Enabled || len(read.Groups) != 0 || read.Login != "goes" {
				t.Errorf("read %+v, %v", read, err)
			}
		}
		if ids := s.get(parked("goes"), "entryUUID"); !slices.Equal(ids, []string{a.ID}) {
			t.Errorf("parked with the id %v", ids)
		}
		if s.signsIn(parked("goes"), password) {
			t.Error("somebody signed in with the parked account")
		}
		if got, want := s.members("team"), []string{"stays", person("stays"), person("stays")}; !slices.Equal(got, want) {
			t.Errorf("members %v, want %v", got, want)
		}
		if left, err := sys.Residuals(t.Context(), a.ID, false); err != nil || len(left) != 0 {
			t.Errorf("left is %v, %v", left, err)
		}
		if read, err := sys.Account(t.Context(), stays.ID); err != nil || len(read.Groups) != 3 || !read.Enabled {
			t.Errorf("the one who stays: %+v, %v", read, err)
		}
		// Back again, by the id.
		wants(t, sys.Enable(t.Context(), a.ID, order), "")
		if ids := s.get(person("goes"), "entryUUID"); !slices.Equal(ids, []string{a.ID}) || !s.signsIn(person("goes"), password) {
			t.Errorf("not back: %v", ids)
		}
	})
}

func TestP9TheOnlyMemberStaysAndItIsSaid(t *testing.T) {
	eachServer(t, func(t *testing.T, s *slapd) {
		sys := open(t, s.options())
		a := create(t, s, sys, "alone")
		s.group("team", "alone")
		wants(t, sys.Disable(t.Context(), a.ID, order), "")
		for range 2 {
			wants(t, sys.Unlink(t.Context(), a.ID, order), directory.NotSupported, "cn=team-names,"+groupsDN, "cn=team-unique,"+groupsDN, "add another member")
		}
		// All else is done, and nobody who gets the name will be in the group.
		if got, want := s.members("team"), []string{parked("alone"), parked("alone")}; !slices.Equal(got, want) {
			t.Errorf("members %v, want %v", got, want)
		}
		left, err := sys.Residuals(t.Context(), a.ID, false)
		if err != nil || !slices.Equal(left, []string{"a member of cn=team-names," + groupsDN, "a member of cn=team-unique," + groupsDN}) {
			t.Errorf("left is %v, %v", left, err)
		}
		wants(t, sys.Delete(t.Context(), a.ID, order), directory.NotSupported, "only member")
		if !s.exists(parked("alone")) || !s.exists("cn=team-names,"+groupsDN) {
			t.Fatal("deleted all the same")
		}
		create(t, s, sys, "second")
		for _, g := range []string{"names", "unique"} {
			attribute := map[string]string{"names": "member", "unique": "uniqueMember"}[g]
			s.set("cn=team-"+g+","+groupsDN, attribute, parked("alone"), person("second"))
		}
		wants(t, sys.Unlink(t.Context(), a.ID, order), "")
		if got, want := s.members("team"), []string{person("second"), person("second")}; !slices.Equal(got, want) {
			t.Errorf("members %v, want %v", got, want)
		}
		wants(t, sys.Delete(t.Context(), a.ID, order), "")
	})
}

func TestAUIDThatIsAnotherPersonsByNowIsTheirs(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	old := create(t, s, sys, "same")
	wants(t, sys.Unlink(t.Context(), old.ID, order), "")
	s.set(parked("same"), "employeeNumber", "N-old")
	s.set(parked("same"), "mail", "old@corp.example")
	now := create(t, s, sys, "same")
	s.group("team", "same")
	wants(t, sys.Unlink(t.Context(), old.ID, order), "")
	if got, want := s.members("team"), []string{"same", person("same"), person("same")}; !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	if read, err := sys.Account(t.Context(), now.ID); err != nil || len(read.Groups) != 3 {
		t.Errorf("read %+v, %v", read, err)
	}
	if all := list(t, sys); len(all[old.ID].Groups) != 0 || len(all[now.ID].Groups) != 3 {
		t.Errorf("listed %+v", all)
	}
	// Neither comes to where the other is.
	wants(t, sys.Enable(t.Context(), old.ID, order), directory.Conflict)
	wants(t, sys.Unlink(t.Context(), now.ID, order), directory.Conflict, "same name")
}

func TestDeleteIsProvenAndNeverTakesMore(t *testing.T) {
	eachServer(t, func(t *testing.T, s *slapd) {
		sys := open(t, s.options())
		a, b := create(t, s, sys, "a"), create(t, s, sys, "b")
		s.group("team", "a", "b")
		wants(t, sys.Delete(t.Context(), a.ID, order), "")
		if s.exists(person("a")) {
			t.Fatal("still there")
		}
		if got, want := s.members("team"), []string{"b", person("b"), person("b")}; !slices.Equal(got, want) {
			t.Errorf("members %v, want %v", got, want)
		}
		wants(t, sys.Delete(t.Context(), a.ID, order), directory.NotFound)
		wants(t, sys.Unlink(t.Context(), a.ID, order), directory.NotFound)
		_, err := sys.Account(t.Context(), a.ID)
		wants(t, err, directory.NotFound)
		if left, err := sys.Residuals(t.Context(), a.ID, true); err != nil || len(left) != 0 {
			t.Errorf("left is %v, %v", left, err)
		}
		create(t, s, sys, "c")
		s.group("others", "c")
		s.add(s.admin(), "cn=phone,"+person("b"), "objectClass", "device", "cn", "phone")
		s.group("last", "c", "b")
		wants(t, sys.Delete(t.Context(), b.ID, order), directory.NotSupported, "team-names") // b is the only one in it by now
		s.set("cn=team-names,"+groupsDN, "member", person("c"))
		s.set("cn=team-unique,"+groupsDN, "uniqueMember", person("c"))
		wants(t, sys.Delete(t.Context(), b.ID, order), directory.Conflict, "entries below")
		if left, err := sys.Residuals(t.Context(), b.ID, true); err != nil || !slices.Contains(left, "the account is still there") {
			t.Errorf("left is %v, %v", left, err)
		}
	})
}

func TestTheDisabledUnitMayLieAmongPeople(t *testing.T) {
	s := startSlapd(t, variant{})
	o := s.options()
	o.DisabledDN = "ou=gone," + peopleDN
	s.add(s.admin(), o.DisabledDN, "objectClass", "organizationalUnit", "ou", "gone")
	sys := open(t, o)
	a := create(t, s, sys, "a")
	if _, parked := account(t, sys, a.ID); parked {
		t.Error("parked before")
	}
	wants(t, sys.Disable(t.Context(), a.ID, order), "")
	wants(t, sys.Unlink(t.Context(), a.ID, order), "")
	if _, parked := account(t, sys, a.ID); !parked {
		t.Error("not parked")
	}
	if all := list(t, sys); len(all) != 1 || !all[a.ID].Parked {
		t.Errorf("listed %v", all)
	}
	wants(t, sys.Enable(t.Context(), a.ID, order), "")
	if !s.exists(person("a")) {
		t.Error("not back")
	}
}

func TestWithoutADisabledUnitEntriesStay(t *testing.T) {
	s := startSlapd(t, variant{})
	o := s.options()
	o.DisabledDN, o.GroupsDN = "", ""
	sys := open(t, o)
	a := create(t, s, sys, "a")
	wants(t, sys.Disable(t.Context(), a.ID, order), "")
	wants(t, sys.Unlink(t.Context(), a.ID, order), "")
	if enabled, parked := account(t, sys, a.ID); enabled || !parked || !s.exists(person("a")) {
		t.Errorf("enabled %t, parked %t", enabled, parked)
	}
	if left, err := sys.Residuals(t.Context(), a.ID, false); err != nil || len(left) != 0 {
		t.Errorf("left is %v, %v", left, err)
	}
	c, err := sys.Discover(t.Context())
	if err != nil || c.Groups || !strings.Contains(strings.Join(c.Limits, " "), "No groupsDN") || !strings.Contains(strings.Join(c.Limits, " "), "No disabledDN") {
		t.Errorf("discovered %+v, %v", c, err)
	}
}

// list gathers a listing by id.
func list(t testing.TB, sys *system) map[string]linked.Account {
	t.Helper()
	all := map[string]linked.Account{}
	err := sys.List(t.Context(), func(a linked.Account) error {
		if _, twice := all[a.ID]; twice {
			t.Errorf("%s is listed twice", a.ID)
		}
		all[a.ID] = a
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// crowd adds many people at once, as the administrator.
func (s *slapd) crowd(n int) {
	a := s.admin()
	for i := range n {
		uid := fmt.Sprintf("p%04d", i)
		s.add(a, person(uid), "objectClass", "inetOrgPerson", "uid", uid, "cn", uid, "sn", uid, "employeeNumber", uid)
	}
}

// generous lets the bind account list everybody.
const generous = `limits dn.exact="cn=operator,ou=services,dc=corp,dc=example" size.prtotal=unlimited`

func TestListingIsWhole(t *testing.T) {
	s := startSlapd(t, variant{Database: generous})
	s.crowd(2*pageSize + 150) // more than the 500 that slapd gives by default, in three pages
	sys := open(t, s.options())
	s.group("team", "p0007", "p0500")
	a, err := sys.Find(t.Context(), "p0007", "")
	if err != nil {
		t.Fatal(err)
	}
	wants(t, sys.Disable(t.Context(), a[0].ID, order), "")
	b, err := sys.Find(t.Context(), "p0008", "")
	if err != nil {
		t.Fatal(err)
	}
	wants(t, sys.Unlink(t.Context(), b[0].ID, order), "")
	all := list(t, sys)
	if len(all) != 2*pageSize+150 {
		t.Fatalf("listed %d", len(all))
	}
	for id, listed := range all {
		if id == a[0].ID || id == b[0].ID {
			read, err := sys.Account(t.Context(), id)
			if err != nil || listed.Enabled != read.Enabled || listed.Parked != read.Parked || !slices.Equal(listed.Groups, read.Groups) {
				t.Errorf("listed %+v, read %+v, %v", listed, read, err)
			}
		} else if !listed.Enabled || listed.Parked {
			t.Errorf("listed %+v", listed)
		}
	}
	stop := fmt.Errorf("enough")
	if err := sys.List(t.Context(), func(linked.Account) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("ended with %v", err)
	}
	wants(t, sys.client.do(t.Context(), &request{operation: "search", do: func(k *goldap.Conn) error { return nil }}), "")
	if n := len(sys.client.places); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

func TestP5AListingThatTheServerCutsIsNone(t *testing.T) {
	s := startSlapd(t, variant{})
	s.crowd(501)
	wants(t, open(t, s.options()).List(t.Context(), func(linked.Account) error { return nil }), directory.QuotaExceeded, "size.prtotal")
}

func TestP5HiddenIsNotGone(t *testing.T) {
	s := startSlapd(t, variant{})
	a := create(t, s, open(t, s.options()), "a")
	blind := open(t, s.options(), func(l *linked.Settings) {
		l.Secrets = map[string][]byte{"bindDN": []byte(blindDN), "password": []byte(operator)}
	})
	_, err := blind.Account(t.Context(), a.ID)
	wants(t, err, directory.PermissionDenied, peopleDN, "let it read")
	wants(t, blind.Delete(t.Context(), a.ID, order), directory.PermissionDenied)
	wants(t, blind.List(t.Context(), func(linked.Account) error { return nil }), directory.PermissionDenied)
	_, err = blind.Residuals(t.Context(), a.ID, true)
	wants(t, err, directory.PermissionDenied)
	_, err = blind.Discover(t.Context())
	wants(t, err, directory.PermissionDenied, peopleDN)
	_, err = blind.Create(t.Context(), wish("b"), order)
	wants(t, err, directory.PermissionDenied)

	o := s.options()
	o.PeopleDN = "ou=nowhere," + suffix
	nowhere := open(t, o)
	_, err = nowhere.Account(t.Context(), a.ID)
	wants(t, err, directory.PermissionDenied, o.PeopleDN)
	_, err = nowhere.Discover(t.Context())
	wants(t, err, directory.PermissionDenied, o.PeopleDN)
	_, err = nowhere.Create(t.Context(), wish("b"), order)
	wants(t, err, directory.PermissionDenied, o.PeopleDN)

	o = s.options()
	o.DisabledDN = "ou=nowhere," + suffix
	wants(t, open(t, o).Unlink(t.Context(), a.ID, order), directory.PermissionDenied)
	o = s.options()
	o.GroupsDN = "ou=nowhere," + suffix
	wants(t, open(t, o).Unlink(t.Context(), a.ID, order), directory.PermissionDenied, o.GroupsDN)
}

func TestNobodyIsInAnEmptyDirectory(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	_, err := sys.Account(t.Context(), "00000000-0000-0000-0000-000000000000")
	wants(t, err, directory.NotFound)
	if all := list(t, sys); len(all) != 0 {
		t.Errorf("listed %v", all)
	}
	c, err := sys.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Protocol != "LDAP" || !c.Lists || !c.Reads || !c.Creates || !c.Updates || !c.Disables || !c.Deletes || !c.Groups || c.DisableRemoves {
		t.Errorf("discovered %+v", c)
	}
	for _, word := range []string{"entryUUID", "lock by pwdAccountLockedTime", "StartTLS", "assertions", "pages"} {
		if !slices.Contains(c.Words, word) {
			t.Errorf("the words %v lack %q", c.Words, word)
		}
	}
	for _, words := range slices.Concat(c.Words, c.Limits) {
		if len(words) > 512 {
			t.Errorf("too long for a status: %q", words)
		}
	}
}

func TestOtherServersAreNotFollowed(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a := create(t, s, sys, "a")
	s.add(s.admin(), "ou=branch,"+peopleDN, "objectClass", "referral", "objectClass", "extensibleObject", "ou", "branch",
		"ref", "ldap://127.0.0.1:1/ou=branch,"+peopleDN)
	_, err := sys.Account(t.Context(), a.ID)
	wants(t, err, directory.NotSupported, "another server")
	wants(t, sys.List(t.Context(), func(linked.Account) error { return nil }), directory.NotSupported, "another server")
}

func TestManyAtOnceTakeTheirTurnsInTheBudget(t *testing.T) {
	s := startSlapd(t, variant{})
	budget := httpx.NewBudget(httpx.Limits{Total: httpx.Rate{PerSecond: 2000, Burst: 100}}, nil, nil)
	var mu sync.Mutex
	spent, answered := map[string]int{}, map[string]int{}
	sys := open(t, s.options(), func(l *linked.Settings) {
		l.Spend = func(ctx context.Context, operation string, call func(context.Context) error) error {
			mu.Lock()
			spent[operation]++
			mu.Unlock()
			return budget.Spend(httpx.WithOperation(ctx, operation), call)
		}
		l.Answered = func(operation string, class directory.Class) {
			mu.Lock()
			defer mu.Unlock()
			answered[operation+" "+string(class)]++
		}
	})
	s.crowd(60)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			found, err := sys.Find(t.Context(), fmt.Sprintf("p%04d", i), "")
			if err == nil {
				err = sys.Disable(t.Context(), found[0].ID, order)
			}
			if err == nil {
				err = sys.Unlink(t.Context(), found[0].ID, order)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for id, a := range list(t, sys) {
		if a.Enabled || !a.Parked {
			t.Errorf("%s: %+v", id, a)
		}
	}
	if spent["modify"] != 60 || spent["rename"] != 60 || answered["modify "] != 60 || answered["rename "] != 60 {
		t.Errorf("spent %v, answered %v", spent, answered)
	}
	if n := len(sys.client.idle); n > idleConnections {
		t.Errorf("%d idle connections", n)
	}
}

func TestTheMappingMayNotWriteWhoSomebodyIs(t *testing.T) {
	o := Options{Endpoint: "ldaps://127.0.0.1", PeopleDN: peopleDN}
	for _, name := range []string{"userPassword", "UID", "employeeNumber", "member", "pwdAccountLockedTime", "a b", "mail)(x", "cn"} {
		_, err := New(o, settings(func(l *linked.Settings) { l.Attributes = append(l.Attributes, name) }))
		wants(t, err, directory.Invalid, name)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	good := Options{Endpoint: "ldaps://127.0.0.1", PeopleDN: peopleDN}
	if _, err := New(good, settings()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"no endpoint":        func(o *Options) { o.Endpoint = "" },
		"another scheme":     func(o *Options) { o.Endpoint = "https://127.0.0.1" },
		"a path":             func(o *Options) { o.Endpoint += "/x" },
		"a user":             func(o *Options) { o.Endpoint = "ldaps://user:password@127.0.0.1" },
		"no TLS to others":   func(o *Options) { o.Endpoint, o.Security = "ldap://ldap.corp.example", None },
		"not quite loopback": func(o *Options) { o.Endpoint, o.Security = "ldap://127.0.0.1.corp.example", None },
		"ldaps without TLS":  func(o *Options) { o.Security = None },
		"no certificate":     func(o *Options) { o.CABundle = []byte("x") },
		"no people":          func(o *Options) { o.PeopleDN = "" },
		"no DN":              func(o *Options) { o.GroupsDN = "groups" },
		"people disabled":    func(o *Options) { o.DisabledDN = suffix },
		"the same":           func(o *Options) { o.DisabledDN = "OU=People," + suffix },
		"another lock":       func(o *Options) { o.Disabling = "Bolt" },
	} {
		o := good
		change(&o)
		if _, err := New(o, settings()); directory.ClassOf(err) != directory.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, secrets := range map[string]map[string][]byte{
		"no password":       {"bindDN": []byte(operatorDN)},
		"an empty password": {"bindDN": []byte(operatorDN), "password": {}},
		"nobody":            {"password": []byte("x")},
	} {
		_, err := New(good, settings(func(l *linked.Settings) { l.Secrets = secrets }))
		if directory.ClassOf(err) != directory.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestP9HiddenGroupsAreNotNoGroups(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a := create(t, s, sys, "a")
	s.group("team", "a")
	wants(t, sys.Disable(t.Context(), a.ID, order), "")
	s.Kill()
	s.rewrite(`access to dn.children="ou=people`, `access to dn.children="ou=groups,dc=corp,dc=example" by dn.exact="cn=operator,ou=services,dc=corp,dc=example" none by * break
access to dn.children="ou=people`)
	s.start()
	_, err := sys.Residuals(t.Context(), a.ID, false)
	wants(t, err, directory.PermissionDenied, groupsDN)
	_, err = sys.Discover(t.Context())
	wants(t, err, directory.PermissionDenied, groupsDN)
}

// The server keeps these by itself, with the controls of our changes.
func TestWhatTheServerKeepsByItselfFollows(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	boss := create(t, s, sys, "boss")
	create(t, s, sys, "report")
	s.set(person("report"), "manager", person("boss"))
	s.group("team", "boss", "report")
	team := []string{"cn=team-names," + groupsDN}
	is := func(dn, attribute string, want ...string) {
		t.Helper()
		// slapo-refint mends references in a task of its own, after it has answered.
		deadline := time.NewTimer(20 * time.Second)
		defer deadline.Stop()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for got := s.get(dn, attribute); !slices.Equal(got, want); got = s.get(dn, attribute) {
			select {
			case <-deadline.C:
				t.Fatalf("%s of %s is %q, want %q", attribute, dn, got, want)
			case <-tick.C:
			}
		}
	}
	is(person("boss"), "memberOf", team...)
	wants(t, sys.Update(t.Context(), boss.ID, linked.Wish{Login: "chief", Attributes: map[string][]string{"mail": {"chief@corp.example"}}}, order), "")
	is(person("chief"), "memberOf", team...)
	is(person("report"), "manager", person("chief"))
	wants(t, sys.Unlink(t.Context(), boss.ID, order), "")
	is(parked("chief"), "memberOf")
	is(person("report"), "manager", parked("chief"))
	is(person("report"), "memberOf", team...)
	wants(t, sys.Delete(t.Context(), boss.ID, order), "")
	is(person("report"), "manager")
	is("cn=team-names,"+groupsDN, "member", person("report"))
}

// The rights that docs/linkedsystem-ldap.md tells administrators to give, and no others.
func TestTheDocumentedRightsAreEnough(t *testing.T) {
	page, err := os.ReadFile("../../../docs/linkedsystem-ldap.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```\n")
	block, _, ok := strings.Cut(block, "```")
	documented := strings.ReplaceAll(block, "cn=rollcall,ou=services", "cn=operator,ou=services")
	if !ok || documented == block {
		t.Fatal("the page has no rights")
	}
	s := startSlapd(t, variant{Rights: documented})
	s.crowd(501)
	sys := open(t, s.options())
	c, err := sys.Discover(t.Context())
	if err != nil || !c.Disables {
		t.Fatalf("discovered %+v, %v", c, err)
	}
	a := create(t, s, sys, "a")
	s.group("team", "a", "p0001")
	wants(t, sys.Update(t.Context(), a.ID, linked.Wish{Login: "b", Attributes: map[string][]string{"title": {"x"}}}, order), "")
	wants(t, sys.Disable(t.Context(), a.ID, order), "")
	if s.signsIn(person("b"), password) {
		t.Error("somebody signed in")
	}
	wants(t, sys.Unlink(t.Context(), a.ID, order), "")
	if all := list(t, sys); len(all) != 502 || !all[a.ID].Parked {
		t.Errorf("listed %d, %+v", len(all), all[a.ID])
	}
	wants(t, sys.Enable(t.Context(), a.ID, order), "")
	if !s.signsIn(person("b"), password) {
		t.Error("the sign-in is refused")
	}
	wants(t, sys.Delete(t.Context(), a.ID, order), "")
	if left, err := sys.Residuals(t.Context(), a.ID, true); err != nil || len(left) != 0 {
		t.Errorf("left is %v, %v", left, err)
	}
}

func TestAValueIsWrittenOnce(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	w := wish("a")
	w.Attributes["title"] = []string{"x", "x", "y"}
	a, err := sys.Create(t.Context(), w, order)
	wants(t, err, "")
	wants(t, sys.Update(t.Context(), a.ID, linked.Wish{Attributes: map[string][]string{"title": {"z", "", "z"}}}, order), "")
	if got := s.get(person("a"), "title"); !slices.Equal(got, []string{"z"}) {
		t.Errorf("title is %v", got)
	}
}
