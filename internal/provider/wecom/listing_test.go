package wecom

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

// person is a row of user/list.
func person(id string, status int, departments ...int) string {
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(departments), " ", ","), "[]")
	return fmt.Sprintf(`{"userid":%q,"name":"x","department":[%s],"status":%d,"main_department":%d}`, id, list, status, departments[0])
}

// company answers the calls of a listing. members are rows by department.
func company(t *testing.T, members map[string][]string, ids ...string) map[string]func(*http.Request, map[string]any) string {
	var rows []string
	for _, id := range ids {
		rows = append(rows, fmt.Sprintf(`{"userid":%q,"department":1}`, id))
	}
	return map[string]func(*http.Request, map[string]any) string{
		"user/list_id": func(_ *http.Request, body map[string]any) string {
			// Two rows a page, to have pages.
			var at int
			if c, ok := body["cursor"].(string); ok {
				_, _ = fmt.Sscan(c, &at)
			}
			page, next := rows[at:], ""
			if len(page) > 2 {
				page, next = page[:2], fmt.Sprint(at+2)
			}
			return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","next_cursor":%q,"dept_user":[%s]}`, next, strings.Join(page, ","))
		},
		"department/simplelist": answer(`{"errcode":0,"errmsg":"ok","department_id":[{"id":1},{"id":2},{"id":3}]}`),
		"department/list":       answer(recorded(t, "department_list.json")),
		"user/list": func(r *http.Request, _ map[string]any) string {
			return `{"errcode":0,"errmsg":"ok","userlist":[` + strings.Join(members[r.URL.Query().Get("department_id")], ",") + `]}`
		},
	}
}

func TestListing(t *testing.T) {
	s := newStub(t, company(t, map[string][]string{
		"1": {person("Boss", 1, 1)}, "2": {person("a", 2, 2, 3), person("b", 4, 2)}, "3": {person("A", 2, 2, 3)},
	}, "boss", "a", "a", "b"))
	l, err := s.open(true).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range l.Accounts {
		got = append(got, fmt.Sprint(a.ID, " ", a.State, " ", len(a.Profile.Memberships)))
	}
	slices.Sort(got)
	if want := []string{"Boss Active 1", "a Frozen 2", "b Active 1"}; !slices.Equal(got, want) {
		t.Errorf("accounts %q, want %q", got, want)
	}
	if len(l.Gaps) != 0 {
		t.Errorf("gaps %q", l.Gaps)
	}
	if s.count("user/list_id") != 2 || s.count("user/list") != 3 || s.count("user/get") != 0 {
		t.Errorf("calls: %q", s.calls)
	}
	want := directory.Department{
		Set: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder | directory.DepartmentManagers,
		ID:  "2", Name: "广州研发中心", Parent: "1", Order: 4294967285, Managers: []string{"zhangsan", "lisi"},
	}
	if len(l.Departments) != 3 || fmt.Sprint(l.Departments[1]) != fmt.Sprint(want) || l.Departments[0].Parent != "" {
		t.Errorf("departments %+v", l.Departments)
	}
}

func TestGaps(t *testing.T) {
	one := map[string][]string{"1": {person("boss", 1, 1)}}
	for name, c := range map[string]struct {
		members map[string][]string
		ids     []string
		change  map[string]string
		want    []string
	}{
		"nobody sees their details": {one, []string{"boss", "x1", "x2", "x3", "x4", "x5", "x6"}, nil, []string{"6 users exist", "x5, …"}},
		"not among all users":       {map[string][]string{"1": {person("boss", 1, 1), person("y", 1, 1)}}, []string{"boss"}, nil, []string{"1 users were seen", "(y)"}},
		"has left":                  {map[string][]string{"1": {person("boss", 1, 1), person("z", 5, 1)}}, []string{"boss", "z"}, nil, nil},
		"an unknown status":         {map[string][]string{"1": {person("boss", 1, 1), person("z", 9, 1)}}, []string{"boss", "z"}, nil, []string{"user z: status 9"}},
		"an invisible department": {one, []string{"boss"},
			map[string]string{"department/simplelist": `{"errcode":0,"department_id":[{"id":1},{"id":2},{"id":3},{"id":9}]}`}, []string{"1 departments exist", "(9)"}},
		"a department too many": {one, []string{"boss"},
			map[string]string{"department/simplelist": `{"errcode":0,"department_id":[{"id":1},{"id":2}]}`}, []string{"1 departments were seen", "(3)"}},
	} {
		t.Run(name, func(t *testing.T) {
			answers := company(t, c.members, c.ids...)
			for operation, body := range c.change {
				answers[operation] = answer(body)
			}
			l, err := newStub(t, answers).open(true).List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			gaps := strings.Join(l.Gaps, "\n")
			if (gaps == "") != (len(c.want) == 0) {
				t.Errorf("gaps %q", l.Gaps)
			}
			for _, w := range c.want {
				if !strings.Contains(gaps, w) {
					t.Errorf("gaps %q lack %q", gaps, w)
				}
			}
		})
	}
}

func TestOneDepartmentThatCannotBeListed(t *testing.T) {
	for body, want := range map[string]string{
		`{"errcode":60003,"errmsg":"no","userlist":[]}`: "department 2 vanished",
		`{"errcode":45029,"errmsg":"no","userlist":[]}`: "department 2 has too many members",
	} {
		answers := company(t, map[string][]string{"1": {person("boss", 1, 1)}}, "boss")
		whole := answers["user/list"]
		answers["user/list"] = func(r *http.Request, b map[string]any) string {
			if r.URL.Query().Get("department_id") == "2" {
				return body
			}
			return whole(r, b)
		}
		l, err := newStub(t, answers).open(true).List(t.Context())
		if err != nil || len(l.Gaps) != 1 || !strings.Contains(l.Gaps[0], want) {
			t.Errorf("%s: %+v, %v, want the gap %q", body, l, err, want)
		}
	}
}

func TestListingThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		operation, body string
		class           directory.Class
		words           string
	}{
		"no users":                   {"user/list_id", `{"errcode":0,"next_cursor":"","dept_user":[]}`, directory.Unavailable, "not a single user"},
		"a cursor that stands still": {"user/list_id", `{"errcode":0,"next_cursor":"2","dept_user":[{"userid":"x","department":1}]}`, directory.Unavailable, ""},
		"no departments":             {"department/list", `{"errcode":0,"department":[]}`, directory.Unavailable, "visible range"},
		"no details":                 {"user/list", `{"errcode":0,"userlist":[]}`, directory.Unavailable, "none of 1 users"},
		"no right to list":           {"user/list", `{"errcode":60011,"errmsg":"no"}`, directory.PermissionDenied, "visible range"},
		"no right to read details":   {"department/list", `{"errcode":48009,"errmsg":"no"}`, directory.PermissionDenied, "appSecret"},
		"no right to ids":            {"user/list_id", `{"errcode":48002,"errmsg":"no"}`, directory.PermissionDenied, "通讯录同步"},
		"throttled":                  {"user/list", `{"errcode":45009,"errmsg":"no"}`, directory.RateLimited, ""},
	} {
		t.Run(name, func(t *testing.T) {
			answers := company(t, map[string][]string{"1": {person("boss", 1, 1)}}, "boss")
			answers[c.operation] = answer(c.body)
			l, err := newStub(t, answers).open(true).List(t.Context())
			if l != nil {
				t.Errorf("listed %+v", l)
			}
			refused(t, err, c.class, c.words)
		})
	}
}
