package wecom_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

const (
	listPath     = "externalcontact/get_unassigned_list"
	transferPath = "externalcontact/resigned/transfer_customer"
	resultPath   = "externalcontact/resigned/transfer_result"
	chatsPath    = "externalcontact/groupchat/transfer"
)

// year is a little more than the year within which somebody's customers can be handed over.
const year = 366 * 24 * time.Hour

// customers gives a member customers wm1, wm2 ..., with what is said of each.
func (x *corp) customers(member string, each ...string) {
	x.t.Helper()
	for i, more := range each {
		x.create("customers", fmt.Sprintf("wm%d", i+1), fmt.Sprintf(`{"userid":%q%s}`, member, more))
	}
}

func (x *corp) create(collection, id, fields string) {
	x.t.Helper()
	if err := x.admin.Create("acme", collection, id, json.RawMessage(fields)); err != nil {
		x.t.Fatal(err)
	}
}

// ready is a corp with four members who have joined; zhangsan has customers.
func ready(t *testing.T, each ...string) *corp {
	t.Helper()
	x := newCorp(t)
	x.populate()
	x.accept("lisi")
	x.accept("wangwu")
	x.customers("zhangsan", each...)
	return x
}

// codes hands customers over and gives the code of each.
func (x *corp) codes(from, to string, ids ...string) []int {
	x.t.Helper()
	var rows []struct {
		ID   string `json:"external_userid"`
		Code int    `json:"errcode"`
	}
	x.must(x.app, transferPath, request("handover_userid", from, "takeover_userid", to, "external_userid", ids)).into("customer", &rows)
	var list []int
	for i, r := range rows {
		if r.ID != ids[i] {
			x.t.Errorf("row %d is about %s", i, r.ID)
		}
		list = append(list, r.Code)
	}
	return list
}

// request writes a body of names and values.
func request(pairs ...any) string {
	body := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		body[pairs[i].(string)] = pairs[i+1]
	}
	text, _ := json.Marshal(body) // texts, lists and numbers
	return string(text)
}

type result struct {
	ID     string `json:"external_userid"`
	Status int    `json:"status"`
	Time   int64  `json:"takeover_time"`
}

func (x *corp) results(from, to string) []result {
	x.t.Helper()
	var all []result
	for cursor := ""; ; {
		a := x.must(x.app, resultPath, request("handover_userid", from, "takeover_userid", to, "cursor", cursor))
		var page []result
		a.into("customer", &page)
		all = append(all, page...)
		if cursor = a.str("next_cursor"); cursor == "" {
			return all
		}
	}
}

func (x *corp) unassigned() []string {
	x.t.Helper()
	list := []string{}
	for cursor := ""; ; {
		a := x.must(x.app, listPath, request("cursor", cursor, "page_size", 2))
		var page []struct {
			From string `json:"handover_userid"`
			ID   string `json:"external_userid"`
		}
		a.into("info", &page)
		for _, r := range page {
			list = append(list, r.From+"/"+r.ID)
		}
		cursor = a.str("next_cursor")
		if last := string(a.body["is_last"]); (cursor == "") != (last == "true") {
			x.t.Fatalf("is_last and next_cursor: %s", a.raw)
		}
		if cursor == "" {
			return list
		}
	}
}

func (x *corp) owner(customer string) string {
	x.t.Helper()
	o, err := x.admin.Object("acme", "customers", customer)
	if err != nil {
		x.t.Fatal(err)
	}
	return o.(*wecom.Customer).UserID
}

