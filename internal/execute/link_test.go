package execute_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
	"rollcall.dev/rollcall/internal/plan"
)

// desk is somebody who manages one person in a linked system, as the controllers do: plan, record, act, take over what came of it.
type desk struct {
	*testing.T
	*linkedtest.Fake
	caps   linked.Capabilities
	mirror *linked.Mirror
	orders *execute.Orders
	trail  *ledger
	wish   plan.LinkWish
	// record is durable; disabled is what the status says where nothing can be read.
	record   plan.LinkRecord
	disabled bool
	last     plan.LinkPlan
}

// ledger is a trail in memory.
type ledger struct{ lines []string }

func (l *ledger) Begin(_ context.Context, c audit.Change) (func(context.Context, audit.Result) error, error) {
	l.lines = append(l.lines, fmt.Sprintf("intent %s %s %v", c.Action, c.Target.ID, c.After))
	return func(_ context.Context, r audit.Result) error {
		l.lines = append(l.lines, "outcome "+c.Action+" "+r.Class)
		return nil
	}, nil
}

func newDesk(t *testing.T, change ...func(*linked.Capabilities)) *desk {
	caps := linkedtest.Able()
	for _, f := range change {
		f(&caps)
	}
	d := &desk{T: t, Fake: linkedtest.NewFake(caps), caps: caps, trail: &ledger{}}
	d.wish = plan.LinkWish{
		Login: "liu", Number: "E1", State: directory.Active, Provision: true, OnFreeze: plan.ActDisable, Adoption: plan.Review, Version: "1",
		Attributes: map[string][]string{"displayName": {"柳如烟"}, "title": {"工程师"}},
	}
	d.restart()
	return d
}

// restart forgets everything that is not durable.
func (d *desk) restart() {
	d.mirror, d.orders = linked.NewMirror(time.Now), execute.NewOrders("system-uid")
}

func (d *desk) facts() plan.LinkFacts {
	state := d.mirror.State()
	f := plan.LinkFacts{Capabilities: d.caps, Read: state.Read, Sought: d.mirror.Sought(d.wish.Number, d.wish.Login)}
	id := d.record.ID
	if !d.record.Origin.Owned() {
		id = d.wish.ID
	}
	f.Account, f.Absent, f.Doubtful = d.mirror.Account(id), d.mirror.Absent(id), d.mirror.Doubtful(id)
	if !d.caps.Reads && d.record.Origin.Owned() {
		f.Account = &linked.Account{ID: id, Enabled: !d.disabled}
	}
	if f.Account == nil && !d.record.Origin.Owned() {
		f.Candidates = d.mirror.Candidates(d.wish.Number, d.wish.Login)
	}
	return f
}

// turn does what is next, and reports whether there was anything. cut ends the process before (1) or after (2) what it does.
func (d *desk) turn(cut int) (acted bool) {
	d.Helper()
	if !d.mirror.State().Read {
		var ids []string
		if d.record.Origin.Owned() {
			ids = append(ids, d.record.ID)
		}
		_, _ = d.mirror.Refresh(d.Context(), d.Fake, ids)
	}
	d.last = plan.ForLink(d.wish, d.record, d.facts())
	d.record = d.last.Record
	if cut == 1 || len(d.last.Actions) == 0 {
		return len(d.last.Actions) > 0
	}
	o := execute.Link(d.Context(), execute.LinkWork{
		System: d.Fake, Capabilities: d.caps, Seen: d.mirror, Orders: d.orders, Person: "person-uid", Declaration: d.wish.Version, Updates: d.record.Updates,
		By: execute.By{Trail: d.trail, Account: "acme/mail"},
	}, d.last.Actions)
	o.Version = d.wish.Version
	if cut == 2 {
		return true
	}
	d.record = execute.FoldLink(d.record, &o, !d.caps.Reads)
	for _, kind := range o.Done {
		d.disabled = kind == plan.Disable || d.disabled && kind != plan.Enable
	}
	return true
}

// settle acts until there is nothing left to do.
func (d *desk) settle() {
	d.Helper()
	for range 30 {
		if !d.turn(0) {
			return
		}
	}
	d.Fatalf("it does not come to rest: %+v, record %+v, calls %v", d.last, d.record, d.Calls())
}

func (d *desk) only() linked.Account {
	d.Helper()
	all := d.Accounts()
	if len(all) != 1 {
		d.Fatalf("P3: there are %d accounts: %v", len(all), all)
	}
	for _, a := range all {
		return a
	}
	return linked.Account{}
}

