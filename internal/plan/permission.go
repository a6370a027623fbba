package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

// The reasons of bindings for a [Hold].
const (
	ProtectedHolders Reason = "ProtectedHolders"
)

// RoleWish is what a binding declares for one role on one tenant.
type RoleWish struct {
	// Role is the platform's id.
	Role string
	// Holders are the accounts that are to hold it, each with the ids of the departments
	// that it reaches; none is the whole company. Empty when the binding has ended.
	Holders map[string][]string
	// Exclusive: whoever else holds it loses it.
	Exclusive bool
	// Minimum of holders who are always left, and Keep, who never lose it.
	Minimum int
	Keep    []string
}

// RoleRecord is what is durably known: whom the binding granted the role, or was about to.
type RoleRecord struct {
	Granted []string
}

// RoleFacts is what is known of the role now.
type RoleFacts struct {
	Capabilities directory.Capabilities
	// Members are all holders, as just read. Departments among them are left alone.
	Members []directory.RoleMember
	// BuiltIn: the platform's own role, which no API changes.
	BuiltIn bool
	// Elsewhere are accounts that other bindings of the same role declare.
	Elsewhere []string
}

// RolePlan is what to do: first Revoke, then Grant (P2). Record has to be durable before.
type RolePlan struct {
	Record RoleRecord
	Revoke []directory.RoleMember
	Grant  []directory.RoleMember
	// Others hold the role and are not declared; an additive binding leaves them.
	Others []string
	// Hold says what is not done, beside the rest that is.
	Hold *Hold
	// ByHand is what a person has to do in the console, where no API does it.
	ByHand []string
}

// InSync reports that exactly who is declared was seen to hold the role.
func (p *RolePlan) InSync() bool {
	return p.Hold == nil && len(p.Grant)+len(p.Revoke)+len(p.ByHand) == 0
}

// Digest is equal for plans that do the same. Never persist it.
func (p *RolePlan) Digest() string { return digest([]any{p.Revoke, p.Grant}) }

// ForRole decides who is granted a role, and who loses it.
func ForRole(w RoleWish, r RoleRecord, f RoleFacts) RolePlan {
	d := roleDecider{wish: w, facts: f, have: map[string]directory.RoleMember{}, want: map[string]bool{}, ours: map[string]bool{}, kept: map[string]bool{}}
	for _, m := range f.Members {
		if m.Account != "" {
			d.have[d.key(m.Account)] = m
		}
	}
	for id := range w.Holders {
		d.want[d.key(id)] = true
	}
	for _, id := range r.Granted {
		d.ours[d.key(id)] = true
	}
	for _, id := range slices.Concat(w.Keep, f.Elsewhere) {
		d.kept[d.key(id)] = true
	}
	d.revoke()
	d.grant()
	d.record(r)
	if f.BuiltIn {
		d.byHand()
	}
	return d.RolePlan
}

type roleDecider struct {
	RolePlan
	wish  RoleWish
	facts RoleFacts
	// by key: who holds it, who is to, whom we granted it, who never loses it by us.
	have             map[string]directory.RoleMember
	want, ours, kept map[string]bool
}

func (d *roleDecider) key(id string) string {
	if d.facts.Capabilities.FoldsIDs {
		return strings.ToLower(id)
	}
	return id
}

// revoke takes the role from whom the binding granted it and no longer declares, and from
// everybody else where it is exclusive; never below the minimum.
func (d *roleDecider) revoke() {
	for _, k := range slices.Sorted(maps.Keys(d.have)) {
		switch m := d.have[k]; {
		case d.want[k]:
		case d.kept[k]:
		case d.ours[k] || d.wish.Exclusive:
			d.Revoke = append(d.Revoke, directory.RoleMember{Role: d.wish.Role, Account: m.Account})
		default:
			d.Others = append(d.Others, m.Account)
		}
	}
	// Only who was seen to hold it counts: a grant may fail.
	if room := max(0, len(d.have)-d.wish.Minimum); len(d.Revoke) > room {
		d.Hold = hold(ProtectedHolders, "%d would lose the role and only %d do, because protection.minimumHolders is %d: declare others to hold it first", len(d.Revoke), room, d.wish.Minimum)
		d.Revoke = d.Revoke[:room]
	}
}

func (d *roleDecider) grant() {
	for _, id := range slices.SortedFunc(maps.Keys(d.wish.Holders), cmp.Compare[string]) {
		scope := slices.Sorted(slices.Values(d.wish.Holders[id]))
		have, holds := d.have[d.key(id)]
		if holds && slices.Equal(slices.Sorted(slices.Values(have.Scope)), scope) {
			continue
		}
		d.Grant = append(d.Grant, directory.RoleMember{Role: d.wish.Role, Account: id, Scope: scope})
	}
}

// record keeps whom the binding granted the role: who is about to be, and whom it is still
// to be taken from. Who had it before, and is declared, becomes the binding's: a
// declaration that ends takes it away.
func (d *roleDecider) record(r RoleRecord) {
	granted := map[string]string{}
	for id := range d.wish.Holders {
		granted[d.key(id)] = id
	}
	for _, id := range r.Granted {
		if _, holds := d.have[d.key(id)]; holds && !d.want[d.key(id)] && !d.kept[d.key(id)] {
			granted[d.key(id)] = id
		}
	}
	for _, k := range slices.Sorted(maps.Keys(granted)) {
		d.Record.Granted = append(d.Record.Granted, granted[k])
	}
}

// byHand turns what would be done to the platform's own role into tasks for people.
func (d *roleDecider) byHand() {
	for _, m := range d.Revoke {
		d.ByHand = append(d.ByHand, "take the role from the account "+m.Account)
	}
	for _, m := range d.Grant {
		d.ByHand = append(d.ByHand, "give the role to the account "+m.Account)
	}
	d.Revoke, d.Grant, d.Record = nil, nil, RoleRecord{}
}
