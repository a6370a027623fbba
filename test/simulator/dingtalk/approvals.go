package dingtalk

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxApprovalPage   = 20
	maxApprovalUsers  = 10
	maxApprovalIDs    = 10_000
	maxApprovalSpan   = 120 * 24 * time.Hour
	maxApprovalMemory = 365 * 24 * time.Hour
	maxTemplatePage   = 100

	approvalTakes = 48 * time.Hour // those of a history

	isoMinute = "2006-01-02T15:04Z07:00" // as the sample of the page writes times
)

// template is an approval form. Everybody files one of each in a quarter.
type template struct{ name, code string }

var templates = []template{
	{"请假", "PROC-5E1B2A60-0001-4C7D-9A10-ROLLCALLSIM1"},
	{"报销", "PROC-5E1B2A60-0002-4C7D-9A10-ROLLCALLSIM1"},
	{"出差", "PROC-5E1B2A60-0003-4C7D-9A10-ROLLCALLSIM1"},
}

func (t *tenant) approvals(form template) core.Dataset {
	return core.Dataset{
		Name: collApprovals, Salt: form.code, Every: 90, Hours: []int{10},
		Show: func(r core.Record) map[string]any { return t.approval(form, r) },
		Stamp: func(o map[string]any) (time.Time, string) {
			at, err := time.Parse(isoMinute, word(o, "createTime"))
			if err != nil {
				at, _ = time.Parse(time.RFC3339, word(o, "createTime")) // what is neither is long ago
			}
			return at, word(o, "originatorUserId")
		},
	}
}

// state is RUNNING at first; then one in eight was refused or taken back.
func (t *tenant) state(r core.Record) (status, result string) {
	switch {
	case t.clock.Now().Sub(r.At) < approvalTakes:
		return "RUNNING", ""
	case r.Draw>>8%16 == 0:
		return "TERMINATED", ""
	case r.Draw>>8%16 == 1:
		return "COMPLETED", "refuse"
	default:
		return "COMPLETED", "agree"
	}
}

func (t *tenant) approval(form template, r core.Record) map[string]any {
	name, unit := t.whoIs(r.Person)
	dept := "-1" // the root, says the page
	if u, ok := t.users.Get(r.Person, core.Live); ok && u.depts[0].dept != rootDept {
		dept = key(u.depts[0].dept)
	}
	status, result := t.state(r)
	made := r.At.UTC().Format(isoMinute)
	o := map[string]any{
		"processCode": form.code, "title": name + "提交的" + form.name + "申请", "originatorUserId": r.Person, "originatorDeptId": dept,
		"originatorDeptName": unit, "status": status, "businessId": r.ID(), "bizAction": "NONE", "createTime": made,
		"approverUserIds": []string{}, "ccUserIds": []string{}, "attachedProcessInstanceIds": []string{},
		"operationRecords": []map[string]any{
			{"userId": r.Person, "date": made, "type": "START_PROCESS_INSTANCE", "result": "NONE"},
		},
		"tasks": []map[string]any{},
		"formComponentValues": []map[string]any{
			{"id": "TextField-1", "name": "事由", "value": form.name + "第" + r.ID() + "号", "componentType": "TextField"},
			{"id": "NumberField-1", "name": "数量", "value": strconv.FormatUint(r.Draw%9+1, 10), "componentType": "NumberField"},
		},
	}
	if status == "RUNNING" {
		o["tasks"] = t.approverTask(r, made)
	} else {
		o["finishTime"] = r.At.Add(approvalTakes).UTC().Format(isoMinute)
	}
	if result != "" {
		o["result"] = result
	}
	return o
}

func bad(code, text string) error { return newFault(http.StatusBadRequest, code, text) }

// visibleTemplates serves GET /v1.0/workflow/processes/userVisibilities/templates:
// without userId all forms of the organisation. That is how an app learns the
// codes that approvalIDs wants.
// https://open.dingtalk.com/document/development/obtains-a-list-of-approval-forms-visible-to-the-specified
func (s *session) visibleTemplates() (map[string]any, error) {
	from, given, err := s.args.integer("nextToken")
	if err != nil || !given || from < 0 {
		return nil, bad("invalidNextToken", "获取指定用户可见的审批表单列表，分页查询的游标不能为空")
	}
	size, given, err := s.args.integer("maxResults")
	if err != nil || !given || size < 1 || size > maxTemplatePage {
		return nil, bad("invalidMaxResults", "获取指定用户可见的审批表单列表，分页参数非法，每页大小，最多传100。")
	}
	rows, more := s.templatePage(from, size, "processCode", "iconUrl")
	reply := map[string]any{"processList": rows}
	if more {
		reply["nextToken"] = from + size
	}
	return map[string]any{"result": reply}, nil
}