func TestP3LinkALostCreationIsLookedUp(t *testing.T) {
	for name, fault := range map[string]linkedtest.Fault{"it happened": linkedtest.Lost(), "it did not": linkedtest.Unsent(), "nothing": {}} {
		for _, cut := range []int{0, 1, 2} {
			t.Run(fmt.Sprint(name, cut), func(t *testing.T) {
				d := newDesk(t)
				d.turn(0) // asks
				d.Next("Create", fault)
				d.turn(cut)
				if cut > 0 {
					d.restart()
				}
				d.settle()
				a := d.only()
				if !d.last.InSync() || d.record.ID != a.ID || d.record.Origin != plan.Created || a.Attributes["title"][0] != "工程师" {
					t.Errorf("%+v, record %+v, there %+v", d.last.Hold, d.record, a)
				}
			})
		}
	}
}

func TestP4LinkWhatSomebodyElseMadeIsAdoptedLikeAnyOther(t *testing.T) {
	d := newDesk(t)
	d.turn(0)
	d.Place(linked.Account{Login: "liu", Number: "E1", Enabled: true, Attributes: map[string][]string{"displayName": {"柳如烟"}, "title": {"经理"}}})
	d.settle()
	if d.record.Origin != "" || d.last.Hold == nil || d.last.Hold.Reason != plan.AdoptionReview || d.only().Attributes["title"][0] != "经理" {
		t.Errorf("%+v, record %+v", d.last.Hold, d.record)
	}
}

func TestP9LinkWhatIsIgnoredIsSaid(t *testing.T) {
	d := newDesk(t)
	d.settle()
	d.wish.Version, d.wish.Attributes = "2", map[string][]string{"displayName": {"柳如烟"}, "title": {"经理"}}
	d.Next("Update", linkedtest.Fault{Drops: []string{"title"}})
	d.settle()
	if d.last.Hold == nil || d.last.Hold.Reason != plan.WriteIgnored || !slices.Equal(d.record.Ignored, []string{"title"}) {
		t.Errorf("%+v, record %+v", d.last.Hold, d.record)
	}
	writes := len(d.Writes())
	if d.settle(); len(d.Writes()) != writes {
		t.Error("P13: what is ignored is written again and again")
	}
	d.wish.Version = "3"
	if d.settle(); !d.last.InSync() || d.only().Attributes["title"][0] != "经理" {
		t.Errorf("declared anew: %+v", d.last.Hold)
	}
}

func TestP9LinkADisablingThatDoesNotShowIsNotDone(t *testing.T) {
	d := newDesk(t)
	d.settle()
	d.wish.State = directory.Frozen
	d.Next("Disable", linkedtest.Fault{Ignored: true}, linkedtest.Lost())
	d.turn(0)
	if d.turn(1); d.last.InSync() || d.only().Enabled != true {
		t.Errorf("%+v", d.last)
	}
	d.settle()
	if !d.last.InSync() || d.only().Enabled || !d.record.DisabledByUs {
		t.Errorf("%+v, record %+v", d.last, d.record)
	}
	d.wish.State, d.wish.Version = directory.Active, "2"
	if d.settle(); !d.only().Enabled || d.record.DisabledByUs {
		t.Errorf("thawed: %+v", d.record)
	}
	d.Change(d.record.ID, func(a *linked.Account) { a.Enabled = false })
	d.restart()
	if d.settle(); d.only().Enabled || d.last.Hold == nil || d.last.Hold.Reason != plan.FrozenElsewhere {
		t.Errorf("what somebody else disabled: %+v", d.last)
	}
}

func TestP8EveryChangeOfALinkedAccountLeavesARecord(t *testing.T) {
	d := newDesk(t)
	d.settle()
	d.wish.State = directory.Frozen
	d.settle()
	all := strings.Join(d.trail.lines, "\n")
	for _, want := range []string{"intent Create", "outcome Create \n", "intent Disable id-0001 map[enabled:false]", "outcome Disable "} {
		if !strings.Contains(all+"\n", want) {
			t.Errorf("the trail lacks %q:\n%s", want, all)
		}
	}
	if strings.Contains(all, "柳如烟") || len(d.trail.lines) != 2*len(d.Writes()) {
		t.Errorf("%d writes, and the trail is\n%s", len(d.Writes()), all)
	}
}

