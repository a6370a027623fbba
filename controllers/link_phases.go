package controllers

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/plan"
)

// past reads what is known of the person's leavings, and whether a policy says how they leave now. Whose number is merely claimed,
// and may be refused, has none: what somebody else has left is never theirs (P4).
func (r *LinkReconciler) past(ctx context.Context, s *linkScope) error {
	e := s.employee
	if number := e.Status.Number; number != "" {
		all, err := r.Leavings.Numbered(ctx, e.Namespace, number)
		if err != nil {
			return err
		}
		openFirst(all)
		s.leavings = all
	}
	departed, deleted := e.Spec.State == v1alpha1.EmployeeDeparted, !e.DeletionTimestamp.IsZero()
	if !departed && !deleted {
		return nil
	}
	policy, _, err := offboardingPolicy(ctx, r.Client, e)
	if s.unruled = policy == nil; err != nil || !deleted || !leavesBy(policy, departed) || !freezesBy(policy, departed) {
		return err
	}
	s.ending, err = namespaceEnds(ctx, r.Live, e.Namespace)
	s.unruled = s.ending
	return err
}

// leaves reports whether nothing is wished of the person but that access ends.
func (s *linkScope) leaves() bool {
	return s.employee.Spec.State == v1alpha1.EmployeeDeparted || !s.employee.DeletionTimestamp.IsZero()
}

// everywhere decides about the person in each linked system.
func (r *LinkReconciler) everywhere(ctx context.Context, s *linkScope) error {
	e := s.employee
	for _, name := range employeeSystems(e) {
		l := r.standing(s, name)
		var err error
		if l.system, err = linkedSystem(ctx, r, l.key); err != nil {
			return err
		}
		decide := r.converge
		switch {
		case s.leaves():
			decide = r.depart
		case l.off:
			decide = r.takeOff
		}
		if err := decide(ctx, s, l); err != nil {
			return err
		}
		if l.status.Name != "" { // else it is forgotten
			s.links = append(s.links, l)
		}
	}
	return nil
}

// standing is how the person stands in the system, as recorded.
func (r *LinkReconciler) standing(s *linkScope, name string) *personLink {
	e := s.employee
	l := &personLink{key: client.ObjectKey{Namespace: e.Namespace, Name: name}, declared: linkSpec(e, name), leaving: s.leavingOf(name)}
	l.status = v1alpha1.LinkedAccountStatus{Name: name, State: v1alpha1.LinkedWaiting}
	if old := linkStatus(e, name); old != nil {
		l.status = *old.DeepCopy()
	}
	l.off = l.declared == nil
	l.running = r.Systems.Get(l.key.String())
	return l
}

// leavingOf is the leaving that unlinks the person from the system: the one that is not over there, else the one that the status names,
// else the newest; nil if there was none.
func (s *linkScope) leavingOf(system string) (ob *v1alpha1.Offboarding) {
	st := linkStatus(s.employee, system)
	named := func(ob *v1alpha1.Offboarding) bool { return st != nil && ob.Name == st.OffboardingName }
	for i := range s.leavings {
		switch other := &s.leavings[i]; {
		case !slices.Contains(offboardingSystems(other), system):
		case !unlinkOver(other, system):
			return other
		case ob == nil || named(other) || !named(ob) && other.CreationTimestamp.After(ob.CreationTimestamp.Time):
			ob = other
		}
	}
	return ob
}

// unlinkingIn is what an Offboarding is to unlink in the system, and how far that is; nil if nothing is known.
func unlinkingIn(ob *v1alpha1.Offboarding, system string) (spec *v1alpha1.OffboardingLinkedAccount, at *v1alpha1.UnlinkStatus) {
	for i := range ob.Spec.LinkedAccounts {
		if ob.Spec.LinkedAccounts[i].Name == system {
			spec = &ob.Spec.LinkedAccounts[i]
		}
	}
	for i := range ob.Status.LinkedAccounts {
		if ob.Status.LinkedAccounts[i].Name == system {
			at = &ob.Status.LinkedAccounts[i]
		}
	}
	return spec, at
}

