package restore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
)

// dice turns a fuzzer's bytes into choices. When they are used up every choice is
// the first.
type dice struct{ bytes []byte }

func (d *dice) n(limit int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return int(b) % limit
}

func (d *dice) one(in int) bool { return d.n(in) == in-1 }

func pick[T any](d *dice, from ...T) T { return from[d.n(len(from))] }

// seed gives a fuzz target what an ordinary `go test` tries.
func seed(f *testing.F) {
	chance := rand.New(rand.NewPCG(1, 2))
	f.Add([]byte{})
	for range 400 {
		b := make([]byte, 160)
		for i := range b {
			b[i] = byte(chance.Uint32())
		}
		f.Add(b)
	}
}

// snapshot is a small company in which ids, names, numbers and mobiles meet often,
// and which may be wrong in itself.
func (d *dice) snapshot(platform, tenant string) restore.Snapshot {
	s := restore.Snapshot{Platform: platform, Tenant: tenant, Departments: []directory.Department{unit("1", "公司", "")}}
	for i := range d.n(5) {
		u := unit(fmt.Sprint(i+2), pick(d, "甲", "乙", "丙", "丁")+pick(d, "", fmt.Sprint(i)), pick(d, "1", "1", "2", "3", "6", "99"))
		u.Order, u.Set = int64(d.n(3)), u.Set|directory.DepartmentOrder
		s.Departments = append(s.Departments, u)
	}
	for i := range d.n(6) {
		a := person(i+1, pick(d, "1", "2", "3", "4"))
		a.ID = pick(d, a.ID, fmt.Sprintf("E%04d", d.n(6)+1))
		a.State = pick(d, directory.Active, directory.Active, directory.Frozen, directory.Invited)
		a.Profile.Manager = pick(d, "", "E0001", "E0002", "E0003", "nobody")
		a.Profile.Mobile = pick(d, a.Profile.Mobile, fmt.Sprintf("+86-1380055%04d", d.n(6)+1))
		a.Profile.Title = pick(d, "工程师", "经理")
		a.Profile.Memberships[0].Leader = d.one(3)
		s.Accounts = append(s.Accounts, a)
	}
	for i := range d.n(3) {
		r := directory.Role{ID: fmt.Sprint(20 + i), Name: pick(d, "审计员", "仓管员", "闲职"), Group: pick(d, "", "内控"), BuiltIn: d.one(5)}
		s.Roles = append(s.Roles, r)
		for range d.n(3) {
			s.Members = append(s.Members, directory.RoleMember{Role: r.ID, Account: fmt.Sprintf("E%04d", d.n(6)+1), Scope: pick(d, nil, []string{"2"}, []string{"99"})})
		}
	}
	return s
}

// situation is an archive, a target that has some of its own, and what is asked for.
func (d *dice) situation() (archive restore.Snapshot, fake *directorytest.Fake, o restore.Options) {
	caps := pick(d, open, closed)()
	archive = d.snapshot(pick(d, "Open", "Closed"), "acme")
	fake = directorytest.NewFake(caps)
	there := d.snapshot(caps.Platform, "")
	for _, u := range there.Departments[1:] {
		if u.Parent == "1" && d.one(2) {
			fake.PlaceDepartment(u)
		}
	}
	for _, a := range there.Accounts {
		if a.Profile.Memberships[0].Department == "1" && d.one(2) {
			fake.Place(a)
		}
	}
	o.Overwrite, o.SkipConflicts = d.one(4), d.one(2)
	if d.one(4) {
		o.UserIDs = []string{"E0001", "E0002"}
	}
	if d.one(5) {
		o.DepartmentIDs = []string{"2"}
	}
	if d.one(5) {
		o.Kinds = []restore.Kind{pick(d, restore.Departments, restore.People, restore.Memberships, restore.Roles), restore.People}
	}
	return archive, fake, o
}

func look(t *testing.T, fake *directorytest.Fake) restore.Snapshot {
	s := observe(t, fake)
	s.Tenant = "acme"
	return s
}

