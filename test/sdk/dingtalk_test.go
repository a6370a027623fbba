package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zhaoyunxing92/dingtalk/v2"
	"github.com/zhaoyunxing92/dingtalk/v2/cache"
	"github.com/zhaoyunxing92/dingtalk/v2/request"
	"go.uber.org/zap/zapcore"
)

const (
	dingtalkKey    = "dingacme0001"
	dingtalkSecret = "acme-app-secret"
)

// tokenCache keeps a token in memory and takes it for valid until it is
// forgotten. The SDK's own cache is a file in the working directory.
type tokenCache struct{ token []byte }

func (c *tokenCache) Set(token cache.Expired) (err error) {
	c.token, err = json.Marshal(token)
	return err
}

func (c *tokenCache) Get(into cache.Expired) error {
	if c.token == nil {
		return errors.New("there is no token yet")
	}
	return json.Unmarshal(c.token, into)
}

// newDingTalk resets the simulator and makes a client of the built-in app of acme.
func newDingTalk(t *testing.T) *dingtalk.DingTalk {
	t.Helper()
	reset(t)
	return dingtalkClient(t, dingtalkSecret, &tokenCache{})
}

func dingtalkClient(t *testing.T, secret string, tokens cache.Cache) *dingtalk.DingTalk {
	t.Helper()
	options := []dingtalk.OptionFunc{dingtalk.WithLevel(zapcore.FatalLevel)} // it logs refusals, tokens included
	if tokens != nil {
		options = append(options, dingtalk.WithCache(tokens))
	}
	client, err := dingtalk.NewClient(dingtalkKey, secret, options...)
	ok(t, err)
	return client
}

// refused checks for a code of the platform, which this SDK's errors begin with.
func refused(t *testing.T, what string, err error, code int) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("code:%d,", code)) {
		t.Errorf("%s: %v, want code %d", what, err, code)
	}
}

// TestDingTalkTokenFile uses the SDK as it is: with a file for its token.
func TestDingTalkTokenFile(t *testing.T) {
	t.Chdir(t.TempDir())
	reset(t)
	first, err := dingtalkClient(t, dingtalkSecret, nil).GetAccessToken()
	ok(t, err)
	if _, err := os.Stat(filepath.Join(".token", "corp", dingtalkKey)); err != nil {
		t.Error(err)
	}
	second, err := dingtalkClient(t, dingtalkSecret, nil).GetAccessToken()
	ok(t, err)
	same(t, "the token of another client", second, first)
	same(t, "calls of gettoken", calls(t, "dingtalk", "/gettoken"), 1)
}

func TestDingTalkToken(t *testing.T) {
	tokens := &tokenCache{}
	reset(t)
	client := dingtalkClient(t, dingtalkSecret, tokens)
	first, err := client.GetAccessToken()
	ok(t, err)
	tokens.token = nil
	again, err := client.GetAccessToken()
	ok(t, err)
	same(t, "a token asked for twice", again, first)

	// The platform takes it back, and the SDK does not know.
	ask(t, "DELETE", "/state/dingtalk/acme/tokens/rollcall", "", nil)
	_, err = client.GetUserCount(request.NewUserCount(false))
	refused(t, "a token that was taken back", err, 88)
	tokens.token = nil
	next, err := client.GetAccessToken()
	ok(t, err)
	if next == first {
		t.Error("the token that was taken back is given out again")
	}
	ask(t, "POST", "/clock/advance", `{"seconds":7200}`, nil)
	_, err = client.GetUserCount(request.NewUserCount(false))
	refused(t, "an expired token", err, 88)

	tokens.token = []byte(`{"access_token":"nobody's"}`)
	_, err = client.GetUserCount(request.NewUserCount(false))
	refused(t, "an unknown token", err, 88)
	if err != nil && !strings.Contains(err.Error(), "subcode=40014") {
		t.Errorf("an unknown token: %v, want sub_code 40014", err)
	}
	_, err = dingtalkClient(t, "not the secret", &tokenCache{}).GetAccessToken()
	refused(t, "a wrong secret", err, 40096)
}

// TestDingTalkPermission: this SDK tells the cause of a refusal on the old API only.
func TestDingTalkPermission(t *testing.T) {
	client := newDingTalk(t)
	set(t, "dingtalk/acme", `{"permissions":["qyapi_get_member"]}`, `{"permissions":null}`)
	_, err := client.DeleteUser("manager7001")
	refused(t, "deleting without permission", err, 88)
	if err != nil && !strings.Contains(err.Error(), "subcode=60011") {
		t.Errorf("deleting without permission: %v, want sub_code 60011", err)
	}
	has(t, "dingtalk/acme/users/manager7001", `{"userid":"manager7001"}`)
	if _, err = client.GetHrmEmpLeaveRecords("2026-01-01T00:00:00Z", "", "0", 10); err == nil {
		t.Error("leave records can be read without permission")
	}
}

