package leaving

import (
	"fmt"
	"strings"
	"time"
)

// UnlinkPhase is how far the unlinking of one linked account is; the words equal the API's.
type UnlinkPhase string

// The phases, in their order.
const (
	PhaseDisable UnlinkPhase = "Disable"
	PhaseUnlink  UnlinkPhase = "Unlink"
	PhaseDelete  UnlinkPhase = "Delete"
	PhaseCheck   UnlinkPhase = "Check"
)

// OnLeave is what leaving does to an account in a linked system; the words equal the API's.
type OnLeave string

// What leaving does to a linked account.
const (
	LeaveDisabled OnLeave = "Disable"
	LeaveDeleted  OnLeave = "Delete"
	LeaveRetained OnLeave = "Retain"
)

// The acts of unlinking, beside [ActConfirm], which reads the account, and [ActResidual].
const (
	ActDisable Act = "Disable"
	ActUnlink  Act = "Unlink"
	ActDelete  Act = "Delete"
)

// More reasons for a [Hold]: that of the step [UnlinkSystems], and that of a system which says that it never will.
const (
	WaitingForSystems = "WaitingForSystems"
	NotSupported      = "NotSupported"
)

// UnlinkTerms are what the policy and the system say, as far as one linked account is concerned.
type UnlinkTerms struct {
	OnLeave OnLeave
	// Skip: the policy leaves UnlinkSystems out.
	Skip bool
	// Retry is how long a system may be down, or refuse, before a person has to unlink.
	Retry time.Duration
}

// UnlinkProgress is what is durably recorded of one linked account.
type UnlinkProgress struct {
	State State
	// Phase is recorded before its act: PhaseDelete says that the deletion was, or is about to be, asked for.
	Phase UnlinkPhase
	// Disabled: it was seen, or the system's receipt says, that nobody can sign in.
	Disabled bool
	// Since is when it began to go wrong; zero while it does not.
	Since time.Time
}

// UnlinkFacts is what is known now of one linked account.
type UnlinkFacts struct {
	Now time.Time
	// Owned: Rollcall created or linked the account (P4). Claimant is the Employee that holds it now, if another does.
	Owned    bool
	Claimant string
	// Held is why access may not be taken away: limits (P6), an approval that is owed (P7), a system that is only observed.
	Held *Hold
	// Cancelled: the person is declared again.
	Cancelled bool
	// Turn: the steps of an account, if there is any, have come to UnlinkSystems.
	Turn bool
	// Down is why the system is not called: it is gone, suspended or was not reached yet.
	Down *Hold
	// What the system can do. Limit says in words what it cannot. Reads: accounts can be read.
	Reads, CanDisable, DisableRemoves, CanDelete bool
	Limit                                        string
	// Read: the account was read since it was last written to. There: and is there. Enabled: somebody can sign in.
	// Parked: it is out of its groups, and where departed accounts are kept.
	Read, There, Enabled, Parked bool
	// Last is the act that ended last, and Trouble how if not well; empty after a restart.
	Last    Act
	Trouble *Hold
	// Confirmed: a person says that they have unlinked it.
	Confirmed bool
	// Residuals is what was found last; ResidualsRead says that somebody looked.
	Residuals     []string
	ResidualsRead bool
}

// UnlinkDecision is what comes next for one linked account: one act, or a hold, or nothing because it is over.
type UnlinkDecision struct {
	// State, Phase, Disabled and Since are to be recorded, before the act.
	State    State
	Phase    UnlinkPhase
	Disabled bool
	Since    time.Time
	Act      Act
	Hold     *Hold
	// Task: a person has to unlink, too. Todo says why.
	Task bool
	Todo string
	// Over: nothing more is done. Cancelled: because the person is declared again; whoever declares them has the account
	// from now on, by its id. Message says how it ended.
	Over, Cancelled bool
	Message         string
}

// NextUnlink decides what is done next to unlink one account.
func NextUnlink(t UnlinkTerms, p UnlinkProgress, f UnlinkFacts) UnlinkDecision {
	u := unlinker{terms: t, progress: p, facts: f, UnlinkDecision: UnlinkDecision{State: p.State, Phase: p.Phase, Disabled: p.Disabled}}
	if u.Phase == "" {
		u.Phase = PhaseDisable
	}
	u.decide()
	u.judge()
	return u.UnlinkDecision
}

type unlinker struct {
	UnlinkDecision
	terms    UnlinkTerms
	progress UnlinkProgress
	facts    UnlinkFacts
	// stuck: it does not go on although it is its turn. never: nor will it by itself.
	stuck, never bool
}

