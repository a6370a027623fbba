package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
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

// ErrHangs says that the sink does not answer. Nobody waits for it any more until it does.
var ErrHangs = errors.New("the disk of the audit trail hangs")

// patience is how long a record is waited for: longer than a trail is taken over from whoever hangs.
const patience = hangs + 2*time.Second

// Log writes one trail. Safe for concurrent use.
type Log struct {
	sink Sink
	now  func() time.Time
	work chan struct{} // there is something to write
	done chan struct{} // Run has ended

	mu      sync.Mutex
	waiting []*entry
	writing time.Time // since when the sink is being asked; zero when it is not
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
	if err := l.enter(e); err != nil {
		return 0, err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	var why error
	select {
	case err := <-e.written:
		return e.record.Seq, err
	case <-l.done:
		why = ErrClosed
	case <-late.C:
		why = ErrHangs
	case <-ctx.Done():
		why = ctx.Err()
	}
	l.leave(e)
	// It may just have been written, or be written still: an intent without an outcome says so.
	select {
	case err := <-e.written:
		return e.record.Seq, err
	default:
		return 0, why
	}
}

// enter puts an entry among those that wait, unless waiting is no use.
func (l *Log) enter(e *entry) error {
	if len(e.record.line()) > mostLine(e.record.Phase) {
		return errors.New("the record is too big for a trail")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.writing.IsZero() && time.Since(l.writing) >= patience {
		return ErrHangs
	}
	l.waiting = append(l.waiting, e)
	select {
	case l.work <- struct{}{}:
	default:
	}
	return nil
}

// leave takes an entry back that nobody waits for any more.
func (l *Log) leave(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = slices.DeleteFunc(l.waiting, func(w *entry) bool { return w == e })
}

// mostLine bounds a record that is not in its place yet, so that [Verify] reads it when it is; of an intent, so that
// its outcome, which repeats it, fits as well.
func mostLine(p Phase) int {
	if p == Intent {
		return maxLine / 2
	}
	return maxLine - 1<<10
}

// Run writes until ctx ends. What waits is written together. A disk that hangs then is not waited for: whoever takes
// the trail up next takes it over.
func (l *Log) Run(ctx context.Context) {
	defer close(l.done)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.serve(ctx)
	}()
	<-ctx.Done()
	late := time.NewTimer(hangs)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	}
}

func (l *Log) serve(ctx context.Context) {
	// An idle trail is found, too, so that its head can be told. A failure is for
	// whoever writes first.
	l.asking(time.Now())
	_ = l.find(ctx)
	l.asking(time.Time{})
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.work:
			l.commit(ctx)
		}
	}
}

// asking remembers since when the sink is being asked.
func (l *Log) asking(since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing = since
}

func (l *Log) commit(ctx context.Context) {
	l.mu.Lock()
	batch, found := l.waiting, l.found
	l.waiting = nil
	if len(batch) > 0 {
		l.writing = time.Now()
	}
	l.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	defer l.asking(time.Time{})
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
