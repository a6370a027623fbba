package ldap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/test/peers"
)

func TestTLSIsDemandedAndBelieved(t *testing.T) {
	s := startSlapd(t, variant{})
	ldaps := s.options()
	ldaps.Endpoint = "ldaps://" + s.LDAPS
	plain := s.options()
	plain.Security = None
	for name, c := range map[string]struct {
		o    Options
		word string
	}{"StartTLS": {s.options(), "StartTLS"}, "LDAPS": {ldaps, "LDAPS"}, "none, to loopback": {plain, "entryUUID"}} {
		found, err := open(t, c.o).Discover(t.Context())
		if err != nil || !strings.Contains(strings.Join(found.Words, " "), c.word) {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
	for name, o := range map[string]Options{"StartTLS": s.options(), "LDAPS": ldaps} {
		other, err := peers.NewAuthority()
		if err != nil {
			t.Fatal(err)
		}
		o.CABundle = other.PEM
		_, err = open(t, o).Discover(t.Context())
		wants(t, err, directory.Unavailable, "certificate")
		o.CABundle = s.Authority.PEM
		o.Endpoint = strings.Replace(o.Endpoint, "127.0.0.1", "localhost", 1) // the certificate is of 127.0.0.1
		_, err = open(t, o).Discover(t.Context())
		wants(t, err, directory.Unavailable, "certificate")
		if strings.Contains(err.Error(), operator) {
			t.Errorf("%s: P12: the password is in %q", name, err)
		}
	}
}

func TestP12AServerWithoutTLSGetsNoPassword(t *testing.T) {
	var heard atomic.Value
	heard.Store("")
	for name, answer := range map[string][]byte{
		"refused": result(1, goldap.ApplicationExtendedResponse, goldap.LDAPResultUnwillingToPerform),
		"granted": result(1, goldap.ApplicationExtendedResponse, 0),
		"another": result(1, goldap.ApplicationBindResponse, 0),
		"garbage": []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"endless": append([]byte{0x30, 0x83, 0x7f, 0xff, 0xff}, make([]byte, 8192)...),
		"nothing": nil,
	} {
		h := listen(t, func(c net.Conn) {
			b := make([]byte, 4096)
			n, _ := c.Read(b)
			_, _ = c.Write(answer)
			all, _ := io.ReadAll(io.LimitReader(c, 1<<16))
			heard.Store(string(b[:n]) + string(all))
		})
		o := h.options(t)
		o.Security, o.Timeout, o.DialTimeout = StartTLS, time.Second, time.Second
		_, err := open(t, o).Discover(t.Context())
		wants(t, err, directory.Unavailable)
		if strings.Contains(heard.Load().(string), operator) {
			t.Errorf("%s: the password was sent", name)
		}
	}
}

func TestARefusedBindIsNotRepeated(t *testing.T) {
	s := startSlapd(t, variant{})
	now := time.Now()
	sys := open(t, s.options(), func(l *linked.Settings) {
		l.Secrets = map[string][]byte{"bindDN": []byte(operatorDN), "password": []byte("wrong")}
		l.Now = func() time.Time { return now }
	})
	for range 12 { // more than pwdMaxFailure
		_, err := sys.Find(t.Context(), "N", "x")
		wants(t, err, directory.Unauthenticated, "bindDN or password")
	}
	if !s.signsIn(operatorDN, operator) {
		t.Fatal("the bind account has been locked by our own tries")
	}
	if failures := s.get(operatorDN, "pwdFailureTime"); len(failures) > 1 {
		t.Errorf("it was tried %d times", len(failures))
	}
	s.set(operatorDN, "userPassword", "wrong") // as somebody mends it at the other end
	now = now.Add(bindPause)
	if _, err := sys.Find(t.Context(), "N", "x"); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

func TestAServerThatComesBackIsFoundAgain(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a := create(t, s, sys, "a")
	s.Kill()
	_, err := sys.Account(t.Context(), a.ID)
	wants(t, err, directory.Unavailable)
	wants(t, sys.Disable(t.Context(), a.ID, order), directory.Unavailable) // nothing was sent
	s.start()
	wants(t, sys.Disable(t.Context(), a.ID, order), "")
	s.Kill()
	s.start() // between two operations: the connection that was kept is dead
	if enabled, _ := account(t, sys, a.ID); enabled {
		t.Error("read as enabled")
	}
	sys.Close()
	_, err = sys.Account(t.Context(), a.ID)
	wants(t, err, directory.Unavailable)
}

func TestP11AServerThatStopsAnsweringCostsItsTimeAndNoMore(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a := create(t, s, sys, "a")
	o := s.options()
	o.Timeout = 300 * time.Millisecond
	impatient := open(t, o)
	s.Signal(syscall.SIGSTOP)
	_, err := impatient.Account(t.Context(), a.ID)
	wants(t, err, directory.Unavailable, "in time")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := sys.Account(ctx, a.ID); !errors.Is(err, context.Canceled) { // on a connection that is signed in
		t.Errorf("cancelled: %v", err)
	}
	s.Signal(syscall.SIGCONT)
	wants(t, sys.Disable(t.Context(), a.ID, order), "")
	if n := len(sys.client.places) + len(impatient.client.places); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// hostile is a server that does to each connection what a test wants.
type hostile struct {
	address string
	conns   atomic.Int32
	most    atomic.Int64 // bytes that one connection took
}

// counted is a connection whose bytes count.
type counted struct {
	net.Conn
	h     *hostile
	bytes int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes += int64(n)
	for most := c.h.most.Load(); c.bytes > most && !c.h.most.CompareAndSwap(most, c.bytes); most = c.h.most.Load() {
	}
	return n, err
}

func listen(t testing.TB, serve func(net.Conn)) *hostile {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{address: l.Addr().String()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var all []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.conns.Add(1)
			mu.Lock()
			all = append(all, c)
			mu.Unlock()
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				serve(&counted{Conn: c, h: h})
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range all {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return h
}

func (h *hostile) options(t testing.TB) Options {
	t.Helper()
	return Options{Endpoint: "ldap://" + h.address, Security: None, PeopleDN: peopleDN, Timeout: 20 * time.Second}
}

// result is an answer that is over.
func result(id int64, tag ber.Tag, code int) []byte {
	return message(id, tag, code, "").Bytes()
}

func message(id int64, tag ber.Tag, code int, text string) *ber.Packet {
	m := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, ""))
	m.AppendChild(op)
	return m
}

// found is one entry of a search.
func found(id int64, dn string, attributes ...string) []byte {
	m := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""))
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for i := 0; i < len(attributes); i += 2 {
		a := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
		a.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, attributes[i], ""))
		values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		values.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, attributes[i+1], ""))
		a.AppendChild(values)
		list.AppendChild(a)
	}
	op.AppendChild(list)
	m.AppendChild(op)
	return m.Bytes()
}

