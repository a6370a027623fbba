package execute

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/plan"
)

// ActAttest records that a person has confirmed what no API does. It changes nothing.
const ActAttest leaving.Act = "Attest"

// ActDelivered asks whom a notice missed that was sent. It changes nothing.
const ActDelivered leaving.Act = "Delivered"

// Departure is one act of leaving on one account.
type Departure struct {
	Act leaving.Act
	// Account is the user id that is left.
	Account string
	// Again: the act was begun before, and what came of it may not be known.
	Again bool
	// Roles are taken away by Revoke, which without any reads them, and given back by Restore.
	Roles []directory.RoleMember
	// Removal is for Remove and, with its successor, for Inherit.
	Removal directory.Removal
	// Notice names the notice that To gets with Text.
	Notice, Text string
	To           []string
	// Message is the platform's id of a notice that was sent, for Delivered.
	Message string
	// Gone: the account was removed, and is looked for by Residual. Led are departments and
	// Reports people that were seen to name it as their manager.
	Gone         bool
	Led, Reports []string
	// Tasks are the names of those that Attest is about, with what was noted.
	Tasks map[string]string
}

// Left is what an act of leaving has found or done, as far as it came.
type Left struct {
	Departure
	// Held are the roles that the account has, when they were read.
	Held []directory.RoleMember
	Read bool
	// Taken were taken away, Given were given back. Refused are roles that the platform lets
	// nobody change by API.
	Taken, Given, Refused []directory.RoleMember
	Receipt               directory.Receipt
	Inheritance           directory.Inheritance
	// Residuals is what is left, when Read.
	Residuals []string
}

// Leave carries out one act of leaving. The outcome has Left.
func Leave(ctx context.Context, d directory.Directory, seen Seen, l Departure, by By) Outcome {
	o := Outcome{Left: &Left{Departure: l}}
	o.Err = leave(ctx, d, seen, l, by, &o)
	return o
}

func leave(ctx context.Context, d directory.Directory, seen Seen, l Departure, by By, o *Outcome) error {
	switch l.Act {
	case leaving.ActConfirm:
		_, err := read(ctx, d, seen, l.Account)
		return unlessNotFound(err)
	case leaving.ActFreeze:
		return setState(ctx, d, seen, plan.Action{Kind: plan.Freeze, ID: l.Account}, by, directory.Frozen, o)
	case leaving.ActRevoke:
		return revoke(ctx, d, l, by, o)
	case leaving.ActRestore:
		return giveBack(ctx, d, l, by, o)
	case leaving.ActNotify:
		return notify(ctx, d, l, by, o)
	case leaving.ActRemove:
		return remove(ctx, d, seen, l, by, o)
	case leaving.ActInherit:
		return inherit(ctx, d, l, by, o)
	case leaving.ActResidual:
		return residual(ctx, d, seen, l, o)
	case ActAttest:
		return attest(ctx, l, by)
	case ActDelivered:
		return delivered(ctx, d, l, o)
	}
	return fmt.Errorf("leaving by %q: no such act", l.Act)
}

func unlessNotFound(err error) error {
	if directory.ClassOf(err) == directory.NotFound {
		return nil
	}
	return err
}

func cannot(operation, message string) error {
	return &directory.Error{Class: directory.NotSupported, Operation: operation, Message: message}
}

// revoke reads the roles, or takes those away that were read before: what is taken
// has to be durable, or a cancelled leaving could not give it back.
func revoke(ctx context.Context, d directory.Directory, l Departure, by By, o *Outcome) (err error) {
	r, can := d.(directory.RoleRevoker)
	if !can {
		return cannot("revoke", "this platform has no roles that can be taken away")
	}
	if l.Roles == nil {
		o.Left.Held, err = r.RolesOf(ctx, l.Account)
		o.Left.Read = unlessNotFound(err) == nil
		return unlessNotFound(err)
	}
	for _, m := range l.Roles {
		err := by.Record(ctx, plan.RevokeRole, RoleTarget(m.Role), holding(l.Account, m), nil, func(ctx context.Context) error {
			return r.RemoveFromRole(ctx, m.Role, []directory.RoleMember{m})
		})
		switch directory.ClassOf(err) {
		case "":
			o.Done = append(o.Done, plan.RevokeRole)
			fallthrough
		case directory.NotFound:
			o.Left.Taken = append(o.Left.Taken, m)
		case directory.PermissionDenied, directory.NotSupported:
			o.Left.Refused = append(o.Left.Refused, m)
		default:
			return err
		}
	}
	return nil
}

