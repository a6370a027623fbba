package wecom_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

// withPast is a corp whose 40 members have worked for 90 days.
func withPast(t *testing.T) *corp {
	t.Helper()
	x := newCorp(t)
	if _, err := x.admin.Seed("acme", core.Seed{Users: 40, Departments: 3}); err != nil {
		t.Fatal(err)
	}
	x.configure(`{"history":{"days":90,"seed":7}}`)
	return x
}

func (x *corp) ago(days int) int64 { return x.core.Clock.Now().AddDate(0, 0, -days).Unix() }

func (x *corp) refuses(code int, token, path, body string) {
	x.t.Helper()
	if a := x.as(token, path, body); a.code != code {
		x.t.Errorf("%s %s: %s, want %d", path, body, a.raw, code)
	}
}

func TestApprovals(t *testing.T) {
	x := withPast(t)
	ask := func(from, to int, cursor string, size int, filters string) string {
		return fmt.Sprintf(`{"starttime":"%d","endtime":"%d","new_cursor":%q,"size":%d,"filters":[%s]}`, x.ago(from), x.ago(to), cursor, size, filters)
	}
	const path = "oa/getapprovalinfo"
	var found []string
	for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
		a := x.must(x.app, path, ask(31, 0, cursor, 7, ""))
		var page []string
		a.into("sp_no_list", &page)
		found = append(found, page...)
		cursor = ""
		if a.body["new_next_cursor"] != nil {
			cursor = a.str("new_next_cursor")
		}
	}
	if len(found) < 15 || len(found) > 50 {
		t.Errorf("%d approvals of three forms in a month", len(found))
	}
	var info struct {
		No      string `json:"sp_no"`
		Status  int    `json:"sp_status"`
		Applyer struct {
			UserID string `json:"userid"`
		} `json:"applyer"`
	}
	x.must(x.app, "oa/getapprovaldetail", `{"sp_no":"`+found[0]+`"}`).into("info", &info)
	if info.No != found[0] || info.Applyer.UserID == "" || info.Status == 1 {
		t.Errorf("the first: %+v", info)
	}
	var mine []string
	x.must(x.app, path, ask(31, 0, "", 100, `{"key":"creator","value":"`+info.Applyer.UserID+`"}`)).into("sp_no_list", &mine)
	if len(mine) == 0 || mine[0] != found[0] {
		t.Errorf("of %s: %v", info.Applyer.UserID, mine)
	}
	text := ask(31, 0, "", 100, "")
	numbers := strings.NewReplacer(`:"1`, `:1`, `",`, `,`).Replace(text[:strings.Index(text, `"new_cursor"`)]) + text[strings.Index(text, `"new_cursor"`):]
	for _, body := range []string{text, numbers} { // the sample has text, the table numbers
		a := x.must(x.app, path, body)
		var page []string
		a.into("sp_no_list", &page)
		if !slices.Equal(page, found) || a.str("errmsg") != "ok" {
			t.Errorf("%s: %s, want %v", body, a.raw, found)
		}
	}
	x.refuses(301025, x.app, path, ask(32, 0, "", 100, ""))
	x.refuses(301025, x.app, path, ask(0, 1, "", 100, ""))
	x.refuses(301025, x.app, path, ask(31, 0, "", 101, ""))
	x.refuses(301025, x.app, path, ask(31, 0, "?", 100, ""))
	x.refuses(301055, x.app, path, ask(31, 0, "", 100, `{"key":"creator","value":"gone"}`))
	x.refuses(301025, x.app, "oa/getapprovaldetail", `{"sp_no":"1"}`)
	x.refuses(48002, x.sync, path, ask(31, 0, "", 100, ""))
	x.configure(`{"maxApprovals":5}`)
	x.refuses(301112, x.app, path, ask(31, 0, "", 100, ""))
	x.configure(`{"closed":["approval"]}`)
	x.refuses(301055, x.app, path, ask(31, 0, "", 100, ""))
	x.refuses(301055, x.app, "oa/getapprovaldetail", `{"sp_no":"`+found[0]+`"}`)
}

