package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"rollcall.dev/rollcall/internal/directory"
)

const (
	// chunkSize is when a file of the tar is full: what a writer holds in memory for each part.
	chunkSize = 1 << 20
	// maxLine bounds one item, and with chunkSize a file: what a reader has to hold.
	maxLine = 32 << 20
	// maxWords bounds what is understood of an item: all of its line but "raw".
	maxWords = 1 << 20
	// maxFiles bounds the tar, and with it what a reader has to remember: about 100 GiB before compression.
	maxFiles = 100_000

	readmeName   = "README.txt"
	sumsName     = "SHA256SUMS"
	manifestName = "manifest.json"
)

// readme is the first thing that a stranger sees of an archive.
const readme = `This is a backup of a company's directory and data on a messaging platform,
written by Rollcall. Nothing but standard tools is needed to read it.

  manifest.json     what is in here: every file with its number of items, size
                    and SHA-256; what could not be exported, and why
  SHA256SUMS        the same hashes; check them with: sha256sum -c SHA256SUMS
  */*/*.jsonl       the data: dataset/part/number.jsonl, one JSON object a line

Each line has "id" (the platform's), "raw" (what the platform's API answered,
whole), and for the directory also "account", "department", "role" or "member":
the same in words that do not depend on the platform. A field that is absent
was not read. The files of one part belong together, in the order of their
numbers. manifest.json is the last entry: without it the archive is incomplete.
`

