package execute_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/mirror"
	"rollcall.dev/rollcall/internal/plan"
)

// open cannot read mobile numbers, and lets us choose department ids.
func open() directory.Capabilities {
	return directory.Capabilities{
		Platform: "Open", Reads: directory.AllFields &^ directory.FieldMobile, Writes: directory.AllFields,
		DepartmentWrites: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder,
		Freezes:          []directory.AccountType{directory.Ordinary}, ChoosesDepartmentID: true, RootDepartment: "1",
	}
}

// closed chooses department ids itself.
func closed() directory.Capabilities {
	c := open()
	c.ChoosesDepartmentID = false
	return c
}

// scene is a platform and what was seen of it.
type scene struct {
	*testing.T
	*directorytest.Fake
	seen *mirror.Mirror
}

func begin(t *testing.T, c directory.Capabilities) *scene {
	return &scene{T: t, Fake: directorytest.NewFake(c), seen: mirror.New(c, time.Now)}
}

func person(title string) directory.Profile {
	return directory.Profile{
		Set:  directory.FieldName | directory.FieldTitle | directory.FieldMobile,
		Name: "柳如烟", Title: title, Mobile: "+86-13800550001",
	}
}

// with puts a person there, known to the mirror, and clears the diary.
func (s *scene) with(title string) *scene {
	s.Place(directory.Account{ID: "E1", Type: directory.Ordinary, State: directory.Active, Profile: person(title)})
	a, err := s.Account(s.Context(), "E1")
	if err != nil {
		s.Fatal(err)
	}
	s.seen.Put(a)
	return s
}

func (s *scene) run(kinds ...plan.Kind) execute.Outcome {
	var p plan.Plan
	for _, k := range kinds {
		a := plan.Action{Kind: k, ID: "E1"}
		if k == plan.Create || k == plan.Update {
			a.Type, a.State, a.Profile = directory.Ordinary, directory.Active, person("总监")
		}
		p.Actions = append(p.Actions, a)
	}
	return execute.Account(s.Context(), s.Fake, s.seen, p, execute.By{Reason: "离职"})
}

// mirrored fails unless the mirror knows the account with this title; "" is not at all.
func (s *scene) mirrored(title string) {
	s.Helper()
	switch a := s.seen.Account("E1"); {
	case a == nil && title != "":
		s.Errorf("not seen, want %q", title)
	case a != nil && a.Profile.Title != title:
		s.Errorf("seen with %q, want %q", a.Profile.Title, title)
	}
}

// certain fails unless it is clear whether what was seen is still so.
func (s *scene) certain(want bool) {
	s.Helper()
	if s.seen.Doubtful("E1") == want {
		s.Errorf("doubtful: %t", !want)
	}
}

func (s *scene) wantClass(o execute.Outcome, c directory.Class) {
	s.Helper()
	if directory.ClassOf(o.Err) != c {
		s.Errorf("ended with %v, want class %q", o.Err, c)
	}
}

func TestCreate(t *testing.T) {
	s := begin(t, open())
	o := s.run(plan.Create)
	if o.Err != nil || !o.Created || o.Invited || o.Ignored != 0 || !slices.Equal(o.Done, []plan.Kind{plan.Create}) {
		t.Errorf("outcome %+v", o)
	}
	s.mirrored("总监")
	s.certain(true)
	if a := s.Really("E1"); a == nil || a.Profile.Mobile != "+86-13800550001" {
		t.Errorf("really %+v", a)
	}
	if s.Count("FindByMobile") != 0 {
		t.Error("P13: looks for a number that the platform has just taken")
	}
}

