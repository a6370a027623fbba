package dingtalk

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

func TestClassOfCode(t *testing.T) {
	for _, c := range []struct {
		op    *operation
		class directory.Class
		codes string
	}{
		{&opUser, directory.NotFound, "33012 60121 60111 46004 40003"},
		{&opUpdateUser, directory.NotFound, "33012 60121"},
		{&opUserByMobile, directory.NotFound, "60121"},
		{&opDisable, directory.NotFound, "user.not.exist"},
		{&opDepartment, directory.NotFound, "60003 40009"},
		{&opDepartments, directory.NotFound, "60003"},
		{&opUsers, directory.NotFound, "60003"},
		{&opUpdateDepartment, directory.NotFound, "60003 40009"},

		// Something else than what was asked for is missing.
		{&opCreateUser, directory.Invalid, "60003 40009 33012 60128"},
		{&opUpdateUser, directory.Invalid, "60003 40009 60128"},
		{&opCreateDepartment, directory.Invalid, "60003 60004"},
		{&opUpdateDepartment, directory.Invalid, "60004 40031 33012 60121"},

		{&opCreateUser, directory.AlreadyExists, "60102"},
		{&opCreateDepartment, directory.AlreadyExists, "60016 60021"},
		{&opCreateUser, directory.Conflict, "60104 60107 40021 40022 41054 40019 40100 40101 60106"},
		{&opCreateUser, directory.Invalid, "40035 400002 40104 60103 60105 60110 60112 60122 60123 40063 60119 60113"},
		{&opUpdateDepartment, directory.Invalid, "60001 60009 60010 60018 40011"},
		{&opUser, directory.Unauthenticated, "40014 40001 42001 40000 41001 40089 40096 InvalidAuthentication invalidClientIdOrSecret"},
		{&opUser, directory.PermissionDenied, "60011 43007 50002 50004 60020 50003 Forbidden.AccessDenied.AccessTokenPermissionDenied Forbidden.AccessDenied.IpNotInWhiteList 88"},
		{&opUser, directory.RateLimited, "90001 90002 90003 90005 90018 1111 invokeFrequentyly Forbidden.AccessDenied.QpsLimitForAppkeyAndApi Forbidden.AccessDenied.QpsLimitForApi Forbidden.AccessDenied.QpmLimitForAppkeyAndApi"},
		{&opCreateUser, directory.RateLimited, "90018"},
		{&opCreateUser, directory.QuotaExceeded, "40020 40023 40024 45024 90020 Forbidden.AccessDenied.ApiCountLimitForOrg"},
		{&opDisable, directory.NotSupported, "exclusive.account.only exclusive.account.limit"},
		{&opUser, directory.NotSupported, "22 404"},

		// Their failure says nothing of what a write has done.
		{&opUser, directory.Unavailable, "-1 400001 1002 system.busy systemError unknownError"},
		{&opCreateUser, directory.OutcomeUnknown, "-1 400001 1002 systemError"},
		{&opDisable, directory.OutcomeUnknown, "system.busy"},

		// Unknown codes.
		{&opUser, directory.Unavailable, "123456 some.new.code"},
		{&opCreateUser, directory.Invalid, "123456 some.new.code"},
	} {
		for code := range strings.FieldsSeq(c.codes) {
			e := refusal(c.op, code)
			if e.Class != c.class || e.Code != code || e.Operation != c.op.name || e.Message == "" {
				t.Errorf("%s refused with %s: got %+v, want class %s", c.op.name, code, e, c.class)
			}
			if (e.Class == directory.RateLimited) != (e.RetryAfter > 0) {
				t.Errorf("%s refused with %s: class %s and retry after %s", c.op.name, code, e.Class, e.RetryAfter)
			}
		}
	}
}

func TestEveryCodeHasWords(t *testing.T) {
	for code, m := range meanings {
		if m.class == "" || m.words == "" || strings.Contains(m.words, code) || !codeForm.MatchString(code) {
			t.Errorf("%s: %+v", code, m)
		}
		if n, err := strconv.Atoi(code); err == nil && strconv.Itoa(n) != code {
			t.Errorf("%s is not how the platform writes it", code)
		}
	}
}

