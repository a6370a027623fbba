package controllers

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/storage"
)

// backupStep is the next thing to do for a Backup.
type backupStep string

const (
	// backupRest: nothing.
	backupRest backupStep = ""
	// backupBegin exports under a new key, which is recorded before.
	backupBegin backupStep = "Begin"
	// backupResume looks what an attempt that died or failed has left: a sealed archive
	// is read back, anything else is swept away.
	backupResume backupStep = "Resume"
	// backupVerify reads back an archive that is there, and makes the copy that it lacks.
	backupVerify backupStep = "Verify"
	// backupHold lays a legal hold beside the archive, backupRelease takes it away.
	backupHold    backupStep = "Hold"
	backupRelease backupStep = "Release"
	// backupExpire deletes the archive because its time is over, backupForget then this object.
	backupExpire backupStep = "Expire"
	backupForget backupStep = "Forget"
	// backupDelete deletes the archive because this object is deleted, backupLetGo lets the object go.
	backupDelete backupStep = "Delete"
	backupLetGo  backupStep = "LetGo"
	// backupStop ends what runs.
	backupStop backupStep = "Stop"
)

// exports reports whether a step reads a platform.
func (s backupStep) exports() bool { return s == backupBegin || s == backupResume }

// works reports whether a step is a job.
func (s backupStep) works() bool {
	return s != backupRest && s != backupForget && s != backupLetGo && s != backupStop
}

// exported: the archive is complete in its place. Only a seal tells the hash.
func exported(b *v1alpha1.Backup) bool { return b.Status.Archive.SHA256 != "" }

func verified(b *v1alpha1.Backup) bool { return b.Status.Verification.Time != nil }

func copied(b *v1alpha1.Backup) bool {
	return b.Status.Verification.Offsite == v1alpha1.CopyVerified
}

// held: a hold lies there, or is to be laid, and nobody has ended it in so many words.
func held(b *v1alpha1.Backup) bool {
	switch b.Spec.LegalHold {
	case v1alpha1.LegalHoldHeld:
		return true
	case v1alpha1.LegalHoldReleased:
		return false
	}
	return b.Status.LegalHold == v1alpha1.LegalHoldHeld
}

// archiveKey is the folder that this Backup writes to, or found.
func archiveKey(b *v1alpha1.Backup) string {
	if b.Spec.ArchiveKey != "" {
		return b.Spec.ArchiveKey
	}
	return b.Status.Archive.Key
}

// expires is when the archive goes; zero is never.
func expires(b *v1alpha1.Backup) time.Time {
	if b.Spec.ExpireAfterDays == 0 {
		return time.Time{}
	}
	since := b.CreationTimestamp.Time
	if at := b.Status.Archive.Time; at != nil {
		since = at.Time
	}
	return since.AddDate(0, 0, int(b.Spec.ExpireAfterDays))
}

// decide says what is to be done next, and when.
func (r *BackupReconciler) decide(ctx context.Context, s *backupScope) error {
	b := s.backup
	if b.DeletionTimestamp.IsZero() {
		s.step = s.next()
	} else if err := r.decideDeletion(ctx, s); err != nil {
		return err
	}
	if at := b.Status.RetryTime; at != nil && !observed(b.Status.ObservedGeneration, b.Generation) {
		b.Status.RetryTime = nil // somebody changed it: not what failed
	} else if at != nil && at.After(s.now) && s.step.works() {
		s.wait = at.Sub(s.now)
		if s.problem == nil {
			s.problem = problemOfReady(b.Status.Conditions)
		}
	}
	if at := expires(b); s.step == backupRest && b.DeletionTimestamp.IsZero() && !at.IsZero() && !held(b) {
		s.wait = at.Sub(s.now)
	}
	return nil
}

