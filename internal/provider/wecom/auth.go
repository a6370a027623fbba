package wecom

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

const (
	// spare is how long before its end a token is no longer used, at most.
	spare = 5 * time.Minute
	// refusedFor is how long a refused secret is not tried again: repeated bad
	// secrets get the address banned for an hour
	// (https://developer.work.weixin.qq.com/document/path/90313, under 45009).
	refusedFor = 15 * time.Minute
	// fetchTime is the most that a renewal may take, waiting for its turn included.
	fetchTime = 2 * time.Minute
)

// secret is one credential with the token that it gave. One renewal at a time
// serves all who wait for it.
type secret struct {
	name   string // key of the credentials Secret
	value  string
	corp   string
	client *client
	now    func() time.Time

	flight singleflight.Group

	mu      sync.Mutex
	current string
	expires time.Time
	refusal *directory.Error // what the platform answered instead of a token
	until   time.Time        // when it may be asked again
}

// token returns a token in force. An error of class Unauthenticated is
// remembered and repeated for a while without asking.
func (s *secret) token(ctx context.Context) (string, error) {
	if token, err := s.known(); token != "" || err != nil {
		return token, err
	}
	// The renewal belongs to all who wait, so it must outlive whoever began it.
	// It goes first: someone with the highest priority may be waiting.
	renewal := s.flight.DoChan("", func() (any, error) {
		if token, err := s.known(); token != "" || err != nil {
			return token, err
		}
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
		defer cancel()
		return s.fetch(httpx.WithPriority(detached, httpx.Freeze))
	})
	select {
	case r := <-renewal:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	case <-ctx.Done():
		return "", &directory.Error{Class: directory.Unavailable, Operation: "gettoken",
			Message: "gave up waiting for a token", Err: context.Cause(ctx)}
	}
}

// known returns the cached token, or the refusal that is still in force, or nothing.
func (s *secret) known() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.refusal != nil && now.Before(s.until) {
		e := *s.refusal
		e.RetryAfter = s.until.Sub(now)
		return "", &e
	}
	if s.current != "" && now.Before(s.expires) {
		return s.current, nil
	}
	return "", nil
}

func (s *secret) fetch(ctx context.Context) (string, error) {
	asked := s.now()
	token, life, err := s.client.getToken(ctx, s.corp, s.value)
	if err != nil {
		return "", s.refuse(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.expires, s.refusal = token, asked.Add(life-min(spare, life/10)), nil
	return token, nil
}

// discard forgets the token, unless it has been renewed since.
func (s *secret) discard(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == token {
		s.current = ""
	}
}

// refuse names the credential in err, and remembers err if asking again would do
// harm: a wrong secret, or a platform that has had enough.
func (s *secret) refuse(err error) error {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok {
		return err
	}
	named := blame(e, s.name)
	pause := time.Duration(0)
	switch named.Class {
	case directory.Unauthenticated:
		pause = refusedFor
		named.Message += "; not tried again for 15 minutes, because WeCom bans addresses that repeat a wrong secret, or until the Secret changes"
	case directory.RateLimited:
		pause = named.RetryAfter
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if pause > 0 {
		s.current, s.refusal, s.until = "", named, s.now().Add(pause)
	}
	return named
}

// blame returns a copy of err that says which credential it is about.
func blame(err *directory.Error, name string) *directory.Error {
	e := *err
	e.Message = name + ": " + e.Message
	return &e
}
