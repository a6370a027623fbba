package scim

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// Options of a system. The zero value of each is what its comment says of it.
type Options struct {
	// Endpoint is the base address, below which /Users is. Required.
	Endpoint string
	// ContentType of requests, and wanted of answers; SCIM.
	ContentType ContentType
	// Writes is how accounts are changed; what the system says of itself, Patch if it says nothing.
	Writes Writes
	// Filters: the system is asked for one account by a filter; what it says of itself, Yes if it says nothing.
	Filters Choice
	// ETags: versions guard writes; what the system says of itself, No if it says nothing.
	ETags Choice
	// Groups: memberships are taken away; Yes where the system has groups.
	Groups Choice
	// Disabling is what becomes of an account that is disabled; Keeps.
	Disabling Disabling
	// PageSize that is asked for; 100.
	PageSize int
}

// ContentType is how bodies are called.
type ContentType string

// The content types.
const (
	ContentSCIM ContentType = "SCIM"
	ContentJSON ContentType = "JSON"
)

// Writes is how accounts are changed.
type Writes string

// The ways of changing accounts.
const (
	Patch            Writes = "Patch"
	PatchWithoutPath Writes = "PatchWithoutPath"
	Put              Writes = "Put"
)

// Choice overrides what a system says of itself.
type Choice string

// The choices.
const (
	Yes Choice = "Yes"
	No  Choice = "No"
)

// Disabling is what becomes of a disabled account.
type Disabling string

// What becomes of a disabled account.
const (
	Keeps   Disabling = "Keeps"
	Removes Disabling = "Removes"
)

// Keys of the credentials Secret: a token, or a user name and a password.
const (
	secretToken    = "token"
	secretUsername = "username"
	secretPassword = "password"
)

const defaultPage = 100

// System is one SCIM service provider.
type System struct {
	options    Options
	settings   linked.Settings
	client     *client
	attributes map[string]attribute
	names      []string // of the attributes, sorted
	facts      atomic.Pointer[facts]
	asking     chan struct{} // holds one: who discovers
	mostBytes  int64         // of one listing; a test makes it less
	// byMember is the one of memberFilters that finds the groups of an account, once it has
	// been seen to do so; else unlearned or unfound.
	byMember atomic.Value
}

var _ linked.System = (*System)(nil)

// New makes the system that options describe. It calls nobody. Class Invalid: the
// options or the mapping cannot be right; Unauthenticated: the Secret lacks a key.
func New(o Options, settings linked.Settings) (linked.System, error) {
	base, err := baseOf(o.Endpoint)
	if err != nil {
		return nil, err
	}
	authorization, err := authorizationOf(settings.Secrets)
	if err != nil {
		return nil, err
	}
	media := "application/scim+json"
	if o.ContentType == ContentJSON {
		media = "application/json"
	}
	o.PageSize = min(cmp.Or(max(o.PageSize, 0), defaultPage), 1000)
	s := &System{
		options: o, settings: settings, attributes: map[string]attribute{}, asking: make(chan struct{}, 1), mostBytes: mostBytes,
		client: &client{
			base: base, media: media, authorization: authorization, http: settings.HTTP,
			throttled: settings.Throttled, answered: settings.Answered, now: settings.Now,
		},
	}
	for _, name := range settings.Attributes {
		a, err := attributeOf(name)
		if err != nil {
			return nil, err
		}
		s.attributes[name] = a
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	s.names = slices.Compact(s.names)
	s.byMember.Store(unlearned)
	return s, nil
}

func baseOf(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", invalid("connect", "the endpoint must be an address such as https://idp.example.com/scim/v2, without a user, a query and a fragment")
	}
	if ip, _ := netip.ParseAddr(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && !ip.IsLoopback() {
		return "", invalid("connect", "the endpoint must be https://, but to loopback: the credentials travel on it")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func authorizationOf(secrets map[string][]byte) (string, error) {
	value := func(key string) string { return strings.TrimSpace(string(secrets[key])) }
	token, user, password := value(secretToken), value(secretUsername), value(secretPassword)
	switch {
	case strings.ContainsFunc(token, func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsPrint(c) || c == ' ' }):
		return "", &directory.Error{Class: directory.Unauthenticated, Operation: "connect", Message: "token: it has characters that no token has"}
	case token != "":
		return "Bearer " + token, nil
	case user != "" && password != "" && !strings.Contains(user, ":"):
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)), nil
	}
	return "", &directory.Error{Class: directory.Unauthenticated, Operation: "connect",
		Message: "the credentials Secret must have the key token, or username (without a colon) and password"}
}

