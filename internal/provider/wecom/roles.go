package wecom

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

// Roles implements [directory.RoleKeeper]: they are the tags of the contacts.
func (d *Directory) Roles(ctx context.Context) ([]directory.Role, error) {
	tags, err := d.client.listTags(ctx, d.details)
	if err != nil {
		return nil, err
	}
	roles := make([]directory.Role, 0, len(tags))
	for _, t := range tags {
		roles = append(roles, role(&t.is))
	}
	return roles, nil
}

func role(t *tag) directory.Role {
	r := directory.Role{ID: formatID(int64(t.ID))}
	if t.Name != nil {
		r.Name = *t.Name
	}
	return r
}

// RoleMembers implements [directory.RoleKeeper].
func (d *Directory) RoleMembers(ctx context.Context, id string) ([]directory.RoleMember, error) {
	tag, err := parseTag("tag/get", id)
	if err != nil {
		return nil, err
	}
	h, err := d.client.getTag(ctx, d.details, tag)
	if err != nil {
		return nil, err
	}
	var members []directory.RoleMember
	for _, m := range h.items(id) {
		members = append(members, *m.Member)
	}
	return members, nil
}

// items are the holders of a tag, each as the platform wrote it: people as rows,
// departments as the list of ids, cut to the one.
func (h *holders) items(role string) []directory.Item {
	var items []directory.Item
	for _, u := range h.Users {
		items = append(items, directory.Item{Part: directory.PartMembers, ID: role + "/user/" + u.is.UserID, Raw: u.raw,
			Member: &directory.RoleMember{Role: role, Account: u.is.UserID}})
	}
	for _, n := range h.Departments {
		id := formatID(int64(n))
		items = append(items, directory.Item{Part: directory.PartMembers, ID: role + "/party/" + id,
			Raw:    json.RawMessage(`{"partylist":[` + id + `]}`),
			Member: &directory.RoleMember{Role: role, Department: id}})
	}
	return items
}

// CreateRole implements [directory.RoleKeeper]. Tags have no groups. It uses the
// credential that also gives the tag to people: nobody else may
// (https://developer.work.weixin.qq.com/document/path/90210).
func (d *Directory) CreateRole(ctx context.Context, r directory.Role) (string, error) {
	const longest = 32 // characters
	if n := len([]rune(r.Name)); n == 0 || n > longest {
		return "", invalid("tag/create", fmt.Sprintf("a tag's name must have 1 to %d characters", longest))
	}
	id, err := d.client.createTag(ctx, d.details, r.Name)
	if err != nil {
		return "", d.notOurs(err, "give it to")
	}
	return formatID(id), nil
}

// AddToRole implements [directory.RoleKeeper].
func (d *Directory) AddToRole(ctx context.Context, role string, members []directory.RoleMember) error {
	const operation = "tag/addtagusers"
	tag, err := parseTag(operation, role)
	if err != nil {
		return err
	}
	users, departments, err := tagMembers(operation, members)
	if err != nil {
		return err
	}
	lostUsers, lostDepartments, err := d.changeTag(ctx, operation, tag, users, departments)
	switch lost := len(lostUsers) + len(lostDepartments); {
	case err != nil:
		return d.notOurs(err, "give it to")
	case lost == 0:
		return nil
	}
	return &directory.Error{Class: directory.NotFound, Operation: operation, Message: fmt.Sprintf(
		"%d of %d users and %d of %d departments do not exist, or the app may not see them; the others have the tag",
		len(lostUsers), len(users), len(lostDepartments), len(departments))}
}

// changeTag goes through all of them, as many at once as a call takes, and
// returns those that the platform did not take.
func (d *Directory) changeTag(ctx context.Context, operation string, tag int64, users []string, departments []int64) (
	lostUsers []string, lostDepartments []int64, err error) {
	for u, p := users, departments; len(u)+len(p) > 0; {
		someUsers, someDepartments := u[:min(len(u), tagUsers)], p[:min(len(p), tagDepartments)]
		u, p = u[len(someUsers):], p[len(someDepartments):]
		badUsers, badDepartments, err := d.client.changeTag(ctx, d.details, operation, tag, someUsers, someDepartments)
		if err != nil {
			return nil, nil, err
		}
		lostUsers, lostDepartments = append(lostUsers, badUsers...), append(lostDepartments, badDepartments...)
	}
	return lostUsers, lostDepartments, nil
}

// tagMembers takes the holders apart, each once.
func tagMembers(operation string, members []directory.RoleMember) (users []string, departments []int64, err error) {
	known := map[string]bool{}
	for _, m := range members {
		key := strings.ToLower(m.Account) + "/" + m.Department
		switch {
		case len(m.Scope) > 0:
			return nil, nil, &directory.Error{Class: directory.NotSupported, Operation: operation,
				Message: "tags have no scope: whoever has one has it for the whole company"}
		case (m.Account == "") == (m.Department == ""):
			return nil, nil, invalid(operation, "a holder is either a user or a department")
		case known[key]:
		case m.Account != "":
			users = append(users, m.Account)
		default:
			n, err := parseDepartment(operation, m.Department)
			if err != nil {
				return nil, nil, err
			}
			departments = append(departments, n)
		}
		known[key] = true
	}
	return users, departments, nil
}

