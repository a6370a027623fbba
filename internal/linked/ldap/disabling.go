package ldap

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strconv"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
)

// lock is one way of letting nobody sign in.
type lock struct {
	words      string
	attributes []string
	// locked: the entry says so, by our hand.
	locked func(*entry) bool
	// works: what locked says is obeyed; else why not, and what a person can do.
	works func(*entry, policies) (bool, string)
	// set is the change that locks, unset the one that lets people in again.
	set, unset func(*entry) []goldap.Change
}

// forever is the time of a lock that nothing but a person ends (draft-behera-ldap-password-policy-10, section 5.3.3).
// Failures to sign in write the time of the last one instead, and expire.
const forever = "000001010000Z"

// disabledBit is ADS_UF_ACCOUNTDISABLE ([MS-ADTS], section 2.2.16), normalAccount ADS_UF_NORMAL_ACCOUNT.
const disabledBit, normalAccount = 0x2, 0x200

// scrambled ends the salt of a password that nobody knows, so that it is recognised.
const scrambled = "rollcall-locked"

func (s *system) lock() lock {
	switch s.o.Disabling {
	case NSAccountLock:
		return lock{
			words: "lock by nsAccountLock", attributes: []string{"nsAccountLock"}, works: obeyed,
			locked: func(e *entry) bool {
				return strings.EqualFold(e.raw.GetEqualFoldAttributeValue("nsAccountLock"), "true")
			},
			set: always(replaces("nsAccountLock", "true")), unset: always(replaces("nsAccountLock")),
		}
	case UserAccountControl:
		return lock{
			words: "lock by userAccountControl", attributes: []string{"userAccountControl"}, works: obeyed,
			locked: func(e *entry) bool { return e.controlBits()&disabledBit != 0 },
			set:    func(e *entry) []goldap.Change { return e.swapControl(e.controlBits() | disabledBit) },
			unset:  func(e *entry) []goldap.Change { return e.swapControl(e.controlBits() &^ disabledBit) },
		}
	case ScramblePassword:
		return lock{
			words: "lock by a random password", attributes: []string{"userPassword"}, works: obeyed,
			locked: func(e *entry) bool { return isScrambled(e.raw.GetEqualFoldRawAttributeValues("userPassword")) },
			set:    func(*entry) []goldap.Change { return replaces("userPassword", scramble()) },
		}
	default:
		return lock{
			words: "lock by pwdAccountLockedTime", attributes: []string{"pwdAccountLockedTime", "pwdPolicySubentry"},
			locked: func(e *entry) bool { return e.raw.GetEqualFoldAttributeValue("pwdAccountLockedTime") == forever },
			works:  func(e *entry, p policies) (bool, string) { return p.lock(e.policy) },
			set:    always(replaces("pwdAccountLockedTime", forever)), unset: always(replaces("pwdAccountLockedTime")),
		}
	}
}

func obeyed(*entry, policies) (bool, string) { return true, "" }

// always ignores what the entry is like.
func always(changes []goldap.Change) func(*entry) []goldap.Change {
	return func(*entry) []goldap.Change { return changes }
}

func (e *entry) controlBits() int64 {
	bits, err := strconv.ParseInt(e.control, 10, 64)
	if err != nil {
		return normalAccount
	}
	return bits
}

// swapControl changes the bits, unless somebody else changed them since they were read: the value that goes has to be there.
func (e *entry) swapControl(bits int64) []goldap.Change {
	wanted := strconv.FormatInt(bits, 10)
	if e.control == "" {
		return replaces("userAccountControl", wanted)
	}
	return []goldap.Change{change(goldap.DeleteAttribute, "userAccountControl", e.control), change(goldap.AddAttribute, "userAccountControl", wanted)}
}

// scramble makes a salted hash (RFC 2307, section 5.3, as slappasswd writes it) of which there is no password: its bytes are random.
func scramble() string {
	hash := make([]byte, 20, 20+len(scrambled))
	_, _ = rand.Read(hash) // never fails
	return "{SSHA}" + base64.StdEncoding.EncodeToString(append(hash, scrambled...))
}

