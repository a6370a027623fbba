package dingtalk

import (
	"iter"
	"math"
	"slices"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxOnJobPage   = 50
	maxRosterUsers = 100
)

// onJob serves /topapi/smartwork/hrm/employee/queryonjob. Everybody who has joined
// is regular (3), and who has not is without status (-1). Without Smart-HR there is
// nobody in it (?).
// https://open.dingtalk.com/document/development/intelligent-personnel-query-the-list-of-on-the-job-employees-of-the
func (s *session) onJob() (map[string]any, error) {
	statuses, err := s.args.list("status_list")
	offset, err1 := s.args.between("offset", 0, math.MaxInt32)
	size, err2 := s.args.between("size", 1, maxOnJobPage)
	if err != nil || err1 != nil || err2 != nil || len(statuses) == 0 {
		return nil, refuse(codeParam)
	}
	rows, more := core.Page(s.employed(statuses), offset, size)
	keep, cut := s.call.Rows(len(rows))
	result := map[string]any{"data_list": rows[:keep]}
	if more && !cut {
		result["next_cursor"] = offset + size
	}
	return map[string]any{"result": result, "success": true}, nil
}

// employed lists who has one of the statuses.
func (s *session) employed(statuses []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !s.spec.Options.SmartHR {
			return
		}
		for id, u := range s.users.All(s.at) {
			status := "-1"
			if u.active {
				status = "3"
			}
			if slices.Contains(statuses, status) && !yield(id) {
				return
			}
		}
	}
}

// rosterField is one field of the roster.
type rosterField struct {
	code, name, group, kind string
	of                      func(*user) string
}

var rosterFields = []rosterField{
	{"sys00-name", "姓名", "sys00", "TextField", func(u *user) string { return u.name }},
	{"sys00-jobNumber", "工号", "sys00", "TextField", func(u *user) string { return u.jobNumber }},
	{"sys00-mobile", "手机号", "sys00", "TextField", func(u *user) string { return u.mobile.number }},
	{"sys00-email", "邮箱", "sys00", "TextField", func(u *user) string { return u.email }},
	{"sys00-position", "职位", "sys00", "TextField", func(u *user) string { return u.title }},
	{"sys01-employeeStatus", "员工状态", "sys01", "DDSelectField", func(*user) string { return "3" }},
}

// rosterApp checks that Smart-HR is there and the agent is the app.
func (s *session) rosterApp() error {
	agent, given, err := s.args.integer("appAgentId")
	switch {
	case !s.spec.Options.SmartHR:
		return bad("noPermission", "无访问权限")
	case err != nil || !given || agent != s.app.AgentID:
		return bad("invalidAgentId", "agentId错误")
	}
	return nil
}

// rosterMeta serves GET /v1.0/hrm/rosters/meta/authorities/fields.
// https://open.dingtalk.com/document/development/query-the-list-of-fields-with-permissions-in-the-roster
func (s *session) rosterMeta() (map[string]any, error) {
	if err := s.rosterApp(); err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, f := range rosterFields {
		list = append(list, map[string]any{"fieldCode": f.code, "fieldName": f.name, "fieldType": f.kind})
	}
	return map[string]any{"result": list}, nil
}

// rosters serves POST /v1.0/hrm/rosters/lists/query; an unknown agent is
// invalidParameter here. Who is not known is left out (?).
// https://open.dingtalk.com/document/development/api-getemployeerosterbyfield
func (s *session) rosters() (map[string]any, error) {
	users, err := s.args.list("userIdList")
	fields, err2 := s.args.list("fieldFilterList")
	agent, _, err3 := s.args.integer("appAgentId")
	switch {
	case !s.spec.Options.SmartHR:
		return nil, bad("noPermission", "无访问权限")
	case err != nil || err2 != nil || err3 != nil || agent != s.app.AgentID || len(users) == 0 ||
		len(users) > maxRosterUsers || len(fields) > maxRosterUsers:
		return nil, bad("invalidParameter", "系统参数无效或者传入的微应用Id和员工userId有误")
	}
	list := []map[string]any{}
	for _, id := range users {
		if u, ok := s.users.Get(id, s.at); ok {
			list = append(list, s.roster(u, fields))
		}
	}
	return map[string]any{"result": list}, nil
}

func (t *tenant) roster(u *user, fields []string) map[string]any {
	data := []map[string]any{}
	for _, f := range rosterFields {
		if len(fields) > 0 && !slices.Contains(fields, f.code) {
			continue
		}
		value := f.of(u)
		data = append(data, map[string]any{
			"fieldCode": f.code, "fieldName": f.name, "groupId": f.group,
			"fieldValueList": []map[string]any{{"itemIndex": 0, "value": value, "label": value}},
		})
	}
	return map[string]any{"corpId": t.spec.CorpID, "userId": u.id, "fieldDataList": data}
}
