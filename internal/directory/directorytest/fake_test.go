package directorytest_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
)

// open is a platform where ids are ours, and leading is written on people.
func open() directory.Capabilities {
	fields := directory.AllFields &^ directory.FieldHireDate
	return directory.Capabilities{
		Platform: "Open", Reads: fields &^ directory.FieldMobile, Writes: fields,
		DepartmentWrites:    directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder,
		Freezes:             []directory.AccountType{directory.Ordinary},
		ChoosesDepartmentID: true, FoldsIDs: true, RootDepartment: "1",
		NoticeWindow: time.Hour, Calls: calls,
	}
}

// closed is one that chooses ids, and where leading is written on departments.
func closed() directory.Capabilities {
	writes := directory.AllFields &^ (directory.FieldMobile | directory.FieldLeads | directory.FieldPrimaryDepartment)
	return directory.Capabilities{
		Platform: "Closed", Reads: writes | directory.FieldMobile | directory.FieldLeads, Writes: writes, Creates: directory.FieldMobile,
		DepartmentWrites: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder |
			directory.DepartmentManagers | directory.DepartmentKey,
		Freezes:     []directory.AccountType{directory.Enterprise},
		FreezeLimit: "Closed freezes enterprise accounts only", RootDepartment: "1",
		NoticeWindow: time.Hour, Calls: calls,
	}
}

// calls are the methods that each kind of work takes on a platform in memory.
var calls = map[directory.Work][]string{
	directory.WorkFreeze: {"Freeze"}, directory.WorkRevoke: {"RolesOf", "RemoveFromRole"},
	directory.WorkNotify: {"Notify", "Delivered"}, directory.WorkRemove: {"Remove"},
	directory.WorkInherit: {"Inherit"}, directory.WorkResidual: {"Residuals"},
}

// misled reaches the fake with a wrong secret.
type misled struct{ *directorytest.Fake }

var wrongSecret = directorytest.Refused(directory.Unauthenticated).Err

func (m misled) Check(context.Context) error { return wrongSecret }

func (m misled) CreateAccount(context.Context, string, directory.AccountType, directory.Profile) (directory.State, error) {
	return "", wrongSecret
}

var (
	reads = []string{
		"Check", "List", "Account", "Department", "FindByMobile", "Export", "Roles", "RoleMembers", "RolesOf", "Delivered", "Residuals",
	}
	writes = []string{
		"CreateAccount", "UpdateAccount", "CreateDepartment", "UpdateDepartment", "Freeze", "Unfreeze", "CreateRole", "AddToRole",
		"Remove", "Inherit", "RemoveFromRole", "Notify",
	}
)

func twin(c directory.Capabilities) directorytest.Twin {
	f := directorytest.NewFake(c)
	var throttled atomic.Int64
	down := false
	every := func(fault directorytest.Fault, methods ...string) {
		for _, m := range methods {
			if !down {
				f.Every(m, fault)
			}
		}
	}
	both := append(append([]string{}, reads...), writes...)
	maladies := map[directorytest.Malady]func(){
		directorytest.ExpiredTokens: func() {}, // there are no tokens
		directorytest.Throttling: func() {
			fault := directorytest.Refused(directory.RateLimited)
			fault.Before = func(context.Context) { throttled.Add(1) }
			every(fault, both...)
		},
		directorytest.LostCreate: func() { every(directorytest.Lost(), "CreateAccount") },
		directorytest.LostUpdate: func() { every(directorytest.Lost(), "UpdateAccount") },
		directorytest.LostRemove: func() { every(directorytest.Lost(), "Remove") },
		directorytest.BadGateway: func() {
			every(directorytest.Refused(directory.Unavailable), reads...)
			every(directorytest.Refused(directory.OutcomeUnknown), writes...)
		},
		directorytest.PartialListing: func() {
			every(directorytest.Fault{Listing: func(l *directory.Listing) {
				l.Accounts, l.Gaps = l.Accounts[:len(l.Accounts)/2], []string{"half of the people were left out"}
			}}, "List")
			every(directorytest.Fault{Gaps: []directory.Gap{{Part: directory.PartAccounts, Class: directory.Unavailable, Reason: "some were left out"}}}, "Export")
		},
		directorytest.EmptyListing: func() {
			every(directorytest.Fault{Listing: func(l *directory.Listing) { l.Accounts = nil }}, "List")
			every(directorytest.Fault{Items: func([]directory.Item) []directory.Item { return nil }}, "Export")
		},
		directorytest.IgnoredTitle: func() {
			every(directorytest.Fault{Ignores: directory.FieldTitle}, "CreateAccount", "UpdateAccount")
		},
		directorytest.Denied: func() { every(directorytest.Refused(directory.PermissionDenied), both...) },
		directorytest.Down: func() {
			every(directorytest.Refused(directory.Unavailable), both...)
			down = true
		},
	}
	maladies[directorytest.Garbage] = maladies[directorytest.BadGateway]
	return directorytest.Twin{
		Directory: f, Misled: misled{f},
		AccountID: func(number string) (string, error) {
			if number == "" || len(number) > 64 {
				return "", directorytest.Refused(directory.Invalid).Err
			}
			return number, nil
		},
		Attributes: [2]string{"工位", "班次"},
		Calls:      func() int { return len(f.Calls()) },
		Throttled:  func() int { return int(throttled.Load()) },
		Seed:       func(_ *testing.T, people, departments int) { populate(f, people, departments) },
		Remove:     func(_ *testing.T, id string) { f.Vanish(id) },
		Messages: func(_ *testing.T, id string) (n int) {
			for _, m := range f.Messages() {
				if m.To == id {
					n++
				}
			}
			return n
		},
		Inflict: func(_ *testing.T, m directorytest.Malady) { maladies[m]() },
		Heal:    func(*testing.T) { every(directorytest.Fault{}, both...) },
	}
}

