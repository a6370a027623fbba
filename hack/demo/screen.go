package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"golang.org/x/text/width"
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

// margin is where the text of a step begins, and columns where it ends at the latest, unless a word is longer.
const margin, columns = 17, 120

// step tells what was done, and how it went.
func (s *screen) step(what, format string, args ...any) {
	s.clear()
	text := fmt.Sprintf(format, args...)
	_, _ = fmt.Fprintf(s.out, "  %-14s %s\n", what, strings.Join(wrap(text, columns-margin), "\n"+strings.Repeat(" ", margin)))
}

// wrap breaks each line of a text between words, so that none is wider than so many columns.
func wrap(text string, most int) (lines []string) {
	for paragraph := range strings.SplitSeq(text, "\n") {
		line, used := "", 0
		for word := range strings.SplitSeq(paragraph, " ") {
			wide := columnsOf(word)
			switch {
			case line == "":
				line, used = word, wide
			case used+1+wide > most:
				lines = append(lines, line)
				line, used = word, wide
			default:
				line, used = line+" "+word, used+1+wide
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// columnsOf is how many columns a word takes on a screen: a Chinese character takes two.
func columnsOf(word string) (n int) {
	for _, r := range word {
		n++
		if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
			n++
		}
	}
	return n
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
