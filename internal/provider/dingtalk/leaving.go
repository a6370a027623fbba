package dingtalk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/directory"
)

var (
	_ directory.Remover        = (*Directory)(nil)
	_ directory.RoleRevoker    = (*Directory)(nil)
	_ directory.Notifier       = (*Directory)(nil)
	_ directory.ResidualFinder = (*Directory)(nil)
)

const (
	revokeBatch = 100 // people in one call [delete-the-color-information-of-employee-corners-in-batches]

	// Of work notices [asynchronous-sending-of-enterprise-session-messages].
	noticePeople  = 100
	noticeMessage = 2048 // bytes of the message as JSON
	noticeMost    = 5000 // receivers in a minute
	noticeText    = 2000 // bytes, for every platform
	taskPage      = 20   // approvals in a page [api-premiumquerytodotasksbymanager]
	// codeRepeated says that somebody has the same message already
	// [gets-the-result-of-sending-messages-asynchronously-to-the-enterprise].
	codeRepeated = "143106"

	grantBase    = "qyapi_base (调用企业API基础权限)"
	grantLeaving = "Hrm.Process.ReadWrite (智能人事流程读写权限)"
	grantTasks   = "Premium.Workflow.ReadWrite.All (OA审批工作流读写权限)"
)

// Each operation is described on the page whose slug stands behind it.
var (
	opRemove = operation{ // delete-a-user
		name: "user/delete", path: "/topapi/v2/user/delete", write: true, finds: noUser, grant: grantManage}
	opReasons = operation{ // api-getalldismissionreasons
		name: "hrm/dismission/reasons", path: "/v1.0/hrm/dismission/reasons", grant: grantLeaving}
	opHandOver = operation{ // api-hrmprocessterminationandhandover
		name: "hrm/terminateAndHandOver", path: "/v1.0/hrm/processes/terminateAndHandOver", write: true, finds: noUser, grant: grantLeaving}
	opRemoveFromRole = operation{ // delete-the-color-information-of-employee-corners-in-batches
		name: "role/removerolesforemps", path: "/topapi/role/removerolesforemps", write: true, finds: noRole, grant: grantManage}
	opNotify = operation{ // asynchronous-sending-of-enterprise-session-messages
		name: "message/asyncsend_v2", path: "/topapi/message/corpconversation/asyncsend_v2", write: true, grant: grantBase}
	opNotifying = operation{ // obtain-the-sending-progress-of-asynchronous-sending-of-enterprise-session
		name: "message/getsendprogress", path: "/topapi/message/corpconversation/getsendprogress", grant: grantBase}
	opNotified = operation{ // gets-the-result-of-sending-messages-asynchronously-to-the-enterprise
		name: "message/getsendresult", path: "/topapi/message/corpconversation/getsendresult", grant: grantBase}
	opTasks = operation{ // api-premiumquerytodotasksbymanager
		name: "workflow/todoTasks", path: "/v1.0/workflow/premium/tasks/todoTasks", finds: noUser, grant: grantTasks}
)

// calls are the operations of each kind of work, for [directory.Capabilities]. A
// person has one role here, one department and a successor; a removal without one takes as many
// calls: user/listadmin and user/delete.
func (d *Directory) calls() map[directory.Work][]string {
	calls := map[directory.Work][]string{
		directory.WorkFreeze:   {opDisable.name, opSignOut.name},
		directory.WorkRevoke:   {opUser.name, opHolders.name, opRemoveFromRole.name},
		directory.WorkRemove:   {opReasons.name, opHandOver.name},
		directory.WorkResidual: {opAdmins.name, opDismissals.name, opDepartment.name, opTasks.name},
	}
	if d.agent != "" {
		calls[directory.WorkNotify] = []string{opNotify.name, opNotifying.name, opNotified.name}
	}
	return calls
}

