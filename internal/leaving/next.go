package leaving

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// residualAgain is how often what was left is looked for again.
const residualAgain = time.Hour

// Next decides what is done next on one account.
func Next(t Terms, p Progress, f Facts) Decision {
	d := decider{terms: t, progress: Progress{Steps: maps.Clone(p.Steps), GraceEnds: p.GraceEnds, RemovalAsked: p.RemovalAsked}, facts: f}
	if d.progress.Steps == nil {
		d.progress.Steps = map[Step]State{}
	}
	d.decide()
	return d.Decision
}

// decider decides: each step settles itself, or names an act or a hold.
type decider struct {
	Decision
	terms    Terms
	progress Progress
	facts    Facts
}

func (d *decider) decide() {
	f := &d.facts
	switch {
	case f.Cancelled && !d.gone():
		d.cancel()
		return
	case !f.Owned:
		d.nothingLeft("Rollcall neither created nor adopted the account: it is left alone")
	default:
		if d.blocked(); d.Step != "" {
			return
		}
		if d.vanished() {
			d.nothingLeft("the account is gone from the platform, by no act of Rollcall")
		}
	}
	for _, s := range Order(f.Offers) {
		if !d.progress.Over(s) {
			if d.step(s); !d.progress.Over(s) {
				d.Step = s
				return
			}
		}
	}
	d.Over = true
}

// blocked finds what comes before every step.
func (d *decider) blocked() {
	switch f := &d.facts; {
	case f.Held != nil && !d.gone():
		d.Step, d.Hold = d.first(), f.Held
	case f.Claimant != "" && !d.gone():
		d.Step, d.Hold = d.first(), &Hold{Reason: DataConflict, Message: fmt.Sprintf("the Employee %s holds the account now: nothing more is done to it here", f.Claimant)}
	case !f.Listed:
		d.Step, d.Hold = d.first(), notListed()
	case f.Doubtful, f.Account == nil && !f.Absent && !d.progress.Over(DeleteAccount):
		d.Step, d.Act = d.first(), ActConfirm
	case d.progress.Steps[Freeze] == Done && f.CanFreeze && f.Account != nil && f.Account.State != directory.Frozen && !d.progress.Over(DeleteAccount):
		// Somebody gave access back on the platform (P2).
		d.Step, d.Act = Freeze, ActFreeze
	case d.backupLost():
		d.Step = Backup
		d.backup()
	}
}

// backupLost: what was verified is gone, or is damaged by now. Without another one the account is never removed (P1).
func (d *decider) backupLost() bool {
	wanted := d.terms.Backup && d.terms.Delete && d.facts.Account != nil && !d.progress.Over(DeleteAccount)
	return wanted && d.progress.Over(Freeze) && d.progress.Steps[Backup] == Done && d.facts.Backup != BackupVerified
}

func notListed() *Hold {
	return &Hold{Reason: WaitingForAccount, Message: "waiting until the directory of the tenant was read for the first time"}
}

// first is the first step that is not over.
func (d *decider) first() Step {
	for _, s := range Order(d.facts.Offers) {
		if !d.progress.Over(s) {
			return s
		}
	}
	return ResidualCheck
}

// gone: the account was removed by us, or may have been.
func (d *decider) gone() bool {
	return d.progress.Steps[DeleteAccount] == Done || (d.progress.RemovalAsked && (d.facts.Account == nil || d.facts.Doubtful))
}

// begunRemoval: what is left to do takes nothing away any more.
func (d *decider) begunRemoval() bool {
	return d.progress.RemovalAsked || d.progress.Steps[DeleteAccount] == Done
}

func (d *decider) vanished() bool {
	return d.facts.Account == nil && d.facts.Absent && !d.begunRemoval()
}

func (d *decider) settle(s Step, state State, format string, args ...any) {
	d.progress.Steps[s] = state
	d.Settled = append(d.Settled, Settled{Step: s, State: state, Message: fmt.Sprintf(format, args...)})
}

