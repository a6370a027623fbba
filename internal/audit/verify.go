package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds one record; longer ones are not ours.
const maxLine = 1 << 20

// Broken says where a trail is not what was written.
type Broken struct {
	// Line counts from 1 in what was read.
	Line int
	What string
}

func (b *Broken) Error() string { return fmt.Sprintf("line %d: %s", b.Line, b.What) }

// Findings is what a whole trail shows.
type Findings struct {
	Records uint64
	Head    Head
	// Unfinished are the intents without an outcome: the change may have been made or
	// not, because Rollcall ended there or could not write.
	Unfinished []uint64
}

// Verify reads a trail from its first record. The error is a *Broken where a
// record was altered, removed or moved. If the head is known, it has to be
// reached; records after it are newer, and fine. Each record that is in its place
// is given to each, unless that is nil.
func Verify(r io.Reader, known Head, each func(*Record)) (Findings, error) {
	var f Findings
	open := map[uint64]bool{}
	lines := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return f.end(known, open, n)
		case errors.Is(err, io.EOF):
			return f, &Broken{n, "the line was broken off: it has no end"}
		case err != nil:
			return f, fmt.Errorf("reading line %d: %w", n, err)
		}
		record, err := f.take(line, open, n)
		if err != nil {
			return f, err
		}
		if each != nil {
			each(record)
		}
		if f.Head.Seq == known.Seq && known.Seq > 0 && f.Head != known {
			return f, &Broken{n, "the record is not the one that was known to be the newest"}
		}
	}
}

func (f *Findings) take(line []byte, open map[uint64]bool, n int) (*Record, error) {
	r, err := parse(line)
	switch {
	case err != nil:
		return nil, &Broken{n, err.Error()}
	case r.Seq != f.Head.Seq+1:
		return nil, &Broken{n, fmt.Sprintf("record %d follows record %d: records were removed or moved", r.Seq, f.Head.Seq)}
	case r.Prev != f.Head.SHA256:
		return nil, &Broken{n, fmt.Sprintf("record %d does not follow from what stands before it: one of the two was altered", r.Seq)}
	case r.Phase == Outcome && !open[r.Act]:
		return nil, &Broken{n, fmt.Sprintf("record %d is the outcome of an intent that is not there", r.Seq)}
	}
	if r.Phase == Intent {
		open[r.Seq] = true
	} else {
		delete(open, r.Act)
	}
	f.Records++
	f.Head = Head{Seq: r.Seq, SHA256: hash(line)}
	return &r, nil
}

func (f *Findings) end(known Head, open map[uint64]bool, n int) (Findings, error) {
	for seq := uint64(1); seq <= f.Head.Seq && len(open) > 0; seq++ {
		if open[seq] {
			f.Unfinished = append(f.Unfinished, seq)
			delete(open, seq)
		}
	}
	if known.Seq > f.Head.Seq {
		return *f, &Broken{n, fmt.Sprintf("the trail ends with record %d and was known to reach record %d: its end was cut off", f.Head.Seq, known.Seq)}
	}
	return *f, nil
}

// parse refuses what is not byte for byte as it is written.
func parse(line []byte) (Record, error) {
	var r Record
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, errors.New("this is no record")
	}
	if (r.Phase == Intent) == (r.Result != nil) || (r.Phase != Intent && r.Phase != Outcome) || (r.Phase == Intent) != (r.Act == 0) {
		return r, errors.New("this is neither an intent nor an outcome")
	}
	if !bytes.Equal(r.line(), line) {
		return r, errors.New("the record was altered: it is not written as records are")
	}
	return r, nil
}
