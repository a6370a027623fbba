package dingtalk

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

// newcomer is the least that a new ordinary account needs.
func newcomer() directory.Profile {
	return directory.Profile{
		Set:  directory.FieldName | directory.FieldMobile | directory.FieldDepartments,
		Name: "苏小雨", Mobile: "+86-13800001234", Memberships: []directory.Membership{{Department: "100"}},
	}
}

const seen = directory.FieldName | directory.FieldNumber | directory.FieldMobile | directory.FieldEmail |
	directory.FieldTelephone | directory.FieldTitle | directory.FieldWorkplace | directory.FieldHireDate |
	directory.FieldDepartments | directory.FieldDepartmentOrder | directory.FieldLeads | directory.FieldManager |
	directory.FieldAttributes

func TestReadsAccount(t *testing.T) {
	for _, c := range []struct {
		file, id string
		want     directory.Account
	}{
		{"user-get", "RD20240007", directory.Account{
			ID: "RD20240007", Type: directory.Ordinary, State: directory.Active,
			Profile: directory.Profile{
				Set: seen, Name: "苏小雨", Number: "RD20240007", Mobile: "+86-13800001234", Email: "su.xiaoyu@example.com",
				Telephone: "8007", Title: "高级工程师", Workplace: "杭州", HireDate: "2024-03-01", Manager: "RD20200001",
				Memberships: []directory.Membership{
					{Department: "1", Order: 7}, {Department: "100", Order: 176381223440512, Leader: true},
				},
				Attributes: map[string]string{"职级": "P6", "工龄": "3"},
			},
		}},
		{"page-user-get", "zhangsan", directory.Account{
			ID: "zhangsan", Type: directory.Enterprise, State: directory.Frozen,
			Profile: directory.Profile{
				Set: seen, Name: "张三", Number: "4", Mobile: "+852-51234567", Email: "test@example.com",
				Telephone: "010-86123456-2345", Title: "技术总监", Workplace: "未来park", HireDate: "2020-08-16", Manager: "manager240",
				Memberships: []directory.Membership{
					{Department: "2", Order: 1, Leader: true}, {Department: "3"}, {Department: "4"},
				},
				Attributes: map[string]string{"爱好": "旅游", "年龄": "24"},
			},
		}},
	} {
		s, d := newStub(t)
		s.on(&opUser, recorded(t, c.file))
		got, err := d.Account(t.Context(), c.id)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", c.file, err, got, c.want)
		}
	}
}

// What may be hidden is not taken for empty.
func TestHiddenFieldsAreUnseen(t *testing.T) {
	const personal = directory.FieldEmail | directory.FieldWorkplace | directory.FieldAttributes
	plain := map[string]any{"userid": "a", "name": "甲", "dept_id_list": []int{1}}
	with := func(key string, value any) map[string]any {
		m := map[string]any{key: value}
		for k, v := range plain {
			m[k] = v
		}
		return m
	}
	for _, c := range []struct {
		name string
		user map[string]any
		want directory.Fields
	}{
		{"nothing shows", plain, 0},
		{"mobile", with("mobile", "13800001234"), directory.FieldMobile},
		{"one personal field proves the others", with("remark", ""), personal},
		{"attributes that are no object", with("extension", "[1]"), personal &^ directory.FieldAttributes},
	} {
		s, d := newStub(t)
		s.on(&opUser, fine(c.user))
		a, err := d.Account(t.Context(), "a")
		if got := a.Profile.Set & (personal | directory.FieldMobile); err != nil || got != c.want {
			t.Errorf("%s: read %s, %v, want %s", c.name, got, err, c.want)
		}
	}

	s, d := newStub(t)
	s.on(&opScopes, jsonAnswer(map[string]any{
		"errcode": 0, "auth_user_field": []string{"name", "email"}, "auth_org_scopes": map[string]any{"authed_dept": []int{1}},
	}))
	s.on(&opDepartment, fine(map[string]any{"dept_id": 1, "name": "公司"}))
	s.on(&opUser, fine(plain))
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, err := d.Account(t.Context(), "a"); err != nil || !a.Profile.Set.Has(personal) {
		t.Errorf("the scopes name the fields, and %s is read: %v", a.Profile.Set, err)
	}
}

