package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/leaving"
)

// rehearse finds out what an exit would do, once for each declaration, and changes
// nothing. What it returns is called when the status is durable.
func (r *EnterpriseAccountReconciler) rehearse(ctx context.Context, account *v1alpha1.EnterpriseAccount, at standing) (then func(), err error) {
	x := &account.Status.Exit
	nothing := func() {}
	if account.Spec.Exit.Mode != v1alpha1.ExitRehearse {
		if x.Mode == v1alpha1.ExitRehearse {
			*x = v1alpha1.ExitStatus{}
		}
		return nothing, nil
	}
	if x.Mode == v1alpha1.ExitRehearse && x.Generation == account.Generation {
		return nothing, nil
	}
	if at.tenant == nil || !at.tenant.Mirror.State().Listed {
		return nothing, nil // its first listing brings us back
	}
	key := fmt.Sprintf("%s/rehearsal/%d", account.UID, account.Generation)
	state, exists := r.Exits.State(key)
	switch {
	case exists && !state.Ended():
		return nothing, nil
	case exists && state.Err == nil:
		now := metav1.NewTime(r.Now())
		*x = v1alpha1.ExitStatus{Mode: v1alpha1.ExitRehearse, Generation: account.Generation, CompletionTime: &now, Steps: state.Result.steps}
		return func() { r.Exits.Acknowledge(key) }, nil
	case exists:
		return func() { r.Exits.Acknowledge(key) }, nil // the next listing tries again
	}
	owned, err := r.owned(ctx, account)
	if err != nil {
		return nothing, err
	}
	w := &exitWork{
		directory: at.tenant.Directory, owned: owned, people: slices.Sorted(at.tenant.Mirror.IDs()),
		departments: at.tenant.Mirror.State().Departments, text: exitNotice(exitTerms(account)),
	}
	storage, name := account.Spec.Exit.StorageRef.Name, client.ObjectKeyFromObject(account)
	r.Exits.Start(jobs.Job[struct{}, exitOutcome]{
		Key: key, Lane: name.String(),
		Run:   func(ctx context.Context, _ func(struct{})) (exitOutcome, error) { return w.rehearse(ctx, storage) },
		Ended: func() { r.Hub.accounts.add(name, 0, 0) },
	})
	return nothing, nil
}

// rehearse says what each step would do. It only reads.
func (w *exitWork) rehearse(ctx context.Context, storage string) (o exitOutcome, err error) {
	say := func(step v1alpha1.ExitStepName, state leaving.State, total int, format string, args ...any) {
		s := v1alpha1.ExitStepStatus{Name: step, State: v1alpha1.StepState(state), Message: fmt.Sprintf(format, args...)}
		if total > 0 {
			n := int32(total)
			s.Total = &n
		}
		o.steps = append(o.steps, s)
	}
	people, capabilities := len(w.people), w.directory.Capabilities()
	say(v1alpha1.ExitApprove, leaving.Pending, 0, "somebody with the verb approve would have to decide, within %d days", int(exitExpire.Hours()/24))
	if storage == "" {
		storage = "(none is named: set storageRef before you set mode: Execute)"
	}
	say(v1alpha1.ExitBackup, leaving.Pending, people, "a full backup of %d people and %d departments would go to the BackupStorage %s; not handed out by the platform: %s",
		people, w.departments, storage, missingDatasets(w.directory))
	if calls := capabilities.Calls[directory.WorkNotify]; len(calls) > 0 {
		say(v1alpha1.ExitNotify, leaving.Pending, people, "%d people would be told in %d messages", people, (people+noticeBatch-1)/noticeBatch)
	} else {
		say(v1alpha1.ExitNotify, leaving.Skipped, 0, "nobody would be told: these credentials send no messages")
	}
	roles, holders, err := w.revocable(ctx)
	if err != nil {
		return o, err
	}
	say(v1alpha1.ExitRevoke, leaving.Pending, holders, "%d roles would be taken from %d holders", roles, holders)
	say(v1alpha1.ExitResidualCheck, leaving.Pending, 0, "%d accounts and %d departments would stay on the platform as they are", people, w.departments)
	say(v1alpha1.ExitReport, leaving.Pending, 0, "a ConfigMap in this namespace would report it")
	return o, nil
}

// revocable counts the roles, the platform's own left out, and who of ours holds them.
func (w *exitWork) revocable(ctx context.Context) (roles, holders int, err error) {
	keeper, keeps := w.directory.(directory.RoleKeeper)
	if _, can := w.directory.(directory.RoleRevoker); !keeps || !can {
		return 0, 0, nil
	}
	all, err := keeper.Roles(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, role := range all {
		if role.BuiltIn {
			continue
		}
		members, err := w.holders(ctx, keeper, role.ID)
		if err != nil {
			return 0, 0, err
		}
		if len(members) > 0 {
			roles, holders = roles+1, holders+len(members)
		}
	}
	return roles, holders, nil
}

func missingDatasets(d directory.Directory) string {
	e, can := d.(directory.Exporter)
	if !can {
		return "anything"
	}
	var missing []string
	for _, offer := range e.Offers() {
		if offer.Missing != "" {
			missing = append(missing, string(offer.Dataset))
		}
	}
	if len(missing) == 0 {
		return "nothing"
	}
	return strings.Join(missing, ", ")
}
