package dingtalk

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// filled is a company with two departments and two people; dept ids come back.
func filled(t *testing.T) (s *sim, research, sales json.Number) {
	t.Helper()
	s = newSim(t)
	research, sales = s.dept("研发部", 1), s.dept("销售部", 1)
	s.ok("/topapi/v2/user/create", body{
		"userid": "A1", "name": "张一", "mobile": "13800000001", "dept_id_list": research,
		"telephone": "8001", "email": "a1@example.com", "job_number": "7",
	})
	s.person("A2", "13800000002", research, sales)
	return s, research, sales
}

func TestUserErrors(t *testing.T) {
	s, research, _ := filled(t)
	create, update := "/topapi/v2/user/create", "/topapi/v2/user/update"
	with := func(changes body) body {
		in := body{"userid": "N1", "name": "新人", "mobile": "13900000001", "dept_id_list": "1"}
		for k, v := range changes {
			if v == nil {
				delete(in, k)
			} else {
				in[k] = v
			}
		}
		return in
	}
	long := func(n int) string { return strings.Repeat("长", n) }
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint(i + 2)
	}
	for _, tt := range []struct {
		name, path string
		in         body
		want       string
	}{
		{"no name", create, with(body{"name": nil}), "40035"},
		{"empty name", create, with(body{"name": " "}), "40035"},
		{"long name", create, with(body{"name": long(81)}), "60112"},
		{"no mobile", create, with(body{"mobile": nil}), "40035"},
		{"short mobile", create, with(body{"mobile": "1380000"}), "40104"},
		{"mobile abroad without dash", create, with(body{"mobile": "+85261234567"}), "40104"},
		{"no department", create, with(body{"dept_id_list": nil}), "40035"},
		{"department that is a word", create, with(body{"dept_id_list": "x"}), "40035"},
		{"unknown department", create, with(body{"dept_id_list": "1,99"}), "60003"},
		{"too many departments", create, with(body{"dept_id_list": strings.Join(many, ",")}), "60110"},
		{"long userid", create, with(body{"userid": strings.Repeat("x", 65)}), "40003"},
		{"userid taken", create, with(body{"userid": "A1"}), "60102"},
		{"mobile taken", create, with(body{"mobile": "13800000001"}), "60104"},
		{"mobile taken, written with +86", create, with(body{"mobile": "+86-13800000001"}), "60104"},
		{"telephone taken", create, with(body{"telephone": "8001"}), "40100"},
		{"email taken, in capitals", create, with(body{"email": "A1@EXAMPLE.COM"}), "40101"},
		{"bad email", create, with(body{"email": "nobody"}), "60105"},
		{"long telephone", create, with(body{"telephone": long(51)}), "40063"},
		{"long job number", create, with(body{"job_number": long(51)}), "60123"},
		{"long title", create, with(body{"title": long(201)}), "60119"},
		{"long work place", create, with(body{"work_place": long(101)}), "40064"},
		{"long remark", create, with(body{"remark": long(2001)}), "40065"},
		{"extension that is no object", create, with(body{"extension": "x"}), "60122"},
		{"extension with a list", create, with(body{"extension": `{"职级":["P7"]}`}), "60122"},
		{"long extension", create, with(body{"extension": body{"职级": long(2000)}}), "60122"},
		{"unknown manager", create, with(body{"manager_userid": "nobody"}), "60128"},
		{"mail type", create, with(body{"org_email_type": "gold"}), "40035"},
		{"flag that is none", create, with(body{"hide_mobile": "maybe"}), "40035"},
		{"name that is a list", create, with(body{"name": []string{"x"}}), "40035"},

		{"update without userid", update, body{"title": "x"}, "400002"},
		{"update of nobody", update, body{"userid": "nobody", "title": "x"}, "60121"},
		{"update to a taken telephone", update, body{"userid": "A2", "telephone": "8001"}, "40100"},
		{"update to a taken email", update, body{"userid": "A2", "email": "a1@example.com"}, "40101"},
		{"update to no name", update, body{"userid": "A2", "name": ""}, "60112"},
		{"update to no department", update, body{"userid": "A2", "dept_id_list": ""}, "40035"},
		{"update to an unknown department", update, body{"userid": "A2", "dept_id_list": "99"}, "60003"},
		{"update with a bad mode", update, body{"userid": "A2", "ext_attrs_update_mode": 2}, "40035"},

		{"get without userid", "/topapi/v2/user/get", body{}, "400002"},
		{"get nobody", "/topapi/v2/user/get", body{"userid": "nobody"}, "60121"},
		{"delete without userid", "/topapi/v2/user/delete", body{}, "400002"},
		{"delete nobody", "/topapi/v2/user/delete", body{"userid": "nobody"}, "33012"},
		{"mobile of nobody", "/topapi/v2/user/getbymobile", body{"mobile": "13900000009"}, "60121"},
		{"mobile that is none", "/topapi/v2/user/getbymobile", body{"mobile": "12"}, "40104"},
		{"union id of nobody", "/topapi/user/getbyunionid", body{"unionid": "x"}, "60121"},
		{"list without cursor", "/topapi/v2/user/list", body{"dept_id": research, "size": 10}, "40035"},
		{"list beyond 100", "/topapi/v2/user/list", body{"dept_id": research, "cursor": 0, "size": 101}, "40035"},
		{"list of none", "/topapi/v2/user/list", body{"dept_id": research, "cursor": 0, "size": 0}, "40035"},
		{"list in no order", "/topapi/v2/user/list", body{"dept_id": research, "cursor": 0, "size": 1, "order_field": "x"}, "40035"},
		{"list of an unknown department", "/topapi/v2/user/list", body{"dept_id": 99, "cursor": 0, "size": 1}, "60003"},
		{"listsimple beyond 100", "/topapi/user/listsimple", body{"dept_id": research, "cursor": 0, "size": 101}, "40069"},
		{"listsimple with a bad cursor", "/topapi/user/listsimple", body{"dept_id": research, "cursor": -1, "size": 1}, "40068"},
		{"listid of an unknown department", "/topapi/user/listid", body{"dept_id": 99}, "60003"},
		{"count without the flag", "/topapi/user/count", body{}, "400002"},
		{"admin scope of nobody", "/topapi/user/get_admin_scope", body{"userid": "nobody"}, "60121"},
		{"admin scope without userid", "/topapi/user/get_admin_scope", body{}, "40036"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := s.acme().users.Len()
			s.refused(tt.want, tt.path, tt.in)
			if s.acme().users.Len() != before {
				t.Error("a refused call changed something")
			}
		})
	}
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

