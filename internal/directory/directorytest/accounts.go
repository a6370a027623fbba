package directorytest

import (
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

var accounts = []contract{
	{"an unknown account is NotFound", func(t *testing.T, s *suite) {
		_, err := s.Directory.Account(t.Context(), "nobody")
		s.fails(t, "Account", err, directory.NotFound)
		p := directory.Profile{Set: directory.FieldTitle, Title: "经理"}
		s.fails(t, "UpdateAccount", s.Directory.UpdateAccount(t.Context(), "nobody", p), directory.NotFound)
	}},
	{"what is created is read back", func(t *testing.T, s *suite) {
		a := s.department(t, "研发部", s.caps.RootDepartment)
		b := s.department(t, "测试部", s.caps.RootDepartment)
		boss, _ := s.create(t, 1, a)
		id, want := sampleID(2), s.wish(2, a, b)
		want.Manager = boss
		want.Memberships[1].Leader = true
		state, err := s.Directory.CreateAccount(t.Context(), id, directory.Ordinary, want)
		if err != nil {
			t.Fatal(err)
		}
		if state != directory.Active {
			t.Errorf("created in state %q, want Active", state)
		}
		have := s.reads(t, id, want)
		if have.ID != id || have.Type != directory.Ordinary || have.State != directory.Active {
			t.Errorf("read %q %q %q, want %q Ordinary Active", have.ID, have.Type, have.State, id)
		}
	}},
	{"an id is given once", func(t *testing.T, s *suite) {
		id, want := s.create(t, 1)
		other := s.wish(2, want.Memberships[0].Department)
		_, err := s.Directory.CreateAccount(t.Context(), id, directory.Ordinary, other)
		s.fails(t, "creating again", err, directory.AlreadyExists)
		if s.caps.FoldsIDs {
			_, err := s.Directory.CreateAccount(t.Context(), strings.ToLower(id), directory.Ordinary, other)
			s.fails(t, "creating in another case", err, directory.AlreadyExists)
		}
		s.reads(t, id, want)
	}},
	{"a mobile number is given once", func(t *testing.T, s *suite) {
		id, first := s.create(t, 1)
		want := s.wish(2, first.Memberships[0].Department)
		want.Mobile = first.Mobile
		_, err := s.Directory.CreateAccount(t.Context(), sampleID(2), directory.Ordinary, want)
		s.fails(t, "creating with a taken mobile", err, directory.Conflict)
		if h := holder(err); h != "" && h != id {
			t.Errorf("the holder is %q, want %q or nothing", h, id)
		}
		_, err = s.Directory.Account(t.Context(), sampleID(2))
		s.fails(t, "Account", err, directory.NotFound)
	}},
	{"people are found by mobile", func(t *testing.T, s *suite) {
		finder, ok := s.Directory.(directory.MobileFinder)
		if !ok {
			t.Log("this platform finds nobody by mobile")
			return
		}
		id, want := s.create(t, 1)
		got, err := finder.FindByMobile(t.Context(), want.Mobile)
		if err != nil || got != id {
			t.Errorf("FindByMobile = %q, %v, want %q", got, err, id)
		}
		_, err = finder.FindByMobile(t.Context(), sampleMobile(99))
		s.fails(t, "FindByMobile of a stranger", err, directory.NotFound)
	}},
	{"an update writes what is declared and nothing else", func(t *testing.T, s *suite) {
		id, want := s.create(t, 1)
		change := s.wish(9)
		change.Set, change.Title = directory.FieldTitle, "总监"
		s.update(t, id, change)
		want.Title = "总监"
		s.reads(t, id, want)
	}},
	{"an attribute is written and its neighbours stay", func(t *testing.T, s *suite) {
		if !s.caps.Writes.Has(directory.FieldAttributes) {
			t.Log("this platform writes no attributes")
			return
		}
		id, want := s.create(t, 1)
		s.update(t, id, directory.Profile{
			Set: directory.FieldAttributes, Attributes: map[string]string{s.Attributes[0]: "丙"},
		})
		want.Attributes[s.Attributes[0]] = "丙"
		s.reads(t, id, want)
		s.update(t, id, directory.Profile{
			Set: directory.FieldAttributes, Attributes: map[string]string{s.Attributes[0]: ""},
		})
		want.Attributes[s.Attributes[0]] = ""
		s.reads(t, id, want)
	}},
	{"a person moves, and undeclared order and leading stay", moves},
	{"leading is taken and given back", leads},
	{"a manager is set and cleared", func(t *testing.T, s *suite) {
		if !s.caps.Writes.Has(directory.FieldManager) {
			t.Log("this platform writes no managers")
			return
		}
		boss, first := s.create(t, 1)
		id, _ := s.create(t, 2, first.Memberships[0].Department)
		for _, manager := range []string{boss, ""} {
			want := directory.Profile{Set: directory.FieldManager, Manager: manager}
			s.update(t, id, want)
			s.reads(t, id, want)
		}
	}},
	{"what cannot be written is refused, not skipped", func(t *testing.T, s *suite) {
		id, want := s.create(t, 1)
		for f := range (directory.AllFields &^ s.caps.Writes).All() {
			change := s.wish(1)
			change.Set = f | directory.FieldTitle
			change.Title = "总监"
			err := s.Directory.UpdateAccount(t.Context(), id, change)
			s.fails(t, "writing "+f.String(), err, directory.NotSupported)
		}
		s.reads(t, id, want)
	}},
	{"freezing takes access away and gives it back", freezes},
}

func moves(t *testing.T, s *suite) {
	a := s.department(t, "甲部", s.caps.RootDepartment)
	b := s.department(t, "乙部", s.caps.RootDepartment)
	c := s.department(t, "丙部", s.caps.RootDepartment)
	id, want := sampleID(1), s.wish(1, a, b)
	want.Memberships[0].Leader = true
	if _, err := s.Directory.CreateAccount(t.Context(), id, directory.Ordinary, want); err != nil {
		t.Fatal(err)
	}
	move := directory.Profile{
		Set:         (directory.FieldDepartments | directory.FieldPrimaryDepartment) & s.caps.Writes,
		Memberships: []directory.Membership{{Department: c}, {Department: a}}, Primary: c,
	}
	s.update(t, id, move)
	s.reads(t, id, move)
	stay := directory.Profile{
		Set:         (directory.FieldDepartmentOrder | directory.FieldLeads) & s.caps.Writes,
		Memberships: []directory.Membership{want.Memberships[0]},
	}
	s.reads(t, id, stay)
}

func leads(t *testing.T, s *suite) {
	if !s.caps.Writes.Has(directory.FieldLeads) {
		t.Log("leading is not written on accounts here")
		return
	}
	id, want := s.create(t, 1)
	for _, leader := range []bool{true, false} {
		change := directory.Profile{Set: directory.FieldLeads, Memberships: []directory.Membership{
			{Department: want.Memberships[0].Department, Leader: leader},
		}}
		s.update(t, id, change)
		want.Memberships[0].Leader = leader
		s.reads(t, id, want)
	}
}

func freezes(t *testing.T, s *suite) {
	f, ok := s.Directory.(directory.Freezer)
	if !ok {
		t.Log("this platform freezes nobody")
		return
	}
	id, want := s.create(t, 1)
	if !s.caps.CanFreeze(directory.Ordinary) {
		s.fails(t, "Freeze", f.Freeze(t.Context(), id, "离职"), directory.NotSupported)
		return
	}
	steps := []struct {
		name string
		call func() error
		want directory.State
	}{
		{"Freeze", func() error { return f.Freeze(t.Context(), id, "离职") }, directory.Frozen},
		{"Freeze again", func() error { return f.Freeze(t.Context(), id, "离职") }, directory.Frozen},
		{"Unfreeze", func() error { return f.Unfreeze(t.Context(), id, "返岗") }, directory.Active},
		{"Unfreeze again", func() error { return f.Unfreeze(t.Context(), id, "返岗") }, directory.Active},
	}
	for _, step := range steps {
		if err := step.call(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if a := s.reads(t, id, want); a.State != step.want {
			t.Errorf("after %s the state is %q, want %q", step.name, a.State, step.want)
		}
	}
	s.fails(t, "Freeze of a stranger", f.Freeze(t.Context(), "nobody", "离职"), directory.NotFound)
}