// giveBack gives roles back. One that is gone, or may not be given, is left.
func giveBack(ctx context.Context, d directory.Directory, l Departure, by By, o *Outcome) error {
	keeper, can := d.(directory.RoleKeeper)
	if !can {
		return cannot("restore", "this platform has no roles that can be given")
	}
	for _, m := range l.Roles {
		err := by.Record(ctx, plan.GrantRole, RoleTarget(m.Role), nil, holding(l.Account, m), func(ctx context.Context) error {
			return keeper.AddToRole(ctx, m.Role, []directory.RoleMember{m})
		})
		switch directory.ClassOf(err) {
		case "":
			o.Done = append(o.Done, plan.GrantRole)
			o.Left.Given = append(o.Left.Given, m)
		case directory.NotFound, directory.PermissionDenied, directory.NotSupported:
			o.Left.Refused = append(o.Left.Refused, m)
		default:
			return err
		}
	}
	return nil
}

// RoleTarget names a role for the record.
func RoleTarget(id string) audit.Target { return audit.Target{Kind: "role", ID: id} }

func holding(account string, m directory.RoleMember) map[string]string {
	values := map[string]string{"account": account}
	if len(m.Scope) > 0 {
		values["scope"] = strings.Join(m.Scope, ",")
	}
	return values
}

func notify(ctx context.Context, d directory.Directory, l Departure, by By, o *Outcome) error {
	n, can := d.(directory.Notifier)
	if !can {
		return cannot("notify", "this platform sends no messages")
	}
	// The text has the person's name: the record says only which notice it was, and to whom.
	after := map[string]string{"notice": l.Notice, "to": strings.Join(l.To, ",")}
	err := by.Record(ctx, plan.Notify, AccountTarget(l.Account), nil, after, func(ctx context.Context) (err error) {
		o.Left.Receipt, err = n.Notify(ctx, l.To, l.Text)
		return err
	})
	if err == nil {
		o.Done = append(o.Done, plan.Notify)
	}
	o.Asked = directory.ClassOf(err) == directory.OutcomeUnknown
	return err
}

// delivered asks whom a notice missed.
func delivered(ctx context.Context, d directory.Directory, l Departure, o *Outcome) (err error) {
	n, can := d.(directory.Notifier)
	if !can {
		return cannot("notify", "this platform sends no messages")
	}
	o.Left.Receipt, err = n.Delivered(ctx, directory.Receipt{ID: l.Message})
	o.Left.Read = err == nil
	return err
}

// remove removes the account and reads back that it is gone. What was asked for before
// is looked up first (P3).
func remove(ctx context.Context, d directory.Directory, seen Seen, l Departure, by By, o *Outcome) error {
	r, can := d.(directory.Remover)
	if !can {
		return cannot("remove", "this platform has no API that removes accounts: remove it in its console")
	}
	if l.Again {
		if _, err := read(ctx, d, seen, l.Account); err != nil {
			return unlessNotFound(err)
		}
	}
	before, after := map[string]string{"state": "there"}, map[string]string{"state": "removed"}
	if known := seen.Account(l.Account); known != nil {
		before["state"] = string(known.State)
	}
	if l.Removal.Successor != "" {
		after["successor"] = l.Removal.Successor
	}
	seen.Doubt(l.Account)
	err := by.Record(ctx, plan.Remove, AccountTarget(l.Account), before, after, func(ctx context.Context) error {
		return r.Remove(ctx, l.Account, l.Removal)
	})
	switch directory.ClassOf(err) {
	case "":
		o.Done = append(o.Done, plan.Remove)
	case directory.NotFound:
	case directory.OutcomeUnknown:
		o.Asked = true
	default:
		seen.Trust(l.Account)
		return err
	}
	_, readErr := read(ctx, d, seen, l.Account)
	switch {
	case directory.ClassOf(readErr) == directory.NotFound:
		return nil
	case readErr != nil:
		return readErr
	case o.Asked:
		return err
	}
	return &directory.Error{Class: directory.Unavailable, Operation: "remove", Message: "the platform accepted the removal and shows the account still"}
}

