package sdk

import (
	"slices"
	"testing"

	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/work"
	"github.com/silenceper/wechat/v2/work/config"
	"github.com/silenceper/wechat/v2/work/externalcontact"
)

func newContacts() *externalcontact.Client {
	w := work.NewWork(&config.Config{CorpID: wecomCorp, CorpSecret: wecomAppSecret, Cache: cache.NewMemory()})
	return w.GetExternalContact()
}

// TestWeComInheritance hands over customers and a chat of somebody who left.
func TestWeComInheritance(t *testing.T) {
	sync, _ := newWeCom(t)
	for n := 1; n <= 2; n++ {
		_, err := sync.UserCreate(wecomUser(n, 1))
		ok(t, err)
	}
	ask(t, "POST", "/state/wecom/acme/accept/E2", "", nil)
	for id, fields := range map[string]string{"wmA": `{"userid":"E1"}`, "wmB": `{"userid":"E1","refuses":true}`} {
		ask(t, "PUT", "/state/wecom/acme/customers/"+id, fields, nil)
	}
	ask(t, "PUT", "/state/wecom/acme/groups/wrA", `{"owner":"E1"}`, nil)
	contacts := newContacts()
	transfer := &externalcontact.ResignedTransferCustomerRequest{
		HandoverUserID: "E1", TakeoverUserID: "E2", ExternalUserID: []string{"wmA", "wmB", "wmC"},
	}
	_, err := contacts.ResignedTransferCustomer(transfer)
	failed(t, "before the member has left", err, 40097, "")
	_, err = sync.UserDelete("E1")
	ok(t, err)

	var found []string
	for cursor, pages := "", 0; ; pages++ {
		page, err := contacts.GetUnassignedList(&externalcontact.GetUnassignedListRequest{Cursor: cursor, PageSize: 1})
		ok(t, err)
		for _, row := range page.Info {
			if row.HandoverUserID != "E1" || row.DimissionTime == 0 {
				t.Errorf("unassigned: %+v", row)
			}
			found = append(found, row.ExternalUserID)
		}
		if cursor = page.NextCursor; page.IsLast {
			same(t, "pages", pages+1, 2)
			break
		}
	}
	slices.Sort(found)
	same(t, "unassigned", found, []string{"wmA", "wmB"})

	started, err := contacts.ResignedTransferCustomer(transfer)
	ok(t, err)
	same(t, "transfer_customer", started.Customer, []externalcontact.TransferCustomerItem{
		{ExternalUserID: "wmA"}, {ExternalUserID: "wmB"}, {ExternalUserID: "wmC", ErrCode: 40096},
	})
	chats, err := contacts.GroupChatTransfer(&externalcontact.GroupChatTransferRequest{ChatIDList: []string{"wrA", "wrB"}, NewOwner: "E2"})
	ok(t, err)
	same(t, "groupchat/transfer", chats.FailedChatList, []externalcontact.FailedChat{
		{ChatID: "wrB", ErrCode: 90501, ErrMsg: "chat is not external group chat"},
	})
	statuses := func() (list []int) {
		t.Helper()
		result, err := newContacts().ResignedTransferResult(&externalcontact.ResignedTransferResultRequest{HandoverUserID: "E1", TakeoverUserID: "E2"})
		ok(t, err)
		for _, row := range result.Customer {
			list = append(list, int(row.Status))
		}
		return list
	}
	same(t, "at once", statuses(), []int{2, 2})
	ask(t, "POST", "/clock/advance", `{"seconds":86400}`, nil)
	same(t, "a day later", statuses(), []int{1, 3})
	has(t, "wecom/acme/customers/wmA", `{"userid":"E2"}`)
	has(t, "wecom/acme/customers/wmB", `{"userid":"E1"}`)
	has(t, "wecom/acme/groups/wrA", `{"owner":"E2"}`)

	states := []string{}
	l := leftOf(t, "wecom", "E1")
	for _, h := range l.HandedOver {
		states = append(states, h.What+" "+h.Items[0]+" "+h.State)
	}
	same(t, "handed over", states, []string{"customer wmA done", "customer wmB refused", "chat wrA done"})
	same(t, "the call", l.By, "/cgi-bin/user/delete")
}
