package restore_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"rollcall.dev/rollcall/internal/backup/archive"
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

// A restore holds a directory in memory: one that is bigger than any company's is refused while it is read.
func TestADirectoryThatFillsTheMemoryIsRefused(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, archive.Header{Time: time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)}, key.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	big := directory.Account{ID: "E0001", Profile: directory.Profile{Set: directory.FieldName, Name: strings.Repeat("长", 300<<10)}}
	for range 150 {
		if err := w.Add(directory.DatasetDirectory, directory.Item{Part: directory.PartAccounts, ID: big.ID, Account: &big}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(directory.DatasetDirectory, directory.Summary{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := archive.NewReader(&b, key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := restore.Load(r, "")
	if _, damaged := errors.AsType[*archive.Damage](err); !damaged {
		t.Errorf("%d accounts were taken: %v", len(s.Accounts), err)
	}
}
