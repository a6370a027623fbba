package storage

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/backup/archive"
)

// Keys of two accounts never share a prefix, whatever they are called.
func FuzzKeysOfTwoAccountsNeverOverlap(f *testing.F) {
	f.Add("acme", "dt", "ding1", "acme", "dt", "ding11")
	f.Add("acme", "dt-2", "x", "acme", "dt", "-2/x")
	f.Add("a", "", "..", "a", "=", "=2E.")
	f.Add("a", ".claims", "", "a", "", ".claims")
	f.Fuzz(func(t *testing.T, namespace, account, tenant, namespace2, account2, tenant2 string) {
		one, two := NewKey(namespace, account, tenant, noon, "r"), NewKey(namespace2, account2, tenant2, noon, "r")
		if !validKey(one) || !validKey(two) {
			t.Fatalf("%q or %q is no key", one, two)
		}
		if namespace == namespace2 && account == account2 && tenant == tenant2 {
			return
		}
		if a, b := path.Dir(one)+"/", path.Dir(two)+"/"; strings.HasPrefix(a, b) || strings.HasPrefix(b, a) {
			t.Fatalf("%q and %q overlap", a, b)
		}
		for _, key := range []string{one, two} {
			if hidden := strings.Split(key, "/")[1]; hidden == claims || hidden == canary {
				t.Fatalf("%q lies among our own files", key)
			}
		}
	})
}

func TestNamespacesDoNotSeeEachOther(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		store(t, p, NewKey("acme", "dt", "t", noon, "a"), 1)
		store(t, p, NewKey("acme-2", "dt", "t", noon, "a"), 1)
		if keys := listed(t, p); len(keys) != 1 {
			t.Errorf("acme lists %q", keys)
		}
	})
}

// Whoever looks at the volume with other tools sees the files that are documented.
func TestVolumeHoldsOnlyDocumentedFiles(t *testing.T) {
	root := t.TempDir()
	p := place(t, Config{Local: &Local{Root: root, Folder: "acme"}})
	store(t, p, faultKey, 10)
	if err := errors.Join(p.Hold(t.Context(), faultKey), p.Put(t.Context(), faultKey, "restores/r/report.json", strings.NewReader("{}"))); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Probe(t.Context(), "acme", "u"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Claim(t.Context(), "acme", "u", noon, time.Hour); err != nil {
		t.Fatal(err)
	}
	var files []string
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(file, root+"/acme/"))
		}
		return err
	})
	want := []string{
		"acme/.claims/u", faultKey + "/" + archiveFile, faultKey + "/" + holdFile, faultKey + "/restores/r/report.json", faultKey + "/" + sealFile,
	}
	if err != nil || !slices.Equal(files, want) {
		t.Errorf("%q, want %q (%v)", files, want, err)
	}
}

func TestWhatIsNotSealedDoesNotList(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		if err := upload(t.Context(), p, faultKey, 100); err != nil {
			t.Fatal(err)
		}
		if keys := listed(t, p); len(keys) != 0 {
			t.Errorf("%q list", keys)
		}
		_, err := p.Sealed(t.Context(), faultKey)
		wants(t, err, NotFound)
		// Younger than asked for, it may still be written.
		if left, err := p.Unsealed(t.Context(), "acme", time.Now().Add(-time.Hour)); err != nil || len(left) != 0 {
			t.Errorf("leftovers are %q (%v)", left, err)
		}
		if left, err := p.Unsealed(t.Context(), "acme", time.Now().Add(time.Hour)); err != nil || !slices.Equal(left, []string{faultKey}) {
			t.Errorf("leftovers are %q (%v)", left, err)
		}
		if err := p.Discard(t.Context(), faultKey); err != nil {
			t.Error(err)
		}
		nothingIsLeft(t, p)
	})
}

func TestP1SealThatDoesNotFitIsRefused(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		var b bytes.Buffer
		seal, err := write(&b, 3, 250)
		if err != nil {
			t.Fatal(err)
		}
		wants(t, p.Seal(t.Context(), faultKey, seal), NotFound)
		if err := upload(t.Context(), p, faultKey, int64(b.Len())-1); err != nil {
			t.Fatal(err)
		}
		wants(t, p.Seal(t.Context(), faultKey, seal), Damaged)
		wants(t, p.Seal(t.Context(), faultKey, seal[:len(seal)-1]), Invalid)
		if keys := listed(t, p); len(keys) != 0 {
			t.Errorf("%q list", keys)
		}
	})
}

