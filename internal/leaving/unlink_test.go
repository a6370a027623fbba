package leaving_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/leaving"
)

// linkedSituation is what NextUnlink is asked about.
type linkedSituation struct {
	terms    leaving.UnlinkTerms
	progress leaving.UnlinkProgress
	facts    leaving.UnlinkFacts
}

// leaver is somebody whose leaving has just begun, and who can sign in to a system that does all that a system can.
func leaver() linkedSituation {
	return linkedSituation{
		terms: leaving.UnlinkTerms{OnLeave: leaving.LeaveDisabled, Retry: time.Hour},
		facts: leaving.UnlinkFacts{
			Now: noon, Owned: true, Reads: true, CanDisable: true, CanDelete: true, Read: true, There: true, Enabled: true,
		},
	}
}

// unlinkRow is one situation, told from that of a leaver.
type unlinkRow struct {
	name   string
	change func(*linkedSituation)
	want   leaving.Act
	// hold is the reason for holding, phase the one that is recorded, ends how it is settled.
	hold  string
	phase leaving.UnlinkPhase
	ends  leaving.State
	task  bool
}

func TestNextUnlink(t *testing.T) {
	for _, rows := range [][]unlinkRow{disableRows, unlinkRows, troubleRows, cannotRows, endRows} {
		for _, r := range rows {
			t.Run(r.name, func(t *testing.T) { tryUnlink(t, r) })
		}
	}
}

func tryUnlink(t *testing.T, r unlinkRow) {
	t.Helper()
	s := leaver()
	r.change(&s)
	d := leaving.NextUnlink(s.terms, s.progress, s.facts)
	reason, ends := "", leaving.State("")
	if d.Hold != nil {
		reason = d.Hold.Reason
	}
	if d.Over {
		ends = d.State
	}
	if d.Act != r.want || reason != r.hold || ends != r.ends || d.Task != r.task || r.phase != "" && d.Phase != r.phase {
		t.Errorf("act %q in %q, hold %q, ends %q, task %v; want %q in %q, %q, %q, %v", d.Act, d.Phase, reason, ends, d.Task, r.want, r.phase, r.hold, r.ends, r.task)
	}
	if d.Over && d.Message == "" && !s.progress.State.Over() || d.Task && d.Todo == "" && !s.facts.Confirmed {
		t.Errorf("it says nothing: %+v", d)
	}
}

// blocked is somebody who cannot sign in any more, as everybody has seen.
func blocked(s *linkedSituation) {
	s.facts.Enabled, s.progress.Disabled = false, true
	s.progress.State, s.progress.Phase = leaving.Running, leaving.PhaseDisable
}

// unlinked is somebody of whom all is done but the check.
func unlinked(s *linkedSituation) {
	blocked(s)
	s.facts.Turn, s.facts.Parked, s.progress.Phase = true, true, leaving.PhaseUnlink
}

// deleting is somebody whose deletion was asked for.
func deleting(s *linkedSituation) {
	unlinked(s)
	s.terms.OnLeave, s.progress.Phase = leaving.LeaveDeleted, leaving.PhaseDelete
}

var down = &leaving.Hold{Reason: "PlatformUnavailable", Message: "nobody answers"}

