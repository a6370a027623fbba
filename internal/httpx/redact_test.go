package httpx

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		`Get "https://qyapi.weixin.qq.com/cgi-bin/gettoken?corpid=ww1&corpsecret=abc": EOF`: `Get "https://qyapi.weixin.qq.com/cgi-bin/gettoken?corpid=***&corpsecret=***": EOF`,
		`/topapi/v2/user/get?access_token=abc`:                                              `/topapi/v2/user/get?access_token=***`,
		`https://ann:pw@proxy.example:8080/x#access_token=abc`:                              `https://***@proxy.example:8080/x#***`,
		`{"accessToken":"a\"b c","expireIn":7200}`:                                          `{"accessToken":"***","expireIn":7200}`,
		`"{\"access_token\":\"abc\",\"expires_in\":7200}"`:                                  `"{\"access_token\":***,\"expires_in\":7200}"`,
		`"\\"{\\\"access_token\\\":\\\"abc\\\"}\\""`:                                        `"\\"{\\\"access_token\\\":***}\\""`,
		`Authorization: Bearer abc.def`:                                                     `Authorization: ***`,
		`map[X-Acs-Dingtalk-Access-Token:[abc] Accept:[*/*]]`:                               `map[X-Acs-Dingtalk-Access-Token:[***] Accept:[*/*]]`,
		`appsecret=abc, appkey=def; agentId=7`:                                              `appsecret=***, appkey=***; agentId=7`,
		`Bearer abc`:                                                                        `Bearer ***`,
		`msg_signature=abc sign=def`:                                                        `msg_signature=*** sign=***`,
		`https://open.feishu.cn/open-apis/bot/v2/hook/abc-def: EOF`:                         `https://open.feishu.cn/open-apis/bot/v2/hook/***: EOF`,
		`手机号码13912345678在公司中已存在, mail ann@corp.example.cn, +86-13912345678`:                 `手机号码***在公司中已存在, mail ***, ***`,
		`userid zhangsan not found, requestId: 15r4kbx4n2y2`:                                `userid zhangsan not found, requestId: 15r4kbx4n2y2`,
		`invalid access_token, hint: [1700000000]`:                                          `invalid access_token, hint: [1700000000]`,
		`dial tcp 127.0.0.1:80: connect: connection refused`:                                `dial tcp 127.0.0.1:80: connect: connection refused`,
		`60111 部门不存在`:                                                                       `60111 部门不存在`,
	} {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%s)\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestRedactURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/b?access_token=abc&userid=1": "https://a.example/b?access_token=***&userid=***",
		"https://a.example/b?abc":                       "https://a.example/b?***",
		"https://ann:pw@a.example/b#abc":                "https://***@a.example/b#***",
		"https://a.example/b":                           "https://a.example/b",
		"https://a.example/hook/abc?x=a=b;c=d":          "https://a.example/hook/***?x=***&c=***",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		before := u.String()
		if got := RedactURL(u); got != want {
			t.Errorf("RedactURL(%s) = %s, want %s", in, got, want)
		}
		if u.String() != before {
			t.Errorf("RedactURL changed its argument to %s", u)
		}
	}
	if got := RedactURL(nil); got != "" {
		t.Errorf("RedactURL(nil) = %q", got)
	}
}

// leaks are the ways in which a secret comes into a text.
func leaks(secret string) []string {
	u := &url.URL{Scheme: "https", Host: "oapi.dingtalk.com", Path: "/user/get", RawQuery: url.Values{
		"access_token": {secret}, "corpsecret": {secret}, "anything": {secret},
	}.Encode()}
	withUser := *u
	withUser.User = url.UserPassword("ann", secret)
	answer, _ := json.Marshal(map[string]string{"access_token": secret, "errmsg": "ok"})
	failed := &url.Error{Op: "Get", URL: withUser.String(), Err: errors.New("EOF")}
	// A header's value has no control characters: net/http refuses it.
	plain := strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || strings.ContainsRune("\"'\\&;,<>{}[]", r) {
			return 'x'
		}
		return r
	}, secret)
	return []string{
		u.String(), u.RequestURI(), failed.Error(), fmt.Sprintf("%q", failed.Error()), fmt.Errorf("reading %s: %w", u, failed).Error(),
		string(answer), fmt.Sprintf("answer %s, try again", answer), fmt.Sprintf("%q", answer),
		"appsecret=" + plain, fmt.Sprint(http.Header{"X-Acs-Dingtalk-Access-Token": {plain}}), "authorization: Bearer " + plain,
	}
}

// No secret survives, in any of the forms in which it may stand in a text.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{"s3cret", "a b&c=d", `quote"and\slash`, "密钥", "https://x/?y=z", "%zz%41", "***", "\x00\xff", "a'b", "1391234567", "+-/=", `\"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_ = Redact(s) // of anything
		// Marked, so that finding it in the output means that it came from the secret.
		const begin, end = "Qz7", "7zQ"
		for _, text := range leaks(begin + s + end) {
			got := Redact(text)
			if strings.Contains(got, begin) || strings.Contains(got, end) {
				t.Errorf("of %q the secret survives in %q", text, got)
			}
			if again := Redact(got); again != got {
				t.Errorf("redacting again turns %q into %q", got, again)
			}
		}
	})
}
