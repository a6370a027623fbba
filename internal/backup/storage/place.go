package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"rollcall.dev/rollcall/internal/backup/archive"
)

// maxSmall bounds the files that are read whole: seals, holds, claims. The seal of the biggest manifest fits.
const maxSmall = 40 << 20

// Place keeps archives. It is safe for concurrent use. Every operation obeys its
// context, ends when nothing moves for a while, and returns an [Error].
type Place struct {
	backend backend
	name    string
}

// backend is what a volume and a bucket have in common. Its errors are faults.
type backend interface {
	// create begins a file that nobody sees before Close. fresh: it fails with
	// errExists if there is one, or errNotImplemented if that cannot be asked for.
	create(ctx context.Context, file string, fresh bool) (pending, error)
	// open reads a file.
	open(ctx context.Context, file string) (io.ReadCloser, error)
	stat(ctx context.Context, file string) (object, error)
	// list gives each file below a folder.
	list(ctx context.Context, folder string, each func(object) error) error
	// remove deletes a file; that it is not there is fine.
	remove(ctx context.Context, file string) error
	// begun gives what was created below a folder and not closed: who began it may
	// still be at it.
	begun(ctx context.Context, folder string, each func(object) error) error
	// drop ends what begun gives for one folder, and removes the folder if that is empty.
	drop(ctx context.Context, folder string) error
	close() error
}

// pending is a file that is being written. Abort after Close does nothing.
type pending interface {
	io.WriteCloser
	Abort()
}

// object is a file in a place.
type object struct {
	file  string
	size  int64
	since time.Time
}

var (
	errExists         = &fault{class: Invalid, message: "there is one already"}
	errNotImplemented = &fault{class: Invalid, message: "the service does not have this"}
)

// String says where the place is, e.g. s3://acme-archives/rollcall.
func (p *Place) String() string { return p.name }

// Close frees what the place holds.
func (p *Place) Close() error { return p.wrap(p.backend.close(), "", "closing the place") }

// Upload is an archive that is being stored. Whatever happens, end it with Close or
// Abort; Abort after Close does nothing.
type Upload struct {
	place *Place
	key   string
	file  pending
}

// Create begins to store an archive. It does not list before it is sealed.
func (p *Place) Create(ctx context.Context, key string) (*Upload, error) {
	const op = "beginning to write the archive"
	if !validKey(key) {
		return nil, p.refuse(Invalid, key, op, "that is no key of an archive")
	}
	switch _, err := p.backend.stat(ctx, path.Join(key, sealFile)); {
	case err == nil:
		return nil, p.refuse(Invalid, key, op, "it is sealed: nothing writes there any more")
	case !absent(err):
		return nil, p.wrap(err, key, op)
	}
	f, err := p.backend.create(ctx, path.Join(key, archiveFile), false)
	if err != nil {
		return nil, p.wrap(err, key, op)
	}
	return &Upload{place: p, key: key, file: f}, nil
}

func (u *Upload) Write(b []byte) (int, error) {
	n, err := u.file.Write(b)
	return n, u.place.wrap(err, u.key, "writing the archive")
}

// Close makes the archive durable. It is none before it is sealed.
func (u *Upload) Close() error {
	return u.place.wrap(u.file.Close(), u.key, "writing the end of the archive")
}

// Abort throws away what was written.
func (u *Upload) Abort() { u.file.Abort() }

// Seal makes a stored archive one that lists. It refuses a seal whose size is not
// the file's. Sealing again with the same seal does nothing; a sealed archive cannot
// be given another seal.
func (p *Place) Seal(ctx context.Context, key string, seal []byte) error {
	const op = "sealing the archive"
	if !validKey(key) {
		return p.refuse(Invalid, key, op, "that is no key of an archive")
	}
	s, err := archive.ParseSeal(seal)
	if err != nil {
		return p.refuse(Invalid, key, op, "that is no seal")
	}
	o, err := p.backend.stat(ctx, path.Join(key, archiveFile))
	if err != nil {
		return p.wrap(err, key, op)
	}
	if o.size != s.Size {
		return p.refuse(Damaged, key, op, "the stored file has %d bytes; its seal says %d", o.size, s.Size)
	}
	err = p.putFresh(ctx, path.Join(key, sealFile), seal)
	if !errors.Is(err, errExists) {
		return p.wrap(err, key, op)
	}
	there, err := p.Sealed(ctx, key)
	if err != nil {
		return err
	}
	if !bytes.Equal(there, seal) {
		return p.refuse(Invalid, key, op, "it has another seal already")
	}
	return nil
}

