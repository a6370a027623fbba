package linked

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// Mirror keeps what was last seen of one linked system. Safe for concurrent use. What it
// returns is shared: read it, do not change it.
type Mirror struct {
	now func() time.Time

	mu       sync.RWMutex
	accounts map[string]sighting
	numbers  map[string][]string // folded number -> ids
	logins   map[string][]string // folded login -> ids
	absent   map[string]uint64   // when a direct read proved the id absent, by clock
	doubts   map[string]uint64   // when the account was written to and not read since, by clock
	sought   map[string]bool     // whom the system was asked for since the last reading
	failed   map[string]bool     // who could not be read the last time, where accounts are read one by one
	clock    uint64              // counts what is told, to tell it from an older listing
	state    State
}

type sighting struct {
	Account
	read uint64 // Mirror.clock at a direct reading; 0 from a listing
}

// State says how good a mirror is.
type State struct {
	// Capabilities were discovered, when Discovered.
	Discovered   bool
	Capabilities Capabilities
	// Read: all accounts were read once; each that is linked, where the system does not list. Those of them that it did not
	// answer for are not known, and neither absent: Err says so.
	Read bool
	// ReadAt is when the last reading that succeeded began.
	ReadAt time.Time
	// Err is the error of the last attempt, nil if it succeeded.
	Err error
	// Accounts is how many are known.
	Accounts int
}

// Changes are what a reading showed to be new, different or missing.
type Changes struct {
	// First: nothing was known before, so everybody is affected.
	First bool
	// Accounts by id.
	Accounts []string
	// New: among them are some that were not known, or that have another login or number.
	New bool
}

// NewMirror returns an empty mirror.
func NewMirror(now func() time.Time) *Mirror {
	return &Mirror{
		now: now, accounts: map[string]sighting{}, numbers: map[string][]string{}, logins: map[string][]string{},
		absent: map[string]uint64{}, doubts: map[string]uint64{}, sought: map[string]bool{}, failed: map[string]bool{},
	}
}

// State returns how good the mirror is.
func (m *Mirror) State() State {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := m.state
	s.Accounts = len(m.accounts)
	return s
}

// Account returns the account as last seen, or nil.
func (m *Mirror) Account(id string) *Account {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if s, ok := m.accounts[id]; ok {
		return &s.Account
	}
	return nil
}

// Absent reports that a direct read proved the account absent, and nothing has shown it since.
func (m *Mirror) Absent(id string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.absent[id] > 0
}

// Candidates are the accounts with the number; without any, those with the login.
func (m *Mirror) Candidates(number, login string) (found []Account) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ids := m.numbers[strings.ToLower(number)]
	if len(ids) == 0 {
		ids = m.logins[strings.ToLower(login)]
	}
	for _, id := range ids {
		found = append(found, m.accounts[id].Account)
	}
	return found
}

// Seek records what the system answered when it was asked for somebody.
func (m *Mirror) Seek(number, login string, found []Account) {
	for _, a := range found {
		m.Put(a)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sought[soughtKey(number, login)] = true
}

// Sought reports that the system was asked for somebody since everybody was read, and nothing was made since.
func (m *Mirror) Sought(number, login string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.sought[soughtKey(number, login)]
}

// Unseek records that somebody may have come to be.
func (m *Mirror) Unseek(number, login string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sought, soughtKey(number, login))
}

func soughtKey(number, login string) string {
	return strings.ToLower(number) + "\x00" + strings.ToLower(login)
}

// Put records an account that was just read.
func (m *Mirror) Put(a Account) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock++
	m.set(sighting{a, m.clock})
	delete(m.doubts, a.ID)
}

func (m *Mirror) set(s sighting) {
	s.Account = trimmed(s.Account)
	m.remove(s.ID)
	m.accounts[s.ID] = s
	delete(m.absent, s.ID)
	enlist(m.numbers, s.Number, s.ID)
	enlist(m.logins, s.Login, s.ID)
}

func (m *Mirror) remove(id string) {
	s, ok := m.accounts[id]
	if !ok {
		return
	}
	delete(m.accounts, id)
	strike(m.numbers, s.Number, id)
	strike(m.logins, s.Login, id)
}

func enlist(lists map[string][]string, value, id string) {
	if k := strings.ToLower(value); k != "" {
		lists[k] = append(lists[k], id)
	}
}

func strike(lists map[string][]string, value, id string) {
	k := strings.ToLower(value)
	if rest := slices.DeleteFunc(lists[k], func(s string) bool { return s == id }); len(rest) > 0 {
		lists[k] = rest
	} else {
		delete(lists, k)
	}
}

// Forget records that a direct read proved the account absent.
func (m *Mirror) Forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock++
	m.remove(id)
	delete(m.doubts, id)
	m.absent[id] = m.clock
}

// Doubt records that the account is being written to: what is known of it may be older than
// that. A direct read ends the doubt, or [Mirror.Trust]; a listing does not, since the write
// may still be under way.
func (m *Mirror) Doubt(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock++
	m.doubts[id] = m.clock
}

// Trust records that the write was refused, or left nothing to read.
func (m *Mirror) Trust(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.doubts, id)
}

// Doubtful reports that what is known of the account, if anything, is older than a write to it.
func (m *Mirror) Doubtful(id string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.doubts[id] > 0
}

// Failed remembers an error that came before any reading.
func (m *Mirror) Failed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Err = err
}

// What a system is believed to have.
const mostAccounts = 1_000_000

