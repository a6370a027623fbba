package wecom

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

func TestAccountID(t *testing.T) {
	id := Descriptor().AccountID
	for _, good := range []string{"E0001", "0001", "a", "zhang.san@x-y_z", strings.Repeat("a", 64)} {
		if got, err := id(good); got != good || err != nil {
			t.Errorf("AccountID(%q) = %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{"", "工号1", "-1", ".x", "a b", "a/b", "a\n", strings.Repeat("a", 65)} {
		if got, err := id(bad); directory.ClassOf(err) != directory.Invalid {
			t.Errorf("AccountID(%q) = %q, %v, want Invalid", bad, got, err)
		}
	}
}

func TestSettings(t *testing.T) {
	whole := func() directory.Settings {
		return directory.Settings{
			Tenant: corp, Secrets: map[string][]byte{syncSecret: []byte(syncValue)}, HTTP: &http.Client{},
			Throttled: func(string, time.Duration) {}, Now: time.Now,
		}
	}
	for name, c := range map[string]struct {
		change func(*directory.Settings)
		words  string
	}{
		"no tenant":      {func(s *directory.Settings) { s.Tenant = "" }, "corp id"},
		"no secret":      {func(s *directory.Settings) { s.Secrets = nil }, "syncSecret"},
		"a blank secret": {func(s *directory.Settings) { s.Secrets[syncSecret] = []byte(" \n") }, "syncSecret"},
		"no number":      {func(s *directory.Settings) { s.Secrets[agentID] = []byte("acme") }, "agentId"},
		"a negative one": {func(s *directory.Settings) { s.Secrets[agentID] = []byte("-1") }, "agentId"},
		"no client":      {func(s *directory.Settings) { s.HTTP = nil }, "HTTP client"},
		"no URL":         {func(s *directory.Settings) { s.Endpoint = "qyapi.weixin.qq.com" }, "endpoint"},
		"another scheme": {func(s *directory.Settings) { s.Endpoint = "ftp://example.com" }, "endpoint"},
		"a query":        {func(s *directory.Settings) { s.Endpoint = "https://example.com/?access_token=x" }, "endpoint"},
	} {
		s := whole()
		c.change(&s)
		if _, err := Descriptor().New(s); directory.ClassOf(err) != directory.Invalid || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for endpoint, want := range map[string]string{
		"": "https://qyapi.weixin.qq.com/cgi-bin/", "http://127.0.0.1:8/": "http://127.0.0.1:8/cgi-bin/", "https://x/proxy": "https://x/proxy/cgi-bin/",
	} {
		s := whole()
		s.Endpoint = endpoint
		d, err := Descriptor().New(s)
		if err != nil || d.(*Directory).client.base != want {
			t.Errorf("endpoint %q: %v, %v, want %s", endpoint, d, err, want)
		}
	}
}

// Who sends messages needs the app and its number; one of them alone is not an error.
func TestMessagesNeedAnAppAndItsNumber(t *testing.T) {
	for _, c := range []struct {
		app, number string
		can         bool
	}{{"", "", false}, {"s", "", false}, {"", "7", false}, {"s", " 7\n", true}} {
		d, err := Descriptor().New(directory.Settings{
			Tenant: corp, HTTP: &http.Client{}, Throttled: func(string, time.Duration) {}, Now: time.Now,
			Secrets: map[string][]byte{syncSecret: []byte("x"), appSecret: []byte(c.app), agentID: []byte(c.number)},
		})
		if err != nil {
			t.Fatal(err)
		}
		capable := d.Capabilities()
		if (capable.Calls[directory.WorkNotify] != nil) != c.can || (capable.NoticeWindow > 0) != c.can || (capable.Calls[directory.WorkInherit] != nil) != (c.app != "") {
			t.Errorf("app %q, number %q: %v, %s", c.app, c.number, capable.Calls, capable.NoticeWindow)
		}
	}
}

func TestCapabilities(t *testing.T) {
	hire := directory.FieldHireDate
	for _, c := range []struct {
		app           bool
		number        string
		reads, writes directory.Fields
	}{
		{false, "工号", directory.AllFields &^ hire, directory.AllFields &^ hire},
		{true, "工号", directory.AllFields &^ (hire | sensitive), directory.AllFields &^ hire},
		{true, "", directory.AllFields &^ (hire | sensitive | directory.FieldNumber), directory.AllFields &^ (hire | directory.FieldNumber)},
	} {
		if got := capable(c.app, c.app, c.number); got.Reads != c.reads || got.Writes != c.writes || got.Creates != 0 {
			t.Errorf("app %t, number %q: reads %s, writes %s", c.app, c.number, got.Reads, got.Writes)
		}
	}
}
