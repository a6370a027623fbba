package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"regexp"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"rollcall.dev/rollcall/internal/directory"
)

// maxSmall bounds the entries that are read whole: the manifest of maxFiles fits.
const maxSmall = 32 << 20

var dataPath = regexp.MustCompile(`^([a-z0-9]+(?:-[a-z0-9]+)*)/([a-z0-9]+(?:-[a-z0-9]+)*)/[0-9]{5,}\.jsonl$`)

// Reader gives back the items of an archive, and compares each file with the
// manifest. What it has given is proven only when Next returns io.EOF.
type Reader struct {
	in       *source
	zstd     *zstd.Decoder
	tar      *tar.Reader
	lines    *bufio.Reader
	now      *entry // being read, nil between two
	seen     map[string]File
	sums     strings.Builder
	manifest *Manifest
	words    int
	err      error
}

// entry is one data file while it is read.
type entry struct {
	File
	dataset directory.Dataset
	part    string
	hash    hash.Hash
}

// NewReader begins to read an archive with the first identity that opens it, or
// says ErrWrongKey. It cannot tell a wrong key from a damaged first line of the
// file; [Verify] can.
func NewReader(r io.Reader, ids ...age.Identity) (*Reader, error) {
	return newReader(&source{r: r, hash: sha256.New()}, ids)
}

func newReader(in *source, ids []age.Identity) (*Reader, error) {
	plain, err := age.Decrypt(in, ids...)
	_, wrong := errors.AsType[*age.NoIdentityMatchError](err)
	switch {
	case err == nil:
		return newPlainReader(in, plain)
	case in.err != nil:
		return nil, in.err
	case wrong:
		return nil, ErrWrongKey
	default:
		return nil, damage("its beginning is no age header for this key")
	}
}

// newPlainReader reads what was decrypted of in.
func newPlainReader(in *source, plain io.Reader) (*Reader, error) {
	r := &Reader{in: in, seen: map[string]File{}, lines: bufio.NewReaderSize(nil, 64<<10)}
	var err error
	r.zstd, err = zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
	if err != nil {
		return nil, r.fail("it cannot be decompressed")
	}
	r.tar = tar.NewReader(r.zstd)
	h, err := r.tar.Next()
	if err != nil || h.Name != readmeName {
		return nil, r.fail("it does not begin with %s", readmeName)
	}
	if _, err := r.small(h); err != nil {
		return nil, err
	}
	return r, nil
}

// Next returns the next item. io.EOF means that the archive is complete: every file
// is what the manifest says, and the manifest was the last.
func (r *Reader) Next() (Line, error) {
	for r.err == nil {
		if r.now == nil {
			r.advance()
			continue
		}
		b, err := r.line()
		if errors.Is(err, io.EOF) {
			r.finish()
			continue
		}
		if err != nil {
			break
		}
		r.now.Items++
		it, err := unmarshal(r.now.part, b)
		if err != nil {
			return Line{}, r.fail("line %d of %s is no JSON of this format", r.now.Items, r.now.Path)
		}
		r.words = len(b) - len(it.Raw)
		return Line{Dataset: r.now.dataset, Item: it}, nil
	}
	return Line{}, r.err
}

// Words is how many bytes the line takes that Next has just given, beside what the
// platform wrote: about what it takes to remember it.
func (r *Reader) Words() int { return r.words }

// Manifest is what the archive holds; nil before Next has returned io.EOF.
func (r *Reader) Manifest() *Manifest {
	if !errors.Is(r.err, io.EOF) {
		return nil
	}
	return r.manifest
}

// Close frees what the reader holds. It does not close the reader beneath.
func (r *Reader) Close() {
	if r.err == nil {
		r.err = errors.New("the archive was closed before its end")
	}
	r.zstd.Close()
}

// line reads one line of the entry, its end excluded; io.EOF is the entry's end.
func (r *Reader) line() ([]byte, error) {
	var long []byte
	for {
		b, err := r.lines.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			return b[:len(b)-1], nil
		case err == nil:
			return append(long, b[:len(b)-1]...), nil
		case errors.Is(err, bufio.ErrBufferFull) && len(long)+len(b) <= maxLine:
			long = append(long, b...)
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, r.fail("a line of %s is too long", r.now.Path)
		case errors.Is(err, io.EOF) && len(long)+len(b) == 0:
			return nil, io.EOF
		default:
			return nil, r.fail("%s ends in the middle of a line", r.now.Path)
		}
	}
}

// finish closes the books of a data file.
func (r *Reader) finish() {
	r.now.SHA256 = hex.EncodeToString(r.now.hash.Sum(nil))
	r.sums.WriteString(sumLine(r.now.File))
	r.seen[r.now.Path] = r.now.File
	r.now = nil
}

