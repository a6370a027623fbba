package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/leaving"
)

// cancelled finds out on which accounts the person is declared again, and who else holds
// an account by now. What is under way there has to end before anything is undone.
func (r *OffboardingReconciler) cancelled(ctx context.Context, s *offboardingScope) error {
	var same v1alpha1.EmployeeList
	if err := r.List(ctx, &same, client.InNamespace(s.ob.Namespace), client.MatchingFields{indexNumber: fold(s.ob.Spec.Number)}); err != nil {
		return fmt.Errorf("listing who has the number: %w", err)
	}
	same.Items = bearers(same.Items)
	for _, a := range s.accounts {
		for i := range same.Items {
			a.again = a.again || declares(&same.Items[i], a.spec.Name)
		}
		if a.again && a.tenant != nil {
			a.busy = !a.tenant.Lane.Settle(s.lane)
		}
		var holders v1alpha1.EmployeeList
		if err := r.List(ctx, &holders, client.InNamespace(s.ob.Namespace), client.MatchingFields{indexClaim: claimKey(a.spec.Name, a.spec.UserID)}); err != nil {
			return fmt.Errorf("listing who holds the account: %w", err)
		}
		for i := range holders.Items {
			e := &holders.Items[i]
			st := accountStatus(e, a.spec.Name)
			if st == nil || !isOwned(st.Origin) || fold(st.UserID) != fold(a.spec.UserID) || st.State == v1alpha1.AccountDeparted {
				continue
			}
			a.rehired = a.rehired || declares(e, a.spec.Name)
			if fold(declaredNumber(e)) != fold(s.ob.Spec.Number) {
				a.claimant = e.Name
			}
		}
	}
	return r.cancelledLinks(ctx, s, same.Items)
}

// bearers are those who have the number that all of them claim, or will: whoever is declared again counts before that is
// written. Who claims it by mistake while somebody else has it is refused, and is nobody who leaves (P4).
func bearers(all []v1alpha1.Employee) (have []v1alpha1.Employee) {
	for i := range all {
		e := &all[i]
		if !slices.ContainsFunc(all, func(other v1alpha1.Employee) bool {
			return other.UID != e.UID && other.DeletionTimestamp.IsZero() && holds(&other, e)
		}) {
			have = append(have, *e)
		}
	}
	return have
}

// declares reports whether somebody is to be on the account, frozen or not.
func declares(e *v1alpha1.Employee, account string) bool {
	if !e.DeletionTimestamp.IsZero() || e.Spec.State == v1alpha1.EmployeeDeparted {
		return false
	}
	for _, a := range e.Spec.Accounts {
		if a.Name == account {
			return true
		}
	}
	return false
}

// maxRounds bounds how many steps are settled in one look.
const maxRounds = 20

