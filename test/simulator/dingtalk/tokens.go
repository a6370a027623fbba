package dingtalk

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// tokenSeconds is how long a token lives.
// https://open.dingtalk.com/document/development/obtain-the-access-token-of-an-internal-app
const tokenSeconds = 7200

// tokens are those given out and not forgotten. Old and new API give different
// ones, and both take either: that is not documented (?), but public SDKs use
// one token for both.
type tokens struct {
	mu      sync.Mutex
	byValue map[string]*token
	current map[tokenKey]*token
}

type token struct {
	value   string
	app     *app
	expires time.Time
}

type tokenKey struct {
	app    *app
	modern bool
}

func newTokens() *tokens {
	return &tokens{byValue: map[string]*token{}, current: map[tokenKey]*token{}}
}

// issue gives the token of an app: the same one while it is valid, renewed, and
// a new one afterwards.
func (ts *tokens) issue(a *app, modern bool, now time.Time, life time.Duration) string {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	k := tokenKey{a, modern}
	t := ts.current[k]
	if t == nil || !now.Before(t.expires) {
		b := make([]byte, 16)
		_, _ = rand.Read(b) // never fails, as its documentation says
		t = &token{value: hex.EncodeToString(b), app: a}
		ts.byValue[t.value] = t
		ts.current[k] = t
	}
	t.expires = now.Add(life)
	return t.value
}

// valid gives the app of a token that has not expired.
func (ts *tokens) valid(value string, now time.Time) *app {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byValue[value]
	if t == nil || !now.Before(t.expires) {
		return nil
	}
	return t.app
}

// owner gives the app of a token, also of an expired one.
func (ts *tokens) owner(value string) *app {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t := ts.byValue[value]; t != nil {
		return t.app
	}
	return nil
}

// tokenState is what the control endpoint shows of a token: never the token.
type tokenState struct {
	Credential string    `json:"credential"`
	API        string    `json:"api"` // old or new
	Expires    time.Time `json:"expires"`
}

// states lists the tokens of a tenant in force or not yet replaced.
func (ts *tokens) states(t *tenant) []any {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	list := []any{}
	for _, a := range t.spec.Apps {
		for _, modern := range []bool{false, true} {
			if held := ts.current[tokenKey{a, modern}]; held != nil {
				api := "old"
				if modern {
					api = "new"
				}
				list = append(list, tokenState{a.Name, api, held.expires})
			}
		}
	}
	return list
}

// revoke ends all tokens of an app before their time and reports whether there
// were any.
func (ts *tokens) revoke(t *tenant, credential string) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	found := false
	for k, held := range ts.current {
		if k.app.tenant == t && k.app.Name == credential {
			found = true
			delete(ts.current, k)
			held.expires = time.Time{}
		}
	}
	return found
}

func (ts *tokens) clear() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.byValue, ts.current = map[string]*token{}, map[tokenKey]*token{}
}

// clientOf is the key by which a call for a token names the app.
func clientOf(a args) string {
	for _, name := range []string{"appkey", "corpid", "appKey", "client_id"} {
		if s, err := a.text(name); err == nil && s != "" {
			return s
		}
	}
	return ""
}

func (a *app) life() time.Duration {
	a.tenant.mu.RLock()
	defer a.tenant.mu.RUnlock()
	seconds := a.tenant.spec.Options.TokenSeconds
	if seconds == 0 {
		seconds = tokenSeconds
	}
	return time.Duration(seconds) * time.Second
}

// getToken serves GET /gettoken. Its parameters are read from the query only.
// https://open.dingtalk.com/document/development/obtain-orgapp-token
func (s *session) getToken() (map[string]any, error) {
	q := s.call.Request.URL.Query()
	id, secret := q.Get("appkey"), q.Get("appsecret")
	switch {
	case id == "":
		return nil, &refusal{code: codeParam, message: "缺少参数 corpid or appkey", bare: true}
	case secret == "":
		return nil, &refusal{code: codeParam, message: "缺少参数 corpsecret or appsecret", bare: true} // text (?)
	}
	a := s.platform.appByKey(id)
	if a == nil || a.AppSecret != secret {
		return nil, &refusal{code: codeAppSecret, message: texts[codeAppSecret], bare: true}
	}
	life := a.life()
	return map[string]any{
		"access_token": s.platform.tokens.issue(a, false, s.now, life), "expires_in": int(life.Seconds()),
	}, nil
}

// accessToken serves POST /v1.0/oauth2/accessToken.
// https://open.dingtalk.com/document/development/obtain-the-access-token-of-an-internal-app
func (s *session) accessToken() (map[string]any, error) {
	id, _ := s.args["appKey"].(string)
	secret, _ := s.args["appSecret"].(string)
	a := s.platform.appByKey(id)
	if a == nil || a.AppSecret != secret {
		return nil, errBadClient
	}
	life := a.life()
	return map[string]any{
		"accessToken": s.platform.tokens.issue(a, true, s.now, life), "expireIn": int(life.Seconds()),
	}, nil
}

// corpToken serves POST /v1.0/oauth2/{corpId}/token.
// https://open.dingtalk.com/document/development/api-gettoken
func (s *session) corpToken() (map[string]any, error) {
	corp := strings.TrimSuffix(strings.TrimPrefix(s.call.Operation, "/v1.0/oauth2/"), "/token")
	id, _ := s.args["client_id"].(string)
	secret, _ := s.args["client_secret"].(string)
	grant, _ := s.args["grant_type"].(string)
	known := false
	for _, t := range s.platform.all() {
		known = known || t.spec.CorpID == corp
	}
	if !known {
		return nil, errUnknown
	}
	a := s.platform.appByKey(id)
	if a == nil || a.AppSecret != secret || a.tenant.spec.CorpID != corp || grant != "client_credentials" {
		return nil, errBadClient
	}
	life := a.life()
	return map[string]any{
		"access_token": s.platform.tokens.issue(a, true, s.now, life), "expires_in": int(life.Seconds()),
	}, nil
}

// authScopes serves GET /auth/scopes.
// https://open.dingtalk.com/document/development/obtain-corpsecret-authorization-scope
func (s *session) authScopes() (map[string]any, error) {
	o := s.spec.Options
	depts, users := o.AuthedDepts, o.AuthedUsers
	if depts == nil {
		depts = []int64{rootDept}
	}
	if users == nil {
		users = []string{}
	}
	fields := []string{
		"jobnumber", "isLeader", "name", "position", "isAdmin", "avatar", "department", "userid", "deviceId", "isHide",
	}
	if s.grants(permFieldMobile) {
		fields = append(fields, "mobile", "stateCode")
	}
	if s.grants(permFieldEmail) {
		fields = append(fields, "email", "orgEmail", "workPlace", "remark", "extattr")
	}
	return map[string]any{
		"auth_org_scopes": map[string]any{"authed_user": users, "authed_dept": depts},
		"auth_user_field": fields, "condition_field": []string{},
	}, nil
}
