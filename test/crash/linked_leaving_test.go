package crash

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/peers"
	receiver "rollcall.dev/rollcall/test/simulator/webhook"
)

// TestP2ALeaverIsShutOutOfEverySystemThatAnswers: whoever leaves while the identity provider is down cannot sign in to the
// directory any more, nor pass the doors; the leaving waits for the provider, and says so. Then nothing is left in any
// system, and each has its record. Declared again, the person has the same accounts where they were kept, found by their
// ids, and another one where it was deleted. Nobody else is touched.
func TestP2ALeaverIsShutOutOfEverySystemThatAnswers(t *testing.T) {
	s := setUpLinked(t, "p2-linked-leaver", 2)
	s.must(world.Update(s.ctx, shared, get(s.scene, &v1alpha1.LinkedSystem{}, inDoors), func(l *v1alpha1.LinkedSystem) { l.Spec.OnLeave = v1alpha1.UnlinkDelete }))
	policy := world.Policy(s.namespace)
	policy.Spec.Backup, policy.Spec.Notices = v1alpha1.OffboardingBackup{Mode: v1alpha1.BackupNone}, nil
	s.apply(policy)
	s.allReady()
	ids := map[string]string{}
	for _, name := range everywhere {
		ids[name] = in(s.employee(1), name).AccountID
	}
	s.group(ids)

	s.idp.down()
	s.must(shared.Depart(s.ctx, s.namespace, 1))
	s.eventually("the others have shut the leaver out, and the provider is waited for", func() error {
		records, err := s.unlinkings(1)
		if err == nil && (records[inDirectory].DisabledTime == nil || records[inDoors].DisabledTime == nil || records[inIDP].WaitingSince == nil || records[inIDP].Reason == "") {
			err = fmt.Errorf("%+v", records)
		}
		return err
	})
	s.shutOut(1, inDirectory, inDoors)
	if _, err := s.tenants[world.WeCom].User(s.ctx, world.Number(1)); err != nil || s.complete(1) == nil {
		t.Errorf("the leaving did not wait: %v", err)
	}

	s.idp.up()
	s.eventually("the leaving is complete", func() error { return s.complete(1) })
	s.shutOut(1, everywhere...)
	s.nothingLeft(ids)
	s.has(2, seen{world.Title(2), rd, true}, everywhere...)

	s.must(shared.Return(s.ctx, s.namespace, 1))
	s.allReady()
	s.reports(1, v1alpha1.LinkedActive, everywhere...)
	for _, name := range everywhere {
		if same := in(s.employee(1), name).AccountID == ids[name]; same != (name != inDoors) {
			t.Errorf("in %s the account that was left is taken again: %t", name, same)
		}
	}
	s.has(1, seen{world.Title(1), rd, true}, everywhere...)
	s.silent()
}

const (
	groupDN = "cn=team," + peers.SlapdGroups
	parked  = "," + peers.SlapdDisabled
)

