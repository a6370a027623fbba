package backup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"rollcall.dev/rollcall/internal/backup"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
)

var at = time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)

// house is a company on a platform, and two places for its archives.
type house struct {
	*testing.T
	*directorytest.Fake
	root             string
	primary, offsite *storage.Place
	key              *age.X25519Identity
}

func begin(t *testing.T, people int) *house {
	t.Helper()
	h := &house{T: t, root: t.TempDir(), Fake: directorytest.NewFake(directory.Capabilities{
		Platform: "Open", Reads: directory.AllFields, Writes: directory.AllFields, RootDepartment: "1",
	})}
	for i := range people {
		h.person(i+1, "工程师")
	}
	var err error
	if h.key, err = age.GenerateX25519Identity(); err != nil {
		t.Fatal(err)
	}
	h.primary, h.offsite = h.place("near"), h.place("far")
	return h
}

func (h *house) person(n int, title string) {
	h.Place(directory.Account{ID: fmt.Sprintf("E%04d", n), Type: directory.Ordinary, State: directory.Active, Profile: directory.Profile{
		Set: directory.FieldName | directory.FieldMobile | directory.FieldTitle, Name: "柳如烟", Title: title, Mobile: fmt.Sprintf("+86-1380055%04d", n),
	}})
}

func (h *house) place(folder string) *storage.Place {
	h.Helper()
	p, err := storage.Open(h.Context(), storage.Config{Local: &storage.Local{Root: h.root, Folder: folder}})
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = p.Close() })
	return p
}

func (h *house) job() backup.Job {
	return backup.Job{
		Key:    storage.NewKey("acme", "open", "corp", at, "1a2b3c4d"),
		Header: archive.Header{Tool: "rollcall test", Platform: "Open", Tenant: "corp", Namespace: "acme", Account: "open", Backup: "b", Time: at},
		Source: h.Fake, Primary: h.primary, Recipients: []age.Recipient{h.key.Recipient()}, Identities: []age.Identity{h.key},
	}
}

func (h *house) list(p *storage.Place) []string {
	h.Helper()
	keys, err := p.List(h.Context(), "acme")
	if err != nil {
		h.Fatal(err)
	}
	return keys
}

// dataset is what the archive's manifest says of it.
func dataset(s archive.Seal, d directory.Dataset) *archive.Dataset {
	i := slices.IndexFunc(s.Manifest.Datasets, func(e archive.Dataset) bool { return e.Name == d })
	if i < 0 {
		return nil
	}
	return &s.Manifest.Datasets[i]
}

func TestRun(t *testing.T) {
	h := begin(t, 50)
	h.Keep(directory.DatasetReports, directory.Item{Part: "reports", ID: "r1", Raw: []byte(`{"text":"周报"}`)})
	j := h.job()
	j.Offsite = h.offsite
	var done, total int64
	j.Progress, j.Expected = func(d, t int64) { done, total = d, t }, 10
	r, err := backup.Run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	e := r.Evidence
	if !e.Copied || e.Sampled != 20 || e.SampleEqual != 20 || len(e.Findings) > 0 || e.Items != done || total != done || e.Bytes != r.Seal.Size {
		t.Errorf("evidence %+v after %d of %d", e, done, total)
	}
	if got := h.list(h.primary); !slices.Equal(got, []string{j.Key}) || !slices.Equal(h.list(h.offsite), got) {
		t.Errorf("there are %q and %q", got, h.list(h.offsite))
	}
	if d := dataset(r.Seal, directory.DatasetDirectory); d.Parts[1].Name != directory.PartAccounts || d.Parts[1].Items != 51 { // the founder, too
		t.Errorf("the directory is %+v", d)
	}
	if d := dataset(r.Seal, directory.DatasetReports); d.Missing != "" || d.Parts[0].Items != 1 {
		t.Errorf("the reports are %+v", d)
	}
	if d := dataset(r.Seal, directory.DatasetMessages); d.Class != directory.NotSupported || d.Missing == "" {
		t.Errorf("the messages are %+v", d)
	}
	if len(r.Seal.Manifest.Datasets) != len(directory.Datasets()) {
		t.Error("not every dataset is accounted for")
	}
}

func TestChosenDatasetsAndPeople(t *testing.T) {
	h := begin(t, 30)
	h.Keep(directory.DatasetReports, directory.Item{Part: "reports", ID: "r1", Raw: []byte(`{}`)})
	j := h.job()
	j.Datasets, j.Scope.Accounts = []directory.Dataset{directory.DatasetAttendance}, []string{"E0003", "E0004", "E9999"}
	j.Header.People = j.Scope.Accounts
	r, err := backup.Run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	d := dataset(r.Seal, directory.DatasetDirectory)
	if d.Parts[1].Items != 2 || len(d.Gaps) != 1 || d.Gaps[0].Class != directory.NotFound || r.Evidence.Sampled != 2 || r.Evidence.Copied {
		t.Errorf("%+v, evidence %+v", d, r.Evidence)
	}
	if dataset(r.Seal, directory.DatasetReports) != nil || dataset(r.Seal, directory.DatasetAttendance).Missing == "" {
		t.Errorf("datasets %+v", r.Seal.Manifest.Datasets)
	}
}

