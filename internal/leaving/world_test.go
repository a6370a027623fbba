package leaving_test

import (
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/leaving"
)

// world is one person who leaves a model platform: what is really there, what was
// seen of it, and what is durably recorded. Trouble comes by the dice, while there
// are any; then everybody does what is asked of them.
type world struct {
	t       *testing.T
	trouble *dice
	terms   leaving.Terms
	offers  []directory.DutyOffer
	now     time.Time

	// The platform. canFreeze: it freezes this account. customers wait to be passed on.
	real      *directory.Account
	canFreeze bool
	roles     int
	customers int

	// In memory: what a restart forgets.
	listed, absent, doubtful bool
	seen                     *directory.Account
	inheritance              *directory.Inheritance
	residualsRead            bool

	// Recorded: what a restart finds.
	progress         leaving.Progress
	rolesRead        bool
	held, taken      int
	noticesOpen      bool
	backup           leaving.BackupState
	tasks            []string
	owned, cancelled bool
	claimant         string
	limit            *leaving.Hold

	// What happened. rehired: there is another account of the same id. vanished: somebody else
	// removed the account.
	removals          int
	rehired, vanished bool
	told              int
}

func newWorld(t *testing.T, d *dice) *world {
	w := &world{
		t: t, trouble: d, now: noon, offers: pick(d, withRemoval, afterRemoval, byHand), canFreeze: !d.one(3), roles: d.n(3), customers: 2,
		terms: leaving.Terms{Backup: !d.one(4), Delete: !d.one(4), RemoveEarly: d.one(2), Grace: pick(d, time.Hour, 0)},
		real:  &directory.Account{ID: "E0001", State: directory.Active}, owned: !d.one(8), noticesOpen: true,
		progress: leaving.Progress{Steps: map[leaving.Step]leaving.State{}}, tasks: []string{"wecom/HandOver"},
	}
	for _, s := range []leaving.Step{leaving.HandOver, leaving.RevokePermissions, leaving.Notify, leaving.ResidualCheck} {
		if d.one(5) {
			w.terms.Skip = append(w.terms.Skip, s)
		}
	}
	return w
}

// troubled reports whether there is trouble left.
func (w *world) troubled() bool { return len(w.trouble.bytes) > 0 }

// enough is more decisions than any leaving needs once trouble is over.
const enough = 60

// run lets the leaving take its course, and ends the test if it does not end.
func (w *world) run() {
	for calm := 0; calm < enough; {
		if !w.troubled() {
			calm++
		}
		w.happen()
		d := leaving.Next(w.terms, w.progress, w.facts())
		if d.Cancelled || d.Over {
			w.ended(d)
			return
		}
		if w.trouble.one(6) {
			w.restart() // before anything was recorded
			continue
		}
		for _, s := range d.Settled {
			w.progress.Steps[s.Step] = s.State
		}
		switch {
		case d.Hold != nil:
			w.wait(d.Hold)
		default:
			w.act(d)
		}
	}
	d := leaving.Next(w.terms, w.progress, w.facts())
	w.t.Errorf("it does not end: %+v, hold %+v, progress %+v", d, d.Hold, w.progress)
}

// happen is what others do meanwhile.
func (w *world) happen() {
	if !w.troubled() {
		w.limit, w.claimant, w.tasks = nil, "", nil
		return
	}
	switch w.trouble.n(24) {
	case 1:
		w.now = w.now.Add(20 * time.Minute)
	case 2:
		if w.real != nil {
			w.real = &directory.Account{ID: w.real.ID, State: directory.Active}
			w.look()
		}
	case 3:
		w.vanished = w.vanished || w.real != nil && w.removals == 0
		w.real = nil
		w.look()
	case 4:
		w.cancelled = true
	case 5:
		w.limit = &leaving.Hold{Reason: "RemovalLimitReached", Message: "more people than the limit"}
	case 6:
		w.limit = nil
	case 7:
		w.backup = pick(w.trouble, leaving.BackupAbsent, leaving.BackupFailed)
	case 8:
		w.tasks = nil
	case 9:
		w.claimant = pick(w.trouble, "", "zhao-lei")
	case 10:
		w.restart()
	case 11:
		if w.real == nil && w.removals > 0 {
			w.real, w.rehired, w.cancelled = &directory.Account{ID: "E0001", State: directory.Active}, true, true
			w.look()
		}
	case 12:
		w.doubtful = true
	}
}

