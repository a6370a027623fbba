package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// Format is the version of what this package writes, and the only one so far that it reads.
const Format = 1

// Header says what an archive is of.
type Header struct {
	// Tool is who wrote it, with its version.
	Tool string `json:"tool,omitempty"`
	// Platform and Tenant are where the data is from.
	Platform string `json:"platform,omitempty"`
	Tenant   string `json:"tenant,omitempty"`
	// Namespace, Account and Backup are the objects that the archive belongs to.
	Namespace string `json:"namespace,omitempty"`
	Account   string `json:"account,omitempty"`
	Backup    string `json:"backup,omitempty"`
	// Time is when the reading began.
	Time time.Time `json:"time"`
	// From and To bound what has a time; zero is no bound.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// People are the platform ids of chosen people; empty is everybody.
	People []string `json:"people,omitempty"`
}

// Manifest lists what an archive holds, and what could not be had.
type Manifest struct {
	Format int `json:"format"`
	Header
	Datasets []Dataset `json:"datasets"`
}

// Dataset is what an archive holds of one dataset.
type Dataset struct {
	Name directory.Dataset `json:"name"`
	// Missing says in words why nothing, or no more, of the dataset could be had,
	// and Class what that means to a program. Empty means that it was exported.
	Missing string          `json:"missing,omitempty"`
	Class   directory.Class `json:"class,omitempty"`
	Parts   []Part          `json:"parts,omitempty"`
	Gaps    []Gap           `json:"gaps,omitempty"`
}

// Part is all like items of a dataset.
type Part struct {
	Name  string `json:"name"`
	Items int64  `json:"items"`
	// PlatformTotal is the platform's own count, where it has one.
	PlatformTotal *int64 `json:"platformTotal,omitempty"`
	Files         []File `json:"files,omitempty"`
}

// File is one entry of the tar.
type File struct {
	Path   string `json:"path"`
	Items  int64  `json:"items"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Gap is something that could not be exported, and why, in words for people.
type Gap struct {
	Part   string          `json:"part,omitempty"`
	Class  directory.Class `json:"class"`
	Reason string          `json:"reason"`
}

// Items counts what the archive holds.
func (m *Manifest) Items() int64 {
	var n int64
	for _, d := range m.Datasets {
		for _, p := range d.Parts {
			n += p.Items
		}
	}
	return n
}

// Seal is a manifest together with what the encrypted stream must be. Without its
// seal an archive is none.
type Seal struct {
	Manifest Manifest `json:"manifest"`
	Size     int64    `json:"size"`
	SHA256   string   `json:"sha256"`
}

// Encode writes the only form of the manifest that is read; nil if there is none,
// because a time is out of range.
func (m *Manifest) Encode() []byte { return encode(m) }

// SHA256 names the manifest, and with it everything that it lists.
func (m *Manifest) SHA256() string {
	sum := sha256.Sum256(m.Encode())
	return hex.EncodeToString(sum[:])
}

// Encode writes the only form of the seal that is read; nil as for the manifest.
func (s *Seal) Encode() []byte { return encode(s) }

// ParseSeal reads a seal, and refuses whatever Encode would have written otherwise.
func ParseSeal(b []byte) (Seal, error) {
	var s Seal
	if err := parse(b, &s, "the seal"); err != nil {
		return Seal{}, err
	}
	if s.Manifest.Format != Format {
		return Seal{}, unknownFormat(s.Manifest.Format)
	}
	return s, nil
}

// unknownFormat is no damage: a newer Rollcall reads it.
func unknownFormat(format int) error {
	return unsupported("the archive has format %d; this program reads format %d: use a newer one", format, Format)
}

func encode(v any) []byte {
	var b bytes.Buffer
	if encodeTo(&b, v) != nil {
		return nil
	}
	return b.Bytes()
}

func encodeTo(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// parse accepts one encoding of each value, so that no bit is without meaning.
func parse[T any](b []byte, v *T, what string) error {
	if !modest(b) {
		return damage("%s lists more than an archive holds", what)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return damage("%s is no JSON of this format", what)
	}
	rest := remainder(b)
	if err := encodeTo(&rest, v); err != nil || len(rest) > 0 {
		return damage("%s is not what was written", what)
	}
	return nil
}

// modest reports whether JSON stands for no more things than an archive has: of an
// empty one, memory holds many times what it takes to write it.
func modest(b []byte) bool {
	return bytes.Count(b, []byte("{")) <= 2*maxFiles && bytes.Count(b, []byte(",")) <= 10*maxFiles
}

// remainder is what is not written yet of what has to be.
type remainder []byte

func (r *remainder) Write(b []byte) (int, error) {
	rest, same := bytes.CutPrefix(*r, b)
	if !same {
		return 0, errors.New("it is something else")
	}
	*r = rest
	return len(b), nil
}

// normal gives times their one form: UTC, without what only this process knows.
func (h *Header) normal() Header {
	n := *h
	n.Time, n.From, n.To = n.Time.UTC().Round(0), n.From.UTC().Round(0), n.To.UTC().Round(0)
	n.People = slices.Clone(n.People)
	return n
}

// folder is a dataset's name in paths: "OperationLogs" is kept in "operation-logs".
func folder(d directory.Dataset) string {
	var b strings.Builder
	for i, c := range string(d) {
		if 'A' <= c && c <= 'Z' {
			if i > 0 {
				b.WriteByte('-')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// dataset is the inverse of folder, also for datasets that a newer version knows.
func dataset(folder string) directory.Dataset {
	var b strings.Builder
	for word := range strings.SplitSeq(folder, "-") {
		b.WriteString(strings.ToUpper(word[:min(1, len(word))]))
		b.WriteString(word[min(1, len(word)):])
	}
	return directory.Dataset(b.String())
}
