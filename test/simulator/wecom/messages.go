package wecom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxText      = 2048 // bytes of a text or markdown message; the rest is cut (90236)
	maxPerMinute = 30   // messages to one member; more are dropped without a word (90312)
	maxPerHour   = 1000
	recallWindow = 24 * time.Hour
)

// Message is a message as the simulator keeps it. Dropped are the members who
// did not get it because they had had too many, Disabled those who could not.
type Message struct {
	ID         string    `json:"msgid"`
	AgentID    int       `json:"agentid"`
	Type       string    `json:"msgtype"`
	Content    string    `json:"content"` // text and markdown; otherwise the raw JSON
	To         []string  `json:"to"`
	Dropped    []string  `json:"dropped,omitempty"`
	Disabled   []string  `json:"disabled,omitempty"`
	Duplicate  bool      `json:"duplicate"` // suppressed by enable_duplicate_check
	Recalled   bool      `json:"recalled"`
	CreateTime time.Time `json:"createTime"`
}

var messageTypes = []string{"text", "image", "voice", "video", "file", "textcard", "news", "mpnews", "markdown",
	"miniprogram_notice", "template_card"}

func messageEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"message/send":   {do: sendMessage, access: appOnly, body: true, write: true, subject: "touser"},
		"message/recall": {do: recallMessage, access: appOnly, body: true, write: true, subject: "msgid"},
		"agent/get":      {do: getAgent, access: appOnly, subject: "agentid"},
		"agent/list":     {do: listAgents, access: appOnly, listing: true, defaults: []string{"agentlist"}},
	}
}

// recipients are the members, departments and tags that a list names, sorted
// into those that the caller sees and the others.
type recipients struct {
	users      []*User // each once, also those in departments and tags
	parties    []int
	badUsers   []string
	badParties []int
	badTags    []int
}

func (x *exchange) recipients(users []string, parties, tags []int) recipients {
	t, sees := x.tenant, x.credential.sees(core.Live)
	to := recipients{badUsers: []string{}, badParties: []int{}, badTags: []int{}}
	for _, id := range users {
		u, ok := t.user(id, core.Live)
		switch {
		case !ok || !sees.user(u):
			to.badUsers = append(to.badUsers, id)
		case !slices.Contains(to.users, u):
			to.users = append(to.users, u)
		}
	}
	for _, id := range parties {
		if _, ok := t.department(id, core.Live); !ok || !sees.department(id) {
			to.badParties = append(to.badParties, id)
		} else if !slices.Contains(to.parties, id) {
			to.parties = append(to.parties, id)
		}
	}
	for _, id := range tags {
		if _, ok := t.tags.Get(strconv.Itoa(id), core.Live); !ok {
			to.badTags = append(to.badTags, id)
		}
	}
	return to
}

// spread adds everybody in the departments and tags.
func (x *exchange) spread(to *recipients, tags []int) {
	t, sees := x.tenant, x.credential.sees(core.Live)
	within, named, already := map[int]bool{}, map[string]bool{}, map[*User]bool{}
	add := func(id int) {
		for d := range t.subtree(id, core.Live) {
			within[d] = true
		}
	}
	for _, id := range to.parties {
		add(id)
	}
	for _, id := range tags {
		tag, ok := t.tags.Get(strconv.Itoa(id), core.Live)
		if !ok {
			continue
		}
		for _, user := range tag.Users {
			named[userKey(user)] = true
		}
		for _, party := range tag.Parties {
			add(party)
		}
	}
	for _, u := range to.users {
		already[u] = true
	}
	for key, u := range t.users.All(core.Live) {
		in := named[key] || slices.ContainsFunc(u.Department, func(d int) bool { return within[d] })
		if in && !already[u] && sees.user(u) {
			to.users = append(to.users, u)
		}
	}
}

// piped reads a list that is written "a|b|c".
func (f *form) piped(name string) []string {
	value, _ := f.text(name)
	return strings.FieldsFunc(value, func(c rune) bool { return c == '|' })
}

// pipedIDs reads such a list of numbers; what is no number is given back too.
func (f *form) pipedIDs(name string) (ids []int, bad []string) {
	for _, part := range f.piped(name) {
		id, err := strconv.Atoi(part)
		if err != nil {
			bad = append(bad, part)
			continue
		}
		ids = append(ids, id)
	}
	return ids, bad
}

func joinIDs(bad []string, ids []int) string {
	for _, id := range ids {
		bad = append(bad, strconv.Itoa(id))
	}
	return strings.Join(bad, "|")
}

// agent reads agentid. The platform takes it as text too, and much that is in use
// writes it so.
func (x *exchange) agent() (int, state) {
	if x.form.kind("agentid") != '"' {
		return read[int](x.form, "agentid")
	}
	text, _ := x.form.text("agentid")
	id, err := strconv.Atoi(text)
	if err != nil {
		x.form.warned = true
		return 0, wrong
	}
	return id, given
}

func sendMessage(x *exchange) (fields, *failure) {
	agent, s := x.agent()
	switch {
	case s != given:
		return nil, fail(41011)
	case agent != x.credential.app.AgentID:
		return nil, fail(301002)
	}
	kind, content, f := x.content()
	if f != nil {
		return nil, f
	}
	users := x.form.piped("touser")
	parties, badParties := x.form.pipedIDs("toparty")
	tags, badTags := x.form.pipedIDs("totag")
	if len(users) > 1000 || len(parties) > 100 || len(tags) > 100 {
		return nil, fail(40032)
	}
	if len(users) == 1 && users[0] == "@all" {
		users, parties, tags = nil, []int{rootID}, nil
		if !x.credential.sees(core.Live).all {
			parties = x.credential.app.Departments
		}
	}
	to := x.recipients(users, parties, tags)
	x.spread(&to, tags)
	if len(to.users) == 0 {
		return nil, fail(81013)
	}
	m := x.deliver(to.users, kind, content)
	// The bad ids come back in lower case (90236).
	return fields{
		"invaliduser": strings.ToLower(strings.Join(to.badUsers, "|")), "invalidparty": joinIDs(badParties, to.badParties),
		"invalidtag": joinIDs(badTags, to.badTags), "unlicenseduser": "", "msgid": m.ID,
	}, nil
}

