package execute

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

const (
	// roleBatch is how many holders one record is about: a multiple of what every
	// platform takes in a call (20, 100, 1000), so that no call is cut short.
	roleBatch = 1000
	// roleHalvings is how often a refused batch is halved in one run, to find whom it is
	// refused for. The rest has the role by then, and the next run has fewer to look at.
	roleHalvings = 24
)

// RoleOutcome is what became of a plan for a role.
type RoleOutcome struct {
	// Err is nil when everything was done and seen.
	Err error
	// Done lists the kinds of the actions that changed the platform.
	Done []plan.Kind
	// Asked: the platform was asked to change something.
	Asked bool
	// Read: Members are all holders, as read afterwards.
	Read    bool
	Members []directory.RoleMember
	// Revoked and Granted count those for whom the plan was seen to be carried out.
	Revoked, Granted int
	// Taken are the accounts from which the platform took the role, by its answer and by what was read.
	Taken []string
	// Missing are accounts that were to get the role, and that the platform does not know,
	// or does not show to us. Those who exist have it.
	Missing []string
	// Ignored are those for whom the platform accepted a change, and then did not show it (P9).
	Ignored []directory.RoleMember
}

// Role carries out a plan for a role: it takes it away, then gives it, and reads back. What
// is wrong with one holder does not stop the others (P11). All of it may be repeated.
func Role(ctx context.Context, d directory.Directory, p plan.RolePlan, by By) RoleOutcome {
	w := &roleWork{directory: d, plan: p, by: by, refused: map[string]error{}, unknown: map[string]bool{}, answered: map[string]bool{}}
	keeper, can := d.(directory.RoleKeeper)
	if !can {
		w.Err = &directory.Error{Class: directory.NotSupported, Operation: string(plan.GrantRole), Message: "this platform has no roles"}
		return w.RoleOutcome
	}
	if len(p.Revoke)+len(p.Grant) == 0 {
		return w.RoleOutcome
	}
	if w.Err = w.write(ctx, keeper); w.Asked || w.Err == nil {
		w.readBack(ctx, keeper)
	}
	return w.RoleOutcome
}

type roleWork struct {
	RoleOutcome
	directory directory.Directory
	plan      plan.RolePlan
	by        By

	halvings int
	// By holder: refused are those for whom the platform said no, with its words; of
	// unknown it says that it does not know some; answered are those from whom it said that
	// it took the role.
	refused           map[string]error
	unknown, answered map[string]bool
}

// write revokes, narrows or widens, and grants, in this order. The error is one that
// everybody would meet.
func (w *roleWork) write(ctx context.Context, keeper directory.RoleKeeper) error {
	if err := w.revoke(ctx); err != nil {
		return err
	}
	var anew, rescoped []directory.RoleMember
	for _, m := range w.plan.Grant {
		if m.Account != "" && slices.Contains(w.plan.Rescoped, m.Account) {
			rescoped = append(rescoped, m)
		} else {
			anew = append(anew, m)
		}
	}
	if err := w.rescope(ctx, rescoped); err != nil {
		return err
	}
	return w.each(ctx, plan.GrantRole, anew, func(ctx context.Context, some []directory.RoleMember) error {
		return keeper.AddToRole(ctx, w.plan.Role, some)
	})
}

func (w *roleWork) revoke(ctx context.Context) error {
	if len(w.plan.Revoke) == 0 {
		return nil
	}
	revoker, can := w.directory.(directory.RoleRevoker)
	if !can {
		return &directory.Error{Class: directory.NotSupported, Operation: string(plan.RevokeRole), Message: "this platform takes no roles away by API: do it in its console"}
	}
	return w.each(ctx, plan.RevokeRole, w.plan.Revoke, func(ctx context.Context, some []directory.RoleMember) error {
		return revoker.RemoveFromRole(ctx, w.plan.Role, some)
	})
}

func (w *roleWork) rescope(ctx context.Context, members []directory.RoleMember) error {
	if len(members) == 0 {
		return nil
	}
	scoper, can := w.directory.(directory.RoleScoper)
	if !can {
		w.refuse(members, &directory.Error{Class: directory.NotSupported, Operation: string(plan.GrantRole), Message: "roles have no scope on this platform: leave out scopeRefs"})
		return nil
	}
	return w.each(ctx, plan.GrantRole, members, func(ctx context.Context, some []directory.RoleMember) error {
		return scoper.SetRoleScope(ctx, w.plan.Role, some)
	})
}