// Close lets connections go.
func (s *System) Close() { s.client.http.CloseIdleConnections() }

// account is what we understand of an account.
func (s *System) account(id string, r resource) linked.Account {
	a := linked.Account{ID: id, Login: r.text("userName"), Number: numberOf(r), Attributes: map[string][]string{}}
	a.Enabled, _ = r.active()
	a.Groups = groupsOf(r)
	for name, attribute := range s.attributes {
		if values := attribute.read(r); len(values) > 0 {
			a.Attributes[name] = values
		}
	}
	return a
}

// numberOf is the employee number: the one of the enterprise extension (RFC 7643 §4.3),
// else externalId, which is ours if we made the account (RFC 7643 §3.1).
func numberOf(r resource) string {
	return cmp.Or(r.object(schemaEnterprise).text("employeeNumber"), r.text("externalId"))
}

// groupsOf are the groups that the account says it is a direct member of.
func groupsOf(r resource) []string {
	var ids []string
	seen := map[string]bool{}
	for _, e := range entries(r.get("groups")) {
		if id := e.text("value"); validID(id) && !strings.EqualFold(e.text("type"), "indirect") && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// List calls each with every account. It says of none that it is parked where there are
// groups: which of them an account is in, only Account finds out.
func (s *System) List(ctx context.Context, each func(linked.Account) error) error {
	f := s.known(ctx)
	return s.each(ctx, users, false, func(listed string, raw json.RawMessage) error {
		r, id, ok := parse(raw)
		if !ok || id != listed {
			return incomprehensible(get(users.operation, "", nil), "the listing has an entry that is no account")
		}
		a := s.account(id, r)
		a.Parked = !a.Enabled && !f.groups
		return each(a)
	})
}

// Account reads the account with this id. Of a disabled one it also finds out in which
// groups it still is: few systems say so with the account, and an empty list of theirs
// does not prove that it is unlinked.
func (s *System) Account(ctx context.Context, id string) (linked.Account, error) {
	r, err := s.read(ctx, id)
	if err != nil {
		return linked.Account{}, err
	}
	return s.whole(ctx, id, r)
}

// whole is the account that was just read, with the groups of a disabled one.
func (s *System) whole(ctx context.Context, id string, r resource) (a linked.Account, err error) {
	if a = s.account(id, r); a.Enabled {
		return a, nil
	}
	if !s.known(ctx).groups {
		a.Parked = true
		return a, nil
	}
	a.Groups, err = s.memberships(ctx, id, r)
	a.Parked = err == nil && len(a.Groups) == 0
	return a, err
}

// read gets an account. An answer about another one is none.
func (s *System) read(ctx context.Context, id string) (resource, error) {
	q, err := item("users/get", http.MethodGet, "/Users", id)
	if err != nil {
		return nil, err
	}
	body, err := s.client.do(ctx, q)
	if err != nil {
		return nil, err
	}
	return own(q, id, body)
}

// own parses an answer about the account or group with this id.
func own(q *request, id string, body []byte) (resource, error) {
	r, got, ok := parse(body)
	if !ok {
		return nil, incomprehensible(q, "the answer is not a resource of SCIM")
	}
	if got != id {
		return nil, incomprehensible(q, "the answer is about another one than was asked for")
	}
	return r, nil
}

// Find looks for accounts with this employee number, then for those with this login.
func (s *System) Find(ctx context.Context, number, login string) ([]linked.Account, error) {
	found, _, err := s.find(ctx, number, login)
	if err != nil {
		return nil, err
	}
	accounts := make([]linked.Account, 0, len(found))
	for _, r := range found {
		accounts = append(accounts, s.account(r.text("id"), r))
	}
	return accounts, nil
}

// find asks by externalId, then by userName, and reads everybody where the system could
// not be asked one of them, or did not answer what was asked. all: everybody was read.
func (s *System) find(ctx context.Context, number, login string) (found []resource, all bool, err error) {
	if s.known(ctx).filters {
		found, all, err = s.ask(ctx, number, login)
		if err = cmp.Or(err, believable(len(found))); err != nil || !all {
			return found, false, err
		}
	}
	found, err = s.search(ctx, number, login)
	return found, true, err
}

// ask finds by filters. open: one of the questions was not answered.
func (s *System) ask(ctx context.Context, number, login string) (found []resource, open bool, err error) {
	for _, key := range []struct {
		attribute, value string
		is               func(resource, string) bool
	}{{"externalId", number, hasExternalID}, {"userName", login, hasLogin}} {
		if key.value == "" {
			continue
		}
		raws, honest, err := s.hits(ctx, users.filtered(equals(key.attribute, key.value)), func(raw json.RawMessage) bool {
			r, _, ok := parse(raw)
			return ok && key.is(r, key.value)
		})
		if err != nil && !unfiltered(err) {
			return nil, false, err
		}
		if found = parseAll(raws); len(found) > 0 {
			// Somebody else may have the number, if nobody could be asked for it.
			open = !honest || open && !slices.ContainsFunc(found, func(r resource) bool { return hasNumber(r, number) })
			return found, open, nil
		}
		// Some (both peers) do not take back what is escaped: their "none" says nothing.
		open = open || err != nil || !honest || strings.ContainsAny(key.value, `"\`)
	}
	return nil, open, nil
}

// unfiltered: the system refuses the question, not us. 404 is how some say "none".
func unfiltered(err error) bool {
	status := said(err).status
	return status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusNotImplemented
}

func parseAll(raws []json.RawMessage) []resource {
	var all []resource
	for _, raw := range raws {
		if r, _, ok := parse(raw); ok {
			all = append(all, r)
		}
	}
	return all
}

// search reads all accounts and keeps those with the number, else those with the login.
func (s *System) search(ctx context.Context, number, login string) ([]resource, error) {
	var byNumber, byLogin []resource
	err := s.each(ctx, users, true, func(id string, raw json.RawMessage) error {
		r, own, ok := parse(raw)
		switch {
		case !ok || own != id:
			return incomprehensible(get(users.operation, "", nil), "the listing has an entry that is no account")
		case hasNumber(r, number):
			byNumber = append(byNumber, r)
		case login != "" && hasLogin(r, login):
			byLogin = append(byLogin, r)
		}
		return believable(max(len(byNumber), len(byLogin)))
	})
	if err != nil {
		return nil, err
	}
	if len(byNumber) > 0 {
		return byNumber, nil
	}
	return byLogin, nil
}

// believable: so many may be found by one number or login.
func believable(found int) error {
	if found > mostFound {
		return &directory.Error{Class: directory.QuotaExceeded, Operation: "users/find",
			Message: fmt.Sprintf("more accounts than the %d that are believed here have the same number, or the same login", mostFound)}
	}
	return nil
}

// externalId minds the case (RFC 7643 §3.1), userName does not (§4.1.1).
func hasExternalID(r resource, number string) bool { return r.text("externalId") == number }

func hasNumber(r resource, number string) bool {
	return number != "" && (numberOf(r) == number || hasExternalID(r, number))
}

func hasLogin(r resource, login string) bool { return strings.EqualFold(r.text("userName"), login) }

// directoryError is err as ours.
func directoryError(err error) (*directory.Error, bool) { return errors.AsType[*directory.Error](err) }
