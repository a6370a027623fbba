package restore

import (
	"slices"

	"rollcall.dev/rollcall/internal/directory"
)

// rank makes the order of people and departments small numbers. Each platform has its
// own range (DingTalk's are times in milliseconds, more than WeCom takes); what moves
// is who comes before whom.
func rank(s *Snapshot) {
	people, siblings := map[string][]int64{}, map[string][]int64{}
	for _, a := range s.Accounts {
		for _, m := range a.Profile.Memberships {
			people[m.Department] = append(people[m.Department], m.Order)
		}
	}
	for _, d := range s.Departments {
		siblings[d.Parent] = append(siblings[d.Parent], d.Order)
	}
	for _, orders := range []map[string][]int64{people, siblings} {
		for in, all := range orders {
			all = slices.DeleteFunc(all, func(o int64) bool { return o == 0 }) // undeclared
			slices.Sort(all)
			orders[in] = slices.Compact(all)
		}
	}
	for i := range s.Accounts {
		p := &s.Accounts[i].Profile
		p.Memberships = slices.Clone(p.Memberships)
		for j := range p.Memberships {
			m := &p.Memberships[j]
			m.Order = place(people[m.Department], m.Order)
		}
	}
	for i := range s.Departments {
		if d := &s.Departments[i]; d.Set.Has(directory.DepartmentOrder) {
			d.Order = place(siblings[d.Parent], d.Order)
		}
	}
}

func place(orders []int64, o int64) int64 {
	if at, found := slices.BinarySearch(orders, o); found {
		return int64(at) + 1
	}
	return 0
}
