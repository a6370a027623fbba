package audit

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
)

func take(t *testing.T, folder string) *lock {
	t.Helper()
	l, err := takeLock(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.release)
	return l
}

func content(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// A leader that hangs in the middle of a write does not keep its successor from writing, and whatever it still does when
// it comes back changes nothing that the successor wrote. It is told, so that it makes no change on the strength of it.
func TestP8ATrailIsTakenOverFromAWriterThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		segment := filepath.Join(folder, "000000000001.jsonl")
		hanging := take(t, folder)
		if err := hanging.write(segment, 0, []byte("one\n")); err != nil {
			t.Fatal(err)
		}
		err := hanging.change(segment, os.O_CREATE, func(file *os.File) error {
			successor := take(t, folder)
			if err := successor.write(segment, 4, []byte("two\n")); err != nil {
				t.Errorf("the successor: %v", err)
			}
			_, err := file.WriteAt([]byte("late, and long\n"), 4)
			return err
		})
		if err == nil {
			t.Error("what was written after the lock was lost is said to be durable")
		}
		if err := hanging.write(segment, 4, []byte("later\n")); err == nil {
			t.Error("a write without the lock is said to be durable")
		}
		if err := hanging.truncate(segment, 0); err == nil {
			t.Error("a segment was cut without the lock")
		}
		if got := content(t, segment); got != "one\ntwo\n" {
			t.Errorf("the segment is %q", got)
		}
	})
}

// Who writes now and then is waited for.
func TestALockThatIsReleasedIsNotTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		first := take(t, folder)
		ours, err := first.file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		go func() { first.release() }()
		second := take(t, folder)
		theirs, err := second.file.Stat()
		if err != nil || !os.SameFile(ours, theirs) {
			t.Errorf("the lock was replaced, %v", err)
		}
	})
}