// follow takes over how an account stands that a leaving unlinks. Nothing is written to it from here until that is over; what goes on
// elsewhere keeps nobody from it (P11), nor is it taken for a leaving of whoever came back meanwhile and leaves again (P2).
func (l *personLink) follow(declared bool) bool {
	ob := l.leaving
	if ob == nil || unlinkOver(ob, l.status.Name) {
		return false
	}
	_, at := unlinkingIn(ob, l.status.Name)
	if at != nil {
		if at.DisabledBy != "" {
			l.status.DisabledBy = at.DisabledBy
		}
		switch {
		case !declared && at.State == v1alpha1.StepState(leaving.Done):
			l.status.State = v1alpha1.LinkedUnlinked
		case at.DisabledTime != nil:
			l.status.State = v1alpha1.LinkedDisabled
		}
	}
	if declared {
		l.problem = problem(v1alpha1.ReasonOffboardingEnding, fmt.Sprintf("the person is declared again: waiting until the Offboarding %q has ended; %s", ob.Name, unlinkingWords(at)))
	} else {
		l.problem = problem(v1alpha1.ReasonLeaving, fmt.Sprintf("by the Offboarding %q: %s", ob.Name, unlinkingWords(at)))
	}
	l.status.Differences, l.status.OffboardingName, l.status.Rivals = nil, ob.Name, nil
	return true
}

// unlinkingWords says how far a leaving is in the system.
func unlinkingWords(at *v1alpha1.UnlinkStatus) string {
	phases := map[v1alpha1.UnlinkPhase]string{
		v1alpha1.UnlinkPhaseDisable: "the account is being disabled", v1alpha1.UnlinkPhaseUnlink: "the account is disabled, and waits to be unlinked",
		v1alpha1.UnlinkPhaseDelete: "the account is disabled, and is being deleted", v1alpha1.UnlinkPhaseCheck: "looking for what is left of the account",
	}
	switch {
	case at == nil || at.Phase == "" && at.Message == "":
		return "unlinking begins"
	case leaving.State(at.State).Over():
		return at.Message
	case at.Message == "":
		return phases[at.Phase]
	case at.Phase == "":
		return at.Message
	}
	return phases[at.Phase] + " (" + at.Message + ")"
}

// wasDeleted reports whether a leaving has deleted the account.
func wasDeleted(spec *v1alpha1.OffboardingLinkedAccount, at *v1alpha1.UnlinkStatus) bool {
	return at != nil && spec.OnLeave == v1alpha1.UnlinkDelete && at.Phase == v1alpha1.UnlinkPhaseCheck
}

// wasLeft reports whether the record is that of somebody whom a leaving has unlinked, or was to.
func (l *personLink) wasLeft() bool {
	st, ob := &l.status, l.leaving
	return ob != nil && st.OffboardingName == ob.Name || st.State == v1alpha1.LinkedUnlinked && st.OffboardingName != ""
}

// isGone reports whether an account is proved not to be there.
func (l *personLink) isGone(id string) bool { return l.running != nil && l.running.Mirror.Absent(id) }

// inherit takes over, once, what a leaving that is over has left to somebody who is declared again: the account by its stored
// id, never by its name (P3), or nothing where it was deleted, or is lost to somebody else (P4).
func (l *personLink) inherit(lost bool) {
	st, ob := &l.status, l.leaving
	left := l.wasLeft()
	st.OffboardingName = ""
	if ob == nil || (!left && st.Origin != "") {
		return
	}
	spec, at := unlinkingIn(ob, st.Name)
	other := !pins(l.declared, spec)
	if lost || other || wasDeleted(spec, at) || foreign(spec.SystemUID, l.system) { // ids of another system say nothing here
		if left && (!other || !undoneIn(ob, st.Name)) { // what was not left has to be taken off first
			*st = v1alpha1.LinkedAccountStatus{Name: st.Name, State: v1alpha1.LinkedWaiting}
		}
		return
	}
	if !left && l.isGone(spec.AccountID) {
		return // it is gone, and whoever was told so has let it go: it does not come back for ever
	}
	if st.Origin == "" {
		*st = v1alpha1.LinkedAccountStatus{Name: st.Name, State: v1alpha1.LinkedWaiting, AccountID: spec.AccountID, SystemUID: spec.SystemUID, Origin: spec.Origin}
	}
	if wasDisabled(spec, at) {
		st.DisabledBy = v1alpha1.FrozenByRollcall
	}
}

