// Package mirror keeps what was last seen of one tenant's directory, so that
// reconcilers ask memory and not the platform. It is filled by full listings
// and kept fresh by the read-backs of our own writes.
package mirror

import (
	"context"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// Mirror is the observed directory of one tenant. Safe for concurrent use. What
// it returns is shared: read it, do not change it.
type Mirror struct {
	capabilities directory.Capabilities
	now          func() time.Time

	mu          sync.RWMutex
	accounts    map[string]entry[directory.Account]
	numbers     map[string][]string // folded number -> keys of accounts that carry it
	departments map[string]entry[directory.Department]
	absent      map[string]uint64 // when a direct read proved the key absent, by clock
	doubts      map[string]uint64 // when the account was written to and not read since, by clock
	clock       uint64            // counts what is told, to tell it from an older listing
	state       State
}

type entry[T any] struct {
	value   T
	written uint64 // Mirror.clock at the read-back; 0 from a listing
}

// State says how good the mirror is.
type State struct {
	// Listed: there was a full listing.
	Listed bool
	// ListedAt is when the last successful listing began.
	ListedAt time.Time
	// Gaps are the listing's; empty means complete.
	Gaps []string
	// Err is the error of the last attempt, nil if it succeeded.
	Err error
	// Accounts and Departments are how many are known.
	Accounts, Departments int
}

// Complete reports that absence from the last listing means something.
func (s State) Complete() bool { return s.Listed && len(s.Gaps) == 0 }

// Changes are the ids that a listing showed to be new, different or missing.
type Changes struct {
	// First: nothing was known before, so everybody is affected.
	First       bool
	Accounts    []string
	Departments []string
}

// New returns an empty mirror.
func New(c directory.Capabilities, now func() time.Time) *Mirror {
	return &Mirror{
		capabilities: c, now: now,
		accounts:    map[string]entry[directory.Account]{},
		numbers:     map[string][]string{},
		departments: map[string]entry[directory.Department]{},
		absent:      map[string]uint64{},
		doubts:      map[string]uint64{},
	}
}

// Key is the form under which a user id is known here.
func (m *Mirror) Key(id string) string {
	if m.capabilities.FoldsIDs {
		return strings.ToLower(id)
	}
	return id
}

// State returns how good the mirror is.
func (m *Mirror) State() State {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := m.state
	s.Accounts, s.Departments = len(m.accounts), len(m.departments)
	return s
}

// Account returns the account as last seen, or nil.
func (m *Mirror) Account(id string) *directory.Account {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if e, ok := m.accounts[m.Key(id)]; ok {
		return &e.value
	}
	return nil
}

// Absent reports that a direct read proved the account, or department, absent
// and nothing has shown it since.
func (m *Mirror) Absent(id string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.absent[m.Key(id)] > 0
}

// Numbered returns the accounts that carry the employee number, in any case.
func (m *Mirror) Numbered(number string) []directory.Account {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []directory.Account
	for _, k := range m.numbers[strings.ToLower(number)] {
		found = append(found, m.accounts[k].value)
	}
	return found
}

// IDs ranges over the ids of all known accounts, in no order.
func (m *Mirror) IDs() iter.Seq[string] {
	m.mu.RLock()
	ids := make([]string, 0, len(m.accounts))
	for _, e := range m.accounts {
		ids = append(ids, e.value.ID)
	}
	m.mu.RUnlock()
	return slices.Values(ids)
}

// Department returns the department as last seen, or nil.
func (m *Mirror) Department(id string) *directory.Department {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if e, ok := m.departments[id]; ok {
		return &e.value
	}
	return nil
}

// Child returns the department of that name under the parent, or nil. Platforms
// keep sibling names unique.
func (m *Mirror) Child(parent, name string) *directory.Department {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, e := range m.departments {
		if e.value.Parent == parent && e.value.Name == name {
			return &e.value
		}
	}
	return nil
}

// Led are the ids of the departments that the account leads, and of the people who
// report to it, as last seen, sorted.
func (m *Mirror) Led(id string) (departments, people []string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	is := func(other string) bool { return other != "" && m.Key(other) == m.Key(id) }
	for _, e := range m.departments {
		if slices.ContainsFunc(e.value.Managers, is) {
			departments = append(departments, e.value.ID)
		}
	}
	for _, e := range m.accounts {
		if is(e.value.Profile.Manager) {
			people = append(people, e.value.ID)
		}
	}
	slices.Sort(departments)
	slices.Sort(people)
	return departments, people
}

// Put records an account that was just read.
func (m *Mirror) Put(a directory.Account) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock++
	m.set(entry[directory.Account]{a, m.clock})
	delete(m.doubts, m.Key(a.ID))
}

func (m *Mirror) set(e entry[directory.Account]) {
	k := m.Key(e.value.ID)
	m.remove(k)
	m.accounts[k] = e
	delete(m.absent, k)
	if p := &e.value.Profile; p.Set.Has(directory.FieldNumber) && p.Number != "" {
		n := strings.ToLower(p.Number)
		m.numbers[n] = append(m.numbers[n], k)
	}
}

