package archive

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Whoever can write to a bucket can write what is small there and big in memory. Each test is of something that fits
// into every hash, count and size, and is refused before it costs more than it should.

func TestAnArchiveOfTooManyFilesIsRefused(t *testing.T) {
	id := key(t)
	entries := []tarEntry{{name: readmeName, body: readme}}
	for i := range maxFiles + 1 {
		entries = append(entries, tarEntry{name: fmt.Sprintf("directory/accounts/%05d.jsonl", i)})
	}
	r, err := NewReader(bytes.NewReader(pack(t, entries, id.Recipient())), id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); !isDamage(err) || !strings.Contains(err.Error(), "files") {
		t.Errorf("read to its end: %v", err)
	}
}

func TestASealOfTooManyThingsIsRefused(t *testing.T) {
	for name, m := range map[string]Manifest{
		"datasets": {Format: Format, Header: header, Datasets: make([]Dataset, 2*maxFiles+1)},
		"people":   {Format: Format, Header: Header{Time: header.Time, People: make([]string, 3<<20)}, Datasets: []Dataset{}},
	} {
		s := Seal{Manifest: m}
		if _, err := ParseSeal(s.Encode()); !isDamage(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALineOfTooManyThingsIsRefused(t *testing.T) {
	many := strings.Repeat(`"",`, maxWords/3)
	for name, c := range map[string]struct {
		line string
		fine bool
	}{
		"departments": {line: `{"id":"1","account":{"id":"1","departments":[` + many + `""]}}`},
		"twice":       {line: `{"id":"1","raw":[` + many + `""],"account":{"id":"1","leads":[` + many + `""]},"raw":1}`},
		"raw":         {line: `{"id":"1","account":{"id":"1"},"raw":[` + many + `""]}`, fine: true},
	} {
		if _, err := unmarshal("accounts", []byte(c.line)); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}
