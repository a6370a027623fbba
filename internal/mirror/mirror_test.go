package mirror_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/mirror"
)

func capabilities() directory.Capabilities {
	return directory.Capabilities{
		Platform: "Open", Reads: directory.AllFields, Writes: directory.AllFields,
		DepartmentWrites: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder,
		Freezes:          []directory.AccountType{directory.Ordinary}, ChoosesDepartmentID: true, FoldsIDs: true, RootDepartment: "1",
	}
}

// listing is a directory whose listings are said in advance. Only List works.
type listing struct {
	directory.Directory
	l   *directory.Listing
	err error
	// meanwhile runs while the listing is under way.
	meanwhile func()
}

func (l *listing) List(context.Context) (*directory.Listing, error) {
	if l.meanwhile != nil {
		l.meanwhile()
	}
	return l.l, l.err
}

func person(id string, change ...func(*directory.Account)) directory.Account {
	a := directory.Account{ID: id, Type: directory.Ordinary, State: directory.Active, Profile: directory.Profile{
		Set: directory.FieldName | directory.FieldNumber, Name: "柳如烟", Number: id,
	}}
	for _, f := range change {
		f(&a)
	}
	return a
}

func numbered(n string) func(*directory.Account) {
	return func(a *directory.Account) { a.Profile.Number = n }
}

func frozen(a *directory.Account) { a.State = directory.Frozen }

func unit(id string) directory.Department {
	return directory.Department{Set: directory.DepartmentName | directory.DepartmentParent, ID: id, Name: "部门" + id, Parent: "1"}
}

func of(accounts ...directory.Account) *listing {
	return &listing{l: &directory.Listing{Accounts: accounts, Departments: []directory.Department{unit("7")}}}
}

// bench is a mirror with a clock, and the words to test it.
type bench struct {
	*testing.T
	*mirror.Mirror
	at time.Time
}

func open(t *testing.T) *bench {
	b := &bench{T: t, at: time.Unix(1000, 0)}
	b.Mirror = mirror.New(capabilities(), func() time.Time { return b.at })
	return b
}

// refresh expects what changes, sorted.
func (b *bench) refresh(d directory.Directory, changed ...string) mirror.Changes {
	b.Helper()
	c, err := b.Refresh(b.Context(), d)
	if err != nil {
		b.Fatal(err)
	}
	slices.Sort(c.Accounts)
	if !slices.Equal(c.Accounts, changed) {
		b.Errorf("changed are %v, want %v", c.Accounts, changed)
	}
	return c
}

func (b *bench) has(ids ...string) {
	b.Helper()
	have := slices.Sorted(b.IDs())
	if !slices.Equal(have, ids) || b.State().Accounts != len(ids) {
		b.Errorf("there are %v (%d), want %v", have, b.State().Accounts, ids)
	}
}

func TestListing(t *testing.T) {
	b := open(t)
	if s := b.State(); s.Listed || s.Complete() || b.Account("E1") != nil {
		t.Errorf("before any listing: %+v", s)
	}
	c := b.refresh(of(person("E1"), person("E2")), "E1", "E2")
	if !c.First || !slices.Equal(c.Departments, []string{"7"}) {
		t.Errorf("first changes: %+v", c)
	}
	s := b.State()
	if !s.Listed || !s.Complete() || s.Err != nil || s.ListedAt != b.at || s.Departments != 1 {
		t.Errorf("state %+v", s)
	}
	b.at = b.at.Add(time.Minute)
	c = b.refresh(of(person("E2", frozen), person("E3")), "E1", "E2", "E3")
	if c.First || len(c.Departments) > 0 || b.State().ListedAt != b.at {
		t.Errorf("second changes: %+v, %+v", c, b.State())
	}
	b.has("E2", "E3")
	if b.Account("E2").State != directory.Frozen || b.Account("E1") != nil || b.Absent("E1") {
		t.Error("the second listing was not taken in, or it proved an absence")
	}
}

