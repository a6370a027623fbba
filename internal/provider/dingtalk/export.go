package dingtalk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

var _ directory.Exporter = (*Directory)(nil)

// dataset is how one dataset is read, or in words why it is not.
type dataset struct {
	read    func(x *export, ctx context.Context) error
	missing string
}

// datasets has all of them. See doc.go for the calls behind each.
var datasets = map[directory.Dataset]dataset{
	directory.DatasetDirectory:     {read: (*export).directory},
	directory.DatasetApprovals:     {read: (*export).approvals},
	directory.DatasetAttendance:    {read: (*export).attendance},
	directory.DatasetReports:       {read: (*export).reports},
	directory.DatasetRoster:        {read: (*export).roster},
	directory.DatasetGroups:        {read: (*export).groups},
	directory.DatasetFiles:         {read: (*export).files},
	directory.DatasetOperationLogs: {read: (*export).operationLogs},
	directory.DatasetCalendars:     {read: (*export).calendars},
	directory.DatasetMessages:      {missing: "DingTalk has no API that reads what was said in chats"},
}

// Offers says of every dataset whether DingTalk hands it out.
func (d *Directory) Offers() []directory.Offer {
	var offers []directory.Offer
	for _, name := range directory.Datasets() {
		offers = append(offers, directory.Offer{Dataset: name, Missing: datasets[name].missing})
	}
	return offers
}

// Export reads a dataset, after everything that somebody waits for.
func (d *Directory) Export(
	ctx context.Context, name directory.Dataset, s directory.Scope, emit func(directory.Item) error,
) (directory.Summary, error) {
	set := datasets[name]
	if set.read == nil {
		op := &operation{name: "export"}
		if set.missing == "" {
			return directory.Summary{}, unsupported(op, "DingTalk has no such dataset")
		}
		return directory.Summary{}, unsupported(op, set.missing)
	}
	x := &export{Directory: d, scope: s, emit: emit, sum: directory.Summary{Totals: map[string]int64{}}}
	err := set.read(x, httpx.WithPriority(ctx, httpx.Sweep))
	if x.failed != nil {
		err = x.failed // what others met after emit had failed is of no interest
	}
	if err != nil {
		return directory.Summary{}, err
	}
	slices.SortFunc(x.sum.Gaps, func(a, b directory.Gap) int {
		return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Reason, b.Reason))
	})
	return x.sum, nil
}

// export is one reading of one dataset. Its walkers share it.
type export struct {
	*Directory
	scope directory.Scope

	mu     sync.Mutex
	emit   func(directory.Item) error
	failed error // of emit
	sum    directory.Summary

	// hidden are people whose details the app may not see, unreachable those
	// whose mobile number it may not.
	hidden, unreachable idSet
}

// put emits an item. Once emit has failed it is not called again.
func (x *export) put(i directory.Item) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed == nil {
		x.failed = x.emit(i)
	}
	return x.failed
}

// broken reports whether emit has failed: then no error is the platform's.
func (x *export) broken() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failed != nil
}

// gap notes what is missing of an otherwise good export.
func (x *export) gap(part string, class directory.Class, format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sum.Gaps = append(x.sum.Gaps, directory.Gap{Part: part, Class: class, Reason: fmt.Sprintf(format, args...)})
}

func (x *export) total(part string, n int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sum.Totals[part] += n
}

// answers puts the answers of several calls side by side, by the names of the operations.
func answers(parts map[string]json.RawMessage) json.RawMessage { return encoded(parts) }

// encoded writes texts, and what was read as JSON, as JSON.
func encoded(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // these have no values that cannot be written
	}
	return b
}

// directory reads departments, people, roles and who has them.
func (x *export) directory(ctx context.Context) error {
	s, err := x.wire.scopes(ctx)
	if err != nil {
		return err
	}
	if readsPersonal(s) {
		x.personal.Store(true)
	}
	if !slices.Contains(s.Org.Departments, rootDepartment) {
		x.gap("", directory.PermissionDenied, narrowScope)
	}
	ids, err := x.departments(ctx)
	if err != nil {
		return err
	}
	if x.scope.Accounts != nil {
		err = x.chosen(ctx)
	} else {
		err = x.everybody(ctx, ids)
	}
	if err != nil {
		return err
	}
	x.untold()
	return x.roles(ctx)
}

// untold makes gaps of what the app may not see of people, as far as that can be told.
func (x *export) untold() {
	if n := x.hidden.len(); n > 0 {
		x.gap(directory.PartAccounts, directory.PermissionDenied, "%d people are outside the address-book scope of the app: only what listings say of them is in it", n)
	}
	if n := x.unreachable.len(); n > 0 {
		x.gap(directory.PartAccounts, directory.PermissionDenied, "the mobile numbers of %d people are hidden from the app: grant it 企业员工手机号信息 in the developer console", n)
	}
	if !x.personal.Load() {
		x.gap(directory.PartAccounts, directory.PermissionDenied, "nobody shows a mail address, a workplace or an attribute: if there are any, grant the app 邮箱等个人信息 in the developer console")
	}
}

