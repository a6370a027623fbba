package restore

import "rollcall.dev/rollcall/internal/directory"

// waves orders those who are made so that managers come before whom they manage.
// Of people who manage each other in a circle, the first is made without a manager
// and gets theirs at the end.
func (p *planner) waves() {
	at := map[string]int{} // place in work by id on the target
	for i := range p.work.Accounts {
		if s := &p.work.Accounts[i]; s.Create {
			at[p.fold(s.ID)] = i
		}
	}
	const fresh, open, done = 0, 1, 2
	state := make([]int, len(p.work.Accounts))
	for i := range p.work.Accounts {
		var path []int
		next := i
		for state[next] == fresh {
			state[next] = open
			path = append(path, next)
			boss, made := at[p.fold(p.work.Accounts[next].Wish.Manager)]
			if !made || !p.work.Accounts[next].Create || !p.work.Accounts[next].Wish.Set.Has(directory.FieldManager) {
				break
			}
			if state[boss] == open {
				p.work.Accounts[next].later()
				break
			}
			next = boss
		}
		for j := len(path) - 1; j >= 0; j-- {
			s := &p.work.Accounts[path[j]]
			if boss, made := at[p.fold(s.Wish.Manager)]; s.Create && made && s.Wish.Set.Has(directory.FieldManager) {
				s.Wave = p.work.Accounts[boss].Wave + 1
			}
			state[path[j]] = done
		}
	}
}

// later takes the manager out of what a person is made with.
func (s *accountStep) later() {
	s.Boss, s.Wish.Manager = s.Wish.Manager, ""
	s.Wish.Set &^= directory.FieldManager
}