// TestInheritance is the life of three customers: one is taken over, one refuses, and of
// one the taker has no room for.
func TestInheritance(t *testing.T) {
	x := ready(t, "", `,"refuses":true`, "")
	x.configure(`{"maxCustomers":1,"maxTransferRows":2}`)
	if got := x.unassigned(); len(got) != 0 {
		t.Errorf("nobody has left: %v", got)
	}
	body := request("handover_userid", "zhangsan", "takeover_userid", "lisi", "external_userid", []string{"wm1"})
	x.refuses(40097, x.app, transferPath, body)
	x.must(x.sync, "user/update", `{"userid":"zhangsan","enable":0}`)
	x.refuses(40097, x.app, transferPath, body) // frozen is not gone
	x.delete("zhangsan")
	if got := x.unassigned(); !slices.Equal(got, []string{"zhangsan/wm1", "zhangsan/wm2", "zhangsan/wm3"}) {
		t.Errorf("unassigned: %v", got)
	}
	if got := x.codes("ZhangSan", "lisi", "wm1", "wm2", "wm3", "wm9", "wm1"); !slices.Equal(got, []int{0, 0, 0, 40096, 40129}) {
		t.Errorf("transfer_customer: %v", got)
	}
	started := x.core.Clock.Now()
	due := started.Add(24 * time.Hour)
	waiting := []result{{"wm1", 2, due.Unix()}, {"wm2", 2, due.Unix()}, {"wm3", 2, due.Unix()}}
	x.pass(24*time.Hour - time.Second)
	if got := x.results("zhangsan", "lisi"); !slices.Equal(got, waiting) {
		t.Errorf("a second before the day is over: %+v", got)
	}
	if got := x.owner("wm1"); got != "zhangsan" {
		t.Errorf("wm1 belongs to %s too early", got)
	}
	if got := x.unassigned(); len(got) != 0 {
		t.Errorf("unassigned while waiting: %v", got)
	}
	x.pass(time.Second)
	if got, want := x.results("zhangsan", "lisi"), []result{{"wm1", 1, due.Unix()}, {"wm2", 3, 0}, {"wm3", 4, 0}}; !slices.Equal(got, want) {
		t.Errorf("when the day is over: %+v, want %+v", got, want)
	}
	if got := x.owner("wm1"); got != "lisi" {
		t.Errorf("wm1 belongs to %s", got)
	}
	if got := x.unassigned(); !slices.Equal(got, []string{"zhangsan/wm2", "zhangsan/wm3"}) {
		t.Errorf("unassigned once it failed: %v", got)
	}
	left := x.left("zhangsan")
	handed := func(id, state string) core.HandOver {
		return core.HandOver{What: "customer", To: "lisi", Items: []string{id}, State: state, Time: due}
	}
	if want := []core.HandOver{handed("wm1", "done"), handed("wm2", "refused"), handed("wm3", "full")}; !reflect.DeepEqual(left.HandedOver, want) {
		t.Errorf("left: %+v", left)
	}
	// What is done is not the leaver's any more; somebody else may take the rest.
	if got := x.codes("zhangsan", "wangwu", "wm1", "wm3"); !slices.Equal(got, []int{40096, 0}) {
		t.Errorf("to somebody else: %v", got)
	}
	if got := x.results("zhangsan", "lisi"); len(got) != 2 {
		t.Errorf("results of the first: %+v", got)
	}
}

func TestInheritanceRefusals(t *testing.T) {
	x := ready(t, "")
	x.must(x.sync, "user/create", `{"userid":"new","name":"新人","mobile":"13800000009","department":[2]}`)
	x.must(x.sync, "user/create", `{"userid":"off","name":"停用","mobile":"13800000008","department":[2]}`)
	x.accept("off")
	x.must(x.sync, "user/update", `{"userid":"off","enable":0}`)
	x.configure(`{"noCustomers":["WangWu"]}`)
	x.delete("zhangsan")
	many := make([]string, 101)
	for _, tt := range []struct {
		name string
		from any
		to   any
		ids  any
		want int
	}{
		{"no leaver", "", "lisi", []string{"wm1"}, 40058},
		{"no taker", "zhangsan", "", []string{"wm1"}, 40058},
		{"no customers", "zhangsan", "lisi", []string{}, 40058},
		{"too many", "zhangsan", "lisi", many, 40058},
		{"customers as text", "zhangsan", "lisi", "wm1", 40058},
		{"never there", "gone", "lisi", []string{"wm1"}, 40003},
		{"an unknown taker", "zhangsan", "gone", []string{"wm1"}, 40003},
		{"a taker who has not joined", "zhangsan", "new", []string{"wm1"}, 41054},
		{"a taker who is disabled", "zhangsan", "off", []string{"wm1"}, 41054},
		{"a taker without the right", "zhangsan", "wangwu", []string{"wm1"}, 610004},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x.t = t
			x.refuses(tt.want, x.app, transferPath, request("handover_userid", tt.from, "takeover_userid", tt.to, "external_userid", tt.ids))
		})
	}
	x.t = t
	x.refuses(48002, x.sync, transferPath, request("handover_userid", "zhangsan"))
	x.refuses(40058, x.app, listPath, `{"page_size":1001}`)
	x.refuses(40058, x.app, resultPath, request("handover_userid", "zhangsan", "takeover_userid", "lisi", "cursor", "?"))
	x.configure(`{"closed":["customer"]}`)
	for _, path := range []string{listPath, transferPath, resultPath, chatsPath} {
		x.refuses(48002, x.app, path, `{"page_size":1}`)
	}
	x.configure(`{"closed":[]}`)
	x.pass(year)
	x.refuses(40003, x.app, transferPath, request("handover_userid", "zhangsan", "takeover_userid", "lisi", "external_userid", []string{"wm1"}))
	if got := x.unassigned(); len(got) != 0 {
		t.Errorf("after more than a year: %v", got)
	}
}

