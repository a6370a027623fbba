package dingtalk

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/directory"
)

// approvals reads all forms, and what was ever decided on each.
func (x *export) approvals(ctx context.Context) error {
	var codes []string
	err := pages(&opForms, func(token string) (text, error) {
		page, err := get[struct {
			Result struct {
				Forms many[written[struct {
					Code text `json:"processCode"`
				}]] `json:"processList"`
				Next text `json:"nextToken"`
			} `json:"result"`
		}](ctx, x.wire, &opForms, url.Values{"maxResults": {strconv.Itoa(formPage)}, "nextToken": {orZero(token)}})
		for _, f := range page.Result.Forms {
			if err == nil {
				err = x.thing(&opForms, "forms", string(f.is.Code), f.raw)
			}
			codes = append(codes, string(f.is.Code))
		}
		return page.Result.Next, err
	})
	if err != nil {
		return err
	}
	people := [][]string{nil}
	if x.scope.Accounts != nil {
		people = slices.Collect(slices.Chunk(x.scope.Accounts, approvalPeople))
	}
	windows := x.span("instances", approvalReach).windows(approvalWindow)
	return inParallel(ctx, len(codes), func(ctx context.Context, i int) error {
		for _, w := range windows {
			for _, some := range people {
				if err := x.instances(ctx, codes[i], some, w, &idSet{}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func orZero(token string) string {
	if token == "" {
		return "0"
	}
	return token
}

// instances reads what was begun on a form in a window. Where there is more than
// DingTalk lists, it tries again with each half of the window.
func (x *export) instances(ctx context.Context, form string, people []string, w window, seen *idSet) error {
	listed, more := 0, false
	err := pages(&opInstanceIDs, func(token string) (text, error) {
		body := map[string]any{
			"processCode": form, "startTime": w.from.UnixMilli(), "endTime": w.to.UnixMilli() - 1,
			"nextToken": cursor(token), "maxResults": approvalPage,
		}
		if people != nil {
			body["userIds"] = people
		}
		page, err := post[struct {
			Result struct {
				IDs  many[text] `json:"list"`
				Next text       `json:"nextToken"`
			} `json:"result"`
		}](ctx, x.wire, x.wire.newer, &opInstanceIDs, nil, body)
		if err != nil {
			return "", err
		}
		fresh := slices.DeleteFunc(slices.Clone(page.Result.IDs), func(id text) bool { return !seen.add(string(id)) })
		err = inParallel(ctx, len(fresh), func(ctx context.Context, i int) error {
			return x.instance(ctx, form, string(fresh[i]))
		})
		if listed += len(page.Result.IDs); listed >= approvalMost && page.Result.Next != "" {
			more = true
			return "", err
		}
		return page.Result.Next, err
	})
	if err != nil || !more {
		return err
	}
	half := w.to.Sub(w.from) / 2
	if half < time.Minute {
		x.gap("instances", directory.NotSupported, "DingTalk lists %d instances of a form at most, and one has more within two minutes", approvalMost)
		return nil
	}
	for _, w := range w.windows(half + 1) {
		if err := x.instances(ctx, form, people, w, seen); err != nil {
			return err
		}
	}
	return nil
}

// instance emits one approval. One that was deleted since it was listed is not there.
func (x *export) instance(ctx context.Context, form, id string) error {
	a, err := get[struct {
		Result json.RawMessage `json:"result"`
	}](ctx, x.wire, &opInstance, url.Values{"processInstanceId": {id}})
	switch {
	case directory.ClassOf(err) == directory.NotFound:
		return nil
	case err != nil:
		return err
	case len(a.Result) == 0:
		return incomplete(&opInstance, "it has no result")
	}
	return x.thing(&opInstance, "instances", id, answers(map[string]json.RawMessage{
		"processCode": encoded(form), "processInstanceId": encoded(id), "processInstance": a.Result,
	}))
}

// attendance reads results and punches of everybody.
func (x *export) attendance(ctx context.Context) error {
	ids, err := x.people(ctx)
	if err != nil {
		return err
	}
	groups := slices.Collect(slices.Chunk(ids, attendancePeople))
	span := x.span("", attendanceReach)
	// Results are by the day, so windows begin at midnight and none has a day of another.
	y, m, d := span.from.In(chinaStandardTime).Date()
	windows := window{time.Date(y, m, d, 0, 0, 0, 0, chinaStandardTime), span.to}.windows(attendanceWindow)
	over := func(read func(context.Context, []string, window) error) func(context.Context) error {
		return func(ctx context.Context) error {
			return inParallel(ctx, len(groups), func(ctx context.Context, i int) error {
				for _, w := range windows {
					if err := read(ctx, groups[i], w); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	return x.parts(ctx, part{"results", over(x.results)}, part{"punches", over(func(ctx context.Context, people []string, w window) error {
		if w.from.Before(span.from) {
			w.from = span.from
		}
		return x.punches(ctx, people, w)
	})})
}

// clockIns is an answer of both attendance calls.
type clockIns struct {
	Records many[written[struct {
		ID text `json:"id"`
	}]] `json:"recordresult"`
	More boolean `json:"hasMore"`
}

func chinaTime(t time.Time) string { return t.In(chinaStandardTime).Format(time.DateTime) }

func (x *export) results(ctx context.Context, people []string, w window) error {
	seen := &idSet{}
	for offset := 0; ; offset += attendancePage {
		page, err := post[clockIns](ctx, x.wire, x.wire.older, &opResults, nil, map[string]any{
			"workDateFrom": chinaTime(w.from), "workDateTo": chinaTime(w.to.Add(-time.Second)),
			"userIdList": people, "offset": offset, "limit": attendancePage,
		})
		if err != nil {
			return err
		}
		before := seen.len()
		if err := x.clockIns(&opResults, "results", page, seen); err != nil || !page.More {
			return err
		}
		if seen.len() == before {
			return incomplete(&opResults, "there are more pages, and this one has nothing new")
		}
	}
}

func (x *export) punches(ctx context.Context, people []string, w window) error {
	page, err := post[clockIns](ctx, x.wire, x.wire.older, &opPunches, nil, map[string]any{
		"checkDateFrom": chinaTime(w.from), "checkDateTo": chinaTime(w.to.Add(-time.Second)), "userIds": people,
	})
	if err != nil {
		return err
	}
	return x.clockIns(&opPunches, "punches", page, &idSet{})
}

func (x *export) clockIns(op *operation, part string, page clockIns, seen *idSet) error {
	for _, r := range page.Records {
		if seen.add(string(r.is.ID)) {
			if err := x.thing(op, part, string(r.is.ID), r.raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// report is what we look at in a report.
type report struct {
	ID       text            `json:"report_id"`
	Contents json.RawMessage `json:"contents"`
}

// cut reports whether a text of it is as long as DingTalk shows, and so may go on.
func (r *report) cut() bool {
	var contents many[struct {
		Value text `json:"value"`
	}]
	if json.Unmarshal(r.Contents, &contents) != nil {
		return false // other forms have no such texts
	}
	for _, c := range contents {
		if utf8.RuneCountInString(string(c.Value)) >= reportText {
			return true
		}
	}
	return false
}

// reports reads what people wrote of their days and weeks.
func (x *export) reports(ctx context.Context) error {
	windows := x.span("reports", 0).windows(reportWindow)
	cut := &idSet{}
	err := x.each(ctx, func(ctx context.Context, person string) error {
		for _, w := range windows {
			if err := x.reportsOf(ctx, person, w, cut); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && cut.len() > 0 {
		x.gap("reports", directory.NotSupported, "DingTalk cuts texts at %d characters, which %d reports reach", reportText, cut.len())
	}
	return err
}

func (x *export) reportsOf(ctx context.Context, person string, w window, cut *idSet) error {
	return pages(&opReports, func(token string) (text, error) {
		body := map[string]any{
			"start_time": w.from.UnixMilli(), "end_time": w.to.UnixMilli() - 1, "cursor": cursor(token), "size": reportPage,
		}
		if person != "" {
			body["userid"] = person
		}
		page, err := ask[struct {
			List many[written[report]] `json:"data_list"`
			More boolean               `json:"has_more"`
			Next text                  `json:"next_cursor"`
		}](ctx, x.wire, &opReports, body)
		for _, r := range page.List {
			if err == nil {
				err = x.thing(&opReports, "reports", string(r.is.ID), r.raw)
			}
			if r.is.cut() {
				cut.add(string(r.is.ID))
			}
		}
		return after(&opReports, page.More, page.Next, err)
	})
}

// roster reads who works here, what the personnel module keeps of them, who left and why.
func (x *export) roster(ctx context.Context) error {
	return x.parts(ctx, part{"on-job", x.onJob}, part{"fields", x.fields}, part{"dismissals", x.dismissals}, part{"leavers", x.leavers})
}

// fields reads all fields of the roster that the app may see.
func (x *export) fields(ctx context.Context) error {
	if x.agent == "" {
		return unsupported(&opRosterFields, "the roster's fields are read with the AgentId of the app: add the key "+keyAgentID+" to the credentials Secret")
	}
	ids, err := x.people(ctx)
	if err != nil {
		return err
	}
	groups := slices.Collect(slices.Chunk(ids, fieldPeople))
	return inParallel(ctx, len(groups), func(ctx context.Context, i int) error {
		a, err := post[struct {
			Result many[written[struct {
				UserID text `json:"userId"`
			}]] `json:"result"`
		}](ctx, x.wire, x.wire.newer, &opRosterFields, nil, map[string]any{"userIdList": groups[i], "appAgentId": cursor(x.agent)})
		for _, r := range a.Result {
			if err == nil {
				err = x.thing(&opRosterFields, "fields", string(r.is.UserID), r.raw)
			}
		}
		return err
	})
}

// onJob asks state by state, because the answer has ids and nothing else.
func (x *export) onJob(ctx context.Context) error {
	for _, status := range []string{"2", "3", "5", "-1"} {
		err := pages(&opOnJob, func(token string) (text, error) {
			page, err := ask[struct {
				IDs  many[text] `json:"data_list"`
				Next text       `json:"next_cursor"`
			}](ctx, x.wire, &opOnJob, map[string]any{"status_list": status, "offset": cursor(token), "size": rosterPage})
			for _, id := range page.IDs {
				if err == nil && x.wants(id) {
					err = x.thing(&opOnJob, "on-job", string(id), answers(map[string]json.RawMessage{
						"status": encoded(status), "userid": encoded(string(id)),
					}))
				}
			}
			return page.Next, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *export) dismissals(ctx context.Context) error {
	if x.scope.Accounts != nil {
		for some := range slices.Chunk(x.scope.Accounts, rosterPage) {
			if err := x.dismissalsOf(ctx, some); err != nil {
				return err
			}
		}
		return nil
	}
	return pages(&opDismissed, func(token string) (text, error) {
		page, err := get[struct {
			IDs  many[string] `json:"userIdList"`
			More boolean      `json:"hasMore"`
			Next text         `json:"nextToken"`
		}](ctx, x.wire, &opDismissed, url.Values{"nextToken": {orZero(token)}, "maxResults": {strconv.Itoa(rosterPage)}})
		if err == nil && len(page.IDs) > 0 {
			err = x.dismissalsOf(ctx, page.IDs)
		}
		return after(&opDismissed, page.More, page.Next, err)
	})
}

// dismissalsOf writes the list as JSON, as the vendor's SDKs do
// (alibabacloud-go/dingtalk, hrm_1_0).
func (x *export) dismissalsOf(ctx context.Context, people []string) error {
	a, err := get[struct {
		Result many[written[struct {
			UserID text `json:"userId"`
		}]] `json:"result"`
	}](ctx, x.wire, &opDismissals, url.Values{"userIdList": {string(encoded(people))}})
	for _, r := range a.Result {
		if err == nil {
			err = x.thing(&opDismissals, "dismissals", string(r.is.UserID), r.raw)
		}
	}
	return err
}

func (x *export) leavers(ctx context.Context) error {
	for _, w := range x.span("leavers", 0).windows(leaveWindow) {
		err := pages(&opLeavers, func(token string) (text, error) {
			page, err := get[struct {
				Records many[written[struct {
					UserID text `json:"userId"`
					Time   text `json:"leaveTime"`
				}]] `json:"records"`
				Next text `json:"nextToken"`
			}](ctx, x.wire, &opLeavers, url.Values{
				"startTime": {w.from.UTC().Format(time.RFC3339)}, "endTime": {w.to.Add(-time.Second).UTC().Format(time.RFC3339)},
				"nextToken": {orZero(token)}, "maxResults": {strconv.Itoa(rosterPage)},
			})
			for _, r := range page.Records {
				if err == nil && x.wants(r.is.UserID) {
					err = x.thing(&opLeavers, "leavers", string(r.is.UserID+"/"+r.is.Time), r.raw)
				}
			}
			return page.Next, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// calendars reads the main calendar of each person. An event comes once for each
// who has it: their answers differ.
func (x *export) calendars(ctx context.Context) error {
	ids, err := x.people(ctx)
	if err != nil {
		return err
	}
	windows := []window{{to: x.scope.To}}
	if !x.scope.From.IsZero() {
		windows = x.span("events", 0).windows(calendarWindow)
	}
	return inParallel(ctx, len(ids), func(ctx context.Context, i int) error {
		union, err := x.unionID(ctx, ids[i])
		if err != nil || union == "" {
			return err
		}
		for _, w := range windows {
			if err := x.events(ctx, ids[i], union, w); err != nil {
				return err
			}
		}
		return nil
	})
}

func (x *export) events(ctx context.Context, person, union string, w window) error {
	op, seen := opEvents.at(union), &idSet{}
	query := url.Values{"maxResults": {strconv.Itoa(calendarPage)}, "maxAttendees": {strconv.Itoa(calendarPage)}}
	if !w.from.IsZero() {
		query.Set("timeMin", w.from.UTC().Format(time.RFC3339))
	}
	if !w.to.IsZero() {
		query.Set("timeMax", w.to.Add(-time.Second).UTC().Format(time.RFC3339))
	}
	return pages(op, func(token string) (text, error) {
		if token != "" {
			query.Set("nextToken", token)
		}
		page, err := get[struct {
			List many[written[struct {
				ID text `json:"id"`
			}]] `json:"events"`
			Next text `json:"nextToken"`
		}](ctx, x.wire, op, query)
		for _, e := range page.List {
			if err == nil && seen.add(string(e.is.ID)) {
				err = x.thing(op, "events", person+"/"+string(e.is.ID), e.raw)
			}
		}
		return page.Next, err
	})
}
