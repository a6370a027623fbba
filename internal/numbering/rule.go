package numbering

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrExhausted means that the sequence has no number left.
	ErrExhausted = errors.New("the sequence is used up")
	// ErrUnfinished means that only numbers in use were met so far; call again from the new position.
	ErrUnfinished = errors.New("only numbers in use were met so far")
)

// candidatesPerCall bounds the work of one Next.
const candidatesPerCall = 1 << 16

// Range of sequence values, both ends included.
type Range struct {
	Start, End int64
}

// Rule is how numbers are made. A position counts the values of the ranges in their order, from 1; 0 is before the first.
// Positions keep their meaning while ranges are only appended, or the last one lengthened.
type Rule struct {
	Pattern  Pattern
	ranges   []Range
	reserved map[string]struct{} // folded
}

// NewRule checks a rule as a whole. The error lists everything that is wrong, in words for whoever wrote it.
func NewRule(pattern string, ranges []Range, reserved []string) (Rule, error) {
	p, err := Parse(pattern)
	if err != nil {
		return Rule{}, err
	}
	if wrong := append(checkRanges(p, ranges), checkReserved(p, reserved)...); len(wrong) > 0 {
		return Rule{}, errors.New(strings.Join(wrong, "; "))
	}
	r := Rule{Pattern: p, ranges: ranges, reserved: make(map[string]struct{}, len(reserved))}
	for _, number := range reserved {
		r.reserved[Fold(number)] = struct{}{}
	}
	return r, nil
}

func checkRanges(p Pattern, ranges []Range) (wrong []string) {
	limit := greatest(p.digits)
	for i, r := range ranges {
		switch {
		case r.Start < 1 || r.Start > r.End:
			wrong = append(wrong, fmt.Sprintf("ranges: %d-%d: start must be at least 1 and not greater than end", r.Start, r.End))
		case r.End > limit:
			wrong = append(wrong, fmt.Sprintf("ranges: %d-%d does not fit into the %d digits of {seq:%d}; end at %d or write more digits", r.Start, r.End, p.digits, p.digits, limit))
		}
		for _, o := range ranges[:i] {
			if r.Start <= o.End && o.Start <= r.End {
				wrong = append(wrong, fmt.Sprintf("ranges: %d-%d overlaps %d-%d; a number would be assigned twice", r.Start, r.End, o.Start, o.End))
			}
		}
	}
	return wrong
}

// checkReserved refuses a reserved number that the pattern cannot make: it would protect nothing, and whoever wrote it
// (often the sequence's digits alone) would believe that it does.
func checkReserved(p Pattern, reserved []string) (wrong []string) {
	possible := p.matcher()
	for _, number := range reserved {
		if possible.MatchString(number) {
			continue
		}
		if len(wrong) == 3 {
			return append(wrong, "and others")
		}
		wrong = append(wrong, fmt.Sprintf("reserved: %s never makes %s; write whole numbers, or leave it out", p, number))
	}
	return wrong
}

// Next counts on from a position to the next number that is neither reserved nor taken, and says at which position it is.
// taken is asked with numbers as they would be assigned. The new position is greater than last unless the error is
// ErrExhausted; with ErrUnfinished nothing up to it can be assigned.
func (r Rule) Next(s Shape, last int64, taken func(number string) bool) (number string, position int64, err error) {
	last = max(last, 0)
	for position = last + 1; position <= last+candidatesPerCall; position++ {
		value, ok := r.value(s, position)
		if !ok {
			return "", last, ErrExhausted
		}
		number = s.Number(value)
		if !r.isReserved(number) && !taken(number) {
			return number, position, nil
		}
	}
	return "", position - 1, ErrUnfinished
}

// Above is the position of the greatest of these numbers that the rule could have made in this shape; 0 if there is none.
// A reserved number says nothing: it was picked by hand.
func (r Rule) Above(s Shape, numbers []string) int64 {
	greatest := int64(0)
	for _, number := range numbers {
		if value, ok := s.Value(number); ok && !r.isReserved(number) {
			greatest = max(greatest, r.position(s, value))
		}
	}
	return greatest
}

func (r Rule) isReserved(number string) bool {
	_, reserved := r.reserved[Fold(number)]
	return reserved
}

// value is what stands at a position.
func (r Rule) value(s Shape, position int64) (int64, bool) {
	for _, o := range rangesOf(s, r.ranges) {
		if n := o.End - o.Start + 1; position > n {
			position -= n
			continue
		}
		return o.Start + position - 1, true
	}
	return 0, false
}

// position is where a value stands; 0 if it is in no range.
func (r Rule) position(s Shape, value int64) int64 { return position(rangesOf(s, r.ranges), value) }

func position(ranges []Range, value int64) int64 {
	passed := int64(0)
	for _, o := range ranges {
		if o.Start <= value && value <= o.End {
			return passed + value - o.Start + 1
		}
		passed += o.End - o.Start + 1
	}
	return 0
}

// rangesOf is the ranges in force for a shape: those declared, or all that the digits hold.
func rangesOf(s Shape, declared []Range) []Range {
	if len(declared) > 0 {
		return declared
	}
	return []Range{{Start: 1, End: s.max()}}
}
