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

// Trail reads the trail of an EnterpriseAccount, and fails unless it is whole.
func (w *World) Trail(namespace, account string, each func(*audit.Record)) (audit.Findings, error) {
	trail, err := audit.OpenFolder(filepath.Join(w.trails(), namespace, account))
	if err != nil {
		return audit.Findings{}, err
	}
	defer func() { _ = trail.Close() }()
	found, err := audit.Verify(trail, audit.Head{}, each)
	if err != nil {
		return found, fmt.Errorf("the trail of %s: %w", account, err)
	}
	return found, nil
}

// Recorded compares the trail of an EnterpriseAccount with what the tenant was
// asked: the trail is whole, and every call that changes an account comes after an
// intent to do so (P8).
func (w *World) Recorded(ctx context.Context, namespace, account string, tenant *Tenant) (audit.Findings, error) {
	calls, err := tenant.Calls(ctx, core.Query{})
	if err != nil {
		return audit.Findings{}, err
	}
	return w.recorded(namespace, account, tenant, calls)
}

func (w *World) recorded(namespace, account string, tenant *Tenant, calls []core.Entry) (audit.Findings, error) {
	intents := map[string]time.Time{} // the first of each action on each account, and on any
	found, err := w.Trail(namespace, account, func(r *audit.Record) {
		if r.Phase != audit.Intent {
			return
		}
		for _, target := range []string{r.Target.ID, ""} {
			key := r.Action + " " + strings.ToLower(target)
			if _, seen := intents[key]; !seen {
				intents[key] = r.Time
			}
		}
	})
	if err != nil {
		return found, err
	}
	for _, c := range calls {
		if c.Seq <= tenant.asked && strings.HasSuffix(c.Operation, "/tag/addtagusers") {
			continue // by GiveRole
		}
		actions, subject := actionsOf(c), strings.ToLower(c.Subject)
		if !aboutOnePerson(c) {
			subject = ""
		}
		intended := slices.ContainsFunc(actions, func(action string) bool {
			at, intended := intents[action+" "+subject]
			return intended && !at.After(c.Time)
		})
		if IsChange(c) && !intended {
			return found, fmt.Errorf("%s of %q was asked for without a record before it (call %d)", c.Operation, c.Subject, c.Seq)
		}
	}
	return found, nil
}

// changes are the calls that change what people have on a platform, and the actions that each may be the doing of.
var changes = map[string][]string{
	"user/create": {"Create"}, "user/update": {"Update", "Freeze", "Unfreeze"},
	"orgAccounts/disable": {"Freeze"}, "orgAccounts/signOut": {"Freeze"}, "orgAccounts/enable": {"Unfreeze"},
	"user/delete": {"Remove"}, "processes/terminateAndHandOver": {"Remove"},
	"role/removerolesforemps": {"RevokeRole"}, "role/addrolesforemps": {"GrantRole"}, "role/scope/update": {"GrantRole"},
	"tag/deltagusers": {"RevokeRole"}, "tag/addtagusers": {"GrantRole"},
	"message/send": {"Notify"}, "corpconversation/asyncsend_v2": {"Notify"},
	"resigned/transfer_customer": {"Inherit"}, "groupchat/transfer": {"Inherit"},
}

// actionsOf are the actions that a call may be the doing of; none if it changes nothing.
func actionsOf(c core.Entry) []string {
	for suffix, actions := range changes {
		if strings.HasSuffix(c.Operation, "/"+suffix) {
			return actions
		}
	}
	return nil
}

// IsChange reports whether a call may change what people have on a platform, notices among it.
func IsChange(c core.Entry) bool { return len(actionsOf(c)) > 0 }

// aboutOnePerson reports whether the subject of a change is the user id of whom it changes.
func aboutOnePerson(c core.Entry) bool {
	for _, suffix := range []string{
		"user/create", "user/update", "user/delete", "orgAccounts/disable", "orgAccounts/signOut", "orgAccounts/enable", "processes/terminateAndHandOver",
	} {
		if strings.HasSuffix(c.Operation, "/"+suffix) {
			return true
		}
	}
	return false
}
