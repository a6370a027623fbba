package linked

import (
	"cmp"
	"maps"
	"slices"
)

// A system that says more than anybody keeps about people would fill our memory, and harm others (P11).
const (
	// mostKept is how many bytes are kept of a system. A thousand people are some hundred KiB.
	mostKept = 128 << 20
	// mostOfOne is how many are kept of one account.
	mostOfOne = 128 << 10
)

// tooLong stands for the values of an attribute that are too long to be kept. No expression makes it, so that they differ from
// whatever is declared, as they do.
const tooLong = "\x00too long to be kept"

// sizeOf is how many bytes are kept of an account. The names of attributes are shared.
func sizeOf(a *Account) int {
	n := len(a.ID) + len(a.Login) + len(a.Number) + sizeOfValues(a.Groups)
	for _, values := range a.Attributes {
		n += sizeOfValues(values)
	}
	return n
}

func sizeOfValues(values []string) (n int) {
	for _, v := range values {
		n += sizeOfValue(v)
	}
	return n
}

// sizeOfValue counts what a list needs for it, too.
func sizeOfValue(v string) int { return len(v) + 16 }

// trimmed is an account as it is kept: of one that is too large not its largest attributes, and not all its groups. That it
// is enabled, and in groups, stays.
func trimmed(a Account) Account {
	over := sizeOf(&a) - mostOfOne
	if over <= 0 {
		return a
	}
	a.Attributes = maps.Clone(a.Attributes)
	names := slices.SortedFunc(maps.Keys(a.Attributes), func(x, y string) int {
		return cmp.Or(cmp.Compare(sizeOfValues(a.Attributes[y]), sizeOfValues(a.Attributes[x])), cmp.Compare(x, y))
	})
	for _, name := range names {
		if over <= 0 {
			return a
		}
		over -= sizeOfValues(a.Attributes[name]) - sizeOfValue(tooLong)
		a.Attributes[name] = []string{tooLong}
	}
	for over > 0 && len(a.Groups) > 1 {
		over -= sizeOfValue(a.Groups[len(a.Groups)-1])
		a.Groups = a.Groups[:len(a.Groups)-1]
	}
	a.Groups = slices.Clone(a.Groups) // what was behind is let go
	return a
}
