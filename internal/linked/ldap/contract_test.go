package ldap

import (
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/linked/linkedtest"
)

// dnOf finds an entry as the administrator.
func (s *slapd) dnOf(t *testing.T, id string) string {
	t.Helper()
	r, err := s.admin().Search(goldap.NewSearchRequest(suffix, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, 0, 0, false, equals("entryUUID", id), noAttributes, nil))
	if err != nil || len(r.Entries) != 1 {
		t.Fatalf("finding %s: %v", id, err)
	}
	return r.Entries[0].DN
}

// Both ways of locking that slapd obeys keep the contract: the one that a policy makes, and the one that takes the password.
func TestContract(t *testing.T) {
	for _, way := range []Disabling{PasswordPolicy, ScramblePassword} {
		t.Run(string(way), func(t *testing.T) {
			linkedtest.Contract(t, func(t *testing.T, strangers int) linkedtest.Peer {
				s := startSlapd(t, variant{NoLock: way == ScramblePassword})
				s.crowd(strangers)
				s.group("team", "stranger") // who need not exist
				o := s.options()
				o.Disabling = way
				sys := open(t, o)
				sys.page = 3
				p := linkedtest.Peer{
					System: sys, Base: map[string][]string{"cn": {"x"}, "sn": {"y"}}, Attributes: []string{"title", "description"}, Secrets: []string{operator},
					Join: func(t *testing.T, id string) {
						m := goldap.NewModifyRequest("cn=team-names,"+groupsDN, nil)
						m.Add("member", []string{s.dnOf(t, id)})
						if err := s.admin().Modify(m); err != nil {
							t.Fatal(err)
						}
					},
					SignsIn: func(t *testing.T, id, _ string) bool {
						dn := s.dnOf(t, id)
						if len(s.get(dn, "userPassword")) == 0 {
							s.set(dn, "userPassword", password)
						}
						return s.signsIn(dn, password)
					},
				}
				if way == ScramblePassword {
					p.Renew = func(t *testing.T, id string) { s.set(s.dnOf(t, id), "userPassword", password) }
				}
				return p
			})
		})
	}
}