func TestCheckins(t *testing.T) {
	x := withPast(t)
	ask := func(from int, users ...string) string {
		list, _ := json.Marshal(users)
		return fmt.Sprintf(`{"opencheckindatatype":3,"starttime":%d,"endtime":%d,"useridlist":%s}`, x.ago(from), x.ago(0), list)
	}
	var rows []map[string]any
	x.must(x.app, "checkin/getcheckindata", ask(7, "S00001", "s00002", "nobody")).into("checkindata", &rows)
	if len(rows) != 20 {
		t.Errorf("two members, five days, twice a day: %d rows", len(rows))
	}
	many := make([]string, 101)
	x.refuses(40058, x.app, "checkin/getcheckindata", ask(31, "S00001"))
	x.refuses(40058, x.app, "checkin/getcheckindata", ask(7, many...))
	x.refuses(40058, x.app, "checkin/getcheckindata", ask(7))
	x.configure(`{"closed":["checkin"]}`)
	x.refuses(48002, x.app, "checkin/getcheckindata", ask(7, "S00001"))
}

func TestReports(t *testing.T) {
	x := withPast(t)
	ask := func(from, cursor, limit int) string {
		return fmt.Sprintf(`{"starttime":%d,"endtime":%d,"cursor":%d,"limit":%d}`, x.ago(from), x.ago(0), cursor, limit)
	}
	const path = "oa/journal/get_record_list"
	var found []string
	for cursor, end := 0, 0; end == 0; {
		a := x.must(x.app, path, ask(31, cursor, 10))
		var page []string
		a.into("journaluuid_list", &page)
		found = append(found, page...)
		cursor, end = a.integer("next_cursor"), a.integer("endflag")
	}
	if len(found) < 15 || len(found) > 42 {
		t.Errorf("%d reports of 40 people in a month", len(found))
	}
	var info struct {
		ID string `json:"journal_uuid"`
	}
	x.must(x.app, "oa/journal/get_record_detail", `{"journaluuid":"`+found[0]+`"}`).into("info", &info)
	if info.ID != found[0] {
		t.Errorf("detail of %s: %+v", found[0], info)
	}
	x.refuses(40058, x.app, path, ask(32, 0, 10))
	x.refuses(40058, x.app, path, ask(31, 0, 101))
}

func TestOperationLogs(t *testing.T) {
	x := withPast(t)
	for _, path := range []string{"security/admin_oper_log/list", "security/member_oper_log/list"} {
		ask := func(from, to int, cursor string, limit int) string {
			return fmt.Sprintf(`{"start_time":%d,"end_time":%d,"cursor":%q,"limit":%d}`, x.ago(from), x.ago(to), cursor, limit)
		}
		n, cursor, more := 0, "", true
		for more {
			a := x.must(x.app, path, ask(7, 0, cursor, 3))
			var rows []map[string]any
			a.into("record_list", &rows)
			a.into("has_more", &more)
			n, cursor = n+len(rows), a.str("next_cursor")
		}
		if n < 2 || n > 20 {
			t.Errorf("%s: %d entries in a week", path, n)
		}
		x.refuses(40058, x.app, path, ask(8, 0, "", 400))
		x.refuses(40058, x.app, path, ask(181, 175, "", 400))
		x.refuses(40058, x.app, path, ask(7, 0, "", 401))
	}
}

