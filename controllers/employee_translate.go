package controllers

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/mirror"
	"rollcall.dev/rollcall/internal/plan"
)

// The forms of contact data, as the CRD says them for inline values.
var (
	mobileForm = regexp.MustCompile(`^\+([1-9][0-9]{0,3}-[0-9]{4,14})$`)
	emailForm  = regexp.MustCompile(`^[0-9a-z._%+-]+@[0-9a-z-]+(\.[0-9a-z-]+)+$`)
)

// contact takes mobile and email from the spec, or from the Secret.
func (r *EmployeeReconciler) contact(ctx context.Context, s *employeeScope) error {
	c, p, err := declaredContact(ctx, r.Live, s.employee)
	if err != nil {
		return err
	}
	s.mobile, s.email = c.mobile, c.email
	s.version = strconv.FormatInt(s.employee.Generation, 10)
	if c.version != "" {
		s.version += "/" + c.version
	}
	if p != nil && !s.departed() {
		s.wait(p)
	}
	return nil
}

// contact is how somebody is reached; version is of the Secret that says so, if one does.
type contact struct{ mobile, email, version string }

// declaredContact reads the contact data of an Employee, live and into no cache (P12).
// p is what is wrong with it.
func declaredContact(ctx context.Context, live client.Reader, e *v1alpha1.Employee) (c contact, p *Problem, err error) {
	name := e.Spec.Contact.SecretRef.Name
	if name == "" {
		return contact{mobile: e.Spec.Contact.Mobile, email: e.Spec.Contact.Email}, nil, nil
	}
	secret := &corev1.Secret{}
	err = live.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return c, problem(v1alpha1.ReasonWaitingForContact, fmt.Sprintf("contact: there is no Secret %q in this namespace; create it with the keys mobile and/or email", name)), nil
	}
	if err != nil {
		return c, nil, fmt.Errorf("reading the contact Secret: %w", err)
	}
	c = contact{mobile: string(secret.Data["mobile"]), email: string(secret.Data["email"]), version: secret.ResourceVersion}
	switch {
	case c.mobile == "" && c.email == "":
		p = problem(v1alpha1.ReasonWaitingForContact, fmt.Sprintf("contact: the Secret %q has neither of the keys mobile and email", name))
	case c.mobile != "" && !mobileForm.MatchString(c.mobile):
		p = problem(v1alpha1.ReasonInvalidValue, fmt.Sprintf("contact: the key mobile of Secret %q is not of the form +<country>-<digits> (no spaces, no line break)", name))
	case c.email != "" && !emailForm.MatchString(c.email):
		p = problem(v1alpha1.ReasonInvalidValue, fmt.Sprintf("contact: the key email of Secret %q is not a mail address in lower case (no spaces, no line break)", name))
	}
	return c, p, nil
}

// wait keeps the first problem.
func (s *employeeScope) wait(p *Problem) {
	if s.problem == nil {
		s.problem = p
	}
}

// places reads the departments and the manager.
func (r *EmployeeReconciler) places(ctx context.Context, s *employeeScope) error {
	e := s.employee
	s.departments = make(map[string]*v1alpha1.Department, len(e.Spec.Departments))
	for _, ref := range e.Spec.Departments {
		d := &v1alpha1.Department{}
		err := r.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: ref.Name}, d)
		if apierrors.IsNotFound(err) && s.departed() {
			continue
		}
		if apierrors.IsNotFound(err) {
			s.wait(problem(v1alpha1.ReasonWaitingForDepartment, fmt.Sprintf("there is no Department %q in this namespace: create it, or correct spec.departments", ref.Name)))
			continue
		}
		if err != nil {
			return fmt.Errorf("reading a department: %w", err)
		}
		s.departments[ref.Name] = d
	}
	if e.Spec.ManagerRef.Name == "" {
		return nil
	}
	manager := &v1alpha1.Employee{}
	err := r.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: e.Spec.ManagerRef.Name}, manager)
	if apierrors.IsNotFound(err) {
		return nil // said where it matters, after everything else is done
	}
	if err != nil {
		return fmt.Errorf("reading the manager: %w", err)
	}
	s.manager = manager
	return nil
}

// primary is the name of the main department.
func primary(e *v1alpha1.Employee) string {
	if e.Spec.PrimaryDepartment != "" || len(e.Spec.Departments) == 0 {
		return e.Spec.PrimaryDepartment
	}
	return e.Spec.Departments[0].Name
}

