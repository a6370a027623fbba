package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/notice"
	"rollcall.dev/rollcall/internal/plan"
)

// noticeBefore are the lead times in hours, as the CRD says.
var noticeBefore = []int32{168, 24}

// bindingNotice tells people that a binding ends.
type bindingNotice struct {
	hours int32
	// again: it may have been sent before.
	again bool
	// to are the accounts that get each text, in their order.
	to []noticeTo
}

type noticeTo struct {
	accounts []string
	text     string
}

func (n *bindingNotice) digest() string { return "notice " + strconv.Itoa(int(n.hours)) }

func (s *bindingScope) noticeLane() string { return bindingNoticeKey + s.binding.Name }

// notices finds whether it is time to tell people that the binding ends. Each lead time is told
// once, recorded before; of several that have passed meanwhile, the shortest is told. What was begun, and may
// have been sent, is sent again only while the platform knows it again, and delivers it once.
func (r *PermissionBindingReconciler) notices(ctx context.Context, s *bindingScope) error {
	b, st := s.binding, &s.binding.Status
	if b.Spec.ExpiresAt == nil || !s.inForce() {
		s.tellNobody()
		return nil
	}
	if s.tenant == nil || s.role == nil || s.account.Spec.Mode == v1alpha1.ModeObserve {
		return nil
	}
	s.noticed()
	passed := s.passed()
	s.unsent(passed)
	due := slices.DeleteFunc(slices.Clone(passed), func(h int32) bool { return slices.Contains(st.NoticedHours, h) })
	if len(due) == 0 {
		st.NoticedHours = slices.DeleteFunc(st.NoticedHours, func(h int32) bool { return !slices.Contains(passed, h) })
		return nil
	}
	n := &bindingNotice{hours: due[0], again: st.NoticingHours == due[0]}
	if n.again && s.unsendable() {
		st.NoticedHours = passed
		return nil
	}
	if wait := s.tenant.Lane.Peek(s.noticeLane(), n.digest()).RetryIn; wait > 0 {
		s.again = sooner(s.again, wait)
		return nil // it could not be sent a moment ago
	}
	if err := r.recipients(ctx, s, n); err != nil {
		return err
	}
	if len(n.to) == 0 || s.giving() {
		return nil // nobody holds it yet, or somebody is about to
	}
	st.NoticedHours, s.notice = passed, n
	if !n.again {
		st.NoticingHours, st.NoticeStartTime = n.hours, s.stamp()
	}
	return nil
}

// tellNobody: the binding has no end, is over, or is yet to begin.
func (s *bindingScope) tellNobody() {
	if s.state == v1alpha1.BindingWaiting || s.binding.Spec.ExpiresAt == nil {
		s.binding.Status.NoticedHours = nil
	}
	s.endNotice()
}

// unsent finds that a notice was begun that nobody sends, because the manager stopped or no answer came: it is due again.
func (s *bindingScope) unsent(passed []int32) {
	st := &s.binding.Status
	begun := &bindingNotice{hours: st.NoticingHours}
	switch {
	case begun.hours == 0:
	case !slices.Contains(passed, begun.hours): // the end is another by now
		s.endNotice()
	case !s.tenant.Lane.Peek(s.noticeLane(), begun.digest()).Underway:
		st.NoticedHours = without(st.NoticedHours, begun.hours)
	}
}

// unsendable ends a notice that may have been sent, and is too old to be known again as the same.
func (s *bindingScope) unsendable() bool {
	if window := s.tenant.Directory.Capabilities().NoticeWindow; s.now.Before(s.binding.Status.NoticeStartTime.Add(window)) {
		return false
	}
	s.say(corev1.EventTypeWarning, v1alpha1.ReasonOutcomeUnknown, "Notify", "it is not known whether the holders were told that the role ends, and too late to tell them without doing it twice")
	s.endNotice()
	return true
}

func without(all []int32, one int32) []int32 {
	return slices.DeleteFunc(all, func(h int32) bool { return h == one })
}

// endNotice: the notice that was begun is over.
func (s *bindingScope) endNotice() {
	s.binding.Status.NoticingHours, s.binding.Status.NoticeStartTime = 0, nil
}

// giving reports whether somebody is about to get the role: it was not tried in vain. One who cannot have it does
// not keep the others from being told (P11).
func (s *bindingScope) giving() bool {
	return len(s.plan.Grant) > 0 && s.task != nil && s.tenant.Lane.Peek(s.lane, s.task.Digest).Err == nil
}

