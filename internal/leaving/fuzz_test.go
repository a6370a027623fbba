package leaving_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/leaving"
)

// Each target holds one promise, over every situation that can be said.

// each tries a promise on what comes next in every situation.
func each(f *testing.F, hold func(*testing.T, situation, leaving.Decision)) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		s := (&dice{b}).situation()
		hold(t, s, leaving.Next(s.terms, s.progress, s.facts))
		if t.Failed() {
			t.Logf("terms %+v\nprogress %+v\nfacts %+v\naccount %+v", s.terms, s.progress, s.facts, s.facts.Account)
		}
	})
}

// mayRemove says of every guard, in words of its own, whether it lets an account be removed.
func mayRemove(s situation, after map[leaving.Step]leaving.State) (why []string) {
	t, f := s.terms, s.facts
	guard := func(holds bool, otherwise string) {
		if !holds {
			why = append(why, otherwise)
		}
	}
	frozen := f.Account != nil && f.Account.State == directory.Frozen
	guard(t.Delete, "the policy keeps it")
	guard(f.Owned, "P4: it is not ours")
	guard(f.Claimant == "", "P4: somebody else holds it")
	guard(!f.Cancelled, "the person is declared again")
	guard(f.Held == nil, "P6: it is held")
	guard(f.DeletionHeld == nil, "P7: its deletion is held")
	guard(f.Listed && f.Account != nil && !f.Doubtful, "P5: nobody saw it just now")
	guard(frozen || !f.CanFreeze || after[leaving.Freeze] == leaving.Skipped, "P2: it can be used")
	guard(!t.Backup || f.Backup == leaving.BackupVerified, "P1: there is no verified backup")
	guard(!t.Backup || after[leaving.Backup] == leaving.Done, "P1: nobody recorded a verified backup")
	guard(len(f.TasksOpen) == 0, "people have something to do")
	for _, step := range leaving.Order(f.Offers) {
		if step == leaving.DeleteAccount {
			break
		}
		guard(after[step] == leaving.Done || after[step] == leaving.Skipped, string(step)+" is not over")
	}
	switch before := s.progress.Steps[leaving.Grace]; {
	case after[leaving.Grace] == leaving.Skipped:
		guard(t.RemoveEarly && after[leaving.Freeze] == leaving.Skipped, "grace is skipped for somebody who was frozen, or by nobody's will")
	case before != leaving.Done:
		guard(!s.progress.GraceEnds.IsZero() && !f.Now.Before(s.progress.GraceEnds), "grace is not over")
	}
	return why
}

// FuzzRemovalBehindEveryGuard: an account is removed when all guards let it, and where they do it is.
func FuzzRemovalBehindEveryGuard(f *testing.F) {
	each(f, func(t *testing.T, s situation, d leaving.Decision) {
		why := mayRemove(s, s.after(d))
		if d.Act == leaving.ActRemove && len(why) > 0 {
			t.Errorf("removes an account although: %q", why)
		}
		if len(why) == 0 && d.Act != leaving.ActRemove && !s.progress.Over(leaving.DeleteAccount) {
			t.Errorf("nothing is against the removal, and it says %+v", d)
		}
	})
}

// FuzzP1BackupBeforeRemoval: no account is removed without a verified backup, and none is called
// verified, or unwanted, that is not.
func FuzzP1BackupBeforeRemoval(f *testing.F) {
	each(f, func(t *testing.T, s situation, d leaving.Decision) {
		if d.Act == leaving.ActRemove && s.terms.Backup && s.facts.Backup != leaving.BackupVerified {
			t.Errorf("removes an account whose backup is %q", s.facts.Backup)
		}
		gone := s.facts.Account == nil && s.facts.Absent
		for _, over := range d.Settled {
			switch {
			case over.Step != leaving.Backup:
			case over.State == leaving.Done && s.facts.Backup != leaving.BackupVerified:
				t.Errorf("calls a backup done that is %q", s.facts.Backup)
			case over.State == leaving.Skipped && s.terms.Backup && s.facts.Owned && !gone:
				t.Error("skips a backup that is wanted")
			}
		}
	})
}

// FuzzP2AccessFirst: nothing is done before access is taken away; it is taken away again where somebody gave it
// back; and it is skipped only where the platform cannot, and says so.
func FuzzP2AccessFirst(f *testing.F) {
	each(f, func(t *testing.T, s situation, d leaving.Decision) {
		after, account := s.after(d), s.facts.Account
		reads := d.Act == leaving.ActConfirm || d.Act == leaving.ActResidual
		if d.Act != leaving.Nothing && d.Act != leaving.ActFreeze && d.Act != leaving.ActRestore && !reads && after[leaving.Freeze] != leaving.Done && after[leaving.Freeze] != leaving.Skipped {
			t.Errorf("%s comes before access is taken away", d.Act)
		}
		usable := account != nil && account.State != directory.Frozen
		if usable && s.facts.CanFreeze && after[leaving.Freeze] == leaving.Done && !s.progress.Over(leaving.DeleteAccount) &&
			d.Act != leaving.ActFreeze && d.Act != leaving.ActConfirm && d.Act != leaving.ActRestore && d.Hold == nil && !d.Cancelled && s.facts.Owned {
			t.Errorf("somebody gave access back, and it says %+v", d)
		}
		for _, over := range d.Settled {
			switch {
			case over.Step != leaving.Freeze:
			case over.State == leaving.Done && usable:
				t.Error("calls an account frozen that can be used")
			case over.State == leaving.Skipped && s.facts.CanFreeze && s.facts.Owned && account != nil:
				t.Error("skips the freeze where it can be done")
			case over.Message == "":
				t.Error("skips the freeze in silence")
			}
		}
	})
}

