package wecom

import (
	"context"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

var (
	_ directory.Directory     = (*Directory)(nil)
	_ directory.Freezer       = (*Directory)(nil)
	_ directory.FrozenCreator = (*Directory)(nil)
	_ directory.MobileFinder  = (*Directory)(nil)
	_ directory.Exporter      = (*Directory)(nil)
	_ directory.RoleKeeper    = (*Directory)(nil)
)

// sensitive fields are not told to self-built apps made after 2022-06-20
// (https://developer.work.weixin.qq.com/document/path/90196). Older apps are
// told: an observation may hold more than Capabilities.Reads.
const sensitive = directory.FieldMobile | directory.FieldEmail | directory.FieldWorkplace

// capable says what can be done: with or without an app beside the sync secret,
// that can send messages or not.
func capable(app, messages bool, number string) directory.Capabilities {
	fields := directory.AllFields &^ directory.FieldHireDate
	if number == "" {
		fields &^= directory.FieldNumber
	}
	c := directory.Capabilities{
		Platform: platform, Reads: fields, Writes: fields,
		DepartmentWrites:    directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder,
		Freezes:             []directory.AccountType{directory.Ordinary},
		CreatesFrozen:       true,
		ChoosesDepartmentID: true, FoldsIDs: true, RootDepartment: formatID(rootID),
	}
	if app {
		c.Reads &^= sensitive
	}
	if messages {
		c.NoticeWindow = noticeWindow
	}
	c.Calls = calls(app, messages)
	return c
}

// calls are what leaving takes where the leaver has one tag, one page of customers
// and of groups, and a platform that lists groups by their former owner.
func calls(app, messages bool) map[directory.Work][]string {
	residual := []string{"department/list", "tag/list", "tag/get"}
	all := map[directory.Work][]string{
		directory.WorkFreeze: {"user/update"},
		directory.WorkRevoke: {"user/get", "tag/list", "tag/get", "tag/deltagusers"},
		directory.WorkRemove: {"user/delete"},
	}
	if messages {
		all[directory.WorkNotify] = []string{"message/send"}
	}
	if app {
		all[directory.WorkInherit] = []string{"user/get", "user/list_id", "externalcontact/resigned/transfer_result",
			"externalcontact/get_unassigned_list", opTransfer, "externalcontact/groupchat/list", opTransferGroup}
		residual = append(residual, "externalcontact/get_unassigned_list", "externalcontact/groupchat/list")
	}
	all[directory.WorkResidual] = residual
	return all
}

// Capabilities implements [directory.Directory].
func (d *Directory) Capabilities() directory.Capabilities { return d.capabilities }

// Freeze implements [directory.Freezer]. The platform keeps no reason. It goes
// before all other calls of the tenant.
func (d *Directory) Freeze(ctx context.Context, id, _ string) error {
	return d.enable(httpx.WithPriority(ctx, httpx.Freeze), id, 0)
}

// Unfreeze implements [directory.Freezer].
func (d *Directory) Unfreeze(ctx context.Context, id, _ string) error {
	return d.enable(ctx, id, 1)
}

// enable: https://developer.work.weixin.qq.com/document/path/90197
func (d *Directory) enable(ctx context.Context, id string, on int) error {
	_, err := d.client.updateUser(ctx, d.sync, map[string]any{"userid": id, "enable": on})
	return err
}

// FindByMobile implements [directory.MobileFinder]. It asks with the sync secret,
// from which nobody is hidden. Ask for real numbers only: when more than a fifth
// as many answers as the company may have users are "unknown", the platform
// refuses the call for a day
// (https://developer.work.weixin.qq.com/document/path/95402).
func (d *Directory) FindByMobile(ctx context.Context, mobile string) (string, error) {
	number := mobileToWire(mobile)
	if strings.Trim(number, "+0123456789") != "" || len(number) < 5 || len(number) > 32 {
		return "", invalid("user/getuserid", "the mobile number is not one")
	}
	return d.client.userByMobile(ctx, d.sync, number)
}
