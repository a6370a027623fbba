package archive

import (
	"errors"
	"fmt"
)

// Damage is an archive that is not what was written. What names the damaged or
// missing thing; it is safe to show: no personal data.
type Damage struct {
	What string
}

func (d *Damage) Error() string { return "the archive is damaged: " + d.What }

// Unsupported is what the format has no place for, or this program's version of it
// does not know: nothing is damaged. What is safe to show: no personal data.
type Unsupported struct {
	What string
}

func (u *Unsupported) Error() string { return u.What }

// ErrWrongKey means that the archive was written for other identities.
var ErrWrongKey = errors.New("no identity opens the archive: it was encrypted to other recipients")

func unsupported(format string, a ...any) error {
	return &Unsupported{What: fmt.Sprintf(format, a...)}
}

func damage(format string, a ...any) error { return &Damage{What: fmt.Sprintf(format, a...)} }