func TestPermissionIsNamed(t *testing.T) {
	if e := refusal(&opCreateUser, "60011"); !strings.Contains(e.Message, "qyapi_manage_addresslist") {
		t.Errorf("the message does not name the permission: %s", e.Message)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	page := func(status int, body string) answer { return answer{status: status, body: body} }
	for _, c := range []struct {
		name        string
		answer      answer
		read, write directory.Class
		code        string
		pause       time.Duration
	}{
		{"gateway", page(502, "<html>502 Bad Gateway</html>"), directory.Unavailable, directory.OutcomeUnknown, "", 0},
		{"proxy page", page(200, "<html>welcome</html>"), directory.Unavailable, directory.OutcomeUnknown, "", 0},
		{"nothing", page(200, ""), directory.Unavailable, directory.OutcomeUnknown, "", 0},
		{"cut off", page(200, `{"errcode":0,"result":{"userid":"a`), directory.Unavailable, directory.OutcomeUnknown, "", 0},
		{"a code that is none", page(200, `{"errcode":"welcome to the network","errmsg":"…"}`), directory.Unavailable, directory.OutcomeUnknown, "", 0},
		{"a code without end", page(200, `{"errcode":`+strings.Repeat("1", 129)+`}`), directory.Unavailable, directory.OutcomeUnknown, "", 0},
		{"no errcode", page(200, `{"result":{"userid":"a"}}`), directory.Unavailable, directory.OutcomeUnknown, "", 0},
		{"null", page(200, `null`), directory.Unavailable, directory.OutcomeUnknown, "", 0},
		{"list", page(200, `[{"errcode":0}]`), directory.Unavailable, directory.OutcomeUnknown, "", 0},
		{"fine, and failed", page(500, `{"errcode":0,"errmsg":"ok"}`), directory.Unavailable, directory.OutcomeUnknown, "", 0},
		{"slow down", answer{status: 429, body: "slow down", header: http.Header{"Retry-After": {"7"}}},
			directory.RateLimited, directory.RateLimited, "", 7 * time.Second},
		{"ban", recorded(t, "page-banned"), directory.RateLimited, directory.RateLimited, "1111", 5 * time.Minute},
		{"ban as a page", page(200, `<html><script>{"status":1111,"punish":"deny"}</script></html>`),
			directory.RateLimited, directory.RateLimited, "1111", 5 * time.Minute},
		{"unknown path", recorded(t, "probe-unknown-path"), directory.NotSupported, directory.NotSupported, "22", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opUser, c.answer)
			s.on(&opCreateUser, c.answer)
			_, err := d.Account(t.Context(), "a")
			e := asError(t, err, c.read, c.code)
			if e.RetryAfter != c.pause {
				t.Errorf("retry after %s, want %s", e.RetryAfter, c.pause)
			}
			_, err = d.CreateAccount(t.Context(), "a", directory.Ordinary, newcomer())
			isError(t, err, c.write, c.code)
			if n := len(s.calls(&opCreateUser)); n != 1 {
				t.Errorf("the write was made %d times", n)
			}
			if _, told := s.throttles[""]; told != (c.code == codeBanned) {
				t.Errorf("throttling of the tenant was told: %t", told)
			}
		})
	}
}

func TestNewAPIRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer answer
		class  directory.Class
		code   string
	}{
		{"permission", answer{status: 403, body: `{"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied","message":"…","requestid":"r","accessdenieddetail":{"requiredScopes":["Contact.OrgAccountSecurity.ReadWrite"]}}`},
			directory.PermissionDenied, "Forbidden.AccessDenied.AccessTokenPermissionDenied"},
		{"ordinary", answer{status: 400, body: `{"code":"exclusive.account.only","message":"…"}`}, directory.NotSupported, "exclusive.account.only"},
		{"stranger", answer{status: 400, body: `{"code":"user.not.exist","message":"…"}`}, directory.NotFound, "user.not.exist"},
		{"too fast", answer{status: 403, body: `{"code":"Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"}`}, directory.RateLimited, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"},
		{"unknown path", recorded(t, "probe-new-unknown-path"), directory.NotSupported, "404"},
		{"ban", recorded(t, "page-banned"), directory.RateLimited, "1111"},
		{"gateway", answer{status: 502, body: "<html>"}, directory.Unavailable, ""},
		{"a code that is none", answer{status: 400, body: `{"code":"苏小雨"}`}, directory.Unavailable, ""},
		{"fine without status", answer{body: `{}`}, directory.Unavailable, ""},
		{"list", answer{body: `[]`}, directory.Unavailable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opStatus, c.answer)
			_, err := d.wire.disabled(t.Context(), "a")
			isError(t, err, c.class, c.code)
		})
	}
}

