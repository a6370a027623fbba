package sdk

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	hrm "github.com/alibabacloud-go/dingtalk/hrm_1_0"
	workflow "github.com/alibabacloud-go/dingtalk/workflow_1_0"
	util "github.com/alibabacloud-go/tea-utils/v2/service"
	"github.com/alibabacloud-go/tea/tea"
	"github.com/zhaoyunxing92/dingtalk/v2"
	"github.com/zhaoyunxing92/dingtalk/v2/request"
)

// personnel is the vendor's own SDK for Smart-HR. It has a transport of its own, and
// takes the address of the platform.
type personnel struct {
	*hrm.Client
	t     *testing.T
	token *string
}

func newPersonnel(t *testing.T, client *dingtalk.DingTalk) personnel {
	t.Helper()
	token, err := client.GetAccessToken() // the platform takes it for the new API, too
	ok(t, err)
	smartHR, err := hrm.NewClient(here())
	ok(t, err)
	return personnel{smartHR, t, tea.String(token)}
}

// here is the simulator's address, as the vendor's SDK takes it.
func here() *openapi.Config {
	return &openapi.Config{
		Protocol: tea.String("http"), RegionId: tea.String("central"), Endpoint: tea.String(strings.TrimPrefix(simulator.urls["dingtalk"], "http://")),
	}
}

func (p personnel) terminate(r *hrm.HrmProcessTerminationAndHandoverRequest) error {
	p.t.Helper()
	answer, err := p.HrmProcessTerminationAndHandoverWithOptions(r,
		&hrm.HrmProcessTerminationAndHandoverHeaders{XAcsDingtalkAccessToken: p.token}, &util.RuntimeOptions{})
	if err == nil && !tea.BoolValue(answer.Body.Result) {
		p.t.Errorf("terminateAndHandOver says %v", answer.Body)
	}
	return err
}

// denied checks for a code of the new API.
func denied(t *testing.T, what string, err error, code string) {
	t.Helper()
	if e := new(tea.SDKError); !errors.As(err, &e) || tea.StringValue(e.Code) != code {
		t.Errorf("%s: %v, want code %s", what, err, code)
	}
}

// TestDingTalkTerminate is a leaving with a hand-over, as the vendor's SDK asks for it.
func TestDingTalkTerminate(t *testing.T) {
	client := newDingTalk(t)
	leaver, heir, report := dingtalkUser(t, client, 1, 1), dingtalkUser(t, client, 2, 1), dingtalkUser(t, client, 3, 1)
	_, err := client.UpdateUser(request.NewUpdateUser(report).SetManagerUserId(leaver).Build())
	ok(t, err)
	ask(t, "PUT", "/state/dingtalk/acme/approvals/P1",
		`{"status":"RUNNING","createTime":"2026-03-01T01:00Z","tasks":[{"taskId":1,"userId":"`+leaver+`","status":"RUNNING"}]}`, nil)
	smartHR := newPersonnel(t, client)

	reasons, err := smartHR.GetAllDismissionReasonsWithOptions(
		&hrm.GetAllDismissionReasonsHeaders{XAcsDingtalkAccessToken: smartHR.token}, &util.RuntimeOptions{})
	ok(t, err)
	voluntary := reasons.Body.Result.VoluntaryList[0]
	day := time.Now().Add(24 * time.Hour).UnixMilli()
	leave := (&hrm.HrmProcessTerminationAndHandoverRequest{}).SetUserId(leaver).SetOptUserId("manager7001").SetLastWorkDate(day).
		SetDismissionMemo("合同到期").SetTerminationReasonVoluntary([]*string{voluntary.Id}).
		SetAflowHandOverUserId(heir).SetDocNoteHandoverUserId(heir).SetDingPanHandoverUserId(heir).
		SetPermissionHandoverUserId(heir).SetDirectSubordinatesHandoverUserId(heir)
	ok(t, smartHR.terminate(leave))
	gone(t, "dingtalk/acme/users/"+leaver)
	has(t, "dingtalk/acme/users/"+report, `{"manager_userid":"`+heir+`"}`)

	infos, err := smartHR.QueryHrmEmployeeDismissionInfoWithOptions(
		(&hrm.QueryHrmEmployeeDismissionInfoRequest{}).SetUserIdList([]*string{&leaver, &heir}),
		&hrm.QueryHrmEmployeeDismissionInfoHeaders{XAcsDingtalkAccessToken: smartHR.token}, &util.RuntimeOptions{})
	ok(t, err)
	if n := len(infos.Body.Result); n != 2 {
		t.Fatalf("dimissionInfos of two: %d", n)
	}
	info, present := infos.Body.Result[0], infos.Body.Result[1]
	same(t, "who left", []any{tea.StringValue(info.UserId), tea.Int32Value(info.Status), tea.Int64Value(info.LastWorkDay),
		tea.StringValue(info.ReasonMemo), tea.StringValue(info.HandoverUserId), tea.StringSliceValue(info.VoluntaryReason)},
		[]any{leaver, int32(2), day, "合同到期", heir, []string{tea.StringValue(voluntary.Name)}})
	same(t, "who is here", tea.Int32Value(present.Status), 3)
	left, err := client.GetHrmEmpLeaveRecords(time.Now().AddDate(0, 0, -1).UTC().Format(time.RFC3339), "", "0", 10)
	ok(t, err)
	if len(left.Records) != 1 || left.Records[0].UserId != leaver {
		t.Errorf("leave records: %+v", left.Records)
	}
	handed := leftOf(t, "dingtalk", leaver)
	whats := []string{}
	for _, h := range handed.HandedOver {
		whats = append(whats, h.What)
		same(t, h.What+" went to", h.To, heir)
	}
	same(t, "what was handed over", whats, []string{"approvals", "documents", "drive", "permissions", "subordinates"})
	same(t, "the approvals", handed.HandedOver[0].Items, []string{"P1"})
	same(t, "the call", handed.By, "/v1.0/hrm/processes/terminateAndHandOver")

	denied(t, "leaving twice", smartHR.terminate(leave), "empNotExists")
	denied(t, "the main administrator", smartHR.terminate(leave.SetUserId("manager7001").SetOptUserId(heir)), "businessError")
	denied(t, "to oneself", smartHR.terminate(leave.SetUserId(heir).SetOptUserId(report)), "businessError")
	set(t, "dingtalk/acme", `{"permissions":["qyapi_base"]}`, `{"permissions":null}`)
	err = smartHR.terminate(leave)
	denied(t, "without the permission", err, "Forbidden.AccessDenied.AccessTokenPermissionDenied")
	if e := new(tea.SDKError); errors.As(err, &e) {
		scopes, _ := e.AccessDeniedDetail["requiredScopes"].([]any)
		if !slices.Contains(scopes, any("Hrm.Process.ReadWrite")) {
			t.Errorf("required scopes: %v", e.AccessDeniedDetail)
		}
	}
}

