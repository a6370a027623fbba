package ldap

import (
	"context"
	"slices"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

const (
	assertionControl = "1.3.6.1.1.12"           // RFC 4528
	pagingControl    = "1.2.840.113556.1.4.319" // RFC 2696
	// activeDirectory is among the supportedCapabilities of Active Directory ([MS-ADTS], section 3.1.1.3.4.3.1).
	activeDirectory = "1.2.840.113556.1.4.800"
)

// noAccountsThere is why none are created on Active Directory: it enables none without a password ([MS-SAMR],
// section 3.1.1.8.10), and Rollcall sets no passwords.
const noAccountsThere = "an account without a password cannot be enabled there, and Rollcall sets no passwords: create it by other means, and it will be linked"

// facts are what the root of the server says of itself (RFC 4512, section 5.1).
type facts struct {
	identity  identity
	assertion bool
	paging    bool
	contexts  []string
}

// facts reads the root once. A server that hides it is taken to have no extensions.
func (s *system) facts(ctx context.Context) (*facts, error) {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	found, err := s.search(ctx, query{scope: goldap.ScopeBaseObject, filter: anything, limit: 1, mayMiss: true,
		attributes: []string{"supportedControl", "supportedCapabilities", "namingContexts"}})
	if err != nil && directory.ClassOf(err) != directory.NotFound && codeOf(err) != goldap.LDAPResultInsufficientAccessRights {
		return nil, err
	}
	f := &facts{identity: entryUUID}
	for _, root := range found {
		controls := root.GetEqualFoldAttributeValues("supportedControl")
		f.assertion, f.paging = slices.Contains(controls, assertionControl), slices.Contains(controls, pagingControl)
		f.contexts = root.GetEqualFoldAttributeValues("namingContexts")
		if slices.Contains(root.GetEqualFoldAttributeValues("supportedCapabilities"), activeDirectory) {
			f.identity = objectGUID
		}
	}
	s.mu.Lock()
	s.known = f
	s.mu.Unlock()
	return f, nil
}

// Discover asks what the server can do, and proves that the bind account can sign in and see what was declared.
// Whether it may write shows when it does: LDAP has no question for that.
func (s *system) Discover(ctx context.Context) (linked.Capabilities, error) {
	s.mu.Lock()
	s.known = nil
	s.mu.Unlock()
	f, err := s.facts(ctx)
	if err != nil {
		return linked.Capabilities{}, err
	}
	if err := s.look(ctx, f); err != nil {
		return linked.Capabilities{}, err
	}
	p, err := s.policies(ctx)
	if err != nil {
		return linked.Capabilities{}, err
	}
	c := linked.Capabilities{
		Protocol: "LDAP", Lists: true, Reads: true, Creates: s.o.Disabling != UserAccountControl, Updates: true, Disables: true, Enables: true, Deletes: true,
		Groups: s.groups != nil, Words: []string{f.identity.attribute, s.lock().words},
	}
	s.transport(f, &c)
	s.limits(p, &c)
	return c, nil
}

// look sees whether everything is there that was declared.
func (s *system) look(ctx context.Context, f *facts) error {
	for _, dn := range []string{s.o.PeopleDN, s.o.DisabledDN, s.o.GroupsDN} {
		if dn == "" {
			continue
		}
		if _, err := s.search(ctx, query{base: dn, scope: goldap.ScopeBaseObject, filter: anything, attributes: noAttributes, limit: 1}); err != nil {
			return err
		}
	}
	if s.groups != nil {
		if err := s.visible(ctx, s.o.GroupsDN); err != nil {
			return err
		}
	}
	for _, base := range s.bases {
		if err := s.visible(ctx, base); err != nil {
			return err
		}
		some, err := s.search(ctx, query{base: base, scope: goldap.ScopeWholeSubtree, filter: "(&" + s.isAccount() + ")",
			attributes: s.wanted(f.identity), limit: 1})
		if err != nil && !is(err, codeSizeLimit) {
			return err
		}
		for _, raw := range some {
			if _, err := s.read(raw, f.identity); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *system) transport(f *facts, c *linked.Capabilities) {
	switch {
	case s.client.startTLS:
		c.Words = append(c.Words, "StartTLS")
	case s.client.tls != nil:
		c.Words = append(c.Words, "LDAPS")
	}
	if f.assertion {
		c.Words = append(c.Words, "assertions")
	} else {
		c.Limits = append(c.Limits, "The server has no assertions (RFC 4528): an entry that is renamed in the moment between being found and being changed may be mistaken for another.")
	}
	if f.paging {
		c.Words = append(c.Words, "pages")
	}
}

func (s *system) limits(p policies, c *linked.Capabilities) {
	if works, words := s.lock().works(&entry{}, p); !works {
		c.Disables = false
		c.Limits = append(c.Limits, "Accounts cannot be disabled for sure: "+words+".")
	}
	c.Limits = append(c.Limits, "Disabling lets nobody sign in again; a connection that is signed in already goes on until it ends.")
	switch s.o.Disabling {
	case ScramblePassword:
		c.Limits = append(c.Limits, "Whoever is disabled needs a new password to be enabled again. The bind account has to read userPassword, or it cannot be told who is disabled.")
	case UserAccountControl:
		c.Limits = append(c.Limits, "Accounts are not created: "+noAccountsThere+".")
	}
	if s.groups == nil {
		c.Limits = append(c.Limits, "No groupsDN is declared: nobody is taken out of groups, and memberships are not looked for.")
	} else {
		c.Limits = append(c.Limits, "The only member of a group that may not be empty (groupOfNames, groupOfUniqueNames) is not taken out of it: somebody has to add another member or delete the group. Groups elsewhere than below groupsDN are not looked at.")
	}
	if s.disabled == nil {
		c.Limits = append(c.Limits, "No disabledDN is declared: unlinked entries stay where they are.")
	} else {
		c.Limits = append(c.Limits, "An unlinked entry that is enabled again comes back directly below peopleDN, wherever it was before.")
	}
}
