package crash

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// span are the numbers of so many people, from the first who may leave.
func span(people int) (all []int) {
	for n := range people {
		all = append(all, firstLeaver+n)
	}
	return all
}

// left waits until they all have left, doing their manual tasks.
func (s *scene) left(people ...int) {
	s.Helper()
	waiting := people
	s.eventually(fmt.Sprintf("%d people have left", len(people)), func() error {
		var still []int
		var why error
		for _, n := range waiting {
			if err := s.complete(n); err != nil {
				still, why = append(still, n), err
			}
		}
		waiting = still
		if why != nil {
			why = fmt.Errorf("%d have not: %w", len(still), why)
		}
		return why
	})
}

// The changes that a leaving asks each platform for.
var leavingChanges = map[string][]string{
	world.DingTalk: {
		"orgAccounts/disable", "orgAccounts/signOut", "role/removerolesforemps", "corpconversation/asyncsend_v2", "processes/terminateAndHandOver",
	},
	world.WeCom: {"user/update", "tag/deltagusers", "message/send", "user/delete"},
}

// TestP3LostAnswersWhilePeopleLeave: the answer to every kind of change of a leaving is lost once before and once after it takes
// effect, and a gateway fails once. Everybody leaves, once, and is told once.
func TestP3LostAnswersWhilePeopleLeave(t *testing.T) {
	s := setUp(t, "p3-leave-lost", both, wide)
	const people = 4
	s.leavable(people)
	x := s.witnesses()
	var struck []string
	for platform, changes := range leavingChanges {
		for _, operation := range changes {
			for _, f := range []core.Fault{
				{Kind: core.KindDropAfter}, {Kind: core.KindDropBefore}, {Kind: core.KindHTTPStatus, HTTPStatus: http.StatusBadGateway},
			} {
				f.Operation, f.Times = operation, 1
				struck = append(struck, s.fault(s.tenants[platform], f))
			}
		}
	}
	s.must(shared.Depart(s.ctx, s.namespace, span(people)...))
	s.left(span(people)...)
	for _, id := range struck {
		if hits, left, err := shared.Simulator.Hits(s.ctx, id); err != nil || left {
			t.Errorf("the fault %s struck %d times only: %v", id, hits, err)
		}
	}
	s.kept(x, span(people)...)
}

// TestP3ThrottledWhilePeopleLeave: the platforms say "too fast" in the middle, DingTalk with 90018, WeCom with 45009, after which
// it closes the operation for a minute.
func TestP3ThrottledWhilePeopleLeave(t *testing.T) {
	s := setUp(t, "p3-leave-throttled", both, wide)
	const people = 6
	s.leavable(people)
	x := s.witnesses()
	for platform, changes := range leavingChanges {
		for i, operation := range changes {
			f := core.Fault{Kind: core.KindThrottle, Operation: operation, Skip: i, Times: 1}
			if platform == world.WeCom && operation != "user/delete" {
				f.Kind, f.Code = core.KindError, "45033" // 45009 would cost a minute each time
			}
			s.fault(s.tenants[platform], f)
		}
	}
	s.must(shared.Depart(s.ctx, s.namespace, span(people)...))
	s.left(span(people)...)
	s.kept(x, span(people)...)
}

// TestP3TokensExpireWhilePeopleLeave: the platforms take tokens back again and again.
func TestP3TokensExpireWhilePeopleLeave(t *testing.T) {
	s := setUp(t, "p3-leave-tokens", both, wide)
	const people = 8
	s.leavable(people)
	x := s.witnesses()
	credentials := map[string][]string{world.WeCom: {"sync", "app-rollcall"}, world.DingTalk: {"rollcall"}}
	revoked := 0
	for n := firstLeaver; n < firstLeaver+people; n++ {
		s.must(shared.Depart(s.ctx, s.namespace, n))
		for platform, tenant := range s.tenants {
			s.eventually("the person is frozen", func() error {
				if u, err := tenant.User(s.ctx, world.Number(n)); err == nil && !u.Frozen { // gone is fine, too
					return errors.New("they are not")
				}
				return nil
			})
			for _, credential := range credentials[platform] {
				if tenant.Revoke(s.ctx, credential) == nil { // one that was not used since has no token
					revoked++
				}
			}
		}
	}
	if revoked < people {
		t.Errorf("only %d tokens were taken back", revoked)
	}
	s.left(span(people)...)
	s.kept(x, span(people)...)
}