// asked reads requests, answers binds and looks at the root, and hands over all others.
func asked(c net.Conn, each func(id int64, op *ber.Packet) []byte) {
	for {
		p, err := ber.ReadPacket(c)
		if err != nil || len(p.Children) < 2 {
			return
		}
		id, _ := p.Children[0].Value.(int64)
		op := p.Children[1]
		var answer []byte
		switch {
		case op.Tag == goldap.ApplicationBindRequest:
			answer = result(id, goldap.ApplicationBindResponse, 0)
		case op.Tag == goldap.ApplicationSearchRequest && op.Children[0].Value == "":
			answer = append(found(id, "", "supportedControl", "1.2"), result(id, goldap.ApplicationSearchResultDone, 0)...)
		default:
			answer = each(id, op)
		}
		if answer == nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

const someID = "11111111-1111-1111-1111-111111111111"

// someone answers every search with one entry.
func someone(id int64, dn, uuid string) []byte {
	return append(found(id, dn, "entryUUID", uuid, "uid", "x", "employeeNumber", "N"), result(id, goldap.ApplicationSearchResultDone, 0)...)
}

func TestP11HostileServersCanNeitherHangNorExhaustNorMislead(t *testing.T) {
	// What lies between them keeps some megabytes; what is read beyond that is counted here.
	const between = 12 << 20
	atMost := map[string]int64{"endless entries": maxAnswer, "a huge value": maxMessage}
	deep := append(bytesOf(0x30, 40), bytesOf(0x02, 1)...)
	for name, serve := range map[string]func(net.Conn){
		"silent":       func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"gone at once": func(net.Conn) {},
		"another protocol": func(c net.Conn) {
			_, _ = io.WriteString(c, "220 mail.corp.example ESMTP\r\n")
			_, _ = io.Copy(io.Discard, c)
		},
		"noise":            func(c net.Conn) { flood(c, []byte{0xde, 0xad, 0xbe, 0xef}) },
		"unasked answers":  func(c net.Conn) { flood(c, result(77, goldap.ApplicationSearchResultDone, 0)) },
		"without a length": func(c net.Conn) { flood(c, []byte{0x30, 0x80, 0x02, 0x01, 0x01}) },
		"a huge length": func(c net.Conn) {
			_, _ = c.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff})
			flood(c, make([]byte, 1024))
		},
		"too deep":    func(c net.Conn) { flood(c, deep) },
		"a slow drip": func(c net.Conn) { drip(c, result(1, goldap.ApplicationBindResponse, 0)) },
		"endless entries": func(c net.Conn) {
			asked(c, func(id int64, _ *ber.Packet) []byte { flood(c, found(id, person("x"), "uid", "x")); return nil })
		},
		"endless small entries": func(c net.Conn) {
			asked(c, func(id int64, _ *ber.Packet) []byte { flood(c, found(id, "")); return nil })
		},
		"a huge value": func(c net.Conn) {
			asked(c, func(id int64, _ *ber.Packet) []byte {
				return append(found(id, person("x"), "entryUUID", someID, "cn", strings.Repeat("x", maxMessage)), result(id, goldap.ApplicationSearchResultDone, 0)...)
			})
		},
		"another id": func(c net.Conn) {
			asked(c, func(id int64, _ *ber.Packet) []byte {
				return someone(id, person("x"), "22222222-2222-2222-2222-222222222222")
			})
		},
		"another place": func(c net.Conn) {
			asked(c, func(id int64, _ *ber.Packet) []byte { return someone(id, operatorDN, someID) })
		},
		"no id": func(c net.Conn) {
			asked(c, func(id int64, _ *ber.Packet) []byte { return someone(id, person("x"), "") })
		},
		"two of one id": func(c net.Conn) {
			asked(c, func(id int64, _ *ber.Packet) []byte {
				return append(found(id, person("y"), "entryUUID", someID), someone(id, person("x"), someID)...)
			})
		},
		"another operation": func(c net.Conn) {
			asked(c, func(id int64, _ *ber.Packet) []byte { return result(id, goldap.ApplicationModifyResponse, 0) })
		},
		"referrals": func(c net.Conn) {
			asked(c, func(id int64, _ *ber.Packet) []byte {
				return result(id, goldap.ApplicationSearchResultDone, goldap.LDAPResultReferral)
			})
		},
		"nobody at all": func(c net.Conn) {
			asked(c, func(id int64, _ *ber.Packet) []byte { return result(id, goldap.ApplicationSearchResultDone, 0) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := listen(t, serve)
			o := h.options(t)
			o.Timeout = time.Second
			sys := open(t, o)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for what, err := range map[string]error{
				"disabling": sys.Disable(ctx, someID, order),
				"deleting":  sys.Delete(ctx, someID, order),
				"listing":   sys.List(ctx, func(linked.Account) error { return nil }),
			} {
				class := directory.ClassOf(err)
				if what == "listing" && (name == "another id" || name == "two of one id") { // a listing is what a server says
					continue
				}
				if ctx.Err() != nil || err == nil || class == directory.NotFound || class == directory.OutcomeUnknown {
					t.Errorf("%s: %v", what, err)
				}
			}
			if n := len(sys.client.places); n != 0 {
				t.Errorf("%d connections were not given back", n)
			}
			if most := h.most.Load(); most > atMost[name]+between {
				t.Errorf("a connection took %d bytes", most)
			}
		})
	}
}

// bytesOf is a nest of elements of a tag.
func bytesOf(tag byte, depth int) []byte {
	var b []byte
	for i := range depth {
		b = append(b, tag, byte(2*(depth-i-1)))
	}
	return b
}

func flood(c net.Conn, b []byte) {
	for len(b) < 4096 {
		b = append(b, b...)
	}
	for {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

func drip(c net.Conn, b []byte) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return
		}
		<-tick.C
	}
}