func TestP13UnchangedIsNoChange(t *testing.T) {
	b := open(t)
	b.refresh(of(person("E1"), person("E2")), "E1", "E2")
	if c := b.refresh(of(person("E2"), person("E1"))); c.First || len(c.Departments) > 0 {
		t.Errorf("changes of nothing: %+v", c)
	}
}

func TestP5IncompleteListingsRemoveNobody(t *testing.T) {
	b := open(t)
	b.refresh(of(person("E1"), person("E2")), "E1", "E2")
	partial := of(person("E2", frozen), person("E3"))
	partial.l.Departments = nil
	partial.l.Gaps = []string{"a page is missing"}
	b.refresh(partial, "E2", "E3")
	b.has("E1", "E2", "E3")
	if s := b.State(); s.Complete() || !s.Listed || len(s.Gaps) != 1 || b.Department("7") == nil {
		t.Errorf("state %+v, department %v", s, b.Department("7"))
	}
	b.refresh(of(person("E2", frozen)), "E1", "E3")
	if !b.State().Complete() {
		t.Error("a complete listing after it is complete")
	}
}

func TestP5EmptyListingsAreNotBelieved(t *testing.T) {
	b := open(t)
	b.refresh(of(person("E1")), "E1")
	_, err := b.Refresh(t.Context(), of())
	if directory.ClassOf(err) != directory.Unavailable || b.State().Err == nil {
		t.Errorf("an empty listing: %v", err)
	}
	b.has("E1")
	if !b.State().Listed || b.Department("7") == nil {
		t.Error("what was known is still known")
	}
}

func TestFailedListingsChangeNothing(t *testing.T) {
	b := open(t)
	b.Failed(errors.New("no token"))
	if s := b.State(); s.Err == nil || s.Listed {
		t.Errorf("before any listing: %+v", s)
	}
	b.refresh(of(person("E1")), "E1")
	at := b.at
	b.at = b.at.Add(time.Hour)
	failing := &listing{err: directorytest.Refused(directory.RateLimited).Err}
	if _, err := b.Refresh(t.Context(), failing); directory.ClassOf(err) != directory.RateLimited {
		t.Errorf("refreshed with %v", err)
	}
	if s := b.State(); s.Err == nil || s.ListedAt != at || !s.Complete() {
		t.Errorf("state %+v", s)
	}
	b.has("E1")
	b.refresh(of(person("E1")))
	if b.State().Err != nil {
		t.Error("the error outlived a success")
	}
}

// What is told while a listing is under way is newer than the listing.
func TestReadBacksWinOverListingsThatBeganBefore(t *testing.T) {
	b := open(t)
	b.refresh(of(person("E1"), person("E2"), person("E3"), person("E4")), "E1", "E2", "E3", "E4")
	late := of(person("E1"), person("E3"), person("E4"))
	late.meanwhile = func() {
		b.Put(person("E1", frozen)) // frozen by us
		b.Put(person("E2"))         // written to by us, and missed by the listing
		b.Forget("E3")              // found to be gone
		b.Put(person("E5"))         // made by us
		b.Doubt("E4")               // written to without an answer
	}
	late.l.Accounts[2].State = directory.Frozen
	b.refresh(late)
	b.has("E1", "E2", "E4", "E5")
	if b.Account("E1").State != directory.Frozen {
		t.Error("P2: an old listing undid our freeze")
	}
	if !b.Absent("E3") {
		t.Error("P5: an old listing brought back what a direct read did not find")
	}
	if !b.Doubtful("E4") || b.Account("E4").State != directory.Active {
		t.Error("P9: an old listing ended a doubt")
	}
	b.refresh(of(person("E1"), person("E3"), person("E4")), "E1", "E2", "E3", "E5")
	b.has("E1", "E3", "E4")
	if b.Absent("E3") {
		t.Error("a newer listing says how it is")
	}
}