// TestP1StorageOutageWhilePeopleLeave: while archives cannot be written people lose access, and nobody is removed, however often
// the manager tries. Once they can, everybody leaves.
func TestP1StorageOutageWhilePeopleLeave(t *testing.T) {
	s := setUp(t, "p1-leave-outage", both, wide)
	const people = 3
	s.leavable(people)
	x := s.witnesses()
	folder := filepath.Join(shared.Archives(), s.namespace)
	aside := folder + "-aside"
	s.must(os.Rename(folder, aside))
	s.must(os.WriteFile(folder, []byte("not a folder"), 0o600))
	s.must(shared.Depart(s.ctx, s.namespace, span(people)...))
	for platform, tenant := range s.tenants {
		for _, n := range span(people) {
			s.eventually("they are frozen, and wait for their backups", func() error {
				u, err := tenant.User(s.ctx, world.Number(n))
				if err != nil || !u.Frozen {
					return fmt.Errorf("on %s: %+v: %w", platform, u, err)
				}
				return s.waitsFor(n, v1alpha1.ReasonBackupFailed, v1alpha1.ReasonWaitingForBackup)
			})
		}
	}
	s.manager.Kill()
	s.start()
	s.readings(2)
	for _, w := range x {
		if err := w.Removed(s.ctx); err != nil {
			t.Error(err)
		}
	}
	s.must(os.Remove(folder))
	s.must(os.Rename(aside, folder))
	s.left(span(people)...)
	s.kept(x, span(people)...)
}

// waitsFor is an error unless every account of the last leaving of somebody gives one of these reasons for not going on.
func (s *scene) waitsFor(n int, reasons ...string) error {
	all, err := shared.Leavings(s.ctx, s.namespace, n)
	if err != nil || len(all) == 0 {
		return fmt.Errorf("%d leavings: %w", len(all), err)
	}
	o := &all[len(all)-1]
	if len(o.Status.Accounts) == 0 {
		return errors.New("nothing has begun")
	}
	for i := range o.Status.Accounts {
		a := &o.Status.Accounts[i]
		found := false
		for _, r := range reasons {
			found = found || a.Reason == r
		}
		if !found {
			return fmt.Errorf("%s says %q: %s", a.Name, a.Reason, a.Message)
		}
	}
	return nil
}

// TestP1TwoHundredLeaveUnderFaults: 200 people leave at once while every tenth call fails in some way. All leave, nobody without
// their archive, nobody twice. With -short they are fewer.
func TestP1TwoHundredLeaveUnderFaults(t *testing.T) {
	people := 200
	if testing.Short() {
		people = 40
	}
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			s := setUp(t, "p1-many-"+platform, []string{platform}, wide)
			s.patience *= 4
			s.leavable(people)
			x := s.witnesses()
			tenant := s.tenants[platform]
			for _, f := range []core.Fault{
				{Kind: core.KindDropAfter, Probability: 0.03},
				{Kind: core.KindDropBefore, Probability: 0.02},
				{Kind: core.KindHTTPStatus, HTTPStatus: http.StatusBadGateway, Probability: 0.03},
				{Kind: core.KindError, Code: "-1", Probability: 0.02},
			} {
				s.fault(tenant, f)
			}
			s.must(shared.Depart(s.ctx, s.namespace, span(people)...))
			s.left(span(people)...)
			s.kept(x, span(people)...)
		})
	}
}
