package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"rollcall.dev/rollcall/test/harness"
	"rollcall.dev/rollcall/test/simulator/core"
)

// Simulator is the running simulator and its control endpoint.
type Simulator struct{ *harness.Simulator }

// Control sends a request to the control endpoint. A nil in is no body, a nil out does not read the answer.
func (s *Simulator) Control(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("asking the simulator: %w", err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.ControlURL+path, body)
	if err != nil {
		return fmt.Errorf("asking the simulator: %w", err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking the simulator: %w", err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	switch {
	case err != nil:
		return fmt.Errorf("asking the simulator: %s %s: %w", method, path, err)
	case reply.StatusCode >= http.StatusBadRequest:
		return fmt.Errorf("asking the simulator: %s %s: %s: %s", method, path, reply.Status, bytes.TrimSpace(text))
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("asking the simulator: %s %s: %w", method, path, err)
	}
	return nil
}

// Limit lets each platform answer so many calls a second in total, in place of its documented limits.
func (s *Simulator) Limit(ctx context.Context, platform string, perSecond int) error {
	return s.Control(ctx, http.MethodPut, "/limits", map[string]any{"platform": platform, "overallPerSecond": perSecond}, nil)
}

// Unlimit lets the platform answer as many calls as it can.
func (s *Simulator) Unlimit(ctx context.Context, platform string) error {
	return s.Control(ctx, http.MethodPut, "/limits", map[string]any{"platform": platform, "unlimited": true}, nil)
}

// The platforms, as the control endpoint calls them.
const (
	DingTalk = "dingtalk"
	WeCom    = "wecom"
)

// Creator is the user id of the person who made a WeCom tenant. DingTalk chooses one for its own.
const Creator = "founder"

// Tenant is one company's tenant on a simulated platform.
type Tenant struct {
	Platform, Name, CorpID string
	// Credentials are the data of the Secret that the manager reads.
	Credentials map[string]string
	// Creators are those who were there when the tenant was made: nobody declares them.
	Creators []string
	// AgentID is that of the app: with it among the Credentials, as "agentId", notices can be sent.
	AgentID string

	sim   *Simulator
	asked uint64 // the last call that GiveRole has made
}

// NewTenant makes a tenant. Names are unique on a platform. Options go into those of POST /tenants.
func (s *Simulator) NewTenant(ctx context.Context, platform, name string, options map[string]any) (*Tenant, error) {
	t := &Tenant{Platform: platform, Name: name, sim: s}
	spec := map[string]any{"platform": platform, "name": name, "title": "试验公司"}
	merged := map[string]any{}
	switch platform {
	case WeCom:
		t.CorpID, t.AgentID = "ww"+name, "1000002"
		t.Credentials = map[string]string{"syncSecret": name + "-sync-secret-" + SecretMark, "appSecret": name + "-app-secret-" + SecretMark}
		spec["syncSecret"] = t.Credentials["syncSecret"]
		spec["apps"] = []any{map[string]any{"name": "rollcall", "agentId": 1000002, "secret": t.Credentials["appSecret"]}}
		merged["creator"], merged["attributes"] = Creator, []string{"工号", "工位"}
	default:
		t.CorpID, t.AgentID = "ding"+name, "3000000001"
		t.Credentials = map[string]string{"appKey": "key" + name, "appSecret": name + "-app-secret-" + SecretMark}
		spec["apps"] = []any{map[string]any{"name": "rollcall", "agentId": 3000000001, "appKey": t.Credentials["appKey"], "appSecret": t.Credentials["appSecret"]}}
		merged["extensionFields"], merged["enterpriseAccounts"] = []string{"工位"}, true
	}
	for k, v := range options {
		merged[k] = v
	}
	spec["corpId"], spec["options"] = t.CorpID, merged
	if err := s.Control(ctx, http.MethodPost, "/tenants", spec, nil); err != nil {
		return nil, err
	}
	users, err := t.Users(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		t.Creators = append(t.Creators, u.ID)
	}
	return t, nil
}

// SecretMark is in every secret of a tenant, so that one search finds whichever of them got out.
const SecretMark = "ZKRKW7Q2"

// Calls are those to this tenant that q selects, oldest first.
func (t *Tenant) Calls(ctx context.Context, q core.Query) ([]core.Entry, error) {
	values := url.Values{"platform": {t.Platform}, "tenant": {t.Name}}
	for name, value := range map[string]string{"operation": q.Operation, "subject": q.Subject, "code": q.Code} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Since > 0 {
		values.Set("since", strconv.FormatUint(q.Since, 10))
	}
	var out struct{ Calls []core.Entry }
	err := t.sim.Control(ctx, http.MethodGet, "/calls?"+values.Encode(), nil, &out)
	return out.Calls, err
}

// Counts are the calls to this tenant by operation and code.
func (t *Tenant) Counts(ctx context.Context) ([]core.Count, error) {
	var out struct{ Counts []core.Count }
	values := url.Values{"platform": {t.Platform}, "tenant": {t.Name}}
	err := t.sim.Control(ctx, http.MethodGet, "/calls/counts?"+values.Encode(), nil, &out)
	return out.Counts, err
}

// Last is the number of the latest call to any tenant.
func (s *Simulator) Last(ctx context.Context) (uint64, error) {
	var out struct{ Last uint64 }
	err := s.Control(ctx, http.MethodGet, "/calls?limit=1&tenant=nobody", nil, &out)
	return out.Last, err
}

// Messages are those that somebody really received, by person and text, in the order in which they came.
func (t *Tenant) Messages(ctx context.Context) ([]core.Received, error) {
	var out struct{ Received []core.Received }
	err := t.sim.Control(ctx, http.MethodGet, t.path("received", ""), nil, &out)
	return out.Received, err
}

// Left are the leavings: who, when, by which call, and what went to whom. Oldest first.
func (t *Tenant) Left(ctx context.Context) ([]core.Left, error) {
	var out struct{ Left []core.Left }
	err := t.sim.Control(ctx, http.MethodGet, t.path("left", ""), nil, &out)
	return out.Left, err
}

// Customer is a customer on WeCom and the user id of the member, here or gone, whose customer it is.
type Customer struct {
	ID     string `json:"external_userid"`
	UserID string `json:"userid"`
}

// Customers are all that there are.
func (t *Tenant) Customers(ctx context.Context) ([]Customer, error) {
	var out struct{ Customers []Customer }
	err := t.sim.Control(ctx, http.MethodGet, t.path("customers", ""), nil, &out)
	return out.Customers, err
}

// GiveCustomer gives a member a customer. One who refuses will not be taken over by anybody.
func (t *Tenant) GiveCustomer(ctx context.Context, c Customer, refuses bool) error {
	return t.sim.Control(ctx, http.MethodPut, t.path("customers", c.ID), map[string]any{"userid": c.UserID, "refuses": refuses}, nil)
}

// GiveChat gives a member a chat with customers.
func (t *Tenant) GiveChat(ctx context.Context, chat, owner string) error {
	return t.sim.Control(ctx, http.MethodPut, t.path("groups", chat), map[string]any{"owner": owner, "name": "客户群"}, nil)
}

// Pass moves the simulator's clock ahead, for everybody.
func (s *Simulator) Pass(ctx context.Context, d time.Duration) error {
	return s.Control(ctx, http.MethodPost, "/clock/advance", map[string]any{"seconds": d.Seconds()}, nil)
}

// Fault injects a fault into this tenant and returns its id.
func (t *Tenant) Fault(ctx context.Context, f core.Fault) (string, error) {
	f.Platform, f.Tenant = t.Platform, t.Name
	var out struct{ ID string }
	err := t.sim.Control(ctx, http.MethodPost, "/faults", f, &out)
	return out.ID, err
}

// Hits is how often a fault struck. One that ran out is not known any more: then ok is false.
func (s *Simulator) Hits(ctx context.Context, id string) (hits int, ok bool, err error) {
	var out struct{ Faults []core.Fault }
	if err := s.Control(ctx, http.MethodGet, "/faults", nil, &out); err != nil {
		return 0, false, err
	}
	for _, f := range out.Faults {
		if f.ID == id {
			return f.Hits, true, nil
		}
	}
	return 0, false, nil
}

// Heal takes a fault away; one that ran out by itself is fine.
func (s *Simulator) Heal(ctx context.Context, id string) error {
	_, there, err := s.Hits(ctx, id)
	if err != nil || !there {
		return err
	}
	return s.Control(ctx, http.MethodDelete, "/faults/"+id, nil, nil)
}

// Configure changes the tenant's options, as its administrators would in the console.
func (t *Tenant) Configure(ctx context.Context, options map[string]any) error {
	return t.sim.Control(ctx, http.MethodPatch, "/tenants/"+t.Platform+"/"+t.Name, options, nil)
}

// Revoke takes the token of a credential back before its time.
func (t *Tenant) Revoke(ctx context.Context, credential string) error {
	return t.sim.Control(ctx, http.MethodDelete, t.path("tokens", credential), nil, nil)
}

// path is that of an object, or of the whole collection without an id.
func (t *Tenant) path(collection, id string) string {
	path := "/state/" + t.Platform + "/" + t.Name + "/" + collection
	if id != "" {
		path += "/" + url.PathEscape(id)
	}
	return path
}
