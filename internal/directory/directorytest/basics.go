package directorytest

import (
	"context"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

var basics = []contract{
	{"capabilities are whole and cost nothing", func(t *testing.T, s *suite) {
		before := s.Calls()
		c := s.Directory.Capabilities()
		if s.Calls() != before {
			t.Error("Capabilities made a call")
		}
		if c.Platform == "" || c.RootDepartment == "" {
			t.Errorf("platform %q and root department %q must be set", c.Platform, c.RootDepartment)
		}
		need := directory.FieldName | directory.FieldTitle | directory.FieldDepartments
		if !(c.Writes | c.Creates).Has(need) || !c.Reads.Has(need) {
			t.Errorf("reads %s and writes %s must have %s", c.Reads, c.Writes, need)
		}
		if !c.DepartmentWrites.Has(directory.DepartmentName | directory.DepartmentParent) {
			t.Errorf("department writes %v lack name or parent", c.DepartmentWrites.Names())
		}
		if len(c.Freezes) == 0 && c.FreezeLimit == "" {
			t.Error("a platform that freezes nothing must say so in FreezeLimit")
		}
		if _, ok := s.Directory.(directory.Freezer); !ok && len(c.Freezes) > 0 {
			t.Error("the directory claims to freeze and is no Freezer")
		}
	}},
	{"account ids follow from employee numbers", func(t *testing.T, s *suite) {
		id, err := s.AccountID("E-0001")
		if err != nil || id == "" {
			t.Errorf("AccountID(E-0001) = %q, %v", id, err)
		}
		for _, bad := range []string{"", strings.Repeat("E", 65)} {
			_, err := s.AccountID(bad)
			s.fails(t, "AccountID("+bad+")", err, directory.Invalid)
		}
	}},
	{"check passes with good credentials", func(t *testing.T, s *suite) {
		if err := s.Directory.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}},
	{"wrong credentials are named as such, before anything changes", func(t *testing.T, s *suite) {
		s.fails(t, "Check", s.Misled.Check(t.Context()), directory.Unauthenticated)
		_, err := s.Misled.CreateAccount(t.Context(), sampleID(1), directory.Ordinary, s.wish(1, s.caps.RootDepartment))
		s.fails(t, "CreateAccount", err, directory.Unauthenticated)
		_, err = s.Directory.Account(t.Context(), sampleID(1))
		s.fails(t, "Account", err, directory.NotFound)
	}},
	{"a cancelled context ends every call", func(t *testing.T, s *suite) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Directory.Account(ctx, sampleID(1))
		if !directory.IsCancelled(err) {
			t.Errorf("Account: got %v, want one that IsCancelled", err)
		}
		_, err = s.Directory.List(ctx)
		if !directory.IsCancelled(err) {
			t.Errorf("List: got %v, want one that IsCancelled", err)
		}
		_, err = s.Directory.CreateAccount(ctx, sampleID(1), directory.Ordinary, s.wish(1, s.caps.RootDepartment))
		if !directory.IsCancelled(err) {
			t.Errorf("CreateAccount: got %v, want one that IsCancelled", err)
		}
		_, err = s.Directory.Account(t.Context(), sampleID(1))
		s.fails(t, "Account after a cancelled creation", err, directory.NotFound)
	}},
}
