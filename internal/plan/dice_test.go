package plan_test

import (
	"math/rand/v2"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

// dice turns a fuzzer's bytes into choices. When they are used up every choice
// is the first.
type dice struct{ bytes []byte }

// n returns a number below limit.
func (d *dice) n(limit int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return int(b) % limit
}

func (d *dice) one(in int) bool { return d.n(in) == in-1 }

func pick[T any](d *dice, from ...T) T { return from[d.n(len(from))] }

// fields returns a subset of f.
func (d *dice) fields(f directory.Fields) (some directory.Fields) {
	for one := range f.All() {
		if d.one(2) {
			some |= one
		}
	}
	return some
}

// seed gives a fuzz target what an ordinary `go test` tries.
func seed(f *testing.F) {
	chance := rand.New(rand.NewPCG(1, 2))
	f.Add([]byte{})
	for range 600 {
		b := make([]byte, 96)
		for i := range b {
			b[i] = byte(chance.Uint32())
		}
		f.Add(b)
	}
}

func (d *dice) capabilities() directory.Capabilities {
	c := pick(d, open, closed)()
	if d.one(4) {
		// Platforms that do not exist yet.
		c.Reads, c.Writes, c.Creates = d.fields(c.Reads), d.fields(c.Writes), d.fields(c.Creates)
		c.Freezes = pick(d, nil, c.Freezes)
		c.CreatesFrozen = d.one(2)
	}
	return c
}

// profile of an invented person, of which two are seldom equal in everything.
func (d *dice) profile() directory.Profile {
	p := directory.Profile{
		Set:  d.fields(directory.AllFields),
		Name: pick(d, "柳如烟", "赵敏"), Number: pick(d, "E0001", "e0001"),
		Mobile: pick(d, "+86-13800550001", "13800550001", "+86-13800550002"),
		Email:  pick(d, "liu@example.com", "zhao@example.com"), Title: pick(d, "工程师", "经理"),
		Workplace: pick(d, "上海", "北京"), HireDate: "2024-03-01", Telephone: "010-80000001",
		Primary: pick(d, "7", "8"), Manager: pick(d, "", "E0009"),
		Attributes: map[string]string{"工位": pick(d, "", "3-17")},
	}
	for _, id := range pick(d, []string{"7"}, []string{"7", "8"}, []string{"8", "7"}, nil) {
		p.Memberships = append(p.Memberships, directory.Membership{Department: id, Order: int64(d.n(2)), Leader: d.one(2)})
	}
	return p
}

func (d *dice) wish() plan.Wish {
	return plan.Wish{
		ID: "E0001", Pinned: d.one(3), Type: pick(d, directory.Ordinary, directory.Enterprise),
		State: pick(d, directory.Active, directory.Frozen), Profile: d.profile(),
		Adoption: pick(d, plan.Review, plan.Overwrite, plan.Never, ""), Version: pick(d, "1", "2"),
	}
}

// record of anything that can be known, together with the wish that it leads to:
// an account that has a record keeps its id.
func (d *dice) record(w *plan.Wish) plan.Record {
	r := plan.Record{
		ID: pick(d, "E0001", "liu"), Origin: pick(d, "", plan.Creating, plan.Created, plan.Adopted),
		Invited: d.one(3), FrozenByUs: d.one(2), Applied: pick(d, "", "1", "2"), Ignored: d.fields(directory.AllFields),
	}
	if r.Origin == "" {
		return plan.Record{}
	}
	w.ID = r.ID
	return r
}

func (d *dice) account(c directory.Capabilities, w *plan.Wish) *directory.Account {
	a := &directory.Account{
		ID: w.ID, Type: pick(d, directory.Ordinary, directory.Enterprise),
		State: pick(d, directory.Active, directory.Frozen), Profile: w.Profile.Clone(),
	}
	if d.one(2) {
		a.Profile = d.profile()
	}
	a.Profile.Set = directory.AllFields
	if d.one(2) {
		a.Profile.Set = c.Reads
	}
	return a
}

// facts, as consistent as their documentation says and not more.
func (d *dice) facts(w *plan.Wish, r plan.Record) plan.Facts {
	c := d.capabilities()
	f := plan.Facts{
		Capabilities: c, Listed: !d.one(8), Complete: d.one(2), Doubtful: d.one(8),
		Claimant: pick(d, "", "", "", "", "", "the Employee zhao"),
	}
	if d.one(2) {
		f.Account = d.account(c, w)
	} else {
		f.Absent = d.one(2)
	}
	if r.Origin == "" {
		for _, id := range pick(d, nil, nil, []string{"liu"}, []string{"liu", "ruyan"}) {
			a := d.account(c, w)
			a.ID = id
			f.Namesakes = append(f.Namesakes, *a)
		}
	}
	return f
}

func (d *dice) situation() (plan.Wish, plan.Record, plan.Facts) {
	w := d.wish()
	r := d.record(&w)
	return w, r, d.facts(&w, r)
}

// department is one of a few, pinned or not.
func (d *dice) department(ids ...string) directory.Department {
	return directory.Department{
		Set: directory.DepartmentFields(d.n(32)), ID: pick(d, ids...), Name: pick(d, "研发部", "市场部"),
		Parent: pick(d, "1", "9"), Order: int64(d.n(3)), Managers: pick(d, nil, []string{"E0001"}, []string{"E0001", "E0002"}),
		Key: pick(d, "acme/research", "", "acme/sales"),
	}
}

func (d *dice) departmentSituation() (plan.DepartmentWish, plan.DepartmentRecord, plan.DepartmentFacts) {
	w := plan.DepartmentWish{
		Department: d.department("", "", "8"), Choice: "4711",
		Adoption: pick(d, plan.Review, plan.Overwrite, plan.Never, ""), Version: pick(d, "1", "2"),
	}
	r := plan.DepartmentRecord{
		ID: pick(d, "4711", "8"), Origin: pick(d, "", plan.Creating, plan.Created, plan.Adopted),
		Applied: pick(d, "", "1", "2"), Ignored: directory.DepartmentFields(d.n(32)),
	}
	if r.Origin == "" {
		r = plan.DepartmentRecord{}
	}
	f := plan.DepartmentFacts{
		Capabilities: pick(d, open, closed)(), Listed: !d.one(8),
		Claimant: pick(d, "", "", "", "", "", "the Department sales"),
	}
	if id := r.ID + w.Department.ID; id != "" && d.one(2) {
		have := d.department(id)
		if r.ID != "" {
			have.ID = r.ID
		}
		f.Department = &have
	} else {
		f.Absent = d.one(2)
		if d.one(2) {
			sibling := d.department("6")
			sibling.Name, sibling.Parent = w.Department.Name, w.Department.Parent
			f.Sibling = &sibling
		}
	}
	return w, r, f
}
