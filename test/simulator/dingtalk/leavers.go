package dingtalk

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxLeaverPage    = 50
	maxLeaverSpan    = 365 * 24 * time.Hour
	maxDismissedPage = 50
	dismissedPage    = 30 // unless a call says otherwise
	maxDismissed     = 50

	collDismissions = "dismissions"
)

// The states of a dismission.
const (
	hasLeft = 2
	isHere  = 3
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

// left is the leaving as the control endpoint shows it.
func (l leaver) left() core.Left {
	return core.Left{ID: l.id, Time: l.at, By: l.by, Credential: l.credential, HandedOver: orEmpty(l.handed)}
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
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

// dismissals are what Smart-HR knows of those who left, newest record of each. Who was
// removed from the contacts has no reason there, and who is back is not among them (?).
func (t *tenant) dismissals() []map[string]any {
	var list []map[string]any
	seen := map[string]bool{}
	for _, l := range slices.Backward(t.leavers) {
		if _, back := t.users.Get(l.id, core.Live); back || seen[l.id] {
			continue
		}
		seen[l.id] = true
		o := map[string]any{
			"userId": l.id, "lastWorkDay": cmp.Or(l.terms.lastDay, midnight(l.at).UnixMilli()), "status": hasLeft, "preStatus": 3,
			"deptList": l.depts, "mainDeptId": l.depts[0].ID, "mainDeptName": l.depts[0].name, "reasonMemo": l.terms.memo,
			"voluntaryReason": orEmpty(l.terms.voluntary), "passiveReason": orEmpty(l.terms.passive),
		}
		if l.terms.successor != "" {
			o["handoverUserId"] = l.terms.successor
		}
		list = append(list, o)
	}
	slices.Reverse(list)
	return list
}

// leftDept is a department that somebody left.
type leftDept struct {
	Path string `json:"dept_path"`
	ID   int64  `json:"dept_id"`
	name string
}

// leftDepts are those of a user, the main one first. A path has no root, unless that
// is all there is of it (?).
func (t *tenant) leftDepts(u *user) []leftDept {
	var list []leftDept
	for _, m := range u.depts {
		var names []string
		for _, id := range t.pathAt(m.dept, core.Live) {
			if d, ok := t.depts.Get(key(id), core.Live); ok && (id != rootDept || m.dept == rootDept) {
				names = append(names, d.name)
			}
		}
		slices.Reverse(names)
		left := leftDept{Path: strings.Join(names, "-"), ID: m.dept}
		if len(names) > 0 {
			left.name = names[len(names)-1]
		}
		if m.main {
			list = slices.Insert(list, 0, left)
		} else {
			list = append(list, left)
		}
	}
	return list
}

// smartHR refuses where Smart-HR is not opened. The page of dimissionInfos has the
// code, that of dismissions has none (?).
func (s *session) smartHR() error {
	if !s.spec.Options.SmartHR {
		return bad("corpNotOpenHrm", "企业未开通通智能人事")
	}
	return nil
}

// dismissedUsers serves GET /v1.0/hrm/employees/dismissions.
// https://open.dingtalk.com/document/development/obtain-the-list-of-employees-who-have-left
func (s *session) dismissedUsers() (map[string]any, error) {
	if err := s.smartHR(); err != nil {
		return nil, err
	}
	from, _, err1 := s.args.integer("nextToken")
	size, given, err2 := s.args.integer("maxResults")
	if !given {
		size = dismissedPage
	}
	if err1 != nil || err2 != nil || from < 0 || size < 1 || size > maxDismissedPage {
		return nil, bad("invalidParameter", "参数错误")
	}
	left := []string{}
	for _, o := range s.shelf(collDismissions) {
		if n := fmt.Sprint(o["status"]); n == strconv.Itoa(hasLeft) { // a number of either kind
			left = append(left, word(o, "userId"))
		}
	}
	total := int64(len(left))
	from = min(from, total)
	to := min(from+size, total)
	keep, cut := s.call.Rows(int(to - from))
	reply := map[string]any{"userIdList": left[from:to][:keep], "hasMore": to < total && !cut}
	if to < total && !cut {
		reply["nextToken"] = to
	}
	return reply, nil
}

// dismissionInfos serves GET /v1.0/hrm/employees/dimissionInfos [sic]. Who has not left
// is shown as such, and who is not known left out (?).
// https://open.dingtalk.com/document/development/obtain-resignation-information-of-employees-new-version
func (s *session) dismissionInfos() (map[string]any, error) {
	if err := s.smartHR(); err != nil {
		return nil, err
	}
	users, err := s.args.list("userIdList")
	if err != nil || len(users) == 0 || len(users) > maxDismissed {
		return nil, bad("invalidParameter", "员工 id列表大小不在[1,50]范围")
	}
	found := []map[string]any{}
	left := s.shelf(collDismissions)
	for _, id := range users {
		if i := slices.IndexFunc(left, func(o map[string]any) bool { return o["userId"] == id }); i >= 0 {
			found = append(found, left[i])
		} else if _, here := s.users.Get(id, s.at); here {
			found = append(found, map[string]any{"userId": id, "status": isHere})
		}
	}
	return map[string]any{"result": found}, nil
}
