package wecom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// Offers implements [directory.Exporter].
func (d *Directory) Offers() []directory.Offer {
	var offers []directory.Offer
	for _, name := range directory.Datasets() {
		offers = append(offers, directory.Offer{Dataset: name, Missing: datasets[name].missing})
	}
	return offers
}

// Export implements [directory.Exporter].
func (d *Directory) Export(ctx context.Context, name directory.Dataset, s directory.Scope, emit func(directory.Item) error) (directory.Summary, error) {
	set, known := datasets[name]
	switch {
	case !known:
		return directory.Summary{}, notOffered(name, "WeCom has no such data")
	case set.read == nil:
		return directory.Summary{}, notOffered(name, set.missing)
	case set.grant != "" && d.details == d.sync:
		return directory.Summary{}, &directory.Error{Class: directory.PermissionDenied, Operation: string(name),
			Message: "the secret of 通讯录同步 reads contacts only; add appSecret to the credentials, and enter its app in " + set.grant}
	}
	x := &export{Directory: d, scope: s, grant: set.grant, out: emit, seen: map[string]bool{}}
	err := set.read(x, httpx.WithPriority(ctx, httpx.Sweep))
	switch {
	case x.broken != nil:
		return directory.Summary{}, x.broken
	case err != nil:
		return directory.Summary{}, x.ungranted(err)
	}
	slices.SortFunc(x.summary.Gaps, func(a, b directory.Gap) int {
		return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Reason, b.Reason))
	})
	return x.summary, nil
}

func notOffered(name directory.Dataset, why string) error {
	return &directory.Error{Class: directory.NotSupported, Operation: string(name), Message: why}
}

// export is one export under way.
type export struct {
	*Directory
	scope directory.Scope
	grant string // where the console lets the app read this
	out   func(directory.Item) error

	mu      sync.Mutex
	broken  error // what out failed with
	summary directory.Summary
	// seen are the users that were read, in lower case, and unseen the fields
	// that the platform does not tell of somebody.
	seen   map[string]bool
	unseen directory.Fields
}

// emit hands items out, one at a time and none after one failed.
func (x *export) emit(items ...directory.Item) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, i := range items {
		if x.broken == nil {
			x.broken = x.out(i)
		}
		if x.broken != nil {
			return x.broken
		}
	}
	return nil
}

func (x *export) gap(gaps ...directory.Gap) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.summary.Gaps = append(x.summary.Gaps, gaps...)
}

// directory exports departments, people, tags and who has them.
func (x *export) directory(ctx context.Context) error {
	l, err := x.begin(ctx)
	if err != nil {
		return err
	}
	x.summary.Totals = map[string]int64{directory.PartDepartments: int64(len(l.departmentIDs))}
	var units once
	for _, d := range parentsFirst(l.departments) {
		dept := fromWire(&d.is)
		if !units.first(dept.ID) {
			continue
		}
		if err := x.emit(directory.Item{Part: directory.PartDepartments, ID: dept.ID, Raw: d.raw, Department: &dept}); err != nil {
			return err
		}
	}
	x.gap(l.units()...)
	if x.scope.Accounts == nil {
		err = x.everybody(ctx, l)
	} else {
		err = x.chosen(ctx, l)
	}
	if err != nil {
		return err
	}
	if x.unseen != 0 {
		x.gap(directory.Gap{Part: directory.PartAccounts, Class: directory.PermissionDenied, Reason: fmt.Sprintf(
			"the app is not told people's %s, as no app made after 2022-06-20 is: nothing of it is here", x.unseen)})
	}
	return x.tags(ctx)
}

// parentsFirst sorts departments by their depth.
func parentsFirst(all []written[department]) []written[department] {
	parent := map[int64]int64{}
	for i := range all {
		parent[all[i].is.ID] = all[i].is.ParentID
	}
	depth := func(d written[department]) (n int) {
		for id, known := d.is.ParentID, true; known && n <= len(all); id, known = parent[id] {
			n++
		}
		return n
	}
	return slices.SortedStableFunc(slices.Values(all), func(a, b written[department]) int { return cmp.Compare(depth(a), depth(b)) })
}

