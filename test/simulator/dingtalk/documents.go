package dingtalk

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxWorkspacePage = 30
	maxNodePage      = 50
	maxSpacePage     = 50
	maxGroupPage     = 100 // not documented (?)
)

// The collections of documents and chats. A history has some of each.
const (
	collWorkspaces = "workspaces"
	collNodes      = "nodes"
	collSpaces     = "spaces"
	collDentries   = "dentries"
	collGroups     = "groups"
)

// shelves are the collections without days, with the field that is the id.
var shelves = map[string]string{
	collWorkspaces: "workspaceId", collNodes: "nodeId", collSpaces: "spaceId", collDentries: "id",
	collGroups: "openConversationId", collDismissions: "userId",
}

// made is when documents and chats of a history were made.
func (t *tenant) made() time.Time {
	return t.began.Add(-time.Duration(t.spec.Options.History.Days) * 24 * time.Hour)
}

// shelf lists a collection: what a history has, with what was changed by hand.
func (t *tenant) shelf(collection string) []map[string]any {
	var list []map[string]any
	switch {
	case collection == collDismissions:
		list = t.dismissals()
	case t.spec.Options.History.Days > 0:
		at := t.made().UTC().Format(isoMinute)
		for n := 1; n <= 3; n++ {
			list = append(list, t.invent(collection, n, at)...)
		}
	}
	return t.past.Shelf(collection, shelves[collection], list)
}

// invent makes what belongs to the n-th workspace, space or chat.
func (t *tenant) invent(collection string, n int, at string) []map[string]any {
	workspace, root := fmt.Sprintf("ws%04d", n), fmt.Sprintf("node%04d00", n)
	switch collection {
	case collWorkspaces:
		return []map[string]any{{
			"workspaceId": workspace, "corpId": t.spec.CorpID, "rootNodeId": root, "name": fmt.Sprintf("知识库%d", n),
			"type": "TEAM", "url": "https://alidocs.dingtalk.com/i/spaces/" + workspace,
			"creatorId": creator, "modifierId": creator, "createTime": at, "modifiedTime": at,
		}}
	case collNodes:
		folder := node(workspace, root, fmt.Sprintf("node%04d01", n), "FOLDER", "规章制度", at)
		folder["hasChildren"] = true
		return []map[string]any{
			folder,
			node(workspace, folder["nodeId"].(string), fmt.Sprintf("node%04d02", n), "FILE", "考勤制度.adoc", at),
			node(workspace, root, fmt.Sprintf("node%04d03", n), "FILE", "新人手册.adoc", at),
		}
	case collSpaces:
		return []map[string]any{{
			"spaceId": strconv.Itoa(8000 + n), "spaceName": fmt.Sprintf("企业空间%d", n), "spaceType": "org", "quota": -1,
			"usedQuota": 4096 * n, "permissionMode": "acl", "createTime": at, "modifyTime": at,
		}}
	case collDentries:
		var list []map[string]any
		for i := range 60 {
			name := fmt.Sprintf("会议纪要%d.pdf", i+1)
			list = append(list, map[string]any{
				"id": fmt.Sprintf("%d%03d", n, i), "spaceId": strconv.Itoa(8000 + n), "parentId": "0", "type": "FILE",
				"name": name, "size": 1024 * (i + 1), "path": "/" + name, "version": 1, "status": "NORMAL",
				"extension": "pdf", "createTime": at, "modifiedTime": at, "uuid": fmt.Sprintf("uuid%d%03d", n, i),
			})
		}
		return list
	default:
		return []map[string]any{{
			"openConversationId": fmt.Sprintf("cid%04d", n), "groupName": fmt.Sprintf("项目%d群", n), "groupOwner": "管理员",
			"groupOwnerUserId": creator, "groupAdminsCount": 1, "groupMembersCount": 10 * n, "status": 1,
			"groupCreateTime": t.made().UnixMilli(), "groupLastActiveTime": t.began.UnixMilli(),
			"syncToDingpan": 0, "usedQuota": 0,
		}}
	}
}

// node is an entry of a workspace. Its parent is not on the wire.
func node(workspace, parent, id, kind, name, at string) map[string]any {
	o := map[string]any{
		"nodeId": id, "parentNodeId": parent, "workspaceId": workspace, "name": name, "type": kind, "size": 2048,
		"url": "https://alidocs.dingtalk.com/i/nodes/" + id, "creatorId": creator, "modifierId": creator,
		"createTime": at, "modifiedTime": at, "hasChildren": false,
	}
	if kind == "FILE" {
		o["category"], o["extension"] = "ALIDOC", "adoc"
	}
	return o
}

// operator checks the union id in whose name documents are read.
func (s *session) operator(param string) error {
	union, err := s.args.text(param)
	if err != nil || union == "" {
		return bad("paramError", param)
	}
	if s.byUnion[union] == "" {
		return newFault(http.StatusForbidden, "permissionDenied", "当前用户无此操作权限")
	}
	return nil
}

// tokenPage cuts a page out of a listing whose size is optional.
func (s *session) tokenPage(a args, list []map[string]any, most int64) (map[string]any, []map[string]any, error) {
	size, given, err := a.integer("maxResults")
	if !given {
		size = most
	}
	if err != nil || size < 1 || size > most {
		return nil, nil, bad("paramError", "maxResults")
	}
	from, _, err := a.integer("nextToken")
	if err != nil || from < 0 {
		return nil, nil, bad("paramError", "nextToken")
	}
	total := int64(len(list))
	from = min(from, total)
	to := min(from+size, total)
	rows := list[from:to]
	keep, cut := s.call.Rows(len(rows))
	reply := map[string]any{}
	if to < total && !cut {
		reply["nextToken"] = strconv.FormatInt(to, 10)
	}
	return reply, rows[:keep], nil
}

