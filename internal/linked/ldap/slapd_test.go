package ldap

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// The real server: OpenLDAP's slapd, fetched by `make bin/tools/slapd/slapd`, one for each test. The bind account is not
// the root of the database, which no rule and no password policy applies to.
const (
	suffix     = "dc=corp,dc=example"
	peopleDN   = "ou=people," + suffix
	disabledDN = "ou=disabled," + suffix
	groupsDN   = "ou=groups," + suffix
	policyDN   = "cn=default,ou=policies," + suffix
	adminDN    = "cn=admin," + suffix
	adminPass  = "the admin's"
	operatorDN = "cn=operator,ou=services," + suffix
	operator   = "the operator's"
	blindDN    = "cn=blind,ou=services," + suffix
)

const slapdConf = `
include SCHEMA/core.schema
include SCHEMA/cosine.schema
include SCHEMA/nis.schema
include SCHEMA/inetorgperson.schema
pidfile DIR/slapd.pid
modulepath MODULES
moduleload back_mdb
moduleload ppolicy
moduleload memberof
moduleload refint
moduleload unique
TLSCACertificateFile DIR/ca.pem
TLSCertificateFile DIR/server.pem
TLSCertificateKeyFile DIR/server.key
GLOBAL
database mdb
suffix "dc=corp,dc=example"
rootdn "cn=admin,dc=corp,dc=example"
rootpw "the admin's"
directory DIR/db
maxsize 104857600
dbnosync
index objectClass,entryCSN,entryUUID eq
index uid,mail,employeeNumber,member eq
RIGHTS
DATABASE
overlay ppolicy
ppolicy_default "cn=default,ou=policies,dc=corp,dc=example"
ppolicy_hash_cleartext
ppolicy_use_lockout
overlay memberof
memberof-refint true
OVERLAYS
overlay unique
unique_uri ldap:///ou=people,dc=corp,dc=example?uid,mail,employeeNumber?sub
`

const refint = "overlay refint\nrefint_attributes member uniqueMember manager"

const rights = `access to attrs=userPassword by dn.exact="cn=operator,ou=services,dc=corp,dc=example" write by self write by anonymous auth by * none
access to dn.children="ou=people,dc=corp,dc=example" by dn.exact="cn=blind,ou=services,dc=corp,dc=example" none by * break
access to dn.subtree="dc=corp,dc=example" by dn.exact="cn=operator,ou=services,dc=corp,dc=example" write by users read by * none
`

// variant is how a server differs from the others.
type variant struct {
	global   string // lines of the configuration
	database string
	rights   string // instead of rights
	overlays string // instead of refint
	noLock   bool   // pwdLockout FALSE
}

// slapd is a running server.
type slapd struct {
	t           testing.TB
	dir         string
	ldap, ldaps string // addresses
	ca          *authority
	cmd         *exec.Cmd
	log         *bytes.Buffer
	exited      chan struct{}
}

func tool(name string) string {
	wd, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Join(wd, "../../../bin/tools", name)
}

func startSlapd(t testing.TB, v variant) *slapd {
	t.Helper()
	s := &slapd{t: t, dir: t.TempDir(), ca: newAuthority(t)}
	if err := os.Mkdir(filepath.Join(s.dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	cert, key := s.ca.issue(t)
	if v.overlays == "" {
		v.overlays = refint
	}
	if v.rights == "" {
		v.rights = rights
	}
	conf := strings.NewReplacer("SCHEMA", tool("slapd/schema"), "MODULES", tool("slapd/modules"), "DIR", s.dir,
		"GLOBAL", v.global, "DATABASE", v.database, "RIGHTS", v.rights, "OVERLAYS", v.overlays).Replace(slapdConf)
	for name, content := range map[string][]byte{"ca.pem": s.ca.pem, "server.pem": cert, "server.key": key, "slapd.conf": []byte(conf)} {
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.ldap, s.ldaps = freeAddress(t), freeAddress(t)
	s.start()
	t.Cleanup(s.kill)
	s.fill(v)
	return s
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// start runs the server and waits until it answers.
func (s *slapd) start() {
	s.t.Helper()
	s.log = &bytes.Buffer{}
	s.cmd = exec.Command(tool("slapd/slapd"), "-f", filepath.Join(s.dir, "slapd.conf"), "-h", "ldap://"+s.ldap+" ldaps://"+s.ldaps, "-d", "0")
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("starting slapd (fetch it with: make bin/tools/slapd/slapd): %v", err)
	}
	s.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait()
		close(exited)
	}(s.cmd, s.exited)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.exited:
			s.t.Fatalf("slapd ended at once: %s", s.log)
		case <-tick.C:
		}
		if c, err := net.Dial("tcp", s.ldaps); err == nil {
			_ = c.Close()
			return
		}
	}
}

func (s *slapd) signal(sig syscall.Signal) { _ = syscall.Kill(-s.cmd.Process.Pid, sig) }

