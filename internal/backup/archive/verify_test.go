package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"rollcall.dev/rollcall/internal/directory"
)

// small is an archive with one of everything, small enough to try every bit of it.
func small(t testing.TB, to ...age.Recipient) (b, seal []byte) {
	b, s := write(t, company(), to...)
	return b, s.Encode()
}

func TestP1EveryFlippedBitIsFound(t *testing.T) {
	id, other := key(t), key(t)
	b, seal := small(t, id.Recipient(), other.Recipient())
	if _, err := Verify(bytes.NewReader(b), seal, id); err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() { // with the race detector
		step = 31
	}
	for _, target := range []struct {
		name  string
		bytes []byte
	}{{"archive", b}, {"seal", seal}} {
		for n := 0; n < 8*len(target.bytes); n += step {
			i, bit := n/8, n%8
			target.bytes[i] ^= 1 << bit
			_, err := Verify(bytes.NewReader(b), seal, id)
			target.bytes[i] ^= 1 << bit
			// A flipped digit of the format's number is a newer format, for all one can tell.
			if _, damaged := errors.AsType[*Damage](err); !damaged && (err == nil || !strings.Contains(err.Error(), "format")) {
				t.Fatalf("bit %d of byte %d of the %s: %v", bit, i, target.name, err)
			}
		}
	}
	t.Logf("of %d bits of the archive and %d of the seal, every %d. was flipped", 8*len(b), 8*len(seal), step)
}

func TestP1EveryTruncationAndEveryExtraByteIsFound(t *testing.T) {
	id := key(t)
	b, seal := small(t, id.Recipient())
	for n := range b {
		if _, err := Verify(bytes.NewReader(b[:n]), seal, id); !isDamage(err) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(b), err)
		}
	}
	for n := range seal {
		if _, err := Verify(bytes.NewReader(b), seal[:n], id); !isDamage(err) {
			t.Fatalf("the first %d of %d bytes of the seal: %v", n, len(seal), err)
		}
	}
	for _, c := range []byte{0, '\n', 'x'} {
		if _, err := Verify(bytes.NewReader(append(slices.Clone(b), c)), seal, id); !isDamage(err) {
			t.Errorf("%q after the archive: %v", c, err)
		}
		if _, err := Verify(bytes.NewReader(b), append(slices.Clone(seal), c), id); !isDamage(err) {
			t.Errorf("%q after the seal: %v", c, err)
		}
	}
}

func isDamage(err error) bool {
	_, is := errors.AsType[*Damage](err)
	return is
}

func TestP1WrongKeyIsToldFromDamage(t *testing.T) {
	id, other := key(t), key(t)
	b, seal := small(t, id.Recipient())
	if _, err := Verify(bytes.NewReader(b), seal, other); !errors.Is(err, ErrWrongKey) {
		t.Errorf("with another key: %v", err)
	}
	if _, err := Verify(bytes.NewReader(b), seal, other, id); err != nil {
		t.Errorf("with the right key second: %v", err)
	}
	if _, err := Verify(bytes.NewReader(b[:len(b)-1]), seal, other); !isDamage(err) {
		t.Errorf("truncated, with another key: %v", err)
	}
}

