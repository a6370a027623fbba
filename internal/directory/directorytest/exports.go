package directorytest

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

var exports = []contract{
	{"offers name every dataset once and cost nothing", func(t *testing.T, s *suite) {
		e := s.exporter(t)
		if e == nil {
			return
		}
		before := s.Calls()
		offers := map[directory.Dataset]int{}
		for _, o := range e.Offers() {
			offers[o.Dataset]++
			if o.Dataset == directory.DatasetDirectory && o.Missing != "" {
				t.Errorf("the directory itself is not handed out: %s", o.Missing)
			}
		}
		if s.Calls() != before {
			t.Error("Offers made a call")
		}
		want := map[directory.Dataset]int{}
		for _, d := range directory.Datasets() {
			want[d] = 1
		}
		if !maps.Equal(offers, want) {
			t.Errorf("offered %v, want each of %v once", offers, directory.Datasets())
		}
	}},
	{"an export has everybody and every department once, as single reads have them", exportsAll},
	{"an export has every role and all who hold it", exportsRoles},
	{"an export of chosen people has no others, and every department and role", exportsChosen},
	{"chosen people who do not exist are a gap", func(t *testing.T, s *suite) {
		e := s.exporter(t)
		if e == nil {
			return
		}
		id, _ := s.create(t, 1)
		got, sum, err := collect(t, e, directory.Scope{Accounts: []string{"nobody", id}})
		if err != nil {
			t.Fatal(err)
		}
		if ids := idsOf(got, directory.PartAccounts); !slices.Equal(ids, []string{id}) {
			t.Errorf("exported %v, want %s alone", ids, id)
		}
		gaps := s.gaps(sum)
		if len(gaps) != 1 || gaps[0].Part != directory.PartAccounts || gaps[0].Class != directory.NotFound || gaps[0].Reason == "" {
			t.Errorf("gaps are %+v, want one of class NotFound", gaps)
		}
	}},
	{"what was exported of a person can be written back", writtenBack},
	{"an error of emit ends the export and is returned as it is", func(t *testing.T, s *suite) {
		e := s.exporter(t)
		if e == nil {
			return
		}
		s.Seed(t, 30, 3)
		full, emitted := errors.New("the disk is full"), 0
		_, err := e.Export(t.Context(), directory.DatasetDirectory, directory.Scope{}, func(directory.Item) error {
			if emitted++; emitted < 7 {
				return nil
			}
			return full
		})
		if err != full { //nolint:errorlint // as it is
			t.Errorf("got %v, want the error of emit", err)
		}
		if emitted != 7 {
			t.Errorf("emit was called %d times, want no more after it failed at the 7th", emitted)
		}
	}},
	{"P5: a partial export says so", func(t *testing.T, s *suite) {
		e := s.exporter(t)
		if e == nil {
			return
		}
		s.Seed(t, 40, 4)
		s.Inflict(t, PartialListing)
		got, sum, err := collect(t, e, directory.Scope{})
		if err != nil {
			s.fails(t, "Export", err, directory.Unavailable)
		} else if len(s.gaps(sum)) == 0 {
			t.Errorf("%d of more than 40 people exported, and no gap reported", len(idsOf(got, directory.PartAccounts)))
		}
		s.Heal(t)
		got, sum, err = collect(t, e, directory.Scope{})
		if err != nil || len(s.gaps(sum)) != 0 || len(idsOf(got, directory.PartAccounts)) < 40 {
			t.Errorf("afterwards: %d items, %+v, %v", len(got), sum, err)
		}
	}},
	{"P5: an empty directory is no export", func(t *testing.T, s *suite) {
		e := s.exporter(t)
		if e == nil {
			return
		}
		s.Seed(t, 10, 2)
		s.Inflict(t, EmptyListing)
		_, _, err := collect(t, e, directory.Scope{})
		s.fails(t, "Export", err, directory.Unavailable)
	}},
	{"a dataset that is not offered is NotSupported", func(t *testing.T, s *suite) {
		e := s.exporter(t)
		if e == nil {
			return
		}
		missing := []directory.Dataset{"Dreams"}
		for _, o := range e.Offers() {
			if o.Missing != "" {
				missing = append(missing, o.Dataset)
			}
		}
		for _, d := range missing {
			_, err := e.Export(t.Context(), d, directory.Scope{}, func(i directory.Item) error {
				t.Errorf("%s: emitted %s %s", d, i.Part, i.ID)
				return nil
			})
			s.fails(t, "Export of "+string(d), err, directory.NotSupported)
		}
	}},
	{"an export that may not be made is PermissionDenied", func(t *testing.T, s *suite) {
		brokenExport(t, s, Denied, directory.PermissionDenied)
	}},
	{"an export that is too fast is RateLimited", func(t *testing.T, s *suite) {
		brokenExport(t, s, Throttling, directory.RateLimited)
	}},
	{"an export through a broken gateway fails", func(t *testing.T, s *suite) {
		brokenExport(t, s, BadGateway, directory.Unavailable)
	}},
}

