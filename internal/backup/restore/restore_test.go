package restore_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
)

// open is a platform that can do all there is, closed one that can do little.
func open() directory.Capabilities {
	return directory.Capabilities{
		Platform: "Open", Reads: directory.AllFields, Writes: directory.AllFields,
		DepartmentWrites: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder | directory.DepartmentKey,
		Freezes:          []directory.AccountType{directory.Ordinary}, CreatesFrozen: true,
		ChoosesDepartmentID: true, FoldsIDs: true, RootDepartment: "1",
	}
}

func closed() directory.Capabilities {
	fields := directory.AllFields &^ (directory.FieldHireDate | directory.FieldPrimaryDepartment | directory.FieldLeads | directory.FieldMobile)
	return directory.Capabilities{
		Platform: "Closed", Reads: fields | directory.FieldLeads | directory.FieldMobile, Writes: fields, Creates: directory.FieldMobile,
		DepartmentWrites: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder | directory.DepartmentManagers,
		RootDepartment:   "1",
	}
}

func same(number string) (string, error) { return number, nil }

func person(n int, departments ...string) directory.Account {
	id := fmt.Sprintf("E%04d", n)
	a := directory.Account{ID: id, Type: directory.Ordinary, State: directory.Active, Profile: directory.Profile{
		Set: directory.AllFields, Name: "柳如烟" + id, Number: id, Mobile: fmt.Sprintf("+86-1380055%04d", n), Email: id + "@example.com",
		Title: "工程师", HireDate: "2024-03-01", Primary: departments[0],
	}}
	for i, d := range departments {
		a.Profile.Memberships = append(a.Profile.Memberships, directory.Membership{Department: d, Order: int64(i + 1)})
	}
	return a
}

func unit(id, name, parent string) directory.Department {
	return directory.Department{ID: id, Name: name, Parent: parent, Set: directory.DepartmentName | directory.DepartmentParent}
}

// acme is a small company: two departments, one below the other, three people and a role.
func acme() restore.Snapshot {
	boss, lead, worker := person(1, "7"), person(2, "8", "7"), person(3, "8")
	lead.Profile.Manager, worker.Profile.Manager = boss.ID, lead.ID
	boss.Profile.Memberships[0].Leader = true
	return restore.Snapshot{
		Platform: "Open", Tenant: "acme",
		Departments: []directory.Department{unit("1", "公司", ""), unit("7", "研发部", "1"), unit("8", "平台组", "7")},
		Accounts:    []directory.Account{worker, lead, boss},
		Roles:       []directory.Role{{ID: "20", Name: "审计员", Group: "内控"}},
		Members:     []directory.RoleMember{{Role: "20", Account: "E0002"}, {Role: "20", Department: "8"}},
	}
}

