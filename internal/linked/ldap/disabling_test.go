package ldap

import (
	"context"
	"slices"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
)

// account reads it.
func account(t testing.TB, sys *system, id string) (enabled, parked bool) {
	t.Helper()
	a, err := sys.Account(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a.Enabled, a.Parked
}

func TestP2DisabledMeansThatTheNextSignInIsRefused(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a := create(t, s, sys, "zhang.san")
	if !a.Enabled || !s.signsIn(person("zhang.san"), password) {
		t.Fatal("a new account cannot be signed in with")
	}
	already, err := s.Bind(person("zhang.san"), password)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = already.Close() }()

	for range 2 { // it may be said twice
		wants(t, sys.Disable(t.Context(), a.ID, order), "")
		if s.signsIn(person("zhang.san"), password) {
			t.Fatal("disabled, and somebody signed in")
		}
		if enabled, _ := account(t, sys, a.ID); enabled {
			t.Error("disabled, and read as enabled")
		}
	}
	// A trap of every directory, which the capabilities have to name: who is in stays in.
	if _, err := already.WhoAmI(nil); err != nil {
		t.Errorf("the session from before: %v", err)
	}
	if c, err := sys.Discover(t.Context()); err != nil || !strings.Contains(strings.Join(c.Limits, " "), "signed in already goes on") {
		t.Errorf("the limits do not say that sessions go on: %v, %v", c.Limits, err)
	}

	for range 2 {
		wants(t, sys.Enable(t.Context(), a.ID, order), "")
		if !s.signsIn(person("zhang.san"), password) {
			t.Fatal("enabled, and the sign-in is refused")
		}
		if enabled, _ := account(t, sys, a.ID); !enabled {
			t.Error("enabled, and read as disabled")
		}
	}
}

func TestP9ALockThatLocksNothingIsSaid(t *testing.T) {
	s := startSlapd(t, variant{NoLock: true})
	sys := open(t, s.options())
	c, err := sys.Discover(t.Context())
	if err != nil || c.Disables || !strings.Contains(strings.Join(c.Limits, " "), "pwdLockout TRUE") {
		t.Errorf("discovered %+v, %v", c, err)
	}
	a := create(t, s, sys, "li.si")
	wants(t, sys.Disable(t.Context(), a.ID, order), directory.NotSupported, "pwdLockout TRUE", "can still sign in")
	if !s.signsIn(person("li.si"), password) {
		t.Fatal("this server locks without pwdLockout: the test tests nothing")
	}
	if enabled, _ := account(t, sys, a.ID); !enabled {
		t.Error("read as disabled while somebody can sign in")
	}
	if left, err := sys.Residuals(t.Context(), a.ID, false); err != nil || !strings.Contains(strings.Join(left, " "), "can sign in") {
		t.Errorf("left is %v, %v", left, err)
	}
	// Whoever follows the words needs nothing else.
	s.set(policyDN, "pwdLockout", "TRUE")
	if enabled, _ := account(t, sys, a.ID); enabled || s.signsIn(person("li.si"), password) {
		t.Error("the lock does not work although the policy does")
	}
	wants(t, sys.Disable(t.Context(), a.ID, order), "")
}

func TestP9ThePolicyOfAnAccountDecides(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a := create(t, s, sys, "wang.wu")
	other := "cn=other,ou=policies," + suffix
	s.add(s.admin(), other, "objectClass", "device", "objectClass", "pwdPolicy", "cn", "other", "pwdAttribute", "userPassword", "pwdLockout", "FALSE")

	wants(t, sys.Disable(t.Context(), a.ID, order), directory.NotSupported, "which is its default")
	s.set(person("wang.wu"), "pwdPolicySubentry", policyDN)
	wants(t, sys.Disable(t.Context(), a.ID, order), "")
	if s.signsIn(person("wang.wu"), password) {
		t.Error("somebody signed in")
	}
	s.set(person("wang.wu"), "pwdPolicySubentry", other)
	wants(t, sys.Disable(t.Context(), a.ID, order), directory.NotSupported, "this account has no pwdLockout TRUE")
	if !s.signsIn(person("wang.wu"), password) {
		t.Error("the policy without pwdLockout locks")
	}
}

