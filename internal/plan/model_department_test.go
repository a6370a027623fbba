package plan_test

import (
	"strconv"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

// tree is one department's place on a model platform, as world is a person's.
type tree struct {
	caps    directory.Capabilities
	real    map[string]directory.Department
	seen    map[string]directory.Department
	absent  map[string]bool
	record  plan.DepartmentRecord
	ignores directory.DepartmentFields
	trouble *dice
	made    int
}

func newTree(c directory.Capabilities, trouble *dice) *tree {
	return &tree{caps: c, real: map[string]directory.Department{}, seen: map[string]directory.Department{}, absent: map[string]bool{}, trouble: trouble}
}

// list is a full reading. Keys are told by direct readings only.
func (w *tree) list() {
	w.seen = map[string]directory.Department{}
	for id, d := range w.real {
		d.Set = directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder
		w.seen[id] = d
		delete(w.absent, id)
	}
}

func (w *tree) read(id string) bool {
	if w.trouble.one(4) {
		return false
	}
	d, there := w.real[id]
	delete(w.seen, id)
	if w.absent[id] = !there; there {
		d.Set = directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder | w.caps.DepartmentWrites
		w.seen[id] = d
	}
	return true
}

func child(of map[string]directory.Department, parent, name string) *directory.Department {
	for _, d := range of {
		if d.Parent == parent && d.Name == name {
			return &d
		}
	}
	return nil
}

// create makes the department unless its sibling or id is there; then it is looked up.
func (w *tree) create(d directory.Department) (made, failed bool) {
	lost := w.trouble.one(3)
	if there := child(w.real, d.Parent, d.Name); there != nil {
		return false, !w.read(there.ID)
	}
	if _, taken := w.real[d.ID]; taken {
		return false, !w.read(d.ID)
	}
	if d.ID == "" {
		d.ID = strconv.Itoa(100 + w.made)
	}
	w.made++
	w.real[d.ID] = d
	if lost {
		if w.caps.ChoosesDepartmentID {
			w.read(d.ID)
		}
		return false, true
	}
	w.record = plan.DepartmentRecord{Origin: plan.Created, ID: d.ID, Applied: w.record.Applied, Ignored: w.record.Ignored}
	return true, !w.read(d.ID)
}

func (w *tree) update(d directory.Department) (ignored directory.DepartmentFields, failed bool) {
	lost := w.trouble.one(3)
	have, there := w.real[d.ID]
	if !there {
		w.read(d.ID)
		return 0, true
	}
	set := d.Set &^ w.ignores
	if set.Has(directory.DepartmentName) {
		have.Name = d.Name
	}
	if set.Has(directory.DepartmentParent) {
		have.Parent = d.Parent
	}
	if set.Has(directory.DepartmentOrder) {
		have.Order = d.Order
	}
	w.real[d.ID] = have
	if !w.read(d.ID) || lost {
		return 0, true
	}
	now := w.seen[d.ID]
	return plan.DifferDepartment(&d, &now), false
}

func (w *tree) round(wish plan.DepartmentWish) plan.DepartmentPlan {
	f := plan.DepartmentFacts{Capabilities: w.caps, Listed: true}
	id := w.record.ID
	if id == "" {
		id = wish.Department.ID
	}
	if d, there := w.seen[id]; there {
		f.Department = &d
	} else {
		begun := w.record.Begun(wish.Department)
		f.Absent, f.Sibling = w.absent[id], child(w.seen, begun.Parent, begun.Name)
	}
	p := plan.ForDepartment(wish, w.record, f)
	w.record = p.Record
	if w.trouble.one(4) {
		w.restart()
		return p
	}
	for _, a := range p.Actions {
		done, failed := false, false
		var ignored directory.DepartmentFields
		switch a.Kind {
		case plan.Confirm:
			w.read(a.Department.ID)
		case plan.Create:
			done, failed = w.create(a.Department)
		default:
			ignored, failed = w.update(a.Department)
			done = !failed
		}
		if !done || failed {
			continue
		}
		if w.record.Applied != wish.Version {
			w.record.Ignored = 0
		}
		w.record.Applied = wish.Version
		w.record.Ignored |= ignored
	}
	if w.trouble.one(2) {
		w.list()
	}
	return p
}

func (w *tree) restart() {
	w.absent = map[string]bool{}
	w.list()
}

// settle is world.settle for departments.
func (w *tree) settle(t *testing.T, wish plan.DepartmentWish) plan.DepartmentPlan {
	t.Helper()
	w.trouble = &dice{}
	w.list()
	for range 8 {
		p := w.round(wish)
		if len(p.Actions) > 0 {
			w.list()
			continue
		}
		before := w.record
		if again := w.round(wish); len(again.Actions) > 0 || w.record != before {
			t.Fatalf("at rest, and then %+v with record %+v", again, w.record)
		}
		return p
	}
	t.Fatalf("does not settle: record %+v, really %+v", w.record, w.real)
	return plan.DepartmentPlan{}
}

// FuzzP3Departments: with lost answers, failed look-ups, crashes, drift and
// edits on the way, one department comes to be and is as declared; ignored
// writes end in a hold; what is removed by hand stays removed (P5).
func FuzzP3Departments(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		wish := unit()
		w := newTree(pick(d, open, closed)(), d)
		if d.one(3) {
			w.ignores = directory.DepartmentOrder
		}
		w.list()
		for range 6 {
			w.round(wish)
			if have, there := w.real[w.record.ID]; there && d.one(3) {
				have.Order = 77
				w.real[have.ID] = have
				w.list()
			}
			if d.one(3) {
				wish.Department.Order = int64(d.n(9))
				wish.Version += "+"
			}
			if d.one(4) { // also while a creation is unanswered
				wish.Department.Name += "一部"
				wish.Version += "+"
			}
			if d.one(4) {
				wish.Department.Parent += "1"
				wish.Version += "+"
			}
		}
		p := w.settle(t, wish)
		if w.made != 1 {
			t.Fatalf("%d departments were made", w.made)
		}
		have := w.real[w.record.ID]
		if equal := have.Order == wish.Department.Order && have.Name == wish.Department.Name && have.Parent == wish.Department.Parent; p.InSync() != equal {
			t.Errorf("in sync: %t, and really %+v, declared %+v", p.InSync(), have, wish.Department)
		}
		if !p.InSync() && (p.Hold.Reason != plan.WriteIgnored || w.ignores == 0) {
			t.Errorf("held: %+v", p.Hold)
		}
		delete(w.real, w.record.ID)
		if p := w.settle(t, wish); p.Hold == nil || p.Hold.Reason != plan.Vanished || w.made != 1 {
			t.Errorf("removed by hand, and the plan is %+v", p)
		}
	})
}
