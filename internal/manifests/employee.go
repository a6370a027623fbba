package manifests

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
)

// The rules of the API (api/v1alpha1/employee_types.go); a test holds both together.
var (
	number  = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._@-]{0,49}$`)
	mobile  = regexp.MustCompile(`^[+][1-9][0-9]{0,3}-[0-9]{4,14}$`)
	chinese = regexp.MustCompile(`^[+]86-1[3-9][0-9]{9}$`)
	email   = regexp.MustCompile(`^[0-9a-z._%+-]+@[0-9a-z-]+([.][0-9a-z-]+)+$`)
)

const (
	mostDepartments = 20
	mostAttributes  = 32
)

// fits reports whether a text is one that the API takes: not empty, not too long, no
// space around it, no control characters.
func fits(s string, longest int) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= longest && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
}

func validMobile(s string) bool {
	return len(s) >= 7 && len(s) <= 20 && mobile.MatchString(s) && (!strings.HasPrefix(s, "+86-") || chinese.MatchString(s))
}

func validEmail(s string) bool { return len(s) >= 6 && len(s) <= 50 && email.MatchString(s) }

// person writes one Employee, or why there is none. People's own words never come
// into comments: ids and names of fields do.
func (w *writer) person(a *directory.Account) {
	p := &a.Profile
	o := &object{}
	e := &v1alpha1.Employee{TypeMeta: typeMeta("Employee")}
	s := &e.Spec
	if s.Number = p.Number; !number.MatchString(s.Number) {
		if s.Number = a.ID; p.Number != "" {
			o.leave("number: it is not one that an Employee can have; the user id stands in for it")
		}
	}
	s.Name = p.Name
	w.contact(o, s, p)
	main := w.places(o, s, p)
	missing := ""
	switch {
	case !number.MatchString(s.Number):
		missing = "neither the employee number nor the user id can be a number"
	case !fits(s.Name, 64):
		missing = "the name cannot be a name"
	case s.Contact.Mobile == "" && s.Contact.Email == "":
		missing = "there is neither a mobile number nor an e-mail address that can be written"
	case len(s.Departments) == 0:
		missing = "they are in no department that is written"
	}
	if missing != "" {
		w.leave(departmentsFile, "person %q: %s", a.ID, missing)
		return
	}
	e.ObjectMeta = metav1.ObjectMeta{Name: w.name("emp-", s.Number)}
	o.file = employeesFolder + w.unit[w.top(main)].Name + ".yaml"
	optional(o, &s.Title, p.Title, "title", fits(p.Title, 64))
	optional(o, &s.Workplace, p.Workplace, "workplace", fits(p.Workplace, 100))
	_, err := time.Parse(time.DateOnly, p.HireDate)
	optional(o, &s.HireDate, p.HireDate, "hireDate", err == nil)
	attributes(o, s, p)
	switch a.State {
	case directory.Active, directory.Invited:
	case directory.Frozen:
		s.State, s.StateReason = v1alpha1.EmployeeFrozen, "frozen when the backup was made"
	default:
		s.State, s.StateReason = v1alpha1.EmployeeFrozen, "the backup does not say whether the account could be used"
	}
	for _, name := range w.accounts {
		s.Accounts = append(s.Accounts, v1alpha1.EmployeeAccount{Name: name})
	}
	if a.Type == directory.Enterprise {
		o.leave("accounts[].type: it was an enterprise account")
	}
	o.manifest = e
	w.employee[a.ID], w.objects["p"+a.ID] = e, o
	w.set.People++
}

// optional takes a value over if the API takes it.
func optional(o *object, to *string, value, field string, valid bool) {
	switch {
	case value == "":
	case valid:
		*to = value
	default:
		o.leave("%s: the value is not one that an Employee can have", field)
	}
}

// contact stands inline: what is written here is stored encrypted.
func (w *writer) contact(o *object, s *v1alpha1.EmployeeSpec, p *directory.Profile) {
	optional(o, &s.Contact.Mobile, p.Mobile, "contact.mobile", validMobile(p.Mobile))
	address := strings.ToLower(p.Email) // the same mailbox, in the one form that the API takes
	optional(o, &s.Contact.Email, address, "contact.email", validEmail(address))
}

// places writes the departments, and returns the id of the main one.
func (w *writer) places(o *object, s *v1alpha1.EmployeeSpec, p *directory.Profile) (main string) {
	for _, m := range p.Memberships {
		u := w.unit[m.Department]
		switch {
		case u == nil:
			o.leave("departments: %q is not among those that are written", m.Department)
			continue
		case len(s.Departments) == mostDepartments:
			o.leave("departments: %q is one too many", m.Department)
			continue
		}
		d := v1alpha1.EmployeeDepartment{Name: u.Name}
		if m.Order >= 1 && m.Order <= 1<<31-1 {
			d.Order = int32(m.Order)
		} else if m.Order != 0 {
			o.leave("departments: the order in %q", m.Department)
		}
		if main == "" || m.Department == p.Primary {
			main = m.Department
		}
		s.Departments = append(s.Departments, d)
	}
	if len(s.Departments) > 1 {
		s.PrimaryDepartment = w.unit[main].Name
	}
	return main
}

func attributes(o *object, s *v1alpha1.EmployeeSpec, p *directory.Profile) {
	for i, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		value := p.Attributes[name]
		switch {
		case value == "":
		case !fits(name, 32) || !fits(value, 64):
			o.leave("attributes: the %d. of them, by name", i+1)
		case len(s.Attributes) == mostAttributes:
			o.leave("attributes: the %d. of them is one too many", i+1)
		default:
			s.Attributes = append(s.Attributes, v1alpha1.Attribute{Name: name, Value: value})
		}
	}
}

// longestName of an id leaves room for what name puts around it: 63 characters are all
// that the API takes.
const longestName = 49

// name is a name for an object, of an id or a number: what such a name may not hold
// becomes a dash, with a hash that keeps different ids different.
func (w *writer) name(prefix, id string) string {
	lower := strings.ToLower(id)
	clean := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, lower)
	clean = strings.Trim(strings.ReplaceAll(clean, "..", "-"), ".-")
	name := prefix + clean
	if len(clean) > longestName {
		clean = strings.TrimRight(clean[:longestName], ".-")
	}
	if clean != lower || strings.Contains(clean, ".-") || strings.Contains(clean, "-.") || w.names[name] {
		sum := sha256.Sum256([]byte(id))
		name = fmt.Sprintf("%s%s-%x", prefix, strings.ReplaceAll(clean, ".", "-"), sum[:4])
	}
	w.names[name] = true
	return name
}