func observe(t *testing.T, d directory.Directory) restore.Snapshot {
	t.Helper()
	s, err := restore.Observe(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func plan(t *testing.T, archive restore.Snapshot, d directory.Directory, o restore.Options) restore.Plan {
	t.Helper()
	return restore.For(archive, observe(t, d), d.Capabilities(), same, o)
}

func execute(t *testing.T, d directory.Directory, p restore.Plan) restore.Report {
	t.Helper()
	r, err := restore.Execute(t.Context(), d, nobody, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range r.Items {
		if it.Verdict == restore.Failed {
			t.Errorf("failed: %+v", it)
		}
	}
	return r
}

// items are those of a verdict, as "<kind> <id>: <fields>".
func items(all []restore.Item, v restore.Verdict) (said []string) {
	for _, it := range all {
		if it.Verdict == v {
			said = append(said, strings.TrimSpace(fmt.Sprintf("%s %s: %s", it.Kind, it.ID, strings.Join(it.Fields, " "))))
		}
	}
	return said
}

func TestACompanyComesBack(t *testing.T) {
	fake := directorytest.NewFake(open())
	p := plan(t, acme(), fake, restore.Options{})
	if p.Counts != (restore.Counts{Create: 6, Keep: 1}) {
		t.Fatalf("%+v\n%+v", p.Counts, p.Items)
	}
	execute(t, fake, p)
	again := plan(t, acme(), fake, restore.Options{})
	if again.Counts.Create+again.Counts.Change+again.Counts.Conflicts != 0 || len(items(again.Items, restore.Keep)) != 7 {
		t.Errorf("afterwards: %+v\n%+v", again.Counts, again.Items)
	}
	boss, worker := fake.Really("E0001"), fake.Really("E0003")
	if m, _ := boss.Profile.In("7"); !m.Leader || worker.Profile.Manager != "E0002" {
		t.Errorf("boss %+v, worker %+v", boss, worker)
	}
	for _, it := range again.Items {
		if len(it.Fields) > 0 {
			t.Errorf("differs: %+v", it)
		}
	}
}

func TestACompanyMovesToAnotherPlatform(t *testing.T) {
	fake := directorytest.NewFake(closed())
	p := plan(t, acme(), fake, restore.Options{})
	want := []string{"People *: hireDate", "Memberships *: primaryDepartment"}
	got := items(p.Items, restore.Impossible)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || p.Counts.Create != 6 || p.Counts.Impossible != 6 {
		t.Fatalf("impossible %q, %+v", got, p.Counts)
	}
	execute(t, fake, p)
	s := observe(t, fake)
	i := slices.IndexFunc(s.Departments, func(d directory.Department) bool { return d.Name == "研发部" })
	if i < 0 || !slices.Equal(s.Departments[i].Managers, []string{"E0001"}) {
		t.Errorf("departments %+v", s.Departments)
	}
	if again := plan(t, acme(), fake, restore.Options{}); again.Counts.Create+again.Counts.Change != 0 {
		t.Errorf("afterwards: %+v", again.Items)
	}
}

func TestTheScratchTest(t *testing.T) {
	fake := directorytest.NewFake(open())
	r, err := restore.Test(t.Context(), acme(), fake)
	if err != nil || r.Compared != 7 || r.Different != 0 || r.Impossible != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	fake = directorytest.NewFake(open())
	fake.Every("CreateAccount", directorytest.Fault{Ignores: directory.FieldTitle})
	r, err = restore.Test(t.Context(), acme(), fake)
	if err != nil || r.Different != 3 || !slices.Equal(r.Items[0].Fields, []string{"title"}) {
		t.Errorf("P9: a title that was ignored: %+v, %v", r, err)
	}
}

func TestThePlanIsTheSameWhateverTheOrder(t *testing.T) {
	fake := directorytest.NewFake(open())
	a := plan(t, acme(), fake, restore.Options{})
	s := acme()
	slices.Reverse(s.Accounts)
	slices.Reverse(s.Departments)
	slices.Reverse(s.Members)
	b := plan(t, s, fake, restore.Options{})
	if a.Digest != b.Digest || !reflect.DeepEqual(a.Items, b.Items) {
		t.Errorf("%s %+v\n%s %+v", a.Digest, a.Items, b.Digest, b.Items)
	}
	s.Accounts[0].Profile.Title = "经理"
	if plan(t, s, fake, restore.Options{}).Digest == a.Digest {
		t.Error("another value has the same digest")
	}
}

func TestConflictsStopEverything(t *testing.T) {
	fake := directorytest.NewFake(open())
	other := person(9, "1")
	other.Profile.Mobile = person(2, "1").Profile.Mobile
	fake.Place(other)
	p := plan(t, acme(), fake, restore.Options{})
	if got := items(p.Items, restore.Conflict); !slices.Equal(got, []string{"People E0002: mobile"}) {
		t.Fatalf("%q", got)
	}
	r, err := restore.Execute(t.Context(), fake, nobody, p, nil)
	if !errors.Is(err, restore.ErrConflicts) || r.Changed || fake.Count("CreateDepartment") != 0 {
		t.Errorf("%+v, %v, %v", r, err, fake.Calls())
	}
	p = plan(t, acme(), fake, restore.Options{SkipConflicts: true})
	execute(t, fake, p)
	if fake.Really("E0002") != nil || fake.Really("E0003") == nil || fake.Really("E0003").Profile.Manager != "" {
		t.Error("the one in conflict is left out, the others come back")
	}
}

func TestP4WhatExistsIsLeftAlone(t *testing.T) {
	fake := directorytest.NewFake(open())
	execute(t, fake, plan(t, acme(), fake, restore.Options{}))
	promoted := *fake.Really("E0003")
	promoted.Profile.Title, promoted.Profile.Manager, promoted.State = "经理", "E0001", directory.Frozen
	fake.Place(promoted)
	p := plan(t, acme(), fake, restore.Options{})
	if got := items(p.Items, restore.Keep); p.Counts.Change != 0 || !slices.Contains(got, "People E0003: state title") || !slices.Contains(got, "Memberships E0003: manager") {
		t.Errorf("%q", got)
	}
	before := len(fake.Calls())
	execute(t, fake, p)
	if calls := fake.Calls()[before:]; len(calls) != 0 {
		t.Errorf("calls %q", calls)
	}
	execute(t, fake, plan(t, acme(), fake, restore.Options{Overwrite: true}))
	if a := fake.Really("E0003"); a.Profile.Title != "工程师" || a.Profile.Manager != "E0002" || a.State != directory.Active {
		t.Errorf("overwritten: %+v", a)
	}
}

func TestP3ALostAnswerIsLookedUp(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		fault  directorytest.Fault
		calls  int
	}{
		"the department was made": {"CreateDepartment", directorytest.Lost(), 2},
		"the department was not":  {"CreateDepartment", directorytest.Refused(directory.OutcomeUnknown), 3},
		"the account was made":    {"CreateAccount", directorytest.Lost(), 3},
		"the account was not":     {"CreateAccount", directorytest.Refused(directory.OutcomeUnknown), 4},
		"the role was made":       {"CreateRole", directorytest.Lost(), 1},
		"the role was not":        {"CreateRole", directorytest.Refused(directory.OutcomeUnknown), 2},
		"the role was given":      {"AddToRole", directorytest.Lost(), 3},
	} {
		t.Run(name, func(t *testing.T) {
			fake := directorytest.NewFake(open())
			fake.Next(c.method, c.fault)
			execute(t, fake, plan(t, acme(), fake, restore.Options{}))
			if n := fake.Count(c.method); n != c.calls {
				t.Errorf("%s was called %d times, want %d", c.method, n, c.calls)
			}
			if again := plan(t, acme(), fake, restore.Options{}); again.Counts.Keep != 7 {
				t.Errorf("afterwards: %+v", again.Items)
			}
		})
	}
}

func TestNobodyGetsAccessBackWhoLostIt(t *testing.T) {
	s := acme()
	s.Accounts[0].State = directory.Frozen
	fake := directorytest.NewFake(closed())
	p := plan(t, s, fake, restore.Options{})
	if got := items(p.Items, restore.Impossible); !slices.Contains(got, "People E0003: state") {
		t.Errorf("%q", got)
	}
	execute(t, fake, p)
	if fake.Really("E0003") != nil {
		t.Error("somebody frozen has an account")
	}
	active := person(3, "1")
	fake = directorytest.NewFake(open())
	fake.Place(active)
	p = plan(t, s, fake, restore.Options{})
	if got := items(p.Items, restore.Keep); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "state") }) {
		t.Errorf("%q", got)
	}
}