// parseTag reads a tag id: a number of 32 bits, not negative
// (https://developer.work.weixin.qq.com/document/path/90210).
func parseTag(operation, id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil || n < 0 || formatID(n) != id {
		return 0, invalid(operation, fmt.Sprintf("%q is not a tag id of WeCom, which is a number from 0 to %d", id, math.MaxInt32))
	}
	return n, nil
}

// RolesOf implements [directory.RoleRevoker]. That the app sees the person, which
// is made sure first, means that it is told of all their tags. No call lists the
// tags of one person, so all tags are read; people who are asked about at the same
// time share a reading (see [shared]).
func (d *Directory) RolesOf(ctx context.Context, id string) ([]directory.RoleMember, error) {
	a, err := d.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	tags, err := d.tags.get(ctx)
	if err != nil {
		return nil, err
	}
	var roles []directory.RoleMember
	for _, r := range tags[strings.ToLower(id)] {
		roles = append(roles, directory.RoleMember{Role: r.ID, Account: a.ID})
	}
	return roles, nil
}

// readTags reads which tags people have themselves, by their id in lower case.
func (d *Directory) readTags(ctx context.Context) (map[string][]directory.Role, error) {
	tags, err := d.Roles(ctx)
	if err != nil {
		return nil, err
	}
	held := make([]holders, len(tags))
	err = inParallel(ctx, len(tags), func(ctx context.Context, i int) error {
		id, err := parseTag("tag/get", tags[i].ID)
		if err != nil {
			return err
		}
		h, err := d.client.getTag(ctx, d.details, id)
		switch {
		case gone(err): // vanished since it was listed
			return nil
		case err != nil:
			return err
		}
		held[i] = *h
		return nil
	})
	if err != nil {
		return nil, err
	}
	by := map[string][]directory.Role{}
	for i := range held {
		for _, u := range held[i].Users {
			key := strings.ToLower(u.is.UserID)
			if !slices.Contains(by[key], tags[i]) {
				by[key] = append(by[key], tags[i])
			}
		}
	}
	return by, nil
}

// RemoveFromRole implements [directory.RoleRevoker].
func (d *Directory) RemoveFromRole(ctx context.Context, role string, members []directory.RoleMember) error {
	const operation = "tag/deltagusers"
	tag, err := parseTag(operation, role)
	if err != nil {
		return err
	}
	users, departments, err := tagMembers(operation, members)
	if err != nil {
		return err
	}
	lostUsers, lostDepartments, err := d.changeTag(ctx, operation, tag, users, departments)
	switch codeOf(err) {
	case codeNoSuchTag:
		return nil
	case codeOtherMaker, codeOutside, codeNoAPI, codeForbidden:
		return d.notOurs(err, "take it from")
	}
	if err != nil || len(lostUsers)+len(lostDepartments) == 0 {
		return err
	}
	return d.lack(ctx, tag, lostUsers, lostDepartments)
}

// notOurs says of a refusal what is missing, and where to get it.
func (d *Directory) notOurs(err error, doing string) error {
	switch codeOf(err) {
	case codeOtherMaker, codeOutside:
		return retold(err, directory.PermissionDenied, "the tag was made in the console or by another app, which alone can "+doing+" somebody:"+
			" do it there (通讯录 → 标签), or make the tag with the app of "+d.details.name)
	case codeNoAPI, codeForbidden:
		return retold(err, directory.PermissionDenied, "the secret of "+d.details.name+" may not change tags: use that of a self-built app"+
			" whose visible range is the whole company (应用管理 → 自建, the app, 可见范围), or, without one, that of contact sync with API editing"+
			" turned on (安全与管理 → 管理工具 → 通讯录同步)")
	}
	return err
}

// lack fails if one of those whom the platform did not take may have the tag all
// the same. It does not take who does not exist, and that is well; but neither
// whom the app may not see, who has the tag still
// (https://developer.work.weixin.qq.com/document/path/90215).
func (d *Directory) lack(ctx context.Context, tag int64, users []string, departments []int64) error {
	exist := map[string]bool{}
	if err := d.eachID(ctx, func(id string) bool { exist[strings.ToLower(id)] = true; return true }); err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, id := range users {
		if asked[strings.ToLower(id)] = true; !exist[strings.ToLower(id)] {
			continue
		}
		if _, err := d.client.getUser(ctx, d.details, id); gone(err) {
			return invisible("tag/deltagusers", "a user")
		} else if err != nil {
			return err
		}
	}
	for _, n := range departments {
		if _, err := d.Department(ctx, formatID(n)); err != nil && !gone(err) {
			return err
		}
	}
	h, err := d.client.getTag(ctx, d.details, tag)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(h.Users, func(u written[identified]) bool { return asked[strings.ToLower(u.is.UserID)] }) ||
		slices.ContainsFunc(h.Departments, func(n number) bool { return slices.Contains(departments, int64(n)) }) {
		return &directory.Error{Class: directory.Unavailable, Operation: "tag/deltagusers",
			Message: "the platform left the tag with somebody, and does not say why"}
	}
	return nil
}
