package execute_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/leaving"
)

// staff has the leaver E1, the heir E2 and two roles of the leaver, one of them the platform's own.
func staff(t *testing.T) (s *scene, d *diary, own, builtIn string) {
	s = begin(t, open()).with("经理")
	s.Place(directory.Account{ID: "E2", Type: directory.Ordinary, State: directory.Active, Profile: directory.Profile{Name: "沈清秋"}})
	own, err := s.CreateRole(t.Context(), directory.Role{Name: "财务"})
	if err != nil {
		t.Fatal(err)
	}
	builtIn = "builtin"
	s.PlaceRole(directory.Role{ID: builtIn, Name: "主管理员", BuiltIn: true}, directory.RoleMember{Account: "E1"})
	if err := s.AddToRole(t.Context(), own, []directory.RoleMember{{Account: "E1", Scope: []string{"1"}}}); err != nil {
		t.Fatal(err)
	}
	return s, &diary{scene: s}, own, builtIn
}

func (d *diary) leave(t *testing.T, l execute.Departure) execute.Outcome {
	t.Helper()
	l.Account = "E1"
	return execute.Leave(t.Context(), d.Fake, d.seen, l, d.by())
}

// Every act that changes the platform has its two records (P8); what only reads has none.
func TestP8EveryActOfLeavingIsRecorded(t *testing.T) {
	for _, c := range []struct {
		l    execute.Departure
		what string
	}{
		{execute.Departure{Act: leaving.ActConfirm}, ""},
		{execute.Departure{Act: leaving.ActFreeze}, "Freeze account E1"},
		{execute.Departure{Act: leaving.ActRevoke}, ""},
		{execute.Departure{Act: leaving.ActRevoke, Roles: []directory.RoleMember{{Role: "own", Account: "E1"}}}, "RevokeRole role own"},
		{execute.Departure{Act: leaving.ActRestore, Roles: []directory.RoleMember{{Role: "own", Account: "E1"}}}, "GrantRole role own"},
		{execute.Departure{Act: leaving.ActNotify, Notice: "Manager", To: []string{"E2"}, Text: "柳如烟 leaves"}, "Notify account E1"},
		{execute.Departure{Act: leaving.ActRemove}, "Remove account E1"},
		{execute.Departure{Act: leaving.ActResidual}, ""},
		{execute.Departure{Act: execute.ActAttest, Tasks: map[string]string{"wecom/HandOver": "done"}}, "Attest account E1"},
	} {
		t.Run(string(c.l.Act), func(t *testing.T) {
			s, d, own, _ := staff(t)
			for i := range c.l.Roles {
				c.l.Roles[i].Role = own
			}
			c.what = strings.ReplaceAll(c.what, "own", own)
			before := len(s.Calls())
			if o := d.leave(t, c.l); o.Err != nil || o.Left == nil || o.Left.Act != c.l.Act {
				t.Fatalf("%+v", o)
			}
			want := 0
			if c.what != "" {
				want = 2
			}
			if len(d.lines) != want {
				t.Fatalf("recorded %q", d.lines)
			}
			for i, when := range []string{"before ", "after "}[:want] {
				if !strings.HasPrefix(d.lines[i], when+c.what) || strings.Contains(d.lines[i], "柳如烟") {
					t.Errorf("recorded %q", d.lines[i])
				}
			}
			if want > 0 && len(s.Calls()) == before && c.l.Act != execute.ActAttest {
				t.Error("recorded, and nothing was asked")
			}
		})
	}
}

// Nothing but a freeze is done without a record.
func TestP8NobodyIsRemovedWithoutARecord(t *testing.T) {
	s, d, own, _ := staff(t)
	d.full = true
	for _, l := range []execute.Departure{
		{Act: leaving.ActRemove}, {Act: leaving.ActRevoke, Roles: []directory.RoleMember{{Role: own, Account: "E1"}}},
		{Act: leaving.ActNotify, To: []string{"E2"}, Text: "text"},
		{Act: execute.ActAttest, Tasks: map[string]string{"wecom/HandOver": ""}},
	} {
		if o := d.leave(t, l); o.Err == nil || len(o.Done) > 0 {
			t.Errorf("%s: %+v", l.Act, o)
		}
	}
	if len(s.Removals()) > 0 || len(s.Messages()) > 0 || len(s.RolesReally("E1")) != 2 {
		t.Error("something was done")
	}
	if s.seen.Doubtful("E1") {
		t.Error("nothing was asked, and what is known is doubted")
	}
	if o := d.leave(t, execute.Departure{Act: leaving.ActFreeze}); o.Err != nil {
		t.Error(o.Err)
	}
}

