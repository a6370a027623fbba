package httpx

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// body is an answer's body that tells when it is over: read to its end, failed,
// closed or out of time, whichever comes first.
type body struct {
	io.ReadCloser
	left int64             // bytes that may still come; negative = no limit
	wrap func(error) error // for errors of reading other than io.EOF

	mu    sync.Mutex
	over  bool
	cause error // why it is over, nil when all went well
	then  []func(error)
}

func (b *body) Read(p []byte) (int, error) {
	if b.left >= 0 && int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more byte than allowed tells "exactly" from "too many"
	}
	n, err := b.ReadCloser.Read(p)
	if b.left >= 0 {
		if int64(n) > b.left {
			n, err = int(b.left), ErrBodyTooLarge
		}
		b.left -= int64(n)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.end(nil)
		return n, io.EOF
	}
	if b.wrap != nil {
		err = b.wrap(err)
	}
	b.end(err)
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.end(nil)
	return err
}

// end runs the hooks, once. Whoever comes second waits until they have run.
func (b *body) end(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return
	}
	b.over, b.cause = true, cause
	for _, f := range b.then {
		f(cause)
	}
}

// whenRead calls f once the body of resp is over, with the error that ended it.
func whenRead(resp *http.Response, f func(error)) {
	b, ok := resp.Body.(*body)
	if !ok {
		b = &body{ReadCloser: resp.Body, left: -1}
		resp.Body = b
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		f(b.cause)
		return
	}
	b.then = append(b.then, f)
}
