package leaving_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/leaving"
)

// Order bends to the platform: what it passes on only after the removal comes after it.
func TestOrder(t *testing.T) {
	const before = "Freeze Backup HandOver RevokePermissions UnlinkSystems Notify Grace DeleteAccount ResidualCheck"
	const after = "Freeze Backup RevokePermissions UnlinkSystems Notify Grace DeleteAccount HandOver ResidualCheck"
	for want, offers := range map[string][]directory.DutyOffer{before: withRemoval, after: afterRemoval} {
		if got := words(leaving.Order(offers)); got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	}
	if got := words(leaving.Order(byHand)); got != before {
		t.Errorf("where nothing is passed on: %s", got)
	}
}

func words(order []leaving.Step) string {
	var all []string
	for _, s := range order {
		all = append(all, string(s))
	}
	return strings.Join(all, " ")
}

// The deletion of an Employee waits for the steps before grace, and for no other.
func TestReleased(t *testing.T) {
	for _, offers := range [][]directory.DutyOffer{withRemoval, afterRemoval} {
		s := beforeRemoval(offers)
		s.progress.Steps[leaving.Grace] = leaving.Waiting
		if !leaving.Released(s.progress, offers) {
			t.Error("everything before grace is over, and it is not released")
		}
		for _, step := range leaving.Order(offers) {
			if step == leaving.Grace {
				break
			}
			was := s.progress.Steps[step]
			s.progress.Steps[step] = leaving.Running
			if leaving.Released(s.progress, offers) {
				t.Errorf("released before %s is over", step)
			}
			s.progress.Steps[step] = was
		}
	}
}

// row is one situation, told from that of somebody of whom all is done but the removal.
type row struct {
	name   string
	offers []directory.DutyOffer
	// open are steps that are not over.
	open   []leaving.Step
	change func(*situation)
	want   leaving.Act
	// hold is the reason for holding, at the step at.
	hold string
	at   leaving.Step
	// settles is how a step is settled on the way, as "Step State".
	settles string
	over    bool
}

func TestNext(t *testing.T) {
	for _, rows := range [][]row{accessRows, stepRows, removalRows, cancelRows} {
		for _, r := range rows {
			t.Run(r.name, func(t *testing.T) { try(t, r) })
		}
	}
}

func try(t *testing.T, r row) {
	t.Helper()
	s := beforeRemoval(r.offers)
	for _, step := range r.open {
		delete(s.progress.Steps, step)
	}
	if r.change != nil {
		r.change(&s)
	}
	d := leaving.Next(s.terms, s.progress, s.facts)
	reason := ""
	if d.Hold != nil {
		reason = d.Hold.Reason
	}
	if d.Act != r.want || reason != r.hold || d.Over != r.over || r.at != "" && d.Step != r.at {
		t.Errorf("act %q at %q, hold %q, over %v; want %q at %q, %q, %v", d.Act, d.Step, reason, d.Over, r.want, r.at, r.hold, r.over)
	}
	var settled []string
	for _, one := range d.Settled {
		settled = append(settled, string(one.Step)+" "+string(one.State))
	}
	if r.settles != "" && !slices.Contains(settled, r.settles) {
		t.Errorf("settled %q, want %s", settled, r.settles)
	}
}

func usable(s *situation) { s.facts.Account = &directory.Account{ID: "E0001", State: directory.Active} }

func gone(s *situation) { s.facts.Account, s.facts.Absent = nil, true }

// removed is somebody whose account is gone because we asked for it.
func removed(s *situation) {
	gone(s)
	s.progress.RemovalAsked = true
}

