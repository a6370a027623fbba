// Package peers starts servers of protocols that other people wrote, so that one
// misunderstanding cannot hide on both sides. They are for tests only, and on loopback.
//
// SCIM 2.0 (RFC 7643, RFC 7644) has two, which disagree where the RFCs let them: the case
// of filters, filters for externalId, pages beyond the end, answers of PATCH and the
// removal of members. Both know the protocol, filters and PATCH syntax; storage and
// uniqueness are written here.
//
// LDAP has OpenLDAP's slapd, with a password policy, TLS, and references that are mended.
package peers
