package execute_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
)

const auditors = "4711"

// holding are holders of the role, each "id" or "id/department".
func holding(ids ...string) (members []directory.RoleMember) {
	for _, id := range ids {
		m := directory.RoleMember{Role: auditors}
		var reach string
		m.Account, reach, _ = strings.Cut(id, "/")
		if reach != "" {
			m.Scope = strings.Split(reach, ",")
		}
		members = append(members, m)
	}
	return members
}

// refuses is a platform that refuses to give the role to a batch with one of them in it,
// and says with which class; or says yes and does nothing for them.
type refuses struct {
	*directorytest.Fake
	class   directory.Class
	people  map[string]bool
	silent  bool
	refused int
}

func (r *refuses) AddToRole(ctx context.Context, role string, members []directory.RoleMember) error {
	bad := func(m directory.RoleMember) bool { return r.people[m.Account] }
	if slices.ContainsFunc(members, bad) && !r.silent {
		r.refused++
		return &directory.Error{Class: r.class, Operation: "role/add", Message: "somebody cannot have it"}
	}
	return r.Fake.AddToRole(ctx, role, slices.DeleteFunc(slices.Clone(members), bad))
}

// SetRoleScope is accepted, and ignored, for those whom it is silent about.
func (r *refuses) SetRoleScope(ctx context.Context, role string, members []directory.RoleMember) error {
	return r.Fake.SetRoleScope(ctx, role, slices.DeleteFunc(slices.Clone(members), func(m directory.RoleMember) bool { return r.people[m.Account] }))
}

// staffed is a platform where these people are, of whom some hold the role.
func staffed(t *testing.T, people []string, holders ...string) *scene {
	s := begin(t, open())
	for _, id := range people {
		s.Place(directory.Account{ID: id, Type: directory.Ordinary, State: directory.Active})
	}
	s.PlaceRole(directory.Role{ID: auditors, Name: "审计员", Group: "内控"}, holding(holders...)...)
	return s
}

// planned is the plan for the role as it is now.
func (s *scene) planned(w plan.RoleWish, granted ...string) plan.RolePlan {
	s.Helper()
	members, err := s.RoleMembers(s.Context(), auditors)
	if err != nil {
		s.Fatal(err)
	}
	w.Role = auditors
	return plan.ForRole(w, plan.RoleRecord{Granted: granted}, plan.RoleFacts{Capabilities: s.Capabilities(), Members: members})
}

func wishFor(ids ...string) plan.RoleWish {
	w := plan.RoleWish{Holders: map[string][]string{}, Exclusive: true}
	for _, m := range holding(ids...) {
		w.Holders[m.Account] = m.Scope
	}
	return w
}

// heldBy fails unless exactly these people hold the role.
func (s *scene) heldBy(ids ...string) {
	s.Helper()
	members, err := s.RoleMembers(s.Context(), auditors)
	if err != nil {
		s.Fatal(err)
	}
	if got, want := asText(members), asText(holding(ids...)); !slices.Equal(got, want) {
		s.Errorf("the role is held by %q, want %q", got, want)
	}
}

func asText(members []directory.RoleMember) (list []string) {
	for _, m := range members {
		list = append(list, fmt.Sprintf("%s%s%v", m.Account, m.Department, m.Scope))
	}
	slices.Sort(list)
	return list
}

