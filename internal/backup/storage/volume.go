package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// volume keeps files below a folder. A file is written under another name, synced,
// renamed, and its folder synced: it is there whole, also after a power cut, or not
// at all. os.Root sees to it that no name and no link leads out of the folder.
type volume struct {
	root *os.Root
	path string
}

// unfinished ends the names of files that are being written.
const unfinished = ".unfinished"

func openVolume(l Local) (*volume, error) {
	mount, err := os.OpenRoot(l.Root)
	if err != nil {
		return nil, volumeFault(err)
	}
	defer mount.Close()
	folder := path.Clean(filepath.ToSlash(l.Folder))
	if err := mount.MkdirAll(folder, 0o700); err != nil {
		return nil, volumeFault(err)
	}
	root, err := mount.OpenRoot(folder)
	if err != nil {
		return nil, volumeFault(err)
	}
	return &volume{root: root, path: filepath.Join(l.Root, folder)}, nil
}

func (v *volume) close() error { return v.root.Close() }

func (v *volume) create(ctx context.Context, file string, fresh bool) (pending, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	if err := v.root.MkdirAll(path.Dir(file), 0o700); err != nil {
		return nil, v.fault(err)
	}
	temp := path.Join(path.Dir(file), "."+path.Base(file)+"."+rand.Text()+unfinished)
	f, err := v.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, v.fault(err)
	}
	return &volumeFile{volume: v, ctx: ctx, file: file, temp: temp, fresh: fresh, f: f}, nil
}

// volumeFile is a file under its first name.
type volumeFile struct {
	volume     *volume
	ctx        context.Context //nolint:containedctx // an io.Writer has no other place for it
	file, temp string
	fresh      bool
	f          *os.File // nil once it is closed or aborted
}

func (w *volumeFile) Write(b []byte) (int, error) {
	if err := interrupted(w.ctx); err != nil {
		return 0, err
	}
	n, err := w.f.Write(b)
	return n, w.volume.fault(err)
}

func (w *volumeFile) Close() error {
	defer w.Abort()
	if err := interrupted(w.ctx); err != nil {
		return err
	}
	if err := w.f.Sync(); err != nil {
		return w.volume.fault(err)
	}
	if err := w.publish(); err != nil {
		return err
	}
	return w.volume.sync(path.Dir(w.file))
}

// publish gives the file its name. A link, unlike a renaming, never replaces
// another; where the file system has none, looking first has to do.
func (w *volumeFile) publish() error {
	root := w.volume.root
	if w.fresh {
		switch err := root.Link(w.temp, w.file); {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrExist):
			return errExists
		case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EMLINK):
			if _, err := root.Lstat(w.file); err == nil {
				return errExists
			}
		default:
			return w.volume.fault(err)
		}
	}
	return w.volume.fault(root.Rename(w.temp, w.file))
}

func (w *volumeFile) Abort() {
	if w.f == nil {
		return
	}
	_ = w.f.Close()
	_ = w.volume.root.Remove(w.temp)
	w.f = nil
}

// sync makes the names in a folder durable, and the folder's in its parents.
func (v *volume) sync(folder string) error {
	for {
		d, err := v.root.Open(folder)
		if err != nil {
			return v.fault(err)
		}
		err = d.Sync()
		_ = d.Close()
		// Network file systems refuse to sync a folder: there the server sees to it.
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
			return v.fault(err)
		}
		if folder == "." {
			return nil
		}
		folder = path.Dir(folder)
	}
}

func (v *volume) open(ctx context.Context, file string) (io.ReadCloser, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	f, err := v.root.Open(file)
	if err != nil {
		return nil, v.fault(err)
	}
	return &volumeReader{File: f, volume: v, ctx: ctx}, nil
}

type volumeReader struct {
	*os.File
	volume *volume
	ctx    context.Context //nolint:containedctx // an io.Reader has no other place for it
}

