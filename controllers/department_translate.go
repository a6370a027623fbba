package controllers

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/mirror"
	"rollcall.dev/rollcall/internal/plan"
)

// ancestry reads the parent, and looks for a cycle on the way up.
func (r *DepartmentReconciler) ancestry(ctx context.Context, s *departmentScope) error {
	path := []string{s.department.Name}
	for at := s.department; at.Spec.ParentRef.Name != ""; {
		next := &v1alpha1.Department{}
		err := r.Get(ctx, client.ObjectKey{Namespace: at.Namespace, Name: at.Spec.ParentRef.Name}, next)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the department above: %w", err)
		}
		if s.parent == nil {
			s.parent = next
		}
		if i := slices.Index(path, next.Name); i >= 0 {
			s.cycle = strings.Join(append(path[i:], next.Name), " → ")
			return nil
		}
		path = append(path, next.Name)
		at = next
	}
	return nil
}

// place decides about the department on one account.
func (r *DepartmentReconciler) place(ctx context.Context, s *departmentScope, spec *v1alpha1.DepartmentAccount) (*departmentAccount, error) {
	d := s.department
	a := &departmentAccount{status: v1alpha1.DepartmentAccountStatus{Name: spec.Name}}
	if old := departmentStatus(d, spec.Name); old != nil {
		a.status = *old.DeepCopy()
	}
	account, problem, err := enterpriseAccount(ctx, r, d.Namespace, spec.Name)
	if err != nil || problem != nil {
		a.problem = problem
		return a, err
	}
	a.tenant = r.Tenants.Get(d.Namespace + "/" + spec.Name)
	if a.tenant == nil || !a.tenant.Mirror.State().Listed || !account.DeletionTimestamp.IsZero() {
		a.tenant, a.problem = nil, notListed(account, problemAgain(a.status.Reason, a.status.Message), observed(d.Status.ObservedGeneration, d.Generation))
		return a, nil
	}
	a.observe = account.Spec.Mode == v1alpha1.ModeObserve
	record := departmentRecord(&a.status)
	if o, ok := a.tenant.Lane.Outcome(s.lane); ok {
		a.outcome = o
		record = foldDepartment(record, o, departmentObjectKey(d))
		if o.FoundDepartment != nil {
			a.tenant.Mirror.PutDepartment(*o.FoundDepartment)
		}
	}
	waiting, err := r.wish(ctx, s, spec, account, a)
	if err != nil || a.problem != nil {
		return a, err
	}
	if err := r.decide(ctx, s, a, record); err != nil {
		return a, err
	}
	a.problem = s.outlook(a, waiting)
	return a, nil
}

// outlook is what the plan means for whoever waits for the department.
func (s *departmentScope) outlook(a *departmentAccount, waiting *Problem) *Problem {
	switch {
	case a.plan.Hold != nil:
		return problemOfHold(a.plan.Hold)
	case a.observe && writes(departmentKinds(a.plan.Actions)):
		return wouldDo(a.plan.Differ.Names(), departmentKinds(a.plan.Actions))
	case len(a.plan.Actions) > 0:
		return underway(a.tenant.Lane.Last(s.lane, a.plan.Digest()))
	}
	return waiting
}

// decide plans from the record and what is known now.
func (r *DepartmentReconciler) decide(ctx context.Context, s *departmentScope, a *departmentAccount, record plan.DepartmentRecord) error {
	facts, err := r.facts(ctx, s, a, record)
	if err != nil {
		return err
	}
	a.plan = plan.ForDepartment(a.wish, record, facts)
	if record.Origin == plan.Creating && a.tenant.Lane.Refused(s.lane, a.plan.Digest()) {
		// There is nothing to be finished as it was begun: what is declared now counts.
		return r.decide(ctx, s, a, plan.DepartmentRecord{})
	}
	return nil
}

// enterpriseAccount reads an account that others refer to.
func enterpriseAccount(ctx context.Context, c client.Reader, namespace, name string) (*v1alpha1.EnterpriseAccount, *Problem, error) {
	account := &v1alpha1.EnterpriseAccount{}
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, account)
	if apierrors.IsNotFound(err) {
		return nil, problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("there is no EnterpriseAccount %q in this namespace: create it, or correct spec.accounts", name)), nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the EnterpriseAccount: %w", err)
	}
	return account, nil, nil
}

// notListed says why nothing is known of a tenant. What was seen of this very
// declaration before still holds; that something is being done about it does not.
func notListed(account *v1alpha1.EnterpriseAccount, before *Problem, observed bool) *Problem {
	switch {
	case observed && (before == nil || before.Stalled):
		return before
	case !account.DeletionTimestamp.IsZero():
		return problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("the EnterpriseAccount %q is being deleted: its platform is not called any more", account.Name))
	case account.Spec.Mode == v1alpha1.ModeSuspended:
		return problem(v1alpha1.ReasonSuspended, fmt.Sprintf("the EnterpriseAccount %q is Suspended: its platform is not called", account.Name))
	case observed && before.Reason != v1alpha1.ReasonSuspended:
		return before
	}
	return problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("the directory of EnterpriseAccount %q was not read yet; its conditions say how it stands", account.Name))
}

