package directory

import (
	"iter"
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// Fields is a set of profile fields. In a wish it says which fields were
// declared; in an observation, which ones the platform let us read.
type Fields uint32

// The fields of a [Profile].
const (
	FieldName Fields = 1 << iota
	FieldNumber
	FieldMobile
	FieldEmail
	FieldTelephone
	FieldTitle
	FieldWorkplace
	FieldHireDate
	FieldDepartments
	FieldDepartmentOrder
	FieldPrimaryDepartment
	FieldLeads
	FieldManager
	FieldAttributes
	fieldEnd
)

// AllFields is every field there is.
const AllFields = fieldEnd - 1

// The words by which status, messages and documents call the fields: the same
// as in Employee.spec, so that a reader finds what differs.
var fieldNames = map[Fields]string{
	FieldName: "name", FieldNumber: "number", FieldMobile: "mobile", FieldEmail: "email",
	FieldTelephone: "telephone", FieldTitle: "title", FieldWorkplace: "workplace", FieldHireDate: "hireDate",
	FieldDepartments: "departments", FieldDepartmentOrder: "departmentOrder",
	FieldPrimaryDepartment: "primaryDepartment", FieldLeads: "leads", FieldManager: "manager",
	FieldAttributes: "attributes",
}

// Has reports whether every field of f is in s.
func (s Fields) Has(f Fields) bool { return s&f == f }

// All ranges over the single fields of s in declaration order.
func (s Fields) All() iter.Seq[Fields] {
	return func(yield func(Fields) bool) {
		for rest := uint32(s & AllFields); rest != 0; rest &= rest - 1 {
			if !yield(Fields(1) << bits.TrailingZeros32(rest)) {
				return
			}
		}
	}
}

// Names lists the fields of s as users know them, in declaration order.
func (s Fields) Names() []string {
	var names []string
	for f := range s.All() {
		names = append(names, fieldNames[f])
	}
	return names
}

// String joins [Fields.Names] with commas.
func (s Fields) String() string { return strings.Join(s.Names(), ", ") }

// ParseField returns the field of that name, or 0.
func ParseField(name string) Fields {
	for f, n := range fieldNames {
		if n == name {
			return f
		}
	}
	return 0
}

// Profile is what is wanted for a person, or known of one. Only the fields in
// Set mean anything: the others are undeclared, or could not be read.
type Profile struct {
	Set Fields

	Name string
	// Number is the employee number.
	Number string
	// Mobile is "+<country>-<digits>", e.g. "+86-13800001234". Compare with [SameMobile].
	Mobile    string
	Email     string
	Telephone string
	Title     string
	Workplace string
	// HireDate is "2006-01-02" in the platform's time zone (China Standard Time).
	HireDate string
	// Memberships are all departments of the person, each once.
	Memberships []Membership
	// Primary is the id of the main department.
	Primary string
	// Manager is the platform id of the person's manager; empty means none.
	Manager string
	// Attributes are extension attributes by the name the platform's console gave them.
	Attributes map[string]string
}

// Membership is a person's place in one department.
type Membership struct {
	// Department is the platform's id.
	Department string
	// Order sorts people inside the department, the biggest first; 0 is undeclared.
	Order int64
	// Leader says that the person leads the department.
	Leader bool
}

// In returns the membership in the department, and whether there is one.
func (p *Profile) In(department string) (Membership, bool) {
	i := slices.IndexFunc(p.Memberships, func(m Membership) bool { return m.Department == department })
	if i < 0 {
		return Membership{}, false
	}
	return p.Memberships[i], true
}

// Differ compares a wish with an observation. differ holds the declared fields
// that are visibly unequal; unseen the declared fields that the observation
// could not read, about which nothing can be said.
func Differ(want, have *Profile) (differ, unseen Fields) {
	for f := range want.Set.All() {
		switch {
		case !have.Set.Has(f):
			unseen |= f
		case !equal(f, want, have):
			differ |= f
		}
	}
	return differ, unseen
}

func equal(f Fields, want, have *Profile) bool {
	switch f {
	case FieldName:
		return want.Name == have.Name
	case FieldNumber:
		return want.Number == have.Number
	case FieldMobile:
		return SameMobile(want.Mobile, have.Mobile)
	case FieldEmail:
		return strings.EqualFold(want.Email, have.Email)
	case FieldTelephone:
		return want.Telephone == have.Telephone
	case FieldTitle:
		return want.Title == have.Title
	case FieldWorkplace:
		return want.Workplace == have.Workplace
	case FieldHireDate:
		return want.HireDate == have.HireDate
	case FieldDepartments:
		return sameDepartments(want, have)
	case FieldDepartmentOrder:
		return sameOrder(want, have)
	case FieldLeads:
		return sameLeads(want, have)
	case FieldPrimaryDepartment:
		return want.Primary == have.Primary
	case FieldManager:
		return strings.EqualFold(want.Manager, have.Manager)
	case FieldAttributes:
		return sameAttributes(want.Attributes, have.Attributes)
	}
	return false
}

func sameDepartments(want, have *Profile) bool {
	ids := func(p *Profile) []string {
		out := make([]string, 0, len(p.Memberships))
		for _, m := range p.Memberships {
			out = append(out, m.Department)
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(ids(want), ids(have))
}

// Order and leadership are compared inside the departments both have: being in
// the wrong department is FieldDepartments' to say.
func sameOrder(want, have *Profile) bool {
	for _, w := range want.Memberships {
		if h, in := have.In(w.Department); in && w.Order != 0 && w.Order != h.Order {
			return false
		}
	}
	return true
}

func sameLeads(want, have *Profile) bool {
	for _, w := range want.Memberships {
		if h, in := have.In(w.Department); in && w.Leader != h.Leader {
			return false
		}
	}
	return true
}

// sameAttributes looks at declared attributes only; an empty wish equals absence.
func sameAttributes(want, have map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// SameMobile compares two numbers by their digits; a number without a country
// code is a mainland one (+86).
func SameMobile(a, b string) bool { return MobileKey(a) == MobileKey(b) }

// MobileKey is the same for numbers that [SameMobile] takes for the same.
func MobileKey(s string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
	if !strings.HasPrefix(s, "+") && len(digits) == 11 && digits[0] == '1' {
		return "86" + digits
	}
	return digits
}

// Clone returns a copy that shares no memory with p.
func (p *Profile) Clone() Profile {
	c := *p
	c.Memberships = slices.Clone(p.Memberships)
	c.Attributes = maps.Clone(p.Attributes)
	return c
}