// group puts both people into a group of each system.
func (s *linkedScene) group(ids map[string]string) {
	s.Helper()
	k, err := s.slapd.Bind(peers.SlapdAdmin, peers.SlapdAdminWord)
	s.must(err)
	members := []string{"objectClass", "groupOfNames", "cn", "team"}
	for n := 1; n <= 2; n++ {
		members = append(members, "member", "uid="+world.Number(n)+","+peers.SlapdPeople)
	}
	s.must(errors.Join(peers.Add(k, groupDN, members...), k.Close()))
	s.idp.ask(http.MethodPost, "/Groups", fmt.Sprintf(
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"team","members":[{"value":%q},{"value":%q}]}`, ids[inIDP], in(s.employee(2), inIDP).AccountID))
	for id := range s.doors.Accounts() {
		s.doors.Change(id, func(a *receiver.Account) { a.Groups = []string{"team"} })
	}
}

// ask asks the server as its administrator would, past whatever is the matter with it.
func (p *provider) ask(method, path, body string) string {
	p.Helper()
	r := httptest.NewRequestWithContext(p.ctx, method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+idpToken)
	w := httptest.NewRecorder()
	if p.real.ServeHTTP(w, r); w.Code >= http.StatusBadRequest {
		p.Errorf("%s %s: status %d: %s", method, path, w.Code, w.Body)
	}
	return w.Body.String()
}

// unlinkings are the records of the last leaving of somebody, by system.
func (s *linkedScene) unlinkings(n int) (map[string]v1alpha1.UnlinkStatus, error) {
	all, err := shared.Leavings(s.ctx, s.namespace, n)
	if err != nil || len(all) == 0 {
		return nil, fmt.Errorf("%d leavings: %w", len(all), err)
	}
	records := map[string]v1alpha1.UnlinkStatus{}
	for _, r := range all[len(all)-1].Status.LinkedAccounts {
		records[r.Name] = r
	}
	return records, nil
}

// shutOut fails if somebody can use an account in the systems, wherever it is kept.
func (s *linkedScene) shutOut(n int, systems ...string) {
	s.Helper()
	login := world.Number(n)
	if slices.Contains(systems, inDirectory) {
		for _, below := range []string{"," + peers.SlapdPeople, parked} {
			if can, err := s.slapd.SignsIn("uid="+login+below, password); can || err != nil {
				s.Errorf("the leaver signs in below %s: %t, %v", below, can, err)
			}
		}
	}
	at, err := s.atTheDoors(login)
	if slices.Contains(systems, inIDP) {
		var there []seen
		there, err = s.idp.accounts(login)
		at = append(at, there...)
	}
	if err != nil || slices.ContainsFunc(at, func(a seen) bool { return a.Enabled }) {
		s.Errorf("the leaver has %+v: %v", at, err)
	}
}

// nothingLeft fails unless the first person is parked in the directory, in no group of it nor of the provider, and unknown at
// the doors and on WeCom, and the records say that.
func (s *linkedScene) nothingLeft(ids map[string]string) {
	s.Helper()
	uuid, err := s.slapd.Get("uid="+world.Number(1)+parked, "entryUUID")
	s.must(err)
	if !slices.Equal(uuid, []string{ids[inDirectory]}) {
		s.Errorf("below %s there is %q, want %q", parked, uuid, ids[inDirectory])
	}
	members, err := s.slapd.Get(groupDN, "member")
	s.must(err)
	if len(members) != 1 || !equalDN(members[0], "uid="+world.Number(2)+","+peers.SlapdPeople) {
		s.Errorf("in the group of the directory are %q", members)
	}
	if groups := s.idp.ask(http.MethodGet, "/Groups", ""); !strings.Contains(groups, fmt.Sprintf(`"members":[{"value":%q}]`, in(s.employee(2), inIDP).AccountID)) {
		s.Errorf("in the group of the provider are %s", groups)
	}
	if at, _ := s.atTheDoors(world.Number(1)); len(at) > 0 { // it never fails
		s.Errorf("at the doors there is %+v", at)
	}
	if users, err := s.tenants[world.WeCom].Users(s.ctx); err != nil || slices.ContainsFunc(users, func(u world.User) bool { return u.ID == world.Number(1) }) {
		s.Errorf("the user is still on WeCom: %v", err)
	}
	records, err := s.unlinkings(1)
	s.must(err)
	for _, name := range everywhere {
		r := records[name]
		if r.State != "Done" || r.EndTime == nil || r.DisabledTime == nil || r.Evidence == "" || r.Reason != "" || r.DisabledBy != v1alpha1.FrozenByRollcall {
			s.Errorf("the record of %s is %+v", name, r)
		}
	}
}

// equalDN reports whether two names are of one entry.
func equalDN(a, b string) bool {
	x, err1 := goldap.ParseDN(a)
	y, err2 := goldap.ParseDN(b)
	return err1 == nil && err2 == nil && x.EqualFold(y)
}
