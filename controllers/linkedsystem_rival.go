package controllers

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-ldap/ldap/v3"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// rival names the older LinkedSystem, in any namespace, that manages the same system: two would undo each other's work (P4).
func (r *LinkedSystemReconciler) rival(ctx context.Context, ls *v1alpha1.LinkedSystem) (string, error) {
	var all v1alpha1.LinkedSystemList
	if err := r.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("listing LinkedSystems: %w", err)
	}
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID != ls.UID && sameSystem(&other.Spec, &ls.Spec) && older(other, ls) {
			return other.Namespace + "/" + other.Name, nil
		}
	}
	return "", nil
}

// sameAddress maps a LinkedSystem to the others that manage the same system.
func (r *LinkedSystemReconciler) sameAddress(ctx context.Context, o client.Object) (found []reconcile.Request) {
	ls, ok := o.(*v1alpha1.LinkedSystem)
	var all v1alpha1.LinkedSystemList
	if !ok || r.List(ctx, &all, client.UnsafeDisableDeepCopy) != nil {
		return nil
	}
	for i := range all.Items {
		if other := &all.Items[i]; other.UID != ls.UID && sameSystem(&other.Spec, &ls.Spec) {
			found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(other)})
		}
	}
	return found
}

// sameSystem reports whether two declarations are of one system: the protocol and the endpoint are the same, and, of LDAP, one
// peopleDN is the other, or below it.
func sameSystem(a, b *v1alpha1.LinkedSystemSpec) bool {
	return protocolOf(a) == protocolOf(b) && address(a) == address(b) &&
		(protocolOf(a) != "LDAP" || overlaps(string(a.LDAP.PeopleDN), string(b.LDAP.PeopleDN)))
}

// standardPorts by scheme. The two of LDAP are of one server.
var standardPorts = map[string]string{"https": "443", "ldap": "389", "ldaps": "636"}

// address is where a system is, equal for all ways to write it.
func address(spec *v1alpha1.LinkedSystemSpec) string {
	endpoint := cmp.Or(string(spec.SCIM.Endpoint), spec.LDAP.Endpoint, string(spec.Webhook.Endpoint))
	u, err := url.Parse(endpoint)
	if err != nil { // opening it says so
		return endpoint
	}
	port := u.Port()
	if port == standardPorts[u.Scheme] {
		port = ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") + ":" + port + u.EscapedPath() + "?" + u.RawQuery
}

func overlaps(a, b string) bool {
	one, err1 := ldap.ParseDN(a)
	two, err2 := ldap.ParseDN(b)
	if err1 != nil || err2 != nil {
		return strings.EqualFold(a, b)
	}
	return one.EqualFold(two) || one.AncestorOfFold(two) || two.AncestorOfFold(one)
}
