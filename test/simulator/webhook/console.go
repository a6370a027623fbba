package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// DemoKey is the key of the receiver that the simulator runs, which is not secret.
const DemoKey = "signing-key-of-the-doors-not-a-real-one"

// Shown is an account as an administrator sees it.
type Shown struct {
	ID         string              `json:"id"`
	Login      string              `json:"login"`
	Number     string              `json:"number,omitempty"`
	State      string              `json:"state"` // Enabled, Disabled or Unlinked
	Groups     []string            `json:"groups,omitempty"`
	Sessions   int                 `json:"sessions,omitempty"`
	Attributes map[string][]string `json:"attributes,omitempty"`
}

func shown(a *Account) Shown {
	return Shown{a.ID, a.Login, a.Number, state(a), a.Groups, a.Sessions, a.Attributes}
}

// byHand is what an administrator changes; what is not said stays.
type byHand struct {
	Enabled    *bool               `json:"enabled"`
	Groups     []string            `json:"groups"`
	Sessions   *int                `json:"sessions"`
	Attributes map[string][]string `json:"attributes"`
}

// Console is what an administrator of the system does beside its API: look, change somebody by hand, take it down. It
// has no password.
func (s *Receiver) Console() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /webhook/accounts", func(w http.ResponseWriter, _ *http.Request) {
		accounts := s.Accounts()
		all := []Shown{}
		for _, id := range slices.Sorted(maps.Keys(accounts)) {
			a := accounts[id]
			all = append(all, shown(&a))
		}
		show(w, http.StatusOK, all)
	})
	mux.HandleFunc("GET /webhook/accounts/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.one(w, r, func(*Account) error { return nil })
	})
	mux.HandleFunc("POST /webhook/accounts/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.one(w, r, func(a *Account) error { return change(r, a) })
	})
	mux.HandleFunc("DELETE /webhook/accounts/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.one(w, r, func(a *Account) error { delete(s.accounts, a.ID); return nil })
	})
	mux.HandleFunc("PUT /webhook/down", func(w http.ResponseWriter, _ *http.Request) { s.setDown(w, true) })
	mux.HandleFunc("DELETE /webhook/down", func(w http.ResponseWriter, _ *http.Request) { s.setDown(w, false) })
	return mux
}

// one does something to the account that is named, and shows it.
func (s *Receiver) one(w http.ResponseWriter, r *http.Request, do func(*Account) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[r.PathValue("id")]
	if a == nil {
		show(w, http.StatusNotFound, map[string]string{"error": fmt.Sprintf("account %q: not found", r.PathValue("id"))})
		return
	}
	if err := do(a); err != nil {
		show(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	show(w, http.StatusOK, shown(a))
}

func change(r *http.Request, a *Account) error {
	var by byHand
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<16))
	d.DisallowUnknownFields()
	if err := d.Decode(&by); err != nil {
		return errors.New(`write what to change: {"enabled":true,"groups":["safe"],"sessions":2,"attributes":{"name":["林晓"]}}`)
	}
	if by.Enabled != nil {
		a.Enabled = *by.Enabled
		a.Unlinked = a.Unlinked && !a.Enabled
	}
	if by.Groups != nil {
		a.Groups = by.Groups
	}
	if by.Sessions != nil {
		a.Sessions = *by.Sessions
	}
	set(a, by.Attributes)
	return nil
}

// setDown has every request answered with 503, or no more.
func (s *Receiver) setDown(w http.ResponseWriter, down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	w.WriteHeader(http.StatusNoContent)
}

func show(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a client that left misses it
}
