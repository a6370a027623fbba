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
// A binding that has ended is done with when its plan is [RolePlan.InSync], or nothing of
// its record is in Revoke: whom another binding declares, or who is kept, stays in it.
type RoleRecord struct {
	Granted []string
}

// RoleFacts is what is known of the role now.
type RoleFacts struct {
	Capabilities directory.Capabilities
	// Members are all holders, as just read.
	Members []directory.RoleMember
	// Gone are accounts that the role was taken from before Members were read: of those
	// alone it is known that who is not among Members does not hold it (P5).
	Gone []string
	// BuiltIn: the platform's own role, which no API changes.
	BuiltIn bool
	// Elsewhere are accounts that other bindings of the same role declare.
	Elsewhere []string
}

// RolePlan is what to do: first Revoke, then Grant (P2). Record has to be durable before.
type RolePlan struct {
	Role   string
	Record RoleRecord
	// Revoke are accounts, and departments that have the role with everybody in them.
	Revoke []directory.RoleMember
	// Unseen are the accounts of Revoke that are not among the holders. A listing that lacks
	// somebody, because a page was short or the app may not see them, is no proof (P5): it is
	// taken from them by name, and the answer counts.
	Unseen []string
	// Grant are those who are to get it, and those who hold it for other departments
	// than they are to.
	Grant []directory.RoleMember
	// Rescoped are the accounts of Grant that hold it already: they keep it all the time.
	Rescoped []string
	// Others hold the role and are not declared; an additive binding leaves them.
	Others []string
	// OtherDepartments have the role, with everybody in them, and lose it by no act of this plan.
	OtherDepartments []string
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
func (p *RolePlan) Digest() string { return digest([]any{p.Role, p.Revoke, p.Grant}) }

// ForRole decides who is granted a role, and who loses it.
func ForRole(w RoleWish, r RoleRecord, f RoleFacts) RolePlan {
	d := roleDecider{
		RolePlan: RolePlan{Role: w.Role}, wish: w, facts: f, have: map[string]directory.RoleMember{}, units: map[string]bool{},
		want: map[string]string{}, ours: map[string]string{}, kept: map[string]bool{},
	}
	if f.BuiltIn { // nobody is asked to take it from the last one, be it an administrator or not
		d.wish.Minimum = max(1, w.Minimum)
	}
	for _, m := range f.Members {
		switch {
		case m.Account != "":
			d.have[d.key(m.Account)] = m
		case m.Department != "":
			d.units[m.Department] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.Holders)) {
		if _, twice := d.want[d.key(id)]; !twice {
			d.want[d.key(id)] = id
		}
	}
	for _, id := range slices.Sorted(slices.Values(r.Granted)) {
		d.ours[d.key(id)] = id
	}
	for _, id := range f.Gone {
		if _, holds := d.have[d.key(id)]; !holds {
			delete(d.ours, d.key(id))
		}
	}
	for _, id := range slices.Concat(w.Keep, f.Elsewhere) {
		d.kept[d.key(id)] = true
	}
	d.grant()
	d.revoke()
	d.departments()
	d.unseen()
	d.record()
	if f.BuiltIn {
		d.byHand()
	}
	return d.RolePlan
}

type roleDecider struct {
	RolePlan
	wish  RoleWish
	facts RoleFacts
	// by key: who holds it, who is to (with the id as declared), whom we granted it (with the
	// id as recorded), who never loses it by us.
	have       map[string]directory.RoleMember
	want, ours map[string]string
	kept       map[string]bool
	// units are the departments that have it.
	units map[string]bool
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
	var strangers, ended []directory.RoleMember
	for _, k := range slices.Sorted(maps.Keys(d.have)) {
		m := directory.RoleMember{Role: d.wish.Role, Account: d.have[k].Account}
		_, wanted := d.want[k]
		_, ours := d.ours[k]
		switch {
		case wanted || d.kept[k]:
		case ours:
			ended = append(ended, m)
		case d.wish.Exclusive:
			strangers = append(strangers, m)
		default:
			d.Others = append(d.Others, m.Account)
		}
	}
	// Where not all may go, who was never declared goes first.
	d.Revoke = slices.Concat(strangers, ended)
	// Only who was seen to hold it counts: a grant may fail.
	if room := max(0, len(d.have)-d.wish.Minimum); len(d.Revoke) > room {
		d.Hold = hold(ProtectedHolders, "%d would lose the role and only %d do, because protection.minimumHolders is %d: declare others to hold it first", len(d.Revoke), room, d.wish.Minimum)
		d.Revoke = d.Revoke[:room]
	}
}

// unseen takes the role from whom the binding granted it and no longer declares, and whom
// the listing lacks; not where fewer would be left than are protected, should it be wrong.
func (d *roleDecider) unseen() {
	left := len(d.have)
	for _, m := range d.Revoke {
		if m.Account != "" {
			left--
		}
	}
	if d.facts.BuiltIn || left < d.wish.Minimum {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(d.ours)) {
		_, holds := d.have[k]
		if _, wanted := d.want[k]; !holds && !wanted && !d.kept[k] {
			d.Unseen = append(d.Unseen, d.ours[k])
			d.Revoke = append(d.Revoke, directory.RoleMember{Role: d.wish.Role, Account: d.ours[k]})
		}
	}
}

// departments takes the role from those where it is exclusive, once everybody who is
// declared, and who is protected, was seen to hold it in their own right: who is in a
// department, and has the role through it only, is not known here.
func (d *roleDecider) departments() {
	all := slices.Sorted(maps.Keys(d.units))
	if !d.wish.Exclusive || len(all) == 0 {
		d.OtherDepartments = all
		return
	}
	waits, missing := false, 0
	for k := range d.want {
		_, holds := d.have[k]
		waits = waits || !holds
	}
	for k := range d.kept {
		if _, holds := d.have[k]; !holds {
			missing++
		}
	}
	left := len(d.have) - len(d.Revoke)
	switch {
	case waits && !d.facts.BuiltIn: // the grants of this plan come first
		d.OtherDepartments = all
	case missing > 0:
		d.OtherDepartments = all
		d.alsoHold("%d departments have the role with everybody in them, and may be how %d who are protected have it: give it to those themselves, or take it from the departments, in the console", len(all), missing)
	case left < d.wish.Minimum:
		d.OtherDepartments = all
		d.alsoHold("%d departments have the role with everybody in them, and keep it because only %d hold it themselves and protection.minimumHolders is %d: declare others to hold it first", len(all), left, d.wish.Minimum)
	default:
		for _, id := range all {
			d.Revoke = append(d.Revoke, directory.RoleMember{Role: d.wish.Role, Department: id})
		}
	}
}

func (d *roleDecider) alsoHold(format string, args ...any) {
	also := hold(ProtectedHolders, format, args...)
	if d.Hold != nil {
		also.Message = d.Hold.Message + "; " + also.Message
	}
	d.Hold = also
}

func (d *roleDecider) grant() {
	for _, k := range slices.Sorted(maps.Keys(d.want)) {
		id := d.want[k]
		m := directory.RoleMember{Role: d.wish.Role, Account: id, Scope: scope(d.wish.Holders[id])}
		have, holds := d.have[k]
		if holds && slices.Equal(scope(have.Scope), m.Scope) {
			continue
		}
		if holds {
			m.Account = have.Account
			d.Rescoped = append(d.Rescoped, m.Account)
		}
		d.Grant = append(d.Grant, m)
	}
	slices.SortFunc(d.Grant, func(a, b directory.RoleMember) int { return cmp.Compare(a.Account, b.Account) })
}

// scope is a set of departments, as lists of them compare.
func scope(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }

// record keeps whom the binding granted the role: who is about to be, and who may still have
// it from the binding, be it that another one or a protection keeps it for now. Who had it
// before, and is declared, becomes the binding's: a declaration that ends takes it away.
func (d *roleDecider) record() {
	granted := maps.Clone(d.ours)
	for k := range granted {
		if have, holds := d.have[k]; holds {
			granted[k] = have.Account
		}
	}
	maps.Copy(granted, d.want)
	for _, k := range slices.Sorted(maps.Keys(granted)) {
		d.Record.Granted = append(d.Record.Granted, granted[k])
	}
}

// byHand turns what would be done to the platform's own role into tasks for people.
func (d *roleDecider) byHand() {
	for _, m := range d.Revoke {
		if m.Department != "" {
			d.ByHand = append(d.ByHand, "take the role from the department "+m.Department)
			continue
		}
		d.ByHand = append(d.ByHand, "take the role from the account "+m.Account)
	}
	for _, m := range d.Grant {
		switch {
		case !slices.Contains(d.Rescoped, m.Account):
			d.ByHand = append(d.ByHand, "give the role to the account "+m.Account)
		case len(m.Scope) == 0:
			d.ByHand = append(d.ByHand, "let the role reach the whole company for the account "+m.Account)
		default:
			d.ByHand = append(d.ByHand, "let the role reach the departments "+strings.Join(m.Scope, ", ")+" for the account "+m.Account)
		}
	}
	d.Revoke, d.Grant, d.Rescoped, d.Record = nil, nil, nil, RoleRecord{}
}
