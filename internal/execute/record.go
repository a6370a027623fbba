package execute

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

// Trail takes a record of every change; [audit.Log] is one.
type Trail interface {
	Begin(context.Context, audit.Change) (finish func(context.Context, audit.Result) error, err error)
}

// By says on whose behalf changes are made, and where they are recorded.
type By struct {
	// Trail is nil where no records are kept.
	Trail Trail
	// Account is "<namespace>/<name>" of the EnterpriseAccount.
	Account string
	Actor   audit.Actor
	Reason  string
	// Plan is the digest of the plan, where it was shown to somebody.
	Plan string
}

// ErrUnrecorded is in the error of a change that was not made because the trail
// could not take its intent.
var ErrUnrecorded = errors.New("the audit trail cannot be written")

// freezePatience is how long a freeze waits for its record (P2).
const freezePatience = 2 * time.Second

// Record makes a change between its intent and its outcome (P8). A trail that
// cannot be written stops it, unless it takes access away: that is done without (P2),
// and recorded afterwards if it can be by then.
func (b By) Record(ctx context.Context, action plan.Kind, target audit.Target, before, after map[string]string, change func(context.Context) error) error {
	if b.Trail == nil {
		return change(ctx)
	}
	intent := audit.Change{
		Account: b.Account, Action: string(action), Target: target, Before: before, After: after,
		Reason: b.Reason, Actor: b.Actor, Plan: b.Plan,
	}
	if action == plan.Freeze || action == plan.Disable {
		return b.freeze(ctx, intent, change)
	}
	finish, err := b.Trail.Begin(ctx, intent)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &directory.Error{Class: directory.Unavailable, Operation: "audit", Message: "the trail cannot be written, and nothing is changed without a record", Err: errors.Join(ErrUnrecorded, err)}
	}
	result, err := traced(ctx, change)
	// What was done is recorded also while we are ending. A record that is lost here
	// shows as an intent without an outcome.
	_ = finish(context.WithoutCancel(ctx), result)
	return err
}

// traced makes a change and says how it ended, with the platform's own id of it.
func traced(ctx context.Context, change func(context.Context) error) (result audit.Result, err error) {
	var trace directory.Trace
	err = change(directory.WithTrace(ctx, &trace))
	result = resultOf(err)
	result.Request = trace.Request()
	return result, err
}

func (b By) freeze(ctx context.Context, intent audit.Change, change func(context.Context) error) error {
	soon, cancel := context.WithTimeout(ctx, freezePatience)
	defer cancel()
	finish, unrecorded := b.Trail.Begin(soon, intent)
	if unrecorded != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	result, err := traced(ctx, change)
	ctx = context.WithoutCancel(ctx)
	if unrecorded != nil {
		soon, cancel := context.WithTimeout(ctx, freezePatience)
		defer cancel()
		finish, unrecorded = b.Trail.Begin(soon, intent)
	}
	if unrecorded == nil {
		_ = finish(ctx, result)
	}
	return err
}

func resultOf(err error) audit.Result {
	result := audit.Result{Class: string(directory.ClassOf(err))}
	if e, ok := errors.AsType[*directory.Error](err); ok {
		result.Code = e.Code
	}
	return result
}

// AccountTarget names an account for the record.
func AccountTarget(id string) audit.Target { return audit.Target{Kind: "account", ID: id} }

// DepartmentTarget names a department for the record.
func DepartmentTarget(id string) audit.Target { return audit.Target{Kind: "department", ID: id} }

// MaskProfile says what the fields of a profile are, as far as they may be known.
func MaskProfile(p *directory.Profile, only directory.Fields) map[string]string {
	values := map[string]string{}
	for f := range (p.Set & only).All() {
		values[f.String()] = value(p, f)
	}
	return values
}

// value is one field for the record: what identifies a person is masked.
func value(p *directory.Profile, f directory.Fields) string {
	switch f {
	case directory.FieldName:
		return audit.Mask(p.Name)
	case directory.FieldMobile:
		return audit.Mask(p.Mobile)
	case directory.FieldEmail:
		return audit.Mask(p.Email)
	case directory.FieldTelephone:
		return audit.Mask(p.Telephone)
	case directory.FieldNumber:
		return p.Number
	case directory.FieldTitle:
		return p.Title
	case directory.FieldWorkplace:
		return p.Workplace
	case directory.FieldHireDate:
		return p.HireDate
	case directory.FieldManager:
		return p.Manager
	case directory.FieldPrimaryDepartment:
		return p.Primary
	case directory.FieldDepartments, directory.FieldDepartmentOrder, directory.FieldLeads:
		return places(p, f)
	}
	return "changed" // attributes may hold anything
}

// places are the departments of a profile, with what the field says of each.
func places(p *directory.Profile, f directory.Fields) string {
	all := make([]string, 0, len(p.Memberships))
	for _, m := range p.Memberships {
		switch f {
		case directory.FieldDepartmentOrder:
			all = append(all, m.Department+"="+strconv.FormatInt(m.Order, 10))
		case directory.FieldLeads:
			all = append(all, m.Department+"="+strconv.FormatBool(m.Leader))
		default:
			all = append(all, m.Department)
		}
	}
	return strings.Join(all, ",")
}

// MaskDepartment says what the declared fields of a department are. They are no personal data.
func MaskDepartment(d *directory.Department, only directory.DepartmentFields) map[string]string {
	values := map[string]string{}
	for f, v := range map[directory.DepartmentFields]string{
		directory.DepartmentName: d.Name, directory.DepartmentParent: d.Parent, directory.DepartmentOrder: strconv.FormatInt(d.Order, 10),
		directory.DepartmentManagers: strings.Join(d.Managers, ","), directory.DepartmentKey: d.Key,
	} {
		if only.Has(f) && d.Set.Has(f) {
			values[f.Names()[0]] = v
		}
	}
	return values
}
