package controllers

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/plan"
)

// accounts decides about the person on each account.
func (r *EmployeeReconciler) accounts(ctx context.Context, s *employeeScope) error {
	decide := r.account
	if s.departed() {
		decide = r.departure
	}
	if len(s.leavings) == 0 {
		s.employee.Status.OffboardingName = "" // it was recorded, and is begun again below or never was
	}
	for i := range s.employee.Spec.Accounts {
		a, err := decide(ctx, s, &s.employee.Spec.Accounts[i])
		if err != nil {
			return err
		}
		s.accounts = append(s.accounts, a)
	}
	return r.takenOff(ctx, s)
}

// standing is how the person stands on the account, as recorded.
func (r *EmployeeReconciler) standing(s *employeeScope, account string) *employeeAccount {
	e := s.employee
	a := &employeeAccount{key: client.ObjectKey{Namespace: e.Namespace, Name: account}, leaving: s.leavingOf(account)}
	a.status = v1alpha1.EmployeeAccountStatus{Name: account, State: v1alpha1.AccountWaiting}
	if old := accountStatus(e, account); old != nil {
		a.status = *old.DeepCopy()
	}
	a.tenant = r.Tenants.Get(a.key.String())
	return a
}

func (r *EmployeeReconciler) account(ctx context.Context, s *employeeScope, spec *v1alpha1.EmployeeAccount) (*employeeAccount, error) {
	a := r.standing(s, spec.Name)
	if a.leaving != nil {
		s.employee.Status.OffboardingName = a.leaving.Name
	}
	if a.follow(true) {
		return a, nil
	}
	a.inherit(spec, s.employee.Generation)
	return a, r.converge(ctx, s, a, spec)
}

// converge plans how the account becomes as wished.
func (r *EmployeeReconciler) converge(ctx context.Context, s *employeeScope, a *employeeAccount, spec *v1alpha1.EmployeeAccount) error {
	e := s.employee
	if a.problem = s.problem; a.problem != nil {
		return nil //nolint:nilerr // a problem is a finding, not an error
	}
	account, missing, err := enterpriseAccount(ctx, r, e.Namespace, spec.Name)
	if err != nil || missing != nil {
		a.problem = missing
		return err
	}
	if a.tenant == nil || !a.tenant.Mirror.State().Listed || (!account.DeletionTimestamp.IsZero() && !s.ending) {
		known := accountStatus(e, spec.Name) != nil && observed(e.Status.ObservedGeneration, e.Generation)
		a.tenant, a.problem = nil, notListed(account, problemAgain(a.status.Reason, a.status.Message), known)
		return nil
	}
	a.observe = account.Spec.Mode == v1alpha1.ModeObserve
	record := r.record(s, a, account, spec)
	if a.problem = r.wish(s, a, account, spec, record); a.problem != nil {
		return nil //nolint:nilerr // a problem is a finding, not an error
	}
	if record.Applied == untouched(e.Generation) {
		record.Applied = a.version
	}
	return r.decide(ctx, s, a, record)
}

// record is what is durably known, what a task has just done, and what was
// retained when the same person was declared before.
func (r *EmployeeReconciler) record(s *employeeScope, a *employeeAccount, account *v1alpha1.EnterpriseAccount, spec *v1alpha1.EmployeeAccount) plan.Record {
	record := recordOf(&a.status)
	if record.Origin == "" {
		id := claimedID(s.employee, spec)
		for _, kept := range account.Status.Retained {
			if fold(kept.UserID) == fold(id) && a.tenant.Mirror.Account(id) != nil {
				record.ID, record.Origin = kept.UserID, plan.Origin(kept.Origin)
			}
		}
	}
	if o, ok := a.tenant.Lane.Outcome(s.lane); ok {
		a.outcome = o
		record = foldAccount(record, o)
		if o.Found != nil {
			a.tenant.Mirror.Put(*o.Found)
		}
	}
	return record
}

func foldAccount(r plan.Record, o *execute.Outcome) plan.Record {
	if r.Origin == plan.Creating && o.Existed && !o.Asked {
		return plan.Record{} // somebody else made it since we looked: it is adopted like any other, or not (P4)
	}
	if o.Created {
		r.Origin = plan.Created
	}
	r.Invited = r.Invited || o.Invited
	r.FrozenByUs = r.FrozenByUs || slices.Contains(o.Done, plan.Freeze)
	wrote := slices.Contains(o.Done, plan.Create) || slices.Contains(o.Done, plan.Update)
	if o.Err == nil && wrote {
		if r.Applied != o.Version {
			r.Ignored = 0
		}
		r.Applied = o.Version
		r.Ignored |= o.Ignored
	}
	return r
}

