package restore

import (
	"fmt"
	"slices"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

// planRoles makes the roles that are missing, and gives them back to people who come
// back. To others only if it may overwrite: somebody may have taken theirs away.
func (p *planner) planRoles() {
	if !p.restores(Roles) || len(p.archive.Roles) == 0 {
		return
	}
	if !p.target.KeepsRoles {
		for _, r := range p.archive.Roles {
			p.lose(Roles, r.ID, "", p.caps.Platform+" has no roles that these credentials can read and give")
		}
		return
	}
	holders := map[string][]directory.RoleMember{}
	for _, m := range p.archive.Members {
		holders[m.Role] = append(holders[m.Role], m)
	}
	p.holding = map[holder]directory.RoleMember{}
	for _, m := range p.target.Members {
		p.holding[holder{m.Role, p.fold(m.Account), m.Department}] = m
	}
	taken := map[string]bool{}
	for i := range p.archive.Roles {
		r := &p.archive.Roles[i]
		if p.o.UserIDs != nil || p.o.DepartmentIDs != nil {
			holders[r.ID] = slices.DeleteFunc(holders[r.ID], func(m directory.RoleMember) bool {
				return !p.people.wanted[m.Account] && !p.departments.wanted[m.Department]
			})
			if len(holders[r.ID]) == 0 {
				continue
			}
		}
		p.role(r, holders[r.ID], taken)
	}
}

func (p *planner) role(r *directory.Role, holders []directory.RoleMember, taken map[string]bool) {
	if r.BuiltIn && !p.same {
		p.lose(Roles, r.ID, "", "the role belongs to "+p.archive.Platform+"; "+p.caps.Platform+" has its own")
		return
	}
	have := p.findRole(r)
	switch name := r.Name + "\x00" + r.Group; {
	case have != nil && taken[have.ID], have == nil && taken[name]:
		p.add(Item{Verdict: Impossible, Kind: Roles, ID: r.ID, Message: "another role of the archive has its name"})
	case have == nil && r.BuiltIn:
		p.add(Item{Verdict: Impossible, Kind: Roles, ID: r.ID, Message: "the role belongs to the platform, which does not have it any more"})
	case have == nil:
		taken[name] = true
		p.createRole(r, holders)
	default:
		taken[have.ID] = true
		p.existingRole(r, have, holders)
	}
}

// findRole finds the role by id in the same tenant, else by name and group, else by
// a name that only one has.
func (p *planner) findRole(r *directory.Role) *directory.Role {
	var exact, named []*directory.Role
	for i := range p.target.Roles {
		t := &p.target.Roles[i]
		switch {
		case p.same && t.ID == r.ID:
			return t
		case t.Name == r.Name && t.Group == r.Group:
			exact = append(exact, t)
		case t.Name == r.Name:
			named = append(named, t)
		}
	}
	switch {
	case len(exact) > 0:
		return exact[0]
	case len(named) == 1 && (r.Group == "" || named[0].Group == "" || !p.same):
		return named[0]
	}
	return nil
}

func (p *planner) createRole(r *directory.Role, holders []directory.RoleMember) {
	s := roleStep{Role: directory.Role{Name: r.Name, Group: r.Group}, Create: true}
	it := Item{Verdict: Create, Kind: Roles, ID: r.ID}
	for _, m := range holders {
		if to, ok := p.holder(r, m); ok {
			s.Members = append(s.Members, to)
		}
	}
	if len(s.Members) > 0 {
		it.Fields = []string{"members"}
		it.Message = fmt.Sprintf("with %d who have it", len(s.Members))
	}
	s.Items = []int{p.add(it)}
	p.work.Roles = append(p.work.Roles, s)
}

func (p *planner) existingRole(r, have *directory.Role, holders []directory.RoleMember) {
	s := roleStep{Role: directory.Role{ID: have.ID, Name: have.Name, Group: have.Group}}
	finish := p.o.Overwrite || p.begun[Thing{Roles, r.ID}]
	given, left := 0, 0
	for _, m := range holders {
		to, missing := p.missingHolder(r, have, m)
		switch at := p.people.item[m.Account]; {
		case !missing:
			continue
		case r.BuiltIn || have.BuiltIn:
			p.lose(Roles, r.ID, "members", "the role belongs to the platform: it is given in its console")
			continue
		case p.people.created[m.Account]:
			p.items[at].Fields = append(p.items[at].Fields, "roles")
			s.Items = append(s.Items, at)
		case finish || p.mine(m.Account):
			given++
		default:
			left++
			continue
		}
		s.Members = append(s.Members, to)
	}
	it := Item{Verdict: Keep, Kind: Roles, ID: r.ID, TargetID: have.ID}
	if left > 0 {
		it.Fields, it.Message = []string{"members"}, fmt.Sprintf("%d had it and have it no more, which is newer than the archive", left)
	}
	if given > 0 {
		it.Verdict, it.Fields, it.Message = Change, []string{"members"}, fmt.Sprintf("given back to %d", given)
	}
	if role := p.add(it); it.Verdict == Change {
		s.Items = append(s.Items, role)
	}
	if len(s.Members) > 0 {
		p.work.Roles = append(p.work.Roles, s)
	}
}

// missingHolder is who had a role and has not, or not as far as it reached.
func (p *planner) missingHolder(r, have *directory.Role, m directory.RoleMember) (to directory.RoleMember, missing bool) {
	to, ok := p.holder(r, m)
	if !ok {
		return to, false
	}
	now, has := p.holding[holder{have.ID, p.fold(to.Account), to.Department}]
	return to, !has || !sameScope(now.Scope, to.Scope)
}

// holder is who has a role on the target.
type holder struct{ role, account, department string }

func sameScope(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// holder is who has a role, in the words of the target. What a role reaches is never
// widened: who reached only what is not there does not get it.
func (p *planner) holder(r *directory.Role, m directory.RoleMember) (directory.RoleMember, bool) {
	to := directory.RoleMember{}
	var ok bool
	if m.Account != "" {
		to.Account, ok = p.people.place[m.Account]
		ok = ok && p.people.present[m.Account]
	} else {
		to.Department, ok = p.departments.place[m.Department]
	}
	if !ok {
		p.lose(Roles, r.ID, "members", "some who had it are not there")
		return to, false
	}
	if len(m.Scope) == 0 {
		return to, true
	}
	for _, id := range m.Scope {
		if place, placed := p.departments.place[id]; placed && p.archive.Platform == p.target.Platform {
			to.Scope = append(to.Scope, place)
		}
	}
	if len(to.Scope) == 0 {
		p.lose(Roles, r.ID, "scope", "some had it for some departments only, which cannot be said there: they do not get it")
		return to, false
	}
	slices.SortFunc(to.Scope, strings.Compare)
	return to, true
}
