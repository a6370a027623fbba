package numbering

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func none(string) bool { return false }

func mustRule(t testing.TB, pattern string, ranges []Range, reserved ...string) Rule {
	t.Helper()
	r, err := NewRule(pattern, ranges, reserved)
	if err != nil {
		t.Fatalf("rule %s: %v", pattern, err)
	}
	return r
}

func mustExpand(t testing.TB, p Pattern, v Values) Shape {
	t.Helper()
	s, err := p.Expand(v)
	if err != nil {
		t.Fatalf("expanding %s: %v", p, err)
	}
	return s
}

var march2026 = Values{Dept: "RD", Date: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}

func TestParseRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                                      "needs {seq:N}",
		"{dept}{yyyy}":                          "needs {seq:N}",
		"{seq}":                                 "{seq} is not a token",
		"{seq:0}":                               "{seq:0} is not a token",
		"{seq:10}":                              "{seq:10} is not a token",
		"{seq:4}{seq:4}":                        "twice",
		"{day}{seq:4}":                          "{day} is not a token",
		"{Dept}{seq:4}":                         "{Dept} is not a token",
		"{dept{seq:4}":                          "is not a token",
		"{seq:4":                                "is not a token",
		"A {seq:4}":                             `" " is not allowed`,
		"工{seq:4}":                              "is not allowed",
		"}{seq:4}":                              `"}" is not allowed`,
		"-{seq:4}":                              "must begin with",
		strings.Repeat("A", 47) + "{seq:4}":     "51 characters; 50 are allowed",
		strings.Repeat("{dept}", 6) + "{seq:4}": "52 characters; 50 are allowed",
	} {
		if _, err := Parse(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v; want an error with %q", pattern, err, want)
		}
	}
}

func TestExpand(t *testing.T) {
	for _, tc := range []struct {
		pattern, key, first string
	}{
		{"{dept}{yyyy}{seq:4}", "RD2026{seq:4}", "RD20260001"},
		{"{seq:6}", "{seq:6}", "000001"},
		{"E{yy}{mm}-{seq:3}.{dept}", "E2603-{seq:3}.RD", "E2603-001.RD"},
		{"{seq:1}{yyyy}{dept}{dept}", "{seq:1}2026RDRD", "12026RDRD"},
		{"a_b{seq:9}", "a_b{seq:9}", "a_b000000001"},
	} {
		r := mustRule(t, tc.pattern, nil)
		s := mustExpand(t, r.Pattern, march2026)
		if s.String() != tc.key {
			t.Errorf("%s: key %s; want %s", tc.pattern, s, tc.key)
		}
		if again, err := ParseShape(s.String()); err != nil || again != s {
			t.Errorf("%s: key %s reads back as %v, %v", tc.pattern, s, again, err)
		}
		number, position, err := r.Next(s, 0, none)
		if number != tc.first || position != 1 || err != nil {
			t.Errorf("%s: first number %s at %d, %v; want %s", tc.pattern, number, position, err, tc.first)
		}
	}
}

func TestExpandSaysWhatIsMissing(t *testing.T) {
	for _, tc := range []struct {
		pattern string
		values  Values
		want    error
	}{
		{"{dept}{seq:4}", Values{}, ErrNoDept},
		{"{dept}{yyyy}{seq:4}", Values{Date: march2026.Date}, ErrNoDept},
		{"{dept}{yyyy}{seq:4}", Values{Dept: "RD"}, ErrNoDate},
		{"{yy}{seq:4}", Values{}, ErrNoDate},
		{"{mm}{seq:4}", Values{}, ErrNoDate},
		{"A{seq:4}", Values{}, nil},
	} {
		_, err := mustRule(t, tc.pattern, nil).Pattern.Expand(tc.values)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s with %+v: %v; want %v", tc.pattern, tc.values, err, tc.want)
		}
	}
	for _, code := range []string{"TOOLONGCODE", "R D", "{yyyy}", "研发"} {
		if _, err := mustRule(t, "{dept}{seq:4}", nil).Pattern.Expand(Values{Dept: code}); err == nil {
			t.Errorf("code %q was taken", code)
		}
	}
}

func TestParseShapeRefuses(t *testing.T) {
	for _, key := range []string{"", "RD2026", "{dept}{seq:4}", "{yyyy}{seq:4}", "RD{seq:4}{seq:4}", "RD{seq:4"} {
		if s, err := ParseShape(key); err == nil {
			t.Errorf("ParseShape(%q) = %s", key, s)
		}
	}
}

