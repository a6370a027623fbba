package dingtalk

import (
	"errors"
	"slices"
	"time"
)

// Of https://help.dingtalk.io/open/development/queries-the-inactive-users-or-active-users-under-an-enterprise
const (
	activityDays = 30 // how far back it tells: a month
	activityHour = 9  // when yesterday is complete
	activityPage = 100
)

// activeUsers serves /topapi/inactive/user/v2/get: who was active on a day, or who was
// not. Here that is everybody who has activated the account and whom nobody has disabled.
// What is answered for a day too early, too late or not finished is not documented: nobody,
// of either (?).
// https://open.dingtalk.com/document/development/queries-the-inactive-users-or-active-users-under-an-enterprise
func (s *session) activeUsers() (map[string]any, error) {
	q, err := s.activityQuery()
	if err != nil {
		return nil, err
	}
	list := []string{}
	if s.told(q.day) {
		for _, u := range s.users.All(s.at) {
			in := len(q.depts) == 0 || slices.ContainsFunc(u.depts, func(m membership) bool { return slices.Contains(q.depts, m.dept) })
			if in && (u.active && !u.disabled) == q.active {
				list = append(list, u.id)
			}
		}
	}
	total := int64(len(list))
	from := min(q.offset, total)
	to := min(from+q.size, total)
	keep, cut := s.call.Rows(int(to - from))
	result := map[string]any{"has_more": to < total && !cut, "list": list[from:to][:keep]}
	if to < total {
		result["next_cursor"] = to
	}
	return map[string]any{"result": result}, nil
}

// activityQuery is what a call of activeUsers asks.
type activityQuery struct {
	active       bool
	offset, size int64
	depts        []int64
	day          time.Time
}

func (s *session) activityQuery() (q activityQuery, err error) {
	active, err1 := s.args.flag("is_active")
	offset, given1, err2 := s.args.integer("offset")
	size, given2, err3 := s.args.integer("size")
	depts, err4 := s.args.ids("dept_ids")
	date, err5 := s.args.text("query_date")
	day, err6 := time.ParseInLocation("20060102", date, china)
	bad := errors.Join(err1, err2, err3, err4, err5, err6) != nil
	if bad || !s.args.has("is_active") || !given1 || !given2 || offset < 0 || size < 1 || size > activityPage {
		return q, refuse(codeParam)
	}
	return activityQuery{active, offset, size, depts, day}, nil
}

// told reports whether the platform tells of a day by now.
func (s *session) told(day time.Time) bool {
	now := s.clock.Now().In(china)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, china)
	last := today.AddDate(0, 0, -1)
	if now.Hour() < activityHour {
		last = last.AddDate(0, 0, -1)
	}
	return !day.After(last) && !day.Before(today.AddDate(0, 0, -activityDays))
}
