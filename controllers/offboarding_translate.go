package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/leaving"
)

// China is where the platforms' days begin and end.
var china = time.FixedZone("CST", 8*60*60)

// observe reads what each account's leaving depends on. It makes no call.
func (r *OffboardingReconciler) observe(ctx context.Context, s *offboardingScope) error {
	ob := s.ob
	if !ob.DeletionTimestamp.IsZero() {
		ns := &corev1.Namespace{}
		if err := r.Live.Get(ctx, client.ObjectKey{Name: ob.Namespace}, ns); err != nil {
			return fmt.Errorf("reading the namespace: %w", err)
		}
		s.leavingNamespace = !ns.DeletionTimestamp.IsZero()
	}
	statuses := make([]v1alpha1.OffboardingAccountStatus, len(ob.Spec.Accounts))
	for i := range ob.Spec.Accounts {
		spec := &ob.Spec.Accounts[i]
		statuses[i] = v1alpha1.OffboardingAccountStatus{Name: spec.Name}
		for j := range ob.Status.Accounts {
			if ob.Status.Accounts[j].Name == spec.Name {
				statuses[i] = *ob.Status.Accounts[j].DeepCopy()
			}
		}
		a := &departure{scope: s, spec: spec, status: &statuses[i], known: r.recall(ob, spec.Name), key: client.ObjectKey{Namespace: ob.Namespace, Name: spec.Name}}
		if err := r.find(ctx, a); err != nil {
			return err
		}
		s.accounts = append(s.accounts, a)
	}
	ob.Status.Accounts = statuses
	return r.observeLinks(ctx, s)
}

