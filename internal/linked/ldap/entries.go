package ldap

import (
	"context"
	"slices"
	"strconv"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// query is a search.
type query struct {
	base   string
	scope  int
	filter string
	// attributes that are read; noAttributes for none.
	attributes []string
	// limit of entries; 0 = none, for pages.
	limit  int
	paging *goldap.ControlPaging
	pin    *pin
	// mayMiss: a base that is not there is no error of the configuration.
	mayMiss bool
}

// noAttributes asks for the names of entries only (RFC 4511, section 4.5.1.8).
var noAttributes = []string{"1.1"}

const anything = "(objectClass=*)"

// search carries out a query. With the error of a size limit it returns the entries that came all the same.
func (s *system) search(ctx context.Context, q query) ([]*goldap.Entry, error) {
	var found *goldap.SearchResult
	err := s.client.do(ctx, &request{operation: "search", pin: q.pin, do: func(k *goldap.Conn) (err error) {
		r := goldap.NewSearchRequest(q.base, q.scope, goldap.NeverDerefAliases, q.limit, 0, false, q.filter, q.attributes, nil)
		r.EnforceSizeLimit = true
		if q.paging != nil {
			r.Controls = []goldap.Control{q.paging}
		}
		found, err = k.Search(r)
		return err
	}})
	switch {
	case is(err, codeNoObject) && !q.mayMiss:
		// Hidden by the server's rules, or not there at all: the answer is the same, and proves no absence.
		return nil, problem(directory.PermissionDenied, "search", "the entry ", q.base, " does not exist, or the bind account may not see it")
	case is(err, codeSizeLimit) && q.limit > 0 && len(found.Entries) >= q.limit:
		return found.Entries, &directory.Error{Class: directory.QuotaExceeded, Operation: "search", Code: strconv.Itoa(codeSizeLimit),
			Message: "there are more entries than the " + strconv.Itoa(q.limit) + " that are believed here"}
	case is(err, codeSizeLimit):
		return found.Entries, err
	case err != nil:
		return nil, err
	case len(found.Referrals) > 0:
		return nil, problem(directory.NotSupported, "search", "a part of what is below ", q.base,
			" is kept by another server, to which no reference is followed: name each server in a system of its own")
	}
	if q.paging != nil {
		q.paging.Cookie = nil
		if p, ok := goldap.FindControl(found.Controls, goldap.ControlTypePaging).(*goldap.ControlPaging); ok {
			q.paging.Cookie = p.Cookie
		}
	}
	return found.Entries, nil
}

// entry is somebody's, as read.
type entry struct {
	dn      string
	parsed  *goldap.DN
	id      string
	login   string
	uid     string // what posixGroup knows it by
	number  string
	locked  bool   // by us
	policy  string // its own password policy; empty = the server's default
	control string // userAccountControl
	raw     *goldap.Entry
}

// wanted are the attributes that read needs.
func (s *system) wanted(i identity) []string {
	names := slices.Concat([]string{i.attribute, s.o.LoginAttribute, s.o.NumberAttribute, "uid"}, s.lock().attributes, s.mapped)
	slices.Sort(names)
	return slices.Compact(names)
}

// read understands an entry, and refuses one that is not where accounts are.
func (s *system) read(raw *goldap.Entry, i identity) (*entry, error) {
	id, ok := i.id(raw.GetEqualFoldRawAttributeValue(i.attribute))
	if !ok {
		return nil, problem(directory.NotSupported, "search", "entries have no ", i.attribute,
			" that the bind account may read: without it an account is not known again once it is moved")
	}
	dn, err := goldap.ParseDN(raw.DN)
	if err != nil || !s.people.AncestorOfFold(dn) && (s.disabled == nil || !s.disabled.AncestorOfFold(dn)) {
		return nil, problem(directory.Unavailable, "search", "the server answers with an entry that is not where was searched")
	}
	e := &entry{
		dn: raw.DN, parsed: dn, id: id, raw: raw,
		number: raw.GetEqualFoldAttributeValue(s.o.NumberAttribute), login: raw.GetEqualFoldAttributeValue(s.o.LoginAttribute),
		uid: raw.GetEqualFoldAttributeValue("uid"), policy: raw.GetEqualFoldAttributeValue("pwdPolicySubentry"),
		control: raw.GetEqualFoldAttributeValue("userAccountControl"),
	}
	if own, ok := s.ownName(dn); ok { // of several values, the one that it is named by
		e.login = own
	}
	e.locked = s.lock().locked(e)
	return e, nil
}

// ownName is the login in an entry's name, if it is named by its login.
func (s *system) ownName(dn *goldap.DN) (string, bool) {
	for _, a := range dn.RDNs[0].Attributes {
		if strings.EqualFold(a.Type, s.o.LoginAttribute) {
			return a.Value, true
		}
	}
	return "", false
}

// parked: it is below disabledDN.
func (s *system) parked(e *entry) bool {
	return s.disabled != nil && s.disabled.AncestorOfFold(e.parsed)
}

// isAccount is the filter that all accounts pass.
func (s *system) isAccount() string {
	return equals("objectClass", s.o.ObjectClasses[0]) + "(" + s.o.LoginAttribute + "=*)"
}

// lookup finds the entry with an id. NotFound is what the server said while it showed us other entries.
func (s *system) lookup(ctx context.Context, id string) (*entry, error) {
	f, err := s.facts(ctx)
	if err != nil {
		return nil, err
	}
	filter, ok := f.identity.filter(id)
	if !ok {
		return nil, problem(directory.Invalid, "search", "this is not the id of an entry: it must be its ", f.identity.attribute)
	}
	for _, base := range s.everywhere() {
		found, err := s.search(ctx, query{base: base, scope: goldap.ScopeWholeSubtree, filter: filter, attributes: s.wanted(f.identity), limit: 2})
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			continue
		}
		e, err := s.read(found[0], f.identity)
		if err != nil {
			return nil, err
		}
		if len(found) > 1 || !strings.EqualFold(e.id, id) {
			return nil, problem(directory.Unavailable, "search", "the server answers for another entry than was asked for")
		}
		return e, nil
	}
	for _, base := range s.bases {
		if err := s.visible(ctx, base); err != nil {
			return nil, err
		}
	}
	return nil, problem(directory.NotFound, "search", "there is no entry with this ", f.identity.attribute)
}

