package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
)

// noticeBatch is the most people whom one message goes to (directory.Notifier).
const noticeBatch = 100

// exitWork is what a job of an exit needs. It does not change.
type exitWork struct {
	directory directory.Directory
	by        execute.By
	// cursor is what was done last, people and owned the user ids on the tenant.
	cursor      string
	people      []string
	owned       map[string]bool
	departments int
	text        string
	// unknown counts people who may not have been told.
	unknown int32
}

// exitOutcome is what a job of an exit did.
type exitOutcome struct {
	// done more, of total; cursor is the last of them.
	done, total int32
	cursor      string
	// over: nothing is left of the step, and message sums it up. skip: with an error, the
	// platform cannot do it, and the exit goes on.
	over, skip bool
	message    string
	// unsent: nobody was told.
	unsent bool
	// steps are what a rehearsal found.
	steps []v1alpha1.ExitStepStatus
}

// exitNotice is what everybody on the tenant is told.
func exitNotice(x v1alpha1.ExitTerms) string {
	if x.Language == v1alpha1.NoticeEnglish {
		text := "The company stops using this platform. What is here has been backed up; from now on nothing here is kept up to date."
		if x.Destination != "" {
			text += " Please go on with: " + x.Destination + "."
		}
		return text
	}
	text := "公司即将停用本平台。平台上的数据已经备份，此后这里的信息不再更新。"
	if x.Destination != "" {
		text += "请转到：" + x.Destination + "。"
	}
	return text
}

// batch is who is told next.
func (w *exitWork) batch() []string {
	at, found := slices.BinarySearch(w.people, w.cursor)
	if found {
		at++
	}
	return w.people[at:min(at+noticeBatch, len(w.people))]
}

// digest is equal while what is sent next is: the platform knows only exactly that again.
func (w *exitWork) digest() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", append([]string{w.text}, w.batch()...)))
	return hex.EncodeToString(sum[:])
}

// notify tells the next hundred. Whom a crash leaves untold, or told without a record,
// is told again with the same text, as long as the platform delivers that once.
func (w *exitWork) notify(ctx context.Context) (o exitOutcome, err error) {
	n, can := w.directory.(directory.Notifier)
	if !can {
		o.skip = true
		return o, &directory.Error{Class: directory.NotSupported, Operation: string(plan.Notify), Message: "this platform sends no messages: tell people yourself"}
	}
	batch := w.batch()
	o.total = int32(len(w.people))
	if len(batch) == 0 {
		o.over, o.message = true, "everybody was told"
		if w.unknown > 0 {
			o.message = fmt.Sprintf("of %d people it is not known whether they were told: no answer came, and asking again was too late. The others were told", w.unknown)
		}
		return o, nil
	}
	var receipt directory.Receipt
	after := map[string]string{"count": strconv.Itoa(len(batch))}
	err = w.by.Record(ctx, plan.Notify, execute.AccountTarget(""), nil, after, func(ctx context.Context) (err error) {
		receipt, err = n.Notify(ctx, batch, w.text)
		return err
	})
	switch directory.ClassOf(err) {
	case "":
		o.cursor, o.done = batch[len(batch)-1], int32(len(batch)-len(receipt.Missed))
	case directory.NotSupported, directory.PermissionDenied:
		o.skip = true
	case directory.RateLimited, directory.Unauthenticated, directory.Invalid, directory.Unavailable:
		_, said := errors.AsType[*directory.Error](err) // what else went wrong may have been on the way
		o.unsent = said && !directory.IsCancelled(err)
	}
	return o, err
}

// revoke takes the next role from those who are ours. The platform's own roles stay.
func (w *exitWork) revoke(ctx context.Context) (o exitOutcome, err error) {
	keeper, keeps := w.directory.(directory.RoleKeeper)
	revoker, can := w.directory.(directory.RoleRevoker)
	if !keeps || !can {
		o.skip = true
		return o, &directory.Error{Class: directory.NotSupported, Operation: string(plan.RevokeRole), Message: "this platform has no roles that can be taken away"}
	}
	roles, err := keeper.Roles(ctx)
	if err != nil {
		return o, err
	}
	slices.SortFunc(roles, func(a, b directory.Role) int { return strings.Compare(a.ID, b.ID) })
	for _, role := range roles {
		if role.BuiltIn || role.ID <= w.cursor {
			continue
		}
		o.cursor = role.ID
		o.done, err = w.take(ctx, keeper, revoker, role.ID)
		if directory.ClassOf(err) == directory.PermissionDenied {
			err = nil // another app's, which only its maker changes: the residual scan finds it
		}
		if err != nil {
			o.cursor = ""
		}
		return o, err
	}
	o.over, o.message = true, "roles were taken from everybody whom Rollcall manages; the platform's own roles stay"
	return o, nil
}

// take takes one role from its holders that are ours, and says from how many.
func (w *exitWork) take(ctx context.Context, keeper directory.RoleKeeper, revoker directory.RoleRevoker, role string) (int32, error) {
	members, err := w.holders(ctx, keeper, role)
	if err != nil || len(members) == 0 {
		return 0, err
	}
	var ids []string
	for _, m := range members {
		ids = append(ids, m.Account)
	}
	before := map[string]string{"holders": strings.Join(ids, ","), "count": strconv.Itoa(len(ids))}
	err = w.by.Record(ctx, plan.RevokeRole, audit.Target{Kind: "role", ID: role}, before, nil, func(ctx context.Context) error {
		return revoker.RemoveFromRole(ctx, role, members)
	})
	if err != nil {
		return 0, err
	}
	return int32(len(members)), nil
}

// holders are those of a role whom Rollcall manages.
func (w *exitWork) holders(ctx context.Context, keeper directory.RoleKeeper, role string) ([]directory.RoleMember, error) {
	members, err := keeper.RoleMembers(ctx, role)
	if directory.ClassOf(err) == directory.NotFound {
		return nil, nil
	}
	return slices.DeleteFunc(members, func(m directory.RoleMember) bool { return m.Account == "" || !w.owned[fold(m.Account)] }), err
}

// residuals counts what is still on the platform: an exit deletes nobody.
func (w *exitWork) residuals(ctx context.Context) (o exitOutcome, err error) {
	ours := 0
	for _, id := range w.people {
		if w.owned[fold(id)] {
			ours++
		}
	}
	o.message = fmt.Sprintf("left on the platform: %d accounts, %d of them managed by Rollcall until now, %d departments", len(w.people), ours, w.departments)
	if keeper, keeps := w.directory.(directory.RoleKeeper); keeps {
		held, err := w.held(ctx, keeper)
		if err != nil {
			return o, err
		}
		o.message += fmt.Sprintf("; roles that people of ours still hold: %d", held)
	}
	o.over = true
	return o, nil
}

// held counts roles, the platform's own included, that somebody of ours has.
func (w *exitWork) held(ctx context.Context, keeper directory.RoleKeeper) (held int, err error) {
	roles, err := keeper.Roles(ctx)
	if err != nil {
		return 0, err
	}
	for _, role := range roles {
		members, err := w.holders(ctx, keeper, role.ID)
		if err != nil {
			return 0, err
		}
		if len(members) > 0 {
			held++
		}
	}
	return held, nil
}
