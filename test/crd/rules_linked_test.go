package crd

import "strings"

const (
	wantDN       = "write a distinguished name, e.g. ou=people,dc=corp,dc=example"
	wantLDAPName = "write the name of an attribute or object class, e.g. uid or inetOrgPerson"
)

var systemRules = []rule{
	{name: "name length", base: "linkedsystem-webhook", says: wantShortName,
		wrong: []string{`metadata: {name: ` + longName + `}`}, right: []string{`metadata: {name: ` + longName[1:] + `}`}},
	{name: "exactly one protocol", base: "linkedsystem-webhook", path: "spec", says: "set exactly one of scim, ldap and webhook: one LinkedSystem is one system",
		wrong: []string{`spec: {scim: {endpoint: 'https://idp.example.com'}}`, `spec: {webhook: null}`},
		right: []string{`spec: {webhook: null, scim: {endpoint: 'https://idp.example.com'}}`, `spec: {webhook: null, ldap: {endpoint: 'ldaps://ldap.example.com', peopleDN: 'ou=people'}}`}},
	{name: "protocol stays", base: "linkedsystem-webhook", path: "spec", before: `{}`,
		says:  "the protocol cannot be changed: the ids of linked accounts are of one system; create another LinkedSystem",
		wrong: []string{`spec: {webhook: null, scim: {endpoint: 'https://idp.example.com'}}`, `spec: {webhook: null, ldap: {endpoint: 'ldaps://ldap.example.com', peopleDN: 'ou=people'}}`},
		right: []string{`spec: {mode: Observe}`}},
	staysRule("scim", "endpoint", "https://other.example.com"), staysRule("webhook", "endpoint", "https://other.example.com"),
	staysRule("ldap", "endpoint", "ldap://other.example.com"), staysRule("ldap", "peopleDN", "ou=others,dc=corp,dc=example"),
	{name: "credentials by object name", base: "linkedsystem-webhook", path: "spec.credentialsSecretRef.name", says: wantSecret,
		wrong: []string{`spec: {credentialsSecretRef: {name: Door}}`}, right: []string{`spec: {credentialsSecretRef: {name: door.credentials-2}}`}},
	{name: "caBundle is PEM", base: "linkedsystem-scim", path: "spec.caBundle", says: "caBundle must be PEM text that begins with -----BEGIN CERTIFICATE-----",
		wrong: []string{`spec: {caBundle: /etc/ssl/ca.pem}`}, right: []string{`spec: {caBundle: "-----BEGIN CERTIFICATE-----\n"}`}},
	{name: "attribute names", base: "linkedsystem-scim", path: "spec.attributes[0].name", says: "name: write the attribute's name as the system has it, e.g. displayName or cn",
		wrong: []string{`spec: {attributes: [{name: "emails[0]", value: "employee.email"}]}`, `spec: {attributes: [{name: 姓名, value: "employee.name"}]}`, `spec: {attributes: [{name: "display name", value: "employee.name"}]}`},
		right: []string{`spec: {attributes: [{name: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", value: "employee.title"}, {name: name.familyName, value: "employee.name"}, {name: x-room_1, value: "employee.workplace"}]}`}},
	endpointRule("linkedsystem-scim", "scim", "endpoint", wantHTTPS, httpsWrong, httpsRight),
	endpointRule("linkedsystem-scim", "scim", "endpoint", wantNoSlash, slashWrong, slashRight),
	endpointRule("linkedsystem-scim", "scim", "endpoint", wantPlainURL, plainWrong, plainRight),
	endpointRule("linkedsystem-webhook", "webhook", "endpoint", wantHTTPS, httpsWrong, httpsRight),
	endpointRule("linkedsystem-webhook", "webhook", "endpoint", wantNoSlash, slashWrong, slashRight),
	endpointRule("linkedsystem-webhook", "webhook", "endpoint", wantPlainURL, plainWrong, plainRight),
	endpointRule("linkedsystem-ldap", "ldap", "endpoint", "endpoint: write ldaps://host or ldap://host, with :port if it is not the standard one, and nothing after it",
		[]string{"https://ldap.example.com", "ldap://ldap.example.com/", "ldap://ldap.example.com/dc=corp", "ldap://user@ldap.example.com", "ldap://ldap.example.com:389:1", "ldap.example.com"},
		[]string{"ldap://ldap.example.com", "ldap://10.0.0.7:1389", "ldap://[::1]:389"}),
	{name: "passwords travel in secret", base: "linkedsystem-ldap", path: "spec.ldap",
		says:  "security: None is allowed to loopback only, because the password travels on it; use StartTLS, or an ldaps:// endpoint",
		wrong: []string{`spec: {ldap: {security: None}}`, `spec: {ldap: {security: None, endpoint: "ldap://10.0.0.1"}}`, `spec: {ldap: {security: None, endpoint: "ldap://127.0.0.1.example.com"}}`},
		right: []string{`spec: {ldap: {security: None, endpoint: "ldap://127.0.0.1:1389"}}`, `spec: {ldap: {security: None, endpoint: "ldap://localhost"}}`, `spec: {ldap: {security: None, endpoint: "ldap://[::1]:1389"}}`, `spec: {ldap: {security: null}}`}},
	{name: "security of ldap://", base: "linkedsystem-ldap", path: "spec.ldap", says: "security: leave it out with an ldaps:// endpoint, which is TLS from the first byte",
		wrong: []string{`spec: {ldap: {endpoint: "ldaps://ldap.example.com"}}`}, right: []string{`spec: {ldap: {endpoint: "ldaps://ldap.example.com", security: null}}`}},
	dnRule("peopleDN"), dnRule("disabledDN"), dnRule("groupsDN"),
	{name: "login attribute", base: "linkedsystem-ldap", path: "spec.ldap.loginAttribute", says: wantLDAPName,
		wrong: []string{`spec: {ldap: {loginAttribute: "uid=x"}}`, `spec: {ldap: {loginAttribute: 工号}}`}, right: []string{`spec: {ldap: {loginAttribute: sAMAccountName}}`}},
	{name: "number attribute", base: "linkedsystem-ldap", path: "spec.ldap.numberAttribute", says: wantLDAPName,
		wrong: []string{`spec: {ldap: {numberAttribute: "employee number"}}`}, right: []string{`spec: {ldap: {numberAttribute: employeeID}}`}},
	{name: "object classes", base: "linkedsystem-ldap", path: "spec.ldap.objectClasses[0]", says: wantLDAPName,
		wrong: []string{`spec: {ldap: {objectClasses: ["inet Org"]}}`}, right: []string{`spec: {ldap: {objectClasses: [inetOrgPerson, posixAccount]}}`}},
}

