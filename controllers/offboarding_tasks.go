package controllers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/notice"
)

// layTasks lists what people have to do, as soon as the leaving begins: the duties that
// the platform passes on to nobody, and finding a successor where there is none.
func (a *departure) layTasks() {
	if slices.Contains(a.scope.ob.Spec.Terms.SkipSteps, v1alpha1.SkippableStep(leaving.HandOver)) {
		return
	}
	var todo []string
	offers := a.offers()
	if a.spec.SuccessorUserID == "" && len(offers) > 0 {
		todo = append(todo, "No successor was found who has an account there: see to whoever is to take over.")
	}
	for _, o := range offers {
		if o.Moment == directory.ByHand {
			todo = append(todo, string(o.Duty)+": "+strings.TrimRight(o.Manual, ".")+".")
		}
	}
	if len(todo) > 0 {
		a.addTask(string(leaving.HandOver), leaving.HandOver, strings.Join(todo, "\n"))
	}
}

// byHandOver is the task of a hand-over that the platform refused to make with the removal, inheritance that of
// what it refused to pass on after it, moreRoles that of roles which are too many, or reach too far, to be kept.
const (
	byHandOver  = "HandOverByHand"
	inheritance = "Inheritance"
	moreRoles   = "RolesByHand"
)

// mostTodo is what a task can say; the CRD says so too, in characters.
const mostTodo = 2048

// addTask adds the task <account>/<word>, unless there is one.
func (a *departure) addTask(word string, step leaving.Step, todo string) {
	if a.task(word) == nil {
		a.status.Tasks = append(a.status.Tasks, v1alpha1.ManualTask{
			Name: a.spec.Name + "/" + word, Step: v1alpha1.OffboardingStepName(step), Todo: kube.Truncate(todo, mostTodo),
		})
	}
}

// task is the manual task of that word, nil if there is none.
func (a *departure) task(word string) *v1alpha1.ManualTask {
	for i := range a.status.Tasks {
		if a.status.Tasks[i].Name == a.spec.Name+"/"+word {
			return &a.status.Tasks[i]
		}
	}
	return nil
}

// attest has confirmations recorded in the trail before they count, and reports whether there are any. The trail may be one
// that cannot be written: access is taken away (P2), and what there is saved, before.
func (a *departure) attest(next leaving.Act) bool {
	if next == leaving.ActConfirm || next == leaving.ActFreeze || next == leaving.ActBackup {
		return false
	}
	tasks := map[string]string{}
	for i := range a.status.Tasks {
		for _, c := range a.scope.ob.Spec.Confirmations {
			if t := &a.status.Tasks[i]; t.ConfirmedTime == nil && t.Name == c.Task {
				tasks[c.Task] = c.Note
			}
		}
	}
	if len(tasks) == 0 || a.tenant == nil || a.again {
		return false
	}
	d := leaving.Decision{Act: execute.ActAttest}
	l := execute.Departure{Act: execute.ActAttest, Account: a.spec.UserID, Tasks: tasks}
	digest := actDigest(&l)
	at := a.tenant.Lane.Peek(a.scope.lane, digest)
	a.problem = underwayOn(d, at.Err)
	if a.underway = at.Underway || at.RetryIn > 0; a.underway {
		a.wait = at.RetryIn
		return true
	}
	a.offer(l, digest, d)
	return true
}

// confirmed takes over that the record of confirmations is written.
func (a *departure) confirmed(tasks map[string]string) {
	for i := range a.status.Tasks {
		t := &a.status.Tasks[i]
		if _, ok := tasks[t.Name]; ok && t.ConfirmedTime == nil {
			t.ConfirmedTime, t.ConfirmedBy = stamp(a.scope.now), kube.Truncate(kube.Author(a.scope.ob), 128)
		}
	}
}

// noticeStatus is how a notice stands, nil before it was begun.
func (a *departure) noticeStatus(to v1alpha1.NoticeTo) *v1alpha1.SentNotice {
	for i := range a.status.Notices {
		if a.status.Notices[i].To == to {
			return &a.status.Notices[i]
		}
	}
	return nil
}

// nextNotice is the first that is not over, nil if all are.
func (a *departure) nextNotice() *v1alpha1.Notice {
	a.notice = nil
	all := a.scope.ob.Spec.Terms.Notices
	for i := range all {
		if st := a.noticeStatus(all[i].To); st == nil || st.State == v1alpha1.NoticeSending {
			a.notice = &all[i]
			return a.notice
		}
	}
	return nil
}

// recipients are the accounts that a notice goes to.
func (a *departure) recipients(to v1alpha1.NoticeTo) []string {
	var ids []string
	switch to {
	case v1alpha1.NoticeLeaver:
		ids = named(a.spec.UserID)
	case v1alpha1.NoticeManager:
		ids = named(a.spec.ManagerUserID)
	case v1alpha1.NoticeSuccessor:
		ids = named(a.spec.SuccessorUserID)
	case v1alpha1.NoticeAdministrators:
		ids = slices.Clone(a.spec.AdministratorUserIDs)
	}
	return ids
}

// unsendable ends a notice that cannot be sent any more: nobody gets it, or it may have
// been sent and is too old to be known again as the same.
func (a *departure) unsendable() bool {
	st := a.noticeStatus(a.notice.To)
	window := a.tenant.Directory.Capabilities().NoticeWindow
	sending := a.tenant.Lane.Peek(a.scope.lane, actDigest(&execute.Departure{Act: leaving.ActNotify, Notice: string(a.notice.To)})).Underway
	switch {
	case len(a.recipients(a.notice.To)) == 0:
		a.endNotice(v1alpha1.NoticeUnsent)
	case st != nil && st.StartTime != nil && !a.scope.now.Before(st.StartTime.Add(window)) && !sending:
		a.endNotice(v1alpha1.NoticeUnknown)
	default:
		return false
	}
	return true
}

