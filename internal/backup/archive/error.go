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

// ErrWrongKey means that the archive was written for other identities.
var ErrWrongKey = errors.New("no identity opens the archive: it was encrypted to other recipients")

func damage(format string, a ...any) error { return &Damage{What: fmt.Sprintf(format, a...)} }
