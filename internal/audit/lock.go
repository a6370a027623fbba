package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// hangs is how long a lock is waited for. No write takes so long: whoever holds it still, hangs, as a leader does on a
// machine that stopped, and the trail is taken over.
const hangs = 5 * time.Second

// lock is the right to write in a folder. It ends with the process.
type lock struct {
	folder string
	file   *os.File
}

// takeLock waits for the lock of a folder, and takes it from whoever hangs.
func takeLock(ctx context.Context, folder string) (*lock, error) {
	deadline := time.NewTimer(hangs)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		l, err := tryLock(folder, filepath.Join(folder, lockName))
		if err == nil {
			if err = l.held(); err == nil {
				return l, nil
			}
			l.release() // it was replaced between the opening and the locking
		} else if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, err
		}
		select {
		case <-again.C:
		case <-deadline.C:
			return takeOver(folder)
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the trail's lock: %w", context.Cause(ctx))
		}
	}
}

const lockName = ".lock"

func tryLock(folder, name string) (*lock, error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the trail: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("locking the trail: %w", err), file.Close())
	}
	return &lock{folder, file}, nil
}

// takeOver puts another lock in place of the one whose holder hangs, and a copy in place of the segment that it may be
// writing: what it still writes when it comes back lands in files that nobody reads, and it sees that it lost the lock.
func takeOver(folder string) (*lock, error) {
	name := filepath.Join(folder, fmt.Sprintf("%s-%d", lockName, os.Getpid()))
	l, err := tryLock(folder, name)
	if err != nil {
		return nil, err
	}
	err = os.Rename(name, filepath.Join(folder, lockName))
	if err == nil {
		err = replaceNewest(folder)
	}
	if err != nil {
		l.release()
		return nil, fmt.Errorf("taking the trail over: %w", err)
	}
	return l, nil
}

func replaceNewest(folder string) error {
	segments, err := segmentsOf(folder)
	if err != nil || len(segments) == 0 {
		return err
	}
	newest := segments[len(segments)-1]
	text, err := os.ReadFile(newest)
	if err != nil {
		return err
	}
	copied := newest + ".copy"
	file, err := os.OpenFile(copied, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640) //nolint:gosec // auditors read it as a group
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(copied, newest); err != nil {
		return err
	}
	return syncFolder(folder)
}

// held fails if the lock was taken over.
func (l *lock) held() error {
	ours, err := l.file.Stat()
	if err != nil {
		return fmt.Errorf("looking at the trail's lock: %w", err)
	}
	theirs, err := os.Stat(filepath.Join(l.folder, lockName))
	if err != nil {
		return fmt.Errorf("looking at the trail's lock: %w", err)
	}
	if !os.SameFile(ours, theirs) {
		return errors.New("the trail was taken over")
	}
	return nil
}

func (l *lock) release() { _ = l.file.Close() }

// write puts lines at the end of a segment. It is done only if the lock was held to the end: then they are in what
// whoever takes over reads.
func (l *lock) write(name string, at int64, lines []byte) error {
	flags := 0
	if at == 0 {
		flags = os.O_CREATE | os.O_EXCL // a segment begins once
	}
	return l.change(name, flags, func(file *os.File) error {
		if _, err := file.WriteAt(lines, at); err != nil {
			return errors.Join(err, file.Truncate(at))
		}
		return nil
	})
}

// truncate cuts a segment.
func (l *lock) truncate(name string, size int64) error {
	return l.change(name, 0, func(file *os.File) error { return file.Truncate(size) })
}

// change opens a segment before it asks whether the lock is held: what is opened is either what a successor replaced, or
// not touched.
func (l *lock) change(name string, flags int, do func(*os.File) error) error {
	file, err := os.OpenFile(name, flags|os.O_WRONLY, 0o640) //nolint:gosec // auditors read it as a group
	if err != nil {
		return fmt.Errorf("opening a segment: %w", err)
	}
	if err := l.held(); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(do(file), file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("writing a segment: %w", err)
	}
	return l.held()
}
