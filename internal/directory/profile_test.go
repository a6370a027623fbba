package directory_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// whole has a value in every field.
func whole() directory.Profile {
	return directory.Profile{
		Set: directory.AllFields, Name: "柳如烟", Number: "E0001", Mobile: "+86-13800550001", Email: "liu@example.com",
		Telephone: "010-80000001", Title: "工程师", Workplace: "上海", HireDate: "2024-03-01",
		Memberships: []directory.Membership{{Department: "7", Order: 3, Leader: true}, {Department: "8", Order: 4}},
		Primary:     "7", Manager: "E0009", Attributes: map[string]string{"工位": "3-17", "班次": "早"},
	}
}

func TestDiffer(t *testing.T) {
	for name, c := range map[string]struct {
		want, have     func(*directory.Profile)
		differ, unseen directory.Fields
	}{
		"nothing":                      {},
		"name":                         {have: func(p *directory.Profile) { p.Name = "赵敏" }, differ: directory.FieldName},
		"number":                       {have: func(p *directory.Profile) { p.Number = "E0002" }, differ: directory.FieldNumber},
		"mobile":                       {have: func(p *directory.Profile) { p.Mobile = "+86-13800550002" }, differ: directory.FieldMobile},
		"mobile, written otherwise":    {have: func(p *directory.Profile) { p.Mobile = "13800550001" }},
		"email":                        {have: func(p *directory.Profile) { p.Email = "zhao@example.com" }, differ: directory.FieldEmail},
		"email, in another case":       {have: func(p *directory.Profile) { p.Email = "Liu@Example.com" }},
		"telephone":                    {have: func(p *directory.Profile) { p.Telephone = "" }, differ: directory.FieldTelephone},
		"title":                        {have: func(p *directory.Profile) { p.Title = "经理" }, differ: directory.FieldTitle},
		"workplace":                    {have: func(p *directory.Profile) { p.Workplace = "北京" }, differ: directory.FieldWorkplace},
		"hire date":                    {have: func(p *directory.Profile) { p.HireDate = "2024-03-02" }, differ: directory.FieldHireDate},
		"primary":                      {have: func(p *directory.Profile) { p.Primary = "8" }, differ: directory.FieldPrimaryDepartment},
		"manager":                      {have: func(p *directory.Profile) { p.Manager = "" }, differ: directory.FieldManager},
		"manager, in another case":     {have: func(p *directory.Profile) { p.Manager = "e0009" }},
		"departments in another order": {have: func(p *directory.Profile) { slices.Reverse(p.Memberships) }},
		"one department less": {
			have: func(p *directory.Profile) { p.Memberships = p.Memberships[:1] }, differ: directory.FieldDepartments,
		},
		"another department": {
			have: func(p *directory.Profile) { p.Memberships[1].Department = "9" }, differ: directory.FieldDepartments,
		},
		"order in a department": {
			have: func(p *directory.Profile) { p.Memberships[1].Order = 5 }, differ: directory.FieldDepartmentOrder,
		},
		"order that nobody declared": {
			want: func(p *directory.Profile) { p.Memberships[1].Order = 0 },
		},
		"leading": {have: func(p *directory.Profile) { p.Memberships[1].Leader = true }, differ: directory.FieldLeads},
		"leading what one is not in is not said twice": {
			have: func(p *directory.Profile) { p.Memberships[0].Department = "9" }, differ: directory.FieldDepartments,
		},
		"an attribute": {
			have: func(p *directory.Profile) { p.Attributes["工位"] = "" }, differ: directory.FieldAttributes,
		},
		"an attribute that nobody declared": {have: func(p *directory.Profile) { p.Attributes["血型"] = "A" }},
		"an attribute declared empty": {
			want: func(p *directory.Profile) { p.Attributes = map[string]string{"工位": ""} },
			have: func(p *directory.Profile) { p.Attributes = nil },
		},
		"what was not read is unseen": {
			have: func(p *directory.Profile) {
				p.Set, p.Mobile, p.Title = directory.AllFields&^directory.FieldMobile, "", "经理"
			},
			differ: directory.FieldTitle, unseen: directory.FieldMobile,
		},
		"what nobody declared is nothing": {
			want: func(p *directory.Profile) { p.Set = directory.FieldName },
			have: func(p *directory.Profile) { p.Title, p.Set = "经理", directory.FieldTitle|directory.FieldName },
		},
	} {
		t.Run(name, func(t *testing.T) {
			want, have := whole(), whole()
			if c.want != nil {
				c.want(&want)
			}
			if c.have != nil {
				c.have(&have)
			}
			before := want.Clone()
			differ, unseen := directory.Differ(&want, &have)
			if differ != c.differ || unseen != c.unseen {
				t.Errorf("differ {%s}, unseen {%s}; want {%s}, {%s}", differ, unseen, c.differ, c.unseen)
			}
			if !reflect.DeepEqual(want, before) {
				t.Error("the comparison changed what it compared")
			}
		})
	}
}