func TestMobileForms(t *testing.T) {
	for _, c := range []struct{ full, wire, country, number string }{
		{"+86-13800001234", "13800001234", "86", "13800001234"},
		{"+852-51234567", "+852-51234567", "852", "51234567"},
		{"+852-51234567", "+852-51234567", "852", "852-51234567"},
		{"+1-2025550100", "+1-2025550100", "+1", "2025550100"},
		{"+1-2025550100", "+1-2025550100", "1", "+1-2025550100"},
		{"13800001234", "13800001234", "", "13800001234"},
	} {
		if got := wireMobile(c.full); got != c.wire {
			t.Errorf("wireMobile(%s) = %s, want %s", c.full, got, c.wire)
		}
		if got := fullMobile(c.country, c.number); got != c.full {
			t.Errorf("fullMobile(%s, %s) = %s, want %s", c.country, c.number, got, c.full)
		}
	}
}

func TestWritesAccount(t *testing.T) {
	everything := directory.Profile{
		Set: writes | creates, Name: "苏小雨", Number: "007", Mobile: "+852-51234567", Email: "su@example.com",
		Telephone: "8007", Title: "工程师", Workplace: "杭州", HireDate: "2024-03-01", Manager: "boss",
		Memberships: []directory.Membership{{Department: "100", Order: 9}, {Department: "1"}},
		Attributes:  map[string]string{"职级": "P6"},
	}
	nothing := directory.Profile{Set: writes &^ (directory.FieldHireDate | directory.FieldDepartments | directory.FieldName)}
	change := everything
	change.Set = writes
	for _, c := range []struct {
		name string
		do   func(*Directory) error
		op   *operation
		want string
	}{
		{"creation", func(d *Directory) error {
			_, err := d.CreateAccount(t.Context(), "E1", directory.Ordinary, everything)
			return err
		}, &opCreateUser, `{"userid":"E1","name":"苏小雨","job_number":"007","mobile":"+852-51234567","email":"su@example.com",
			"telephone":"8007","title":"工程师","work_place":"杭州","hired_date":1709222400000,"manager_userid":"boss",
			"dept_id_list":"100,1","dept_order_list":[{"dept_id":100,"order":9}],"extension":"{\"职级\":\"P6\"}"}`},
		{"creation of an enterprise account", func(d *Directory) error {
			_, err := d.CreateAccount(t.Context(), "E1", directory.Enterprise, newcomer())
			return err
		}, &opCreateUser, `{"userid":"E1","name":"苏小雨","dept_id_list":"100","exclusive_account":true,
			"exclusive_account_type":"sso","exclusive_mobile":"+86-13800001234"}`},
		{"creation leaves out what is empty", func(d *Directory) error {
			p := newcomer()
			p.Set = writes | creates
			_, err := d.CreateAccount(t.Context(), "E1", directory.Ordinary, p)
			return err
		}, &opCreateUser, `{"userid":"E1","name":"苏小雨","dept_id_list":"100","mobile":"13800001234"}`},
		{"update", func(d *Directory) error {
			return d.UpdateAccount(t.Context(), "E1", change)
		}, &opUpdateUser, `{"userid":"E1","name":"苏小雨","job_number":"007","email":"su@example.com",
			"telephone":"8007","title":"工程师","work_place":"杭州","hired_date":1709222400000,"manager_userid":"boss",
			"dept_id_list":"100,1","dept_order_list":[{"dept_id":100,"order":9}],"extension":"{\"职级\":\"P6\"}","ext_attrs_update_mode":1}`},
		{"update clears", func(d *Directory) error {
			return d.UpdateAccount(t.Context(), "E1", nothing)
		}, &opUpdateUser, `{"userid":"E1","job_number":"","email":"","telephone":"","title":"","work_place":"",
			"manager_userid":"","force_update_fields":"manager_userid"}`},
		{"update of one field", func(d *Directory) error {
			return d.UpdateAccount(t.Context(), "E1", directory.Profile{Set: directory.FieldTitle, Title: "总监", Name: "不写"})
		}, &opUpdateUser, `{"userid":"E1","title":"总监"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := newStub(t)
			s.on(c.op, jsonAnswer(map[string]any{"errcode": 0}))
			if err := c.do(d); err != nil {
				t.Fatal(err)
			}
			sameJSON(t, s.calls(c.op)[0].body, c.want)
		})
	}
}

func sameJSON(t *testing.T, got map[string]any, want string) {
	t.Helper()
	var w map[string]any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, w) {
		g, _ := json.Marshal(got)
		t.Errorf("sent %s\nwant %s", g, want)
	}
}

// What cannot be done is refused before anything is sent.
func TestRefusedEarly(t *testing.T) {
	profile := func(set directory.Fields, edit func(*directory.Profile)) directory.Profile {
		p := newcomer()
		p.Set |= set
		if edit != nil {
			edit(&p)
		}
		return p
	}
	dept := func(set directory.DepartmentFields, d directory.Department) directory.Department {
		d.Set |= set
		return d
	}
	const identity = directory.DepartmentName | directory.DepartmentParent
	for name, c := range map[string]struct {
		do    func(*Directory) error
		class directory.Class
	}{
		"mobile of somebody who exists":   {update(profile(0, nil)), directory.NotSupported},
		"primary department":              {update(directory.Profile{Set: directory.FieldPrimaryDepartment}), directory.NotSupported},
		"leading":                         {create(profile(directory.FieldLeads, nil)), directory.NotSupported},
		"clearing a hire date":            {update(directory.Profile{Set: directory.FieldHireDate}), directory.NotSupported},
		"no hire date":                    {create(profile(directory.FieldHireDate, func(p *directory.Profile) { p.HireDate = "1.3.2024" })), directory.Invalid},
		"no mobile":                       {create(profile(0, func(p *directory.Profile) { p.Mobile = "" })), directory.Invalid},
		"no name":                         {create(profile(0, func(p *directory.Profile) { p.Name = "" })), directory.Invalid},
		"no department":                   {create(profile(0, func(p *directory.Profile) { p.Memberships = nil })), directory.Invalid},
		"leaving every department":        {update(directory.Profile{Set: directory.FieldDepartments}), directory.Invalid},
		"department that is no number":    {create(profile(0, func(p *directory.Profile) { p.Memberships[0].Department = "研发" })), directory.Invalid},
		"name with a dash":                {createDept(dept(identity, directory.Department{Name: "研发-一部", Parent: "1"})), directory.Invalid},
		"name with a comma":               {createDept(dept(identity, directory.Department{Name: "研发,一部", Parent: "1"})), directory.Invalid},
		"name with a wide comma":          {createDept(dept(identity, directory.Department{Name: "研发，一部", Parent: "1"})), directory.Invalid},
		"no department name":              {createDept(dept(identity, directory.Department{Parent: "1"})), directory.Invalid},
		"no parent":                       {createDept(dept(directory.DepartmentName, directory.Department{Name: "研发部"})), directory.Invalid},
		"managers of a new department":    {createDept(dept(identity|directory.DepartmentManagers, directory.Department{Name: "研发部", Parent: "1", Managers: []string{"a"}})), directory.NotSupported},
		"department id that is no number": {func(d *Directory) error { _, err := d.Department(t.Context(), "x"); return err }, directory.Invalid},
		"update of such":                  {updateDept(dept(directory.DepartmentOrder, directory.Department{ID: "x", Order: 1})), directory.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := newStub(t)
			if err := c.do(d); directory.ClassOf(err) != c.class {
				t.Errorf("got %v, want class %s", err, c.class)
			}
			if len(s.seen) != 0 {
				t.Errorf("%d calls were made", len(s.seen))
			}
		})
	}
}

func update(p directory.Profile) func(*Directory) error {
	return func(d *Directory) error { return d.UpdateAccount(context.Background(), "E1", p) }
}

func create(p directory.Profile) func(*Directory) error {
	return func(d *Directory) error {
		_, err := d.CreateAccount(context.Background(), "E1", directory.Ordinary, p)
		return err
	}
}

func createDept(w directory.Department) func(*Directory) error {
	return func(d *Directory) error { _, err := d.CreateDepartment(context.Background(), w); return err }
}

func updateDept(w directory.Department) func(*Directory) error {
	return func(d *Directory) error { return d.UpdateDepartment(context.Background(), w) }
}

func TestNothingToWriteIsNotWritten(t *testing.T) {
	s, d := newStub(t)
	for _, p := range []directory.Profile{
		{}, {Set: directory.FieldAttributes}, {Set: directory.FieldDepartmentOrder, Memberships: []directory.Membership{{Department: "1"}}},
	} {
		if err := d.UpdateAccount(t.Context(), "E1", p); err != nil {
			t.Error(err)
		}
	}
	if err := d.UpdateDepartment(t.Context(), directory.Department{ID: "2"}); err != nil || len(s.seen) != 0 {
		t.Errorf("%v after %d calls", err, len(s.seen))
	}
}

func TestDepartments(t *testing.T) {
	s, d := newStub(t)
	s.on(&opDepartment, recorded(t, "department-get"))
	got, err := d.Department(t.Context(), "100")
	want := directory.Department{
		Set: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder |
			directory.DepartmentManagers | directory.DepartmentKey,
		ID: "100", Name: "研发部", Parent: "1", Order: 30, Managers: []string{"a", "b"}, Key: "acme/research",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
	_, err = d.Department(t.Context(), "101")
	isError(t, err, directory.Unavailable, "")

	s.on(&opCreateDepartment, fine(map[string]any{"dept_id": 101}))
	w := directory.Department{
		Set:  directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder | directory.DepartmentKey,
		Name: "研发部", Parent: "1", Order: 30, Key: "acme/research",
	}
	if id, err := d.CreateDepartment(t.Context(), w); err != nil || id != "101" {
		t.Errorf("created %q, %v", id, err)
	}
	sameJSON(t, s.calls(&opCreateDepartment)[0].body, `{"name":"研发部","parent_id":1,"order":30,"source_identifier":"acme/research"}`)

	s.on(&opUpdateDepartment, jsonAnswer(map[string]any{"errcode": 0}))
	for managers, body := range map[string]string{
		"a,b": `{"dept_id":101,"dept_manager_userid_list":"a,b"}`,
		"":    `{"dept_id":101,"dept_manager_userid_list":"","force_update_fields":"dept_manager_userid_list"}`,
	} {
		w := directory.Department{ID: "101", Set: directory.DepartmentManagers}
		if managers != "" {
			w.Managers = []string{"a", "b"}
		}
		if err := d.UpdateDepartment(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		calls := s.calls(&opUpdateDepartment)
		sameJSON(t, calls[len(calls)-1].body, body)
	}
}

func TestAccountID(t *testing.T) {
	for number, ok := range map[string]bool{
		"RD20240007": true, "007": true, "工号7": true, "a.b_c-d@e": true,
		"": false, "a,b": false, "a b": false, "a\tb": false, "a\u200bb": false, "\xff": false,
		"0123456789012345678901234567890123456789012345678901234567890123":  true,
		"01234567890123456789012345678901234567890123456789012345678901234": false,
	} {
		id, err := Descriptor().AccountID(number)
		if ok && (err != nil || id != number) || !ok && directory.ClassOf(err) != directory.Invalid {
			t.Errorf("AccountID(%q) = %q, %v", number, id, err)
		}
	}
}
