package execute_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
)

// diary is a trail in memory. It looks at the platform as each record comes.
type diary struct {
	*scene
	lines []string
	full  bool
}

func (d *diary) Begin(_ context.Context, c audit.Change) (func(context.Context, audit.Result) error, error) {
	if d.full {
		return nil, errors.New("no space left")
	}
	what := fmt.Sprintf("%s %s %s", c.Action, c.Target.Kind, c.Target.ID)
	d.note("before", what, fmt.Sprintf("%v to %v because %s, by %s", c.Before, c.After, c.Reason, c.Actor.Name))
	return func(_ context.Context, r audit.Result) error {
		d.note("after", what, r.Class+r.Code+r.Request)
		return nil
	}, nil
}

func (d *diary) note(when, what, more string) {
	writes := 0
	for _, c := range d.Calls() {
		if !slices.Contains([]string{"Account", "Department", "List", "Check", "FindByMobile"}, strings.Fields(c)[0]) {
			writes++
		}
	}
	d.lines = append(d.lines, fmt.Sprintf("%s %s (%d writes): %s", when, what, writes, more))
}

func (d *diary) by() execute.By {
	return execute.By{Trail: d, Account: "acme/open", Reason: "离职", Actor: audit.Actor{Kind: "Employee", Name: "liu-ruyan"}}
}

func change(k plan.Kind) plan.Plan {
	a := plan.Action{Kind: k, ID: "E1"}
	if k == plan.Create || k == plan.Update {
		a.Type, a.State, a.Profile = directory.Ordinary, directory.Active, person("总监")
	}
	return plan.Plan{Actions: []plan.Action{a}}
}

func TestP8EveryChangeIsRecordedBeforeAndAfter(t *testing.T) {
	for _, c := range []struct {
		kind  plan.Kind
		there bool
		what  string
	}{
		{plan.Create, false, "map[] to map[mobile:+********01 name:*** title:总监]"},
		{plan.Update, true, "map[name:*** title:经理] to map[mobile:+********01 name:*** title:总监]"},
		{plan.Freeze, true, "map[state:Active] to map[state:Frozen]"},
		{plan.Unfreeze, true, "map[state:Active] to map[state:Active]"},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			s := begin(t, open())
			if c.there {
				s.with("经理")
			}
			d := &diary{scene: s}
			o := execute.Account(t.Context(), s.Fake, s.seen, change(c.kind), d.by())
			if o.Err != nil || len(d.lines) != 2 {
				t.Fatalf("%v, recorded %q", o.Err, d.lines)
			}
			intent := fmt.Sprintf("before %s account E1 (0 writes): ", c.kind)
			if want := intent + c.what + " because 离职, by liu-ruyan"; d.lines[0] != want {
				t.Errorf("the intent is %q\n        want %q", d.lines[0], want)
			}
			if after := fmt.Sprintf("after %s account E1 (1 writes): ", c.kind); d.lines[1] != after {
				t.Errorf("the outcome is %q", d.lines[1])
			}
			for _, personal := range []string{"柳如烟", "13800550001"} {
				if strings.Contains(strings.Join(d.lines, ""), personal) {
					t.Errorf("P12: %q is in the trail", personal)
				}
			}
		})
	}
}

func TestP8ARefusalIsRecorded(t *testing.T) {
	s := begin(t, open()).with("经理")
	s.Next("UpdateAccount", directorytest.Fault{Err: &directory.Error{Class: directory.PermissionDenied, Code: "60011"}})
	d := &diary{scene: s}
	execute.Account(t.Context(), s.Fake, s.seen, change(plan.Update), d.by())
	if len(d.lines) != 2 || !strings.HasSuffix(d.lines[1], ": PermissionDenied60011") {
		t.Errorf("recorded %q", d.lines)
	}
}

