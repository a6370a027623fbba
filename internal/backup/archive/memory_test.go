package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

// jsonNames lists the fields of a struct as JSON has them.
func jsonNames(v any) []string {
	var names []string
	typ := reflect.TypeOf(v)
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// peak is the most that the heap held at the times when it was looked at.
type peak struct{ most uint64 }

func (p *peak) look() {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	p.most = max(p.most, s[0].Value.Uint64())
}

// person is a synthetic one of about 1,500 bytes, most of which do not compress.
func person(i int) directory.Item {
	id := fmt.Sprintf("A%06d", i)
	noise := make([]byte, 500)
	_, _ = rand.NewChaCha8([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}).Read(noise)
	raw := fmt.Appendf(nil, `{"userid":%q,"name":"人 %d","unionid":"%x","extension":"%x"}`, id, i, noise[:16], noise)
	return directory.Item{Part: directory.PartAccounts, ID: id, Raw: json.RawMessage(raw), Account: &directory.Account{
		ID: id, Type: directory.Ordinary, State: directory.Active,
		Profile: directory.Profile{Set: directory.FieldName | directory.FieldNumber | directory.FieldDepartments, Name: fmt.Sprintf("人 %d", i), Number: id,
			Memberships: []directory.Membership{{Department: "7"}}},
	}}
}

// 100,000 people are written and read with the memory of a few hundred.
func TestMemoryDoesNotGrowWithTheCompany(t *testing.T) {
	const (
		people = 100_000
		bound  = 48 << 20
	)
	id := key(t)
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // what is garbage shall not be counted for long
	runtime.GC()
	var base, most peak
	base.look()

	in, out := io.Pipe()
	done := make(chan error, 1)
	sealed := make(chan Seal, 1)
	go func() {
		w, err := NewWriter(out, header, id.Recipient())
		for i := 0; i < people && err == nil; i++ {
			err = w.Add(directory.DatasetDirectory, person(i))
		}
		if err == nil {
			err = w.End(directory.DatasetDirectory, directory.Summary{})
		}
		if err == nil {
			_, err = w.Close()
		}
		if err == nil {
			s, _ := w.Seal()
			sealed <- s
		}
		out.CloseWithError(err)
		done <- err
	}()

	r, err := NewReader(in, id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var plain int64
	for i := 0; ; i++ {
		l, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		plain += int64(len(l.Raw))
		if i%500 == 0 {
			most.look()
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s := <-sealed
	if n := r.Manifest().Items(); n != people {
		t.Errorf("%d people were read", n)
	}
	used := int64(most.most) - int64(base.most)
	t.Logf("%d MiB of the platform's JSON, an archive of %d MiB, a heap that grew by %d MiB at most", plain>>20, s.Size>>20, used>>20)
	if used > bound {
		t.Errorf("the heap grew by %d bytes; %d are allowed", used, bound)
	}
	if plain < 2*bound {
		t.Errorf("%d bytes are too few to prove anything", plain)
	}
}