func TestErrorOfTheStorageIsNoDamage(t *testing.T) {
	id := key(t)
	b, seal := small(t, id.Recipient())
	cut := errors.New("the connection was cut")
	for n := range b {
		r := io.MultiReader(bytes.NewReader(b[:n]), errorReader{cut})
		if _, err := Verify(r, seal, id); !errors.Is(err, cut) || isDamage(err) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// Whoever knows a recipient can write an archive, with a seal that fits. It is
// damaged all the same where its parts contradict each other.
func TestP1ForgedArchivesAreFound(t *testing.T) {
	accounts, manifest := "directory/accounts/00001.jsonl", manifestName
	for name, edit := range map[string]func([]tarEntry) []tarEntry{
		"a part is missing":     func(e []tarEntry) []tarEntry { return without(e, accounts) },
		"a part is altered":     func(e []tarEntry) []tarEntry { return replace(e, accounts, "A0002", "A0003") },
		"a line is missing":     func(e []tarEntry) []tarEntry { return replace(e, accounts, "\n", "") },
		"a part is there twice": func(e []tarEntry) []tarEntry { return append([]tarEntry{e[0], at(e, accounts)}, e[1:]...) },
		"there is one more part": func(e []tarEntry) []tarEntry {
			return insert(e, tarEntry{name: "directory/roles/00002.jsonl", body: "{}\n"})
		},
		"there is another file":     func(e []tarEntry) []tarEntry { return insert(e, tarEntry{name: "../../etc/passwd", body: "x"}) },
		"there is a link":           func(e []tarEntry) []tarEntry { return insert(e, tarEntry{name: "link", link: "/etc/passwd"}) },
		"the readme is missing":     func(e []tarEntry) []tarEntry { return e[1:] },
		"the readme is altered":     func(e []tarEntry) []tarEntry { return replace(e, readmeName, "standard", "special") },
		"the checksums are missing": func(e []tarEntry) []tarEntry { return without(e, sumsName) },
		"the checksums are altered": func(e []tarEntry) []tarEntry { return replace(e, sumsName, "0", "1") },
		"the manifest is missing":   func(e []tarEntry) []tarEntry { return without(e, manifest) },
		"the manifest counts more":  func(e []tarEntry) []tarEntry { return replace(e, manifest, `"items": 2`, `"items": 3`) },
		"the manifest lists less":   func(e []tarEntry) []tarEntry { return replace(e, manifest, `"operation-logs/`, `"directory/`) },
		"the manifest is spaced":    func(e []tarEntry) []tarEntry { return replace(e, manifest, "\n", "\n ") },
		"the manifest is not last":  func(e []tarEntry) []tarEntry { return append(e, tarEntry{name: "x/y/00001.jsonl", body: "{}\n"}) },
		"a part has another place": func(e []tarEntry) []tarEntry {
			return replace(e, manifest, `"name": "accounts"`, `"name": "users"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := key(t)
			b, seal := small(t, id.Recipient())
			s, err := ParseSeal(seal)
			if err != nil {
				t.Fatal(err)
			}
			entries := edit(unpack(t, b, id))
			variants := [][]tarEntry{entries}
			if !strings.Contains(name, "readme") && !strings.Contains(name, "checksums") {
				variants = append(variants, resum(entries))
			}
			for _, entries := range variants {
				forged := pack(t, entries, id.Recipient())
				sum := sha256.Sum256(forged)
				s.Size, s.SHA256 = int64(len(forged)), hex.EncodeToString(sum[:])
				_, err = Verify(bytes.NewReader(forged), s.Encode(), id)
				if !isDamage(err) {
					t.Errorf("it passes: %v", err)
				}
				t.Log(err)
			}
		})
	}
}

// What was written after the end, inside the encryption, is found too.
func TestP1NothingHidesBehindTheEnd(t *testing.T) {
	id := key(t)
	b, seal := small(t, id.Recipient())
	s, err := ParseSeal(seal)
	if err != nil {
		t.Fatal(err)
	}
	plain := decrypt(t, b, id)
	var forged bytes.Buffer
	w, err := age.Encrypt(&forged, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	more, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(more.EncodeAll([]byte("hidden"), plain)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(forged.Bytes())
	s.Size, s.SHA256 = int64(forged.Len()), hex.EncodeToString(sum[:])
	if _, err := Verify(bytes.NewReader(forged.Bytes()), s.Encode(), id); !isDamage(err) {
		t.Errorf("it passes: %v", err)
	}
}

func TestSealOfAnotherArchiveIsFound(t *testing.T) {
	id := key(t)
	b, seal := small(t, id.Recipient())
	_, other := small(t, id.Recipient())
	if _, err := Verify(bytes.NewReader(b), other, id); !isDamage(err) {
		t.Errorf("the seal of another archive: %v", err)
	}
	s, err := ParseSeal(seal)
	if err != nil {
		t.Fatal(err)
	}
	s.Manifest.Datasets[0].Parts[0].PlatformTotal = new(int64)
	if _, err := Verify(bytes.NewReader(b), s.Encode(), id); !isDamage(err) {
		t.Errorf("a seal that claims another total: %v", err)
	}
}

func TestNewerFormatIsNoDamage(t *testing.T) {
	id := key(t)
	b, seal := small(t, id.Recipient())
	newer := bytes.Replace(seal, []byte(`"format": 1`), []byte(`"format": 2`), 1)
	if _, err := Verify(bytes.NewReader(b), newer, id); err == nil || isDamage(err) {
		t.Errorf("format 2: %v", err)
	}
}

// No damage names a person.
func TestP12DamageNamesNoPerson(t *testing.T) {
	id := key(t)
	b, _ := small(t, id.Recipient())
	forged := pack(t, replace(unpack(t, b, id), "directory/accounts/00001.jsonl", `"id":"A0001"`, `"id":"A0001`), id.Recipient())
	r, err := NewReader(bytes.NewReader(forged), id)
	for err == nil {
		_, err = r.Next()
	}
	if !isDamage(err) || strings.Contains(err.Error(), "A0001") || strings.Contains(err.Error(), "苏") {
		t.Errorf("the error is %q", err)
	}
}

// FuzzVerify changes an archive or its seal somewhere, in one of several ways.
func FuzzVerify(f *testing.F) {
	id := key(f)
	archive, seal := small(f, id.Recipient())
	f.Add(false, uint(0), []byte{1}, uint8(0))
	f.Add(true, uint(17), []byte("x"), uint8(1))
	f.Add(false, uint(300), []byte{0, 0}, uint8(2))
	f.Fuzz(func(t *testing.T, inSeal bool, where uint, what []byte, how uint8) {
		b, s := slices.Clone(archive), slices.Clone(seal)
		target := &b
		if inSeal {
			target = &s
		}
		at := int(where % uint(len(*target)))
		end := min(at+len(what), len(*target))
		switch how % 4 {
		case 0: // overwrite
			copy((*target)[at:], what)
		case 1: // insert
			*target = slices.Insert(*target, at, what...)
		case 2: // leave out
			*target = slices.Delete(*target, at, end)
		case 3: // cut off
			*target = (*target)[:at]
		}
		same := bytes.Equal(b, archive) && bytes.Equal(s, seal)
		if _, err := Verify(bytes.NewReader(b), s, id); (err == nil) != same {
			t.Fatalf("changed: %v, verified: %v", !same, err)
		}
	})
}

// FuzzSealHasOneForm: what is read as a seal is what would be written of it.
func FuzzSealHasOneForm(f *testing.F) {
	s := Seal{Manifest: Manifest{Format: Format, Header: Header{Time: header.Time}, Datasets: []Dataset{{Name: "X", Missing: "y"}}}, Size: 1, SHA256: "00"}
	f.Add(s.Encode())
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSeal(b)
		if err == nil && !bytes.Equal(s.Encode(), b) {
			t.Fatalf("%q is read as %q", b, s.Encode())
		}
	})
}

// FuzzReaderNeverPanics reads what a stranger encrypted to our public key.
func FuzzReaderNeverPanics(f *testing.F) {
	f.Add("directory/accounts/00001.jsonl", []byte("{\"id\":\"1\"}\n"))
	f.Add(sumsName, []byte("x"))
	f.Add(manifestName, []byte("{}"))
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		var plain bytes.Buffer
		packTo(t, &plain, []tarEntry{{name: readmeName}, {name: name, body: string(body)}, {name: manifestName, body: string(body)}})
		r, err := newPlainReader(&source{r: &plain, hash: sha256.New()}, &plain)
		for err == nil {
			_, err = r.Next()
		}
		if errors.Is(err, io.EOF) {
			t.Fatal("it is read as a whole archive")
		}
	})
}

func TestWriterRefusesWhatWouldNotBeRead(t *testing.T) {
	d := directory.DatasetDirectory
	for name, harm := range map[string]func(*Writer) error{
		"a part that is a path":    func(w *Writer) error { return w.Add(d, directory.Item{Part: "../x", ID: "1"}) },
		"a dataset that is a path": func(w *Writer) error { return w.Add("../X", directory.Item{Part: "x", ID: "1"}) },
		"an item after the end": func(w *Writer) error {
			return errors.Join(w.End(d, directory.Summary{}), w.Add(d, directory.Item{Part: "x"}))
		},
		"a dataset that never ended": func(w *Writer) error { return w.Add(d, directory.Item{Part: "x", ID: "1"}) },
		"an item of 33 MiB": func(w *Writer) error {
			return w.Add(d, directory.Item{Part: "x", ID: "1", Raw: fmt.Appendf(nil, "%q", strings.Repeat("x", 33<<20))})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := NewWriter(io.Discard, header, key(t).Recipient())
			if err != nil {
				t.Fatal(err)
			}
			err = harm(w)
			if _, closed := w.Close(); closed == nil {
				t.Errorf("the archive was closed after: %v", err)
			}
			if _, err := w.Seal(); err == nil {
				t.Error("there is a seal")
			}
		})
	}
}

