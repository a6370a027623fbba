package execute

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/plan"
)

// Orders makes the keys by which a linked system knows an act again. Safe for concurrent use.
type Orders struct {
	system string

	mu       sync.Mutex
	answered map[string]int
}

// NewOrders makes the orders for one system; its UID keeps keys of different systems apart.
func NewOrders(system string) *Orders {
	return &Orders{system: system, answered: map[string]int{}}
}

// mostAnswered bounds what is remembered. To forget, as a restart does, is harmless: a key that the system knows does nothing,
// which reading back shows, and the next one is another. Where nothing can be read nobody sees what was undone, and what is
// declared anew is another act: by its generation or, of updates, by how many there were.
const mostAnswered = 100_000

// Order makes the order of an act, which the parts name. It is the same until the act was answered: an
// answer that was lost is asked for again, and what somebody undid after it was done is another act.
func (o *Orders) Order(reason string, parts ...string) (order linked.Order, answered func(error)) {
	act := hashed(append([]string{o.system}, parts...)...)
	o.mu.Lock()
	n := o.answered[act]
	o.mu.Unlock()
	key := act
	if n > 0 {
		key = hashed(act, fmt.Sprint(n))
	}
	return linked.Order{Key: key, Reason: reason}, func(err error) {
		switch directory.ClassOf(err) {
		case directory.OutcomeUnknown, directory.Unavailable, directory.RateLimited:
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.answered) >= mostAnswered {
			clear(o.answered)
		}
		o.answered[act] = n + 1
	}
}

func hashed(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:20])
}

// LinkSeen is told of everything that is read in a linked system; [linked.Mirror] is one.
type LinkSeen interface {
	linked.Seen
	Account(id string) *linked.Account
	Doubt(id string)
	Trust(id string)
	// Seek: the system was asked for somebody. Unseek: somebody may have come to be.
	Seek(number, login string, found []linked.Account)
	Unseek(number, login string)
}

// LinkWork is where and how a plan for a linked account is carried out.
type LinkWork struct {
	System       linked.System
	Capabilities linked.Capabilities
	Seen         LinkSeen
	Orders       *Orders
	By           By
	// Person is the UID of the object that declares the actions, and Declaration which of its declarations it is,
	// for the keys.
	Person, Declaration string
	// Updates is plan.LinkRecord.Updates.
	Updates int64
}

// Link carries out actions in a linked system: in order, stopping at the first error, reading back what was written.
func Link(ctx context.Context, w LinkWork, actions []plan.LinkAction) Outcome {
	l := &linking{LinkWork: w}
	for _, a := range actions {
		if l.Err = l.action(ctx, a); l.Err != nil || l.Existed {
			break
		}
	}
	return l.Outcome
}

type linking struct {
	LinkWork
	Outcome
}

func (l *linking) action(ctx context.Context, a plan.LinkAction) error {
	switch a.Kind {
	case plan.Confirm:
		_, err := linked.ReadAccount(ctx, l.System, l.Seen, a.ID)
		return unlessNotFound(err)
	case plan.Find:
		return l.find(ctx, a)
	case plan.Create:
		return l.create(ctx, a)
	case plan.Update:
		return l.update(ctx, a)
	case plan.Disable:
		return l.state(httpx.WithPriority(ctx, httpx.Freeze), a, false, l.System.Disable)
	case plan.Enable:
		return l.state(ctx, a, true, l.System.Enable)
	case plan.Unlink:
		return l.unlink(httpx.WithPriority(ctx, httpx.Freeze), a)
	case plan.Delete:
		return l.delete(httpx.WithPriority(ctx, httpx.Freeze), a)
	case plan.Check:
		return l.check(ctx, a)
	}
	return fmt.Errorf("carrying out %q in a linked system: no such action", a.Kind)
}

