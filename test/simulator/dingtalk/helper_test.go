package dingtalk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

// sim is a simulator on loopback with the clock in the test's hand.
type sim struct {
	t      *testing.T
	core   *core.Core
	admin  core.Platform
	url    string
	client *http.Client

	mu    sync.Mutex
	token string
}

type body = map[string]any

var start = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

// newSim starts one without limits.
func newSim(t *testing.T) *sim {
	t.Helper()
	s := limited(t)
	if err := s.core.Limits.Set(platformName, core.Limits{Unlimited: true}, true); err != nil {
		t.Fatal(err)
	}
	return s
}

// limited starts one with the documented limits.
func limited(t *testing.T) *sim {
	t.Helper()
	c := core.New(core.Options{Clock: core.NewClock(func() time.Time { return start })})
	server := httptest.NewServer(New(c))
	t.Cleanup(server.Close)
	p, _ := c.Platform(platformName)
	return &sim{t: t, core: c, admin: p, url: server.URL, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// acme gives the tenant's state; only tests of this package look at it.
func (s *sim) acme() *tenant { return s.admin.(*platform).tenants["acme"] }

// do sends a request and gives status and JSON body.
func (s *sim) do(method, path string, header http.Header, payload string) (int, body) {
	s.t.Helper()
	status, raw, err := s.raw(method, path, header, payload)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	var b body
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&b); err != nil {
		s.t.Fatalf("%s %s: %v in %q", method, path, err, raw)
	}
	return status, b
}

func (s *sim) raw(method, path string, header http.Header, payload string) (int, []byte, error) {
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(payload))
	if err != nil {
		return 0, nil, err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

func (s *sim) tokenOf(key, secret string) string {
	s.t.Helper()
	_, b := s.do("GET", "/gettoken?appkey="+key+"&appsecret="+secret, nil, "")
	token, _ := b["access_token"].(string)
	if token == "" {
		s.t.Fatalf("gettoken: %v", b)
	}
	return token
}

func (s *sim) acmeToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == "" {
		s.token = s.tokenOf("dingacme0001", "acme-app-secret")
	}
	return s.token
}

// old calls the old API with JSON.
func (s *sim) old(path string, in any) body {
	s.t.Helper()
	payload, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	status, b := s.do("POST", path+"?access_token="+s.acmeToken(), http.Header{"Content-Type": {"application/json"}}, string(payload))
	if status != http.StatusOK {
		s.t.Fatalf("%s: HTTP %d: the old API answers 200 always", path, status)
	}
	return b
}

// ok calls the old API and wants success.
func (s *sim) ok(path string, in any) body {
	s.t.Helper()
	b := s.old(path, in)
	if code(b) != "0" {
		s.t.Fatalf("%s %v: %v", path, in, b)
	}
	return b
}

// result is ok for calls whose data is an object in result.
func (s *sim) result(path string, in any) body {
	s.t.Helper()
	r, _ := s.ok(path, in)["result"].(body)
	return r
}

// refused calls the old API and wants an errcode ("88/40014" with sub_code).
func (s *sim) refused(want, path string, in any) {
	s.t.Helper()
	if b := s.old(path, in); code(b) != want {
		s.t.Errorf("%s %v: got %v, want errcode %s", path, in, b, want)
	}
}

// fresh calls the new API.
func (s *sim) fresh(method, path string, in any) (int, body) {
	s.t.Helper()
	payload := ""
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			s.t.Fatal(err)
		}
		payload = string(raw)
	}
	return s.do(method, path, http.Header{
		"Content-Type":                {"application/json"},
		"X-Acs-Dingtalk-Access-Token": {s.acmeToken()},
	}, payload)
}

func code(b body) string {
	if sub, ok := b["sub_code"].(string); ok {
		return fmt.Sprintf("%v/%s", b["errcode"], sub)
	}
	return fmt.Sprint(b["errcode"])
}