// lookups are the ways in which a creation is answered with something else than yes.
func TestP3CreationsAreLookedUp(t *testing.T) {
	unavailable := directorytest.Refused(directory.Unavailable)
	notFound := directorytest.Refused(directory.NotFound)
	held := func(by string) directorytest.Fault {
		return directorytest.Fault{Err: &directory.Error{Class: directory.Conflict, Operation: "user/create", Message: "the mobile is taken", Holder: by}}
	}
	for name, c := range map[string]struct {
		create  directorytest.Fault
		taken   bool
		look    directorytest.Fault
		class   directory.Class
		created bool
		title   string // as then seen
		certain bool
		looked  int
		found   string // title of what is told to be there already, and not to be ours
		asked   bool
	}{
		"lost after it happened":             {create: directorytest.Lost(), title: "总监", certain: true, looked: 1, asked: true},
		"lost before it happened":            {create: directorytest.Refused(directory.OutcomeUnknown), class: directory.OutcomeUnknown, certain: true, looked: 1, asked: true},
		"lost, and the look-up fails":        {create: directorytest.Lost(), look: unavailable, class: directory.Unavailable, looked: 1, asked: true},
		"the id is taken":                    {taken: true, looked: 1, found: "工程师"},
		"the id is taken by nobody":          {create: directorytest.Refused(directory.AlreadyExists), class: directory.AlreadyExists, certain: true, looked: 1},
		"the id is taken, the look-up fails": {taken: true, look: unavailable, class: directory.Unavailable, looked: 1},
		"made, and not visible yet":          {look: notFound, class: directory.Unavailable, certain: true, looked: 1, asked: true},
		"made, and the look-up fails":        {look: unavailable, class: directory.Unavailable, created: true, looked: 1},
		"refused":                            {create: directorytest.Refused(directory.Conflict), class: directory.Conflict, certain: true},
		"the number is taken by the id":      {create: held("e1"), taken: true, looked: 1, found: "工程师"},
		"the number is taken by another":     {create: held("E2"), class: directory.Conflict, certain: true},
		"not sent":                           {create: unavailable, class: directory.Unavailable, certain: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, open())
			if c.taken {
				s.Place(directory.Account{ID: "E1", Type: directory.Ordinary, State: directory.Active, Profile: person("工程师")})
			}
			if c.create.Err != nil {
				s.Next("CreateAccount", c.create)
			}
			s.Next("Account", c.look)
			o := s.run(plan.Create)
			s.wantClass(o, c.class)
			if o.Created != c.created || o.Invited {
				t.Errorf("outcome %+v", o)
			}
			if o.Asked != c.asked || (o.Found != nil) != (c.found != "") || (o.Found != nil && (!o.Existed || o.Found.Profile.Title != c.found)) {
				t.Errorf("outcome %+v, found %+v", o, o.Found)
			}
			s.mirrored(c.title)
			s.certain(c.certain)
			if s.Count("CreateAccount") != 1 || s.Count("Account") != c.looked {
				t.Errorf("calls %v", s.Calls())
			}
			if s.seen.Absent("E1") {
				t.Error("P5: a look-up this soon is taken for a proof of absence")
			}
		})
	}
}

func TestP3InvitationsEndThePlan(t *testing.T) {
	s := begin(t, open())
	s.Next("CreateAccount", directorytest.Fault{Invites: true})
	o := s.run(plan.Create, plan.Freeze)
	if o.Err != nil || !o.Invited || o.Created || !slices.Equal(o.Done, []plan.Kind{plan.Create}) {
		t.Errorf("outcome %+v", o)
	}
	s.certain(true)
	if got := s.Calls(); !slices.Equal(got, []string{"CreateAccount E1"}) {
		t.Errorf("calls %v", got)
	}
}

func TestP9CreationsAreReadBack(t *testing.T) {
	s := begin(t, open())
	s.Next("CreateAccount", directorytest.Fault{Ignores: directory.FieldTitle})
	if o := s.run(plan.Create); o.Err != nil || !o.Created || o.Ignored != directory.FieldTitle {
		t.Errorf("outcome %+v", o)
	}
}

// halfway answers a creation with a state and an error: it is there, and not as wished.
type halfway struct{ *directorytest.Fake }

func (h halfway) CreateAccount(ctx context.Context, id string, t directory.AccountType, p directory.Profile) (directory.State, error) {
	s, err := h.Fake.CreateAccount(ctx, id, t, p)
	if err != nil {
		return s, err
	}
	return s, &directory.Error{Class: directory.Invalid, Operation: "user/create", Message: "a department was made up"}
}

