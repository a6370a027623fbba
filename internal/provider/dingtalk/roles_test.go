package dingtalk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

func crowd(n int) (members []directory.RoleMember) {
	for i := range n {
		members = append(members, directory.RoleMember{Account: fmt.Sprint("E", i)})
	}
	return members
}

// sizes are how many people each call was about.
func sizes(calls []asked, field string) (n []int) {
	for _, c := range calls {
		n = append(n, len(strings.Split(c.body[field].(string), ",")))
	}
	return n
}

func TestAddToRoleTakesFewCalls(t *testing.T) {
	s, d := newStub(t)
	s.on(&opAddToRole, allWell)
	twice := append(crowd(45), crowd(3)...)
	if err := d.AddToRole(t.Context(), "8", twice); err != nil {
		t.Fatal(err)
	}
	if got := sizes(s.calls(&opAddToRole), "userIds"); !slices.Equal(got, []int{20, 20, 5}) {
		t.Errorf("batches of %v", got)
	}
}

func TestP11OneHiddenPersonCostsOthersNothing(t *testing.T) {
	for name, c := range map[string]struct {
		answers []answer
		class   directory.Class
		calls   int
	}{
		"unknown":           {[]answer{no(33012), allWell, no(33012), no(33012), allWell}, directory.NotFound, 5},
		"hidden":            {[]answer{no(50002), allWell, no(50002), no(50002), allWell}, directory.NotFound, 5},
		"no such role":      {[]answer{no(33011)}, directory.NotFound, 1},
		"not permitted":     {[]answer{no(60011)}, directory.PermissionDenied, 1},
		"P3: lost":          {[]answer{lostReply}, directory.OutcomeUnknown, 1},
		"everybody unknown": {[]answer{no(33012)}, directory.NotFound, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opAddToRole, c.answers...)
			err := d.AddToRole(t.Context(), "8", crowd(3))
			if directory.ClassOf(err) != c.class {
				t.Errorf("got %v, want class %q", err, c.class)
			}
			if n := len(s.calls(&opAddToRole)); n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
			if err != nil && strings.Contains(err.Error(), "E1") {
				t.Errorf("P12: names somebody: %v", err)
			}
		})
	}
}

// Whom the app may not see may have the role still.
func TestP9ARoleOfSomebodyHiddenIsNotCalledTaken(t *testing.T) {
	s, d := newStub(t)
	s.on(&opRemoveFromRole, no(50002), allWell, no(50002), no(50002), allWell)
	err := d.RemoveFromRole(t.Context(), "8", crowd(3))
	isError(t, err, directory.PermissionDenied, codeUserHidden)
	if n := len(s.calls(&opRemoveFromRole)); n != 5 {
		t.Errorf("%d calls", n)
	}
}

func TestP2ARoleIsNotGivenWhereItsScopeIsNot(t *testing.T) {
	s, d := newStub(t)
	s.on(&opAddToRole, allWell)
	s.on(&opDepartment, no(60003))
	s.on(&opRoleScope, no(60003))
	isError(t, d.AddToRole(t.Context(), "8", []directory.RoleMember{{Account: "E1", Scope: []string{"11"}}}), directory.Invalid, "")
	if n := len(s.calls(&opAddToRole)); n != 0 {
		t.Error("the role was given for the whole company")
	}
}

func TestSetRoleScope(t *testing.T) {
	for name, c := range map[string]struct {
		answers []answer
		class   directory.Class
		calls   int
	}{
		"done":                      {[]answer{allWell}, "", 3},
		"one is unknown":            {[]answer{no(46004), allWell}, directory.NotFound, 3},
		"one is hidden":             {[]answer{no(50002), allWell}, directory.NotFound, 3},
		"one department is not":     {[]answer{no(60003), allWell}, directory.Invalid, 3},
		"one does not have it":      {[]answer{no(400002), allWell}, directory.Invalid, 3},
		"the role is gone":          {[]answer{no(60301)}, directory.Invalid, 1},
		"not permitted":             {[]answer{no(60011)}, directory.PermissionDenied, 1},
		"P3: the answer never came": {[]answer{allWell, lostReply}, directory.OutcomeUnknown, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opRoleScope, c.answers...)
			err := d.SetRoleScope(t.Context(), "8", []directory.RoleMember{{Account: "E1", Scope: []string{"11", "12"}}, {Account: "E2"}, {Account: "E3", Scope: []string{"11"}}})
			if directory.ClassOf(err) != c.class {
				t.Errorf("got %v, want class %q", err, c.class)
			}
			calls := s.calls(&opRoleScope)
			if len(calls) != c.calls {
				t.Fatalf("%d calls, want %d", len(calls), c.calls)
			}
			if calls[0].body["dept_ids"] != "11,12" || len(calls) > 1 && calls[1].body["dept_ids"] != nil {
				t.Errorf("asked for %v", calls)
			}
		})
	}
	_, d := newStub(t)
	isError(t, d.SetRoleScope(t.Context(), "8", []directory.RoleMember{{Department: "2"}}), directory.NotSupported, "")
	isError(t, d.SetRoleScope(t.Context(), "x", nil), directory.Invalid, "")
}