// paged ends a page that promises another one.
func paged(id int64, cookie byte, entries []byte) []byte {
	done := message(id, goldap.ApplicationSearchResultDone, 0, "")
	controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	controls.AppendChild((&goldap.ControlPaging{Cookie: []byte{cookie}}).Encode())
	done.AppendChild(controls)
	return append(entries, done.Bytes()...)
}

// numbered is one of many entries.
func numbered(id, n int64, attributes ...string) []byte {
	return found(id, person(fmt.Sprint("p", n)), append([]string{"entryUUID", fmt.Sprintf("00000000-0000-0000-0000-%012d", n), "uid", fmt.Sprint("p", n)}, attributes...)...)
}

// P11: how many pages, how long and how much a listing without end costs, and what is said of it.
func TestP5AListingWithoutEndIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		page  func(id, n int64) []byte
		tick  time.Duration // that a look at the clock takes
		most  int           // bytes
		words string
		calls int64
	}{
		"empty pages": {page: func(int64, int64) []byte { return nil }, words: "contradicts itself", calls: emptyPages},
		"one entry again and again": {page: func(id, _ int64) []byte {
			return found(id, person("x"), "entryUUID", someID, "uid", "x")
		}, words: "contradicts itself", calls: 2},
		"one at a time": {page: func(id, n int64) []byte { return numbered(id, n) }, words: "given up after 100 pages, which brought 100 entries", calls: grace},
		"slowly": {page: func(id, n int64) (page []byte) {
			for i := range int64(fewest) {
				page = append(page, numbered(id, n*fewest+i)...)
			}
			return page
		}, tick: time.Minute, words: "does not end", calls: 61},
		"much": {page: func(id, n int64) []byte { return numbered(id, n, "cn", strings.Repeat("x", 1<<17)) }, most: 1 << 20, words: "larger than is believed", calls: 8},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			h := listen(t, func(conn net.Conn) {
				asked(conn, func(id int64, _ *ber.Packet) []byte {
					i := n.Add(1)
					return paged(id, byte(i), c.page(id, i))
				})
			})
			now := time.Now()
			sys := open(t, h.options(t), func(l *linked.Settings) {
				l.Now = func() time.Time { now = now.Add(c.tick); return now }
			})
			sys.mostBytes = cmp.Or(c.most, mostBytes)
			err := sys.eachPage(t.Context(), query{base: peopleDN, filter: anything, attributes: sys.wanted(entryUUID)}, pageSize, func(*goldap.Entry) error { return nil })
			if err == nil || !strings.Contains(err.Error(), c.words) || n.Load() > c.calls {
				t.Errorf("%d pages: %v", n.Load(), err)
			}
			if err := sys.List(t.Context(), func(linked.Account) error { return nil }); err == nil {
				t.Error("it is a listing")
			}
		})
	}
}

