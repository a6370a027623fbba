package controllers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/leaving"
)

// exitSteps in their order.
var exitSteps = []v1alpha1.ExitStepName{
	v1alpha1.ExitApprove, v1alpha1.ExitBackup, v1alpha1.ExitNotify, v1alpha1.ExitRevoke, v1alpha1.ExitResidualCheck, v1alpha1.ExitReport,
}

const (
	// exitExpire is how long the decision about an exit may take.
	exitExpire = 7 * 24 * time.Hour
	// exitRetry is how soon what failed is tried again.
	exitRetry = 15 * time.Second
)

// exits reports whether the company leaves the platform when the account is deleted,
// and has not left it yet.
func exits(account *v1alpha1.EnterpriseAccount) bool {
	x := &account.Status.Exit
	over := x.Mode == v1alpha1.ExitExecute && x.CompletionTime != nil
	return account.Spec.Exit.Mode == v1alpha1.ExitExecute && !over
}

// exitScope is what one reconcile of an exit knows.
type exitScope struct {
	account *v1alpha1.EnterpriseAccount
	at      standing
	now     metav1.Time
	step    *v1alpha1.ExitStepStatus
	// work is what the step does next, nil while there is nothing, or nothing can be done.
	work func(context.Context) (exitOutcome, error)
	// fold: the job of the step has ended, and what it did is in the status.
	fold bool
	// fresh: that the step has begun is not durable yet.
	fresh bool
	// problem is what the step waits for.
	problem *Problem
	again   time.Duration
}

func (s *exitScope) key() string { return exitKey(s.account) }

// exitKey is of the jobs of an exit: one runs at a time.
func exitKey(account *v1alpha1.EnterpriseAccount) string { return string(account.UID) + "/exit" }

// exit brings the company a step further out of the platform, and lets the account go
// after the last. Whoever takes spec.exit away lets it go at once (P10).
func (r *EnterpriseAccountReconciler) exit(ctx context.Context, before, account *v1alpha1.EnterpriseAccount) (ctrl.Result, error) {
	at, err := r.start(ctx, account)
	if err != nil {
		return done(0, err)
	}
	s := &exitScope{account: account, at: at, now: metav1.NewTime(r.Now())}
	s.begin()
	if err := r.exitStep(ctx, s); err != nil {
		return done(0, err)
	}
	if err := r.report(ctx, account, at); err != nil {
		return ctrl.Result{}, err
	}
	s.report()
	if _, err := kube.PatchStatus(ctx, r.Client, before, account); err != nil {
		return done(0, client.IgnoreNotFound(err))
	}
	r.writes.Note(account)
	announce(r.Recorder, account, before.Status.Conditions, account.Status.Conditions)
	switch {
	case account.Status.Exit.CompletionTime != nil:
		return done(staleRetry, nil)
	case s.fold:
		r.Exits.Acknowledge(s.key())
		return done(cmp.Or(s.again, staleRetry), nil)
	case s.work != nil:
		name := client.ObjectKeyFromObject(account)
		r.Exits.Start(jobs.Job[struct{}, exitOutcome]{
			Key: s.key(), Lane: name.String(),
			Run:   func(ctx context.Context, _ func(struct{})) (exitOutcome, error) { return s.work(ctx) },
			Ended: func() { r.Hub.accounts.add(name, 0, 0) },
		})
	}
	return done(s.again, nil)
}

// begin finds the step that is not over.
func (s *exitScope) begin() {
	x := &s.account.Status.Exit
	if x.Mode != v1alpha1.ExitExecute {
		*x = v1alpha1.ExitStatus{Mode: v1alpha1.ExitExecute, StartTime: &s.now}
		for _, name := range exitSteps {
			x.Steps = append(x.Steps, v1alpha1.ExitStepStatus{Name: name, State: v1alpha1.StepState(leaving.Pending)})
		}
	}
	for i := range x.Steps {
		if !leaving.State(x.Steps[i].State).Over() {
			s.step, x.Step = &x.Steps[i], x.Steps[i].Name
			break
		}
	}
	if s.fresh = s.step.StartTime == nil; s.fresh {
		s.step.StartTime = &s.now
	}
	s.step.State = v1alpha1.StepState(leaving.Running)
}

// settle ends the step.
func (s *exitScope) settle(state leaving.State, format string, args ...any) {
	s.step.State, s.step.EndTime = v1alpha1.StepState(state), &s.now
	s.step.Message = kube.Truncate(fmt.Sprintf(format, args...), 512)
	s.again = staleRetry
}

// wait says what the step waits for.
func (s *exitScope) wait(p *Problem, again time.Duration) {
	s.problem, s.again = p, again
	s.step.State, s.step.Message = v1alpha1.StepState(leaving.Waiting), kube.Truncate(p.Message, 512)
}

