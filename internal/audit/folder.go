package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// segmentSize is about how long a segment grows, in bytes, before the next begins.
const segmentSize = 16 << 20

// Folder is a trail in a folder of its own: segments of JSON lines, named by
// their first record, so that `cat *.jsonl` is the whole trail.
type Folder struct {
	path string

	mu   sync.Mutex
	next uint64 // the number that the next line has; 0 before Tail
	file string // the newest segment
	size int64
}

// NewFolder touches no disk: the folder is made when its end is looked for.
func NewFolder(path string) *Folder { return &Folder{path: path} }

// Tail returns the newest line. A line that was broken off was never durable, and
// nobody acted on it: it is removed.
func (f *Folder) Tail(ctx context.Context) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = 0
	if err := os.MkdirAll(f.path, 0o750); err != nil {
		return nil, fmt.Errorf("making the trail's folder: %w", err)
	}
	l, err := takeLock(ctx, f.path) // what another writes just now is not broken off
	if err != nil {
		return nil, err
	}
	defer l.release()
	segments, err := segmentsOf(f.path)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(segments) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading a segment: %w", err)
		}
		whole := text[:bytes.LastIndexByte(text, '\n')+1]
		if len(whole) < len(text) {
			if err := l.truncate(name, int64(len(whole))); err != nil {
				return nil, err
			}
		}
		if len(whole) == 0 {
			if err := os.Remove(name); err != nil {
				return nil, fmt.Errorf("removing an empty segment: %w", err)
			}
			continue
		}
		line := whole[bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1:]
		r, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
		f.next, f.file, f.size = r.Seq+1, name, int64(len(whole))
		return bytes.Clone(line), nil
	}
	f.next, f.file, f.size = 1, "", 0
	return nil, nil
}

// segmentsOf are the files of a trail in their order. A folder that cannot be read
// is an error, or the trail would begin anew.
func segmentsOf(path string) (names []string, err error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("reading the trail's folder: %w", err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".jsonl" {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	return names, nil
}

// Append writes to the newest segment, or begins one, and waits for the disk. A
// second writer is noticed before anything is written.
func (f *Folder) Append(ctx context.Context, first uint64, lines []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == 0 || first != f.next {
		return fmt.Errorf("record %d is not the next of this trail", first)
	}
	l, err := takeLock(ctx, f.path)
	if err != nil {
		return err
	}
	defer l.release()
	if err := f.alone(); err != nil {
		f.next = 0
		return err
	}
	fresh := f.file == "" || f.size >= segmentSize
	if fresh {
		f.file, f.size = filepath.Join(f.path, fmt.Sprintf("%012d.jsonl", first)), 0
	}
	err = l.write(f.file, f.size, lines)
	if err == nil && fresh {
		err = syncFolder(f.path)
	}
	if err != nil {
		f.next = 0 // what lies there now is for Tail to find out
		return err
	}
	f.size += int64(len(lines))
	f.next += uint64(bytes.Count(lines, []byte("\n")))
	return nil
}

// alone fails if somebody else has written since we looked: a replica that took
// over, or one that does not know yet that it was replaced.
func (f *Folder) alone() error {
	segments, err := segmentsOf(f.path)
	if err != nil {
		return err
	}
	var newest string
	var size int64
	if len(segments) > 0 {
		newest = segments[len(segments)-1]
		info, err := os.Stat(newest)
		if err != nil {
			return fmt.Errorf("looking at the trail: %w", err)
		}
		size = info.Size()
	}
	if newest != f.file || size != f.size {
		return errors.New("somebody else writes to this trail")
	}
	return nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// OpenFolder reads the whole trail in a folder from its first record. It changes
// nothing there.
func OpenFolder(path string) (io.ReadCloser, error) {
	segments, err := segmentsOf(path)
	if err != nil {
		return nil, err
	}
	r := &chain{}
	for _, name := range segments {
		file, err := os.Open(name)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		r.files = append(r.files, file)
		r.readers = append(r.readers, file)
	}
	r.Reader = io.MultiReader(r.readers...)
	return r, nil
}

// chain is segments one after the other.
type chain struct {
	io.Reader
	files   []*os.File
	readers []io.Reader
}

func (c *chain) Close() error {
	var err error
	for _, f := range c.files {
		err = errors.Join(err, f.Close())
	}
	return err
}