// exporter is the directory as an Exporter, or nil.
func (s *suite) exporter(t *testing.T) directory.Exporter {
	t.Helper()
	return can[directory.Exporter](t, s, "this platform hands nothing out")
}

var partName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// collect exports the directory and fails on items that no archive could keep.
func collect(t *testing.T, e directory.Exporter, scope directory.Scope) ([]directory.Item, directory.Summary, error) {
	t.Helper()
	var items []directory.Item
	seen := map[string]bool{}
	sum, err := e.Export(t.Context(), directory.DatasetDirectory, scope, func(i directory.Item) error {
		var fields map[string]any
		if err := json.Unmarshal(i.Raw, &fields); err != nil || len(fields) == 0 {
			t.Errorf("%s %s: raw is not an object with something in it: %v", i.Part, i.ID, err)
		}
		if key := i.Part + "/" + i.ID; i.ID == "" || !partName.MatchString(i.Part) || seen[key] {
			t.Errorf("%q is emitted twice, or has no proper part and id", key)
		} else {
			seen[key] = true
		}
		items = append(items, i)
		return nil
	})
	rank := map[string]int{directory.PartDepartments: 0, directory.PartAccounts: 1, directory.PartRoles: 2, directory.PartMembers: 3}
	if !slices.IsSortedFunc(items, func(a, b directory.Item) int { return rank[a.Part] - rank[b.Part] }) {
		t.Error("the order is not departments, accounts, roles, members")
	}
	return items, sum, err
}

// gaps are those of an export but for the one that names what can be written on a
// platform and not read back: that is missing of everybody, however well it went.
func (s *suite) gaps(sum directory.Summary) []directory.Gap {
	untold := s.caps.Writes &^ s.caps.Reads
	return slices.DeleteFunc(slices.Clone(sum.Gaps), func(g directory.Gap) bool {
		return untold != 0 && g.Part == directory.PartAccounts && strings.Contains(g.Reason, untold.String())
	})
}

