package dingtalk

import (
	"encoding/json"
	"slices"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// Limits of
// https://open.dingtalk.com/document/development/asynchronous-sending-of-enterprise-session-messages
// Beyond those of receivers and repetition the call still succeeds; only
// getsendresult tells.
const (
	maxMsgUsers     = 100
	maxMsgDepts     = 20
	maxMsgBytes     = 2048
	maxReceivers    = 5000 // of one message, and in one minute
	maxDaily        = 500  // messages to one user in one day
	maxResultUsers  = 100
	resultWindow    = 24 * time.Hour
	progressWindow  = 7 * 24 * time.Hour
	codeMinuteLimit = "143103"
	codeDailyLimit  = "143105"
	codeRepeated    = "143106"
)

var msgTypes = []string{"text", "image", "voice", "file", "link", "oa", "markdown", "action_card"}

// china is where the platform's days begin and end.
var china = time.FixedZone("CST", 8*60*60)

// messages are the notices sent, and what their limits count: each app's by itself.
type messages struct {
	last   int64
	tasks  []*task
	inbox  *core.Inbox
	daily  map[dayUser]int
	seen   map[dayContent]bool
	minute map[int64]minute // by agent id
}

// minute is when one began, and how many got something since.
type minute struct {
	began     time.Time
	receivers int
}

type dayUser struct {
	agent     int64
	day, user string
}

type dayContent struct {
	dayUser
	content string
}

// forbidden is one receiver that a limit kept a message from.
type forbidden struct {
	Code   string `json:"code"`
	Count  int    `json:"count"`
	UserID string `json:"userid"`
}

// task is one message. A task is replaced when recalled, never changed.
type task struct {
	ID           int64           `json:"task_id"`
	AgentID      int64           `json:"agent_id"`
	Sent         time.Time       `json:"sent"`
	Msg          json.RawMessage `json:"msg"`
	UserIDs      []string        `json:"userid_list"` // whom it reached
	Failed       []string        `json:"failed_user_id_list"`
	Forbidden    []forbidden     `json:"forbidden_list"`
	InvalidUsers []string        `json:"invalid_user_id_list"`
	InvalidDepts []int64         `json:"invalid_dept_id_list"`
	Recalled     bool            `json:"recalled"`
}

func newMessages() messages {
	return messages{last: 256_271_667_525, inbox: core.NewInbox(), daily: map[dayUser]int{}, seen: map[dayContent]bool{}, minute: map[int64]minute{}}
}

// sendMessage serves asyncsend_v2.
func (s *session) sendMessage() (map[string]any, error) {
	if err := s.agent(codeAgentID); err != nil {
		return nil, err
	}
	msg, err := s.readMessage()
	if err != nil {
		return nil, err
	}
	t := &task{
		AgentID: s.app.AgentID, Sent: s.now, Msg: msg,
		UserIDs: []string{}, Failed: []string{}, Forbidden: []forbidden{}, InvalidUsers: []string{}, InvalidDepts: []int64{},
	}
	receivers, err := s.receivers(t)
	if err != nil {
		return nil, err
	}
	m := &s.messages
	m.last++
	t.ID = m.last
	for i, id := range receivers {
		if u, _ := s.users.Get(id, core.Live); u.disabled {
			t.Failed = append(t.Failed, id)
			continue
		}
		m.deliver(t, id, i, s.now)
	}
	m.tasks = append(m.tasks, t)
	return map[string]any{"task_id": t.ID}, nil
}

// agent checks that the call names the app that makes it.
func (s *session) agent(bad int) error {
	id, given, err := s.args.integer("agent_id")
	if err != nil || !given || id != s.app.AgentID {
		return refuse(bad)
	}
	return nil
}

func (s *session) readMessage() (json.RawMessage, error) {
	msg, err := s.args.object("msg")
	if err != nil || msg == nil {
		return nil, refuse(codeParam)
	}
	text, err := json.Marshal(msg)
	if err != nil || len(text) > maxMsgBytes {
		return nil, refuse(codeMsgTooLong)
	}
	kind, err := msg.text("msgtype")
	if err != nil || !slices.Contains(msgTypes, kind) || !msg.has(kind) {
		return nil, refuse(codeMsgType)
	}
	return text, nil
}

// receivers lists whom a message goes to; unknown ones are noted in the task.
func (s *session) receivers(t *task) ([]string, error) {
	users, err1 := s.args.list("userid_list")
	depts, err2 := s.args.ids("dept_id_list")
	all, err3 := s.args.flag("to_all_user")
	if err1 != nil || err2 != nil || err3 != nil || len(users) > maxMsgUsers || len(depts) > maxMsgDepts {
		return nil, refuse(codeParam)
	}
	if !all && len(users) == 0 && len(depts) == 0 {
		return nil, refuse(codeNoReceiver)
	}
	if all {
		depts = []int64{rootDept}
	}
	list := []string{}
	for _, id := range users {
		if _, ok := s.users.Get(id, core.Live); ok {
			list = append(list, id)
		} else {
			t.InvalidUsers = append(t.InvalidUsers, id)
		}
	}
	for _, id := range depts {
		if _, ok := s.depts.Get(key(id), core.Live); ok {
			list = s.below(id, list)
		} else {
			t.InvalidDepts = append(t.InvalidDepts, id)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	}), nil
}

// below appends who is in a department or in one below it.
func (t *tenant) below(dept int64, list []string) []string {
	for _, u := range t.membersAt(dept, core.Live) {
		list = append(list, u.id)
	}
	for _, c := range t.childrenAt(dept, core.Live) {
		list = t.below(c.id, list)
	}
	return list
}

// deliver sends to the nth receiver of a task, unless a limit forbids it.
func (m *messages) deliver(t *task, id string, n int, now time.Time) {
	who := dayUser{t.AgentID, now.In(china).Format(time.DateOnly), id}
	what := dayContent{who, string(t.Msg)}
	current := m.minute[t.AgentID]
	if now.Sub(current.began) >= time.Minute {
		current = minute{began: now}
	}
	switch {
	case n >= maxReceivers || current.receivers >= maxReceivers:
		t.Forbidden = append(t.Forbidden, forbidden{codeMinuteLimit, maxReceivers, id})
	case m.seen[what]:
		t.Forbidden = append(t.Forbidden, forbidden{codeRepeated, 1, id})
	case m.daily[who] >= maxDaily:
		t.Forbidden = append(t.Forbidden, forbidden{codeDailyLimit, maxDaily, id})
	default:
		m.seen[what] = true
		m.daily[who]++
		current.receivers++
		t.UserIDs = append(t.UserIDs, id)
		m.inbox.Put(id, shown(t.Msg), key(t.ID), now)
	}
	m.minute[t.AgentID] = current
}

// shown is what somebody reads of a message: its text, or all of it if it has none.
func shown(msg json.RawMessage) string {
	var m struct {
		Text     struct{ Content string }
		Markdown struct{ Text string }
	}
	if json.Unmarshal(msg, &m) != nil || m.Text.Content == "" && m.Markdown.Text == "" {
		return string(msg)
	}
	return m.Text.Content + m.Markdown.Text
}

// findTask gives the task that a call is about, if it is younger than window.
func (s *session) findTask(param string, bad int, window time.Duration) (int, *task, error) {
	if err := s.agent(bad); err != nil {
		return 0, nil, err
	}
	id, given, err := s.args.integer(param)
	if err != nil || !given {
		return 0, nil, refuse(bad)
	}
	for i, t := range s.messages.tasks {
		if t.ID == id && t.AgentID == s.app.AgentID && s.now.Sub(t.Sent) < window {
			return i, t, nil
		}
	}
	return 0, nil, refuse(bad)
}

// sendProgress serves getsendprogress.
// https://open.dingtalk.com/document/development/obtain-the-sending-progress-of-asynchronous-sending-of-enterprise-session
func (s *session) sendProgress() (map[string]any, error) {
	if _, _, err := s.findTask("task_id", codeParam, progressWindow); err != nil {
		return nil, err
	}
	return map[string]any{"progress": map[string]any{"progress_in_percent": 100, "status": 2}}, nil
}

// sendResult serves getsendresult. With more than 100 receivers the page says
// that the call times out; its code is not documented (?).
// https://open.dingtalk.com/document/development/gets-the-result-of-sending-messages-asynchronously-to-the-enterprise
func (s *session) sendResult() (map[string]any, error) {
	_, t, err := s.findTask("task_id", codeParam, resultWindow)
	if err != nil {
		return nil, err
	}
	if len(t.UserIDs)+len(t.Failed)+len(t.Forbidden)+len(t.InvalidUsers) > maxResultUsers {
		return nil, refuseAs(codeSystemBusy, "调用超时")
	}
	barred := []string{}
	for _, f := range t.Forbidden {
		barred = append(barred, f.UserID)
	}
	return map[string]any{"send_result": map[string]any{
		"invalid_user_id_list": t.InvalidUsers, "invalid_dept_id_list": t.InvalidDepts,
		"forbidden_user_id_list": barred, "forbidden_list": t.Forbidden,
		"failed_user_id_list": t.Failed, "read_user_id_list": []string{}, "unread_user_id_list": t.UserIDs,
	}}, nil
}

// recallMessage serves recall.
// https://open.dingtalk.com/document/development/notification-of-work-withdrawal
func (s *session) recallMessage() (map[string]any, error) {
	i, t, err := s.findTask("msg_task_id", codeArgument, resultWindow)
	if err != nil {
		return nil, err
	}
	recalled := *t
	recalled.Recalled = true
	s.messages.tasks[i] = &recalled
	return nil, nil
}
