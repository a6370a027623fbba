package wecom_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestErrors goes through every refusal that a single call can meet.
func TestErrors(t *testing.T) {
	tests := []struct {
		name, token, path, body string
		code                    int
		text                    string
	}{
		// Members, creating.
		{"create: app token", "app", "user/create", `{"userid":"a"}`, 48002, ""},
		{"create: no body", "sync", "user/create", "", 40058, "invalid Request Parameter"},
		{"create: no userid", "sync", "user/create", `{"name":"甲"}`, 41009, ""},
		{"create: empty userid", "sync", "user/create", `{"userid":"","name":"甲"}`, 40058, ""},
		{"create: long userid", "sync", "user/create", `{"userid":"` + strings.Repeat("a", 65) + `"}`, 40058, ""},
		{"create: bad first", "sync", "user/create", `{"userid":"_a","name":"甲"}`, 40003, ""},
		{"create: bad character", "sync", "user/create", `{"userid":"a/b","name":"甲"}`, 40003, ""},
		{"create: not ASCII", "sync", "user/create", `{"userid":"a甲","name":"甲"}`, 40003, ""},
		{"create: no name", "sync", "user/create", `{"userid":"a","mobile":"13900000000"}`, 60112, ""},
		{"create: empty name", "sync", "user/create", `{"userid":"a","name":""}`, 60112, ""},
		{"create: long name", "sync", "user/create", `{"userid":"a","name":"` + long(65) + `"}`, 60112, ""},
		{"create: no contact", "sync", "user/create", `{"userid":"a","name":"甲"}`, 60129, ""},
		{"create: bad mobile", "sync", "user/create", `{"userid":"a","name":"甲","mobile":"1390x"}`, 60103, ""},
		{"create: long mobile", "sync", "user/create", `{"userid":"a","name":"甲","mobile":"` + strings.Repeat("1", 33) + `"}`, 60103, ""},
		{"create: bad email", "sync", "user/create", `{"userid":"a","name":"甲","email":"no mail"}`, 60105, ""},
		{"create: short email", "sync", "user/create", `{"userid":"a","name":"甲","email":"a@b.c"}`, 60105, ""},
		{"create: bad biz_mail", "sync", "user/create", member(`"biz_mail":"nope"`), 60143, ""},
		{"create: aliases", "sync", "user/create", member(`"biz_mail_alias":{"item":["a","b","c","d","e","f"]}`), 40058, ""},
		{"create: userid taken", "sync", "user/create", `{"userid":"ZhangSan","name":"甲","mobile":"13900000000"}`, 60102, "userid existed"},
		{"create: mobile taken", "sync", "user/create", `{"userid":"a","name":"甲","mobile":"+86 138-0000-0001"}`, 60104, "mobile existed:zhangsan"},
		{"create: again", "sync", "user/create", `{"userid":"zhangsan","name":"张三","mobile":"13800000001"}`, 60104, "mobile existed:zhangsan"},
		{"create: email taken", "sync", "user/create", `{"userid":"a","name":"甲","email":"ZS@example.com"}`, 60106, "zhangsan"},
		{"create: biz_mail taken", "sync", "user/create", member(`"biz_mail":"zs@corp.example.com"`), 60145, ""},
		{"create: department string", "sync", "user/create", member(`"department":"2"`), 41019, "Warning: wrong json format. "},
		{"create: department of strings", "sync", "user/create", member(`"department":["2"]`), 60127, "Warning: wrong json format. "},
		{"create: department negative", "sync", "user/create", member(`"department":[-2]`), 60123, ""},
		{"create: department twice", "sync", "user/create", member(`"department":[2,2]`), 40058, ""},
		{"create: departments", "sync", "user/create", member(`"department":` + numbers(101)), 60110, ""},
		{"create: order count", "sync", "user/create", member(`"department":[2],"order":[1,2]`), 40058, ""},
		{"create: leader count", "sync", "user/create", member(`"department":[2],"is_leader_in_dept":[1,0]`), 60132, ""},
		{"create: leader value", "sync", "user/create", member(`"department":[2],"is_leader_in_dept":[2]`), 40058, ""},
		{"create: main elsewhere", "sync", "user/create", member(`"department":[2],"main_department":3`), 40058, ""},
		{"create: direct leaders", "sync", "user/create", member(`"direct_leader":["lisi","zhangsan"]`), 60257, ""},
		{"create: unknown leader", "sync", "user/create", member(`"direct_leader":["nobody"]`), 60111, "`nobody`"},
		{"create: enable", "sync", "user/create", member(`"enable":2`), 40058, ""},
		{"create: gender", "sync", "user/create", member(`"gender":"x"`), 40058, ""},
		{"create: long position", "sync", "user/create", member(`"position":"` + long(129) + `"`), 40058, ""},
		{"create: long alias", "sync", "user/create", member(`"alias":"` + long(65) + `"`), 40058, ""},
		{"create: long telephone", "sync", "user/create", member(`"telephone":"` + strings.Repeat("1", 33) + `"`), 40058, ""},
		{"create: long address", "sync", "user/create", member(`"address":"` + long(129) + `"`), 40058, ""},
		{"create: long external_position", "sync", "user/create", member(`"external_position":"` + long(13) + `"`), 40058, ""},
		{"create: long attribute", "sync", "user/create", member(`"extattr":{"attrs":[{"type":0,"name":"工号","text":{"value":"` + long(65) + `"}}]}`), 40058, ""},
		{"create: long title", "sync", "user/create", member(`"extattr":{"attrs":[{"type":1,"name":"工号","web":{"title":"` + long(13) + `"}}]}`), 40058, ""},
		// Members, changing and deleting.
		{"update: app token", "app", "user/update", `{"userid":"lisi"}`, 48002, ""},
		{"update: no userid", "sync", "user/update", `{"name":"甲"}`, 41009, ""},
		{"update: unknown", "sync", "user/update", `{"userid":"nobody"}`, 60111, "invalid string value `nobody`. userid not found"},
		{"update: mobile taken", "sync", "user/update", `{"userid":"lisi","mobile":"13800000001"}`, 60104, "mobile existed:zhangsan"},
		{"update: no contact left", "sync", "user/update", `{"userid":"lisi","mobile":""}`, 60129, ""},
		{"update: empty name", "sync", "user/update", `{"userid":"lisi","name":""}`, 60112, ""},
		{"update: department string", "sync", "user/update", `{"userid":"lisi","department":"2"}`, 41019, ""},
		{"update: leader count", "sync", "user/update", `{"userid":"lisi","is_leader_in_dept":[1,0]}`, 60132, ""},
		{"update: chosen userid", "sync", "user/update", `{"userid":"lisi","new_userid":"lisi2"}`, 301036, ""},
		{"delete: app token", "app", "user/delete?userid=lisi", "", 48002, ""},
		{"delete: no userid", "sync", "user/delete", "", 41009, ""},
		{"delete: unknown", "sync", "user/delete?userid=nobody", "", 60111, "`nobody`"},
		{"delete: creator", "sync", "user/delete?userid=WANGWU", "", 301005, ""},
		{"batchdelete: none", "sync", "user/batchdelete", `{"useridlist":[]}`, 40063, ""},
		{"batchdelete: too many", "sync", "user/batchdelete", `{"useridlist":[` + strings.Repeat(`"a",`, 200) + `"a"]}`, 40032, ""},
		{"batchdelete: unknown", "sync", "user/batchdelete", `{"useridlist":["lisi","nobody"]}`, 40031, ""},
		{"batchdelete: creator", "sync", "user/batchdelete", `{"useridlist":["wangwu"]}`, 301005, ""},
		// Members, reading.
		{"get: sync token from a new address", "sync", "user/get?userid=lisi", "", 48009, ""},
		{"get: no userid", "app", "user/get", "", 41009, ""},
		{"get: unknown", "app", "user/get?userid=nobody", "", 60111, "invalid string value `nobody`. userid not found"},
		{"simplelist: sync token", "sync", "user/simplelist?department_id=1", "", 48009, ""},
		{"simplelist: no id", "app", "user/simplelist", "", 40058, ""},
		{"list: sync token", "sync", "user/list?department_id=1", "", 48009, ""},
		{"list: unknown", "app", "user/list?department_id=99", "", 60003, ""},
		{"list_id: app token", "app", "user/list_id", `{}`, 48002, ""},
		{"list_id: limit", "sync", "user/list_id", `{"limit":10001}`, 40058, ""},
		{"list_id: negative limit", "sync", "user/list_id", `{"limit":-1}`, 40058, ""},
		{"list_id: cursor", "sync", "user/list_id", `{"cursor":"%%"}`, 50100, ""},
		{"list_id: made-up cursor", "sync", "user/list_id", `{"cursor":"MDox"}`, 50100, ""},
		{"getuserid: none", "app", "user/getuserid", `{"mobile":"13900000000"}`, 46004, ""},
		{"getuserid: short", "app", "user/getuserid", `{"mobile":"1"}`, 40058, ""},
		{"by email: none", "app", "user/get_userid_by_email", `{"email":"zs@example.com"}`, 46004, ""},
		{"by email: empty", "app", "user/get_userid_by_email", `{"email":""}`, 40058, ""},
		{"by email: type", "app", "user/get_userid_by_email", `{"email":"zs@example.com","email_type":3}`, 40058, ""},
		{"active: date", "app", "user/get_active_stat", `{"date":"today"}`, 40058, ""},
		{"authsucc: unknown", "app", "user/authsucc?userid=nobody", "", 60111, ""},
		{"invite: nobody", "app", "batch/invite", `{}`, 40063, ""},
		{"invite: too many", "app", "batch/invite", `{"party":` + numbers(101) + `}`, 40058, ""},
		{"join code: size", "sync", "corp/get_join_qrcode?size_type=5", "", 40058, ""},
		// Departments, with the codes seen on the real service.
		{"dept create: app token", "app", "department/create", `{"name":"x","parentid":1}`, 48002, ""},
		{"dept create: no name", "sync", "department/create", `{"parentid":1}`, 60001, "department invalid length"},
		{"dept create: empty name", "sync", "department/create", `{"name":"","parentid":1}`, 40058, ""},
		{"dept create: long name", "sync", "department/create", `{"name":"` + long(65) + `","parentid":1}`, 60001, ""},
		{"dept create: bad name", "sync", "department/create", `{"name":"a:b","parentid":1}`, 60009, "department name include invalid char"},
		{"dept create: bar", "sync", "department/create", `{"name":"a｜b","parentid":1}`, 60009, ""},
		{"dept create: sibling", "sync", "department/create", `{"name":"研发","parentid":1}`, 60008, "department existed: 2 is existed"},
		{"dept create: English sibling", "sync", "department/create", `{"name":"x","name_en":"rd","parentid":1}`, 60008, "department existed: 2 is existed"},
		{"dept create: empty name_en", "sync", "department/create", `{"name":"x","name_en":"","parentid":1}`, 60001, ""},
		{"dept create: long name_en", "sync", "department/create", `{"name":"x","name_en":"` + long(65) + `","parentid":1}`, 40058, ""},
		{"dept create: bad name_en", "sync", "department/create", `{"name":"x","name_en":"?","parentid":1}`, 60009, ""},
		{"dept create: no parent", "sync", "department/create", `{"name":"x"}`, 60004, "parent department not found"},
		{"dept create: unknown parent", "sync", "department/create", `{"name":"x","parentid":99}`, 60004, ""},
		{"dept create: text parent", "sync", "department/create", `{"name":"x","parentid":""}`, 60009, "wrong json format"},
		{"dept create: order", "sync", "department/create", `{"name":"x","parentid":1,"order":4294967296}`, 60009, ""},
		{"dept create: negative order", "sync", "department/create", `{"name":"x","parentid":1,"order":-1}`, 60009, ""},
		{"dept create: text order", "sync", "department/create", `{"name":"x","parentid":1,"order":"a"}`, 60009, ""},
		{"dept create: id 0", "sync", "department/create", `{"name":"x","parentid":1,"id":0}`, 60123, "invalid party id"},
		{"dept create: text id", "sync", "department/create", `{"name":"x","parentid":1,"id":""}`, 60009, ""},
		{"dept create: huge id", "sync", "department/create", `{"name":"x","parentid":1,"id":111122223333444455556666777788889}`, 60009, ""},
		{"dept create: id taken", "sync", "department/create", `{"name":"x","parentid":1,"id":3}`, 60008, "department existed: 3 is existed"},
		{"dept create: root id", "sync", "department/create", `{"name":"x","parentid":1,"id":1}`, 60008, ""},
		{"dept update: no id", "sync", "department/update", `{"name":"x"}`, 60003, "department not found"},
		{"dept update: unknown", "sync", "department/update", `{"id":99,"name":"x"}`, 60003, ""},
		{"dept update: empty name", "sync", "department/update", `{"id":2,"name":""}`, 40058, ""},
		{"dept update: sibling", "sync", "department/update", `{"id":4,"name":"研发"}`, 60008, ""},
		{"dept update: text parent", "sync", "department/update", `{"id":3,"parentid":""}`, 60124, "invalid parent party id"},
		{"dept update: unknown parent", "sync", "department/update", `{"id":3,"parentid":99}`, 60124, ""},
		{"dept update: below itself", "sync", "department/update", `{"id":2,"parentid":3}`, 60010, ""},
		{"dept update: into itself", "sync", "department/update", `{"id":2,"parentid":2}`, 60010, ""},
		{"dept update: root", "sync", "department/update", `{"id":1,"parentid":2}`, 60124, ""},
		{"dept update: order", "sync", "department/update", `{"id":2,"order":-1}`, 60009, ""},
		{"dept delete: no id", "sync", "department/delete", "", 40058, "invalid Request Parameter"},
		{"dept delete: empty id", "sync", "department/delete?id=", "", 40058, ""},
		{"dept delete: unknown", "sync", "department/delete?id=99", "", 60123, "invalid party id"},
		{"dept delete: members first", "sync", "department/delete?id=2", "", 60005, "department contains user"},
		{"dept list: sync token", "sync", "department/list", "", 48009, ""},
		{"dept list: unknown", "app", "department/list?id=99", "", 60123, ""},
		{"dept simplelist: unknown", "sync", "department/simplelist?id=99", "", 60123, ""},
		{"dept get: sync token", "sync", "department/get?id=2", "", 48009, ""},
		{"dept get: no id", "app", "department/get", "", 40058, ""},
		{"dept get: unknown", "app", "department/get?id=99", "", 60123, ""},
		// Tags; tag 1 belongs to the app, tag 2 to the sync secret.
		{"tag create: no name", "app", "tag/create", `{"tagid":9}`, 41018, ""},
		{"tag create: empty name", "app", "tag/create", `{"tagname":""}`, 40072, ""},
		{"tag create: long name", "app", "tag/create", `{"tagname":"` + long(33) + `"}`, 40072, ""},
		{"tag create: name taken", "app", "tag/create", `{"tagname":"骨干"}`, 40071, ""},
		{"tag create: id taken", "app", "tag/create", `{"tagname":"x","tagid":1}`, 40068, "invalid tagid"},
		{"tag update: no id", "app", "tag/update", `{"tagname":"x"}`, 41017, ""},
		{"tag update: unknown", "app", "tag/update", `{"tagid":9,"tagname":"x"}`, 40068, ""},
		{"tag update: not ours", "app", "tag/update", `{"tagid":2,"tagname":"x"}`, 60011, ""},
		{"tag update: name taken", "app", "tag/update", `{"tagid":1,"tagname":"值班"}`, 40071, ""},
		{"tag delete: no id", "app", "tag/delete", "", 41017, ""},
		{"tag delete: unknown", "app", "tag/delete?tagid=9", "", 40068, ""},
		{"tag delete: not ours", "sync", "tag/delete?tagid=1", "", 60011, ""},
		{"tag get: unknown", "app", "tag/get?tagid=9", "", 40068, ""},
		{"tag add: nothing", "app", "tag/addtagusers", `{"tagid":1}`, 40035, ""},
		{"tag add: piped", "app", "tag/addtagusers", `{"tagid":1,"userlist":"lisi|zhangsan"}`, 40035, ""},
		{"tag add: all invalid", "app", "tag/addtagusers", `{"tagid":1,"userlist":["a"],"partylist":[99]}`, 40070, "all list invalid"},
		{"tag add: not ours", "app", "tag/addtagusers", `{"tagid":2,"userlist":["lisi"]}`, 81011, ""},
		{"tag take: all invalid", "app", "tag/deltagusers", `{"tagid":1,"userlist":["a"]}`, 40031, "all list invalid"},
		{"tag take: not ours", "sync", "tag/deltagusers", `{"tagid":1,"userlist":["lisi"]}`, 81011, ""},
		{"tag take: nothing", "app", "tag/deltagusers", `{"tagid":1}`, 40035, ""},
		// Messages and apps.
		{"send: sync token", "sync", "message/send", message(`"touser":"lisi"`), 48002, ""},
		{"send: no agent", "app", "message/send", `{"touser":"lisi","msgtype":"text","text":{"content":"x"}}`, 41011, ""},
		{"send: other agent", "app", "message/send", `{"agentid":1,"touser":"lisi","msgtype":"text","text":{"content":"x"}}`, 301002, ""},
		{"send: type", "app", "message/send", `{"agentid":1000002,"touser":"lisi","msgtype":"smoke"}`, 40008, ""},
		{"send: empty", "app", "message/send", `{"agentid":1000002,"touser":"lisi","msgtype":"text","text":{"content":""}}`, 44004, ""},
		{"send: no card", "app", "message/send", `{"agentid":1000002,"touser":"lisi","msgtype":"textcard"}`, 40063, ""},
		{"send: nobody", "app", "message/send", message(`"touser":""`), 81013, ""},
		{"send: all invalid", "app", "message/send", message(`"touser":"a|b","toparty":"99","totag":"9"`), 81013, ""},
		{"send: too many", "app", "message/send", message(`"touser":"` + strings.Repeat("a|", 1001) + `"`), 40032, ""},
		{"recall: unknown", "app", "message/recall", `{"msgid":"x"}`, 40058, ""},
		{"agent get: sync token", "sync", "agent/get?agentid=1000002", "", 48002, ""},
		{"agent get: no id", "app", "agent/get", "", 41011, ""},
		{"agent get: text", "app", "agent/get?agentid=x", "", 40056, ""},
		{"agent get: other", "app", "agent/get?agentid=1", "", 301002, ""},
		{"agent list: sync token", "sync", "agent/list", "", 48002, ""},
	}
	x := newCorp(t)
	x.populate()
	x.configure(`{"creator":"wangwu"}`)
	x.must(x.app, "tag/create", `{"tagname":"骨干","tagid":1}`)
	x.must(x.sync, "tag/create", `{"tagname":"值班","tagid":2}`)
	users, departments := x.count("users"), x.count("departments")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x.t = t
			token := x.sync
			if tt.token == "app" {
				token = x.app
			}
			a := x.as(token, tt.path, tt.body)
			if a.status != 200 || a.code != tt.code || !strings.Contains(a.text, tt.text) {
				t.Errorf("answer is %d %s, want code %d with %q", a.status, a.raw, tt.code, tt.text)
			}
			if a.header.Get("Error-Code") != fmt.Sprint(a.code) || a.header.Get("Error-Msg") == "" {
				t.Errorf("headers are %v", a.header)
			}
			if x.count("users") != users || x.count("departments") != departments {
				t.Error("a refused call has changed something")
			}
		})
	}
}

