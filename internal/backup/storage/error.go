package storage

import (
	"context"
	"errors"
	"fmt"
)

// Class is what an error means to us, whatever the service calls it.
type Class string

// The classes.
const (
	Unavailable Class = "Unavailable" // the place, or the way to it, is down: later
	Denied      Class = "Denied"      // the credentials are wrong, or may not do this
	Full        Class = "Full"        // no space, or a quota is used up
	NotFound    Class = "NotFound"    // proven absent: the key, the bucket, the folder
	Held        Class = "Held"        // a legal hold forbids it
	Damaged     Class = "Damaged"     // what is stored is not what its seal says
	Invalid     Class = "Invalid"     // it is asked for wrongly: the key, the settings, the order
)

// Error is a place's refusal, or our failure to reach it. It is safe to show: no
// credential, no personal data.
type Error struct {
	Class Class
	// Place is the place as it calls itself, e.g. "s3://acme/rollcall".
	Place string
	// Key is the archive, or the folder in the place; empty if it is about the place.
	Key string
	// Op says in words what was tried, e.g. "reading the seal".
	Op string
	// Message is for people, in our words.
	Message string
	// Err is the cause, if any. It is not printed: it may hold what must not be shown.
	Err error
}

func (e *Error) Error() string {
	where := e.Place
	if e.Key != "" {
		where += "/" + e.Key
	}
	return fmt.Sprintf("%s: %s: %s (%s)", where, e.Op, e.Message, e.Class)
}

func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of err, and "" for nil. An error without a class means
// that we could not reach the place: Unavailable.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Unavailable
}

// fault is an error on its way from a backend to its place.
type fault struct {
	class   Class
	message string
	// gone: not the key is missing, but the bucket or folder with everything in it.
	gone bool
	err  error
}

func (f *fault) Error() string { return f.message }
func (f *fault) Unwrap() error { return f.err }

// interrupted is the fault of a context that ended; nil if it did not.
func interrupted(ctx context.Context) error {
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &fault{class: Unavailable, message: "it took too long", err: ctx.Err()}
	default:
		return &fault{class: Unavailable, message: "it was interrupted", err: ctx.Err()}
	}
}

// wrap makes an [Error] of a backend's fault.
func (p *Place) wrap(err error, key, op string) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	f, ok := errors.AsType[*fault](err)
	if !ok {
		f = &fault{class: Unavailable, message: "it cannot be reached", err: err}
	}
	return &Error{Class: f.class, Place: p.name, Key: key, Op: op, Message: f.message, Err: f}
}

func (p *Place) refuse(c Class, key, op, format string, a ...any) error {
	return &Error{Class: c, Place: p.name, Key: key, Op: op, Message: fmt.Sprintf(format, a...)}
}

// absent reports whether err says that a file is not there, in a place that is.
func absent(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.class == NotFound && !f.gone
}