// report says how the exit stands.
func (s *exitScope) report() {
	x := &s.account.Status.Exit
	summary := kube.Summary{Stand: kube.Reconciling, Reason: v1alpha1.ReasonLeaving, Message: "the company leaves the platform: " + string(s.step.Name)}
	if p := s.problem; p != nil {
		summary = kube.Summary{Stand: stand(p.Reason), Reason: p.Reason, Message: fmt.Sprintf("the company leaves the platform, and %s waits: %s", s.step.Name, p.Message)}
	}
	if x.Terms.StorageName != "" && x.Terms != exitTerms(s.account) {
		summary.Message += "; spec.exit was changed since it was approved: what was approved is done (status.exit.terms). To let the account go as it is instead, take spec.exit out"
	}
	if s.step.Name == v1alpha1.ExitReport && leaving.State(s.step.State).Over() {
		x.CompletionTime, x.Step = &s.now, ""
		summary.Message = "the company has left the platform"
	}
	kube.Summarize(&s.account.Status.Conditions, s.account.Generation, summary)
	s.account.Status.ObservedGeneration = &s.account.Generation
}

// exitStep does, or prepares, what the step takes.
func (r *EnterpriseAccountReconciler) exitStep(ctx context.Context, s *exitScope) error {
	switch s.step.Name {
	case v1alpha1.ExitApprove:
		return r.exitApprove(ctx, s)
	case v1alpha1.ExitBackup:
		return r.exitBackup(ctx, s)
	case v1alpha1.ExitReport:
		return r.exitReport(ctx, s)
	case v1alpha1.ExitNotify, v1alpha1.ExitRevoke, v1alpha1.ExitResidualCheck:
	}
	if s.at.stop != nil {
		s.wait(s.at.stop, exitRetry)
		return nil //nolint:nilerr // a problem is a finding, not an error
	}
	if !s.at.tenant.Mirror.State().Listed {
		s.wait(problem(v1alpha1.ReasonWaitingForAccount, "the directory of the tenant was not read yet"), exitRetry)
		return nil
	}
	state, exists := r.Exits.State(s.key())
	switch {
	case exists && !state.Ended():
		return nil // its end brings us back
	case exists:
		s.take(state)
		return nil
	}
	return r.exitWork(ctx, s)
}

// take folds what a job did into the status.
func (s *exitScope) take(state jobs.State[struct{}, exitOutcome]) {
	s.fold = true
	o := state.Result
	if o.cursor != "" {
		s.step.Cursor, s.step.Sending = o.cursor, v1alpha1.ExitSending{}
	}
	if (o.unsent || o.skip) && s.step.Sending.Attempts == 1 {
		s.step.Sending = v1alpha1.ExitSending{} // it begins anew, however late
	}
	if o.total > 0 {
		s.step.Total = &o.total
	}
	if count := o.done; count > 0 {
		if s.step.Done != nil {
			count += *s.step.Done
		}
		s.step.Done = &count
	}
	switch {
	case state.Err != nil && o.skip:
		s.settle(leaving.Skipped, "%s", problemOf(state.Err).Message)
	case state.Err != nil:
		s.wait(problemOf(state.Err), exitRetry)
	case o.over:
		s.settle(leaving.Done, "%s", o.message)
	}
}

// exitApprove asks for the decision. A rejected exit leaves everything as it is, as the
// deletion of an account without an exit does: Kubernetes takes no deletion back.
func (r *EnterpriseAccountReconciler) exitApprove(ctx context.Context, s *exitScope) error {
	a := s.account
	answer, err := r.Approvals.Ask(ctx, exitQuestion(a))
	if err != nil {
		return err
	}
	x := &a.Status.Exit
	if before := x.ApprovalName; before != "" && before != answer.Name { // spec.exit says something else by now
		if err := r.Approvals.withdraw(ctx, client.ObjectKey{Namespace: a.Namespace, Name: before}); err != nil {
			return err
		}
	}
	x.ApprovalName = answer.Name
	switch answer.State {
	case v1alpha1.ApprovalApproved:
		x.Terms = exitTerms(a)
		s.settle(leaving.Done, "approved by %s", answer.Approver)
	case v1alpha1.ApprovalRejected:
		for i := range a.Status.Exit.Steps {
			s.step = &a.Status.Exit.Steps[i]
			s.settle(leaving.Skipped, "rejected by %s: everything on the platform stays as it is", answer.Approver)
		}
	case v1alpha1.ApprovalPending, v1alpha1.ApprovalExpired, v1alpha1.ApprovalWithdrawn:
		s.wait(problem(v1alpha1.ReasonApprovalPending, fmt.Sprintf("somebody has to decide the Approval %s; to let the account go as it is instead, take spec.exit out", answer.Name)), exitRetry)
	}
	return nil
}