// dingtalkDept makes a department.
func dingtalkDept(t *testing.T, client *dingtalk.DingTalk, name string, parent int) int {
	t.Helper()
	made, err := client.CreateDept(request.NewCreateDept(name, uint(parent)).Build())
	ok(t, err)
	return made.Dept.DeptId
}

// dingtalkUser makes a user E<n> with the mobile number 1390000<n>.
func dingtalkUser(t *testing.T, client *dingtalk.DingTalk, n int, depts ...int) string {
	t.Helper()
	user := request.NewCreateUser(fmt.Sprintf("员工%d", n), fmt.Sprintf("1390000%04d", n), depts[0], depts[1:]...).Build()
	user.UserId = fmt.Sprintf("E%d", n)
	made, err := client.CreateUser(user)
	ok(t, err)
	same(t, "userid", made.User.UserId, user.UserId)
	return made.User.UserId
}

// TestDingTalkUser is the life of one person.
func TestDingTalkUser(t *testing.T) {
	client := newDingTalk(t)
	dev, ops := dingtalkDept(t, client, "研发", 1), dingtalkDept(t, client, "运维", 1)
	boss := dingtalkUser(t, client, 1, dev)
	hired := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli()
	_, err := client.CreateUser(request.NewCreateUser("林晓", "13900000100", dev, ops).
		SetTelephone("020-100").SetJobNumber("E100").SetManagerUserId(boss).SetTitle("工程师").
		SetEmail("e100@example.com").SetRemark("兼职").SetWorkPlace("三楼").SetHideMobile(true).SetSeniorMode(false).
		SetDeptOrder(ops, 7).SetExtension(`{"职级":"P6","爱好":"棋"}`).SetHiredDate(int(hired)).Build())
	ok(t, err)
	found, err := client.GetUserIdByMobile(request.NewMobileGetUserId("13900000100"))
	ok(t, err)
	id := found.Result.UserId // made by the platform: none was asked for
	has(t, "dingtalk/acme/users/"+id, fmt.Sprintf(`{"name":"林晓","mobile":"13900000100","state_code":"86",
		"telephone":"020-100","job_number":"E100","manager_userid":"E1","title":"工程师","email":"e100@example.com",
		"remark":"兼职","work_place":"三楼","hide_mobile":true,"senior":false,"dept_id_list":[%d,%d],
		"extension":"{\"职级\":\"P6\"}","hired_date":%d,"active":true}`, dev, ops, hired))

	got, err := client.GetUserDetail(request.NewUserDetail(id).Build())
	ok(t, err)
	u := got.UserInfoDetail
	same(t, "user/get", []any{
		u.UserId, u.Name, u.Mobile, u.StateCode, u.Telephone, u.JobNumber, u.ManagerUserId, u.Title, u.Email, u.Remark,
		u.WorkPlace, u.HideMobile, u.Senior, u.Extension, u.HiredDate, u.Active, u.ExclusiveAccount, u.DeptIds,
	}, []any{
		id, "林晓", "13900000100", "86", "020-100", "E100", boss, "工程师", "e100@example.com", "兼职",
		"三楼", true, false, `{"职级":"P6"}`, int(hired), true, false, []int{dev, ops},
	})
	if !slices.Contains(u.DeptOrders, request.DeptOrder{DeptId: ops, Order: 7}) {
		t.Errorf("dept_order_list: %v", u.DeptOrders)
	}
	byUnion, err := client.GetUserIdByUnionId(request.NewUnionIdGetUserId(u.UnionId))
	ok(t, err)
	same(t, "getbyunionid", byUnion.Result.UserId, id)

	dingtalkUpdateAndLeave(t, client, id, ops)
}

