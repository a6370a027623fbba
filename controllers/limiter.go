package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/limits"
)

// Limiter says who may lose access to an account now (P6). What it counts is what is
// durably recorded: the admittedTime of Offboardings and Employees. It remembers what it
// has answered until that is recorded, too.
type Limiter struct {
	client.Client
	// Live reads past the cache.
	Live      client.Reader
	Approvals *Approvals
	Now       func() time.Time

	mu      sync.Mutex
	ledgers map[types.NamespacedName]*ledger
}

// Candidate is somebody who is about to lose access.
type Candidate struct {
	// UID, Kind and Name are those of the Offboarding, or of the Employee to be frozen.
	UID    types.UID
	Kind   string
	Name   string
	Number string
	// Action is Leave or Freeze, as in an Approval's subjects.
	Action string
}

// subject is how an Approval lists the candidate.
func (c Candidate) subject() v1alpha1.ApprovalSubject {
	return v1alpha1.ApprovalSubject{UID: string(c.UID), Kind: c.Kind, Name: c.Name, Number: c.Number, Action: c.Action}
}

// Admission is what the Limiter says.
type Admission struct {
	Admitted bool
	// By is the Approval that let it begin, and Approver who decided; empty within the limits.
	By, Approver string
	// Rejected: a decision says no.
	Rejected bool
	// Problem says why not, when not admitted.
	Problem *Problem
}

// AdmitLinked is [Limiter.Admit] for a LinkedSystem.
func (l *Limiter) AdmitLinked(ctx context.Context, system types.NamespacedName, c Candidate) (Admission, error) {
	return l.Admit(ctx, systemLabel(system), c)
}

// Counts is how long an admission of that moment counts still in a LinkedSystem; zero if it does no more.
func (l *Limiter) Counts(ctx context.Context, system types.NamespacedName, admitted time.Time) (time.Duration, error) {
	in, err := l.limitsOf(ctx, systemLabel(system))
	if now := l.Now(); err == nil && in.Within(admitted, now) {
		return max(time.Second, admitted.Add(in.Window).Sub(now)), nil
	}
	return 0, err
}

// Admit is asked before the first act, and never again once admittedTime is recorded. Who is
// admitted has to be recorded before anything is done; who is not, with the Problem's reason.
func (l *Limiter) Admit(ctx context.Context, account types.NamespacedName, c Candidate) (Admission, error) {
	book := l.ledger(account)
	book.mu.Lock()
	defer book.mu.Unlock()
	look, err := l.look(ctx, account, book)
	if err != nil {
		return Admission{}, err
	}
	if was, ok := book.admitted[c.UID]; ok {
		// The same person again: the record was lost on its way, or is made anew.
		was.at = look.now
		book.admitted[c.UID] = was
		book.answer(c, true, look.now)
		return Admission{Admitted: true, By: was.by, Approver: was.approver}, nil
	}
	switch d, decided := look.decisions[c.subject()]; {
	case decided && d.State == v1alpha1.ApprovalApproved:
		book.admitted[c.UID] = admitted{number: c.Number, at: look.now, by: d.Name, approver: d.Approver}
		book.answer(c, true, look.now)
		return Admission{Admitted: true, By: d.Name, Approver: d.Approver}, nil
	case decided, look.rejected[c.UID]:
		delete(book.answered, c.UID)
		return Admission{Rejected: true, Problem: problem(v1alpha1.ReasonApprovalRejected, "an Approval was rejected that lists this: the account stays as it is")}, nil
	}
	within, err := l.within(ctx, account, book, look)
	if err != nil {
		return Admission{}, err
	}
	if within {
		book.admitted[c.UID] = admitted{number: c.Number, at: look.now}
		book.answer(c, true, look.now)
		return Admission{Admitted: true}, nil
	}
	book.answer(c, false, look.now)
	return Admission{Problem: problem(v1alpha1.ReasonRemovalLimit, fmt.Sprintf(
		"more people would lose access to %s than its removalLimits allow: nothing is done before somebody has decided about everybody who waits; kubectl get approvals lists what is asked", account.Name))}, nil
}

