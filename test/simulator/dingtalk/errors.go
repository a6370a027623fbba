package dingtalk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"

	"rollcall.dev/rollcall/test/simulator/core"
)

// Codes of the old API. Names and texts are those of
// https://open.dingtalk.com/document/development/server-api-error-codes-1 unless
// a comment says otherwise.
const (
	codeSystemBusy       = -1
	codeNoMethod         = 22 // only seen on the wire, not in the documents
	codeAuth             = 88 // the reason is in sub_code
	codeSystemTag        = 23004
	codeBadRole          = 33011
	codeBadUser          = 33012
	codeRoleEmpty        = 34018
	codeBadGroup         = 34020
	codeRoleExists       = 34021
	codeTokenBlank       = 40000 // as sub_code of 88, seen on the wire
	codeUserIDInvalid    = 40003
	codeMsgType          = 40008
	codeDeptIDInvalid    = 40009
	codeOrderInvalid     = 40011
	codeTokenInvalid     = 40014
	codeDeptFull         = 40023
	codeUserListInvalid  = 40031
	codeParam            = 40035
	codeParamEmpty       = 40036
	codeAgentID          = 40056
	codeTelephoneInvalid = 40063
	codeWorkPlaceInvalid = 40064
	codeRemarkInvalid    = 40065
	codeOffset           = 40068
	codeSize             = 40069
	codeGroupOwner       = 40093
	codeAppSecret        = 40096 // only seen on the wire
	codeTelephoneExists  = 40100
	codeEmailExists      = 40101
	codeInvited          = 40103
	codeMobileInvalid    = 40104
	codeNeedGET          = 43001
	codeNeedPOST         = 43002
	codeMsgTooLong       = 45002
	codeMembersLimit     = 45024
	codeNoEmployee       = 46004
	codeJSON             = 47001
	codeUserOutOfScope   = 50002
	codeDeptOutOfScope   = 50004
	codeDeptNameInvalid  = 60001
	codeNoDept           = 60003
	codeNoParent         = 60004
	codeDeptHasUsers     = 60005
	codeDeptHasChildren  = 60006
	codeDeleteRoot       = 60007
	codeDeptNameChars    = 60009
	codeDeptLoop         = 60010
	codeNoPermission     = 60011
	codeUpdateRoot       = 60018
	codeDeptNameExists   = 60021
	codeUserIDExists     = 60102
	codeMobileExists     = 60104
	codeEmailInvalid     = 60105
	codePermitsUpdate    = 60109
	codeDeptCount        = 60110
	codeNameInvalid      = 60112
	codePositionInvalid  = 60119
	codeNoUser           = 60121
	codeExtInvalid       = 60122
	codeJobNumberInvalid = 60123
	codeManagerInvalid   = 60128
	codeScopeRole        = 60301
	codeCorpAPILimit     = 90005
	codeAPILimit         = 90002
	codeAppAPILimit      = 90018
	codePlatform         = 400001
	codeArgument         = 400002
	codePermitsCreate    = 600109
	codeRoleArgs         = 660000
	codeNoReceiver       = 1430000
)

