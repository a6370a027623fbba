package wecom_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestTags(t *testing.T) {
	x := newCorp(t)
	x.populate()
	if a := x.must(x.app, "tag/create", `{"tagname":"骨干"}`); a.integer("tagid") != 1 || a.text != "created" {
		t.Errorf("created: %s", a.raw)
	}
	a := x.must(x.app, "tag/addtagusers", `{"tagid":1,"userlist":["ZhangSan","a","lisi","b"],"partylist":[4,99]}`)
	if a.raw != `{"errcode":0,"errmsg":"ok","invalidlist":"a|b","invalidparty":[99]}` {
		t.Errorf("partly added: %s", a.raw)
	}
	x.must(x.app, "tag/addtagusers", `{"tagid":1,"userlist":["zhangsan"]}`)
	const want = `{"errcode":0,"errmsg":"ok","partylist":[4],"tagname":"骨干","userlist":[{"userid":"zhangsan","name":"张三"},{"userid":"lisi","name":"李四"}]}`
	if a := x.must(x.sync, "tag/get?tagid=1", ""); a.raw != want {
		t.Errorf("get: %s", a.raw)
	}
	x.must(x.app, "tag/deltagusers", `{"tagid":1,"userlist":["zhangsan"],"partylist":[4]}`)
	x.must(x.sync, "user/delete?userid=lisi", "")
	if a := x.must(x.app, "tag/get?tagid=1", ""); string(a.body["userlist"]) != "[]" || string(a.body["partylist"]) != "[]" {
		t.Errorf("emptied: %s", a.raw)
	}
	x.must(x.app, "tag/update", `{"tagid":1,"tagname":"骨干二"}`)
	if a := x.must(x.app, "tag/list", ""); string(a.body["taglist"]) != `[{"tagid":1,"tagname":"骨干二"}]` {
		t.Errorf("list: %s", a.raw)
	}
	x.must(x.app, "tag/delete?tagid=1", "")
	if x.count("tags") != 0 {
		t.Error("the tag is still there")
	}
}

// TestTagsShowWhatTheAppSees: who and what is outside its visible range is left out (90213).
func TestTagsShowWhatTheAppSees(t *testing.T) {
	x := newCorp(t)
	spec := `{"name":"initech","corpId":"wwinitech","syncSecret":"s-sync","apps":[{"name":"rd","agentId":2,"secret":"s-rd","departments":[2]}]}`
	if err := x.admin.AddTenant(json.RawMessage(spec)); err != nil {
		t.Fatal(err)
	}
	token := func(secret string) string {
		return x.do("GET", "gettoken?corpid=wwinitech&corpsecret="+secret, "").str("access_token")
	}
	x.sync = token("s-sync")
	x.populateOther()
	x.must(x.sync, "tag/create", `{"tagname":"骨干","tagid":1}`)
	x.must(x.sync, "tag/addtagusers", `{"tagid":1,"userlist":["lisi","wangwu"],"partylist":[3,4]}`)
	const want = `{"errcode":0,"errmsg":"ok","partylist":[3],"tagname":"骨干","userlist":[{"userid":"lisi","name":"李四"}]}`
	if a := x.must(token("s-rd"), "tag/get?tagid=1", ""); a.raw != want {
		t.Errorf("in sight: %s, want %s", a.raw, want)
	}
}

// TestTagsHaveLimits of a call (90214), of the corp and of a tag (90210).
func TestTagsHaveLimits(t *testing.T) {
	x := newCorp(t)
	x.populate()
	x.must(x.app, "tag/create", `{"tagname":"骨干","tagid":1}`)
	users, _ := json.Marshal(strings.Split(strings.Repeat("lisi,", 1000)+"lisi", ","))
	parties := "[" + strings.Repeat("4,", 100) + "4]"
	for _, path := range []string{"tag/addtagusers", "tag/deltagusers"} {
		x.refuses(40035, x.app, path, `{"tagid":1,"userlist":`+string(users)+`}`)
		x.refuses(40035, x.app, path, `{"tagid":1,"partylist":`+parties+`}`)
		x.must(x.app, path, `{"tagid":1,"userlist":["lisi"],"partylist":[4]}`)
	}
	for n := 2; n <= 3000; n++ {
		x.must(x.app, "tag/create", fmt.Sprintf(`{"tagname":"标签%d"}`, n))
	}
	x.refuses(40126, x.app, "tag/create", `{"tagname":"第三千零一"}`)
	x.must(x.app, "tag/delete?tagid=2", "")
	x.must(x.app, "tag/create", `{"tagname":"第三千"}`)
}

// TestATagIsFull of members and departments together (90210), whoever has it already.
func TestATagIsFull(t *testing.T) {
	x := newCorp(t)
	x.populate()
	x.configure(`{"maxTagNodes":2}`)
	x.must(x.app, "tag/create", `{"tagname":"骨干","tagid":1}`)
	x.must(x.app, "tag/addtagusers", `{"tagid":1,"userlist":["lisi"],"partylist":[4]}`)
	x.must(x.app, "tag/addtagusers", `{"tagid":1,"userlist":["LISI"]}`)
	x.refuses(81003, x.app, "tag/addtagusers", `{"tagid":1,"userlist":["wangwu"]}`)
	x.must(x.app, "tag/deltagusers", `{"tagid":1,"partylist":[4]}`)
	x.must(x.app, "tag/addtagusers", `{"tagid":1,"userlist":["wangwu"]}`)
}
