package sdk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/silenceper/wechat/v2/work/addresslist"
	"github.com/silenceper/wechat/v2/work/message"
)

// TestWeComDepartment is the life of one department.
func TestWeComDepartment(t *testing.T) {
	sync, app := newWeCom(t)
	made, err := sync.DepartmentCreate(&addresslist.DepartmentCreateRequest{Name: "研发", NameEn: "Dev", ParentID: 1, Order: 7, ID: 20})
	ok(t, err)
	same(t, "an id that was chosen", made.ID, 20)
	made, err = sync.DepartmentCreate(&addresslist.DepartmentCreateRequest{Name: "后端", ParentID: 20})
	ok(t, err)
	backend := made.ID
	has(t, "wecom/acme/departments/20", `{"name":"研发","name_en":"Dev","parentid":1,"order":7}`)
	got, err := app.DepartmentGet(20)
	ok(t, err)
	same(t, "department/get", *got, addresslist.Department{
		ID: 20, Name: "研发", NameEn: "Dev", DepartmentLeader: []string{}, ParentID: 1, Order: 7,
	})
	below, err := app.DepartmentListByID(20)
	ok(t, err)
	if len(below) != 2 {
		t.Errorf("department/list below 20: %+v", below)
	}
	ids, err := sync.DepartmentSimpleList(backend)
	ok(t, err)
	if len(ids) != 1 || ids[0].ID != backend || ids[0].ParentID != 20 {
		t.Errorf("department/simplelist of %d: %+v", backend, ids)
	}

	ok(t, sync.post("department/update", map[string]any{"id": 20, "name": "研发中心", "order": 9}))
	has(t, "wecom/acme/departments/20", `{"name":"研发中心","name_en":"Dev","parentid":1,"order":9}`)
	ok(t, sync.post("department/update", map[string]any{"id": backend, "parentid": 1}))
	has(t, fmt.Sprintf("wecom/acme/departments/%d", backend), `{"name":"后端","parentid":1}`)
	ok(t, sync.get("department/delete", map[string]any{"id": 20}))
	gone(t, "wecom/acme/departments/20")
	_, err = app.DepartmentGet(20)
	failed(t, "getting what is deleted", err, 60123, "invalid party id")
}

func TestWeComDepartmentRefusals(t *testing.T) {
	sync, _ := newWeCom(t)
	create := func(d addresslist.DepartmentCreateRequest) error {
		_, err := sync.DepartmentCreate(&d)
		return err
	}
	update := func(fields map[string]any) error { return sync.post("department/update", fields) }
	remove := func(id int) error { return sync.get("department/delete", map[string]any{"id": id}) }
	ok(t, create(addresslist.DepartmentCreateRequest{ID: 20, Name: "研发", ParentID: 1}))
	ok(t, create(addresslist.DepartmentCreateRequest{ID: 21, Name: "后端", ParentID: 20}))
	_, err := sync.UserCreate(wecomUser(1, 21))
	ok(t, err)
	all := func(id int) error {
		_, err := sync.DepartmentSimpleList(id)
		return err
	}
	for _, c := range []struct {
		what string
		err  error
		code int64
		text string
	}{
		{"a name twice", create(addresslist.DepartmentCreateRequest{Name: "研发", ParentID: 1}), 60008, "department existed: 20 is existed"},
		{"an id twice", create(addresslist.DepartmentCreateRequest{ID: 20, Name: "测试", ParentID: 1}), 60008, "department existed: 20"},
		{"a bad name", create(addresslist.DepartmentCreateRequest{Name: "研:发", ParentID: 1}), 60009, ""},
		{"no such parent", create(addresslist.DepartmentCreateRequest{Name: "测试", ParentID: 987654}), 60004, ""},
		{"below itself", update(map[string]any{"id": 20, "parentid": 21}), 60010, ""},
		{"to no parent", update(map[string]any{"id": 20, "parentid": 987654}), 60124, ""},
		{"updating none", update(map[string]any{"id": 987654, "name": "测试"}), 60003, ""},
		{"deleting with people", remove(21), 60005, ""},
		{"deleting with departments", remove(20), 60006, ""},
		{"deleting none", remove(987654), 60123, ""},
		// The SDK cannot leave the id out, which is how the platform lists them all.
		{"listing below 0", all(0), 60123, ""},
	} {
		failed(t, c.what, c.err, c.code, c.text)
	}
	same(t, "departments", count(t, "wecom/acme/departments"), 3)
	ok(t, create(addresslist.DepartmentCreateRequest{Name: "研发", ParentID: 20})) // the name of the parent
}

