package controllers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/tenant"
)

// roleSeen is what was last read of a binding's role. It does not change.
type roleSeen struct {
	uid    types.UID
	tenant *tenant.Tenant
	// listed is when the listing began that the reading came after.
	listed time.Time
	// doubtful: something was changed since, or may have been.
	doubtful bool
	// missing: the platform has no such role.
	missing bool
	role    directory.Role
	origin  plan.Origin
	members []directory.RoleMember
	// holds are the accounts among them by the mirror's key.
	holds map[string]directory.RoleMember
	// did is what the task that read it had changed before, nil if nothing.
	did *execute.RoleOutcome
}

// taken are the accounts that the role was taken from just before it was read.
func (s *roleSeen) taken() []string {
	if s.did == nil {
		return nil
	}
	return s.did.Taken
}

// roleMemory keeps what was read of the roles of bindings. The zero value is ready; safe for
// concurrent use.
type roleMemory struct {
	mu   sync.Mutex
	seen map[types.NamespacedName]*roleSeen
}

// get returns what was read for b on this tenant, nil if nothing was, and whether that was
// after the last listing.
func (m *roleMemory) get(b *v1alpha1.PermissionBinding, t *tenant.Tenant) (*roleSeen, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.seen[client.ObjectKeyFromObject(b)]
	if s == nil || s.uid != b.UID || s.tenant != t {
		return nil, false
	}
	return s, !s.doubtful && s.listed.Equal(t.Mirror.State().ListedAt)
}

// doubt: the role is about to be changed.
func (m *roleMemory) doubt(b types.NamespacedName) { m.mark(b, true) }

// trust: it was not changed after all.
func (m *roleMemory) trust(b types.NamespacedName) { m.mark(b, false) }

func (m *roleMemory) mark(b types.NamespacedName, doubtful bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.seen[b]; s != nil {
		older := *s
		older.doubtful = doubtful
		m.seen[b] = &older
	}
}

func (m *roleMemory) put(b types.NamespacedName, s *roleSeen) {
	s.holds = make(map[string]directory.RoleMember, len(s.members))
	for _, h := range s.members {
		if h.Account != "" {
			s.holds[s.tenant.Mirror.Key(h.Account)] = h
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[types.NamespacedName]*roleSeen{}
	}
	m.seen[b] = s
}

func (m *roleMemory) forget(b *v1alpha1.PermissionBinding) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.seen, client.ObjectKeyFromObject(b))
}

// Priorities of bindings in a lane: taking a role away goes before all ordinary work, after
// freezing (P2).
const (
	rolePriority   = employeePriority
	revokePriority = freezePriority - 10
)

// offer makes the lane's task. What it reads is remembered under the binding's name.
func (r *PermissionBindingReconciler) offer(s *bindingScope, digest string, priority int, run func(context.Context, *roleSeen) error) {
	name, t := client.ObjectKeyFromObject(s.binding), s.tenant
	next := roleSeen{uid: s.binding.UID, tenant: t}
	if s.role != nil {
		next.role, next.origin, next.members = s.role.role, s.role.origin, s.role.members
	}
	s.task = &execute.Task{Digest: digest, Priority: priority, Run: func(ctx context.Context) execute.Outcome {
		seen := next
		seen.listed = t.Mirror.State().ListedAt
		err := run(ctx, &seen)
		if err == nil || seen.did != nil {
			r.roles.put(name, &seen)
		}
		return execute.Outcome{Err: err}
	}}
	if err := t.Lane.Peek(s.lane, digest).Err; err != nil {
		s.wait(problemOfRole(err))
	}
}

// problemOfRole translates an error of reading or changing a role.
func problemOfRole(err error) *Problem {
	p := problemOf(err)
	if directory.ClassOf(err) == directory.NotFound {
		return problem(v1alpha1.ReasonWaitingForPeople, p.Message)
	}
	return p
}

func (s *bindingScope) by() execute.By {
	by := onBehalf(s.tenant, s.binding, "PermissionBinding", s.binding.Spec.Reason)
	by.Actor.Approver = s.binding.Status.ApprovedBy
	return by
}

// wanted is the role that is declared; by its id, once that is known.
func (s *bindingScope) wanted() directory.Role {
	role := &s.binding.Spec.Role
	return directory.Role{ID: s.binding.Status.RoleID, Name: role.Name, Group: role.Group}
}