func TestP3WhatWasCreatedWrongIsOursAllTheSame(t *testing.T) {
	for _, fails := range []bool{false, true} {
		s := begin(t, open())
		if fails {
			s.Next("Account", directorytest.Refused(directory.Unavailable))
		}
		p := plan.Plan{Actions: []plan.Action{{Kind: plan.Create, ID: "E1", Type: directory.Ordinary, Profile: person("总监")}}}
		o := execute.Account(t.Context(), halfway{s.Fake}, s.seen, p, execute.By{})
		s.wantClass(o, directory.Invalid)
		if !o.Created {
			t.Errorf("outcome %+v", o)
		}
		s.certain(!fails)
	}
}

// beginner can create accounts that were never usable.
type beginner struct{ *directorytest.Fake }

func (b beginner) CreateFrozen(ctx context.Context, id string, t directory.AccountType, p directory.Profile) (directory.State, error) {
	if _, err := b.CreateAccount(ctx, id, t, p); err != nil {
		return "", err
	}
	return directory.Frozen, b.Freeze(ctx, id, "")
}

func TestP2AccountsBeginFrozen(t *testing.T) {
	for state, frozen := range map[directory.State]bool{directory.Active: false, directory.Frozen: true} {
		s := begin(t, open())
		p := plan.Plan{Actions: []plan.Action{{Kind: plan.Create, ID: "E1", Type: directory.Ordinary, State: state, Profile: person("总监")}}}
		o := execute.Account(t.Context(), beginner{s.Fake}, s.seen, p, execute.By{})
		if o.Err != nil || !o.Created || s.Really("E1").State != state || (s.Count("Freeze") == 1) != frozen {
			t.Errorf("%s: outcome %+v, calls %v", state, o, s.Calls())
		}
	}
}

func TestUpdate(t *testing.T) {
	s := begin(t, open()).with("工程师")
	o := s.run(plan.Update)
	if o.Err != nil || o.Created || o.Ignored != 0 || !slices.Equal(o.Done, []plan.Kind{plan.Update}) {
		t.Errorf("outcome %+v", o)
	}
	s.mirrored("总监")
	s.certain(true)
}

func TestP9UpdatesAreReadBack(t *testing.T) {
	for name, c := range map[string]struct {
		update, look directorytest.Fault
		class        directory.Class
		title        string
		certain      bool
	}{
		"lost after it happened":      {update: directorytest.Lost(), class: directory.OutcomeUnknown, title: "总监", certain: true},
		"lost before it happened":     {update: directorytest.Refused(directory.OutcomeUnknown), class: directory.OutcomeUnknown, title: "工程师", certain: true},
		"lost, and the reading fails": {update: directorytest.Lost(), look: directorytest.Refused(directory.Unavailable), class: directory.OutcomeUnknown, title: "工程师"},
		"made, and the reading fails": {look: directorytest.Refused(directory.RateLimited), class: directory.RateLimited, title: "工程师"},
		"refused":                     {update: directorytest.Refused(directory.Invalid), class: directory.Invalid, title: "工程师", certain: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, open()).with("工程师")
			if c.update.Err != nil {
				s.Next("UpdateAccount", c.update)
			}
			s.Next("Account", c.look)
			o := s.run(plan.Update, plan.Unfreeze)
			s.wantClass(o, c.class)
			if s.Count("Unfreeze") > 0 || o.Ignored != 0 {
				t.Errorf("went on after an error: %v, %+v", s.Calls(), o)
			}
			s.mirrored(c.title)
			s.certain(c.certain)
		})
	}
}