func populate(f *directorytest.Fake, people, departments int) {
	for i := range departments {
		f.PlaceDepartment(directory.Department{ID: fmt.Sprint(500 + i), Name: fmt.Sprintf("部门%d", i), Parent: "1"})
	}
	for i := range people {
		f.Place(directory.Account{ID: fmt.Sprintf("P%04d", i), Type: directory.Ordinary, State: directory.Active, Profile: directory.Profile{
			Name: fmt.Sprintf("员工%d", i), Memberships: []directory.Membership{{Department: fmt.Sprint(500 + i%departments)}},
		}})
	}
}

func TestFakeObeysTheContract(t *testing.T) {
	for _, c := range []directory.Capabilities{open(), closed()} {
		t.Run(c.Platform, func(t *testing.T) {
			directorytest.Run(t, func(*testing.T) directorytest.Twin { return twin(c) })
		})
	}
}

func TestFakeFaults(t *testing.T) {
	f := directorytest.NewFake(closed())
	p := directory.Profile{Set: directory.FieldName | directory.FieldTitle, Name: "柳如烟", Title: "工程师"}
	ctx := t.Context()

	f.Next("CreateAccount", directorytest.Fault{Invites: true}, directorytest.Lost())
	if s, err := f.CreateAccount(ctx, "E1", directory.Enterprise, p); err != nil || s != directory.Invited || f.Really("E1") != nil {
		t.Errorf("an invitation: %q, %v", s, err)
	}
	if s, err := f.CreateAccount(ctx, "E1", directory.Enterprise, p); directory.ClassOf(err) != directory.OutcomeUnknown || s != "" || f.Really("E1") == nil {
		t.Errorf("a lost answer: %q, %v", s, err)
	}
	f.Next("UpdateAccount", directorytest.Fault{Ignores: directory.FieldTitle})
	p.Title, p.Name = "总监", "赵敏"
	if err := f.UpdateAccount(ctx, "E1", p); err != nil || f.Really("E1").Profile.Title != "工程师" || f.Really("E1").Profile.Name != "赵敏" {
		t.Errorf("an ignored title: %v, %+v", err, f.Really("E1"))
	}
	if err := f.Freeze(ctx, "E1", ""); err != nil || f.Really("E1").State != directory.Frozen {
		t.Errorf("freezing: %v", err)
	}
	if err := f.Unfreeze(ctx, "founder", ""); directory.ClassOf(err) != directory.NotSupported {
		t.Errorf("unfreezing what cannot be frozen: %v", err)
	}
	if n := f.Count("CreateAccount"); n != 2 {
		t.Errorf("counted %d creations", n)
	}
	cancelled, cancel := context.WithCancel(ctx)
	f.Next("UpdateAccount", directorytest.Fault{Before: func(context.Context) { cancel() }})
	p.Name = "柳如烟"
	if err := f.UpdateAccount(cancelled, "E1", p); !directory.IsCancelled(err) || f.Really("E1").Profile.Name != "赵敏" {
		t.Errorf("cancelled on the way: %v", err)
	}
}

