package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"rollcall.dev/rollcall/controllers"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/directory"
)

// An archive of each platform is restored into a company in memory, through the platform's own provider, and reads back equal.
func TestRestoreTest(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	place, err := storage.Open(t.Context(), storage.Config{Local: &storage.Local{Root: t.TempDir(), Folder: "acme"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = place.Close() })
	test := controllers.RestoreInto(scratch)
	for _, platform := range []string{"DingTalk", "WeCom"} {
		key := storage.NewKey("acme", "account", platform, time.Unix(0, 0), "1")
		verified := store(t, place, key, platform, id.Recipient())
		compared, different, err := test(t.Context(), place, key, verified, []age.Identity{id})
		if err != nil || compared < 2 || different != 0 {
			t.Errorf("%s: %d compared, %d different, %v", platform, compared, different, err)
		}
	}
	key := storage.NewKey("acme", "account", "Abacus", time.Unix(0, 0), "1")
	store(t, place, key, "Abacus", id.Recipient())
	if _, _, err := test(t.Context(), place, key, "", []age.Identity{id}); err == nil {
		t.Error("an archive of a platform that nobody knows is restored")
	}

	// Whoever can write to the storage knows the public key, and can put an archive of
	// their own in the place of the one that was verified.
	key = storage.NewKey("acme", "account", "WeCom", time.Unix(0, 0), "2")
	_ = store(t, place, key, "WeCom", id.Recipient())
	_, _, err = test(t.Context(), place, key, strings.Repeat("0", 64), []age.Identity{id})
	if _, damaged := errors.AsType[*archive.Damage](err); !damaged {
		t.Errorf("P1: an archive that nobody verified is restored: %v", err)
	}
}

// store writes a department and somebody in it, and returns the hash of the manifest.
func store(t *testing.T, place *storage.Place, key, platform string, to age.Recipient) (manifest string) {
	t.Helper()
	upload, err := place.Create(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer upload.Abort()
	w, err := archive.NewWriter(upload, archive.Header{Platform: platform, Tenant: "tenant", Time: time.Unix(0, 0)}, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range []directory.Item{
		{Part: directory.PartDepartments, ID: "1", Raw: []byte("{}"), Department: &directory.Department{Set: directory.DepartmentName, ID: "1", Name: "极点科技"}},
		{Part: directory.PartDepartments, ID: "7", Raw: []byte("{}"), Department: &directory.Department{Set: directory.DepartmentName | directory.DepartmentParent, ID: "7", Name: "研发部", Parent: "1"}},
		{Part: directory.PartAccounts, ID: "E0001", Raw: []byte("{}"), Account: &directory.Account{ID: "E0001", Type: directory.Ordinary, State: directory.Active, Profile: directory.Profile{
			Set:    directory.FieldNumber | directory.FieldName | directory.FieldMobile | directory.FieldDepartments,
			Number: "E0001", Name: "李娜", Mobile: "+86-13800000901", Memberships: []directory.Membership{{Department: "7"}},
		}}},
	} {
		if err := w.Add(directory.DatasetDirectory, item); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(directory.DatasetDirectory, directory.Summary{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	seal, err := w.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if err := upload.Close(); err != nil {
		t.Fatal(err)
	}
	if err := place.Seal(t.Context(), key, seal.Encode()); err != nil {
		t.Fatal(err)
	}
	return seal.Manifest.SHA256()
}