// One act has one key until it is answered, and what is done again after somebody undid it has another.
func TestOrders(t *testing.T) {
	orders := execute.NewOrders("uid")
	lost := &directory.Error{Class: directory.OutcomeUnknown}
	first, answered := orders.Order("why", "person", "Disable")
	answered(lost)
	again, answered := orders.Order("why", "person", "Disable")
	if first.Key != again.Key || len(first.Key) > 64 || first.Key == "" {
		t.Errorf("the same act: %q and %q", first.Key, again.Key)
	}
	answered(nil)
	next, _ := orders.Order("why", "person", "Disable")
	other, _ := orders.Order("why", "another", "Disable")
	elsewhere, _ := execute.NewOrders("uid2").Order("why", "person", "Disable")
	seen := map[string]bool{first.Key: true, next.Key: true, other.Key: true, elsewhere.Key: true}
	if len(seen) != 4 {
		t.Errorf("different acts have one key: %v", seen)
	}
	fresh, _ := execute.NewOrders("uid").Order("why", "person", "Disable")
	if fresh.Key != first.Key {
		t.Error("after a restart the same act has another key")
	}
}

// A receiver that knows the key does nothing twice, and does again what somebody undid.
func TestP3LinkAReceiverThatCannotBeReadDoesNothingTwice(t *testing.T) {
	d := newDesk(t, func(c *linked.Capabilities) { c.Lists, c.Reads = false, false })
	d.Once = true
	d.Next("Create", linkedtest.Lost())
	d.turn(0)
	d.wish.Version, d.wish.Attributes = "2", map[string][]string{"displayName": {"柳如烟"}, "title": {"经理"}} // declared anew meanwhile
	d.restart()
	d.settle()
	a := d.only()
	if d.record.ID != a.ID || !d.last.InSync() || !slices.Equal(a.Attributes["title"], []string{"经理"}) {
		t.Errorf("%+v, record %+v, account %+v", d.last, d.record, a)
	}
	d.wish.State = directory.Frozen
	d.Next("Disable", linkedtest.Unsent())
	d.turn(0)
	d.restart()
	if d.settle(); d.only().Enabled {
		t.Error("P2: nobody was disabled, and it is taken to be so")
	}
	d.wish.State, d.wish.Version = directory.Active, "3"
	if d.settle(); !d.only().Enabled {
		t.Error("nobody was enabled again")
	}
}

// P9: what is declared again after something else was (a label that comes back, a mapping that is taken back) is another act, also
// after a restart: a receiver that knows the key would answer well and do nothing, and nobody could read that.
func TestP9LinkWhatIsDeclaredAgainIsDoneAgain(t *testing.T) {
	d := newDesk(t, func(c *linked.Capabilities) { c.Lists, c.Reads = false, false })
	d.Once = true
	d.settle()
	for round := range 3 {
		for i, title := range []string{"经理", "工程师"} {
			version := fmt.Sprint(2 - i)
			d.wish.Version, d.wish.Attributes = version, map[string][]string{"displayName": {"柳如烟"}, "title": {title}}
			d.Next("Update", linkedtest.Lost()) // and one whose answer is lost is asked for again with its key
			d.turn(0)
			d.restart()
			if d.settle(); !d.last.InSync() || !slices.Equal(d.only().Attributes["title"], []string{title}) {
				t.Errorf("round %d: version %s is taken to be applied, and the title is %q", round, version, d.only().Attributes["title"])
			}
		}
	}
	keys := map[string]int{}
	for _, c := range d.Calls("Update") {
		keys[c.Key]++
	}
	for key, n := range keys {
		if n != 2 {
			t.Errorf("%s was sent %d times", key, n)
		}
	}
}

// Whatever a receiver that cannot be read refuses of a creation that it may have done, no other key makes another one, and it is said
// what to do.
func TestP3LinkARefusedCreationIsNoOther(t *testing.T) {
	d := newDesk(t, func(c *linked.Capabilities) { c.Lists, c.Reads = false, false })
	d.Once = true
	d.Next("Create", linkedtest.Lost(), linkedtest.Refused(directory.Invalid), linkedtest.Refused(directory.AlreadyExists), linkedtest.Refused(directory.Conflict))
	d.turn(0)
	d.wish.Login, d.wish.Version = "liu.ruyan", "2"
	for range 3 {
		if d.turn(0); d.record.Origin != plan.Creating || d.record.Applied != "1" {
			t.Errorf("what was asked for is forgotten: %+v", d.record)
		}
	}
	d.settle()
	calls := d.Calls("Create")
	if a := d.only(); a.ID != d.record.ID || len(calls) != 5 || slices.ContainsFunc(calls, func(c linkedtest.Call) bool { return c.Key != calls[0].Key }) {
		t.Errorf("record %+v, calls %v", d.record, calls)
	}
}

