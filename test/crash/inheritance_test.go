package crash

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/harness"
	"rollcall.dev/rollcall/test/simulator/core"
)

// TestP3InheritanceSurvivesRestarts: WeCom passes customers and their chats on only after the removal, and takes a day. The manager
// dies before and after each call of it, is started again a day later, and every customer and chat ends with the successor,
// passed on once.
func TestP3InheritanceSurvivesRestarts(t *testing.T) {
	const name = "p3-inherit"
	t.Parallel()
	simulator, err := shared.StartSimulator(t.Context(), "--unlimited") // its clock is ours alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(simulator.Stop)
	tap, through := tapped(t, name)
	s := newScene(t, name).openOn(simulator, []string{world.WeCom}, wide, quietly, through)
	s.tap = tap
	var plan []harness.Moment
	for _, operation := range []string{"resigned/transfer_customer", "resigned/transfer_result", "groupchat/transfer", "get_unassigned_list"} {
		for _, after := range []bool{false, true} {
			plan = append(plan, harness.Moment{What: "POST /cgi-bin/externalcontact/" + operation, Nth: 1, After: after})
		}
	}
	s.leavable(len(plan))
	tenant := s.tenants[world.WeCom]
	for i := range plan {
		n := firstLeaver + i
		for c := range 3 {
			s.must(tenant.GiveCustomer(s.ctx, world.Customer{ID: fmt.Sprintf("wm%d-%d", n, c), UserID: world.Number(n)}, false))
		}
		s.must(tenant.GiveChat(s.ctx, fmt.Sprintf("wr%d", n), world.Number(n)))
	}
	for i, m := range plan {
		s.inherited(firstLeaver+i, m, simulator)
	}
}

// inherited lets somebody leave, with the manager dying at the moment and again a day later.
func (s *scene) inherited(n int, m harness.Moment, simulator *world.Simulator) {
	s.Helper()
	x := s.witnesses()
	died := s.tap.Kill(m, s.manager)
	s.must(shared.Depart(s.ctx, s.namespace, n))
	s.eventually("the manager dies "+m.String(), func() error {
		select {
		case <-died:
			return nil
		default:
		}
		err := s.complete(n)
		if err == nil {
			s.Fatalf("person %d has left without it", n)
		}
		return err
	})
	s.start()
	s.eventually("all is under way on the platform", func() error {
		if o := s.handedOver(n); len(o) < 4 {
			return fmt.Errorf("only %+v: %w", o, s.complete(n))
		}
		return nil
	})
	s.manager.Kill()
	s.must(simulator.Pass(s.ctx, 25*time.Hour))
	s.start()
	s.eventually(fmt.Sprintf("person %d has left, whose manager died %s", n, m), func() error { return s.complete(n) })
	s.kept(x, n)
	seen := map[string]bool{}
	for _, o := range s.handedOver(n) {
		id := fmt.Sprint(o.Items)
		if seen[id] || o.State != core.HandedOver || o.To != world.Number(successor) {
			s.Errorf("%s %s went to %s: %s, want it done once", o.What, id, o.To, o.State)
		}
		seen[id] = true
	}
	if len(seen) != 4 {
		s.Errorf("of person %d, %v were passed on", n, seen)
	}
}

// handedOver is what went from somebody to others on WeCom, or is on its way.
func (s *scene) handedOver(n int) []core.HandOver {
	s.Helper()
	left := must(s.tenants[world.WeCom].Left(s.ctx))(s)
	i := slices.IndexFunc(left, func(l core.Left) bool { return l.ID == world.Number(n) })
	if i < 0 {
		return nil
	}
	return left[i].HandedOver
}

// TestP2LeavingOutranksImport: amid an import that keeps the tenant busy for long, whoever leaves loses access before everybody
// who waits to be made.
func TestP2LeavingOutranksImport(t *testing.T) {
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			s := setUp(t, "p2-import-"+platform, []string{platform}, wide, unhurried)
			tenant := s.tenants[platform]
			s.leavable(1)
			const more = 200
			var crowd []*v1alpha1.Employee
			for n := 100; n < 100+more; n++ {
				crowd = append(crowd, world.Person(s.namespace, n, "rd", platform))
			}
			begun := s.last()
			s.apply(world.Objects(crowd)...)
			s.eventually("the import is under way", func() error {
				return s.has(10, begun, func(c core.Entry) bool { return is(c, "user/create") })
			})
			since := s.last()
			s.must(shared.Depart(s.ctx, s.namespace, firstLeaver))
			s.eventually("the person is frozen", func() error {
				return s.has(1, since, func(c core.Entry) bool { return s.freezes(c, firstLeaver) })
			})
			ahead := slices.IndexFunc(s.calls(tenant, core.Query{Since: since}), func(c core.Entry) bool { return s.freezes(c, firstLeaver) })
			// A few seconds' worth, of the minute and more that wait.
			if ahead > 20 {
				t.Errorf("%d calls went before the freeze", ahead)
			}
			if created := must(tenant.Created(s.ctx))(s); len(created) > more*3/4 {
				t.Fatalf("the import was over: %d were created, so this proves nothing", len(created))
			}
		})
	}
}
