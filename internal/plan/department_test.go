package plan_test

import (
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

func departmentVerdict(p *plan.DepartmentPlan) string {
	if p.Hold != nil {
		return string(p.Hold.Reason)
	}
	var words []string
	for _, a := range p.Actions {
		word := string(a.Kind) + " " + a.Department.ID
		if a.Kind.Writes() {
			word += " {" + strings.Join(a.Department.Set.Names(), ", ") + "}"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

type departmentRow struct {
	name   string
	wish   func(*plan.DepartmentWish)
	record plan.DepartmentRecord
	facts  func(*plan.DepartmentFacts)
	want   string
	after  plan.DepartmentRecord
	says   string
}

func checkDepartments(t *testing.T, c directory.Capabilities, rows []departmentRow) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w := unit()
			if r.wish != nil {
				r.wish(&w)
			}
			f := plan.DepartmentFacts{Capabilities: c, Listed: true}
			if r.facts != nil {
				r.facts(&f)
			}
			p := plan.ForDepartment(w, r.record, f)
			if got := departmentVerdict(&p); got != r.want {
				t.Errorf("verdict %q, want %q (%+v)", got, r.want, p.Hold)
			}
			if p.Record != r.after {
				t.Errorf("record\n%+v, want\n%+v", p.Record, r.after)
			}
			if p.InSync() != (r.want == "") {
				t.Errorf("in sync: %t", p.InSync())
			}
			if p.Hold != nil && !strings.Contains(p.Hold.Message, r.says) {
				t.Errorf("message %q does not say %q", p.Hold.Message, r.says)
			}
		})
	}
}

func shown(id string, change ...func(*directory.Department)) func(*plan.DepartmentFacts) {
	return func(f *plan.DepartmentFacts) { f.Department = seenUnit(id, change...) }
}

func beside(id string, change ...func(*directory.Department)) func(*plan.DepartmentFacts) {
	return func(f *plan.DepartmentFacts) { f.Sibling = seenUnit(id, change...) }
}

func gone(f *plan.DepartmentFacts) { f.Absent = true }

func called(name string) func(*directory.Department) {
	return func(d *directory.Department) { d.Name = name }
}

func below(parent string) func(*directory.Department) {
	return func(d *directory.Department) { d.Parent = parent }
}

func ordered(n int64) func(*directory.Department) {
	return func(d *directory.Department) { d.Order = n }
}

func keyed(key string) func(*directory.Department) {
	return func(d *directory.Department) { d.Set, d.Key = d.Set|directory.DepartmentKey, key }
}

func pinnedTo(id string) func(*plan.DepartmentWish) {
	return func(w *plan.DepartmentWish) { w.Department.ID = id }
}

func oursUnit() plan.DepartmentRecord {
	return plan.DepartmentRecord{ID: "4711", Origin: plan.Created, Applied: "2"}
}

func TestDepartmentsBeforeAnythingIsKnown(t *testing.T) {
	checkDepartments(t, open(), []departmentRow{
		{
			name: "P4: a second claimant is refused", record: oursUnit(), after: oursUnit(),
			facts: func(f *plan.DepartmentFacts) { f.Claimant = "the Department sales"; f.Department = seenUnit("4711") },
			want:  "DataConflict", says: "the Department sales holds",
		},
		{
			name:  "P5: nothing is done before the first listing",
			facts: func(f *plan.DepartmentFacts) { f.Listed = false }, want: "WaitingForAccount",
		},
	})
}

func TestAbsentDepartments(t *testing.T) {
	chosen := plan.DepartmentRecord{ID: "4711", Origin: plan.Creating, AskedName: "研发部", AskedParent: "1"}
	checkDepartments(t, open(), []departmentRow{
		{name: "P3: created under the id of our choice", want: "Create 4711 {displayName, parent, order}", after: chosen},
		{
			name: "P3: somebody else's under that id lets us choose again", wish: func(w *plan.DepartmentWish) { w.Choice = "4712" },
			record: chosen, facts: shown("4711", called("市场部"), below("9")), want: "Create 4712 {displayName, parent, order}",
			after: plan.DepartmentRecord{ID: "4712", Origin: plan.Creating, AskedName: "研发部", AskedParent: "1"},
		},
		{name: "P5: a listing alone proves nothing", record: oursUnit(), want: "Confirm 4711", after: oursUnit()},
		{name: "P5: what is gone is held, not made again", record: oursUnit(), facts: gone, want: "Vanished", after: oursUnit()},
		{
			name: "P5: although a sibling has the name", record: oursUnit(),
			facts: func(f *plan.DepartmentFacts) { gone(f); beside("8")(f) }, want: "Vanished", after: oursUnit(),
		},
		{name: "P5: nor does a listing disprove a pinned id", wish: pinnedTo("8"), want: "Confirm 8"},
		{
			name: "a pinned id that is not there is the declaration's mistake", wish: pinnedTo("8"), facts: gone,
			want: "InvalidValue", says: "no department with the pinned id 8",
		},
	})
	checkDepartments(t, closed(), []departmentRow{
		{
			name: "the platform chooses the id, and managers come later",
			wish: func(w *plan.DepartmentWish) {
				w.Department.Set |= directory.DepartmentManagers
				w.Department.Managers = []string{"E0001"}
			},
			want:  "Create  {displayName, parent, order, key}",
			after: plan.DepartmentRecord{Origin: plan.Creating, AskedName: "研发部", AskedParent: "1"},
		},
	})
}