func (u *unlinker) decide() {
	f := &u.facts
	exempt, held := u.exempt(), u.withheld()
	switch {
	case u.progress.State.Over():
		u.Over = true
	case f.Cancelled:
		u.cancel()
	case exempt != "":
		u.end(Skipped, "%s", exempt)
	case held != nil:
		u.Hold = held
	case f.Confirmed && u.confirmed():
	case f.Down != nil:
		u.stick(f.Down)
	case f.Reads && !f.Read:
		u.Act = ActConfirm
	default:
		u.work()
	}
}

// exempt says why nothing at all is done to the account; empty if something is.
func (u *unlinker) exempt() string {
	switch {
	case !u.facts.Owned:
		return "Rollcall neither created nor linked the account: it is left alone"
	case u.terms.Skip:
		return "the policy leaves this step out: the account is left as it is, and can be used"
	case u.terms.OnLeave == LeaveRetained:
		return "onLeave is Retain: the account is left as it is, and can be used"
	}
	return ""
}

// withheld is why nothing may be taken away now. A deletion that was asked for is seen to its end.
func (u *unlinker) withheld() *Hold {
	switch f := &u.facts; {
	case u.asked():
		return nil
	case f.Held != nil:
		return f.Held
	case f.Claimant != "":
		return &Hold{Reason: DataConflict, Message: fmt.Sprintf("the Employee %s holds the account now: nothing more is done to it here", f.Claimant)}
	}
	return nil
}

// work does what comes next to an account of which is known how it stands: access first (P2).
func (u *unlinker) work() {
	switch {
	case u.facts.Reads && !u.facts.There && !u.asked():
		u.vanished()
	case !u.asked() && !u.disabled():
		u.Disabled = false
		u.disable()
	default:
		u.rest()
	}
}

// end settles the record.
func (u *unlinker) end(s State, format string, args ...any) {
	u.State, u.Over, u.Message = s, true, fmt.Sprintf(format, args...)
}

func (u *unlinker) stick(h *Hold) { u.Hold, u.stuck = h, true }

// asked: the system was, or is about to be, asked to delete the account.
func (u *unlinker) asked() bool {
	return u.terms.OnLeave == LeaveDeleted && (u.progress.Phase == PhaseDelete || u.progress.Phase == PhaseCheck)
}

// cancel leaves the account to whoever declares the person again, with a record that says whether it is still there.
// A system that does not answer is not waited for.
func (u *unlinker) cancel() {
	f, words := &u.facts, ""
	switch {
	case !u.asked():
	case u.Phase == PhaseCheck, f.Reads && f.Read && !f.There:
		u.Phase, words = PhaseCheck, "; the account had been deleted"
	case f.Reads && f.Read:
		u.Phase = PhaseUnlink // the deletion did not come about
	case f.Reads && f.Down == nil && f.Trouble == nil:
		u.Act = ActConfirm
		return
	default: // whoever declares them looks for it, as if it had been
		u.Phase, words = PhaseCheck, "; the account may have been deleted"
	}
	u.Cancelled = true
	u.end(Skipped, "cancelled: the person is declared again%s", words)
}

// did reports that the act ended well just now.
func (u *unlinker) did(a Act) bool { return u.facts.Last == a && u.facts.Trouble == nil }

// disabled reports whether nobody can sign in. Where a system cannot be read its receipt counts, and was recorded.
func (u *unlinker) disabled() bool {
	if u.facts.Reads {
		return !u.facts.Enabled
	}
	return u.progress.Disabled || u.did(ActDisable)
}

// disable takes access away (P2). Where that is the deletion it waits for its turn, as whatever cannot be undone.
func (u *unlinker) disable() {
	f := &u.facts
	switch {
	case f.CanDisable && !f.DisableRemoves:
		u.Phase, u.Act = PhaseDisable, ActDisable
	case u.terms.OnLeave != LeaveDeleted && f.DisableRemoves:
		u.cannot("the system removes an account for good when it is disabled, and its onLeave is Disable")
	case u.terms.OnLeave != LeaveDeleted || !f.CanDelete:
		u.cannot("the system does not disable accounts" + u.limit())
	case !f.Turn:
		u.Hold = &Hold{Reason: InheritanceWaiting, Message: "the account cannot be disabled, only deleted: it can be used until the other steps have come to UnlinkSystems"}
	default:
		u.Phase, u.Act = PhaseDelete, ActDelete
	}
}

func (u *unlinker) limit() string {
	if u.facts.Limit == "" {
		return ""
	}
	return ": " + u.facts.Limit
}

// cannot leaves it to a person, at once.
func (u *unlinker) cannot(why string) {
	u.never, u.Todo = true, why
	u.stick(&Hold{Reason: ManualTask, Message: why})
}