func TestDoubts(t *testing.T) {
	for name, end := range map[string]func(*bench){
		"read":      func(b *bench) { b.Put(person("E1")) },
		"not found": func(b *bench) { b.Forget("e1") },
		"refused":   func(b *bench) { b.Trust("e1") },
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			b.Doubt("E1")
			if !b.Doubtful("e1") || b.Account("E1") != nil || b.Absent("E1") {
				t.Error("a doubt says nothing else")
			}
			if end(b); b.Doubtful("E1") {
				t.Error("the doubt remains")
			}
		})
	}
	b := open(t)
	b.refresh(of(person("E1"), person("E2")), "E1", "E2")
	b.Doubt("E1")
	b.Doubt("E2")
	b.refresh(of(person("E1", frozen)), "E1", "E2")
	if !b.Doubtful("E1") || !b.Doubtful("E2") {
		t.Error("a listing ended a doubt: the write may be under way")
	}
	if b.Account("E1").State != directory.Frozen || b.Account("E2") != nil {
		t.Error("a listing that began after the write is newer than what was known")
	}
}

func TestAbsence(t *testing.T) {
	b := open(t)
	b.Put(person("E1"))
	b.Forget("e1")
	if b.Account("E1") != nil || !b.Absent("E1") {
		t.Error("what a direct read did not find is absent")
	}
	b.Put(person("E1"))
	if b.Account("E1") == nil || b.Absent("E1") {
		t.Error("what is seen again is not absent")
	}
	b.Forget("7")
	if b.DepartmentAbsent("7") {
		t.Error("a department is absent because a person is")
	}
	b.Forget("E1")
	if b.refresh(of(person("E1")), "E1"); b.Absent("E1") {
		t.Error("what a listing shows is not absent")
	}
}

func TestFoldedIDs(t *testing.T) {
	b := open(t)
	b.Put(person("ZhangSan"))
	if a := b.Account("zhangsan"); a == nil || a.ID != "ZhangSan" || b.Key("ZhangSan") != "zhangsan" {
		t.Errorf("found %+v", a)
	}
	b.refresh(of(person("zhangsan")), "zhangsan")
	b.has("zhangsan")
	c := capabilities()
	c.FoldsIDs = false
	m := mirror.New(c, time.Now)
	m.Put(person("ZhangSan"))
	if m.Account("zhangsan") != nil || m.Account("ZhangSan") == nil || m.Key("A") != "A" {
		t.Error("ids are folded where the platform does not")
	}
}

func TestNumbered(t *testing.T) {
	b := open(t)
	numbers := func(n string) []string {
		var ids []string
		for _, a := range b.Numbered(n) {
			ids = append(ids, a.ID)
		}
		return ids
	}
	b.Put(person("a", numbered("E0001")))
	b.Put(person("b", numbered("e0001")))
	b.Put(person("c", numbered("")))
	b.Put(person("d", func(a *directory.Account) { a.Profile.Set, a.Profile.Number = directory.FieldName, "E0001" }))
	if got := numbers("E0001"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("E0001 is carried by %v", got)
	}
	if got := numbers(""); got != nil {
		t.Errorf("no number is carried by %v", got)
	}
	b.Put(person("a", numbered("E0002")))
	b.Forget("b")
	if got := numbers("E0001"); got != nil {
		t.Errorf("E0001 is still carried by %v", got)
	}
	if b.refresh(of(person("c", numbered("E0002"))), "a", "c", "d"); !slices.Equal(numbers("e0002"), []string{"c"}) {
		t.Errorf("E0002 is carried by %v", numbers("e0002"))
	}
}

