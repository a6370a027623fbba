package audit_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/internal/audit"
)

// A disk that hangs costs whoever asks first some seconds, and the next ones nothing. What they gave up is not written
// when it comes back.
func TestP2ADiskThatHangsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		g := &gate{Sink: audit.NewFolder(path), through: make(chan struct{})}
		l := open(t, g)
		begin := func(id string) (time.Duration, error) {
			start := time.Now()
			_, err := l.Begin(t.Context(), freeze(id))
			return time.Since(start), err
		}
		if took, err := begin("E0001"); took > 10*time.Second || !errors.Is(err, audit.ErrHangs) {
			t.Errorf("the first waited for %s: %v", took, err)
		}
		for range 3 {
			if took, err := begin("E0002"); took > 0 || !errors.Is(err, audit.ErrHangs) {
				t.Errorf("the next waited for %s: %v", took, err)
			}
		}
		close(g.through)
		synctest.Wait()
		if _, err := begin("E0003"); err != nil {
			t.Error(err)
		}
		if trail := string(text(t, path)); strings.Contains(trail, "E0002") || !strings.Contains(trail, "E0003") {
			t.Errorf("the trail is\n%s", trail)
		}
	})
}

func TestP11ATenantEndsThoughTheDiskHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{Sink: audit.NewFolder(t.TempDir()), through: make(chan struct{})}
		defer func() { close(g.through); synctest.Wait() }()
		l := audit.New(g, time.Now)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); l.Run(ctx) }()
		go func() { _, _ = l.Begin(t.Context(), freeze("E0001")) }()
		synctest.Wait()
		stop()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("the log does not end")
		}
	})
}

// A trail with a line that Verify does not read were no trail.
func TestP8ARecordThatIsTooBigIsRefused(t *testing.T) {
	path := t.TempDir()
	l := open(t, audit.NewFolder(path))
	big := freeze("E0001")
	big.After = map[string]string{"holders": strings.Repeat("E0001,", 1<<18)}
	if _, err := l.Begin(t.Context(), big); err == nil {
		t.Error("begun")
	}
	if _, err := l.Begin(t.Context(), freeze("E0001")); err != nil {
		t.Error(err)
	}
	if found, err := audit.Verify(bytes.NewReader(text(t, path)), l.Head(), nil); err != nil || found.Records != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}

// The folder of a trail is a matter of the trail: that it cannot be made stops no tenant, and no freeze.
func TestP2AFolderThatCannotBeMadeIsForWhoWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing")
	blocked := open(t, audit.NewFolder(filepath.Join(os.DevNull, "audit")))
	if _, err := blocked.Begin(t.Context(), freeze("E0001")); err == nil {
		t.Error("begun without a folder")
	}
	if _, err := open(t, audit.NewFolder(path)).Begin(t.Context(), freeze("E0001")); err != nil {
		t.Error(err)
	}
}
