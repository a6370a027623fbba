package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zhaoyunxing92/dingtalk/v2"
	"github.com/zhaoyunxing92/dingtalk/v2/constant/language"
	"github.com/zhaoyunxing92/dingtalk/v2/domain/message"
	"github.com/zhaoyunxing92/dingtalk/v2/request"
	"github.com/zhaoyunxing92/dingtalk/v2/response"
)

const dingtalkAgent = 3_000_000_001

// TestDingTalkDepartment is the life of one department.
func TestDingTalkDepartment(t *testing.T) {
	client := newDingTalk(t)
	made, err := client.CreateDept(request.NewCreateDept("研发", 1).SetOrder(5).SetSourceIdentifier("RD").
		SetHideDept(true).SetCreateDeptGroup(true).SetAutoApproveApply(true).Build())
	ok(t, err)
	dev := made.Dept.DeptId
	object := fmt.Sprintf("dingtalk/acme/departments/%d", dev)
	has(t, object, `{"name":"研发","parent_id":1,"order":5,"source_identifier":"RD","hide_dept":true,
		"create_dept_group":true,"auto_add_user":true,"auto_approve_apply":true}`)
	backend := dingtalkDept(t, client, "后端", dev)
	lead := dingtalkUser(t, client, 1, dev)

	change := request.NewUpdateDept(uint(dev)).SetName("研发中心").SetOrder(3).SetHideDept(false).Build()
	change.DeptManagerUseridList = lead // the builder's setter has no effect
	_, err = client.UpdateDept(change)
	ok(t, err)
	has(t, object, `{"name":"研发中心","order":3,"hide_dept":false,"dept_manager_userid_list":["E1"],"source_identifier":"RD"}`)
	got, err := client.GetDeptDetail(request.NewDeptDetail(dev).Build())
	ok(t, err)
	d := got.Detail
	same(t, "department/get", []any{d.Id, d.Name, d.ParentId, d.Order, d.SourceIdentifier, d.HideDept, d.CreateDeptGroup, d.DeptManagerUseridList},
		[]any{dev, "研发中心", 1, 3, "RD", false, true, []string{lead}})

	below, err := client.GetDeptList(request.NewDeptList().Build()) // the root's
	ok(t, err)
	same(t, "listsub", below.List, []response.DeptBaseResponse{{Id: dev, Name: "研发中心", ParentId: 1, CreateDeptGroup: true, AutoAddUser: true}})
	ids, err := client.GetSubDeptList(dev)
	ok(t, err)
	same(t, "listsubid", ids.Result.Ids, []int{backend})
	path, err := client.GetParentIdsByDeptId(backend)
	ok(t, err)
	same(t, "listparentbydept", path.Result.ParentIds, []int{backend, dev, 1})
	paths, err := client.GetParentIdsByUserId(lead)
	ok(t, err)
	if len(paths.Result.Parents) != 1 || !slices.Equal(paths.Result.Parents[0].ParentIds, []int{dev, 1}) {
		t.Errorf("listparentbyuser: %v", paths.Result.Parents)
	}

	// A move takes the department along, and what is below it.
	ops := dingtalkDept(t, client, "运维", 1)
	_, err = client.UpdateDept(request.NewUpdateDept(uint(dev)).SetParentId(uint(ops)).Build())
	ok(t, err)
	path, err = client.GetParentIdsByDeptId(backend)
	ok(t, err)
	same(t, "after the move", path.Result.ParentIds, []int{backend, dev, ops, 1})

	_, err = client.DeleteDept(backend)
	ok(t, err)
	gone(t, fmt.Sprintf("dingtalk/acme/departments/%d", backend))
	_, err = client.DeleteUser(lead)
	ok(t, err)
	_, err = client.DeleteDept(dev)
	ok(t, err)
	gone(t, object)
	_, err = client.GetDeptDetail(request.NewDeptDetail(dev).Build())
	refused(t, "getting what is deleted", err, 60003)
}