// wish translates the declaration for one account.
func (r *EmployeeReconciler) wish(s *employeeScope, a *employeeAccount, account *v1alpha1.EnterpriseAccount, spec *v1alpha1.EmployeeAccount, record plan.Record) *Problem {
	id := spec.UserID
	if id == "" {
		chosen, err := r.Platforms[a.tenant.Directory.Capabilities().Platform].AccountID(s.employee.Status.Number)
		if err != nil {
			return problemOf(err)
		}
		id = chosen
	}
	if record.Origin.Owned() || (record.Origin == plan.Creating && spec.UserID == "") {
		id = record.ID
	}
	profile, late, p := s.profile(a.tenant.Mirror, spec.Name, a.tenant.Mirror.Account(id))
	if s.leavesOff() {
		profile, late, p = s.bare(record), nil, nil
	}
	if p != nil {
		return p
	}
	if capabilities := a.tenant.Directory.Capabilities(); !capabilities.Writes.Has(directory.FieldLeads) {
		profile.Set &^= directory.FieldLeads // the Department sees to its managers there
	}
	a.late, a.version = late, s.version
	if profile.Set.Has(directory.FieldManager) {
		// The manager got an account: that is a new declaration to platforms that do not show managers.
		a.version += "/m"
	}
	a.wish = plan.Wish{
		ID: id, Pinned: spec.UserID != "", Type: directory.Ordinary, State: directory.Active,
		Profile: profile, Version: a.version,
		Adoption: adoption(spec.AdoptionPolicy, account.Spec.AdoptionPolicy),
	}
	if spec.Type != "" {
		a.wish.Type = directory.AccountType(spec.Type)
	}
	if s.employee.Spec.State == v1alpha1.EmployeeFrozen || s.leavesOff() {
		a.wish.State = directory.Frozen
	}
	return nil
}

// leavesOff reports whether nothing is wished of the person but that access ends.
func (s *employeeScope) leavesOff() bool { return s.departed() || s.ending }

// bare is what is wished of somebody who has departed: nothing, but that an account that is not ours yet is theirs.
func (s *employeeScope) bare(record plan.Record) directory.Profile {
	if record.Origin.Owned() {
		return directory.Profile{}
	}
	return directory.Profile{Set: directory.FieldName | directory.FieldNumber, Name: s.employee.Spec.Name, Number: s.employee.Status.Number}
}

// decide asks the plan, and says in the API's words what it answered.
func (r *EmployeeReconciler) decide(ctx context.Context, s *employeeScope, a *employeeAccount, record plan.Record) error {
	facts, err := r.facts(ctx, s, a, record)
	if err != nil {
		return err
	}
	a.plan, a.planned = plan.For(a.wish, record, facts), true
	if s.leavesOff() {
		a.restrain(s, record)
	}
	if err := r.admit(ctx, s, a, record); err != nil {
		return err
	}
	p := &a.plan
	switch {
	case a.leaves, a.held:
	case p.Hold != nil:
		a.problem = problemOfHold(p.Hold)
		if facts.Claimant != "" {
			s.contest(a.problem)
		}
	case a.observe && writes(accountKinds(p.Actions)):
		a.problem = wouldDo(differences(p), accountKinds(p.Actions))
	case len(p.Actions) > 0:
		a.problem = underway(a.tenant.Lane.Last(s.lane, p.Digest()))
		if record.Origin.Owned() && record.Applied == a.version && a.outcome == nil && a.status.Reason == "" {
			r.Metrics.Drifted(a.key)
		}
	default:
		a.problem = a.late
	}
	a.seen(a.tenant.Mirror.Account(a.plan.Record.ID), s.departed())
	return nil
}

// admit asks whether somebody may lose access now (P6). Who was admitted is not asked for again, until the account
// is thawed.
func (r *EmployeeReconciler) admit(ctx context.Context, s *employeeScope, a *employeeAccount, record plan.Record) error {
	p, e := &a.plan, s.employee
	if a.wish.State != directory.Frozen && !p.Record.FrozenByUs {
		a.status.AdmittedTime, a.status.AdmittedBy = nil, ""
	}
	freezes := slices.Contains(accountKinds(p.Actions), plan.Freeze)
	if !freezes || a.observe || a.status.AdmittedTime != nil {
		return nil
	}
	admission, err := r.Limiter.Admit(ctx, a.key, Candidate{UID: e.UID, Kind: "Employee", Name: e.Name, Number: e.Status.Number, Action: "Freeze"})
	if err != nil {
		return err
	}
	if admission.Admitted {
		now := metav1.Now()
		a.status.AdmittedTime, a.status.AdmittedBy = &now, admission.By
		return nil
	}
	a.held, p.Actions, p.Record = true, nil, record
	if a.problem = admission.Problem; a.problem == nil {
		a.problem = problem(v1alpha1.ReasonRemovalLimit, "more people would lose access than the account's removalLimits allow: this one keeps it until an Approval is decided")
	}
	return nil
}

