package wecom

import (
	"slices"
	"strings"
)

const (
	maxFilePage   = 1000
	maxGroupPage  = 1000
	maxOwnerNames = 100
)

func productEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"hr/get_fields":      {do: hrFields, access: appOnly, defaults: []string{"group_list"}},
		"hr/get_staff_info":  {do: staffInfo, access: appOnly, body: true, subject: "userid", defaults: []string{"field_info"}},
		"wedrive/file_list":  {do: fileList, access: appOnly, body: true, listing: true, subject: "spaceid"},
		"wedrive/space_info": {do: spaceInfo, access: appOnly, body: true, subject: "spaceid"},
		"externalcontact/groupchat/list": {do: groupChats, access: appOnly, body: true, listing: true,
			defaults: []string{"group_chat_list"}},
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

func file(space, father, id, name string, kind int, made int64) map[string]any {
	return map[string]any{
		"fileid": id, "file_name": name, "spaceid": space, "fatherid": father, "file_size": 2048 * (kind - 1),
		"ctime": made, "mtime": made, "file_type": kind, "file_status": 1, "sha": "", "md5": "",
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
	kind, s1 := read[int](x.form, "sort_type")
	start, s2 := read[int](x.form, "start")
	limit, s3 := read[int](x.form, "limit")
	if father == "" || s1 != given || kind < 1 || kind > 6 || s2 != given || start < 0 || s3 != given || limit < 1 || limit > maxFilePage {
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

// groupChats lists the chats with customers (92120). An owner who has left is 40003.
func groupChats(x *exchange) (fields, *failure) {
	if f := x.allowed(productCustomer, 48002); f != nil {
		return nil, f
	}
	status, s1 := read[int](x.form, "status_filter")
	limit, s2 := read[int](x.form, "limit")
	start, ok := x.offset("cursor")
	owners, s3 := read[struct {
		Users []string `json:"userid_list"`
	}](x.form, "owner_filter")
	if s1 == wrong || status < 0 || status > 3 || s2 != given || limit < 1 || limit > maxGroupPage || !ok || s3 == wrong ||
		len(owners.Users) > maxOwnerNames {
		return nil, fail(40058)
	}
	for _, id := range owners.Users {
		if _, there := x.tenant.user(id, x.view); !there {
			return nil, fail(40003)
		}
	}
	rows := []map[string]any{}
	for _, o := range x.tenant.shelf(collGroups) {
		owned := slices.ContainsFunc(owners.Users, func(id string) bool { return strings.EqualFold(id, word(o, "owner")) })
		if status == 0 && (len(owners.Users) == 0 || owned) {
			rows = append(rows, map[string]any{"chat_id": o["chat_id"], "status": o["status"]})
		}
	}
	from := min(start, len(rows))
	to := min(from+limit, len(rows))
	page := rows[from:to]
	keep, cut := x.call.Rows(len(page))
	body := fields{"group_chat_list": page[:keep]}
	if to < len(rows) && !cut {
		body["next_cursor"] = cursorOf(to)
	}
	return body, nil
}