// pins reports whether somebody is declared to have this account, as far as it is declared.
func pins(l *v1alpha1.LinkedAccount, left *v1alpha1.OffboardingLinkedAccount) bool {
	return l.AccountID == "" || l.AccountID == left.AccountID
}

// wasDisabled reports whether the account was disabled by us, by a leaving or before it.
func wasDisabled(spec *v1alpha1.OffboardingLinkedAccount, at *v1alpha1.UnlinkStatus) bool {
	return spec.DisabledBy == v1alpha1.FrozenByRollcall || at != nil && at.DisabledBy == v1alpha1.FrozenByRollcall
}

// depart decides about an account of somebody who has departed, or is being deleted: a leaving unlinks it. Where no policy says how
// somebody leaves who was declared to, only access ends.
func (r *LinkReconciler) depart(ctx context.Context, s *linkScope, l *personLink) error {
	ob := l.leaving
	switch {
	case l.follow(false):
		return nil
	case l.wasLeftBy(ob) || ob != nil && s.isOf(ob):
		l.conclude(ob)
		r.claims.want(s.employee, l.key.Name) // nothing any more
		return nil
	case s.unlinksLater() && l.status.Origin != v1alpha1.OriginCreating:
		return r.lookUp(s, l)
	case l.status.Origin == "" && l.status.State != v1alpha1.LinkedUnlinked && l.running == nil:
		l.status.Name = "" // nobody is there who would have to leave
		return nil
	case l.status.State == v1alpha1.LinkedUnlinked:
		return r.keep(ctx, s, l)
	case isOwned(l.status.Origin) && !s.unruled:
		l.status.OffboardingName, l.problem = "", problem(v1alpha1.ReasonLeaving, "the leaving begins")
		return r.lookUp(s, l)
	}
	return r.converge(ctx, s, l)
}

// unlinksLater reports that whoever is deleted is unlinked by a leaving, or stays.
func (s *linkScope) unlinksLater() bool { return !s.employee.DeletionTimestamp.IsZero() && !s.ending }

// isOf reports whether a leaving is of this very declaration.
func (s *linkScope) isOf(ob *v1alpha1.Offboarding) bool {
	e := s.employee
	return ob.Spec.EmployeeUID == string(e.UID) && (ob.Spec.RequestedBy.Generation == e.Generation || ob.Spec.Trigger == v1alpha1.TriggerDeleted)
}

// wasLeftBy reports whether the record is that of an account which a leaving was about, to its end.
func (l *personLink) wasLeftBy(ob *v1alpha1.Offboarding) bool {
	return ob != nil && l.status.OffboardingName == ob.Name && unlinkOver(ob, l.status.Name) && !undoneIn(ob, l.status.Name)
}

// conclude says how an account stands that a leaving was about. It is not ours any more, unless the leaving was undone.
func (l *personLink) conclude(ob *v1alpha1.Offboarding) {
	if undoneIn(ob, l.status.Name) {
		if isOwned(l.status.Origin) {
			l.problem = rejected(ob)
		}
		return
	}
	id, state := l.status.AccountID, v1alpha1.LinkedUnlinked
	if _, at := unlinkingIn(ob, l.status.Name); at != nil && at.DisabledTime == nil && at.State == v1alpha1.StepState(leaving.Skipped) {
		state = l.status.State // retained: it can be used
	}
	l.status = v1alpha1.LinkedAccountStatus{Name: l.status.Name, AccountID: id, State: state, OffboardingName: ob.Name}
}

