package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/directory"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// identity opens all archives of these tests, also of other processes: it protects nothing.
var identity = func() *age.X25519Identity {
	id, err := age.ParseX25519Identity("AGE-SECRET-KEY-16772E2974GJGL04M3RR7DTL9LSHUFNV4SN9D0DZ2JFTP9W7HMF2QVDAGL2")
	if err != nil {
		panic(err)
	}
	return id
}()

// write makes an archive of n people, of that many bytes each in the end.
func write(w io.Writer, n, bytes int) ([]byte, error) {
	a, err := archive.NewWriter(w, archive.Header{Tool: "test", Time: noon}, identity.Recipient())
	if err != nil {
		return nil, err
	}
	chance, salt := rand.NewChaCha8([32]byte{2}), make([]byte, bytes)
	for i := range n {
		id := fmt.Sprintf("A%06d", i)
		_, _ = chance.Read(salt)
		err := a.Add(directory.DatasetDirectory, directory.Item{Part: directory.PartAccounts, ID: id, Raw: fmt.Appendf(nil, `{"userid":%q,"salt":"%x"}`, id, salt)})
		if err != nil {
			return nil, err
		}
	}
	if err := a.End(directory.DatasetDirectory, directory.Summary{}); err != nil {
		return nil, err
	}
	if _, err := a.Close(); err != nil {
		return nil, err
	}
	s, err := a.Seal()
	return s.Encode(), err
}

// store writes and seals an archive.
func store(t testing.TB, p *Place, key string, n int) []byte {
	t.Helper()
	u, err := p.Create(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Abort()
	seal, err := write(u, n, 250)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(u.Close(), p.Seal(t.Context(), key, seal)); err != nil {
		t.Fatal(err)
	}
	return seal
}

func verify(t testing.TB, p *Place, key string) error {
	t.Helper()
	seal, err := p.Sealed(t.Context(), key)
	if err != nil {
		return err
	}
	r, err := p.Read(t.Context(), key)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = archive.Verify(r, seal, identity)
	return err
}

func listed(t testing.TB, p *Place) []string {
	t.Helper()
	keys, err := p.List(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestArchiveThatIsSealedListsAndVerifies(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		one, two := NewKey("acme", "dt", "ding1", noon, "a"), NewKey("acme", "dt", "ding1", noon.Add(time.Hour), "b")
		seal := store(t, p, two, 10)
		store(t, p, one, 3)
		if keys := listed(t, p); !slices.Equal(keys, []string{one, two}) {
			t.Errorf("listed %q", keys)
		}
		for _, key := range []string{one, two} {
			if err := verify(t, p, key); err != nil {
				t.Error(err)
			}
		}
		if err := p.Seal(t.Context(), two, seal); err != nil {
			t.Errorf("sealing again: %v", err)
		}
		if err := p.Delete(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		if keys := listed(t, p); !slices.Equal(keys, []string{one}) {
			t.Errorf("listed %q after the other was deleted", keys)
		}
		if _, err := p.Read(t.Context(), two); ClassOf(err) != NotFound {
			t.Errorf("the deleted archive is still read: %v", err)
		}
		if err := p.Delete(t.Context(), two); err != nil {
			t.Errorf("deleting again: %v", err)
		}
	})
}

func TestProbeLeavesNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		latency, err := p.Probe(t.Context(), "acme", "uid-1")
		if err != nil || latency <= 0 {
			t.Fatal(latency, err)
		}
		err = p.backend.list(t.Context(), "acme", func(o object) error {
			return fmt.Errorf("%s is left", o.file)
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestFurtherFilesLieBesideTheirArchive(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		key := NewKey("acme", "dt", "ding1", noon, "a")
		store(t, p, key, 1)
		if err := p.Put(t.Context(), key, "restores/r1/report.json", strings.NewReader("{}")); err != nil {
			t.Fatal(err)
		}
		r, err := p.Get(t.Context(), key, "restores/r1/report.json")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(b, []byte("{}")) {
			t.Errorf("read %q, %v", b, err)
		}
		for _, name := range []string{sealFile, archiveFile, holdFile, "", "../x", "restores/../seal.json", "/seal.json"} {
			if err := p.Put(t.Context(), key, name, strings.NewReader("x")); ClassOf(err) != Invalid {
				t.Errorf("%q was taken: %v", name, err)
			}
		}
	})
}