// nothingLeft skips what would be done to an account that is not there, or not ours.
func (d *decider) nothingLeft(why string) {
	for _, s := range Order(d.facts.Offers) {
		if !d.progress.Over(s) && s != ResidualCheck && s != UnlinkSystems {
			d.settle(s, Skipped, "%s", why)
		}
	}
	if !d.facts.Owned && !d.progress.Over(ResidualCheck) {
		d.settle(ResidualCheck, Skipped, "%s", why)
	}
}

// cancel gives back what was taken. The Employee that is declared again unfreezes the
// account and makes the rest as declared.
func (d *decider) cancel() {
	f := &d.facts
	switch {
	case f.RolesTaken == 0 || !f.Owned || f.Claimant != "" || (f.Listed && f.Account == nil && f.Absent):
		d.Cancelled = true // where somebody else holds the account now, the roles would be theirs (P4)
	case !f.Listed:
		d.Step, d.Hold = RevokePermissions, notListed()
	case f.Account == nil:
		d.Step, d.Act = RevokePermissions, ActConfirm
	default:
		d.Step, d.Act = RevokePermissions, ActRestore
	}
}

func (d *decider) step(s Step) {
	if slices.Contains(d.terms.Skip, s) {
		d.settle(s, Skipped, "the policy leaves this step out")
		return
	}
	switch s {
	case Freeze:
		d.freeze()
	case Backup:
		d.backup()
	case HandOver:
		d.handOver()
	case RevokePermissions:
		d.revoke()
	case UnlinkSystems:
		d.unlink()
	case Notify:
		if d.Act = ActNotify; !d.facts.NoticesOpen {
			d.Act = Nothing
			d.settle(s, Done, "everybody who is told was told")
		}
	case Grace:
		d.grace()
	case DeleteAccount:
		d.remove()
	case ResidualCheck:
		d.residual()
	}
}

func (d *decider) freeze() {
	switch a := d.facts.Account; {
	case a != nil && a.State == directory.Frozen:
		d.settle(Freeze, Done, "the account is frozen")
	case d.facts.CanFreeze:
		d.Act = ActFreeze
	case d.terms.RemoveEarly:
		d.settle(Freeze, Skipped, "%s: the account can be used until it is removed, which does not wait for grace", d.facts.FreezeLimit)
	default:
		d.settle(Freeze, Skipped, "%s: the account can be used until grace ends", d.facts.FreezeLimit)
	}
}

func (d *decider) backup() {
	switch {
	case !d.terms.Backup:
		d.settle(Backup, Skipped, "the policy wants no backup")
	case d.facts.Backup == BackupVerified:
		d.settle(Backup, Done, "%s", d.facts.BackupMessage)
	case d.facts.Backup == BackupFailed:
		d.Hold = &Hold{Reason: BackupNotVerified, Message: d.facts.BackupMessage}
	case d.facts.Backup == BackupRunning:
		d.Hold = &Hold{Reason: WaitingForBackup, Message: d.facts.BackupMessage}
	default:
		d.Act = ActBackup
	}
}

// handOver before the removal is people's work; what the platform does comes with the
// removal, or after it.
func (d *decider) handOver() {
	after := hasMoment(d.facts.Offers, directory.AfterRemoval)
	switch i := d.facts.Inheritance; {
	case !after && len(d.facts.TasksOpen) > 0:
		d.Hold = d.tasks()
	case !after && d.facts.Successor == "":
		d.settle(HandOver, Done, "there is no successor: people have confirmed that nothing is left behind")
	case !after && hasMoment(d.facts.Offers, directory.WithRemoval):
		d.settle(HandOver, Done, "the platform passes the rest on with the removal")
	case !after:
		d.settle(HandOver, Done, "people have passed on what there was")
	case d.facts.Successor == "":
		d.settle(HandOver, Skipped, "there is no successor: customers stay with nobody until an administrator assigns them")
	case d.progress.Steps[DeleteAccount] == Skipped:
		d.settle(HandOver, Skipped, "the account is still there: the platform passes customers on only after its removal")
	case i == nil, i.Waiting > 0 && !d.facts.Now.Before(i.Again):
		d.Act = ActInherit
	case i.Waiting > 0:
		d.Hold = &Hold{Reason: InheritanceWaiting, Until: i.Again, Message: fmt.Sprintf("%d of %d are under way on the platform", i.Waiting, i.Waiting+i.Done+i.Refused)}
	default:
		d.settle(HandOver, Done, "passed on %d, refused %d", i.Done, i.Refused)
	}
}

