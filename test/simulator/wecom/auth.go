package wecom

import (
	"crypto/rand"
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// tokenLife is how long a token is good for (91039).
const tokenLife = 7200 * time.Second

// badSecretWindow is how long bad secrets are remembered and how long an
// address is banned for them (90313 under 45009).
const badSecretWindow = time.Hour

type token struct {
	credential *credential
	expires    time.Time
}

// auth knows who may call: corps by id, tokens, and addresses with bad secrets.
type auth struct {
	mu      sync.RWMutex
	corps   map[string]*tenant // by corp id
	secrets map[string]*credential
	tokens  map[string]*token
	current map[string]string // secret -> its token
	bad     map[string][]time.Time
	banned  map[string]time.Time // address -> end
}

func newAuth() *auth {
	a := &auth{corps: map[string]*tenant{}, secrets: map[string]*credential{}}
	a.forget()
	return a
}

// forget drops tokens and bans.
func (a *auth) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens, a.current = map[string]*token{}, map[string]string{}
	a.bad, a.banned = map[string][]time.Time{}, map[string]time.Time{}
}

// add makes the credentials of a corp known; false if one of them is taken.
func (a *auth) add(t *tenant) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	credentials := t.credentials()
	if a.corps[t.spec.CorpID] != nil {
		return false
	}
	for secret := range credentials {
		if a.secrets[secret] != nil {
			return false
		}
	}
	a.corps[t.spec.CorpID] = t
	for secret, c := range credentials {
		a.secrets[secret] = c
	}
	return true
}

// lookup finds whom a token speaks for, expired or not.
func (a *auth) lookup(value string) *token {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.tokens[value]
}

// revoke makes the tokens of a credential unknown, as the platform may do early.
func (a *auth) revoke(t *tenant, name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := false
	for value, k := range a.tokens {
		if k.credential.tenant == t && k.credential.name == name {
			delete(a.tokens, value)
			found = true
		}
	}
	for secret := range a.current {
		if c := a.secrets[secret]; c.tenant == t && c.name == name {
			delete(a.current, secret)
		}
	}
	return found
}

func authEndpoints() map[string]endpoint {
	addresses := func(*exchange) (fields, *failure) {
		return fields{"ip_list": []string{"127.0.0.1"}}, nil
	}
	return map[string]endpoint{
		"gettoken":          {do: getToken, access: open, write: true},
		"get_api_domain_ip": {do: addresses, access: anyone, defaults: []string{"ip_list"}},
		"getcallbackip":     {do: addresses, access: anyone, defaults: []string{"ip_list"}},
	}
}

// getToken checks the secret's presence before the corp, as probes have shown.
func getToken(x *exchange) (fields, *failure) {
	corpID, secret := x.query.Get("corpid"), x.query.Get("corpsecret")
	a, now := x.server.auth, x.now
	switch {
	case secret == "":
		return nil, fail(41004)
	case corpID == "":
		return nil, fail(41002)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(a.banned[x.addr]) {
		return nil, fail(45009)
	}
	t := a.corps[corpID]
	if t == nil {
		return nil, fail(40013)
	}
	c := a.secrets[secret]
	if c == nil || c.tenant != t {
		a.noteBad(t, x.addr, now)
		if c != nil {
			return nil, fail(40091) // another corp's secret
		}
		return nil, fail(40001)
	}
	t.mu.RLock()
	rotate := t.spec.Options.TokenRotation
	t.mu.RUnlock()
	value := a.current[secret]
	if k := a.tokens[value]; k == nil || rotate || !now.Before(k.expires) {
		value = newToken()
		a.current[secret] = value
		a.tokens[value] = &token{credential: c, expires: now.Add(tokenLife)}
	}
	return fields{"access_token": value, "expires_in": int(a.tokens[value].expires.Sub(now).Seconds())}, nil
}

// noteBad counts a bad secret and bans the address when there were too many.
func (a *auth) noteBad(t *tenant, addr string, now time.Time) {
	recent := slices.DeleteFunc(a.bad[addr], func(at time.Time) bool { return now.Sub(at) >= badSecretWindow })
	a.bad[addr] = append(recent, now)
	t.mu.RLock()
	limit := or(t.spec.Options.MaxBadSecrets, 10)
	t.mu.RUnlock()
	if len(a.bad[addr]) >= limit {
		a.banned[addr] = now.Add(badSecretWindow)
		delete(a.bad, addr)
	}
}

func newToken() string {
	var b [96]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// address is the caller's, without the port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