var accessRows = []row{
	{name: "P2: access first", open: steps, change: usable, want: leaving.ActFreeze, at: leaving.Freeze},
	{name: "P2: frozen already", open: []leaving.Step{leaving.Freeze}, settles: "Freeze Done", want: leaving.ActRemove},
	{name: "P2: given back by hand", change: usable, want: leaving.ActFreeze, at: leaving.Freeze},
	{name: "P2: cannot be frozen, kept until grace ends", open: []leaving.Step{leaving.Freeze, leaving.Grace}, change: func(s *situation) {
		usable(s)
		s.facts.CanFreeze, s.progress.GraceEnds = false, time.Time{}
	}, settles: "Freeze Skipped", want: leaving.ActBeginGrace, at: leaving.Grace},
	{name: "P2: cannot be frozen, removed early", open: []leaving.Step{leaving.Freeze, leaving.Grace}, change: func(s *situation) {
		usable(s)
		s.facts.CanFreeze, s.progress.GraceEnds, s.terms.RemoveEarly = false, time.Time{}, true
	}, settles: "Grace Skipped", want: leaving.ActRemove},
	{name: "removed early, but not before its backup", open: []leaving.Step{leaving.Freeze, leaving.Backup, leaving.Grace}, change: func(s *situation) {
		usable(s)
		s.facts.CanFreeze, s.terms.RemoveEarly, s.facts.Backup = false, true, leaving.BackupRunning
	}, hold: leaving.WaitingForBackup, at: leaving.Backup},
	{name: "P6: held", open: steps, change: func(s *situation) {
		usable(s)
		s.facts.Held = &leaving.Hold{Reason: "RemovalLimitReached"}
	}, hold: "RemovalLimitReached", at: leaving.Freeze},
	{name: "P5: nobody looked yet", open: steps, change: func(s *situation) { s.facts.Listed, s.facts.Account = false, nil }, hold: leaving.WaitingForAccount},
	{name: "P5: not in the listing", open: steps, change: func(s *situation) { s.facts.Account = nil }, want: leaving.ActConfirm, at: leaving.Freeze},
	{name: "P5: written to", open: steps, change: func(s *situation) { s.facts.Doubtful = true }, want: leaving.ActConfirm},
	{name: "vanished", open: steps, change: gone, settles: "DeleteAccount Skipped", want: leaving.ActResidual, at: leaving.ResidualCheck},
	{name: "P4: not ours", open: steps, change: func(s *situation) { s.facts.Owned = false }, settles: "DeleteAccount Skipped", over: true},
	{name: "P4: somebody else's by now", change: func(s *situation) { s.facts.Claimant = "zhao-lei" }, hold: leaving.DataConflict},
}

var stepRows = []row{
	{name: "backup is made", open: []leaving.Step{leaving.Backup}, change: func(s *situation) { s.facts.Backup = leaving.BackupAbsent }, want: leaving.ActBackup, at: leaving.Backup},
	{name: "backup fails", open: []leaving.Step{leaving.Backup}, change: func(s *situation) { s.facts.Backup = leaving.BackupFailed }, hold: leaving.BackupNotVerified, at: leaving.Backup},
	{name: "no backup is wanted", open: []leaving.Step{leaving.Backup}, change: func(s *situation) { s.terms.Backup, s.facts.Backup = false, leaving.BackupAbsent }, settles: "Backup Skipped", want: leaving.ActRemove},
	{name: "P1: the backup is lost during grace", open: []leaving.Step{leaving.Grace}, change: func(s *situation) { s.facts.Backup = leaving.BackupAbsent }, want: leaving.ActBackup, at: leaving.Backup},
	{name: "P1: the archive is damaged after grace", change: func(s *situation) { s.facts.Backup = leaving.BackupFailed }, hold: leaving.BackupNotVerified, at: leaving.Backup},
	{name: "hand-over with the removal", offers: withRemoval, open: []leaving.Step{leaving.HandOver}, settles: "HandOver Done", want: leaving.ActRemove},
	{name: "hand-over by people", offers: withRemoval, open: []leaving.Step{leaving.HandOver}, change: func(s *situation) { s.facts.TasksOpen = []string{"dingtalk/HandOver"} }, hold: leaving.ManualTask, at: leaving.HandOver},
	{name: "people's work before the removal where the platform passes on after it", offers: afterRemoval, open: []leaving.Step{leaving.HandOver}, change: func(s *situation) { s.facts.TasksOpen = []string{"wecom/Calendars"} }, hold: leaving.ManualTask, at: leaving.DeleteAccount},
	{name: "passed on after the removal", offers: afterRemoval, change: removed, settles: "DeleteAccount Done", want: leaving.ActInherit, at: leaving.HandOver},
	{name: "the platform takes its time", offers: afterRemoval, change: func(s *situation) {
		removed(s)
		s.facts.Inheritance = &directory.Inheritance{Waiting: 2, Again: noon.Add(time.Hour)}
	}, hold: leaving.InheritanceWaiting, at: leaving.HandOver},
	{name: "asked again when it is time", offers: afterRemoval, change: func(s *situation) {
		removed(s)
		s.facts.Inheritance = &directory.Inheritance{Waiting: 2, Again: noon}
	}, want: leaving.ActInherit},
	{name: "all passed on", offers: afterRemoval, change: func(s *situation) {
		removed(s)
		s.facts.Inheritance = &directory.Inheritance{Done: 2}
	}, settles: "HandOver Done", want: leaving.ActResidual},
	{name: "nobody takes over", offers: afterRemoval, change: func(s *situation) {
		removed(s)
		s.facts.Successor = ""
	}, settles: "HandOver Skipped", want: leaving.ActResidual},
	{name: "roles are read first", open: []leaving.Step{leaving.RevokePermissions}, change: func(s *situation) { s.facts.RolesRead = false }, want: leaving.ActRevoke},
	{name: "roles are taken", open: []leaving.Step{leaving.RevokePermissions}, change: func(s *situation) { s.facts.RolesLeft = 1 }, want: leaving.ActRevoke},
	{name: "no roles there", open: []leaving.Step{leaving.RevokePermissions}, change: func(s *situation) { s.facts.CanRevoke = false }, settles: "RevokePermissions Skipped", want: leaving.ActRemove},
	{name: "notices", open: []leaving.Step{leaving.Notify}, change: func(s *situation) { s.facts.NoticesOpen = true }, want: leaving.ActNotify, at: leaving.Notify},
	{name: "skipped by the policy", open: []leaving.Step{leaving.Notify}, change: func(s *situation) {
		s.facts.NoticesOpen, s.terms.Skip = true, []leaving.Step{leaving.Notify}
	}, settles: "Notify Skipped", want: leaving.ActRemove},
	{name: "linked systems", open: []leaving.Step{leaving.UnlinkSystems}, settles: "UnlinkSystems Skipped", want: leaving.ActRemove},
	{name: "grace begins", open: []leaving.Step{leaving.Grace}, change: func(s *situation) { s.progress.GraceEnds = time.Time{} }, want: leaving.ActBeginGrace, at: leaving.Grace},
	{name: "during grace", open: []leaving.Step{leaving.Grace}, change: func(s *situation) { s.progress.GraceEnds = noon.Add(time.Second) }, hold: leaving.InGrace, at: leaving.Grace},
	{name: "grace ends", open: []leaving.Step{leaving.Grace}, change: func(s *situation) { s.progress.GraceEnds = noon }, settles: "Grace Done", want: leaving.ActRemove},
}

