// Package webhook is a small in-house system that takes part by docs/webhook.md: what a company writes to have its own
// systems told of joiners and leavers. It is written from that page, and shares no code with the client.
//
// It shows the four things that a receiver has to do: verify the signature over the bytes as they came, refuse what is
// old, do an act once for each key and answer its repetitions alike, and echo the key in a receipt.
package webhook

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tolerance is how old or new a request may be.
const tolerance = 5 * time.Minute

// Options of a receiver.
type Options struct {
	// Keys are the bytes that signatures are checked with; one that fits is enough.
	Keys [][]byte
	// Now is the clock; nil is the system's.
	Now func() time.Time
	// Blind: lookups are refused.
	Blind bool
	// Events are what a check says is done; nil says nothing.
	Events []string
	// Seen is told of every request as it came, and of every receipt in answer; nil is nobody.
	Seen func(request *http.Request, body, receipt []byte)
}

// Account is somebody's account here.
type Account struct {
	ID, Login, Number string
	Attributes        map[string][]string
	Enabled, Unlinked bool
	Groups            []string
	// Sessions that are open; unlinking leaves them.
	Sessions int
}

// Act is something that was done, not merely asked for.
type Act struct{ Type, Key, AccountID string }

// Receiver is an http.Handler. It is safe for concurrent use.
type Receiver struct {
	o Options

	mu       sync.Mutex
	accounts map[string]*Account
	done     map[string]done // by key
	acts     []Act
	faults   []Fault
	down     bool
	ids      int
}

// done is what was answered to a key, and to which body.
type done struct {
	body    [sha256.Size]byte
	receipt []byte
}

// New returns a receiver with nobody in it.
func New(o Options) *Receiver {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Receiver{o: o, accounts: map[string]*Account{}, done: map[string]done{}}
}

// Accounts are all accounts, by id.
func (s *Receiver) Accounts() map[string]Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]Account{}
	for id, a := range s.accounts {
		all[id] = *a
	}
	return all
}

// Change changes an account as an administrator would; without the id it makes one.
func (s *Receiver) Change(id string, change func(*Account)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[id] == nil {
		s.accounts[id] = &Account{ID: id, Attributes: map[string][]string{}}
	}
	change(s.accounts[id])
}

// Acts are what was done so far, in order.
func (s *Receiver) Acts() []Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acts)
}

// event is the body of a request.
type event struct {
	Version string `json:"version"`
	Type    string `json:"type"`
	Key     string `json:"key"`
	Data    struct {
		AccountID  string              `json:"accountID"`
		Login      string              `json:"login"`
		Number     string              `json:"number"`
		Attributes map[string][]string `json:"attributes"`
		Wanted     []string            `json:"wanted"`
	} `json:"data"`
}

// answer is the body of a receipt: a few fields of docs/webhook.md, whichever there are.
type answer map[string]any

// ServeHTTP takes one request, or does what the next fault says.
func (s *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<10))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	act := func() (int, []byte) {
		status, receipt := s.take(r.Header, body)
		if s.o.Seen != nil {
			s.o.Seen(r, body, receipt)
		}
		return status, receipt
	}
	if fault := s.nextFault(); fault != nil {
		fault(w, r, act)
		return
	}
	status, receipt := act()
	respond(w, status, receipt)
}

func respond(w http.ResponseWriter, status int, receipt []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(receipt)
}

// take verifies, looks whether the act was done already, and does it.
func (s *Receiver) take(header http.Header, body []byte) (int, []byte) {
	id := header.Get("webhook-id")
	if code := s.verify(header, body); code != "" {
		return refuse(id, http.StatusUnauthorized, code)
	}
	var e event
	if json.Unmarshal(body, &e) != nil || e.Version != "v1" || e.Key != id {
		return refuse(id, http.StatusBadRequest, "invalid")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Type {
	case "system.check":
		return s.check(&e)
	case "account.lookup":
		return s.lookup(&e)
	}
	sum := sha256.Sum256(body)
	if before, known := s.done[id]; known {
		if before.body != sum && e.Type != "account.provision" { // the account that was made, whatever was declared since
			return refuse(id, http.StatusConflict, "keyReused")
		}
		return http.StatusOK, before.receipt
	}
	a, code := s.do(&e)
	if code != "" {
		return refuse(id, refusals[code], code) // not remembered: nothing was done
	}
	s.acts = append(s.acts, Act{e.Type, id, a.ID})
	receipt := s.receipt(&e, a)
	s.done[id] = done{sum, receipt}
	return http.StatusOK, receipt
}

// refusals are the statuses of codes.
var refusals = map[string]int{
	"notFound": http.StatusNotFound, "loginTaken": http.StatusConflict, "conflict": http.StatusConflict,
	"notSupported": http.StatusNotImplemented, "invalid": http.StatusUnprocessableEntity,
}

func refuse(key string, status int, code string) (int, []byte) {
	return status, encode(answer{"key": key, "error": answer{"code": code}})
}

func encode(a answer) []byte {
	b, _ := json.Marshal(a) // only strings, numbers and lists are ever in it
	return b
}

// verify checks age and signature as docs/webhook.md says, and returns the code of a refusal.
func (s *Receiver) verify(header http.Header, body []byte) string {
	seconds, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return "badSignature"
	}
	signed := bytes.Join([][]byte{[]byte(header.Get("webhook-id")), []byte(header.Get("webhook-timestamp")), body}, []byte("."))
	genuine := false
	for signature := range strings.FieldsSeq(header.Get("webhook-signature")) {
		kind, text, _ := strings.Cut(signature, ",")
		given, err := base64.StdEncoding.DecodeString(text)
		if kind != "v1" || err != nil {
			continue
		}
		for _, key := range s.o.Keys {
			mac := hmac.New(sha256.New, key)
			mac.Write(signed)
			genuine = genuine || hmac.Equal(given, mac.Sum(nil)) // in constant time
		}
	}
	age := s.o.Now().Sub(time.Unix(seconds, 0))
	switch {
	case !genuine:
		return "badSignature"
	case age > tolerance || age < -tolerance:
		return "staleTimestamp"
	}
	return ""
}