// seen says how the account stands.
func (a *employeeAccount) seen(account *directory.Account, departed bool) {
	switch {
	case a.plan.Hold != nil && a.plan.Hold.Reason == plan.Vanished:
		a.status.State = v1alpha1.AccountVanished
	case a.plan.Record.Invited:
		a.status.State = v1alpha1.AccountInvited
	case !a.plan.Record.Origin.Owned() && account == nil && departed && a.plan.InSync():
		a.status.State = v1alpha1.AccountDeparted // nobody is there who would have to leave
	case !a.plan.Record.Origin.Owned() && account == nil && a.wish.State == directory.Frozen && a.status.State == v1alpha1.AccountDeparted:
	case !a.plan.Record.Origin.Owned():
		a.status.State = v1alpha1.AccountWaiting
	case account == nil: // a listing lacks it, and nothing is concluded yet
	case account.State == directory.Frozen:
		a.status.State, a.status.Type = v1alpha1.AccountFrozen, v1alpha1.AccountType(account.Type)
	default:
		a.status.State, a.status.Type = v1alpha1.AccountActive, v1alpha1.AccountType(account.Type)
	}
}

func differences(p *plan.Plan) []string {
	names := p.Differ.Names()
	if p.StateDiffers {
		names = append(names, "state")
	}
	return names
}

// writes reports whether one of the actions changes the platform; Observe carries out the others.
func writes(kinds []plan.Kind) bool { return slices.ContainsFunc(kinds, plan.Kind.Writes) }

func accountKinds(actions []plan.Action) []plan.Kind {
	var kinds []plan.Kind
	for _, a := range actions {
		kinds = append(kinds, a.Kind)
	}
	return kinds
}

// facts gathers what is known of the account. It makes no call.
func (r *EmployeeReconciler) facts(ctx context.Context, s *employeeScope, a *employeeAccount, record plan.Record) (plan.Facts, error) {
	m := a.tenant.Mirror
	state := m.State()
	id := a.wish.ID
	f := plan.Facts{
		Capabilities: a.tenant.Directory.Capabilities(),
		Listed:       state.Listed, Complete: state.Complete(),
		Account: m.Account(id), Absent: m.Absent(id), Doubtful: m.Doubtful(id),
	}
	var err error
	if f.Account == nil && record.Origin == "" && !a.wish.Pinned {
		if f.Namesakes, err = r.namesakes(ctx, s.employee, a); err != nil {
			return f, err
		}
		if len(f.Namesakes) == 1 {
			id = f.Namesakes[0].ID
		}
	}
	var refused []string
	f.Claimant, refused, err = r.claimant(ctx, s.employee, a.status.Name, id)
	if len(refused) > 0 {
		s.contest(problem(v1alpha1.ReasonDataConflict, fmt.Sprintf("the account %q on %s is claimed by %s, too, and refused to them; this one keeps it", id, a.status.Name, people(refused))))
	}
	return f, err
}

// namesakes are accounts that carry the person's number and are nobody's.
func (r *EmployeeReconciler) namesakes(ctx context.Context, e *v1alpha1.Employee, a *employeeAccount) ([]directory.Account, error) {
	var free []directory.Account
	for _, other := range a.tenant.Mirror.Numbered(e.Status.Number) {
		holder, _, err := r.claimant(ctx, e, a.status.Name, other.ID)
		if err != nil {
			return nil, err
		}
		if holder == "" {
			free = append(free, other)
		}
	}
	return free, nil
}

// claimant names the Employee that holds the user id instead of e (P4): one that
// has the account already goes before one that would take it, then the older. If
// e holds it, refused are the others who claim it.
func (r *EmployeeReconciler) claimant(ctx context.Context, e *v1alpha1.Employee, account, id string) (holder string, refused []string, err error) {
	var rivals v1alpha1.EmployeeList
	if err := r.List(ctx, &rivals, client.InNamespace(e.Namespace), client.MatchingFields{indexClaim: claimKey(account, id)}); err != nil {
		return "", nil, fmt.Errorf("listing who claims the account: %w", err)
	}
	best := e
	for i := range rivals.Items {
		other := &rivals.Items[i]
		if other.UID == e.UID {
			continue
		}
		refused = append(refused, other.Name)
		if precedes(other, best, account, id) {
			best = other
		}
	}
	if best.UID == e.UID {
		return "", refused, nil
	}
	return "the Employee " + best.Name, nil, nil
}

func precedes(a, b *v1alpha1.Employee, account, id string) bool {
	owns := func(e *v1alpha1.Employee) bool {
		s := accountStatus(e, account)
		return s != nil && isOwned(s.Origin) && fold(s.UserID) == fold(id)
	}
	if owns(a) != owns(b) {
		return owns(a)
	}
	return older(a, b)
}

// contest remembers that somebody else claims what is this person's.
func (s *employeeScope) contest(p *Problem) {
	if s.unique == nil {
		s.unique = p
	}
}
