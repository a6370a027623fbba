package wecom

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// oracle answers every call but gettoken with the same bytes.
type oracle []byte

func (o oracle) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte(o)
	if strings.HasSuffix(r.URL.Path, "/gettoken") {
		body = []byte(`{"errcode":0,"access_token":"t","expires_in":7200}`)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

// Whatever comes back, nothing panics, and nothing but an answer of the platform
// that means success passes for one.
func FuzzAnswers(f *testing.F) {
	for _, name := range []string{"user_get.json", "user_get_hidden.json", "user_get_40014.json", "user_create_madeup.json",
		"user_create_warning.json", "department_list.json"} {
		var t testing.T
		f.Add([]byte(recorded(&t, name)))
	}
	for _, s := range []string{``, `{}`, `[]`, `null`, `<html>`, `{"errcode":60104,"errmsg":"mobile existed:zhangsan"}`,
		`{"errcode":0,"userlist":[{"userid":"zhangsan","status":1,"department":[1]}],"dept_user":[{"userid":"zhangsan"}],"department":[{"id":1}],"department_id":[{"id":1}]}`,
		`{"errcode":0,"taglist":[{"tagid":"1"}],"tagname":"x","userlist":[{"userid":"a","status":1}],"partylist":[2],"dept_user":[{"userid":"a"}],` +
			`"department":[{"id":1}],"department_id":[{"id":1}]}`,
		`{"errcode":0,"sp_no_list":["1"],"journaluuid_list":["a",""],"endflag":1,"info":{"a":1},"group_list":[{}],"field_info":[],"dept_user":[{"userid":"a"}],` +
			`"group_chat_list":[{"chat_id":"g"}],"group_chat":{},"auth_space_list":[{"spaceid":"s"}],"file_list":[{}],"record_list":[{"time":"1"}],"checkindata":[{}]}`,
		`{"errcode":0,"msgid":"m","invaliduser":"a|b","unlicenseduser":"c","info":[{"handover_userid":"zhangsan","external_userid":"c"}],"next_cursor":"",` +
			`"customer":[{"external_userid":"d","status":"2","takeover_time":9,"errcode":40100}],"failed_chat_list":[{"chat_id":"g","errcode":90507}],` +
			`"group_chat_list":[{"chat_id":"g","status":1}],"group_chat":{"owner":"zhangsan"},"department":[{"id":1,"department_leader":["zhangsan"]}]}`,
		`{"errcode":0,"invalidlist":"a","invalidparty":["2"],"dept_user":[],"tagname":"x"}`, `{"errcode":81013}`, `{"errcode":40031}`, `{"errcode":301005}`,
		`{"errcode":301112}`, `{"errcode":0,"has_more":true,"next_cursor":"x","record_list":[null,7]}`,
		`{"errcode":0,"id":7}`, `{"errcode":60111,"errmsg":"` + "`" + `"}`, `{"errcode":60020,"errmsg":"from ip: :::"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		dir, err := Descriptor().New(directory.Settings{
			Tenant: corp, Secrets: map[string][]byte{syncSecret: []byte("s"), appSecret: []byte("a"), agentID: []byte("7")}, NumberAttribute: "工号",
			HTTP: &http.Client{Transport: oracle(body)}, Throttled: func(string, time.Duration) {}, Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		d := dir.(*Directory)
		d.client.wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
		var e envelope
		success := json.Unmarshal(body, &e) == nil && e.ErrCode != nil && *e.ErrCode == 0
		if a, err := d.Account(t.Context(), "zhangsan"); err == nil && (a.State == "" || !strings.EqualFold(a.ID, "zhangsan")) {
			t.Errorf("account %+v", a)
		}
		if dept, err := d.Department(t.Context(), "2"); err == nil && dept.ID != "2" {
			t.Errorf("department %+v", dept)
		}
		if l, err := d.List(t.Context()); err == nil && (len(l.Accounts) == 0 || len(l.Departments) == 0) {
			t.Errorf("listing %+v", l)
		}
		handsOut(t, d)
		letsGo(t, d, success)
		if id, err := d.FindByMobile(t.Context(), "13800001234"); err == nil && id == "" {
			t.Error("found nobody")
		}
		p := directory.Profile{Set: directory.FieldName | directory.FieldMobile, Name: "张三", Mobile: "+86-13800001234"}
		if _, err := d.CreateAccount(t.Context(), "zhangsan", directory.Ordinary, p); err == nil && !success {
			t.Errorf("created by %q", body)
		} else if err != nil && strings.Contains(err.Error(), "13800001234") {
			t.Errorf("shows the number: %v", err)
		}
		if err := d.UpdateAccount(t.Context(), "zhangsan", p); err == nil && !success {
			t.Errorf("updated by %q", body)
		}
		if _, err := d.CreateDepartment(t.Context(), directory.Department{Set: directory.DepartmentName, Name: "x"}); err == nil && !success {
			t.Errorf("department created by %q", body)
		}
	})
}

// handsOut exports everything: what comes out has an id of its own and is JSON.
func handsOut(t *testing.T, d *Directory) {
	t.Helper()
	for _, name := range directory.Datasets() {
		seen := map[string]bool{}
		_, err := d.Export(t.Context(), name, directory.Scope{From: time.Now().Add(-time.Hour)}, func(i directory.Item) error {
			if key := i.Part + "/" + i.ID; i.ID == "" || seen[key] || !json.Valid(i.Raw) {
				t.Errorf("%s: emitted %s twice, or without an id, or as %q", name, key, i.Raw)
			} else {
				seen[key] = true
			}
			return nil
		})
		if name == directory.DatasetDirectory && err == nil && len(seen) == 0 {
			t.Error("an empty directory is no export")
		}
	}
	if id, err := d.CreateRole(t.Context(), directory.Role{Name: "x"}); err == nil && id == "" {
		t.Error("created a role without an id")
	}
	_, _ = d.Roles(t.Context())
	_, _ = d.RoleMembers(t.Context(), "1")
	_ = d.AddToRole(t.Context(), "1", []directory.RoleMember{{Account: "a"}, {Department: "2"}})
}

// letsGo does all that leaving takes. Success is only what the platform says in so many words.
func letsGo(t *testing.T, d *Directory, success bool) {
	t.Helper()
	if err := d.Remove(t.Context(), "zhangsan", directory.Removal{}); err == nil && !success {
		t.Error("removed by an answer that does not say so")
	}
	if r, err := d.Notify(t.Context(), []string{"zhangsan"}, "x"); err == nil && !success && len(r.Missed) != 1 {
		t.Errorf("sent by an answer that does not say so: %+v", r)
	}
	if roles, err := d.RolesOf(t.Context(), "zhangsan"); err == nil && slices.ContainsFunc(roles, func(r directory.RoleMember) bool { return r.Role == "" }) {
		t.Errorf("roles %+v", roles)
	}
	_ = d.RemoveFromRole(t.Context(), "1", []directory.RoleMember{{Account: "a"}, {Department: "2"}})
	if left, err := d.Residuals(t.Context(), "zhangsan"); err == nil && slices.Contains(left, "") {
		t.Errorf("residuals %q", left)
	}
	if i, err := d.Inherit(t.Context(), "zhangsan", "lisi"); err == nil && i.Waiting == 0 && !i.Again.IsZero() {
		t.Errorf("inheritance %+v", i)
	}
	// Past the question whether they are gone, which the same bytes cannot answer both ways.
	h := &heir{Directory: d, leaver: "zhangsan", successor: "lisi"}
	if h.customers(t.Context()) == nil && h.groups(t.Context()) == nil {
		if i := h.far(); i.Done < 0 || i.Waiting < 0 || i.Refused < 0 {
			t.Errorf("inheritance %+v", i)
		}
	}
}
