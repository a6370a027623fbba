package wecom_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

func (x *corp) objects(collection string) []any {
	x.t.Helper()
	list, err := x.admin.Objects("acme", collection)
	if err != nil {
		x.t.Fatal(err)
	}
	return list
}

func (x *corp) left(id string) core.Left {
	x.t.Helper()
	o, err := x.admin.Object("acme", "left", id)
	if err != nil {
		x.t.Fatal(err)
	}
	return o.(core.Left)
}

// delete deletes a member as the sync assistant does.
func (x *corp) delete(id string) {
	x.t.Helper()
	x.must(x.sync, "user/delete?userid="+id, "")
}

// pass moves the clock and gets new tokens, for the old ones may have expired.
func (x *corp) pass(d time.Duration) {
	x.t.Helper()
	x.core.Clock.Advance(d)
	x.sync, x.app = x.token(syncSecret), x.token(appSecret)
}

// TestReceived: what somebody really got, and how often. The log has no text.
func TestReceived(t *testing.T) {
	x := newCorp(t)
	x.populate()
	x.must(x.sync, "user/update", `{"userid":"wangwu","enable":0}`)
	start := x.core.Clock.Now()
	send := func(to, text, more string) string {
		t.Helper()
		return x.must(x.app, "message/send", fmt.Sprintf(
			`{"touser":%q,"msgtype":"text","agentid":1000002,"text":{"content":%q}%s}`, to, text, more)).str("msgid")
	}
	const check = `,"enable_duplicate_check":1,"duplicate_check_interval":14400`
	first := send("zhangsan|WangWu", "再见", check)
	send("zhangsan|WangWu", "再见", check)
	other := send("zhangsan", "再见", check) // another message: other receivers
	x.pass(5 * time.Hour)
	late := send("zhangsan|wangwu", "再见", check)
	plain := send("lisi", "**交接**", "")
	want := []any{
		core.Received{
			To: "zhangsan", Text: "再见", Count: 3, Messages: []string{first, other, late},
			Times: []time.Time{start, start, start.Add(5 * time.Hour)},
		},
		core.Received{To: "lisi", Text: "**交接**", Count: 1, Messages: []string{plain}, Times: []time.Time{start.Add(5 * time.Hour)}},
	}
	if got := x.objects("received"); !reflect.DeepEqual(got, want) {
		t.Errorf("received: %+v", got)
	}
	x.delete("lisi")
	if a := x.as(x.app, "message/send", `{"touser":"lisi","msgtype":"text","agentid":1000002,"text":{"content":"x"}}`); a.code != 81013 {
		t.Errorf("to who is deleted: %s", a.raw)
	}
	calls := x.core.Log.Entries(core.Query{Operation: "message/send"})
	if len(calls) != 6 || calls[0].Subject != "zhangsan|WangWu" || strings.Contains(fmt.Sprintf("%+v", calls), "再见") {
		t.Errorf("the log: %+v", calls)
	}
}

// TestLeft: who left, when, by which call. Somebody who is back can leave again.
func TestLeft(t *testing.T) {
	x := newCorp(t)
	x.populate()
	start := x.core.Clock.Now()
	x.delete("ZhangSan")
	x.pass(time.Hour)
	x.must(x.sync, "user/batchdelete", `{"useridlist":["lisi","LiSi"]}`)
	x.must(x.sync, "user/create", `{"userid":"zhangsan","name":"张三","mobile":"13800000001","department":[2]}`)
	if err := x.admin.Remove("acme", "users", "zhangsan"); err != nil {
		t.Fatal(err)
	}
	entry := func(id string, hours int, by, credential string) core.Left {
		return core.Left{
			ID: id, Time: start.Add(time.Duration(hours) * time.Hour), By: by, Credential: credential, HandedOver: []core.HandOver{},
		}
	}
	want := []any{
		entry("zhangsan", 0, "/cgi-bin/user/delete", "sync"), entry("lisi", 1, "/cgi-bin/user/batchdelete", "sync"),
		entry("zhangsan", 1, core.ByHand, ""),
	}
	if got := x.objects("left"); !reflect.DeepEqual(got, want) {
		t.Errorf("left: %+v", got)
	}
	if got := x.left("zhangsan"); got.By != core.ByHand {
		t.Errorf("the last leaving: %+v", got)
	}
	if calls := x.core.Log.Entries(core.Query{Operation: "user/batchdelete"}); len(calls) != 1 || calls[0].Subject != "lisi,LiSi" {
		t.Errorf("the log: %+v", calls)
	}
	x.configure(`{"creator":"wangwu"}`)
	if a := x.as(x.sync, "user/delete?userid=wangwu", ""); a.code != 301005 {
		t.Errorf("the creator: %s", a.raw)
	}
	if a := x.as(x.sync, "user/batchdelete", `{"useridlist":["WangWu"]}`); a.code != 301005 {
		t.Errorf("the creator among others: %s", a.raw)
	}
	x.core.Reset()
	if got := x.objects("left"); len(got) != 0 {
		t.Errorf("left after a reset: %+v", got)
	}
}
