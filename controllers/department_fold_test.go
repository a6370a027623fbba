package controllers

import (
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
)

// TestP3DepartmentThatExistedIsOursByItsKey: a creation that an earlier manager did not live to see answered is known by the
// key that it was made with; without that, what existed already is somebody else's (P4).
func TestP3DepartmentThatExistedIsOursByItsKey(t *testing.T) {
	record := plan.DepartmentRecord{Origin: plan.Creating, AskedName: "研发部", AskedParent: "1"}
	for name, c := range map[string]struct {
		found *directory.Department
		want  plan.DepartmentRecord
	}{
		"our key":             {&directory.Department{Set: directory.DepartmentKey, Key: "acme/rd"}, record},
		"another key":         {&directory.Department{Set: directory.DepartmentKey, Key: "acme/sales"}, plan.DepartmentRecord{}},
		"a key that is empty": {&directory.Department{Set: directory.DepartmentKey}, plan.DepartmentRecord{}},
		"no key is told":      {&directory.Department{Key: "acme/rd"}, plan.DepartmentRecord{}},
		"nothing was read":    {nil, plan.DepartmentRecord{}},
	} {
		o := &execute.Outcome{Existed: true, FoundDepartment: c.found, Err: &directory.Error{Class: directory.AlreadyExists}}
		if got := foldDepartment(record, o, "acme/rd"); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
