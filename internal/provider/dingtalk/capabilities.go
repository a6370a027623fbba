package dingtalk

import (
	"context"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

var (
	_ directory.Directory    = (*Directory)(nil)
	_ directory.Freezer      = (*Directory)(nil)
	_ directory.MobileFinder = (*Directory)(nil)
)

const (
	// The main department can be read by nobody and set by an HR transfer only;
	// who leads a department is written on the department.
	writes = directory.FieldName | directory.FieldNumber | directory.FieldEmail | directory.FieldTelephone |
		directory.FieldTitle | directory.FieldWorkplace | directory.FieldHireDate | directory.FieldDepartments |
		directory.FieldDepartmentOrder | directory.FieldManager | directory.FieldAttributes

	creates = directory.FieldMobile

	reads = writes | creates | directory.FieldLeads

	// freezeLimit is shown to people.
	freezeLimit = "DingTalk freezes only enterprise accounts (企业账号) that belong to the company; " +
		"an ordinary account keeps its access until it is removed"
)

// Capabilities is the same for every tenant but for notices, which need the number
// of the app: what credentials may not do shows when they are refused.
func (d *Directory) Capabilities() directory.Capabilities {
	return directory.Capabilities{
		Platform: platform,
		Reads:    reads,
		Writes:   writes,
		Creates:  creates,
		DepartmentWrites: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder |
			directory.DepartmentManagers | directory.DepartmentKey,
		Freezes:        []directory.AccountType{directory.Enterprise},
		FreezeLimit:    freezeLimit,
		RootDepartment: departmentID(rootDepartment),
		NoticeWindow:   d.noticeWindow(),
		Calls:          d.calls(),
	}
}

// Freeze disables an enterprise account and ends its sessions, before all other calls.
func (d *Directory) Freeze(ctx context.Context, id, reason string) error {
	ctx = httpx.WithPriority(ctx, httpx.Freeze)
	if err := d.govern(ctx, &opDisable, id, reason, true); err != nil {
		return err
	}
	return d.wire.govern(ctx, &opSignOut, id, reason)
}

// Unfreeze enables an enterprise account.
func (d *Directory) Unfreeze(ctx context.Context, id, reason string) error {
	return d.govern(ctx, &opEnable, id, reason, false)
}

// govern brings an account into a state. What a call answers when the account
// is in that state already is not documented (?), and neither matters nor
// what became of an unanswered one if the status is as wanted.
func (d *Directory) govern(ctx context.Context, op *operation, id, reason string, disabled bool) error {
	err := d.wire.govern(ctx, op, id, reason)
	switch directory.ClassOf(err) {
	case directory.Invalid, directory.OutcomeUnknown:
		if is, reading := d.wire.disabled(ctx, id); reading == nil && is == disabled {
			return nil
		}
	}
	return err
}

// FindByMobile returns the person's account, or else the first of the company's
// enterprise accounts with the number.
func (d *Directory) FindByMobile(ctx context.Context, mobile string) (string, error) {
	ids, err := d.wire.userByMobile(ctx, wireMobile(mobile))
	if err != nil {
		return "", err
	}
	return string(ids[0]), nil
}