func isScrambled(passwords [][]byte) bool {
	for _, p := range passwords {
		encoded, ok := strings.CutPrefix(string(p), "{SSHA}")
		hash, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(hash) != 20+len(scrambled) || string(hash[20:]) != scrambled {
			return false // one that somebody may know
		}
	}
	return len(passwords) > 0
}

// policies are the password policies that the bind account sees: whether each locks, by its canonical DN.
type policies map[string]bool

// lock says whether a lock has an effect on an account with this policy of its own, or with the server's default.
// slapo-ppolicy(5), pwdAccountLockedTime: locking takes effect only where pwdLockout is TRUE; the change succeeds all the same.
func (p policies) lock(own string) (bool, string) {
	const meanwhile = "; until then the account can still sign in, or choose another way of disabling"
	if own != "" {
		switch locks, seen := p[canonical(own)]; {
		case locks:
			return true, ""
		case seen:
			return false, "the password policy of this account has no pwdLockout TRUE, so that a lock has no effect: set it" + meanwhile
		}
		return false, "the bind account does not see the password policy of this account, so that it cannot be known whether a lock has an effect: let it read pwdLockout there" + meanwhile
	}
	locking := 0
	for _, locks := range p {
		if locks {
			locking++
		}
	}
	switch {
	case len(p) == 0:
		return false, "the bind account sees no password policy (objectClass pwdPolicy), so that a lock may have no effect: let it read one, with pwdLockout TRUE" + meanwhile
	case locking == 0:
		return false, "no password policy has pwdLockout TRUE, so that a lock has no effect: set it" + meanwhile
	case locking < len(p):
		return false, "of several password policies not all have pwdLockout TRUE, and the server does not tell which is its default: set it in all of them, or pwdPolicySubentry on people" + meanwhile
	}
	return true, ""
}

// policies reads the password policies. They are read anew each time: a lock is believed only if it works now.
func (s *system) policies(ctx context.Context) (policies, error) {
	if s.o.Disabling != PasswordPolicy {
		return nil, nil
	}
	f, err := s.facts(ctx)
	if err != nil {
		return nil, err
	}
	base := s.o.PeopleDN
	for _, c := range f.contexts {
		if dn, err := goldap.ParseDN(c); err == nil && len(dn.RDNs) > 0 && dn.AncestorOfFold(s.people) {
			base = c
		}
	}
	found, err := s.search(ctx, query{base: base, scope: goldap.ScopeWholeSubtree, filter: equals("objectClass", "pwdPolicy"),
		attributes: []string{"pwdLockout"}, limit: 200, mayMiss: true})
	if err != nil && !is(err, codeNoObject) && directory.ClassOf(err) != directory.PermissionDenied {
		return nil, err
	}
	p := policies{}
	for _, e := range found {
		p[canonical(e.DN)] = strings.EqualFold(e.GetEqualFoldAttributeValue("pwdLockout"), "TRUE")
	}
	return p, nil
}

// policiesFor reads them only where the entry's state depends on them.
func (s *system) policiesFor(ctx context.Context, e *entry) (policies, error) {
	if !e.locked {
		return nil, nil
	}
	return s.policies(ctx)
}

// setLock makes the change that locks or unlocks.
func (s *system) setLock(ctx context.Context, e *entry, changes []goldap.Change) error {
	err := s.modify(ctx, e, changes)
	switch {
	case is(err, codeUndefined, codeClassViolation):
		return problem(directory.NotSupported, "modify", "the server does not know ", s.lock().attributes[0],
			": choose the way of disabling that it has (disabling), or turn its password policies on")
	case is(err, codeNoAttribute): // swapControl: somebody else was there first
		return problem(directory.Unavailable, "modify", "userAccountControl changed at this moment")
	case is(err, codeConstraint) && s.o.Disabling == ScramblePassword:
		return problem(directory.NotSupported, "modify", "the server takes no hashed password from the bind account (pwdCheckQuality): choose another way of disabling")
	}
	return err
}