// What may not be read, or is not there, is said in the archive; only the directory has to be whole.
func TestWhatCannotBeExported(t *testing.T) {
	denied := directorytest.Fault{Err: &directory.Error{Class: directory.PermissionDenied, Operation: "report/list", Message: "the app lacks a scope"}}
	h := begin(t, 3)
	h.Keep(directory.DatasetReports, directory.Item{Part: "reports", ID: "r1", Raw: []byte(`{}`)})
	h.Next("Export", directorytest.Fault{})
	h.Next("Export", denied)
	r, err := backup.Run(t.Context(), h.job())
	if err != nil {
		t.Fatal(err)
	}
	if d := dataset(r.Seal, directory.DatasetReports); d.Class != directory.PermissionDenied || !strings.Contains(d.Missing, "lacks a scope") {
		t.Errorf("the reports are %+v", d)
	}
	for name, fault := range map[string]directorytest.Fault{
		"denied": denied, "down": {Err: &directory.Error{Class: directory.Unavailable, Operation: "user/list"}}, "in the middle": {Err: errors.New("cut"), After: 2},
	} {
		h := begin(t, 3)
		h.Next("Export", fault)
		if _, err := backup.Run(t.Context(), h.job()); !errors.Is(err, fault.Err) {
			t.Errorf("%s: %v", name, err)
		}
		h.nothing()
	}
}

// nothing fails if something of an archive is left.
func (h *house) nothing() {
	h.Helper()
	err := filepath.WalkDir(h.root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			h.Errorf("%s is left", d.Name())
		}
		return err
	})
	if err != nil {
		h.Error(err)
	}
}

// meddler is a platform at whose n-th reading of a person something happens.
type meddler struct {
	*directorytest.Fake
	happen func()
}

func (m *meddler) Account(ctx context.Context, id string) (directory.Account, error) {
	if m.happen != nil {
		m.happen()
		m.happen = nil
	}
	return m.Fake.Account(ctx, id)
}

