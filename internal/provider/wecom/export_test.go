package wecom

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// tagged completes a company with two tags.
func tagged(t *testing.T, members map[string][]string, ids ...string) map[string]func(*http.Request, map[string]any) string {
	answers := company(t, members, ids...)
	answers["tag/list"] = answer(`{"errcode":0,"errmsg":"ok","taglist":[{"tagid":3,"tagname":"审计","colour":"red"},{"tagid":4,"tagname":"闲"}]}`)
	answers["tag/get"] = func(r *http.Request, _ map[string]any) string {
		if r.URL.Query().Get("tagid") == "4" {
			return `{"errcode":0,"errmsg":"ok","tagname":"闲","userlist":[],"partylist":[]}`
		}
		return `{"errcode":0,"errmsg":"ok","tagname":"审计","userlist":[{"userid":"a","name":"x"},{"userid":"b","name":"y"}],"partylist":[2]}`
	}
	return answers
}

// exported collects what an export emits, each item as its part and id.
func exported(t *testing.T, d *Directory, name directory.Dataset, s directory.Scope) (map[string]directory.Item, directory.Summary, error) {
	t.Helper()
	items := map[string]directory.Item{}
	sum, err := d.Export(t.Context(), name, s, func(i directory.Item) error {
		key := i.Part + "/" + i.ID
		if _, twice := items[key]; twice {
			t.Errorf("%s is emitted twice", key)
		}
		items[key] = i
		return nil
	})
	return items, sum, err
}