func TestNewRuleRefuses(t *testing.T) {
	for _, tc := range []struct {
		name     string
		ranges   []Range
		reserved []string
		want     []string
	}{
		{"overlap", []Range{{1, 10}, {20, 30}, {10, 15}}, nil, []string{"10-15 overlaps 1-10"}},
		{"inside", []Range{{1, 100}, {20, 30}}, nil, []string{"20-30 overlaps 1-100"}},
		{"digits", []Range{{1, 10000}}, nil, []string{"1-10000 does not fit into the 4 digits"}},
		{"backwards", []Range{{9, 1}}, nil, []string{"start must be"}},
		{"zero", []Range{{0, 1}}, nil, []string{"start must be"}},
		{"reserved digits only", nil, []string{"8888"}, []string{"{dept}{yyyy}{seq:4} never makes 8888; write whole numbers"}},
		{"reserved mark", nil, []string{"RD20268888", "RD2026-8888"}, []string{"never makes RD2026-8888"}},
		{"many reserved", nil, []string{"1", "2", "3", "4", "5"}, []string{"never makes 3", "and others"}},
		{"all", []Range{{1, 10}, {5, 10001}}, []string{"x"}, []string{"fit", "overlaps", "never makes x"}},
	} {
		_, err := NewRule("{dept}{yyyy}{seq:4}", tc.ranges, tc.reserved)
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want an error with %q", tc.name, err, want)
			}
		}
	}
	if _, err := NewRule("{dept}{yyyy}{seq:4}", []Range{{5000, 9999}, {1, 4999}}, []string{"rd20268888", "A19990001"}); err != nil {
		t.Errorf("a good rule is refused: %v", err)
	}
}

func TestNextCountsThroughRangesInOrder(t *testing.T) {
	r := mustRule(t, "{dept}{seq:2}", []Range{{50, 52}, {7, 8}, {99, 99}}, "rd51", "RD07")
	s := mustExpand(t, r.Pattern, march2026)
	var got []string
	last := int64(0)
	for {
		number, position, err := r.Next(s, last, func(n string) bool { return n == "RD99" })
		if errors.Is(err, ErrExhausted) {
			break
		}
		if err != nil || position <= last {
			t.Fatalf("Next after %d: %s at %d, %v", last, number, position, err)
		}
		got, last = append(got, number), position
	}
	if want := []string{"RD50", "RD52", "RD08"}; !slices.Equal(got, want) {
		t.Errorf("numbers %v; want %v", got, want)
	}
}

func TestNextIsBounded(t *testing.T) {
	r := mustRule(t, "{seq:9}", nil)
	s := mustExpand(t, r.Pattern, Values{})
	asked := 0
	number, position, err := r.Next(s, 10, func(string) bool { asked++; return true })
	if number != "" || !errors.Is(err, ErrUnfinished) || asked != candidatesPerCall || position != 10+candidatesPerCall {
		t.Errorf("Next = %q at %d, %v after %d questions", number, position, err, asked)
	}
	number, position, err = r.Next(s, position, none)
	if want := s.Number(11 + candidatesPerCall); number != want || position != 11+candidatesPerCall || err != nil {
		t.Errorf("going on: %q at %d, %v; want %q", number, position, err, want)
	}
}

func TestNextKeepsItsPlaceWhenRangesAreAppendedOrLengthened(t *testing.T) {
	before := mustRule(t, "{seq:3}", []Range{{100, 101}})
	s := mustExpand(t, before.Pattern, Values{})
	if _, _, err := before.Next(s, 2, none); !errors.Is(err, ErrExhausted) {
		t.Fatalf("after both numbers: %v", err)
	}
	for _, ranges := range [][]Range{{{100, 102}}, {{100, 101}, {102, 200}}, {{100, 101}, {5, 6}}} {
		number, position, err := mustRule(t, "{seq:3}", ranges).Next(s, 2, none)
		if number == "100" || number == "101" || position != 3 || err != nil {
			t.Errorf("%v: %s at %d, %v", ranges, number, position, err)
		}
	}
}

func TestAbove(t *testing.T) {
	r := mustRule(t, "{dept}{seq:4}", []Range{{1000, 1999}, {1, 99}}, "RD0050")
	s := mustExpand(t, r.Pattern, march2026)
	for _, tc := range []struct {
		numbers []string
		want    int64
	}{
		{nil, 0},
		{[]string{"RD1004", "RD1000"}, 5},
		{[]string{"rd1004"}, 5},
		{[]string{"RD1004", "RD0002"}, 1002},
		{[]string{"RD0050", "RD1000"}, 1},
		{[]string{"HR1004", "RD9000", "RD10041", "RD100", "", "RD10O4", "研发1004"}, 0},
	} {
		if got := r.Above(s, tc.numbers); got != tc.want {
			t.Errorf("Above(%v) = %d; want %d", tc.numbers, got, tc.want)
		}
	}
}

