package restore

import (
	"context"
	"strconv"
	"strings"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
)

// recorder makes changes between their intents and their outcomes (P8).
type recorder struct {
	d  directory.Directory
	by execute.By
}

func (r recorder) createDepartment(ctx context.Context, d directory.Department) (id string, err error) {
	err = r.by.Record(ctx, plan.Create, execute.DepartmentTarget(d.ID), nil, execute.MaskDepartment(&d, d.Set), func(ctx context.Context) (err error) {
		id, err = r.d.CreateDepartment(ctx, d)
		return err
	})
	return id, err
}

func (r recorder) updateDepartment(ctx context.Context, d directory.Department) error {
	return r.by.Record(ctx, plan.Update, execute.DepartmentTarget(d.ID), nil, execute.MaskDepartment(&d, d.Set), func(ctx context.Context) error {
		return r.d.UpdateDepartment(ctx, d)
	})
}

type createAccount func(context.Context, string, directory.AccountType, directory.Profile) (directory.State, error)

func (r recorder) createAccount(ctx context.Context, create createAccount, s *accountStep, p directory.Profile) (state directory.State, err error) {
	err = r.by.Record(ctx, plan.Create, execute.AccountTarget(s.ID), nil, execute.MaskProfile(&p, directory.AllFields), func(ctx context.Context) (err error) {
		state, err = create(ctx, s.ID, s.Type, p)
		return err
	})
	return state, err
}

func (r recorder) updateAccount(ctx context.Context, id string, p directory.Profile) error {
	return r.by.Record(ctx, plan.Update, execute.AccountTarget(id), nil, execute.MaskProfile(&p, directory.AllFields), func(ctx context.Context) error {
		return r.d.UpdateAccount(ctx, id, p)
	})
}

func (r recorder) unfreeze(ctx context.Context, f directory.Freezer, id string) error {
	after := map[string]string{"state": string(directory.Active)}
	return r.by.Record(ctx, plan.Unfreeze, execute.AccountTarget(id), nil, after, func(ctx context.Context) error {
		return f.Unfreeze(ctx, id, r.by.Reason)
	})
}

func (r recorder) createRole(ctx context.Context, keeper directory.RoleKeeper, role directory.Role) (id string, err error) {
	after := map[string]string{"name": role.Name, "group": role.Group}
	err = r.by.Record(ctx, plan.Create, roleTarget(""), nil, after, func(ctx context.Context) (err error) {
		id, err = keeper.CreateRole(ctx, role)
		return err
	})
	return id, err
}

func (r recorder) addToRole(ctx context.Context, keeper directory.RoleKeeper, role string, members []directory.RoleMember) error {
	holders := make([]string, 0, len(members))
	for _, m := range members {
		holders = append(holders, m.Account+m.Department)
	}
	after := map[string]string{"holders": strings.Join(holders, ","), "count": strconv.Itoa(len(holders))}
	return r.by.Record(ctx, plan.Update, roleTarget(role), nil, after, func(ctx context.Context) error {
		return keeper.AddToRole(ctx, role, members)
	})
}

func roleTarget(id string) audit.Target { return audit.Target{Kind: "role", ID: id} }