// write makes one change between its records, with the key of the act.
func (l *linking) write(ctx context.Context, a plan.LinkAction, before, after map[string]string, change func(context.Context, linked.Order) error) error {
	parts := []string{l.Person, string(a.Kind), a.Asked}
	if a.Kind != plan.Create {
		parts = []string{l.Person, string(a.Kind), a.ID, l.Declaration, (&plan.LinkPlan{Actions: []plan.LinkAction{a}}).Digest()}
	}
	if a.Kind == plan.Update && l.Updates > 0 { // a declaration may come back: a label, or a mapping that is taken back
		parts = append(parts, fmt.Sprint(l.Updates))
	}
	order, answered := l.Orders.Order(l.By.Reason, parts...)
	err := l.By.Record(ctx, a.Kind, AccountTarget(a.ID), before, after, func(ctx context.Context) error { return change(ctx, order) })
	if err == nil || a.Kind != plan.Create { // a creation that was refused is asked for with the same key: another one could make somebody twice (P3)
		answered(err)
	}
	return err
}

func (l *linking) find(ctx context.Context, a plan.LinkAction) error {
	found, err := l.System.Find(ctx, a.Wish.Number, a.Wish.Login)
	if err != nil {
		return err
	}
	l.Seen.Seek(a.Wish.Number, a.Wish.Login, found)
	return nil
}

// create never repeats itself: when the answer is lost it looks whether the account is there, and leaves the judgement to
// the next plan, as it does when the login turns out to be taken (P3).
func (l *linking) create(ctx context.Context, a plan.LinkAction) error {
	var made linked.Account
	err := l.write(ctx, a, nil, maskWish(a.Wish), func(ctx context.Context, o linked.Order) (err error) {
		made, err = l.System.Create(ctx, a.Wish, o)
		return err
	})
	switch directory.ClassOf(err) {
	case "":
		l.Seen.Unseek(a.Wish.Number, a.Wish.Login)
		l.Done = append(l.Done, plan.Create)
		return l.created(ctx, a, made)
	case directory.AlreadyExists:
		l.Seen.Unseek(a.Wish.Number, a.Wish.Login)
		if !l.Capabilities.Reads { // nobody can be asked whose it is
			return &directory.Error{Class: directory.Conflict, Operation: "create", Err: err,
				Message: "the login is taken, and the linked system cannot be asked by whom: if it is this person's account pin it in spec.linkedAccounts[].accountID, else declare another login"}
		}
		l.Existed = true
		return nil
	case directory.OutcomeUnknown:
		l.Asked = true
		l.Seen.Unseek(a.Wish.Number, a.Wish.Login)
		if !l.Capabilities.Reads {
			return err
		}
		found, findErr := l.System.Find(ctx, a.Wish.Number, a.Wish.Login)
		if findErr != nil || len(found) == 0 {
			return err // the next plan asks again
		}
		l.Seen.Seek(a.Wish.Number, a.Wish.Login, found)
		return nil
	}
	return err
}

// created reads back what was just made.
func (l *linking) created(ctx context.Context, a plan.LinkAction, made linked.Account) error {
	if made.ID == "" {
		l.Asked = true
		return &directory.Error{Class: directory.Unavailable, Operation: "create", Message: "the linked system created an account and did not say its id"}
	}
	l.Created, l.ID = true, made.ID
	if !l.Capabilities.Reads {
		return nil
	}
	got, err := linked.ReadAccount(ctx, l.System, l.Seen, made.ID)
	if directory.ClassOf(err) == directory.NotFound {
		return &directory.Error{Class: directory.Unavailable, Operation: "create", Message: "the account was created and is not visible yet", Err: err}
	}
	if err == nil {
		l.ignored(a.Wish, &got)
	}
	return err
}

// ignored notes attributes that were written and did not stick (P9).
func (l *linking) ignored(w linked.Wish, got *linked.Account) {
	for _, name := range slices.Sorted(maps.Keys(w.Attributes)) {
		if !linked.SameValues(got.Attributes[name], w.Attributes[name]) {
			l.IgnoredAttributes = append(l.IgnoredAttributes, name)
		}
	}
	if w.Login != "" && !strings.EqualFold(w.Login, got.Login) {
		l.IgnoredAttributes = append(l.IgnoredAttributes, "login")
	}
}

