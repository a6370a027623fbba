package directorytest

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"rollcall.dev/rollcall/internal/directory"
)

var (
	_ directory.Exporter   = (*Fake)(nil)
	_ directory.RoleKeeper = (*Fake)(nil)
	_ directory.RoleScoper = (*Fake)(nil)
)

// Keep puts items into a dataset other than the directory, in this order; from
// then on it is offered.
func (f *Fake) Keep(d directory.Dataset, items ...directory.Item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept[d] = append(f.kept[d], items...)
}

// Offers implements [directory.Exporter].
func (f *Fake) Offers() []directory.Offer {
	f.mu.Lock()
	defer f.mu.Unlock()
	var offers []directory.Offer
	for _, d := range directory.Datasets() {
		o := directory.Offer{Dataset: d}
		if _, kept := f.kept[d]; !kept && d != directory.DatasetDirectory {
			o.Missing = "nothing of it was put there"
		}
		offers = append(offers, o)
	}
	return offers
}

// Export implements [directory.Exporter]. The whole company comes with its number
// of accounts as a total, a dataset that was put there whatever the scope is.
func (f *Fake) Export(ctx context.Context, d directory.Dataset, s directory.Scope, emit func(directory.Item) error) (directory.Summary, error) {
	fault, err := f.enter(ctx, "Export", string(d))
	if err != nil && fault.After == 0 {
		return directory.Summary{}, err
	}
	items, sum, err := f.items(d, s)
	if err != nil {
		return directory.Summary{}, err
	}
	if fault.Items != nil {
		items = fault.Items(items)
	}
	for n, i := range items {
		if fault.Err != nil && !fault.Happens && n == fault.After {
			return directory.Summary{}, fault.Err
		}
		if err := ctx.Err(); err != nil {
			return directory.Summary{}, err
		}
		if err := emit(i); err != nil {
			return directory.Summary{}, err
		}
	}
	if d == directory.DatasetDirectory && !slices.ContainsFunc(items, func(i directory.Item) bool { return i.Department != nil || i.Account != nil }) {
		return directory.Summary{}, refusal(directory.Unavailable, "the directory is empty")
	}
	sum.Gaps = append(sum.Gaps, fault.Gaps...)
	return sum, fault.Err
}

// items is what an export emits.
func (f *Fake) items(d directory.Dataset, s directory.Scope) ([]directory.Item, directory.Summary, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kept, ok := f.kept[d]; ok {
		return slices.Clone(kept), directory.Summary{}, nil
	}
	if d != directory.DatasetDirectory {
		return nil, directory.Summary{}, refusal(directory.NotSupported, "%s was not put there", d)
	}
	var items []directory.Item
	for _, id := range slices.SortedFunc(maps.Keys(f.departments), f.parentsFirst) {
		d := f.showDepartment(f.departments[id])
		items = append(items, directory.Item{Part: directory.PartDepartments, ID: id, Raw: raw(d), Department: &d})
	}
	sum := directory.Summary{Totals: map[string]int64{directory.PartAccounts: int64(len(f.accounts))}}
	wanted := slices.Sorted(maps.Keys(f.accounts))
	if s.Accounts != nil {
		wanted, sum.Totals = s.Accounts, nil
	}
	for _, id := range wanted {
		a := f.accounts[f.key(id)]
		if a == nil {
			sum.Gaps = append(sum.Gaps, directory.Gap{Part: directory.PartAccounts, Class: directory.NotFound, Reason: "there is no account " + id})
			continue
		}
		shown := f.show(a, f.caps.Reads)
		items = append(items, directory.Item{Part: directory.PartAccounts, ID: a.ID, Raw: raw(shown), Account: &shown})
	}
	return append(items, f.roleItems(s)...), sum, nil
}

// roleItems are all roles, and who of the scope holds them. The lock is held.
func (f *Fake) roleItems(s directory.Scope) (items []directory.Item) {
	ids := slices.Sorted(maps.Keys(f.roles))
	for _, id := range ids {
		r := f.roles[id].role
		items = append(items, directory.Item{Part: directory.PartRoles, ID: id, Raw: raw(r), Role: &r})
	}
	for _, id := range ids {
		for _, m := range f.roles[id].members {
			if s.Accounts != nil && m.Account != "" && !slices.Contains(s.Accounts, m.Account) {
				continue
			}
			items = append(items, directory.Item{
				Part: directory.PartMembers, ID: id + "/" + m.Account + m.Department, Raw: raw(m), Member: &m,
			})
		}
	}
	return items
}