// vanished: somebody else removed the account. Whether anything of it is left is looked for.
func (u *unlinker) vanished() {
	u.Disabled = true
	if u.clean() {
		u.end(Skipped, "the account is gone from the system, by no act of Rollcall; nothing is left that can be found")
	}
}

// rest is what follows when nobody can sign in any more, or the deletion was asked for.
func (u *unlinker) rest() {
	f := &u.facts
	u.Disabled = u.Disabled || u.disabled()
	switch {
	case u.asked() && u.Phase == PhaseDelete && !u.deleted():
		u.Act = ActDelete
	case u.asked():
		u.check()
	case !f.Turn:
		u.Hold = &Hold{Reason: InheritanceWaiting, Message: "nobody can sign in; the rest follows when the other steps have come to UnlinkSystems"}
	case u.Phase != PhaseCheck && !f.Parked && !u.did(ActUnlink):
		u.Phase, u.Act = PhaseUnlink, ActUnlink
	case u.terms.OnLeave == LeaveDeleted && !f.CanDelete:
		u.cannot("the system does not delete accounts, and its onLeave is Delete" + u.limit())
	case u.terms.OnLeave == LeaveDeleted:
		u.Phase, u.Act = PhaseDelete, ActDelete
	default:
		u.check()
	}
}

// check ends it when nothing is left.
func (u *unlinker) check() {
	u.Phase = PhaseCheck
	switch {
	case !u.clean():
	case !u.facts.Reads:
		u.end(Done, "the system has confirmed it; it cannot be read")
	case u.terms.OnLeave == LeaveDeleted:
		u.end(Done, "the account was deleted, and nothing is left that can be found")
	default:
		u.end(Done, "nobody can sign in, the account is in no group, and nothing else is left that can be found")
	}
}

// deleted reports that a deletion which was asked for has come about.
func (u *unlinker) deleted() bool {
	if u.facts.Reads {
		return !u.facts.There
	}
	return u.did(ActDelete)
}

// clean reports that nothing is left; else it says what is done or waited for.
func (u *unlinker) clean() bool {
	f := &u.facts
	switch {
	case !f.Reads:
	case !f.ResidualsRead:
		u.Act = ActResidual
		return false
	case len(f.Residuals) > 0:
		u.stick(&Hold{
			Reason: ResidualFound, Until: f.Now.Add(residualAgain),
			Message: "something is left in the system: " + strings.Join(f.Residuals, "; "),
		})
		return false
	}
	return true
}

// confirmed believes the person, and looks where the system can be asked. What is left then is seen to as before: it
// reports whether there is nothing else to do.
func (u *unlinker) confirmed() bool {
	f := &u.facts
	const words = "somebody has unlinked the account and confirmed it"
	switch {
	case f.Down != nil, f.Trouble != nil && f.Last == ActResidual:
		u.end(Done, "%s; the system could not be asked", words)
	case !f.Reads:
		u.end(Done, "%s; the system cannot be read", words)
	case !f.ResidualsRead:
		u.Act = ActResidual
	case len(f.Residuals) > 0:
		return false
	default:
		u.Disabled = true
		u.end(Done, "%s; nothing is left that can be found", words)
	}
	return true
}

// judge says how it stands, since when it goes wrong, and leaves it to a person when that is too long.
func (u *unlinker) judge() {
	if u.Over {
		return
	}
	u.State = Running
	if u.Hold != nil {
		u.State = Waiting
		if !u.stuck && (u.progress.State == "" || u.progress.State == Pending) {
			u.State = Pending
		}
	}
	u.Since = u.wrongSince()
	late := !u.Since.IsZero() && !u.facts.Now.Before(u.Since.Add(u.terms.Retry))
	trouble := u.facts.Trouble
	refuses := u.Act != Nothing && trouble != nil && trouble.Reason == NotSupported
	if u.Task = u.never || late || refuses || u.facts.Confirmed; u.Task && u.Todo == "" {
		u.Todo = u.why()
	}
}

// why a person has to do it.
func (u *unlinker) why() string {
	switch {
	case u.Hold != nil:
		return u.Hold.Message
	case u.facts.Trouble != nil:
		return u.facts.Trouble.Message
	}
	return "the system has not done it in time"
}

// wrongSince is since when it does not go on although it is its turn. What is only waited for does not go wrong, and reading alone
// does not put it right.
func (u *unlinker) wrongSince() time.Time {
	advanced := u.Phase != u.progress.Phase && u.progress.Phase != "" || u.Disabled && !u.progress.Disabled
	switch waits := u.Hold != nil && !u.stuck; {
	case waits, advanced && !u.stuck:
		return time.Time{}
	case u.progress.Since.IsZero() && (u.stuck || u.facts.Trouble != nil):
		return u.facts.Now
	}
	return u.progress.Since
}