var removalRows = []row{
	{name: "removed", want: leaving.ActRemove, at: leaving.DeleteAccount},
	{name: "P7: the deletion is held", change: func(s *situation) { s.facts.DeletionHeld = &leaving.Hold{Reason: "ApprovalPending"} }, hold: "ApprovalPending", at: leaving.DeleteAccount},
	{name: "kept", change: func(s *situation) { s.terms.Delete = false }, settles: "DeleteAccount Skipped", want: leaving.ActResidual},
	{name: "kept, and nothing to pass on after", offers: afterRemoval, change: func(s *situation) { s.terms.Delete = false }, settles: "HandOver Skipped", want: leaving.ActResidual},
	{name: "P3: asked, and still there", change: func(s *situation) { s.progress.RemovalAsked = true }, want: leaving.ActRemove},
	{name: "P3: asked, and nobody knows", change: func(s *situation) { s.progress.RemovalAsked, s.facts.Doubtful = true, true }, want: leaving.ActConfirm},
	{name: "P3: asked, and gone", change: removed, settles: "DeleteAccount Done", want: leaving.ActResidual},
	{name: "something is left", change: func(s *situation) {
		removed(s)
		s.facts.ResidualsRead, s.facts.Residuals = true, []string{"a role"}
	}, hold: leaving.ResidualFound, at: leaving.ResidualCheck},
	{name: "nothing is left", change: func(s *situation) {
		removed(s)
		s.facts.ResidualsRead = true
	}, settles: "ResidualCheck Done", over: true},
}

// again is somebody who is declared again, with roles that were taken.
func again(s *situation) { s.facts.Cancelled, s.facts.RolesTaken = true, 1 }

var cancelRows = []row{
	{name: "declared again: roles are given back", change: again, want: leaving.ActRestore, at: leaving.RevokePermissions},
	{name: "declared again, nobody looked yet", change: func(s *situation) {
		again(s)
		s.facts.Listed, s.facts.Account = false, nil
	}, hold: leaving.WaitingForAccount},
	{name: "declared again, not in the listing", change: func(s *situation) {
		again(s)
		s.facts.Account = nil
	}, want: leaving.ActConfirm},
	{name: "declared again too late", change: func(s *situation) {
		again(s)
		removed(s)
	}, settles: "DeleteAccount Done", want: leaving.ActResidual},
	{name: "declared again, and the removal failed", change: func(s *situation) {
		again(s)
		s.progress.RemovalAsked = true
	}, want: leaving.ActRestore},
}

// Who is declared again, and lost no role, is let go at once; so is whose account is somebody else's by now (P4).
func TestCancelled(t *testing.T) {
	for name, change := range map[string]func(*situation){
		"no role was taken": func(s *situation) { s.facts.RolesTaken = 0 },
		"not ours":          func(s *situation) { s.facts.Owned = false },
		"somebody else's":   func(s *situation) { s.facts.Claimant = "zhao-lei" },
		"gone":              gone,
	} {
		s := beforeRemoval(byHand)
		again(&s)
		change(&s)
		if d := leaving.Next(s.terms, s.progress, s.facts); !d.Cancelled || d.Act != leaving.Nothing || d.Hold != nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
}
