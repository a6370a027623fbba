package restore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	behalf "rollcall.dev/rollcall/internal/execute"
)

// nobody keeps no records.
var nobody = behalf.By{}

// diary is a trail in memory. It counts what was asked of the platform when each record came.
type diary struct {
	*directorytest.Fake
	full bool

	mu    sync.Mutex
	lines []string
}

func (d *diary) Begin(_ context.Context, c audit.Change) (func(context.Context, audit.Result) error, error) {
	if d.full {
		return nil, errors.New("no space left")
	}
	d.note(fmt.Sprintf("before %s %s %s, plan %t, because %s: %v", c.Action, c.Target.Kind, c.Target.ID, c.Plan != "", c.Reason, c.After))
	return func(context.Context, audit.Result) error {
		d.note(fmt.Sprintf("after %s %s %s", c.Action, c.Target.Kind, c.Target.ID))
		return nil
	}, nil
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// writes are the calls that change something.
func (d *diary) writes() (n int) {
	for _, c := range d.Calls() {
		if slices.ContainsFunc([]string{"Create", "Update", "Freeze", "Unfreeze", "Add"}, func(verb string) bool { return strings.HasPrefix(c, verb) }) {
			n++
		}
	}
	return n
}

func TestP8WhatIsRestoredIsRecorded(t *testing.T) {
	d := &diary{Fake: directorytest.NewFake(open())}
	p := plan(t, acme(), d.Fake, restore.Options{})
	if _, err := restore.Execute(t.Context(), d.Fake, behalf.By{Trail: d, Reason: "brought back"}, p, nil); err != nil {
		t.Fatal(err)
	}
	if d.writes() == 0 || len(d.lines) != 2*d.writes() {
		t.Errorf("%d writes, and %d records:\n%s", d.writes(), len(d.lines), strings.Join(d.lines, "\n"))
	}
	all := strings.Join(d.lines, "\n")
	for _, want := range []string{"before Create account E0001, plan true, because brought back", "before Create department", "before Create role", "before Update role"} {
		if !strings.Contains(all, want) {
			t.Errorf("there is no %q in\n%s", want, all)
		}
	}
	for _, personal := range []string{"柳如烟", "1380055", "@example.com"} {
		if strings.Contains(all, personal) {
			t.Errorf("P12: %q is in the trail", personal)
		}
	}
}

func TestP8WhatCannotBeRecordedIsNotRestored(t *testing.T) {
	d := &diary{Fake: directorytest.NewFake(open()), full: true}
	p := plan(t, acme(), d.Fake, restore.Options{})
	_, err := restore.Execute(t.Context(), d.Fake, behalf.By{Trail: d}, p, nil)
	if !errors.Is(err, behalf.ErrUnrecorded) || d.writes() != 0 {
		t.Errorf("%d writes, %v", d.writes(), err)
	}
}

// A role that everybody has is more than one record can hold: a trail that it were too big for would stop it.
func TestP8ARoleOfManyIsGivenInRecordsThatATrailTakes(t *testing.T) {
	const many = 2500
	s := acme()
	s.Members = nil
	for i := range many {
		s.Accounts = append(s.Accounts, person(100+i, "7"))
		s.Members = append(s.Members, directory.RoleMember{Role: "20", Account: s.Accounts[len(s.Accounts)-1].ID})
	}
	d := &diary{Fake: directorytest.NewFake(open())}
	if _, err := restore.Execute(t.Context(), d.Fake, behalf.By{Trail: d}, plan(t, s, d.Fake, restore.Options{}), nil); err != nil {
		t.Fatal(err)
	}
	for _, line := range d.lines {
		if len(line) > 12<<10 {
			t.Errorf("a record of %d bytes: %.80s", len(line), line)
		}
	}
	if members, err := d.RoleMembers(t.Context(), observe(t, d.Fake).Roles[0].ID); err != nil || len(members) != many {
		t.Errorf("%d have the role: %v", len(members), err)
	}
}
