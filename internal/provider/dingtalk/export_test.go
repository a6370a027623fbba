package dingtalk

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// house is a tenant with three departments, a person in two of them, and two roles.
func house(path string, body map[string]any, _ url.Values) string {
	switch path {
	case opScopes.path:
		return `{"errcode":0,"auth_org_scopes":{"authed_dept":[1]},"auth_user_field":["name"]}`
	case opCount.path:
		return `{"errcode":0,"result":{"count":2}}`
	case opDepartment.path:
		return fmt.Sprintf(`{"errcode":0,"result":{"dept_id":%v,"name":"部","order":7,"dept_manager_userid_list":["a"],"new_field":{"x":[1]}}}`, body["dept_id"])
	case opDepartments.path:
		if body["dept_id"] == 1.0 {
			return `{"errcode":0,"result":[{"dept_id":2},{"dept_id":3}]}`
		}
		return `{"errcode":0,"result":[]}`
	case opUsers.path:
		switch body["dept_id"] {
		case 2.0:
			return `{"errcode":0,"result":{"has_more":false,"list":[{"userid":"a","row_field":2}]}}`
		case 3.0:
			return `{"errcode":0,"result":{"has_more":false,"list":[{"userid":"a","row_field":3},{"userid":"b"}]}}`
		}
		return `{"errcode":0,"result":{"has_more":false,"list":[]}}`
	case opRoleGroups.path:
		return `{"errcode":0,"result":{"hasMore":false,"list":[
			{"groupId":10,"name":"默认","new_field":1,"roles":[{"id":11,"name":"负责人","role_field":true}]},
			{"groupId":20,"name":"内控","roles":[{"id":21,"name":"审计员"}]}]}}`
	case opHolders.path:
		if body["role_id"] == 21.0 {
			return `{"errcode":0,"result":{"hasMore":false,"list":[{"userid":"a","name":"甲","manageScopes":[{"dept_id":2,"name":"部"}]},{"userid":"b"}]}}`
		}
		return `{"errcode":33011}`
	}
	return `{"errcode":60003}`
}

func TestDirectoryIsExportedAsItWasWritten(t *testing.T) {
	c := &tenant{answer: house}
	ids, raws, sum, err := c.export(t, directory.DatasetDirectory, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, ids, map[string][]string{
		"departments": {"1", "2", "3"}, "accounts": {"a", "b"}, "roles": {"11", "21"}, "members": {"21/a", "21/b"},
	})
	for key, want := range map[string]string{
		"departments/2": `{"dept_id":2,"name":"部","order":7,"dept_manager_userid_list":["a"],"new_field":{"x":[1]}}`,
		"accounts/b":    `{"user/get":{"userid":"b","unionid":"u-b","name":"甲","mobile":"13800550001","email":"a@example.com"},"user/list":{"userid":"b"}}`,
		"roles/11":      `{"group":{"groupId":10,"name":"默认","new_field":1},"role":{"id":11,"name":"负责人","role_field":true}}`,
		"members/21/a":  `{"userid":"a","name":"甲","manageScopes":[{"dept_id":2,"name":"部"}]}`,
	} {
		if raws[key] != want {
			t.Errorf("%s is\n%s, want\n%s", key, raws[key], want)
		}
	}
	if !strings.Contains(raws["accounts/a"], `"row_field"`) || sum.Totals["accounts"] != 2 {
		t.Errorf("a is %s; totals %v", raws["accounts/a"], sum.Totals)
	}
	if g := gaps(sum); g != "members NotFound: role 11 was removed while it was read\n" {
		t.Errorf("gaps: %s", g)
	}
	for _, a := range c.seen {
		if p := httpx.PriorityFrom(a.request.Context()); p != httpx.Sweep && !strings.Contains(strings.ToLower(a.path), "token") {
			t.Errorf("%s goes with priority %s, before people who wait", a.path, p)
		}
	}
}

