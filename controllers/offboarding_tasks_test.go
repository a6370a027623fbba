package controllers

import (
	"testing"
	"time"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/leaving"
)

// TestP3ARefusalAfterACrashIsNoProofThatNothingWasSent: a notice begins anew only if nobody can have sent it before, or it
// would be sent once more when the platform does not know it again.
func TestP3ARefusalAfterACrashIsNoProofThatNothingWasSent(t *testing.T) {
	for name, c := range map[string]struct {
		crash, asked bool
		kept         int
	}{
		"refused at once":                   {false, false, 0},
		"refused after an answer was lost":  {false, true, 1},
		"refused after the manager crashed": {true, false, 1},
		"refused after both":                {true, true, 1},
	} {
		a := &departure{
			scope: &offboardingScope{ob: &v1alpha1.Offboarding{}, now: time.Now()}, spec: &v1alpha1.OffboardingAccount{Name: "wecom"},
			status: &v1alpha1.OffboardingAccountStatus{}, known: &found{}, notice: &v1alpha1.Notice{To: v1alpha1.NoticeManager},
		}
		a.sending()
		if c.crash {
			a.known = &found{}
		}
		a.notified(&execute.Outcome{
			Left: &execute.Left{Departure: execute.Departure{Act: leaving.ActNotify, Notice: "Manager"}}, Asked: c.asked,
			Err: &directory.Error{Class: directory.RateLimited},
		})
		if len(a.status.Notices) != c.kept {
			t.Errorf("%s: %+v, want %d", name, a.status.Notices, c.kept)
		}
	}
}
