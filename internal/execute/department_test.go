package execute_test

import (
	"context"
	"slices"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
)

func unit(id string) directory.Department {
	return directory.Department{
		Set: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder,
		ID:  id, Name: "研发部", Parent: "1", Order: 20,
	}
}

func (s *scene) department(k plan.Kind, d directory.Department) execute.Outcome {
	return execute.Department(s.Context(), s.Fake, s.seen, plan.DepartmentPlan{Actions: []plan.DepartmentAction{{Kind: k, Department: d}}}, execute.By{})
}

func TestDepartmentIsCreated(t *testing.T) {
	for _, c := range []struct {
		caps  directory.Capabilities
		asked string
		id    string
	}{{open(), "4711", "4711"}, {closed(), "", "101"}} {
		s := begin(t, c.caps)
		o := s.department(plan.Create, unit(c.asked))
		if o.Err != nil || !o.Created || o.ID != c.id || !slices.Equal(o.Done, []plan.Kind{plan.Create}) {
			t.Errorf("outcome %+v", o)
		}
		if d := s.seen.Department(c.id); d == nil || d.Name != "研发部" || d.Order != 20 {
			t.Errorf("seen %+v", d)
		}
	}
}

func TestP3DepartmentCreationsAreLookedUp(t *testing.T) {
	unavailable := directorytest.Refused(directory.Unavailable)
	for name, c := range map[string]struct {
		caps    directory.Capabilities
		asked   string
		there   string // a department of that name that is there before
		create  directorytest.Fault
		look    directorytest.Fault
		class   directory.Class
		created bool
		seen    string
		found   string // what is told to be there already, and not to be ours
	}{
		"our id, lost after it happened":     {caps: open(), asked: "4711", create: directorytest.Lost(), seen: "4711"},
		"our id, lost before it happened":    {caps: open(), asked: "4711", create: directorytest.Refused(directory.OutcomeUnknown), class: directory.OutcomeUnknown},
		"our id, the look-up fails":          {caps: open(), asked: "4711", create: directorytest.Lost(), look: unavailable, class: directory.OutcomeUnknown},
		"our id is taken":                    {caps: open(), asked: "4711", there: "4711", found: "4711"},
		"a sibling has the name":             {caps: open(), asked: "4711", there: "8", found: "8"},
		"their id, lost after it happened":   {caps: closed(), create: directorytest.Lost(), class: directory.OutcomeUnknown},
		"their id, a sibling has the name":   {caps: closed(), there: "8", found: "8"},
		"their id, the look-up fails":        {caps: closed(), there: "8", look: unavailable, class: directory.AlreadyExists},
		"refused":                            {caps: open(), asked: "4711", create: directorytest.Refused(directory.Invalid), class: directory.Invalid},
		"created, and the reading fails":     {caps: open(), asked: "4711", look: unavailable, class: directory.Unavailable, created: true},
		"created, and the id would be known": {caps: closed(), look: unavailable, class: directory.Unavailable, created: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, c.caps)
			if c.there != "" {
				s.PlaceDepartment(unit(c.there))
			}
			if c.create.Err != nil {
				s.Next("CreateDepartment", c.create)
			}
			s.Next("Department", c.look)
			o := s.department(plan.Create, unit(c.asked))
			s.wantClass(o, c.class)
			if o.Created != c.created || (o.ID != "") != c.created {
				t.Errorf("outcome %+v", o)
			}
			if (c.seen != "") != (s.seen.Department(c.seen) != nil) {
				t.Errorf("%q is not seen", c.seen)
			}
			if (o.FoundDepartment != nil) != (c.found != "") || (o.FoundDepartment != nil && (!o.Existed || o.FoundDepartment.ID != c.found)) {
				t.Errorf("outcome %+v, found %+v", o, o.FoundDepartment)
			}
			if s.Count("CreateDepartment") != 1 {
				t.Errorf("calls %v", s.Calls())
			}
		})
	}
}

// stubborn keeps the order of departments.
type stubborn struct{ *directorytest.Fake }

func (s stubborn) UpdateDepartment(ctx context.Context, d directory.Department) error {
	d.Set &^= directory.DepartmentOrder
	return s.Fake.UpdateDepartment(ctx, d)
}

func TestP9DepartmentUpdatesAreReadBack(t *testing.T) {
	s := begin(t, open())
	s.PlaceDepartment(unit("8"))
	change := directory.Department{ID: "8", Set: directory.DepartmentName | directory.DepartmentOrder, Name: "研发中心", Order: 30}
	if o := s.department(plan.Update, change); o.Err != nil || o.IgnoredDepartment != 0 || !slices.Equal(o.Done, []plan.Kind{plan.Update}) || s.seen.Department("8").Order != 30 {
		t.Errorf("outcome %+v, seen %+v", o, s.seen.Department("8"))
	}
	// The platform accepts another order, and does not make it.
	change.Order = 40
	if o := execute.Department(t.Context(), stubborn{s.Fake}, s.seen, plan.DepartmentPlan{Actions: []plan.DepartmentAction{{Kind: plan.Update, Department: change}}}, execute.By{}); o.Err != nil || o.IgnoredDepartment != directory.DepartmentOrder {
		t.Errorf("outcome %+v", o)
	}
	s.Next("UpdateDepartment", directorytest.Lost())
	if o := s.department(plan.Update, change); directory.ClassOf(o.Err) != directory.OutcomeUnknown || len(o.Done) > 0 || s.seen.Department("8").Order != 40 {
		t.Errorf("lost: %+v, seen %+v", o, s.seen.Department("8"))
	}
	s.Next("Department", directorytest.Refused(directory.RateLimited))
	if o := s.department(plan.Update, change); directory.ClassOf(o.Err) != directory.RateLimited || o.IgnoredDepartment != 0 {
		t.Errorf("not read: %+v", o)
	}
	s.Vanish("8")
	if o := s.department(plan.Update, change); directory.ClassOf(o.Err) != directory.NotFound || !s.seen.DepartmentAbsent("8") || s.seen.Department("8") != nil {
		t.Errorf("gone: %+v", o)
	}
}

func TestP5DepartmentsAreConfirmed(t *testing.T) {
	s := begin(t, open())
	s.PlaceDepartment(unit("8"))
	if o := s.department(plan.Confirm, directory.Department{ID: "8"}); o.Err != nil || s.seen.Department("8") == nil || len(o.Done) > 0 {
		t.Errorf("there: %+v", o)
	}
	s.Next("Department", directorytest.Refused(directory.PermissionDenied))
	if o := s.department(plan.Confirm, directory.Department{ID: "8"}); directory.ClassOf(o.Err) != directory.PermissionDenied || s.seen.DepartmentAbsent("8") {
		t.Errorf("an error proves nothing: %+v", o)
	}
	s.Vanish("8")
	if o := s.department(plan.Confirm, directory.Department{ID: "8"}); o.Err != nil || !s.seen.DepartmentAbsent("8") {
		t.Errorf("gone: %+v", o)
	}
}

func TestDepartmentsStopAtTheFirstError(t *testing.T) {
	s := begin(t, open())
	p := plan.DepartmentPlan{Actions: []plan.DepartmentAction{{Kind: plan.Update, Department: unit("8")}, {Kind: plan.Create, Department: unit("9")}}}
	if o := execute.Department(t.Context(), s.Fake, s.seen, p, execute.By{}); directory.ClassOf(o.Err) != directory.NotFound || s.Count("CreateDepartment") > 0 {
		t.Errorf("outcome %+v, calls %v", o, s.Calls())
	}
}
