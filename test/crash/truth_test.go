package crash

import (
	"testing"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// TestP9SilentlyIgnoredWrite: a write that the platform accepts and does not make is found by reading back, said in words,
// not repeated for ever, and tried again when the declaration changes.
func TestP9SilentlyIgnoredWrite(t *testing.T) {
	s := setUp(t, "p9-ignored", both)
	s.people(2)
	s.start()
	s.allReady()
	field := map[string]string{world.WeCom: "position", world.DingTalk: "title"}
	var faults []string
	for platform, tenant := range s.tenants {
		faults = append(faults, s.fault(tenant, core.Fault{Kind: core.KindIgnoreField, Operation: "user/update", Field: field[platform]}))
	}
	s.edit(1, func(e *v1alpha1.Employee) { e.Spec.Title = "首席工程师" })
	for platform := range s.tenants {
		s.says(1, platform, v1alpha1.ReasonWriteIgnored)
	}
	since := s.last()
	s.readings(2)
	for platform := range s.tenants {
		if st := on(s.employee(1), platform); st.Reason != v1alpha1.ReasonWriteIgnored || len(st.IgnoredFields) != 1 || st.IgnoredFields[0] != "title" {
			t.Errorf("on %s: %q, ignored %v: %s", platform, st.Reason, st.IgnoredFields, st.Message)
		}
	}
	s.noWrites(since)
	if ready, _ := world.Stand(s.employee(1)); ready {
		t.Error("Ready, although the title is not as declared")
	}
	for _, id := range faults {
		s.heal(id)
	}
	s.edit(1, func(e *v1alpha1.Employee) { e.Spec.Title = "资深工程师" })
	s.allReady()
	s.exact()
}

// TestP9DriftIsHealed: what somebody changes by hand is seen, and made as declared again.
func TestP9DriftIsHealed(t *testing.T) {
	s := setUp(t, "p9-drift", both)
	s.people(3)
	s.start()
	s.allReady()
	for _, tenant := range s.tenants {
		s.must(tenant.EditTitle(s.ctx, world.Number(1), "首席摸鱼官"))
	}
	s.exact()
	s.allReady()
	for _, tenant := range s.tenants {
		updates := 0
		for _, c := range s.calls(tenant, core.Query{Operation: "user/update"}) {
			updates++
			if c.Subject != world.Number(1) {
				t.Errorf("somebody who did not drift was written to: %s", c.Subject)
			}
		}
		if updates != 1 {
			t.Errorf("%d updates healed one drift on %s", updates, tenant.Platform)
		}
	}
}
