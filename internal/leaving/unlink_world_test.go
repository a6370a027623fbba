package leaving_test

import (
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/leaving"
)

// linkedWorld is one person's account in a model of a linked system: what is really there, what was seen of it, and what
// is durably recorded. Trouble comes by the dice, while there is any.
type linkedWorld struct {
	t       *testing.T
	trouble *dice
	terms   leaving.UnlinkTerms
	now     time.Time

	// The system.
	there, enabled, grouped             bool
	reads, disables, removes, canDelete bool
	refuses                             bool

	// In memory: what a restart forgets.
	read, sawThere, sawEnabled, sawParked bool
	last                                  leaving.Act
	failed                                *leaving.Hold
	looked                                bool
	residuals                             []string

	// Recorded. byUs: the leaving has disabled it, or is about to.
	progress                 leaving.UnlinkProgress
	byUs, confirmed, hasTask bool
	owned, turn, cancelled   bool
	held                     *leaving.Hold
	down                     *leaving.Hold
	claimant                 string
	wasEnabled               bool
	deletions                int
	vanished, meddled        bool
}

func newLinkedWorld(t *testing.T, d *dice) *linkedWorld {
	w := &linkedWorld{
		t: t, trouble: d, now: noon, there: true, enabled: !d.one(4), grouped: true,
		reads: !d.one(4), disables: !d.one(5), removes: d.one(6), canDelete: !d.one(5), owned: !d.one(8),
		terms: leaving.UnlinkTerms{OnLeave: pick(d, leaving.LeaveDisabled, leaving.LeaveDeleted, leaving.LeaveRetained), Retry: pick(d, time.Hour, 0), Skip: d.one(8)},
	}
	w.wasEnabled = w.enabled
	return w
}

func (w *linkedWorld) troubled() bool { return len(w.trouble.bytes) > 0 }

// run lets the unlinking take its course, and ends the test if it does not end.
func (w *linkedWorld) run() {
	for calm := 0; calm < enough; {
		if !w.troubled() {
			calm++
		}
		w.happen()
		d := leaving.NextUnlink(w.terms, w.progress, w.facts())
		if w.trouble.one(6) {
			w.restart() // before anything was recorded
			continue
		}
		w.record(d)
		switch {
		case d.Over:
			w.ended(d)
			return
		case d.Hold != nil:
			w.wait()
		default:
			w.act(d)
		}
	}
	d := leaving.NextUnlink(w.terms, w.progress, w.facts())
	w.t.Errorf("it does not end: %+v, hold %+v", d, d.Hold)
}

// record is what is written before anything is done.
func (w *linkedWorld) record(d leaving.UnlinkDecision) {
	w.progress = leaving.UnlinkProgress{State: d.State, Phase: d.Phase, Disabled: d.Disabled, Since: d.Since}
	w.byUs = w.byUs || d.Act == leaving.ActDisable
	w.hasTask = d.Task
}

// happen is what others do meanwhile. When trouble is over everybody does what is asked of them.
func (w *linkedWorld) happen() {
	if !w.troubled() {
		w.down, w.held, w.claimant, w.refuses, w.turn = nil, nil, "", false, true
		return
	}
	switch w.trouble.n(24) {
	case 1:
		w.now = w.now.Add(20 * time.Minute)
	case 2:
		w.meddle(func() { w.enabled = w.there })
	case 3:
		w.meddle(func() { w.vanished, w.there = w.vanished || w.there && w.deletions == 0, false })
	case 4:
		w.cancelled = true
	case 5:
		w.held = pick(w.trouble, nil, &leaving.Hold{Reason: "RemovalLimitReached", Message: "more people than the limit"})
	case 6:
		w.down = pick(w.trouble, nil, down)
	case 7:
		w.claimant = pick(w.trouble, "", "zhao-lei")
	case 8:
		w.restart()
	case 9:
		w.turn = true
	case 10:
		w.refuses = w.trouble.one(2)
	case 11:
		w.read = false
	case 12:
		w.confirmed = w.confirmed || w.hasTask // and did nothing
	}
}

// meddle is what an administrator of the system does there; it is seen at once.
func (w *linkedWorld) meddle(do func()) {
	do()
	w.meddled = true
	w.look()
}

func (w *linkedWorld) restart() {
	w.read, w.last, w.failed, w.looked, w.residuals = false, leaving.Nothing, nil, false, nil
}

func (w *linkedWorld) look() {
	w.read, w.sawThere, w.sawEnabled, w.sawParked = true, w.there, w.there && w.enabled, !w.grouped
}

func (w *linkedWorld) facts() leaving.UnlinkFacts {
	f := leaving.UnlinkFacts{
		Now: w.now, Owned: w.owned, Claimant: w.claimant, Held: w.held, Cancelled: w.cancelled, Turn: w.turn, Down: w.down,
		Reads: w.reads, CanDisable: w.disables, DisableRemoves: w.removes, CanDelete: w.canDelete,
		Last: w.last, Trouble: w.failed, Confirmed: w.confirmed, Residuals: w.residuals, ResidualsRead: w.looked,
	}
	if w.reads {
		f.Read, f.There, f.Enabled, f.Parked = w.read, w.sawThere, w.sawEnabled, w.sawParked
	}
	return f
}

// wait lets what is waited for happen: time passes, and a person does what is theirs.
func (w *linkedWorld) wait() {
	w.now, w.looked = w.now.Add(time.Hour), false
	if w.hasTask && !w.trouble.one(2) {
		w.enabled, w.grouped, w.confirmed = false, false, true
		w.there = w.there && w.terms.OnLeave != leaving.LeaveDeleted
		w.look()
	}
}