func TestLinkAFreezeThatDeletes(t *testing.T) {
	d := newDesk(t)
	d.wish.OnFreeze = plan.ActDelete
	d.settle()
	d.wish.State = directory.Frozen
	d.Next("Delete", linkedtest.Lost())
	d.settle()
	if len(d.Accounts()) > 0 || !d.last.InSync() || d.record.Origin != "" {
		t.Errorf("%v, record %+v", d.Accounts(), d.record)
	}
	d.restart()
	if d.settle(); len(d.Accounts()) > 0 || !d.last.InSync() {
		t.Errorf("after a restart: %+v", d.last)
	}
	d.wish.State, d.wish.Version = directory.Active, "2"
	if d.settle(); !d.last.InSync() || d.only().ID == "id-0001" {
		t.Errorf("thawed: %+v", d.last)
	}
}

// Whatever goes wrong, in the end one account is as declared, and nobody else's was touched.
func TestLinksConverge(t *testing.T) {
	chance := rand.New(rand.NewPCG(7, 9))
	methods := []string{"Create", "Update", "Disable", "Enable", "Find", "Account", "List", "Discover"}
	for run := range 400 {
		t.Run(fmt.Sprint(run), func(t *testing.T) {
			d := newDesk(t, func(c *linked.Capabilities) { c.Lists = chance.IntN(2) == 0 })
			d.Place(linked.Account{ID: "stranger", Login: "liu2", Number: "E2", Enabled: true})
			for range 6 {
				for range 3 {
					fault := []linkedtest.Fault{{}, linkedtest.Lost(), linkedtest.Unsent(), linkedtest.Refused(directory.Unavailable), linkedtest.Refused(directory.RateLimited)}[chance.IntN(5)]
					d.Next(methods[chance.IntN(len(methods))], fault)
				}
				d.wish.Version = fmt.Sprint(chance.IntN(100))
				d.wish.State = []directory.State{directory.Active, directory.Active, directory.Frozen}[chance.IntN(3)]
				d.wish.Attributes = map[string][]string{"displayName": {"柳如烟"}, "title": {[]string{"工程师", "经理"}[chance.IntN(2)]}}
				for range chance.IntN(6) {
					cut := chance.IntN(4) % 3
					if d.turn(cut); cut > 0 {
						d.restart()
					}
				}
			}
			d.wish.State, d.wish.Version = directory.Active, "end"
			for _, method := range methods { // the weather clears
				for range 40 {
					d.Next(method, linkedtest.Fault{})
				}
			}
			for range 200 {
				if !d.turn(0) && d.mirror.State().Err == nil && d.mirror.State().Read {
					break
				}
			}
			all := d.Accounts()
			if a := all["liu"]; len(all) != 2 || !d.last.InSync() || !a.Enabled || a.Attributes["title"][0] != d.wish.Attributes["title"][0] || a.ID != d.record.ID {
				t.Fatalf("P3: in the end there are %v, the plan is %+v, the record %+v\n%v", all, d.last, d.record, d.Calls())
			}
			for _, c := range d.Writes() {
				if c.ID == "stranger" || c.ID == "liu2" {
					t.Errorf("P4: %+v", c)
				}
			}
		})
	}
}

// fullTrail takes no records.
type fullTrail struct{}

func (fullTrail) Begin(context.Context, audit.Change) (func(context.Context, audit.Result) error, error) {
	return nil, fmt.Errorf("no space left on device")
}

// Nothing is changed without a record, but for access that is taken away, which does not wait for one.
func TestP2P8LinkADisablingDoesNotWaitForItsRecord(t *testing.T) {
	f := linkedtest.NewFake(linkedtest.Able())
	id := f.Place(linked.Account{Login: "liu", Enabled: true})
	w := execute.LinkWork{
		System: f, Capabilities: linkedtest.Able(), Seen: linked.NewMirror(time.Now), Orders: execute.NewOrders("uid"), By: execute.By{Trail: fullTrail{}},
	}
	for _, kind := range []plan.Kind{plan.Update, plan.Enable, plan.Unlink, plan.Delete} {
		o := execute.Link(t.Context(), w, []plan.LinkAction{{Kind: kind, ID: id}})
		if o.Err == nil || len(f.Writes()) > 0 {
			t.Errorf("%s without a record: %v", kind, o.Err)
		}
	}
	if o := execute.Link(t.Context(), w, []plan.LinkAction{{Kind: plan.Disable, ID: id}}); o.Err != nil || f.Accounts()["liu"].Enabled {
		t.Errorf("access waits for a record: %v", o.Err)
	}
}

