package restore

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
)

// ErrConflicts says that a plan with conflicts was not executed at all.
var ErrConflicts = errors.New("nothing was done: the plan has conflicts")

// workers write people at the same time. The tenant's budget paces them further.
const workers = 4

// Report is what became of a plan.
type Report struct {
	// Items are those of the plan. What was tried in vain, or is not to be seen when
	// it is read back, is Failed; its fields are those that are missing.
	Items  []Item
	Counts Counts
	// Changed: something was written.
	Changed bool
}

// Execute does what a plan says, and reads back. One bad person never stops the
// others. What will not get better by going on (the platform is down, throttles, or
// refuses the credentials) ends it with that error: the report says what was tried,
// and planning again with [Plan.Begun] goes on from there. A creation whose answer was
// lost is looked up before anything else (P3). Every change is recorded (P8). d must
// not be written to by two at once.
func Execute(ctx context.Context, d directory.Directory, by execute.By, p Plan, progress func(done, total int)) (Report, error) {
	by.Plan = p.Digest
	e := &executor{d: d, record: recorder{d, by}, caps: d.Capabilities(), items: slices.Clone(p.Items), work: p.work, progress: progress,
		made: map[string]string{}, invited: map[int]bool{}}
	if p.Counts.Conflicts > 0 && !p.skip {
		return e.report(), ErrConflicts
	}
	e.total = len(p.work.Departments) + len(p.work.Accounts) + len(p.work.Leads) + len(p.work.Roles)
	err := e.run(ctx)
	if err == nil && e.total > 0 {
		err = e.readBack(ctx, &p)
	}
	return e.report(), err
}

type executor struct {
	d        directory.Directory
	record   recorder
	caps     directory.Capabilities
	work     work
	progress func(done, total int)
	// made are the ids of departments by their unmade names.
	made map[string]string

	mu          sync.Mutex
	items       []Item
	invited     map[int]bool
	done, total int
	changed     bool
}

func (e *executor) report() Report {
	return Report{Items: e.items, Counts: count(e.items), Changed: e.changed}
}

func (e *executor) run(ctx context.Context) error {
	for i := range e.work.Departments {
		s := &e.work.Departments[i]
		if err := e.ended([]int{s.Item}, e.department(ctx, s)); err != nil {
			return err
		}
	}
	if err := e.accounts(ctx); err != nil {
		return err
	}
	for i := range e.work.Leads {
		s := &e.work.Leads[i]
		if err := e.ended(s.Items, e.lead(ctx, s)); err != nil {
			return err
		}
	}
	for i := range e.work.Roles {
		s := &e.work.Roles[i]
		if err := e.ended(s.Items, e.role(ctx, s)); err != nil {
			return err
		}
	}
	return nil
}

