package controllers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/tenant"
)

// forgetful is a platform whose list of roles is empty.
type forgetful struct{ *directorytest.Fake }

func (forgetful) Roles(context.Context) ([]directory.Role, error) { return nil, nil }

// TestP5ARoleIsNotGoneBecauseAListLacksIt: what is known of whom a binding granted it would be forgotten, and they would keep it.
func TestP5ARoleIsNotGoneBecauseAListLacksIt(t *testing.T) {
	fake := directorytest.NewFake(directory.Capabilities{})
	fake.Place(directory.Account{ID: "E1", Type: directory.Ordinary, State: directory.Active})
	fake.PlaceRole(directory.Role{ID: "7", Name: "审核员"}, directory.RoleMember{Role: "7", Account: "E1"})
	for id, want := range map[string]directory.Class{"7": directory.Unavailable, "8": "", "": ""} {
		var seen roleSeen
		err := readRole(t.Context(), forgetful{fake}, directory.Role{ID: id, Name: "审核员"}, false, execute.By{}, &seen)
		if directory.ClassOf(err) != want || seen.missing != (want == "") {
			t.Errorf("the role %q: missing %t, %v", id, seen.missing, err)
		}
	}
}

// TestABindingRecordsNoMoreThanItCan: where thousands of others come, the status would not take all of them beside those who go, and
// nobody would lose the role.
func TestABindingRecordsNoMoreThanItCan(t *testing.T) {
	const n = mostHolders * 3 / 5
	s := &bindingScope{
		binding: &v1alpha1.PermissionBinding{}, people: map[string]holder{}, blocked: map[string]bool{}, role: &roleSeen{holds: map[string]directory.RoleMember{}},
		tenant: tenant.New("acme/wecom", directorytest.NewFake(directory.Capabilities{}), nil, time.Hour, time.Now, nil),
	}
	var record plan.RoleRecord
	var facts plan.RoleFacts
	for i := range n {
		was, comes := fmt.Sprint("was", i), fmt.Sprint("comes", i)
		m := directory.RoleMember{Role: "7", Account: was}
		record.Granted, facts.Members, s.role.holds[was] = append(record.Granted, was), append(facts.Members, m), m
		s.people[comes] = holder{id: comes}
	}
	s.planned(record, facts)
	if all := union(record.Granted, s.plan.Record.Granted); len(all) > mostHolders || len(s.plan.Revoke) != n || len(s.plan.Grant) != 0 {
		t.Errorf("%d are recorded, %d lose it, and %d get it", len(all), len(s.plan.Revoke), len(s.plan.Grant))
	}
	clear(s.role.holds)
	clear(s.blocked)
	s.planned(plan.RoleRecord{}, plan.RoleFacts{})
	if len(s.plan.Record.Granted) != n || len(s.plan.Grant) != n {
		t.Errorf("then %d are recorded, and %d get it", len(s.plan.Record.Granted), len(s.plan.Grant))
	}
}
