package notice_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/notice"
)

var facts = notice.Facts{Name: "柳如烟", Number: "E0042", Account: "wecom", Successor: "沈清秋", Date: "2026-12-02"}

func TestEveryTextSaysWhoAndWhen(t *testing.T) {
	seen := map[string]bool{}
	for _, in := range []notice.Language{notice.Chinese, notice.English} {
		for _, to := range []notice.To{notice.Leaver, notice.Manager, notice.Successor, notice.Administrators} {
			text := notice.Text(to, in, "", facts)
			for _, want := range []string{"柳如烟", "E0042", "wecom", "2026-12-02"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s in %s does not say %s: %s", to, in, want, text)
				}
			}
			if to != notice.Successor && !strings.Contains(text, "沈清秋") {
				t.Errorf("%s in %s does not say who takes over: %s", to, in, text)
			}
			if strings.ContainsAny(text, "{}") || seen[text] {
				t.Errorf("%s in %s: %s", to, in, text)
			}
			seen[text] = true
		}
	}
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	alone := notice.Facts{Name: "柳如烟", Number: "E0042", Account: "wecom"}
	for in, want := range map[notice.Language][]string{
		notice.Chinese: {"接手人尚未确定", "将保留"},
		notice.English: {"Nobody was named", "is kept"},
	} {
		text := notice.Text(notice.Administrators, in, "", alone)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("in %s it does not say %q: %s", in, w, text)
			}
		}
		if strings.ContainsAny(text, "{}") {
			t.Errorf("in %s: %s", in, text)
		}
	}
	if got := notice.Text(notice.Manager, notice.English, "{successor} {date}", alone); got != "nobody never" {
		t.Error(got)
	}
	if got := notice.Text(notice.Manager, "fr", "", facts); got != notice.Text(notice.Manager, notice.Chinese, "", facts) {
		t.Error("an unknown language is not Chinese")
	}
}

func TestOwnTexts(t *testing.T) {
	for custom, want := range map[string]string{
		"{name} ({number}) {account} {successor} {date}": "柳如烟 (E0042) wecom 沈清秋 2026-12-02",
		"{{name}": "{name}",
		"{{{{":    "{{",
		"}":       "}",
	} {
		if got := notice.Text(notice.Leaver, notice.Chinese, custom, facts); got != want {
			t.Errorf("%q gives %q, want %q", custom, got, want)
		}
	}
	odd := facts
	odd.Name = "{date}"
	if got := notice.Text(notice.Leaver, notice.Chinese, "{name}", odd); got != "{date}" {
		t.Errorf("what a placeholder stands for is replaced again: %q", got)
	}
}

func TestNoTextIsTooLong(t *testing.T) {
	long := facts
	long.Name = strings.Repeat("柳", 64)
	for n := range 5 {
		text := notice.Text(notice.Leaver, notice.Chinese, strings.Repeat("a", n)+strings.Repeat("{name}", 80), long)
		if len(text) > notice.Limit || len(text) < notice.Limit-4 || !utf8.ValidString(text) || !strings.HasSuffix(text, "…") {
			t.Errorf("%d bytes, valid %t", len(text), utf8.ValidString(text))
		}
	}
	exact := strings.Repeat("a", notice.Limit)
	if got := notice.Text(notice.Leaver, notice.Chinese, exact, facts); got != exact {
		t.Error("what fits is cut")
	}
}

func TestThePlatformIsAskedAFewTimesAtMost(t *testing.T) {
	sent := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after time.Duration
		asked int
		wait  time.Duration
		again bool
	}{
		{0, 0, 5 * time.Second, true},
		{4 * time.Second, 0, time.Second, true},
		{5 * time.Second, 0, 0, true},
		{5 * time.Second, 1, 5*time.Minute - 5*time.Second, true},
		{3 * time.Hour, 0, 0, true}, // nobody could ask before
		{3 * time.Hour, 2, 0, true},
		{3 * time.Hour, 3, 0, false},
		{24*time.Hour - 1, 0, 0, true},
		{24 * time.Hour, 0, 0, false}, // nobody answers any more
	} {
		if wait, again := notice.Ask(sent, c.asked, sent.Add(c.after)); wait != c.wait || again != c.again {
			t.Errorf("%s after it was sent, asked %d times: in %s, %t; want %s, %t", c.after, c.asked, wait, again, c.wait, c.again)
		}
	}
}
