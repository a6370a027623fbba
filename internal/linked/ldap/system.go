package ldap

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

const (
	// found at once for one number or login.
	maxFound = 20
	// mostIn is how many groups somebody is believed to be in, longestLeave how long they are left in one try.
	mostIn       = 1000
	longestLeave = 30 * time.Minute
)

// system is one LDAP directory.
type system struct {
	o      Options
	client *client
	mapped []string
	page   uint32 // accounts of a listing that are read at once
	// mostBytes of a listing; a test makes it less.
	mostBytes int

	people, disabled, groups *goldap.DN
	bases                    []string // below which accounts are, none in another

	mu    sync.Mutex
	known *facts
}

var _ linked.System = (*system)(nil)

// Close lets connections go.
func (s *system) Close() { s.client.close() }

// List calls each with every account.
func (s *system) List(ctx context.Context, each func(linked.Account) error) error {
	f, err := s.facts(ctx)
	if err != nil {
		return err
	}
	rolls, err := s.rolls(ctx)
	if err != nil {
		return err
	}
	p, err := s.policies(ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, base := range s.bases {
		q := query{base: base, filter: "(&" + s.isAccount() + ")", attributes: s.wanted(f.identity)}
		err := s.eachPage(ctx, q, s.page, func(raw *goldap.Entry) error {
			e, err := s.read(raw, f.identity)
			if err != nil || seen[e.id] { // it moved while we read
				return err
			}
			seen[e.id] = true
			groups, err := s.rolled(ctx, e, rolls)
			if err != nil {
				return err
			}
			return each(s.settled(s.account(e, p), e, groups))
		})
		if err != nil {
			return err
		}
	}
	if len(seen) > 0 {
		return nil
	}
	return s.visible(ctx, s.bases[0])
}

// rolled are the groups that an entry is in, according to the rolls.
func (s *system) rolled(ctx context.Context, e *entry, rolls map[string][]string) ([]string, error) {
	groups := slices.Clone(rolls[canonical(e.dn)])
	if byUID := rolls["uid="+strings.ToLower(e.uid)]; e.uid != "" && len(byUID) > 0 {
		uid, err := s.ownUID(ctx, e)
		if err != nil {
			return nil, err
		}
		if uid != "" {
			groups = append(groups, byUID...)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// Account reads the account with this id.
func (s *system) Account(ctx context.Context, id string) (linked.Account, error) {
	e, err := s.lookup(ctx, id)
	if err != nil {
		return linked.Account{}, err
	}
	return s.whole(ctx, e)
}

// whole completes what was read of an entry.
func (s *system) whole(ctx context.Context, e *entry) (linked.Account, error) {
	p, err := s.policiesFor(ctx, e)
	if err != nil {
		return linked.Account{}, err
	}
	in, err := s.memberships(ctx, e)
	if err != nil {
		return linked.Account{}, err
	}
	return s.settled(s.account(e, p), e, names(in)), nil
}

// Find looks for accounts with this employee number, then for those with this login.
func (s *system) Find(ctx context.Context, number, login string) ([]linked.Account, error) {
	found, err := s.find(ctx, number, login)
	if err != nil {
		return nil, err
	}
	var byNumber, byLogin []linked.Account
	for _, e := range found {
		a, err := s.whole(ctx, e)
		if err != nil {
			return nil, err
		}
		if number != "" && strings.EqualFold(a.Number, number) {
			byNumber = append(byNumber, a)
		} else {
			byLogin = append(byLogin, a)
		}
	}
	return append(byNumber, byLogin...), nil
}

// find returns entries that have the number or the login, compared here as well as there.
func (s *system) find(ctx context.Context, number, login string) ([]*entry, error) {
	f, err := s.facts(ctx)
	if err != nil {
		return nil, err
	}
	var wanted strings.Builder
	for _, key := range [][2]string{{s.o.NumberAttribute, number}, {s.o.LoginAttribute, login}} {
		if key[1] != "" {
			wanted.WriteString(equals(key[0], key[1]))
		}
	}
	if wanted.Len() == 0 {
		return nil, problem(directory.Invalid, "search", "neither an employee number nor a login is given to find somebody by")
	}
	filter := "(&" + s.isAccount() + "(|" + wanted.String() + "))"
	var all []*entry
	for _, base := range s.bases {
		found, err := s.search(ctx, query{base: base, scope: goldap.ScopeWholeSubtree, filter: filter, attributes: s.wanted(f.identity), limit: maxFound})
		if err != nil {
			return nil, err
		}
		for _, raw := range found {
			e, err := s.read(raw, f.identity)
			if err != nil {
				return nil, err
			}
			if number != "" && strings.EqualFold(e.number, number) || login != "" && strings.EqualFold(e.login, login) {
				all = append(all, e)
			}
		}
	}
	return all, nil
}

// Create makes an account, enabled and without a password.
func (s *system) Create(ctx context.Context, w linked.Wish, _ linked.Order) (linked.Account, error) {
	if s.o.Disabling == UserAccountControl {
		return linked.Account{}, problem(directory.NotSupported, "add", noAccountsThere)
	}
	if err := s.check(w); err != nil {
		return linked.Account{}, err
	}
	if !validLogin(w.Login) {
		return linked.Account{}, problem(directory.Invalid, "add", "the login cannot name an entry: it must be 1 to 256 bytes of text without a space at its ends")
	}
	dn := named(s.o.LoginAttribute, w.Login, s.o.PeopleDN)
	add := goldap.NewAddRequest(dn, nil)
	add.Attribute("objectClass", s.o.ObjectClasses)
	add.Attribute(s.o.LoginAttribute, []string{w.Login})
	if w.Number != "" {
		add.Attribute(s.o.NumberAttribute, []string{w.Number})
	}
	for _, name := range slices.Sorted(maps.Keys(w.Attributes)) {
		if values := filled(w.Attributes[name]); len(values) > 0 {
			add.Attribute(name, values)
		}
	}
	err := s.client.do(ctx, &request{operation: "add", write: true, do: func(k *goldap.Conn) error { return k.Add(add) }})
	switch {
	case is(err, codeExists):
		return linked.Account{}, s.taken(ctx, dn, w.Number, err)
	case is(err, codeNoObject):
		return linked.Account{}, problem(directory.PermissionDenied, "add", "the entry ", s.o.PeopleDN, " does not exist, or the bind account may not add to it")
	case err != nil:
		return linked.Account{}, err
	}
	e, err := s.at(ctx, dn)
	if err != nil {
		return linked.Account{}, &directory.Error{Class: directory.OutcomeUnknown, Operation: "add", Message: "added, and not read back", Err: err}
	}
	return s.settled(s.account(e, nil), e, nil), nil
}

// at reads the entry of a name.
func (s *system) at(ctx context.Context, dn string) (*entry, error) {
	f, err := s.facts(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.search(ctx, query{base: dn, scope: goldap.ScopeBaseObject, filter: anything, attributes: s.wanted(f.identity), limit: 1, mayMiss: true})
	if err != nil {
		return nil, err
	}
	if len(found) != 1 || canonical(found[0].DN) != canonical(dn) {
		return nil, problem(directory.NotFound, "search", "there is no such entry, or the bind account may not see it")
	}
	return s.read(found[0], f.identity)
}

// taken says whose the name is that could not be had. It is not adopted here: that is for somebody to decide.
func (s *system) taken(ctx context.Context, dn, number string, refused error) error {
	out := problem(directory.AlreadyExists, "add", "the login is taken, by an entry that the bind account may not see")
	out.Err = refused
	e, err := s.at(ctx, dn)
	switch {
	case err != nil && directory.ClassOf(err) != directory.NotFound:
		return err
	case err != nil:
	case number != "" && strings.EqualFold(e.number, number):
		out.Holder, out.Message = e.id, "the login is taken, by an account with the same employee number"
	case e.number == "":
		out.Holder, out.Message = e.id, "the login is taken, by an account without an employee number"
	default:
		out.Holder, out.Message = e.id, "the login is taken, by an account with another employee number"
	}
	return out
}

// check refuses attributes that were not declared.
func (s *system) check(w linked.Wish) error {
	for name := range w.Attributes {
		if !slices.Contains(s.mapped, name) {
			return problem(directory.Invalid, "modify", "the attribute ", name, " is not in the mapping")
		}
	}
	return nil
}

// filled are the values that are not empty, each once: no syntax of a text has empty ones (RFC 4517, section 3.3.6), and the
// values of an attribute are a set (RFC 4512, section 2.2).
func filled(values []string) []string {
	var all []string
	for _, v := range values {
		if v != "" && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// Update writes the attributes of w and no others.
func (s *system) Update(ctx context.Context, id string, w linked.Wish, _ linked.Order) error {
	if err := s.check(w); err != nil {
		return err
	}
	if w.Login != "" && !validLogin(w.Login) {
		return problem(directory.Invalid, "rename", "the login cannot name an entry: it must be 1 to 256 bytes of text without a space at its ends")
	}
	err := s.change(ctx, id, func(e *entry) error {
		var changes []goldap.Change
		for _, name := range slices.Sorted(maps.Keys(w.Attributes)) {
			changes = append(changes, replaces(name, filled(w.Attributes[name])...)...)
		}
		if w.Number != "" && w.Number != e.number {
			changes = append(changes, replaces(s.o.NumberAttribute, w.Number)...)
		}
		if _, own := s.ownName(e.parsed); !own && w.Login != "" && w.Login != e.login {
			changes = append(changes, replaces(s.o.LoginAttribute, w.Login)...)
		}
		if len(changes) == 0 {
			return nil
		}
		return s.modify(ctx, e, changes)
	})
	if err != nil || w.Login == "" {
		return err
	}
	return s.change(ctx, id, func(e *entry) error { return s.relabel(ctx, e, w.Login) })
}

// relabel renames an entry that is named by its login, and in its groups. The server may do that for DNs by itself
// (slapo-refint), never for memberUid.
func (s *system) relabel(ctx context.Context, e *entry, login string) error {
	if own, ok := s.ownName(e.parsed); !ok || own == login {
		return nil
	}
	others, err := s.find(ctx, "", login)
	if err != nil {
		return err
	}
	for _, other := range others {
		if other.id != e.id {
			taken := problem(directory.AlreadyExists, "rename", "the login is taken by another account")
			taken.Holder = other.id
			return taken
		}
	}
	in, err := s.memberships(ctx, e)
	if err != nil {
		return err
	}
	if strings.EqualFold(s.o.LoginAttribute, "uid") {
		if err := s.replaceIn(ctx, in, byUID, login); err != nil {
			return err
		}
	}
	if err := s.rename(ctx, e, rdn(s.o.LoginAttribute, login), ""); err != nil {
		return err
	}
	superior := goldap.DN{RDNs: e.parsed.RDNs[1:]}
	dn := named(s.o.LoginAttribute, login, superior.String())
	for _, attribute := range []string{byMember, byUniqueMember} {
		if err := s.replaceIn(ctx, in, attribute, dn); err != nil {
			return err
		}
	}
	return nil
}

// Disable lets nobody sign in with the account any more.
func (s *system) Disable(ctx context.Context, id string, _ linked.Order) error {
	return s.change(ctx, id, func(e *entry) error {
		if !e.locked {
			if err := s.setLock(ctx, e, s.lock().set(e)); err != nil {
				return err
			}
		}
		return s.proven(ctx, e)
	})
}

// proven makes sure that a lock locks. It is set in any case: then it works as soon as somebody follows the words.
func (s *system) proven(ctx context.Context, e *entry) error {
	p, err := s.policies(ctx)
	if err != nil {
		return err
	}
	if works, words := s.lock().works(e, p); !works {
		return problem(directory.NotSupported, "modify", words)
	}
	if s.o.Disabling != ScramblePassword || e.locked {
		return nil
	}
	again, err := s.lookup(ctx, e.id)
	if err == nil && !again.locked {
		err = problem(directory.NotSupported, "modify", "the password was replaced by a random one, and the bind account cannot read that it was: let it read userPassword")
	}
	return err
}

// Enable lets somebody sign in again, and puts the entry back below peopleDN if it was parked.
func (s *system) Enable(ctx context.Context, id string, _ linked.Order) error {
	err := s.change(ctx, id, func(e *entry) error {
		if !s.parked(e) {
			return nil
		}
		return s.move(ctx, e, s.o.PeopleDN)
	})
	if err != nil {
		return err
	}
	return s.change(ctx, id, func(e *entry) error {
		l := s.lock()
		switch {
		case !e.locked:
			return nil
		case l.unset == nil:
			return problem(directory.NotSupported, "modify", "nobody knows the password of this account any more: give it a new one, which enables it")
		}
		return s.setLock(ctx, e, l.unset(e))
	})
}

// Unlink takes the account out of all groups, and to disabledDN.
func (s *system) Unlink(ctx context.Context, id string, _ linked.Order) error {
	return s.change(ctx, id, func(e *entry) error {
		stuck, err := s.leave(ctx, e)
		if err != nil {
			return err
		}
		if s.disabled != nil && !s.parked(e) {
			// Where the name will be free another person may have it one day, and would be in the group.
			dn := e.parsed.RDNs[0].String() + "," + s.o.DisabledDN
			for _, attribute := range []string{byMember, byUniqueMember} {
				if err := s.replaceIn(ctx, stuck, attribute, dn); err != nil {
					return err
				}
			}
			if err := s.move(ctx, e, s.o.DisabledDN); err != nil {
				return err
			}
		}
		if len(stuck) > 0 {
			return only(stuck)
		}
		return nil
	})
}

// Delete removes the account. It takes it out of its groups first: few servers do that by themselves, and none for the
// only member of a group.
func (s *system) Delete(ctx context.Context, id string, _ linked.Order) error {
	return s.change(ctx, id, func(e *entry) error {
		stuck, err := s.leave(ctx, e)
		if err != nil {
			return err
		}
		if len(stuck) > 0 {
			return only(stuck)
		}
		return s.write(ctx, "delete", e, func(k *goldap.Conn, controls []goldap.Control) error {
			return k.Del(goldap.NewDelRequest(e.dn, controls))
		})
	})
}

// Residuals name what is left of somebody who was unlinked.
func (s *system) Residuals(ctx context.Context, id string, deleted bool) ([]string, error) {
	e, err := s.lookup(ctx, id)
	if directory.ClassOf(err) == directory.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var left []string
	if deleted {
		left = append(left, "the account is still there")
	}
	p, err := s.policiesFor(ctx, e)
	if err != nil {
		return nil, err
	}
	if !e.locked {
		left = append(left, "somebody can sign in with the account: it is not locked")
	} else if works, words := s.lock().works(e, p); !works {
		left = append(left, "somebody can sign in with the account: "+words)
	}
	in, err := s.memberships(ctx, e)
	if err != nil {
		return nil, err
	}
	if len(in) == 0 && s.groups != nil { // groups that are hidden are not groups that nobody is in
		if err := s.visible(ctx, s.o.GroupsDN); err != nil {
			return nil, err
		}
	}
	for _, group := range names(in) {
		left = append(left, "a member of "+group)
	}
	if s.disabled != nil && !s.parked(e) {
		left = append(left, "the entry is still below "+s.o.PeopleDN)
	}
	return left, nil
}