// parentsFirst orders departments by their depth, then by id. The lock is held.
func (f *Fake) parentsFirst(a, b string) int {
	depth := func(id string) (n int) {
		for d := f.departments[id]; d != nil && n <= len(f.departments); d = f.departments[d.Parent] {
			n++
		}
		return n
	}
	return cmp.Or(cmp.Compare(depth(a), depth(b)), cmp.Compare(a, b))
}

// raw is a thing as this platform writes it: with a field that nobody knows.
func raw(thing any) json.RawMessage {
	b, err := json.Marshal(struct {
		Thing   any    `json:"thing"`
		Unknown string `json:"unknown_to_us"`
	}{thing, "整"})
	if err != nil {
		panic(err) // these types have no values that cannot be written
	}
	return b
}

// heldRole is a role and its holders.
type heldRole struct {
	role    directory.Role
	members []directory.RoleMember
}

// PlaceRole puts a role with its holders there behind the directory's back, or replaces it.
func (f *Fake) PlaceRole(r directory.Role, members ...directory.RoleMember) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &heldRole{role: r}
	for _, m := range members {
		h.add(m)
	}
	f.roles[r.ID] = h
}

// add gives the role to a holder; the one who has it keeps it, with the scope that is wanted now.
func (h *heldRole) add(m directory.RoleMember) {
	m.Role = h.role.ID
	for i, have := range h.members {
		if have.Account == m.Account && have.Department == m.Department {
			h.members[i] = m
			return
		}
	}
	h.members = append(h.members, m)
}

// Roles implements [directory.RoleKeeper].
func (f *Fake) Roles(ctx context.Context) ([]directory.Role, error) {
	fault, err := f.enter(ctx, "Roles", "")
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var roles []directory.Role
	for _, id := range slices.Sorted(maps.Keys(f.roles)) {
		roles = append(roles, f.roles[id].role)
	}
	return roles, fault.Err
}

// RoleMembers implements [directory.RoleKeeper].
func (f *Fake) RoleMembers(ctx context.Context, role string) ([]directory.RoleMember, error) {
	fault, err := f.enter(ctx, "RoleMembers", role)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.roles[role]
	if h == nil {
		return nil, refusal(directory.NotFound, "there is no such role")
	}
	return slices.Clone(h.members), fault.Err
}

// CreateRole implements [directory.RoleKeeper].
func (f *Fake) CreateRole(ctx context.Context, r directory.Role) (string, error) {
	fault, err := f.enter(ctx, "CreateRole", r.Name)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Name == "" {
		return "", refusal(directory.Invalid, "a role needs a name")
	}
	r.Group, r.BuiltIn = cmp.Or(r.Group, "其他"), false
	for id, h := range f.roles {
		if h.role.Name == r.Name && h.role.Group == r.Group {
			err := refusal(directory.AlreadyExists, "there is a role of this name")
			err.Holder = id
			return "", err
		}
	}
	f.ids++
	r.ID = strconv.Itoa(f.ids)
	f.roles[r.ID] = &heldRole{role: r}
	return r.ID, fault.Err
}

// AddToRole implements [directory.RoleKeeper]. Departments may hold roles here, and roles have scopes.
func (f *Fake) AddToRole(ctx context.Context, role string, members []directory.RoleMember) error {
	fault, err := f.enter(ctx, "AddToRole", role)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.roles[role]
	if h == nil {
		return refusal(directory.NotFound, "there is no such role")
	}
	missing := 0
	for _, m := range members {
		if a := f.accounts[f.key(m.Account)]; a != nil {
			m.Account = a.ID
		} else if m.Department == "" || f.departments[m.Department] == nil {
			missing++
			continue
		}
		h.add(m)
	}
	if missing > 0 {
		return refusal(directory.NotFound, "%d of those who shall have the role do not exist", missing)
	}
	return fault.Err
}

// SetRoleScope implements [directory.RoleScoper].
func (f *Fake) SetRoleScope(ctx context.Context, role string, members []directory.RoleMember) error {
	fault, err := f.enter(ctx, "SetRoleScope", role)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.roles[role]
	if h == nil {
		return refusal(directory.NotFound, "there is no such role")
	}
	missing := 0
	for _, m := range members {
		at := slices.IndexFunc(h.members, func(have directory.RoleMember) bool {
			return have.Account != "" && f.key(have.Account) == f.key(m.Account)
		})
		if at < 0 {
			missing++
			continue
		}
		h.members[at].Scope = slices.Clone(m.Scope)
	}
	if missing > 0 {
		return refusal(directory.NotFound, "%d of them do not hold the role", missing)
	}
	return fault.Err
}
