package directorytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

var leavings = []contract{
	{"what leaving takes is said without a call", saysWhatLeavingTakes},
	{"leaving takes the calls that Capabilities names", costsWhatItSays},
	{"what these credentials cannot do is refused in words", refusesWhatItLacks},
	{"an account is removed once", removesOnce},
	{"a successor takes over", handsOver},
	{"without the right to hand over, nobody is removed", func(t *testing.T, s *suite) {
		r := s.remover(t)
		if r == nil {
			return
		}
		heir, p := s.create(t, 1)
		id, want := s.create(t, 2, p.Memberships[0].Department)
		first, _ := s.create(t, 3, p.Memberships[0].Department)
		if err := r.Remove(t.Context(), first, s.removal(heir)); err != nil { // so that tokens are there
			t.Fatal(err)
		}
		s.Inflict(t, Denied)
		for _, successor := range []string{heir, ""} {
			s.fails(t, "Remove", r.Remove(t.Context(), id, s.removal(successor)), directory.PermissionDenied)
		}
		s.Heal(t)
		s.reads(t, id, want)
	}},
	{"P3: a removal without an answer has an unknown outcome, and is not repeated", losesRemovals},
	{"roles are read and taken away, and others stay", revokes},
	{"a role is read with its scope", func(t *testing.T, s *suite) {
		person, p := s.create(t, 1)
		s.revokesSpecial(t, person, directory.RoleMember{Account: person, Scope: []string{p.Memberships[0].Department}})
	}},
	{"a role that is had through a department is not the person's", func(t *testing.T, s *suite) {
		person, p := s.create(t, 1)
		s.revokesSpecial(t, person, directory.RoleMember{Department: p.Memberships[0].Department})
	}},
	{"many people lose a role in few calls", revokesMany},
	{"the roles of an unknown account are NotFound", func(t *testing.T, s *suite) {
		if k := s.revoker(t); k != nil {
			_, err := k.RolesOf(t.Context(), "nobody")
			s.fails(t, "RolesOf", err, directory.NotFound)
		}
	}},
	{"a notice is refused when it is too long or for too many", refusesNotices},
	{"a notice that is sent twice arrives once", func(t *testing.T, s *suite) {
		n := s.notifier(t)
		if n == nil {
			return
		}
		a, p := s.create(t, 1)
		b, _ := s.create(t, 2, p.Memberships[0].Department)
		for range 2 {
			receipt, err := n.Notify(t.Context(), []string{a, b}, sampleNotice)
			if err != nil {
				t.Fatal(err)
			}
			s.missed(t, n, receipt)
		}
		s.received(t, a, 1)
		s.received(t, b, 1)
		if _, err := n.Notify(t.Context(), []string{a}, sampleNotice+"二"); err != nil {
			t.Fatal(err)
		}
		s.received(t, a, 2)
		s.received(t, b, 1)
	}},
	{"a notice of the longest text arrives", func(t *testing.T, s *suite) {
		n := s.notifier(t)
		if n == nil {
			return
		}
		a, _ := s.create(t, 1)
		// Two bytes that stay two in JSON, and 666 characters of three.
		if _, err := n.Notify(t.Context(), []string{a}, "ok"+strings.Repeat("离", 666)); err != nil {
			t.Fatal(err)
		}
		s.received(t, a, 1)
	}},
	{"a notice reaches who is there, and says whom it missed", missesStrangers},
	{"nothing is left of somebody who left", func(t *testing.T, s *suite) {
		r := s.remover(t)
		f, ok := s.Directory.(directory.ResidualFinder)
		if r == nil || !ok {
			t.Log("this platform finds no residuals")
			return
		}
		id, p := s.create(t, 1)
		s.create(t, 2, p.Memberships[0].Department)
		if err := r.Remove(t.Context(), id, s.removal("")); err != nil {
			t.Fatal(err)
		}
		left, err := f.Residuals(t.Context(), id)
		if err != nil || left != nil {
			t.Errorf("Residuals = %q, %v, want nothing", left, err)
		}
	}},
}

const sampleNotice = "【Rollcall】交接提醒：请在本周内完成交接。"

