package leaving_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/leaving"
)

// linkedSituation is somebody whose leaving has just begun, or who is near the end, with things otherwise.
func (d *dice) linkedSituation() linkedSituation {
	s := leaver()
	pick(d, func(*linkedSituation) {}, blocked, unlinked, deleting)(&s)
	otherwise := d.n(5)
	if d.one(3) {
		otherwise = 60
	}
	for range otherwise {
		d.otherwiseLinked(&s)
	}
	return s
}

// otherwiseLinked changes one thing.
func (d *dice) otherwiseLinked(s *linkedSituation) {
	t, p, f := &s.terms, &s.progress, &s.facts
	hold := &leaving.Hold{Reason: "RemovalLimitReached", Message: "more people than the limit"}
	acts := []leaving.Act{leaving.Nothing, leaving.ActConfirm, leaving.ActDisable, leaving.ActUnlink, leaving.ActDelete, leaving.ActResidual}
	changes := []func(){
		func() { t.OnLeave = pick(d, leaving.LeaveDisabled, leaving.LeaveDeleted, leaving.LeaveRetained) },
		func() { t.Skip = d.one(4) },
		func() { t.Retry = pick(d, 0, time.Hour) },
		func() {
			p.State = pick(d, "", leaving.Pending, leaving.Running, leaving.Waiting, leaving.Done, leaving.Skipped)
		},
		func() {
			p.Phase = pick(d, "", leaving.PhaseDisable, leaving.PhaseUnlink, leaving.PhaseDelete, leaving.PhaseCheck)
		},
		func() { p.Disabled = d.one(2) },
		func() { p.Since = pick(d, time.Time{}, noon, noon.Add(-time.Hour)) },
		func() { f.Owned = !d.one(3) },
		func() { f.Claimant = pick(d, "", "zhao-lei") },
		func() { f.Held = pick(d, nil, hold) },
		func() { f.Cancelled = d.one(3) },
		func() { f.Turn = d.one(2) },
		func() { f.Down = pick(d, nil, down) },
		func() { f.Reads = d.one(2) },
		func() { f.CanDisable, f.CanDelete = d.one(2), d.one(2) },
		func() { f.DisableRemoves = d.one(2) },
		func() { f.Read, f.There = d.one(2), d.one(2) },
		func() { f.Enabled, f.Parked = d.one(2), d.one(2) },
		func() {
			f.Last, f.Trouble = pick(d, acts...), pick(d, nil, down, &leaving.Hold{Reason: leaving.NotSupported, Message: "no"})
		},
		func() { f.Confirmed = d.one(2) },
		func() { f.ResidualsRead, f.Residuals = d.one(2), pick(d, nil, []string{"it is in a group"}) },
	}
	changes[d.n(len(changes))]()
}

// eachLinked tries a promise on what comes next in every situation.
func eachLinked(f *testing.F, hold func(*testing.T, linkedSituation, leaving.UnlinkDecision)) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		s := (&dice{b}).linkedSituation()
		hold(t, s, leaving.NextUnlink(s.terms, s.progress, s.facts))
		if t.Failed() {
			t.Logf("terms %+v\nprogress %+v\nfacts %+v", s.terms, s.progress, s.facts)
		}
	})
}

// asked says, in words of its own, that the deletion was asked for before.
func (s linkedSituation) asked() bool {
	return s.terms.OnLeave == leaving.LeaveDeleted && slices.Contains([]leaving.UnlinkPhase{leaving.PhaseDelete, leaving.PhaseCheck}, s.progress.Phase)
}

// mayDelete says of every guard whether it lets the linked account be deleted.
func (s linkedSituation) mayDelete() (why []string) {
	f := s.facts
	guard := func(holds bool, otherwise string) {
		if !holds {
			why = append(why, otherwise)
		}
	}
	receipt := f.Last == leaving.ActDisable && f.Trouble == nil
	parted := f.Last == leaving.ActUnlink && f.Trouble == nil
	guard(s.terms.OnLeave == leaving.LeaveDeleted, "it is to stay")
	guard(!s.terms.Skip, "the policy leaves it out")
	guard(!s.progress.State.Over(), "it is over")
	guard(f.Owned, "P4: it is not ours")
	guard(!f.Cancelled, "the person is declared again")
	guard(f.Down == nil, "the system is not called")
	guard(!f.Reads || f.Read && f.There, "P5: nobody saw it there")
	if s.asked() {
		guard(s.progress.Phase == leaving.PhaseDelete, "it was deleted")
		guard(f.Reads || f.Last != leaving.ActDelete || f.Trouble != nil, "P3: the receipt says that it was deleted")
		return why
	}
	guard(f.Claimant == "", "P4: somebody else holds it")
	guard(f.Held == nil, "P6: it is held")
	guard(f.Turn, "it is not its turn")
	guard(f.CanDelete, "the system does not delete")
	if f.CanDisable && !f.DisableRemoves {
		guard(f.Reads && !f.Enabled || !f.Reads && (s.progress.Disabled || receipt), "P2: somebody can sign in")
	}
	disabled := f.Reads && !f.Enabled || !f.Reads && (s.progress.Disabled || receipt)
	guard(!disabled || f.Parked || parted || s.progress.Phase == leaving.PhaseCheck, "it is in its groups")
	return why
}