// staysRule: P4: where linked accounts are does not change.
func staysRule(protocol, field, other string) rule {
	says := "endpoint: it cannot be changed, because the ids of linked accounts are of the system there; create another LinkedSystem, and move people to it"
	if field == "peopleDN" {
		says = "peopleDN: it cannot be changed, because linked accounts are below it; create another LinkedSystem, and move people to it"
	}
	return rule{name: "P4: " + protocol + " " + field + " stays", base: "linkedsystem-" + protocol, path: "spec." + protocol, before: `{}`, says: says,
		wrong: []string{`spec: {` + protocol + `: {` + field + `: "` + other + `"}}`}, right: []string{`spec: {mode: Observe}`}}
}

func dnRule(field string) rule {
	patch := func(dn string) string { return `spec: {ldap: {` + field + `: "` + dn + `"}}` }
	return rule{name: field, base: "linkedsystem-ldap", path: "spec.ldap." + field, says: wantDN,
		wrong: []string{patch("people"), patch("/people"), patch("=people,dc=corp")},
		right: []string{patch("ou=people"), patch(strings.ToUpper("ou = 人员,dc=corp"))}}
}

// linkedRules are those of an Employee's linkedAccounts, and of an Offboarding's.
var linkedRules = []rule{
	{name: "linked systems by object name", base: "employee", path: "spec.linkedAccounts[0].name", says: "name: write the metadata.name of the LinkedSystem object, e.g. mail, not its address",
		wrong: []string{`spec: {linkedAccounts: [{name: "https://idp.example.com"}]}`, `spec: {linkedAccounts: [{name: 邮箱}]}`}, right: []string{`spec: {linkedAccounts: [{name: mail-2}]}`}},
	{name: "linked account's id", base: "employee", path: "spec.linkedAccounts[0].accountID", says: "accountID must not begin or end with a space, nor contain tabs or line breaks",
		wrong: []string{`spec: {linkedAccounts: [{name: mail, accountID: " 1"}]}`, `spec: {linkedAccounts: [{name: mail, accountID: "1\n"}]}`}, right: []string{`spec: {linkedAccounts: [{name: mail, accountID: "1 / 2"}]}`}},
	{name: "linked account's login", base: "employee", path: "spec.linkedAccounts[0].login", says: "login must not begin or end with a space, nor contain quotes, backslashes, tabs or line breaks",
		wrong: []string{`spec: {linkedAccounts: [{name: mail, login: " a"}]}`, `spec: {linkedAccounts: [{name: mail, login: "a\tb"}]}`, `spec: {linkedAccounts: [{name: mail, login: 'a"b'}]}`, `spec: {linkedAccounts: [{name: mail, login: 'a\b'}]}`},
		right: []string{`spec: {linkedAccounts: [{name: mail, login: "o'neill@example.com"}]}`, `spec: {linkedAccounts: [{name: mail, login: 张伟}]}`}},
}