// lastDay is the last day of work of everybody who leaves here.
var lastDay = time.Date(2026, 3, 2, 0, 0, 0, 0, time.FixedZone("CST", 8*60*60))

func (s *suite) removal(successor string) directory.Removal {
	return directory.Removal{Successor: successor, Reason: "contract ended", LastDay: lastDay}
}

// remover is the directory as a Remover, or nil.
func (s *suite) remover(t *testing.T) directory.Remover {
	t.Helper()
	return can[directory.Remover](t, s, "this platform removes nobody")
}

// revoker is the directory as a RoleRevoker, or nil.
func (s *suite) revoker(t *testing.T) directory.RoleRevoker {
	t.Helper()
	return can[directory.RoleRevoker](t, s, "this platform takes no roles away")
}

// notifier is the directory as a Notifier, or nil where these credentials send nothing.
func (s *suite) notifier(t *testing.T) directory.Notifier {
	t.Helper()
	n, ok := s.Directory.(directory.Notifier)
	if !ok || len(s.caps.Calls[directory.WorkNotify]) == 0 {
		t.Log("this platform sends no messages, or not with these credentials")
		return nil
	}
	return n
}

// passesOn reports whether the platform offers any duty at this moment.
func passesOn(r directory.Remover, m directory.Moment) bool {
	return slices.ContainsFunc(r.Duties(), func(o directory.DutyOffer) bool { return o.Moment == m })
}

// gone fails unless the account is nowhere.
func (s *suite) gone(t *testing.T, id string) {
	t.Helper()
	_, err := s.Directory.Account(t.Context(), id)
	s.fails(t, "Account of a leaver", err, directory.NotFound)
	if slices.ContainsFunc(s.list(t).Accounts, func(a directory.Account) bool { return a.ID == id }) {
		t.Errorf("%s is still listed", id)
	}
}

// received fails unless so many messages reached the account.
func (s *suite) received(t *testing.T, id string, want int) {
	t.Helper()
	if s.Messages == nil {
		t.Log("this twin counts no messages")
		return
	}
	if got := s.Messages(t, id); got != want {
		t.Errorf("%s received %d messages, want %d", id, got, want)
	}
}

var duties = []directory.Duty{
	directory.DutyApprovals, directory.DutyDocuments, directory.DutyFiles, directory.DutyPermissions, directory.DutySubordinates,
	directory.DutyCustomers, directory.DutyCustomerGroups, directory.DutyGroups, directory.DutyCalendars,
}

func saysWhatLeavingTakes(t *testing.T, s *suite) {
	r := s.remover(t)
	if r == nil {
		return
	}
	before := s.Calls()
	_, heir := s.Directory.(directory.Heir)
	if passesOn(r, directory.AfterRemoval) != heir {
		t.Errorf("the directory is an Heir: %t, and that does not fit its duties %+v", heir, r.Duties())
	}
	seen := map[directory.Duty]bool{}
	for _, o := range r.Duties() {
		if seen[o.Duty] || !slices.Contains(duties, o.Duty) {
			t.Errorf("duty %q is unknown, or comes twice", o.Duty)
		}
		seen[o.Duty] = true
		switch o.Moment {
		case directory.WithRemoval, directory.AfterRemoval:
		case directory.ByHand:
			if strings.TrimSpace(o.Manual) == "" {
				t.Errorf("duty %s is passed on by hand, and nobody is told how", o.Duty)
			}
		default:
			t.Errorf("duty %s has moment %q", o.Duty, o.Moment)
		}
	}
	s.saysCalls(t)
	if s.Calls() != before {
		t.Error("Duties made a call")
	}
}

// saysCalls fails unless Capabilities names calls for what the directory can do, and for nothing else.
func (s *suite) saysCalls(t *testing.T) {
	t.Helper()
	for w, can := range s.works() {
		lacking := slices.Contains(perCredentials, w) && can && len(s.caps.Calls[w]) == 0
		if (len(s.caps.Calls[w]) > 0) != can && !lacking {
			t.Errorf("Capabilities.Calls[%s] = %q, and the directory can do that: %t", w, s.caps.Calls[w], can)
		}
	}
	if _, ok := s.Directory.(directory.Notifier); !ok && s.caps.NoticeWindow != 0 {
		t.Error("the directory sends no messages and has a NoticeWindow")
	}
}

