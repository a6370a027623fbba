package plan_test

import (
	"reflect"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

// Each target holds one promise, over every situation that can be said.

// FuzzP2AccessFirst: taking access away comes first and giving it back last,
// it is never skipped silently, and nobody who is declared frozen gets an account.
func FuzzP2AccessFirst(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, r, facts := (&dice{b}).situation()
		p := plan.For(w, r, facts)
		for i, a := range p.Actions {
			switch {
			case a.Kind == plan.Freeze && (i != 0 || w.State != directory.Frozen):
				t.Errorf("freezes as action %d, declared %s", i, w.State)
			case a.Kind == plan.Unfreeze && (i != len(p.Actions)-1 || w.State != directory.Active):
				t.Errorf("unfreezes as action %d of %d, declared %s", i, len(p.Actions), w.State)
			case a.Kind == plan.Unfreeze && !r.FrozenByUs:
				t.Error("gives back what a person took")
			case a.Kind == plan.Create && a.State != w.State:
				t.Errorf("creates an account %s for somebody declared %s", a.State, w.State)
			case a.Kind == plan.Create && w.State == directory.Frozen && !facts.Capabilities.CreatesFrozen:
				t.Error("creates an account for somebody frozen")
			}
		}
		mine := facts.Claimant == "" && facts.Listed && !facts.Doubtful && p.Record.Origin.Owned() && facts.Account != nil
		if !mine || w.State != directory.Frozen || facts.Account.State == directory.Frozen {
			return
		}
		can := facts.Capabilities.CanFreeze(facts.Account.Type)
		if can && (len(p.Actions) == 0 || p.Actions[0].Kind != plan.Freeze) {
			t.Errorf("does not freeze: %+v", p)
		}
		if !can && (p.Hold == nil || p.Hold.Reason != plan.FreezeUnsupported) {
			t.Errorf("does not say that it cannot freeze: %+v", p.Hold)
		}
	})
}

// FuzzP3NothingTwice: a creation is planned only for what is not there and not
// ours, and its record goes before it.
func FuzzP3NothingTwice(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, r, facts := (&dice{b}).situation()
		p := plan.For(w, r, facts)
		for _, a := range p.Actions {
			if a.Kind != plan.Create {
				continue
			}
			switch {
			case len(p.Actions) != 1:
				t.Errorf("creates among %d actions", len(p.Actions))
			case facts.Account != nil, r.Origin.Owned(), r.Invited:
				t.Errorf("creates what is there: record %+v", r)
			case !facts.Complete && !facts.Absent, facts.Doubtful:
				t.Error("creates what nobody looked for")
			case len(facts.Namesakes) > 0 && !w.Pinned && r.Origin != plan.Creating:
				t.Error("creates although somebody carries the number")
			case p.Record.Origin != plan.Creating || p.Record.ID != a.ID || a.ID != w.ID:
				t.Errorf("creates %q for %q with the record %+v", a.ID, w.ID, p.Record)
			}
		}
		if facts.Account == nil && w.State == directory.Frozen && r.Origin == plan.Creating && !facts.Absent && p.InSync() {
			t.Error("nobody looked whether the creation happened")
		}
	})
}

// FuzzP4OwnedOrAdoptedOnly: changes are planned for accounts of ours only, by
// the adoption policy, and for declared fields only.
func FuzzP4OwnedOrAdoptedOnly(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, r, facts := (&dice{b}).situation()
		p := plan.For(w, r, facts)
		adopted := !r.Origin.Owned() && p.Record.Origin == plan.Adopted
		for _, a := range p.Actions {
			if a.Kind == plan.Confirm || a.Kind == plan.Create {
				continue
			}
			if !p.Record.Origin.Owned() || p.Record.ID != a.ID {
				t.Errorf("%s of %q with the record %+v", a.Kind, a.ID, p.Record)
			}
			if adopted && w.Adoption != plan.Overwrite {
				t.Errorf("%s {%s} on first sight with policy %q", a.Kind, a.Profile.Set, w.Adoption)
			}
			if a.Profile.Set&^(w.Profile.Set&facts.Capabilities.Writes) != 0 {
				t.Errorf("writes {%s}, declared are {%s}", a.Profile.Set, w.Profile.Set)
			}
		}
		for _, a := range p.Actions {
			if can := facts.Capabilities.Writes | facts.Capabilities.Creates; a.Kind == plan.Create && a.Profile.Set != w.Profile.Set&can {
				t.Errorf("creates with {%s}, declared are {%s}", a.Profile.Set, w.Profile.Set)
			}
		}
		if adopted && w.Adoption == plan.Never {
			t.Error("adopts under Never")
		}
		if facts.Claimant != "" && (p.Hold == nil || p.Record != r) {
			t.Errorf("somebody else holds it: %+v", p)
		}
	})
}