// The platform's own id of the request is in the record, of the change's own request alone.
func TestP8ThePlatformsRequestIsRecorded(t *testing.T) {
	s := begin(t, open()).with("经理")
	tells := func(id string) directorytest.Fault {
		return directorytest.Fault{Before: func(ctx context.Context) { directory.NoteRequest(ctx, id) }}
	}
	s.Next("UpdateAccount", tells("r-17"))
	s.Next("Account", tells("r-18"))
	d := &diary{scene: s}
	execute.Account(t.Context(), s.Fake, s.seen, change(plan.Update), d.by())
	execute.Account(t.Context(), s.Fake, s.seen, change(plan.Freeze), d.by())
	if len(d.lines) != 4 || !strings.HasSuffix(d.lines[1], ": r-17") || !strings.HasSuffix(d.lines[3], ": ") {
		t.Errorf("recorded %q", d.lines)
	}
}

func TestP8ChangesOfDepartmentsAreRecorded(t *testing.T) {
	s := begin(t, open())
	d := &diary{scene: s}
	unit := directory.Department{Set: directory.DepartmentName | directory.DepartmentParent, ID: "8", Name: "研发部", Parent: "1"}
	for _, kind := range []plan.Kind{plan.Create, plan.Update} {
		unit.Name += "一"
		o := execute.Department(t.Context(), s.Fake, s.seen, plan.DepartmentPlan{Actions: []plan.DepartmentAction{{Kind: kind, Department: unit}}}, d.by())
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	if len(d.lines) != 4 || !strings.Contains(d.lines[2], "before Update department 8 (1 writes): map[displayName:研发部一 parent:1] to map[displayName:研发部一一 parent:1]") {
		t.Errorf("recorded %q", d.lines)
	}
}

// A trail that cannot be written stops every change but the one that takes access away.
func TestP8WhatCannotBeRecordedIsNotDone(t *testing.T) {
	for _, kind := range []plan.Kind{plan.Create, plan.Update, plan.Unfreeze} {
		s := begin(t, open())
		if kind != plan.Create {
			s.with("经理")
		}
		d := &diary{scene: s, full: true}
		o := execute.Account(t.Context(), s.Fake, s.seen, change(kind), d.by())
		wrote := s.Count("CreateAccount") + s.Count("UpdateAccount") + s.Count("Unfreeze")
		if wrote != 0 || !errors.Is(o.Err, execute.ErrUnrecorded) {
			t.Errorf("%s without a record: %d writes, %v", kind, wrote, o.Err)
		}
	}
}

func TestP2AFreezeDoesNotWaitForItsRecord(t *testing.T) {
	s := begin(t, open()).with("经理")
	d := &diary{scene: s, full: true}
	o := execute.Account(t.Context(), s.Fake, s.seen, change(plan.Freeze), d.by())
	if a := s.seen.Account("E1"); o.Err != nil || a.State != directory.Frozen {
		t.Errorf("%+v, %v", a, o.Err)
	}
}

// stuck is a trail on a disk that hangs.
type stuck struct{ asked int }

func (s *stuck) Begin(ctx context.Context, _ audit.Change) (func(context.Context, audit.Result) error, error) {
	s.asked++
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestP2AFreezeDoesNotWaitForADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, open()).with("经理")
		start := time.Now()
		s.Next("Freeze", directorytest.Fault{Before: func(context.Context) {
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("access was taken away after %s", took)
			}
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		by := execute.By{Trail: &stuck{}, Account: "acme/open"}
		o := execute.Account(ctx, s.Fake, s.seen, change(plan.Freeze), by)
		if a := s.seen.Account("E1"); o.Err != nil || a.State != directory.Frozen {
			t.Errorf("%+v, %v", a, o.Err)
		}
	})
}

// late is a trail that takes nothing at first.
type late struct {
	*diary
	refusals int
}

func (l *late) Begin(ctx context.Context, c audit.Change) (func(context.Context, audit.Result) error, error) {
	if l.refusals--; l.refusals >= 0 {
		return nil, errors.New("not yet")
	}
	return l.diary.Begin(ctx, c)
}

func TestP8AFreezeThatDidNotWaitIsRecordedAfterwards(t *testing.T) {
	s := begin(t, open()).with("经理")
	d := &diary{scene: s}
	by := d.by()
	by.Trail = &late{d, 1}
	o := execute.Account(t.Context(), s.Fake, s.seen, change(plan.Freeze), by)
	if o.Err != nil || len(d.lines) != 2 || !strings.HasPrefix(d.lines[1], "after Freeze account E1 (1 writes)") {
		t.Errorf("recorded %q, %v", d.lines, o.Err)
	}
}
