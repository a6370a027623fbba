package wecom

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

// Status of a user (https://developer.work.weixin.qq.com/document/path/90196).
const (
	statusActive   = 1
	statusDisabled = 2
	statusNew      = 4 // has not logged in yet
	statusLeft     = 5
)

// textAttribute is the kind of extension attribute that we read and write
// (https://developer.work.weixin.qq.com/document/path/92230).
const textAttribute = 0

// account turns a user into an account. Fields that the answer leaves out could
// not be read; whoever has left, or is in a state we do not know, is no account.
func (d *Directory) account(operation string, u *user) (directory.Account, error) {
	a := directory.Account{ID: u.UserID, Type: directory.Ordinary, Profile: d.profile(u)}
	switch u.Status {
	case statusActive, statusNew:
		a.State = directory.Active
	case statusDisabled:
		a.State = directory.Frozen
	case statusLeft:
		return a, &directory.Error{Class: directory.NotFound, Operation: operation, Message: "the user has left the company"}
	default:
		return a, &directory.Error{Class: directory.Unavailable, Operation: operation,
			Message: fmt.Sprintf("the user has status %d, which is not known here", u.Status)}
	}
	return a, nil
}

func (d *Directory) profile(u *user) directory.Profile {
	var p directory.Profile
	text := func(f directory.Fields, to, from *string) {
		if from != nil {
			p.Set |= f
			*to = *from
		}
	}
	text(directory.FieldName, &p.Name, u.Name)
	text(directory.FieldEmail, &p.Email, u.Email)
	text(directory.FieldTelephone, &p.Telephone, u.Telephone)
	text(directory.FieldTitle, &p.Title, u.Position)
	text(directory.FieldWorkplace, &p.Workplace, u.Address)
	text(directory.FieldMobile, &p.Mobile, u.Mobile)
	p.Mobile = mobileFromWire(p.Mobile)
	if u.MainDepartment != nil {
		p.Set |= directory.FieldPrimaryDepartment
		if *u.MainDepartment != 0 {
			p.Primary = formatID(*u.MainDepartment)
		}
	}
	if u.DirectLeader != nil {
		p.Set |= directory.FieldManager
		if len(u.DirectLeader) > 0 {
			p.Manager = u.DirectLeader[0]
		}
	}
	memberships(u, &p)
	d.attributes(u, &p)
	return p
}

// memberships reads three lists that run in parallel.
func memberships(u *user, p *directory.Profile) {
	if u.Department == nil {
		return
	}
	p.Set |= directory.FieldDepartments
	ordered, led := len(u.Order) == len(u.Department), len(u.Leads) == len(u.Department)
	if ordered {
		p.Set |= directory.FieldDepartmentOrder
	}
	if led {
		p.Set |= directory.FieldLeads
	}
	for i, id := range u.Department {
		m := directory.Membership{Department: formatID(id)}
		if _, twice := p.In(m.Department); twice {
			continue
		}
		if ordered {
			m.Order = u.Order[i]
		}
		m.Leader = led && u.Leads[i] == 1
		p.Memberships = append(p.Memberships, m)
	}
}

func (d *Directory) attributes(u *user, p *directory.Profile) {
	if u.ExtAttr == nil {
		return
	}
	p.Set |= directory.FieldAttributes
	if d.number != "" {
		p.Set |= directory.FieldNumber
	}
	p.Attributes = map[string]string{}
	for _, a := range u.ExtAttr.Attrs {
		switch {
		case a.Type != textAttribute:
		case a.Name == d.number:
			p.Number = a.Text
		default:
			p.Attributes[a.Name] = a.Text
		}
	}
}

