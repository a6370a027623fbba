package wecom

import (
	"encoding/json"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

func TestAccountFromWire(t *testing.T) {
	body := "user_get.json"
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"user/get": func(*http.Request, map[string]any) string { return recorded(t, body) },
	})
	d := s.open(true)
	want := directory.Account{ID: "zhangsan", Type: directory.Ordinary, State: directory.Active, Profile: directory.Profile{
		Set:  directory.AllFields &^ directory.FieldHireDate,
		Name: "张三", Number: "E001", Mobile: "+86-13800000000", Title: "工程师",
		Memberships: []directory.Membership{{Department: "1", Order: 1, Leader: true}, {Department: "2", Order: 2}},
		Primary:     "1", Manager: "lisi", Attributes: map[string]string{"爱好": "旅游"},
	}}
	if got, err := d.Account(t.Context(), "zhangsan"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	body = "user_get_hidden.json"
	want = directory.Account{ID: "ZhangSan", Type: directory.Ordinary, State: directory.Frozen, Profile: directory.Profile{
		Set:  directory.AllFields &^ (directory.FieldHireDate | sensitive),
		Name: "张三", Telephone: "020-123456", Attributes: map[string]string{},
		Memberships: []directory.Membership{{Department: "2", Order: math.MaxUint32}}, Primary: "2",
	}}
	if got, err := d.Account(t.Context(), "zhangsan"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("hidden fields: got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestStatus(t *testing.T) {
	d := &Directory{}
	for status, want := range map[int]struct {
		state directory.State
		class directory.Class
	}{
		1: {state: directory.Active}, 2: {state: directory.Frozen}, 4: {state: directory.Active},
		5: {class: directory.NotFound}, 0: {class: directory.Unavailable}, 7: {class: directory.Unavailable},
	} {
		a, err := d.account("user/get", &user{UserID: "x", Status: status})
		if a.State != want.state || directory.ClassOf(err) != want.class {
			t.Errorf("status %d: %q, %v; want %q, %q", status, a.State, err, want.state, want.class)
		}
	}
}

func TestListsOfUnequalLengthAreUnreadable(t *testing.T) {
	var p directory.Profile
	memberships(&user{Department: []int64{1, 2, 1}, Order: []int64{5}, Leads: nil}, &p)
	if p.Set != directory.FieldDepartments || len(p.Memberships) != 2 || p.Memberships[0].Order != 0 {
		t.Errorf("got %s %+v, want two departments and nothing else", p.Set, p.Memberships)
	}
}

// capture answers with body and keeps the request.
func capture(into *map[string]any, body string) func(*http.Request, map[string]any) string {
	return func(_ *http.Request, got map[string]any) string {
		*into = got
		return body
	}
}

func sameJSON(t *testing.T, got map[string]any, want string) {
	t.Helper()
	var w map[string]any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, w) {
		b, _ := json.Marshal(got)
		t.Errorf("sent\n%s\nwant\n%s", b, want)
	}
}

func TestCreateOnTheWire(t *testing.T) {
	var sent map[string]any
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"user/create": capture(&sent, `{"errcode":0,"errmsg":"created"}`),
	})
	state, err := s.open(true).CreateAccount(t.Context(), "E001", directory.Ordinary, directory.Profile{
		Set:  directory.AllFields &^ directory.FieldHireDate,
		Name: "张三", Number: "E001", Mobile: "+86-13800001234", Email: "z@example.com", Telephone: "020-1", Title: "工程师",
		Workplace: "上海", Memberships: []directory.Membership{{Department: "2", Order: 7}, {Department: "3", Leader: true}},
		Primary: "3", Manager: "lisi", Attributes: map[string]string{"爱好": "旅游", "尺码": "M"},
	})
	if err != nil || state != directory.Active {
		t.Errorf("got %q, %v", state, err)
	}
	sameJSON(t, sent, `{"userid":"E001","name":"张三","mobile":"13800001234","email":"z@example.com","telephone":"020-1",
		"position":"工程师","address":"上海","department":[2,3],"order":[7,0],"is_leader_in_dept":[0,1],"main_department":3,
		"direct_leader":["lisi"],"to_invite":true,"extattr":{"attrs":[
		{"type":0,"name":"尺码","text":{"value":"M"}},{"type":0,"name":"工号","text":{"value":"E001"}},
		{"type":0,"name":"爱好","text":{"value":"旅游"}}]}}`)
}

