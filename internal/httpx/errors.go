package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

var (
	// ErrUnavailable: the tenant failed repeatedly, the call was not tried.
	ErrUnavailable = errors.New("platform unavailable")
	// ErrThrottled: the platform asked for a pause longer than a call may wait
	// here, the call was not tried.
	ErrThrottled = errors.New("platform asks to slow down")
	// ErrBodyTooLarge: the answer is longer than Options.MaxBody.
	ErrBodyTooLarge = errors.New("answer is larger than allowed")
	// ErrUnwell: the tenant answered that it cannot serve now, which another
	// protocol than HTTP says otherwise than by a status of 500 and more.
	ErrUnwell = errors.New("platform cannot serve")

	errPanic       = errors.New("the call did not return")
	errCallTimeout = fmt.Errorf("no whole answer in time: %w", context.DeadlineExceeded)
)

// Error is a call that got no whole answer. Its text is free of secrets; it
// unwraps to the cause, which is one of the errors above, a context's error, or
// what net/http reported.
type Error struct {
	Operation string
	// Sent: at least a part of the request may have left this machine, so the
	// platform may have acted on it. False means that it certainly has not.
	Sent bool
	// RetryAfter is the least time to wait before trying again; 0 = not known.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	text := "calling " + e.Operation + ": " + Redact(e.Err.Error())
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(" (try again in %s)", e.RetryAfter.Round(time.Millisecond))
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Sent reports whether the call that ended in err may have reached the platform.
// It is true whenever that cannot be excluded: for nil and for foreign errors too.
func Sent(err error) bool {
	var e *Error
	return !errors.As(err, &e) || e.Sent
}

// RetryAfter returns the least time to wait before the call that ended in err is
// worth trying again; 0 when nothing is known.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// HungUp reports whether the connection was closed instead of an answer. Net/http repeats a GET then, if the
// connection had served before, but never a POST, which many readings are.
func HungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// Do sends req and returns the answer, or an *Error in whose text and chain the
// URL does not occur.
func Do(c *http.Client, req *http.Request) (*http.Response, error) {
	resp, err := c.Do(req)
	if err == nil {
		return resp, nil
	}
	var e *Error
	if errors.As(err, &e) {
		return nil, e
	}
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return nil, &Error{Operation: OperationFrom(req.Context()), Sent: true, Err: err}
}
