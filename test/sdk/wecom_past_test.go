package sdk

import (
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/work"
	"github.com/silenceper/wechat/v2/work/checkin"
	"github.com/silenceper/wechat/v2/work/config"
	"github.com/silenceper/wechat/v2/work/externalcontact"
)

// TestWeComCheckins reads a past. Of what backups read, this SDK has checkins and the
// chats with customers.
func TestWeComCheckins(t *testing.T) {
	reset(t)
	ask(t, "POST", "/seed", `{"platform":"wecom","tenant":"acme","users":3,"departments":1}`, nil)
	ask(t, "POST", "/history", `{"platform":"wecom","tenant":"acme","days":30,"seed":1}`, nil)
	defer ask(t, "POST", "/history", `{"platform":"wecom","tenant":"acme","days":0}`, nil)
	client := work.NewWork(&config.Config{CorpID: wecomCorp, CorpSecret: wecomAppSecret, Cache: cache.NewMemory()}).GetCheckin()
	var clock struct{ Now time.Time }
	ask(t, "GET", "/clock", "", &clock)
	read := func(days int) (*checkin.GetCheckinDataResponse, error) {
		return client.GetCheckinData(&checkin.GetCheckinDataRequest{
			OpenCheckinDataType: 3, StartTime: clock.Now.AddDate(0, 0, -days).Unix(), EndTime: clock.Now.Unix(),
			UserIDList: []string{"S00001", "S00002"},
		})
	}
	week, err := read(7)
	ok(t, err)
	if n := len(week.CheckinData); n < 16 || n > 24 || week.CheckinData[0].UserID == "" || week.CheckinData[0].SchCheckinTime == 0 {
		t.Errorf("%d checkins of two members in a week: %+v", n, week.CheckinData)
	}
	_, err = read(31)
	failed(t, "more than 30 days", err, 40058, "invalid Request Parameter")
}

// TestWeComChats lists the chats of some owners and of everybody, and reads one.
func TestWeComChats(t *testing.T) {
	reset(t)
	ask(t, "POST", "/seed", `{"platform":"wecom","tenant":"acme","users":3,"departments":1}`, nil)
	ask(t, "POST", "/history", `{"platform":"wecom","tenant":"acme","days":30,"seed":1}`, nil)
	defer ask(t, "POST", "/history", `{"platform":"wecom","tenant":"acme","days":0}`, nil)
	client := work.NewWork(&config.Config{CorpID: wecomCorp, CorpSecret: wecomAppSecret, Cache: cache.NewMemory()}).GetExternalContact()
	var found []string
	for cursor := ""; ; {
		page, err := client.GetGroupChatList(&externalcontact.GroupChatListRequest{Cursor: cursor, Limit: 2}) // with an empty filter
		ok(t, err)
		for _, chat := range page.GroupChatList {
			found = append(found, chat.ChatID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	same(t, "chats", len(found), count(t, "wecom/acme/groups"))

	owned := &externalcontact.GroupChatListRequest{Limit: 10, OwnerFilter: externalcontact.OwnerFilter{UseridList: []string{"S00002"}}}
	one, err := client.GetGroupChatList(owned)
	ok(t, err)
	if len(one.GroupChatList) != 1 {
		t.Fatalf("of one owner: %+v", one.GroupChatList)
	}
	got, err := client.GetGroupChatDetail(&externalcontact.GroupChatDetailRequest{ChatID: one.GroupChatList[0].ChatID, NeedName: 1})
	ok(t, err)
	chat := got.GroupChat
	if chat.Owner != "S00002" || chat.CreateTime == 0 || len(chat.MemberList) != 2 ||
		chat.MemberList[0].Name == "" || chat.MemberList[1].Invitor.UserID != "S00002" {
		t.Errorf("the chat: %+v", chat)
	}
	owned.OwnerFilter.UseridList[0] = "gone"
	_, err = client.GetGroupChatList(owned)
	failed(t, "an owner who has left", err, 40003, "invalid userid")
	_, err = client.GetGroupChatDetail(&externalcontact.GroupChatDetailRequest{ChatID: "wrNone"})
	failed(t, "no such chat", err, 86003, "invalid chatid")
}
