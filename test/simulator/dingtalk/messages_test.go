package dingtalk

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	agent    = 3_000_000_001
	msgPath  = "/topapi/message/corpconversation/"
	sendPath = msgPath + "asyncsend_v2"
)

func notice(text string) body { return body{"msgtype": "text", "text": body{"content": text}} }

func (s *sim) send(in body) json.Number {
	s.t.Helper()
	in["agent_id"] = agent
	return s.ok(sendPath, in)["task_id"].(json.Number)
}

func (s *sim) outcome(task json.Number) body {
	s.t.Helper()
	return s.ok(msgPath+"getsendresult", body{"agent_id": agent, "task_id": task})["send_result"].(body)
}

func TestMessageErrors(t *testing.T) {
	s, _, _ := filled(t)
	task := s.send(body{"userid_list": "A1", "msg": notice("你好")})
	with := func(changes body) body {
		in := body{"agent_id": agent, "userid_list": "A1", "msg": notice("x")}
		for k, v := range changes {
			in[k] = v
		}
		return in
	}
	users := make([]string, 101)
	for i := range users {
		users[i] = fmt.Sprintf("U%d", i)
	}
	for _, tt := range []struct {
		name, path string
		in         body
		want       string
	}{
		{"another agent", sendPath, with(body{"agent_id": 7}), "40056"},
		{"no receiver", sendPath, with(body{"userid_list": ""}), "1430000"},
		{"too many users", sendPath, with(body{"userid_list": strings.Join(users, ",")}), "40035"},
		{"no message", sendPath, with(body{"msg": nil}), "40035"},
		{"unknown type", sendPath, with(body{"msg": body{"msgtype": "song"}}), "40008"},
		{"type without content", sendPath, with(body{"msg": body{"msgtype": "text"}}), "40008"},
		{"long message", sendPath, with(body{"msg": notice(strings.Repeat("长", 700))}), "45002"},
		{"progress of none", msgPath + "getsendprogress", body{"agent_id": agent, "task_id": 1}, "40035"},
		{"result of none", msgPath + "getsendresult", body{"agent_id": agent, "task_id": 1}, "40035"},
		{"result for another agent", msgPath + "getsendresult", body{"agent_id": 7, "task_id": task}, "40035"},
		{"recall none", msgPath + "recall", body{"agent_id": agent, "msg_task_id": 1}, "400002"},
	} {
		t.Run(tt.name, func(t *testing.T) { s.refused(tt.want, tt.path, tt.in) })
	}
	s.core.Clock.Advance(25 * time.Hour)
	s.token = ""
	s.refused("40035", msgPath+"getsendresult", body{"agent_id": agent, "task_id": task})
	s.refused("400002", msgPath+"recall", body{"agent_id": agent, "msg_task_id": task})
	s.ok(msgPath+"getsendprogress", body{"agent_id": agent, "task_id": task}) // 7 days
}

func TestMessages(t *testing.T) {
	s, research, _ := filled(t)
	team := s.dept("一组", research)
	s.person("A3", "13800000003", team)
	sent := s.send(body{"userid_list": "A1,nobody", "dept_id_list": fmt.Sprintf("%s,99", research), "msg": notice("今天团建")})
	r := s.outcome(sent)
	if got := fmt.Sprint(r["unread_user_id_list"], r["invalid_user_id_list"], r["invalid_dept_id_list"]); got != "[A1 A2 A3] [nobody] [99]" {
		t.Errorf("result: %s", got)
	}
	p := s.ok(msgPath+"getsendprogress", body{"agent_id": agent, "task_id": sent})["progress"]
	if fmt.Sprint(p) != "map[progress_in_percent:100 status:2]" {
		t.Errorf("progress: %v", p)
	}
	// The same again on the same day: success, but nobody gets it.
	again := s.outcome(s.send(body{"userid_list": "A1", "msg": notice("今天团建")}))
	if fmt.Sprint(again["unread_user_id_list"], again["forbidden_user_id_list"], again["forbidden_list"]) != "[] [A1] [map[code:143106 count:1 userid:A1]]" {
		t.Errorf("repeated: %v", again)
	}
	s.core.Clock.Advance(15 * time.Hour) // past midnight in China: 09:00 + 15 h
	s.token = ""
	if next := s.outcome(s.send(body{"userid_list": "A1", "msg": notice("今天团建")})); fmt.Sprint(next["unread_user_id_list"]) != "[A1]" {
		t.Errorf("the next day: %v", next)
	}
	s.ok(msgPath+"recall", body{"agent_id": agent, "msg_task_id": sent})
	o, err := s.admin.Object("acme", "messages", string(sent))
	if err != nil || !o.(*task).Recalled {
		t.Errorf("recalled: %+v %v", o, err)
	}
}