// userFields is the request that writes p to the user, whose present state have
// is needed only for the fields of needsReading.
func (d *Directory) userFields(operation, id string, p, have *directory.Profile, attrs []attribute) (map[string]any, error) {
	fields := map[string]any{"userid": id}
	text := func(f directory.Fields, name, value string) {
		if p.Set.Has(f) {
			fields[name] = value
		}
	}
	text(directory.FieldName, "name", p.Name)
	text(directory.FieldMobile, "mobile", mobileToWire(p.Mobile))
	text(directory.FieldEmail, "email", p.Email)
	text(directory.FieldTelephone, "telephone", p.Telephone)
	text(directory.FieldTitle, "position", p.Title)
	text(directory.FieldWorkplace, "address", p.Workplace)
	if p.Set.Has(directory.FieldManager) {
		leaders := []string{}
		if p.Manager != "" {
			leaders = append(leaders, p.Manager)
		}
		fields["direct_leader"] = leaders
	}
	if p.Set&(directory.FieldNumber|directory.FieldAttributes) != 0 {
		fields["extattr"] = map[string]any{"attrs": d.mergeAttributes(p, attrs)}
	}
	if err := membershipFields(operation, fields, p, have); err != nil {
		return nil, err
	}
	if p.Set.Has(directory.FieldPrimaryDepartment) {
		main, err := parseDepartment(operation, p.Primary)
		if err != nil {
			return nil, err
		}
		fields["main_department"] = main
	}
	return fields, nil
}

// membershipFields writes the three lists together: order and leading count only
// beside departments, and are as long
// (https://developer.work.weixin.qq.com/document/path/90197). What is not
// declared is taken from the present state.
func membershipFields(operation string, fields map[string]any, p, have *directory.Profile) error {
	if p.Set&memberFields == 0 {
		return nil
	}
	places := have.Memberships
	if p.Set.Has(directory.FieldDepartments) {
		places = p.Memberships
	}
	if len(places) == 0 {
		return invalid(operation, "a user must be in at least one department")
	}
	var ids, orders, leads []int64
	for _, place := range places {
		id, err := parseDepartment(operation, place.Department)
		if err != nil {
			return err
		}
		m := mergeMembership(place.Department, p, have)
		if m.Order < 0 || m.Order > math.MaxUint32 {
			return invalid(operation, fmt.Sprintf("the order %d in department %d is not between 0 and %d", m.Order, id, math.MaxUint32))
		}
		leader := int64(0)
		if m.Leader {
			leader = 1
		}
		ids, orders, leads = append(ids, id), append(orders, m.Order), append(leads, leader)
	}
	fields["department"], fields["order"], fields["is_leader_in_dept"] = ids, orders, leads
	return nil
}

// memberFields are written together or not at all.
const memberFields = directory.FieldDepartments | directory.FieldDepartmentOrder | directory.FieldLeads

// mergeMembership is the wish for one department, completed from the present state.
func mergeMembership(department string, p, have *directory.Profile) directory.Membership {
	m, _ := have.In(department)
	if want, declared := p.In(department); declared {
		if p.Set.Has(directory.FieldDepartmentOrder) && want.Order != 0 {
			m.Order = want.Order
		}
		if p.Set.Has(directory.FieldLeads) {
			m.Leader = want.Leader
		}
	}
	return m
}

// mergeAttributes sets the declared attributes in the list that is there. Whether
// the platform replaces the list or merges into it is not documented
// (https://developer.work.weixin.qq.com/document/path/90197), so we always write
// all of it.
func (d *Directory) mergeAttributes(p *directory.Profile, attrs []attribute) []attribute {
	wanted := map[string]string{}
	if p.Set.Has(directory.FieldAttributes) {
		maps.Copy(wanted, p.Attributes)
	}
	if p.Set.Has(directory.FieldNumber) {
		wanted[d.number] = p.Number
	}
	merged := make([]attribute, 0, len(attrs)+len(wanted))
	for _, a := range attrs {
		if value, declared := wanted[a.Name]; declared && a.Type == textAttribute {
			a = attribute{Type: textAttribute, Name: a.Name, Text: value}
			delete(wanted, a.Name)
		}
		merged = append(merged, a)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		merged = append(merged, attribute{Type: textAttribute, Name: name, Text: wanted[name]})
	}
	return merged
}