// profile translates the declaration for one account. late is what is still
// waited for when everything else is done; p is what forbids to begin.
func (s *employeeScope) profile(m *mirror.Mirror, account string, seen *directory.Account) (profile directory.Profile, late, p *Problem) {
	e := s.employee
	profile = directory.Profile{Set: directory.FieldName | directory.FieldNumber, Name: e.Spec.Name, Number: e.Status.Number}
	declare := func(f directory.Fields, value string, into *string) {
		if value != "" {
			profile.Set |= f
			*into = value
		}
	}
	declare(directory.FieldMobile, s.mobile, &profile.Mobile)
	declare(directory.FieldEmail, s.email, &profile.Email)
	declare(directory.FieldTitle, e.Spec.Title, &profile.Title)
	declare(directory.FieldWorkplace, e.Spec.Workplace, &profile.Workplace)
	declare(directory.FieldHireDate, e.Spec.HireDate, &profile.HireDate)
	if len(e.Spec.Attributes) > 0 {
		profile.Set |= directory.FieldAttributes
		profile.Attributes = make(map[string]string, len(e.Spec.Attributes))
		for _, a := range e.Spec.Attributes {
			profile.Attributes[a.Name] = a.Value
		}
	}
	if p = s.memberships(m, account, seen, &profile); p != nil {
		return profile, nil, p
	}
	late = s.reportsTo(account, &profile)
	return profile, late, nil
}

// memberships resolves departments to ids. Order and leadership that nobody
// declared are taken as they are.
func (s *employeeScope) memberships(m *mirror.Mirror, account string, seen *directory.Account, profile *directory.Profile) *Problem {
	profile.Set |= directory.FieldDepartments
	for _, ref := range s.employee.Spec.Departments {
		d := s.departments[ref.Name]
		id, p := departmentID(m, d, ref.Name, account)
		if p != nil {
			return p
		}
		membership := directory.Membership{Department: id, Order: int64(ref.Order)}
		if ref.Order != 0 {
			profile.Set |= directory.FieldDepartmentOrder
		}
		if len(d.Spec.Managers) > 0 {
			profile.Set |= directory.FieldLeads
			membership.Leader = slices.ContainsFunc(d.Spec.Managers, func(r v1alpha1.EmployeeReference) bool { return r.Name == s.employee.Name })
		} else if seen != nil {
			have, _ := seen.Profile.In(id)
			membership.Leader = have.Leader
		}
		profile.Memberships = append(profile.Memberships, membership)
		if ref.Name == primary(s.employee) {
			profile.Set |= directory.FieldPrimaryDepartment
			profile.Primary = id
		}
	}
	return nil
}

func departmentID(m *mirror.Mirror, d *v1alpha1.Department, name, account string) (string, *Problem) {
	if d == nil {
		return "", problem(v1alpha1.ReasonWaitingForDepartment, fmt.Sprintf("there is no Department %q in this namespace: create it, or correct spec.departments", name))
	}
	if !slices.Contains(departmentAccounts(d), account) {
		return "", problem(v1alpha1.ReasonWaitingForDepartment, fmt.Sprintf("the Department %q is not on account %q: add the account to its spec.accounts", name, account))
	}
	st := departmentStatus(d, account)
	// A department that is not seen must not be written: WeCom would make a new
	// one of an unknown id (https://developer.work.weixin.qq.com/document/path/90195).
	if st == nil || !isOwned(st.Origin) || m.Department(st.DepartmentID) == nil {
		return "", problem(v1alpha1.ReasonWaitingForDepartment, fmt.Sprintf("the Department %q is not on the platform yet", name))
	}
	return st.DepartmentID, nil
}

// reportsTo resolves the manager. A person is not kept waiting for one: the
// manager is set as soon as it has an account.
func (s *employeeScope) reportsTo(account string, profile *directory.Profile) *Problem {
	ref := s.employee.Spec.ManagerRef.Name
	switch {
	case ref == "":
		return nil
	case s.manager == nil:
		return problem(v1alpha1.ReasonWaitingForPeople, fmt.Sprintf("managerRef: there is no Employee %q in this namespace: create it, or correct managerRef", ref))
	case !slices.Contains(employeeAccounts(s.manager), account):
		return nil // who is not on this platform cannot be anybody's manager there
	}
	st := accountStatus(s.manager, account)
	if hasLeft(s.manager, st) {
		return nil // nor can who has left it
	}
	if st == nil || !isOwned(st.Origin) || st.State == v1alpha1.AccountVanished {
		return problem(v1alpha1.ReasonWaitingForPeople, fmt.Sprintf("managerRef: the Employee %q has no account there yet", ref))
	}
	profile.Set |= directory.FieldManager
	profile.Manager = st.UserID
	return nil
}

// hasLeft reports whether somebody who has departed has no account of ours there any more.
func hasLeft(e *v1alpha1.Employee, st *v1alpha1.EmployeeAccountStatus) bool {
	return e.Spec.State == v1alpha1.EmployeeDeparted && (st == nil || !isOwned(st.Origin))
}

// ignoredFields are the fields by name, as the status keeps them.
func ignoredFields(names []string) (fields directory.Fields) {
	for _, n := range names {
		fields |= directory.ParseField(n)
	}
	return fields
}

func recordOf(s *v1alpha1.EmployeeAccountStatus) plan.Record {
	return plan.Record{
		ID: s.UserID, Origin: plan.Origin(s.Origin), Invited: s.State == v1alpha1.AccountInvited,
		FrozenByUs: s.FrozenBy == v1alpha1.FrozenByRollcall,
		Applied:    s.AppliedVersion, Ignored: ignoredFields(s.IgnoredFields),
	}
}
