package wecom

import (
	"net/http"

	"rollcall.dev/rollcall/test/simulator/core"
)

// anyAttribute stands for every extension attribute.
const anyAttribute = "*"

// Scratch is a platform of its own with one empty corp, its sync secret and one app
// that sees everything, to restore into: no limits, no creator, every extension
// attribute there is. Nothing listens; what it is asked is handed to the handler.
func Scratch(corpID, syncSecret, appSecret string, agentID int) http.Handler {
	const plenty = 1_000_000
	return New(core.New(core.Options{LogSize: 1, Unlimited: true}), Tenant{
		Name: "scratch", CorpID: corpID, SyncSecret: syncSecret,
		Apps:    []App{{Name: "scratch", AgentID: agentID, Secret: appSecret}},
		Options: Options{Attributes: []string{anyAttribute}, MaxMembers: plenty, MaxBadSecrets: plenty},
	})
}