func TestALockByFailuresIsNotOurs(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a := create(t, s, sys, "zhao.liu")
	for range 5 {
		s.signsIn(person("zhao.liu"), "wrong")
	}
	if at := s.get(person("zhao.liu"), "pwdAccountLockedTime"); len(at) != 1 || at[0] == forever {
		t.Fatalf("failures did not lock: %v", at)
	}
	if enabled, _ := account(t, sys, a.ID); !enabled {
		t.Error("a lock that expires was read as ours")
	}
	wants(t, sys.Enable(t.Context(), a.ID, order), "")
	if at := s.get(person("zhao.liu"), "pwdAccountLockedTime"); len(at) != 1 {
		t.Error("enabling took a lock away that is the server's own")
	}
	wants(t, sys.Disable(t.Context(), a.ID, order), "")
	if at := s.get(person("zhao.liu"), "pwdAccountLockedTime"); !slices.Equal(at, []string{forever}) {
		t.Errorf("locked until %v: it expires", at)
	}
}

// Whoever resets a password takes the lock away with it, which is read, so that the next reading can lock again: the page says so.
func TestP9APasswordResetTakesTheLockAway(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	for name, reset := range map[string]func(k *goldap.Conn, dn string) error{
		"by changing the attribute": func(k *goldap.Conn, dn string) error {
			m := goldap.NewModifyRequest(dn, nil)
			m.Replace("userPassword", []string{"another"})
			return k.Modify(m)
		},
		"by the operation for it": func(k *goldap.Conn, dn string) error {
			_, err := k.PasswordModify(goldap.NewPasswordModifyRequest(dn, "", "another"))
			return err
		},
	} {
		uid := strings.ReplaceAll(name, " ", ".")
		a := create(t, s, sys, uid)
		wants(t, sys.Disable(t.Context(), a.ID, order), "")
		helpdesk, err := s.Bind(operatorDN, operator)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = helpdesk.Close() }()
		if err := reset(helpdesk, person(uid)); err != nil {
			t.Fatal(err)
		}
		enabled, _ := account(t, sys, a.ID)
		if in := s.signsIn(person(uid), "another"); in != enabled || !in {
			t.Errorf("%s: somebody signs in: %t, read as enabled: %t", name, in, enabled)
		}
		wants(t, sys.Disable(t.Context(), a.ID, order), "")
		if s.signsIn(person(uid), "another") {
			t.Errorf("%s: locked again, and somebody signs in", name)
		}
	}
}

func TestWithoutPasswordPoliciesNothingIsPretended(t *testing.T) {
	s := startSlapd(t, variant{})
	o := s.options()
	o.Disabling = NSAccountLock // which slapd does not have
	sys := open(t, o)
	a := create(t, s, sys, "sun.qi")
	wants(t, sys.Disable(t.Context(), a.ID, order), directory.NotSupported, "nsAccountLock", "disabling")

	// A server that hides its policies.
	if works, words := (policies{}).lock(""); works || !strings.Contains(words, "pwdLockout") {
		t.Errorf("no policy was seen, and the lock works: %t, %q", works, words)
	}
	if works, words := (policies{canonical(policyDN): true}).lock("cn=hidden," + suffix); works || !strings.Contains(words, "does not see") {
		t.Errorf("the account's own policy was not seen, and the lock works: %t, %q", works, words)
	}
}

func TestP2AScrambledPasswordLetsNobodyIn(t *testing.T) {
	s := startSlapd(t, variant{NoLock: true})
	o := s.options()
	o.Disabling = ScramblePassword
	sys := open(t, o)
	a := create(t, s, sys, "zhou.ba")
	for range 2 {
		wants(t, sys.Disable(t.Context(), a.ID, order), "")
	}
	if s.signsIn(person("zhou.ba"), password) {
		t.Fatal("somebody signed in with the old password")
	}
	for _, kept := range s.get(person("zhou.ba"), "userPassword") {
		if s.signsIn(person("zhou.ba"), kept) {
			t.Error("what is kept is a password")
		}
	}
	if enabled, _ := account(t, sys, a.ID); enabled {
		t.Error("read as enabled")
	}
	wants(t, sys.Enable(t.Context(), a.ID, order), directory.NotSupported, "new one")
	s.set(person("zhou.ba"), "userPassword", "another")
	wants(t, sys.Enable(t.Context(), a.ID, order), "")
	if enabled, _ := account(t, sys, a.ID); !enabled {
		t.Error("a new password did not enable it")
	}
	if once, again := scramble(), scramble(); once == again {
		t.Error("two scrambled passwords are the same")
	}
}

