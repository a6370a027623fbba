package plan_test

import (
	"slices"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/plan"
)

// able is a linked system that does everything.
func able(change ...func(*linked.Capabilities)) linked.Capabilities {
	c := linked.Capabilities{Lists: true, Reads: true, Creates: true, Updates: true, Disables: true, Enables: true, Deletes: true, Groups: true}
	for _, f := range change {
		f(&c)
	}
	return c
}

func unlisted(c *linked.Capabilities) { c.Lists = false }
func blind(c *linked.Capabilities)    { c.Lists, c.Reads = false, false }
func removes(c *linked.Capabilities)  { c.DisableRemoves = true }

func linkWish(change ...func(*plan.LinkWish)) plan.LinkWish {
	w := plan.LinkWish{
		Login: "liu", Number: "E0001", State: directory.Active, OnFreeze: plan.ActDisable, Adoption: plan.Review, Version: "2",
		Attributes: map[string][]string{"displayName": {"柳如烟"}, "title": {"工程师"}, "nick": {}},
	}
	for _, f := range change {
		f(&w)
	}
	return w
}

func suspended(w *plan.LinkWish) { w.State = directory.Frozen }
func provision(w *plan.LinkWish) { w.Provision = true }
func onFreeze(act plan.UnlinkAct) func(*plan.LinkWish) {
	return func(w *plan.LinkWish) { w.OnFreeze = act }
}

func linkAccount(change ...func(*linked.Account)) *linked.Account {
	a := &linked.Account{ID: "i1", Login: "Liu", Number: "e0001", Enabled: true, Attributes: map[string][]string{"displayName": {"柳如烟"}, "title": {"工程师"}}}
	for _, f := range change {
		f(a)
	}
	return a
}

func disabled(a *linked.Account) { a.Enabled = false }
func manager(a *linked.Account)  { a.Attributes["title"] = []string{"经理"} }

func linkKinds(p plan.LinkPlan) (kinds []plan.Kind) {
	for _, a := range p.Actions {
		kinds = append(kinds, a.Kind)
	}
	return kinds
}

var linkedBefore = plan.LinkRecord{ID: "i1", Origin: plan.Created, Applied: "2"}

// tookOff is somebody who was taken off the system.
var tookOff = plan.LinkRecord{ID: "i1", DisabledByUs: true}

func oursDisabled() plan.LinkRecord {
	r := linkedBefore
	r.DisabledByUs = true
	return r
}