func TestDingTalkDepartmentRefusals(t *testing.T) {
	client := newDingTalk(t)
	dev := dingtalkDept(t, client, "研发", 1)
	backend := dingtalkDept(t, client, "后端", dev)
	dingtalkUser(t, client, 1, backend)
	create := func(name string, parent uint) error {
		_, err := client.CreateDept(request.NewCreateDept(name, parent).Build())
		return err
	}
	update := func(change *request.UpdateDept) error {
		_, err := client.UpdateDept(change)
		return err
	}
	remove := func(id int) error {
		_, err := client.DeleteDept(id)
		return err
	}
	stranger := request.NewUpdateDept(uint(dev)).Build()
	stranger.DeptManagerUseridList = "E1" // is a member of 后端 only
	for _, c := range []struct {
		what string
		err  error
		code int
	}{
		{"a name twice", create("研发", 1), 60021},
		{"a name with a dash", create("研发-2", 1), 60009},
		{"no such parent", create("测试", 987654321), 60004},
		{"below itself", update(request.NewUpdateDept(uint(dev)).SetParentId(uint(backend)).Build()), 60010},
		{"to no parent", update(request.NewUpdateDept(uint(dev)).SetParentId(987654321).Build()), 60004},
		{"a manager from elsewhere", update(stranger), 40031},
		{"the root's name", update(request.NewUpdateDept(1).SetName("总部").Build()), 60018},
		{"updating none", update(request.NewUpdateDept(987654321).SetName("总部").Build()), 60003},
		{"deleting with people", remove(backend), 60005},
		{"deleting with departments", remove(dev), 60006},
		{"deleting the root", remove(1), 60007},
		{"deleting none", remove(987654321), 60003},
	} {
		refused(t, c.what, c.err, c.code)
	}
	same(t, "departments", count(t, "dingtalk/acme/departments"), 3)
	ok(t, create("研发", uint(dev))) // the same name, below another department

	// The first version of the directory API, closed to new apps, is not simulated.
	_, err := client.FetchDeptList(1, true, language.ZH_CN)
	refused(t, "department/list", err, 22)
}

// TestDingTalkHiddenDepartment: who may see one. The SDK misspells that when it
// creates one, and spells it right when it updates.
func TestDingTalkHiddenDepartment(t *testing.T) {
	client := newDingTalk(t)
	made, err := client.CreateDept(request.NewCreateDept("并购", 1).SetHideDept(true).SetUserPermits("manager7001").SetDeptPermits(1).Build())
	ok(t, err)
	object := fmt.Sprintf("dingtalk/acme/departments/%d", made.Dept.DeptId)
	has(t, object, `{"hide_dept":true,"user_permits":[],"dept_permits":[]}`)
	_, err = client.UpdateDept(request.NewUpdateDept(uint(made.Dept.DeptId)).SetHideDept(true).
		SetUserPermits("manager7001").SetDeptPermits(1).Build())
	ok(t, err)
	has(t, object, `{"hide_dept":true,"user_permits":["manager7001"],"dept_permits":[1]}`)
}

// TestDingTalkRole is the life of one role and its group.
func TestDingTalkRole(t *testing.T) {
	client := newDingTalk(t)
	dev := dingtalkDept(t, client, "研发", 1)
	users := []string{dingtalkUser(t, client, 1, dev), dingtalkUser(t, client, 2, dev), dingtalkUser(t, client, 3, dev)}
	group, err := client.CreateRoleGroup("安全")
	ok(t, err)
	made, err := client.CreateRole("审计", group.GroupId)
	ok(t, err)
	role := made.RoleId
	_, err = client.UpdateRole(role, "审计员")
	ok(t, err)
	detail, err := client.GetRoleDetail(role)
	ok(t, err)
	same(t, "getrole", []any{detail.Role.RoleName, detail.Role.GroupId}, []any{"审计员", group.GroupId})
	whole, err := client.GetGroupRoles(group.GroupId)
	ok(t, err)
	if whole.Group.GroupName != "安全" || len(whole.Group.Roles) != 1 || whole.Group.Roles[0].Id != role || whole.Group.Roles[0].Name != "审计员" {
		t.Errorf("getrolegroup: %+v", whole.Group)
	}

	_, err = client.BatchAddUserRole([]int{role}, slices.Clone(users))
	ok(t, err)
	var holders []string
	for offset, more := 0, true; more; offset += 2 {
		page, err := client.GetRoleUserList(role, offset, 2)
		ok(t, err)
		for _, u := range page.Result.Users {
			holders = append(holders, u.UserId)
		}
		more = page.Result.HasMore
	}
	same(t, "simplelist", holders, users)
	_, err = client.SetUserRoleManageScope(request.NewSetUserRoleManageScope("E2", role).SetDeptIds(dev).Build())
	ok(t, err)
	_, err = client.BatchRemoveUserRole([]int{role}, []string{"E1", "E3"})
	ok(t, err)
	left, err := client.GetRoleUserList(role, 0, 10)
	ok(t, err)
	if u := left.Result.Users; len(u) != 1 || len(u[0].ManageScopes) != 1 || u[0].ManageScopes[0].DeptId != dev {
		t.Errorf("who is left: %+v", u)
	}
	has(t, fmt.Sprintf("dingtalk/acme/roles/%d", role), fmt.Sprintf(
		`{"name":"审计员","groupName":"安全","users":[{"userid":"E2","name":"员工2","manageScopes":[{"dept_id":%d,"name":"研发"}]}]}`, dev))
	u, err := client.GetUserDetail(request.NewUserDetail("E2").Build())
	ok(t, err)
	if len(u.UserRoles) != 1 || u.UserRoles[0].Id != role || u.UserRoles[0].GroupName != "安全" {
		t.Errorf("role_list of user/get: %+v", u.UserRoles)
	}
	dingtalkRoleRefusals(t, client, group.GroupId, role)

	_, err = client.BatchRemoveUserRole([]int{role}, []string{"E2"})
	ok(t, err)
	_, err = client.DeleteRole(role)
	ok(t, err)
	gone(t, fmt.Sprintf("dingtalk/acme/roles/%d", role))
	_, err = client.GetRoleDetail(role)
	refused(t, "a role that is deleted", err, 33011)
}

