package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/mirror"
	"rollcall.dev/rollcall/internal/tenant"
)

// report fills in the status: from the tenant, or from what keeps it from running.
func (r *EnterpriseAccountReconciler) report(ctx context.Context, account *v1alpha1.EnterpriseAccount, at standing) error {
	t, stop := at.tenant, at.stop
	s := &account.Status
	s.ObservedGeneration = &account.Generation
	s.Mode = account.Spec.Mode
	if s.Mode == "" {
		s.Mode = v1alpha1.ModeEnforce
	}
	var employees v1alpha1.EmployeeList
	if err := r.List(ctx, &employees, client.InNamespace(account.Namespace), client.MatchingFields{indexAccount: account.Name}); err != nil {
		return fmt.Errorf("listing employees: %w", err)
	}
	left, err := r.left(ctx, account)
	if err != nil {
		return err
	}
	s.Retained = retained(s.Retained, employees.Items, left, account.Name, metav1.NewTime(r.Now()))
	if t == nil {
		summary := kube.Summary{Stand: stand(stop.Reason), Reason: stop.Reason, Message: stop.Message}
		if stop.Reason == v1alpha1.ReasonSuspended {
			summary.Stand = kube.Ready // the declared state is reached: nothing happens
		}
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionDirectoryRead) // nobody reads it
		kube.Summarize(&s.Conditions, account.Generation, summary)
		// Each condition is set once, or its time would change with every look.
		if stop.Reason == v1alpha1.ReasonCredentialsMissing {
			kube.Set(&s.Conditions, account.Generation, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, stop.Reason, kube.Coded(stop.Reason, stop.Message))
		} else {
			meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionCredentialsValid)
		}
		return nil
	}
	state := t.Mirror.State()
	if state.Err != nil {
		log.FromContext(ctx).Info("the directory could not be read", "reason", problemOf(state.Err).Message)
	}
	if t.Trail != nil {
		if head := t.Trail.Head(); head.Seq > 0 {
			s.Trail = v1alpha1.AuditTrail{Records: int64(head.Seq), SHA256: head.SHA256}
		}
	}
	r.reportDirectory(account, at, state)
	r.count(account, t, state, employees.Items)
	return nil
}

// reportDirectory sets the conditions from how the last reading went.
func (r *EnterpriseAccountReconciler) reportDirectory(account *v1alpha1.EnterpriseAccount, at standing, state mirror.State) {
	if !state.Listed && state.Err == nil && wasReady(account) {
		return // what was seen before a restart still holds, until something else is
	}
	s := &account.Status
	capabilities := at.tenant.Directory.Capabilities()
	s.Limits = limitsInWords(&capabilities)
	s.Gaps = nil
	for _, gap := range state.Gaps[:min(len(state.Gaps), 16)] {
		s.Gaps = append(s.Gaps, kube.Truncate(gap, 512))
	}
	set := func(conditionType string, status metav1.ConditionStatus, reason, message string) {
		kube.Set(&s.Conditions, account.Generation, conditionType, status, reason, kube.Coded(reason, message))
	}
	summary := kube.Summary{Reason: v1alpha1.ReasonInSync, Message: "the tenant is reachable and its directory was read"}
	switch class := directory.ClassOf(state.Err); {
	case class == directory.Unauthenticated || class == directory.PermissionDenied:
		p := problemOf(state.Err)
		set(v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, p.Reason, p.Message)
	case at.leaving != nil:
		set(v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, at.leaving.Reason, at.leaving.Message)
	case state.Err == nil && state.Listed:
		set(v1alpha1.ConditionCredentialsValid, metav1.ConditionTrue, v1alpha1.ReasonInSync, "the platform accepts the credentials")
	}
	switch {
	case state.Err != nil:
		p := problemOf(state.Err)
		summary = kube.Summary{Stand: stand(p.Reason), Reason: p.Reason, Message: p.Message}
		set(v1alpha1.ConditionDirectoryRead, metav1.ConditionFalse, p.Reason, p.Message)
	case !state.Listed:
		summary = kube.Summary{Stand: kube.Reconciling, Reason: v1alpha1.ReasonProgressing, Message: "reading the directory for the first time"}
	case state.Complete():
		set(v1alpha1.ConditionDirectoryRead, metav1.ConditionTrue, v1alpha1.ReasonInSync, "the directory was read completely")
	default:
		set(v1alpha1.ConditionDirectoryRead, metav1.ConditionFalse, v1alpha1.ReasonDirectoryIncomplete, "nobody is taken to be gone: "+strings.Join(s.Gaps, "; "))
	}
	kube.Summarize(&s.Conditions, account.Generation, summary)
}

// wasReady reports whether this very declaration was reached before.
func wasReady(account *v1alpha1.EnterpriseAccount) bool {
	c := meta.FindStatusCondition(account.Status.Conditions, v1alpha1.ConditionReady)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == account.Generation
}