// departments emits all departments, each after the one above it and by id within a
// level, and returns the sorted ids of those whose people can be read.
func (x *export) departments(ctx context.Context) ([]int64, error) {
	known := map[int64]bool{rootDepartment: true}
	var reached []int64
	for level := []int64{rootDepartment}; len(level) > 0; {
		var next []int64
		err := inOrder(ctx, len(level), x.put, func(ctx context.Context, i int, emit emitter) error {
			children, err := x.department(ctx, level[i], emit)
			if err != nil {
				return x.pardon(err, level[i])
			}
			x.mu.Lock()
			defer x.mu.Unlock()
			reached = append(reached, level[i])
			for _, c := range children {
				if !known[int64(c.ID)] {
					known[int64(c.ID)] = true
					next = append(next, int64(c.ID))
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		slices.Sort(next)
		level = next
	}
	slices.Sort(reached)
	return reached, nil
}

// department emits one department and returns those directly below it.
func (x *export) department(ctx context.Context, id int64, emit emitter) ([]department, error) {
	got, err := x.wire.rawDepartment(ctx, id)
	if err != nil {
		return nil, err
	}
	d := wholeDepartment(&got.is)
	if err := emit(directory.Item{Part: directory.PartDepartments, ID: d.ID, Raw: got.raw, Department: &d}); err != nil {
		return nil, err
	}
	return x.wire.children(ctx, id)
}

// pardon makes a gap of an error that is about one department: it is gone, or
// outside the app's scope. Without the root there is nothing to export.
func (x *export) pardon(err error, id int64) error {
	e, coded := errors.AsType[*directory.Error](err)
	switch {
	case !coded || id == rootDepartment || x.broken():
		return err
	case e.Class == directory.NotFound:
		x.gap(directory.PartDepartments, directory.NotFound, "department %d was removed while it was read", id)
	case e.Code == codeDepartmentHidden:
		x.gap(directory.PartDepartments, directory.PermissionDenied, "department %d is outside the address-book scope of the app", id)
	default:
		return err
	}
	return nil
}

// everybody emits the people of all departments, and compares their number with
// DingTalk's own. Somebody of several departments comes with the first of them.
func (x *export) everybody(ctx context.Context, departments []int64) error {
	seen, others := &idSet{}, map[string]written[user]{}
	err := inOrder(ctx, len(departments), x.put, func(ctx context.Context, i int, emit emitter) error {
		err := x.wire.userPages(ctx, departments[i], func(page []written[user]) error {
			x.mu.Lock()
			mine := slices.DeleteFunc(page, func(u written[user]) bool {
				elsewhere := slices.ContainsFunc(u.is.Departments, func(id integer) bool {
					at, reached := slices.BinarySearch(departments, int64(id))
					return reached && at < i
				})
				if elsewhere {
					others[string(u.is.UserID)] = u
				}
				return elsewhere || !seen.add(string(u.is.UserID))
			})
			x.mu.Unlock()
			return x.page(ctx, mine, emit)
		})
		return x.pardon(err, departments[i])
	})
	if err != nil {
		return err
	}
	// What a row says of its person's other departments may be older than their pages.
	maps.DeleteFunc(others, func(id string, _ written[user]) bool { return !seen.add(id) })
	if err := x.page(ctx, slices.Collect(maps.Values(others)), x.put); err != nil {
		return err
	}
	if seen.len() == 0 {
		return incomplete(&opUsers, "it lists nobody, and a company has at least its founder")
	}
	count, err := x.wire.userCount(ctx)
	if err != nil {
		return err
	}
	x.total(directory.PartAccounts, int64(count))
	if count != seen.len() {
		x.gap(directory.PartAccounts, directory.Unavailable, "DingTalk counts %d people, and %d were listed", count, seen.len())
	}
	return nil
}

// chosen emits the chosen people.
func (x *export) chosen(ctx context.Context) error {
	ids := slices.Compact(slices.Sorted(slices.Values(x.scope.Accounts)))
	return inOrder(ctx, len(ids), x.put, func(ctx context.Context, i int, emit emitter) error {
		return x.person(ctx, ids[i], nil, emit)
	})
}

// page emits the people of some rows by id.
func (x *export) page(ctx context.Context, rows []written[user], emit emitter) error {
	slices.SortFunc(rows, func(a, b written[user]) int { return cmp.Compare(a.is.UserID, b.is.UserID) })
	return inOrder(ctx, len(rows), emit, func(ctx context.Context, i int, emit emitter) error {
		return x.person(ctx, string(rows[i].is.UserID), &rows[i], emit)
	})
}

// person emits one person: what user/get says, which no listing shows whole, and
// beside it the row of the listing that named them.
func (x *export) person(ctx context.Context, id string, row *written[user], emit emitter) error {
	got, err := x.wire.rawUser(ctx, id)
	e, _ := errors.AsType[*directory.Error](err)
	switch {
	case e != nil && e.Code == codeUserHidden && row != nil:
		x.hidden.add(id)
		a := account(&row.is, x.personal.Load())
		return emit(directory.Item{
			Part: directory.PartAccounts, ID: a.ID, Raw: answers(map[string]json.RawMessage{opUsers.name: row.raw}), Account: &a,
		})
	case directory.ClassOf(err) == directory.NotFound && row == nil:
		x.gap(directory.PartAccounts, directory.NotFound, "there is no account %s", id)
		return nil
	case directory.ClassOf(err) == directory.NotFound:
		x.gap(directory.PartAccounts, directory.NotFound, "account %s was removed while it was read", id)
		return nil
	case err != nil:
		return err
	}
	if showsPersonal(&got.is) {
		x.personal.Store(true)
	}
	a := x.whole(&got.is)
	if a.Type == directory.Ordinary && !a.Profile.Set.Has(directory.FieldMobile) {
		x.unreachable.add(id) // an ordinary account has one: its person signs in with it
	}
	parts := map[string]json.RawMessage{opUser.name: got.raw}
	if row != nil {
		parts[opUsers.name] = row.raw
	}
	return emit(directory.Item{Part: directory.PartAccounts, ID: a.ID, Raw: answers(parts), Account: &a})
}

// roles emits all roles, then who has them.
func (x *export) roles(ctx context.Context) error {
	var ids []int64
	err := x.wire.roleGroups(ctx, func(g *written[roleGroup]) error {
		group := map[string]json.RawMessage{}
		if err := json.Unmarshal(g.raw, &group); err != nil {
			return incomplete(&opRoleGroups, "a group is no object")
		}
		maps.DeleteFunc(group, func(key string, _ json.RawMessage) bool { return key == "roles" })
		for i := range g.is.Roles {
			r := g.is.role(&g.is.Roles[i].is)
			raw := answers(map[string]json.RawMessage{"group": answers(group), "role": g.is.Roles[i].raw})
			if err := x.put(directory.Item{Part: directory.PartRoles, ID: r.ID, Raw: raw, Role: &r}); err != nil {
				return err
			}
			ids = append(ids, int64(g.is.Roles[i].is.ID))
		}
		return nil
	})
	if err != nil {
		return err
	}
	chosen := map[string]bool{}
	for _, id := range x.scope.Accounts {
		chosen[id] = true
	}
	return inOrder(ctx, len(ids), x.put, func(ctx context.Context, i int, emit emitter) error {
		role := departmentID(ids[i])
		err := x.wire.holders(ctx, ids[i], func(h *written[holder]) error {
			m := h.is.member(role)
			if x.scope.Accounts != nil && !chosen[m.Account] {
				return nil
			}
			return emit(directory.Item{Part: directory.PartMembers, ID: role + "/" + m.Account, Raw: h.raw, Member: &m})
		})
		if directory.ClassOf(err) == directory.NotFound && !x.broken() {
			x.gap(directory.PartMembers, directory.NotFound, "role %s was removed while it was read", role)
			return nil
		}
		return err
	})
}

// idSet is a set of ids that walkers share.
type idSet struct {
	mu  sync.Mutex
	ids map[string]struct{}
}

// add reports whether the id is new.
func (s *idSet) add(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.ids[id]; known {
		return false
	}
	if s.ids == nil {
		s.ids = map[string]struct{}{}
	}
	s.ids[id] = struct{}{}
	return true
}

func (s *idSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids)
}

// emitter takes an item of an export.
type emitter func(directory.Item) error

// inOrder does n things, a few at a time, and emits what each of them has after what
// those before it have: archives of the same company are alike.
func inOrder(ctx context.Context, n int, emit emitter, do func(ctx context.Context, i int, emit emitter) error) error {
	q := &queue{emit: emit, kept: map[int][]directory.Item{}, done: map[int]bool{}}
	return inParallel(ctx, n, func(ctx context.Context, i int) error {
		if err := do(ctx, i, func(item directory.Item) error { return q.add(i, item) }); err != nil {
			return err
		}
		return q.end(i)
	})
}

// queue has the items of things whose turn has not come. The one whose turn it is
// emits at once, so that no more is kept than others are ahead of it.
type queue struct {
	emit emitter

	mu   sync.Mutex
	turn int
	kept map[int][]directory.Item
	done map[int]bool
}

func (q *queue) add(i int, item directory.Item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i != q.turn {
		q.kept[i] = append(q.kept[i], item)
		return nil
	}
	return q.emit(item)
}

// end notes that a thing has no more items.
func (q *queue) end(i int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done[i] = true
	for q.done[q.turn] {
		delete(q.done, q.turn)
		q.turn++
		for _, item := range q.kept[q.turn] {
			if err := q.emit(item); err != nil {
				return err
			}
		}
		delete(q.kept, q.turn)
	}
	return nil
}