// Every line is a situation, and what is done about it.
func TestForLink(t *testing.T) {
	read := func(f plan.LinkFacts) plan.LinkFacts {
		f.Read = true
		if f.Capabilities.Protocol == "" && !f.Capabilities.Updates {
			f.Capabilities = able()
		}
		return f
	}
	there, two := []linked.Account{*linkAccount()}, []linked.Account{*linkAccount(), *linkAccount(func(a *linked.Account) { a.ID = "i2" })}
	for name, c := range map[string]struct {
		wish   plan.LinkWish
		record plan.LinkRecord
		facts  plan.LinkFacts
		kinds  []plan.Kind
		hold   plan.Reason
		origin plan.Origin
	}{
		"somebody else has it":              {linkWish(), plan.LinkRecord{}, plan.LinkFacts{Claimant: "the Employee b", Candidates: there}, nil, plan.DataConflict, ""},
		"nobody is there, and none is made": {linkWish(), plan.LinkRecord{}, plan.LinkFacts{}, nil, plan.WaitingForAccount, ""},
		"nobody is there: asks first":       {linkWish(provision), plan.LinkRecord{}, plan.LinkFacts{}, []plan.Kind{plan.Find}, "", ""},
		"nobody was found: creates":         {linkWish(provision), plan.LinkRecord{}, plan.LinkFacts{Sought: true}, []plan.Kind{plan.Create}, "", plan.Creating},
		"asked for, not answered: asks":     {linkWish(), plan.LinkRecord{Origin: plan.Creating}, plan.LinkFacts{}, []plan.Kind{plan.Find}, "", plan.Creating},
		"asked for, and there":              {linkWish(), plan.LinkRecord{Origin: plan.Creating}, plan.LinkFacts{Candidates: there}, nil, "", plan.Created},
		"asked for, differing":              {linkWish(), plan.LinkRecord{Origin: plan.Creating}, plan.LinkFacts{Candidates: []linked.Account{*linkAccount(manager)}}, []plan.Kind{plan.Update}, "", plan.Created},
		"asked for, not there, frozen":      {linkWish(suspended), plan.LinkRecord{Origin: plan.Creating}, plan.LinkFacts{Sought: true}, nil, "", ""},
		"it cannot create":                  {linkWish(provision), plan.LinkRecord{}, plan.LinkFacts{Capabilities: able(func(c *linked.Capabilities) { c.Creates = false }), Sought: true}, nil, plan.NotSupported, ""},
		"no login":                          {linkWish(provision, func(w *plan.LinkWish) { w.Login = "" }), plan.LinkRecord{}, plan.LinkFacts{Sought: true}, nil, plan.InvalidValue, ""},
		"equal: linked":                     {linkWish(), plan.LinkRecord{}, plan.LinkFacts{Candidates: there}, nil, "", plan.Adopted},
		"differing: shown":                  {linkWish(), plan.LinkRecord{}, plan.LinkFacts{Candidates: []linked.Account{*linkAccount(manager)}}, nil, plan.AdoptionReview, ""},
		"disabled: shown":                   {linkWish(), plan.LinkRecord{}, plan.LinkFacts{Candidates: []linked.Account{*linkAccount(disabled)}}, nil, plan.AdoptionReview, ""},
		"to be deleted: shown":              {linkWish(suspended, onFreeze(plan.ActDelete)), plan.LinkRecord{}, plan.LinkFacts{Candidates: []linked.Account{*linkAccount(disabled)}}, nil, plan.AdoptionReview, ""},
		"differing: overwritten":            {linkWish(func(w *plan.LinkWish) { w.Adoption = plan.Overwrite }), plan.LinkRecord{}, plan.LinkFacts{Candidates: []linked.Account{*linkAccount(manager)}}, []plan.Kind{plan.Update}, "", plan.Adopted},
		"never":                             {linkWish(func(w *plan.LinkWish) { w.Adoption = plan.Never }), plan.LinkRecord{}, plan.LinkFacts{Candidates: there}, nil, plan.DataConflict, ""},
		"the login of another number":       {linkWish(), plan.LinkRecord{}, plan.LinkFacts{Candidates: []linked.Account{*linkAccount(func(a *linked.Account) { a.Number = "E0002" })}}, nil, plan.DataConflict, ""},
		"two of them":                       {linkWish(), plan.LinkRecord{}, plan.LinkFacts{Candidates: two}, nil, plan.DataConflict, ""},
		"pinned, of another number":         {linkWish(pin("i1")), plan.LinkRecord{}, plan.LinkFacts{Account: linkAccount(manager, func(a *linked.Account) { a.Number = "E0002" })}, []plan.Kind{plan.Update}, "", plan.Adopted},
		"pinned, unknown":                   {linkWish(pin("i1")), plan.LinkRecord{}, plan.LinkFacts{}, []plan.Kind{plan.Confirm}, "", ""},
		"pinned, not there":                 {linkWish(pin("i1"), provision), plan.LinkRecord{}, plan.LinkFacts{Absent: true}, nil, plan.WaitingForAccount, ""},
		"pinned anew":                       {linkWish(pin("i2")), linkedBefore, plan.LinkFacts{Account: linkAccount()}, nil, plan.DataConflict, plan.Created},
		"unlisted: asks":                    {linkWish(), plan.LinkRecord{}, plan.LinkFacts{Capabilities: able(unlisted)}, []plan.Kind{plan.Find}, "", ""},

		"ours, equal":                        {linkWish(), linkedBefore, plan.LinkFacts{Account: linkAccount()}, nil, "", plan.Created},
		"ours, moved":                        {linkWish(), linkedBefore, plan.LinkFacts{Account: linkAccount(manager)}, []plan.Kind{plan.Update}, "", plan.Created},
		"ours, not listed":                   {linkWish(), linkedBefore, plan.LinkFacts{}, []plan.Kind{plan.Confirm}, "", plan.Created},
		"ours, gone":                         {linkWish(provision), linkedBefore, plan.LinkFacts{Absent: true}, nil, plan.Vanished, plan.Created},
		"ours, disabled by us and gone":      {linkWish(suspended), oursDisabled(), plan.LinkFacts{Absent: true}, nil, plan.Vanished, plan.Created},
		"ours, in doubt":                     {linkWish(), linkedBefore, plan.LinkFacts{Account: linkAccount(), Doubtful: true}, []plan.Kind{plan.Confirm}, "", plan.Created},
		"ours, disabled by somebody":         {linkWish(), linkedBefore, plan.LinkFacts{Account: linkAccount(disabled, manager)}, nil, plan.FrozenElsewhere, plan.Created},
		"frozen":                             {linkWish(suspended), linkedBefore, plan.LinkFacts{Account: linkAccount(manager)}, []plan.Kind{plan.Disable, plan.Update}, "", plan.Created},
		"frozen, done":                       {linkWish(suspended), oursDisabled(), plan.LinkFacts{Account: linkAccount(disabled)}, nil, "", plan.Created},
		"frozen, kept":                       {linkWish(suspended, onFreeze(plan.ActRetain)), linkedBefore, plan.LinkFacts{Account: linkAccount()}, nil, "", plan.Created},
		"frozen, where disabling removes":    {linkWish(suspended), linkedBefore, plan.LinkFacts{Capabilities: able(removes), Account: linkAccount()}, nil, plan.FreezeUnsupported, plan.Created},
		"frozen, where nothing disables":     {linkWish(suspended), linkedBefore, plan.LinkFacts{Capabilities: able(func(c *linked.Capabilities) { c.Disables = false }), Account: linkAccount()}, nil, plan.FreezeUnsupported, plan.Created},
		"frozen, to be deleted":              {linkWish(suspended, onFreeze(plan.ActDelete)), linkedBefore, plan.LinkFacts{Account: linkAccount()}, []plan.Kind{plan.Disable, plan.Delete}, "", plan.Created},
		"frozen, to be deleted, removes":     {linkWish(suspended, onFreeze(plan.ActDelete)), linkedBefore, plan.LinkFacts{Capabilities: able(removes), Account: linkAccount()}, []plan.Kind{plan.Delete}, "", plan.Created},
		"frozen, deleted":                    {linkWish(suspended, onFreeze(plan.ActDelete)), oursDisabled(), plan.LinkFacts{Absent: true}, nil, "", ""},
		"frozen, deleted, remembered":        {linkWish(suspended, onFreeze(plan.ActDelete), pin("i1")), plan.LinkRecord{ID: "i1", DisabledByUs: true}, plan.LinkFacts{Absent: true}, nil, "", ""},
		"thawed after that: made anew":       {linkWish(provision), plan.LinkRecord{ID: "i1", DisabledByUs: true}, plan.LinkFacts{Sought: true}, []plan.Kind{plan.Create}, "", plan.Creating},
		"taken off, added back":              {linkWish(), tookOff, plan.LinkFacts{Candidates: []linked.Account{*linkAccount(disabled)}}, []plan.Kind{plan.Enable}, "", plan.Adopted},
		"taken off, added back, unlisted":    {linkWish(provision), tookOff, plan.LinkFacts{Capabilities: able(unlisted)}, []plan.Kind{plan.Find}, "", ""},
		"taken off, added back, never":       {linkWish(func(w *plan.LinkWish) { w.Adoption = plan.Never }), tookOff, plan.LinkFacts{Candidates: []linked.Account{*linkAccount(disabled)}}, nil, plan.DataConflict, ""},
		"taken off, somebody else's by now":  {linkWish(), tookOff, plan.LinkFacts{Candidates: []linked.Account{*linkAccount(disabled, func(a *linked.Account) { a.ID = "i2" })}}, nil, plan.AdoptionReview, ""},
		"taken off, added back, pinned":      {linkWish(pin("i1")), tookOff, plan.LinkFacts{Account: linkAccount(disabled)}, []plan.Kind{plan.Enable}, "", plan.Adopted},
		"taken off, pinned to another":       {linkWish(pin("i2")), tookOff, plan.LinkFacts{Account: linkAccount(disabled, func(a *linked.Account) { a.ID = "i2" })}, nil, plan.FrozenElsewhere, plan.Adopted},
		"nobody frozen is created":           {linkWish(suspended, provision), plan.LinkRecord{}, plan.LinkFacts{Sought: true}, nil, "", ""},
		"thawed":                             {linkWish(), oursDisabled(), plan.LinkFacts{Account: linkAccount(disabled, manager)}, []plan.Kind{plan.Update, plan.Enable}, "", plan.Created},
		"thawed, where nothing enables":      {linkWish(), oursDisabled(), plan.LinkFacts{Capabilities: able(func(c *linked.Capabilities) { c.Enables = false }), Account: linkAccount(disabled, manager)}, nil, plan.NotSupported, plan.Created},
		"thawed there by a person":           {linkWish(), oursDisabled(), plan.LinkFacts{Capabilities: able(func(c *linked.Capabilities) { c.Enables = false }), Account: linkAccount()}, nil, "", plan.Created},
		"ignored once":                       {linkWish(), plan.LinkRecord{ID: "i1", Origin: plan.Created, Applied: "2", Ignored: []string{"title"}}, plan.LinkFacts{Account: linkAccount(manager)}, nil, plan.WriteIgnored, plan.Created},
		"ignored, and declared anew":         {linkWish(), plan.LinkRecord{ID: "i1", Origin: plan.Created, Applied: "1", Ignored: []string{"title"}}, plan.LinkFacts{Account: linkAccount(manager)}, []plan.Kind{plan.Update}, "", plan.Created},
		"it updates nothing":                 {linkWish(), linkedBefore, plan.LinkFacts{Capabilities: able(func(c *linked.Capabilities) { c.Updates = false; c.Protocol = "SCIM" }), Account: linkAccount(manager)}, nil, plan.NotSupported, plan.Created},
		"another login, made from the rules": {linkWish(), linkedBefore, plan.LinkFacts{Account: linkAccount(func(a *linked.Account) { a.Login = "ruyan" })}, nil, "", plan.Created},
		"another login, declared":            {linkWish(func(w *plan.LinkWish) { w.Renames = true }), linkedBefore, plan.LinkFacts{Account: linkAccount(func(a *linked.Account) { a.Login = "ruyan" })}, []plan.Kind{plan.Update}, "", plan.Created},

		"blind, not pinned":            {linkWish(), plan.LinkRecord{}, plan.LinkFacts{Capabilities: able(blind)}, nil, plan.WaitingForAccount, ""},
		"blind, taken off, added back": {linkWish(provision), tookOff, plan.LinkFacts{Capabilities: able(blind)}, []plan.Kind{plan.Update, plan.Enable}, "", plan.Adopted},
		"blind, pinned":                {linkWish(pin("i1")), plan.LinkRecord{}, plan.LinkFacts{Capabilities: able(blind)}, []plan.Kind{plan.Update}, "", plan.Adopted},
		"blind, created":               {linkWish(provision), plan.LinkRecord{}, plan.LinkFacts{Capabilities: able(blind)}, []plan.Kind{plan.Create}, "", plan.Creating},
		"blind, applied":               {linkWish(), linkedBefore, plan.LinkFacts{Capabilities: able(blind)}, nil, "", plan.Created},
		"blind, frozen, no receipt":    {linkWish(suspended), oursDisabled(), plan.LinkFacts{Capabilities: able(blind)}, []plan.Kind{plan.Disable}, "", plan.Created},
		"blind, frozen, with receipt":  {linkWish(suspended), oursDisabled(), plan.LinkFacts{Capabilities: able(blind), Account: linkAccount(disabled)}, nil, "", plan.Created},
		"blind, thawed, no receipt":    {linkWish(), oursDisabled(), plan.LinkFacts{Capabilities: able(blind)}, []plan.Kind{plan.Enable}, "", plan.Created},
		"blind, in doubt":              {linkWish(), linkedBefore, plan.LinkFacts{Capabilities: able(blind), Doubtful: true}, nil, "", plan.Created},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan.ForLink(c.wish, c.record, read(c.facts))
			var reason plan.Reason
			if p.Hold != nil {
				reason = p.Hold.Reason
			}
			if !slices.Equal(linkKinds(p), c.kinds) || reason != c.hold || p.Record.Origin != c.origin {
				t.Errorf("does %v, holds for %q, the origin is %q; hold %+v", linkKinds(p), reason, p.Record.Origin, p.Hold)
			}
		})
	}
	if p := plan.ForLink(linkWish(provision), plan.LinkRecord{}, plan.LinkFacts{}); p.Hold == nil || p.Hold.Reason != plan.WaitingForAccount {
		t.Error("something is done in a system that was never read")
	}
}

