package plan_test

import (
	"slices"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

// world is one person on a model platform: what is really there, what was seen
// of it, and what is durably known. Trouble comes by the dice, while there are any.
type world struct {
	caps   directory.Capabilities
	real   *directory.Account
	seen   *directory.Account
	absent bool
	// doubtful: written to, and not read since.
	doubtful bool
	// complete: the listings are.
	complete bool
	record   plan.Record
	// ignores are fields whose updates the platform accepts and does not make.
	ignores directory.Fields
	// invites: creations end in an invitation, which is accepted with the next listing.
	invites   bool
	accepting *directory.Account
	// trouble is where lost answers and crashes come from.
	trouble *dice
	// made counts accounts that came to be, sent the creations that were asked for,
	// blind those that nobody looked up an earlier one before.
	made, sent, blind int
	unanswered        bool
}

// shown is what the platform tells of the account.
func (w *world) shown() *directory.Account {
	if w.real == nil {
		return nil
	}
	a := *w.real
	a.Profile = w.real.Profile.Clone()
	a.Profile.Set &= w.caps.Reads
	return &a
}

// list is a full reading; a later one clears up what an earlier one did not see.
func (w *world) list() {
	if w.accepting != nil {
		w.real, w.accepting = w.accepting, nil
		w.made++
	}
	if w.seen = w.shown(); w.seen != nil {
		w.absent = false
	}
	w.doubtful, w.unanswered = false, false
}

// read is a direct reading. False means that it was not answered.
func (w *world) read() bool {
	if w.trouble.one(4) {
		return false
	}
	w.seen = w.shown()
	w.absent, w.doubtful, w.unanswered = w.seen == nil, false, false
	return true
}

// readBack reads what was just written.
func (w *world) readBack() bool {
	if !w.read() {
		w.doubtful = true
		return false
	}
	return true
}

// write copies the fields in p.Set but those that the platform ignores.
func (w *world) write(p *directory.Profile, ignores directory.Fields) {
	have := &w.real.Profile
	for f := range (p.Set &^ ignores).All() {
		switch f {
		case directory.FieldName:
			have.Name = p.Name
		case directory.FieldNumber:
			have.Number = p.Number
		case directory.FieldMobile:
			have.Mobile = p.Mobile
		case directory.FieldEmail:
			have.Email = p.Email
		case directory.FieldTelephone:
			have.Telephone = p.Telephone
		case directory.FieldTitle:
			have.Title = p.Title
		case directory.FieldWorkplace:
			have.Workplace = p.Workplace
		case directory.FieldHireDate:
			have.HireDate = p.HireDate
		case directory.FieldPrimaryDepartment:
			have.Primary = p.Primary
		case directory.FieldManager:
			have.Manager = p.Manager
		case directory.FieldDepartments, directory.FieldDepartmentOrder, directory.FieldLeads:
			have.Memberships = slices.Clone(p.Memberships)
		case directory.FieldAttributes:
			have.Attributes = p.Clone().Attributes
		}
	}
}

// outcome is what a run of actions tells, as execute.Outcome does.
type outcome struct {
	created, invited, wrote bool
	ignored                 directory.Fields
	failed                  bool
}

// act carries one action out.
func (w *world) act(a plan.Action, o *outcome) {
	lost := w.trouble.one(3)
	switch a.Kind {
	case plan.Confirm:
		o.failed = !w.read()
		return
	case plan.Create:
		w.create(a, lost, o)
		return
	case plan.Update:
		if w.real != nil {
			w.write(&a.Profile, w.ignores)
		}
	case plan.Freeze:
		w.real.State = directory.Frozen
	case plan.Unfreeze:
		w.real.State = directory.Active
	}
	if !w.readBack() || lost || w.real == nil {
		o.failed = true
		return
	}
	if a.Kind == plan.Update {
		o.wrote = true
		// What cannot be read is found out in another way, or not at all.
		everything := w.real.Profile
		everything.Set = w.caps.Reads | directory.FieldMobile
		o.ignored, _ = directory.Differ(&a.Profile, &everything)
	}
}

func (w *world) create(a plan.Action, lost bool, o *outcome) {
	w.sent++
	if w.unanswered {
		w.blind++
	}
	w.unanswered = lost
	fresh := &directory.Account{ID: a.ID, Type: a.Type, State: a.State, Profile: a.Profile.Clone()}
	fresh.Profile.Set = directory.AllFields
	switch {
	case w.real != nil:
		lost = true // the id is taken: to be looked up, as if nobody had answered
	case w.invites:
		w.accepting = fresh
		o.invited, o.failed = !lost, lost
		if lost {
			w.readBack()
		}
		return
	default:
		w.real = fresh
		w.made++
	}
	o.created, o.wrote = !lost, !lost
	o.failed = !w.readBack() || lost
}

// fold is what the outcome makes of the record.
func (w *world) fold(o *outcome, version string) {
	if o.created {
		w.record.Origin = plan.Created
	}
	w.record.Invited = w.record.Invited || o.invited
	if o.failed || !o.wrote && !o.invited {
		return
	}
	if w.record.Applied != version {
		w.record.Ignored = 0
	}
	w.record.Applied = version
	w.record.Ignored |= o.ignored
}

// round plans, makes the record durable, and acts; a crash may come in between
// and after, and what was only in memory is then read again.
func (w *world) round(wish plan.Wish) plan.Plan {
	if w.record.Origin != "" {
		wish.ID = w.record.ID
	}
	f := plan.Facts{Capabilities: w.caps, Listed: true, Complete: w.complete, Account: w.seen, Absent: w.absent, Doubtful: w.doubtful}
	p := plan.For(wish, w.record, f)
	w.record = p.Record
	if w.trouble.one(4) {
		w.restart()
		return p
	}
	var o outcome
	for _, a := range p.Actions {
		if w.act(a, &o); o.failed || o.invited {
			break
		}
	}
	if w.trouble.one(4) {
		w.restart()
		return p
	}
	w.fold(&o, wish.Version)
	if w.trouble.one(2) {
		w.list()
	}
	return p
}

func (w *world) restart() {
	w.seen, w.absent = nil, false
	w.list()
}

// settle runs rounds without trouble until nothing is left to do, and fails if
// that takes long or does not last.
func (w *world) settle(t *testing.T, wish plan.Wish) plan.Plan {
	t.Helper()
	w.trouble = &dice{}
	w.complete = true
	w.list()
	for range 8 {
		p := w.round(wish)
		if len(p.Actions) > 0 {
			w.list()
			continue
		}
		before := w.record
		again := w.round(wish)
		if len(again.Actions) > 0 || w.record != before {
			t.Fatalf("at rest, and then %+v with record %+v", again, w.record)
		}
		return again
	}
	t.Fatalf("does not settle: record %+v, really %+v", w.record, w.real)
	return plan.Plan{}
}

// person is a wish that a company would have: no doubts about adoption.
func (d *dice) person() plan.Wish {
	return plan.Wish{
		ID: "E0001", Type: pick(d, directory.Ordinary, directory.Enterprise), State: directory.Active,
		Profile: d.profile(), Adoption: plan.Review, Version: "1",
	}
}

// edit is what people do to a declaration.
func (d *dice) edit(wish *plan.Wish) {
	changed := d.profile()
	wish.Version += "+"
	wish.Profile.Title, wish.Profile.Mobile, wish.Profile.Email = changed.Title, changed.Mobile, changed.Email
	wish.State = pick(d, directory.Active, directory.Frozen)
}

// truth fails if what is said to be in sync is not so in fact, seen or unseen.
func (w *world) truth(t *testing.T, wish plan.Wish, p *plan.Plan) {
	t.Helper()
	switch {
	case !p.InSync():
		return
	case w.real == nil:
		if wish.State != directory.Frozen {
			t.Error("in sync, and there is no account")
		}
		return
	case w.real.State != wish.State:
		t.Errorf("in sync, and the account is %s, declared %s", w.real.State, wish.State)
	}
	want := wish.Profile
	want.Set &= w.caps.Writes
	if differ, _ := directory.Differ(&want, &w.real.Profile); differ != 0 {
		t.Errorf("in sync, and in fact {%s} differ: record %+v", differ, w.record)
	}
}

// FuzzP3LostAnswers: with lost answers, failed look-ups, crashes between record
// and act, and edits on the way, one account comes to be and is as declared.
func FuzzP3LostAnswers(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		wish := d.person()
		wish.State = pick(d, directory.Active, directory.Frozen)
		w := &world{caps: pick(d, open, closed)(), complete: d.one(2), invites: d.one(5), trouble: d}
		w.caps.CreatesFrozen = d.one(2)
		for range 6 {
			w.round(wish)
			if d.one(4) {
				// Who it is stays: another name or address is for adoption to review.
				title := d.profile()
				wish.Profile.Title, wish.Profile.Telephone = title.Title, title.Telephone
				wish.State = pick(d, directory.Active, directory.Frozen)
				wish.Version += "+"
			}
		}
		wish.State = directory.Active
		p := w.settle(t, wish)
		if p.Hold != nil {
			t.Fatalf("held: %+v, record %+v", p.Hold, w.record)
		}
		if w.made != 1 || w.blind > 0 {
			t.Errorf("%d accounts were made, %d times blindly", w.made, w.blind)
		}
		w.truth(t, wish, &p)
	})
}