// TestWeComTag is the life of one tag. Only who made it may change it.
func TestWeComTag(t *testing.T) {
	sync, app := newWeCom(t)
	_, err := sync.DepartmentCreate(&addresslist.DepartmentCreateRequest{ID: 20, Name: "研发", ParentID: 1})
	ok(t, err)
	for n := 1; n <= 3; n++ {
		_, err := sync.UserCreate(wecomUser(n, 20))
		ok(t, err)
	}
	made, err := app.CreateTag(&addresslist.CreateTagRequest{TagName: "审计"})
	ok(t, err)
	tag := made.TagID
	ok(t, app.UpdateTag(&addresslist.UpdateTagRequest{TagID: tag, TagName: "审计员"}))
	added, err := app.AddTagUsers(&addresslist.AddTagUsersRequest{
		TagID: tag, UserList: []string{"E1", "E2", "nobody"}, PartyList: []int{20, 987654},
	})
	ok(t, err)
	same(t, "who is unknown", added.InvalidList, "nobody")
	same(t, "what is unknown", added.InvalidParty, []int{987654})
	removed, err := app.DelTagUsers(&addresslist.DelTagUsersRequest{TagID: tag, UserList: []string{"E1"}})
	ok(t, err)
	same(t, "who is unknown", removed.InvalidList, "")
	has(t, fmt.Sprintf("wecom/acme/tags/%d", tag), `{"tagname":"审计员","userlist":["E2"],"partylist":[20]}`)
	got, err := app.GetTag(tag)
	ok(t, err)
	same(t, "tag/get", []any{got.TagName, got.UserList, got.PartyList},
		[]any{"审计员", []addresslist.GetTagUserList{{UserID: "E2", Name: "员工2"}}, []int{20}})
	list, err := sync.ListTag()
	ok(t, err)
	same(t, "tag/list", list.TagList, []addresslist.Tag{{TagID: tag, TagName: "审计员"}})

	_, err = app.CreateTag(&addresslist.CreateTagRequest{TagName: "审计员"})
	failed(t, "a name twice", err, 40071, "")
	_, err = app.CreateTag(&addresslist.CreateTagRequest{TagName: "安全", TagID: tag})
	failed(t, "an id twice", err, 40068, "")
	failed(t, "somebody else's", sync.UpdateTag(&addresslist.UpdateTagRequest{TagID: tag, TagName: "安全"}), 60011, "")
	_, err = sync.AddTagUsers(&addresslist.AddTagUsersRequest{TagID: tag, UserList: []string{"E1"}})
	failed(t, "adding to somebody else's", err, 81011, "")
	_, err = app.AddTagUsers(&addresslist.AddTagUsersRequest{TagID: tag, UserList: []string{"nobody"}})
	failed(t, "adding nobody", err, 40070, "all list invalid")

	// Who leaves, leaves the tag.
	_, err = sync.UserDelete("E2")
	ok(t, err)
	has(t, fmt.Sprintf("wecom/acme/tags/%d", tag), `{"userlist":[]}`)
	ok(t, app.DeleteTag(tag))
	gone(t, fmt.Sprintf("wecom/acme/tags/%d", tag))
	_, err = app.GetTag(tag)
	failed(t, "getting what is deleted", err, 40068, "invalid tagid")
	failed(t, "deleting what is deleted", app.DeleteTag(tag), 40068, "invalid tagid")
}

