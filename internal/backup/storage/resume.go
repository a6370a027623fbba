package storage

import (
	"context"
	"errors"
	"io"
	"time"
)

// resuming reads on where a connection was cut. Whether the rest belongs to the
// beginning is for the hashes of the archive to say.
type resuming struct {
	ctx    context.Context //nolint:containedctx // an io.Reader has no other place for it
	at     func(offset int64) (io.ReadCloser, error)
	now    io.ReadCloser
	offset int64
	failed int // in a row, without a byte in between
}

func (r *resuming) Read(b []byte) (int, error) {
	for {
		n, err := r.now.Read(b)
		r.offset += int64(n)
		if n > 0 {
			r.failed = 0
		}
		if err == nil || err == io.EOF { // a wrapped one is a connection that was cut
			return n, err
		}
		if n > 0 {
			return n, nil // the error comes again
		}
		if err := r.again(err); err != nil {
			return 0, err
		}
	}
}

// again opens the rest, or returns why not.
func (r *resuming) again(cause error) error {
	for {
		r.failed++
		err := bucketFault(r.ctx, cause)
		f, ok := errors.AsType[*fault](err)
		if !ok || f.class != Unavailable || r.failed >= attempts {
			return err
		}
		pause := time.NewTimer(time.Duration(r.failed) * 200 * time.Millisecond)
		select {
		case <-r.ctx.Done():
			pause.Stop()
			return interrupted(r.ctx)
		case <-pause.C:
		}
		next, err := r.at(r.offset)
		if err == nil {
			_ = r.now.Close()
			r.now = next
			return nil
		}
		cause = err
	}
}

func (r *resuming) Close() error { return r.now.Close() }
