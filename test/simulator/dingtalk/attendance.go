package dingtalk

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxAttendanceUsers = 50
	maxAttendancePage  = 50
	maxAttendanceSpan  = 7 * 24 * time.Hour
	punchMemory        = 180 * 24 * time.Hour

	wireTime = "2006-01-02 15:04:05"
)

// The collections of what a history makes.
const (
	collPunches   = "punches"
	collApprovals = "approvals"
	collReports   = "reports"
)

// span is the range of a call over the past. No people: everybody's.
func (t *tenant) span(from, to time.Time, people []string) core.Range {
	return core.Range{
		History: t.spec.Options.History, Began: t.began, Now: t.clock.Now(), From: from, To: to,
		View: t.journal.Now(), People: people,
		All: func(yield func(string) bool) {
			for id := range t.users.All(core.Live) {
				if !yield(id) {
					return
				}
			}
		},
	}
}

// always is the range of everything so far.
func (t *tenant) always() core.Range { return t.span(time.Time{}, t.clock.Now(), nil) }

// millis reads a time in milliseconds from an object made by hand.
func millis(object map[string]any, name string) time.Time {
	switch v := object[name].(type) {
	case json.Number:
		n, _ := v.Int64() // what is no number is long ago
		return time.UnixMilli(n)
	case int64:
		return time.UnixMilli(v)
	}
	return time.Time{}
}

func word(object map[string]any, name string) string {
	s, _ := object[name].(string)
	return s
}

// punches are two a working day: coming and going.
func (t *tenant) punches() core.Dataset {
	return core.Dataset{
		Name: collPunches, Salt: "punch", Every: 1, Hours: []int{8, 18},
		Show: t.punch,
		Stamp: func(o map[string]any) (time.Time, string) {
			return millis(o, "userCheckTime"), word(o, "userId")
		},
	}
}

func midnight(at time.Time) time.Time {
	y, m, d := at.In(core.Local).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, core.Local)
}

// punch is an entry of listRecord. From nine on somebody is late.
// https://open.dingtalk.com/document/development/attendance-clock-in-record-is-open
func (t *tenant) punch(r core.Record) map[string]any {
	kind, base, result := "OnDuty", 9*time.Hour, "Normal"
	if r.Part == 1 {
		kind, base = "OffDuty", 18*time.Hour
	}
	day := midnight(r.At)
	planned := day.Add(base)
	if r.Part == 0 && r.At.After(planned) {
		result = "Late"
	}
	return map[string]any{
		"id": int64(r.Draw % 900_000_000_000), "userId": r.Person, "corpId": t.spec.CorpID, "checkType": kind,
		"timeResult": result, "locationResult": "Normal", "isLegal": "Y", "sourceType": "USER", "locationMethod": "MAP",
		"userCheckTime": r.At.UnixMilli(), "baseCheckTime": planned.UnixMilli(), "planCheckTime": planned.UnixMilli(),
		"workDate": day.UnixMilli(), "gmtCreate": r.At.UnixMilli(), "gmtModified": r.At.UnixMilli(),
		"groupId": int64(685_935_028), "classId": int64(677_995_086), "planId": int64(r.Draw % 900_000_000_000),
		"userAddress": "浙江省杭州市", "deviceId": strconv.FormatUint(r.Draw%1_000_000_007, 16),
	}
}

// attendanceQuery reads people and times. Who is not known has no rows, as both
// pages say. How wrong parameters are refused is not documented; 40035 is the
// global code for them (?).
func (s *session) attendanceQuery(people, from, to string) (users []string, start, end time.Time, err error) {
	if users, err = s.args.list(people); err != nil || len(users) == 0 || len(users) > maxAttendanceUsers {
		return nil, start, end, refuse(codeParam)
	}
	text1, err1 := s.args.text(from)
	text2, err2 := s.args.text(to)
	if err1 != nil || err2 != nil {
		return nil, start, end, refuse(codeParam)
	}
	start, err1 = time.ParseInLocation(wireTime, text1, core.Local)
	end, err2 = time.ParseInLocation(wireTime, text2, core.Local)
	if err1 != nil || err2 != nil || end.Before(start) {
		return nil, start, end, refuse(codeParam)
	}
	users = slices.DeleteFunc(users, func(id string) bool {
		u, ok := s.users.Get(id, s.at)
		return !ok || !s.seesUser(u)
	})
	return users, start, end, nil
}

// attendanceResults serves /attendance/list: whole days, of the last six months.
// Days before that are not served; that they are left out rather than refused is
// not documented (?).
// https://open.dingtalk.com/document/development/open-attendance-clock-in-data
func (s *session) attendanceResults() (map[string]any, error) {
	users, start, end, err := s.attendanceQuery("userIdList", "workDateFrom", "workDateTo")
	if err != nil {
		return nil, err
	}
	start, end = midnight(start), midnight(end)
	offset, given1, err1 := s.args.integer("offset")
	limit, given2, err2 := s.args.integer("limit")
	if err1 != nil || err2 != nil || !given1 || !given2 || offset < 0 || limit < 1 || limit > maxAttendancePage ||
		end.Sub(start) > maxAttendanceSpan {
		return nil, refuse(codeParam)
	}
	if oldest := midnight(s.now.AddDate(0, -6, 0)); start.Before(oldest) {
		start = oldest
	}
	var all []map[string]any
	for r := range s.past.Records(s.punches(), s.span(start, end.Add(24*time.Hour-time.Millisecond), users)) {
		all = append(all, result(r.Object()))
	}
	from := min(offset, int64(len(all)))
	to := min(from+limit, int64(len(all)))
	rows := append([]map[string]any{}, all[from:to]...)
	keep, cut := s.call.Rows(len(rows))
	return map[string]any{"recordresult": rows[:keep], "hasMore": to < int64(len(all)) && !cut}, nil
}

// result is what attendance/list shows of a punch.
func result(punch map[string]any) map[string]any {
	row := map[string]any{"recordId": punch["id"]}
	for _, name := range []string{
		"id", "userId", "checkType", "timeResult", "locationResult", "sourceType", "userCheckTime", "baseCheckTime",
		"workDate", "groupId", "planId",
	} {
		if v, ok := punch[name]; ok {
			row[name] = v
		}
	}
	return row
}

// punchRecords serves /attendance/listRecord: punches between two moments, all at
// once. That older ones than 180 days are left out rather than refused is not
// documented (?).
// https://open.dingtalk.com/document/development/attendance-clock-in-record-is-open
func (s *session) punchRecords() (map[string]any, error) {
	users, start, end, err := s.attendanceQuery("userIds", "checkDateFrom", "checkDateTo")
	if err != nil {
		return nil, err
	}
	if end.Sub(start) > maxAttendanceSpan {
		return nil, refuse(codeParam)
	}
	if oldest := s.now.Add(-punchMemory); start.Before(oldest) {
		start = oldest
	}
	rows := []map[string]any{}
	for r := range s.past.Records(s.punches(), s.span(start, end, users)) {
		rows = append(rows, r.Object())
	}
	keep, _ := s.call.Rows(len(rows))
	return map[string]any{"recordresult": rows[:keep]}, nil
}
