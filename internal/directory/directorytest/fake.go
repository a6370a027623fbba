package directorytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// Fake is a platform in memory, for tests of what stands on a directory. It obeys
// the contract, and fails on request. Safe for concurrent use. It implements all
// optional interfaces; embed it in a struct as a [directory.Directory] to hide them.
type Fake struct {
	caps directory.Capabilities

	mu          sync.Mutex
	accounts    map[string]*directory.Account
	departments map[string]*directory.Department
	roles       map[string]*heldRole
	kept        map[directory.Dataset][]directory.Item
	next        map[string][]Fault
	every       map[string]Fault
	leaving     leaving
	calls       []string
	ids         int

	// Now is the clock of messages, if it is set before the first call; else time.Now.
	Now func() time.Time
}

var (
	_ directory.Freezer      = (*Fake)(nil)
	_ directory.MobileFinder = (*Fake)(nil)
)

// Fault is what a call meets in place of a plain answer.
type Fault struct {
	// Err is what is answered.
	Err error
	// Happens: the call takes effect before Err is answered.
	Happens bool
	// Ignores are fields that a write accepts and drops.
	Ignores directory.Fields
	// Invites: a creation ends in an invitation.
	Invites bool
	// Listing changes what a listing says.
	Listing func(*directory.Listing)
	// After is how many items an export emits before Err.
	After int
	// Items changes what an export emits.
	Items func([]directory.Item) []directory.Item
	// Gaps are those that an export has.
	Gaps []directory.Gap
	// Missed are those whom a notice does not reach.
	Missed []string
	// Before runs before the call does anything, without a lock; it may block.
	Before func(context.Context)
}

// Lost is a call that takes effect and is never answered.
func Lost() Fault {
	return Fault{Happens: true, Err: refusal(directory.OutcomeUnknown, "nobody answered")}
}

// Refused is a call that is refused with this class.
func Refused(c directory.Class) Fault { return Fault{Err: refusal(c, "refused on request")} }

func refusal(c directory.Class, format string, args ...any) *directory.Error {
	return &directory.Error{Class: c, Operation: "fake", Message: fmt.Sprintf(format, args...)}
}

// NewFake returns a company with its root department and nobody in it but the founder.
func NewFake(c directory.Capabilities) *Fake {
	f := &Fake{
		caps: c, ids: 100,
		accounts: map[string]*directory.Account{}, departments: map[string]*directory.Department{},
		roles: map[string]*heldRole{}, kept: map[directory.Dataset][]directory.Item{},
		leaving: newLeaving(),
		next:    map[string][]Fault{}, every: map[string]Fault{},
	}
	f.departments[c.RootDepartment] = &directory.Department{ID: c.RootDepartment, Name: "公司"}
	f.Place(directory.Account{ID: "founder", Type: directory.Ordinary, State: directory.Active, Profile: directory.Profile{
		Name: "创始人", Memberships: []directory.Membership{{Department: c.RootDepartment}}, Primary: c.RootDepartment,
	}})
	return f
}

// Next lets the next calls of a method meet the faults, one each.
func (f *Fake) Next(method string, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next[method] = append(f.next[method], faults...)
}

// Every lets every call of a method meet the fault, until the zero Fault is given.
func (f *Fake) Every(method string, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.every[method] = fault
}

// Calls lists the calls so far as "<method> <id>", in order of arrival.
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Count is how often a method was called.
func (f *Fake) Count(method string) (n int) {
	for _, c := range f.Calls() {
		if strings.HasPrefix(c, method+" ") {
			n++
		}
	}
	return n
}

// Place puts an account there behind the directory's back, or replaces it.
func (f *Fake) Place(a directory.Account) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a.Profile = a.Profile.Clone()
	f.accounts[f.key(a.ID)] = &a
}

// PlaceDepartment does for departments what Place does for accounts.
func (f *Fake) PlaceDepartment(d directory.Department) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.departments[d.ID] = &d
}

// Vanish deletes an account or department behind the directory's back.
func (f *Fake) Vanish(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.accounts, f.key(id))
	delete(f.departments, id)
}

// Really is the account as it is, with every field; nil if there is none.
func (f *Fake) Really(id string) *directory.Account {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.accounts[f.key(id)]; a != nil {
		c := f.show(a, directory.AllFields)
		return &c
	}
	return nil
}

