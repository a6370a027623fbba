package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// Fault is what a request meets in place of a plain answer. act takes the request as always, and returns what would have
// been answered; a fault that does not call it does nothing of what was asked.
type Fault func(w http.ResponseWriter, r *http.Request, act func() (status int, receipt []byte))

// Next lets the next requests meet the faults, one each.
func (s *Receiver) Next(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

func (s *Receiver) nextFault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		return Status(http.StatusServiceUnavailable, "")
	case len(s.faults) == 0:
		return nil
	}
	fault := s.faults[0]
	s.faults = s.faults[1:]
	return fault
}

// Status answers with a status and no receipt, and does nothing. retryAfter is a header, if it is not empty.
func Status(status int, retryAfter string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ func() (int, []byte)) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
	}
}

// Lost does what was asked, and breaks the connection instead of answering.
func Lost(w http.ResponseWriter, r *http.Request, act func() (int, []byte)) {
	act()
	Unsent(w, r, act)
}

// Unsent breaks the connection, and does nothing.
func Unsent(http.ResponseWriter, *http.Request, func() (int, []byte)) { panic(http.ErrAbortHandler) }

// Failed does what was asked, and answers with 500.
func Failed(w http.ResponseWriter, _ *http.Request, act func() (int, []byte)) {
	act()
	w.WriteHeader(http.StatusInternalServerError)
}

// Pending takes the request and does nothing yet.
func Pending(w http.ResponseWriter, r *http.Request, _ func() (int, []byte)) {
	w.Header().Set("Retry-After", "30")
	respond(w, http.StatusAccepted, encode(answer{"key": r.Header.Get("webhook-id"), "state": "Pending"}))
}

// Refuse answers with a receipt that refuses, and does nothing.
func Refuse(status int, code string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ func() (int, []byte)) {
		status, receipt := refuse(r.Header.Get("webhook-id"), status, code)
		respond(w, status, receipt)
	}
}

// Altered does what was asked, and changes the receipt. A nil value takes a field away.
func Altered(field string, value any) Fault {
	return func(w http.ResponseWriter, _ *http.Request, act func() (int, []byte)) {
		status, receipt := act()
		var a answer
		if json.Unmarshal(receipt, &a) == nil {
			a[field] = value
			if value == nil {
				delete(a, field)
			}
			receipt = encode(a)
		}
		respond(w, status, receipt)
	}
}

// Body does what was asked, and answers 200 with these bytes.
func Body(b []byte) Fault {
	return func(w http.ResponseWriter, _ *http.Request, act func() (int, []byte)) {
		act()
		respond(w, http.StatusOK, b)
	}
}

// Huge does what was asked, and answers for as long as somebody reads.
func Huge(w http.ResponseWriter, _ *http.Request, act func() (int, []byte)) {
	act()
	for chunk := bytes.Repeat([]byte(" "), 1<<16); ; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// Drip does what was asked, and answers a byte at a time for as long as somebody listens.
func Drip(w http.ResponseWriter, r *http.Request, act func() (int, []byte)) {
	act()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// Redirect points elsewhere, by a status that asks to repeat the request there.
func Redirect(to string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ func() (int, []byte)) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}
