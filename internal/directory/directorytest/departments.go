package directorytest

import (
	"errors"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

var departments = []contract{
	{"an unknown department is NotFound", func(t *testing.T, s *suite) {
		_, err := s.Directory.Department(t.Context(), "987654")
		s.fails(t, "Department", err, directory.NotFound)
		err = s.Directory.UpdateDepartment(t.Context(),
			directory.Department{ID: "987654", Set: directory.DepartmentName, Name: "无此部门"})
		s.fails(t, "UpdateDepartment", err, directory.NotFound)
	}},
	{"the root is a department", func(t *testing.T, s *suite) {
		d := s.readDepartment(t, s.caps.RootDepartment)
		if d.ID != s.caps.RootDepartment || d.Parent != "" {
			t.Errorf("the root is %q under %q, want %q under nothing", d.ID, d.Parent, s.caps.RootDepartment)
		}
	}},
	{"a department is created, renamed, moved and ordered, and keeps its id", departmentLife},
	{"siblings have different names", func(t *testing.T, s *suite) {
		first := s.department(t, "市场部", s.caps.RootDepartment)
		again := directory.Department{
			Set: directory.DepartmentName | directory.DepartmentParent, Name: "市场部", Parent: s.caps.RootDepartment,
		}
		if s.caps.ChoosesDepartmentID {
			again.ID = s.nextDepartmentID()
		}
		_, err := s.Directory.CreateDepartment(t.Context(), again)
		s.fails(t, "creating the name again", err, directory.AlreadyExists)
		if h := holder(err); h != "" && h != first {
			t.Errorf("the holder is %q, want %q or nothing", h, first)
		}
		s.department(t, "市场部", first)
	}},
	{"a department id of our choosing is the id, once", func(t *testing.T, s *suite) {
		if !s.caps.ChoosesDepartmentID {
			t.Log("this platform chooses department ids")
			return
		}
		d := directory.Department{
			ID: "4711", Set: directory.DepartmentName | directory.DepartmentParent, Name: "选号部", Parent: s.caps.RootDepartment,
		}
		if id, err := s.Directory.CreateDepartment(t.Context(), d); err != nil || id != d.ID {
			t.Fatalf("CreateDepartment = %q, %v, want 4711", id, err)
		}
		d.Name = "换名部"
		_, err := s.Directory.CreateDepartment(t.Context(), d)
		s.fails(t, "creating the id again", err, directory.AlreadyExists)
		if d := s.readDepartment(t, "4711"); d.Name != "选号部" {
			t.Errorf("department 4711 is now called %q", d.Name)
		}
	}},
	{"parents come first", func(t *testing.T, s *suite) {
		d := directory.Department{
			Set: directory.DepartmentName | directory.DepartmentParent, Name: "孤儿部", Parent: "987654",
		}
		if s.caps.ChoosesDepartmentID {
			d.ID = s.nextDepartmentID()
		}
		_, err := s.Directory.CreateDepartment(t.Context(), d)
		s.fails(t, "creating under an unknown parent", err, directory.NotFound, directory.Invalid)
	}},
	{"a department is not its own ancestor", func(t *testing.T, s *suite) {
		top := s.department(t, "上级部", s.caps.RootDepartment)
		sub := s.department(t, "下级部", top)
		err := s.Directory.UpdateDepartment(t.Context(),
			directory.Department{ID: top, Set: directory.DepartmentParent, Parent: sub})
		s.fails(t, "moving a department below itself", err, directory.Invalid)
	}},
	{"what cannot be written on a department is refused, not skipped", func(t *testing.T, s *suite) {
		id := s.department(t, "总务部", s.caps.RootDepartment)
		for _, f := range []directory.DepartmentFields{
			directory.DepartmentName, directory.DepartmentParent, directory.DepartmentOrder,
			directory.DepartmentManagers, directory.DepartmentKey,
		} {
			if s.caps.DepartmentWrites.Has(f) {
				continue
			}
			d := directory.Department{ID: id, Set: f | directory.DepartmentName, Name: "改名部", Key: "general-affairs"}
			s.fails(t, "writing a department", s.Directory.UpdateDepartment(t.Context(), d), directory.NotSupported)
		}
		if d := s.readDepartment(t, id); d.Name != "总务部" {
			t.Errorf("the refused write renamed the department to %q", d.Name)
		}
	}},
	{"managers of a department are written and read", func(t *testing.T, s *suite) {
		if !s.caps.DepartmentWrites.Has(directory.DepartmentManagers) {
			t.Log("managers are not written on departments here")
			return
		}
		id := s.department(t, "财务部", s.caps.RootDepartment)
		boss, _ := s.create(t, 1, id)
		for _, managers := range [][]string{{boss}, nil} {
			want := directory.Department{ID: id, Set: directory.DepartmentManagers, Managers: managers}
			if err := s.Directory.UpdateDepartment(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			if d := s.readDepartment(t, id); len(d.Managers) != len(managers) || len(managers) == 1 && d.Managers[0] != boss {
				t.Errorf("managers are %v, want %v", d.Managers, managers)
			}
		}
	}},
}

func departmentLife(t *testing.T, s *suite) {
	parent := s.department(t, "新上级", s.caps.RootDepartment)
	want := directory.Department{
		Set:  (directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder | directory.DepartmentKey) & s.caps.DepartmentWrites,
		Name: "研发部", Parent: s.caps.RootDepartment, Order: 30, Key: "research",
	}
	if s.caps.ChoosesDepartmentID {
		want.ID = s.nextDepartmentID()
	}
	id, err := s.Directory.CreateDepartment(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	want.ID = id
	s.sameDepartment(t, want)
	steps := []directory.Department{
		{ID: id, Set: directory.DepartmentName, Name: "研发中心"},
		{ID: id, Set: directory.DepartmentParent, Parent: parent},
		{ID: id, Set: directory.DepartmentOrder & s.caps.DepartmentWrites, Order: 1},
		{ID: id, Set: directory.DepartmentOrder & s.caps.DepartmentWrites, Order: 12345},
	}
	for _, step := range steps {
		if step.Set == 0 {
			continue
		}
		if err := s.Directory.UpdateDepartment(t.Context(), step); err != nil {
			t.Fatalf("writing %v: %v", step.Set.Names(), err)
		}
		want = merged(want, step)
		s.sameDepartment(t, want)
	}
}

func merged(d, change directory.Department) directory.Department {
	if change.Set.Has(directory.DepartmentName) {
		d.Name = change.Name
	}
	if change.Set.Has(directory.DepartmentParent) {
		d.Parent = change.Parent
	}
	if change.Set.Has(directory.DepartmentOrder) {
		d.Order = change.Order
	}
	return d
}

func (s *suite) readDepartment(t *testing.T, id string) directory.Department {
	t.Helper()
	d, err := s.Directory.Department(t.Context(), id)
	if err != nil {
		t.Fatalf("reading department %s: %v", id, err)
	}
	return d
}

func (s *suite) sameDepartment(t *testing.T, want directory.Department) {
	t.Helper()
	have := s.readDepartment(t, want.ID)
	if !have.Set.Has(want.Set) {
		t.Errorf("department %s: %v cannot all be read back, only %v", want.ID, want.Set.Names(), have.Set.Names())
	}
	if have.ID != want.ID || have.Name != want.Name || have.Parent != want.Parent ||
		want.Set.Has(directory.DepartmentOrder) && have.Order != want.Order ||
		want.Set.Has(directory.DepartmentKey) && have.Key != want.Key {
		t.Errorf("department %s:\nhave %+v\nwant %+v", want.ID, have, want)
	}
}

func holder(err error) string {
	if e, ok := errors.AsType[*directory.Error](err); ok {
		return e.Holder
	}
	return ""
}