// FuzzP4OwnedOnly: nothing is done to an account that is not ours, or that somebody else holds by now.
func FuzzP4OwnedOnly(f *testing.F) {
	each(f, func(t *testing.T, s situation, d leaving.Decision) {
		if !s.facts.Owned && d.Act != leaving.Nothing {
			t.Errorf("%s: the account is not ours", d.Act)
		}
		if s.facts.Claimant != "" && !s.removed() && d.Act != leaving.Nothing {
			t.Errorf("%s: somebody else holds the account", d.Act)
		}
	})
}

// FuzzP5AbsenceIsProven: a removal is called done, and an account gone, only when a direct read said not-found;
// and it is called removed only when we asked for it.
func FuzzP5AbsenceIsProven(f *testing.F) {
	each(f, func(t *testing.T, s situation, d leaving.Decision) {
		gone := s.facts.Listed && s.facts.Account == nil && s.facts.Absent && !s.facts.Doubtful
		for _, over := range d.Settled {
			if over.Step == leaving.DeleteAccount && over.State == leaving.Done && (!gone || !s.progress.RemovalAsked) {
				t.Error("calls an account removed that nobody saw gone, or that we did not remove")
			}
			if over.Step == leaving.DeleteAccount && over.State == leaving.Skipped && s.terms.Delete && s.facts.Owned && !gone {
				t.Error("calls an account gone that nobody saw gone")
			}
		}
		if d.Act == leaving.ActRemove && (s.facts.Account == nil || s.facts.Doubtful) {
			t.Error("removes what nobody sees")
		}
	})
}

// FuzzP6P7HeldDoesNothing: while the leaving is held, or its deletion is, nobody loses anything.
func FuzzP6P7HeldDoesNothing(f *testing.F) {
	each(f, func(t *testing.T, s situation, d leaving.Decision) {
		switch {
		case s.facts.Held != nil && d.Act == leaving.ActRemove, s.facts.DeletionHeld != nil && d.Act == leaving.ActRemove:
			t.Error("removes an account although that is held")
		case s.facts.Held == nil || s.removed() || s.facts.Cancelled || !s.facts.Owned:
		case d.Act != leaving.Nothing || d.Hold != s.facts.Held || len(d.Settled) > 0:
			t.Errorf("it is held, and says %+v", d)
		}
	})
}

// FuzzCancelGivesBack: who is declared again before the removal loses nothing any more, and gets roles back.
func FuzzCancelGivesBack(f *testing.F) {
	each(f, func(t *testing.T, s situation, d leaving.Decision) {
		if !s.facts.Cancelled || s.removed() {
			if d.Cancelled || d.Act == leaving.ActRestore {
				t.Errorf("cancels what nobody cancelled, or too late: %+v", d)
			}
			return
		}
		if !slices.Contains([]leaving.Act{leaving.Nothing, leaving.ActConfirm, leaving.ActRestore}, d.Act) || len(d.Settled) > 0 {
			t.Errorf("the person is declared again, and it says %+v", d)
		}
		there := s.facts.Listed && s.facts.Account != nil && s.facts.Owned && s.facts.Claimant == ""
		if there && s.facts.RolesTaken > 0 != (d.Act == leaving.ActRestore) {
			t.Errorf("%d roles were taken, and it says %+v", s.facts.RolesTaken, d)
		}
	})
}

// FuzzOneThing: a decision is one thing, the same for the same, about a step that is not over, and leaves what
// it was asked about as it is.
func FuzzOneThing(f *testing.F) {
	known := []string{
		leaving.WaitingForAccount, leaving.WaitingForBackup, leaving.BackupNotVerified, leaving.ManualTask, leaving.InGrace,
		leaving.DataConflict, leaving.ResidualFound, leaving.InheritanceWaiting, leaving.WaitingForSystems, "RemovalLimitReached",
	}
	each(f, func(t *testing.T, s situation, d leaving.Decision) {
		before := maps.Clone(s.progress.Steps)
		if again := leaving.Next(s.terms, s.progress, s.facts); !reflect.DeepEqual(again, d) {
			t.Errorf("first %+v, then %+v", d, again)
		}
		if !maps.Equal(before, s.progress.Steps) {
			t.Error("it changed the progress")
		}
		things := 0
		for _, is := range []bool{d.Act != leaving.Nothing, d.Hold != nil, d.Over, d.Cancelled} {
			if is {
				things++
			}
		}
		if things != 1 || (d.Step != "") != (d.Act != leaving.Nothing || d.Hold != nil) {
			t.Errorf("%d things: %+v", things, d)
		}
		if d.Hold != nil && (!slices.Contains(known, d.Hold.Reason) || d.Hold.Message == "") {
			t.Errorf("holds for %+v", d.Hold)
		}
		seen := map[leaving.Step]bool{}
		for _, over := range d.Settled {
			if seen[over.Step] || s.progress.Over(over.Step) || !over.State.Over() || over.Message == "" {
				t.Errorf("settles %+v", over)
			}
			seen[over.Step] = true
		}
		for _, step := range steps {
			if state := s.after(d)[step]; d.Over && !state.Over() {
				t.Errorf("it is over, and %s is %q", step, state)
			}
		}
	})
}
