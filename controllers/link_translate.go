package controllers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/plan"
)

// mapping is what a LinkedSystem makes of an Employee, compiled.
type mapping struct {
	login      *linked.Expression
	attributes map[string]*linked.Expression
	// manager: the expressions may ask for the manager.
	manager bool
}

// mappings keeps what is compiled of each LinkedSystem, until that is declared anew. Safe for concurrent use.
type mappings struct {
	mu  sync.Mutex
	all map[types.UID]compiled
}

type compiled struct {
	generation int64
	*mapping
	err error
}

// of compiles the mapping of a LinkedSystem. The error says which expression is wrong.
func (m *mappings) of(ls *v1alpha1.LinkedSystem) (*mapping, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if have, ok := m.all[ls.UID]; ok && have.generation == ls.Generation {
		return have.mapping, have.err
	}
	if m.all == nil {
		m.all = map[types.UID]compiled{}
	}
	made, err := compileMapping(&ls.Spec)
	m.all[ls.UID] = compiled{ls.Generation, made, err}
	return made, err
}

func (m *mappings) forget(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, uid)
}

func compileMapping(spec *v1alpha1.LinkedSystemSpec) (*mapping, error) {
	login := cmp.Or(spec.Login, "employee.number")
	made := &mapping{attributes: map[string]*linked.Expression{}, manager: strings.Contains(login, "manager")}
	var err error
	if made.login, err = linked.CompileOne("login", login); err != nil {
		return nil, err
	}
	for _, a := range spec.Attributes {
		if made.attributes[a.Name], err = linked.Compile(a.Name, a.Value); err != nil {
			return nil, err
		}
		made.manager = made.manager || strings.Contains(a.Value, "manager")
	}
	return made, nil
}

func attributeNames(spec *v1alpha1.LinkedSystemSpec) []string {
	names := make([]string, 0, len(spec.Attributes))
	for _, a := range spec.Attributes {
		names = append(names, a.Name)
	}
	return names
}

// profile is the person as mappings see it. The manager is read only where one of them asks.
func (r *LinkReconciler) profile(ctx context.Context, s *linkScope) error {
	e := s.employee
	c, p, err := declaredContact(ctx, r.Live, e)
	if err != nil {
		return err
	}
	s.contact = p
	s.person = linked.Person{
		Number: e.Status.Number, Name: e.Spec.Name, Email: c.email, Mobile: c.mobile, Title: e.Spec.Title, Workplace: e.Spec.Workplace,
		HireDate: e.Spec.HireDate, Labels: e.Labels,
	}
	if len(e.Spec.Attributes) > 0 {
		s.person.Attributes = map[string]string{}
		for _, a := range e.Spec.Attributes {
			s.person.Attributes[a.Name] = a.Value
		}
	}
	s.inputs = append(s.inputs, fmt.Sprint(e.UID, e.Generation), c.version, s.person.Number, e.Labels)
	for _, ref := range e.Spec.Departments {
		d := &v1alpha1.Department{}
		err := r.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: ref.Name}, d)
		if apierrors.IsNotFound(err) {
			s.missing = cmp.Or(s.missing, ref.Name)
			continue
		}
		if err != nil {
			return fmt.Errorf("reading a department: %w", err)
		}
		place := linked.Place{Name: d.Name, DisplayName: d.Spec.DisplayName, Code: d.Spec.Code}
		s.person.Departments = append(s.person.Departments, place)
		if ref.Name == primary(e) {
			s.person.PrimaryDepartment = place
		}
		s.inputs = append(s.inputs, fmt.Sprint(d.UID, d.Generation))
	}
	return nil
}

// colleague adds the manager to the person. Whoever has none there has none.
func (r *LinkReconciler) colleague(ctx context.Context, s *linkScope) error {
	if s.asked {
		return nil
	}
	s.asked = true
	manager, err := colleague(ctx, r.Client, s.employee, s.employee.Spec.ManagerRef.Name)
	if err != nil || manager == nil {
		return err
	}
	c, _, err := declaredContact(ctx, r.Live, manager)
	if err != nil {
		return err
	}
	s.person.Manager = &linked.Colleague{Number: declaredNumber(manager), Name: manager.Spec.Name, Email: c.email}
	s.managed = []any{fmt.Sprint(manager.UID, manager.Generation), c.version, s.person.Manager.Number}
	return nil
}