// everywhere is where an entry is looked for: at the first place once more at the end, in case it went there meanwhile.
func (s *system) everywhere() []string {
	if len(s.bases) == 1 {
		return s.bases
	}
	return append(slices.Clone(s.bases), s.bases[0])
}

// visible makes sure that the bind account sees what is below an entry: rules that hide all of it make
// everybody look gone.
func (s *system) visible(ctx context.Context, base string) error {
	found, err := s.search(ctx, query{base: base, scope: goldap.ScopeWholeSubtree, filter: anything, attributes: noAttributes, limit: 2})
	if err != nil && !is(err, codeSizeLimit) {
		return err
	}
	for _, e := range found {
		if canonical(e.DN) != canonical(base) {
			return nil
		}
	}
	// X.501, section 14.4: an attribute of the entry itself, whatever is hidden below it.
	found, err = s.search(ctx, query{base: base, scope: goldap.ScopeBaseObject, filter: anything, attributes: []string{"hasSubordinates"}, limit: 1})
	if err != nil {
		return err
	}
	if len(found) == 1 && strings.EqualFold(found[0].GetEqualFoldAttributeValue("hasSubordinates"), "FALSE") {
		return nil // there is nobody
	}
	return problem(directory.PermissionDenied, "search", "the bind account sees no entry below ", base,
		", so that nobody can be told from somebody hidden: let it read them")
}

