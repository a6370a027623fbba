package wecom

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxTags     = 3000
	maxTagNodes = 30_000
)

func tagEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"tag/create":      {do: createTag, access: anyone, body: true, write: true, subject: "tagid"},
		"tag/update":      {do: updateTag, access: anyone, body: true, write: true, subject: "tagid"},
		"tag/delete":      {do: deleteTag, access: anyone, write: true, subject: "tagid"},
		"tag/get":         {do: getTag, access: anyone, listing: true, subject: "tagid", defaults: []string{"userlist", "partylist"}},
		"tag/list":        {do: listTags, access: anyone, listing: true, defaults: []string{"taglist"}},
		"tag/addtagusers": {do: addToTag, access: anyone, body: true, write: true, subject: "tagid"},
		"tag/deltagusers": {do: takeFromTag, access: anyone, body: true, write: true, subject: "tagid"},
	}
}

// tagName reads a name and refuses one that another tag has.
func (x *exchange) tagName(self int) (string, *failure) {
	name, s := read[string](x.form, "tagname")
	switch {
	case s != given:
		return "", fail(41018)
	case name == "" || utf8.RuneCountInString(name) > 32:
		return "", fail(40072)
	}
	for _, tag := range x.tenant.tags.All(core.Live) {
		if tag.Name == name && tag.ID != self {
			return "", fail(40071)
		}
	}
	return name, nil
}

func createTag(x *exchange) (fields, *failure) {
	t := x.tenant
	name, f := x.tagName(0)
	if f != nil {
		return nil, f
	}
	id, s := read[int](x.form, "tagid")
	_, taken := t.tags.Get(strconv.Itoa(id), core.Live)
	switch {
	case s == given && (taken || id <= 0):
		return nil, fail(40068)
	case t.tags.Len() >= maxTags:
		return nil, fail(40126)
	case s != given:
		id = t.nextTagID()
	}
	t.tags.Put(strconv.Itoa(id), &Tag{ID: id, Name: name, Owner: x.credential.name})
	return fields{"errmsg": "created", "tagid": id}, nil
}

func (t *tenant) nextTagID() int {
	for {
		t.tagIDs++
		if _, taken := t.tags.Get(strconv.Itoa(t.tagIDs), core.Live); !taken {
			return t.tagIDs
		}
	}
}

// tag finds the tag of a form for a change, which only its maker may make.
func (x *exchange) tag(refusal int) (*Tag, *failure) {
	if !x.form.has("tagid") {
		return nil, fail(41017)
	}
	id, s := read[int](x.form, "tagid")
	tag, ok := x.tenant.tags.Get(strconv.Itoa(id), core.Live)
	switch {
	case s != given || !ok:
		return nil, fail(40068)
	case tag.Owner != x.credential.name:
		return nil, fail(refusal)
	}
	return tag, nil
}

// queryTag finds the tag of a query.
func (x *exchange) queryTag() (*Tag, *failure) {
	value := x.query.Get("tagid")
	if value == "" {
		return nil, fail(41017)
	}
	tag, ok := x.tenant.tags.Get(value, x.view)
	if !ok {
		return nil, fail(40068)
	}
	return tag, nil
}

func updateTag(x *exchange) (fields, *failure) {
	tag, f := x.tag(60011)
	if f != nil {
		return nil, f
	}
	name, f := x.tagName(tag.ID)
	if f != nil {
		return nil, f
	}
	changed := *tag
	changed.Name = name
	x.tenant.tags.Put(strconv.Itoa(tag.ID), &changed)
	return fields{"errmsg": "updated"}, nil
}

func deleteTag(x *exchange) (fields, *failure) {
	tag, f := x.queryTag()
	if f != nil {
		return nil, f
	}
	if tag.Owner != x.credential.name {
		return nil, fail(60011)
	}
	x.tenant.tags.Delete(strconv.Itoa(tag.ID))
	return fields{"errmsg": "deleted"}, nil
}

