package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// version of the payload.
const version = "v1"

// The types of events; they are the operations of metrics and limits, too.
const (
	eventProvision = "account.provision"
	eventUpdate    = "account.update"
	eventDisable   = "account.disable"
	eventEnable    = "account.enable"
	eventUnlink    = "account.unlink"
	eventDelete    = "account.delete"
	eventLookup    = "account.lookup"
	eventCheck     = "system.check"
)

// The states of receipts.
const (
	stateEnabled  = "Enabled"
	stateDisabled = "Disabled"
	stateUnlinked = "Unlinked"
	stateDeleted  = "Deleted"
	statePending  = "Pending"
)

const (
	maxBody = 256 << 10 // bytes of a request, and of an answer
	// freshness is how long after it was signed a request may leave, and be answered.
	freshness = 4 * time.Minute
)

// request is the body of a request.
type request struct {
	Version string `json:"version"`
	Type    string `json:"type"`
	Key     string `json:"key"`
	Reason  string `json:"reason,omitempty"`
	Data    data   `json:"data"`
}

// reads: it changes nothing.
func (q *request) reads() bool { return q.Type == eventLookup || q.Type == eventCheck }

type data struct {
	AccountID  string              `json:"accountID,omitempty"`
	Login      string              `json:"login,omitempty"`
	Number     string              `json:"number,omitempty"`
	Attributes map[string][]string `json:"attributes,omitempty"`
	// Wanted are the attributes that a lookup asks for.
	Wanted []string `json:"wanted,omitempty"`
}

// receipt is the body of an answer.
type receipt struct {
	Key string `json:"key"`
	account
	// Accounts answer a lookup.
	Accounts *[]account `json:"accounts"`
	// Events answer a check: those that the receiver does; nil is all of them.
	Events []string `json:"events"`
	// Reference is the receiver's own name of what it did, for the trail.
	Reference string `json:"reference"`
	Error     *struct {
		Code      string `json:"code"`
		AccountID string `json:"accountID"`
	} `json:"error"`
}

type account struct {
	AccountID  string              `json:"accountID"`
	State      string              `json:"state"`
	Login      string              `json:"login"`
	Number     string              `json:"number"`
	Attributes map[string][]string `json:"attributes"`
	Groups     []string            `json:"groups"`
	Residuals  []residual          `json:"residuals"`
}

type residual struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

// client speaks the wire.
type client struct {
	endpoint  string
	keys      [][]byte // the current one first
	http      *http.Client
	throttled func(operation string, retryAfter time.Duration)
	answered  func(operation string, class directory.Class)
	now       func() time.Time
}

// do sends one request once, and has its end counted. Without an error the receipt echoes the key, and refuses nothing.
func (c *client) do(ctx context.Context, q *request) (*receipt, error) {
	r, err := c.exchange(ctx, q)
	if !q.reads() {
		reference := ""
		if r != nil {
			reference = r.Reference
		}
		directory.NoteRequest(ctx, reference)
	}
	if e, ok := errors.AsType[*directory.Error](err); ok && e.Class == directory.RateLimited && !errors.Is(err, httpx.ErrThrottled) {
		c.throttled("", e.RetryAfter) // the receiver is one system: it is too much for all of it
	}
	c.answered(q.Type, directory.ClassOf(err))
	return r, err
}

func (c *client) exchange(ctx context.Context, q *request) (*receipt, error) {
	ctx, cancel := context.WithTimeoutCause(httpx.WithOperation(ctx, q.Type), freshness, errStale)
	defer cancel()
	if !q.reads() {
		ctx = httpx.WithWrite(ctx)
	}
	req, err := c.compose(ctx, q)
	if err != nil {
		return nil, err
	}
	resp, err := httpx.Do(c.http, req)
	if err != nil {
		return nil, unanswered(q, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, unanswered(q, err)
	}
	return c.judge(q, resp, body)
}

// compose signs a request at this moment.
func (c *client) compose(ctx context.Context, q *request) (*http.Request, error) {
	q.Version = version
	if !orderKey.MatchString(q.Key) {
		return nil, invalid(q.Type, "the key of the order is not 1 to 64 letters, digits and -")
	}
	body, err := marshal(q)
	if err != nil {
		return nil, invalid(q.Type, "the request cannot be put together")
	}
	if len(body) > maxBody {
		return nil, invalid(q.Type, "the attributes are more than a request holds, 256 KiB")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, invalid(q.Type, "the request cannot be put together")
	}
	timestamp := strconv.FormatInt(c.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("webhook-id", q.Key)
	req.Header.Set("webhook-timestamp", timestamp)
	req.Header.Set("webhook-signature", signatures(c.keys, q.Key, timestamp, body))
	return req, nil
}

// marshal is JSON of one form for equal requests, in which nothing is escaped for the sake of HTML.
func marshal(q *request) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(q)
	return bytes.TrimSpace(b.Bytes()), err
}

// signatures is the list of signatures, one for each key.
func signatures(keys [][]byte, id, timestamp string, body []byte) string {
	var all []string
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " ")
}

// judge says what an answer means. The receipt is nil if it does not echo the key.
func (c *client) judge(q *request, resp *http.Response, body []byte) (*receipt, error) {
	r := &receipt{}
	var err *directory.Error
	doubt := doubtful(q, r, body)
	success := resp.StatusCode >= 200 && resp.StatusCode < 300
	switch {
	case doubt == "" && r.Error != nil:
		err = refusedByCode(q, r)
	case !success:
		err = refusedByStatus(q, resp.StatusCode)
	case doubt != "":
		err = unsure(q, doubt)
	case resp.StatusCode == http.StatusAccepted || r.State == statePending:
		err = unsure(q, "accepted, and not done yet")
		err.Code = statePending
	}
	if doubt != "" {
		r = nil
	}
	if err == nil {
		return r, nil
	}
	err.RetryAfter = pause(resp.Header.Get("Retry-After"), c.now())
	return r, err
}

// doubtful says why an answer is no receipt of the request; empty if it is one.
func doubtful(q *request, r *receipt, body []byte) string {
	switch {
	case len(body) > maxBody:
		return "the answer is longer than 256 KiB"
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) || json.Unmarshal(body, r) != nil:
		return "the answer is not a receipt: a JSON object is expected (docs/webhook.md)"
	case r.Key == "":
		return "the receipt does not echo the key of the request"
	case r.Key != q.Key:
		return "the receipt echoes another key than that of the request"
	}
	return ""
}