// version identifies what is declared for the person in a system. It is made of versions, and of nothing that tells who it is.
func (s *linkScope) version(ls *v1alpha1.LinkedSystem, m *mapping) string {
	inputs := append(slices.Clone(s.inputs), ls.UID, ls.Spec.Login, ls.Spec.Attributes)
	if m != nil && m.manager {
		inputs = append(inputs, s.managed...)
	}
	b, err := json.Marshal(inputs)
	if err != nil { // strings and labels always marshal
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// wish translates the declaration for one system. late is what is wrong with it, when access can still be taken away.
func (r *LinkReconciler) wish(ctx context.Context, s *linkScope, l *personLink) (late *Problem, err error) {
	ls := l.system
	l.wishState(s)
	m, err := r.mappings.of(ls)
	if err != nil {
		l.wish.Version = s.version(ls, nil)
		return problem(v1alpha1.ReasonInvalidValue, fmt.Sprintf("the mapping of the LinkedSystem %q is wrong: %s", ls.Name, err)), nil
	}
	if m.manager {
		if err := r.colleague(ctx, s); err != nil {
			return nil, err
		}
	}
	l.wish.Version = s.version(ls, m)
	if l.wish.Parts {
		l.wish.Login = cmp.Or(l.wish.Login, loginOf(m, s.person))
		if made := *l; l.status.Origin == v1alpha1.OriginCreating && s.contact == nil && s.missing == "" && made.mapped(m, s.person) == nil {
			l.wish.Made = made.wish.Attributes
		}
		return nil, nil
	}
	switch {
	case s.contact != nil:
		return s.contact, nil
	case s.missing != "":
		return problem(v1alpha1.ReasonWaitingForDepartment, fmt.Sprintf("there is no Department %q in this namespace: create it, or correct spec.departments", s.missing)), nil
	}
	return l.mapped(m, s.person), nil
}

// wishState begins a wish: whether the account is to be usable, and what is to be done about that.
func (l *personLink) wishState(s *linkScope) {
	e, ls := s.employee, l.system
	l.wish = plan.LinkWish{
		Number: e.Status.Number, State: directory.Active, Provision: ls.Spec.OnJoin == v1alpha1.OnJoinProvision,
		OnFreeze: plan.UnlinkAct(cmp.Or(ls.Spec.OnFreeze, v1alpha1.UnlinkDisable)), Adoption: adoption("", ls.Spec.AdoptionPolicy),
	}
	if e.Spec.State == v1alpha1.EmployeeFrozen {
		l.wish.State = directory.Frozen
	}
	if l.off || s.leaves() { // nothing is wished of it but that access ends, unless that is retained
		l.wish.State, l.wish.OnFreeze, l.wish.Provision, l.wish.Parts = directory.Frozen, plan.ActDisable, false, true
		if l.retains() {
			l.wish.OnFreeze = plan.ActRetain
		}
	}
	if l.declared != nil {
		l.wish.ID, l.wish.Login, l.wish.Renames = l.declared.AccountID, l.declared.Login, l.declared.Login != ""
	}
}

func loginOf(m *mapping, person linked.Person) string {
	login, err := m.login.Values(person)
	if err != nil || len(login) == 0 {
		return ""
	}
	return login[0]
}

// mapped makes login and attributes of the person.
func (l *personLink) mapped(m *mapping, person linked.Person) *Problem {
	if l.wish.Login == "" {
		login, err := m.login.Values(person)
		if err != nil {
			return problemOf(err)
		}
		if len(login) > 0 {
			l.wish.Login = login[0]
		}
	}
	attributes := map[string][]string{}
	for name, expression := range m.attributes {
		values, err := expression.Values(person)
		if err != nil {
			return problemOf(err)
		}
		attributes[name] = values
	}
	l.wish.Attributes = attributes
	return nil
}

// linkRecordOf is what is durably known.
func linkRecordOf(st *v1alpha1.LinkedAccountStatus) plan.LinkRecord {
	return plan.LinkRecord{
		ID: st.AccountID, Origin: plan.Origin(st.Origin), DisabledByUs: st.DisabledBy == v1alpha1.FrozenByRollcall,
		Applied: st.AppliedVersion, Ignored: st.IgnoredAttributes, Updates: st.Updates,
	}
}
