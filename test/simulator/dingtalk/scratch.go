package dingtalk

import (
	"net/http"

	"rollcall.dev/rollcall/test/simulator/core"
)

// Scratch is a platform of its own with one empty organisation and one app, to
// restore into: no limits, no creator, every extension field there is, enterprise
// accounts bought. Nothing listens; what it is asked is handed to the handler.
func Scratch(corpID, appKey, appSecret string, agentID int64) http.Handler {
	c := core.New(core.Options{LogSize: 1, Unlimited: true})
	p := empty(c)
	p.add(tenantSpec{
		Name: "scratch", CorpID: corpID, Title: "scratch",
		Apps:    []*app{{Name: "scratch", AppKey: appKey, AppSecret: appSecret, AgentID: agentID}},
		Options: options{ExtensionFields: []string{anyField}, EnterpriseAccounts: true, OrgEmail: true, NoCreator: true},
	})
	return c.Register(p)
}