func TestP3DepartmentCreationsThatWereNotAnswered(t *testing.T) {
	asked := plan.DepartmentRecord{Origin: plan.Creating}
	checkDepartments(t, closed(), []departmentRow{
		{
			name: "the sibling is what we asked for", record: asked, facts: beside("8", keyed("acme/research")),
			want: "", after: plan.DepartmentRecord{ID: "8", Origin: plan.Created, Applied: "2"},
		},
		{
			name: "also when listings do not tell its key", record: asked, facts: beside("8", ordered(5)),
			want: "Update 8 {order}", after: plan.DepartmentRecord{ID: "8", Origin: plan.Created},
		},
		{
			name: "P4: a sibling that does not carry our key was somebody else's", record: asked, facts: beside("8", ordered(5), keyed("")),
			want: "AdoptionReview", says: "differs in: order", after: asked,
		},
	})
	chosen := plan.DepartmentRecord{ID: "4711", Origin: plan.Creating}
	checkDepartments(t, open(), []departmentRow{
		{
			name: "what is under the chosen id is ours", record: chosen, facts: shown("4711", ordered(5)),
			want: "Update 4711 {order}", after: plan.DepartmentRecord{ID: "4711", Origin: plan.Created},
		},
		{
			name: "P4: unless half of it is somebody else's", record: chosen, facts: shown("4711", below("9")),
			want: "AdoptionReview", says: "differs in: parent", after: chosen,
		},
	})
}

// TestP3DepartmentRenamedWhileItsCreationIsUnanswered: it is finished as it was begun, and then renamed and moved.
func TestP3DepartmentRenamedWhileItsCreationIsUnanswered(t *testing.T) {
	asked := plan.DepartmentRecord{Origin: plan.Creating, AskedName: "研究部", AskedParent: "7"}
	checkDepartments(t, closed(), []departmentRow{
		{
			name: "asked for once more under the name that it may have by now", record: asked,
			want: "Create  {displayName, parent, order, key}", after: asked,
		},
		{
			name: "found under that name, and renamed and moved", record: asked, facts: beside("8", called("研究部"), below("7"), keyed("acme/research")),
			want: "Update 8 {displayName, parent}", after: plan.DepartmentRecord{ID: "8", Origin: plan.Created},
		},
		{
			name: "P4: somebody else's of that name is left alone", record: asked, facts: beside("8", called("研究部"), below("7"), keyed("acme/sales")),
			want:  "Create  {displayName, parent, order, key}",
			after: plan.DepartmentRecord{Origin: plan.Creating, AskedName: "研发部", AskedParent: "1"},
		},
	})
	chosen := asked
	chosen.ID = "4711"
	checkDepartments(t, open(), []departmentRow{
		{
			name: "found under the id that we chose", record: chosen, facts: shown("4711", called("研究部"), below("7")),
			want: "Update 4711 {displayName, parent}", after: plan.DepartmentRecord{ID: "4711", Origin: plan.Created},
		},
	})
}

func TestP4DepartmentAdoption(t *testing.T) {
	policy := func(a plan.Adoption) func(*plan.DepartmentWish) {
		return func(w *plan.DepartmentWish) { w.Adoption = a }
	}
	adopted := plan.DepartmentRecord{ID: "8", Origin: plan.Adopted, Applied: "2"}
	checkDepartments(t, open(), []departmentRow{
		{name: "Review adopts what is equal", facts: beside("8"), want: "", after: adopted},
		{name: "Review shows the difference", facts: beside("8", ordered(5)), want: "AdoptionReview", says: "differs in: order"},
		{name: "no policy is Review", wish: policy(""), facts: beside("8", ordered(5)), want: "AdoptionReview"},
		{name: "Never refuses", wish: policy(plan.Never), facts: beside("8"), want: "DataConflict", says: "adoptionPolicy is Never"},
		{
			name: "Overwrite writes", wish: policy(plan.Overwrite), facts: beside("8", ordered(5)),
			want: "Update 8 {order}", after: plan.DepartmentRecord{ID: "8", Origin: plan.Adopted},
		},
		{name: "a pinned department is adopted by the same rules", wish: pinnedTo("8"), facts: shown("8", called("市场部")), want: "AdoptionReview"},
		{
			name: "the company itself", facts: shown("1", below("")), want: "",
			wish: func(w *plan.DepartmentWish) {
				w.Department.ID = "1"
				w.Department.Set &^= directory.DepartmentParent
			},
			after: plan.DepartmentRecord{ID: "1", Origin: plan.Adopted, Applied: "2"},
		},
	})
}

