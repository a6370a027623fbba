package wecom

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

func TestEveryCodeHasAMeaning(t *testing.T) {
	for code, m := range meanings {
		if m.class == "" || m.words == "" {
			t.Errorf("code %d: class %q, words %q", code, m.class, m.words)
		}
		if strings.HasSuffix(m.words, ".") {
			t.Errorf("code %d: the words end a sentence that goes on: %q", code, m.words)
		}
		if e := refusal(&request{operation: "x"}, code, "text"); e.Class != m.class {
			t.Errorf("code %d read: class %s, want %s", code, e.Class, m.class)
		}
	}
}

func TestRefusals(t *testing.T) {
	write := func(fields map[string]any) *request {
		return &request{operation: "user/create", write: true, body: fields}
	}
	const hint = ", hint: [1684401769_399_4655123], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=1"
	for name, c := range map[string]struct {
		q      *request
		code   int
		text   string
		class  directory.Class
		holder string
		words  string
		after  time.Duration
	}{
		"unknown code": {q: write(nil), code: 99999, text: "x", class: directory.Unavailable, words: "90313"},
		"busy read":    {q: &request{}, code: -1, class: directory.Unavailable},
		"busy write":   {q: write(nil), code: -1, class: directory.OutcomeUnknown},
		"too fast":     {q: write(nil), code: 45009, class: directory.RateLimited, after: time.Minute},
		"taken id":     {q: write(nil), code: 60102, text: "userid existed", class: directory.AlreadyExists},
		"taken mobile": {q: write(map[string]any{"mobile": "13800550001"}), code: 60104, text: "mobile existed:zhangsan" + hint,
			class: directory.Conflict, holder: "zhangsan"},
		"taken mobile, by a number": {q: write(map[string]any{"mobile": "13800550001"}), code: 60104, text: "mobile existed:10001",
			class: directory.Conflict, holder: "10001"},
		"taken mobile, itself in the text": {q: write(map[string]any{"mobile": "13800550001"}), code: 60104,
			text: "mobile existed:13800550001", class: directory.Conflict},
		"taken mail": {q: write(map[string]any{"email": "a@example.com"}), code: 60106, text: "email existed:lisi@x",
			class: directory.Conflict, holder: "lisi@x"},
		"taken mail, itself in the text": {q: write(map[string]any{"email": "a@example.com"}), code: 60106,
			text: "email existed:A@example.com", class: directory.Conflict},
		"taken name": {q: write(nil), code: 60008, text: "department existed: 13 is existed" + hint,
			class: directory.AlreadyExists, holder: "13"},
		"taken name, no id": {q: write(nil), code: 60008, text: "department existed" + hint, class: directory.AlreadyExists},
		"taken name, odd":   {q: write(nil), code: 60008, text: "department existed: abc", class: directory.AlreadyExists},
		"strange address":   {q: write(nil), code: 60020, text: "not allow to access from your ip" + hint, class: directory.PermissionDenied, words: "203.0.113.7"},
		"strange address, no address": {q: write(nil), code: 60020, text: "not allow to access from your ip, from ip: ...",
			class: directory.PermissionDenied, words: "企业可信IP"},
		"unknown user": {q: &request{operation: "user/get"}, code: 60111, text: "invalid string value `x`. userid not found",
			class: directory.NotFound},
		"unknown user to write": {q: write(map[string]any{"userid": "X"}), code: 60111, text: "invalid string value `x`. userid not found",
			class: directory.NotFound},
		"unknown manager": {q: write(map[string]any{"userid": "x"}), code: 60111, text: "invalid string value `boss`. userid not found",
			class: directory.Invalid, words: "manager"},
		"sync secret from a new address": {q: &request{}, code: 48009, class: directory.PermissionDenied, words: "appSecret"},
		"creator":                        {q: write(nil), code: 301005, class: directory.NotSupported, words: "creator"},
	} {
		t.Run(name, func(t *testing.T) {
			e := refusal(c.q, c.code, c.text)
			if e.Class != c.class || e.Holder != c.holder || e.RetryAfter != c.after {
				t.Errorf("got %s, holder %q, after %s; want %s, %q, %s", e.Class, e.Holder, e.RetryAfter, c.class, c.holder, c.after)
			}
			if !strings.Contains(e.Message, c.words) {
				t.Errorf("message %q lacks %q", e.Message, c.words)
			}
			if strings.Contains(e.Error(), "13800550001") || strings.Contains(e.Error(), "hint") {
				t.Errorf("the platform's text is shown: %v", e)
			}
		})
	}
}

func TestCodeOf(t *testing.T) {
	for err, want := range map[error]int{
		nil: 0, errors.New("x"): 0, &directory.Error{}: 0, &directory.Error{Code: "x"}: 0, &directory.Error{Code: "-1"}: -1,
	} {
		if got := codeOf(err); got != want {
			t.Errorf("codeOf(%v) = %d, want %d", err, got, want)
		}
	}
}

func TestTheRequestsIDIsNoted(t *testing.T) {
	for body, want := range map[string]string{
		`{"errcode":60111,"errmsg":"userid not found, hint: [1684401769_399_4655abc], from ip: 192.0.2.1"}`: "1684401769_399_4655abc",
		`{"errcode":0,"errmsg":"updated"}`: "",
	} {
		if got := hint([]byte(body)); got != want {
			t.Errorf("%s is request %q, want %q", body, got, want)
		}
	}
}

// P8: the trail has the id of the last request, and that of no other where it told none.
func TestP8NoOtherRequestsIDIsNoted(t *testing.T) {
	const told = `{"errcode":%d,"errmsg":"x, hint: [%s], from ip: 192.0.2.1"}`
	for name, c := range map[string]struct{ last, want string }{
		"refused":   {fmt.Sprintf(told, 60111, "second"), "second"},
		"done":      {`{"errcode":0,"errmsg":"updated"}`, ""},
		"not WeCom": {"<html>", ""},
		"lost":      {"", ""},
	} {
		answers := make(chan string, 2)
		answers <- fmt.Sprintf(told, codeExpiredToken, "first")
		answers <- c.last
		s := newStub(t, map[string]func(*http.Request, map[string]any) string{
			"user/update": func(*http.Request, map[string]any) string {
				now := <-answers
				if now == "" {
					panic(http.ErrAbortHandler) // no answer
				}
				return now
			},
		})
		var trace directory.Trace
		_ = s.open(true).Freeze(directory.WithTrace(t.Context(), &trace), "x", "") // some fail
		if got := trace.Request(); got != c.want || len(answers) != 0 {
			t.Errorf("%s: noted %q, want %q", name, got, c.want)
		}
	}
}