// advance goes to the next data file, or through the archive's end.
func (r *Reader) advance() {
	h, err := r.tar.Next()
	if err != nil {
		_ = r.fail("it ends, or cannot be read on, before its manifest")
		return
	}
	if h.Typeflag != tar.TypeReg {
		_ = r.fail("it holds something that is no file")
		return
	}
	m := dataPath.FindStringSubmatch(h.Name)
	switch {
	case h.Name == sumsName:
		r.end(h)
		return
	case m == nil:
		_ = r.fail("it holds a file that does not belong there")
		return
	case h.Size > chunkSize+maxLine:
		_ = r.fail("%s is too big", h.Name)
		return
	case len(r.seen) == maxFiles:
		_ = r.fail("it has more files than an archive holds")
		return
	}
	if _, twice := r.seen[h.Name]; twice {
		_ = r.fail("%s is there twice", h.Name)
		return
	}
	r.now = &entry{File: File{Path: h.Name, Size: h.Size}, dataset: dataset(m[1]), part: m[2], hash: sha256.New()}
	r.lines.Reset(io.TeeReader(r.tar, r.now.hash))
}

// end reads the checksums and the manifest, and compares both with what was seen.
func (r *Reader) end(h *tar.Header) {
	want := r.sums.String()
	sums, err := r.small(h)
	if err != nil {
		return
	}
	if string(sums) != want {
		_ = r.fail("%s does not list the files that are there", sumsName)
		return
	}
	h, err = r.tar.Next()
	if err != nil || h.Name != manifestName {
		_ = r.fail("%s is missing", manifestName)
		return
	}
	b, err := r.small(h)
	if err != nil {
		return
	}
	m := &Manifest{}
	if err := parse(b, m, manifestName); err != nil {
		r.set(err)
		return
	}
	if m.Format != Format {
		r.set(unknownFormat(m.Format))
		return
	}
	if err := r.compare(m); err != nil {
		r.set(err)
		return
	}
	if !r.over() {
		_ = r.fail("there is something after its end, or it cannot be read to its end")
		return
	}
	r.manifest, r.err = m, io.EOF
}

// over reports whether nothing follows the last entry.
func (r *Reader) over() bool {
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		return false
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(r.zstd, 1)); n != 0 || err != nil {
		return false
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r.in, 1))
	return n == 0 && err == nil
}

// compare holds the manifest against the files that were read.
func (r *Reader) compare(m *Manifest) error {
	listed := map[string]bool{}
	for _, d := range m.Datasets {
		for _, p := range d.Parts {
			var items int64
			for _, f := range p.Files {
				have, there := r.seen[f.Path]
				at := dataPath.FindStringSubmatch(f.Path)
				switch {
				case !there:
					return damage("%s is missing", describe(d, p))
				case have != f:
					return damage("%s is not what the manifest says", f.Path)
				case listed[f.Path]:
					return damage("%s is listed twice", f.Path)
				case at[1] != folder(d.Name) || at[2] != p.Name:
					return damage("%s is listed under another part", f.Path)
				}
				items += f.Items
				listed[f.Path] = true
			}
			if items != p.Items {
				return damage("%s has not as many items as the manifest says", describe(d, p))
			}
		}
	}
	if len(listed) != len(r.seen) {
		return damage("the manifest lists %d files; there are %d", len(listed), len(r.seen))
	}
	return nil
}

func describe(d Dataset, p Part) string { return "a file of " + folder(d.Name) + "/" + p.Name }

// small reads an entry whole.
func (r *Reader) small(h *tar.Header) ([]byte, error) {
	if h.Typeflag != tar.TypeReg || h.Size > maxSmall {
		return nil, r.fail("%s is no file of its size", h.Name)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, r.tar); err != nil {
		return nil, r.fail("%s cannot be read", h.Name)
	}
	sum := sha256.Sum256(b.Bytes())
	r.sums.WriteString(sumLine(File{Path: h.Name, SHA256: hex.EncodeToString(sum[:])}))
	return b.Bytes(), nil
}

// fail ends the reader: with damage, or with the error of the reader beneath, as it is.
func (r *Reader) fail(format string, a ...any) error {
	r.set(damage(format, a...))
	return r.err
}

func (r *Reader) set(err error) {
	r.err = err
	if r.in.err != nil {
		r.err = r.in.err
	}
}

// source counts and hashes what comes in, and remembers its own error.
type source struct {
	r    io.Reader
	hash hash.Hash
	size int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	if err != nil && err != io.EOF { // a wrapped one is no good end
		s.err = err
	}
	return n, err
}