func getTag(x *exchange) (fields, *failure) {
	tag, f := x.queryTag()
	if f != nil {
		return nil, f
	}
	type row struct {
		UserID string `json:"userid"`
		Name   string `json:"name"`
	}
	sees := x.credential.sees(x.view)
	rows, parties := []row{}, []int{}
	for _, id := range tag.Users {
		if u, ok := x.tenant.user(id, x.view); ok && sees.user(u) {
			rows = append(rows, row{u.UserID, u.Name})
		}
	}
	for _, id := range tag.Parties {
		if sees.department(id) {
			parties = append(parties, id)
		}
	}
	keep, _ := x.call.Rows(len(rows))
	return fields{"tagname": tag.Name, "userlist": rows[:keep], "partylist": parties}, nil
}

func listTags(x *exchange) (fields, *failure) {
	type row struct {
		ID   int    `json:"tagid"`
		Name string `json:"tagname"`
	}
	rows := []row{}
	for _, tag := range x.tenant.tags.All(x.view) {
		rows = append(rows, row{tag.ID, tag.Name})
	}
	keep, _ := x.call.Rows(len(rows))
	return fields{"taglist": rows[:keep]}, nil
}

// nodes reads userlist and partylist, which must be lists and not both empty.
func (x *exchange) nodes() (users []string, parties []int, f *failure) {
	users, s1 := read[[]string](x.form, "userlist")
	parties, s2 := read[[]int](x.form, "partylist")
	if s1 == wrong || s2 == wrong || len(users)+len(parties) == 0 || len(users) > 1000 || len(parties) > 100 {
		return nil, nil, fail(40035)
	}
	return users, parties, nil
}

// tagAnswer reports what was not valid; nothing valid at all is an error.
func tagAnswer(to recipients, none int) (fields, *failure) {
	if len(to.users)+len(to.parties) == 0 {
		f := fail(none)
		f.text = "all list invalid"
		return nil, f
	}
	body := fields{}
	if len(to.badUsers) > 0 {
		body["invalidlist"] = strings.Join(to.badUsers, "|")
	}
	if len(to.badParties) > 0 {
		body["invalidparty"] = to.badParties
	}
	return body, nil
}

func addToTag(x *exchange) (fields, *failure) {
	tag, f := x.tag(81011)
	if f != nil {
		return nil, f
	}
	users, parties, f := x.nodes()
	if f != nil {
		return nil, f
	}
	to := x.recipients(users, parties, nil)
	body, f := tagAnswer(to, 40070)
	if f != nil {
		return nil, f
	}
	changed := *tag
	changed.Users, changed.Parties = slices.Clone(tag.Users), slices.Clone(tag.Parties)
	for _, u := range to.users {
		if !slices.Contains(changed.Users, u.UserID) {
			changed.Users = append(changed.Users, u.UserID)
		}
	}
	for _, id := range to.parties {
		if !slices.Contains(changed.Parties, id) {
			changed.Parties = append(changed.Parties, id)
		}
	}
	if len(changed.Users)+len(changed.Parties) > or(x.tenant.spec.Options.MaxTagNodes, maxTagNodes) {
		return nil, fail(81003)
	}
	x.tenant.tags.Put(strconv.Itoa(tag.ID), &changed)
	return body, nil
}

func takeFromTag(x *exchange) (fields, *failure) {
	tag, f := x.tag(81011)
	if f != nil {
		return nil, f
	}
	users, parties, f := x.nodes()
	if f != nil {
		return nil, f
	}
	to := x.recipients(users, parties, nil)
	body, f := tagAnswer(to, 40031)
	if f != nil {
		return nil, f
	}
	changed := *tag
	changed.Users = slices.DeleteFunc(slices.Clone(tag.Users), func(id string) bool {
		return slices.ContainsFunc(to.users, func(u *User) bool { return u.UserID == id })
	})
	changed.Parties = slices.DeleteFunc(slices.Clone(tag.Parties), func(id int) bool {
		return slices.Contains(to.parties, id)
	})
	x.tenant.tags.Put(strconv.Itoa(tag.ID), &changed)
	return body, nil
}
