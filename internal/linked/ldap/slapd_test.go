package ldap

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/test/peers"
)

// The real server is peers.Slapd, one for each test.
const (
	suffix     = peers.SlapdSuffix
	peopleDN   = peers.SlapdPeople
	disabledDN = peers.SlapdDisabled
	groupsDN   = peers.SlapdGroups
	policyDN   = peers.SlapdPolicy
	adminDN    = peers.SlapdAdmin
	adminPass  = peers.SlapdAdminWord
	operatorDN = peers.SlapdOperator
	operator   = peers.SlapdSecretWord
	blindDN    = peers.SlapdBlind
)

// variant is how a server differs from the others.
type variant = peers.SlapdOptions

// slapd is a running server.
type slapd struct {
	*peers.Slapd
	t testing.TB
}

func startSlapd(t testing.TB, v variant) *slapd {
	t.Helper()
	s, err := peers.StartSlapd(t.Context(), t.TempDir(), v)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return &slapd{s, t}
}

// start runs a server that was killed.
func (s *slapd) start() {
	s.t.Helper()
	if err := s.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// admin is the root of the database.
func (s *slapd) admin() *goldap.Conn {
	s.t.Helper()
	k, err := s.Bind(adminDN, adminPass)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = k.Close() })
	return k
}

// signsIn says whether somebody can.
func (s *slapd) signsIn(dn, password string) bool {
	s.t.Helper()
	can, err := s.SignsIn(dn, password)
	if err != nil {
		s.t.Fatalf("signing in as %s: %v", dn, err)
	}
	return can
}

// add adds an entry of attributes and values in turns.
func (s *slapd) add(k *goldap.Conn, dn string, pairs ...string) {
	s.t.Helper()
	if err := peers.Add(k, dn, pairs...); err != nil {
		s.t.Fatal(err)
	}
}

// set replaces an attribute, as the administrator.
func (s *slapd) set(dn, attribute string, values ...string) {
	s.t.Helper()
	if err := s.Set(dn, attribute, values...); err != nil {
		s.t.Fatalf("setting %s of %s: %v", attribute, dn, err)
	}
}

// get reads an attribute; nil if there is no such entry.
func (s *slapd) get(dn, attribute string) []string {
	s.t.Helper()
	values, err := s.Get(dn, attribute)
	if err != nil {
		s.t.Fatal(err)
	}
	return values
}

func (s *slapd) exists(dn string) bool { return s.get(dn, "objectClass") != nil }

func person(uid string) string { return "uid=" + uid + "," + peopleDN }

func parked(uid string) string { return "uid=" + uid + "," + disabledDN }

// options reach the server by StartTLS.
func (s *slapd) options() Options {
	return Options{
		Endpoint: "ldap://" + s.LDAP, CABundle: s.Authority.PEM, PeopleDN: peopleDN, DisabledDN: disabledDN, GroupsDN: groupsDN,
		Timeout: 20 * time.Second,
	}
}

func settings(o ...func(*linked.Settings)) linked.Settings {
	s := linked.Settings{
		Secrets:    map[string][]byte{"bindDN": []byte(operatorDN), "password": []byte(operator)},
		Attributes: []string{"cn", "sn", "mail", "title", "description"},
		Spend:      func(ctx context.Context, _ string, call func(context.Context) error) error { return call(ctx) },
		Throttled:  func(string, time.Duration) {},
		Answered:   func(string, directory.Class) {},
		Now:        time.Now,
	}
	for _, f := range o {
		f(&s)
	}
	return s
}

// open makes the system; change what differs.
func open(t testing.TB, o Options, change ...func(*linked.Settings)) *system {
	t.Helper()
	made, err := New(o, settings(change...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	return made.(*system)
}

// wish is somebody's account.
func wish(uid string) linked.Wish {
	return linked.Wish{Login: uid, Number: "N-" + uid, Attributes: map[string][]string{"cn": {"Name of " + uid}, "sn": {uid}, "mail": {uid + "@corp.example"}}}
}

var order = linked.Order{Key: "k", Reason: "a test"}

// create makes an account with a password that an administrator gave it.
func create(t testing.TB, s *slapd, sys linked.System, uid string) linked.Account {
	t.Helper()
	a, err := sys.Create(t.Context(), wish(uid), order)
	if err != nil {
		t.Fatal(err)
	}
	s.set(person(uid), "userPassword", password)
	return a
}

const password = "correct horse"

// wants fails unless err has the class and the words.
func wants(t testing.TB, err error, class directory.Class, words ...string) {
	t.Helper()
	if directory.ClassOf(err) != class || (err == nil) != (class == "") {
		t.Fatalf("got %v, want class %q", err, class)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q lacks %q", err, w)
		}
	}
}

// rewrite changes the configuration of a server that is stopped.
func (s *slapd) rewrite(from, to string) {
	s.t.Helper()
	path := filepath.Join(s.Dir, "slapd.conf")
	conf, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	changed := strings.Replace(string(conf), from, to, 1)
	if changed == string(conf) {
		s.t.Fatalf("the configuration has no %q", from)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		s.t.Fatal(err)
	}
}
