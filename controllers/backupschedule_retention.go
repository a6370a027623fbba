package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/schedule"
)

// retain removes the Backups that no rule keeps: only those that a schedule made, that
// are at rest, and that nobody uses or holds.
func (r *BackupScheduleReconciler) retain(ctx context.Context, t *round) error {
	used, err := r.used(ctx, t.object)
	if err != nil {
		return err
	}
	byName := map[string]*v1alpha1.Backup{}
	var archives []schedule.Archive
	for i := range t.backups {
		b := &t.backups[i]
		if !b.DeletionTimestamp.IsZero() || isRunning(b) {
			continue
		}
		byName[b.Name] = b
		archives = append(archives, schedule.Archive{
			Name: b.Name, Time: timeOf(b), Good: isGood(b), Empty: isEmpty(b), Held: isHeld(b) || used[b.Name],
		})
	}
	_, gone := schedule.Keep(archives, rulesOf(&t.object.Spec.Retention), t.zone, t.now)
	for _, a := range gone {
		if err := r.remove(ctx, byName[a.Name]); err != nil {
			return err
		}
	}
	return nil
}

// isHeld reports whether somebody wants the archive to stay: by a legal hold, or because
// deleting the Backup would leave it there.
func isHeld(b *v1alpha1.Backup) bool {
	return b.Spec.LegalHold == v1alpha1.LegalHoldHeld || b.Status.LegalHold == v1alpha1.LegalHoldHeld || b.Spec.DeletionPolicy != v1alpha1.ArchiveDelete
}

// isEmpty reports whether a Backup left no archive.
func isEmpty(b *v1alpha1.Backup) bool {
	return b.Spec.ArchiveKey == "" && !meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionExported)
}

// used are the Backups that a Restore, or our own test, still reads.
func (r *BackupScheduleReconciler) used(ctx context.Context, s *v1alpha1.BackupSchedule) (map[string]bool, error) {
	var restores v1alpha1.RestoreList
	if err := r.List(ctx, &restores, client.InNamespace(s.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Restores: %w", err)
	}
	used := map[string]bool{}
	for i := range restores.Items {
		c := restores.Items[i].Status.Conditions
		if !meta.IsStatusConditionTrue(c, v1alpha1.ConditionReady) && !meta.IsStatusConditionTrue(c, v1alpha1.ConditionStalled) {
			used[restores.Items[i].Spec.BackupRef.Name] = true
		}
	}
	if work, there := r.Tests.State(client.ObjectKeyFromObject(s).String()); there && !work.Ended() && work.Progress != nil {
		used[work.Progress.backup] = true
	}
	return used, nil
}

func rulesOf(r *v1alpha1.Retention) schedule.Rules {
	return schedule.Rules{
		Last: int(r.Last), Daily: int(r.Daily), Weekly: int(r.Weekly), Monthly: int(r.Monthly),
		MaxAge: time.Duration(r.MaxAgeDays) * 24 * time.Hour,
	}
}

// remove deletes a Backup as it was seen: a hold that was laid on it meanwhile wins.
func (r *BackupScheduleReconciler) remove(ctx context.Context, b *v1alpha1.Backup) error {
	err := r.Delete(ctx, b, client.Preconditions{UID: &b.UID, ResourceVersion: &b.ResourceVersion})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("removing a Backup: %w", err)
	}
	if err != nil {
		return client.IgnoreNotFound(err) // a conflict: the newer one brings us back
	}
	return nil
}

// kept counts the good Backups that stay.
func kept(backups []v1alpha1.Backup) int32 {
	good := slices.DeleteFunc(slices.Clone(backups), func(b v1alpha1.Backup) bool { return !isGood(&b) || !b.DeletionTimestamp.IsZero() })
	return int32(len(good))
}