// A restore that was cut off goes on: what is equal is done, and what was made
// since it began gets its manager and its roles.
func TestAnInterruptedRestoreGoesOn(t *testing.T) {
	for _, method := range []string{"CreateDepartment", "CreateAccount", "CreateRole", "AddToRole"} {
		for _, class := range []directory.Class{directory.RateLimited, directory.Unavailable} {
			t.Run(method+" "+string(class), func(t *testing.T) {
				fake := directorytest.NewFake(open())
				first := plan(t, acme(), fake, restore.Options{})
				fake.Next(method, directorytest.Fault{}, directorytest.Refused(class))
				_, err := restore.Execute(t.Context(), fake, nobody, first, nil)
				if method != "CreateRole" && directory.ClassOf(err) != class {
					t.Fatalf("ended with %v", err)
				}
				p := plan(t, acme(), fake, restore.Options{Begun: first.Begun()})
				execute(t, fake, p)
				if members, _ := fake.RoleMembers(t.Context(), observe(t, fake).Roles[0].ID); len(members) != 2 {
					t.Errorf("the role has %+v", members)
				}
				if again := plan(t, acme(), fake, restore.Options{}); again.Counts != (restore.Counts{Keep: 7}) {
					t.Errorf("afterwards: %+v", again.Items)
				}
			})
		}
	}
}