// read has the role and its holders read.
func (r *PermissionBindingReconciler) read(s *bindingScope) {
	d, want, known := s.tenant.Directory, s.wanted(), s.role != nil && !s.role.missing
	if s.binding.Spec.Role.Kind == v1alpha1.BoundRoleAdministrator {
		r.offer(s, s.reading(), employeePriority, func(ctx context.Context, seen *roleSeen) error {
			return readAdministrators(ctx, d, want.Name, seen)
		})
		return
	}
	by := s.by()
	r.offer(s, s.reading(), employeePriority, func(ctx context.Context, seen *roleSeen) error {
		return readRole(ctx, d, want, known, by, seen)
	})
}

// reading is the digest of reading: once for each listing.
func (s *bindingScope) reading() string {
	return "read " + s.tenant.Mirror.State().ListedAt.Format(time.RFC3339Nano)
}

// readRole reads who holds the role; a role that is not known yet, or is gone, is looked for
// by its id, and then by its name.
func readRole(ctx context.Context, d directory.Directory, want directory.Role, known bool, by execute.By, seen *roleSeen) error {
	keeper, can := d.(directory.RoleKeeper)
	if !can {
		return &directory.Error{Class: directory.NotSupported, Operation: "roles", Message: "this platform has no roles"}
	}
	if known {
		members, err := keeper.RoleMembers(ctx, seen.role.ID)
		if directory.ClassOf(err) != directory.NotFound {
			seen.members = members
			return err
		}
	}
	roles, err := keeper.Roles(ctx)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(roles, func(role directory.Role) bool { return role.ID == want.ID }); i >= 0 && want.ID != "" {
		seen.role, seen.origin = roles[i], plan.Adopted
	} else {
		if want.ID != "" && !known { // that a list lacks it does not prove that it is gone (P5)
			if _, err := keeper.RoleMembers(ctx, want.ID); directory.ClassOf(err) != directory.NotFound {
				return cmp.Or[error](err, &directory.Error{Class: directory.Unavailable, Operation: "roles", Message: "the list of roles lacks one that is there, and is not believed"})
			}
		}
		want.ID = ""
		found, err := execute.EnsureRole(ctx, d, want, false, by)
		if directory.ClassOf(err) == directory.NotFound {
			seen.role, seen.missing, seen.members = directory.Role{}, true, nil
			return nil
		}
		if err != nil {
			return err
		}
		seen.role, seen.origin = found.Role, found.Origin
	}
	seen.missing = false
	seen.members, err = keeper.RoleMembers(ctx, seen.role.ID)
	return err
}

// readAdministrators reads who administers the platform, where it tells.
func readAdministrators(ctx context.Context, d directory.Directory, name string, seen *roleSeen) error {
	lister, can := d.(directory.AdministratorLister)
	if !can {
		return &directory.Error{Class: directory.NotSupported, Operation: "administrators", Message: "this platform tells no app who administers it: compare in its console"}
	}
	all, err := lister.Administrators(ctx)
	if err != nil {
		return err
	}
	seen.role, seen.origin, seen.members = directory.Role{ID: name, Name: name, BuiltIn: true}, plan.Adopted, nil
	for _, m := range all {
		if m.Role == name {
			seen.members = append(seen.members, m)
		}
	}
	return nil
}

// decide plans, and prepares what is to be done next.
func (r *PermissionBindingReconciler) decide(ctx context.Context, s *bindingScope) error {
	if s.tenant == nil || s.retained != "" {
		return nil
	}
	if s.role == nil || !s.fresh {
		r.read(s)
		if s.role == nil && len(s.waits) == 0 {
			s.wait(problem(v1alpha1.ReasonProgressing, "who holds the role is being read"))
		}
	}
	switch {
	case s.role == nil:
		return nil
	case s.role.missing:
		r.missing(s)
		return nil
	}
	elsewhere, err := r.elsewhere(ctx, s)
	if err != nil {
		return err
	}
	facts := plan.RoleFacts{
		Capabilities: s.tenant.Directory.Capabilities(), Members: s.role.members, BuiltIn: s.role.role.BuiltIn, Elsewhere: elsewhere, Gone: s.role.taken(),
	}
	record := plan.RoleRecord{Granted: s.binding.Status.GrantedUserIDs}
	wish := s.planned(record, facts)
	if s.plan.Hold != nil {
		s.wait(problemOfHold(s.plan.Hold))
	}
	if len(s.plan.ByHand) > 0 {
		s.wait(problem(v1alpha1.ReasonManualTask, fmt.Sprintf("%d things are to be done in the platform's console, where no API does them: status.tasks lists them", len(s.plan.ByHand))))
	}
	switch differs := len(s.plan.Revoke)+len(s.plan.Grant) > 0; {
	case s.task != nil:
		s.meanwhile(differs)
	case differs:
		r.carryOut(s, wish, record, facts)
	}
	return nil
}