// Duties are what terminateAndHandOver passes on
// [api-hrmprocessterminationandhandover], and what no API does: there is none that
// lists the groups of an owner, or moves a group that people made.
func (d *Directory) Duties() []directory.DutyOffer {
	return []directory.DutyOffer{
		{Duty: directory.DutyApprovals, Moment: directory.WithRemoval},
		{Duty: directory.DutyDocuments, Moment: directory.WithRemoval},
		{Duty: directory.DutyFiles, Moment: directory.WithRemoval},
		{Duty: directory.DutyPermissions, Moment: directory.WithRemoval},
		{Duty: directory.DutySubordinates, Moment: directory.WithRemoval},
		{Duty: directory.DutyGroups, Moment: directory.ByHand, Manual: "In DingTalk, make somebody else the owner of each chat group that the leaver owns " +
			"(群设置, 群管理, 转让群主): only the owner can, before the account is removed."},
		{Duty: directory.DutyCalendars, Moment: directory.ByHand, Manual: "In DingTalk's calendar (日历), move the meetings that the leaver organises to somebody else, " +
			"before the account is removed."},
	}
}

// Remove removes the account: with a successor through Smart HR, which hands over
// in the same call, and without one from the address book only.
func (d *Directory) Remove(ctx context.Context, id string, r directory.Removal) error {
	switch {
	case r.Successor == "":
		return d.removeAlone(ctx, id)
	case strings.EqualFold(r.Successor, id):
		return invalid(&opHandOver, "nobody hands over to themselves: name another successor")
	}
	kind, reason, err := d.wire.leavingReason(ctx)
	if err != nil {
		return notHandedOver(err)
	}
	last := r.LastDay
	if last.IsZero() {
		last = d.wire.now()
	}
	err = d.wire.handOver(ctx, map[string]any{
		"userId": id, "optUserId": r.Successor, "lastWorkDate": last.UnixMilli(),
		"dismissionMemo": cmp.Or(r.Reason, "离职"), kind: []string{reason},
		"aflowHandOverUserId": r.Successor, "docNoteHandoverUserId": r.Successor, "dingPanHandoverUserId": r.Successor,
		"permissionHandoverUserId": r.Successor, "directSubordinatesHandoverUserId": r.Successor,
	})
	return d.explain(ctx, notHandedOver(err), id, r.Successor)
}

// removeAlone removes an account that nobody takes over from. Smart HR keeps the main
// administrator; whether user/delete does is not documented (?), so we ask first.
func (d *Directory) removeAlone(ctx context.Context, id string) error {
	main, err := d.isMain(ctx, id)
	switch {
	case err != nil:
		return err
	case main:
		return &directory.Error{Class: directory.Conflict, Operation: opRemove.name, Message: keptMain}
	}
	return d.wire.tell(ctx, &opRemove, map[string]any{"userid": id})
}

const keptMain = "this is the main administrator (主管理员): make somebody else the main administrator " +
	"in the admin console (oa.dingtalk.com, 安全与权限), then try again"

// isMain: who is not in a list that names no main administrator may be the one all the
// same, unless they are no administrator at all.
func (d *Directory) isMain(ctx context.Context, id string) (bool, error) {
	admins, err := d.wire.administrators(ctx)
	named := false
	for _, a := range admins {
		if a.Level == mainAdministrator {
			if named = true; strings.EqualFold(string(a.UserID), id) {
				return true, nil
			}
		}
	}
	if err != nil || named {
		return false, err
	}
	u, err := d.wire.user(ctx, id)
	if err == nil && (u.Admin == nil || bool(*u.Admin)) {
		err = incomplete(&opAdmins, "it does not name the main administrator, who this may be")
	}
	return false, err
}

// leavingReason chooses one of the reasons that the company's Smart HR has: one
// of the two arrays must hold one [api-hrmprocessterminationandhandover]. What ours
// is called says nothing of why the person leaves, if there is such a one: "other".
func (c *client) leavingReason(ctx context.Context) (kind, id string, err error) {
	type reason struct {
		ID   text `json:"id"`
		Name text `json:"name"`
	}
	a, err := get[struct {
		Result struct {
			Passive   many[reason] `json:"passiveList"`
			Voluntary many[reason] `json:"voluntaryList"`
		} `json:"result"`
	}](ctx, c, &opReasons, nil)
	if err != nil {
		return "", "", err
	}
	for _, other := range []bool{true, false} {
		for _, list := range []struct {
			kind    string
			reasons []reason
		}{{"terminationReasonVoluntary", a.Result.Voluntary}, {"terminationReasonPassive", a.Result.Passive}} {
			for _, r := range list.reasons {
				if r.ID != "" && (!other || strings.Contains(string(r.Name), "其他") || strings.Contains(string(r.Name), "其它")) {
					return list.kind, string(r.ID), nil
				}
			}
		}
	}
	return "", "", &directory.Error{
		Class: directory.Conflict, Operation: opReasons.name,
		Message: "Smart HR (智能人事) of the company has no reason for leaving, and wants one with every removal: add one in its settings",
	}
}