func TestLostCalls(t *testing.T) {
	lost := &httpx.Error{Operation: "x", Sent: true, Err: errors.New("connection reset")}
	unsent := &httpx.Error{Operation: "x", Err: errors.New("connection refused")}
	held := &httpx.Error{Operation: "x", RetryAfter: time.Minute, Err: httpx.ErrThrottled}
	gone := &httpx.Error{Operation: "x", Sent: true, Err: context.Canceled}
	for _, c := range []struct {
		name        string
		err         error
		read, write directory.Class
	}{
		{"sent", lost, directory.Unavailable, directory.OutcomeUnknown},
		{"not sent", unsent, directory.Unavailable, directory.Unavailable},
		{"held back", held, directory.RateLimited, directory.RateLimited},
		{"given up", gone, directory.Unavailable, directory.OutcomeUnknown},
		{"foreign", errors.New("who knows"), directory.Unavailable, directory.OutcomeUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(&opUser, answer{err: c.err})
			s.on(&opCreateUser, answer{err: c.err})
			_, err := d.Account(t.Context(), "a")
			e := asError(t, err, c.read, "")
			if e.RetryAfter != httpx.RetryAfter(c.err) {
				t.Errorf("retry after %s", e.RetryAfter)
			}
			_, err = d.CreateAccount(t.Context(), "a", directory.Ordinary, newcomer())
			isError(t, err, c.write, "")
			if directory.IsCancelled(err) != errors.Is(c.err, context.Canceled) {
				t.Errorf("%v: cancelled or not is lost", err)
			}
			if len(s.throttles) != 0 {
				t.Error("what the platform did not say was told as its throttling")
			}
		})
	}
}

// P12: neither secrets nor personal data show in an error.
func TestP12ErrorsAreDecent(t *testing.T) {
	const wire = `{"errcode":60104,"errmsg":"手机号码在公司中已存在 13800001234 苏小雨 su@example.com"}`
	s, d := newStub(t)
	s.on(&opUserByMobile, answer{err: errors.New(`Post "https://oapi.dingtalk.com/x?access_token=old-1": EOF`)})
	for _, a := range []answer{
		{body: wire},
		{err: errors.New(`Post "https://oapi.dingtalk.com/x?access_token=old-1&appsecret=` + testSecret + `": EOF`)},
		{status: 500, body: wire + "old-1"},
		{status: 400, body: "13800001234 " + testSecret},
		{body: `{"errcode":"su@example.com","errmsg":"…"}`},
		{body: `{"errcode":88,"sub_code":"苏小雨"}`},
	} {
		s.on(&opCreateUser, a)
		s.on(&opUser, a)
		s.on(&opOldToken)
		_, err := d.CreateAccount(t.Context(), "a", directory.Ordinary, newcomer())
		decent(t, err)
		_, err = d.Account(t.Context(), "a")
		decent(t, err)
		_, err = d.FindByMobile(t.Context(), "+86-13800001234")
		decent(t, err)

		fresh, d := newStub(t)
		fresh.on(&opOldToken, a)
		decent(t, d.Check(t.Context()))
	}
}

func decent(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range []string{testSecret, testKey, "old-1", "13800001234", "苏小雨", "su@example.com"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q shows in: %v", secret, err)
		}
	}
}

func TestTheRequestsIDIsNoted(t *testing.T) {
	for body, want := range map[string]string{
		`{"errcode":0,"errmsg":"ok","request_id":"5k2"}`: "5k2",
		`{"requestId":"A-1","success":true}`:             "A-1",
		`{"code":"invalidParameter","requestid":"B-2"}`:  "B-2",
		`{"result":true}`: "",
		`<html>`:          "",
	} {
		if got := requestID([]byte(body)); got != want {
			t.Errorf("%s is request %q, want %q", body, got, want)
		}
	}
}

// P8: the trail has the id of the last request, and that of no other where it told none.
func TestP8NoOtherRequestsIDIsNoted(t *testing.T) {
	for name, c := range map[string]struct {
		last answer
		want string
	}{
		"it told":      {answer{body: `{"result":true,"requestId":"second"}`}, "second"},
		"refused":      {answer{status: http.StatusBadRequest, body: `{"code":"user.not.exist","requestid":"second"}`}, "second"},
		"told none":    {yes, ""},
		"lost":         {lostReply, ""},
		"not DingTalk": {answer{status: http.StatusBadGateway, body: "<html>"}, ""},
	} {
		s, d := newStub(t)
		s.on(&opEnable, answer{status: http.StatusBadRequest, body: `{"code":"InvalidAuthentication","requestid":"first"}`}, c.last)
		s.on(&opStatus, answer{body: `{"disable":true,"requestId":"of a reading"}`})
		var trace directory.Trace
		_ = d.Unfreeze(directory.WithTrace(t.Context(), &trace), "E1", "") // some fail
		if got := trace.Request(); got != c.want || len(s.calls(&opEnable)) != 2 {
			t.Errorf("%s: noted %q, want %q", name, got, c.want)
		}
	}
}
