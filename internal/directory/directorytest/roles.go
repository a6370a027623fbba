package directorytest

import (
	"fmt"
	"slices"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

var roles = []contract{
	{"a role is created and read back", func(t *testing.T, s *suite) {
		k := s.keeper(t)
		if k == nil {
			return
		}
		for _, want := range []directory.Role{{Name: "审计员", Group: "内控"}, {Name: "仓管员", Group: "内控"}, {Name: "闲职"}} {
			id, err := k.CreateRole(t.Context(), want)
			if err != nil {
				t.Fatal(err)
			}
			all, err := k.Roles(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(all, func(r directory.Role) bool { return r.ID == id })
			if i < 0 || all[i].Name != want.Name || all[i].BuiltIn || want.Group != "" && all[i].Group != "" && all[i].Group != want.Group {
				t.Errorf("created %+v as %s, and read %+v", want, id, all)
			}
		}
	}},
	{"a role name is given once", func(t *testing.T, s *suite) {
		k := s.keeper(t)
		if k == nil {
			return
		}
		id := s.role(t, k, "审计员")
		_, err := k.CreateRole(t.Context(), directory.Role{Name: "审计员", Group: sampleGroup})
		s.fails(t, "CreateRole again", err, directory.AlreadyExists)
		if h := holder(err); h != "" && h != id {
			t.Errorf("the holder is %q, want %q or nothing", h, id)
		}
	}},
	{"a role without a name is refused", func(t *testing.T, s *suite) {
		if k := s.keeper(t); k != nil {
			_, err := k.CreateRole(t.Context(), directory.Role{Group: sampleGroup})
			s.fails(t, "CreateRole", err, directory.Invalid)
		}
	}},
	{"many people get a role in few calls, and keep it", manyMembers},
	{"an account that does not exist costs the others nothing", func(t *testing.T, s *suite) {
		k := s.keeper(t)
		if k == nil {
			return
		}
		first, p := s.create(t, 1)
		second, _ := s.create(t, 2, p.Memberships[0].Department)
		id := s.role(t, k, "审计员")
		err := k.AddToRole(t.Context(), id, []directory.RoleMember{{Account: first}, {Account: "nobody"}, {Account: second}})
		s.fails(t, "AddToRole", err, directory.NotFound)
		s.holds(t, k, id, first, second)
	}},
	{"an unknown role is NotFound", func(t *testing.T, s *suite) {
		k := s.keeper(t)
		if k == nil {
			return
		}
		person, _ := s.create(t, 1)
		_, err := k.RoleMembers(t.Context(), "987654")
		s.fails(t, "RoleMembers", err, directory.NotFound)
		err = k.AddToRole(t.Context(), "987654", []directory.RoleMember{{Account: person}})
		s.fails(t, "AddToRole", err, directory.NotFound)
	}},
	{"a role reaches the departments of its scope, or such a role is refused", func(t *testing.T, s *suite) {
		person, p := s.create(t, 1)
		s.specialMember(t, directory.RoleMember{Account: person, Scope: []string{p.Memberships[0].Department}})
	}},
	{"the scope of a role changes for who holds it, and for nobody else", changesScope},
	{"a department holds a role, or is refused", func(t *testing.T, s *suite) {
		s.specialMember(t, directory.RoleMember{Department: s.department(t, "甲部", s.caps.RootDepartment)})
	}},
}

const sampleGroup = "内控"

// keeper is the directory as a RoleKeeper, or nil.
func (s *suite) keeper(t *testing.T) directory.RoleKeeper {
	t.Helper()
	return can[directory.RoleKeeper](t, s, "this platform has no roles")
}

// role makes a role that these people hold.
func (s *suite) role(t *testing.T, k directory.RoleKeeper, name string, people ...string) string {
	t.Helper()
	id, err := k.CreateRole(t.Context(), directory.Role{Name: name, Group: sampleGroup})
	if err != nil {
		t.Fatalf("creating role %s: %v", name, err)
	}
	var members []directory.RoleMember
	for _, p := range people {
		members = append(members, directory.RoleMember{Account: p})
	}
	if err := k.AddToRole(t.Context(), id, members); err != nil {
		t.Fatalf("adding to role %s: %v", name, err)
	}
	return id
}

// holds fails unless exactly these people hold the role, everywhere.
func (s *suite) holds(t *testing.T, k directory.RoleKeeper, role string, people ...string) {
	t.Helper()
	members, err := k.RoleMembers(t.Context(), role)
	if err != nil {
		t.Fatalf("reading the holders of role %s: %v", role, err)
	}
	var want []directory.RoleMember
	for _, p := range people {
		want = append(want, directory.RoleMember{Role: role, Account: p})
	}
	if got, want := held(members), held(want); !slices.Equal(got, want) {
		t.Errorf("holders of role %s are %v, want %v", role, got, want)
	}
}

// held are holders as text, sorted.
func held(members []directory.RoleMember) []string {
	var list []string
	for _, m := range members {
		m.Scope = slices.Sorted(slices.Values(m.Scope))
		list = append(list, fmt.Sprintf("%+v", m))
	}
	slices.Sort(list)
	return list
}

func manyMembers(t *testing.T, s *suite) {
	k := s.keeper(t)
	if k == nil {
		return
	}
	s.Seed(t, 45, 2)
	id := s.role(t, k, "审计员")
	var people []string
	var members []directory.RoleMember
	for _, a := range s.list(t).Accounts {
		people = append(people, a.ID)
		members = append(members, directory.RoleMember{Account: a.ID})
	}
	for range 2 {
		before := s.Calls()
		if err := k.AddToRole(t.Context(), id, members); err != nil {
			t.Fatal(err)
		}
		if calls := s.Calls() - before; calls > len(people)/10 {
			t.Errorf("%d calls for %d people", calls, len(people))
		}
		s.holds(t, k, id, people...)
	}
}

// specialMember gives a role to a holder that not every platform allows.
func (s *suite) specialMember(t *testing.T, want directory.RoleMember) {
	t.Helper()
	k := s.keeper(t)
	if k == nil {
		return
	}
	plain, _ := s.create(t, 7)
	want.Role = s.role(t, k, "审计员")
	err := k.AddToRole(t.Context(), want.Role, []directory.RoleMember{{Account: plain}, want})
	if directory.ClassOf(err) == directory.NotSupported {
		s.fails(t, "AddToRole", err, directory.NotSupported)
		s.holds(t, k, want.Role)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	members, err := k.RoleMembers(t.Context(), want.Role)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := held(members), held([]directory.RoleMember{{Role: want.Role, Account: plain}, want}); !slices.Equal(got, want) {
		t.Errorf("holders are %v, want %v", got, want)
	}
}

func changesScope(t *testing.T, s *suite) {
	k := s.keeper(t)
	scoper, scoped := s.Directory.(directory.RoleScoper)
	if k == nil || !scoped {
		t.Log("this platform has no roles with a scope")
		return
	}
	person, p := s.create(t, 1)
	other, _ := s.create(t, 2)
	near, far := p.Memberships[0].Department, s.department(t, "乙部", s.caps.RootDepartment)
	role := s.role(t, k, "审计员", person, other)
	for _, scope := range [][]string{{near}, {near, far}, {far}, nil} {
		want := directory.RoleMember{Role: role, Account: person, Scope: scope}
		if err := scoper.SetRoleScope(t.Context(), role, []directory.RoleMember{want}); err != nil {
			t.Fatalf("the scope %v: %v", scope, err)
		}
		members, err := k.RoleMembers(t.Context(), role)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := held(members), held([]directory.RoleMember{want, {Role: role, Account: other}}); !slices.Equal(got, want) {
			t.Errorf("holders are %v, want %v", got, want)
		}
	}
	err := scoper.SetRoleScope(t.Context(), role, []directory.RoleMember{{Account: "nobody", Scope: []string{near}}, {Account: person, Scope: []string{near}}})
	s.fails(t, "SetRoleScope of somebody unknown", err, directory.NotFound)
	members, err := k.RoleMembers(t.Context(), role)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := held(members), held([]directory.RoleMember{{Role: role, Account: person, Scope: []string{near}}, {Role: role, Account: other}}); !slices.Equal(got, want) {
		t.Errorf("holders are %v, want %v", got, want)
	}
}
