package controllers

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/kube"
)

// namespaceWithin bounds how long somebody whose namespace is deleted waits for platforms and storages (P10).
const namespaceWithin = 5 * time.Minute

// lastArchive names the archives that are made of whole accounts when a namespace is deleted.
const lastArchive = "namespace-deleted"

// ends reports whether the person goes with the namespace, which lets no Offboarding be made any more. Where no
// policy would let anybody leave, nothing is done for it either.
func (r *EmployeeReconciler) ends(ctx context.Context, s *employeeScope) (bool, error) {
	if !leavesBy(s.policy, s.departed()) {
		return false, nil
	}
	return namespaceEnds(ctx, r.Live, s.employee.Namespace)
}

// leavesBy reports whether the policy, if there is one, lets somebody leave who is deleted.
func leavesBy(policy *v1alpha1.OffboardingPolicy, departed bool) bool {
	return policy != nil && (departed || policy.Spec.UnannouncedDeletion != v1alpha1.UnannouncedRetain)
}

// goWithNamespace freezes the person's accounts where that needs nobody's decision, has them backed up, one archive for
// everybody on an account, and lets go. Nothing is deleted on a platform.
func (r *EmployeeReconciler) goWithNamespace(ctx context.Context, s *employeeScope) (ctrl.Result, error) {
	e := s.employee
	before := e.DeepCopy()
	s.ending = true
	var open *Problem
	for i := range e.Spec.Accounts {
		a, p, err := r.goFrom(ctx, s, &e.Spec.Accounts[i])
		if err != nil {
			return done(0, err)
		}
		s.accounts = append(s.accounts, a)
		open = worse(open, p, a.status.Name)
		a.summarize()
		if st := accountStatus(e, a.status.Name); st != nil {
			*st = a.status
		}
	}
	for _, name := range employeeSystems(e) {
		p, err := r.disabling(ctx, s, name)
		if err != nil {
			return done(0, err)
		}
		open = worse(open, p, name)
	}
	if open != nil {
		kube.Summarize(&e.Status.Conditions, e.Generation, kube.Summary{Stand: kube.Reconciling, Reason: v1alpha1.ReasonNamespaceLeaving, Message: open.Message})
		e.Status.ObservedGeneration = &e.Generation
	}
	wrote, err := kube.PatchStatus(ctx, r.Client, before, e)
	if err != nil {
		return done(0, client.IgnoreNotFound(err))
	}
	if wrote {
		r.writes.Note(e)
	}
	late := time.Since(e.DeletionTimestamp.Time) >= namespaceWithin
	if open != nil && !late {
		return done(sooner(r.act(ctx, s), goneSoon), nil)
	}
	if open != nil { // a namespace that ends takes no events: the log tells it, too
		log.FromContext(ctx).Info("let somebody go with the namespace before everything was done", "employee", e.Name, "waitedFor", open.Reason)
		r.Recorder.Eventf(e, nil, corev1.EventTypeWarning, v1alpha1.ReasonNamespaceLeaving, "Delete", "%s", kube.Coded(v1alpha1.ReasonNamespaceLeaving, "let go before everything was done: "+open.Message))
	}
	for _, a := range s.accounts {
		if a.tenant != nil {
			a.tenant.Lane.Forget(s.lane)
		}
	}
	r.letGoOfLinks(e)
	return done(0, kube.RemoveFinalizer(ctx, r.Client, e, v1alpha1.Finalizer))
}

// goFrom does for one account what can be done while the namespace ends. open is what is waited for yet.
func (r *EmployeeReconciler) goFrom(ctx context.Context, s *employeeScope, spec *v1alpha1.EmployeeAccount) (a *employeeAccount, open *Problem, err error) {
	a = r.standing(s, spec.Name)
	if !isOwned(a.status.Origin) && a.status.Origin != v1alpha1.OriginCreating {
		return a, nil, nil
	}
	account, missing, err := enterpriseAccount(ctx, r, s.employee.Namespace, spec.Name)
	if err != nil || missing != nil || account.Spec.Mode == v1alpha1.ModeSuspended {
		return a, nil, err // nobody can be called
	}
	if s.freezes() {
		if err := r.converge(ctx, s, a, spec); err != nil {
			return a, nil, err
		}
		open = a.freezing()
	} else if a.tenant != nil && !a.tenant.Mirror.State().Listed {
		a.tenant = nil
	}
	if p, err := r.archived(ctx, s, a, account); err != nil || p != nil {
		return a, p, err
	}
	return a, open, nil
}

// freezing is what the freeze waits for. What may not be frozen, or cannot, stays as it is, and its status says why.
func (a *employeeAccount) freezing() *Problem {
	p := a.problem
	if p == nil || a.held || a.observe || p.Reason == v1alpha1.ReasonFreezeUnsupported ||
		p.Reason == v1alpha1.ReasonVanished || p.Reason == v1alpha1.ReasonInvitationPending {
		return nil
	}
	return p
}

