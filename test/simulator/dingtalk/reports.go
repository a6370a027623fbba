package dingtalk

import (
	"errors"
	"math"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxReportPage = 20
	maxReportSpan = 180 * 24 * time.Hour
	reportName    = "月报"
)

// reports are one a month from everybody.
func (t *tenant) reports() core.Dataset {
	return core.Dataset{
		Name: collReports, Salt: "report", Every: 30, Hours: []int{17},
		Show: t.report,
		Stamp: func(o map[string]any) (time.Time, string) {
			return millis(o, "create_time"), word(o, "creator_id")
		},
	}
}

func (t *tenant) report(r core.Record) map[string]any {
	name, unit := t.whoIs(r.Person)
	return map[string]any{
		"report_id": r.ID(), "template_name": reportName, "creator_id": r.Person, "creator_name": name, "dept_name": unit,
		"create_time": r.At.UnixMilli(), "modified_time": r.At.UnixMilli(), "remark": "",
		"contents": []map[string]any{
			{"sort": "0", "type": "1", "key": "本月完成工作", "value": "完成了第" + r.ID()[6:8] + "项计划"},
			{"sort": "1", "type": "1", "key": "下月计划", "value": "继续推进"},
		},
	}
}

// whoIs gives the name of a person and of the first department.
func (t *tenant) whoIs(id string) (name, unit string) {
	u, ok := t.users.Get(id, core.Live)
	if !ok {
		return "", ""
	}
	if d, ok := t.depts.Get(key(u.depts[0].dept), core.Live); ok {
		unit = d.name
	}
	return u.name, unit
}

// listReports serves /topapi/report/list. The page says how far apart the times may
// be and how big a page is, not how more is refused: 40035, the global code (?). An
// unknown user has no reports (?).
// https://open.dingtalk.com/document/development/query-logs-sent-by-an-employee
func (s *session) listReports() (map[string]any, error) {
	start, end, err := s.reportWindow()
	cursor, err1 := s.args.between("cursor", 0, math.MaxInt32)
	size, err2 := s.args.between("size", 1, maxReportPage)
	user, err3 := s.args.text("userid")
	template, err4 := s.args.text("template_name")
	if errors.Join(err, err1, err2, err3, err4) != nil {
		return nil, refuse(codeParam)
	}
	g := s.span(start, end, nil)
	if user != "" {
		g.People = []string{user}
	}
	rows, more := core.Page(func(yield func(map[string]any) bool) {
		for r := range s.past.Records(s.reports(), g) {
			asked := template == "" || template == reportName && !r.ByHand() || word(r.Object(), "template_name") == template
			if asked && !yield(r.Object()) {
				return
			}
		}
	}, cursor, size)
	keep, cut := s.call.Rows(len(rows))
	reply := map[string]any{"data_list": rows[:keep], "has_more": more && !cut, "size": size}
	if more && !cut {
		reply["next_cursor"] = cursor + size
	}
	return map[string]any{"result": reply}, nil
}

// reportWindow reads two times that are in order and not too far apart.
func (s *session) reportWindow() (start, end time.Time, err error) {
	from, ok1, err1 := s.args.integer("start_time")
	to, ok2, err2 := s.args.integer("end_time")
	start, end = time.UnixMilli(from), time.UnixMilli(to)
	if err1 != nil || err2 != nil || !ok1 || !ok2 || end.Before(start) || end.Sub(start) > maxReportSpan {
		return start, end, errMalformed
	}
	return start, end, nil
}