func TestDepartments(t *testing.T) {
	b := open(t)
	list := func(departments ...directory.Department) []string {
		t.Helper()
		l := of(person("E1"))
		l.l.Departments = departments
		c, err := b.Refresh(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(c.Departments)
		return c.Departments
	}
	if got := list(unit("7"), unit("8")); !slices.Equal(got, []string{"7", "8"}) {
		t.Errorf("changed %v", got)
	}
	if d := b.Child("1", "部门8"); d == nil || d.ID != "8" || b.Child("1", "部门9") != nil || b.Child("7", "部门8") != nil {
		t.Errorf("child %+v", d)
	}
	// A direct read shows more than listings do; that stays, what listings say is newer.
	full := unit("7")
	full.Set |= directory.DepartmentOrder | directory.DepartmentManagers | directory.DepartmentKey
	full.Order, full.Managers, full.Key = 20, []string{"E1"}, "acme/research"
	b.PutDepartment(full)
	if got := list(unit("7"), unit("8")); len(got) > 0 {
		t.Errorf("P13: changed %v", got)
	}
	renamed := unit("7")
	renamed.Name = "研发部"
	renamed.Set, renamed.Order = renamed.Set|directory.DepartmentOrder, 30
	if got := list(renamed, unit("8")); !slices.Equal(got, []string{"7"}) {
		t.Errorf("changed %v", got)
	}
	if d := b.Department("7"); d.Name != "研发部" || d.Order != 30 || d.Key != "acme/research" || !slices.Equal(d.Managers, []string{"E1"}) || d.Set != full.Set {
		t.Errorf("after a rename: %+v", d)
	}
	if got := list(unit("8")); !slices.Equal(got, []string{"7"}) || b.Department("7") != nil || b.DepartmentAbsent("7") {
		t.Errorf("changed %v", got)
	}
	b.ForgetDepartment("8")
	if b.Department("8") != nil || !b.DepartmentAbsent("8") || b.Absent("8") {
		t.Error("a department that a direct read did not find is absent, and no person is")
	}
	if list(unit("8")); b.DepartmentAbsent("8") {
		t.Error("a department that is listed is not absent")
	}
	b.ForgetDepartment("8")
	if b.PutDepartment(unit("8")); b.DepartmentAbsent("8") {
		t.Error("a department that is seen is not absent")
	}
}

func TestDepartmentReadBacksWinOverListingsThatBeganBefore(t *testing.T) {
	b := open(t)
	first := of(person("E1"))
	first.l.Departments = []directory.Department{unit("7"), unit("8"), unit("9")}
	b.refresh(first, "E1")
	late := of(person("E1"))
	late.l.Departments = []directory.Department{unit("7"), unit("8")}
	late.meanwhile = func() {
		renamed := unit("7")
		renamed.Name = "研发部"
		b.PutDepartment(renamed)
		b.ForgetDepartment("8")
		b.PutDepartment(unit("9"))
		b.PutDepartment(unit("10"))
	}
	if c := b.refresh(late); len(c.Departments) > 0 {
		t.Errorf("changed %v", c.Departments)
	}
	if b.Department("7").Name != "研发部" || b.Department("8") != nil || b.Department("9") == nil || b.Department("10") == nil || !b.DepartmentAbsent("8") {
		t.Error("an old listing undid what was read since")
	}
}

// TestConcurrency is for the race detector.
func TestConcurrency(t *testing.T) {
	fake := directorytest.NewFake(capabilities())
	m := mirror.New(capabilities(), time.Now)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				id := string(rune('a' + i))
				m.Put(person(id, numbered("E1")))
				m.Numbered("E1")
				m.Doubt(id)
				m.Doubtful(id)
				m.Account(id)
				m.Forget(id)
				m.Absent(id)
				m.PutDepartment(unit(id))
				m.Child("1", "部门"+id)
				m.ForgetDepartment(id)
				m.DepartmentAbsent(id)
				if _, err := m.Refresh(t.Context(), fake); err != nil {
					t.Error(err)
				}
				for range m.IDs() {
					m.State()
				}
			}
		})
	}
	wg.Wait()
	if s := m.State(); s.Accounts != 1 || s.Departments != 1 {
		t.Errorf("left are %+v", s)
	}
}