// FuzzP9Converges: from any start, with trouble and edits, a plan comes to rest
// in bounded rounds, and what it then says is so; also of fields that cannot be
// read and of writes that the platform ignores.
func FuzzP9Converges(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		wish := d.person()
		w := &world{caps: pick(d, open, closed)(), complete: d.one(2), trouble: d}
		w.ignores = d.fields((w.caps.Reads | directory.FieldMobile) & w.caps.Writes)
		if d.one(3) {
			wish.Adoption = plan.Overwrite
			w.real = d.account(w.caps, &wish)
			w.real.Profile.Set = directory.AllFields
		}
		w.list()
		for range 6 {
			w.round(wish)
			if d.one(3) {
				d.edit(&wish)
			}
		}
		p := w.settle(t, wish)
		w.truth(t, wish, &p)
		sent := w.sent
		if p.Hold != nil && p.Hold.Reason == plan.WriteIgnored && w.record.Ignored&w.ignores == 0 {
			t.Errorf("{%s} are said to be ignored, in fact {%s} are", w.record.Ignored, w.ignores)
		}
		w.vanish(t, wish, sent)
	})
}

// vanish removes an account by hand and expects it to stay so (P5).
func (w *world) vanish(t *testing.T, wish plan.Wish, sent int) {
	t.Helper()
	if !w.record.Origin.Owned() {
		return
	}
	w.real = nil
	w.list()
	if p := w.settle(t, wish); p.Hold == nil || p.Hold.Reason != plan.Vanished {
		t.Errorf("removed by hand, and the plan is %+v", p)
	}
	if w.sent != sent {
		t.Error("P5: it was created again")
	}
}

// TestP9IgnoredWriteEndsInAHold is the story of one ignored write, told step by step.
func TestP9IgnoredWriteEndsInAHold(t *testing.T) {
	wish := wished()
	w := &world{caps: open(), complete: true, trouble: &dice{}, ignores: directory.FieldTitle}
	if p := w.settle(t, wish); !p.InSync() {
		t.Fatalf("after creation: %+v", p.Hold)
	}
	w.real.Profile.Title = "经理"
	if p := w.settle(t, wish); p.Hold == nil || p.Hold.Reason != plan.WriteIgnored || len(p.Actions) > 0 {
		t.Fatalf("after an ignored write: %+v", p)
	}
	w.real.Profile.Title = wish.Profile.Title
	if p := w.settle(t, wish); !p.InSync() || w.record.Ignored != 0 {
		t.Fatalf("after somebody put it right: %+v", p.Hold)
	}
	w.ignores = 0
	w.real.Profile.Title = "经理"
	if p := w.settle(t, wish); !p.InSync() || w.real.Profile.Title != wish.Profile.Title {
		t.Fatalf("later drift was not healed: %+v", p.Hold)
	}
}