// perCredentials are the works that a platform may do with some credentials only.
var perCredentials = []directory.Work{directory.WorkNotify, directory.WorkInherit}

func refusesWhatItLacks(t *testing.T, s *suite) {
	id, p := s.create(t, 1)
	heir, _ := s.create(t, 2, p.Memberships[0].Department)
	if n, ok := s.Directory.(directory.Notifier); ok && len(s.caps.Calls[directory.WorkNotify]) == 0 {
		_, err := n.Notify(t.Context(), []string{heir}, sampleNotice)
		s.fails(t, "Notify", err, directory.NotSupported)
		s.received(t, heir, 0)
		if s.caps.NoticeWindow != 0 {
			t.Error("nothing can be sent, and there is a NoticeWindow")
		}
	}
	if h, ok := s.Directory.(directory.Heir); ok && len(s.caps.Calls[directory.WorkInherit]) == 0 {
		if err := s.remover(t).Remove(t.Context(), id, s.removal(heir)); err != nil {
			t.Fatal(err)
		}
		_, err := h.Inherit(t.Context(), id, heir)
		s.fails(t, "Inherit", err, directory.NotSupported, directory.PermissionDenied)
	}
}

// works says what the directory can do.
func (s *suite) works() map[directory.Work]bool {
	_, freezes := s.Directory.(directory.Freezer)
	_, revokes := s.Directory.(directory.RoleRevoker)
	_, notifies := s.Directory.(directory.Notifier)
	_, removes := s.Directory.(directory.Remover)
	_, inherits := s.Directory.(directory.Heir)
	_, finds := s.Directory.(directory.ResidualFinder)
	return map[directory.Work]bool{
		directory.WorkFreeze: freezes && len(s.caps.Freezes) > 0, directory.WorkRevoke: revokes, directory.WorkNotify: notifies,
		directory.WorkRemove: removes, directory.WorkInherit: inherits, directory.WorkResidual: finds,
	}
}

// Each work is done to one person first, so that tokens are there, and counted with another.
func costsWhatItSays(t *testing.T, s *suite) {
	r := s.remover(t)
	if r == nil {
		return
	}
	heir, p := s.create(t, 1)
	var people []string
	for n := range 2 {
		wish := s.wish(2+n, p.Memberships[0].Department)
		id, kind := sampleID(2+n), directory.Ordinary
		if !s.caps.CanFreeze(kind) && len(s.caps.Freezes) > 0 {
			kind = s.caps.Freezes[0]
		}
		if _, err := s.Directory.CreateAccount(t.Context(), id, kind, wish); err != nil {
			t.Fatal(err)
		}
		people = append(people, id)
	}
	works := []struct {
		work directory.Work
		do   func(id string) error
	}{
		{directory.WorkNotify, func(id string) error {
			n := s.notifier(t)
			if n == nil {
				return nil
			}
			receipt, err := n.Notify(t.Context(), []string{id}, sampleNotice)
			if err == nil {
				_, err = n.Delivered(t.Context(), receipt)
			}
			if directory.ClassOf(err) == directory.NotSupported {
				err = nil
			}
			return err
		}},
		{directory.WorkFreeze, func(id string) error { return s.Directory.(directory.Freezer).Freeze(t.Context(), id, "离职") }},
		{directory.WorkRemove, func(id string) error { return r.Remove(t.Context(), id, s.removal(heir)) }},
	}
	for _, w := range works {
		for n, id := range people {
			before := s.Calls()
			if !s.works()[w.work] {
				continue
			}
			if err := w.do(id); err != nil {
				t.Fatalf("%s: %v", w.work, err)
			}
			if calls := s.Calls() - before; n > 0 && calls != len(s.caps.Calls[w.work]) {
				t.Errorf("%s took %d calls, and Capabilities names %q", w.work, calls, s.caps.Calls[w.work])
			}
		}
	}
}