func TestP9AScrambledPasswordThatCannotBeReadIsNotProven(t *testing.T) {
	s := startSlapd(t, variant{})
	o := s.options()
	o.Disabling = ScramblePassword
	sys := open(t, o)
	a := create(t, s, sys, "wu.jiu")
	// Another bind account, which may write passwords and not read them.
	s.Kill()
	s.rewrite(`dn.exact="cn=operator,ou=services,dc=corp,dc=example" write by self write by anonymous auth`,
		`dn.exact="cn=operator,ou=services,dc=corp,dc=example" =w by self write by anonymous auth`)
	s.start()
	wants(t, sys.Disable(t.Context(), a.ID, order), directory.NotSupported, "let it read userPassword")
	if s.signsIn(person("wu.jiu"), password) {
		t.Error("somebody signed in with the old password")
	}
}

// Locks of other servers: slapd does not obey them, and is shown to keep what these would obey.
const foreignSchema = `
attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.99999.1 NAME 'foreignPerson' SUP top AUXILIARY MAY ( nsAccountLock $ userAccountControl ) )
`

func TestLocksOfOtherServers(t *testing.T) {
	s := startSlapd(t, variant{Global: foreignSchema})
	for _, c := range []struct {
		way              Disabling
		attribute        string
		before           []string
		locked, unlocked []string
		uid              string
	}{
		{NSAccountLock, "nsAccountLock", nil, []string{"true"}, []string{}, "a"},
		{UserAccountControl, "userAccountControl", []string{"66048"}, []string{"66050"}, []string{"66048"}, "b"}, // a password that never expires
		{UserAccountControl, "userAccountControl", nil, []string{"514"}, []string{"512"}, "c"},
	} {
		o := s.options()
		o.ObjectClasses = []string{"inetOrgPerson", "foreignPerson"}
		a := create(t, s, open(t, o), c.uid)
		s.set(person(c.uid), c.attribute, c.before...)
		o.Disabling = c.way
		sys := open(t, o)
		for range 2 {
			wants(t, sys.Disable(t.Context(), a.ID, order), "")
		}
		if got := s.get(person(c.uid), c.attribute); !slices.Equal(got, c.locked) {
			t.Errorf("%s: locked is %v, want %v", c.way, got, c.locked)
		}
		if enabled, _ := account(t, sys, a.ID); enabled {
			t.Errorf("%s: read as enabled", c.way)
		}
		for range 2 {
			wants(t, sys.Enable(t.Context(), a.ID, order), "")
		}
		if got := s.get(person(c.uid), c.attribute); !slices.Equal(got, c.unlocked) {
			t.Errorf("%s: unlocked is %v, want %v", c.way, got, c.unlocked)
		}
		if enabled, _ := account(t, sys, a.ID); !enabled {
			t.Errorf("%s: read as disabled", c.way)
		}
	}
}

func TestFlagsThatSomebodyElseChangedAreNotOverwritten(t *testing.T) {
	s := startSlapd(t, variant{Global: foreignSchema})
	o := s.options()
	o.ObjectClasses = []string{"inetOrgPerson", "foreignPerson"}
	a := create(t, s, open(t, o), "d")
	s.set(person("d"), "userAccountControl", "512")
	o.Disabling = UserAccountControl
	sys := open(t, o)
	e, err := sys.lookup(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.set(person("d"), "userAccountControl", "66048")
	wants(t, sys.setLock(t.Context(), e, sys.lock().set(e)), directory.Unavailable, "changed at this moment")
	if got := s.get(person("d"), "userAccountControl"); !slices.Equal(got, []string{"66048"}) {
		t.Errorf("now %v", got)
	}
	_, err = sys.Create(t.Context(), wish("e"), order)
	wants(t, err, directory.NotSupported, "sets no passwords")
}

func TestP4ALockHitsNobodyWhoGotTheNameInBetween(t *testing.T) {
	s := startSlapd(t, variant{})
	sys := open(t, s.options())
	a := create(t, s, sys, "same.name")
	e, err := sys.lookup(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.admin().ModifyDN(goldap.NewModifyDNRequest(e.dn, "uid=married", true, "")); err != nil {
		t.Fatal(err)
	}
	s.set("uid=married,"+peopleDN, "mail", "married@corp.example")
	s.set("uid=married,"+peopleDN, "employeeNumber", "other")
	second := create(t, s, sys, "same.name")
	if err := sys.setLock(context.WithoutCancel(t.Context()), e, sys.lock().set(e)); !is(err, codeAssertionFailed) {
		t.Errorf("locked by a name that is another person's: %v", err)
	}
	if enabled, _ := account(t, sys, second.ID); !enabled {
		t.Error("the other person is locked")
	}
	wants(t, sys.Disable(t.Context(), a.ID, order), "") // by id, wherever the entry is
	if enabled, _ := account(t, sys, a.ID); enabled {
		t.Error("not locked")
	}
}
