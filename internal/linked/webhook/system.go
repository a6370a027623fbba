package webhook

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// Keys of the credentials Secret. Requests are signed by both while both are there.
const (
	signingKey  = "signingKey"
	previousKey = "previousSigningKey"
)

// leastKey is how long a key is at least, in bytes.
const leastKey = 32

// Options of one system.
type Options struct {
	// Endpoint is where requests are posted to.
	Endpoint string
	// Lookup: the receiver answers account.lookup.
	Lookup bool
}

// System is a receiver of webhooks. Make it by New.
type System struct {
	client *client
	lookup bool
	wanted []string // attributes, sorted
}

var _ linked.System = (*System)(nil)

// orderKey is what a key may be. Without a full stop it cannot reach into what else is signed.
var orderKey = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// New makes the system of a receiver. It calls nothing. The error says what is wrong with endpoint or Secret, not what is in it.
func New(o Options, settings linked.Settings) (linked.System, error) {
	if err := checkEndpoint(o.Endpoint); err != nil {
		return nil, err
	}
	keys, err := keysOf(settings.Secrets)
	if err != nil {
		return nil, err
	}
	if settings.HTTP == nil {
		return nil, invalid("settings", "there is no HTTP client")
	}
	http1 := *settings.HTTP
	http1.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	wanted := slices.Sorted(slices.Values(settings.Attributes))
	return &System{
		lookup: o.Lookup, wanted: slices.Compact(wanted),
		client: &client{
			endpoint: o.Endpoint, keys: keys, http: &http1,
			throttled: settings.Throttled, answered: settings.Answered, now: settings.Now,
		},
	}, nil
}

func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return invalid("settings", "the endpoint must be an address such as https://hr.example.com/rollcall, without a user, a query and a fragment")
	}
	ip, _ := netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && !ip.IsLoopback()) {
		return invalid("settings", "the endpoint must be https://, but to loopback: personal data travels on it")
	}
	return nil
}

