package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// snapshot is all that a leaving of the Employee needs, as it is now: the terms of the policy
// that applies, and the accounts that are ours, all of them or only those named. p says
// that no policy applies, or that there is nothing to leave. It makes no call to a platform.
func snapshot(ctx context.Context, c client.Reader, e *v1alpha1.Employee, trigger v1alpha1.OffboardingTrigger, only ...string) (spec v1alpha1.OffboardingSpec, p *Problem, err error) {
	policy, p, err := offboardingPolicy(ctx, c, e)
	if err != nil || p != nil {
		return spec, p, err
	}
	spec = v1alpha1.OffboardingSpec{
		Mode: v1alpha1.OffboardingExecute, EmployeeRef: v1alpha1.EmployeeReference{Name: e.Name}, EmployeeUID: string(e.UID),
		Number: e.Status.Number, PersonName: e.Spec.Name, Trigger: trigger, Reason: reasonOf(e, trigger), LastDay: e.Spec.Offboarding.LastDay,
		RequestedBy: requesterOf(e, policy), PolicyName: policy.Name, Terms: *policy.Spec.OffboardingTerms.DeepCopy(),
	}
	for i := range e.Status.Accounts {
		st := &e.Status.Accounts[i]
		if !isOwned(st.Origin) || st.State == v1alpha1.AccountDeparted || (len(only) > 0 && !slices.Contains(only, st.Name)) {
			continue
		}
		spec.Accounts = append(spec.Accounts, v1alpha1.OffboardingAccount{
			Name: st.Name, UserID: st.UserID, Type: st.Type, Origin: st.Origin, FrozenBy: st.FrozenBy,
		})
	}
	if trigger != v1alpha1.TriggerAccountRemoved {
		if spec.LinkedAccounts, err = linkedAccounts(ctx, c, e); err != nil {
			return spec, nil, err
		}
	}
	if len(spec.Accounts) == 0 && len(spec.LinkedAccounts) == 0 {
		return spec, problem(v1alpha1.ReasonWaitingForAccount, "there is no account that Rollcall created or adopted: there is nothing to leave"), nil
	}
	return spec, nil, involve(ctx, c, e, policy, &spec)
}

// linkedAccounts are those of the Employee that are ours, with what their systems say becomes of them.
func linkedAccounts(ctx context.Context, c client.Reader, e *v1alpha1.Employee) (all []v1alpha1.OffboardingLinkedAccount, err error) {
	for i := range e.Status.LinkedAccounts {
		st := &e.Status.LinkedAccounts[i]
		if !isLinked(st) {
			continue
		}
		system := &v1alpha1.LinkedSystem{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: st.Name}, system); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading the LinkedSystem: %w", err)
		}
		all = append(all, v1alpha1.OffboardingLinkedAccount{
			Name: st.Name, SystemUID: st.SystemUID, AccountID: st.AccountID, Origin: st.Origin, DisabledBy: st.DisabledBy,
			OnLeave: cmp.Or(system.Spec.OnLeave, v1alpha1.UnlinkDisable),
		})
	}
	return all, nil
}

// isLinked reports whether there is an account of ours in a linked system, and nobody has unlinked it.
func isLinked(st *v1alpha1.LinkedAccountStatus) bool {
	return isOwned(st.Origin) && st.AccountID != "" && st.State != v1alpha1.LinkedUnlinked
}

// reasonOf is why somebody leaves, in the words of who declared it, if they did.
func reasonOf(e *v1alpha1.Employee, trigger v1alpha1.OffboardingTrigger) string {
	switch trigger {
	case v1alpha1.TriggerAccountRemoved:
		return "the account was taken off spec.accounts"
	case v1alpha1.TriggerDeleted:
		return "deleted without a declared departure"
	}
	return e.Spec.StateReason
}

// requesterOf says who asks for a leaving: users who do not approve it, and who wrote the declaration.
func requesterOf(e *v1alpha1.Employee, policy *v1alpha1.OffboardingPolicy) v1alpha1.Requester {
	users := append(named(e.Spec.Offboarding.RequestedBy), policy.Spec.Approval.Requesters...)
	slices.Sort(users)
	return v1alpha1.Requester{Users: slices.Compact(users), FieldManager: kube.Author(e), Generation: e.Generation}
}