var disableRows = []unlinkRow{
	{name: "P2: at once", change: func(*linkedSituation) {}, want: leaving.ActDisable, phase: leaving.PhaseDisable},
	{name: "P2: at once, also where it is deleted later", change: func(s *linkedSituation) { s.terms.OnLeave = leaving.LeaveDeleted }, want: leaving.ActDisable},
	{name: "P9: asked, and still enabled", change: func(s *linkedSituation) { s.facts.Last = leaving.ActDisable }, want: leaving.ActDisable},
	{name: "P2: given back by hand", change: func(s *linkedSituation) {
		unlinked(s)
		s.facts.Enabled = true
	}, want: leaving.ActDisable, phase: leaving.PhaseDisable},
	{name: "it is read first", change: func(s *linkedSituation) { s.facts.Read = false }, want: leaving.ActConfirm},
	{name: "nobody can sign in, and the rest is not due", change: blocked, hold: leaving.InheritanceWaiting, phase: leaving.PhaseDisable},
	{name: "a receipt is all there is", change: func(s *linkedSituation) {
		s.facts.Reads, s.facts.Read, s.facts.There, s.facts.Last, s.facts.Turn = false, false, false, leaving.ActDisable, true
	}, want: leaving.ActUnlink, phase: leaving.PhaseUnlink},
	{name: "no receipt yet", change: func(s *linkedSituation) { s.facts.Reads, s.facts.Read, s.facts.There = false, false, false }, want: leaving.ActDisable},
	{name: "P6: held", change: func(s *linkedSituation) { s.facts.Held = &leaving.Hold{Reason: "RemovalLimitReached"} }, hold: "RemovalLimitReached"},
	{name: "P4: not ours", change: func(s *linkedSituation) { s.facts.Owned = false }, ends: leaving.Skipped},
	{name: "P4: somebody else's by now", change: func(s *linkedSituation) { s.facts.Claimant = "zhao-lei" }, hold: leaving.DataConflict},
	{name: "retained", change: func(s *linkedSituation) { s.terms.OnLeave = leaving.LeaveRetained }, ends: leaving.Skipped},
	{name: "skipped by the policy", change: func(s *linkedSituation) { s.terms.Skip = true }, ends: leaving.Skipped},
}

var unlinkRows = []unlinkRow{
	{name: "out of its groups", change: func(s *linkedSituation) {
		unlinked(s)
		s.facts.Parked = false
	}, want: leaving.ActUnlink, phase: leaving.PhaseUnlink},
	{name: "checked", change: unlinked, want: leaving.ActResidual, phase: leaving.PhaseCheck},
	{name: "deleted", change: func(s *linkedSituation) {
		unlinked(s)
		s.terms.OnLeave = leaving.LeaveDeleted
	}, want: leaving.ActDelete, phase: leaving.PhaseDelete},
	{name: "P3: asked, and still there", change: deleting, want: leaving.ActDelete, phase: leaving.PhaseDelete},
	{name: "P3: asked, and nobody knows", change: func(s *linkedSituation) {
		deleting(s)
		s.facts.Read = false
	}, want: leaving.ActConfirm},
	{name: "P3: asked, and gone", change: func(s *linkedSituation) {
		deleting(s)
		s.facts.There = false
	}, want: leaving.ActResidual, phase: leaving.PhaseCheck},
	{name: "P6: held, but asked before", change: func(s *linkedSituation) {
		deleting(s)
		s.facts.Held = &leaving.Hold{Reason: "Observed"}
	}, want: leaving.ActDelete},
	{name: "vanished: checked", change: func(s *linkedSituation) { s.facts.There = false }, want: leaving.ActResidual},
	{name: "vanished", change: func(s *linkedSituation) { s.facts.There, s.facts.ResidualsRead = false, true }, ends: leaving.Skipped},
	{name: "something is left", change: func(s *linkedSituation) {
		unlinked(s)
		s.facts.ResidualsRead, s.facts.Residuals = true, []string{"it is in 2 groups"}
	}, hold: leaving.ResidualFound},
}

