package wecom

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

const (
	platform = "WeCom"
	cloud    = "https://qyapi.weixin.qq.com"

	syncSecret = "syncSecret"
	appSecret  = "appSecret"
	agentID    = "agentId"

	// Each operation may be called 10 000 times a minute and 150 000 times an hour
	// by one company (https://developer.work.weixin.qq.com/document/path/90312). A
	// rate has one window: the minute. It exceeds the hour's after a quarter of an
	// hour of nothing but one operation, which no reading or filling of a company
	// of less than 150 000 people comes to.
	perMinute = 10_000

	// slowPerMinute is the limit of the calls of several datasets, each of whose
	// pages says so.
	slowPerMinute = 600
)

// Descriptor registers the platform.
func Descriptor() directory.Descriptor {
	return directory.Descriptor{
		Platform: platform,
		SecretKeys: []directory.SecretKey{
			{Name: syncSecret, Required: true, About: "the secret of 管理工具 → 通讯录同步, with API editing turned on" +
				" and this operator's address among its trusted ones (企业可信IP)"},
			{Name: appSecret, About: "the secret of a self-built app (应用管理 → 自建) whose visible range is the whole company," +
				" for reading details; needed unless 通讯录同步 was in use from this operator's address before 2022-08-15"},
			{Name: agentID, About: "the AgentId of the same app, for sending notices; without it, nobody is told by WeCom"},
		},
		OperationsPerSecond: perMinute / 60.0,
		SlowOperations:      slowOperations(),
		AccountID:           accountID,
		New:                 open,
	}
}

// slowOperations: https://developer.work.weixin.qq.com/document/path/91816 and 91983 (approvals),
// 96497 (clock-ins), 93393 and 93394 (reports), 100178 and 100179 (logs).
func slowOperations() map[string]float64 {
	slow := map[string]float64{}
	for _, operation := range []string{
		"oa/getapprovalinfo", "oa/getapprovaldetail", "checkin/getcheckindata", "oa/journal/get_record_list",
		"oa/journal/get_record_detail", "security/admin_oper_log/list", "security/member_oper_log/list",
	} {
		slow[operation] = slowPerMinute / 60.0
	}
	return slow
}

// userID is what a user id may be (https://developer.work.weixin.qq.com/document/path/90195).
var userID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_\-@.]{0,63}$`)

// accountID takes the employee number as it is.
func accountID(number string) (string, error) {
	if !userID.MatchString(number) {
		return "", invalid("user id", fmt.Sprintf("the employee number %q cannot be a user id of WeCom: that is 1 to 64 letters, digits and _ - @ ., "+
			"and begins with a letter or digit; pin another id for this account", number))
	}
	return number, nil
}

func open(s directory.Settings) (directory.Directory, error) {
	base, err := baseOf(s.Endpoint)
	if err != nil {
		return nil, err
	}
	// A line break at the end of a Secret's value is common, and never meant.
	value := func(key string) string { return strings.TrimSpace(string(s.Secrets[key])) }
	switch {
	case s.Tenant == "":
		return nil, invalid("settings", "the corp id is missing")
	case value(syncSecret) == "":
		return nil, invalid("settings", "the credentials have no "+syncSecret)
	case s.HTTP == nil:
		return nil, invalid("settings", "there is no HTTP client")
	}
	agent, err := agentOf(value(agentID))
	if err != nil {
		return nil, err
	}
	c := &client{base: base, http: s.HTTP, throttled: s.Throttled, answered: s.Answered, wait: sleep}
	credential := func(key string) *secret {
		return &secret{name: key, value: value(key), corp: s.Tenant, client: c, now: s.Now}
	}
	d := &Directory{client: c, sync: credential(syncSecret), number: s.NumberAttribute}
	d.details = d.sync
	if value(appSecret) != "" {
		d.details, d.agent = credential(appSecret), agent
	}
	d.tags.operation, d.tags.read = "tag/get", d.readTags
	d.unassigned.operation, d.unassigned.read = "externalcontact/get_unassigned_list", d.readUnassigned
	d.orphans.operation, d.orphans.read = "externalcontact/groupchat/list", d.readOrphans
	d.capabilities = capable(d.details != d.sync, d.agent != 0, s.NumberAttribute)
	return d, nil
}

// agentOf reads the AgentId of an app, a whole number
// (https://developer.work.weixin.qq.com/document/path/90236); "" is 0, none.
func agentOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, invalid("settings", "the "+agentID+" of the credentials is not a number")
	}
	return n, nil
}

// baseOf completes the endpoint, of which scheme and host are given.
func baseOf(endpoint string) (string, error) {
	u, err := url.Parse(cmp.Or(endpoint, cloud))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return "", invalid("settings", "the endpoint is not a URL such as "+cloud)
	}
	return strings.TrimSuffix(u.String(), "/") + "/cgi-bin/", nil
}
