package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// What is in the directory of a Slapd. The bind account is not the root of the database, which no rule and no password
// policy applies to.
const (
	SlapdSuffix     = "dc=corp,dc=example"
	SlapdPeople     = "ou=people," + SlapdSuffix
	SlapdDisabled   = "ou=disabled," + SlapdSuffix
	SlapdGroups     = "ou=groups," + SlapdSuffix
	SlapdPolicy     = "cn=default,ou=policies," + SlapdSuffix
	SlapdAdmin      = "cn=admin," + SlapdSuffix
	SlapdAdminWord  = "the admin's"
	SlapdOperator   = "cn=operator,ou=services," + SlapdSuffix
	SlapdBlind      = "cn=blind,ou=services," + SlapdSuffix // who does not see people
	SlapdSecretWord = "the operator's"                      // of both
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

const slapdRefint = "overlay refint\nrefint_attributes member uniqueMember manager"

const slapdRights = `access to attrs=userPassword by dn.exact="cn=operator,ou=services,dc=corp,dc=example" write by self write by anonymous auth by * none
access to dn.children="ou=people,dc=corp,dc=example" by dn.exact="cn=blind,ou=services,dc=corp,dc=example" none by * break
access to dn.subtree="dc=corp,dc=example" by dn.exact="cn=operator,ou=services,dc=corp,dc=example" write by users read by * none
`

// SlapdOptions are how a server differs from the others.
type SlapdOptions struct {
	Global   string // lines of the configuration
	Database string
	Rights   string // instead of the usual ones
	Overlays string // instead of refint
	NoLock   bool   // pwdLockout FALSE
}

// Slapd is a running slapd of OpenLDAP, which `make bin/tools/slapd/slapd` fetches.
type Slapd struct {
	// Dir has its files, LDAP and LDAPS are its addresses, Authority signed its certificate.
	Dir, LDAP, LDAPS string
	Authority        *Authority

	cmd    *exec.Cmd
	log    *bytes.Buffer
	exited chan struct{}
}

// StartSlapd starts one, with its files in dir, on free ports of loopback, and fills it with what is in every directory.
// Kill it.
func StartSlapd(ctx context.Context, dir string, o SlapdOptions) (*Slapd, error) {
	s := &Slapd{Dir: dir}
	err := s.configure(o)
	for _, address := range []*string{&s.LDAP, &s.LDAPS} {
		if err == nil {
			*address, err = freeAddress(ctx)
		}
	}
	if err == nil {
		err = s.Start(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("starting slapd: %w", err)
	}
	if err := s.fill(o); err != nil {
		s.Kill()
		return nil, fmt.Errorf("filling slapd: %w", err)
	}
	return s, nil
}

// tool is what make has put into bin/tools.
func tool(name string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../../bin/tools", name)
}

func (s *Slapd) configure(o SlapdOptions) error {
	if err := os.Mkdir(filepath.Join(s.Dir, "db"), 0o700); err != nil {
		return err
	}
	var cert, key []byte
	var err error
	if s.Authority, err = NewAuthority(); err == nil {
		cert, key, err = s.Authority.Issue()
	}
	if err != nil {
		return err
	}
	if o.Overlays == "" {
		o.Overlays = slapdRefint
	}
	if o.Rights == "" {
		o.Rights = slapdRights
	}
	conf := strings.NewReplacer("SCHEMA", tool("slapd/schema"), "MODULES", tool("slapd/modules"), "DIR", s.Dir,
		"GLOBAL", o.Global, "DATABASE", o.Database, "RIGHTS", o.Rights, "OVERLAYS", o.Overlays).Replace(slapdConf)
	for name, content := range map[string][]byte{"ca.pem": s.Authority.PEM, "server.pem": cert, "server.key": key, "slapd.conf": []byte(conf)} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// Start runs the server, again after Kill, and waits until it answers.
func (s *Slapd) Start(ctx context.Context) error {
	s.log = &bytes.Buffer{}
	s.cmd = exec.Command(tool("slapd/slapd"), "-f", filepath.Join(s.Dir, "slapd.conf"), //nolint:noctx // Kill ends it
		"-h", "ldap://"+s.LDAP+" ldaps://"+s.LDAPS, "-d", "0")
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("fetch it with make bin/tools/slapd/slapd: %w", err)
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
			return fmt.Errorf("it ended at once: %s", s.log)
		case <-ctx.Done():
			s.Kill()
			return ctx.Err()
		case <-tick.C:
		}
		if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.LDAPS); err == nil {
			return c.Close()
		}
	}
}

