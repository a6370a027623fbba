package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"rollcall.dev/rollcall/internal/directory"
)

// Line is one item of an archive, and where it stands.
type Line struct {
	Dataset directory.Dataset
	directory.Item
}

// The words of the format. They are not the fields of internal/directory, which
// may be renamed tomorrow; these may not. What was not read is absent.

type line struct {
	ID         string          `json:"id"`
	Account    *account        `json:"account,omitempty"`
	Department *department     `json:"department,omitempty"`
	Role       *role           `json:"role,omitempty"`
	Member     *member         `json:"member,omitempty"`
	Raw        json.RawMessage `json:"raw,omitempty"`
}

type account struct {
	ID    string `json:"id"`
	Type  string `json:"type,omitempty"`
	State string `json:"state,omitempty"`

	Name              *string           `json:"name,omitempty"`
	Number            *string           `json:"number,omitempty"`
	Mobile            *string           `json:"mobile,omitempty"`
	Email             *string           `json:"email,omitempty"`
	Telephone         *string           `json:"telephone,omitempty"`
	Title             *string           `json:"title,omitempty"`
	Workplace         *string           `json:"workplace,omitempty"`
	HireDate          *string           `json:"hireDate,omitempty"`
	Departments       []string          `json:"departments,omitzero"`
	DepartmentOrder   map[string]int64  `json:"departmentOrder,omitzero"`
	PrimaryDepartment *string           `json:"primaryDepartment,omitempty"`
	Leads             []string          `json:"leads,omitzero"`
	Manager           *string           `json:"manager,omitempty"`
	Attributes        map[string]string `json:"attributes,omitzero"`
}

type department struct {
	ID       string   `json:"id"`
	Name     *string  `json:"name,omitempty"`
	Parent   *string  `json:"parent,omitempty"`
	Order    *int64   `json:"order,omitempty"`
	Managers []string `json:"managers,omitzero"`
	Key      *string  `json:"key,omitempty"`
}

type role struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Group   string `json:"group,omitempty"`
	BuiltIn bool   `json:"builtIn,omitempty"`
}

type member struct {
	Role       string   `json:"role"`
	Account    string   `json:"account,omitempty"`
	Department string   `json:"department,omitempty"`
	Scope      []string `json:"scope,omitempty"`
}

// marshal writes an item as one line, its end included. The platform's JSON keeps
// its order, numbers and unknown fields; only white space between them goes.
func marshal(it directory.Item) ([]byte, error) {
	l := line{ID: it.ID, Raw: it.Raw}
	if it.Account != nil {
		l.Account = fromAccount(it.Account)
	}
	if it.Department != nil {
		l.Department = fromDepartment(it.Department)
	}
	if r := it.Role; r != nil {
		l.Role = &role{ID: r.ID, Name: r.Name, Group: r.Group, BuiltIn: r.BuiltIn}
	}
	if m := it.Member; m != nil {
		l.Member = &member{Role: m.Role, Account: m.Account, Department: m.Department, Scope: m.Scope}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		// The cause quotes the platform's JSON.
		return nil, unsupported("an item of %s: what the platform wrote is no JSON", it.Part)
	}
	return b.Bytes(), nil
}

func unmarshal(part string, b []byte) (directory.Item, error) {
	if len(b) > maxWords {
		if err := brief(b); err != nil {
			return directory.Item{}, err
		}
	}
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return directory.Item{}, err
	}
	it := directory.Item{Part: part, ID: l.ID, Raw: l.Raw}
	if l.Account != nil {
		it.Account = l.Account.account()
	}
	if l.Department != nil {
		it.Department = l.Department.department()
	}
	if r := l.Role; r != nil {
		it.Role = &directory.Role{ID: r.ID, Name: r.Name, Group: r.Group, BuiltIn: r.BuiltIn}
	}
	if m := l.Member; m != nil {
		it.Member = &directory.RoleMember{Role: m.Role, Account: m.Account, Department: m.Department, Scope: m.Scope}
	}
	return it, nil
}

