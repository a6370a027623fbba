package wecom

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// fields is the body of an answer.
type fields map[string]any

// failure is an answer with an errcode that is not 0.
type failure struct {
	code int
	text string
	bare bool // without hint, as seen for texts that carry data
}

func fail(code int) *failure { return &failure{code: code, text: text(code)} }

// failText is an error whose text carries data; it has no hint.
func failText(code int, format string, args ...any) *failure {
	return &failure{code: code, text: fmt.Sprintf(format, args...), bare: true}
}

// texts of the codes, see the package comment for what is known of them.
var texts = map[int]string{
	-1:     "system busy",
	6000:   "data version conflict",
	40001:  "invalid credential",
	40003:  "invalid userid",
	40008:  "invalid message type",
	40013:  "invalid corpid",
	40014:  "invalid access_token",
	40031:  "invalid userid list",
	40032:  "invalid userid list size",
	40035:  "invalid parameter",
	40056:  "invalid agentid",
	40058:  "invalid Request Parameter",
	40063:  "some parameters are empty",
	40066:  "invalid party list",
	40068:  "invalid tagid",
	40070:  "all list invalid",
	40071:  "invalid tag name, already exist",
	40072:  "invalid tag name size",
	40091:  "invalid secret",
	40096:  "invalid external userid",
	40097:  "the member has not resigned",
	40126:  "tag count exceed limit",
	41001:  "access_token missing",
	41002:  "corpid missing",
	41004:  "corpsecret missing",
	41009:  "userid missing",
	41011:  "agentid missing",
	41017:  "tagid missing",
	41018:  "tagname missing",
	41019:  "department missing",
	41054:  "user has not been activated",
	42001:  "access_token expired",
	42052:  "msgid expired",
	44004:  "empty content",
	45009:  "api freq out of limit",
	45024:  "user count exceed limit",
	45029:  "response out of size",
	45033:  "api concurrent out of limit",
	45035:  "api concurrent conflict",
	46004:  "user no exist",
	48002:  "api forbidden",
	48009:  "api forbidden for contact assistant from new ip",
	50100:  "invalid cursor",
	60001:  "department invalid length",
	60003:  "department not found",
	60004:  "parent department not found",
	60005:  "department contains user",
	60006:  "department contains sub-department",
	60007:  "root department can not be deleted",
	60008:  "department existed",
	60009:  "department name include invalid char",
	60010:  "department relationship loop",
	60011:  "no privilege to access/modify contact/party/agent ",
	60020:  "not allow to access from your ip",
	60102:  "userid existed",
	60103:  "invalid mobile",
	60104:  "mobile existed",
	60105:  "invalid email",
	60106:  "email existed",
	60110:  "user department count exceed limit",
	60111:  "userid not found",
	60112:  "invalid name",
	60123:  "invalid party id",
	60124:  "invalid parent party id",
	60127:  "invalid department",
	60129:  "missing mobile or email",
	60132:  "is_leader_in_dept and department count not match",
	60143:  "invalid biz_mail",
	60145:  "biz_mail existed",
	60257:  "direct_leader count exceed limit",
	81001:  "department node count exceed limit",
	81002:  "department depth exceed limit",
	81003:  "tag node count exceed limit",
	81011:  "no permission to access tag",
	81013:  "user & party & tag all invalid",
	81017:  "too many visible users",
	86003:  "invalid chatid",
	90500:  "the owner of this chat is not resigned", // as 92127 has it
	90501:  "chat is not external group chat",
	90507:  "chat is being inherited",
	90508:  "chat has been inherited",
	610004: "userid is not in the range of customer contact",
	301025: "invalid approval param",
	301055: "no approval auth",
	301112: "time range too large, please narrow it",
	301002: "not allow operate another agent with this accesstoken",
	301005: "not allow to delete creator",
	301036: "not allow to update userid",
}

func text(code int) string {
	if t, ok := texts[code]; ok {
		return t
	}
	return "error " + strconv.Itoa(code)
}

// errmsg is the text as it goes over the wire: with a hint to look the call up
// by, the caller's address and a link.
func (f *failure) errmsg(now time.Time, addr string) string {
	if f.bare {
		return f.text
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, says its documentation
	return fmt.Sprintf("%s, hint: [%d_%d_%s], from ip: %s, more info at https://open.work.weixin.qq.com/devtool/query?e=%d",
		f.text, now.Unix(), int(id[0])%100, hex.EncodeToString(id[:]), addr, f.code)
}

// answer makes the wire form of a failure: HTTP 200, the call's empty default
// fields, and two headers.
func (f *failure) answer(now time.Time, addr string, defaults []string) core.Answer {
	body := fields{"errcode": f.code, "errmsg": f.errmsg(now, addr)}
	for _, name := range defaults {
		body[name] = []int{}
	}
	a := core.JSON(http.StatusOK, strconv.Itoa(f.code), body)
	a.Header.Set("Error-Code", a.Code)
	a.Header.Set("Error-Msg", body["errmsg"].(string))
	return a
}
