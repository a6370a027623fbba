package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Sink is where a trail lies. One trail has one writer at a time.
type Sink interface {
	// Tail returns the newest line, its line break included, or nothing of a trail that is new.
	Tail(ctx context.Context) ([]byte, error)
	// Append adds whole lines, the first of which has this sequence number. When it
	// returns nil they are durable. It fails if there is a line of that number.
	Append(ctx context.Context, first uint64, lines []byte) error
}

// Head is the end of a trail. Whoever knows it finds out if the end was cut off.
type Head struct {
	Seq    uint64
	SHA256 string
}

// ErrClosed says that the log ends, and took nothing.
var ErrClosed = errors.New("the audit log is closed")

// Log writes one trail. Safe for concurrent use.
type Log struct {
	sink Sink
	now  func() time.Time
	work chan struct{} // there is something to write
	done chan struct{} // Run has ended

	mu      sync.Mutex
	waiting []*entry
	head    Head
	found   bool // head is where the sink ends
}

type entry struct {
	record  Record
	written chan error
}

// New returns a log that Run writes. A sink that cannot be reached fails what is
// begun, and is tried again with the next.
func New(sink Sink, now func() time.Time) *Log {
	return &Log{sink: sink, now: now, work: make(chan struct{}, 1), done: make(chan struct{})}
}

// find takes up the trail where the sink has it.
func (l *Log) find(ctx context.Context) error {
	tail, err := l.sink.Tail(ctx)
	if err != nil {
		return fmt.Errorf("reading the end of the trail: %w", err)
	}
	head := Head{}
	if len(tail) > 0 {
		r, err := parse(tail)
		if err != nil {
			return fmt.Errorf("reading the end of the trail: %w", err)
		}
		head = Head{Seq: r.Seq, SHA256: hash(tail)}
	}
	l.mu.Lock()
	l.head, l.found = head, true
	l.mu.Unlock()
	return nil
}

// Head returns the end of what is durable, as far as it was found.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Begin records the intent of a change. The change may be made once it returns
// nil; finish has to be called with how it ended.
func (l *Log) Begin(ctx context.Context, c Change) (finish func(context.Context, Result) error, err error) {
	seq, err := l.append(ctx, Record{Phase: Intent, Change: c})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, result Result) error {
		_, err := l.append(ctx, Record{Phase: Outcome, Act: seq, Change: c, Result: &result})
		return err
	}, nil
}

func (l *Log) append(ctx context.Context, r Record) (uint64, error) {
	e := &entry{record: r, written: make(chan error, 1)}
	l.mu.Lock()
	l.waiting = append(l.waiting, e)
	l.mu.Unlock()
	select {
	case l.work <- struct{}{}:
	default:
	}
	select {
	case err := <-e.written:
		return e.record.Seq, err
	case <-l.done:
	case <-ctx.Done():
	}
	// It may be written still, or is just now: an intent without an outcome says so.
	select {
	case err := <-e.written:
		return e.record.Seq, err
	default:
		return 0, errors.Join(ctx.Err(), ErrClosed)
	}
}

// Run writes until ctx ends. What waits is written together.
func (l *Log) Run(ctx context.Context) {
	defer close(l.done)
	// An idle trail is found, too, so that its head can be told. A failure is for
	// whoever writes first.
	_ = l.find(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.work:
			l.commit(ctx)
		}
	}
}

func (l *Log) commit(ctx context.Context) {
	l.mu.Lock()
	batch, found := l.waiting, l.found
	l.waiting = nil
	l.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	var err error
	if !found {
		err = l.find(ctx)
	}
	if err == nil {
		err = l.write(ctx, batch)
	}
	for _, e := range batch {
		e.written <- err
	}
}

func (l *Log) write(ctx context.Context, batch []*entry) error {
	head := l.Head()
	var lines []byte
	next := head
	for _, e := range batch {
		e.record.Seq, e.record.Prev, e.record.Time = next.Seq+1, next.SHA256, l.now().UTC()
		line := e.record.line()
		next = Head{Seq: e.record.Seq, SHA256: hash(line)}
		lines = append(lines, line...)
	}
	err := l.sink.Append(ctx, head.Seq+1, lines)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.found = false // some of it may have come to lie there: go on from what does
		return err
	}
	l.head = next
	return nil
}

func hash(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}