func dingtalkUpdateAndLeave(t *testing.T, client *dingtalk.DingTalk, id string, dept int) {
	t.Helper()
	_, err := client.UpdateUser(request.NewUpdateUser(id).SetName("林小").SetTitle("组长").SetDept(dept).
		SetDeptOrder(dept, 9).SetMobile("13900000999").SetHideMobile(false).SetExtension(`{"工位":"3-7"}`).
		SetForceUpdateFields("manager_userid").Build())
	ok(t, err)
	// The mobile number stays: DingTalk does not let it be changed, and does not say so.
	has(t, "dingtalk/acme/users/"+id, fmt.Sprintf(`{"name":"林小","title":"组长","dept_id_list":[%d],"mobile":"13900000100",
		"dept_order_list":[{"dept_id":%d,"order":9}],"hide_mobile":false,"extension":"{\"工位\":\"3-7\"}","job_number":"E100"}`, dept, dept))
	got, err := client.GetUserDetail(request.NewUserDetail(id).Build())
	ok(t, err)
	same(t, "a manager that was taken away", got.ManagerUserId, "")
	same(t, "the title", got.Title, "组长")

	_, err = client.DeleteUser(id)
	ok(t, err)
	gone(t, "dingtalk/acme/users/"+id)
	_, err = client.GetUserDetail(request.NewUserDetail(id).Build())
	refused(t, "getting somebody who left", err, 60121)
	_, err = client.DeleteUser(id)
	refused(t, "deleting somebody who left", err, 33012)
	_, err = client.UpdateUser(request.NewUpdateUser(id).SetName("林").Build())
	refused(t, "updating somebody who left", err, 60121)
	_, err = client.GetUserIdByMobile(request.NewMobileGetUserId("13900000100"))
	refused(t, "finding somebody who left", err, 60121)

	// A call of the new API, which this SDK makes with the token of the old one.
	left, err := client.GetHrmEmpLeaveRecords(time.Now().AddDate(0, 0, -1).UTC().Format(time.RFC3339), "", "0", 10)
	ok(t, err)
	if len(left.Records) != 1 || left.Records[0].UserId != id || left.Records[0].LeaveReason != "oapi" {
		t.Errorf("leave records: %+v", left.Records)
	}
}

// TestDingTalkConflicts: what must be unique, or exist, and the pending outcome.
func TestDingTalkConflicts(t *testing.T) {
	client := newDingTalk(t)
	dept := dingtalkDept(t, client, "研发", 1)
	_, err := client.CreateUser(request.NewCreateUser("林晓", "13900000100", dept).SetTelephone("020-100").
		SetEmail("e100@example.com").SetJobNumber("E100").Build())
	ok(t, err)
	dingtalkUser(t, client, 7, dept)
	people := count(t, "dingtalk/acme/users")
	for _, c := range []struct {
		what string
		user *request.CreateUser
		code int
	}{
		{"mobile", request.NewCreateUser("甲", "13900000100", dept).Build(), 60104},
		{"telephone", request.NewCreateUser("甲", "13900000101", dept).SetTelephone("020-100").Build(), 40100},
		{"email", request.NewCreateUser("甲", "13900000101", dept).SetEmail("E100@example.com").Build(), 40101},
		{"no mobile number", request.NewCreateUser("甲", "123", dept).Build(), 40104},
		{"no such manager", request.NewCreateUser("甲", "13900000101", dept).SetManagerUserId("nobody").Build(), 60128},
		{"no such department", request.NewCreateUser("甲", "13900000101", 987654321).Build(), 60003},
	} {
		_, err := client.CreateUser(c.user)
		refused(t, c.what, err, c.code)
	}
	twin := request.NewCreateUser("甲", "13900000101", dept).Build()
	twin.UserId = "E7"
	_, err = client.CreateUser(twin)
	refused(t, "userid", err, 60102)
	_, err = client.UpdateUser(request.NewUpdateUser("E7").SetTelephone("020-100").Build())
	refused(t, "telephone of another", err, 40100)
	_, err = client.UpdateUser(request.NewUpdateUser("E7").SetDept(987654321).Build())
	refused(t, "moving to no department", err, 60003)
	same(t, "people", count(t, "dingtalk/acme/users"), people)
	has(t, "dingtalk/acme/users/E7", fmt.Sprintf(`{"name":"员工7","dept_id_list":[%d]}`, dept))

	// Employee numbers may repeat.
	_, err = client.CreateUser(request.NewCreateUser("乙", "13900000102", dept).SetJobNumber("E100").Build())
	ok(t, err)
}

func TestDingTalkInvitation(t *testing.T) {
	client := newDingTalk(t)
	set(t, "dingtalk/acme", `{"protectedMobiles":["13900000200"]}`, `{"protectedMobiles":null}`)
	user := request.NewCreateUser("林晓", "13900000200", 1).Build()
	user.UserId = "E200"
	_, err := client.CreateUser(user)
	refused(t, "somebody who must agree", err, 40103)
	has(t, "dingtalk/acme/invitations/E200", `{"name":"林晓"}`)
	_, err = client.GetUserDetail(request.NewUserDetail("E200").Build())
	refused(t, "before they agree", err, 60121)
	ask(t, "POST", "/state/dingtalk/acme/accept/E200", "", nil)
	got, err := client.GetUserDetail(request.NewUserDetail("E200").Build())
	ok(t, err)
	same(t, "name", got.Name, "林晓")
}

