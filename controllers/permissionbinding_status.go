package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// The bounds of lists in the status; the CRD says so too.
const (
	mostOthers = 50
	mostTasks  = 50
)

// bindingEvent is told once the status is written.
type bindingEvent struct {
	kind, reason, action, text string
}

func (s *bindingScope) say(kind, reason, action, format string, args ...any) {
	s.tell = append(s.tell, bindingEvent{kind, reason, action, fmt.Sprintf(format, args...)})
}

// report says how the binding stands.
func (s *bindingScope) report() {
	b := s.binding
	st := &b.Status
	st.State, st.SubjectsText = s.state, subjectsInWords(&b.Spec.Subjects)
	if s.state == v1alpha1.BindingActive && len(st.GrantedUserIDs) == 0 && st.ApprovalName != "" && s.waitsFor(v1alpha1.ReasonApprovalPending, v1alpha1.ReasonApprovalRejected) {
		st.State = v1alpha1.BindingWaiting
	}
	st.ObservedGeneration = &b.Generation
	for i := range st.Conditions { // what was found out about approvals and reviews holds for this generation, too
		st.Conditions[i].ObservedGeneration = b.Generation
	}
	p := s.problem()
	if !b.DeletionTimestamp.IsZero() && (p == nil || !p.Stalled) {
		p = problem(v1alpha1.ReasonProgressing, "it is being deleted, and the role is being taken from whom it granted it; to leave the platform as it is, set deletionPolicy: Retain")
	} else if !b.DeletionTimestamp.IsZero() {
		p = problem(p.Reason, p.Message+". It is being deleted: to leave the platform as it is, set deletionPolicy: Retain")
	}
	kube.Summarize(&st.Conditions, b.Generation, summaryOf(p, s.inWords()))
}

// subjectsInWords is who is declared, in short: people, departments (** with those below) and labels.
func subjectsInWords(s *v1alpha1.BindingSubjects) string {
	var parts []string
	for _, ref := range s.EmployeeRefs {
		parts = append(parts, ref.Name)
	}
	for _, d := range s.Departments {
		if d.Extent == v1alpha1.ExtentSubtree {
			parts = append(parts, d.Name+"/**")
		} else {
			parts = append(parts, d.Name+"/*")
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		parts = append(parts, k+"="+string(s.MatchLabels[k]))
	}
	return kube.Truncate(strings.Join(parts, ","), 64)
}

// remember takes over into the status what was seen and what was planned.
func (r *PermissionBindingReconciler) remember(_ context.Context, s *bindingScope) error {
	if s.tenant != nil && s.retained == "" && s.role != nil {
		s.count()
		s.record()
	}
	return nil
}

func (s *bindingScope) waitsFor(reasons ...string) bool {
	return slices.ContainsFunc(s.waits, func(p *Problem) bool { return slices.Contains(reasons, p.Reason) })
}

// inWords says what is so when everything is as declared.
func (s *bindingScope) inWords() string {
	switch s.state {
	case v1alpha1.BindingWaiting:
		return "nobody holds the role by this binding before " + s.binding.Spec.NotBefore.UTC().Format(time.RFC3339)
	case v1alpha1.BindingExpired:
		return "it has expired: nobody holds the role by it any more"
	case v1alpha1.BindingActive, v1alpha1.BindingRevoked:
	}
	people, units := len(s.plan.Others), len(s.plan.OtherDepartments)
	switch {
	case units > 0:
		return fmt.Sprintf("everybody who is declared holds the role, and %d others and everybody in %d departments, who are left (membership: Additive)", people, units)
	case people > 0:
		return fmt.Sprintf("everybody who is declared holds the role, and %d others, who are left (membership: Additive)", people)
	}
	return "exactly who is declared holds the role"
}

// count says who holds the role.
func (s *bindingScope) count() {
	st := &s.binding.Status
	subjects, holders := int32(len(s.people)), int32(len(s.holders()))
	st.Subjects, st.Holders, st.HoldersText = &subjects, &holders, fmt.Sprintf("%d/%d", holders, subjects)
	st.OthersUserIDs = slices.Clone(s.plan.Others[:min(len(s.plan.Others), mostOthers)])
	st.Tasks = nil
	for _, todo := range s.plan.ByHand[:min(len(s.plan.ByHand), mostTasks)] {
		st.Tasks = append(st.Tasks, kube.Truncate(todo, 256))
	}
}

// record keeps whom the binding grants the role, before it does. What Observe merely would do
// leaves no record.
func (s *bindingScope) record() {
	st := &s.binding.Status
	if s.role.missing && !s.sure {
		return
	}
	if s.role.missing {
		st.GrantedUserIDs, st.UnapprovedUserIDs, st.GrantedSince, st.RoleID = nil, nil, nil, ""
		return
	}
	st.RoleID = kube.Truncate(s.role.role.ID, 64)
	switch origin := v1alpha1.Origin(s.role.origin); {
	case st.RoleOrigin == v1alpha1.OriginCreating:
		st.RoleOrigin = v1alpha1.OriginCreated
	case st.RoleOrigin == "" || origin == v1alpha1.OriginCreated:
		st.RoleOrigin = origin
	}
	if s.account.Spec.Mode == v1alpha1.ModeObserve {
		return
	}
	granted := s.plan.Record.Granted
	if !s.sure { // whom a task gives the role now would be forgotten, and keep it for ever
		granted = union(st.GrantedUserIDs, granted)
	}
	st.GrantedUserIDs = granted
	st.UnapprovedUserIDs = s.unapproved()
	switch {
	case len(st.GrantedUserIDs) == 0:
		st.GrantedSince = nil
	case st.GrantedSince == nil && *st.Holders > 0:
		st.GrantedSince = s.stamp()
	}
}

func union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

func (s *bindingScope) stamp() *metav1.Time {
	at := metav1.NewTime(s.now.Truncate(time.Second).UTC())
	return &at
}

// announce sends events on transitions: when the binding comes to need somebody, when it begins
// and ends, and when people got the role or lost it.
func (r *PermissionBindingReconciler) announce(before *v1alpha1.PermissionBinding, s *bindingScope) {
	b := s.binding
	announce(r.Recorder, b, before.Status.Conditions, b.Status.Conditions)
	if before.Status.State != b.Status.State && b.Status.State == v1alpha1.BindingExpired {
		s.say(corev1.EventTypeNormal, v1alpha1.EventExpired, "Expire", "it ended at %s", b.Spec.ExpiresAt.UTC().Format(time.RFC3339))
	}
	if s.role != nil && s.outcome != nil && s.role.did != nil {
		did := s.role.did
		if did.Revoked > 0 {
			s.say(corev1.EventTypeNormal, v1alpha1.EventRevoked, "Revoke", "took the role %s from %d", b.Spec.Role.Name, did.Revoked)
		}
		if did.Granted > 0 {
			s.say(corev1.EventTypeNormal, v1alpha1.EventGranted, "Grant", "gave the role %s to %d", b.Spec.Role.Name, did.Granted)
		}
	}
	for _, e := range s.tell {
		r.Recorder.Eventf(b, nil, e.kind, e.reason, e.action, "%s", strings.TrimSpace(e.text))
	}
}

func (r *PermissionBindingReconciler) measure(b *v1alpha1.PermissionBinding) {
	if name := client.ObjectKeyFromObject(b); b.Spec.Review.IntervalDays > 0 {
		r.Metrics.Reviewed(name, b.Status.ReviewEscalatedTime != nil)
	} else {
		r.Metrics.ForgetBinding(name)
	}
}