var troubleRows = []unlinkRow{
	{name: "down", change: func(s *linkedSituation) { s.facts.Down = down }, hold: "PlatformUnavailable"},
	{name: "down for too long", change: func(s *linkedSituation) {
		s.facts.Down, s.progress.Since = down, noon.Add(-time.Hour)
	}, hold: "PlatformUnavailable", task: true},
	{name: "refused", change: func(s *linkedSituation) { s.facts.Last, s.facts.Trouble = leaving.ActDisable, down }, want: leaving.ActDisable},
	{name: "refused for too long: still tried", change: func(s *linkedSituation) {
		s.facts.Last, s.facts.Trouble, s.progress.Since = leaving.ActDisable, down, noon.Add(-time.Hour)
	}, want: leaving.ActDisable, task: true},
	{name: "refused, and read in between", change: func(s *linkedSituation) {
		s.facts.Last, s.progress.Since = leaving.ActConfirm, noon.Add(-time.Hour)
		s.progress.State, s.progress.Phase = leaving.Running, leaving.PhaseDisable
	}, want: leaving.ActDisable, task: true, phase: leaving.PhaseDisable},
	{name: "at last", change: func(s *linkedSituation) {
		blocked(s)
		s.progress.Disabled, s.facts.Turn, s.progress.Since = false, true, noon.Add(-time.Hour)
	}, want: leaving.ActUnlink},
	{name: "the system says that it never will", change: func(s *linkedSituation) {
		s.facts.Last, s.facts.Trouble = leaving.ActDisable, &leaving.Hold{Reason: leaving.NotSupported, Message: "no"}
	}, want: leaving.ActDisable, task: true},
	{name: "confirmed while it is down", change: func(s *linkedSituation) { s.facts.Down, s.facts.Confirmed = down, true }, ends: leaving.Done},
	{name: "confirmed: looked at", change: func(s *linkedSituation) { s.facts.Confirmed = true }, want: leaving.ActResidual, task: true},
	{name: "confirmed, and it cannot be looked at", change: func(s *linkedSituation) {
		s.facts.Confirmed, s.facts.Last, s.facts.Trouble = true, leaving.ActResidual, down
	}, ends: leaving.Done},
	{name: "confirmed, and true", change: func(s *linkedSituation) { s.facts.Confirmed, s.facts.ResidualsRead = true, true }, ends: leaving.Done},
	{name: "confirmed, and not true", change: func(s *linkedSituation) {
		s.facts.Confirmed, s.facts.ResidualsRead, s.facts.Residuals = true, true, []string{"the account is enabled"}
	}, want: leaving.ActDisable, task: true},
}

var cannotRows = []unlinkRow{
	{name: "disabling removes, and it is to stay", change: func(s *linkedSituation) { s.facts.DisableRemoves = true }, hold: leaving.ManualTask, task: true},
	{name: "disabling removes, and it is to go: not before its turn", change: func(s *linkedSituation) {
		s.facts.DisableRemoves, s.terms.OnLeave = true, leaving.LeaveDeleted
	}, hold: leaving.InheritanceWaiting},
	{name: "disabling removes, and it is to go", change: func(s *linkedSituation) {
		s.facts.DisableRemoves, s.terms.OnLeave, s.facts.Turn = true, leaving.LeaveDeleted, true
	}, want: leaving.ActDelete, phase: leaving.PhaseDelete},
	{name: "disables nobody", change: func(s *linkedSituation) { s.facts.CanDisable = false }, hold: leaving.ManualTask, task: true},
	{name: "disables nobody, and deletes", change: func(s *linkedSituation) {
		s.facts.CanDisable, s.terms.OnLeave, s.facts.Turn = false, leaving.LeaveDeleted, true
	}, want: leaving.ActDelete},
	{name: "deletes nobody", change: func(s *linkedSituation) {
		unlinked(s)
		s.facts.CanDelete, s.terms.OnLeave = false, leaving.LeaveDeleted
	}, hold: leaving.ManualTask, task: true},
}