// oldTemplates serves /topapi/process/listbyuserid, the same on the old API. It has
// left the documents but not the vendor's SDK for Java (OapiProcessListbyuseridRequest),
// which gives parameters and pages; which permission it needs is not known (?).
func (s *session) oldTemplates() (map[string]any, error) {
	from, given1, err1 := s.args.integer("offset")
	size, given2, err2 := s.args.integer("size")
	if err1 != nil || err2 != nil || !given1 || !given2 || from < 0 || size < 1 || size > maxTemplatePage {
		return nil, refuse(codeParam)
	}
	rows, more := s.templatePage(from, size, "process_code", "icon_url")
	reply := map[string]any{"process_list": rows}
	if more {
		reply["next_cursor"] = from + size
	}
	return map[string]any{"result": reply}, nil
}

func (s *session) templatePage(from, size int64, code, icon string) (rows []map[string]any, more bool) {
	total := int64(len(templates))
	from = min(from, total)
	to := min(from+size, total)
	rows = []map[string]any{}
	for _, form := range templates[from:to] {
		rows = append(rows, map[string]any{
			"name": form.name, code: form.code, icon: "https://gw.alicdn.com/form.png",
			"url": "https://aflow.dingtalk.com/dingtalk/mobile/homepage.htm?processCode=" + form.code,
		})
	}
	keep, cut := s.call.Rows(len(rows))
	return rows[:keep], to < total && !cut
}

// approvalQuery is what a listing of approvals asks for.
type approvalQuery struct {
	form       template
	start, end time.Time
	from, size int
	users      []string
	statuses   []string
}

// approvalQuery checks in the order of the errors on the page. A start longer ago
// than allowed has no code of its own there: internalError (?).
func (s *session) approvalQuery() (q approvalQuery, err error) {
	code, err := s.args.text("processCode")
	if err != nil || code == "" {
		return q, bad("invalidProcessCode", "审批模板processCode不能为空")
	}
	q.form = template{code: code}
	start, given, err := s.args.integer("startTime")
	if err != nil || !given {
		return q, bad("invalidInstanceListIdsStartTime", "获取审批实例ID列表，审批实例开始时间不能为空")
	}
	if q.from, err = s.args.between("nextToken", 0, math.MaxInt32); err != nil {
		return q, bad("invalidNextToken", "获取审批实例ID列表，分页查询的游标不能为空")
	}
	if q.size, err = s.args.between("maxResults", 1, maxApprovalPage); err != nil {
		return q, bad("invalidMaxResults", "获取审批实例ID列表，分页参数非法，每页大小，最多传20。")
	}
	if q.start, q.end, err = s.approvalWindow(start); err != nil {
		return q, err
	}
	if q.users, err = s.args.list("userIds"); err != nil || len(q.users) > maxApprovalUsers {
		return q, bad("invalidUserIds", "获取审批实例ID列表，发起userid列表参数非法，最大列表长度为10。")
	}
	q.statuses, err = s.args.list("statuses")
	if err != nil {
		return q, bad("internalError", "statuses")
	}
	return q, nil
}

// approvalWindow reads the end, now if there is none.
func (s *session) approvalWindow(since int64) (start, end time.Time, err error) {
	start, end = time.UnixMilli(since), s.now
	until, given, err := s.args.integer("endTime")
	if given {
		end = time.UnixMilli(until)
	}
	if err != nil || end.Before(start) || end.Sub(start) > maxApprovalSpan {
		return start, end, bad("invalidEndTime", "获取审批实例ID列表，审批实例结束时间不能小于开始时间；且查询时间范围不能超过120天。")
	}
	if s.now.Sub(start) > maxApprovalMemory {
		return start, end, bad("internalError", "审批实例开始时间距当前时间不能超过365天")
	}
	return start, end, nil
}

