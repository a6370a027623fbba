package crash

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/harness"
)

// TestCancelAtEveryStep: people are declared again at one moment after another of their leaving, before and after each kind of
// thing that it asks for, and in grace. They stay, with the account, the access, the departments and the role that they had.
func TestCancelAtEveryStep(t *testing.T) {
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			name := "cancel-" + platform
			tap, through := tapped(t, name)
			s := setUp(t, name, []string{platform}, wide, quietly, through)
			s.tap = tap
			const people = 120
			s.leavable(people, func(p *v1alpha1.OffboardingPolicy) { p.Spec.GraceSeconds = nil }) // a week
			events := s.cancelInGrace(firstLeaver)
			n, missed := firstLeaver, 0
			for _, what := range kinds(events) {
				for _, after := range []bool{false, true} {
					n++
					if !s.cancelAt(n, harness.Moment{What: what, Nth: 1, After: after}) {
						missed++
					}
					if t.Failed() {
						t.FailNow()
					}
				}
			}
			if tried := n - firstLeaver; missed > tried/4 {
				t.Errorf("%d of %d moments did not come again", missed, tried)
			}
			s.nobodyRemoved(0)
			s.recorded()
		})
	}
}

// place is what somebody has on the platform of a scene with one.
type place struct {
	world.User
	hasRole bool
}

func (s *scene) place(n int) place {
	s.Helper()
	tenant := s.tenants[s.accounts()[0]]
	holders := must(tenant.Holders(s.ctx, role))(s)
	return place{must(tenant.User(s.ctx, world.Number(n)))(s), slices.Contains(holders, world.Number(n))}
}

// cancelInGrace lets somebody leave until they are in grace, declares them again, and returns what happened until grace.
func (s *scene) cancelInGrace(n int) []harness.Event {
	s.Helper()
	before := s.place(n)
	s.tap.Reset()
	s.must(shared.Depart(s.ctx, s.namespace, n))
	s.eventually("they are in grace", func() error { return s.inGrace(n) })
	events := s.tap.Events()
	if now := s.place(n); now.hasRole || !now.Frozen || !before.hasRole {
		s.Errorf("in grace the person has %+v, and had %+v", now, before)
	}
	s.must(shared.Return(s.ctx, s.namespace, n))
	s.stays(n, "in grace", before)
	return events
}

// cancelAt declares somebody again at the moment of their leaving, and reports whether it came.
func (s *scene) cancelAt(n int, m harness.Moment) (came bool) {
	s.Helper()
	before := s.place(n)
	var failed error
	var departed atomic.Bool
	done := s.tap.Pause(m, func() {
		came = departed.Load() // else it is the end of what was before
		failed = shared.Return(s.ctx, s.namespace, n)
	})
	departed.Store(true)
	s.must(shared.Depart(s.ctx, s.namespace, n))
	s.eventually(fmt.Sprintf("person %d is declared again %s", n, m), func() error {
		select {
		case <-done:
			return failed
		default:
			return s.inGrace(n)
		}
	})
	s.tap.Reset()
	s.must(shared.Return(s.ctx, s.namespace, n)) // who was not yet
	s.stays(n, m.String(), before)
	select {
	case <-done:
		return came
	default: // it may come at this moment, and counts for nothing then
		return false
	}
}

// inGrace is an error until the last leaving of somebody waits for the end of grace. It does their manual tasks.
func (s *scene) inGrace(n int) error {
	all, err := shared.Leavings(s.ctx, s.namespace, n)
	if err != nil || len(all) == 0 {
		return fmt.Errorf("%d leavings: %w", len(all), err)
	}
	o := &all[len(all)-1]
	if err := shared.Confirm(s.ctx, o); err != nil {
		return err
	}
	if o.Status.State != v1alpha1.OffboardingGrace {
		return fmt.Errorf("it is %s, at %s: %s", o.Status.State, o.Status.Step, said(o))
	}
	return nil
}

// stays waits until somebody who was declared again is Ready and all their leavings are cancelled, and fails unless they have
// what they had.
func (s *scene) stays(n int, when string, before place) {
	s.Helper()
	s.eventually(fmt.Sprintf("person %d stays, who was declared again %s", n, when), func() error {
		e := s.employee(n)
		if ready, why := world.Stand(e); !ready {
			return errors.New(why)
		}
		for _, o := range s.leavings(n) {
			if ready, why := world.Stand(&o); !ready || o.Status.State != v1alpha1.OffboardingCancelled {
				return fmt.Errorf("the leaving is %s: %s; %s", o.Status.State, why, said(&o))
			}
		}
		if now := s.place(n); fmt.Sprintf("%+v", now) != fmt.Sprintf("%+v", before) {
			return fmt.Errorf("the person has %+v, and had %+v", now, before)
		}
		return nil
	})
}
