package dingtalk

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// FuzzAnswer gives arbitrary bytes as the platform's answer to everything. Nothing
// may panic, nothing may succeed that the bytes do not say in words, and every
// error has a class.
func FuzzAnswer(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no recorded answers", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(200, string(b))
	}
	f.Add(502, "<html>")
	f.Add(200, `{"errcode":0,"result":{"dept_id":"1","list":[{}],"has_more":1,"count":null}}`)
	f.Add(200, `{"errcode":"0","result":"[]"}`)
	f.Add(200, `{"errcode":0,"result":{"hasMore":true,"list":[{"groupId":1,"name":"默认","roles":[{"id":1},{"id":2}],"userid":"a"}],"nextToken":"3"},"nextToken":"n"}`)
	f.Add(200, `{"nodes":[{"nodeId":"1","hasChildren":true}],"workspaces":[{"workspaceId":"1","rootNodeId":"1"}],"nextToken":1,"recordresult":"[{\"id\":1}]","hasMore":1}`)
	f.Add(200, `{"errcode":0,"result":{"userid":"a","unionid":1},"spaces":[{"spaceId":"1"}],"dentries":[{"id":"1"}],"events":{"id":2},"nextToken":0}`)
	f.Add(200, `{"errcode":0,"result":[{"userid":"a","userId":"a","sys_level":1,"fieldDataList":null}],"list":[{"bizId":1}],"userIdList":["a"],"hasMore":"false"}`)
	f.Add(200, `{"errcode":0,"result":{"userid":"zhangsan","role_list":[{"id":1}],"voluntaryList":[{"id":1}],"list":[{"userid":"zhangsan"}],"hasMore":1},"task_id":1,"progress":{"status":2},"send_result":{"forbidden_list":[{"code":143106}]}}`)
	f.Add(200, `{"errcode":0,"result":[{"userid":"zhangsan","userId":"zhangsan","sys_level":1,"status":1,"deptList":[{"dept_id":1}]}]}`)
	f.Add(400, `{"code":"businessError","errcode":33011}`)
	f.Add(400, `{"code":"exclusive.account.only","errcode":null}`)
	f.Add(200, `{"result":"true","disable":0}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		s, d := newStub(t)
		d.agent = "1"
		for _, op := range []*operation{
			&opScopes, &opCount, &opUser, &opUsers, &opUserByMobile, &opCreateUser, &opUpdateUser,
			&opDepartment, &opDepartments, &opCreateDepartment, &opUpdateDepartment, &opDisable, &opSignOut, &opStatus,
			&opRoleGroups, &opHolders, &opCreateGroup, &opCreateRole, &opAddToRole, &opRoleScope,
			&opUserIDs, &opAdmins, &opForms, &opInstanceIDs, &opInstance, &opResults, &opPunches, &opReports, &opOnJob, &opDismissed,
			&opDismissals, &opLeavers, &opRosterFields, &opGroupInfos, &opWorkspaces, &opNodes, &opSpaces, &opFileLogs,
			opEntries.at("1"), opEvents.at("1"),
			&opRemove, &opReasons, &opHandOver, &opRemoveFromRole, &opNotify, &opNotifying, &opNotified, &opTasks,
		} {
			s.on(op, answer{status: status, body: body})
		}
		says := read(body)
		try(t, d, says, body)
	})
}

// said is what the bytes say, read in another way than the provider does: key
// by key, in whatever case, the last one or any other of its name.
type said struct{ fine, invited, result bool }

func read(body string) said {
	var m map[string]json.RawMessage
	if json.Unmarshal([]byte(body), &m) != nil {
		return said{}
	}
	var s said
	for key, raw := range m {
		var v any
		_ = json.Unmarshal(raw, &v)
		switch code := fmt.Sprint(v); {
		case strings.EqualFold(key, "errcode"):
			s.fine = s.fine || code == "0"
			s.invited = s.invited || code == "40103" || code == "88"
		case strings.EqualFold(key, "result"):
			s.result = s.result || v != nil
		}
	}
	return s
}

func try(t *testing.T, d *Directory, says said, body string) {
	ctx := t.Context()
	check := func(doing string, err error, mayPass bool) {
		t.Helper()
		if err == nil {
			if !mayPass {
				t.Errorf("%s succeeded on %q", doing, body)
			}
			return
		}
		if e, ok := errors.AsType[*directory.Error](err); !ok || e.Class == "" || e.Message == "" || e.Operation == "" {
			t.Errorf("%s: %v is no error of ours", doing, err)
		}
	}
	_, err := d.Account(ctx, "zhangsan")
	check("Account", err, says.fine && says.result)
	_, err = d.List(ctx)
	check("List", err, says.fine && says.result)
	_, err = d.FindByMobile(ctx, "+86-13800001234")
	check("FindByMobile", err, says.fine && says.result)
	_, err = d.CreateAccount(ctx, "zhangsan", directory.Ordinary, newcomer())
	check("CreateAccount", err, says.fine || says.invited)
	check("UpdateAccount", d.UpdateAccount(ctx, "zhangsan", directory.Profile{Set: directory.FieldTitle}), says.fine)
	_, err = d.Department(ctx, "1")
	check("Department", err, says.fine && says.result)
	_, err = d.CreateDepartment(ctx, directory.Department{Set: directory.DepartmentName | directory.DepartmentParent, Name: "一", Parent: "1"})
	check("CreateDepartment", err, says.fine && says.result)
	check("Freeze", d.Freeze(ctx, "zhangsan", ""), says.result)
	check("Check", d.Check(ctx), says.fine)
	_, err = d.Roles(ctx)
	check("Roles", err, says.fine && says.result)
	_, err = d.RoleMembers(ctx, "1")
	check("RoleMembers", err, says.fine && says.result)
	_, err = d.CreateRole(ctx, directory.Role{Name: "一"})
	check("CreateRole", err, says.fine)
	check("AddToRole", d.AddToRole(ctx, "1", []directory.RoleMember{{Account: "zhangsan"}}), says.fine)
	check("Remove", d.Remove(ctx, "zhangsan", directory.Removal{}), says.fine && says.result)
	check("Remove with a successor", d.Remove(ctx, "zhangsan", directory.Removal{Successor: "lisi"}), says.result)
	_, err = d.RolesOf(ctx, "zhangsan")
	check("RolesOf", err, says.fine && says.result)
	check("RemoveFromRole", d.RemoveFromRole(ctx, "1", []directory.RoleMember{{Account: "zhangsan"}}), true) // "no such role" is fine
	_, err = d.Notify(ctx, []string{"zhangsan"}, "交接")
	check("Notify", err, says.fine)
	_, err = d.Delivered(ctx, directory.Receipt{ID: "1"})
	check("Delivered", err, says.fine)
	_, err = d.Residuals(ctx, "zhangsan")
	check("Residuals", err, says.fine && says.result)
	for _, o := range d.Offers() {
		for _, chosen := range [][]string{nil, {"zhangsan"}} {
			scope := directory.Scope{Accounts: chosen, From: time.Date(2026, 2, 20, 0, 0, 0, 0, time.UTC)}
			_, err := d.Export(ctx, o.Dataset, scope, func(i directory.Item) error {
				if i.ID == "" || !json.Valid(i.Raw) {
					t.Errorf("%s: emitted %q %q with %q from %q", o.Dataset, i.Part, i.ID, i.Raw, body)
				}
				return nil
			})
			check("Export of "+string(o.Dataset), err, o.Missing == "" && (o.Dataset != directory.DatasetDirectory || says.fine && says.result))
		}
	}
}