func exitTerms(a *v1alpha1.EnterpriseAccount) v1alpha1.ExitTerms {
	x := &a.Spec.Exit
	return v1alpha1.ExitTerms{StorageName: x.StorageRef.Name, Destination: x.Destination, Language: x.Language}
}

// exitQuestion is what is decided about an exit. Its summary tells the terms, and the whole of them by their digest.
func exitQuestion(a *v1alpha1.EnterpriseAccount) Question {
	x := &a.Spec.Exit
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{x.StorageRef.Name, x.Destination, x.Language, x.ApproverGroups}))
	summary := fmt.Sprintf("leave the platform of %s as its spec.exit says (sha256:%s): roles are taken away, no account is deleted, a full backup goes to the BackupStorage %s, and everybody there is told",
		a.Name, hex.EncodeToString(sum[:16]), x.StorageRef.Name)
	if x.Destination != "" {
		summary += " to go on with: " + x.Destination
	}
	return Question{
		Namespace: a.Namespace, Account: a.Name, Purpose: v1alpha1.ApprovalExit, Summary: summary, Expire: exitExpire, Groups: x.ApproverGroups,
		Subjects: []v1alpha1.ApprovalSubject{{UID: string(a.UID), Kind: "EnterpriseAccount", Name: a.Name, Action: "Leave"}},
	}
}

// exitBackup makes the last, full Backup, and waits until it is verified (P1).
func (r *EnterpriseAccountReconciler) exitBackup(ctx context.Context, s *exitScope) error {
	a := s.account
	name := exitBackupName(a)
	a.Status.Exit.BackupName = name
	b := &v1alpha1.Backup{}
	err := r.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: name}, b)
	switch {
	case apierrors.IsNotFound(err):
		b = &v1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: name}, Spec: v1alpha1.BackupSpec{
			AccountRef: v1alpha1.AccountReference{Name: a.Name}, StorageRef: v1alpha1.StorageReference{Name: a.Status.Exit.Terms.StorageName},
		}}
		if err := r.Create(ctx, b); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("making the last Backup: %w", err)
		}
	case err != nil:
		return fmt.Errorf("reading the last Backup: %w", err)
	case !savesAll(b, a):
		s.wait(problem(v1alpha1.ReasonBackupFailed, fmt.Sprintf("the Backup %s is not of this exit: delete it", name)), exitRetry)
		return nil
	case meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionVerified) && meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionReady):
		s.settle(leaving.Done, "archive %s, manifest %s", b.Status.Archive.Key, b.Status.Verification.ManifestSHA256)
		return nil
	}
	p := problem(v1alpha1.ReasonWaitingForBackup, fmt.Sprintf("the Backup %s is not verified yet", name))
	if failed := problemOfReady(b.Status.Conditions); failed != nil && failed.Stalled {
		p = problem(v1alpha1.ReasonBackupFailed, fmt.Sprintf("the Backup %s cannot be made: %s", name, failed.Message))
	}
	s.wait(p, exitRetry)
	return nil
}

// savesAll reports whether a Backup is the one that an exit makes: of the whole account, and where it was approved.
func savesAll(b *v1alpha1.Backup, a *v1alpha1.EnterpriseAccount) bool {
	return b.Spec.AccountRef.Name == a.Name && b.Spec.StorageRef.Name == a.Status.Exit.Terms.StorageName && b.Spec.ArchiveKey == "" &&
		len(b.Spec.People.UserIDs)+len(b.Spec.People.EmployeeRefs)+len(b.Spec.Datasets) == 0
}

func exitBackupName(a *v1alpha1.EnterpriseAccount) string {
	return "exit-" + a.Name[:min(len(a.Name), 40)] + "-" + string(a.UID)[:8]
}

// exitWork is the next piece of a step that calls the platform.
func (r *EnterpriseAccountReconciler) exitWork(ctx context.Context, s *exitScope) error {
	owned, err := r.owned(ctx, s.account)
	if err != nil {
		return err
	}
	by := onBehalf(s.at.tenant, s.account, "EnterpriseAccount", "the company leaves the platform")
	if name := s.account.Status.Exit.ApprovalName; name != "" {
		apv := &v1alpha1.Approval{}
		if err := r.Get(ctx, client.ObjectKey{Namespace: s.account.Namespace, Name: name}, apv); err == nil {
			by.Actor.Approver = apv.Spec.Decision.By
		}
	}
	w := &exitWork{
		directory: s.at.tenant.Directory, by: by, cursor: s.step.Cursor, owned: owned,
		people: slices.Sorted(s.at.tenant.Mirror.IDs()), text: exitNotice(s.account.Status.Exit.Terms),
		departments: s.at.tenant.Mirror.State().Departments,
	}
	switch s.step.Name {
	case v1alpha1.ExitNotify:
		s.sending(w)
		s.work = w.notify
	case v1alpha1.ExitRevoke:
		s.work = w.revoke
	case v1alpha1.ExitResidualCheck:
		s.work = w.residuals
	case v1alpha1.ExitApprove, v1alpha1.ExitBackup, v1alpha1.ExitReport:
	}
	return nil
}