func inherit(ctx context.Context, d directory.Directory, l Departure, by By, o *Outcome) error {
	h, can := d.(directory.Heir)
	if !can {
		return cannot("inherit", "this platform passes nothing on after a removal")
	}
	err := by.Record(ctx, plan.Inherit, AccountTarget(l.Account), nil, map[string]string{"successor": l.Removal.Successor}, func(ctx context.Context) (err error) {
		o.Left.Inheritance, err = h.Inherit(ctx, l.Account, l.Removal.Successor)
		return err
	})
	if err == nil {
		o.Left.Read = true
		o.Done = append(o.Done, plan.Inherit)
	}
	return err
}

// residual looks for what is left, by asking the platform again.
func residual(ctx context.Context, d directory.Directory, seen Seen, l Departure, o *Outcome) error {
	for _, look := range []func(context.Context, directory.Directory, Seen, Departure) ([]string, error){accountLeft, rolesLeft, departmentsLeft, peopleLeft, moreLeft} {
		left, err := look(ctx, d, seen, l)
		if err != nil {
			return err
		}
		o.Left.Residuals = append(o.Left.Residuals, left...)
	}
	o.Left.Read = true
	return nil
}

func accountLeft(ctx context.Context, d directory.Directory, seen Seen, l Departure) ([]string, error) {
	if !l.Gone {
		return nil, nil
	}
	if _, err := read(ctx, d, seen, l.Account); err != nil {
		return nil, unlessNotFound(err)
	}
	return []string{"the account is there"}, nil
}

func rolesLeft(ctx context.Context, d directory.Directory, _ Seen, l Departure) (left []string, err error) {
	r, can := d.(directory.RoleRevoker)
	if !can {
		return nil, nil
	}
	held, err := r.RolesOf(ctx, l.Account)
	for _, m := range held {
		left = append(left, "it has the role "+m.Role)
	}
	return left, unlessNotFound(err)
}

func departmentsLeft(ctx context.Context, d directory.Directory, seen Seen, l Departure) (left []string, err error) {
	for _, id := range l.Led {
		got, err := readDepartment(ctx, d, seen, id)
		if unlessNotFound(err) != nil {
			return nil, err
		}
		if err == nil && slices.ContainsFunc(got.Managers, l.isLeaver) {
			left = append(left, "it leads the department "+id)
		}
	}
	return left, nil
}

// mostReports bounds how many people are read one by one. The others count as they were last seen, and are
// read when these report to it no more.
const mostReports = 100

func peopleLeft(ctx context.Context, d directory.Directory, seen Seen, l Departure) (left []string, err error) {
	now := l.Reports[:min(len(l.Reports), mostReports)]
	n := len(l.Reports) - len(now)
	for _, id := range now {
		got, err := read(ctx, d, seen, id)
		if unlessNotFound(err) != nil {
			return nil, err
		}
		if err == nil && l.isLeaver(got.Profile.Manager) {
			n++
		}
	}
	if n > 0 {
		left = append(left, fmt.Sprintf("%d people report to it", n))
	}
	return left, nil
}

func moreLeft(ctx context.Context, d directory.Directory, _ Seen, l Departure) ([]string, error) {
	f, can := d.(directory.ResidualFinder)
	if !can {
		return nil, nil
	}
	return f.Residuals(ctx, l.Account)
}

// isLeaver: platforms that fold ids show them as they were written first.
func (l Departure) isLeaver(id string) bool { return strings.EqualFold(id, l.Account) }

func attest(ctx context.Context, l Departure, by By) error {
	for task, note := range l.Tasks {
		after := map[string]string{"task": task}
		if note != "" {
			after["note"] = note
		}
		err := by.Record(ctx, plan.Attest, AccountTarget(l.Account), nil, after, func(context.Context) error { return nil })
		if err != nil {
			return err
		}
	}
	return nil
}
