package mirror_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/mirror"
)

// naive is what a mirror should know, kept the slow way: everything that was
// ever told of each id, with when it was told.
type naive struct {
	told  map[string]fact
	clock int
}

type fact struct {
	account *directory.Account // nil: not there
	at      int                // of a direct reading; 0 from a listing
	absent  int                // when a direct reading did not find it; 0 never
	doubt   int                // when a write began that was not read since; 0 never
}

func (n *naive) tell(id string, change func(*fact)) {
	n.clock++
	k := strings.ToLower(id)
	f := n.told[k]
	change(&f)
	n.told[k] = f
}

func (n *naive) put(a directory.Account) {
	n.tell(a.ID, func(f *fact) { *f = fact{account: &a, at: n.clock} })
}

func (n *naive) forget(id string) {
	n.tell(id, func(f *fact) { *f = fact{absent: n.clock} })
}

func (n *naive) trust(id string) {
	n.tell(id, func(f *fact) { f.doubt = 0 })
}

func (n *naive) doubt(id string) {
	n.tell(id, func(f *fact) { f.doubt = n.clock })
}

// merge takes in a listing that began at the clock.
func (n *naive) merge(listed []directory.Account, began int, complete bool) {
	seen := map[string]bool{}
	for _, a := range listed {
		k := strings.ToLower(a.ID)
		seen[k] = true
		if f := n.told[k]; f.at <= began && f.absent <= began && f.doubt <= began {
			n.told[k] = fact{account: &a, doubt: f.doubt}
		}
	}
	for k, f := range n.told {
		if complete && !seen[k] && f.at <= began && f.doubt <= began {
			n.told[k] = fact{absent: f.absent, doubt: f.doubt}
		}
	}
}

// compare fails where the mirror says anything else.
func (n *naive) compare(t *testing.T, m *mirror.Mirror, ids, numbers []string) {
	t.Helper()
	there := 0
	for _, id := range ids {
		f := n.told[strings.ToLower(id)]
		got := m.Account(id)
		if (got == nil) != (f.account == nil) || got != nil && (got.ID != f.account.ID || got.State != f.account.State || got.Profile.Number != f.account.Profile.Number) {
			t.Fatalf("%s is %+v, want %+v", id, got, f.account)
		}
		if m.Absent(id) != (f.absent > 0) || m.Doubtful(id) != (f.doubt > 0) {
			t.Fatalf("%s: absent %t, doubtful %t, want %+v", id, m.Absent(id), m.Doubtful(id), f)
		}
	}
	for _, f := range n.told {
		if f.account != nil {
			there++
		}
	}
	if s := m.State(); s.Accounts != there || len(slices.Collect(m.IDs())) != there {
		t.Fatalf("there are %d, want %d", s.Accounts, there)
	}
	for _, number := range numbers {
		want := map[string]bool{}
		for _, f := range n.told {
			if f.account != nil && f.account.Profile.Set.Has(directory.FieldNumber) && number != "" && strings.EqualFold(f.account.Profile.Number, number) {
				want[f.account.ID] = true
			}
		}
		got := map[string]bool{}
		for _, a := range m.Numbered(number) {
			got[a.ID] = true
		}
		if !maps.Equal(got, want) || len(m.Numbered(number)) != len(want) {
			t.Fatalf("%q is carried by %v, want %v", number, got, want)
		}
	}
}

// FuzzP5Histories: after any history of readings, doubts and listings, complete
// or not, with readings while a listing is under way, the mirror knows what the
// naive model knows.
func FuzzP5Histories(f *testing.F) {
	chance := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		b := make([]byte, 120)
		for i := range b {
			b[i] = byte(chance.Uint32())
		}
		f.Add(b)
	}
	ids := []string{"a", "b", "c", "d", "e"}
	numbers := []string{"", "E1", "e1", "E2"}
	f.Fuzz(func(t *testing.T, b []byte) {
		next := func(limit int) int {
			if len(b) == 0 {
				return 0
			}
			n := int(b[0]) % limit
			b = b[1:]
			return n
		}
		someone := func(id string) directory.Account {
			a := person(id, numbered(numbers[next(len(numbers))]))
			if next(2) == 1 {
				a.ID = strings.ToUpper(id)
			}
			if next(3) == 1 {
				a.Profile.Set = directory.FieldName
			}
			if next(2) == 1 {
				a.State = directory.Frozen
			}
			return a
		}
		m := mirror.New(capabilities(), time.Now)
		n := &naive{told: map[string]fact{}}
		step := func() {
			id := ids[next(len(ids))]
			switch next(4) {
			case 0:
				a := someone(id)
				m.Put(a)
				n.put(a)
			case 1:
				m.Forget(id)
				n.forget(id)
			case 2:
				m.Trust(id)
				n.trust(id)
			default:
				m.Doubt(id)
				n.doubt(id)
			}
		}
		for len(b) > 0 {
			if next(3) > 0 {
				step()
				n.compare(t, m, ids, numbers)
				continue
			}
			l := of(person("founder"))
			for _, id := range ids {
				if next(2) == 1 {
					l.l.Accounts = append(l.l.Accounts, someone(id))
				}
			}
			if next(2) == 1 {
				l.l.Gaps = []string{"a page is missing"}
			}
			began := n.clock
			l.meanwhile = func() {
				for range next(3) {
					step()
				}
			}
			changes, err := m.Refresh(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			before := maps.Clone(n.told)
			n.merge(l.l.Accounts, began, len(l.l.Gaps) == 0)
			n.compare(t, m, ids, numbers)
			n.minimal(t, before, changes.Accounts)
		}
	})
}

// minimal fails unless exactly those are said to have changed who did.
func (n *naive) minimal(t *testing.T, before map[string]fact, changed []string) {
	t.Helper()
	for k, f := range n.told {
		old := before[k].account
		same := old == nil && f.account == nil || old != nil && f.account != nil && old.ID == f.account.ID &&
			old.State == f.account.State && old.Profile.Set == f.account.Profile.Set && old.Profile.Number == f.account.Profile.Number
		said := slices.ContainsFunc(changed, func(id string) bool { return strings.EqualFold(id, k) })
		if same == said {
			t.Fatalf("%s changed from %+v to %+v, said %v", k, old, f.account, changed)
		}
	}
}
