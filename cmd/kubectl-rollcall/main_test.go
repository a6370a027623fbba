package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/audit"
)

// trail writes three changes, the last without an outcome.
func trail(t *testing.T) (folder string, head audit.Head) {
	t.Helper()
	folder = t.TempDir()
	l := audit.New(audit.NewFolder(folder), time.Now)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx) }()
	defer func() { stop(); <-ended }()
	for i := range 3 {
		finish, err := l.Begin(t.Context(), audit.Change{Account: "acme/wecom", Action: "Freeze", Target: audit.Target{Kind: "account", ID: "E0001"}})
		if err == nil && i < 2 {
			err = finish(t.Context(), audit.Result{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder, l.Head()
}

func TestVerify(t *testing.T) {
	folder, head := trail(t)
	var out bytes.Buffer
	at := fmt.Sprintf("%d:%s", head.Seq, head.SHA256)
	if err := run(t.Context(), []string{"audit", "verify", "-head", at, folder}, nil, &out); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("the trail is whole: 5 records, the newest has SHA-256 %s\nintents without an outcome, because Rollcall ended there: 5\n", head.SHA256)
	if out.String() != want {
		t.Errorf("it says\n%swant\n%s", out.String(), want)
	}

	segment := filepath.Join(folder, "000000000001.jsonl")
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	for name, altered := range map[string][]byte{
		"altered": bytes.Replace(text, []byte("E0001"), []byte("E0002"), 1),
		"removed": bytes.Join(lines[1:], nil),
		"cut off": bytes.Join(lines[:4], nil),
	} {
		if err := os.WriteFile(segment, altered, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), []string{"audit", "verify", "-head", at, folder}, nil, &out); err == nil || !strings.Contains(err.Error(), "NOT whole") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		nil, {"audit"}, {"audit", "verify"}, {"audit", "verify", "a", "b"}, {"audit", "verify", "-head", "12", "x"},
		{"audit", "verify", "-head", "x:y", "."}, {"audit", "verify", filepath.Join(t.TempDir(), "none")}, {"audit", "verify", "-h"},
		{"audit", "verify", t.TempDir()},
	} {
		var out bytes.Buffer
		if err := run(t.Context(), args, nil, &out); err == nil {
			t.Errorf("%q was taken: %s", args, out.String())
		}
	}
}