func (d *decider) tasks() *Hold {
	return &Hold{Reason: ManualTask, Message: "somebody has to do and confirm " + strings.Join(d.facts.TasksOpen, ", ")}
}

func (d *decider) revoke() {
	switch {
	case !d.facts.CanRevoke:
		d.settle(RevokePermissions, Skipped, "the platform has no roles that can be taken away")
	case !d.facts.RolesRead || d.facts.RolesLeft > 0:
		d.Act = ActRevoke
	default:
		d.settle(RevokePermissions, Done, "took %d roles away", d.facts.RolesTaken)
	}
}

// unlink waits for the linked accounts, of which each has its own record: see [NextUnlink].
func (d *decider) unlink() {
	switch f := &d.facts; {
	case len(f.SystemsOpen) > 0:
		d.Hold = &Hold{Reason: WaitingForSystems, Message: "waiting until the person is unlinked from " + strings.Join(f.SystemsOpen, ", ")}
	case f.Systems == 0:
		d.settle(UnlinkSystems, Skipped, "no linked systems are declared")
	default:
		d.settle(UnlinkSystems, Done, "unlinked from %s%s", countOf(f.Systems-f.SystemsKept), keptIn(f.SystemsKept))
	}
}

func countOf(systems int) string {
	if systems == 1 {
		return "1 linked system"
	}
	return fmt.Sprintf("%d linked systems", systems)
}

func keptIn(systems int) string {
	if systems == 0 {
		return ""
	}
	return "; left as it is in " + countOf(systems)
}

func (d *decider) grace() {
	switch {
	case d.progress.Steps[Freeze] == Skipped && d.terms.RemoveEarly && d.terms.Delete:
		d.settle(Grace, Skipped, "the account cannot be frozen, and the policy does not let it be used that long")
	case d.progress.GraceEnds.IsZero():
		d.Act = ActBeginGrace
	case d.facts.Now.Before(d.progress.GraceEnds):
		d.Hold = &Hold{Reason: InGrace, Until: d.progress.GraceEnds, Message: "the account is deleted at " + d.progress.GraceEnds.UTC().Format(time.RFC3339) + "; to cancel, declare the person again before"}
	default:
		d.settle(Grace, Done, "grace is over")
	}
}

func (d *decider) remove() {
	switch {
	case d.progress.RemovalAsked && d.facts.Account == nil && d.facts.Absent:
		d.settle(DeleteAccount, Done, "the account was removed, and a direct read finds nobody")
	case !d.terms.Delete:
		d.settle(DeleteAccount, Skipped, "the policy keeps the account as it is")
	default:
		if d.Hold = removable(d.terms, d.progress, d.facts); d.Hold == nil {
			d.Act = ActRemove
		}
	}
}

func (d *decider) residual() {
	switch {
	case !d.facts.ResidualsRead:
		d.Act = ActResidual
	case len(d.facts.Residuals) > 0:
		d.Hold = &Hold{
			Reason: ResidualFound, Until: d.facts.Now.Add(residualAgain),
			Message: "something is left on the platform: " + strings.Join(d.facts.Residuals, "; "),
		}
	default:
		d.settle(ResidualCheck, Done, "nothing is left that can be found")
	}
}