// ended keeps how a step ended, and returns the error if going on is no use.
func (e *executor) ended(items []int, err error) error {
	if err != nil && hopeless(err) {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, i := range items {
		if err != nil {
			e.items[i].Verdict, e.items[i].Message = Failed, told(err)
		}
	}
	e.changed = e.changed || err == nil
	e.done++
	if e.progress != nil {
		e.progress(e.done, e.total)
	}
	return nil
}

// hopeless: the next step would meet the same.
func hopeless(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch directory.ClassOf(err) {
	case directory.RateLimited, directory.Unavailable, directory.Unauthenticated, directory.QuotaExceeded:
		return true
	}
	return false
}

// told is an error in words that may be shown.
func told(err error) string {
	if de, ok := errors.AsType[*directory.Error](err); ok {
		return de.Error()
	}
	return "the platform could not be asked"
}

func refuse(c directory.Class, message string) error {
	return &directory.Error{Class: c, Operation: "restore", Message: message}
}

// at is the id of a department that had none when it was planned.
func (e *executor) at(place string) (string, bool) {
	if _, is := cutUnmade(place); !is {
		return place, true
	}
	id, made := e.made[place]
	return id, made
}

func (e *executor) department(ctx context.Context, s *departmentStep) error {
	parent, ok := e.at(s.Wish.Parent)
	if !ok {
		return refuse(directory.NotFound, "the department that it is in could not be made")
	}
	wish := s.Wish
	wish.Parent = parent
	if !s.Create {
		return e.record.updateDepartment(ctx, wish)
	}
	id, err := e.record.createDepartment(ctx, wish)
	if directory.ClassOf(err) == directory.OutcomeUnknown {
		id, err = e.findDepartment(ctx, &wish)
		if directory.ClassOf(err) == directory.NotFound {
			id, err = e.record.createDepartment(ctx, wish) // it was looked for, and is not there
		}
	}
	if err != nil {
		return err
	}
	e.made[unmade(s.Archive)] = id
	e.items[s.Item].TargetID = id
	return nil
}

// findDepartment looks for one whose creation was never answered.
func (e *executor) findDepartment(ctx context.Context, wish *directory.Department) (string, error) {
	l, err := e.d.List(ctx)
	if err != nil {
		return "", err
	}
	for _, d := range l.Departments {
		if d.Parent == wish.Parent && d.Name == wish.Name {
			return d.ID, nil
		}
	}
	if len(l.Gaps) > 0 {
		return "", refuse(directory.OutcomeUnknown, "nobody answered, and the target cannot be seen whole")
	}
	return "", refuse(directory.NotFound, "it is not there")
}

// accounts makes and changes people, wave by wave, and gives back access at the very end.
func (e *executor) accounts(ctx context.Context) error {
	last := 0
	for i := range e.work.Accounts {
		last = max(last, e.work.Accounts[i].Wave)
	}
	for wave := 0; wave <= last; wave++ {
		if err := e.each(ctx, func(s *accountStep) bool { return s.Wave == wave }, e.account); err != nil {
			return err
		}
	}
	return e.each(ctx, func(s *accountStep) bool { return s.Boss != "" || s.Unfreeze }, e.finish)
}

// each does something for all accounts that are chosen, a few at a time, and stops
// at an error that the others would meet, too.
func (e *executor) each(ctx context.Context, chosen func(*accountStep) bool, do func(context.Context, *accountStep) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, workers)
	for i := range e.work.Accounts {
		s := &e.work.Accounts[i]
		if !chosen(s) || e.failed(s.Items) {
			continue
		}
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := do(ctx, s); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (e *executor) failed(items []int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(items, func(i int) bool { return e.items[i].Verdict == Failed })
}

func (e *executor) account(ctx context.Context, s *accountStep) error {
	wish, err := e.resolve(s)
	switch {
	case err != nil:
	case s.Create:
		err = e.create(ctx, s, wish)
	case wish.Set != 0:
		err = e.record.updateAccount(ctx, s.ID, wish)
	}
	return e.ended(s.Items, err)
}

// resolve puts the ids of new departments into a wish. A department that could not
// be made costs the person only the place in it.
func (e *executor) resolve(s *accountStep) (directory.Profile, error) {
	wish := s.Wish.Clone()
	wish.Memberships = slices.DeleteFunc(wish.Memberships, func(m directory.Membership) bool {
		_, ok := e.at(m.Department)
		return !ok
	})
	for i := range wish.Memberships {
		wish.Memberships[i].Department, _ = e.at(wish.Memberships[i].Department)
	}
	if wish.Set.Has(directory.FieldDepartments) && len(wish.Memberships) == 0 {
		return wish, refuse(directory.NotFound, "none of their departments could be made")
	}
	primary, ok := e.at(wish.Primary)
	if wish.Primary = primary; !ok {
		wish.Set &^= directory.FieldPrimaryDepartment
	}
	return wish, nil
}

// create makes an account once, whatever becomes of the answers (P3).
func (e *executor) create(ctx context.Context, s *accountStep, wish directory.Profile) error {
	err := e.tryCreate(ctx, s, wish)
	if directory.ClassOf(err) != directory.OutcomeUnknown {
		return err
	}
	looked := e.lookUp(ctx, s, wish)
	if directory.ClassOf(looked) != directory.NotFound {
		return looked
	}
	err = e.tryCreate(ctx, s, wish) // the platform says in words that it is not there
	switch directory.ClassOf(err) {
	case directory.OutcomeUnknown, directory.AlreadyExists:
		return e.lookUp(ctx, s, wish)
	}
	return err
}

func (e *executor) lookUp(ctx context.Context, s *accountStep, wish directory.Profile) error {
	have, err := e.d.Account(ctx, s.ID)
	if err != nil {
		return err
	}
	wish.Set &^= membershipFields
	if differ, _ := directory.Differ(&wish, &have.Profile); differ != 0 {
		return &directory.Error{Class: directory.Conflict, Operation: "restore", Message: "nobody answered, and an account of this id is there that differs", Holder: have.ID}
	}
	return nil
}

func (e *executor) tryCreate(ctx context.Context, s *accountStep, wish directory.Profile) error {
	create := createAccount(e.d.CreateAccount)
	if s.Frozen {
		f, ok := e.d.(directory.FrozenCreator)
		if !ok {
			return refuse(directory.NotSupported, "an account that is frozen cannot be made here")
		}
		create = f.CreateFrozen
	}
	state, err := e.record.createAccount(ctx, create, s, wish)
	if err == nil && state == directory.Invited {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, i := range s.Items {
			e.invited[i] = true
			e.items[i].Message = "invited: the account is there once the person accepts"
		}
	}
	return err
}

// finish gives somebody the manager who was not there yet, and access back.
func (e *executor) finish(ctx context.Context, s *accountStep) error {
	var err error
	if s.Boss != "" {
		err = e.record.updateAccount(ctx, s.ID, directory.Profile{Set: directory.FieldManager, Manager: s.Boss})
	}
	if err == nil && s.Unfreeze {
		f, ok := e.d.(directory.Freezer)
		if !ok {
			return refuse(directory.NotSupported, "an account cannot be unfrozen here")
		}
		err = e.record.unfreeze(ctx, f, s.ID)
	}
	if err == nil || hopeless(err) {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, i := range s.Items {
		e.items[i].Verdict, e.items[i].Message = Failed, told(err)
	}
	return nil
}

// lead writes who leads a department, after the people are in it.
func (e *executor) lead(ctx context.Context, s *leadStep) error {
	id, ok := e.at(s.Department)
	if !ok {
		return refuse(directory.NotFound, "the department could not be made")
	}
	return e.record.updateDepartment(ctx, directory.Department{ID: id, Set: directory.DepartmentManagers, Managers: s.Managers})
}

func (e *executor) role(ctx context.Context, s *roleStep) error {
	keeper, ok := e.d.(directory.RoleKeeper)
	if !ok {
		return refuse(directory.NotSupported, "there are no roles here")
	}
	id := s.Role.ID
	if s.Create {
		var err error
		if id, err = e.createRole(ctx, keeper, s.Role); err != nil {
			return err
		}
		e.items[s.Items[0]].TargetID = id
	}
	people, units := e.holders(s.Members)
	var first error
	for some := range holdersAtOnce(people, units) {
		err := e.record.addToRole(ctx, keeper, id, some) // who has it keeps it: it may be asked twice
		if directory.ClassOf(err) == directory.OutcomeUnknown {
			err = e.record.addToRole(ctx, keeper, id, some)
		}
		if err != nil && (first == nil || hopeless(err)) {
			first = err
		}
	}
	return first
}

// mostHolders keeps the record of giving a role to many of a size that a trail takes.
const mostHolders = 1000

// holdersAtOnce are people and departments in lots that are given a role together.
func holdersAtOnce(people, units []directory.RoleMember) iter.Seq[[]directory.RoleMember] {
	return func(yield func([]directory.RoleMember) bool) {
		for _, all := range [][]directory.RoleMember{people, units} {
			for some := range slices.Chunk(all, mostHolders) {
				if !yield(some) {
					return
				}
			}
		}
	}
}

func (e *executor) createRole(ctx context.Context, keeper directory.RoleKeeper, r directory.Role) (string, error) {
	id, err := e.record.createRole(ctx, keeper, r)
	if directory.ClassOf(err) != directory.OutcomeUnknown {
		return id, err
	}
	all, err := keeper.Roles(ctx)
	if err != nil {
		return "", err
	}
	for _, have := range all {
		if have.Name == r.Name && (r.Group == "" || have.Group == "" || have.Group == r.Group) {
			return have.ID, nil
		}
	}
	return e.record.createRole(ctx, keeper, r) // it was looked for, and is not there
}

// holders puts the ids of new departments in. Whoever would reach more than they did,
// because a department could not be made, is left out.
func (e *executor) holders(all []directory.RoleMember) (people, units []directory.RoleMember) {
	for _, m := range all {
		scope := make([]string, 0, len(m.Scope))
		for _, s := range m.Scope {
			if id, ok := e.at(s); ok {
				scope = append(scope, id)
			}
		}
		if len(m.Scope) > 0 && len(scope) == 0 {
			continue
		}
		if m.Scope = scope; len(scope) == 0 {
			m.Scope = nil
		}
		if m.Account != "" {
			people = append(people, m)
		} else if id, ok := e.at(m.Department); ok {
			m.Department = id
			units = append(units, m)
		}
	}
	return people, units
}