func (s *Receiver) check(e *event) (int, []byte) {
	a := answer{"key": e.Key}
	if s.o.Events != nil {
		a["events"] = s.o.Events
	}
	return http.StatusOK, encode(a)
}

func (s *Receiver) lookup(e *event) (int, []byte) {
	if s.o.Blind {
		return refuse(e.Key, http.StatusNotImplemented, "notSupported")
	}
	found := []answer{}
	for _, id := range slices.Sorted(maps.Keys(s.accounts)) {
		a := s.accounts[id]
		if a.ID == e.Data.AccountID || e.Data.Number != "" && a.Number == e.Data.Number || e.Data.Login != "" && strings.EqualFold(a.Login, e.Data.Login) {
			found = append(found, describe(a, e.Data.Wanted))
		}
	}
	return http.StatusOK, encode(answer{"key": e.Key, "accounts": found})
}

// do does an act, or returns the code of a refusal.
func (s *Receiver) do(e *event) (*Account, string) {
	if e.Type == "account.provision" {
		return s.provision(e)
	}
	a := s.accounts[e.Data.AccountID]
	if a == nil {
		return nil, "notFound"
	}
	switch e.Type {
	case "account.update":
		if s.taken(e.Data.Login, a) {
			return nil, "conflict"
		}
		a.Login = cmp.Or(e.Data.Login, a.Login)
		set(a, e.Data.Attributes)
	case "account.disable":
		a.Enabled = false
	case "account.enable":
		a.Enabled, a.Unlinked = true, false
	case "account.unlink":
		if a.Enabled {
			return nil, "conflict"
		}
		a.Unlinked, a.Groups = true, nil
	case "account.delete":
		delete(s.accounts, a.ID)
	default:
		return nil, "notSupported"
	}
	return a, ""
}

func (s *Receiver) provision(e *event) (*Account, string) {
	switch {
	case e.Data.Login == "":
		return nil, "invalid"
	case s.taken(e.Data.Login, nil):
		return nil, "loginTaken"
	}
	s.ids++
	a := &Account{ID: fmt.Sprintf("acc-%04d", s.ids), Login: e.Data.Login, Number: e.Data.Number, Enabled: true, Attributes: map[string][]string{}}
	set(a, e.Data.Attributes)
	s.accounts[a.ID] = a
	return a, ""
}

func (s *Receiver) taken(login string, but *Account) bool {
	for _, a := range s.accounts {
		if a != but && login != "" && strings.EqualFold(a.Login, login) {
			return true
		}
	}
	return false
}

func set(a *Account, attributes map[string][]string) {
	for name, values := range attributes {
		if len(values) == 0 {
			delete(a.Attributes, name)
		} else {
			a.Attributes[name] = values
		}
	}
}

// receipt is the answer to an act that was done.
func (s *Receiver) receipt(e *event, a *Account) []byte {
	r := describe(a, nil)
	if e.Type == "account.delete" {
		r = answer{"accountID": a.ID, "state": "Deleted"}
	}
	r["key"], r["reference"] = e.Key, fmt.Sprintf("act-%d", len(s.acts))
	return encode(r)
}

// describe is what a receipt says of an account, with the attributes that are wanted.
func describe(a *Account, wanted []string) answer {
	attributes := map[string][]string{}
	for _, name := range wanted {
		if values, has := a.Attributes[name]; has {
			attributes[name] = values
		}
	}
	r := answer{"accountID": a.ID, "state": state(a), "login": a.Login, "attributes": attributes}
	if a.Number != "" {
		r["number"] = a.Number
	}
	if len(a.Groups) > 0 {
		r["groups"] = slices.Clone(a.Groups)
	}
	if a.Sessions > 0 {
		r["residuals"] = []answer{{"kind": "Sessions", "count": a.Sessions}}
	}
	return r
}

// state of an account, as receipts call it.
func state(a *Account) string {
	switch {
	case a.Enabled:
		return "Enabled"
	case a.Unlinked:
		return "Unlinked"
	}
	return "Disabled"
}