// TestWeComTagBatches: a call takes 1,000 people and 100 departments, those who do not exist among them, and refuses one more.
func TestWeComTagBatches(t *testing.T) {
	sync, app := newWeCom(t)
	_, err := sync.DepartmentCreate(&addresslist.DepartmentCreateRequest{ID: 20, Name: "研发", ParentID: 1})
	ok(t, err)
	_, err = sync.UserCreate(wecomUser(1, 20))
	ok(t, err)
	made, err := app.CreateTag(&addresslist.CreateTagRequest{TagName: "审计"})
	ok(t, err)
	people, units := []string{"E1"}, []int{20}
	for n := range 999 {
		people = append(people, fmt.Sprintf("nobody%d", n))
	}
	for n := range 99 {
		units = append(units, 987000+n)
	}
	added, err := app.AddTagUsers(&addresslist.AddTagUsersRequest{TagID: made.TagID, UserList: people, PartyList: units})
	ok(t, err)
	same(t, "who is unknown", added.InvalidList, strings.Join(people[1:], "|"))
	same(t, "what is unknown", added.InvalidParty, units[1:])
	has(t, fmt.Sprintf("wecom/acme/tags/%d", made.TagID), `{"userlist":["E1"],"partylist":[20]}`)
	for what, more := range map[string]struct {
		people []string
		units  []int
	}{"1,001 people": {people: append(people, "nobody")}, "101 departments": {units: append(units, 986999)}} {
		_, err = app.AddTagUsers(&addresslist.AddTagUsersRequest{TagID: made.TagID, UserList: more.people, PartyList: more.units})
		failed(t, what+" to give a tag to", err, 40035, "")
		_, err = app.DelTagUsers(&addresslist.DelTagUsersRequest{TagID: made.TagID, UserList: more.people, PartyList: more.units})
		failed(t, what+" to take a tag from", err, 40035, "")
	}
	removed, err := app.DelTagUsers(&addresslist.DelTagUsersRequest{TagID: made.TagID, UserList: people, PartyList: units})
	ok(t, err)
	same(t, "who is unknown", removed.InvalidList, strings.Join(people[1:], "|"))
	has(t, fmt.Sprintf("wecom/acme/tags/%d", made.TagID), `{"userlist":[],"partylist":[]}`)
}

// wecomText is a text from the built-in app. The SDK sends agentid as text.
func wecomText(to, content string) message.SendTextRequest {
	return message.SendTextRequest{
		SendRequestCommon: &message.SendRequestCommon{ToUser: to, AgentID: "1000002"},
		Text:              message.TextField{Content: content},
	}
}

func TestWeComMessage(t *testing.T) {
	sync, app := newWeCom(t)
	_, err := sync.DepartmentCreate(&addresslist.DepartmentCreateRequest{ID: 20, Name: "研发", ParentID: 1})
	ok(t, err)
	_, err = sync.UserCreate(wecomUser(1, 1))
	ok(t, err)
	_, err = sync.UserCreate(wecomUser(2, 20))
	ok(t, err)
	text := wecomText("E1|NoBody", "入职")
	text.ToParty, text.ToTag = "20|987654", "5"
	text.EnableDuplicateCheck, text.DuplicateCheckInterval = 1, 1800
	sent, err := app.messages.SendText(text)
	ok(t, err)
	same(t, "who is unknown", []string{sent.InvalidUser, sent.InvalidParty, sent.InvalidTag}, []string{"nobody", "987654", "5"})
	has(t, "wecom/acme/messages/"+sent.MsgID, `{"agentid":1000002,"msgtype":"text","content":"入职","to":["E1","E2"],"duplicate":false}`)
	again, err := app.messages.SendText(text)
	ok(t, err)
	has(t, "wecom/acme/messages/"+again.MsgID, `{"to":[],"duplicate":true}`)

	_, err = app.messages.SendText(wecomText("nobody", "x"))
	failed(t, "to nobody", err, 81013, "user & party & tag all invalid")
	other := wecomText("E1", "x")
	other.AgentID = "1"
	_, err = app.messages.SendText(other)
	failed(t, "as another app", err, 301002, "")
	other.AgentID = ""
	_, err = app.messages.SendText(other)
	failed(t, "as no app", err, 41011, "")
	_, err = app.messages.SendText(wecomText("E1", ""))
	failed(t, "nothing", err, 44004, "empty content")
}
