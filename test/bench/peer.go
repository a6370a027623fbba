package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/peers"
)

// peer is a SCIM server that other people wrote. What comes over the network is counted; after each change of an account the
// server is asked, beside the network and the count, whether that can be used.
type peer struct {
	server http.Handler

	mu sync.Mutex
	standing
	off map[string]bool // by path
}

// standing is how far the peer is.
type standing struct {
	calls      int
	operations map[string]int
	pace       map[int64]int // calls by second of the Unix epoch
	disabled   int
	// last is when an account was last seen to be disabled that was not, and callsAtLast how many calls had come by then.
	last        time.Time
	callsAtLast int
}

// peerToken is a token for one run on loopback.
const peerToken = "bench-token"

func newPeer() (*peer, error) {
	server, err := peers.Elimity(peers.ElimityOptions{Token: peerToken})
	if err != nil {
		return nil, fmt.Errorf("making the linked system: %w", err)
	}
	return &peer{server: server, standing: standing{operations: map[string]int{}, pace: map[int64]int{}}, off: map[string]bool{}}, nil
}

// ServeHTTP is one call.
func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.note(r)
	p.server.ServeHTTP(w, r)
	if path := r.URL.Path; r.Method == http.MethodPatch && strings.HasPrefix(path, "/Users/") {
		if active, err := p.isActive(context.WithoutCancel(r.Context()), path); err == nil {
			p.see(path, active)
		}
	}
}

func (p *peer) note(r *http.Request) {
	_, collection, _ := strings.Cut(r.URL.Path, "/")
	collection, id, _ := strings.Cut(collection, "/")
	operation := r.Method + " " + collection
	if id != "" {
		operation += "/{id}"
	}
	if r.URL.Query().Has("filter") {
		operation += "?filter"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	p.operations[operation]++
	p.pace[time.Now().Unix()]++
}

func (p *peer) see(path string, active bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !active && !p.off[path] {
		p.last, p.callsAtLast = time.Now(), p.calls
	}
	p.off[path] = !active
}

func (p *peer) stand() standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.standing
	s.operations, s.pace = maps.Clone(p.operations), maps.Clone(p.pace)
	for _, off := range p.off {
		if off {
			s.disabled++
		}
	}
	return s
}

// fill makes an account for each of the people, and a group with the first of them: so that memberships can be asked for.
func (p *peer) fill(ctx context.Context, people int) error {
	members := []any{}
	for n := 1; n <= people; n++ {
		made := struct{ ID string }{}
		if err := p.ask(ctx, http.MethodPost, "/Users", map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": world.Number(n), "externalId": world.Number(n), "active": true,
		}, &made); err != nil {
			return err
		}
		if n <= inGroup {
			members = append(members, map[string]any{"value": made.ID})
		}
	}
	return p.ask(ctx, http.MethodPost, "/Groups", map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "staff", "members": members,
	}, nil)
}

// inGroup is how many people the group has.
const inGroup = 50

// active is how many of the accounts can be used, whatever was seen before.
func (p *peer) active(ctx context.Context, people int) (n int, err error) {
	for i := 1; i <= people; i++ {
		is, err := p.isActive(ctx, fmt.Sprintf("/Users/%08d", i))
		if err != nil {
			return 0, err
		}
		if is {
			n++
		}
	}
	return n, nil
}

func (p *peer) isActive(ctx context.Context, path string) (bool, error) {
	account := struct{ Active *bool }{}
	err := p.ask(ctx, http.MethodGet, path, nil, &account)
	return account.Active == nil || *account.Active, err
}

// ask makes a call that does not count.
func (p *peer) ask(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("asking the linked system: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking the linked system: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+peerToken)
	w := httptest.NewRecorder()
	p.server.ServeHTTP(w, r)
	if w.Code < 200 || w.Code > 299 {
		return fmt.Errorf("asking the linked system: %s %s: status %d: %s", method, path, w.Code, w.Body)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		return fmt.Errorf("asking the linked system: %w", err)
	}
	return nil
}