// content reads the message itself; a text that is too long is cut.
func (x *exchange) content() (kind, content string, f *failure) {
	kind, ok := x.form.text("msgtype")
	if !ok || !slices.Contains(messageTypes, kind) {
		return "", "", fail(40008)
	}
	if kind != "text" && kind != "markdown" {
		if x.form.kind(kind) != '{' {
			return "", "", fail(40063)
		}
		return kind, string(x.form.values[kind]), nil
	}
	body, _ := read[struct {
		Content string `json:"content"`
	}](x.form, kind)
	if body.Content == "" {
		return "", "", fail(44004)
	}
	for len(body.Content) > maxText {
		_, size := utf8.DecodeLastRuneInString(body.Content)
		body.Content = body.Content[:len(body.Content)-size]
	}
	return kind, body.Content, nil
}

// deliver keeps the message. Members who are disabled or have had too many do not get
// it, and a repeated one is suppressed if the caller asked for that; nothing of it is said.
func (x *exchange) deliver(users []*User, kind, content string) *Message {
	t := x.tenant
	t.messageIDs++
	m := &Message{
		ID: fmt.Sprintf("msg%d", t.messageIDs), AgentID: x.credential.app.AgentID, Type: kind, Content: content,
		To: []string{}, CreateTime: x.now,
	}
	if check, s := read[int](x.form, "enable_duplicate_check"); s == given && check == 1 {
		m.Duplicate = x.repeated(users, kind, content)
	}
	for _, u := range users {
		switch {
		case m.Duplicate:
		case u.Enable == 0:
			m.Disabled = append(m.Disabled, u.UserID)
		case x.tooMany(u):
			m.Dropped = append(m.Dropped, u.UserID)
		default:
			m.To = append(m.To, u.UserID)
			t.inbox.Put(u.UserID, content, m.ID, x.now)
		}
	}
	t.messages.Put(m.ID, m)
	return m
}

// repeated tells whether the same message went to the same members within the
// interval, by default half an hour, at most four hours (90236).
func (x *exchange) repeated(users []*User, kind, content string) bool {
	interval, s := read[int](x.form, "duplicate_check_interval")
	if s != given || interval <= 0 {
		interval = 1800
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d\x00%s\x00%s", x.credential.app.AgentID, kind, content)
	for _, u := range users {
		fmt.Fprintf(h, "\x00%s", userKey(u.UserID))
	}
	key := hex.EncodeToString(h.Sum(nil))
	before, seen := x.tenant.duplicates[key]
	if seen && x.now.Sub(before) < time.Duration(min(interval, 4*3600))*time.Second {
		return true
	}
	x.tenant.duplicates[key] = x.now
	return false
}

func (x *exchange) tooMany(u *User) bool {
	t, key := x.tenant, userKey(u.UserID)
	recent := slices.DeleteFunc(t.sent[key], func(at time.Time) bool { return x.now.Sub(at) >= time.Hour })
	minute := 0
	for _, at := range recent {
		if x.now.Sub(at) < time.Minute {
			minute++
		}
	}
	if minute >= maxPerMinute || len(recent) >= maxPerHour {
		t.sent[key] = recent
		return true
	}
	t.sent[key] = append(recent, x.now)
	return false
}

func recallMessage(x *exchange) (fields, *failure) {
	id, _ := x.form.text("msgid")
	m, ok := x.tenant.messages.Get(id, core.Live)
	switch {
	case !ok || m.AgentID != x.credential.app.AgentID:
		return nil, fail(40058)
	case x.now.Sub(m.CreateTime) > recallWindow:
		return nil, fail(42052)
	}
	recalled := *m
	recalled.Recalled = true
	x.tenant.messages.Put(id, &recalled)
	return fields{}, nil
}

// getAgent shows the caller's own app and no other (90227).
func getAgent(x *exchange) (fields, *failure) {
	value := x.query.Get("agentid")
	if value == "" {
		return nil, fail(41011)
	}
	app := x.credential.app
	id, err := strconv.Atoi(value)
	switch {
	case err != nil:
		return nil, fail(40056)
	case id != app.AgentID:
		return nil, fail(301002)
	}
	departments := app.Departments
	if len(departments) == 0 {
		departments = []int{rootID}
	}
	return fields{
		"agentid": app.AgentID, "name": app.Name, "square_logo_url": "", "description": "",
		"allow_userinfos": fields{"user": []int{}}, "allow_partys": fields{"partyid": departments},
		"allow_tags": fields{"tagid": []int{}}, "close": 0, "redirect_domain": "", "report_location_flag": 0,
		"isreportenter": 0, "home_url": "",
	}, nil
}

func listAgents(x *exchange) (fields, *failure) {
	app := x.credential.app
	list := []fields{{"agentid": app.AgentID, "name": app.Name, "square_logo_url": ""}}
	keep, _ := x.call.Rows(len(list))
	return fields{"agentlist": list[:keep]}, nil
}