// involve names, on each account, who takes over and who is told.
func involve(ctx context.Context, c client.Reader, e *v1alpha1.Employee, policy *v1alpha1.OffboardingPolicy, spec *v1alpha1.OffboardingSpec) error {
	heirs, err := successors(ctx, c, e, policy)
	if err != nil {
		return err
	}
	for i := range spec.Accounts {
		a := &spec.Accounts[i]
		at := slices.IndexFunc(heirs, func(h *v1alpha1.Employee) bool { return takesOver(h, a.Name) })
		if at >= 0 {
			a.SuccessorUserID = accountStatus(heirs[at], a.Name).UserID
		}
	}
	for _, h := range heirs { // the first that takes over anywhere gives the name
		if slices.ContainsFunc(spec.Accounts, func(a v1alpha1.OffboardingAccount) bool { return takesOver(h, a.Name) }) {
			spec.SuccessorName, spec.SuccessorPersonName = h.Name, h.Spec.Name
			break
		}
	}
	manager, err := colleague(ctx, c, e, e.Spec.ManagerRef.Name)
	if err != nil {
		return err
	}
	for i := range spec.Accounts {
		spec.Accounts[i].ManagerUserID = reachedAt(manager, spec.Accounts[i].Name)
	}
	for _, ref := range policy.Spec.Administrators {
		administrator, err := colleague(ctx, c, e, ref.Name)
		if err != nil {
			return err
		}
		for i := range spec.Accounts {
			a := &spec.Accounts[i]
			if id := reachedAt(administrator, a.Name); id != "" && !slices.Contains(a.AdministratorUserIDs, id) {
				a.AdministratorUserIDs = append(a.AdministratorUserIDs, id)
			}
		}
	}
	return nil
}

// allSuccessors are the rules where the policy names none.
var allSuccessors = []v1alpha1.SuccessorRule{
	v1alpha1.SuccessorNamed, v1alpha1.SuccessorManager, v1alpha1.SuccessorDepartmentHead, v1alpha1.SuccessorFallback,
}

// successors are the people who may take over, in the order of the policy's rules. Not all of
// them have an account everywhere.
func successors(ctx context.Context, c client.Reader, e *v1alpha1.Employee, policy *v1alpha1.OffboardingPolicy) (heirs []*v1alpha1.Employee, err error) {
	rules := policy.Spec.Successors
	if len(rules) == 0 {
		rules = allSuccessors
	}
	for _, rule := range rules {
		var names []string
		switch rule {
		case v1alpha1.SuccessorNamed:
			names = named(e.Spec.Offboarding.SuccessorRef.Name)
		case v1alpha1.SuccessorManager:
			names = named(e.Spec.ManagerRef.Name)
		case v1alpha1.SuccessorDepartmentHead:
			if names, err = heads(ctx, c, e); err != nil {
				return nil, err
			}
		case v1alpha1.SuccessorFallback:
			names = named(policy.Spec.SuccessorRef.Name)
		}
		for _, name := range names {
			heir, err := colleague(ctx, c, e, name)
			if err != nil {
				return nil, err
			}
			if heir != nil {
				heirs = append(heirs, heir)
			}
		}
	}
	return heirs, nil
}

// heads are who leads the primary department, then who leads those above it.
func heads(ctx context.Context, c client.Reader, e *v1alpha1.Employee) (names []string, err error) {
	seen := map[string]bool{} // departments may go round in a circle
	for name := primary(e); name != "" && !seen[name]; {
		seen[name] = true
		d := &v1alpha1.Department{}
		err := c.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: name}, d)
		if apierrors.IsNotFound(err) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading a department: %w", err)
		}
		names, name = append(names, departmentManagers(d)...), d.Spec.ParentRef.Name
	}
	return names, nil
}

// colleague reads an Employee other than e; nil if there is none of that name.
func colleague(ctx context.Context, c client.Reader, e *v1alpha1.Employee, name string) (*v1alpha1.Employee, error) {
	if name == "" || name == e.Name {
		return nil, nil //nolint:nilnil // nobody is an answer
	}
	other := &v1alpha1.Employee{}
	err := c.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: name}, other)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nobody is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("reading an Employee: %w", err)
	}
	return other, nil
}

// takesOver reports whether somebody can be given duties on the account: they stay, are not frozen, and have
// an account of ours there that can be used.
func takesOver(e *v1alpha1.Employee, account string) bool {
	stays := e.DeletionTimestamp.IsZero() && (e.Spec.State == "" || e.Spec.State == v1alpha1.EmployeeActive) && slices.Contains(employeeAccounts(e), account)
	st := accountStatus(e, account)
	return stays && st != nil && isOwned(st.Origin) && st.State == v1alpha1.AccountActive
}

// reachedAt is somebody's account there, for messages; empty if there is none.
func reachedAt(e *v1alpha1.Employee, account string) string {
	if e == nil {
		return ""
	}
	st := accountStatus(e, account)
	if st == nil || !isOwned(st.Origin) || st.State == v1alpha1.AccountVanished || st.State == v1alpha1.AccountDeparted {
		return ""
	}
	return st.UserID
}
