package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
)

// Members are named by DN in groupOfNames and groupOfUniqueNames (RFC 4519, sections 3.5 and 3.6), by uid in posixGroup
// (RFC 2307, section 2.2).
const (
	byMember       = "member"
	byUniqueMember = "uniqueMember"
	byUID          = "memberUid"
)

// membership is one attribute of one group that names somebody.
type membership struct {
	group     *entry
	attribute string
	value     string
}

// groupPage is how many groups are read at once with all their members.
const groupPage = 20

// memberships finds where an entry is named in groups.
func (s *system) memberships(ctx context.Context, e *entry) ([]membership, error) {
	if s.groups == nil {
		return nil, nil
	}
	uid, err := s.ownUID(ctx, e)
	if err != nil {
		return nil, err
	}
	filter := equals(byMember, e.dn) + equals(byUniqueMember, e.dn)
	if uid != "" {
		filter += equals(byUID, uid)
	}
	found, err := s.pages(ctx, query{base: s.o.GroupsDN, filter: "(|" + filter + ")", attributes: []string{"objectClass"}}, pageSize)
	if err != nil {
		return nil, err
	}
	if len(found) > mostIn { // each is a call, or several
		return nil, problem(directory.NotSupported, "search", fmt.Sprintf("the account is in %d groups, which is not believed: take it out of them by hand", len(found)))
	}
	var all []membership
	for _, raw := range found {
		// Without an id, so that no assertion is made of it: slapo-memberof repeats the controls in the change of memberOf
		// that it makes in the person's entry, drops it if the assertion fails there, and at the next rename puts the
		// person back into the group (OpenLDAP 2.5).
		group := &entry{dn: raw.DN}
		for _, attribute := range namedBy(raw.GetEqualFoldAttributeValues("objectClass")) {
			value := e.dn
			if attribute == byUID {
				value = uid
			}
			if value != "" {
				all = append(all, membership{group: group, attribute: attribute, value: value})
			}
		}
	}
	return all, nil
}

// namedBy are the attributes by which groups of these classes may name people.
func namedBy(classes []string) []string {
	has := func(class string) bool {
		return slices.ContainsFunc(classes, func(c string) bool { return strings.EqualFold(c, class) })
	}
	var attributes []string
	unique, posix := has("groupOfUniqueNames"), has("posixGroup")
	if has("groupOfNames") || has("group") || !unique && !posix {
		attributes = append(attributes, byMember)
	}
	if unique {
		attributes = append(attributes, byUniqueMember)
	}
	if posix {
		attributes = append(attributes, byUID)
	}
	return attributes
}

// ownUID is the uid by which groups mean this entry; none if it is parked and somebody else below peopleDN has the uid by now.
func (s *system) ownUID(ctx context.Context, e *entry) (string, error) {
	if e.uid == "" || !s.parked(e) {
		return e.uid, nil
	}
	found, err := s.search(ctx, query{base: s.o.PeopleDN, scope: goldap.ScopeWholeSubtree, filter: equals("uid", e.uid), attributes: noAttributes, limit: 10})
	if err != nil && !is(err, codeSizeLimit) {
		return "", err
	}
	for _, other := range found {
		if canonical(other.DN) != canonical(e.dn) {
			return "", nil
		}
	}
	return e.uid, nil
}

// names are the groups of memberships, each once.
func names(all []membership) []string {
	var dns []string
	for _, m := range all {
		dns = append(dns, m.group.dn)
	}
	slices.Sort(dns)
	return slices.Compact(dns)
}

// leave takes an entry out of all its groups. It returns those that would be left without a member, which groupOfNames and
// groupOfUniqueNames may not be (65).
func (s *system) leave(ctx context.Context, e *entry) (stuck []membership, err error) {
	all, err := s.memberships(ctx, e)
	if err != nil {
		return nil, err
	}
	began := s.client.now()
	for _, m := range all {
		if s.client.now().Sub(began) > longestLeave {
			return nil, problem(directory.Unavailable, "modify", "the groups of one person have taken "+longestLeave.String()+": given up, and tried again")
		}
		err := s.modify(ctx, m.group, []goldap.Change{change(goldap.DeleteAttribute, m.attribute, m.value)})
		switch {
		case is(err, codeNoAttribute), is(err, codeNoObject): // it is out, or the group is gone
		case is(err, codeClassViolation):
			stuck = append(stuck, m)
		case err != nil:
			return nil, err
		}
	}
	return stuck, nil
}

// replaceIn has groups name somebody by another value. Both are changed at once: no group is without either.
func (s *system) replaceIn(ctx context.Context, all []membership, attribute, value string) error {
	for _, m := range all {
		if m.attribute != attribute {
			continue
		}
		err := s.modify(ctx, m.group, []goldap.Change{change(goldap.DeleteAttribute, attribute, m.value), change(goldap.AddAttribute, attribute, value)})
		if err != nil && !is(err, codeNoAttribute, codeNoObject, codeValueExists) {
			return err
		}
	}
	return nil
}

// only says of groups that they have no other member.
func only(stuck []membership) *directory.Error {
	return problem(directory.NotSupported, "modify", "the account is the only member of ", few(names(stuck)),
		", and such a group may not be empty (RFC 4519): add another member or delete the group")
}

// few lists some of many.
func few(names []string) string {
	const most = 3
	if len(names) > most {
		return strings.Join(names[:most], "; ") + "; and others"
	}
	return strings.Join(names, "; ")
}

// rolls reads all groups: who is in which, by canonical DN and, after "uid=", by uid in lower case.
func (s *system) rolls(ctx context.Context) (map[string][]string, error) {
	if s.groups == nil {
		return nil, nil
	}
	rolls := map[string][]string{}
	q := query{base: s.o.GroupsDN, filter: "(|(" + byMember + "=*)(" + byUniqueMember + "=*)(" + byUID + "=*))", attributes: []string{byMember, byUniqueMember, byUID}}
	err := s.eachPage(ctx, q, groupPage, func(g *goldap.Entry) error {
		for _, dn := range slices.Concat(g.GetEqualFoldAttributeValues(byMember), g.GetEqualFoldAttributeValues(byUniqueMember)) {
			key := canonical(dn)
			rolls[key] = append(rolls[key], g.DN)
		}
		for _, uid := range g.GetEqualFoldAttributeValues(byUID) {
			key := "uid=" + strings.ToLower(uid)
			rolls[key] = append(rolls[key], g.DN)
		}
		return nil
	})
	return rolls, err
}