// planned plans what the wish asks for that it returns. A binding cannot record more than mostHolders: where so many others
// come that it would have to, first those lose the role who are to, and then the others get it.
func (s *bindingScope) planned(record plan.RoleRecord, facts plan.RoleFacts) plan.RoleWish {
	wish := s.wish()
	s.plan = plan.ForRole(wish, record, facts)
	if len(s.plan.Grant) > 0 && len(record.Granted)+len(s.plan.Record.Granted) > mostHolders && len(union(record.Granted, s.plan.Record.Granted)) > mostHolders {
		s.block(func(h holder) bool { return !s.holds(s.tenant.Mirror.Key(h.id)) })
		wish = s.wish()
		s.plan = plan.ForRole(wish, record, facts)
	}
	return wish
}

// meanwhile says what was said last, while the role is read anew: a listing that finds nothing new must not be seen in the
// status (P13), and nothing is as declared that was not seen to be (P9).
func (s *bindingScope) meanwhile(differs bool) {
	st := &s.binding.Status
	known := observed(st.ObservedGeneration, s.binding.Generation)
	switch before := problemOfReady(st.Conditions); {
	case known && before != nil:
		s.wait(before)
	case !known || differs:
		s.wait(problem(v1alpha1.ReasonProgressing, "who holds the role is being read"))
	}
}

// carryOut has the plan carried out. Where a minimum of holders is protected, they are counted
// anew at the last moment.
func (r *PermissionBindingReconciler) carryOut(s *bindingScope, w plan.RoleWish, record plan.RoleRecord, facts plan.RoleFacts) {
	p := s.plan
	if s.account.Spec.Mode == v1alpha1.ModeObserve {
		s.wait(problem(v1alpha1.ReasonObserved, fmt.Sprintf("mode is Observe; Enforce would: take the role from %d, give it to %d", len(p.Revoke), len(p.Grant))))
		return
	}
	priority := rolePriority
	if len(p.Revoke) > 0 {
		priority = revokePriority
	}
	d, by, name := s.tenant.Directory, s.by(), client.ObjectKeyFromObject(s.binding)
	alone := r.alone(s.account, p.Role)
	r.offer(s, "carry out "+p.Digest(), priority, func(ctx context.Context, seen *roleSeen) error {
		alone.Lock()
		defer alone.Unlock()
		if keeper, can := d.(directory.RoleKeeper); can && len(p.Revoke) > 0 && w.Minimum > 0 {
			members, err := keeper.RoleMembers(ctx, p.Role)
			if err != nil {
				return err
			}
			facts.Members = members
			if now := plan.ForRole(w, record, facts); now.Digest() != p.Digest() {
				seen.members = members
				return nil // it is planned anew
			}
		}
		r.roles.doubt(name)
		o := execute.Role(ctx, d, p, by)
		if o.Read {
			seen.members, seen.did = o.Members, &o
		}
		if !o.Asked { // else it would be read, and tried again, without end and without a pause
			r.roles.trust(name)
		}
		return o.Err
	})
	if p := s.problem(); p == nil || !p.Stalled {
		s.wait(problem(v1alpha1.ReasonProgressing, fmt.Sprintf("the role is being taken from %d and given to %d", len(s.plan.Revoke), len(s.plan.Grant))))
	}
}

// alone has one task at a time change a role: two that count who is left, and then each take it from
// one, would leave fewer than both count on.
func (r *PermissionBindingReconciler) alone(account *v1alpha1.EnterpriseAccount, role string) *sync.Mutex {
	lock, _ := r.turns.LoadOrStore(string(account.UID)+"/"+role, &sync.Mutex{})
	return lock.(*sync.Mutex) //nolint:forcetypeassert // nothing else is stored
}

