package execute_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
)

// company is one declared person, from the record to the platform: what the
// controllers do, without Kubernetes.
type company struct {
	*scene
	wish   plan.Wish
	record plan.Record
}

// round plans, keeps the record, acts and keeps the outcome. A crash after the
// act loses the outcome and all that was seen.
func (c *company) round(crash bool) plan.Plan {
	caps := c.Capabilities()
	state := c.seen.State()
	f := plan.Facts{
		Capabilities: caps, Listed: state.Listed, Complete: state.Complete(),
		Account: c.seen.Account("E1"), Absent: c.seen.Absent("E1"), Doubtful: c.seen.Doubtful("E1"),
	}
	p := plan.For(c.wish, c.record, f)
	c.record = p.Record
	o := execute.Account(c.Context(), c.Fake, c.seen, p, execute.By{})
	if crash {
		c.seen = begin(c.T, caps).seen
		c.list()
		return p
	}
	if o.Created {
		c.record.Origin = plan.Created
	}
	c.record.Invited = c.record.Invited || o.Invited
	if o.Err == nil && (slices.Contains(o.Done, plan.Create) || slices.Contains(o.Done, plan.Update)) {
		if c.record.Applied != c.wish.Version {
			c.record.Ignored = 0
		}
		c.record.Applied = c.wish.Version
		c.record.Ignored |= o.Ignored
	}
	return p
}

func (c *company) list() {
	if _, err := c.seen.Refresh(c.Context(), c.Fake); err != nil {
		c.Fatal(err)
	}
}

var troubles = []directorytest.Fault{
	{}, {}, directorytest.Lost(), directorytest.Refused(directory.OutcomeUnknown),
	directorytest.Refused(directory.Unavailable), directorytest.Refused(directory.RateLimited),
}

// FuzzP3PlannedAndCarriedOut: whatever the platform answers on the way, and
// wherever the process dies, there is one account in the end, as declared, and
// the plan says so.
func FuzzP3PlannedAndCarriedOut(f *testing.F) {
	chance := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		b := make([]byte, 80)
		for i := range b {
			b[i] = byte(chance.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		next := func(limit int) int {
			if len(b) == 0 {
				return 0
			}
			n := int(b[0]) % limit
			b = b[1:]
			return n
		}
		c := &company{scene: begin(t, open())}
		c.wish = plan.Wish{ID: "E1", Type: directory.Ordinary, State: directory.Active, Profile: person("工程师"), Adoption: plan.Review, Version: "1"}
		c.list()
		for range 6 {
			for _, method := range []string{"CreateAccount", "UpdateAccount", "Freeze", "Unfreeze", "Account", "FindByMobile"} {
				c.Every(method, troubles[next(len(troubles))])
			}
			c.round(next(4) == 1)
			if next(3) == 1 {
				c.wish.State = []directory.State{directory.Active, directory.Frozen}[next(2)]
				c.wish.Profile.Title = []string{"工程师", "总监"}[next(2)]
				c.wish.Version += "+"
			}
		}
		for _, method := range []string{"CreateAccount", "UpdateAccount", "Freeze", "Unfreeze", "Account", "FindByMobile"} {
			c.Every(method, directorytest.Fault{})
		}
		c.wish.State = directory.Active
		var p plan.Plan
		for range 8 {
			c.list()
			p = c.round(false)
		}
		a := c.Really("E1")
		if !p.InSync() || a == nil {
			t.Fatalf("not in sync: %+v, record %+v, really %+v", p, c.record, a)
		}
		if differ, _ := directory.Differ(&c.wish.Profile, &a.Profile); differ != 0 || a.State != directory.Active {
			t.Errorf("in sync, and in fact {%s} differ, %s", differ, a.State)
		}
		before := len(c.Calls())
		for range 3 {
			c.round(false)
		}
		if len(c.Calls()) != before {
			t.Errorf("P13: at rest, and it calls %v", c.Calls()[before:])
		}
	})
}
