package dingtalk

import (
	"cmp"
	"slices"

	"rollcall.dev/rollcall/test/simulator/core"
)

// reason is why somebody leaves: an id and a name.
type reason struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// The reasons that every organisation has at first, as the field dismissionReason of
// terminateAndHandOver lists them. Which of them are voluntary is a guess (?).
var (
	voluntaryReasons = []reason{{"1", "家庭原因"}, {"2", "个人原因"}, {"3", "发展原因"}, {"4", "合同到期不续签"}, {"9", "其他"}}
	passiveReasons   = []reason{{"5", "协议解除"}, {"6", "无法胜任工作"}, {"7", "经济性裁员"}, {"8", "严重违法违纪"}, {"9", "其他"}}
)

// What terminateAndHandOver hands over, in the words of [core.HandOver], by parameter.
var handOvers = []struct{ param, what string }{
	{"aflowHandOverUserId", "approvals"},
	{"docNoteHandoverUserId", "documents"},
	{"dingPanHandoverUserId", "drive"},
	{"permissionHandoverUserId", "permissions"},
	{"directSubordinatesHandoverUserId", "subordinates"},
}

// termination is one call of terminateAndHandOver.
type termination struct {
	user  *user
	terms terms
	to    map[string]*user // by what is handed over
}

// process refuses where Smart-HR is not opened.
func (s *session) process() error {
	if !s.spec.Options.SmartHR {
		return bad("suiteCallInvalid", "企业没有开通微应用")
	}
	return nil
}

// dismissionReasons serves GET /v1.0/hrm/dismission/reasons. That it refuses like
// terminateAndHandOver where Smart-HR is not opened is not documented (?).
// https://open.dingtalk.com/document/development/api-getalldismissionreasons
func (s *session) dismissionReasons() (map[string]any, error) {
	if err := s.process(); err != nil {
		return nil, err
	}
	voluntary, _ := s.call.Rows(len(voluntaryReasons))
	passive, _ := s.call.Rows(len(passiveReasons))
	return map[string]any{
		"requestId": requestUUID(), "success": true,
		"result": map[string]any{"voluntaryList": voluntaryReasons[:voluntary], "passiveList": passiveReasons[:passive]},
	}, nil
}

// terminate serves POST /v1.0/hrm/processes/terminateAndHandOver: who is named is gone
// when it answers.
// https://open.dingtalk.com/document/development/api-hrmprocessterminationandhandover
func (s *session) terminate() (map[string]any, error) {
	if err := s.process(); err != nil {
		return nil, err
	}
	d, err := s.readTermination()
	if err != nil {
		return nil, err
	}
	l := leaver{reason: "oapi", by: s.call.Operation, credential: s.app.Name, at: s.now, terms: d.terms}
	for _, h := range handOvers {
		if to := d.to[h.what]; to != nil {
			l.handed = append(l.handed, core.HandOver{
				What: h.what, To: to.id, Items: s.handOver(h.what, d.user, to.id), State: core.HandedOver, Time: s.now,
			})
		}
	}
	leaving, _ := s.users.Get(d.user.id, core.Live) // who managed themselves was just changed
	s.leave(leaving, l)
	return map[string]any{"result": true}, nil
}

func missingParam(name string) error { return bad("invalidParameter", "参数错误："+name) }