func (s *slapd) kill() {
	select {
	case <-s.exited:
	default:
		s.signal(syscall.SIGKILL)
		<-s.exited
	}
}

// admin is the root of the database.
func (s *slapd) admin() *goldap.Conn {
	s.t.Helper()
	k, err := s.bind(adminDN, adminPass)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = k.Close() })
	return k
}

func (s *slapd) bind(dn, password string) (*goldap.Conn, error) {
	k, err := goldap.DialURL("ldap://" + s.ldap)
	if err != nil {
		return nil, err
	}
	if err := k.Bind(dn, password); err != nil {
		_ = k.Close()
		return nil, err
	}
	return k, nil
}

// signsIn says whether somebody can.
func (s *slapd) signsIn(dn, password string) bool {
	s.t.Helper()
	k, err := s.bind(dn, password)
	if err == nil {
		_ = k.Close()
		return true
	}
	if !goldap.IsErrorWithCode(err, goldap.LDAPResultInvalidCredentials) {
		s.t.Fatalf("signing in as %s: %v", dn, err)
	}
	return false
}

// fill makes the entries that are there before anybody comes.
func (s *slapd) fill(v variant) {
	s.t.Helper()
	a := s.admin()
	s.add(a, suffix, "objectClass", "dcObject", "objectClass", "organization", "dc", "corp", "o", "Corp")
	for _, ou := range []string{"people", "disabled", "groups", "policies", "services"} {
		s.add(a, "ou="+ou+","+suffix, "objectClass", "organizationalUnit", "ou", ou)
	}
	lockout := "TRUE"
	if v.noLock {
		lockout = "FALSE"
	}
	s.add(a, policyDN, "objectClass", "device", "objectClass", "pwdPolicy", "cn", "default", "pwdAttribute", "userPassword",
		"pwdLockout", lockout, "pwdMaxFailure", "5", "pwdLockoutDuration", "300")
	for _, dn := range []string{operatorDN, blindDN} {
		s.add(a, dn, "objectClass", "organizationalRole", "objectClass", "simpleSecurityObject",
			"cn", strings.TrimPrefix(strings.Split(dn, ",")[0], "cn="), "userPassword", operator)
	}
}

// add adds an entry of attributes and values in turns.
func (s *slapd) add(k *goldap.Conn, dn string, pairs ...string) {
	s.t.Helper()
	r := goldap.NewAddRequest(dn, nil)
	values := map[string][]string{}
	var order []string
	for i := 0; i < len(pairs); i += 2 {
		if !slices.Contains(order, pairs[i]) {
			order = append(order, pairs[i])
		}
		values[pairs[i]] = append(values[pairs[i]], pairs[i+1])
	}
	for _, name := range order {
		r.Attribute(name, values[name])
	}
	if err := k.Add(r); err != nil {
		s.t.Fatalf("adding %s: %v", dn, err)
	}
}

// set replaces an attribute, as the administrator.
func (s *slapd) set(dn, attribute string, values ...string) {
	s.t.Helper()
	m := goldap.NewModifyRequest(dn, nil)
	m.Replace(attribute, values)
	if err := s.admin().Modify(m); err != nil {
		s.t.Fatalf("setting %s of %s: %v", attribute, dn, err)
	}
}

// get reads an attribute; nil if there is no such entry.
func (s *slapd) get(dn, attribute string) []string {
	s.t.Helper()
	r, err := s.admin().Search(goldap.NewSearchRequest(dn, goldap.ScopeBaseObject, goldap.NeverDerefAliases, 0, 0, false, anything, []string{attribute}, nil))
	if goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject) {
		return nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return append([]string{}, r.Entries[0].GetAttributeValues(attribute)...)
}

func (s *slapd) exists(dn string) bool { return s.get(dn, "objectClass") != nil }

func person(uid string) string { return "uid=" + uid + "," + peopleDN }

func parked(uid string) string { return "uid=" + uid + "," + disabledDN }

// options reach the server by StartTLS.
func (s *slapd) options() Options {
	return Options{
		Endpoint: "ldap://" + s.ldap, CABundle: s.ca.pem, PeopleDN: peopleDN, DisabledDN: disabledDN, GroupsDN: groupsDN,
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

// authority signs certificates.
type authority struct {
	pem  []byte
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serial struct {
	sync.Mutex
	n int64
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.pem, _ = sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	return a
}

// issue makes the certificate of 127.0.0.1.
func (a *authority) issue(t testing.TB) (cert, key []byte) {
	t.Helper()
	_, _, cert, key = sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "slapd"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a)
	return cert, key
}

func sign(t testing.TB, c *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey, []byte, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial.Lock()
	serial.n++
	c.SerialNumber = big.NewInt(serial.n)
	serial.Unlock()
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return made, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

func (s *slapd) String() string { return fmt.Sprintf("slapd at %s", s.ldap) }

// rewrite changes the configuration of a server that is stopped.
func (s *slapd) rewrite(from, to string) {
	s.t.Helper()
	path := filepath.Join(s.dir, "slapd.conf")
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
