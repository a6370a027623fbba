package controllers

import (
	"context"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/execute"
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
