package ldap

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// Security of an ldap:// endpoint.
type Security string

// How a connection is secured. Empty is StartTLS.
const (
	StartTLS Security = "StartTLS"
	None     Security = "None" // to loopback only
)

// Disabling is how an account is locked.
type Disabling string

// The ways to lock an account. Empty is PasswordPolicy.
const (
	PasswordPolicy     Disabling = "PasswordPolicy"
	NSAccountLock      Disabling = "NSAccountLock"
	UserAccountControl Disabling = "UserAccountControl"
	ScramblePassword   Disabling = "ScramblePassword"
)

// Options of one directory. Zero values mean the defaults given with each field.
type Options struct {
	// Endpoint is ldaps://host[:port] or ldap://host[:port].
	Endpoint string
	// Security of ldap://; StartTLS.
	Security Security
	// CABundle is PEM: the only authorities trusted. Empty = the system's.
	CABundle []byte
	// PeopleDN is the entry below which accounts are. Required.
	PeopleDN string
	// DisabledDN is the entry below which unlinked accounts are kept. Empty = they stay where they are.
	DisabledDN string
	// GroupsDN is the entry below which memberships are taken away. Empty = none are.
	GroupsDN string
	// LoginAttribute is the login and the name of a new entry; uid.
	LoginAttribute string
	// NumberAttribute carries the employee number; employeeNumber.
	NumberAttribute string
	// ObjectClasses of a new account, of which every account has the first; inetOrgPerson.
	ObjectClasses []string
	// Disabling; PasswordPolicy.
	Disabling Disabling
	// DialTimeout is for connecting, and again for the TLS handshake; 10 s.
	DialTimeout time.Duration
	// Timeout is for one operation, connecting and signing in included; 30 s.
	Timeout time.Duration
}

// attributeName is RFC 4512's descr (section 1.4).
var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)

// reserved are attributes that a mapping may not write: who somebody is, whether they may sign in, and what
// they belong to is not a matter of mappings. Rollcall sets no passwords.
var reserved = []string{
	"objectclass", "entryuuid", "objectguid", "userpassword", "unicodepwd", "pwdaccountlockedtime", "pwdpolicysubentry", "pwdreset",
	"nsaccountlock", "useraccountcontrol", "member", "uniquemember", "memberuid", "memberof",
}

// New makes the linked system of an LDAP directory; nothing is connected yet. The keys of its Secret are bindDN and
// password.
func New(o Options, s linked.Settings) (linked.System, error) {
	o.Security = cmp.Or(o.Security, StartTLS)
	o.LoginAttribute = cmp.Or(o.LoginAttribute, "uid")
	o.NumberAttribute = cmp.Or(o.NumberAttribute, "employeeNumber")
	o.Disabling = cmp.Or(o.Disabling, PasswordPolicy)
	if len(o.ObjectClasses) == 0 {
		o.ObjectClasses = []string{"inetOrgPerson"}
	}
	c, err := newClient(o, s)
	if err != nil {
		return nil, err
	}
	sys := &system{o: o, client: c, mapped: slices.Clone(s.Attributes), page: pageSize, mostBytes: mostBytes}
	if err := sys.checkNames(); err != nil {
		return nil, err
	}
	if err := sys.parseDNs(); err != nil {
		return nil, err
	}
	return sys, nil
}

// setup is the operation of errors that New returns.
const setup = "setup"

func newClient(o Options, s linked.Settings) (*client, error) {
	c := &client{
		bindDN: secret(s, "bindDN"), password: secret(s, "password"), spend: s.Spend,
		throttled: s.Throttled, answered: s.Answered, now: s.Now,
		dialTimeout: cmp.Or(o.DialTimeout, 10*time.Second), timeout: cmp.Or(o.Timeout, 30*time.Second),
		places: make(chan struct{}, connections),
	}
	if c.spend == nil || c.throttled == nil || c.answered == nil || c.now == nil {
		return nil, problem(directory.Invalid, setup, "the settings are not complete")
	}
	// A DN with an empty password is not a sign-in but an anonymous session (RFC 4513, section 5.1.2).
	if c.bindDN == "" || c.password == "" {
		return nil, problem(directory.Invalid, setup, "the credentials need bindDN and password, neither of them empty")
	}
	return c, c.locate(o)
}