func TestP2ARoleIsTakenBeforeItIsGiven(t *testing.T) {
	s := staffed(t, []string{"A", "B", "C", "D"}, "A", "B", "D")
	d := &diary{scene: s}
	o := execute.Role(t.Context(), s.Fake, s.planned(wishFor("A", "B/7,8", "C")), d.by())
	if o.Err != nil || !o.Asked || !o.Read || o.Revoked != 1 || o.Granted != 2 || !slices.Equal(o.Done, []plan.Kind{plan.RevokeRole, plan.GrantRole}) {
		t.Errorf("outcome %+v", o)
	}
	s.heldBy("A", "B/7,8", "C")
	if got, want := asText(o.Members), asText(holding("A", "B/7,8", "C")); !slices.Equal(got, want) {
		t.Errorf("told to be held by %q", got)
	}
	want := []string{
		"before RevokeRole role 4711: map[count:1 holders:D] to map[] because 离职, by liu-ruyan",
		"after RevokeRole role 4711: ",
		"before GrantRole role 4711: map[] to map[count:1 holders:B(7 8)] because 离职, by liu-ruyan",
		"after GrantRole role 4711: ",
		"before GrantRole role 4711: map[] to map[count:1 holders:C] because 离职, by liu-ruyan",
		"after GrantRole role 4711: ",
	}
	if got := d.plain(); !slices.Equal(got, want) {
		t.Errorf("P8: recorded\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if p := s.planned(wishFor("A", "B/7,8", "C")); !p.InSync() {
		t.Errorf("still to do: %+v", p)
	}
}

// plain are the lines without how many writes there were.
func (d *diary) plain() (lines []string) {
	for _, l := range d.lines {
		head, tail, _ := strings.Cut(l, " (")
		_, tail, _ = strings.Cut(tail, "): ")
		lines = append(lines, head+": "+tail)
	}
	return lines
}

func TestP13NothingToDoTakesNoCall(t *testing.T) {
	s := staffed(t, []string{"A"}, "A")
	p := s.planned(wishFor("A"))
	before := len(s.Calls())
	if o := execute.Role(t.Context(), s.Fake, p, execute.By{}); o.Err != nil || o.Done != nil || len(s.Calls()) != before {
		t.Errorf("outcome %+v", o)
	}
}

func TestP11OneBadPersonDoesNotStopTheRest(t *testing.T) {
	var people []string
	for n := range 2500 {
		people = append(people, fmt.Sprintf("E%04d", n))
	}
	for _, class := range []directory.Class{directory.Invalid, directory.Conflict, directory.NotSupported} {
		t.Run(string(class), func(t *testing.T) {
			s := staffed(t, people)
			d := &refuses{Fake: s.Fake, class: class, people: map[string]bool{"E0007": true, "E1999": true}}
			p := s.planned(wishFor(people...))
			o := execute.Role(t.Context(), d, p, execute.By{})
			s.wantClass(execute.Outcome{Err: o.Err}, class)
			if o.Granted != 2498 || len(o.Ignored)+len(o.Missing) > 0 || d.refused > 24 {
				t.Errorf("granted to %d, ignored %v, missing %v, refused %d times", o.Granted, o.Ignored, o.Missing, d.refused)
			}
			if left := s.planned(wishFor(people...)); !slices.Equal(asText(left.Grant), asText(holding("E0007", "E1999"))) {
				t.Errorf("left are %v", left.Grant)
			}
		})
	}
}

func TestP11ManyBadPeopleCostLittleEachTime(t *testing.T) {
	var people []string
	bad := map[string]bool{}
	for n := range 1000 {
		people = append(people, fmt.Sprintf("E%04d", n))
		bad[people[n]] = n%50 == 0
	}
	s := staffed(t, people)
	d := &refuses{Fake: s.Fake, class: directory.Invalid, people: bad}
	held := 0
	for range 20 {
		before := d.refused
		o := execute.Role(t.Context(), d, s.planned(wishFor(people...)), execute.By{})
		if d.refused-before > 60 {
			t.Fatalf("%d calls were refused in one run", d.refused-before)
		}
		if len(o.Members) < held || o.Err == nil {
			t.Fatalf("held by %d, then by %d: %v", held, len(o.Members), o.Err)
		}
		held = len(o.Members)
	}
	if held != 980 {
		t.Errorf("%d have the role in the end, want 980", held)
	}
}

// hides is a platform that does not let the app see some: it lists no role of theirs if short,
// and takes none from them if it refuses to.
type hides struct {
	*directorytest.Fake
	people         map[string]bool
	short, refuses bool
}

func (h *hides) bad(m directory.RoleMember) bool { return h.people[m.Account] }

func (h *hides) RoleMembers(ctx context.Context, role string) ([]directory.RoleMember, error) {
	members, err := h.Fake.RoleMembers(ctx, role)
	if h.short {
		members = slices.DeleteFunc(members, h.bad)
	}
	return members, err
}

func (h *hides) RemoveFromRole(ctx context.Context, role string, members []directory.RoleMember) error {
	if !h.refuses || !slices.ContainsFunc(members, h.bad) {
		return h.Fake.RemoveFromRole(ctx, role, members)
	}
	if err := h.Fake.RemoveFromRole(ctx, role, slices.DeleteFunc(slices.Clone(members), h.bad)); err != nil {
		return err
	}
	return &directory.Error{Class: directory.PermissionDenied, Operation: "role/remove", Message: "the app may not see somebody"}
}

func TestP11OneHiddenHolderDoesNotStopTheRest(t *testing.T) {
	s := staffed(t, []string{"A", "B", "H"}, "B", "H")
	d := &hides{Fake: s.Fake, refuses: true, people: map[string]bool{"H": true}}
	o := execute.Role(t.Context(), d, s.planned(wishFor("A")), execute.By{})
	s.wantClass(execute.Outcome{Err: o.Err}, directory.PermissionDenied)
	if o.Revoked != 1 || o.Granted != 1 || !slices.Equal(o.Taken, []string{"B"}) || o.Ignored != nil {
		t.Errorf("outcome %+v", o)
	}
	s.heldBy("A", "H")
}

// TestP5WhoIsNotListedLosesTheRoleByName: a listing that lacks somebody is no proof that they do
// not have the role, before it is taken or after.
func TestP5WhoIsNotListedLosesTheRoleByName(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		s := staffed(t, []string{"A", "B"}, "A", "B")
		d := &hides{Fake: s.Fake, short: true, refuses: refuses, people: map[string]bool{"B": true}}
		members, err := d.RoleMembers(t.Context(), auditors)
		if err != nil {
			t.Fatal(err)
		}
		w, facts := plan.RoleWish{Role: auditors}, plan.RoleFacts{Members: members}
		p := plan.ForRole(w, plan.RoleRecord{Granted: []string{"A", "B"}}, facts)
		o := execute.Role(t.Context(), d, p, execute.By{})
		facts.Members, facts.Gone = o.Members, o.Taken
		left := plan.ForRole(w, p.Record, facts)
		if refuses {
			s.wantClass(execute.Outcome{Err: o.Err}, directory.PermissionDenied)
			if s.heldBy("B"); o.Revoked != 1 || !slices.Equal(left.Record.Granted, []string{"B"}) || left.InSync() {
				t.Errorf("outcome %+v, left %+v", o, left)
			}
			continue
		}
		if s.heldBy(); o.Err != nil || o.Revoked != 1 || left.Record.Granted != nil || !left.InSync() {
			t.Errorf("outcome %+v, left %+v", o, left)
		}
	}
}