func (l *linking) update(ctx context.Context, a plan.LinkAction) error {
	l.Seen.Doubt(a.ID)
	var before map[string]string
	if known := l.Seen.Account(a.ID); known != nil {
		before = maskWish(linked.Wish{Attributes: known.Attributes})
		maps.DeleteFunc(before, func(name string, _ string) bool { _, written := a.Wish.Attributes[name]; return !written })
	}
	err := l.write(ctx, a, before, maskWish(a.Wish), func(ctx context.Context, o linked.Order) error {
		return l.System.Update(ctx, a.ID, a.Wish, o)
	})
	got, read, err := l.readBack(ctx, a, err)
	if err == nil && read {
		l.ignored(a.Wish, &got)
	}
	return err
}

// readBack reads what a write that was answered with err came to, where anything can be read.
func (l *linking) readBack(ctx context.Context, a plan.LinkAction, err error) (got linked.Account, read bool, _ error) {
	if err == nil {
		l.Done = append(l.Done, a.Kind)
	} else if class := directory.ClassOf(err); class != directory.OutcomeUnknown && class != directory.NotFound {
		l.Seen.Trust(a.ID)
		return got, false, err
	}
	if !l.Capabilities.Reads {
		l.Seen.Trust(a.ID)
		return got, false, err
	}
	got, readErr := linked.ReadAccount(ctx, l.System, l.Seen, a.ID)
	return got, readErr == nil, first(err, readErr)
}

// state disables or enables, and looks whether that is so.
func (l *linking) state(ctx context.Context, a plan.LinkAction, want bool, call func(context.Context, string, linked.Order) error) error {
	l.Seen.Doubt(a.ID)
	before := map[string]string{}
	if known := l.Seen.Account(a.ID); known != nil {
		before["enabled"] = fmt.Sprint(known.Enabled)
	}
	var saw *linked.Account
	err := l.write(ctx, a, before, map[string]string{"enabled": fmt.Sprint(want)}, func(ctx context.Context, o linked.Order) error {
		o.Saw = func(a linked.Account) { saw = &a }
		return call(ctx, a.ID, o)
	})
	asked := directory.ClassOf(err) == directory.OutcomeUnknown
	if err == nil && saw != nil && saw.ID == a.ID {
		l.Done = append(l.Done, a.Kind)
		l.Seen.Put(*saw)
		return l.shows(a, want, saw)
	}
	got, read, err := l.readBack(ctx, a, err)
	switch {
	case !want && l.Capabilities.DisableRemoves && directory.ClassOf(err) == directory.NotFound:
		return nil // gone is as disabled as it can be
	case read && got.Enabled == want && asked: // it was done, and only the answer was lost
		l.Done = append(l.Done, a.Kind)
		return nil
	case err != nil || !read:
		return err
	}
	return l.shows(a, want, &got)
}

// shows reports as an error that an account was read and is not as it was asked to be (P9).
func (l *linking) shows(a plan.LinkAction, want bool, got *linked.Account) error {
	if got.Enabled != want {
		return &directory.Error{Class: directory.Unavailable, Operation: strings.ToLower(string(a.Kind)), Message: "the linked system accepted the change of state and does not show it"}
	}
	return nil
}

// unlink takes a disabled account out of its groups, and looks whether it is.
func (l *linking) unlink(ctx context.Context, a plan.LinkAction) error {
	l.Seen.Doubt(a.ID)
	before := map[string]string{}
	if known := l.Seen.Account(a.ID); known != nil {
		before["groups"] = fmt.Sprint(len(known.Groups))
	}
	err := l.write(ctx, a, before, map[string]string{"groups": "0"}, func(ctx context.Context, o linked.Order) error {
		return l.System.Unlink(ctx, a.ID, o)
	})
	asked := directory.ClassOf(err) == directory.OutcomeUnknown
	got, read, err := l.readBack(ctx, a, err)
	switch {
	case read && got.Parked && asked:
		l.Done = append(l.Done, a.Kind)
		return nil
	case err != nil || !read:
		return err
	case !got.Parked:
		return &directory.Error{Class: directory.Unavailable, Operation: "unlink", Message: "the linked system accepted the unlinking and does not show it"}
	}
	return nil
}