func TestFakeExportFaults(t *testing.T) {
	f := directorytest.NewFake(closed())
	f.Keep(directory.DatasetReports, directory.Item{Part: "reports", ID: "r1", Raw: []byte(`{"a":1}`)}, directory.Item{Part: "reports", ID: "r2", Raw: []byte(`{}`)})
	gap := directory.Gap{Part: "reports", Class: directory.PermissionDenied, Reason: "some are secret"}
	f.Next("Export", directorytest.Fault{Err: directorytest.Refused(directory.RateLimited).Err, After: 1}, directorytest.Fault{Gaps: []directory.Gap{gap}})
	var ids []string
	export := func() (directory.Summary, error) {
		ids = nil
		return f.Export(t.Context(), directory.DatasetReports, directory.Scope{}, func(i directory.Item) error {
			ids = append(ids, i.ID)
			return nil
		})
	}
	if _, err := export(); directory.ClassOf(err) != directory.RateLimited || len(ids) != 1 {
		t.Errorf("broken off after one: %v, %v", ids, err)
	}
	if sum, err := export(); err != nil || len(ids) != 2 || len(sum.Gaps) != 1 || sum.Gaps[0] != gap {
		t.Errorf("with a gap: %v, %+v, %v", ids, sum, err)
	}
	f.PlaceRole(directory.Role{ID: "7", Name: "主管", BuiltIn: true}, directory.RoleMember{Account: "founder"})
	if m, err := f.RoleMembers(t.Context(), "7"); err != nil || len(m) != 1 || m[0].Role != "7" {
		t.Errorf("a role that was put there: %+v, %v", m, err)
	}
}

func TestFakeLeaving(t *testing.T) {
	f := directorytest.NewFake(closed())
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	f.Now = func() time.Time { return now }
	ctx := t.Context()
	for _, id := range []string{"E1", "E2"} {
		f.Place(directory.Account{ID: id, Profile: directory.Profile{Manager: "E1"}})
	}
	f.PlaceRole(directory.Role{ID: "7", BuiltIn: true}, directory.RoleMember{Account: "E1", Scope: []string{"1"}})

	if err := f.RemoveFromRole(ctx, "7", []directory.RoleMember{{Account: "E1"}}); directory.ClassOf(err) != directory.PermissionDenied || len(f.RolesReally("E1")) != 1 {
		t.Errorf("a role of the platform's own: %v", err)
	}
	f.Next("Notify", directorytest.Fault{Missed: []string{"E2"}}, directorytest.Lost())
	receipt, err := f.Notify(ctx, []string{"E1", "E2"}, "交接")
	told, asked := f.Delivered(ctx, receipt)
	if err != nil || asked != nil || len(receipt.Missed) != 0 || len(told.Missed) != 1 || len(f.Messages()) != 1 {
		t.Errorf("a notice that missed one: %+v, %v, then %+v, %v", receipt, err, told, asked)
	}
	now = now.Add(time.Hour)
	if _, err := f.Notify(ctx, []string{"E1"}, "交接"); directory.ClassOf(err) != directory.OutcomeUnknown || len(f.Messages()) != 2 {
		t.Errorf("a lost notice after the window: %v, %+v", err, f.Messages())
	}

	f.PlaceInheritance("E1", directory.Inheritance{Waiting: 2})
	if _, err := f.Inherit(ctx, "E1", "E2"); directory.ClassOf(err) != directory.Conflict {
		t.Errorf("inheriting from somebody who is there: %v", err)
	}
	f.Next("Remove", directorytest.Lost())
	how := directory.Removal{Successor: "E2", Reason: "contract ended"}
	if err := f.Remove(ctx, "E1", how); directory.ClassOf(err) != directory.OutcomeUnknown || f.Really("E1") != nil || len(f.RolesReally("E1")) != 0 {
		t.Errorf("a lost removal: %v", err)
	}
	if r := f.Removals(); len(r) != 1 || r[0].ID != "E1" || r[0].How != how || f.Really("E2").Profile.Manager != "E2" {
		t.Errorf("removed %+v", r)
	}
	if i, err := f.Inherit(ctx, "E1", "E2"); err != nil || i.Waiting != 2 || f.Heir("E1") != "E2" {
		t.Errorf("inheriting: %+v, %v", i, err)
	}
	f.PlaceResiduals("E1", "leads a department")
	if left, err := f.Residuals(ctx, "E1"); err != nil || len(left) != 1 {
		t.Errorf("residuals: %q, %v", left, err)
	}
}
