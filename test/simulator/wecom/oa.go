package wecom

import (
	"encoding/base64"
	"fmt"
	"iter"
	"math"
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
	from, to, inTime := x.window("starttime", "endtime", maxApprovalSpan)
	size, sized := x.number("size", maxApprovalPage, 1, maxApprovalPage)
	start, ok := x.offset("new_cursor")
	filters, s := read[[]filter](x.form, "filters")
	if !inTime || !to.After(from) || !sized || !ok || s == wrong {
		return nil, fail(301025)
	}
	people, f := x.creators(filters)
	if f != nil {
		return nil, f
	}
	filed := x.filed(from, to, people, filters)
	if limit := x.tenant.spec.Options.MaxApprovals; limit > 0 {
		if _, more := core.Page(filed, limit, 0); more {
			return nil, fail(301112)
		}
	}
	page, more := core.Page(filed, start, size)
	sees := x.seesPerson()
	list := []string{}
	for _, r := range page {
		if sees(r.Person) {
			list = append(list, r.ID())
		}
	}
	keep, cut := x.call.Rows(len(list))
	body := fields{"sp_no_list": list[:keep]}
	if more && !cut {
		body["new_next_cursor"] = cursorOf(start + size)
	}
	return body, nil
}

// filed lists the approvals of all forms that pass the filters.
func (x *exchange) filed(from, to time.Time, people []string, filters []filter) iter.Seq[core.Record] {
	return func(yield func(core.Record) bool) {
		for i, d := range x.tenant.datasets(collApprovals, x.now) {
			for r := range x.tenant.past.Records(d, x.tenant.span(from, to, x.now, people)) {
				once := i == 0 || !r.ByHand() // what was made by hand is in the dataset of every form
				if once && approved(r, d.Salt, filters) && !yield(r) {
					return
				}
			}
		}
	}
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
	kind, known := x.number("opencheckindatatype", 0, 1, 3)
	from, to, inTime := x.window("starttime", "endtime", maxCheckinSpan)
	users, s := read[[]string](x.form, "useridlist")
	if !known || !inTime || s != given || len(users) == 0 || len(users) > maxCheckinUsers {
		return nil, fail(40058)
	}
	rows := []map[string]any{}
	for r := range x.tenant.past.Records(x.tenant.datasets(collCheckins, x.now)[0], x.tenant.span(from, to, x.now, x.visibleOf(users))) {
		outside := word(r.Object(), "checkin_type") == "外出打卡"
		if kind == 3 || outside == (kind == 2) {
			rows = append(rows, r.Object())
		}
	}
	keep, _ := x.call.Rows(len(rows))
	return fields{"checkindata": rows[:keep]}, nil
}

// visibleOf are those of some members that the app sees, each once and as they are written.
func (x *exchange) visibleOf(users []string) []string {
	sees, list := x.seesPerson(), []string{}
	for _, id := range users {
		if u, ok := x.tenant.user(id, x.view); ok && sees(u.UserID) && !slices.Contains(list, u.UserID) {
			list = append(list, u.UserID)
		}
	}
	return list
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
	from, to, inTime := x.window("starttime", "endtime", maxApprovalSpan)
	cursor, placed := x.number("cursor", -1, 0, math.MaxInt32)
	limit, sized := x.number("limit", 0, 1, maxReportPage)
	filters, s := read[[]filter](x.form, "filters")
	if !inTime || !to.After(from) || !placed || !sized || s == wrong {
		return nil, fail(40058)
	}
	var people []string
	for _, f := range filters {
		if f.Key == "creator" {
			people = append(people, f.Value)
		}
	}
	sees := x.seesPerson()
	page, more := core.Page(func(yield func(string) bool) {
		for r := range x.tenant.past.Records(x.tenant.datasets(collJournals, x.now)[0], x.tenant.span(from, to, x.now, people)) {
			if sees(r.Person) && !yield(r.ID()) {
				return
			}
		}
	}, cursor, limit)
	keep, cut := x.call.Rows(len(page))
	body := fields{"journaluuid_list": page[:keep], "next_cursor": cursor + len(page), "endflag": 1}
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
	from, to, inTime := x.window("start_time", "end_time", maxLogSpan)
	limit, sized := x.number("limit", maxLogPage, 1, maxLogPage)
	start, ok := x.offset("cursor")
	if !inTime || !sized || !ok || x.now.Sub(from) > maxLogMemory {
		return nil, fail(40058)
	}
	rows, more := core.Page(x.entries(collection, from, to), start, limit)
	keep, cut := x.call.Rows(len(rows))
	body := fields{"record_list": rows[:keep], "has_more": more && !cut, "next_cursor": ""}
	if more && !cut {
		body["next_cursor"] = cursorOf(start + limit)
	}
	return body, nil
}

// entries lists those of a log that the call asks for.
func (x *exchange) entries(collection string, from, to time.Time) iter.Seq[map[string]any] {
	kind, _ := read[int](x.form, "oper_type") // 0 and none: all
	user, _ := x.form.text("userid")
	return func(yield func(map[string]any) bool) {
		for r := range x.tenant.past.Records(x.tenant.datasets(collection, x.now)[0], x.tenant.span(from, to, x.now, nil)) {
			o := r.Object()
			asked := (kind == 0 || fmt.Sprint(o["oper_type"]) == strconv.Itoa(kind)) && (user == "" || o["userid"] == user)
			if asked && !yield(o) {
				return
			}
		}
	}
}
