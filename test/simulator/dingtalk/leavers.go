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

// leaveRecords serves /v1.0/contact/empLeaveRecords, the records oldest first (?).
// https://open.dingtalk.com/document/development/query-the-details-of-employees-who-have-left-office
func (s *session) leaveRecords() (map[string]any, error) {
	bad := func(what string) error {
		return newFault(http.StatusBadRequest, "invalidParameter.param.invalid", "入参错误："+what)
	}
	text := func(name string) string {
		v, _ := s.args.text(name) // from a query, so always a text
		return v
	}
	start, err := time.Parse(time.RFC3339, text("startTime"))
	if err != nil {
		return nil, bad("startTime")
	}
	end := s.now
	if v := text("endTime"); v != "" {
		if end, err = time.Parse(time.RFC3339, v); err != nil {
			return nil, bad("endTime")
		}
	}
	if span := end.Sub(start); span < 0 || span > maxLeaverSpan {
		return nil, bad("endTime")
	}
	size, err := strconv.Atoi(text("maxResults"))
	if err != nil || size < 1 || size > maxLeaverPage {
		return nil, bad("maxResults")
	}
	from := 0
	if v := text("nextToken"); v != "" {
		if from, err = strconv.Atoi(v); err != nil || from < 0 {
			return nil, bad("nextToken")
		}
	}
	found := []leaverItem{}
	for _, l := range s.leavers {
		if !l.at.Before(start) && !l.at.After(end) {
			found = append(found, l.item())
		}
	}
	from = min(from, len(found))
	to := min(from+size, len(found))
	rows := found[from:to]
	keep, cut := s.call.Rows(len(rows))
	reply := map[string]any{"records": rows[:keep]}
	if to < len(found) && !cut {
		reply["nextToken"] = strconv.Itoa(to)
	}
	return reply, nil
}