func TestP9IgnoredUpdatesAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		ignores directory.Fields
		find    directorytest.Fault
		holder  string
		want    directory.Fields
	}{
		"none":                               {},
		"one that is read back":              {ignores: directory.FieldTitle, want: directory.FieldTitle},
		"a number that cannot be read":       {ignores: directory.FieldMobile, want: directory.FieldMobile},
		"a number that somebody else has":    {ignores: directory.FieldMobile | directory.FieldTitle, holder: "E2", want: directory.FieldMobile | directory.FieldTitle},
		"a number that cannot be looked for": {ignores: directory.FieldMobile, find: directorytest.Refused(directory.RateLimited)},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, open()).with("工程师")
			a := *s.Really("E1")
			a.Profile.Mobile = "+86-13800550009"
			s.Place(a)
			s.Next("UpdateAccount", directorytest.Fault{Ignores: c.ignores})
			s.Next("FindByMobile", c.find)
			if c.holder != "" {
				s.Next("Account", directorytest.Fault{Before: func(context.Context) {
					s.Place(directory.Account{ID: c.holder, Type: directory.Ordinary, State: directory.Active, Profile: person("经理")})
				}})
			}
			if o := s.run(plan.Update); o.Err != nil || o.Ignored != c.want {
				t.Errorf("ignored {%s}, want {%s}: %v", o.Ignored, c.want, o.Err)
			}
		})
	}
}

// mute has no optional abilities: it finds nobody by mobile number, and freezes nobody.
type mute struct{ directory.Directory }

func TestWithoutAFinderNothingIsGuessed(t *testing.T) {
	s := begin(t, open()).with("工程师")
	s.Next("UpdateAccount", directorytest.Fault{Ignores: directory.FieldMobile})
	p := plan.Plan{Actions: []plan.Action{{Kind: plan.Update, ID: "E1", Profile: person("总监")}}}
	if o := execute.Account(t.Context(), mute{s.Fake}, s.seen, p, execute.By{}); o.Err != nil || o.Ignored != 0 {
		t.Errorf("outcome %+v", o)
	}
}

func TestP5UpdatesOfWhoIsGone(t *testing.T) {
	s := begin(t, open()).with("工程师")
	s.Vanish("E1")
	o := s.run(plan.Update)
	s.wantClass(o, directory.NotFound)
	s.mirrored("")
	if !s.seen.Absent("E1") || s.Count("CreateAccount") > 0 {
		t.Errorf("absent %t, calls %v", s.seen.Absent("E1"), s.Calls())
	}
}

func TestP2FreezingIsReadBack(t *testing.T) {
	for name, c := range map[string]struct {
		freeze, look directorytest.Fault
		class        directory.Class
		done         bool
		seen         directory.State
		certain      bool
	}{
		"done":                        {done: true, seen: directory.Frozen, certain: true},
		"lost after it happened":      {freeze: directorytest.Lost(), class: directory.OutcomeUnknown, seen: directory.Frozen, certain: true},
		"lost, and the reading fails": {freeze: directorytest.Lost(), look: directorytest.Refused(directory.Unavailable), class: directory.OutcomeUnknown, seen: directory.Active},
		"refused":                     {freeze: directorytest.Refused(directory.PermissionDenied), class: directory.PermissionDenied, seen: directory.Active, certain: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, open()).with("总监")
			if c.freeze.Err != nil {
				s.Next("Freeze", c.freeze)
			}
			s.Next("Account", c.look)
			o := s.run(plan.Freeze)
			s.wantClass(o, c.class)
			if (len(o.Done) > 0) != c.done || s.seen.Account("E1").State != c.seen {
				t.Errorf("outcome %+v, seen %s", o, s.seen.Account("E1").State)
			}
			s.certain(c.certain)
		})
	}
}

// lazy accepts freezes and does nothing.
type lazy struct{ *directorytest.Fake }

func (lazy) Freeze(context.Context, string, string) error { return nil }

func TestP9AFreezeThatDoesNotShowIsNoSuccess(t *testing.T) {
	s := begin(t, open()).with("总监")
	o := execute.Account(t.Context(), lazy{s.Fake}, s.seen, plan.Plan{Actions: []plan.Action{{Kind: plan.Freeze, ID: "E1"}}}, execute.By{})
	s.wantClass(o, directory.Unavailable)
	if o.Err != nil && !strings.Contains(o.Err.Error(), "does not show it yet") {
		t.Errorf("says %v", o.Err)
	}
}