func TestLedger(t *testing.T) {
	var l Ledger
	if l.Passed("RD20260001") {
		t.Error("the empty ledger knows a number")
	}
	shape := func(key string) Shape {
		s, err := ParseShape(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	l.Add(Sequence{Shape: shape("RD2026{seq:4}"), Last: 12})
	l.Add(Sequence{Shape: shape("E{seq:4}-x"), Last: 1001, Ranges: []Range{{1000, 1999}, {1, 99}}})
	l.Add(Sequence{Shape: shape("E{seq:4}-X"), Last: 5, Ranges: []Range{{500, 600}}})
	for number, want := range map[string]bool{
		"RD20260001": true, "rd20260012": true, "RD20260013": false, "RD20260000": false, "RD2026001": false, "HR20260001": false,
		"E1000-x": true, "e1999-X": true, "E2000-x": false, "E0001-x": true, "E0002-x": false,
		"E0504-x": true, "E0505-x": false, "E050A-x": false, "": false,
	} {
		if got := l.Passed(number); got != want {
			t.Errorf("Passed(%q) = %v", number, got)
		}
	}
}

// TestP3PatternChangeNeverRepeatsANumber: other tokens may spell the same text; what an old sequence passed stays used up.
func TestP3PatternChangeNeverRepeatsANumber(t *testing.T) {
	var l Ledger
	given := map[string]bool{}
	count := func(pattern string, last int64, n int) {
		r := mustRule(t, pattern, nil)
		s := mustExpand(t, r.Pattern, march2026)
		for range n {
			number, position, err := r.Next(s, last, l.Passed)
			if err != nil {
				t.Fatalf("%s after %d: %v", pattern, last, err)
			}
			if given[Fold(number)] {
				t.Fatalf("%s gave %s a second time", pattern, number)
			}
			given[Fold(number)], last = true, position
		}
		l.Add(Sequence{Shape: s, Last: last})
	}
	count("{yyyy}{seq:4}", 0, 20)   // 20260001 …
	count("{seq:8}", 20259999, 50)  // the same text, another token
	count("{yy}{yy}{seq:4}", 0, 20) // 26260001 …
	count("2026{mm}{seq:2}", 0, 50) // 20260301 …
	count("rd{seq:4}", 0, 10)
	count("{dept}{seq:4}", 0, 10) // equal but for case
	if len(given) != 160 {
		t.Errorf("%d different numbers; want 160", len(given))
	}
}

// FuzzP3NextNeverRepeats: whatever the rule, a number is never reserved nor taken, its position grows, and it has the pattern's shape.
func FuzzP3NextNeverRepeats(f *testing.F) {
	f.Add("{dept}{yyyy}{seq:4}", uint16(1), uint16(30), uint16(40), uint16(99), uint64(0x5a5a), int64(0))
	f.Add("{seq:1}", uint16(5), uint16(9), uint16(1), uint16(4), uint64(7), int64(2))
	f.Add("a{seq:2}.{yy}", uint16(0), uint16(0), uint16(0), uint16(0), uint64(1<<63), int64(-4))
	f.Fuzz(func(t *testing.T, pattern string, a, b, c, d uint16, mask uint64, last int64) {
		var ranges []Range
		if b != 0 {
			ranges = []Range{{int64(a), int64(b)}, {int64(c), int64(d)}}
		}
		p, err := Parse(pattern)
		if err != nil {
			return
		}
		s, err := p.Expand(march2026)
		if err != nil {
			t.Fatalf("expanding %q: %v", pattern, err)
		}
		var reserved []string
		for i := range int64(16) {
			if mask>>(i+16)&1 == 1 && int64(a)+i <= s.max() {
				reserved = append(reserved, strings.ToUpper(s.Number(int64(a)+i)))
			}
		}
		r, err := NewRule(pattern, ranges, reserved)
		if err != nil {
			return
		}
		taken := func(number string) bool {
			v, ok := s.Value(number)
			if !ok {
				t.Fatalf("%q is not of the shape %s", number, s)
			}
			return mask>>(v%16)&1 == 1
		}
		checkCounting(t, r, s, reserved, taken, min(last, 1<<40))
	})
}

func checkCounting(t *testing.T, r Rule, s Shape, reserved []string, taken func(string) bool, last int64) {
	t.Helper()
	possible := r.Pattern.matcher()
	seen := map[string]bool{}
	for range 40 {
		number, position, err := r.Next(s, last, taken)
		switch {
		case errors.Is(err, ErrExhausted):
			return
		case errors.Is(err, ErrUnfinished) && position > last:
			last = position
			continue
		case err != nil:
			t.Fatal(err)
		}
		folded := Fold(number)
		switch {
		case position <= last:
			t.Fatalf("position %d after %d", position, last)
		case seen[folded] || taken(number):
			t.Fatalf("%s is used", number)
		case slices.ContainsFunc(reserved, func(o string) bool { return Fold(o) == folded }):
			t.Fatalf("%s is reserved", number)
		case !possible.MatchString(number):
			t.Fatalf("%s does not fit %s", number, r.Pattern)
		case r.Above(s, []string{number}) != position:
			t.Fatalf("%s stands at %d, not at %d", number, r.Above(s, []string{number}), position)
		}
		var l Ledger
		l.Add(Sequence{Shape: s, Last: position, Ranges: r.ranges})
		if !l.Passed(number) {
			t.Fatalf("the ledger forgot %s", number)
		}
		seen[folded], last = true, position
	}
}

func BenchmarkLedgerPassed(b *testing.B) {
	var l Ledger
	for i := range 10000 {
		s, err := ParseShape(fmt.Sprintf("D%d{seq:4}", i))
		if err != nil {
			b.Fatal(err)
		}
		l.Add(Sequence{Shape: s, Last: 100})
	}
	for b.Loop() {
		if !l.Passed("D99990100") {
			b.Fatal("not found")
		}
	}
}