var texts = map[int]string{
	codeSystemBusy:       "系统繁忙",
	codeSystemTag:        "不允许编辑系统标签",
	codeBadRole:          "无效的roleId",
	codeBadUser:          "无效的USERID",
	codeRoleEmpty:        "角色信息不能为空",
	codeBadGroup:         "无效的groupId",
	codeRoleExists:       "角色名称已存在",
	codeTokenBlank:       "access_token is blank",
	codeUserIDInvalid:    "不合法的UserID",
	codeMsgType:          "不合法的消息类型",
	codeDeptIDInvalid:    "不合法的部门id",
	codeOrderInvalid:     "不合法的排序order",
	codeTokenInvalid:     "不合法的access_token",
	codeDeptFull:         "部门人数达到上限",
	codeUserListInvalid:  "不合法的UserID列表",
	codeParam:            "不合法的参数",
	codeParamEmpty:       "参数为空",
	codeAgentID:          "不合法的agentid",
	codeTelephoneInvalid: "不合法的分机号",
	codeWorkPlaceInvalid: "不合法的工作地址",
	codeRemarkInvalid:    "不合法的备注",
	codeOffset:           "不合法的偏移量",
	codeSize:             "不合法的分页大小",
	codeGroupOwner:       "无效的企业群群主",
	codeAppSecret:        "不合法的appKey或appSecret",
	codeTelephoneExists:  "分机号已经存在",
	codeEmailExists:      "邮箱已经存在",
	codeInvited:          "该用户需要其同意才可添加，已向对方发送邀请",
	codeMobileInvalid:    "电话号码无效",
	codeNeedGET:          "需要GET请求",
	codeNeedPOST:         "需要POST请求",
	codeMsgTooLong:       "消息内容超过限制",
	codeMembersLimit:     "账号数量超过上限",
	codeNoEmployee:       "不存在的员工",
	codeJSON:             "解析JSON/XML内容错误",
	codeUserOutOfScope:   "企业员工不在授权范围",
	codeDeptOutOfScope:   "企业部门不在授权范围",
	codeDeptNameInvalid:  "不合法的部门名称",
	codeNoDept:           "部门不存在",
	codeNoParent:         "父亲部门不存在",
	codeDeptHasUsers:     "不允许删除有成员的部门",
	codeDeptHasChildren:  "不允许删除有子部门的部门",
	codeDeleteRoot:       "不允许删除根部门",
	codeDeptNameChars:    "部门名称含有非法字符",
	codeDeptLoop:         "部门存在循环关系",
	codeNoPermission:     "没有调用该接口的权限",
	codeUpdateRoot:       "不允许更新根部门",
	codeDeptNameExists:   "父部门下该部门名称已存在",
	codeUserIDExists:     "UserID在公司中已存在",
	codeMobileExists:     "手机号码在公司中已存在",
	codeEmailInvalid:     "邮箱不合法",
	codePermitsUpdate:    "非法的可查看id列表",
	codeDeptCount:        "部门个数超出限制",
	codeNameInvalid:      "用户name不合法",
	codePositionInvalid:  "不合法的position",
	codeNoUser:           "找不到该用户",
	codeExtInvalid:       "不合法的extattr",
	codeJobNumberInvalid: "不合法的jobnumber",
	codeManagerInvalid:   "无效的主管id",
	codeScopeRole:        "无效的role_id",
	codeCorpAPILimit:     "您的企业调用当前接口次数过多，请求被暂时禁用了，仅对企业自己的Accesstoken有效",
	codeAPILimit:         "您的服务器调用钉钉开放平台当前接口的所有请求都被暂时禁用了",
	codeAppAPILimit:      "您的企业应用调用钉钉开放平台当前接口的所有请求都被暂时禁用了",
	codePlatform:         "系统错误",
	codeArgument:         "参数错误",
	codePermitsCreate:    "不合法的可见id列表",
	codeRoleArgs:         "参数为空",
	codeNoReceiver:       "接收者为空",
}

// refusal is an error answer of the old API: HTTP 200 and an errcode.
type refusal struct {
	code    int
	message string
	bare    bool // gettoken and its like answer without request_id
}

func (r *refusal) Error() string { return fmt.Sprintf("errcode %d: %s", r.code, r.message) }

// refuse is the documented answer with a code.
func refuse(code int) error { return &refusal{code: code, message: texts[code]} }

// refuseAs is an answer with a text of its own, where the documents give one.
func refuseAs(code int, message string) error { return &refusal{code: code, message: message} }

// denial is a refusal wrapped in errcode 88.
type denial struct {
	sub     int
	message string
	detail  string // behind the message, in errmsg only
}

func (d *denial) Error() string { return fmt.Sprintf("errcode 88, sub_code %d: %s", d.sub, d.message) }

func deny(sub int) error { return &denial{sub: sub, message: texts[sub]} }

// fault is an error answer of the new API: HTTP 4xx or 5xx, and a code that is
// a word.
type fault struct {
	status  int
	code    string
	message string
	scopes  []string
}

func (f *fault) Error() string { return f.code + ": " + f.message }

// Answers of the new API, from the pages of the calls and
// https://open.dingtalk.com/document/development/server-api-error-codes-1. The
// texts of the first three were seen on the wire.
func newFault(status int, code, message string) error {
	return &fault{status: status, code: code, message: message}
}