var endRows = []unlinkRow{
	{name: "disabled for good", change: func(s *linkedSituation) {
		unlinked(s)
		s.facts.ResidualsRead = true
	}, ends: leaving.Done},
	{name: "deleted, and gone", change: func(s *linkedSituation) {
		deleting(s)
		s.facts.There, s.facts.ResidualsRead, s.progress.Phase = false, true, leaving.PhaseCheck
	}, ends: leaving.Done},
	{name: "declared again", change: func(s *linkedSituation) {
		unlinked(s)
		s.facts.Cancelled = true
	}, ends: leaving.Skipped},
	{name: "declared again while it is down", change: func(s *linkedSituation) { s.facts.Cancelled, s.facts.Down = true, down }, ends: leaving.Skipped},
	{name: "declared again after the deletion", change: func(s *linkedSituation) {
		deleting(s)
		s.facts.Cancelled, s.facts.There = true, false
	}, ends: leaving.Skipped, phase: leaving.PhaseCheck},
	{name: "declared again, and the deletion failed", change: func(s *linkedSituation) {
		deleting(s)
		s.facts.Cancelled = true
	}, ends: leaving.Skipped, phase: leaving.PhaseUnlink},
	{name: "declared again, and nobody knows", change: func(s *linkedSituation) {
		deleting(s)
		s.facts.Cancelled, s.facts.Read = true, false
	}, want: leaving.ActConfirm, phase: leaving.PhaseDelete},
	{name: "declared again, and nobody answers", change: func(s *linkedSituation) {
		deleting(s)
		s.facts.Cancelled, s.facts.Read, s.facts.Last, s.facts.Trouble = true, false, leaving.ActConfirm, down
	}, ends: leaving.Skipped, phase: leaving.PhaseCheck},
	{name: "over before", change: func(s *linkedSituation) { s.progress.State = leaving.Done }, ends: leaving.Done},
}

// Since when it goes wrong is remembered through a restart and through readings, and forgotten when it goes on.
func TestSinceWhenItGoesWrong(t *testing.T) {
	s := leaver()
	s.facts.Last, s.facts.Trouble = leaving.ActDisable, down
	d := leaving.NextUnlink(s.terms, s.progress, s.facts)
	if !d.Since.Equal(noon) {
		t.Fatalf("it goes wrong since %v", d.Since)
	}
	s.progress = leaving.UnlinkProgress{State: d.State, Phase: d.Phase, Disabled: d.Disabled, Since: d.Since}
	s.facts.Last, s.facts.Trouble, s.facts.Read, s.facts.Now = leaving.Nothing, nil, false, noon.Add(time.Minute) // restarted
	if d = leaving.NextUnlink(s.terms, s.progress, s.facts); !d.Since.Equal(noon) {
		t.Errorf("after a restart it goes wrong since %v", d.Since)
	}
	s.facts.Read, s.facts.Enabled, s.facts.Turn = true, false, true
	if d = leaving.NextUnlink(s.terms, s.progress, s.facts); !d.Since.IsZero() || !d.Disabled {
		t.Errorf("it was disabled, and goes wrong since %v: %+v", d.Since, d)
	}
}

// The account's step waits for the records of all systems, and counts them.
func TestUnlinkSystems(t *testing.T) {
	for name, r := range map[string]struct {
		facts         func(*leaving.Facts)
		hold, settles string
	}{
		"none are declared": {func(*leaving.Facts) {}, "", "UnlinkSystems Skipped no linked systems are declared"},
		"open":              {func(f *leaving.Facts) { f.Systems, f.SystemsOpen = 2, []string{"mail"} }, leaving.WaitingForSystems, ""},
		"over":              {func(f *leaving.Facts) { f.Systems, f.SystemsKept = 3, 1 }, "", "UnlinkSystems Done unlinked from 2 linked systems; left as it is in 1 linked system"},
		"all over":          {func(f *leaving.Facts) { f.Systems = 1 }, "", "UnlinkSystems Done unlinked from 1 linked system"},
	} {
		t.Run(name, func(t *testing.T) {
			s := beforeRemoval(byHand)
			delete(s.progress.Steps, leaving.UnlinkSystems)
			r.facts(&s.facts)
			d := leaving.Next(s.terms, s.progress, s.facts)
			var settled []string
			for _, one := range d.Settled {
				settled = append(settled, strings.Join([]string{string(one.Step), string(one.State), one.Message}, " "))
			}
			if r.settles != "" && !slices.Contains(settled, r.settles) || r.hold != "" && (d.Hold == nil || d.Hold.Reason != r.hold || d.Step != leaving.UnlinkSystems) {
				t.Errorf("settled %q, hold %+v at %s", settled, d.Hold, d.Step)
			}
		})
	}
}