// next is the next step of a Backup that stays.
func (s *backupScope) next() backupStep {
	b := s.backup
	spec, status := &b.Spec, &b.Status
	at := expires(b)
	switch {
	case s.removed:
		return backupForget
	case !at.IsZero() && !at.After(s.now) && !held(b):
		return backupExpire
	case !exported(b) && spec.ArchiveKey != "":
		return backupVerify
	case !exported(b) && status.Archive.Key != "":
		return backupResume
	case !exported(b):
		return backupBegin
	}
	return s.keep()
}

// keep is the next step of a Backup whose archive is complete. A hold does not wait for the proof.
func (s *backupScope) keep() backupStep {
	wanted, lies := s.backup.Spec.LegalHold, s.backup.Status.LegalHold
	switch {
	case wanted == v1alpha1.LegalHoldHeld && lies != v1alpha1.LegalHoldHeld:
		return backupHold
	case wanted == v1alpha1.LegalHoldReleased && lies == v1alpha1.LegalHoldHeld:
		return backupRelease
	case !verified(s.backup) || s.copies && !copied(s.backup):
		return backupVerify
	}
	return backupRest
}

// decideDeletion says what becomes of the archive of a Backup that is deleted. It
// always has a way out (P10): deletionPolicy Retain, and a storage that is gone.
func (r *BackupReconciler) decideDeletion(ctx context.Context, s *backupScope) error {
	b := s.backup
	if b.Spec.DeletionPolicy != v1alpha1.ArchiveDelete || archiveKey(b) == "" || ours(b) != nil || s.removed {
		s.step = backupLetGo
	} else {
		gone, err := r.unreachable(ctx, b)
		switch {
		case err != nil:
			return err
		case gone:
			s.step = backupLetGo
		case held(b):
			s.step, s.problem = backupRest, problem(v1alpha1.ReasonLegalHold, "the archive is under legal hold and is not deleted: set legalHold: Released to delete it, or deletionPolicy: Retain to let this object go and keep the archive")
		default:
			s.step = backupDelete
		}
	}
	if !r.Runs.Cancel(string(b.UID)) {
		s.step = backupStop // what is under way may still write there
		return nil
	}
	if s.step == backupLetGo {
		r.Runs.Cancel(s.key())
	}
	return nil
}

// unreachable: the storage is gone, or the namespace is going and takes it along.
func (r *BackupReconciler) unreachable(ctx context.Context, b *v1alpha1.Backup) (bool, error) {
	err := r.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: b.Spec.StorageRef.Name}, &v1alpha1.BackupStorage{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the BackupStorage: %w", err)
	}
	return namespaceEnds(ctx, r.Live, b.Namespace)
}

// prepare gathers what the step needs, or says what is missing, and records an
// attempt before it begins.
func (r *BackupReconciler) prepare(ctx context.Context, s *backupScope) (err error) {
	w := &backupWork{step: s.step, backup: s.backup.DeepCopy(), now: r.Now, tool: r.Tool}
	var account *v1alpha1.EnterpriseAccount
	gather := []func() (*Problem, error){
		func() (*Problem, error) { return ours(s.backup), nil },
		func() (p *Problem, err error) { account, p, err = r.account(ctx, s, w); return p, err },
		func() (*Problem, error) { return r.storage(ctx, s, w) },
		func() (*Problem, error) { return r.people(ctx, s.backup, w) },
	}
	if s.running() {
		gather = gather[1:2] // it may have to stop
	}
	for _, f := range gather {
		if !s.step.works() || s.wait > 0 {
			return nil
		}
		if p, err := f(); p != nil || err != nil {
			s.problem = p
			return err
		}
	}
	if s.running() {
		return nil
	}
	s.work = w
	if s.step == backupBegin {
		s.begin(account, w)
	}
	return nil
}

