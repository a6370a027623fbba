package directorytest

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/directory"
)

var (
	_ directory.Remover        = (*Fake)(nil)
	_ directory.Heir           = (*Fake)(nil)
	_ directory.RoleRevoker    = (*Fake)(nil)
	_ directory.Notifier       = (*Fake)(nil)
	_ directory.ResidualFinder = (*Fake)(nil)
)

// Limits of every Notifier.
const (
	longestNotice = 2000 // bytes of UTF-8
	mostReceivers = 100
)

// Removed is an account that [Fake.Remove] removed.
type Removed struct {
	ID  string
	How directory.Removal
}

// Message is what one account received.
type Message struct {
	To, Text string
	At       time.Time
}

// leaving is what a platform knows of leaving, beside its directory.
type leaving struct {
	duties    []directory.DutyOffer
	removed   []Removed
	messages  []Message
	receipts  map[string]directory.Receipt
	heirs     map[string]string
	inherited map[string]directory.Inheritance
	residuals map[string][]string
}

func newLeaving() leaving {
	return leaving{
		duties: []directory.DutyOffer{
			{Duty: directory.DutyDocuments, Moment: directory.WithRemoval},
			{Duty: directory.DutySubordinates, Moment: directory.WithRemoval},
			{Duty: directory.DutyCustomers, Moment: directory.AfterRemoval},
			{Duty: directory.DutyGroups, Moment: directory.ByHand, Manual: "give each chat group another owner in the app"},
		},
		receipts: map[string]directory.Receipt{}, heirs: map[string]string{},
		inherited: map[string]directory.Inheritance{}, residuals: map[string][]string{},
	}
}

// PassesOn says what [Fake.Duties] offers from now on.
func (f *Fake) PassesOn(offers ...directory.DutyOffer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leaving.duties = slices.Clone(offers)
}

// PlaceInheritance says how far the AfterRemoval duties of an account will be found to be.
func (f *Fake) PlaceInheritance(leaver string, how directory.Inheritance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leaving.inherited[f.key(leaver)] = how
}

// PlaceResiduals says what will be found of an account; nothing cleans it up.
func (f *Fake) PlaceResiduals(id string, left ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leaving.residuals[f.key(id)] = slices.Clone(left)
}

// Removals lists the accounts that Remove removed, in their order.
func (f *Fake) Removals() []Removed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.leaving.removed)
}

// Messages lists what people received, in its order.
func (f *Fake) Messages() []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.leaving.messages)
}

// Heir is the account that was asked to take over from a leaver by Inherit, "" if none was.
func (f *Fake) Heir(leaver string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leaving.heirs[f.key(leaver)]
}

// RolesReally are the roles that an account has of its own, without a call.
func (f *Fake) RolesReally(id string) []directory.RoleMember {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rolesOf(id)
}

// Duties implements [directory.Remover].
func (f *Fake) Duties() []directory.DutyOffer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.leaving.duties)
}