// change looks an entry up and does something to it; once more if the entry changed its place or itself in between.
func (s *system) change(ctx context.Context, id string, act func(*entry) error) error {
	for again := false; ; again = true {
		e, err := s.lookup(ctx, id)
		if err != nil {
			return err
		}
		err = act(e)
		switch {
		case !is(err, codeNoObject, codeAssertionFailed):
			return err
		case again && is(err, codeNoObject):
			return problem(directory.PermissionDenied, "modify", "the entry can be seen and not be written, or the place where it is to go does not exist")
		case again:
			return err
		}
	}
}

// write carries out one change, of which the server must find the entry to be still the one that was looked up.
func (s *system) write(ctx context.Context, operation string, e *entry, do func(k *goldap.Conn, controls []goldap.Control) error) error {
	f, err := s.facts(ctx)
	if err != nil {
		return err
	}
	var controls []goldap.Control
	if filter, ok := f.identity.filter(e.id); ok && f.assertion {
		// slapo-unique searches below a base of its own with the controls of the change, so that they are tested on that
		// base, too (OpenLDAP 2.5: "unique_search failed", 122). So what is no account passes.
		compiled, err := goldap.CompileFilter("(|" + filter + "(!(" + s.o.LoginAttribute + "=*)))")
		if err != nil {
			return problem(directory.Invalid, operation, "the id makes no filter")
		}
		// RFC 4528: between our search and this, the name may have become another person's.
		controls = []goldap.Control{goldap.NewControlString(assertionControl, true, string(compiled.Bytes()))}
	}
	return s.client.do(ctx, &request{operation: operation, write: true, do: func(k *goldap.Conn) error { return do(k, controls) }})
}

func (s *system) modify(ctx context.Context, e *entry, changes []goldap.Change) error {
	return s.write(ctx, "modify", e, func(k *goldap.Conn, controls []goldap.Control) error {
		m := goldap.NewModifyRequest(e.dn, controls)
		m.Changes = changes
		return k.Modify(m)
	})
}

// replaces is a change that is the same when it is made twice. Without values it takes the attribute away, and is no
// error where there is none.
func replaces(attribute string, values ...string) []goldap.Change {
	return []goldap.Change{change(goldap.ReplaceAttribute, attribute, values...)}
}

func change(operation uint, attribute string, values ...string) goldap.Change {
	return goldap.Change{Operation: operation, Modification: goldap.PartialAttribute{Type: attribute, Vals: values}}
}

// rename gives an entry another name, or place.
func (s *system) rename(ctx context.Context, e *entry, newRDN, newSuperior string) error {
	return s.write(ctx, "rename", e, func(k *goldap.Conn, controls []goldap.Control) error {
		m := goldap.NewModifyDNRequest(e.dn, newRDN, true, newSuperior)
		m.Controls = controls
		return k.ModifyDN(m)
	})
}

// move puts an entry below another one, by its name of now.
func (s *system) move(ctx context.Context, e *entry, superior string) error {
	err := s.rename(ctx, e, e.parsed.RDNs[0].String(), superior)
	if is(err, codeExists) {
		return problem(directory.Conflict, "rename", "there is an entry of the same name below ", superior, " already: rename or remove that one")
	}
	return err
}

// account turns an entry into what the language knows. Groups are not looked up here.
func (s *system) account(e *entry, p policies) linked.Account {
	a := linked.Account{ID: e.id, Login: e.login, Number: e.number, Enabled: true, Attributes: map[string][]string{}}
	if e.locked {
		works, _ := s.lock().works(e, p)
		a.Enabled = !works
	}
	for _, name := range s.mapped {
		if values := e.raw.GetEqualFoldAttributeValues(name); len(values) > 0 {
			a.Attributes[name] = values
		}
	}
	return a
}

// settled completes an account with its groups.
func (s *system) settled(a linked.Account, e *entry, groups []string) linked.Account {
	a.Groups = groups
	a.Parked = !a.Enabled && len(groups) == 0 && (s.disabled == nil || s.parked(e))
	return a
}
