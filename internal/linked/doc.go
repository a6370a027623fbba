// Package linked is the language of linked systems: whatever an HR record is tied to
// beside the IM platforms, such as mail, finance, attendance, door access or an identity
// provider. One folder each knows one protocol (scim, ldap, webhook) and nothing else;
// errors are those of [directory.Error], so that one table turns them into reasons.
package linked