// FuzzP5AbsenceIsNotDeparture: what was ours and is not seen is not made again,
// nor called gone before a direct read said so.
func FuzzP5AbsenceIsNotDeparture(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, r, facts := (&dice{b}).situation()
		p := plan.For(w, r, facts)
		if p.Hold != nil && p.Hold.Reason == plan.Vanished && !facts.Absent {
			t.Error("called gone, and nobody asked")
		}
		if facts.Account != nil || !r.Origin.Owned() {
			return
		}
		if p.Record != r {
			t.Errorf("absence changed the record from %+v to %+v", r, p.Record)
		}
		for _, a := range p.Actions {
			if a.Kind != plan.Confirm || a.ID != r.ID {
				t.Errorf("absence leads to %s %q", a.Kind, a.ID)
			}
		}
		if p.InSync() {
			t.Error("an account of ours is not seen, and all is well")
		}
	})
}

// FuzzP9StatusTellsTheTruth: in sync is what was seen equal; nothing is ignored
// in peace; equal inputs give equal plans and stay as they are.
func FuzzP9StatusTellsTheTruth(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, r, facts := (&dice{b}).situation()
		w2, r2, facts2 := (&dice{b}).situation()
		p, again := plan.For(w, r, facts), plan.For(w, r, facts)
		if !reflect.DeepEqual(p, again) || p.Digest() != again.Digest() {
			t.Errorf("two plans of one situation:\n%+v\n%+v", p, again)
		}
		if !reflect.DeepEqual(w, w2) || r != r2 || !reflect.DeepEqual(facts, facts2) {
			t.Error("the plan changed what it was given")
		}
		if p.Hold != nil && len(p.Actions) > 0 {
			t.Errorf("holds (%s) and acts (%s)", p.Hold.Reason, p.Actions[0].Kind)
		}
		if p.Hold != nil && (p.Hold.Reason == "" || p.Hold.Message == "") {
			t.Error("a hold without a reason")
		}
		if !p.InSync() {
			return
		}
		if facts.Account == nil && (w.Pinned || len(facts.Namesakes) == 0) {
			if w.State != directory.Frozen {
				t.Error("there is no account, and all is well")
			}
			return
		}
		if p.Differ != 0 || p.StateDiffers || p.Record.Ignored != 0 || p.Record.Applied != w.Version || !p.Record.Origin.Owned() {
			t.Errorf("in sync, and differs in {%s}, state %t: %+v", p.Differ, p.StateDiffers, p.Record)
		}
	})
}

// FuzzP4Departments: the promises on single plans, for departments.
func FuzzP4Departments(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, r, facts := (&dice{b}).departmentSituation()
		w2, r2, facts2 := (&dice{b}).departmentSituation()
		p, again := plan.ForDepartment(w, r, facts), plan.ForDepartment(w, r, facts)
		if !reflect.DeepEqual(p, again) || !reflect.DeepEqual(w, w2) || r != r2 || !reflect.DeepEqual(facts, facts2) {
			t.Error("not the same twice, or the plan changed what it was given")
		}
		if p.Hold != nil && len(p.Actions) > 0 || len(p.Actions) > 1 {
			t.Errorf("holds and acts, or acts twice: %+v", p)
		}
		adopted := !r.Origin.Owned() && p.Record.Origin == plan.Adopted
		if adopted && w.Adoption == plan.Never {
			t.Error("adopts under Never")
		}
		for _, a := range p.Actions {
			checkDepartmentAction(t, w, r, facts, &p, a)
		}
		if p.Hold != nil && p.Hold.Reason == plan.Vanished && !facts.Absent {
			t.Error("called gone, and nobody asked")
		}
		if p.InSync() && (!p.Record.Origin.Owned() || p.Record.Applied != w.Version || p.Record.Ignored != 0 || p.Differ&facts.Capabilities.DepartmentWrites != 0) {
			t.Errorf("in sync: %+v", p)
		}
	})
}

func checkDepartmentAction(t *testing.T, w plan.DepartmentWish, r plan.DepartmentRecord, f plan.DepartmentFacts, p *plan.DepartmentPlan, a plan.DepartmentAction) {
	t.Helper()
	d := a.Department
	if d.Set&^(w.Department.Set&f.Capabilities.DepartmentWrites) != 0 {
		t.Errorf("writes %v, declared are %v", d.Set.Names(), w.Department.Set.Names())
	}
	switch a.Kind {
	case plan.Create:
		if r.Origin.Owned() || f.Sibling != nil && f.Department == nil || w.Department.ID != "" {
			t.Errorf("creates what is there: record %+v", r)
		}
		if p.Record.Origin != plan.Creating || p.Record.ID != d.ID {
			t.Errorf("creates %q with the record %+v", d.ID, p.Record)
		}
		if f.Capabilities.ChoosesDepartmentID != (d.ID == w.Choice) {
			t.Errorf("asks for the id %q", d.ID)
		}
	case plan.Update:
		if !p.Record.Origin.Owned() || p.Record.ID != d.ID {
			t.Errorf("updates %q with the record %+v", d.ID, p.Record)
		}
		if !r.Origin.Owned() && p.Record.Origin == plan.Adopted && w.Adoption != plan.Overwrite {
			t.Errorf("updates on first sight with policy %q", w.Adoption)
		}
	case plan.Confirm:
		if f.Department != nil || f.Absent || p.Record != r {
			t.Errorf("confirms what is known: %+v", p.Record)
		}
	default:
		t.Errorf("%s of a department", a.Kind)
	}
}
