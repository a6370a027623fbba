package wecom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"rollcall.dev/rollcall/internal/directory"
)

// listers is how many departments are read at the same time.
const listers = 4

// List implements [directory.Directory]. Ids come from the sync secret, which
// sees everybody; details from the other one, department by department. Where
// the two disagree, the listing says so.
func (d *Directory) List(ctx context.Context) (*directory.Listing, error) {
	l, err := d.begin(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.readMembers(ctx, l); err != nil {
		return nil, err
	}
	out := d.assemble(l)
	if len(out.Accounts) == 0 {
		return nil, l.nobody()
	}
	return out, nil
}

// A company has at least its creator and its root.
func empty(operation, words string) *directory.Error {
	return &directory.Error{Class: directory.Unavailable, Operation: operation, Message: words}
}

func (l *reading) nobody() error {
	return empty("user/list", fmt.Sprintf("none of %d users is visible; the app's visible range must be the whole company", len(l.ids)))
}

// reading is what one full reading has found so far.
type reading struct {
	// ids are all users, in lower case, and departmentIDs all departments, by the sync secret.
	ids           map[string]bool
	departmentIDs map[int64]bool
	// departments and members are what the details secret sees.
	departments []written[department]
	members     [][]user // by index of departments
	gaps        []directory.Gap
}

// eachID goes through the ids of all users, page by page, until f returns false.
func (d *Directory) eachID(ctx context.Context, f func(id string) bool) error {
	for cursor := ""; ; {
		rows, next, err := d.client.listIDs(ctx, d.sync, cursor)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.UserID != "" && !f(row.UserID) {
				return nil
			}
		}
		if next == "" {
			return nil
		}
		cursor = next
	}
}

// listed reports whether the user is among all users.
func (d *Directory) listed(ctx context.Context, id string) (found bool, err error) {
	err = d.eachID(ctx, func(other string) bool {
		found = strings.EqualFold(id, other)
		return !found
	})
	return found, err
}

// begin reads all ids, and the departments that are visible.
func (d *Directory) begin(ctx context.Context) (*reading, error) {
	l := &reading{ids: map[string]bool{}, departmentIDs: map[int64]bool{}}
	if err := d.eachID(ctx, func(id string) bool { l.ids[strings.ToLower(id)] = true; return true }); err != nil {
		return nil, err
	}
	if len(l.ids) == 0 {
		return nil, empty("user/list_id", "the platform lists not a single user")
	}
	departments, err := d.client.listDepartmentIDs(ctx, d.sync, rootID)
	if err != nil {
		return nil, err
	}
	for _, id := range departments {
		l.departmentIDs[id] = true
	}
	if l.departments, err = d.client.listDepartments(ctx, d.details); err != nil {
		return nil, err
	}
	if len(l.departments) == 0 {
		return nil, empty("department/list", "no department is visible; the app's visible range must be the whole company")
	}
	return l, nil
}

// readMembers reads the members of every visible department. One department that
// cannot be read for a reason of its own is a gap; any other error ends the reading.
func (d *Directory) readMembers(ctx context.Context, l *reading) error {
	l.members = make([][]user, len(l.departments))
	gaps := make([]directory.Gap, len(l.departments))
	err := inParallel(ctx, len(l.departments), func(ctx context.Context, i int) error {
		members, gap, err := d.readDepartment(ctx, l.departments[i].is.ID)
		for _, m := range members {
			l.members[i] = append(l.members[i], m.is)
		}
		gaps[i] = gap
		return err
	})
	l.gaps = slices.DeleteFunc(gaps, func(g directory.Gap) bool { return g.Reason == "" })
	return err
}

func (d *Directory) readDepartment(ctx context.Context, id int64) (members []written[user], gap directory.Gap, err error) {
	members, err = d.client.listUsers(ctx, d.details, id)
	gap = directory.Gap{Part: directory.PartAccounts, Class: directory.ClassOf(err)}
	switch {
	case err == nil:
		return members, directory.Gap{}, nil
	case gap.Class == directory.NotFound:
		gap.Reason = fmt.Sprintf("department %d vanished while it was read", id)
	case codeOf(err) == codeTooLarge:
		gap.Reason = fmt.Sprintf("department %d has too many members for the platform to list (code %d)", id, codeTooLarge)
	default:
		return nil, directory.Gap{}, err
	}
	return nil, gap, nil
}