// fault puts a fault in force until the test ends it.
func (s *sim) fault(f core.Fault) string {
	s.t.Helper()
	f.Platform = platformName
	made, err := s.core.Faults.Add(f)
	if err != nil {
		s.t.Fatal(err)
	}
	return made.ID
}

func (s *sim) configure(options string) {
	s.t.Helper()
	if err := s.admin.Configure("acme", json.RawMessage(options)); err != nil {
		s.t.Fatal(err)
	}
}

// dept makes a department and gives its id.
func (s *sim) dept(name string, parent any) json.Number {
	s.t.Helper()
	return s.result("/topapi/v2/department/create", body{"name": name, "parent_id": parent})["dept_id"].(json.Number)
}

// person makes a user in departments.
func (s *sim) person(id, mobile string, depts ...any) {
	s.t.Helper()
	list := make([]string, 0, len(depts))
	for _, d := range depts {
		list = append(list, fmt.Sprint(d))
	}
	s.ok("/topapi/v2/user/create", body{"userid": id, "name": "张" + id, "mobile": mobile, "dept_id_list": strings.Join(list, ",")})
}

func (s *sim) user(id string) body {
	s.t.Helper()
	return s.result("/topapi/v2/user/get", body{"userid": id})
}

func form(values body) string {
	v := url.Values{}
	for name, value := range values {
		v.Set(name, fmt.Sprint(value))
	}
	return v.Encode()
}

// sane checks everything that must hold between the rows and their indexes.
func (t *tenant) sane() error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	mobiles, phones, mails, logins := map[phone]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	memberships := 0
	for id, u := range t.users.All(core.Live) {
		if id != u.id || u.name == "" || len(u.depts) == 0 {
			return fmt.Errorf("user %q: %+v", id, u)
		}
		if other, taken := mobiles[u.mobile]; taken && u.mobile.number != "" {
			return fmt.Errorf("users %q and %q share a mobile number", id, other)
		}
		if other, taken := phones[u.telephone]; taken && u.telephone != "" {
			return fmt.Errorf("users %q and %q share a telephone", id, other)
		}
		mail := strings.ToLower(u.email)
		if other, taken := mails[mail]; taken && mail != "" {
			return fmt.Errorf("users %q and %q share a mail address", id, other)
		}
		if other, taken := logins[u.login]; taken && u.login != "" {
			return fmt.Errorf("users %q and %q share a login name", id, other)
		}
		mobiles[u.mobile], phones[u.telephone], mails[mail], logins[u.login] = id, id, id, id
		if u.mobile.number != "" && t.byMobile[u.mobile] != id || t.byUnion[u.union] != id {
			return fmt.Errorf("user %q is not in the indexes", id)
		}
		for _, m := range u.depts {
			memberships++
			if t.members[m.dept][id] != u {
				return fmt.Errorf("user %q is not among the members of %d", id, m.dept)
			}
			if _, ok := t.depts.Get(key(m.dept), core.Live); !ok {
				return fmt.Errorf("user %q is in department %d, which is not there", id, m.dept)
			}
		}
	}
	for _, m := range t.members {
		memberships -= len(m)
	}
	if memberships != 0 {
		return fmt.Errorf("%d memberships too few in the index", memberships)
	}
	return t.saneTree()
}

func (t *tenant) saneTree() error {
	names := map[sibling]int64{}
	for id, d := range t.depts.All(core.Live) {
		path := t.pathAt(d.id, core.Live)
		if id != key(d.id) || len(path) == 0 || path[len(path)-1] != rootDept {
			return fmt.Errorf("department %s does not hang on the root: %v", id, path)
		}
		if d.id == rootDept {
			continue
		}
		at := sibling{d.parent, d.name}
		if names[at] != 0 || t.siblings[at] != d.id || t.children[d.parent][d.id] != d {
			return fmt.Errorf("department %s: name %q is not its own below %d", id, d.name, d.parent)
		}
		names[at] = d.id
		for _, m := range d.managers {
			if t.members[d.id][m] == nil {
				return fmt.Errorf("department %s: manager %q is not a member", id, m)
			}
		}
	}
	return nil
}