func TestP9WhatARoleSilentlyLacksIsReported(t *testing.T) {
	s := staffed(t, []string{"A", "B", "C"}, "C")
	d := &refuses{Fake: s.Fake, silent: true, people: map[string]bool{"B": true}}
	o := execute.Role(t.Context(), d, s.planned(wishFor("A", "B", "C")), execute.By{})
	s.wantClass(execute.Outcome{Err: o.Err}, directory.Unavailable)
	if o.Granted != 1 || !slices.Equal(asText(o.Ignored), asText(holding("B"))) || o.Missing != nil {
		t.Errorf("outcome %+v", o)
	}
	s.heldBy("A", "C")
}

func TestP9AScopeThatIsSilentlyKeptIsReported(t *testing.T) {
	s := staffed(t, []string{"A", "B"}, "A", "B")
	d := &refuses{Fake: s.Fake, silent: true, people: map[string]bool{"B": true}}
	o := execute.Role(t.Context(), d, s.planned(wishFor("A/7", "B/7")), execute.By{})
	s.wantClass(execute.Outcome{Err: o.Err}, directory.Unavailable)
	if o.Granted != 1 || !slices.Equal(asText(o.Ignored), asText(holding("B/7"))) {
		t.Errorf("outcome %+v", o)
	}
	s.heldBy("A/7", "B")
}

func TestRolesOfWhoIsNotThere(t *testing.T) {
	s := staffed(t, []string{"A", "B"}, "B")
	o := execute.Role(t.Context(), s.Fake, s.planned(wishFor("A", "B", "nobody")), execute.By{})
	s.wantClass(execute.Outcome{Err: o.Err}, directory.NotFound)
	if o.Granted != 1 || !slices.Equal(o.Missing, []string{"nobody"}) || o.Ignored != nil || strings.Contains(o.Err.Error(), "nobody") {
		t.Errorf("outcome %+v", o)
	}
	s.heldBy("A", "B")
}

