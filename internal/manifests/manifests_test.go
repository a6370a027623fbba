package manifests_test

import (
	"bytes"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/manifests"
)

func acme() manifests.Company {
	who := func(id, number, name, mobile, manager string, in ...directory.Membership) directory.Account {
		return directory.Account{ID: id, State: directory.Active, Type: directory.Ordinary, Profile: directory.Profile{
			Set: directory.AllFields, Number: number, Name: name, Mobile: mobile, Manager: manager, Memberships: in,
		}}
	}
	lead := directory.Membership{Department: "7", Order: 9, Leader: true}
	people := []directory.Account{
		who("u1", "A0001", "苏建华", "+86-13800000001", "", directory.Membership{Department: "1"}),
		who("u2", "A0002", "夏佳琪", "+86-13800000002", "u1", lead),
		who("u3", "A_0003", "王慧敏", "", "u2", directory.Membership{Department: "8"}, directory.Membership{Department: "7"}),
		who("u4", "工号4", "谭建国", "+86-13800000004", "", directory.Membership{Department: "8"}),
		who("u5", "A0005", "范鹏飞", "13800000005", "", directory.Membership{Department: "8"}),
	}
	people[2].Profile.Email, people[2].Profile.Primary, people[2].State = "Wang.Huimin@example.com", "8", directory.Frozen
	people[2].Profile.Attributes = map[string]string{"职级": "M5", "长": strings.Repeat("长", 65)}
	people[1].Profile.Title = " 总监"
	return manifests.Company{People: people, Departments: []directory.Department{
		{ID: "8", Name: "平台组", Parent: "7"}, {ID: "7", Name: "研发部", Parent: "1", Order: 20}, {ID: "1", Name: "公司"},
		{ID: "9", Name: "坏|名", Parent: "1"}, {ID: "10", Name: "下级", Parent: "9"},
	}}
}

// read decodes all objects strictly: an unknown field fails.
func read(t *testing.T, s *manifests.Set) (units map[string]v1alpha1.Department, people map[string]v1alpha1.Employee) {
	t.Helper()
	units, people = map[string]v1alpha1.Department{}, map[string]v1alpha1.Employee{}
	for path, text := range s.All() {
		if path == "kustomization.yaml" {
			continue
		}
		for document := range bytes.SplitSeq(text, []byte("---\n")) {
			if bytes.Contains(document, []byte("kind: Department")) {
				var d v1alpha1.Department
				if err := yaml.UnmarshalStrict(document, &d); err != nil {
					t.Fatalf("%s: %v\n%s", path, err, document)
				}
				units[d.Name] = d
				continue
			}
			var e v1alpha1.Employee
			if err := yaml.UnmarshalStrict(document, &e); err != nil {
				t.Fatalf("%s: %v\n%s", path, err, document)
			}
			people[e.Name] = e
		}
	}
	return units, people
}