// sending records who is told next, before they are. Those of whom it is not known whether they were told are told again
// while the platform knows exactly that again, and left at that when it does not: better once too few than twice.
func (s *exitScope) sending(w *exitWork) {
	b := &s.step.Sending
	late := func() bool {
		return !s.now.Before(&metav1.Time{Time: b.StartTime.Add(w.directory.Capabilities().NoticeWindow)})
	}
	if b.StartTime != nil && (b.Digest != w.digest() || late()) {
		s.step.Unknown += b.Count
		s.step.Cursor, w.cursor, *b = b.Cursor, b.Cursor, v1alpha1.ExitSending{}
	}
	w.unknown = s.step.Unknown
	batch := w.batch()
	if len(batch) == 0 {
		return
	}
	if b.StartTime == nil {
		*b = v1alpha1.ExitSending{StartTime: &s.now, Count: int32(len(batch)), Cursor: batch[len(batch)-1], Digest: w.digest()}
	}
	b.Attempts++
}

// owned are the user ids on the account that Rollcall created or adopted (P4).
func (r *EnterpriseAccountReconciler) owned(ctx context.Context, account *v1alpha1.EnterpriseAccount) (map[string]bool, error) {
	var employees v1alpha1.EmployeeList
	if err := r.List(ctx, &employees, client.InNamespace(account.Namespace), client.MatchingFields{indexAccount: account.Name}); err != nil {
		return nil, fmt.Errorf("listing employees: %w", err)
	}
	ids := map[string]bool{}
	for i := range employees.Items {
		if st := accountStatus(&employees.Items[i], account.Name); st != nil && isOwned(st.Origin) {
			ids[fold(st.UserID)] = true
		}
	}
	return ids, nil
}

// exitReport leaves a report behind that outlives the account. It says the same whenever it is written.
func (r *EnterpriseAccountReconciler) exitReport(ctx context.Context, s *exitScope) error {
	if s.fresh {
		s.again = staleRetry // its time is in it
		return nil
	}
	a := s.account
	report := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: "exit-" + a.Name[:min(len(a.Name), 40)] + "-" + string(a.UID)[:8]},
		Data:       map[string]string{"report.md": s.markdown()},
	}
	switch err := r.Create(ctx, report); {
	case apierrors.IsAlreadyExists(err):
		there := &corev1.ConfigMap{}
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(report), there); err != nil {
			return fmt.Errorf("reading the closing report: %w", err)
		}
		if !maps.Equal(there.Data, report.Data) {
			s.wait(problem(v1alpha1.ReasonDataConflict, fmt.Sprintf("the ConfigMap %s is there and is not the closing report: delete it", report.Name)), exitRetry)
			return nil
		}
	case err != nil:
		return fmt.Errorf("writing the closing report: %w", err)
	}
	r.Recorder.Eventf(a, nil, corev1.EventTypeNormal, v1alpha1.EventDeparted, "Exit", "the company has left the platform: the ConfigMap %s reports it", report.Name)
	s.settle(leaving.Done, "the ConfigMap %s is the closing report", report.Name)
	return nil
}

func (s *exitScope) markdown() string {
	x := &s.account.Status.Exit
	var b strings.Builder
	fmt.Fprintf(&b, "# Leaving %s (%s, %s)\n\nBegun %s, over %s. Approval: %s. Backup: %s.\n\n", s.account.Name, s.account.Status.Platform,
		tenantID(s.account), moment(x.StartTime), moment(s.step.StartTime), x.ApprovalName, x.BackupName)
	b.WriteString("| step | state | from | to | done | |\n|---|---|---|---|---|---|\n")
	for _, step := range x.Steps {
		if step.Name == v1alpha1.ExitReport {
			continue
		}
		count := ""
		if step.Done != nil {
			count = fmt.Sprint(*step.Done)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", step.Name, step.State, moment(step.StartTime), moment(step.EndTime), count,
			strings.NewReplacer("|", "\\|", "\n", " ").Replace(step.Message))
	}
	return b.String()
}

func moment(t *metav1.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
