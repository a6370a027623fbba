package wecom

import (
	"cmp"
	"slices"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	takeoverDelay   = 24 * time.Hour       // from a transfer's start to its end (94081)
	inheritWithin   = 365 * 24 * time.Hour // after leaving (94081, 92127)
	maxUnassigned   = 1000                 // on a page (92124)
	maxTransfers    = 100                  // in a call (94081, 92127)
	maxTransferRows = 1000                 // on a page of transfer_result (94082)
	maxChatsADay    = 300                  // of one owner (92127)
)

// transfer is a customer or a chat on its way from somebody who left to a member. It is
// replaced when it ends, never changed.
type transfer struct {
	number   int
	what, id string
	from, to string
	leaving  int // index of the leaver; -1: of nobody whose leaving is known
	started  time.Time
	due      time.Time
	status   int
}

func inheritanceEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"externalcontact/get_unassigned_list": {do: unassigned, access: appOnly, body: true, counts: true, listing: true,
			defaults: []string{"info"}},
		"externalcontact/resigned/transfer_customer": {do: transferCustomers, access: appOnly, body: true, write: true,
			subject: "handover_userid", defaults: []string{"customer"}},
		"externalcontact/resigned/transfer_result": {do: transferResult, access: appOnly, body: true, counts: true, listing: true,
			subject: "handover_userid", defaults: []string{"customer"}},
		"externalcontact/groupchat/transfer": {do: transferChats, access: appOnly, body: true, write: true,
			subject: "chat_id_list", defaults: []string{"failed_chat_list"}},
	}
}

// leaving is the last one of somebody who is no member now; -1 if there is none.
func (t *tenant) leaving(id string) int {
	if _, member := t.user(id, core.Live); member {
		return -1
	}
	for i, l := range slices.Backward(t.leavers) {
		if userKey(l.id) == userKey(id) {
			return i
		}
	}
	return -1
}

// inherits tells whether what somebody left can still be handed over.
func (x *exchange) inherits(leaving int) bool {
	return leaving >= 0 && x.now.Sub(x.tenant.leavers[leaving].at) <= inheritWithin
}

// unassigned lists the customers of those who left, whoever left last first (92124).
// Those who are being handed over are not among them; once that failed they are again.
func unassigned(x *exchange) (fields, *failure) {
	if f := x.allowed(productCustomer, 48002); f != nil {
		return nil, f
	}
	size, sized := x.number("page_size", maxUnassigned, 1, maxUnassigned)
	page, paged := x.number("page_id", 0, 0, 1<<20)
	start, ok := x.offset("cursor")
	if !sized || !paged || !ok {
		return nil, fail(40058)
	}
	byPage := x.form.has("page_id") && start == 0
	if byPage {
		start = page * size
	}
	all := x.unassigned()
	from := min(start, len(all))
	to := min(from+size, len(all))
	rows := all[from:to]
	keep, cut := x.call.Rows(len(rows))
	last := to == len(all) || cut
	body := fields{"info": rows[:keep], "is_last": last}
	switch {
	case byPage: // "page_id": the next one is known
	case last:
		body["next_cursor"] = ""
	default:
		body["next_cursor"] = cursorOf(to)
	}
	return body, nil
}

// unassignedCustomer is a row of get_unassigned_list.
type unassignedCustomer struct {
	Handover string `json:"handover_userid"`
	External string `json:"external_userid"`
	Left     int64  `json:"dimission_time"`
}

func (x *exchange) unassigned() []unassignedCustomer {
	t, list := x.tenant, []unassignedCustomer{}
	for _, c := range t.customers.All(x.view) {
		leaving := t.leaving(c.UserID)
		if _, here := t.user(c.UserID, x.view); c.removed || here || !x.inherits(leaving) {
			continue
		}
		if tr := t.lastTransfer(aCustomer, c.ExternalUserID, x.view); tr != nil && tr.status == transferWaits {
			continue
		}
		l := t.leavers[leaving]
		list = append(list, unassignedCustomer{l.id, c.ExternalUserID, l.at.Unix()})
	}
	slices.SortStableFunc(list, func(a, b unassignedCustomer) int { return cmp.Compare(b.Left, a.Left) })
	return list
}

// parties are who left and who takes over, in a call about customers. 40097 is who has
// not left; who was never there, or left more than a year ago, is 40003 like an unknown
// taker.
func (x *exchange) parties() (leaving int, taker *User, f *failure) {
	from, _ := x.form.text("handover_userid")
	to, _ := x.form.text("takeover_userid")
	if from == "" || to == "" {
		return 0, nil, fail(40058)
	}
	if _, member := x.tenant.user(from, core.Live); member {
		return 0, nil, fail(40097)
	}
	leaving = x.tenant.leaving(from)
	taker, ok := x.tenant.user(to, core.Live)
	if !x.inherits(leaving) || !ok {
		return 0, nil, fail(40003)
	}
	return leaving, taker, nil
}

// takes refuses a taker who has not joined or was disabled (41054), or has no right to
// have customers (610004).
func (x *exchange) takes(u *User) *failure {
	switch {
	case !x.credential.sees(core.Live).user(u):
		return fail(60011)
	case u.Status() != statusActive:
		return fail(41054)
	case slices.ContainsFunc(x.tenant.spec.Options.NoCustomers, func(id string) bool { return userKey(id) == userKey(u.UserID) }):
		return fail(610004)
	}
	return nil
}

