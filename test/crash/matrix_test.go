package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/harness"
)

// moments is how many moments of a leaving the matrix tries on a platform: before and after the first of every kind of event, and
// others by chance up to this number. ROLLCALL_MATRIX=all tries every one.
const moments = 66

// companies of a platform share the moments between them: they wait most of the time.
const companies = 3

// matrix is what the companies of one platform share.
type matrix struct {
	chance *rand.Rand
	next   atomic.Int64

	once   sync.Once
	events []harness.Event
	plan   []harness.Moment

	mu     sync.Mutex
	struck map[harness.Moment]bool // by kind and side
}

// TestP1P2P3P4P8EveryMomentOfOneLeaving: one leaving with all that it may have is recorded. Then person after person leaves,
// and the manager dies once in each leaving: before or after one of the calls to the platform, the writes to the API server or the
// writes to the storage. Started again, it ends the leaving, and every promise was kept with that person. ROLLCALL_SEED repeats
// a choice.
func TestP1P2P3P4P8EveryMomentOfOneLeaving(t *testing.T) {
	seed := seeded(t)
	for _, platform := range both {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			m, began := &matrix{chance: rand.New(rand.NewPCG(seed, seed)), struck: map[harness.Moment]bool{}}, time.Now()
			t.Run("", func(t *testing.T) {
				for i := range companies {
					t.Run(fmt.Sprint(i), func(t *testing.T) {
						name := fmt.Sprintf("p1-matrix-%s-%d", platform, i)
						tap, through := tapped(t, name)
						s := setUp(t, name, []string{platform}, wide, quietly, through)
						s.tap = tap
						s.everyMoment(m)
					})
				}
			})
			m.check(t)
			t.Logf("%d leavings took %s", len(m.plan), time.Since(began).Round(time.Second))
		})
	}
}

// check fails unless the manager died before and after every kind of event of a leaving.
func (m *matrix) check(t *testing.T) {
	t.Helper()
	if tried := int(m.next.Load()); tried < len(m.plan) {
		t.Errorf("%d of %d moments were tried: nobody was left to leave", tried, len(m.plan))
	}
	for _, what := range kinds(m.events) {
		for _, after := range []bool{false, true} {
			if moment := (harness.Moment{What: what, After: after}); ofALeaving(what) && !m.struck[moment] {
				t.Errorf("the manager never died %s", moment)
			}
		}
	}
}

// ofALeaving reports whether an event belongs to a leaving: others happen beside it, or not.
func ofALeaving(what string) bool {
	for _, beside := range []string{"offboardingpolicies", "backupstorages", "enterpriseaccounts", "departments", "oken"} {
		if strings.Contains(what, beside) {
			return false
		}
	}
	return true
}

// everyMoment tries moments until none is left.
func (s *scene) everyMoment(m *matrix) {
	s.Helper()
	most := moments
	if everything() {
		most = 160
	}
	leavers := most * 2 / companies
	s.leavable(leavers)
	n := firstLeaver
	events := s.record(n)
	m.once.Do(func() {
		m.events, m.plan = events, choose(m.chance, events)
		s.Logf("one leaving has %d events of %d kinds; %d moments are tried", len(m.events), len(kinds(m.events)), len(m.plan))
	})
	for range leavers - 1 { // on a busy machine one company may have begun long before the others: it leaves them the rest
		i := int(m.next.Add(1)) - 1
		if i >= len(m.plan) {
			return
		}
		n++
		moment := m.plan[i]
		if s.dieAt(moment, n) {
			m.mu.Lock()
			m.struck[harness.Moment{What: moment.What, After: moment.After}] = true
			m.mu.Unlock()
		}
		if s.Failed() {
			s.Fatalf("with person %d, who left while the manager died %s", n, moment)
		}
	}
}

func everything() bool { return os.Getenv("ROLLCALL_MATRIX") == "all" }

// record lets somebody leave while nobody dies, and returns what happened.
func (s *scene) record(n int) []harness.Event {
	s.Helper()
	x := s.witnesses()
	s.tap.Reset()
	s.must(shared.Depart(s.ctx, s.namespace, n))
	s.eventually("they have left", func() error { return s.complete(n) })
	events := s.tap.Events()
	s.kept(x, n)
	return events
}

func kinds(events []harness.Event) (all []string) {
	for _, e := range events {
		if !slices.Contains(all, e.What) {
			all = append(all, e.What)
		}
	}
	return all
}

// choose chooses moments of a leaving with these events: before and after each, or, unless all are asked for, before and after
// the first of each kind, and others by chance.
func choose(chance *rand.Rand, events []harness.Event) (plan []harness.Moment) {
	total := map[string]int{}
	var all []harness.Moment
	for _, e := range events {
		total[e.What]++
		for _, after := range []bool{false, true} {
			all = append(all, harness.Moment{What: e.What, Nth: total[e.What], After: after})
		}
	}
	if everything() {
		return all
	}
	var rest []harness.Moment
	for _, m := range all {
		if m.Nth == 1 {
			plan = append(plan, m)
		} else {
			rest = append(rest, m)
		}
	}
	chance.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	return append(plan, rest[:min(len(rest), max(0, moments-len(plan)))]...)
}

// dieAt lets somebody leave while the manager dies at the moment, and reports whether it came. Kinds of events are as many in
// each leaving only as far as nothing happens at once, and a death may come late, when the next has begun to leave.
func (s *scene) dieAt(m harness.Moment, n int) bool {
	s.Helper()
	x := s.witnesses()
	died := s.tap.Kill(m, s.manager)
	s.must(shared.Depart(s.ctx, s.namespace, n))
	dead := false
	s.eventually(fmt.Sprintf("person %d has left, or the manager has died %s", n, m), func() error {
		select {
		case <-s.manager.Done():
			dead = true
			return nil
		default:
			return s.complete(n)
		}
	})
	if dead {
		if err := s.manager.Wait(s.ctx); err == nil || !strings.Contains(err.Error(), "killed") {
			s.Fatalf("the manager ended by itself: %v", err)
		}
		s.start()
	} else {
		s.tap.Reset()
	}
	s.eventually(fmt.Sprintf("person %d has left, whose manager died %s", n, m), func() error { return s.complete(n) })
	s.kept(x, n)
	select {
	case <-died:
		return true
	default:
		return false
	}
}
