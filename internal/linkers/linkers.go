// Package linkers opens linked systems as they are declared. It alone knows both the API and the protocols.
package linkers

import (
	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/ldap"
	"rollcall.dev/rollcall/internal/linked/scim"
	"rollcall.dev/rollcall/internal/linked/webhook"
)

// Linker opens a linked system. The error says which setting is wrong.
type Linker = func(spec *v1alpha1.LinkedSystemSpec, settings linked.Settings) (linked.System, error)

// All returns a linker for every protocol, by what a LinkedSystem's status calls it.
func All() map[string]Linker {
	return map[string]Linker{"SCIM": openSCIM, "LDAP": openLDAP, "Webhook": openWebhook}
}

func openSCIM(spec *v1alpha1.LinkedSystemSpec, settings linked.Settings) (linked.System, error) {
	s := &spec.SCIM
	return scim.New(scim.Options{
		Endpoint: string(s.Endpoint), ContentType: scim.ContentType(s.ContentType), Writes: scim.Writes(s.Writes),
		Filters: scim.Choice(s.Filters), ETags: scim.Choice(s.ETags), Groups: scim.Choice(s.Groups),
		Disabling: scim.Disabling(s.Disabling), PageSize: int(s.PageSize),
	}, settings)
}

func openLDAP(spec *v1alpha1.LinkedSystemSpec, settings linked.Settings) (linked.System, error) {
	s := &spec.LDAP
	classes := make([]string, 0, len(s.ObjectClasses))
	for _, c := range s.ObjectClasses {
		classes = append(classes, string(c))
	}
	return ldap.New(ldap.Options{
		Endpoint: s.Endpoint, Security: ldap.Security(s.Security), CABundle: []byte(spec.CABundle),
		PeopleDN: string(s.PeopleDN), DisabledDN: string(s.DisabledDN), GroupsDN: string(s.GroupsDN),
		LoginAttribute: string(s.LoginAttribute), NumberAttribute: string(s.NumberAttribute),
		ObjectClasses: classes, Disabling: ldap.Disabling(s.Disabling),
	}, settings)
}

func openWebhook(spec *v1alpha1.LinkedSystemSpec, settings linked.Settings) (linked.System, error) {
	return webhook.New(webhook.Options{
		Endpoint: string(spec.Webhook.Endpoint), Lookup: spec.Webhook.Lookup == v1alpha1.WebhookLookupYes,
	}, settings)
}
