package restore_test

import (
	"slices"
	"testing"

	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
)

// unread is a company of which nobody was allowed to read how people are reached.
func unread() restore.Snapshot {
	s := acme()
	for i := range s.Accounts {
		p := &s.Accounts[i].Profile
		p.Set &^= directory.FieldMobile | directory.FieldEmail
		p.Mobile, p.Email = "", ""
	}
	return s
}

func TestWhatTheArchiveLacksIsTakenFromWhatIsDeclared(t *testing.T) {
	fake := directorytest.NewFake(open())
	lacking := plan(t, unread(), fake, restore.Options{})
	contact := directory.FieldMobile | directory.FieldEmail
	want := []restore.Lack{{"E0001", "E0001", "E0001", contact}, {"E0002", "E0002", "E0002", contact}, {"E0003", "E0003", "E0003", contact}}
	if got := lacking.Lacking(); !slices.Equal(got, want) {
		t.Fatalf("%+v", got)
	}
	o := restore.Options{Declared: map[string]restore.Declared{
		"E0001": {Number: "E0001", Mobile: "+86-13900000001"},
		"E0002": {Number: "E0009", Mobile: "+86-13900000002", Email: "two@example.com"}, // somebody else by now
	}}
	p := plan(t, unread(), fake, o)
	if p.Digest == lacking.Digest {
		t.Error("the digest allows another number")
	}
	execute(t, fake, p)
	if boss := fake.Really("E0001"); boss.Profile.Mobile != "+86-13900000001" || boss.Profile.Email != "" {
		t.Errorf("%+v", boss)
	}
	if other := fake.Really("E0002"); other.Profile.Mobile != "" {
		t.Errorf("%+v has what another person declares", other)
	}
	for _, it := range p.Items {
		if supplied := it.ID == "E0001" && it.Kind == restore.People; supplied != (it.Message == "not in the archive, but declared: mobile") {
			t.Errorf("%+v", it)
		}
	}
}

func TestWhatTheArchiveHasIsNotReplacedByWhatIsDeclared(t *testing.T) {
	fake := directorytest.NewFake(open())
	o := restore.Options{Declared: map[string]restore.Declared{"E0001": {Mobile: "+86-13900000001"}}}
	execute(t, fake, plan(t, acme(), fake, o))
	if boss := fake.Really("E0001"); boss.Profile.Mobile != person(1, "7").Profile.Mobile {
		t.Errorf("%+v", boss)
	}
}

func TestP4WhoExistsIsNotGivenWhatIsDeclared(t *testing.T) {
	fake := directorytest.NewFake(open())
	execute(t, fake, plan(t, unread(), fake, restore.Options{}))
	o := restore.Options{Overwrite: true, Declared: map[string]restore.Declared{"E0001": {Mobile: "+86-13900000001"}}}
	if p := plan(t, unread(), fake, o); p.Counts != (restore.Counts{Keep: 7}) {
		t.Errorf("%+v", p.Items)
	}
}

func TestP3WhatIsDeclaredConflictsAsWhatTheArchiveHas(t *testing.T) {
	fake := directorytest.NewFake(open())
	holder := person(9, "1")
	fake.Place(holder)
	o := restore.Options{Declared: map[string]restore.Declared{"E0001": {Mobile: holder.Profile.Mobile}}}
	p := plan(t, unread(), fake, o)
	if got := items(p.Items, restore.Conflict); !slices.Equal(got, []string{"People E0001: mobile"}) {
		t.Errorf("%q", got)
	}
}

// Without what it was made with, who came back before the crash would read as somebody else.
func TestAnInterruptedRestoreKnowsWhomItGaveWhatIsDeclared(t *testing.T) {
	fake := directorytest.NewFake(open())
	o := restore.Options{Declared: map[string]restore.Declared{"E0001": {Mobile: "+86-13900000001"}}}
	first := plan(t, unread(), fake, o)
	execute(t, fake, first)
	hired, _ := fake.Account(t.Context(), "E0001")
	hired.Profile.Mobile = "+86-13900000009"
	fake.Place(hired)
	o.Begun = first.Begun()
	if got := items(plan(t, unread(), fake, o).Items, restore.Keep); !slices.Contains(got, "People E0001: mobile") {
		t.Errorf("%q", got)
	}
}

// untold is a company of which the platform did not tell which departments are the main ones.
func untold() restore.Snapshot {
	s := acme()
	for i := range s.Accounts {
		p := &s.Accounts[i].Profile
		p.Set &^= directory.FieldPrimaryDepartment
		p.Primary = ""
	}
	return s
}

func TestTheMainDepartmentThatAnArchiveLacksIsTheDeclaredOne(t *testing.T) {
	lacks := []restore.Lack{{ID: "E0002", TargetID: "E0002", Number: "E0002", Fields: directory.FieldPrimaryDepartment}}
	for _, main := range []string{"7", "8"} { // they are in both
		fake := directorytest.NewFake(open())
		p := plan(t, untold(), fake, restore.Options{})
		if got := p.Lacking(); !slices.Equal(got, lacks) {
			t.Fatalf("%+v", got)
		}
		p = plan(t, untold(), fake, restore.Options{Declared: map[string]restore.Declared{"E0002": {Number: "E0002", Primary: main}}})
		if got := p.Lacking(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		execute(t, fake, p)
		if got := fake.Really("E0002").Profile.Primary; got != main {
			t.Errorf("the main department is %q, not %q", got, main)
		}
	}
	p := plan(t, untold(), directorytest.NewFake(open()), restore.Options{Declared: map[string]restore.Declared{"E0002": {Primary: "1"}}})
	if got := p.Lacking(); !slices.Equal(got, lacks) {
		t.Errorf("a main department in which they are not is taken: %+v", got)
	}
	p = plan(t, untold(), directorytest.NewFake(closed()), restore.Options{})
	if got := p.Lacking(); len(got) != 0 {
		t.Errorf("the target has no main departments: %+v", got)
	}
}