func TestUpdateOnTheWire(t *testing.T) {
	for name, c := range map[string]struct {
		change directory.Profile
		want   string
	}{
		"one field": {
			directory.Profile{Set: directory.FieldTitle, Title: "总监", Name: "undeclared"},
			`{"userid":"zhangsan","position":"总监"}`,
		},
		"an empty field and no manager": {
			directory.Profile{Set: directory.FieldTelephone | directory.FieldManager},
			`{"userid":"zhangsan","telephone":"","direct_leader":[]}`,
		},
		"one attribute among others": {
			directory.Profile{Set: directory.FieldAttributes, Attributes: map[string]string{"爱好": "", "主页": "不是链接"}},
			`{"userid":"zhangsan","extattr":{"attrs":[{"type":0,"name":"工号","text":{"value":"E001"}},
			{"type":0,"name":"爱好","text":{"value":""}},{"type":1,"name":"主页","web":{"url":"https://example.com","title":"主页"}},
			{"type":0,"name":"主页","text":{"value":"不是链接"}}]}}`,
		},
		"a move keeps order and leading where it stays": {
			directory.Profile{Set: directory.FieldDepartments, Memberships: []directory.Membership{{Department: "9"}, {Department: "1", Order: 99}}},
			`{"userid":"zhangsan","department":[9,1],"order":[0,1],"is_leader_in_dept":[0,1]}`,
		},
		"order keeps departments and leading": {
			directory.Profile{Set: directory.FieldDepartmentOrder, Memberships: []directory.Membership{{Department: "2", Order: 50, Leader: true}, {Department: "1"}}},
			`{"userid":"zhangsan","department":[1,2],"order":[1,50],"is_leader_in_dept":[1,0]}`,
		},
		"leading keeps departments and order": {
			directory.Profile{Set: directory.FieldLeads, Memberships: []directory.Membership{{Department: "2", Leader: true}}},
			`{"userid":"zhangsan","department":[1,2],"order":[1,2],"is_leader_in_dept":[1,1]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var sent map[string]any
			s := newStub(t, map[string]func(*http.Request, map[string]any) string{
				"user/get":    answer(recorded(t, "user_get.json")),
				"user/update": capture(&sent, `{"errcode":0,"errmsg":"updated"}`),
			})
			if err := s.open(true).UpdateAccount(t.Context(), "zhangsan", c.change); err != nil {
				t.Fatal(err)
			}
			sameJSON(t, sent, c.want)
			if plain := c.change.Set&needsReading == 0; plain != (s.count("user/get") == 0) {
				t.Errorf("writing %s read the user %d times", c.change.Set, s.count("user/get"))
			}
		})
	}
}

func TestWritesThatAreNeverSent(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{"user/get": answer(recorded(t, "user_get.json"))})
	d := s.open(true)
	in := func(m ...directory.Membership) directory.Profile {
		return directory.Profile{Set: memberFields, Memberships: m}
	}
	for name, p := range map[string]directory.Profile{
		"no department":           in(),
		"a name for an id":        in(directory.Membership{Department: "研发"}),
		"zero":                    in(directory.Membership{Department: "0"}),
		"a padded id":             in(directory.Membership{Department: "02"}),
		"more than 32 bits":       in(directory.Membership{Department: "2147483648"}),
		"a negative order":        in(directory.Membership{Department: "2", Order: -1}),
		"an order of 2^32":        in(directory.Membership{Department: "2", Order: 1 << 32}),
		"a primary that is no id": {Set: directory.FieldPrimaryDepartment, Primary: ""},
	} {
		refused(t, d.UpdateAccount(t.Context(), "zhangsan", p), directory.Invalid)
		_, err := d.CreateAccount(t.Context(), "zhangsan", directory.Ordinary, p)
		refused(t, err, directory.Invalid)
		if n := s.count("user/update") + s.count("user/create"); n != 0 {
			t.Errorf("%s: sent", name)
		}
	}
	_, err := d.CreateAccount(t.Context(), "x", directory.Enterprise, directory.Profile{})
	refused(t, err, directory.NotSupported)
	if err := d.UpdateAccount(t.Context(), "zhangsan", directory.Profile{}); err != nil || s.count("user/update") != 0 {
		t.Errorf("an update of nothing: %v, sent %d times", err, s.count("user/update"))
	}
}

func TestWhoHasLeftIsNotUpdated(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"user/get": answer(strings.Replace(recorded(t, "user_get.json"), `"status":1`, `"status":5`, 1)),
	})
	err := s.open(true).UpdateAccount(t.Context(), "zhangsan", directory.Profile{Set: directory.FieldNumber, Number: "E2"})
	refused(t, err, directory.NotFound)
}

func TestMadeUpDepartmentsAreAnError(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"user/create": answer(recorded(t, "user_create_madeup.json")),
		"user/update": answer(strings.Replace(recorded(t, "user_create_madeup.json"), "created", "updated", 1)),
		"user/get":    answer(recorded(t, "user_get.json")),
	})
	d := s.open(true)
	p := directory.Profile{Set: directory.FieldDepartments, Memberships: []directory.Membership{{Department: "123"}}}
	_, err := d.CreateAccount(t.Context(), "x", directory.Ordinary, p)
	refused(t, err, directory.Invalid, "123", "was written")
	refused(t, d.UpdateAccount(t.Context(), "zhangsan", p), directory.Invalid, "123")
}

func TestWarningIsAnError(t *testing.T) {
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{"user/create": answer(recorded(t, "user_create_warning.json"))})
	_, err := s.open(true).CreateAccount(t.Context(), "x", directory.Ordinary, directory.Profile{Set: directory.FieldName, Name: "张三"})
	refused(t, err, directory.Invalid, "ignored")
}

func TestDepartmentsOnTheWire(t *testing.T) {
	var sent map[string]any
	s := newStub(t, map[string]func(*http.Request, map[string]any) string{
		"department/create": capture(&sent, `{"errcode":0,"errmsg":"created","id":77}`),
		"department/update": capture(&sent, `{"errcode":0,"errmsg":"updated"}`),
	})
	d := s.open(true)
	all := d.Capabilities().DepartmentWrites
	id, err := d.CreateDepartment(t.Context(), directory.Department{ID: "77", Set: all, Name: "研发部", Parent: "2", Order: 3})
	if err != nil || id != "77" {
		t.Errorf("got %q, %v", id, err)
	}
	sameJSON(t, sent, `{"id":77,"name":"研发部","parentid":2,"order":4294967292}`)
	if _, err := d.CreateDepartment(t.Context(), directory.Department{Set: directory.DepartmentName, Name: "财务部"}); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, sent, `{"name":"财务部","parentid":1}`)
	root := directory.Department{ID: "1", Set: directory.DepartmentName | directory.DepartmentParent, Name: "示例公司"}
	if err := d.UpdateDepartment(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, sent, `{"id":1,"name":"示例公司"}`)
	sent = nil
	if err := d.UpdateDepartment(t.Context(), directory.Department{ID: "1", Set: directory.DepartmentParent}); err != nil || sent != nil {
		t.Errorf("a root without change: %v, sent %v", err, sent)
	}
	for _, bad := range []directory.Department{
		{ID: "x", Set: directory.DepartmentName}, {ID: "2", Set: directory.DepartmentParent, Parent: ""},
		{ID: "2", Set: directory.DepartmentOrder, Order: -1}, {ID: "2", Set: directory.DepartmentOrder, Order: 1 << 32},
	} {
		refused(t, d.UpdateDepartment(t.Context(), bad), directory.Invalid)
	}
	_, err = d.Department(t.Context(), "x")
	refused(t, err, directory.Invalid)
}

func TestDepartmentOrderGoesThereAndBack(t *testing.T) {
	for _, order := range []int64{0, 1, 10, 100000000, math.MaxUint32} {
		wire := turnOrder(order)
		if wire < 0 || wire > math.MaxUint32 || turnOrder(wire) != order {
			t.Errorf("%d goes to %d and comes back as %d", order, wire, turnOrder(wire))
		}
	}
	if turnOrder(1) <= turnOrder(2) {
		t.Error("the smaller of ours must be the bigger of theirs")
	}
}

func TestMobile(t *testing.T) {
	for _, c := range []struct{ ours, wire string }{
		{"+86-13800001234", "13800001234"}, {"+852-51234567", "+85251234567"}, {"+1-2025550123", "+12025550123"},
		{"+44-7700900123", "+447700900123"}, {"", ""},
	} {
		if got := mobileToWire(c.ours); got != c.wire {
			t.Errorf("mobileToWire(%q) = %q, want %q", c.ours, got, c.wire)
		}
		if got := mobileFromWire(c.wire); got != c.ours {
			t.Errorf("mobileFromWire(%q) = %q, want %q", c.wire, got, c.ours)
		}
	}
	for wire, ours := range map[string]string{
		"+8613800001234": "+86-13800001234", "+86-13800001234": "+86-13800001234", "+852-51234567": "+852-51234567",
		"+": "+", "+8": "+8", "+852": "+852",
	} {
		if got := mobileFromWire(wire); got != ours {
			t.Errorf("mobileFromWire(%q) = %q, want %q", wire, got, ours)
		}
	}
}