// P11: a server that makes up groups costs so many calls and so much time.
func TestP11MadeUpGroupsEnd(t *testing.T) {
	var most, writes atomic.Int64
	most.Store(mostIn + 1)
	h := listen(t, func(c net.Conn) {
		asked(c, func(id int64, op *ber.Packet) []byte {
			if op.Tag != goldap.ApplicationSearchRequest {
				writes.Add(1)
				return result(id, op.Tag+1, 0)
			}
			if op.Children[0].Value != groupsDN {
				return someone(id, person("x"), someID)
			}
			var all []byte
			for i := range most.Load() {
				all = append(all, found(id, fmt.Sprintf("cn=g%d,%s", i, groupsDN), "objectClass", "groupOfNames")...)
			}
			return append(all, result(id, goldap.ApplicationSearchResultDone, 0)...)
		})
	})
	o := h.options(t)
	o.GroupsDN = groupsDN
	now := time.Now()
	sys := open(t, o, func(l *linked.Settings) {
		l.Now = func() time.Time { now = now.Add(time.Minute); return now }
	})
	wants(t, sys.Unlink(t.Context(), someID, order), directory.NotSupported, "1001 groups")
	if writes.Load() > 0 {
		t.Errorf("%d changes", writes.Load())
	}
	most.Store(mostIn)
	wants(t, sys.Unlink(t.Context(), someID, order), directory.Unavailable, "given up, and tried again")
	if n := writes.Load(); n < 10 || n > 40 {
		t.Errorf("%d changes in half an hour at one a minute", n)
	}
}

// A Secret that was made of a file has a line break at its end.
func TestALineBreakAtTheEndIsNotOfThePassword(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options(), func(l *linked.Settings) {
		l.Secrets = map[string][]byte{"bindDN": []byte(operatorDN + "\n"), "password": []byte(operator + "\r\n")}
	})
	_, err := sys.Discover(t.Context())
	wants(t, err, "")
}

