package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"rollcall.dev/rollcall/internal/backup/archive"
)

// Copy brings an archive from another place, and its hold with it. The seal comes
// last: a copy that was cut off lists nowhere, and is made again. Damaged: what the
// other place gave is not what its seal says.
func (p *Place) Copy(ctx context.Context, from *Place, key string) error {
	op := "copying the archive from " + from.name
	seal, err := from.Sealed(ctx, key)
	if err != nil {
		return err
	}
	switch there, err := p.Sealed(ctx, key); {
	case absent(err):
	case err != nil:
		return err
	case !bytes.Equal(there, seal):
		return p.refuse(Invalid, key, op, "there is another archive of that key")
	default:
		return p.copyHold(ctx, from, key)
	}
	s, err := archive.ParseSeal(seal)
	if err != nil {
		return from.refuse(Damaged, key, "reading the seal", "it is not what was written")
	}
	if err := p.copyFile(ctx, from, key, &s); err != nil {
		return err
	}
	if err := p.Seal(ctx, key, seal); err != nil {
		return err
	}
	return p.copyHold(ctx, from, key)
}

func (p *Place) copyFile(ctx context.Context, from *Place, key string, s *archive.Seal) error {
	r, err := from.Read(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	u, err := p.Create(ctx, key)
	if err != nil {
		return err
	}
	defer u.Abort()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(u, sum), r)
	if err != nil {
		return err
	}
	if n != s.Size || hex.EncodeToString(sum.Sum(nil)) != s.SHA256 {
		return from.refuse(Damaged, key, "reading the archive", "it is not the file that was sealed")
	}
	return u.Close()
}

func (p *Place) copyHold(ctx context.Context, from *Place, key string) error {
	held, err := from.Held(ctx, key)
	if err != nil || !held {
		return err
	}
	return p.Hold(ctx, key)
}
