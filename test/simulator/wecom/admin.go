package wecom

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"rollcall.dev/rollcall/test/simulator/core"
)

// add makes a corp that has been validated.
func (s *Server) add(spec Tenant) error {
	if err := spec.validate(); err != nil {
		return err
	}
	t := &tenant{name: spec.Name, clock: s.core.Clock, journal: s.core.NewJournal(), spec: spec}
	t.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tenants[spec.Name] != nil || !s.auth.add(t) {
		return fmt.Errorf("tenant %q, its corpId or one of its secrets: %w", spec.Name, core.ErrExists)
	}
	s.tenants[spec.Name] = t
	s.names = append(s.names, spec.Name)
	return nil
}

func (s *Server) tenant(name string) (*tenant, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.tenants[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("tenant %q: %w", name, core.ErrNotFound)
}

// Tenants implements core.Admin. Secrets that are not built in are not shown.
func (s *Server) Tenants() []any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	builtIn := map[string]bool{}
	for _, t := range BuiltIn() {
		builtIn[t.SyncSecret] = true
	}
	list := []any{}
	for _, name := range s.names {
		t := s.tenants[name]
		t.mu.RLock()
		spec := t.spec
		t.mu.RUnlock()
		if !builtIn[spec.SyncSecret] {
			spec.SyncSecret = "***"
			spec.Apps = slices.Clone(spec.Apps)
			for i := range spec.Apps {
				spec.Apps[i].Secret = "***"
			}
		}
		list = append(list, spec)
	}
	return list
}

// TenantNames implements core.Admin.
func (s *Server) TenantNames() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.names)
}

// AddTenant implements core.Admin.
func (s *Server) AddTenant(raw json.RawMessage) error {
	spec, err := core.Merge(Tenant{Options: Options{SyncReadRefused: true}}, raw)
	if err != nil {
		return err
	}
	return s.add(spec)
}

// Configure implements core.Admin.
func (s *Server) Configure(name string, raw json.RawMessage) error {
	t, err := s.tenant(name)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	options, err := core.Merge(t.spec.Options, raw)
	if err != nil {
		return err
	}
	t.spec.Options = options
	return nil
}

// userState is a member as the control endpoint shows one.
type userState struct {
	*User
	Status int `json:"status"`
}

// tokenState says that a credential has a token, not which.
type tokenState struct {
	Credential string `json:"credential"`
	Expires    string `json:"expires"`
}