// fromWire turns a department around: the platform sorts the bigger order first,
// we the smaller.
func fromWire(d *department) directory.Department {
	out := directory.Department{Set: directory.DepartmentParent, ID: formatID(d.ID)}
	if d.ParentID != 0 && d.ID != rootID {
		out.Parent = formatID(d.ParentID)
	}
	if d.Name != nil {
		out.Set |= directory.DepartmentName
		out.Name = *d.Name
	}
	if d.Order != nil {
		out.Set |= directory.DepartmentOrder
		out.Order = turnOrder(*d.Order)
	}
	if d.Leaders != nil {
		out.Set |= directory.DepartmentManagers
		out.Managers = slices.Clone(d.Leaders)
	}
	return out
}

// departmentFields is the request that writes d.Set. Without fields to write the
// request has none.
func departmentFields(operation string, d *directory.Department) (map[string]any, error) {
	fields := map[string]any{}
	if d.Set.Has(directory.DepartmentName) {
		fields["name"] = d.Name
	}
	// The root has no parent to be written.
	if d.Set.Has(directory.DepartmentParent) && (d.ID != formatID(rootID) || d.Parent != "") {
		parent, err := parseDepartment(operation, d.Parent)
		if err != nil {
			return nil, err
		}
		fields["parentid"] = parent
	}
	if d.Set.Has(directory.DepartmentOrder) {
		if d.Order < 0 || d.Order > math.MaxUint32 {
			return nil, invalid(operation, fmt.Sprintf("the order %d is not between 0 and %d", d.Order, math.MaxUint32))
		}
		fields["order"] = turnOrder(d.Order)
	}
	return fields, nil
}

// turnOrder maps the platform's order of departments, the biggest first, to ours,
// the smallest first, and back: both are 2^32-1 less the other.
func turnOrder(order int64) int64 { return math.MaxUint32 - order }

// rootID is the company itself (https://developer.work.weixin.qq.com/document/path/90205).
const rootID = 1

// parseDepartment reads a department id: a number of 32 bits
// (https://developer.work.weixin.qq.com/document/path/90205).
func parseDepartment(operation, id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil || n <= 0 || formatID(n) != id {
		return 0, invalid(operation, fmt.Sprintf("%q is not a department id of WeCom, which is a number from 1 to %d", id, math.MaxInt32))
	}
	return n, nil
}

func invalid(operation, words string) *directory.Error {
	return &directory.Error{Class: directory.Invalid, Operation: operation, Message: words}
}

// mobileToWire writes a number as the platform wants it: mainland numbers may go
// without +86, others need their country code
// (https://developer.work.weixin.qq.com/document/path/90195). That a separator
// after the country code is not wanted is unconfirmed.
func mobileToWire(mobile string) string {
	bare := strings.ReplaceAll(mobile, "-", "")
	return strings.TrimPrefix(bare, "+86")
}

// mobileFromWire writes a number as we do.
func mobileFromWire(mobile string) string {
	rest, international := strings.CutPrefix(mobile, "+")
	if strings.Contains(rest, "-") {
		return mobile
	}
	n := countryDigits(rest)
	switch {
	case mobile == "" || international && n >= len(rest):
		return mobile
	case !international:
		return "+86-" + mobile
	default:
		return "+" + rest[:n] + "-" + rest[n:]
	}
}

// countryDigits is the length of the country code that a number begins with, by
// ITU-T E.164: 1 and 7 stand alone, some zones have two digits, all else three.
func countryDigits(number string) int {
	const twoDigits = " 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58" +
		" 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 "
	switch {
	case strings.HasPrefix(number, "1") || strings.HasPrefix(number, "7"):
		return 1
	case len(number) >= 2 && strings.Contains(twoDigits, " "+number[:2]+" "):
		return 2
	default:
		return 3
	}
}