func observed(seen *int64, generation int64) bool { return seen != nil && *seen == generation }

// problemAgain is the problem that a status tells of.
func problemAgain(reason, message string) *Problem {
	if reason == "" {
		return nil
	}
	return problem(reason, strings.TrimPrefix(message, v1alpha1.ReasonCodes[reason]+": "))
}

// departmentObjectKey is the key that platforms keep with the department, where they can.
func departmentObjectKey(d *v1alpha1.Department) string { return d.Namespace + "/" + d.Name }

func departmentVersion(d *v1alpha1.Department) string { return strconv.FormatInt(d.Generation, 10) }

// wish translates the declaration. It returns what is still waited for when everything else is done.
func (r *DepartmentReconciler) wish(ctx context.Context, s *departmentScope, spec *v1alpha1.DepartmentAccount, account *v1alpha1.EnterpriseAccount, a *departmentAccount) (waiting *Problem, err error) {
	d := s.department
	capabilities := a.tenant.Directory.Capabilities()
	parent := capabilities.RootDepartment
	if above := d.Spec.ParentRef.Name; above != "" {
		if parent, a.problem = s.parentID(spec.Name); a.problem != nil {
			return nil, nil //nolint:nilerr // a problem is a finding, not an error
		}
	}
	w := directory.Department{
		Set: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentKey,
		ID:  spec.DepartmentID, Name: d.Spec.DisplayName, Parent: parent, Key: departmentObjectKey(d),
	}
	if w.ID == capabilities.RootDepartment {
		w.Set &^= directory.DepartmentParent // the company itself is below nothing
	}
	if d.Spec.Order != 0 {
		w.Set, w.Order = w.Set|directory.DepartmentOrder, int64(d.Spec.Order)
	}
	if len(d.Spec.Managers) > 0 {
		var managers []string
		if managers, waiting, err = r.managers(ctx, d, spec.Name, a); err != nil {
			return nil, err
		}
		if waiting == nil && capabilities.DepartmentWrites.Has(directory.DepartmentManagers) { // elsewhere people are marked as leaders
			w.Set, w.Managers = w.Set|directory.DepartmentManagers, managers
		}
	}
	a.wish = plan.DepartmentWish{
		Department: w, Version: departmentVersion(d),
		Choice:   chooseDepartmentID(a.tenant.Mirror, departmentObjectKey(d)),
		Adoption: adoption(spec.AdoptionPolicy, account.Spec.AdoptionPolicy),
	}
	return waiting, nil
}

func adoption(own, inherited v1alpha1.AdoptionPolicy) plan.Adoption {
	for _, p := range []v1alpha1.AdoptionPolicy{own, inherited} {
		if p != "" {
			return plan.Adoption(p)
		}
	}
	return plan.Review
}

// parentID is the platform's id of the department above on the account.
func (s *departmentScope) parentID(account string) (string, *Problem) {
	name := s.department.Spec.ParentRef.Name
	switch {
	case s.cycle != "":
		return "", problem(v1alpha1.ReasonDepartmentCycle, "parentRef goes round in a circle: "+s.cycle+". Give one of them another parentRef")
	case s.parent == nil:
		return "", problem(v1alpha1.ReasonWaitingForDepartment, fmt.Sprintf("there is no Department %q in this namespace: create it, or correct parentRef", name))
	case !slices.Contains(departmentAccounts(s.parent), account):
		return "", problem(v1alpha1.ReasonParentNotOn, fmt.Sprintf("the Department %q above is not on account %q: add the account to it, or remove it here", name, account))
	}
	if above := departmentStatus(s.parent, account); above != nil && isOwned(above.Origin) {
		return above.DepartmentID, nil
	}
	return "", problem(v1alpha1.ReasonWaitingForDepartment, fmt.Sprintf("the Department %q above is not on the platform yet; parents come first", name))
}

// managers resolves the people who lead the department to their user ids. They
// have to be in the department first.
func (r *DepartmentReconciler) managers(ctx context.Context, d *v1alpha1.Department, account string, a *departmentAccount) ([]string, *Problem, error) {
	var ids []string
	for _, m := range d.Spec.Managers {
		e := &v1alpha1.Employee{}
		err := r.Get(ctx, client.ObjectKey{Namespace: d.Namespace, Name: m.Name}, e)
		switch {
		case apierrors.IsNotFound(err):
			return nil, problem(v1alpha1.ReasonWaitingForPeople, fmt.Sprintf("managers: there is no Employee %q in this namespace", m.Name)), nil
		case err != nil:
			return nil, nil, fmt.Errorf("reading a manager: %w", err)
		case !slices.Contains(employeeDepartments(e), d.Name):
			return nil, problem(v1alpha1.ReasonInvalidValue, fmt.Sprintf("managers: the Employee %q is not in this department: add the department to the person, or name somebody else", m.Name)), nil
		case !slices.Contains(employeeAccounts(e), account):
			continue // who is not on this platform cannot lead there
		}
		s := accountStatus(e, account)
		if hasLeft(e, s) {
			continue // nor can who has left it
		}
		if s == nil || !isOwned(s.Origin) {
			return nil, problem(v1alpha1.ReasonWaitingForPeople, fmt.Sprintf("managers: the Employee %q has no account there yet", m.Name)), nil
		}
		seen := a.tenant.Mirror.Account(s.UserID)
		if seen == nil {
			return nil, problem(v1alpha1.ReasonWaitingForPeople, fmt.Sprintf("managers: the account of Employee %q was not seen yet", m.Name)), nil
		}
		if _, in := seen.Profile.In(a.status.DepartmentID); !in {
			return nil, problem(v1alpha1.ReasonWaitingForPeople, fmt.Sprintf("managers: the Employee %q is not in the department on the platform yet", m.Name)), nil
		}
		ids = append(ids, seen.ID)
	}
	return ids, nil, nil
}

