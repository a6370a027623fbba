package audit

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// Phase says whether a record stands before or after the change.
type Phase string

const (
	// Intent is written before the platform is asked.
	Intent Phase = "Intent"
	// Outcome is written when it answered, or when it is known that it did not.
	Outcome Phase = "Outcome"
)

// Change is something that is about to be done on a platform.
type Change struct {
	// Account is "<namespace>/<name>" of the EnterpriseAccount.
	Account string `json:"account"`
	// Action is what is done, e.g. "Freeze".
	Action string `json:"action"`
	// Target is what it is done to.
	Target Target `json:"target"`
	// Before and After are the fields that change, masked.
	Before map[string]string `json:"before,omitempty"`
	After  map[string]string `json:"after,omitempty"`
	// Reason is in the words of whoever declared the change.
	Reason string `json:"reason,omitempty"`
	// Actor is who asked for it.
	Actor Actor `json:"actor"`
	// Plan is the digest of the plan that it is a part of.
	Plan string `json:"plan,omitempty"`
}

// Target is what a change is done to.
type Target struct {
	// Kind is "account", "department" or "role".
	Kind string `json:"kind"`
	// ID is the platform's id; empty while the platform has not chosen one.
	ID string `json:"id,omitempty"`
}

// Actor is the object that declares a change, and who stands behind it.
type Actor struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	UID  string `json:"uid"`
	// Generation of the declaration.
	Generation int64 `json:"generation"`
	// Manager is the field manager that last wrote the declaration, e.g. "argocd-controller".
	Manager string `json:"manager,omitempty"`
	// Approver is who allowed it, where somebody had to.
	Approver string `json:"approver,omitempty"`
}

// Result is how a change ended.
type Result struct {
	// Class is empty for success, else the class of the error (internal/directory).
	Class string `json:"class,omitempty"`
	// Code is the platform's own code of a refusal.
	Code string `json:"code,omitempty"`
	// Request is the platform's id of the request, where it tells one.
	Request string `json:"request,omitempty"`
}

// Record is one line of a trail.
type Record struct {
	Seq   uint64    `json:"seq"`
	Prev  string    `json:"prev"`
	Time  time.Time `json:"time"`
	Phase Phase     `json:"phase"`
	// Act is the Seq of the intent that an outcome belongs to.
	Act uint64 `json:"act,omitempty"`
	Change
	// Result is set in outcomes only.
	Result *Result `json:"result,omitempty"`
}

func (r *Record) line() []byte {
	b, err := json.Marshal(r)
	if err != nil { // strings, numbers and times always marshal
		panic(err)
	}
	return append(b, '\n')
}

// Mask hides what identifies a person and leaves enough to recognise a value
// that one knows: the first character, of long values the last two as well, of
// short ones nothing.
func Mask(s string) string {
	n := utf8.RuneCountInString(s)
	switch {
	case n == 0:
		return ""
	case n < 4:
		return strings.Repeat("*", n)
	}
	r := []rune(s)
	if n < 7 {
		return string(r[:1]) + strings.Repeat("*", n-1)
	}
	return string(r[:1]) + strings.Repeat("*", min(n-3, 8)) + string(r[n-2:])
}
