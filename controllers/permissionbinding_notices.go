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
// once, recorded before; of several that have passed meanwhile, the shortest is told.
func (r *PermissionBindingReconciler) notices(ctx context.Context, s *bindingScope) error {
	b, st := s.binding, &s.binding.Status
	if b.Spec.ExpiresAt == nil || !s.inForce() {
		if s.state == v1alpha1.BindingWaiting || b.Spec.ExpiresAt == nil {
			st.NoticedHours = nil
		}
		return nil
	}
	if s.tenant == nil || s.role == nil || s.account.Spec.Mode == v1alpha1.ModeObserve {
		return nil
	}
	s.noticed()
	passed := s.passed()
	due := slices.DeleteFunc(slices.Clone(passed), func(h int32) bool { return slices.Contains(st.NoticedHours, h) })
	if len(due) == 0 {
		st.NoticedHours = slices.DeleteFunc(st.NoticedHours, func(h int32) bool { return !slices.Contains(passed, h) })
		return nil
	}
	n := &bindingNotice{hours: due[0]}
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
	return nil
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
		return execute.Outcome{Err: sendNotice(ctx, d, by, role, n), Version: strconv.Itoa(int(n.hours))}
	}})
}

func sendNotice(ctx context.Context, d directory.Directory, by execute.By, role string, n *bindingNotice) error {
	notifier, can := d.(directory.Notifier)
	if !can {
		return &directory.Error{Class: directory.NotSupported, Operation: "notify", Message: "this platform sends no messages"}
	}
	var all error
	for _, to := range n.to {
		after := map[string]string{"notice": fmt.Sprintf("ends in %d hours", n.hours), "count": strconv.Itoa(len(to.accounts))}
		err := by.Record(ctx, plan.Notify, execute.RoleTarget(role), nil, after, func(ctx context.Context) error {
			_, err := notifier.Notify(ctx, to.accounts, to.text)
			return err
		})
		all = errors.Join(all, err)
	}
	return all
}

// noticed takes over what became of a notice. One that was not sent begins anew.
func (s *bindingScope) noticed() {
	lane, st := s.tenant.Lane, &s.binding.Status
	o, ok := lane.Outcome(s.noticeLane())
	if !ok {
		return
	}
	s.sent = o
	switch directory.ClassOf(o.Err) {
	case "":
		s.say(corev1.EventTypeNormal, v1alpha1.EventNoticed, "Notify", "told the holders that the role ends at %s", s.binding.Spec.ExpiresAt.UTC().Format(time.RFC3339))
	case directory.RateLimited, directory.Unavailable, directory.Unauthenticated, directory.OutcomeUnknown:
		hours, _ := strconv.Atoi(o.Version)
		st.NoticedHours = slices.DeleteFunc(st.NoticedHours, func(h int32) bool { return int(h) == hours })
	default:
		s.say(corev1.EventTypeWarning, problemOf(o.Err).Reason, "Notify", "the holders could not be told that the role ends: %s", problemOf(o.Err).Message)
	}
}