func TestRosterDriveAndChats(t *testing.T) {
	x := withPast(t)
	var rows []struct {
		Field  int    `json:"fieldid"`
		Result int    `json:"result"`
		Value  string `json:"value_string"`
	}
	x.must(x.app, "hr/get_staff_info", `{"userid":"S00001","fieldids":[{"fieldid":12024},{"fieldid":1}]}`).into("field_info", &rows)
	if len(rows) != 2 || rows[0].Value != "S00001" || rows[0].Result != 1 || rows[1].Result != 3 {
		t.Errorf("roster: %+v", rows)
	}
	x.must(x.app, "hr/get_fields", "")

	var list struct {
		Item []map[string]any `json:"item"`
	}
	const top = `{"spaceid":"s.ww0001","fatherid":"s.ww0001","sort_type":1,"start":0,"limit":10}`
	x.must(x.app, "wedrive/file_list", top).into("file_list", &list)
	folder := list.Item[0]["fileid"].(string)
	a := x.must(x.app, "wedrive/file_list", strings.Replace(top, `"fatherid":"s.ww0001"`, `"fatherid":"`+folder+`"`, 1))
	a.into("file_list", &list)
	if len(list.Item) != 10 || a.integer("next_start") != 10 || string(a.body["has_more"]) != "true" {
		t.Errorf("the folder: %s", a.raw)
	}
	x.refuses(40058, x.app, "wedrive/file_list", strings.Replace(top, "10}", "1001}", 1))

	a = x.must(x.app, "externalcontact/groupchat/list", `{"status_filter":0,"limit":2}`)
	if a.body["next_cursor"] == nil {
		t.Errorf("chats: %s", a.raw)
	}
	x.refuses(40003, x.app, "externalcontact/groupchat/list", `{"owner_filter":{"userid_list":["gone"]},"limit":2}`)
	x.configure(`{"closed":["hr","wedrive","customer"]}`)
	x.refuses(48002, x.app, "hr/get_fields", "")
	x.refuses(48002, x.app, "wedrive/file_list", top)
	x.refuses(48002, x.app, "externalcontact/groupchat/list", `{"limit":2}`)
}

func TestChatsKnowTheirMembersAndWhoLeft(t *testing.T) {
	x := withPast(t)
	var rows []struct {
		ID     string `json:"chat_id"`
		Status int    `json:"status"`
	}
	const list = "externalcontact/groupchat/list"
	x.must(x.app, list, `{"owner_filter":{"userid_list":["s00002"]},"limit":10}`).into("group_chat_list", &rows)
	if len(rows) != 1 || rows[0].Status != 0 {
		t.Fatalf("of one owner: %+v", rows)
	}
	var chat struct {
		ID, Owner string
		Members   []struct{ UserID, Name string } `json:"member_list"`
	}
	x.must(x.app, "externalcontact/groupchat/get", `{"chat_id":"`+rows[0].ID+`","need_name":1}`).into("group_chat", &chat)
	if chat.Owner != "S00002" || len(chat.Members) != 2 || chat.Members[0].UserID != "S00002" || chat.Members[0].Name == "" {
		t.Errorf("the chat: %+v", chat)
	}
	x.must(x.app, list, `{"status_filter":1,"limit":10}`).into("group_chat_list", &rows)
	if len(rows) != 0 {
		t.Errorf("nobody has left: %+v", rows)
	}
	if err := x.admin.Create("acme", "groups", "wrLeft", json.RawMessage(`{"owner":"gone"}`)); err != nil {
		t.Fatal(err)
	}
	x.must(x.app, list, `{"status_filter":1,"limit":10}`).into("group_chat_list", &rows)
	if len(rows) != 1 || rows[0].ID != "wrLeft" || rows[0].Status != 1 {
		t.Errorf("of somebody who has left: %+v", rows)
	}
	if _, err := x.admin.Seed("acme", core.Seed{Users: 1001, Departments: 3, First: 41}); err != nil {
		t.Fatal(err)
	}
	x.refuses(81017, x.app, list, `{"status_filter":1,"limit":10}`)
	x.must(x.app, list, `{"owner_filter":{"userid_list":["S00002"]},"limit":10}`)
	x.refuses(86003, x.app, "externalcontact/groupchat/get", `{"chat_id":"wrNone"}`)
	x.refuses(40058, x.app, "externalcontact/groupchat/get", `{}`)
	x.configure(`{"closed":["customer"]}`)
	x.refuses(48002, x.app, "externalcontact/groupchat/get", `{"chat_id":"wrLeft"}`)
}

