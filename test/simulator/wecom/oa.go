package wecom

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxApprovalSpan = 31 * 24 * time.Hour
	maxApprovalPage = 100
	maxCheckinSpan  = 30 * 24 * time.Hour
	maxCheckinUsers = 100
	maxReportPage   = 100
	maxLogMemory    = 180 * 24 * time.Hour
	maxLogSpan      = 7 * 24 * time.Hour
	maxLogPage      = 400
)

func oaEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"oa/getapprovalinfo": {do: approvalNumbers, access: appOnly, body: true, listing: true,
			defaults: []string{"sp_no_list"}},
		"oa/getapprovaldetail": {do: approvalDetail, access: appOnly, body: true, subject: "sp_no"},
		"checkin/getcheckindata": {do: checkinData, access: appOnly, body: true, listing: true,
			defaults: []string{"checkindata"}},
		"oa/journal/get_record_list": {do: reportNumbers, access: appOnly, body: true, listing: true,
			defaults: []string{"journaluuid_list"}},
		"oa/journal/get_record_detail": {do: reportDetail, access: appOnly, body: true, subject: "journaluuid"},
		"security/admin_oper_log/list": {do: adminLog, access: appOnly, body: true, listing: true,
			defaults: []string{"record_list"}},
		"security/member_oper_log/list": {do: memberLog, access: appOnly, body: true, listing: true,
			defaults: []string{"record_list"}},
	}
}

// form is an approval form.
type approvalForm struct{ id, name string }

var forms = []approvalForm{
	{"3TmSimForm0001", "请假"}, {"3TmSimForm0002", "报销"}, {"3TmSimForm0003", "出差"},
}

// approval is the info of getapprovaldetail (91983). It is in progress for two
// days; then one in eight was refused or taken back.
func (t *tenant) approval(form approvalForm, r core.Record, now time.Time) map[string]any {
	status := 2
	switch {
	case now.Sub(r.At) < 48*time.Hour:
		status = 1
	case r.Draw>>8%16 == 0:
		status = 4
	case r.Draw>>8%16 == 1:
		status = 3
	}
	party := strconv.Itoa(rootID)
	if u, ok := t.user(r.Person, core.Live); ok {
		party = strconv.Itoa(u.MainDepartment)
	}
	return map[string]any{
		"sp_no": r.ID(), "sp_name": form.name, "sp_status": status, "template_id": form.id, "apply_time": r.At.Unix(),
		"applyer": map[string]any{"userid": r.Person, "partyid": party}, "sp_record": []any{}, "notifyer": []any{},
		"apply_data": map[string]any{"contents": []any{map[string]any{
			"control": "Text", "id": "Text-1", "title": []any{map[string]any{"text": "事由", "lang": "zh_CN"}},
			"value": map[string]any{"text": form.name + "第" + r.ID() + "号", "tips": []any{}, "members": []any{}, "files": []any{}},
		}}},
		"comments": []any{},
	}
}

// filter is one of filters of getapprovalinfo and get_record_list.
type filter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// approvalNumbers lists numbers (91816). The app sees what visible members filed, so
// a page may be short though there are more. What is wrong with the parameters is
// 301025; a window with more approvals than Options.MaxApprovals is 301112, for which
// the page gives no number. A filter by somebody who has left is 301055.
func approvalNumbers(x *exchange) (fields, *failure) {
	if f := x.allowed(productApproval, 301055); f != nil {
		return nil, f
	}
	from, ok1 := x.unix("starttime")
	to, ok2 := x.unix("endtime")
	size, s1 := read[int](x.form, "size")
	if s1 == absent {
		size = maxApprovalPage
	}
	filters, s2 := read[[]filter](x.form, "filters")
	if !ok1 || !ok2 || !to.After(from) || to.Sub(from) > maxApprovalSpan || s1 == wrong || s2 == wrong ||
		size < 1 || size > maxApprovalPage {
		return nil, fail(301025)
	}
	start, ok := x.offset("new_cursor")
	if !ok {
		return nil, fail(301025)
	}
	people, f := x.creators(filters)
	if f != nil {
		return nil, f
	}
	now := x.now
	var records []core.Record
	sets := x.tenant.datasets(collApprovals, now)
	for i, d := range sets {
		for r := range x.tenant.past.Records(d, x.tenant.span(from, to, now, people)) {
			if (i == 0 || !r.ByHand()) && approved(r, d.Salt, filters) {
				records = append(records, r)
			}
		}
	}
	if limit := x.tenant.spec.Options.MaxApprovals; limit > 0 && len(records) > limit {
		return nil, fail(301112)
	}
	sees := x.seesPerson()
	list := []string{}
	begin := min(start, len(records))
	end := min(begin+size, len(records))
	for _, r := range records[begin:end] {
		if sees(r.Person) {
			list = append(list, r.ID())
		}
	}
	keep, cut := x.call.Rows(len(list))
	body := fields{"sp_no_list": list[:keep]}
	if end < len(records) && !cut {
		body["new_next_cursor"] = cursorOf(end)
	}
	return body, nil
}