// handOver removes somebody and hands over.
func (c *client) handOver(ctx context.Context, body map[string]any) error {
	var a struct {
		Result boolean `json:"result"`
	}
	err := c.call(ctx, &opHandOver, request{api: c.newer, method: http.MethodPost, body: body}, &a)
	if err == nil && !bool(a.Result) {
		err = incomplete(&opHandOver, "it does not say that it was done")
	}
	return err
}

// notHandedOver adds to a denial what it means: nobody was removed.
func notHandedOver(err error) error {
	e, coded := errors.AsType[*directory.Error](err)
	if !coded || e.Code == "" {
		return err
	}
	switch {
	case hasTrait(err, noSmartHR):
		e.Class = directory.PermissionDenied
		e.Message += "; turn it on in the admin console (oa.dingtalk.com, 工作台), and grant the app " + grantLeaving + " in the developer console"
	case e.Code == codeNoPermission:
		e.Message = "Smart HR (智能人事) lets neither the app nor the successor, in whose name it acts, do this; grant the app " +
			grantLeaving + " in the developer console"
	}
	if e.Class == directory.PermissionDenied {
		e.Message = "nobody was removed, and nothing was handed over: " + e.Message
	}
	return err
}

// explain finds out why a hand-over was refused: no code of Smart HR says which of
// the two people is missing, or that it keeps the main administrator.
func (d *Directory) explain(ctx context.Context, err error, id, successor string) error {
	e, coded := errors.AsType[*directory.Error](err)
	if !coded || e.Code == "" || !slices.Contains([]directory.Class{directory.NotFound, directory.Invalid, directory.Conflict}, e.Class) {
		return err
	}
	if _, reading := d.wire.user(ctx, id); reading != nil {
		return reading
	}
	if _, reading := d.wire.user(ctx, successor); directory.ClassOf(reading) == directory.NotFound {
		e.Class, e.Message = directory.Invalid, "the successor is not a user of this company: name another"
	} else if main, reading := d.isMain(ctx, id); reading == nil && main {
		e.Class, e.Message = directory.Conflict, keptMain
	} else if e.Class == directory.NotFound {
		e.Class = directory.Invalid // both are there
	}
	return err
}

// RolesOf reads the roles of the person, and of each where it reaches for them.
// For DingTalk's own roles that is not asked: nobody can give them back by API.
func (d *Directory) RolesOf(ctx context.Context, id string) ([]directory.RoleMember, error) {
	u, err := d.wire.user(ctx, id)
	if err != nil {
		return nil, err
	}
	var roles []directory.RoleMember
	for _, r := range u.Roles {
		m := directory.RoleMember{Role: departmentID(int64(r.ID)), Account: id}
		if r.ID <= 0 {
			return nil, incomplete(&opUser, "a role has no id")
		}
		if r.Group != builtInGroup {
			if m, err = d.wire.holderOf(ctx, int64(r.ID), id); err != nil {
				return nil, err
			}
		}
		roles = append(roles, m)
	}
	return roles, nil
}

var errFound = errors.New("found")

// holderOf looks for one holder among those of a role, page by page. A scope that
// is not found must not pass for none, which is the whole company.
func (c *client) holderOf(ctx context.Context, role int64, id string) (directory.RoleMember, error) {
	var found directory.RoleMember
	err := c.holders(ctx, role, func(h *written[holder]) error {
		if !strings.EqualFold(string(h.is.UserID), id) {
			return nil
		}
		found = h.is.member(departmentID(role))
		found.Account = id
		return errFound
	})
	switch {
	case errors.Is(err, errFound):
		return found, nil
	case err == nil || directory.ClassOf(err) == directory.NotFound:
		return found, incomplete(&opHolders, "it lacks somebody who has the role; ask again")
	}
	return found, err
}