// TestP3LostAnswersAboutRolesAreLookedUp: what is seen counts, not what was answered.
func TestP3LostAnswersAboutRolesAreLookedUp(t *testing.T) {
	unavailable := directorytest.Refused(directory.Unavailable)
	for name, c := range map[string]struct {
		revoke, grant, read directorytest.Fault
		class               directory.Class
		held                string
		revoked, granted    int
		unread              bool
	}{
		"all is well":                            {held: "A", revoked: 1, granted: 1},
		"a revocation that happened":             {revoke: directorytest.Lost(), class: directory.OutcomeUnknown, revoked: 1},
		"a revocation that did not happen":       {revoke: directorytest.Refused(directory.OutcomeUnknown), class: directory.OutcomeUnknown, held: "D"},
		"a grant that happened":                  {grant: directorytest.Lost(), held: "A", revoked: 1, granted: 1},
		"a grant that did not happen":            {grant: directorytest.Refused(directory.OutcomeUnknown), class: directory.OutcomeUnknown, revoked: 1},
		"a revocation that is forbidden":         {revoke: directorytest.Refused(directory.PermissionDenied), class: directory.PermissionDenied, held: "A D", granted: 1},
		"a grant that comes too soon":            {grant: directorytest.Refused(directory.RateLimited), class: directory.RateLimited, revoked: 1},
		"holders that cannot be read":            {read: unavailable, class: directory.Unavailable, held: "A", unread: true},
		"a lost grant, and none that is read":    {grant: directorytest.Lost(), read: unavailable, class: directory.OutcomeUnknown, held: "A", unread: true},
		"a role that is gone when it is granted": {grant: directorytest.Refused(directory.NotFound), read: directorytest.Refused(directory.NotFound), class: directory.NotFound, unread: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := staffed(t, []string{"A", "D"}, "D")
			p := s.planned(wishFor("A"))
			s.Next("RemoveFromRole", c.revoke)
			s.Next("AddToRole", c.grant)
			s.Next("RoleMembers", c.read)
			o := execute.Role(t.Context(), s.Fake, p, execute.By{})
			s.wantClass(execute.Outcome{Err: o.Err}, c.class)
			if o.Revoked != c.revoked || o.Granted != c.granted || o.Read == c.unread || o.Ignored != nil {
				t.Errorf("outcome %+v", o)
			}
			s.heldBy(strings.Fields(c.held)...)
			if again := execute.Role(t.Context(), s.Fake, s.planned(wishFor("A")), execute.By{}); again.Err != nil {
				t.Errorf("once more: %v", again.Err)
			}
			s.heldBy("A")
		})
	}
}

func TestP8WithoutATrailNoRoleChanges(t *testing.T) {
	s := staffed(t, []string{"A", "D"}, "D")
	p := s.planned(wishFor("A"))
	reads := s.Count("RoleMembers")
	o := execute.Role(t.Context(), s.Fake, p, (&diary{scene: s, full: true}).by())
	s.wantClass(execute.Outcome{Err: o.Err}, directory.Unavailable)
	if o.Asked || o.Done != nil || s.Count("RoleMembers") != reads {
		t.Errorf("outcome %+v", o)
	}
	s.heldBy("D")
}

func TestRolesWhereTheyCannotBe(t *testing.T) {
	s := staffed(t, []string{"A", "D"}, "D")
	p := s.planned(wishFor("A", "D/7"))
	bare := struct{ directory.Directory }{s.Fake}
	o := execute.Role(t.Context(), bare, p, execute.By{})
	s.wantClass(execute.Outcome{Err: o.Err}, directory.NotSupported)
	unscoped := struct {
		directory.Directory
		directory.RoleKeeper
	}{s.Fake, s.Fake}
	o = execute.Role(t.Context(), unscoped, p, execute.By{})
	s.wantClass(execute.Outcome{Err: o.Err}, directory.NotSupported)
	s.heldBy("A", "D")
	o = execute.Role(t.Context(), unscoped, s.planned(wishFor("A")), execute.By{})
	s.wantClass(execute.Outcome{Err: o.Err}, directory.NotSupported)
	s.heldBy("A", "D")
}

