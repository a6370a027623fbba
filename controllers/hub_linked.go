package controllers

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/tenant"
)

var _ tenant.LinkedEvents = (*Hub)(nil)

// linkLaneOf is the key of one person in the lane of a linked system. What came of somebody else of the same name is not theirs (P4).
func linkLaneOf(name, uid string) string { return linkLane + name + "/" + uid }

// Finished wakes the controller whose task in a linked system ended.
func (h *Hub) Finished(system, key string) {
	name := splitName(system)
	if who, ok := strings.CutPrefix(key, linkLane); ok {
		who, _, _ = strings.Cut(who, "/")
		h.links.add(types.NamespacedName{Namespace: name.Namespace, Name: who}, 0, 0)
	}
	if which, ok := strings.CutPrefix(key, offboardingKey); ok {
		h.offboardings.add(types.NamespacedName{Namespace: name.Namespace, Name: which}, 0, 0)
	}
	h.systems.add(name, sweepPriority, settle)
}

// Surveyed wakes those whom a reading of a linked system shows to be different, and who waits for somebody to appear in
// it; nobody else (P13).
func (h *Hub) Surveyed(system string, c linked.Changes, err error) {
	name := splitName(system)
	h.systems.add(name, 0, 0)
	if err != nil && !c.First && len(c.Accounts) == 0 {
		return
	}
	ctx := context.Background() //nolint:forbidigo // reads the cache only: nothing to cancel
	h.inSystem(ctx, name, func(e *v1alpha1.Employee) bool { return c.First || waitsIn(e, name.Name) })
	if c.First {
		h.leavers(ctx, name.Namespace, indexSystem, name.Name)
		return
	}
	for _, id := range c.Accounts {
		h.leavers(ctx, name.Namespace, indexLink, linkKey(name.Name, id))
		var found v1alpha1.EmployeeList
		if h.list(ctx, &found, name.Namespace, indexLink, linkKey(name.Name, id)) {
			for i := range found.Items {
				h.link(&found.Items[i])
			}
		}
	}
}

// waitsIn reports whether somebody has no account of ours in the system yet.
func waitsIn(e *v1alpha1.Employee, system string) bool {
	st := linkStatus(e, system)
	return st == nil || !isOwned(st.Origin)
}

// inSystem wakes people who have to do with a linked system.
func (h *Hub) inSystem(ctx context.Context, name types.NamespacedName, which func(*v1alpha1.Employee) bool) {
	var found v1alpha1.EmployeeList
	if !h.list(ctx, &found, name.Namespace, indexSystem, name.Name) {
		return
	}
	for i := range found.Items {
		if which(&found.Items[i]) {
			h.link(&found.Items[i])
		}
	}
}

// link wakes somebody for the linked accounts: who is to lose access goes first (P2).
func (h *Hub) link(e *v1alpha1.Employee) {
	priority := sweepPriority
	if loses(e) {
		priority = freezingPriority
	}
	h.links.add(client.ObjectKeyFromObject(e), priority, 0)
}

// Links are the ids of the accounts of people that are ours in the system.
func (h *Hub) Links(ctx context.Context, system string) (ids []string) {
	name := splitName(system)
	var found v1alpha1.EmployeeList
	if !h.list(ctx, &found, name.Namespace, indexSystem, name.Name) {
		return nil
	}
	for i := range found.Items {
		if st := linkStatus(&found.Items[i], name.Name); st != nil && isOwned(st.Origin) && st.AccountID != "" {
			ids = append(ids, st.AccountID)
		}
	}
	return ids
}
