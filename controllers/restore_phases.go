package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// restoreStep is the next thing to do for a Restore.
type restoreStep string

const (
	// restoreRest: nothing.
	restoreRest restoreStep = ""
	// restorePlan reads archive and target, and says what would be done.
	restorePlan restoreStep = "Plan"
	// restoreExecute plans again and does it.
	restoreExecute restoreStep = "Execute"
	// restoreStop ends what runs.
	restoreStop restoreStep = "Stop"
)

// manifests: the target is YAML for Git, and no account.
func toManifests(rs *v1alpha1.Restore) bool { return len(rs.Spec.Target.Manifests.Accounts) > 0 }

// begun: the execution was recorded, and may have changed something.
func begun(rs *v1alpha1.Restore) bool { return rs.Status.StartTime != nil }

// restored: the execution came to its end.
func restored(rs *v1alpha1.Restore) bool { return begun(rs) && rs.Status.CompletionTime != nil }

// next is the next step; p says why there is none although something is left.
func (s *restoreScope) next() (step restoreStep, p *Problem) {
	rs := s.restore
	st := &rs.Status
	again := !observed(st.ObservedGeneration, rs.Generation) // somebody wants it looked at anew
	conflicts := st.Plan.Conflicts != nil && *st.Plan.Conflicts > 0 && rs.Spec.Conflicts != v1alpha1.ConflictSkip
	switch {
	case restored(rs):
		return restoreRest, s.incomplete()
	case begun(rs):
		return restoreExecute, nil
	case st.Plan.Digest == "":
		return restorePlan, nil
	case rs.Spec.Action != v1alpha1.RestoreExecute:
		return restoreRest, nil
	case rs.Spec.PlanDigest != "" && rs.Spec.PlanDigest != st.Plan.Digest:
		return restoreRest, problem(v1alpha1.ReasonPlanChanged, fmt.Sprintf("nothing was done: planDigest allows %s, and the plan is %s now (%s); if that is right, write its digest", rs.Spec.PlanDigest, st.Plan.Digest, inCounts(&st.Plan)))
	case conflicts && again:
		return restorePlan, nil
	case conflicts:
		return restoreRest, inConflict(&st.Plan)
	}
	return restoreExecute, nil
}

func inConflict(p *v1alpha1.RestorePlan) *Problem {
	return problem(v1alpha1.ReasonRestoreConflicts, fmt.Sprintf("nothing was done: %d conflicts, the first of status.items; resolve them and create another Restore, or one with conflicts: Skip that leaves them out", *p.Conflicts))
}

func (s *restoreScope) incomplete() *Problem {
	if n := s.restore.Status.Plan.Failed; n != nil && *n > 0 {
		return problem(v1alpha1.ReasonRestoreIncomplete, fmt.Sprintf("%d of what should be restored was not: the first of status.items; the report has all", *n))
	}
	return nil
}

// prepare decides what is next, gathers what it needs or says what is missing, and
// records an execution before it begins.
func (r *RestoreReconciler) prepare(ctx context.Context, s *restoreScope) error {
	rs := s.restore
	step, p := s.next()
	s.step = step
	if s.problem == nil {
		s.problem = p
	}
	b, missing, err := r.backup(ctx, rs)
	if err != nil {
		return err
	}
	rs.Status.Target = targetName(rs, b)
	if step == restoreRest {
		return nil
	}
	w := &restoreWork{step: step, restore: rs.DeepCopy(), backup: b, resumed: begun(rs), now: r.Now}
	if missing == nil && !toManifests(rs) {
		if missing, err = r.target(ctx, s, w); err != nil {
			return err
		}
	}
	if s.running() {
		if missing != nil && stand(missing.Reason) == kube.Held { // suspended, or observed, meanwhile
			s.step, s.problem = restoreStop, missing
		}
		return nil
	}
	if s.pause(); s.wait > 0 {
		return nil
	}
	if missing == nil {
		missing, err = r.storage(ctx, b, w)
	}
	if missing != nil || err != nil {
		s.problem = missing
		return err
	}
	if step == restoreExecute {
		s.begin()
	}
	s.work = w
	return nil
}

// begin records an execution, once.
func (s *restoreScope) begin() {
	if rs := s.restore; !begun(rs) {
		now := metav1.NewTime(s.now)
		rs.Status.StartTime, rs.Status.CompletionTime, rs.Status.Action = &now, nil, v1alpha1.RestoreExecute
	}
}

// pause waits after a failure, unless somebody changed the Restore since.
func (s *restoreScope) pause() {
	rs := s.restore
	switch at := rs.Status.RetryTime; {
	case at == nil:
	case !observed(rs.Status.ObservedGeneration, rs.Generation):
		rs.Status.RetryTime = nil
	case at.After(s.now):
		s.wait = at.Sub(s.now)
		if s.problem == nil {
			s.problem = problemOfReady(rs.Status.Conditions)
		}
	}
}

// backup reads the Backup, which has to be proven.
func (r *RestoreReconciler) backup(ctx context.Context, rs *v1alpha1.Restore) (*v1alpha1.Backup, *Problem, error) {
	b, name := &v1alpha1.Backup{}, rs.Spec.BackupRef.Name
	err := r.Get(ctx, client.ObjectKey{Namespace: rs.Namespace, Name: name}, b)
	if apierrors.IsNotFound(err) {
		return nil, problem(v1alpha1.ReasonWaitingForBackup, fmt.Sprintf("there is no Backup %q in this namespace", name)), nil
	}
	if err == nil && !verified(b) {
		return b, problem(v1alpha1.ReasonWaitingForBackup, fmt.Sprintf("the archive of the Backup %q was not verified; its conditions say why", name)), nil
	}
	return b, nil, client.IgnoreNotFound(err)
}

// targetName says in a word where to.
func targetName(rs *v1alpha1.Restore, b *v1alpha1.Backup) string {
	switch {
	case toManifests(rs):
		return "manifests"
	case rs.Spec.Target.AccountRef.Name != "":
		return rs.Spec.Target.AccountRef.Name
	case b != nil:
		return b.Spec.AccountRef.Name
	}
	return rs.Status.Target
}

// target finds the account to restore onto. Observe is looked at, and not changed.
func (r *RestoreReconciler) target(ctx context.Context, s *restoreScope, w *restoreWork) (*Problem, error) {
	account, p, err := callable(ctx, r, s.restore.Namespace, s.restore.Status.Target)
	if p != nil || err != nil {
		return p, err
	}
	if account.Spec.Mode == v1alpha1.ModeObserve && s.step == restoreExecute {
		return problem(v1alpha1.ReasonObserved, "mode is Observe; Enforce would: "+inCounts(&s.restore.Status.Plan)), nil
	}
	if s.tenant = r.Tenants.Get(client.ObjectKeyFromObject(account).String()); s.tenant == nil {
		return notConnected(account), nil
	}
	w.tenant, w.corp = s.tenant, tenantID(account)
	w.declared = r.declared
	w.accountID = r.Platforms[s.tenant.Directory.Capabilities().Platform].AccountID
	return nil, nil
}

// storage finds out how the archive is reached.
func (r *RestoreReconciler) storage(ctx context.Context, b *v1alpha1.Backup, w *restoreWork) (*Problem, error) {
	bs, p, err := backupStorage(ctx, r, b.Namespace, b.Spec.StorageRef.Name)
	if p != nil || err != nil {
		return p, err
	}
	if p := usable(bs); p != nil {
		return p, nil
	}
	w.access, p, err = r.Storages.Resolve(ctx, bs)
	return p, err
}