// inParallel does n things, a few at a time. The first error ends the others and
// is returned.
func inParallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		wg    sync.WaitGroup
		next  atomic.Int64
		once  sync.Once
		first error
	)
	for range min(n, listers) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(ctx, i); err != nil {
					once.Do(func() { first = err })
					stop()
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}

// assemble merges the pages, each person once, and compares the two sources.
func (d *Directory) assemble(l *reading) *directory.Listing {
	out := &directory.Listing{}
	detailed := map[string]bool{} // by id in lower case
	for _, page := range l.members {
		for i := range page {
			key := strings.ToLower(page[i].UserID)
			if key == "" || detailed[key] {
				continue
			}
			detailed[key] = true
			a, err := d.account("user/list", &page[i])
			switch directory.ClassOf(err) {
			case "":
				out.Accounts = append(out.Accounts, a)
			case directory.NotFound: // has left; no wonder if the ids still have them
				delete(l.ids, key)
				delete(detailed, key)
			default:
				l.gaps = append(l.gaps, unknownStatus(&page[i]))
			}
		}
	}
	for i := range l.departments {
		out.Departments = append(out.Departments, fromWire(&l.departments[i].is))
	}
	for _, gap := range slices.Concat(l.gaps, l.people(detailed), l.units()) {
		out.Gaps = append(out.Gaps, gap.Reason)
	}
	return out
}

func unknownStatus(u *user) directory.Gap {
	return directory.Gap{Part: directory.PartAccounts, Class: directory.Unavailable,
		Reason: fmt.Sprintf("user %s: status %d is not known here", u.UserID, u.Status)}
}

// people says in words which users only one of the two secrets knows.
func (l *reading) people(detailed map[string]bool) (gaps []directory.Gap) {
	const part = directory.PartAccounts
	if only, n := missing(l.ids, detailed); n > 0 {
		gaps = append(gaps, directory.Gap{Part: part, Class: directory.PermissionDenied,
			Reason: fmt.Sprintf("%d users exist whose details cannot be seen (%s): the app's visible range must be the whole company", n, only)})
	}
	if only, n := missing(detailed, l.ids); n > 0 {
		gaps = append(gaps, directory.Gap{Part: part, Class: directory.Unavailable,
			Reason: fmt.Sprintf("%d users were seen in departments but are not among all users (%s): the platform's answers disagree", n, only)})
	}
	return gaps
}

// units says the same of departments.
func (l *reading) units() (gaps []directory.Gap) {
	const part = directory.PartDepartments
	visible := map[int64]bool{}
	for i := range l.departments {
		visible[l.departments[i].is.ID] = true
	}
	if only, n := missing(l.departmentIDs, visible); n > 0 {
		gaps = append(gaps, directory.Gap{Part: part, Class: directory.PermissionDenied,
			Reason: fmt.Sprintf("%d departments exist that cannot be seen (%s): the app's visible range must be the whole company", n, only)})
	}
	if only, n := missing(visible, l.departmentIDs); n > 0 {
		gaps = append(gaps, directory.Gap{Part: part, Class: directory.Unavailable,
			Reason: fmt.Sprintf("%d departments were seen but are not among all departments (%s): the platform's answers disagree", n, only)})
	}
	return gaps
}

// named is how many of those who are missing are named.
const named = 5

// missing counts the members of a that b lacks, and names a few.
func missing[K cmp.Ordered](a, b map[K]bool) (some string, n int) {
	var names []string
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if b[k] {
			continue
		}
		if n++; n <= named {
			names = append(names, fmt.Sprint(k))
		}
	}
	if n > named {
		names = append(names, "…")
	}
	return strings.Join(names, ", "), n
}
