package approval

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// Subject is one person or object that is asked about. No two have the same UID.
type Subject struct {
	UID, Kind, Name string
	// Number of the employee; empty when the object is nobody's.
	Number string
	// Action that waits.
	Action string
}

// Question is what somebody decides about.
type Question struct {
	Purpose, Namespace string
	// Account is empty when it is about none in particular.
	Account  string
	Subjects []Subject
	// Terms are what is decided about beside the subjects; empty where they say it all.
	Terms string `json:",omitempty"`
}

// Sort orders subjects as people look for them: by number, then by name.
func Sort(subjects []Subject) {
	slices.SortFunc(subjects, func(a, b Subject) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.UID, b.UID), cmp.Compare(a.Action, b.Action))
	})
}

// Digest is the SHA-256 of the question in hex, whatever the order of the subjects.
func (q Question) Digest() string {
	q.Subjects = slices.Clone(q.Subjects)
	Sort(q.Subjects)
	text, err := json.Marshal(q)
	if err != nil {
		panic(err) // strings always can be written
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// State is how a question stands; the words equal the API's.
type State string

// The states. Stale: what is listed is not what the digest is of, or what was decided about.
const (
	Pending   State = "Pending"
	Approved  State = "Approved"
	Rejected  State = "Rejected"
	Expired   State = "Expired"
	Withdrawn State = "Withdrawn"
	Stale     State = "Stale"
)

// Record is a question as it was put, and what was answered.
type Record struct {
	Question Question
	// Digest that the record carries.
	Digest  string
	Expires time.Time
	// Withdrawn: it was taken back before anybody decided.
	Withdrawn bool
	// Verdict is Approved or Rejected, about DecidedDigest; empty before.
	Verdict, DecidedDigest string
}

// Judge says how the question stands. An approval that has expired allows nothing that has
// not begun; a rejection stays one.
func Judge(r Record, now time.Time) State {
	digest := r.Question.Digest()
	expired := !now.Before(r.Expires)
	switch {
	case r.Withdrawn:
		return Withdrawn
	case r.Digest != digest, r.Verdict != "" && r.DecidedDigest != digest:
		return Stale
	case r.Verdict == string(Rejected):
		return Rejected
	case expired:
		return Expired
	case r.Verdict == string(Approved):
		return Approved
	}
	return Pending
}
