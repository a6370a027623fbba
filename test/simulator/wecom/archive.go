package wecom

import (
	"iter"
	"slices"
	"strings"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxArchivePage = 100
	spaceAdmin     = 7 // of auth, 93655
	folder         = 1 // of file_type, 96847
)

func archiveEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"security/wedrive/get_auth_space_list": {do: archivedSpaces, access: appOnly, body: true, listing: true, subject: "userid",
			defaults: []string{"auth_space_list"}},
		"security/wedrive/get_auth_file_list": {do: archivedFiles, access: appOnly, body: true, listing: true, subject: "userid",
			defaults: []string{"file_list"}},
	}
}

// archived reads whose archive a call is about. Everybody has a seat, and lets all of
// their spaces be archived. No page tells how somebody is refused who is not known, or
// not in the state that is_resigned says: 40003.
func (x *exchange) archived() (string, *failure) {
	if f := x.allowed(productArchive, 48002); f != nil {
		return "", f
	}
	id, _ := x.form.text("userid")
	left, known := x.number("is_resigned", 0, 0, 1)
	if id == "" || !known {
		return "", fail(40058)
	}
	u, there := x.tenant.user(id, x.view)
	switch {
	case there != (left == 0) || there && !x.seesPerson()(u.UserID):
		return "", fail(40003)
	case there:
		id = u.UserID
	}
	return id, nil
}

// member tells whether somebody is in a space, and whether as the one who runs it.
func member(space map[string]any, id string) (in, admin bool) {
	list, _ := space["auth_list"].(map[string]any)
	for _, info := range objects(list["auth_info"]) {
		if strings.EqualFold(word(info, "userid"), id) {
			return true, integer(info, "auth") == spaceAdmin
		}
	}
	return false, false
}

// archivedSpaces lists the spaces that a member let be archived (101674).
func archivedSpaces(x *exchange) (fields, *failure) {
	id, f := x.archived()
	if f != nil {
		return nil, f
	}
	rows := []map[string]any{}
	for _, o := range x.tenant.shelf(collSpaces) {
		in, admin := member(o, id)
		if !in {
			continue
		}
		row := map[string]any{"spaceid": o["spaceid"], "space_name": o["space_name"], "is_space_superadmin": 0}
		if admin {
			row["is_space_superadmin"] = 1
		}
		rows = append(rows, row)
	}
	keep, _ := x.call.Rows(len(rows))
	return fields{"auth_space_list": rows[:keep]}, nil
}

// archivedFiles lists what a member put into one of their spaces (101676). A space
// of others is 40058, which no page confirms.
func archivedFiles(x *exchange) (fields, *failure) {
	id, f := x.archived()
	if f != nil {
		return nil, f
	}
	limit, sized := x.number("limit", maxArchivePage, 1, maxArchivePage)
	start, ok := x.offset("cursor")
	space, _ := x.form.text("spaceid")
	theirs := slices.ContainsFunc(x.tenant.shelf(collSpaces), func(o map[string]any) bool {
		in, _ := member(o, id)
		return in && o["spaceid"] == space
	})
	if !sized || !ok || !theirs {
		return nil, fail(40058)
	}
	rows, more := core.Page(x.tenant.filesBy(id, space), start, limit)
	keep, cut := x.call.Rows(len(rows))
	body := fields{"file_list": rows[:keep], "has_more": more && !cut, "next_cursor": ""}
	if more && !cut {
		body["next_cursor"] = cursorOf(start + limit)
	}
	return body, nil
}

// filesBy lists the files of somebody in a space, with their folders as a path.
func (t *tenant) filesBy(id, space string) iter.Seq[map[string]any] {
	all := t.shelf(collFiles)
	byID := map[string]map[string]any{}
	for _, o := range all {
		byID[word(o, "fileid")] = o
	}
	return func(yield func(map[string]any) bool) {
		for _, o := range all {
			if o["spaceid"] != space || integer(o, "file_type") == folder || !strings.EqualFold(word(o, "create_userid"), id) {
				continue
			}
			path := word(o, "file_name")
			for up, n := byID[word(o, "fatherid")], 0; up != nil && n < len(all); up, n = byID[word(up, "fatherid")], n+1 {
				path = word(up, "file_name") + "/" + path
			}
			if !yield(map[string]any{
				"fileid": o["fileid"], "file_name": o["file_name"], "path": path, "creator": map[string]any{"userid": o["create_userid"]},
				"file_size": o["file_size"], "file_type": o["file_type"],
			}) {
				return
			}
		}
	}
}
