package dingtalk

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/directory"
)

// chinaStandardTime has had no summer time since 1991.
var chinaStandardTime = time.FixedZone("CST", 8*60*60)

// account is what user/get and user/list say alike of a person: everything but
// the departments and the manager.
func account(u *user, personal bool) directory.Account {
	a := directory.Account{ID: string(u.UserID), Type: directory.Ordinary, State: directory.Active}
	if u.ExclusiveAccount {
		a.Type = directory.Enterprise
	}
	if u.Disabled {
		a.State = directory.Frozen
	}
	a.Profile = directory.Profile{
		Set: directory.FieldName | directory.FieldNumber | directory.FieldTelephone | directory.FieldTitle |
			directory.FieldHireDate,
		Name: string(u.Name), Number: string(u.JobNumber), Telephone: string(u.Telephone), Title: string(u.Title),
	}
	if u.HiredDate != 0 {
		a.Profile.HireDate = time.UnixMilli(int64(u.HiredDate)).In(chinaStandardTime).Format(time.DateOnly)
	}
	if u.Mobile != "" {
		a.Profile.Set |= directory.FieldMobile
		a.Profile.Mobile = fullMobile(string(u.StateCode), string(u.Mobile))
	}
	if personal {
		showPersonal(u, &a.Profile)
	}
	return a
}

// showPersonal reads the fields that are shown only with the permission for them.
func showPersonal(u *user, p *directory.Profile) {
	p.Set |= directory.FieldEmail | directory.FieldWorkplace
	if u.Email != nil {
		p.Email = string(*u.Email)
	}
	if u.WorkPlace != nil {
		p.Workplace = string(*u.WorkPlace)
	}
	if u.Extension == nil || *u.Extension != nil {
		p.Set |= directory.FieldAttributes
	}
	if u.Extension != nil {
		p.Attributes = *u.Extension
	}
}

// showsPersonal reports whether a person shows any field that needs the
// permission for personal data, which proves that the app has it.
func showsPersonal(u *user) bool {
	return u.Email != nil || u.OrgEmail != nil || u.WorkPlace != nil || u.Remark != nil || u.Extension != nil
}

// readsPersonal reports whether the scopes name a field of that permission.
func readsPersonal(s scopes) bool {
	return slices.ContainsFunc(s.Fields, func(f text) bool { return strings.EqualFold(string(f), "email") })
}

// fullMobile joins what DingTalk keeps apart: "86" and "13800001234" are
// "+86-13800001234".
func fullMobile(country, number string) string {
	country = strings.TrimPrefix(country, "+")
	switch {
	case strings.HasPrefix(number, "+") || country == "":
		return number
	default:
		return "+" + country + "-" + strings.TrimPrefix(number, country+"-")
	}
}

// wireMobile is how DingTalk wants a number: mainland ones bare, others
// "+<country>-<digits>" [user-information-creation].
func wireMobile(mobile string) string { return strings.TrimPrefix(mobile, "+86-") }

// creation is the wish for a new person.
func creation(id string, t directory.AccountType, p *directory.Profile) (userWish, error) {
	op := &opCreateUser
	if err := refuse(op, p.Set&^(writes|creates)); err != nil {
		return userWish{}, err
	}
	w, err := declared(op, id, p)
	if err != nil {
		return w, err
	}
	for _, s := range []**string{&w.Name, &w.Telephone, &w.JobNumber, &w.Title, &w.Email, &w.WorkPlace, &w.Manager} {
		if *s != nil && **s == "" {
			*s = nil // there is nothing to clear yet
		}
	}
	mobile := ""
	if p.Set.Has(directory.FieldMobile) {
		mobile = wireMobile(p.Mobile)
	}
	switch {
	case w.Name == nil || w.Departments == "":
		return w, invalid(op, "a new account needs a name and at least one department")
	case t == directory.Enterprise:
		w.ExclusiveAccount, w.ExclusiveAccountType, w.ExclusiveMobile = true, "sso", mobile
		if strings.HasPrefix(p.Mobile, "+") {
			w.ExclusiveMobile = p.Mobile // printed with its country, mainland or not [create-an-sso-account]
		}
	case mobile == "":
		return w, invalid(op, "an ordinary account needs the mobile number with which its person signs in")
	default:
		w.Mobile = mobile
	}
	return w, nil
}

// change is the wish for a person who exists.
func change(id string, p *directory.Profile) (userWish, error) {
	op := &opUpdateUser
	if err := refuse(op, p.Set&^writes); err != nil {
		return userWish{}, err
	}
	w, err := declared(op, id, p)
	if err != nil {
		return w, err
	}
	if w.Extension != "" {
		w.ExtensionMode = 1
	}
	if w.Manager != nil && *w.Manager == "" {
		w.Force = "manager_userid"
	}
	if p.Set.Has(directory.FieldHireDate) && p.HireDate == "" {
		return w, unsupported(op, "DingTalk cannot clear a hire date; leave it undeclared, or clear it in the admin console")
	}
	return w, nil
}

