package restore

import (
	"maps"
	"slices"

	"rollcall.dev/rollcall/internal/directory"
)

// departments is what a planner knows of them. Keys are ids of the archive unless said otherwise.
type departments struct {
	archive map[string]*directory.Department
	// target is by id of the target, sibling the id by parent and name there.
	target  map[string]*directory.Department
	sibling map[[2]string]string
	// order has everybody below the root, parents first.
	order []string
	root  string
	// place is the id on the target, or the unmade name; held is who has it.
	place, held map[string]string
	// wanted are chosen, needed those and whatever has to be there for them and for chosen people.
	wanted, needed map[string]bool
	refused        map[string]Item
	leaders        map[string][]string
}

// placeDepartments finds out which department is which: by id in the same tenant,
// by its path of names otherwise; and which have to be made.
func (p *planner) placeDepartments() {
	d := &p.departments
	d.archive, d.target, d.sibling = map[string]*directory.Department{}, map[string]*directory.Department{}, map[[2]string]string{}
	d.place, d.held, d.refused = map[string]string{}, map[string]string{}, map[string]Item{}
	for i := range p.archive.Departments {
		d.archive[p.archive.Departments[i].ID] = &p.archive.Departments[i]
	}
	for i := range p.target.Departments {
		t := &p.target.Departments[i]
		d.target[t.ID] = t
		if at := [2]string{t.Parent, t.Name}; d.sibling[at] == "" && t.ID != p.caps.RootDepartment {
			d.sibling[at] = t.ID
		}
	}
	d.findRoot(p.caps.RootDepartment)
	d.sort()
	p.choose()
	if d.root != "" {
		d.put(d.root, p.caps.RootDepartment)
	}
	for _, id := range slices.Sorted(maps.Keys(d.archive)) {
		if _, there := d.target[id]; p.same && there && id != d.root && d.held[id] == "" {
			d.put(id, id)
		}
	}
	for _, id := range d.order {
		if d.place[id] == "" {
			p.placeByName(id)
		}
	}
	d.lead(p.archive.Accounts)
}

func (d *departments) put(archiveID, targetID string) {
	d.place[archiveID], d.held[targetID] = targetID, archiveID
}

// findRoot finds the company itself: the department that is in none.
func (d *departments) findRoot(usual string) {
	for _, id := range slices.Sorted(maps.Keys(d.archive)) {
		if d.archive[id].Parent == "" && (d.root == "" || id == usual) {
			d.root = id
		}
	}
}

// sort orders what hangs below the root; the rest cannot be restored, and is told why.
func (d *departments) sort() {
	children := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(d.archive)) {
		if id != d.root {
			children[d.archive[id].Parent] = append(children[d.archive[id].Parent], id)
		}
	}
	reached := map[string]bool{}
	if d.root != "" {
		reached[d.root] = true
		for queue := children[d.root]; len(queue) > 0; queue = queue[1:] {
			d.order = append(d.order, queue[0])
			reached[queue[0]] = true
			queue = append(queue, children[queue[0]]...)
		}
	}
	for id := range d.archive {
		if !reached[id] {
			d.refused[id] = Item{Verdict: Impossible, Message: d.astray(id)}
		}
	}
}

// astray says why a department does not hang below the root.
func (d *departments) astray(id string) string {
	seen := map[string]bool{}
	for at := d.archive[id]; at != nil; at = d.archive[at.Parent] {
		if seen[at.ID] {
			return "in the archive it is below itself"
		}
		seen[at.ID] = true
		if at.Parent == "" {
			return "in the archive it is in no department, as only the company may be"
		}
	}
	return "the archive does not have the department that it is in"
}

// choose marks what the options select, and what that needs.
func (p *planner) choose() {
	d := &p.departments
	d.wanted, d.needed = map[string]bool{}, map[string]bool{}
	all := p.o.UserIDs == nil && p.o.DepartmentIDs == nil
	for _, id := range p.o.DepartmentIDs {
		d.wanted[id] = true
	}
	for id := range d.archive {
		if all {
			d.wanted[id] = true
		}
	}
	for _, id := range d.order { // parents first: the mark goes down
		d.wanted[id] = d.wanted[id] || d.wanted[d.archive[id].Parent]
	}
	p.chosenPeople(all)
	for id := range d.archive {
		if d.wanted[id] {
			d.needed[id] = true
		}
	}
	for i := range p.archive.Accounts {
		if a := &p.archive.Accounts[i]; p.people.wanted[a.ID] {
			for _, m := range a.Profile.Memberships {
				d.needed[m.Department] = true
			}
		}
	}
	for _, id := range slices.Backward(d.order) { // children first: the mark goes up
		if d.needed[id] {
			d.needed[d.archive[id].Parent] = true
		}
	}
}

