package directorytest

import (
	"sync"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

var failures = []contract{
	{"an expired token is renewed unnoticed", func(t *testing.T, s *suite) {
		id, want := s.create(t, 1)
		s.Inflict(t, ExpiredTokens)
		want.Title = "总监"
		s.update(t, id, directory.Profile{Set: directory.FieldTitle, Title: want.Title})
		s.Inflict(t, ExpiredTokens)
		s.reads(t, id, want)
		s.Inflict(t, ExpiredTokens)
		s.list(t)
	}},
	{"many callers share one renewal", renewsOnce},
	{"throttling is told, with its class", func(t *testing.T, s *suite) {
		id, want := s.create(t, 1)
		s.Inflict(t, Throttling)
		before := s.Throttled()
		_, err := s.Directory.Account(t.Context(), id)
		s.fails(t, "Account", err, directory.RateLimited)
		err = s.Directory.UpdateAccount(t.Context(), id, directory.Profile{Set: directory.FieldTitle, Title: "总监"})
		s.fails(t, "UpdateAccount", err, directory.RateLimited)
		if s.Throttled() < before+2 {
			t.Errorf("Settings.Throttled was told %d times of 2 answers", s.Throttled()-before)
		}
		s.Heal(t)
		s.reads(t, id, want)
	}},
	{"P3: a creation without an answer has an unknown outcome, and is found", func(t *testing.T, s *suite) {
		d := s.department(t, "一部", s.caps.RootDepartment)
		s.Inflict(t, LostCreate)
		want := s.wish(1, d)
		before := s.Calls()
		_, err := s.Directory.CreateAccount(t.Context(), sampleID(1), directory.Ordinary, want)
		s.fails(t, "CreateAccount", err, directory.OutcomeUnknown)
		if calls := s.Calls() - before; calls > 1 {
			t.Errorf("the creation made %d calls: it was repeated blindly", calls)
		}
		s.Heal(t)
		s.reads(t, sampleID(1), want)
	}},
	{"P3: an update without an answer has an unknown outcome", func(t *testing.T, s *suite) {
		id, want := s.create(t, 1)
		s.Inflict(t, LostUpdate)
		want.Title = "总监"
		err := s.Directory.UpdateAccount(t.Context(), id, directory.Profile{Set: directory.FieldTitle, Title: want.Title})
		s.fails(t, "UpdateAccount", err, directory.OutcomeUnknown)
		s.Heal(t)
		s.reads(t, id, want)
	}},
	{"a broken gateway is unavailable to reads and an unknown outcome to writes", func(t *testing.T, s *suite) {
		brokenAnswers(t, s, BadGateway)
	}},
	{"a listing through a broken gateway fails", func(t *testing.T, s *suite) { brokenListing(t, s, BadGateway) }},
	{"a listing of pages that are none fails", func(t *testing.T, s *suite) { brokenListing(t, s, Garbage) }},
	{"an answer that is no answer is never success", func(t *testing.T, s *suite) {
		brokenAnswers(t, s, Garbage)
	}},
	{"what was certainly not sent is Unavailable", func(t *testing.T, s *suite) {
		id, _ := s.create(t, 1)
		s.Inflict(t, Down)
		_, err := s.Directory.Account(t.Context(), id)
		s.fails(t, "Account", err, directory.Unavailable)
		_, err = s.Directory.CreateAccount(t.Context(), sampleID(2), directory.Ordinary, s.wish(2, s.caps.RootDepartment))
		s.fails(t, "CreateAccount", err, directory.Unavailable)
		_, err = s.Directory.List(t.Context())
		s.fails(t, "List", err, directory.Unavailable)
	}},
	{"P9: an ignored write shows when read back", func(t *testing.T, s *suite) {
		id, want := s.create(t, 1)
		s.Inflict(t, IgnoredTitle)
		change := directory.Profile{Set: directory.FieldTitle, Title: "总监"}
		s.update(t, id, change)
		have := s.reads(t, id, want)
		if differ, _ := directory.Differ(&change, &have.Profile); differ != directory.FieldTitle {
			t.Errorf("differs in %q, want title", differ)
		}
	}},
	{"a missing permission is named as such", func(t *testing.T, s *suite) {
		id, want := s.create(t, 1)
		s.Inflict(t, Denied)
		_, err := s.Directory.Account(t.Context(), id)
		s.fails(t, "Account", err, directory.PermissionDenied)
		_, err = s.Directory.CreateAccount(t.Context(), sampleID(2), directory.Ordinary, s.wish(2, want.Memberships[0].Department))
		s.fails(t, "CreateAccount", err, directory.PermissionDenied)
		_, err = s.Directory.List(t.Context())
		s.fails(t, "List", err, directory.PermissionDenied)
	}},
}

// brokenAnswers makes four calls and no more: a tenant that fails five times in
// a row may be left alone for a while by the client.
func brokenAnswers(t *testing.T, s *suite, m Malady) {
	t.Helper()
	id, want := s.create(t, 1)
	d := want.Memberships[0].Department
	s.Inflict(t, m)
	_, err := s.Directory.Account(t.Context(), id)
	s.fails(t, "Account", err, directory.Unavailable)
	_, err = s.Directory.CreateAccount(t.Context(), sampleID(2), directory.Ordinary, s.wish(2, d))
	s.fails(t, "CreateAccount", err, directory.OutcomeUnknown)
	err = s.Directory.UpdateAccount(t.Context(), id, directory.Profile{Set: directory.FieldTitle, Title: "总监"})
	s.fails(t, "UpdateAccount", err, directory.OutcomeUnknown)
	err = s.Directory.UpdateDepartment(t.Context(), directory.Department{ID: d, Set: directory.DepartmentName, Name: "改名部"})
	s.fails(t, "UpdateDepartment", err, directory.OutcomeUnknown)
	s.Heal(t)
	s.reads(t, id, want)
}

func brokenListing(t *testing.T, s *suite, m Malady) {
	t.Helper()
	s.Inflict(t, m)
	_, err := s.Directory.List(t.Context())
	s.fails(t, "List", err, directory.Unavailable)
}

func renewsOnce(t *testing.T, s *suite) {
	const callers = 16
	id, _ := s.create(t, 1)
	s.Inflict(t, ExpiredTokens)
	before := s.Calls()
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		wg.Go(func() { _, errs[i] = s.Directory.Account(t.Context(), id) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("caller %d: %v", i, err)
		}
	}
	// Each asks, is refused and asks again; the renewals come on top. A caller that
	// was refused late may start one more.
	if calls := s.Calls() - before; calls > 2*callers+callers/2 {
		t.Errorf("%d callers made %d calls", callers, calls)
	}
}