// readTermination checks everything before anything changes. Which of the page's codes
// stands for what is told by the page of global codes, which gives as examples of
// businessError leaving by one's own hand and a reason that does not exist; the others
// follow from their names (?).
func (s *session) readTermination() (d termination, err error) {
	id, err1 := s.args.text("userId")
	operator, err2 := s.args.text("optUserId")
	memo, err3 := s.args.text("dismissionMemo")
	day, given, err4 := s.args.integer("lastWorkDate")
	switch {
	case err1 != nil || id == "":
		return d, missingParam("userId")
	case err2 != nil || operator == "":
		return d, missingParam("optUserId")
	case err3 != nil || memo == "":
		return d, missingParam("dismissionMemo")
	case err4 != nil || !given || day <= 0:
		return d, missingParam("lastWorkDate")
	}
	d.terms.lastDay, d.terms.memo = day, memo
	if d.user, err = s.employee(id); err != nil {
		return d, err
	}
	if _, err = s.employee(operator); err != nil {
		return d, err
	}
	switch {
	case operator == id:
		return d, bad("businessError", "不允许给自己办理离职")
	case d.user.sysLevel == 1:
		return d, bad("businessError", "主管理员不能办理离职，请先撤销主管理员权限")
	}
	if err := s.readReasons(&d.terms); err != nil {
		return d, err
	}
	return d, s.readSuccessors(&d)
}

// employee is somebody who works here, within what the app may see.
func (s *session) employee(id string) (*user, error) {
	u, ok := s.users.Get(id, core.Live)
	if !ok {
		return nil, bad("empNotExists", "员工不存在")
	}
	if !s.seesUser(u) {
		return nil, bad("noPermission", "无权限访问")
	}
	return u, nil
}

// readReasons reads at least one reason, as the page wants; the old dismissionReason,
// which its sample still has, is none (?).
func (s *session) readReasons(t *terms) error {
	for _, r := range []struct {
		param string
		known []reason
		names *[]string
	}{
		{"terminationReasonVoluntary", voluntaryReasons, &t.voluntary}, {"terminationReasonPassive", passiveReasons, &t.passive},
	} {
		ids, err := s.args.list(r.param)
		if err != nil {
			return missingParam(r.param)
		}
		for _, id := range ids {
			i := slices.IndexFunc(r.known, func(k reason) bool { return k.ID == id })
			if i < 0 {
				return bad("businessError", "离职原因不存在")
			}
			*r.names = append(*r.names, r.known[i].Name)
		}
	}
	if len(t.voluntary)+len(t.passive) == 0 {
		return missingParam("terminationReasonVoluntary")
	}
	return nil
}

// readSuccessors reads who takes over what. The first of them is the successor that
// dimissionInfos names (?).
func (s *session) readSuccessors(d *termination) error {
	d.to = map[string]*user{}
	for _, h := range handOvers {
		id, err := s.args.text(h.param)
		switch {
		case err != nil:
			return missingParam(h.param)
		case id == "":
			continue
		case id == d.user.id:
			return bad("businessError", "离职人和交接人不能相同")
		}
		if d.to[h.what], err = s.employee(id); err != nil {
			return err
		}
		d.terms.successor = cmp.Or(d.terms.successor, id)
	}
	return nil
}

// handOver moves what the simulator knows of and gives its ids. It knows of nobody's own
// documents and files.
func (s *session) handOver(what string, from *user, to string) []string {
	switch what {
	case "approvals":
		return s.moveTasks(from.id, to)
	case "subordinates":
		return s.moveSubordinates(from.id, to)
	case "permissions":
		return s.moveAdmin(from, to)
	default:
		return nil
	}
}

// moveSubordinates puts another manager above everybody whom somebody managed. A
// successor who was among them has no manager then (?).
func (s *session) moveSubordinates(from, to string) []string {
	moved := []string{}
	for id, u := range s.users.All(core.Live) {
		if u.manager != from || id == from {
			continue
		}
		changed := u.clone()
		changed.manager, changed.modified = to, s.now
		if id == to {
			changed.manager = ""
		}
		s.putUser(changed)
		moved = append(moved, id)
	}
	return moved
}

// moveAdmin makes a sub-administrator of who takes over from one (?). Its item is the
// name of the role.
func (s *session) moveAdmin(from *user, to string) []string {
	heir, _ := s.users.Get(to, core.Live)
	if from.sysLevel != 2 {
		return []string{}
	}
	if heir.sysLevel == 0 {
		changed := heir.clone()
		changed.sysLevel, changed.adminDepts = from.sysLevel, from.adminDepts
		s.putUser(changed)
	}
	return []string{systemSub}
}
