package directory

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Class is what an error means to us, whatever the platform calls it.
type Class string

// The classes. Each provider has one table from platform code to class; the
// controllers have one table from class to reason and requeue.
const (
	NotFound         Class = "NotFound"         // proven absent
	AlreadyExists    Class = "AlreadyExists"    // the id or sibling name is taken
	Conflict         Class = "Conflict"         // another unique value (mobile, mail) is taken, or state forbids it
	Invalid          Class = "Invalid"          // the platform refuses the value
	Unauthenticated  Class = "Unauthenticated"  // the credentials are wrong
	PermissionDenied Class = "PermissionDenied" // the credentials may not do this
	RateLimited      Class = "RateLimited"      // later; Error.RetryAfter says when, if known
	QuotaExceeded    Class = "QuotaExceeded"    // a limit that waiting does not lift
	Unavailable      Class = "Unavailable"      // the platform or the way to it is down; nothing was changed
	NotSupported     Class = "NotSupported"     // the platform cannot do this
	OutcomeUnknown   Class = "OutcomeUnknown"   // a write was sent and never answered
)

// Error is a platform's refusal, or our failure to reach it. Message is safe to
// show: no secret, no personal data.
type Error struct {
	Class Class
	// Operation is the platform operation, e.g. "user/create".
	Operation string
	// Code is the platform's own code, empty if the platform did not answer.
	Code string
	// Message is for people, in our words.
	Message string
	// Holder is the platform id of whoever holds a unique value, if known.
	Holder string
	// RetryAfter is how long to wait; 0 is unknown.
	RetryAfter time.Duration
	// Err is the cause, if any. It is not printed: it may hold what must not be shown.
	Err error
}

func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("%s: %s (%s)", e.Operation, e.Message, e.Class)
	}
	return fmt.Sprintf("%s: %s (%s, platform code %s)", e.Operation, e.Message, e.Class, e.Code)
}

func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of err, and "" for nil. An error without a class
// means that we could not reach the platform: Unavailable.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Unavailable
}

// RetryAfter returns how long the platform asked us to wait, or 0.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// IsCancelled reports whether err is our own ending of the work.
func IsCancelled(err error) bool { return errors.Is(err, context.Canceled) }