// listWorkspaces serves GET /v2.0/wiki/workspaces. Everybody sees all of them (?).
// https://open.dingtalk.com/document/development/get-knowledge-base-list
func (s *session) listWorkspaces() (map[string]any, error) {
	if err := s.operator("operatorId"); err != nil {
		return nil, err
	}
	reply, rows, err := s.tokenPage(s.args, s.shelf(collWorkspaces), maxWorkspacePage)
	if err != nil {
		return nil, err
	}
	reply["workspaces"] = rows
	return reply, nil
}

// listNodes serves GET /v2.0/wiki/nodes: the direct children of a node.
// https://open.dingtalk.com/document/development/get-node-list
func (s *session) listNodes() (map[string]any, error) {
	if err := s.operator("operatorId"); err != nil {
		return nil, err
	}
	parent, err := s.args.text("parentNodeId")
	if err != nil || parent == "" {
		return nil, bad("paramError", "parentNodeId")
	}
	nodes := s.shelf(collNodes)
	known := slices.ContainsFunc(nodes, func(o map[string]any) bool { return o["nodeId"] == parent }) ||
		slices.ContainsFunc(s.shelf(collWorkspaces), func(o map[string]any) bool { return o["rootNodeId"] == parent })
	if !known {
		return nil, newFault(http.StatusNotFound, "parentNodeNotExist", "父节点不存在")
	}
	children := []map[string]any{}
	for _, o := range nodes {
		if o["parentNodeId"] != parent {
			continue
		}
		shown, err := core.MergeObject(o, []byte(`{"parentNodeId":null}`))
		if err != nil {
			return nil, bad("paramError", err.Error())
		}
		children = append(children, shown)
	}
	reply, rows, err := s.tokenPage(s.args, children, maxNodePage)
	if err != nil {
		return nil, err
	}
	reply["nodes"] = rows
	return reply, nil
}

// listSpaces serves GET /v1.0/drive/spaces: how the spaces of an organisation are
// known. How many a page may have is not documented (?).
// https://open.dingtalk.com/document/development/queries-a-space-list
func (s *session) listSpaces() (map[string]any, error) {
	union, err := s.args.text("unionId")
	kind, err2 := s.args.text("spaceType")
	size, given, err3 := s.args.integer("maxResults")
	switch {
	case err != nil || err2 != nil || err3 != nil || union == "" || kind != "org" || !given || size < 1:
		return nil, bad("param.error", "Invalid Param")
	case size > maxSpacePage:
		return nil, bad("param.error.maxresults", "Too Large MaxResults")
	case s.byUnion[union] == "":
		return nil, bad("no.priviledge", "You are not authorized to perform this operation.")
	}
	reply, rows, err := s.tokenPage(s.args, s.shelf(collSpaces), maxSpacePage)
	if err != nil {
		return nil, err
	}
	reply["spaces"] = rows
	if reply["nextToken"] == nil {
		reply["nextToken"] = "" // the page says so of this call
	}
	return reply, nil
}

// listDentries serves POST /v1.0/storage/spaces/{spaceId}/dentries/listAll.
// https://open.dingtalk.com/document/development/get-a-list-of-all-files-or-folders-under-a
func (s *session) listDentries() (map[string]any, error) {
	if err := s.operator("unionId"); err != nil {
		return nil, err
	}
	option, err := s.args.object("option")
	if err != nil {
		return nil, bad("paramError", "option")
	}
	space := strings.TrimSuffix(strings.TrimPrefix(s.call.Operation, dentriesPrefix), dentriesSuffix)
	if !slices.ContainsFunc(s.shelf(collSpaces), func(o map[string]any) bool { return o["spaceId"] == space }) {
		return nil, newFault(http.StatusNotFound, "spaceNotExist", "空间不存在")
	}
	inside := slices.DeleteFunc(s.shelf(collDentries), func(o map[string]any) bool { return o["spaceId"] != space })
	reply, rows, err := s.tokenPage(option, inside, maxNodePage)
	if err != nil {
		return nil, err
	}
	reply["dentries"] = rows
	return reply, nil
}

// listGroups serves GET /v1.0/exclusive/securities/orgGroupInfos, of the exclusive
// edition only: elsewhere the permission cannot be had. Pages count from 1. What is
// wrong with the parameters has no code on the page (?).
// https://open.dingtalk.com/document/development/obtain-group-info
func (s *session) listGroups() (map[string]any, error) {
	if !s.spec.Options.Exclusive {
		return nil, denyNew(s.app.AppKey, permGroups)
	}
	operator, err := s.args.text("operatorUserId")
	query, err2 := s.args.text("uuid")
	size, given1, err3 := s.args.integer("pageSize")
	page, given2, err4 := s.args.integer("pageStart")
	if err != nil || err2 != nil || err3 != nil || err4 != nil || operator == "" || query == "" ||
		!given1 || !given2 || page < 1 || size < 1 || size > maxGroupPage {
		return nil, bad("paramError", "参数错误")
	}
	list := s.shelf(collGroups)
	total := int64(len(list))
	from := min((page-1)*size, total)
	rows := list[from:min(from+size, total)]
	keep, _ := s.call.Rows(len(rows))
	return map[string]any{"totalCount": total, "itemCount": keep, "items": rows[:keep]}, nil
}