func (f *Fake) key(id string) string {
	if f.caps.FoldsIDs {
		return strings.ToLower(id)
	}
	return id
}

// enter begins a call. A fault that does not happen ends it with an error.
func (f *Fake) enter(ctx context.Context, method, id string) (Fault, error) {
	if err := ctx.Err(); err != nil {
		return Fault{}, err
	}
	f.mu.Lock()
	f.calls = append(f.calls, method+" "+id)
	fault := f.every[method]
	if queued := f.next[method]; len(queued) > 0 {
		fault, f.next[method] = queued[0], queued[1:]
	}
	f.mu.Unlock()
	if fault.Before != nil {
		fault.Before(ctx)
		if err := ctx.Err(); err != nil {
			return fault, err
		}
	}
	if fault.Err != nil && !fault.Happens {
		return fault, fault.Err
	}
	return fault, nil
}

// Capabilities implements [directory.Directory].
func (f *Fake) Capabilities() directory.Capabilities { return f.caps }

// Check implements [directory.Directory].
func (f *Fake) Check(ctx context.Context) error {
	_, err := f.enter(ctx, "Check", "")
	return err
}

// List implements [directory.Directory].
func (f *Fake) List(ctx context.Context) (*directory.Listing, error) {
	fault, err := f.enter(ctx, "List", "")
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l := &directory.Listing{}
	for _, k := range slices.Sorted(maps.Keys(f.accounts)) {
		l.Accounts = append(l.Accounts, f.show(f.accounts[k], f.caps.Reads))
	}
	for _, id := range slices.Sorted(maps.Keys(f.departments)) {
		l.Departments = append(l.Departments, f.showDepartment(f.departments[id]))
	}
	if fault.Listing != nil {
		fault.Listing(l)
	}
	if len(l.Accounts) == 0 {
		return nil, refusal(directory.Unavailable, "the listing is empty")
	}
	return l, fault.Err
}