// names that a dataset and its parts may have: they become paths.
var (
	datasetName = regexp.MustCompile(`^([A-Z][a-z0-9]+)+$`)
	partName    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// Writer writes an archive as a stream. It holds at most one file of each part in
// memory. An error ends it: what was written then is no archive.
type Writer struct {
	out      *sink
	age      io.WriteCloser
	zstd     *zstd.Encoder
	tar      *tar.Writer
	manifest Manifest
	sets     map[directory.Dataset]*set
	sums     strings.Builder
	files    int
	err      error
	closed   bool
}

// set is one dataset while it is written.
type set struct {
	parts map[string]*part
	order []string
	// ended is set once the dataset has its place in the manifest.
	ended bool
}

type part struct {
	Part
	chunk bytes.Buffer
	items int64
}

// NewWriter begins an archive that the recipients can open. Close it, or it is none.
func NewWriter(w io.Writer, h Header, to ...age.Recipient) (*Writer, error) {
	out := &sink{w: w, hash: sha256.New()}
	secret, err := age.Encrypt(out, to...)
	if err != nil {
		return nil, fmt.Errorf("beginning the encryption: %w", err)
	}
	small, err := zstd.NewWriter(secret, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("beginning the compression: %w", err)
	}
	a := &Writer{
		out: out, age: secret, zstd: small, tar: tar.NewWriter(small),
		manifest: Manifest{Format: Format, Header: h.normal(), Datasets: []Dataset{}},
		sets:     map[directory.Dataset]*set{},
	}
	if a.manifest.Encode() == nil {
		return nil, errors.New("a time in the archive's header is out of range")
	}
	if _, err := a.file(readmeName, []byte(readme)); err != nil {
		return nil, err
	}
	return a, nil
}

// Add writes one item of a dataset.
func (w *Writer) Add(d directory.Dataset, it directory.Item) error {
	if w.err != nil {
		return w.err
	}
	s, err := w.open(d)
	if err != nil {
		return w.fail(err)
	}
	if !partName.MatchString(it.Part) {
		return w.fail(fmt.Errorf("%q is no name for a part of %s", it.Part, d))
	}
	b, err := marshal(it)
	if err != nil {
		return w.fail(err)
	}
	if len(b) > maxLine {
		return w.fail(unsupported("an item of %s/%s has %d bytes; the format allows %d", d, it.Part, len(b), maxLine))
	}
	if len(b)-len(it.Raw) > maxWords {
		return w.fail(unsupported("an item of %s/%s has more than %d bytes beside what the platform wrote", d, it.Part, maxWords))
	}
	p := s.part(it.Part)
	p.chunk.Write(b)
	p.items++
	if p.chunk.Len() >= chunkSize {
		return w.flush(d, p)
	}
	return nil
}

// End says that a dataset is whole, but for the gaps that its summary names.
func (w *Writer) End(d directory.Dataset, sum directory.Summary) error {
	return w.end(d, sum, Dataset{})
}

// Missing says that nothing of a dataset could be had, or no more than was added.
// An error is kept for Close.
func (w *Writer) Missing(d directory.Dataset, class directory.Class, why string) {
	_ = w.end(d, directory.Summary{}, Dataset{Missing: why, Class: class})
}

func (w *Writer) end(d directory.Dataset, sum directory.Summary, entry Dataset) error {
	if w.err != nil {
		return w.err
	}
	s, err := w.open(d)
	if err != nil {
		return w.fail(err)
	}
	for _, name := range slices.Sorted(maps.Keys(sum.Totals)) {
		total := sum.Totals[name]
		s.part(name).PlatformTotal = &total
	}
	entry.Name = d
	for _, name := range s.order {
		p := s.parts[name]
		if err := w.flush(d, p); err != nil {
			return err
		}
		entry.Parts = append(entry.Parts, p.Part)
	}
	for _, g := range sum.Gaps {
		entry.Gaps = append(entry.Gaps, Gap{Part: g.Part, Class: g.Class, Reason: g.Reason})
	}
	s.ended = true
	s.parts = nil
	w.manifest.Datasets = append(w.manifest.Datasets, entry)
	return nil
}

// Close ends the archive with its manifest. Every dataset has to be ended before.
// It does not close the writer beneath.
func (w *Writer) Close() (*Manifest, error) {
	if w.err != nil {
		return nil, w.err
	}
	for d, s := range w.sets {
		if !s.ended {
			return nil, w.fail(fmt.Errorf("the dataset %s was not ended", d))
		}
	}
	if _, err := w.file(sumsName, []byte(w.sums.String())); err != nil {
		return nil, err
	}
	manifest := w.manifest.Encode()
	if len(manifest) > maxSmall || !modest(manifest) {
		return nil, w.fail(unsupported("there is more than the manifest of an archive lists"))
	}
	if _, err := w.file(manifestName, manifest); err != nil {
		return nil, err
	}
	for _, c := range []io.Closer{w.tar, w.zstd, w.age} {
		if err := c.Close(); err != nil {
			return nil, w.fail(err)
		}
	}
	w.closed = true
	w.err = errors.New("the archive is closed")
	m := w.manifest
	return &m, nil
}

// Seal is what belongs beside the archive, once it is closed and stored.
func (w *Writer) Seal() (Seal, error) {
	if !w.closed {
		return Seal{}, errors.New("the archive is not complete")
	}
	return Seal{Manifest: w.manifest, Size: w.out.size, SHA256: hex.EncodeToString(w.out.hash.Sum(nil))}, nil
}

// open returns a dataset that has not been ended.
func (w *Writer) open(d directory.Dataset) (*set, error) {
	if !datasetName.MatchString(string(d)) {
		return nil, fmt.Errorf("%q is no name for a dataset", d)
	}
	s := w.sets[d]
	if s == nil {
		s = &set{parts: map[string]*part{}}
		w.sets[d] = s
	}
	if s.ended {
		return nil, fmt.Errorf("the dataset %s was ended before", d)
	}
	return s, nil
}

func (s *set) part(name string) *part {
	p := s.parts[name]
	if p == nil {
		p = &part{Part: Part{Name: name}}
		s.parts[name] = p
		s.order = append(s.order, name)
	}
	return p
}

// flush makes a file of what a part holds in memory.
func (w *Writer) flush(d directory.Dataset, p *part) error {
	if p.items == 0 {
		return nil
	}
	if w.files++; w.files > maxFiles {
		return w.fail(unsupported("there is more than an archive holds: %d files", maxFiles))
	}
	name := path.Join(folder(d), p.Name, fmt.Sprintf("%05d.jsonl", len(p.Files)+1))
	f, err := w.file(name, p.chunk.Bytes())
	if err != nil {
		return err
	}
	f.Items = p.items
	p.Files = append(p.Files, f)
	p.Items += p.items
	p.items = 0
	p.chunk.Reset()
	if p.chunk.Cap() > 2*chunkSize {
		p.chunk = bytes.Buffer{} // one big item shall not cost its size for the rest of the run
	}
	return nil
}

// file writes one entry of the tar.
func (w *Writer) file(name string, b []byte) (File, error) {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(b)),
		ModTime: w.manifest.Time.Truncate(time.Second),
	}
	if err := w.tar.WriteHeader(h); err != nil {
		return File{}, w.fail(err)
	}
	if _, err := w.tar.Write(b); err != nil {
		return File{}, w.fail(err)
	}
	sum := sha256.Sum256(b)
	f := File{Path: name, Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}
	w.sums.WriteString(sumLine(f))
	return f, nil
}

// sumLine is what sha256sum prints of a file.
func sumLine(f File) string { return f.SHA256 + "  " + f.Path + "\n" }

// fail ends the writer. The error of the sink beneath is handed on as it is.
func (w *Writer) fail(err error) error {
	w.err = err
	if w.out.err != nil {
		w.err = w.out.err
	}
	return w.err
}

// sink counts and hashes what goes out, and remembers its own error.
type sink struct {
	w    io.Writer
	hash hash.Hash
	size int64
	err  error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	if err != nil {
		s.err = err
	}
	return n, err
}