// P5: what an export does not have, it says.
func TestP5GapsOfExports(t *testing.T) {
	for _, c := range []struct {
		name, path string
		id         any
		answer     string
		gaps       []string
	}{
		{"more people than seen", opCount.path, nil, `{"errcode":0,"result":{"count":3}}`, []string{"accounts Unavailable: DingTalk counts 3 people, and 2 were listed"}},
		{"narrow scope", opScopes.path, nil, `{"errcode":0,"auth_org_scopes":{"authed_dept":[2]}}`, []string{" PermissionDenied: " + narrowScope}},
		{"hidden department", opUsers.path, 3.0, `{"errcode":50004}`, []string{"departments PermissionDenied: department 3 is outside", "DingTalk counts 2 people, and 1 were listed"}},
		{"removed department", opDepartment.path, 3.0, `{"errcode":60003}`, []string{"departments NotFound: department 3 was removed", "DingTalk counts 2 people, and 1 were listed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tenant := &tenant{answer: func(path string, body map[string]any, query url.Values) string {
				if path == c.path && (c.id == nil || body["dept_id"] == c.id) {
					return c.answer
				}
				return house(path, body, query)
			}}
			_, _, sum, err := tenant.export(t, directory.DatasetDirectory, directory.Scope{})
			if err != nil {
				t.Fatal(err)
			}
			for _, words := range c.gaps {
				if !strings.Contains(gaps(sum), words) {
					t.Errorf("no gap says %q:\n%s", words, gaps(sum))
				}
			}
		})
	}
}

// P5: somebody who says to be in a department that does not list them is exported all the same.
func TestP5RowsThatAreOlderThanTheirPages(t *testing.T) {
	c := &tenant{answer: func(path string, body map[string]any, query url.Values) string {
		if path == opUsers.path && body["dept_id"] == 3.0 {
			return `{"errcode":0,"result":{"has_more":false,"list":[{"userid":"a","dept_id_list":[2,3]},{"userid":"b","dept_id_list":[2,3]}]}}`
		}
		return house(path, body, query)
	}}
	ids, raws, sum, err := c.export(t, directory.DatasetDirectory, directory.Scope{})
	if err != nil || !slices.Equal(ids["accounts"], []string{"a", "b"}) || strings.Contains(gaps(sum), "accounts") {
		t.Errorf("%v, gaps %s, %v", ids["accounts"], gaps(sum), err)
	}
	if !strings.Contains(raws["accounts/a"], `"row_field":2`) {
		t.Errorf("a comes with another row than that of the first department: %s", raws["accounts/a"])
	}
}

// P5: what the app may not see of people is said, and costs nobody else anything.
func TestP5WhatIsHiddenOfPeopleIsAGap(t *testing.T) {
	c := &tenant{answer: house, person: `{"errcode":50002}`}
	ids, raws, sum, err := c.export(t, directory.DatasetDirectory, directory.Scope{})
	if err != nil || !slices.Equal(ids["accounts"], []string{"a", "b"}) || raws["accounts/b"] != `{"user/list":{"userid":"b"}}` {
		t.Fatal(raws, err)
	}
	if g := gaps(sum); !strings.Contains(g, "accounts PermissionDenied: 2 people are outside") {
		t.Errorf("gaps: %s", g)
	}
	c = &tenant{answer: house, person: `{"errcode":0,"result":{"userid":"a","name":"甲"}}`}
	_, _, sum, err = c.export(t, directory.DatasetDirectory, directory.Scope{Accounts: []string{"a"}})
	if g := gaps(sum); err != nil || !strings.Contains(g, "of 1 people are hidden from the app: grant it 企业员工手机号信息") || !strings.Contains(g, "grant the app 邮箱等个人信息") {
		t.Errorf("gaps: %s, %v", g, err)
	}
}