func TestUserRoundTrip(t *testing.T) {
	s, research, sales := filled(t)
	r := s.result("/topapi/v2/user/create", body{
		"userid": "B1", "name": "李四", "mobile": "+852-61234567", "hide_mobile": true, "telephone": "8002",
		"job_number": "7", "title": "工程师", "email": "b1@example.com", "org_email": "b1@corp.example.com",
		"work_place": "杭州", "remark": "备注", "dept_id_list": []any{research, sales}, "senior_mode": true,
		"dept_order_list": []any{body{"dept_id": sales, "order": 5}}, "hired_date": 1597573616828, "manager_userid": "A1",
		"dept_title_list": []any{body{"dept_id": research, "title": "组长"}},
		"extension":       `{"职级":"P7","爱好":"旅游","工号":12}`,
	})
	if r["userid"] != "B1" || r["unionId"] == "" {
		t.Fatalf("create: %v", r)
	}
	u := s.user("B1")
	for field, want := range map[string]any{
		"userid": "B1", "unionid": r["unionId"], "name": "李四", "state_code": "852", "mobile": "61234567",
		"hide_mobile": true, "telephone": "8002", "job_number": "7", "title": "工程师", "email": "b1@example.com",
		"work_place": "杭州", "remark": "备注", "senior": true, "active": true, "admin": false, "boss": false,
		"exclusive_account": false, "hired_date": json.Number("1597573616828"), "manager_userid": "A1", "avatar": "",
		"extension": `{"工号":"12","职级":"P7"}`, // 爱好 was not added in the console
		"org_email": nil,                     // the company's mail is not opened
		"login_id":  nil, "disable_status": nil,
	} {
		if u[field] != want {
			t.Errorf("%s is %v, want %v", field, u[field], want)
		}
	}
	if got := fmt.Sprint(u["dept_id_list"]); got != fmt.Sprintf("[%s %s]", research, sales) {
		t.Errorf("dept_id_list %s", got)
	}
	orders := u["dept_order_list"].([]any)
	if orders[1].(body)["order"] != json.Number("5") || len(fmt.Sprint(orders[0].(body)["order"])) < 12 {
		t.Errorf("dept_order_list %v", orders)
	}
	if got := fmt.Sprint(u["dept_position_list"]); got != fmt.Sprintf("[map[dept_id:%s is_main:false title:组长]]", research) {
		t.Errorf("dept_position_list %s", got)
	}
	if got := s.result("/topapi/v2/user/getbymobile", body{"mobile": "+852-61234567"}); got["userid"] != "B1" {
		t.Errorf("by mobile: %v", got)
	}
	got := s.result("/topapi/user/getbyunionid", body{"unionid": r["unionId"]})
	if got["userid"] != "B1" || got["contact_type"] != json.Number("0") {
		t.Errorf("by union id: %v", got)
	}
	made := s.result("/topapi/v2/user/create", body{"name": "无号", "mobile": "13900000003", "dept_id_list": 1})
	if id, _ := made["userid"].(string); id == "" || s.user(id)["name"] != "无号" {
		t.Errorf("a userid should have been made: %v", made)
	}
}

