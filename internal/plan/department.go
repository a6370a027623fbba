package plan

import (
	"slices"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

// DepartmentWish is what is declared for one department on one tenant.
type DepartmentWish struct {
	// Department.ID is set when the declaration pins it. Set says what is declared.
	Department directory.Department
	// Choice is the id to ask for where ids are ours to choose.
	Choice   string
	Adoption Adoption
	Version  string
}

// DepartmentRecord is what we durably know of the department.
type DepartmentRecord struct {
	ID      string
	Origin  Origin
	Applied string
	Ignored directory.DepartmentFields
	// AskedName and AskedParent are what the platform was asked to create, while Origin is Creating.
	AskedName, AskedParent string
}

// Begun is the wished department as its creation was asked for. What was declared
// since follows as an update: were an unanswered creation not finished as it was
// begun, there would be a second department (P3).
func (r *DepartmentRecord) Begun(wish directory.Department) directory.Department {
	if r.Origin == Creating && r.AskedName != "" {
		wish.Name, wish.Parent = r.AskedName, r.AskedParent
	}
	return wish
}

// DepartmentFacts is what is known of the department now.
type DepartmentFacts struct {
	Capabilities directory.Capabilities
	Listed       bool
	// Department is the department under Record.ID or the pinned id; nil means that the listing does not have it.
	Department *directory.Department
	// Absent: a direct read said not-found, after the listing.
	Absent bool
	// Sibling has the name under the parent of [DepartmentRecord.Begun] and is nobody's.
	Sibling *directory.Department
	// Claimant names the Department object that holds it instead; empty if nobody does.
	Claimant string
}

// DepartmentAction is one call to make.
type DepartmentAction struct {
	Kind       Kind
	Department directory.Department
}

// DepartmentPlan is what to do: actions, or a hold, never both.
type DepartmentPlan struct {
	Record  DepartmentRecord
	Actions []DepartmentAction
	Hold    *Hold
	Differ  directory.DepartmentFields
}

// InSync reports that the department was seen to be as wished.
func (p *DepartmentPlan) InSync() bool { return p.Hold == nil && len(p.Actions) == 0 }

// Digest is equal for plans that do the same.
func (p *DepartmentPlan) Digest() string { return digest(p.Actions) }

// ForDepartment decides what to do for one department on one tenant.
func ForDepartment(w DepartmentWish, r DepartmentRecord, f DepartmentFacts) DepartmentPlan {
	p := DepartmentPlan{Record: r}
	if begun := r.Begun(w.Department); r.Origin == Creating && f.Department != nil && foreign(&begun, f.Department) {
		f.Department = nil // the id we were about to choose is somebody else's: choose again
	}
	switch {
	case f.Claimant != "":
		p.Hold = hold(DataConflict, "%s holds this department of the platform; two objects cannot share one: give this one another displayName, parentRef or departmentID", f.Claimant)
	case !f.Listed:
		p.Hold = hold(WaitingForAccount, "waiting until the directory of the tenant was read for the first time")
	case f.Department == nil:
		departmentAbsent(w, f, &p)
	case !r.Origin.Owned():
		adoptDepartment(w, f, &p)
	default:
		convergeDepartment(w, f, &p)
	}
	return p
}

// foreign: a department under an id of our own choosing that has neither our name
// nor our parent is a coincidence, unless the declaration pinned it.
func foreign(want, have *directory.Department) bool {
	const both = directory.DepartmentName | directory.DepartmentParent
	return want.ID == "" && DifferDepartment(want, have)&both == both
}

func departmentAbsent(w DepartmentWish, f DepartmentFacts, p *DepartmentPlan) {
	switch {
	case p.Record.Origin.Owned() && f.Absent:
		p.Hold = hold(Vanished, "the department %s existed and is gone from the platform, by no act of Rollcall. It is not created again unasked: if that is wanted, remove the account from spec.accounts and add it back, or, if it is the only one, delete the Department and declare it again", p.Record.ID)
	case p.Record.Origin.Owned():
		p.Actions = []DepartmentAction{{Kind: Confirm, Department: directory.Department{ID: p.Record.ID}}}
	case w.Department.ID != "" && !f.Absent:
		p.Actions = []DepartmentAction{{Kind: Confirm, Department: directory.Department{ID: w.Department.ID}}}
	case w.Department.ID != "":
		p.Hold = hold(InvalidValue, "the platform has no department with the pinned id %s: correct departmentID, or leave it out to have one created", w.Department.ID)
	case f.Sibling != nil:
		f.Department = f.Sibling
		adoptDepartment(w, f, p)
	default:
		d := p.Record.Begun(w.Department)
		d.Set &= f.Capabilities.DepartmentWrites
		if f.Capabilities.ChoosesDepartmentID {
			d.ID = w.Choice
		}
		// Managers have to be members first: they follow in an update.
		d.Set &^= directory.DepartmentManagers
		d.Managers = nil
		p.Record.ID, p.Record.Origin, p.Record.AskedName, p.Record.AskedParent = d.ID, Creating, d.Name, d.Parent
		p.Actions = []DepartmentAction{{Kind: Create, Department: d}}
	}
}

func adoptDepartment(w DepartmentWish, f DepartmentFacts, p *DepartmentPlan) {
	d := f.Department
	differ := DifferDepartment(&w.Department, d)
	const identity = directory.DepartmentName | directory.DepartmentParent
	begun := p.Record.Begun(w.Department)
	unfinished := p.Record.Origin == Creating && DifferDepartment(&begun, d)&identity == 0
	switch {
	case unfinished && !keyed(&w.Department, d):
		p.Record = DepartmentRecord{ID: d.ID, Origin: Created, Applied: p.Record.Applied, Ignored: p.Record.Ignored}
		convergeDepartment(w, f, p)
	case unfinished && (begun.Name != w.Department.Name || begun.Parent != w.Department.Parent):
		// Somebody else has the place that the creation was begun for, and another one is wished by now.
		f.Department, f.Sibling, p.Record = nil, nil, DepartmentRecord{}
		departmentAbsent(w, f, p)
	case w.Adoption == Never:
		p.Hold = hold(DataConflict, "the department %s exists already, and adoptionPolicy is Never: allow its adoption, or choose another displayName", d.ID)
	case w.Adoption != Overwrite && differ != 0:
		p.Differ = differ
		p.Hold = hold(AdoptionReview, "the department %s exists already and differs in: %s. Make the declaration agree, or set adoptionPolicy: Overwrite to replace what the platform has", d.ID, strings.Join(differ.Names(), ", "))
	default:
		p.Record = DepartmentRecord{ID: d.ID, Origin: Adopted}
		if w.Adoption != Overwrite {
			p.Record.Applied = w.Version
		}
		convergeDepartment(w, f, p)
	}
}

// keyed: the department carries another key than the one that we create it with.
func keyed(want, have *directory.Department) bool {
	return (want.Set & have.Set).Has(directory.DepartmentKey) && want.Key != have.Key
}

func convergeDepartment(w DepartmentWish, f DepartmentFacts, p *DepartmentPlan) {
	p.Differ = DifferDepartment(&w.Department, f.Department)
	p.Record.ID = f.Department.ID
	unseen := w.Department.Set &^ f.Department.Set &^ directory.DepartmentKey
	update := p.Differ & f.Capabilities.DepartmentWrites
	if p.Record.Applied != w.Version {
		p.Record.Ignored = 0
		update |= unseen & f.Capabilities.DepartmentWrites
	}
	p.Record.Ignored &= p.Differ | unseen // what is seen to be as wished was put right since
	update &^= p.Record.Ignored
	if update != 0 {
		d := w.Department
		d.ID, d.Set = f.Department.ID, update
		p.Actions = []DepartmentAction{{Kind: Update, Department: d}}
		return
	}
	p.Record.Applied = w.Version
	if ignored := p.Record.Ignored; ignored != 0 {
		p.Hold = hold(WriteIgnored, "%s accepted the change of %s and did not make it; it is tried again when the declaration changes", f.Capabilities.Platform, strings.Join(ignored.Names(), ", "))
	}
}

// DifferDepartment compares the declared fields that can be read. The key is ours alone and never drifts.
func DifferDepartment(want, have *directory.Department) directory.DepartmentFields {
	var differ directory.DepartmentFields
	both := want.Set & have.Set
	if both.Has(directory.DepartmentName) && want.Name != have.Name {
		differ |= directory.DepartmentName
	}
	if both.Has(directory.DepartmentParent) && want.Parent != have.Parent {
		differ |= directory.DepartmentParent
	}
	if both.Has(directory.DepartmentOrder) && want.Order != have.Order {
		differ |= directory.DepartmentOrder
	}
	if both.Has(directory.DepartmentManagers) && !sameSet(want.Managers, have.Managers) {
		differ |= directory.DepartmentManagers
	}
	return differ
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