// approvalIDs serves /v1.0/workflow/processes/instanceIds/query. A window gives
// 10,000 ids and then ends, as if there were no more: the page has the number, not
// what happens then (?). An unknown code has no approvals (?).
// https://open.dingtalk.com/document/development/obtain-an-approval-list-of-instance-ids
func (s *session) approvalIDs() (map[string]any, error) {
	q, err := s.approvalQuery()
	if err != nil {
		return nil, err
	}
	g := s.span(q.start, q.end, nil)
	if len(q.users) > 0 {
		g.People = q.users
	}
	ids, more := core.Page(s.asked(q, g), q.from, min(q.size, maxApprovalIDs-min(q.from, maxApprovalIDs)))
	more = more && q.from+q.size < maxApprovalIDs
	keep, cut := s.call.Rows(len(ids))
	reply := map[string]any{"list": ids[:keep]}
	if more && !cut {
		reply["nextToken"] = strconv.Itoa(q.from + q.size)
	}
	return map[string]any{"result": reply, "success": true}, nil
}

// asked lists the ids of the approvals that a query is for.
func (s *session) asked(q approvalQuery, g core.Range) iter.Seq[string] {
	return func(yield func(string) bool) {
		for r := range s.filedWith(q.form.code, g) {
			asked := len(q.statuses) == 0 || slices.Contains(q.statuses, word(r.Object(), "status"))
			if asked && !yield(r.ID()) {
				return
			}
		}
	}
}

// filedWith lists the approvals of one form. Those made by hand name theirs in
// processCode, which is not on the wire.
func (t *tenant) filedWith(code string, g core.Range) func(func(core.Record) bool) {
	return func(yield func(core.Record) bool) {
		form := template{code: code}
		if i := slices.IndexFunc(templates, func(f template) bool { return f.code == code }); i >= 0 {
			form = templates[i]
		} else {
			g.Days = 0
		}
		for r := range t.past.Records(t.approvals(form), g) {
			if r.ByHand() && word(r.Object(), "processCode") != code {
				continue
			}
			if !yield(r) {
				return
			}
		}
	}
}

// getApproval serves GET /v1.0/workflow/processInstances. The page prints success as
// text; the types of its samples are not to be trusted, so it is a boolean (?).
// https://open.dingtalk.com/document/development/obtains-the-details-of-a-single-approval-instance-pop
func (s *session) getApproval() (map[string]any, error) {
	id, err := s.args.text("processInstanceId")
	if err != nil || id == "" {
		return nil, bad("processInstanceIdError", "processInstanceId参数无效")
	}
	for _, form := range templates {
		if r, ok := s.past.Record(s.approvals(form), s.always(), id); ok {
			object, err := core.MergeObject(r.Object(), []byte(`{"processCode":null}`))
			if err != nil {
				return nil, bad("internalError", err.Error())
			}
			return map[string]any{"result": object, "success": true}, nil
		}
	}
	return nil, bad("processInstanceNotExist", "审批实例不存在")
}

// approverTask is what an approval waits for: the author's manager. Without one it waits
// for nobody whom the simulator knows.
func (t *tenant) approverTask(r core.Record, made string) []map[string]any {
	u, ok := t.users.Get(r.Person, core.Live)
	if !ok {
		return []map[string]any{}
	}
	if _, ok := t.users.Get(u.manager, core.Live); !ok || u.manager == r.Person {
		return []map[string]any{}
	}
	return []map[string]any{approvalTask(r.ID(), int64(r.Draw>>16), u.manager, made)}
}

func approvalTask(approval string, id int64, user, made string) map[string]any {
	return map[string]any{
		"taskId": id, "userId": user, "status": "RUNNING", "createTime": made, "processInstanceId": approval,
		"activityId": "approver", "taskGroupName": "审批人",
	}
}

// tasksOf reads the tasks of an approval, made here or by hand.
func tasksOf(object map[string]any) []map[string]any {
	if list, ok := object["tasks"].([]map[string]any); ok {
		return list
	}
	var found []map[string]any
	list, _ := object["tasks"].([]any)
	for _, v := range list {
		if o, ok := v.(map[string]any); ok {
			found = append(found, o)
		}
	}
	return found
}

func waitsFor(task map[string]any, user string) bool {
	return word(task, "status") == "RUNNING" && word(task, "userId") == user
}

