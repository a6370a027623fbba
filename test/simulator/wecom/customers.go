package wecom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"strings"

	"rollcall.dev/rollcall/test/simulator/core"
)

const collCustomers = "customers"

// Customer is a customer as the simulator keeps one. A real one may have several
// members whom they know; here it is one.
type Customer struct {
	ExternalUserID string `json:"external_userid"`
	Name           string `json:"name"`
	UserID         string `json:"userid"` // the member; whoever has left keeps theirs until somebody takes over
	Refuses        bool   `json:"refuses"`

	removed bool // by hand, from a history
}

// invented are the customers that a history gives a member: none to three.
func (t *tenant) invented(id string) []*Customer {
	h := t.spec.Options.History
	if h.Days == 0 {
		return nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "customer\x00%d\x00%s", h.Seed, userKey(id)))
	var list []*Customer
	for n := range int(sum[0] % 4) {
		list = append(list, &Customer{
			ExternalUserID: fmt.Sprintf("wm%s%02d", hex.EncodeToString(sum[1:15]), n+1), Name: fmt.Sprintf("客户%d", n+1), UserID: id,
		})
	}
	return list
}

// allCustomers lists those of a table, and those that a history gives the members.
func (t *tenant) allCustomers(at core.View) iter.Seq[*Customer] {
	return func(yield func(*Customer) bool) {
		for _, c := range t.customers.All(at) {
			if !c.removed && !yield(c) {
				return
			}
		}
		if t.spec.Options.History.Days == 0 {
			return
		}
		for _, u := range t.users.All(at) {
			for _, c := range t.invented(u.UserID) {
				if _, touched := t.customers.Get(c.ExternalUserID, at); !touched && !yield(c) {
					return
				}
			}
		}
	}
}

func (t *tenant) customer(id string) (*Customer, bool) {
	if c, ok := t.customers.Get(id, core.Live); ok {
		return c, !c.removed
	}
	for c := range t.allCustomers(core.Live) {
		if c.ExternalUserID == id {
			return c, true
		}
	}
	return nil, false
}

func (t *tenant) putCustomer(c *Customer) { t.customers.Put(c.ExternalUserID, c) }

// customersOf is how many a member has.
func (t *tenant) customersOf(id string) int {
	n := 0
	for c := range t.allCustomers(core.Live) {
		if userKey(c.UserID) == userKey(id) {
			n++
		}
	}
	return n
}

// keep makes what a history gives somebody last beyond their leaving: their customers,
// and the chats, which would else go to others.
func (t *tenant) keep(u *User) {
	for _, c := range t.invented(u.UserID) {
		if _, touched := t.customers.Get(c.ExternalUserID, core.Live); !touched {
			t.putCustomer(c)
		}
	}
	chats := t.shelf(collGroups)
	owns := false
	for _, o := range chats {
		owns = owns || strings.EqualFold(word(o, "owner"), u.UserID)
	}
	if !owns {
		return
	}
	for _, o := range chats {
		t.past.Put(collGroups, word(o, "chat_id"), o)
	}
}

// editCustomer makes, changes or removes one by hand: no fields remove it.
func (t *tenant) editCustomer(id string, fields json.RawMessage, create bool) error {
	old, there := t.customer(id)
	switch {
	case create && there:
		return fmt.Errorf("customer %q: %w", id, core.ErrExists)
	case !create && !there:
		return missing(collCustomers, id)
	case fields == nil:
		gone := *old
		gone.removed = true
		t.putCustomer(&gone)
		return nil
	case create:
		old = &Customer{ExternalUserID: id, Name: "客户"}
	}
	c, err := core.Merge(*old, fields)
	if err != nil {
		return err
	}
	_, member := t.user(c.UserID, core.Live)
	if _, left := t.lastLeft(c.UserID); c.ExternalUserID != id || !member && !left {
		return errors.New("external_userid cannot be changed; userid must be a member, or somebody who left")
	}
	t.putCustomer(&c)
	return nil
}

// The states of a transfer of a customer (94082).
const (
	transferDone    = 1
	transferWaits   = 2
	transferRefused = 3
	transferFull    = 4
)

var transferStates = map[int]string{
	transferDone: core.HandedOver, transferWaits: core.HandOverWaits, transferRefused: core.Refused, transferFull: core.TakerFull,
}

// What is transferred, in the words of [core.HandOver].
const (
	aCustomer = "customer"
	aChat     = "chat"
)

// lastTransfer is the last transfer of a customer or a chat.
func (t *tenant) lastTransfer(what, id string, at core.View) *transfer {
	var last *transfer
	for _, tr := range t.transfers.All(at) {
		if tr.what == what && tr.id == id {
			last = tr
		}
	}
	return last
}

func (t *tenant) startTransfer(tr transfer) {
	tr.number, tr.status, tr.due = t.transfers.Len(), transferWaits, t.clock.Now().Add(takeoverDelay)
	t.transfers.Put(strconv.Itoa(tr.number), &tr)
	t.waits++
}

// endTransfers ends the transfers whose time has come.
func (t *tenant) endTransfers() {
	if t.waits == 0 {
		return
	}
	now := t.clock.Now()
	for key, tr := range t.transfers.All(core.Live) {
		if tr.status != transferWaits || now.Before(tr.due) {
			continue
		}
		ended := *tr
		ended.status = t.takeOver(tr)
		t.transfers.Put(key, &ended)
		t.waits--
	}
}

// takeOver gives a customer or a chat to who takes it, if that can be.
func (t *tenant) takeOver(tr *transfer) int {
	if tr.what == aChat {
		for _, o := range t.shelf(collGroups) {
			if o["chat_id"] == tr.id {
				moved := maps.Clone(o)
				moved["owner"] = tr.to
				t.past.Put(collGroups, tr.id, moved)
			}
		}
		return transferDone
	}
	c, ok := t.customer(tr.id)
	limit := t.spec.Options.MaxCustomers
	switch {
	case !ok || c.Refuses:
		return transferRefused
	case limit > 0 && t.customersOf(tr.to) >= limit:
		return transferFull
	}
	taken := *c
	taken.UserID = tr.to
	t.putCustomer(&taken)
	return transferDone
}
