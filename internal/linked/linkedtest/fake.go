package linkedtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// Fake is a linked system in memory. It obeys the contract, and fails on request. Safe for concurrent use.
type Fake struct {
	caps linked.Capabilities

	mu       sync.Mutex
	accounts map[string]*linked.Account
	next     map[string][]Fault
	every    map[string]Fault
	calls    []Call
	did      map[string]bool   // Order.Key of what was done
	made     map[string]string // key of a creation -> id, where it acts once
	ids      int
	closed   bool

	// Once makes it do what it knows the key of no more, and answer well, as a webhook's receiver does. Set it before the first call.
	Once bool
}

var _ linked.System = (*Fake)(nil)

// Fault is what a call meets in place of a plain answer.
type Fault struct {
	// Err is what is answered.
	Err error
	// Happens: the call takes effect before Err is answered.
	Happens bool
	// Ignored: a write is answered well and does nothing.
	Ignored bool
	// Drops are attributes that a write accepts and drops.
	Drops []string
	// Accounts changes what a listing, a search or a reading answers: the liars.
	Accounts func([]linked.Account) []linked.Account
	// Before runs before the call does anything, without a lock; it may block.
	Before func(context.Context)
}

// Call is one call that arrived.
type Call struct {
	// Method is that of [linked.System].
	Method string
	// ID is of the account, or the login where there is none yet.
	ID string
	// Key is of the order, for writes.
	Key string
}

// Lost is a call that takes effect and is never answered.
func Lost() Fault {
	return Fault{Happens: true, Err: refusal(directory.OutcomeUnknown, "nobody answered")}
}

// Unsent is a call that never arrives, and nobody knows.
func Unsent() Fault { return Fault{Err: refusal(directory.OutcomeUnknown, "nobody answered")} }

// Refused is a call that is refused with this class.
func Refused(c directory.Class) Fault { return Fault{Err: refusal(c, "refused on request")} }

func refusal(c directory.Class, format string, args ...any) *directory.Error {
	return &directory.Error{Class: c, Operation: "fake", Message: fmt.Sprintf(format, args...)}
}

// Able is a system that can do everything.
func Able() linked.Capabilities {
	return linked.Capabilities{
		Protocol: "SCIM", Lists: true, Reads: true, Creates: true, Updates: true, Disables: true, Enables: true, Deletes: true, Groups: true,
		Words: []string{"in memory"},
	}
}

// NewFake returns a system with nobody in it.
func NewFake(c linked.Capabilities) *Fake {
	return &Fake{caps: c, accounts: map[string]*linked.Account{}, next: map[string][]Fault{}, every: map[string]Fault{}, did: map[string]bool{}, made: map[string]string{}}
}

// Next lets the next calls of a method meet the faults, one each.
func (f *Fake) Next(method string, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next[method] = append(f.next[method], faults...)
}

// Every lets every call of a method meet the fault; of "", every call at all. The zero Fault ends it.
func (f *Fake) Every(method string, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.every[method] = fault
}

// Place puts an account there, as somebody else would. Without an ID it is given one, which is returned.
func (f *Fake) Place(a linked.Account) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.ID == "" {
		a.ID = f.id()
	}
	a = clone(&a)
	f.accounts[a.ID] = &a
	return a.ID
}

// Take removes an account, as somebody else would.
func (f *Fake) Take(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.accounts, id)
}

// Change changes an account, as somebody else would.
func (f *Fake) Change(id string, change func(*linked.Account)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.accounts[id]; a != nil {
		change(a)
	}
}

// Accounts are all accounts there, by login.
func (f *Fake) Accounts() map[string]linked.Account {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]linked.Account{}
	for _, a := range f.accounts {
		all[a.Login] = clone(a)
	}
	return all
}

// Calls are the calls so far, of these methods if any are named, in order of arrival.
func (f *Fake) Calls(methods ...string) []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.calls), func(c Call) bool { return len(methods) > 0 && !slices.Contains(methods, c.Method) })
}

// Writes are the calls so far that change something.
func (f *Fake) Writes() []Call {
	return f.Calls("Create", "Update", "Disable", "Enable", "Unlink", "Delete")
}

// Closed reports whether the system was closed.
func (f *Fake) Closed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

func (f *Fake) id() string {
	f.ids++
	return fmt.Sprintf("id-%04d", f.ids)
}