// TestUnassignedByPage reads by number, with whoever left last first.
func TestUnassignedByPage(t *testing.T) {
	x := ready(t, "", "")
	x.create("customers", "wmL", `{"userid":"lisi"}`)
	x.delete("zhangsan")
	x.pass(time.Hour)
	x.delete("lisi")
	page := func(n int) (ids []string, last string) {
		a := x.must(x.app, listPath, request("page_id", n, "page_size", 2))
		var rows []struct {
			ID string `json:"external_userid"`
		}
		a.into("info", &rows)
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return ids, string(a.body["is_last"])
	}
	first, more := page(0)
	second, end := page(1)
	if !slices.Equal(first, []string{"wmL", "wm1"}) || !slices.Equal(second, []string{"wm2"}) || more != "false" || end != "true" {
		t.Errorf("pages: %v %s, %v %s", first, more, second, end)
	}
}

type failedChat struct {
	ID   string `json:"chat_id"`
	Code int    `json:"errcode"`
	Text string `json:"errmsg"`
}

func (x *corp) transferChats(to string, ids ...string) []failedChat {
	x.t.Helper()
	var failed []failedChat
	x.must(x.app, chatsPath, request("chat_id_list", ids, "new_owner", to)).into("failed_chat_list", &failed)
	return failed
}

func (x *corp) chatStatus(id string) int {
	x.t.Helper()
	var rows []struct {
		ID     string `json:"chat_id"`
		Status int    `json:"status"`
	}
	x.must(x.app, "externalcontact/groupchat/list", `{"limit":1000}`).into("group_chat_list", &rows)
	for _, r := range rows {
		if r.ID == id {
			return r.Status
		}
	}
	x.t.Fatalf("there is no chat %s", id)
	return 0
}

// TestChatInheritance is the life of a chat whose owner leaves.
func TestChatInheritance(t *testing.T) {
	x := ready(t)
	x.create("groups", "wr1", `{"owner":"zhangsan","name":"客户群"}`)
	x.create("groups", "wr2", `{"owner":"wangwu","name":"客户群"}`)
	if got := x.transferChats("lisi", "wr1"); len(got) != 1 || got[0] != (failedChat{"wr1", 90500, "the owner of this chat is not resigned"}) {
		t.Errorf("before the owner has left: %+v", got)
	}
	x.delete("zhangsan")
	if got := x.chatStatus("wr1"); got != 1 {
		t.Errorf("status without an owner: %d", got)
	}
	if got := x.transferChats("lisi", "wr1", "wr2", "wr3"); len(got) != 2 || got[0].Code != 90500 || got[1].Code != 90501 {
		t.Errorf("started: %+v", got)
	}
	if got := x.transferChats("lisi", "wr1"); len(got) != 1 || got[0].Code != 90507 {
		t.Errorf("started again: %+v", got)
	}
	if got := x.chatStatus("wr1"); got != 2 {
		t.Errorf("status on the way: %d", got)
	}
	x.pass(24 * time.Hour)
	if got := x.chatStatus("wr1"); got != 3 {
		t.Errorf("status at the end: %d", got)
	}
	var chat struct{ Owner string }
	x.must(x.app, "externalcontact/groupchat/get", `{"chat_id":"wr1"}`).into("group_chat", &chat)
	if chat.Owner != "lisi" {
		t.Errorf("the owner is %s", chat.Owner)
	}
	if got := x.transferChats("wangwu", "wr1"); len(got) != 1 || got[0].Code != 90508 {
		t.Errorf("once it is done: %+v", got)
	}
	if h := x.left("zhangsan").HandedOver; len(h) != 1 || h[0].What != "chat" || h[0].To != "lisi" || h[0].State != "done" || h[0].Items[0] != "wr1" {
		t.Errorf("left: %+v", h)
	}
	x.refuses(40058, x.app, chatsPath, `{"new_owner":"lisi"}`)
	x.refuses(46004, x.app, chatsPath, `{"chat_id_list":["wr1"],"new_owner":"gone"}`)
	x.refuses(40058, x.app, chatsPath, request("chat_id_list", make([]string, 101), "new_owner", "lisi"))
	x.delete("wangwu")
	x.pass(year)
	if got := x.transferChats("lisi", "wr2"); len(got) != 1 || got[0].Code != 40003 {
		t.Errorf("after more than a year: %+v", got)
	}
}

