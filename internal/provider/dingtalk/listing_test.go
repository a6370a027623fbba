package dingtalk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// company is a tenant by department: what each one answers to listsub and to the
// pages of user/list.
type company struct {
	scopes, count string
	children      map[int64]string
	pages         map[int64][]string
}

func small() company {
	return company{
		scopes: `{"errcode":0,"auth_org_scopes":{"authed_dept":[1]},"auth_user_field":["name"]}`,
		count:  `{"errcode":0,"result":{"count":3}}`,
		children: map[int64]string{
			1:   `[{"dept_id":100,"name":"研发部","parent_id":1},{"dept_id":200,"name":"市场部","parent_id":1}]`,
			100: `[{"dept_id":101,"name":"一组","parent_id":100}]`,
		},
		pages: map[int64][]string{
			100: {`{"has_more":true,"next_cursor":1,"list":[{"userid":"a","name":"甲","dept_id_list":[100,200],"leader":true,"dept_order":5}]}`,
				`{"has_more":false,"list":[{"userid":"b","name":"乙","dept_id_list":[100],"email":"b@example.com"}]}`},
			101: {`{"has_more":false,"list":[{"userid":"c","name":"丙","dept_id_list":[101],"exclusive_account":true,"disable_status":true}]}`},
			200: {`{"has_more":false,"list":[{"userid":"a","name":"甲","dept_id_list":[100,200],"dept_order":9}]}`},
		},
	}
}

// RoundTrip answers as the company does.
func (c company) RoundTrip(r *http.Request) (*http.Response, error) {
	var body struct {
		Department int64 `json:"dept_id"`
		Cursor     int64 `json:"cursor"`
	}
	if r.Body != nil {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return nil, err
		}
	}
	text := `{"errcode":60003}`
	switch r.URL.Path {
	case opOldToken.path:
		text = `{"errcode":0,"access_token":"t","expires_in":7200}`
	case opScopes.path:
		text = c.scopes
	case opCount.path:
		text = c.count
	case opDepartment.path:
		text = fmt.Sprintf(`{"errcode":0,"result":{"dept_id":%d,"name":"公司"}}`, body.Department)
	case opDepartments.path:
		text = wrap(c.children[body.Department], "[]")
	case opUsers.path:
		page := ""
		if pages := c.pages[body.Department]; int(body.Cursor) < len(pages) {
			page = pages[body.Cursor]
		}
		text = wrap(page, `{"has_more":false,"list":[]}`)
	}
	return &http.Response{StatusCode: http.StatusOK, Request: r, Body: io.NopCloser(strings.NewReader(text))}, nil
}

// wrap makes a result of a text; one that is whole already stays.
func wrap(text, otherwise string) string {
	switch {
	case text == "":
		text = otherwise
	case strings.Contains(text, "errcode"):
		return text
	}
	return `{"errcode":0,"errmsg":"ok","result":` + text + `}`
}