// TestDingTalkEnterpriseAccount: the SDK insists on a mobile number, which such
// an account does not keep, and reads loginId where user/get has login_id.
func TestDingTalkEnterpriseAccount(t *testing.T) {
	client := newDingTalk(t)
	user := request.NewCreateUser("林晓", "13900000300", 1).SetExclusiveAccount(true).
		SetSetExclusiveAccountType("dingtalk").SetLoginId("linxiao").SetPassword("abcd1234").Build()
	user.UserId = "E300"
	_, err := client.CreateUser(user)
	ok(t, err)
	has(t, "dingtalk/acme/users/E300", `{"exclusive_account":true,"exclusive_account_type":"dingtalk","login_id":"linxiao","disable_status":false}`)
	got, err := client.GetUserDetail(request.NewUserDetail("E300").Build())
	ok(t, err)
	same(t, "account", []any{got.ExclusiveAccount, got.ExclusiveAccountType, got.Mobile, got.LoginId}, []any{true, "dingtalk", "", ""})
	_, err = client.UpdateUser(request.NewUpdateUser("E300").SetLoginId("linxiao2").Build())
	ok(t, err)
	has(t, "dingtalk/acme/users/E300", `{"login_id":"linxiao2"}`)
}

// TestDingTalkListing walks the whole organisation in pages, as a sync would.
func TestDingTalkListing(t *testing.T) {
	client := newDingTalk(t)
	ask(t, "POST", "/seed", `{"platform":"dingtalk","tenant":"acme","users":230,"departments":9}`, nil)
	for _, size := range []int{100, 7} {
		users, names, ids, depts := map[string]string{}, map[string]string{}, map[string]bool{}, 0
		for queue := []int{1}; len(queue) > 0; queue = queue[1:] {
			depts++
			dept := queue[0]
			below, err := client.GetSubDeptList(dept)
			ok(t, err)
			queue = append(queue, below.Result.Ids...)
			for cursor, more := 0, true; more; {
				page, err := client.GetDeptDetailUserInfo(request.NewDeptDetailUserInfo(dept, cursor, size).Build())
				ok(t, err)
				for _, u := range page.Page.List {
					users[u.UserId] = u.Name
					same(t, u.UserId, u.DeptIds, []int{dept})
				}
				cursor, more = page.Page.NextCursor, page.Page.HasMore
			}
			for cursor, more := 0, true; more; {
				page, err := client.GetDeptSimpleUserInfo(request.NewDeptSimpleUserInfo(dept, cursor, size).Build())
				ok(t, err)
				for _, u := range page.Result.DeptUsers {
					names[u.UserId] = u.Name
				}
				cursor, more = page.Result.NextCursor, page.Result.HasMore
			}
			list, err := client.GetDeptUserIds(request.NewDeptUserId(dept))
			ok(t, err)
			for _, id := range list.Result.UserIds {
				ids[id] = true
			}
		}
		same(t, "departments", depts, count(t, "dingtalk/acme/departments"))
		same(t, "users", len(users), count(t, "dingtalk/acme/users"))
		same(t, "listsimple", names, users)
		same(t, "listid", len(ids), len(users))
	}
	total, err := client.GetUserCount(request.NewUserCount(false))
	ok(t, err)
	same(t, "user/count", total.Result.Count, count(t, "dingtalk/acme/users"))
	_, err = client.GetDeptDetailUserInfo(request.NewDeptDetailUserInfo(987654321, 0, 10).Build())
	refused(t, "listing no department", err, 60003)
}

// TestDingTalkLostAnswer: the user is there though the SDK never heard of it.
func TestDingTalkLostAnswer(t *testing.T) {
	client := newDingTalk(t)
	_, err := client.GetAccessToken()
	ok(t, err)
	ask(t, "POST", "/faults", `{"platform":"dingtalk","operation":"user/create","kind":"dropAfter","times":1}`, nil)
	user := request.NewCreateUser("林晓", "13900000400", 1).Build()
	user.UserId = "E400"
	if _, err = client.CreateUser(user); err == nil {
		t.Fatal("the answer was not lost")
	}
	has(t, "dingtalk/acme/users/E400", `{"name":"林晓"}`)
	_, err = client.CreateUser(user)
	refused(t, "creating once more", err, 60102)

	ask(t, "POST", "/faults", `{"platform":"dingtalk","operation":"user/get","kind":"throttle","times":1}`, nil)
	_, err = client.GetUserDetail(request.NewUserDetail("E400").Build())
	refused(t, "too many calls", err, 90018)
	_, err = client.GetUserDetail(request.NewUserDetail("E400").Build())
	ok(t, err)
}
