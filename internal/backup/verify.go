package backup

import (
	"context"
	"path"

	"filippo.io/age"

	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
)

// Check is an archive to verify.
type Check struct {
	Key string
	// Primary holds the archive. Offsite, if there is one, holds a copy afterwards.
	Primary, Offsite *storage.Place
	Identities       []age.Identity
}

// Verify reads an archive back from its storage, and its copy, which it makes if
// there is none. The error is a [storage.Error], an [archive.Damage], [archive.ErrWrongKey] or
// an [archive.Unsupported].
func Verify(ctx context.Context, c Check) (Result, error) {
	seal, evidence, err := readBack(ctx, c.Primary, c)
	if err != nil {
		return Result{}, err
	}
	if !belongs(&seal.Manifest, c.Key) {
		return Result{}, &archive.Damage{What: "it is of another account than the folder that it lies in"}
	}
	result := Result{Key: c.Key, Seal: seal, Evidence: Evidence{Evidence: evidence}}
	if c.Offsite == nil {
		return result, nil
	}
	if err := c.Offsite.Copy(ctx, c.Primary, c.Key); err != nil {
		return Result{}, err
	}
	copied, _, err := readBack(ctx, c.Offsite, c)
	if err != nil {
		return Result{}, err
	}
	if copied.SHA256 != seal.SHA256 {
		return Result{}, &archive.Damage{What: "the off-site copy is another archive"}
	}
	result.Evidence.Copied = true
	return result, nil
}

func readBack(ctx context.Context, from *storage.Place, c Check) (archive.Seal, archive.Evidence, error) {
	text, err := from.Sealed(ctx, c.Key)
	if err != nil {
		return archive.Seal{}, archive.Evidence{}, err
	}
	seal, err := archive.ParseSeal(text)
	if err != nil {
		return archive.Seal{}, archive.Evidence{}, err
	}
	r, err := from.Read(ctx, c.Key)
	if err != nil {
		return archive.Seal{}, archive.Evidence{}, err
	}
	defer func() { _ = r.Close() }()
	evidence, err := archive.Verify(r, text, c.Identities...)
	return seal, evidence, err
}

// belongs reports whether an archive lies where it was written to. One that was put
// into the folder of another account would be restored onto it.
func belongs(m *archive.Manifest, key string) bool {
	return path.Dir(key) == path.Dir(storage.NewKey(m.Namespace, m.Account, m.Tenant, m.Time, "x"))
}