func (c company) open(t *testing.T) directory.Directory {
	t.Helper()
	d, err := open(directory.Settings{
		Secrets:   map[string][]byte{"appKey": []byte("k"), "appSecret": []byte("s")},
		HTTP:      &http.Client{Transport: c},
		Throttled: func(string, time.Duration) {}, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestListing(t *testing.T) {
	l, err := small().open(t).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const base = directory.FieldName | directory.FieldNumber | directory.FieldTelephone | directory.FieldTitle |
		directory.FieldHireDate | directory.FieldDepartments | directory.FieldDepartmentOrder | directory.FieldLeads |
		directory.FieldEmail | directory.FieldWorkplace | directory.FieldAttributes // b shows that they can be read
	const known = directory.DepartmentName | directory.DepartmentParent | directory.DepartmentManagers
	want := &directory.Listing{
		Departments: []directory.Department{
			{Set: known, ID: "1", Name: "公司"},
			{Set: known, ID: "100", Name: "研发部", Parent: "1", Managers: []string{"a"}},
			{Set: known, ID: "200", Name: "市场部", Parent: "1"},
			{Set: known, ID: "101", Name: "一组", Parent: "100"},
		},
		Accounts: []directory.Account{
			{ID: "a", Type: directory.Ordinary, State: directory.Active, Profile: directory.Profile{
				Set: base, Name: "甲", Memberships: []directory.Membership{
					{Department: "100", Order: 5, Leader: true}, {Department: "200", Order: 9},
				},
			}},
			{ID: "b", Type: directory.Ordinary, State: directory.Active, Profile: directory.Profile{
				Set: base, Name: "乙", Email: "b@example.com", Memberships: []directory.Membership{{Department: "100"}},
			}},
			{ID: "c", Type: directory.Enterprise, State: directory.Frozen, Profile: directory.Profile{
				Set: base, Name: "丙", Memberships: []directory.Membership{{Department: "101"}},
			}},
		},
	}
	if !reflect.DeepEqual(l, want) {
		t.Errorf("got  %+v\nwant %+v", l, want)
	}
}

// P5: what a listing does not prove, it says.
func TestP5GapsAreSaid(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*company)
		gaps []string
	}{
		{"more people than seen", func(c *company) { c.count = `{"errcode":0,"result":{"count":4}}` },
			[]string{"DingTalk counts 4 people, and 3 were listed"}},
		{"fewer people than seen", func(c *company) { c.count = `{"errcode":0,"result":{"count":2}}` },
			[]string{"DingTalk counts 2 people, and 3 were listed"}},
		{"narrow scope", func(c *company) { c.scopes = `{"errcode":0,"auth_org_scopes":{"authed_dept":[100]}}` }, []string{narrowScope}},
		{"hidden department", func(c *company) { c.pages[101] = []string{`{"errcode":50004}`} }, []string{
			"department 101 is outside the address-book scope of the app", "DingTalk counts 3 people, and 2 were listed"}},
		{"removed department", func(c *company) { c.children[101] = `{"errcode":60003}` }, []string{
			"department 101 was removed while it was read", "DingTalk counts 3 people, and 2 were listed"}},
		{"department out of reach", func(c *company) {
			c.pages[101] = []string{`{"list":[{"userid":"c","name":"丙","dept_id_list":[101,300]}]}`}
		}, []string{"department 300 has people and was not reached"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			company := small()
			c.edit(&company)
			l, err := company.open(t).List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(l.Gaps, c.gaps) {
				t.Errorf("gaps are %q, want %q", l.Gaps, c.gaps)
			}
			for _, a := range l.Accounts {
				whole := directory.FieldLeads | directory.FieldDepartmentOrder
				if in := a.Profile.Memberships; len(in) > 0 && in[len(in)-1].Department == "300" && a.Profile.Set&whole != 0 {
					t.Errorf("%s: order and leading are claimed to be known", a.ID)
				}
			}
		})
	}
}

func TestP5ListingsThatAreNone(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(*company)
		class directory.Class
	}{
		{"nobody", func(c *company) { c.pages = nil }, directory.Unavailable},
		{"no count", func(c *company) { c.count = `{"errcode":0,"result":{}}` }, directory.Unavailable},
		{"no scopes", func(c *company) { c.scopes = `{"errcode":0}` }, directory.Unavailable},
		{"no result", func(c *company) { c.children[100] = `{"errcode":0}` }, directory.Unavailable},
		{"no next page", func(c *company) { c.pages[101] = []string{`{"has_more":true,"list":[]}`} }, directory.Unavailable},
		{"the same page for ever", func(c *company) { c.pages[101] = []string{`{"has_more":true,"next_cursor":0,"list":[]}`} }, directory.Unavailable},
		{"a person without an id", func(c *company) { c.pages[101] = []string{`{"list":[{"name":"丙"}]}`} }, directory.Unavailable},
		{"a department without an id", func(c *company) { c.children[101] = `[{"name":"无"}]` }, directory.Unavailable},
		{"the root is hidden", func(c *company) { c.pages[1] = []string{`{"errcode":50004}`} }, directory.PermissionDenied},
		{"no permission", func(c *company) { c.pages[101] = []string{`{"errcode":88,"sub_code":"60011"}`} }, directory.PermissionDenied},
		{"too fast", func(c *company) { c.pages[101] = []string{`{"errcode":90018}`} }, directory.RateLimited},
	} {
		t.Run(c.name, func(t *testing.T) {
			company := small()
			c.edit(&company)
			l, err := company.open(t).List(t.Context())
			if l != nil || directory.ClassOf(err) != c.class {
				t.Errorf("got %v, %v, want class %s", l, err, c.class)
			}
		})
	}
}

func TestDepartmentsInACircle(t *testing.T) {
	c := small()
	c.children[101] = `[{"dept_id":100,"name":"研发部","parent_id":101},{"dept_id":1,"name":"公司"}]`
	l, err := c.open(t).List(t.Context())
	if err != nil || len(l.Departments) != 4 {
		t.Errorf("got %+v, %v", l, err)
	}
}

// The samples of the pages print everything as text, and one person in place of a list.
func TestListingAsThePagesPrintIt(t *testing.T) {
	s, d := newStub(t)
	s.on(&opUsers, recorded(t, "page-user-list"))
	users, err := d.wire.usersOf(t.Context(), 2)
	if err != nil || len(users) != 1 || users[0].UserID != "zhangsan" || users[0].Order != 1 || users[0].Leader != true ||
		!reflect.DeepEqual(users[0].Departments, many[integer]{2}) {
		t.Errorf("got %+v, %v", users, err)
	}
}

func TestCheckSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(*company)
		class directory.Class
		words string
	}{
		{"all is well", func(*company) {}, "", ""},
		{"narrow scope", func(c *company) { c.scopes = `{"errcode":0,"auth_org_scopes":{"authed_dept":[]}}` }, directory.PermissionDenied, "全部员工"},
		{"disabled", func(c *company) { c.scopes = `{"errcode":50003}` }, directory.PermissionDenied, "disabled"},
	} {
		company := small()
		c.edit(&company)
		err := company.open(t).Check(t.Context())
		if directory.ClassOf(err) != c.class || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: got %v, want class %q and the words %q", c.name, err, c.class, c.words)
		}
	}
}

func TestInParallel(t *testing.T) {
	boom := errors.New("boom")
	for range 50 {
		err := inParallel(t.Context(), 20, func(ctx context.Context, i int) error {
			if i == 3 {
				return boom
			}
			if i > 10 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		if !errors.Is(err, boom) {
			t.Fatalf("got %v, want the first error", err)
		}
	}
	done := make([]bool, 20)
	if err := inParallel(t.Context(), len(done), func(_ context.Context, i int) error { done[i] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for i, d := range done {
		if !d {
			t.Errorf("%d was left out", i)
		}
	}
}
