package peers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
	"github.com/scim2/filter-parser/v2"
)

// ElimityOptions of a server.
type ElimityOptions struct {
	// Token is the bearer token.
	Token string
	// NoFilter, NoPatch: it says of itself that it cannot do these, and refuses PATCH.
	NoFilter, NoPatch bool
	// TellGroups: accounts say which groups they are in.
	TellGroups bool
}

// Elimity makes a server out of github.com/elimity-com/scim. Its base address is that of
// the handler, or /v2 below it.
func Elimity(o ElimityOptions) (http.Handler, error) {
	users := &store{key: "userName", resources: map[string]scim.ResourceAttributes{}, versions: map[string]int{}}
	groups := &store{key: "displayName", resources: map[string]scim.ResourceAttributes{}, versions: map[string]int{}}
	if o.TellGroups {
		users.groups = groups
	}
	server, err := scim.NewServer(&scim.ServerArgs{
		ServiceProviderConfig: &scim.ServiceProviderConfig{MaxResults: 50, SupportFiltering: !o.NoFilter, SupportPatch: !o.NoPatch},
		ResourceTypes: []scim.ResourceType{
			{
				ID: optional.NewString("User"), Name: "User", Endpoint: "/Users", Schema: schema.CoreUserSchema(), Handler: users,
				SchemaExtensions: []scim.SchemaExtension{{Schema: schema.ExtensionEnterpriseUser()}},
			},
			{ID: optional.NewString("Group"), Name: "Group", Endpoint: "/Groups", Schema: schema.CoreGroupSchema(), Handler: groups},
		},
	})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer "+o.Token:
			w.WriteHeader(http.StatusUnauthorized)
		case o.NoPatch && r.Method == http.MethodPatch:
			w.WriteHeader(http.StatusNotImplemented)
		default:
			server.ServeHTTP(w, r)
		}
	}), nil
}

// store keeps resources of one type, of which no two have the same key, in whatever case.
type store struct {
	key    string
	groups *store // whose members its resources are, if they tell

	mu        sync.Mutex
	last      int
	resources map[string]scim.ResourceAttributes
	versions  map[string]int
	order     []string
}

// Create keeps a new resource.
func (s *store) Create(_ *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken("", attributes) {
		return scim.Resource{}, scimerrors.ScimErrorUniqueness
	}
	s.last++
	id := fmt.Sprintf("%08d", s.last)
	s.order = append(s.order, id)
	return s.keep(id, attributes), nil
}

// Get reads one.
func (s *store) Get(_ *http.Request, id string) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.resources[id]; !ok {
		return scim.Resource{}, scimerrors.ScimErrorResourceNotFound(id)
	}
	return s.resource(id), nil
}

// GetAll reads those that pass the filter, in pages.
func (s *store) GetAll(_ *http.Request, p scim.ListRequestParams) (scim.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []scim.Resource
	for _, id := range s.order {
		r := s.resource(id)
		if p.FilterValidator == nil || p.FilterValidator.PassesFilter(r.Attributes) == nil {
			found = append(found, r)
		}
	}
	total := len(found)
	start := min(max(p.StartIndex-1, 0), total)
	return scim.Page{TotalResults: total, Resources: found[start:min(start+max(p.Count, 0), total)]}, nil
}

// Replace writes a whole resource: what it does not have is gone.
func (s *store) Replace(_ *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.resources[id]; !ok {
		return scim.Resource{}, scimerrors.ScimErrorResourceNotFound(id)
	}
	if s.taken(id, attributes) {
		return scim.Resource{}, scimerrors.ScimErrorUniqueness
	}
	return s.keep(id, attributes), nil
}

// Delete removes one for good.
func (s *store) Delete(_ *http.Request, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.resources[id]; !ok {
		return scimerrors.ScimErrorResourceNotFound(id)
	}
	delete(s.resources, id)
	s.order = slices.DeleteFunc(s.order, func(o string) bool { return o == id })
	return nil
}

// Patch changes one as RFC 7644 §3.5.2 says, to the letter: a removal of members
// without a filter removes all of them, whatever its value says.
func (s *store) Patch(_ *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.resources[id]; !ok {
		return scim.Resource{}, scimerrors.ScimErrorResourceNotFound(id)
	}
	changed := copyOf(s.resources[id])
	for _, o := range operations {
		if err := apply(changed, o); err != nil {
			return scim.Resource{}, err
		}
	}
	if s.taken(id, changed) {
		return scim.Resource{}, scimerrors.ScimErrorUniqueness
	}
	return s.keep(id, changed), nil
}