func TestSealedArchiveIsNeitherOverwrittenNorDiscarded(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		store(t, p, faultKey, 3)
		_, err := p.Create(t.Context(), faultKey)
		wants(t, err, Invalid)
		wants(t, p.Discard(t.Context(), faultKey), Invalid)
		if err := verify(t, p, faultKey); err != nil {
			t.Error(err)
		}
	})
}

func TestHoldForbidsDeletion(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		wants(t, p.Hold(t.Context(), faultKey), NotFound)
		store(t, p, faultKey, 3)
		if err := errors.Join(p.Hold(t.Context(), faultKey), p.Hold(t.Context(), faultKey)); err != nil {
			t.Fatal(err)
		}
		wants(t, p.Delete(t.Context(), faultKey), Held)
		if held, err := p.Held(t.Context(), faultKey); err != nil || !held {
			t.Errorf("held is %v (%v)", held, err)
		}
		if err := verify(t, p, faultKey); err != nil {
			t.Error(err)
		}
		if err := errors.Join(p.Release(t.Context(), faultKey), p.Release(t.Context(), faultKey), p.Delete(t.Context(), faultKey)); err != nil {
			t.Error(err)
		}
		nothingIsLeft(t, p)
	})
}

// meddling does something else at a moment: before a file is removed.
type meddling struct {
	backend
	before func(file string)
}

func (m meddling) remove(ctx context.Context, file string) error {
	m.before(file)
	return m.backend.remove(ctx, file)
}

// A hold that another cluster puts on the archive while it is being deleted wins.
func TestHoldInTheMiddleOfADeletionWins(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		store(t, p, faultKey, 3)
		other := &Place{backend: p.backend, name: p.name}
		p.backend = meddling{p.backend, func(file string) {
			if path.Base(file) == sealFile {
				if err := other.Hold(t.Context(), faultKey); err != nil {
					t.Error(err)
				}
			}
		}}
		wants(t, p.Delete(t.Context(), faultKey), Held)
		if err := verify(t, other, faultKey); err != nil {
			t.Error(err)
		}
	})
}

func TestCopyIsWholeAndCanBeRepeated(t *testing.T) {
	for name, pair := range map[string]func(t *testing.T) (from, to *Place){
		"volume to bucket": func(t *testing.T) (from, to *Place) { return newVolumePlace(t), newBucketPlace(t) },
		"bucket to volume": func(t *testing.T) (from, to *Place) { return newBucketPlace(t), newVolumePlace(t) },
	} {
		t.Run(name, func(t *testing.T) {
			from, to := pair(t)
			wants(t, to.Copy(t.Context(), from, faultKey), NotFound)
			seal := store(t, from, faultKey, 100)
			if err := from.Hold(t.Context(), faultKey); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(to.Copy(t.Context(), from, faultKey), to.Copy(t.Context(), from, faultKey), verify(t, to, faultKey)); err != nil {
				t.Error(err)
			}
			if there, err := to.Sealed(t.Context(), faultKey); err != nil || !bytes.Equal(there, seal) {
				t.Errorf("the seal is another (%v)", err)
			}
			wants(t, to.Delete(t.Context(), faultKey), Held)
		})
	}
}

func TestCopyOfWhatIsDamagedIsNone(t *testing.T) {
	root := t.TempDir()
	from, to := place(t, Config{Local: &Local{Root: root}}), newBucketPlace(t)
	store(t, from, faultKey, 100)
	file := filepath.Join(root, faultKey, archiveFile)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 4
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, to.Copy(t.Context(), from, faultKey), Damaged)
	nothingIsLeft(t, to)
}

