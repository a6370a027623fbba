package ldap

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// FuzzNames: whatever a value is, a filter matches it alone, and a DN has it as one name.
func FuzzNames(f *testing.F) {
	for _, s := range append(slices.Clone(hard), "", " ", "*", `\2a`, "\x00", "a,ou=services", "x)(|(uid=*", someID) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		compiled, err := goldap.CompileFilter(equals("uid", value))
		if err != nil {
			if utf8.ValidString(value) {
				t.Fatalf("%q makes no filter: %v", value, err)
			}
		} else if compiled.Tag != goldap.FilterEqualityMatch && value != "" || value != "" && compiled.Children[1].Data.String() != value {
			t.Fatalf("%q makes another filter", value)
		}
		if validLogin(value) {
			dn, err := goldap.ParseDN(named("uid", value, peopleDN))
			if err != nil || len(dn.RDNs) != 4 || len(dn.RDNs[0].Attributes) != 1 || dn.RDNs[0].Attributes[0].Value != value {
				t.Fatalf("%q makes another DN: %v, %v", value, dn, err)
			}
			again, err := goldap.ParseDN(dn.RDNs[0].String() + "," + disabledDN)
			if err != nil || again.RDNs[0].Attributes[0].Value != value {
				t.Fatalf("%q is another name once it is moved: %v, %v", value, again, err)
			}
		}
		_ = canonical(value)
		for _, i := range []identity{entryUUID, objectGUID} {
			filter, ok := i.filter(value)
			if ok != uuid.MatchString(value) || ok && strings.ContainsAny(filter[1:len(filter)-1], "()*") {
				t.Fatalf("%q as an id makes %q", value, filter)
			}
			id, ok := i.id([]byte(value))
			if !ok {
				continue
			}
			back, ok := i.filter(id)
			if !ok {
				t.Fatalf("%q is read as %q, which is no id", value, id)
			}
			compiled, err := goldap.CompileFilter(back)
			if err != nil || !strings.EqualFold(compiled.Children[1].Data.String(), value) {
				t.Fatalf("%q is read as %q and found by %q", value, id, back)
			}
		}
	})
}

func TestAGUIDIsWrittenAsItsOwnersWriteIt(t *testing.T) {
	// [MS-DTYP], section 2.3.4.2 and 2.3.4.3: Data1 to Data3 have their lowest byte first.
	raw := []byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	const text = "00112233-4455-6677-8899-aabbccddeeff"
	if id, ok := objectGUID.id(raw); !ok || id != text {
		t.Errorf("read as %q", id)
	}
	if filter, _ := objectGUID.filter(strings.ToUpper(text)); filter != `(objectGUID=\33\22\11\00\55\44\77\66\88\99\aa\bb\cc\dd\ee\ff)` {
		t.Errorf("found by %q", filter)
	}
	if _, ok := objectGUID.id(raw[1:]); ok {
		t.Error("15 bytes are an id")
	}
}

// FuzzFrames: what comes in pieces is judged as what comes at once, and what passes can be read within its bounds.
func FuzzFrames(f *testing.F) {
	f.Add(result(1, goldap.ApplicationBindResponse, 0), 3)
	f.Add(found(1, person("x"), "uid", "x"), 1)
	f.Add([]byte{0x30, 0x80, 0x00, 0x00}, 1)
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, 2)
	f.Add([]byte{0x30, 0x04, 0x30, 0x03, 0x02, 0x00}, 2)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		var whole, cut frames
		err := whole.feed(stream)
		var cutErr error
		for rest := stream; len(rest) > 0 && cutErr == nil; {
			n := min(len(rest), max(1, piece))
			cutErr = cut.feed(rest[:n])
			rest = rest[n:]
		}
		if !errors.Is(err, cutErr) {
			t.Fatalf("at once %v, in pieces %v", err, cutErr)
		}
		if err != nil {
			return
		}
		r := bytes.NewReader(stream)
		for range whole.messages {
			if len(whole.open)+whole.skip+len(whole.header) > 0 {
				return // the last one is not over
			}
			before := r.Len()
			p, err := ber.ReadPacket(r)
			if err == nil && (p.Tag != ber.TagSequence || before-r.Len() > maxMessage+6) {
				t.Fatalf("%x passed", stream)
			}
			if err != nil {
				return // its values may be wrong; its bounds are not
			}
		}
	})
}