func TestRolesAreReadBeforeTheyAreTaken(t *testing.T) {
	s, d, own, builtIn := staff(t)
	o := d.leave(t, execute.Departure{Act: leaving.ActRevoke})
	if o.Err != nil || !o.Left.Read || len(o.Left.Held) != 2 || len(s.RolesReally("E1")) != 2 {
		t.Fatalf("%+v", o.Left)
	}
	o = d.leave(t, execute.Departure{Act: leaving.ActRevoke, Roles: o.Left.Held})
	if o.Err != nil || len(o.Left.Taken) != 1 || o.Left.Taken[0].Role != own || len(o.Left.Refused) != 1 || o.Left.Refused[0].Role != builtIn {
		t.Fatalf("%v %+v", o.Err, o.Left)
	}
	if left := s.RolesReally("E1"); len(left) != 1 || left[0].Role != builtIn {
		t.Errorf("left %v", left)
	}
	o = d.leave(t, execute.Departure{Act: leaving.ActRestore, Roles: o.Left.Taken})
	if left := s.RolesReally("E1"); o.Err != nil || len(left) != 2 || !slices.ContainsFunc(left, func(m directory.RoleMember) bool { return m.Role == own && slices.Equal(m.Scope, []string{"1"}) }) {
		t.Errorf("given back %v, %v", left, o.Err)
	}
}

// A removal is looked up before it is asked for again, and read back after.
func TestP3ARemovalIsNotRepeatedBlindly(t *testing.T) {
	t.Run("its answer was lost", func(t *testing.T) {
		s, d, _, _ := staff(t)
		s.Next("Remove", directorytest.Lost())
		if o := d.leave(t, execute.Departure{Act: leaving.ActRemove}); o.Err != nil || !s.seen.Absent("E1") || len(s.Removals()) != 1 {
			t.Errorf("%v, absent %t", o.Err, s.seen.Absent("E1"))
		}
	})
	t.Run("and nobody knows what came of it", func(t *testing.T) {
		s, d, _, _ := staff(t)
		s.Next("Remove", directorytest.Lost())
		s.Next("Account", directorytest.Refused(directory.Unavailable))
		if o := d.leave(t, execute.Departure{Act: leaving.ActRemove}); o.Err == nil || !s.seen.Doubtful("E1") {
			t.Errorf("%v, doubtful %t", o.Err, s.seen.Doubtful("E1"))
		}
		if o := d.leave(t, execute.Departure{Act: leaving.ActRemove, Again: true}); o.Err != nil || s.Count("Remove") != 1 || !s.seen.Absent("E1") {
			t.Errorf("%v, asked %d times", o.Err, s.Count("Remove"))
		}
	})
	t.Run("the platform does nothing", func(t *testing.T) {
		s, d, _, _ := staff(t)
		s.Next("Remove", directorytest.Refused(directory.OutcomeUnknown))
		if o := d.leave(t, execute.Departure{Act: leaving.ActRemove}); directory.ClassOf(o.Err) != directory.OutcomeUnknown || s.seen.Account("E1") == nil {
			t.Error(o.Err)
		}
	})
	t.Run("it is refused", func(t *testing.T) {
		s, d, _, _ := staff(t)
		s.Next("Remove", directorytest.Refused(directory.Conflict))
		if o := d.leave(t, execute.Departure{Act: leaving.ActRemove}); directory.ClassOf(o.Err) != directory.Conflict || s.seen.Doubtful("E1") {
			t.Error(o.Err)
		}
	})
	t.Run("somebody was faster", func(t *testing.T) {
		s, d, _, _ := staff(t)
		s.Vanish("E1")
		if o := d.leave(t, execute.Departure{Act: leaving.ActRemove}); o.Err != nil || !s.seen.Absent("E1") || len(o.Done) > 0 {
			t.Errorf("%+v", o)
		}
	})
}