// transferCustomers starts handing customers over (94081): 0 says only that it began.
func transferCustomers(x *exchange) (fields, *failure) {
	if f := x.allowed(productCustomer, 48002); f != nil {
		return nil, f
	}
	ids, s := read[[]string](x.form, "external_userid")
	if s != given || len(ids) == 0 || len(ids) > maxTransfers {
		return nil, fail(40058)
	}
	leaving, taker, f := x.parties()
	if f != nil {
		return nil, f
	}
	if f := x.takes(taker); f != nil {
		return nil, f
	}
	rows := []fields{}
	for _, id := range ids {
		rows = append(rows, fields{"external_userid": id, "errcode": x.transferCustomer(leaving, taker, id)})
	}
	return fields{"customer": rows}, nil
}

func (x *exchange) transferCustomer(leaving int, taker *User, id string) int {
	t, from := x.tenant, x.tenant.leavers[leaving].id
	c, ok := t.customer(id)
	if !ok || userKey(c.UserID) != userKey(from) {
		return 40096
	}
	if tr := t.lastTransfer(aCustomer, id, core.Live); tr != nil && tr.status == transferWaits {
		return 40129
	}
	t.startTransfer(transfer{what: aCustomer, id: id, from: from, to: taker.UserID, leaving: leaving, started: x.now})
	return 0
}

// transferResult tells how the transfers from one person to another ended (94082).
func transferResult(x *exchange) (fields, *failure) {
	if f := x.allowed(productCustomer, 48002); f != nil {
		return nil, f
	}
	leaving, taker, f := x.parties()
	if f != nil {
		return nil, f
	}
	start, ok := x.offset("cursor")
	if !ok {
		return nil, fail(40058)
	}
	type row struct {
		External string `json:"external_userid"`
		Status   int    `json:"status"`
		Time     int64  `json:"takeover_time"`
	}
	all := []row{}
	for _, tr := range x.tenant.transfers.All(x.view) {
		if tr.what != aCustomer || tr.leaving != leaving || userKey(tr.to) != userKey(taker.UserID) ||
			x.tenant.lastTransfer(aCustomer, tr.id, x.view) != tr {
			continue
		}
		r := row{tr.id, tr.status, tr.due.Unix()} // of one that waits: when it will end
		if tr.status == transferRefused || tr.status == transferFull {
			r.Time = 0
		}
		all = append(all, r)
	}
	rows, more := core.Page(slices.Values(all), start, or(x.tenant.spec.Options.MaxTransferRows, maxTransferRows))
	keep, cut := x.call.Rows(len(rows))
	next := ""
	if more && !cut {
		next = cursorOf(start + len(rows))
	}
	return fields{"customer": rows[:keep], "next_cursor": next}, nil
}

// transferChats starts handing chats of those who left to another owner (92127).
func transferChats(x *exchange) (fields, *failure) {
	if f := x.allowed(productCustomer, 48002); f != nil {
		return nil, f
	}
	ids, s := read[[]string](x.form, "chat_id_list")
	to, _ := x.form.text("new_owner")
	if s != given || len(ids) == 0 || len(ids) > maxTransfers || to == "" {
		return nil, fail(40058)
	}
	taker, ok := x.tenant.user(to, core.Live)
	if !ok {
		return nil, fail(46004)
	}
	if f := x.takes(taker); f != nil {
		return nil, f
	}
	failed := []fields{}
	for _, id := range ids {
		if code := x.transferChat(id, taker); code != 0 {
			failed = append(failed, fields{"chat_id": id, "errcode": code, "errmsg": text(code)})
		}
	}
	return fields{"failed_chat_list": failed}, nil
}

// transferChat starts handing over one chat, or says what forbids it.
func (x *exchange) transferChat(id string, taker *User) int {
	t := x.tenant
	chats := t.shelf(collGroups)
	i := slices.IndexFunc(chats, func(o map[string]any) bool { return o["chat_id"] == id })
	if i < 0 {
		return 90501
	}
	owner := word(chats[i], "owner")
	last := t.lastTransfer(aChat, id, core.Live)
	_, member := t.user(owner, core.Live)
	leaving := t.leaving(owner)
	switch {
	case last != nil && last.status == transferWaits:
		return 90507
	case member && last != nil && userKey(last.to) == userKey(owner):
		return 90508
	case member:
		return 90500
	case leaving >= 0 && !x.inherits(leaving):
		return 40003
	case x.chatsToday(owner) >= maxChatsADay:
		return 45009
	}
	t.startTransfer(transfer{what: aChat, id: id, from: owner, to: taker.UserID, leaving: leaving, started: x.now})
	return 0
}

// chatsToday counts the chats of an owner whose transfer began on this day in China.
func (x *exchange) chatsToday(owner string) int {
	day := func(at time.Time) string { return at.In(core.Local).Format(time.DateOnly) }
	n := 0
	for _, tr := range x.tenant.transfers.All(core.Live) {
		if tr.what == aChat && userKey(tr.from) == userKey(owner) && day(tr.started) == day(x.now) {
			n++
		}
	}
	return n
}

// left is a leaving as the control endpoint shows it: each customer and chat by itself.
func (t *tenant) left(leaving int) core.Left {
	l := t.leavers[leaving]
	shown := core.Left{ID: l.id, Time: l.at, By: l.by, Credential: l.credential, HandedOver: []core.HandOver{}}
	for _, tr := range t.transfers.All(core.Live) {
		if tr.leaving != leaving {
			continue
		}
		at := tr.due
		if tr.status == transferWaits {
			at = tr.started
		}
		shown.HandedOver = append(shown.HandedOver, core.HandOver{
			What: tr.what, To: tr.to, Items: []string{tr.id}, State: transferStates[tr.status], Time: at,
		})
	}
	return shown
}

// lastLeft is the last leaving of somebody, back or not.
func (t *tenant) lastLeft(id string) (core.Left, bool) {
	for i, l := range slices.Backward(t.leavers) {
		if userKey(l.id) == userKey(id) {
			return t.left(i), true
		}
	}
	return core.Left{}, false
}