// Signal sends it one, e.g. SIGSTOP.
func (s *Slapd) Signal(sig syscall.Signal) { _ = syscall.Kill(-s.cmd.Process.Pid, sig) }

// Kill ends it, if it has not ended.
func (s *Slapd) Kill() {
	select {
	case <-s.exited:
	default:
		s.Signal(syscall.SIGKILL)
		<-s.exited
	}
}

// Bind signs somebody in. Close the connection.
func (s *Slapd) Bind(dn, password string) (*goldap.Conn, error) {
	k, err := goldap.DialURL("ldap://" + s.LDAP)
	if err != nil {
		return nil, err
	}
	if err := k.Bind(dn, password); err != nil {
		_ = k.Close()
		return nil, err
	}
	return k, nil
}

// SignsIn says whether somebody can. An error is another one than that the name or the password is refused.
func (s *Slapd) SignsIn(dn, password string) (bool, error) {
	k, err := s.Bind(dn, password)
	if err == nil {
		return true, k.Close()
	}
	if !goldap.IsErrorWithCode(err, goldap.LDAPResultInvalidCredentials) {
		return false, err
	}
	return false, nil
}

// Set replaces an attribute, as the root of the database.
func (s *Slapd) Set(dn, attribute string, values ...string) error {
	k, err := s.Bind(SlapdAdmin, SlapdAdminWord)
	if err != nil {
		return err
	}
	defer func() { _ = k.Close() }()
	m := goldap.NewModifyRequest(dn, nil)
	m.Replace(attribute, values)
	return k.Modify(m)
}

// Get reads an attribute, as the root of the database; nil if there is no such entry.
func (s *Slapd) Get(dn, attribute string) ([]string, error) {
	k, err := s.Bind(SlapdAdmin, SlapdAdminWord)
	if err != nil {
		return nil, err
	}
	defer func() { _ = k.Close() }()
	r, err := k.Search(goldap.NewSearchRequest(dn, goldap.ScopeBaseObject, goldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{attribute}, nil))
	if goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]string{}, r.Entries[0].GetAttributeValues(attribute)...), nil
}

// fill makes the entries that are there before anybody comes.
func (s *Slapd) fill(o SlapdOptions) error {
	k, err := s.Bind(SlapdAdmin, SlapdAdminWord)
	if err != nil {
		return err
	}
	errs := []error{Add(k, SlapdSuffix, "objectClass", "dcObject", "objectClass", "organization", "dc", "corp", "o", "Corp")}
	for _, ou := range []string{"people", "disabled", "groups", "policies", "services"} {
		errs = append(errs, Add(k, "ou="+ou+","+SlapdSuffix, "objectClass", "organizationalUnit", "ou", ou))
	}
	lockout := "TRUE"
	if o.NoLock {
		lockout = "FALSE"
	}
	errs = append(errs, Add(k, SlapdPolicy, "objectClass", "device", "objectClass", "pwdPolicy", "cn", "default", "pwdAttribute", "userPassword",
		"pwdLockout", lockout, "pwdMaxFailure", "5", "pwdLockoutDuration", "300"))
	for _, dn := range []string{SlapdOperator, SlapdBlind} {
		errs = append(errs, Add(k, dn, "objectClass", "organizationalRole", "objectClass", "simpleSecurityObject",
			"cn", strings.TrimPrefix(strings.Split(dn, ",")[0], "cn="), "userPassword", SlapdSecretWord))
	}
	return errors.Join(append(errs, k.Close())...)
}

// Add adds an entry of attributes and values in turns.
func Add(k *goldap.Conn, dn string, pairs ...string) error {
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
		return fmt.Errorf("adding %s: %w", dn, err)
	}
	return nil
}