// An archive that is not read back as it was written is no backup: each byte on the
// disk is damaged between the writing and the reading.
func TestP1NothingIsVerifiedThatWasNotReadBack(t *testing.T) {
	h := begin(t, 1)
	j := h.job()
	if _, err := backup.Run(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"archive.tar.zst.age", "seal.json"} {
		path := filepath.Join(h.root, "near", filepath.FromSlash(j.Key), name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(whole); i += 7 {
			damaged := slices.Clone(whole)
			damaged[i] ^= 0x20
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := backup.Verify(t.Context(), backup.Check{Key: j.Key, Primary: h.primary, Identities: j.Identities}); err == nil {
				t.Fatalf("byte %d of %s is damaged, and it verifies", i, name)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := backup.Verify(t.Context(), backup.Check{Key: j.Key, Primary: h.primary, Identities: j.Identities}); err != nil || r.Evidence.Items == 0 {
		t.Errorf("it is whole again: %v", err)
	}
}

func TestP1ADamagedCopyIsNoCopy(t *testing.T) {
	h := begin(t, 5)
	j := h.job()
	j.Offsite = h.offsite
	if _, err := backup.Run(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(h.root, "far", filepath.FromSlash(j.Key), "archive.tar.zst.age")
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	c := backup.Check{Key: j.Key, Primary: h.primary, Offsite: h.offsite, Identities: j.Identities}
	if _, err := backup.Verify(t.Context(), c); err == nil {
		t.Error("half a copy is a copy")
	}
	c.Offsite = h.place("third")
	if r, err := backup.Verify(t.Context(), c); err != nil || !r.Evidence.Copied {
		t.Errorf("a place that has no copy yet gets one: %v", err)
	}
}

func TestWrongKey(t *testing.T) {
	h := begin(t, 2)
	j := h.job()
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	j.Identities = []age.Identity{other}
	if _, err := backup.Run(t.Context(), j); !errors.Is(err, archive.ErrWrongKey) {
		t.Errorf("nobody here can open it: %v", err)
	}
	h.nothing()
}

// Who changes while the backup runs is told from an export that is wrong.
func TestTheSampleIsComparedWithThePlatform(t *testing.T) {
	h := begin(t, 10)
	j := h.job()
	j.Source = &meddler{h.Fake, func() { h.person(4, "总监"); h.Vanish("E0005") }}
	r, err := backup.Run(t.Context(), j)
	if err != nil || r.Evidence.Sampled != 11 || r.Evidence.SampleEqual != 9 {
		t.Errorf("evidence %+v, %v", r.Evidence, err)
	}

	h = begin(t, 10)
	lies := directorytest.Fault{Items: func(items []directory.Item) []directory.Item {
		for i := range items {
			if a := items[i].Account; a != nil && a.ID < "E0004" {
				wrong := *a
				wrong.Profile.Title = "总监"
				items[i].Account = &wrong
			}
		}
		return items
	}}
	h.Every("Export", lies)
	j = h.job()
	j.Offsite = h.offsite
	_, err = backup.Run(t.Context(), j)
	if m, ok := errors.AsType[*backup.Mismatch](err); !ok || m.People != 3 {
		t.Errorf("the export is wrong: %v", err)
	}
	h.nothing()
}

func TestThePlatformsOwnCountIsCompared(t *testing.T) {
	h := begin(t, 10)
	h.Next("Export", directorytest.Fault{Items: func(items []directory.Item) []directory.Item { return items[:len(items)-2] }})
	r, err := backup.Run(t.Context(), h.job())
	if err != nil || !slices.Equal(r.Evidence.Findings, []string{"Directory/accounts: the platform counts 11, the archive has 9"}) {
		t.Errorf("findings %q, %v", r.Evidence.Findings, err)
	}
}

// deaf hands nothing out.
type deaf struct{ directory.Directory }

func TestAPlatformThatHandsNothingOut(t *testing.T) {
	h := begin(t, 1)
	j := h.job()
	j.Source = deaf{h.Fake}
	if _, err := backup.Run(t.Context(), j); directory.ClassOf(err) != directory.NotSupported {
		t.Error(err)
	}
	h.nothing()
}

func TestP12ErrorsTellNoPersonalData(t *testing.T) {
	for name, spoil := range map[string]func(*house, *backup.Job){
		"wrong key": func(_ *house, j *backup.Job) { j.Identities = nil },
		"no place":  func(h *house, _ *backup.Job) { _ = os.RemoveAll(h.root); _ = os.WriteFile(h.root, nil, 0o600) },
		"wrong export": func(h *house, _ *backup.Job) {
			h.Every("Export", directorytest.Fault{Items: func(items []directory.Item) []directory.Item {
				for i := range items {
					if a := items[i].Account; a != nil {
						wrong := *a
						wrong.Profile.Title = "总监"
						items[i].Account = &wrong
					}
				}
				return items
			}})
		},
	} {
		h := begin(t, 3)
		j := h.job()
		spoil(h, &j)
		_, err := backup.Run(t.Context(), j)
		if err == nil {
			t.Errorf("%s: it was done", name)
		} else if strings.Contains(err.Error(), "柳如烟") || strings.Contains(err.Error(), "1380055") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEndingEndsARun(t *testing.T) {
	h := begin(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	h.Next("Export", directorytest.Fault{Before: func(context.Context) { cancel() }})
	if _, err := backup.Run(ctx, h.job()); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if len(h.list(h.primary)) > 0 {
		t.Error("there is an archive")
	}
}

// What is sealed and not proven lists nowhere: not where it was copied to either, and
// not when the work was ended.
func TestWhatIsNotProvenLeavesNothing(t *testing.T) {
	for name, end := range map[string]bool{"the platform is down": false, "the work is ended": true} {
		h := begin(t, 3)
		j := h.job()
		j.Offsite = h.offsite
		ctx, cancel := context.WithCancel(t.Context())
		j.Source = &meddler{h.Fake, func() {
			if end {
				cancel()
			}
			h.Every("Account", directorytest.Refused(directory.Unavailable))
		}}
		if _, err := backup.Run(ctx, j); err == nil {
			t.Errorf("%s, and it is verified", name)
		}
		cancel()
		h.nothing()
	}
}

// P1: a backup of somebody who is not in it proves nothing of them.
func TestP1ABackupOfNobodyIsNone(t *testing.T) {
	h := begin(t, 3)
	j := h.job()
	j.Scope.Accounts = []string{"E9999"}
	if _, err := backup.Run(t.Context(), j); directory.ClassOf(err) != directory.NotFound {
		t.Error(err)
	}
	h.nothing()
}

func TestAnArchiveInTheFolderOfAnotherAccountIsDamaged(t *testing.T) {
	h := begin(t, 3)
	j := h.job()
	if _, err := backup.Run(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(j.Key, "acme/open/", "acme/other/", 1)
	if err := os.CopyFS(filepath.Join(h.root, "near", filepath.FromSlash(other)), os.DirFS(filepath.Join(h.root, "near", filepath.FromSlash(j.Key)))); err != nil {
		t.Fatal(err)
	}
	_, err := backup.Verify(t.Context(), backup.Check{Key: other, Primary: h.primary, Identities: j.Identities})
	if _, ok := errors.AsType[*archive.Damage](err); !ok {
		t.Errorf("somebody else's archive verifies: %v", err)
	}
}

// A key that is taken is somebody else's archive.
func TestAFailedRunTakesNothingOfOthersBack(t *testing.T) {
	h := begin(t, 3)
	j := h.job()
	if _, err := backup.Run(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Run(t.Context(), j); storage.ClassOf(err) != storage.Invalid {
		t.Errorf("the key is taken: %v", err)
	}
	if got := h.list(h.primary); !slices.Equal(got, []string{j.Key}) {
		t.Errorf("there are %q", got)
	}
}