// countedFor is how long a count of people is believed that lets somebody in. Where a thousand go at once, to count
// the company for each of them would take a thousand times as long.
const countedFor = 5 * time.Second

// within says whether one more may lose access. Nobody is held up by an old count: that would latch.
func (l *Limiter) within(ctx context.Context, account types.NamespacedName, book *ledger, at *look) (bool, error) {
	facts := limits.Facts{Admitted: book.times(), Waiting: len(at.waiting), Managed: book.managed}
	if facts.Waiting > 0 || len(facts.Admitted) >= max(at.limits.Count, at.limits.Floor) {
		return false, nil
	}
	if age := at.now.Sub(book.counted); age >= 0 && age < countedFor && limits.Decide(at.limits, facts, at.now).Admit {
		return true, nil
	}
	var err error
	if facts.Managed, err = l.managed(ctx, account, book, at); err != nil {
		return false, err
	}
	return limits.Decide(at.limits, facts, at.now).Admit, nil
}

// ledger is what the Limiter knows of one account, and the lock under which it answers.
type ledger struct {
	mu sync.Mutex
	// read: it was looked past the cache once, which may lag behind what was written before a restart.
	read bool
	// managed is how many people there were when they were counted last.
	managed int
	counted time.Time
	// admitted within the window; also those whose record is gone since.
	admitted map[types.UID]admitted
	// answered are answers that the cache does not show yet.
	answered map[types.UID]answered
}

type admitted struct {
	number       string
	at           time.Time
	by, approver string
}

type answered struct {
	Candidate
	admitted bool
	at       time.Time
}

func (l *Limiter) ledger(account types.NamespacedName) *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ledgers == nil {
		l.ledgers = map[types.NamespacedName]*ledger{}
	}
	if l.ledgers[account] == nil {
		l.ledgers[account] = &ledger{admitted: map[types.UID]admitted{}, answered: map[types.UID]answered{}}
	}
	return l.ledgers[account]
}

func (b *ledger) answer(c Candidate, yes bool, now time.Time) {
	b.answered[c.UID] = answered{Candidate: c, admitted: yes, at: now}
}

// times are the admissions that count: those that no human has looked at.
func (b *ledger) times() (times []time.Time) {
	for _, a := range b.admitted {
		if a.by == "" {
			times = append(times, a.at)
		}
	}
	return times
}

// limitsOf are the limits in force. An account that is gone keeps the default ones.
func (l *Limiter) limitsOf(ctx context.Context, name types.NamespacedName) (limits.Limits, error) {
	in := limits.Default
	declared, err := l.declared(ctx, name)
	if err != nil {
		return in, err
	}
	if declared.WindowSeconds > 0 {
		in.Window = time.Duration(declared.WindowSeconds) * time.Second
	}
	for to, from := range map[*int]*int32{&in.Count: declared.Count, &in.Percent: declared.Percent, &in.Floor: declared.Floor} {
		if from != nil {
			*to = int(*from)
		}
	}
	return in, nil
}

func (l *Limiter) declared(ctx context.Context, name types.NamespacedName) (v1alpha1.RemovalLimits, error) {
	if system, is := systemNamed(name); is {
		ls := &v1alpha1.LinkedSystem{}
		if err := l.Get(ctx, system, ls); client.IgnoreNotFound(err) != nil {
			return v1alpha1.RemovalLimits{}, fmt.Errorf("reading the LinkedSystem: %w", err)
		}
		return ls.Spec.RemovalLimits, nil
	}
	account := &v1alpha1.EnterpriseAccount{}
	if err := l.Get(ctx, name, account); client.IgnoreNotFound(err) != nil {
		return v1alpha1.RemovalLimits{}, fmt.Errorf("reading the EnterpriseAccount: %w", err)
	}
	return account.Spec.RemovalLimits, nil
}

// look is what the Limiter sees at one moment.
type look struct {
	now    time.Time
	limits limits.Limits
	// waiting are over the limit, by UID, and nobody has decided about them; held are those of
	// them who say so in their status.
	waiting, held map[types.UID]Candidate
	// rejected Employees stay as they are until they are declared anew.
	rejected  map[types.UID]bool
	decisions map[v1alpha1.ApprovalSubject]Answer
}

