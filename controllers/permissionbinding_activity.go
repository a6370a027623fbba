package controllers

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
)

// activitySeen is what the platform told, for one review, of when people were last active. It does not change.
type activitySeen struct {
	due time.Time
	directory.Activity
	// err is why it could not tell; the review is opened all the same.
	err error
}

// activityMemory keeps the newest of each binding. The zero value is ready; safe for concurrent use.
type activityMemory struct {
	mu   sync.Mutex
	seen map[types.UID]*activitySeen
}

func (m *activityMemory) get(binding types.UID, due time.Time) *activitySeen {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.seen[binding]; s != nil && s.due.Equal(due) {
		return s
	}
	return nil
}

func (m *activityMemory) put(binding types.UID, s *activitySeen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[types.UID]*activitySeen{}
	}
	m.seen[binding] = s
}

func (m *activityMemory) forget(binding types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.seen, binding)
}

func (s *bindingScope) activityLane() string { return bindingActivityKey + s.binding.Name }

// active is when people were last active, once for the review that is due then; nil where the
// platform does not tell. It is not ready while the platform is being asked.
func (r *PermissionBindingReconciler) active(s *bindingScope, due time.Time, people []holder) (seen *activitySeen, ready bool) {
	reader, can := s.tenant.Directory.(directory.ActivityReader)
	if !can {
		return nil, true
	}
	uid, lane := s.binding.UID, s.tenant.Lane
	if seen := r.activity.get(uid, due); seen != nil {
		return seen, true
	}
	if o, told := lane.Outcome(s.activityLane()); told { // of an earlier review
		lane.Acknowledge(s.activityLane(), o)
	}
	ids := make([]string, 0, len(people))
	for _, h := range people {
		ids = append(ids, h.id)
	}
	slices.Sort(ids)
	lane.Offer(s.activityLane(), execute.Task{Digest: "active " + due.UTC().Format(time.RFC3339), Priority: rolePriority, Run: func(ctx context.Context) execute.Outcome {
		found, err := reader.LastActive(ctx, ids)
		if ctx.Err() == nil { // else the tenant ends, and the next one is asked
			r.activity.put(uid, &activitySeen{due: due, Activity: found, err: err})
		}
		return execute.Outcome{Err: err}
	}})
	return nil, false
}

// day is the last on which an account was seen active, for people to read; empty if none was seen.
func (a *activitySeen) day(id string) string {
	if a == nil || a.Last[id].IsZero() {
		return ""
	}
	return a.Last[id].Format(time.DateOnly)
}

// inWords says what it means that somebody has no day.
func (a *activitySeen) inWords() string {
	switch {
	case a == nil:
		return ""
	case a.err != nil:
		return ". When they were last active could not be read"
	}
	return ". Who has no lastActiveDay was not active since " + a.Since.Format(time.DateOnly)
}