// restart forgets what is in memory only; then the directory is listed.
func (w *world) restart() {
	w.listed, w.seen, w.absent, w.doubtful, w.inheritance, w.residualsRead = false, nil, false, false, nil, false
}

// look lists the directory, or reads the account.
func (w *world) look() {
	w.listed, w.doubtful, w.seen, w.absent = true, false, w.real, w.real == nil
}

func (w *world) facts() leaving.Facts {
	if !w.listed && !w.trouble.one(3) {
		w.look()
	}
	f := leaving.Facts{
		Now: w.now, Listed: w.listed, Account: w.seen, Absent: w.absent, Doubtful: w.doubtful, Owned: w.owned, CanFreeze: w.canFreeze,
		FreezeLimit: "this platform cannot freeze", Held: w.limit, Cancelled: w.cancelled, Claimant: w.claimant,
		Backup: w.backup, CanRevoke: true, RolesRead: w.rolesRead, RolesLeft: w.held, RolesTaken: w.taken,
		Offers: w.offers, Successor: "E0002", TasksOpen: w.tasks, Inheritance: w.inheritance,
		NoticesOpen: w.noticesOpen, ResidualsRead: w.residualsRead,
	}
	if w.cancelled && w.progress.Steps[leaving.RevokePermissions] == leaving.Running {
		f.RolesTaken, f.RolesLeft = w.taken+w.held, 0 // they may have been taken, and the answer was lost
	}
	return f
}

// wait lets what is waited for happen.
func (w *world) wait(h *leaving.Hold) {
	switch {
	case w.backup == leaving.BackupRunning:
		w.backup = leaving.BackupVerified
		if w.trouble.one(3) {
			w.backup = leaving.BackupFailed
		}
	case w.backup == leaving.BackupFailed && !w.trouble.one(2):
		w.backup = leaving.BackupAbsent // somebody has looked after the storage
	}
	w.now = w.now.Add(time.Minute)
	if h.Until.After(w.now) && !w.trouble.one(3) {
		w.now = h.Until
	}
}

// act records an act and does it: with an answer, without one, not at all, or with a crash around it.
func (w *world) act(d leaving.Decision) {
	switch d.Act {
	case leaving.ActConfirm:
	case leaving.ActBeginGrace:
		w.progress.GraceEnds = w.now.Add(w.terms.Grace)
		w.progress.Steps[leaving.Grace] = leaving.Waiting
		return
	default:
		w.progress.Steps[d.Step] = leaving.Running
		w.progress.RemovalAsked = w.progress.RemovalAsked || d.Act == leaving.ActRemove
	}
	switch w.trouble.n(8) {
	case 1:
		w.restart() // recorded, and not done
	case 2:
		w.do(d.Act)
		w.restart() // done, and nobody knows
	case 3:
		w.do(d.Act)
		w.doubtful = true // the answer was lost
	case 4:
		w.doubtful = true // so was the question
	case 5: // refused
	default:
		w.do(d.Act)
		w.answered(d.Act)
	}
}

