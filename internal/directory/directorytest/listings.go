package directorytest

import (
	"slices"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

var listings = []contract{
	{"a listing has everybody and every department once, within its budget", listsAll},
	{"a listing says the same as single reads", listsTheSame},
	{"a person in two departments is one account", func(t *testing.T, s *suite) {
		a := s.department(t, "甲部", s.caps.RootDepartment)
		b := s.department(t, "乙部", s.caps.RootDepartment)
		id, want := s.create(t, 1, a, b)
		l := s.list(t)
		var seen []directory.Account
		for _, acc := range l.Accounts {
			if acc.ID == id {
				seen = append(seen, acc)
			}
		}
		if len(seen) != 1 || len(seen[0].Profile.Memberships) != 2 {
			t.Fatalf("listed as %+v, want one account with two departments", seen)
		}
		if differ, _ := directory.Differ(&want, &seen[0].Profile); differ != 0 {
			t.Errorf("the listing differs in %s: %+v", differ, seen[0].Profile)
		}
	}},
	{"P5: someone removed by hand is absent, and the listing complete", func(t *testing.T, s *suite) {
		id, first := s.create(t, 1)
		s.create(t, 2, first.Memberships[0].Department)
		s.Remove(t, id)
		l := s.list(t)
		if slices.ContainsFunc(l.Accounts, func(a directory.Account) bool { return a.ID == id }) {
			t.Errorf("%s is still listed", id)
		}
		if len(l.Gaps) != 0 {
			t.Errorf("gaps: %q", l.Gaps)
		}
		_, err := s.Directory.Account(t.Context(), id)
		s.fails(t, "Account", err, directory.NotFound)
	}},
	{"P5: a partial listing is never taken for a whole one", func(t *testing.T, s *suite) {
		s.Seed(t, 40, 4)
		s.Inflict(t, PartialListing)
		l, err := s.Directory.List(t.Context())
		if err != nil {
			s.fails(t, "List", err, directory.Unavailable)
		} else if len(l.Gaps) == 0 {
			t.Errorf("%d of more than 40 people listed, and no gap reported", len(l.Accounts))
		}
		s.Heal(t)
		if l := s.list(t); len(l.Gaps) != 0 || len(l.Accounts) < 40 {
			t.Errorf("afterwards: %d people, gaps %q", len(l.Accounts), l.Gaps)
		}
	}},
	{"P5: an empty listing is an error", func(t *testing.T, s *suite) {
		s.Seed(t, 10, 2)
		s.Inflict(t, EmptyListing)
		l, err := s.Directory.List(t.Context())
		if err == nil {
			t.Fatalf("listed %d people without an error", len(l.Accounts))
		}
		s.fails(t, "List", err, directory.Unavailable)
	}},
}

func (s *suite) list(t *testing.T) *directory.Listing {
	t.Helper()
	l, err := s.Directory.List(t.Context())
	if err != nil {
		t.Fatalf("listing: %v", err)
	}
	return l
}

func listsAll(t *testing.T, s *suite) {
	const people, units = 250, 12
	s.Seed(t, people, units)
	before := s.Calls()
	l := s.list(t)
	calls := s.Calls() - before
	if len(l.Gaps) != 0 {
		t.Errorf("gaps: %q", l.Gaps)
	}
	ids := map[string]int{}
	for _, a := range l.Accounts {
		ids[a.ID]++
		if a.State == "" || a.Type == "" || !a.Profile.Set.Has(directory.FieldName|directory.FieldDepartments) {
			t.Errorf("account %s is listed without state, type, name or departments: %+v", a.ID, a)
		}
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("account %s is listed %d times", id, n)
		}
	}
	if len(ids) < people {
		t.Errorf("%d people listed, want at least %d", len(ids), people)
	}
	if len(l.Departments) != units+1 {
		t.Errorf("%d departments listed, want %d and the root", len(l.Departments), units)
	}
	// A page has 100 people; two calls for each department, six for tokens and the like.
	if budget := people/100 + 1 + 2*(units+1) + 6; calls > budget {
		t.Errorf("the listing took %d calls, want at most %d", calls, budget)
	}
}

func listsTheSame(t *testing.T, s *suite) {
	a := s.department(t, "甲部", s.caps.RootDepartment)
	b := s.department(t, "乙部", a)
	s.create(t, 1, a)
	s.create(t, 2, b, a)
	l := s.list(t)
	for _, listed := range l.Accounts {
		single := s.account(t, listed.ID)
		if listed.State != single.State || listed.Type != single.Type {
			t.Errorf("account %s is listed as %s %s and read as %s %s",
				listed.ID, listed.Type, listed.State, single.Type, single.State)
		}
		both := listed.Profile.Clone()
		both.Set &= single.Profile.Set
		if differ, _ := directory.Differ(&both, &single.Profile); differ != 0 {
			t.Errorf("account %s: listing and reading differ in %s", listed.ID, differ)
		}
	}
	for _, listed := range l.Departments {
		single := s.readDepartment(t, listed.ID)
		if listed.Name != single.Name || listed.Parent != single.Parent ||
			listed.Set.Has(directory.DepartmentOrder) && single.Set.Has(directory.DepartmentOrder) && listed.Order != single.Order {
			t.Errorf("department %s is listed as %+v and read as %+v", listed.ID, listed, single)
		}
	}
}
