package restore_test

import (
	"slices"
	"testing"

	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
)

// Whoever can write to a bucket can write an archive: what the platform keeps for itself is what the platform says.
func TestARoleOfThePlatformIsNotGivenWhateverTheArchiveSays(t *testing.T) {
	s := acme()
	fake := directorytest.NewFake(open())
	target := observe(t, fake)
	target.Tenant, target.Roles = s.Tenant, []directory.Role{{ID: "20", Name: "主管理员", BuiltIn: true}}
	p := restore.For(s, target, fake.Capabilities(), same, restore.Options{Overwrite: true})
	for _, it := range p.Items {
		if it.Kind == restore.Roles && it.Verdict != restore.Impossible && len(it.Fields) > 0 || slices.Contains(it.Fields, "roles") {
			t.Errorf("given: %+v", it)
		}
	}
}

// A state that this program does not know may be one without access.
func TestNobodyGetsAccessWhoseStateIsUnknown(t *testing.T) {
	s := acme()
	s.Accounts[0].State = "Locked"
	fake := directorytest.NewFake(open())
	p := plan(t, s, fake, restore.Options{})
	if got := items(p.Items, restore.Impossible); !slices.Contains(got, "People E0003: state") {
		t.Errorf("%q", got)
	}
	execute(t, fake, p)
	if fake.Really("E0003") != nil {
		t.Error("somebody of whom nobody knows whether they had access has an account")
	}
}