// E-102: what is missing, and where it is granted.
func TestMissingRightsAreNamed(t *testing.T) {
	for _, op := range []*operation{&opAddToRole, &opRemoveFromRole, &opRoleScope, &opCreateRole, &opCreateGroup, &opHolders, &opRoleGroups, &opAdmins, &opActive} {
		for _, code := range []string{"60011", "43007", "Forbidden.AccessDenied.AccessTokenPermissionDenied"} {
			e := refusal(op, code)
			if e.Class != directory.PermissionDenied || op.grant == "" || !strings.Contains(e.Message, op.grant) || !strings.Contains(e.Message, "open-dev.dingtalk.com, the app, 权限管理") {
				t.Errorf("%s refused with %s: %v", op.name, code, e)
			}
		}
	}
}

func TestAdministrators(t *testing.T) {
	s, d := newStub(t)
	s.on(&opAdmins, admins("M1"))
	got, err := d.Administrators(t.Context())
	want := []directory.RoleMember{{Role: "子管理员", Account: "S1"}, {Role: "主管理员", Account: "M1"}}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, a := range []answer{fine([]any{}), fine([]any{map[string]any{"sys_level": 1}})} {
		s.on(&opAdmins, a)
		_, err := d.Administrators(t.Context())
		isError(t, err, directory.Unavailable, "")
	}
}

func activePageOf(more bool, ids ...string) answer {
	page := map[string]any{"has_more": more, "list": ids}
	if more {
		page["next_cursor"] = 100
	}
	return fine(page)
}

func TestLastActive(t *testing.T) {
	on := func(month time.Month, day int) time.Time {
		return time.Date(2026, month, day, 0, 0, 0, 0, chinaStandardTime)
	}
	for name, c := range map[string]struct {
		before  bool // nine in the morning
		answers []answer
		last    map[string]time.Time
		since   time.Time
		dates   []string
	}{
		"all yesterday": {answers: []answer{activePageOf(false, "E1", "E2", "X")}, last: map[string]time.Time{"E1": on(3, 1), "E2": on(3, 1)}, since: on(3, 1), dates: []string{"20260301"}},
		"on the second page": {answers: []answer{activePageOf(true, "E1"), activePageOf(false, "E2")}, last: map[string]time.Time{"E1": on(3, 1), "E2": on(3, 1)},
			since: on(3, 1), dates: []string{"20260301", "20260301"}},
		"on different days": {answers: []answer{activePageOf(false, "E1"), activePageOf(false, "E1", "E2")}, last: map[string]time.Time{"E1": on(3, 1), "E2": on(2, 28)},
			since: on(2, 28), dates: []string{"20260301", "20260228"}},
		"before nine": {before: true, answers: []answer{activePageOf(false, "E1", "E2")}, last: map[string]time.Time{"E1": on(2, 28), "E2": on(2, 28)}, since: on(2, 28), dates: []string{"20260228"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := newStub(t)
			s.now = on(3, 2).Add(9 * time.Hour)
			if c.before {
				s.now = s.now.Add(-time.Second)
			}
			s.on(&opActive, c.answers...)
			got, err := d.LastActive(t.Context(), []string{"E1", "E2"})
			if err != nil || !maps.EqualFunc(got.Last, c.last, time.Time.Equal) || !got.Since.Equal(c.since) {
				t.Errorf("%+v, %v", got, err)
			}
			var dates []string
			for _, a := range s.calls(&opActive) {
				dates = append(dates, a.body["query_date"].(string))
			}
			if !slices.Equal(dates, c.dates) {
				t.Errorf("asked about %q", dates)
			}
		})
	}
}

func TestLastActiveEnds(t *testing.T) {
	s, d := newStub(t)
	s.on(&opActive, activePageOf(false, "X"))
	got, err := d.LastActive(t.Context(), []string{"E1"})
	if n := len(s.calls(&opActive)); err != nil || n != activeDays || len(got.Last) != 0 {
		t.Errorf("after %d calls: %+v, %v", n, got, err)
	}
	if days := s.now.Sub(got.Since) / (24 * time.Hour); days != activeDays {
		t.Errorf("looked %d days back", days)
	}

	s, d = newStub(t) // before nine yesterday is not complete, and the month begins no earlier
	s.now = time.Date(2026, 3, 31, 8, 59, 0, 0, chinaStandardTime)
	s.on(&opActive, activePageOf(false, "X"))
	got, err = d.LastActive(t.Context(), []string{"E1"})
	calls := s.calls(&opActive)
	if err != nil || len(calls) != activeDays-1 || calls[len(calls)-1].body["query_date"] != "20260301" || !got.Since.Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, chinaStandardTime)) {
		t.Errorf("before nine, after %d calls: %+v, %v", len(calls), got, err)
	}

	s, d = newStub(t) // a company so large that a day takes more calls than the question is worth
	var pages []answer
	for i := range activePages + 1 {
		pages = append(pages, activePageOf(true, fmt.Sprint("X", i)))
	}
	s.on(&opActive, pages...)
	got, err = d.LastActive(t.Context(), []string{"E1"})
	if n := len(s.calls(&opActive)); err != nil || n != activePages || got.Since.Before(s.now.AddDate(0, 0, -1)) {
		t.Errorf("after %d calls: %+v, %v", n, got, err)
	}

	s, d = newStub(t)
	s.on(&opActive, activePageOf(true, "X"))
	_, err = d.LastActive(t.Context(), []string{"E1"})
	isError(t, err, directory.Unavailable, "")
	s.on(&opActive, no(60011))
	_, err = d.LastActive(context.Background(), []string{"E1"})
	isError(t, err, directory.PermissionDenied, "60011")
	if _, err := d.LastActive(t.Context(), nil); err != nil {
		t.Errorf("of nobody: %v", err)
	}
}