// FuzzP3P4ThePlan: nothing is made that is there, nothing that is there is changed
// unasked, parents come before children, and the same is said whatever the order.
func FuzzP3P4ThePlan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		archive, fake, o := (&dice{b}).situation()
		target, caps := look(t, fake), fake.Capabilities()
		p := restore.For(archive, target, caps, same, o)
		there := map[string]bool{}
		for _, a := range target.Accounts {
			there[strings.ToLower(a.ID)] = true
		}
		said, made, parent := map[string]bool{}, map[string]bool{}, map[string]string{}
		for _, u := range archive.Departments {
			parent[u.ID] = u.Parent
		}
		for _, it := range p.Items {
			key := string(it.Kind) + " " + it.ID
			if it.ID != restore.Everything && it.Verdict != restore.Impossible && said[key] {
				t.Errorf("%s has two verdicts", key)
			}
			said[key] = said[key] || it.Verdict != restore.Impossible
			id := it.TargetID
			if id == "" {
				id = it.ID
			}
			switch {
			case it.Count < 1 || it.ID == "":
				t.Errorf("%+v", it)
			case it.Verdict == restore.Change && !o.Overwrite:
				t.Errorf("P4: changes unasked: %+v", it)
			case it.Verdict == restore.Create && it.Kind == restore.People && there[strings.ToLower(id)]:
				t.Errorf("P3: makes what is there: %+v", it)
			case it.Verdict == restore.Create && it.Kind == restore.People:
				there[strings.ToLower(id)] = true
			case it.Verdict == restore.Create && it.Kind == restore.Departments:
				if made[it.ID] || slices.ContainsFunc(p.Items, func(o restore.Item) bool {
					return o.Kind == restore.Departments && o.ID == parent[it.ID] && o.Verdict == restore.Create
				}) && !made[parent[it.ID]] {
					t.Errorf("%s comes before the one that it is in", it.ID)
				}
				made[it.ID] = true
			}
		}
		for _, all := range [][]directory.Department{archive.Departments, target.Departments} {
			slices.Reverse(all)
		}
		slices.Reverse(target.Accounts)
		if again := restore.For(archive, target, caps, same, o); again.Digest != p.Digest {
			t.Errorf("another order, another plan:\n%+v\n%+v", p.Items, again.Items)
		}
	})
}

// FuzzExecutedIsDone: what was executed without a failure is equal when it is planned
// again, nobody gets access who had none, and a conflict stops everything.
func FuzzExecutedIsDone(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		archive, fake, o := (&dice{b}).situation()
		p := restore.For(archive, look(t, fake), fake.Capabilities(), same, o)
		before := fake.Calls()
		r, err := restore.Execute(t.Context(), fake, nobody, p, nil)
		if p.Counts.Conflicts > 0 && !o.SkipConflicts {
			if err == nil || r.Changed || len(fake.Calls()) != len(before) {
				t.Errorf("a conflict stops nothing: %v, %v", err, fake.Calls()[len(before):])
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Digest == "" || len(r.Items) != len(p.Items) {
			t.Errorf("%d items were planned, %d reported", len(p.Items), len(r.Items))
		}
		for _, it := range p.Items {
			if it.Verdict != restore.Create || it.Kind != restore.People {
				continue
			}
			i := slices.IndexFunc(archive.Accounts, func(a directory.Account) bool { return a.ID == it.ID })
			id := it.TargetID
			if id == "" {
				id = it.ID
			}
			if now := fake.Really(id); now != nil && archive.Accounts[i].State == directory.Frozen && now.State != directory.Frozen &&
				!slices.ContainsFunc(archive.Accounts, func(a directory.Account) bool { return a.ID == it.ID && a.State != directory.Frozen }) {
				t.Errorf("%s got access that they did not have", it.ID)
			}
		}
		o.Begun = p.Begun()
		again := restore.For(archive, look(t, fake), fake.Capabilities(), same, o)
		// What was in conflict may be free by now: what had its mobile was made as it was.
		if r.Counts.Failed == 0 && p.Counts.Conflicts == 0 && again.Counts.Create+again.Counts.Change > 0 {
			t.Errorf("afterwards there is still to do: %+v\nplanned %+v", again.Items, p.Items)
		}
	})
}