func TestP5ExportsThatAreNone(t *testing.T) {
	for _, c := range []struct {
		name, path, answer string
		class              directory.Class
	}{
		{"nobody", opUsers.path, `{"errcode":0,"result":{"list":[]}}`, directory.Unavailable},
		{"the root is hidden", opDepartment.path, `{"errcode":50004}`, directory.PermissionDenied},
		{"no count", opCount.path, `{"errcode":0,"result":{}}`, directory.Unavailable},
		{"too fast", opUser.path, "", directory.RateLimited},
		{"roles without an end", opRoleGroups.path, `{"errcode":0,"result":{"hasMore":true,"list":[{"groupId":1,"name":"一"}]}}`, directory.Unavailable},
		{"a role without an id", opRoleGroups.path, `{"errcode":0,"result":{"list":[{"groupId":1,"roles":[{"name":"一"}]}]}}`, directory.Unavailable},
		{"holders without an end", opHolders.path, `{"errcode":0,"result":{"hasMore":true,"list":[{"userid":"a"}]}}`, directory.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.answer == "" {
				s, d := newStub(t)
				s.on(&opScopes, answer{body: house(opScopes.path, nil, nil)})
				s.on(&opDepartment, answer{body: `{"errcode":0,"result":{"dept_id":1}}`})
				s.on(&opDepartments, fine([]any{}))
				s.on(&opUsers, answer{body: `{"errcode":0,"result":{"list":[{"userid":"a"}]}}`})
				s.on(&opUser, no(90018))
				_, err := d.Export(t.Context(), directory.DatasetDirectory, directory.Scope{}, func(directory.Item) error { return nil })
				isError(t, err, c.class, "90018")
				return
			}
			tenant := &tenant{answer: func(path string, body map[string]any, query url.Values) string {
				if path == c.path {
					return c.answer
				}
				return house(path, body, query)
			}}
			if _, _, _, err := tenant.export(t, directory.DatasetDirectory, directory.Scope{}); directory.ClassOf(err) != c.class {
				t.Errorf("got %v, want class %s", err, c.class)
			}
		})
	}
}

// A batch is refused as a whole for one unknown person: the others get the role all the same.
func TestUnknownPeopleAreFoundByHalving(t *testing.T) {
	given := map[string]int{}
	c := &tenant{answer: func(_ string, body map[string]any, _ url.Values) string {
		ids := strings.Split(body["userIds"].(string), ",")
		if len(ids) > 20 || body["roleIds"] != "21" {
			t.Errorf("asked for %v", body)
		}
		if slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "x") }) {
			return `{"errcode":33012}`
		}
		for _, id := range ids {
			given[id]++
		}
		return `{"errcode":0}`
	}}
	var members []directory.RoleMember
	for i := range 50 {
		members = append(members, directory.RoleMember{Account: fmt.Sprint("p", i)})
	}
	members = append(members, directory.RoleMember{Account: "x1"}, directory.RoleMember{Account: "p1"}, directory.RoleMember{Account: "x2"})
	d := c.open(t)
	err := d.AddToRole(t.Context(), "21", members)
	if directory.ClassOf(err) != directory.NotFound || !strings.Contains(err.Error(), "2 of 52 people") {
		t.Errorf("got %v", err)
	}
	for i := range 50 {
		if n := given[fmt.Sprint("p", i)]; n != 1 {
			t.Errorf("p%d got the role %d times", i, n)
		}
	}
}

func TestRolesThatCannotBe(t *testing.T) {
	c := &tenant{answer: func(path string, body map[string]any, query url.Values) string {
		if path == opCreateRole.path {
			return `{"errcode":34021}`
		}
		return house(path, body, query)
	}}
	d := c.open(t)
	_, err := d.CreateRole(t.Context(), directory.Role{Name: "审计员", Group: "内控"})
	if e := asError(t, err, directory.AlreadyExists, "34021"); e.Holder != "21" {
		t.Errorf("the holder is %q, want 21", e.Holder)
	}
	_, err = d.CreateRole(t.Context(), directory.Role{Name: "新", Group: "默认"})
	isError(t, err, directory.NotSupported, "")
	isError(t, d.AddToRole(t.Context(), "21", []directory.RoleMember{{Department: "2"}}), directory.NotSupported, "")
	isError(t, d.AddToRole(t.Context(), "21", []directory.RoleMember{{Account: "a", Scope: make([]string, 51)}}), directory.NotSupported, "")
	isError(t, d.AddToRole(t.Context(), "auditor", nil), directory.Invalid, "")
	if n := len(c.calls(opAddToRole.path)); n != 0 {
		t.Errorf("what cannot be was asked for %d times", n)
	}
}
