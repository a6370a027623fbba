package dingtalk

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/directory"
)

const platform = "DingTalk"

// The keys of the credentials Secret.
const (
	keyAppKey    = "appKey"
	keyAppSecret = "appSecret"
	keyAgentID   = "agentId"
)

// Descriptor registers DingTalk.
func Descriptor() directory.Descriptor {
	return directory.Descriptor{
		Platform: platform,
		SecretKeys: []directory.SecretKey{
			{Name: keyAppKey, Required: true, About: "Client ID (formerly AppKey) of the internal app: " + console},
			{Name: keyAppSecret, Required: true, About: "Client Secret (formerly AppSecret) of the internal app: " + console},
			{Name: keyAgentID, About: "AgentId of the internal app, for work notices and for backups of the roster's fields: " + console},
		},
		// Standard edition, for each app and operation
		// [how-to-process-api-throttling-on-the-dingtalk-server].
		OperationsPerSecond: 20,
		AccountID:           accountID,
		New:                 open,
	}
}

const console = "open-dev.dingtalk.com, the app, Credentials and Basic Information (凭证与基础信息)"

// accountID takes the employee number as it is. DingTalk documents the length
// only [user-information-creation]; a comma separates ids in lists of them, and
// white space would be a trap for people.
func accountID(number string) (string, error) {
	op := &operation{name: "account id"}
	switch {
	case number == "" || utf8.RuneCountInString(number) > 64:
		return "", invalid(op, "a user id on DingTalk has 1 to 64 characters")
	case strings.ContainsFunc(number, func(r rune) bool {
		return r == ',' || r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}):
		return "", invalid(op, "a user id on DingTalk has no commas, spaces or control characters")
	}
	return number, nil
}

// open makes the directory of one tenant. The employee number has a field of its
// own here, so Settings.NumberAttribute is not looked at; nor is Settings.Tenant,
// because the app belongs to one company.
func open(s directory.Settings) (directory.Directory, error) {
	op := &operation{name: "settings"}
	var missing []string
	credential := func(key string) string {
		// Secrets made from files tend to end in a line break.
		v := strings.TrimSpace(string(s.Secrets[key]))
		if v == "" {
			missing = append(missing, key)
		}
		return v
	}
	appKey, appSecret := credential(keyAppKey), credential(keyAppSecret)
	if len(missing) > 0 {
		return nil, invalid(op, "the credentials Secret lacks "+strings.Join(missing, " and "))
	}
	if s.HTTP == nil || s.Throttled == nil || s.Now == nil {
		return nil, invalid(op, "HTTP, Throttled and Now must be set")
	}
	older := strings.TrimRight(cmp.Or(s.LegacyEndpoint, s.Endpoint, olderBase), "/")
	newer := strings.TrimRight(cmp.Or(s.Endpoint, s.LegacyEndpoint, newerBase), "/")
	for _, base := range []string{older, newer} {
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
			return nil, invalid(op, "an endpoint is not an address such as "+olderBase)
		}
	}
	// Only work notices [asynchronous-sending-of-enterprise-session-messages] and calls
	// of the roster [api-getemployeerosterbyfield] name the app by this number.
	agent := strings.TrimSpace(string(s.Secrets[keyAgentID]))
	if _, err := strconv.ParseInt(agent, 10, 64); agent != "" && err != nil {
		return nil, invalid(op, "the "+keyAgentID+" of the credentials Secret is not a number")
	}
	return &Directory{wire: newClient(s, older, newer, appKey, appSecret), agent: agent}, nil
}