func (r *volumeReader) Read(b []byte) (int, error) {
	if err := interrupted(r.ctx); err != nil {
		return 0, err
	}
	n, err := r.File.Read(b)
	if errors.Is(err, io.EOF) {
		return n, io.EOF
	}
	return n, r.volume.fault(err)
}

// WriteTo is the file's, and would go past Read.
func (r *volumeReader) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{r})
}

func (v *volume) stat(ctx context.Context, file string) (object, error) {
	if err := interrupted(ctx); err != nil {
		return object{}, err
	}
	i, err := v.root.Stat(file)
	if err != nil {
		return object{}, v.fault(err)
	}
	return object{file: file, size: i.Size(), since: i.ModTime()}, nil
}

func (v *volume) list(ctx context.Context, folder string, each func(object) error) error {
	return v.walk(ctx, folder, false, each)
}

func (v *volume) begun(ctx context.Context, folder string, each func(object) error) error {
	return v.walk(ctx, folder, true, each)
}

func (v *volume) walk(ctx context.Context, folder string, unfinishedOnes bool, each func(object) error) error {
	err := fs.WalkDir(v.root.FS(), folder, func(file string, d fs.DirEntry, err error) error {
		if c := interrupted(ctx); c != nil {
			return c
		}
		if errors.Is(err, fs.ErrNotExist) && file != "." {
			return nil // it went away meanwhile
		}
		if err != nil {
			return err
		}
		if d.IsDir() || strings.HasSuffix(file, unfinished) != unfinishedOnes {
			return nil
		}
		i, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return each(object{file: file, size: i.Size(), since: i.ModTime()})
	})
	if err == nil {
		// An empty listing of a folder that was taken away proves nothing.
		_, err = os.Stat(v.path)
	}
	return v.fault(err)
}

func (v *volume) remove(ctx context.Context, file string) error {
	if err := interrupted(ctx); err != nil {
		return err
	}
	err := v.root.Remove(file)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(v.path)
		return v.fault(err)
	}
	if err != nil {
		return v.fault(err)
	}
	return v.sync(path.Dir(file))
}

func (v *volume) drop(ctx context.Context, folder string) error {
	err := v.begun(ctx, folder, func(o object) error { return v.remove(ctx, o.file) })
	if err != nil {
		return err
	}
	var folders []string
	err = fs.WalkDir(v.root.FS(), folder, func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			folders = append(folders, file)
		}
		return nil
	})
	for i := len(folders) - 1; i >= 0; i-- {
		_ = v.root.Remove(folders[i]) // one that is not empty stays
	}
	return v.fault(err)
}

// fault says whether a file is missing, or the whole folder.
func (v *volume) fault(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Stat(v.path); gone != nil {
			return &fault{class: NotFound, gone: true, message: "the folder itself is not there: is the volume mounted?", err: err}
		}
	}
	return volumeFault(err)
}

// volumeFault has the table from what a file system says to what it means.
func volumeFault(err error) error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	for _, known := range []struct {
		is      error
		class   Class
		message string
	}{
		{syscall.ENOSPC, Full, "no space is left on the volume"},
		{syscall.EDQUOT, Full, "the quota of the volume is used up"},
		{syscall.EFBIG, Full, "the file is bigger than the volume allows"},
		{syscall.EROFS, Denied, "the volume is mounted read-only"},
		{fs.ErrPermission, Denied, "the volume does not permit it"},
		{fs.ErrNotExist, NotFound, "it is not there"},
		{syscall.ENOTDIR, Invalid, "there is a file where a folder should be"},
		{syscall.ENAMETOOLONG, Invalid, "the name is too long for the volume"},
		{syscall.EIO, Unavailable, "the volume cannot be read or written: its disk reports an error"},
		{syscall.ESTALE, Unavailable, "the volume went away"},
	} {
		if errors.Is(err, known.is) {
			return &fault{class: known.class, message: known.message, err: err}
		}
	}
	return &fault{class: Unavailable, message: "the volume reports an error", err: err}
}