func (a *departure) endNotice(state v1alpha1.NoticeState) {
	st := a.noticeStatus(a.notice.To)
	if st == nil {
		a.status.Notices = append(a.status.Notices, v1alpha1.SentNotice{To: a.notice.To})
		st = &a.status.Notices[len(a.status.Notices)-1]
	}
	st.State = state
}

// sending records that a notice is about to be sent.
func (a *departure) sending() {
	if a.noticeStatus(a.notice.To) == nil {
		a.status.Notices = append(a.status.Notices, v1alpha1.SentNotice{To: a.notice.To, State: v1alpha1.NoticeSending, StartTime: stamp(a.scope.now)})
		a.known.began = a.notice.To
	}
}

// text is what the notice says. It is the same again after a crash.
func (a *departure) text() string {
	ob := a.scope.ob
	f := notice.Facts{Name: ob.Spec.PersonName, Number: ob.Spec.Number, Account: a.spec.Name, Successor: ob.Spec.SuccessorPersonName}
	if ob.Spec.Terms.FinalAction != v1alpha1.FinalKeep {
		began := a.scope.now
		if st := a.noticeStatus(a.notice.To); st != nil && st.StartTime != nil {
			began = st.StartTime.Time
		}
		f.Date = began.Add(graceOf(&ob.Spec.Terms)).In(china).Format(time.DateOnly)
	}
	return notice.Text(notice.To(a.notice.To), notice.Language(a.notice.Language), a.notice.Text, f)
}

// notified records what became of a notice.
func (a *departure) notified(o *execute.Outcome) {
	st := a.noticeStatus(v1alpha1.NoticeTo(o.Left.Notice))
	if st == nil {
		return
	}
	switch directory.ClassOf(o.Err) {
	case "":
		st.State, st.Receipt, st.SentTime = v1alpha1.NoticeSent, kube.Truncate(o.Left.Receipt.ID, 128), stamp(a.scope.now)
		if !o.Left.Receipt.Later {
			st.Missed = counted(o.Left.Receipt.Missed)
		}
	case directory.OutcomeUnknown: // sent again while the platform knows it again
	case directory.RateLimited, directory.Unavailable, directory.Unauthenticated:
		if !o.Asked && a.known.began == st.To { // it was not sent, nor by a manager before: it begins anew, however late
			a.status.Notices = slices.DeleteFunc(a.status.Notices, func(n v1alpha1.SentNotice) bool { return n.To == st.To })
		}
	default:
		st.State = v1alpha1.NoticeUnsent
	}
	a.step(leaving.Notify).Evidence = kube.Truncate(a.noticesInWords(), 256)
}

func counted(ids []string) *int32 {
	n := int32(min(len(ids), 1<<31-1))
	return &n
}

// missed takes over whom the platform says that a notice missed.
func (a *departure) missed(l *execute.Left) {
	st := a.noticeStatus(v1alpha1.NoticeTo(l.Notice))
	if !l.Read || st == nil || st.Receipt != l.Message {
		return // that it was not told changes nothing: the notice was sent
	}
	st.Missed = counted(l.Receipt.Missed)
	a.step(leaving.Notify).Evidence = kube.Truncate(a.noticesInWords(), 256)
}

// ask has the platform asked whom a notice missed, while there is nothing else to do. Nothing waits for the answer: it
// gives way to whatever comes next.
func (a *departure) ask() {
	if a.tenant == nil || a.again || a.over || a.underway || a.offered != nil {
		return
	}
	var next *v1alpha1.SentNotice
	var wait time.Duration
	for _, st := range a.untold() {
		l := a.delivered(st)
		if a.underway = a.tenant.Lane.Peek(a.scope.lane, actDigest(&l)).Underway; a.underway {
			return
		}
		if w, again := notice.Ask(st.SentTime.Time, int(st.Asked), a.scope.now); again && (next == nil || w < wait) {
			next, wait = st, w
		}
	}
	switch {
	case next == nil:
	case wait > 0:
		a.wait = sooner(a.wait, wait)
	default:
		next.Asked++
		l := a.delivered(next)
		a.offer(l, actDigest(&l), leaving.Decision{Act: l.Act})
		a.offered.Priority = sweepPriority
	}
}

// untold are the notices that were sent, and of which the platform has not told yet whom they missed.
func (a *departure) untold() (all []*v1alpha1.SentNotice) {
	for i := range a.status.Notices {
		if st := &a.status.Notices[i]; st.State == v1alpha1.NoticeSent && st.SentTime != nil && st.Receipt != "" && st.Missed == nil {
			all = append(all, st)
		}
	}
	return all
}

// delivered is the lane's task of asking whom a notice missed.
func (a *departure) delivered(st *v1alpha1.SentNotice) execute.Departure {
	return execute.Departure{Act: execute.ActDelivered, Account: a.spec.UserID, Notice: string(st.To), Message: st.Receipt}
}

func (a *departure) noticesInWords() string {
	var words []string
	for _, n := range a.status.Notices {
		word := string(n.To) + " " + string(n.State)
		if n.Receipt != "" {
			word += " " + n.Receipt
		}
		if n.Missed != nil && *n.Missed > 0 {
			word += fmt.Sprintf(" (missed %d)", *n.Missed)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}
