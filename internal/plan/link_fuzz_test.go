package plan_test

import (
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/plan"
)

func (d *dice) linkedAccount() linked.Account {
	a := linked.Account{
		ID: pick(d, "i1", "i2"), Login: pick(d, "liu", "Liu", "zhao"), Number: pick(d, "", "E0001", "e0001", "E0002"), Enabled: d.one(2),
		Attributes: map[string][]string{"displayName": {pick(d, "柳如烟", "赵敏")}},
	}
	if d.one(2) {
		a.Attributes["title"] = []string{pick(d, "工程师", "经理")}
	}
	return a
}

// link is any situation of somebody in a linked system.
func (d *dice) link() (w plan.LinkWish, r plan.LinkRecord, f plan.LinkFacts) {
	w = plan.LinkWish{
		ID: pick(d, "", "", "i1", "i2"), Login: pick(d, "liu", "liu", ""), Renames: d.one(3), Number: pick(d, "E0001", "E0002"),
		State: pick(d, directory.Active, directory.Frozen), Provision: d.one(2), OnFreeze: pick(d, plan.ActDisable, plan.ActDisable, plan.ActDelete, plan.ActRetain),
		Attributes: map[string][]string{"displayName": {pick(d, "柳如烟", "赵敏")}, "title": pick(d, nil, []string{"工程师"})},
		Adoption:   pick(d, plan.Review, plan.Overwrite, plan.Never), Version: pick(d, "1", "2"),
	}
	r = plan.LinkRecord{
		ID: pick(d, "", "i1", "i2"), Origin: pick(d, plan.Origin(""), plan.Creating, plan.Created, plan.Adopted), DisabledByUs: d.one(2),
		Applied: pick(d, "", "1", "2"), Ignored: pick(d, nil, []string{"title"}),
	}
	if r.Origin.Owned() && r.ID == "" {
		r.ID = "i1"
	}
	if r.Origin == plan.Creating {
		r.ID = ""
	}
	f = plan.LinkFacts{
		Capabilities: linked.Capabilities{
			Reads: !d.one(4), Creates: !d.one(4), Updates: !d.one(4), Disables: !d.one(4), Deletes: !d.one(4), DisableRemoves: d.one(4), Enables: !d.one(4),
		},
		Read: !d.one(6), Absent: d.one(2), Doubtful: d.one(5), Sought: d.one(2), Claimant: pick(d, "", "", "", "the Employee b"),
	}
	f.Capabilities.Lists = f.Capabilities.Reads && d.one(2)
	id := r.ID
	if !r.Origin.Owned() {
		id = w.ID
	}
	if id != "" && d.one(2) {
		a := d.linkedAccount()
		a.ID, f.Account, f.Absent = id, &a, false
	}
	for range d.n(3) {
		f.Candidates = append(f.Candidates, d.linkedAccount())
	}
	if d.one(5) { // who leaves, or is taken off the system
		w.Made = pick(d, nil, w.Attributes)
		w.State, w.Provision, w.Parts, w.Attributes = directory.Frozen, false, true, nil
	}
	return w, r, f
}

func fuzzLink(f *testing.F, hold func(*testing.T, plan.LinkWish, plan.LinkRecord, plan.LinkFacts, plan.LinkPlan)) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, r, facts := (&dice{b}).link()
		hold(t, w, r, facts, plan.ForLink(w, r, facts))
	})
}

