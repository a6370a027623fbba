package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/kube"
)

// truncated is a message that fits into a status.
func truncated(message string) string { return kube.Truncate(message, 512) }

// report writes every item beside the archive, a line of JSON each, encrypted as the
// archive is, and returns where.
func (w *restoreWork) report(ctx context.Context, places *Places, items []restore.Item) (string, error) {
	err := w.put(ctx, places, reportFile, func(out io.Writer) error {
		for i := range items {
			if err := writeJSON(out, &items[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return path.Join(w.backup.Status.Archive.Key, w.file(reportFile)), err
}

// writeJSON writes a line.
func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// put writes a file beside the archive, encrypted as the archive is.
func (w *restoreWork) put(ctx context.Context, places *Places, name string, write func(io.Writer) error) error {
	var b bytes.Buffer
	secret, err := age.Encrypt(&b, w.access.Recipients...)
	if err != nil {
		return fmt.Errorf("beginning the encryption: %w", err)
	}
	small, err := zstd.NewWriter(secret, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("beginning the compression: %w", err)
	}
	if err := errors.Join(write(small), small.Close(), secret.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return places.Location.Put(ctx, w.backup.Status.Archive.Key, w.file(name), &b)
}

// get reads one JSON value that put wrote; what is not there is left as it is.
func (w *restoreWork) get(ctx context.Context, places *Places, name string, into any) error {
	r, err := places.Location.Get(ctx, w.backup.Status.Archive.Key, w.file(name))
	if storage.ClassOf(err) == storage.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close() // it was only read
	plain, err := age.Decrypt(r, w.access.Identities...)
	if err != nil {
		return unreadable(name, err)
	}
	small, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return unreadable(name, err)
	}
	defer small.Close()
	if err := json.NewDecoder(small).Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return unreadable(name, err)
	}
	return nil
}

// unreadable says why a file beside an archive cannot be read: the place, the key, or what lies there.
func unreadable(name string, err error) error {
	if e, ok := errors.AsType[*storage.Error](err); ok {
		return e
	}
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return archive.ErrWrongKey
	}
	return &archive.Damage{What: name + " beside it is not what was written"}
}
