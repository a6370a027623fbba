package leaving_test

import (
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/leaving"
)

// Each guard holds alone: though all that comes before it in Next were gone.
func TestGuards(t *testing.T) {
	hold := &leaving.Hold{Reason: "ApprovalPending", Message: "somebody has to decide"}
	for _, offers := range [][]directory.DutyOffer{withRemoval, afterRemoval, byHand} {
		if s := beforeRemoval(offers); leaving.Removable(s.terms, s.progress, s.facts) != nil {
			t.Error("nothing is against it, and it is not removable")
		}
		for name, change := range map[string]func(*situation){
			"P1: no verified backup":       func(s *situation) { s.facts.Backup = leaving.BackupRunning },
			"P1: nobody recorded a backup": func(s *situation) { s.progress.Steps[leaving.Backup] = leaving.Skipped },
			"P2: not frozen":               usable,
			"P2: nobody tried to freeze":   func(s *situation) { delete(s.progress.Steps, leaving.Freeze) },
			"P4: not ours":                 func(s *situation) { s.facts.Owned = false },
			"P4: somebody else's":          func(s *situation) { s.facts.Claimant = "zhao-lei" },
			"P5: nobody looked":            func(s *situation) { s.facts.Listed = false },
			"P5: not seen":                 func(s *situation) { s.facts.Account = nil },
			"P5: written to":               func(s *situation) { s.facts.Doubtful = true },
			"P6: held":                     func(s *situation) { s.facts.Held = hold },
			"P7: the deletion is held":     func(s *situation) { s.facts.DeletionHeld = hold },
			"declared again":               func(s *situation) { s.facts.Cancelled = true },
			"a task is open":               func(s *situation) { s.facts.TasksOpen = []string{"wecom/HandOver"} },
			"nobody was told":              func(s *situation) { s.progress.Steps[leaving.Notify] = leaving.Running },
			"during grace":                 func(s *situation) { s.progress.Steps[leaving.Grace] = leaving.Waiting },
			"grace skipped for somebody who was frozen": func(s *situation) {
				s.progress.Steps[leaving.Grace], s.terms.RemoveEarly = leaving.Skipped, true
			},
			"grace skipped by nobody's will": func(s *situation) {
				s.progress.Steps[leaving.Grace], s.progress.Steps[leaving.Freeze], s.facts.CanFreeze = leaving.Skipped, leaving.Skipped, false
			},
		} {
			s := beforeRemoval(offers)
			change(&s)
			if leaving.Removable(s.terms, s.progress, s.facts) == nil {
				t.Errorf("%s, and it is removable", name)
			}
		}
	}
}