// Sealed reads the seal of an archive. NotFound: there is no archive of that key.
func (p *Place) Sealed(ctx context.Context, key string) ([]byte, error) {
	const op = "reading the seal"
	if !validKey(key) {
		return nil, p.refuse(Invalid, key, op, "that is no key of an archive")
	}
	b, err := p.get(ctx, path.Join(key, sealFile))
	return b, p.wrap(err, key, op)
}

// Read reads an archive as it is stored: encrypted. Verify it, or check it with a
// reader of internal/backup/archive, before believing any of it.
func (p *Place) Read(ctx context.Context, key string) (io.ReadCloser, error) {
	const op = "reading the archive"
	if !validKey(key) {
		return nil, p.refuse(Invalid, key, op, "that is no key of an archive")
	}
	return p.open(ctx, key, archiveFile, op)
}

// List returns the keys of all archives of a namespace, the oldest of each tenant first.
func (p *Place) List(ctx context.Context, namespace string) ([]string, error) {
	const op = "listing the archives"
	namespace = escape(namespace)
	var keys []string
	err := p.backend.list(ctx, namespace, func(o object) error {
		if key, rest, ok := split(o.file); ok && rest == sealFile {
			keys = append(keys, key)
		}
		return nil
	})
	if err != nil {
		return nil, p.wrap(err, namespace, op)
	}
	slices.Sort(keys)
	return keys, nil
}

// Delete removes an archive with everything beside it, the seal first. Held: a legal
// hold lies on it. What is not there is fine.
func (p *Place) Delete(ctx context.Context, key string) error {
	const op = "deleting the archive"
	if !validKey(key) {
		return p.refuse(Invalid, key, op, "that is no key of an archive")
	}
	if err := p.unlessHeld(ctx, key, op); err != nil {
		return err
	}
	seal, err := p.get(ctx, path.Join(key, sealFile))
	if err != nil && !absent(err) {
		return p.wrap(err, key, op)
	}
	if err := p.backend.remove(ctx, path.Join(key, sealFile)); err != nil {
		return p.wrap(err, key, op)
	}
	// A hold that came in between wins: it looks for the seal after it has written itself.
	if err := p.unlessHeld(ctx, key, op); err != nil {
		if seal == nil {
			return err
		}
		return errors.Join(err, p.wrap(p.putFresh(ctx, path.Join(key, sealFile), seal), key, "putting the seal back"))
	}
	return p.wrap(p.sweep(ctx, key), key, op)
}

func (p *Place) unlessHeld(ctx context.Context, key, op string) error {
	held, err := p.Held(ctx, key)
	if err != nil {
		return err
	}
	if held {
		return p.refuse(Held, key, op, "a legal hold lies on it: release it first")
	}
	return nil
}

// sweep removes every file of a key.
func (p *Place) sweep(ctx context.Context, key string) error {
	var files []string
	err := p.backend.list(ctx, key, func(o object) error {
		files = append(files, o.file)
		return nil
	})
	for _, f := range files {
		err = errors.Join(err, p.backend.remove(ctx, f))
	}
	return errors.Join(err, p.backend.drop(ctx, key))
}

