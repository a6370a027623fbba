package ldap

import (
	"errors"
	"net"
	"sync"
)

// What one answer and one operation may cost. go-ldap reads whatever a server announces, keeps a copy of each level
// of it, and gathers all entries of a search before it returns.
const (
	maxMessage  = 8 << 20  // bytes of one message
	maxElements = 250_000  // BER elements of one message
	maxDepth    = 16       // their nesting: an entry's value is at 6
	maxAnswer   = 32 << 20 // bytes of all messages of one operation
	maxMessages = 5_000    // messages of one operation
)

var (
	errNotLDAP  = errors.New("the answer is not LDAP")
	errTooLarge = errors.New("the answer is larger than allowed")
)

// wire is a connection that knows whether the operation that it carries has begun to leave, and that ends when what
// comes in is not LDAP or too much. It lies above TLS.
type wire struct {
	net.Conn

	mu     sync.Mutex
	sent   bool
	fault  error // why it was ended here
	bytes  int
	frames frames
}

// begin starts the account of an operation.
func (w *wire) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent, w.bytes, w.frames.messages = false, 0, 0
}

// state reports whether anything of the operation was written, and why the connection was ended here, if it was.
func (w *wire) state() (sent bool, fault error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent, w.fault
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.sent = true // before the fact: state may be asked while the write is under way
	w.mu.Unlock()
	return w.Conn.Write(p)
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil {
		w.fault = w.frames.feed(p[:n])
	}
	if w.bytes += n; w.fault == nil && w.bytes > maxAnswer {
		w.fault = errTooLarge
	}
	if w.fault != nil {
		_ = w.Close()
		return 0, w.fault
	}
	return n, err
}

// frames follows the BER elements in a stream (RFC 4511, section 5.1: definite lengths only).
type frames struct {
	messages int
	elements int    // of this message
	open     []int  // bytes that are left of each constructed element around
	skip     int    // bytes that are left of a primitive one
	header   []byte // of the next element, as far as it came
}

// feed takes the next bytes of the stream. After an error nothing more may be fed.
func (f *frames) feed(p []byte) error {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(p))
			f.skip, p = f.skip-n, p[n:]
			f.close()
			continue
		}
		f.header = append(f.header, p[0])
		p = p[1:]
		if len(f.header) < 2 || f.header[1]&0x80 != 0 && len(f.header) < 2+int(f.header[1]&0x7f) {
			if len(f.header) > 1 && f.header[1]&0x7f > 4 {
				return errNotLDAP
			}
			continue
		}
		if err := f.enter(); err != nil {
			return err
		}
		f.close()
	}
	return nil
}

// enter begins the element whose header is whole.
func (f *frames) enter() error {
	tag, length, size := f.header[0], int(f.header[1]), len(f.header)
	if length == 0x80 || tag&0x1f == 0x1f {
		return errNotLDAP // no end is given; LDAP has no tags above 30
	}
	if size > 2 {
		length = 0
		for _, b := range f.header[2:] {
			length = length<<8 | int(b)
		}
	}
	f.header = f.header[:0]
	if len(f.open) == 0 {
		f.messages++
		f.elements = 0
		if tag != 0x30 { // a sequence: LDAPMessage
			return errNotLDAP
		}
		if length > maxMessage || f.messages > maxMessages {
			return errTooLarge
		}
	} else if outer := &f.open[len(f.open)-1]; size+length > *outer {
		return errNotLDAP
	} else {
		*outer -= size + length
	}
	if f.elements++; f.elements > maxElements {
		return errTooLarge
	}
	if tag&0x20 == 0 {
		f.skip = length
		return nil
	}
	if f.open = append(f.open, length); len(f.open) > maxDepth {
		return errTooLarge
	}
	return nil
}

// close leaves the elements of which nothing is left.
func (f *frames) close() {
	for f.skip == 0 && len(f.open) > 0 && f.open[len(f.open)-1] == 0 {
		f.open = f.open[:len(f.open)-1]
	}
}
