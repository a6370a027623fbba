package wecom

import (
	"iter"
	"math"
	"slices"
	"strings"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxFilePage   = 1000
	maxGroupPage  = 1000
	maxOwnerNames = 100

	maxGroupOwners = 1000 // of all at once, 92120
)

func productEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"hr/get_fields":      {do: hrFields, access: appOnly, defaults: []string{"group_list"}},
		"hr/get_staff_info":  {do: staffInfo, access: appOnly, body: true, subject: "userid", defaults: []string{"field_info"}},
		"wedrive/file_list":  {do: fileList, access: appOnly, body: true, listing: true, subject: "spaceid"},
		"wedrive/space_info": {do: spaceInfo, access: appOnly, body: true, subject: "spaceid"},
		"externalcontact/groupchat/list": {do: groupChats, access: appOnly, body: true, counts: true, listing: true,
			defaults: []string{"group_chat_list"}},
		"externalcontact/groupchat/get": {do: groupChat, access: appOnly, body: true, counts: true, subject: "chat_id"},
	}
}

// hrField is a field of the roster. 12024 is the employee number (99132); the
// numbers of the others are invented.
type hrField struct {
	id   int
	name string
	of   func(*User) string
}

var hrFieldsThere = []hrField{
	{11001, "姓名", func(u *User) string { return u.Name }},
	{11003, "手机号码", func(u *User) string { return u.Mobile }},
	{12005, "职务", func(u *User) string { return u.Position }},
	{12024, "工号", func(u *User) string {
		i := slices.IndexFunc(u.ExtAttr, func(a Attribute) bool { return a.Name == "工号" && a.Text != nil })
		if i < 0 {
			return ""
		}
		return u.ExtAttr[i].Text.Value
	}},
}

// hrFields lists the fields of the roster (99131). Table and sample of the page
// differ in the names of fields (?).
func hrFields(x *exchange) (fields, *failure) {
	if f := x.allowed(productHR, 48002); f != nil {
		return nil, f
	}
	list := []map[string]any{}
	for _, f := range hrFieldsThere {
		list = append(list, map[string]any{"fieldid": f.id, "field_name": f.name, "field_type": 1, "is_must": false})
	}
	return fields{"group_list": []map[string]any{{"group_id": 1, "group_name": "基本信息", "group_type": 1, "field_list": list}}}, nil
}

// staffInfo shows the roster of a member (99132): all fields, or those asked for.
// result is 1 for a value and 3 for a field that is not there.
func staffInfo(x *exchange) (fields, *failure) {
	if f := x.allowed(productHR, 48002); f != nil {
		return nil, f
	}
	u, f := x.member(x.form.text("userid"))
	if f != nil {
		return nil, f
	}
	all, _ := read[bool](x.form, "get_all")
	type ask struct {
		ID  int `json:"fieldid"`
		Sub int `json:"sub_idx"`
	}
	asked, s := read[[]ask](x.form, "fieldids")
	if s == wrong || !all && len(asked) == 0 {
		return nil, fail(40058)
	}
	if all {
		asked = nil
		for _, f := range hrFieldsThere {
			asked = append(asked, ask{f.id, 0})
		}
	}
	rows := []map[string]any{}
	for _, a := range asked {
		row := map[string]any{"fieldid": a.ID, "sub_idx": a.Sub, "result": 3}
		if i := slices.IndexFunc(hrFieldsThere, func(f hrField) bool { return f.id == a.ID }); i >= 0 {
			row["result"], row["value_type"], row["value_string"] = 1, 1, hrFieldsThere[i].of(u)
		}
		rows = append(rows, row)
	}
	return fields{"field_info": rows}, nil
}

func file(space, father, id, name, owner string, kind int, made int64) map[string]any {
	return map[string]any{
		"fileid": id, "file_name": name, "spaceid": space, "fatherid": father, "file_size": 2048 * (kind - 1),
		"create_userid": owner, "ctime": made, "mtime": made, "file_type": kind, "file_status": 1, "sha": "", "md5": "",
	}
}

// space finds the space that a call is about. No call lists spaces: an app knows
// those that it was told of, or made. What an unknown one leads to is not known: 40058.
func (x *exchange) space() (map[string]any, *failure) {
	if f := x.allowed(productDrive, 48002); f != nil {
		return nil, f
	}
	id, _ := x.form.text("spaceid")
	for _, o := range x.tenant.shelf(collSpaces) {
		if id != "" && o["spaceid"] == id {
			return o, nil
		}
	}
	return nil, fail(40058)
}

// spaceInfo shows a space (97861).
func spaceInfo(x *exchange) (fields, *failure) {
	o, f := x.space()
	if f != nil {
		return nil, f
	}
	return fields{"space_info": o}, nil
}