// FuzzP2P4P6UnlinkDeletesBehindEveryGuard: a linked account is deleted when all guards let it, and where they do it is.
func FuzzP2P4P6UnlinkDeletesBehindEveryGuard(f *testing.F) {
	eachLinked(f, func(t *testing.T, s linkedSituation, d leaving.UnlinkDecision) {
		why := s.mayDelete()
		if d.Act == leaving.ActDelete && len(why) > 0 {
			t.Errorf("deletes an account although: %q", why)
		}
		if len(why) == 0 && d.Act != leaving.ActDelete && !s.facts.Confirmed {
			t.Errorf("nothing is against the deletion, and it says %+v", d)
		}
		if d.Act == leaving.ActDelete && d.Phase != leaving.PhaseDelete {
			t.Errorf("P3: deletes, and would record %q", d.Phase)
		}
	})
}

// FuzzP2UnlinkAccessFirst: wherever somebody can sign in and the system can change that, that comes first, whatever the other
// steps wait for; and nothing is called disabled that is not.
func FuzzP2UnlinkAccessFirst(f *testing.F) {
	eachLinked(f, func(t *testing.T, s linkedSituation, d leaving.UnlinkDecision) {
		f := s.facts
		begins := f.Owned && f.Held == nil && f.Claimant == "" && !f.Cancelled && f.Down == nil && !s.terms.Skip && !s.progress.State.Over() && s.terms.OnLeave != leaving.LeaveRetained
		open := f.Reads && f.Read && f.There && f.Enabled || !f.Reads && !s.progress.Disabled && (f.Last != leaving.ActDisable || f.Trouble != nil)
		can := f.CanDisable && !f.DisableRemoves
		if begins && open && can && !s.asked() && !f.Confirmed && d.Act != leaving.ActDisable {
			t.Errorf("somebody can sign in, and it says %+v", d)
		}
		if d.Act == leaving.ActDisable && d.Disabled {
			t.Error("still calls an account disabled to which somebody gave access back")
		}
		if d.Act == leaving.ActUnlink && open {
			t.Error("unlinks who can sign in")
		}
		if d.Disabled && !s.progress.Disabled && open && f.Reads && !s.asked() && !d.Over {
			t.Error("calls an account disabled that is not")
		}
		if d.Over && d.State == leaving.Done && open && !s.asked() && !f.Confirmed && !s.progress.State.Over() {
			t.Error("calls somebody unlinked who can sign in")
		}
	})
}

// FuzzP4UnlinkOwnedOnly: nothing is done to an account that is not ours, is to stay, or is somebody else's by now; nor to that of
// somebody who is declared again, or may not lose access yet.
func FuzzP4UnlinkOwnedOnly(f *testing.F) {
	eachLinked(f, func(t *testing.T, s linkedSituation, d leaving.UnlinkDecision) {
		f := s.facts
		if d.Act == leaving.Nothing || d.Act == leaving.ActConfirm || d.Act == leaving.ActResidual && !s.progress.State.Over() && f.Owned {
			return
		}
		held := (f.Held != nil || f.Claimant != "") && !s.asked()
		if !f.Owned || f.Cancelled || s.terms.Skip || s.terms.OnLeave == leaving.LeaveRetained || held || f.Down != nil || s.progress.State.Over() {
			t.Errorf("it is to be left alone, and it says %+v", d)
		}
	})
}

// FuzzUnlinkOneThing: a decision is one thing, the same for the same, and ends only with words; what is stuck for too long is
// somebody's task.
func FuzzUnlinkOneThing(f *testing.F) {
	eachLinked(f, func(t *testing.T, s linkedSituation, d leaving.UnlinkDecision) {
		if again := leaving.NextUnlink(s.terms, s.progress, s.facts); !reflect.DeepEqual(again, d) {
			t.Errorf("first %+v, then %+v", d, again)
		}
		things := 0
		for _, is := range []bool{d.Act != leaving.Nothing, d.Hold != nil, d.Over} {
			if is {
				things++
			}
		}
		if things != 1 || d.Over != d.State.Over() || d.Over && d.Message == "" && !s.progress.State.Over() || d.Cancelled && !s.facts.Cancelled {
			t.Errorf("%d things: %+v", things, d)
		}
		waits := d.Hold != nil && slices.Contains([]string{leaving.InheritanceWaiting, leaving.DataConflict, "RemovalLimitReached"}, d.Hold.Reason)
		if waits && (d.Task && !s.facts.Confirmed || !d.Since.IsZero()) {
			t.Errorf("it only waits, and calls that wrong: %+v", d)
		}
		if s.facts.Down != nil && d.Hold == s.facts.Down && (d.Since.IsZero() || d.Task != (!s.facts.Now.Before(d.Since.Add(s.terms.Retry)) || s.facts.Confirmed)) {
			t.Errorf("it is down, and says %+v", d)
		}
		if !s.progress.Since.IsZero() && !d.Since.IsZero() && !d.Since.Equal(s.progress.Since) {
			t.Errorf("it went wrong since %v, and now since %v", s.progress.Since, d.Since)
		}
	})
}