func (p *planner) chosenPeople(all bool) {
	p.people.wanted = map[string]bool{}
	for i := range p.archive.Accounts {
		a := &p.archive.Accounts[i]
		p.people.wanted[a.ID] = all || slices.Contains(p.o.UserIDs, a.ID) || slices.ContainsFunc(a.Profile.Memberships,
			func(m directory.Membership) bool { return p.departments.wanted[m.Department] })
	}
}

// placeByName finds a department by its name below its parent, or decides that it is made.
func (p *planner) placeByName(id string) {
	d := &p.departments
	a := d.archive[id]
	parent, placed := d.place[a.Parent]
	switch {
	case !placed:
		d.refused[id] = Item{Verdict: Impossible, Message: "the department that it is in is not there"}
		return
	case !a.Set.Has(directory.DepartmentName) || a.Name == "":
		d.refused[id] = Item{Verdict: Impossible, Message: "the archive does not have its name"}
		return
	}
	at := [2]string{parent, a.Name}
	if there := d.sibling[at]; there != "" {
		if by := d.held[there]; by != "" {
			d.refused[id] = Item{Verdict: Conflict, Fields: []string{"displayName"}, Message: "another department in the same place has its name: " + p.shown(there)}
			return
		}
		d.put(id, there)
		return
	}
	if !p.restores(Departments) || !d.needed[id] {
		return
	}
	d.put(id, unmade(id))
	d.sibling[at] = unmade(id)
}

// shown is the id of a department on the target, or that of the archive for one that is yet to be made.
func (p *planner) shown(place string) string {
	if id, made := cutUnmade(place); made {
		return id
	}
	return place
}

func cutUnmade(place string) (archiveID string, is bool) {
	if len(place) > 0 && place[:1] == unmadePrefix {
		return place[1:], true
	}
	return "", false
}

// planDepartments gives each its verdict.
func (p *planner) planDepartments() {
	if !p.restores(Departments) {
		return
	}
	d := &p.departments
	for _, id := range p.o.DepartmentIDs {
		if d.archive[id] == nil {
			p.add(Item{Verdict: Impossible, Kind: Departments, ID: id, Message: "the archive does not have it"})
		}
	}
	if d.root != "" && d.wanted[d.root] {
		p.add(Item{Verdict: Keep, Kind: Departments, ID: d.root, TargetID: p.caps.RootDepartment})
	}
	for _, id := range d.order {
		p.department(id)
	}
	for _, id := range slices.Sorted(maps.Keys(d.refused)) {
		if _, placed := d.place[id]; !placed && d.wanted[id] && !slices.Contains(d.order, id) {
			p.refuse(id)
		}
	}
}

func (p *planner) refuse(id string) {
	it := p.departments.refused[id]
	it.Kind, it.ID = Departments, id
	p.add(it)
}

func (p *planner) department(id string) {
	d := &p.departments
	place, placed := d.place[id]
	_, refused := d.refused[id]
	_, create := cutUnmade(place)
	switch {
	case !placed && refused && d.needed[id]:
		p.refuse(id)
	case placed && create:
		wish := p.departmentWish(id)
		item := p.add(Item{Verdict: Create, Kind: Departments, ID: id, Fields: wish.Set.Names()})
		if p.same && p.caps.ChoosesDepartmentID {
			wish.ID = id
		}
		p.work.Departments = append(p.work.Departments, departmentStep{Item: item, Archive: id, Wish: wish, Create: true})
	case placed && d.wanted[id]:
		p.existingDepartment(id, d.target[place])
	}
}

