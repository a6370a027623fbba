package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/leaving"
)

// rehearse says once what a leaving of the Employee would do now. It asks no platform, no
// human and no limit, and changes nothing.
func (r *OffboardingReconciler) rehearse(ctx context.Context, ob *v1alpha1.Offboarding) error {
	if ob.Status.State == v1alpha1.OffboardingRehearsed && observed(ob.Status.ObservedGeneration, ob.Generation) {
		return nil
	}
	before := ob.DeepCopy()
	if ob.Status.State != v1alpha1.OffboardingRehearsed {
		p := &rehearsal{reconciler: r, now: r.Now()}
		if err := p.run(ctx, ob); err != nil {
			return err
		}
		ob.Status.Rehearsal = p.report()
		ob.Status.State, ob.Status.CompletionTime = v1alpha1.OffboardingRehearsed, stamp(p.now)
	}
	ob.Status.ObservedGeneration = &ob.Generation
	kube.Summarize(&ob.Status.Conditions, ob.Generation, summaryOf(nil, "status.rehearsal says what would be done; nothing was changed"))
	if _, err := kube.PatchStatus(ctx, r.Client, before, ob); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.writes.Note(ob)
	return nil
}

// rehearsal is what one would do.
type rehearsal struct {
	reconciler *OffboardingReconciler
	now        time.Time
	found      v1alpha1.Rehearsal
	calls      int32
	takes      time.Duration
}

// The most of each that an Offboarding can keep; the CRD says so too.
const (
	mostSteps     = 176
	mostObstacles = 32
	mostCalls     = 32
)

func (p *rehearsal) obstacle(format string, args ...any) {
	if words := kube.Truncate(fmt.Sprintf(format, args...), 512); len(p.found.Obstacles) < mostObstacles {
		p.found.Obstacles = append(p.found.Obstacles, words)
	}
}

func (p *rehearsal) report() v1alpha1.Rehearsal {
	seconds := int64((p.takes + time.Second - 1) / time.Second)
	p.found.Time, p.found.Calls, p.found.Seconds = stamp(p.now), &p.calls, &seconds
	return p.found
}