func (m *Mirror) remove(k string) {
	e, ok := m.accounts[k]
	if !ok {
		return
	}
	delete(m.accounts, k)
	n := strings.ToLower(e.value.Profile.Number)
	if rest := slices.DeleteFunc(m.numbers[n], func(s string) bool { return s == k }); len(rest) > 0 {
		m.numbers[n] = rest
	} else {
		delete(m.numbers, n)
	}
}

// Forget records that a direct read proved the account absent.
func (m *Mirror) Forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock++
	k := m.Key(id)
	m.remove(k)
	delete(m.doubts, k)
	m.absent[k] = m.clock
}

// Doubt records that the account is being written to: what is known of it may be
// older than that. A direct read ends the doubt, or [Mirror.Trust]; a listing does
// not, since the write may still be under way.
func (m *Mirror) Doubt(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock++
	m.doubts[m.Key(id)] = m.clock
}

// Trust records that the write was refused, or left nothing to read.
func (m *Mirror) Trust(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.doubts, m.Key(id))
}

// Doubtful reports that what is known of the account, if anything, is older than
// a write to it.
func (m *Mirror) Doubtful(id string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.doubts[m.Key(id)] > 0
}

// PutDepartment records a department that was just read.
func (m *Mirror) PutDepartment(d directory.Department) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock++
	m.departments[d.ID] = entry[directory.Department]{d, m.clock}
	delete(m.absent, departmentKey(d.ID))
}

// ForgetDepartment records that a direct read proved the department absent.
func (m *Mirror) ForgetDepartment(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock++
	delete(m.departments, id)
	m.absent[departmentKey(id)] = m.clock
}

// DepartmentAbsent reports that a direct read proved the department absent.
func (m *Mirror) DepartmentAbsent(id string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.absent[departmentKey(id)] > 0
}

// departmentKey keeps department ids apart from user ids: no user id has a slash.
func departmentKey(id string) string { return "department/" + id }

// Refresh reads the whole directory and returns what changed. On an error the
// mirror stays as it was and remembers the error.
func (m *Mirror) Refresh(ctx context.Context, d directory.Directory) (Changes, error) {
	began := m.now()
	m.mu.RLock()
	clock := m.clock
	m.mu.RUnlock()
	listing, err := d.List(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil && len(listing.Accounts) == 0 {
		err = &directory.Error{Class: directory.Unavailable, Operation: "list", Message: "the directory was listed and is empty: a company has at least its creator, so this is not believed"}
	}
	m.state.Err = err
	if err != nil {
		return Changes{}, err
	}
	changes := Changes{First: !m.state.Listed}
	complete := len(listing.Gaps) == 0
	changes.Accounts = m.mergeAccounts(listing.Accounts, clock, complete)
	changes.Departments = m.mergeDepartments(listing.Departments, clock, complete)
	m.state.Listed, m.state.ListedAt, m.state.Gaps = true, began, listing.Gaps
	return changes, nil
}

// Failed remembers an error that came before any listing.
func (m *Mirror) Failed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Err = err
}

// mergeAccounts takes in a listing that began at clock. What was read back since
// then, or not found, is newer than the listing and stays; what an incomplete
// listing lacks stays too (P5).
func (m *Mirror) mergeAccounts(listed []directory.Account, clock uint64, complete bool) (changed []string) {
	seen := make(map[string]bool, len(listed))
	for _, a := range listed {
		k := m.Key(a.ID)
		seen[k] = true
		old, known := m.accounts[k]
		if max(old.written, m.absent[k], m.doubts[k]) > clock {
			continue
		}
		if !known || !reflect.DeepEqual(old.value, a) {
			changed = append(changed, a.ID)
		}
		m.set(entry[directory.Account]{value: a})
	}
	if !complete {
		return changed
	}
	for k, e := range m.accounts {
		if !seen[k] && max(e.written, m.doubts[k]) <= clock {
			changed = append(changed, e.value.ID)
			m.remove(k)
		}
	}
	return changed
}

func (m *Mirror) mergeDepartments(listed []directory.Department, clock uint64, complete bool) (changed []string) {
	seen := make(map[string]bool, len(listed))
	for _, d := range listed {
		seen[d.ID] = true
		old, known := m.departments[d.ID]
		if max(old.written, m.absent[departmentKey(d.ID)]) > clock {
			continue
		}
		d = overlay(old.value, d)
		if !known || !reflect.DeepEqual(old.value, d) {
			changed = append(changed, d.ID)
		}
		m.departments[d.ID] = entry[directory.Department]{value: d}
		delete(m.absent, departmentKey(d.ID))
	}
	if !complete {
		return changed
	}
	for id, e := range m.departments {
		if !seen[id] && e.written <= clock {
			changed = append(changed, id)
			delete(m.departments, id)
		}
	}
	return changed
}

// overlay keeps what a direct read showed and listings leave out.
func overlay(old, listed directory.Department) directory.Department {
	kept := old.Set &^ listed.Set
	listed.Set |= kept
	if kept.Has(directory.DepartmentOrder) {
		listed.Order = old.Order
	}
	if kept.Has(directory.DepartmentManagers) {
		listed.Managers = old.Managers
	}
	if kept.Has(directory.DepartmentKey) {
		listed.Key = old.Key
	}
	return listed
}