func TestP3RolesAreFoundBeforeTheyAreMade(t *testing.T) {
	here := []directory.Role{
		{ID: "1", Name: "审计员", Group: "内控"}, {ID: "2", Name: "仓管员", Group: "内控"}, {ID: "3", Name: "仓管员", Group: "仓库"}, {ID: "4", Name: "标签"},
	}
	// appears puts the role there, as somebody else would, while it is asked for.
	appears := func(f *directorytest.Fake) func(context.Context) {
		return func(context.Context) { f.PlaceRole(directory.Role{ID: "9", Name: "质检员", Group: "内控"}) }
	}
	for name, c := range map[string]struct {
		name, group string
		never       bool
		fault       func(*directorytest.Fake) directorytest.Fault
		read        directorytest.Fault // the second reading of all roles

		id     string // "new" is any other
		origin plan.Origin
		class  directory.Class
		asked  bool
		made   int
	}{
		"by name and group":            {name: "仓管员", group: "仓库", id: "3", origin: plan.Adopted},
		"by name":                      {name: "审计员", id: "1", origin: plan.Adopted},
		"where there are no groups":    {name: "标签", group: "内控", id: "4", origin: plan.Adopted},
		"several by name":              {name: "仓管员", class: directory.Conflict},
		"none, and none to be made":    {name: "质检员", never: true, class: directory.NotFound},
		"the name in another group":    {name: "审计员", group: "仓库", id: "new", origin: plan.Created, made: 1},
		"made":                         {name: "质检员", group: "内控", id: "new", origin: plan.Created, made: 1},
		"made, and the answer lost":    {name: "质检员", group: "内控", fault: func(*directorytest.Fake) directorytest.Fault { return directorytest.Lost() }, id: "new", origin: plan.Created, made: 1},
		"not made, the answer lost":    {name: "质检员", group: "内控", fault: func(*directorytest.Fake) directorytest.Fault { return directorytest.Refused(directory.OutcomeUnknown) }, class: directory.OutcomeUnknown, asked: true, made: 1},
		"lost, and nothing to be read": {name: "质检员", group: "内控", fault: func(*directorytest.Fake) directorytest.Fault { return directorytest.Lost() }, read: directorytest.Refused(directory.Unavailable), class: directory.OutcomeUnknown, asked: true, made: 1},
		"made by somebody in between": {name: "质检员", group: "内控", fault: func(f *directorytest.Fake) directorytest.Fault {
			return directorytest.Fault{Before: appears(f)}
		}, id: "9", origin: plan.Adopted, made: 1},
		"refused": {name: "质检员", fault: func(*directorytest.Fake) directorytest.Fault {
			return directorytest.Refused(directory.PermissionDenied)
		}, class: directory.PermissionDenied, made: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, open())
			for _, r := range here {
				s.PlaceRole(r)
			}
			if c.fault != nil {
				s.Next("CreateRole", c.fault(s.Fake))
			}
			s.Next("Roles", directorytest.Fault{}, c.read)
			d := &diary{scene: s}
			got, err := execute.EnsureRole(t.Context(), s.Fake, directory.Role{Name: c.name, Group: c.group}, !c.never, d.by())
			s.wantClass(execute.Outcome{Err: err}, c.class)
			id := got.ID
			if known := slices.ContainsFunc(here, func(r directory.Role) bool { return r.ID == id }); id != "" && id != "9" && !known {
				id = "new"
			}
			if id != c.id || err == nil && got.Origin != c.origin || got.Asked != c.asked {
				t.Errorf("got %+v", got)
			}
			if s.Count("CreateRole") != c.made || len(d.lines) != 2*c.made {
				t.Errorf("asked %d times to make it, recorded %q", s.Count("CreateRole"), d.lines)
			}
			roles, err := s.Roles(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, r := range roles {
				if seen[r.Name+r.Group] {
					t.Errorf("there are two of %s in %s", r.Name, r.Group)
				}
				seen[r.Name+r.Group] = true
			}
		})
	}
}
