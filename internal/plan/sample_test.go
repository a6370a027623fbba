package plan_test

import (
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

// Two platforms that differ in everything the plan looks at.

// open freezes everybody, writes nearly everything, and hides contact data.
func open() directory.Capabilities {
	fields := directory.AllFields &^ directory.FieldHireDate
	return directory.Capabilities{
		Platform: "Open", Reads: fields &^ (directory.FieldMobile | directory.FieldEmail), Writes: fields,
		DepartmentWrites:    directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder,
		Freezes:             []directory.AccountType{directory.Ordinary, directory.Enterprise},
		ChoosesDepartmentID: true, FoldsIDs: true, RootDepartment: "1",
	}
}

// closed freezes enterprise accounts only, and sets a mobile number only once.
func closed() directory.Capabilities {
	writes := directory.AllFields &^ (directory.FieldMobile | directory.FieldLeads | directory.FieldPrimaryDepartment)
	return directory.Capabilities{
		Platform: "Closed", Reads: writes | directory.FieldMobile | directory.FieldLeads, Writes: writes,
		Creates: directory.FieldMobile,
		DepartmentWrites: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder |
			directory.DepartmentManagers | directory.DepartmentKey,
		Freezes:     []directory.AccountType{directory.Enterprise},
		FreezeLimit: "Closed freezes enterprise accounts only", RootDepartment: "1",
	}
}

// declared is an invented person, as declared.
func declared() directory.Profile {
	return directory.Profile{
		Set: directory.FieldName | directory.FieldNumber | directory.FieldMobile | directory.FieldEmail |
			directory.FieldTitle | directory.FieldDepartments | directory.FieldAttributes,
		Name: "柳如烟", Number: "E0001", Mobile: "+86-13800550001", Email: "liu.ruyan@example.com", Title: "工程师",
		Memberships: []directory.Membership{{Department: "7", Order: 3}},
		Attributes:  map[string]string{"工位": "3-17"},
	}
}

func wished() plan.Wish {
	return plan.Wish{
		ID: "E0001", Type: directory.Ordinary, State: directory.Active, Profile: declared(),
		Adoption: plan.Review, Version: "2",
	}
}

// account is the platform's view of the declared person: everything readable, and equal.
func account(c directory.Capabilities, change ...func(*directory.Account)) *directory.Account {
	a := &directory.Account{ID: "E0001", Type: directory.Ordinary, State: directory.Active, Profile: declared()}
	a.Profile.Set &= c.Reads
	for _, f := range change {
		f(a)
	}
	return a
}

func titled(title string) func(*directory.Account) {
	return func(a *directory.Account) { a.Profile.Title = title }
}

func named(name string) func(*directory.Account) {
	return func(a *directory.Account) { a.Profile.Name = name }
}

func frozen(a *directory.Account) { a.State = directory.Frozen }

func under(id string) func(*directory.Account) {
	return func(a *directory.Account) { a.ID = id }
}

func enterprise(a *directory.Account) { a.Type = directory.Enterprise }

// ours is the record of an account that is applied.
func ours() plan.Record { return plan.Record{ID: "E0001", Origin: plan.Created, Applied: "2"} }

// unit is a declared department, and seenUnit the platform's view of it.
func unit() plan.DepartmentWish {
	return plan.DepartmentWish{
		Department: directory.Department{
			Set:  directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder | directory.DepartmentKey,
			Name: "研发部", Parent: "1", Order: 20, Key: "acme/research",
		},
		Choice: "4711", Adoption: plan.Review, Version: "2",
	}
}

func seenUnit(id string, change ...func(*directory.Department)) *directory.Department {
	d := unit().Department
	d.ID, d.Set = id, directory.DepartmentName|directory.DepartmentParent|directory.DepartmentOrder
	d.Key = ""
	for _, f := range change {
		f(&d)
	}
	return &d
}