// approved tells whether an approval passes the filters: each kind must, by one of its values.
func approved(r core.Record, form string, filters []filter) bool {
	for _, f := range filters {
		value := ""
		switch f.Key {
		case "template_id":
			if value = form; r.ByHand() {
				value = word(r.Object(), "template_id")
			}
		case "sp_status":
			value = fmt.Sprint(r.Object()["sp_status"])
		case "department":
			inner, _ := r.Object()["applyer"].(map[string]any)
			value = word(inner, "partyid")
		default:
			continue
		}
		same := func(other filter) bool { return other.Key == f.Key && other.Value == value }
		if !slices.ContainsFunc(filters, same) {
			return false
		}
	}
	return true
}

// creators are the people that filters name; none: everybody.
func (x *exchange) creators(filters []filter) ([]string, *failure) {
	var people []string
	for _, f := range filters {
		if f.Key != "creator" {
			continue
		}
		u, ok := x.tenant.user(f.Value, x.view)
		if !ok {
			return nil, fail(301055)
		}
		people = append(people, u.UserID)
	}
	return people, nil
}

// offset and cursorOf read and write an opaque cursor.
func (x *exchange) offset(name string) (int, bool) {
	text, _ := x.form.text(name)
	if text == "" {
		return 0, true
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(string(plain), "at"))
	return n, err == nil && n >= 0
}

func cursorOf(n int) string { return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "at%d", n)) }

// approvalDetail shows one approval (91983).
func approvalDetail(x *exchange) (fields, *failure) {
	if f := x.allowed(productApproval, 301055); f != nil {
		return nil, f
	}
	id, ok := x.form.text("sp_no")
	if !ok || id == "" {
		return nil, fail(301025)
	}
	for _, d := range x.tenant.datasets(collApprovals, x.now) {
		r, ok := x.tenant.past.Record(d, x.tenant.span(time.Time{}, x.now, x.now, nil), id)
		if !ok {
			continue
		}
		if !x.seesPerson()(r.Person) {
			return nil, fail(301055)
		}
		return fields{"info": r.Object()}, nil
	}
	return nil, fail(301025)
}

// checkin is a row of getcheckindata (90262). From nine on somebody is late.
func checkin(r core.Record) map[string]any {
	kind, exception := "上班打卡", ""
	y, m, d := r.At.In(core.Local).Date()
	planned := time.Date(y, m, d, 9, 0, 0, 0, core.Local)
	if r.Part == 1 {
		kind, planned = "下班打卡", planned.Add(9*time.Hour)
	} else if r.At.After(planned) {
		exception = "时间异常"
	}
	return map[string]any{
		"userid": r.Person, "groupname": "打卡一组", "checkin_type": kind, "exception_type": exception,
		"checkin_time": r.At.Unix(), "sch_checkin_time": planned.Unix(), "location_title": "总部", "location_detail": "浙江省杭州市",
		"wifiname": "office", "notes": "", "wifimac": "3c:46:d8:0c:7a:70", "mediaids": []string{}, "groupid": 1, "schedule_id": 0,
		"timeline_id": 1,
	}
}

// checkinData lists checkins of up to 100 members within 30 days (90262). Who is not
// known or not visible has none. 40058 for what is wrong, and 48002 for an app that
// the product does not list, are general codes of 90313.
func checkinData(x *exchange) (fields, *failure) {
	if f := x.allowed(productCheckin, 48002); f != nil {
		return nil, f
	}
	kind, s := read[int](x.form, "opencheckindatatype")
	from, ok1 := x.unix("starttime")
	to, ok2 := x.unix("endtime")
	users, s2 := read[[]string](x.form, "useridlist")
	if s != given || kind < 1 || kind > 3 || !ok1 || !ok2 || to.Before(from) || to.Sub(from) > maxCheckinSpan ||
		s2 != given || len(users) == 0 || len(users) > maxCheckinUsers {
		return nil, fail(40058)
	}
	sees, known := x.seesPerson(), []string{}
	for _, id := range users {
		if u, ok := x.tenant.user(id, x.view); ok && sees(u.UserID) && !slices.Contains(known, u.UserID) {
			known = append(known, u.UserID)
		}
	}
	rows := []map[string]any{}
	for r := range x.tenant.past.Records(x.tenant.datasets(collCheckins, x.now)[0], x.tenant.span(from, to, x.now, known)) {
		outside := word(r.Object(), "checkin_type") == "外出打卡"
		if kind == 3 || outside == (kind == 2) {
			rows = append(rows, r.Object())
		}
	}
	keep, _ := x.call.Rows(len(rows))
	return fields{"checkindata": rows[:keep]}, nil
}

const reportForm = "3TmSimReport01"

