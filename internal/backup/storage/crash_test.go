package storage

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// write is what a manager does in a run, until it is killed. Each step is told first.
func (j *job) write() error {
	ctx := context.Background()
	p, err := Open(ctx, j.Config)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		key := NewKey("acme", "dt", "ding1", noon.Add(time.Duration(i)*time.Second), fmt.Sprint(i))
		fmt.Println("create", key)
		u, err := p.Create(ctx, key)
		if err != nil {
			return err
		}
		seal, err := write(telling{u}, j.People, 4000)
		if err != nil {
			return err
		}
		fmt.Println("close")
		if err := u.Close(); err != nil {
			return err
		}
		fmt.Println("seal")
		if err := p.Seal(ctx, key, seal); err != nil {
			return err
		}
		fmt.Println("sealed", key)
	}
}

// telling says that it writes, after each write.
type telling struct{ u *Upload }

func (w telling) Write(b []byte) (int, error) {
	n, err := w.u.Write(b)
	fmt.Println("wrote", n)
	return n, err
}

// Killed at any moment, a writer leaves whole archives, and leftovers that do not list.
func TestP1KillLeavesNoArchiveThatIsIncomplete(t *testing.T) {
	for name, test := range map[string]struct {
		config func(t *testing.T) Config
		people int   // of 4 KB each
		kills  []int // after so many steps
		leaves bool  // whether a kill in the middle leaves something behind: one request does not
	}{
		"volume": {
			func(t *testing.T) Config { return Config{Local: &Local{Root: t.TempDir(), Folder: "acme"}} },
			400, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 23, 27, 28, 29, 30, 31, 47, 70}, true,
		},
		"bucket": {
			func(t *testing.T) Config { c, _, _ := newBucket(t); return Config{S3: &c} },
			400, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 23, 27, 28, 29, 30, 31, 47, 70}, false,
		},
		"bucket, in parts": {
			func(t *testing.T) Config { c, _, _ := newBucket(t); return Config{S3: &c} },
			7000, []int{1, 150, 300, 350, 400, 425, 440}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := test.config(t)
			p := place(t, config)
			whole, left := 0, 0
			for i, steps := range test.kills {
				if testing.Short() && i%4 != 0 { // with the race detector
					continue
				}
				sealed := killAfter(t, job{Config: config, People: test.people}, steps)
				keys := listed(t, p)
				whole += len(keys)
				if len(keys) < sealed {
					t.Errorf("killed after %d steps: %d archives list, %d were sealed", steps, len(keys), sealed)
				}
				for _, key := range keys {
					if err := verify(t, p, key); err != nil {
						t.Errorf("killed after %d steps, %s lists: %v", steps, key, err)
					}
				}
				left += cleanUp(t, p)
			}
			nothingIsLeft(t, p)
			t.Logf("%d kills left %d whole archives and %d leftovers", len(test.kills), whole, left)
			if test.leaves && left == 0 {
				t.Error("no kill came in the middle of anything")
			}
		})
	}
}

// killAfter kills a writer after so many steps, and says how many archives it had sealed.
func killAfter(t *testing.T, j job, steps int) (sealed int) {
	t.Helper()
	c, out := spawn(t, j)
	for range steps {
		if !out.Scan() || strings.HasPrefix(out.Text(), "error") {
			t.Fatalf("the writer ended by itself: %s", out.Text())
		}
		if strings.HasPrefix(out.Text(), "sealed") {
			sealed++
		}
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for out.Scan() { // until it is dead
	}
	return sealed
}

// cleanUp removes everything, and counts the leftovers.
func cleanUp(t *testing.T, p *Place) int {
	t.Helper()
	for _, key := range listed(t, p) {
		if err := p.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	left, err := p.Unsealed(t.Context(), "acme", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range left {
		if err := p.Discard(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	return len(left)
}