func removesOnce(t *testing.T, s *suite) {
	r := s.remover(t)
	if r == nil {
		return
	}
	id, want := s.create(t, 1)
	other, wanted := s.create(t, 2, want.Memberships[0].Department)
	if err := r.Remove(t.Context(), id, s.removal("")); err != nil {
		t.Fatal(err)
	}
	s.gone(t, id)
	s.fails(t, "Remove again", r.Remove(t.Context(), id, s.removal("")), directory.NotFound)
	s.fails(t, "Remove again, with a successor", r.Remove(t.Context(), id, s.removal(other)), directory.NotFound)
	s.fails(t, "Remove of a stranger", r.Remove(t.Context(), "nobody", s.removal("")), directory.NotFound)
	s.reads(t, other, wanted)
}

func handsOver(t *testing.T, s *suite) {
	r := s.remover(t)
	if r == nil {
		return
	}
	heir, want := s.create(t, 1)
	id, left := s.create(t, 2, want.Memberships[0].Department)
	reports := s.wish(3, want.Memberships[0].Department)
	reports.Manager = id
	if _, err := s.Directory.CreateAccount(t.Context(), sampleID(3), directory.Ordinary, reports); err != nil {
		t.Fatal(err)
	}
	if passesOn(r, directory.WithRemoval) {
		for _, wrong := range []string{"nobody", id} {
			s.fails(t, "Remove with successor "+wrong, r.Remove(t.Context(), id, s.removal(wrong)), directory.Invalid)
			s.reads(t, id, left)
		}
	}
	if err := r.Remove(t.Context(), id, s.removal(heir)); err != nil {
		t.Fatal(err)
	}
	s.gone(t, id)
	s.reads(t, heir, want)
	if slices.ContainsFunc(r.Duties(), func(o directory.DutyOffer) bool {
		return o.Duty == directory.DutySubordinates && o.Moment == directory.WithRemoval
	}) {
		s.reads(t, sampleID(3), directory.Profile{Set: directory.FieldManager & s.caps.Reads, Manager: heir})
	}
}

