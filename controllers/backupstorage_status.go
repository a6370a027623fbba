package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/kube"
)

// report fills in the status: from the last survey, or from what keeps us from making one.
func (r *BackupStorageReconciler) report(ctx context.Context, bs *v1alpha1.BackupStorage, access *Access, stop *Problem, found *survey, backups []v1alpha1.Backup) {
	s := &bs.Status
	summarize := func(stand kube.Stand, reason, message string) {
		kube.Summarize(&s.Conditions, bs.Generation, kube.Summary{Stand: stand, Reason: reason, Message: message})
	}
	if stop == nil && found == nil && reached(s.Conditions, bs.Generation) {
		return // what was seen before a restart still holds, until something else is
	}
	s.ObservedGeneration = &bs.Generation
	if stop != nil {
		summarize(stand(stop.Reason), stop.Reason, stop.Message)
		for _, c := range []string{v1alpha1.ConditionAvailable, v1alpha1.ConditionOffsiteAvailable, v1alpha1.ConditionExclusive, v1alpha1.ConditionCredentialsValid} {
			meta.RemoveStatusCondition(&s.Conditions, c) // nobody looks
		}
		return
	}
	s.Recipients = access.Names
	r.reportSecrets(bs, access)
	if found == nil {
		summarize(kube.Reconciling, v1alpha1.ReasonProgressing, "looking at the place for the first time")
		return
	}
	if found.location.name != "" {
		s.Location = kube.Truncate(found.location.name, 256)
	}
	worst := reportView(bs, v1alpha1.ConditionAvailable, &found.location)
	if found.offsite != nil {
		s.Offsite = kube.Truncate(found.offsite.name, 256)
		if p := reportView(bs, v1alpha1.ConditionOffsiteAvailable, found.offsite); worst == nil {
			worst = p
		}
	} else if found.location.name != "" {
		s.Offsite = ""
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionOffsiteAvailable)
	}
	if found.archives != nil {
		n := found.count(backups)
		s.Archives = &n
	}
	if p := r.reportRival(ctx, bs, found); worst == nil {
		worst = p
	}
	if worst != nil {
		summarize(stand(worst.Reason), worst.Reason, worst.Message)
		return
	}
	summarize(kube.Ready, v1alpha1.ReasonInSync, "archives can be written and read")
}

// reportSecrets says when a Secret is about to go.
func (r *BackupStorageReconciler) reportSecrets(bs *v1alpha1.BackupStorage, access *Access) {
	if p := access.Leaving; p != nil {
		kube.Set(&bs.Status.Conditions, bs.Generation, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, p.Reason, kube.Coded(p.Reason, p.Message))
		return
	}
	meta.RemoveStatusCondition(&bs.Status.Conditions, v1alpha1.ConditionCredentialsValid)
}

// How fast a place is, in words that stay the same from probe to probe (P13); the metric is exact.
const (
	brisk = "a canary was written, read back and deleted, within two seconds"
	slow  = "a canary was written, read back and deleted, but it took more than two seconds"
)

// pace keeps its word until the time is well on the other side.
func pace(seconds float64, before string) string {
	if seconds > 5 || seconds > 1 && before == slow {
		return slow
	}
	return brisk
}

// reportView sets the condition of one place, and returns what is wrong with it.
func reportView(bs *v1alpha1.BackupStorage, condition string, v *view) *Problem {
	conditions := &bs.Status.Conditions
	if v.err != nil {
		p := problemOfPlace(v.err)
		kube.Set(conditions, bs.Generation, condition, metav1.ConditionFalse, p.Reason, kube.Coded(p.Reason, p.Message))
		return p
	}
	before := ""
	if c := meta.FindStatusCondition(*conditions, condition); c != nil {
		before = c.Message
	}
	kube.Set(conditions, bs.Generation, condition, metav1.ConditionTrue, v1alpha1.ReasonInSync, pace(v.seconds, before))
	return nil
}

// problemOfPlace is problemOfStorage where the error is about the place itself: what is
// not found is no archive but the bucket, and what is damaged only a canary.
func problemOfPlace(err error) *Problem {
	p := problemOfStorage(err)
	switch storage.ClassOf(err) {
	case storage.NotFound:
		return problem(v1alpha1.ReasonInvalidValue, p.Message)
	case storage.Damaged:
		return problem(v1alpha1.ReasonStorageUnavailable, p.Message)
	}
	return p
}

// reportRival says whether anybody else writes to the place. Both say so; the younger
// stands back.
func (r *BackupStorageReconciler) reportRival(ctx context.Context, bs *v1alpha1.BackupStorage, found *survey) *Problem {
	views := []*view{&found.location}
	if found.offsite != nil {
		views = append(views, found.offsite)
	}
	for _, v := range views {
		if v.rival == nil {
			continue
		}
		who, keeps := r.nameOf(ctx, bs, v.rival.UID), "this one is older and keeps it"
		if v.rival.Older {
			keeps = "it is older and keeps it; give this one another place"
		}
		p := problem(v1alpha1.ReasonStorageShared, fmt.Sprintf("%s writes to %s as well: %s", who, v.name, keeps))
		kube.Set(&bs.Status.Conditions, bs.Generation, v1alpha1.ConditionExclusive, metav1.ConditionFalse, p.Reason, kube.Coded(p.Reason, p.Message))
		if v.rival.Older {
			return p
		}
		return nil
	}
	if found.location.err == nil {
		kube.Set(&bs.Status.Conditions, bs.Generation, v1alpha1.ConditionExclusive, metav1.ConditionTrue, v1alpha1.ReasonInSync, "nobody else writes there")
	}
	return nil
}

// nameOf names a rival: an object of this namespace, or one that is elsewhere.
func (r *BackupStorageReconciler) nameOf(ctx context.Context, bs *v1alpha1.BackupStorage, uid string) string {
	var all v1alpha1.BackupStorageList
	if err := r.List(ctx, &all, client.InNamespace(bs.Namespace)); err == nil {
		for i := range all.Items {
			if string(all.Items[i].UID) == uid {
				return "the BackupStorage " + all.Items[i].Name
			}
		}
	}
	return fmt.Sprintf("a BackupStorage of another cluster (uid %s)", uid)
}

// reached reports whether this very declaration was reached before.
func reached(conditions []metav1.Condition, generation int64) bool {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == generation
}