// find reads the account's EnterpriseAccount, tenant and Backup.
func (r *OffboardingReconciler) find(ctx context.Context, a *departure) error {
	account := &v1alpha1.EnterpriseAccount{}
	switch err := r.Get(ctx, a.key, account); {
	case err == nil:
		a.account = account
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("reading the EnterpriseAccount: %w", err)
	}
	// The brake holds from the moment that it is pulled, though the tenant may run for a moment yet.
	braked := a.account == nil || a.account.Spec.Mode == v1alpha1.ModeSuspended
	if t := r.Tenants.Get(a.key.String()); t != nil && !braked && t.Mirror.State().Listed {
		a.tenant = t
		a.lay(leaving.Order(a.offers()))
	}
	var bindings v1alpha1.PermissionBindingList
	if err := r.List(ctx, &bindings, client.InNamespace(a.key.Namespace), client.MatchingFields{indexAccount: a.key.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing PermissionBindings: %w", err)
	}
	a.bound = map[string]string{}
	for i := range bindings.Items {
		a.bound[bindings.Items[i].Status.RoleID] = bindings.Items[i].Name
	}
	if name := a.status.BackupName; name != "" {
		b := &v1alpha1.Backup{}
		switch err := r.Get(ctx, client.ObjectKey{Namespace: a.key.Namespace, Name: name}, b); {
		case err == nil:
			a.backup = b
		case !apierrors.IsNotFound(err):
			return fmt.Errorf("reading the Backup: %w", err)
		}
	}
	return nil
}

// lay lists the steps in their order, before anything is done.
func (a *departure) lay(order []leaving.Step) {
	if len(a.status.Steps) > 0 {
		return
	}
	for _, s := range order {
		a.status.Steps = append(a.status.Steps, v1alpha1.OffboardingStepStatus{Name: v1alpha1.OffboardingStepName(s), State: v1alpha1.StepState(leaving.Pending)})
	}
}

// step is the status of a step. Before the steps are laid, it is nobody's.
func (a *departure) step(s leaving.Step) *v1alpha1.OffboardingStepStatus {
	for i := range a.status.Steps {
		if a.status.Steps[i].Name == v1alpha1.OffboardingStepName(s) {
			return &a.status.Steps[i]
		}
	}
	return &v1alpha1.OffboardingStepStatus{Name: v1alpha1.OffboardingStepName(s), State: v1alpha1.StepState(leaving.Pending)}
}

func (a *departure) offers() []directory.DutyOffer {
	if r, can := a.tenant.Directory.(directory.Remover); can {
		return r.Duties()
	}
	return nil
}

// termsOf are the terms as far as one account is concerned.
func termsOf(t *v1alpha1.OffboardingTerms) leaving.Terms {
	terms := leaving.Terms{
		Backup: t.Backup.Mode != v1alpha1.BackupNone, Grace: graceOf(t),
		Delete: t.FinalAction != v1alpha1.FinalKeep, RemoveEarly: t.Unfreezable == v1alpha1.UnfreezableRemoveEarly,
	}
	for _, s := range t.SkipSteps {
		terms.Skip = append(terms.Skip, leaving.Step(s))
	}
	return terms
}

// defaultGrace is a week, as the CRD says.
const defaultGrace = 7 * 24 * time.Hour

func graceOf(t *v1alpha1.OffboardingTerms) time.Duration {
	if t.GraceSeconds == nil {
		return defaultGrace
	}
	return time.Duration(*t.GraceSeconds) * time.Second
}

// progress is what is durably recorded, and what this reconcile is about to record.
func (a *departure) progress() *leaving.Progress {
	p := &leaving.Progress{Steps: map[leaving.Step]leaving.State{}}
	for i := range a.status.Steps {
		s := &a.status.Steps[i]
		p.Steps[leaving.Step(s.Name)] = leaving.State(s.State)
		switch leaving.Step(s.Name) {
		case leaving.Grace:
			p.GraceEnds = a.graceEnds(s)
		case leaving.DeleteAccount:
			p.RemovalAsked = s.Attempts > 0
		}
	}
	return p
}

func (a *departure) graceEnds(grace *v1alpha1.OffboardingStepStatus) time.Time {
	if grace.StartTime == nil || grace.State == v1alpha1.StepState(leaving.Skipped) {
		return time.Time{}
	}
	return grace.StartTime.Add(graceOf(&a.scope.ob.Spec.Terms))
}

// facts is what is known now, but for what holds the leaving.
func (a *departure) facts() leaving.Facts {
	f := leaving.Facts{
		Now: a.scope.now, Owned: isOwned(a.spec.Origin), Cancelled: a.again, Claimant: a.claimant,
		FreezeLimit: "this platform cannot freeze accounts", Successor: a.spec.SuccessorUserID,
		Inheritance: a.known.inheritance,
	}
	f.Backup, f.BackupMessage = a.backedUp()
	for i := range a.status.Tasks {
		if a.status.Tasks[i].ConfirmedTime == nil {
			f.TasksOpen = append(f.TasksOpen, a.status.Tasks[i].Name)
		}
	}
	if t := a.task(inheritance); t != nil && t.ConfirmedTime != nil {
		f.Inheritance = &directory.Inheritance{} // people have passed on what there was
	}
	f.NoticesOpen = a.nextNotice() != nil
	a.scope.systems(&f)
	a.roles(&f)
	if looked := a.known.looked; !looked.IsZero() && a.scope.now.Before(looked.Add(residualAgain)) || a.rehired {
		f.ResidualsRead, f.Residuals = true, a.known.residuals
	}
	if a.tenant == nil {
		return f
	}
	m, d := a.tenant.Mirror, a.tenant.Directory
	f.Listed, f.Offers = true, a.offers()
	f.Account, f.Absent, f.Doubtful = m.Account(a.spec.UserID), m.Absent(a.spec.UserID), m.Doubtful(a.spec.UserID)
	capabilities := d.Capabilities()
	kind := directory.AccountType(a.spec.Type)
	if f.Account != nil && f.Account.Type != "" {
		kind = f.Account.Type
	}
	_, freezer := d.(directory.Freezer)
	f.CanFreeze = freezer && capabilities.CanFreeze(kind) && a.known.freezeLimit == ""
	for _, limit := range []string{capabilities.FreezeLimit, a.known.freezeLimit} {
		if limit != "" {
			f.FreezeLimit = limit
		}
	}
	_, f.CanRevoke = d.(directory.RoleRevoker)
	return f
}

// residualAgain is how often what was left is looked for again.
const residualAgain = time.Hour

// roles says which roles were read, and taken. Evidence tells that they were read though there are none.
func (a *departure) roles(f *leaving.Facts) {
	step := a.step(leaving.RevokePermissions)
	f.RolesRead = step.Evidence != ""
	for _, role := range a.status.Roles {
		switch {
		case role.State == v1alpha1.RoleRevoked:
			f.RolesTaken++
		case a.again && step.Attempts > 1 && step.State == v1alpha1.StepState(leaving.Running):
			f.RolesTaken++ // it may have been taken, and the answer was lost
		case a.task(string(leaving.RevokePermissions)) == nil: // else people take it away
			f.RolesLeft++
		}
	}
}

// backedUp says how the Backup stands. Only what proves that this person's account was
// saved since the leaving began counts (P1).
func (a *departure) backedUp() (leaving.BackupState, string) {
	b := a.backup
	switch {
	case b == nil, !b.DeletionTimestamp.IsZero(), spent(a):
		return leaving.BackupAbsent, ""
	case a.proven():
		return leaving.BackupVerified, "the archive was read back, decrypted and compared with the platform"
	case !a.isOurs(b):
		return leaving.BackupFailed, fmt.Sprintf("the Backup %q is not of this leaving: delete it", b.Name)
	case meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionStalled):
		return leaving.BackupFailed, fmt.Sprintf("the Backup %q failed: %s", b.Name, readyMessage(b))
	}
	return leaving.BackupRunning, fmt.Sprintf("the Backup %q is under way: %s", b.Name, readyMessage(b))
}