// begin records the attempt. What it writes lies under a key of its own, so that no two attempts meet.
func (s *backupScope) begin(account *v1alpha1.EnterpriseAccount, w *backupWork) {
	b, attempts := s.backup, int32(1)
	if b.Status.Attempts != nil {
		attempts = *b.Status.Attempts + 1
	}
	now := metav1.NewTime(s.now)
	key := storage.NewKey(b.Namespace, account.Name, tenantID(account), s.now, strings.ToLower(rand.Text()[:8]))
	b.Status.Attempts, b.Status.StartTime, b.Status.RetryTime = &attempts, &now, nil
	b.Status.Origin, b.Status.Archive = v1alpha1.OriginCreated, v1alpha1.Archive{Key: key}
	b.Status.Progress = v1alpha1.Progress{}
	w.backup = b.DeepCopy()
}

// tenantID is the platform's id of the company.
func tenantID(a *v1alpha1.EnterpriseAccount) string {
	if id := a.Spec.WeCom.CorpID; id != "" {
		return id
	}
	return a.Spec.DingTalk.CorpID
}

// account finds the tenant of a step that reads one. What is suspended meanwhile, or gone, is stopped.
func (r *BackupReconciler) account(ctx context.Context, s *backupScope, w *backupWork) (*v1alpha1.EnterpriseAccount, *Problem, error) {
	if !s.step.exports() {
		return nil, nil, nil
	}
	account, p, err := exportable(ctx, r, s.backup)
	if p != nil && s.running() {
		s.step = backupStop
	}
	if err != nil || p != nil || s.running() {
		return nil, p, err
	}
	t := r.Tenants.Get(client.ObjectKeyFromObject(account).String())
	if t == nil {
		return nil, notConnected(account), nil
	}
	w.directory, w.tenant = t.Directory, tenantID(account)
	if state := t.Mirror.State(); state.Listed && s.backup.Spec.People.UserIDs == nil && s.backup.Spec.People.EmployeeRefs == nil {
		w.expected = int64(state.Accounts + state.Departments)
	}
	return account, nil, nil
}

// storage finds out how the place is reached. It has to be well, unless something is deleted.
func (r *BackupReconciler) storage(ctx context.Context, s *backupScope, w *backupWork) (*Problem, error) {
	bs, p, err := backupStorage(ctx, r, s.backup.Namespace, s.backup.Spec.StorageRef.Name)
	if err != nil || p != nil {
		return p, err
	}
	if p := usable(bs); p != nil && s.step != backupDelete && s.step != backupExpire {
		return p, nil
	}
	w.access, p, err = r.Storages.Resolve(ctx, bs)
	return p, err
}

// people resolves Employees to user ids, for a step that needs to know them.
func (r *BackupReconciler) people(ctx context.Context, b *v1alpha1.Backup, w *backupWork) (*Problem, error) {
	if w.step != backupBegin {
		return nil, nil
	}
	w.people = append(w.people, b.Spec.People.UserIDs...)
	var missing []string
	for _, ref := range b.Spec.People.EmployeeRefs {
		e := &v1alpha1.Employee{}
		err := r.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: ref.Name}, e)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading an Employee: %w", err)
		}
		if st := accountStatus(e, b.Spec.AccountRef.Name); err == nil && st != nil && isOwned(st.Origin) {
			w.people = append(w.people, st.UserID)
		} else {
			missing = append(missing, ref.Name)
		}
	}
	if len(missing) > 0 {
		return problem(v1alpha1.ReasonWaitingForPeople, fmt.Sprintf("waiting for %s to be there, and to have an account on %s", people(missing), b.Spec.AccountRef.Name)), nil
	}
	slices.Sort(w.people)
	w.people = slices.Compact(w.people)
	return nil, nil
}

// ours: the archive lies in this company's and this account's part of the place. Whoever may
// make Backups in one namespace must not read or delete the archives of another.
func ours(b *v1alpha1.Backup) *Problem {
	if key := b.Spec.ArchiveKey; key != "" && !strings.HasPrefix(key, b.Namespace+"/"+b.Spec.AccountRef.Name+"/") {
		return problem(v1alpha1.ReasonInvalidValue, fmt.Sprintf("archiveKey: the archive is not of this namespace and of the account %q: a key begins with both", b.Spec.AccountRef.Name))
	}
	return nil
}