func TestChosenPeopleComeWithWhatTheyNeed(t *testing.T) {
	fake := directorytest.NewFake(open())
	p := plan(t, acme(), fake, restore.Options{UserIDs: []string{"E0002", "nobody"}})
	want := []string{"Departments 7", "Departments 8", "People E0002", "Roles 20"}
	var got []string
	for _, it := range p.Items {
		if it.Verdict == restore.Create {
			got = append(got, string(it.Kind)+" "+it.ID)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) || !slices.Contains(items(p.Items, restore.Impossible), "People nobody:") ||
		!slices.Contains(items(p.Items, restore.Impossible), "Memberships E0002: manager") {
		t.Errorf("made are %q, impossible %q", got, items(p.Items, restore.Impossible))
	}
	execute(t, fake, p)
	p = plan(t, acme(), directorytest.NewFake(open()), restore.Options{DepartmentIDs: []string{"7"}})
	if p.Counts.Create != 6 {
		t.Errorf("a department with all that is under it: %+v", p.Items)
	}
	p = plan(t, acme(), directorytest.NewFake(open()), restore.Options{Kinds: []restore.Kind{restore.Departments}})
	if p.Counts != (restore.Counts{Create: 2, Keep: 1}) {
		t.Errorf("departments alone: %+v", p.Items)
	}
}

func TestPeopleWhoManageEachOther(t *testing.T) {
	s := acme()
	s.Accounts[2].Profile.Manager = "E0003" // the boss: a circle of three
	fake := directorytest.NewFake(open())
	execute(t, fake, plan(t, s, fake, restore.Options{}))
	for id, boss := range map[string]string{"E0001": "E0003", "E0002": "E0001", "E0003": "E0002"} {
		if a := fake.Really(id); a == nil || a.Profile.Manager != boss {
			t.Errorf("%s is managed otherwise than by %s: %+v", id, boss, a)
		}
	}
}

func TestADepartmentWithoutItsPlaceIsImpossible(t *testing.T) {
	s := acme()
	s.Departments = append(s.Departments, unit("30", "圆", "31"), unit("31", "环", "30"), unit("32", "孤", "99"))
	p := plan(t, s, directorytest.NewFake(open()), restore.Options{})
	if got := items(p.Items, restore.Impossible); !slices.Equal(got, []string{"Departments 30:", "Departments 31:", "Departments 32:"}) {
		t.Errorf("%q", got)
	}
}

// One bad person never stops the batch (P11).
func TestP11OneBadPersonStopsNobody(t *testing.T) {
	fake := directorytest.NewFake(open())
	fake.Next("CreateAccount", directorytest.Refused(directory.Invalid))
	r, err := restore.Execute(t.Context(), fake, nobody, plan(t, acme(), fake, restore.Options{}), nil)
	if err != nil || r.Counts.Failed != 1 || fake.Really("E0002") == nil || fake.Really("E0003") == nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestP12ItemsAndErrorsTellNoPersonalData(t *testing.T) {
	fake := directorytest.NewFake(open())
	other := person(9, "1")
	other.Profile.Mobile = person(2, "1").Profile.Mobile
	fake.Place(other)
	fake.Next("CreateAccount", directorytest.Lost(), directorytest.Refused(directory.Conflict))
	p := plan(t, acme(), fake, restore.Options{SkipConflicts: true})
	r, err := restore.Execute(t.Context(), fake, nobody, p, nil)
	fake.Every("List", directorytest.Fault{Err: errors.New("dial for 柳如烟 13800550001")})
	_, down := restore.Execute(t.Context(), fake, nobody, p, nil)
	said := fmt.Sprintf("%+v %+v %v %v", p.Items, r.Items, err, directory.ClassOf(down))
	for _, personal := range []string{"柳如烟", "1380055", "@example.com", "研发部", "审计员"} {
		if strings.Contains(said, personal) {
			t.Errorf("%q is told: %s", personal, said)
		}
	}
}

// What a role reaches is never widened: a scope that is not there is not the whole company.
func TestARoleReachesNoMoreThanItDid(t *testing.T) {
	s := acme()
	s.Members = []directory.RoleMember{{Role: "20", Account: "E0001", Scope: []string{"7", "99"}}, {Role: "20", Account: "E0002", Scope: []string{"99"}}}
	fake := directorytest.NewFake(open())
	execute(t, fake, plan(t, s, fake, restore.Options{}))
	after := observe(t, fake)
	if len(after.Members) != 1 || after.Members[0].Account != "E0001" || !slices.Equal(after.Members[0].Scope, []string{"7"}) {
		t.Errorf("held by %+v", after.Members)
	}
}

func TestOrderMovesAsWhoComesBeforeWhom(t *testing.T) {
	s := acme()
	s.Accounts[0].Profile.Memberships[0].Order = 176291407999820 // in 8, before E0002
	fake := directorytest.NewFake(closed())
	execute(t, fake, plan(t, s, fake, restore.Options{}))
	worker, lead := fake.Really("E0003").Profile.Memberships[0], fake.Really("E0002").Profile.Memberships
	i := slices.IndexFunc(lead, func(m directory.Membership) bool { return m.Department == worker.Department })
	if worker.Order != 2 || lead[i].Order != 1 {
		t.Errorf("orders %d and %d", worker.Order, lead[i].Order)
	}
}