// missing sees to a role that the platform does not have.
func (r *PermissionBindingReconciler) missing(s *bindingScope) {
	if s.task != nil {
		s.meanwhile(false)
		return
	}
	b := s.binding
	gain := 0
	for k := range s.people {
		if !s.blocked[k] {
			gain++
		}
	}
	b.Status.RoleOrigin = ""
	switch {
	case !s.inForce():
	case b.Spec.Role.Creation != v1alpha1.RoleCreationIfMissing:
		s.wait(problem(v1alpha1.ReasonRoleMissing, fmt.Sprintf("the platform has no role %q: make it there, correct role.name, or say role.creation: IfMissing", b.Spec.Role.Name)))
	case s.account.Spec.Mode == v1alpha1.ModeObserve:
		s.wait(problem(v1alpha1.ReasonObserved, "mode is Observe; Enforce would: make the role"))
	case gain > 0:
		b.Status.RoleOrigin = v1alpha1.OriginCreating // a role that is found later is ours, though no answer came (P3)
		d, want, by := s.tenant.Directory, s.wanted(), s.by()
		want.ID = ""
		r.offer(s, "create", rolePriority, func(ctx context.Context, seen *roleSeen) error {
			found, err := execute.EnsureRole(ctx, d, want, true, by)
			if err == nil {
				seen.missing, seen.role, seen.origin, seen.members = false, found.Role, found.Origin, nil
			}
			return err
		})
		s.wait(problem(v1alpha1.ReasonProgressing, "the role is being made"))
	}
}

// elsewhere are the accounts that other bindings of the same role declare; whom those protect is
// protected from this one, too. Whom an older one declares with another scope keeps that one: two would
// change it back and forth. Who got it from this binding does not keep it longer by one that nobody has
// allowed them.
func (r *PermissionBindingReconciler) elsewhere(ctx context.Context, s *bindingScope) (ids []string, err error) {
	b, key := s.binding, s.tenant.Mirror.Key
	ours := map[string]bool{}
	for _, id := range b.Status.GrantedUserIDs {
		ours[key(id)] = true
	}
	var disputed []string
	for _, other := range r.ofRole(ctx, b, s.role.role.ID) {
		if other.DeletionTimestamp.IsZero() {
			s.floor = max(s.floor, int(other.Spec.Protection.MinimumHolders))
			s.keep = append(s.keep, other.Spec.Protection.KeepUserIDs...)
		}
		declared, err := r.effective(ctx, other, s.now)
		if err != nil {
			return nil, err
		}
		leaving, err := r.leaving(ctx, other)
		if err != nil {
			return nil, err
		}
		theirs := allowed(other, key)
		for _, e := range declared {
			id, _ := mayHold(s.tenant, b.Spec.AccountRef.Name, e, leaving)
			k := key(id)
			if id == "" || ours[k] && other.Spec.Risk == v1alpha1.RiskHigh && !theirs[k] {
				continue
			}
			ids = append(ids, id)
			if s.people[k].id != "" && older(other, b) && !sameScope(other, b) {
				s.blocked[k] = true
				disputed = append(disputed, e.Name)
			}
		}
	}
	if len(disputed) > 0 {
		s.wait(problem(v1alpha1.ReasonDataConflict, "scopeRefs: an older binding of the same role gives another scope to "+people(disputed)))
	}
	return ids, nil
}

func sameScope(a, b *v1alpha1.PermissionBinding) bool {
	names := func(b *v1alpha1.PermissionBinding) map[string]bool {
		set := map[string]bool{}
		for _, ref := range b.Spec.ScopeRefs {
			set[ref.Name] = true
		}
		return set
	}
	return maps.Equal(names(a), names(b))
}

// separate keeps people from getting the role beside one that it conflicts with. Both bindings do.
func (r *PermissionBindingReconciler) separate(ctx context.Context, s *bindingScope) error {
	b := s.binding
	if len(s.people) == 0 {
		return nil
	}
	rivals := map[string]*v1alpha1.PermissionBinding{}
	for _, other := range r.bindings(ctx, b.Namespace, concernConflict(b.Name)) {
		rivals[other.Name] = other
	}
	for _, name := range b.Spec.ConflictsWith {
		other := &v1alpha1.PermissionBinding{}
		if err := r.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: name}, other); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading a binding that conflicts: %w", err)
		} else if err == nil {
			rivals[name] = other
		}
	}
	delete(rivals, b.Name)
	for _, name := range slices.Sorted(maps.Keys(rivals)) {
		declared, err := r.effective(ctx, rivals[name], s.now)
		if err != nil {
			return err
		}
		var both []string
		s.block(func(h holder) bool {
			_, also := declared[h.employee.UID]
			if also {
				both = append(both, h.employee.Name)
			}
			return also
		})
		if len(both) > 0 {
			s.wait(problem(v1alpha1.ReasonSeparationOfDuties, kube.Truncate(fmt.Sprintf("the bindings %s and %s must not declare the same people: both do %s, who get neither role anew. Take them out of one",
				b.Name, name, people(both)), 900)))
		}
	}
	return nil
}