func (s *store) taken(id string, attributes scim.ResourceAttributes) bool {
	for other, r := range s.resources {
		if other != id && strings.EqualFold(fmt.Sprint(r[s.key]), fmt.Sprint(attributes[s.key])) {
			return true
		}
	}
	return false
}

func (s *store) keep(id string, attributes scim.ResourceAttributes) scim.Resource {
	s.resources[id] = copyOf(attributes)
	s.versions[id]++
	return s.resource(id)
}

func (s *store) resource(id string) scim.Resource {
	a := copyOf(s.resources[id])
	r := scim.Resource{ID: id, Attributes: a, Meta: scim.Meta{Version: fmt.Sprintf(`W/"%s.%d"`, id, s.versions[id])}}
	if external, ok := a["externalId"].(string); ok {
		r.ExternalID = optional.NewString(external)
	}
	if s.groups != nil {
		a["groups"] = s.groups.of(id)
	}
	now := time.Unix(0, 0).UTC()
	r.Meta.LastModified = &now
	return r
}

// of are the groups that have the member.
func (s *store) of(member string) []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := []any{}
	for _, id := range s.order {
		members, _ := s.resources[id]["members"].([]any)
		if slices.ContainsFunc(members, func(m any) bool { e, _ := m.(map[string]any); return e["value"] == member }) {
			in = append(in, map[string]any{"value": id, "type": "direct"})
		}
	}
	return in
}

func copyOf(a scim.ResourceAttributes) scim.ResourceAttributes {
	var c scim.ResourceAttributes
	text, err := json.Marshal(a)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		panic(err) // it came from JSON
	}
	return c
}

// apply does one operation.
func apply(r scim.ResourceAttributes, o scim.PatchOperation) error {
	if o.Path == nil {
		values, ok := o.Value.(map[string]any)
		if !ok || o.Op == scim.PatchOperationRemove {
			return scimerrors.ScimErrorInvalidValue
		}
		for name, v := range values {
			merge(r, name, v)
		}
		return nil
	}
	target := r
	path := o.Path.AttributePath
	if uri := path.URI(); uri != "" && uri != schema.UserSchema {
		target = within(r, uri)
	}
	name := path.AttributeName
	if sub := path.SubAttributeName(); sub != "" {
		target, name = within(target, name), sub
	}
	if o.Path.ValueExpression != nil {
		return removeMatching(target, name, o)
	}
	switch list, isList := target[name].([]any); {
	case o.Op == scim.PatchOperationRemove:
		delete(target, name)
	case o.Op == scim.PatchOperationAdd && isList:
		more, _ := o.Value.([]any)
		target[name] = append(list, more...)
	default:
		target[name] = o.Value
	}
	return nil
}

// merge is a change without a path; an attribute of an extension has its full name.
func merge(r scim.ResourceAttributes, name string, value any) {
	if strings.HasPrefix(name, "urn:") {
		i := strings.LastIndex(name, ":")
		r, name = within(r, name[:i]), name[i+1:]
	}
	r[name] = value
}

func within(r scim.ResourceAttributes, name string) scim.ResourceAttributes {
	m, ok := r[name].(map[string]any)
	if !ok {
		m = map[string]any{}
		r[name] = m
	}
	return m
}

// removeMatching takes the entries out of a list that have the value: `members[value eq "x"]`.
func removeMatching(target scim.ResourceAttributes, name string, o scim.PatchOperation) error {
	e, ok := o.Path.ValueExpression.(*filter.AttributeExpression)
	if !ok || e.Operator != filter.EQ || o.Op != scim.PatchOperationRemove {
		return scimerrors.ScimErrorInvalidPath
	}
	list, _ := target[name].([]any)
	kept := slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		m, _ := v.(map[string]any)
		return m[e.AttributePath.AttributeName] == e.CompareValue
	})
	if len(kept) == len(list) {
		return scimerrors.ScimErrorNoTarget
	}
	target[name] = kept
	return nil
}