// chooseDepartmentID derives an id from the object's name, so that the same object asks
// for the same id after any crash (P3), and steps aside for ids that are taken.
// WeCom takes ids from 2 up to 2^31-1
// (https://developer.work.weixin.qq.com/document/path/90205).
func chooseDepartmentID(m *mirror.Mirror, key string) string {
	for salt := 0; ; salt++ {
		h := fnv.New32a()
		fmt.Fprintf(h, "%s#%d", key, salt)
		id := strconv.FormatUint(uint64(h.Sum32()%(1<<31-2))+2, 10)
		if m.Department(id) == nil || salt == 8 {
			return id
		}
	}
}

func departmentRecord(s *v1alpha1.DepartmentAccountStatus) plan.DepartmentRecord {
	r := plan.DepartmentRecord{ID: s.DepartmentID, Origin: plan.Origin(s.Origin), Applied: s.AppliedVersion}
	r.AskedName, r.AskedParent = s.Creating.DisplayName, s.Creating.ParentID
	for _, f := range []directory.DepartmentFields{directory.DepartmentName, directory.DepartmentParent, directory.DepartmentOrder, directory.DepartmentManagers} {
		if slices.Contains(s.IgnoredFields, f.Names()[0]) {
			r.Ignored |= f
		}
	}
	return r
}

func foldDepartment(r plan.DepartmentRecord, o *execute.Outcome, key string) plan.DepartmentRecord {
	ours := o.FoundDepartment != nil && o.FoundDepartment.Set.Has(directory.DepartmentKey) && o.FoundDepartment.Key == key
	if r.Origin == plan.Creating && o.Existed && !o.Asked && !ours {
		return plan.DepartmentRecord{} // somebody else made it since we looked: it is adopted like any other, or not (P4)
	}
	if o.Created {
		r.Origin, r.ID, r.AskedName, r.AskedParent = plan.Created, o.ID, "", ""
	}
	if o.Err == nil && len(o.Done) > 0 {
		if r.Applied != o.Version {
			r.Ignored = 0
		}
		r.Applied = o.Version
		r.Ignored |= o.IgnoredDepartment
	}
	return r
}

func (r *DepartmentReconciler) facts(ctx context.Context, s *departmentScope, a *departmentAccount, record plan.DepartmentRecord) (plan.DepartmentFacts, error) {
	m := a.tenant.Mirror
	f := plan.DepartmentFacts{Capabilities: a.tenant.Directory.Capabilities(), Listed: true}
	id := record.ID
	if id == "" {
		id = a.wish.Department.ID
	}
	if id != "" {
		f.Department, f.Absent = m.Department(id), m.DepartmentAbsent(id)
	}
	if f.Department == nil {
		begun := record.Begun(a.wish.Department)
		f.Sibling = m.Child(begun.Parent, begun.Name)
		if f.Sibling != nil {
			id = f.Sibling.ID
		}
	}
	var err error
	f.Claimant, err = r.claimant(ctx, s.department, a.status.Name, id)
	return f, err
}

// claimant names the Department that holds the id instead of d: one that has it
// already goes before one that would take it, then the older.
func (r *DepartmentReconciler) claimant(ctx context.Context, d *v1alpha1.Department, account, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	var rivals v1alpha1.DepartmentList
	if err := r.List(ctx, &rivals, client.InNamespace(d.Namespace), client.MatchingFields{indexClaim: claimKey(account, id)}); err != nil {
		return "", fmt.Errorf("listing who claims the department: %w", err)
	}
	owns := func(d *v1alpha1.Department) bool {
		s := departmentStatus(d, account)
		return s != nil && isOwned(s.Origin) && s.DepartmentID == id
	}
	best := d
	for i := range rivals.Items {
		other := &rivals.Items[i]
		if other.UID != best.UID && (owns(other) && !owns(best) || owns(other) == owns(best) && older(other, best)) {
			best = other
		}
	}
	if best.UID == d.UID {
		return "", nil
	}
	return "the Department " + best.Name, nil
}

func departmentKinds(actions []plan.DepartmentAction) []plan.Kind {
	var kinds []plan.Kind
	for _, a := range actions {
		kinds = append(kinds, a.Kind)
	}
	return kinds
}