// Refresh reads all accounts, or those with these ids where the system does not list, and
// returns what changed. On an error the mirror stays as it was and remembers the error; but one about some of the accounts
// that are read one by one keeps nobody else from being read (P11).
func (m *Mirror) Refresh(ctx context.Context, s System, ids []string) (Changes, error) {
	began := m.now()
	caps, err := m.discover(ctx, s)
	if err != nil {
		m.Failed(err)
		return Changes{}, err
	}
	m.mu.RLock()
	clock, first := m.clock, !m.state.Read
	m.mu.RUnlock()
	answered := false
	var changes Changes
	switch {
	case caps.Lists:
		changes, err = m.list(ctx, s, clock, len(ids))
	case caps.Reads:
		changes, answered, err = m.each(ctx, s, ids)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Err = err
	if err != nil && !answered {
		return changes, err
	}
	m.state.Read, m.state.ReadAt = true, began
	m.sought = map[string]bool{}
	changes.First = first
	return changes, err
}

// discover asks what the system can do, once, and again after an error.
func (m *Mirror) discover(ctx context.Context, s System) (Capabilities, error) {
	if state := m.State(); state.Discovered && state.Err == nil {
		return state.Capabilities, nil
	}
	caps, err := s.Discover(ctx)
	if err != nil {
		return caps, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Discovered, m.state.Capabilities = true, caps
	return caps, nil
}

func unbelievable(message string) error {
	return &directory.Error{Class: directory.Unavailable, Operation: "list", Message: message}
}

// list takes in a listing that began at clock. What was read since then, or not found, is
// newer than the listing and stays.
func (m *Mirror) list(ctx context.Context, s System, clock uint64, linked int) (changes Changes, err error) {
	listed, size := map[string]Account{}, 0
	err = s.List(ctx, func(a Account) error {
		a = trimmed(a)
		size += sizeOf(&a)
		switch other, twice := listed[a.ID]; {
		case a.ID == "":
			return unbelievable("an account is listed without an id")
		case twice && !reflect.DeepEqual(a, other):
			return unbelievable("an account is listed twice, and not the same")
		case len(listed) == mostAccounts:
			return unbelievable("more accounts are listed than are believed")
		case size > mostKept:
			return unbelievable(fmt.Sprintf("the accounts that are listed are larger than what is kept of a system, %d MiB: map fewer attributes", mostKept>>20))
		}
		listed[a.ID] = a
		return nil
	})
	if err == nil && len(listed) == 0 && linked > 0 {
		err = unbelievable("the system was listed and is empty, although people are linked to it: this is not believed")
	}
	if err != nil {
		return changes, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, a := range listed {
		old, known := m.accounts[id]
		if max(old.read, m.absent[id], m.doubts[id]) > clock {
			continue
		}
		changes.note(&old.Account, &a, known)
		m.set(sighting{Account: a})
	}
	for id, old := range m.accounts {
		if _, there := listed[id]; !there && max(old.read, m.doubts[id]) <= clock {
			changes.Accounts = append(changes.Accounts, id)
			m.remove(id)
		}
	}
	return changes, nil
}

func (c *Changes) note(old, now *Account, known bool) {
	if known && reflect.DeepEqual(*old, *now) {
		return
	}
	c.Accounts = append(c.Accounts, now.ID)
	c.New = c.New || !known || old.Login != now.Login || old.Number != now.Number
}

// mostFailures in a row are those of a system that answers for nobody any more.
const mostFailures = 3

// each reads accounts one by one, those that failed before at last. What is wrong with one of them does not end it; a system
// that answers for none does. answered: some answer was believed.
func (m *Mirror) each(ctx context.Context, s System, ids []string) (changes Changes, answered bool, err error) {
	failures := 0
	for _, id := range m.failedLast(ids) {
		old := m.Account(id)
		was := Account{}
		if old != nil {
			was = *old
		}
		a, readErr := ReadAccount(ctx, s, m, id)
		class := directory.ClassOf(readErr)
		switch class {
		case "":
			changes.note(&was, &a, old != nil)
		case directory.NotFound:
			if old != nil {
				changes.Accounts = append(changes.Accounts, id)
			}
		case directory.RateLimited, directory.Unauthenticated:
			return changes, false, readErr
		default:
			err = readErr
		}
		m.fails(id, class != "" && class != directory.NotFound)
		if class != directory.Unavailable && class != directory.OutcomeUnknown {
			answered, failures = true, 0
			continue
		}
		if failures++; !answered || failures == mostFailures || ctx.Err() != nil {
			return changes, answered && ctx.Err() == nil, readErr
		}
	}
	return changes, true, err
}

// failedLast puts those who could not be read the last time behind the others.
func (m *Mirror) failedLast(ids []string) (sorted []string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var last []string
	for _, id := range ids {
		if m.failed[id] {
			last = append(last, id)
		} else {
			sorted = append(sorted, id)
		}
	}
	return append(sorted, last...)
}

func (m *Mirror) fails(id string, yes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if yes {
		m.failed[id] = true
	} else {
		delete(m.failed, id)
	}
}

// Seen is told of everything that is read; [Mirror] is one.
type Seen interface {
	Put(a Account)
	Forget(id string)
}

// ReadAccount asks for one account and tells seen, of absence too. An answer that is about another account is not believed.
func ReadAccount(ctx context.Context, s System, seen Seen, id string) (Account, error) {
	a, err := s.Account(ctx, id)
	switch {
	case err == nil && a.ID != id:
		return Account{}, &directory.Error{Class: directory.Unavailable, Operation: "account", Message: "the system was asked for one account and answered with another: this is not believed"}
	case err == nil:
		seen.Put(a)
	case directory.ClassOf(err) == directory.NotFound:
		seen.Forget(id)
	}
	return a, err
}