func TestMessageLimits(t *testing.T) {
	s := newSim(t)
	if _, err := s.admin.Seed("acme", core.Seed{Users: 5100, Departments: 50}); err != nil {
		t.Fatal(err)
	}
	all := s.send(body{"to_all_user": true, "msg": notice("全员")})
	s.refused("-1", msgPath+"getsendresult", body{"agent_id": agent, "task_id": all})
	o, err := s.admin.Object("acme", "messages", string(all))
	if err != nil {
		t.Fatal(err)
	}
	if m := o.(*task); len(m.UserIDs) != maxReceivers || len(m.Forbidden) != 101 {
		t.Errorf("reached %d, kept from %d", len(m.UserIDs), len(m.Forbidden))
	}
	if r := s.outcome(s.send(body{"userid_list": "S00001", "msg": notice("同一分钟")})); fmt.Sprint(r["forbidden_user_id_list"]) != "[S00001]" {
		t.Errorf("in the same minute: %v", r)
	}
	s.core.Clock.Advance(time.Minute)
	for i := range maxDaily {
		s.send(body{"userid_list": "S00002", "msg": notice(fmt.Sprint(i))})
	}
	if r := s.outcome(s.send(body{"userid_list": "S00002", "msg": notice("太多")})); !strings.Contains(fmt.Sprint(r["forbidden_list"]), "143105") {
		t.Errorf("beyond 500 a day: %v", r)
	}
}

// TestReceived: what somebody really got, and how often. The log has no text.
func TestReceived(t *testing.T) {
	s, _, _ := filled(t)
	s.ok("/topapi/v2/user/create", body{
		"userid": "X1", "name": "张三", "dept_id_list": "1", "exclusive_account": true, "exclusive_account_type": "sso",
	})
	s.new("POST", "/v1.0/contact/orgAccounts/disable", body{"userId": "X1", "reason": "离职"})
	s.ok("/topapi/v2/user/delete", body{"userid": "A2"})
	markdown := body{"msgtype": "markdown", "markdown": body{"title": "离职", "text": "交接给李四"}}
	first := s.send(body{"userid_list": "A1,A2,X1", "msg": notice("再见")})
	s.send(body{"userid_list": "A1", "msg": notice("再见")}) // the same day
	s.send(body{"userid_list": "A1", "msg": markdown})
	if r := s.outcome(first); fmt.Sprint(r["unread_user_id_list"], r["failed_user_id_list"], r["invalid_user_id_list"]) != "[A1] [X1] [A2]" {
		t.Errorf("result: %v", r)
	}
	s.core.Clock.Advance(24 * time.Hour)
	s.token = ""
	next := s.send(body{"userid_list": "A1", "msg": notice("再见")})
	want := []any{
		core.Received{
			To: "A1", Text: "再见", Count: 2, Times: []time.Time{start, start.Add(24 * time.Hour)}, Messages: []string{string(first), string(next)},
		},
		core.Received{To: "A1", Text: "交接给李四", Count: 1, Times: []time.Time{start}, Messages: []string{fmt.Sprint(number(first) + 2)}},
	}
	if got, err := s.admin.Objects("acme", collReceived); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("received: %+v %v", got, err)
	}
	calls := s.core.Log.Entries(core.Query{Operation: sendPath})
	if len(calls) != 4 || calls[0].Subject != "A1,A2,X1" || strings.Contains(fmt.Sprintf("%+v", calls), "再见") {
		t.Errorf("the log: %+v", calls)
	}
}

// TestReceivedFromTwoApps: the limits count each app's messages by themselves.
func TestReceivedFromTwoApps(t *testing.T) {
	s, _, _ := filled(t)
	s.send(body{"userid_list": "A1", "msg": notice("再见")})
	s.acme().mu.Lock()
	other := &app{Name: "other", AppKey: "dingacme0002", AppSecret: "x", AgentID: 7, tenant: s.acme()}
	s.admin.(*platform).apps[other.AppKey] = other
	s.acme().mu.Unlock()
	s.token = s.tokenOf(other.AppKey, other.AppSecret)
	s.ok(sendPath, body{"agent_id": 7, "userid_list": "A1", "msg": notice("再见")})
	got, err := s.admin.Objects("acme", collReceived)
	if err != nil || len(got) != 1 || got[0].(core.Received).Count != 2 {
		t.Errorf("received: %+v %v", got, err)
	}
}

func number(n json.Number) int64 {
	i, _ := n.Int64() // it came from the platform
	return i
}
