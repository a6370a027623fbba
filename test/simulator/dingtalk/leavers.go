package dingtalk

import (
	"net/http"
	"strconv"
	"time"
)

const (
	maxLeaverPage = 50
	maxLeaverSpan = 365 * 24 * time.Hour
)

type leaverItem struct {
	UserID      string `json:"userId"`
	Name        string `json:"name"`
	StateCode   string `json:"stateCode"`
	Mobile      string `json:"mobile"`
	LeaveTime   string `json:"leaveTime"`
	LeaveReason string `json:"leaveReason"`
}

func (l leaver) item() leaverItem {
	return leaverItem{l.id, l.name, l.mobile.country, l.mobile.number, l.at.UTC().Format(time.RFC3339), l.reason}
}

// leaverQuery is what a call asks for.
type leaverQuery struct {
	start, end time.Time
	from, size int
}

func badLeaverQuery(what string) error {
	return newFault(http.StatusBadRequest, "invalidParameter.param.invalid", "入参错误："+what)
}

func (s *session) leaverQuery() (q leaverQuery, err error) {
	text := func(name string) string {
		v, _ := s.args.text(name) // from a query, so always a text
		return v
	}
	if q.start, err = time.Parse(time.RFC3339, text("startTime")); err != nil {
		return q, badLeaverQuery("startTime")
	}
	q.end = s.now
	if v := text("endTime"); v != "" {
		if q.end, err = time.Parse(time.RFC3339, v); err != nil {
			return q, badLeaverQuery("endTime")
		}
	}
	if span := q.end.Sub(q.start); span < 0 || span > maxLeaverSpan {
		return q, badLeaverQuery("endTime")
	}
	if q.size, err = strconv.Atoi(text("maxResults")); err != nil || q.size < 1 || q.size > maxLeaverPage {
		return q, badLeaverQuery("maxResults")
	}
	if v := text("nextToken"); v != "" {
		if q.from, err = strconv.Atoi(v); err != nil || q.from < 0 {
			return q, badLeaverQuery("nextToken")
		}
	}
	return q, nil
}

// leaveRecords serves /v1.0/contact/empLeaveRecords, the records oldest first (?).
// https://open.dingtalk.com/document/development/query-the-details-of-employees-who-have-left-office
func (s *session) leaveRecords() (map[string]any, error) {
	q, err := s.leaverQuery()
	if err != nil {
		return nil, err
	}
	found := []leaverItem{}
	for _, l := range s.leavers {
		if !l.at.Before(q.start) && !l.at.After(q.end) {
			found = append(found, l.item())
		}
	}
	from := min(q.from, len(found))
	to := min(from+q.size, len(found))
	rows := found[from:to]
	keep, cut := s.call.Rows(len(rows))
	reply := map[string]any{"records": rows[:keep]}
	if to < len(found) && !cut {
		reply["nextToken"] = strconv.Itoa(to)
	}
	return reply, nil
}