// everybody exports people, department by department.
func (x *export) everybody(ctx context.Context, l *reading) error {
	err := inParallel(ctx, len(l.departments), func(ctx context.Context, i int) error {
		members, gap, err := x.readDepartment(ctx, l.departments[i].is.ID)
		if err != nil {
			return err
		}
		if gap.Reason != "" {
			x.gap(gap)
		}
		for i := range members {
			switch err := x.person("user/list", &members[i]); {
			case gone(err): // no wonder if the ids still have them
				x.mu.Lock()
				delete(l.ids, strings.ToLower(members[i].is.UserID))
				x.mu.Unlock()
			case err != nil:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(x.seen) == 0 {
		return l.nobody()
	}
	x.summary.Totals[directory.PartAccounts] = int64(len(l.ids))
	x.gap(l.people(x.seen)...)
	return nil
}

// chosen exports the people of the scope.
func (x *export) chosen(ctx context.Context, l *reading) error {
	var absent, hidden missed
	ids := folded(x.scope.Accounts)
	err := inParallel(ctx, len(ids), func(ctx context.Context, i int) error {
		if !l.ids[strings.ToLower(ids[i])] {
			absent.note(ids[i], nil)
			return nil
		}
		u, err := x.client.getUser(ctx, x.details, ids[i])
		switch {
		case gone(err):
			hidden.note(ids[i], nil)
			return nil
		case err != nil:
			return err
		}
		if err := x.person("user/get", u); !gone(err) {
			return err
		}
		absent.note(ids[i], nil)
		return nil
	})
	if absent.n > 0 {
		x.gap(directory.Gap{Part: directory.PartAccounts, Class: directory.NotFound,
			Reason: fmt.Sprintf("%d of the chosen users do not exist (%s)", absent.n, absent.names())})
	}
	if hidden.n > 0 {
		x.gap(directory.Gap{Part: directory.PartAccounts, Class: directory.PermissionDenied, Reason: fmt.Sprintf(
			"%d of the chosen users exist and cannot be seen (%s): the app's visible range must be the whole company", hidden.n, hidden.names())})
	}
	return err
}

func gone(err error) bool { return directory.ClassOf(err) == directory.NotFound }

// person exports one user once. NotFound: they have left the company.
func (x *export) person(operation string, u *written[user]) error {
	a, err := x.account(operation, &u.is)
	key := strings.ToLower(u.is.UserID)
	x.mu.Lock()
	known := x.seen[key] || key == ""
	if !known && err == nil {
		x.unseen |= sensitive &^ a.Profile.Set
	}
	if !known && !gone(err) {
		x.seen[key] = true
	}
	x.mu.Unlock()
	switch {
	case known:
		return nil
	case gone(err):
		return err
	case err != nil: // kept for later readers, although we do not understand it
		x.gap(unknownStatus(&u.is))
		return x.emit(directory.Item{Part: directory.PartAccounts, ID: u.is.UserID, Raw: u.raw})
	}
	return x.emit(directory.Item{Part: directory.PartAccounts, ID: u.is.UserID, Raw: u.raw, Account: &a})
}

// tags exports all tags, then who has them.
func (x *export) tags(ctx context.Context) error {
	tags, err := x.client.listTags(ctx, x.details)
	switch e, ok := errors.AsType[*directory.Error](err); {
	case ok && e.Class == directory.PermissionDenied:
		x.gap(directory.Gap{Part: directory.PartRoles, Class: e.Class, Reason: "tags: " + e.Message})
		return nil
	case err != nil:
		return err
	}
	var roles, members once
	tags = slices.DeleteFunc(tags, func(t written[tag]) bool { return !roles.first(formatID(int64(t.is.ID))) })
	for i := range tags {
		r := role(&tags[i].is)
		if err := x.emit(directory.Item{Part: directory.PartRoles, ID: r.ID, Raw: tags[i].raw, Role: &r}); err != nil {
			return err
		}
	}
	chosen := map[string]bool{}
	for _, id := range x.scope.Accounts {
		chosen[strings.ToLower(id)] = true
	}
	return inParallel(ctx, len(tags), func(ctx context.Context, i int) error {
		h, err := x.client.getTag(ctx, x.details, int64(tags[i].is.ID))
		switch {
		case gone(err):
			x.gap(directory.Gap{Part: directory.PartMembers, Class: directory.NotFound,
				Reason: fmt.Sprintf("tag %d vanished while it was read", tags[i].is.ID)})
			return nil
		case err != nil:
			return err
		}
		return x.emit(slices.DeleteFunc(h.items(formatID(int64(tags[i].is.ID))), func(i directory.Item) bool {
			return x.scope.Accounts != nil && i.Member.Account != "" && !chosen[strings.ToLower(i.Member.Account)] || !members.first(i.ID)
		})...)
	})
}

// folded are ids, each once whatever its case.
func folded(ids []string) []string {
	var once []string
	known := map[string]bool{}
	for _, id := range ids {
		if key := strings.ToLower(id); !known[key] {
			known[key] = true
			once = append(once, id)
		}
	}
	return once
}

// missed are things that could not be had, a few of them by their names, beside
// the number of those that could.
type missed struct {
	had atomic.Int64

	mu    sync.Mutex
	n     int
	some  []string
	first *directory.Error // why the first of them could not
}

// note may be called by several at the same time.
func (m *missed) note(id string, why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n++; m.n <= named {
		m.some = append(m.some, id)
	}
	if e, ok := errors.AsType[*directory.Error](why); ok && m.first == nil {
		m.first = e
	}
}

// together notes those who were asked for in one call, if it is refused for a
// reason of their own.
func (m *missed) together(ids []string, err error) error {
	switch {
	case single(err):
		for _, id := range ids {
			m.note(id, err)
		}
		return nil
	case err == nil:
		m.had.Add(int64(len(ids)))
	}
	return err
}

func (m *missed) names() string {
	names := slices.Sorted(slices.Values(m.some))
	if m.n > named {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}
