package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
)

// Audit looks at a company from outside, when everybody is Ready: on each tenant, keyed by the name of its EnterpriseAccount,
// there must be exactly who is declared, once, as declared, in exactly the departments that are declared, and of those that
// nobody declares only the tenant's creators.
func (w *World) Audit(ctx context.Context, namespace string, tenants map[string]*Tenant) error {
	company, err := w.Company(ctx, namespace)
	if err != nil {
		return err
	}
	errs := []error{company.Unready(), company.numbers()}
	for _, account := range slices.Sorted(maps.Keys(tenants)) {
		if err := tenants[account].audit(ctx, company, account); err != nil {
			errs = append(errs, fmt.Errorf("on %s: %w", account, err))
		}
	}
	return errors.Join(errs...)
}

// numbers are the Employees' own, each once.
func (c *Company) numbers() error {
	var errs []error
	holder := map[string]string{}
	for i := range c.Employees {
		e := &c.Employees[i]
		switch other, taken := holder[e.Status.Number]; {
		case e.Status.Number == "":
			errs = append(errs, fmt.Errorf("%s has no number", e.Name))
		case taken:
			errs = append(errs, fmt.Errorf("%s and %s have the number %s", other, e.Name, e.Status.Number))
		}
		holder[e.Status.Number] = e.Name
	}
	return errors.Join(errs...)
}

func (t *Tenant) audit(ctx context.Context, c *Company, account string) error {
	users, err := t.Users(ctx)
	if err != nil {
		return err
	}
	units, err := t.Departments(ctx)
	if err != nil {
		return err
	}
	departments, err := c.auditDepartments(account, units)
	errs := []error{err}
	found := map[string]User{}
	for _, u := range users {
		found[u.ID] = u
	}
	for i := range c.Employees {
		e := &c.Employees[i]
		status := accountOf(e, account)
		if status == nil {
			continue
		}
		u, there := found[status.UserID]
		delete(found, status.UserID)
		if !there {
			errs = append(errs, fmt.Errorf("%s has no user %q, or shares it", e.Name, status.UserID))
			continue
		}
		if wrong := u.differs(c, e, account, departments); len(wrong) > 0 {
			errs = append(errs, fmt.Errorf("%s differs: %s", e.Name, strings.Join(wrong, "; ")))
		}
	}
	for _, id := range t.Creators {
		delete(found, id)
	}
	for id := range found {
		errs = append(errs, fmt.Errorf("the user %q is an orphan: nobody declares or holds it", id))
	}
	return errors.Join(append(errs, c.auditCount(account, len(t.Creators)))...)
}

// auditDepartments compares departments, and returns their ids by the names of their objects.
func (c *Company) auditDepartments(account string, units []Unit) (ids map[string]string, err error) {
	var errs []error
	ids = map[string]string{"": "1"}
	for i := range c.Departments {
		for _, a := range c.Departments[i].Status.Accounts {
			if a.Name == account {
				ids[c.Departments[i].Name] = a.DepartmentID
			}
		}
	}
	declared := map[Unit]bool{}
	for i := range c.Departments {
		d := &c.Departments[i]
		if slices.ContainsFunc(d.Spec.Accounts, func(a v1alpha1.DepartmentAccount) bool { return a.Name == account }) {
			declared[Unit{ID: ids[d.Name], Name: d.Spec.DisplayName, Parent: ids[d.Spec.ParentRef.Name]}] = true
		}
	}
	for _, u := range units {
		if !declared[u] {
			errs = append(errs, fmt.Errorf("the department %+v is not declared like that, or twice there", u))
		}
		delete(declared, u)
	}
	for u := range declared {
		errs = append(errs, fmt.Errorf("the department %+v is missing", u))
	}
	return ids, errors.Join(errs...)
}

// auditCount compares what the EnterpriseAccount says of itself.
func (c *Company) auditCount(account string, creators int) error {
	for i := range c.Accounts {
		a := &c.Accounts[i]
		if a.Name != account {
			continue
		}
		if n := a.Status.People.Unmanaged; n == nil || int(*n) != creators {
			return fmt.Errorf("the EnterpriseAccount names %v as unmanaged, want %d", a.Status.UnmanagedUserIDs, creators)
		}
	}
	return nil
}

func accountOf(e *v1alpha1.Employee, account string) *v1alpha1.EmployeeAccountStatus {
	for i := range e.Status.Accounts {
		if e.Status.Accounts[i].Name == account {
			return &e.Status.Accounts[i]
		}
	}
	return nil
}

// differs says in words what of the user is not as declared.
func (u *User) differs(c *Company, e *v1alpha1.Employee, account string, departments map[string]string) (wrong []string) {
	check := func(what, have, want string) {
		if have != want && want != "" {
			wrong = append(wrong, fmt.Sprintf("%s is %q, want %q", what, have, want))
		}
	}
	check("name", u.Name, e.Spec.Name)
	check("title", u.Title, e.Spec.Title)
	check("number", u.Number, e.Status.Number)
	check("email", u.Email, e.Spec.Contact.Email)
	if _, digits, _ := strings.Cut(e.Spec.Contact.Mobile, "-"); !strings.HasSuffix(u.Mobile, digits) {
		wrong = append(wrong, "mobile")
	}
	var in []string
	for _, d := range e.Spec.Departments {
		in = append(in, departments[d.Name])
	}
	check("departments", sorted(u.Departments), sorted(in))
	check("leads", sorted(u.Leads), sorted(c.leads(e.Name, departments)))
	check("state", fmt.Sprint(u.Frozen), fmt.Sprint(e.Spec.State == v1alpha1.EmployeeFrozen))
	for i := range c.Employees {
		if manager := &c.Employees[i]; manager.Name == e.Spec.ManagerRef.Name {
			if status := accountOf(manager, account); status != nil {
				check("manager", u.Manager, status.UserID)
			}
		}
	}
	return wrong
}

// leads are the ids of the departments that the Employee leads.
func (c *Company) leads(employee string, departments map[string]string) (ids []string) {
	for i := range c.Departments {
		d := &c.Departments[i]
		if slices.ContainsFunc(d.Spec.Managers, func(m v1alpha1.EmployeeReference) bool { return m.Name == employee }) {
			ids = append(ids, departments[d.Name])
		}
	}
	return ids
}

func sorted(ids []string) string {
	return strings.Join(slices.Sorted(slices.Values(ids)), ",")
}

// Created counts, by user id, the calls that created a user.
func (t *Tenant) Created(ctx context.Context) (map[string]int, error) {
	calls, err := t.Calls(ctx, core.Query{Operation: "user/create", Code: "0"})
	if err != nil {
		return nil, err
	}
	times := map[string]int{}
	for _, c := range calls {
		times[c.Subject]++
	}
	return times, nil
}