// RemoveFromRole takes the role from a hundred people at a time. What one unknown
// person does to the others is not documented (?): a refused batch is halved.
func (d *Directory) RemoveFromRole(ctx context.Context, role string, members []directory.RoleMember) error {
	id, err := roleNumber(&opRemoveFromRole, role)
	if err != nil {
		return err
	}
	var people []string
	for _, m := range members {
		if m.Account != "" { // departments have no roles here
			people = append(people, m.Account)
		}
	}
	var hidden error
	for batch := range slices.Chunk(people, revokeBatch) {
		if err := d.take(ctx, id, batch, &hidden); err != nil {
			return d.ownRole(ctx, err, id)
		}
	}
	return hidden
}

// take takes the role from these people but those who do not exist. Who is hidden from
// the app may have it still: hidden is the refusal for the first of them.
func (d *Directory) take(ctx context.Context, role int64, people []string, hidden *error) error {
	list, err := userList(&opRemoveFromRole, people)
	if err != nil {
		return err
	}
	err = d.wire.tell(ctx, &opRemoveFromRole, map[string]any{"roleIds": departmentID(role), "userIds": list})
	switch {
	case directory.ClassOf(err) == directory.NotFound: // there is no such role
		return nil
	case !ofOne(err):
		return err
	case len(people) > 1:
		half := len(people) / 2
		if err := d.take(ctx, role, people[:half], hidden); err != nil {
			return err
		}
		return d.take(ctx, role, people[half:], hidden)
	case !hasTrait(err, noUser) && *hidden == nil:
		*hidden = err
	}
	return nil
}

// ownRole says of a refusal that the role is DingTalk's own, if it is: no page
// names a code for that (?).
func (d *Directory) ownRole(ctx context.Context, err error, role int64) error {
	e, coded := errors.AsType[*directory.Error](err)
	if !coded || e.Code == "" || hasTrait(err, needsGrant) ||
		!slices.Contains([]directory.Class{directory.Invalid, directory.NotSupported, directory.PermissionDenied, directory.Conflict}, e.Class) {
		return err
	}
	reading := d.wire.roleGroups(ctx, func(g *written[roleGroup]) error {
		if g.is.Name == builtInGroup && slices.ContainsFunc(g.is.Roles, func(r written[roleOfGroup]) bool { return int64(r.is.ID) == role }) {
			return errFound
		}
		return nil
	})
	if errors.Is(reading, errFound) {
		e.Class = directory.PermissionDenied
		e.Message = "the roles of the group " + builtInGroup + " are DingTalk's own: take this one away in the admin console (oa.dingtalk.com, 安全与权限)"
	}
	return err
}

// userList is a list of users as the older API wants it.
func userList(op *operation, ids []string) (string, error) {
	if slices.ContainsFunc(ids, func(id string) bool { return id == "" || strings.Contains(id, ",") }) {
		return "", invalid(op, "an id in a list of users is empty or has a comma")
	}
	return strings.Join(ids, ","), nil
}

// sender is the number of the app in whose name notices go out.
func (d *Directory) sender(op *operation) (json.Number, error) {
	if d.agent == "" {
		return "", unsupported(op, "work notices are off: add the key "+keyAgentID+" to the credentials Secret, the AgentId of the app ("+console+")")
	}
	return json.Number(d.agent), nil
}

// Notify sends a work notice. A text of 2,000 bytes with more than a few quotes or
// line breaks is too long as JSON, and Invalid as well.
func (d *Directory) Notify(ctx context.Context, to []string, words string) (directory.Receipt, error) {
	agent, err := d.sender(&opNotify)
	if err != nil {
		return directory.Receipt{}, err
	}
	msg, err := notice(words)
	if err != nil {
		return directory.Receipt{}, err
	}
	if len(to) == 0 || len(to) > noticePeople {
		return directory.Receipt{}, invalid(&opNotify, fmt.Sprintf("a work notice goes to 1 to %d people", noticePeople))
	}
	list, err := userList(&opNotify, to)
	if err != nil {
		return directory.Receipt{}, err
	}
	if err := d.notices.admit(d.wire.now(), len(to)); err != nil {
		return directory.Receipt{}, err
	}
	a, err := post[struct {
		Task text `json:"task_id"`
	}](ctx, d.wire, d.wire.older, &opNotify, nil, map[string]any{"agent_id": agent, "userid_list": list, "msg": msg})
	if err == nil && (a.Task == "" || a.Task == "0") {
		err = incomplete(&opNotify, "it has no task")
	}
	if err != nil {
		return directory.Receipt{}, err
	}
	return directory.Receipt{ID: string(a.Task), Later: true}, nil
}

