package world

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/test/simulator/core"
)

// trails is where the managers of a world keep their records.
func (w *World) trails() string { return filepath.Join(w.dir, "trails") }

// Recorded compares the trail of an EnterpriseAccount with what the tenant was
// asked: the trail is whole, and every call that changes an account comes after an
// intent to do so (P8).
func (w *World) Recorded(ctx context.Context, namespace, account string, tenant *Tenant) (audit.Findings, error) {
	trail, err := audit.OpenFolder(filepath.Join(w.trails(), namespace, account))
	if err != nil {
		return audit.Findings{}, err
	}
	defer func() { _ = trail.Close() }()
	intents := map[string]time.Time{} // the first of each action on each account
	found, err := audit.Verify(trail, audit.Head{}, func(r *audit.Record) {
		key := r.Action + " " + strings.ToLower(r.Target.ID)
		if _, seen := intents[key]; !seen && r.Phase == audit.Intent && r.Target.Kind == "account" {
			intents[key] = r.Time
		}
	})
	if err != nil {
		return found, fmt.Errorf("the trail of %s: %w", account, err)
	}
	calls, err := tenant.Calls(ctx, core.Query{})
	if err != nil {
		return found, err
	}
	for _, c := range calls {
		actions := actionsOf(c)
		intended := slices.ContainsFunc(actions, func(action string) bool {
			at, intended := intents[action+" "+strings.ToLower(c.Subject)]
			return intended && !at.After(c.Time)
		})
		if len(actions) > 0 && !intended {
			return found, fmt.Errorf("%s of %q was asked for without a record before it (call %d)", c.Operation, c.Subject, c.Seq)
		}
	}
	return found, nil
}

// actionsOf are the actions that a call may be the doing of; none if it changes no account.
func actionsOf(c core.Entry) []string {
	for suffix, actions := range map[string][]string{
		"user/create": {"Create"}, "user/update": {"Update", "Freeze", "Unfreeze"},
		"orgAccounts/disable": {"Freeze"}, "orgAccounts/signOut": {"Freeze"}, "orgAccounts/enable": {"Unfreeze"},
	} {
		if strings.HasSuffix(c.Operation, suffix) {
			return actions
		}
	}
	return nil
}