// disabling is what a linked account waits for that link_controller.go disables. What may not be disabled, or cannot, stays as it is.
func (r *EmployeeReconciler) disabling(ctx context.Context, s *employeeScope, system string) (*Problem, error) {
	st := linkStatus(s.employee, system)
	if st == nil || !isLinked(st) || st.State != v1alpha1.LinkedActive || !s.freezes() {
		return nil, nil
	}
	switch st.Reason {
	case v1alpha1.ReasonRemovalLimit, v1alpha1.ReasonObserved, v1alpha1.ReasonFreezeUnsupported, v1alpha1.ReasonDataConflict:
		return nil, nil
	}
	ls, err := linkedSystem(ctx, r, client.ObjectKey{Namespace: s.employee.Namespace, Name: system})
	if err != nil || ls == nil || ls.Spec.Mode == v1alpha1.ModeSuspended || ls.Spec.OnLeave == v1alpha1.UnlinkRetain {
		return nil, err // nobody can be called, or it is retained
	}
	return problem(v1alpha1.ReasonNamespaceLeaving, "the linked account is being disabled"), nil
}

// freezes reports whether access is taken away without anybody's decision.
func (s *employeeScope) freezes() bool { return freezesBy(s.policy, s.departed()) }

func freezesBy(policy *v1alpha1.OffboardingPolicy, departed bool) bool {
	owed, terms := v1alpha1.CaseDeletion, &policy.Spec.OffboardingTerms
	if departed {
		owed = v1alpha1.CaseDeparture
	} else if terms.UnannouncedDeletion == v1alpha1.UnannouncedHold {
		return false
	}
	return !slices.Contains(terms.Approval.RequiredFor, owed)
}

// archived sees to the archive of the whole account that everybody shares who goes with the namespace. p is
// what it waits for.
func (r *EmployeeReconciler) archived(ctx context.Context, s *employeeScope, a *employeeAccount, account *v1alpha1.EnterpriseAccount) (p *Problem, err error) {
	terms := &s.policy.Spec.Backup
	if terms.Mode != v1alpha1.BackupRequired || a.status.ArchiveKey != "" {
		return nil, nil
	}
	var others v1alpha1.EmployeeList
	if err := r.List(ctx, &others, client.InNamespace(account.Namespace), client.MatchingFields{indexAccount: account.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing who goes, too: %w", err)
	}
	for i := range others.Items {
		if st := accountStatus(&others.Items[i], account.Name); st != nil && st.ArchiveKey != "" {
			a.status.ArchiveKey, a.status.ArchiveSHA256 = st.ArchiveKey, st.ArchiveSHA256
			return nil, nil
		}
	}
	key := string(account.UID) + "/" + terms.StorageRef.Name
	run, exists := r.Archives.State(key)
	switch {
	case exists && !run.Ended():
		return problem(v1alpha1.ReasonNamespaceLeaving, fmt.Sprintf("the account %q is being backed up", account.Name)), nil
	case exists && run.Err == nil:
		a.status.ArchiveKey, a.status.ArchiveSHA256 = run.Result.key, run.Result.seal.SHA256
		return nil, nil
	case exists:
		r.Archives.Acknowledge(key)
		p := problemOfBackup(run.Err)
		p.Message = "the backup failed, and is tried again: " + p.Message
		return p, nil
	}
	if a.tenant == nil {
		return notConnected(account), nil
	}
	return r.startArchive(ctx, key, account, terms, a)
}

// startArchive begins the archive. It is read back before it counts, as any.
func (r *EmployeeReconciler) startArchive(ctx context.Context, key string, account *v1alpha1.EnterpriseAccount, terms *v1alpha1.OffboardingBackup, a *employeeAccount) (*Problem, error) {
	bs, p, err := backupStorage(ctx, r, account.Namespace, terms.StorageRef.Name)
	if err != nil || p != nil {
		return p, err
	}
	access, p, err := r.Storages.Resolve(ctx, bs)
	if err != nil || p != nil {
		return p, err
	}
	b := &v1alpha1.Backup{}
	b.Namespace, b.Name = account.Namespace, lastArchive
	b.Spec.AccountRef.Name, b.Spec.Datasets, b.Spec.LookbackDays = account.Name, terms.Datasets, terms.LookbackDays
	b.Status.Archive.Key = storage.NewKey(account.Namespace, account.Name, tenantID(account), r.Now(), strings.ToLower(rand.Text()[:8]))
	work := backupWork{step: backupBegin, backup: b, access: access, directory: a.tenant.Directory, tenant: tenantID(account), now: r.Now, tool: r.Tool}
	r.Archives.Start(jobs.Job[backupProgress, backupOutcome]{
		Key: key, Lane: account.Namespace + "/" + account.Name,
		Run: func(ctx context.Context, tell func(backupProgress)) (backupOutcome, error) {
			o, err := work.run(ctx, tell)
			if err == nil && terms.LegalHold == v1alpha1.LegalHoldHeld {
				hold := work
				hold.step = backupHold
				_, err = hold.run(ctx, tell)
			}
			return o, err
		},
		Ended: func() { r.Hub.people(context.WithoutCancel(ctx), client.ObjectKeyFromObject(account)) },
	})
	return problem(v1alpha1.ReasonNamespaceLeaving, fmt.Sprintf("the account %q is being backed up", account.Name)), nil
}