// FuzzP2LinkAccessFirst: access is taken away first and given back last, never
// skipped silently, and nobody who is declared frozen gets an account.
func FuzzP2LinkAccessFirst(f *testing.F) {
	fuzzLink(f, func(t *testing.T, w plan.LinkWish, r plan.LinkRecord, facts plan.LinkFacts, p plan.LinkPlan) {
		for i, a := range p.Actions {
			takes := a.Kind == plan.Disable || a.Kind == plan.Delete
			switch {
			case takes && (w.State != directory.Frozen || w.OnFreeze == plan.ActRetain):
				t.Errorf("%s, and it is declared %s with onFreeze %s", a.Kind, w.State, w.OnFreeze)
			case a.Kind == plan.Disable && i != 0:
				t.Errorf("disables as action %d", i)
			case a.Kind == plan.Enable && !facts.Capabilities.Enables:
				t.Error("enables where that cannot be done")
			case a.Kind == plan.Disable && facts.Capabilities.DisableRemoves, a.Kind == plan.Delete && w.OnFreeze != plan.ActDelete:
				t.Errorf("%s removes somebody unasked", a.Kind)
			case a.Kind == plan.Enable && (i != len(p.Actions)-1 || w.State != directory.Active || !r.DisabledByUs):
				t.Errorf("enables as action %d of %d, declared %s, disabled by us: %t", i, len(p.Actions), w.State, r.DisabledByUs)
			case a.Kind == plan.Create && w.State == directory.Frozen && (facts.Capabilities.Reads || r.Origin != plan.Creating):
				t.Error("creates an account for somebody frozen")
			case takes && !p.Record.DisabledByUs:
				t.Error("takes access away without a record of it")
			}
		}
		mine := facts.Claimant == "" && facts.Read && (!facts.Doubtful || !facts.Capabilities.Reads) && r.Origin.Owned()
		usable := facts.Account != nil && facts.Account.Enabled || facts.Account == nil && !facts.Capabilities.Reads
		if mine && usable && w.State == directory.Frozen && w.OnFreeze != plan.ActRetain && p.InSync() {
			t.Errorf("the account of somebody frozen stays usable, and nothing is said: %+v", p)
		}
	})
}

// FuzzP3LinkNothingTwice: a creation is planned only for whom nobody knows, after
// the system was asked, and its record goes before it.
func FuzzP3LinkNothingTwice(f *testing.F) {
	fuzzLink(f, func(t *testing.T, w plan.LinkWish, r plan.LinkRecord, facts plan.LinkFacts, p plan.LinkPlan) {
		for _, a := range p.Actions {
			switch {
			case a.Kind != plan.Create:
			case len(p.Actions) != 1 || p.Record.Origin != plan.Creating:
				t.Errorf("creates among %d actions with the record %+v", len(p.Actions), p.Record)
			case r.Origin.Owned(), facts.Account != nil, w.ID != "":
				t.Errorf("creates what is there, or pinned: %+v", r)
			case facts.Capabilities.Reads && (!facts.Sought || len(facts.Candidates) > 0):
				t.Error("creates whom nobody looked for, or who was found")
			case !w.Provision && r.Origin != plan.Creating:
				t.Error("creates, and onJoin is LinkOnly")
			case a.Wish.Login == "":
				t.Error("creates somebody without a login")
			}
		}
		if r.Origin == plan.Creating && facts.Capabilities.Reads && !facts.Sought && len(facts.Candidates) == 0 && w.ID == "" && p.InSync() {
			t.Error("nobody looked whether the creation happened")
		}
	})
}