// underWay lists the approvals that can wait for somebody: the recent ones of a history,
// and those made by hand.
func (t *tenant) underWay() iter.Seq[core.Record] {
	return func(yield func(core.Record) bool) {
		now := t.clock.Now()
		for _, form := range templates {
			for r := range t.past.Records(t.approvals(form), t.span(now.Add(-approvalTakes), now, nil)) {
				if !r.ByHand() && !yield(r) {
					return
				}
			}
		}
		hands := t.always()
		hands.Days = 0
		for r := range t.past.Records(t.approvals(templates[0]), hands) {
			if !yield(r) {
				return
			}
		}
	}
}

// waiting lists the approvals that wait for somebody.
func (t *tenant) waiting(user string) []core.Record {
	var found []core.Record
	for r := range t.underWay() {
		if slices.ContainsFunc(tasksOf(r.Object()), func(o map[string]any) bool { return waitsFor(o, user) }) {
			found = append(found, r)
		}
	}
	return found
}

// moveTasks gives what waits for somebody to somebody else, and lists the approvals.
func (t *tenant) moveTasks(from, to string) []string {
	moved := []string{}
	for _, r := range t.waiting(from) {
		t.redirect(r, to, func(o map[string]any) bool { return waitsFor(o, from) })
		moved = append(moved, r.ID())
	}
	return moved
}

// redirect gives tasks of an approval to somebody else: each ends, and another begins.
// An approval of a history stays as it is from then on.
func (t *tenant) redirect(r core.Record, to string, which func(map[string]any) bool) {
	now := t.clock.Now().UTC().Format(isoMinute)
	var tasks []map[string]any
	for _, o := range tasksOf(r.Object()) {
		if !which(o) {
			tasks = append(tasks, o)
			continue
		}
		old := maps.Clone(o)
		old["status"], old["result"], old["finishTime"] = "COMPLETED", "REDIRECTED", now
		tasks = append(tasks, old, approvalTask(r.ID(), t.nextTask(), to, now))
	}
	object := maps.Clone(r.Object())
	object["tasks"] = tasks
	t.past.Put(collApprovals, r.ID(), object)
}

// redirectTask serves POST /v1.0/workflow/tasks/redirect. Only whom a task waits for may
// give it away; a taker who is not here is param.illegal (?).
// https://open.dingtalk.com/document/development/transfer-the-oa-approval-task
func (s *session) redirectTask() (map[string]any, error) {
	id, given, err := s.args.integer("taskId")
	if err != nil || !given {
		return nil, bad("param.illegal", "不合法的参数taskId")
	}
	to, err1 := s.args.text("toUserId")
	operator, err2 := s.args.text("operateUserId")
	switch _, here := s.users.Get(to, core.Live); {
	case err1 != nil || err2 != nil || to == "" || operator == "":
		return nil, bad("param.blank", "toUserId、operateUserId参数不能为空")
	case !here:
		return nil, bad("param.illegal", "不合法的参数toUserId")
	}
	this := func(o map[string]any) bool { return fmt.Sprint(o["taskId"]) == key(id) }
	for r := range s.underWay() {
		i := slices.IndexFunc(tasksOf(r.Object()), this)
		if i < 0 {
			continue
		}
		o := tasksOf(r.Object())[i]
		switch {
		case word(r.Object(), "status") != "RUNNING":
			return nil, bad("instance.status.error", "当前流程实例状态不是运行中不支持转交操作")
		case word(o, "status") != "RUNNING":
			return nil, bad("task.status.error", "当前任务状态不是运行中不支持转交操作")
		case word(o, "userId") != operator:
			return nil, bad("param.illegal.operator", "不合法的参数operateUserId")
		}
		s.redirect(r, to, this)
		return map[string]any{"result": true}, nil
	}
	return nil, bad("param.illegal", "不合法的参数taskId")
}

// countTasks serves GET /v1.0/workflow/processes/todoTasks/numbers.
// https://open.dingtalk.com/document/development/queries-the-number-of-requests-to-be-approved-by-users
func (s *session) countTasks() (map[string]any, error) {
	id, err := s.args.text("userId")
	if err != nil || id == "" {
		return nil, bad("invalidGetTodoTaskSumUserId", "获取用户待审批数量，要查询的用户userId不能为空")
	}
	if _, ok := s.users.Get(id, s.at); !ok {
		return nil, bad("userNotExist", "用户不存在")
	}
	return map[string]any{"result": len(s.waiting(id))}, nil
}
