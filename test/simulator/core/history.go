package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"
)

// History asks for a past: what the people who are there did on the working days
// before the tenant began, and goes on doing as the clock moves. Nothing of it is
// stored. Every record follows from the seed, the day and the id of its person, so
// it is the same however often it is read, whoever else comes or leaves.
type History struct {
	Days int    `json:"days"` // how far back it goes; 0: there is none
	Seed uint64 `json:"seed"`
}

// maxHistory is ten years; more is a typing mistake.
const maxHistory = 3660

// Give sets the option of a tenant.
func (h History) Give(p Admin, tenant string) error {
	if h.Days < 0 || h.Days > maxHistory {
		return fmt.Errorf("days must be 0 to %d", maxHistory)
	}
	options, err := json.Marshal(map[string]History{"history": h})
	if err != nil {
		return err
	}
	return p.Configure(tenant, options)
}

// Local is the time of the platforms' homes.
var Local = time.FixedZone("CST", 8*3600)

const day = 24 * time.Hour

// Dataset is one kind of record.
type Dataset struct {
	Name  string // of its collection
	Salt  string // tells datasets of one collection apart
	Every int    // everybody makes one on every so many days
	Hours []int  // of the day at which they are made, one record each

	// Show is the platform's own form of a record, Stamp when and by whom one
	// that was made by hand says that it is.
	Show  func(Record) map[string]any
	Stamp func(map[string]any) (at time.Time, person string)
}

// Record is one record of a dataset.
type Record struct {
	Person string
	Part   int    // which of the Hours
	Draw   uint64 // what else there is to decide
	At     time.Time
	start  time.Time      // of its day
	id     string         // of one that was made by hand
	object map[string]any // made by hand
	show   func(Record) map[string]any
}

// ByHand tells whether somebody made or changed it by hand.
func (r Record) ByHand() bool { return r.object != nil }

// Object is the record in the platform's own form.
func (r Record) Object() map[string]any {
	if r.object != nil {
		return r.object
	}
	return r.show(r)
}

type author struct {
	id   string
	draw uint64
}

// Past is the history of one tenant, and what was changed in it by hand.
type Past struct {
	mu      sync.Mutex
	view    View
	people  []author
	cohorts map[int][][]author // of those who make a record on the same days, by Every

	hands map[string]map[string]map[string]any // by collection and id; nil: removed
}

// NewPast is a past that nobody has touched.
func NewPast() *Past {
	return &Past{hands: map[string]map[string]map[string]any{}}
}

// Range says which records to read. People limits it to theirs; none: everybody's.
type Range struct {
	History
	Began, Now time.Time // of the tenant, and of the clock
	From, To   time.Time // both included
	View       View      // names the state of All
	All        iter.Seq[string]
	People     []string
}

// first and last are the days that a range covers, counted from the epoch.
func (g Range) first() int {
	return dayOf(later(g.From, g.Began.Add(-time.Duration(g.Days)*day)))
}

func (g Range) last() int {
	if g.To.Before(g.Now) {
		return dayOf(g.To)
	}
	return dayOf(g.Now)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func dayOf(t time.Time) int {
	_, offset := t.In(Local).Zone()
	seconds := t.Unix() + int64(offset)
	return int(seconds / 86400)
}

func midnight(n int) time.Time { return time.Unix(int64(n)*86400-8*3600, 0).In(Local) }

// Records lists what the range covers: day by day, and last what was made by hand.
func (p *Past) Records(d Dataset, g Range) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		hands := p.handsOf(d.Name)
		if g.Days > 0 {
			for n := g.first(); n <= g.last(); n++ {
				for r := range p.day(d, g, n) {
					if len(hands) > 0 {
						if _, touched := hands[r.ID()]; touched {
							continue
						}
					}
					if !yield(r) {
						return
					}
				}
			}
		}
		for _, id := range slices.Sorted(maps.Keys(hands)) {
			if hands[id] == nil {
				continue
			}
			at, person := d.Stamp(hands[id])
			inside := !at.Before(g.From) && !at.After(g.To)
			if inside && (g.People == nil || slices.Contains(g.People, person)) &&
				!yield(Record{id: id, Person: person, At: at, object: hands[id]}) {
				return
			}
		}
	}
}

