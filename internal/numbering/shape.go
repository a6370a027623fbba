package numbering

import (
	"fmt"
	"strings"
)

// Shape is a pattern with everything filled in but the sequence. Shapes can be compared.
type Shape struct {
	before, after string
	digits        int
}

// Fold maps numbers that differ in upper and lower case only to one text.
func Fold(number string) string { return strings.ToLower(number) }

// ParseShape reads what String writes.
func ParseShape(text string) (Shape, error) {
	p, err := Parse(text)
	if err != nil {
		return Shape{}, fmt.Errorf("reading sequence %q: %w", text, err)
	}
	dept, date := p.Needs()
	if dept || date {
		return Shape{}, fmt.Errorf("reading sequence %q: it has a token that is not filled in", text)
	}
	return p.Expand(Values{})
}

// String is what the sequence is known by, e.g. RD2026{seq:4}.
func (s Shape) String() string {
	return fmt.Sprintf("%s{%s%d}%s", s.before, tokenSequence, s.digits, s.after)
}

// Number is the number with this value of the sequence.
func (s Shape) Number(value int64) string {
	return fmt.Sprintf("%s%0*d%s", s.before, s.digits, value, s.after)
}

// Value is the value of the sequence in a number of this shape.
func (s Shape) Value(number string) (int64, bool) {
	number, folded := Fold(number), s.Fold()
	if len(number) != len(s.before)+s.digits+len(s.after) ||
		!strings.HasPrefix(number, folded.before) || !strings.HasSuffix(number, folded.after) {
		return 0, false
	}
	return digitsValue(number[len(s.before) : len(s.before)+s.digits])
}

// max is the greatest value that the digits hold.
func (s Shape) max() int64 { return greatest(s.digits) }

// Fold maps shapes whose numbers differ in upper and lower case only to one shape.
func (s Shape) Fold() Shape {
	return Shape{before: Fold(s.before), after: Fold(s.after), digits: s.digits}
}

// greatest is the greatest value of so many digits.
func greatest(digits int) int64 {
	n := int64(1)
	for range digits {
		n *= 10
	}
	return n - 1
}

func digitsValue(s string) (int64, bool) {
	n := int64(0)
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