// lookUp takes over what the last task came to, and has none begin: no account is left unrecorded (P3).
func (r *LinkReconciler) lookUp(s *linkScope, l *personLink) error {
	if l.running == nil {
		return nil
	}
	l.running.Lane.Settle(s.lane)
	if record := l.folded(s.lane); l.outcome != nil {
		l.recordIn(record)
	}
	return nil
}

// folded is what is durably known, with what the last task came to.
func (l *personLink) folded(lane string) plan.LinkRecord {
	record := linkRecordOf(&l.status)
	o, ok := l.running.Lane.Outcome(lane)
	if !ok {
		return record
	}
	l.outcome = o
	return execute.FoldLink(record, o, !l.running.Mirror.State().Capabilities.Reads)
}

// comeBack takes over what a leaving has left to somebody who is declared, or waits until that is over.
func (r *LinkReconciler) comeBack(ctx context.Context, s *linkScope, l *personLink) (waits bool, err error) {
	if l.follow(true) {
		return true, nil
	}
	lost, err := r.lost(ctx, s.employee, l)
	if err != nil {
		return false, err
	}
	if l.inherit(lost); l.status.State == v1alpha1.LinkedUnlinked {
		l.status.State = v1alpha1.LinkedWaiting // it is wanted again, whatever is known of the system
	}
	return false, nil
}

// converge plans how the account becomes as wished.
func (r *LinkReconciler) converge(ctx context.Context, s *linkScope, l *personLink) error {
	if s.employee.Status.Number == "" {
		l.problem = problem(v1alpha1.ReasonWaitingForNumber, "waiting until the person has an employee number")
		return nil
	}
	if l.declared != nil && !s.leaves() {
		if waits, err := r.comeBack(ctx, s, l); err != nil || waits {
			return err
		}
	}
	l.status.Phase = ""
	r.unlinkings.forget(s.employee.UID, l.key.Name)
	ls, err := linkedSystem(ctx, r, l.key)
	if err != nil {
		return err
	}
	if l.system = ls; ls == nil {
		l.problem = noLinkedSystem(l.key.Name)
		return nil
	}
	if l.elsewhere() {
		if l.running = nil; l.declared != nil {
			l.problem = problem(v1alpha1.ReasonDataConflict, fmt.Sprintf("the account was linked in another LinkedSystem named %q, which is gone: its id says nothing here. To link the person in this one, take the system off spec.linkedAccounts and add it back", l.key.Name))
		}
		return nil
	}
	if !r.reads(s, l) {
		return r.unreadAsDeclared(ctx, s, l)
	}
	record := l.folded(s.lane)
	late, err := r.wish(ctx, s, l)
	if err != nil {
		return err
	}
	if late != nil && (l.wish.State != directory.Frozen || !record.Origin.Owned()) {
		l.problem = late // who is to lose access loses it all the same (P2)
		l.recordIn(record)
		return nil
	}
	return r.decide(ctx, s, l, record, late)
}

// reads reports whether the system was read; else it says why not.
func (r *LinkReconciler) reads(s *linkScope, l *personLink) bool {
	if l.running != nil {
		l.state = l.running.Mirror.State()
	}
	// A system that is suspended may still run for a moment: it is not called from the declaration on.
	suspended := l.system.Spec.Mode == v1alpha1.ModeSuspended
	if l.running != nil && l.state.Read && !suspended && (l.system.DeletionTimestamp.IsZero() || s.ending) {
		return true
	}
	known := linkStatus(s.employee, l.key.Name) != nil && observed(l.status.ObservedGeneration, s.employee.Generation)
	l.problem = notRead(l.system, problemAgain(l.status.Reason, l.status.Message), known)
	if l.running != nil {
		l.running.Lane.Withdraw(s.lane)
		l.running = nil
	}
	return false
}

