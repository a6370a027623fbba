package dingtalk

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"rollcall.dev/rollcall/internal/httpx"
)

const (
	// renewBefore: a token is renewed this long before its end, so that none
	// expires under way. Asking again renews the same token [obtain-orgapp-token].
	renewBefore = 5 * time.Minute
	// fetchTime is how long a renewal may take, waiting for its turn included.
	fetchTime = time.Minute
)

// grant is an access token and its lifetime.
type grant struct {
	token    string
	lifetime time.Duration
}

// tokens hands out the access token of one of the two APIs. However many callers
// need a new one, it is asked for once at a time.
type tokens struct {
	fetch func(context.Context) (grant, error)
	now   func() time.Time

	flight singleflight.Group
	mu     sync.Mutex
	token  string
	until  time.Time
}

// get returns a token that was valid when last heard of.
func (t *tokens) get(ctx context.Context) (string, error) {
	if token := t.cached(); token != "" {
		return token, nil
	}
	// A caller that gives up must not take the token from the others.
	answer := t.flight.DoChan("", func() (any, error) {
		if token := t.cached(); token != "" {
			return token, nil
		}
		// Whoever asked first, a freeze may be waiting with it.
		ctx, cancel := context.WithTimeout(httpx.WithPriority(context.WithoutCancel(ctx), httpx.Freeze), fetchTime)
		defer cancel()
		g, err := t.fetch(ctx)
		if err != nil {
			return "", err
		}
		t.keep(g)
		return g.token, nil
	})
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case a := <-answer:
		if a.Err != nil {
			return "", a.Err
		}
		return a.Val.(string), nil
	}
}

func (t *tokens) cached() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now().Before(t.until) {
		return t.token
	}
	return ""
}

func (t *tokens) keep(g grant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = g.token
	t.until = t.now().Add(g.lifetime - min(renewBefore, g.lifetime/2))
}

// discard forgets a token that the platform has refused, unless it was replaced
// in the meantime.
func (t *tokens) discard(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token, t.until = "", time.Time{}
	}
}

// The parameters must be in the query: gettoken ignores a body (published probe
// of the live API).
func (c *client) fetchOldToken(ctx context.Context) (grant, error) {
	var a struct {
		AccessToken text    `json:"access_token"`
		ExpiresIn   integer `json:"expires_in"`
	}
	r := request{api: c.older, method: http.MethodGet, query: url.Values{"appkey": {c.appKey}, "appsecret": {c.appSecret}}}
	if err := c.exchange(ctx, &opOldToken, r, "", &a); err != nil {
		return grant{}, err
	}
	return newGrant(&opOldToken, a.AccessToken, a.ExpiresIn)
}

func (c *client) fetchNewToken(ctx context.Context) (grant, error) {
	var a struct {
		AccessToken text    `json:"accessToken"`
		ExpireIn    integer `json:"expireIn"` // sic: not expiresIn
	}
	r := request{api: c.newer, method: http.MethodPost, body: map[string]string{"appKey": c.appKey, "appSecret": c.appSecret}}
	if err := c.exchange(ctx, &opNewToken, r, "", &a); err != nil {
		return grant{}, err
	}
	return newGrant(&opNewToken, a.AccessToken, a.ExpireIn)
}

func newGrant(op *operation, token text, seconds integer) (grant, error) {
	if token == "" || seconds <= 0 {
		return grant{}, incomplete(op, "it has no token")
	}
	// No token lives longer than a day; the bound keeps a wrong number from overflowing.
	return grant{token: string(token), lifetime: time.Duration(min(seconds, 86400)) * time.Second}, nil
}
