package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/internal/audit"
)

var began = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

func freeze(id string) audit.Change {
	return audit.Change{
		Account: "acme/wecom", Action: "Freeze", Target: audit.Target{Kind: "account", ID: id},
		Before: map[string]string{"state": "Active"}, After: map[string]string{"state": "Frozen"},
		Reason: "laptop lost", Plan: "5d0c",
		Actor: audit.Actor{Kind: "Employee", Name: "liu-ruyan", UID: "u-1", Generation: 3, Manager: "argocd-controller"},
	}
}

// open returns a log that runs until the test ends.
func open(t *testing.T, sink audit.Sink) *audit.Log {
	t.Helper()
	l := audit.New(sink, func() time.Time { return began })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return l
}

func text(t *testing.T, path string) []byte {
	t.Helper()
	r, err := audit.OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// trail writes n changes with their outcomes.
func trail(t *testing.T, n int) (lines []byte, head audit.Head) {
	t.Helper()
	path := t.TempDir()
	l := open(t, audit.NewFolder(path))
	for i := range n {
		finish, err := l.Begin(t.Context(), freeze(fmt.Sprintf("E%04d", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := finish(t.Context(), audit.Result{Request: "r-1"}); err != nil {
			t.Fatal(err)
		}
	}
	return text(t, path), l.Head()
}

func TestP8TheIntentIsDurableBeforeTheChange(t *testing.T) {
	path := t.TempDir()
	l := open(t, audit.NewFolder(path))
	finish, err := l.Begin(t.Context(), freeze("E0001"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := audit.Verify(bytes.NewReader(text(t, path)), audit.Head{}, nil)
	if err != nil || found.Records != 1 || len(found.Unfinished) != 1 || found.Unfinished[0] != 1 {
		t.Errorf("before the change the trail shows %+v, %v", found, err)
	}
	if err := finish(t.Context(), audit.Result{Class: "PermissionDenied", Code: "60011"}); err != nil {
		t.Fatal(err)
	}
	found, err = audit.Verify(bytes.NewReader(text(t, path)), l.Head(), nil)
	if err != nil || found.Records != 2 || len(found.Unfinished) != 0 {
		t.Errorf("after it: %+v, %v", found, err)
	}
}

func TestP8EveryAlterationShows(t *testing.T) {
	lines, head := trail(t, 1)
	for i := range lines {
		for bit := range 8 {
			altered := bytes.Clone(lines)
			altered[i] ^= 1 << bit
			if _, err := audit.Verify(bytes.NewReader(altered), head, nil); err == nil {
				t.Fatalf("bit %d of byte %d was flipped, and the trail verifies:\n%s", bit, i, altered)
			}
		}
	}
}

func TestP8RemovedAndMovedRecordsShow(t *testing.T) {
	lines, head := trail(t, 4)
	all := bytes.SplitAfter(bytes.TrimSuffix(lines, []byte("\n")), []byte("\n"))
	all[len(all)-1] = append(all[len(all)-1], '\n')
	verify := func(records [][]byte) error {
		_, err := audit.Verify(bytes.NewReader(bytes.Join(records, nil)), head, nil)
		return err
	}
	if err := verify(all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		without := append(append([][]byte{}, all[:i]...), all[i+1:]...)
		broken, ok := errors.AsType[*audit.Broken](verify(without))
		if !ok || broken.Line == 0 {
			t.Errorf("record %d was removed, and that is said: %v", i+1, broken)
		}
		if i > 0 {
			moved := append([][]byte{}, all...)
			moved[i-1], moved[i] = moved[i], moved[i-1]
			if verify(moved) == nil {
				t.Errorf("records %d and %d changed places, and the trail verifies", i, i+1)
			}
		}
	}
	if err := verify(all[:len(all)-1]); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("the end was cut off, and that is said: %v", err)
	}
}

func TestATrailGoesOnAfterARestart(t *testing.T) {
	path := t.TempDir()
	for i := range 3 {
		l := open(t, audit.NewFolder(path))
		if _, err := l.Begin(t.Context(), freeze("E0001")); err != nil {
			t.Fatal(err)
		}
		if l.Head().Seq != uint64(i+1) {
			t.Fatalf("the trail ends at %d", l.Head().Seq)
		}
	}
	if found, err := audit.Verify(bytes.NewReader(text(t, path)), audit.Head{}, nil); err != nil || found.Records != 3 {
		t.Errorf("%+v, %v", found, err)
	}
}

// A replica that does not know yet that it was replaced writes nothing over what
// the other one wrote, and finds its way back.
func TestTwoWritersDoNotBreakATrail(t *testing.T) {
	path := t.TempDir()
	one, two := open(t, audit.NewFolder(path)), open(t, audit.NewFolder(path))
	refused := 0
	for i := range 20 {
		l := []*audit.Log{one, two}[i%2]
		if _, err := l.Begin(t.Context(), freeze("E0001")); err != nil {
			refused++
		}
	}
	found, err := audit.Verify(bytes.NewReader(text(t, path)), audit.Head{}, nil)
	if err != nil || refused == 0 || found.Records != uint64(20-refused) {
		t.Errorf("%+v with %d refused: %v", found, refused, err)
	}
}

func TestALineThatWasBrokenOffIsRemoved(t *testing.T) {
	path := t.TempDir()
	l := open(t, audit.NewFolder(path))
	for range 2 {
		if _, err := l.Begin(t.Context(), freeze("E0001")); err != nil {
			t.Fatal(err)
		}
	}
	segment := filepath.Join(path, "000000000001.jsonl")
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n') + 1
	for cut := first; cut < len(whole); cut++ {
		if err := os.WriteFile(segment, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if tail, err := audit.NewFolder(path).Tail(t.Context()); err != nil || !bytes.Equal(tail, whole[:first]) {
			t.Fatalf("cut at %d, the trail ends with %s: %v", cut, tail, err)
		}
		if got := text(t, path); !bytes.Equal(got, whole[:first]) {
			t.Fatalf("cut at %d, and the trail is\n%s", cut, got)
		}
	}
}

// A folder that reads as empty and is not, as one does that cannot be read, is no trail that is new.
func TestP8ATrailThatCannotBeSeenIsNotWrittenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit[1]")
	for range 2 {
		if _, err := open(t, audit.NewFolder(path)).Begin(t.Context(), freeze("E0001")); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := audit.Verify(bytes.NewReader(text(t, path)), audit.Head{}, nil); err != nil || found.Records != 2 {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := audit.OpenFolder(filepath.Join(path, "missing")); err == nil {
		t.Error("a folder that is not there is an empty trail")
	}
}

// gate is a sink that holds each writing until it is let through.
type gate struct {
	audit.Sink
	through  chan struct{}
	writings int
}

func (g *gate) Append(ctx context.Context, first uint64, lines []byte) error {
	<-g.through
	g.writings++
	return g.Sink.Append(ctx, first, lines)
}

func TestWhatWaitsIsWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{Sink: audit.NewFolder(t.TempDir()), through: make(chan struct{})}
		l := open(t, g)
		var all sync.WaitGroup
		begin := func() {
			all.Go(func() {
				if _, err := l.Begin(t.Context(), freeze("E0001")); err != nil {
					t.Error(err)
				}
			})
		}
		begin()
		synctest.Wait() // the first is being written
		for range 100 {
			begin()
		}
		synctest.Wait() // the others wait
		close(g.through)
		all.Wait()
		if l.Head().Seq != 101 || g.writings != 2 {
			t.Errorf("%d records in %d writings", l.Head().Seq, g.writings)
		}
	})
}

// full is a sink without room, until there is some.
type full struct {
	audit.Sink
	room bool
}

func (f *full) Append(ctx context.Context, first uint64, lines []byte) error {
	if !f.room {
		return errors.New("no space left")
	}
	return f.Sink.Append(ctx, first, lines)
}

func TestP8WhatCannotBeWrittenIsNotBegun(t *testing.T) {
	f := &full{Sink: audit.NewFolder(t.TempDir())}
	l := open(t, f)
	if finish, err := l.Begin(t.Context(), freeze("E0001")); err == nil || finish != nil {
		t.Errorf("begun: %v", err)
	}
	f.room = true
	if _, err := l.Begin(t.Context(), freeze("E0001")); err != nil || l.Head().Seq != 1 {
		t.Errorf("there is room again, and the trail is at %d: %v", l.Head().Seq, err)
	}
}

func TestALogThatEndedTakesNothing(t *testing.T) {
	l := audit.New(audit.NewFolder(t.TempDir()), time.Now)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	l.Run(ctx)
	if _, err := l.Begin(t.Context(), freeze("E0001")); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("begun: %v", err)
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "张": "*", "张伟": "**", "欧阳娜娜": "欧***", "+86-13800550001": "+********01", "liu@example.com": "l********om",
	} {
		if got := audit.Mask(in); got != want {
			t.Errorf("%q is masked as %q, want %q", in, got, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte(`{"seq":1,"prev":"","time":"2026-11-25T08:00:00Z","phase":"Intent","account":"a/b","action":"Freeze","target":{"kind":"account"},"actor":{"kind":"Employee","name":"x","uid":"u","generation":1}}` + "\n"))
	f.Fuzz(func(t *testing.T, trail []byte) {
		found, err := audit.Verify(bytes.NewReader(trail), audit.Head{}, nil)
		if err == nil && found.Records != uint64(bytes.Count(trail, []byte("\n"))) {
			t.Errorf("%d records in %d lines", found.Records, bytes.Count(trail, []byte("\n")))
		}
	})
}