func pin(id string) func(*plan.LinkWish) { return func(w *plan.LinkWish) { w.ID = id } }

// Exactly what differs is written, and an attribute that is to be empty is not made.
func TestALinkUpdateIsWhatDiffers(t *testing.T) {
	a := linkAccount(manager, func(a *linked.Account) {
		a.Attributes["nick"] = []string{"小柳"}
		a.Attributes["room"] = []string{"3"}
	})
	p := plan.ForLink(linkWish(), linkedBefore, plan.LinkFacts{Capabilities: able(), Read: true, Account: a})
	if !slices.Equal(p.Differ, []string{"nick", "title"}) || len(p.Actions) != 1 {
		t.Fatalf("%+v", p)
	}
	w := p.Actions[0].Wish
	if w.Login != "" || len(w.Attributes) != 2 || len(w.Attributes["nick"]) != 0 || w.Attributes["title"][0] != "工程师" {
		t.Errorf("writes %+v", w)
	}
	wish, many := linkWish(), []string{"a@example.com", "b@example.com"}
	wish.Attributes = map[string][]string{"mail": many}
	a.Attributes = map[string][]string{"mail": {many[1], many[0]}}
	if p := plan.ForLink(wish, linkedBefore, plan.LinkFacts{Capabilities: able(), Read: true, Account: a}); len(p.Actions) != 0 {
		t.Errorf("values in another order are written: %+v", p.Actions)
	}
	p = plan.ForLink(linkWish(provision), plan.LinkRecord{}, plan.LinkFacts{Capabilities: able(), Read: true, Sought: true})
	if w := p.Actions[0].Wish; w.Login != "liu" || w.Number != "E0001" || len(w.Attributes) != 2 {
		t.Errorf("creates %+v", w)
	}
}

