// Package ldap links accounts in an LDAP directory.
package ldap