func keysOf(secrets map[string][]byte) ([][]byte, error) {
	var keys [][]byte
	for _, name := range []string{signingKey, previousKey} {
		value, there := secrets[name]
		if !there && name == previousKey {
			continue
		}
		key, err := keyOf(value)
		if err != nil {
			return nil, &directory.Error{Class: directory.Unauthenticated, Operation: "settings", Message: "the credentials' " + name + " " + err.Error()}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// keyOf reads a key: "whsec_" and base64, as Standard Webhooks writes one, or the bytes as they are. A line break at the
// end of a Secret's value is common, and never meant.
func keyOf(value []byte) ([]byte, error) {
	text := strings.TrimRight(string(value), "\r\n")
	key := []byte(text)
	if encoded, ok := strings.CutPrefix(text, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("begins with whsec_ and goes on with what is not base64")
		}
	}
	if len(key) < leastKey {
		return nil, fmt.Errorf("has to have at least %d bytes, and has %d", leastKey, len(key))
	}
	return key, nil
}

// nonce is a key for a question, which is never asked twice.
func nonce(what string) string { return what + "-" + rand.Text() }

// isID says whether a receiver's words can be an id: it goes into statuses and messages.
func isID(s string) bool {
	return s != "" && len(s) <= 256 && utf8.ValidString(s) && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
}

// List implements [linked.System].
func (s *System) List(context.Context, func(linked.Account) error) error {
	return &directory.Error{Class: directory.NotSupported, Operation: "account.list", Message: "a receiver of webhooks is asked for one account at a time"}
}

// Account implements [linked.System].
func (s *System) Account(ctx context.Context, id string) (linked.Account, error) {
	found, err := s.ask(ctx, data{AccountID: id})
	if err != nil {
		return linked.Account{}, err
	}
	if len(found) == 0 {
		return linked.Account{}, &directory.Error{Class: directory.NotFound, Operation: eventLookup, Message: "there is no such account"}
	}
	return s.accountOf(&found[0]), nil
}

// Find implements [linked.System].
func (s *System) Find(ctx context.Context, number, login string) ([]linked.Account, error) {
	for _, by := range []data{{Number: number}, {Login: login}} {
		if by.Number == "" && by.Login == "" {
			continue
		}
		all, err := s.ask(ctx, by)
		if err != nil {
			return nil, err
		}
		var found []linked.Account
		for i := range all {
			a := s.accountOf(&all[i])
			if by.Number != "" && strings.EqualFold(a.Number, by.Number) || by.Login != "" && strings.EqualFold(a.Login, by.Login) {
				found = append(found, a)
			}
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// ask looks accounts up. Deleted ones are not among them. An answer about another id is not believed.
func (s *System) ask(ctx context.Context, by data) ([]account, error) {
	if !s.lookup {
		return nil, &directory.Error{Class: directory.NotSupported, Operation: eventLookup, Message: "the receiver is not asked, because lookup is No: its receipts are all that is known"}
	}
	by.Wanted = s.wanted
	q := &request{Type: eventLookup, Key: nonce("lookup"), Data: by}
	r, err := s.client.do(ctx, q)
	if directory.ClassOf(err) == directory.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if r.Accounts == nil {
		return nil, unsure(q, "the receipt of a lookup has no accounts")
	}
	all := slices.DeleteFunc(*r.Accounts, func(a account) bool { return a.State == stateDeleted })
	seen := map[string]bool{}
	for _, a := range all {
		switch {
		case !isID(a.AccountID):
			return nil, unsure(q, "the receipt has an account without an accountID, or one that cannot be one")
		case by.AccountID != "" && a.AccountID != by.AccountID:
			return nil, unsure(q, "the receipt is about another account")
		case seen[a.AccountID]:
			return nil, unsure(q, "the receipt has an account twice")
		case a.State != stateEnabled && a.State != stateDisabled && a.State != stateUnlinked:
			return nil, unsure(q, "the receipt says of an account no state that is one")
		}
		seen[a.AccountID] = true
	}
	return all, nil
}

// accountOf translates what a receipt says of an account.
func (s *System) accountOf(a *account) linked.Account {
	attributes := maps.Clone(a.Attributes)
	maps.DeleteFunc(attributes, func(name string, values []string) bool {
		_, wanted := slices.BinarySearch(s.wanted, name)
		return !wanted || len(values) == 0
	})
	return linked.Account{
		ID: a.AccountID, Login: a.Login, Number: a.Number, Enabled: a.State == stateEnabled, Parked: a.State == stateUnlinked,
		Attributes: attributes, Groups: a.Groups,
	}
}

// Create implements [linked.System].
func (s *System) Create(ctx context.Context, w linked.Wish, o linked.Order) (linked.Account, error) {
	q := &request{Type: eventProvision, Key: o.Key, Reason: o.Reason, Data: data{Login: w.Login, Number: w.Number, Attributes: filled(w.Attributes)}}
	r, err := s.client.do(ctx, q)
	switch {
	case err != nil:
		return linked.Account{}, err
	case !isID(r.AccountID):
		return linked.Account{}, unsure(q, "the receipt has no accountID, or one that cannot be one")
	case r.State != stateEnabled:
		return linked.Account{}, unsure(q, "the receipt does not say that the account is Enabled")
	case r.Number != "" && w.Number != "" && !strings.EqualFold(r.Number, w.Number): // P4; the login may be of an earlier declaration
		return linked.Account{}, &directory.Error{Class: directory.Conflict, Operation: q.Type,
			Message: "the receipt is about an account with another employee number: correct it there, or pin the right one in spec.linkedAccounts[].accountID"}
	}
	a := s.accountOf(&r.account)
	if a.Login == "" {
		a.Login = w.Login
	}
	return a, nil
}

// filled writes the lists that take attributes away as such, not as null.
func filled(attributes map[string][]string) map[string][]string {
	all := make(map[string][]string, len(attributes))
	for name, values := range attributes {
		all[name] = append([]string{}, values...)
	}
	return all
}

// Update implements [linked.System].
func (s *System) Update(ctx context.Context, id string, w linked.Wish, o linked.Order) error {
	if w.Login == "" && len(w.Attributes) == 0 {
		return nil
	}
	q := &request{Type: eventUpdate, Key: o.Key, Reason: o.Reason, Data: data{AccountID: id, Login: w.Login, Attributes: filled(w.Attributes)}}
	return s.act(ctx, q, stateEnabled, stateDisabled, stateUnlinked)
}

// Disable implements [linked.System].
func (s *System) Disable(ctx context.Context, id string, o linked.Order) error {
	return s.act(ctx, order(eventDisable, id, o), stateDisabled, stateUnlinked)
}

// Enable implements [linked.System].
func (s *System) Enable(ctx context.Context, id string, o linked.Order) error {
	return s.act(ctx, order(eventEnable, id, o), stateEnabled)
}

// Unlink implements [linked.System].
func (s *System) Unlink(ctx context.Context, id string, o linked.Order) error {
	return s.act(ctx, order(eventUnlink, id, o), stateUnlinked)
}

// Delete implements [linked.System].
func (s *System) Delete(ctx context.Context, id string, o linked.Order) error {
	return s.act(ctx, order(eventDelete, id, o), stateDeleted)
}

func order(event, id string, o linked.Order) *request {
	return &request{Type: event, Key: o.Key, Reason: o.Reason, Data: data{AccountID: id}}
}

// act sends a write, and believes the receipt if it is about this account and says one of the states.
func (s *System) act(ctx context.Context, q *request, states ...string) error {
	r, err := s.client.do(ctx, q)
	switch {
	case err != nil:
		return err
	case r.AccountID != q.Data.AccountID:
		return unsure(q, "the receipt is about another account, or about none")
	case r.State == stateDeleted && !slices.Contains(states, stateDeleted):
		return &directory.Error{Class: directory.NotFound, Operation: q.Type, Message: "the receiver says that the account is deleted"}
	case !slices.Contains(states, r.State):
		return contradicted(q, "the receiver took the request, and does not say that the account is %s", strings.Join(states, " or "))
	}
	// Where nothing can be looked up nobody asks for residuals later.
	if !s.lookup && (q.Type == eventUnlink || q.Type == eventDelete) {
		if left := residualWords(&r.account); len(left) > 0 {
			return contradicted(q, "done, but for what the receiver says is left: %s", strings.Join(left, ", "))
		}
	}
	return nil
}

// kinds are what may be left of somebody; words of the receiver's own could name the person.
var kinds = map[string]string{
	"Memberships": "memberships in groups", "Sessions": "sessions", "Tokens": "tokens", "Mailboxes": "mailboxes",
	"Devices": "devices", "Licences": "licences", "Files": "files",
}

// residualWords are what a receipt says is left, sorted.
func residualWords(a *account) []string {
	counts := map[string]int{}
	for _, r := range a.Residuals {
		kind, known := kinds[r.Kind]
		if !known {
			kind = "things of another kind"
		}
		counts[kind] = max(counts[kind], r.Count, 1)
	}
	if n := len(a.Groups); n > 0 {
		counts[kinds["Memberships"]] = max(counts[kinds["Memberships"]], n)
	}
	var left []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		left = append(left, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return left
}

// Residuals implements [linked.System].
func (s *System) Residuals(ctx context.Context, id string, deleted bool) ([]string, error) {
	found, err := s.ask(ctx, data{AccountID: id})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var left []string
	if deleted {
		left = append(left, "the account is there")
	}
	if found[0].State == stateEnabled {
		left = append(left, "the account is enabled")
	}
	return append(left, residualWords(&found[0])...), nil
}

// Close implements [linked.System].
func (s *System) Close() { s.client.http.CloseIdleConnections() }