// delete removes the account and reads back that it is gone.
func (l *linking) delete(ctx context.Context, a plan.LinkAction) error {
	l.Seen.Doubt(a.ID)
	before := map[string]string{"state": "there"}
	err := l.write(ctx, a, before, map[string]string{"state": "deleted"}, func(ctx context.Context, o linked.Order) error {
		return l.System.Delete(ctx, a.ID, o)
	})
	switch directory.ClassOf(err) {
	case "", directory.NotFound, directory.OutcomeUnknown:
	default:
		l.Seen.Trust(a.ID)
		return err
	}
	if !l.Capabilities.Reads {
		if l.Seen.Trust(a.ID); directory.ClassOf(err) == directory.OutcomeUnknown {
			return err
		}
		l.Done = append(l.Done, plan.Delete)
		return nil
	}
	_, readErr := linked.ReadAccount(ctx, l.System, l.Seen, a.ID)
	switch {
	case directory.ClassOf(readErr) == directory.NotFound:
		l.Done = append(l.Done, plan.Delete)
		return nil
	case readErr != nil || err != nil:
		return first(err, readErr)
	}
	return &directory.Error{Class: directory.Unavailable, Operation: "delete", Message: "the linked system accepted the deletion and shows the account still"}
}

// check looks for what is left. Where nothing can be read a receipt has to do.
func (l *linking) check(ctx context.Context, a plan.LinkAction) (err error) {
	if !l.Capabilities.Reads {
		return nil
	}
	l.Residuals, err = l.System.Residuals(ctx, a.ID, a.Removes)
	l.Checked = err == nil
	return err
}

// FoldLink takes into the record what became of a plan. blind: nothing can be read in the system.
func FoldLink(r plan.LinkRecord, o *Outcome, blind bool) plan.LinkRecord {
	did := func(kind plan.Kind) bool { return slices.Contains(o.Done, kind) }
	if r.Origin == plan.Creating && o.Existed && !o.Asked {
		return plan.LinkRecord{} // somebody else made it since we looked: it is adopted like any other, or not (P4)
	}
	if o.Created {
		r.ID, r.Origin = o.ID, plan.Created
	}
	r.DisabledByUs = r.DisabledByUs || did(plan.Disable)
	if blind && did(plan.Enable) {
		r.DisabledByUs = false
	}
	if did(plan.Delete) {
		r.Origin = "" // the freeze was to delete it
	}
	if o.Err == nil && (did(plan.Create) || did(plan.Update)) {
		if r.Applied != o.Version || did(plan.Create) {
			r.Ignored = nil
		}
		if did(plan.Update) { // what was created may be what was first asked for: Applied says which declaration that was
			r.Applied = o.Version
		}
		r.Ignored = slices.Compact(slices.Sorted(slices.Values(slices.Concat(r.Ignored, o.IgnoredAttributes))))
	}
	return counted(r, o)
}

// counted counts the updates that were answered, whatever came after them.
func counted(r plan.LinkRecord, o *Outcome) plan.LinkRecord {
	if slices.Contains(o.Done, plan.Update) {
		r.Updates++
	}
	return r
}

// maskWish says what the attributes are, as far as they may be known.
func maskWish(w linked.Wish) map[string]string {
	values := map[string]string{}
	for name, all := range w.Attributes {
		masked := make([]string, 0, len(all))
		for _, v := range all {
			masked = append(masked, audit.Mask(v))
		}
		values[name] = strings.Join(masked, ",")
	}
	if w.Login != "" {
		values["login"] = audit.Mask(w.Login)
	}
	return values
}