// unreadAsDeclared takes back that an account of ours is as declared, where the system was declared anew since that was seen, and cannot
// be read (P9).
func (r *LinkReconciler) unreadAsDeclared(ctx context.Context, s *linkScope, l *personLink) error {
	if inOrder := l.problem == nil && isOwned(l.status.Origin); !inOrder {
		return nil
	}
	if _, err := r.wish(ctx, s, l); err != nil {
		return err
	}
	if l.wish.Version != l.status.AppliedVersion {
		l.problem = notRead(l.system, nil, false)
	}
	return nil
}

func noLinkedSystem(name string) *Problem {
	return problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("there is no LinkedSystem %q in this namespace: create it, or correct spec.linkedAccounts", name))
}

// notRead says why nothing is known of a linked system. What was seen there of this very declaration before still holds.
func notRead(ls *v1alpha1.LinkedSystem, before *Problem, observed bool) *Problem {
	observed = observed && !cleared(before, ls)
	switch {
	case observed && (before == nil || before.Stalled):
		return before
	case !ls.DeletionTimestamp.IsZero():
		return problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("the LinkedSystem %q is being deleted: it is not called any more", ls.Name))
	case ls.Spec.Mode == v1alpha1.ModeSuspended:
		return problem(v1alpha1.ReasonSuspended, fmt.Sprintf("the LinkedSystem %q is Suspended: it is not called", ls.Name))
	case observed && before.Reason != v1alpha1.ReasonSuspended:
		return before
	}
	return problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("the LinkedSystem %q was not read yet; its conditions say how it stands", ls.Name))
}

// cleared reports that before is what has to be out of the way until a system is looked at at all: whoever asks is past that.
func cleared(before *Problem, ls *v1alpha1.LinkedSystem) bool {
	if before == nil {
		return false
	}
	switch before.Reason {
	case v1alpha1.ReasonWaitingForNumber, v1alpha1.ReasonLeaving, v1alpha1.ReasonOffboardingEnding:
		return true
	}
	return *before == *noLinkedSystem(ls.Name)
}

// systemRef tells LinkedSystems of one name apart (P4); without a UID it is the one that has the name.
type systemRef struct{ name, uid string }

// is reports whether an id that was recorded with this UID is of the system.
func (s systemRef) is(uid string) bool { return uid == "" || s.uid == "" || uid == s.uid }

func (l *personLink) ref() systemRef {
	ref := systemRef{name: l.key.Name}
	if l.system != nil {
		ref.uid = string(l.system.UID)
	}
	return ref
}

// foreign reports that what is recorded of a linked account is of another LinkedSystem, which had the same name (P4).
func foreign(uid string, ls *v1alpha1.LinkedSystem) bool {
	return uid != "" && ls != nil && uid != string(ls.UID)
}

// elsewhere reports that the account, or what was asked for, is in another LinkedSystem of the same name.
func (l *personLink) elsewhere() bool {
	return l.status.Origin != "" && foreign(l.status.SystemUID, l.system)
}

// linkedSystem reads a LinkedSystem; nil if there is none.
func linkedSystem(ctx context.Context, c client.Reader, key client.ObjectKey) (*v1alpha1.LinkedSystem, error) {
	ls := &v1alpha1.LinkedSystem{}
	err := c.Get(ctx, key, ls)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("reading the LinkedSystem: %w", err)
	}
	return ls, nil
}

// decide asks the plan, and says in the API's words what it answered.
func (r *LinkReconciler) decide(ctx context.Context, s *linkScope, l *personLink, record plan.LinkRecord, late *Problem) error {
	facts, err := r.facts(ctx, s, l, record)
	if err != nil {
		return err
	}
	l.before, l.observe = record, l.system.Spec.Mode == v1alpha1.ModeObserve
	l.plan, l.planned = plan.ForLink(l.wish, record, facts), true
	asked := s.leaves() && isUnanswered(record, facts)
	l.restrain(s, asked)
	if err := r.admit(ctx, s, l); err != nil {
		return err
	}
	p := &l.plan
	switch {
	case l.held:
	case p.Hold != nil:
		l.problem = problem(string(p.Hold.Reason), p.Hold.Message)
	case l.observe && writes(linkActions(p.Actions)):
		l.problem = wouldDo(l.differing(), linkActions(p.Actions))
	case len(p.Actions) > 0:
		l.problem = underway(l.running.Lane.Last(s.lane, p.Digest()))
		if record.Origin.Owned() && record.Applied == l.wish.Version && l.outcome == nil && l.status.Reason == "" {
			r.Metrics.Drifted(systemLabel(l.key))
		}
	default:
		l.problem = late
	}
	if asked {
		l.problem = unansweredIn(l.key.Name)
	}
	l.seen(facts)
	return nil
}

