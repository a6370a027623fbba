package core

import (
	"encoding/json"
	"errors"
	"net/http"
)

// Platform is one simulated platform with all its tenants.
type Platform interface {
	// Name is the platform's name in control paths and in the log: "wecom".
	Name() string

	// Describe says what a request is. It must not change anything and must
	// cope with every body. Core fills Platform, Request and Body itself.
	Describe(r *http.Request, body []byte) Call

	// Do performs the call and gives the platform's answer, token check included.
	Do(c *Call) Answer

	// Error is the platform-shaped refusal that a fault of kind error asks for.
	// Code, Message and HTTPStatus of the fault may be empty.
	Error(c *Call, f Fault) Answer

	// Throttled is the platform's documented answer to too many calls.
	// ScopeIP is the answer to an address that is banned altogether.
	Throttled(c *Call, s Scope) Answer

	// DocumentedLimits are the limits the platform publishes.
	DocumentedLimits() []Rule

	Admin
}

// Admin is how the control endpoint looks into a platform and works on it by
// hand, as an administrator in the platform's console would. Collections are
// named "users" and "departments"; a platform may have more ("tags", "roles",
// "messages"). Objects are the platform's own JSON. Errors wrap ErrNotFound,
// ErrExists or ErrUnsupported; any other one means that the input is wrong.
type Admin interface {
	// Tenants lists the tenants with their credentials and options.
	Tenants() []any
	// TenantNames lists the names that the other methods take.
	TenantNames() []string
	// AddTenant adds one from its JSON description; ErrExists if it is there.
	AddTenant(spec json.RawMessage) error
	// Configure merges JSON into a tenant's options.
	Configure(tenant string, options json.RawMessage) error

	// Objects lists a whole collection, in a stable order.
	Objects(tenant, collection string) ([]any, error)
	// Object gives one of them.
	Object(tenant, collection, id string) (any, error)
	// Create adds an object by hand under a given id.
	Create(tenant, collection, id string, fields json.RawMessage) error
	// Merge sets the fields that are given (RFC 7396) and leaves the others.
	Merge(tenant, collection, id string, fields json.RawMessage) error
	// Remove deletes an object by hand.
	Remove(tenant, collection, id string) error
	// Accept lets a pending or not yet activated user join.
	Accept(tenant, id string) error

	// Seed adds many invented departments and people at once.
	Seed(tenant string, s Seed) (Seeded, error)
	// Reset forgets all state, tokens and bans; tenants and options stay.
	Reset()
}

// What can be wrong with a call of [Admin].
var (
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("already exists")
	ErrUnsupported = errors.New("not supported by this platform")
)