// each makes the change for all members, a batch at a time. It goes on after what concerns
// some of them, and ends with what concerns all.
func (w *roleWork) each(ctx context.Context, kind plan.Kind, members []directory.RoleMember, change func(context.Context, []directory.RoleMember) error) error {
	for batch := range slices.Chunk(members, roleBatch) {
		if err := w.some(ctx, kind, batch, change); err != nil {
			return err
		}
	}
	return nil
}

func (w *roleWork) some(ctx context.Context, kind plan.Kind, batch []directory.RoleMember, change func(context.Context, []directory.RoleMember) error) error {
	holders := map[string]string{"holders": roleHolders(batch), "count": strconv.Itoa(len(batch))}
	before, after := map[string]string(nil), holders
	if kind == plan.RevokeRole {
		before, after = holders, nil
	}
	err := w.by.Record(ctx, kind, RoleTarget(w.plan.Role), before, after, func(ctx context.Context) error {
		w.Asked = true
		return change(ctx, batch)
	})
	class := directory.ClassOf(err)
	if class == directory.PermissionDenied && kind == plan.RevokeRole {
		// Also said of one whom the app may not see, after it was taken from the others. If it
		// is about all of them, giving it meets the same.
		w.refuse(batch, err)
		return nil
	}
	switch class {
	case "":
		w.did(kind)
		for _, m := range batch {
			w.answered[w.key(m)] = kind == plan.RevokeRole
		}
		return nil
	case directory.NotFound: // some of them are not there, or the role is not: reading tells
		w.did(kind)
		for _, m := range batch {
			w.unknown[w.key(m)] = kind == plan.GrantRole && m.Account != ""
		}
		return nil
	case directory.Invalid, directory.Conflict, directory.NotSupported:
		if len(batch) == 1 || w.halvings == roleHalvings {
			w.refuse(batch, err)
			return nil
		}
		w.halvings++
		half := len(batch) / 2
		if err := w.some(ctx, kind, batch[:half], change); err != nil {
			return err
		}
		return w.some(ctx, kind, batch[half:], change)
	}
	return err
}

func (w *roleWork) did(kind plan.Kind) {
	if !slices.Contains(w.Done, kind) {
		w.Done = append(w.Done, kind)
	}
}

func (w *roleWork) refuse(members []directory.RoleMember, err error) {
	for _, m := range members {
		w.refused[w.key(m)] = err
	}
}

// key is one holder, whatever the scope.
func (w *roleWork) key(m directory.RoleMember) string {
	c := w.directory.Capabilities()
	if c.FoldsIDs {
		m.Account = strings.ToLower(m.Account)
	}
	return m.Account + "#" + m.Department
}

// readBack says how the world is now, whatever was answered: a lost answer may have been a
// yes, and a yes may have changed nothing.
func (w *roleWork) readBack(ctx context.Context, keeper directory.RoleKeeper) {
	members, err := keeper.RoleMembers(ctx, w.plan.Role)
	if err != nil {
		w.Err = first(w.Err, err)
		return
	}
	w.Read, w.Members = true, members
	have := map[string]directory.RoleMember{}
	for _, m := range members {
		have[w.key(m)] = m
	}
	broken := w.Err
	revoked := w.revoked(have)
	for _, m := range w.plan.Grant {
		now, holds := have[w.key(m)]
		switch {
		case holds && sameScope(now.Scope, m.Scope):
			w.Granted++
		case !holds && w.unknown[w.key(m)]:
			w.Missing = append(w.Missing, m.Account)
		default:
			w.differs(m, broken)
		}
	}
	if revoked == len(w.plan.Revoke) && w.Granted == len(w.plan.Grant) {
		w.Err = nil
		return
	}
	w.Err = first(broken, w.whole())
}

// revoked counts from whom the role was taken. Of who did not show it before either, the
// answer tells (P5).
func (w *roleWork) revoked(have map[string]directory.RoleMember) (n int) {
	unseen := map[string]bool{}
	for _, id := range w.plan.Unseen {
		unseen[w.key(directory.RoleMember{Account: id})] = true
	}
	for _, m := range w.plan.Revoke {
		k := w.key(m)
		_, holds := have[k]
		switch {
		case holds:
			w.differs(m, w.Err)
			continue
		case unseen[k] && !w.answered[k]:
			continue
		case !unseen[k]:
			w.Revoked++
		}
		n++
		if m.Account != "" && (w.answered[k] || w.refused[k] != nil) { // an answer that was lost is none
			w.Taken = append(w.Taken, m.Account)
		}
	}
	return n
}

