package core

import (
	"sort"
	"sync"
	"time"
)

// Entry is one call in the log.
type Entry struct {
	Seq        uint64    `json:"seq"`
	Time       time.Time `json:"time"`
	Platform   string    `json:"platform"`
	Tenant     string    `json:"tenant,omitempty"`
	Operation  string    `json:"operation"`
	Method     string    `json:"method"`
	Subject    string    `json:"subject,omitempty"`
	Credential string    `json:"credential,omitempty"`
	HTTPStatus int       `json:"httpStatus"` // 0: the connection was closed without an answer
	Code       string    `json:"code"`
	Fault      string    `json:"fault,omitempty"` // ids of the faults that had a hand in it
	Millis     float64   `json:"millis"`
}

// Query selects entries; zero fields select everything.
type Query struct {
	Platform, Tenant, Operation, Subject, Credential, Code string
	Since                                                  uint64 // only entries with a greater seq
	Limit                                                  int    // the oldest so many; 0: all
}

// Count is how many calls of an operation ended with a code since the last reset.
type Count struct {
	Platform  string `json:"platform"`
	Tenant    string `json:"tenant,omitempty"`
	Operation string `json:"operation"`
	Code      string `json:"code"`
	Count     uint64 `json:"count"`
}

type countKey struct{ platform, tenant, operation, code string }

// Log keeps the last calls in a ring, and counts of all of them.
type Log struct {
	size int

	mu     sync.Mutex
	ring   []Entry // grows up to size, then wraps
	next   int     // index in ring of the next entry, once it wraps
	seq    uint64
	counts map[countKey]uint64
}

func newLog(size int) *Log {
	return &Log{size: size, counts: map[countKey]uint64{}}
}

func (l *Log) add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	e.Seq = l.seq
	if len(l.ring) < l.size {
		l.ring = append(l.ring, e)
	} else {
		l.ring[l.next] = e
		l.next = (l.next + 1) % l.size
	}
	l.counts[countKey{e.Platform, e.Tenant, e.Operation, e.Code}]++
}

// Last is the sequence number of the latest call.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// Entries gives the calls that q selects and the log still has, oldest first.
func (l *Log) Entries(q Query) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := []Entry{}
	for i := range l.ring {
		e := &l.ring[(l.next+i)%len(l.ring)]
		if !q.selects(e) {
			continue
		}
		found = append(found, *e)
		if q.Limit > 0 && len(found) == q.Limit {
			break
		}
	}
	return found
}

func (q Query) selects(e *Entry) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	return e.Seq > q.Since && same(q.Platform, e.Platform) && same(q.Tenant, e.Tenant) &&
		(q.Operation == "" || matchOperation(q.Operation, e.Operation)) &&
		same(q.Subject, e.Subject) && same(q.Credential, e.Credential) && same(q.Code, e.Code)
}

// Counts gives the counts that q selects (by platform, tenant, operation and
// code), sorted. They cover all calls since the last reset, also those that
// have left the ring.
func (l *Log) Counts(q Query) []Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	q.Since, q.Subject, q.Credential = 0, "", ""
	list := []Count{}
	for k, n := range l.counts {
		e := Entry{Seq: 1, Platform: k.platform, Tenant: k.tenant, Operation: k.operation, Code: k.code}
		if q.selects(&e) {
			list = append(list, Count{k.platform, k.tenant, k.operation, k.code, n})
		}
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		switch {
		case a.Platform != b.Platform:
			return a.Platform < b.Platform
		case a.Tenant != b.Tenant:
			return a.Tenant < b.Tenant
		case a.Operation != b.Operation:
			return a.Operation < b.Operation
		default:
			return a.Code < b.Code
		}
	})
	return list
}

// Reset forgets all calls. Sequence numbers go on.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring, l.next, l.counts = nil, 0, map[countKey]uint64{}
}
