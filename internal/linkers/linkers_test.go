package linkers_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linkers"
	"rollcall.dev/rollcall/internal/tenant"
	"rollcall.dev/rollcall/test/peers"
	receiver "rollcall.dev/rollcall/test/simulator/webhook"
)

var signing = []byte("signing-key-of-the-tests-0123456789")

// served is a server on TLS, and how often somebody came as far as to ask it something.
type served struct {
	spec    v1alpha1.LinkedSystemSpec
	secrets map[string][]byte
	asked   func() int
}

// secured serves h with a certificate of the authority, for 127.0.0.1.
func secured(t *testing.T, a *peers.Authority, h http.Handler) (endpoint v1alpha1.Endpoint, asked func() int) {
	t.Helper()
	cert, key, err := a.Issue()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.Add(1); h.ServeHTTP(w, r) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return v1alpha1.Endpoint(s.URL), func() int { return int(n.Load()) }
}

// systems are one real server of each protocol, and the authority that signed its certificate.
func systems(t *testing.T) (all map[string]served, bundles map[string][]byte) {
	t.Helper()
	a, err := peers.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	h, err := peers.Elimity(peers.ElimityOptions{Token: "sesame"})
	if err != nil {
		t.Fatal(err)
	}
	idp, idpAsked := secured(t, a, h)
	door, doorAsked := secured(t, a, receiver.New(receiver.Options{Keys: [][]byte{signing}}))
	d, err := peers.StartSlapd(t.Context(), t.TempDir(), peers.SlapdOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Kill)
	return map[string]served{
			"SCIM":    {v1alpha1.LinkedSystemSpec{SCIM: v1alpha1.SCIMSystem{Endpoint: idp}}, map[string][]byte{"token": []byte("sesame")}, idpAsked},
			"Webhook": {v1alpha1.LinkedSystemSpec{Webhook: v1alpha1.WebhookSystem{Endpoint: door}}, map[string][]byte{"signingKey": signing}, doorAsked},
			"LDAP": {v1alpha1.LinkedSystemSpec{LDAP: v1alpha1.LDAPSystem{Endpoint: "ldaps://" + d.LDAPS, PeopleDN: peers.SlapdPeople}},
				map[string][]byte{"bindDN": []byte(peers.SlapdOperator), "password": []byte(peers.SlapdSecretWord)}, func() int { return 0 }},
		}, map[string][]byte{
			"SCIM": a.PEM, "Webhook": a.PEM, "LDAP": d.Authority.PEM,
		}
}

// P12: whom a LinkedSystem's caBundle does not vouch for is told nothing, whichever the protocol; without one this machine's own
// authorities decide, and there is no way around them.
func TestP12CredentialsGoOnlyToWhomTheBundleVouchesFor(t *testing.T) {
	all, bundles := systems(t)
	stranger, err := peers.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	if protocols := linkers.All(); len(protocols) != len(all) {
		t.Errorf("there are %d protocols, and %d servers", len(protocols), len(all))
	}
	for protocol, s := range all {
		discover := func(bundle []byte) (linked.Capabilities, error) {
			t.Helper()
			spec := s.spec
			spec.CABundle = string(bundle)
			l, err := tenant.OpenLinked("acme/"+protocol, &tenant.LinkedSpec{
				UID: "uid", Secrets: s.secrets, CABundle: spec.CABundle, PerSecond: 100, Interval: time.Hour,
				Open: func(settings linked.Settings) (linked.System, error) { return linkers.All()[protocol](&spec, settings) },
			}, nil, time.Now, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer l.System.Close()
			return l.System.Discover(t.Context())
		}
		for name, bundle := range map[string][]byte{"another authority": stranger.PEM, "this machine's": nil} {
			_, err := discover(bundle)
			if directory.ClassOf(err) != directory.Unavailable || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("%s, %s: %v", protocol, name, err)
			}
			if n := s.asked(); n > 0 {
				t.Errorf("%s, %s: it was asked %d times", protocol, name, n)
			}
			for _, secret := range s.secrets {
				if err != nil && strings.Contains(err.Error(), string(secret)) {
					t.Errorf("%s, %s: a secret is in %v", protocol, name, err)
				}
			}
		}
		if c, err := discover(bundles[protocol]); err != nil || c.Protocol != protocol {
			t.Errorf("%s: %+v, %v", protocol, c, err)
		}
	}
}