func TestNobodyCanOpenAnArchiveWithoutRecipients(t *testing.T) {
	if _, err := NewWriter(io.Discard, header); err == nil {
		t.Error("an archive without recipients was begun")
	}
}

// tarEntry is an entry of the tar, for forging.
type tarEntry struct{ name, body, link string }

func decrypt(t testing.TB, b []byte, id age.Identity) []byte {
	t.Helper()
	r, err := age.Decrypt(bytes.NewReader(b), id)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func unpack(t testing.TB, b []byte, id age.Identity) []tarEntry {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(decrypt(t, b, id)))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var entries []tarEntry
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, tarEntry{name: h.Name, body: string(body)})
	}
}

func pack(t testing.TB, entries []tarEntry, to age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	a, err := age.Encrypt(&b, to)
	if err != nil {
		t.Fatal(err)
	}
	packTo(t, a, entries)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packTo(t testing.TB, to io.Writer, entries []tarEntry) {
	t.Helper()
	z, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Size: int64(len(e.body)), Mode: 0o600, Typeflag: tar.TypeReg}
		if e.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		if w.WriteHeader(h) != nil {
			continue // a name that no tar can hold
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
}

func at(entries []tarEntry, name string) tarEntry {
	return entries[slices.IndexFunc(entries, func(e tarEntry) bool { return e.name == name })]
}

func without(entries []tarEntry, name string) []tarEntry {
	return slices.DeleteFunc(slices.Clone(entries), func(e tarEntry) bool { return e.name == name })
}

// resum makes the checksums fit what is before them.
func resum(entries []tarEntry) []tarEntry {
	entries = slices.Clone(entries)
	var sums strings.Builder
	for i, e := range entries {
		if e.name == sumsName {
			entries[i].body = sums.String()
		}
		sum := sha256.Sum256([]byte(e.body))
		sums.WriteString(sumLine(File{Path: e.name, SHA256: hex.EncodeToString(sum[:])}))
	}
	return entries
}

func insert(entries []tarEntry, e tarEntry) []tarEntry {
	return slices.Insert(slices.Clone(entries), 1, e)
}

func replace(entries []tarEntry, name, old, with string) []tarEntry {
	entries = slices.Clone(entries)
	for i, e := range entries {
		if e.name == name {
			entries[i].body = strings.Replace(e.body, old, with, 1)
		}
	}
	return entries
}