// TestDingTalkApprovals counts what waits for somebody, and gives it away.
func TestDingTalkApprovals(t *testing.T) {
	client := newDingTalk(t)
	from, to := dingtalkUser(t, client, 1, 1), dingtalkUser(t, client, 2, 1)
	ask(t, "PUT", "/state/dingtalk/acme/approvals/P1",
		`{"status":"RUNNING","createTime":"2026-03-01T01:00Z","tasks":[{"taskId":11,"userId":"`+from+`","status":"RUNNING"}]}`, nil)
	token, err := client.GetAccessToken()
	ok(t, err)
	approvals, err := workflow.NewClient(here())
	ok(t, err)
	count := func(id string) int {
		t.Helper()
		sum, err := approvals.GetUserTodoTaskSumWithOptions((&workflow.GetUserTodoTaskSumRequest{}).SetUserId(id),
			&workflow.GetUserTodoTaskSumHeaders{XAcsDingtalkAccessToken: &token}, &util.RuntimeOptions{})
		ok(t, err)
		return int(tea.Int32Value(sum.Body.Result))
	}
	redirect := func(operator string) error {
		_, err := approvals.RedirectWorkflowTaskWithOptions(
			(&workflow.RedirectWorkflowTaskRequest{}).SetTaskId(11).SetToUserId(to).SetOperateUserId(operator),
			&workflow.RedirectWorkflowTaskHeaders{XAcsDingtalkAccessToken: &token}, &util.RuntimeOptions{})
		return err
	}
	same(t, "before", []int{count(from), count(to)}, []int{1, 0})
	denied(t, "by somebody else", redirect(to), "param.illegal.operator")
	ok(t, redirect(from))
	same(t, "after", []int{count(from), count(to)}, []int{0, 1})
	denied(t, "again", redirect(from), "task.status.error")
}

// leaving is who left, as the control endpoint shows it.
type leaving struct {
	By         string `json:"by"`
	HandedOver []struct {
		What  string   `json:"what"`
		To    string   `json:"to"`
		Items []string `json:"items"`
		State string   `json:"state"`
	} `json:"handedOver"`
}

func leftOf(t *testing.T, platform, id string) leaving {
	t.Helper()
	var l leaving
	ask(t, "GET", "/state/"+platform+"/acme/left/"+id, "", &l)
	return l
}
