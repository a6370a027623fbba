package restore

import (
	"fmt"
	"slices"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

// membershipFields are what Memberships restores; the others are of People.
const membershipFields = directory.FieldDepartments | directory.FieldDepartmentOrder | directory.FieldPrimaryDepartment |
	directory.FieldLeads | directory.FieldManager

// ContactFields are those that an archive may lack because they could not be read.
const ContactFields = directory.FieldMobile | directory.FieldEmail

const stateField = "state"

// people is what a planner knows of them. Keys are ids of the archive unless said otherwise.
type people struct {
	wanted map[string]bool
	// place is the id on the target, there the account of that id.
	place map[string]string
	there map[string]*directory.Account
	// present exist when the restore is done, created are made by it.
	present, created map[string]bool
	refused          map[string]Item
	// item is where the plan speaks of a person; step is where it writes.
	item, memberItem, step map[string]int
	// supplied are the fields that are not from the archive: see Options.Declared.
	supplied map[string]directory.Fields
	// target, number, mobile and email find accounts of the target; promised are those that the plan gives away.
	target   map[string]*directory.Account
	number   map[string][]string
	unique   map[string]string
	promised map[string]string
}

// fold is what makes ids the same on the target.
func (p *planner) fold(id string) string {
	if p.caps.FoldsIDs {
		return strings.ToLower(id)
	}
	return id
}

// placePeople finds out who is who, and who is made.
func (p *planner) placePeople() {
	q := &p.people
	q.place, q.there, q.present, q.created = map[string]string{}, map[string]*directory.Account{}, map[string]bool{}, map[string]bool{}
	q.supplied = map[string]directory.Fields{}
	q.refused, q.item, q.memberItem, q.step = map[string]Item{}, map[string]int{}, map[string]int{}, map[string]int{}
	q.target, q.number, q.unique, q.promised = map[string]*directory.Account{}, map[string][]string{}, map[string]string{}, map[string]string{}
	for i := range p.target.Accounts {
		t := &p.target.Accounts[i]
		q.target[p.fold(t.ID)] = t
		if n := t.Profile.Number; n != "" {
			q.number[n] = append(q.number[n], t.ID)
		}
		for _, v := range uniques(&t.Profile, directory.AllFields) {
			if q.unique[v.key] == "" {
				q.unique[v.key] = t.ID
			}
		}
	}
	claimed := map[string]string{}
	for i := range p.archive.Accounts {
		a := &p.archive.Accounts[i]
		id, why := p.idOf(a)
		if id == "" {
			q.refused[a.ID] = Item{Verdict: Impossible, Message: why}
			continue
		}
		if by := claimed[p.fold(id)]; by != "" {
			q.refused[a.ID] = Item{Verdict: Conflict, Fields: []string{"id"}, Message: "another person of the archive comes to have the same id: " + by}
			continue
		}
		claimed[p.fold(id)] = a.ID
		q.place[a.ID] = id
		p.placePerson(a)
	}
}

// idOf is who somebody is on the target: the same id in the same tenant, else whoever
// has the employee number, else the id that Rollcall would choose.
func (p *planner) idOf(a *directory.Account) (id, why string) {
	if p.keeps {
		return a.ID, ""
	}
	number := a.Profile.Number
	var err error
	if number != "" {
		if id, err = p.accountID(number); err == nil && p.people.target[p.fold(id)] != nil {
			return id, ""
		}
		if holders := p.people.number[number]; len(holders) == 1 {
			return holders[0], ""
		}
		if err == nil {
			return id, ""
		}
	}
	if id, err = p.accountID(a.ID); err == nil {
		return id, ""
	}
	return "", "neither the employee number nor the old id can be a user id on " + p.caps.Platform
}

// placePerson decides whether somebody is there, made, or cannot be.
func (p *planner) placePerson(a *directory.Account) {
	q := &p.people
	id := q.place[a.ID]
	if have := q.target[p.fold(id)]; have != nil {
		if other := have.Profile.Number; !p.same && other != "" && a.Profile.Number != "" && other != a.Profile.Number {
			q.refused[a.ID] = Item{Verdict: Conflict, TargetID: id, Fields: []string{"id"}, Message: "somebody with another employee number has the id: " + have.ID}
			return
		}
		q.there[a.ID], q.present[a.ID], q.place[a.ID] = have, true, have.ID
		if p.begun[Thing{People, a.ID}] {
			p.supply(a) // as it was made
		}
		return
	}
	if !q.wanted[a.ID] {
		return
	}
	if !p.restores(People) {
		q.refused[a.ID] = Item{Verdict: Impossible, TargetID: id, Message: "the account is not there, and People are not restored"}
		return
	}
	if !slices.Contains([]directory.State{directory.Active, directory.Frozen, directory.Invited}, a.State) {
		q.refused[a.ID] = Item{Verdict: Impossible, TargetID: id, Fields: []string{stateField},
			Message: "the archive does not say, in words that are known here, whether the account could be used; a restore gives nobody access that was taken away"}
		return
	}
	if a.State == directory.Frozen && !p.caps.CreatesFrozen {
		q.refused[a.ID] = Item{Verdict: Impossible, TargetID: id, Fields: []string{stateField},
			Message: "the account was frozen, and " + p.caps.Platform + " cannot make one that is; a restore gives nobody access that was taken away"}
		return
	}
	p.supply(a)
	writes := a.Profile.Set & (p.caps.Writes | p.caps.Creates)
	if it, taken := p.taken(id, &a.Profile, writes); taken {
		q.refused[a.ID] = it
		return
	}
	p.promise(id, &a.Profile, writes)
	q.present[a.ID], q.created[a.ID] = true, true
}

// lacks are the fields that the archive may lack of somebody who is made, and the target could have.
func (p *planner) lacks(w *directory.Profile) directory.Fields {
	lacks := ContactFields
	if len(w.Memberships) > 1 {
		lacks |= directory.FieldPrimaryDepartment
	}
	return lacks & (p.caps.Writes | p.caps.Creates) &^ w.Set
}

// supply gives somebody who is made what the archive lacks.
func (p *planner) supply(a *directory.Account) {
	d, known := p.o.Declared[a.ID]
	if w := &a.Profile; known && (d.Number == "" || w.Number == "" || p.fold(d.Number) == p.fold(w.Number)) {
		supply := func(f directory.Fields, value string, into *string) {
			if *into == "" && value != "" && (p.caps.Writes | p.caps.Creates).Has(f) {
				*into, w.Set, p.people.supplied[a.ID] = value, w.Set|f, p.people.supplied[a.ID]|f
			}
		}
		supply(directory.FieldMobile, d.Mobile, &w.Mobile)
		supply(directory.FieldEmail, d.Email, &w.Email)
		if _, in := w.In(d.Primary); in {
			supply(directory.FieldPrimaryDepartment, d.Primary, &w.Primary)
		}
	}
}

// value is something that only one person can have.
type value struct {
	field directory.Fields
	key   string
}

func uniques(p *directory.Profile, of directory.Fields) (all []value) {
	for _, v := range []value{
		{directory.FieldNumber, p.Number}, {directory.FieldMobile, directory.MobileKey(p.Mobile)}, {directory.FieldEmail, strings.ToLower(p.Email)},
	} {
		if of.Has(v.field) && v.key != "" {
			all = append(all, value{v.field, v.field.String() + " " + v.key})
		}
	}
	return all
}

// taken is the conflict with whoever has what must be unique.
func (p *planner) taken(id string, w *directory.Profile, writes directory.Fields) (Item, bool) {
	for _, v := range uniques(w, writes) {
		for _, by := range []string{p.people.unique[v.key], p.people.promised[v.key]} {
			if by != "" && p.fold(by) != p.fold(id) {
				return Item{Verdict: Conflict, TargetID: id, Fields: v.field.Names(), Message: fmt.Sprintf("%s has the same %s", by, v.field)}, true
			}
		}
	}
	return Item{}, false
}

func (p *planner) promise(id string, w *directory.Profile, writes directory.Fields) {
	for _, v := range uniques(w, writes) {
		p.people.promised[v.key] = id
	}
}

// planPeople gives each their verdict.
func (p *planner) planPeople() {
	if !p.restores(People) && !p.restores(Memberships) {
		return
	}
	for _, id := range sortedUnique(p.o.UserIDs) {
		if _, known := p.people.wanted[id]; !known {
			p.add(Item{Verdict: Impossible, Kind: People, ID: id, Message: "the archive does not have this person"})
		}
	}
	for i := range p.archive.Accounts {
		a := &p.archive.Accounts[i]
		refused, no := p.people.refused[a.ID]
		switch {
		case !p.people.wanted[a.ID]:
		case no:
			refused.Kind, refused.ID = People, a.ID
			p.add(refused)
		case p.people.created[a.ID]:
			p.createPerson(a)
		default:
			p.existingPerson(a, p.people.there[a.ID])
		}
	}
	p.waves()
}

func sortedUnique(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// profile is what the archive has of somebody, in the words of the target. gone are
// those of its fields for which something is missing there.
func (p *planner) profile(a *directory.Account) (w directory.Profile, gone directory.Fields) {
	w = a.Profile.Clone()
	w.Memberships = nil
	for _, m := range a.Profile.Memberships {
		place, placed := p.departments.place[m.Department]
		if !placed {
			gone |= directory.FieldDepartments
			continue
		}
		m.Leader = slices.Contains(p.departments.leaders[m.Department], a.ID)
		m.Department = place
		w.Memberships = append(w.Memberships, m)
	}
	if p.caps.Writes.Has(directory.FieldLeads) {
		w.Set |= directory.FieldLeads
	} else {
		w.Set &^= directory.FieldLeads // planLeads
	}
	if w.Primary != "" {
		w.Primary = p.departments.place[w.Primary]
		if _, in := w.In(w.Primary); !in {
			w.Set &^= directory.FieldPrimaryDepartment
		}
	}
	if w.Manager != "" && w.Set.Has(directory.FieldManager) {
		if !p.people.present[w.Manager] {
			gone |= directory.FieldManager
			w.Set &^= directory.FieldManager
		}
		w.Manager = p.people.place[w.Manager]
	}
	if !p.restores(People) {
		w.Set &= membershipFields
	}
	if !p.restores(Memberships) {
		w.Set, w.Memberships, gone = w.Set&^membershipFields, nil, 0
	}
	return w, gone
}

// filled are the fields that say something.
func filled(w *directory.Profile) directory.Fields {
	nobody := directory.Profile{Set: directory.AllFields}
	differ, _ := directory.Differ(w, &nobody)
	for _, m := range w.Memberships {
		if m.Leader {
			differ |= directory.FieldLeads & w.Set
		}
		if m.Order != 0 {
			differ |= directory.FieldDepartmentOrder & w.Set
		}
	}
	return differ
}

func (p *planner) createPerson(a *directory.Account) {
	w, gone := p.profile(a)
	w.Set = filled(&w)
	p.loseGone(a, gone)
	p.loseFields(a, w.Set&^(p.caps.Writes|p.caps.Creates), "has no place for it")
	w.Set &= p.caps.Writes | p.caps.Creates
	if len(w.Memberships) == 0 {
		if p.restores(Memberships) {
			p.lose(Memberships, a.ID, "departments", "none of their departments is there: they are put into the company itself")
		}
		w.Memberships = []directory.Membership{{Department: p.caps.RootDepartment}}
	}
	w.Set |= directory.FieldDepartments
	if f := p.lacks(&w); f != 0 {
		p.lacking = append(p.lacking, Lack{ID: a.ID, TargetID: p.people.place[a.ID], Number: a.Profile.Number, Fields: f})
	}
	s := accountStep{ID: p.people.place[a.ID], Type: directory.Ordinary, Wish: w, Create: true, Frozen: a.State == directory.Frozen}
	it := Item{Verdict: Create, Kind: People, ID: a.ID, TargetID: s.ID, Fields: w.Set.Names()}
	if a.Type != "" && p.archive.Platform == p.target.Platform {
		s.Type = a.Type
	}
	if s.Frozen {
		it.Fields = append(it.Fields, stateField)
		it.Message = "frozen, as it was"
	}
	if supplied := p.people.supplied[a.ID] & w.Set; supplied != 0 {
		it.Message = strings.TrimPrefix(it.Message+"; not in the archive, but declared: "+strings.Join(supplied.Names(), ", "), "; ")
	}
	p.people.item[a.ID] = p.add(it)
	s.Items = []int{p.people.item[a.ID]}
	p.people.step[a.ID] = len(p.work.Accounts)
	p.work.Accounts = append(p.work.Accounts, s)
}

func (p *planner) loseGone(a *directory.Account, gone directory.Fields) {
	if gone.Has(directory.FieldDepartments) {
		p.lose(Memberships, a.ID, "departments", "some of their departments are not there")
	}
	if gone.Has(directory.FieldManager) {
		p.lose(Memberships, a.ID, "manager", "their manager is not there")
	}
}

func (p *planner) loseFields(a *directory.Account, lost directory.Fields, why string) {
	if a.Profile.Number == p.people.place[a.ID] {
		lost &^= directory.FieldNumber // it is the id
	}
	for f := range lost.All() {
		kind := People
		if membershipFields.Has(f) {
			kind = Memberships
		}
		p.lose(kind, a.ID, f.String(), p.caps.Platform+" "+why)
	}
}

// mine: this restore made the account, before it was interrupted. What it made is
// equal in all that is the person's own.
func (p *planner) mine(id string) bool {
	have := p.people.there[id]
	if have == nil || !p.begun[Thing{People, id}] {
		return false
	}
	i, _ := slices.BinarySearchFunc(p.archive.Accounts, id, func(a directory.Account, id string) int { return strings.Compare(a.ID, id) })
	w, _ := p.profile(&p.archive.Accounts[i])
	w.Set = filled(&w) & (p.caps.Writes | p.caps.Creates) &^ membershipFields
	differ, _ := directory.Differ(&w, &have.Profile)
	return differ == 0
}

func (p *planner) existingPerson(a *directory.Account, have *directory.Account) {
	w, gone := p.profile(a)
	if gone.Has(directory.FieldDepartments) && len(w.Memberships) == 0 {
		w.Set &^= directory.FieldDepartments | directory.FieldDepartmentOrder | directory.FieldLeads
	}
	differ, _ := directory.Differ(&w, &have.Profile)
	s := accountStep{ID: have.ID, Wish: w}
	s.Wish.Set = 0
	if p.restores(People) {
		p.ownFields(a, have, &s, differ&^membershipFields)
	}
	if member := differ & membershipFields; p.restores(Memberships) && (member != 0 || !p.restores(People)) {
		p.memberFields(a, have, &s, member)
	}
	if s.Wish.Set != 0 || s.Unfreeze {
		p.people.step[a.ID] = len(p.work.Accounts)
		p.work.Accounts = append(p.work.Accounts, s)
	}
}

// ownFields are those that are not memberships, and the state.
func (p *planner) ownFields(a, have *directory.Account, s *accountStep, differ directory.Fields) {
	it := Item{Verdict: Keep, Kind: People, ID: a.ID, TargetID: have.ID, Fields: differ.Names()}
	frozen := have.State == directory.Frozen && a.State == directory.Active
	switch {
	case have.State == directory.Invited:
		it.Message = "they are invited, and have not accepted yet"
	case differ == 0 && !frozen && a.State != directory.Frozen:
	case !p.o.Overwrite && (differ != 0 || frozen):
		it.Message = "it differs, and is newer than the archive"
	case p.o.Overwrite:
		p.overwrite(a, have, s, &it, differ, frozen)
	}
	it.tellState(a.State, have.State)
	p.people.item[a.ID] = p.add(it)
	if it.Verdict == Change {
		s.Items = append(s.Items, p.people.item[a.ID])
	}
}

// tellState names a state that differs and is left as it is.
func (it *Item) tellState(was, is directory.State) {
	switch {
	case was == directory.Frozen && is != directory.Frozen:
		it.Message = strings.TrimPrefix(it.Message+"; it was frozen, and a restore freezes nobody", "; ")
		it.Fields = append(it.Fields, stateField)
	case was == directory.Active && is == directory.Frozen && it.Verdict == Keep:
		it.Fields = append(it.Fields, stateField)
	}
}

func (p *planner) overwrite(a, have *directory.Account, s *accountStep, it *Item, differ directory.Fields, frozen bool) {
	if conflict, taken := p.taken(have.ID, &s.Wish, differ&p.caps.Writes); taken {
		it.Verdict, it.Fields, it.Message = Conflict, conflict.Fields, conflict.Message
		return
	}
	p.promise(have.ID, &s.Wish, differ&p.caps.Writes)
	p.loseFields(a, differ&^p.caps.Writes, "cannot change it")
	write := differ & p.caps.Writes
	s.Unfreeze = frozen && p.caps.CanFreeze(have.Type)
	if frozen && !s.Unfreeze {
		p.lose(People, a.ID, stateField, "such an account cannot be unfrozen by API")
	}
	if write == 0 && !s.Unfreeze {
		return
	}
	s.Wish.Set |= write
	it.Verdict, it.Fields = Change, write.Names()
	if s.Unfreeze {
		it.Fields = append(it.Fields, stateField)
	}
}

func (p *planner) memberFields(a, have *directory.Account, s *accountStep, differ directory.Fields) {
	it := Item{Verdict: Keep, Kind: Memberships, ID: a.ID, TargetID: have.ID, Fields: differ.Names()}
	write := differ & p.caps.Writes
	switch {
	case have.State == directory.Invited, differ == 0:
	case !p.o.Overwrite && !p.mine(a.ID):
		it.Message = "it differs, and is newer than the archive"
	default:
		p.loseFields(a, differ&^p.caps.Writes, "cannot change it")
		if write != 0 {
			s.Wish.Set |= write
			it.Verdict, it.Fields = Change, write.Names()
		}
	}
	p.people.memberItem[a.ID] = p.add(it)
	if it.Verdict == Change {
		s.Items = append(s.Items, p.people.memberItem[a.ID])
	}
}

// relation is the item that speaks of something written about a person elsewhere.
func (p *planner) relation(id, field string) int {
	at, own := p.people.item[id]
	if !p.people.created[id] || !own {
		at = p.memberItemOf(id)
		p.items[at].Verdict, p.items[at].Message = Change, ""
	}
	p.items[at].Fields = append(p.items[at].Fields, field)
	return at
}

// keepRelation says that somebody differs in what is written elsewhere, and is left alone.
func (p *planner) keepRelation(id, field string) {
	at := p.memberItemOf(id)
	p.items[at].Fields = append(p.items[at].Fields, field)
	p.items[at].Message = "it differs, and is newer than the archive"
}

func (p *planner) memberItemOf(id string) int {
	at, said := p.people.memberItem[id]
	if !said {
		at = p.add(Item{Verdict: Keep, Kind: Memberships, ID: id, TargetID: p.people.place[id]})
		p.people.memberItem[id] = at
	}
	return at
}
