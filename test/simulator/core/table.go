package core

import (
	"iter"
	"sort"
	"sync"
	"time"
)

// keepWrites is how many writes back a table can be read as it was, when no
// fault pins an older moment.
const keepWrites = 20_000

// View is a moment in the life of a journal.
type View uint64

// Live is now.
const Live View = 0

// Journal counts the writes to the tables of one tenant, so that all of them can
// be read as of the same moment.
type Journal struct {
	clock *Clock

	mu    sync.Mutex
	seq   uint64
	times []time.Time // of the last writes; times[len-1] is that of seq
	pins  map[View]int
}

func newJournal(clock *Clock) *Journal {
	return &Journal{clock: clock, seq: 1, pins: map[View]int{}}
}

// tick counts a write; versions older than floor are no longer needed.
func (j *Journal) tick() (seq, floor uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	j.times = append(j.times, j.clock.Now())
	if len(j.times) > 2*keepWrites {
		j.times = append([]time.Time(nil), j.times[keepWrites:]...)
	}
	if j.seq > keepWrites {
		floor = j.seq - keepWrites
	}
	for v := range j.pins {
		floor = min(floor, uint64(v))
	}
	return j.seq, floor
}

// Now names the present moment, to read it again later.
func (j *Journal) Now() View {
	j.mu.Lock()
	defer j.mu.Unlock()
	return View(j.seq)
}

func (j *Journal) pin() View {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := View(j.seq)
	j.pins[v]++
	return v
}

func (j *Journal) unpin(v View) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.pins[v]--; j.pins[v] <= 0 {
		delete(j.pins, v)
	}
}

// before is the moment n writes ago.
func (j *Journal) before(n int) View {
	j.mu.Lock()
	defer j.mu.Unlock()
	if uint64(n) >= j.seq {
		return 1 // nothing had been written yet
	}
	return View(j.seq - uint64(n))
}

// asOf is the moment at time t.
func (j *Journal) asOf(t time.Time) View {
	j.mu.Lock()
	defer j.mu.Unlock()
	later := len(j.times) - sort.Search(len(j.times), func(i int) bool { return j.times[i].After(t) })
	return View(j.seq - uint64(later))
}

// Table is a set of rows by key, in the order in which they were added. Rows
// are immutable values: to change one, put another. The caller locks.
type Table[V any] struct {
	journal *Journal
	rows    map[string]*row[V]
	order   []*row[V]
	size    int
}

type row[V any] struct {
	key      string
	versions []version[V]
}

type version[V any] struct {
	seq   uint64
	value *V // nil: deleted
}

// NewTable makes an empty table that counts its writes in j.
func NewTable[V any](j *Journal) *Table[V] {
	return &Table[V]{journal: j, rows: map[string]*row[V]{}}
}

// Len is the number of rows now.
func (t *Table[V]) Len() int { return t.size }

// Get gives the row as of a moment.
func (t *Table[V]) Get(key string, at View) (v V, ok bool) {
	r := t.rows[key]
	if r == nil {
		return v, false
	}
	p := r.at(at)
	if p == nil {
		return v, false
	}
	return *p, true
}

// All gives the rows as of a moment.
func (t *Table[V]) All(at View) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, r := range t.order {
			if p := r.at(at); p != nil && !yield(r.key, *p) {
				return
			}
		}
	}
}

// Put adds or replaces a row.
func (t *Table[V]) Put(key string, v V) {
	r := t.rows[key]
	if r == nil {
		r = &row[V]{key: key}
		t.rows[key] = r
		t.order = append(t.order, r)
	}
	if r.at(Live) == nil {
		t.size++
	}
	r.write(t.journal, &v)
}

// Delete removes a row and reports whether it was there.
func (t *Table[V]) Delete(key string) bool {
	r := t.rows[key]
	if r == nil || r.at(Live) == nil {
		return false
	}
	t.size--
	floor := r.write(t.journal, nil)
	if len(t.order) > 2*t.size+keepWrites {
		t.compact(floor)
	}
	return true
}

// compact drops rows that were deleted before floor.
func (t *Table[V]) compact(floor uint64) {
	kept := t.order[:0]
	for _, r := range t.order {
		last := r.versions[len(r.versions)-1]
		if last.value == nil && last.seq <= floor {
			delete(t.rows, r.key)
			continue
		}
		kept = append(kept, r)
	}
	clear(t.order[len(kept):])
	t.order = kept
}

func (r *row[V]) at(v View) *V {
	for i := len(r.versions) - 1; i >= 0; i-- {
		if v == Live || r.versions[i].seq <= uint64(v) {
			return r.versions[i].value
		}
	}
	return nil
}

func (r *row[V]) write(j *Journal, value *V) (floor uint64) {
	seq, floor := j.tick()
	r.versions = append(r.versions, version[V]{seq, value})
	drop := 0
	for drop+1 < len(r.versions) && r.versions[drop+1].seq <= floor {
		drop++
	}
	if drop > 0 {
		r.versions = append([]version[V](nil), r.versions[drop:]...)
	}
	return floor
}
