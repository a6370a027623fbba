package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/linked"
)

// facts is what is known of a system: what was declared, else what it says, else defaults.
type facts struct {
	writes  Writes
	filters bool
	etags   bool
	groups  bool
	// assumed: nothing was said of groups, neither declared nor by the system.
	assumed bool
	// groupWrites: memberships can be taken away.
	groupWrites bool
	// most is the number of results that the system gives at most, by its own word; 0 = unknown.
	most   int
	types  map[string]typed // by lower-case path
	limits []string
}

func (f *facts) typed(a attribute) typed {
	path := strings.ToLower(a.attr)
	if a.sub != "" {
		path += "." + strings.ToLower(a.sub)
	}
	if a.schema != "" {
		return f.types[strings.ToLower(a.schema)+":"+path]
	}
	return f.types[path]
}

// claims is what the three resources of discovery answer (RFC 7644 §4). Nil is no word.
type claims struct {
	patch, filter, etag *bool
	most                int
	groups              *bool
	types               map[string]typed
	silent              []string // resources that could not be read
}

// supported is `{"supported": true}`, with whatever else is there.
type supported struct {
	Supported *bool `json:"supported"`
	Max       int   `json:"maxResults"`
}

// maxClaims is how long one resource of discovery may be; those of the peers are 20 KiB at most.
const maxClaims = 2 << 20

// about reads what a system says of itself.
func about(path string) *request {
	q := get("discover", path, nil)
	q.limit = maxClaims
	return q
}

// hear reads the resources of discovery. One that the system does not show (some want
// rights for them that we do not have, some have none) is silence, not an error; so is
// one that cannot be understood, is out of order or too long. No answer, or one that asks to come
// again later, is an error.
func (s *System) hear(ctx context.Context) (*claims, error) {
	out := &claims{types: map[string]typed{}}
	body, err := s.client.do(ctx, about("/ServiceProviderConfig"))
	if said(err).status == http.StatusNotFound {
		// Slack and other systems of SCIM 1.1 write it so.
		body, err = s.client.do(ctx, about("/ServiceProviderConfigs"))
	}
	if err = out.take("ServiceProviderConfig", body, err, out.config); err != nil {
		return nil, err
	}
	body, err = s.client.do(ctx, about("/ResourceTypes"))
	if err = out.take("ResourceTypes", body, err, out.resourceTypes); err != nil {
		return nil, err
	}
	if len(s.names) == 0 {
		return out, nil
	}
	body, err = s.client.do(ctx, about("/Schemas"))
	return out, out.take("Schemas", body, err, out.schemas)
}

func (d *claims) take(what string, body []byte, err error, read func([]byte) bool) error {
	switch status := said(err).status; {
	case err == nil && read(body):
		return nil
	case err == nil, errors.Is(err, httpx.ErrBodyTooLarge), status != 0 && status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable:
		d.silent = append(d.silent, what)
		return nil
	default:
		return err
	}
}

func (d *claims) config(body []byte) bool {
	var c struct {
		Patch, Filter, ETag supported
	}
	if json.Unmarshal(body, &c) != nil {
		return false
	}
	d.patch, d.filter, d.etag, d.most = c.Patch.Supported, c.Filter.Supported, c.ETag.Supported, max(0, c.Filter.Max)
	return d.patch != nil || d.filter != nil || d.etag != nil
}

// resourceTypes are a list, or with some a bare array.
func (d *claims) resourceTypes(body []byte) bool {
	var types []struct{ Name, Endpoint string }
	if !unlist(body, &types) || len(types) == 0 {
		return false
	}
	found := false
	for _, t := range types {
		found = found || strings.EqualFold(t.Name, "Group") || strings.HasSuffix(strings.ToLower(t.Endpoint), "/groups")
	}
	d.groups = &found
	return true
}

// definition of an attribute (RFC 7643 §7).
type definition struct {
	Name, Type    string
	MultiValued   bool
	SubAttributes []definition
}

func (d *claims) schemas(body []byte) bool {
	var all []struct {
		ID         string
		Attributes []definition
	}
	if !unlist(body, &all) {
		return false
	}
	for _, schema := range all {
		if strings.EqualFold(schema.ID, schemaGroup) {
			continue
		}
		prefix := strings.ToLower(schema.ID) + ":"
		if strings.EqualFold(schema.ID, schemaUser) {
			prefix = ""
		}
		for _, a := range schema.Attributes {
			name := prefix + strings.ToLower(a.Name)
			d.types[name] = typed{kind: a.Type, multi: a.MultiValued}
			for _, sub := range a.SubAttributes {
				d.types[name+"."+strings.ToLower(sub.Name)] = typed{kind: sub.Type, multi: sub.MultiValued}
			}
		}
	}
	return len(d.types) > 0
}