// departmentWish is a department as the target can be told of it. The key is our own
// mark of the tenant that it is from, and means nothing in another.
func (p *planner) departmentWish(id string) directory.Department {
	wish := *p.departments.archive[id]
	wish.ID, wish.Managers = "", nil
	wish.Set &= p.caps.DepartmentWrites &^ directory.DepartmentManagers
	if !p.same || wish.Key == "" {
		wish.Set, wish.Key = wish.Set&^directory.DepartmentKey, ""
	}
	parent, placed := p.departments.place[wish.Parent]
	if wish.Parent = parent; !placed {
		wish.Set &^= directory.DepartmentParent
	}
	return wish
}

func (p *planner) existingDepartment(id string, have *directory.Department) {
	wish := p.departmentWish(id)
	wish.Set &= have.Set
	differ := departmentsDiffer(&wish, have)
	it := Item{Verdict: Keep, Kind: Departments, ID: id, TargetID: have.ID, Fields: differ.Names()}
	switch {
	case differ == 0:
	case !p.o.Overwrite:
		it.Message = "it differs, and is newer than the archive"
	default:
		at := [2]string{have.Parent, have.Name}
		if differ.Has(directory.DepartmentParent) {
			at[0] = wish.Parent
		}
		if differ.Has(directory.DepartmentName) {
			at[1] = wish.Name
		}
		if by := p.departments.sibling[at]; by != "" && by != have.ID {
			it.Verdict, it.Message = Conflict, "another department in the same place has its name: "+p.shown(by)
			break
		}
		it.Verdict = Change
	}
	item := p.add(it)
	if it.Verdict == Change {
		wish.ID, wish.Set = have.ID, differ
		p.work.Departments = append(p.work.Departments, departmentStep{Item: item, Archive: id, Wish: wish})
	}
}

func departmentsDiffer(want, have *directory.Department) (differ directory.DepartmentFields) {
	for field, equal := range map[directory.DepartmentFields]bool{
		directory.DepartmentName:   want.Name == have.Name,
		directory.DepartmentParent: want.Parent == have.Parent,
		directory.DepartmentOrder:  want.Order == have.Order,
		directory.DepartmentKey:    want.Key == have.Key,
	} {
		if want.Set.Has(field) && !equal {
			differ |= field
		}
	}
	return differ
}

// lead gathers who leads what: platforms say it of the person, or of the department.
func (d *departments) lead(people []directory.Account) {
	d.leaders = map[string][]string{}
	for id, a := range d.archive {
		if a.Set.Has(directory.DepartmentManagers) {
			d.leaders[id] = slices.Clone(a.Managers)
		}
	}
	for i := range people {
		for _, m := range people[i].Profile.Memberships {
			if m.Leader && !slices.Contains(d.leaders[m.Department], people[i].ID) {
				d.leaders[m.Department] = append(d.leaders[m.Department], people[i].ID)
			}
		}
	}
}

// planLeads writes who leads a department, where that is written on the department:
// for people who come back, and for all when it may be overwritten.
func (p *planner) planLeads() {
	if !p.restores(Memberships) || p.caps.Writes.Has(directory.FieldLeads) {
		return
	}
	for _, id := range append([]string{p.departments.root}, p.departments.order...) {
		leaders := p.departments.leaders[id]
		if len(leaders) == 0 || !p.departments.needed[id] {
			continue
		}
		if place, placed := p.departments.place[id]; placed {
			p.leads(id, place, leaders)
		}
	}
}

func (p *planner) leads(id, place string, leaders []string) {
	have := p.departments.target[place]
	step := leadStep{Department: place}
	if have != nil {
		step.Managers = slices.Clone(have.Managers)
	}
	slices.Sort(leaders)
	for _, leader := range leaders {
		person := p.people.place[leader]
		switch {
		case !p.people.present[leader] || !p.people.wanted[leader] || slices.Contains(step.Managers, person):
		case !p.caps.DepartmentWrites.Has(directory.DepartmentManagers):
			p.lose(Memberships, leader, "leads", p.caps.Platform+" has no API to say who leads a department")
		case p.people.created[leader] || p.mine(leader) || p.o.Overwrite:
			step.Managers = append(step.Managers, person)
			step.Items = append(step.Items, p.relation(leader, "leads"))
		default:
			p.keepRelation(leader, "leads")
		}
	}
	if len(step.Items) > 0 {
		slices.Sort(step.Managers)
		p.work.Leads = append(p.work.Leads, step)
	}
}
