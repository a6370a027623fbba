package leaving

import (
	"rollcall.dev/rollcall/internal/directory"
)

// guards stand before the removal of an account. Each says why not, or nothing. There
// is no other way to a removal.
var guards = []func(Terms, Progress, Facts) *Hold{
	// P4: only what is ours, and is nobody else's by now.
	func(_ Terms, _ Progress, f Facts) *Hold {
		if f.Owned && f.Claimant == "" {
			return nil
		}
		return &Hold{Reason: DataConflict, Message: "the account is not ours to remove"}
	},
	// A person who is declared again is not removed.
	func(_ Terms, _ Progress, f Facts) *Hold {
		if !f.Cancelled {
			return nil
		}
		return &Hold{Reason: DataConflict, Message: "the person is declared again"}
	},
	// P6, P7: within the limits, or approved.
	func(_ Terms, _ Progress, f Facts) *Hold {
		if f.Held != nil {
			return f.Held
		}
		return f.DeletionHeld
	},
	// P5: only what was seen there just now.
	func(_ Terms, _ Progress, f Facts) *Hold {
		if f.Listed && f.Account != nil && !f.Doubtful {
			return nil
		}
		return &Hold{Reason: WaitingForAccount, Message: "the account was not seen on the platform"}
	},
	// P2: access was taken away first, or it was said that it cannot be.
	func(_ Terms, p Progress, f Facts) *Hold {
		if p.Over(Freeze) && (p.Steps[Freeze] == Skipped || !f.CanFreeze || f.Account == nil || f.Account.State == directory.Frozen) {
			return nil
		}
		return &Hold{Reason: WaitingForAccount, Message: "the account is not frozen: it is frozen before it is removed"}
	},
	// P1: a verified backup, or the policy wants none.
	func(t Terms, p Progress, f Facts) *Hold {
		if !t.Backup || (p.Steps[Backup] == Done && f.Backup == BackupVerified) {
			return nil
		}
		return &Hold{Reason: BackupNotVerified, Message: "there is no verified backup of the account, and nothing is removed without one"}
	},
	// What only people can pass on was passed on.
	func(t Terms, p Progress, f Facts) *Hold {
		if len(f.TasksOpen) == 0 {
			return nil
		}
		d := decider{facts: f}
		return d.tasks()
	},
	// Everything before it, grace included, is over.
	func(t Terms, p Progress, f Facts) *Hold {
		for _, s := range Order(f.Offers) {
			if s == DeleteAccount {
				break
			}
			if !p.Over(s) {
				return &Hold{Reason: InheritanceWaiting, Message: "the step " + string(s) + " is not over"}
			}
		}
		if early := t.RemoveEarly && p.Steps[Freeze] == Skipped; p.Steps[Grace] == Skipped && !early {
			return &Hold{Reason: InGrace, Message: "grace was not kept"}
		}
		return nil
	},
}

// removable says why the account may not be removed now; nil is that it may.
func removable(t Terms, p Progress, f Facts) *Hold {
	for _, g := range guards {
		if h := g(t, p, f); h != nil {
			return h
		}
	}
	return nil
}