func TestUserUpdate(t *testing.T) {
	s, research, sales := filled(t)
	update := func(in body) { s.t.Helper(); in["userid"] = "A1"; s.ok("/topapi/v2/user/update", in) }

	update(body{"title": "经理", "mobile": "13911111111", "manager_userid": "A2"})
	u := s.user("A1")
	if u["title"] != "经理" || u["telephone"] != "8001" || u["manager_userid"] != "A2" {
		t.Errorf("what is not given must stay: %v", u)
	}
	if u["mobile"] != "13800000001" {
		t.Errorf("mobile %v: it cannot be changed", u["mobile"])
	}
	update(body{"manager_userid": ""})
	if s.user("A1")["manager_userid"] != "A2" {
		t.Error("an empty manager must be ignored unless forced")
	}
	update(body{"force_update_fields": "manager_userid"})
	if got := s.user("A1")["manager_userid"]; got != nil {
		t.Errorf("forced manager is %v", got)
	}

	update(body{"extension": `{"职级":"P7","工位":"3-12"}`})
	update(body{"extension": `{"职级":"P8"}`, "ext_attrs_update_mode": 1})
	if got := s.user("A1")["extension"]; got != `{"工位":"3-12","职级":"P8"}` {
		t.Errorf("merged extension %v", got)
	}
	update(body{"extension": `{"职级":"P9"}`})
	if got := s.user("A1")["extension"]; got != `{"职级":"P9"}` {
		t.Errorf("overwritten extension %v", got)
	}
	update(body{"telephone": ""})
	if got := s.user("A1")["telephone"]; got != nil {
		t.Errorf("telephone %v", got)
	}
	s.ok("/topapi/v2/user/update", body{"userid": "A2", "telephone": "8001"}) // it is free now

	s.ok("/topapi/v2/department/update", body{"dept_id": research, "dept_manager_userid_list": "A1", "org_dept_owner": "A1"})
	update(body{"dept_id_list": fmt.Sprint(sales)})
	d := s.result("/topapi/v2/department/get", body{"dept_id": research})
	if fmt.Sprint(d["dept_manager_userid_list"]) != "[]" || d["org_dept_owner"] != nil {
		t.Errorf("who left a department still leads it: %v", d)
	}
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

func TestUserDelete(t *testing.T) {
	s, research, _ := filled(t)
	s.ok("/topapi/v2/user/update", body{"userid": "A2", "manager_userid": "A1"})
	s.ok("/topapi/v2/department/update", body{"dept_id": research, "dept_manager_userid_list": "A1,A2"})
	union := s.user("A1")["unionid"]
	s.ok("/topapi/v2/user/delete", body{"userid": "A1"})

	s.refused("60121", "/topapi/v2/user/get", body{"userid": "A1"})
	s.refused("33012", "/topapi/v2/user/delete", body{"userid": "A1"})
	s.refused("60121", "/topapi/v2/user/getbymobile", body{"mobile": "13800000001"})
	if got := s.user("A2")["manager_userid"]; got != nil {
		t.Errorf("manager who left: %v", got)
	}
	if d := s.result("/topapi/v2/department/get", body{"dept_id": research}); fmt.Sprint(d["dept_manager_userid_list"]) != "[A2]" {
		t.Errorf("managers: %v", d)
	}
	status, b := s.fresh("GET", "/v1.0/contact/empLeaveRecords?startTime=2026-03-01T00:00:00Z&nextToken=0&maxResults=50", nil)
	want := "[map[leaveReason:oapi leaveTime:2026-03-02T01:00:00Z mobile:13800000001 name:张一 stateCode:86 userId:A1]]"
	if status != 200 || fmt.Sprint(b["records"]) != want || b["nextToken"] != nil {
		t.Errorf("records: %d %v", status, b)
	}
	// Everything that was the leaver's is free, and the person stays the same.
	s.ok("/topapi/v2/user/create", body{
		"userid": "A1", "name": "张一", "mobile": "13800000001", "dept_id_list": research, "telephone": "8001", "email": "a1@example.com",
	})
	if s.user("A1")["unionid"] != union {
		t.Error("the same person must have the same union id")
	}
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

func TestLeaveRecordPages(t *testing.T) {
	s := newSim(t)
	for i := range 5 {
		id := fmt.Sprintf("L%d", i)
		s.person(id, fmt.Sprintf("1370000000%d", i), 1)
		s.ok("/topapi/v2/user/delete", body{"userid": id})
	}
	var ids []string
	for next := "0"; next != ""; {
		_, b := s.fresh("GET", "/v1.0/contact/empLeaveRecords?startTime=2026-03-01T00:00:00Z&maxResults=2&nextToken="+next, nil)
		for _, r := range b["records"].([]any) {
			ids = append(ids, r.(body)["userId"].(string))
		}
		next, _ = b["nextToken"].(string)
	}
	if fmt.Sprint(ids) != "[L0 L1 L2 L3 L4]" {
		t.Errorf("ids %v", ids)
	}
	for _, query := range []string{
		"maxResults=2", "startTime=2026-03-01&maxResults=2", "startTime=2026-03-01T00:00:00Z&maxResults=51",
		"startTime=2024-03-01T00:00:00Z&maxResults=2", "startTime=2026-03-01T00:00:00Z&maxResults=2&nextToken=x",
	} {
		if status, b := s.fresh("GET", "/v1.0/contact/empLeaveRecords?"+query, nil); status != 400 || b["code"] != "invalidParameter.param.invalid" {
			t.Errorf("%s: %d %v", query, status, b)
		}
	}
}

func TestUserListPages(t *testing.T) {
	s := newSim(t)
	d := s.dept("研发部", 1)
	for i := range 25 {
		s.ok("/topapi/v2/user/create", body{
			"userid": fmt.Sprintf("P%02d", i), "name": fmt.Sprintf("人%02d", i), "mobile": fmt.Sprintf("139000000%02d", i),
			"dept_id_list": d, "dept_order_list": []any{body{"dept_id": d, "order": i}},
		})
	}
	s.ok("/topapi/v2/department/update", body{"dept_id": d, "dept_manager_userid_list": "P24"})
	var ids []string
	for cursor := any(0); cursor != nil; {
		r := s.result("/topapi/v2/user/list", body{"dept_id": d, "cursor": cursor, "size": 10})
		for _, e := range r["list"].([]any) {
			u := e.(body)
			ids = append(ids, u["userid"].(string))
			if (u["leader"] == true) != (u["userid"] == "P24") {
				t.Errorf("leader: %v", u)
			}
			if u["leader_in_dept"] != nil || u["dept_order_list"] != nil || u["manager_userid"] != nil {
				t.Errorf("an item has other fields than user/get: %v", u)
			}
		}
		if (r["next_cursor"] != nil) != (r["has_more"] == true) {
			t.Errorf("end of a page: %v", r)
		}
		cursor = r["next_cursor"]
	}
	if len(ids) != 25 || ids[0] != "P24" || ids[24] != "P00" {
		t.Errorf("bigger orders come first: %v", ids)
	}
	entry := s.result("/topapi/user/listsimple", body{"dept_id": d, "cursor": 0, "size": 3, "order_field": "modify_asc"})
	if fmt.Sprint(entry["list"]) != "[map[name:人00 userid:P00] map[name:人01 userid:P01] map[name:人02 userid:P02]]" {
		t.Errorf("listsimple: %v", entry)
	}
	if got := s.result("/topapi/user/listid", body{"dept_id": d}); len(got["userid_list"].([]any)) != 25 {
		t.Errorf("listid: %v", got)
	}
	if got := s.result("/topapi/user/count", body{"only_active": false}); fmt.Sprint(got["count"]) != "26" {
		t.Errorf("count: %v", got)
	}
}

// TestInvitation: 40103 leaves an invitation, and the person is there only
// after accepting it.
func TestInvitation(t *testing.T) {
	s, research, _ := filled(t)
	s.configure(`{"protectedMobiles":["13700000001"],"protectedUserIds":["V2"]}`)
	in := body{"userid": "V1", "name": "周", "mobile": "13700000001", "dept_id_list": research}
	s.refused("40103", "/topapi/v2/user/create", in)
	s.refused("40103", "/topapi/v2/user/create", in)
	s.refused("40103", "/topapi/v2/user/create", body{"userid": "V2", "name": "吴", "mobile": "13700000002", "dept_id_list": research})
	s.refused("60104", "/topapi/v2/user/create", body{"userid": "V1", "name": "周", "mobile": "13800000001", "dept_id_list": research})
	s.refused("60121", "/topapi/v2/user/get", body{"userid": "V1"})
	s.refused("60121", "/topapi/v2/user/getbymobile", body{"mobile": "13700000001"})
	list, err := s.admin.Objects("acme", "invitations")
	if err != nil || len(list) != 2 {
		t.Fatalf("invitations %v: %v", list, err)
	}
	if err := s.admin.Accept("acme", "V1"); err != nil {
		t.Fatal(err)
	}
	if u := s.user("V1"); u["name"] != "周" || u["active"] != true {
		t.Errorf("user: %v", u)
	}
	s.refused("60102", "/topapi/v2/user/create", in)
	if err := s.admin.Remove("acme", "invitations", "V2"); err != nil {
		t.Fatal(err)
	}
	if err := s.admin.Accept("acme", "V2"); err == nil {
		t.Error("an invitation that was taken back was accepted")
	}
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

// TestScope: an app that may see one department only.
func TestScope(t *testing.T) {
	s, research, sales := filled(t)
	team := s.dept("一组", research)
	s.person("A3", "13800000003", sales)
	s.person("A4", "13800000004", team)
	s.configure(fmt.Sprintf(`{"authedDepts":[%s],"authedUsers":["A1"]}`, research))

	_, scopes := s.do("GET", "/auth/scopes?access_token="+s.acmeToken(), nil, "")
	if fmt.Sprint(scopes["auth_org_scopes"]) != fmt.Sprintf("map[authed_dept:[%s] authed_user:[A1]]", research) {
		t.Errorf("scopes: %v", scopes)
	}
	s.user("A4")
	s.ok("/topapi/v2/user/list", body{"dept_id": team, "cursor": 0, "size": 10})
	s.ok("/topapi/user/listid", body{"dept_id": sales})
	s.ok("/topapi/v2/department/listsubid", body{"dept_id": 1})
	for _, tt := range []struct {
		path string
		in   body
		want string
	}{
		{"/topapi/v2/user/list", body{"dept_id": sales, "cursor": 0, "size": 10}, "50004"},
		{"/topapi/user/listsimple", body{"dept_id": sales, "cursor": 0, "size": 10}, "50004"},
		{"/topapi/v2/department/listsub", body{"dept_id": 1}, "50004"},
		{"/topapi/v2/department/listsub", body{}, "50004"},
		{"/topapi/v2/department/get", body{"dept_id": sales}, "50004"},
		{"/topapi/v2/department/create", body{"name": "二组", "parent_id": sales}, "50004"},
		{"/topapi/v2/department/update", body{"dept_id": team, "parent_id": sales}, "50004"},
		{"/topapi/v2/department/delete", body{"dept_id": sales}, "50004"},
		{"/topapi/v2/user/get", body{"userid": "A3"}, "50002"},
		{"/topapi/v2/user/update", body{"userid": "A3", "title": "x"}, "50002"},
		{"/topapi/v2/user/update", body{"userid": "A4", "dept_id_list": sales}, "50004"},
		{"/topapi/v2/user/delete", body{"userid": "A3"}, "50002"},
		{"/topapi/v2/user/create", body{"name": "新", "mobile": "13900000009", "dept_id_list": sales}, "50004"},
	} {
		s.refused(tt.want, tt.path, tt.in)
	}
}

func TestMemberLimits(t *testing.T) {
	s := newSim(t)
	s.configure(`{"memberLimit":2}`)
	s.person("M1", "13800000001", 1)
	s.refused("45024", "/topapi/v2/user/create", body{"name": "二", "mobile": "13800000002", "dept_id_list": 1})
	s.configure(`{"memberLimit":null}`)
	if _, err := s.admin.Seed("acme", core.Seed{Users: maxDeptSize}); err != nil {
		t.Fatal(err)
	}
	s.refused("40023", "/topapi/v2/user/create", body{"name": "二", "mobile": "13800000002", "dept_id_list": 1})
}

func TestSearch(t *testing.T) {
	s, _, _ := filled(t)
	for _, tt := range []struct {
		in   body
		want string
	}{
		{body{"queryWord": "张", "offset": 0, "size": 10}, "map[hasMore:false list:[A1 A2] totalCount:2]"},
		{body{"queryWord": "张", "offset": 0, "size": 1}, "map[hasMore:true list:[A1] totalCount:2]"},
		{body{"queryWord": "张一", "offset": 0, "size": 10, "fullMatchField": 1}, "map[hasMore:false list:[A1] totalCount:1]"},
		{body{"queryWord": "张", "offset": 0, "size": 10, "fullMatchField": 1}, "map[hasMore:false list:[] totalCount:0]"},
	} {
		if status, b := s.fresh("POST", "/v1.0/contact/users/search", tt.in); status != 200 || fmt.Sprint(b) != tt.want {
			t.Errorf("%v: %d %v, want %s", tt.in, status, b, tt.want)
		}
	}
	if status, b := s.fresh("POST", "/v1.0/contact/users/search", body{"offset": 0, "size": 1}); status != 400 || b["code"] != "parameter.error" {
		t.Errorf("without a word: %d %v", status, b)
	}
}

// TestConcurrentCreates: of many calls for the same person one succeeds.
func TestConcurrentCreates(t *testing.T) {
	s := newSim(t)
	s.acmeToken()
	d := s.dept("研发部", 1)
	var wg sync.WaitGroup
	codes := make(chan string, 400)
	for i := range 8 {
		wg.Go(func() {
			for n := range 25 {
				codes <- code(s.old("/topapi/v2/user/create", body{
					"userid": fmt.Sprintf("C%d-%d", i%4, n), "name": "并发", "mobile": fmt.Sprintf("1360000%d%03d", i%4, n), "dept_id_list": d,
				}))
				s.old("/topapi/v2/user/list", body{"dept_id": d, "cursor": 0, "size": 100})
				codes <- code(s.old("/topapi/v2/department/create", body{"name": fmt.Sprintf("部%d", n), "parent_id": d}))
			}
		})
	}
	wg.Wait()
	close(codes)
	got := map[string]int{}
	for c := range codes {
		got[c]++
	}
	if got["0"] != 100+25 || got["60102"] != 100 || got["60021"] != 175 {
		t.Errorf("codes: %v", got)
	}
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}

// TestTenThousand walks a big company, as a full read does.
func TestTenThousand(t *testing.T) {
	s := newSim(t)
	seeded, err := s.admin.Seed("acme", core.Seed{Users: 10_000, Departments: 100})
	if err != nil || seeded.Users != 10_000 || seeded.Departments != 100 {
		t.Fatalf("seed: %+v %v", seeded, err)
	}
	begin := time.Now()
	seen := map[string]bool{}
	var walk func(any)
	walk = func(dept any) {
		for cursor := any(0); cursor != nil; {
			r := s.result("/topapi/v2/user/list", body{"dept_id": dept, "cursor": cursor, "size": 100})
			for _, u := range r["list"].([]any) {
				seen[u.(body)["userid"].(string)] = true
			}
			cursor = r["next_cursor"]
		}
		for _, c := range s.ok("/topapi/v2/department/listsub", body{"dept_id": dept})["result"].([]any) {
			walk(c.(body)["dept_id"])
		}
	}
	walk(1)
	if len(seen) != 10_001 {
		t.Errorf("%d people", len(seen))
	}
	t.Logf("a full read of 10,000 people took %v", time.Since(begin))
	if err := s.acme().sane(); err != nil {
		t.Error(err)
	}
}