// refuse says that fields cannot be written at all.
func refuse(op *operation, fields directory.Fields) error {
	if fields == 0 {
		return nil
	}
	words := "DingTalk has no way to write: " + fields.String()
	if fields.Has(directory.FieldMobile) {
		words += " (people change their mobile number themselves, or are removed and added again)"
	}
	return unsupported(op, words)
}

// declared translates the fields that creation and update have in common.
func declared(op *operation, id string, p *directory.Profile) (userWish, error) {
	w := userWish{UserID: id}
	for _, f := range []struct {
		field directory.Fields
		to    **string
		value string
	}{
		{directory.FieldName, &w.Name, p.Name}, {directory.FieldNumber, &w.JobNumber, p.Number},
		{directory.FieldTelephone, &w.Telephone, p.Telephone}, {directory.FieldTitle, &w.Title, p.Title},
		{directory.FieldEmail, &w.Email, p.Email}, {directory.FieldWorkplace, &w.WorkPlace, p.Workplace},
		{directory.FieldManager, &w.Manager, p.Manager},
	} {
		if p.Set.Has(f.field) {
			*f.to = &f.value
		}
	}
	if p.Set.Has(directory.FieldAttributes) && len(p.Attributes) > 0 {
		extension, err := json.Marshal(p.Attributes)
		if err != nil {
			return w, invalid(op, "the extension attributes cannot be written as JSON")
		}
		w.Extension = string(extension)
	}
	if p.Set.Has(directory.FieldHireDate) && p.HireDate != "" {
		day, err := time.ParseInLocation(time.DateOnly, p.HireDate, chinaStandardTime)
		if err != nil {
			return w, invalid(op, "the hire date is not a date like 2024-03-01")
		}
		w.HiredDate = day.UnixMilli()
	}
	return w, place(op, &w, p)
}

// place translates the departments and the order inside them.
func place(op *operation, w *userWish, p *directory.Profile) error {
	var ids []integer
	for _, m := range p.Memberships {
		id, err := departmentNumber(op, m.Department)
		if err != nil {
			return err
		}
		ids = append(ids, integer(id))
		if p.Set.Has(directory.FieldDepartmentOrder) && m.Order != 0 {
			w.Orders = append(w.Orders, departmentOrder{Department: integer(id), Order: integer(m.Order)})
		}
	}
	if !p.Set.Has(directory.FieldDepartments) {
		return nil
	}
	if len(ids) == 0 {
		return invalid(op, "a person must be in at least one department")
	}
	w.Departments = joined(ids)
	return nil
}

// departmentChange is the wish for a department.
func departmentChange(op *operation, d *directory.Department) (departmentWish, error) {
	var w departmentWish
	if d.Set.Has(directory.DepartmentName) {
		if n := utf8.RuneCountInString(d.Name); n < 1 || n > 64 || strings.ContainsAny(d.Name, "-,，") {
			return w, invalid(op, departmentNameRule)
		}
		w.Name = &d.Name
	}
	if d.Set.Has(directory.DepartmentParent) {
		parent, err := departmentNumber(op, d.Parent)
		if err != nil {
			return w, err
		}
		w.Parent = &parent
	}
	if d.Set.Has(directory.DepartmentOrder) {
		w.Order = &d.Order
	}
	if d.Set.Has(directory.DepartmentKey) {
		w.Key = &d.Key
	}
	if d.Set.Has(directory.DepartmentManagers) {
		managers := strings.Join(d.Managers, ",")
		w.Managers = &managers
		if managers == "" {
			w.Force = "dept_manager_userid_list"
		}
	}
	return w, nil
}

func departmentID(id int64) string { return strconv.FormatInt(id, 10) }

// parentID is empty for the root, whatever DingTalk says its parent is.
func parentID(d department) string {
	if d.ID == rootDepartment {
		return ""
	}
	return departmentID(int64(d.Parent))
}

// wholeDepartment is all that department/get says of a department.
func wholeDepartment(d *department) directory.Department {
	have := directory.Department{
		Set: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder |
			directory.DepartmentManagers | directory.DepartmentKey,
		ID: departmentID(int64(d.ID)), Name: string(d.Name), Parent: parentID(*d), Order: int64(d.Order), Key: string(d.Key),
	}
	for _, m := range d.Managers {
		have.Managers = append(have.Managers, string(m))
	}
	slices.Sort(have.Managers)
	return have
}

// departmentNumber reads an id of ours as DingTalk's number.
func departmentNumber(op *operation, id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return 0, invalid(op, "a department id on DingTalk is a number, and one is not")
	}
	return n, nil
}

func joined(ids []integer) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = departmentID(int64(id))
	}
	return strings.Join(parts, ",")
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