// pace keeps to the number of receivers in a minute: DingTalk drops what is beyond
// it, and says that all is well [asynchronous-sending-of-enterprise-session-messages].
type pace struct {
	mu   sync.Mutex
	sent []batch // of the last minute
}

type batch struct {
	at     time.Time
	people int
}

// admit counts a send, or says when there is room for it.
func (p *pace) admit(now time.Time, people int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = slices.DeleteFunc(p.sent, func(b batch) bool { return now.Sub(b.at) > time.Minute })
	room := noticeMost - people
	for _, b := range slices.Backward(p.sent) {
		if room -= b.people; room < 0 {
			return &directory.Error{
				Class: directory.RateLimited, Operation: opNotify.name, RetryAfter: b.at.Add(time.Minute + time.Second).Sub(now),
				Message: fmt.Sprintf("DingTalk drops what goes to more than %d people in a minute", noticeMost),
			}
		}
	}
	p.sent = append(p.sent, batch{now, people})
	return nil
}

// notice is the message of a text.
func notice(words string) (json.RawMessage, error) {
	if words == "" || len(words) > noticeText || !utf8.ValidString(words) {
		return nil, invalid(&opNotify, fmt.Sprintf("a notice has 1 to %d bytes of UTF-8", noticeText))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(map[string]any{"msgtype": "text", "text": map[string]any{"content": words}})
	msg := bytes.TrimSpace(b.Bytes())
	if err != nil || len(msg) > noticeMessage {
		return nil, invalid(&opNotify, fmt.Sprintf("with its quotes and line breaks the notice takes more than the %d bytes that DingTalk allows", noticeMessage))
	}
	return msg, nil
}

// Delivered reads what DingTalk dropped: a send over a limit succeeds, and only its
// result names whom it did not go to. Who has the same text from an earlier send
// of the day is not missed.
func (d *Directory) Delivered(ctx context.Context, r directory.Receipt) (directory.Receipt, error) {
	agent, err := d.sender(&opNotified)
	if err != nil {
		return directory.Receipt{}, err
	}
	if _, err := strconv.ParseInt(r.ID, 10, 64); err != nil {
		return directory.Receipt{}, invalid(&opNotified, "the id of the message is not a number")
	}
	task := map[string]any{"agent_id": agent, "task_id": json.Number(r.ID)}
	if err := d.wire.sent(ctx, task); err != nil {
		return directory.Receipt{}, err
	}
	a, err := post[struct {
		Result *sendResult `json:"send_result"`
	}](ctx, d.wire, d.wire.older, &opNotified, nil, task)
	if err == nil && a.Result == nil {
		err = incomplete(&opNotified, "it has no result")
	}
	if err != nil {
		return directory.Receipt{}, err
	}
	return directory.Receipt{ID: r.ID, Missed: a.Result.missed()}, nil
}

// sent fails until a task is done: before that its result says nothing.
func (c *client) sent(ctx context.Context, task map[string]any) error {
	const done = 2
	a, err := post[struct {
		Progress struct {
			Status integer `json:"status"`
		} `json:"progress"`
	}](ctx, c, c.older, &opNotifying, nil, task)
	if err == nil && a.Progress.Status != done {
		err = &directory.Error{
			Class: directory.Unavailable, Operation: opNotifying.name, RetryAfter: pauseWindow,
			Message: "DingTalk is still sending the notice",
		}
	}
	return err
}

// sendResult is the answer of getsendresult.
type sendResult struct {
	Invalid   many[text] `json:"invalid_user_id_list"`
	Forbidden many[text] `json:"forbidden_user_id_list"`
	Failed    many[text] `json:"failed_user_id_list"`
	Why       many[struct {
		Code text `json:"code"`
		User text `json:"userid"`
	}] `json:"forbidden_list"`
}

func (r *sendResult) missed() []string {
	repeated := map[text]bool{}
	all := slices.Concat(r.Invalid, r.Failed, r.Forbidden)
	for _, w := range r.Why {
		repeated[w.User] = w.Code == codeRepeated
		all = append(all, w.User)
	}
	var missed []string
	for _, id := range all {
		if id != "" && !repeated[id] {
			missed = append(missed, string(id))
		}
	}
	slices.Sort(missed)
	return slices.Compact(missed)
}

// noticeWindow is how far back a message is recognised now: "the same content once
// a day" [asynchronous-sending-of-enterprise-session-messages] does not say whether
// a day is 24 hours or ends at midnight (?), so it is what is sure either way: since
// the last midnight in China.
func (d *Directory) noticeWindow() time.Duration {
	now := d.wire.now().In(chinaStandardTime)
	return now.Sub(time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, chinaStandardTime))
}

