package leaving_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/leaving"
)

// noon is when nothing happens by itself.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// steps are all steps.
var steps = []leaving.Step{
	leaving.Freeze, leaving.Backup, leaving.HandOver, leaving.RevokePermissions, leaving.UnlinkSystems,
	leaving.Notify, leaving.Grace, leaving.DeleteAccount, leaving.ResidualCheck,
}

// What platforms offer: DingTalk passes on with the removal, WeCom after it, both leave something
// to people; some platform passes nothing on.
var (
	withRemoval = []directory.DutyOffer{
		{Duty: directory.DutyDocuments, Moment: directory.WithRemoval}, {Duty: directory.DutyGroups, Moment: directory.ByHand},
	}
	afterRemoval = []directory.DutyOffer{
		{Duty: directory.DutyCustomers, Moment: directory.AfterRemoval}, {Duty: directory.DutyCalendars, Moment: directory.ByHand},
	}
	byHand []directory.DutyOffer
)

// dice turns a fuzzer's bytes into choices. When they are used up every choice
// is the first.
type dice struct{ bytes []byte }

// n returns a number below limit.
func (d *dice) n(limit int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return int(b) % limit
}

func (d *dice) one(in int) bool { return d.n(in) == in-1 }

func pick[T any](d *dice, from ...T) T { return from[d.n(len(from))] }

// seed gives a fuzz target what an ordinary `go test` tries.
func seed(f *testing.F) {
	chance := rand.New(rand.NewPCG(4, 2))
	f.Add([]byte{})
	for range 3000 {
		b := make([]byte, 160)
		for i := range b {
			b[i] = byte(chance.Uint32())
		}
		f.Add(b)
	}
}

// situation is what Next is asked about.
type situation struct {
	terms    leaving.Terms
	progress leaving.Progress
	facts    leaving.Facts
}

// beforeRemoval is somebody of whom everything is done but the removal.
func beforeRemoval(offers []directory.DutyOffer) situation {
	s := situation{
		terms:    leaving.Terms{Backup: true, Grace: time.Hour, Delete: true},
		progress: leaving.Progress{Steps: map[leaving.Step]leaving.State{}, GraceEnds: noon.Add(-time.Minute)},
		facts: leaving.Facts{
			Now: noon, Listed: true, Account: &directory.Account{ID: "E0001", State: directory.Frozen}, Owned: true, CanFreeze: true,
			FreezeLimit: "this platform cannot freeze", Backup: leaving.BackupVerified, BackupMessage: "verified",
			CanRevoke: true, RolesRead: true, Offers: offers, Successor: "E0002",
		},
	}
	for _, step := range leaving.Order(offers) {
		if step == leaving.DeleteAccount {
			break
		}
		s.progress.Steps[step] = leaving.Done
	}
	return s
}

// situation is either near a removal, with a few things otherwise, or anything at all that can be said.
func (d *dice) situation() situation {
	s := beforeRemoval(pick(d, withRemoval, afterRemoval, byHand))
	otherwise := d.n(4)
	if d.one(3) {
		otherwise = 60
	}
	for range otherwise {
		d.otherwise(&s)
	}
	return s
}

// otherwise changes one thing.
func (d *dice) otherwise(s *situation) {
	t, p, f := &s.terms, &s.progress, &s.facts
	hold := &leaving.Hold{Reason: "RemovalLimitReached", Message: "more people than the limit"}
	changes := []func(){
		func() { t.Backup = d.one(2) },
		func() { t.Delete = !d.one(2) },
		func() { t.RemoveEarly = d.one(2) },
		func() { t.Grace = pick(d, 0, time.Hour) },
		func() {
			t.Skip = append(t.Skip, pick(d, leaving.HandOver, leaving.RevokePermissions, leaving.UnlinkSystems, leaving.Notify, leaving.ResidualCheck))
		},
		func() {
			p.Steps[pick(d, steps...)] = pick(d, leaving.Pending, leaving.Running, leaving.Waiting, leaving.Done, leaving.Skipped)
		},
		func() { p.GraceEnds = pick(d, time.Time{}, noon, noon.Add(time.Second), noon.Add(-time.Hour)) },
		func() { p.RemovalAsked = d.one(2) },
		func() { f.Listed = d.one(2) },
		func() { f.Absent = d.one(2) },
		func() { f.Doubtful = d.one(2) },
		func() {
			f.Account = pick(d, nil, &directory.Account{ID: "E0001", State: directory.Active}, &directory.Account{ID: "E0001", State: directory.Frozen})
		},
		func() { f.Owned = d.one(2) },
		func() { f.CanFreeze = d.one(2) },
		func() { f.Held = pick(d, nil, hold) },
		func() { f.DeletionHeld = pick(d, nil, hold) },
		func() { f.Cancelled = d.one(2) },
		func() { f.Claimant = pick(d, "", "zhao-lei") },
		func() {
			f.Backup = pick(d, leaving.BackupAbsent, leaving.BackupRunning, leaving.BackupFailed, leaving.BackupVerified)
		},
		func() { f.CanRevoke, f.RolesRead = d.one(2), d.one(2) },
		func() { f.RolesLeft, f.RolesTaken = d.n(3), d.n(3) },
		func() { f.Offers = pick(d, withRemoval, afterRemoval, byHand) },
		func() { f.Successor = pick(d, "", "E0002") },
		func() { f.TasksOpen = pick(d, nil, []string{"wecom/HandOver"}) },
		func() {
			f.Inheritance = pick(d, nil, &directory.Inheritance{Done: 2}, &directory.Inheritance{Waiting: 1, Again: noon}, &directory.Inheritance{Waiting: 1, Again: noon.Add(time.Hour)})
		},
		func() { f.NoticesOpen = d.one(2) },
		func() { f.Systems, f.SystemsOpen = 2, pick(d, nil, []string{"mail"}) },
		func() { f.ResidualsRead, f.Residuals = d.one(2), pick(d, nil, []string{"a role"}) },
	}
	changes[d.n(len(changes))]()
}

// removed: the account is gone by our act, or may be.
func (s *situation) removed() bool {
	return s.progress.Steps[leaving.DeleteAccount] == leaving.Done || s.progress.RemovalAsked && (s.facts.Account == nil || s.facts.Doubtful)
}

// after is how the steps stand when what a decision settled is recorded.
func (s *situation) after(d leaving.Decision) map[leaving.Step]leaving.State {
	now := map[leaving.Step]leaving.State{}
	for step, state := range s.progress.Steps {
		now[step] = state
	}
	for _, settled := range d.Settled {
		now[settled.Step] = settled.State
	}
	return now
}