func TestTwoClaimsSeeEachOther(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		claim := func(uid string, at time.Time) *Rival {
			t.Helper()
			r, err := p.Claim(t.Context(), "acme", uid, at, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		if r := claim("b", noon); r != nil {
			t.Errorf("alone, there is a rival %+v", r)
		}
		if r := claim("b", noon.Add(30*time.Minute)); r != nil {
			t.Errorf("still alone, there is a rival %+v", r)
		}
		if r := claim("a", noon.Add(40*time.Minute)); r == nil || r.UID != "b" || !r.Older || !r.Since.Equal(noon) {
			t.Errorf("the second sees %+v", r)
		}
		if r := claim("b", noon.Add(50*time.Minute)); r == nil || r.UID != "a" || r.Older {
			t.Errorf("the first sees %+v", r)
		}
		// One is not renewed any more: it lapses, and coming back it is the younger.
		if r := claim("a", noon.Add(111*time.Minute)); r != nil {
			t.Errorf("after the other lapsed there is %+v", r)
		}
		if r := claim("b", noon.Add(112*time.Minute)); r == nil || !r.Older {
			t.Errorf("coming back, it sees %+v", r)
		}
		if err := p.Disclaim(t.Context(), "acme", "a"); err != nil {
			t.Error(err)
		}
		if r := claim("b", noon.Add(113*time.Minute)); r != nil {
			t.Errorf("after the other left there is %+v", r)
		}
	})
}

func TestClaimsOfTheSameTimeAreOrderedByUID(t *testing.T) {
	p := newVolumePlace(t)
	for _, uid := range []string{"b", "a"} {
		if _, err := p.Claim(t.Context(), "acme", uid, noon, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	one, err := p.Claim(t.Context(), "acme", "a", noon, time.Hour)
	two, err2 := p.Claim(t.Context(), "acme", "b", noon, time.Hour)
	if errors.Join(err, err2) != nil || one.Older || !two.Older {
		t.Errorf("a sees %+v, b sees %+v (%v, %v)", one, two, err, err2)
	}
}

func TestClaimThatCannotBeReadIsSomebodys(t *testing.T) {
	p := newVolumePlace(t)
	if err := p.put(t.Context(), "acme/.claims/z", []byte("?"), false); err != nil {
		t.Fatal(err)
	}
	r, err := p.Claim(t.Context(), "acme", "a", time.Now(), time.Hour)
	if err != nil || r == nil || r.UID != "z" || !r.Older {
		t.Errorf("the rival is %+v (%v)", r, err)
	}
}

func TestNothingLeadsOutOfThePlace(t *testing.T) {
	root := t.TempDir()
	p := place(t, Config{Local: &Local{Root: root, Folder: "acme"}})
	for _, key := range []string{"", "a/b/c", "../b/c/d", "a/../c/d", "a/b/c/d/e", "/b/c/d", "a//c/d", "a/.claims/c/d"} {
		_, create := p.Create(t.Context(), key)
		_, read := p.Read(t.Context(), key)
		for op, err := range map[string]error{"create": create, "read": read, "delete": p.Delete(t.Context(), key), "hold": p.Hold(t.Context(), key)} {
			if ClassOf(err) != Invalid {
				t.Errorf("%s of %q: %v", op, key, err)
			}
		}
	}
	_, err := Open(t.Context(), Config{Local: &Local{Root: root, Folder: "../elsewhere"}})
	if err == nil {
		t.Error("a folder outside of the volume was opened")
	}
	_, err = Open(t.Context(), Config{})
	wants(t, err, Invalid)
}

// A link that somebody put into the folder is not followed out of it.
func TestLinkOutOfTheVolumeIsNotFollowed(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	p := place(t, Config{Local: &Local{Root: root, Folder: "acme"}})
	if err := os.Symlink(outside, filepath.Join(root, "acme", "acme")); err != nil {
		t.Fatal(err)
	}
	if err := upload(t.Context(), p, faultKey, 10); err == nil {
		t.Error("an archive was written through the link")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("outside lies %v (%v)", entries, err)
	}
}

func TestSealOfOldArchivesVerifiesAfterACopyOfFiles(t *testing.T) {
	p, root := newVolumePlace(t), t.TempDir()
	store(t, p, faultKey, 20)
	if err := os.CopyFS(filepath.Join(root, "moved"), os.DirFS(p.backend.(*volume).path)); err != nil {
		t.Fatal(err)
	}
	moved := place(t, Config{Local: &Local{Root: root, Folder: "moved"}})
	if err := verify(t, moved, faultKey); err != nil {
		t.Error(err)
	}
	if _, err := archive.ParseSeal([]byte("{}")); err == nil {
		t.Error("an empty seal is one")
	}
}