// proceed asks what comes next on each account, and records it.
func (r *OffboardingReconciler) proceed(ctx context.Context, s *offboardingScope) error {
	for _, a := range s.accounts {
		if err := r.proceedOn(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (r *OffboardingReconciler) proceedOn(ctx context.Context, a *departure) error {
	s := a.scope
	switch {
	case a.finished():
		a.over = true
		return nil
	case a.busy:
		a.problem = problem(v1alpha1.ReasonLeaving, "the person is declared again: waiting for what is under way")
		return nil
	case s.rejected != "":
		a.reject(s.rejected)
		return nil
	case a.tenant == nil && !a.again:
		// What was seen before a restart still holds, until something else is.
		if a.problem = s.held; a.problem == nil {
			a.problem = a.unreachable()
		}
		return nil
	}
	a.reopen()
	f := a.facts()
	if err := r.admit(ctx, a, &f); err != nil {
		return err
	}
	if a.over {
		return nil
	}
	if err := r.next(ctx, a, &f); err != nil {
		return err
	}
	a.ask()
	return nil
}

// next settles what is over, until there is something to do or to wait for.
func (r *OffboardingReconciler) next(ctx context.Context, a *departure, f *leaving.Facts) error {
	terms := termsOf(&a.scope.ob.Spec.Terms)
	for range maxRounds {
		f.NoticesOpen = a.nextNotice() != nil
		d := leaving.Next(terms, *a.progress(), *f)
		a.settle(d.Settled)
		switch {
		case d.Cancelled:
			a.skipRest(cancelledWords)
			return nil
		case d.Over:
			a.over = true
			return nil
		case a.attest(d.Act):
			return nil
		case d.Hold == deletionAsked:
			answer, err := r.askDeletion(ctx, a)
			if err != nil || a.over {
				return err
			}
			if f.DeletionHeld = answer; answer != nil {
				a.holdBy(d.Step, answer)
				return nil
			}
		case d.Hold != nil:
			a.holdBy(d.Step, d.Hold)
			return nil
		case d.Act == leaving.ActBeginGrace:
			a.begun(leaving.Grace, leaving.Waiting)
		case d.Act == leaving.ActNotify && a.unsendable():
		case d.Act == leaving.ActInherit && a.task(inheritance) != nil:
			a.holdBy(d.Step, &leaving.Hold{Reason: leaving.ManualTask, Message: "somebody has to do and confirm " + a.task(inheritance).Name})
			return nil
		default:
			a.begin(d)
			return nil
		}
	}
	return fmt.Errorf("leaving %s does not come to rest", a.spec.Name)
}

// cancelledWords and those of a rejection are what skipped steps say.
const (
	cancelledWords = "cancelled: the person is declared again"
	rejectedWords  = "rejected by "
)

// skipRest ends the leaving of the account as it is.
func (a *departure) skipRest(why string) {
	a.lay(leaving.Order(nil)) // where the tenant was never read
	for i := range a.status.Steps {
		st := &a.status.Steps[i]
		if !leaving.State(st.State).Over() {
			st.State, st.Message, st.EndTime = v1alpha1.StepState(leaving.Skipped), kube.Truncate(why, 512), stamp(a.scope.now)
		}
	}
	a.over = true
}

// reject ends the leaving of the account because somebody said no.
func (a *departure) reject(by string) {
	a.skipRest(rejectedWords + by + ": the account stays as it is")
}

// finished reports that every step of the account was over before.
func (a *departure) finished() bool {
	for i := range a.status.Steps {
		if !leaving.State(a.status.Steps[i].State).Over() {
			return false
		}
	}
	return len(a.status.Steps) > 0
}

// isCancelled reports that the account's leaving ended because the person is declared again, or somebody said no.
func (a *departure) isCancelled() bool {
	m := a.step(leaving.DeleteAccount).Message
	return m == cancelledWords || strings.HasPrefix(m, rejectedWords)
}

func (a *departure) removed() bool {
	return a.step(leaving.DeleteAccount).State == v1alpha1.StepState(leaving.Done)
}

// reopen has another backup made where the one that was made does not prove anything any
// more, as long as nothing was removed (P1).
func (a *departure) reopen() {
	step := a.step(leaving.Backup)
	if step.State != v1alpha1.StepState(leaving.Done) || a.progress().RemovalAsked || a.account == nil {
		return
	}
	if state, _ := a.backedUp(); state == leaving.BackupAbsent {
		*step = v1alpha1.OffboardingStepStatus{
			Name: step.Name, State: v1alpha1.StepState(leaving.Pending), Attempts: step.Attempts,
			Message: "the Backup that was made is gone, or proves nothing any more: another one is made",
		}
	}
}

// settle takes over which steps are over.
func (a *departure) settle(all []leaving.Settled) {
	for _, d := range all {
		st := a.step(d.Step)
		st.State, st.Message = v1alpha1.StepState(d.State), kube.Truncate(d.Message, 512)
		st.EndTime, st.OverdueSince = stamp(a.scope.now), nil
		if d.State == leaving.Done {
			if st.StartTime == nil {
				st.StartTime = stamp(a.scope.now)
			}
			st.Evidence = kube.Truncate(a.evidence(d.Step, st), 256)
		}
		if d.Step == leaving.Freeze && (d.State != leaving.Done || st.Attempts == 0) {
			a.status.FrozenBy = a.spec.FrozenBy // we did not freeze it after all
		}
	}
}

// evidence is what proves that a step was done; what an act has found is there already.
func (a *departure) evidence(s leaving.Step, st *v1alpha1.OffboardingStepStatus) string {
	switch s {
	case leaving.Freeze:
		return "read back: Frozen"
	case leaving.Backup:
		return fmt.Sprintf("manifest sha256:%s, archive %s", a.backup.Status.Verification.ManifestSHA256, a.backup.Status.Archive.Key)
	case leaving.HandOver:
		confirmed := 0
		for i := range a.status.Tasks {
			if a.status.Tasks[i].ConfirmedTime != nil {
				confirmed++
			}
		}
		return cmp.Or(st.Evidence, fmt.Sprintf("%d of %d tasks confirmed", confirmed, len(a.status.Tasks)))
	case leaving.DeleteAccount:
		return "read back: not found"
	case leaving.ResidualCheck:
		return "read: account, roles, departments led, people who report to it"
	}
	return st.Evidence
}

// begun records that a step is under way.
func (a *departure) begun(s leaving.Step, state leaving.State) *v1alpha1.OffboardingStepStatus {
	st := a.step(s)
	st.State = v1alpha1.StepState(state)
	if st.StartTime == nil {
		st.StartTime = stamp(a.scope.now)
	}
	return st
}

// holdBy records what a step waits for. What has not begun is Pending.
func (a *departure) holdBy(s leaving.Step, h *leaving.Hold) {
	words := h.Message
	if h.Reason == v1alpha1.ReasonManualTask {
		words += fmt.Sprintf(": kubectl rollcall confirm %s TASK -n %s", a.scope.ob.Name, a.scope.ob.Namespace)
	}
	a.problem = problem(h.Reason, words)
	if !h.Until.IsZero() {
		a.wait = max(time.Second, h.Until.Sub(a.scope.now))
	}
	if h.Reason == v1alpha1.ReasonResidualFound {
		a.wait = max(time.Second, a.known.looked.Add(residualAgain).Sub(a.scope.now))
	}
	if a.status.AdmittedTime == nil {
		return
	}
	st := a.step(s)
	if st.Attempts == 0 || s == leaving.ResidualCheck || s == leaving.HandOver {
		a.begun(s, leaving.Waiting)
	}
	st.Message = kube.Truncate(words, 512)
}

// begin records an act before it is done.
func (a *departure) begin(d leaving.Decision) {
	if p := a.forbidden(d); p != nil {
		a.problem = p
		return
	}
	if d.Act == leaving.ActBackup {
		a.makeBackup()
		return
	}
	l := a.departure(d)
	digest := actDigest(&l)
	at := a.tenant.Lane.Peek(a.scope.lane, digest)
	a.problem = underwayOn(d, at.Err)
	switch {
	case at.Underway:
		a.underway = true
		return
	case at.RetryIn > 0:
		a.wait, a.underway = at.RetryIn, true
		a.step(d.Step).Message = kube.Truncate(a.problem.Message, 512)
		return
	}
	if d.Act != leaving.ActConfirm {
		st := a.begun(d.Step, leaving.Running)
		l.Again = st.Attempts > 0
		st.Attempts++
		st.EndTime = nil
		st.Message = kube.Truncate(a.problem.Message, 512)
	}
	switch d.Act {
	case leaving.ActNotify:
		a.sending()
	case leaving.ActFreeze:
		// Ours, whatever comes of it: who is declared again before that is known gets access back all the same.
		a.status.FrozenBy = v1alpha1.FrozenByRollcall
	}
	a.offer(l, digest, d)
}

// actDigest is equal for acts that do the same.
func actDigest(l *execute.Departure) string {
	return fmt.Sprintf("%s %v %v %s %v", l.Act, l.Roles, l.Removal, l.Notice, l.Tasks)
}

// offer makes the lane's task of an act.
func (a *departure) offer(l execute.Departure, digest string, d leaving.Decision) {
	t, by := a.tenant, a.by(l.Act)
	priority := leavePriority
	if d.Act == leaving.ActFreeze || d.Step == leaving.Freeze {
		priority = freezePriority
	}
	a.offered = &execute.Task{Digest: digest, Priority: priority, Run: func(ctx context.Context) execute.Outcome {
		return execute.Leave(ctx, t.Directory, t.Mirror, l, by)
	}}
}

// by says for the record who stands behind the leaving.
func (a *departure) by(act leaving.Act) execute.By {
	ob := a.scope.ob
	by := onBehalf(a.tenant, ob, "Offboarding", ob.Spec.Reason)
	if m := ob.Spec.RequestedBy.FieldManager; m != "" && act != execute.ActAttest { // whoever confirms has written last
		by.Actor.Manager = m
	}
	by.Actor.Approver = ob.Status.ApprovedBy
	return by
}

// forbidden says why an act is not done although it is its turn.
func (a *departure) forbidden(d leaving.Decision) *Problem {
	switch d.Act {
	case leaving.ActConfirm, leaving.ActResidual:
		return nil
	}
	if a.account.Spec.Mode == v1alpha1.ModeObserve {
		return problem(v1alpha1.ReasonObserved, "mode is Observe; Enforce would: "+strings.ToLower(string(d.Act)))
	}
	if a.status.AdmittedTime == nil {
		return problem(v1alpha1.ReasonLeaving, "it was not let begin yet") // no act goes around the limits (P6)
	}
	return nil
}

// makeBackup has the Backup made whose name is recorded.
func (a *departure) makeBackup() {
	a.make = a.newBackup()
	st := a.begun(leaving.Backup, leaving.Running)
	if a.status.BackupName != a.make.Name {
		a.status.BackupName = a.make.Name
		st.Attempts++
	}
	a.problem = problem(v1alpha1.ReasonWaitingForBackup, fmt.Sprintf("the Backup %q is being made", a.make.Name))
	st.Message = a.problem.Message
}

// departure is an act in the lane's words.
func (a *departure) departure(d leaving.Decision) execute.Departure {
	ob := a.scope.ob
	l := execute.Departure{Act: d.Act, Account: a.spec.UserID}
	switch d.Act {
	case leaving.ActRevoke:
		l.Roles = a.rolesIn(v1alpha1.RoleHeld)
	case leaving.ActRestore:
		l.Roles = a.toRestore()
	case leaving.ActRemove, leaving.ActInherit:
		l.Removal = directory.Removal{Successor: a.spec.SuccessorUserID, Reason: "offboarding " + ob.Name, LastDay: lastDay(ob)}
		if d.Act == leaving.ActRemove && a.task(byHandOver) != nil {
			l.Removal.Successor = "" // people have handed over
		}
	case leaving.ActNotify:
		l.Notice, l.To, l.Text = string(a.notice.To), a.recipients(a.notice.To), a.text()
	case leaving.ActResidual:
		l.Gone = a.removed() || a.progress().RemovalAsked
		l.Led, l.Reports = a.tenant.Mirror.Led(a.spec.UserID)
	}
	return l
}

// lastDay of work: the declared one, or the day on which the leaving began.
func lastDay(ob *v1alpha1.Offboarding) time.Time {
	if day, err := time.ParseInLocation(time.DateOnly, ob.Spec.LastDay, china); err == nil {
		return day
	}
	return ob.CreationTimestamp.Time
}

func (a *departure) rolesIn(state v1alpha1.RevokedState) []directory.RoleMember {
	var all []directory.RoleMember
	for _, role := range a.status.Roles {
		if role.State == state {
			all = append(all, directory.RoleMember{Role: role.ID, Account: a.spec.UserID, Scope: role.Scope})
		}
	}
	return all
}

// toRestore are the roles that the leaving gives back: what a PermissionBinding is about it leaves to that.
func (a *departure) toRestore() []directory.RoleMember {
	return slices.DeleteFunc(append(a.rolesIn(v1alpha1.RoleRevoked), a.rolesIn(v1alpha1.RoleHeld)...), func(m directory.RoleMember) bool {
		return slices.ContainsFunc(a.status.Roles, func(role v1alpha1.RevokedRole) bool { return role.ID == m.Role && role.BindingName != "" })
	})
}

// underwayOn is how an act stands that is being done: err is of the last attempt.
func underwayOn(d leaving.Decision, err error) *Problem {
	if err == nil {
		return problem(v1alpha1.ReasonLeaving, map[leaving.Act]string{
			leaving.ActConfirm: "reading the account", leaving.ActFreeze: "freezing the account", leaving.ActRevoke: "taking roles away",
			leaving.ActNotify: "telling people", leaving.ActRemove: "removing the account", leaving.ActInherit: "passing on what the person leaves behind",
			leaving.ActResidual: "looking for what is left", leaving.ActRestore: "giving roles back", execute.ActAttest: "recording confirmations",
		}[d.Act])
	}
	p := problemOf(err)
	if directory.ClassOf(err) != directory.Conflict {
		return p
	}
	switch d.Act {
	case leaving.ActRemove:
		return problem(v1alpha1.ReasonRemovalRefused, p.Message)
	case leaving.ActInherit: // the person does not count as gone yet
		return problem(v1alpha1.ReasonLeaving, p.Message)
	}
	return p
}