// act does what was recorded: with an answer, without one, not at all, or with a crash around it.
func (w *linkedWorld) act(d leaving.UnlinkDecision) {
	unknown := &leaving.Hold{Reason: "OutcomeUnknown", Message: "no answer"}
	switch n := w.trouble.n(8); {
	case n == 1:
		w.restart() // recorded, and not done
	case n == 2:
		w.do(d.Act)
		w.restart() // done, and nobody knows
	case n == 3:
		w.do(d.Act)
		w.last, w.failed, w.read = d.Act, unknown, false
	case n == 4 || w.refuses && d.Act != leaving.ActConfirm:
		w.last, w.failed = d.Act, down
	default:
		w.do(d.Act)
		w.answered(d.Act)
	}
}

// answered is what is known when the system answers.
func (w *linkedWorld) answered(a leaving.Act) {
	w.last, w.failed = a, nil
	w.look()
	if a != leaving.ActResidual {
		w.looked = a == leaving.ActConfirm && w.looked
		return
	}
	w.looked, w.residuals = true, nil
	deleted := w.terms.OnLeave == leaving.LeaveDeleted && (w.confirmed || w.progress.Phase == leaving.PhaseCheck)
	switch {
	case w.there && deleted:
		w.residuals = []string{"the account is there"}
	case w.there && w.enabled:
		w.residuals = []string{"the account is enabled"}
	case w.there && w.grouped:
		w.residuals = []string{"it is in a group"}
	}
}

// do is what the system does. It is where the promises are looked at.
func (w *linkedWorld) do(a leaving.Act) {
	if a == leaving.ActConfirm || a == leaving.ActResidual {
		return
	}
	asked := w.progress.Phase == leaving.PhaseDelete
	switch {
	case !w.owned:
		w.t.Errorf("P4: %s on an account that is not ours", a)
	case w.cancelled:
		w.t.Errorf("%s on the account of somebody who is declared again", a)
	case w.held != nil && !asked:
		w.t.Errorf("P6: %s although it is held", a)
	case w.terms.Skip || w.terms.OnLeave == leaving.LeaveRetained:
		w.t.Errorf("%s on an account that is to stay as it is", a)
	}
	switch {
	case a == leaving.ActDisable && w.removes:
		w.t.Error("disables where that is the deletion")
	case a == leaving.ActDisable:
		w.enabled = false
	case a == leaving.ActUnlink && w.reads && w.there && w.enabled:
		w.t.Error("P2: unlinked while somebody could sign in")
	case a == leaving.ActUnlink:
		w.grouped = false
	case a == leaving.ActDelete:
		w.remove()
	}
}

func (w *linkedWorld) remove() {
	if w.terms.OnLeave != leaving.LeaveDeleted || !w.turn {
		w.t.Error("deleted although it was not to be")
	}
	if w.disables && !w.removes && w.there && w.enabled && !w.meddled {
		w.t.Error("P2: deleted while somebody could sign in")
	}
	if !w.there {
		return // NotFound
	}
	if w.deletions++; w.deletions > 1 {
		w.t.Error("P3: deleted twice")
	}
	w.there = false
}

// ended looks at how it ended. Who is declared again is enabled by whoever declares them, if the record says that we disabled it.
func (w *linkedWorld) ended(d leaving.UnlinkDecision) {
	open := w.there && w.enabled
	switch {
	case d.Cancelled && !w.cancelled:
		w.t.Error("cancelled by nobody")
	case d.Cancelled && w.there && w.wasEnabled && !w.enabled && !w.byUs && !w.confirmed:
		w.t.Error("cancelled, disabled by us, and nobody knows that")
	case d.Cancelled && w.reads && w.read && w.sawThere && d.Phase == leaving.PhaseCheck && w.terms.OnLeave == leaving.LeaveDeleted && w.deletions == 0:
		w.t.Error("cancelled, seen there, and the record says that it is gone")
	case d.Cancelled && !w.there && w.deletions > 0 && d.Phase != leaving.PhaseCheck:
		w.t.Error("cancelled, and the record does not say that it was deleted")
	case d.Cancelled:
	case d.State == leaving.Done && open && !w.confirmed && w.reads:
		w.t.Error("called done, and somebody can sign in")
	case d.State == leaving.Done && w.there && w.grouped && !w.confirmed && w.reads:
		w.t.Error("called done, and it is in its groups")
	case d.State == leaving.Done && w.terms.OnLeave == leaving.LeaveDeleted && w.there && !w.confirmed:
		w.t.Error("called deleted, and it is there")
	case w.terms.OnLeave != leaving.LeaveDeleted && !w.there && !w.vanished:
		w.t.Error("gone, and it was to stay")
	case d.State == leaving.Skipped && open && w.owned && !w.terms.Skip && w.terms.OnLeave != leaving.LeaveRetained:
		w.t.Errorf("skipped, and somebody can sign in: %s", d.Message)
	}
}

// FuzzP2P3P4EveryUnlinkingEnds: whatever goes wrong, whoever interferes and however often the manager is restarted, an unlinking
// ends, by the system's doing or a person's; and on the way nobody is deleted twice, too early, or although they are to stay.
func FuzzP2P3P4EveryUnlinkingEnds(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newLinkedWorld(t, &dice{b})
		w.run()
		if t.Failed() {
			t.Logf("%+v\n%+v\n%+v", w.terms, w.progress, w.facts())
		}
	})
}
