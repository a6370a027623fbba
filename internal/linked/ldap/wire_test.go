package ldap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
)

// element has a length of four bytes.
func element(tag byte, content []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{tag, 0x84}, uint32(len(content))), content...)
}

func nested(depth int) []byte {
	e := element(0x02, []byte{1})
	for range depth {
		e = element(0x30, e)
	}
	return e
}

func TestBoundsOfAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"the longest message":   {element(0x30, element(0x04, make([]byte, maxMessage-6))), nil},
		"a longer one":          {element(0x30, element(0x04, make([]byte, maxMessage-5))), errTooLarge},
		"the deepest":           {nested(maxDepth), nil},
		"deeper":                {nested(maxDepth + 1), errTooLarge},
		"the most elements":     {element(0x30, bytes.Repeat([]byte{0x05, 0x00}, maxElements-1)), nil},
		"more":                  {element(0x30, bytes.Repeat([]byte{0x05, 0x00}, maxElements)), errTooLarge},
		"the most messages":     {bytes.Repeat([]byte{0x30, 0x00}, maxMessages), nil},
		"more messages":         {bytes.Repeat([]byte{0x30, 0x00}, maxMessages+1), errTooLarge},
		"no sequence":           {[]byte{0x31, 0x00}, errNotLDAP},
		"no length":             {[]byte{0x30, 0x80}, errNotLDAP},
		"a length of five":      {[]byte{0x30, 0x85, 0, 0, 0, 0, 0}, errNotLDAP},
		"a tag above 30":        {[]byte{0x30, 0x03, 0x1f, 0x01, 0x00}, errNotLDAP},
		"longer than around it": {[]byte{0x30, 0x03, 0x04, 0x02, 0x00, 0x00}, errNotLDAP},
	} {
		var f frames
		if err := f.feed(c.stream); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneOperationReadsSoMuchAndTheNextAsMuchAgain(t *testing.T) {
	here, there := net.Pipe()
	defer func() { _ = here.Close(); _ = there.Close() }()
	e := element(0x30, element(0x04, make([]byte, 1<<20)))
	go func() {
		for {
			if _, err := there.Write(e); err != nil {
				return
			}
		}
	}()
	w := &wire{Conn: here}
	read := func(bytes int) error {
		_, err := io.CopyN(io.Discard, w, int64(bytes))
		return err
	}
	for range 3 {
		w.begin()
		if err := read(maxAnswer - 1<<17); err != nil {
			t.Fatal(err)
		}
	}
	if err := read(1 << 20); !errors.Is(err, errTooLarge) {
		t.Errorf("more than one operation may read: %v", err)
	}
	if sent, fault := w.state(); sent || !errors.Is(fault, errTooLarge) {
		t.Errorf("sent %t, ended for %v", sent, fault)
	}
	if _, err := here.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the connection is not closed: %v", err)
	}
}
