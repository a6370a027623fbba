package wecom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"rollcall.dev/rollcall/internal/directory"
)

// listers is how many departments are read at the same time.
const listers = 4

// List implements [directory.Directory]. Ids come from the sync secret, which
// sees everybody; details from the other one, department by department. Where
// the two disagree, the listing says so.
func (d *Directory) List(ctx context.Context) (*directory.Listing, error) {
	l, err := d.readIDs(ctx)
	if err != nil {
		return nil, err
	}
	if l.departments, err = d.client.listDepartments(ctx, d.details); err != nil {
		return nil, err
	}
	if len(l.departments) == 0 {
		return nil, empty("department/list", "no department is visible; the app's visible range must be the whole company")
	}
	if err := d.readMembers(ctx, l); err != nil {
		return nil, err
	}
	out := d.assemble(l)
	if len(out.Accounts) == 0 {
		return nil, empty("user/list", fmt.Sprintf("none of %d users is visible; the app's visible range must be the whole company", len(l.ids)))
	}
	return out, nil
}

// A company has at least its creator and its root.
func empty(operation, words string) *directory.Error {
	return &directory.Error{Class: directory.Unavailable, Operation: operation, Message: words}
}

// reading is what one full reading has found so far.
type reading struct {
	// ids are all users, in lower case, and departmentIDs all departments, by the sync secret.
	ids           map[string]bool
	departmentIDs map[int64]bool
	// departments and members are what the details secret sees.
	departments []department
	members     [][]user // by index of departments
	gaps        []string
}

// eachID goes through the ids of all users, page by page, until f returns false.
func (d *Directory) eachID(ctx context.Context, f func(id string) bool) error {
	for cursor := ""; ; {
		rows, next, err := d.client.listIDs(ctx, d.sync, cursor)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if !f(row.UserID) {
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

func (d *Directory) readIDs(ctx context.Context) (*reading, error) {
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
	return l, nil
}

// readMembers reads the members of every visible department. One department that
// cannot be read for a reason of its own is a gap; any other error ends the reading.
func (d *Directory) readMembers(ctx context.Context, l *reading) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.members = make([][]user, len(l.departments))
	gaps := make([]string, len(l.departments))
	var failed error
	var once sync.Once
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(listers, len(l.departments)) {
		wg.Go(func() {
			for i := range next {
				var err error
				l.members[i], gaps[i], err = d.readDepartment(ctx, l.departments[i].ID)
				if err != nil {
					once.Do(func() { failed = err })
					cancel(err)
				}
			}
		})
	}
	for i := range l.departments {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	l.gaps = slices.DeleteFunc(gaps, func(g string) bool { return g == "" })
	if failed == nil && ctx.Err() != nil {
		return &directory.Error{Class: directory.Unavailable, Operation: "user/list",
			Message: "gave up reading departments", Err: context.Cause(ctx)}
	}
	return failed
}

func (d *Directory) readDepartment(ctx context.Context, id int64) (members []user, gap string, err error) {
	members, err = d.client.listUsers(ctx, d.details, id)
	switch {
	case err == nil:
		return members, "", nil
	case directory.ClassOf(err) == directory.NotFound:
		return nil, fmt.Sprintf("department %d vanished while it was read", id), nil
	case codeOf(err) == codeTooLarge:
		return nil, fmt.Sprintf("department %d has too many members for the platform to list (code %d)", id, codeTooLarge), nil
	default:
		return nil, "", err
	}
}

// assemble merges the pages, each person once, and compares the two sources.
func (d *Directory) assemble(l *reading) *directory.Listing {
	out := &directory.Listing{Gaps: l.gaps}
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
				out.Gaps = append(out.Gaps, fmt.Sprintf("user %s: status %d is not known here", a.ID, page[i].Status))
			}
		}
	}
	visible := map[int64]bool{}
	for i := range l.departments {
		visible[l.departments[i].ID] = true
		out.Departments = append(out.Departments, fromWire(&l.departments[i]))
	}
	out.Gaps = append(out.Gaps, disagreements(l, detailed, visible)...)
	return out
}

// disagreements says in words what only one of the two secrets knows.
func disagreements(l *reading, detailed map[string]bool, visible map[int64]bool) []string {
	var gaps []string
	if only, n := missing(l.ids, detailed); n > 0 {
		gaps = append(gaps, fmt.Sprintf("%d users exist whose details cannot be seen (%s): the app's visible range must be the whole company", n, only))
	}
	if only, n := missing(detailed, l.ids); n > 0 {
		gaps = append(gaps, fmt.Sprintf("%d users were seen in departments but are not among all users (%s): the platform's answers disagree", n, only))
	}
	if only, n := missing(l.departmentIDs, visible); n > 0 {
		gaps = append(gaps, fmt.Sprintf("%d departments exist that cannot be seen (%s): the app's visible range must be the whole company", n, only))
	}
	if only, n := missing(visible, l.departmentIDs); n > 0 {
		gaps = append(gaps, fmt.Sprintf("%d departments were seen but are not among all departments (%s): the platform's answers disagree", n, only))
	}
	return gaps
}

// missing counts the members of a that b lacks, and names a few.
func missing[K cmp.Ordered](a, b map[K]bool) (some string, n int) {
	const named = 5
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