func member(extra string) string {
	return `{"userid":"a","name":"甲","mobile":"13900000000",` + extra + `}`
}

func message(extra string) string {
	return `{"agentid":1000002,"msgtype":"text","text":{"content":"通知"},` + extra + `}`
}

func numbers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i + 2)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func TestDefaultFieldsOfErrors(t *testing.T) {
	x := newCorp(t)
	for path, want := range map[string][]string{
		"user/get?userid=a":             {"department", "order", "is_leader_in_dept", "direct_leader"},
		"user/list_id":                  {"dept_user"},
		"user/list?department_id=1":     {"userlist"},
		"department/simplelist":         {"department_id"},
		"department/list":               {"department"},
		"tag/list":                      {"taglist"},
		"tag/get?tagid=1":               {"userlist", "partylist"},
		"getcallbackip":                 {"ip_list"},
		"user/delete?userid=a":          {},
		"user/simplelist?department_id": {"userlist"},
	} {
		a := x.as("FAKE_TOKEN", path, "")
		if a.code != 40014 || a.text != "invalid access_token" {
			t.Errorf("%s: %s", path, a.raw)
		}
		for _, name := range want {
			if string(a.body[name]) != "[]" {
				t.Errorf("%s: %s is %s", path, name, a.body[name])
			}
		}
		if len(a.body) != len(want)+2 {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
}