// TestChatsADay: 300 of one owner.
func TestChatsADay(t *testing.T) {
	x := ready(t)
	var ids []string
	for i := range 301 {
		ids = append(ids, fmt.Sprintf("wr%03d", i))
		x.create("groups", ids[i], `{"owner":"zhangsan"}`)
	}
	x.create("groups", "wrOther", `{"owner":"wangwu"}`)
	x.delete("zhangsan")
	x.delete("wangwu")
	for i := range 3 {
		if got := x.transferChats("lisi", ids[i*100:i*100+100]...); len(got) != 0 {
			t.Fatalf("lot %d: %+v", i, got)
		}
	}
	if got := x.transferChats("lisi", ids[300], "wrOther"); len(got) != 1 || got[0].ID != ids[300] || got[0].Code != 45009 {
		t.Errorf("one more: %+v", got)
	}
	x.pass(15 * time.Hour) // past midnight in China: 17:00 + 15 h
	if got := x.transferChats("lisi", ids[300]); len(got) != 0 {
		t.Errorf("the next day: %+v", got)
	}
}

// TestCustomersOfAHistory: who leaves keeps customers and chats until somebody takes over.
func TestCustomersOfAHistory(t *testing.T) {
	x := withPast(t)
	owned := map[string][]string{}
	for _, o := range x.objects("customers") {
		c := o.(*wecom.Customer)
		owned[c.UserID] = append(owned[c.UserID], c.ExternalUserID)
	}
	if len(owned) < 20 || len(owned) == 40 {
		t.Errorf("%d of 40 members have customers", len(owned))
	}
	chats := fmt.Sprint(x.objects("groups"))
	x.delete("S00001") // the owner of the first chat
	if after := fmt.Sprint(x.objects("groups")); after != chats {
		t.Errorf("chats: %s, after somebody left: %s", chats, after)
	}
	if got := x.chatStatus("wrOgQhDgAA00000001"); got != 1 {
		t.Errorf("the chat of who left: %d", got)
	}
	var someone string
	for id := range owned {
		if id != "S00001" && id != "S00002" {
			someone = id
		}
	}
	x.delete(someone)
	var want []string
	for _, id := range owned[someone] {
		want = append(want, someone+"/"+id)
	}
	if got := x.unassigned(); len(want) == 0 || !slices.Equal(got[len(got)-len(owned["S00001"])-len(want):][len(owned["S00001"]):], want) {
		t.Errorf("unassigned: %v, want %v at the end", got, want)
	}
	if got := x.codes(someone, "S00002", owned[someone]...); slices.ContainsFunc(got, func(c int) bool { return c != 0 }) {
		t.Errorf("handed over: %v", got)
	}
	if err := x.admin.Remove("acme", "customers", owned[someone][0]); err != nil {
		t.Fatal(err)
	}
	if _, err := x.admin.Object("acme", "customers", owned[someone][0]); err == nil {
		t.Error("a customer who was removed is still there")
	}
}

// TestInheritanceFaults: faults strike these calls like any other, and the log says whom they are about.
func TestInheritanceFaults(t *testing.T) {
	x := ready(t, "", "", "", "")
	x.delete("zhangsan")
	add := func(f core.Fault) {
		t.Helper()
		f.Platform, f.Times = "wecom", 1
		if _, err := x.core.Faults.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	add(core.Fault{Operation: "resigned/transfer_customer", Subject: "zhangsan", Kind: core.KindError, Code: "-1"})
	x.refuses(-1, x.app, transferPath, request("handover_userid", "zhangsan", "takeover_userid", "lisi", "external_userid", []string{"wm1"}))
	add(core.Fault{Operation: listPath, Kind: core.KindPartialPage, Rows: 1})
	if got := x.unassigned(); len(got) != 1 {
		t.Errorf("a page that claims to be the last: %v", got)
	}
	x.codes("zhangsan", "lisi", "wm1", "wm2")
	add(core.Fault{Operation: resultPath, Subject: "zhangsan", Kind: core.KindEmptyListing})
	if got := x.results("zhangsan", "lisi"); len(got) != 0 {
		t.Errorf("an empty listing: %v", got)
	}
	pinned, err := x.core.Faults.Add(core.Fault{Platform: "wecom", Operation: resultPath, Kind: core.KindStale})
	if err != nil {
		t.Fatal(err)
	}
	x.pass(24 * time.Hour)
	if got := x.results("zhangsan", "lisi"); len(got) != 2 || got[0].Status != 2 {
		t.Errorf("a stale answer: %v", got)
	}
	if err := x.core.Faults.Remove(pinned.ID); err != nil {
		t.Fatal(err)
	}
	if got := x.results("zhangsan", "lisi"); len(got) != 2 || got[0].Status != 1 {
		t.Errorf("a fresh answer: %v", got)
	}
	for path, subject := range map[string]string{transferPath: "zhangsan", resultPath: "zhangsan", listPath: "", chatsPath: "wr8,wr9"} {
		if path == chatsPath {
			x.transferChats("lisi", "wr8", "wr9")
		}
		calls := x.core.Log.Entries(core.Query{Operation: path})
		if len(calls) == 0 || calls[0].Subject != subject {
			t.Errorf("the log of %s: %+v", path, calls)
		}
	}
}