// TestDingTalkRoleBatches: a call takes 20 roles, and 20 people to give them to or 100 to take them from; one more, the SDK refuses
// itself: its authors read the same limits.
func TestDingTalkRoleBatches(t *testing.T) {
	client := newDingTalk(t)
	dev := dingtalkDept(t, client, "研发", 1)
	group, err := client.CreateRoleGroup("安全")
	ok(t, err)
	roles, users := make([]int, 20), make([]string, 20)
	for i := range roles {
		made, err := client.CreateRole(fmt.Sprintf("审计%d", i), group.GroupId)
		ok(t, err)
		roles[i], users[i] = made.RoleId, dingtalkUser(t, client, i+1, dev)
	}
	_, err = client.BatchAddUserRole(roles, users)
	ok(t, err)
	for _, role := range []int{roles[0], roles[19]} {
		page, err := client.GetRoleUserList(role, 0, 100)
		ok(t, err)
		same(t, "holders of a role", len(page.Result.Users), 20)
	}
	crowd := func(n int) (ids []string) {
		for i := range n {
			ids = append(ids, fmt.Sprintf("nobody%d", i))
		}
		return ids
	}
	_, err = client.BatchAddUserRole(roles[:1], append(slices.Clone(users), "nobody"))
	tooMany(t, "21 people to give a role to", err)
	_, err = client.BatchAddUserRole(append(slices.Clone(roles), 987654321), users)
	tooMany(t, "21 roles to give", err)
	_, err = client.BatchRemoveUserRole(roles[:1], crowd(100))
	refused(t, "100 people who are not there", err, 33012)
	_, err = client.BatchRemoveUserRole(roles[:1], crowd(101))
	tooMany(t, "101 people to take a role from", err)
	_, err = client.BatchRemoveUserRole(append(slices.Clone(roles), 987654321), users)
	tooMany(t, "21 roles to take", err)
	_, err = client.BatchRemoveUserRole(roles, users)
	ok(t, err)
	page, err := client.GetRoleUserList(roles[19], 0, 100)
	ok(t, err)
	same(t, "holders of a role that was taken from all", len(page.Result.Users), 0)
}

// tooMany: the SDK sends no more than this, and does not ask.
func tooMany(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "failed on the 'max' tag") {
		t.Errorf("%s: %v", what, err)
	}
}

// TestDingTalkOversight: who administers the company, and who was active on a day.
func TestDingTalkOversight(t *testing.T) {
	client := newDingTalk(t)
	dev := dingtalkDept(t, client, "研发", 1)
	quiet := dingtalkUser(t, client, 1, dev)
	dingtalkUser(t, client, 2, dev)
	for id, active := range map[string]bool{quiet: false, "E2": true} {
		ask(t, "POST", "/state/dingtalk/acme/users/"+id, fmt.Sprintf(`{"active":%t}`, active), nil)
	}
	admins, err := client.GetOrgAdminUser()
	ok(t, err)
	if len(admins.AdminUser) != 1 || admins.AdminUser[0].Level != 1 {
		t.Errorf("listadmin: %+v", admins.AdminUser)
	}
	day := time.Now().In(time.FixedZone("CST", 8*60*60)).AddDate(0, 0, -2).Format("20060102") // yesterday may not be complete
	seen := map[bool][]string{}
	for _, active := range []bool{true, false} {
		for offset, more := 0, true; more; offset++ {
			page, err := client.GetInactiveUser(request.NewInactiveUser(active, offset, 1, day).SetDeptIds(dev).Build())
			ok(t, err)
			seen[active] = append(seen[active], page.Result.UserIds...)
			more = page.Result.HasMore
		}
	}
	same(t, "inactive/user/v2/get", seen, map[bool][]string{true: {"E2"}, false: {"E1"}})
}

