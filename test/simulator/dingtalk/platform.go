package dingtalk

import (
	"net/http"
	"slices"
	"sort"
	"sync"

	"rollcall.dev/rollcall/test/simulator/core"
)

// platform is DingTalk with all its organisations.
type platform struct {
	core   *core.Core
	tokens *tokens

	mu      sync.RWMutex
	tenants map[string]*tenant
	apps    map[string]*app // by key
}

// anyField stands for every custom field.
const anyField = "*"

// tenantSpec describes an organisation, its apps and how its administrators
// have set it up.
type tenantSpec struct {
	Name    string  `json:"name"`   // in control paths and in the log
	CorpID  string  `json:"corpId"` // the platform's id of the organisation
	Title   string  `json:"title"`  // what the root department is called
	Apps    []*app  `json:"apps"`
	Options options `json:"options"`
}

// app is one internal app of an organisation.
type app struct {
	Name      string `json:"name"`
	AppKey    string `json:"appKey"`
	AppSecret string `json:"appSecret"`
	AgentID   int64  `json:"agentId"`

	tenant *tenant
}

// options are what an organisation's administrators decide in the console.
type options struct {
	// ExtensionFields are the custom fields that exist; "*": whatever is written.
	ExtensionFields []string `json:"extensionFields"`
	// ProtectedMobiles and ProtectedUserIDs are people whose accounts are
	// protected: creating them sends an invitation (40103).
	ProtectedMobiles []string `json:"protectedMobiles"`
	ProtectedUserIDs []string `json:"protectedUserIds"`
	// EnterpriseAccounts says that enterprise accounts are bought.
	EnterpriseAccounts bool `json:"enterpriseAccounts"`
	// OrgEmail says that the company's mail is opened.
	OrgEmail bool `json:"orgEmail"`
	// MemberLimit is how many people may be in the organisation; 0: no limit.
	MemberLimit int `json:"memberLimit"`
	// Permissions are those of the apps; null: all.
	Permissions []string `json:"permissions"`
	// AuthedDepts and AuthedUsers are what the apps may see of the directory;
	// null: everything.
	AuthedDepts []int64  `json:"authedDepts"`
	AuthedUsers []string `json:"authedUsers"`
	// History is what people have done so far; see [core.History].
	History core.History `json:"history"`
	// Exclusive says that this is the exclusive edition (专属钉钉), SmartHR that
	// Smart-HR (智能人事) is opened.
	Exclusive bool `json:"exclusive"`
	SmartHR   bool `json:"smartHR"`
	// NoCreator says that the organisation begins with nobody in it.
	NoCreator bool `json:"noCreator"`
	// TokenSeconds is how long a token lives; 0: 7200, as documented.
	TokenSeconds int `json:"tokenSeconds"`
}

// New makes the platform with its built-in organisations and registers it. One
// handler serves the paths of both hosts.
func New(c *core.Core) http.Handler {
	p := empty(c)
	for _, spec := range builtIn() {
		p.add(spec)
	}
	return c.Register(p)
}

func empty(c *core.Core) *platform {
	return &platform{core: c, tokens: newTokens(), tenants: map[string]*tenant{}, apps: map[string]*app{}}
}

// builtIn are the organisations that are there without being asked for. Their
// secrets are no secrets.
func builtIn() []tenantSpec {
	return []tenantSpec{
		{
			Name: "acme", CorpID: "dingcorpacme0001", Title: "极点科技",
			Apps: []*app{{Name: "rollcall", AppKey: "dingacme0001", AppSecret: "acme-app-secret", AgentID: 3_000_000_001}},
			Options: options{
				ExtensionFields: []string{"职级", "工位", "工号"}, EnterpriseAccounts: true, SmartHR: true,
			},
		},
		{
			Name: "globex", CorpID: "dingcorpglobex0001", Title: "环宇贸易",
			Apps: []*app{{Name: "rollcall", AppKey: "dingglobex0001", AppSecret: "globex-app-secret", AgentID: 3_000_000_002}},
			Options: options{
				ExtensionFields: []string{"职级"},
			},
		},
	}
}

// add makes a tenant; its name and the keys of its apps must be free.
func (p *platform) add(spec tenantSpec) {
	t := &tenant{clock: p.core.Clock, spec: spec, journal: p.core.NewJournal()}
	t.clear()
	for _, a := range spec.Apps {
		a.tenant = t
		p.apps[a.AppKey] = a
	}
	p.tenants[spec.Name] = t
}

func (p *platform) tenantByName(name string) (*tenant, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	t, ok := p.tenants[name]
	return t, ok
}

func (p *platform) appByKey(key string) *app {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.apps[key]
}

// all lists the tenants by name.
func (p *platform) all() []*tenant {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := make([]*tenant, 0, len(p.tenants))
	for _, t := range p.tenants {
		list = append(list, t)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].spec.Name < list[j].spec.Name })
	return list
}

// permitted reports whether the organisation has given its apps a permission.
func (t *tenant) permitted(permission string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.grants(permission)
}

func (t *tenant) grants(permission string) bool {
	return t.spec.Options.Permissions == nil || slices.Contains(t.spec.Options.Permissions, permission)
}

// seesDept reports whether a department is in the scope of the apps: one of the
// authorised departments or below one.
func (s *session) seesDept(dept int64) bool {
	authed := s.spec.Options.AuthedDepts
	if authed == nil {
		return true
	}
	return slices.ContainsFunc(s.pathAt(dept, s.at), func(id int64) bool { return slices.Contains(authed, id) })
}

// seesUser reports whether a user is in the scope of the apps.
func (s *session) seesUser(u *user) bool {
	return s.spec.Options.AuthedDepts == nil || slices.Contains(s.spec.Options.AuthedUsers, u.id) ||
		slices.ContainsFunc(u.depts, func(m membership) bool { return s.seesDept(m.dept) })
}