// passed are the lead times that have begun, the shortest first.
func (s *bindingScope) passed() (passed []int32) {
	leads := s.binding.Spec.NoticeBeforeHours
	if len(leads) == 0 {
		leads = noticeBefore
	}
	for _, h := range leads {
		if wait := s.binding.Spec.ExpiresAt.Add(-time.Duration(h) * time.Hour).Sub(s.now); wait > 0 {
			s.again = sooner(s.again, wait)
		} else {
			passed = append(passed, h)
		}
	}
	slices.Sort(passed)
	return passed
}

// recipients are the holders, and who answers for the binding.
func (r *PermissionBindingReconciler) recipients(ctx context.Context, s *bindingScope, n *bindingNotice) error {
	b := s.binding
	e := notice.Ending{
		Role: b.Spec.Role.Name, Account: b.Spec.AccountRef.Name, Reason: b.Spec.Reason, Binding: b.Name,
		Until: b.Spec.ExpiresAt.In(china).Format("2006-01-02 15:04"),
	}
	text := func(to notice.To) string { return notice.EndingText(to, notice.Language(b.Spec.NoticeLanguage), e) }
	var holders []string
	for _, h := range s.holders() {
		holders = append(holders, h.id)
	}
	slices.Sort(holders)
	for batch := range slices.Chunk(holders, noticeBatch) {
		n.to = append(n.to, noticeTo{batch, text(notice.Holder)})
	}
	if b.Spec.OwnerRef.Name == "" {
		return nil
	}
	owner := &v1alpha1.Employee{}
	if err := r.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: b.Spec.OwnerRef.Name}, owner); err != nil {
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading who answers for the binding: %w", err)
		}
		return nil
	}
	if id, anew := mayHold(s.tenant, b.Spec.AccountRef.Name, owner, leavers{}); anew {
		n.to = append(n.to, noticeTo{[]string{id}, text(notice.Owner)})
	}
	return nil
}

// send hands the notice to the lane, after it is recorded.
func (r *PermissionBindingReconciler) send(s *bindingScope) {
	n, d, by, role := s.notice, s.tenant.Directory, s.by(), s.role.role.ID
	s.tenant.Lane.Offer(s.noticeLane(), execute.Task{Digest: n.digest(), Priority: rolePriority, Run: func(ctx context.Context) execute.Outcome {
		o := execute.Outcome{Version: strconv.Itoa(int(n.hours))}
		asked, err := sendNotice(ctx, d, by, role, n)
		if o.Err = err; asked || n.again { // or may have
			o.Done = []plan.Kind{plan.Notify}
		}
		return o
	}})
}

// sendNotice sends it to all, and says whether some got it, or may have.
func sendNotice(ctx context.Context, d directory.Directory, by execute.By, role string, n *bindingNotice) (asked bool, all error) {
	notifier, can := d.(directory.Notifier)
	if !can {
		return false, &directory.Error{Class: directory.NotSupported, Operation: "notify", Message: "this platform sends no messages"}
	}
	for _, to := range n.to {
		after := map[string]string{"notice": fmt.Sprintf("ends in %d hours", n.hours), "count": strconv.Itoa(len(to.accounts))}
		err := by.Record(ctx, plan.Notify, execute.RoleTarget(role), nil, after, func(ctx context.Context) error {
			_, err := notifier.Notify(ctx, to.accounts, to.text)
			return err
		})
		asked = asked || err == nil || directory.ClassOf(err) == directory.OutcomeUnknown
		all = errors.Join(all, err)
	}
	return asked, all
}

// noticed takes over what became of a notice. One that was not sent begins anew, however late.
func (s *bindingScope) noticed() {
	lane, st := s.tenant.Lane, &s.binding.Status
	o, ok := lane.Outcome(s.noticeLane())
	if !ok {
		return
	}
	s.sent = o
	hours, _ := strconv.ParseInt(o.Version, 10, 32)
	switch directory.ClassOf(o.Err) {
	case "":
		s.endNotice()
		s.say(corev1.EventTypeNormal, v1alpha1.EventNoticed, "Notify", "told the holders that the role ends at %s", s.binding.Spec.ExpiresAt.UTC().Format(time.RFC3339))
	case directory.RateLimited, directory.Unavailable, directory.Unauthenticated, directory.OutcomeUnknown:
		st.NoticedHours = without(st.NoticedHours, int32(hours))
		if len(o.Done) == 0 {
			s.endNotice()
		}
	default:
		s.endNotice()
		s.say(corev1.EventTypeWarning, problemOf(o.Err).Reason, "Notify", "the holders could not be told that the role ends: %s", problemOf(o.Err).Message)
	}
}