func TestResidualsAreReadAgain(t *testing.T) {
	s, d, _, _ := staff(t)
	for id, leader := range map[string]string{"7": "E1", "8": "E2"} {
		s.PlaceDepartment(directory.Department{ID: id, Set: directory.DepartmentName, Name: "研发" + id})
		s.Place(directory.Account{ID: leader, State: directory.Active, Profile: directory.Profile{
			Set: directory.FieldName, Name: "x", Memberships: []directory.Membership{{Department: id, Leader: true}},
		}})
	}
	s.Place(directory.Account{ID: "E3", State: directory.Active, Profile: directory.Profile{Set: directory.FieldManager, Name: "x", Manager: "E1"}})
	s.PlaceResiduals("E1", "an approval waits")
	look := execute.Departure{Act: leaving.ActResidual, Gone: true, Led: []string{"7", "8", "9"}, Reports: []string{"E2", "E3", "E9"}}
	o := d.leave(t, look)
	want := []string{"the account is there", "role", "role", "department 7", "1 people report", "an approval waits"}
	if o.Err != nil || !o.Left.Read || len(o.Left.Residuals) != len(want) {
		t.Fatalf("%v: %q", o.Err, o.Left.Residuals)
	}
	for i, w := range want {
		if !strings.Contains(o.Left.Residuals[i], w) {
			t.Errorf("%q does not say %q", o.Left.Residuals[i], w)
		}
	}
	s.Next("Account", directorytest.Refused(directory.Unavailable))
	if o := d.leave(t, look); o.Err == nil || o.Left.Read {
		t.Error("what could not be read passes for looked at")
	}
	s.Vanish("E1")
	s.PlaceResiduals("E1")
	if o := d.leave(t, execute.Departure{Act: leaving.ActResidual, Gone: true}); o.Err != nil || len(o.Left.Residuals) > 0 {
		t.Errorf("%v: %q", o.Err, o.Left.Residuals)
	}
}

// P9: people who are too many to be read at once are not taken for nobody's.
func TestP9MorePeopleThanAreReadAtOnce(t *testing.T) {
	s, d, _, _ := staff(t)
	look := execute.Departure{Act: leaving.ActResidual}
	for n := range 130 {
		id := fmt.Sprintf("R%03d", n)
		s.Place(directory.Account{ID: id, State: directory.Active, Profile: directory.Profile{Set: directory.FieldManager, Name: "x", Manager: "E2"}})
		look.Reports = append(look.Reports, id)
	}
	if o := d.leave(t, look); o.Err != nil || !slices.ContainsFunc(o.Left.Residuals, func(left string) bool { return strings.HasPrefix(left, "30 people") }) {
		t.Errorf("30 were not read: %v, %q", o.Err, o.Left.Residuals)
	}
	look.Reports = look.Reports[100:]
	if o := d.leave(t, look); o.Err != nil || slices.ContainsFunc(o.Left.Residuals, func(left string) bool { return strings.Contains(left, "people") }) {
		t.Errorf("all were read: %v, %q", o.Err, o.Left.Residuals)
	}
}

// bare hides what a platform can do beyond the least.
type bare struct{ directory.Directory }

func TestWhatAPlatformCannotIsSaid(t *testing.T) {
	s, d, own, _ := staff(t)
	for _, l := range []execute.Departure{
		{Act: leaving.ActFreeze}, {Act: leaving.ActRevoke}, {Act: leaving.ActRestore, Roles: []directory.RoleMember{{Role: own}}},
		{Act: leaving.ActNotify, To: []string{"E2"}, Text: "text"}, {Act: leaving.ActRemove}, {Act: leaving.ActInherit},
	} {
		l.Account = "E1"
		o := execute.Leave(t.Context(), bare{s.Fake}, s.seen, l, d.by())
		if directory.ClassOf(o.Err) != directory.NotSupported {
			t.Errorf("%s: %v", l.Act, o.Err)
		}
	}
	if o := execute.Leave(t.Context(), bare{s.Fake}, s.seen, execute.Departure{Act: leaving.ActResidual, Account: "E1"}, d.by()); o.Err != nil || !o.Left.Read {
		t.Error(o.Err)
	}
	if o := d.leave(t, execute.Departure{Act: "Dance"}); o.Err == nil {
		t.Error("it dances")
	}
}

func TestInherit(t *testing.T) {
	s, d, _, _ := staff(t)
	l := execute.Departure{Act: leaving.ActInherit, Removal: directory.Removal{Successor: "E2"}}
	if o := d.leave(t, l); directory.ClassOf(o.Err) != directory.Conflict {
		t.Error(o.Err)
	}
	s.Vanish("E1")
	s.PlaceInheritance("E1", directory.Inheritance{Done: 2, Waiting: 1, Again: time.Unix(9, 0)})
	if o := d.leave(t, l); o.Err != nil || o.Left.Inheritance.Done != 2 || s.Heir("E1") != "E2" {
		t.Errorf("%+v", o)
	}
}

// Peek tells where a key stands and leaves everything as it was.
func TestPeek(t *testing.T) {
	now := time.Unix(0, 0)
	l := execute.NewLane("peek", func() time.Time { return now }, func(string) {})
	if s := l.Peek("k", "1"); s.Underway || s.RetryIn > 0 || s.Err != nil {
		t.Errorf("of nothing: %+v", s)
	}
	l.Offer("k", execute.Task{Digest: "1"})
	if !l.Peek("k", "1").Underway || l.Peek("k", "2").Underway {
		t.Error("what waits is under way, and nothing else")
	}
}
