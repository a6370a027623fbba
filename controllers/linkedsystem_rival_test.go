package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
)

func scimAt(endpoint v1alpha1.Endpoint) v1alpha1.LinkedSystemSpec {
	return v1alpha1.LinkedSystemSpec{SCIM: v1alpha1.SCIMSystem{Endpoint: endpoint}}
}

func ldapAt(endpoint, people string) v1alpha1.LinkedSystemSpec {
	return v1alpha1.LinkedSystemSpec{LDAP: v1alpha1.LDAPSystem{Endpoint: endpoint, PeopleDN: v1alpha1.DistinguishedName(people)}}
}

func TestP4OneSystemIsKnownHoweverItIsWritten(t *testing.T) {
	const people = "ou=people,dc=corp,dc=example"
	for name, c := range map[string]struct {
		a, b v1alpha1.LinkedSystemSpec
		same bool
	}{
		"case and port":          {scimAt("https://IDP.example.com:443/scim"), scimAt("https://idp.example.com/scim"), true},
		"another path":           {scimAt("https://idp.example.com/a"), scimAt("https://idp.example.com/b"), false},
		"another port":           {scimAt("https://idp.example.com:8443"), scimAt("https://idp.example.com"), false},
		"another protocol":       {scimAt("https://idp.example.com"), v1alpha1.LinkedSystemSpec{Webhook: v1alpha1.WebhookSystem{Endpoint: "https://idp.example.com"}}, false},
		"StartTLS and TLS":       {ldapAt("ldap://ldap.example.com", people), ldapAt("ldaps://ldap.example.com:636", "OU=People, DC=corp,DC=example"), true},
		"people below people":    {ldapAt("ldaps://ldap.example.com", people), ldapAt("ldaps://ldap.example.com", "dc=corp,dc=example"), true},
		"people beside people":   {ldapAt("ldaps://ldap.example.com", people), ldapAt("ldaps://ldap.example.com", "ou=guests,dc=corp,dc=example"), false},
		"people of another host": {ldapAt("ldaps://ldap.example.com", people), ldapAt("ldaps://ldap2.example.com", people), false},
	} {
		if sameSystem(&c.a, &c.b) != c.same || sameSystem(&c.b, &c.a) != c.same {
			t.Errorf("%s: the same is %v", name, !c.same)
		}
	}
}

func TestP4NoIdIsInheritedFromAnotherSystem(t *testing.T) {
	for uid, want := range map[string]string{"old": "", "new": "x", "": "x"} {
		ob := &v1alpha1.Offboarding{ObjectMeta: metav1.ObjectMeta{Name: "ob"}, Spec: v1alpha1.OffboardingSpec{
			LinkedAccounts: []v1alpha1.OffboardingLinkedAccount{{Name: "mail", SystemUID: uid, AccountID: "x", Origin: v1alpha1.OriginCreated, OnLeave: v1alpha1.UnlinkDisable}},
		}}
		l := &personLink{
			status: v1alpha1.LinkedAccountStatus{Name: "mail", AccountID: "x", State: v1alpha1.LinkedUnlinked, OffboardingName: "ob"}, leaving: ob,
			declared: &v1alpha1.LinkedAccount{Name: "mail"}, system: &v1alpha1.LinkedSystem{ObjectMeta: metav1.ObjectMeta{UID: "new"}},
		}
		if l.inherit(false); l.status.AccountID != want || (want == "") != (l.status.Origin == "") {
			t.Errorf("of the system %q: %+v", uid, l.status)
		}
	}
}