func (p *rehearsal) run(ctx context.Context, ob *v1alpha1.Offboarding) error {
	r, e := p.reconciler, &v1alpha1.Employee{}
	err := r.Get(ctx, client.ObjectKey{Namespace: ob.Namespace, Name: ob.Spec.EmployeeRef.Name}, e)
	if apierrors.IsNotFound(err) {
		p.obstacle("there is no Employee %q in this namespace", ob.Spec.EmployeeRef.Name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the Employee: %w", err)
	}
	trigger := ob.Spec.Trigger
	if trigger == "" {
		trigger = v1alpha1.TriggerDeparted
	}
	spec, missing, err := snapshot(ctx, r.Client, e, trigger, offboardingAccounts(ob)...)
	if err != nil {
		return err
	}
	p.found.PolicyName, p.found.SuccessorName = spec.PolicyName, spec.SuccessorName
	if missing != nil {
		p.obstacle("%s", missing.Message)
		return nil //nolint:nilerr // a problem is a finding, not an error
	}
	would := &v1alpha1.Offboarding{ObjectMeta: ob.ObjectMeta, Spec: spec}
	if purpose, required := purposeOf(would); required {
		p.obstacle("nothing happens before somebody has decided about an Approval with the purpose %s", purpose)
	}
	if slices.Contains(spec.Terms.Approval.RequiredFor, v1alpha1.CaseDeleteAccount) {
		p.obstacle("no account is deleted before somebody has decided about an Approval with the purpose %s", v1alpha1.ApprovalDeleteAccount)
	}
	if err := p.storage(ctx, would); err != nil {
		return err
	}
	for i := range would.Spec.Accounts {
		s := &offboardingScope{ob: would, now: p.now}
		a := &departure{
			scope: s, spec: &would.Spec.Accounts[i], status: &v1alpha1.OffboardingAccountStatus{Name: would.Spec.Accounts[i].Name}, known: &found{},
			key: client.ObjectKey{Namespace: ob.Namespace, Name: would.Spec.Accounts[i].Name},
		}
		if err := r.find(ctx, a); err != nil {
			return err
		}
		p.on(a)
	}
	return p.links(ctx, would)
}

// storage looks whether archives could be written.
func (p *rehearsal) storage(ctx context.Context, ob *v1alpha1.Offboarding) error {
	terms := &ob.Spec.Terms.Backup
	if terms.Mode == v1alpha1.BackupNone {
		return nil
	}
	bs, missing, err := backupStorage(ctx, p.reconciler, ob.Namespace, terms.StorageRef.Name)
	if err != nil {
		return err
	}
	if missing == nil {
		missing = usable(bs)
	}
	if missing != nil {
		p.obstacle("%s", missing.Message)
	}
	return nil
}

// on says what would be done on one account.
func (p *rehearsal) on(a *departure) {
	if a.tenant == nil {
		p.obstacle("%s: %s", a.spec.Name, a.unreachable().Message)
		return
	}
	f := a.facts()
	p.obstaclesOn(a, &f)
	capabilities := a.tenant.Directory.Capabilities()
	for _, step := range leaving.Order(f.Offers) {
		what, work := p.step(a, &f, step)
		var calls []string
		for _, w := range work {
			does := capabilities.Calls[w]
			if len(does) == 0 {
				p.obstacle("%s: %s is not done by API with these credentials: see %s", a.spec.Name, w, step)
			}
			calls = append(calls, does...)
		}
		p.calls += int32(min(len(calls), 1<<15)) // bounded
		if a.tenant.Budget != nil {
			p.takes += a.tenant.Budget.Takes(calls)
		}
		if len(p.found.Steps) < mostSteps {
			p.found.Steps = append(p.found.Steps, v1alpha1.RehearsedStep{
				Account: a.spec.Name, Step: v1alpha1.OffboardingStepName(step), What: kube.Truncate(what, 512), Calls: calls[:min(len(calls), mostCalls)],
			})
		}
	}
}

// obstaclesOn says what would hold up the leaving of one account.
func (p *rehearsal) obstaclesOn(a *departure, f *leaving.Facts) {
	if a.account.Spec.Mode == v1alpha1.ModeObserve {
		p.obstacle("%s: mode is Observe: nothing would be changed", a.spec.Name)
	}
	if at := &a.account.Status.Removals; at.Limit != nil && (orZero(at.Held) > 0 || orZero(at.Admitted) >= *at.Limit) {
		p.obstacle("%s: removalLimits are reached: it would wait for an Approval", a.spec.Name)
	}
	if a.spec.SuccessorUserID == "" {
		p.obstacle("%s: no successor was found who has an account there", a.spec.Name)
	}
	if f.Account == nil {
		p.obstacle("%s: the account %s was not seen on the platform", a.spec.Name, a.spec.UserID)
	}
	if !f.CanFreeze {
		p.obstacle("%s: %s", a.spec.Name, f.FreezeLimit)
	}
}

// step says what a step would do, and with which work of the platform.
func (p *rehearsal) step(a *departure, f *leaving.Facts, step leaving.Step) (what string, work []directory.Work) {
	terms := &a.scope.ob.Spec.Terms
	if slices.Contains(terms.SkipSteps, v1alpha1.SkippableStep(step)) {
		return "left out: the policy skips it", nil
	}
	early := !f.CanFreeze && terms.Unfreezable == v1alpha1.UnfreezableRemoveEarly
	switch step {
	case leaving.Freeze:
		return rehearseFreeze(f, early)
	case leaving.Backup:
		if terms.Backup.Mode == v1alpha1.BackupNone {
			return "nothing: the policy wants no backup", nil
		}
		return fmt.Sprintf("export the person's data to the BackupStorage %q, read it back and compare; how many calls that takes depends on the data", terms.Backup.StorageRef.Name), nil
	case leaving.HandOver:
		return p.handOver(a, f)
	case leaving.RevokePermissions:
		if f.CanRevoke {
			return "read the roles of the account and take them away", []directory.Work{directory.WorkRevoke}
		}
		return "nothing: the platform has no roles that can be taken away", nil
	case leaving.UnlinkSystems:
		return rehearseUnlinking(a.scope.ob), nil
	case leaving.Notify:
		return p.notices(a)
	case leaving.Grace:
		if early {
			return "not kept: the account cannot be frozen", nil
		}
		return fmt.Sprintf("wait for %s; declaring the person again before that is over cancels", duration.HumanDuration(graceOf(terms))), nil
	case leaving.DeleteAccount:
		if terms.FinalAction == v1alpha1.FinalKeep {
			return "nothing: the policy keeps the account as it is", nil
		}
		return "remove the account for good, and read back that it is gone", []directory.Work{directory.WorkRemove}
	}
	return "look for what is left: account, roles, departments led, people who report to it", residualWork(a)
}

func rehearseFreeze(f *leaving.Facts, early bool) (what string, work []directory.Work) {
	switch {
	case f.CanFreeze:
		return "freeze the account", []directory.Work{directory.WorkFreeze}
	case early:
		return "nothing: the account cannot be frozen, and is removed without waiting for grace", nil
	}
	return "nothing: the account cannot be frozen, and can be used until grace ends", nil
}

// residualWork is nothing where the platform finds no more than everybody can read.
func residualWork(a *departure) []directory.Work {
	if _, can := a.tenant.Directory.(directory.ResidualFinder); can {
		return []directory.Work{directory.WorkResidual}
	}
	return nil
}

func (p *rehearsal) handOver(a *departure, f *leaving.Facts) (what string, work []directory.Work) {
	var words []string
	moments := map[directory.Moment][]string{}
	for _, o := range f.Offers {
		moments[o.Moment] = append(moments[o.Moment], string(o.Duty))
	}
	if d := moments[directory.ByHand]; len(d) > 0 {
		words = append(words, "people pass on and confirm: "+strings.Join(d, ", "))
	}
	if a.spec.SuccessorUserID == "" {
		return strings.Join(append(words, "nobody takes over the rest: no successor was found"), "; "), nil
	}
	if d := moments[directory.WithRemoval]; len(d) > 0 {
		words = append(words, "passed on with the removal: "+strings.Join(d, ", "))
	}
	if d := moments[directory.AfterRemoval]; len(d) > 0 && f.Account != nil {
		words, work = append(words, "passed on after the removal: "+strings.Join(d, ", ")), []directory.Work{directory.WorkInherit}
	}
	return strings.Join(append(words, "to "+a.spec.SuccessorUserID), "; "), work
}

func (p *rehearsal) notices(a *departure) (what string, work []directory.Work) {
	var told []string
	for _, n := range a.scope.ob.Spec.Terms.Notices {
		if len(a.recipients(n.To)) > 0 {
			told, work = append(told, string(n.To)), append(work, directory.WorkNotify)
		} else {
			p.obstacle("%s: nobody is there to be told as %s", a.spec.Name, n.To)
		}
	}
	if len(told) == 0 {
		return "nothing: nobody is told", nil
	}
	return "tell " + strings.Join(told, ", "), work
}
