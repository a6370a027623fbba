package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// Schemas and messages of RFC 7643 and RFC 7644.
const (
	schemaUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	schemaGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	schemaEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	schemaError      = "urn:ietf:params:scim:api:messages:2.0:Error"
	schemaPatch      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// What is read at most of one answer. A page that is longer is asked for again, smaller.
const (
	maxPage    = 8 << 20
	maxAccount = 1 << 20
	maxID      = 256 // bytes
)

// client speaks the wire: one request at a time, no domain types but errors.
type client struct {
	base          string // without a slash at its end
	media         string
	authorization string
	http          *http.Client
	throttled     func(operation string, retryAfter time.Duration)
	answered      func(operation string, class directory.Class)
	now           func() time.Time
}

// request is one call.
type request struct {
	operation string // one of a small fixed set, never with an id
	method    string
	path      string // escaped, with a slash before it
	query     url.Values
	body      any
	version   string // for If-Match; empty = none
	// collection: the path has no id in it, so a 404 says nothing about anybody.
	collection bool
	limit      int64 // bytes of the answer
}

func (q *request) write() bool { return q.method != http.MethodGet }

// get makes a read of a path without an id.
func get(operation, path string, query url.Values) *request {
	return &request{operation: operation, method: http.MethodGet, path: path, query: query, collection: true, limit: maxPage}
}

// item makes a call about one account or group. An id that could mean another
// path is not sent.
func item(operation, method, endpoint, id string) (*request, error) {
	if !validID(id) {
		return nil, invalid(operation, "this cannot be an id of a SCIM system")
	}
	return &request{operation: operation, method: method, path: endpoint + "/" + url.PathEscape(id), limit: maxAccount}, nil
}

// validID: an id is opaque (RFC 7643 §3.1), but for what a path would be changed by.
func validID(id string) bool {
	return id != "" && len(id) <= maxID && id != "." && id != ".." && utf8.ValidString(id) &&
		!strings.ContainsFunc(id, unicode.IsControl)
}

// do makes a call and returns the body of a success. The class of its end is counted.
func (c *client) do(ctx context.Context, q *request) ([]byte, error) {
	body, err := c.send(ctx, q)
	if e, ok := errors.AsType[*directory.Error](err); ok && (e.Class == directory.RateLimited || e.RetryAfter > 0) && said(err).status != 0 {
		c.throttled(q.operation, e.RetryAfter)
	}
	c.answered(q.operation, directory.ClassOf(err))
	return body, err
}

func (c *client) send(ctx context.Context, q *request) ([]byte, error) {
	req, err := c.compose(httpx.WithOperation(ctx, q.operation), q)
	if err != nil {
		return nil, &directory.Error{Class: directory.Invalid, Operation: q.operation, Message: "the request cannot be put together", Err: err}
	}
	resp, err := httpx.Do(c.http, req)
	if err != nil {
		return nil, unanswered(q, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, q.limit+1))
	if err == nil && int64(len(body)) > q.limit {
		err = &httpx.Error{Operation: q.operation, Sent: true, Err: httpx.ErrBodyTooLarge}
	}
	if err != nil {
		return nil, unanswered(q, err)
	}
	status := resp.StatusCode
	if status >= 200 && status < 300 {
		// An error in a success is an error: gateways make such answers.
		inner, _, is := failure(body)
		if !is {
			return body, nil
		}
		if inner < 400 || inner > 599 {
			return nil, incomprehensible(q, "the answer is a success with an error in it")
		}
		status = inner
	}
	return nil, refusal(q, status, resp.Header, body, c.now())
}

func (c *client) compose(ctx context.Context, q *request) (*http.Request, error) {
	target := c.base + q.path
	if len(q.query) > 0 {
		target += "?" + q.query.Encode()
	}
	var content io.Reader
	if q.body != nil {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(q.body); err != nil {
			return nil, err
		}
		content = bytes.NewReader(bytes.TrimSpace(b.Bytes()))
	}
	req, err := http.NewRequestWithContext(ctx, q.method, target, content)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", c.media)
	req.Header.Set("Authorization", c.authorization)
	if content != nil {
		req.Header.Set("Content-Type", c.media)
	}
	if q.version != "" {
		req.Header.Set("If-Match", q.version)
	}
	return req, nil
}

// patch is the body of a PATCH (RFC 7644 §3.5.2). Both peers refuse it without schemas.
type patch struct {
	Schemas    []string    `json:"schemas"`
	Operations []operation `json:"Operations"`
}

// operation is one change. Value is left out only of a removal.
type operation struct {
	Op    string
	Path  string
	Value any
}

func (o operation) MarshalJSON() ([]byte, error) {
	fields := map[string]any{"op": o.Op}
	if o.Path != "" {
		fields["path"] = o.Path
	}
	if o.Op != opRemove {
		fields["value"] = o.Value
	}
	return json.Marshal(fields)
}

// The operations, as RFC 7644 writes them.
const (
	opReplace = "replace"
	opRemove  = "remove"
)

func patchOf(operations ...operation) patch {
	return patch{Schemas: []string{schemaPatch}, Operations: operations}
}

// equals is the filter `attribute eq "value"` (RFC 7644 §3.4.2.2: the value is JSON).
func equals(attribute, value string) string {
	return attribute + ` eq ` + quote(value)
}

var quoting = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func quote(s string) string { return `"` + quoting.Replace(s) + `"` }