// Objects implements core.Admin.
func (s *Server) Objects(name, collection string) ([]any, error) {
	t, err := s.tenant(name)
	if err != nil {
		return nil, err
	}
	if collection == "tokens" {
		return s.auth.states(t), nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endTransfers()
	list := []any{}
	switch collection {
	case "users":
		for _, u := range t.users.All(core.Live) {
			list = append(list, userState{u, u.Status()})
		}
	case "departments":
		list = rows(t.departments)
	case "tags":
		list = rows(t.tags)
	case "messages":
		list = rows(t.messages)
	case "received":
		list = t.inbox.List()
	case "left":
		for i := range t.leavers {
			list = append(list, t.left(i))
		}
	case collCustomers:
		for c := range t.allCustomers(core.Live) {
			list = append(list, c)
		}
	default:
		if !isPast(collection) {
			return nil, unknownCollection(collection)
		}
		list = t.pastObjects(collection, t.clock.Now())
	}
	return list, nil
}

func rows[V any](table *core.Table[V]) []any {
	list := make([]any, 0, table.Len())
	for _, v := range table.All(core.Live) {
		list = append(list, v)
	}
	return list
}

func unknownCollection(name string) error {
	return fmt.Errorf("collection %q: %w; there are users, departments, tags, messages, received, left, customers, tokens, and those of the past", name, core.ErrUnsupported)
}

// states lists the credentials that have a token.
func (a *auth) states(t *tenant) []any {
	a.mu.RLock()
	defer a.mu.RUnlock()
	list := []any{}
	for secret, value := range a.current {
		if c := a.secrets[secret]; c.tenant == t {
			list = append(list, tokenState{c.name, a.tokens[value].expires.Format("2006-01-02T15:04:05Z07:00")})
		}
	}
	slices.SortFunc(list, func(x, y any) int {
		if x.(tokenState).Credential < y.(tokenState).Credential {
			return -1
		}
		return 1
	})
	return list
}

// Object implements core.Admin.
func (s *Server) Object(name, collection, id string) (any, error) {
	t, err := s.tenant(name)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endTransfers()
	var v any
	var ok bool
	switch collection {
	case "users":
		var u *User
		if u, ok = t.user(id, core.Live); ok {
			v = userState{u, u.Status()}
		}
	case "departments":
		v, ok = t.departments.Get(id, core.Live)
	case "tags":
		v, ok = t.tags.Get(id, core.Live)
	case "messages":
		v, ok = t.messages.Get(id, core.Live)
	case "left":
		v, ok = t.lastLeft(id)
	case collCustomers:
		v, ok = t.customer(id)
	default:
		if !isPast(collection) {
			return nil, unknownCollection(collection)
		}
		v, ok = t.pastObject(collection, id, t.clock.Now())
	}
	if !ok {
		return nil, missing(collection, id)
	}
	return v, nil
}

func missing(collection, id string) error {
	return fmt.Errorf("%q in %s: %w", id, collection, core.ErrNotFound)
}

// Create implements core.Admin. What is left out has the value that a new
// member or department has; a member without department is put into the root.
func (s *Server) Create(name, collection, id string, raw json.RawMessage) error {
	t, err := s.tenant(name)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endTransfers()
	switch collection {
	case "users":
		if _, taken := t.user(id, core.Live); taken {
			return fmt.Errorf("user %q: %w", id, core.ErrExists)
		}
		u, err := core.Merge(User{
			UserID: id, Name: id, Enable: 1, Department: []int{rootID}, CreateTime: s.core.Clock.Now(),
		}, raw)
		if err != nil {
			return err
		}
		return t.edit(id, &u)
	case "departments":
		number, err := strconv.Atoi(id)
		if err != nil || number <= rootID || number > maxDepartmentID {
			return errors.New("the id of a department is a number above 1")
		}
		d, err := core.Merge(Department{ID: number, Name: id, ParentID: rootID, Order: t.lastOrder(rootID)}, raw)
		if err != nil {
			return err
		}
		if f := t.placeable(&d); f != nil {
			return refusal(f)
		}
		return t.editDepartment(number, &d)
	case collCustomers:
		return t.editCustomer(id, raw, true)
	default:
		if isPast(collection) {
			return t.editPast(collection, id, raw, true, t.clock.Now())
		}
		return unknownCollection(collection)
	}
}

// refusal puts a failure of the platform into the words of the control endpoint.
func refusal(f *failure) error {
	if f.code == 60008 {
		return fmt.Errorf("%s: %w", f.text, core.ErrExists)
	}
	return fmt.Errorf("%d %s", f.code, f.text)
}

// Merge implements core.Admin.
func (s *Server) Merge(name, collection, id string, raw json.RawMessage) error {
	t, err := s.tenant(name)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endTransfers()
	switch collection {
	case "users":
		old, ok := t.user(id, core.Live)
		if !ok {
			return missing(collection, id)
		}
		u, err := core.Merge(*old, raw)
		if err != nil {
			return err
		}
		return t.edit(old.UserID, &u)
	case "departments":
		old, ok := t.departments.Get(id, core.Live)
		if !ok {
			return missing(collection, id)
		}
		d, err := core.Merge(*old, raw)
		if err != nil {
			return err
		}
		if f := t.movable(old, d.ParentID, true); f != nil {
			return refusal(f)
		}
		return t.editDepartment(old.ID, &d)
	case collCustomers:
		return t.editCustomer(id, raw, false)
	default:
		if isPast(collection) {
			return t.editPast(collection, id, raw, false, t.clock.Now())
		}
		return unknownCollection(collection)
	}
}

// edit stores a member who was changed by hand, if the platform's own rules for
// what refers to others and what is unique hold.
func (t *tenant) edit(id string, u *User) error {
	if u.UserID != id {
		return errors.New("userid cannot be changed by hand")
	}
	u.Mobile = plainMobile(u.Mobile)
	if len(u.Department) == 0 {
		return errors.New("a member needs a department")
	}
	for i, d := range u.Department {
		if _, ok := t.department(d, core.Live); !ok || slices.Contains(u.Department[:i], d) {
			return fmt.Errorf("department %d is unknown or given twice", d)
		}
	}
	u.Order = append(u.Order, make([]uint32, len(u.Department))...)[:len(u.Department)]
	u.IsLeaderInDept = append(u.IsLeaderInDept, make([]int, len(u.Department))...)[:len(u.Department)]
	if !slices.Contains(u.Department, u.MainDepartment) {
		u.MainDepartment = u.Department[0]
	}
	if f := t.unique(u, userKey(id)); f != nil {
		return fmt.Errorf("%s: %w", f.text, core.ErrExists)
	}
	t.putUser(u)
	return nil
}

func (t *tenant) editDepartment(id int, d *Department) error {
	if d.ID != id {
		return errors.New("the id of a department cannot be changed")
	}
	if d.Name == "" || forbidden(d.Name) {
		return errors.New(`a department needs a name without \:*?"<>|`)
	}
	if f := t.distinct(d); f != nil {
		return refusal(f)
	}
	t.putDepartment(d)
	return nil
}

// Remove implements core.Admin. Removing a token makes it unknown to the
// platform before its time.
func (s *Server) Remove(name, collection, id string) error {
	t, err := s.tenant(name)
	if err != nil {
		return err
	}
	if collection == "tokens" {
		if !s.auth.revoke(t, id) {
			return missing(collection, id)
		}
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endTransfers()
	switch collection {
	case "users":
		u, ok := t.user(id, core.Live)
		if !ok {
			return missing(collection, id)
		}
		t.dropUser(u, leaver{at: t.clock.Now(), by: core.ByHand})
	case "departments":
		d, ok := t.departments.Get(id, core.Live)
		if !ok {
			return missing(collection, id)
		}
		if f := t.removable(d.ID); f != nil {
			return refusal(f)
		}
		t.removeDepartment(d.ID)
	case "tags":
		if !t.tags.Delete(id) {
			return missing(collection, id)
		}
	case collCustomers:
		return t.editCustomer(id, nil, false)
	default:
		if isPast(collection) {
			return t.editPast(collection, id, nil, false, t.clock.Now())
		}
		return unknownCollection(collection)
	}
	return nil
}

// Accept implements core.Admin: the member logs in for the first time.
func (s *Server) Accept(name, id string) error {
	t, err := s.tenant(name)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old, ok := t.user(id, core.Live)
	if !ok {
		return missing("users", id)
	}
	joined := *old
	joined.Activated = true
	t.putUser(&joined)
	return nil
}

// Seed implements core.Admin.
func (s *Server) Seed(name string, seed core.Seed) (core.Seeded, error) {
	t, err := s.tenant(name)
	if err != nil {
		return core.Seeded{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var done core.Seeded
	ids := map[int]int{0: rootID}
	for d := range seed.Tree() {
		made := &Department{Name: d.Name, ParentID: ids[d.Parent]}
		if made.ID = t.child(made.ParentID, d.Name); made.ID == 0 {
			made.ID, made.Order = t.nextID(nil), t.lastOrder(made.ParentID)
			t.putDepartment(made)
			done.Departments++
		}
		ids[d.Number] = made.ID
	}
	for p := range seed.People() {
		if _, taken := t.user(p.ID, core.Live); taken {
			return done, fmt.Errorf("user %q: %w", p.ID, core.ErrExists)
		}
		u := &User{
			UserID: p.ID, Name: p.Name, Mobile: p.Mobile, Email: p.Email, Position: p.Title, Gender: "1",
			Department: []int{ids[p.Department]}, Enable: 1, Activated: !seed.Pending, CreateTime: s.core.Clock.Now(),
		}
		if slices.Contains(t.spec.Options.Attributes, "工号") {
			u.ExtAttr = []Attribute{{Name: "工号", Text: &attributeText{p.ID}}}
		}
		if err := t.edit(p.ID, u); err != nil {
			return done, err
		}
		done.Users++
	}
	return done, nil
}

// child finds a department by its name below a parent; 0 if there is none.
func (t *tenant) child(parent int, name string) int {
	for _, d := range t.departments.All(core.Live) {
		if d.ParentID == parent && d.Name == name {
			return d.ID
		}
	}
	return 0
}

// Reset implements core.Admin.
func (s *Server) Reset() {
	s.auth.forget()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.tenants {
		t.mu.Lock()
		t.reset()
		t.mu.Unlock()
	}
}