// Remove implements [directory.Remover]. With a successor it passes on the people
// who report to the leaver, where that is a WithRemoval duty.
func (f *Fake) Remove(ctx context.Context, id string, r directory.Removal) error {
	fault, err := f.enter(ctx, "Remove", id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.accounts[f.key(id)]
	if a == nil {
		return refusal(directory.NotFound, "there is no such account")
	}
	if r.Successor != "" && slices.ContainsFunc(f.leaving.duties, withRemoval) {
		if s := f.accounts[f.key(r.Successor)]; s == nil || s == a {
			return refusal(directory.Invalid, "the successor must be somebody else in the company")
		}
		f.handOver(a.ID, r.Successor)
	}
	delete(f.accounts, f.key(id))
	for _, h := range f.roles {
		h.take(directory.RoleMember{Account: a.ID})
	}
	f.leaving.removed = append(f.leaving.removed, Removed{ID: a.ID, How: r})
	return fault.Err
}

func withRemoval(o directory.DutyOffer) bool { return o.Moment == directory.WithRemoval }

// handOver lets the leaver's people report to the successor. The lock is held.
func (f *Fake) handOver(leaver, successor string) {
	if !slices.ContainsFunc(f.leaving.duties, func(o directory.DutyOffer) bool {
		return o.Duty == directory.DutySubordinates && withRemoval(o)
	}) {
		return
	}
	for _, a := range f.accounts {
		if a.Profile.Manager != "" && f.key(a.Profile.Manager) == f.key(leaver) {
			a.Profile.Manager = successor
		}
	}
}

// Inherit implements [directory.Heir]: it says what PlaceInheritance put there.
func (f *Fake) Inherit(ctx context.Context, leaver, successor string) (directory.Inheritance, error) {
	fault, err := f.enter(ctx, "Inherit", leaver)
	if err != nil {
		return directory.Inheritance{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.accounts[f.key(leaver)] != nil {
		return directory.Inheritance{}, refusal(directory.Conflict, "this account has not been removed yet")
	}
	if f.accounts[f.key(successor)] == nil {
		return directory.Inheritance{}, refusal(directory.Invalid, "there is no successor of this id")
	}
	if f.leaving.heirs[f.key(leaver)] == "" {
		f.leaving.heirs[f.key(leaver)] = successor
	}
	if fault.Err != nil {
		return directory.Inheritance{}, fault.Err
	}
	return f.leaving.inherited[f.key(leaver)], nil
}

// RolesOf implements [directory.RoleRevoker].
func (f *Fake) RolesOf(ctx context.Context, id string) ([]directory.RoleMember, error) {
	fault, err := f.enter(ctx, "RolesOf", id)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.accounts[f.key(id)] == nil {
		return nil, refusal(directory.NotFound, "there is no such account")
	}
	return f.rolesOf(id), fault.Err
}

// rolesOf is in the order of role ids. The lock is held.
func (f *Fake) rolesOf(id string) (held []directory.RoleMember) {
	for _, role := range slices.Sorted(maps.Keys(f.roles)) {
		for _, m := range f.roles[role].members {
			if m.Account != "" && f.key(m.Account) == f.key(id) {
				held = append(held, m)
			}
		}
	}
	return held
}

// RemoveFromRole implements [directory.RoleRevoker].
func (f *Fake) RemoveFromRole(ctx context.Context, role string, members []directory.RoleMember) error {
	fault, err := f.enter(ctx, "RemoveFromRole", role)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.roles[role]
	if h == nil {
		return fault.Err
	}
	if h.role.BuiltIn {
		return refusal(directory.PermissionDenied, "this role belongs to the platform: take it away in its console")
	}
	for _, m := range members {
		if a := f.accounts[f.key(m.Account)]; a != nil {
			m.Account = a.ID
		}
		h.take(m)
	}
	return fault.Err
}

// take takes the role from a holder, whatever its scope.
func (h *heldRole) take(m directory.RoleMember) {
	h.members = slices.DeleteFunc(h.members, func(have directory.RoleMember) bool {
		return have.Account == m.Account && have.Department == m.Department
	})
}

// Notify implements [directory.Notifier]. A message that comes again within the
// NoticeWindow is delivered once. The receipt names those who do not exist;
// those in [Fault.Missed] only Delivered names.
func (f *Fake) Notify(ctx context.Context, to []string, text string) (directory.Receipt, error) {
	fault, err := f.enter(ctx, "Notify", strings.Join(to, ","))
	if err != nil {
		return directory.Receipt{}, err
	}
	switch {
	case text == "" || len(text) > longestNotice || !utf8.ValidString(text):
		return directory.Receipt{}, refusal(directory.Invalid, "a message has 1 to %d bytes of UTF-8", longestNotice)
	case len(to) == 0 || len(to) > mostReceivers || slices.Contains(to, ""):
		return directory.Receipt{}, refusal(directory.Invalid, "a message goes to 1 to %d accounts", mostReceivers)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ids++
	receipt := directory.Receipt{ID: strconv.Itoa(f.ids), Later: true}
	for _, id := range to {
		switch {
		case f.accounts[f.key(id)] == nil:
			receipt.Missed = append(receipt.Missed, id)
		case !slices.Contains(fault.Missed, id):
			f.deliver(f.accounts[f.key(id)].ID, text)
		}
	}
	told := receipt
	told.Missed, told.Later = slices.Concat(receipt.Missed, fault.Missed), false
	f.leaving.receipts[receipt.ID] = told
	if fault.Err != nil {
		return directory.Receipt{}, fault.Err
	}
	return receipt, nil
}

// deliver delivers a message unless it was delivered a short while ago. The lock is held.
func (f *Fake) deliver(to, text string) {
	now := f.now()
	if slices.ContainsFunc(f.leaving.messages, func(m Message) bool {
		return m.To == to && m.Text == text && now.Sub(m.At) < f.caps.NoticeWindow
	}) {
		return
	}
	f.leaving.messages = append(f.leaving.messages, Message{To: to, Text: text, At: now})
}

func (f *Fake) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

// Delivered implements [directory.Notifier].
func (f *Fake) Delivered(ctx context.Context, r directory.Receipt) (directory.Receipt, error) {
	fault, err := f.enter(ctx, "Delivered", r.ID)
	if err != nil {
		return directory.Receipt{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	told, sent := f.leaving.receipts[r.ID]
	if !sent {
		return directory.Receipt{}, refusal(directory.NotFound, "there is no such message")
	}
	told.Missed = slices.Concat(told.Missed, fault.Missed)
	return told, fault.Err
}

// Residuals implements [directory.ResidualFinder]: it finds what PlaceResiduals put there.
func (f *Fake) Residuals(ctx context.Context, id string) ([]string, error) {
	fault, err := f.enter(ctx, "Residuals", id)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.leaving.residuals[f.key(id)]), fault.Err
}
