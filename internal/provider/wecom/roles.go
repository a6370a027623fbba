package wecom

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
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
		return "", err
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
	lostUsers, lostDepartments := 0, 0
	for u, p := users, departments; len(u)+len(p) > 0; {
		someUsers, someDepartments := u[:min(len(u), tagUsers)], p[:min(len(p), tagDepartments)]
		u, p = u[len(someUsers):], p[len(someDepartments):]
		badUsers, badDepartments, err := d.client.addToTag(ctx, d.details, tag, someUsers, someDepartments)
		if err != nil {
			return err
		}
		lostUsers, lostDepartments = lostUsers+badUsers, lostDepartments+badDepartments
	}
	if lostUsers+lostDepartments == 0 {
		return nil
	}
	return &directory.Error{Class: directory.NotFound, Operation: operation, Message: fmt.Sprintf(
		"%d of %d users and %d of %d departments do not exist, or the app may not see them; the others have the tag",
		lostUsers, len(users), lostDepartments, len(departments))}
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