// look brings the ledger up to date with the cache, and finds who waits.
func (l *Limiter) look(ctx context.Context, account types.NamespacedName, book *ledger) (*look, error) {
	now := l.Now()
	in, err := l.limitsOf(ctx, account)
	if err != nil {
		return nil, err
	}
	if !book.read {
		if err := l.readLive(ctx, account, book, in, now); err != nil {
			return nil, err
		}
		book.read = true
	}
	at := &look{now: now, limits: in, waiting: map[types.UID]Candidate{}, held: map[types.UID]Candidate{}, rejected: map[types.UID]bool{}}
	if at.decisions, err = l.decisions(ctx, account); err != nil {
		return nil, err
	}
	shown, err := l.shown(ctx, account)
	if err != nil {
		return nil, err
	}
	for _, r := range shown {
		book.learn(r, in, now)
		if r.rejected {
			at.rejected[r.UID] = true
		}
		if r.held {
			at.waiting[r.UID], at.held[r.UID] = r.Candidate, r.Candidate
		}
	}
	for uid, a := range book.admitted {
		if !in.Within(a.at, now) {
			delete(book.admitted, uid)
		}
	}
	if err := l.verify(ctx, account, book, now); err != nil {
		return nil, err
	}
	at.sift(book)
	return at, nil
}

// sift leaves those waiting who were not answered otherwise meanwhile, and about whom nobody has decided.
func (at *look) sift(book *ledger) {
	for uid, a := range book.answered {
		if a.admitted {
			delete(at.waiting, uid) // the cache is behind
			delete(at.held, uid)
		} else {
			at.waiting[uid] = a.Candidate
		}
	}
	for uid, c := range at.waiting {
		if _, decided := at.decisions[c.subject()]; decided {
			delete(at.waiting, uid)
			delete(at.held, uid)
		}
	}
}

// learn takes over what is recorded, and forgets the answer that it bears out.
func (b *ledger) learn(r removal, in limits.Limits, now time.Time) {
	if a := b.answered[r.UID]; a.admitted && !r.admitted.IsZero() || !a.admitted && r.held {
		delete(b.answered, r.UID)
	}
	if r.admitted.IsZero() || !in.Within(r.admitted, now) {
		return
	}
	if known, ok := b.admitted[r.UID]; !ok || known.at.Before(r.admitted) {
		b.admitted[r.UID] = admitted{number: r.Number, at: r.admitted, by: r.by, approver: known.approver}
	}
}

// recordedWithin is how long a record may take to be written and shown before it is looked for.
const recordedWithin = 30 * time.Second

// verify looks past the cache for what was answered and is not shown in good time: whoever asked
// may have ended, or may not want it any more. Nothing was done then, as the record goes first.
func (l *Limiter) verify(ctx context.Context, account types.NamespacedName, book *ledger, now time.Time) error {
	for uid, a := range book.answered {
		if now.Sub(a.at) < recordedWithin {
			continue
		}
		r, err := l.recordedOf(ctx, account, a.Candidate)
		if err != nil {
			return err
		}
		switch {
		case a.admitted && r.admitted.IsZero():
			delete(book.admitted, uid)
			delete(book.answered, uid)
		case !a.admitted && !r.held:
			delete(book.answered, uid)
		default:
			book.answer(a.Candidate, a.admitted, now)
		}
	}
	return nil
}

// decisions are what was decided about quarantines of the account, the newest about each subject.
func (l *Limiter) decisions(ctx context.Context, account types.NamespacedName) (map[v1alpha1.ApprovalSubject]Answer, error) {
	var all v1alpha1.ApprovalList
	if err := l.List(ctx, &all, client.InNamespace(account.Namespace), client.MatchingFields{indexAccount: account.Name}); err != nil {
		return nil, fmt.Errorf("listing Approvals: %w", err)
	}
	newestFirst(all.Items)
	decisions := map[v1alpha1.ApprovalSubject]Answer{}
	for i := range all.Items {
		apv := &all.Items[i]
		if apv.Spec.Purpose != v1alpha1.ApprovalRemovalLimit || apv.Spec.Decision.Verdict == "" || l.Approvals.over(apv) {
			continue
		}
		answer := l.Approvals.answer(apv)
		if answer.Approver == "" {
			continue // nobody checked who decided
		}
		for _, s := range apv.Spec.Subjects {
			if _, newer := decisions[s]; !newer {
				decisions[s] = answer
			}
		}
	}
	return decisions, nil
}