func dingtalkRoleRefusals(t *testing.T, client *dingtalk.DingTalk, group, role int) {
	t.Helper()
	_, err := client.CreateRoleGroup("安全")
	refused(t, "a group twice", err, 34021)
	_, err = client.CreateRole("审计员", group)
	refused(t, "a role twice", err, 34021)
	_, err = client.CreateRole("审计", 987654321)
	refused(t, "no such group", err, 34020)
	_, err = client.UpdateRole(987654321, "审计")
	refused(t, "no such role", err, 33011)
	_, err = client.BatchAddUserRole([]int{role}, []string{"E1", "nobody"})
	refused(t, "no such user", err, 33012)
	_, err = client.DeleteRole(role)
	refused(t, "a role that somebody has", err, 400002)

	list, err := client.GetRoleList(0, 200)
	ok(t, err)
	var main int // the role of the main administrator, which is not ours to change
	for _, g := range list.Result.RoleGroups {
		for _, r := range g.Roles {
			if r.Name == "主管理员" {
				main = r.Id
			}
		}
	}
	holders, err := client.GetRoleUserList(main, 0, 10)
	ok(t, err)
	if len(holders.Result.Users) != 1 || holders.Result.Users[0].UserId != "manager7001" {
		t.Errorf("main administrators: %+v", holders.Result.Users)
	}
	_, err = client.UpdateRole(main, "管理员")
	refused(t, "a default role", err, 23004)
	admins, err := client.GetOrgAdminUser()
	ok(t, err)
	if len(admins.AdminUser) != 1 || admins.AdminUser[0].UserId != "manager7001" || admins.AdminUser[0].Level != 1 {
		t.Errorf("administrators: %+v", admins.AdminUser)
	}
	scope, err := client.GetOrgAdminScope(request.NewAdminUserScope("manager7001"))
	ok(t, err)
	same(t, "the main administrator's scope", scope.DeptIds, []int{1})
}

// TestDingTalkNotice sends a notice to two people and a stranger.
func TestDingTalkNotice(t *testing.T) {
	client := newDingTalk(t)
	dev := dingtalkDept(t, client, "研发", 1)
	dingtalkUser(t, client, 1, dev)
	dingtalkUser(t, client, 2, 1)
	notice := request.NewCorpConvMessage(message.NewTextMessage("入职")).SetAgentId(dingtalkAgent).
		SetUserIds("E2", "nobody").SetDeptIds(dev).Build()
	sent, err := client.SendCorpConvMessage(notice)
	ok(t, err)
	progress, err := client.GetCorpConvMsgProgress(dingtalkAgent, sent.TaskId)
	ok(t, err)
	same(t, "progress", []int{progress.Progress.Percent, progress.Progress.Status}, []int{100, 2})
	result, err := client.GetMessageSendResult(dingtalkAgent, sent.TaskId)
	ok(t, err)
	slices.Sort(result.UnReadUserIds)
	same(t, "unread", result.UnReadUserIds, []string{"E1", "E2"})
	same(t, "unknown users", result.InvalidUserIds, []string{"nobody"})
	object := fmt.Sprintf("dingtalk/acme/messages/%d", sent.TaskId)
	has(t, object, `{"msg":{"msgtype":"text","text":{"content":"入职"}},"recalled":false}`)
	_, err = client.RecallCorpConvMessage(dingtalkAgent, sent.TaskId)
	ok(t, err)
	has(t, object, `{"recalled":true}`)

	// The same to the same people on the same day succeeds, and reaches nobody.
	again, err := client.SendCorpConvMessage(notice)
	ok(t, err)
	result, err = client.GetMessageSendResult(dingtalkAgent, again.TaskId)
	ok(t, err)
	same(t, "unread", len(result.UnReadUserIds), 0)
	if len(result.Forbiddings) != 2 || result.Forbiddings[0].Code != "143106" || len(result.ForbiddenUserIds) != 2 {
		t.Errorf("forbidden: %+v %v", result.Forbiddings, result.ForbiddenUserIds)
	}

	_, err = client.SendCorpConvMessage(request.NewCorpConvMessage(message.NewTextMessage("x")).SetAgentId(1).SetUserIds("E1").Build())
	refused(t, "another app", err, 40056)
	_, err = client.SendCorpConvMessage(request.NewCorpConvMessage(message.NewTextMessage("x")).SetAgentId(dingtalkAgent).Build())
	refused(t, "no receiver", err, 1430000)
}

// TestDingTalkUnknownDepartments: the SDK has texts where the platform sends numbers.
func TestDingTalkUnknownDepartments(t *testing.T) {
	client := newDingTalk(t)
	sent, err := client.SendCorpConvMessage(request.NewCorpConvMessage(message.NewTextMessage("入职")).
		SetAgentId(dingtalkAgent).SetUserIds("manager7001").SetDeptIds(987654321).Build())
	ok(t, err)
	has(t, fmt.Sprintf("dingtalk/acme/messages/%d", sent.TaskId), `{"userid_list":["manager7001"],"invalid_dept_id_list":[987654321]}`)
	_, err = client.GetMessageSendResult(dingtalkAgent, sent.TaskId)
	if wrong := new(json.UnmarshalTypeError); !errors.As(err, &wrong) {
		t.Errorf("reading the result: %v, want the SDK's type to be wrong", err)
	}
}
