// Package execute carries out plans on a directory: in order, stopping at the
// first error, reading back what it wrote, and guessing nothing.
package execute

import (
	"context"
	"fmt"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

// Seen is told of everything that is read on the way, and says what was seen
// last; the mirror is one.
type Seen interface {
	Account(id string) *directory.Account
	Department(id string) *directory.Department
	Put(directory.Account)
	Forget(id string)
	// Doubt: the account is being written to; what is known of it may be older than
	// that until it is read. Trust: there is nothing new to read.
	Doubt(id string)
	Trust(id string)
	PutDepartment(directory.Department)
	ForgetDepartment(id string)
}

// Outcome is what became of a plan.
type Outcome struct {
	// Err is nil when every action was carried out and seen.
	Err error
	// Done lists the kinds of the actions that changed the platform.
	Done []plan.Kind
	// Created: the platform confirmed that it created the account or department.
	Created bool
	// Invited: the platform sent an invitation instead.
	Invited bool
	// Existed: the platform refused to create what was there already. What was found is
	// not told to Seen: whoever learns of it must learn at once that it is not ours.
	Existed         bool
	Found           *directory.Account
	FoundDepartment *directory.Department
	// Asked: a creation was asked for, in this run of the task or in one before, that
	// may have taken effect without being seen.
	Asked bool
	// ID is that of the department or linked account, where the platform chose it.
	ID string
	// Ignored are fields that were written and read back unchanged.
	Ignored           directory.Fields
	IgnoredDepartment directory.DepartmentFields
	// Version is the wish's, for the caller to know what was applied.
	Version string
	// Left is what an act of leaving has found or done; nil for anything else.
	Left *Left
	// IgnoredAttributes of a linked account were written and read back unchanged.
	IgnoredAttributes []string
	// Checked: it was looked what is left of somebody who was unlinked in a linked system, and Residuals is what was found.
	Checked   bool
	Residuals []string
}

// Account carries out a plan for one person.
func Account(ctx context.Context, d directory.Directory, seen Seen, p plan.Plan, by By) Outcome {
	var o Outcome
	for _, a := range p.Actions {
		if o.Err = account(ctx, d, seen, a, by, &o); o.Err != nil || o.Invited {
			return o
		}
	}
	return o
}

func account(ctx context.Context, d directory.Directory, seen Seen, a plan.Action, by By, o *Outcome) error {
	switch a.Kind {
	case plan.Confirm:
		_, err := read(ctx, d, seen, a.ID)
		if directory.ClassOf(err) == directory.NotFound {
			return nil
		}
		return err
	case plan.Create:
		return create(ctx, d, seen, a, by, o)
	case plan.Update:
		return update(ctx, d, seen, a, by, o)
	case plan.Freeze:
		return setState(ctx, d, seen, a, by, directory.Frozen, o)
	case plan.Unfreeze:
		return setState(ctx, d, seen, a, by, directory.Active, o)
	}
	return fmt.Errorf("carrying out %q: no such action", a.Kind)
}

// read asks the platform and tells seen, of absence too.
func read(ctx context.Context, d directory.Directory, seen Seen, id string) (directory.Account, error) {
	a, err := d.Account(ctx, id)
	switch {
	case err == nil:
		seen.Put(a)
	case directory.ClassOf(err) == directory.NotFound:
		seen.Forget(id)
	}
	return a, err
}

// create never repeats itself: when the answer is lost, or says that the id is
// taken, it looks the id up and leaves the judgement to the next plan (P3).
func create(ctx context.Context, d directory.Directory, seen Seen, a plan.Action, by By, o *Outcome) error {
	call := d.CreateAccount
	if creator, can := d.(directory.FrozenCreator); can && a.State == directory.Frozen {
		call = creator.CreateFrozen
	}
	seen.Doubt(a.ID)
	var state directory.State
	err := by.Record(ctx, a.Kind, AccountTarget(a.ID), nil, MaskProfile(&a.Profile, directory.AllFields), func(ctx context.Context) (err error) {
		state, err = call(ctx, a.ID, a.Type, a.Profile)
		return err
	})
	switch class := directory.ClassOf(err); {
	case err == nil && state == directory.Invited:
		o.Invited = true
		o.Done = append(o.Done, plan.Create)
		seen.Trust(a.ID)
		return nil
	case err == nil || state != "": // with an error it exists, and something about it is wrong
		o.Created = true
		o.Done = append(o.Done, plan.Create)
	case class == directory.AlreadyExists || strings.EqualFold(holder(err), a.ID): // WeCom names the mobile before the id
		o.Existed = true
	case class == directory.OutcomeUnknown:
		o.Asked = true
	default:
		seen.Trust(a.ID)
		return err
	}
	return lookUp(ctx, d, seen, a, o, err)
}

// lookUp reads what a creation that was answered with err came to.
func lookUp(ctx context.Context, d directory.Directory, seen Seen, a plan.Action, o *Outcome, err error) error {
	got, readErr := d.Account(ctx, a.ID)
	switch {
	case readErr == nil && o.Existed:
		o.Found = &got
	case readErr == nil:
		seen.Put(got)
	}
	absent := directory.ClassOf(readErr) == directory.NotFound
	switch {
	case o.Created && err != nil:
		return err
	case readErr == nil && o.Created:
		// A number that is taken fails a creation: only updates ignore it silently.
		o.Ignored, _ = directory.Differ(&a.Profile, &got.Profile)
		return nil
	case readErr == nil:
		return nil
	case absent && o.Created:
		// Absence this soon is the platform lagging behind itself: nothing is concluded.
		o.Created, o.Asked = false, true
		seen.Trust(a.ID)
		return &directory.Error{Class: directory.Unavailable, Operation: "create", Message: "the account was created and is not visible yet", Err: readErr}
	case absent:
		seen.Trust(a.ID)
		return err
	}
	return readErr
}

func update(ctx context.Context, d directory.Directory, seen Seen, a plan.Action, by By, o *Outcome) error {
	seen.Doubt(a.ID)
	var before map[string]string
	if known := seen.Account(a.ID); known != nil {
		before = MaskProfile(&known.Profile, a.Profile.Set)
	}
	err := by.Record(ctx, a.Kind, AccountTarget(a.ID), before, MaskProfile(&a.Profile, directory.AllFields), func(ctx context.Context) error {
		return d.UpdateAccount(ctx, a.ID, a.Profile)
	})
	if err == nil {
		o.Done = append(o.Done, plan.Update)
	} else if class := directory.ClassOf(err); class != directory.OutcomeUnknown && class != directory.NotFound {
		seen.Trust(a.ID)
		return err
	}
	got, readErr := read(ctx, d, seen, a.ID)
	if err != nil || readErr != nil {
		return first(err, readErr)
	}
	o.Ignored |= ignored(ctx, d, a, &got)
	return nil
}

// ignored finds fields that were written and did not stick (P9). A mobile number
// that these credentials cannot read is looked up by its number instead.
func ignored(ctx context.Context, d directory.Directory, a plan.Action, got *directory.Account) directory.Fields {
	differ, unseen := directory.Differ(&a.Profile, &got.Profile)
	finder, can := d.(directory.MobileFinder)
	if !can || !unseen.Has(directory.FieldMobile) {
		return differ
	}
	id, err := finder.FindByMobile(ctx, a.Profile.Mobile)
	if directory.ClassOf(err) == directory.NotFound || (err == nil && id != got.ID) {
		differ |= directory.FieldMobile
	}
	return differ
}

func setState(ctx context.Context, d directory.Directory, seen Seen, a plan.Action, by By, want directory.State, o *Outcome) error {
	f, can := d.(directory.Freezer)
	if !can {
		return &directory.Error{Class: directory.NotSupported, Operation: string(a.Kind), Message: "this platform cannot freeze accounts"}
	}
	call := f.Freeze
	if want == directory.Active {
		call = f.Unfreeze
	}
	seen.Doubt(a.ID)
	before := map[string]string{}
	if known := seen.Account(a.ID); known != nil {
		before["state"] = string(known.State)
	}
	err := by.Record(ctx, a.Kind, AccountTarget(a.ID), before, map[string]string{"state": string(want)}, func(ctx context.Context) error {
		return call(ctx, a.ID, by.Reason)
	})
	if err == nil {
		o.Done = append(o.Done, a.Kind)
	}
	got, readErr := read(ctx, d, seen, a.ID)
	if err != nil || readErr != nil {
		return first(err, readErr)
	}
	if got.State != want {
		return &directory.Error{Class: directory.Unavailable, Operation: string(a.Kind), Message: "the platform accepted the change of state and does not show it yet"}
	}
	return nil
}

// Department carries out a plan for one department.
func Department(ctx context.Context, d directory.Directory, seen Seen, p plan.DepartmentPlan, by By) Outcome {
	var o Outcome
	for _, a := range p.Actions {
		if o.Err = department(ctx, d, seen, a, by, &o); o.Err != nil {
			return o
		}
	}
	return o
}

func department(ctx context.Context, d directory.Directory, seen Seen, a plan.DepartmentAction, by By, o *Outcome) error {
	id := a.Department.ID
	switch a.Kind {
	case plan.Confirm:
		_, err := readDepartment(ctx, d, seen, id)
		if directory.ClassOf(err) == directory.NotFound {
			return nil
		}
		return err
	case plan.Create:
		return createDepartment(ctx, d, seen, a.Department, by, o)
	case plan.Update:
		var before map[string]string
		if known := seen.Department(id); known != nil {
			before = MaskDepartment(known, a.Department.Set)
		}
		err := by.Record(ctx, a.Kind, DepartmentTarget(id), before, MaskDepartment(&a.Department, a.Department.Set), func(ctx context.Context) error {
			return d.UpdateDepartment(ctx, a.Department)
		})
		if err == nil {
			o.Done = append(o.Done, plan.Update)
		}
		got, readErr := readDepartment(ctx, d, seen, id)
		if err != nil || readErr != nil {
			return first(err, readErr)
		}
		o.IgnoredDepartment = plan.DifferDepartment(&a.Department, &got)
		return nil
	}
	return fmt.Errorf("carrying out %q on a department: no such action", a.Kind)
}

// createDepartment looks an existing sibling up where the platform names it; where
// the platform chooses ids and the answer was lost, the next listing finds the
// department by its name under its parent, which platforms keep unique (P3).
func createDepartment(ctx context.Context, d directory.Directory, seen Seen, want directory.Department, by By, o *Outcome) error {
	var id string
	err := by.Record(ctx, plan.Create, DepartmentTarget(want.ID), nil, MaskDepartment(&want, want.Set), func(ctx context.Context) (err error) {
		id, err = d.CreateDepartment(ctx, want)
		return err
	})
	if err == nil {
		o.Created, o.ID = true, id
		o.Done = append(o.Done, plan.Create)
		_, readErr := readDepartment(ctx, d, seen, id)
		return readErr
	}
	class := directory.ClassOf(err)
	o.Existed, o.Asked = class == directory.AlreadyExists, class == directory.OutcomeUnknown
	if id = holder(err); id == "" {
		id = want.ID
	}
	if id == "" || (!o.Existed && !o.Asked) {
		return err
	}
	if o.Existed {
		got, readErr := d.Department(ctx, id)
		if readErr != nil {
			return err
		}
		o.FoundDepartment = &got
		return nil
	}
	if _, readErr := readDepartment(ctx, d, seen, id); readErr != nil {
		return err
	}
	return nil
}

func readDepartment(ctx context.Context, d directory.Directory, seen Seen, id string) (directory.Department, error) {
	got, err := d.Department(ctx, id)
	switch {
	case err == nil:
		seen.PutDepartment(got)
	case directory.ClassOf(err) == directory.NotFound:
		seen.ForgetDepartment(id)
	}
	return got, err
}
