package controllers

import (
	"testing"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/leaving"
)

// P9: roles that are refused are left to people only when the others were tried, too: after that nothing is.
func TestP9RefusedRolesAreLeftToPeopleWhenAllWereTried(t *testing.T) {
	a := &departure{spec: &v1alpha1.OffboardingAccount{Name: "wecom"}, status: &v1alpha1.OffboardingAccountStatus{}}
	fold := func(l execute.Left, err error) leaving.Facts {
		l.Act = leaving.ActRevoke
		a.fold(&execute.Outcome{Left: &l, Err: err})
		var f leaving.Facts
		a.roles(&f)
		return f
	}
	theirs, ours := directory.RoleMember{Role: "1"}, directory.RoleMember{Role: "2"}
	if f := fold(execute.Left{Read: true, Held: []directory.RoleMember{theirs, ours}}, nil); f.RolesLeft != 2 {
		t.Fatalf("%d roles are left, want 2", f.RolesLeft)
	}
	if f := fold(execute.Left{Refused: []directory.RoleMember{theirs}}, &directory.Error{Class: directory.RateLimited}); f.RolesLeft != 2 || len(a.status.Tasks) != 0 {
		t.Errorf("one was not tried: %d are left, tasks %+v", f.RolesLeft, a.status.Tasks)
	}
	f := fold(execute.Left{Refused: []directory.RoleMember{theirs}, Taken: []directory.RoleMember{ours}}, nil)
	if f.RolesLeft != 0 || f.RolesTaken != 1 || a.task("RevokePermissions") == nil {
		t.Errorf("all were tried: %+v, tasks %+v", f, a.status.Tasks)
	}
}