// differs notes somebody for whom the plan is not carried out, and nobody said why.
func (w *roleWork) differs(m directory.RoleMember, broken error) {
	if w.refused[w.key(m)] == nil && broken == nil {
		w.Ignored = append(w.Ignored, m)
	}
}

// whole is the error of a plan that was carried out for some.
func (w *roleWork) whole() error {
	for _, m := range slices.Concat(w.plan.Revoke, w.plan.Grant) {
		if err := w.refused[w.key(m)]; err != nil {
			return err
		}
	}
	if n := len(w.Ignored); n > 0 {
		return &directory.Error{Class: directory.Unavailable, Operation: "role", Message: fmt.Sprintf("the platform accepted the change of the role for %d holders and does not show it", n)}
	}
	return &directory.Error{Class: directory.NotFound, Operation: "role", Message: fmt.Sprintf("%d of %d who are to get the role do not exist on the platform, or the app may not see them; the others have it", len(w.Missing), len(w.plan.Grant))}
}

func sameScope(a, b []string) bool {
	set := func(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }
	return slices.Equal(set(a), set(b))
}

// roleHolders are the ids of holders for the record, each with where the role reaches for it.
func roleHolders(members []directory.RoleMember) string {
	ids := make([]string, 0, len(members))
	for _, m := range members {
		id := m.Account
		if m.Department != "" {
			id = "department " + m.Department
		}
		if len(m.Scope) > 0 {
			id += "(" + strings.Join(m.Scope, " ") + ")"
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, ",")
}

// FoundRole is a role that was looked for.
type FoundRole struct {
	directory.Role
	// Origin is Created if it was made by this call, Adopted if it was there.
	Origin plan.Origin
	// Asked: its creation was asked for, and not seen to have taken effect.
	Asked bool
}

// EnsureRole finds the role by its name and group, or, with create, makes it. A role
// without a group is the only one of its name. NotFound: there is none, and it was not to be
// made. Conflict: several could be meant. It never repeats a creation: what was answered
// otherwise, or not at all, is looked up (P3).
func EnsureRole(ctx context.Context, d directory.Directory, want directory.Role, create bool, by By) (FoundRole, error) {
	keeper, can := d.(directory.RoleKeeper)
	if !can {
		return FoundRole{}, &directory.Error{Class: directory.NotSupported, Operation: string(plan.Create), Message: "this platform has no roles"}
	}
	found, err := findRole(ctx, keeper, want, "")
	if directory.ClassOf(err) != directory.NotFound || !create {
		return FoundRole{Role: found, Origin: plan.Adopted}, err
	}
	var id string
	after := map[string]string{"name": want.Name, "group": want.Group}
	err = by.Record(ctx, plan.Create, RoleTarget(""), nil, after, func(ctx context.Context) (err error) {
		id, err = keeper.CreateRole(ctx, want)
		return err
	})
	origin := plan.Created
	switch directory.ClassOf(err) {
	case "":
		want.ID = id
		return FoundRole{Role: want, Origin: origin}, nil
	case directory.AlreadyExists: // somebody else made it in between
		origin, id = plan.Adopted, holder(err)
	case directory.OutcomeUnknown:
	default:
		return FoundRole{}, err
	}
	found, reading := findRole(ctx, keeper, want, id)
	if reading != nil {
		return FoundRole{Asked: origin == plan.Created}, first(err, reading)
	}
	return FoundRole{Role: found, Origin: origin}, nil
}

// findRole reads all roles, and picks that of the id, if it is not empty, or else of the
// name and group.
func findRole(ctx context.Context, keeper directory.RoleKeeper, want directory.Role, id string) (directory.Role, error) {
	roles, err := keeper.Roles(ctx)
	if err != nil {
		return directory.Role{}, err
	}
	var named []directory.Role
	for _, r := range roles {
		switch {
		case id != "" && r.ID == id:
			return r, nil
		case r.Name != want.Name:
		case want.Group == "" || r.Group == "" || r.Group == want.Group: // without a group: the platform has none
			named = append(named, r)
		}
	}
	switch len(named) {
	case 0:
		return directory.Role{}, &directory.Error{Class: directory.NotFound, Operation: "role", Message: "there is no role of this name" + inGroup(want.Group)}
	case 1:
		return named[0], nil
	}
	return directory.Role{}, &directory.Error{Class: directory.Conflict, Operation: "role", Message: fmt.Sprintf("%d roles have this name%s: say which by role.group, or give them names of their own", len(named), inGroup(want.Group))}
}

func inGroup(group string) string {
	if group == "" {
		return ""
	}
	return " in the group " + group
}