func clone(a *linked.Account) linked.Account {
	c := *a
	c.Groups = slices.Clone(a.Groups)
	c.Attributes = make(map[string][]string, len(a.Attributes))
	for name, values := range a.Attributes {
		c.Attributes[name] = slices.Clone(values)
	}
	return c
}

// meet notes the call, and says which fault it meets.
func (f *Fake) meet(ctx context.Context, c Call) (Fault, error) {
	f.mu.Lock()
	f.calls = append(f.calls, c)
	fault, all := f.every[c.Method], f.every[""]
	if next := f.next[c.Method]; len(next) > 0 {
		fault, f.next[c.Method] = next[0], next[1:]
	} else if all.Err != nil || all.Before != nil {
		fault = all
	}
	f.mu.Unlock()
	if fault.Before != nil {
		fault.Before(ctx)
	}
	if ctx.Err() != nil {
		return fault, &directory.Error{Class: directory.Unavailable, Operation: "fake", Message: "the call was ended", Err: ctx.Err()}
	}
	return fault, nil
}

// write makes a change, unless its fault keeps it from happening. A key that is known is not done again.
func (f *Fake) write(ctx context.Context, c Call, change func(Fault) error) error {
	fault, err := f.meet(ctx, c)
	if err != nil {
		return err
	}
	if fault.Err != nil && !fault.Happens || fault.Ignored {
		return fault.Err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Once && f.did[c.Key] && c.Method != "Create" {
		return fault.Err
	}
	if err := change(fault); err != nil {
		return err
	}
	f.did[c.Key] = true
	return fault.Err
}

// Discover implements [linked.System].
func (f *Fake) Discover(ctx context.Context) (linked.Capabilities, error) {
	fault, err := f.meet(ctx, Call{Method: "Discover"})
	if err == nil {
		err = fault.Err
	}
	return f.caps, err
}

// List implements [linked.System].
func (f *Fake) List(ctx context.Context, each func(linked.Account) error) error {
	fault, err := f.meet(ctx, Call{Method: "List"})
	switch {
	case err != nil:
		return err
	case !f.caps.Lists:
		return refusal(directory.NotSupported, "nobody is listed here")
	case fault.Err != nil && !fault.Happens:
		return fault.Err
	}
	for _, a := range fault.lie(f.some(func(*linked.Account) bool { return true })) {
		if err := each(a); err != nil {
			return err
		}
	}
	return fault.Err
}

func (fault Fault) lie(all []linked.Account) []linked.Account {
	if fault.Accounts != nil {
		return fault.Accounts(all)
	}
	return all
}

func (f *Fake) some(which func(*linked.Account) bool) []linked.Account {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []linked.Account
	for _, id := range slices.Sorted(maps.Keys(f.accounts)) {
		if which(f.accounts[id]) {
			found = append(found, clone(f.accounts[id]))
		}
	}
	return found
}

// Account implements [linked.System].
func (f *Fake) Account(ctx context.Context, id string) (linked.Account, error) {
	fault, err := f.meet(ctx, Call{Method: "Account", ID: id})
	switch {
	case err != nil:
		return linked.Account{}, err
	case !f.caps.Reads:
		return linked.Account{}, refusal(directory.NotSupported, "nothing is read here")
	case fault.Err != nil:
		return linked.Account{}, fault.Err
	}
	found := fault.lie(f.some(func(a *linked.Account) bool { return a.ID == id }))
	if len(found) == 0 {
		return linked.Account{}, refusal(directory.NotFound, "there is no such account")
	}
	return found[0], nil
}

// Find implements [linked.System].
func (f *Fake) Find(ctx context.Context, number, login string) ([]linked.Account, error) {
	fault, err := f.meet(ctx, Call{Method: "Find", ID: login})
	switch {
	case err != nil:
		return nil, err
	case !f.caps.Reads:
		return nil, refusal(directory.NotSupported, "nobody is found here")
	case fault.Err != nil:
		return nil, fault.Err
	}
	found := f.some(func(a *linked.Account) bool { return number != "" && strings.EqualFold(a.Number, number) })
	if len(found) == 0 {
		found = f.some(func(a *linked.Account) bool { return login != "" && strings.EqualFold(a.Login, login) })
	}
	return fault.lie(found), nil
}

// Create implements [linked.System].
func (f *Fake) Create(ctx context.Context, w linked.Wish, o linked.Order) (made linked.Account, err error) {
	err = f.write(ctx, Call{"Create", w.Login, o.Key}, func(fault Fault) error {
		if a := f.accounts[f.made[o.Key]]; f.Once && a != nil { // whatever is wished by now
			made = clone(a)
			return nil
		}
		for _, a := range f.accounts {
			switch {
			case !strings.EqualFold(a.Login, w.Login):
			case f.did[o.Key]: // the same act again
				made = clone(a)
				return nil
			default:
				return &directory.Error{Class: directory.AlreadyExists, Operation: "fake", Message: "the login is taken", Holder: a.ID}
			}
		}
		a := linked.Account{ID: f.id(), Login: w.Login, Number: w.Number, Enabled: true, Attributes: map[string][]string{}}
		set(&a, w.Attributes, fault)
		f.accounts[a.ID] = &a
		f.made[o.Key] = a.ID
		made = clone(&a)
		return nil
	})
	if err != nil {
		return linked.Account{}, err
	}
	return made, nil
}

func set(a *linked.Account, attributes map[string][]string, fault Fault) {
	for name, values := range attributes {
		switch {
		case slices.Contains(fault.Drops, name):
		case len(values) == 0:
			delete(a.Attributes, name)
		default:
			a.Attributes[name] = slices.Clone(values)
		}
	}
}

// on makes a change to an account that is there.
func (f *Fake) on(ctx context.Context, method, id string, o linked.Order, change func(*linked.Account, Fault) error) error {
	return f.write(ctx, Call{method, id, o.Key}, func(fault Fault) error {
		a := f.accounts[id]
		switch {
		case a == nil && f.did[o.Key] && o.Key != "":
			return nil
		case a == nil:
			return refusal(directory.NotFound, "there is no such account")
		}
		return change(a, fault)
	})
}

// Update implements [linked.System].
func (f *Fake) Update(ctx context.Context, id string, w linked.Wish, o linked.Order) error {
	return f.on(ctx, "Update", id, o, func(a *linked.Account, fault Fault) error {
		if w.Login != "" {
			for _, other := range f.accounts {
				if other != a && strings.EqualFold(other.Login, w.Login) {
					return &directory.Error{Class: directory.Conflict, Operation: "fake", Message: "the login is taken", Holder: other.ID}
				}
			}
			a.Login = w.Login
		}
		set(a, w.Attributes, fault)
		return nil
	})
}

// Disable implements [linked.System].
func (f *Fake) Disable(ctx context.Context, id string, o linked.Order) error {
	return f.on(ctx, "Disable", id, o, func(a *linked.Account, _ Fault) error {
		if a.Enabled = false; f.caps.DisableRemoves {
			delete(f.accounts, id)
		}
		return nil
	})
}

// Enable implements [linked.System].
func (f *Fake) Enable(ctx context.Context, id string, o linked.Order) error {
	return f.on(ctx, "Enable", id, o, func(a *linked.Account, _ Fault) error {
		a.Enabled, a.Parked = true, false
		return nil
	})
}

// Unlink implements [linked.System].
func (f *Fake) Unlink(ctx context.Context, id string, o linked.Order) error {
	return f.on(ctx, "Unlink", id, o, func(a *linked.Account, _ Fault) error {
		a.Parked, a.Groups = true, nil
		return nil
	})
}

// Delete implements [linked.System].
func (f *Fake) Delete(ctx context.Context, id string, o linked.Order) error {
	return f.on(ctx, "Delete", id, o, func(*linked.Account, Fault) error {
		delete(f.accounts, id)
		return nil
	})
}

// Residuals implements [linked.System].
func (f *Fake) Residuals(ctx context.Context, id string, deleted bool) (left []string, err error) {
	fault, err := f.meet(ctx, Call{Method: "Residuals", ID: id})
	switch {
	case err != nil:
		return nil, err
	case !f.caps.Reads:
		return nil, refusal(directory.NotSupported, "nothing is read here")
	case fault.Err != nil:
		return nil, fault.Err
	}
	for _, a := range f.some(func(a *linked.Account) bool { return a.ID == id }) {
		if deleted {
			left = append(left, "the account is there")
		}
		if a.Enabled {
			left = append(left, "the account can be used")
		}
		if len(a.Groups) > 0 {
			left = append(left, fmt.Sprintf("it is in %d groups", len(a.Groups)))
		}
	}
	return left, nil
}

// Close implements [linked.System].
func (f *Fake) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}
