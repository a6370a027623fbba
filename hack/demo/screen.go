package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// lineEvery is how often progress is told where no line can be written over.
const lineEvery = 5 * time.Second

// screen tells what happens: one line a step, and one live line for the step that takes long.
type screen struct {
	out      io.Writer
	terminal bool
	live     bool // a live line stands at the cursor
	lastLine time.Time
	lastText string
}

func newScreen(out *os.File) *screen {
	return &screen{out: out, terminal: term.IsTerminal(int(out.Fd()))}
}

// step tells what was done, and how it went.
func (s *screen) step(what, format string, args ...any) {
	s.clear()
	_, _ = fmt.Fprintf(s.out, "  %-14s %s\n", what, fmt.Sprintf(format, args...))
}

// text prints lines as they are.
func (s *screen) text(lines ...string) {
	s.clear()
	_, _ = fmt.Fprintln(s.out, strings.Join(lines, "\n"))
}

// progress replaces the live line; elsewhere than on a terminal it is a line every few seconds, when it has changed.
func (s *screen) progress(what, format string, args ...any) {
	text := fmt.Sprintf("  %-14s %s", what, fmt.Sprintf(format, args...))
	if s.terminal {
		_, _ = fmt.Fprint(s.out, "\r\033[K"+text)
		s.live = true
		return
	}
	if time.Since(s.lastLine) >= lineEvery && text != s.lastText {
		_, _ = fmt.Fprintln(s.out, text)
		s.lastLine, s.lastText = time.Now(), text
	}
}

func (s *screen) clear() {
	if s.live {
		_, _ = fmt.Fprint(s.out, "\r\033[K")
		s.live = false
	}
}
