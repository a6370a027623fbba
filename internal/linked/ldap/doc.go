// Package ldap keeps accounts in an LDAP directory: RFC 4510 to 4519.
//
// Every fact below names its source; [T] was seen here, on OpenLDAP 2.5.13 as Debian
// builds it (slapd_test.go has its configuration). What neither a source nor a test
// confirms is marked (?).
//
// # The wire
//
// One operation at a time on each connection, eight connections at most. An operation
// takes one turn in the budget: connecting and signing in are a part of it. A
// connection that was kept may be dead: a read is made once more on a new one, and so
// is a write of which not one byte had left; any other write without an answer is
// OutcomeUnknown. The server's texts (diagnosticMessage) are read for names of
// attributes only and never shown, because they hold values [T].
//
// The password is sent by simple bind, below TLS: from the first byte (ldaps), or once
// StartTLS was granted (RFC 4511, section 4.14); without TLS to loopback only. It is
// never empty: that would be an anonymous session (RFC 4513, section 5.1.2). A refused
// bind is not tried again for 15 minutes or until the Secret changes, because where
// failures lock an account (pwdMaxFailure) our own tries would lock ours.
//
// Referrals (RFC 4511, section 4.1.10) are not followed: a part of the tree that
// another server keeps is NotSupported, as is a server that may only be read.
//
// go-ldap reads messages of 2 GiB, a thousand levels deep, and gathers all entries of
// a search: wire.go bounds what comes in before it does.
//
// # Who is who
//
// The id of an account is its entryUUID (RFC 4530), which stays when the entry is
// renamed or moved [T]; on Active Directory objectGUID ([MS-ADTS], section 3.1.1.1.3)
// (?: never run against one). 389 Directory Server has entryUUID only with its plugin
// of that name (?). A server that shows neither is NotSupported.
//
// An entry is found by its id and then changed by its name (DN). In between the name
// may have become another person's: where the server has the Assertion control (RFC
// 4528) it is told to refuse that (122) [T]. slapo-unique repeats the control in a
// search of its own [T], which is why the assertion holds for entries without a login,
// too. slapo-memberof repeats it in the entries of members, so that none is made when
// a group is changed: memberOf would stay, and put the person back into the group when
// they are moved [T].
//
// What the bind account may not see is answered as if it were not there (32, or
// nothing) [T]. So NotFound is said only while other entries, or the fact that there
// are none (hasSubordinates FALSE; X.501, section 14.4), can be seen next to it, and
// groups count as none only where groups can be seen. A rule that hides some entries
// and not others cannot be told from their absence.
//
// # Creating and updating
//
// Add of the declared object classes below peopleDN, named by the login. A name that is
// taken (68) is read and compared, so that the error says whether it is an account of
// the same employee number, and its id; it is not adopted. 19 is Conflict if a value
// has to be unique (slapo-unique [T], 389 (?)). No password is ever set.
//
// Updates replace whole attributes, which is the same when done twice; replacing by
// nothing takes one away and is no error where there is none, unlike deleting (16) [T].
// A new login renames the entry. memberUid follows by our hand, before; DNs in groups
// follow by slapo-refint or by our hand, after.
//
// # Disabling
//
//   - PasswordPolicy: pwdAccountLockedTime 000001010000Z
//     (draft-behera-ldap-password-policy-10, section 5.3.3). It works only where the
//     policy in force has pwdLockout TRUE (slapo-ppolicy(5)); elsewhere it is written
//     without an error and changes nothing [T]. So the policies are read, each time: the
//     account's own (pwdPolicySubentry), else all that can be seen, of which none may lack
//     pwdLockout, because the server does not tell which is its default. Where it
//     cannot be proven the lock is written, reported as NotSupported, and the account
//     read as enabled. Any other time in that attribute comes from failures to sign in
//     and expires [T]: it is not ours, and is neither read as disabled nor taken away.
//   - NSAccountLock: nsAccountLock true (389 Directory Server, Administration Guide (?)).
//   - UserAccountControl: the bit ADS_UF_ACCOUNTDISABLE ([MS-ADTS], section 2.2.16) (?). Its
//     old value has to be there when the new one is written. Accounts are not created
//     there: none without a password can be enabled.
//   - ScramblePassword: a hash of nothing, {SSHA} (RFC 2307, section 5.3, lists SSHA's
//     like) with random bytes and a salt by which it is recognised. The bind account has
//     to be able to read userPassword, else nothing is proven and it is NotSupported.
//
// A lock stops the next sign-in; whoever is signed in goes on [T].
//
// # Unlinking
//
// The value is deleted from member, uniqueMember (RFC 4519) and memberUid (RFC 2307) of
// the groups below groupsDN. A group that may not be empty keeps its only member (65)
// [T]: it is never deleted; the error and the residuals name it. Its value is made to
// name the entry's new place, so that whoever gets the old name is not in the group. To
// delete the entry would leave its DN there for ever, also with slapo-refint [T]: that
// is refused. A uid that somebody else below peopleDN has by now is theirs.
//
// Then the entry moves below disabledDN, with its name and id. If there is one of that
// name already it is Conflict. Enabling moves it back, directly below peopleDN.
//
// Deleting is of one entry: with entries below it (66) it is Conflict.
//
// # Listing
//
// In pages (RFC 2696) on one connection, people first, then disabledDN, and all groups
// with their members once. A size limit that hides entries (4; slapd gives 500 to
// everybody, slapd.conf(5), also over all pages [T]) is QuotaExceeded and no listing.
// The server takes no snapshot: who moves meanwhile may be missing, and is seen once.
// A group of more than 8 MiB, some 100 000 members, cannot be listed with its members.
// Active Directory shows 1500 members of a group at once ([MS-ADTS], section
// 3.1.1.3.1.3.3): a listing knows of no more there (?); an account that is read by
// itself is asked for by a filter, and has all its groups.
package ldap