// Residuals asks whether the account is still an administrator, whether Smart HR
// has finished with it, who leads and owns its former departments, and, in the
// premium edition of approvals (OA高级版), which ones wait for it. What this
// company or app does not have is left out.
func (d *Directory) Residuals(ctx context.Context, id string) ([]string, error) {
	admins, err := d.wire.administrators(ctx)
	if err != nil {
		return nil, err
	}
	var left []string
	reader := text(id)
	for _, a := range admins {
		if strings.EqualFold(string(a.UserID), id) {
			left = append(left, "it is still listed as an administrator")
		} else if reader == text(id) || a.Level == mainAdministrator {
			reader = a.UserID
		}
	}
	for _, look := range []func() ([]string, error){
		func() ([]string, error) { return d.unfinished(ctx, id) },
		func() ([]string, error) { return d.waiting(ctx, id, string(reader)) },
	} {
		more, err := look()
		if _, cannot := missing(err); err != nil && !cannot {
			return nil, err
		}
		left = append(left, more...)
	}
	return left, nil
}

// unfinished is what Smart HR says of a leaver, and of the departments they were in.
func (d *Directory) unfinished(ctx context.Context, id string) (left []string, err error) {
	a, err := get[struct {
		Result many[struct {
			UserID      text    `json:"userId"`
			Status      integer `json:"status"`
			Departments many[struct {
				ID integer `json:"dept_id"`
			}] `json:"deptList"`
		}] `json:"result"`
	}](ctx, d.wire, &opDismissals, url.Values{"userIdList": {string(encoded([]string{id}))}})
	if err != nil {
		return nil, err
	}
	for _, r := range a.Result {
		if !strings.EqualFold(string(r.UserID), id) {
			continue
		}
		switch r.Status {
		case 1:
			left = append(left, "Smart HR still has it as about to leave (待离职)")
		case 4:
			left = append(left, "an approval of its leaving still waits in Smart HR")
		}
		for _, in := range r.Departments {
			more, err := d.led(ctx, id, int64(in.ID))
			if _, cannot := missing(err); err != nil && !cannot { // one that the app may not see hides nothing else
				return nil, err
			}
			left = append(left, more...)
		}
	}
	return left, nil
}

// led is what somebody who left still is in a department.
func (d *Directory) led(ctx context.Context, id string, department int64) (left []string, err error) {
	dept, err := d.wire.department(ctx, department)
	switch directory.ClassOf(err) {
	case "":
	case directory.NotFound:
		return nil, nil
	default:
		return nil, err
	}
	if slices.ContainsFunc(dept.Managers, func(m text) bool { return strings.EqualFold(string(m), id) }) {
		left = append(left, "it still leads department "+departmentID(department))
	}
	if strings.EqualFold(string(dept.GroupOwner), id) {
		left = append(left, "it still owns the chat group of department "+departmentID(department))
	}
	return left, nil
}

// waiting are the approvals that wait for a leaver. They are shown to an
// administrator only.
func (d *Directory) waiting(ctx context.Context, id, reader string) ([]string, error) {
	a, err := get[struct {
		Result struct {
			More boolean               `json:"hasMore"`
			List many[json.RawMessage] `json:"list"`
		} `json:"result"`
	}](ctx, d.wire, &opTasks, url.Values{
		"actionerUserId": {id}, "managerUserId": {reader}, "nextToken": {"1"}, "maxResults": {strconv.Itoa(taskPage)},
	})
	switch {
	case directory.ClassOf(err) == directory.NotFound: // Approvals know nobody of this id.
		return nil, nil
	case err != nil || len(a.Result.List) == 0:
		return nil, err
	case bool(a.Result.More):
		return []string{fmt.Sprintf("more than %d approvals wait for it", len(a.Result.List))}, nil
	}
	return []string{fmt.Sprintf("%d approvals wait for it", len(a.Result.List))}, nil
}