// unlist reads the resources of a list answer, or of a bare array.
func unlist(body []byte, out any) bool {
	var list struct{ Resources json.RawMessage }
	if json.Unmarshal(body, &list) == nil && len(list.Resources) > 0 {
		return json.Unmarshal(list.Resources, out) == nil
	}
	return json.Unmarshal(body, out) == nil
}

// weigh puts what was declared over what was said, and that over the defaults.
func (s *System) weigh(d *claims) *facts {
	f := &facts{writes: s.options.Writes, most: d.most, types: d.types}
	if f.writes == "" {
		f.writes = Patch
		if d.patch != nil && !*d.patch {
			f.writes = Put
		}
	}
	f.filters = s.options.Filters.or(d.filter, true)
	f.etags = s.options.ETags.or(d.etag, false)
	f.groups = s.options.Groups.or(d.groups, true)
	f.assumed = s.options.Groups == "" && d.groups == nil
	f.groupWrites = f.groups
	if len(d.silent) > 0 {
		f.limits = append(f.limits, "it does not show "+strings.Join(d.silent, ", ")+": what is not declared is assumed")
	}
	if f.groups && f.writes == Put && s.options.Groups != Yes {
		f.groupWrites = false
		f.limits = append(f.limits, "accounts are written whole, and so would groups be: set groups to Yes if the system always lists all members of a group")
	}
	if !f.filters {
		f.limits = append(f.limits, "it is not asked by filters: looking somebody up reads all accounts")
	}
	for _, name := range s.names {
		a := s.attributes[name]
		if _, ok := d.types[strings.TrimPrefix(strings.ToLower(a.schema+":"+a.attr), ":")]; !ok && len(d.types) > 0 {
			f.limits = append(f.limits, fmt.Sprintf("its schemas do not have the attribute %s", name))
		}
	}
	return f
}

// or is the choice, else what was said, else the default.
func (c Choice) or(word *bool, otherwise bool) bool {
	switch {
	case c == Yes || c == No:
		return c == Yes
	case word != nil:
		return *word
	}
	return otherwise
}

// known returns what is known of the system, and asks it once if nobody has. Discovery
// never stands in the way of a write: where it fails, what was declared and defaults do.
func (s *System) known(ctx context.Context) *facts {
	if f := s.facts.Load(); f != nil {
		return f
	}
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return s.weigh(&claims{})
	}
	if f := s.facts.Load(); f != nil {
		return f
	}
	d, err := s.hear(ctx)
	if err != nil {
		return s.weigh(&claims{})
	}
	f := s.weigh(d)
	s.facts.Store(f)
	return f
}

// Discover asks what the system can do, and proves that the credentials work: a read of
// accounts, and of groups if memberships are to be taken away.
func (s *System) Discover(ctx context.Context) (linked.Capabilities, error) {
	d, err := s.hear(ctx)
	if err != nil {
		return linked.Capabilities{}, err
	}
	f := s.weigh(d)
	if err := s.probe(ctx, "users/list", "/Users", "accounts"); err != nil {
		return linked.Capabilities{}, err
	}
	if f.groups {
		err := s.probe(ctx, "groups/list", "/Groups", "groups")
		status := said(err).status
		switch {
		case f.assumed && (status == http.StatusNotFound || status == http.StatusNotImplemented):
			f.groups, f.groupWrites = false, false // nothing said that it has groups, and it has none
		case err != nil:
			return linked.Capabilities{}, err
		}
	}
	s.facts.Store(f)
	return s.capabilities(f), nil
}

// probe reads one of a collection.
func (s *System) probe(ctx context.Context, operation, path, what string) error {
	q := get(operation, path, url.Values{"startIndex": {"1"}, "count": {"1"}})
	body, err := s.client.do(ctx, q)
	if e, ok := directoryError(err); ok && e.Class == directory.PermissionDenied {
		e.Message = "the credentials may not read " + what
		return e
	}
	if err != nil {
		return err
	}
	_, err = pageOf(q, body)
	return err
}

func (s *System) capabilities(f *facts) linked.Capabilities {
	c := linked.Capabilities{
		Protocol: "SCIM", Lists: true, Reads: true, Creates: true, Updates: true, Disables: true, Enables: true, Deletes: true,
		Groups: f.groupWrites, DisableRemoves: s.options.Disabling == Removes, Limits: f.limits,
	}
	c.Words = append(c.Words, map[Writes]string{Patch: "PATCH", PatchWithoutPath: "PATCH without path", Put: "PUT"}[f.writes])
	for _, w := range []struct {
		is   bool
		word string
	}{{f.filters, "filter"}, {f.etags, "ETag"}, {f.groups, "groups"}} {
		if w.is {
			c.Words = append(c.Words, w.word)
		}
	}
	return c
}