func TestDepartmentsConverging(t *testing.T) {
	ignoring := oursUnit()
	ignoring.Ignored = directory.DepartmentOrder
	old := plan.DepartmentRecord{ID: "4711", Origin: plan.Created, Applied: "1", Ignored: directory.DepartmentOrder}
	lead := func(w *plan.DepartmentWish) {
		w.Department.Set |= directory.DepartmentManagers
		w.Department.Managers = []string{"E0002", "E0001"}
	}
	led := func(ids ...string) func(*directory.Department) {
		return func(d *directory.Department) { d.Set, d.Managers = d.Set|directory.DepartmentManagers, ids }
	}
	checkDepartments(t, closed(), []departmentRow{
		{name: "equal is in sync", record: oursUnit(), facts: shown("4711"), want: "", after: oursUnit()},
		{
			name: "drift is healed, and only drift", record: oursUnit(), facts: shown("4711", called("市场部"), below("9")),
			want: "Update 4711 {displayName, parent}", after: oursUnit(),
		},
		{name: "the key never drifts", record: oursUnit(), facts: shown("4711", keyed("other/one")), want: "", after: oursUnit()},
		{name: "managers are a set", record: oursUnit(), wish: lead, facts: shown("4711", led("E0001", "E0002")), want: "", after: oursUnit()},
		{
			name: "with as many members", record: oursUnit(), wish: lead, facts: shown("4711", led("E0001")),
			want: "Update 4711 {managers}", after: oursUnit(),
		},
		{
			name: "and the same ones", record: oursUnit(), wish: lead, facts: shown("4711", led("E0001", "E0003")),
			want: "Update 4711 {managers}", after: oursUnit(),
		},
		{
			name: "what cannot be read is written with a new declaration", record: plan.DepartmentRecord{ID: "4711", Origin: plan.Created, Applied: "1"},
			wish: lead, facts: shown("4711"), want: "Update 4711 {managers}", after: plan.DepartmentRecord{ID: "4711", Origin: plan.Created, Applied: "1"},
		},
		{
			name: "P9: an ignored write is not repeated", record: ignoring, facts: shown("4711", ordered(5)),
			want: "WriteIgnored", says: "Closed accepted the change of order and did not make it", after: ignoring,
		},
		{
			name: "P9: a new declaration tries again", record: old, facts: shown("4711", ordered(5)),
			want: "Update 4711 {order}", after: plan.DepartmentRecord{ID: "4711", Origin: plan.Created, Applied: "1"},
		},
		{
			name: "P9: what was put right since is not ignored any more", record: ignoring, facts: shown("4711"),
			want: "", after: oursUnit(),
		},
		{
			name: "P9: and what a listing does not show was not", record: ignoring,
			facts: shown("4711", func(d *directory.Department) { d.Set &^= directory.DepartmentOrder }), want: "WriteIgnored", after: ignoring,
		},
	})
}

func TestDifferDepartment(t *testing.T) {
	all := directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder | directory.DepartmentManagers
	a := directory.Department{Set: all, Name: "研发部", Parent: "1", Order: 1, Managers: []string{"a", "b"}}
	b := directory.Department{Set: all, Name: "市场部", Parent: "2", Order: 2, Managers: []string{"a", "a"}}
	if got := plan.DifferDepartment(&a, &b); got != all {
		t.Errorf("differ in %v, want all", got.Names())
	}
	b.Set = 0
	if got := plan.DifferDepartment(&a, &b); got != 0 {
		t.Errorf("what was not read differs in %v", got.Names())
	}
	if got := (all | directory.DepartmentKey).Names(); !slices.Equal(got, []string{"displayName", "parent", "order", "managers", "key"}) {
		t.Errorf("names %v", got)
	}
}

func TestDepartmentDigest(t *testing.T) {
	f := plan.DepartmentFacts{Capabilities: open(), Listed: true, Department: seenUnit("4711", ordered(5))}
	one, two := plan.ForDepartment(unit(), oursUnit(), f), plan.ForDepartment(unit(), oursUnit(), f)
	w := unit()
	w.Department.Order = 6
	three := plan.ForDepartment(w, oursUnit(), f)
	if one.Digest() != two.Digest() || one.Digest() == three.Digest() {
		t.Error("a digest must be equal for equal plans, and for them only")
	}
}