// idsOf are the ids of the items of a part, sorted.
func idsOf(items []directory.Item, part string) []string {
	var ids []string
	for _, i := range items {
		if i.Part == part {
			ids = append(ids, i.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func exportsAll(t *testing.T, s *suite) {
	e := s.exporter(t)
	if e == nil {
		return
	}
	a := s.department(t, "甲部", s.caps.RootDepartment)
	b := s.department(t, "乙部", a)
	boss, _ := s.create(t, 1, a)
	id, want := sampleID(2), s.wish(2, b, a)
	want.Manager = boss
	if _, err := s.Directory.CreateAccount(t.Context(), id, directory.Ordinary, want); err != nil {
		t.Fatal(err)
	}
	s.Seed(t, 130, 4)
	items, sum, err := collect(t, e, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if gaps := s.gaps(sum); len(gaps) != 0 {
		t.Errorf("gaps: %+v", gaps)
	}
	s.sameIDs(t, items)
	people := len(idsOf(items, directory.PartAccounts))
	if n, counted := sum.Totals[directory.PartAccounts]; counted && n != int64(people) {
		t.Errorf("the platform counts %d accounts, and there are %d", n, people)
	}
	for _, i := range items {
		switch i.Part {
		case directory.PartAccounts:
			s.sameAccount(t, i)
		case directory.PartDepartments:
			s.sameUnit(t, i)
		}
	}
}

// sameIDs fails unless exactly those were exported who are listed.
func (s *suite) sameIDs(t *testing.T, items []directory.Item) {
	t.Helper()
	var people, units []string
	l := s.list(t)
	for _, a := range l.Accounts {
		people = append(people, a.ID)
	}
	for _, d := range l.Departments {
		units = append(units, d.ID)
	}
	slices.Sort(people)
	slices.Sort(units)
	if got := idsOf(items, directory.PartAccounts); !slices.Equal(got, people) {
		t.Errorf("exported accounts are\n%v, and listed\n%v", got, people)
	}
	if got := idsOf(items, directory.PartDepartments); !slices.Equal(got, units) {
		t.Errorf("exported departments are\n%v, and listed\n%v", got, units)
	}
}

// sameUnit fails unless an exported department says what a single read says.
func (s *suite) sameUnit(t *testing.T, i directory.Item) {
	t.Helper()
	if i.Department == nil || i.Department.ID != i.ID {
		t.Errorf("department %s has %+v", i.ID, i.Department)
		return
	}
	s.sameDepartment(t, *i.Department)
	single := s.readDepartment(t, i.ID)
	if i.Department.Set.Has(directory.DepartmentManagers) && !slices.Equal(i.Department.Managers, single.Managers) {
		t.Errorf("department %s: managers exported %v, read %v", i.ID, i.Department.Managers, single.Managers)
	}
}

// sameAccount fails unless an exported account says all that a single read says.
func (s *suite) sameAccount(t *testing.T, i directory.Item) {
	t.Helper()
	if i.Account == nil || i.Account.ID != i.ID || i.Department != nil || i.Role != nil || i.Member != nil {
		t.Errorf("account %s has %+v, want an account of this id alone", i.ID, i)
		return
	}
	single := s.account(t, i.ID)
	differ, unseen := directory.Differ(&single.Profile, &i.Account.Profile)
	if differ != 0 || unseen != 0 || i.Account.State != single.State || i.Account.Type != single.Type {
		t.Errorf("account %s is exported without %s, and differs in %q:\nexported %+v\nread     %+v", i.ID, unseen, differ, i.Account, single)
	}
}

func exportsRoles(t *testing.T, s *suite) {
	e, k := s.exporter(t), s.keeper(t)
	if e == nil || k == nil {
		return
	}
	first, p := s.create(t, 1)
	second, _ := s.create(t, 2, p.Memberships[0].Department)
	s.role(t, k, "审计员", first, second)
	s.role(t, k, "仓管员", second)
	s.role(t, k, "闲职")
	items, _, err := collect(t, e, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	roles, err := k.Roles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exported := exportedHolders(t, items, roles)
	var want []string
	for _, r := range roles {
		want = append(want, r.ID)
		members, err := k.RoleMembers(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := held(exported[r.ID]), held(members); !slices.Equal(got, want) {
			t.Errorf("exported holders of role %s are %v, want %v", r.ID, got, want)
		}
	}
	slices.Sort(want)
	if got := idsOf(items, directory.PartRoles); !slices.Equal(got, want) {
		t.Errorf("exported roles are %v, want %v", got, want)
	}
}

// exportedHolders are the exported holders by role; the exported roles must be among these.
func exportedHolders(t *testing.T, items []directory.Item, roles []directory.Role) map[string][]directory.RoleMember {
	t.Helper()
	exported := map[string][]directory.RoleMember{}
	for _, i := range items {
		switch {
		case i.Part == directory.PartRoles && (i.Role == nil || i.Role.ID != i.ID || !slices.Contains(roles, *i.Role)):
			t.Errorf("role %s has %+v, want one of %+v", i.ID, i.Role, roles)
		case i.Part == directory.PartMembers && i.Member == nil:
			t.Errorf("member %s has none", i.ID)
		case i.Part == directory.PartMembers:
			exported[i.Member.Role] = append(exported[i.Member.Role], *i.Member)
		}
	}
	return exported
}

func exportsChosen(t *testing.T, s *suite) {
	e := s.exporter(t)
	if e == nil {
		return
	}
	first, p := s.create(t, 1)
	second, _ := s.create(t, 2, p.Memberships[0].Department)
	var roles []string
	if k := s.keeper(t); k != nil {
		roles = []string{s.role(t, k, "审计员", first, second), s.role(t, k, "仓管员", second)}
	}
	s.Seed(t, 20, 3)
	items, sum, err := collect(t, e, directory.Scope{Accounts: []string{first}})
	if err != nil || len(s.gaps(sum)) != 0 {
		t.Fatalf("%v, gaps %+v", err, sum.Gaps)
	}
	if got := idsOf(items, directory.PartAccounts); !slices.Equal(got, []string{first}) {
		t.Errorf("exported %v, want %s alone", got, first)
	}
	if got, want := len(idsOf(items, directory.PartDepartments)), len(s.list(t).Departments); got != want {
		t.Errorf("%d departments exported, want all %d", got, want)
	}
	var held []string
	for _, i := range items {
		if i.Part == directory.PartAccounts {
			s.sameAccount(t, i)
		}
		if i.Member != nil && i.Member.Account != "" {
			held = append(held, i.Member.Role+" "+i.Member.Account)
		}
	}
	if roles == nil {
		return
	}
	if got := idsOf(items, directory.PartRoles); !slices.Contains(got, roles[0]) || !slices.Contains(got, roles[1]) {
		t.Errorf("exported roles are %v, want all, %v too", got, roles)
	}
	if want := []string{roles[0] + " " + first}; !slices.Equal(held, want) {
		t.Errorf("exported holders are %v, want the chosen one alone: %v", held, want)
	}
}

// writtenBack makes somebody again from what an export says of them. What a
// platform does not tell has to come from elsewhere, as it would in a restore.
func writtenBack(t *testing.T, s *suite) {
	e := s.exporter(t)
	if e == nil {
		return
	}
	a := s.department(t, "甲部", s.caps.RootDepartment)
	b := s.department(t, "乙部", s.caps.RootDepartment)
	boss, _ := s.create(t, 1, a)
	id, want := sampleID(2), s.wish(2, a, b)
	want.Manager = boss
	want.Memberships[1].Leader = s.caps.Writes.Has(directory.FieldLeads)
	if _, err := s.Directory.CreateAccount(t.Context(), id, directory.Ordinary, want); err != nil {
		t.Fatal(err)
	}
	items, _, err := collect(t, e, directory.Scope{Accounts: []string{id}})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(items, func(i directory.Item) bool { return i.Account != nil })
	if i < 0 {
		t.Fatalf("%s is not exported", id)
	}
	archived := items[i].Account
	s.Remove(t, id)
	p := archived.Profile.Clone()
	p.Set &= s.caps.Writes | s.caps.Creates
	if !p.Set.Has(directory.FieldMobile) {
		p.Set, p.Mobile = p.Set|directory.FieldMobile, want.Mobile
	}
	if _, err := s.Directory.CreateAccount(t.Context(), archived.ID, archived.Type, p); err != nil {
		t.Fatalf("making %s again: %v", id, err)
	}
	s.reads(t, id, p)
}

func brokenExport(t *testing.T, s *suite, m Malady, want directory.Class) {
	t.Helper()
	e := s.exporter(t)
	if e == nil {
		return
	}
	s.create(t, 1)
	s.Inflict(t, m)
	_, _, err := collect(t, e, directory.Scope{})
	s.fails(t, "Export", err, want)
}