// readLive takes over what is recorded, past the cache: whoever was the manager before may have
// written a moment ago. Of the Employees only those who can have lost access are read.
func (l *Limiter) readLive(ctx context.Context, account types.NamespacedName, book *ledger, in limits.Limits, now time.Time) error {
	recorded, err := l.recorded(ctx, account)
	if err != nil {
		return err
	}
	for _, r := range recorded {
		book.learn(r, in, now)
		if r.held {
			book.answer(r.Candidate, false, now)
		}
	}
	return nil
}

// Quarantine is how an account stands against its limits.
type Quarantine struct {
	// Limit people may lose access within the window; Admitted have.
	Limit, Admitted int
	// Held wait, as an Approval lists them.
	Held []v1alpha1.ApprovalSubject
	// Next is when an admission leaves the window; zero if there is none.
	Next time.Time
}

// Quarantine says who waits.
func (l *Limiter) Quarantine(ctx context.Context, account types.NamespacedName) (Quarantine, error) {
	book := l.ledger(account)
	book.mu.Lock()
	defer book.mu.Unlock()
	at, err := l.look(ctx, account, book)
	if err != nil {
		return Quarantine{}, err
	}
	managed, err := l.managed(ctx, account, book, at)
	if err != nil {
		return Quarantine{}, err
	}
	times := book.times()
	d := limits.Decide(at.limits, limits.Facts{Admitted: times, Waiting: len(at.waiting), Managed: managed}, at.now)
	q := Quarantine{Limit: d.Most, Admitted: d.Used}
	for _, c := range at.held {
		q.Held = append(q.Held, c.subject())
	}
	if len(times) > 0 {
		q.Next = slices.MinFunc(times, time.Time.Compare).Add(at.limits.Window + time.Second)
	}
	return q, nil
}

// managed is how many people have an account there that is ours, or had one when the window began:
// if whoever leaves did not count any more, the limit would shrink with everybody whom it lets go.
func (l *Limiter) managed(ctx context.Context, account types.NamespacedName, book *ledger, at *look) (int, error) {
	on := []client.ListOption{client.InNamespace(account.Namespace), client.MatchingFields{indexAccount: account.Name}, client.UnsafeDisableDeepCopy}
	if system, is := systemNamed(account); is {
		on[1] = client.MatchingFields{indexSystem: system.Name}
	}
	var employees v1alpha1.EmployeeList
	if err := l.List(ctx, &employees, on...); err != nil {
		return 0, fmt.Errorf("listing Employees: %w", err)
	}
	var leaving v1alpha1.OffboardingList
	if err := l.List(ctx, &leaving, on...); err != nil {
		return 0, fmt.Errorf("listing Offboardings: %w", err)
	}
	people := map[string]bool{} // each once, whichever objects tell of them
	for i := range employees.Items {
		if isOwned(originOn(&employees.Items[i], account)) {
			people[personOf(declaredNumber(&employees.Items[i]), employees.Items[i].UID)] = true
		}
	}
	for i := range leaving.Items {
		ob := &leaving.Items[i]
		if ob.Spec.Mode != v1alpha1.OffboardingExecute || isOver(ob) && !at.limits.Within(endOf(ob), at.now) {
			continue
		}
		if isOwned(originLeft(ob, account)) {
			people[personOf(ob.Spec.Number, ob.UID)] = true
		}
	}
	for uid, a := range book.admitted { // whoever goes with a namespace leaves no other record
		people[personOf(a.number, uid)] = true
	}
	book.managed, book.counted = len(people), at.now
	return len(people), nil
}

// personOf tells people apart: by number, or by their object while they have none.
func personOf(number string, uid types.UID) string {
	if number == "" {
		return string(uid)
	}
	return fold(number)
}