// FuzzP4LinkOwnedOrAdoptedOnly: changes are planned for accounts of ours only, by the
// adoption policy, by their ids, and for declared attributes only.
func FuzzP4LinkOwnedOrAdoptedOnly(f *testing.F) {
	fuzzLink(f, func(t *testing.T, w plan.LinkWish, r plan.LinkRecord, facts plan.LinkFacts, p plan.LinkPlan) {
		if facts.Claimant != "" && (len(p.Actions) > 0 || p.Hold == nil || p.Hold.Reason != plan.DataConflict || p.Record.Origin != r.Origin) {
			t.Errorf("a second claimant is not refused: %+v", p)
		}
		for _, a := range p.Actions {
			if !a.Kind.Writes() || a.Kind == plan.Create {
				continue
			}
			if !p.Record.Origin.Owned() || a.ID != p.Record.ID {
				t.Errorf("%s of %q with the record %+v", a.Kind, a.ID, p.Record)
			}
			for name := range a.Wish.Attributes {
				if _, declared := w.Attributes[name]; !declared {
					t.Errorf("writes %s, which nobody declared", name)
				}
			}
			if a.Wish.Login != "" && !w.Renames {
				t.Error("changes a login that nobody declared")
			}
			if a.Kind == plan.Update && len(a.Wish.Attributes) == 0 && a.Wish.Login == "" {
				t.Error("an update of nothing")
			}
		}
		if r.Origin.Owned() && p.Record.ID != r.ID && p.Record.Origin != "" {
			t.Errorf("from %q to %q: an account of ours is known by its id only", r.ID, p.Record.ID)
		}
		if p.Record.Origin == plan.Adopted && !r.Origin.Owned() && p.Record.ID != w.ID {
			if w.Adoption == plan.Never {
				t.Error("adopts, and the policy is Never")
			}
			if r.Origin == "" && r.DisabledByUs && p.Record.ID == r.ID {
				return // it was this person's, and is given back
			}
			switch a := facts.Candidates[0]; {
			case a.Number != "" && !strings.EqualFold(a.Number, w.Number):
				t.Error("adopts the account of another number")
			case a.Number == "" && w.Parts && r.Origin == "":
				t.Error("adopts by its login an account for somebody who leaves")
			case w.Adoption == plan.Review && facts.Capabilities.Reads && len(p.Actions) > 0:
				t.Errorf("overwrites on first sight: %+v", p.Actions)
			}
		}
	})
}

// FuzzP5LinkAbsenceIsNotDeparture: what a listing lacks is read directly, and an account of ours that is gone is held, never made again.
func FuzzP5LinkAbsenceIsNotDeparture(f *testing.F) {
	fuzzLink(f, func(t *testing.T, w plan.LinkWish, r plan.LinkRecord, facts plan.LinkFacts, p plan.LinkPlan) {
		if !r.Origin.Owned() || facts.Account != nil || facts.Claimant != "" || !facts.Read || !facts.Capabilities.Reads {
			return
		}
		deleted := r.DisabledByUs && w.OnFreeze == plan.ActDelete && w.State == directory.Frozen
		switch {
		case !facts.Absent || facts.Doubtful:
			if !slices.Equal(linkKinds(p), []plan.Kind{plan.Confirm}) || p.Record.Origin != r.Origin {
				t.Errorf("concludes something from a listing: %+v", p)
			}
		case deleted:
			if len(p.Actions) > 0 || p.Record.Origin != "" {
				t.Errorf("a freeze has deleted it: %+v", p)
			}
		case p.Hold == nil || p.Hold.Reason != plan.Vanished:
			t.Errorf("an account that is gone is not said to be: %+v", p)
		}
	})
}

// FuzzP9LinkStatusTellsTheTruth: in sync means that everything declared was seen, or written where it cannot be seen.
func FuzzP9LinkStatusTellsTheTruth(f *testing.F) {
	fuzzLink(f, func(t *testing.T, w plan.LinkWish, r plan.LinkRecord, facts plan.LinkFacts, p plan.LinkPlan) {
		if p.Hold != nil && len(p.Actions) > 0 {
			t.Error("holds and acts")
		}
		if !p.InSync() {
			return
		}
		if len(p.Differ) > 0 {
			t.Errorf("in sync, and %v differ", p.Differ)
		}
		if p.Record.Origin.Owned() && p.Record.Applied != w.Version {
			t.Errorf("in sync with the version %q of %q", p.Record.Applied, w.Version)
		}
		if p.StateDiffers {
			t.Error("in sync, and the state differs")
		}
		if !p.Record.Origin.Owned() && w.State == directory.Active {
			t.Errorf("in sync without an account: %+v", p)
		}
		if len(p.Unseen) > 0 && r.Applied != w.Version && r.Origin.Owned() && facts.Capabilities.Updates {
			t.Error("what cannot be seen was not written")
		}
	})
}