// What is answered well and not seen is not done (P9), whichever act it is.
func TestP9LinkWhatDoesNotShowIsAnError(t *testing.T) {
	for _, kind := range []plan.Kind{plan.Disable, plan.Enable, plan.Unlink, plan.Delete} {
		f := linkedtest.NewFake(linkedtest.Able())
		id := f.Place(linked.Account{Login: "liu", Enabled: kind == plan.Disable})
		f.Next(string(kind), linkedtest.Fault{Ignored: true})
		w := execute.LinkWork{System: f, Capabilities: linkedtest.Able(), Seen: linked.NewMirror(time.Now), Orders: execute.NewOrders("uid")}
		if o := execute.Link(t.Context(), w, []plan.LinkAction{{Kind: kind, ID: id}}); directory.ClassOf(o.Err) != directory.Unavailable {
			t.Errorf("%s: %v", kind, o.Err)
		}
		if o := execute.Link(t.Context(), w, []plan.LinkAction{{Kind: kind, ID: id}}); o.Err != nil || !slices.Contains(o.Done, kind) {
			t.Errorf("%s again: %v, done %v", kind, o.Err, o.Done)
		}
	}
}

// An answer that was lost is read, and what was done is done.
func TestP3LinkALostAnswerIsRead(t *testing.T) {
	for _, kind := range []plan.Kind{plan.Disable, plan.Enable, plan.Unlink, plan.Delete} {
		f := linkedtest.NewFake(linkedtest.Able())
		id := f.Place(linked.Account{Login: "liu", Enabled: kind == plan.Disable})
		f.Next(string(kind), linkedtest.Lost())
		w := execute.LinkWork{System: f, Capabilities: linkedtest.Able(), Seen: linked.NewMirror(time.Now), Orders: execute.NewOrders("uid")}
		if o := execute.Link(t.Context(), w, []plan.LinkAction{{Kind: kind, ID: id}}); o.Err != nil || !slices.Contains(o.Done, kind) {
			t.Errorf("%s: %v, done %v", kind, o.Err, o.Done)
		}
	}
}

// told is a system that says what it read after a change of state.
type told struct {
	*linkedtest.Fake
	says func(linked.Account) linked.Account
}

func (s *told) Disable(ctx context.Context, id string, o linked.Order) error {
	if err := s.Fake.Disable(ctx, id, o); err != nil {
		return err
	}
	a, err := s.Account(ctx, id)
	o.Saw(s.says(a))
	return err
}

// P9: what a system read back itself is taken for seen, and not read again; unless it shows that nothing was done, or is of somebody else.
func TestP9LinkWhatWasReadBackIsNotReadAgain(t *testing.T) {
	for name, c := range map[string]struct {
		says  func(linked.Account) linked.Account
		reads int
		class directory.Class
	}{
		"disabled":      {func(a linked.Account) linked.Account { return a }, 1, ""},
		"still enabled": {func(a linked.Account) linked.Account { a.Enabled = true; return a }, 1, directory.Unavailable},
		"somebody else": {func(a linked.Account) linked.Account { a.ID = "another"; return a }, 2, ""},
		"nobody at all": {func(linked.Account) linked.Account { return linked.Account{} }, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			fake, mirror := linkedtest.NewFake(linkedtest.Able()), linked.NewMirror(time.Now)
			id := fake.Place(linked.Account{Login: "liu", Enabled: true})
			o := execute.Link(t.Context(), execute.LinkWork{
				System: &told{fake, c.says}, Capabilities: linkedtest.Able(), Seen: mirror, Orders: execute.NewOrders("uid"), By: execute.By{Account: "acme/mail"},
			}, []plan.LinkAction{{Kind: plan.Disable, ID: id}})
			reads := 0
			for _, call := range fake.Calls() {
				if call.Method == "Account" {
					reads++
				}
			}
			seen := mirror.Account(id)
			if directory.ClassOf(o.Err) != c.class || reads != c.reads || !slices.Equal(o.Done, []plan.Kind{plan.Disable}) || mirror.Doubtful(id) {
				t.Errorf("%+v after %d readings", o, reads)
			}
			if seen == nil || seen.Enabled != (c.class != "") {
				t.Errorf("the mirror has %+v", seen)
			}
		})
	}
}