// secret is a value of the Secret. A line break at its end is common, and never meant.
func secret(s linked.Settings, key string) string {
	return strings.TrimRight(string(s.Secrets[key]), "\r\n")
}

// locate reads the endpoint.
func (c *client) locate(o Options) error {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Hostname() == "" || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) {
		return problem(directory.Invalid, setup, "the endpoint must be ldaps://host[:port] or ldap://host[:port]")
	}
	host, port := u.Hostname(), u.Port()
	switch {
	case u.Scheme == "ldaps" && o.Security == StartTLS:
		port = cmp.Or(port, goldap.DefaultLdapsPort)
	case u.Scheme == "ldap" && o.Security == StartTLS:
		port, c.startTLS = cmp.Or(port, goldap.DefaultLdapPort), true
	case u.Scheme == "ldap" && o.Security == None && loopback(host):
		c.address = net.JoinHostPort(host, cmp.Or(port, goldap.DefaultLdapPort))
		return nil
	case u.Scheme == "ldap" && o.Security == None:
		return problem(directory.Invalid, setup, "security None is allowed to loopback only, because the password travels on it")
	default:
		return problem(directory.Invalid, setup, "the endpoint must be ldaps://, or ldap:// with the security StartTLS or None")
	}
	c.address = net.JoinHostPort(host, port)
	return c.trust(host, o.CABundle)
}

// trust sets TLS up.
func (c *client) trust(host string, bundle []byte) error {
	c.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if len(bundle) > 0 {
		c.tls.RootCAs = x509.NewCertPool()
		if !c.tls.RootCAs.AppendCertsFromPEM(bundle) {
			return problem(directory.Invalid, setup, "the CA bundle has no PEM certificate")
		}
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (s *system) checkNames() error {
	for _, name := range slices.Concat([]string{s.o.LoginAttribute, s.o.NumberAttribute}, s.o.ObjectClasses, s.mapped) {
		if !attributeName.MatchString(name) {
			return problem(directory.Invalid, setup, "an attribute or object class has a name that LDAP does not have: ", name)
		}
	}
	for i, name := range s.mapped {
		switch lower := strings.ToLower(name); {
		case slices.Contains(reserved, lower):
			return problem(directory.Invalid, setup, "the mapping may not write ", name)
		case strings.EqualFold(name, s.o.LoginAttribute), strings.EqualFold(name, s.o.NumberAttribute):
			return problem(directory.Invalid, setup, "the mapping may not write ", name, ": it is the login or the employee number")
		case slices.ContainsFunc(s.mapped[:i], func(other string) bool { return strings.EqualFold(other, name) }):
			return problem(directory.Invalid, setup, "the mapping writes twice to ", name)
		}
	}
	switch s.o.Disabling {
	case PasswordPolicy, NSAccountLock, UserAccountControl, ScramblePassword:
		return nil
	}
	return problem(directory.Invalid, setup, "there is no such way of disabling")
}

func (s *system) parseDNs() error {
	for _, d := range []struct {
		text     string
		required bool
		into     **goldap.DN
	}{{s.o.PeopleDN, true, &s.people}, {s.o.DisabledDN, false, &s.disabled}, {s.o.GroupsDN, false, &s.groups}} {
		if d.text == "" && !d.required {
			continue
		}
		dn, err := goldap.ParseDN(d.text)
		if err != nil || len(dn.RDNs) == 0 {
			return problem(directory.Invalid, setup, "peopleDN, disabledDN or groupsDN is not a distinguished name")
		}
		*d.into = dn
	}
	if s.disabled != nil && (s.disabled.EqualFold(s.people) || s.disabled.AncestorOfFold(s.people)) {
		return problem(directory.Invalid, setup, "peopleDN must not be in disabledDN")
	}
	s.bases = []string{s.o.PeopleDN}
	if s.disabled != nil && !s.people.AncestorOfFold(s.disabled) {
		s.bases = append(s.bases, s.o.DisabledDN)
	}
	return nil
}