// Whoever parts before a creation was answered takes with them what was made for them, and nobody else's account.
func TestP4AnAccountOfSomebodyElseIsNotTheOneThatWasAskedFor(t *testing.T) {
	made := linkWish().Attributes
	parting := func(made map[string][]string) plan.LinkWish {
		return linkWish(suspended, func(w *plan.LinkWish) { w.Attributes, w.Parts, w.Made, w.Adoption = nil, true, made, plan.Overwrite })
	}
	unnumbered := func(a *linked.Account) { a.Number = "" }
	for name, c := range map[string]struct {
		wish   plan.LinkWish
		there  *linked.Account
		origin plan.Origin
		holds  plan.Reason
	}{
		"as it was asked for":        {parting(made), linkAccount(unnumbered), plan.Created, ""},
		"with the number":            {parting(nil), linkAccount(manager), plan.Created, ""},
		"otherwise":                  {parting(made), linkAccount(unnumbered, manager), plan.Creating, plan.DataConflict},
		"and nobody can tell":        {parting(nil), linkAccount(unnumbered), plan.Creating, plan.DataConflict},
		"and disabled, cannot tell":  {parting(nil), linkAccount(unnumbered, disabled), plan.Creating, plan.DataConflict},
		"with the number of another": {parting(made), linkAccount(func(a *linked.Account) { a.Number = "E2" }), plan.Creating, plan.DataConflict},
	} {
		p := plan.ForLink(c.wish, plan.LinkRecord{Origin: plan.Creating, Applied: "1"}, plan.LinkFacts{Capabilities: able(), Read: true, Candidates: []linked.Account{*c.there}})
		if holds := p.Hold != nil; p.Record.Origin != c.origin || holds != (c.holds != "") || holds && p.Hold.Reason != c.holds {
			t.Errorf("%s: %+v, %+v", name, p.Record, p.Hold)
		}
	}
}