// brief fails if a line has too much beside what the platform wrote: that is kept as
// it is, and the rest takes many times its size in memory.
func brief(b []byte) error {
	var l struct {
		Raw json.RawMessage `json:"raw"`
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	if len(b)-len(l.Raw) > maxWords {
		return errors.New("the line is too long")
	}
	return nil
}

// texts pairs the fields of both sides that are plain words.
func (a *account) texts(p *directory.Profile) []struct {
	field directory.Fields
	mine  **string
	its   *string
} {
	return []struct {
		field directory.Fields
		mine  **string
		its   *string
	}{
		{directory.FieldName, &a.Name, &p.Name},
		{directory.FieldNumber, &a.Number, &p.Number},
		{directory.FieldMobile, &a.Mobile, &p.Mobile},
		{directory.FieldEmail, &a.Email, &p.Email},
		{directory.FieldTelephone, &a.Telephone, &p.Telephone},
		{directory.FieldTitle, &a.Title, &p.Title},
		{directory.FieldWorkplace, &a.Workplace, &p.Workplace},
		{directory.FieldHireDate, &a.HireDate, &p.HireDate},
		{directory.FieldPrimaryDepartment, &a.PrimaryDepartment, &p.Primary},
		{directory.FieldManager, &a.Manager, &p.Manager},
	}
}

func fromAccount(in *directory.Account) *account {
	p := in.Profile.Clone()
	out := &account{ID: in.ID, Type: string(in.Type), State: string(in.State)}
	for _, t := range out.texts(&p) {
		if p.Set.Has(t.field) {
			*t.mine = t.its
		}
	}
	if p.Set.Has(directory.FieldDepartments) {
		out.Departments = []string{}
	}
	if p.Set.Has(directory.FieldDepartmentOrder) {
		out.DepartmentOrder = map[string]int64{}
	}
	if p.Set.Has(directory.FieldLeads) {
		out.Leads = []string{}
	}
	for _, m := range p.Memberships {
		if out.Departments != nil {
			out.Departments = append(out.Departments, m.Department)
		}
		if out.DepartmentOrder != nil && m.Order != 0 {
			out.DepartmentOrder[m.Department] = m.Order
		}
		if out.Leads != nil && m.Leader {
			out.Leads = append(out.Leads, m.Department)
		}
	}
	if p.Set.Has(directory.FieldAttributes) {
		out.Attributes = p.Attributes
		if out.Attributes == nil {
			out.Attributes = map[string]string{}
		}
	}
	return out
}

func (a *account) account() *directory.Account {
	out := &directory.Account{ID: a.ID, Type: directory.AccountType(a.Type), State: directory.State(a.State)}
	p := &out.Profile
	for _, t := range a.texts(p) {
		if *t.mine != nil {
			p.Set |= t.field
			*t.its = **t.mine
		}
	}
	a.memberships(p)
	if a.Attributes != nil {
		p.Set |= directory.FieldAttributes
		if len(a.Attributes) > 0 {
			p.Attributes = a.Attributes
		}
	}
	return out
}

// memberships puts together what is said of departments in three places. Where the
// departments themselves were not read, those of the other two have to do.
func (a *account) memberships(p *directory.Profile) {
	at := map[string]int{}
	in := func(id string) *directory.Membership {
		i, known := at[id]
		if !known {
			i = len(p.Memberships)
			at[id] = i
			p.Memberships = append(p.Memberships, directory.Membership{Department: id})
		}
		return &p.Memberships[i]
	}
	if a.Departments != nil {
		p.Set |= directory.FieldDepartments
	}
	for _, id := range a.Departments {
		in(id)
	}
	if a.Leads != nil {
		p.Set |= directory.FieldLeads
	}
	for _, id := range a.Leads {
		in(id).Leader = true
	}
	if a.DepartmentOrder != nil {
		p.Set |= directory.FieldDepartmentOrder
	}
	for _, id := range slices.Sorted(maps.Keys(a.DepartmentOrder)) {
		in(id).Order = a.DepartmentOrder[id]
	}
}

func fromDepartment(in *directory.Department) *department {
	d := *in
	out := &department{ID: d.ID}
	if d.Set.Has(directory.DepartmentName) {
		out.Name = &d.Name
	}
	if d.Set.Has(directory.DepartmentParent) {
		out.Parent = &d.Parent
	}
	if d.Set.Has(directory.DepartmentOrder) {
		out.Order = &d.Order
	}
	if d.Set.Has(directory.DepartmentManagers) {
		out.Managers = append([]string{}, d.Managers...)
	}
	if d.Set.Has(directory.DepartmentKey) {
		out.Key = &d.Key
	}
	return out
}

func (d *department) department() *directory.Department {
	out := &directory.Department{ID: d.ID}
	if d.Name != nil {
		out.Set, out.Name = out.Set|directory.DepartmentName, *d.Name
	}
	if d.Parent != nil {
		out.Set, out.Parent = out.Set|directory.DepartmentParent, *d.Parent
	}
	if d.Order != nil {
		out.Set, out.Order = out.Set|directory.DepartmentOrder, *d.Order
	}
	if d.Managers != nil {
		out.Set |= directory.DepartmentManagers
		out.Managers = append(out.Managers, d.Managers...)
	}
	if d.Key != nil {
		out.Set, out.Key = out.Set|directory.DepartmentKey, *d.Key
	}
	return out
}