func readyMessage(b *v1alpha1.Backup) string {
	if c := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Message
	}
	return "it was not looked at yet"
}

// isOurs: the Backup is of this account and person, and nobody chose another archive for it.
func (a *departure) isOurs(b *v1alpha1.Backup) bool {
	return b.Spec.AccountRef.Name == a.spec.Name && b.Spec.ArchiveKey == "" &&
		slices.Equal(b.Spec.People.UserIDs, []string{a.spec.UserID}) && len(b.Spec.People.EmployeeRefs) == 0 &&
		b.Spec.StorageRef == a.scope.ob.Spec.Terms.Backup.StorageRef
}

// proven: the archive is of this tenant and person, was made since the leaving began, was
// read back, and said of the person what the platform says.
func (a *departure) proven() bool {
	b, start := a.backup, a.scope.ob.Status.StartTime
	v, archive := &b.Status.Verification, &b.Status.Archive
	return a.isOurs(b) && isGood(b) && b.Status.Origin == v1alpha1.OriginCreated &&
		a.account != nil && archive.Tenant == tenantID(a.account) &&
		start != nil && archive.Time != nil && !archive.Time.Before(start) &&
		v.Time != nil && v.ManifestSHA256 != "" &&
		v.Sampled != nil && v.SampleEqual != nil && *v.Sampled >= 1 && *v.SampleEqual == *v.Sampled
}

// spent: the Backup is done and proves nothing, because the person changed while it was
// made, or because nobody compared: another one is needed.
func spent(a *departure) bool {
	return a.isOurs(a.backup) && isGood(a.backup) && a.account != nil && !a.proven()
}

// newBackup is the one to make: the same one again, unless it is spent.
func (a *departure) newBackup() *v1alpha1.Backup {
	ob := a.scope.ob
	terms := &ob.Spec.Terms.Backup
	return &v1alpha1.Backup{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ob.Namespace, Name: a.backupName(),
			Labels: map[string]string{v1alpha1.OffboardingLabel: shortened(ob.Name)},
		},
		Spec: v1alpha1.BackupSpec{
			AccountRef: v1alpha1.AccountReference{Name: a.spec.Name}, StorageRef: terms.StorageRef,
			Datasets: terms.Datasets, People: v1alpha1.BackupPeople{UserIDs: []string{a.spec.UserID}},
			LookbackDays: terms.LookbackDays, ExpireAfterDays: terms.ExpireAfterDays, LegalHold: terms.LegalHold,
			DeletionPolicy: v1alpha1.ArchiveRetain,
		},
	}
}

// backupName is what the Backup is called, so that whoever makes it twice makes the same
// one (P3). Each further one has a number.
func (a *departure) backupName() string {
	for n := 1; ; n++ {
		parts := []string{a.scope.ob.Name, a.spec.Name}
		if n > 1 {
			parts = append(parts, strconv.Itoa(n))
		}
		name := shortened(parts...)
		switch a.status.BackupName {
		case "":
			return name
		case name:
			if a.backup == nil {
				return name
			}
			a.status.BackupName = "" // the next one
		}
	}
}

// shortened joins words to a name of at most 63 characters, with a hash in place of what is too much.
func shortened(words ...string) string {
	const most = 63
	name := strings.Join(words, "-")
	if len(name) <= most {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	end := "-" + hex.EncodeToString(sum[:5])
	return strings.TrimRight(name[:most-len(end)], "-.") + end
}