func keys(items map[string]directory.Item) []string {
	var names []string
	for k := range items {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// gapped fails unless there is exactly one gap for each of these words.
func gapped(t *testing.T, sum directory.Summary, words ...string) {
	t.Helper()
	if len(sum.Gaps) != len(words) {
		t.Errorf("gaps %+v, want one for each of %q", sum.Gaps, words)
	}
	for _, w := range words {
		if !slices.ContainsFunc(sum.Gaps, func(g directory.Gap) bool { return strings.Contains(g.Reason, w) && g.Class != "" }) {
			t.Errorf("gaps %+v lack %q", sum.Gaps, w)
		}
	}
}

func TestExportIsAsThePlatformWroteIt(t *testing.T) {
	row := `{"userid":"Boss","name":"x","department":[1,2],"status":1,"main_department":1,"mobile":"13900000000","email":"","address":"",` +
		`"alias":"老板","qr_code":"https://example.com","something_new":{"a":[1, 2]}}`
	s := newStub(t, tagged(t, map[string][]string{"1": {row}, "2": {row, person("a", 2, 2)}, "3": {person("z", 5, 3)}}, "boss", "a", "z"))
	items, sum, err := exported(t, s.open(true), directory.DatasetDirectory, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"accounts/Boss", "accounts/a", "departments/1", "departments/2", "departments/3",
		"members/3/party/2", "members/3/user/a", "members/3/user/b", "roles/3", "roles/4",
	}
	if got := keys(items); !slices.Equal(got, want) {
		t.Errorf("exported\n%q, want\n%q", got, want)
	}
	for key, raw := range map[string]string{
		"accounts/Boss":     row,
		"departments/2":     `{"id":2,"name":"广州研发中心","name_en":"RDGZ","department_leader":["zhangsan","lisi"],"parentid":1,"order":10}`,
		"roles/3":           `{"tagid":3,"tagname":"审计","colour":"red"}`,
		"members/3/user/a":  `{"userid":"a","name":"x"}`,
		"members/3/party/2": `{"partylist":[2]}`,
	} {
		if got := string(items[key].Raw); got != raw {
			t.Errorf("%s is\n%s, want\n%s", key, got, raw)
		}
	}
	// The one who has left is neither missing nor counted.
	gapped(t, sum, "mobile, email, workplace")
	if sum.Totals[directory.PartAccounts] != 2 || sum.Totals[directory.PartDepartments] != 3 {
		t.Errorf("totals %v", sum.Totals)
	}
}

func TestExportOfTheChosen(t *testing.T) {
	answers := tagged(t, map[string][]string{}, "boss", "a", "b", "hidden")
	answers["user/get"] = func(r *http.Request, _ map[string]any) string {
		if id := r.URL.Query().Get("userid"); id != "hidden" {
			return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","userid":%q,"name":"x","department":[1],"status":1,"mobile":"","email":"","address":"","new":7}`, id)
		}
		return `{"errcode":60111,"errmsg":"no"}`
	}
	s := newStub(t, answers)
	items, sum, err := exported(t, s.open(true), directory.DatasetDirectory, directory.Scope{Accounts: []string{"B", "b", "nobody", "hidden"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"accounts/B", "departments/1", "departments/2", "departments/3", "members/3/party/2", "members/3/user/b", "roles/3", "roles/4"}
	if got := keys(items); !slices.Equal(got, want) {
		t.Errorf("exported %q, want %q", got, want)
	}
	gapped(t, sum, "1 of the chosen users do not exist (nobody)", "cannot be seen (hidden)")
	if s.count("user/list") != 0 || s.count("user/get") != 2 {
		t.Errorf("calls: %q", s.calls)
	}
}

func TestWhatIsMissingOfAnExportIsAGap(t *testing.T) {
	answers := tagged(t, map[string][]string{"1": {person("boss", 1, 1), person("odd", 9, 1), person("unlisted", 1, 1)}}, "boss", "odd", "x1")
	answers["department/simplelist"] = answer(`{"errcode":0,"department_id":[{"id":1},{"id":2},{"id":3},{"id":9}]}`)
	answers["tag/list"] = answer(`{"errcode":48002,"errmsg":"no"}`)
	whole := answers["user/list"]
	answers["user/list"] = func(r *http.Request, b map[string]any) string {
		if r.URL.Query().Get("department_id") == "2" {
			return `{"errcode":45029,"errmsg":"no"}`
		}
		return whole(r, b)
	}
	items, sum, err := exported(t, newStub(t, answers).open(true), directory.DatasetDirectory, directory.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	gapped(t, sum, "mobile, email, workplace", "1 users exist whose details cannot be seen (x1)", "1 users were seen", "user odd: status 9",
		"department 2 has too many", "1 departments exist that cannot be seen (9)", "tags: ")
	if odd := items["accounts/odd"]; odd.Account != nil || !strings.Contains(string(odd.Raw), `"status":9`) {
		t.Errorf("who is in an unknown state is kept as %+v, want as it was written alone", odd)
	}
}

func TestDepartmentsComeAfterTheirParents(t *testing.T) {
	answers := tagged(t, map[string][]string{"1": {person("boss", 1, 1)}}, "boss")
	answers["department/simplelist"] = answer(`{"errcode":0,"department_id":[{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]}`)
	answers["department/list"] = answer(`{"errcode":0,"department":[{"id":3,"parentid":2},{"id":2,"parentid":1},{"id":1,"parentid":0},{"id":4,"parentid":5},{"id":5,"parentid":4}]}`)
	var order []string
	_, err := newStub(t, answers).open(true).Export(t.Context(), directory.DatasetDirectory, directory.Scope{}, func(i directory.Item) error {
		if i.Part == directory.PartDepartments {
			order = append(order, i.ID)
		}
		return nil
	})
	if err != nil || !slices.Equal(order[:3], []string{"1", "2", "3"}) || len(order) != 5 {
		t.Errorf("order %v, %v", order, err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestExportsAreForQuietTimes(t *testing.T) {
	s := newStub(t, tagged(t, map[string][]string{"1": {person("boss", 1, 1)}}, "boss"))
	d := s.open(true)
	var hurried atomic.Int64
	next := d.client.http.Transport
	d.client.http = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if httpx.OperationFrom(r.Context()) != "gettoken" && httpx.PriorityFrom(r.Context()) != httpx.Sweep {
			hurried.Add(1)
		}
		return next.RoundTrip(r)
	})}
	if _, _, err := exported(t, d, directory.DatasetDirectory, directory.Scope{}); err != nil || hurried.Load() != 0 {
		t.Errorf("%d calls went before others, %v", hurried.Load(), err)
	}
}

func TestWhatIsNotOfferedIsNotRead(t *testing.T) {
	s := newStub(t, nil)
	d := s.open(true)
	for _, o := range d.Offers() {
		if missing := o.Dataset == directory.DatasetMessages || o.Dataset == directory.DatasetCalendars; missing != (o.Missing != "") {
			t.Errorf("%s: %q", o.Dataset, o.Missing)
		}
	}
	_, err := d.Export(t.Context(), directory.DatasetMessages, directory.Scope{}, nil)
	refused(t, err, directory.NotSupported, "会话内容存档")
	// Without an app there is nobody who could be granted anything.
	_, err = s.open(false).Export(t.Context(), directory.DatasetApprovals, directory.Scope{}, nil)
	refused(t, err, directory.PermissionDenied, "appSecret", "审批")
	if len(s.calls) != 0 {
		t.Errorf("called %q", s.calls)
	}
}

func TestAnErrorOfEmitIsReturnedAsItIs(t *testing.T) {
	full := errors.New("the disk is full")
	s := newStub(t, tagged(t, map[string][]string{"1": {person("boss", 1, 1)}, "2": {person("a", 1, 2)}, "3": {person("b", 1, 3)}}, "boss", "a", "b"))
	for _, part := range []string{directory.PartDepartments, directory.PartAccounts, directory.PartRoles, directory.PartMembers} {
		_, err := s.open(true).Export(t.Context(), directory.DatasetDirectory, directory.Scope{}, func(i directory.Item) error {
			if i.Part == part {
				return full
			}
			return nil
		})
		if err != full { //nolint:errorlint // as it is
			t.Errorf("%s: %v", part, err)
		}
	}
}

func TestTagsOnTheWire(t *testing.T) {
	var bodies []string
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"tag/create": answer(`{"errcode":0,"errmsg":"created","tagid":12}`),
		"tag/addtagusers": func(r *http.Request, body map[string]any) string {
			users, _ := body["userlist"].([]any)
			parties, _ := body["partylist"].([]any)
			bodies = append(bodies, fmt.Sprint(body["tagid"], " ", len(users), " ", len(parties)))
			if len(bodies) == 2 {
				return `{"errcode":40070,"errmsg":"all list invalid "}`
			}
			return `{"errcode":0,"errmsg":"ok","invalidlist":"u1|u2","invalidparty":[7]}`
		},
	})
	d := s.open(true)
	id, err := d.CreateRole(t.Context(), directory.Role{Name: "审计", Group: "内控"})
	if err != nil || id != "12" {
		t.Fatalf("created %q, %v", id, err)
	}
	var members []directory.RoleMember
	for i := range 1001 {
		members = append(members, directory.RoleMember{Account: fmt.Sprint("u", i)}, directory.RoleMember{Account: fmt.Sprint("U", i)})
	}
	for i := range 101 {
		members = append(members, directory.RoleMember{Department: fmt.Sprint(i + 1)})
	}
	err = d.AddToRole(t.Context(), id, members)
	refused(t, err, directory.NotFound, "3 of 1001 users and 2 of 101 departments", "the others have the tag")
	if want := []string{"12 1000 100", "12 1 1"}; !slices.Equal(bodies, want) {
		t.Errorf("sent %q, want %q", bodies, want)
	}
	for _, m := range []directory.RoleMember{{}, {Account: "a", Department: "1"}, {Department: "x"}} {
		refused(t, d.AddToRole(t.Context(), id, []directory.RoleMember{m}), directory.Invalid)
	}
	refused(t, d.AddToRole(t.Context(), id, []directory.RoleMember{{Account: "a", Scope: []string{"1"}}}), directory.NotSupported)
	refused(t, d.AddToRole(t.Context(), "x", nil), directory.Invalid)
	if len(bodies) != 2 {
		t.Errorf("what is wrong was sent: %q", bodies)
	}
}

func TestTagsAreMadeByWhoGivesThem(t *testing.T) {
	tokens := map[string]bool{}
	note := func(body string) func(*http.Request, map[string]any) string {
		return func(r *http.Request, _ map[string]any) string {
			token, _, _ := strings.Cut(r.URL.Query().Get("access_token"), "-token-")
			tokens[token] = true
			return body
		}
	}
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"tag/create": note(`{"errcode":0,"errmsg":"created","tagid":0}`), "tag/addtagusers": note(`{"errcode":0,"errmsg":"ok"}`),
	})
	d := s.open(true)
	id, err := d.CreateRole(t.Context(), directory.Role{Name: "审计"})
	if err != nil || id != "0" {
		t.Fatalf("created %q, %v", id, err)
	}
	if err := d.AddToRole(t.Context(), id, []directory.RoleMember{{Account: "a"}}); err != nil {
		t.Fatal(err)
	}
	if len(tokens) != 1 || !tokens[appValue] {
		t.Errorf("used the tokens of %v", tokens)
	}
}

func TestRawIsJSONThatNobodyReformatted(t *testing.T) {
	var w written[user]
	const row = `{ "userid" : "a" , "x":1e3}`
	if err := json.Unmarshal([]byte(row), &w); err != nil || string(w.raw) != row || w.is.UserID != "a" {
		t.Errorf("%+v, %v", w, err)
	}
}