// limitsInWords says what is declared in vain on this platform.
func limitsInWords(c *directory.Capabilities) []string {
	var words []string
	if c.FreezeLimit != "" {
		words = append(words, c.FreezeLimit+".")
	}
	known := c.Reads | c.Writes | c.Creates
	if none := directory.AllFields &^ known; none != 0 {
		words = append(words, fmt.Sprintf("%s has no place for: %s.", c.Platform, none))
	}
	if unseen := c.Writes &^ c.Reads; unseen != 0 {
		words = append(words, fmt.Sprintf("These credentials cannot read: %s. They are written when the declaration changes; changes made by others are not seen.", unseen))
	}
	fixed := (c.Creates | c.Reads) &^ c.Writes
	if c.DepartmentWrites.Has(directory.DepartmentManagers) {
		fixed &^= directory.FieldLeads // departments are told who leads them
	}
	if fixed != 0 {
		words = append(words, fmt.Sprintf("%s has no API to change, once the account exists: %s.", c.Platform, fixed))
	}
	return words
}

// count says how many people there are of each kind, and names the unmanaged.
func (r *EnterpriseAccountReconciler) count(account *v1alpha1.EnterpriseAccount, t *tenant.Tenant, state mirror.State, employees []v1alpha1.Employee) {
	var declared, managed, differing, frozen, invited, vanished int32
	claimed := make(map[string]bool, len(employees))
	for i := range employees {
		s := accountStatus(&employees[i], account.Name)
		declared++
		if s == nil {
			continue
		}
		if s.Origin == v1alpha1.OriginCreated || s.Origin == v1alpha1.OriginAdopted {
			claimed[t.Mirror.Key(s.UserID)] = true
			managed++
		}
		if len(s.Differences) > 0 || s.Reason == v1alpha1.ReasonObserved { // whoever would be created differs in everything
			differing++
		}
		switch s.State {
		case v1alpha1.AccountFrozen:
			frozen++
		case v1alpha1.AccountInvited:
			invited++
		case v1alpha1.AccountVanished:
			vanished++
		case v1alpha1.AccountActive, v1alpha1.AccountWaiting:
		}
	}
	if !state.Listed {
		return // what was counted before the restart still holds
	}
	var unmanaged []string
	for id := range t.Mirror.IDs() {
		if !claimed[t.Mirror.Key(id)] {
			unmanaged = append(unmanaged, id)
		}
	}
	slices.Sort(unmanaged)
	others, units := int32(len(unmanaged)), int32(state.Departments)
	if root := t.Directory.Capabilities().RootDepartment; t.Mirror.Department(root) != nil {
		units-- // the company itself
	}
	s := &account.Status
	s.UnmanagedUserIDs = unmanaged[:min(len(unmanaged), 50)]
	s.Departments = &units
	s.People = v1alpha1.PeopleCount{
		Declared: &declared, Managed: &managed, Unmanaged: &others, Differing: &differing,
		Frozen: &frozen, Invited: &invited, Vanished: &vanished,
	}
	r.Metrics.People(client.ObjectKeyFromObject(account), t, &s.People)
}

// maxRetained is how many retained accounts are remembered; the CRD says so too.
const maxRetained = 200

// left are the user ids, folded, that an Offboarding is about, or has removed: they are not retained.
func (r *EnterpriseAccountReconciler) left(ctx context.Context, account *v1alpha1.EnterpriseAccount) (map[string]bool, error) {
	var all v1alpha1.OffboardingList
	if err := r.List(ctx, &all, client.InNamespace(account.Namespace), client.MatchingFields{indexAccount: account.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Offboardings: %w", err)
	}
	ids := map[string]bool{}
	for i := range all.Items {
		ob := &all.Items[i]
		for _, a := range ob.Spec.Accounts {
			if a.Name == account.Name && ob.Spec.Mode == v1alpha1.OffboardingExecute && (!isOver(ob) || removedBy(ob, a.Name)) {
				ids[fold(a.UserID)] = true
			}
		}
	}
	return ids, nil
}

// retained adds the accounts of people who are being deleted and do not leave them, and drops those
// that somebody declares again, or leaves.
func retained(have []v1alpha1.RetainedAccount, employees []v1alpha1.Employee, left map[string]bool, account string, now metav1.Time) []v1alpha1.RetainedAccount {
	kept := slices.DeleteFunc(slices.Clone(have), func(k v1alpha1.RetainedAccount) bool { return left[fold(k.UserID)] })
	for i := range employees {
		e := &employees[i]
		s := accountStatus(e, account)
		if s == nil || !isOwned(s.Origin) || s.OffboardingName != "" {
			continue
		}
		at := slices.IndexFunc(kept, func(k v1alpha1.RetainedAccount) bool { return fold(k.UserID) == fold(s.UserID) })
		switch leaving := !e.DeletionTimestamp.IsZero(); {
		case leaving && at < 0:
			kept = append(kept, v1alpha1.RetainedAccount{UserID: s.UserID, Employee: e.Name, Origin: s.Origin, RetainedTime: &now})
		case !leaving && at >= 0:
			kept = slices.Delete(kept, at, at+1)
		}
	}
	return kept[max(0, len(kept)-maxRetained):]
}

func isOwned(o v1alpha1.Origin) bool {
	return o == v1alpha1.OriginCreated || o == v1alpha1.OriginAdopted
}

// announce sends an event when Ready changes its reason, and only then.
func (r *EnterpriseAccountReconciler) announce(before, after *v1alpha1.EnterpriseAccount) {
	old := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	now := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	if now == nil || (old != nil && old.Reason == now.Reason) || now.Reason == v1alpha1.ReasonProgressing {
		return
	}
	kind := corev1.EventTypeNormal
	if now.Status != metav1.ConditionTrue {
		kind = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(after, nil, kind, now.Reason, "Reconcile", "%s", now.Message)
}
