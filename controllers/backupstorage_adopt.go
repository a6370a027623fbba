package controllers

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// adopt makes the Backups of archives that have none, so that a fresh cluster gets its
// list back. What somebody made since the survey is left alone.
func (r *BackupStorageReconciler) adopt(ctx context.Context, bs *v1alpha1.BackupStorage, s *survey, backups []v1alpha1.Backup) error {
	known, byName := knownKeys(backups), map[string]*v1alpha1.Backup{}
	for i := range backups {
		byName[backups[i].Name] = &backups[i]
	}
	for ; len(s.found) > 0; s.found = s.found[1:] {
		f := s.found[0]
		// A Backup of that name that has no key yet is about to record this very one.
		if maker := byName[f.header.Backup]; known[f.key] || maker != nil && maker.Status.Archive.Key == "" {
			continue
		}
		err := r.makeBackup(ctx, bs, &f)
		switch {
		case apierrors.IsInvalid(err) || apierrors.IsAlreadyExists(err):
			log.FromContext(ctx).Info("an archive gets no Backup: its names are taken or no names", "archive", f.key)
			r.sight(bs.UID).refused[f.key] = true
		case err != nil:
			return fmt.Errorf("making the Backup of an archive: %w", err)
		}
	}
	return nil
}

// makeBackup tries the name that the Backup had, then one of its own.
func (r *BackupStorageReconciler) makeBackup(ctx context.Context, bs *v1alpha1.BackupStorage, f *finding) error {
	parts := strings.Split(f.key, "/")
	own := f.header.Account + "-" + strings.ToLower(parts[len(parts)-1])
	var err error
	for _, name := range []string{f.header.Backup, own} {
		if name == "" {
			continue
		}
		err = r.Create(ctx, adopted(bs, f, name))
		if apierrors.IsInvalid(err) { // once there was such a name
			continue
		}
		if err == nil || !apierrors.IsAlreadyExists(err) {
			return err
		}
		there := &v1alpha1.Backup{}
		if r.Get(ctx, client.ObjectKey{Namespace: bs.Namespace, Name: name}, there) == nil && there.Spec.ArchiveKey == f.key {
			return nil
		}
	}
	return err
}

// adopted is the Backup of an archive. What a schedule had made is a schedule's again:
// its retention may delete it. Everything else stays.
func adopted(bs *v1alpha1.BackupStorage, f *finding, name string) *v1alpha1.Backup {
	b := &v1alpha1.Backup{
		ObjectMeta: metav1.ObjectMeta{Namespace: bs.Namespace, Name: name},
		Spec: v1alpha1.BackupSpec{
			AccountRef: v1alpha1.AccountReference{Name: f.header.Account},
			StorageRef: v1alpha1.StorageReference{Name: bs.Name},
			ArchiveKey: f.key, DeletionPolicy: v1alpha1.ArchiveRetain,
		},
	}
	if f.held {
		b.Spec.LegalHold = v1alpha1.LegalHoldHeld
	}
	if made, due, ok := scheduled(f.header.Backup); ok && !f.header.Time.Before(due) && f.header.Time.Sub(due) < latestStart {
		b.Labels = map[string]string{v1alpha1.ScheduleLabel: made}
		b.Spec.DeletionPolicy = v1alpha1.ArchiveDelete
	}
	return b
}

// latestStart is how long after its time a scheduled Backup may begin: the longest deadline and jitter.
const latestStart = 8 * 24 * time.Hour

// backupName names a schedule's Backup of a time, as CronJob names its Jobs: who makes it
// twice makes the same one.
func backupName(schedule string, due time.Time) string {
	return schedule + "-" + strconv.FormatInt(due.Unix()/60, 10)
}

var scheduledName = regexp.MustCompile(`^([a-z0-9][-a-z0-9.]*)-([0-9]{8,9})$`)

// scheduled reads what backupName wrote.
func scheduled(name string) (schedule string, due time.Time, ok bool) {
	m := scheduledName.FindStringSubmatch(name)
	if m == nil {
		return "", time.Time{}, false
	}
	minutes, err := strconv.ParseInt(m[2], 10, 64)
	return m[1], time.Unix(minutes*60, 0), err == nil
}
