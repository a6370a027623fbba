package dingtalk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"rollcall.dev/rollcall/internal/directory"
)

// walkers is how many departments are read at once; the budget paces the calls.
const walkers = 4

// List walks all departments and reads the people of each.
func (d *Directory) List(ctx context.Context) (*directory.Listing, error) {
	s, err := d.wire.scopes(ctx)
	if err != nil {
		return nil, err
	}
	w, err := d.walk(ctx)
	if err != nil {
		return nil, err
	}
	if len(w.people) == 0 {
		return nil, incomplete(&opUsers, "it lists nobody, and a company has at least its founder")
	}
	count, err := d.wire.userCount(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.Org.Departments, rootDepartment) {
		w.gaps = append(w.gaps, narrowScope)
	}
	if count != len(w.people) {
		w.gaps = append(w.gaps, fmt.Sprintf("DingTalk counts %d people, and %d were listed", count, len(w.people)))
	}
	personal := readsPersonal(s) || w.personal
	d.personal.Store(personal)
	return w.listing(personal), nil
}

// walk is what was seen on a way through all departments.
type walk struct {
	departments []directory.Department
	read        map[int64]bool // departments whose people were read to the end
	people      map[string]*person
	personal    bool
	gaps        []string
}

// person is one user, with what each of their departments says of them.
type person struct {
	user   user
	places map[int64]directory.Membership
}

// visit is what one department has.
type visit struct {
	children []department
	users    []user
	read     bool
	gap      string
}

// walk goes down level by level, so that parents come first.
func (d *Directory) walk(ctx context.Context) (*walk, error) {
	root, err := d.wire.department(ctx, rootDepartment)
	if err != nil {
		return nil, err
	}
	w := &walk{read: map[int64]bool{}, people: map[string]*person{}}
	known := map[integer]bool{rootDepartment: true}
	for level := []department{root}; len(level) > 0; {
		visits := make([]visit, len(level))
		err := inParallel(ctx, len(level), func(ctx context.Context, i int) (err error) {
			visits[i], err = d.visit(ctx, int64(level[i].ID))
			return err
		})
		if err != nil {
			return nil, err
		}
		var next []department
		for i, v := range visits {
			w.add(level[i], v)
			for _, child := range v.children {
				if !known[child.ID] {
					known[child.ID] = true
					child.Parent = level[i].ID
					next = append(next, child)
				}
			}
		}
		level = next
	}
	return w, nil
}

// visit reads one department. That it is gone, or outside the app's scope, is a
// gap in the listing; without the root there is nothing to list.
func (d *Directory) visit(ctx context.Context, id int64) (visit, error) {
	var v visit
	var err error
	if v.children, err = d.wire.children(ctx, id); err == nil {
		v.users, err = d.wire.usersOf(ctx, id)
	}
	v.read = err == nil
	e, coded := errors.AsType[*directory.Error](err)
	switch {
	case !coded || id == rootDepartment:
		return v, err
	case e.Class == directory.NotFound:
		v.gap = fmt.Sprintf("department %d was removed while it was read", id)
	case e.Code == codeDepartmentHidden:
		v.gap = fmt.Sprintf("department %d is outside the address-book scope of the app", id)
	default:
		return v, err
	}
	return v, nil
}

// add takes in what a visit to a department found.
func (w *walk) add(at department, v visit) {
	id := int64(at.ID)
	if v.gap != "" {
		w.gaps = append(w.gaps, v.gap)
	}
	d := directory.Department{
		Set: directory.DepartmentName | directory.DepartmentParent,
		ID:  departmentID(id), Name: string(at.Name), Parent: parentID(at),
	}
	if w.read[id] = v.read; v.read {
		d.Set |= directory.DepartmentManagers
	}
	for _, u := range v.users {
		w.personal = w.personal || showsPersonal(&u)
		key := string(u.UserID)
		p := w.people[key]
		if p == nil {
			p = &person{user: u, places: map[int64]directory.Membership{}}
			w.people[key] = p
		}
		p.places[id] = directory.Membership{Department: d.ID, Order: int64(u.Order), Leader: bool(u.Leader)}
		if u.Leader {
			d.Managers = append(d.Managers, key)
		}
	}
	slices.Sort(d.Managers)
	w.departments = append(w.departments, d)
}

// listing puts the people together from what their departments say.
func (w *walk) listing(personal bool) *directory.Listing {
	l := &directory.Listing{Departments: w.departments, Gaps: w.gaps}
	unknown := map[int64]bool{}
	for id, p := range w.people {
		a := account(&p.user, personal)
		whole := true
		for _, dept := range p.departments() {
			place, seen := p.places[dept]
			if !seen {
				place.Department = departmentID(dept)
				whole = false
			}
			if _, reached := w.read[dept]; !reached {
				unknown[dept] = true
			}
			a.Profile.Memberships = append(a.Profile.Memberships, place)
		}
		a.Profile.Set |= directory.FieldDepartments
		if whole {
			a.Profile.Set |= directory.FieldDepartmentOrder | directory.FieldLeads
		}
		a.ID = id
		l.Accounts = append(l.Accounts, a)
	}
	slices.SortFunc(l.Accounts, func(a, b directory.Account) int { return cmp.Compare(a.ID, b.ID) })
	for _, id := range sortedKeys(unknown) {
		l.Gaps = append(l.Gaps, fmt.Sprintf("department %d has people and was not reached", id))
	}
	return l
}

// departments are the ids of all departments of the person, sorted. The list
// that the person carries may be older than the pages that showed them.
func (p *person) departments() []int64 {
	ids := map[int64]bool{}
	for id := range p.places {
		ids[id] = true
	}
	for _, id := range p.user.Departments {
		ids[int64(id)] = true
	}
	return sortedKeys(ids)
}

// inParallel does n things, a few at a time. The first error ends the others and
// is returned.
func inParallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	for range min(n, walkers) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(ctx, i); err != nil {
					once.Do(func() { first = err })
					stop()
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}
