package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"rollcall.dev/rollcall/test/simulator/core"
)

func (s *server) platform(name string) (core.Platform, error) {
	p, ok := s.core.Platform(name)
	if !ok {
		return nil, fmt.Errorf("platform %q: %w", name, core.ErrNotFound)
	}
	return p, nil
}

// raw reads the body as one JSON value; none at all is an empty object.
func raw(r *http.Request) (json.RawMessage, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	if len(body) == 0 {
		return json.RawMessage("{}"), nil
	}
	if !json.Valid(body) {
		return nil, errors.New("the body is not JSON")
	}
	return body, nil
}

func (s *server) tenants(*http.Request) (any, error) {
	all := map[string]any{}
	for _, p := range s.core.Platforms() {
		all[p.Name()] = p.Tenants()
	}
	return all, nil
}

// addTenant takes the platform's own description of a tenant, with the name
// of the platform beside it.
func (s *server) addTenant(r *http.Request) (any, error) {
	body, err := raw(r)
	if err != nil {
		return nil, err
	}
	return nil, AddTenant(s.core, body)
}

// AddTenant adds the tenant that a JSON object describes; its field "platform"
// says where.
func AddTenant(c *core.Core, spec json.RawMessage) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(spec, &fields); err != nil {
		return fmt.Errorf("reading a tenant: %w", err)
	}
	var name string
	if err := json.Unmarshal(fields["platform"], &name); err != nil {
		return errors.New("a tenant needs a platform")
	}
	p, ok := c.Platform(name)
	if !ok {
		return fmt.Errorf("platform %q: %w", name, core.ErrNotFound)
	}
	delete(fields, "platform")
	rest, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("reading a tenant: %w", err)
	}
	return p.AddTenant(rest)
}

func (s *server) configure(r *http.Request) (any, error) {
	p, err := s.platform(r.PathValue("platform"))
	if err != nil {
		return nil, err
	}
	body, err := raw(r)
	if err != nil {
		return nil, err
	}
	return nil, p.Configure(r.PathValue("tenant"), body)
}

func (s *server) objects(r *http.Request) (any, error) {
	p, err := s.platform(r.PathValue("platform"))
	if err != nil {
		return nil, err
	}
	collection := r.PathValue("collection")
	list, err := p.Objects(r.PathValue("tenant"), collection)
	if err != nil {
		return nil, err
	}
	if list == nil {
		list = []any{}
	}
	return map[string]any{"count": len(list), collection: list}, nil
}

func (s *server) object(r *http.Request) (any, error) {
	p, err := s.platform(r.PathValue("platform"))
	if err != nil {
		return nil, err
	}
	return p.Object(r.PathValue("tenant"), r.PathValue("collection"), r.PathValue("id"))
}

func (s *server) create(r *http.Request) (any, error) {
	return s.edit(r, core.Platform.Create)
}

func (s *server) merge(r *http.Request) (any, error) {
	return s.edit(r, core.Platform.Merge)
}

// edit changes an object by hand and shows what became of it.
func (s *server) edit(r *http.Request, do func(p core.Platform, tenant, collection, id string, fields json.RawMessage) error) (any, error) {
	p, err := s.platform(r.PathValue("platform"))
	if err != nil {
		return nil, err
	}
	body, err := raw(r)
	if err != nil {
		return nil, err
	}
	tenant, collection, id := r.PathValue("tenant"), r.PathValue("collection"), r.PathValue("id")
	if err := do(p, tenant, collection, id, body); err != nil {
		return nil, err
	}
	return p.Object(tenant, collection, id)
}

func (s *server) remove(r *http.Request) (any, error) {
	p, err := s.platform(r.PathValue("platform"))
	if err != nil {
		return nil, err
	}
	return nil, p.Remove(r.PathValue("tenant"), r.PathValue("collection"), r.PathValue("id"))
}

func (s *server) accept(r *http.Request) (any, error) {
	p, err := s.platform(r.PathValue("platform"))
	if err != nil {
		return nil, err
	}
	tenant, id := r.PathValue("tenant"), r.PathValue("id")
	if err := p.Accept(tenant, id); err != nil {
		return nil, err
	}
	return p.Object(tenant, "users", id)
}

func (s *server) seed(r *http.Request) (any, error) {
	var body struct {
		Platform string `json:"platform"`
		Tenant   string `json:"tenant"`
		core.Seed
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if err := body.Validate(); err != nil {
		return nil, err
	}
	p, err := s.platform(body.Platform)
	if err != nil {
		return nil, err
	}
	return p.Seed(body.Tenant, body.Seed)
}

// history gives the people of a tenant a past.
func (s *server) history(r *http.Request) (any, error) {
	var body struct {
		Platform string `json:"platform"`
		Tenant   string `json:"tenant"`
		core.History
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	p, err := s.platform(body.Platform)
	if err != nil {
		return nil, err
	}
	return nil, body.Give(p, body.Tenant)
}