// fileList lists the files directly in a folder, or with fatherid the space itself
// those at its top (96847).
func fileList(x *exchange) (fields, *failure) {
	space, f := x.space()
	if f != nil {
		return nil, f
	}
	father, _ := x.form.text("fatherid")
	_, sorted := x.number("sort_type", 0, 1, 6)
	start, placed := x.number("start", -1, 0, math.MaxInt32)
	limit, sized := x.number("limit", 0, 1, maxFilePage)
	if father == "" || !sorted || !placed || !sized {
		return nil, fail(40058)
	}
	inside := slices.DeleteFunc(x.tenant.shelf(collFiles), func(o map[string]any) bool {
		return o["spaceid"] != space["spaceid"] || o["fatherid"] != father
	})
	from := min(start, len(inside))
	to := min(from+limit, len(inside))
	rows := inside[from:to]
	keep, cut := x.call.Rows(len(rows))
	return fields{
		"has_more": to < len(inside) && !cut, "next_start": to, "file_list": map[string]any{"item": rows[:keep]},
	}, nil
}

// groupChats lists the chats with customers (92120). An owner who has left is 40003;
// more than 1000 visible people whom no filter names are 81017.
func groupChats(x *exchange) (fields, *failure) {
	if f := x.allowed(productCustomer, 48002); f != nil {
		return nil, f
	}
	status, known := x.number("status_filter", 0, 0, 3)
	limit, sized := x.number("limit", 0, 1, maxGroupPage)
	start, ok := x.offset("cursor")
	owners, s := read[struct {
		Users []string `json:"userid_list"`
	}](x.form, "owner_filter")
	if !known || !sized || !ok || s == wrong || len(owners.Users) > maxOwnerNames {
		return nil, fail(40058)
	}
	for _, id := range owners.Users {
		if _, there := x.tenant.user(id, x.view); !there {
			return nil, fail(40003)
		}
	}
	if len(owners.Users) == 0 && x.crowded() {
		return nil, fail(81017)
	}
	rows, more := core.Page(x.chats(status, owners.Users), start, limit)
	keep, cut := x.call.Rows(len(rows))
	body := fields{"group_chat_list": rows[:keep]}
	if more && !cut {
		body["next_cursor"] = cursorOf(start + limit)
	}
	return body, nil
}

// crowded tells whether the app sees more people than chats are listed of unless
// their owners are named.
func (x *exchange) crowded() bool {
	sees, n := x.credential.sees(x.view), 0
	for _, u := range x.tenant.users.All(x.view) {
		if sees.user(u) {
			n++
		}
	}
	return n > maxGroupOwners
}

// chats lists those with a status (0: any) and of some owners (none: of anybody).
func (x *exchange) chats(status int, owners []string) iter.Seq[map[string]any] {
	return func(yield func(map[string]any) bool) {
		for _, o := range x.tenant.shelf(collGroups) {
			now := x.chatStatus(o)
			owned := slices.ContainsFunc(owners, func(id string) bool { return strings.EqualFold(id, word(o, "owner")) })
			if (status == 0 || status == now) && (len(owners) == 0 || owned) &&
				!yield(map[string]any{"chat_id": o["chat_id"], "status": now}) {
				return
			}
		}
	}
}

// chatStatus is the status that was set by hand; else 2 while another owner is to take
// over, 1 if the owner has left, and 3 once the other one has it.
func (x *exchange) chatStatus(chat map[string]any) int {
	if n := integer(chat, "status"); n > 0 {
		return n
	}
	last := x.tenant.lastTransfer(aChat, word(chat, "chat_id"), x.view)
	_, there := x.tenant.user(word(chat, "owner"), x.view)
	switch {
	case last != nil && last.status == transferWaits:
		return 2
	case !there:
		return 1
	case last != nil:
		return 3
	}
	return 0
}

// groupChat shows one with its members (92122). That the code for an unknown one is
// 86003, as for chats that an app made, is not confirmed.
func groupChat(x *exchange) (fields, *failure) {
	if f := x.allowed(productCustomer, 48002); f != nil {
		return nil, f
	}
	named, known := x.number("need_name", 0, 0, 1)
	id, _ := x.form.text("chat_id")
	if !known || id == "" {
		return nil, fail(40058)
	}
	for _, o := range x.tenant.shelf(collGroups) {
		if o["chat_id"] == id {
			return fields{"group_chat": x.chatDetails(o, named == 1)}, nil
		}
	}
	return nil, fail(86003)
}

// chatDetails has the owner and a customer, and their names if they are asked for.
func (x *exchange) chatDetails(chat map[string]any, named bool) map[string]any {
	owner, since := word(chat, "owner"), chat["create_time"]
	members := []map[string]any{
		{"userid": owner, "type": 1, "join_time": since, "join_scene": 1, "group_nickname": ""},
		{"userid": "wm" + word(chat, "chat_id"), "type": 2, "join_time": since, "join_scene": 3, "group_nickname": "",
			"invitor": map[string]any{"userid": owner}},
	}
	if named {
		members[0]["name"], members[1]["name"] = "", "客户"
		if u, ok := x.tenant.user(owner, x.view); ok {
			members[0]["name"] = u.Name
		}
	}
	details := map[string]any{"notice": "", "member_list": members, "admin_list": []any{}, "member_version": "1"}
	for name, value := range chat {
		if name != "status" {
			details[name] = value
		}
	}
	return details
}