// isUnanswered reports that an account was asked for, and that nobody can look whether it is there.
func isUnanswered(record plan.LinkRecord, f plan.LinkFacts) bool {
	return record.Origin == plan.Creating && !f.Capabilities.Reads
}

// unansweredIn is said of somebody who leaves while nobody knows whether an account came to be, in a system that is never read.
func unansweredIn(system string) *Problem {
	return problem(v1alpha1.ReasonManualTask, fmt.Sprintf("an account was asked for in %s, and its answer is not known. It is asked for again with the same key, and can be disabled only then: "+
		"if that does not end, look in the system's own console whether the person has one", system))
}

// restrain keeps a plan for somebody who has departed without a policy, or goes with the namespace, to what takes nothing but
// access, and for anybody else to looking what is there: an account that turns out to be ours is left by the policy, with the
// approvals that it wants (P7). Where nothing can be read, asking again with the key of a creation that was not answered is how that is
// looked: without the id nobody can disable it.
func (l *personLink) restrain(s *linkScope, asked bool) {
	if !s.leaves() {
		return
	}
	p, later, disables := &l.plan, s.unlinksLater() || !s.unruled, false
	may := map[plan.Kind]bool{plan.Confirm: true, plan.Find: true, plan.Create: asked, plan.Disable: !later}
	p.Actions = slices.DeleteFunc(p.Actions, func(a plan.LinkAction) bool {
		disables = disables || a.Kind == plan.Disable
		return !may[a.Kind]
	})
	p.Differ = nil
	switch {
	case p.Hold != nil && p.Hold.Reason == plan.WaitingForAccount:
		p.Hold = nil // nobody is there who would have to leave
	case later && disables:
		p.Record.DisabledByUs, p.StateDiffers = l.before.DisabledByUs, false
	}
	if later && p.Record.Origin.Owned() && len(p.Actions) == 0 {
		p.Hold = &plan.Hold{Reason: v1alpha1.ReasonLeaving, Message: "the leaving begins"}
	}
}

// facts gathers what is known of the account. It makes no call.
func (r *LinkReconciler) facts(ctx context.Context, s *linkScope, l *personLink, record plan.LinkRecord) (plan.LinkFacts, error) {
	m, w := l.running.Mirror, &l.wish
	f := plan.LinkFacts{Capabilities: l.state.Capabilities, Read: l.state.Read, Sought: m.Sought(w.Number, w.Login)}
	id := w.ID
	if record.Origin.Owned() {
		id = record.ID
	}
	switch {
	case id == "":
	case f.Capabilities.Reads:
		f.Account, f.Absent, f.Doubtful = m.Account(id), m.Absent(id), m.Doubtful(id)
	case record.Origin.Owned(): // receipts are all that is known
		disabled := l.status.State == v1alpha1.LinkedDisabled
		if l.outcome != nil {
			for _, kind := range l.outcome.Done {
				disabled = kind == plan.Disable || disabled && kind != plan.Enable
			}
		}
		f.Account = &linked.Account{ID: id, Enabled: !disabled}
	}
	var err error
	wants := []string{}
	if id != "" {
		wants = append(wants, "id:"+id)
	} else {
		if f.Candidates, err = r.candidates(ctx, s.employee, l); err != nil {
			return f, err
		}
		if len(f.Candidates) == 1 {
			id = f.Candidates[0].ID
			wants = append(wants, "id:"+id)
		}
		if w.Login != "" {
			wants = append(wants, "login:"+fold(w.Login))
		}
	}
	f.Claimant, err = r.claimant(ctx, s, l, id, wants)
	return f, err
}