// TestDifferKnowsEveryField: a field added to Profile cannot be forgotten here.
func TestDifferKnowsEveryField(t *testing.T) {
	want, empty := whole(), directory.Profile{Set: directory.AllFields}
	differ, _ := directory.Differ(&want, &empty)
	// Order and leading are compared in the departments that both are in.
	if wanted := directory.AllFields &^ (directory.FieldDepartmentOrder | directory.FieldLeads); differ != wanted {
		t.Errorf("differs in {%s}, want {%s}", differ, wanted)
	}
	if fields := reflect.TypeFor[directory.Profile]().NumField(); fields != 13 {
		t.Errorf("Profile has %d fields: is the new one compared, cloned and named?", fields)
	}
}

func TestSameMobile(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"+86-13800550001", "+86-13800550001", true},
		{"+86-13800550001", "13800550001", true},
		{"+86-13800550001", "86 138-0055-0001", true},
		{"+86-13800550001", "+8613800550001", true},
		{"+86-13800550001", "+86-13800550002", false},
		{"+1-3800550001", "13800550001", false}, // the same digits, in America
		{"+852-51234567", "51234567", false},    // a number without a country is a mainland one
		{"+852-51234567", "+852 5123 4567", true},
		{"+86-13800550001", "", false},
		{"", "", true},
		{"", "号码", true},
	} {
		if directory.SameMobile(c.a, c.b) != c.same || directory.SameMobile(c.b, c.a) != c.same {
			t.Errorf("%q and %q: want same %t", c.a, c.b, c.same)
		}
	}
}

func TestFields(t *testing.T) {
	var names []string
	var union directory.Fields
	for f := range directory.AllFields.All() {
		name := f.String()
		if name == "" || directory.ParseField(name) != f || union&f != 0 {
			t.Errorf("field %b is called %q", f, name)
		}
		names = append(names, name)
		union |= f
	}
	if union != directory.AllFields || !slices.Equal(names, directory.AllFields.Names()) || strings.Join(names, ", ") != directory.AllFields.String() {
		t.Errorf("all fields are %v", names)
	}
	if directory.ParseField("salary") != 0 || directory.ParseField("") != 0 {
		t.Error("a name that is none is a field")
	}
	some := directory.FieldTitle | directory.FieldName
	if !some.Has(directory.FieldTitle) || some.Has(directory.FieldTitle|directory.FieldMobile) || some.String() != "name, title" {
		t.Errorf("%s", some)
	}
	for f := range some.All() {
		if f != directory.FieldName {
			t.Errorf("the first of {%s} is %s", some, f)
		}
		break
	}
	if beyond := directory.Fields(1 << 31); beyond.Names() != nil {
		t.Error("what is no field has a name")
	}
}

func TestProfileClone(t *testing.T) {
	p := whole()
	c := p.Clone()
	c.Memberships[0].Department, c.Attributes["工位"] = "9", "9"
	if !reflect.DeepEqual(p, whole()) {
		t.Error("a clone shares memory")
	}
}

func TestIn(t *testing.T) {
	p := whole()
	if m, in := p.In("8"); !in || m.Order != 4 {
		t.Errorf("in 8: %+v, %t", m, in)
	}
	if m, in := p.In("9"); in || m != (directory.Membership{}) {
		t.Errorf("in 9: %+v, %t", m, in)
	}
}

func TestCanFreeze(t *testing.T) {
	c := directory.Capabilities{Freezes: []directory.AccountType{directory.Enterprise}}
	if !c.CanFreeze(directory.Enterprise) || c.CanFreeze(directory.Ordinary) {
		t.Error("it freezes enterprise accounts and no others")
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("dial 13800550001: refused")
	err := &directory.Error{Class: directory.RateLimited, Operation: "user/create", Code: "45009", Message: "too many calls", RetryAfter: time.Minute, Err: cause}
	wrapped := fmt.Errorf("creating account %q: %w", "E0001", err)
	if directory.ClassOf(wrapped) != directory.RateLimited || directory.RetryAfter(wrapped) != time.Minute || !errors.Is(wrapped, cause) {
		t.Errorf("class %q, retry after %s", directory.ClassOf(wrapped), directory.RetryAfter(wrapped))
	}
	if directory.ClassOf(nil) != "" || directory.RetryAfter(nil) != 0 {
		t.Error("success has a class")
	}
	if directory.ClassOf(cause) != directory.Unavailable || directory.RetryAfter(cause) != 0 {
		t.Error("P9: what is not classified says nothing of the account")
	}
	if !directory.IsCancelled(fmt.Errorf("listing: %w", context.Canceled)) || directory.IsCancelled(context.DeadlineExceeded) || directory.IsCancelled(nil) {
		t.Error("only our own ending is a cancellation")
	}
	if got := err.Error(); got != "user/create: too many calls (RateLimited, platform code 45009)" {
		t.Errorf("P12: the cause may hold what must not be shown: %s", got)
	}
	err.Code = ""
	if got := err.Error(); got != "user/create: too many calls (RateLimited)" {
		t.Errorf("without a code: %s", got)
	}
}

func TestDepartmentFields(t *testing.T) {
	s := directory.DepartmentOrder | directory.DepartmentName
	if !s.Has(directory.DepartmentOrder) || s.Has(directory.DepartmentKey) || !slices.Equal(s.Names(), []string{"displayName", "order"}) {
		t.Errorf("%v", s.Names())
	}
}