func TestFor(t *testing.T) {
	s, err := manifests.For(acme(), []string{"wecom", "dingtalk"})
	if err != nil {
		t.Fatal(err)
	}
	units, people := read(t, s)
	if s.Departments != 3 || s.People != 4 || len(units) != 3 || len(people) != 4 {
		t.Errorf("%d departments, %d people, %d left out", s.Departments, s.People, s.LeftOut)
	}
	rd := units["dept-7"].Spec
	if rd.DisplayName != "研发部" || rd.Order != 20 || rd.ParentRef.Name != "" || len(rd.Managers) != 1 || rd.Managers[0].Name != "emp-a0002" {
		t.Errorf("研发部: %+v", rd)
	}
	if p := units["dept-8"].Spec.ParentRef.Name; p != "dept-7" || units["company"].Spec.Accounts[0].DepartmentID != "1" {
		t.Errorf("parent %q, company %+v", p, units["company"].Spec)
	}
	i := slices.IndexFunc(slices.Collect(keys(people)), func(n string) bool { return strings.HasPrefix(n, "emp-a-0003-") })
	if i < 0 {
		t.Errorf("there are %v", slices.Collect(keys(people)))
	}
	for name, e := range people {
		if strings.HasPrefix(name, "emp-a-0003-") {
			if e.Spec.State != v1alpha1.EmployeeFrozen || e.Spec.Contact.Email != "wang.huimin@example.com" || e.Spec.PrimaryDepartment != "dept-8" ||
				e.Spec.ManagerRef.Name != "emp-a0002" || len(e.Spec.Attributes) != 1 {
				t.Errorf("%+v", e.Spec)
			}
		}
	}
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// What the API would refuse is said in a comment, without the value, and counted.
func TestP12WhatIsLeftOutIsSaidWithoutTheValue(t *testing.T) {
	s, err := manifests.For(acme(), []string{"wecom"})
	if err != nil {
		t.Fatal(err)
	}
	comments := 0
	for _, text := range s.All() {
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "# left out: ") {
				continue
			}
			comments++
			for _, personal := range []string{"13800000005", "总监", "范", "工号", "坏"} {
				if strings.Contains(line, personal) {
					t.Errorf("P12: %s", line)
				}
			}
		}
	}
	// Two departments, one person, a title, an attribute, a number and a mobile.
	if comments != s.LeftOut || comments < 5 {
		t.Errorf("%d comments, %d counted", comments, s.LeftOut)
	}
}

func TestTheSameCompanyGivesTheSameFiles(t *testing.T) {
	a, b := acme(), acme()
	slices.Reverse(b.People)
	slices.Reverse(b.Departments)
	first, err := manifests.For(a, []string{"wecom", "dingtalk"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := manifests.For(b, []string{"dingtalk", "wecom"})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for path, text := range first.All() {
		files[path] = string(text)
	}
	for path, text := range second.All() {
		if files[path] != string(text) {
			t.Errorf("%s differs:\n%s\n%s", path, files[path], text)
		}
	}
}

// A department of many is written once, and not once for each of them.
func TestManyPeopleTakeMemoryInProportion(t *testing.T) {
	written := func(people int) (allocated uint64) {
		c := manifests.Company{Departments: []directory.Department{{ID: "1", Name: "公司"}, {ID: "7", Name: "研发部", Parent: "1"}}}
		for i := range people {
			c.People = append(c.People, directory.Account{ID: fmt.Sprintf("u%d", i), State: directory.Active, Profile: directory.Profile{
				Name: "苏建华", Mobile: fmt.Sprintf("+86-138%08d", i), Memberships: []directory.Membership{{Department: "7"}},
			}})
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := manifests.For(c, []string{"wecom"})
		runtime.ReadMemStats(&after)
		if err != nil || s.People != people {
			t.Fatalf("%d people: %v", s.People, err)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	few, many := written(200), written(2000)
	if many > 15*few {
		t.Errorf("ten times the people take %d times the memory", many/few)
	}
}

// Only who could use an account is declared Active; a name is one that the API takes, however long an id is.
func TestStatesAndIDsThatNobodyKnows(t *testing.T) {
	c := acme()
	c.People[1].State, c.People[1].Profile.Manager = "Locked", "u2"
	c.Departments[1].ID, c.Departments[0].Parent = strings.Repeat("7", 300), strings.Repeat("7", 300)
	for i := range c.People {
		for j := range c.People[i].Profile.Memberships {
			if m := &c.People[i].Profile.Memberships[j]; m.Department == "7" {
				m.Department = c.Departments[1].ID
			}
		}
	}
	s, err := manifests.For(c, []string{"wecom"})
	if err != nil {
		t.Fatal(err)
	}
	units, people := read(t, s)
	if e := people["emp-a0002"]; e.Spec.State != v1alpha1.EmployeeFrozen || e.Spec.ManagerRef.Name != "" {
		names := slices.Collect(maps.Keys(people))
		t.Errorf("state %q, manager %q of %q", e.Spec.State, e.Spec.ManagerRef.Name, names)
	}
	for name := range units {
		if len(name) > 63 {
			t.Errorf("a name of %d characters", len(name))
		}
	}
	if len(units) != 3 {
		t.Errorf("%d departments", len(units))
	}
}