// candidates are accounts with the person's number or login that are not somebody else's, unless nobody else's are left:
// then they are, so that the person is told whose.
func (r *LinkReconciler) candidates(ctx context.Context, e *v1alpha1.Employee, l *personLink) (free []linked.Account, err error) {
	all := l.running.Mirror.Candidates(l.wish.Number, l.wish.Login)
	for _, a := range all {
		taken, err := r.taken(ctx, e, l.ref(), a.ID)
		if err != nil {
			return nil, err
		}
		if !taken {
			free = append(free, a)
		}
	}
	if len(free) == 0 && len(all) == 1 {
		return all, nil
	}
	return free, nil
}

// holders are the others who have the account, or are declared to.
func (r *LinkReconciler) holders(ctx context.Context, e *v1alpha1.Employee, system systemRef, id string) ([]v1alpha1.Employee, error) {
	if id == "" {
		return nil, nil
	}
	var all v1alpha1.EmployeeList
	if err := r.List(ctx, &all, client.InNamespace(e.Namespace), client.MatchingFields{indexLink: linkKey(system.name, id)}); err != nil {
		return nil, fmt.Errorf("listing who has the account: %w", err)
	}
	return slices.DeleteFunc(all.Items, func(other v1alpha1.Employee) bool { return other.Name == e.Name || !claims(&other, system, id) }), nil
}

// taken reports whether the account is, or is declared to be, somebody else's, or a leaving of somebody else is not over.
func (r *LinkReconciler) taken(ctx context.Context, e *v1alpha1.Employee, system systemRef, id string) (bool, error) {
	all, err := r.holders(ctx, e, system, id)
	if err != nil || len(all) > 0 {
		return true, err
	}
	ob, err := r.leftBy(ctx, e, system, id)
	return ob != nil, err
}

// leftBy is the leaving of somebody else that is about the account and is not over; nil if there is none. It goes before everybody
// but who has the account already: an account that is to be disabled is nobody's to enable (P2).
func (r *LinkReconciler) leftBy(ctx context.Context, e *v1alpha1.Employee, system systemRef, id string) (*v1alpha1.Offboarding, error) {
	if id == "" || owns(e, system, id) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	all, err := r.Leavings.Holding(ctx, e.Namespace, system, id)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if fold(all[i].Spec.Number) != fold(e.Status.Number) {
			return &all[i], nil
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}

// lost reports whether somebody else has the account by now that a leaving has left, or is leaving it.
func (r *LinkReconciler) lost(ctx context.Context, e *v1alpha1.Employee, l *personLink) (bool, error) {
	if l.leaving == nil {
		return false, nil
	}
	left, _ := unlinkingIn(l.leaving, l.key.Name)
	all, err := r.holders(ctx, e, l.ref(), left.AccountID)
	if err != nil || slices.ContainsFunc(all, func(other v1alpha1.Employee) bool { return owns(&other, l.ref(), left.AccountID) }) {
		return true, err
	}
	ob, err := r.leftBy(ctx, e, l.ref(), left.AccountID)
	return ob != nil, err
}

// claimant names who has the account, or wants the same, instead (P4): a leaving that is not over, else the Employee that has it before
// one that would take it, then the older. If e is the one, its status says who else claims it, and those are told, too.
func (r *LinkReconciler) claimant(ctx context.Context, s *linkScope, l *personLink, id string, wants []string) (string, error) {
	e := s.employee
	names := r.claims.want(e, l.key.Name, wants...)
	all, err := r.holders(ctx, e, l.ref(), id)
	if err != nil {
		return "", err
	}
	for i := range all {
		if name := all[i].Name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if ob, err := r.leftBy(ctx, e, l.ref(), id); err != nil || ob != nil {
		l.status.Rivals = nil
		return offboardingWords(ob), err
	}
	best, rivals := e, []string{}
	for _, name := range names {
		other := &v1alpha1.Employee{}
		err := r.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: name}, other)
		if apierrors.IsNotFound(err) {
			r.claims.forget(client.ObjectKey{Namespace: e.Namespace, Name: name})
			continue
		}
		if err != nil {
			return "", fmt.Errorf("reading who claims the account: %w", err)
		}
		if !claims(other, l.ref(), id) {
			continue // it does not want it any more
		}
		rivals = append(rivals, name)
		if goesBefore(other, best, l.ref(), id) {
			best = other
		}
	}
	slices.Sort(rivals)
	for _, name := range r.claims.meet(e, l.key.Name, rivals) {
		r.Hub.links.add(client.ObjectKey{Namespace: e.Namespace, Name: name}, 0, 0)
	}
	l.status.Rivals = nil
	if best.UID != e.UID {
		return "the Employee " + best.Name, nil
	}
	if len(rivals) > 0 {
		l.status.Rivals = rivals[:min(len(rivals), 8)]
	}
	return "", nil
}

