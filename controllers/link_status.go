package controllers

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/plan"
)

// summarize writes what was decided into the status.
func (s *linkScope) summarize() {
	e := s.employee
	e.Status.LinkedAccounts, e.Status.LinkedReady = nil, ""
	ready, declared := 0, 0
	for _, l := range s.links {
		l.summarize(e.Generation)
		if !l.off {
			declared++
			if l.problem == nil {
				ready++
			}
		}
		e.Status.LinkedAccounts = append(e.Status.LinkedAccounts, l.status)
	}
	if declared > 0 {
		e.Status.LinkedReady = fmt.Sprintf("%d/%d", ready, declared)
	}
}

func (l *personLink) summarize(generation int64) {
	st := &l.status
	st.ObservedGeneration = &generation
	if l.planned {
		st.Differences = l.differing()
	}
	// What Observe merely would do leaves no record.
	if l.planned && (!l.observe || !writes(linkActions(l.plan.Actions))) {
		l.recordIn(l.plan.Record)
	}
	if st.Reason, st.Message = inWords(l.problem); l.problem == nil {
		st.Message = l.note
	}
}

// recordIn keeps what is durably known.
func (l *personLink) recordIn(r plan.LinkRecord) {
	st := &l.status
	st.AccountID, st.Origin, st.AppliedVersion, st.IgnoredAttributes, st.Updates = r.ID, v1alpha1.Origin(r.Origin), r.Applied, r.Ignored, r.Updates
	switch {
	case st.AccountID == "" && st.Origin == "":
		st.SystemUID = ""
	case st.SystemUID == "" && l.system != nil:
		st.SystemUID = string(l.system.UID)
	}
	switch {
	case r.DisabledByUs:
		st.DisabledBy = v1alpha1.FrozenByRollcall
	case st.State == v1alpha1.LinkedDisabled:
		st.DisabledBy = v1alpha1.FrozenByOther
	default:
		st.DisabledBy = ""
	}
}

// differing names what is not as declared.
func (l *personLink) differing() []string {
	return withoutNil(l.plan.Differ, l.plan.StateDiffers)
}

func withoutNil(names []string, state bool) []string {
	if state {
		return append(slices.Clone(names), "state")
	}
	return names
}

// seen says how the account stands.
func (l *personLink) seen(f plan.LinkFacts) {
	st, r := &l.status, &l.plan.Record
	account := f.Account
	if account == nil && r.Origin.Owned() && r.ID != "" && f.Capabilities.Reads {
		account = l.running.Mirror.Account(r.ID) // just linked
	}
	switch {
	case l.plan.Hold != nil && l.plan.Hold.Reason == plan.Vanished:
		st.State = v1alpha1.LinkedVanished
	case !r.Origin.Owned() && r.DisabledByUs:
		st.State = v1alpha1.LinkedDisabled // a freeze has deleted it
	case !r.Origin.Owned():
		st.State = v1alpha1.LinkedWaiting
	case account == nil && f.Capabilities.Reads: // a listing lacks it, and nothing is concluded yet
		if st.State == v1alpha1.LinkedWaiting {
			st.State = v1alpha1.LinkedActive
		}
	case account != nil && !account.Enabled:
		st.State = v1alpha1.LinkedDisabled
	default:
		st.State = v1alpha1.LinkedActive
	}
}

// announce sends events on transitions: when an account is linked, or unlinked; when access is taken or given back; when
// something that was in order was put right.
func (r *LinkReconciler) announce(before *v1alpha1.Employee, s *linkScope) {
	e := s.employee
	tell := func(system, reason, action, format string, args ...any) {
		// The system keeps events about several from being counted as one.
		on := &v1alpha1.LinkedSystem{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: system}}
		r.Recorder.Eventf(e, on, corev1.EventTypeNormal, reason, action, format, args...)
	}
	for _, g := range s.gone {
		tell(g.system, g.reason, "Unlink", "%s", g.words)
	}
	for _, l := range s.links {
		old := linkStatus(before, l.status.Name)
		if isOwned(l.status.Origin) && (old == nil || !isOwned(old.Origin)) {
			tell(l.status.Name, v1alpha1.EventLinked, "Link", "linked to an account of %s (%s)", l.status.Name, strings.ToLower(string(l.status.Origin)))
		}
		if l.outcome == nil {
			continue
		}
		for _, kind := range l.outcome.Done {
			switch {
			case kind == plan.Disable:
				tell(l.status.Name, v1alpha1.EventDisabled, "Disable", "disabled the account in %s", l.status.Name)
			case kind == plan.Enable:
				tell(l.status.Name, v1alpha1.EventEnabled, "Enable", "enabled the account in %s", l.status.Name)
			case kind == plan.Update && old != nil && len(old.Differences) > 0 && old.AppliedVersion == l.wish.Version:
				tell(l.status.Name, v1alpha1.EventUpdated, "Update", "put right in %s: %s", l.status.Name, strings.Join(old.Differences, ", "))
			}
		}
	}
}