// Whoever has departed takes no account by its login alone, whatever the adoption policy: it may be of who has the login now.
func TestP4WhoDepartedTakesNothingByALogin(t *testing.T) {
	parting := linkWish(suspended, func(w *plan.LinkWish) { w.Attributes, w.Parts, w.Adoption = nil, true, plan.Overwrite })
	unnumbered := func(a *linked.Account) { a.Number = "" }
	pinned := parting
	pinned.ID = "i1"
	for name, c := range map[string]struct {
		wish  plan.LinkWish
		there *linked.Account
		takes bool
	}{
		"the number":                     {parting, linkAccount(), true},
		"the login alone":                {parting, linkAccount(unnumbered), false},
		"the login alone, of a disabled": {parting, linkAccount(unnumbered, disabled), false},
		"the pinned id":                  {pinned, linkAccount(unnumbered), true},
	} {
		facts := plan.LinkFacts{Capabilities: able(), Read: true, Sought: true, Candidates: []linked.Account{*c.there}}
		if c.wish.ID != "" {
			facts.Account, facts.Candidates = c.there, nil
		}
		p := plan.ForLink(c.wish, plan.LinkRecord{}, facts)
		if p.Record.Origin.Owned() != c.takes || c.takes == (p.Hold != nil) || !c.takes && len(p.Actions) > 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// P3: whoever is looked for keeps what was theirs until they are found.
func TestP3LinkRemembersWhatWasTakenOff(t *testing.T) {
	w, facts := linkWish(provision), plan.LinkFacts{Capabilities: able(unlisted), Read: true}
	p := plan.ForLink(w, tookOff, facts)
	if got := linkKinds(p); !slices.Equal(got, []plan.Kind{plan.Find}) {
		t.Fatalf("plans %v, want to look first", got)
	}
	facts.Sought, facts.Candidates = true, []linked.Account{*linkAccount(disabled)}
	p = plan.ForLink(w, p.Record, facts)
	if got := linkKinds(p); !slices.Equal(got, []plan.Kind{plan.Enable}) || p.Record.ID != "i1" {
		t.Errorf("plans %v with the record %+v, want what was taken back: %v", got, p.Record, p.Hold)
	}
}