// day lists the records of one day that are inside the range.
func (p *Past) day(d Dataset, g Range, n int) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		start := midnight(n)
		if w := start.Weekday(); w == time.Saturday || w == time.Sunday {
			return
		}
		salt := Draw(g.Seed, hash(d.Salt))
		for _, a := range p.authors(d, g, n) {
			for part, hour := range d.Hours {
				draw := Draw(a.draw, salt, uint64(n), uint64(part))
				at := start.Add(time.Duration(hour)*time.Hour + time.Duration(draw%4200)*time.Second)
				if at.Before(g.From) || at.After(g.To) || at.After(g.Now) {
					continue
				}
				r := Record{start: start, Person: a.id, Part: part, Draw: draw, At: at, show: d.Show}
				if !yield(r) {
					return
				}
			}
		}
	}
}

// ID names a record: digits that begin with its day. It is not made until it is
// asked for, so that records can be skipped fast.
func (r Record) ID() string {
	if r.object != nil {
		return r.id
	}
	return fmt.Sprintf("%s%d%010d", r.start.Format("20060102"), r.Part, r.Draw>>8%10_000_000_000)
}

// Record finds one by its id, among everybody's.
func (p *Past) Record(d Dataset, g Range, id string) (Record, bool) {
	if object, touched := p.handsOf(d.Name)[id]; touched {
		if object == nil {
			return Record{}, false
		}
		at, person := d.Stamp(object)
		return Record{id: id, Person: person, At: at, object: object}, true
	}
	if len(id) < 8 || g.Days == 0 {
		return Record{}, false
	}
	start, err := time.ParseInLocation("20060102", id[:8], Local)
	if err != nil {
		return Record{}, false
	}
	g.From, g.To = start, start.Add(day)
	if n := dayOf(start); n >= g.first() && n <= g.last() {
		for r := range p.day(d, g, n) {
			if r.ID() == id {
				return r, true
			}
		}
	}
	return Record{}, false
}

// authors are the people who make a record on a day.
func (p *Past) authors(d Dataset, g Range, n int) []author {
	if g.People == nil {
		return p.cohort(d.Every, g)[n%d.Every]
	}
	var list []author
	for _, id := range g.People {
		if a := (author{id, hash(id)}); int(a.draw%uint64(d.Every)) == n%d.Every {
			list = append(list, a)
		}
	}
	return list
}

// cohort sorts everybody by the days of their records, once per state.
func (p *Past) cohort(every int, g Range) [][]author {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.people == nil || p.view != g.View {
		p.view, p.people, p.cohorts = g.View, []author{}, map[int][][]author{}
		for id := range g.All {
			p.people = append(p.people, author{id, hash(id)})
		}
	}
	if p.cohorts[every] == nil {
		sorted := make([][]author, every)
		for _, a := range p.people {
			n := a.draw % uint64(every)
			sorted[n] = append(sorted[n], a)
		}
		p.cohorts[every] = sorted
	}
	return p.cohorts[every]
}

func (p *Past) handsOf(collection string) map[string]map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.hands[collection])
}

// Put stores an object that was made or changed by hand; nil removes it.
func (p *Past) Put(collection, id string, object map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hands[collection] == nil {
		p.hands[collection] = map[string]map[string]any{}
	}
	p.hands[collection][id] = object
}

// Shelf is a collection that has no days: what it was made with, with what was
// changed by hand. idOf gives the id of an object.
func (p *Past) Shelf(collection, idOf string, made []map[string]any) []map[string]any {
	hands := p.handsOf(collection)
	list := []map[string]any{}
	for _, object := range made {
		if _, touched := hands[fmt.Sprint(object[idOf])]; !touched {
			list = append(list, object)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(hands)) {
		if hands[id] != nil {
			list = append(list, hands[id])
		}
	}
	return list
}

// MergeObject is [Merge] for an object of any fields.
func MergeObject(object map[string]any, fields json.RawMessage) (map[string]any, error) {
	current, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var base, change any
	if err := decodeNumbers(current, &base); err != nil {
		return nil, err
	}
	if err := decodeNumbers(fields, &change); err != nil {
		return nil, fmt.Errorf("reading the fields: %w", err)
	}
	merged, ok := mergeValue(base, change).(map[string]any)
	if !ok {
		return nil, errors.New("the fields must be a JSON object")
	}
	return merged, nil
}

// Page takes size of a listing from start on, and tells whether more follow.
func Page[T any](all iter.Seq[T], start, size int) (page []T, more bool) {
	page = []T{}
	n := 0
	for v := range all {
		if n == start+size {
			return page, true
		}
		if n >= start {
			page = append(page, v)
		}
		n++
	}
	return page, false
}

// Draw is a number that looks drawn, always the same for the same parts.
func Draw(parts ...uint64) uint64 {
	x := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		x = (x ^ p) + 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // a hash takes everything
	return Draw(h.Sum64())
}