func TestTheArchiveListsWhatSomebodyPutIntoTheirSpaces(t *testing.T) {
	x := withPast(t)
	const spaces, files = "security/wedrive/get_auth_space_list", "security/wedrive/get_auth_file_list"
	var list []struct {
		ID    string `json:"spaceid"`
		Admin int    `json:"is_space_superadmin"`
	}
	x.must(x.app, spaces, `{"userid":"s00002","is_resigned":0}`).into("auth_space_list", &list)
	if len(list) != 1 || list[0].Admin != 1 {
		t.Fatalf("spaces: %+v", list)
	}
	read := func(cursor string) answer {
		return x.must(x.app, files, `{"userid":"S00002","spaceid":"`+list[0].ID+`","limit":25,"cursor":"`+cursor+`"}`)
	}
	var page, rest []struct{ Path string }
	first := read("")
	first.into("file_list", &page)
	last := read(first.str("next_cursor"))
	last.into("file_list", &rest)
	if len(page) != 25 || len(rest) != 5 || page[0].Path != "会议纪要/纪要1.pdf" || string(last.body["has_more"]) != "false" {
		t.Errorf("files: %s then %s", first.raw, last.raw)
	}
	x.must(x.app, spaces, `{"userid":"S00009"}`).into("auth_space_list", &list)
	if len(list) != 0 {
		t.Errorf("somebody without a space: %+v", list)
	}
	x.refuses(40003, x.app, spaces, `{"userid":"gone"}`)
	x.refuses(40003, x.app, spaces, `{"userid":"S00002","is_resigned":1}`)
	x.must(x.app, spaces, `{"userid":"gone","is_resigned":1}`)
	x.refuses(40058, x.app, files, `{"userid":"S00009","spaceid":"s.ww0001"}`)
	x.refuses(40058, x.app, files, `{"userid":"S00001","spaceid":"s.ww0001","limit":101}`)
	x.refuses(48002, x.sync, spaces, `{"userid":"S00002"}`)
	x.configure(`{"closed":["archive"]}`)
	x.refuses(48002, x.app, spaces, `{"userid":"S00002"}`)
	x.refuses(48002, x.app, files, `{"userid":"S00001","spaceid":"s.ww0001"}`)
}

// TestPastByHand: what is made, changed and removed by hand is what calls answer with.
func TestPastByHand(t *testing.T) {
	x := withPast(t)
	put := fmt.Sprintf(`{"apply_time":%d,"sp_status":1,"applyer":{"userid":"S00001"}}`, x.ago(100))
	if err := x.admin.Create("acme", "approvals", "201900000001", json.RawMessage(put)); err != nil {
		t.Fatal(err)
	}
	window := fmt.Sprintf(`{"starttime":%d,"endtime":%d,"new_cursor":"","size":100}`, x.ago(110), x.ago(95))
	a := x.must(x.app, "oa/getapprovalinfo", window)
	if !strings.Contains(a.raw, "201900000001") {
		t.Errorf("made by hand: %s", a.raw)
	}
	if err := x.admin.Merge("acme", "approvals", "201900000001", json.RawMessage(`{"sp_status":4}`)); err != nil {
		t.Fatal(err)
	}
	if a := x.must(x.app, "oa/getapprovaldetail", `{"sp_no":"201900000001"}`); !strings.Contains(a.raw, `"sp_status":4`) {
		t.Errorf("changed by hand: %s", a.raw)
	}
	if err := x.admin.Remove("acme", "approvals", "201900000001"); err != nil {
		t.Fatal(err)
	}
	x.refuses(301025, x.app, "oa/getapprovaldetail", `{"sp_no":"201900000001"}`)
}

// TestPastGoesOn: tomorrow there is more, and an app sees only what visible members did.
func TestPastGoesOn(t *testing.T) {
	x := withPast(t)
	before := x.count("journals")
	x.core.Clock.Advance(30 * 24 * time.Hour)
	if after := x.count("journals"); after <= before {
		t.Errorf("%d reports, a month later %d", before, after)
	}
}

func TestScratch(t *testing.T) {
	server := httptest.NewServer(wecom.Scratch(corpID, syncSecret, appSecret, 7))
	t.Cleanup(server.Close)
	x := &corp{t: t, url: server.URL}
	x.sync, x.app = x.token(syncSecret), x.token(appSecret)
	x.must(x.sync, "user/create", `{"userid":"founder","name":"创建者","mobile":"13900000001","department":[1],`+
		`"extattr":{"attrs":[{"type":0,"name":"什么","text":{"value":"都行"}}]}}`)
	a := x.must(x.app, "user/get?userid=founder", "")
	if a.str("mobile") != "13900000001" || !strings.Contains(a.raw, "都行") {
		t.Errorf("restored as %s", a.raw)
	}
	x.must(x.sync, "user/delete?userid=founder", "")
}