var (
	errNoHeader     = newFault(http.StatusBadRequest, "AuthenticationFailed.MissingParameter", "缺少参数：x-acs-dingtalk-access-token")
	errBadToken     = newFault(http.StatusBadRequest, "InvalidAuthentication", "不合法的access_token")
	errBadClient    = newFault(http.StatusBadRequest, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")
	errUnknown      = newFault(http.StatusInternalServerError, "unknownError", "未知错误")
	errAccountParam = newFault(http.StatusBadRequest, "invalid.param", "无效参数")
	errAccountUser  = newFault(http.StatusBadRequest, "user.not.exist", "用户不存在")
	errAccountOnly  = newFault(http.StatusBadRequest, "exclusive.account.only", "只能操作归属该组织的专属账号")
	errSearchParam  = newFault(http.StatusBadRequest, "parameter.error", "参数错误")
)

// applyURL is the page where a missing permission is asked for; the wire text
// of such answers carries it.
func applyURL(appKey, permission string) string {
	return "https://open-dev.dingtalk.com/appscope/apply?content=" + appKey + "%23" + permission
}

func needs(appKey, permission string) string {
	return "应用尚未开通所需的权限：[" + permission + "]，点击链接申请并开通即可：" + applyURL(appKey, permission)
}

// denyOld and denyNew refuse a call for want of a permission.
func denyOld(appKey, permission string) error {
	return &denial{sub: codeNoPermission, message: needs(appKey, permission),
		detail: ", {requiredScopes=[" + permission + "]}"}
}

func denyNew(appKey, permission string) error {
	return &fault{status: http.StatusForbidden, code: "Forbidden.AccessDenied.AccessTokenPermissionDenied",
		message: needs(appKey, permission), scopes: []string{permission}}
}

// wired is an error that knows how it looks on the wire.
type wired interface {
	error
	answer() core.Answer
}

// answer puts an error on the wire in the style it was made for.
func answer(err error) core.Answer {
	var w wired
	if !errors.As(err, &w) {
		// Handlers refuse with the types above only; anything else is a bug
		// that a test should meet.
		panic(err)
	}
	return w.answer()
}

func (d *denial) answer() core.Answer {
	return oldAnswer(strconv.Itoa(codeAuth), map[string]any{
		"errcode": codeAuth, "sub_code": strconv.Itoa(d.sub), "sub_msg": d.message,
		"errmsg":     fmt.Sprintf("ding talk error[subcode=%d,submsg=%s%s]", d.sub, d.message, d.detail),
		"request_id": requestID(),
	})
}

func (r *refusal) answer() core.Answer {
	body := map[string]any{"errcode": r.code, "errmsg": r.message}
	if !r.bare {
		body["request_id"] = requestID()
	}
	return oldAnswer(strconv.Itoa(r.code), body)
}

func (f *fault) answer() core.Answer {
	body := map[string]any{"code": f.code, "message": f.message, "requestid": requestUUID()}
	if f.scopes != nil {
		body["accessdenieddetail"] = map[string]any{"requiredScopes": f.scopes}
	}
	return newAnswer(f.status, f.code, body)
}

func oldAnswer(code string, body any) core.Answer {
	return core.JSON(http.StatusOK, code, body)
}

func newAnswer(status int, code string, body any) core.Answer {
	a := core.JSON(status, code, body)
	a.Header.Set("Content-Type", "application/json;charset=utf-8")
	return a
}

// unknownPath is the old API's answer to a path that it does not have, a
// trailing slash included.
func unknownPath(path string) core.Answer {
	name := "dingtalk.oapi." + strings.ReplaceAll(strings.Trim(strings.TrimPrefix(path, "/topapi"), "/"), "/", ".")
	text := "不合法ApiName，ApiName = " + name
	return oldAnswer(strconv.Itoa(codeNoMethod), map[string]any{
		"errcode": codeNoMethod, "sub_msg": text, "errmsg": "Invalid method[submsg=" + text + "]", "request_id": requestID(),
	})
}

// unknownURI is the new API's answer to a path that it does not have: HTTP 200,
// in the style of the old API.
func unknownURI() core.Answer {
	return oldAnswer("404", map[string]any{"errcode": 404, "errmsg": "请求的URI地址不存在"})
}

// banned is what a caller gets once its address made more than 10,000 calls in
// 20 s: no envelope of either API. The HTTP status is not documented (?).
// https://open.dingtalk.com/document/development/call-frequency-limit
func banned() core.Answer {
	return oldAnswer("1111", map[string]any{
		"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": requestUUID(),
	})
}

// requestID looks like the ids of the old API: "16l4ew3d47pdp".
func requestID() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return "0"
	}
	return strconv.FormatInt(n.Int64(), 36)
}

// requestUUID looks like the ids of the new API.
func requestUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails, as its documentation says
	h := strings.ToUpper(hex.EncodeToString(b))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