// Account implements [directory.Directory].
func (f *Fake) Account(ctx context.Context, id string) (directory.Account, error) {
	fault, err := f.enter(ctx, "Account", id)
	if err != nil {
		return directory.Account{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.accounts[f.key(id)]
	if a == nil {
		return directory.Account{}, refusal(directory.NotFound, "there is no such account")
	}
	return f.show(a, f.caps.Reads), fault.Err
}

// show is the account with the fields in set and no others.
func (f *Fake) show(a *directory.Account, set directory.Fields) directory.Account {
	out := *a
	out.Profile = directory.Profile{}
	copyFields(&out.Profile, &a.Profile, set)
	out.Profile.Set = set
	if !set.Has(directory.FieldDepartments) {
		out.Profile.Memberships = nil
	}
	return out
}

// CreateAccount implements [directory.Directory].
func (f *Fake) CreateAccount(ctx context.Context, id string, t directory.AccountType, p directory.Profile) (directory.State, error) {
	fault, err := f.enter(ctx, "CreateAccount", id)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.accounts[f.key(id)] != nil {
		return "", refusal(directory.AlreadyExists, "the id is taken")
	}
	p.Set &^= fault.Ignores
	if err := f.admissible(id, &p, f.caps.Writes|f.caps.Creates); err != nil {
		return "", err
	}
	if fault.Invites {
		return directory.Invited, fault.Err
	}
	a := &directory.Account{ID: id, Type: t, State: directory.Active}
	copyFields(&a.Profile, &p, p.Set)
	f.accounts[f.key(id)] = a
	if fault.Err != nil {
		return "", fault.Err // a lost answer tells no state
	}
	return directory.Active, nil
}

// UpdateAccount implements [directory.Directory].
func (f *Fake) UpdateAccount(ctx context.Context, id string, p directory.Profile) error {
	fault, err := f.enter(ctx, "UpdateAccount", id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.accounts[f.key(id)]
	if a == nil {
		return refusal(directory.NotFound, "there is no such account")
	}
	if err := f.admissible(id, &p, f.caps.Writes); err != nil {
		return err
	}
	copyFields(&a.Profile, &p, p.Set&^fault.Ignores)
	return fault.Err
}

// admissible refuses what a platform refuses. The lock is held.
func (f *Fake) admissible(id string, p *directory.Profile, writable directory.Fields) error {
	if p.Set&^writable != 0 {
		return refusal(directory.NotSupported, "cannot be written: %s", p.Set&^writable)
	}
	if p.Set.Has(directory.FieldDepartments) {
		for _, m := range p.Memberships {
			if f.departments[m.Department] == nil {
				return refusal(directory.Invalid, "there is no department %s", m.Department)
			}
		}
	}
	for k, other := range f.accounts {
		if k == f.key(id) {
			continue
		}
		taken := p.Set.Has(directory.FieldMobile) && other.Profile.Mobile != "" && directory.SameMobile(p.Mobile, other.Profile.Mobile) ||
			p.Set.Has(directory.FieldEmail) && p.Email != "" && strings.EqualFold(p.Email, other.Profile.Email)
		if taken {
			err := refusal(directory.Conflict, "the mobile number or address is taken")
			err.Holder = other.ID
			return err
		}
	}
	return nil
}

// Freeze implements [directory.Freezer].
func (f *Fake) Freeze(ctx context.Context, id, _ string) error {
	return f.setState(ctx, "Freeze", id, directory.Frozen)
}

// Unfreeze implements [directory.Freezer].
func (f *Fake) Unfreeze(ctx context.Context, id, _ string) error {
	return f.setState(ctx, "Unfreeze", id, directory.Active)
}

func (f *Fake) setState(ctx context.Context, method, id string, s directory.State) error {
	fault, err := f.enter(ctx, method, id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch a := f.accounts[f.key(id)]; {
	case a == nil:
		return refusal(directory.NotFound, "there is no such account")
	case !f.caps.CanFreeze(a.Type):
		return refusal(directory.NotSupported, "this account cannot be frozen")
	default:
		a.State = s
	}
	return fault.Err
}

// FindByMobile implements [directory.MobileFinder].
func (f *Fake) FindByMobile(ctx context.Context, mobile string) (string, error) {
	fault, err := f.enter(ctx, "FindByMobile", "")
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.accounts {
		if a.Profile.Mobile != "" && directory.SameMobile(a.Profile.Mobile, mobile) {
			return a.ID, fault.Err
		}
	}
	return "", refusal(directory.NotFound, "nobody has this number")
}

// copyFields copies the fields in set. What is not in set of memberships that
// stay, their order and who leads, stays.
func copyFields(to, from *directory.Profile, set directory.Fields) {
	for f := range set.All() {
		switch f {
		case directory.FieldName:
			to.Name = from.Name
		case directory.FieldNumber:
			to.Number = from.Number
		case directory.FieldMobile:
			to.Mobile = from.Mobile
		case directory.FieldEmail:
			to.Email = from.Email
		case directory.FieldTelephone:
			to.Telephone = from.Telephone
		case directory.FieldTitle:
			to.Title = from.Title
		case directory.FieldWorkplace:
			to.Workplace = from.Workplace
		case directory.FieldHireDate:
			to.HireDate = from.HireDate
		case directory.FieldPrimaryDepartment:
			to.Primary = from.Primary
		case directory.FieldManager:
			to.Manager = from.Manager
		}
	}
	copyMemberships(to, from, set)
	if set.Has(directory.FieldAttributes) {
		copyAttributes(to, from)
	}
}

func copyMemberships(to, from *directory.Profile, set directory.Fields) {
	if set.Has(directory.FieldDepartments) {
		var kept []directory.Membership
		for _, m := range from.Memberships {
			have, _ := to.In(m.Department)
			have.Department = m.Department
			kept = append(kept, have)
		}
		to.Memberships = kept
	}
	for i := range to.Memberships {
		have := &to.Memberships[i]
		want, in := from.In(have.Department)
		if in && set.Has(directory.FieldDepartmentOrder) && want.Order != 0 {
			have.Order = want.Order
		}
		if in && set.Has(directory.FieldLeads) {
			have.Leader = want.Leader
		}
	}
}

func copyAttributes(to, from *directory.Profile) {
	if to.Attributes == nil {
		to.Attributes = map[string]string{}
	}
	for k, v := range from.Attributes {
		if v == "" {
			delete(to.Attributes, k)
		} else {
			to.Attributes[k] = v
		}
	}
}

// Department implements [directory.Directory].
func (f *Fake) Department(ctx context.Context, id string) (directory.Department, error) {
	fault, err := f.enter(ctx, "Department", id)
	if err != nil {
		return directory.Department{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.departments[id]
	if d == nil {
		return directory.Department{}, refusal(directory.NotFound, "there is no such department")
	}
	return f.showDepartment(d), fault.Err
}

// showDepartment adds who leads, which is kept with the people. The lock is held.
func (f *Fake) showDepartment(d *directory.Department) directory.Department {
	out := *d
	out.Set = directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder | directory.DepartmentManagers |
		f.caps.DepartmentWrites&directory.DepartmentKey
	out.Managers = nil
	for _, a := range f.accounts {
		if m, in := a.Profile.In(d.ID); in && m.Leader {
			out.Managers = append(out.Managers, a.ID)
		}
	}
	slices.Sort(out.Managers)
	return out
}

// CreateDepartment implements [directory.Directory].
func (f *Fake) CreateDepartment(ctx context.Context, d directory.Department) (string, error) {
	fault, err := f.enter(ctx, "CreateDepartment", d.ID)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.ID != "" && f.departments[d.ID] != nil {
		return "", refusal(directory.AlreadyExists, "the id is taken")
	}
	if d.ID == "" || !f.caps.ChoosesDepartmentID {
		f.ids++
		d.ID = strconv.Itoa(f.ids)
	}
	if err := f.writeDepartment(&directory.Department{ID: d.ID}, &d); err != nil {
		return "", err
	}
	return d.ID, fault.Err
}

// UpdateDepartment implements [directory.Directory].
func (f *Fake) UpdateDepartment(ctx context.Context, d directory.Department) error {
	fault, err := f.enter(ctx, "UpdateDepartment", d.ID)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	have := f.departments[d.ID]
	if have == nil {
		return refusal(directory.NotFound, "there is no such department")
	}
	if err := f.writeDepartment(have, &d); err != nil {
		return err
	}
	return fault.Err
}

// writeDepartment writes the fields in d.Set over what there is, if it may. The lock is held.
func (f *Fake) writeDepartment(old, d *directory.Department) error {
	if d.Set&^f.caps.DepartmentWrites != 0 {
		return refusal(directory.NotSupported, "cannot be written: %v", (d.Set &^ f.caps.DepartmentWrites).Names())
	}
	have := *old
	if d.Set.Has(directory.DepartmentName) {
		have.Name = d.Name
	}
	if d.Set.Has(directory.DepartmentParent) {
		have.Parent = d.Parent
	}
	if d.Set.Has(directory.DepartmentOrder) {
		have.Order = d.Order
	}
	if d.Set.Has(directory.DepartmentKey) {
		have.Key = d.Key
	}
	if err := f.fits(&have); err != nil {
		return err
	}
	if d.Set.Has(directory.DepartmentManagers) {
		if err := f.lead(d); err != nil {
			return err
		}
	}
	f.departments[d.ID] = &have
	return nil
}

// fits refuses a department with a sibling of its name, and one that is not below the root.
func (f *Fake) fits(d *directory.Department) error {
	for id, other := range f.departments {
		if id != d.ID && other.Parent == d.Parent && other.Name == d.Name {
			err := refusal(directory.AlreadyExists, "a sibling has this name")
			err.Holder = id
			return err
		}
	}
	for at := d.Parent; d.ID != f.caps.RootDepartment; {
		if at == f.caps.RootDepartment {
			return nil
		}
		above := f.departments[at]
		if above == nil || at == d.ID {
			return refusal(directory.Invalid, "it would not be below the company")
		}
		at = above.Parent
	}
	return nil
}

func (f *Fake) lead(d *directory.Department) error {
	for _, id := range d.Managers {
		a := f.accounts[f.key(id)]
		if a == nil {
			return refusal(directory.Invalid, "there is no account %s", id)
		}
		if _, in := a.Profile.In(d.ID); !in {
			return refusal(directory.Invalid, "%s is not in the department", id)
		}
	}
	for _, a := range f.accounts {
		for i := range a.Profile.Memberships {
			if m := &a.Profile.Memberships[i]; m.Department == d.ID {
				m.Leader = slices.Contains(d.Managers, a.ID)
			}
		}
	}
	return nil
}
