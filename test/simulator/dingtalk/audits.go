package dingtalk

import (
	"cmp"
	"slices"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxFileLogPage = 500
	// fileLogMemory is as long as a history can be. The page knows no bound (?).
	fileLogMemory = 3660 * 24 * time.Hour

	collFileLogs = "fileLogs"
)

// fileActions are some of the page's, with the words that it has for them.
var fileActions = []struct {
	code int
	view string
}{{0, "上传文件"}, {2, "下载文件"}, {3, "预览文件"}, {6, "重命名文件"}}

// fileLogs are one every ten days from everybody.
func (t *tenant) fileLogs() core.Dataset {
	return core.Dataset{
		Name: collFileLogs, Salt: "file log", Every: 10, Hours: []int{14},
		Show: t.fileLog,
		Stamp: func(o map[string]any) (time.Time, string) {
			return millis(o, "gmtCreate"), word(o, "userId")
		},
	}
}

// fileLog is a record. The page calls bizId the id of a file and pages by it as if it
// were the record's; here every record has its own (?).
func (t *tenant) fileLog(r core.Record) map[string]any {
	name, _ := t.whoIs(r.Person)
	action := fileActions[r.Draw>>8%uint64(len(fileActions))]
	return map[string]any{
		"bizId": r.ID(), "userId": r.Person, "operatorName": name, "realName": name, "orgName": t.spec.Title,
		"action": action.code, "actionView": action.view, "status": 0, "platform": 11, "platformView": "WIN",
		"resource": "文件" + r.ID()[9:13], "resourceExtension": "pdf", "resourceSize": int64(r.Draw % 900_000),
		"targetSpaceId": int64(8001 + r.Draw%3), "operateModule": 2, "operateModuleView": "企业群",
		"receiverName": "企业空间", "receiverType": 2, "receiverTypeView": "钉盘", "ipAddress": "192.0.2.1",
		"gmtCreate": r.At.UnixMilli(), "gmtModified": r.At.UnixMilli(), "docMemberList": []any{}, "docReceiverList": []any{},
	}
}

// fileLogQuery is what a call asks for: the records after the last one of its page
// before, if there was one.
type fileLogQuery struct {
	start, end time.Time
	size       int
	paged      bool
	after      time.Time
	afterID    string
}

func (q fileLogQuery) wants(r core.Record) bool {
	return !q.paged || cmp.Or(r.At.Compare(q.after), cmp.Compare(r.ID(), q.afterID)) > 0
}

func (s *session) fileLogQuery() (q fileLogQuery, err error) {
	start, given1, err1 := s.args.integer("startDate")
	end, given2, err2 := s.args.integer("endDate")
	size, given3, err3 := s.args.integer("pageSize")
	after, paged, err4 := s.args.integer("nextGmtCreate")
	_, both, err5 := s.args.integer("nextBizId")
	switch {
	case err1 != nil || err2 != nil || err3 != nil || err4 != nil || err5 != nil ||
		!given1 || !given2 || !given3 || size < 1 || end < start || paged != both:
		return q, bad("param.error", "参数错误")
	case size > maxFileLogPage:
		return q, bad("param.invalid", "操作列表长度不能大于500")
	}
	q = fileLogQuery{start: time.UnixMilli(start), end: time.UnixMilli(end), size: int(size), paged: paged, after: time.UnixMilli(after)}
	q.afterID, err = s.args.text("nextBizId")
	return q, err
}

// fileAuditLogs serves GET /v1.0/exclusive/fileAuditLogs, oldest first (?), of the
// exclusive edition only: elsewhere the permission cannot be had (?). A page that is
// not full is the last.
// https://open.dingtalk.com/document/development/obtain-file-operation-records
func (s *session) fileAuditLogs() (map[string]any, error) {
	if !s.spec.Options.Exclusive {
		return nil, denyNew(s.app.AppKey, permFileLogs)
	}
	q, err := s.fileLogQuery()
	if err != nil {
		return nil, err
	}
	rows := s.fileLogPage(q)
	keep, _ := s.call.Rows(len(rows))
	return map[string]any{"list": rows[:keep]}, nil
}

// fileLogPage puts the records in order day by day, so that a page costs no more than
// its days.
func (s *session) fileLogPage(q fileLogQuery) []map[string]any {
	rows := []map[string]any{}
	first, last := later(q.start, s.now.Add(-fileLogMemory)), q.end
	if q.paged {
		first = later(first, q.after)
	}
	if last.After(s.now) {
		last = s.now
	}
	for day := midnight(first); !day.After(last) && len(rows) < q.size; day = day.AddDate(0, 0, 1) {
		var logs []core.Record
		for r := range s.past.Records(s.fileLogs(), s.span(day, day.AddDate(0, 0, 1).Add(-1), nil)) {
			if !r.At.Before(q.start) && !r.At.After(q.end) && q.wants(r) {
				logs = append(logs, r)
			}
		}
		slices.SortFunc(logs, func(a, b core.Record) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID(), b.ID()))
		})
		for _, r := range logs {
			rows = append(rows, r.Object())
		}
	}
	return rows[:min(len(rows), q.size)]
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