func offboardingWords(ob *v1alpha1.Offboarding) string {
	if ob == nil {
		return ""
	}
	return "the Offboarding " + ob.Name
}

// claims reports whether somebody has the account, or still wants one in the system: who leaves wants none, but may have asked for one;
// and whose account is in another system of that name wants none in this one before that is let go.
func claims(e *v1alpha1.Employee, system systemRef, id string) bool {
	if owns(e, system, id) {
		return true
	}
	st := linkStatus(e, system.name)
	if st != nil && st.Origin != "" && !system.is(st.SystemUID) {
		return false
	}
	asked, leaves := st != nil && st.Origin == v1alpha1.OriginCreating, e.Spec.State == v1alpha1.EmployeeDeparted || !e.DeletionTimestamp.IsZero()
	return asked || linkSpec(e, system.name) != nil && !leaves
}

// owns reports whether somebody has the account.
func owns(e *v1alpha1.Employee, system systemRef, id string) bool {
	st := linkStatus(e, system.name)
	return st != nil && isOwned(st.Origin) && st.AccountID == id && id != "" && system.is(st.SystemUID)
}

func goesBefore(a, b *v1alpha1.Employee, system systemRef, id string) bool {
	if owns(a, system, id) != owns(b, system, id) {
		return owns(a, system, id)
	}
	if claims(a, system, id) != claims(b, system, id) { // who leaves takes it from nobody
		return claims(a, system, id)
	}
	return older(a, b)
}

// admit asks whether somebody may lose access to the system now (P6). Who was admitted is not asked for again, until the
// account is enabled again.
func (r *LinkReconciler) admit(ctx context.Context, s *linkScope, l *personLink) error {
	p, e := &l.plan, s.employee
	if l.wish.State != directory.Frozen && !p.Record.DisabledByUs {
		l.status.AdmittedTime, l.status.AdmittedBy = nil, ""
	}
	takes := slices.ContainsFunc(linkActions(p.Actions), func(k plan.Kind) bool { return k == plan.Disable || k == plan.Delete })
	if !takes || l.observe || l.status.AdmittedTime != nil {
		return nil
	}
	admission, err := r.Limiter.AdmitLinked(ctx, l.key, Candidate{UID: e.UID, Kind: "Employee", Name: e.Name, Number: e.Status.Number, Action: actionFreeze})
	if err != nil {
		return err
	}
	if admission.Admitted {
		now := metav1.NewTime(r.Now())
		l.status.AdmittedTime, l.status.AdmittedBy = &now, admission.By
		return nil
	}
	l.held, p.Actions, p.Record = true, nil, l.before
	if l.problem = admission.Problem; l.problem == nil {
		l.problem = problem(v1alpha1.ReasonRemovalLimit, "more people would lose access than the system's removalLimits allow: this one keeps it until an Approval is decided")
	}
	return nil
}
