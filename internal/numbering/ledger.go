package numbering

// Sequence is how far one counter has come.
type Sequence struct {
	Shape Shape
	// Last is the position last used, counted through Ranges.
	Last int64
	// Ranges of the rule that counts; none means all that the digits hold.
	Ranges []Range
}

// Ledger answers whether any sequence has passed a number, so that a number stays used up when its Employee is gone, when
// the pattern has changed since, and when another rule makes the same numbers. The zero value knows of none.
type Ledger struct {
	sequences map[Shape][]Sequence // by folded shape
	layouts   map[layout]struct{}
}

// layout is where the digits stand; there are few in a ledger, which makes looking a number up cheap.
type layout struct {
	before, digits, after int
}

// Add makes a sequence known.
func (l *Ledger) Add(s Sequence) {
	if l.sequences == nil {
		l.sequences, l.layouts = map[Shape][]Sequence{}, map[layout]struct{}{}
	}
	key := s.Shape.Fold()
	l.sequences[key] = append(l.sequences[key], s)
	l.layouts[layout{len(key.before), key.digits, len(key.after)}] = struct{}{}
}

// Passed says whether a sequence has come as far as this number. That it was skipped then does not matter: what is at or
// before the position is never assigned.
func (l *Ledger) Passed(number string) bool {
	number = Fold(number)
	for at := range l.layouts {
		if len(number) != at.before+at.digits+at.after {
			continue
		}
		value, ok := digitsValue(number[at.before : at.before+at.digits])
		if !ok {
			continue
		}
		key := Shape{before: number[:at.before], after: number[at.before+at.digits:], digits: at.digits}
		for _, s := range l.sequences[key] {
			if p := position(rangesOf(s.Shape, s.Ranges), value); p > 0 && p <= s.Last {
				return true
			}
		}
	}
	return false
}