func TestP3AWriteWhoseAnswerIsLostIsUnknownAndNotRepeated(t *testing.T) {
	for name, tag := range map[string]ber.Tag{
		"modify": goldap.ApplicationModifyRequest, "delete": goldap.ApplicationDelRequest, "add": goldap.ApplicationAddRequest,
		"rename": goldap.ApplicationModifyDNRequest,
	} {
		var writes, reads atomic.Int32
		h := listen(t, func(c net.Conn) {
			asked(c, func(id int64, op *ber.Packet) []byte {
				if op.Tag == tag {
					writes.Add(1)
					return nil // and hangs up
				}
				reads.Add(1)
				return someone(id, person("x"), someID)
			})
		})
		o := h.options(t)
		o.DisabledDN = disabledDN
		sys := open(t, o, func(l *linked.Settings) {
			l.Spend = func(ctx context.Context, operation string, call func(context.Context) error) error {
				if err := call(ctx); err != nil { // a budget that has words of its own
					return &directory.Error{Class: directory.Unavailable, Operation: operation, Message: "it does not answer", Err: err}
				}
				return nil
			}
		})
		if _, err := sys.lookup(t.Context(), someID); err != nil { // so that the write is on a connection from before
			t.Fatal(err)
		}
		var err error
		switch name {
		case "modify":
			err = sys.Disable(t.Context(), someID, order)
		case "delete":
			err = sys.Delete(t.Context(), someID, order)
		case "add":
			_, err = sys.Create(t.Context(), wish("y"), order)
		case "rename":
			err = sys.Unlink(t.Context(), someID, order)
		}
		if directory.ClassOf(err) != directory.OutcomeUnknown || writes.Load() != 1 {
			t.Errorf("%s: %v, sent %d times", name, err, writes.Load())
		}
	}
}

func TestAReadOnADeadConnectionIsMadeOnceMore(t *testing.T) {
	var reads atomic.Int32
	h := listen(t, func(c net.Conn) {
		served := 0
		asked(c, func(id int64, _ *ber.Packet) []byte {
			reads.Add(1)
			if served++; served > 1 {
				return nil // every connection serves one search only
			}
			return someone(id, person("x"), someID)
		})
	})
	sys := open(t, h.options(t))
	for range 3 {
		if _, err := sys.lookup(t.Context(), someID); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.conns.Load(); n != 3 || reads.Load() != 5 {
		t.Errorf("%d connections, %d reads", n, reads.Load())
	}
}

func TestP5AnEntryThatMovesWhileItIsLookedForIsFound(t *testing.T) {
	var n atomic.Int32
	h := listen(t, func(c net.Conn) {
		asked(c, func(id int64, _ *ber.Packet) []byte {
			if n.Add(1) < 3 { // not yet there, and no longer there
				return result(id, goldap.ApplicationSearchResultDone, 0)
			}
			return someone(id, person("x"), someID)
		})
	})
	o := h.options(t)
	o.DisabledDN = disabledDN
	if _, err := open(t, o).lookup(t.Context(), someID); err != nil {
		t.Error(err)
	}
}

func TestP3AServerThatIgnoresItsFilterFindsNobody(t *testing.T) {
	h := listen(t, func(c net.Conn) {
		asked(c, func(id int64, _ *ber.Packet) []byte { return someone(id, person("x"), someID) })
	})
	sys := open(t, h.options(t))
	if all, err := sys.Find(t.Context(), "M", "y"); err != nil || len(all) != 0 {
		t.Errorf("found %v, %v", all, err)
	}
	if all, err := sys.Find(t.Context(), "N", "y"); err != nil || len(all) != 1 {
		t.Errorf("found %v, %v", all, err)
	}
}

func TestABusyServerSlowsTheBudgetDown(t *testing.T) {
	h := listen(t, func(c net.Conn) {
		asked(c, func(id int64, op *ber.Packet) []byte {
			if op.Tag == goldap.ApplicationSearchRequest {
				return someone(id, person("x"), someID)
			}
			return result(id, op.Tag+1, codeBusy) // each answer's tag follows its request's (RFC 4511, appendix B)
		})
	})
	var throttled, answered []string
	sys := open(t, h.options(t), func(l *linked.Settings) {
		l.Throttled = func(operation string, after time.Duration) {
			throttled = append(throttled, operation+" "+after.String())
		}
		l.Answered = func(operation string, class directory.Class) {
			answered = append(answered, operation+" "+string(class))
		}
	})
	wants(t, sys.Disable(t.Context(), someID, order), directory.Unavailable, "busy")
	if !slices.Equal(throttled, []string{"modify 0s"}) || !slices.Equal(answered, []string{"search ", "search ", "modify Unavailable"}) {
		t.Errorf("throttled %q, answered %q", throttled, answered)
	}
}

func TestWhatIsCancelledIsNotBegun(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	create(t, s, sys, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // whichever way it turns
		err := sys.client.do(ctx, &request{operation: "delete", write: true, do: func(*goldap.Conn) error {
			t.Error("begun")
			return nil
		}})
		if directory.ClassOf(err) != directory.Unavailable || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}