// Hold puts a legal hold on an archive: until Release nothing deletes it, from
// whichever cluster. NotFound: there is no archive, or it was just deleted.
func (p *Place) Hold(ctx context.Context, key string) error {
	const op = "holding the archive"
	if _, err := p.Sealed(ctx, key); err != nil {
		return err
	}
	if err := p.put(ctx, path.Join(key, holdFile), []byte("{\"hold\": \"Legal\"}\n"), false); err != nil {
		return p.wrap(err, key, op)
	}
	_, err := p.Sealed(ctx, key)
	if absent(err) {
		err = errors.Join(err, p.wrap(p.backend.remove(ctx, path.Join(key, holdFile)), key, op))
	}
	return err
}

// Release takes the hold away. That there is none is fine.
func (p *Place) Release(ctx context.Context, key string) error {
	const op = "releasing the archive"
	if !validKey(key) {
		return p.refuse(Invalid, key, op, "that is no key of an archive")
	}
	return p.wrap(p.backend.remove(ctx, path.Join(key, holdFile)), key, op)
}

// Held reports whether a legal hold lies on an archive.
func (p *Place) Held(ctx context.Context, key string) (bool, error) {
	const op = "looking for a legal hold"
	if !validKey(key) {
		return false, p.refuse(Invalid, key, op, "that is no key of an archive")
	}
	_, err := p.backend.stat(ctx, path.Join(key, holdFile))
	if absent(err) {
		return false, nil
	}
	return err == nil, p.wrap(err, key, op)
}

// Put stores a further file beside an archive, e.g. restores/<name>/report.json. It
// goes when the archive goes.
func (p *Place) Put(ctx context.Context, key, name string, r io.Reader) error {
	op := "writing " + name
	if !validKey(key) || !further.MatchString(name) {
		return p.refuse(Invalid, key, op, "that is no name of a file beside an archive")
	}
	f, err := p.backend.create(ctx, path.Join(key, name), false)
	if err != nil {
		return p.wrap(err, key, op)
	}
	defer f.Abort()
	if _, err := io.Copy(writerOnly{f}, r); err != nil {
		return p.wrap(err, key, op)
	}
	return p.wrap(f.Close(), key, op)
}

// Get reads a file that Put stored.
func (p *Place) Get(ctx context.Context, key, name string) (io.ReadCloser, error) {
	op := "reading " + name
	if !validKey(key) || !further.MatchString(name) {
		return nil, p.refuse(Invalid, key, op, "that is no name of a file beside an archive")
	}
	return p.open(ctx, key, name, op)
}

func (p *Place) open(ctx context.Context, key, name, op string) (io.ReadCloser, error) {
	f, err := p.backend.open(ctx, path.Join(key, name))
	if err != nil {
		return nil, p.wrap(err, key, op)
	}
	return &opened{ReadCloser: f, place: p, key: key, op: op}, nil
}

// opened gives the errors of reading their place.
type opened struct {
	io.ReadCloser
	place   *Place
	key, op string
}

func (o *opened) Read(b []byte) (int, error) {
	n, err := o.ReadCloser.Read(b)
	if err != nil && err != io.EOF { //nolint:errorlint // a wrapped one is no good end
		err = o.place.wrap(err, o.key, o.op)
	}
	return n, err
}

// writerOnly hides other methods, which io.Copy would prefer.
type writerOnly struct{ io.Writer }

// putFresh stores a small file unless there is one: errExists. Where the service
// cannot do both in one step, looking first has to do: keys are random.
func (p *Place) putFresh(ctx context.Context, file string, b []byte) error {
	err := p.put(ctx, file, b, true)
	if !errors.Is(err, errNotImplemented) {
		return err
	}
	switch _, err := p.backend.stat(ctx, file); {
	case err == nil:
		return errExists
	case !absent(err):
		return err
	}
	return p.put(ctx, file, b, false)
}

// put stores a small file.
func (p *Place) put(ctx context.Context, file string, b []byte, fresh bool) error {
	f, err := p.backend.create(ctx, file, fresh)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Close()
}

// get reads a small file.
func (p *Place) get(ctx context.Context, file string) ([]byte, error) {
	f, err := p.backend.open(ctx, file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(b) > maxSmall {
		err = &fault{class: Damaged, message: fmt.Sprintf("it has more than %d bytes", maxSmall)}
	}
	return b, err
}