// report is the info of get_record_detail (93394).
func report(r core.Record) map[string]any {
	return map[string]any{
		"journal_uuid": r.ID(), "template_id": reportForm, "template_name": "月报", "report_time": r.At.Unix(),
		"submitter": map[string]any{"userid": r.Person}, "receivers": []any{}, "readed_receivers": []any{},
		"apply_data": map[string]any{"contents": []any{map[string]any{
			"control": "Textarea", "id": "Textarea-1", "title": []any{map[string]any{"text": "本月工作", "lang": "zh_CN"}},
			"value": map[string]any{"text": "完成了第" + r.ID()[6:8] + "项计划"},
		}}},
		"comments": []any{},
	}
}

// reportNumbers lists the ids of reports (93393): a month at most, read here as 31
// days. Its cursor is a number.
func reportNumbers(x *exchange) (fields, *failure) {
	if f := x.allowed(productJournal, 48002); f != nil {
		return nil, f
	}
	from, ok1 := x.unix("starttime")
	to, ok2 := x.unix("endtime")
	cursor, s1 := read[int](x.form, "cursor")
	limit, s2 := read[int](x.form, "limit")
	filters, s3 := read[[]filter](x.form, "filters")
	if !ok1 || !ok2 || !to.After(from) || to.Sub(from) > maxApprovalSpan || s1 != given || cursor < 0 || s2 != given ||
		limit < 1 || limit > maxReportPage || s3 == wrong {
		return nil, fail(40058)
	}
	var people []string
	for _, f := range filters {
		if f.Key == "creator" {
			people = append(people, f.Value)
		}
	}
	sees := x.seesPerson()
	list, more, n := []string{}, false, 0
	for r := range x.tenant.past.Records(x.tenant.datasets(collJournals, x.now)[0], x.tenant.span(from, to, x.now, people)) {
		if !sees(r.Person) {
			continue
		}
		if n == cursor+limit {
			more = true
			break
		}
		if n >= cursor {
			list = append(list, r.ID())
		}
		n++
	}
	keep, cut := x.call.Rows(len(list))
	body := fields{"journaluuid_list": list[:keep], "next_cursor": n, "endflag": 1}
	if more && !cut {
		body["endflag"] = 0
	}
	return body, nil
}

// reportDetail shows one report (93394).
func reportDetail(x *exchange) (fields, *failure) {
	if f := x.allowed(productJournal, 48002); f != nil {
		return nil, f
	}
	id, _ := x.form.text("journaluuid")
	r, ok := x.tenant.past.Record(x.tenant.datasets(collJournals, x.now)[0], x.tenant.span(time.Time{}, x.now, x.now, nil), id)
	if !ok || !x.seesPerson()(r.Person) {
		return nil, fail(40058)
	}
	return fields{"info": r.Object()}, nil
}

// adminEntry is a row of the log of the console (100179): what happened to a member.
// Changes made through the API are not in it.
func (t *tenant) adminEntry(r core.Record) map[string]any {
	actor := t.spec.Options.Creator
	if actor == "" {
		actor = r.Person
	}
	return map[string]any{
		"time": r.At.Unix(), "userid": actor, "oper_type": 3, "detail_type": 14, "detail_info": r.Person, "ip": "203.0.113.7",
	}
}

// memberEntry is a row of the log of what members did (100178).
func memberEntry(r core.Record) map[string]any {
	return map[string]any{
		"time": r.At.Unix(), "userid": r.Person, "oper_type": 1, "detail_info": "登录", "ip": "203.0.113.9",
	}
}

func adminLog(x *exchange) (fields, *failure) { return x.operLog(collAdminLog) }

func memberLog(x *exchange) (fields, *failure) { return x.operLog(collMemberLog) }

// operLog reads one of the two logs (100178, 100179).
func (x *exchange) operLog(collection string) (fields, *failure) {
	if f := x.allowed(productLog, 48002); f != nil {
		return nil, f
	}
	from, ok1 := x.unix("start_time")
	to, ok2 := x.unix("end_time")
	limit, s := read[int](x.form, "limit")
	if s == absent {
		limit = maxLogPage
	}
	start, ok3 := x.offset("cursor")
	if !ok1 || !ok2 || !ok3 || to.Before(from) || to.Sub(from) > maxLogSpan || x.now.Sub(from) > maxLogMemory ||
		s == wrong || limit < 1 || limit > maxLogPage {
		return nil, fail(40058)
	}
	kind, byKind := read[int](x.form, "oper_type")
	user, _ := x.form.text("userid")
	rows, more, n := []map[string]any{}, false, 0
	for r := range x.tenant.past.Records(x.tenant.datasets(collection, x.now)[0], x.tenant.span(from, to, x.now, nil)) {
		o := r.Object()
		if byKind == given && kind != 0 && fmt.Sprint(o["oper_type"]) != strconv.Itoa(kind) || user != "" && o["userid"] != user {
			continue
		}
		if n == start+limit {
			more = true
			break
		}
		if n >= start {
			rows = append(rows, o)
		}
		n++
	}
	keep, cut := x.call.Rows(len(rows))
	body := fields{"record_list": rows[:keep], "has_more": more && !cut, "next_cursor": ""}
	if more && !cut {
		body["next_cursor"] = cursorOf(n)
	}
	return body, nil
}