func TestFreezingAndBack(t *testing.T) {
	s := begin(t, open()).with("工程师")
	if o := s.run(plan.Freeze, plan.Update); o.Err != nil || !slices.Equal(o.Done, []plan.Kind{plan.Freeze, plan.Update}) {
		t.Errorf("outcome %+v", o)
	}
	if a := s.Really("E1"); a.State != directory.Frozen || a.Profile.Title != "总监" {
		t.Errorf("really %+v", a)
	}
	if o := s.run(plan.Unfreeze); o.Err != nil || s.Really("E1").State != directory.Active {
		t.Errorf("outcome %+v", o)
	}
	o := execute.Account(t.Context(), mute{s.Fake}, s.seen, plan.Plan{Actions: []plan.Action{{Kind: plan.Freeze, ID: "E1"}}}, execute.By{})
	s.wantClass(o, directory.NotSupported)
}

// What is being written is doubtful while it is, so that nothing is concluded
// from what was seen before.
func TestP2WhatIsUnderWayIsDoubtful(t *testing.T) {
	for kind, method := range map[plan.Kind]string{
		plan.Create: "CreateAccount", plan.Update: "UpdateAccount", plan.Freeze: "Freeze", plan.Unfreeze: "Unfreeze",
	} {
		s := begin(t, open())
		if kind != plan.Create {
			s.with("工程师")
		}
		doubtful := false
		s.Next(method, directorytest.Fault{Before: func(context.Context) { doubtful = s.seen.Doubtful("E1") }})
		if o := s.run(kind); o.Err != nil || !doubtful {
			t.Errorf("%s: doubtful %t, %v", kind, doubtful, o.Err)
		}
		s.certain(true)
	}
}

func TestP5Confirm(t *testing.T) {
	s := begin(t, open()).with("总监")
	if o := s.run(plan.Confirm); o.Err != nil || len(o.Done) > 0 || s.seen.Absent("E1") {
		t.Errorf("there: %+v", o)
	}
	s.Next("Account", directorytest.Refused(directory.Unavailable))
	if o := s.run(plan.Confirm); directory.ClassOf(o.Err) != directory.Unavailable || s.seen.Absent("E1") || s.seen.Account("E1") == nil {
		t.Errorf("an error proves nothing: %+v", o)
	}
	s.Vanish("E1")
	if o := s.run(plan.Confirm); o.Err != nil || !s.seen.Absent("E1") || s.seen.Account("E1") != nil {
		t.Errorf("gone: %+v", o)
	}
}

func TestStopsAtTheFirstError(t *testing.T) {
	s := begin(t, open()).with("工程师")
	s.Next("Freeze", directorytest.Refused(directory.RateLimited))
	o := s.run(plan.Freeze, plan.Update)
	s.wantClass(o, directory.RateLimited)
	if s.Count("UpdateAccount") > 0 || len(o.Done) > 0 {
		t.Errorf("outcome %+v, calls %v", o, s.Calls())
	}
}

func TestUnknownActions(t *testing.T) {
	s := begin(t, open())
	if o := s.run("Delete"); o.Err == nil || len(s.Calls()) > 0 {
		t.Errorf("outcome %+v, calls %v", o, s.Calls())
	}
	p := plan.DepartmentPlan{Actions: []plan.DepartmentAction{{Kind: plan.Freeze}}}
	if o := execute.Department(t.Context(), s.Fake, s.seen, p, execute.By{}); o.Err == nil || len(s.Calls()) > 0 {
		t.Errorf("outcome %+v, calls %v", o, s.Calls())
	}
}

func TestCancelledActions(t *testing.T) {
	s := begin(t, open()).with("工程师")
	ctx, cancel := context.WithCancel(t.Context())
	s.Next("UpdateAccount", directorytest.Fault{Before: func(context.Context) { cancel() }})
	p := plan.Plan{Actions: []plan.Action{{Kind: plan.Update, ID: "E1", Profile: person("总监")}, {Kind: plan.Unfreeze, ID: "E1"}}}
	if o := execute.Account(ctx, s.Fake, s.seen, p, execute.By{}); !errors.Is(o.Err, context.Canceled) || s.Count("Unfreeze") > 0 {
		t.Errorf("outcome %+v", o)
	}
}