func losesRemovals(t *testing.T, s *suite) {
	r := s.remover(t)
	if r == nil {
		return
	}
	heir, p := s.create(t, 1)
	for n, successor := range []string{heir, ""} {
		// The first removal is there for the tokens.
		for i, m := range []Malady{"", LostRemove} {
			id, _ := s.create(t, 2+2*n+i, p.Memberships[0].Department)
			if m == "" {
				if err := r.Remove(t.Context(), id, s.removal(successor)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			s.Inflict(t, m)
			before := s.Calls()
			s.fails(t, "Remove", r.Remove(t.Context(), id, s.removal(successor)), directory.OutcomeUnknown)
			if calls := s.Calls() - before; calls > len(s.caps.Calls[directory.WorkRemove]) {
				t.Errorf("the removal made %d calls: it was repeated blindly", calls)
			}
			s.Heal(t)
			s.gone(t, id)
		}
	}
}

func revokes(t *testing.T, s *suite) {
	k, keeper := s.revoker(t), s.keeper(t)
	if k == nil || keeper == nil {
		return
	}
	person, p := s.create(t, 1)
	other, _ := s.create(t, 2, p.Memberships[0].Department)
	first := s.role(t, keeper, "审计员", person, other)
	second := s.role(t, keeper, "仓管员", person)
	s.has(t, k, person, directory.RoleMember{Role: first, Account: person}, directory.RoleMember{Role: second, Account: person})
	s.has(t, k, other, directory.RoleMember{Role: first, Account: other})
	for range 2 {
		err := k.RemoveFromRole(t.Context(), first, []directory.RoleMember{{Account: person}})
		if err != nil {
			t.Fatal(err)
		}
		s.has(t, k, person, directory.RoleMember{Role: second, Account: person})
		s.holds(t, keeper, first, other)
		s.holds(t, keeper, second, person)
	}
	if err := k.RemoveFromRole(t.Context(), "987654", []directory.RoleMember{{Account: person}}); err != nil {
		t.Errorf("a role that is gone: %v", err)
	}
	if err := k.RemoveFromRole(t.Context(), second, []directory.RoleMember{{Account: "nobody"}, {Account: person}}); err != nil {
		t.Errorf("together with somebody who does not exist: %v", err)
	}
	s.has(t, k, person)
}

// has fails unless the account has exactly these roles of its own.
func (s *suite) has(t *testing.T, k directory.RoleRevoker, id string, want ...directory.RoleMember) {
	t.Helper()
	roles, err := k.RolesOf(t.Context(), id)
	if err != nil {
		t.Fatalf("reading the roles of %s: %v", id, err)
	}
	if got, want := held(roles), held(want); !slices.Equal(got, want) {
		t.Errorf("%s has the roles %v, want %v", id, got, want)
	}
}

// revokesSpecial gives a role to a holder that not every platform allows, and
// takes it away again.
func (s *suite) revokesSpecial(t *testing.T, person string, special directory.RoleMember) {
	t.Helper()
	k, keeper := s.revoker(t), s.keeper(t)
	if k == nil || keeper == nil {
		return
	}
	role := s.role(t, keeper, "审计员")
	err := keeper.AddToRole(t.Context(), role, []directory.RoleMember{special})
	if directory.ClassOf(err) == directory.NotSupported {
		t.Log("this platform has no such holders")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	special.Role = role
	if special.Account == "" {
		s.has(t, k, person)
	} else {
		s.has(t, k, person, special)
	}
	if err := k.RemoveFromRole(t.Context(), role, []directory.RoleMember{special}); err != nil {
		t.Fatal(err)
	}
	s.has(t, k, person)
	s.holds(t, keeper, role)
}

func revokesMany(t *testing.T, s *suite) {
	k, keeper := s.revoker(t), s.keeper(t)
	if k == nil || keeper == nil {
		return
	}
	s.Seed(t, 45, 2)
	var people []string
	var members []directory.RoleMember
	for _, a := range s.list(t).Accounts {
		people = append(people, a.ID)
		members = append(members, directory.RoleMember{Account: a.ID})
	}
	role, stays := s.role(t, keeper, "审计员", people...), people[len(people)-1]
	before := s.Calls()
	if err := k.RemoveFromRole(t.Context(), role, members[:len(members)-1]); err != nil {
		t.Fatal(err)
	}
	if calls := s.Calls() - before; calls > len(people)/10 {
		t.Errorf("%d calls for %d people", calls, len(people)-1)
	}
	s.holds(t, keeper, role, stays)
}

func refusesNotices(t *testing.T, s *suite) {
	n := s.notifier(t)
	if n == nil {
		return
	}
	id, _ := s.create(t, 1)
	var crowd []string
	for i := range mostReceivers + 1 {
		crowd = append(crowd, fmt.Sprintf("X%04d", i))
	}
	for name, c := range map[string]struct {
		to   []string
		text string
	}{
		"too long":         {[]string{id}, strings.Repeat("离", 667)},
		"without words":    {[]string{id}, ""},
		"for nobody":       {nil, sampleNotice},
		"for too many":     {crowd, sampleNotice},
		"for one unnamed":  {[]string{id, ""}, sampleNotice},
		"not even in UTF8": {[]string{id}, "\xff"},
	} {
		_, err := n.Notify(t.Context(), c.to, c.text)
		s.fails(t, "Notify "+name, err, directory.Invalid)
	}
	s.received(t, id, 0)
}

func missesStrangers(t *testing.T, s *suite) {
	n := s.notifier(t)
	if n == nil {
		return
	}
	id, _ := s.create(t, 1)
	receipt, err := n.Notify(t.Context(), []string{id, "nobody"}, sampleNotice)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.ID == "" {
		t.Error("the receipt has no id")
	}
	s.received(t, id, 1)
	s.missed(t, n, receipt, "nobody")
}

// missed fails unless a message did not reach exactly these accounts.
func (s *suite) missed(t *testing.T, n directory.Notifier, r directory.Receipt, want ...string) {
	t.Helper()
	told, err := n.Delivered(t.Context(), r)
	if r.Later != (err == nil) || told.Later {
		t.Errorf("the receipt says that more is told later: %t, then %t; and that is asked: %v", r.Later, told.Later, err)
	}
	if err != nil {
		s.fails(t, "Delivered", err, directory.NotSupported)
		told = r
	}
	if !slices.Equal(told.Missed, want) {
		t.Errorf("missed %q, want %q", told.Missed, want)
	}
}
