package directorytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

// Run runs the contract. open makes a fresh twin, and cleans up with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Twin) {
	for _, c := range slices.Concat(basics, accounts, departments, listings, roles, leavings, exports, failures) {
		t.Run(c.name, func(t *testing.T) {
			s := &suite{Twin: open(t)}
			s.caps = s.Directory.Capabilities()
			c.test(t, s)
		})
	}
}

type contract struct {
	name string
	test func(*testing.T, *suite)
}

// suite is one subtest's twin, and the words the contract is written in.
type suite struct {
	Twin
	caps directory.Capabilities
	seq  int
}

// can is the directory as a T, or nil: then it is logged what the platform does not do.
func can[T any](t *testing.T, s *suite, lacks string) T {
	t.Helper()
	d, ok := s.Directory.(T)
	if !ok {
		t.Log(lacks)
	}
	return d
}

// Invented personal data; none of it may show in an error.
func sampleName(n int) string   { return fmt.Sprintf("柳如烟%d", n) }
func sampleMobile(n int) string { return fmt.Sprintf("+86-1380055%04d", n) }
func sampleEmail(n int) string  { return fmt.Sprintf("liu.ruyan%d@example.com", n) }

func sampleID(n int) string { return fmt.Sprintf("E%04d", n) }

// wish is a person with everything this platform can write at creation, in the
// departments, of which the first is the primary one.
func (s *suite) wish(n int, departments ...string) directory.Profile {
	p := directory.Profile{
		Set: s.caps.Writes | s.caps.Creates, Name: sampleName(n), Number: fmt.Sprintf("N%04d", n),
		Mobile: sampleMobile(n), Email: sampleEmail(n), Telephone: fmt.Sprintf("010-8000%04d", n),
		Title: "工程师", Workplace: "上海", HireDate: "2024-03-01",
		Attributes: map[string]string{s.Attributes[0]: "甲", s.Attributes[1]: "乙"},
	}
	for i, d := range departments {
		p.Memberships = append(p.Memberships, directory.Membership{Department: d, Order: int64(100 + i)})
	}
	if len(departments) > 0 {
		p.Primary = departments[0]
	} else {
		p.Set &^= directory.FieldDepartments | directory.FieldDepartmentOrder | directory.FieldLeads | directory.FieldPrimaryDepartment
	}
	return p
}

// create makes person n in a new department unless departments are given.
func (s *suite) create(t *testing.T, n int, departments ...string) (id string, want directory.Profile) {
	t.Helper()
	if len(departments) == 0 {
		departments = []string{s.department(t, fmt.Sprintf("一部%d", n), s.caps.RootDepartment)}
	}
	id, want = sampleID(n), s.wish(n, departments...)
	if _, err := s.Directory.CreateAccount(t.Context(), id, directory.Ordinary, want); err != nil {
		t.Fatalf("creating account %s: %v", id, err)
	}
	return id, want
}

// department makes a department and returns its id.
func (s *suite) department(t *testing.T, name, parent string) string {
	t.Helper()
	d := directory.Department{
		Set: directory.DepartmentName | directory.DepartmentParent, Name: name, Parent: parent,
	}
	if s.caps.ChoosesDepartmentID {
		d.ID = s.nextDepartmentID()
	}
	id, err := s.Directory.CreateDepartment(t.Context(), d)
	if err != nil {
		t.Fatalf("creating department %s: %v", name, err)
	}
	return id
}

func (s *suite) nextDepartmentID() string {
	s.seq++
	return fmt.Sprint(7000 + s.seq)
}

func (s *suite) account(t *testing.T, id string) directory.Account {
	t.Helper()
	a, err := s.Directory.Account(t.Context(), id)
	if err != nil {
		t.Fatalf("reading account %s: %v", id, err)
	}
	return a
}

func (s *suite) update(t *testing.T, id string, p directory.Profile) {
	t.Helper()
	if err := s.Directory.UpdateAccount(t.Context(), id, p); err != nil {
		t.Fatalf("updating account %s: %v", id, err)
	}
}

// reads fails unless the account is as wanted, and unseen only where the
// capabilities do not promise a reading.
func (s *suite) reads(t *testing.T, id string, want directory.Profile) directory.Account {
	t.Helper()
	have := s.account(t, id)
	differ, unseen := directory.Differ(&want, &have.Profile)
	if differ != 0 {
		t.Errorf("account %s differs in %s:\nwant %+v\nhave %+v", id, differ, want, have.Profile)
	}
	if hidden := unseen & s.caps.Reads; hidden != 0 {
		t.Errorf("account %s: %s cannot be read, although Capabilities.Reads promises it", id, hidden)
	}
	return have
}

// fails fails unless err has one of the classes and is fit to be shown.
func (s *suite) fails(t *testing.T, doing string, err error, classes ...directory.Class) {
	t.Helper()
	if !slices.Contains(classes, directory.ClassOf(err)) {
		t.Errorf("%s: got %v (class %q), want class %v", doing, err, directory.ClassOf(err), classes)
	}
	s.decent(t, doing, err)
}

// decent fails if the words of err hold a secret or personal data (P12).
func (s *suite) decent(t *testing.T, doing string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	indecent := append([]string{"柳如烟", "1380055", "liu.ruyan", "access_token"}, s.Secrets...)
	for _, word := range indecent {
		if word != "" && strings.Contains(err.Error(), word) {
			t.Errorf("%s: the error shows what must not be shown: %v", doing, err)
		}
	}
}
