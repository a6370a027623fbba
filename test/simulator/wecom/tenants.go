package wecom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"rollcall.dev/rollcall/test/simulator/core"
)

// Tenant describes one corp.
type Tenant struct {
	Name       string  `json:"name"`  // how the control endpoint calls it
	Title      string  `json:"title"` // of the root department; "": the name
	CorpID     string  `json:"corpId"`
	SyncSecret string  `json:"syncSecret"` // of 通讯录同步
	Apps       []App   `json:"apps"`
	Options    Options `json:"options"`
}

// App is a self-built app with its visible range and its own secret.
type App struct {
	Name    string `json:"name"`
	AgentID int    `json:"agentId"`
	Secret  string `json:"secret"`
	// Departments are the ids of the visible departments; none: the root.
	Departments []int `json:"departments,omitempty"`
	// SensitiveFieldsHidden: made after 2022-06-20, so it does not read mobile,
	// email and the like (90196). True if it is not given.
	SensitiveFieldsHidden bool `json:"sensitiveFieldsHidden"`
}

// UnmarshalJSON reads an app and sets what is not given.
func (a *App) UnmarshalJSON(data []byte) error {
	type plain App // without this method
	read := plain{SensitiveFieldsHidden: true}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&read); err != nil {
		return err
	}
	*a = App(read)
	return nil
}

// Options are what an administrator, or history, has set for a corp.
type Options struct {
	// SyncReadRefused: the sync secret calls from an address that it has not used
	// for 90 days, so detail reads are refused with 48009 (96079). True if it is
	// not given.
	SyncReadRefused bool `json:"syncReadRefused"`
	// Attributes are the registered extension attributes; "*": whatever is written.
	Attributes []string `json:"attributes,omitempty"`
	// ExmailBound: Tencent mail is bound, so email of an active member stays.
	ExmailBound bool `json:"exmailBound"`
	// Creator is the userid that cannot be deleted. Whoever made the corp is its
	// first member, with nothing but a name, when the corp begins.
	Creator string `json:"creator,omitempty"`
	// TrustedIPs are the addresses that may call; none: all.
	TrustedIPs []string `json:"trustedIPs,omitempty"`
	// TokenRotation: every gettoken gives a new token.
	TokenRotation bool `json:"tokenRotation"`
	// Closed are the products that do not list the apps of the corp among their
	// 可调用接口的应用: approval, checkin, journal, hr, log, wedrive, archive, customer.
	Closed []string `json:"closed,omitempty"`
	// NoCustomers are members who have not been given 客户联系, so that they take nobody over.
	NoCustomers []string `json:"noCustomers,omitempty"`
	// MaxCustomers is how many a member may have before taking over ends with status 4; 0: no end.
	MaxCustomers int `json:"maxCustomers,omitempty"`
	// MaxTransferRows is the size of a page of transfer_result; 0: 1000 (94082).
	MaxTransferRows int `json:"maxTransferRows,omitempty"`
	// MaxApprovals is how many a window may have before 301112; 0: no end.
	MaxApprovals int `json:"maxApprovals,omitempty"`
	// History is what members have done so far; see [core.History].
	History core.History `json:"history"`
	// MaxMembers is the cap of accounts; 0: 100,000.
	MaxMembers int `json:"maxMembers,omitempty"`
	// MaxNodes is the cap of nodes per department; 0: 30,000 (90205).
	MaxNodes int `json:"maxNodes,omitempty"`
	// MaxTagNodes is that of nodes per tag; 0: 30,000 (90210).
	MaxTagNodes int `json:"maxTagNodes,omitempty"`
	// MaxListBytes is how big a listing may get before 45029; 0: no end.
	MaxListBytes int `json:"maxListBytes,omitempty"`
	// MaxBadSecrets is how many within an hour ban an address; 0: 10.
	MaxBadSecrets int `json:"maxBadSecrets,omitempty"`
}

func or(value, other int) int {
	if value > 0 {
		return value
	}
	return other
}

// BuiltIn are the corps that exist from the start. Their secrets are for
// show; no real one looks like this.
func BuiltIn() []Tenant {
	tenant := func(name, title string, attributes ...string) Tenant {
		return Tenant{
			Name: name, Title: title, CorpID: "ww" + name + strings.Repeat("0", 16-len(name)),
			SyncSecret: name + "-sync-secret-not-a-real-one",
			Apps: []App{{
				Name: "rollcall", AgentID: 1000002, Secret: name + "-app-secret-not-a-real-one", SensitiveFieldsHidden: true,
			}},
			Options: Options{SyncReadRefused: true, Attributes: attributes, Creator: "founder"},
		}
	}
	return []Tenant{tenant("acme", "极点科技", "工号", "职级", "工位"), tenant("globex", "环宇贸易", "职级")}
}

func (s Tenant) validate() error {
	if s.Name == "" || s.CorpID == "" || s.SyncSecret == "" {
		return errors.New("a WeCom tenant needs name, corpId and syncSecret")
	}
	if strings.ContainsAny(s.Name, "/ ") {
		return errors.New("the name of a tenant must not contain a slash or a space")
	}
	secrets := map[string]bool{s.SyncSecret: true}
	agents := map[int]bool{}
	for _, a := range s.Apps {
		switch {
		case a.Name == "" || a.Secret == "" || a.AgentID <= 0:
			return errors.New("an app needs name, agentId and secret")
		case secrets[a.Secret]:
			return fmt.Errorf("app %q has the secret of another credential", a.Name)
		case agents[a.AgentID]:
			return fmt.Errorf("app %q has the agentId of another app", a.Name)
		}
		secrets[a.Secret], agents[a.AgentID] = true, true
	}
	return nil
}

// credential is who a token speaks for. app is nil for the sync secret.
type credential struct {
	tenant *tenant
	name   string
	app    *App
}

// credentials lists who may ask for a token, by secret.
func (t *tenant) credentials() map[string]*credential {
	all := map[string]*credential{t.spec.SyncSecret: {tenant: t, name: "sync"}}
	for i := range t.spec.Apps {
		app := t.spec.Apps[i]
		all[app.Secret] = &credential{tenant: t, name: "app-" + app.Name, app: &app}
	}
	return all
}

// visible tells who and what an app sees; the sync secret sees all.
type visible struct {
	all         bool
	departments map[int]bool
}

func (c *credential) sees(at core.View) visible {
	if c.app == nil || len(c.app.Departments) == 0 {
		return visible{all: true}
	}
	v := visible{departments: map[int]bool{}}
	for _, id := range c.app.Departments {
		for below := range c.tenant.subtree(id, at) {
			v.departments[below] = true
		}
	}
	return v
}

func (v visible) department(id int) bool { return v.all || v.departments[id] }

func (v visible) user(u *User) bool {
	if v.all {
		return true
	}
	for _, d := range u.Department {
		if v.departments[d] {
			return true
		}
	}
	return false
}
