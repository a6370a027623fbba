package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"filippo.io/age"
)

// Evidence is what a verification saw.
type Evidence struct {
	// Parts and Items are how many parts and items were read, Bytes how many bytes of the encrypted stream.
	Parts        int
	Items, Bytes int64
	// ManifestSHA256 names the content.
	ManifestSHA256 string
}

// Verify reads an archive once, from the first encrypted byte to the last, and
// compares everything with its seal. A [Damage] says what is damaged or missing;
// ErrWrongKey that the archive is whole, as far as can be told, and meant for
// others; any other error is one of r, and says nothing of the archive.
func Verify(r io.Reader, seal []byte, ids ...age.Identity) (Evidence, error) {
	s, err := ParseSeal(seal)
	if err != nil {
		return Evidence{}, err
	}
	in := &source{r: r, hash: sha256.New()}
	m, err := readAll(in, ids)
	if errors.Is(err, ErrWrongKey) {
		if err := s.compare(in); err != nil {
			return Evidence{}, err
		}
		return Evidence{}, ErrWrongKey
	}
	if err != nil {
		return Evidence{}, err
	}
	if err := s.compare(in); err != nil {
		return Evidence{}, err
	}
	manifest := m.Encode()
	if !bytes.Equal(manifest, s.Manifest.Encode()) {
		return Evidence{}, damage("the seal has another manifest than the archive")
	}
	e := Evidence{Items: m.Items(), Bytes: in.size, ManifestSHA256: m.SHA256()}
	for _, d := range m.Datasets {
		e.Parts += len(d.Parts)
	}
	return e, nil
}

func readAll(in *source, ids []age.Identity) (*Manifest, error) {
	r, err := newReader(in, ids)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return r.Manifest(), nil
}

// compare reads the rest of the stream and holds it against the seal.
func (s *Seal) compare(in *source) error {
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	if in.size != s.Size {
		return damage("the file has %d bytes; its seal says %d", in.size, s.Size)
	}
	if hex.EncodeToString(in.hash.Sum(nil)) != s.SHA256 {
		return damage("the file is not the one that was sealed: its SHA-256 differs")
	}
	return nil
}