// do is what the platform does. It is where the promises are looked at.
func (w *world) do(a leaving.Act) {
	if w.limit != nil && !w.cancelled && w.real != nil && a != leaving.ActConfirm {
		w.t.Errorf("P6: %s although it is held", a)
	}
	if !w.owned {
		w.t.Errorf("P4: %s on an account that is not ours", a)
	}
	if w.rehired && (a == leaving.ActFreeze || a == leaving.ActRemove || a == leaving.ActRevoke) {
		w.t.Errorf("%s on the account of somebody who was hired again", a)
	}
	switch a {
	case leaving.ActFreeze:
		if w.real != nil {
			w.real = &directory.Account{ID: w.real.ID, State: directory.Frozen}
		}
	case leaving.ActRevoke:
		w.roles = min(w.roles, w.roles-w.held)
	case leaving.ActRestore:
		w.roles = w.held + w.taken
	case leaving.ActInherit:
		w.customers = 0
	case leaving.ActNotify:
		w.told++
	case leaving.ActRemove:
		w.remove()
	}
}

func (w *world) remove() {
	if w.real == nil {
		return // NotFound
	}
	w.removals++
	if w.removals > 1 {
		w.t.Error("P3: removed twice")
	}
	if w.terms.Backup && w.backup != leaving.BackupVerified {
		w.t.Errorf("P1: removed with the backup %q", w.backup)
	}
	if w.canFreeze && w.real.State != directory.Frozen {
		w.t.Error("P2: removed while it could be used")
	}
	early := !w.canFreeze && w.terms.RemoveEarly
	if !early && (w.progress.GraceEnds.IsZero() || w.now.Before(w.progress.GraceEnds)) {
		w.t.Error("removed during grace")
	}
	if w.cancelled || w.claimant != "" || w.limit != nil || len(w.tasks) > 0 || !w.terms.Delete {
		w.t.Error("removed although it was not to be")
	}
	w.real = nil
}

// answered is what is known when the platform answers.
func (w *world) answered(a leaving.Act) {
	switch a {
	case leaving.ActConfirm:
		w.look()
	case leaving.ActFreeze, leaving.ActRemove:
		w.look()
	case leaving.ActBackup:
		w.backup = leaving.BackupRunning
	case leaving.ActRevoke:
		if w.rolesRead {
			w.taken, w.held = w.taken+w.held, 0
		} else {
			w.rolesRead, w.held = true, w.roles
		}
	case leaving.ActRestore:
		w.taken, w.held = 0, w.held+w.taken
		w.progress.Steps[leaving.RevokePermissions] = leaving.Waiting
	case leaving.ActNotify:
		w.noticesOpen = false
	case leaving.ActInherit:
		w.inheritance = &directory.Inheritance{Done: 2}
	case leaving.ActResidual:
		w.residualsRead = true
	}
}

// ended looks at how it ended.
func (w *world) ended(d leaving.Decision) {
	for _, s := range d.Settled {
		w.progress.Steps[s.Step] = s.State
	}
	removed := w.removals > 0
	switch {
	case d.Cancelled && !w.cancelled:
		w.t.Error("cancelled by nobody")
	case d.Cancelled && removed && !w.rehired:
		w.t.Error("called cancelled, and the account is gone")
	case d.Cancelled && w.real != nil && w.claimant == "" && w.owned && w.roles < w.taken:
		w.t.Errorf("cancelled, and %d roles were not given back", w.taken)
	case d.Over && w.terms.Delete && w.owned && w.real != nil && !w.rehired && !w.vanished:
		w.t.Error("over, and the account is there")
	case d.Over && !w.terms.Delete && removed, !w.owned && removed:
		w.t.Error("over, and an account is gone that was to stay")
	case d.Over && removed && w.progress.Steps[leaving.DeleteAccount] != leaving.Done:
		w.t.Errorf("removed, and recorded as %q", w.progress.Steps[leaving.DeleteAccount])
	}
}

// FuzzP1P2P3EveryLeavingEnds: whatever goes wrong, whoever interferes and however often the manager is
// restarted, a leaving ends; and on the way nobody is removed twice, unfrozen, without a verified backup, during
// grace, or although the person is declared again.
func FuzzP1P2P3EveryLeavingEnds(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWorld(t, &dice{b})
		w.run()
		if t.Failed() {
			t.Logf("%+v", w.terms)
		}
	})
}
